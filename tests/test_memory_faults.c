/*
 * A node without memory: whichever allocation fails, of the node, of SQLite or of protobuf-c, once
 * or for ever, while it starts, publishes, takes in, reads or verifies: nothing crashes or leaks
 * (under the sanitizers), and what is committed afterwards is whole or absent. Three times in a row
 * end it. GOSSIP_CRASH_ALL=1 leaves out none of the allocations past the 400th.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/gossip.h"
#include "gossip/splitmix.h"
#include "store/virtual_disk.h"
#include "tests/crash_share.h"

enum { EVENTS = 3, SHARE_AFTER = 400 };

/* Both the process's own allocations and SQLite's count. */
static struct {
    bool armed;
    bool sticky;
    uint64_t count;
    uint64_t fail_at;
    uint64_t failures;
    sqlite3_mem_methods sqlite;
} memory;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static bool fails(void)
{
    if (!memory.armed)
        return false;
    memory.count++;
    if (memory.count != memory.fail_at && (!memory.sticky || memory.count < memory.fail_at))
        return false;
    memory.failures++;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

static void *sqlite_malloc(int size)
{
    return fails() ? NULL : memory.sqlite.xMalloc(size);
}

static void *sqlite_realloc(void *old, int size)
{
    return fails() ? NULL : memory.sqlite.xRealloc(old, size);
}

/* Must come before the first use of SQLite. */
static void install(void)
{
    sqlite3_mem_methods methods;

    assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory.sqlite), SQLITE_OK);
    methods = memory.sqlite;
    methods.xMalloc = sqlite_malloc;
    methods.xRealloc = sqlite_realloc;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods), SQLITE_OK);
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
}

static void arm(uint64_t fail_at, bool sticky)
{
    memory.armed = fail_at > 0;
    memory.sticky = sticky;
    memory.count = 0;
    memory.fail_at = fail_at;
    memory.failures = 0;
}

static void disarm(void)
{
    memory.armed = false;
}

/* ---- A node on a disk. ---- */

struct world {
    struct gossip_time time; /* First: it is what the node sees. */
    struct splitmix lots;
    uint64_t now_ms;
    struct gossip_identity *identity;
    struct virtual_disk_image *image; /* A store with EVENTS events. */
    uint8_t archive[65536];           /* As many events of another node. */
    size_t archive_size;
    size_t archive_read;
};

static uint64_t tell_time(struct gossip_time *time)
{
    return UINT64_C(1800000000000) + ((struct world *)time)->now_ms;
}

static int draw_bytes(struct gossip_time *time, uint8_t *buffer, size_t size)
{
    struct world *world = (struct world *)time;

    for (size_t i = 0; i < size; i++)
        buffer[i] = (uint8_t)(splitmix_next(&world->lots) >> 56);
    return GOSSIP_OK;
}

static const struct gossip_time_ops time_ops = {tell_time, tell_time, draw_bytes};

static int start(struct world *world, struct gossip_store *store, struct gossip **ret_gossip)
{
    struct gossip_options options = {
        .size = sizeof(options), .store = store, .time = &world->time, .identity = world->identity};

    return gossip_create(&options, ret_gossip);
}

static int open_store(struct virtual_disk *disk, enum gossip_sqlite_mode mode,
                      struct gossip_store **ret_store)
{
    char explanation[512];

    return virtual_disk_open_store(disk, "node.db", mode, explanation, sizeof(explanation),
                                   ret_store);
}

/* 1: acknowledged. 0: refused, and surely not there. Else an error: it may be there. */
static int publish(struct world *world, struct gossip *gossip, int *ret_error)
{
    struct gossip_result result;
    uint64_t ticket;

    world->now_ms += 100;
    *ret_error = gossip_publish(gossip, "payload", 7, &ticket);
    if (*ret_error < 0)
        return 0;
    *ret_error = gossip_run(gossip);
    return gossip_result_pop(gossip, &result) == 1 && result.error == GOSSIP_OK;
}

