#include "gossip/vclock.h"

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

#define MAX GOSSIP_COUNTER_MAX

/* What every clock must be, whatever has been done to it. */
static void check(const struct gossip_vclock *clock)
{
    assert_true(clock->count <= clock->capacity);
    for (size_t i = 0; i < clock->count; i++) {
        assert_in_range(clock->counters[i], 1, MAX);
        if (i > 0)
            assert_true(clock->authors[i - 1] < clock->authors[i]);
    }
}

/* "a2b1" is two events of author 'a' and one of 'b'. */
static struct gossip_vclock clock_of(const char *text)
{
    struct gossip_vclock clock = {0};

    for (; *text != '\0'; text += 2)
        assert_int_equal(gossip_vclock_set(&clock, (uint32_t)text[0], (uint64_t)(text[1] - '0')),
                         GOSSIP_OK);
    check(&clock);
    return clock;
}

static void assert_clock(const struct gossip_vclock *clock, const char *text)
{
    struct gossip_vclock expected = clock_of(text);

    check(clock);
    assert_int_equal(gossip_vclock_compare(clock, &expected), GOSSIP_EQUAL);
    assert_int_equal(clock->count, expected.count);
    gossip_vclock_clear(&expected);
}

static void test_pairs(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        enum gossip_relation relation;
        const char *join;
        const char *meet;
    } cases[] = {
        {"", "", GOSSIP_EQUAL, "", ""},
        {"", "a1", GOSSIP_BEFORE, "a1", ""},
        {"a1", "", GOSSIP_AFTER, "a1", ""},
        {"a1", "a1", GOSSIP_EQUAL, "a1", "a1"},
        {"a1", "a1b0", GOSSIP_EQUAL, "a1", "a1"},
        {"a1", "a2", GOSSIP_BEFORE, "a2", "a1"},
        {"a1", "b1", GOSSIP_CONCURRENT, "a1b1", ""},
        {"a2b1", "a1b2", GOSSIP_CONCURRENT, "a2b2", "a1b1"},
        {"a2b1", "a2b2", GOSSIP_BEFORE, "a2b2", "a2b1"},
        {"a1", "a1b1", GOSSIP_BEFORE, "a1b1", "a1"},
        {"b1", "a1b1", GOSSIP_BEFORE, "a1b1", "b1"},
        {"a1c1", "a1b1c1", GOSSIP_BEFORE, "a1b1c1", "a1c1"},
        {"a2c1", "a1b1c1", GOSSIP_CONCURRENT, "a2b1c1", "a1c1"},
        {"a1b1", "b2c1", GOSSIP_CONCURRENT, "a1b2c1", "b1"},
        {"a1b1c1", "d1", GOSSIP_CONCURRENT, "a1b1c1d1", ""},
        {"c2r1", "c1r2", GOSSIP_CONCURRENT, "c2r2", "c1r1"},
        {"a3b3c3d3", "b2d2", GOSSIP_AFTER, "a3b3c3d3", "b2d2"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gossip_vclock a = clock_of(cases[i].a);
        struct gossip_vclock b = clock_of(cases[i].b);
        enum gossip_relation relation = gossip_vclock_compare(&a, &b);

        if (relation != cases[i].relation)
            fail_msg("%s and %s: %s", cases[i].a, cases[i].b, gossip_relation_name(relation));
        assert_int_equal(gossip_vclock_covers(&a, &b),
                         relation == GOSSIP_EQUAL || relation == GOSSIP_AFTER);
        assert_int_equal(gossip_vclock_merge(&a, &b), GOSSIP_OK);
        assert_clock(&a, cases[i].join);
        gossip_vclock_clear(&a);
        a = clock_of(cases[i].a);
        gossip_vclock_meet(&a, &b);
        assert_clock(&a, cases[i].meet);
        gossip_vclock_clear(&a);
        gossip_vclock_clear(&b);
    }
}

