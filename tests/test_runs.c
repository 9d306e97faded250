#include "gossip/runs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/allocation.h"
#include "tests/property.h"

enum {
    AUTHORS = 5,
    FIRSTS = 90, /* Different runs of an author: more in all than may be held. */
    SIZE_MAX_SMALL = 90,
    SOURCES = 3,
};

/* A run as a map of bytes. */
struct model_run {
    size_t author;
    uint64_t first;
    uint64_t last;
    uint32_t size;
    uint8_t *arrived; /* 1 for each byte that has. */
    uint8_t *data;
    bool has_seal;
    bool has_introduction;
    uint32_t source;
    uint64_t touched_ms;
};

struct model {
    struct model_run runs[GOSSIP_RUNS_HELD + 1]; /* The one touched last is the first. */
    size_t count;
};

static uint8_t ids[AUTHORS][GOSSIP_ID_SIZE];
static const uint8_t seal[GOSSIP_SIGNATURE_SIZE] = {1, 2, 3};
static const uint8_t key[GOSSIP_KEY_SIZE] = {4, 5, 6};
static const uint8_t epoch[GOSSIP_EPOCH_SIZE] = {7, 8, 9};
static const uint8_t previous[GOSSIP_HASH_SIZE] = {10, 11, 12};

static void model_free_at(struct model *model, size_t index)
{
    free(model->runs[index].arrived);
    free(model->runs[index].data);
    memmove(&model->runs[index], &model->runs[index + 1],
            (model->count - index - 1) * sizeof(model->runs[0]));
    model->count--;
}

static void model_clear(struct model *model)
{
    while (model->count > 0)
        model_free_at(model, model->count - 1);
}

static size_t model_find(const struct model *model, size_t author, uint64_t first, uint64_t last,
                         uint32_t source)
{
    for (size_t i = 0; i < model->count; i++) {
        if (model->runs[i].author == author && model->runs[i].first == first &&
            model->runs[i].last == last && model->runs[i].source == source)
            return i;
    }
    return model->count;
}

/* Takes in a part as runs_take() should. Does not let go of anything. */
static enum runs_outcome model_take(struct model *model, size_t author,
                                    const struct wire_run_part *part, uint32_t source,
                                    uint64_t now_ms)
{
    size_t index = model_find(model, author, part->first, part->last, source);
    struct model_run run = {.author = author,
                            .first = part->first,
                            .last = part->last,
                            .size = part->size,
                            .source = source};
    bool is_new = false;

    if (index < model->count) {
        run = model->runs[index];
        if (run.size != part->size)
            return RUNS_CONFLICT;
    } else {
        run.arrived = calloc(1, part->size);
        run.data = calloc(1, part->size);
        assert_true(run.arrived != NULL && run.data != NULL);
    }
    for (size_t i = 0; i < part->data.size; i++)
        is_new = is_new || run.arrived[part->offset + i] == 0;
    is_new = is_new || (part->seal != NULL && !run.has_seal) ||
             (part->has_introduction && !run.has_introduction);
    if (!is_new)
        return RUNS_DUPLICATE;
    memset(run.arrived + part->offset, 1, part->data.size);
    memcpy(run.data + part->offset, part->data.data, part->data.size);
    run.has_seal = run.has_seal || part->seal != NULL;
    run.has_introduction = run.has_introduction || part->has_introduction;
    run.touched_ms = now_ms;
    if (index == model->count)
        model->count++;
    memmove(&model->runs[1], &model->runs[0], index * sizeof(model->runs[0]));
    model->runs[0] = run;
    return RUNS_NEW;
}

/* Lets go as runs_take() should when there are too many: of the peer that has most, what was
 * touched longest ago; of several such peers, the one that was heard last, but not of the first run
 * of all. Returns how many. */
static size_t model_trim(struct model *model)
{
    size_t dropped = 0;

    while (model->count > GOSSIP_RUNS_HELD) {
        size_t held[SOURCES] = {0};
        size_t greatest = SOURCES;
        size_t oldest = 0;

        for (size_t i = 0; i < model->count; i++)
            held[model->runs[i].source]++;
        for (size_t i = 1; i < model->count; i++) {
            uint32_t source = model->runs[i].source;

            if (greatest == SOURCES || held[source] > held[greatest])
                greatest = source;
        }
        for (size_t i = 1; i < model->count; i++) {
            if (model->runs[i].source == greatest)
                oldest = i;
        }
        model_free_at(model, oldest);
        dropped++;
    }
    return dropped;
}

