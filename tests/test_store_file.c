/*
 * The file store: how its clock reads; a disk that dies, fails or is full at each of its operations
 * in turn; and files that are not as they were written.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "gossip/certificate.h"
#include "gossip/gossip.h"
#include "store/virtual_operations.h"
#include "tests/scratch.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char clock_name[] = "clock.json";
static const char state_name[] = "clock.json.state";

/* ---- Records. ---- */

static struct gossip_record meta(const char *name, uint64_t number)
{
    return (struct gossip_record){.kind = GOSSIP_RECORD_META,
                                  .as.meta = {.name = name, .number = number}};
}

static struct gossip_record author(uint32_t number, uint8_t key, uint64_t have)
{
    struct gossip_record record = {
        .kind = GOSSIP_RECORD_AUTHOR,
        .as.author = {.number = number, .have = have, .floor = have, .mentions = number}};

    memset(record.as.author.id, 0x10 + (int)number, GOSSIP_ID_SIZE);
    memset(record.as.author.key, key, GOSSIP_KEY_SIZE);
    memset(record.as.author.epoch, 0xe0 + (int)number, GOSSIP_EPOCH_SIZE);
    memset(record.as.author.head_hash, (int)have, GOSSIP_HASH_SIZE);
    return record;
}

static struct gossip_record mention(uint32_t number, uint64_t index, uint32_t mentioned)
{
    return (struct gossip_record){.kind = GOSSIP_RECORD_MENTION,
                                  .as.mention = {number, index, mentioned}};
}

static struct gossip_record peer(uint8_t key)
{
    struct gossip_record record = {.kind = GOSSIP_RECORD_PEER, .as.peer.address.port = 7000};

    memset(record.as.peer.key, key, GOSSIP_KEY_SIZE);
    record.as.peer.address.ip[15] = 1;
    return record;
}

/* A certificate that calls a key so. Who signed it, a store does not ask. */
static struct gossip_record named(uint8_t key, const char *name, struct certificate *certificate)
{
    static const uint8_t cluster[GOSSIP_KEY_SIZE] = {1};
    static const uint8_t secret[GOSSIP_SECRET_SIZE] = {2};
    struct gossip_record record = {.kind = GOSSIP_RECORD_SIGNED,
                                   .as.signed_record.type = GOSSIP_SIGNED_CERTIFICATE};
    uint8_t bytes[GOSSIP_KEY_SIZE];

    memset(bytes, key, sizeof(bytes));
    certificate_make(gossip_crypto_sodium(), cluster, bytes, name, 0, NULL, secret, certificate);
    memcpy(record.as.signed_record.id, certificate->id, GOSSIP_HASH_SIZE);
    record.as.signed_record.bytes = certificate->bytes;
    record.as.signed_record.size = certificate->size;
    return record;
}

/* ---- Stores on a virtual disk. ---- */

static int open_on(struct virtual_disk *disk, enum gossip_file_mode mode,
                   struct gossip_store **ret_store)
{
    char explanation[512] = "";
    int error =
        virtual_disk_open_file(disk, clock_name, mode, explanation, sizeof(explanation), ret_store);

    if (error < 0)
        assert_true(explanation[0] != '\0' && strchr(explanation, '\n') == NULL);
    return error;
}

static void read_file(struct virtual_disk *disk, const char *name, char *text, size_t capacity)
{
    struct explanation explanation;
    size_t size = 0;

    assert_int_equal(disk->system.ops->read(&disk->system, name, (uint8_t *)text, capacity - 1,
                                            &size, &explanation),
                     GOSSIP_OK);
    text[size] = '\0';
}

static void assert_clock(struct virtual_disk *disk, const char *expected)
{
    char text[512];

    read_file(disk, clock_name, text, sizeof(text));
    assert_string_equal(text, expected);
}

static int find_number(void *context, const struct gossip_record *record)
{
    uint64_t *number = context;

    if (record->kind == GOSSIP_RECORD_META && strcmp(record->as.meta.name, "step") == 0)
        *number = record->as.meta.number;
    return 0;
}

