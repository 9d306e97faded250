#include "transport/udp.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/udp_fixture.h"

static bool has_ipv6(void)
{
    struct gossip_transport *transport;

    if (gossip_udp_open("[::1]:0", NULL, 0, &transport) < 0)
        return false;
    transport->ops->close(transport);
    return true;
}

static void skip_because(const char *reason)
{
    print_message("skipped: %s\n", reason);
    skip();
}

static void test_malformed_is_invalid(void **state)
{
    static const char *const cases[] = {
        "",
        "localhost",
        "localhost:99999",
        "::1:7001",
        "[::1]",
        "127.1:7001",
        "127.0.0.300:1",
        "[fe80::1]:7001",
        "[fe80::1%lo]:7001",
        "a\x1b[31m b:7001",
        "two\nlines:7001",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gossip_transport *transport = NULL;
        char explanation[400] = "";

        assert_int_equal(gossip_udp_open(cases[i], explanation, sizeof(explanation), &transport),
                         GOSSIP_ERR_INVALID);
        assert_null(transport);
        print_message("%s\n", explanation);
        assert_non_null(strstr(explanation, "is no address to use: "));
        for (const char *byte = explanation; *byte != '\0'; byte++)
            assert_true(*byte >= ' ' && *byte <= '~');
        assert_int_equal(gossip_udp_open(cases[i], NULL, 0, &transport), GOSSIP_ERR_INVALID);
    }
}

static void test_explanation_is_cut(void **state)
{
    struct gossip_transport *transport;
    char explanation[9] = "abcdefgh";

    (void)state;
    assert_int_equal(gossip_udp_open("x", explanation, 8, &transport), GOSSIP_ERR_INVALID);
    assert_string_equal(explanation, "\"x\" is ");
    assert_int_equal(gossip_udp_open("x", explanation, 0, &transport), GOSSIP_ERR_INVALID);
}

static void test_taken_port(void **state)
{
    struct gossip_transport *first = open_real("127.0.0.1:0");
    struct gossip_transport *second = NULL;
    struct gossip_address address = address_of(first);
    char text[GOSSIP_ADDRESS_TEXT_MAX];
    char explanation[400] = "";

    (void)state;
    gossip_address_to_text(&address, text);
    assert_int_equal(gossip_udp_open(text, explanation, sizeof(explanation), &second),
                     GOSSIP_ERR_IN_USE);
    assert_non_null(strstr(explanation, text));
    assert_non_null(strstr(explanation, "taken"));

    /* Nor can a node that listens everywhere take it away, in part. */
    snprintf(text, sizeof(text), ":%u", (unsigned)address.port);
    assert_int_equal(gossip_udp_open(text, explanation, sizeof(explanation), &second),
                     GOSSIP_ERR_IN_USE);
    assert_null(second);

    /* It is free at once when it is closed. */
    first->ops->close(first);
    second = open_real(text);
    second->ops->close(second);
}

static void test_address_of_another_machine(void **state)
{
    struct gossip_transport *transport;
    char explanation[400] = "";

    (void)state;
    assert_int_equal(
        gossip_udp_open("203.0.113.1:7001", explanation, sizeof(explanation), &transport),
        GOSSIP_ERR_NOT_FOUND);
    assert_non_null(strstr(explanation, "no such address"));
}

enum { DESCRIPTORS_MAX = 256 };

static int count_descriptors(void)
{
    int count = 0;

    for (int i = 0; i < DESCRIPTORS_MAX; i++)
        count += fcntl(i, F_GETFD) >= 0;
    return count;
}

static void test_descriptors_are_ours_alone(void **state)
{
    int before = count_descriptors();
    struct gossip_transport *transport;
    struct gossip_transport *other;
    bool was_open[DESCRIPTORS_MAX];
    char text[16];

    (void)state;
    for (int i = 0; i < DESCRIPTORS_MAX; i++)
        was_open[i] = fcntl(i, F_GETFD) >= 0;
    transport = open_real(":0");
    assert_true(count_descriptors() > before);
    for (int i = 0; i < DESCRIPTORS_MAX; i++)
        if (!was_open[i] && fcntl(i, F_GETFD) >= 0)
            assert_int_equal(fcntl(i, F_GETFD), FD_CLOEXEC);
    before = count_descriptors();
    snprintf(text, sizeof(text), ":%u", (unsigned)address_of(transport).port);
    assert_int_equal(gossip_udp_open(text, NULL, 0, &other), GOSSIP_ERR_IN_USE);
    assert_int_equal(count_descriptors(), before);
    transport->ops->close(transport);
    for (int i = 0; i < DESCRIPTORS_MAX; i++)
        assert_int_equal(fcntl(i, F_GETFD) >= 0, was_open[i]);
}

