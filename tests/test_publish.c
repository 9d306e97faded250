/*
 * Our own events at their limits: more authors than one frame names, and the context events that
 * carry the rest.
 */
#include "tests/net.h"

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
static void save_author(struct gossip_store *store, uint32_t number, uint64_t delivery)
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
    event->delivery = delivery;
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

static void test_more_authors_than_a_frame_names(void **state)
{
    struct gossip_cluster *cluster;
    struct gossip_identity *identity;
    struct gossip_options options = {.size = sizeof(options), .time = gossip_system_time()};
    struct gossip *gossip;
    struct gossip_event event;
    uint32_t self;

    (void)state;
    assert_int_equal(gossip_cluster_create(options.time, &cluster), 0);
    assert_int_equal(gossip_identity_create(cluster, "n1", 0, options.time, &identity), 0);
    assert_int_equal(gossip_memory_open(&options.store), 0);
    options.identity = identity;
    options.payload_max = GOSSIP_PAYLOAD_MAX;
    assert_int_equal(gossip_create(&options, &gossip), 0);
    gossip_destroy(gossip);
    for (uint32_t i = 1; i <= AUTHORS; i++)
        save_author(options.store, i, i);
    assert_int_equal(gossip_create(&options, &gossip), 0);
    self = gossip_self(gossip);
    assert_int_equal(gossip_clock(gossip)->count, AUTHORS);

    /* One context event with all that a frame takes; the rest stands in the event itself. */
    assert_int_equal(publish(gossip, "x", 1), 2);
    assert_int_equal(gossip_event_get(gossip, (struct gossip_dot){self, 1}, &event), 0);
    assert_int_equal(event.kind, GOSSIP_EVENT_CONTEXT);
    assert_int_equal(event.clock->count, GOSSIP_CONTEXT_ENTRIES_MAX + 1);
    assert_null(event.data);
    assert_int_equal(gossip_event_get(gossip, (struct gossip_dot){self, 2}, &event), 0);
    assert_int_equal(event.kind, GOSSIP_EVENT_APPLICATION);
    assert_int_equal(event.clock->count, AUTHORS + 1);
    assert_int_equal(event.size, 1);

    /* What has been told is not told again. */
    assert_int_equal(publish(gossip, "y", 1), 3);
    assert_int_equal(gossip_event_get(gossip, (struct gossip_dot){self, 3}, &event), 0);
    assert_int_equal(event.clock->count, AUTHORS + 1);
    gossip_destroy(gossip);

    /* A restart knows what was told. */
    assert_int_equal(gossip_create(&options, &gossip), 0);
    assert_int_equal(publish(gossip, "z", 1), 4);

    gossip_destroy(gossip);
    options.store->ops->close(options.store);
    gossip_identity_destroy(identity);
    gossip_cluster_destroy(cluster);
}

/* Entries and payload that do not fit one body together: the entries go first, by themselves. */
static void test_context_beside_the_largest_payload(void **state)
{
    enum { FEWER = 4000 };
    static uint8_t payload[GOSSIP_PAYLOAD_MAX];
    struct gossip_cluster *cluster;
    struct gossip_identity *identity;
    struct gossip_options options = {
        .size = sizeof(options), .time = gossip_system_time(), .payload_max = GOSSIP_PAYLOAD_MAX};
    struct gossip *gossip;
    struct gossip_event event;
    uint32_t self;

    (void)state;
    assert_int_equal(gossip_cluster_create(options.time, &cluster), 0);
    assert_int_equal(gossip_identity_create(cluster, "n1", 0, options.time, &identity), 0);
    assert_int_equal(gossip_memory_open(&options.store), 0);
    options.identity = identity;
    assert_int_equal(gossip_create(&options, &gossip), 0);
    gossip_destroy(gossip);
    for (uint32_t i = 1; i <= FEWER; i++)
        save_author(options.store, i, i);
    assert_int_equal(gossip_create(&options, &gossip), 0);
    self = gossip_self(gossip);
    assert_int_equal(publish(gossip, payload, sizeof(payload)), 2);
    assert_int_equal(gossip_event_get(gossip, (struct gossip_dot){self, 1}, &event), 0);
    assert_int_equal(event.kind, GOSSIP_EVENT_CONTEXT);
    assert_int_equal(event.clock->count, FEWER + 1);
    assert_int_equal(gossip_event_get(gossip, (struct gossip_dot){self, 2}, &event), 0);
    assert_int_equal(event.kind, GOSSIP_EVENT_APPLICATION);
    assert_int_equal(event.size, sizeof(payload));
    gossip_destroy(gossip);
    options.store->ops->close(options.store);
    gossip_identity_destroy(identity);
    gossip_cluster_destroy(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_more_authors_than_a_frame_names),
        cmocka_unit_test(test_context_beside_the_largest_payload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
