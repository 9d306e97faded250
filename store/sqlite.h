/*
 * The SQLite store: what tests may ask of it beyond gossip/store.h.
 */
#ifndef GOSSIP_STORE_SQLITE_H
#define GOSSIP_STORE_SQLITE_H

#include "gossip/store.h"

#include <stdint.h>

/* How many rows were inserted, changed or deleted since the store was opened. */
uint64_t sqlite_store_total_changes(struct gossip_store *store);

/* How many pages the log held after the last commit; a checkpoint lets it start anew. */
uint64_t sqlite_store_wal_pages(struct gossip_store *store);

#endif
