/*
 * What an owner does about a fork of its own: a node that was set back where nothing could tell it
 * has given seqs two contents. All that it wrote on either branch is written again, once, whoever
 * holds it and whenever they turn up.
 */
#include "tests/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* How often word stands in what node shows. */
static unsigned count_of(struct world *world, unsigned node, const char *word)
{
    const char *log = story_log(world, node);
    unsigned count = 0;

    for (const char *found = strstr(log, word); found != NULL; found = strstr(found + 1, word))
        count++;
    return count;
}

static unsigned all_once; /* Of how many nodes, from the first, the next is asked. */
static const char *const *all_words;

static bool all_are_there(struct world *world)
{
    for (unsigned i = 0; i < all_once; i++) {
        for (const char *const *word = all_words; *word != NULL; word++) {
            if (world_state(world, i) == WORLD_UP && count_of(world, i, *word) == 0)
                return false;
        }
    }
    return story_in_step(world);
}

/* Each of the words, which ends with NULL, comes to be shown once by each of the first nodes. */
static void come_once(struct world *world, unsigned nodes, const char *const *words)
{
    all_once = nodes;
    all_words = words;
    if (!world_run_until(world, all_are_there, 3 * STORY_MINUTE_MS)) {
        for (unsigned i = 0; i < nodes; i++) {
            if (world_state(world, i) == WORLD_UP)
                print_message("n%u: %s\n", i + 1, story_log(world, i));
        }
        fail_msg("not all of it is everywhere");
    }
    /* Nor does it come a second time. */
    world_run(world, STORY_MINUTE_MS);
    for (unsigned i = 0; i < nodes; i++) {
        for (const char *const *word = words; *word != NULL; word++) {
            if (world_state(world, i) == WORLD_UP && count_of(world, i, *word) != 1)
                fail_msg("n%u shows %s", i + 1, story_log(world, i));
        }
    }
}

static void back_up(struct world *world)
{
    world_stop(world, 0);
    world_backup(world, 0);
    world_start(world, 0);
}

/* To the backup, where nothing can tell it or where its files do. */
static void set_back(const struct story *story, struct world *world)
{
    world_kill(world, 0, VIRTUAL_DAMAGE_NONE);
    assert_true(story->seed % 2 == 0 ? world_restore(world, 0) : world_copy_back(world, 0));
}

/* Node 0 has written "trunk", of which there is a backup, and is set back to that. */
static void begin_at_trunk(struct world *world)
{
    story_tells(world, 0, "trunk");
    story_meet(world);
    back_up(world);
    story_meet(world);
}

/* It is set back as a whole machine, and writes before it can ask anybody. */
static void go_back_and_fork(struct world *world, const char *text)
{
    world_kill(world, 0, VIRTUAL_DAMAGE_NONE);
    story_part_all(world);
    assert_true(world_restore(world, 0));
    world_start(world, 0);
    story_tells(world, 0, text);
}

/* B7, T11: a peer that alone holds some of a branch comes when the fork is long since repaired. The
 * owner has started again meanwhile, alone, and knows of nothing that would be left to do. */
static void holder_comes_late(struct story *story)
{
    static const char *const soon[] = {"trunk", "first", "mine", NULL};
    static const char *const all[] = {"trunk", "first", "second", "third", "mine", NULL};
    struct world *world = story_begin(story, 3);

    begin_at_trunk(world);
    story_tells(world, 0, "first");
    story_meet(world);
    story_unlink(world, 0, 1);
    story_unlink(world, 1, 2);
    story_tells(world, 0, "second");
    story_tells(world, 0, "third");
    story_await(world, 2, 0, 4);
    go_back_and_fork(world, "mine");
    world_stop(world, 2);
    world_heal(world);
    come_once(world, 2, soon);
    world_stop(world, 0);
    world_stop(world, 1);
    world_start(world, 0);
    world_run(world, STORY_MINUTE_MS);
    world_start(world, 2);
    world_start(world, 1);
    come_once(world, 3, all);
    story_end(story);
}

