/* Faults around a transport: a clock of our own, and a transport that does what it is told. */
#include "transport/faults.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/gossip.h"
#include "transport/address.h"

enum { QUEUE_MAX = 8192, MANY = 5000, SEED = 7 };

struct packet {
    struct gossip_address peer;
    uint8_t number;
};

/* What is to be received, and what was sent. */
struct script {
    struct gossip_transport base;
    struct packet in[QUEUE_MAX];
    size_t in_first;
    size_t in_count;
    struct packet out[QUEUE_MAX];
    size_t out_count;
    uint8_t lent; /* Changes with each receive. */
    bool is_broken;
    bool is_closed;
};

struct clock {
    struct gossip_time base;
    uint64_t ms;
    bool has_no_random;
};

struct world {
    struct script script;
    struct clock clock;
    struct gossip_transport *faults;
};

static int script_poll_fd(struct gossip_transport *transport)
{
    (void)transport;
    return -1;
}

/* As UDP does, shows from one buffer. */
static int script_receive(struct gossip_transport *transport, struct gossip_datagram *ret_datagrams,
                          size_t capacity)
{
    struct script *script = (struct script *)transport;
    const struct packet *packet = &script->in[script->in_first];

    if (script->is_broken)
        return GOSSIP_ERR_IO;
    assert_true(capacity > 0);
    if (script->in_first == script->in_count)
        return 0;
    script->lent = packet->number;
    script->in_first++;
    ret_datagrams[0] = (struct gossip_datagram){packet->peer, &script->lent, 1};
    return 1;
}

static void script_send(struct gossip_transport *transport, const struct gossip_datagram *datagrams,
                        size_t count)
{
    struct script *script = (struct script *)transport;

    for (size_t i = 0; i < count; i++) {
        assert_int_equal(datagrams[i].size, 1);
        assert_true(script->out_count < QUEUE_MAX);
        script->out[script->out_count++] =
            (struct packet){datagrams[i].address, datagrams[i].data[0]};
    }
}

static void script_address(struct gossip_transport *transport, struct gossip_address *ret_address)
{
    (void)transport;
    assert_int_equal(address_from_text("127.0.0.1:7001", ret_address), GOSSIP_OK);
}

static void script_stats(struct gossip_transport *transport,
                         struct gossip_transport_stats *ret_stats)
{
    *ret_stats = (struct gossip_transport_stats){.sent = ((struct script *)transport)->out_count};
}

static void script_close(struct gossip_transport *transport)
{
    ((struct script *)transport)->is_closed = true;
}

static const struct gossip_transport_ops script_ops = {
    script_poll_fd, script_receive, script_send, script_address, script_stats, script_close};

static uint64_t clock_monotonic(struct gossip_time *time)
{
    return ((struct clock *)time)->ms;
}

static int clock_random(struct gossip_time *time, uint8_t *buffer, size_t size)
{
    if (((struct clock *)time)->has_no_random)
        return GOSSIP_ERR_IO;
    memset(buffer, SEED, size);
    return GOSSIP_OK;
}

static const struct gossip_time_ops clock_ops = {clock_monotonic, clock_monotonic, clock_random};

static struct world *make_world(void)
{
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    world->script.base.ops = &script_ops;
    world->clock.base.ops = &clock_ops;
    world->clock.ms = 1000;
    assert_int_equal(faults_open(&world->script.base, &world->clock.base, &world->faults),
                     GOSSIP_OK);
    return world;
}

static void destroy_world(struct world *world)
{
    world->faults->ops->close(world->faults);
    assert_true(world->script.is_closed);
    free(world);
}

static struct gossip_address peer(const char *text)
{
    struct gossip_address address;

    assert_int_equal(address_from_text(text, &address), GOSSIP_OK);
    return address;
}

static void arrives(struct world *world, const char *from, unsigned number)
{
    assert_true(world->script.in_count < QUEUE_MAX);
    world->script.in[world->script.in_count++] = (struct packet){peer(from), (uint8_t)number};
}

static void sends(struct world *world, const char *to, unsigned number)
{
    uint8_t data = (uint8_t)number;
    struct gossip_datagram datagram = {peer(to), &data, 1};

    world->faults->ops->send(world->faults, &datagram, 1);
}

/* All that is shown until nothing is: its numbers. */
static size_t receive(struct world *world, uint8_t *ret_numbers)
{
    struct gossip_datagram datagrams[3];
    size_t total = 0;
    int count;

    while ((count = world->faults->ops->receive(world->faults, datagrams, 3)) > 0) {
        assert_in_range(count, 1, 3);
        for (int i = 0; i < count; i++) {
            assert_int_equal(datagrams[i].size, 1);
            assert_true(total < QUEUE_MAX);
            ret_numbers[total++] = datagrams[i].data[0];
        }
    }
    assert_int_equal(count, 0);
    return total;
}

static void assert_received(struct world *world, const char *numbers)
{
    uint8_t found[QUEUE_MAX];
    size_t count = receive(world, found);

    assert_int_equal(count, strlen(numbers));
    for (size_t i = 0; i < count; i++)
        assert_int_equal(found[i], numbers[i] - '0');
}

