/*
 * Small causal scenarios, each with its one right outcome. All of them have been got wrong by
 * published code. (S12, that a hybrid logical clock does not go back, is in test_hlc.c.)
 */
#include "tests/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* S1: two carts, filled apart. A second exchange changes nothing. */
static void two_carts(struct story *story)
{
    struct world *world = story_begin(story, 2);
    struct gossip_stats before;
    struct gossip_stats after;

    story_part_all(world);
    story_tells(world, 0, "book");
    story_tells(world, 1, "pen");
    assert_string_equal(story_clock(world, 0), "{n1:1}");
    assert_string_equal(story_clock(world, 1), "{n2:1}");
    story_meet(world);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(story_relation(world, i, 0, 1, 1, 1), GOSSIP_CONCURRENT);
        assert_string_equal(story_clock(world, i), "{n1:1 n2:1}");
    }
    gossip_stats(world_gossip(world, 0), &before);
    world_run(world, 120000);
    gossip_stats(world_gossip(world, 0), &after);
    assert_true(after.exchanges > before.exchanges);
    /* One may have been under way at either end. */
    assert_true(after.in_step - before.in_step + 1 >= after.exchanges - before.exchanges);
    assert_int_equal(after.commits, before.commits);
    story_end(story);
}

/* S3: three friends chat. */
static void three_friends_chat(struct story *story)
{
    struct world *world = story_begin(story, 3);

    story_part_all(world);
    story_tells(world, 0, "a1");
    story_tells(world, 1, "b1");
    story_link(world, 0, 1);
    story_await(world, 1, 0, 1);
    assert_string_equal(story_clock(world, 1), "{n1:1 n2:1}");
    story_tells(world, 1, "b2");
    story_meet(world);
    story_tells(world, 2, "c1");
    story_meet(world);
    for (unsigned i = 0; i < 3; i++) {
        assert_string_equal(story_event_clock(world, i, 0, 1), "{n1:1}");
        assert_string_equal(story_event_clock(world, i, 1, 1), "{n2:1}");
        assert_string_equal(story_event_clock(world, i, 1, 2), "{n1:1 n2:2}");
        assert_string_equal(story_event_clock(world, i, 2, 1), "{n1:1 n2:2 n3:1}");
        assert_int_equal(story_relation(world, i, 0, 1, 1, 1), GOSSIP_CONCURRENT);
        assert_int_equal(story_relation(world, i, 0, 1, 1, 2), GOSSIP_BEFORE);
        assert_int_equal(story_relation(world, i, 1, 2, 2, 1), GOSSIP_BEFORE);
        assert_int_equal(story_relation(world, i, 2, 1, 0, 1), GOSSIP_AFTER);
    }
    story_end(story);
}

/* S5: a customer cancels while the restaurant, which has not seen it, prepares. */
static void order_states(struct story *story)
{
    struct world *world = story_begin(story, 2);
    const unsigned c = 0;
    const unsigned r = 1;

    story_tells(world, c, "placed");
    story_meet(world);
    story_tells(world, r, "accepted");
    story_meet(world);
    story_part_all(world);
    story_tells(world, c, "cancelled");
    story_tells(world, r, "prepares");
    story_meet(world);
    for (unsigned i = 0; i < 2; i++) {
        assert_string_equal(story_event_clock(world, i, c, 1), "{n1:1}");
        assert_string_equal(story_event_clock(world, i, r, 1), "{n1:1 n2:1}");
        assert_string_equal(story_event_clock(world, i, c, 2), "{n1:2 n2:1}");
        assert_string_equal(story_event_clock(world, i, r, 2), "{n1:1 n2:2}");
        assert_int_equal(story_relation(world, i, c, 2, r, 2), GOSSIP_CONCURRENT);
        assert_string_equal(story_clock(world, i), "{n1:2 n2:2}");
    }
    story_end(story);
}