/* How many saves the store holds. */
static uint64_t steps_in(struct gossip_store *store)
{
    uint64_t number = 0;

    assert_int_equal(store->ops->load(store, find_number, &number), 0);
    return number;
}

enum { STEPS = 4 };

/* The step-th save, from 1: the clock moves in all but the third. */
static int save_step(struct gossip_store *store, uint64_t step)
{
    static const uint64_t haves[STEPS + 1] = {0, 1, 7, 7, 12};
    struct certificate certificate;
    const struct gossip_record records[] = {
        meta("step", step),           author(0, 1, haves[step]), mention(0, step, (uint32_t)step),
        named(1, "n1", &certificate), peer((uint8_t)step),
    };

    return store->ops->save(store, records, COUNT(records));
}

static const char *clock_after(uint64_t step)
{
    static const char *const clocks[STEPS + 1] = {"{}\n", "{\"n1\":1}\n", "{\"n1\":7}\n",
                                                  "{\"n1\":7}\n", "{\"n1\":12}\n"};

    return clocks[step];
}

/* Creates a store, or goes on with it, and saves as long as that goes well. Returns how many saves
 * were acknowledged; *ret_error tells what ended it. */
static uint64_t play(struct virtual_disk *disk, int *ret_error)
{
    struct gossip_store *store;
    uint64_t done;
    int error = open_on(disk, GOSSIP_FILE_OPEN, &store);

    if (error == GOSSIP_ERR_NOT_FOUND)
        error = open_on(disk, GOSSIP_FILE_CREATE, &store);
    *ret_error = error;
    if (error < 0)
        return 0;
    done = steps_in(store);
    while (done < STEPS && (error = save_step(store, done + 1)) == GOSSIP_OK)
        done++;
    if (error == GOSSIP_ERR_IO)
        assert_int_equal(save_step(store, 1), GOSSIP_ERR_IO); /* After that nothing is saved. */
    store->ops->close(store);
    *ret_error = error;
    return done;
}

/* What is there after a crash: all that was acknowledged, at most one save more, and a clock that
 * agrees. */
static void assert_sound(struct virtual_disk *disk, uint64_t acknowledged, uint64_t *ret_found)
{
    struct gossip_store *store;
    int error = open_on(disk, GOSSIP_FILE_OPEN, &store);

    *ret_found = 0;
    if (error == GOSSIP_ERR_NOT_FOUND && acknowledged == 0)
        return;
    assert_int_equal(error, GOSSIP_OK);
    *ret_found = steps_in(store);
    assert_in_range(*ret_found, acknowledged, acknowledged + 1);
    assert_clock(disk, clock_after(*ret_found));
    store->ops->close(store);
}

static uint64_t count_operations(void)
{
    struct virtual_disk *disk = virtual_disk_create(1);
    uint64_t operations;
    int error;

    assert_int_equal(play(disk, &error), STEPS);
    assert_int_equal(error, GOSSIP_OK);
    operations = virtual_disk_operations(disk);
    virtual_disk_destroy(disk);
    return operations;
}

/* ---- Tests. ---- */

