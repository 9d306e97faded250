/*
 * What disks and those who keep them do to a node: power fails, syncs fail, there is no room, it
 * takes for ever, it is set back, it is copied. Whatever was acknowledged is there afterwards, and
 * no seq stands for two events.
 */
#include "tests/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <limits.h>
#include <string.h>
#include <cmocka.h>

enum { RESTARTS = 2000 };

/* Power fails just before an operation of the disk, somewhere in three commits. What was
 * acknowledged is there, one more at most, and the next seq is fresh. */
static void power_fails_at(struct story *story, uint64_t operation, enum virtual_damage damage)
{
    struct world *world = story_begin(story, 2);
    uint64_t acknowledged = story_tells(world, 0, "before");
    uint64_t stored;

    world_crash_at(world, 0, operation, damage);
    for (unsigned i = 0; i < 3 && world_state(world, 0) == WORLD_UP; i++) {
        uint64_t seq = world_tell(world, 0, "meanwhile");

        acknowledged = seq > 0 ? seq : acknowledged;
    }
    world_kill(world, 0, damage); /* Where it has not come to that operation. */
    world_start(world, 0);
    stored = story_have(world, 0, 0);
    assert_in_range(stored, acknowledged, acknowledged + 1);
    assert_int_equal(story_tells(world, 0, "after"), stored + 1);
    story_meet(world);
    assert_int_equal(story_have(world, 1, 0), stored + 1);
    story_end(story);
}

/* D1, D2, D3. */
static void power_fails(struct story *story)
{
    for (enum virtual_damage damage = VIRTUAL_DAMAGE_NONE; damage < VIRTUAL_DAMAGES; damage++) {
        for (uint64_t operation = 1; operation <= 10; operation++)
            power_fails_at(story, operation, damage);
    }
}

struct sent {
    unsigned from;
    uint64_t count;
};

static bool count_sent(void *context, unsigned from, unsigned to,
                       const struct gossip_datagram *datagram)
{
    struct sent *sent = context;

    (void)to;
    (void)datagram;
    sent->count += from == sent->from;
    return false;
}

/* A commit fails: nobody can know whether it will be there. The process ends and says nothing more;
 * after a restart the event is wholly there or not at all. */
static void commit_fails(struct story *story, enum virtual_operation operation, uint64_t times)
{
    struct world *world = story_begin(story, 2);
    struct sent sent = {.from = 0};
    char log[64];
    uint64_t have;

    story_tells(world, 0, "before");
    world_fail_disk(world, 0, operation, 1, times);
    world_set_tap(world, count_sent, &sent);
    assert_int_equal(world_tell(world, 0, "unknown"), 0);
    assert_int_equal(world_state(world, 0), WORLD_DOWN);
    world_run(world, 10 * STORY_SECOND_MS);
    assert_int_equal(sent.count, 0);
    if (times == UINT64_MAX) { /* It cannot count its boot either. */
        world_start(world, 0);
        assert_int_equal(world_state(world, 0), WORLD_DOWN);
        assert_int_equal(sent.count, 0);
    }
    world_fail_disk(world, 0, operation, 0, 0);
    world_start(world, 0);
    have = story_have(world, 0, 0);
    assert_in_range(have, 1, 2);
    strcpy(log, story_log(world, 0));
    assert_string_equal(log, have == 1 ? "before" : "before unknown");
    assert_int_equal(story_tells(world, 0, "after"), have + 1);
    story_meet(world);
    strcpy(log, story_log(world, 0));
    assert_string_equal(story_log(world, 1), log);
    story_end(story);
}

/* D5. */
static void sync_fails(struct story *story)
{
    commit_fails(story, VIRTUAL_SYNC, 1);
    commit_fails(story, VIRTUAL_SYNC, UINT64_MAX);
}

/* D6. */
static void write_fails(struct story *story)
{
    commit_fails(story, VIRTUAL_WRITE, 1);
    commit_fails(story, VIRTUAL_WRITE, UINT64_MAX);
}

