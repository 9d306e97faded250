#include "transport/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/udp_fixture.h"

enum { SCRIPT_MAX = 80 };

/* What each next call does: minus an errno, a count, or 0 for what the system does. */
static struct script {
    int steps[SCRIPT_MAX];
    int calls;
    int for_ever; /* After the steps; 0 is what the system does. */
} sending, receiving;

static int next_step(struct script *script)
{
    int step = script->calls < SCRIPT_MAX ? script->steps[script->calls] : 0;

    script->calls++;
    return step != 0 ? step : script->for_ever;
}

enum {
    ANSWER_ZERO = 1000, /* The call brings 0. */
    ANSWER_PART = 1001, /* All but the last byte of the first. */
};

static int scripted_send(int socket, struct mmsghdr *messages, unsigned int count, int flags)
{
    int step = next_step(&sending);

    assert_true((flags & MSG_DONTWAIT) != 0);
    assert_in_range(count, 1, 64);
    if (step < 0) {
        errno = -step;
        return -1;
    }
    if (step == ANSWER_ZERO)
        return 0;
    if (step == ANSWER_PART) {
        messages[0].msg_len = (unsigned int)messages[0].msg_hdr.msg_iov[0].iov_len - 1;
        return 1;
    }
    if (step > 0 && (unsigned int)step < count)
        count = (unsigned int)step; /* As when the system refuses the one after. */
    return sendmmsg(socket, messages, count, flags);
}

/* What scripted_receive() puts into a datagram that it makes up. */
static uint32_t made_up_dropped;
static uint16_t made_up_port;

enum { ANSWER_MADE_UP = 1002, ANSWER_UNKNOWN_FAMILY = 1003 };

static int make_up(struct mmsghdr *message, int step)
{
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(made_up_port)};
    struct cmsghdr *control = message->msg_hdr.msg_control;

    if (step == ANSWER_UNKNOWN_FAMILY)
        from.sin_family = AF_UNIX;
    memcpy(message->msg_hdr.msg_name, &from, sizeof(from));
    message->msg_hdr.msg_namelen = sizeof(from);
    message->msg_len = 1;
    memset(message->msg_hdr.msg_iov[0].iov_base, 'm', 1);
    message->msg_hdr.msg_controllen = CMSG_SPACE(sizeof(made_up_dropped));
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SO_RXQ_OVFL;
    control->cmsg_len = CMSG_LEN(sizeof(made_up_dropped));
    memcpy(CMSG_DATA(control), &made_up_dropped, sizeof(made_up_dropped));
    return 1;
}

static int scripted_receive(int socket, struct mmsghdr *messages, unsigned int count, int flags)
{
    int step = next_step(&receiving);

    assert_true((flags & MSG_DONTWAIT) != 0);
    assert_in_range(count, 1, 64);
    if (step < 0) {
        errno = -step;
        return -1;
    }
    if (step == ANSWER_ZERO)
        return 0;
    if (step == ANSWER_MADE_UP || step == ANSWER_UNKNOWN_FAMILY)
        return make_up(messages, step);
    return recvmmsg(socket, messages, count, flags, NULL);
}

static struct transport_system scripted_system(void)
{
    struct transport_system system = transport_system;

    system.send = scripted_send;
    system.receive = scripted_receive;
    sending = (struct script){.calls = 0};
    receiving = (struct script){.calls = 0};
    return system;
}

static const int transient[] = {EPERM,        ENETUNREACH, EHOSTUNREACH, ENOBUFS, ENOMEM,  EAGAIN,
                                ECONNREFUSED, EMSGSIZE,    EACCES,       EINVAL,  ENETDOWN};

/* One datagram of a batch is refused, whichever it is and why ever; the others arrive. */
static void test_refused_datagrams(void **state)
{
    enum { COUNT = 70 }; /* More than one batch. */
    struct transport_system system = scripted_system();
    struct gossip_transport *sender = open_on(&system, "127.0.0.1:0");
    struct gossip_transport *receiver = open_real("127.0.0.1:0");
    static struct gossip_datagram datagrams[COUNT];
    static uint8_t numbers[COUNT];
    uint64_t failed = 0;
    uint64_t sent = 0;

    (void)state;
    for (uint8_t i = 0; i < COUNT; i++) {
        numbers[i] = i;
        datagrams[i] = (struct gossip_datagram){address_of(receiver), &numbers[i], 1};
    }
    for (size_t i = 0; i < sizeof(transient) / sizeof(transient[0]); i++) {
        static const int refused[] = {0, 1, 31, 63};

        for (size_t j = 0; j < sizeof(refused) / sizeof(refused[0]); j++) {
            int step = 0;

            sending = (struct script){.calls = 0};
            if (refused[j] > 0)
                sending.steps[step++] = refused[j];
            sending.steps[step++] = -transient[i];
            sender->ops->send(sender, datagrams, COUNT);
            assert_true(sending.calls <= 4);
            failed++;
            sent += COUNT - 1;
            assert_int_equal(stats_of(sender).send_failed, failed);
            assert_int_equal(stats_of(sender).sent, sent);
            assert_int_equal(stats_of(sender).sent_bytes, sent);
            for (uint8_t expected = 0; expected < COUNT; expected++)
                if (expected != refused[j])
                    assert_int_equal(*receive_one(receiver).data, expected);
        }
    }
    receiver->ops->close(receiver);
    sender->ops->close(sender);
}

