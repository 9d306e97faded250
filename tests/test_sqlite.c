#include "store/sqlite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "gossip/gossip.h"
#include "store/schema.h"
#include "tests/scratch.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Faults: SQLite's own file system and memory, with something between. ---- */

enum operation {
    WRITE = 1,
    SYNC = 2,
    TRUNCATE = 4,
    REMOVE = 8,
    READ = 16,
    DATABASE_WRITE = 32, /* Of the database itself, as in a checkpoint; WRITE is of any other. */
    DATABASE_SYNC = 64,
    CHANGES = WRITE | SYNC | TRUNCATE | REMOVE | DATABASE_WRITE | DATABASE_SYNC,
};

static struct {
    sqlite3_vfs *real;
    unsigned operations; /* Which are counted. */
    unsigned count;
    unsigned fail_at; /* The first that fails; 0: none does. */
    unsigned failures;
    int code;
    bool sticky; /* All that follow fail, too. */
    bool kill;   /* It does not fail, the process dies ... */
    bool torn;   /* ... and a write has been done by half. */
} disk;

struct shim_file {
    sqlite3_file base;
    sqlite3_file *real;
    bool is_database;
};

static void arm(unsigned operations, unsigned fail_at, int code)
{
    disk.operations = operations;
    disk.count = 0;
    disk.fail_at = fail_at;
    disk.failures = 0;
    disk.code = code;
    disk.sticky = false;
    disk.kill = false;
    disk.torn = false;
}

static void disarm(void)
{
    arm(0, 0, SQLITE_OK);
}

static bool strikes(enum operation operation)
{
    if ((disk.operations & operation) == 0)
        return false;
    disk.count++;
    if (disk.fail_at == 0 || disk.count < disk.fail_at ||
        (disk.count > disk.fail_at && !disk.sticky))
        return false;
    disk.failures++;
    return true;
}

static int strike(enum operation operation)
{
    if (!strikes(operation))
        return SQLITE_OK;
    if (disk.kill)
        kill(getpid(), SIGKILL);
    return disk.code;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct shim_file *)file)->real;
}

static int shim_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int shim_read(sqlite3_file *file, void *data, int size, sqlite3_int64 offset)
{
    int code = strike(READ);

    return code != SQLITE_OK ? code
                             : real_of(file)->pMethods->xRead(real_of(file), data, size, offset);
}

static int shim_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
    if (strikes(((struct shim_file *)file)->is_database ? DATABASE_WRITE : WRITE)) {
        if (!disk.kill)
            return disk.code;
        if (disk.torn)
            real_of(file)->pMethods->xWrite(real_of(file), data, size / 2, offset);
        kill(getpid(), SIGKILL);
    }
    return real_of(file)->pMethods->xWrite(real_of(file), data, size, offset);
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int code = strike(TRUNCATE);

    return code != SQLITE_OK ? code : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int shim_sync(sqlite3_file *file, int flags)
{
    int code = strike(((struct shim_file *)file)->is_database ? DATABASE_SYNC : SYNC);

    return code != SQLITE_OK ? code : real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int shim_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), ret_size);
}

static int shim_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int shim_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int shim_check_lock(sqlite3_file *file, int *ret_reserved)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret_reserved);
}

static int shim_control(sqlite3_file *file, int operation, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

static int shim_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int shim_characteristics(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

/* Version 1: no shared memory. So it shows, too, that the store is exclusive before it has a WAL.
 */
static const sqlite3_io_methods shim_methods = {
    .iVersion = 1,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_check_lock,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector,
    .xDeviceCharacteristics = shim_characteristics,
};

static int shim_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                     int *ret_flags)
{
    struct shim_file *shim = (struct shim_file *)file;
    int code;

    (void)vfs;
    shim->base.pMethods = NULL;
    shim->real = (sqlite3_file *)(shim + 1);
    shim->is_database = (flags & SQLITE_OPEN_MAIN_DB) != 0;
    code = disk.real->xOpen(disk.real, name, shim->real, flags, ret_flags);
    if (code == SQLITE_OK)
        shim->base.pMethods = &shim_methods;
    return code;
}

static int shim_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    int code = strike(REMOVE);

    (void)vfs;
    return code != SQLITE_OK ? code : disk.real->xDelete(disk.real, name, sync);
}

static struct {
    sqlite3_mem_methods real;
    unsigned count;
    unsigned fail_at; /* 0: none. */
    bool sticky;
    int size; /* Only allocations of this size; 0: any. */
    unsigned failures;
} memory;

static bool memory_fails(int size)
{
    if (memory.size != 0 && size != memory.size)
        return false;
    memory.count++;
    if (memory.fail_at == 0 || memory.count < memory.fail_at ||
        (memory.count > memory.fail_at && !memory.sticky))
        return false;
    memory.failures++;
    return true;
}

static void *shim_malloc(int size)
{
    return memory_fails(size) ? NULL : memory.real.xMalloc(size);
}

static void *shim_realloc(void *old, int size)
{
    return memory_fails(size) ? NULL : memory.real.xRealloc(old, size);
}

static void limit_memory(unsigned fail_at, bool sticky)
{
    memory.count = 0;
    memory.fail_at = fail_at;
    memory.sticky = sticky;
    memory.size = 0;
    memory.failures = 0;
}

/* Must come before the first use of SQLite. */
static void install_faults(void)
{
    static sqlite3_vfs shim;
    static sqlite3_mem_methods methods;

    assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory.real), SQLITE_OK);
    methods = memory.real;
    methods.xMalloc = shim_malloc;
    methods.xRealloc = shim_realloc;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods), SQLITE_OK);
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
    assert_int_equal(sqlite3_initialize(), SQLITE_OK);
    disk.real = sqlite3_vfs_find(NULL);
    shim = *disk.real;
    shim.zName = "shim";
    shim.szOsFile = (int)sizeof(struct shim_file) + disk.real->szOsFile;
    shim.xOpen = shim_open;
    shim.xDelete = shim_delete;
    assert_int_equal(sqlite3_vfs_register(&shim, 1), SQLITE_OK);
}

/* ---- A directory for each test. ---- */

struct place {
    char directory[64];
    char path[96];
    char explanation[512];
};

static int setup(void **state)
{
    static struct place place;

    disarm();
    limit_memory(0, false);
    assert_true(scratch_directory("sqlite", place.directory, sizeof(place.directory)));
    snprintf(place.path, sizeof(place.path), "%s/store.db", place.directory);
    place.explanation[0] = '\0';
    *state = &place;
    return 0;
}

static const char *beside(const struct place *place, const char *ending)
{
    static char paths[4][128];
    static unsigned next;
    char *path = paths[next++ % COUNT(paths)];

    snprintf(path, sizeof(paths[0]), "%s%s", place->path, ending);
    return path;
}

static void remove_files(const struct place *place)
{
    DIR *directory = opendir(place->directory);
    struct dirent *entry;

    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        char path[512];

        snprintf(path, sizeof(path), "%s/%s", place->directory, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            assert_int_equal(remove(path), 0);
    }
    closedir(directory);
}

