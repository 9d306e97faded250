/* The clocks of nodes: each may be off, jump and drift. */
#include "cmd/lab/world_state.h"

#include <assert.h>
#include <inttypes.h>

uint64_t world_passed(const struct world_node *node)
{
    const struct world_clock *clock = &node->clock;
    uint64_t elapsed = node->world->now_ms - clock->since_ms;

    return clock->passed_ms + elapsed * (uint64_t)(1000000 + clock->drift_ppm) / 1000000;
}

/* In how much of the world's time so much of a node's has passed, rounded up. */
uint64_t world_time_of(const struct world_node *node, uint64_t ms)
{
    uint64_t rate = (uint64_t)(1000000 + node->clock.drift_ppm);

    return (ms * 1000000 + rate - 1) / rate;
}

static struct world_node *node_of_time(struct gossip_time *time)
{
    return (struct world_node *)((char *)time - offsetof(struct world_node, time));
}

static uint64_t time_monotonic_ms(struct gossip_time *time)
{
    const struct world_node *node = node_of_time(time);

    return node->clock.monotonic_ms + world_passed(node);
}

static uint64_t time_wall_ms(struct gossip_time *time)
{
    const struct world_node *node = node_of_time(time);

    return WORLD_BEGAN_MS + world_passed(node) + (uint64_t)node->clock.skew_ms;
}

static int time_random(struct gossip_time *time, uint8_t *buffer, size_t size)
{
    struct world_node *node = node_of_time(time);

    for (size_t i = 0; i < size; i++)
        buffer[i] = (uint8_t)(splitmix_next(&node->lots) >> 56);
    return GOSSIP_OK;
}

const struct gossip_time_ops world_time_ops = {time_monotonic_ms, time_wall_ms, time_random};

static void rebase_clock(struct world_node *node)
{
    node->clock.passed_ms = world_passed(node);
    node->clock.since_ms = node->world->now_ms;
}

void world_set_skew(struct world *world, unsigned number, int64_t ms)
{
    world->nodes[number].clock.skew_ms = ms;
    world->stats.clock_jumps++;
    world_narrate(world, "the wall clock of n%u is off by %" PRId64 " ms", number + 1, ms);
}

void world_set_drift(struct world *world, unsigned number, int32_t ppm)
{
    struct world_node *node = &world->nodes[number];

    assert(ppm >= -900000 && ppm <= 900000);
    rebase_clock(node);
    node->clock.drift_ppm = ppm;
    world->stats.clock_drifts++;
    /* Its deadline may be due at another time. */
    world_wake(world, node);
    world_narrate(world, "the clocks of n%u drift by %" PRId32 " ppm", number + 1, ppm);
}
