/*
 * The virtual world itself: that time, faults and the checker do what they say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "cmd/lab/world.h"

static const struct virtual_link usual = {.latency_ms = 5, .jitter_ms = 40, .loss_ppm = 50000};

static void require_sound(struct world *world)
{
    const struct violation *violation = world_violation(world);

    if (violation->invariant != INVARIANT_NONE)
        fail_msg("at %llu ms: %s: %s", (unsigned long long)violation->time_ms,
                 invariant_name(violation->invariant), violation->witness);
}

/* A busy minute of five nodes, and then quiet. */
static uint64_t run_minute(uint64_t seed, enum world_store store, enum world_crypto crypto)
{
    struct world_options options = {.seed = seed, .nodes = 5, .store = store, .crypto = crypto};
    struct world *world = world_create(&options);
    uint64_t trace;

    virtual_network_set_default(world_network(world), &usual);
    for (unsigned i = 0; i < 200; i++) {
        char text[32];

        snprintf(text, sizeof(text), "event %u", i);
        world_publish(world, i % 5, text, strlen(text));
        world_run(world, 300);
        if (i == 60)
            world_kill(world, 2, VIRTUAL_DAMAGE_LOST);
        if (i == 100)
            world_start(world, 2);
    }
    assert_true(world_run_until(world, world_in_step, 60000));
    world_examine(world);
    require_sound(world);
    trace = world_trace(world);
    world_destroy(world);
    return trace;
}

static void test_minute_over_memory(void **state)
{
    (void)state;
    assert_int_equal(run_minute(1, WORLD_MEMORY, WORLD_STANDIN),
                     run_minute(1, WORLD_MEMORY, WORLD_STANDIN));
    assert_int_not_equal(run_minute(1, WORLD_MEMORY, WORLD_STANDIN),
                         run_minute(2, WORLD_MEMORY, WORLD_STANDIN));
}

static void test_minute_over_sqlite(void **state)
{
    (void)state;
    assert_int_equal(run_minute(1, WORLD_SQLITE, WORLD_STANDIN),
                     run_minute(1, WORLD_SQLITE, WORLD_STANDIN));
}

static void test_minute_with_sodium(void **state)
{
    (void)state;
    run_minute(1, WORLD_SQLITE, WORLD_SODIUM);
}

/* A node that has met another finds it again by what it has stored; of one that has moved since it
 * is told again. */
static void test_joins_once(void **state)
{
    struct world_options options = {.seed = 5, .nodes = 3, .joins_once = true};
    struct world *world = world_create(&options);

    (void)state;
    world_tell(world, 1, "one");
    assert_true(world_run_until(world, world_in_step, 60000));
    for (unsigned i = 0; i < 3; i++)
        world_kill(world, i, VIRTUAL_DAMAGE_NONE);
    world_start(world, 0);
    world_start(world, 1);
    assert_int_equal(world_tell(world, 1, "two"), 2);
    assert_true(world_run_until(world, world_in_step, 60000));
    world_stop(world, 0);
    world_stop(world, 1);
    world_move(world, 0);
    world_start(world, 0);
    world_start(world, 2);
    assert_true(world_run_until(world, world_in_step, 60000));
    require_sound(world);
    world_destroy(world);
}

/* Who is apart stays so, whatever splits and heals, until it rejoins. */
static void test_apart(void **state)
{
    struct world_options options = {.seed = 7, .nodes = 3};
    struct world *world = world_create(&options);

    (void)state;
    assert_true(world_run_until(world, world_in_step, 60000));
    world_isolate(world, 1);
    world_tell(world, 0, "one");
    world_split(world, 1);
    world_run(world, 10000);
    world_heal(world);
    world_run(world, 60000);
    assert_false(world_agrees(world));
    world_rejoin(world, 1);
    assert_true(world_run_until(world, world_in_step, 120000));
    require_sound(world);
    world_destroy(world);
}

/* How large the database has become while its node ran and wrote. */
static uint64_t size_while_running(uint64_t checkpoint_pages)
{
    struct world_options options = {
        .seed = 6, .nodes = 1, .store = WORLD_SQLITE, .checkpoint_pages = checkpoint_pages};
    struct world *world = world_create(&options);
    static const char text[1000] = "";
    uint64_t size;

    for (unsigned i = 0; i < 50; i++) {
        assert_true(world_publish(world, 0, text, sizeof(text)));
        world_run(world, 10);
    }
    require_sound(world);
    size = virtual_disk_size(world_disk(world, 0), "node.db");
    world_destroy(world);
    return size;
}

static void test_checkpoints(void **state)
{
    (void)state;
    assert_true(size_while_running(4) > size_while_running(0) + 25 * 1000);
}

static void count_event(void *context, unsigned node, const struct gossip_event *event)
{
    unsigned *counts = context;

    (void)event;
    counts[node]++;
}

/* What else happens past a violation is seen, where that is asked for; nothing more is held against
 * it. A store that is set back then is shown from where it ends, as before. */
static void test_goes_on(void **state)
{
    (void)state;
    for (unsigned goes_on = 0; goes_on < 2; goes_on++) {
        struct world_options options = {
            .seed = 5, .nodes = 2, .store = WORLD_SQLITE, .goes_on = goes_on == 1};
        struct world *world = world_create(&options);
        unsigned counts[2] = {0};
        uint64_t before_ms;

        world_set_application(world, count_event, counts);
        world_run(world, 5000);
        assert_int_equal(world_tell(world, 0, "kept"), 1);
        world_stop(world, 0);
        world_backup(world, 0);
        world_start(world, 0);
        assert_int_equal(world_tell(world, 0, "lost"), 2);
        world_run(world, 1000);
        assert_int_equal(counts[0], 2);
        require_sound(world);
        checker_report(world_checker(world), INVARIANT_BOUNDS, "the first");
        checker_report(world_checker(world), INVARIANT_BOUNDS, "the second");
        assert_int_equal(world_stands_still(world), goes_on == 0);
        world_kill(world, 0, VIRTUAL_DAMAGE_NONE);
        assert_true(world_copy_back(world, 0));
        world_start(world, 0);
        before_ms = world_now(world);
        world_run(world, 60000);
        world_examine(world);
        assert_false(world_is_sound(world));
        assert_string_equal(world_violation(world)->witness, "the first");
        if (goes_on == 1) {
            assert_int_equal(world_now(world), before_ms + 60000);
            assert_int_equal(counts[0], 3); /* "lost" comes back from the other. */
            assert_int_equal(world_tell(world, 0, "after"), 2);
            world_run(world, 1000);
            assert_int_equal(counts[0], 5); /* With the event that opens its new epoch. */
            assert_int_equal(counts[1], 4);
        }
        world_destroy(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_minute_over_memory),
        cmocka_unit_test(test_minute_over_sqlite),
        cmocka_unit_test(test_minute_with_sodium),
        cmocka_unit_test(test_joins_once),
        cmocka_unit_test(test_checkpoints),
        cmocka_unit_test(test_apart),
        cmocka_unit_test(test_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