/* Whichever descriptor is one too many, opening fails and gives back the others. */
static void test_too_many_open_files(void **state)
{
    struct gossip_transport *transport = open_real(":0");
    int held = count_descriptors();
    struct rlimit limit;
    int before;

    (void)state;
    transport->ops->close(transport);
    before = count_descriptors();
    held -= before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int room = 0; room < held; room++) {
        char explanation[400] = "";
        struct rlimit lower = limit;
        int lowest = fcntl(0, F_DUPFD, 0);
        int error;

        close(lowest);
        lower.rlim_cur = (rlim_t)(lowest + room);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &lower), 0);
        error = gossip_udp_open(":0", explanation, sizeof(explanation), &transport);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_int_equal(error, GOSSIP_ERR_IO);
        assert_non_null(strstr(explanation, "ulimit -n"));
        assert_int_equal(count_descriptors(), before);
    }
}

static void test_both_families(void **state)
{
    struct gossip_transport *everywhere;
    struct gossip_transport *sender;
    struct gossip_address to;
    struct gossip_address from;
    struct gossip_datagram datagram;

    (void)state;
    if (!has_ipv6())
        skip_because("this machine has no IPv6 loopback");
    everywhere = open_real(":0");
    to = parse("127.0.0.1:1");
    to.port = address_of(everywhere).port;
    assert_int_not_equal(to.port, 0);

    sender = open_real("127.0.0.1:0");
    from = address_of(sender);
    send_one(sender, to, "four", 4);
    datagram = receive_one(everywhere);
    assert_int_equal(datagram.size, 4);
    assert_memory_equal(datagram.data, "four", 4);
    assert_memory_equal(datagram.address.ip, from.ip, 16); /* ::ffff:127.0.0.1 */
    assert_int_equal(datagram.address.port, from.port);
    send_one(everywhere, from, "back", 4); /* From the IPv4 socket, and the port that we know. */
    datagram = receive_one(sender);
    assert_memory_equal(datagram.address.ip, to.ip, 16);
    assert_int_equal(datagram.address.port, to.port);

    /* IPv6 cannot leave by an IPv4 socket: it is counted, and the rest goes on. */
    to = parse("[::1]:1");
    to.port = address_of(everywhere).port;
    send_one(sender, to, "lost", 4);
    assert_int_equal(stats_of(sender).send_failed, 1);
    assert_int_equal(stats_of(sender).sent, 1);
    sender->ops->close(sender);

    sender = open_real("[::1]:0");
    from = address_of(sender);
    send_one(sender, to, "six", 3);
    datagram = receive_one(everywhere);
    assert_memory_equal(datagram.data, "six", 3);
    assert_memory_equal(datagram.address.ip, from.ip, 16);
    send_one(everywhere, from, "back", 4);
    datagram = receive_one(sender);
    assert_memory_equal(datagram.address.ip, to.ip, 16);
    assert_int_equal(datagram.address.port, to.port);
    send_one(sender, parse("127.0.0.1:9"), "lost", 4);
    assert_int_equal(stats_of(sender).send_failed, 1);
    sender->ops->close(sender);
    everywhere->ops->close(everywhere);
}

static void test_resolver_failures(void **state)
{
    static const struct {
        int result;
        int error;
    } cases[] = {
        {EAI_NONAME, GOSSIP_ERR_NOT_FOUND}, {EAI_NODATA, GOSSIP_ERR_NOT_FOUND},
        {EAI_AGAIN, GOSSIP_ERR_NOT_FOUND},  {EAI_FAIL, GOSSIP_ERR_NOT_FOUND},
        {EAI_MEMORY, GOSSIP_ERR_NOMEM},     {EAI_SYSTEM, GOSSIP_ERR_IO},
        {EAI_FAMILY, GOSSIP_ERR_IO},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct transport_system system = with_fake_resolver(cases[i].result, NULL);
        struct gossip_transport *transport;
        struct gossip_address address;
        char explanation[400] = "";

        assert_int_equal(
            udp_open(&system, "some.name:7001", explanation, sizeof(explanation), &transport),
            cases[i].error);
        print_message("%s\n", explanation);
        assert_non_null(strstr(explanation, "\"some.name\""));
        assert_int_equal(udp_resolve(&system, "some.name:7001", &address, 1, NULL, 0),
                         cases[i].error);
    }
}

