#include "transport/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t ipv4_prefix[12] = {[10] = 0xff, [11] = 0xff};

bool address_is_ipv4(const struct gossip_address *address)
{
    return memcmp(address->ip, ipv4_prefix, sizeof(ipv4_prefix)) == 0;
}

void gossip_address_to_text(const struct gossip_address *address,
                            char ret_text[GOSSIP_ADDRESS_TEXT_MAX])
{
    char ip[INET6_ADDRSTRLEN];

    if (address_is_ipv4(address)) {
        inet_ntop(AF_INET, address->ip + sizeof(ipv4_prefix), ip, sizeof(ip));
        snprintf(ret_text, GOSSIP_ADDRESS_TEXT_MAX, "%s:%u", ip, address->port);
    } else {
        inet_ntop(AF_INET6, address->ip, ip, sizeof(ip));
        snprintf(ret_text, GOSSIP_ADDRESS_TEXT_MAX, "[%s]:%u", ip, address->port);
    }
}

static bool port_is_valid(const char *port)
{
    size_t length = strlen(port);

    if (length == 0 || length >= PORT_TEXT_MAX || strspn(port, "0123456789") != length)
        return false;
    return strtoul(port, NULL, 10) <= 65535;
}

bool address_split(const char *text, char ret_host[HOST_TEXT_MAX], char ret_port[PORT_TEXT_MAX])
{
    const char *colon = strrchr(text, ':');
    const char *host = text;
    size_t size;

    if (colon == NULL || !port_is_valid(colon + 1))
        return false;
    size = (size_t)(colon - text);
    if (size >= 2 && text[0] == '[' && colon[-1] == ']') {
        host++;
        size -= 2;
        if (size == 0)
            return false;
    } else if (memchr(text, ':', size) != NULL || memchr(text, '[', size) != NULL ||
               memchr(text, ']', size) != NULL) {
        return false; /* An IPv6 address without brackets has no end. */
    }
    if (size >= HOST_TEXT_MAX)
        return false;
    memcpy(ret_host, host, size);
    ret_host[size] = '\0';
    strcpy(ret_port, colon + 1);
    return true;
}

bool address_from_system(const struct sockaddr *system, struct gossip_address *ret_address)
{
    if (system->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, system, sizeof(in));
        memcpy(ret_address->ip, ipv4_prefix, sizeof(ipv4_prefix));
        memcpy(ret_address->ip + sizeof(ipv4_prefix), &in.sin_addr, 4);
        ret_address->port = ntohs(in.sin_port);
        return true;
    }
    if (system->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, system, sizeof(in6));
        memcpy(ret_address->ip, &in6.sin6_addr, 16);
        ret_address->port = ntohs(in6.sin6_port);
        return true;
    }
    return false;
}

socklen_t address_to_system(const struct gossip_address *address,
                            struct sockaddr_storage *ret_system)
{
    memset(ret_system, 0, sizeof(*ret_system));
    if (address_is_ipv4(address)) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(address->port)};

        memcpy(&in.sin_addr, address->ip + sizeof(ipv4_prefix), 4);
        memcpy(ret_system, &in, sizeof(in));
        return sizeof(in);
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(address->port)};

    memcpy(&in6.sin6_addr, address->ip, 16);
    memcpy(ret_system, &in6, sizeof(in6));
    return sizeof(in6);
}
