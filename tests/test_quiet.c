/*
 * Nodes in step say little and write nothing: one datagram each way an exchange, and not a byte to
 * disk. Over SQLite, on virtual time.
 */
#include "tests/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "store/sqlite.h"
#include "tests/scratch.h"

enum { NODES = 5, PERIODS = 60 };

static void remove_directory(const char *directory)
{
    static const char *const endings[] = {"", "-wal", ".lock"};
    char path[600];

    for (unsigned i = 0; i < NODES; i++) {
        for (size_t j = 0; j < sizeof(endings) / sizeof(endings[0]); j++) {
            snprintf(path, sizeof(path), "%s/%u.db%s", directory, i, endings[j]);
            unlink(path);
        }
    }
    assert_int_equal(rmdir(directory), 0);
}

static bool count_datagram(void *context, unsigned from, unsigned to, const uint8_t *data,
                           size_t size)
{
    (void)from;
    (void)to;
    (void)data;
    (void)size;
    ++*(uint64_t *)context;
    return false;
}

static void sum(struct net *net, struct gossip_stats *ret_sum)
{
    memset(ret_sum, 0, sizeof(*ret_sum));
    for (unsigned i = 0; i < NODES; i++) {
        struct gossip_stats stats;

        gossip_stats(net_node(net, i), &stats);
        ret_sum->exchanges += stats.exchanges;
        ret_sum->in_step += stats.in_step;
        ret_sum->commits += stats.commits;
    }
}

/* A period is what lies between two exchanges of a node: at most half a minute. */
static void test_in_step_for_sixty_periods(void **state)
{
    char directory[64];
    uint64_t changes[NODES];
    uint64_t pages[NODES];
    struct gossip_stats before;
    struct gossip_stats after;
    uint64_t datagrams = 0;
    struct net *net;

    (void)state;
    assert_true(scratch_directory("quiet", directory, sizeof(directory)));
    net = net_create(&(struct net_options){.seed = 1,
                                           .nodes = NODES,
                                           .latency_ms_min = 1,
                                           .latency_ms_max = 20,
                                           .directory = directory});
    for (unsigned i = 0; i < NODES; i++)
        net_publish(net, i, "x");
    assert_true(net_run_until(net, net_in_step, 60000));
    net_run(net, 200000);

    sum(net, &before);
    for (unsigned i = 0; i < NODES; i++) {
        changes[i] = sqlite_store_total_changes(net_store(net, i));
        pages[i] = sqlite_store_wal_pages(net_store(net, i));
        assert_true(pages[i] > 0);
    }
    net_set_tap(net, count_datagram, &datagrams);
    net_run(net, PERIODS * 30000);
    sum(net, &after);
    assert_true(after.exchanges - before.exchanges >= NODES * (PERIODS - 6));
    /* One each way, but for what is on its way at either end. */
    assert_in_range(datagrams, 2 * (after.exchanges - before.exchanges) - 2 * NODES,
                    2 * (after.exchanges - before.exchanges) + 2 * NODES);
    assert_in_range(after.in_step - before.in_step, after.exchanges - before.exchanges - NODES,
                    after.exchanges - before.exchanges + NODES);
    assert_int_equal(after.commits, before.commits);
    for (unsigned i = 0; i < NODES; i++) {
        assert_int_equal(sqlite_store_total_changes(net_store(net, i)), changes[i]);
        assert_int_equal(sqlite_store_wal_pages(net_store(net, i)), pages[i]);
    }
    print_message("%llu exchanges, %llu datagrams, 0 rows changed\n",
                  (unsigned long long)(after.exchanges - before.exchanges),
                  (unsigned long long)datagrams);
    net_destroy(net);
    remove_directory(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_step_for_sixty_periods),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
