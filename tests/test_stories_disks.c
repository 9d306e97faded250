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
#include <stdio.h>
#include <stdlib.h>
#include <limits.h>
#include <string.h>
#include <cmocka.h>

#include "cmd/lab/standin.h"
#include "cmd/lab/world_state.h"
#include "gossip/amnesia.h"
#include "gossip/datagram.h"

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

static void count_full(void *context, uint64_t time_ms, const char *line)
{
    static const char notice[] = "n1 notices: disk-full";

    (void)time_ms;
    if (strncmp(line, notice, sizeof(notice) - 1) == 0)
        ++*(unsigned *)context;
}

/* D7: there is room for what is tried, and none for what is to be written: the node does not take
 * the disk for freed again and again, but more and more rarely, and once a minute in the end. */
static void full_for_what_is_large(struct story *story)
{
    static char large[60000];
    struct world *world = story_begin(story, 2);
    unsigned full = 0;

    story_tells(world, 0, "before");
    story_meet(world);
    world_set_narrator(world, count_full, &full);
    world_fill_disk(world, 0, 40000);
    for (unsigned i = 0; i < 300; i++) {
        world_publish(world, 0, large, sizeof(large));
        world_run(world, STORY_SECOND_MS);
    }
    assert_in_range(full, 2, 12);
    assert_string_equal(story_clock(world, 0), "{n1:1}");
    world_fill_disk(world, 0, UINT64_MAX);
    world_run(world, STORY_MINUTE_MS);
    assert_false(story_stats(world, 0).read_only);
    assert_int_equal(story_tells(world, 0, "after"), 2);
    story_meet(world);
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

/* How many epochs of node are known there. */
static unsigned epochs(struct world *world, unsigned node)
{
    struct gossip *gossip = world_gossip(world, node);
    unsigned count = 0;

    for (uint32_t i = 0; i < gossip_author_count(gossip); i++) {
        struct gossip_author author;

        assert_int_equal(gossip_author(gossip, i, &author), GOSSIP_OK);
        count += author.is_own;
    }
    return count;
}

static struct gossip_start start_of(struct world *world, unsigned node)
{
    struct gossip_start start;

    gossip_start_state(world_gossip(world, node), &start);
    return start;
}

/* S27, D13: a node is set back to its backup, by somebody who copies files or as a whole machine,
 * which nothing on it can tell. What it had published since comes back from its peers under the old
 * epoch, and what it publishes next is in a new one. Riak's issue 679: a node that counts on from
 * what it remembers makes others' data disappear. */
static void set_back(struct story *story, bool by_copying, unsigned lost)
{
    struct world *world = story_begin(story, 3);
    struct gossip_author author;
    struct gossip *gossip;

    for (unsigned i = 1; i <= 100; i++)
        story_tells(world, 0, "old");
    story_meet(world);
    world_stop(world, 0);
    world_backup(world, 0);
    world_start(world, 0);
    story_tells(world, 1, "question");
    story_await(world, 0, 1, 1);
    for (unsigned i = 0; i < lost; i++) {
        story_tells(world, 0, "new");
        world_run(world, i % 100 == 99 ? 10 : 0);
    }
    story_meet(world);
    world_kill(world, 0, VIRTUAL_DAMAGE_NONE);
    assert_true(by_copying ? world_copy_back(world, 0) : world_restore(world, 0));
    world_start(world, 0);
    assert_string_equal(story_clock(world, 0), "{n1:100}");
    assert_int_equal(start_of(world, 0).evidence, by_copying ? GOSSIP_EVIDENCE_MOVED : 0);
    assert_int_not_equal(start_of(world, 0).state, GOSSIP_START_READY);
    /* What is published at once waits until all that is known of it is back. */
    assert_true(world_publish(world, 0, "next", 4));
    world_run(world, 20 * STORY_SECOND_MS);
    story_meet(world);
    gossip = world_gossip(world, 0);
    assert_int_equal(epochs(world, 0), 2);
    assert_int_equal(gossip_author(gossip, gossip_self(gossip), &author), GOSSIP_OK);
    assert_int_equal(author.have, 2); /* The opening, and what was asked for. */
    for (unsigned i = 0; i < 3; i++) {
        struct gossip *there = world_gossip(world, i);
        struct gossip_event event;
        uint32_t old = UINT32_MAX;
        uint32_t young = UINT32_MAX;

        for (uint32_t j = 0; j < gossip_author_count(there); j++) {
            struct gossip_author known;

            assert_int_equal(gossip_author(there, j, &known), GOSSIP_OK);
            if (memcmp(known.id, author.id, sizeof(known.id)) == 0)
                young = j;
            else if (memcmp(known.key, author.key, sizeof(known.key)) == 0)
                old = j;
        }
        assert_int_equal(gossip_event_get(there, (struct gossip_dot){young, 1}, &event), GOSSIP_OK);
        assert_int_equal(event.kind, GOSSIP_EVENT_EPOCH_OPEN);
        assert_int_equal(gossip_vclock_get(event.clock, old), 100 + lost);
        assert_int_equal(gossip_event_get(there, (struct gossip_dot){young, 2}, &event), GOSSIP_OK);
        assert_memory_equal(event.data, "next", 4);
        assert_int_equal(gossip_vclock_get(event.clock, old), 100 + lost);
    }
    /* An ordinary restart goes on where it was. */
    for (unsigned i = 0; i < 5; i++) {
        world_kill(world, 0, VIRTUAL_DAMAGE_LOST);
        world_start(world, 0);
        assert_int_equal(epochs(world, 0), 2);
        assert_int_equal(start_of(world, 0).evidence, 0);
    }
    assert_int_equal(story_tells(world, 0, "on"), 3);
    story_meet(world);
    story_end(story);
}

static void restored_backup(struct story *story)
{
    set_back(story, true, 50);
}

static void restored_machine(struct story *story)
{
    set_back(story, false, 50);
}

/* The same where the backup is one event old, and where it is many. */
static void restored_one_event_old(struct story *story)
{
    set_back(story, story->seed % 2 == 0, 1);
}

static void restored_many_events_old(struct story *story)
{
    if (story->seed <= 2)
        set_back(story, story->seed % 2 == 0, story_is_short() ? 500 : 10000);
}

/* D13, D7: a node that was set back hears from its peers of how many boots it has had. A full disk,
 * over which it is made again, takes that from it neither in this boot nor in the next. */
static void boots_are_heard_of(struct story *story)
{
    struct world_options options = {.unchecked = true};
    struct world *world = story_begin_with(story, 3, &options);
    uint64_t boots;

    story_tells(world, 0, "old");
    story_meet(world);
    world_stop(world, 0);
    world_backup(world, 0);
    for (unsigned i = 0; i < 5; i++) {
        world_start(world, 0);
        story_meet(world);
        world_stop(world, 0);
    }
    world_start(world, 0);
    story_meet(world);
    boots = story_stats(world, 0).boot;
    world_kill(world, 0, VIRTUAL_DAMAGE_NONE);
    assert_true(world_restore(world, 0));
    world_start(world, 0);
    assert_true(story_stats(world, 0).boot < boots);
    while (start_of(world, 0).state != GOSSIP_START_READY && world_is_sound(world))
        world_run(world, 100);
    assert_int_equal(start_of(world, 0).evidence, GOSSIP_EVIDENCE_BOOT);
    world_fill_disk(world, 0, 0);
    assert_int_equal(world_tell(world, 0, "refused"), 0);
    assert_true(story_stats(world, 0).read_only);
    assert_int_equal(start_of(world, 0).evidence, GOSSIP_EVIDENCE_BOOT);
    world_fill_disk(world, 0, UINT64_MAX);
    while (story_stats(world, 0).read_only && world_is_sound(world))
        world_run(world, 100);
    story_tells(world, 0, "next");
    assert_int_equal(epochs(world, 0), 2);
    story_meet(world);
    world_stop(world, 0);
    world_start(world, 0);
    assert_int_equal(story_stats(world, 0).boot, boots + AMNESIA_BOOTS_FORGOTTEN + 1);
    story_meet(world);
    assert_int_equal(start_of(world, 0).evidence, 0);
    assert_int_equal(story_tells(world, 0, "on"), 3);
    assert_int_equal(epochs(world, 0), 2);
    story_end(story);
}

/* The same while the disk is full from the start of the wait to its end: it is told then, and until
 * then nothing is lost of what it could not save. */
static void boots_are_heard_of_without_room(struct story *story)
{
    struct world *world = story_begin(story, 2);
    uint64_t boots;
    uint64_t boot;

    story_tells(world, 0, "old");
    story_meet(world);
    world_stop(world, 0);
    world_backup(world, 0);
    for (unsigned i = 0; i < 5; i++) {
        world_start(world, 0);
        story_meet(world);
        world_stop(world, 0);
    }
    world_start(world, 0);
    story_meet(world);
    boots = story_stats(world, 0).boot;
    world_kill(world, 0, VIRTUAL_DAMAGE_NONE);
    assert_true(world_restore(world, 0));
    world_start(world, 0);
    boot = story_stats(world, 0).boot;
    world_fill_disk(world, 0, 0);
    world_run(world, STORY_MINUTE_MS);
    assert_int_equal(world_state(world, 0), WORLD_UP);
    assert_int_equal(story_stats(world, 0).boot, boot);
    world_fill_disk(world, 0, UINT64_MAX);
    world_run(world, 2 * STORY_MINUTE_MS);
    assert_false(story_stats(world, 0).read_only);
    assert_int_equal(start_of(world, 0).evidence, GOSSIP_EVIDENCE_BOOT);
    story_tells(world, 0, "next");
    assert_int_equal(epochs(world, 0), 2);
    world_stop(world, 0);
    world_start(world, 0);
    assert_int_equal(story_stats(world, 0).boot, boots + AMNESIA_BOOTS_FORGOTTEN + 1);
    story_meet(world);
    story_end(story);
}

/* The first node is backed up, and then the other hears of three boots of it. They are parted, and
 * the first is down. */
static void back_up_and_go_on(struct world *world)
{
    story_tells(world, 0, "old");
    story_meet(world);
    world_stop(world, 0);
    world_backup(world, 0);
    for (unsigned i = 0; i < 3; i++) {
        world_start(world, 0);
        story_meet(world);
        world_stop(world, 0);
    }
    world_split(world, 1);
}

/* D13: nobody is there to ask, and nothing on the machine tells. Whoever is met afterwards has
 * heard of a later boot: what may have been written in that is unknown, so a new epoch opens. */
static void boot_is_heard_of_late(struct story *story)
{
    struct world *world = story_begin(story, 2);

    back_up_and_go_on(world);
    assert_true(world_restore(world, 0));
    world_start(world, 0);
    story_tells(world, 0, "alone");
    assert_int_equal(epochs(world, 0), 1);
    assert_int_equal(start_of(world, 0).evidence, 0);
    story_meet(world);
    world_run(world, STORY_MINUTE_MS);
    assert_int_equal(start_of(world, 0).evidence, GOSSIP_EVIDENCE_BOOT);
    story_tells(world, 0, "next");
    assert_int_equal(epochs(world, 0), 2);
    story_meet(world);
    assert_string_equal(story_log(world, 1), "old alone  next");
    story_end(story);
}

/* The same node meets one who has heard it under a later boot when it has opened its epoch: what
 * was written before that is no matter any more. */
static void boot_is_heard_of_after_the_epoch(struct story *story)
{
    struct world *world = story_begin(story, 2);

    back_up_and_go_on(world);
    assert_true(world_copy_back(world, 0));
    world_start(world, 0);
    story_tells(world, 0, "alone");
    assert_int_equal(epochs(world, 0), 2);
    story_meet(world);
    world_run(world, STORY_MINUTE_MS);
    assert_int_equal(start_of(world, 0).evidence, 0);
    assert_int_equal(story_tells(world, 0, "next"), 3);
    assert_int_equal(epochs(world, 0), 2);
    story_end(story);
}

/* Nor in a later boot: it counts on from past all boots that it can have forgotten. */
static void boot_is_heard_of_after_a_restart(struct story *story)
{
    struct world *world = story_begin(story, 2);

    back_up_and_go_on(world);
    assert_true(world_copy_back(world, 0));
    world_start(world, 0);
    story_tells(world, 0, "alone");
    assert_int_equal(epochs(world, 0), 2);
    world_stop(world, 0);
    world_start(world, 0);
    story_meet(world);
    world_run(world, STORY_MINUTE_MS);
    assert_int_equal(start_of(world, 0).evidence, 0);
    assert_int_equal(story_tells(world, 0, "next"), 3);
    assert_int_equal(epochs(world, 0), 2);
    story_end(story);
}

/* Header and root of the database are gone, and the node is rebuilt of nothing. */
static void lose_everything(struct world *world, unsigned node)
{
    world_stop(world, node);
    for (uint64_t i = 0; i < 4096; i++)
        assert_true(virtual_disk_flip(world_disk(world, node), "node.db", i, (unsigned)(i % 8)));
    world->nodes[node].is_flipped = true;
    world_start(world, node);
}

/* D10: who is rebuilt of nothing writes as an author of whom nobody has heard, and is told its
 * boots all the same: else it would hear of them later, once more and once more. */
static void boots_are_heard_of_by_a_new_author(struct story *story)
{
    struct world *world = story_begin(story, 2);

    story_tells(world, 1, "old");
    story_meet(world);
    lose_everything(world, 1);
    story_meet(world);
    assert_int_equal(story_tells(world, 1, "first"), 2);
    for (unsigned i = 0; i < 3; i++) {
        world_stop(world, 1);
        world_start(world, 1);
        story_meet(world);
    }
    lose_everything(world, 1);
    story_meet(world);
    assert_int_equal(story_tells(world, 1, "second"), 2);
    world_stop(world, 1);
    world_start(world, 1);
    story_meet(world);
    world_run(world, STORY_MINUTE_MS);
    assert_int_equal(start_of(world, 1).evidence, 0);
    assert_int_equal(story_tells(world, 1, "next"), 3);
    story_end(story);
}

static uint64_t datagrams_in(struct world *world, uint64_t ms)
{
    struct virtual_network_stats before, after;

    virtual_network_stats(world_network(world), &before);
    world_run(world, ms);
    virtual_network_stats(world_network(world), &after);
    return after.sent - before.sent;
}

/* D10: an event is lost with all who had it, and the third node holds back one that had seen it: it
 * asks for it now and then, and everybody falls quiet all the same. */
static void waiting_for_what_is_lost(struct story *story)
{
    struct world *world = story_begin(story, 3);
    struct gossip_stats stats = {.held_events = 0};

    story_meet(world);
    world_isolate(world, 2);
    story_tells(world, 0, "cause");
    world_run(world, 1000);
    world_rejoin(world, 2);
    world_cut(world, 0, 2);
    world_cut(world, 2, 0);
    world_cut(world, 2, 1); /* What it asks for does not get there. */
    for (unsigned i = 0; i < 10 && stats.held_events == 0; i++) {
        story_tells(world, 1, "effect");
        world_run(world, 100);
        gossip_stats(world_gossip(world, 2), &stats);
    }
    assert_in_range(stats.held_events, 1, 10);
    lose_everything(world, 0);
    lose_everything(world, 1);
    world_heal(world);
    world_run(world, 3 * STORY_MINUTE_MS);
    gossip_stats(world_gossip(world, 2), &stats);
    assert_in_range(stats.held_events, 1, 10);
    /* Each asks one peer every half minute, the third one more, in two minutes. */
    assert_in_range(datagrams_in(world, 2 * STORY_MINUTE_MS), 12, 48);
    story_end(story);
}

static int take_author_with_events(void *context, const struct gossip_record *record)
{
    if (record->kind == GOSSIP_RECORD_AUTHOR && record->as.author.have > 0)
        *(struct gossip_record *)context = *record;
    return 0;
}

/* D10: a flipped bit has put a floor under events that are all kept. */
static void floor_under_what_is_kept(struct story *story)
{
    struct world *world = story_begin(story, 2);
    struct gossip_record author = {.kind = GOSSIP_RECORD_META};
    struct world_node *node = &world->nodes[1];
    struct gossip_store *store;
    struct gossip *gossip;
    struct gossip_options options = {.size = sizeof(options),
                                     .time = &node->time,
                                     .identity = node->identity,
                                     .crypto = world->crypto};

    story_tells(world, 0, "one");
    story_tells(world, 0, "two");
    story_meet(world);
    world_stop(world, 1);
    assert_int_equal(
        virtual_disk_open_store(node->disk, WORLD_STORE_NAME, GOSSIP_SQLITE_OPEN, NULL, 0, &store),
        GOSSIP_OK);
    assert_int_equal(store->ops->load(store, take_author_with_events, &author), 0);
    assert_true(author.as.author.have == 2 && author.as.author.floor == 0);
    author.as.author.floor = 1;
    assert_int_equal(store->ops->save(store, &author, 1), GOSSIP_OK);
    options.store = store;
    assert_int_equal(gossip_create(&options, &gossip), GOSSIP_ERR_DAMAGED);
    author.as.author.floor = 0;
    assert_int_equal(store->ops->save(store, &author, 1), GOSSIP_OK);
    store->ops->close(store);
    world_start(world, 1);
    story_meet(world);
    story_end(story);
}

static int refuse_side(struct gossip_store *store, const struct gossip_side *side)
{
    (void)store;
    (void)side;
    return GOSSIP_ERR_FULL;
}

/* D7: a node that has to open an epoch has room for its events, and none for the side file that
 * names it. Nothing is written, it runs on, and does so when there is room. */
static void no_room_for_the_side_file(struct story *story)
{
    static struct gossip_store_ops ops;
    struct world *world = story_begin(story, 2);
    const struct gossip_store_ops *before;
    struct gossip_store *store;

    story_tells(world, 0, "old");
    story_meet(world);
    world_stop(world, 0);
    world_backup(world, 0);
    assert_true(world_copy_back(world, 0));
    world_start(world, 0);
    story_meet(world);
    store = &world->nodes[0].watched.base;
    before = store->ops;
    ops = *before;
    ops.write_side = refuse_side;
    store->ops = &ops;
    assert_int_equal(world_tell(world, 0, "refused"), 0);
    assert_int_equal(world_state(world, 0), WORLD_UP);
    assert_true(story_stats(world, 0).read_only);
    assert_int_equal(epochs(world, 0), 1);
    store->ops = before;
    while (story_stats(world, 0).read_only && world_is_sound(world))
        world_run(world, 100);
    assert_int_equal(story_tells(world, 0, "next"), 2);
    assert_int_equal(epochs(world, 0), 2);
    story_meet(world);
    assert_string_equal(story_log(world, 1), "old  next");
    story_end(story);
}

/* D13: nobody is there to ask. What nobody has seen is gone; it goes on under a new epoch all the
 * same, as soon as it has waited. */
static void restored_alone(struct story *story)
{
    struct world *world = story_begin(story, 2);
    uint64_t began;

    story_tells(world, 0, "old");
    story_meet(world);
    world_stop(world, 1);
    world_stop(world, 0);
    world_backup(world, 0);
    world_start(world, 0);
    story_tells(world, 0, "forgotten");
    world_kill(world, 0, VIRTUAL_DAMAGE_NONE);
    assert_true(world_copy_back(world, 0));
    world_start(world, 0);
    began = world_now(world);
    assert_int_equal(story_tells(world, 0, "next"), 2);
    assert_true(world_now(world) - began >= GOSSIP_ALONE_AFTER_MS);
    assert_int_equal(epochs(world, 0), 2);
    assert_string_equal(story_log(world, 0), "old  next");
    world_start(world, 1);
    story_meet(world);
    assert_string_equal(story_log(world, 1), "old  next");
    story_end(story);
}

/* D13: what it had said turns up only after it has gone on: it is of the old epoch, and in nobody's
 * way. */
static void restored_and_peers_come_later(struct story *story)
{
    struct world *world = story_begin(story, 3);

    story_tells(world, 0, "old");
    story_meet(world);
    world_stop(world, 0);
    world_backup(world, 0);
    world_start(world, 0);
    story_tells(world, 0, "remembered");
    story_meet(world);
    world_kill(world, 0, VIRTUAL_DAMAGE_NONE);
    story_part_all(world);
    assert_true(world_copy_back(world, 0));
    world_start(world, 0);
    story_tells(world, 0, "next");
    story_meet(world);
    world_run(world, STORY_MINUTE_MS);
    for (unsigned i = 0; i < 3; i++) {
        assert_non_null(strstr(story_log(world, i), "remembered"));
        assert_non_null(strstr(story_log(world, i), "next"));
        assert_string_equal(story_log(world, i), story_log(world, 0));
    }
    story_end(story);
}

/* A node that only starts again never opens an epoch, whatever was lost of what it had not synced,
 * and does not wait for long where somebody answers. */
static void restart_keeps_its_epoch(struct story *story)
{
    struct world *world = story_begin(story, 2);

    for (unsigned i = 1; i <= 12; i++) {
        uint64_t began;

        assert_int_equal(story_tells(world, 0, "event"), i);
        if (i % 3 == 0)
            world_stop(world, 0);
        else
            world_kill(world, 0, (enum virtual_damage)(i % VIRTUAL_DAMAGES));
        world_start(world, 0);
        began = world_now(world);
        while (start_of(world, 0).state != GOSSIP_START_READY && world_is_sound(world))
            world_run(world, 10);
        assert_true(world_now(world) - began < 5 * STORY_SECOND_MS);
    }
    assert_int_equal(epochs(world, 0), 1);
    story_meet(world);
    story_end(story);
}

/* ---- Riak's issue 679: https://github.com/basho/riak_kv/issues/679 ---- */

enum {
    RIAK_KEPT = 5, /* Events of n1 before its state was lost back to there, */
    RIAK_LOST = 7, /* and after. */
};

static int save_one(void *context, const struct gossip_record *record)
{
    struct gossip_store *copy = context;

    return copy->ops->save(copy, record, 1);
}

/* What a memory store holds now, as another one. */
static struct gossip_store *copy_memory(struct gossip_store *store)
{
    struct gossip_store *copy;

    assert_int_equal(gossip_memory_open(&copy), GOSSIP_OK);
    assert_int_equal(store->ops->load(store, save_one, copy), 0);
    assert_int_equal(store->ops->follow(store, 0, save_one, copy), 0);
    return copy;
}

/* n1 publishes, and then loses what it has published since it began. What it had said is with the
 * others. by_copying as in set_back(), where there are files. */
static void lose_state(struct story *story, bool by_copying)
{
    struct world *world = story->world;
    struct gossip_store *copy = NULL;

    for (unsigned i = 0; i < RIAK_KEPT; i++)
        story_tells(world, 0, "kept");
    story_meet(world);
    world_stop(world, 0);
    if (story->store == WORLD_MEMORY)
        copy = copy_memory(world_store(world, 0));
    else
        world_backup(world, 0);
    world_start(world, 0);
    for (unsigned i = 0; i < RIAK_LOST; i++)
        story_tells(world, 0, "lost");
    story_meet(world);
    world_kill(world, 0, VIRTUAL_DAMAGE_NONE);
    if (copy == NULL) {
        assert_true(by_copying ? world_copy_back(world, 0) : world_restore(world, 0));
        return;
    }
    world_store(world, 0)->ops->close(world_store(world, 0));
    world->nodes[0].store = copy;
    world->nodes[0].disk_is = CHECKER_SET_BACK_UNSEEN;
}

/* How many events with this payload node shows, and the dot of the last. */
static unsigned find_events(struct world *world, unsigned node, const char *payload,
                            struct gossip_dot *ret_dot)
{
    struct gossip_event event;
    struct gossip_log *log;
    unsigned count = 0;

    assert_int_equal(gossip_log_open(world_gossip(world, node), GOSSIP_LOG_EVENTS, &log),
                     GOSSIP_OK);
    while (gossip_log_next(log, &event) == 1) {
        if (event.size != strlen(payload) || memcmp(event.data, payload, event.size) != 0)
            continue;
        count++;
        *ret_dot = event.dot;
    }
    gossip_log_close(log);
    return count;
}

/* Everything that n1 ever wrote is shown at every node, each event once; and what it wrote last has
 * a place of its own: with has_asked, after all that it had forgotten, and else beside it. In Riak
 * it came before that, and was thrown away. */
static void nothing_is_dominated(struct story *story, bool has_asked)
{
    struct world *world = story->world;

    for (unsigned i = 0; i < 3; i++) {
        struct gossip *gossip = world_gossip(world, i);
        enum gossip_relation relation;
        struct gossip_dot written;
        struct gossip_dot lost;
        struct gossip_dot kept;

        assert_int_equal(find_events(world, i, "kept", &kept), RIAK_KEPT);
        assert_int_equal(find_events(world, i, "lost", &lost), RIAK_LOST);
        assert_int_equal(find_events(world, i, "written", &written), 1);
        assert_int_not_equal(written.author, lost.author);
        assert_int_equal(gossip_relation(gossip, written, lost, &relation), GOSSIP_OK);
        assert_int_equal(relation, has_asked ? GOSSIP_AFTER : GOSSIP_CONCURRENT);
        assert_int_equal(gossip_relation(gossip, written, kept, &relation), GOSSIP_OK);
        assert_int_equal(relation, GOSSIP_AFTER);
    }
}

/* A node that has lost a part of its state, by corruption or by somebody's mistake, starts again
 * and is written to. There, its counter went on from what was left; the others' clocks covered that
 * number; and the write, acknowledged, was repaired out of existence. */
static void riak_679(struct story *story)
{
    struct world *world = story_begin(story, 3);

    lose_state(story, story->seed % 2 == 0);
    world_start(world, 0);
    assert_true(world_publish(world, 0, "written", 7));
    world_run(world, 20 * STORY_SECOND_MS);
    story_meet(world);
    nothing_is_dominated(story, true);
    story_end(story);
}

/* The same, and the node can ask nobody before it writes. That it has forgotten something its files
 * tell. */
static void riak_679_alone(struct story *story)
{
    struct world *world = story_begin(story, 3);

    lose_state(story, true);
    story_part_all(world);
    world_start(world, 0);
    story_tells(world, 0, "written");
    story_meet(world);
    nothing_is_dominated(story, false);
    story_end(story);
}

/* The same, and nothing tells it: it does what Riak did, and gives a number a second time. Once it
 * meets the others neither of the two counts, and both are written again. */
static void riak_679_unknowing(struct story *story)
{
    struct world *world = story_begin(story, 3);

    lose_state(story, false);
    story_part_all(world);
    world_start(world, 0);
    assert_int_equal(story_tells(world, 0, "written"), RIAK_KEPT + 1);
    story_meet(world);
    world_run(world, STORY_MINUTE_MS);
    story_meet(world);
    for (unsigned i = 0; i < 3; i++) {
        struct gossip_dot dot;

        assert_int_equal(find_events(world, i, "kept", &dot), RIAK_KEPT);
        assert_int_equal(find_events(world, i, "lost", &dot), RIAK_LOST);
        assert_int_equal(find_events(world, i, "written", &dot), 1);
        assert_int_equal(epochs(world, 0), 2);
    }
    story_end(story);
}

/* The side file has gone, or says something else: the old epoch ends. */
static void side_file_is_missing(struct story *story)
{
    struct world_options options = {.unchecked = true}; /* The record knows nothing of this file. */
    struct world *world = story_begin_with(story, 2, &options);

    story_tells(world, 0, "old");
    story_meet(world);
    world_stop(world, 0);
    if (story->seed % 2 == 0)
        assert_true(virtual_disk_remove(world_disk(world, 0), "node.db.side"));
    else
        assert_true(virtual_disk_flip(world_disk(world, 0), "node.db.side", story->seed % 40, 3));
    world_start(world, 0);
    assert_int_equal(start_of(world, 0).evidence, GOSSIP_EVIDENCE_SIDE);
    story_tells(world, 0, "next");
    assert_int_equal(epochs(world, 0), 2);
    story_meet(world);
    story_end(story);
}

/* D11: the end of the log is damaged, or all of it gone. SQLite takes it for one that ends there,
 * and finds nothing wrong. Of a whole log the side file tells, since the boot went with it; of its
 * last commits only those who have heard of them. Either way the next event is in a new epoch. */
static void log_is_damaged(struct story *story)
{
    struct world_options options = {.unchecked = true}; /* The record knows nothing of this. */
    struct world *world = story_begin_with(story, 2, &options);
    struct virtual_disk *disk = world_disk(world, 0);
    bool is_all = story->seed % 2 == 0;

    story_tells(world, 0, "first");
    story_meet(world);
    world_stop(world, 0);
    world_start(world, 0);
    story_tells(world, 0, "second");
    story_tells(world, 0, "last");
    story_await(world, 1, 0, 3);
    world_kill(world, 0, VIRTUAL_DAMAGE_NONE);
    if (is_all)
        assert_true(virtual_disk_remove(disk, "node.db-wal"));
    else
        assert_true(virtual_disk_cut(disk, "node.db-wal",
                                     virtual_disk_size(disk, "node.db-wal") - 1 - story->seed));
    world_start(world, 0);
    assert_int_equal(start_of(world, 0).evidence, is_all ? GOSSIP_EVIDENCE_SIDE : 0);
    story_tells(world, 0, "next");
    assert_int_equal(epochs(world, 0), 2);
    story_meet(world);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(strncmp(story_log(world, i), "first second last ", 18), 0);
        assert_non_null(strstr(story_log(world, i), " next"));
    }
    story_end(story);
}