static void check_run(const struct run *run, const struct model_run *model)
{
    struct wire_gap gaps[SIZE_MAX_SMALL];
    size_t count = run_gaps(run, gaps, sizeof(gaps) / sizeof(gaps[0]));
    size_t gap = 0;
    bool is_whole = true;

    assert_memory_equal(run->author, ids[model->author], GOSSIP_ID_SIZE);
    assert_true(run->first == model->first && run->last == model->last);
    assert_int_equal(run->size, model->size);
    assert_int_equal(run->has_seal, model->has_seal);
    assert_int_equal(run->has_introduction, model->has_introduction);
    assert_int_equal(run->source, model->source);
    assert_true(run->touched_ms == model->touched_ms);
    if (model->has_seal)
        assert_memory_equal(run->seal, seal, sizeof(seal));
    if (model->has_introduction) {
        assert_memory_equal(run->key, key, sizeof(key));
        assert_memory_equal(run->epoch, epoch, sizeof(epoch));
    }
    if (model->arrived[0])
        assert_memory_equal(run->previous, previous, sizeof(previous));
    for (uint32_t i = 0; i < model->size;) {
        uint32_t start = i;

        if (model->arrived[i]) {
            assert_int_equal(run->data[i], model->data[i]);
            i++;
            continue;
        }
        while (i < model->size && !model->arrived[i])
            i++;
        assert_true(gap < count);
        assert_int_equal(gaps[gap].offset, start);
        assert_int_equal(gaps[gap].size, i - start);
        gap++;
        is_whole = false;
    }
    assert_int_equal(gap, count);
    assert_int_equal(run_is_whole(run), is_whole);
    if (count > 1) { /* With less room it shows the first ones, and tells how many there are. */
        struct wire_gap few[1];

        assert_int_equal(run_gaps(run, few, 1), count);
        assert_int_equal(few[0].offset, gaps[0].offset);
        assert_int_equal(run_gaps(run, NULL, 0), count);
    }
}

/* What is held adds up, and is not too much. */
static void check_bounds(const struct runs *runs)
{
    size_t count = 0;
    size_t bytes = 0;

    for (const struct run *run = runs->first; run != NULL; run = run->next) {
        count++;
        bytes += sizeof(*run) + run->capacity + run->piece_capacity * sizeof(*run->pieces);
        assert_true(run->capacity <= run->size);
        assert_true(run->piece_count <= run->piece_capacity);
        assert_true(run->piece_count <= RUN_PIECES_MAX);
        for (size_t i = 0; i < run->piece_count; i++) {
            assert_true(run->pieces[i].start < run->pieces[i].end);
            assert_true(run->pieces[i].end <= run->capacity);
            assert_true(i == 0 || run->pieces[i - 1].end < run->pieces[i].start);
        }
    }
    assert_int_equal(count, runs->count);
    assert_int_equal(bytes, runs->bytes);
    assert_true(count <= GOSSIP_RUNS_HELD);
    assert_true(bytes <= GOSSIP_RUNS_BYTES);
}

static void check_all(const struct runs *runs, const struct model *model)
{
    const struct run *run = runs->first;

    check_bounds(runs);
    assert_int_equal(runs->count, model->count);
    for (size_t i = 0; i < model->count; i++, run = run->next)
        check_run(run, &model->runs[i]);
}

static bool model_is_whole(const struct model_run *run)
{
    return memchr(run->arrived, 0, run->size) == NULL;
}

/* What is found: of one peer's runs that do not end before seq the one that begins first; and of
 * all that cover seq one that is whole. */
