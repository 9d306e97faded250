/*
 * A node's files with one bit of them wrong, or cut off, missing, or from another time: a node that
 * opens them never crashes and never takes what is wrong for what was right. It refuses, or
 * gossip_verify() finds it, or all that it shows is what it showed before; of a log, perhaps what
 * it showed at an earlier commit, which is for the node to find out from others. And whatever it
 * shows, before anybody verifies, is what was written: it stops where that ends.
 *
 * A node that was set back so goes on under no dot that it has used: its side file tells it, unless
 * all that is lost was written in one boot, when only its peers can (stories_disks).
 *
 * GOSSIP_CRASH_ALL=1 flips all bits of all bytes, and cuts at every length.
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
    CUTS_AT_LEAST = 2000,
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
    size_t events_size; /* Of that, the events: first. */
};

/* What is looked at: a store that was closed, or one whose process was killed. */
struct specimen {
    struct gossip_time time; /* First: it is what the node sees. */
    struct splitmix lots;
    struct gossip_identity *identity;
    struct gossip_identity *stranger;
    struct virtual_disk_image *closed;
    struct virtual_disk_image *killed;
    struct virtual_disk_image *foreign; /* The same of another node, killed. */
    struct virtual_disk_image *later;   /* What was killed, started and closed; no log. */
    struct shown states[STATES];
    size_t state_count;
    uint8_t author[GOSSIP_ID_SIZE]; /* Of all events. */
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
        for (size_t i = 0; i < event.clock->count; i++) {
            put(shown, &event.clock->authors[i], sizeof(event.clock->authors[i]));
            put(shown, &event.clock->counters[i], sizeof(event.clock->counters[i]));
        }
    }
    shown->events_size = shown->size;
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

/* Whether the events are the first of those of whole. */
static bool begins_with(const struct shown *whole, const struct shown *events)
{
    return events->events_size <= whole->events_size &&
           memcmp(events->bytes, whole->bytes, events->events_size) == 0;
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
    struct gossip_author self;

    assert_true(specimen->state_count < STATES);
    assert_int_equal(start(specimen, specimen->identity, store, &gossip), GOSSIP_OK);
    assert_int_equal(show(gossip, &specimen->states[specimen->state_count++]), 0);
    assert_int_equal(gossip_author(gossip, gossip_self(gossip), &self), GOSSIP_OK);
    memcpy(specimen->author, self.id, GOSSIP_ID_SIZE);
    gossip_destroy(gossip);
}

/* Publishes one event in a boot of its own; which author it is of, and its number. */
static uint64_t write_one(struct specimen *specimen, const struct gossip_identity *identity,
                          struct gossip_store *store, uint8_t ret_author[GOSSIP_ID_SIZE])
{
    struct gossip *gossip;
    struct gossip_author self;
    struct gossip_result result;
    uint64_t ticket;

    assert_int_equal(start(specimen, identity, store, &gossip), GOSSIP_OK);
    assert_int_equal(gossip_publish(gossip, "one more", 8, &ticket), GOSSIP_OK);
    assert_int_equal(gossip_run(gossip), GOSSIP_OK);
    assert_int_equal(gossip_result_pop(gossip, &result), 1);
    assert_int_equal(result.error, GOSSIP_OK);
    assert_int_equal(gossip_author(gossip, gossip_self(gossip), &self), GOSSIP_OK);
    memcpy(ret_author, self.id, GOSSIP_ID_SIZE);
    gossip_destroy(gossip);
    return result.dot.seq;
}

static void make_others(struct specimen *specimen)
{
    uint8_t author[GOSSIP_ID_SIZE];
    struct virtual_disk *disk = virtual_disk_create(2);
    struct gossip_store *store;

    assert_non_null(disk);
    assert_int_equal(
        virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_CREATE, NULL, 0, &store), GOSSIP_OK);
    for (unsigned i = 0; i < EVENTS; i++)
        assert_true(write_one(specimen, specimen->stranger, store, author) == i + 1);
    specimen->foreign = virtual_disk_copy(disk, false);
    assert_non_null(specimen->foreign);
    virtual_disk_crash(disk);
    store->ops->close(store);
    virtual_disk_destroy(disk);

    disk = virtual_disk_create(1);
    assert_non_null(disk);
    assert_true(virtual_disk_restore(disk, specimen->killed));
    assert_int_equal(virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_OPEN, NULL, 0, &store),
                     GOSSIP_OK);
    store->ops->close(store);
    specimen->later = virtual_disk_copy(disk, false);
    assert_non_null(specimen->later);
    virtual_disk_destroy(disk);
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
    make_others(&specimen);
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
    virtual_disk_image_destroy(specimen->foreign);
    virtual_disk_image_destroy(specimen->later);
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
    if (!begins_with(&specimen->states[last], &shown))
        fail_msg("%s: shows an event that never was", story);
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

