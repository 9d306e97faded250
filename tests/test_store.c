#include "tests/store_contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "gossip/gossip.h"
#include "store/memory.h"
#include "store/virtual_disk.h"
#include "tests/scratch.h"

struct place {
    char directory[64];
    char path[128];
};

static int create_sqlite(void *context, struct gossip_store **ret_store)
{
    struct place *place = context;
    char explanation[512];
    int error;

    assert_true(scratch_directory("store", place->directory, sizeof(place->directory)));
    snprintf(place->path, sizeof(place->path), "%s/store.db", place->directory);
    error = gossip_sqlite_open(place->path, GOSSIP_SQLITE_CREATE, explanation, sizeof(explanation),
                               ret_store);
    if (error < 0)
        print_message("%s\n", explanation);
    return error;
}

static int reopen_sqlite(void *context, struct gossip_store **ret_store)
{
    struct place *place = context;

    return gossip_sqlite_open(place->path, GOSSIP_SQLITE_OPEN, NULL, 0, ret_store);
}

/* A removal leaves the lock, and nothing else. */
static void discard(void *context)
{
    struct place *place = context;
    char lock[160];

    snprintf(lock, sizeof(lock), "%s.lock", place->path);
    assert_int_equal(gossip_store_remove(place->path, NULL, 0), GOSSIP_OK);
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(rmdir(place->directory), 0);
}

static int create_file(void *context, struct gossip_store **ret_store)
{
    struct place *place = context;
    char explanation[512];
    int error;

    assert_true(scratch_directory("store", place->directory, sizeof(place->directory)));
    snprintf(place->path, sizeof(place->path), "%s/clock.json", place->directory);
    error = gossip_file_open(place->path, GOSSIP_FILE_CREATE, explanation, sizeof(explanation),
                             ret_store);
    if (error < 0)
        print_message("%s\n", explanation);
    return error;
}

static int reopen_file(void *context, struct gossip_store **ret_store)
{
    struct place *place = context;

    return gossip_file_open(place->path, GOSSIP_FILE_OPEN, NULL, 0, ret_store);
}

static int create_virtual_file(void *context, struct gossip_store **ret_store)
{
    struct virtual_disk **disk = context;

    virtual_disk_install(1);
    *disk = virtual_disk_create(1);
    assert_non_null(*disk);
    return virtual_disk_open_file(*disk, "clock.json", GOSSIP_FILE_CREATE, NULL, 0, ret_store);
}

static int reopen_virtual_file(void *context, struct gossip_store **ret_store)
{
    struct virtual_disk **disk = context;

    return virtual_disk_open_file(*disk, "clock.json", GOSSIP_FILE_OPEN, NULL, 0, ret_store);
}

static void discard_virtual_file(void *context)
{
    struct virtual_disk **disk = context;

    assert_int_equal(virtual_disk_used(*disk), virtual_disk_size(*disk, "clock.json") +
                                                   virtual_disk_size(*disk, "clock.json.state"));
    virtual_disk_destroy(*disk);
}

static int create_virtual(void *context, struct gossip_store **ret_store)
{
    struct virtual_disk **disk = context;

    virtual_disk_install(1);
    *disk = virtual_disk_create(1);
    assert_non_null(*disk);
    return virtual_disk_open_store(*disk, "node.db", GOSSIP_SQLITE_CREATE, NULL, 0, ret_store);
}

static int reopen_virtual(void *context, struct gossip_store **ret_store)
{
    struct virtual_disk **disk = context;

    return virtual_disk_open_store(*disk, "node.db", GOSSIP_SQLITE_OPEN, NULL, 0, ret_store);
}

static void discard_virtual(void *context)
{
    struct virtual_disk **disk = context;

    assert_int_equal(virtual_disk_used(*disk), virtual_disk_size(*disk, "node.db") +
                                                   virtual_disk_size(*disk, "node.db.side") +
                                                   virtual_disk_size(*disk, "node.db.marker"));
    virtual_disk_destroy(*disk);
}

static int create_memory(void *context, struct gossip_store **ret_store)
{
    (void)context;
    return gossip_memory_open(ret_store);
}

static int count_visit(void *context, const struct gossip_record *record)
{
    size_t *count = context;

    (void)record;
    (*count)++;
    return 0;
}

static size_t count_records(struct gossip_store *store)
{
    size_t count = 0;

    assert_int_equal(store->ops->load(store, count_visit, &count), 0);
    assert_int_equal(store->ops->follow(store, 0, count_visit, &count), 0);
    for (uint32_t author = 0; author < 4; author++)
        assert_int_equal(store->ops->read(store, author, 0, UINT64_MAX, count_visit, &count), 0);
    return count;
}

/* Whichever allocation of a save fails, nothing has changed, and the next save succeeds. */
static void test_no_memory(void **state)
{
    enum { RECORDS = 80 };
    struct gossip_record records[RECORDS];
    size_t failures = 0;

    (void)state;
    for (size_t i = 0; i < RECORDS; i++) {
        static const uint8_t seal[GOSSIP_SIGNATURE_SIZE] = {1};

        records[i] = (struct gossip_record){.kind = GOSSIP_RECORD_EVENT,
                                            .as.event = {.delivery = 1 + i / 2,
                                                         .author = (uint32_t)(i / 2 % 4),
                                                         .seq = 1 + i / 2,
                                                         .seal = i % 2 == 0 ? NULL : seal}};
    }
    for (size_t allocations = 0;; allocations++) {
        struct gossip_store *store;
        int error;

        assert_int_equal(gossip_memory_open(&store), GOSSIP_OK);
        assert_int_equal(store->ops->save(store, records, 2), GOSSIP_OK);
        memory_store_limit_allocations(store, allocations);
        error = store->ops->save(store, records, RECORDS);
        memory_store_limit_allocations(store, SIZE_MAX);
        if (error == GOSSIP_OK) {
            store->ops->close(store);
            break;
        }
        assert_int_equal(error, GOSSIP_ERR_NOMEM);
        assert_int_equal(count_records(store), 2);
        assert_int_equal(store->ops->save(store, records, RECORDS), GOSSIP_OK);
        assert_int_equal(count_records(store), RECORDS);
        store->ops->close(store);
        failures++;
    }
    assert_true(failures > RECORDS);
}

int main(void)
{
    static struct place place;
    static const struct store_factory memory = {"memory", create_memory, NULL, NULL, NULL};
    static const struct store_factory sqlite = {"sqlite", create_sqlite, reopen_sqlite, discard,
                                                &place};
    static struct virtual_disk *disk;
    static const struct store_factory on_disk = {"sqlite on a virtual disk", create_virtual,
                                                 reopen_virtual, discard_virtual, &disk};
    static const struct store_factory file = {"file", create_file, reopen_file, discard, &place};
    static const struct store_factory file_on_disk = {"file on a virtual disk", create_virtual_file,
                                                      reopen_virtual_file, discard_virtual_file,
                                                      &disk};
    const struct CMUnitTest memory_tests[] = {
        cmocka_unit_test(test_no_memory),
    };
    int failures = store_contract_run(&memory);

    /* In this order: that virtual disks were installed does nothing to real ones. */
    failures += store_contract_run(&on_disk);
    failures += store_contract_run(&file_on_disk);
    failures += store_contract_run(&file);
    failures += store_contract_run(&sqlite);
    failures += cmocka_run_group_tests_name("memory alone", memory_tests, NULL, NULL);
    return failures;
}
