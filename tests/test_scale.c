/*
 * More than fits at once: more authors than a digest's list shows, more events than a window
 * brings, a body of many datagrams, a joiner that comes late.
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

/* Sixty authors differ at once; a list shows about thirty. Slices rotate until all is known. */
static void test_more_authors_than_a_list_shows(void **state)
{
    enum { NODES = 60 };
    struct net *net = net_create(&(struct net_options){
        .seed = 1, .nodes = NODES, .latency_ms_min = 1, .latency_ms_max = 30});

    (void)state;
    assert_true(net_run_until(net, net_in_step, 300000));
    net_kill(net, NODES - 1);
    for (unsigned i = 0; i + 1 < NODES; i++)
        net_publish(net, i, "x");
    assert_true(net_run_until(net, net_agrees, 300000));
    net_start(net, NODES - 1);
    assert_true(net_run_until(net, net_in_step, 600000));
    net_destroy(net);
}

/* A joiner fetches everything there is, in windows, in causal order. */
static void test_late_joiner(void **state)
{
    enum { EVENTS = 6000 };
    struct net *net = net_create(&(struct net_options){
        .seed = 2, .nodes = 3, .latency_ms_min = 1, .latency_ms_max = 20, .loss_percent = 5});
    struct gossip_stats stats;

    (void)state;
    assert_true(net_run_until(net, net_in_step, 60000));
    net_kill(net, 2);
    for (unsigned i = 0; i < EVENTS; i++) {
        net_publish(net, i % 2, "some text that is as long as a line of text usually is");
        if (i % 10 == 0)
            net_run(net, 20);
    }
    net_start(net, 2);
    assert_true(net_run_until(net, net_agrees, 300000));
    gossip_stats(net_node(net, 2), &stats);
    print_message("%llu windows, %llu of them whole, %llu duplicate datagrams\n",
                  (unsigned long long)stats.pulls, (unsigned long long)stats.pulls_whole,
                  (unsigned long long)stats.datagrams[GOSSIP_DATAGRAM_DUPLICATE]);
    assert_int_equal(gossip_verify(net_node(net, 2), NULL, NULL, NULL), 0);
    net_destroy(net);
}

/* Bodies of fifty datagrams each pass a network that loses a tenth: only what is lost is sent
 * again. */
static void test_large_bodies_over_a_bad_network(void **state)
{
    static char text[60001];
    struct net *net = net_create(&(struct net_options){
        .seed = 3, .nodes = 2, .latency_ms_min = 1, .latency_ms_max = 60, .loss_percent = 10});
    struct gossip_stats stats;

    (void)state;
    assert_true(net_run_until(net, net_in_step, 60000));
    memset(text, 'x', sizeof(text) - 1);
    for (unsigned i = 0; i < 40; i++)
        net_publish(net, 0, text);
    assert_true(net_run_until(net, net_agrees, 300000));
    gossip_stats(net_node(net, 1), &stats);
    print_message("%llu bytes received for %u of bodies\n",
                  (unsigned long long)stats.bytes_received, 40 * 60000);
    assert_true(stats.bytes_received < 2 * 40 * 60000);
    net_destroy(net);
}

/* An answer that takes ten seconds still is one. */
static void test_slow_network(void **state)
{
    struct net *net = net_create(&(struct net_options){
        .seed = 4, .nodes = 3, .latency_ms_min = 500, .latency_ms_max = 10000});

    (void)state;
    for (unsigned i = 0; i < 30; i++)
        net_publish(net, i % 3, "x");
    assert_true(net_run_until(net, net_agrees, 1800000));
    net_destroy(net);
}

/* Only the first node reaches everybody: what others say goes through it. */
static void test_hub(void **state)
{
    enum { NODES = 6 };
    struct net *net = net_create(&(struct net_options){
        .seed = 5, .nodes = NODES, .latency_ms_min = 1, .latency_ms_max = 30});

    (void)state;
    for (unsigned i = 1; i < NODES; i++) {
        for (unsigned j = 1; j < NODES; j++)
            net_cut(net, i, j, i != j);
    }
    for (unsigned i = 0; i < NODES; i++)
        net_publish(net, i, "x");
    assert_true(net_run_until(net, net_agrees, 300000));
    assert_string_equal(net_have_text(net, 3), "{n1:1 n2:1 n3:1 n4:1 n5:1 n6:1}");
    net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_more_authors_than_a_list_shows),
        cmocka_unit_test(test_late_joiner),
        cmocka_unit_test(test_large_bodies_over_a_bad_network),
        cmocka_unit_test(test_slow_network),
        cmocka_unit_test(test_hub),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