/* D6: what cannot be read is not made up. Once it can be, everything is there. */
static void read_fails(struct story *story)
{
    struct world *world = story_begin(story, 2);

    story_tells(world, 0, "before");
    world_kill(world, 0, VIRTUAL_DAMAGE_NONE);
    world_fail_disk(world, 0, VIRTUAL_READ, 1, UINT64_MAX);
    world_start(world, 0);
    assert_int_equal(world_state(world, 0), WORLD_DOWN);
    world_fail_disk(world, 0, VIRTUAL_READ, 0, 0);
    world_start(world, 0);
    assert_string_equal(story_log(world, 0), "before");
    assert_int_equal(story_tells(world, 0, "after"), 2);
    story_meet(world);
    story_end(story);
}

/* D7: the disk is full for a minute. Until there is room nothing is written, neither its own events
 * nor others', but it goes on answering; then it goes on by itself. */
static void full_for_a_minute(struct story *story)
{
    struct world *world = story_begin(story, 2);
    uint64_t boot = story_stats(world, 0).boot;
    struct sent sent = {.from = 0};

    story_tells(world, 0, "before");
    story_meet(world);
    world_fill_disk(world, 0, 0);
    assert_int_equal(world_tell(world, 0, "refused"), 0);
    assert_true(story_stats(world, 0).read_only);
    story_tells(world, 1, "there");
    world_set_tap(world, count_sent, &sent);
    world_run(world, STORY_MINUTE_MS);
    assert_true(sent.count > 0);
    assert_string_equal(story_clock(world, 0), "{n1:1}");
    assert_string_equal(story_clock(world, 1), "{n1:1 n2:1}");
    world_fill_disk(world, 0, UINT64_MAX);
    assert_true(world_run_until(world, story_in_step, 2 * STORY_MINUTE_MS));
    assert_false(story_stats(world, 0).read_only);
    assert_int_equal(story_stats(world, 0).boot, boot);
    assert_string_equal(story_clock(world, 0), "{n1:1 n2:1}");
    assert_int_equal(story_tells(world, 0, "after"), 2);
    story_meet(world);
    assert_string_equal(story_log(world, 1), "before there after");
    story_end(story);
}

/* D7: as there is no room for a boot to be counted, it does not start; when there is, it does. */
static void full_at_start(struct story *story)
{
    struct world_options options = {.stopped = true};
    struct world *world = story_begin_with(story, 2, &options);

    world_fill_disk(world, 0, 0);
    world_start(world, 0);
    world_start(world, 1);
    assert_int_equal(world_state(world, 0), WORLD_DOWN);
    world_fill_disk(world, 0, UINT64_MAX);
    world_start(world, 0);
    assert_int_equal(story_tells(world, 0, "one"), 1);
    story_meet(world);
    world_stop(world, 0);
    world_fill_disk(world, 0, 0);
    world_start(world, 0);
    assert_int_equal(world_state(world, 0), WORLD_DOWN);
    world_fill_disk(world, 0, UINT64_MAX);
    world_start(world, 0);
    assert_string_equal(story_clock(world, 0), "{n1:1}");
    assert_int_equal(story_tells(world, 0, "two"), 2);
    story_meet(world);
    story_end(story);
}

/* D17: each sync takes a second. Everything is late, and right. */
static void slow_disk(struct story *story)
{
    struct world *world = story_begin(story, 3);

    world_slow_disk(world, 0, STORY_SECOND_MS);
    for (unsigned i = 0; i < 10; i++) {
        assert_true(world_publish(world, i % 3, "slowly", 6));
        world_run(world, 500);
    }
    assert_true(world_run_until(world, story_in_step, STORY_MINUTE_MS));
    assert_string_equal(story_clock(world, 0), "{n1:4 n2:3 n3:3}");
    story_end(story);
}

/* D17: one sync takes half a minute. What has come meanwhile is dealt with once; no timer makes up
 * for what it has missed. */
static void stalled_disk(struct story *story)
{
    struct world *world = story_begin(story, 3);
    struct sent sent = {.from = 0};

    world_slow_disk(world, 0, 30 * STORY_SECOND_MS);
    assert_true(world_publish(world, 0, "stalls", 6));
    world_run(world, 100);
    world_slow_disk(world, 0, 0);
    for (unsigned i = 0; i < 20; i++) {
        story_tells(world, 1 + i % 2, "goes on");
        world_run(world, STORY_SECOND_MS);
    }
    world_run(world, 9 * STORY_SECOND_MS);
    world_set_tap(world, count_sent, &sent);
    world_run(world, 5 * STORY_SECOND_MS);
    assert_in_range(sent.count, 1, 40);
    assert_true(world_run_until(world, story_in_step, STORY_MINUTE_MS));
    assert_string_equal(story_clock(world, 0), "{n1:1 n2:10 n3:10}");
    story_end(story);
}

