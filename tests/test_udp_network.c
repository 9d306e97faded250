#include "transport/udp.h"

#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/udp_fixture.h"

enum { CHILD_SKIPS = 77 };

/* In a child: cmocka's own assertions belong to the parent. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static void child_skips(const char *reason)
{
    fprintf(stderr, "skipped: %s\n", reason);
    _exit(CHILD_SKIPS);
}

static void run_child(void (*child)(void))
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        child();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_SKIPS)
        skip();
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void child_binds_reserved_port(void)
{
    struct gossip_transport *transport;
    char explanation[400] = "";

    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
        child_skips("root may take any port, and we cannot become somebody else");
    if (gossip_udp_open("127.0.0.1:1", explanation, sizeof(explanation), &transport) == GOSSIP_OK)
        child_skips("this system reserves no port");
    CHECK(gossip_udp_open("127.0.0.1:1", explanation, sizeof(explanation), &transport) ==
          GOSSIP_ERR_PERMISSION);
    CHECK(strstr(explanation, "127.0.0.1:1") != NULL);
    CHECK(strstr(explanation, "1024") != NULL);
}

static void test_reserved_port(void **state)
{
    (void)state;
    run_child(child_binds_reserved_port);
}

/* Makes us root, of nothing but our own namespace. */
static void become_root_inside(uid_t user)
{
    FILE *map = fopen("/proc/self/uid_map", "we");

    if (map == NULL || fprintf(map, "0 %u 1\n", (unsigned)user) < 0 || fclose(map) != 0)
        child_skips("this system does not let us map our user");
}

/* A network that has a loopback, which is down, and nothing else. */
static void enter_empty_network(void)
{
    uid_t user = geteuid();

    if (user == 0 && unshare(CLONE_NEWNET) == 0)
        return;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        child_skips("this system does not let us make a network namespace");
    become_root_inside(user);
}

static void set_loopback(short flags, int mtu)
{
    struct ifreq request = {.ifr_name = "lo"};
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    CHECK(descriptor >= 0);
    request.ifr_mtu = mtu;
    CHECK(ioctl(descriptor, SIOCSIFMTU, &request) == 0);
    request.ifr_flags = flags;
    CHECK(ioctl(descriptor, SIOCSIFFLAGS, &request) == 0);
    close(descriptor);
}

/* Sends itself 1,200 bytes, and hears whether it arrived. */
static bool hears_itself(struct gossip_transport *transport)
{
    static const uint8_t data[GOSSIP_DATAGRAM_MAX] = {1, 2, 3};
    struct gossip_datagram datagram = {parse("127.0.0.1:1"), data, sizeof(data)};
    struct gossip_transport_stats before = stats_of(transport);
    int count;

    datagram.address.port = address_of(transport).port;
    transport->ops->send(transport, &datagram, 1);
    if (stats_of(transport).sent == before.sent) {
        CHECK(stats_of(transport).send_failed == before.send_failed + 1);
        CHECK(transport->ops->receive(transport, &datagram, 1) == 0);
        return false;
    }
    do {
        CHECK(is_readable(transport, PATIENCE_MS));
        count = transport->ops->receive(transport, &datagram, 1);
    } while (count == 0);
    CHECK(count == 1);
    CHECK(datagram.size == sizeof(data) && memcmp(datagram.data, data, sizeof(data)) == 0);
    return true;
}

static struct gossip_transport *open_in_child(const char *listen)
{
    struct gossip_transport *transport;

    CHECK(gossip_udp_open(listen, NULL, 0, &transport) == GOSSIP_OK);
    return transport;
}

/* The network goes away under us and comes back (ENETUNREACH). An MTU of 600. */
static void child_loses_network(void)
{
    struct gossip_transport *transport;
    struct gossip_datagram elsewhere = {parse("203.0.113.1:7001"), (const uint8_t *)"x", 1};
    struct gossip_datagram to_itself = {parse("127.0.0.1:1"), (const uint8_t *)"x", 1};
    struct gossip_datagram datagram;
    struct gossip_transport_stats stats;

    enter_empty_network();
    transport = open_in_child("0.0.0.0:0");
    CHECK(!hears_itself(transport));
    set_loopback(IFF_UP | IFF_RUNNING, 1500);
    CHECK(hears_itself(transport));
    set_loopback(IFF_UP | IFF_RUNNING, 600);
    CHECK(hears_itself(transport)); /* In fragments. */
    set_loopback(0, 1500); /* Now the system takes what it cannot carry, and says nothing. */
    to_itself.address.port = address_of(transport).port;
    transport->ops->send(transport, &to_itself, 1);
    CHECK(transport->ops->receive(transport, &datagram, 1) == 0);
    set_loopback(IFF_UP | IFF_RUNNING, 1500);
    CHECK(hears_itself(transport));
    transport->ops->send(transport, &elsewhere, 1);
    stats = stats_of(transport);
    CHECK(stats.send_failed >= 2 && stats.sent + stats.send_failed == 6);
    CHECK(stats.received == 3 && stats.receive_failed == 0);
    transport->ops->close(transport);
}

static void test_network_goes_and_comes(void **state)
{
    (void)state;
    run_child(child_loses_network);
}