static void test_resolve(void **state)
{
    static const char *const answers[] = {"[2001:db8::1]:9", "192.0.2.1:9", "192.0.2.1:8",
                                          "[fe80::1]:9",     "192.0.2.2:9", NULL};
    static const char *const only_link_local[] = {"[fe80::1]:9", NULL};
    static const char *const refused[] = {":7001", "some.name:0", "127.0.0.1:0", "[fe80::1]:7001",
                                          "some.name"};
    struct transport_system system = with_fake_resolver(0, answers);
    struct gossip_address found[8];
    struct gossip_address expected;

    (void)state;
    /* Every address counts, once, with the port that was asked for. */
    assert_int_equal(udp_resolve(&system, "some.name:7001", found, 8, NULL, 0), 3);
    expected = parse("[2001:db8::1]:7001");
    assert_memory_equal(&found[0], &expected, sizeof(expected));
    expected = parse("192.0.2.1:7001");
    assert_memory_equal(&found[1], &expected, sizeof(expected));
    expected = parse("192.0.2.2:7001");
    assert_memory_equal(&found[2], &expected, sizeof(expected));

    memset(&found[2], 0, sizeof(found[2]));
    assert_int_equal(udp_resolve(&system, "some.name:7001", found, 2, NULL, 0), 2);
    assert_int_equal(found[2].port, 0);
    assert_int_equal(resolver_held, 0);

    system = with_fake_resolver(0, only_link_local);
    assert_int_equal(udp_resolve(&system, "some.name:7001", found, 8, NULL, 0),
                     GOSSIP_ERR_NOT_FOUND);
    assert_int_equal(resolver_held, 0);

    /* No resolver is asked for these. */
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_int_equal(gossip_udp_resolve(refused[i], found, 8, NULL, 0), GOSSIP_ERR_INVALID);
    assert_int_equal(gossip_udp_resolve("[::1]:7001", found, 8, NULL, 0), 1);
    expected = parse("[::1]:7001");
    assert_memory_equal(&found[0], &expected, sizeof(expected));
}

/* A name that stands for this machine and others: it listens where it can. */
static void test_listen_on_a_name(void **state)
{
    static const char *const answers[] = {"203.0.113.1:1", "127.0.0.1:1", "127.0.0.2:1",
                                          "203.0.113.2:1", NULL};
    static const char *const foreign[] = {"203.0.113.1:1", "203.0.113.2:1", NULL};
    struct transport_system system = with_fake_resolver(0, answers);
    struct gossip_transport *listener = open_on(&system, "some.name:0");
    struct gossip_transport *sender = open_real("127.0.0.1:0");
    struct gossip_transport *other;
    struct gossip_address to = address_of(listener);
    struct gossip_address second = parse("127.0.0.2:1");
    struct gossip_datagram datagram;
    char text[32];

    (void)state;
    assert_int_equal(resolver_held, 0);
    assert_memory_equal(to.ip, parse("127.0.0.1:1").ip, 16);
    second.port = to.port;
    send_one(sender, to, "a", 1);
    datagram = receive_one(listener);
    assert_memory_equal(datagram.data, "a", 1);
    send_one(sender, second, "b", 1);
    datagram = receive_one(listener);
    assert_memory_equal(datagram.data, "b", 1);

    /* What leaves, leaves by the socket that is nearest to the receiver. */
    send_one(listener, address_of(sender), "c", 1);
    datagram = receive_one(sender);
    assert_memory_equal(datagram.address.ip, to.ip, 16);
    sender->ops->close(sender);
    sender = open_real("127.0.0.3:0");
    send_one(listener, address_of(sender), "d", 1);
    datagram = receive_one(sender);
    assert_memory_equal(datagram.address.ip, second.ip, 16);

    /* But a part of the name that is taken is no reason to go without it. */
    snprintf(text, sizeof(text), "some.name:%u", (unsigned)to.port);
    assert_int_equal(udp_open(&system, text, NULL, 0, &other), GOSSIP_ERR_IN_USE);
    system = with_fake_resolver(0, foreign);
    assert_int_equal(udp_open(&system, "some.name:0", NULL, 0, &other), GOSSIP_ERR_NOT_FOUND);
    sender->ops->close(sender);
    listener->ops->close(listener);
}

