/*
 * The SQLite store on any file system, and what tests may ask of it beyond gossip/store.h.
 */
#ifndef GOSSIP_STORE_SQLITE_H
#define GOSSIP_STORE_SQLITE_H

#include "gossip/store.h"

#include "store/files.h"

#include <stdint.h>

/* As gossip_sqlite_open(), of a path in files, which must outlive the store. */
int sqlite_store_open(struct file_system *files, const char *path, enum gossip_sqlite_mode mode,
                      char *ret_explanation, size_t size, struct gossip_store **ret_store);

/* As gossip_store_remove(), of a path in files. */
int sqlite_store_remove(struct file_system *files, const char *path, char *ret_explanation,
                        size_t size);

/* As gossip_sqlite_salvage(), of a path in files. */
int sqlite_store_salvage(struct file_system *files, const char *path, gossip_record_visit *visit,
                         void *context, struct gossip_salvaged *ret_salvaged);

/* How many rows were inserted, changed or deleted since the store was opened. */
uint64_t sqlite_store_total_changes(struct gossip_store *store);

/* How many pages the log held after the last commit; a checkpoint lets it start anew. */
uint64_t sqlite_store_wal_pages(struct gossip_store *store);

/* Lets the log grow to so many pages, instead of a number for daily use, before each checkpoint. */
void sqlite_store_checkpoint_every(struct gossip_store *store, uint64_t pages);

#endif
