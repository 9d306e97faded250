/*
 * What the tests of the UDP transport share. Include it after cmocka.h.
 */
#ifndef TESTS_UDP_FIXTURE_H
#define TESTS_UDP_FIXTURE_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>

#include "gossip/gossip.h"
#include "transport/address.h"
#include "transport/udp.h"

enum {
    SHOWN_MAX = GOSSIP_DATAGRAM_MAX + 1,
    PATIENCE_MS = 20000, /* Only a broken transport makes us wait that long. */
};

static inline struct gossip_transport *open_on(const struct transport_system *system,
                                               const char *listen)
{
    struct gossip_transport *transport = NULL;
    char explanation[400] = "";
    int error = udp_open(system, listen, explanation, sizeof(explanation), &transport);

    if (error < 0)
        print_message("%s: %s\n", listen, explanation);
    assert_int_equal(error, GOSSIP_OK);
    return transport;
}

static inline struct gossip_transport *open_real(const char *listen)
{
    return open_on(&transport_system, listen);
}

static inline struct gossip_address address_of(struct gossip_transport *transport)
{
    struct gossip_address address;

    transport->ops->address(transport, &address);
    return address;
}

static inline struct gossip_transport_stats stats_of(struct gossip_transport *transport)
{
    struct gossip_transport_stats stats;

    transport->ops->stats(transport, &stats);
    return stats;
}

static inline struct gossip_address parse(const char *text)
{
    struct gossip_address address;

    assert_int_equal(address_from_text(text, &address), GOSSIP_OK);
    return address;
}

static inline void send_one(struct gossip_transport *transport, struct gossip_address to,
                            const void *data, size_t size)
{
    struct gossip_datagram datagram = {to, data, size};

    transport->ops->send(transport, &datagram, 1);
}

static inline bool is_readable(struct gossip_transport *transport, int timeout_ms)
{
    struct pollfd descriptor = {.fd = transport->ops->poll_fd(transport), .events = POLLIN};

    return poll(&descriptor, 1, timeout_ms) == 1;
}

/* Waits for one datagram, as an event loop does. */
static inline struct gossip_datagram receive_one(struct gossip_transport *transport)
{
    struct gossip_datagram datagram;
    int count = 0;

    while (count == 0) {
        assert_true(is_readable(transport, PATIENCE_MS));
        count = transport->ops->receive(transport, &datagram, 1);
    }
    assert_int_equal(count, 1);
    return datagram;
}

/* A resolver that answers from a table. */
static const char *const *resolver_answers; /* Addresses, ends with NULL. */
static int resolver_result;
static int resolver_held; /* Answers not yet given back. */

static inline int fake_look_up(const char *name, const char *service, const struct addrinfo *hints,
                               struct addrinfo **ret_answers)
{
    struct addrinfo **end = ret_answers;

    assert_non_null(name);
    assert_null(service);
    assert_int_equal(hints->ai_family, AF_UNSPEC);
    assert_int_equal(hints->ai_socktype, SOCK_DGRAM);
    if (resolver_result != 0) {
        errno = EIO; /* For EAI_SYSTEM. */
        return resolver_result;
    }
    for (size_t i = 0; resolver_answers[i] != NULL; i++) {
        struct gossip_address address = parse(resolver_answers[i]);
        union socket_address *socket_address = calloc(1, sizeof(*socket_address));
        struct addrinfo *answer = calloc(1, sizeof(*answer));

        answer->ai_addrlen = address_to_socket(&address, socket_address);
        answer->ai_addr = &socket_address->any;
        answer->ai_family = socket_address->any.sa_family;
        *end = answer;
        end = &answer->ai_next;
        resolver_held++;
    }
    return 0;
}

static inline void fake_free_answers(struct addrinfo *answers)
{
    while (answers != NULL) {
        struct addrinfo *next = answers->ai_next;

        free(answers->ai_addr);
        free(answers);
        answers = next;
        resolver_held--;
    }
}

static inline struct transport_system with_fake_resolver(int result, const char *const *answers)
{
    struct transport_system system = transport_system;

    system.look_up = fake_look_up;
    system.free_answers = fake_free_answers;
    resolver_result = result;
    resolver_answers = answers;
    return system;
}

#endif
