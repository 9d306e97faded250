/*
 * Observers: nodes over the file store, which keep no events. They follow the clock of the others,
 * write none, have none to show, and go on from their clock after any crash.
 */
#include "tests/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "store/virtual_operations.h"

enum { OBSERVER = 2 };

/* Two nodes and an observer. */
static struct world *begin(struct story *story)
{
    struct world *world =
        story_begin_with(story, 3, &(struct world_options){.observers = 1 << OBSERVER});

    assert_true(world_run_until(world, story_in_step, STORY_MINUTE_MS));
    return world;
}

static void assert_clocks_agree(struct world *world)
{
    assert_int_equal(world_state(world, OBSERVER), WORLD_UP);
    assert_true(story_agrees(world));
}

/* The file holds what the node says, as JSON. */
static void assert_file(struct world *world, const char *expected)
{
    struct file_system *files = &world_disk(world, OBSERVER)->system;
    struct explanation explanation;
    char text[256];
    size_t size = 0;

    assert_int_equal(files->ops->read(files, "clock.json", (uint8_t *)text, sizeof(text) - 1, &size,
                                      &explanation),
                     GOSSIP_OK);
    text[size] = '\0';
    assert_string_equal(text, expected);
}

/* What the observer's file says, any node reads as its own clock, and writes as the same. */
static void assert_file_is_read(struct world *world)
{
    struct file_system *files = &world_disk(world, OBSERVER)->system;
    struct explanation explanation;
    char text[512];
    size_t size = 0;

    assert_int_equal(files->ops->read(files, "clock.json", (uint8_t *)text, sizeof(text) - 1, &size,
                                      &explanation),
                     GOSSIP_OK);
    text[size] = '\0';
    for (unsigned i = 0; i < world_nodes(world); i++) {
        struct gossip *gossip = world_gossip(world, i);
        struct gossip_vclock clock = {0};
        char *again;

        assert_int_equal(
            gossip_vclock_from_json(&clock, text, size, gossip_author_find, gossip, NULL),
            GOSSIP_OK);
        assert_int_equal(gossip_vclock_compare(&clock, gossip_clock(gossip)), GOSSIP_EQUAL);
        assert_int_equal(gossip_vclock_to_json(&clock, gossip_author_name, gossip, &again),
                         GOSSIP_OK);
        assert_memory_equal(again, text, size - 1); /* But for the newline. */
        assert_int_equal(strlen(again), size - 1);
        free(again);
        gossip_vclock_clear(&clock);
    }
}

/* It follows, also past checkpoints and with those who name each other; its clock is in its file;
 * it writes nothing and shows nothing. */
static void follows(struct story *story)
{
    struct world *world = begin(story);
    struct gossip *observer = world_gossip(world, OBSERVER);
    struct gossip_event event;
    struct gossip_log *log;
    struct gossip_export *archive;
    struct gossip_author author;
    enum gossip_relation relation;
    uint64_t ticket;
    uint64_t count;

    for (unsigned i = 0; i < 70; i++) {
        story_tells(world, 0, "one");
        if (i % 7 == 0)
            story_await(world, 1, 0, i + 1);
        story_tells(world, 1, "two");
    }
    assert_true(world_run_until(world, story_in_step, STORY_MINUTE_MS));
    assert_string_equal(story_clock(world, OBSERVER), "{n1:70 n2:70}");
    assert_file(world, "{\"n1\":70,\"n2\":70}\n");
    assert_file_is_read(world);

    assert_int_equal(gossip_publish(observer, "no", 2, &ticket), GOSSIP_ERR_OBSERVER);
    assert_non_null(strstr(gossip_strerror(GOSSIP_ERR_OBSERVER), "keeps no events"));
    assert_int_equal(gossip_event_pop(observer, &event), 0);
    assert_int_equal(gossip_event_get(observer, (struct gossip_dot){1, 1}, &event),
                     GOSSIP_ERR_PRUNED);
    assert_int_equal(
        gossip_relation(observer, (struct gossip_dot){1, 1}, (struct gossip_dot){2, 1}, &relation),
        GOSSIP_OK);
    assert_int_equal(relation, GOSSIP_PRUNED);
    assert_int_equal(gossip_log_open(observer, GOSSIP_LOG_EVENTS, &log), GOSSIP_OK);
    assert_int_equal(gossip_log_next(log, &event), 0);
    gossip_log_close(log);
    assert_int_equal(gossip_export_open(observer, GOSSIP_ALL_AUTHORS, &archive),
                     GOSSIP_ERR_OBSERVER);
    for (uint32_t i = 0; i < gossip_author_count(observer); i++) {
        assert_int_equal(gossip_author(observer, i, &author), GOSSIP_OK);
        assert_int_equal(author.floor, author.have);
    }
    assert_int_equal(gossip_verify(observer, NULL, NULL, &count), GOSSIP_OK);
    assert_int_equal(count, 0);
    story_end(story);
}

