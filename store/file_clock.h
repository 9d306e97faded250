/*
 * The clock of what a store holds, as people and programs read it: {"n1":42,"n2":15} and a newline.
 *
 * Authors are called as gossip/author_name.h tells. What lies behind an author's cut does not
 * count, and an author without events is left out.
 */
#ifndef GOSSIP_STORE_FILE_CLOCK_H
#define GOSSIP_STORE_FILE_CLOCK_H

#include "gossip/store.h"
#include "store/explanation.h"

/* Of the author and signed records of a memory store; *ret_text is the caller's, to be freed.
 * INVALID (two authors of one id), NOMEM. */
int file_clock_write(struct gossip_store *store, char **ret_text, struct explanation *explanation);

/* Whether text is such a clock, whatever its names. */
bool file_clock_is(const char *text, size_t size);

#endif
