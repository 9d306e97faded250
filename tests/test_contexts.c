#include "gossip/contexts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/gossip.h"
#include "tests/allocation.h"
#include "tests/property.h"

enum { AUTHORS = 70, EVENTS = 150 }; /* More authors than there are slots; past two checkpoints. */

/* ---- Full contexts as bytes. ---- */

static struct gossip_vclock random_clock(uint64_t *seed, size_t authors)
{
    struct gossip_vclock clock = {0};
    size_t count = (size_t)random_below(seed, authors + 1);

    for (size_t i = 0; i < count; i++) {
        uint64_t counter = 1 + (random_next(seed) >> random_below(seed, 64)) % GOSSIP_COUNTER_MAX;

        assert_int_equal(gossip_vclock_set(&clock, (uint32_t)random_below(seed, authors), counter),
                         GOSSIP_OK);
    }
    return clock;
}

static void check_equal(const struct gossip_vclock *a, const struct gossip_vclock *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(gossip_vclock_compare(a, b), GOSSIP_EQUAL);
}

static void test_encoding_round_trip(void **state)
{
    uint64_t seed = random_start();

    (void)state;
    for (int round = 0; round < 500; round++) {
        size_t authors = 1 + (size_t)random_below(&seed, random_below(&seed, 2) == 0 ? 20 : 1000);
        struct gossip_vclock clock = random_clock(&seed, authors);
        struct gossip_vclock read = random_clock(&seed, authors); /* What was there is gone. */
        size_t size = context_encoded_size(&clock);
        uint8_t *bytes = malloc(size + 1);

        assert_non_null(bytes);
        bytes[size] = 0xee;
        context_encode(&clock, bytes);
        assert_int_equal(bytes[size], 0xee);
        assert_int_equal(context_decode(bytes, size, authors, &read), GOSSIP_OK);
        check_equal(&read, &clock);
        assert_int_equal(context_decode(bytes, size + 1, authors, &read), GOSSIP_ERR_DAMAGED);
        for (size_t cut = 0; cut < size; cut += 1 + cut / 20) {
            uint8_t *shorter = malloc(cut + 1);

            assert_non_null(shorter);
            memcpy(shorter, bytes, cut);
            assert_int_equal(context_decode(shorter, cut, authors, &read), GOSSIP_ERR_DAMAGED);
            free(shorter);
        }
        /* An author that is not known. */
        if (clock.count > 0)
            assert_int_equal(context_decode(bytes, size, clock.authors[clock.count - 1], &read),
                             GOSSIP_ERR_DAMAGED);
        gossip_vclock_clear(&read);
        gossip_vclock_clear(&clock);
        free(bytes);
    }
}

static void test_encoding_damaged(void **state)
{
    static const struct {
        uint8_t bytes[24];
        size_t size;
        bool is_good;
    } cases[] = {
        {{0}, 0, false},
        {{0}, 1, true},
        {{1, 0, 1}, 3, true},
        {{1, 9, 1}, 3, true},
        {{1, 10, 1}, 3, false}, /* There are ten authors. */
        {{1, 0, 0}, 3, false},  /* A counter of 0 is never kept. */
        {{2, 0, 1, 1, 1}, 5, true},
        {{2, 0, 1, 0, 1}, 5, false}, /* The same author twice. */
        {{2, 5, 1, 4, 1}, 5, true},
        {{2, 5, 1, 5, 1}, 5, false},
        {{2, 5, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1}, 14, false}, /* -1 */
        {{11, 0, 1}, 3, false},
        {{0x80, 0}, 2, false}, /* Not the shortest form. */
        {{1, 0x80, 0, 1}, 4, false},
        {{1, 0, 0x81, 0}, 4, false},
        {{1, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40}, 11, true}, /* 2^62 */
        {{1, 0, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40}, 11, false},
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, 10, false},
        {{0, 0}, 2, false}, /* Something after the end. */
    };
    struct gossip_vclock clock = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int error = context_decode(cases[i].bytes, cases[i].size, 10, &clock);

        if (error != (cases[i].is_good ? GOSSIP_OK : GOSSIP_ERR_DAMAGED))
            fail_msg("case %zu: %d", i, error);
    }
    gossip_vclock_clear(&clock);
}