static void test_localhost(void **state)
{
    struct gossip_address found[8];
    int count = gossip_udp_resolve("localhost:7001", found, 8, NULL, 0);

    (void)state;
    if (count < 0)
        skip_because("this machine does not know localhost");
    for (int i = 0; i < count; i++) {
        assert_true(address_is_loopback(&found[i]));
        assert_int_equal(found[i].port, 7001);
    }
}

static void test_sizes(void **state)
{
    static const size_t sizes[] = {0, 1, GOSSIP_DATAGRAM_MAX, SHOWN_MAX, SHOWN_MAX + 1, 65507};
    struct gossip_transport *receiver = open_real("127.0.0.1:0");
    struct gossip_transport *sender = open_real("127.0.0.1:0");
    static uint8_t data[70000];
    uint64_t bytes = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t shown = sizes[i] < SHOWN_MAX ? sizes[i] : SHOWN_MAX;
        struct gossip_datagram datagram;

        send_one(sender, address_of(receiver), data, sizes[i]);
        datagram = receive_one(receiver);
        assert_int_equal(datagram.size, shown);
        assert_memory_equal(datagram.data, data, shown);
        bytes += sizes[i];
        assert_int_equal(stats_of(sender).sent, i + 1);
        assert_int_equal(stats_of(sender).sent_bytes, bytes);
        assert_int_equal(stats_of(receiver).received, i + 1);
        assert_int_equal(stats_of(receiver).received_bytes, bytes);
    }

    /* EMSGSIZE, from the system itself. */
    send_one(sender, address_of(receiver), data, sizeof(data));
    assert_int_equal(stats_of(sender).send_failed, 1);
    send_one(sender, address_of(receiver), "on", 2);
    assert_int_equal(receive_one(receiver).size, 2);
    sender->ops->close(sender);
    receiver->ops->close(receiver);
}

/* Two receivers in turn, and many more than a batch: nothing is lost, doubled or out of order. */
static void test_batches(void **state)
{
    enum { COUNT = 1000 };
    struct gossip_transport *receivers[2] = {open_real("127.0.0.1:0"), open_real("127.0.0.1:0")};
    struct gossip_transport *sender = open_real("127.0.0.1:0");
    static struct gossip_datagram datagrams[COUNT];
    static uint32_t numbers[COUNT];
    uint32_t next[2] = {0, 1};

    (void)state;
    for (uint32_t i = 0; i < COUNT; i++) {
        numbers[i] = i;
        datagrams[i].address = address_of(receivers[i % 2]);
        datagrams[i].data = (const uint8_t *)&numbers[i];
        datagrams[i].size = sizeof(numbers[i]);
    }
    sender->ops->send(sender, datagrams, COUNT);
    sender->ops->send(sender, datagrams, 0);
    assert_int_equal(stats_of(sender).sent, COUNT);
    assert_int_equal(stats_of(sender).send_failed, 0);
    for (int i = 0; i < 2; i++) {
        while (next[i] < COUNT) {
            struct gossip_datagram got[100];
            int count;

            assert_true(is_readable(receivers[i], PATIENCE_MS));
            assert_int_equal(receivers[i]->ops->receive(receivers[i], got, 0), 0);
            count = receivers[i]->ops->receive(receivers[i], got, 100);
            assert_in_range(count, 1, 100);
            for (int j = 0; j < count; j++, next[i] += 2)
                assert_memory_equal(got[j].data, &next[i], sizeof(next[i]));
        }
        assert_int_equal(receivers[i]->ops->receive(receivers[i], datagrams, COUNT), 0);
        assert_false(is_readable(receivers[i], 0));
        receivers[i]->ops->close(receivers[i]);
    }
    sender->ops->close(sender);
}

