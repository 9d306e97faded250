/*
 * The driver on bad days: a full disk, a disk that fails, no memory. And on all days: nothing is
 * seen by anybody before it is committed.
 */
#include "tests/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct net *two_nodes(uint64_t seed)
{
    struct net *net = net_create(
        &(struct net_options){.seed = seed, .nodes = 2, .latency_ms_min = 1, .latency_ms_max = 10});

    assert_true(net_run_until(net, net_in_step, 60000));
    return net;
}

static bool has_notice(struct gossip *gossip, enum gossip_notice_kind kind)
{
    struct gossip_notice notice;
    bool found = false;

    while (gossip_notice_pop(gossip, &notice) > 0)
        found = found || notice.kind == kind;
    return found;
}

struct stored_clock {
    uint64_t have[16];
};

static int note_author(void *context, const struct gossip_record *record)
{
    struct stored_clock *clock = context;

    if (record->kind == GOSSIP_RECORD_AUTHOR)
        clock->have[record->as.author.number] = record->as.author.have;
    return 0;
}

/* Whenever anything is sent, the node's clock is what its disk says. */
static bool check_durable(void *context, unsigned from, unsigned to, const uint8_t *data,
                          size_t size)
{
    struct net *net = context;
    struct gossip_store *store = net_store(net, from);
    const struct gossip_vclock *clock;
    struct stored_clock stored = {{0}};

    (void)to;
    (void)data;
    (void)size;
    if (net_node(net, from) == NULL)
        return false;
    clock = gossip_clock(net_node(net, from));
    assert_int_equal(store->ops->load(store, note_author, &stored), 0);
    for (size_t i = 0; i < clock->count; i++)
        assert_int_equal(clock->counters[i], stored.have[clock->authors[i]]);
    return false;
}

static void test_nothing_is_sent_before_it_is_committed(void **state)
{
    struct net *net = net_create(&(struct net_options){
        .seed = 7, .nodes = 4, .latency_ms_max = 50, .loss_percent = 20, .duplicate_percent = 20});

    (void)state;
    net_set_tap(net, check_durable, net);
    for (unsigned i = 0; i < 200; i++) {
        net_publish(net, (unsigned)net_random(net, 4), "x");
        net_run(net, net_random(net, 300));
    }
    assert_true(net_run_until(net, net_agrees, 100000));
    net_destroy(net);
}

/* A result comes only after the save that made it true, and one save serves many. */
static void test_results_after_the_commit(void **state)
{
    struct net *net = two_nodes(1);
    struct gossip *gossip = net_node(net, 0);
    struct gossip_result result;
    uint64_t tickets[100];
    unsigned saves = net_saves(net, 0);

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(gossip_publish(gossip, "x", 1, &tickets[i]), 0);
        assert_int_equal(gossip_result_pop(gossip, &result), 0);
    }
    assert_int_equal(gossip_timeout_ms(gossip), 0);
    assert_int_equal(gossip_run(gossip), 0);
    assert_int_equal(net_saves(net, 0), saves + 1);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(gossip_result_pop(gossip, &result), 1);
        assert_int_equal(result.ticket, tickets[i]);
        assert_int_equal(result.error, 0);
        assert_int_equal(result.dot.seq, i + 1);
    }
    assert_int_equal(gossip_result_pop(gossip, &result), 0);
    assert_true(net_run_until(net, net_agrees, 10000));
    net_destroy(net);
}

static void test_payload_limits(void **state)
{
    static uint8_t payload[GOSSIP_PAYLOAD_DEFAULT + 1];
    struct net *net = two_nodes(2);
    struct gossip *gossip = net_node(net, 0);
    struct gossip_event event;
    uint64_t ticket;

    (void)state;
    memset(payload, 0xa5, sizeof(payload));
    assert_int_equal(gossip_publish(gossip, payload, sizeof(payload), &ticket), GOSSIP_ERR_LIMIT);
    assert_int_equal(gossip_publish(gossip, payload, sizeof(payload) - 1, &ticket), 0);
    assert_int_equal(gossip_publish(gossip, NULL, 0, &ticket), 0);
    net_run(net, 20000);
    assert_int_equal(gossip_event_pop(net_node(net, 1), &event), 1);
    assert_int_equal(event.size, sizeof(payload) - 1);
    assert_memory_equal(event.data, payload, sizeof(payload) - 1);
    assert_int_equal(gossip_event_pop(net_node(net, 1), &event), 1);
    assert_int_equal(event.size, 0);
    net_destroy(net);
}

