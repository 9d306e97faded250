/*
 * A stopped node's files, opened without a network: what `log`, `clock`, `relation` and `verify`
 * look into. It counts as a start of the node.
 */
#ifndef CMD_FILES_H
#define CMD_FILES_H

#include "cmd/directory.h"
#include "cmd/exit.h"
#include "gossip/gossip.h"

#include <stdbool.h>
#include <stddef.h>

struct files {
    struct gossip_identity *identity;
    struct gossip_store *store;
    struct gossip *gossip;
};

/* EXIT_LOCKED without a complaint: ret_explanation says it. Other codes after a complaint. */
enum exit_code files_open(const struct directory *directory, char *ret_explanation, size_t size,
                          struct files *ret_files);
void files_close(struct files *files);

/* Whether the node has stopped because another process wrote under its key, and does not start
 * before it was told which of the two it is. What the store says where it cannot be read. */
int files_has_double(struct gossip_store *store, bool *ret_has_double);

/* Says why gossip_create() has failed on a node's files, and returns the exit code. */
enum exit_code files_complain_of_start(const struct directory *directory,
                                       struct gossip_store *store, int error);

#endif