/* A flood at one address does not silence the other. */
static void test_sockets_take_turns(void **state)
{
    static const char *const answers[] = {"127.0.0.1:1", "127.0.0.2:1", NULL};
    struct transport_system system = with_fake_resolver(0, answers);
    struct gossip_transport *listener = open_on(&system, "some.name:0");
    struct gossip_transport *sender = open_real("127.0.0.1:0");
    struct gossip_address to = address_of(listener);
    struct gossip_datagram datagram;
    int seen = 0;

    (void)state;
    for (int i = 0; i < 500; i++)
        send_one(sender, to, "flood", 5);
    to.ip[15] = 2;
    send_one(sender, to, "word", 4);
    for (int i = 0; i < 3; i++) {
        datagram = receive_one(listener);
        seen += datagram.size == 4;
    }
    assert_int_equal(seen, 1);
    sender->ops->close(sender);
    listener->ops->close(listener);
}

static void test_port_zero_is_no_address(void **state)
{
    struct gossip_transport *sender = open_real("127.0.0.1:0");
    struct gossip_address nowhere = parse("127.0.0.1:1");

    (void)state;
    nowhere.port = 0;
    send_one(sender, nowhere, "x", 1);
    assert_int_equal(stats_of(sender).send_failed, 1);
    assert_int_equal(stats_of(sender).sent, 0);
    sender->ops->close(sender);
}

/* Nobody listens: the system answers with an ICMP message, and nothing comes of it. */
static void test_nobody_there(void **state)
{
    struct gossip_transport *gone = open_real("127.0.0.1:0");
    struct gossip_transport *node = open_real("127.0.0.1:0");
    struct gossip_address nobody = address_of(gone);
    struct gossip_datagram datagram;

    (void)state;
    gone->ops->close(gone);
    for (int i = 0; i < 10; i++) {
        send_one(node, nobody, "x", 1);
        assert_int_equal(node->ops->receive(node, &datagram, 1), 0);
    }
    assert_int_equal(stats_of(node).sent, 10);
    send_one(node, address_of(node), "self", 4);
    assert_int_equal(receive_one(node).size, 4);
    node->ops->close(node);
}

/* Far more than the buffer holds, in one burst. What is lost is counted. */
static void test_overrun_is_counted(void **state)
{
    enum { BURST = 100000, CALL = 500 };
    struct gossip_transport *receiver = open_real("127.0.0.1:0");
    struct gossip_transport *sender = open_real("127.0.0.1:0");
    static struct gossip_datagram datagrams[CALL];
    struct gossip_transport_stats sent;
    struct gossip_transport_stats received;
    int count;

    (void)state;
    for (int i = 0; i < CALL; i++)
        datagrams[i] = (struct gossip_datagram){address_of(receiver), (const uint8_t *)"burst", 5};
    for (int i = 0; i < BURST / CALL; i++)
        sender->ops->send(sender, datagrams, CALL);
    sent = stats_of(sender);
    assert_int_equal(sent.sent + sent.send_failed, BURST);
    assert_true(stats_of(receiver).overrun > 0); /* Also before anything was read. */
    do {
        count = receiver->ops->receive(receiver, datagrams, CALL);
        assert_true(count >= 0);
    } while (count > 0);
    received = stats_of(receiver);
    print_message("sent %llu, received %llu, overrun %llu\n", (unsigned long long)sent.sent,
                  (unsigned long long)received.received, (unsigned long long)received.overrun);
    assert_true(received.received > 0);
    assert_true(received.received + received.overrun <= sent.sent);

    /* And it hears again. */
    datagrams[0] = (struct gossip_datagram){address_of(receiver), (const uint8_t *)"after", 5};
    sender->ops->send(sender, datagrams, 1);
    assert_memory_equal(receive_one(receiver).data, "after", 5);
    sender->ops->close(sender);
    receiver->ops->close(receiver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed_is_invalid),
        cmocka_unit_test(test_explanation_is_cut),
        cmocka_unit_test(test_taken_port),
        cmocka_unit_test(test_address_of_another_machine),
        cmocka_unit_test(test_descriptors_are_ours_alone),
        cmocka_unit_test(test_too_many_open_files),
        cmocka_unit_test(test_both_families),
        cmocka_unit_test(test_resolver_failures),
        cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_listen_on_a_name),
        cmocka_unit_test(test_localhost),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_sockets_take_turns),
        cmocka_unit_test(test_port_zero_is_no_address),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_overrun_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
