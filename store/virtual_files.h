/*
 * What a virtual disk holds: contents and names as they are shown, as they are durable, and what
 * was done in between. No faults happen here but those of a crash.
 *
 * A sync makes what was done to one file, or to the names, durable; a crash decides about the rest.
 * Neither needs memory, which therefore is taken when things are done.
 */
#ifndef GOSSIP_STORE_VIRTUAL_FILES_H
#define GOSSIP_STORE_VIRTUAL_FILES_H

#include "gossip/splitmix.h"
#include "store/virtual_disk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    VIRTUAL_NAME_SIZE = 64,   /* With its NUL. */
    VIRTUAL_NAMES_MAX = 32,   /* Files in a directory. */
    VIRTUAL_SECTOR_SIZE = 512 /* What a disk writes whole or not at all, if it is a good one. */
};

struct virtual_content {
    uint8_t *bytes;
    uint64_t size;
};

/* A file, whatever its names are. */
struct virtual_file {
    struct virtual_file *next;
    uint64_t inode; /* Its own, whatever its names are. */
    struct virtual_content shown;
    struct virtual_content durable;
    uint64_t capacity; /* Of both. */
    unsigned opened;   /* How many have it open. */
    bool forsaken; /* A sync has failed: what is durable may differ though nothing is pending. */
};

struct virtual_name {
    char text[VIRTUAL_NAME_SIZE];
    struct virtual_file *file;
};

struct virtual_directory {
    struct virtual_name names[VIRTUAL_NAMES_MAX];
    size_t count;
};

enum virtual_change_kind {
    VIRTUAL_CHANGE_WRITE,
    VIRTUAL_CHANGE_TRUNCATE,
    VIRTUAL_CHANGE_CREATE,
    VIRTUAL_CHANGE_DELETE,
    VIRTUAL_CHANGE_RENAME,
};

/* Something done that is not durable yet. */
struct virtual_change {
    enum virtual_change_kind kind;
    bool dying; /* The machine died over it: it is shown to nobody, and only torn can it last. */
    struct virtual_file *file;
    uint64_t offset; /* Of a truncation: the new size. */
    uint64_t size;
    uint8_t *bytes; /* Of a write. */
    char from[VIRTUAL_NAME_SIZE];
    char name[VIRTUAL_NAME_SIZE];
};

struct virtual_files {
    struct virtual_file *first;
    uint64_t inodes; /* Given out so far. */
    struct virtual_directory shown;
    struct virtual_directory durable;
    struct virtual_change *changes; /* In the order in which they were made. */
    size_t change_count;
    size_t change_capacity;
};

void virtual_files_clear(struct virtual_files *files);

/* NULL: there is none of this name. */
struct virtual_file *virtual_files_find(const struct virtual_files *files, const char *name);

/* Those that change something return 0, ENOMEM or (names) ENOSPC. */
int virtual_files_write(struct virtual_files *files, struct virtual_file *file, uint64_t offset,
                        const uint8_t *bytes, uint64_t size);
int virtual_files_truncate(struct virtual_files *files, struct virtual_file *file, uint64_t size);
int virtual_files_create(struct virtual_files *files, const char *name,
                         struct virtual_file **ret_file); /* There is none of this name. */
int virtual_files_delete(struct virtual_files *files, const char *name); /* There is one. */
int virtual_files_rename(struct virtual_files *files, const char *from, const char *to);

/* Remembers the write over which the machine dies. Without memory there is nothing of it. */
void virtual_files_note_dying_write(struct virtual_files *files, struct virtual_file *file,
                                    uint64_t offset, const uint8_t *bytes, uint64_t size);

/* Makes what was done to file durable, or with NULL what was done to the names. */
void virtual_files_sync(struct virtual_files *files, const struct virtual_file *file);

/* The same, failing: some of what was done to a file becomes durable, and the rest can no longer;
 * of the names all or none, and none waits for the next sync. */
void virtual_files_sync_badly(struct virtual_files *files, struct virtual_file *file,
                              struct splitmix *lots);

void virtual_files_open(struct virtual_file *file);
void virtual_files_close(struct virtual_files *files, struct virtual_file *file);

/* After a crash; nobody has anything open. Adds to *stats. */
void virtual_files_restart(struct virtual_files *files, enum virtual_damage damage,
                           struct splitmix *lots, struct virtual_disk_stats *stats);

/* Makes a file that is durable, while nothing is open. False without memory. */
bool virtual_files_put(struct virtual_files *files, const char *name, const uint8_t *bytes,
                       uint64_t size);

/* Bytes in all files that are shown or open. */
uint64_t virtual_files_used(const struct virtual_files *files);

/* name: NULL for all. */
bool virtual_files_are_unsynced(const struct virtual_files *files, const char *name);

uint64_t virtual_files_hash(const struct virtual_files *files);

#endif
