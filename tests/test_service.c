/*
 * The driver on bad days: a full disk, a disk that fails, no memory. And on all days: nothing is
 * seen by anybody before it is committed. Here nodes are driven by hand where a step matters.
 */
#include "tests/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/splitmix.h"

static bool has_notice(struct gossip *gossip, enum gossip_notice_kind kind)
{
    struct gossip_notice notice;
    bool found = false;

    while (gossip_notice_pop(gossip, &notice) > 0)
        found = found || notice.kind == kind;
    return found;
}

struct stored_clock {
    uint64_t have[16];
};

static int note_author(void *context, const struct gossip_record *record)
{
    struct stored_clock *clock = context;

    if (record->kind == GOSSIP_RECORD_AUTHOR)
        clock->have[record->as.author.number] = record->as.author.have;
    return 0;
}

/* Whenever anything is sent, the node's clock is what its disk says. */
static bool check_durable(void *context, unsigned from, unsigned to,
                          const struct gossip_datagram *datagram)
{
    struct world *world = context;
    struct gossip_store *store = world_store(world, from);
    const struct gossip_vclock *clock;
    struct stored_clock stored = {{0}};

    (void)to;
    (void)datagram;
    if (world_gossip(world, from) == NULL) /* It is being made. */
        return false;
    clock = gossip_clock(world_gossip(world, from));
    assert_int_equal(store->ops->load(store, note_author, &stored), 0);
    for (size_t i = 0; i < clock->count; i++)
        assert_int_equal(clock->counters[i], stored.have[clock->authors[i]]);
    return false;
}

static void nothing_is_sent_before_it_is_committed(struct story *story)
{
    static const struct virtual_link link = {
        .jitter_ms = 50, .loss_ppm = 200000, .duplicate_ppm = 200000};
    struct world_options none = {0};
    struct world *world = story_begin_with(story, 4, &none);
    struct splitmix lots = {story->seed};

    virtual_network_set_default(world_network(world), &link);
    world_set_tap(world, check_durable, world);
    for (unsigned i = 0; i < 200; i++) {
        unsigned node = (unsigned)splitmix_below(&lots, 4);

        story_tells(world, node, "x");
        world_run(world, splitmix_below(&lots, 300));
    }
    assert_true(world_run_until(world, world_agrees, 100 * STORY_SECOND_MS));
    story_end(story);
}

/* A result comes only after the save that made it true, and one save serves many. */
static void results_after_the_commit(struct story *story)
{
    struct world *world = story_begin(story, 2);
    struct gossip *gossip = world_gossip(world, 0);
    struct gossip_result result;
    uint64_t tickets[100];
    uint64_t commits = story_stats(world, 0).commits;

    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(gossip_publish(gossip, "x", 1, &tickets[i]), 0);
        assert_int_equal(gossip_result_pop(gossip, &result), 0);
    }
    assert_int_equal(gossip_timeout_ms(gossip), 0);
    assert_int_equal(gossip_run(gossip), 0);
    assert_int_equal(story_stats(world, 0).commits, commits + 1);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(gossip_result_pop(gossip, &result), 1);
        assert_int_equal(result.ticket, tickets[i]);
        assert_int_equal(result.error, 0);
        assert_int_equal(result.dot.seq, i + 1);
        checker_result(world_checker(world), 0, &result, "x", 1);
    }
    assert_int_equal(gossip_result_pop(gossip, &result), 0);
    assert_true(world_run_until(world, world_agrees, 10 * STORY_SECOND_MS));
    story_end(story);
}

static uint8_t payload[GOSSIP_PAYLOAD_DEFAULT + 1];

struct shown {
    unsigned count;
    size_t sizes[2];
};

static void show(void *context, unsigned node, const struct gossip_event *event)
{
    struct shown *shown = context;

    if (node != 1)
        return;
    assert_true(shown->count < 2);
    shown->sizes[shown->count++] = event->size;
    if (event->size > 0)
        assert_memory_equal(event->data, payload, event->size);
}

static void payload_limits(struct story *story)
{
    struct world *world = story_begin(story, 2);
    struct shown shown = {0};
    uint64_t ticket;

    memset(payload, 0xa5, sizeof(payload));
    world_set_application(world, show, &shown);
    assert_int_equal(gossip_publish(world_gossip(world, 0), payload, sizeof(payload), &ticket),
                     GOSSIP_ERR_LIMIT);
    assert_true(world_publish(world, 0, payload, sizeof(payload) - 1));
    assert_true(world_publish(world, 0, NULL, 0));
    world_run(world, 20 * STORY_SECOND_MS);
    assert_int_equal(shown.count, 2);
    assert_int_equal(shown.sizes[0], sizeof(payload) - 1);
    assert_int_equal(shown.sizes[1], 0);
    story_end(story);
}

static bool count_datagram(void *context, unsigned from, unsigned to,
                           const struct gossip_datagram *datagram)
{
    (void)to;
    (void)datagram;
    if (from == 0)
        ++*(uint64_t *)context;
    return false;
}