/* Evidence that was found outlives a crash before it is acted upon. */
static void evidence_outlives_a_crash(struct story *story)
{
    struct world *world = story_begin(story, 2);

    story_tells(world, 0, "old");
    story_meet(world);
    world_stop(world, 0);
    world_backup(world, 0);
    assert_true(world_copy_back(world, 0));
    for (unsigned i = 0; i < 4; i++) {
        world_start(world, 0);
        assert_int_equal(start_of(world, 0).evidence, GOSSIP_EVIDENCE_MOVED);
        world_kill(world, 0, VIRTUAL_DAMAGE_LOST);
    }
    world_start(world, 0);
    story_tells(world, 0, "next");
    assert_int_equal(epochs(world, 0), 2);
    assert_int_equal(start_of(world, 0).evidence, 0);
    story_meet(world);
    story_end(story);
}

/* S28, D14: two machines hold one key. The copy tells by itself that it is one, and opens an epoch
 * of its own before it writes; as soon as one hears of the other it stops, and refuses to start
 * until it is told which of the two it is. What honest authors write comes to everybody, and no dot
 * has two contents. */
static void cloned(struct story *story)
{
    struct world *world = story_begin(story, 3);
    unsigned clone;

    story_tells(world, 0, "before");
    story_meet(world);
    world_stop(world, 0);
    clone = world_clone(world, 0);
    assert_int_not_equal(clone, UINT_MAX);
    world_start(world, 0);
    world_start(world, clone);
    assert_int_equal(start_of(world, clone).evidence, GOSSIP_EVIDENCE_MOVED);
    world_publish(world, 0, "original", 8);
    world_publish(world, clone, "copy", 4);
    world_run(world, 2 * STORY_MINUTE_MS);
    /* At least one of them has learnt of the other. */
    assert_true(world_state(world, 0) == WORLD_DOWN || world_state(world, clone) == WORLD_DOWN);
    world_stop(world, clone);
    world_start(world, 0);
    story_tells(world, 1, "other");
    story_tells(world, 2, "another");
    story_tells(world, 0, "after");
    story_meet(world);
    for (unsigned i = 0; i < 3; i++) {
        assert_non_null(strstr(story_log(world, i), "before"));
        assert_non_null(strstr(story_log(world, i), "another"));
        assert_non_null(strstr(story_log(world, i), "after"));
        assert_string_equal(story_log(world, i), story_log(world, 0));
    }
    story_end(story);
}