/* Every call fails: as many calls as datagrams and a few, then it is the caller's turn again. */
static void test_everything_refused(void **state)
{
    enum { COUNT = 200 };
    static const int failures[] = {-EPERM, -ENETUNREACH, -ENOBUFS,    -EAGAIN,
                                   -EINTR, -EBADF,       ANSWER_ZERO, ANSWER_PART};
    struct transport_system system = scripted_system();
    struct gossip_transport *sender = open_on(&system, "127.0.0.1:0");
    static struct gossip_datagram datagrams[COUNT];

    (void)state;
    for (int i = 0; i < COUNT; i++)
        datagrams[i] = (struct gossip_datagram){address_of(sender), (const uint8_t *)"xy", 2};
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        sending = (struct script){.for_ever = failures[i]};
        sender->ops->send(sender, datagrams, COUNT);
        assert_in_range(sending.calls, COUNT, COUNT + 40);
        assert_int_equal(stats_of(sender).send_failed, COUNT * (i + 1));
        assert_int_equal(stats_of(sender).sent, 0);
    }
    sending = (struct script){.calls = 0};
    sender->ops->send(sender, datagrams, COUNT);
    assert_int_equal(stats_of(sender).sent, COUNT);
    sender->ops->close(sender);
}

static void test_interrupted_send_goes_on(void **state)
{
    struct transport_system system = scripted_system();
    struct gossip_transport *sender = open_on(&system, "127.0.0.1:0");

    (void)state;
    sending = (struct script){.steps = {-EINTR, -EINTR, -EINTR}};
    send_one(sender, address_of(sender), "x", 1);
    assert_int_equal(sending.calls, 4);
    assert_int_equal(stats_of(sender).sent, 1);
    assert_int_equal(stats_of(sender).send_failed, 0);
    sender->ops->close(sender);
}

/* A few failures in a row cost nothing but their count: the datagram comes with the same call. */
static void test_failed_reads_are_repeated(void **state)
{
    static const int failures[] = {-ECONNREFUSED, -EHOSTUNREACH, -ENETUNREACH, -EINTR,
                                   -ENOBUFS,      -ENOMEM,       -EPERM,       -ENETDOWN,
                                   -EMSGSIZE,     ANSWER_ZERO};
    struct transport_system system = scripted_system();
    struct gossip_transport *node = open_on(&system, "127.0.0.1:0");

    (void)state;
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        struct gossip_datagram datagram;

        send_one(node, address_of(node), "x", 1);
        assert_true(is_readable(node, PATIENCE_MS));
        receiving = (struct script){.steps = {failures[i], failures[i], failures[i]}};
        assert_int_equal(node->ops->receive(node, &datagram, 1), 1);
        assert_int_equal(receiving.calls, 4);
        assert_int_equal(stats_of(node).receive_failed, 3 * (i + 1));
        assert_int_equal(stats_of(node).received, i + 1);
    }
    receiving = (struct script){.steps = {-EAGAIN}};
    assert_int_equal(node->ops->receive(node, &(struct gossip_datagram){.size = 0}, 1), 0);
    assert_int_equal(stats_of(node).receive_failed, 30);
    node->ops->close(node);
}

/* Reads fail and fail while a datagram waits: whoever polls sleeps in between, and once the trouble
 * is over, the datagram is there. */
