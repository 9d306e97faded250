#include "gossip/hlc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "gossip/limits.h"
#include "tests/property.h"

#define LAST_MS ((UINT64_C(1) << 47) - 1)

static void test_tick(void **state)
{
    static const struct {
        uint64_t clock_ms;
        uint16_t counter;
        uint64_t wall_ms;
        uint64_t expected_ms;
        uint16_t expected_counter;
    } cases[] = {
        {0, 0, 100, 100, 0},                          /* The first. */
        {100, 5, 101, 101, 0},                        /* Time has passed. */
        {100, 5, 100, 100, 6},                        /* None has. */
        {100, 5, 90, 100, 6},                         /* The wall clock went back ... */
        {100, 5, 0, 100, 6},                          /* ... to 1970. */
        {100, 5, 31536000100, 31536000100, 0},        /* A year forward. */
        {100, 65535, 100, 101, 0},                    /* The counter is full. */
        {100, 65535, 101, 101, 0},                    /* The same, and time has passed. */
        {100, 0, LAST_MS + 1, LAST_MS, 0},            /* A wall clock past 47 bits ... */
        {100, 0, UINT64_MAX, LAST_MS, 0},             /* ... and past everything. */
        {LAST_MS, 0, UINT64_MAX, LAST_MS, 1},         /* The last millisecond, */
        {LAST_MS, 65534, UINT64_MAX, LAST_MS, 65535}, /* its last stamp, */
        {LAST_MS, 65535, UINT64_MAX, LAST_MS, 65535}, /* and there the clock stands. */
        {LAST_MS, 65535, 100, LAST_MS, 65535},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t clock = hlc_make(cases[i].clock_ms, cases[i].counter);
        uint64_t expected = hlc_make(cases[i].expected_ms, cases[i].expected_counter);
        uint64_t stamp = hlc_tick(&clock, cases[i].wall_ms);

        if (stamp != expected || clock != expected)
            fail_msg("case %zu: (%ju,%u), clock (%ju,%u)", i, (uintmax_t)hlc_ms(stamp),
                     (unsigned)(uint16_t)stamp, (uintmax_t)hlc_ms(clock),
                     (unsigned)(uint16_t)clock);
    }
}

static void test_merge(void **state)
{
    enum { AHEAD = GOSSIP_HLC_AHEAD_MS };
    static const struct {
        const char *what;
        uint64_t clock;
        uint64_t stamp;
        uint64_t wall_ms;
        uint64_t expected;
        bool ahead;
    } cases[] = {
#define HLC(ms, counter) ((uint64_t)(ms) << 16 | (counter))
        {"S12: does not go back", HLC(100, 5), HLC(99, 7), 90, HLC(100, 6), false},
        {"theirs is greater", HLC(100, 5), HLC(101, 7), 90, HLC(101, 8), false},
        {"both in one millisecond, ours", HLC(100, 7), HLC(100, 5), 100, HLC(100, 8), false},
        {"both in one millisecond, theirs", HLC(100, 5), HLC(100, 7), 100, HLC(100, 8), false},
        {"the wall is greatest", HLC(100, 5), HLC(101, 7), 102, HLC(102, 0), false},
        {"their counter is full", HLC(100, 5), HLC(101, 65535), 100, HLC(102, 0), false},
        {"as far as is followed", HLC(100, 5), HLC(1000 + AHEAD, 3), 1000, HLC(1000 + AHEAD, 4),
         false},
        {"there, with a full counter", HLC(100, 5), HLC(1000 + AHEAD, 65535), 1000,
         HLC(1000 + AHEAD, 65535), false},
        {"a millisecond further", HLC(100, 5), HLC(1001 + AHEAD, 0), 1000, HLC(1000 + AHEAD, 65535),
         true},
        {"further, and our clock is there too", HLC(5000, 0), HLC(9000, 0), 1000, HLC(5000, 1),
         true},
        {"our wall went back, their stamp is good", HLC(100000, 3), HLC(100001, 0), 5,
         HLC(100000, 4), true},
        {"stamp 0", HLC(100, 5), 0, 100, HLC(100, 6), false},
        {"stamp 2^63 - 1", HLC(100, 5), INT64_MAX, 1000, HLC(1000 + AHEAD, 65535), true},
        {"stamp 2^63", HLC(100, 5), UINT64_C(1) << 63, 1000, HLC(1000 + AHEAD, 65535), true},
        {"stamp 2^64 - 1", HLC(100, 5), UINT64_MAX, 1000, HLC(1000 + AHEAD, 65535), true},
        {"all at the end of time", INT64_MAX, INT64_MAX, UINT64_MAX, INT64_MAX, false},
        {"our end, our wall past it", HLC(100, 5), INT64_MAX, UINT64_MAX, INT64_MAX, false},
        {"their end, past ours", HLC(100, 5), UINT64_MAX, UINT64_MAX, INT64_MAX, true},
        {"a new clock, everything 0", 0, 0, 0, 1, false},
#undef HLC
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t clock = cases[i].clock;
        bool ahead = hlc_merge(&clock, cases[i].stamp, cases[i].wall_ms);

        if (clock != cases[i].expected || ahead != cases[i].ahead)
            fail_msg("%s: (%ju,%u), ahead: %d", cases[i].what, (uintmax_t)hlc_ms(clock),
                     (unsigned)(uint16_t)clock, ahead);
    }
}

