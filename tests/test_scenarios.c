/*
 * Small causal scenarios, each with its one right outcome. All of them have been got wrong by
 * published code. Clocks are written {n1:2 n2:1}; nodes are n1, n2 ...
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

#include "gossip/hlc.h"

enum { SEEDS = 20 };

/* Nodes that have found each other. */

static struct net *nodes(uint64_t seed, unsigned count)
{
    struct net *net = net_create(&(struct net_options){
        .seed = seed, .nodes = count, .latency_ms_min = 5, .latency_ms_max = 40});

    assert_true(net_run_until(net, net_in_step, 60000));
    return net;
}

static void part_all(struct net *net, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        for (unsigned j = 0; j < count; j++)
            net_cut(net, i, j, i != j);
    }
}

/* Everything passes again, and nodes that had given each other up find each other. */
static void meet(struct net *net)
{
    net_heal(net);
    assert_true(net_run_until(net, net_in_step, 200000));
}

/* S1: two carts, filled apart. A second exchange changes nothing. */
static void two_carts(uint64_t seed)
{
    struct net *net = nodes(seed, 2);
    struct gossip_stats before;
    struct gossip_stats after;

    part_all(net, 2);
    net_publish(net, 0, "book");
    net_publish(net, 1, "pen");
    assert_string_equal(net_have_text(net, 0), "{n1:1}");
    assert_string_equal(net_have_text(net, 1), "{n2:1}");
    meet(net);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(net_relation(net, i, 0, 1, 1, 1), GOSSIP_CONCURRENT);
        assert_string_equal(net_have_text(net, i), "{n1:1 n2:1}");
    }
    gossip_stats(net_node(net, 0), &before);
    net_run(net, 120000);
    gossip_stats(net_node(net, 0), &after);
    assert_true(after.exchanges > before.exchanges);
    /* One may have been under way at either end. */
    assert_true(after.in_step - before.in_step + 1 >= after.exchanges - before.exchanges);
    assert_int_equal(after.commits, before.commits);
    net_destroy(net);
}

/* S3: three friends chat. */
static void three_friends_chat(uint64_t seed)
{
    struct net *net = nodes(seed, 3);

    part_all(net, 3);
    net_publish(net, 0, "a1");
    net_publish(net, 1, "b1");
    net_cut(net, 0, 1, false);
    net_cut(net, 1, 0, false);
    for (unsigned tries = 0; tries < 200 && strcmp(net_have_text(net, 1), "{n1:1 n2:1}") != 0;
         tries++)
        net_run(net, 1000);
    net_publish(net, 1, "b2");
    meet(net);
    net_publish(net, 2, "c1");
    meet(net);
    for (unsigned i = 0; i < 3; i++) {
        assert_string_equal(net_event_clock(net, i, 0, 1), "{n1:1}");
        assert_string_equal(net_event_clock(net, i, 1, 1), "{n2:1}");
        assert_string_equal(net_event_clock(net, i, 1, 2), "{n1:1 n2:2}");
        assert_string_equal(net_event_clock(net, i, 2, 1), "{n1:1 n2:2 n3:1}");
        assert_int_equal(net_relation(net, i, 0, 1, 1, 1), GOSSIP_CONCURRENT);
        assert_int_equal(net_relation(net, i, 0, 1, 1, 2), GOSSIP_BEFORE);
        assert_int_equal(net_relation(net, i, 1, 2, 2, 1), GOSSIP_BEFORE);
        assert_int_equal(net_relation(net, i, 2, 1, 0, 1), GOSSIP_AFTER);
    }
    net_destroy(net);
}