/* D22: two thousand restarts. Only the boots are counted; the clock does not grow. */
static void restart_storm(struct story *story)
{
    struct world *world = story_begin(story, 2);
    uint64_t boot;

    story_tells(world, 0, "before");
    story_tells(world, 1, "before");
    story_meet(world);
    boot = story_stats(world, 0).boot;
    for (unsigned i = 0; i < RESTARTS; i++) {
        world_kill(world, 0, (enum virtual_damage)(i % VIRTUAL_DAMAGES));
        world_start(world, 0);
        world_run(world, i % 20);
    }
    assert_int_equal(story_stats(world, 0).boot, boot + RESTARTS);
    assert_string_equal(story_clock(world, 0), "{n1:1 n2:1}");
    assert_int_equal(gossip_author_count(world_gossip(world, 0)), 2);
    assert_int_equal(story_tells(world, 0, "after"), 2);
    story_meet(world);
    assert_string_equal(story_clock(world, 1), "{n1:2 n2:1}");
    story_end(story);
}

/* Loses the first large datagram to n1. */
static bool lose_large(void *context, unsigned from, unsigned to,
                       const struct gossip_datagram *datagram)
{
    bool *is_lost = context;

    (void)from;
    if (*is_lost || to != 0 || datagram->size < 800)
        return false;
    *is_lost = true;
    return true;
}

static uint64_t own_held(struct world *world, unsigned node)
{
    struct gossip *gossip = world_gossip(world, node);
    struct gossip_author author;

    assert_int_equal(gossip_author(gossip, gossip_self(gossip), &author), GOSSIP_OK);
    return author.held;
}

/* S27, D13: a node is set back to its backup. What it had published since comes back from its
 * peers. Where it comes before what it answered, it waits for that as any event does, and as long
 * nothing is published: the seq that follows in the store is taken. Then it goes on with a fresh
 * one. */
static void restored_backup(struct story *story)
{
    struct world *world = story_begin(story, 2);
    struct world_stats before;
    struct world_stats after;
    bool is_lost = false;
    char question[800];

    memset(question, '?', sizeof(question));
    for (unsigned i = 1; i <= 100; i++)
        story_tells(world, 0, "old");
    story_meet(world);
    world_stop(world, 0);
    world_backup(world, 0);
    world_start(world, 0);
    assert_true(world_publish(world, 1, question, sizeof(question)));
    story_await(world, 0, 1, 1);
    for (unsigned i = 101; i <= 150; i++)
        story_tells(world, 0, "new");
    story_meet(world);
    world_kill(world, 0, VIRTUAL_DAMAGE_NONE);
    assert_true(world_restore(world, 0));
    world_start(world, 0);
    assert_string_equal(story_clock(world, 0), "{n1:100}");
    world_set_tap(world, lose_large, &is_lost);
    for (unsigned i = 0; own_held(world, 0) == 0 && i < STORY_MINUTE_MS; i++)
        world_run(world, 1);
    assert_true(is_lost);
    assert_string_equal(story_clock(world, 0), "{n1:100}");
    world_stats(world, &before);
    assert_int_equal(world_tell(world, 0, "too early"), 0);
    world_stats(world, &after);
    assert_int_equal(after.refused, before.refused + 1);
    story_await(world, 0, 0, 150);
    assert_int_equal(story_tells(world, 0, "next"), 151);
    story_meet(world);
    assert_string_equal(story_event_clock(world, 1, 0, 151), "{n1:151 n2:1}");
    story_end(story);
}