/* The same, and the owner has never been away. */
static void holder_comes_late_to_a_running_owner(struct story *story)
{
    static const char *const soon[] = {"trunk", "first", "mine", NULL};
    static const char *const all[] = {"trunk", "first", "second", "third", "mine", NULL};
    struct world *world = story_begin(story, 3);

    begin_at_trunk(world);
    story_tells(world, 0, "first");
    story_meet(world);
    story_unlink(world, 0, 1);
    story_unlink(world, 1, 2);
    story_tells(world, 0, "second");
    story_tells(world, 0, "third");
    story_await(world, 2, 0, 4);
    go_back_and_fork(world, "mine");
    world_stop(world, 2);
    world_heal(world);
    come_once(world, 2, soon);
    world_stop(world, 1); /* Nobody is left whom it could ask. */
    world_run(world, STORY_MINUTE_MS);
    world_start(world, 2);
    world_start(world, 1);
    come_once(world, 3, all);
    story_end(story);
}

static bool n1_knows(struct world *world)
{
    return story_stats(world, 0).forks_proven > 0;
}

/* A peer is asked for its branch when it has nothing of it, takes it in from one that knows of no
 * fork, and hears of the cut from a third: its lists never show the owner what it has by then. */
static void holder_was_asked_too_early(struct story *story)
{
    static const char *const all[] = {"trunk", "first", "second", "mine", NULL};
    struct world *world = story_begin(story, 4);

    begin_at_trunk(world);
    for (unsigned i = 0; i < 4; i++)
        story_unlink(world, 3, i);
    story_tells(world, 0, "first");
    story_await(world, 1, 0, 2);
    story_await(world, 2, 0, 2);
    story_unlink(world, 1, 0);
    story_unlink(world, 1, 2);
    story_tells(world, 0, "second");
    story_await(world, 2, 0, 3);
    go_back_and_fork(world, "mine");
    world_fill_disk(world, 3, 0); /* It can answer, and take in nothing. */
    assert_int_equal(world_tell(world, 3, "refused"), 0);
    story_link(world, 0, 3);
    world_run(world, STORY_MINUTE_MS);
    story_link(world, 0, 1);
    assert_true(world_run_until(world, n1_knows, 3 * STORY_MINUTE_MS));
    world_run(world, STORY_MINUTE_MS);
    story_unlink(world, 0, 3);
    world_fill_disk(world, 3, UINT64_MAX);
    story_link(world, 2, 3);
    story_await(world, 3, 0, 3);
    world_stop(world, 2); /* Nobody else has it. */
    story_link(world, 1, 3);
    world_run(world, 3 * STORY_MINUTE_MS);
    world_heal(world);
    come_once(world, 4, all);
    story_end(story);
}

/* D13: an owner has written its branches again, and is set back once more, to when it had not. What
 * it did it hears of from its peers before it would do it a second time. */
