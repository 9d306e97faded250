#include "store/virtual_operations.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/gossip.h"

enum fate {
    GOES_ON,
    FAILS,
    DIES, /* The machine does, over this operation, */
    DEAD, /* or has before. */
};

/* Counts an operation and tells what becomes of it. */
static enum fate begin(struct virtual_disk *disk, enum virtual_operation operation)
{
    struct virtual_failure *failure = &disk->failures[operation];

    if (disk->crashed)
        return DEAD;
    if (operation != VIRTUAL_READ && ++disk->operations == disk->crash_at) {
        disk->crashed = true;
        return DIES;
    }
    disk->stats.operations[operation]++;
    disk->delay += disk->delays[operation];
    if (failure->skip > 0) {
        failure->skip--;
        return GOES_ON;
    }
    if (failure->count == 0)
        return GOES_ON;
    if (failure->count != UINT64_MAX)
        failure->count--;
    disk->stats.failed[operation]++;
    return FAILS;
}

static bool is_room_for(struct virtual_disk *disk, const struct virtual_file *file, uint64_t size)
{
    uint64_t used;

    if (disk->room == UINT64_MAX || size <= file->shown.size)
        return true;
    used = virtual_files_used(&disk->files);
    if (used <= disk->room && size - file->shown.size <= disk->room - used)
        return true;
    disk->stats.full++;
    return false;
}

int virtual_open(struct virtual_disk *disk, const char *name, bool may_create,
                 struct virtual_file **ret_file)
{
    struct virtual_file *file;
    int number;

    if (disk->crashed)
        return EIO;
    file = virtual_files_find(&disk->files, name);
    if (file == NULL) {
        if (!may_create)
            return ENOENT;
        if (begin(disk, VIRTUAL_CREATE) != GOES_ON)
            return EIO;
        number = virtual_files_create(&disk->files, name, &file);
        if (number != 0)
            return number;
    }
    virtual_files_open(file);
    *ret_file = file;
    return 0;
}

void virtual_close(struct virtual_disk *disk, struct virtual_file *file)
{
    virtual_files_close(&disk->files, file);
}

int virtual_read(struct virtual_disk *disk, const struct virtual_file *file, uint64_t offset,
                 uint8_t *ret_bytes, uint64_t size, uint64_t *ret_size)
{
    uint64_t there = offset < file->shown.size ? file->shown.size - offset : 0;

    if (begin(disk, VIRTUAL_READ) != GOES_ON)
        return EIO;
    if (there > size)
        there = size;
    if (there > 0)
        memcpy(ret_bytes, file->shown.bytes + offset, there);
    *ret_size = there;
    return 0;
}

int virtual_write(struct virtual_disk *disk, struct virtual_file *file, uint64_t offset,
                  const uint8_t *bytes, uint64_t size)
{
    switch (begin(disk, VIRTUAL_WRITE)) {
    case GOES_ON:
        if (!is_room_for(disk, file, offset + size))
            return ENOSPC;
        return virtual_files_write(&disk->files, file, offset, bytes, size);
    case FAILS:
        size = splitmix_between(&disk->lots, 0, size);
        if (is_room_for(disk, file, offset + size))
            virtual_files_write(&disk->files, file, offset, bytes, size);
        return EIO;
    case DIES:
        virtual_files_note_dying_write(&disk->files, file, offset, bytes, size);
        return EIO;
    case DEAD:
        return EIO;
    }
    return EIO;
}

int virtual_truncate(struct virtual_disk *disk, struct virtual_file *file, uint64_t size)
{
    if (begin(disk, VIRTUAL_TRUNCATE) != GOES_ON)
        return EIO;
    if (!is_room_for(disk, file, size))
        return ENOSPC;
    return virtual_files_truncate(&disk->files, file, size);
}

static int sync_one(struct virtual_disk *disk, struct virtual_file *file)
{
    switch (begin(disk, VIRTUAL_SYNC)) {
    case GOES_ON:
        virtual_files_sync(&disk->files, file);
        return 0;
    case FAILS:
        virtual_files_sync_badly(&disk->files, file, &disk->lots);
        return EIO;
    case DIES:
    case DEAD:
        return EIO;
    }
    return EIO;
}