/* A context has one form: what is taken is what we would write. And memory that runs out is said.
 */
static void test_encoding_is_canonical(void **state)
{
    enum { KNOWN = 12 };
    uint64_t seed = random_start();
    size_t taken = 0;
    size_t failures = 0;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct gossip_vclock clock = random_clock(&seed, KNOWN);
        struct gossip_vclock read = {0};
        size_t size = context_encoded_size(&clock);
        uint8_t bytes[256];
        uint8_t again[256];
        int error;

        assert_true(size < sizeof(bytes));
        context_encode(&clock, bytes);
        bytes[random_below(&seed, size)] = (uint8_t)random_next(&seed);
        allocation_fail((size_t)random_below(&seed, 6));
        error = context_decode(bytes, size, KNOWN, &read);
        allocation_fail(0);
        if (error == GOSSIP_OK) {
            taken++;
            assert_int_equal(context_encoded_size(&read), size);
            context_encode(&read, again);
            assert_memory_equal(again, bytes, size);
        } else if (error == GOSSIP_ERR_NOMEM) {
            failures++;
        } else {
            assert_int_equal(error, GOSSIP_ERR_DAMAGED);
        }
        gossip_vclock_clear(&read);
        gossip_vclock_clear(&clock);
    }
    assert_in_range(taken, 1000, 19000);
    assert_true(failures > 100);
}

/* ---- Contexts of events, against tables of them all. ---- */

struct world {
    struct gossip_store *store;
    struct authors authors;
    struct batch batch;
    struct contexts contexts;
    uint64_t delivery;
    /* The counters in the context of each event, and of what each author has read so far. */
    uint64_t (*full)[EVENTS + 1][AUTHORS];
};

static void world_make(struct world *world)
{
    memset(world, 0, sizeof(*world));
    assert_int_equal(gossip_memory_open(&world->store), GOSSIP_OK);
    for (uint32_t i = 0; i < AUTHORS; i++) {
        struct gossip_author_record record = {.number = i};

        record.id[0] = (uint8_t)(i * 89); /* Their order by id is not that by number. */
        record.id[1] = (uint8_t)i;
        assert_int_equal(authors_add(&world->authors, &record), GOSSIP_OK);
    }
    contexts_start(&world->contexts, world->store, &world->authors, &world->batch);
    world->full = calloc(AUTHORS, sizeof(*world->full));
    assert_non_null(world->full);
}

static void world_end(struct world *world)
{
    contexts_clear(&world->contexts);
    batch_clear(&world->batch);
    authors_clear(&world->authors);
    world->store->ops->close(world->store);
    free(world->full);
}

static void check_context(const struct gossip_vclock *clock, const uint64_t *expected)
{
    size_t count = 0;

    for (uint32_t i = 0; i < AUTHORS; i++) {
        assert_true(gossip_vclock_get(clock, i) == expected[i]);
        count += expected[i] != 0;
    }
    assert_int_equal(clock->count, count);
}

