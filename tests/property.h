/*
 * Random cases from a seed that is printed, so that a failure can be had again:
 * GOSSIP_TEST_SEED=seed build/tests/test_name
 */
#ifndef TESTS_PROPERTY_H
#define TESTS_PROPERTY_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Vigna's splitmix64. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* 0 to bound - 1. */
static inline uint64_t random_below(uint64_t *state, uint64_t bound)
{
    return random_next(state) % bound;
}

/* Of so many rounds, as many as there is time for: under valgrind and sanitizers a tenth. */
static inline unsigned random_rounds(unsigned all)
{
    return getenv("GOSSIP_TEST_SEEDS") == NULL || all < 10 ? all : all / 10;
}

static inline uint64_t random_start(void)
{
    const char *text = getenv("GOSSIP_TEST_SEED");
    uint64_t seed = text == NULL ? 1 : strtoull(text, NULL, 10);

    printf("seed: GOSSIP_TEST_SEED=%" PRIu64 "\n", seed);
    return seed;
}

#endif
