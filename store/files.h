/*
 * What stores need of the file system beside the database file's content, which only SQLite reads
 * and writes: a second descriptor of it, once closed, would take SQLite's locks away.
 *
 * It is a small table, so that a store can stand on a virtual disk too (store/virtual_disk.h).
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

struct file_system;

struct file_system_ops {
    /* The one name of what path names, which exists; to be freed. NOT_FOUND, PERMISSION, IO,
     * NOMEM. */
    int (*resolve)(struct file_system *files, const char *path, char **ret_path,
                   struct explanation *explanation);

    /* What path is, and how large. Follows symbolic links, opens nothing. PERMISSION, IO. */
    int (*examine)(struct file_system *files, const char *path, enum file_kind *ret_kind,
                   uint64_t *ret_size, struct explanation *explanation);

    /* Makes an empty file of mode 0600. EXISTS, NOT_FOUND (no such directory), PERMISSION, FULL,
     * IO. */
    int (*make)(struct file_system *files, const char *path, struct explanation *explanation);

    /* Removes path if it is there. PERMISSION, IO. */
    int (*remove)(struct file_system *files, const char *path, struct explanation *explanation);

    /* Renames inside a directory. PERMISSION, FULL, IO. */
    int (*rename)(struct file_system *files, const char *from, const char *to,
                  struct explanation *explanation);

    /* Makes the names in the directory of path durable. NOMEM, PERMISSION, IO. */
    int (*sync_directory)(struct file_system *files, const char *path,
                          struct explanation *explanation);

    /* Takes the lock path, at once or not at all; *ret_lock, which is not negative, stands for it
     * until unlock. LOCKED (explanation names what, which is locked), NOT_FOUND (no such
     * directory), PERMISSION, FULL, IO. */
    int (*lock)(struct file_system *files, const char *path, const char *what, int *ret_lock,
                struct explanation *explanation);
    void (*unlock)(struct file_system *files, int lock);
};

/* An implementation embeds this as its first member. */
struct file_system {
    const struct file_system_ops *ops;
    const char *vfs; /* Of SQLite, by which it reads and writes there. NULL: its default. */
};

/* The system's own. */
struct file_system *file_system_real(void);

/* The enum gossip_error that an errno means. */
int file_error(int number);

/* A new string, path with ending behind it; NULL when there is no memory. */
char *file_beside(const char *path, const char *ending);

#endif
