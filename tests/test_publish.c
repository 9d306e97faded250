/*
 * Our own events at their limits: more authors than one frame names, and the context events that
 * carry the rest.
 */
#include "gossip/gossip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/bytes.h"
#include "gossip/event.h"

enum { AUTHORS = GOSSIP_CONTEXT_ENTRIES_MAX + 600 };

/* An author that exists, with one event, as far as a starting node looks. */
static void save_author(struct gossip_store *store, uint32_t number)
{
    static const uint8_t body[] = {0, 0, 0, 0, 0, 0, 0, 1, GOSSIP_EVENT_APPLICATION, 0, 0};
    struct gossip_record records[2] = {{.kind = GOSSIP_RECORD_AUTHOR},
                                       {.kind = GOSSIP_RECORD_EVENT}};
    struct gossip_author_record *author = &records[0].as.author;
    struct gossip_event_record *event = &records[1].as.event;

    author->number = number;
    put_fixed(author->key, number, 8);
    author_id(gossip_crypto_sodium(), author->key, author->epoch, author->id);
    author->have = 1;
    event->delivery = number;
    event->author = number;
    event->seq = 1;
    event->body = body;
    event->body_size = sizeof(body);
    assert_int_equal(store->ops->save(store, records, 2), 0);
}

static uint64_t publish(struct gossip *gossip, const void *data, size_t size)
{
    struct gossip_result result;
    uint64_t ticket;

    assert_int_equal(gossip_publish(gossip, data, size, &ticket), 0);
    assert_int_equal(gossip_run(gossip), 0);
    assert_int_equal(gossip_result_pop(gossip, &result), 1);
    assert_int_equal(result.error, 0);
    return result.dot.seq;
}

struct lone_node {
    struct gossip_cluster *cluster;
    struct gossip_identity *identity;
    struct gossip_options options;
    struct gossip *gossip;
};

/* A node that has delivered an event of each of so many authors, and told nobody. */
static void start(struct lone_node *node, uint32_t authors)
{
    *node = (struct lone_node){.options = {.size = sizeof(node->options),
                                           .time = gossip_system_time(),
                                           .payload_max = GOSSIP_PAYLOAD_MAX}};
    assert_int_equal(gossip_cluster_create(node->options.time, &node->cluster), 0);
    assert_int_equal(
        gossip_identity_create(node->cluster, "n1", 0, node->options.time, &node->identity), 0);
    assert_int_equal(gossip_memory_open(&node->options.store), 0);
    node->options.identity = node->identity;
    assert_int_equal(gossip_create(&node->options, &node->gossip), 0);
    gossip_destroy(node->gossip);
    for (uint32_t i = 1; i <= authors; i++)
        save_author(node->options.store, i);
    assert_int_equal(gossip_create(&node->options, &node->gossip), 0);
    assert_int_equal(gossip_clock(node->gossip)->count, authors);
}

static void end(struct lone_node *node)
{
    gossip_destroy(node->gossip);
    node->options.store->ops->close(node->options.store);
    gossip_identity_destroy(node->identity);
    gossip_cluster_destroy(node->cluster);
}

static void check_event(struct lone_node *node, uint64_t seq, uint64_t kind, size_t clock_count,
                        size_t size)
{
    struct gossip_event event;

    assert_int_equal(
        gossip_event_get(node->gossip, (struct gossip_dot){gossip_self(node->gossip), seq}, &event),
        0);
    assert_int_equal(event.kind, kind);
    assert_int_equal(event.clock->count, clock_count);
    assert_int_equal(event.size, size);
}

static void test_more_authors_than_a_frame_names(void **state)
{
    struct lone_node node;

    (void)state;
    start(&node, AUTHORS);
    /* One context event with all that a frame takes; the rest stands in the event itself. */
    assert_int_equal(publish(node.gossip, "x", 1), 2);
    check_event(&node, 1, GOSSIP_EVENT_CONTEXT, GOSSIP_CONTEXT_ENTRIES_MAX + 1, 0);
    check_event(&node, 2, GOSSIP_EVENT_APPLICATION, AUTHORS + 1, 1);
    /* What has been told is not told again, nor after a restart. */
    assert_int_equal(publish(node.gossip, "y", 1), 3);
    check_event(&node, 3, GOSSIP_EVENT_APPLICATION, AUTHORS + 1, 1);
    gossip_destroy(node.gossip);
    assert_int_equal(gossip_create(&node.options, &node.gossip), 0);
    assert_int_equal(publish(node.gossip, "z", 1), 4);
    check_event(&node, 4, GOSSIP_EVENT_APPLICATION, AUTHORS + 1, 1);
    end(&node);
}

/* Entries and payload that do not fit one body together: the entries go first, by themselves. */
static void test_context_beside_the_largest_payload(void **state)
{
    enum { FEWER = 4000 };
    static uint8_t payload[GOSSIP_PAYLOAD_MAX];
    struct lone_node node;

    (void)state;
    start(&node, FEWER);
    assert_int_equal(publish(node.gossip, payload, sizeof(payload)), 2);
    check_event(&node, 1, GOSSIP_EVENT_CONTEXT, FEWER + 1, 0);
    check_event(&node, 2, GOSSIP_EVENT_APPLICATION, FEWER + 1, sizeof(payload));
    end(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_more_authors_than_a_frame_names),
        cmocka_unit_test(test_context_beside_the_largest_payload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