static int teardown(void **state)
{
    struct place *place = *state;

    disarm();
    limit_memory(0, false);
    remove_files(place);
    return rmdir(place->directory);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static off_t size_of(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 ? status.st_size : -1;
}

static int try_open(struct place *place, enum gossip_sqlite_mode mode,
                    struct gossip_store **ret_store)
{
    place->explanation[0] = '\0';
    return gossip_sqlite_open(place->path, mode, place->explanation, sizeof(place->explanation),
                              ret_store);
}

static struct gossip_store *open_store(struct place *place, enum gossip_sqlite_mode mode)
{
    struct gossip_store *store = NULL;
    int error = try_open(place, mode, &store);

    if (error < 0)
        print_message("%d: %s\n", error, place->explanation);
    assert_int_equal(error, GOSSIP_OK);
    return store;
}

static void close_store(struct gossip_store *store)
{
    store->ops->close(store);
}

/* An event of author 0, and its clock. */
static void make_event(uint64_t number, struct gossip_record ret_records[2])
{
    static const uint8_t seal[GOSSIP_SIGNATURE_SIZE] = {0x5e};
    static uint8_t body[200];

    memset(body, (int)number & 0xff, sizeof(body));
    ret_records[0] = (struct gossip_record){.kind = GOSSIP_RECORD_EVENT,
                                            .as.event = {.delivery = number,
                                                         .seq = number,
                                                         .body = body,
                                                         .body_size = sizeof(body),
                                                         .seal = seal}};
    ret_records[1] =
        (struct gossip_record){.kind = GOSSIP_RECORD_AUTHOR, .as.author = {.have = number}};
}

static int save_event(struct gossip_store *store, uint64_t number)
{
    struct gossip_record records[2];

    make_event(number, records);
    return store->ops->save(store, records, 2);
}

struct tally {
    uint64_t events;
    uint64_t have;
    uint64_t others;
};

static int tally_visit(void *context, const struct gossip_record *record)
{
    struct tally *tally = context;

    if (record->kind == GOSSIP_RECORD_EVENT) {
        tally->events++;
        assert_true(record->as.event.seq == tally->events);
    } else if (record->kind == GOSSIP_RECORD_AUTHOR) {
        tally->have = record->as.author.have;
    } else {
        tally->others++;
    }
    return 0;
}

/* How many events there are, which is what the clock says, too. */
static uint64_t count_events(struct gossip_store *store)
{
    struct tally tally = {0};

    assert_int_equal(store->ops->load(store, tally_visit, &tally), 0);
    assert_int_equal(store->ops->follow(store, 0, tally_visit, &tally), 0);
    assert_true(tally.events == tally.have);
    return tally.events;
}

/* ---- Settings, schema, size. ---- */

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    char *message = NULL;

    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix"),
                     SQLITE_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

/* The first value, as text. */
static void assert_sql(const char *path, const char *sql, const char *expected)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    const char *found;

    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "unix"), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    found = (const char *)sqlite3_column_text(statement, 0);
    assert_string_equal(found == NULL ? "NULL" : found, expected);
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

