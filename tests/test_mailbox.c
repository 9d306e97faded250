/*
 * Mailboxes: what becomes of each post, how much there may be, and several threads at once. The
 * last is what the stage with the thread sanitizer runs.
 */
#include "gossip/mailbox.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <cmocka.h>

struct place {
    struct gossip_store *store;
    struct gossip_cluster *cluster;
    struct gossip_identity *identity;
    struct gossip *gossip;
    struct gossip_mailbox *mailbox;
};

static void start(struct place *place, const struct gossip_mailbox_options *mailbox_options)
{
    struct gossip_options options = {
        .size = sizeof(options), .time = gossip_system_time(), .payload_max = 100};

    assert_int_equal(gossip_memory_open(&place->store), GOSSIP_OK);
    assert_int_equal(gossip_cluster_create(options.time, &place->cluster), GOSSIP_OK);
    assert_int_equal(gossip_identity_create(place->cluster, "a", 0, options.time, &place->identity),
                     GOSSIP_OK);
    options.store = place->store;
    options.identity = place->identity;
    assert_int_equal(gossip_create(&options, &place->gossip), GOSSIP_OK);
    assert_int_equal(gossip_mailbox_open(mailbox_options, &place->mailbox), GOSSIP_OK);
}

static void end(struct place *place)
{
    gossip_mailbox_close(place->mailbox);
    gossip_destroy(place->gossip);
    gossip_identity_destroy(place->identity);
    gossip_cluster_destroy(place->cluster);
    place->store->ops->close(place->store);
}

static bool is_readable(const struct place *place)
{
    struct pollfd wait = {.fd = gossip_mailbox_poll_fd(place->mailbox), .events = POLLIN};

    return poll(&wait, 1, 0) == 1;
}

static struct gossip_post *post(const struct place *place, const char *text)
{
    struct gossip_post *made;

    assert_int_equal(gossip_mailbox_post(place->mailbox, text, strlen(text), &made), GOSSIP_OK);
    return made;
}

/* Runs the gossip once. Returns how many results were of posts. */
static size_t turn(const struct place *place)
{
    struct gossip_result result;
    size_t count = 0;

    gossip_mailbox_take(place->mailbox, place->gossip);
    assert_int_equal(gossip_run(place->gossip), GOSSIP_OK);
    while (gossip_result_pop(place->gossip, &result) == 1)
        count += (size_t)gossip_mailbox_answer(place->mailbox, &result);
    return count;
}

/* Looks at the result and frees the post. */
static struct gossip_result finish(struct gossip_post *made)
{
    struct gossip_result result;

    assert_int_equal(gossip_post_wait(made, 0, &result), 1);
    assert_int_equal(gossip_post_wait(made, -1, &result), 1);
    gossip_post_destroy(made);
    return result;
}

static void test_way_of_a_post(void **state)
{
    struct place place;
    struct gossip_post *first;
    struct gossip_post *second;
    struct gossip_result result = {.error = 1};
    struct gossip_event event;

    (void)state;
    start(&place, NULL);
    assert_false(is_readable(&place));
    first = post(&place, "one");
    assert_true(is_readable(&place));
    second = post(&place, "two");
    assert_int_equal(gossip_post_wait(first, 0, &result), 0);
    assert_int_equal(gossip_post_wait(first, 1, &result), 0);
    assert_int_equal(result.error, 1); /* Untouched. */
    assert_int_equal(turn(&place), 2);
    assert_false(is_readable(&place));
    result = finish(second);
    assert_int_equal(result.error, GOSSIP_OK);
    assert_int_equal(result.dot.seq, 2);
    assert_int_equal(finish(first).dot.seq, 1);
    assert_int_equal(gossip_event_pop(place.gossip, &event), 1);
    assert_int_equal(event.size, 3);
    assert_memory_equal(event.data, "one", 3);
    /* It is woken again. */
    first = post(&place, "");
    assert_true(is_readable(&place));
    assert_int_equal(turn(&place), 1);
    assert_int_equal(finish(first).dot.seq, 3);
    end(&place);
}

/* The thread that runs the gossip may publish too. */
static void test_own_publications_are_told_apart(void **state)
{
    struct place place;
    struct gossip_post *made;
    uint64_t tickets[2];

    (void)state;
    start(&place, NULL);
    made = post(&place, "posted");
    assert_int_equal(gossip_publish(place.gossip, "own", 3, &tickets[0]), GOSSIP_OK);
    gossip_mailbox_take(place.mailbox, place.gossip);
    assert_int_equal(gossip_publish(place.gossip, "own", 3, &tickets[1]), GOSSIP_OK);
    assert_int_equal(turn(&place), 1);
    assert_int_equal(finish(made).dot.seq, 2);
    end(&place);
}

