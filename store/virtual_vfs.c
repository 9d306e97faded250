#include "store/virtual_vfs.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/virtual_operations.h"

enum {
    /* What SQLite's VFS for unix tells, so that SQLite does here what it does there. */
    SECTOR_SIZE = 4096,
    CHARACTERISTICS = SQLITE_IOCAP_POWERSAFE_OVERWRITE,
};

/* 1970, as SQLite counts: milliseconds since noon in Greenwich on November 24, 4714 B.C. */
static const sqlite3_int64 EPOCH_MS = INT64_C(210866760000000);

struct virtual_vfs {
    sqlite3_vfs base; /* First: it is what SQLite sees. */
    struct virtual_disk *disk;
    int last_error; /* An errno. */
    char name[32];
};

struct open_file {
    sqlite3_file base; /* First, likewise. */
    struct virtual_vfs *vfs;
    struct virtual_file *file;
    bool sync_directory; /* With the next sync: its name may be new. */
    bool delete_on_close;
    char name[VIRTUAL_NAME_SIZE];
};

/* Remembers number, and returns code unless there is something more exact to say. */
static int told(struct virtual_vfs *vfs, int number, int code)
{
    if (number == 0)
        return SQLITE_OK;
    vfs->last_error = number;
    if (number == ENOSPC)
        return SQLITE_FULL;
    return number == ENOMEM ? SQLITE_IOERR_NOMEM : code;
}

/* ---- Files. ---- */

static int file_close(sqlite3_file *base)
{
    struct open_file *file = (struct open_file *)base;

    virtual_close(file->vfs->disk, file->file);
    if (file->delete_on_close) /* A file that nobody else knows of: that it stays does no harm. */
        virtual_delete(file->vfs->disk, file->name);
    file->base.pMethods = NULL;
    return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *buffer, int size, sqlite3_int64 offset)
{
    struct open_file *file = (struct open_file *)base;
    bool crashed = virtual_disk_is_crashed(file->vfs->disk);
    uint64_t there = 0;
    int number =
        virtual_read(file->vfs->disk, file->file, (uint64_t)offset, buffer, (uint64_t)size, &there);

    /* A machine that is dead has no damaged sector. */
    if (number != 0)
        return told(file->vfs, number, crashed ? SQLITE_IOERR : SQLITE_IOERR_READ);
    if (there == (uint64_t)size)
        return SQLITE_OK;
    memset((uint8_t *)buffer + there, 0, (size_t)size - there);
    return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *base, const void *bytes, int size, sqlite3_int64 offset)
{
    struct open_file *file = (struct open_file *)base;
    int number =
        virtual_write(file->vfs->disk, file->file, (uint64_t)offset, bytes, (uint64_t)size);

    return told(file->vfs, number, SQLITE_IOERR_WRITE);
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct open_file *file = (struct open_file *)base;

    return told(file->vfs, virtual_truncate(file->vfs->disk, file->file, (uint64_t)size),
                SQLITE_IOERR_TRUNCATE);
}

static int file_sync(sqlite3_file *base, int flags)
{
    struct open_file *file = (struct open_file *)base;
    int code = told(file->vfs, virtual_sync(file->vfs->disk, file->file), SQLITE_IOERR_FSYNC);

    (void)flags;
    /* As on unix: once, and whether it succeeds is not asked. */
    if (code == SQLITE_OK && file->sync_directory) {
        virtual_sync_directory(file->vfs->disk);
        file->sync_directory = false;
    }
    return code;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *ret_size)
{
    struct open_file *file = (struct open_file *)base;

    if (virtual_disk_is_crashed(file->vfs->disk))
        return told(file->vfs, EIO, SQLITE_IOERR_FSTAT);
    *ret_size = (sqlite3_int64)file->file->shown.size;
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *base, int level)
{
    (void)base;
    (void)level;
    return SQLITE_OK;
}

static int file_check_reserved_lock(sqlite3_file *base, int *ret_locked)
{
    (void)base;
    *ret_locked = 0;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int operation, void *argument)
{
    (void)base;
    if (operation != SQLITE_FCNTL_MMAP_SIZE)
        return SQLITE_NOTFOUND;
    *(sqlite3_int64 *)argument = 0; /* Nothing is mapped. */
    return SQLITE_OK;
}

static int file_sector_size(sqlite3_file *base)
{
    (void)base;
    return SECTOR_SIZE;
}

static int file_characteristics(sqlite3_file *base)
{
    (void)base;
    return CHARACTERISTICS;
}

static const sqlite3_io_methods file_methods = {
    .iVersion = 1, /* No shared memory. */
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_lock,
    .xCheckReservedLock = file_check_reserved_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
};

/* ---- The VFS. ---- */

static struct virtual_vfs *vfs_of(sqlite3_vfs *base)
{
    return (struct virtual_vfs *)base->pAppData;
}

