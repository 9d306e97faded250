/*
 * The directory of a node, and what stands in it. Functions that return an enum exit_code have
 * complained on stderr where it is not EXIT_OK.
 */
#ifndef CMD_DIRECTORY_H
#define CMD_DIRECTORY_H

#include "cmd/exit.h"
#include "gossip/gossip.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#define DIRECTORY_KEY     "node.key"    /* The identity, as text. */
#define DIRECTORY_CLUSTER "cluster.key" /* Where a new cluster was made. */
#define DIRECTORY_STORE   "store.db"
#define DIRECTORY_SOCKET  "api.sock"

struct directory {
    const char *path; /* As the user wrote it, lent. */
    int descriptor;
};

/* Without a directory at path, returns missing. */
enum exit_code directory_open(const char *path, enum exit_code missing,
                              struct directory *ret_directory);
void directory_close(struct directory *directory);

/* Whether there is a file called name, of whatever kind. */
enum exit_code directory_has(const struct directory *directory, const char *name, bool *ret_has);

/* The path of a file, to be freed by the caller; never NULL: without memory, the process ends. */
char *directory_file(const struct directory *directory, const char *name);

/* The address of a socket in it. Sockets have room for 107 bytes of path; a longer one is reached
 * by way of the descriptor. */
void directory_address(const struct directory *directory, const char *name,
                       struct sockaddr_un *ret_address, socklen_t *ret_size);

/* Makes a file that holds data[size], mode 0600, at once and durably. There must be none yet. */
enum exit_code directory_write(const struct directory *directory, const char *name,
                               const void *data, size_t size);

/* Reads the node's key. Refuses where it is missing, damaged or open to others. */
enum exit_code directory_identity(const struct directory *directory,
                                  struct gossip_identity **ret_identity);

/* The same, whether there is a store or not. */
enum exit_code directory_key(const struct directory *directory,
                             struct gossip_identity **ret_identity);

/* Reads a cluster's key from any path, likewise. */
enum exit_code directory_cluster(const char *path, struct gossip_cluster **ret_cluster);

/* Opens the store. */
enum exit_code directory_store(const struct directory *directory, struct gossip_store **ret_store);

/* The same, but a store that another process uses is no reason to complain: then returns
 * EXIT_LOCKED and writes what there is to say to ret_explanation. */
enum exit_code directory_try_store(const struct directory *directory, char *ret_explanation,
                                   size_t size, struct gossip_store **ret_store);

#endif
