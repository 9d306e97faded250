#include "store/virtual_disk.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/gossip.h"
#include "store/virtual_operations.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { SEEDS = 400, SECTOR = VIRTUAL_SECTOR_SIZE };

/* ---- Hands. ---- */

static struct virtual_disk *make(uint64_t seed)
{
    struct virtual_disk *disk = virtual_disk_create(seed);

    assert_non_null(disk);
    return disk;
}

/* Writes size bytes of one value; 0 or an errno, as all of these. */
static int fill(struct virtual_disk *disk, const char *name, uint64_t offset, int value,
                uint64_t size)
{
    uint8_t *bytes = malloc(size);
    struct virtual_file *file;
    int number = virtual_open(disk, name, true, &file);

    assert_non_null(bytes);
    memset(bytes, value, size);
    if (number == 0) {
        number = virtual_write(disk, file, offset, bytes, size);
        virtual_close(disk, file);
    }
    free(bytes);
    return number;
}

static int sync_file(struct virtual_disk *disk, const char *name)
{
    struct virtual_file *file;
    int number = virtual_open(disk, name, false, &file);

    if (number == 0) {
        number = virtual_sync(disk, file);
        virtual_close(disk, file);
    }
    return number;
}

static int cut(struct virtual_disk *disk, const char *name, uint64_t size)
{
    struct virtual_file *file;
    int number = virtual_open(disk, name, false, &file);

    if (number == 0) {
        number = virtual_truncate(disk, file, size);
        virtual_close(disk, file);
    }
    return number;
}

static int rename_file(struct virtual_disk *disk, const char *from, const char *to)
{
    struct explanation explanation;

    return disk->system.ops->rename(&disk->system, from, to, &explanation);
}

/* A file of one value, all of it durable. */
static void settle(struct virtual_disk *disk, const char *name, int value, uint64_t size)
{
    assert_int_equal(fill(disk, name, 0, value, size), 0);
    assert_int_equal(sync_file(disk, name), 0);
    assert_int_equal(virtual_sync_directory(disk), 0);
    assert_false(virtual_disk_is_unsynced(disk, NULL));
}

static bool exists(const struct virtual_disk *disk, const char *name)
{
    bool is_there;
    uint64_t size;

    assert_int_equal(virtual_exists(disk, name, &is_there, &size), 0);
    return is_there;
}

static int byte_at(const struct virtual_disk *disk, const char *name, uint64_t offset)
{
    const struct virtual_file *file = virtual_files_find(&disk->files, name);

    assert_non_null(file);
    return offset < file->shown.size ? file->shown.bytes[offset] : -1;
}

/* How many bytes from offset on are of this value. */
static uint64_t run_of(const struct virtual_disk *disk, const char *name, uint64_t offset,
                       int value)
{
    uint64_t count = 0;

    while (byte_at(disk, name, offset + count) == value)
        count++;
    return count;
}

static void crash(struct virtual_disk *disk, enum virtual_damage damage)
{
    virtual_disk_crash(disk);
    virtual_disk_restart(disk, damage);
}

/* ---- What a crash leaves. ---- */

static void test_contents_last_once_synced(void **state)
{
    struct virtual_disk *disk = make(1);

    (void)state;
    settle(disk, "a", 1, 100);
    assert_int_equal(fill(disk, "a", 50, 2, 100), 0);
    assert_int_equal(virtual_disk_size(disk, "a"), 150);
    assert_true(virtual_disk_is_unsynced(disk, "a"));
    assert_true(virtual_disk_is_unsynced(disk, NULL));
    assert_false(virtual_disk_is_unsynced(disk, "b"));
    crash(disk, VIRTUAL_DAMAGE_LOST);
    assert_int_equal(run_of(disk, "a", 0, 1), 100);
    assert_int_equal(virtual_disk_size(disk, "a"), 100);

    assert_int_equal(fill(disk, "a", 50, 2, 100), 0);
    assert_int_equal(cut(disk, "a", 120), 0);
    assert_int_equal(sync_file(disk, "a"), 0);
    assert_false(virtual_disk_is_unsynced(disk, NULL));
    assert_int_equal(cut(disk, "a", 10), 0);
    crash(disk, VIRTUAL_DAMAGE_LOST);
    assert_int_equal(run_of(disk, "a", 50, 2), 70);

    /* What lies between is zero, also where something else once was. */
    assert_int_equal(cut(disk, "a", 10), 0);
    assert_int_equal(fill(disk, "a", 20, 3, 5), 0);
    assert_int_equal(run_of(disk, "a", 10, 0), 10);
    assert_int_equal(sync_file(disk, "a"), 0);
    crash(disk, VIRTUAL_DAMAGE_LOST);
    assert_int_equal(run_of(disk, "a", 10, 0), 10);
    assert_int_equal(run_of(disk, "a", 20, 3), 5);
    virtual_disk_destroy(disk);
}