/* It goes on from its file, and asks for nothing it had; also where only power failed. */
static void goes_on_after_a_restart(struct story *story)
{
    struct world *world = begin(story);

    for (unsigned i = 0; i < 3; i++) {
        uint64_t delivered;

        story_tells(world, 0, "before");
        story_await(world, OBSERVER, 0, 2 * i + 1);
        if (i == 0)
            world_stop(world, OBSERVER);
        else
            world_kill(world, OBSERVER, i == 1 ? VIRTUAL_DAMAGE_NONE : VIRTUAL_DAMAGE_LOST);
        story_tells(world, 0, "meanwhile");
        world_start(world, OBSERVER);
        assert_int_equal(story_have(world, OBSERVER, 0), 2 * i + 1);
        assert_int_equal(story_stats(world, OBSERVER).boot, i + 2);
        story_await(world, OBSERVER, 0, 2 * i + 2);
        delivered = story_stats(world, OBSERVER).delivered;
        assert_int_equal(delivered, 1);
        assert_true(world_run_until(world, story_in_step, STORY_MINUTE_MS));
    }
    assert_clocks_agree(world);
    story_end(story);
}

/* Wherever its disk dies, what it had said it had it has. */
static void power_fails_at(struct story *story, uint64_t operation, enum virtual_damage damage)
{
    struct world *world = begin(story);
    uint64_t said = 0;

    world_crash_at(world, OBSERVER, operation, damage);
    for (unsigned i = 0; i < 4 && world_state(world, OBSERVER) == WORLD_UP; i++) {
        story_tells(world, 0, "more");
        world_run(world, 200);
        if (world_state(world, OBSERVER) == WORLD_UP)
            said = story_have(world, OBSERVER, 0);
    }
    world_kill(world, OBSERVER, damage);
    world_start(world, OBSERVER);
    assert_in_range(story_have(world, OBSERVER, 0), said, said + 1);
    story_meet(world);
    assert_clocks_agree(world);
    story_end(story);
}

static void power_fails(struct story *story)
{
    for (enum virtual_damage damage = VIRTUAL_DAMAGE_NONE; damage < VIRTUAL_DAMAGES; damage++) {
        for (uint64_t operation = 1; operation <= 12; operation++)
            power_fails_at(story, operation, damage);
    }
}

/* Its disk is full for a while: it neither moves nor dies, and then goes on. */
static void disk_is_full(struct story *story)
{
    struct world *world = begin(story);

    world_fill_disk(world, OBSERVER, 0);
    for (unsigned i = 0; i < 5; i++)
        story_tells(world, 0, "no room for this");
    world_run(world, STORY_MINUTE_MS);
    assert_int_equal(world_state(world, OBSERVER), WORLD_UP);
    assert_int_equal(story_have(world, OBSERVER, 0), 0);
    assert_true(story_stats(world, OBSERVER).read_only);
    world_fill_disk(world, OBSERVER, UINT64_MAX);
    story_await(world, OBSERVER, 0, 5);
    story_meet(world);
    assert_clocks_agree(world);
    story_end(story);
}

/* Whoever can reach nobody but an observer gets nothing from it, and goes on as soon as somebody
 * else is there. */
static void serves_nobody(struct story *story)
{
    struct world *world = begin(story);

    world_stop(world, 1);
    story_tells(world, 0, "first");
    story_tells(world, 0, "second");
    story_await(world, OBSERVER, 0, 2);
    story_part_all(world);
    story_link(world, 1, OBSERVER);
    world_start(world, 1);
    world_run(world, STORY_MINUTE_MS);
    assert_int_equal(story_have(world, 1, 0), 0);
    assert_int_equal(story_have(world, OBSERVER, 0), 2);
    story_meet(world);
    assert_int_equal(story_have(world, 1, 0), 2);
    /* And back by way of it nothing is lost. */
    story_tells(world, 1, "third");
    story_meet(world);
    assert_string_equal(story_clock(world, OBSERVER), "{n1:2 n2:1}");
    story_end(story);
}

/* An author forks behind what the observer has delivered: its clock follows the cut, in its file
 * too, and the observer is in step with whoever holds the events. */
static void follows_a_cut(struct story *story)
{
    struct world *world = begin(story);
    uint64_t before;

    story_tells(world, 0, "same");
    story_await(world, 1, 0, 1);
    story_await(world, OBSERVER, 0, 1);
    world_stop(world, 0);
    world_backup(world, 0);
    world_start(world, 0);
    for (unsigned i = 0; i < 3; i++)
        story_tells(world, 0, "one branch");
    story_await(world, OBSERVER, 0, 4);
    story_await(world, 1, 0, 4);
    /* The whole machine is set back, and meets nobody: so it cannot know. */
    world_stop(world, 0);
    assert_true(world_restore(world, 0));
    story_part_all(world);
    world_start(world, 0);
    story_tells(world, 0, "other branch");
    story_meet(world);
    before = story_stats(world, 1).forks_proven + story_stats(world, 0).forks_proven;
    assert_true(before > 0);
    assert_true(world_run_until(world, story_in_step, STORY_MINUTE_MS));
    assert_clocks_agree(world);
    assert_file_is_read(world); /* n1 has two epochs now. */
    world_kill(world, OBSERVER, VIRTUAL_DAMAGE_LOST);
    world_start(world, OBSERVER);
    assert_clocks_agree(world);
    story_meet(world);
    assert_clocks_agree(world);
    story_end(story);
}

STORY(follows)
STORY(goes_on_after_a_restart)
STORY_OF_MEMORY(power_fails)
STORY(disk_is_full)
STORY(serves_nobody)
STORY_OF_DISKS(follows_a_cut)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(follows),      STORY_TEST(goes_on_after_a_restart), STORY_TEST(power_fails),
        STORY_TEST(disk_is_full), STORY_TEST(serves_nobody),           STORY_TEST(follows_a_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