/* S5: a customer cancels while the restaurant, which has not seen it, prepares. */
static void order_states(uint64_t seed)
{
    struct net *net = nodes(seed, 2);
    const unsigned c = 0;
    const unsigned r = 1;

    net_publish(net, c, "placed");
    meet(net);
    net_publish(net, r, "accepted");
    meet(net);
    part_all(net, 2);
    net_publish(net, c, "cancelled");
    net_publish(net, r, "prepares");
    meet(net);
    for (unsigned i = 0; i < 2; i++) {
        assert_string_equal(net_event_clock(net, i, c, 1), "{n1:1}");
        assert_string_equal(net_event_clock(net, i, r, 1), "{n1:1 n2:1}");
        assert_string_equal(net_event_clock(net, i, c, 2), "{n1:2 n2:1}");
        assert_string_equal(net_event_clock(net, i, r, 2), "{n1:1 n2:2}");
        assert_int_equal(net_relation(net, i, c, 2, r, 2), GOSSIP_CONCURRENT);
        assert_string_equal(net_have_text(net, i), "{n1:2 n2:2}");
    }
    net_destroy(net);
}

static void link_both(struct net *net, unsigned a, unsigned b, bool is_cut)
{
    net_cut(net, a, b, is_cut);
    net_cut(net, b, a, is_cut);
}

static bool covers(struct net *net, unsigned node, unsigned author, uint64_t seq)
{
    uint32_t number = net_author(net, node, author);

    return number != UINT32_MAX &&
           gossip_vclock_covers_dot(gossip_clock(net_node(net, node)), number, seq);
}

static void run_until_covers(struct net *net, unsigned node, unsigned author, uint64_t seq)
{
    for (unsigned tries = 0; tries < 400 && !covers(net, node, author, seq); tries++)
        net_run(net, 500);
    assert_true(covers(net, node, author, seq));
}

/* S6: a delivery round. */
static void delivery_round(uint64_t seed)
{
    struct net *net = nodes(seed, 3);
    const unsigned r = 0;
    const unsigned s = 1;
    const unsigned p = 2;

    part_all(net, 3);
    net_publish(net, r, "r-picks");
    net_publish(net, s, "s-picks");
    net_publish(net, p, "p-picks");
    link_both(net, r, s, false);
    run_until_covers(net, r, s, 1);
    run_until_covers(net, s, r, 1);
    part_all(net, 3);
    net_publish(net, r, "r-delivers");
    net_publish(net, p, "p-delivers");
    meet(net);
    assert_string_equal(net_event_clock(net, p, r, 2), "{n1:2 n2:1}");
    assert_int_equal(net_relation(net, p, s, 1, r, 2), GOSSIP_BEFORE);
    assert_int_equal(net_relation(net, s, p, 2, r, 2), GOSSIP_CONCURRENT);
    assert_int_equal(net_relation(net, s, p, 2, s, 1), GOSSIP_CONCURRENT);
    net_destroy(net);
}

/* S7: a delay is announced, and cascades. */
static void delay_cascade(uint64_t seed)
{
    struct net *net = nodes(seed, 3);
    const unsigned b = 0;
    const unsigned d = 1;
    const unsigned m = 2;

    part_all(net, 3);
    net_publish(net, d, "d1");
    net_publish(net, b, "b1");
    link_both(net, d, m, false);
    run_until_covers(net, m, d, 1);
    net_publish(net, m, "m1");
    link_both(net, m, b, false);
    run_until_covers(net, b, m, 1);
    net_publish(net, b, "b2");
    meet(net);
    assert_string_equal(net_event_clock(net, d, d, 1), "{n2:1}");
    assert_string_equal(net_event_clock(net, d, m, 1), "{n2:1 n3:1}");
    assert_string_equal(net_event_clock(net, d, b, 1), "{n1:1}");
    assert_string_equal(net_event_clock(net, d, b, 2), "{n1:2 n2:1 n3:1}");
    net_destroy(net);
}

/* S8: wall clocks are in the wrong order; the relation and the displayed order are not. */
static void skewed_wall_clocks(uint64_t seed)
{
    struct net *net = nodes(seed, 2);

    net_skew(net, 1, -300);
    net_publish(net, 0, "first");
    run_until_covers(net, 1, 0, 1);
    net_publish(net, 1, "second");
    meet(net);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(net_relation(net, i, 0, 1, 1, 1), GOSSIP_BEFORE);
        assert_string_equal(net_log_text(net, i), "first second");
    }
    net_destroy(net);
}