static void check_at(const struct runs *runs, const struct model *model, size_t author,
                     uint64_t seq, uint32_t source)
{
    const struct run *found = runs_at(runs, ids[author], seq, source);
    const struct run *whole = runs_whole_at(runs, ids[author], seq);
    const struct model_run *expected = NULL;
    bool any_whole = false;

    for (size_t i = 0; i < model->count; i++) {
        const struct model_run *run = &model->runs[i];

        if (run->author != author || run->last < seq)
            continue;
        any_whole = any_whole || (run->first <= seq && model_is_whole(run));
        if (run->source == source && (expected == NULL || run->first < expected->first))
            expected = run;
    }
    assert_int_equal(found == NULL, expected == NULL);
    if (found != NULL) {
        assert_true(found->first == expected->first);
        assert_true(found->last >= seq);
        assert_int_equal(found->source, source);
        assert_memory_equal(found->author, ids[author], GOSSIP_ID_SIZE);
    }
    assert_int_equal(whole != NULL, any_whole);
    if (whole != NULL) {
        assert_true(run_is_whole(whole));
        assert_true(whole->first <= seq && whole->last >= seq);
        assert_memory_equal(whole->author, ids[author], GOSSIP_ID_SIZE);
    }
}

/* A part of data[size], lent. The size of a run follows from its name, but for a liar now and then.
 */
static struct wire_run_part random_part(uint64_t *seed, size_t *ret_author, uint8_t *data)
{
    struct wire_run_part part = {.present = true};
    size_t length;

    *ret_author = (size_t)random_below(seed, AUTHORS);
    part.author = ids[*ret_author];
    part.first = 1 + random_below(seed, random_below(seed, 2) == 0 ? 4 : FIRSTS) * 10;
    part.last = part.first + random_below(seed, 2) * 9;
    part.size = 1 + (uint32_t)(part.first * 7 + *ret_author * 13) % (SIZE_MAX_SMALL - 1);
    if (random_below(seed, 200) == 0)
        part.size++;
    part.offset = (uint32_t)random_below(seed, part.size);
    length = 1 + (size_t)random_below(seed, part.size - part.offset);
    if (length > 20 && random_below(seed, 4) != 0)
        length = 1 + (size_t)random_below(seed, 20);
    for (size_t i = 0; i < length; i++)
        data[i] =
            (uint8_t)random_next(seed); /* Peers may tell different things: the last counts. */
    part.data = (struct wire_bytes){data, length};
    if (part.offset == 0)
        part.previous = previous;
    if (part.offset + length == part.size && random_below(seed, 10) != 0)
        part.seal = seal; /* The decoder takes no end without, but this is not its affair. */
    if (random_below(seed, 5) == 0) {
        part.has_introduction = true;
        part.introduction.key = key;
        part.introduction.epoch = epoch;
    }
    return part;
}

static void test_as_a_map_of_bytes(void **state)
{
    enum { STEPS = 60000 };
    static struct model model;
    uint64_t seed = random_start();
    struct runs runs = {0};
    size_t outcomes[RUNS_NO_MEMORY + 1] = {0};
    size_t dropped_in_all = 0;

    (void)state;
    for (uint64_t step = 0; step < STEPS; step++) {
        uint8_t data[SIZE_MAX_SMALL];
        size_t author;
        struct wire_run_part part = random_part(&seed, &author, data);
        uint32_t source = (uint32_t)random_below(&seed, SOURCES);
        bool may_fail = random_below(&seed, 10) == 0;
        struct run *run = NULL;
        size_t dropped = 77;
        enum runs_outcome outcome;

        allocation_fail(may_fail ? 1 + (size_t)random_below(&seed, 3) : 0);
        outcome = runs_take(&runs, &part, source, step, &run, &dropped);
        allocation_fail(0);
        outcomes[outcome]++;
        if (outcome == RUNS_NO_MEMORY) {
            assert_true(may_fail);
            assert_int_equal(dropped, 0);
            check_all(&runs, &model); /* Nothing has changed. */
            continue;
        }
        assert_int_equal(outcome, model_take(&model, author, &part, source, step));
        assert_non_null(run);
        assert_true(run->first == part.first && run->last == part.last);
        dropped_in_all += dropped;
        assert_int_equal(dropped, model_trim(&model));
        if (outcome == RUNS_NEW)
            check_run(run, &model.runs[0]);
        if (outcome == RUNS_CONFLICT) {
            assert_int_not_equal(run->size, part.size);
            model_free_at(&model, model_find(&model, author, part.first, part.last, source));
            runs_remove(&runs, run);
        } else if (run_is_whole(run) && random_below(&seed, 2) == 0) {
            model_free_at(&model, model_find(&model, author, part.first, part.last, source));
            runs_remove(&runs, run);
        }
        if (random_below(&seed, 300) == 0) {
            uint64_t seq = random_below(&seed, FIRSTS * 10);

            runs_remove_until(&runs, ids[author], seq);
            for (size_t i = model.count; i-- > 0;) {
                if (model.runs[i].author == author && model.runs[i].last <= seq)
                    model_free_at(&model, i);
            }
        }
        if (random_below(&seed, 1000) == 0) {
            uint64_t before = step - random_below(&seed, step < 500 ? step + 1 : 500);
            size_t expired = runs_expire(&runs, before);

            for (size_t i = model.count; i-- > 0;) {
                if (model.runs[i].touched_ms < before) {
                    model_free_at(&model, i);
                    expired--;
                }
            }
            assert_int_equal(expired, 0);
        }
        check_at(&runs, &model, author, random_below(&seed, FIRSTS * 10 + 20), source);
        check_at(&runs, &model, author, part.first, source);
        if (step % 50 == 0)
            check_all(&runs, &model);
    }
    for (int outcome = 0; outcome <= RUNS_NO_MEMORY; outcome++)
        assert_true(outcomes[outcome] > 100);
    assert_true(dropped_in_all > 1000);
    runs_clear(&runs);
    assert_null(runs.first);
    assert_int_equal(runs.count, 0);
    assert_int_equal(runs.bytes, 0);
    model_clear(&model);
}