static void test_names_last_once_the_directory_is_synced(void **state)
{
    struct virtual_disk *disk = make(1);

    (void)state;
    assert_int_equal(fill(disk, "a", 0, 1, 100), 0);
    assert_int_equal(sync_file(disk, "a"), 0);
    assert_true(virtual_disk_is_unsynced(disk, "a"));
    crash(disk, VIRTUAL_DAMAGE_LOST);
    assert_false(exists(disk, "a"));

    assert_int_equal(fill(disk, "a", 0, 1, 100), 0);
    assert_int_equal(virtual_sync_directory(disk), 0);
    crash(disk, VIRTUAL_DAMAGE_LOST);
    assert_true(exists(disk, "a"));
    assert_int_equal(virtual_disk_size(disk, "a"), 0);

    settle(disk, "a", 1, 100);
    settle(disk, "b", 2, 100);
    assert_int_equal(rename_file(disk, "a", "b"), GOSSIP_OK);
    assert_false(exists(disk, "a"));
    assert_int_equal(run_of(disk, "b", 0, 1), 100);
    assert_true(virtual_disk_is_unsynced(disk, "a") && virtual_disk_is_unsynced(disk, "b"));
    crash(disk, VIRTUAL_DAMAGE_LOST);
    assert_int_equal(run_of(disk, "a", 0, 1), 100);
    assert_int_equal(run_of(disk, "b", 0, 2), 100);

    assert_int_equal(rename_file(disk, "a", "b"), GOSSIP_OK);
    assert_int_equal(virtual_sync_directory(disk), 0);
    assert_int_equal(virtual_delete(disk, "b"), 0);
    assert_int_equal(virtual_delete(disk, "b"), ENOENT);
    crash(disk, VIRTUAL_DAMAGE_LOST);
    assert_false(exists(disk, "a"));
    assert_int_equal(run_of(disk, "b", 0, 1), 100);
    virtual_disk_destroy(disk);
}

/* The process died and the machine did not: what was not synced is there, and still not synced. */
static void test_no_damage(void **state)
{
    struct virtual_disk *disk = make(1);

    (void)state;
    settle(disk, "a", 1, 100);
    assert_int_equal(fill(disk, "a", 0, 2, 50), 0);
    assert_int_equal(fill(disk, "b", 0, 3, 50), 0);
    virtual_disk_crash_at(disk, 1);
    assert_int_equal(fill(disk, "a", 0, 4, 50), EIO);
    virtual_disk_restart(disk, VIRTUAL_DAMAGE_NONE);
    assert_int_equal(run_of(disk, "a", 0, 2), 50);
    assert_int_equal(run_of(disk, "b", 0, 3), 50);
    assert_true(virtual_disk_is_unsynced(disk, "a") && virtual_disk_is_unsynced(disk, "b"));
    crash(disk, VIRTUAL_DAMAGE_LOST);
    assert_int_equal(run_of(disk, "a", 0, 1), 100);
    assert_false(exists(disk, "b"));
    virtual_disk_destroy(disk);
}

/* Over two files: all writes up to one, that one from its start up to some byte, none after. */
static void test_torn(void **state)
{
    enum { WRITES = 6, SIZE = 2 * SECTOR, HALF = SIZE / 2 };
    unsigned seen[WRITES + 1] = {0};
    unsigned nothing = 0;
    unsigned half = 0;
    unsigned sector = 0;
    unsigned other = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct virtual_disk *disk = make(seed);
        struct virtual_disk_stats stats;
        uint64_t part = SIZE;
        unsigned whole = 0;

        settle(disk, "a", 100, SIZE * WRITES);
        settle(disk, "b", 100, SIZE * WRITES);
        for (unsigned i = 0; i < WRITES; i++)
            assert_int_equal(fill(disk, i % 2 == 0 ? "a" : "b", (uint64_t)i * SIZE, (int)i, SIZE),
                             0);
        crash(disk, VIRTUAL_DAMAGE_TORN);
        for (unsigned i = 0; i < WRITES; i++) {
            const char *name = i % 2 == 0 ? "a" : "b";
            uint64_t offset = (uint64_t)i * SIZE;
            uint64_t done = run_of(disk, name, offset, (int)i);

            assert_true(run_of(disk, name, offset + done, 100) >= SIZE - done);
            assert_true(part == SIZE || done == 0);
            if (part == SIZE && done == SIZE)
                whole++;
            else if (part == SIZE)
                part = done;
        }
        virtual_disk_stats(disk, &stats);
        seen[whole]++;
        if (whole < WRITES) {
            assert_int_equal(stats.lost + stats.torn, WRITES - whole);
            assert_int_equal(stats.torn, part > 0);
            nothing += part == 0;
            half += part == HALF;
            sector += part == SECTOR - 1;
            other += part != 0 && part != HALF && part != SECTOR - 1;
        }
        assert_int_equal(stats.crashes[VIRTUAL_DAMAGE_TORN], 1);
        virtual_disk_destroy(disk);
    }
    for (unsigned i = 0; i < WRITES; i++)
        assert_true(seen[i] > SEEDS / 20);
    assert_true(nothing > 20 && half > 20 && sector > 20 && other > 20);
}