static void test_clock_reads_as_promised(void **state)
{
    struct certificate certificates[4];
    const struct gossip_record records[] = {
        author(0, 1, 42),
        author(1, 2, 15),
        author(2, 3, 7),
        author(3, 3, 8),
        author(4, 4, 1),
        author(5, 5, 0),
        author(6, 6, 9),
        named(1, "n1", &certificates[0]),
        named(2, "n2", &certificates[1]),
        named(3, "n3", &certificates[2]),
        named(5, "silent", &certificates[3]),
    };
    struct gossip_record cut = author(6, 6, 9);
    struct gossip_record twin = author(7, 3, 5);
    struct virtual_disk *disk = virtual_disk_create(1);
    struct gossip_store *store;

    (void)state;
    memset(twin.as.author.epoch, 0xe2, GOSSIP_EPOCH_SIZE);
    assert_int_equal(open_on(disk, GOSSIP_FILE_CREATE, &store), GOSSIP_OK);
    assert_clock(disk, "{}\n");
    assert_int_equal(store->ops->save(store, records, 2), GOSSIP_OK);
    assert_clock(disk, "{\"?10101010101010101010101010101010\":42,"
                       "\"?11111111111111111111111111111111\":15}\n");
    assert_int_equal(store->ops->save(store, records + 7, 2), GOSSIP_OK);
    assert_clock(disk, "{\"n1\":42,\"n2\":15}\n");
    assert_int_equal(store->ops->save(store, records, COUNT(records)), GOSSIP_OK);
    assert_clock(disk,
                 "{\"?14141414141414141414141414141414\":1,"
                 "\"?16161616161616161616161616161616\":9,"
                 "\"n1\":42,\"n2\":15,\"n3#e2e2e2e2e2e2e2e2\":7,\"n3#e3e3e3e3e3e3e3e3\":8}\n");
    /* Nobody can make two names one: of two that share the epoch too, the id is told. */
    assert_int_equal(store->ops->save(store, &twin, 1), GOSSIP_OK);
    assert_clock(disk, "{\"?14141414141414141414141414141414\":1,"
                       "\"?16161616161616161616161616161616\":9,"
                       "\"n1\":42,\"n2\":15,"
                       "\"n3#e2e2e2e2e2e2e2e212121212121212121212121212121212\":7,"
                       "\"n3#e2e2e2e2e2e2e2e217171717171717171717171717171717\":5,"
                       "\"n3#e3e3e3e3e3e3e3e3\":8}\n");
    twin.as.author.have = 0;
    memset(twin.as.author.epoch, 0xe7, GOSSIP_EPOCH_SIZE);
    assert_int_equal(store->ops->save(store, &twin, 1), GOSSIP_OK);
    /* What lies behind a cut does not count, and what counts for nothing is not there. */
    cut.as.author.cut = 4;
    assert_int_equal(store->ops->save(store, &cut, 1), GOSSIP_OK);
    cut = author(4, 4, 1);
    cut.as.author.cut = 1;
    assert_int_equal(store->ops->save(store, &cut, 1), GOSSIP_OK);
    assert_clock(disk,
                 "{\"?16161616161616161616161616161616\":3,"
                 "\"n1\":42,\"n2\":15,\"n3#e2e2e2e2e2e2e2e2\":7,\"n3#e3e3e3e3e3e3e3e3\":8}\n");
    store->ops->close(store);
    virtual_disk_destroy(disk);
}

/* A clock cannot name two authors alike: whoever has given two one id is told. */
static void test_two_authors_of_one_id(void **state)
{
    struct gossip_record records[] = {author(0, 1, 42), author(1, 2, 15)};
    struct virtual_disk *disk = virtual_disk_create(1);
    struct gossip_store *store;

    (void)state;
    memcpy(records[1].as.author.id, records[0].as.author.id, GOSSIP_ID_SIZE);
    assert_int_equal(open_on(disk, GOSSIP_FILE_CREATE, &store), GOSSIP_OK);
    assert_int_equal(store->ops->save(store, records, 2), GOSSIP_ERR_INVALID);
    assert_clock(disk, "{}\n");
    assert_int_equal(save_step(store, 1), GOSSIP_OK);
    assert_clock(disk, clock_after(1));
    store->ops->close(store);
    virtual_disk_destroy(disk);
}

/* The machine dies at each operation, with each damage; and once more while what that left is being
 * taken up. */
