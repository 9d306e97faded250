#include "transport/lookup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/gossip.h"
#include "transport/address.h"

static bool contains(const struct gossip_address *addresses, size_t count,
                     const struct gossip_address *address)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(addresses[i].ip, address->ip, sizeof(address->ip)) == 0)
            return true;
    return false;
}

static int explain_resolver(const char *name, int result, struct explanation *explanation)
{
    int failure = errno; /* What EAI_SYSTEM stands for. */

    switch (result) {
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
        explain(explanation,
                "the name \"%s\" has no address; check its spelling, or give an "
                "address in its place",
                name);
        return GOSSIP_ERR_NOT_FOUND;
    case EAI_AGAIN:
    case EAI_FAIL:
        explain(explanation,
                "the resolver has no answer for the name \"%s\" (%s); try again "
                "later, or give an address in its place",
                name, gai_strerror(result));
        return GOSSIP_ERR_NOT_FOUND;
    case EAI_MEMORY:
        explain(explanation, "out of memory while looking up \"%s\"", name);
        return GOSSIP_ERR_NOMEM;
    default:
        explain(explanation,
                "looking up the name \"%s\" failed (%s); see /etc/nsswitch.conf and "
                "/etc/resolv.conf, or give an address in its place",
                name, result == EAI_SYSTEM ? strerror(failure) : gai_strerror(result));
        return GOSSIP_ERR_IO;
    }
}

/* Collects what counts of the answers. A link-local one is passed over: we do not keep the
 * interface that it belongs to. */
static size_t collect(const struct addrinfo *answers, uint16_t port,
                      struct gossip_address *ret_addresses)
{
    size_t count = 0;

    for (const struct addrinfo *answer = answers; answer != NULL; answer = answer->ai_next) {
        union socket_address socket_address;
        struct gossip_address address;

        if (answer->ai_addrlen > sizeof(socket_address))
            continue; /* Of no family that we asked for. */
        memcpy(&socket_address, answer->ai_addr, answer->ai_addrlen);
        if (address_from_socket(&socket_address, answer->ai_addrlen, &address) < 0)
            continue;
        address.port = port;
        if (!address_is_link_local(&address) && !contains(ret_addresses, count, &address))
            ret_addresses[count++] = address;
    }
    return count;
}

static int lookup_name(const struct transport_system *system, const struct address_parts *parts,
                       struct explanation *explanation, struct gossip_address **ret_addresses,
                       size_t *ret_count)
{
    /* No AI_ADDRCONFIG: it would hide ::1 from a machine that has only the loopback. */
    static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *answers = NULL;
    struct gossip_address *addresses;
    size_t capacity = 0;
    size_t count;
    int result = system->look_up(parts->name, NULL, &hints, &answers);

    if (result != 0)
        return explain_resolver(parts->name, result, explanation);
    for (const struct addrinfo *answer = answers; answer != NULL; answer = answer->ai_next)
        capacity++;
    addresses = calloc(capacity + 1, sizeof(*addresses));
    if (addresses == NULL) {
        system->free_answers(answers);
        return explain_resolver(parts->name, EAI_MEMORY, explanation);
    }
    count = collect(answers, parts->port, addresses);
    system->free_answers(answers);
    if (count == 0) {
        free(addresses);
        explain(explanation,
                "the name \"%s\" has only link-local addresses, which need an "
                "interface; give another address in its place",
                parts->name);
        return GOSSIP_ERR_NOT_FOUND;
    }
    *ret_addresses = addresses;
    *ret_count = count;
    return GOSSIP_OK;
}

/* What needs no resolver: one address, or the two that stand for all. */
static int lookup_known(const struct address_parts *parts, struct explanation *explanation,
                        struct gossip_address **ret_addresses, size_t *ret_count)
{
    static const uint8_t everywhere_ipv4[16] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t everywhere_ipv6[16] = {0};
    struct gossip_address *addresses = calloc(2, sizeof(*addresses));

    if (addresses == NULL) {
        explain(explanation, "out of memory");
        return GOSSIP_ERR_NOMEM;
    }
    addresses[0].port = parts->port;
    addresses[1].port = parts->port;
    if (parts->host == ADDRESS_HOST_EMPTY) {
        memcpy(addresses[0].ip, everywhere_ipv6, sizeof(everywhere_ipv6));
        memcpy(addresses[1].ip, everywhere_ipv4, sizeof(everywhere_ipv4));
        *ret_count = 2;
    } else {
        memcpy(addresses[0].ip, parts->ip, sizeof(parts->ip));
        *ret_count = 1;
    }
    *ret_addresses = addresses;
    return GOSSIP_OK;
}

/* What is well formed and yet of no use, or NULL. */
static const char *objection(const struct address_parts *parts, enum lookup_purpose purpose)
{
    struct gossip_address address = {.port = parts->port};

    memcpy(address.ip, parts->ip, sizeof(address.ip));
    if (parts->host == ADDRESS_HOST_NUMERIC && address_is_link_local(&address))
        return "a link-local address needs an interface, which is not supported; use another "
               "address";
    if (purpose == LOOKUP_TO_SEND && parts->host == ADDRESS_HOST_EMPTY)
        return "the host is missing, as in 127.0.0.1:7001";
    if (purpose == LOOKUP_TO_SEND && parts->port == 0)
        return "nobody can be reached at port 0; give the port that the node listens on";
    return NULL;
}

int lookup(const struct transport_system *system, const char *text, enum lookup_purpose purpose,
           struct explanation *explanation, struct gossip_address **ret_addresses,
           size_t *ret_count)
{
    struct address_parts parts;
    const char *reason;

    if (address_parse(text, &parts, &reason) == GOSSIP_OK)
        reason = objection(&parts, purpose);
    if (reason != NULL) {
        explain(explanation, "\"%.100s\" is no address to use: %s", text, reason);
        return GOSSIP_ERR_INVALID;
    }
    if (parts.host == ADDRESS_HOST_NAME)
        return lookup_name(system, &parts, explanation, ret_addresses, ret_count);
    return lookup_known(&parts, explanation, ret_addresses, ret_count);
}
