/*
 * What networks and clocks do to a few nodes: loss, copies, disorder, damage, splits, links of one
 * direction, links that come and go, moves; wall clocks that jump or are wrong, processes that
 * stand still, and years. Everything comes to everybody, in causal order.
 */
#include "tests/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/hlc.h"

#define YEAR_MS  (365 * 24 * INT64_C(3600000))
#define BEGAN_MS INT64_C(1800000000000) /* What the wall clocks of a world begin with. */
#define PERCENT  UINT32_C(10000)

/* Each node that is up writes in turn, two events a second. */
static void chat(struct world *world, unsigned events)
{
    for (unsigned i = 0; i < events; i++) {
        unsigned node = i % world_nodes(world);

        if (world_state(world, node) == WORLD_UP)
            assert_true(world_publish(world, node, "chat", 4));
        world_run(world, 500);
    }
}

/* How many datagrams were refused at node, for whatever a link can have done to them. */
static uint64_t refused(struct world *world, unsigned node)
{
    struct gossip_stats stats = story_stats(world, node);
    uint64_t sum = 0;

    for (enum gossip_verdict i = GOSSIP_DATAGRAM_SHORT; i < GOSSIP_DATAGRAM_VERDICTS; i++)
        sum +=
            i == GOSSIP_DATAGRAM_DUPLICATE || i == GOSSIP_DATAGRAM_UNASKED ? 0 : stats.datagrams[i];
    return sum;
}

static uint64_t sent(struct world *world)
{
    struct virtual_network_stats stats;

    virtual_network_stats(world_network(world), &stats);
    return stats.sent;
}

/* Four nodes talk over such links, and come to agree over them. */
static struct world *talk_over(struct story *story, const struct virtual_link *link)
{
    struct world *world = story_begin(story, 4);

    virtual_network_set_default(world_network(world), link);
    chat(world, 40);
    assert_true(world_run_until(world, world_in_step, 5 * STORY_MINUTE_MS));
    assert_string_equal(story_clock(world, 3), "{n1:10 n2:10 n3:10 n4:10}");
    return world;
}

/* N1: a tenth, a third, half of all datagrams is lost. */
static void loss(struct story *story)
{
    static const uint32_t percents[] = {10, 33, 50};

    for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
        struct virtual_link link = {
            .latency_ms = 5, .jitter_ms = 35, .loss_ppm = percents[i] * PERCENT};

        talk_over(story, &link);
        story_end(story);
    }
}

/* N1: for seconds nothing passes. */
static void bursts_of_loss(struct story *story)
{
    struct virtual_link link = {
        .latency_ms = 5, .jitter_ms = 35, .burst_ppm = 5 * PERCENT, .burst_ms = 5000};

    talk_over(story, &link);
    story_end(story);
}

/* N2: of each datagram come up to a hundred copies. None is answered twice. */
static void copies(struct story *story)
{
    struct virtual_link once = {.latency_ms = 5, .jitter_ms = 35};
    struct virtual_link often = once;
    uint64_t usual;
    struct world *world;

    often.duplicate_ppm = 100 * PERCENT;
    often.duplicate_max = 100;
    world = talk_over(story, &once);
    usual = sent(world);
    story_end(story);
    world = talk_over(story, &often);
    assert_in_range(sent(world), 1, 2 * usual);
    story_end(story);
}

/* N3: half of all datagrams are overtaken by what was sent up to ten seconds later. */
static void disorder(struct story *story)
{
    struct virtual_link link = {
        .latency_ms = 5, .jitter_ms = 35, .reorder_ppm = 50 * PERCENT, .reorder_ms = 10000};

    talk_over(story, &link);
    story_end(story);
}

/* N3: one in five takes a second, one in ten two, one in twenty three ... */
static void heavy_tail(struct story *story)
{
    struct virtual_link link = {
        .latency_ms = 5, .jitter_ms = 35, .tail_ppm = 20 * PERCENT, .tail_ms = 1000};

    talk_over(story, &link);
    story_end(story);
}

/* N4: bits are flipped and bytes overwritten. Whatever was touched is refused, and counted. */
static void corruption(struct story *story)
{
    struct virtual_link link = {.latency_ms = 5, .jitter_ms = 35, .corrupt_ppm = 30 * PERCENT};
    struct world *world = talk_over(story, &link);

    for (unsigned i = 0; i < 4; i++)
        assert_true(refused(world, i) > 0);
    story_end(story);
}

