/*
 * What authors are called where a clock is written down, by the library and by the file store: by
 * the name of the certificate, n1; where two authors share it, n1# and the epoch in hex, and where
 * they share that too, the id behind it; without a certificate, ? and the id. The command reads
 * these names as well as its own, which are shorter and change with who else is known.
 */
#ifndef GOSSIP_AUTHOR_NAME_H
#define GOSSIP_AUTHOR_NAME_H

#include "gossip/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct author_title {
    const char *name; /* Of its certificate; NULL or empty: it has none. */
    const uint8_t *epoch;
    const uint8_t *id;
    bool shares_name;  /* Another author has the same name, */
    bool shares_epoch; /* and the same epoch too. */
};

/* Writes the name and a final NUL to name[size], as gossip_vclock_name; returns its length. */
int author_name_write(const struct author_title *title, char *name, size_t size);

/* Whether name[size] may mean this author, whatever others are called. */
bool author_name_fits(const struct author_title *title, const char *name, size_t size);

#endif
