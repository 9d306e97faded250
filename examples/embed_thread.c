/*
 * A node whose loop runs in a thread of its own, and two other threads that publish by way of a
 * mailbox: each posts, goes on, and later asks what became of it. Built outside this tree by
 *     cc -pthread embed_thread.c $(pkg-config --cflags --libs gossip)
 */
#include "gossip/mailbox.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS = 2, EVENTS = 3 };

struct service {
    struct gossip *gossip; /* Belongs to the loop's thread. */
    struct gossip_mailbox *mailbox;
    int end; /* Its other end is closed when the loop is to end. */
};

static void check(int error, const char *what)
{
    if (error < 0) {
        fprintf(stderr, "embed_thread: %s: %s\n", what, gossip_strerror(error));
        exit(EXIT_FAILURE);
    }
}

/* The loop's thread: takes what was posted, runs the node, answers. */
static void *run_loop(void *context)
{
    struct service *service = context;
    struct gossip_result result;
    int is_ending = 0;
    int error = GOSSIP_OK;

    while (error == GOSSIP_OK && !is_ending) {
        struct pollfd fds[] = {
            {.fd = gossip_poll_fd(service->gossip), .events = POLLIN},
            {.fd = gossip_mailbox_poll_fd(service->mailbox), .events = POLLIN},
            {.fd = service->end, .events = POLLIN},
        };

        if (poll(fds, 3, gossip_timeout_ms(service->gossip)) > 0)
            is_ending = fds[2].revents != 0;
        gossip_mailbox_take(service->mailbox, service->gossip);
        error = gossip_run(service->gossip);
        while (gossip_result_pop(service->gossip, &result) == 1)
            gossip_mailbox_answer(service->mailbox, &result);
    }
    gossip_mailbox_stop(service->mailbox, error < 0 ? error : GOSSIP_ERR_STOPPED);
    return NULL;
}

/* Any other thread. */
static void *run_worker(void *context)
{
    struct gossip_mailbox *mailbox = context;
    struct gossip_post *posts[EVENTS];

    for (int i = 0; i < EVENTS; i++)
        check(gossip_mailbox_post(mailbox, "work done", strlen("work done"), &posts[i]), "post");
    /* Here it would do something else. */
    for (int i = 0; i < EVENTS; i++) {
        struct gossip_result result;

        gossip_post_wait(posts[i], -1, &result);
        check(result.error, "publish");
        printf("event %d is durable\n", (int)result.dot.seq);
        gossip_post_destroy(posts[i]);
    }
    return NULL;
}

static void start_thread(pthread_t *thread, void *(*run)(void *), void *context)
{
    if (pthread_create(thread, NULL, run, context) != 0)
        check(GOSSIP_ERR_NOMEM, "thread");
}

int main(void)
{
    struct gossip_options options = {.size = sizeof(options), .time = gossip_system_time()};
    struct gossip_cluster *cluster;
    struct gossip_identity *identity;
    struct service service;
    pthread_t loop, workers[WORKERS];
    uint64_t written;
    int ends[2];

    check(gossip_memory_open(&options.store), "store");
    check(gossip_udp_open("127.0.0.1:0", NULL, 0, &options.transport), "UDP");
    check(gossip_cluster_create(options.time, &cluster), "cluster");
    check(gossip_identity_create(cluster, "a", 0, options.time, &identity), "identity");
    options.identity = identity;
    check(gossip_create(&options, &service.gossip), "node");
    check(gossip_mailbox_open(NULL, &service.mailbox), "mailbox");
    check(pipe(ends) == 0 ? GOSSIP_OK : GOSSIP_ERR_IO, "pipe");
    service.end = ends[0];

    start_thread(&loop, run_loop, &service);
    for (int i = 0; i < WORKERS; i++)
        start_thread(&workers[i], run_worker, service.mailbox);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(workers[i], NULL);
    close(ends[1]);
    pthread_join(loop, NULL);

    /* The gossip is this thread's now. */
    written = gossip_vclock_get(gossip_clock(service.gossip), gossip_self(service.gossip));
    printf("%d events were published by %d threads\n", (int)written, WORKERS);
    close(ends[0]);
    gossip_mailbox_close(service.mailbox);
    gossip_destroy(service.gossip);
    gossip_identity_destroy(identity);
    gossip_cluster_destroy(cluster);
    options.transport->ops->close(options.transport);
    options.store->ops->close(options.store);
    return written == WORKERS * EVENTS ? EXIT_SUCCESS : EXIT_FAILURE;
}