/* The write over which the machine dies lasts in part, but only torn. */
static void test_dying_write(void **state)
{
    unsigned parts[VIRTUAL_DAMAGES] = {0};

    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        for (enum virtual_damage damage = 0; damage < VIRTUAL_DAMAGES; damage++) {
            struct virtual_disk *disk = make(seed);

            settle(disk, "a", 1, 1000);
            virtual_disk_crash_at(disk, 1);
            assert_int_equal(fill(disk, "a", 0, 2, 1000), EIO);
            assert_true(virtual_disk_is_crashed(disk));
            assert_false(virtual_disk_is_unsynced(disk, NULL));
            virtual_disk_restart(disk, damage);
            parts[damage] += run_of(disk, "a", 0, 2) > 0;
            assert_int_equal(virtual_disk_size(disk, "a"), 1000);
            virtual_disk_destroy(disk);
        }
    }
    assert_int_equal(parts[VIRTUAL_DAMAGE_NONE], 0);
    assert_int_equal(parts[VIRTUAL_DAMAGE_LOST], 0);
    assert_int_equal(parts[VIRTUAL_DAMAGE_SHUFFLED], 0);
    assert_in_range(parts[VIRTUAL_DAMAGE_TORN], 50, 99);
}

/* Each sector is there or not, whatever became of those before; and each name. */
static void test_shuffled(void **state)
{
    enum { SECTORS = 8, NAMES = 4 };
    static const char *const names[NAMES] = {"b", "c", "d", "e"};
    unsigned kept[SECTORS] = {0};
    unsigned out_of_order = 0;
    unsigned created[NAMES] = {0};
    unsigned renamed = 0;
    unsigned deleted = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct virtual_disk *disk = make(seed);
        bool missed = false;

        settle(disk, "a", 1, SECTORS * SECTOR);
        settle(disk, "f", 1, 10);
        settle(disk, "g", 1, 10);
        /* From the middle of one sector to the middle of another. */
        assert_int_equal(fill(disk, "a", SECTOR / 2, 2, (SECTORS - 1) * SECTOR), 0);
        for (unsigned i = 0; i < NAMES; i++)
            assert_int_equal(fill(disk, names[i], 0, 3, 1), 0);
        assert_int_equal(virtual_delete(disk, "f"), 0);
        assert_int_equal(rename_file(disk, "g", "h"), GOSSIP_OK);
        crash(disk, VIRTUAL_DAMAGE_SHUFFLED);
        for (unsigned i = 0; i < SECTORS; i++) {
            uint64_t first = i == 0 ? SECTOR / 2 : 0;
            uint64_t size = i == 0 || i == SECTORS - 1 ? SECTOR / 2 : SECTOR;
            int value = byte_at(disk, "a", i * SECTOR + first);

            assert_true(value == 1 || value == 2);
            assert_true(run_of(disk, "a", i * SECTOR + first, value) >= size);
            kept[i] += value == 2;
            out_of_order += value == 2 && missed;
            missed = missed || value == 1;
        }
        assert_int_equal(run_of(disk, "a", 0, 1) >= SECTOR / 2, 1);
        for (unsigned i = 0; i < NAMES; i++)
            created[i] += exists(disk, names[i]);
        deleted += !exists(disk, "f");
        renamed += exists(disk, "h");
        assert_int_equal(exists(disk, "g"), !exists(disk, "h"));
        virtual_disk_destroy(disk);
    }
    for (unsigned i = 0; i < SECTORS; i++)
        assert_in_range(kept[i], SEEDS / 4, SEEDS / 4 * 3);
    for (unsigned i = 0; i < NAMES; i++)
        assert_in_range(created[i], SEEDS / 4, SEEDS / 4 * 3);
    assert_in_range(deleted, SEEDS / 4, SEEDS / 4 * 3);
    assert_in_range(renamed, SEEDS / 4, SEEDS / 4 * 3);
    assert_true(out_of_order > SEEDS / 4);
}

/* ---- Faults. ---- */