static struct wire_run_part part_of(size_t author, uint64_t first, uint32_t size, uint32_t offset,
                                    const uint8_t *data, size_t data_size)
{
    return (struct wire_run_part){
        .present = true,
        .author = ids[author],
        .first = first,
        .last = first,
        .size = size,
        .offset = offset,
        .previous = offset == 0 ? previous : NULL,
        .data = {data, data_size},
        .seal = offset + data_size == size ? seal : NULL,
    };
}

/* Long runs, so that it is their bytes that do not fit. What goes is what was touched longest
 * ago, and no more than must. */
static void test_bytes_are_bounded(void **state)
{
    enum { PART = 50000, RUNS = 40, STEPS = 3000 };
    static uint8_t data[PART];
    uint64_t seed = random_start();
    struct runs runs = {0};
    uint64_t order[RUNS]; /* Firsts of runs held, the one touched last first. */
    size_t count = 0;
    size_t dropped_in_all = 0;

    (void)state;
    for (uint64_t step = 0; step < STEPS; step++) {
        uint64_t first = 1 + random_below(&seed, RUNS);
        uint32_t size = first == 1 ? GOSSIP_RUN_SIZE_MAX : 300000 + (uint32_t)first * 10000;
        uint32_t offset = (uint32_t)random_below(&seed, size / PART) * PART;
        struct wire_run_part part = part_of(0, first, size, offset, data, PART);
        const struct run *oldest;
        struct run *run;
        size_t dropped;
        size_t place = 0;

        if (runs_take(&runs, &part, 0, step, &run, &dropped) == RUNS_DUPLICATE)
            continue;
        while (place < count && order[place] != first)
            place++;
        count += place == count;
        memmove(order + 1, order, place * sizeof(order[0]));
        order[0] = first;
        assert_true(dropped < count);
        count -= dropped;
        dropped_in_all += dropped;
        check_bounds(&runs);
        assert_int_equal(runs.count, count);
        oldest = runs.first;
        for (size_t i = 0; i < count; i++, oldest = oldest->next)
            assert_true(oldest->first == order[i]);
    }
    assert_true(dropped_in_all > 100);
    assert_true(runs.bytes > GOSSIP_RUNS_BYTES / 2);
    runs_clear(&runs);
}

/* The longest run alone fits, in parts smaller than any honest peer sends, every second one first.
 */