static void test_counters(void **state)
{
    struct gossip_vclock clock = {0};
    uint64_t counter = 0;

    (void)state;
    assert_true(gossip_vclock_get(&clock, 0) == 0);
    assert_int_equal(gossip_vclock_increment(&clock, 7, NULL), GOSSIP_OK);
    assert_int_equal(gossip_vclock_increment(&clock, 7, &counter), GOSSIP_OK);
    assert_true(counter == 2);
    assert_int_equal(gossip_vclock_increment(&clock, UINT32_MAX, &counter), GOSSIP_OK);
    assert_true(counter == 1);
    assert_int_equal(gossip_vclock_increment(&clock, 0, &counter), GOSSIP_OK);
    assert_true(gossip_vclock_get(&clock, UINT32_MAX) == 1);
    assert_true(gossip_vclock_get(&clock, 8) == 0);
    check(&clock);

    assert_int_equal(gossip_vclock_raise(&clock, 7, 1), GOSSIP_OK);
    assert_true(gossip_vclock_get(&clock, 7) == 2);
    assert_int_equal(gossip_vclock_raise(&clock, 7, 9), GOSSIP_OK);
    assert_true(gossip_vclock_get(&clock, 7) == 9);
    assert_int_equal(gossip_vclock_raise(&clock, 50, 0), GOSSIP_OK);
    assert_int_equal(gossip_vclock_set(&clock, 51, 0), GOSSIP_OK);
    assert_int_equal(clock.count, 3);
    assert_int_equal(gossip_vclock_set(&clock, 7, 3), GOSSIP_OK);
    assert_true(gossip_vclock_get(&clock, 7) == 3);
    assert_int_equal(gossip_vclock_set(&clock, 7, 0), GOSSIP_OK);
    assert_true(gossip_vclock_get(&clock, 7) == 0);
    assert_int_equal(clock.count, 2);
    check(&clock);

    assert_true(gossip_vclock_covers_dot(&clock, 7, 0));
    assert_false(gossip_vclock_covers_dot(&clock, 7, 1));
    assert_true(gossip_vclock_covers_dot(&clock, 0, 1));
    assert_false(gossip_vclock_covers_dot(&clock, 0, 2));
    gossip_vclock_clear(&clock);
    gossip_vclock_clear(&clock);
    gossip_vclock_clear(NULL);
    assert_int_equal(clock.count, 0);
}

static void test_limit(void **state)
{
    static const uint64_t too_great[] = {MAX + 1, UINT64_C(1) << 63, UINT64_MAX};
    struct gossip_vclock clock = {0};
    uint64_t counter = 77;

    (void)state;
    for (size_t i = 0; i < sizeof(too_great) / sizeof(too_great[0]); i++) {
        assert_int_equal(gossip_vclock_set(&clock, 1, too_great[i]), GOSSIP_ERR_LIMIT);
        assert_int_equal(gossip_vclock_raise(&clock, 1, too_great[i]), GOSSIP_ERR_LIMIT);
        assert_int_equal(clock.count, 0);
    }
    assert_int_equal(gossip_vclock_set(&clock, 1, MAX - 1), GOSSIP_OK);
    assert_int_equal(gossip_vclock_increment(&clock, 1, &counter), GOSSIP_OK);
    assert_true(counter == MAX);
    counter = 77;
    assert_int_equal(gossip_vclock_increment(&clock, 1, &counter), GOSSIP_ERR_LIMIT);
    assert_true(counter == 77);
    for (size_t i = 0; i < sizeof(too_great) / sizeof(too_great[0]); i++) {
        assert_int_equal(gossip_vclock_set(&clock, 1, too_great[i]), GOSSIP_ERR_LIMIT);
        assert_int_equal(gossip_vclock_raise(&clock, 1, too_great[i]), GOSSIP_ERR_LIMIT);
    }
    assert_true(gossip_vclock_get(&clock, 1) == MAX);
    gossip_vclock_clear(&clock);
}

static void test_relation_names(void **state)
{
    static const char *const names[] = {"equal",  "before",    "after", "concurrent",
                                        "pruned", "contested", NULL};

    (void)state;
    for (int i = 0; names[i] != NULL; i++)
        assert_string_equal(gossip_relation_name((enum gossip_relation)i), names[i]);
}

/* Against the simplest clock there is: a counter for each of a few authors. */

enum { AUTHORS = 12 };

/* Local numbers far apart, the first and the last among them. */
static uint32_t author_of(size_t index)
{
    return index == AUTHORS - 1 ? UINT32_MAX : (uint32_t)index * 1000003u;
}

struct naive {
    uint64_t counters[AUTHORS];
};

static struct naive naive_of(const struct gossip_vclock *clock)
{
    struct naive naive;

