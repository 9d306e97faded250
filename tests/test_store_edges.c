/*
 * What stands beside a store's file: side file, marker, the identity of the file; copies of a store
 * in use; and taking a store away.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "gossip/gossip.h"
#include "store/virtual_disk.h"
#include "tests/scratch.h"

struct place {
    char directory[128];
    char path[160];
    char copy[160];
};

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    assert_non_null(place);
    assert_true(scratch_directory("edges", place->directory, sizeof(place->directory)));
    snprintf(place->path, sizeof(place->path), "%s/store.db", place->directory);
    snprintf(place->copy, sizeof(place->copy), "%s/copy.db", place->directory);
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    char command[256];

    snprintf(command, sizeof(command), "rm -rf '%s'", place->directory);
    assert_int_equal(system(command), 0);
    free(place);
    return 0;
}

static struct gossip_store *open_store(const char *path, enum gossip_sqlite_mode mode)
{
    char explanation[512] = "";
    struct gossip_store *store;
    int error = gossip_sqlite_open(path, mode, explanation, sizeof(explanation), &store);

    if (error != GOSSIP_OK)
        fail_msg("%s: %s", path, explanation);
    return store;
}

static void put_number(struct gossip_store *store, const char *name, uint64_t number)
{
    struct gossip_record record = {.kind = GOSSIP_RECORD_META,
                                   .as.meta = {.name = name, .number = number}};

    assert_int_equal(store->ops->save(store, &record, 1), GOSSIP_OK);
}

struct found {
    const char *name;
    uint64_t number; /* UINT64_MAX: there is none. */
};

static int find_number(void *context, const struct gossip_record *record)
{
    struct found *found = context;

    if (record->kind == GOSSIP_RECORD_META && strcmp(record->as.meta.name, found->name) == 0)
        found->number = record->as.meta.number;
    return 0;
}

static uint64_t get_number(struct gossip_store *store, const char *name)
{
    struct found found = {name, UINT64_MAX};

    assert_int_equal(store->ops->load(store, find_number, &found), 0);
    return found.number;
}

static void add_event(struct gossip_store *store, uint64_t number)
{
    static uint8_t body[2000];
    struct gossip_record record = {.kind = GOSSIP_RECORD_EVENT,
                                   .as.event = {.delivery = number,
                                                .author = 1,
                                                .seq = number,
                                                .body = body,
                                                .body_size = sizeof(body)}};

    assert_int_equal(store->ops->save(store, &record, 1), GOSSIP_OK);
}

static bool is_there(const char *path, const char *ending)
{
    char text[200];

    snprintf(text, sizeof(text), "%s%s", path, ending);
    return access(text, F_OK) == 0;
}

