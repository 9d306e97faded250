#include "gossip/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/property.h"

enum { WINDOW = GOSSIP_REPLAY_WINDOW };

static void test_one_after_another(void **state)
{
    struct replay_window window;

    (void)state;
    replay_reset(&window, 0);
    assert_false(replay_is_new(&window, 0)); /* Counters start at 1. */
    for (uint64_t counter = 1; counter <= 3 * WINDOW; counter++) {
        assert_true(replay_is_new(&window, counter));
        assert_true(replay_is_new(&window, counter)); /* Looking changes nothing. */
        replay_mark(&window, counter);
        assert_false(replay_is_new(&window, counter));
        assert_false(replay_is_new(&window, counter - 1));
    }
}

static void test_edges(void **state)
{
    struct replay_window window;

    (void)state;
    replay_reset(&window, 0);
    replay_mark(&window, 5000);
    assert_true(replay_is_new(&window, 5000 - WINDOW + 1));
    assert_false(replay_is_new(&window, 5000 - WINDOW));
    assert_false(replay_is_new(&window, 1));

    /* A step that moves the whole window, and one that moves all of it but one. */
    replay_mark(&window, 5000 + WINDOW);
    assert_false(replay_is_new(&window, 5000));
    assert_true(replay_is_new(&window, 5001));
    replay_mark(&window, 5001);
    replay_mark(&window, 5000 + WINDOW + WINDOW - 1);
    assert_false(replay_is_new(&window, 5000 + WINDOW));
    assert_true(replay_is_new(&window, 5001 + WINDOW));
}

static void test_floor(void **state)
{
    struct replay_window window;

    (void)state;
    replay_reset(&window, 700);
    for (uint64_t counter = 0; counter <= 700; counter++)
        assert_false(replay_is_new(&window, counter));
    replay_mark(&window, 710);
    for (uint64_t counter = 0; counter <= 700; counter++)
        assert_false(replay_is_new(&window, counter));
    for (uint64_t counter = 701; counter < 710; counter++)
        assert_true(replay_is_new(&window, counter));

    replay_reset(&window, 3); /* A new boot starts lower. */
    assert_true(replay_is_new(&window, 4));
    assert_false(replay_is_new(&window, 3));
}

static void test_greatest_counters(void **state)
{
    struct replay_window window;

    (void)state;
    replay_reset(&window, 0);
    replay_mark(&window, UINT64_MAX - 1);
    assert_true(replay_is_new(&window, UINT64_MAX));
    assert_true(replay_is_new(&window, UINT64_MAX - WINDOW));
    replay_mark(&window, UINT64_MAX);
    assert_false(replay_is_new(&window, UINT64_MAX));
    assert_false(replay_is_new(&window, UINT64_MAX - 1));
    assert_false(replay_is_new(&window, UINT64_MAX - WINDOW));
    assert_true(replay_is_new(&window, UINT64_MAX - WINDOW + 1));
    assert_false(replay_is_new(&window, 0));

    replay_reset(&window, UINT64_MAX);
    assert_false(replay_is_new(&window, UINT64_MAX));
    assert_false(replay_is_new(&window, 1));
}

/* Against a set that remembers everything. */
static void test_as_a_set(void **state)
{
    enum { COUNTERS = 20000, STEPS = 30000 };
    static bool seen[COUNTERS];
    uint64_t seed = random_start();

    (void)state;
    for (int round = 0; round < 10; round++) {
        struct replay_window window;
        uint64_t floor = random_below(&seed, 2000);
        uint64_t greatest = floor;

        for (uint64_t i = 0; i < COUNTERS; i++)
            seen[i] = i <= floor;
        replay_reset(&window, floor);
        for (int step = 0; step < STEPS; step++) {
            uint64_t counter = greatest + random_below(&seed, 3);
            uint64_t draw = random_below(&seed, 40);
            bool is_new;

            if (draw == 0) /* Lost ones, and now and then whole windows of them. */
                counter += random_below(&seed, step % 4 == 0 ? 3 * WINDOW : 130);
            else if (draw < 26) /* Late and doubled ones, from a bit more than a window back. */
                counter -= random_below(&seed, WINDOW + 50);
            if (counter >= COUNTERS) /* Also where it went below 0. */
                continue;
            is_new = !seen[counter] && (counter > greatest || greatest - counter < WINDOW);
            assert_int_equal(replay_is_new(&window, counter), is_new);
            if (is_new && random_below(&seed, 4) != 0) {
                replay_mark(&window, counter);
                seen[counter] = true;
                if (counter > greatest)
                    greatest = counter;
            }
        }
        assert_true(greatest > floor);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_after_another),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_floor),
        cmocka_unit_test(test_greatest_counters),
        cmocka_unit_test(test_as_a_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