static void test_nothing_works_after_a_crash(void **state)
{
    struct virtual_disk *disk = make(1);
    struct explanation explanation;
    struct virtual_file *file;
    enum file_kind kind;
    uint64_t operations;
    uint64_t size;
    uint8_t byte;
    bool is_there;

    (void)state;
    settle(disk, "a", 1, 10);
    assert_int_equal(virtual_open(disk, "a", false, &file), 0);
    operations = virtual_disk_operations(disk);
    virtual_disk_crash(disk);
    assert_int_equal(virtual_read(disk, file, 0, &byte, 1, &size), EIO);
    assert_int_equal(virtual_write(disk, file, 0, &byte, 1), EIO);
    assert_int_equal(virtual_truncate(disk, file, 0), EIO);
    assert_int_equal(virtual_sync(disk, file), EIO);
    assert_int_equal(virtual_sync_directory(disk), EIO);
    assert_int_equal(virtual_delete(disk, "a"), EIO);
    assert_int_equal(virtual_exists(disk, "a", &is_there, &size), EIO);
    assert_int_equal(rename_file(disk, "a", "b"), GOSSIP_ERR_IO);
    assert_int_equal(disk->system.ops->make(&disk->system, "c", &explanation), GOSSIP_ERR_IO);
    assert_int_equal(disk->system.ops->examine(&disk->system, "c", &kind, &size, &explanation),
                     GOSSIP_ERR_IO);
    virtual_close(disk, file);
    assert_int_equal(virtual_disk_operations(disk), operations);
    virtual_disk_restart(disk, VIRTUAL_DAMAGE_TORN);
    assert_int_equal(run_of(disk, "a", 0, 1), 10);
    virtual_disk_destroy(disk);
}

/* Whichever of these is the one, it and all after it have no effect. */
static void test_crash_at(void **state)
{
    (void)state;
    for (uint64_t at = 1; at <= 9; at++) {
        struct virtual_disk *disk = make(1);
        int numbers[8];
        unsigned done = 0;

        settle(disk, "a", 1, 10);
        virtual_disk_crash_at(disk, at);
        numbers[done++] = cut(disk, "a", 5);
        numbers[done++] = sync_file(disk, "a");
        numbers[done++] = rename_file(disk, "a", "b") == GOSSIP_OK ? 0 : EIO;
        numbers[done++] = virtual_sync_directory(disk);
        numbers[done++] = fill(disk, "b", 5, 2, 5);
        numbers[done++] = virtual_delete(disk, "b");
        numbers[done++] = fill(disk, "c", 0, 2, 5); /* Two operations. */
        for (unsigned i = 0; i < done; i++)
            assert_int_equal(numbers[i], at > (i < 6 ? i + 1 : 8) ? 0 : EIO);
        assert_int_equal(virtual_disk_is_crashed(disk), at <= 8);
        if (at > 8)
            virtual_disk_crash(disk);
        virtual_disk_restart(disk, VIRTUAL_DAMAGE_NONE);
        assert_int_equal(virtual_disk_size(disk, "a"), at <= 1 ? 10 : at <= 3 ? 5 : 0);
        assert_int_equal(exists(disk, "b"), at > 3 && at <= 6);
        assert_int_equal(virtual_disk_size(disk, "b"), at <= 3   ? 0
                                                       : at <= 5 ? 5
                                                       : at <= 6 ? 10
                                                                 : 0);
        assert_int_equal(exists(disk, "c"), at > 7);
        assert_int_equal(virtual_disk_size(disk, "c"), at > 8 ? 5 : 0);
        virtual_disk_destroy(disk);
    }
}

static int do_one(struct virtual_disk *disk, enum virtual_operation operation)
{
    struct virtual_file *file;
    uint8_t byte = 7;
    uint64_t size;
    int number = 0;

    switch (operation) {
    case VIRTUAL_READ:
    case VIRTUAL_WRITE:
        assert_int_equal(virtual_open(disk, "a", false, &file), 0);
        number = operation == VIRTUAL_READ ? virtual_read(disk, file, 0, &byte, 1, &size)
                                           : virtual_write(disk, file, 0, &byte, 1);
        virtual_close(disk, file);
        return number;
    case VIRTUAL_SYNC:
        return sync_file(disk, "a");
    case VIRTUAL_TRUNCATE:
        return cut(disk, "a", 5);
    case VIRTUAL_CREATE:
        number = virtual_open(disk, "b", true, &file);
        if (number != 0)
            return number;
        virtual_close(disk, file);
        assert_int_equal(virtual_delete(disk, "b"), 0);
        return 0;
    case VIRTUAL_DELETE:
        if (!exists(disk, "b"))
            assert_int_equal(fill(disk, "b", 0, 1, 1), 0);
        return virtual_delete(disk, "b");
    case VIRTUAL_RENAME:
        return rename_file(disk, "a", "a") == GOSSIP_OK ? 0 : EIO;
    case VIRTUAL_OPERATIONS:
        break;
    }
    return -1;
}