/* Writes an author's next event, with a context that grows, or stays, or names what is less. */
static void write_event(struct world *world, uint32_t number, uint64_t *seed)
{
    struct author *author = world->authors.items[number];
    struct gossip_event_record event = {
        .delivery = ++world->delivery, .author = number, .seq = author->stored.have + 1};
    uint64_t *expected = world->full[number][event.seq];
    struct frame_entry entries[8] = {{0}};
    uint32_t others[8];
    const struct gossip_vclock *context;
    struct frame frame;
    size_t count = 0;
    uint8_t *body;

    memcpy(expected, world->full[number][event.seq - 1], sizeof(world->full[0][0]));
    /* Some it has named before, ascending by mention, ... */
    for (uint64_t i = 1; i <= author->stored.mentions && count < 4; i++) {
        if (random_below(seed, 6) == 0) {
            others[count] = author->mentioned[i - 1];
            entries[count++].mention = i;
        }
    }
    /* ... and some that it has not, ascending by id. */
    for (size_t place = (size_t)random_below(seed, AUTHORS); place < AUTHORS && count < 6;
         place++) {
        uint32_t other = world->authors.by_id[place];

        if (other == number || author_has_mentioned(author, other) || random_below(seed, 3) != 0)
            continue;
        others[count] = other;
        entries[count++].id = world->authors.items[other]->stored.id;
    }
    for (size_t i = 0; i < count; i++) {
        entries[i].seq = 1 + random_below(seed, 1000);
        if (entries[i].seq > expected[others[i]])
            expected[others[i]] = entries[i].seq;
    }
    event.body_size = frame_size(1, entries, count);
    body = arena_alloc(&world->batch.arena, event.body_size);
    assert_non_null(body);
    frame_write(body, 1, 1, entries, count);
    event.body = body;
    assert_true(frame_read(body, event.body_size, &frame));

    /* Before it is stored, as delivery asks for it. */
    assert_int_equal(context_after(&world->contexts, number, &frame, &context), GOSSIP_OK);
    check_context(context, expected);
    if (event.seq % GOSSIP_CHECKPOINT_EVERY == 0) {
        uint8_t *encoded = arena_alloc(&world->batch.arena, context_encoded_size(context));

        assert_non_null(encoded);
        context_encode(context, encoded);
        event.context = encoded;
        event.context_size = context_encoded_size(context);
    }
    for (size_t i = 0; i < count; i++) {
        if (entries[i].id != NULL)
            assert_int_equal(author_mention(author, others[i], AUTHORS), GOSSIP_OK);
    }
    assert_int_equal(batch_save_event(&world->batch, author, &event), GOSSIP_OK);
    author->stored.have++;
}

static void commit(struct world *world)
{
    assert_int_equal(
        world->store->ops->save(world->store, world->batch.records, world->batch.record_count),
        GOSSIP_OK);
    batch_start(&world->batch, &world->authors);
}

static void test_contexts_as_tables(void **state)
{
    static struct world world;
    uint64_t seed = random_start();
    size_t failures = 0;
    size_t asked = 0;

    (void)state;
    world_make(&world);
    for (int step = 0; step < 12000; step++) {
        /* Few authors write most, so that checkpoints are passed. */
        uint32_t number = (uint32_t)random_below(&seed, random_below(&seed, 4) != 0 ? 5 : AUTHORS);
        struct author *author = world.authors.items[number];
        const struct gossip_vclock *context = NULL;

        if (author->stored.have < EVENTS && random_below(&seed, 8) == 0)
            write_event(&world, number, &seed);
        if (random_below(&seed, 60) == 0)
            commit(&world);
        if (author->stored.have > 0) {
            uint64_t seq = random_below(&seed, 3) == 0
                               ? author->stored.have
                               : 1 + random_below(&seed, author->stored.have);
            bool may_fail = random_below(&seed, 5) == 0;
            int error;

            allocation_fail(may_fail ? 1 + (size_t)random_below(&seed, 3) : 0);
            error = context_of(&world.contexts, number, seq, &context);
            allocation_fail(0);
            asked++;
            if (error < 0) {
                assert_true(may_fail);
                assert_int_equal(error, GOSSIP_ERR_NOMEM);
                assert_null(context);
                failures++;
                /* It did not leave anything half-done behind, of this event or one before. */
                if (seq > 1 && random_below(&seed, 2) == 0)
                    seq--;
                assert_int_equal(context_of(&world.contexts, number, seq, &context), GOSSIP_OK);
            }
            check_context(context, world.full[number][seq]);
        }
        assert_int_equal(context_of(&world.contexts, number, 0, &context), GOSSIP_ERR_NOT_FOUND);
        assert_int_equal(context_of(&world.contexts, number, author->stored.have + 1, &context),
                         GOSSIP_ERR_NOT_FOUND);
        assert_int_equal(context_of(&world.contexts, AUTHORS, 1, &context), GOSSIP_ERR_NOT_FOUND);
    }
    assert_true(world.authors.items[0]->stored.have > 2 * GOSSIP_CHECKPOINT_EVERY);
    assert_true(asked > 5000);
    assert_true(failures > 20);
    world_end(&world);
}

/* ---- Events of the store and of the batch, as one. ---- */

struct walk {
    uint32_t author;
    uint64_t next;
    uint64_t stop_at; /* 0: never. */
};

static int visit(void *context, const struct gossip_record *record)
{
    struct walk *walk = context;

    assert_int_equal(record->kind, GOSSIP_RECORD_EVENT);
    assert_int_equal(record->as.event.author, walk->author);
    assert_true(record->as.event.seq == walk->next);
    walk->next++;
    return record->as.event.seq == walk->stop_at ? 42 : GOSSIP_OK;
}