/* After a clean close one file holds everything, and a person can read it. */
static void test_file_is_readable(void **state)
{
    static const uint8_t ipv4[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
    struct place *place = *state;
    struct gossip_store *store = open_store(place, GOSSIP_SQLITE_CREATE);
    struct gossip_record records[4];
    struct stat status;

    make_event(1, records);
    memset(records[1].as.author.id, 0xab, GOSSIP_ID_SIZE);
    records[2] =
        (struct gossip_record){.kind = GOSSIP_RECORD_PEER, .as.peer = {.address.port = 7000}};
    memcpy(records[2].as.peer.address.ip, ipv4, sizeof(ipv4));
    records[3] = records[2];
    memset(records[3].as.peer.key, 1, GOSSIP_KEY_SIZE);
    memset(records[3].as.peer.address.ip, 0, 16);
    records[3].as.peer.address.ip[15] = 1;
    assert_int_equal(store->ops->save(store, records, COUNT(records)), GOSSIP_OK);
    assert_int_equal(stat(place->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(stat(beside(place, "-wal"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_false(exists(beside(place, "-shm"))); /* Exclusive. */
    close_store(store);
    assert_false(exists(beside(place, "-wal")));
    assert_true(exists(beside(place, ".lock")));

    assert_sql(place->path, "PRAGMA application_id", "1735618609");
    assert_sql(place->path, "PRAGMA user_version", "3");
    assert_sql(place->path, "PRAGMA journal_mode", "wal");
    assert_sql(place->path, "PRAGMA integrity_check", "ok");
    assert_sql(place->path, "SELECT author || ' ' || have FROM clock",
               "abababababababababababababababab 1");
    assert_sql(place->path, "SELECT author || ' ' || seq || ' ' || size || ' ' || sealed FROM log",
               "abababababababababababababababab 1 200 1");
    assert_sql(place->path, "SELECT group_concat(address, ' ') FROM peers",
               "192.0.2.1:7000 [::1]:7000");
    assert_sql(place->path,
               "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND sql "
               "NOT LIKE '% -- %'",
               "0"); /* Each table explains itself ... */
    assert_sql(place->path,
               "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE "
               "'%STRICT%'",
               "0");
}

/* synchronous=FULL: the log is synced before a save returns. */
static void test_every_save_is_synced(void **state)
{
    struct gossip_store *store = open_store(*state, GOSSIP_SQLITE_CREATE);

    for (uint64_t i = 1; i <= 20; i++) {
        arm(SYNC, 0, SQLITE_OK);
        assert_int_equal(save_event(store, i), GOSSIP_OK);
        assert_true(disk.count >= 1);
    }
    disarm();
    close_store(store);
}

static void test_total_changes(void **state)
{
    struct gossip_store *store = open_store(*state, GOSSIP_SQLITE_CREATE);
    struct gossip_record records[2];
    uint64_t before = sqlite_store_total_changes(store);

    make_event(1, records);
    assert_int_equal(store->ops->save(store, records, 2), GOSSIP_OK);
    assert_true(sqlite_store_total_changes(store) == before + 2);
    arm(CHANGES, 0, SQLITE_OK);
    assert_int_equal(store->ops->save(store, records, 1), GOSSIP_OK);
    assert_int_equal(store->ops->save(store, NULL, 0), GOSSIP_OK);
    assert_true(count_events(store) == 1);
    assert_true(sqlite_store_total_changes(store) == before + 2);
    assert_int_equal(disk.count, 0); /* What is there already costs nothing. */
    close_store(store);
}

/* The log is copied into the database as it grows, and starts anew. */
static void test_log_is_bounded(void **state)
{
    struct place *place = *state;
    struct gossip_store *store = open_store(place, GOSSIP_SQLITE_CREATE);
    uint64_t greatest = 0;

    for (uint64_t i = 1; i <= 3000; i++) {
        assert_int_equal(save_event(store, i), GOSSIP_OK);
        if (sqlite_store_wal_pages(store) > greatest)
            greatest = sqlite_store_wal_pages(store);
    }
    assert_in_range(greatest, 1000, 1010);
    assert_in_range(size_of(beside(place, "-wal")), 1, 1100 * SCHEMA_PAGE_SIZE);
    assert_true(count_events(store) == 3000);
    close_store(store);
}

/* What an event of 200 bytes with a seal takes on the disk, all in all. */
static void test_size_of_an_event(void **state)
{
    enum { EVENTS = 20000, AUTHORS = 5, BATCH = 100 };
    struct place *place = *state;
    struct gossip_store *store = open_store(place, GOSSIP_SQLITE_CREATE);
    uint64_t seqs[AUTHORS] = {0};
    off_t empty = size_of(place->path);
    off_t size;

    for (uint64_t i = 0; i < EVENTS; i += BATCH) {
        struct gossip_record records[BATCH][2];

        for (uint64_t j = 0; j < BATCH; j++) {
            uint32_t author = (uint32_t)((i + j) * 7919 % 31 % AUTHORS);

            make_event(i + j + 1, records[j]);
            records[j][0].as.event.author = author;
            records[j][0].as.event.seq = ++seqs[author];
            records[j][1].as.author.number = author;
        }
        assert_int_equal(store->ops->save(store, records[0], 2 * BATCH), GOSSIP_OK);
    }
    close_store(store);
    size = size_of(place->path) - empty;
    print_message("%.1f bytes an event\n", (double)size / EVENTS);
    assert_true(size < 360 * EVENTS);
}

/* ---- One process at a time. ---- */

/* Does work in a child, which exits with what it returns, 0 to 255. */
static int in_child(int work(struct place *place), struct place *place)
{
    pid_t child;
    int status;

    fflush(NULL);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(work(place));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Runs one of the verbs below in a process that shares nothing with this one. A child alone would
 * inherit what SQLite remembers of its locks. */
static int in_process(const char *verb, struct place *place)
{
    pid_t child;
    int status;

    fflush(NULL);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execl("/proc/self/exe", "test_sqlite", verb, place->path, (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Opens and closes the store; its error, or 100 where the holder is not named. */
static int open_in_process(struct place *place)
{
    struct gossip_store *store;
    int error = try_open(place, GOSSIP_SQLITE_OPEN, &store);

    if (error == GOSSIP_OK)
        store->ops->close(store);
    if (error == GOSSIP_ERR_LOCKED) {
        char pid[32];

        snprintf(pid, sizeof(pid), "process %ld:", (long)getppid());
        if (strstr(place->explanation, pid) == NULL)
            return 100;
    }
    return -error;
}

/* Reads the database as any program would; SQLite's code. */
static int query_in_process(struct place *place)
{
    sqlite3 *db;
    int code = sqlite3_open_v2(place->path, &db, SQLITE_OPEN_READWRITE, "unix");

    if (code == SQLITE_OK)
        code = sqlite3_exec(db, "SELECT count(*) FROM events", NULL, NULL, NULL);
    sqlite3_close(db);
    return code & 0xff;
}

static void test_second_process_is_refused(void **state)
{
    struct place *place = *state;
    struct gossip_store *store = open_store(place, GOSSIP_SQLITE_CREATE);
    struct gossip_store *second;
    int descriptor;

    assert_int_equal(in_process("open", place), -GOSSIP_ERR_LOCKED);
    assert_int_equal(in_process("query", place), SQLITE_BUSY);
    assert_int_equal(try_open(place, GOSSIP_SQLITE_OPEN, &second), GOSSIP_ERR_LOCKED);
    assert_int_equal(try_open(place, GOSSIP_SQLITE_CREATE, &second), GOSSIP_ERR_EXISTS);
    /* None of these attempts has taken SQLite's locks away. */
    assert_int_equal(in_process("query", place), SQLITE_BUSY);
    assert_int_equal(save_event(store, 1), GOSSIP_OK);

    /* This takes SQLite's locks from this process; the lock file's stays. */
    descriptor = open(place->path, O_RDONLY);
    assert_true(descriptor >= 0);
    close(descriptor);
    assert_int_not_equal(in_process("query", place), SQLITE_BUSY);
    assert_int_equal(in_process("open", place), -GOSSIP_ERR_LOCKED);
    assert_int_equal(save_event(store, 2), GOSSIP_OK);

    close_store(store);
    assert_int_equal(in_process("open", place), 0);
    store = open_store(place, GOSSIP_SQLITE_OPEN);
    assert_true(count_events(store) == 2);
    close_store(store);
}

/* A second name for the file, or a lock file that somebody removed, is no way in. */
static void test_lock_cannot_be_bypassed(void **state)
{
    struct place *place = *state;
    struct place other = *place;
    struct gossip_store *store = open_store(place, GOSSIP_SQLITE_CREATE);
    struct gossip_store *second;

    snprintf(other.path, sizeof(other.path), "%s/link.db", place->directory);
    assert_int_equal(symlink(place->path, other.path), 0);
    assert_int_equal(try_open(&other, GOSSIP_SQLITE_OPEN, &second), GOSSIP_ERR_LOCKED);
    assert_int_equal(in_process("open", &other), -GOSSIP_ERR_LOCKED);
    assert_int_equal(unlink(other.path), 0);
    assert_int_equal(link(place->path, other.path), 0);
    assert_int_equal(try_open(&other, GOSSIP_SQLITE_OPEN, &second), GOSSIP_ERR_LOCKED);
    assert_non_null(strstr(other.explanation, "another process"));
    assert_int_equal(unlink(beside(place, ".lock")), 0);
    assert_int_equal(try_open(place, GOSSIP_SQLITE_OPEN, &second), GOSSIP_ERR_LOCKED);
    assert_int_equal(save_event(store, 1), GOSSIP_OK);
    close_store(store);
    store = open_store(&other, GOSSIP_SQLITE_OPEN);
    assert_true(count_events(store) == 1);
    close_store(store);
}

static int die_with_store(struct place *place)
{
    struct gossip_store *store;

    if (try_open(place, GOSSIP_SQLITE_OPEN, &store) == GOSSIP_OK &&
        save_event(store, 1) == GOSSIP_OK)
        return 0; /* _exit() closes nothing. */
    return 1;
}

static void test_lock_dies_with_its_holder(void **state)
{
    struct place *place = *state;
    struct gossip_store *store = open_store(place, GOSSIP_SQLITE_CREATE);

    close_store(store);
    assert_int_equal(in_child(die_with_store, place), 0);
    assert_true(size_of(beside(place, "-wal")) > 0);
    store = open_store(place, GOSSIP_SQLITE_OPEN);
    assert_true(count_events(store) == 1);
    close_store(store);
}

/* ---- What is refused, and left as it is. ---- */

/* Everything in the directory but the lock file, as one number. */
static uint64_t fingerprint(const struct place *place)
{
    static const char *const endings[] = {"", "-wal", "-journal", "-shm", ".creating", ".lock"};
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i + 1 < COUNT(endings); i++) {
        FILE *file = fopen(beside(place, endings[i]), "r");
        int byte;

        hash = (hash ^ (uint64_t)(file != NULL)) * UINT64_C(0x100000001b3);
        while (file != NULL && (byte = fgetc(file)) != EOF)
            hash = (hash ^ (uint64_t)byte) * UINT64_C(0x100000001b3);
        if (file != NULL)
            fclose(file);
    }
    return hash;
}

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Opening fails with error, says expected, and changes no file. */
static void assert_refused(struct place *place, int error, const char *expected)
{
    uint64_t before = fingerprint(place);
    struct gossip_store *store = NULL;
    int found = try_open(place, GOSSIP_SQLITE_OPEN, &store);

    if (found != error || strstr(place->explanation, expected) == NULL)
        fail_msg("%d \"%s\" instead of %d \"%s\"", found, place->explanation, error, expected);
    assert_null(store);
    assert_non_null(strstr(place->explanation, "store.db")); /* Where. */
    assert_null(strchr(place->explanation, '\n'));
    assert_true(fingerprint(place) == before);
}

static void test_files_that_are_no_store(void **state)
{
    struct place *place = *state;
    char garbage[8192];

    assert_refused(place, GOSSIP_ERR_NOT_FOUND, "there is no store");
    assert_int_equal(mkdir(place->path, 0700), 0);
    assert_refused(place, GOSSIP_ERR_FOREIGN, "not a regular file");
    assert_int_equal(rmdir(place->path), 0);
    write_file(place->path, "", 0);
    assert_refused(place, GOSSIP_ERR_DAMAGED, "is empty");
    write_file(place->path, "root:x:0:0", 10);
    assert_refused(place, GOSSIP_ERR_FOREIGN, "not an SQLite database");
    memset(garbage, 'g', sizeof(garbage));
    write_file(place->path, garbage, sizeof(garbage));
    assert_refused(place, GOSSIP_ERR_FOREIGN, "not an SQLite database");
    assert_int_equal(unlink(place->path), 0);
    run_sql(place->path, "PRAGMA journal_mode = WAL; CREATE TABLE t (x)");
    assert_refused(place, GOSSIP_ERR_FOREIGN, "another program");
    /* Where nothing is ours, nothing of ours is left. */
    assert_false(exists(beside(place, ".lock")));
    snprintf(place->path, sizeof(place->path), "%s/missing/store.db", place->directory);
    assert_refused(place, GOSSIP_ERR_NOT_FOUND, "there is no store");
}

static void test_databases_that_are_not_as_made(void **state)
{
    static const struct {
        const char *sql;
        int error;
        const char *explanation;
    } cases[] = {
        {"PRAGMA user_version = 4", GOSSIP_ERR_FOREIGN, "newer version"},
        {"PRAGMA user_version = 0", GOSSIP_ERR_DAMAGED, "no version"},
        {"PRAGMA application_id = 7", GOSSIP_ERR_FOREIGN, "another program"},
        {"CREATE TABLE extra (x)", GOSSIP_ERR_FOREIGN, "table extra"},
        {"CREATE TABLE \"ex\ntra\" (x)", GOSSIP_ERR_FOREIGN, "table ex?tra"},
        {"CREATE INDEX extra ON events (body)", GOSSIP_ERR_FOREIGN, "index extra"},
        {"CREATE VIEW extra AS SELECT 1", GOSSIP_ERR_FOREIGN, "view extra"},
        {"CREATE TRIGGER extra AFTER INSERT ON events BEGIN DELETE FROM events; END",
         GOSSIP_ERR_FOREIGN, "trigger extra"},
        {"DROP VIEW clock", GOSSIP_ERR_DAMAGED, "missing"},
        {"DROP TABLE peers", GOSSIP_ERR_DAMAGED, "missing"},
        {"DROP INDEX events_by_author", GOSSIP_ERR_DAMAGED, "missing"},
        {"DROP VIEW clock; CREATE VIEW clock AS SELECT 1", GOSSIP_ERR_DAMAGED, "view clock"},
        {"DROP VIEW clock; CREATE TABLE clock (x)", GOSSIP_ERR_DAMAGED, "table clock"},
        {"ALTER TABLE events ADD COLUMN x ANY", GOSSIP_ERR_DAMAGED, "table events"},
        {"PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE events (x' "
         "WHERE name = 'events'",
         GOSSIP_ERR_DAMAGED, "malformed"},
    };
    struct place *place = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        close_store(open_store(place, GOSSIP_SQLITE_CREATE));
        run_sql(place->path, cases[i].sql);
        assert_refused(place, cases[i].error, cases[i].explanation);
        remove_files(place);
    }
}

/* What the shell may do to a database without harm. */
static void test_databases_that_were_tidied(void **state)
{
    static const char *const cases[] = {"ANALYZE", "VACUUM", "PRAGMA journal_mode = DELETE",
                                        "REINDEX", "PRAGMA auto_vacuum = FULL; VACUUM"};
    struct place *place = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct gossip_store *store = open_store(place, GOSSIP_SQLITE_CREATE);

        assert_int_equal(save_event(store, 1), GOSSIP_OK);
        close_store(store);
        run_sql(place->path, cases[i]);
        store = open_store(place, GOSSIP_SQLITE_OPEN);
        assert_int_equal(save_event(store, 2), GOSSIP_OK);
        assert_true(count_events(store) == 2);
        close_store(store);
        assert_sql(place->path, "PRAGMA journal_mode", "wal");
        remove_files(place);
    }
}

static void test_files_that_were_cut_off(void **state)
{
    static const off_t sizes[] = {1, 50, 99, 100, 511, 512, 1000, 4096, 8192, 12288};
    struct place *place = *state;

    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct gossip_store *store = open_store(place, GOSSIP_SQLITE_CREATE);
        int error;

        assert_int_equal(save_event(store, 1), GOSSIP_OK);
        close_store(store);
        assert_int_equal(truncate(place->path, sizes[i]), 0);
        error = try_open(place, GOSSIP_SQLITE_OPEN, &store);
        if (error == GOSSIP_OK) { /* The loss shows where it is read. */
            struct tally tally = {0};

            error = store->ops->load(store, tally_visit, &tally);
            if (error == GOSSIP_OK)
                error = store->ops->follow(store, 0, tally_visit, &tally);
            if (error == GOSSIP_ERR_DAMAGED)
                assert_int_equal(save_event(store, 2), GOSSIP_ERR_DAMAGED);
            close_store(store);
        }
        assert_true(error == GOSSIP_ERR_DAMAGED || error == GOSSIP_ERR_FOREIGN);
        remove_files(place);
    }
}

/* A rollback journal is never ours; SQLite would play it back over the store. */
static void test_stray_journal_is_refused(void **state)
{
    struct place *place = *state;

    close_store(open_store(place, GOSSIP_SQLITE_CREATE));
    write_file(beside(place, "-journal"), "journal", 7);
    assert_refused(place, GOSSIP_ERR_DAMAGED, "move it away");
}

/* A store that is refused keeps its log, too. */
static void test_refusal_leaves_the_log(void **state)
{
    struct place *place = *state;

    close_store(open_store(place, GOSSIP_SQLITE_CREATE));
    run_sql(place->path, "CREATE TRIGGER extra AFTER INSERT ON events BEGIN SELECT 1; END");
    {
        char copy[128];
        sqlite3 *db;

        /* A log that was not copied into the database, as after a crash. */
        assert_int_equal(sqlite3_open_v2(place->path, &db, SQLITE_OPEN_READWRITE, "unix"),
                         SQLITE_OK);
        sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        assert_int_equal(sqlite3_exec(db, "INSERT INTO meta VALUES ('m', 1)", NULL, NULL, NULL),
                         SQLITE_OK);
        snprintf(copy, sizeof(copy), "%s-shm", place->path);
        sqlite3_close(db);
        unlink(copy);
    }
    assert_true(size_of(beside(place, "-wal")) > 0);
    assert_refused(place, GOSSIP_ERR_FOREIGN, "trigger extra");
    assert_true(size_of(beside(place, "-wal")) > 0);
}

static void test_creating(void **state)
{
    struct place *place = *state;
    struct gossip_store *store;

    write_file(place->path, "mine", 4);
    assert_int_equal(try_open(place, GOSSIP_SQLITE_CREATE, &store), GOSSIP_ERR_EXISTS);
    assert_non_null(strstr(place->explanation, "exists already"));
    assert_int_equal(size_of(place->path), 4);
    assert_int_equal(unlink(place->path), 0);

    /* SQLite would take this for the new file's log. */
    write_file(beside(place, "-wal"), "old", 3);
    assert_int_equal(try_open(place, GOSSIP_SQLITE_CREATE, &store), GOSSIP_ERR_EXISTS);
    assert_non_null(strstr(place->explanation, "-wal"));
    assert_false(exists(place->path));
    assert_int_equal(unlink(beside(place, "-wal")), 0);

    /* As a crash leaves it. */
    write_file(beside(place, ".creating"), "half", 4);
    write_file(beside(place, ".creating-wal"), "half", 4);
    close_store(open_store(place, GOSSIP_SQLITE_CREATE));
    assert_false(exists(beside(place, ".creating")));
    assert_false(exists(beside(place, ".creating-wal")));
    assert_int_equal(try_open(place, GOSSIP_SQLITE_CREATE, &store), GOSSIP_ERR_EXISTS);

    snprintf(place->path, sizeof(place->path), "%s/missing/store.db", place->directory);
    assert_int_equal(try_open(place, GOSSIP_SQLITE_CREATE, &store), GOSSIP_ERR_NOT_FOUND);
    assert_true(strlen(place->explanation) > 0);
    assert_int_equal(
        gossip_sqlite_open(place->path, GOSSIP_SQLITE_CREATE, place->explanation, 4, &store),
        GOSSIP_ERR_NOT_FOUND);
    assert_int_equal(strlen(place->explanation), 3);
    assert_int_equal(gossip_sqlite_open(place->path, GOSSIP_SQLITE_CREATE, NULL, 0, &store),
                     GOSSIP_ERR_NOT_FOUND);
}

enum { CANNOT_RUN = 200 };

/* As a user who may read the file and not write it. */
static int open_as_nobody(struct place *place)
{
    if (setgid(65534) < 0 || setuid(65534) < 0)
        return CANNOT_RUN;
    return open_in_process(place);
}

static void test_file_that_may_not_be_written(void **state)
{
    struct place *place = *state;
    uint64_t before;
    int result;

    close_store(open_store(place, GOSSIP_SQLITE_CREATE));
    assert_int_equal(chmod(place->directory, 0755), 0);
    before = fingerprint(place);
    if (geteuid() != 0) {
        assert_int_equal(chmod(place->path, 0400), 0);
        assert_int_equal(in_process("open", place), -GOSSIP_ERR_PERMISSION);
        return;
    }
    result = in_child(open_as_nobody, place);
    if (result == CANNOT_RUN) {
        print_message("cannot become another user here\n");
        skip();
    }
    assert_int_equal(result, -GOSSIP_ERR_PERMISSION); /* It may not even read. */
    assert_int_equal(chmod(place->path, 0644), 0);
    assert_int_equal(chmod(beside(place, ".lock"), 0666), 0);
    assert_int_equal(in_child(open_as_nobody, place), -GOSSIP_ERR_PERMISSION);
    assert_int_equal(chmod(place->directory, 0777), 0);
    assert_int_equal(in_child(open_as_nobody, place), -GOSSIP_ERR_PERMISSION);
    assert_true(fingerprint(place) == before);
}

/* ---- Disks that fail. ---- */

/* A full disk at each write of a save: nothing has changed, and with room it goes on. */
static void test_full_disk(void **state)
{
    struct place *place = *state;
    struct gossip_store *store = open_store(place, GOSSIP_SQLITE_CREATE);
    uint64_t events = 0;
    unsigned failures = 0;

    for (unsigned place_of_failure = 1;; place_of_failure++) {
        int error;

        arm(WRITE, place_of_failure, SQLITE_FULL);
        disk.sticky = true;
        error = save_event(store, events + 1);
        if (error == GOSSIP_OK)
            break;
        assert_int_equal(error, GOSSIP_ERR_FULL);
        assert_non_null(strstr(store->ops->explain(store), "make room"));
        assert_int_equal(save_event(store, events + 1), GOSSIP_ERR_FULL);
        assert_true(count_events(store) == events);
        disarm();
        assert_true(count_events(store) == events);
        assert_int_equal(save_event(store, ++events), GOSSIP_OK);
        assert_true(count_events(store) == events);
        failures++;
    }
    events++;
    disarm();
    assert_in_range(failures, 3, 1000);
    close_store(store);
    store = open_store(place, GOSSIP_SQLITE_OPEN);
    assert_true(count_events(store) == events);
    close_store(store);
}

/* On a failed write or sync the outcome is unknown: nothing more is written, and the file tells. */
static void test_failed_writes_stop_the_store(void **state)
{
    static const struct {
        enum operation operation;
        int code;
    } cases[] = {{WRITE, SQLITE_IOERR_WRITE}, {SYNC, SQLITE_IOERR_FSYNC}};
    struct place *place = *state;
    struct gossip_store *store = open_store(place, GOSSIP_SQLITE_CREATE);
    uint64_t events = 0;
    unsigned came_back = 0;
    unsigned stayed_away = 0;

    for (size_t i = 0; i < COUNT(cases); i++) {
        for (unsigned place_of_failure = 1;; place_of_failure++) {
            uint64_t found;
            int error;

            arm(cases[i].operation, place_of_failure, cases[i].code);
            error = save_event(store, events + 1);
            if (disk.failures == 0) {
                assert_int_equal(error, GOSSIP_OK);
                disarm();
                events++;
                break;
            }
            assert_int_equal(error, GOSSIP_ERR_IO);
            assert_non_null(strstr(store->ops->explain(store), "unknown"));
            assert_int_equal(save_event(store, events + 1), GOSSIP_ERR_IO);
            assert_int_equal(store->ops->save(store, NULL, 0), GOSSIP_ERR_IO);
            assert_int_equal(disk.failures, 1); /* The disk was not asked again. */
            disarm();
            close_store(store);
            store = open_store(place, GOSSIP_SQLITE_OPEN);
            found = count_events(store);
            assert_in_range(found, events, events + 1);
            came_back += found > events;
            stayed_away += found == events;
            events = found;
        }
    }
    /* Both happen, which is why nobody may guess. */
    assert_true(came_back > 0);
    assert_true(stayed_away > 0);
    close_store(store);
}

/* Fills the log up to where the next save makes a checkpoint; returns how many events there are. */
static uint64_t fill_log(struct gossip_store *store)
{
    uint64_t events = 0;

    while (sqlite_store_wal_pages(store) < 990)
        assert_int_equal(save_event(store, ++events), GOSSIP_OK);
    return events;
}

/* A checkpoint that finds no room does no harm. */
static void test_full_disk_at_checkpoint(void **state)
{
    struct place *place = *state;
    struct gossip_store *store = open_store(place, GOSSIP_SQLITE_CREATE);
    uint64_t events = fill_log(store);

    while (sqlite_store_wal_pages(store) < 1000) {
        arm(DATABASE_WRITE, 1, SQLITE_FULL);
        disk.sticky = true;
        assert_int_equal(save_event(store, ++events), GOSSIP_OK);
    }
    assert_true(disk.failures > 0);
    disarm();
    assert_true(count_events(store) == events);
    while (sqlite_store_wal_pages(store) >= 1000)
        assert_int_equal(save_event(store, ++events), GOSSIP_OK); /* Tried again in time. */
    assert_true(count_events(store) == events);
    close_store(store);
}

/* One that fails otherwise stops the store; what was saved is there. */
static void test_failed_checkpoint_stops_the_store(void **state)
{
    struct place *place = *state;
    struct gossip_store *store = open_store(place, GOSSIP_SQLITE_CREATE);
    uint64_t events = fill_log(store);
    int error = GOSSIP_OK;

    while (error == GOSSIP_OK) {
        assert_true(events < 2000);
        arm(DATABASE_SYNC, 1, SQLITE_IOERR_FSYNC);
        error = save_event(store, ++events);
    }
    assert_int_equal(error, GOSSIP_ERR_IO);
    assert_non_null(strstr(store->ops->explain(store), "what was stored is safe"));
    disarm();
    assert_int_equal(save_event(store, events + 1), GOSSIP_ERR_IO);
    close_store(store);
    store = open_store(place, GOSSIP_SQLITE_OPEN);
    assert_true(count_events(store) == events);
    close_store(store);
}

static int add_visit(void *context, const struct gossip_record *record)
{
    (void)record;
    (*(uint64_t *)context)++;
    return 0;
}

/* Shows all there is; the first error. */
static int read_all(struct gossip_store *store, uint64_t *shown)
{
    int error = store->ops->load(store, add_visit, shown);

    if (error == GOSSIP_OK)
        error = store->ops->follow(store, 0, add_visit, shown);
    return error == GOSSIP_OK ? store->ops->read(store, 0, 0, UINT64_MAX, add_visit, shown) : error;
}

/* A page that cannot be read is damage: nothing is written after it. */
static void test_failed_reads(void **state)
{
    struct place *place = *state;
    struct gossip_store *store = open_store(place, GOSSIP_SQLITE_CREATE);
    unsigned failures = 0;

    for (uint64_t i = 1; i <= 100; i++)
        assert_int_equal(save_event(store, i), GOSSIP_OK);
    close_store(store);
    for (unsigned place_of_failure = 1;; place_of_failure++) {
        uint64_t shown = 0;
        int error;

        store = NULL;
        arm(READ, place_of_failure, SQLITE_IOERR_READ);
        error = try_open(place, GOSSIP_SQLITE_OPEN, &store);
        if (error == GOSSIP_OK)
            error = store->ops->follow(store, 0, add_visit, &shown);
        if (error == GOSSIP_OK) {
            assert_int_equal(disk.failures, 0);
            assert_true(shown == 100);
            close_store(store);
            break;
        }
        assert_int_equal(error, GOSSIP_ERR_DAMAGED);
        failures++;
        disarm();
        if (store == NULL) {
            assert_true(strlen(place->explanation) > 0);
            continue;
        }
        assert_non_null(strstr(store->ops->explain(store), "recover"));
        assert_int_equal(save_event(store, 101), GOSSIP_ERR_DAMAGED);
        close_store(store);
    }
    assert_true(failures > 10);
}

/* Whichever allocation of SQLite fails: nothing has changed, or the store says that it does not
 * know and stops. It never says that nothing has changed when something has. */
static void test_no_memory_to_save(void **state)
{
    struct place *place = *state;
    struct gossip_store *store = open_store(place, GOSSIP_SQLITE_CREATE);
    uint64_t events = 0;
    unsigned refused = 0;

    for (int sticky = 0; sticky < 2; sticky++) {
        for (unsigned place_of_failure = 1;; place_of_failure++) {
            uint64_t found;
            int error;

            /* Cold: all that a save may need has to be allocated. */
            close_store(store);
            store = open_store(place, GOSSIP_SQLITE_OPEN);
            limit_memory(place_of_failure, sticky != 0);
            error = save_event(store, events + 1);
            if (memory.failures == 0) {
                assert_int_equal(error, GOSSIP_OK);
                limit_memory(0, false);
                events++;
                break;
            }
            limit_memory(0, false);
            if (error == GOSSIP_OK) {
                events++; /* SQLite could do without. */
            } else if (error == GOSSIP_ERR_NOMEM) {
                assert_non_null(strstr(store->ops->explain(store), "nothing was changed"));
                assert_true(count_events(store) == events);
                assert_int_equal(save_event(store, ++events), GOSSIP_OK);
                refused++;
            } else {
                assert_int_equal(error, GOSSIP_ERR_IO);
                assert_int_equal(save_event(store, events + 1), GOSSIP_ERR_IO);
                close_store(store);
                store = open_store(place, GOSSIP_SQLITE_OPEN);
                found = count_events(store);
                assert_in_range(found, events, events + 1);
                events = found;
            }
            assert_true(count_events(store) == events);
        }
    }
    assert_true(refused > 0);
    close_store(store);
}

/* SQLite's index of the log is in pages of 32 KiB, one for some 4,000 pages of the log. The second
 * is wanted when a large commit has been written and synced: it is there after a restart. */
static void test_no_memory_after_the_commit(void **state)
{
    enum { EVENTS = 17, INDEX_PAGE = 32768 };
    struct place *place = *state;
    struct gossip_store *store = open_store(place, GOSSIP_SQLITE_CREATE);
    struct gossip_record records[2 * EVENTS];
    uint8_t *body = calloc(1, GOSSIP_BODY_MAX);

    assert_non_null(body);
    for (uint64_t i = 0; i < EVENTS; i++) {
        make_event(i + 1, &records[2 * i]);
        records[2 * i].as.event.body = body;
        records[2 * i].as.event.body_size = GOSSIP_BODY_MAX;
    }
    limit_memory(1, false);
    memory.size = INDEX_PAGE;
    assert_int_equal(store->ops->save(store, records, COUNT(records)), GOSSIP_ERR_IO);
    assert_int_equal(memory.failures, 1);
    limit_memory(0, false);
    assert_non_null(strstr(store->ops->explain(store), "unknown"));
    assert_int_equal(save_event(store, 1), GOSSIP_ERR_IO);
    close_store(store);
    store = open_store(place, GOSSIP_SQLITE_OPEN);
    assert_true(count_events(store) == EVENTS);
    close_store(store);
    free(body);
}

static void test_no_memory_to_open_or_read(void **state)
{
    static const enum gossip_sqlite_mode modes[] = {GOSSIP_SQLITE_CREATE, GOSSIP_SQLITE_OPEN};
    struct place *place = *state;
    struct gossip_store *store;
    uint8_t *body = calloc(1, 100000);
    char *name = calloc(1, 20001);
    struct gossip_record records[] = {
        {.kind = GOSSIP_RECORD_EVENT,
         .as.event = {.delivery = 1, .seq = 1, .body = body, .body_size = 100000}},
        {.kind = GOSSIP_RECORD_META, .as.meta = {.name = name, .bytes = body, .size = 20000}},
        {.kind = GOSSIP_RECORD_PEER},
        {.kind = GOSSIP_RECORD_SIGNED, .as.signed_record = {.bytes = body, .size = 20000}},
    };

    assert_non_null(body);
    assert_non_null(name);
    memset(name, 'n', 20000);
    for (size_t i = 0; i < COUNT(modes); i++) {
        for (unsigned place_of_failure = 1;; place_of_failure += 1 + place_of_failure / 100) {
            int error;

            limit_memory(place_of_failure, false);
            error = try_open(place, modes[i], &store);
            if (error == GOSSIP_OK && memory.failures == 0)
                break;
            limit_memory(0, false);
            if (error == GOSSIP_OK) {
                close_store(store);
                if (modes[i] == GOSSIP_SQLITE_CREATE)
                    remove_files(place);
                continue;
            }
            if (error != GOSSIP_ERR_NOMEM)
                fail_msg("%d: %s", error, place->explanation);
            assert_string_equal(place->explanation, "out of memory");
            assert_true(exists(place->path) == (modes[i] == GOSSIP_SQLITE_OPEN));
        }
        limit_memory(0, false);
        if (modes[i] == GOSSIP_SQLITE_CREATE)
            assert_int_equal(store->ops->save(store, records, COUNT(records)), GOSSIP_OK);
        close_store(store);
    }
    for (unsigned place_of_failure = 1;; place_of_failure += 1 + place_of_failure / 100) {
        uint64_t shown = 0;
        int error;

        store = open_store(place, GOSSIP_SQLITE_OPEN);
        limit_memory(place_of_failure, false);
        error = read_all(store, &shown);
        if (memory.failures == 0) {
            assert_int_equal(error, GOSSIP_OK);
            assert_true(shown == COUNT(records) + 1);
            close_store(store);
            break;
        }
        limit_memory(0, false);
        if (error != GOSSIP_OK)
            assert_int_equal(error, GOSSIP_ERR_NOMEM);
        assert_int_equal(store->ops->save(store, records, COUNT(records)), GOSSIP_OK);
        close_store(store);
    }
    free(body);
    free(name);
}

/* A real full file system: what is there can be read, and with room it goes on. */
static int fill_file_system(struct place *place)
{
    struct gossip_store *store;
    char ballast[128];
    uint64_t events = 0;
    int descriptor;
    int error;

    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", place->directory, "tmpfs", 0, "size=512k") < 0)
        return CANNOT_RUN;
    snprintf(ballast, sizeof(ballast), "%s/ballast", place->directory);
    descriptor = open(ballast, O_WRONLY | O_CREAT, 0600);
    if (descriptor < 0 || posix_fallocate(descriptor, 0, 256 * 1024) != 0)
        return 1;
    close(descriptor);
    if (try_open(place, GOSSIP_SQLITE_CREATE, &store) != GOSSIP_OK)
        return 2;
    while ((error = save_event(store, events + 1)) == GOSSIP_OK)
        if (++events > 10000)
            return 3;
    if (error != GOSSIP_ERR_FULL || count_events(store) != events)
        return 4;
    if (save_event(store, events + 1) != GOSSIP_ERR_FULL)
        return 5;
    /* A store on a full disk can be closed and opened, to be read. */
    store->ops->close(store);
    if (try_open(place, GOSSIP_SQLITE_OPEN, &store) != GOSSIP_OK || count_events(store) != events)
        return 6;
    if (unlink(ballast) < 0)
        return 7;
    for (int i = 0; i < 15; i++)
        if (save_event(store, ++events) != GOSSIP_OK)
            return 8;
    store->ops->close(store);
    if (try_open(place, GOSSIP_SQLITE_OPEN, &store) != GOSSIP_OK || count_events(store) != events)
        return 9;
    store->ops->close(store);
    /* And the same file, read-only. */
    if (mount(NULL, place->directory, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
        return CANNOT_RUN;
    return try_open(place, GOSSIP_SQLITE_OPEN, &store) == GOSSIP_ERR_PERMISSION ? 0 : 10;
}

static void test_full_file_system(void **state)
{
    struct place *place = *state;
    int result = in_child(fill_file_system, place);

    if (result == CANNOT_RUN) {
        print_message("cannot mount here\n");
        skip();
    }
    assert_int_equal(result, 0);
}

/* A limit on the size of files is no full disk to SQLite: the store stops, and the file tells. */
static int reach_file_limit(struct place *place)
{
    struct rlimit limit = {100000, 100000};
    struct gossip_store *store;
    uint64_t events = 0;
    int error;

    signal(SIGXFSZ, SIG_IGN);
    if (try_open(place, GOSSIP_SQLITE_CREATE, &store) != GOSSIP_OK)
        return 1;
    if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
        return CANNOT_RUN;
    while ((error = save_event(store, events + 1)) == GOSSIP_OK)
        if (++events > 10000)
            return 2;
    return error == GOSSIP_ERR_IO && save_event(store, events + 1) == GOSSIP_ERR_IO ? 0 : 3;
}

static void test_file_limit(void **state)
{
    struct place *place = *state;

    assert_int_equal(in_child(reach_file_limit, place), 0);
    close_store(open_store(place, GOSSIP_SQLITE_OPEN));
}

/* ---- Death at any moment. ---- */

enum { CRASH_EVENTS = 8 };

/* Makes a store if there is none, saves events until there are CRASH_EVENTS, and closes it; tells
 * through descriptor of each save that has returned. */
static void live(struct place *place, int descriptor)
{
    struct gossip_store *store;
    struct tally tally = {0};
    int error = try_open(place, GOSSIP_SQLITE_OPEN, &store);

    if (error == GOSSIP_ERR_NOT_FOUND)
        error = try_open(place, GOSSIP_SQLITE_CREATE, &store);
    if (error != GOSSIP_OK || store->ops->follow(store, 0, tally_visit, &tally) != 0)
        _exit(1);
    while (tally.events < CRASH_EVENTS) {
        if (save_event(store, ++tally.events) != GOSSIP_OK ||
            write(descriptor, "", 1) != 1) /* One byte an event. */
            _exit(2);
    }
    store->ops->close(store);
    _exit(0);
}

/* Runs live() until it is killed at a change of a file; returns whether it was, and how many saves
 * it told of. */
static bool live_and_die(struct place *place, unsigned kill_at, bool torn, uint64_t *ret_saves)
{
    int pipes[2];
    char bytes[CRASH_EVENTS];
    ssize_t size;
    pid_t child;
    int status;

    assert_int_equal(pipe(pipes), 0);
    fflush(NULL);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(pipes[0]);
        arm(torn ? WRITE | DATABASE_WRITE : CHANGES, kill_at, SQLITE_OK);
        disk.kill = true;
        disk.torn = torn;
        live(place, pipes[1]);
    }
    close(pipes[1]);
    *ret_saves = 0;
    while ((size = read(pipes[0], bytes, sizeof(bytes))) > 0)
        *ret_saves += (uint64_t)size;
    close(pipes[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return true;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

/* Killed at each change of a file, at making, saving and closing: what was acknowledged is there,
 * and nothing but, perhaps, the one save that was not. */
static void test_death_at_any_change(void **state)
{
    struct place *place = *state;
    unsigned deaths = 0;

    for (int torn = 0; torn < 2; torn++) {
        bool died = true;

        for (unsigned kill_at = 1; died; kill_at++) {
            struct gossip_store *store;
            uint64_t saves;
            uint64_t found = 0;
            int error;

            died = live_and_die(place, kill_at, torn != 0, &saves);
            deaths += died;
            error = try_open(place, GOSSIP_SQLITE_OPEN, &store);
            if (error == GOSSIP_OK) {
                found = count_events(store);
                close_store(store);
                assert_sql(place->path, "PRAGMA integrity_check", "ok");
            } else {
                assert_int_equal(error, GOSSIP_ERR_NOT_FOUND); /* Not yet made; never by half. */
                assert_true(died && saves == 0);
            }
            assert_in_range(found, saves, saves + 1);
            if (!died)
                assert_true(found == CRASH_EVENTS);
            /* And it can go on from there. */
            store =
                open_store(place, error == GOSSIP_OK ? GOSSIP_SQLITE_OPEN : GOSSIP_SQLITE_CREATE);
            assert_int_equal(save_event(store, found + 1), GOSSIP_OK);
            assert_true(count_events(store) == found + 1);
            close_store(store);
            remove_files(place);
        }
    }
    print_message("killed %u times\n", deaths);
    assert_true(deaths > 100);
}

/* ---- Files that were tampered with. ---- */

static void test_damaged_rows(void **state)
{
    static const char *const cases[] = {
        "UPDATE meta SET value = 'text'",
        "UPDATE meta SET value = 1.5",
        "UPDATE meta SET value = -1",
        "UPDATE meta SET name = 'a' || char(0) || 'b'",
        "UPDATE authors SET id = x'00'",
        "UPDATE authors SET key = zeroblob(33)",
        "UPDATE authors SET epoch = zeroblob(0)",
        "UPDATE authors SET head_hash = x''",
        "UPDATE authors SET mentions_hash = zeroblob(31)",
        "UPDATE authors SET number = -1",
        "UPDATE authors SET number = 4294967296",
        "UPDATE authors SET have = -1",
        "UPDATE mentions SET author = -1",
        "UPDATE mentions SET position = 0",
        "UPDATE mentions SET mentioned = 4294967296",
        "UPDATE records SET id = zeroblob(31)",
        "UPDATE records SET type = 256",
        "UPDATE peers SET key = zeroblob(31)",
        "UPDATE peers SET address = 'example.org:80'",
        "UPDATE peers SET address = '192.0.2.1'",
        "UPDATE peers SET address = '192.0.2.1:65536'",
        "UPDATE peers SET address = '192.0.2.1:'",
        "UPDATE peers SET address = '192.0.2.1:+1'",
        "UPDATE peers SET address = '[::1:80'",
        "UPDATE peers SET address = '[::1]'",
        "UPDATE peers SET address = '[::g]:80'",
        "UPDATE peers SET address = ':80'",
        "UPDATE peers SET address = ''",
        "UPDATE peers SET address = printf('%.*c', 200, '1') || ':80'",
        "UPDATE events SET author = -1",
        "UPDATE events SET seq = 0",
        "UPDATE events SET seq = -5",
        "UPDATE events SET hash_seal = zeroblob(0)",
        "UPDATE events SET hash_seal = zeroblob(33)",
        "UPDATE events SET hash_seal = zeroblob(95)",
        "UPDATE events SET hash_seal = zeroblob(97)",
    };
    struct place *place = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct gossip_store *store = open_store(place, GOSSIP_SQLITE_CREATE);
        struct gossip_record records[6];
        uint64_t shown = 0;

        make_event(1, records);
        records[2] = (struct gossip_record){.kind = GOSSIP_RECORD_META, .as.meta = {.name = "m"}};
        records[3] =
            (struct gossip_record){.kind = GOSSIP_RECORD_MENTION, .as.mention = {.index = 1}};
        records[4] =
            (struct gossip_record){.kind = GOSSIP_RECORD_SIGNED,
                                   .as.signed_record = {.bytes = (const uint8_t *)"x", .size = 1}};
        records[5] = (struct gossip_record){.kind = GOSSIP_RECORD_PEER};
        assert_int_equal(store->ops->save(store, records, COUNT(records)), GOSSIP_OK);
        assert_int_equal(read_all(store, &shown), GOSSIP_OK);
        assert_true(shown == 7);
        close_store(store);
        run_sql(place->path, cases[i]);
        store = open_store(place, GOSSIP_SQLITE_OPEN);
        if (read_all(store, &shown) != GOSSIP_ERR_DAMAGED)
            fail_msg("not noticed: %s", cases[i]);
        assert_non_null(strstr(store->ops->explain(store), "a row of table"));
        assert_int_equal(save_event(store, 2), GOSSIP_ERR_DAMAGED);
        close_store(store);
        remove_files(place);
    }
}

static int count_damaged(void *context, const struct gossip_record *record)
{
    unsigned *counts = context;

    counts[record->as.event.is_damaged]++;
    return 0;
}

/* An event that is another than was saved, in whatever part, is shown as damaged, and the others as
 * they are; and nothing more is saved. */
static void test_events_that_are_not_as_they_were_saved(void **state)
{
    static const char *const cases[] = {
        "UPDATE events SET body = CAST(body || x'00' AS BLOB) WHERE delivery = 2",
        "UPDATE events SET body = CAST(substr(body, 2) AS BLOB) WHERE delivery = 2",
        "UPDATE events SET hash_seal = zeroblob(length(hash_seal)) WHERE delivery = 2",
        "UPDATE events SET hash_seal = zeroblob(128 - length(hash_seal)) WHERE delivery = 2",
        "UPDATE events SET author = author + 1 WHERE delivery = 2",
        "UPDATE events SET seq = seq + 8 WHERE delivery = 2",
        "UPDATE events SET delivery = 9 WHERE delivery = 2",
        "UPDATE events SET checksum = checksum + 1 WHERE delivery = 2",
        "INSERT OR REPLACE INTO contexts VALUES (2, x'0102', 1)",
    };
    struct place *place = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct gossip_store *store = open_store(place, GOSSIP_SQLITE_CREATE);
        unsigned counts[2] = {0};

        for (uint64_t j = 1; j <= 3; j++)
            assert_int_equal(save_event(store, j), GOSSIP_OK);
        close_store(store);
        run_sql(place->path, cases[i]);
        store = open_store(place, GOSSIP_SQLITE_OPEN);
        if (store->ops->follow(store, 0, count_damaged, counts) != 0)
            fail_msg("%s: %s", cases[i], store->ops->explain(store));
        if (counts[false] != 2 || counts[true] != 1)
            fail_msg("%s: %u damaged, %u not", cases[i], counts[true], counts[false]);
        assert_non_null(strstr(store->ops->explain(store), "is not as it was written"));
        assert_int_equal(save_event(store, 4), GOSSIP_ERR_DAMAGED);
        close_store(store);
        remove_files(place);
    }
}

static void count_line(void *context, const char *line)
{
    unsigned *count = context;

    if (strstr(line, "context of an event that is not there: ") != NULL)
        ++*count;
}

/* A log that ends early over a database into which half of it was copied: the context of an event
 * that is gone is never taken for that of the next one. */
static void test_contexts_without_events(void **state)
{
    struct place *place = *state;
    struct gossip_store *store = open_store(place, GOSSIP_SQLITE_CREATE);
    unsigned lines = 0;

    assert_int_equal(save_event(store, 1), GOSSIP_OK);
    assert_int_equal(save_event(store, 2), GOSSIP_OK);
    close_store(store);
    run_sql(place->path, "INSERT INTO contexts VALUES (0, x'', 0)");
    store = open_store(place, GOSSIP_SQLITE_OPEN);
    assert_int_equal(gossip_sqlite_check(store, count_line, &lines), GOSSIP_ERR_DAMAGED);
    assert_int_equal(lines, 1);
    close_store(store);
    run_sql(place->path, "UPDATE contexts SET delivery = 3");
    assert_int_equal(try_open(place, GOSSIP_SQLITE_OPEN, &store), GOSSIP_ERR_DAMAGED);
    assert_non_null(strstr(place->explanation, "a row of table contexts is of an event that is "
                                               "not there"));
    run_sql(place->path, "UPDATE contexts SET delivery = 2");
    store = open_store(place, GOSSIP_SQLITE_OPEN);
    assert_int_equal(gossip_sqlite_check(store, count_line, &lines), GOSSIP_OK);
    close_store(store);
}

/* Whatever byte of the file is wrong, nothing crashes, and what is found wrong is called that. */
static void test_wrong_bytes(void **state)
{
    enum { STRIDE = 29 };
    struct place *place = *state;
    struct gossip_store *store = open_store(place, GOSSIP_SQLITE_CREATE);
    unsigned found = 0;
    off_t size;

    for (uint64_t i = 1; i <= 10; i++)
        assert_int_equal(save_event(store, i), GOSSIP_OK);
    close_store(store);
    size = size_of(place->path);
    for (off_t offset = 0; offset < size; offset += STRIDE) {
        int file = open(place->path, O_RDWR);
        uint8_t byte;
        uint8_t wrong;
        uint64_t shown = 0;
        int error;

        assert_true(file >= 0);
        assert_int_equal(pread(file, &byte, 1, offset), 1);
        wrong = byte ^ (uint8_t)(1 << (offset % 8));
        assert_int_equal(pwrite(file, &wrong, 1, offset), 1);
        error = try_open(place, GOSSIP_SQLITE_OPEN, &store);
        if (error == GOSSIP_OK) {
            error = read_all(store, &shown);
            close_store(store);
        }
        if (error != GOSSIP_OK) {
            assert_true(error == GOSSIP_ERR_DAMAGED || error == GOSSIP_ERR_FOREIGN);
            found++;
        }
        assert_int_equal(pwrite(file, &byte, 1, offset), 1);
        close(file);
    }
    assert_true(found > 20);
    store = open_store(place, GOSSIP_SQLITE_OPEN);
    assert_true(count_events(store) == 10);
    close_store(store);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        TEST(test_file_is_readable),
        TEST(test_every_save_is_synced),
        TEST(test_total_changes),
        TEST(test_log_is_bounded),
        TEST(test_size_of_an_event),
        TEST(test_second_process_is_refused),
        TEST(test_lock_cannot_be_bypassed),
        TEST(test_lock_dies_with_its_holder),
        TEST(test_files_that_are_no_store),
        TEST(test_databases_that_are_not_as_made),
        TEST(test_databases_that_were_tidied),
        TEST(test_files_that_were_cut_off),
        TEST(test_stray_journal_is_refused),
        TEST(test_refusal_leaves_the_log),
        TEST(test_creating),
        TEST(test_file_that_may_not_be_written),
        TEST(test_full_disk),
        TEST(test_failed_writes_stop_the_store),
        TEST(test_full_disk_at_checkpoint),
        TEST(test_failed_checkpoint_stops_the_store),
        TEST(test_failed_reads),
        TEST(test_no_memory_to_save),
        TEST(test_no_memory_after_the_commit),
        TEST(test_no_memory_to_open_or_read),
        TEST(test_full_file_system),
        TEST(test_file_limit),
        TEST(test_death_at_any_change),
        TEST(test_damaged_rows),
        TEST(test_events_that_are_not_as_they_were_saved),
        TEST(test_contexts_without_events),
        TEST(test_wrong_bytes),
    };

    install_faults();
    if (count == 3) {
        struct place place;

        snprintf(place.path, sizeof(place.path), "%s", arguments[2]);
        return strcmp(arguments[1], "open") == 0 ? open_in_process(&place)
                                                 : query_in_process(&place);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