static void test_what_cannot_be_published_is_told(void **state)
{
    struct place place;
    struct gossip_post *good;
    struct gossip_post *large;
    char text[102];

    (void)state;
    start(&place, NULL);
    memset(text, 'x', 101);
    text[101] = '\0';
    large = post(&place, text);
    good = post(&place, "good");
    assert_int_equal(turn(&place), 1);
    assert_int_equal(finish(large).error, GOSSIP_ERR_LIMIT);
    assert_int_equal(finish(good).error, GOSSIP_OK);
    end(&place);
}

static void test_room_is_bounded(void **state)
{
    const struct gossip_mailbox_options options = {
        .size = sizeof(options), .posts_max = 3, .bytes_max = 10};
    struct place place;
    struct gossip_post *posts[3];
    struct gossip_post *more = NULL;

    (void)state;
    start(&place, &options);
    assert_int_equal(gossip_mailbox_post(place.mailbox, "eleven byte", 11, &more),
                     GOSSIP_ERR_LIMIT);
    assert_false(is_readable(&place));
    posts[0] = post(&place, "four");
    posts[1] = post(&place, "four");
    assert_int_equal(gossip_mailbox_post(place.mailbox, "abc", 3, &more), GOSSIP_ERR_LIMIT);
    posts[2] = post(&place, "ab");
    assert_int_equal(gossip_mailbox_post(place.mailbox, "", 0, &more), GOSSIP_ERR_LIMIT);
    assert_null(more);

    /* One that nobody asks for any more takes room until it has its result, one that has its result
     * until nobody asks for it any more. */
    gossip_post_destroy(posts[0]);
    assert_int_equal(gossip_mailbox_post(place.mailbox, "", 0, &more), GOSSIP_ERR_LIMIT);
    assert_int_equal(turn(&place), 3);
    posts[0] = post(&place, "");
    assert_int_equal(gossip_mailbox_post(place.mailbox, "", 0, &more), GOSSIP_ERR_LIMIT);
    assert_int_equal(finish(posts[1]).dot.seq, 2);
    posts[1] = post(&place, "");
    assert_int_equal(turn(&place), 2);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(finish(posts[i]).error, GOSSIP_OK);
    end(&place);
}

static void test_options_are_checked(void **state)
{
    struct gossip_mailbox_options options = {.size = sizeof(options) - 1};
    struct gossip_mailbox *mailbox = NULL;

    (void)state;
    assert_int_equal(gossip_mailbox_open(&options, &mailbox), GOSSIP_ERR_INVALID);
    assert_null(mailbox);
    gossip_mailbox_close(NULL);
    gossip_post_destroy(NULL);
}

static void test_no_descriptor_is_left(void **state)
{
    struct gossip_mailbox *mailbox = NULL;
    struct rlimit limit;
    struct rlimit none;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(gossip_mailbox_open(NULL, &mailbox), GOSSIP_ERR_IO);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_null(mailbox);
}

/* What waits to be taken, what was taken and what nobody asks for: each has an end. */
static void test_stop_ends_all(void **state)
{
    struct place place;
    struct gossip_post *answered;
    struct gossip_post *taken;
    struct gossip_post *posted;
    struct gossip_post *late = NULL;

    (void)state;
    start(&place, NULL);
    answered = post(&place, "answered");
    assert_int_equal(turn(&place), 1);
    taken = post(&place, "taken");
    gossip_post_destroy(post(&place, "taken, and nobody asks"));
    gossip_mailbox_take(place.mailbox, place.gossip);
    posted = post(&place, "posted");
    gossip_post_destroy(post(&place, "posted, and nobody asks"));
    gossip_mailbox_stop(place.mailbox, GOSSIP_ERR_IO);
    gossip_mailbox_stop(place.mailbox, GOSSIP_ERR_STOPPED);
    assert_false(is_readable(&place));
    assert_int_equal(gossip_mailbox_post(place.mailbox, "", 0, &late), GOSSIP_ERR_IO);
    assert_null(late);
    assert_int_equal(finish(answered).error, GOSSIP_OK);
    assert_int_equal(finish(taken).error, GOSSIP_ERR_IO);
    assert_int_equal(finish(posted).error, GOSSIP_ERR_IO);
    end(&place);
}

/* At an orderly end, what has no result is in no store. */
static void test_stopped_is_not_written(void **state)
{
    struct place place;
    struct gossip_post *taken;
    struct gossip_event event;

    (void)state;
    start(&place, NULL);
    taken = post(&place, "taken");
    gossip_mailbox_take(place.mailbox, place.gossip);
    gossip_mailbox_stop(place.mailbox, GOSSIP_ERR_STOPPED);
    assert_int_equal(finish(taken).error, GOSSIP_ERR_STOPPED);
    assert_int_equal(gossip_event_pop(place.gossip, &event), 0);
    end(&place);
}

enum { THREADS = 4, POSTS = 150, UNDER_WAY = 8 };

