/*
 * How the tables of earlier versions are made those of this one: SQL from each version to the next.
 * The store runs all that is needed in one transaction when it opens a file, and judges what came
 * of it before it commits: a crash leaves the old tables or the new, and what is refused is as it
 * was. The SQL may call event_checksum(delivery, author, seq, hash_seal, body) and
 * context_checksum(delivery, context), which are those of checksum.h.
 */
#ifndef GOSSIP_STORE_MIGRATION_H
#define GOSSIP_STORE_MIGRATION_H

#include <stddef.h>

/* From version to version + 1. */
struct migration {
    int version;
    const char *sql; /* One or more statements. */
};

/* The step from version; NULL where there is none. */
const struct migration *migration_from(int version);

/* For tests: uses these steps, lent, in place of our own; NULL: our own again. */
void migration_replace(const struct migration *steps, size_t count);

#endif