/* What another node of the cluster has written, as it would come from there. */
static void make_archive(struct world *world, struct gossip_cluster *cluster)
{
    static struct world other = {.time = {&time_ops}, .lots = {2}};
    struct virtual_disk *disk = virtual_disk_create(2);
    struct gossip_store *store;
    struct gossip *gossip;
    struct gossip_export *archive;
    const uint8_t *bytes;
    size_t size;
    int error;
    int result;

    assert_non_null(disk);
    assert_int_equal(gossip_identity_create(cluster, "n2", 0, &other.time, &other.identity),
                     GOSSIP_OK);
    assert_int_equal(open_store(disk, GOSSIP_SQLITE_CREATE, &store), GOSSIP_OK);
    assert_int_equal(start(&other, store, &gossip), GOSSIP_OK);
    for (unsigned i = 0; i < EVENTS; i++)
        assert_int_equal(publish(&other, gossip, &error), 1);
    assert_int_equal(gossip_export_open(gossip, GOSSIP_ALL_AUTHORS, &archive), GOSSIP_OK);
    while ((result = gossip_export_next(archive, &bytes, &size)) == 1) {
        assert_true(size <= sizeof(world->archive) - world->archive_size);
        memcpy(world->archive + world->archive_size, bytes, size);
        world->archive_size += size;
    }
    assert_int_equal(result, 0);
    gossip_export_close(archive);
    gossip_destroy(gossip);
    store->ops->close(store);
    gossip_identity_destroy(other.identity);
    virtual_disk_destroy(disk);
}

static int make_world(void **state)
{
    static struct world world = {.time = {&time_ops}, .lots = {1}};
    struct gossip_cluster *cluster;
    struct virtual_disk *disk;
    struct gossip_store *store;
    struct gossip *gossip;
    int error;

    install();
    virtual_disk_install(1);
    assert_int_equal(gossip_cluster_create(&world.time, &cluster), GOSSIP_OK);
    assert_int_equal(gossip_identity_create(cluster, "n1", 0, &world.time, &world.identity),
                     GOSSIP_OK);
    make_archive(&world, cluster);
    gossip_cluster_destroy(cluster);
    disk = virtual_disk_create(1);
    assert_non_null(disk);
    assert_int_equal(open_store(disk, GOSSIP_SQLITE_CREATE, &store), GOSSIP_OK);
    assert_int_equal(start(&world, store, &gossip), GOSSIP_OK);
    for (unsigned i = 0; i < EVENTS; i++)
        assert_int_equal(publish(&world, gossip, &error), 1);
    gossip_destroy(gossip);
    store->ops->close(store);
    world.image = virtual_disk_copy(disk, false);
    assert_non_null(world.image);
    virtual_disk_destroy(disk);
    *state = &world;
    return 0;
}

static int free_world(void **state)
{
    struct world *world = *state;

    gossip_identity_destroy(world->identity);
    virtual_disk_image_destroy(world->image);
    return 0;
}

static void print_fault(void *context, const char *line)
{
    (void)context;
    print_message("%s\n", line);
}

/* What the disk holds, with memory enough. */
static uint64_t count_events(struct world *world, struct virtual_disk *disk)
{
    struct gossip_store *store;
    struct gossip *gossip;
    struct gossip_author self;
    uint64_t verified;

    assert_int_equal(open_store(disk, GOSSIP_SQLITE_OPEN, &store), GOSSIP_OK);
    assert_int_equal(start(world, store, &gossip), GOSSIP_OK);
    assert_int_equal(gossip_verify(gossip, print_fault, NULL, &verified), GOSSIP_OK);
    assert_int_equal(gossip_author(gossip, gossip_self(gossip), &self), GOSSIP_OK);
    assert_true(verified == self.have);
    gossip_destroy(gossip);
    store->ops->close(store);
    return self.have;
}

static bool is_told(int error)
{
    return error == GOSSIP_OK || error == GOSSIP_ERR_NOMEM || error == GOSSIP_ERR_IO;
}

/* A whole life with the memory as it is armed; what it acknowledged and what may be there besides.
 */
