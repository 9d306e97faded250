/*
 * Many seeds of bad weather: loss, duplication, reorder, splits, one-way cuts, kills and restarts,
 * all drawn by the seed; then quiet, in which all nodes must agree. What was acknowledged is there
 * once, at every node, in causal order. GOSSIP_TEST_SEED=N replays one seed.
 */
#include "tests/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { SEEDS = 150, STEPS = 60, QUIET_MS = 300000 };

struct story {
    struct net *net;
    unsigned nodes;
    bool is_up[NET_NODES_MAX];
    uint64_t published[NET_NODES_MAX];
    uint64_t delivered[NET_NODES_MAX][NET_NODES_MAX]; /* Last seq popped, by node and author. */
};

static void start_or_kill(struct story *story, unsigned node)
{
    if (story->is_up[node])
        net_kill(story->net, node);
    else
        net_start(story->net, node);
    story->is_up[node] = !story->is_up[node];
}

/* Pops what was delivered at node: in causal order, each event once. */
static void check_deliveries(struct story *story, unsigned node)
{
    struct gossip *gossip = net_node(story->net, node);
    struct gossip_event event;
    int found;

    while ((found = gossip_event_pop(gossip, &event)) > 0) {
        for (unsigned other = 0; other < story->nodes; other++) {
            uint32_t number = net_author(story->net, node, other);
            uint64_t *last = &story->delivered[node][other];

            if (number == UINT32_MAX)
                continue;
            if (number == event.dot.author) {
                assert_int_equal(event.dot.seq, *last + 1);
                *last = event.dot.seq;
            } else {
                assert_true(gossip_vclock_get(event.clock, number) <= *last);
            }
        }
    }
    assert_int_equal(found, 0);
}

static void step(struct story *story)
{
    struct net *net = story->net;
    unsigned node = (unsigned)net_random(net, story->nodes);
    unsigned other = (unsigned)net_random(net, story->nodes);
    char text[32];

    switch (net_random(net, 12)) {
    case 0:
        start_or_kill(story, node);
        /* The delivery cursor of a restarted node begins where it was told to: at the start. */
        memset(story->delivered[node], 0, sizeof(story->delivered[node]));
        break;
    case 1:
        net_split(net, node);
        break;
    case 2:
        net_cut(net, node, other, true);
        break;
    case 3:
        net_heal(net);
        break;
    case 4:
        net_skew(net, node, (int64_t)net_random(net, 20000) - 10000);
        break;
    default:
        for (uint64_t i = net_random(net, 40); i > 0 && story->is_up[node]; i--) {
            snprintf(text, sizeof(text), "%u-%u", node, (unsigned)story->published[node]);
            story->published[node] = net_publish(net, node, text);
        }
        break;
    }
    net_run(net, net_random(net, 4000));
    for (unsigned i = 0; i < story->nodes; i++) {
        if (story->is_up[i])
            check_deliveries(story, i);
    }
}

static void show_fault(void *context, const char *line)
{
    print_message("n%u: %s\n", *(unsigned *)context + 1, line);
}

/* What is stored stands up to a check of every byte. */
static void check_store(struct story *story, unsigned node)
{
    uint64_t events;
    uint64_t published = 0;

    for (unsigned i = 0; i < story->nodes; i++)
        published += story->published[i];
    assert_int_equal(gossip_verify(net_node(story->net, node), show_fault, &node, &events), 0);
    assert_int_equal(events, published);
}

static void run_story(uint64_t seed)
{
    struct story story = {.nodes = (unsigned)(2 + seed % 6)};
    struct net_options options = {
        .seed = seed,
        .nodes = story.nodes,
        .latency_ms_min = seed % 7,
        .latency_ms_max = seed % 7 + (seed * 37) % 300,
        .loss_percent = (unsigned)(seed * 13 % 40),
        .duplicate_percent = (unsigned)(seed * 7 % 50),
    };

    story.net = net_create(&options);
    for (unsigned i = 0; i < story.nodes; i++)
        story.is_up[i] = true;
    for (unsigned i = 0; i < STEPS; i++)
        step(&story);
    net_heal(story.net);
    for (unsigned i = 0; i < story.nodes; i++) {
        net_skew(story.net, i, 0);
        if (!story.is_up[i])
            start_or_kill(&story, i);
    }
    if (!net_run_until(story.net, net_agrees, QUIET_MS)) {
        for (unsigned i = 0; i < story.nodes; i++)
            net_print(story.net, i);
        fail_msg("not in agreement after %d s", QUIET_MS / 1000);
    }
    for (unsigned i = 0; i < story.nodes; i++) {
        for (unsigned j = 0; j < story.nodes; j++) {
            uint32_t number = net_author(story.net, i, j);
            uint64_t have = number == UINT32_MAX
                                ? 0
                                : gossip_vclock_get(gossip_clock(net_node(story.net, i)), number);

            assert_int_equal(have, story.published[j]);
        }
        check_store(&story, i);
    }
    net_destroy(story.net);
}

static void test_bad_weather_then_agreement(void **state)
{
    const char *only = getenv("GOSSIP_TEST_SEED");
    const char *fewer = getenv("GOSSIP_TEST_SEEDS"); /* Under valgrind. */
    uint64_t seeds = fewer == NULL ? SEEDS : strtoull(fewer, NULL, 10);

    (void)state;
    if (only != NULL) {
        run_story(strtoull(only, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        print_message("seed %llu (GOSSIP_TEST_SEED=%llu replays it)\n", (unsigned long long)seed,
                      (unsigned long long)seed);
        run_story(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_weather_then_agreement),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