static void test_side_file(void **state)
{
    struct place *place = *state;
    struct gossip_store *store = open_store(place->path, GOSSIP_SQLITE_CREATE);
    struct gossip_side side = {{1, 2, 3, 4, 5, 6, 7, 8}, 1024, 3};
    struct gossip_side read;
    struct stat status;
    char path[200];
    uint8_t bytes[64];
    size_t size;
    FILE *file;

    assert_int_equal(store->ops->read_side(store, &read), GOSSIP_ERR_NOT_FOUND);
    assert_int_equal(store->ops->write_side(store, &side), GOSSIP_OK);
    side.mark = UINT64_C(1) << 62;
    assert_int_equal(store->ops->write_side(store, &side), GOSSIP_OK);
    assert_int_equal(store->ops->read_side(store, &read), GOSSIP_OK);
    assert_memory_equal(&read, &side, sizeof(side));
    snprintf(path, sizeof(path), "%s.side", place->path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_false(is_there(place->path, ".side.new"));

    /* Every bit of it counts. */
    file = fopen(path, "r+");
    assert_non_null(file);
    size = fread(bytes, 1, sizeof(bytes), file);
    assert_int_equal(size, 40);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        rewind(file);
        assert_int_equal(fwrite(bytes, 1, size, file), size);
        assert_int_equal(fflush(file), 0);
        assert_int_equal(store->ops->read_side(store, &read), GOSSIP_ERR_DAMAGED);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    fclose(file);
    for (off_t shorter = 0; shorter < 40; shorter++) {
        assert_int_equal(truncate(path, shorter), 0);
        assert_int_equal(store->ops->read_side(store, &read), GOSSIP_ERR_DAMAGED);
    }
    /* It is no reason to stop saving. */
    put_number(store, "m", 1);
    assert_int_equal(store->ops->write_side(store, &side), GOSSIP_OK);
    assert_int_equal(store->ops->read_side(store, &read), GOSSIP_OK);
    store->ops->close(store);
}

static void test_marker(void **state)
{
    struct place *place = *state;
    struct gossip_store *store = open_store(place->path, GOSSIP_SQLITE_CREATE);
    struct gossip_marker marker = {{9}, 1};
    const struct gossip_marker none = {{0}, 0};
    struct gossip_marker read;
    char path[200];

    assert_int_equal(store->ops->read_marker(store, &read), GOSSIP_OK);
    assert_memory_equal(&read, &none, sizeof(none));
    assert_string_equal(store->ops->explain(store), ""); /* Nothing has failed. */
    for (uint32_t i = 1; i < 5; i++) {
        marker.crashes = i;
        assert_int_equal(store->ops->write_marker(store, &marker), GOSSIP_OK);
        store->ops->close(store);
        store = open_store(place->path, GOSSIP_SQLITE_OPEN);
        assert_int_equal(store->ops->read_marker(store, &read), GOSSIP_OK);
        assert_memory_equal(&read, &marker, sizeof(marker));
    }
    snprintf(path, sizeof(path), "%s.marker", place->path);
    assert_int_equal(truncate(path, 20), 0);
    assert_int_equal(store->ops->read_marker(store, &read), GOSSIP_OK);
    assert_memory_equal(&read, &none, sizeof(none));
    store->ops->close(store);
}

static void fingerprint_of(const char *path, uint8_t *ret_fingerprint)
{
    struct gossip_store *store = open_store(path, GOSSIP_SQLITE_OPEN);

    assert_int_equal(store->ops->fingerprint(store, ret_fingerprint), GOSSIP_OK);
    store->ops->close(store);
}

static void run(const char *verb, const char *from, const char *to)
{
    char command[512];

    snprintf(command, sizeof(command), "%s '%s' '%s'", verb, from, to);
    assert_int_equal(system(command), 0);
}

/* It stays over restarts and renames, and no copy has it. */
static void test_fingerprint(void **state)
{
    struct place *place = *state;
    struct gossip_store *store = open_store(place->path, GOSSIP_SQLITE_CREATE);
    uint8_t first[GOSSIP_HASH_SIZE];
    uint8_t later[GOSSIP_HASH_SIZE];

    assert_int_equal(store->ops->fingerprint(store, first), GOSSIP_OK);
    store->ops->close(store);
    for (int i = 0; i < 3; i++) {
        fingerprint_of(place->path, later);
        assert_memory_equal(first, later, sizeof(first));
    }
    run("cp -p", place->path, place->copy);
    fingerprint_of(place->copy, later);
    assert_memory_not_equal(first, later, sizeof(first));
    run("mv", place->path, place->copy);
    fingerprint_of(place->copy, later);
    assert_memory_equal(first, later, sizeof(first));
    run("cp", place->copy, place->path);
    fingerprint_of(place->path, later);
    assert_memory_not_equal(first, later, sizeof(first));
}

/* A machine that is set back keeps its files; a person who copies makes new ones; another machine
 * is another. */
static void test_virtual_fingerprint(void **state)
{
    struct virtual_disk *disk = virtual_disk_create(1);
    struct virtual_disk *other = virtual_disk_create(2);
    struct virtual_disk_image *image;
    struct gossip_store *store;
    uint8_t fingerprints[4][GOSSIP_HASH_SIZE];

    (void)state;
    assert_int_equal(
        virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_CREATE, NULL, 0, &store), 0);
    store->ops->fingerprint(store, fingerprints[0]);
    store->ops->close(store);
    image = virtual_disk_copy(disk, false);
    for (int i = 1; i < 4; i++) {
        struct virtual_disk *there = i == 3 ? other : disk;

        assert_true(i == 1 ? virtual_disk_restore(there, image)
                           : virtual_disk_copy_back(there, image));
        assert_int_equal(
            virtual_disk_open_store(there, "node.db", GOSSIP_SQLITE_OPEN, NULL, 0, &store), 0);
        assert_int_equal(store->ops->fingerprint(store, fingerprints[i]), GOSSIP_OK);
        store->ops->close(store);
    }
    assert_memory_equal(fingerprints[0], fingerprints[1], GOSSIP_HASH_SIZE);
    for (int i = 2; i < 4; i++)
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(fingerprints[i], fingerprints[j], GOSSIP_HASH_SIZE);
    virtual_disk_image_destroy(image);
    virtual_disk_destroy(disk);
    virtual_disk_destroy(other);
}