static void live(struct world *world, struct virtual_disk *disk, uint64_t *acknowledged,
                 uint64_t *in_flight)
{
    struct gossip_store *store;
    struct gossip *gossip;
    struct gossip_event event;
    uint64_t verified;
    int error = open_store(disk, GOSSIP_SQLITE_OPEN, &store);
    int result;

    assert_true(is_told(error));
    if (error < 0)
        return;
    error = start(world, store, &gossip);
    assert_true(is_told(error));
    if (error == GOSSIP_OK) {
        for (unsigned i = 0; i < 2; i++) {
            if (publish(world, gossip, &error) == 1)
                ++*acknowledged;
            else
                ++*in_flight;
            assert_true(is_told(error));
        }
        while ((result = gossip_event_pop(gossip, &event)) == 1)
            assert_memory_equal(event.data, "payload", event.size);
        assert_true(is_told(result));
        result = gossip_verify(gossip, print_fault, NULL, &verified);
        if (!is_told(result))
            fail_msg("allocation %" PRIu64 ": verify returns %d", memory.fail_at, result);
        gossip_destroy(gossip);
    }
    store->ops->close(store);
}

static void test_every_allocation(void **state)
{
    struct world *world = *state;
    uint64_t lives = 0;
    uint64_t refused = 0;

    for (int sticky = 0; sticky < 2; sticky++) {
        for (uint64_t at = 1;; at++) {
            struct virtual_disk *disk = virtual_disk_create(at);
            uint64_t acknowledged = EVENTS;
            uint64_t in_flight = 0;
            uint64_t found;
            uint64_t failures;

            assert_non_null(disk);
            assert_true(virtual_disk_restore(disk, world->image));
            arm(at, sticky != 0);
            live(world, disk, &acknowledged, &in_flight);
            failures = memory.failures;
            disarm();
            found = count_events(world, disk);
            if (found < acknowledged || found > acknowledged + in_flight)
                fail_msg("allocation %" PRIu64 " fails %s: %" PRIu64 " events, of %" PRIu64
                         " acknowledged",
                         at, sticky ? "for ever" : "once", found, acknowledged);
            virtual_disk_destroy(disk);
            lives++;
            refused += acknowledged < EVENTS + 2;
            if (failures == 0)
                break;
            if (at > SHARE_AFTER &&
                !crash_all()) /* What follows is much the same, over and over. */
                at += at / SHARE_AFTER;
        }
    }
    print_message("memory: %" PRIu64 " lives, %" PRIu64 " of them cut short\n", lives, refused);
    assert_true(refused > 20);
}

/* A copy that finds no memory says so, and nothing else, of the store or of its disk. */
static void test_backup(void **state)
{
    struct world *world = *state;
    uint64_t refused = 0;

    for (uint64_t at = 1;; at++) {
        struct virtual_disk *disk = virtual_disk_create(at);
        struct gossip_store *store;
        uint64_t failures;
        int result;

        assert_non_null(disk);
        assert_true(virtual_disk_restore(disk, world->image));
        assert_int_equal(open_store(disk, GOSSIP_SQLITE_OPEN, &store), GOSSIP_OK);
        arm(at, false);
        result = store->ops->backup_begin(store, "copy.db");
        while (result == 0)
            result = store->ops->backup_step(store);
        failures = memory.failures;
        disarm();
        if (result != 1 && result != GOSSIP_ERR_NOMEM)
            fail_msg("allocation %" PRIu64 ": the copy returns %d: %s", at, result,
                     store->ops->explain(store));
        assert_true((result == 1) == (virtual_disk_size(disk, "copy.db") > 0));
        assert_true(virtual_disk_size(disk, "copy.db.copying") == 0);
        store->ops->backup_end(store);
        store->ops->close(store);
        assert_true(count_events(world, disk) == EVENTS);
        virtual_disk_destroy(disk);
        refused += result != 1;
        if (failures == 0)
            break;
    }
    print_message("memory: %" PRIu64 " copies refused\n", refused);
    assert_true(refused > 20);
}

static int read_archive(void *context, void *buffer, size_t size)
{
    struct world *world = context;
    size_t left = world->archive_size - world->archive_read;
    size_t now = size < left ? size : left;

    if (now > 0)
        memcpy(buffer, world->archive + world->archive_read, now);
    world->archive_read += now;
    return (int)now;
}