int virtual_sync(struct virtual_disk *disk, struct virtual_file *file)
{
    assert(file != NULL);
    return sync_one(disk, file);
}

int virtual_sync_directory(struct virtual_disk *disk)
{
    return sync_one(disk, NULL);
}

int virtual_delete(struct virtual_disk *disk, const char *name)
{
    if (disk->crashed)
        return EIO;
    if (virtual_files_find(&disk->files, name) == NULL)
        return ENOENT;
    if (begin(disk, VIRTUAL_DELETE) != GOES_ON)
        return EIO;
    return virtual_files_delete(&disk->files, name);
}

int virtual_exists(const struct virtual_disk *disk, const char *name, bool *ret_exists,
                   uint64_t *ret_size)
{
    const struct virtual_file *file;

    if (disk->crashed)
        return EIO;
    file = virtual_files_find(&disk->files, name);
    *ret_exists = file != NULL;
    *ret_size = file == NULL ? 0 : file->shown.size;
    return 0;
}

/* ---- The table of file operations. ---- */

static struct virtual_disk *disk_of(struct file_system *system)
{
    return (struct virtual_disk *)system;
}

static int explained(int number, struct explanation *explanation, const char *path,
                     const char *doing)
{
    if (number == 0)
        return GOSSIP_OK;
    explanation_set(explanation, "%s: cannot %s: %s", path, doing, strerror(number));
    return file_error(number);
}

static int table_resolve(struct file_system *system, const char *path, char **ret_path,
                         struct explanation *explanation)
{
    bool exists = false;
    uint64_t size;
    int number = virtual_exists(disk_of(system), path, &exists, &size);
    char *copy;

    if (number == 0 && !exists)
        number = ENOENT;
    if (number != 0)
        return explained(number, explanation, path, "open it");
    copy = strdup(path);
    if (copy == NULL)
        return GOSSIP_ERR_NOMEM;
    *ret_path = copy;
    return GOSSIP_OK;
}

static int table_examine(struct file_system *system, const char *path, enum file_kind *ret_kind,
                         uint64_t *ret_size, struct explanation *explanation)
{
    bool exists;
    int number = virtual_exists(disk_of(system), path, &exists, ret_size);

    if (number == 0)
        *ret_kind = exists ? FILE_REGULAR : FILE_MISSING;
    return explained(number, explanation, path, "look at it");
}

static int table_make(struct file_system *system, const char *path, struct explanation *explanation)
{
    struct virtual_disk *disk = disk_of(system);
    struct virtual_file *file;
    int number;

    if (!disk->crashed && virtual_files_find(&disk->files, path) != NULL)
        return explained(EEXIST, explanation, path, "make it");
    number = virtual_open(disk, path, true, &file);
    if (number == 0)
        virtual_close(disk, file);
    return explained(number, explanation, path, "make it");
}

static int table_remove(struct file_system *system, const char *path,
                        struct explanation *explanation)
{
    int number = virtual_delete(disk_of(system), path);

    return explained(number == ENOENT ? 0 : number, explanation, path, "remove it");
}

static int table_rename(struct file_system *system, const char *from, const char *to,
                        struct explanation *explanation)
{
    struct virtual_disk *disk = disk_of(system);
    int number;

    if (!disk->crashed && virtual_files_find(&disk->files, from) == NULL)
        return explained(ENOENT, explanation, from, "rename it");
    if (begin(disk, VIRTUAL_RENAME) == GOES_ON)
        number = virtual_files_rename(&disk->files, from, to);
    else
        number = EIO;
    return explained(number, explanation, from, "rename it");
}

static int table_sync_directory(struct file_system *system, const char *path,
                                struct explanation *explanation)
{
    return explained(virtual_sync_directory(disk_of(system)), explanation, path,
                     "make its names durable");
}

static int table_identify(struct file_system *system, const char *path,
                          struct file_identity *ret_identity, struct explanation *explanation)
{
    struct virtual_disk *disk = disk_of(system);
    const struct virtual_file *file = virtual_files_find(&disk->files, path);
    struct file_identity identity = {0};

