/*
 * SQLite on virtual disks: a VFS for each, which does for durability what SQLite's own for unix
 * does: the directory is synced at the first sync of a journal or log that may be new, and after a
 * deletion where SQLite asks for it.
 *
 * It has no shared memory, so a log can only be used in exclusive mode, and no locks: the store's
 * lock file stands for them.
 */
#ifndef GOSSIP_STORE_VIRTUAL_VFS_H
#define GOSSIP_STORE_VIRTUAL_VFS_H

struct virtual_disk;
struct virtual_vfs;

/* Registers a VFS over disk. NULL without memory. */
struct virtual_vfs *virtual_vfs_create(struct virtual_disk *disk);

/* NULL is allowed. */
void virtual_vfs_destroy(struct virtual_vfs *vfs);

/* By which SQLite knows it. */
const char *virtual_vfs_name(const struct virtual_vfs *vfs);

#endif
