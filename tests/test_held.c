#include "gossip/held.h"

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

enum { AUTHORS = 6 };

static const uint8_t seal[GOSSIP_SIGNATURE_SIZE] = {9, 8, 7};

/* What an author's queue should be: the events from first to last, each of a size that follows from
 * its seq. */
struct model {
    uint64_t stored; /* The last event stored. */
    uint64_t last;   /* The last event held; stored, if none is. */
};

static size_t size_of(uint32_t author, uint64_t seq)
{
    return (size_t)((author * 37 + seq * 11) % 300);
}

static uint8_t fill_of(uint32_t author, uint64_t seq)
{
    return (uint8_t)(author * 50 + seq);
}

/* The chain after an event; all of it follows from author and seq. */
static struct chain chain_of(uint32_t author, uint64_t seq)
{
    struct chain chain = {.seq = seq, .mentions = seq / 3, .unsealed_size = seq * 5};

    chain.hash[0] = (uint8_t)author;
    chain.hash[1] = (uint8_t)seq;
    chain.hash[2] = (uint8_t)(seq >> 8);
    chain.mentions_hash[0] = (uint8_t)(seq + 1);
    return chain;
}

static void store(struct author *author, const struct chain *chain)
{
    author->stored.have = chain->seq;
    author->stored.mentions = chain->mentions;
    author->stored.unsealed_size = chain->unsealed_size;
    memcpy(author->stored.head_hash, chain->hash, GOSSIP_HASH_SIZE);
    memcpy(author->stored.mentions_hash, chain->mentions_hash, GOSSIP_HASH_SIZE);
}

static void make_authors(struct authors *authors, size_t count)
{
    memset(authors, 0, sizeof(*authors));
    for (uint32_t i = 0; i < count; i++) {
        struct gossip_author_record record = {.number = i, .id = {(uint8_t)(i + 1)}};

        assert_int_equal(authors_add(authors, &record), GOSSIP_OK);
    }
}

static void clear_all(struct held *held, struct authors *authors)
{
    for (size_t i = 0; i < authors->count; i++) {
        held_drop_all(held, authors->items[i]);
        held_drop_all(held, authors->items[i]); /* Of nothing, nothing. */
    }
    assert_int_equal(held->count, 0);
    assert_int_equal(held->bytes, 0);
    authors_clear(authors);
}

static void check_chain(const struct chain *chain, const struct chain *expected)
{
    assert_true(chain->seq == expected->seq);
    assert_true(chain->mentions == expected->mentions);
    assert_true(chain->unsealed_size == expected->unsealed_size);
    assert_memory_equal(chain->hash, expected->hash, GOSSIP_HASH_SIZE);
    assert_memory_equal(chain->mentions_hash, expected->mentions_hash, GOSSIP_HASH_SIZE);
}

static void check_queue(const struct author *author, const struct model *model)
{
    const struct held_event *event = author->held_first;
    const struct held_event *previous = NULL;
    uint32_t number = author->stored.number;
    size_t bytes = 0;

    for (uint64_t seq = model->stored + 1; seq <= model->last; seq++) {
        struct chain expected = chain_of(number, seq);

        assert_non_null(event);
        assert_ptr_equal(event->previous, previous);
        check_chain(&event->chain, &expected);
        assert_int_equal(event->body_size, size_of(number, seq));
        for (size_t i = 0; i < event->body_size; i++)
            assert_int_equal(event->body[i], fill_of(number, seq));
        assert_int_equal(event->has_seal, seq % 4 == 0);
        if (event->has_seal)
            assert_memory_equal(event->seal, seal, sizeof(seal));
        assert_int_equal(event->source, seq % 7);
        bytes += event->body_size;
        previous = event;
        event = event->next;
    }
    assert_null(event);
    assert_ptr_equal(author->held_last, previous);
    assert_int_equal(author->held_count, model->last - model->stored);
    assert_int_equal(author->held_bytes, bytes);
    if (model->last > 0) {
        struct chain tail = chain_of(number, model->last);

        check_chain(&author->tail, &tail);
    }
}

static int append(struct held *held, struct author *author, uint64_t seq)
{
    uint32_t number = author->stored.number;
    struct chain chain = chain_of(number, seq);
    uint8_t body[300];

    memset(body, fill_of(number, seq), sizeof(body));
    return held_append(held, author, &chain, body, size_of(number, seq), seq % 4 == 0 ? seal : NULL,
                       (uint32_t)(seq % 7));
}

static void test_as_queues(void **state)
{
    uint64_t seed = random_start();
    struct authors authors;
    struct held held = {0};
    struct model models[AUTHORS] = {{0}};
    size_t failures = 0;

    (void)state;
    make_authors(&authors, AUTHORS);
    for (int step = 0; step < 20000; step++) {
        struct author *author = authors.items[random_below(&seed, AUTHORS)];
        struct model *model = &models[author->stored.number];
        bool may_fail = random_below(&seed, 5) == 0;
        uint64_t draw = random_below(&seed, 100);
        size_t count = 0;
        size_t bytes = 0;

        if (draw < 55) {
            allocation_fail(may_fail ? 1 : 0);
            if (append(&held, author, model->last + 1) == GOSSIP_OK) {
                assert_false(may_fail);
                model->last++;
            } else {
                assert_true(may_fail);
                failures++;
            }
            allocation_fail(0);
        } else if (draw < 85 && model->last > model->stored) { /* It is delivered. */
            struct chain chain = author->held_first->chain;

            store(author, &chain);
            held_pop(&held, author);
            model->stored++;
        } else if (draw < 98 && model->last > model->stored) {
            author->blocked = true;
            held_drop_last(&held, author);
            model->last--;
            /* It can wait for nothing when it holds nothing. */
            assert_int_equal(author->blocked, model->last > model->stored);
        } else if (draw >= 98) {
            held_drop_all(&held, author);
            model->last = model->stored;
        }
        check_queue(author, model);
        for (size_t i = 0; i < AUTHORS; i++) {
            count += authors.items[i]->held_count;
            bytes += authors.items[i]->held_bytes;
        }
        assert_int_equal(held.count, count);
        assert_int_equal(held.bytes, bytes);
    }
    assert_true(failures > 100);
    clear_all(&held, &authors);
}