/* S6: a delivery round. */
static void delivery_round(struct story *story)
{
    struct world *world = story_begin(story, 3);
    const unsigned r = 0;
    const unsigned s = 1;
    const unsigned p = 2;

    story_part_all(world);
    story_tells(world, r, "r-picks");
    story_tells(world, s, "s-picks");
    story_tells(world, p, "p-picks");
    story_link(world, r, s);
    story_await(world, r, s, 1);
    story_await(world, s, r, 1);
    story_part_all(world);
    story_tells(world, r, "r-delivers");
    story_tells(world, p, "p-delivers");
    story_meet(world);
    assert_string_equal(story_event_clock(world, p, r, 2), "{n1:2 n2:1}");
    assert_int_equal(story_relation(world, p, s, 1, r, 2), GOSSIP_BEFORE);
    assert_int_equal(story_relation(world, s, p, 2, r, 2), GOSSIP_CONCURRENT);
    assert_int_equal(story_relation(world, s, p, 2, s, 1), GOSSIP_CONCURRENT);
    story_end(story);
}

/* S7: a delay is announced, and cascades. */
static void delay_cascade(struct story *story)
{
    struct world *world = story_begin(story, 3);
    const unsigned b = 0;
    const unsigned d = 1;
    const unsigned m = 2;

    story_part_all(world);
    story_tells(world, d, "d1");
    story_tells(world, b, "b1");
    story_link(world, d, m);
    story_await(world, m, d, 1);
    story_tells(world, m, "m1");
    story_link(world, m, b);
    story_await(world, b, m, 1);
    story_tells(world, b, "b2");
    story_meet(world);
    assert_string_equal(story_event_clock(world, d, d, 1), "{n2:1}");
    assert_string_equal(story_event_clock(world, d, m, 1), "{n2:1 n3:1}");
    assert_string_equal(story_event_clock(world, d, b, 1), "{n1:1}");
    assert_string_equal(story_event_clock(world, d, b, 2), "{n1:2 n2:1 n3:1}");
    story_end(story);
}

/* S8: wall clocks are in the wrong order; the relation and the displayed order are not. */
static void skewed_wall_clocks(struct story *story)
{
    struct world *world = story_begin(story, 2);

    world_set_skew(world, 1, -300);
    story_tells(world, 0, "first");
    story_await(world, 1, 0, 1);
    story_tells(world, 1, "second");
    story_meet(world);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(story_relation(world, i, 0, 1, 1, 1), GOSSIP_BEFORE);
        assert_string_equal(story_log(world, i), "first second");
    }
    story_end(story);
}

/* S9: a flood cuts three stations off from each other. */
static void flood(struct story *story)
{
    struct world *world = story_begin(story, 3);

    for (unsigned i = 0; i < 3; i++)
        story_tells(world, i, "report");
    story_meet(world);
    story_part_all(world);
    for (unsigned i = 0; i < 3; i++) {
        story_tells(world, i, "water");
        story_tells(world, i, "rises");
    }
    world_run(world, 30000);
    story_meet(world);
    for (unsigned i = 0; i < 3; i++) {
        assert_string_equal(story_clock(world, i), "{n1:3 n2:3 n3:3}");
        assert_int_equal(story_relation(world, i, 0, 3, 1, 3), GOSSIP_CONCURRENT);
        assert_int_equal(story_relation(world, i, 0, 3, 2, 3), GOSSIP_CONCURRENT);
        assert_int_equal(story_relation(world, i, 1, 3, 2, 3), GOSSIP_CONCURRENT);
        assert_int_equal(story_relation(world, i, 0, 1, 0, 3), GOSSIP_BEFORE);
    }
    story_end(story);
}

/* S10: four services, each acting on what it has seen. */
static void four_services(struct story *story)
{
    struct world *world = story_begin(story, 4);
    static const struct {
        unsigned node;
        const char *what;
        const char *clock;
    } steps[] = {
        {0, "cart-adds", "{n1:1}"},
        {1, "inventory-reserves", "{n1:1 n2:1}"},
        {0, "cart-asks", "{n1:2 n2:1}"},
        {2, "payment-completes", "{n1:2 n2:1 n3:1}"},
        {3, "order-creates", "{n1:2 n2:1 n3:1 n4:1}"},
    };
    unsigned seqs[4] = {0};

    for (size_t i = 0; i < 5; i++) {
        story_tells(world, steps[i].node, steps[i].what);
        seqs[steps[i].node]++;
        story_meet(world);
        assert_string_equal(story_event_clock(world, 3, steps[i].node, seqs[steps[i].node]),
                            steps[i].clock);
    }
    assert_string_equal(story_log(world, 1),
                        "cart-adds inventory-reserves cart-asks payment-completes order-creates");
    story_end(story);
}