static void assert_sent(const struct world *world, const char *numbers)
{
    assert_int_equal(world->script.out_count, strlen(numbers));
    for (size_t i = 0; i < world->script.out_count; i++)
        assert_int_equal(world->script.out[i].number, numbers[i] - '0');
}

static struct faults_stats stats_of(const struct world *world)
{
    struct faults_stats stats;

    faults_stats(world->faults, &stats);
    return stats;
}

static bool is_readable(struct world *world)
{
    struct pollfd wait = {.fd = world->faults->ops->poll_fd(world->faults), .events = POLLIN};
    int count = poll(&wait, 1, 0);

    assert_true(count >= 0);
    return count == 1;
}

static void test_nothing(void **state)
{
    struct world *world = make_world();
    struct gossip_transport_stats stats;
    struct gossip_address address;

    (void)state;
    arrives(world, "127.0.0.1:7002", 1);
    arrives(world, "127.0.0.1:7003", 2);
    sends(world, "127.0.0.1:7002", 3);
    assert_received(world, "12");
    assert_sent(world, "3");
    world->faults->ops->stats(world->faults, &stats);
    assert_int_equal(stats.sent, 1);
    world->faults->ops->address(world->faults, &address);
    assert_int_equal(address.port, 7001);
    assert_false(is_readable(world));
    assert_int_equal(stats_of(world).cut + stats_of(world).delayed, 0);
    destroy_world(world);
}

/* The first that fits holds, by address, port and direction. */
static void test_cut(void **state)
{
    struct world *world = make_world();
    struct fault faults[] = {
        {.peer = peer("127.0.0.1:7002"), .is_in = true, .is_cut = true},
        {.peer = peer("127.0.0.1:7002"), .is_out = true},
        {.peer = peer("127.0.0.2:1"), .is_in = true, .is_out = true, .is_cut = true},
        {.is_any_peer = true, .is_out = true, .is_cut = true},
    };

    (void)state;
    faults[2].peer.port = 0;
    faults_set(world->faults, faults, 4);
    arrives(world, "127.0.0.1:7002", 1);
    arrives(world, "127.0.0.1:7003", 2);
    arrives(world, "127.0.0.2:7002", 3);
    arrives(world, "127.0.0.2:7003", 4);
    arrives(world, "127.0.0.1:7003", 5);
    assert_received(world, "25");
    sends(world, "127.0.0.1:7002", 1);
    sends(world, "127.0.0.1:7003", 2);
    sends(world, "127.0.0.2:7003", 3);
    assert_sent(world, "1");
    assert_int_equal(stats_of(world).cut, 5);

    faults_set(world->faults, NULL, 0);
    arrives(world, "127.0.0.1:7002", 6);
    assert_received(world, "6");
    sends(world, "127.0.0.1:7003", 7);
    assert_sent(world, "17");
    destroy_world(world);
}

static void test_delay(void **state)
{
    struct world *world = make_world();
    struct fault fault = {.is_any_peer = true, .is_in = true, .is_out = true, .latency_ms = 50};

    (void)state;
    faults_set(world->faults, &fault, 1);
    arrives(world, "127.0.0.1:7002", 1);
    sends(world, "127.0.0.1:7002", 1);
    assert_received(world, "");
    world->clock.ms += 20;
    arrives(world, "127.0.0.1:7003", 2);
    sends(world, "127.0.0.1:7003", 2);
    assert_received(world, "");
    world->clock.ms += 29;
    assert_received(world, "");
    assert_sent(world, "");
    world->clock.ms += 1;
    assert_received(world, "1");
    assert_sent(world, "1");

    /* What is under way keeps its time; what comes now takes none. */
    faults_set(world->faults, NULL, 0);
    arrives(world, "127.0.0.1:7003", 3);
    assert_received(world, "3");
    world->clock.ms += 20;
    assert_received(world, "2");
    assert_sent(world, "12");
    assert_int_equal(stats_of(world).delayed, 4);
    destroy_world(world);
}

/* What is due makes the descriptor readable, though nothing has come. */
static void test_descriptor(void **state)
{
    struct world *world = make_world();
    struct fault fault = {.is_any_peer = true, .is_in = true, .latency_ms = 60000};

    (void)state;
    faults_set(world->faults, &fault, 1);
    arrives(world, "127.0.0.1:7002", 1);
    assert_received(world, "");
    assert_false(is_readable(world));
    world->clock.ms += 60000;
    sends(world, "127.0.0.1:7002", 2); /* It looks at the clock. */
    assert_true(is_readable(world));
    assert_received(world, "1");
    assert_false(is_readable(world));
    destroy_world(world);
}

