/*
 * Copies of a store that is in use: by SQLite's own way of copying, some pages at a time, through
 * the store's only connection, so that what is saved in between goes into the copy too. Then the
 * copy is looked through for events that are not as they were written.
 * https://sqlite.org/backup.html
 */
#ifndef GOSSIP_STORE_SQLITE_BACKUP_H
#define GOSSIP_STORE_SQLITE_BACKUP_H

#include "store/files.h"

struct sqlite3;
struct sqlite_backup;

/* Begins to copy db to path, of which there is nothing yet. EXISTS, NOT_FOUND, PERMISSION, FULL,
 * NOMEM, IO. */
int sqlite_backup_begin(struct sqlite3 *db, struct file_system *files, const char *path,
                        struct explanation *explanation, struct sqlite_backup **ret_backup);

/* Copies or checks some more: 1 when the copy is whole, durable and has its name; 0 while there is
 * more. After 1 or an error the backup is to be ended. EXISTS, FULL, NOMEM, IO; DAMAGED: the store
 * is, as far as can be told from a copy, which is less than a check tells. */
int sqlite_backup_step(struct sqlite_backup *backup, struct explanation *explanation);

/* Frees it, and removes what there is of an unfinished copy. NULL is allowed. */
void sqlite_backup_end(struct sqlite_backup *backup);

#endif