static void test_failures_by_kind_and_number(void **state)
{
    (void)state;
    for (enum virtual_operation kind = 0; kind < VIRTUAL_OPERATIONS; kind++) {
        struct virtual_disk *disk = make(1);
        struct virtual_disk_stats before;
        struct virtual_disk_stats after;

        settle(disk, "a", 1, 10);
        virtual_disk_stats(disk, &before);
        virtual_disk_fail(disk, kind, 3, 2);
        for (unsigned i = 1; i <= 6; i++) {
            for (enum virtual_operation other = 0; other < VIRTUAL_OPERATIONS; other++)
                if (other != kind && kind != VIRTUAL_WRITE && kind != VIRTUAL_CREATE &&
                    kind != VIRTUAL_DELETE)
                    assert_int_equal(do_one(disk, other), 0);
            assert_int_equal(do_one(disk, kind), i == 3 || i == 4 ? EIO : 0);
        }
        virtual_disk_stats(disk, &after);
        for (enum virtual_operation other = 0; other < VIRTUAL_OPERATIONS; other++)
            assert_int_equal(after.failed[other], other == kind ? 2 : 0);
        assert_true(after.operations[kind] >= before.operations[kind] + 6);

        virtual_disk_fail(disk, kind, 1, UINT64_MAX);
        for (unsigned i = 1; i <= 6; i++)
            assert_int_equal(do_one(disk, kind), EIO);
        virtual_disk_fail(disk, kind, 0, 0);
        assert_int_equal(do_one(disk, kind), 0);
        virtual_disk_destroy(disk);
    }
}

static void test_failing_write_writes_a_beginning(void **state)
{
    unsigned some = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct virtual_disk *disk = make(seed);
        uint64_t done;

        settle(disk, "a", 1, 100);
        virtual_disk_fail(disk, VIRTUAL_WRITE, 1, 1);
        assert_int_equal(fill(disk, "a", 0, 2, 100), EIO);
        done = run_of(disk, "a", 0, 2);
        assert_int_equal(run_of(disk, "a", done, 1), 100 - done);
        some += done > 0 && done < 100;
        virtual_disk_destroy(disk);
    }
    assert_true(some > 25);
}

/* As on Linux: what a failed sync has not written is shown, and no later sync writes it. */
static void test_failing_sync(void **state)
{
    enum { SECTORS = 8 };
    unsigned lasting = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct virtual_disk *disk = make(seed);
        unsigned now = 0;

        settle(disk, "a", 1, SECTORS * SECTOR);
        assert_int_equal(fill(disk, "a", 0, 2, SECTORS * SECTOR), 0);
        virtual_disk_fail(disk, VIRTUAL_SYNC, 1, 1);
        assert_int_equal(sync_file(disk, "a"), EIO);
        assert_int_equal(sync_file(disk, "a"), 0);
        assert_int_equal(run_of(disk, "a", 0, 2), SECTORS * SECTOR);
        crash(disk, VIRTUAL_DAMAGE_NONE);
        assert_int_equal(sync_file(disk, "a"), 0);
        assert_int_equal(run_of(disk, "a", 0, 2), SECTORS * SECTOR);
        /* But what is written once more is. */
        assert_int_equal(fill(disk, "a", 0, 2, SECTOR), 0);
        assert_int_equal(sync_file(disk, "a"), 0);
        crash(disk, VIRTUAL_DAMAGE_LOST);
        assert_true(run_of(disk, "a", 0, 2) >= SECTOR);
        for (unsigned i = 0; i < SECTORS; i++)
            now += byte_at(disk, "a", i * SECTOR) == 2;
        lasting += now;
        virtual_disk_destroy(disk);
    }
    assert_in_range(lasting, 50 * SECTORS / 3, 50 * SECTORS * 3 / 4);
}

static void test_failing_sync_of_names(void **state)
{
    unsigned lasting = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct virtual_disk *disk = make(seed);

        assert_int_equal(fill(disk, "a", 0, 2, 10), 0);
        assert_int_equal(sync_file(disk, "a"), 0);
        virtual_disk_fail(disk, VIRTUAL_SYNC, 1, 1);
        assert_int_equal(virtual_sync_directory(disk), EIO);
        assert_int_equal(run_of(disk, "a", 0, 2), 10);
        lasting += !virtual_disk_is_unsynced(disk, "a");
        if (seed % 5 == 0) {
            assert_int_equal(virtual_sync_directory(disk), 0);
            assert_false(virtual_disk_is_unsynced(disk, "a"));
        }
        crash(disk, VIRTUAL_DAMAGE_LOST);
        if (seed % 5 == 0)
            assert_true(exists(disk, "a"));
        else
            lasting += exists(disk, "a");
        virtual_disk_destroy(disk);
    }
    assert_in_range(lasting, 25, 65);
}

