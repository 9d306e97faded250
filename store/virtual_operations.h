/*
 * What a store does to a virtual disk, with the disk's faults: what its SQLite VFS and its table of
 * file operations are made of. All return 0 or an errno; after a crash that is EIO.
 */
#ifndef GOSSIP_STORE_VIRTUAL_OPERATIONS_H
#define GOSSIP_STORE_VIRTUAL_OPERATIONS_H

#include "store/files.h"
#include "store/virtual_files.h"
#include "store/virtual_vfs.h"

enum { VIRTUAL_LOCKS_MAX = 8 };

/* Which operations of a kind fail. */
struct virtual_failure {
    uint64_t skip;  /* So many more succeed, */
    uint64_t count; /* and then so many fail; UINT64_MAX: all. */
};

struct virtual_disk {
    struct file_system system; /* First: it is what a store sees. */
    struct virtual_vfs *vfs;
    struct virtual_files files;
    struct splitmix lots;
    uint64_t machine; /* The seed: no two machines have the same. */
    bool crashed;
    uint64_t operations;
    uint64_t crash_at; /* Of operations; 0: never. */
    uint64_t room;
    uint64_t delay;
    uint32_t delays[VIRTUAL_OPERATIONS];
    struct virtual_failure failures[VIRTUAL_OPERATIONS];
    struct virtual_disk_stats stats;
    char locks[VIRTUAL_LOCKS_MAX][VIRTUAL_NAME_SIZE]; /* Names; empty where there is none. */
};

/* The table of file operations of every virtual disk. */
extern const struct file_system_ops virtual_operations;

/* Opens file name; with may_create, makes it if there is none. ENOENT, ENOSPC, ENOMEM, EIO. */
int virtual_open(struct virtual_disk *disk, const char *name, bool may_create,
                 struct virtual_file **ret_file);

/* Works after a crash too, and does nothing to the disk. */
void virtual_close(struct virtual_disk *disk, struct virtual_file *file);

/* Reads what is there, up to size bytes. */
int virtual_read(struct virtual_disk *disk, const struct virtual_file *file, uint64_t offset,
                 uint8_t *ret_bytes, uint64_t size, uint64_t *ret_size);

/* A write that fails with EIO has written a beginning, as long as the seed decides; one that fails
 * with ENOSPC, nothing. */
int virtual_write(struct virtual_disk *disk, struct virtual_file *file, uint64_t offset,
                  const uint8_t *bytes, uint64_t size);
int virtual_truncate(struct virtual_disk *disk, struct virtual_file *file, uint64_t size);
int virtual_sync(struct virtual_disk *disk, struct virtual_file *file);
int virtual_sync_directory(struct virtual_disk *disk);

/* ENOENT. */
int virtual_delete(struct virtual_disk *disk, const char *name);

int virtual_exists(const struct virtual_disk *disk, const char *name, bool *ret_exists,
                   uint64_t *ret_size);

#endif