static void test_crash_at_every_operation(void **state)
{
    uint64_t operations = count_operations();
    uint64_t cycles = 0;
    uint64_t rolled_forward = 0;

    (void)state;
    for (uint64_t at = 1; at <= operations; at++) {
        for (unsigned damage = 0; damage < VIRTUAL_DAMAGES; damage++) {
            for (uint64_t draw = 0; draw < 16 * 2; draw++) {
                struct virtual_disk *disk = virtual_disk_create(at * 1000 + draw);
                uint64_t acknowledged;
                uint64_t found;
                int error;

                virtual_disk_crash_at(disk, at);
                acknowledged = play(disk, &error);
                assert_int_equal(error, GOSSIP_ERR_IO);
                virtual_disk_restart(disk, damage);
                if (draw % 2 == 1) {
                    uint64_t again;

                    virtual_disk_crash_at(disk, 1 + draw / 2 % 8);
                    again = play(disk, &error);
                    if (again > acknowledged) /* Else it did not come to the end of opening. */
                        acknowledged = again;
                    virtual_disk_crash(disk);
                    virtual_disk_restart(disk, damage);
                }
                assert_sound(disk, acknowledged, &found);
                rolled_forward += found > acknowledged;
                assert_int_equal(play(disk, &error), STEPS);
                assert_int_equal(error, GOSSIP_OK);
                assert_clock(disk, clock_after(STEPS));
                virtual_disk_destroy(disk);
                cycles++;
            }
        }
    }
    print_message("%" PRIu64 " operations, %" PRIu64 " crashes, of which %" PRIu64
                  " left a save that was not acknowledged\n",
                  operations, cycles, rolled_forward);
    assert_true(rolled_forward > 0);
}

/* What a store shows that was opened after its process was killed, no later crash takes away. */
static void test_what_is_shown_is_durable(void **state)
{
    uint64_t operations = count_operations();

    (void)state;
    for (uint64_t at = 1; at <= operations; at++) {
        struct virtual_disk *disk = virtual_disk_create(at);
        struct gossip_store *store;
        uint64_t shown = 0;
        uint64_t found;
        int error;

        virtual_disk_crash_at(disk, at);
        play(disk, &error);
        virtual_disk_restart(disk, VIRTUAL_DAMAGE_NONE);
        error = open_on(disk, GOSSIP_FILE_OPEN, &store);
        if (error == GOSSIP_OK) {
            shown = steps_in(store);
            store->ops->close(store);
        }
        virtual_disk_crash(disk);
        virtual_disk_restart(disk, VIRTUAL_DAMAGE_LOST);
        assert_sound(disk, shown, &found);
        assert_int_equal(found, shown);
        virtual_disk_destroy(disk);
    }
}

/* Each operation of each kind fails once, or from there on. */
static void test_error_at_every_operation(void **state)
{
    uint64_t failures = 0;

    (void)state;
    for (unsigned operation = 0; operation < VIRTUAL_OPERATIONS; operation++) {
        for (unsigned for_ever = 0; for_ever < 2; for_ever++) {
            for (uint64_t number = 1; number < 200; number++) {
                struct virtual_disk *disk = virtual_disk_create(number);
                struct virtual_disk_stats stats;
                uint64_t acknowledged;
                uint64_t found;
                int error;

                virtual_disk_fail(disk, operation, number, for_ever ? UINT64_MAX : 1);
                acknowledged = play(disk, &error);
                virtual_disk_fail(disk, operation, 1, 0);
                virtual_disk_stats(disk, &stats);
                if (stats.failed[operation] == 0) {
                    assert_int_equal(error, GOSSIP_OK);
                    virtual_disk_destroy(disk);
                    break;
                }
                failures++;
                assert_int_equal(error, GOSSIP_ERR_IO);
                assert_sound(disk, acknowledged, &found);
                assert_int_equal(play(disk, &error), STEPS);
                virtual_disk_destroy(disk);
            }
        }
    }
    print_message("%" PRIu64 " operations were made to fail\n", failures);
    assert_true(failures > 50);
}

/* However much fits: a save that does not has changed nothing, and once there is room the same
 * store goes on. */
