/*
 * The state of a file store: all that it holds, as lines of text, in a file beside the clock.
 *
 *     gossip-file-store 1
 *     clock SIZE HASH                      the clock file that belongs to it,
 *     before SIZE HASH                     and the one before that save
 *     meta NAME number N                   or: meta NAME bytes xHEX
 *     author N ID KEY EPOCH have N floor N cut N head HASH mentions N HASH unsealed N
 *     mentions AUTHOR INDEX N N N ...      what it has named from that index on
 *     signed TYPE ID xHEX
 *     peer KEY ADDRESS
 *     check HASH                           BLAKE2b-256 of all before this line
 *
 * Numbers are decimal, the rest lower-case hexadecimal; in a name whatever is not one of
 * A-Z a-z 0-9 . _ - is %HEX. There is one way to write a state, and nothing else is read.
 */
#ifndef GOSSIP_STORE_FILE_STATE_H
#define GOSSIP_STORE_FILE_STATE_H

#include "gossip/store.h"
#include "store/explanation.h"

/* What tells the content of a clock file. */
struct file_content {
    uint64_t size;
    uint8_t hash[GOSSIP_HASH_SIZE];
};

struct file_state {
    struct file_content clock;
    struct file_content before;
};

void file_content_of(const char *text, size_t size, struct file_content *ret_content);
bool file_content_equal(const struct file_content *a, const struct file_content *b);

/* Writes what a memory store holds; *ret_text is the caller's, to be freed. NOMEM. */
int file_state_write(struct gossip_store *records, const struct file_state *state, char **ret_text,
                     size_t *ret_size);

/* Whether text begins as a state of any version does. */
bool file_state_is(const char *text, size_t size);

/* Reads a state into an empty memory store. path is for explanations. FOREIGN (no state, or one of
 * a newer version), DAMAGED, NOMEM. */
int file_state_read(const char *path, const char *text, size_t size, struct gossip_store *records,
                    struct file_state *ret_state, struct explanation *explanation);

#endif
