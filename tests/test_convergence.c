/*
 * Many seeds of bad weather: loss, duplication, reorder, splits, one-way cuts, wrong clocks, kills
 * and restarts, all drawn by the seed; then quiet, in which all nodes must agree. The checker sees
 * to it that what was acknowledged is there once, at every node, in causal order.
 */
#include "tests/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/splitmix.h"

enum { NODES_MAX = 7, SEEDS = 75, STEPS = 60, QUIET_MS = 300000 };

struct weather {
    struct world *world;
    struct splitmix lots;
    unsigned nodes;
    uint64_t published[NODES_MAX];
};

static uint64_t draw(struct weather *weather, uint64_t bound)
{
    return splitmix_below(&weather->lots, bound);
}

static void write_some(struct weather *weather, unsigned node)
{
    char text[32];

    for (uint64_t i = draw(weather, 40); i > 0; i--) {
        if (world_state(weather->world, node) != WORLD_UP)
            return;
        snprintf(text, sizeof(text), "%u-%u", node, (unsigned)weather->published[node]);
        weather->published[node] = story_tells(weather->world, node, text);
    }
}

static void step(struct weather *weather)
{
    struct world *world = weather->world;
    unsigned node = (unsigned)draw(weather, weather->nodes);
    unsigned other = (unsigned)draw(weather, weather->nodes);

    switch (draw(weather, 12)) {
    case 0:
        if (world_state(world, node) == WORLD_UP)
            world_kill(world, node, (enum virtual_damage)draw(weather, VIRTUAL_DAMAGES));
        else
            world_start(world, node);
        break;
    case 1:
        world_split(world, node);
        break;
    case 2:
        world_cut(world, node, other);
        break;
    case 3:
        world_heal(world);
        break;
    case 4:
        world_set_skew(world, node, (int64_t)draw(weather, 20000) - 10000);
        break;
    default:
        write_some(weather, node);
        break;
    }
    world_run(world, draw(weather, 4000));
}

static void show_fault(void *context, const char *line)
{
    print_message("n%u: %s\n", *(unsigned *)context + 1, line);
}

/* What is stored stands up to a check of every byte. */
static void check_store(struct weather *weather, unsigned node)
{
    uint64_t events;
    uint64_t published = 0;

    for (unsigned i = 0; i < weather->nodes; i++)
        published += weather->published[i];
    assert_int_equal(gossip_verify(world_gossip(weather->world, node), show_fault, &node, &events),
                     0);
    assert_int_equal(events, published);
}

static void bad_weather_then_agreement(struct story *story)
{
    uint64_t seed = story->seed;
    struct weather weather = {.lots = {seed}, .nodes = (unsigned)(2 + seed % 6)};
    struct world_options none = {0};
    struct virtual_link link = {
        .latency_ms = (uint32_t)(seed % 7),
        .jitter_ms = (uint32_t)(seed * 37 % 300),
        .loss_ppm = (uint32_t)(seed * 13 % 40 * 10000),
        .duplicate_ppm = (uint32_t)(seed * 7 % 50 * 10000),
    };
    struct world *world = story_begin_with(story, weather.nodes, &none);

    weather.world = world;
    virtual_network_set_default(world_network(world), &link);
    for (unsigned i = 0; i < STEPS; i++)
        step(&weather);
    world_heal(world);
    for (unsigned i = 0; i < weather.nodes; i++) {
        world_set_skew(world, i, 0);
        world_start(world, i);
    }
    if (!world_run_until(world, world_agrees, QUIET_MS)) {
        for (unsigned i = 0; i < weather.nodes; i++)
            story_print(world, i);
        fail_msg("not in agreement after %d s", QUIET_MS / 1000);
    }
    for (unsigned i = 0; i < weather.nodes; i++) {
        for (unsigned j = 0; j < weather.nodes; j++)
            assert_int_equal(story_have(world, i, j), weather.published[j]);
        check_store(&weather, i);
    }
    story_end(story);
}

LONG_STORY(bad_weather_then_agreement, SEEDS)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(bad_weather_then_agreement),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
