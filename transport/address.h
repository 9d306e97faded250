/*
 * Addresses as text, and as the system has them.
 */
#ifndef TRANSPORT_ADDRESS_H
#define TRANSPORT_ADDRESS_H

#include "gossip/transport.h"

#include <stdbool.h>
#include <sys/socket.h>

enum { HOST_TEXT_MAX = 256, PORT_TEXT_MAX = 6 };

/* Splits "HOST:PORT", "[HOST]:PORT" or ":PORT"; the port is 0 to 65535, in digits. Whether text is
 * of that form. */
bool address_split(const char *text, char ret_host[HOST_TEXT_MAX], char ret_port[PORT_TEXT_MAX]);

/* From the system's form; false for a family that is neither IPv4 nor IPv6. */
bool address_from_system(const struct sockaddr *system, struct gossip_address *ret_address);

bool address_is_ipv4(const struct gossip_address *address);

/* To the system's form, of the family that address_is_ipv4() tells. Returns its size. */
socklen_t address_to_system(const struct gossip_address *address,
                            struct sockaddr_storage *ret_system);

#endif