/* A file that ends too early, wherever it ends. */
static void cut_all(struct specimen *specimen, const struct virtual_disk_image *image,
                    const char *name, size_t last, unsigned ret_counts[OUTCOMES])
{
    const char *all = getenv("GOSSIP_CRASH_ALL");
    struct virtual_disk *disk = disk_with(image);
    uint64_t size = virtual_disk_size(disk, name);
    uint64_t step = all != NULL && strcmp(all, "1") == 0 ? 1 : size / CUTS_AT_LEAST;

    for (uint64_t length = 0; length < size; length++) {
        char story[64];

        /* The header and the ends of pages matter most. */
        if (length > 128 && length % step != 0 && (length + 1) % 512 > 2)
            continue;
        snprintf(story, sizeof(story), "%s: cut off at %" PRIu64, name, length);
        assert_true(virtual_disk_restore(disk, image));
        assert_true(virtual_disk_cut(disk, name, length));
        ret_counts[examine(specimen, disk, last, story)]++;
    }
    virtual_disk_destroy(disk);
}

/* D12. Nothing of it is taken for a new store, nor for an earlier one. */
static void test_ends_of_the_database(void **state)
{
    struct specimen *specimen = *state;
    unsigned counts[OUTCOMES] = {0};

    cut_all(specimen, specimen->closed, "node.db", EVENTS / 2, counts);
    print_counts("ends of the database", counts);
    /* Without effect where an empty last page loses some of its zeros, and only there. */
    assert_int_equal(counts[EARLIER], 0);
    assert_true(counts[SAME] <= 4096 && counts[REFUSED_OPEN] > counts[SAME]);
}

/* D11. */
static void test_ends_of_the_log(void **state)
{
    struct specimen *specimen = *state;
    unsigned counts[OUTCOMES] = {0};

    cut_all(specimen, specimen->killed, "node.db-wal", EVENTS, counts);
    print_counts("ends of the log", counts);
    assert_int_equal(counts[REFUSED_OPEN] + counts[REFUSED_START] + counts[FOUND], 0);
    assert_true(counts[EARLIER] > 0);
}

/* What the node of disk writes next is no event of its that ever was. */
static void assert_no_dot_again(struct specimen *specimen, struct virtual_disk *disk,
                                const char *story)
{
    uint8_t author[GOSSIP_ID_SIZE];
    struct gossip_store *store;
    uint64_t seq;

    assert_int_equal(virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_OPEN, NULL, 0, &store),
                     GOSSIP_OK);
    seq = write_one(specimen, specimen->identity, store, author);
    store->ops->close(store);
    if (seq <= EVENTS && memcmp(author, specimen->author, GOSSIP_ID_SIZE) == 0)
        fail_msg("%s: event %" PRIu64 " is written twice", story, seq);
}

/* D11: the log has gone, is another node's, or from another time, beside the database and the side
 * file of this node. It refuses, or finds it, or is set back; then it goes on in a new epoch. */
static void test_other_logs(void **state)
{
    struct specimen *specimen = *state;
    const struct {
        const struct virtual_disk_image *database;
        const struct virtual_disk_image *log; /* NULL: none. */
        size_t last;
        const char *story;
    } cases[] = {
        {specimen->killed, NULL, EVENTS, "the log has gone"},
        {specimen->killed, specimen->foreign, EVENTS, "the log is another node's"},
        {specimen->later, specimen->killed, EVENTS, "the log was in the database already"},
        {specimen->later, specimen->foreign, EVENTS, "the log is another node's, and not needed"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct virtual_disk *disk =
            disk_with(cases[i].log == NULL ? specimen->later : cases[i].log);
        enum outcome outcome;

        assert_true(virtual_disk_restore_but(disk, cases[i].database, "node.db-wal"));
        assert_int_equal(virtual_disk_size(disk, "node.db-wal") > 0, cases[i].log != NULL);
        outcome = examine(specimen, disk, cases[i].last, cases[i].story);
        print_message("%s: %s\n", cases[i].story, outcome_names[outcome]);
        assert_true(virtual_disk_restore_but(disk, cases[i].database, "node.db-wal"));
        if (outcome == SAME || outcome == EARLIER)
            assert_no_dot_again(specimen, disk, cases[i].story);
        virtual_disk_destroy(disk);
    }
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
        cmocka_unit_test(test_sound_specimen),       cmocka_unit_test(test_bits_of_the_database),
        cmocka_unit_test(test_bits_of_the_log),      cmocka_unit_test(test_bits_under_a_log),
        cmocka_unit_test(test_ends_of_the_database), cmocka_unit_test(test_ends_of_the_log),
        cmocka_unit_test(test_other_logs),
    };

    return cmocka_run_group_tests_name("damage", tests, make_specimen, free_specimen);
}
