/*
 * The rows of a store's database: the statements, and records as rows.
 */
#ifndef GOSSIP_STORE_SQLITE_ROWS_H
#define GOSSIP_STORE_SQLITE_ROWS_H

#include "gossip/store.h"
#include "store/sqlite_database.h"

#include <stddef.h>
#include <stdint.h>

struct sqlite_rows;

/* Prepares all statements; to be freed before the connection is closed. DAMAGED, NOMEM, IO. */
int sqlite_rows_prepare(struct sqlite_database *database, struct sqlite_rows **ret_rows);

/* NULL is allowed. */
void sqlite_rows_free(struct sqlite_rows *rows);

/* As the operations of gossip/store.h; no visit may be under way. */
int sqlite_rows_load(struct sqlite_rows *rows, gossip_record_visit *visit, void *context);
int sqlite_rows_save(struct sqlite_rows *rows, const struct gossip_record *records, size_t count);
int sqlite_rows_read(struct sqlite_rows *rows, uint32_t author, uint64_t first, uint64_t last,
                     gossip_record_visit *visit, void *context);
int sqlite_rows_follow(struct sqlite_rows *rows, uint64_t after, gossip_record_visit *visit,
                       void *context);
int sqlite_rows_find_once(struct sqlite_rows *rows, const uint8_t *once, gossip_record_visit *visit,
                          void *context);
int sqlite_rows_has(struct sqlite_rows *rows, uint32_t author, uint64_t seq);

#endif
