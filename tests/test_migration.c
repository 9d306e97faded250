/*
 * Tables of an earlier version, made up, become ours when a store is opened: wholly, or not at all,
 * wherever the machine dies and whatever becomes of what it had not synced.
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
#include "store/migration.h"
#include "store/schema.h"
#include "store/virtual_operations.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { METAS = 40, EVENTS = 12 };

/* Rows of version 2 had no checksums. */
#define TO_VERSION_2                                                                               \
    "DROP VIEW log; "                                                                              \
    "ALTER TABLE events RENAME TO events_3; "                                                      \
    "CREATE TABLE events (delivery INTEGER PRIMARY KEY, author INTEGER NOT NULL, "                 \
    "seq INTEGER NOT NULL, hash_seal BLOB NOT NULL, body BLOB NOT NULL) STRICT; "                  \
    "INSERT INTO events SELECT delivery, author, seq, hash_seal, body FROM events_3; "             \
    "DROP TABLE events_3; "                                                                        \
    "CREATE UNIQUE INDEX events_by_author ON events (author, seq); "                               \
    "ALTER TABLE contexts RENAME TO contexts_3; "                                                  \
    "CREATE TABLE contexts (delivery INTEGER PRIMARY KEY, context BLOB NOT NULL) STRICT; "         \
    "INSERT INTO contexts SELECT delivery, context FROM contexts_3; "                              \
    "DROP TABLE contexts_3; "                                                                      \
    "CREATE VIEW log AS SELECT delivery, length(hash_seal) > 32 AS sealed FROM events; "

/* Version 0, which never was, had no peers, and its meta table another name. */
static const char to_version_0[] = TO_VERSION_2
    "DROP TABLE peers; ALTER TABLE meta RENAME TO facts; DROP TABLE onces; PRAGMA user_version = 0";
static char to_version_1[8192];

static const char *sql_of(const char *name)
{
    for (size_t i = 0; i < schema_object_count; i++)
        if (strcmp(schema_objects[i].name, name) == 0)
            return schema_objects[i].sql;
    fail_msg("no object %s", name);
    return NULL;
}

static char to_version_2[1024];
static char to_version_3[8192];
static const char back_to_version_2[] = TO_VERSION_2 "PRAGMA user_version = 2";
static const char back_to_version_1[] = TO_VERSION_2 "DROP TABLE onces; PRAGMA user_version = 1";

static const struct migration steps[] = {{0, to_version_1}, {1, to_version_2}, {2, to_version_3}};
static const struct migration no_way[] = {{0, "DROP TABLE facts; DROP TABLE nothing"},
                                          {1, "DROP TABLE meta; DROP TABLE nothing"},
                                          {2, "DROP TABLE meta; DROP TABLE nothing"}};

static void run_sql(struct virtual_disk *disk, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(
        sqlite3_open_v2("node.db", &db, SQLITE_OPEN_READWRITE, virtual_vfs_name(disk->vfs)),
        SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL),
                     SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int open_store(struct virtual_disk *disk, char ret_explanation[512],
                      struct gossip_store **ret_store)
{
    return virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_OPEN, ret_explanation, 512,
                                   ret_store);
}

static int count_meta(void *context, const struct gossip_record *record)
{
    uint64_t *sum = context;

    assert_int_equal(record->kind, GOSSIP_RECORD_META);
    *sum += record->as.meta.number;
    return 0;
}

static int check_event(void *context, const struct gossip_record *record)
{
    const struct gossip_event_record *event = &record->as.event;
    uint64_t *count = context;

    assert_true(event->delivery == ++*count && event->seq == *count && event->author == 3);
    assert_false(event->is_damaged);
    assert_int_equal(event->hash[0], *count);
    assert_int_equal(event->body_size, *count % 5);
    assert_int_equal(event->seal != NULL, *count % 2 == 0);
    assert_int_equal(event->context_size, *count % 3 == 0 ? 7 : 0);
    return 0;
}

/* A store of an earlier version with something in it. */
static struct virtual_disk_image *make_old(const char *to_old, const char *more)
{
    struct virtual_disk *disk = virtual_disk_create(1);
    struct virtual_disk_image *image;
    struct gossip_store *store;

    assert_non_null(disk);
    assert_int_equal(
        virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_CREATE, NULL, 0, &store), GOSSIP_OK);
    for (uint64_t i = 0; i < METAS; i++) {
        char name[32];
        struct gossip_record record = {.kind = GOSSIP_RECORD_META,
                                       .as.meta = {.name = name, .number = i}};

        snprintf(name, sizeof(name), "name %" PRIu64, i);
        assert_int_equal(store->ops->save(store, &record, 1), GOSSIP_OK);
    }
    for (uint64_t i = 1; i <= EVENTS; i++) {
        static const uint8_t seal[GOSSIP_SIGNATURE_SIZE] = {7};
        struct gossip_record record = {.kind = GOSSIP_RECORD_EVENT,
                                       .as.event = {.delivery = i,
                                                    .author = 3,
                                                    .seq = i,
                                                    .hash = {(uint8_t)i},
                                                    .body = (const uint8_t *)"body",
                                                    .body_size = i % 5,
                                                    .seal = i % 2 == 0 ? seal : NULL}};

        if (i % 3 == 0) {
            record.as.event.context = (const uint8_t *)"context";
            record.as.event.context_size = 7;
        }
        assert_int_equal(store->ops->save(store, &record, 1), GOSSIP_OK);
    }
    store->ops->close(store);
    run_sql(disk, to_old);
    if (more != NULL)
        run_sql(disk, more);
    image = virtual_disk_copy(disk, false);
    assert_non_null(image);
    virtual_disk_destroy(disk);
    return image;
}

