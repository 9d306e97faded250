/*
 * UDP over a system that tests replace.
 */
#ifndef TRANSPORT_UDP_H
#define TRANSPORT_UDP_H

#include "gossip/transport.h"
#include "transport/system.h"

/* gossip_udp_open() and gossip_udp_resolve(), with a system that must outlive the transport. */
int udp_open(const struct transport_system *system, const char *listen, char *ret_explanation,
             size_t size, struct gossip_transport **ret_transport);
int udp_resolve(const struct transport_system *system, const char *text,
                struct gossip_address *ret_addresses, size_t capacity, char *ret_explanation,
                size_t size);

#endif