static void test_full_disk(void **state)
{
    uint64_t refused = 0;

    (void)state;
    for (uint64_t room = 0; room < 4000; room += 7) {
        struct virtual_disk *disk = virtual_disk_create(room);
        struct gossip_store *store;
        uint64_t step = 0;
        int error;

        virtual_disk_set_room(disk, room);
        error = open_on(disk, GOSSIP_FILE_CREATE, &store);
        if (error < 0) {
            assert_int_equal(error, GOSSIP_ERR_FULL);
            virtual_disk_set_room(disk, UINT64_MAX);
            assert_int_equal(open_on(disk, GOSSIP_FILE_CREATE, &store), GOSSIP_OK);
            virtual_disk_set_room(disk, room);
        }
        while (step < STEPS) {
            error = save_step(store, step + 1);
            if (error == GOSSIP_OK) {
                step++;
                continue;
            }
            assert_int_equal(error, GOSSIP_ERR_FULL);
            assert_true(strlen(store->ops->explain(store)) > 0);
            assert_int_equal(steps_in(store), step);
            assert_clock(disk, clock_after(step));
            refused++;
            virtual_disk_set_room(disk, UINT64_MAX);
        }
        store->ops->close(store);
        assert_int_equal(play(disk, &error), STEPS);
        assert_clock(disk, clock_after(STEPS));
        virtual_disk_destroy(disk);
    }
    assert_true(refused > 100);
}

static struct virtual_disk *used_disk(void)
{
    struct virtual_disk *disk = virtual_disk_create(1);
    int error;

    assert_int_equal(play(disk, &error), STEPS);
    return disk;
}

/* Whatever bit is flipped, in either file: refused. */
static void test_flipped_bits(void **state)
{
    static const char *const names[] = {clock_name, state_name};
    struct virtual_disk *disk = used_disk();
    uint64_t flips = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        for (uint64_t offset = 0; offset < virtual_disk_size(disk, names[i]); offset++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                struct gossip_store *store;
                int error;

                assert_true(virtual_disk_flip(disk, names[i], offset, bit));
                error = open_on(disk, GOSSIP_FILE_OPEN, &store);
                assert_true(error == GOSSIP_ERR_DAMAGED || error == GOSSIP_ERR_FOREIGN);
                assert_true(virtual_disk_flip(disk, names[i], offset, bit));
                flips++;
            }
        }
    }
    print_message("%" PRIu64 " bits were flipped\n", flips);
    virtual_disk_destroy(disk);
}

static void put(struct virtual_disk *disk, const char *name, const char *text, size_t size)
{
    struct explanation explanation;

    assert_int_equal(
        disk->system.ops->replace(&disk->system, name, (const uint8_t *)text, size, &explanation),
        GOSSIP_OK);
}

static void assert_refused(struct virtual_disk *disk, int expected)
{
    struct gossip_store *store;
    uint64_t before = virtual_disk_hash(disk);

    assert_int_equal(open_on(disk, GOSSIP_FILE_OPEN, &store), expected);
    assert_int_equal(virtual_disk_hash(disk), before); /* And left as it is. */
}

/* A file that ends early, one that is empty, one that goes on, one that is missing, one that is
 * another's, and two that are not of one moment. */
static void test_other_files(void **state)
{
    struct virtual_disk *disk = used_disk();
    char clock[256];
    char whole[8192];
    struct gossip_store *store;

    (void)state;
    read_file(disk, clock_name, clock, sizeof(clock));
    read_file(disk, state_name, whole, sizeof(whole));
    for (size_t size = 0; size < strlen(whole); size++) {
        put(disk, state_name, whole, size);
        assert_refused(disk, size < 18 ? GOSSIP_ERR_FOREIGN : GOSSIP_ERR_DAMAGED);
    }
    put(disk, state_name, whole, strlen(whole) + 1); /* One more byte, 0. */
    assert_refused(disk, GOSSIP_ERR_DAMAGED);
    put(disk, state_name, whole, strlen(whole));
    for (size_t size = 0; size < strlen(clock); size++) {
        put(disk, clock_name, clock, size);
        assert_refused(disk, GOSSIP_ERR_DAMAGED);
    }
    /* What a person would write. */
    put(disk, clock_name, "{\"n1\":13}\n", 10);
    assert_refused(disk, GOSSIP_ERR_DAMAGED);
    put(disk, clock_name, "{ \"n1\":12}\n", 11);
    assert_refused(disk, GOSSIP_ERR_DAMAGED);
    put(disk, clock_name, clock_after(1), strlen(clock_after(1)));
    assert_refused(disk, GOSSIP_ERR_DAMAGED);
    assert_true(virtual_disk_remove(disk, clock_name));
    assert_refused(disk, GOSSIP_ERR_DAMAGED);
    assert_int_equal(open_on(disk, GOSSIP_FILE_CREATE, &store), GOSSIP_ERR_EXISTS);
    put(disk, clock_name, clock, strlen(clock));
    assert_true(virtual_disk_remove(disk, state_name));
    assert_refused(disk, GOSSIP_ERR_DAMAGED);
    put(disk, clock_name, "hello\n", 6);
    assert_refused(disk, GOSSIP_ERR_FOREIGN);
    assert_int_equal(open_on(disk, GOSSIP_FILE_CREATE, &store), GOSSIP_ERR_EXISTS);
    put(disk, clock_name, clock, strlen(clock));
    put(disk, state_name, whole, strlen(whole));
    assert_int_equal(open_on(disk, GOSSIP_FILE_OPEN, &store), GOSSIP_OK);
    assert_int_equal(steps_in(store), STEPS);
    store->ops->close(store);
    virtual_disk_destroy(disk);
}