    for (size_t i = 0; i < AUTHORS; i++)
        naive.counters[i] = gossip_vclock_get(clock, author_of(i));
    return naive;
}

static enum gossip_relation naive_compare(const struct naive *a, const struct naive *b)
{
    bool all_less_or_equal = true;
    bool all_greater_or_equal = true;

    for (size_t i = 0; i < AUTHORS; i++) {
        if (a->counters[i] > b->counters[i])
            all_less_or_equal = false;
        if (a->counters[i] < b->counters[i])
            all_greater_or_equal = false;
    }
    if (all_less_or_equal)
        return all_greater_or_equal ? GOSSIP_EQUAL : GOSSIP_BEFORE;
    return all_greater_or_equal ? GOSSIP_AFTER : GOSSIP_CONCURRENT;
}

static void assert_is(const struct gossip_vclock *clock, const struct naive *naive)
{
    struct naive actual = naive_of(clock);
    size_t count = 0;

    check(clock);
    for (size_t i = 0; i < AUTHORS; i++)
        count += naive->counters[i] > 0;
    assert_int_equal(clock->count, count);
    assert_memory_equal(&actual, naive, sizeof(actual));
}

/* Few authors with few values, so that all relations turn up, and a great one at times. */
static struct gossip_vclock random_clock(uint64_t *seed)
{
    struct gossip_vclock clock = {0};
    uint64_t density = random_below(seed, 5);
    uint64_t range = 1 + random_below(seed, 3);

    for (size_t i = 0; i < AUTHORS; i++) {
        uint64_t counter = 1 + random_below(seed, range);

        if (random_below(seed, 30) == 0)
            counter = MAX - random_below(seed, 2);
        if (random_below(seed, 4) < density)
            assert_int_equal(gossip_vclock_set(&clock, author_of(i), counter), GOSSIP_OK);
    }
    return clock;
}

/* One that often has the same authors, or is greater. */
static struct gossip_vclock random_relative(uint64_t *seed, const struct gossip_vclock *clock)
{
    struct gossip_vclock relative = {0};
    uint64_t steps = random_below(seed, 4);

    if (random_below(seed, 3) == 0)
        return random_clock(seed);
    assert_int_equal(gossip_vclock_copy(&relative, clock), GOSSIP_OK);
    for (uint64_t i = 0; i < steps; i++) {
        uint32_t author = author_of(random_below(seed, AUTHORS));

        assert_int_equal(gossip_vclock_set(&relative, author, random_below(seed, 4)), GOSSIP_OK);
    }
    return relative;
}

static struct gossip_vclock copy_of(const struct gossip_vclock *clock)
{
    struct gossip_vclock copy = {0};

    assert_int_equal(gossip_vclock_copy(&copy, clock), GOSSIP_OK);
    return copy;
}

static struct gossip_vclock join_of(const struct gossip_vclock *a, const struct gossip_vclock *b)
{
    struct gossip_vclock join = copy_of(a);

    assert_int_equal(gossip_vclock_merge(&join, b), GOSSIP_OK);
    return join;
}

static struct gossip_vclock meet_of(const struct gossip_vclock *a, const struct gossip_vclock *b)
{
    struct gossip_vclock meet = copy_of(a);

    gossip_vclock_meet(&meet, b);
    return meet;
}

static void assert_equal_and_clear(struct gossip_vclock a, struct gossip_vclock b)
{
    check(&a);
    check(&b);
    assert_int_equal(gossip_vclock_compare(&a, &b), GOSSIP_EQUAL);
    gossip_vclock_clear(&a);
    gossip_vclock_clear(&b);
}