static void test_full(void **state)
{
    struct virtual_disk *disk = make(1);
    struct virtual_disk_stats stats;

    (void)state;
    settle(disk, "a", 1, 100);
    virtual_disk_set_room(disk, 150);
    assert_int_equal(virtual_disk_used(disk), 100);
    assert_int_equal(fill(disk, "b", 0, 2, 51), ENOSPC);
    assert_int_equal(virtual_disk_size(disk, "b"), 0);
    assert_int_equal(cut(disk, "b", 51), ENOSPC);
    assert_int_equal(fill(disk, "b", 0, 2, 50), 0);
    assert_int_equal(fill(disk, "b", 0, 3, 50), 0);
    assert_int_equal(fill(disk, "a", 100, 1, 1), ENOSPC);
    virtual_disk_set_room(disk, 10); /* What is there stays, and can be written over. */
    assert_int_equal(fill(disk, "a", 0, 4, 100), 0);
    assert_int_equal(virtual_delete(disk, "a"), 0);
    virtual_disk_set_room(disk, 150);
    assert_int_equal(virtual_disk_used(disk), 50);
    assert_int_equal(fill(disk, "b", 50, 2, 100), 0);
    virtual_disk_stats(disk, &stats);
    assert_int_equal(stats.full, 3);
    virtual_disk_destroy(disk);
}

static void test_delays(void **state)
{
    struct virtual_disk *disk = make(1);

    (void)state;
    settle(disk, "a", 1, 100);
    assert_int_equal(virtual_disk_take_delay(disk), 0);
    virtual_disk_set_delay(disk, VIRTUAL_SYNC, 1000);
    virtual_disk_set_delay(disk, VIRTUAL_WRITE, 7);
    assert_int_equal(fill(disk, "a", 0, 1, 10), 0);
    assert_int_equal(fill(disk, "a", 0, 1, 10), 0);
    assert_int_equal(sync_file(disk, "a"), 0);
    assert_int_equal(virtual_sync_directory(disk), 0);
    assert_int_equal(virtual_disk_take_delay(disk), 2014);
    assert_int_equal(virtual_disk_take_delay(disk), 0);
    virtual_disk_destroy(disk);
}

static void test_directory_has_an_end(void **state)
{
    struct virtual_disk *disk = make(1);
    char name[16];

    (void)state;
    for (unsigned i = 0; i < VIRTUAL_NAMES_MAX; i++) {
        snprintf(name, sizeof(name), "f%u", i);
        assert_int_equal(fill(disk, name, 0, 1, 1), 0);
    }
    assert_int_equal(fill(disk, "more", 0, 1, 1), ENOSPC);
    assert_int_equal(virtual_delete(disk, "f0"), 0);
    assert_int_equal(fill(disk, "more", 0, 1, 1), ENOSPC); /* It could come back. */
    assert_int_equal(virtual_sync_directory(disk), 0);
    assert_int_equal(fill(disk, "more", 0, 1, 1), 0);
    virtual_disk_destroy(disk);
}

/* ---- Images, bits and hashes. ---- */

static void test_images(void **state)
{
    struct virtual_disk *disk = make(1);
    struct virtual_disk_image *shown;
    struct virtual_disk_image *durable;

    (void)state;
    settle(disk, "a", 1, 100);
    assert_int_equal(fill(disk, "a", 0, 2, 200), 0);
    assert_int_equal(fill(disk, "b", 0, 3, 10), 0);
    shown = virtual_disk_copy(disk, false);
    durable = virtual_disk_copy(disk, true);
    assert_non_null(shown);
    assert_non_null(durable);
    assert_int_equal(fill(disk, "a", 0, 4, 300), 0);
    assert_int_equal(fill(disk, "c", 0, 4, 10), 0);

    assert_true(virtual_disk_restore(disk, durable));
    assert_false(virtual_disk_is_unsynced(disk, NULL));
    assert_int_equal(run_of(disk, "a", 0, 1), 100);
    assert_int_equal(virtual_disk_size(disk, "a"), 100);
    assert_false(exists(disk, "b"));
    assert_false(exists(disk, "c"));

    assert_true(virtual_disk_restore(disk, shown));
    assert_false(virtual_disk_is_unsynced(disk, NULL));
    crash(disk, VIRTUAL_DAMAGE_LOST);
    assert_int_equal(run_of(disk, "a", 0, 2), 200);
    assert_int_equal(run_of(disk, "b", 0, 3), 10);
    assert_false(exists(disk, "c"));
    virtual_disk_image_destroy(shown);
    virtual_disk_image_destroy(durable);
    virtual_disk_image_destroy(NULL);
    virtual_disk_destroy(disk);
}