/* S9: a flood cuts three stations off from each other. */
static void flood(uint64_t seed)
{
    struct net *net = nodes(seed, 3);

    for (unsigned i = 0; i < 3; i++)
        net_publish(net, i, "report");
    meet(net);
    part_all(net, 3);
    for (unsigned i = 0; i < 3; i++) {
        net_publish(net, i, "water");
        net_publish(net, i, "rises");
    }
    net_run(net, 30000);
    meet(net);
    for (unsigned i = 0; i < 3; i++) {
        assert_string_equal(net_have_text(net, i), "{n1:3 n2:3 n3:3}");
        assert_int_equal(net_relation(net, i, 0, 3, 1, 3), GOSSIP_CONCURRENT);
        assert_int_equal(net_relation(net, i, 0, 3, 2, 3), GOSSIP_CONCURRENT);
        assert_int_equal(net_relation(net, i, 1, 3, 2, 3), GOSSIP_CONCURRENT);
        assert_int_equal(net_relation(net, i, 0, 1, 0, 3), GOSSIP_BEFORE);
    }
    net_destroy(net);
}

/* S10: four services, each acting on what it has seen. */
static void four_services(uint64_t seed)
{
    struct net *net = nodes(seed, 4);
    static const struct {
        unsigned node;
        const char *what;
        const char *clock;
    } steps[] = {
        {0, "cart-adds", "{n1:1}"},
        {1, "inventory-reserves", "{n1:1 n2:1}"},
        {0, "cart-asks", "{n1:2 n2:1}"},
        {2, "payment-completes", "{n1:2 n2:1 n3:1}"},
        {3, "order-creates", "{n1:2 n2:1 n3:1 n4:1}"},
    };
    unsigned seqs[4] = {0};

    for (size_t i = 0; i < 5; i++) {
        net_publish(net, steps[i].node, steps[i].what);
        seqs[steps[i].node]++;
        meet(net);
        assert_string_equal(net_event_clock(net, 3, steps[i].node, seqs[steps[i].node]),
                            steps[i].clock);
    }
    assert_string_equal(net_log_text(net, 1),
                        "cart-adds inventory-reserves cart-asks payment-completes order-creates");
    net_destroy(net);
}

/* S11: five regions write apart, sync, and sync again. */
static void five_regions(uint64_t seed)
{
    struct net *net = nodes(seed, 5);
    static const unsigned writes[5] = {2, 1, 2, 1, 0};
    struct gossip_dot dots[6];
    size_t count = 0;
    unsigned concurrent = 0;
    struct gossip_stats before[5];

    part_all(net, 5);
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned j = 0; j < writes[i]; j++)
            net_publish(net, i, "m");
    }
    meet(net);
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned j = 1; j <= writes[i]; j++)
            dots[count++] = (struct gossip_dot){net_author(net, 4, i), j};
    }
    assert_int_equal(count, 6);
    for (size_t i = 0; i < 6; i++) {
        for (size_t j = i + 1; j < 6; j++) {
            enum gossip_relation relation;

            assert_int_equal(gossip_relation(net_node(net, 4), dots[i], dots[j], &relation), 0);
            concurrent += relation == GOSSIP_CONCURRENT;
        }
    }
    assert_int_equal(concurrent, 13);
    for (unsigned i = 0; i < 5; i++) {
        assert_string_equal(net_have_text(net, i), "{n1:2 n2:1 n3:2 n4:1}");
        gossip_stats(net_node(net, i), &before[i]);
    }
    net_run(net, 60000);
    for (unsigned i = 0; i < 5; i++) {
        struct gossip_stats after;

        gossip_stats(net_node(net, i), &after);
        assert_int_equal(after.commits, before[i].commits);
        assert_string_equal(net_have_text(net, i), "{n1:2 n2:1 n3:2 n4:1}");
    }
    net_destroy(net);
}