struct welcomes {
    unsigned from;
    unsigned to;
};

static bool lose_welcomes(void *context, unsigned from, unsigned to,
                          const struct gossip_datagram *datagram)
{
    const struct welcomes *lost = context;
    enum datagram_kind kind;

    return from == lost->from && to == lost->to &&
           datagram_kind(datagram->data, datagram->size, &kind) == GOSSIP_DATAGRAM_ACCEPTED &&
           kind == DATAGRAM_WELCOME;
}

/* The disk of one is full when it learns of the other: it cannot save that, and stops all the same.
 */
static void cloned_without_room(struct story *story)
{
    struct world *world = story_begin(story, 3);
    struct welcomes lost = {.from = 0};
    unsigned clone;

    story_tells(world, 0, "before");
    story_meet(world);
    world_stop(world, 0);
    clone = world_clone(world, 0);
    assert_int_not_equal(clone, UINT_MAX);
    world_start(world, 0);
    story_meet(world);
    lost.to = clone; /* Of the two it learns of the other. */
    world_set_tap(world, lose_welcomes, &lost);
    world_fill_disk(world, 0, 0);
    assert_int_equal(world_tell(world, 0, "refused"), 0);
    assert_true(story_stats(world, 0).read_only);
    world_start(world, clone);
    world_run(world, 10 * STORY_SECOND_MS);
    assert_int_equal(world_state(world, 0), WORLD_DOWN);
    assert_int_equal(world_state(world, clone), WORLD_UP);
    world_fill_disk(world, 0, UINT64_MAX);
    story_end(story);
}

