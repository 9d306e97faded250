/*
 * What stores need of the file system beside the database file's content, which only SQLite reads
 * and writes: a second descriptor of it, once closed, would take SQLite's locks away.
 */
#ifndef GOSSIP_STORE_FILES_H
#define GOSSIP_STORE_FILES_H

#include "store/explanation.h"

#include <stddef.h>
#include <stdint.h>

enum file_kind {
    FILE_MISSING,
    FILE_REGULAR,
    FILE_OTHER,
};

/* The enum gossip_error that an errno means. */
int file_error(int number);

/* What path is, and how large. Follows symbolic links, opens nothing. PERMISSION, IO. */
int file_examine(const char *path, enum file_kind *ret_kind, uint64_t *ret_size,
                 struct explanation *explanation);

/* Makes an empty file of mode 0600. EXISTS, NOT_FOUND (no such directory), PERMISSION, FULL, IO. */
int file_make(const char *path, struct explanation *explanation);

/* Removes path if it is there. PERMISSION, IO. */
int file_remove(const char *path, struct explanation *explanation);

/* Renames inside a directory. PERMISSION, FULL, IO. */
int file_rename(const char *from, const char *to, struct explanation *explanation);

/* Makes the names in the directory of path durable. NOMEM, PERMISSION, IO. */
int file_sync_directory(const char *path, struct explanation *explanation);

/* A new string, path with ending behind it; NULL when there is no memory. */
char *file_beside(const char *path, const char *ending);

#endif