static void forgets(struct story *story, unsigned events)
{
    static const char *const all[] = {"trunk", "theirs", "mine", NULL};
    struct world *world = story_begin(story, 3);

    begin_at_trunk(world);
    story_tells(world, 0, "theirs");
    for (unsigned i = 1; i < events; i++)
        story_tells(world, 0, "other");
    story_meet(world);
    go_back_and_fork(world, "mine");
    back_up(world);
    world_heal(world);
    come_once(world, 3, all);
    assert_int_equal(story_stats(world, 0).reissued, events + 1);
    set_back(story, world);
    world_start(world, 0);
    come_once(world, 3, all);
    assert_int_equal(story_stats(world, 0).reissued, 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(count_of(world, i, "other"), events - 1);
    story_end(story);
}

static void owner_forgets_it(struct story *story)
{
    forgets(story, 1);
}

static void owner_forgets_much(struct story *story)
{
    forgets(story, 400);
}

static bool owner_has_cut(struct world *world)
{
    return story_stats(world, 0).forks_proven > 0;
}

/* It forgets that it has written again, and the first that it meets was down when it did. The
 * others come a moment later, and tell it. */
static void owner_meets_the_unknowing_first(struct story *story)
{
    static const char *const all[] = {"trunk", "theirs", "mine", NULL};
    struct world *world = story_begin(story, 4);

    begin_at_trunk(world);
    story_tells(world, 0, "theirs");
    story_meet(world);
    go_back_and_fork(world, "mine");
    back_up(world);
    world_stop(world, 3);
    world_heal(world);
    come_once(world, 3, all);
    set_back(story, world);
    story_part_all(world);
    story_link(world, 0, 3);
    world_start(world, 3);
    world_start(world, 0);
    assert_true(world_run_until(world, owner_has_cut, STORY_MINUTE_MS));
    world_run(world, 2 * STORY_SECOND_MS);
    world_heal(world);
    come_once(world, 4, all);
    assert_int_equal(story_stats(world, 0).reissued, 0);
    story_end(story);
}

static uint64_t count_runs(struct world *world)
{
    struct world_stats stats;

    world_stats(world, &stats);
    return stats.steps;
}

/* T11: more is to be written again than waits at a time, and all of it is at a peer. */
static void more_than_waits_at_a_time(struct story *story)
{
    static const char *const all[] = {"trunk", "mine", NULL};
    enum { EVENTS = 4500 };
    struct world *world;
    uint64_t runs;

    if (story->seed > 1)
        return;
    world = story_begin(story, 2);
    begin_at_trunk(world);
    for (unsigned i = 1; i <= EVENTS; i++) {
        assert_true(world_publish(world, 0, "", 0));
        if (i % 500 == 0)
            world_run(world, 100); /* As few commits as can be. */
    }
    story_meet(world);
    go_back_and_fork(world, "mine");
    world_heal(world);
    world_run(world, 30 * STORY_SECOND_MS); /* To look at it all the time takes long. */
    come_once(world, 2, all);
    assert_int_equal(story_stats(world, 0).reissued, EVENTS + 1);
    runs = count_runs(world);
    world_run(world, STORY_MINUTE_MS);
    assert_true(count_runs(world) - runs < 1000); /* There is nothing left to do. */
    story_end(story);
}

/* T11: the branch at a peer is one run of a MiB, and the link to it carries 100 kB a second and
 * keeps no more than 64 waiting: it is fetched piece by piece, and no piece for ever. */
static void branch_over_a_slow_link(struct story *story)
{
    enum { EVENTS = 16 };
    static const struct virtual_link slow = {
        .latency_ms = 5, .bandwidth = 100000, .queue_size = 65536};
    static uint8_t payload[GOSSIP_PAYLOAD_DEFAULT];
    struct world *world = story_begin(story, 2);
    uint64_t sent;

    begin_at_trunk(world);
    for (unsigned i = 0; i < EVENTS; i++)
        assert_true(world_publish(world, 0, payload, sizeof(payload)));
    while (story_stats(world, 0).published < EVENTS && world_is_sound(world))
        world_run(world, 100);
    story_meet(world);
    go_back_and_fork(world, "mine");
    virtual_network_set_default(world_network(world), &slow);
    world_heal(world);
    while (story_stats(world, 0).reissued < EVENTS + 1 && world_is_sound(world) &&
           world_now(world) < 20 * STORY_MINUTE_MS)
        world_run(world, STORY_SECOND_MS);
    assert_int_equal(story_stats(world, 0).reissued, EVENTS + 1);
    world_run(world, 2 * STORY_MINUTE_MS);
    sent = story_stats(world, 1).datagrams_sent;
    world_run(world, 2 * STORY_MINUTE_MS);
    assert_true(story_stats(world, 1).datagrams_sent - sent < 100);
    story_end(story);
}

/* The same where it knows of its fork, but not of what it did about it, and starts alone. */
static void owner_forgets_it_alone(struct story *story)
{
    static const char *const all[] = {"trunk", "theirs", "mine", NULL};
    struct world *world = story_begin(story, 3);

    begin_at_trunk(world);
    story_tells(world, 0, "theirs");
    story_meet(world);
    go_back_and_fork(world, "mine");
    story_link(world, 0, 1);
    while (story_stats(world, 0).forks_proven == 0 && world_is_sound(world))
        world_run(world, 1);
    world_kill(world, 0, VIRTUAL_DAMAGE_NONE);
    world_backup(world, 0);
    world_start(world, 0);
    world_heal(world);
    come_once(world, 3, all);
    world_kill(world, 0, VIRTUAL_DAMAGE_NONE);
    story_part_all(world);
    assert_true(world_restore(world, 0));
    world_start(world, 0);
    world_run(world, 2 * STORY_MINUTE_MS);
    world_heal(world);
    come_once(world, 3, all);
    story_end(story);
}

/* The same; and the owner has lost all that it ever wrote, also what came before the fork. */
static void owner_lost_the_trunk(struct story *story)
{
    static const char *const soon[] = {"trunk", "first", "mine", NULL};
    static const char *const all[] = {"trunk", "first", "second", "third", "mine", NULL};
    struct world_options options = {.unchecked = true}; /* It knows nothing of this copy. */
    struct world *world = story_begin_with(story, 3, &options);
    struct virtual_disk_image *image;

    assert_true(world_run_until(world, story_in_step, STORY_MINUTE_MS));
    world_stop(world, 0);
    image = virtual_disk_copy(world_disk(world, 0), false);
    assert_non_null(image);
    world_start(world, 0);
    begin_at_trunk(world);
    story_tells(world, 0, "first");
    story_meet(world);
    story_unlink(world, 0, 1);
    story_unlink(world, 1, 2);
    story_tells(world, 0, "second");
    story_tells(world, 0, "third");
    story_await(world, 2, 0, 4);
    go_back_and_fork(world, "mine");
    world_stop(world, 2);
    world_heal(world);
    come_once(world, 2, soon);
    world_kill(world, 0, VIRTUAL_DAMAGE_NONE);
    assert_true(virtual_disk_copy_back(world_disk(world, 0), image));
    virtual_disk_image_destroy(image);
    world_start(world, 0);
    world_start(world, 2);
    come_once(world, 3, all);
    story_end(story);
}

/* B7, T11: what it writes is to the last bit what it had written before: the same text, and a stamp
 * that is counted on from a clock that was ahead. What follows that is its own too, and no sign of
 * another process: it takes it in, and goes on under a new epoch. */
static void owner_writes_it_again(struct story *story)
{
    static const char *const all[] = {"trunk", "same", "later", "after", NULL};
    struct world *world = story_begin(story, 3);

    world_set_skew(world, 0, 60 * STORY_MINUTE_MS);
    story_tells(world, 0, "ahead");
    world_set_skew(world, 0, 0);
    begin_at_trunk(world);
    story_tells(world, 0, "same");
    story_tells(world, 0, "later");
    story_await(world, 1, 0, 4);
    go_back_and_fork(world, "same");
    world_heal(world);
    world_run(world, STORY_MINUTE_MS);
    assert_int_equal(world_state(world, 0), WORLD_UP);
    story_tells(world, 0, "after");
    come_once(world, 3, all);
    assert_int_equal(story_stats(world, 0).forks_proven, 0);
    story_end(story);
}

static uint64_t sent(struct world *world)
{
    struct virtual_network_stats stats;

    virtual_network_stats(world_network(world), &stats);
    return stats.sent;
}

static uint64_t exchanges(struct world *world)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < world_nodes(world); i++) {
        if (world_state(world, i) == WORLD_UP)
            sum += story_stats(world, i).exchanges;
    }
    return sum;
}