static void test_cut_takes_what_flies(void **state)
{
    struct world *world = make_world();
    struct fault late = {.is_any_peer = true, .is_in = true, .is_out = true, .latency_ms = 10};
    struct fault cut = {.is_any_peer = true, .is_in = true, .is_out = true, .is_cut = true};

    (void)state;
    faults_set(world->faults, &late, 1);
    arrives(world, "127.0.0.1:7002", 1);
    sends(world, "127.0.0.1:7002", 1);
    assert_received(world, "");
    faults_set(world->faults, &cut, 1);
    world->clock.ms += 10;
    assert_received(world, "");
    assert_sent(world, "");
    assert_int_equal(stats_of(world).cut, 2);
    destroy_world(world);
}

/* Jitter lets later ones overtake; each is there once, and within the time that was said. */
static void test_jitter(void **state)
{
    struct world *world = make_world();
    struct fault fault = {.is_any_peer = true, .is_in = true, .latency_ms = 10, .jitter_ms = 40};
    uint8_t found[QUEUE_MAX];
    bool is_seen[100] = {false};
    bool overtakes = false;
    size_t total = 0;

    (void)state;
    faults_set(world->faults, &fault, 1);
    for (unsigned i = 0; i < 100; i++)
        arrives(world, "127.0.0.1:7002", i);
    for (unsigned ms = 0; ms <= 50; ms++, world->clock.ms++) {
        size_t count = receive(world, found + total);

        assert_true(ms >= 10 || count == 0);
        total += count;
    }
    assert_int_equal(total, 100);
    for (size_t i = 0; i < total; i++) {
        assert_false(is_seen[found[i]]);
        is_seen[found[i]] = true;
        overtakes = overtakes || (i > 0 && found[i] < found[i - 1]);
    }
    assert_true(overtakes);
    destroy_world(world);
}

/* Shares are met: by binomial chance, five sigma away from what was said would be one in a million;
 * the seed is fixed. */
static void test_shares(void **state)
{
    struct world *world = make_world();
    struct fault faults[] = {
        {.peer = peer("127.0.0.1:7002"), .is_in = true, .loss_ppm = 200000},
        {.peer = peer("127.0.0.1:7003"), .is_in = true, .duplicate_ppm = 100000},
        {.peer = peer("127.0.0.1:7004"), .is_in = true, .loss_ppm = 1000000},
    };
    uint8_t found[QUEUE_MAX];

    (void)state;
    faults_set(world->faults, faults, 3);
    for (unsigned i = 0; i < MANY; i++)
        arrives(world, "127.0.0.1:7002", 1);
    assert_in_range(receive(world, found), MANY * 8 / 10 - 142, MANY * 8 / 10 + 142);
    assert_int_equal(stats_of(world).overflowed, 0);
    world->script.in_first = world->script.in_count = 0;
    for (unsigned i = 0; i < MANY; i++)
        arrives(world, "127.0.0.1:7003", 1);
    assert_in_range(receive(world, found), MANY * 11 / 10 - 106, MANY * 11 / 10 + 106);
    assert_in_range(stats_of(world).duplicated, MANY / 10 - 106, MANY / 10 + 106);
    world->script.in_first = world->script.in_count = 0;
    for (unsigned i = 0; i < 100; i++)
        arrives(world, "127.0.0.1:7004", 1);
    assert_int_equal(receive(world, found), 0);
    destroy_world(world);
}

/* What is too much is lost and counted, and memory is bounded. */
static void test_overflow(void **state)
{
    struct world *world = make_world();
    struct fault fault = {.is_any_peer = true, .is_in = true, .latency_ms = 10};
    uint8_t found[QUEUE_MAX];

    (void)state;
    faults_set(world->faults, &fault, 1);
    for (unsigned i = 0; i < FAULTS_ON_THEIR_WAY + 100; i++)
        arrives(world, "127.0.0.1:7002", 1);
    assert_int_equal(receive(world, found), 0);
    assert_int_equal(stats_of(world).overflowed, 100);
    world->clock.ms += 10;
    assert_int_equal(receive(world, found), FAULTS_ON_THEIR_WAY);
    destroy_world(world);
}

static void test_failures(void **state)
{
    struct world *world = make_world();
    struct gossip_transport *other = NULL;
    struct gossip_datagram datagram;
    struct fault fault = {.is_any_peer = true, .is_in = true, .latency_ms = 1};

    (void)state;
    world->clock.has_no_random = true;
    assert_int_equal(faults_open(&world->script.base, &world->clock.base, &other), GOSSIP_ERR_IO);
    assert_null(other);
    assert_false(world->script.is_closed);

    /* What has arrived is shown before the error of the transport below. */
    faults_set(world->faults, &fault, 1);
    arrives(world, "127.0.0.1:7002", 1);
    assert_received(world, "");
    world->clock.ms++;
    world->script.is_broken = true;
    assert_int_equal(world->faults->ops->receive(world->faults, &datagram, 0), 0);
    assert_int_equal(world->faults->ops->receive(world->faults, &datagram, 1), 1);
    assert_int_equal(world->faults->ops->receive(world->faults, &datagram, 1), GOSSIP_ERR_IO);
    destroy_world(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_delay),
        cmocka_unit_test(test_descriptor),
        cmocka_unit_test(test_cut_takes_what_flies),
        cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