/* States that are well checked and say what gossip never writes. */
static void test_states_of_others(void **state)
{
    static const struct {
        const char *from;
        const char *to;
        int error;
    } cases[] = {
        {"store 1\n", "store 2\n", GOSSIP_ERR_FOREIGN},
        {"store 1\n", "store 1 \n", GOSSIP_ERR_FOREIGN},
        {"meta step", "meta  step", GOSSIP_ERR_DAMAGED},
        {"meta step", "meta st%65p", GOSSIP_ERR_DAMAGED},
        {"meta step", "meta %00step", GOSSIP_ERR_DAMAGED},
        {"number 4", "number 04", GOSSIP_ERR_DAMAGED},
        {"number 4", "number -4", GOSSIP_ERR_DAMAGED},
        {"number 4", "number 18446744073709551616", GOSSIP_ERR_DAMAGED},
        {"number 4", "number 9223372036854775808", GOSSIP_ERR_DAMAGED},
        {"number 4", "number", GOSSIP_ERR_DAMAGED},
        {"number 4", "bytes 4", GOSSIP_ERR_DAMAGED},
        {"number 4", "bytes x4", GOSSIP_ERR_DAMAGED},
        {"number 4", "bytes xA0", GOSSIP_ERR_DAMAGED},
        {"meta step", "mete step", GOSSIP_ERR_DAMAGED},
        {"author 0", "author 4294967296", GOSSIP_ERR_DAMAGED},
        {" have 12", " had 12", GOSSIP_ERR_DAMAGED},
        {"mentions 0 1", "mentions 0 0", GOSSIP_ERR_DAMAGED},
        {"mentions 0 1 1 2", "mentions 0 1 1\nmentions 0 2 2", GOSSIP_ERR_DAMAGED},
        {"\nsigned 1", "\nsigned 256", GOSSIP_ERR_DAMAGED},
        {"[::1]:7000", "[::01]:7000", GOSSIP_ERR_DAMAGED},
        {"[::1]:7000", "nowhere", GOSSIP_ERR_DAMAGED},
        {"before ", "after ", GOSSIP_ERR_DAMAGED},
        {"\npeer", "\n\npeer", GOSSIP_ERR_DAMAGED},
    };
    struct virtual_disk *disk = used_disk();
    char whole[8192];

    (void)state;
    read_file(disk, state_name, whole, sizeof(whole));
    for (size_t i = 0; i <= COUNT(cases); i++) {
        char text[9000];
        size_t checked = (size_t)(strstr(whole, "\ncheck ") + 1 - whole);
        const char *place = i < COUNT(cases) ? strstr(whole, cases[i].from) : NULL;
        uint8_t hash[GOSSIP_HASH_SIZE];
        struct gossip_piece piece;
        char *end = text;
        struct gossip_store *store;

        assert_true(place != NULL || i == COUNT(cases));
        if (place == NULL) {
            memcpy(text, whole, checked);
            end = text + checked;
        } else {
            memcpy(text, whole, (size_t)(place - whole));
            end = stpcpy(text + (place - whole), cases[i].to);
            place += strlen(cases[i].from);
            memcpy(end, place, (size_t)(whole + checked - place));
            end += whole + checked - place;
        }
        piece = (struct gossip_piece){(const uint8_t *)text, (size_t)(end - text)};
        gossip_crypto_sodium()->hash(hash, &piece, 1);
        end = stpcpy(end, "check ");
        for (size_t j = 0; j < sizeof(hash); j++)
            end += snprintf(end, 3, "%02x", hash[j]);
        end = stpcpy(end, "\n");
        put(disk, state_name, text, (size_t)(end - text));
        if (place != NULL) {
            assert_refused(disk, cases[i].error);
            continue;
        }
        assert_string_equal(text, whole); /* So it was the change that was refused. */
        assert_int_equal(open_on(disk, GOSSIP_FILE_OPEN, &store), GOSSIP_OK);
        store->ops->close(store);
    }
    virtual_disk_destroy(disk);
}