static void test_the_longest_run(void **state)
{
    enum { PART = 520, PARTS = (GOSSIP_RUN_SIZE_MAX + PART - 1) / PART };
    static uint8_t stream[GOSSIP_RUN_SIZE_MAX];
    struct runs runs = {0};
    struct run *run = NULL;
    size_t dropped;

    (void)state;
    for (size_t i = 0; i < sizeof(stream); i++)
        stream[i] = (uint8_t)(i * 31 >> 3);
    for (uint32_t i = 0; i < PARTS; i++) {
        uint32_t index = i < (PARTS + 1) / 2 ? 2 * i : 2 * (i - (PARTS + 1) / 2) + 1;
        uint32_t offset = index * PART;
        size_t size = GOSSIP_RUN_SIZE_MAX - offset < PART ? GOSSIP_RUN_SIZE_MAX - offset : PART;
        struct wire_run_part part =
            part_of(0, 1, GOSSIP_RUN_SIZE_MAX, offset, stream + offset, size);

        assert_true(run == NULL || !run_is_whole(run));
        assert_int_equal(runs_take(&runs, &part, 0, i, &run, &dropped), RUNS_NEW);
        assert_int_equal(dropped, 0);
    }
    assert_true(run_is_whole(run));
    assert_memory_equal(run->data, stream, sizeof(stream));
    check_bounds(&runs);
    runs_clear(&runs);
}

/* However much one peer brings, what another has brought stays: whichever bound is broken. */
static void test_who_gives_way(void **state)
{
    enum { HONEST = 10, LIAR = 1000, PART = 400000 };
    static uint8_t data[PART];

    (void)state;
    for (int large = 0; large < 2; large++) {
        struct runs runs = {0};
        struct run *run;
        size_t dropped;
        size_t dropped_in_all = 0;

        for (uint64_t first = 1; first <= HONEST; first++) {
            struct wire_run_part part = part_of(0, first, 100, 0, data, 90);

            assert_int_equal(runs_take(&runs, &part, 1, 0, &run, &dropped), RUNS_NEW);
            assert_int_equal(dropped, 0);
        }
        for (uint64_t first = 1; first <= LIAR; first++) {
            struct wire_run_part part = part_of(0, first, 2 * PART, 0, data, large ? PART : 1);

            /* Also of the very runs that the other brings, with wrong sizes. */
            assert_int_equal(runs_take(&runs, &part, 2, 1, &run, &dropped), RUNS_NEW);
            dropped_in_all += dropped;
            check_bounds(&runs);
        }
        assert_true(dropped_in_all > LIAR / 2);
        for (uint64_t first = 1; first <= HONEST; first++) {
            run = runs_at(&runs, ids[0], first, 1);
            assert_non_null(run);
            assert_true(run->first == first && run->size == 100);
        }
        runs_clear(&runs);
    }
}

/* A run in crumbs costs more to keep track of than it brings, so there is an end to them. */
static void test_crumbs(void **state)
{
    static const uint8_t crumb[1] = {1};
    struct runs runs = {0};
    struct run *run;
    size_t dropped;
    struct wire_run_part part;

    (void)state;
    for (uint32_t i = 0; i < RUN_PIECES_MAX; i++) {
        part = part_of(0, 1, GOSSIP_RUN_SIZE_MAX, 2 * i, crumb, 1);
        assert_int_equal(runs_take(&runs, &part, 0, 0, &run, &dropped), RUNS_NEW);
    }
    check_bounds(&runs);
    part = part_of(0, 1, GOSSIP_RUN_SIZE_MAX, 2 * RUN_PIECES_MAX, crumb, 1);
    assert_int_equal(runs_take(&runs, &part, 0, 0, &run, &dropped), RUNS_CONFLICT);
    check_bounds(&runs);
    assert_int_equal(run->piece_count, RUN_PIECES_MAX);

    /* What fills a hole is still taken. */
    part = part_of(0, 1, GOSSIP_RUN_SIZE_MAX, 1, crumb, 1);
    assert_int_equal(runs_take(&runs, &part, 0, 0, &run, &dropped), RUNS_NEW);
    assert_int_equal(run->piece_count, RUN_PIECES_MAX - 1);
    part = part_of(0, 1, GOSSIP_RUN_SIZE_MAX, 2 * RUN_PIECES_MAX, crumb, 1);
    assert_int_equal(runs_take(&runs, &part, 0, 0, &run, &dropped), RUNS_NEW);
    check_bounds(&runs);
    runs_remove(&runs, run);
    assert_int_equal(runs.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_a_map_of_bytes),
        cmocka_unit_test(test_bytes_are_bounded),
        cmocka_unit_test(test_the_longest_run),
        cmocka_unit_test(test_who_gives_way),
        cmocka_unit_test(test_crumbs),
    };

    for (size_t i = 0; i < AUTHORS; i++)
        ids[i][15] = (uint8_t)i;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