static int vfs_open(sqlite3_vfs *base, sqlite3_filename name, sqlite3_file *base_file, int flags,
                    int *ret_flags)
{
    enum { JOURNALS = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL };
    struct virtual_vfs *vfs = vfs_of(base);
    struct open_file *file = (struct open_file *)base_file;
    bool may_create = (flags & SQLITE_OPEN_CREATE) != 0;
    int number;

    file->base.pMethods = NULL;
    /* Files without a name are for what does not fit into memory; the store keeps that there. */
    if (name == NULL || strlen(name) >= VIRTUAL_NAME_SIZE)
        return told(vfs, ENAMETOOLONG, SQLITE_CANTOPEN);
    number = virtual_open(vfs->disk, name, may_create, &file->file);
    if (number != 0)
        return told(vfs, number, SQLITE_CANTOPEN);
    file->vfs = vfs;
    file->sync_directory = may_create && (flags & JOURNALS) != 0;
    file->delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    memcpy(file->name, name, strlen(name) + 1);
    file->base.pMethods = &file_methods;
    if (ret_flags != NULL)
        *ret_flags = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *base, const char *name, int sync_directory)
{
    struct virtual_vfs *vfs = vfs_of(base);
    int number = virtual_delete(vfs->disk, name);

    if (number == ENOENT)
        return told(vfs, number, SQLITE_IOERR_DELETE_NOENT);
    if (number != 0)
        return told(vfs, number, SQLITE_IOERR_DELETE);
    if ((sync_directory & 1) == 0)
        return SQLITE_OK;
    return told(vfs, virtual_sync_directory(vfs->disk), SQLITE_IOERR_DIR_FSYNC);
}

static int vfs_access(sqlite3_vfs *base, const char *name, int flags, int *ret_result)
{
    struct virtual_vfs *vfs = vfs_of(base);
    bool exists = false;
    uint64_t size = 0;
    int number = virtual_exists(vfs->disk, name, &exists, &size);

    if (number != 0)
        return told(vfs, number, SQLITE_IOERR_ACCESS);
    /* As on unix, an empty file does not exist: it is no journal. */
    *ret_result = exists && (flags != SQLITE_ACCESS_EXISTS || size > 0);
    return SQLITE_OK;
}

static int vfs_full_pathname(sqlite3_vfs *base, const char *name, int size, char *ret_name)
{
    if (strlen(name) >= (size_t)size)
        return told(vfs_of(base), ENAMETOOLONG, SQLITE_CANTOPEN);
    memcpy(ret_name, name, strlen(name) + 1);
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *base, int size, char *ret_text)
{
    (void)size;
    (void)ret_text;
    return vfs_of(base)->last_error;
}

/* ---- Time and lots, the same for every disk and every run. ---- */

static struct splitmix lots; /* SQLite's random numbers are the process's, and so is this. */

static int draw_bytes(sqlite3_vfs *base, int size, char *ret_bytes)
{
    (void)base;
    for (int i = 0; i < size; i++)
        ret_bytes[i] = (char)(splitmix_next(&lots) >> 56);
    return size;
}

static int sleep_not(sqlite3_vfs *base, int microseconds)
{
    (void)base;
    return microseconds;
}

static int tell_ms(sqlite3_vfs *base, sqlite3_int64 *ret_ms)
{
    (void)base;
    *ret_ms = EPOCH_MS;
    return SQLITE_OK;
}

void virtual_disk_install(uint64_t seed)
{
    static sqlite3_vfs drawing;
    int code = sqlite3_initialize();

    assert(code == SQLITE_OK);
    if (drawing.zName == NULL) {
        drawing = *sqlite3_vfs_find(NULL);
        drawing.pNext = NULL;
        drawing.zName = "gossip-drawing";
        drawing.xRandomness = draw_bytes;
    }
    /* Anew each time, as somebody may have registered another since. */
    code = sqlite3_vfs_register(&drawing, 1);
    assert(code == SQLITE_OK);
    lots.state = seed;
    sqlite3_randomness(0, NULL);
}

struct virtual_vfs *virtual_vfs_create(struct virtual_disk *disk)
{
    static uint64_t number; /* So that each has a name of its own; nothing else depends on it. */
    struct virtual_vfs *vfs = calloc(1, sizeof(*vfs));

    if (vfs == NULL)
        return NULL;
    snprintf(vfs->name, sizeof(vfs->name), "gossip-disk-%" PRIu64, ++number);
    vfs->disk = disk;
    vfs->base = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = sizeof(struct open_file),
        .mxPathname = VIRTUAL_NAME_SIZE - 1,
        .zName = vfs->name,
        .pAppData = vfs,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_pathname,
        .xRandomness = draw_bytes,
        .xSleep = sleep_not,
        .xGetLastError = vfs_last_error,
        .xCurrentTimeInt64 = tell_ms,
    };
    if (sqlite3_initialize() != SQLITE_OK || sqlite3_vfs_register(&vfs->base, 0) != SQLITE_OK) {
        free(vfs);
        return NULL;
    }
    return vfs;
}

void virtual_vfs_destroy(struct virtual_vfs *vfs)
{
    if (vfs == NULL)
        return;
    sqlite3_vfs_unregister(&vfs->base);
    free(vfs);
}

const char *virtual_vfs_name(const struct virtual_vfs *vfs)
{
    return vfs->name;
}
