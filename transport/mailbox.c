/*
 * A mailbox is two queues under one lock: what was posted and waits to be taken, and what was taken
 * and waits for its result, in the order of its tickets. The descriptor is readable exactly while
 * the first is not empty.
 */
#include "gossip/mailbox.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "gossip/options.h"

enum { POSTS_MAX = 1024, BYTES_MAX = 8 << 20 };

struct gossip_post {
    struct gossip_mailbox *mailbox;
    struct gossip_post *next;
    pthread_cond_t done; /* That has_result has become true. */
    bool has_result;
    bool is_abandoned; /* Nobody wants to know: whoever brings the result frees it. */
    struct gossip_result result;
    size_t size;
    uint8_t data[];
};

struct queue {
    struct gossip_post *first;
    struct gossip_post *last;
};

struct gossip_mailbox {
    struct gossip_mailbox_options options;
    int event;
    pthread_mutex_t lock; /* For all below, and for the posts but for their data. */
    struct queue posted;
    struct queue taken;
    size_t posts;
    size_t bytes;
    int stopped; /* The error, or GOSSIP_OK. */
};

static void lock(struct gossip_mailbox *mailbox)
{
    int error = pthread_mutex_lock(&mailbox->lock);

    assert(error == 0);
    (void)error;
}

static void unlock(struct gossip_mailbox *mailbox)
{
    int error = pthread_mutex_unlock(&mailbox->lock);

    assert(error == 0);
    (void)error;
}

static void push(struct queue *queue, struct gossip_post *post)
{
    post->next = NULL;
    if (queue->last == NULL)
        queue->first = post;
    else
        queue->last->next = post;
    queue->last = post;
}

static struct gossip_post *pop(struct queue *queue)
{
    struct gossip_post *post = queue->first;

    if (post == NULL)
        return NULL;
    queue->first = post->next;
    if (queue->first == NULL)
        queue->last = NULL;
    return post;
}

int gossip_mailbox_open(const struct gossip_mailbox_options *given,
                        struct gossip_mailbox **ret_mailbox)
{
    struct gossip_mailbox_options options = {.size = sizeof(options)};
    struct gossip_mailbox *mailbox;

    if (given != NULL && !options_read(&options, sizeof(options), sizeof(options), given))
        return GOSSIP_ERR_INVALID;
    if (options.posts_max == 0)
        options.posts_max = POSTS_MAX;
    if (options.bytes_max == 0)
        options.bytes_max = BYTES_MAX;
    mailbox = calloc(1, sizeof(*mailbox));
    if (mailbox == NULL)
        return GOSSIP_ERR_NOMEM;
    mailbox->options = options;
    if (pthread_mutex_init(&mailbox->lock, NULL) != 0) {
        free(mailbox);
        return GOSSIP_ERR_NOMEM;
    }
    mailbox->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (mailbox->event < 0) {
        int error = errno == ENOMEM ? GOSSIP_ERR_NOMEM : GOSSIP_ERR_IO;

        pthread_mutex_destroy(&mailbox->lock);
        free(mailbox);
        return error;
    }
    *ret_mailbox = mailbox;
    return GOSSIP_OK;
}

/* With the lock. */
static void free_post(struct gossip_post *post)
{
    struct gossip_mailbox *mailbox = post->mailbox;

    mailbox->posts--;
    mailbox->bytes -= post->size;
    pthread_cond_destroy(&post->done);
    free(post);
}

/* With the lock, and the post in no queue. */
static void finish_post(struct gossip_post *post, const struct gossip_result *result)
{
    if (post->is_abandoned) {
        free_post(post);
        return;
    }
    post->result = *result;
    post->has_result = true;
    pthread_cond_signal(&post->done);
}

void gossip_mailbox_close(struct gossip_mailbox *mailbox)
{
    if (mailbox == NULL)
        return;
    gossip_mailbox_stop(mailbox, GOSSIP_ERR_STOPPED); /* Frees what nobody asks for any more. */
    assert(mailbox->posts == 0);
    close(mailbox->event);
    pthread_mutex_destroy(&mailbox->lock);
    free(mailbox);
}

/* A condition that is waited for by the clock that nobody sets. */
static int start_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);

    if (error != 0)
        return GOSSIP_ERR_NOMEM;
    error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (error == 0)
        error = pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
    return error == 0 ? GOSSIP_OK : GOSSIP_ERR_NOMEM;
}

static int make_post(struct gossip_mailbox *mailbox, const void *data, size_t size,
                     struct gossip_post **ret_post)
{
    struct gossip_post *post;

    if (size > mailbox->options.bytes_max)
        return GOSSIP_ERR_LIMIT;
    post = malloc(sizeof(*post) + size);
    if (post == NULL)
        return GOSSIP_ERR_NOMEM;
    *post = (struct gossip_post){.mailbox = mailbox, .size = size};
    if (start_condition(&post->done) < 0) {
        free(post);
        return GOSSIP_ERR_NOMEM;
    }
    if (size > 0)
        memcpy(post->data, data, size);
    *ret_post = post;
    return GOSSIP_OK;
}

