/*
 * Two nodes in one process, each with a memory store and a UDP socket on loopback. One publishes,
 * the other waits for it, and both print their clocks. Build it outside this tree with
 *     cc embed.c $(pkg-config --cflags --libs gossip)
 */
#include "gossip/gossip.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES = 2, WRITER = 0, READER = 1, DEADLINE_MS = 20000 };

struct node {
    struct gossip_store *store;
    struct gossip_transport *transport;
    struct gossip_identity *identity;
    struct gossip *gossip;
};

static void check(int error, const char *what)
{
    if (error < 0) {
        fprintf(stderr, "embed: %s: %s\n", what, gossip_strerror(error));
        exit(EXIT_FAILURE);
    }
}

static void start(struct node *node, const struct gossip_cluster *cluster, const char *name,
                  const struct gossip_address *joins, size_t join_count)
{
    struct gossip_options options = {.size = sizeof(options), .period_ms = 100};

    check(gossip_memory_open(&node->store), "memory store");
    check(gossip_udp_open("127.0.0.1:0", NULL, 0, &node->transport), "UDP on loopback");
    check(gossip_identity_create(cluster, name, 0, gossip_system_time(), &node->identity), name);
    options.store = node->store;
    options.transport = node->transport;
    options.time = gossip_system_time();
    options.identity = node->identity;
    options.joins = joins;
    options.join_count = join_count;
    check(gossip_create(&options, &node->gossip), name);
}

/* Waits until a node has something to do, or for the shortest of what they ask, and lets each do
 * it: this is all that a program's own loop has to do. */
static void turn(struct node nodes[NODES])
{
    struct pollfd fds[NODES];
    int timeout_ms = -1;

    for (size_t i = 0; i < NODES; i++) {
        int wish_ms = gossip_timeout_ms(nodes[i].gossip);

        fds[i] = (struct pollfd){.fd = gossip_poll_fd(nodes[i].gossip), .events = POLLIN};
        if (wish_ms >= 0 && (timeout_ms < 0 || wish_ms < timeout_ms))
            timeout_ms = wish_ms;
    }
    (void)poll(fds, NODES, timeout_ms); /* If interrupted, the next turn waits again. */
    for (size_t i = 0; i < NODES; i++)
        check(gossip_run(nodes[i].gossip), "run");
}

static void print_clock(const struct node *node)
{
    char *text;

    check(
        gossip_vclock_to_text(gossip_clock(node->gossip), gossip_author_name, node->gossip, &text),
        "clock");
    printf("%s %s\n", gossip_identity_name(node->identity), text);
    free(text);
}

int main(void)
{
    static const char hello[] = "hello from a";
    struct node nodes[NODES] = {{0}};
    struct gossip_cluster *cluster;
    struct gossip_address address;
    struct gossip_event event;
    struct gossip_time *time = gossip_system_time();
    uint64_t deadline_ms = time->ops->monotonic_ms(time) + DEADLINE_MS;
    uint64_t ticket;
    int popped;

    check(gossip_cluster_create(time, &cluster), "cluster");
    start(&nodes[WRITER], cluster, "a", NULL, 0);
    nodes[WRITER].transport->ops->address(nodes[WRITER].transport, &address);
    start(&nodes[READER], cluster, "b", &address, 1);

    check(gossip_publish(nodes[WRITER].gossip, hello, strlen(hello), &ticket), "publish");
    while ((popped = gossip_event_pop(nodes[READER].gossip, &event)) == 0) {
        if (time->ops->monotonic_ms(time) > deadline_ms)
            check(GOSSIP_ERR_NOT_FOUND, "nothing was delivered in time");
        turn(nodes);
    }
    check(popped, "event");
    printf("b has received \"%.*s\"\n", (int)event.size, (const char *)event.data);
    for (size_t i = 0; i < NODES; i++)
        print_clock(&nodes[i]);

    for (size_t i = 0; i < NODES; i++) {
        gossip_destroy(nodes[i].gossip);
        gossip_identity_destroy(nodes[i].identity);
        nodes[i].transport->ops->close(nodes[i].transport);
        nodes[i].store->ops->close(nodes[i].store);
    }
    gossip_cluster_destroy(cluster);
    return EXIT_SUCCESS;
}
