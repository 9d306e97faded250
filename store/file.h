/*
 * The file store, for observers: nodes that keep no events, publish none and serve none. What it
 * keeps stands in two files, both mode 0600:
 *
 *     clock.json          the clock: {"n1":42,"n2":15} (file_clock.h)
 *     clock.json.state    all else, the clock's authors included, and a check (file_state.h)
 *
 * and a lock, clock.json.lock. A save writes both anew beside the old ones, syncs them, and gives
 * first the state and then the clock its name: the state's new name is the commit. The state tells
 * the clock that belongs to it and the one before: where a crash came in between, whoever opens the
 * store next writes the clock that was to come. Any other pair of files is damage.
 *
 * So a save costs two syncs of a file, two of the directory, and as many bytes as the store holds.
 */
#ifndef GOSSIP_STORE_FILE_H
#define GOSSIP_STORE_FILE_H

#include "gossip/store.h"
#include "store/files.h"

/* As gossip_file_open(), of a path in files, which must outlive the store. */
int file_store_open(struct file_system *files, const char *path, enum gossip_file_mode mode,
                    char *ret_explanation, size_t size, struct gossip_store **ret_store);

/* Whether there is something of a file store at path: at least its state. PERMISSION, IO, NOMEM. */
int file_store_is_at(struct file_system *files, const char *path, bool *ret_is,
                     struct explanation *explanation);

/* As gossip_store_remove(), of a path in files where something of a file store is. */
int file_store_remove(struct file_system *files, const char *path, char *ret_explanation,
                      size_t size);

#endif