/* S11: five regions write apart, sync, and sync again. */
static void five_regions(struct story *story)
{
    struct world *world = story_begin(story, 5);
    static const unsigned writes[5] = {2, 1, 2, 1, 0};
    struct gossip_dot dots[6];
    size_t count = 0;
    unsigned concurrent = 0;
    struct gossip_stats before[5];

    story_part_all(world);
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned j = 0; j < writes[i]; j++)
            story_tells(world, i, "m");
    }
    story_meet(world);
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned j = 1; j <= writes[i]; j++)
            dots[count++] = (struct gossip_dot){story_author(world, 4, i), j};
    }
    assert_int_equal(count, 6);
    for (size_t i = 0; i < 6; i++) {
        for (size_t j = i + 1; j < 6; j++) {
            enum gossip_relation relation;

            assert_int_equal(gossip_relation(world_gossip(world, 4), dots[i], dots[j], &relation),
                             0);
            concurrent += relation == GOSSIP_CONCURRENT;
        }
    }
    assert_int_equal(concurrent, 13);
    for (unsigned i = 0; i < 5; i++) {
        assert_string_equal(story_clock(world, i), "{n1:2 n2:1 n3:2 n4:1}");
        gossip_stats(world_gossip(world, i), &before[i]);
    }
    world_run(world, 60000);
    for (unsigned i = 0; i < 5; i++) {
        struct gossip_stats after;

        gossip_stats(world_gossip(world, i), &after);
        assert_int_equal(after.commits, before[i].commits);
        assert_string_equal(story_clock(world, i), "{n1:2 n2:1 n3:2 n4:1}");
    }
    story_end(story);
}

/* S13: the comment arrives before the post it answers. */
static void post_and_comment(struct story *story)
{
    struct world *world = story_begin(story, 3);
    struct gossip_held held[4];
    struct gossip_author author;
    struct story_heard heard = {.node = 2};

    world_set_application(world, story_hear, &heard);
    /* n3 hears n2 only, and n2's answers to what n3 asks for do not come back. */
    story_unlink(world, 0, 2);
    world_cut(world, 2, 1);
    story_tells(world, 0, "post");
    story_await(world, 1, 0, 1);
    story_tells(world, 1, "comment");
    world_run(world, 900);
    assert_int_equal(gossip_held(world_gossip(world, 2), held, 4), 1);
    assert_int_equal(held[0].dot.author, story_author(world, 2, 1));
    assert_int_equal(held[0].dot.seq, 1);
    assert_int_equal(held[0].waits_seq, 1);
    assert_int_equal(gossip_author(world_gossip(world, 0), story_author(world, 0, 0), &author), 0);
    assert_memory_equal(held[0].waits_id, author.id, GOSSIP_ID_SIZE);
    assert_string_equal(story_clock(world, 2), "{}");
    assert_string_equal(heard.text, "");
    story_meet(world);
    assert_string_equal(heard.text, "post comment");
    story_end(story);
}

/* S14: a later event arrives first. It waits, and nobody sees a half-merged clock. */
static void later_first(struct story *story)
{
    struct world *world = story_begin(story, 2);
    struct story_lost lost = {.from = 1, .to = 0};
    struct story_heard heard = {.node = 0};

    world_set_tap(world, story_lose, &lost);
    for (unsigned i = 1; i <= 4; i++)
        story_tells(world, 1, "x");
    story_meet(world);
    world_set_application(world, story_hear, &heard);
    lost.left = 1;
    story_tells(world, 1, "five");
    story_tells(world, 1, "six");
    world_run(world, 41); /* The push of six is here; no repair is due yet. */
    assert_string_equal(story_clock(world, 0), "{n2:4}");
    assert_string_equal(heard.text, "");
    story_meet(world);
    assert_string_equal(story_clock(world, 0), "{n2:6}");
    assert_string_equal(heard.text, "five six");
    story_end(story);
}

/* S15: a node is killed and started again. */
static void restart(struct story *story)
{
    struct world *world = story_begin(story, 2);

    for (unsigned i = 0; i < 100; i++)
        story_tells(world, 0, "a");
    for (unsigned i = 0; i < 50; i++)
        story_tells(world, 1, "b");
    story_meet(world);
    world_kill(world, 0, VIRTUAL_DAMAGE_LOST);
    world_start(world, 0);
    assert_string_equal(story_clock(world, 0), "{n1:100 n2:50}");
    assert_int_equal(story_tells(world, 0, "next"), 101);
    assert_string_equal(story_event_clock(world, 0, 0, 101), "{n1:101 n2:50}");
    story_meet(world);
    assert_string_equal(story_clock(world, 1), "{n1:101 n2:50}");
    story_end(story);
}

