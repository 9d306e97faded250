/*
 * The history that clocks are judged by: its sets and counts do what a naive model does, and it
 * tells right clocks from wrong ones.
 */
#include "cmd/lab/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/splitmix.h"
#include "tests/hand_made.h"
#include "tests/property.h"

enum {
    MODEL_SIZE = 700,
    MODEL_STEPS = 20000,
    EVENTS = 300,
};

/* ---- Sets and counts. ---- */

static uint32_t model_missing(const bool *a, const bool *b, uint32_t first)
{
    for (uint32_t i = first; i < MODEL_SIZE; i++) {
        if (a[i] && !b[i])
            return i;
    }
    return HISTORY_NONE;
}

static void test_sets(void **state)
{
    static bool models[3][MODEL_SIZE];
    struct event_set sets[3] = {{0}};
    uint64_t lots = random_start();

    (void)state;
    for (unsigned step = 0; step < MODEL_STEPS; step++) {
        unsigned a = (unsigned)random_below(&lots, 3);
        unsigned b = (unsigned)random_below(&lots, 3);
        uint32_t event = (uint32_t)random_below(&lots, MODEL_SIZE);

        switch (random_below(&lots, 40)) {
        case 0:
            if (a != b)
                event_set_copy(&sets[a], &sets[b]);
            memcpy(models[a], models[b], a == b ? 0 : sizeof(models[a]));
            break;
        case 1:
            event_set_clear(&sets[a]);
            memset(models[a], 0, sizeof(models[a]));
            break;
        case 2: /* Most of it goes, so that a copy is narrower than what it is copied to. */
            for (uint32_t i = event / 2; i < MODEL_SIZE; i++) {
                event_set_remove(&sets[a], i);
                models[a][i] = false;
            }
            break;
        default:
            models[a][event] = random_below(&lots, 3) != 0;
            if (models[a][event])
                event_set_add(&sets[a], event);
            else
                event_set_remove(&sets[a], event);
            break;
        }
        event = (uint32_t)random_below(&lots, MODEL_SIZE);
        assert_int_equal(event_set_has(&sets[a], event), models[a][event]);
        assert_int_equal(event_set_missing(&sets[a], &sets[b], 0),
                         model_missing(models[a], models[b], 0));
        assert_int_equal(event_set_missing(&sets[a], &sets[b], event),
                         model_missing(models[a], models[b], event));
    }
    for (unsigned i = 0; i < 3; i++) {
        for (uint32_t j = 0; j < MODEL_SIZE; j++)
            assert_int_equal(event_set_has(&sets[i], j), models[i][j]);
        assert_false(event_set_has(&sets[i], 1000000));
        event_set_clear(&sets[i]);
    }
}