/* D14: neither of two with one key knows where the other is, but each of their peers hears both,
 * and tells the one that it knows of the other. At least one of them stops at once. When the copy
 * is put away its address is forgotten: all fall quiet, with a datagram each way an exchange. */
static void clone_is_noticed(struct story *story)
{
    struct world *world = story_begin(story, 3 + (unsigned)story->seed % 4);
    uint64_t exchanges_before;
    uint64_t sent_before;
    uint64_t asked;
    unsigned clone;
    uint64_t began;

    story_tells(world, 2, "before");
    story_meet(world);
    world_stop(world, 2);
    clone = world_clone(world, 2);
    assert_int_not_equal(clone, UINT_MAX);
    world_start(world, story->seed % 2 == 0 ? 2 : clone);
    story_meet(world);
    world_start(world, story->seed % 2 == 0 ? clone : 2);
    began = world_now(world);
    while (world_state(world, 2) == WORLD_UP && world_state(world, clone) == WORLD_UP &&
           world_now(world) - began < STORY_MINUTE_MS)
        world_run(world, 100);
    assert_true(world_now(world) - began < 5 * STORY_SECOND_MS);

    world_run(world, story->seed % 3 * STORY_MINUTE_MS);
    world_put_copies_away(world);
    world_start(world, 2);
    story_tells(world, 2, "after");
    story_meet(world);
    world_run(world, 10 * STORY_MINUTE_MS);
    exchanges_before = exchanges(world);
    sent_before = sent(world);
    world_run(world, 10 * STORY_MINUTE_MS);
    asked = exchanges(world) - exchanges_before;
    /* But for what is on its way at either end. */
    assert_in_range(sent(world) - sent_before, 2 * asked - 2 * story->nodes,
                    2 * asked + 2 * story->nodes);
    assert_true(story_in_step(world));
    story_end(story);
}