/* The side file is all there or as it was, wherever the machine dies over it. */
static void test_side_file_over_crashes(void **state)
{
    unsigned olds = 0;
    unsigned news = 0;

    (void)state;
    for (enum virtual_damage damage = 0; damage < VIRTUAL_DAMAGES; damage++) {
        for (uint64_t operation = 1; operation < 12; operation++) {
            struct virtual_disk *disk = virtual_disk_create(operation);
            struct gossip_side side = {{1}, 100, 1};
            struct gossip_store *store;
            int error;

            assert_int_equal(
                virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_CREATE, NULL, 0, &store), 0);
            assert_int_equal(store->ops->write_side(store, &side), GOSSIP_OK);
            side.mark = 200;
            virtual_disk_crash_at(disk, operation);
            error = store->ops->write_side(store, &side);
            store->ops->close(store);
            virtual_disk_crash(disk);
            virtual_disk_restart(disk, damage);
            assert_int_equal(
                virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_OPEN, NULL, 0, &store), 0);
            assert_int_equal(store->ops->read_side(store, &side), GOSSIP_OK);
            assert_true(side.mark == 200 || (side.mark == 100 && error < 0));
            olds += side.mark == 100;
            news += side.mark == 200;
            store->ops->close(store);
            virtual_disk_destroy(disk);
        }
    }
    assert_true(olds > 0 && news > 0);
}

static void save_number(struct gossip_store *store, const char *name, uint64_t number)
{
    struct gossip_record record = {.kind = GOSSIP_RECORD_META,
                                   .as.meta = {.name = name, .number = number}};

    assert_int_equal(store->ops->save(store, &record, 1), GOSSIP_OK);
}

static int take_number(void *context, const struct gossip_record *record)
{
    *(uint64_t *)context = record->as.meta.number;
    return GOSSIP_OK;
}

/* A log was copied into the database, which could not be synced; and then the log is damaged. What
 * is shown of the database is made durable first. */
static void test_database_under_a_damaged_log(void **state)
{
    struct virtual_disk *disk = virtual_disk_create(1);
    struct gossip_store *store;
    uint64_t number = 0;

    (void)state;
    assert_int_equal(
        virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_CREATE, NULL, 0, &store), 0);
    save_number(store, "m", 1);
    virtual_disk_fail(disk, VIRTUAL_TRUNCATE, 1, 1);
    store->ops->close(store);
    assert_true(virtual_disk_is_unsynced(disk, "node.db"));
    assert_true(virtual_disk_flip(disk, "node.db-wal", 0, 7));
    assert_int_equal(virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_OPEN, NULL, 0, &store),
                     0);
    assert_int_equal(store->ops->load(store, take_number, &number), GOSSIP_OK);
    assert_true(number == 1);
    virtual_disk_crash(disk);
    store->ops->close(store);
    virtual_disk_restart(disk, VIRTUAL_DAMAGE_LOST);
    assert_int_equal(virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_OPEN, NULL, 0, &store),
                     0);
    number = 0;
    assert_int_equal(store->ops->load(store, take_number, &number), GOSSIP_OK);
    assert_true(number == 1);
    store->ops->close(store);
    virtual_disk_destroy(disk);
}

/* The same where a sync of the last checkpoint has failed: what the machine shows of the database
 * its disk does not have, and no later sync will write it. What was shown stays. */
