/*
 * A whole node on a virtual disk that dies at each of its operations in turn, from the making of
 * its store over its first boot and its events to its last restart: what was acknowledged or sent
 * is there, no number is used twice, and everything verifies.
 *
 * GOSSIP_CRASH_DRAWS=n makes 2n draws of what tears and shuffles, where it is more than 1.
 * GOSSIP_CRASH_PART=i/n does the i-th of n parts of it, from 0.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/gossip.h"
#include "gossip/splitmix.h"
#include "store/virtual_disk.h"
#include "tests/crash_share.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { EVENTS_MAX = 32, LIVES = 3 };

/* What is published before each run of the node; one commit each. */
static const unsigned batches[] = {1, 3, 1};

struct world {
    struct gossip_time time; /* These two first: they are what the node sees. */
    struct gossip_transport transport;
    struct splitmix lots;
    uint64_t now_ms;
    struct virtual_disk *disk;
    struct gossip_identity *identity;
    uint64_t seed;
    const char *story;
    bool created;
    uint64_t boot;                  /* Of the last start that was acknowledged. */
    uint64_t events;                /* Acknowledged or shown. */
    uint64_t published;             /* Payloads so far, by their number ... */
    uint64_t payloads[EVENTS_MAX];  /* ... which the event of each seq has. */
    uint64_t in_flight[EVENTS_MAX]; /* Published and not acknowledged. */
    size_t in_flight_count;
    uint64_t sent;
};

static void require(const struct world *world, bool condition, const char *what)
{
    if (!condition)
        fail_msg("seed %" PRIu64 ", %s: %s", world->seed, world->story, what);
}

/* ---- Time, and a network that leads nowhere. ---- */

static uint64_t tell_monotonic(struct gossip_time *time)
{
    return ((struct world *)time)->now_ms;
}

static uint64_t tell_wall(struct gossip_time *time)
{
    return UINT64_C(1800000000000) + ((struct world *)time)->now_ms;
}

static int draw_bytes(struct gossip_time *time, uint8_t *buffer, size_t size)
{
    struct world *world = (struct world *)time;

    for (size_t i = 0; i < size; i++)
        buffer[i] = (uint8_t)(splitmix_next(&world->lots) >> 56);
    return GOSSIP_OK;
}

static struct world *world_of(struct gossip_transport *transport)
{
    return (struct world *)((char *)transport - offsetof(struct world, transport));
}

static int no_descriptor(struct gossip_transport *transport)
{
    (void)transport;
    return -1;
}

static int receive_nothing(struct gossip_transport *transport,
                           struct gossip_datagram *ret_datagrams, size_t capacity)
{
    (void)transport;
    (void)ret_datagrams;
    (void)capacity;
    return 0;
}

/* Whatever is told to others must be what the disk would remember: all is in the log, since what a
 * checkpoint has copied from there is synced before the log begins anew. */
static void watch_send(struct gossip_transport *transport, const struct gossip_datagram *datagrams,
                       size_t count)
{
    struct world *world = world_of(transport);

    (void)datagrams;
    world->sent += count;
    require(world, !virtual_disk_is_unsynced(world->disk, "node.db-wal"), "sends before it syncs");
}