/* D13: nobody is there to ask. What nobody has seen is gone, and it goes on from what it has. */
static void restored_alone(struct story *story)
{
    struct world_options options = {.unchecked = true}; /* The record has one content a dot. */
    struct world *world = story_begin_with(story, 1, &options);

    story_tells(world, 0, "old");
    world_stop(world, 0);
    world_backup(world, 0);
    world_start(world, 0);
    story_tells(world, 0, "forgotten");
    world_kill(world, 0, VIRTUAL_DAMAGE_NONE);
    assert_true(world_restore(world, 0));
    world_start(world, 0);
    assert_string_equal(story_log(world, 0), "old");
    assert_int_equal(story_tells(world, 0, "next"), 2);
    assert_string_equal(story_log(world, 0), "old next");
    story_end(story);
}

/* S28, D14: a directory is copied, and both run. Peers take the two for one node that comes and
 * goes, so that one of them may be shut out; the others have everything, and once the copy is gone,
 * so does the original. */
static void silent_clone(struct story *story)
{
    struct world_options options = {.unchecked = true}; /* The record has one node an author. */
    struct world *world = story_begin_with(story, 3, &options);
    unsigned clone;

    story_tells(world, 0, "before");
    story_meet(world);
    world_stop(world, 0);
    clone = world_clone(world, 0);
    assert_int_not_equal(clone, UINT_MAX);
    world_start(world, 0);
    world_start(world, clone);
    world_run(world, 20 * STORY_SECOND_MS);
    story_tells(world, 0, "original");
    story_tells(world, 1, "other");
    story_tells(world, 2, "another");
    world_run(world, 2 * STORY_MINUTE_MS);
    assert_int_equal(story_have(world, 1, 2), 1);
    assert_int_equal(story_have(world, 2, 1), 1);
    world_stop(world, clone);
    story_meet(world);
    for (unsigned i = 0; i < 3; i++)
        assert_string_equal(story_clock(world, i), "{n1:2 n2:1 n3:1}");
    story_end(story);
}

/* S28, D14: both publish, which makes two contents of one dot. The other nodes each keep the one
 * that came first, and go on with each other: what honest authors write comes to every honest node.
 * Nothing settles yet which of the two counts. */
static void clone_that_publishes(struct story *story)
{
    struct world_options options = {.unchecked = true}; /* The record has one content a dot. */
    struct world *world = story_begin_with(story, 3, &options);
    unsigned clone;

    story_tells(world, 0, "before");
    story_meet(world);
    world_stop(world, 0);
    clone = world_clone(world, 0);
    assert_int_not_equal(clone, UINT_MAX);
    world_start(world, 0);
    world_start(world, clone);
    world_run(world, 20 * STORY_SECOND_MS);
    story_tells(world, 0, "original");
    story_tells(world, clone, "copy");
    world_run(world, 20 * STORY_SECOND_MS);
    story_tells(world, 1, "other");
    story_tells(world, 2, "another");
    world_run(world, 2 * STORY_MINUTE_MS);
    for (unsigned i = 0; i <= clone; i++) {
        const char *log = story_log(world, i);

        assert_non_null(strstr(log, "before"));
        assert_false(strstr(log, "original") != NULL && strstr(log, "copy") != NULL);
    }
    assert_int_equal(story_have(world, 1, 2), 1);
    assert_int_equal(story_have(world, 2, 1), 1);
    story_end(story);
}

STORY_OF_DISKS(power_fails)
STORY_OF_DISKS(sync_fails)
STORY_OF_DISKS(write_fails)
STORY_OF_DISKS(read_fails)
STORY_OF_DISKS(full_for_a_minute)
STORY_OF_DISKS(full_at_start)
STORY_OF_DISKS(slow_disk)
STORY_OF_DISKS(stalled_disk)
LONG_STORY(restart_storm, 1)
STORY_OF_DISKS(restored_backup)
STORY_OF_DISKS(restored_alone)
STORY_OF_DISKS(silent_clone)
STORY_OF_DISKS(clone_that_publishes)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(power_fails),
        STORY_TEST(sync_fails),
        STORY_TEST(write_fails),
        STORY_TEST(read_fails),
        STORY_TEST(full_for_a_minute),
        STORY_TEST(full_at_start),
        STORY_TEST(slow_disk),
        STORY_TEST(stalled_disk),
        STORY_TEST(restart_storm),
        STORY_TEST(restored_backup),
        STORY_TEST(restored_alone),
        STORY_TEST(silent_clone),
        STORY_TEST(clone_that_publishes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
