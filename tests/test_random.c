#include "gossip/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const uint8_t seed_1[32] = {1};
static const uint8_t seed_2[32] = {2};

static struct random_source source_of(const uint8_t seed[32])
{
    struct random_source source;

    random_start(&source, gossip_crypto_sodium(), seed);
    return source;
}

/* However it is taken in pieces, it is one stream, and it depends on the seed alone. */
static void test_one_stream(void **state)
{
    enum { SIZE = 5000 };
    static uint8_t whole[SIZE];
    static uint8_t pieces[SIZE];
    struct random_source source = source_of(seed_1);

    (void)state;
    random_bytes(&source, whole, SIZE);
    for (size_t step = 1; step < 1200; step += 37) {
        source = source_of(seed_1);
        for (size_t at = 0; at < SIZE; at += step) {
            random_bytes(&source, pieces + at, SIZE - at < step ? SIZE - at : step);
            random_bytes(&source, pieces, 0);
        }
        assert_memory_equal(pieces, whole, SIZE);
    }
    source = source_of(seed_2);
    random_bytes(&source, pieces, SIZE);
    assert_memory_not_equal(pieces, whole, 16);
}

/* No block comes twice, as it would if the number of the block did not count. */
static void test_no_block_twice(void **state)
{
    enum { BLOCKS = 64, BLOCK = sizeof(((struct random_source *)NULL)->block) };
    static uint8_t blocks[BLOCKS][BLOCK];
    struct random_source source = source_of(seed_1);

    (void)state;
    random_bytes(&source, &blocks[0][0], sizeof(blocks));
    for (size_t i = 0; i < BLOCKS; i++) {
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(blocks[i], blocks[j], BLOCK);
    }
}

/* Pearson's chi-square of draws below bound, each of which should be equally frequent. */
static double chi_square(struct random_source *source, uint64_t bound, size_t draws)
{
    size_t counts[100] = {0};
    double expected = (double)draws / (double)bound;
    double sum = 0;

    assert_true(bound <= 100);
    for (size_t i = 0; i < draws; i++) {
        uint64_t value = random_below(source, bound);

        assert_true(value < bound);
        counts[value]++;
    }
    for (uint64_t value = 0; value < bound; value++) {
        double off = (double)counts[value] - expected;

        sum += off * off / expected;
    }
    return sum;
}

static void test_uniform(void **state)
{
    static const struct {
        uint64_t bound;
        double
            most; /* One in a thousand is greater; the seed is fixed, so it is always the same. */
    } cases[] = {
        {2, 10.83}, {3, 13.82}, {6, 20.52}, {7, 22.46}, {10, 27.88}, {64, 103.44}, {100, 148.23},
    };
    struct random_source source = source_of(seed_1);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        double sum = chi_square(&source, cases[i].bound, 20000);

        if (sum > cases[i].most)
            fail_msg("below %d: %f", (int)cases[i].bound, sum);
    }
}

/* Where the bound is no power of two but near the greatest number, a plain remainder would give the
 * lower values twice as often. */
static void test_no_remainder_bias(void **state)
{
    enum { DRAWS = 30000 };
    const uint64_t bound = UINT64_C(3) << 62;
    struct random_source source = source_of(seed_1);
    size_t thirds[3] = {0};

    (void)state;
    for (size_t i = 0; i < DRAWS; i++)
        thirds[random_below(&source, bound) >> 62]++;
    for (size_t i = 0; i < 3; i++)
        assert_in_range(thirds[i], DRAWS / 3 - 400, DRAWS / 3 + 400); /* Five deviations. */
}

static void test_edges(void **state)
{
    struct random_source source = source_of(seed_1);
    bool any_high = false;

    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_true(random_below(&source, 1) == 0);
        assert_true(random_below(&source, UINT64_MAX) < UINT64_MAX);
        any_high = any_high || random_below(&source, UINT64_C(1) << 63) >> 62 != 0;
    }
    assert_true(any_high);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_stream), cmocka_unit_test(test_no_block_twice),
        cmocka_unit_test(test_uniform),    cmocka_unit_test(test_no_remainder_bias),
        cmocka_unit_test(test_edges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
