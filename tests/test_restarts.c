/*
 * Restarts of one node (fault D22), a million over the memory store and a share of that over SQLite
 * on a virtual disk, which alone has what three of the four kinds of evidence are: a side file, an
 * identity, a mark of backups. Each restart counts one boot, and nothing else changes: no evidence
 * is found, no epoch opened, the clock does not grow, and the next event has the next seq. And a
 * start reads as much of a large store as of a small one (D23).
 */
#include "cmd/lab/world.h"
#include "gossip/limits.h"
#include "store/virtual_disk.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

enum {
    RESTARTS = 1000000, /* Or as many as GOSSIP_TEST_RESTARTS tells. */
    SQLITE_SHARE = 40,  /* One in so many over SQLite, and each of them is looked at. */
    LOOKS = 10,
    AUTHORS = 6,
    SECOND_MS = 1000,
};

static struct gossip_stats stats_of(struct world *world)
{
    struct gossip_stats stats;

    gossip_stats(world_gossip(world, 0), &stats);
    return stats;
}

static void look(struct world *world, uint64_t boot, uint64_t events)
{
    struct gossip *gossip = world_gossip(world, 0);
    struct gossip_start start;

    assert_non_null(gossip);
    assert_int_equal(stats_of(world).boot, boot);
    assert_int_equal(gossip_author_count(gossip), 2);
    gossip_start_state(gossip, &start);
    if (start.evidence != 0)
        fail_msg("boot %" PRIu64 " has found evidence: %u", boot, (unsigned)start.evidence);
    for (uint32_t i = 0; i < 2; i++) {
        struct gossip_author author;

        assert_int_equal(gossip_author(gossip, i, &author), GOSSIP_OK);
        assert_int_equal(author.have, author.is_self ? events : 1);
        assert_int_equal(author.is_own, author.is_self);
    }
}

/* So many more that the side file is written again, by this boot. */
static void tell_past_the_mark(struct world *world, uint64_t *events)
{
    for (unsigned i = 0; i < GOSSIP_LEASE; i++)
        assert_int_equal(world_tell(world, 0, "between"), ++*events);
}

static void restart_once(struct world *world, uint64_t number)
{
    if (number % 2 == 0)
        world_stop(world, 0);
    else
        world_kill(world, 0, number % 4 == 1 ? VIRTUAL_DAMAGE_LOST : VIRTUAL_DAMAGE_NONE);
    world_start(world, 0);
}

/* The other node knows all of it in the end, by one author. */
static void look_at_both(struct world *world, uint64_t events)
{
    for (unsigned i = 0; i < 2; i++) {
        struct gossip *gossip = world_gossip(world, i);

        assert_int_equal(gossip_author_count(gossip), 2);
        for (uint32_t j = 0; j < 2; j++) {
            struct gossip_author author;

            assert_int_equal(gossip_author(gossip, j, &author), GOSSIP_OK);
            assert_int_equal(author.have, author.is_self == (i == 0) ? events : 1);
        }
    }
}

static void restart_often(enum world_store store, uint64_t restarts, uint64_t look_every)
{
    struct world_options options = {.seed = 1,
                                    .nodes = 2,
                                    .store = store,
                                    .crypto = WORLD_STANDIN,
                                    .period_ms = SECOND_MS,
                                    .payload_max = GOSSIP_PAYLOAD_DEFAULT,
                                    .fanout = 1,
                                    .unchecked = true}; /* It would keep every start. */
    struct world *world = world_create(&options);
    uint64_t events = 1;
    uint64_t boot;

    assert_int_equal(world_tell(world, 0, "before"), 1);
    assert_int_equal(world_tell(world, 1, "before"), 1);
    world_run(world, 10 * SECOND_MS);
    boot = stats_of(world).boot;
    look(world, boot, events);
    world_stop(world, 1); /* What it says would only take time. */
    for (uint64_t i = 1; i <= restarts; i++) {
        restart_once(world, i);
        if (i % look_every == 0)
            look(world, boot + i, events);
        if (store == WORLD_SQLITE && i % (restarts / LOOKS) == 0)
            tell_past_the_mark(world, &events);
    }
    assert_int_equal(world_tell(world, 0, "after"), ++events);
    look(world, boot + restarts, events);
    world_start(world, 1);
    world_run(world, 120 * SECOND_MS);
    assert_int_equal(stats_of(world).boot, boot + restarts);
    look_at_both(world, events);
    print_message("%" PRIu64 " restarts%s\n", restarts,
                  store == WORLD_SQLITE ? " over SQLite" : "");
    world_destroy(world);
}

/* All of them write so many events, and node 0 comes to have them. */
static void tell_all(struct world *world, unsigned events)
{
    for (unsigned i = 0; i < events; i++) {
        for (unsigned j = 0; j < AUTHORS; j++)
            assert_true(world_publish(world, j, "one of many", 11));
        world_run(world, SECOND_MS / 10);
    }
    world_run(world, 20 * SECOND_MS);
}

/* What a start reads of the disk, in operations. *ret_events: how many events there were. */
static uint64_t reads_of_a_start(struct world *world, uint64_t *ret_events)
{
    struct virtual_disk_stats before;
    struct virtual_disk_stats after;

    world_stop(world, 0);
    virtual_disk_stats(world_disk(world, 0), &before);
    world_start(world, 0);
    virtual_disk_stats(world_disk(world, 0), &after);
    *ret_events = gossip_last_delivery(world_gossip(world, 0));
    return after.operations[VIRTUAL_READ] - before.operations[VIRTUAL_READ];
}

/* D23: a start looks at each author's newest event, however many there are. What more it reads are
 * the pages by which the tables have become deeper: one for each author and table at most. */
static void test_start_depends_on_authors(void **state)
{
    struct world_options options = {.seed = 1,
                                    .nodes = AUTHORS,
                                    .store = WORLD_SQLITE,
                                    .crypto = WORLD_STANDIN,
                                    .period_ms = SECOND_MS,
                                    .payload_max = GOSSIP_PAYLOAD_DEFAULT,
                                    .fanout = 2,
                                    .unchecked = true};
    struct world *world = world_create(&options);
    uint64_t few;
    uint64_t many;
    uint64_t few_reads;
    uint64_t many_reads;

    (void)state;
    tell_all(world, 50);
    few_reads = reads_of_a_start(world, &few);
    tell_all(world, 950);
    many_reads = reads_of_a_start(world, &many);
    print_message("a start reads %" PRIu64 " times with %" PRIu64 " events, %" PRIu64
                  " times with %" PRIu64 "\n",
                  few_reads, few, many_reads, many);
    assert_int_equal(few, 50 * AUTHORS);
    assert_int_equal(many, 1000 * AUTHORS);
    assert_true(many_reads <= few_reads + 2 * AUTHORS);
    world_destroy(world);
}

static uint64_t how_many(void)
{
    const char *fewer = getenv("GOSSIP_TEST_RESTARTS");
    uint64_t restarts = fewer == NULL ? RESTARTS : strtoull(fewer, NULL, 10);

    assert_true(restarts >= (uint64_t)LOOKS * SQLITE_SHARE);
    return restarts;
}

static void test_a_million_restarts(void **state)
{
    uint64_t restarts = how_many();

    (void)state;
    restart_often(WORLD_MEMORY, restarts, restarts / LOOKS);
}

static void test_restarts_over_sqlite(void **state)
{
    (void)state;
    restart_often(WORLD_SQLITE, how_many() / SQLITE_SHARE, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_million_restarts),
        cmocka_unit_test(test_restarts_over_sqlite),
        cmocka_unit_test(test_start_depends_on_authors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
