/*
 * A million restarts of one node (fault D22): each counts one boot, and nothing else changes. The
 * clock does not grow, no epoch is opened, and the next event has the next seq.
 */
#include "cmd/lab/world.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

enum {
    RESTARTS = 1000000, /* Or as many as GOSSIP_TEST_RESTARTS tells. */
    LOOK_EVERY = 100000,
    SECOND_MS = 1000,
};

static struct gossip_stats stats_of(struct world *world)
{
    struct gossip_stats stats;

    gossip_stats(world_gossip(world, 0), &stats);
    return stats;
}

static void look(struct world *world, uint64_t boot)
{
    struct gossip *gossip = world_gossip(world, 0);
    struct gossip_start start;

    assert_non_null(gossip);
    assert_int_equal(stats_of(world).boot, boot);
    assert_int_equal(gossip_author_count(gossip), 2);
    gossip_start_state(gossip, &start);
    assert_int_equal(start.evidence, 0);
    for (uint32_t i = 0; i < 2; i++) {
        struct gossip_author author;

        assert_int_equal(gossip_author(gossip, i, &author), GOSSIP_OK);
        assert_int_equal(author.have, 1);
        assert_int_equal(author.is_own, author.is_self);
    }
}

static void test_a_million_restarts(void **state)
{
    struct world_options options = {.seed = 1,
                                    .nodes = 2,
                                    .store = WORLD_MEMORY,
                                    .crypto = WORLD_STANDIN,
                                    .period_ms = SECOND_MS,
                                    .payload_max = GOSSIP_PAYLOAD_DEFAULT,
                                    .fanout = 1,
                                    .unchecked = true}; /* It would keep every start. */
    struct world *world = world_create(&options);
    const char *fewer = getenv("GOSSIP_TEST_RESTARTS");
    uint64_t restarts = fewer == NULL ? RESTARTS : strtoull(fewer, NULL, 10);
    uint64_t boot;

    (void)state;
    assert_true(restarts > 0 && restarts % 2 == 0);
    assert_int_equal(world_tell(world, 0, "before"), 1);
    assert_int_equal(world_tell(world, 1, "before"), 1);
    world_run(world, 10 * SECOND_MS);
    boot = stats_of(world).boot;
    look(world, boot);
    world_stop(world, 1); /* What it says would only take time. */
    for (uint64_t i = 1; i <= restarts; i++) {
        if (i % 2 == 0)
            world_stop(world, 0);
        else
            world_kill(world, 0, VIRTUAL_DAMAGE_LOST);
        world_start(world, 0);
        if (i % LOOK_EVERY == 0)
            look(world, boot + i);
    }
    assert_int_equal(world_tell(world, 0, "after"), 2);
    assert_int_equal(gossip_author_count(world_gossip(world, 0)), 2);
    world_start(world, 1);
    world_run(world, 120 * SECOND_MS);
    assert_int_equal(stats_of(world).boot, boot + restarts);
    print_message("%" PRIu64 " restarts\n", restarts);
    for (unsigned i = 0; i < 2; i++) {
        struct gossip *gossip = world_gossip(world, i);

        assert_int_equal(gossip_author_count(gossip), 2);
        for (uint32_t j = 0; j < 2; j++) {
            struct gossip_author author;

            assert_int_equal(gossip_author(gossip, j, &author), GOSSIP_OK);
            assert_int_equal(author.have, author.is_self == (i == 0) ? 2 : 1);
        }
    }
    world_destroy(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_million_restarts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