    if (disk->crashed || file == NULL)
        return explained(disk->crashed ? EIO : ENOENT, explanation, path, "look at it");
    identity.inode = file->inode;
    snprintf(identity.machine, sizeof(identity.machine), "virtual %" PRIu64, disk->machine);
    *ret_identity = identity;
    return GOSSIP_OK;
}

static int table_read(struct file_system *system, const char *path, uint8_t *buffer,
                      size_t capacity, size_t *ret_size, struct explanation *explanation)
{
    struct virtual_disk *disk = disk_of(system);
    struct virtual_file *file;
    uint64_t size = 0;
    int number = virtual_open(disk, path, false, &file);

    if (number == 0) {
        number = virtual_read(disk, file, 0, buffer, capacity, &size);
        virtual_close(disk, file);
    }
    if (number == 0)
        *ret_size = (size_t)size;
    return explained(number, explanation, path, "read it");
}

static int write_file(struct virtual_disk *disk, const char *path, const uint8_t *bytes,
                      size_t size, bool anew)
{
    struct virtual_file *file;
    int number = virtual_open(disk, path, true, &file);

    if (number != 0)
        return number;
    if (anew && file->shown.size > 0)
        number = virtual_truncate(disk, file, 0);
    if (number == 0)
        number = virtual_write(disk, file, 0, bytes, size);
    if (number == 0 && anew)
        number = virtual_sync(disk, file);
    virtual_close(disk, file);
    return number;
}

static int table_write(struct file_system *system, const char *path, const uint8_t *bytes,
                       size_t size, struct explanation *explanation)
{
    return explained(write_file(disk_of(system), path, bytes, size, true), explanation, path,
                     "write it");
}

static int table_replace(struct file_system *system, const char *path, const uint8_t *bytes,
                         size_t size, struct explanation *explanation)
{
    struct virtual_disk *disk = disk_of(system);
    char *temporary = file_beside(path, ".new");
    int number;
    int error;

    if (temporary == NULL)
        return GOSSIP_ERR_NOMEM;
    number = write_file(disk, temporary, bytes, size, true);
    error = explained(number, explanation, temporary, "write it");
    if (error == GOSSIP_OK)
        error = table_rename(system, temporary, path, explanation);
    else
        virtual_delete(disk, temporary); /* If it stays, the next attempt uses it. */
    if (error == GOSSIP_OK)
        error = table_sync_directory(system, path, explanation);
    free(temporary);
    return error;
}

static int table_overwrite(struct file_system *system, const char *path, const uint8_t *bytes,
                           size_t size, struct explanation *explanation)
{
    return explained(write_file(disk_of(system), path, bytes, size, false), explanation, path,
                     "write to it");
}

static int table_lock(struct file_system *system, const char *path, const char *what, int *ret_lock,
                      struct explanation *explanation)
{
    struct virtual_disk *disk = disk_of(system);
    int lock = -1;

    if (disk->crashed)
        return explained(EIO, explanation, path, "open the lock file");
    for (int i = 0; i < VIRTUAL_LOCKS_MAX; i++) {
        if (strcmp(disk->locks[i], path) == 0) {
            explanation_set(explanation, "%s is in use by another store: end that one first", what);
            return GOSSIP_ERR_LOCKED;
        }
        if (disk->locks[i][0] == '\0')
            lock = i;
    }
    assert(lock >= 0 && strlen(path) < VIRTUAL_NAME_SIZE);
    memcpy(disk->locks[lock], path, strlen(path) + 1);
    *ret_lock = lock;
    return GOSSIP_OK;
}

static void table_unlock(struct file_system *system, int lock)
{
    disk_of(system)->locks[lock][0] = '\0';
}

const struct file_system_ops virtual_operations = {
    .resolve = table_resolve,
    .examine = table_examine,
    .make = table_make,
    .remove = table_remove,
    .rename = table_rename,
    .sync_directory = table_sync_directory,
    .identify = table_identify,
    .read = table_read,
    .write = table_write,
    .replace = table_replace,
    .overwrite = table_overwrite,
    .lock = table_lock,
    .unlock = table_unlock,
};
