/*
 * A node's files with one bit of them wrong, or cut off, missing, or from another time: a node that
 * opens them never crashes and never takes what is wrong for what was right. It refuses, or
 * gossip_verify() finds it, or all that it shows is what it showed before; of a log, perhaps what
 * it showed at an earlier commit, which is for the node to find out from others.
 *
 * GOSSIP_CRASH_ALL=1 flips all bits of all bytes.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/gossip.h"
#include "gossip/splitmix.h"
#include "store/virtual_disk.h"

enum {
    EVENTS = 6,
    STATES = EVENTS + 2,   /* New, prepared, and after each event. */
    FLIPS_AT_LEAST = 6000, /* Of each file, spread over it. */
    SHOWN_MAX = 65536,
};

enum outcome {
    REFUSED_OPEN,
    REFUSED_START,
    FOUND,
    SAME,
    EARLIER,
    OUTCOMES,
};

static const char *const outcome_names[OUTCOMES] = {
    "refused by the store", "refused by the node", "found by verify",
    "without effect",       "an earlier commit",
};

struct shown {
    uint8_t bytes[SHOWN_MAX];
    size_t size;
};

/* What is looked at: a store that was closed, or one whose process was killed. */
struct specimen {
    struct gossip_time time; /* First: it is what the node sees. */
    struct splitmix lots;
    struct gossip_identity *identity;
    struct gossip_identity *stranger;
    struct virtual_disk_image *closed;
    struct virtual_disk_image *killed;
    struct shown states[STATES];
    size_t state_count;
};

static uint64_t tell_time(struct gossip_time *time)
{
    (void)time;
    return UINT64_C(1800000000000);
}

static int draw_bytes(struct gossip_time *time, uint8_t *buffer, size_t size)
{
    struct specimen *specimen = (struct specimen *)time;

    for (size_t i = 0; i < size; i++)
        buffer[i] = (uint8_t)(splitmix_next(&specimen->lots) >> 56);
    return GOSSIP_OK;
}

static const struct gossip_time_ops time_ops = {tell_time, tell_time, draw_bytes};

/* ---- What a node shows. ---- */

static void put(struct shown *shown, const void *bytes, size_t size)
{
    assert_true(size <= sizeof(shown->bytes) - shown->size);
    if (size > 0)
        memcpy(shown->bytes + shown->size, bytes, size);
    shown->size += size;
}

/* Every event with all that the application sees of it, and the clock. */
static int show(struct gossip *gossip, struct shown *shown)
{
    struct gossip_event event;
    int result;

    shown->size = 0;
    while ((result = gossip_event_pop(gossip, &event)) == 1) {
        put(shown, &event.delivery, sizeof(event.delivery));
        put(shown, &event.dot.author, sizeof(event.dot.author));
        put(shown, &event.dot.seq, sizeof(event.dot.seq));
        put(shown, &event.hlc, sizeof(event.hlc));
        put(shown, event.data, event.size);
    }
    for (uint32_t i = 0; i < gossip_author_count(gossip); i++) {
        struct gossip_author author;

        assert_int_equal(gossip_author(gossip, i, &author), GOSSIP_OK);
        put(shown, author.id, sizeof(author.id));
        put(shown, &author.have, sizeof(author.have));
    }
    return result;
}