static int take_in(struct world *world, struct gossip *gossip)
{
    struct gossip_archive archive;
    struct gossip_imported imported;

    world->archive_read = 0;
    return gossip_import(gossip, read_archive, world, &archive, &imported);
}

/* Of another's events those are there that were committed, each whole; the rest comes again. */
static void assert_taken_in(struct world *world, struct virtual_disk *disk)
{
    struct gossip_store *store;
    struct gossip *gossip;
    struct gossip_event event;
    uint64_t verified;
    unsigned count = 0;

    assert_int_equal(open_store(disk, GOSSIP_SQLITE_OPEN, &store), GOSSIP_OK);
    assert_int_equal(start(world, store, &gossip), GOSSIP_OK);
    assert_int_equal(gossip_verify(gossip, print_fault, NULL, &verified), GOSSIP_OK);
    assert_in_range(verified, EVENTS, 2 * EVENTS);
    assert_int_equal(take_in(world, gossip), GOSSIP_OK);
    assert_int_equal(gossip_verify(gossip, print_fault, NULL, &verified), GOSSIP_OK);
    assert_true(verified == 2 * EVENTS);
    while (gossip_event_pop(gossip, &event) == 1)
        count++;
    assert_int_equal(count, 2 * EVENTS);
    gossip_destroy(gossip);
    store->ops->close(store);
}

/* Merging: the events of another node are judged, delivered and stored as those of peers are. */
static void test_merge(void **state)
{
    struct world *world = *state;
    uint64_t refused = 0;

    for (int sticky = 0; sticky < 2; sticky++) {
        for (uint64_t at = 1;; at++) {
            struct virtual_disk *disk = virtual_disk_create(at);
            struct gossip_store *store;
            struct gossip *gossip;
            uint64_t failures;
            int result;

            assert_non_null(disk);
            assert_true(virtual_disk_restore(disk, world->image));
            assert_int_equal(open_store(disk, GOSSIP_SQLITE_OPEN, &store), GOSSIP_OK);
            assert_int_equal(start(world, store, &gossip), GOSSIP_OK);
            arm(at, sticky != 0);
            result = take_in(world, gossip);
            gossip_destroy(gossip);
            store->ops->close(store);
            failures = memory.failures;
            disarm();
            if (!is_told(result))
                fail_msg("allocation %" PRIu64 ": taking in returns %d", at, result);
            assert_taken_in(world, disk);
            virtual_disk_destroy(disk);
            refused += result != GOSSIP_OK;
            if (failures == 0)
                break;
            if (at > SHARE_AFTER && !crash_all())
                at += at / SHARE_AFTER;
        }
    }
    print_message("memory: %" PRIu64 " merges cut short\n", refused);
    assert_true(refused > 20);
}

static void test_three_in_a_row(void **state)
{
    struct world *world = *state;
    struct virtual_disk *disk = virtual_disk_create(1);
    struct gossip_store *store;
    struct gossip *gossip;
    uint64_t ticket;

    assert_non_null(disk);
    assert_true(virtual_disk_restore(disk, world->image));
    assert_int_equal(open_store(disk, GOSSIP_SQLITE_OPEN, &store), GOSSIP_OK);
    assert_int_equal(start(world, store, &gossip), GOSSIP_OK);
    assert_int_equal(gossip_publish(gossip, "payload", 7, &ticket), GOSSIP_OK);
    for (unsigned i = 0; i < 3; i++) {
        int error;

        world->now_ms += 100;
        arm(1, true);
        error = gossip_run(gossip);
        disarm();
        assert_int_equal(error, i < 2 ? GOSSIP_OK : GOSSIP_ERR_NOMEM);
    }
    assert_int_equal(gossip_run(gossip), GOSSIP_ERR_NOMEM);
    gossip_destroy(gossip);
    store->ops->close(store);
    assert_true(count_events(world, disk) == EVENTS);
    virtual_disk_destroy(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation),
        cmocka_unit_test(test_backup),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_three_in_a_row),
    };

    return cmocka_run_group_tests_name("memory", tests, make_world, free_world);
}