/* A stopped clone says so at every start, until it is told. */
static void clone_refuses_to_start(struct story *story)
{
    struct world_options options = {.unchecked = true};
    struct world *world = story_begin_with(story, 2, &options);
    const struct gossip_record record = {.kind = GOSSIP_RECORD_META,
                                         .as.meta = {.name = "cloned", .number = 1}};
    struct gossip_store *store;
    struct gossip *gossip;

    story_tells(world, 0, "before");
    assert_int_equal(world_store(world, 0)->ops->save(world_store(world, 0), &record, 1),
                     GOSSIP_OK);
    world_stop(world, 0);
    assert_int_equal(virtual_disk_open_store(world_disk(world, 0), "node.db", GOSSIP_SQLITE_OPEN,
                                             NULL, 0, &store),
                     GOSSIP_OK);
    for (unsigned i = 0; i < 3; i++) {
        struct gossip_options start = {.size = sizeof(start),
                                       .store = store,
                                       .transport = (struct gossip_transport *)&world,
                                       .time = gossip_system_time(),
                                       .identity = world_identity(world, 0),
                                       .crypto = standin_crypto()};

        assert_int_equal(gossip_create(&start, &gossip), GOSSIP_ERR_CLONED);
        /* Its files can be looked at all the same. */
        start.transport = NULL;
        assert_int_equal(gossip_create(&start, &gossip), GOSSIP_OK);
        gossip_destroy(gossip);
    }
    store->ops->close(store);
    story_end(story);
}