static void test_counts(void **state)
{
    static uint64_t models[3][MODEL_SIZE];
    struct counts counts[3] = {{0}};
    uint64_t lots = random_start();

    (void)state;
    for (unsigned step = 0; step < MODEL_STEPS; step++) {
        unsigned a = (unsigned)random_below(&lots, 3);
        unsigned b = (unsigned)random_below(&lots, 3);
        uint32_t author = (uint32_t)random_below(&lots, MODEL_SIZE);
        uint64_t count = random_below(&lots, 3) * random_below(&lots, 5);

        switch (random_below(&lots, 40)) {
        case 0:
            if (a != b)
                counts_copy(&counts[a], &counts[b]);
            memcpy(models[a], models[b], a == b ? 0 : sizeof(models[a]));
            assert_true(counts_equal(&counts[a], &counts[b]));
            break;
        case 1:
            counts_clear(&counts[a]);
            memset(models[a], 0, sizeof(models[a]));
            break;
        case 2:
            for (uint32_t i = author / 2; i < MODEL_SIZE; i++)
                counts_set(&counts[a], i, 0);
            memset(models[a] + author / 2, 0, (MODEL_SIZE - author / 2) * sizeof(models[a][0]));
            break;
        default:
            counts_set(&counts[a], author, count);
            models[a][author] = count;
            break;
        }
        author = (uint32_t)random_below(&lots, MODEL_SIZE);
        assert_int_equal(counts_get(&counts[a], author), models[a][author]);
        assert_int_equal(counts_equal(&counts[a], &counts[b]),
                         memcmp(models[a], models[b], sizeof(models[a])) == 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(counts_get(&counts[i], 1000000), 0);
        counts_clear(&counts[i]);
    }
}

/* ---- Histories by hand. ---- */

/* Nodes of one author each, which deliver each other's events. */
struct village {
    struct history history;
    struct splitmix lots;
    struct hand_author authors[HAND_AUTHORS];
    struct event_set delivered[HAND_AUTHORS];
    struct counts have[HAND_AUTHORS];
    uint64_t clocks[HAND_AUTHORS][HAND_AUTHORS]; /* The same as have, as plain numbers. */
};

static struct village *village_create(uint64_t seed)
{
    struct village *village = calloc(1, sizeof(*village));

    assert_non_null(village);
    village->lots = (struct splitmix){seed};
    for (uint32_t i = 0; i < HAND_AUTHORS; i++) {
        village->authors[i].id[0] = (uint8_t)(i + 1);
        assert_int_equal(history_add_author(&village->history, village->authors[i].id,
                                            village->authors[i].id, i),
                         i);
    }
    return village;
}

static void village_destroy(struct village *village)
{
    for (unsigned i = 0; i < HAND_AUTHORS; i++) {
        event_set_clear(&village->delivered[i]);
        counts_clear(&village->have[i]);
    }
    history_clear(&village->history);
    free(village);
}

static void village_deliver(struct village *village, unsigned node, uint32_t event)
{
    const struct history_event *delivered = &village->history.events[event];

    event_set_add(&village->delivered[node], event);
    counts_set(&village->have[node], delivered->author, delivered->seq);
    village->clocks[node][delivered->author] = delivered->seq;
}

/* node delivers what other has and it has not, in the order in which it was written. */
static void village_meet(struct village *village, unsigned node, unsigned other)
{
    for (uint32_t i = 0; i < village->history.event_count; i++) {
        if (event_set_has(&village->delivered[other], i) &&
            !event_set_has(&village->delivered[node], i))
            village_deliver(village, node, i);
    }
}

/* node writes an event that says it has seen what claims says. */
static uint32_t village_write(struct village *village, unsigned node,
                              const uint64_t claims[HAND_AUTHORS])
{
    struct hand_event written;
    char reason[HISTORY_TEXT_MAX];
    uint32_t event;

    hand_write(village->authors, node, village->history.event_count + 1, claims, "what happened",
               &written);
    event = history_add(&village->history, node,
                        history_find(&village->history, node, written.record.seq - 1), node,
                        village->history.event_count, &written.record, &village->delivered[node],
                        &village->have[node], reason);
    if (event == HISTORY_NONE)
        fail_msg("%s", reason);
    village_deliver(village, node, event);
    return event;
}

static uint32_t village_write_right(struct village *village, unsigned node)
{
    return village_write(village, node, village->clocks[node]);
}

/* Anybody writes, or hears all that another has. Returns who. */
static unsigned village_wander(struct village *village)
{
    unsigned node = (unsigned)splitmix_below(&village->lots, HAND_AUTHORS);
    unsigned other = (unsigned)splitmix_below(&village->lots, HAND_AUTHORS);

    if (splitmix_below(&village->lots, 3) == 0)
        village_meet(village, node, other);
    return node;
}

static void test_right_clocks_fit(void **state)
{
    struct village *village = village_create(random_start());
    struct history *history = &village->history;
    uint64_t pairs = 0;
    unsigned ordered = 0;

    (void)state;
    while (history->event_count < EVENTS) {
        unsigned node = village_wander(village);
        struct event_set past = {0};
        uint32_t event;

        event_set_copy(&past, &village->delivered[node]);
        event = village_write_right(village, node);
        assert_int_equal(history_check(history, event, &village->lots), HISTORY_NONE);
        for (uint32_t i = 0; i < event; i++) {
            assert_int_equal(history_before(history, i, event), event_set_has(&past, i));
            assert_int_equal(history_claims_before(history, i, event), event_set_has(&past, i));
            assert_false(history_before(history, event, i));
            assert_false(history_claims_before(history, event, i));
            ordered += event_set_has(&past, i);
        }
        assert_false(history_claims_before(history, event, event));
        pairs += event;
        event_set_clear(&past);
    }
    assert_int_equal(history->pairs, pairs);
    assert_int_equal(history->pairs_exact, pairs);
    /* Else it would all be for nothing. */
    assert_true(ordered > pairs / 10 && ordered < pairs - pairs / 10);
    village_destroy(village);
}

/* A clock that counts one event too many, of somebody else's. */
static void test_clock_ahead(void **state)
{
    uint64_t seed = random_start();

    (void)state;
    for (unsigned run = 0; run < 100; run++) {
        struct village *village = village_create(seed + run);
        struct history *history = &village->history;
        uint64_t claims[HAND_AUTHORS];
        unsigned node;
        unsigned other;
        uint32_t event;
        uint32_t found;

        do {
            node = village_wander(village);
            other = (unsigned)splitmix_below(&village->lots, HAND_AUTHORS);
            if (village->clocks[node][other] < history->authors[other].count)
                break;
            village_write_right(village, node);
        } while (true);
        memcpy(claims, village->clocks[node], sizeof(claims));
        claims[other]++;
        event = village_write(village, node, claims);
        found = history_check(history, event, &village->lots);
        assert_int_equal(found, history_find(history, other, claims[other]));
        assert_true(history_claims_before(history, found, event));
        assert_false(history_before(history, found, event));
        village_destroy(village);
    }
}

/* A clock that does not count something that was delivered. */
static void test_clock_behind(void **state)
{
    uint64_t seed = random_start();

    (void)state;
    for (unsigned run = 0; run < 100; run++) {
        struct village *village = village_create(seed + run);
        struct history *history = &village->history;
        uint64_t claims[HAND_AUTHORS];
        unsigned node;
        unsigned other;
        uint32_t event;
        uint32_t found;

        do {
            node = village_wander(village);
            other = (unsigned)splitmix_below(&village->lots, HAND_AUTHORS);
            if (other != node && village->clocks[node][other] > village->authors[node].said[other])
                break;
            village_write_right(village, node);
        } while (true);
        memcpy(claims, village->clocks[node], sizeof(claims));
        claims[other]--;
        event = village_write(village, node, claims);
        found = history_check(history, event, &village->lots);
        assert_int_equal(found, history_find(history, other, village->clocks[node][other]));
        assert_false(history_claims_before(history, found, event));
        assert_true(history_before(history, found, event));
        village_destroy(village);
    }
}

/* A clock that names what does not exist yet shows when that is written. */
static void test_clock_of_the_future(void **state)
{
    struct village *village = village_create(1);
    struct history *history = &village->history;
    uint32_t event;

    (void)state;
    village_write_right(village, 1);
    village_meet(village, 0, 1);
    event = village_write(village, 0, (const uint64_t[HAND_AUTHORS]){0, 2, 0, 0});
    assert_int_equal(history_check(history, event, &village->lots), HISTORY_NONE);
    assert_int_equal(history_check(history, village_write_right(village, 1), &village->lots),
                     event);
    village_destroy(village);
}

/* Past HISTORY_EXACT pairs are drawn, and a clock that is wrong about many of them is found. */
static void test_beyond_exact(void **state)
{
    static const uint64_t nothing[HAND_AUTHORS];
    struct village *village = village_create(random_start());
    struct history *history = &village->history;
    uint64_t claims[HAND_AUTHORS] = {0};
    uint32_t event;
    uint32_t found;

    (void)state;
    /* 0 and 1 know each other, 2 and 3 have heard nobody. */
    while (history->event_count < HISTORY_EXACT) {
        village_write_right(village, (unsigned)history->event_count % HAND_AUTHORS);
        if (history->event_count % 1000 == 998)
            village_meet(village, 0, 1);
    }
    village_meet(village, 0, 1);
    event = village_write_right(village, 0);
    assert_int_equal(event, HISTORY_EXACT);
    assert_int_equal(history->events[event].past.capacity, 0);
    assert_int_equal(history_check(history, event, &village->lots), HISTORY_NONE);
    assert_int_equal(history->pairs, 512);
    assert_int_equal(history->pairs_exact, 0);
    assert_true(history_before(history, event - 4, event));
    assert_false(history_before(history, event - 1, event));
    assert_false(history_before(history, event, event - 1));

    /* Three heard everything that One has, and does not say so. */
    village_meet(village, 3, 1);
    event = village_write(village, 3, nothing);
    found = history_check(history, event, &village->lots);
    assert_true(found != HISTORY_NONE);
    assert_true(history_before(history, found, event));
    assert_false(history_claims_before(history, found, event));

    /* Two has heard nothing, and says it has heard One. */
    claims[1] = village->clocks[1][1];
    event = village_write(village, 2, claims);
    found = history_check(history, event, &village->lots);
    assert_true(found != HISTORY_NONE);
    assert_int_equal(history->events[found].author, 1);
    assert_false(history_before(history, found, event));
    assert_true(history_claims_before(history, found, event));
    assert_int_equal(history->pairs_exact, 0);
    village_destroy(village);
}

/* What nobody has seen may be written again, another way; what it named for the first time too. */
static void test_forgotten(void **state)
{
    struct village *village = village_create(1);
    struct history *history = &village->history;
    struct hand_author before;
    uint32_t first;
    uint32_t again;

    (void)state;
    village_write_right(village, 1);
    first = village_write_right(village, 0);
    village_meet(village, 0, 1);
    before = village->authors[0];
    again = village_write_right(village, 0);
    assert_int_equal(history->events[again].mention_count, 1);

    history_forget(history, again);
    assert_true(history->events[again].is_void);
    assert_int_equal(history->authors[0].count, 1);
    assert_int_equal(history_find(history, 0, 2), HISTORY_NONE);
    event_set_remove(&village->delivered[0], again);
    counts_set(&village->have[0], 0, 1);
    village->clocks[0][0] = 1;

    /* It wakes before it has heard of One, and the void event is not held against it. */
    village->authors[0] = before;
    event_set_remove(&village->delivered[0], 0);
    counts_set(&village->have[0], 1, 0);
    village->clocks[0][1] = 0;
    again = village_write_right(village, 0);
    assert_int_equal(history->events[again].seq, 2);
    assert_int_equal(history_find(history, 0, 2), again);
    history->pairs = 0;
    assert_int_equal(history_check(history, again, &village->lots), HISTORY_NONE);
    assert_int_equal(history->pairs, 2);
    assert_true(history_before(history, first, again));
    village_destroy(village);
}

/* A node forgets what it has written last, and writes another event under the same dot. */
static uint32_t village_fork(struct village *village, unsigned node, struct hand_author before)
{
    village->authors[node] = before;
    counts_set(&village->have[node], node, before.seq);
    village->clocks[node][node] = before.seq;
    return village_write_right(village, node);
}

/* One dot, two contents: each is an event of its own, with a chain of its own, and of neither of
 * them, nor of what follows them, is it asked what happened before what. */
static void test_forked(void **state)
{
    struct village *village = village_create(1);
    struct history *history = &village->history;
    struct hand_author before;
    uint32_t first;
    uint32_t second;
    uint32_t third;

    (void)state;
    village_write_right(village, 1);
    first = village_write_right(village, 0);
    before = village->authors[0];
    village_meet(village, 0, 1);
    second = village_write_right(village, 0);
    assert_int_equal(history->authors[0].fork, 0);
    assert_false(history_is_contested(history, 0, 2));
    event_set_remove(&village->delivered[0], second);
    event_set_remove(&village->delivered[0], 0);
    counts_set(&village->have[0], 1, 0);
    village->clocks[0][1] = 0;
    third = village_fork(village, 0, before);

    assert_int_equal(history->authors[0].fork, 2);
    assert_int_equal(history->authors[0].count, 2);
    assert_true(history_is_forked(history, 0, 2));
    assert_false(history_is_forked(history, 0, 1));
    assert_false(history_is_forked(history, 0, 3));
    assert_false(history_is_contested(history, 0, 1));
    assert_true(history_is_contested(history, 0, 2));
    assert_true(history_is_contested(history, 0, 17));
    assert_int_equal(history_find(history, 0, 2), second);
    assert_int_equal(history_find_content(history, 0, 2, history->events[second].hash), second);
    assert_int_equal(history_find_content(history, 0, 2, history->events[third].hash), third);
    assert_int_equal(history_find_content(history, 0, 2, history->events[first].hash),
                     HISTORY_NONE);
    assert_int_equal(history->events[second].before, first);
    assert_int_equal(history->events[third].before, first);
    assert_int_equal(history->events[second].mention_count, 1);
    assert_int_equal(history->events[third].mention_count, 0);
    history->pairs = 0;
    assert_int_equal(history_check(history, third, &village->lots), HISTORY_NONE);
    assert_int_equal(history->pairs, 0);
    /* Of others' events the contested ones are left out. */
    village_meet(village, 2, 0);
    assert_int_equal(history_check(history, village_write_right(village, 2), &village->lots),
                     HISTORY_NONE);
    assert_int_equal(history->pairs, 2);

    history_forget(history, second);
    assert_int_equal(history->authors[0].fork, 0);
    assert_int_equal(history_find(history, 0, 2), third);
    village_destroy(village);
}

static void test_evicted(void **state)
{
    struct village *village = village_create(1);
    struct history *history = &village->history;

    (void)state;
    village_write_right(village, 1);
    village_write_right(village, 1);
    history_evict(history, 1, 3);
    assert_false(history_is_contested(history, 1, 2));
    history_evict(history, 1, 2);
    history_evict(history, 1, 3);
    assert_true(history_is_contested(history, 1, 2));
    assert_false(history_is_contested(history, 1, 1));
    assert_false(history_is_contested(history, 0, 2));
    village_meet(village, 0, 1);
    history->pairs = 0;
    assert_int_equal(history_check(history, village_write_right(village, 0), &village->lots),
                     HISTORY_NONE);
    assert_int_equal(history->pairs, 1);
    village_destroy(village);
}

static void test_unreadable(void **state)
{
    static const uint64_t claims[HAND_AUTHORS] = {0, 1, 0, 0};
    struct village *village = village_create(1);
    struct hand_author stranger[HAND_AUTHORS];
    struct hand_event written;
    char reason[HISTORY_TEXT_MAX];

    (void)state;
    village_write_right(village, 1);
    memcpy(stranger, village->authors, sizeof(stranger));
    stranger[1].id[0] = 99;
    hand_write(stranger, 0, 1, claims, "", &written);
    assert_int_equal(history_add(&village->history, 0, HISTORY_NONE, 0, 0, &written.record,
                                 &village->delivered[0], &village->have[0], reason),
                     HISTORY_NONE);
    assert_string_equal(reason, "it names an author that there is not");

    memcpy(stranger, village->authors, sizeof(stranger));
    stranger[0].mentions[1] = 3;
    stranger[0].mention_count = 3;
    hand_write(stranger, 0, 1, claims, "", &written);
    assert_int_equal(history_add(&village->history, 0, HISTORY_NONE, 0, 0, &written.record,
                                 &village->delivered[0], &village->have[0], reason),
                     HISTORY_NONE);
    assert_string_equal(reason, "it names its mention 3 and has made 0");

    written.record.body_size = 7;
    assert_int_equal(history_add(&village->history, 0, HISTORY_NONE, 0, 0, &written.record,
                                 &village->delivered[0], &village->have[0], reason),
                     HISTORY_NONE);
    assert_string_equal(reason, "its body has no frame");
    assert_int_equal(village->history.event_count, 1);
    assert_int_equal(village->history.authors[0].count, 0);
    village_destroy(village);
}

static void test_texts(void **state)
{
    static const uint8_t second_id[GOSSIP_ID_SIZE] = {77};
    struct village *village = village_create(1);
    struct history *history = &village->history;
    char text[HISTORY_TEXT_MAX];
    uint32_t second;

    (void)state;
    second = history_add_author(history, second_id, second_id, 1);
    assert_int_equal(history_find_author(history, second_id), second);
    assert_int_equal(history->authors[second].ordinal, 1);
    history_dot_text(history, 1, 17, text, sizeof(text));
    assert_string_equal(text, "n2:17");
    history_dot_text(history, second, 1, text, sizeof(text));
    assert_string_equal(text, "n2'1:1");

    history_counts_text(history, &village->have[0], text, sizeof(text));
    assert_string_equal(text, "{}");
    village_write_right(village, 0);
    village_meet(village, 1, 0);
    village_write_right(village, 1);
    history_counts_text(history, &village->have[1], text, sizeof(text));
    assert_string_equal(text, "{n1:1 n2:1}");
    history_event_text(history, 1, text, sizeof(text));
    assert_non_null(strstr(text, "n2:1, written at 0.001 s, "));
    assert_non_null(strstr(text, "clock {n1:1 n2:1}, its past {n1:1}"));
    village_destroy(village);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_right_clocks_fit),
        cmocka_unit_test(test_clock_ahead),
        cmocka_unit_test(test_clock_behind),
        cmocka_unit_test(test_clock_of_the_future),
        cmocka_unit_test(test_beyond_exact),
        cmocka_unit_test(test_forgotten),
        cmocka_unit_test(test_forked),
        cmocka_unit_test(test_evicted),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
