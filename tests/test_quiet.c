/*
 * Nodes in step say little and write nothing: one datagram each way an exchange, and not a byte to
 * disk.
 */
#include "tests/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "store/sqlite.h"

enum { NODES = 5, PERIODS = 60 };

static uint64_t sent(struct world *world)
{
    struct virtual_network_stats stats;

    virtual_network_stats(world_network(world), &stats);
    return stats.sent;
}

static struct gossip_stats sum(struct world *world)
{
    struct gossip_stats sum = {0};

    for (unsigned i = 0; i < NODES; i++) {
        struct gossip_stats stats = story_stats(world, i);

        sum.exchanges += stats.exchanges;
        sum.in_step += stats.in_step;
        sum.commits += stats.commits;
    }
    return sum;
}

/* A period is what lies between two exchanges of a node: at most half a minute. */
static void in_step_for_sixty_periods(struct story *story)
{
    struct world *world = story_begin(story, NODES);
    uint64_t changes[NODES];
    uint64_t pages[NODES];
    struct gossip_stats before;
    struct gossip_stats after;
    uint64_t sent_before;
    uint64_t exchanges;
    uint64_t datagrams;

    for (unsigned i = 0; i < NODES; i++)
        story_tells(world, i, "x");
    story_meet(world);
    world_run(world, 200 * STORY_SECOND_MS);

    before = sum(world);
    sent_before = sent(world);
    for (unsigned i = 0; i < NODES; i++) {
        changes[i] = sqlite_store_total_changes(world_store(world, i));
        pages[i] = sqlite_store_wal_pages(world_store(world, i));
        assert_true(pages[i] > 0);
    }
    world_run(world, PERIODS * 30 * STORY_SECOND_MS);
    after = sum(world);
    exchanges = after.exchanges - before.exchanges;
    datagrams = sent(world) - sent_before;
    assert_true(exchanges >= NODES * (PERIODS - 6));
    /* One each way, but for what is on its way at either end. */
    assert_in_range(datagrams, 2 * exchanges - 2 * NODES, 2 * exchanges + 2 * NODES);
    assert_in_range(after.in_step - before.in_step, exchanges - NODES, exchanges + NODES);
    assert_int_equal(after.commits, before.commits);
    for (unsigned i = 0; i < NODES; i++) {
        assert_int_equal(sqlite_store_total_changes(world_store(world, i)), changes[i]);
        assert_int_equal(sqlite_store_wal_pages(world_store(world, i)), pages[i]);
    }
    story_end(story);
}

STORY_OF_DISKS(in_step_for_sixty_periods)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(in_step_for_sixty_periods),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