/* What is counted of a fork stays counted where a commit fails and the node is made again. */
static void counts_stay(struct story *story)
{
    static const char *const all[] = {"trunk", "theirs", "mine", NULL};
    struct world *world = story_begin(story, 2);
    struct gossip_stats before;
    struct gossip_stats after;

    begin_at_trunk(world);
    story_tells(world, 0, "theirs");
    story_meet(world);
    go_back_and_fork(world, "mine");
    world_heal(world);
    come_once(world, 2, all);
    before = story_stats(world, 0);
    assert_int_equal(before.forks_proven, 1);
    assert_int_equal(before.reissued, 2);
    world_fail_saves(world, 0, GOSSIP_ERR_FULL);
    assert_true(world_publish(world, 0, "more", 4));
    world_run(world, 1);
    assert_true(story_stats(world, 0).read_only);
    world_fail_saves(world, 0, GOSSIP_OK);
    world_run(world, 2 * STORY_MINUTE_MS);
    after = story_stats(world, 0);
    assert_false(after.read_only);
    assert_int_equal(after.forks_proven, before.forks_proven);
    assert_int_equal(after.reissued, before.reissued);
    assert_int_equal(after.contested, before.contested);
    story_end(story);
}

/* What is counted of a fork is counted once it is saved, not when it could not be. */
static void counts_are_of_commits(struct story *story)
{
    static const char *const all[] = {"trunk", "theirs", "mine", NULL};
    struct world *world = story_begin(story, 2);

    begin_at_trunk(world);
    story_tells(world, 0, "theirs");
    story_meet(world);
    go_back_and_fork(world, "mine");
    world_fail_saves(world, 0, GOSSIP_ERR_FULL);
    world_fail_saves(world, 1, GOSSIP_ERR_FULL);
    world_heal(world);
    world_run(world, 30 * STORY_SECOND_MS);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(story_stats(world, i).read_only);
        assert_int_equal(story_stats(world, i).forks_proven, 0);
        assert_int_equal(story_stats(world, i).reissued, 0);
        world_fail_saves(world, i, GOSSIP_OK);
    }
    world_run(world, 61 * STORY_SECOND_MS);
    come_once(world, 2, all);
    assert_int_equal(story_stats(world, 0).forks_proven, 1);
    assert_int_equal(story_stats(world, 1).forks_proven, 1);
    assert_int_equal(story_stats(world, 0).reissued, 2);
    story_end(story);
}

STORY_OF_DISKS(clone_is_noticed)
STORY_OF_DISKS(counts_are_of_commits)
STORY_OF_DISKS(counts_stay)
STORY_OF_DISKS(holder_comes_late)
STORY_OF_DISKS(holder_comes_late_to_a_running_owner)
STORY_OF_DISKS(holder_was_asked_too_early)
STORY_OF_DISKS(owner_lost_the_trunk)
STORY_OF_DISKS(owner_forgets_it)
STORY_OF_DISKS(owner_forgets_much)
STORY_OF_DISKS(more_than_waits_at_a_time)
STORY_OF_DISKS(owner_forgets_it_alone)
STORY_OF_DISKS(branch_over_a_slow_link)
STORY_OF_DISKS(owner_writes_it_again)
STORY_OF_DISKS(owner_meets_the_unknowing_first)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(clone_is_noticed),
        STORY_TEST(counts_are_of_commits),
        STORY_TEST(counts_stay),
        STORY_TEST(holder_comes_late),
        STORY_TEST(holder_comes_late_to_a_running_owner),
        STORY_TEST(holder_was_asked_too_early),
        STORY_TEST(owner_lost_the_trunk),
        STORY_TEST(owner_forgets_it),
        STORY_TEST(owner_forgets_much),
        STORY_TEST(more_than_waits_at_a_time),
        STORY_TEST(owner_forgets_it_alone),
        STORY_TEST(branch_over_a_slow_link),
        STORY_TEST(owner_writes_it_again),
        STORY_TEST(owner_meets_the_unknowing_first),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]); /* One story: its name, with * and ?. */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