static void test_failing_socket_rests(void **state)
{
    enum { ROUNDS = 20 }; /* We would have to be suspended at the wrong moment in each. */
    struct transport_system system = scripted_system();
    struct gossip_transport *node = open_on(&system, "127.0.0.1:0");
    struct gossip_datagram datagram;
    bool slept = false;
    uint64_t failed = 0;

    (void)state;
    send_one(node, address_of(node), "x", 1);
    for (int round = 0; round < ROUNDS && !slept; round++) {
        assert_true(is_readable(node, PATIENCE_MS));
        receiving = (struct script){.for_ever = -ENOMEM};
        assert_int_equal(node->ops->receive(node, &datagram, 1), 0);
        assert_int_equal(receiving.calls, 8);
        failed += 8;
        assert_int_equal(stats_of(node).receive_failed, failed);
        slept = !is_readable(node, 0);
    }
    assert_true(slept);
    receiving = (struct script){.calls = 0};
    assert_int_equal(receive_one(node).size, 1);
    assert_int_equal(stats_of(node).received, 1);
    assert_false(is_readable(node, 0));
    send_one(node, address_of(node), "again", 5);
    assert_int_equal(receive_one(node).size, 5);
    node->ops->close(node);
}

static void test_final_errors_end_it(void **state)
{
    static const int final[] = {EBADF, ENOTSOCK, EFAULT, EINVAL, EOPNOTSUPP, ENOSYS};
    struct transport_system system = scripted_system();
    struct gossip_transport *node = open_on(&system, "127.0.0.1:0");
    struct gossip_datagram datagram;

    (void)state;
    for (size_t i = 0; i < sizeof(final) / sizeof(final[0]); i++) {
        receiving = (struct script){.for_ever = -final[i]};
        assert_int_equal(node->ops->receive(node, &datagram, 1), GOSSIP_ERR_IO);
        assert_int_equal(receiving.calls, 1);
    }
    node->ops->close(node);
}

/* The kernel's count goes up only, but comes late and wraps. The true count of our socket is 0, and
 * asking for it at the end changes nothing as long as 0 is behind us. */
static void test_dropped_counts(void **state)
{
    enum { COUNTS_MAX = 9 };
    static const struct {
        uint32_t shown[COUNTS_MAX];
        size_t count;
        uint64_t overrun;
    } cases[] = {
        {{0}, 1, 0},
        {{5, 5}, 2, 5},
        {{5, 3}, 2, 5}, /* The second came before the first. */
        {{5, 3, 7}, 3, 7},
        {{UINT32_C(0x70000000), UINT32_C(0x7fffffff)}, 2, UINT32_C(0x7fffffff)},
        {{UINT32_C(0x70000000), UINT32_C(0xe0000000), 4, UINT32_C(0xffffffff), 9},
         5,
         UINT64_C(0x100000009)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct transport_system system = scripted_system();
        struct gossip_transport *node = open_on(&system, "127.0.0.1:0");

        made_up_port = 7001;
        receiving = (struct script){.for_ever = ANSWER_MADE_UP};
        for (size_t j = 0; j < cases[i].count; j++) {
            struct gossip_datagram datagram;

            made_up_dropped = cases[i].shown[j];
            assert_int_equal(node->ops->receive(node, &datagram, 1), 1);
            assert_int_equal(datagram.address.port, 7001);
        }
        assert_true(stats_of(node).overrun == cases[i].overrun);
        node->ops->close(node);
    }
}

/* Whom nobody could answer is not shown, and does not make the socket rest. */
static void test_impossible_senders(void **state)
{
    struct transport_system system = scripted_system();
    struct gossip_transport *node = open_on(&system, "127.0.0.1:0");
    struct gossip_datagram datagram;

    (void)state;
    made_up_dropped = 0;
    made_up_port = 0;
    send_one(node, address_of(node), "x", 1);
    assert_true(is_readable(node, PATIENCE_MS));
    receiving = (struct script){.for_ever = ANSWER_MADE_UP};
    assert_int_equal(node->ops->receive(node, &datagram, 1), 0);
    assert_int_equal(receiving.calls, 8);
    assert_int_equal(stats_of(node).receive_failed, 8);
    receiving = (struct script){.steps = {ANSWER_MADE_UP, ANSWER_UNKNOWN_FAMILY}};
    assert_int_equal(node->ops->receive(node, &datagram, 1), 1); /* At once: it did not rest. */
    assert_int_equal(stats_of(node).receive_failed, 10);
    assert_int_equal(stats_of(node).received, 1);
    node->ops->close(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_datagrams),
        cmocka_unit_test(test_everything_refused),
        cmocka_unit_test(test_interrupted_send_goes_on),
        cmocka_unit_test(test_failed_reads_are_repeated),
        cmocka_unit_test(test_failing_socket_rests),
        cmocka_unit_test(test_final_errors_end_it),
        cmocka_unit_test(test_dropped_counts),
        cmocka_unit_test(test_impossible_senders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