static bool count_datagram(void *context, unsigned from, unsigned to, const uint8_t *data,
                           size_t size)
{
    (void)to;
    (void)data;
    (void)size;
    if (from == 0)
        ++*(uint64_t *)context;
    return false;
}

/* The disk is full: publications are refused, nothing of them is seen, reading and answering go on,
 * what others say is not taken in. Then there is room again. */
static void test_full_disk(void **state)
{
    struct net *net = two_nodes(3);
    struct gossip *gossip = net_node(net, 0);
    struct gossip_result result;
    struct gossip_stats stats;
    uint64_t sent = 0;
    uint64_t ticket;

    (void)state;
    net_publish(net, 0, "before");
    assert_true(net_run_until(net, net_in_step, 60000));
    while (has_notice(gossip, GOSSIP_NOTICE_DISK_FULL))
        ;
    net_fail_saves(net, 0, GOSSIP_ERR_FULL, 0);
    net_set_tap(net, count_datagram, &sent);
    assert_int_equal(gossip_publish(gossip, "lost", 4, &ticket), 0);
    assert_int_equal(gossip_run(gossip), 0);
    assert_int_equal(sent, 0);
    assert_int_equal(gossip_result_pop(gossip, &result), 1);
    assert_int_equal(result.ticket, ticket);
    assert_int_equal(result.error, GOSSIP_ERR_FULL);
    assert_string_equal(net_have_text(net, 0), "{n1:1}");
    gossip_stats(gossip, &stats);
    assert_true(stats.read_only);
    assert_true(has_notice(gossip, GOSSIP_NOTICE_DISK_FULL));

    /* Refused at once while it lasts; no save is tried for it. */
    assert_int_equal(gossip_publish(gossip, "lost", 4, &ticket), 0);
    assert_int_equal(gossip_run(gossip), 0);
    assert_int_equal(gossip_result_pop(gossip, &result), 1);
    assert_int_equal(result.error, GOSSIP_ERR_FULL);

    net_publish(net, 1, "meanwhile");
    net_run(net, 30000);
    assert_string_equal(net_have_text(net, 0), "{n1:1}");
    assert_true(sent > 0); /* It goes on answering. */
    assert_string_equal(net_log_text(net, 0), "before");

    net_fail_saves(net, 0, 0, 0);
    net_run(net, 61000);
    assert_true(has_notice(gossip, GOSSIP_NOTICE_DISK_FREED));
    assert_int_equal(net_publish(net, 0, "after"), 2);
    assert_true(net_run_until(net, net_in_step, 100000));
    assert_string_equal(net_have_text(net, 0), "{n1:2 n2:1}");
    assert_string_equal(net_have_text(net, 1), "{n1:2 n2:1}");
    assert_string_equal(net_log_text(net, 1), "before meanwhile after");
    net_destroy(net);
}

/* A write fails in any other way: the outcome is unknown. Nothing is sent, nothing is answered, and
 * the node has stopped for good; what the store holds is believed at the next start. */