static void test_pairs_as_naive(void **state)
{
    uint64_t seed = random_start();
    size_t seen[4] = {0};

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct gossip_vclock a = random_clock(&seed);
        struct gossip_vclock b = random_relative(&seed, &a);
        struct gossip_vclock join = join_of(&a, &b);
        struct gossip_vclock meet = meet_of(&a, &b);
        struct naive naive_a = naive_of(&a);
        struct naive naive_b = naive_of(&b);
        struct naive naive_join;
        struct naive naive_meet;
        enum gossip_relation relation = naive_compare(&naive_a, &naive_b);

        for (size_t j = 0; j < AUTHORS; j++) {
            uint64_t in_a = naive_a.counters[j];
            uint64_t in_b = naive_b.counters[j];

            naive_join.counters[j] = in_a > in_b ? in_a : in_b;
            naive_meet.counters[j] = in_a < in_b ? in_a : in_b;
        }
        assert_is(&join, &naive_join);
        assert_is(&meet, &naive_meet);
        assert_is(&b, &naive_b); /* Untouched. */
        assert_int_equal(gossip_vclock_compare(&a, &b), relation);
        assert_int_equal(gossip_vclock_covers(&a, &b),
                         relation == GOSSIP_EQUAL || relation == GOSSIP_AFTER);
        assert_int_equal(gossip_vclock_covers(&b, &a),
                         relation == GOSSIP_EQUAL || relation == GOSSIP_BEFORE);
        seen[relation]++;
        gossip_vclock_clear(&a);
        gossip_vclock_clear(&b);
        gossip_vclock_clear(&join);
        gossip_vclock_clear(&meet);
    }
    for (size_t i = 0; i < 4; i++)
        assert_true(seen[i] > 500);
}

/* Clocks are a lattice: join and meet commute, associate, are idempotent and absorb each other. */
static void test_lattice(void **state)
{
    uint64_t seed = random_start();

    (void)state;
    for (int i = 0; i < 5000; i++) {
        struct gossip_vclock a = random_clock(&seed);
        struct gossip_vclock b = random_relative(&seed, &a);
        struct gossip_vclock c = random_relative(&seed, &b);
        struct gossip_vclock ab = join_of(&a, &b);
        struct gossip_vclock bc = join_of(&b, &c);
        struct gossip_vclock ab_meet = meet_of(&a, &b);
        struct gossip_vclock bc_meet = meet_of(&b, &c);

        assert_equal_and_clear(join_of(&a, &b), join_of(&b, &a));
        assert_equal_and_clear(meet_of(&a, &b), meet_of(&b, &a));
        assert_equal_and_clear(join_of(&ab, &c), join_of(&a, &bc));
        assert_equal_and_clear(meet_of(&ab_meet, &c), meet_of(&a, &bc_meet));
        assert_equal_and_clear(join_of(&a, &a), copy_of(&a));
        assert_equal_and_clear(meet_of(&a, &a), copy_of(&a));
        assert_equal_and_clear(join_of(&a, &ab_meet), copy_of(&a));
        assert_equal_and_clear(meet_of(&a, &ab), copy_of(&a));
        assert_true(gossip_vclock_covers(&ab, &a));
        assert_true(gossip_vclock_covers(&ab, &b));
        assert_true(gossip_vclock_covers(&a, &ab_meet));

        /* With itself, also in place. */
        assert_int_equal(gossip_vclock_merge(&a, &a), GOSSIP_OK);
        gossip_vclock_meet(&a, &a);
        assert_int_equal(gossip_vclock_copy(&a, &a), GOSSIP_OK);
        assert_equal_and_clear(meet_of(&a, &ab), copy_of(&a));
        gossip_vclock_clear(&a);
        gossip_vclock_clear(&b);
        gossip_vclock_clear(&c);
        gossip_vclock_clear(&ab);
        gossip_vclock_clear(&bc);
        gossip_vclock_clear(&ab_meet);
        gossip_vclock_clear(&bc_meet);
    }
}

static void test_steps_as_naive(void **state)
{
    uint64_t seed = random_start();
    struct gossip_vclock clock = {0};
    struct naive naive = {{0}};

    (void)state;
    for (int i = 0; i < 50000; i++) {
        size_t index = random_below(&seed, AUTHORS);
        uint32_t author = author_of(index);
        uint64_t *expected = &naive.counters[index];
        uint64_t counter = random_below(&seed, 6);
        uint64_t incremented;

        if (random_below(&seed, 20) == 0)
            counter = MAX + 1 - random_below(&seed, 3);
        switch (random_below(&seed, 3)) {
        case 0:
            assert_int_equal(gossip_vclock_set(&clock, author, counter),
                             counter > MAX ? GOSSIP_ERR_LIMIT : GOSSIP_OK);
            if (counter <= MAX)
                *expected = counter;
            break;
        case 1:
            assert_int_equal(gossip_vclock_raise(&clock, author, counter),
                             counter > MAX ? GOSSIP_ERR_LIMIT : GOSSIP_OK);
            if (counter <= MAX && counter > *expected)
                *expected = counter;
            break;
        default:
            if (*expected == MAX) {
                assert_int_equal(gossip_vclock_increment(&clock, author, &incremented),
                                 GOSSIP_ERR_LIMIT);
                break;
            }
            assert_int_equal(gossip_vclock_increment(&clock, author, &incremented), GOSSIP_OK);
            assert_true(incremented == ++*expected);
        }
        assert_is(&clock, &naive);
        assert_int_equal(gossip_vclock_covers_dot(&clock, author, counter), *expected >= counter);
    }
    gossip_vclock_clear(&clock);
}