/* N5: datagrams end early, or go on with bytes of somebody else. */
static void truncation(struct story *story)
{
    struct virtual_link link = {.latency_ms = 5, .jitter_ms = 35, .truncate_ppm = 30 * PERCENT};
    struct world *world = talk_over(story, &link);

    for (unsigned i = 0; i < 4; i++)
        assert_true(refused(world, i) > 0);
    story_end(story);
}

/* N6: one is cut off from four. Both sides go on. */
static void one_against_four(struct story *story)
{
    struct world *world = story_begin(story, 5);

    world_split(world, 1);
    chat(world, 10);
    world_run(world, 10 * STORY_SECOND_MS);
    assert_string_equal(story_clock(world, 0), "{n1:2}");
    for (unsigned i = 1; i < 5; i++)
        assert_string_equal(story_clock(world, i), "{n2:2 n3:2 n4:2 n5:2}");
    story_meet(world);
    story_end(story);
}

/* N6: three parts of two each. */
static void thirds(struct story *story)
{
    struct world *world = story_begin(story, 6);

    for (unsigned i = 0; i < 6; i++)
        virtual_network_set_part(world_network(world), i, i / 2);
    chat(world, 6);
    world_run(world, 20 * STORY_SECOND_MS);
    assert_string_equal(story_clock(world, 0), "{n1:1 n2:1}");
    assert_string_equal(story_clock(world, 1), "{n1:1 n2:1}");
    assert_string_equal(story_clock(world, 2), "{n3:1 n4:1}");
    assert_string_equal(story_clock(world, 5), "{n5:1 n6:1}");
    story_meet(world);
    story_end(story);
}

/* N6: where the network is split changes all the time. */
static void rotating_split(struct story *story)
{
    struct world *world = story_begin(story, 5);

    for (unsigned round = 0; round < 8; round++) {
        world_split(world, 1 + round % 4);
        chat(world, 20);
    }
    story_meet(world);
    assert_string_equal(story_clock(world, 0), "{n1:32 n2:32 n3:32 n4:32 n5:32}");
    story_end(story);
}

/* N7: n1 is not heard by n2. It is by n3, and n3 by n2. */
static void one_way_cut(struct story *story)
{
    struct world *world = story_begin(story, 3);

    world_cut(world, 0, 1);
    chat(world, 30);
    assert_true(world_run_until(world, world_agrees, STORY_MINUTE_MS));
    story_meet(world);
    story_end(story);
}

/* N7: all talk to n1, and nobody else to anybody. */
static void hub(struct story *story)
{
    struct world *world = story_begin(story, 5);

    story_part_all(world);
    for (unsigned i = 1; i < 5; i++)
        story_link(world, 0, i);
    chat(world, 30);
    assert_true(world_run_until(world, world_agrees, STORY_MINUTE_MS));
    story_meet(world);
    story_end(story);
}

/* N7: each hears only the one before it. An address is proven by an answer, so in such a ring
 * nobody is: what holds is that nothing false comes of it, and that it is over when it is over. */
static void ring_of_one_way_links(struct story *story)
{
    struct world *world = story_begin(story, 4);

    story_part_all(world);
    for (unsigned i = 0; i < 4; i++)
        world_mend(world, i, (i + 1) % 4);
    chat(world, 40);
    world_run(world, STORY_MINUTE_MS);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(story_have(world, i, i), 10);
    story_meet(world);
    for (unsigned i = 0; i < 4; i++)
        assert_string_equal(story_clock(world, i), "{n1:10 n2:10 n3:10 n4:10}");
    story_end(story);
}

/* N7: one node after another is clogged, and then each is free again in another order. */
static void clogged_one_by_one(struct story *story)
{
    static const unsigned order[] = {2, 0, 3, 1};
    struct world *world = story_begin(story, 4);

    for (unsigned clogged = 0; clogged < 4; clogged++) {
        for (unsigned other = 0; other < 4; other++) {
            if (other != clogged)
                story_unlink(world, clogged, other);
        }
        chat(world, 8);
    }
    for (unsigned freed = 0; freed < 4; freed++) {
        for (unsigned i = 0; i < freed; i++)
            story_link(world, order[freed], order[i]);
        chat(world, 8);
    }
    story_meet(world);
    assert_string_equal(story_clock(world, 0), "{n1:16 n2:16 n3:16 n4:16}");
    story_end(story);
}

/* N8: every link is up for a second and down for a second. Nothing piles up. */
static void flapping(struct story *story)
{
    struct virtual_link link = {
        .latency_ms = 5, .jitter_ms = 35, .flap_up_ms = 1000, .flap_down_ms = 1000};
    struct world *world = talk_over(story, &link);
    uint64_t before = sent(world);

    world_run(world, STORY_MINUTE_MS);
    /* Four datagrams a second from each: asking, answering, and saying hello once more. */
    assert_in_range(sent(world) - before, 1, 4 * 4 * 60);
    story_end(story);
}

