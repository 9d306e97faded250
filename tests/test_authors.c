#include "gossip/authors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/gossip.h"
#include "tests/allocation.h"
#include "tests/property.h"

enum { AUTHORS = 200 };

/* Ids that share their beginnings and ends with others. */
static void random_id(uint64_t *seed, uint8_t ret_id[GOSSIP_ID_SIZE])
{
    memset(ret_id, (int)random_below(seed, 3), GOSSIP_ID_SIZE);
    ret_id[random_below(seed, GOSSIP_ID_SIZE)] = (uint8_t)random_next(seed);
}

/* The number of an id in a list without any order. */
static uint32_t naive_find(uint8_t ids[][GOSSIP_ID_SIZE], size_t count, const uint8_t *id)
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(ids[i], id, GOSSIP_ID_SIZE) == 0)
            return (uint32_t)i;
    }
    return NO_AUTHOR;
}

static size_t naive_place(uint8_t ids[][GOSSIP_ID_SIZE], size_t count, const uint8_t *id)
{
    size_t below = 0;

    for (size_t i = 0; i < count; i++)
        below += memcmp(ids[i], id, GOSSIP_ID_SIZE) < 0;
    return below;
}

static void test_find_and_add(void **state)
{
    static uint8_t ids[AUTHORS][GOSSIP_ID_SIZE];
    uint64_t seed = random_start();

    (void)state;
    for (int round = 0; round < 20; round++) {
        struct authors authors = {0};
        size_t failures = 0;

        while (authors.count < AUTHORS) {
            struct gossip_author_record record = {.number = (uint32_t)authors.count, .have = 7};
            size_t count = authors.count;
            bool may_fail = random_below(&seed, 4) == 0;
            int error;

            random_id(&seed, record.id);
            assert_int_equal(authors_find(&authors, record.id), naive_find(ids, count, record.id));
            assert_int_equal(authors_place(&authors, record.id),
                             naive_place(ids, count, record.id));
            if (authors_find(&authors, record.id) != NO_AUTHOR)
                continue;
            allocation_fail(may_fail ? 1 + (size_t)random_below(&seed, 3) : 0);
            error = authors_add(&authors, &record);
            allocation_fail(0);
            if (error < 0) {
                assert_true(may_fail);
                assert_int_equal(error, GOSSIP_ERR_NOMEM);
                assert_int_equal(authors.count, count);
                assert_int_equal(authors_find(&authors, record.id), NO_AUTHOR);
                failures++;
                continue;
            }
            memcpy(ids[count], record.id, GOSSIP_ID_SIZE);
            assert_int_equal(authors.count, count + 1);
            assert_int_equal(authors_find(&authors, record.id), count);
            assert_memory_equal(authors.items[count]->stored.id, record.id, GOSSIP_ID_SIZE);
            for (size_t i = 0; i < authors.count; i++) {
                const uint8_t *id = authors.items[authors.by_id[i]]->stored.id;

                assert_int_equal(naive_place(ids, authors.count, id), i);
            }
        }
        assert_true(failures > 0);
        authors_clear(&authors);
        assert_int_equal(authors.count, 0);
        assert_int_equal(authors_find(&authors, ids[0]), NO_AUTHOR);
        authors_clear(&authors);
    }
}

/* A new author begins where its record says that it is stored. */
static void test_as_stored(void **state)
{
    struct gossip_author_record record = {.id = {1},
                                          .key = {2},
                                          .epoch = {3},
                                          .have = 70,
                                          .floor = 4,
                                          .head_hash = {5},
                                          .mentions = 0,
                                          .mentions_hash = {6},
                                          .unsealed_size = 700};
    struct authors authors = {0};
    struct author *author;
    struct chain chain;

    (void)state;
    assert_int_equal(authors_add(&authors, &record), GOSSIP_OK);
    author = authors.items[0];
    assert_memory_equal(author->stored.key, record.key, GOSSIP_KEY_SIZE);
    assert_true(author->stored.floor == 4);
    assert_true(author->saved == 70);
    assert_false(author->dirty);
    assert_false(author->leaf_fits);
    assert_int_equal(author->batch_first, NO_INDEX);
    assert_int_equal(author->batch_last, NO_INDEX);
    for (int i = 0; i < 2; i++) {
        chain = i == 0 ? author->tail : author_stored_chain(author);
        assert_true(chain.seq == 70);
        assert_true(chain.unsealed_size == 700);
        assert_true(chain.mentions == 0);
        assert_memory_equal(chain.hash, record.head_hash, GOSSIP_HASH_SIZE);
        assert_memory_equal(chain.mentions_hash, record.mentions_hash, GOSSIP_HASH_SIZE);
    }
    authors_clear(&authors);
}

