/*
 * Virtual disks: what a machine's disk keeps and what it forgets, under the real SQLite store.
 *
 * A disk holds files in one flat directory. What is written is seen at once by whoever reads, and
 * survives a crash for certain only once it has been synced: contents by a sync of the file, names
 * by a sync of the directory. Everything that happens to it depends on its seed and the order of
 * calls. virtual_disk_open_store() opens the SQLite store on one through an SQLite VFS of our own.
 *
 * Every operation that changes something that is or will be durable counts: write, sync, truncate,
 * create, delete, rename, sync of the directory. Faults are set by the number of such operations.
 */
#ifndef GOSSIP_STORE_VIRTUAL_DISK_H
#define GOSSIP_STORE_VIRTUAL_DISK_H

#include "gossip/store.h"

#include <stdbool.h>

struct virtual_disk;
struct virtual_disk_image; /* What a disk held at one moment. */

/* What becomes at a crash of what had not been synced. */
enum virtual_damage {
    VIRTUAL_DAMAGE_NONE,     /* All of it is there: the process died, the machine did not. */
    VIRTUAL_DAMAGE_LOST,     /* None of it is there. */
    VIRTUAL_DAMAGE_TORN,     /* A prefix of the operations; the last write only in part. */
    VIRTUAL_DAMAGE_SHUFFLED, /* Any of the sectors written, each alone; names likewise. */
    VIRTUAL_DAMAGES,
};

enum virtual_operation {
    VIRTUAL_READ, /* Not counted as a change; can be made to fail. */
    VIRTUAL_WRITE,
    VIRTUAL_SYNC, /* Of a file or of the directory. */
    VIRTUAL_TRUNCATE,
    VIRTUAL_CREATE,
    VIRTUAL_DELETE,
    VIRTUAL_RENAME,
    VIRTUAL_OPERATIONS,
};

struct virtual_disk_stats {
    uint64_t operations[VIRTUAL_OPERATIONS];
    uint64_t failed[VIRTUAL_OPERATIONS]; /* Of those, made to fail, by virtual_disk_fail(). */
    uint64_t full;                       /* Refused for lack of room. */
    uint64_t crashes[VIRTUAL_DAMAGES];
    uint64_t lost;     /* Unsynced changes that a crash undid, */
    uint64_t torn;     /* kept in part, */
    uint64_t shuffled; /* or kept though an earlier one was undone, at least in part. */
    uint64_t flipped;  /* Bits. */
};

/* Makes SQLite's own random numbers, which are the process's, start from seed: call it at the start
 * of every run that is to be repeatable. What SQLite does in this process besides is left alone. */
void virtual_disk_install(uint64_t seed);

/* Makes an empty disk. NULL when there is no memory. One disk belongs to one thread at a time, and
 * so do virtual_disk_create() and virtual_disk_destroy(). */
struct virtual_disk *virtual_disk_create(uint64_t seed);

/* Frees the disk; stores on it must have been closed. NULL is allowed. */
void virtual_disk_destroy(struct virtual_disk *disk);

enum { VIRTUAL_STORE_NAME_MAX = 46 }; /* So that names derived from it have room, too. */

/* As gossip_sqlite_open(), of the file name ("node.db") on disk. The lock is no file: LOCKED where
 * a store that is not closed has it. */
int virtual_disk_open_store(struct virtual_disk *disk, const char *name,
                            enum gossip_sqlite_mode mode, char *ret_explanation, size_t size,
                            struct gossip_store **ret_store);

/* As gossip_file_open() and, of a file store, gossip_store_remove(), of the file name on disk. */
int virtual_disk_open_file(struct virtual_disk *disk, const char *name, enum gossip_file_mode mode,
                           char *ret_explanation, size_t size, struct gossip_store **ret_store);
int virtual_disk_remove_file(struct virtual_disk *disk, const char *name, char *ret_explanation,
                             size_t size);

/* As gossip_sqlite_salvage(), of the file name on disk. */
int virtual_disk_salvage(struct virtual_disk *disk, const char *name, gossip_record_visit *visit,
                         void *context, struct gossip_salvaged *ret_salvaged);

