/*
 * The local API over real nodes: memory stores, a network of two queues, and a clock of our own.
 */
#ifndef TESTS_API_WORLD_H
#define TESTS_API_WORLD_H

#include "cmd/api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum {
    NODES = 2,
    QUEUE_MAX = 256,
    STEP_MS = 10,
    ROUNDS_MAX = 6000, /* A minute of virtual time: many periods. */
    PAYLOAD_MAX = 1000,
};

/* ---- Time: stands still but when told. Random bits of a small generator, seeded. ---- */

struct world_time {
    struct gossip_time base;
    uint64_t ms;
    uint64_t random;
};

static inline uint64_t monotonic_ms(struct gossip_time *time)
{
    return ((struct world_time *)time)->ms;
}

static inline uint64_t wall_ms(struct gossip_time *time)
{
    return ((struct world_time *)time)->ms + UINT64_C(1767323045678);
}

static inline int fill_random(struct gossip_time *time, uint8_t *buffer, size_t size)
{
    struct world_time *world = (struct world_time *)time;

    for (size_t i = 0; i < size; i++) {
        world->random = world->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        buffer[i] = (uint8_t)(world->random >> 56);
    }
    return GOSSIP_OK;
}

static const struct gossip_time_ops time_ops = {monotonic_ms, wall_ms, fill_random};

/* ---- A network: what is sent to a node's port lands in its queue. ---- */

struct packet {
    struct gossip_address from;
    size_t size;
    uint8_t data[GOSSIP_DATAGRAM_MAX];
};

struct queue {
    struct gossip_transport base;
    struct queue *all; /* NODES of them. */
    struct gossip_address address;
    struct packet packets[QUEUE_MAX];
    size_t count;
    struct packet shown[QUEUE_MAX];
    bool cut; /* Nothing goes out or comes in. */
};

static inline int queue_poll_fd(struct gossip_transport *transport)
{
    (void)transport;
    return -1;
}

static inline int queue_receive(struct gossip_transport *transport,
                                struct gossip_datagram *ret_datagrams, size_t capacity)
{
    struct queue *queue = (struct queue *)transport;
    size_t count = queue->count < capacity ? queue->count : capacity;

    memcpy(queue->shown, queue->packets, count * sizeof(queue->packets[0]));
    memmove(queue->packets, queue->packets + count,
            (queue->count - count) * sizeof(queue->packets[0]));
    queue->count -= count;
    for (size_t i = 0; i < count; i++)
        ret_datagrams[i] = (struct gossip_datagram){queue->shown[i].from, queue->shown[i].data,
                                                    queue->shown[i].size};
    return (int)count;
}

static inline void queue_send(struct gossip_transport *transport,
                              const struct gossip_datagram *datagrams, size_t count)
{
    struct queue *queue = (struct queue *)transport;

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < NODES; j++) {
            struct queue *to = &queue->all[j];
            struct packet *packet = &to->packets[to->count];

            if (to->address.port != datagrams[i].address.port || to->cut || queue->cut ||
                to->count == QUEUE_MAX)
                continue;
            packet->from = queue->address;
            packet->size = datagrams[i].size;
            memcpy(packet->data, datagrams[i].data, datagrams[i].size);
            to->count++;
        }
    }
}

static inline void queue_address(struct gossip_transport *transport,
                                 struct gossip_address *ret_address)
{
    *ret_address = ((struct queue *)transport)->address;
}

static inline void queue_stats(struct gossip_transport *transport,
                               struct gossip_transport_stats *ret_stats)
{
    (void)transport;
    *ret_stats = (struct gossip_transport_stats){0};
}

static inline void queue_close(struct gossip_transport *transport)
{
    (void)transport;
}

static const struct gossip_transport_ops queue_ops = {
    .poll_fd = queue_poll_fd,
    .receive = queue_receive,
    .send = queue_send,
    .address = queue_address,
    .stats = queue_stats,
    .close = queue_close,
};

/* ---- A world of two nodes. ---- */