static void note_freed(void *context, uint64_t time_ms, const char *line)
{
    (void)time_ms;
    if (strncmp(line, "n1 notices: disk-freed", strlen("n1 notices: disk-freed")) == 0)
        ++*(unsigned *)context;
}

/* The disk is full: publications are refused, nothing of them is seen, reading and answering go on,
 * what others say is not taken in. Then there is room again. */
static void full_disk(struct story *story)
{
    struct world *world = story_begin(story, 2);
    struct gossip *gossip = world_gossip(world, 0);
    struct gossip_result result;
    uint64_t sent = 0;
    unsigned freed = 0;
    uint64_t commits;
    uint64_t ticket;

    story_tells(world, 0, "before");
    story_meet(world);
    commits = story_stats(world, 0).commits;
    world_set_narrator(world, note_freed, &freed);
    world_fail_saves(world, 0, GOSSIP_ERR_FULL);
    world_set_tap(world, count_datagram, &sent);
    assert_int_equal(gossip_publish(gossip, "lost", 4, &ticket), 0);
    assert_int_equal(gossip_run(gossip), 0);
    assert_int_equal(sent, 0);
    assert_int_equal(gossip_result_pop(gossip, &result), 1);
    assert_int_equal(result.ticket, ticket);
    assert_int_equal(result.error, GOSSIP_ERR_FULL);
    assert_string_equal(story_clock(world, 0), "{n1:1}");
    assert_true(story_stats(world, 0).read_only);
    assert_int_equal(story_stats(world, 0).published, 1);
    assert_int_equal(story_stats(world, 0).commits, commits);
    assert_true(has_notice(gossip, GOSSIP_NOTICE_DISK_FULL));

    /* Refused at once while it lasts; no save is tried for it. */
    assert_int_equal(gossip_publish(gossip, "lost", 4, &ticket), 0);
    assert_int_equal(gossip_run(gossip), 0);
    assert_int_equal(gossip_result_pop(gossip, &result), 1);
    assert_int_equal(result.error, GOSSIP_ERR_FULL);

    story_tells(world, 1, "meanwhile");
    world_run(world, 30 * STORY_SECOND_MS);
    assert_string_equal(story_clock(world, 0), "{n1:1}");
    assert_true(sent > 0); /* It goes on answering. */
    assert_string_equal(story_log(world, 0), "before");
    assert_int_equal(freed, 0);

    world_fail_saves(world, 0, GOSSIP_OK);
    world_run(world, 61 * STORY_SECOND_MS);
    assert_int_equal(freed, 1);
    assert_int_equal(story_tells(world, 0, "after"), 2);
    story_meet(world);
    assert_string_equal(story_clock(world, 0), "{n1:2 n2:1}");
    assert_string_equal(story_clock(world, 1), "{n1:2 n2:1}");
    assert_string_equal(story_log(world, 1), "before meanwhile after");
    assert_int_equal(story_stats(world, 0).published, 2);
    assert_int_equal(story_stats(world, 0).delivered, 1);

    /* An event of another's counts when it is saved, not when it is seen. */
    world_fail_saves(world, 0, GOSSIP_ERR_FULL);
    story_tells(world, 1, "again");
    world_run(world, 30 * STORY_SECOND_MS);
    assert_true(story_stats(world, 0).read_only);
    assert_int_equal(story_stats(world, 0).delivered, 1);
    world_fail_saves(world, 0, GOSSIP_OK);
    world_run(world, 61 * STORY_SECOND_MS);
    story_meet(world);
    assert_int_equal(story_stats(world, 0).delivered, 2);
    story_end(story);
}

/* A write fails in any other way: the outcome is unknown. Nothing is sent, nothing is answered, and
 * the node has stopped for good; what the store holds is believed at the next start. */
static void failed_commit_is_an_unknown_commit(struct story *story)
{
    struct world *world = story_begin(story, 2);
    struct gossip *gossip = world_gossip(world, 0);
    struct gossip_result result;
    struct gossip_event event;
    uint64_t sent = 0;
    uint64_t ticket;

    world_fail_saves(world, 0, GOSSIP_ERR_IO);
    world_set_tap(world, count_datagram, &sent);
    assert_int_equal(gossip_publish(gossip, "perhaps", 7, &ticket), 0);
    assert_int_equal(gossip_run(gossip), GOSSIP_ERR_IO);
    assert_int_equal(gossip_result_pop(gossip, &result), 0);
    assert_string_equal(story_clock(world, 0), "{}");
    assert_int_equal(gossip_event_get(gossip, (struct gossip_dot){gossip_self(gossip), 1}, &event),
                     GOSSIP_ERR_IO);
    world_fail_saves(world, 0, GOSSIP_OK);
    assert_int_equal(gossip_run(gossip), GOSSIP_ERR_IO);
    assert_int_equal(gossip_timeout_ms(gossip), -1);
    assert_int_equal(sent, 0);
    world_kill(world, 0, VIRTUAL_DAMAGE_NONE);
    world_start(world, 0);
    assert_string_equal(story_clock(world, 0), "{}");
    assert_int_equal(story_tells(world, 0, "surely"), 1);
    story_meet(world);
    story_end(story);
}