static void test_flip(void **state)
{
    struct virtual_disk *disk = make(1);
    struct virtual_disk_stats stats;

    (void)state;
    settle(disk, "a", 1, 100);
    assert_true(virtual_disk_flip(disk, "a", 99, 7));
    assert_int_equal(byte_at(disk, "a", 99), 0x81);
    assert_false(virtual_disk_flip(disk, "a", 100, 0));
    assert_false(virtual_disk_flip(disk, "b", 0, 0));
    crash(disk, VIRTUAL_DAMAGE_LOST);
    assert_int_equal(byte_at(disk, "a", 99), 0x81);
    virtual_disk_stats(disk, &stats);
    assert_int_equal(stats.flipped, 1);
    virtual_disk_destroy(disk);
}

static void test_hash_tells_apart(void **state)
{
    struct virtual_disk *disk = make(1);
    uint64_t hashes[7];
    unsigned count = 0;

    (void)state;
    hashes[count++] = virtual_disk_hash(disk);
    assert_int_equal(fill(disk, "a", 0, 1, 100), 0);
    hashes[count++] = virtual_disk_hash(disk);
    assert_int_equal(virtual_sync_directory(disk), 0);
    hashes[count++] = virtual_disk_hash(disk);
    assert_int_equal(sync_file(disk, "a"), 0);
    hashes[count++] = virtual_disk_hash(disk);
    assert_int_equal(fill(disk, "a", 99, 2, 1), 0);
    hashes[count++] = virtual_disk_hash(disk);
    assert_int_equal(cut(disk, "a", 99), 0);
    hashes[count++] = virtual_disk_hash(disk);
    assert_int_equal(rename_file(disk, "a", "b"), GOSSIP_OK);
    hashes[count++] = virtual_disk_hash(disk);
    assert_int_equal(count, COUNT(hashes));
    for (unsigned i = 0; i < count; i++)
        for (unsigned j = 0; j < i; j++)
            assert_true(hashes[i] != hashes[j]);
    virtual_disk_destroy(disk);
}

static uint64_t ordeal(uint64_t seed)
{
    struct virtual_disk *disk = make(seed);
    uint64_t hash;

    for (unsigned i = 0; i < 200; i++) {
        const char *name = i % 3 == 0 ? "a" : "b";

        virtual_disk_fail(disk, VIRTUAL_SYNC, 1, i % 5 == 0);
        virtual_disk_fail(disk, VIRTUAL_WRITE, 1, i % 7 == 0);
        fill(disk, name, i * 37, (int)i, 700);
        if (i % 4 == 0)
            sync_file(disk, name);
        if (i % 11 == 0)
            virtual_sync_directory(disk);
        if (i % 13 == 0)
            crash(disk, (enum virtual_damage)(i / 13 % VIRTUAL_DAMAGES));
    }
    hash = virtual_disk_hash(disk);
    virtual_disk_destroy(disk);
    return hash;
}

/* With every compiler, on every machine of this byte order. */
static void test_same_seed_same_disk(void **state)
{
    (void)state;
    assert_int_equal(ordeal(1), ordeal(1));
    assert_true(ordeal(1) != ordeal(2));
    assert_int_equal(ordeal(1), UINT64_C(0x98ae21decaec1825));
}

/* ---- Stores on it. ---- */

static struct gossip_store *open_store(struct virtual_disk *disk, enum gossip_sqlite_mode mode)
{
    char explanation[512] = "";
    struct gossip_store *store = NULL;
    int error =
        virtual_disk_open_store(disk, "node.db", mode, explanation, sizeof(explanation), &store);

    if (error < 0)
        fail_msg("%s", explanation);
    return store;
}

static int save_number(struct gossip_store *store, uint64_t number)
{
    struct gossip_record record = {.kind = GOSSIP_RECORD_META,
                                   .as.meta = {.name = "number", .number = number}};

    return store->ops->save(store, &record, 1);
}

static int take_number(void *context, const struct gossip_record *record)
{
    uint64_t *number = context;

    *number = record->as.meta.number;
    return 0;
}

static uint64_t load_number(struct gossip_store *store)
{
    uint64_t number = UINT64_MAX;

    assert_int_equal(store->ops->load(store, take_number, &number), GOSSIP_OK);
    return number;
}

