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

/* What tells a file from any copy of it, and this machine from others. The device's number is no
 * part of it: it may be another after the next boot. */
struct file_identity {
    uint64_t inode;
    int64_t birth_ns; /* When it was made, since 1970; 0 where the file system does not tell. */
    char machine[64]; /* The machine's id. */
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

    /* Opens nothing: the file may be SQLite's. NOT_FOUND, PERMISSION, IO. */
    int (*identify)(struct file_system *files, const char *path, struct file_identity *ret_identity,
                    struct explanation *explanation);

    /* Reads a small file: up to capacity bytes of it. NOT_FOUND, PERMISSION, IO. */
    int (*read)(struct file_system *files, const char *path, uint8_t *buffer, size_t capacity,
                size_t *ret_size, struct explanation *explanation);

    /* Writes a small file whole, or makes it, mode 0600, and makes its content durable; not its
     * name, where it is new. PERMISSION, FULL, IO. */
    int (*write)(struct file_system *files, const char *path, const uint8_t *bytes, size_t size,
                 struct explanation *explanation);

    /* Replaces a small file, or makes it, mode 0600: when it returns, and after any crash on the
     * way, there is all of it or what was there before. PERMISSION, FULL, NOMEM, IO. */
    int (*replace)(struct file_system *files, const char *path, const uint8_t *bytes, size_t size,
                   struct explanation *explanation);

    /* Writes over the beginning of a small file, which is made if need be, and waits for no disk.
     * PERMISSION, FULL, IO. */
    int (*overwrite)(struct file_system *files, const char *path, const uint8_t *bytes, size_t size,
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