/* A removal that dies on its way leaves a store, or nothing that can be opened; and can be ended.
 */
static void test_crash_in_a_removal(void **state)
{
    uint64_t gone = 0;

    (void)state;
    for (uint64_t at = 1; at <= 5; at++) {
        for (unsigned damage = 0; damage < VIRTUAL_DAMAGES; damage++) {
            struct virtual_disk *disk = used_disk();
            struct gossip_store *store;
            uint64_t found;
            int error;

            virtual_disk_crash_at(disk, at);
            error = virtual_disk_remove_file(disk, clock_name, NULL, 0);
            virtual_disk_crash(disk);
            virtual_disk_restart(disk, damage);
            if (virtual_disk_size(disk, clock_name) > 0) {
                assert_int_equal(error, GOSSIP_ERR_IO);
                assert_sound(disk, STEPS, &found);
            } else {
                gone++;
                assert_true(open_on(disk, GOSSIP_FILE_OPEN, &store) < 0);
            }
            if (virtual_disk_size(disk, state_name) > 0)
                assert_int_equal(virtual_disk_remove_file(disk, clock_name, NULL, 0), GOSSIP_OK);
            assert_int_equal(virtual_disk_used(disk), 0);
            assert_int_equal(play(disk, &error), STEPS);
            virtual_disk_destroy(disk);
        }
    }
    assert_true(gone > 0);
}

struct place {
    char directory[128];
    char path[160];
};

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    assert_non_null(place);
    assert_true(scratch_directory("file", place->directory, sizeof(place->directory)));
    snprintf(place->path, sizeof(place->path), "%s/clock.json", place->directory);
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

