/*
 * The socket in a node's directory on which it listens for requests.
 */
#ifndef CMD_LISTENER_H
#define CMD_LISTENER_H

#include "cmd/directory.h"

/* Makes the socket, mode 0600, in the place of one that an earlier node has left. The store must be
 * held: it tells that no other node listens. */
enum exit_code listener_open(const struct directory *directory, int *ret_socket);

/* Closes it and takes it away. */
void listener_close(const struct directory *directory, int socket);

#endif