static void append_many(struct held *held, struct author *author, size_t count, size_t body_size)
{
    uint8_t *body = calloc(1, body_size + 1);

    assert_non_null(body);
    for (size_t i = 0; i < count; i++) {
        struct chain chain = chain_of(author->stored.number, author->tail.seq + 1);

        assert_int_equal(held_append(held, author, &chain, body, body_size, NULL, 0), GOSSIP_OK);
    }
    free(body);
}

/* Who gives way: the one that holds the most, by the bound that is broken. */
static void test_who_gives_way(void **state)
{
    enum { MIB = 1048576 };
    static const struct {
        struct {
            size_t count;
            size_t size;
        } held[3];
        size_t left[3]; /* Events of each after trimming. */
    } cases[] = {
        {{{10, 10}, {20, 10}, {30, 10}}, {10, 20, 30}},
        {{{GOSSIP_PENDING_EVENTS, 0}}, {GOSSIP_PENDING_EVENTS}},
        {{{GOSSIP_PENDING_EVENTS + 1, 0}}, {GOSSIP_PENDING_EVENTS}},
        {{{1000, 1}, {4000, 1}, {5, 1}}, {1000, 3091, 5}},
        {{{1, 1}, {2, 1}, {8000, 1}}, {1, 2, 4093}},
        /* Too many: those with few large events stay. */
        {{{3, MIB / 2}, {4200, 1}, {0, 0}}, {3, 4093, 0}},
        /* Too large: those with many small ones do. */
        {{{3, MIB}, {3000, 100}, {2, MIB}}, {1, 3000, 2}},
        {{{0, 0}, {4, MIB}, {0, 0}}, {0, 4, 0}},
        {{{0, 0}, {5, MIB}, {0, 0}}, {0, 4, 0}},
        {{{4, MIB}, {0, 0}, {1, 1}}, {3, 0, 1}},
        /* Both take turns once they hold the same. */
        {{{2500, 1}, {2500, 1}, {0, 0}}, {2048, 2048, 0}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct authors authors;
        struct held held = {0};
        uint32_t last_author = NO_AUTHOR;
        size_t dropped;
        size_t expected = 0;

        make_authors(&authors, 3);
        for (size_t j = 0; j < 3; j++) {
            append_many(&held, authors.items[j], cases[i].held[j].count, cases[i].held[j].size);
            expected += cases[i].held[j].count - cases[i].left[j];
        }
        dropped = held_trim(&held, &authors, &last_author);
        assert_int_equal(dropped, expected);
        assert_int_equal(last_author == NO_AUTHOR, dropped == 0);
        for (size_t j = 0; j < 3; j++) {
            if (authors.items[j]->held_count != cases[i].left[j])
                fail_msg("case %zu: author %zu is left with %zu", i, j,
                         authors.items[j]->held_count);
            /* The events farthest from delivery have gone. */
            assert_true(authors.items[j]->tail.seq == cases[i].left[j]);
        }
        assert_true(held.count <= GOSSIP_PENDING_EVENTS);
        assert_true(held.bytes <= GOSSIP_PENDING_BYTES);
        clear_all(&held, &authors);
    }
}

/* Whatever comes, the bounds hold after each trim, no more goes than must, and what one author
 * floods costs another nothing. */
static void test_bounds(void **state)
{
    uint64_t seed = random_start();
    struct authors authors;
    struct held held = {0};
    size_t dropped_in_all = 0;

    (void)state;
    make_authors(&authors, AUTHORS);
    append_many(&held, authors.items[0], 100, 100);
    for (int step = 0; step < 400; step++) {
        uint32_t number = 1 + (uint32_t)random_below(&seed, AUTHORS - 1);
        bool is_large = random_below(&seed, 2) == 0;
        uint32_t last_author = NO_AUTHOR;
        size_t dropped;

        append_many(&held, authors.items[number], is_large ? 1 : 1 + random_below(&seed, 200),
                    is_large ? (size_t)random_below(&seed, 300000)
                             : (size_t)random_below(&seed, 200));
        dropped = held_trim(&held, &authors, &last_author);
        dropped_in_all += dropped;
        assert_true(held.count <= GOSSIP_PENDING_EVENTS);
        assert_true(held.bytes <= GOSSIP_PENDING_BYTES);
        if (dropped > 0) {
            assert_int_not_equal(last_author, 0);
            assert_int_equal(held_trim(&held, &authors, &last_author), 0);
        }
        assert_int_equal(authors.items[0]->held_count, 100);
    }
    assert_true(dropped_in_all > 200);
    clear_all(&held, &authors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_queues),
        cmocka_unit_test(test_who_gives_way),
        cmocka_unit_test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