static uint16_t port_of(struct world *world, unsigned node, unsigned other)
{
    for (size_t i = 0; i < gossip_peer_count(world_gossip(world, node)); i++) {
        struct gossip_peer peer;

        assert_int_equal(gossip_peer(world_gossip(world, node), i, &peer), GOSSIP_OK);
        if (memcmp(peer.key, gossip_identity_key(world_identity(world, other)), GOSSIP_KEY_SIZE) ==
            0)
            return peer.address.port;
    }
    return 0;
}

/* N11: one after another is started again at another address. It says hello from there, and the
 * others follow. */
static void moves(struct story *story)
{
    struct world *world = story_begin(story, 3);

    for (unsigned moved = 0; moved < 3; moved++) {
        world_stop(world, moved);
        world_move(world, moved);
        world_run(world, 10 * STORY_SECOND_MS);
        world_start(world, moved);
        story_tells(world, moved, "here");
        story_meet(world);
        for (unsigned i = 0; i < 3; i++) {
            if (i != moved)
                assert_int_equal(port_of(world, i, moved), world_address(world, moved).port);
        }
    }
    assert_string_equal(story_clock(world, 0), "{n1:1 n2:1 n3:1}");
    story_end(story);
}

/* The stamp of the last event that node has written. */
static uint64_t last_stamp(struct world *world, unsigned node)
{
    struct gossip *gossip = world_gossip(world, node);
    struct gossip_dot dot = {gossip_self(gossip), story_have(world, node, node)};
    struct gossip_event event;

    assert_int_equal(gossip_event_get(gossip, dot, &event), GOSSIP_OK);
    return event.hlc;
}

/* C1: the wall clock of n1 jumps while it runs, and again while it is down. Its events go on by
 * one, its stamps never back, and its timers do not care. */
static void wall_clock_jumps(struct story *story)
{
    static const int64_t jumps[] = {-STORY_HOUR_MS, -YEAR_MS, -BEGAN_MS, YEAR_MS};

    for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
        struct world *world = story_begin(story, 2);
        uint64_t stamp;

        assert_int_equal(story_tells(world, 0, "before"), 1);
        stamp = last_stamp(world, 0);
        world_set_skew(world, 0, jumps[i]);
        assert_int_equal(story_tells(world, 0, "meanwhile"), 2);
        assert_true(last_stamp(world, 0) > stamp);
        stamp = last_stamp(world, 0);
        assert_true(world_run_until(world, story_in_step, 10 * STORY_SECOND_MS));
        story_tells(world, 1, "answer");
        assert_true(world_run_until(world, story_in_step, 10 * STORY_SECOND_MS));
        world_kill(world, 0, VIRTUAL_DAMAGE_LOST);
        world_set_skew(world, 0, -jumps[i] / 2);
        world_start(world, 0);
        assert_int_equal(story_tells(world, 0, "after"), 3);
        assert_true(last_stamp(world, 0) > stamp);
        story_meet(world);
        assert_string_equal(story_log(world, 1), "before meanwhile answer after");
        story_end(story);
    }
}

/* C2: the wall clocks are apart. What was seen is before what was written after it, nothing is
 * refused, and who hears from the future does not follow it there. */
static void skewed_clocks(struct story *story)
{
    static const int64_t skews[] = {500, 10000, STORY_HOUR_MS};

    for (size_t i = 0; i < sizeof(skews) / sizeof(skews[0]); i++) {
        struct world *world = story_begin(story, 3);
        uint64_t usual;
        uint64_t began;

        world_set_skew(world, 0, skews[i]);
        world_set_skew(world, 2, -skews[i]);
        story_tells(world, 1, "one");
        usual = hlc_ms(last_stamp(world, 1));
        began = world_now(world);
        story_meet(world);
        story_tells(world, 0, "two");
        story_meet(world);
        story_tells(world, 2, "three");
        story_meet(world);
        story_tells(world, 1, "four");
        assert_in_range(hlc_ms(last_stamp(world, 1)), usual,
                        usual + world_now(world) - began + GOSSIP_HLC_AHEAD_MS + 1);
        story_meet(world);
        for (unsigned j = 0; j < 3; j++) {
            assert_string_equal(story_log(world, j), "one two three four");
            assert_int_equal(story_stats(world, j).datagrams[GOSSIP_DATAGRAM_REFUSED], 0);
        }
        story_end(story);
    }
}

/* C3: a wall clock at 0, and at ends of what numbers can tell. Events are as good as any, and the
 * stamps of the others stay where they are. */
