/*
 * Mailboxes: how other threads publish, where one thread runs the gossip.
 *
 * Any thread posts what is to be published, goes on, and asks its post later what has become of it.
 * The thread that runs the gossip waits on gossip_mailbox_poll_fd() beside gossip_poll_fd(), and
 * then does this, in this order:
 *
 *     gossip_mailbox_take(mailbox, gossip);
 *     error = gossip_run(gossip);
 *     while (gossip_result_pop(gossip, &result) == 1)
 *         gossip_mailbox_answer(mailbox, &result);
 *     if (error < 0)
 *         gossip_mailbox_stop(mailbox, error);
 *
 * No thread is started and nobody is called back. What is posted is bounded, and nothing is lost in
 * silence: a post that was accepted gets one result. docs/library.md has the whole way of a post.
 */
#ifndef GOSSIP_MAILBOX_H
#define GOSSIP_MAILBOX_H

#include "gossip/gossip.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where threads post to one gossip. */
struct gossip_mailbox;

/* One publication on its way. It belongs to the thread that posted it, or to whichever one thread
 * at a time that hands it to. */
struct gossip_post;

/* How much a mailbox holds. Zero in a field means its default. */
struct gossip_mailbox_options {
    size_t size;      /* sizeof(struct gossip_mailbox_options) */
    size_t posts_max; /* Posts that are not destroyed yet; default 1024. */
    size_t bytes_max; /* What their data takes, in bytes; default 8 MiB. */
};

/* Opens a mailbox, the caller's to close; NULL for options: all defaults. INVALID (options), IO (no
 * descriptor is left), NOMEM. */
int gossip_mailbox_open(const struct gossip_mailbox_options *options,
                        struct gossip_mailbox **ret_mailbox);

/* Frees it, when no other thread is in a call on it or ever will be, and all posts are destroyed:
 * gossip_mailbox_stop() it first, and join the threads. NULL is allowed. */
void gossip_mailbox_close(struct gossip_mailbox *mailbox);

/* ---- For any thread, several at once. ---- */

/*
 * Posts an event to be written; data is copied. What one thread posts is published in that order.
 * *ret_post is the caller's to destroy. LIMIT (no room: wait for an earlier post and destroy it, or
 * tell whoever wants this that the service is busy), IO (the thread that runs the gossip could not
 * be woken), NOMEM, and the error with which the mailbox was stopped; then nothing was posted.
 */
int gossip_mailbox_post(struct gossip_mailbox *mailbox, const void *data, size_t size,
                        struct gossip_post **ret_post);

/*
 * Waits for the result for up to timeout_ms milliseconds, or as long as it takes with -1; with 0 it
 * looks and does not wait. 1 with the result, as often as it is asked; 0 where there is none yet.
 * Beside what a result says after gossip_publish(), its error may be one that gossip_publish()
 * returns, or the one with which the mailbox was stopped. Not for the thread that runs the gossip,
 * which would wait for itself, but with 0.
 */
int gossip_post_wait(struct gossip_post *post, int timeout_ms, struct gossip_result *ret_result);

/* Frees a post. Before its result it only means that nobody wants to know: the event is written all
 * the same. NULL is allowed. */
void gossip_post_destroy(struct gossip_post *post);

/* ---- For the thread that runs the gossip. ---- */

/* A descriptor that is readable while posts wait to be taken. */
int gossip_mailbox_poll_fd(struct gossip_mailbox *mailbox);

/* Hands all that was posted to gossip_publish(), always of the same gossip; what that refuses has
 * its result. Then gossip_run() is due. Cannot fail. */
void gossip_mailbox_take(struct gossip_mailbox *mailbox, struct gossip *gossip);

/* Hands a result that gossip_result_pop() has brought to the post that waits for it: 1; or 0 where
 * it is of something that this thread has published itself. */
int gossip_mailbox_answer(struct gossip_mailbox *mailbox, const struct gossip_result *result);

/*
 * Ends it: every post without a result gets error, which is negative, and so does whoever posts
 * later. After a gossip_run() that failed, what that returned: then the outcome is unknown, and the
 * next start tells. At an orderly end STOPPED, after all results were popped and answered: what has
 * none is not written, unless gossip_run() is called once more. A second call changes nothing.
 */
void gossip_mailbox_stop(struct gossip_mailbox *mailbox, int error);

#ifdef __cplusplus
}
#endif

#endif