struct node {
    struct gossip_identity *identity;
    struct gossip_store *store;
    struct gossip *gossip;
    struct api *api;
};

struct world {
    struct world_time time;
    struct gossip_cluster *cluster;
    struct queue queues[NODES];
    struct node nodes[NODES];
};

static inline struct world *make_world(const char *first, const char *second)
{
    const char *names[NODES] = {first, second};
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    world->time = (struct world_time){.base = {&time_ops}, .random = 20260102};
    assert_int_equal(gossip_cluster_create(&world->time.base, &world->cluster), GOSSIP_OK);
    for (size_t i = 0; i < NODES; i++) {
        struct queue *queue = &world->queues[i];

        *queue = (struct queue){.base = {&queue_ops}, .all = world->queues};
        memcpy(queue->address.ip, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
        queue->address.port = (uint16_t)(7001 + i);
    }
    for (size_t i = 0; i < NODES; i++) {
        struct node *node = &world->nodes[i];

        assert_int_equal(
            gossip_identity_create(world->cluster, names[i], 0, &world->time.base, &node->identity),
            GOSSIP_OK);
        assert_int_equal(gossip_memory_open(&node->store), GOSSIP_OK);
        assert_int_equal(
            gossip_create(&(struct gossip_options){.size = sizeof(struct gossip_options),
                                                   .store = node->store,
                                                   .transport = &world->queues[i].base,
                                                   .time = &world->time.base,
                                                   .identity = node->identity,
                                                   .joins = &world->queues[1 - i].address,
                                                   .join_count = 1,
                                                   .period_ms = 100,
                                                   .payload_max = PAYLOAD_MAX},
                          &node->gossip),
            GOSSIP_OK);
        assert_int_equal(api_create(&(struct api_options){.gossip = node->gossip,
                                                          .identity = node->identity,
                                                          .transport = &world->queues[i].base,
                                                          .payload_max = PAYLOAD_MAX},
                                    &node->api),
                         GOSSIP_OK);
    }
    return world;
}

static inline void destroy_world(struct world *world)
{
    for (size_t i = 0; i < NODES; i++) {
        struct node *node = &world->nodes[i];

        api_destroy(node->api);
        gossip_destroy(node->gossip);
        node->store->ops->close(node->store);
        gossip_identity_destroy(node->identity);
    }
    gossip_cluster_destroy(world->cluster);
    free(world);
}

static inline void run_world(struct world *world)
{
    world->time.ms += STEP_MS;
    for (size_t i = 0; i < NODES; i++)
        assert_int_equal(gossip_run(world->nodes[i].gossip), GOSSIP_OK);
}

/* How many events a node holds. */
static inline uint64_t count_events(const struct node *node)
{
    const struct gossip_vclock *clock = gossip_clock(node->gossip);
    uint64_t count = 0;

    for (size_t i = 0; i < clock->count; i++)
        count += clock->counters[i];
    return count;
}

/* Runs until both hold the same number of events, at least count. */
static inline void converge(struct world *world, uint64_t count)
{
    for (int i = 0; i < ROUNDS_MAX; i++) {
        if (count_events(&world->nodes[0]) >= count &&
            count_events(&world->nodes[0]) == count_events(&world->nodes[1]))
            return;
        run_world(world);
    }
    fail_msg("the nodes have not converged in %d rounds", ROUNDS_MAX);
}

/* ---- Requests. ---- */

struct arguments {
    const char *names[10];
    const char *values[10];
};

static inline const char *find_argument(void *context, const char *name)
{
    const struct arguments *arguments = context;

    for (size_t i = 0; arguments->names[i]; i++)
        if (strcmp(arguments->names[i], name) == 0)
            return arguments->values[i];
    return NULL;
}

enum form { JSON, PLAIN };

static inline struct api_response request(struct node *node, const char *method, const char *path,
                                          struct arguments arguments, enum form form)
{
    struct api_response response;

    api_handle(node->api,
               &(struct api_request){.method = method,
                                     .path = path,
                                     .argument = find_argument,
                                     .context = &arguments,
                                     .plain = form == PLAIN},
               &response);
    return response;
}

static inline struct api_response post_event(struct node *node, const void *data, size_t size)
{
    struct api_response response;

    api_handle(
        node->api,
        &(struct api_request){.method = "POST", .path = "/v1/events", .body = data, .size = size},
        &response);
    return response;
}

/* Publishes, runs that node alone, and returns the answer. */
static inline struct api_response publish(struct node *node, const void *data, size_t size,
                                          enum form form)
{
    struct api_response response = post_event(node, data, size);
    struct gossip_result result;

    assert_true(response.pending);
    assert_int_equal(gossip_run(node->gossip), GOSSIP_OK);
    assert_int_equal(gossip_result_pop(node->gossip, &result), 1);
    assert_true(result.ticket == response.ticket);
    api_result(node->api, &result, form == PLAIN, &response);
    return response;
}

static inline void publish_text(struct node *node, const char *text)
{
    struct api_response response = publish(node, text, strlen(text), JSON);

    assert_int_equal(response.status, 200);
    api_response_clear(&response);
}

static inline void assert_answer(struct api_response response, int status, int exit_code,
                                 const char *body)
{
    assert_int_equal(response.status, status);
    assert_int_equal(response.exit_code, exit_code);
    assert_false(response.pending);
    assert_null(response.stream);
    assert_non_null(response.body.data);
    assert_string_equal(response.body.data, body);
    api_response_clear(&response);
}

/* An error is JSON, with error and hint, whatever form was asked for. */
static inline void assert_error(struct api_response response, int status, int exit_code,
                                const char *part)
{
    assert_int_equal(response.status, status);
    assert_int_equal(response.exit_code, exit_code);
    assert_string_equal(response.type, "application/json");
    assert_non_null(strstr(response.body.data, "{\"error\":\""));
    assert_non_null(strstr(response.body.data, "\"hint\":\""));
    if (!strstr(response.body.data, part))
        fail_msg("\"%s\" is not in %s", part, response.body.data);
    api_response_clear(&response);
}

/* The clock of `gossip clock --json`, read by the library, is the node's, and is written the same.
 */
static inline void assert_clock_is_read(struct node *node)
{
    struct api_response response =
        request(node, "GET", "/v1/clock", (struct arguments){{NULL}, {NULL}}, JSON);
    const char *text = strstr(response.body.data, "\"clock\":") + strlen("\"clock\":");
    size_t size = strcspn(text, "}") + 1;
    struct gossip_vclock clock = {0};
    char *again;

    assert_int_equal(
        gossip_vclock_from_json(&clock, text, size, gossip_author_find, node->gossip, NULL),
        GOSSIP_OK);
    assert_int_equal(gossip_vclock_compare(&clock, gossip_clock(node->gossip)), GOSSIP_EQUAL);
    assert_int_equal(gossip_vclock_to_json(&clock, gossip_author_name, node->gossip, &again),
                     GOSSIP_OK);
    assert_int_equal(strlen(again), size);
    assert_memory_equal(again, text, size);
    free(again);
    gossip_vclock_clear(&clock);
    api_response_clear(&response);
}

/* Reads a log to its end in pieces of at most step bytes. */
static inline void read_log(struct node *node, struct arguments arguments, enum form form,
                            size_t step, struct text *ret_text)
{
    struct api_response response = request(node, "GET", "/v1/log", arguments, form);
    char buffer[4096];
    int count;

    assert_int_equal(response.status, 200);
    assert_non_null(response.stream);
    while ((count = api_stream_read(response.stream, buffer, step)) > 0 ||
           count == API_STREAM_AGAIN)
        text_add_bytes(ret_text, buffer, count > 0 ? (size_t)count : 0);
    assert_int_equal(count, 0);
    assert_int_equal(api_stream_read(response.stream, buffer, step), 0);
    api_response_clear(&response);
}

static const struct arguments none = {{NULL}, {NULL}};

static inline struct arguments pair(const char *a, const char *b)
{
    return (struct arguments){{"a", "b", NULL}, {a, b, NULL}};
}

#endif
