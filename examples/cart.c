/*
 * Two carts. A and B, not yet connected, each put something in; then they connect, and both show
 * both. What they tell each other after that changes nothing at either.
 *
 * Built outside this tree by
 *     cc cart.c $(pkg-config --cflags --libs gossip)
 */
#include "gossip/gossip.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cart {
    const char *name;
    struct gossip_store *store;
    struct gossip_identity *identity;
    struct gossip_transport *transport; /* NULL while it is not connected. */
    struct gossip *gossip;
};

static int check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "cart: %s: %s\n", what, gossip_strerror(result));
        exit(EXIT_FAILURE);
    }
    return result;
}

static void expect(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "cart: not so: %s\n", what);
        exit(EXIT_FAILURE);
    }
}

/* Starts a node on what its store holds. */
static void start(struct cart *cart, const struct gossip_address *join)
{
    struct gossip_options options = {.size = sizeof(options),
                                     .store = cart->store,
                                     .transport = cart->transport,
                                     .time = gossip_system_time(),
                                     .identity = cart->identity,
                                     .joins = join,
                                     .join_count = join != NULL,
                                     .period_ms = 50};

    check(gossip_create(&options, &cart->gossip), "node");
}

static void make(struct cart *cart, const char *name, const struct gossip_cluster *cluster)
{
    *cart = (struct cart){.name = name};
    check(gossip_memory_open(&cart->store), "store");
    check(gossip_identity_create(cluster, name, 0, gossip_system_time(), &cart->identity),
          "identity");
    start(cart, NULL);
}

static void connect_to(struct cart *cart, const struct cart *other)
{
    struct gossip_address address;

    gossip_destroy(cart->gossip);
    check(gossip_udp_open("127.0.0.1:0", NULL, 0, &cart->transport), "UDP");
    if (other != NULL)
        other->transport->ops->address(other->transport, &address);
    start(cart, other == NULL ? NULL : &address);
}

static void end(struct cart *cart)
{
    gossip_destroy(cart->gossip);
    cart->transport->ops->close(cart->transport);
    gossip_identity_destroy(cart->identity);
    cart->store->ops->close(cart->store);
}

static void put(struct cart *cart, const char *text)
{
    struct gossip_result result;
    uint64_t ticket;

    check(gossip_publish(cart->gossip, text, strlen(text), &ticket), "publish");
    check(gossip_run(cart->gossip), "run");
    expect(gossip_result_pop(cart->gossip, &result) == 1, "what is published has a result");
    check(result.error, "publish");
}

static void turn(struct cart *a, struct cart *b)
{
    struct pollfd fds[] = {{.fd = gossip_poll_fd(a->gossip), .events = POLLIN},
                           {.fd = gossip_poll_fd(b->gossip), .events = POLLIN}};
    unsigned a_ms = (unsigned)gossip_timeout_ms(a->gossip); /* -1, for ever, is the longest. */
    unsigned b_ms = (unsigned)gossip_timeout_ms(b->gossip);

    (void)poll(fds, 2, (int)(a_ms < b_ms ? a_ms : b_ms)); /* Interrupted: the next turn waits. */
    check(gossip_run(a->gossip), "run");
    check(gossip_run(b->gossip), "run");
}

static bool has_clock(const struct cart *cart, const char *expected)
{
    char *text;
    bool is_equal;

    check(
        gossip_vclock_to_text(gossip_clock(cart->gossip), gossip_author_name, cart->gossip, &text),
        "clock");
    is_equal = strcmp(text, expected) == 0;
    free(text);
    return is_equal;
}

/* Both see what both have put in, and that neither knew of the other. Which is shown first depends
 * on when they were put in, and is the same at both: tells whether it is the book. */
static bool show(struct cart *cart)
{
    struct gossip_dot dots[2];
    bool is_book[2];
    enum gossip_relation relation;
    struct gossip_log *log;
    struct gossip_event event;
    size_t count = 0;

    check(gossip_log_open(cart->gossip, GOSSIP_LOG_EVENTS, &log), "log");
    while (check(gossip_log_next(log, &event), "log") == 1) {
        printf("%s shows: %.*s\n", cart->name, (int)event.size, (const char *)event.data);
        expect(count < 2, "there is no more");
        is_book[count] = event.size == 8 && memcmp(event.data, "add Book", 8) == 0;
        expect(is_book[count] || (event.size == 7 && memcmp(event.data, "add Pen", 7) == 0),
               "it is the book or the pen");
        dots[count++] = event.dot;
    }
    gossip_log_close(log);
    expect(count == 2 && is_book[0] != is_book[1], "both are there, once");
    check(gossip_relation(cart->gossip, dots[0], dots[1], &relation), "relation");
    expect(relation == GOSSIP_CONCURRENT, "they are concurrent");
    return is_book[0];
}

/* Both go on telling each other what they have, which is the same. */
static void exchange_again(struct cart *a, struct cart *b)
{
    struct gossip_stats a_before, b_before, a_after, b_after;

    gossip_stats(a->gossip, &a_before);
    gossip_stats(b->gossip, &b_before);
    do {
        turn(a, b);
        gossip_stats(a->gossip, &a_after);
        gossip_stats(b->gossip, &b_after);
    } while (a_after.in_step == a_before.in_step || b_after.in_step == b_before.in_step);
    expect(a_after.commits == a_before.commits && b_after.commits == b_before.commits,
           "nothing is saved");
    expect(a_after.pulls == a_before.pulls && b_after.pulls == b_before.pulls,
           "nothing is asked for");
}

/* Whether both have found, in an exchange of their own, that there is nothing left to tell. */
static bool are_in_step(const struct cart *a, const struct cart *b)
{
    struct gossip_peer a_peer, b_peer;

    return gossip_peer(a->gossip, 0, &a_peer) == GOSSIP_OK && a_peer.in_step &&
           gossip_peer(b->gossip, 0, &b_peer) == GOSSIP_OK && b_peer.in_step;
}

int main(void)
{
    struct gossip_cluster *cluster;
    struct cart a, b;

    check(gossip_cluster_create(gossip_system_time(), &cluster), "cluster");
    make(&a, "A", cluster);
    make(&b, "B", cluster);
    put(&a, "add Book");
    put(&b, "add Pen");
    expect(has_clock(&a, "{A:1}") && has_clock(&b, "{B:1}"), "neither knows of the other");

    connect_to(&a, NULL);
    connect_to(&b, &a);
    while (!has_clock(&a, "{A:1 B:1}") || !has_clock(&b, "{A:1 B:1}") || !are_in_step(&a, &b))
        turn(&a, &b);
    expect(show(&a) == show(&b), "both show the same order");
    exchange_again(&a, &b);
    expect(has_clock(&a, "{A:1 B:1}") && has_clock(&b, "{A:1 B:1}"), "no clock has moved");
    printf("exchanged again: nothing has changed\n");

    end(&b);
    end(&a);
    gossip_cluster_destroy(cluster);
    return EXIT_SUCCESS;
}
