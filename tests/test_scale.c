/*
 * More than fits at once: more authors than a digest's list shows, more events than a window
 * brings, a body of many datagrams, a joiner that comes late.
 */
#include "tests/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* Sixty authors differ at once; a list shows about thirty. Slices rotate until all is known. */
static void more_authors_than_a_list_shows(struct story *story)
{
    const unsigned nodes = story_is_short() ? 40 : 60;
    struct world_options none = {0};
    struct world *world = story_begin_with(story, nodes, &none);

    assert_true(world_run_until(world, story_in_step, 600 * STORY_SECOND_MS));
    world_kill(world, nodes - 1, VIRTUAL_DAMAGE_NONE);
    for (unsigned i = 0; i + 1 < nodes; i++)
        story_tells(world, i, "x");
    assert_true(world_run_until(world, world_agrees, 300 * STORY_SECOND_MS));
    world_start(world, nodes - 1);
    assert_true(world_run_until(world, story_in_step, 600 * STORY_SECOND_MS));
    story_end(story);
}

/* A joiner fetches everything there is, in windows, in causal order. */
static void late_joiner(struct story *story)
{
    const unsigned events = story_is_short() ? 2000 : 6000;
    static const struct virtual_link link = {.latency_ms = 1, .jitter_ms = 19, .loss_ppm = 50000};
    struct world *world = story_begin(story, 3);
    struct gossip_stats stats;

    virtual_network_set_default(world_network(world), &link);
    world_kill(world, 2, VIRTUAL_DAMAGE_NONE);
    for (unsigned i = 0; i < events; i++) {
        story_tells(world, i % 2, "some text that is as long as a line of text usually is");
        if (i % 10 == 0)
            world_run(world, 20);
    }
    world_start(world, 2);
    assert_true(world_run_until(world, world_agrees, 300 * STORY_SECOND_MS));
    stats = story_stats(world, 2);
    assert_true(stats.pulls > 1); /* It is more than one window. */
    assert_int_equal(gossip_verify(world_gossip(world, 2), NULL, NULL, NULL), 0);
    story_end(story);
}

/* Bodies of fifty datagrams each pass a network that loses a tenth: only what is lost is sent
 * again. */
static void large_bodies_over_a_bad_network(struct story *story)
{
    enum { BODIES = 40, SIZE = 60000 };
    static const struct virtual_link link = {.latency_ms = 1, .jitter_ms = 59, .loss_ppm = 100000};
    static char text[SIZE + 1];
    struct world *world = story_begin(story, 2);

    virtual_network_set_default(world_network(world), &link);
    memset(text, 'x', SIZE);
    for (unsigned i = 0; i < BODIES; i++)
        story_tells(world, 0, text);
    assert_true(world_run_until(world, world_agrees, 300 * STORY_SECOND_MS));
    assert_true(story_stats(world, 1).bytes_received < 2 * BODIES * SIZE);
    story_end(story);
}

/* An answer that takes ten seconds still is one. */
static void slow_network(struct story *story)
{
    static const struct virtual_link link = {.latency_ms = 500, .jitter_ms = 9500};
    struct world_options none = {0};
    struct world *world = story_begin_with(story, 3, &none);

    virtual_network_set_default(world_network(world), &link);
    for (unsigned i = 0; i < 30; i++)
        story_tells(world, i % 3, "x");
    assert_true(world_run_until(world, world_agrees, 30 * STORY_MINUTE_MS));
    story_end(story);
}

/* Nodes meet, and go on, over a path on which every answer takes ten seconds. */
static void long_path(struct story *story)
{
    static const struct virtual_link link = {.latency_ms = 5000, .jitter_ms = 200};
    struct world_options none = {0};
    struct world *world = story_begin_with(story, 2, &none);

    virtual_network_set_default(world_network(world), &link);
    for (unsigned i = 0; i < 20; i++)
        story_tells(world, i % 2, "x");
    assert_true(world_run_until(world, story_in_step, 5 * STORY_MINUTE_MS));
    story_end(story);
}

/* Only the first node reaches everybody, from the start: what others say goes through it. */
static void hub_from_the_start(struct story *story)
{
    enum { NODES = 6 };
    struct world_options none = {0};
    struct world *world = story_begin_with(story, NODES, &none);

    story_part_all(world);
    for (unsigned i = 1; i < NODES; i++)
        story_link(world, 0, i);
    for (unsigned i = 0; i < NODES; i++)
        story_tells(world, i, "x");
    assert_true(world_run_until(world, world_agrees, 5 * STORY_MINUTE_MS));
    assert_string_equal(story_clock(world, 3), "{n1:1 n2:1 n3:1 n4:1 n5:1 n6:1}");
    story_end(story);
}

/* Many meet at once. Each says hello to each, and that is a square; when everybody was told of each
 * who came, it was a cube: 31 datagrams for each pair here, and more for more nodes. */
static void all_meet_at_once(struct story *story)
{
    const unsigned nodes = story_is_short() ? 40 : 80;
    struct world_options none = {0};
    struct world *world = story_begin_with(story, nodes, &none);
    struct virtual_network_stats stats;

    world_run(world, STORY_MINUTE_MS);
    assert_true(world_in_step(world));
    virtual_network_stats(world_network(world), &stats);
    assert_true(stats.sent < 16 * nodes * nodes);
    story_end(story);
}

LONG_STORY(more_authors_than_a_list_shows, 1)
LONG_STORY(late_joiner, 1)
LONG_STORY(large_bodies_over_a_bad_network, 1)
LONG_STORY(slow_network, 5)
LONG_STORY(long_path, 5)
LONG_STORY(hub_from_the_start, 5)
LONG_STORY(all_meet_at_once, 1)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(more_authors_than_a_list_shows),
        STORY_TEST(late_joiner),
        STORY_TEST(large_bodies_over_a_bad_network),
        STORY_TEST(slow_network),
        STORY_TEST(long_path),
        STORY_TEST(hub_from_the_start),
        STORY_TEST(all_meet_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