/* Gives the loopback a second address. */
static void add_address(const char *alias, const char *text)
{
    struct gossip_address address = parse(text);
    union socket_address socket_address;
    struct ifreq request = {0};
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    CHECK(descriptor >= 0);
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", alias);
    (void)address_to_socket(&address, &socket_address);
    request.ifr_addr = socket_address.any;
    CHECK(ioctl(descriptor, SIOCSIFADDR, &request) == 0);
    close(descriptor);
}

/* 100.64.0.1 has more leading bits in common with 127.0.0.1 than with 192.168.0.1, and yet nobody
 * out there could answer 127.0.0.1. */
static void child_has_two_addresses(void)
{
    static const char *const answers[] = {"127.0.0.1:1", "192.168.0.1:1", NULL};
    struct transport_system system = with_fake_resolver(0, answers);
    struct gossip_address inside = parse("127.0.0.1:1");
    struct gossip_address outside = parse("192.168.0.1:1");
    struct gossip_transport *node;
    struct gossip_transport *peer;

    enter_empty_network();
    set_loopback(IFF_UP | IFF_RUNNING, 1500);
    add_address("lo:1", "192.168.0.1:1");
    add_address("lo:2", "100.64.0.1:1");
    node = open_on(&system, "some.name:0");
    peer = open_in_child("100.64.0.1:0");
    send_one(node, address_of(peer), "x", 1);
    CHECK(memcmp(receive_one(peer).address.ip, outside.ip, sizeof(outside.ip)) == 0);
    peer->ops->close(peer);
    peer = open_in_child("127.0.0.2:0");
    send_one(node, address_of(peer), "x", 1);
    CHECK(memcmp(receive_one(peer).address.ip, inside.ip, sizeof(inside.ip)) == 0);
    peer->ops->close(peer);
    node->ops->close(node);
}

static void test_sends_from_the_nearest_address(void **state)
{
    (void)state;
    run_child(child_has_two_addresses);
}

/* The system has two ports to give, and one is taken in one family only: it chooses until it has
 * the other. */
static void child_has_two_ports(void)
{
    struct gossip_transport *taken;
    struct gossip_transport *everywhere;

    enter_empty_network();
    set_loopback(IFF_UP | IFF_RUNNING, 1500);
    if (system("echo 40000 40001 2>/dev/null >/proc/sys/net/ipv4/ip_local_port_range") != 0)
        child_skips("we may not change which ports the system gives");
    taken = open_in_child("127.0.0.1:40000");
    for (int i = 0; i < 20; i++) {
        everywhere = open_in_child(":0");
        CHECK(address_of(everywhere).port == 40001);
        everywhere->ops->close(everywhere);
    }
    taken->ops->close(taken);
}

static void test_one_port_for_both_families(void **state)
{
    (void)state;
    run_child(child_has_two_ports);
}

static bool run_nft(const char *rules)
{
    char command[300];

    snprintf(command, sizeof(command),
             "PATH=$PATH:/usr/sbin:/sbin; command -v nft >/dev/null && nft '%s' 2>/dev/null",
             rules);
    return system(command) == 0;
}

/* A firewall on our side drops what we send (EPERM). */
static void child_meets_firewall(void)
{
    struct gossip_transport *transport;

    enter_empty_network();
    set_loopback(IFF_UP | IFF_RUNNING, 1500);
    transport = open_in_child("127.0.0.1:0");
    CHECK(hears_itself(transport));
    if (!run_nft("add table inet wall; add chain inet wall out { type filter hook output priority "
                 "0; policy drop; }"))
        child_skips("there is no nft, or it may not set up a firewall");
    CHECK(!hears_itself(transport));
    CHECK(run_nft("delete table inet wall"));
    CHECK(hears_itself(transport));
    transport->ops->close(transport);
}

static void test_firewall(void **state)
{
    (void)state;
    run_child(child_meets_firewall);
}

/* Without IPv6 in the kernel's opinion, ":PORT" is IPv4 alone. */
static void child_has_no_ipv6(void)
{
    struct gossip_transport *transport;
    struct gossip_datagram datagram = {parse("[::1]:7001"), (const uint8_t *)"x", 1};
    char explanation[400] = "";

    enter_empty_network();
    set_loopback(IFF_UP | IFF_RUNNING, 1500);
    if (system("echo 1 2>/dev/null >/proc/sys/net/ipv6/conf/all/disable_ipv6") != 0)
        child_skips("we may not turn off IPv6");
    CHECK(gossip_udp_open("[::1]:0", explanation, sizeof(explanation), &transport) ==
          GOSSIP_ERR_NOT_FOUND);
    transport = open_in_child(":0");
    CHECK(hears_itself(transport));
    transport->ops->send(transport, &datagram, 1);
    CHECK(stats_of(transport).send_failed == 1);
    transport->ops->close(transport);
}

static void test_machine_without_ipv6(void **state)
{
    (void)state;
    run_child(child_has_no_ipv6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reserved_port),
        cmocka_unit_test(test_network_goes_and_comes),
        cmocka_unit_test(test_sends_from_the_nearest_address),
        cmocka_unit_test(test_one_port_for_both_families),
        cmocka_unit_test(test_firewall),
        cmocka_unit_test(test_machine_without_ipv6),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