/* Whatever the wall does and the others stamp: the clock grows, passes what it has honestly seen,
 * and is not dragged further than the wall and the limit allow. */
static void test_any_walls_and_stamps(void **state)
{
    uint64_t seed = random_start();
    uint64_t clock = 0;
    uint64_t wall = 1000000;
    uint64_t greatest_wall = wall;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        uint64_t before = clock;
        uint64_t stamp;
        bool ahead;

        switch (random_below(&seed, 20)) {
        case 0: /* A jump, up to an hour each way. */
            wall = wall + random_below(&seed, 7200001) - (wall < 3600000 ? 0 : 3600000);
            break;
        case 1:
            wall = random_below(&seed, 1000);
            break;
        default:
            wall += random_below(&seed, 2);
        }
        if (wall > greatest_wall)
            greatest_wall = wall;

        if (random_below(&seed, 3) == 0) {
            stamp = hlc_tick(&clock, wall);
            assert_true(stamp == clock);
            assert_true(stamp > before);
            assert_true(hlc_ms(stamp) >= wall);
        } else {
            uint64_t draw = random_below(&seed, 100);

            stamp = hlc_make(wall, 0) + random_below(&seed, 1200 << 16);
            if (draw == 0)
                stamp = UINT64_MAX;
            else if (draw < 25)
                stamp = random_next(&seed);
            ahead = hlc_merge(&clock, stamp, wall);
            assert_true(clock > before);
            assert_true(hlc_ms(clock) >= wall);
            assert_int_equal(ahead, hlc_ms(stamp) > wall + GOSSIP_HLC_AHEAD_MS);
            if (!ahead)
                assert_true(clock >= stamp);
        }
        /* The millisecond borrowed from full counters aside. */
        assert_true(hlc_ms(clock) <= greatest_wall + GOSSIP_HLC_AHEAD_MS + 4);
    }
}

/* Of two stamps that are merged, the greater one never leaves the clock lesser. */
static void test_merge_is_monotonic(void **state)
{
    uint64_t seed = random_start();

    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint64_t wall = 10000;
        uint64_t start = hlc_make(wall - 600, 0) + random_below(&seed, 1200 << 16);
        uint64_t lesser = hlc_make(wall - 600, 0) + random_below(&seed, 1800 << 16);
        uint64_t greater = lesser + random_below(&seed, 3 << 16);
        uint64_t after_lesser = start;
        uint64_t after_greater = start;

        hlc_merge(&after_lesser, lesser, wall);
        hlc_merge(&after_greater, greater, wall);
        assert_true(after_lesser <= after_greater);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tick),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_any_walls_and_stamps),
        cmocka_unit_test(test_merge_is_monotonic),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