/* S16: what was published before a restart is served after it. */
static void restart_with_events(struct story *story)
{
    struct world *world = story_begin(story, 2);

    world_kill(world, 1, VIRTUAL_DAMAGE_LOST);
    story_tells(world, 0, "one");
    world_kill(world, 0, VIRTUAL_DAMAGE_LOST);
    world_start(world, 0);
    assert_string_equal(story_clock(world, 0), "{n1:1}");
    assert_string_equal(story_log(world, 0), "one");
    world_start(world, 1);
    story_meet(world);
    assert_string_equal(story_log(world, 1), "one");
    assert_int_equal(story_tells(world, 0, "two"), 2);
    story_end(story);
}

/* S17: a sync one way, then both write apart. */
static void one_way_sync(struct story *story)
{
    struct world *world = story_begin(story, 2);

    story_tells(world, 0, "x1");
    story_await(world, 1, 0, 1);
    story_part_all(world);
    story_tells(world, 0, "x2");
    story_tells(world, 1, "y2");
    story_meet(world);
    assert_int_equal(story_relation(world, 0, 0, 1, 1, 1), GOSSIP_BEFORE);
    assert_int_equal(story_relation(world, 0, 0, 2, 1, 1), GOSSIP_CONCURRENT);
    story_end(story);
}

/* S20: the same event twice is one event, and equal is not concurrent. */
static void equal_is_not_concurrent(struct story *story)
{
    static const struct virtual_link twice = {.jitter_ms = 30, .duplicate_ppm = 1000000};
    struct world *world = story_begin(story, 2);
    struct story_heard heard = {.node = 1};

    virtual_network_set_default(world_network(world), &twice);
    world_set_application(world, story_hear, &heard);
    story_tells(world, 0, "once");
    story_meet(world);
    assert_string_equal(heard.text, "once");
    assert_int_equal(story_relation(world, 1, 0, 1, 0, 1), GOSSIP_EQUAL);
    world_run(world, STORY_MINUTE_MS);
    assert_string_equal(heard.text, "once");
    assert_string_equal(story_clock(world, 1), "{n1:1}");
    story_end(story);
}

/* S25: any one datagram is lost, the first of what follows or a later one, in either direction. */
static void lost_delta(struct story *story)
{
    for (unsigned which = 0; which < 12; which++) {
        struct world *world = story_begin(story, 2);
        struct story_lost lost = {.from = which % 2, .to = 1 - which % 2};

        world_set_tap(world, story_lose, &lost);
        story_tells(world, 0, "x");
        world_run(world, which / 2 * 15);
        lost.left = 1;
        story_tells(world, 0, "y");
        story_tells(world, 1, "z");
        assert_true(world_run_until(world, world_agrees, 4000));
        assert_true(world_run_until(world, story_in_step, 10000));
        assert_int_equal(lost.left, 0);
        story_end(story);
    }
}

STORY(two_carts)
STORY(three_friends_chat)
STORY(order_states)
STORY(delivery_round)
STORY(delay_cascade)
STORY(skewed_wall_clocks)
STORY(flood)
STORY(four_services)
STORY(five_regions)
STORY(post_and_comment)
STORY(later_first)
STORY(restart)
STORY(restart_with_events)
STORY(one_way_sync)
STORY(equal_is_not_concurrent)
STORY(lost_delta)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(two_carts),
        STORY_TEST(three_friends_chat),
        STORY_TEST(order_states),
        STORY_TEST(delivery_round),
        STORY_TEST(delay_cascade),
        STORY_TEST(skewed_wall_clocks),
        STORY_TEST(flood),
        STORY_TEST(four_services),
        STORY_TEST(five_regions),
        STORY_TEST(post_and_comment),
        STORY_TEST(later_first),
        STORY_TEST(restart),
        STORY_TEST(restart_with_events),
        STORY_TEST(one_way_sync),
        STORY_TEST(equal_is_not_concurrent),
        STORY_TEST(lost_delta),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