/* S12: a hybrid logical clock does not go back. */
static void hlc_does_not_go_back(uint64_t seed)
{
    uint64_t clock = hlc_make(100, 5);

    (void)seed;
    assert_false(hlc_merge(&clock, hlc_make(99, 7), 90));
    assert_true(clock == hlc_make(100, 6));
}

/* S13: the comment arrives before the post it answers. */
static void post_and_comment(uint64_t seed)
{
    struct net *net = nodes(seed, 3);
    struct gossip_held held[4];
    struct gossip_author author;

    /* n3 hears n2 only, and n2's answers to what n3 asks for do not come back. */
    link_both(net, 0, 2, true);
    net_cut(net, 2, 1, true);
    net_publish(net, 0, "post");
    run_until_covers(net, 1, 0, 1);
    net_publish(net, 1, "comment");
    net_run(net, 900);
    assert_int_equal(gossip_held(net_node(net, 2), held, 4), 1);
    assert_int_equal(held[0].dot.author, net_author(net, 2, 1));
    assert_int_equal(held[0].dot.seq, 1);
    assert_int_equal(held[0].waits_seq, 1);
    assert_int_equal(gossip_author(net_node(net, 0), net_author(net, 0, 0), &author), 0);
    assert_memory_equal(held[0].waits_id, author.id, GOSSIP_ID_SIZE);
    assert_string_equal(net_have_text(net, 2), "{}");
    assert_string_equal(net_delivered_text(net, 2), "");
    meet(net);
    assert_string_equal(net_delivered_text(net, 2), "post comment");
    net_destroy(net);
}

struct lost {
    unsigned from;
    unsigned to;
    unsigned left; /* Of the datagrams from the one to the other, so many are lost. */
};

static bool lose(void *context, unsigned from, unsigned to, const uint8_t *data, size_t size)
{
    struct lost *lost = context;

    (void)data;
    (void)size;
    if (from != lost->from || to != lost->to || lost->left == 0)
        return false;
    lost->left--;
    return true;
}

/* S14: a later event arrives first. It waits, and nobody sees a half-merged clock. */
static void later_first(uint64_t seed)
{
    struct net *net = nodes(seed, 2);
    struct lost lost = {1, 0, 0};

    net_set_tap(net, lose, &lost);
    for (unsigned i = 1; i <= 4; i++)
        net_publish(net, 1, "x");
    meet(net);
    net_delivered_text(net, 0);
    lost.left = 1;
    net_publish(net, 1, "five");
    net_publish(net, 1, "six");
    net_run(net, 41); /* The push of six is here; no repair is due yet. */
    assert_string_equal(net_have_text(net, 0), "{n2:4}");
    assert_string_equal(net_delivered_text(net, 0), "");
    meet(net);
    assert_string_equal(net_have_text(net, 0), "{n2:6}");
    assert_string_equal(net_delivered_text(net, 0), "five six");
    net_destroy(net);
}

/* S15: a node is killed and started again. */
static void restart(uint64_t seed)
{
    struct net *net = nodes(seed, 2);

    for (unsigned i = 0; i < 100; i++)
        net_publish(net, 0, "a");
    for (unsigned i = 0; i < 50; i++)
        net_publish(net, 1, "b");
    meet(net);
    net_kill(net, 0);
    net_start(net, 0);
    assert_string_equal(net_have_text(net, 0), "{n1:100 n2:50}");
    assert_int_equal(net_publish(net, 0, "next"), 101);
    assert_string_equal(net_event_clock(net, 0, 0, 101), "{n1:101 n2:50}");
    meet(net);
    assert_string_equal(net_have_text(net, 1), "{n1:101 n2:50}");
    net_destroy(net);
}

/* S16: what was published before a restart is served after it. */
static void restart_with_events(uint64_t seed)
{
    struct net *net = nodes(seed, 2);

    net_kill(net, 1);
    net_publish(net, 0, "one");
    net_kill(net, 0);
    net_start(net, 0);
    assert_string_equal(net_have_text(net, 0), "{n1:1}");
    assert_string_equal(net_log_text(net, 0), "one");
    net_start(net, 1);
    meet(net);
    assert_string_equal(net_log_text(net, 1), "one");
    assert_int_equal(net_publish(net, 0, "two"), 2);
    net_destroy(net);
}