/* No memory once: the batch is dropped and made again. Three times in a row: it is over. */
static void no_memory(struct story *story)
{
    struct world *world = story_begin(story, 2);
    struct gossip *gossip = world_gossip(world, 0);
    struct gossip_result result;
    uint64_t ticket;

    world_fail_saves(world, 0, GOSSIP_ERR_NOMEM);
    assert_int_equal(gossip_publish(gossip, "x", 1, &ticket), 0);
    assert_int_equal(gossip_run(gossip), 0);
    assert_int_equal(gossip_result_pop(gossip, &result), 0);
    assert_true(has_notice(gossip, GOSSIP_NOTICE_NO_MEMORY));
    world_fail_saves(world, 0, GOSSIP_OK);
    assert_int_equal(gossip_run(gossip), 0);
    assert_int_equal(gossip_result_pop(gossip, &result), 1);
    assert_int_equal(result.error, 0);
    assert_int_equal(result.dot.seq, 1);
    checker_result(world_checker(world), 0, &result, "x", 1);
    story_meet(world);
    assert_string_equal(story_clock(world, 1), "{n1:1}");

    world_fail_saves(world, 0, GOSSIP_ERR_NOMEM);
    assert_int_equal(gossip_publish(gossip, "x", 1, &ticket), 0);
    assert_int_equal(gossip_run(gossip), 0);
    assert_int_equal(gossip_run(gossip), 0);
    assert_int_equal(gossip_run(gossip), GOSSIP_ERR_NOMEM);
    world_kill(world, 0, VIRTUAL_DAMAGE_NONE);
    story_end(story);
}

/* Another node's store is refused, and stays as it is. */
static void store_of_another(struct story *story)
{
    struct world_options real = {.crypto = WORLD_SODIUM};
    struct world *world = story_begin_with(story, 2, &real);
    struct gossip_options options = {
        .size = sizeof(options),
        .time = gossip_system_time(),
        .identity = world_identity(world, 1),
    };
    struct gossip *gossip = NULL;

    story_tells(world, 0, "x");
    world_kill(world, 0, VIRTUAL_DAMAGE_NONE);
    options.store = world_store(world, 0);
    assert_int_equal(gossip_create(&options, &gossip), GOSSIP_ERR_FOREIGN);
    assert_null(gossip);
    options.identity = NULL;
    assert_int_equal(gossip_create(&options, &gossip), GOSSIP_ERR_INVALID);
    world_start(world, 0);
    assert_string_equal(story_clock(world, 0), "{n1:1}");
    story_end(story);
}

/* The event queue is the store: it goes on where the application says, also after a restart. */
static void event_cursor(struct story *story)
{
    struct world_options real = {.crypto = WORLD_SODIUM};
    struct world *world = story_begin_with(story, 2, &real);
    struct story_heard heard = {.node = 1};
    struct gossip_options options = {
        .size = sizeof(options),
        .time = gossip_system_time(),
        .identity = world_identity(world, 1),
        .after = 2,
    };
    struct gossip *gossip;
    struct gossip_event event;

    world_set_application(world, story_hear, &heard);
    story_tells(world, 0, "a");
    story_tells(world, 0, "b");
    story_meet(world);
    assert_string_equal(heard.text, "a b");
    story_tells(world, 0, "c");
    story_meet(world);
    world_kill(world, 1, VIRTUAL_DAMAGE_NONE);
    options.store = world_store(world, 1);
    assert_int_equal(gossip_create(&options, &gossip), GOSSIP_OK);
    assert_int_equal(gossip_event_pop(gossip, &event), 1);
    assert_int_equal(event.delivery, 3);
    assert_memory_equal(event.data, "c", 1);
    assert_int_equal(gossip_event_pop(gossip, &event), 0);
    gossip_destroy(gossip);
    world_start(world, 1);
    story_tells(world, 0, "d");
    story_meet(world);
    assert_string_equal(heard.text, "a b c d"); /* Each once, across the restart. */
    story_end(story);
}

LONG_STORY(nothing_is_sent_before_it_is_committed, 5)
STORY(results_after_the_commit)
LONG_STORY(payload_limits, 2)
STORY(full_disk)
STORY(failed_commit_is_an_unknown_commit)
STORY(no_memory)
/* Over memory a store is open while its node is down. */
STORY_OF_MEMORY(store_of_another)
STORY_OF_MEMORY(event_cursor)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(nothing_is_sent_before_it_is_committed),
        STORY_TEST(results_after_the_commit),
        STORY_TEST(payload_limits),
        STORY_TEST(full_disk),
        STORY_TEST(failed_commit_is_an_unknown_commit),
        STORY_TEST(no_memory),
        STORY_TEST(store_of_another),
        STORY_TEST(event_cursor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