static bool is_same(const struct shown *a, const struct shown *b)
{
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static void count_fault(void *context, const char *line)
{
    assert_true(strlen(line) > 0);
    ++*(unsigned *)context;
}

/* ---- Making the specimen. ---- */

static int start(struct specimen *specimen, const struct gossip_identity *identity,
                 struct gossip_store *store, struct gossip **ret_gossip)
{
    struct gossip_options options = {
        .size = sizeof(options), .store = store, .time = &specimen->time, .identity = identity};

    return gossip_create(&options, ret_gossip);
}

static void note_state(struct specimen *specimen, struct gossip_store *store)
{
    struct gossip *gossip;

    assert_true(specimen->state_count < STATES);
    assert_int_equal(start(specimen, specimen->identity, store, &gossip), GOSSIP_OK);
    assert_int_equal(show(gossip, &specimen->states[specimen->state_count++]), 0);
    gossip_destroy(gossip);
}

/* Half of the events are in the database, half in the log. */
static int make_specimen(void **state)
{
    static struct specimen specimen = {.time = {&time_ops}, .lots = {1}};
    struct virtual_disk *disk;
    struct gossip_cluster *cluster;
    struct gossip_store *store;
    char explanation[512];

    virtual_disk_install(1);
    disk = virtual_disk_create(1);
    assert_non_null(disk);
    assert_int_equal(gossip_cluster_create(&specimen.time, &cluster), GOSSIP_OK);
    assert_int_equal(gossip_identity_create(cluster, "n1", 0, &specimen.time, &specimen.identity),
                     GOSSIP_OK);
    assert_int_equal(gossip_identity_create(cluster, "n2", 0, &specimen.time, &specimen.stranger),
                     GOSSIP_OK);
    gossip_cluster_destroy(cluster);
    assert_int_equal(virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_CREATE, explanation,
                                             sizeof(explanation), &store),
                     GOSSIP_OK);
    note_state(&specimen, store);
    for (unsigned i = 0; i < EVENTS; i++) {
        struct gossip *gossip;
        struct gossip_result result;
        uint64_t ticket;
        char text[64];

        if (i == EVENTS / 2) { /* A close copies the log into the database. */
            store->ops->close(store);
            specimen.closed = virtual_disk_copy(disk, false);
            assert_int_equal(virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_OPEN,
                                                     explanation, sizeof(explanation), &store),
                             GOSSIP_OK);
        }
        assert_int_equal(start(&specimen, specimen.identity, store, &gossip), GOSSIP_OK);
        snprintf(text, sizeof(text), "the event of number %u, and it says no more", i);
        assert_int_equal(gossip_publish(gossip, text, strlen(text), &ticket), GOSSIP_OK);
        assert_int_equal(gossip_run(gossip), GOSSIP_OK);
        assert_int_equal(gossip_result_pop(gossip, &result), 1);
        assert_int_equal(result.error, GOSSIP_OK);
        gossip_destroy(gossip);
        note_state(&specimen, store);
    }
    specimen.killed = virtual_disk_copy(disk, false);
    assert_non_null(specimen.closed);
    assert_non_null(specimen.killed);
    virtual_disk_crash(disk);
    store->ops->close(store);
    virtual_disk_destroy(disk);
    *state = &specimen;
    return 0;
}

static int free_specimen(void **state)
{
    struct specimen *specimen = *state;

    gossip_identity_destroy(specimen->identity);
    gossip_identity_destroy(specimen->stranger);
    virtual_disk_image_destroy(specimen->closed);
    virtual_disk_image_destroy(specimen->killed);
    return 0;
}

/* ---- Looking at it. ---- */

/* What becomes of a node on disk. last: the state that it should be in. */
static enum outcome examine(struct specimen *specimen, struct virtual_disk *disk, size_t last,
                            const char *story)
{
    static struct shown shown;
    struct gossip_store *store;
    struct gossip *gossip;
    char explanation[512] = "";
    unsigned faults = 0;
    uint64_t before = virtual_disk_hash(disk);
    int shows;
    int verified;
    int error = virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_OPEN, explanation,
                                        sizeof(explanation), &store);

    if (error < 0) {
        if (error != GOSSIP_ERR_DAMAGED && error != GOSSIP_ERR_FOREIGN)
            fail_msg("%s: %s (%d)", story, explanation, error);
        assert_non_null(strstr(explanation, "node.db"));
        if (virtual_disk_hash(disk) != before)
            fail_msg("%s: is refused, and is not as it was", story);
        return REFUSED_OPEN;
    }
    error = start(specimen, specimen->identity, store, &gossip);
    if (error < 0) {
        if (error != GOSSIP_ERR_DAMAGED && error != GOSSIP_ERR_FOREIGN)
            fail_msg("%s: the node refuses with %d", story, error);
        store->ops->close(store);
        return REFUSED_START;
    }
    shows = show(gossip, &shown);
    verified = gossip_verify(gossip, count_fault, &faults, NULL);
    gossip_destroy(gossip);
    store->ops->close(store);
    if (verified != GOSSIP_OK) {
        if (verified != GOSSIP_ERR_DAMAGED || faults == 0)
            fail_msg("%s: verify returns %d and shows %u faults", story, verified, faults);
        return FOUND;
    }
    if (shows != 0)
        fail_msg("%s: verifies, and cannot be read (%d)", story, shows);
    if (is_same(&shown, &specimen->states[last]))
        return SAME;
    for (size_t i = 0; i < last; i++)
        if (is_same(&shown, &specimen->states[i]))
            return EARLIER;
    fail_msg("%s: verifies, and shows what never was", story);
    return FOUND;
}