static void test_database_whose_sync_had_failed(void **state)
{
    (void)state;
    for (unsigned sync = 1; sync <= 4; sync++) {
        struct virtual_disk *disk = virtual_disk_create(1);
        struct gossip_store *store;
        uint64_t shown = 0;
        uint64_t kept = 0;

        assert_int_equal(
            virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_CREATE, NULL, 0, &store), 0);
        save_number(store, "m", 1);
        virtual_disk_fail(disk, VIRTUAL_SYNC, sync, 1);
        store->ops->close(store);
        virtual_disk_fail(disk, VIRTUAL_SYNC, 0, 0);
        if (virtual_disk_flip(disk, "node.db-wal", 0, 7)) {
            assert_int_equal(
                virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_OPEN, NULL, 0, &store), 0);
            assert_int_equal(store->ops->load(store, take_number, &shown), GOSSIP_OK);
            virtual_disk_crash(disk);
            store->ops->close(store);
            virtual_disk_restart(disk, VIRTUAL_DAMAGE_LOST);
            assert_int_equal(
                virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_OPEN, NULL, 0, &store), 0);
            assert_int_equal(store->ops->load(store, take_number, &kept), GOSSIP_OK);
            store->ops->close(store);
            assert_true(kept == shown);
        }
        virtual_disk_destroy(disk);
    }
}

static uint64_t events_in(struct gossip_store *store)
{
    uint64_t count = 0;

    while (store->ops->has(store, 1, count + 1) == 1)
        count++;
    return count;
}

/* A copy that is made while the store is written to is some state that was committed. */
static void test_backup(void **state)
{
    struct place *place = *state;
    struct gossip_store *store = open_store(place->path, GOSSIP_SQLITE_CREATE);
    const struct gossip_side side = {{1}, 1, 1};
    uint64_t events = 300;
    uint64_t copied;
    unsigned steps = 0;
    int result;

    for (uint64_t i = 1; i <= events; i++)
        add_event(store, i);
    assert_int_equal(store->ops->write_side(store, &side), GOSSIP_OK);
    assert_int_equal(store->ops->backup_begin(store, place->copy), GOSSIP_OK);
    while ((result = store->ops->backup_step(store)) == 0) {
        add_event(store, ++events);
        assert_false(is_there(place->copy, ""));
        steps++;
    }
    assert_int_equal(result, 1);
    assert_true(steps > 1);
    assert_int_equal(events_in(store), events);
    assert_true(is_there(place->copy, ""));
    assert_false(is_there(place->copy, ".copying"));
    assert_false(is_there(place->copy, ".side"));
    assert_int_equal(get_number(store, "backup"), UINT64_MAX);
    assert_int_equal(store->ops->backup_begin(store, place->copy), GOSSIP_ERR_EXISTS);
    store->ops->close(store);
    store = open_store(place->copy, GOSSIP_SQLITE_OPEN);
    copied = events_in(store);
    assert_true(copied >= 300 && copied <= events);
    assert_int_equal(get_number(store, "backup"), 1);
    add_event(store, copied + 1);
    store->ops->close(store);
}

static void test_backup_given_up(void **state)
{
    struct place *place = *state;
    struct gossip_store *store = open_store(place->path, GOSSIP_SQLITE_CREATE);

    for (uint64_t i = 1; i <= 300; i++)
        add_event(store, i);
    assert_int_equal(store->ops->backup_begin(store, "/nowhere/at/all.db"), GOSSIP_ERR_NOT_FOUND);
    assert_int_equal(store->ops->backup_begin(store, place->copy), GOSSIP_OK);
    assert_int_equal(store->ops->backup_step(store), 0);
    store->ops->backup_end(store);
    store->ops->backup_end(store);
    assert_false(is_there(place->copy, ".copying"));
    assert_int_equal(store->ops->backup_begin(store, place->copy), GOSSIP_OK);
    store->ops->close(store); /* Gives it up too. */
    assert_false(is_there(place->copy, ".copying"));
    assert_false(is_there(place->copy, ""));
}

/* The number that was saved last, by what a process finds that dies of it. */
static uint64_t last_number(struct virtual_disk *disk)
{
    struct gossip_store *store;
    uint64_t number;

    assert_int_equal(virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_OPEN, NULL, 0, &store),
                     0);
    number = get_number(store, "m");
    virtual_disk_crash(disk);
    store->ops->close(store);
    virtual_disk_restart(disk, VIRTUAL_DAMAGE_LOST);
    return number;
}

/* A commit that a flipped bit of the log hides, with all behind it, is made again to the last bit:
 * then what follows it in the log is there again, as if the bit had never flipped. Another commit
 * in its place ends the log for good. */
