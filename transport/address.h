/*
 * Addresses as people write them and as sockets have them.
 */
#ifndef TRANSPORT_ADDRESS_H
#define TRANSPORT_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "gossip/transport.h"

enum address_host {
    ADDRESS_HOST_EMPTY,   /* ":7001" */
    ADDRESS_HOST_NUMERIC, /* "127.0.0.1:7001" or "[::1]:7001" */
    ADDRESS_HOST_NAME,    /* "example.org:7001" */
};

enum { ADDRESS_NAME_MAX = 253 }; /* Bytes of a name in the DNS (RFC 1035). */

/* What a "HOST:PORT" says, before anybody is asked. */
struct address_parts {
    enum address_host host;
    uint8_t ip[16];                  /* Of a numeric host. */
    char name[ADDRESS_NAME_MAX + 1]; /* Of a name. */
    uint16_t port;                   /* 0 if it says 0. */
};

/* Takes text apart. On INVALID, *reason is what is wrong with it: a constant, to stand after a
 * colon. */
int address_parse(const char *text, struct address_parts *ret_parts, const char **reason);

/* Reads what gossip_address_to_text() writes: a numeric host and a port that is not 0. INVALID. */
int address_from_text(const char *text, struct gossip_address *ret_address);

bool address_is_ipv4(const struct gossip_address *address);
bool address_is_loopback(const struct gossip_address *address);

/* fe80::/10, which means something only together with an interface. */
bool address_is_link_local(const struct gossip_address *address);

union socket_address {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
};

/* Returns how many bytes of *ret_socket_address count. */
socklen_t address_to_socket(const struct gossip_address *address,
                            union socket_address *ret_socket_address);

/* INVALID if it is of another family, or cut off. */
int address_from_socket(const union socket_address *socket_address, size_t size,
                        struct gossip_address *ret_address);

#endif