static struct virtual_disk *disk_with(const struct virtual_disk_image *image, uint64_t seed)
{
    struct virtual_disk *disk = virtual_disk_create(seed);

    assert_non_null(disk);
    assert_true(virtual_disk_restore(disk, image));
    return disk;
}

static void require_whole(struct virtual_disk *disk, const char *story)
{
    struct gossip_store *store;
    char explanation[512] = "";
    uint64_t sum = 0;
    uint64_t events = 0;

    if (open_store(disk, explanation, &store) != GOSSIP_OK)
        fail_msg("%s: %s", story, explanation);
    assert_int_equal(store->ops->load(store, count_meta, &sum), 0);
    assert_int_equal(store->ops->follow(store, 0, check_event, &events), 0);
    assert_int_equal(events, EVENTS);
    store->ops->close(store);
    if (sum != METAS * (METAS - 1) / 2)
        fail_msg("%s: something is missing", story);
}

/* own: the steps that are built in, NULL; or made up. */
static void crash_at_every_operation(const char *to_old, const struct migration *own, size_t count)
{
    static const enum virtual_damage damages[] = {VIRTUAL_DAMAGE_NONE, VIRTUAL_DAMAGE_LOST,
                                                  VIRTUAL_DAMAGE_TORN, VIRTUAL_DAMAGE_SHUFFLED};
    struct virtual_disk_image *image = make_old(to_old, NULL);
    unsigned crashes = 0;
    unsigned old = 0;
    bool crashed = true;

    migration_replace(own, count);
    for (uint64_t at = 1; crashed; at++) {
        for (size_t i = 0; i < COUNT(damages); i++) {
            struct virtual_disk *disk = disk_with(image, at);
            struct gossip_store *store;
            char explanation[512];
            char story[64];

            snprintf(story, sizeof(story), "crash at operation %" PRIu64, at);
            virtual_disk_crash_at(disk, at);
            if (open_store(disk, explanation, &store) == GOSSIP_OK)
                store->ops->close(store);
            crashed = virtual_disk_is_crashed(disk);
            virtual_disk_crash_at(disk, 0);
            if (crashed) {
                virtual_disk_restart(disk, damages[i]);
                crashes++;
                /* A step that cannot be taken tells which of the two it is. */
                migration_replace(no_way, COUNT(no_way));
                if (open_store(disk, explanation, &store) == GOSSIP_OK) {
                    store->ops->close(store);
                } else {
                    assert_non_null(strstr(explanation, "opening failed"));
                    old++;
                }
                migration_replace(own, count);
            }
            require_whole(disk, story);
            virtual_disk_destroy(disk);
        }
    }
    migration_replace(NULL, 0);
    virtual_disk_image_destroy(image);
    print_message("migration: %u crashes, %u left the old tables and %u the new\n", crashes, old,
                  crashes - old);
    assert_true(old > 0 && old < crashes);
}

static void test_crash_at_every_operation(void **state)
{
    (void)state;
    crash_at_every_operation(to_version_0, steps, COUNT(steps));
}

/* The steps that were really taken: a file of version 1 had no table of onces, */
static void test_version_1(void **state)
{
    (void)state;
    crash_at_every_operation(back_to_version_1, NULL, 0);
}

/* and one of version 2 no checksums. */
static void test_version_2(void **state)
{
    (void)state;
    crash_at_every_operation(back_to_version_2, NULL, 0);
}

/* What does not come to our tables is refused, and is as it was. */
static void refuse(const char *more, const struct migration *way, size_t count, int expected,
                   const char *part)
{
    struct virtual_disk_image *image = make_old(to_version_0, more);
    struct virtual_disk *disk = disk_with(image, 1);
    struct gossip_store *store;
    char explanation[512] = "";

    migration_replace(way, count);
    assert_int_equal(open_store(disk, explanation, &store), expected);
    if (strstr(explanation, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", explanation, part);
    migration_replace(steps, COUNT(steps));
    if (expected != GOSSIP_ERR_FOREIGN)
        require_whole(disk, "after the refusal");
    migration_replace(NULL, 0);
    virtual_disk_destroy(disk);
    virtual_disk_image_destroy(image);
}

static void test_refusals(void **state)
{
    const struct migration too_little[] = {
        {0, "ALTER TABLE facts RENAME TO meta"}, {1, to_version_2}, {2, to_version_3}};
    static const struct migration nowhere[] = {{0, ""}};

    (void)state;
    refuse(NULL, NULL, 0, GOSSIP_ERR_DAMAGED, "no version that ever was");
    refuse(NULL, nowhere, COUNT(nowhere), GOSSIP_ERR_DAMAGED, "nothing leads on from version 1");
    refuse(NULL, too_little, COUNT(too_little), GOSSIP_ERR_DAMAGED, "is not as it must be");
    refuse(NULL, no_way, COUNT(no_way), GOSSIP_ERR_DAMAGED, "opening failed");
    refuse("CREATE TABLE extra (x)", steps, COUNT(steps), GOSSIP_ERR_FOREIGN, "table extra");
    refuse("PRAGMA user_version = 4", steps, COUNT(steps), GOSSIP_ERR_FOREIGN, "newer version");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash_at_every_operation),
        cmocka_unit_test(test_version_1),
        cmocka_unit_test(test_version_2),
        cmocka_unit_test(test_refusals),
    };

    snprintf(to_version_1, sizeof(to_version_1),
             "%s; INSERT INTO meta SELECT * FROM facts; DROP TABLE facts; %s", sql_of("meta"),
             sql_of("peers"));
    snprintf(to_version_2, sizeof(to_version_2), "%s", migration_from(1)->sql);
    snprintf(to_version_3, sizeof(to_version_3), "%s", migration_from(2)->sql);
    virtual_disk_install(1);
    return cmocka_run_group_tests_name("migration", tests, NULL, NULL);
}