static void test_log_that_is_whole_again(void **state)
{
    enum { SAVES = 6, FRAME = 24 + 4096 };

    (void)state;
    for (uint64_t again = 3; again <= 4; again++) {
        struct virtual_disk *disk = virtual_disk_create(1);
        struct gossip_store *store;
        uint64_t first;

        assert_int_equal(
            virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_CREATE, NULL, 0, &store), 0);
        put_number(store, "m", 1);
        put_number(store, "m", 2);
        first = virtual_disk_size(disk, "node.db-wal");
        for (uint64_t i = 3; i <= SAVES; i++)
            put_number(store, "m", i);
        assert_true(virtual_disk_size(disk, "node.db-wal") == first + (SAVES - 2) * FRAME);
        virtual_disk_crash(disk);
        store->ops->close(store);
        virtual_disk_restart(disk, VIRTUAL_DAMAGE_LOST);
        assert_true(last_number(disk) == SAVES);

        assert_true(virtual_disk_flip(disk, "node.db-wal", first + FRAME / 2, 3));
        assert_true(last_number(disk) == 2);
        assert_int_equal(
            virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_OPEN, NULL, 0, &store), 0);
        put_number(store, "m", again);
        virtual_disk_crash(disk);
        store->ops->close(store);
        virtual_disk_restart(disk, VIRTUAL_DAMAGE_LOST);
        assert_true(last_number(disk) == (again == 3 ? SAVES : again));
        virtual_disk_destroy(disk);
    }
}

static int step_to_end(struct gossip_store *store)
{
    int result;

    while ((result = store->ops->backup_step(store)) == 0)
        continue;
    return result;
}

/* What is wrong with the store is told apart from what is wrong with the copy. */
static void test_backup_of_damage(void **state)
{
    struct virtual_disk *disk = virtual_disk_create(1);
    struct gossip_store *store;

    (void)state;
    assert_non_null(disk);
    virtual_disk_install(1);
    assert_int_equal(
        virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_CREATE, NULL, 0, &store), GOSSIP_OK);
    put_number(store, "m", 1);
    for (uint64_t i = 1; i <= 300; i++)
        add_event(store, i);
    store->ops->close(store);

    assert_int_equal(virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_OPEN, NULL, 0, &store),
                     GOSSIP_OK);
    assert_int_equal(store->ops->backup_begin(store, "copy.db"), GOSSIP_OK);
    virtual_disk_fail(disk, VIRTUAL_WRITE, 1, UINT64_MAX);
    assert_int_equal(step_to_end(store), GOSSIP_ERR_IO);
    assert_non_null(strstr(store->ops->explain(store), "copy.db"));
    virtual_disk_fail(disk, VIRTUAL_WRITE, 1, 0);
    assert_true(virtual_disk_size(disk, "copy.db.copying") == 0);
    store->ops->close(store);

    /* Opened anew, it has no pages in memory that it could copy instead. */
    assert_int_equal(virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_OPEN, NULL, 0, &store),
                     GOSSIP_OK);
    assert_int_equal(store->ops->backup_begin(store, "copy.db"), GOSSIP_OK);
    virtual_disk_fail(disk, VIRTUAL_READ, 3, 1);
    assert_int_equal(step_to_end(store), GOSSIP_ERR_DAMAGED);
    assert_non_null(strstr(store->ops->explain(store), "gossip verify"));
    assert_true(virtual_disk_size(disk, "copy.db.copying") == 0);
    add_event(store, 301); /* It goes on, until it reads that page itself. */
    store->ops->close(store);

    /* The first page of table meta, which the copy is marked in. */
    assert_int_equal(virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_OPEN, NULL, 0, &store),
                     GOSSIP_OK);
    assert_true(virtual_disk_flip(disk, "node.db", 4096, 1));
    assert_int_equal(store->ops->backup_begin(store, "copy.db"), GOSSIP_OK);
    assert_int_equal(step_to_end(store), GOSSIP_ERR_DAMAGED);
    assert_non_null(strstr(store->ops->explain(store), "node.db: cannot be copied"));
    assert_true(virtual_disk_size(disk, "copy.db") == 0);
    store->ops->close(store);
    virtual_disk_destroy(disk);
}