static void test_store_is_locked(void **state)
{
    struct virtual_disk *disk = make(1);
    struct virtual_disk *other = make(1);
    struct gossip_store *store = open_store(disk, GOSSIP_SQLITE_CREATE);
    struct gossip_store *second = NULL;
    char explanation[512] = "";

    (void)state;
    assert_int_equal(virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_OPEN, explanation,
                                             sizeof(explanation), &second),
                     GOSSIP_ERR_LOCKED);
    assert_non_null(strstr(explanation, "node.db is in use"));
    /* A disk is a world of its own. */
    second = open_store(other, GOSSIP_SQLITE_CREATE);
    second->ops->close(second);
    store->ops->close(store);
    assert_int_equal(virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_CREATE, explanation,
                                             sizeof(explanation), &second),
                     GOSSIP_ERR_EXISTS);
    assert_int_equal(virtual_disk_open_store(disk, "other.db", GOSSIP_SQLITE_OPEN, explanation,
                                             sizeof(explanation), &second),
                     GOSSIP_ERR_NOT_FOUND);
    store = open_store(disk, GOSSIP_SQLITE_OPEN);
    store->ops->close(store);
    virtual_disk_destroy(disk);
    virtual_disk_destroy(other);
}

static void test_store_of_a_dead_machine(void **state)
{
    struct virtual_disk *disk = make(1);
    struct gossip_store *store = open_store(disk, GOSSIP_SQLITE_CREATE);
    uint64_t operations;
    uint64_t hash;

    (void)state;
    assert_int_equal(save_number(store, 1), GOSSIP_OK);
    assert_false(virtual_disk_is_unsynced(disk, "node.db-wal"));
    virtual_disk_crash(disk);
    operations = virtual_disk_operations(disk);
    hash = virtual_disk_hash(disk);
    assert_int_equal(save_number(store, 2), GOSSIP_ERR_IO);
    store->ops->close(store);
    assert_int_equal(virtual_disk_operations(disk), operations);
    assert_true(virtual_disk_hash(disk) == hash);
    virtual_disk_restart(disk, VIRTUAL_DAMAGE_LOST);
    store = open_store(disk, GOSSIP_SQLITE_OPEN);
    assert_int_equal(load_number(store), 1);
    store->ops->close(store);
    virtual_disk_destroy(disk);
}

static void test_store_reads_a_bad_sector(void **state)
{
    struct virtual_disk *disk = make(1);
    struct gossip_store *store = open_store(disk, GOSSIP_SQLITE_CREATE);

    (void)state;
    assert_int_equal(save_number(store, 1), GOSSIP_OK);
    store->ops->close(store);
    virtual_disk_fail(disk, VIRTUAL_READ, 1, UINT64_MAX);
    assert_int_equal(virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_OPEN, NULL, 0, &store),
                     GOSSIP_ERR_DAMAGED);
    virtual_disk_destroy(disk);
}

static uint64_t hash_after_saves(uint64_t seed)
{
    struct virtual_disk *disk = make(1);
    struct gossip_store *store;
    uint64_t hash;

    virtual_disk_install(seed);
    store = open_store(disk, GOSSIP_SQLITE_CREATE);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(save_number(store, i), GOSSIP_OK);
    hash = virtual_disk_hash(disk);
    store->ops->close(store);
    virtual_disk_destroy(disk);
    return hash;
}

/* The salt in SQLite's log is random. */
static void test_install_decides_about_randomness(void **state)
{
    uint64_t first = hash_after_saves(1);

    (void)state;
    assert_true(hash_after_saves(1) == first);
    assert_true(hash_after_saves(2) != first);
    assert_true(hash_after_saves(1) == first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contents_last_once_synced),
        cmocka_unit_test(test_names_last_once_the_directory_is_synced),
        cmocka_unit_test(test_no_damage),
        cmocka_unit_test(test_torn),
        cmocka_unit_test(test_dying_write),
        cmocka_unit_test(test_shuffled),
        cmocka_unit_test(test_nothing_works_after_a_crash),
        cmocka_unit_test(test_crash_at),
        cmocka_unit_test(test_failures_by_kind_and_number),
        cmocka_unit_test(test_failing_write_writes_a_beginning),
        cmocka_unit_test(test_failing_sync),
        cmocka_unit_test(test_failing_sync_of_names),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_delays),
        cmocka_unit_test(test_directory_has_an_end),
        cmocka_unit_test(test_images),
        cmocka_unit_test(test_flip),
        cmocka_unit_test(test_hash_tells_apart),
        cmocka_unit_test(test_same_seed_same_disk),
        cmocka_unit_test(test_store_is_locked),
        cmocka_unit_test(test_store_of_a_dead_machine),
        cmocka_unit_test(test_store_reads_a_bad_sector),
        cmocka_unit_test(test_install_decides_about_randomness),
    };

    return cmocka_run_group_tests_name("virtual disk", tests, NULL, NULL);
}