static void assert_mode(const char *path, const char *ending)
{
    char name[256];
    struct stat status;

    snprintf(name, sizeof(name), "%s%s", path, ending);
    assert_int_equal(stat(name, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
}

/* None, empty and in use are told apart; what others could read of it is nothing. */
static void test_real_files(void **state)
{
    struct place *place = *state;
    char explanation[512];
    char link[192];
    struct gossip_store *store;
    struct gossip_store *second;

    assert_int_equal(
        gossip_file_open(place->path, GOSSIP_FILE_OPEN, explanation, sizeof(explanation), &store),
        GOSSIP_ERR_NOT_FOUND);
    assert_non_null(strstr(explanation, "there is no store"));
    snprintf(link, sizeof(link), "%s.lock", place->path);
    assert_int_equal(access(link, F_OK), -1); /* No lock is left beside nothing. */
    assert_int_equal(gossip_store_remove(place->path, NULL, 0), GOSSIP_ERR_NOT_FOUND);

    umask(0);
    assert_int_equal(gossip_file_open(place->path, GOSSIP_FILE_CREATE, NULL, 0, &store), GOSSIP_OK);
    assert_int_equal(steps_in(store), 0);
    assert_int_equal(save_step(store, 1), GOSSIP_OK);
    assert_mode(place->path, "");
    assert_mode(place->path, ".state");
    assert_mode(place->path, ".lock");

    /* By any name. */
    snprintf(link, sizeof(link), "%s/other.json", place->directory);
    assert_int_equal(symlink(place->path, link), 0);
    assert_int_equal(
        gossip_file_open(link, GOSSIP_FILE_OPEN, explanation, sizeof(explanation), &second),
        GOSSIP_ERR_LOCKED);
    assert_non_null(strstr(explanation, "clock.json"));
    assert_int_equal(gossip_store_remove(link, explanation, sizeof(explanation)),
                     GOSSIP_ERR_LOCKED);
    assert_int_equal(gossip_file_open(place->path, GOSSIP_FILE_CREATE, NULL, 0, &second),
                     GOSSIP_ERR_LOCKED);
    assert_int_equal(save_step(store, 2), GOSSIP_OK);
    store->ops->close(store);

    assert_int_equal(gossip_file_open(place->path, GOSSIP_FILE_CREATE, NULL, 0, &store),
                     GOSSIP_ERR_EXISTS);
    assert_int_equal(gossip_file_open(link, GOSSIP_FILE_OPEN, NULL, 0, &store), GOSSIP_OK);
    assert_int_equal(steps_in(store), 2);
    store->ops->close(store);
    assert_int_equal(gossip_store_remove(link, NULL, 0), GOSSIP_OK);
    assert_int_equal(access(place->path, F_OK), -1);
    assert_int_equal(gossip_store_remove(place->path, NULL, 0), GOSSIP_ERR_NOT_FOUND);
    assert_int_equal(gossip_file_open(place->path, GOSSIP_FILE_CREATE, NULL, 0, &store), GOSSIP_OK);
    store->ops->close(store);
}

/* The stores of one path are not each other's. */
static void test_other_stores(void **state)
{
    struct place *place = *state;
    struct gossip_store *store;
    char name[192];
    FILE *file;

    assert_int_equal(gossip_sqlite_open(place->path, GOSSIP_SQLITE_CREATE, NULL, 0, &store),
                     GOSSIP_OK);
    store->ops->close(store);
    assert_int_equal(gossip_file_open(place->path, GOSSIP_FILE_OPEN, NULL, 0, &store),
                     GOSSIP_ERR_FOREIGN);
    assert_int_equal(gossip_store_remove(place->path, NULL, 0), GOSSIP_OK);
    assert_int_equal(gossip_file_open(place->path, GOSSIP_FILE_CREATE, NULL, 0, &store), GOSSIP_OK);
    store->ops->close(store);
    assert_int_equal(gossip_sqlite_open(place->path, GOSSIP_SQLITE_OPEN, NULL, 0, &store),
                     GOSSIP_ERR_FOREIGN);
    /* Nobody's. */
    snprintf(name, sizeof(name), "%s.state", place->path);
    file = fopen(name, "w");
    assert_non_null(file);
    assert_true(fputs("gossip?\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(gossip_store_remove(place->path, NULL, 0), GOSSIP_ERR_FOREIGN);
    assert_int_equal(access(name, F_OK), 0);
    assert_int_equal(gossip_file_open(place->directory, GOSSIP_FILE_OPEN, NULL, 0, &store),
                     GOSSIP_ERR_FOREIGN);
    snprintf(name, sizeof(name), "%s/none/clock.json", place->directory);
    assert_int_equal(gossip_file_open(name, GOSSIP_FILE_CREATE, NULL, 0, &store),
                     GOSSIP_ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock_reads_as_promised),
        cmocka_unit_test(test_two_authors_of_one_id),
        cmocka_unit_test(test_crash_at_every_operation),
        cmocka_unit_test(test_what_is_shown_is_durable),
        cmocka_unit_test(test_error_at_every_operation),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_states_of_others),
        cmocka_unit_test(test_crash_in_a_removal),
        cmocka_unit_test_setup_teardown(test_real_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_stores, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