/* With the lock. */
static int accept_post(struct gossip_mailbox *mailbox, struct gossip_post *post)
{
    const uint64_t one = 1;

    if (mailbox->stopped < 0)
        return mailbox->stopped;
    if (mailbox->posts >= mailbox->options.posts_max ||
        post->size > mailbox->options.bytes_max - mailbox->bytes)
        return GOSSIP_ERR_LIMIT;
    if (mailbox->posted.first == NULL &&
        write(mailbox->event, &one, sizeof(one)) != (ssize_t)sizeof(one))
        return GOSSIP_ERR_IO;
    push(&mailbox->posted, post);
    mailbox->posts++;
    mailbox->bytes += post->size;
    return GOSSIP_OK;
}

int gossip_mailbox_post(struct gossip_mailbox *mailbox, const void *data, size_t size,
                        struct gossip_post **ret_post)
{
    struct gossip_post *post;
    int error = make_post(mailbox, data, size, &post);

    if (error < 0)
        return error;
    lock(mailbox);
    error = accept_post(mailbox, post);
    unlock(mailbox);
    if (error < 0) {
        pthread_cond_destroy(&post->done);
        free(post);
        return error;
    }
    *ret_post = post;
    return GOSSIP_OK;
}

static struct timespec deadline_after(int timeout_ms)
{
    struct timespec deadline;

    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += timeout_ms / 1000;
    deadline.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (deadline.tv_nsec >= 1000000000L) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000L;
    }
    return deadline;
}

int gossip_post_wait(struct gossip_post *post, int timeout_ms, struct gossip_result *ret_result)
{
    struct gossip_mailbox *mailbox = post->mailbox;
    struct timespec deadline = deadline_after(timeout_ms < 0 ? 0 : timeout_ms);
    bool has_result;
    int error = 0;

    lock(mailbox);
    while (!post->has_result && timeout_ms != 0 && error != ETIMEDOUT) {
        error = timeout_ms < 0 ? pthread_cond_wait(&post->done, &mailbox->lock)
                               : pthread_cond_timedwait(&post->done, &mailbox->lock, &deadline);
        assert(error == 0 || error == ETIMEDOUT);
    }
    has_result = post->has_result;
    if (has_result)
        *ret_result = post->result;
    unlock(mailbox);
    return has_result ? 1 : 0;
}

void gossip_post_destroy(struct gossip_post *post)
{
    struct gossip_mailbox *mailbox;

    if (post == NULL)
        return;
    mailbox = post->mailbox;
    lock(mailbox);
    if (post->has_result)
        free_post(post);
    else
        post->is_abandoned = true;
    unlock(mailbox);
}

int gossip_mailbox_poll_fd(struct gossip_mailbox *mailbox)
{
    return mailbox->event;
}

/* With the lock. */
static struct queue empty_posted(struct gossip_mailbox *mailbox)
{
    struct queue posted = mailbox->posted;
    uint64_t count;

    if (posted.first != NULL) {
        ssize_t size = read(mailbox->event, &count, sizeof(count));

        assert(size == (ssize_t)sizeof(count)); /* It was written to when the first one came. */
        (void)size;
    }
    mailbox->posted = (struct queue){0};
    return posted;
}

void gossip_mailbox_take(struct gossip_mailbox *mailbox, struct gossip *gossip)
{
    struct queue posted;
    struct gossip_post *post;

    lock(mailbox);
    posted = empty_posted(mailbox);
    unlock(mailbox);
    /* Others go on posting while this copies. */
    while ((post = pop(&posted)) != NULL) {
        uint64_t ticket = 0;
        int error = gossip_publish(gossip, post->data, post->size, &ticket);

        lock(mailbox);
        post->result.ticket = ticket;
        if (error < 0)
            finish_post(post, &(struct gossip_result){.error = error});
        else
            push(&mailbox->taken, post);
        unlock(mailbox);
    }
}

int gossip_mailbox_answer(struct gossip_mailbox *mailbox, const struct gossip_result *result)
{
    bool is_ours;

    lock(mailbox);
    /* Results come in the order of publications. */
    is_ours = mailbox->taken.first != NULL && mailbox->taken.first->result.ticket == result->ticket;
    if (is_ours)
        finish_post(pop(&mailbox->taken), result);
    unlock(mailbox);
    return is_ours ? 1 : 0;
}

static void finish_all(struct queue *queue, int error)
{
    struct gossip_post *post;

    while ((post = pop(queue)) != NULL)
        finish_post(post, &(struct gossip_result){.ticket = post->result.ticket, .error = error});
}

void gossip_mailbox_stop(struct gossip_mailbox *mailbox, int error)
{
    struct queue posted;

    assert(error < 0);
    lock(mailbox);
    if (mailbox->stopped == GOSSIP_OK) {
        mailbox->stopped = error;
        posted = empty_posted(mailbox);
        finish_all(&mailbox->taken, error);
        finish_all(&posted, error);
    }
    unlock(mailbox);
}