STORY_OF_DISKS(power_fails)
STORY_OF_DISKS(sync_fails)
STORY_OF_DISKS(write_fails)
STORY_OF_DISKS(read_fails)
STORY_OF_DISKS(full_for_a_minute)
STORY_OF_DISKS(full_for_what_is_large)
STORY_OF_DISKS(full_at_start)
STORY_OF_DISKS(slow_disk)
STORY_OF_DISKS(stalled_disk)
LONG_STORY(restart_storm, 1)
STORY_OF_DISKS(restored_backup)
STORY_OF_DISKS(restored_machine)
STORY_OF_DISKS(restored_one_event_old)
STORY_OF_DISKS(restored_many_events_old)
STORY_OF_DISKS(boots_are_heard_of)
STORY_OF_DISKS(boots_are_heard_of_without_room)
STORY_OF_DISKS(boot_is_heard_of_late)
STORY_OF_DISKS(boot_is_heard_of_after_the_epoch)
STORY_OF_DISKS(boot_is_heard_of_after_a_restart)
STORY_OF_DISKS(boots_are_heard_of_by_a_new_author)
STORY_OF_DISKS(waiting_for_what_is_lost)
STORY_OF_DISKS(floor_under_what_is_kept)
STORY_OF_DISKS(no_room_for_the_side_file)
STORY_OF_DISKS(restored_alone)
STORY_OF_DISKS(restored_and_peers_come_later)
STORY(riak_679)
STORY_OF_DISKS(riak_679_alone)
STORY(riak_679_unknowing)
STORY_OF_DISKS(restart_keeps_its_epoch)
STORY_OF_DISKS(side_file_is_missing)
STORY_OF_DISKS(log_is_damaged)
STORY_OF_DISKS(evidence_outlives_a_crash)
STORY_OF_DISKS(cloned)
STORY_OF_DISKS(cloned_without_room)
STORY_OF_DISKS(clone_refuses_to_start)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(power_fails),
        STORY_TEST(sync_fails),
        STORY_TEST(write_fails),
        STORY_TEST(read_fails),
        STORY_TEST(full_for_what_is_large),
        STORY_TEST(full_for_a_minute),
        STORY_TEST(full_at_start),
        STORY_TEST(slow_disk),
        STORY_TEST(stalled_disk),
        STORY_TEST(restart_storm),
        STORY_TEST(restored_backup),
        STORY_TEST(restored_machine),
        STORY_TEST(restored_one_event_old),
        STORY_TEST(restored_many_events_old),
        STORY_TEST(boots_are_heard_of),
        STORY_TEST(boots_are_heard_of_without_room),
        STORY_TEST(boot_is_heard_of_late),
        STORY_TEST(boot_is_heard_of_after_the_epoch),
        STORY_TEST(boot_is_heard_of_after_a_restart),
        STORY_TEST(boots_are_heard_of_by_a_new_author),
        STORY_TEST(waiting_for_what_is_lost),
        STORY_TEST(floor_under_what_is_kept),
        STORY_TEST(no_room_for_the_side_file),
        STORY_TEST(restored_alone),
        STORY_TEST(restored_and_peers_come_later),
        STORY_TEST(riak_679),
        STORY_TEST(riak_679_alone),
        STORY_TEST(riak_679_unknowing),
        STORY_TEST(restart_keeps_its_epoch),
        STORY_TEST(side_file_is_missing),
        STORY_TEST(log_is_damaged),
        STORY_TEST(evidence_outlives_a_crash),
        STORY_TEST(cloned),
        STORY_TEST(cloned_without_room),
        STORY_TEST(clone_refuses_to_start),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]); /* One story: its name, with * and ?. */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