/* Memory. */

static void test_growth_is_geometric(void **state)
{
    struct gossip_vclock clock = {0};
    size_t before;

    (void)state;
    before = allocation_count;
    for (uint32_t author = 0; author < 100000; author++)
        assert_int_equal(gossip_vclock_increment(&clock, author, NULL), GOSSIP_OK);
    assert_true(allocation_count - before <= 2 * 17);

    /* Reserved room is enough, and what fits needs none. */
    gossip_vclock_clear(&clock);
    assert_int_equal(gossip_vclock_reserve(&clock, 1000), GOSSIP_OK);
    before = allocation_count;
    for (uint32_t author = 1000; author > 0; author--)
        assert_int_equal(gossip_vclock_raise(&clock, author, 1), GOSSIP_OK);
    assert_int_equal(gossip_vclock_merge(&clock, &clock), GOSSIP_OK);
    assert_int_equal(gossip_vclock_reserve(&clock, 5), GOSSIP_OK);
    assert_int_equal(allocation_count, before);
    gossip_vclock_clear(&clock);
}

static void test_too_much(void **state)
{
    struct gossip_vclock clock = clock_of("a1b2");

    (void)state;
    assert_int_equal(gossip_vclock_reserve(&clock, SIZE_MAX), GOSSIP_ERR_NOMEM);
    assert_int_equal(gossip_vclock_reserve(&clock, SIZE_MAX / 8 + 1), GOSSIP_ERR_NOMEM);
    assert_clock(&clock, "a1b2");
    gossip_vclock_clear(&clock);
}

static void test_failed_allocation_changes_nothing(void **state)
{
    static const char *const full = "a1b1c1d1e1f1g1h1"; /* As many as fit at first. */

    (void)state;
    for (size_t nth = 1; nth <= 2; nth++) {
        struct gossip_vclock clock = clock_of(full);
        struct gossip_vclock other = clock_of("a9x2");
        struct gossip_vclock large = {0};
        uint64_t counter = 77;

        for (uint32_t author = 0; author < 100; author++)
            assert_int_equal(gossip_vclock_set(&large, author, 5), GOSSIP_OK);
        assert_int_equal(clock.count, clock.capacity);

        allocation_fail(nth);
        assert_int_equal(gossip_vclock_set(&clock, 'z', 1), GOSSIP_ERR_NOMEM);
        allocation_fail(nth);
        assert_int_equal(gossip_vclock_raise(&clock, 'A', 1), GOSSIP_ERR_NOMEM);
        allocation_fail(nth);
        assert_int_equal(gossip_vclock_increment(&clock, 'z', &counter), GOSSIP_ERR_NOMEM);
        assert_true(counter == 77);
        allocation_fail(nth);
        assert_int_equal(gossip_vclock_merge(&clock, &other), GOSSIP_ERR_NOMEM);
        allocation_fail(nth);
        assert_int_equal(gossip_vclock_copy(&clock, &large), GOSSIP_ERR_NOMEM);
        allocation_fail(nth);
        assert_int_equal(gossip_vclock_reserve(&clock, 9), GOSSIP_ERR_NOMEM);
        assert_clock(&clock, full);
        assert_int_equal(clock.capacity, clock.count);

        allocation_fail(0);
        assert_int_equal(gossip_vclock_merge(&clock, &other), GOSSIP_OK);
        assert_clock(&clock, "a9b1c1d1e1f1g1h1x2");
        gossip_vclock_clear(&clock);
        gossip_vclock_clear(&other);
        gossip_vclock_clear(&large);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_relation_names),
        cmocka_unit_test(test_pairs_as_naive),
        cmocka_unit_test(test_lattice),
        cmocka_unit_test(test_steps_as_naive),
        cmocka_unit_test(test_growth_is_geometric),
        cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_failed_allocation_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