struct poster {
    struct gossip_mailbox *mailbox;
    unsigned number;
    struct gossip_result results[POSTS];
    int error; /* But LIMIT, which is met as there is too little room for all. */
};

static void payload_of(unsigned poster, unsigned index, char text[16])
{
    snprintf(text, 16, "%u/%u", poster, index);
}

/* Waits for the oldest of those under way. */
static void collect(struct poster *poster, struct gossip_post *posts[UNDER_WAY], unsigned *oldest)
{
    struct gossip_post *first = posts[*oldest % UNDER_WAY];

    if (gossip_post_wait(first, -1, &poster->results[*oldest]) != 1)
        poster->error = GOSSIP_ERR_INVALID;
    gossip_post_destroy(first);
    ++*oldest;
}

/* Keeps several under way. */
static void *run_poster(void *context)
{
    struct poster *poster = context;
    struct gossip_post *posts[UNDER_WAY];
    unsigned oldest = 0;
    unsigned next = 0;

    while (next < POSTS && poster->error == GOSSIP_OK) {
        char text[16];
        int error = GOSSIP_ERR_LIMIT;

        payload_of(poster->number, next, text);
        if (next - oldest < UNDER_WAY)
            error =
                gossip_mailbox_post(poster->mailbox, text, strlen(text), &posts[next % UNDER_WAY]);
        if (error == GOSSIP_OK)
            next++;
        else if (error != GOSSIP_ERR_LIMIT)
            poster->error = error;
        else if (oldest < next)
            collect(poster, posts, &oldest);
    }
    while (oldest < next)
        collect(poster, posts, &oldest);
    return NULL;
}

/* All is written once, in each thread's order, and each is told its own dot. */
static void test_threads_post_at_once(void **state)
{
    const struct gossip_mailbox_options options = {.size = sizeof(options), .posts_max = 20};
    static struct poster posters[THREADS];
    struct place place;
    pthread_t threads[THREADS];
    size_t answered = 0;

    (void)state;
    start(&place, &options);
    for (unsigned i = 0; i < THREADS; i++) {
        posters[i] = (struct poster){.mailbox = place.mailbox, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, run_poster, &posters[i]), 0);
    }
    while (answered < (size_t)THREADS * POSTS) {
        struct pollfd wait = {.fd = gossip_mailbox_poll_fd(place.mailbox), .events = POLLIN};

        assert_int_equal(poll(&wait, 1, 20000), 1); /* All of them would be waiting for us. */
        answered += turn(&place);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(posters[i].error, GOSSIP_OK);
        for (unsigned j = 0; j < POSTS; j++) {
            const struct gossip_result *result = &posters[i].results[j];
            struct gossip_event event;
            char text[16];

            payload_of(i, j, text);
            assert_int_equal(result->error, GOSSIP_OK);
            assert_true(j == 0 || result->dot.seq > posters[i].results[j - 1].dot.seq);
            assert_int_equal(gossip_event_get(place.gossip, result->dot, &event), GOSSIP_OK);
            assert_int_equal(event.size, strlen(text));
            assert_memory_equal(event.data, text, event.size);
        }
    }
    assert_int_equal(gossip_vclock_get(gossip_clock(place.gossip), gossip_self(place.gossip)),
                     THREADS * POSTS);
    end(&place);
}

static void *wait_long(void *context)
{
    static struct gossip_result result;

    return gossip_post_wait(context, 60000, &result) == 1 ? &result : NULL;
}

/* Who waits is woken by a stop, and not at the end of its patience. */
static void test_stop_wakes_who_waits(void **state)
{
    struct place place;
    struct gossip_post *posts[THREADS];
    pthread_t threads[THREADS];

    (void)state;
    start(&place, NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        void *context = posts[i] = post(&place, "never taken");

        assert_int_equal(pthread_create(&threads[i], NULL, wait_long, context), 0);
    }
    gossip_mailbox_stop(place.mailbox, GOSSIP_ERR_STOPPED);
    for (unsigned i = 0; i < THREADS; i++) {
        void *found;

        assert_int_equal(pthread_join(threads[i], &found), 0);
        assert_non_null(found);
        assert_int_equal(finish(posts[i]).error, GOSSIP_ERR_STOPPED);
    }
    end(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_way_of_a_post),
        cmocka_unit_test(test_own_publications_are_told_apart),
        cmocka_unit_test(test_what_cannot_be_published_is_told),
        cmocka_unit_test(test_room_is_bounded),
        cmocka_unit_test(test_options_are_checked),
        cmocka_unit_test(test_no_descriptor_is_left),
        cmocka_unit_test(test_stop_ends_all),
        cmocka_unit_test(test_stopped_is_not_written),
        cmocka_unit_test(test_threads_post_at_once),
        cmocka_unit_test(test_stop_wakes_who_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