static void test_events_read(void **state)
{
    static struct world world;
    uint64_t seed = random_start();

    (void)state;
    world_make(&world);
    for (int times = 0; times < 3; times++) {
        for (int i = 0; i < 20; i++) {
            if (times > 0 || i > 10) /* The second author is still all in the batch. */
                write_event(&world, 1, &seed);
            write_event(&world, 0, &seed);
            if (times == 1 && i == 10)
                commit(&world);
        }
        for (uint32_t author = 0; author < 3; author++) {
            uint64_t have = world.authors.items[author]->stored.have;

            for (uint64_t first = 1; first <= have + 2; first++) {
                for (uint64_t last = first; last <= have + 2; last++) {
                    uint64_t end = last < have ? last : have;
                    struct walk walk = {author, first, 0};

                    assert_int_equal(
                        events_read(&world.contexts, author, first, last, visit, &walk), GOSSIP_OK);
                    assert_true(walk.next == (end < first ? first : end + 1));
                    if (end < first)
                        continue;
                    walk = (struct walk){author, first, first + (end - first) / 2};
                    assert_int_equal(
                        events_read(&world.contexts, author, first, last, visit, &walk), 42);
                    assert_true(walk.next == walk.stop_at + 1);
                }
            }
        }
    }
    world_end(&world);
}

/* What is stored contradicts itself: it is said, and nothing is made up. */
static void test_damaged_store(void **state)
{
    enum { FAULTS = 6 };
    static const uint8_t nobody[GOSSIP_ID_SIZE] = {200, 200};
    static const uint8_t beyond[] = {1, AUTHORS, 1}; /* A context of an author nobody knows. */
    const struct frame_entry stranger = {.id = nobody, .seq = 1};
    const struct frame_entry ungiven = {.mention = 1, .seq = 1};

    (void)state;
    for (int fault = 0; fault < FAULTS; fault++) {
        struct world world;
        const struct gossip_vclock *context;
        uint64_t asked = fault == 3 || fault == 4 ? 70 : 3;

        world_make(&world);
        for (uint64_t seq = 1; seq <= asked; seq++) {
            struct gossip_event_record event = {.delivery = seq, .author = 0, .seq = seq};
            uint8_t body[64];
            size_t size = frame_size(1, NULL, 0);

            frame_write(body, 1, 1, NULL, 0);
            if (seq == 2 && fault == 1) { /* A frame that names a stranger, */
                size = frame_size(1, &stranger, 1);
                frame_write(body, 1, 1, &stranger, 1);
            } else if (seq == 2 && fault == 2) { /* or a mention never given out, */
                size = frame_size(1, &ungiven, 1);
                frame_write(body, 1, 1, &ungiven, 1);
            } else if (seq == 2 && fault == 5) { /* or is none. */
                size = 5;
            }
            event.body = body;
            event.body_size = size;
            if (seq == 64 && fault == 4) { /* A checkpoint that cannot be; with 3, there is none. */
                event.context = beyond;
                event.context_size = sizeof(beyond);
            }
            if (seq == 2 && fault == 0) /* An event is missing. */
                continue;
            {
                struct gossip_record record = {.kind = GOSSIP_RECORD_EVENT, .as.event = event};

                assert_int_equal(world.store->ops->save(world.store, &record, 1), GOSSIP_OK);
            }
        }
        world.authors.items[0]->stored.have = asked;
        world.authors.items[0]->saved = asked;
        for (int times = 0; times < 2; times++)
            assert_int_equal(context_of(&world.contexts, 0, asked, &context), GOSSIP_ERR_DAMAGED);
        /* What comes before the damage can still be had. */
        assert_int_equal(context_of(&world.contexts, 0, 1, &context), GOSSIP_OK);
        assert_int_equal(context->count, 0);
        world_end(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encoding_round_trip),   cmocka_unit_test(test_encoding_damaged),
        cmocka_unit_test(test_encoding_is_canonical), cmocka_unit_test(test_contexts_as_tables),
        cmocka_unit_test(test_events_read),           cmocka_unit_test(test_damaged_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