static void tell_address(struct gossip_transport *transport, struct gossip_address *ret_address)
{
    (void)transport;
    *ret_address = (struct gossip_address){{[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}, 7001};
}

static void tell_stats(struct gossip_transport *transport, struct gossip_transport_stats *ret_stats)
{
    (void)transport;
    *ret_stats = (struct gossip_transport_stats){.sent = 0};
}

static void close_nothing(struct gossip_transport *transport)
{
    (void)transport;
}

static const struct gossip_time_ops time_ops = {tell_monotonic, tell_wall, draw_bytes};
static const struct gossip_transport_ops transport_ops = {
    no_descriptor, receive_nothing, watch_send, tell_address, tell_stats, close_nothing};

/* ---- A node's life. ---- */

static void begin(struct world *world, const char *story, uint64_t seed)
{
    struct gossip_cluster *cluster;

    *world = (struct world){.time = {&time_ops},
                            .transport = {&transport_ops},
                            .lots = {1},
                            .seed = seed,
                            .story = story};
    virtual_disk_install(1);
    world->disk = virtual_disk_create(seed);
    assert_non_null(world->disk);
    assert_int_equal(gossip_cluster_create(&world->time, &cluster), GOSSIP_OK);
    assert_int_equal(gossip_identity_create(cluster, "n1", 0, &world->time, &world->identity),
                     GOSSIP_OK);
    gossip_cluster_destroy(cluster);
}

static void end(struct world *world)
{
    gossip_identity_destroy(world->identity);
    virtual_disk_destroy(world->disk);
}

static void payload(uint64_t number, char ret_text[32])
{
    snprintf(ret_text, 32, "payload %" PRIu64, number);
}

/* Whether the event seq is there, with the payload of this number. */
static bool shows(struct gossip *gossip, uint64_t seq, uint64_t number)
{
    struct gossip_dot dot = {gossip_self(gossip), seq};
    struct gossip_event event;
    char text[32];

    payload(number, text);
    return gossip_event_get(gossip, dot, &event) == GOSSIP_OK && event.size == strlen(text) &&
           memcmp(event.data, text, event.size) == 0;
}

static void print_fault(void *context, const char *line)
{
    (void)context;
    print_message("%s\n", line);
}

static void check(struct world *world, struct gossip *gossip)
{
    struct gossip_author self;
    struct gossip_stats stats;
    size_t came_back;

    gossip_stats(gossip, &stats);
    require(world, stats.boot > world->boot, "counts a boot twice");
    world->boot = stats.boot;
    require(world, gossip_author(gossip, gossip_self(gossip), &self) == GOSSIP_OK, "has no self");
    require(world, self.have >= world->events, "has forgotten events");
    require(world, self.have <= world->events + world->in_flight_count, "has too many events");
    for (uint64_t seq = 1; seq <= world->events; seq++)
        require(world, shows(gossip, seq, world->payloads[seq]), "shows another event");
    /* What was in flight is there from its beginning on, in its order. */
    came_back = self.have - world->events;
    for (size_t i = 0; i < came_back; i++) {
        world->payloads[++world->events] = world->in_flight[i];
        require(world, shows(gossip, world->events, world->in_flight[i]), "shows another event");
    }
    world->in_flight_count = 0;
    require(world, gossip_verify(gossip, print_fault, NULL, NULL) == GOSSIP_OK, "is damaged");
}

static int publish(struct world *world, struct gossip *gossip, unsigned count)
{
    struct gossip_result result;
    unsigned acknowledged = 0;
    int error;

    for (unsigned i = 0; i < count; i++) {
        uint64_t ticket;
        char text[32];

        payload(++world->published, text);
        assert_int_equal(gossip_publish(gossip, text, strlen(text), &ticket), GOSSIP_OK);
        world->in_flight[world->in_flight_count++] = world->published;
    }
    world->now_ms += 100;
    error = gossip_run(gossip);
    while (gossip_result_pop(gossip, &result) == 1) {
        require(world, result.error == GOSSIP_OK, "refuses");
        require(world, result.dot.seq == world->events + 1,
                "leaves a number out, or uses it twice");
        world->payloads[++world->events] = world->in_flight[acknowledged++];
    }
    require(world, acknowledged == (error == GOSSIP_OK ? count : 0), "acknowledges in part");
    if (error == GOSSIP_OK)
        world->in_flight_count = 0;
    return error;
}

static int open_store(struct world *world, struct gossip_store **ret_store)
{
    char explanation[512];
    int error = virtual_disk_open_store(world->disk, "node.db", GOSSIP_SQLITE_OPEN, explanation,
                                        sizeof(explanation), ret_store);

    if (error == GOSSIP_ERR_NOT_FOUND && !world->created)
        error = virtual_disk_open_store(world->disk, "node.db", GOSSIP_SQLITE_CREATE, explanation,
                                        sizeof(explanation), ret_store);
    if (error == GOSSIP_OK)
        world->created = true;
    else
        require(world, virtual_disk_is_crashed(world->disk), explanation);
    return error;
}

static int live(struct world *world)
{
    struct gossip_address join = {{[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}, 7002};
    struct gossip_options options = {.size = sizeof(options),
                                     .transport = &world->transport,
                                     .time = &world->time,
                                     .identity = world->identity,
                                     .joins = &join,
                                     .join_count = 1};
    struct gossip *gossip = NULL;
    int error = open_store(world, &options.store);

    if (error < 0)
        return error;
    error = gossip_create(&options, &gossip);
    require(world, error == GOSSIP_OK || virtual_disk_is_crashed(world->disk), "does not start");
    if (error == GOSSIP_OK && !virtual_disk_is_crashed(world->disk))
        check(world, gossip);
    for (size_t i = 0; i < COUNT(batches) && error == GOSSIP_OK; i++)
        error = publish(world, gossip, batches[i]);
    require(world, error == GOSSIP_OK || virtual_disk_is_crashed(world->disk), "ends");
    gossip_destroy(gossip);
    options.store->ops->close(options.store);
    return error;
}

static void test_crash_at_every_operation(void **state)
{
    static const struct {
        enum virtual_damage damage;
        const char *name;
        unsigned draws;
    } damages[] = {{VIRTUAL_DAMAGE_NONE, "none", 1},
                   {VIRTUAL_DAMAGE_LOST, "lost", 1},
                   {VIRTUAL_DAMAGE_TORN, "torn", 2},
                   {VIRTUAL_DAMAGE_SHUFFLED, "shuffled", 2}};
    unsigned times = crash_draws();
    struct world world;
    uint64_t operations;
    uint64_t crashes = 0;

    (void)state;
    begin(&world, "nothing is done to it", 1);
    for (unsigned i = 0; i < LIVES; i++)
        assert_int_equal(live(&world), GOSSIP_OK);
    assert_int_equal(world.boot, LIVES);
    assert_true(world.sent > 0);
    operations = virtual_disk_operations(world.disk);
    end(&world);

    for (uint64_t at = 1; at <= operations; at++) {
        for (size_t i = 0; i < COUNT(damages) && crash_is_ours(at); i++) {
            unsigned draws = times == 1 || damages[i].draws == 1 ? 1 : times * damages[i].draws;

            for (unsigned draw = 0; draw < draws; draw++) {
                char story[128];

                snprintf(story, sizeof(story), "crash at operation %" PRIu64 ", damage %s, draw %u",
                         at, damages[i].name, draw);
                begin(&world, story, at + draw * operations);
                virtual_disk_crash_at(world.disk, at);
                for (unsigned life = 0; life < LIVES && !virtual_disk_is_crashed(world.disk);
                     life++)
                    live(&world);
                require(&world, virtual_disk_is_crashed(world.disk), "does not crash");
                virtual_disk_restart(world.disk, damages[i].damage);
                require(&world, live(&world) == GOSSIP_OK, "does not live again");
                virtual_disk_crash(world.disk);
                virtual_disk_restart(world.disk, VIRTUAL_DAMAGE_LOST);
                require(&world, live(&world) == GOSSIP_OK, "does not live on after power loss");
                end(&world);
                crashes++;
            }
        }
    }
    print_message("node: %" PRIu64 " operations, %" PRIu64 " crashes\n", operations, crashes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash_at_every_operation),
    };

    return cmocka_run_group_tests_name("crashes of a node", tests, NULL, NULL);
}