/* The machine dies. From the next operation on everything fails with IO until
 * virtual_disk_restart(); nothing more reaches the disk. */
void virtual_disk_crash(struct virtual_disk *disk);

/* The machine dies just before its operation number (counted from 1 with the next one) takes
 * effect; with TORN damage a part of it may. 0: never. */
void virtual_disk_crash_at(struct virtual_disk *disk, uint64_t operation);
bool virtual_disk_is_crashed(const struct virtual_disk *disk);

/* The machine runs again, with what damage has left. Its stores must have been closed. */
void virtual_disk_restart(struct virtual_disk *disk, enum virtual_damage damage);

/* From the number-th operation of this kind on (counted from 1 with the next one) count of them
 * fail with an I/O error (UINT64_MAX: all). A write that fails has written a beginning, as long as
 * the seed decides. A sync of a file that fails has made durable what the seed decides, and
 * no later sync makes the rest so, as on Linux; the file goes on showing it. Names are a journal's
 * affair: whether a failed sync of the directory has made them durable the seed decides, and if
 * not, a later one does. A count of 0 ends it. */
void virtual_disk_fail(struct virtual_disk *disk, enum virtual_operation operation, uint64_t number,
                       uint64_t count);

/* How many bytes fit in all files together; UINT64_MAX, as at first: any number. */
void virtual_disk_set_room(struct virtual_disk *disk, uint64_t bytes);
uint64_t virtual_disk_used(const struct virtual_disk *disk);

/* Each operation of this kind takes so many milliseconds of virtual time from now on; what has been
 * taken since the last call is returned by virtual_disk_take_delay(). */
void virtual_disk_set_delay(struct virtual_disk *disk, enum virtual_operation operation,
                            uint32_t ms);
uint64_t virtual_disk_take_delay(struct virtual_disk *disk);

/* Whether a crash with damage LOST would now undo anything that was done to file name or its name
 * (or, with NULL, anything at all). It may say so of what was written over by the same. */
bool virtual_disk_is_unsynced(const struct virtual_disk *disk, const char *name);

/* How many operations have been counted so far. */
uint64_t virtual_disk_operations(const struct virtual_disk *disk);

/* What is on the disk now, as a person would copy it (durable_only: as a crash with damage LOST
 * would leave it). NULL when there is no memory. */
struct virtual_disk_image *virtual_disk_copy(const struct virtual_disk *disk, bool durable_only);
void virtual_disk_image_destroy(struct virtual_disk_image *image);

/* Sets the disk to an image, all of it durable; its stores must have been closed. Counts nothing
 * and ends no fault. Files of a name that is there stay the same files, as when a whole machine is
 * set back, which nothing on it can tell. False, and nothing changed, when there is no memory. */
bool virtual_disk_restore(struct virtual_disk *disk, const struct virtual_disk_image *image);

/* The same, but the file kept stays as it is, or away. */
bool virtual_disk_restore_but(struct virtual_disk *disk, const struct virtual_disk_image *image,
                              const char *kept);

/* The same as by a person who copies: every file is a new one. */
bool virtual_disk_copy_back(struct virtual_disk *disk, const struct virtual_disk_image *image);

/* Removes a file, as a person would; false if there is none. Counts nothing. */
bool virtual_disk_remove(struct virtual_disk *disk, const char *name);

/* Cuts a file off at size, durably, as a person would; false if it is no longer than that. Counts
 * nothing. */
bool virtual_disk_cut(struct virtual_disk *disk, const char *name, uint64_t size);

/* Flips a bit of file name; false if there is no such byte. */
bool virtual_disk_flip(struct virtual_disk *disk, const char *name, uint64_t offset, unsigned bit);

/* Size of a file; 0 if there is none. */
uint64_t virtual_disk_size(const struct virtual_disk *disk, const char *name);

/* A number that depends on all names and contents, and on which of it is durable. */
uint64_t virtual_disk_hash(const struct virtual_disk *disk);

void virtual_disk_stats(const struct virtual_disk *disk, struct virtual_disk_stats *ret_stats);

#endif