static void test_have(void **state)
{
    static const struct {
        uint64_t have;
        uint64_t cut;
        uint64_t reads;
    } cases[] = {
        {0, 0, 0},
        {5, 0, 5},
        {GOSSIP_COUNTER_MAX, 0, GOSSIP_COUNTER_MAX},
        {5, 1, 0}, /* Nothing of it counts. */
        {5, 5, 4},
        {5, 6, 5},
        {5, 7, 5},
        {5, GOSSIP_COUNTER_MAX, 5},
        {0, 1, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct author author = {.stored = {.have = cases[i].have, .cut = cases[i].cut}};

        assert_true(author_have(&author) == cases[i].reads);
    }
}

static void check_mentions(const struct author *author, const uint32_t *named, size_t count)
{
    uint64_t numbers[AUTHORS] = {0};

    assert_true(author->stored.mentions == count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(author->mentioned[i], named[i]);
        numbers[named[i]] = i + 1;
    }
    for (uint32_t other = 0; other < AUTHORS; other++) {
        assert_int_equal(author_has_mentioned(author, other), numbers[other] != 0);
        assert_true(author_mention_number(author, other) == numbers[other]);
    }
    assert_false(author_has_mentioned(author, 100000)); /* One that nobody knows. */
    assert_false(author_has_mentioned(author, NO_AUTHOR - 1));
}

/* Authors are named in any order while more of them become known. */
static void test_mentions(void **state)
{
    uint64_t seed = random_start();
    size_t failures = 0;

    (void)state;
    for (int round = 0; round < 20; round++) {
        struct authors authors = {0};
        struct gossip_author_record record = {.number = 0};
        struct author *author;
        uint32_t named[AUTHORS] = {0};
        size_t known = 1; /* Authors that there are; only one of them is real. */
        size_t count = 0;

        assert_int_equal(authors_add(&authors, &record), GOSSIP_OK);
        author = authors.items[0];
        check_mentions(author, named, 0);
        while (count < AUTHORS - 20) {
            uint32_t other = (uint32_t)random_below(&seed, known);
            bool may_fail = random_below(&seed, 3) == 0;
            int error;

            if (known < AUTHORS)
                known += (size_t)random_below(&seed, 3);
            if (known > AUTHORS)
                known = AUTHORS;
            if (author_has_mentioned(author, other))
                continue;
            allocation_fail(may_fail ? 1 + (size_t)random_below(&seed, 2) : 0);
            error = author_mention(author, other, known);
            allocation_fail(0);
            if (error < 0) {
                assert_true(may_fail);
                assert_int_equal(error, GOSSIP_ERR_NOMEM);
                failures++;
            } else {
                named[count++] = other;
            }
            check_mentions(author, named, count);
        }
        authors_clear(&authors);
    }
    assert_true(failures > 20);
}

/* Once there is room, naming cannot fail. */
static void test_reserved_mentions(void **state)
{
    struct authors authors = {0};
    struct gossip_author_record record = {.number = 0};
    struct author *author;
    uint32_t named[AUTHORS] = {0};

    (void)state;
    assert_int_equal(authors_add(&authors, &record), GOSSIP_OK);
    author = authors.items[0];
    for (size_t nth = 1; nth <= 2; nth++) {
        allocation_fail(nth);
        assert_int_equal(author_reserve_mentions(author, AUTHORS, AUTHORS), GOSSIP_ERR_NOMEM);
        allocation_fail(0);
        check_mentions(author, named, 0);
    }
    assert_int_equal(author_reserve_mentions(author, AUTHORS, AUTHORS), GOSSIP_OK);
    for (uint32_t i = 0; i < AUTHORS; i++) {
        named[i] = AUTHORS - 1 - i;
        allocation_fail(1);
        assert_int_equal(author_mention(author, named[i], AUTHORS), GOSSIP_OK);
        allocation_fail(0);
    }
    check_mentions(author, named, AUTHORS);
    authors_clear(&authors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find_and_add),
        cmocka_unit_test(test_as_stored),
        cmocka_unit_test(test_have),
        cmocka_unit_test(test_mentions),
        cmocka_unit_test(test_reserved_mentions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
