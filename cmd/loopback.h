/*
 * This machine, as only it can reach itself.
 */
#ifndef CMD_LOOPBACK_H
#define CMD_LOOPBACK_H

#include "cmd/exit.h"
#include "gossip/transport.h"

#include <stdbool.h>

/* Reads "ADDR:PORT", where ADDR is a loopback address. Returns NULL, or what is wrong with it, to
 * stand after a colon. */
const char *loopback_read(const char *text, struct gossip_address *ret_address);

/* Whether a Host header names this machine: localhost or a loopback address, with a port or
 * without. */
bool loopback_is_host(const char *host);

/* Listens for TCP on a loopback address; with port 0 the system chooses one. *ret_address is what
 * it listens on, the socket the caller's to close. Has complained on stderr where it does not
 * return EXIT_OK. */
enum exit_code loopback_listen(const struct gossip_address *address, int *ret_socket,
                               struct gossip_address *ret_address);

#endif
