/*
 * Two nodes in one process, each over a store in memory and a UDP socket on loopback. One
 * publishes; the other shows the event with its clock. Built outside this tree by
 *     cc embed.c $(pkg-config --cflags --libs gossip)
 */
#include "gossip/gossip.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

struct node {
    struct gossip_store *store;
    struct gossip_transport *transport;
    struct gossip_identity *identity;
    struct gossip *gossip;
};

static int check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "embed: %s: %s\n", what, gossip_strerror(result));
        exit(EXIT_FAILURE);
    }
    return result;
}

static void start(struct node *node, const struct gossip_cluster *cluster, const char *name,
                  const struct gossip_address *join)
{
    struct gossip_options options = {.size = sizeof(options), .time = gossip_system_time()};

    check(gossip_memory_open(&node->store), "store");
    check(gossip_udp_open("127.0.0.1:0", NULL, 0, &node->transport), "UDP");
    check(gossip_identity_create(cluster, name, 0, options.time, &node->identity), "identity");
    options.store = node->store;
    options.transport = node->transport;
    options.identity = node->identity;
    options.joins = join;
    options.join_count = join != NULL;
    check(gossip_create(&options, &node->gossip), "node");
}

static void end(struct node *node)
{
    gossip_destroy(node->gossip);
    gossip_identity_destroy(node->identity);
    node->transport->ops->close(node->transport);
    node->store->ops->close(node->store);
}

/* All that a loop has to do: wait for either node, for no longer than either asks, and run both. */
static void turn(const struct node *a, const struct node *b)
{
    struct pollfd fds[] = {{.fd = gossip_poll_fd(a->gossip), .events = POLLIN},
                           {.fd = gossip_poll_fd(b->gossip), .events = POLLIN}};
    unsigned a_ms = (unsigned)gossip_timeout_ms(a->gossip); /* -1, for ever, is the longest. */
    unsigned b_ms = (unsigned)gossip_timeout_ms(b->gossip);

    (void)poll(fds, 2, (int)(a_ms < b_ms ? a_ms : b_ms)); /* Interrupted: the next turn waits. */
    check(gossip_run(a->gossip), "run");
    check(gossip_run(b->gossip), "run");
}

int main(void)
{
    struct gossip_cluster *cluster;
    struct gossip_address address;
    struct gossip_event event;
    struct node a, b;
    uint64_t ticket;
    char *clock;

    check(gossip_cluster_create(gossip_system_time(), &cluster), "cluster");
    start(&a, cluster, "a", NULL);
    a.transport->ops->address(a.transport, &address);
    start(&b, cluster, "b", &address);

    check(gossip_publish(a.gossip, "hello", 5, &ticket), "publish");
    while (check(gossip_event_pop(b.gossip, &event), "event") == 0)
        turn(&a, &b);
    check(gossip_vclock_to_text(event.clock, gossip_author_name, b.gossip, &clock), "clock");
    printf("b has received \"%.*s\" with the clock %s\n", (int)event.size, (const char *)event.data,
           clock);

    free(clock);
    end(&b);
    end(&a);
    gossip_cluster_destroy(cluster);
    return EXIT_SUCCESS;
}