static void print_counts(const char *what, const unsigned counts[OUTCOMES])
{
    unsigned total = 0;

    for (size_t i = 0; i < OUTCOMES; i++)
        total += counts[i];
    print_message("%s: %u variants:", what, total);
    for (size_t i = 0; i < OUTCOMES; i++)
        print_message(" %u %s%s", counts[i], outcome_names[i], i + 1 < OUTCOMES ? "," : "\n");
}

static struct virtual_disk *disk_with(const struct virtual_disk_image *image)
{
    struct virtual_disk *disk = virtual_disk_create(1);

    assert_non_null(disk);
    assert_true(virtual_disk_restore(disk, image));
    return disk;
}

/* Flips bits of file name, one at a time, all over it. */
static void flip_all(struct specimen *specimen, const struct virtual_disk_image *image,
                     const char *name, size_t last, unsigned ret_counts[OUTCOMES])
{
    const char *all = getenv("GOSSIP_CRASH_ALL");
    struct virtual_disk *disk = disk_with(image);
    uint64_t bits = 8 * virtual_disk_size(disk, name);
    uint64_t step = all != NULL && strcmp(all, "1") == 0 ? 1 : bits / FLIPS_AT_LEAST;

    if (step > 1 && step % 2 == 0)
        step--; /* Odd, so that each of the eight bits has its turn. */
    for (uint64_t bit = 0; bit < bits; bit += step) {
        char story[64];

        snprintf(story, sizeof(story), "%s: bit %" PRIu64 " of byte %" PRIu64, name, bit % 8,
                 bit / 8);
        assert_true(virtual_disk_restore(disk, image));
        assert_true(virtual_disk_flip(disk, name, bit / 8, (unsigned)(bit % 8)));
        ret_counts[examine(specimen, disk, last, story)]++;
    }
    virtual_disk_destroy(disk);
}

static void test_bits_of_the_database(void **state)
{
    struct specimen *specimen = *state;
    unsigned counts[OUTCOMES] = {0};

    flip_all(specimen, specimen->closed, "node.db", EVENTS / 2, counts);
    print_counts("bits of the database", counts);
    assert_int_equal(counts[EARLIER], 0);
    assert_true(counts[REFUSED_OPEN] > 0 && counts[REFUSED_START] > 0 && counts[FOUND] > 0);
}

/* A log ends where a checksum does not fit: that sets the node back, but never to what never was.
 */
static void test_bits_of_the_log(void **state)
{
    struct specimen *specimen = *state;
    unsigned counts[OUTCOMES] = {0};

    flip_all(specimen, specimen->killed, "node.db-wal", EVENTS, counts);
    print_counts("bits of the log", counts);
    assert_true(counts[EARLIER] > 0);
}

/* The database under a log, which covers a part of it. */
static void test_bits_under_a_log(void **state)
{
    struct specimen *specimen = *state;
    unsigned counts[OUTCOMES] = {0};

    flip_all(specimen, specimen->killed, "node.db", EVENTS, counts);
    print_counts("bits of the database under a log", counts);
    assert_int_equal(counts[EARLIER], 0);
}

static void test_sound_specimen(void **state)
{
    struct specimen *specimen = *state;
    struct virtual_disk *disk = disk_with(specimen->closed);
    struct gossip_store *store;
    struct gossip *gossip;

    assert_int_equal(examine(specimen, disk, EVENTS / 2, "closed"), SAME);
    assert_int_equal(virtual_disk_size(disk, "node.db-wal"), 0);
    assert_true(virtual_disk_restore(disk, specimen->killed));
    assert_int_equal(examine(specimen, disk, EVENTS, "killed"), SAME);
    /* Of another node's key it is refused, as it is, and goes on with its own. */
    assert_int_equal(virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_OPEN, NULL, 0, &store),
                     GOSSIP_OK);
    assert_int_equal(start(specimen, specimen->stranger, store, &gossip), GOSSIP_ERR_FOREIGN);
    store->ops->close(store);
    assert_int_equal(examine(specimen, disk, EVENTS, "after a stranger"), SAME);
    virtual_disk_destroy(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound_specimen),
        cmocka_unit_test(test_bits_of_the_database),
        cmocka_unit_test(test_bits_of_the_log),
        cmocka_unit_test(test_bits_under_a_log),
    };

    return cmocka_run_group_tests_name("damage", tests, make_specimen, free_specimen);
}