/* Changes the byte that follows a whole hundred bytes from: to is what it becomes. */
static void change_byte(const char *path, uint8_t from, uint8_t to)
{
    enum { BEFORE = 100 };
    FILE *file = fopen(path, "r+b");
    unsigned same = 0;
    int next = 0;

    assert_non_null(file);
    while (same < BEFORE && (next = getc(file)) != EOF)
        same = next == from ? same + 1 : 0;
    assert_true(same == BEFORE);
    assert_int_equal(fseek(file, 0, SEEK_CUR), 0); /* Between reading and writing. */
    assert_int_equal(putc(to, file), to);
    assert_int_equal(fclose(file), 0);
}

/* Bits that have flipped in an event are not copied as if nothing were wrong with them. */
static void test_backup_of_flipped_bits(void **state)
{
    enum { BODY = 0xb5, CONTEXT = 0xc5, SIZE = 700 };
    struct place *place = *state;
    struct gossip_store *store = open_store(place->path, GOSSIP_SQLITE_CREATE);
    uint8_t body[SIZE];
    uint8_t context[SIZE];
    struct gossip_record record = {.kind = GOSSIP_RECORD_EVENT,
                                   .as.event = {.delivery = 201,
                                                .author = 1,
                                                .seq = 201,
                                                .body = body,
                                                .body_size = sizeof(body),
                                                .context = context,
                                                .context_size = sizeof(context)}};
    static const uint8_t bytes[] = {BODY, CONTEXT};

    memset(body, BODY, sizeof(body));
    memset(context, CONTEXT, sizeof(context));
    for (uint64_t i = 1; i <= 200; i++)
        add_event(store, i);
    assert_int_equal(store->ops->save(store, &record, 1), GOSSIP_OK);
    store->ops->close(store);
    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
        change_byte(place->path, bytes[i], bytes[i] ^ 4);
        store = open_store(place->path, GOSSIP_SQLITE_OPEN);
        assert_int_equal(store->ops->backup_begin(store, place->copy), GOSSIP_OK);
        assert_int_equal(step_to_end(store), GOSSIP_ERR_DAMAGED);
        assert_non_null(strstr(store->ops->explain(store), "event 201 (author 1, seq 201)"));
        assert_non_null(strstr(store->ops->explain(store), "gossip verify"));
        assert_false(is_there(place->copy, ""));
        assert_false(is_there(place->copy, ".copying"));
        store->ops->close(store);
        change_byte(place->path, bytes[i], bytes[i]);
    }
    store = open_store(place->path, GOSSIP_SQLITE_OPEN);
    assert_int_equal(store->ops->backup_begin(store, place->copy), GOSSIP_OK);
    assert_int_equal(step_to_end(store), 1);
    store->ops->close(store);
}

