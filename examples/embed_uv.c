/*
 * Two nodes on a loop of libuv: for each a handle that polls its descriptor and a timer for its
 * timeout; whichever fires, the node runs and the timer is set anew. Built outside this tree by
 *     cc embed_uv.c $(pkg-config --cflags --libs gossip libuv)
 */
#include "gossip/gossip.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

struct node {
    struct gossip_store *store;
    struct gossip_transport *transport;
    struct gossip_identity *identity;
    struct gossip *gossip;
    uv_poll_t poll;
    uv_timer_t timer;
};

static int check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "embed_uv: %s: %s\n", what, gossip_strerror(result));
        exit(EXIT_FAILURE);
    }
    return result;
}

static void check_uv(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "embed_uv: %s: %s\n", what, uv_strerror(result));
        exit(EXIT_FAILURE);
    }
}

static void on_time(uv_timer_t *timer);

/* After a call that gives the node something to do, such as gossip_publish(), it is called too. */
static void turn(struct node *node)
{
    struct gossip_event event;
    int timeout_ms;

    check(gossip_run(node->gossip), "run");
    while (check(gossip_event_pop(node->gossip, &event), "event") == 1) {
        printf("%s shows \"%.*s\"\n", gossip_identity_name(node->identity), (int)event.size,
               (const char *)event.data);
        if (event.dot.author != gossip_self(node->gossip))
            uv_stop(node->timer.loop); /* This is what was waited for. */
    }
    timeout_ms = gossip_timeout_ms(node->gossip);
    if (timeout_ms < 0)
        check_uv(uv_timer_stop(&node->timer), "timer");
    else
        check_uv(uv_timer_start(&node->timer, on_time, (uint64_t)timeout_ms, 0), "timer");
}

static void on_time(uv_timer_t *timer)
{
    turn(timer->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)events;
    check_uv(status, "poll");
    turn(poll->data);
}

static void start(struct node *node, uv_loop_t *loop, const struct gossip_cluster *cluster,
                  const char *name, const struct gossip_address *join)
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

    check_uv(uv_poll_init(loop, &node->poll, gossip_poll_fd(node->gossip)), "poll");
    check_uv(uv_timer_init(loop, &node->timer), "timer");
    node->poll.data = node->timer.data = node;
    check_uv(uv_poll_start(&node->poll, UV_READABLE, on_readable), "poll");
    turn(node);
}

/* The handle goes before the descriptor does. */
static void end(struct node *node)
{
    uv_close((uv_handle_t *)&node->poll, NULL);
    uv_close((uv_handle_t *)&node->timer, NULL);
    uv_run(node->timer.loop, UV_RUN_NOWAIT);
    gossip_destroy(node->gossip);
    gossip_identity_destroy(node->identity);
    node->transport->ops->close(node->transport);
    node->store->ops->close(node->store);
}

int main(void)
{
    uv_loop_t loop;
    struct gossip_cluster *cluster;
    struct gossip_address address;
    struct node a, b;
    uint64_t ticket;

    check_uv(uv_loop_init(&loop), "loop");
    check(gossip_cluster_create(gossip_system_time(), &cluster), "cluster");
    start(&a, &loop, cluster, "a", NULL);
    a.transport->ops->address(a.transport, &address);
    start(&b, &loop, cluster, "b", &address);

    check(gossip_publish(a.gossip, "hello", 5, &ticket), "publish");
    turn(&a);
    uv_run(&loop, UV_RUN_DEFAULT); /* Until b has it. */

    end(&a);
    end(&b);
    check_uv(uv_loop_close(&loop), "loop");
    gossip_cluster_destroy(cluster);
    return EXIT_SUCCESS;
}