static void absurd_clocks(struct story *story)
{
    static const int64_t skews[] = {-BEGAN_MS - STORY_MINUTE_MS, (INT64_C(1) << 48) - BEGAN_MS,
                                    INT64_MAX - BEGAN_MS - STORY_HOUR_MS};

    for (size_t i = 0; i < sizeof(skews) / sizeof(skews[0]); i++) {
        struct world *world = story_begin(story, 2);
        uint64_t stamp;

        world_set_skew(world, 0, skews[i]);
        story_tells(world, 0, "one");
        stamp = last_stamp(world, 0);
        story_tells(world, 0, "two");
        assert_true(last_stamp(world, 0) > stamp);
        story_meet(world);
        story_tells(world, 1, "three");
        assert_in_range(hlc_ms(last_stamp(world, 1)), BEGAN_MS,
                        BEGAN_MS + world_now(world) + GOSSIP_HLC_AHEAD_MS + 1);
        story_meet(world);
        world_set_skew(world, 0, 0);
        story_tells(world, 0, "four");
        assert_true(last_stamp(world, 0) > stamp);
        story_meet(world);
        assert_string_equal(story_log(world, 1), "one two three four");
        story_end(story);
    }
}

struct said {
    unsigned from;
    uint64_t count;
};

static bool count_said(void *context, unsigned from, unsigned to,
                       const struct gossip_datagram *datagram)
{
    struct said *said = context;

    (void)to;
    (void)datagram;
    said->count += from == said->from;
    return false;
}

/* C4, D20: a process stands still for a minute, and so does its clock's use. Then it catches up
 * once; no timer makes up for what it has missed. */
static void pause_of_a_minute(struct story *story)
{
    struct world *world = story_begin(story, 3);
    struct said said = {.from = 0};

    world_pause(world, 0);
    for (unsigned i = 0; i < 60; i++) {
        story_tells(world, 1 + i % 2, "goes on");
        world_run(world, STORY_SECOND_MS);
    }
    assert_string_equal(story_clock(world, 0), "{}");
    world_set_tap(world, count_said, &said);
    world_resume(world, 0);
    world_run(world, STORY_SECOND_MS);
    assert_in_range(said.count, 1, 80);
    assert_true(world_run_until(world, story_in_step, STORY_MINUTE_MS));
    assert_string_equal(story_clock(world, 0), "{n2:30 n3:30}");
    story_end(story);
}

/* C5: a node comes back after more than a year. It is welcome, and so is what it has. */
static void year_away(struct story *story)
{
    struct world *world = story_begin(story, 3);

    story_tells(world, 0, "old");
    story_meet(world);
    world_stop(world, 0);
    story_tells(world, 1, "missed");
    world_run(world, STORY_MINUTE_MS);
    world_stop(world, 2);
    world_stop(world, 1);
    world_run(world, YEAR_MS + YEAR_MS / 4);
    world_start(world, 1);
    world_start(world, 2);
    world_run(world, STORY_HOUR_MS);
    world_start(world, 0);
    story_tells(world, 0, "new");
    story_meet(world);
    for (unsigned i = 0; i < 3; i++)
        assert_string_equal(story_log(world, i), "old missed new");
    story_end(story);
}

STORY(loss)
STORY(bursts_of_loss)
STORY(copies)
STORY(disorder)
STORY(heavy_tail)
STORY(corruption)
STORY(truncation)
STORY(one_against_four)
STORY(thirds)
STORY(rotating_split)
STORY(one_way_cut)
STORY(hub)
STORY(ring_of_one_way_links)
STORY(clogged_one_by_one)
STORY(flapping)
STORY(moves)
STORY(wall_clock_jumps)
STORY(skewed_clocks)
STORY(absurd_clocks)
STORY(pause_of_a_minute)
STORY(year_away)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(loss),
        STORY_TEST(bursts_of_loss),
        STORY_TEST(copies),
        STORY_TEST(disorder),
        STORY_TEST(heavy_tail),
        STORY_TEST(corruption),
        STORY_TEST(truncation),
        STORY_TEST(one_against_four),
        STORY_TEST(thirds),
        STORY_TEST(rotating_split),
        STORY_TEST(one_way_cut),
        STORY_TEST(hub),
        STORY_TEST(ring_of_one_way_links),
        STORY_TEST(clogged_one_by_one),
        STORY_TEST(flapping),
        STORY_TEST(moves),
        STORY_TEST(wall_clock_jumps),
        STORY_TEST(skewed_clocks),
        STORY_TEST(absurd_clocks),
        STORY_TEST(pause_of_a_minute),
        STORY_TEST(year_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