static void test_failed_commit_is_an_unknown_commit(void **state)
{
    struct net *net = two_nodes(4);
    struct gossip *gossip = net_node(net, 0);
    struct gossip_result result;
    uint64_t sent = 0;
    uint64_t ticket;

    (void)state;
    net_fail_saves(net, 0, GOSSIP_ERR_IO, 0);
    net_set_tap(net, count_datagram, &sent);
    assert_int_equal(gossip_publish(gossip, "perhaps", 7, &ticket), 0);
    assert_int_equal(gossip_run(gossip), GOSSIP_ERR_IO);
    assert_int_equal(gossip_result_pop(gossip, &result), 0);
    net_fail_saves(net, 0, 0, 0);
    assert_int_equal(gossip_run(gossip), GOSSIP_ERR_IO);
    assert_int_equal(gossip_timeout_ms(gossip), -1);
    assert_int_equal(sent, 0);
    net_kill(net, 0);
    net_start(net, 0);
    assert_string_equal(net_have_text(net, 0), "{}");
    assert_int_equal(net_publish(net, 0, "surely"), 1);
    assert_true(net_run_until(net, net_in_step, 100000));
    net_destroy(net);
}

/* No memory once: the batch is dropped and made again. Three times in a row: it is over. */
static void test_no_memory(void **state)
{
    struct net *net = two_nodes(5);
    struct gossip *gossip = net_node(net, 0);
    struct gossip_result result;
    uint64_t ticket;

    (void)state;
    net_fail_saves(net, 0, GOSSIP_ERR_NOMEM, 0);
    assert_int_equal(gossip_publish(gossip, "x", 1, &ticket), 0);
    assert_int_equal(gossip_run(gossip), 0);
    assert_int_equal(gossip_result_pop(gossip, &result), 0);
    assert_true(has_notice(gossip, GOSSIP_NOTICE_NO_MEMORY));
    net_fail_saves(net, 0, 0, 0);
    assert_int_equal(gossip_run(gossip), 0);
    assert_int_equal(gossip_result_pop(gossip, &result), 1);
    assert_int_equal(result.error, 0);
    assert_int_equal(result.dot.seq, 1);
    assert_true(net_run_until(net, net_in_step, 100000));
    assert_string_equal(net_have_text(net, 1), "{n1:1}");

    net_fail_saves(net, 0, GOSSIP_ERR_NOMEM, 0);
    assert_int_equal(gossip_publish(gossip, "x", 1, &ticket), 0);
    assert_int_equal(gossip_run(gossip), 0);
    assert_int_equal(gossip_run(gossip), 0);
    assert_int_equal(gossip_run(gossip), GOSSIP_ERR_NOMEM);
    net_destroy(net);
}

/* Another node's store is refused, and stays as it is. */
static void test_store_of_another(void **state)
{
    struct net *net = two_nodes(6);
    struct gossip_options options = {.size = sizeof(options),
                                     .store = net_store(net, 0),
                                     .time = gossip_system_time(),
                                     .identity = net_identity(net, 1)};
    struct gossip *gossip = NULL;

    (void)state;
    net_publish(net, 0, "x");
    net_kill(net, 0);
    assert_int_equal(gossip_create(&options, &gossip), GOSSIP_ERR_FOREIGN);
    assert_null(gossip);
    options.identity = NULL;
    assert_int_equal(gossip_create(&options, &gossip), GOSSIP_ERR_INVALID);
    net_start(net, 0);
    assert_string_equal(net_have_text(net, 0), "{n1:1}");
    net_destroy(net);
}

/* The event queue is the store: it goes on where the application says, also after a restart. */
static void test_event_cursor(void **state)
{
    struct net *net = two_nodes(8);

    (void)state;
    net_publish(net, 0, "a");
    net_publish(net, 0, "b");
    assert_true(net_run_until(net, net_in_step, 60000));
    assert_string_equal(net_delivered_text(net, 1), "a b");
    net_publish(net, 0, "c");
    assert_true(net_run_until(net, net_in_step, 60000));
    net_kill(net, 1);
    net_start(net, 1);
    assert_string_equal(net_delivered_text(net, 1), "c");
    assert_string_equal(net_delivered_text(net, 1), "");
    net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_sent_before_it_is_committed),
        cmocka_unit_test(test_results_after_the_commit),
        cmocka_unit_test(test_payload_limits),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_failed_commit_is_an_unknown_commit),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_store_of_another),
        cmocka_unit_test(test_event_cursor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
