/*
 * The file of a store's database, and what SQLite leaves beside it: judged before SQLite touches
 * it, made, opened, brought up to date, removed.
 *
 * All but the last are of a database that has a path. What they open is closed by
 * sqlite_database_abandon() or sqlite_database_close().
 */
#ifndef GOSSIP_STORE_SQLITE_FILE_H
#define GOSSIP_STORE_SQLITE_FILE_H

#include "store/explanation.h"
#include "store/files.h"
#include "store/sqlite_database.h"

/* Whether a new store can be made there. EXISTS, PERMISSION, NOMEM, IO. */
int sqlite_file_check_free(struct sqlite_database *database);

/* Judges the file as far as can be done without SQLite touching it or what stands beside it.
 * NOT_FOUND, FOREIGN, DAMAGED, PERMISSION, NOMEM, IO. */
int sqlite_file_examine(struct sqlite_database *database);

/* Makes the file, whole and durable, or nothing. The lock must be held. */
int sqlite_file_create(struct sqlite_database *database);

/* Opens the file: makes durable what is left in its log, brings its tables up to date and checks
 * them. The lock must be held. */
int sqlite_file_open(struct sqlite_database *database);

/* Comes last, when nothing is left to refuse the file for: makes durable the names of the log,
 * which SQLite has made and does not ask about, and of the file itself, if its maker was killed
 * before it could do this. From here on commits are counted. */
int sqlite_file_keep(struct sqlite_database *database);

/* Removes the store: the file, and all that stands beside it but its lock, which must be held. */
int sqlite_file_remove(struct sqlite_database *database);

/* Removes a database that no store is yet, or not any more: path, if it is there, and what SQLite
 * may have left beside it. PERMISSION, NOMEM, IO. */
int sqlite_file_discard(struct file_system *files, const char *path,
                        struct explanation *explanation);

#endif
