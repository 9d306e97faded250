#include "transport/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "gossip/gossip.h"

/* ::ffff:a.b.c.d (RFC 4291, 2.5.5.2). */
static const uint8_t ipv4_prefix[12] = {[10] = 0xff, [11] = 0xff};

bool address_is_ipv4(const struct gossip_address *address)
{
    return memcmp(address->ip, ipv4_prefix, sizeof(ipv4_prefix)) == 0;
}

bool address_is_loopback(const struct gossip_address *address)
{
    static const uint8_t ipv6_loopback[16] = {[15] = 1};

    if (address_is_ipv4(address))
        return address->ip[12] == 127;
    return memcmp(address->ip, ipv6_loopback, sizeof(ipv6_loopback)) == 0;
}

bool address_is_link_local(const struct gossip_address *address)
{
    return address->ip[0] == 0xfe && (address->ip[1] & 0xc0) == 0x80;
}

void gossip_address_to_text(const struct gossip_address *address,
                            char ret_text[GOSSIP_ADDRESS_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN];
    const char *written;

    if (address_is_ipv4(address))
        written = inet_ntop(AF_INET, address->ip + 12, host, sizeof(host));
    else
        written = inet_ntop(AF_INET6, address->ip, host, sizeof(host));
    assert(written != NULL);
    snprintf(ret_text, GOSSIP_ADDRESS_TEXT_MAX, address_is_ipv4(address) ? "%s:%u" : "[%s]:%u",
             host, (unsigned)address->port);
}

/* Decimal without sign, space or leading zero, so that one port has one text. */
static bool parse_port(const char *text, uint16_t *ret_port)
{
    size_t length = strlen(text);
    unsigned port = 0;

    if (length == 0 || length > 5 || (length > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    if (port > UINT16_MAX)
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

/* The host of "HOST:PORT", unbracketed, as a string of its own. */
struct host {
    char text[ADDRESS_NAME_MAX + 1];
    bool bracketed;
};

/* Finds the colon that ends the host. */
static const char *split(const char *text, struct host *ret_host, const char **ret_port)
{
    const char *host = text;
    const char *end;
    size_t length;

    ret_host->bracketed = text[0] == '[';
    if (ret_host->bracketed) {
        host++;
        end = strchr(host, ']');
        if (end == NULL)
            return "the closing bracket is missing";
        if (end[1] != ':')
            return "a colon and the port must follow the bracket, as in [::1]:7001";
        *ret_port = end + 2;
    } else {
        end = strchr(host, ':');
        if (end == NULL)
            return "the port is missing, as in 127.0.0.1:7001";
        if (strchr(end + 1, ':') != NULL)
            return "an IPv6 address needs brackets, as in [::1]:7001";
        *ret_port = end + 1;
    }
    length = (size_t)(end - host);
    if (length > ADDRESS_NAME_MAX)
        return "the host is longer than 253 bytes";
    memcpy(ret_host->text, host, length);
    ret_host->text[length] = '\0';
    return NULL;
}

/* Resolvers read "127.1" and "0x7f.1" as IPv4 addresses, and people do not: whatever ends in a
 * number is either the usual four numbers, or refused. */
static bool ends_in_number(const char *host)
{
    const char *dot = strrchr(host, '.');
    const char *label = dot == NULL ? host : dot + 1;

    if (label[0] == '0' && (label[1] == 'x' || label[1] == 'X'))
        return label[2 + strspn(label + 2, "0123456789abcdefABCDEF")] == '\0';
    return label[0] != '\0' && label[strspn(label, "0123456789")] == '\0';
}

static bool is_name(const char *host)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789-_.";

    return host[strspn(host, allowed)] == '\0' && host[0] != '.' && host[0] != '-' &&
           strstr(host, "..") == NULL;
}

static const char *parse_host(const struct host *host, struct address_parts *parts)
{
    if (host->bracketed) {
        if (strchr(host->text, '%') != NULL)
            return "a zone (what follows the %) is not supported; use an address that needs none";
        if (inet_pton(AF_INET6, host->text, parts->ip) != 1)
            return "what stands in the brackets is no IPv6 address";
        parts->host = ADDRESS_HOST_NUMERIC;
    } else if (host->text[0] == '\0') {
        parts->host = ADDRESS_HOST_EMPTY;
    } else if (ends_in_number(host->text)) {
        memcpy(parts->ip, ipv4_prefix, sizeof(ipv4_prefix));
        if (inet_pton(AF_INET, host->text, parts->ip + 12) != 1)
            return "an IPv4 address is four numbers from 0 to 255, as in 127.0.0.1:7001";
        parts->host = ADDRESS_HOST_NUMERIC;
    } else {
        if (!is_name(host->text))
            return "a name has letters, digits, dots and hyphens only (other alphabets in their "
                   "xn-- form)";
        memcpy(parts->name, host->text, sizeof(parts->name));
        parts->host = ADDRESS_HOST_NAME;
    }
    return NULL;
}

int address_parse(const char *text, struct address_parts *ret_parts, const char **reason)
{
    struct address_parts parts = {0};
    struct host host = {{0}, false};
    const char *port = NULL;

    *reason = split(text, &host, &port);
    if (*reason == NULL && !parse_port(port, &parts.port))
        *reason = "the port must be a number from 0 to 65535";
    if (*reason == NULL)
        *reason = parse_host(&host, &parts);
    if (*reason != NULL)
        return GOSSIP_ERR_INVALID;
    *ret_parts = parts;
    return GOSSIP_OK;
}

int address_from_text(const char *text, struct gossip_address *ret_address)
{
    struct address_parts parts;
    const char *reason;
    int error = address_parse(text, &parts, &reason);

    if (error < 0)
        return error;
    if (parts.host != ADDRESS_HOST_NUMERIC || parts.port == 0)
        return GOSSIP_ERR_INVALID;
    memcpy(ret_address->ip, parts.ip, sizeof(ret_address->ip));
    ret_address->port = parts.port;
    return GOSSIP_OK;
}

socklen_t address_to_socket(const struct gossip_address *address,
                            union socket_address *ret_socket_address)
{
    memset(ret_socket_address, 0, sizeof(*ret_socket_address));
    if (address_is_ipv4(address)) {
        ret_socket_address->ipv4.sin_family = AF_INET;
        ret_socket_address->ipv4.sin_port = htons(address->port);
        memcpy(&ret_socket_address->ipv4.sin_addr, address->ip + 12, 4);
        return sizeof(ret_socket_address->ipv4);
    }
    ret_socket_address->ipv6.sin6_family = AF_INET6;
    ret_socket_address->ipv6.sin6_port = htons(address->port);
    memcpy(&ret_socket_address->ipv6.sin6_addr, address->ip, 16);
    return sizeof(ret_socket_address->ipv6);
}

int address_from_socket(const union socket_address *socket_address, size_t size,
                        struct gossip_address *ret_address)
{
    if (size >= sizeof(socket_address->ipv4) && socket_address->any.sa_family == AF_INET) {
        memcpy(ret_address->ip, ipv4_prefix, sizeof(ipv4_prefix));
        memcpy(ret_address->ip + 12, &socket_address->ipv4.sin_addr, 4);
        ret_address->port = ntohs(socket_address->ipv4.sin_port);
        return GOSSIP_OK;
    }
    if (size >= sizeof(socket_address->ipv6) && socket_address->any.sa_family == AF_INET6) {
        memcpy(ret_address->ip, &socket_address->ipv6.sin6_addr, 16);
        ret_address->port = ntohs(socket_address->ipv6.sin6_port);
        return GOSSIP_OK;
    }
    return GOSSIP_ERR_INVALID;
}