/* S17: a sync one way, then both write apart. */
static void one_way_sync(uint64_t seed)
{
    struct net *net = nodes(seed, 2);

    net_publish(net, 0, "x1");
    run_until_covers(net, 1, 0, 1);
    part_all(net, 2);
    net_publish(net, 0, "x2");
    net_publish(net, 1, "y2");
    meet(net);
    assert_int_equal(net_relation(net, 0, 0, 1, 1, 1), GOSSIP_BEFORE);
    assert_int_equal(net_relation(net, 0, 0, 2, 1, 1), GOSSIP_CONCURRENT);
    net_destroy(net);
}

/* S20: the same event twice is one event, and equal is not concurrent. */
static void equal_is_not_concurrent(uint64_t seed)
{
    struct net *net = net_create(&(struct net_options){
        .seed = seed, .nodes = 2, .latency_ms_max = 30, .duplicate_percent = 100});

    assert_true(net_run_until(net, net_in_step, 60000));
    net_publish(net, 0, "once");
    assert_true(net_run_until(net, net_in_step, 60000));
    assert_string_equal(net_delivered_text(net, 1), "once");
    assert_int_equal(net_relation(net, 1, 0, 1, 0, 1), GOSSIP_EQUAL);
    net_run(net, 60000);
    assert_string_equal(net_delivered_text(net, 1), "");
    assert_string_equal(net_have_text(net, 1), "{n1:1}");
    net_destroy(net);
}

/* S25: any one datagram is lost. */
static void lost_delta(uint64_t seed)
{
    for (unsigned which = 0; which < 12; which++) {
        struct net *net = nodes(seed, 2);
        struct lost lost = {which % 2, 1 - which % 2, 0};

        net_set_tap(net, lose, &lost);
        /* The which-th datagram of what follows: let the ones before pass. */
        net_publish(net, 0, "x");
        for (unsigned i = 0; i < which / 2; i++)
            net_run(net, 15);
        lost.left = 1;
        net_publish(net, 0, "y");
        net_publish(net, 1, "z");
        assert_true(net_run_until(net, net_agrees, 4000));
        assert_true(net_run_until(net, net_in_step, 10000));
        net_destroy(net);
    }
}

static uint64_t seeds(void)
{
    const char *fewer = getenv("GOSSIP_TEST_SEEDS"); /* Under valgrind. */

    return fewer == NULL ? SEEDS : strtoull(fewer, NULL, 10);
}

#define SCENARIO(name)                                                                             \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        for (uint64_t seed = 1; seed <= seeds(); seed++)                                           \
            name(seed);                                                                            \
    }

SCENARIO(two_carts)
SCENARIO(three_friends_chat)
SCENARIO(order_states)
SCENARIO(delivery_round)
SCENARIO(delay_cascade)
SCENARIO(skewed_wall_clocks)
SCENARIO(flood)
SCENARIO(four_services)
SCENARIO(five_regions)
SCENARIO(hlc_does_not_go_back)
SCENARIO(post_and_comment)
SCENARIO(later_first)
SCENARIO(restart)
SCENARIO(restart_with_events)
SCENARIO(one_way_sync)
SCENARIO(equal_is_not_concurrent)
SCENARIO(lost_delta)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_carts),
        cmocka_unit_test(test_three_friends_chat),
        cmocka_unit_test(test_order_states),
        cmocka_unit_test(test_delivery_round),
        cmocka_unit_test(test_delay_cascade),
        cmocka_unit_test(test_skewed_wall_clocks),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_four_services),
        cmocka_unit_test(test_five_regions),
        cmocka_unit_test(test_hlc_does_not_go_back),
        cmocka_unit_test(test_post_and_comment),
        cmocka_unit_test(test_later_first),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_restart_with_events),
        cmocka_unit_test(test_one_way_sync),
        cmocka_unit_test(test_equal_is_not_concurrent),
        cmocka_unit_test(test_lost_delta),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