/* A process killed after any number of steps leaves a whole copy or none, and its store whole. */
static void test_backup_killed(void **state)
{
    struct place *place = *state;
    struct gossip_store *store = open_store(place->path, GOSSIP_SQLITE_CREATE);
    bool whole = false;

    for (uint64_t i = 1; i <= 300; i++)
        add_event(store, i);
    store->ops->close(store);
    for (unsigned steps = 0; !whole; steps++) {
        pid_t child = fork();
        int status;

        assert_true(child >= 0);
        if (child == 0) {
            store = open_store(place->path, GOSSIP_SQLITE_OPEN);
            if (store->ops->backup_begin(store, place->copy) == GOSSIP_OK)
                for (unsigned i = 0; i < steps; i++)
                    if (store->ops->backup_step(store) != 0)
                        break;
            raise(SIGKILL);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        store = open_store(place->path, GOSSIP_SQLITE_OPEN);
        assert_int_equal(events_in(store), 300);
        store->ops->close(store);
        whole = is_there(place->copy, "");
    }
    store = open_store(place->copy, GOSSIP_SQLITE_OPEN);
    assert_int_equal(events_in(store), 300);
    assert_int_equal(get_number(store, "backup"), 1);
    store->ops->close(store);
}

static void test_remove(void **state)
{
    struct place *place = *state;
    struct gossip_store *store = open_store(place->path, GOSSIP_SQLITE_CREATE);
    const struct gossip_side side = {{1}, 1, 1};
    const struct gossip_marker marker = {{1}, 1};
    char explanation[512] = "";
    FILE *file;

    assert_int_equal(store->ops->write_side(store, &side), GOSSIP_OK);
    assert_int_equal(store->ops->write_marker(store, &marker), GOSSIP_OK);
    assert_int_equal(gossip_store_remove(place->path, explanation, sizeof(explanation)),
                     GOSSIP_ERR_LOCKED);
    assert_non_null(strstr(explanation, place->path));
    assert_true(is_there(place->path, ".side"));
    put_number(store, "m", 1);
    store->ops->close(store);
    assert_int_equal(gossip_store_remove(place->path, NULL, 0), GOSSIP_OK);
    assert_false(is_there(place->path, "") || is_there(place->path, ".side") ||
                 is_there(place->path, ".marker") || is_there(place->path, "-wal"));
    assert_int_equal(gossip_store_remove(place->path, explanation, sizeof(explanation)),
                     GOSSIP_ERR_NOT_FOUND);
    file = fopen(place->path, "w");
    assert_non_null(file);
    assert_true(fputs("somebody's letter, which is long enough to be read as a header and more so "
                      "that nobody takes it for an empty file\n",
                      file) >= 0);
    fclose(file);
    assert_int_equal(gossip_store_remove(place->path, explanation, sizeof(explanation)),
                     GOSSIP_ERR_FOREIGN);
    assert_true(is_there(place->path, ""));
}

/* Whichever sync fails while a store is made, and be it the last one, of the directory, after which
 * the file has its name: there is no store, and one can be made at once. */
static void test_creation_over_failing_syncs(void **state)
{
    uint64_t refused = 0;
    uint64_t passed_over = 0;

    (void)state;
    virtual_disk_install(1);
    for (uint64_t number = 1;; number++) {
        struct virtual_disk *disk = virtual_disk_create(number);
        struct virtual_disk_stats stats;
        struct gossip_store *store;
        int error;

        assert_non_null(disk);
        virtual_disk_fail(disk, VIRTUAL_SYNC, number, 1);
        error = virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_CREATE, NULL, 0, &store);
        virtual_disk_fail(disk, VIRTUAL_SYNC, 1, 0);
        virtual_disk_stats(disk, &stats);
        if (error != GOSSIP_OK) {
            assert_int_equal(error, GOSSIP_ERR_IO);
            assert_true(virtual_disk_used(disk) == 0);
            assert_int_equal(
                virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_OPEN, NULL, 0, &store),
                GOSSIP_ERR_NOT_FOUND);
            assert_int_equal(
                virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_CREATE, NULL, 0, &store),
                GOSSIP_OK);
            refused++;
        } else {
            passed_over += stats.failed[VIRTUAL_SYNC];
        }
        put_number(store, "m", 1);
        store->ops->close(store);
        virtual_disk_destroy(disk);
        if (stats.failed[VIRTUAL_SYNC] == 0)
            break;
    }
    print_message("%" PRIu64 " syncs that a new store needs, %" PRIu64 " that it does not\n",
                  refused, passed_over);
    assert_true(refused >= 5);
    /* SQLite's own, of the directory with the log: the store syncs it again when all is there. */
    assert_true(passed_over <= 2);
}

/* A store whose side file is still there was taken away by somebody who did not know of it: an
 * empty one must not begin to count anew in its place. */
static void test_new_store_beside_a_side_file(void **state)
{
    struct place *place = *state;
    struct gossip_store *store = open_store(place->path, GOSSIP_SQLITE_CREATE);
    const struct gossip_side side = {{1}, 1, 1};

    assert_int_equal(store->ops->write_side(store, &side), GOSSIP_OK);
    store->ops->close(store);
    assert_int_equal(unlink(place->path), 0);
    assert_int_equal(gossip_sqlite_open(place->path, GOSSIP_SQLITE_CREATE, NULL, 0, &store),
                     GOSSIP_ERR_EXISTS);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_side_file),
        TEST(test_marker),
        TEST(test_fingerprint),
        cmocka_unit_test(test_virtual_fingerprint),
        cmocka_unit_test(test_side_file_over_crashes),
        cmocka_unit_test(test_database_under_a_damaged_log),
        cmocka_unit_test(test_database_whose_sync_had_failed),
        TEST(test_backup),
        TEST(test_backup_given_up),
        TEST(test_backup_killed),
        TEST(test_backup_of_flipped_bits),
        cmocka_unit_test(test_log_that_is_whole_again),
        cmocka_unit_test(test_backup_of_damage),
        TEST(test_remove),
        cmocka_unit_test(test_creation_over_failing_syncs),
        TEST(test_new_store_beside_a_side_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
