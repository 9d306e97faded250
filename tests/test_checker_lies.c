/*
 * The checker itself: each test lies to it in one way, and it must say which invariant was broken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "cmd/lab/standin.h"
#include "cmd/lab/world.h"
#include "gossip/event.h"
#include "gossip/frame.h"
#include "gossip/hlc.h"
#include "gossip/identity.h"

enum { NODES = 2, WALL_MS = 1000000 };

/* A checker that is told of saves that nobody makes. */
struct story {
    struct gossip_cluster *cluster;
    struct gossip_identity *identities[NODES];
    struct checker *checker;
    struct gossip_author_record authors[NODES]; /* Of each node, as all save them. */
};

static void begin(struct story *story)
{
    static const uint8_t gate[GOSSIP_CLUSTER_SECRET_SIZE] = {1};
    uint8_t seed[GOSSIP_SEED_SIZE] = {1};

    *story = (struct story){0};
    assert_int_equal(cluster_make(standin_crypto(), seed, gate, &story->cluster), GOSSIP_OK);
    story->checker = checker_create(standin_crypto(), 1, NODES);
    for (unsigned i = 0; i < NODES; i++) {
        struct gossip_author_record *author = &story->authors[i];

        seed[0] = (uint8_t)(i + 2);
        assert_int_equal(
            identity_make(standin_crypto(), story->cluster, "n", 0, seed, &story->identities[i]),
            GOSSIP_OK);
        checker_add_node(story->checker, i, story->identities[i]);
        checker_set_wall(story->checker, i, WALL_MS);
        author->epoch[7] = (uint8_t)i;
        memcpy(author->key, story->identities[i]->key, GOSSIP_KEY_SIZE);
        author_id(standin_crypto(), author->key, author->epoch, author->id);
    }
}

static void end(struct story *story, enum invariant expected)
{
    const struct violation *violation = checker_violation(story->checker);

    if (violation->invariant != expected)
        fail_msg("%s, not %s: %s", invariant_name(violation->invariant), invariant_name(expected),
                 violation->witness);
    checker_destroy(story->checker);
    for (unsigned i = 0; i < NODES; i++)
        gossip_identity_destroy(story->identities[i]);
    gossip_cluster_destroy(story->cluster);
}

struct told {
    unsigned node;
    unsigned author; /* Of which node. */
    uint32_t number; /* Of the author, at node. */
    uint64_t seq;
    uint64_t delivery;
    uint64_t stamp;
    uint64_t clock; /* The stamp saved with it. */
    const struct frame_entry *entries;
    size_t entry_count;
};

/* One save of one event, with the author's row and the stamp. */
static void save(struct story *story, const struct told *told)
{
    uint8_t body[256];
    size_t size = frame_size(GOSSIP_EVENT_APPLICATION, told->entries, told->entry_count);
    struct gossip_record records[3] = {{.kind = GOSSIP_RECORD_EVENT},
                                       {.kind = GOSSIP_RECORD_AUTHOR},
                                       {.kind = GOSSIP_RECORD_META}};

    frame_write(body, told->stamp, GOSSIP_EVENT_APPLICATION, told->entries, told->entry_count);
    payload_field_write(body + size, "x", 1);
    records[0].as.event = (struct gossip_event_record){.delivery = told->delivery,
                                                       .author = told->number,
                                                       .seq = told->seq,
                                                       .body = body,
                                                       .body_size = size + payload_field_size(1)};
    records[1].as.author = story->authors[told->author];
    records[1].as.author.number = told->number;
    records[1].as.author.have = told->seq;
    records[2].as.meta.name = "hlc";
    records[2].as.meta.number = told->clock;
    checker_saved(story->checker, told->node, records, 3, GOSSIP_OK, true);
}

static void tell(struct story *story, unsigned node, uint64_t seq, uint64_t stamp)
{
    save(story, &(struct told){.node = node,
                               .author = node,
                               .seq = seq,
                               .delivery = seq,
                               .stamp = stamp,
                               .clock = stamp});
}

static void test_sound(void **state)
{
    struct story story;

    (void)state;
    begin(&story);
    tell(&story, 0, 1, hlc_make(WALL_MS, 0));
    tell(&story, 0, 2, hlc_make(WALL_MS, 1));
    tell(&story, 0, 3, hlc_make(WALL_MS + GOSSIP_HLC_AHEAD_MS, 0));
    end(&story, INVARIANT_NONE);
}

static void test_stamp_before_wall_clock(void **state)
{
    struct story story;

    (void)state;
    begin(&story);
    tell(&story, 0, 1, hlc_make(WALL_MS - 1, 5));
    end(&story, INVARIANT_MONOTONIC);
}

static void test_stamp_far_ahead(void **state)
{
    struct story story;

    (void)state;
    begin(&story);
    tell(&story, 0, 1, hlc_make(WALL_MS + GOSSIP_HLC_AHEAD_MS + 2, 0));
    end(&story, INVARIANT_BOUNDS);
}

/* The second node has delivered an event of the first, and writes its own with an earlier stamp. */
static void test_stamp_not_past_its_cause(void **state)
{
    struct story story;
    struct frame_entry entry = {.seq = 1};

    (void)state;
    begin(&story);
    entry.id = story.authors[0].id;
    tell(&story, 0, 1, hlc_make(WALL_MS + 100, 0));
    save(&story, &(struct told){.node = 1,
                                .author = 0,
                                .seq = 1,
                                .delivery = 1,
                                .stamp = hlc_make(WALL_MS + 100, 0),
                                .clock = hlc_make(WALL_MS + 100, 1)});
    save(&story, &(struct told){.node = 1,
                                .author = 1,
                                .number = 1,
                                .seq = 1,
                                .delivery = 2,
                                .stamp = hlc_make(WALL_MS + 99, 0),
                                .clock = hlc_make(WALL_MS + 100, 1),
                                .entries = &entry,
                                .entry_count = 1});
    end(&story, INVARIANT_MONOTONIC);
}

/* After a restart it could be issued again. */
static void test_stamp_not_saved(void **state)
{
    struct story story;

    (void)state;
    begin(&story);
    save(&story, &(struct told){.seq = 1,
                                .delivery = 1,
                                .stamp = hlc_make(WALL_MS, 1),
                                .clock = hlc_make(WALL_MS, 0)});
    end(&story, INVARIANT_DURABLE);
}

static void test_told_again(void **state)
{
    struct story story;
    struct frame_entry entry = {.seq = 1};
    struct frame_entry again = {.mention = 1, .seq = 1};
    struct told told = {.node = 1,
                        .author = 1,
                        .number = 1,
                        .seq = 1,
                        .delivery = 2,
                        .stamp = hlc_make(WALL_MS, 2),
                        .clock = hlc_make(WALL_MS, 2),
                        .entries = &entry,
                        .entry_count = 1};

    (void)state;
    begin(&story);
    entry.id = story.authors[0].id;
    tell(&story, 0, 1, hlc_make(WALL_MS, 0));
    save(&story, &(struct told){.node = 1,
                                .author = 0,
                                .seq = 1,
                                .delivery = 1,
                                .stamp = hlc_make(WALL_MS, 0),
                                .clock = hlc_make(WALL_MS, 1)});
    save(&story, &told);
    assert_int_equal(checker_violation(story.checker)->invariant, INVARIANT_NONE);
    told.seq = 2;
    told.delivery = 3;
    told.stamp = told.clock = hlc_make(WALL_MS, 3);
    told.entries = &again;
    save(&story, &told);
    end(&story, INVARIANT_CAUSAL);
}

static void test_new_epoch_without_need(void **state)
{
    struct story story;

    (void)state;
    begin(&story);
    tell(&story, 0, 1, hlc_make(WALL_MS, 0));
    story.authors[0].epoch[0] = 1;
    author_id(standin_crypto(), story.authors[0].key, story.authors[0].epoch, story.authors[0].id);
    save(&story, &(struct told){.number = 1,
                                .seq = 1,
                                .delivery = 2,
                                .stamp = hlc_make(WALL_MS, 1),
                                .clock = hlc_make(WALL_MS, 1)});
    end(&story, INVARIANT_MONOTONIC);
}

static void test_epoch_of_another(void **state)
{
    struct story story;

    (void)state;
    begin(&story);
    tell(&story, 0, 1, hlc_make(WALL_MS, 0));
    story.authors[1].epoch[7] = 0;
    author_id(standin_crypto(), story.authors[1].key, story.authors[1].epoch, story.authors[1].id);
    tell(&story, 1, 1, hlc_make(WALL_MS, 0));
    end(&story, INVARIANT_NO_REUSE);
}

/* A world in which all is well, and of which the checker is told something else. */
static struct world *make_world(void)
{
    struct world_options options = {.seed = 1, .nodes = 2};
    struct world *world = world_create(&options);

    world_run(world, 10000);
    assert_int_equal(world_tell(world, 0, "one"), 1);
    assert_int_equal(world_tell(world, 1, "two"), 1);
    assert_int_equal(world_tell(world, 0, "three"), 2);
    assert_true(world_run_until(world, world_agrees, 10000));
    assert_true(world_is_sound(world));
    return world;
}

static void end_world(struct world *world, enum invariant expected)
{
    const struct violation *violation = world_violation(world);

    if (violation->invariant != expected)
        fail_msg("%s, not %s: %s", invariant_name(violation->invariant), invariant_name(expected),
                 violation->witness);
    world_destroy(world);
}

static void test_kept_from_the_application(void **state)
{
    struct world *world = make_world();

    (void)state;
    checker_cursor(world_checker(world), 0, 2);
    checker_stepped(world_checker(world), 0, world_gossip(world, 0));
    end_world(world, INVARIANT_CLOSED);
}

static void test_result_again(void **state)
{
    struct world *world = make_world();
    struct gossip_result result = {.dot = {gossip_self(world_gossip(world, 0)), 2}};

    (void)state;
    checker_result(world_checker(world), 0, &result, "three", 5);
    end_world(world, INVARIANT_BYTES);
}

static void test_shown_with_another_stamp(void **state)
{
    struct world *world = make_world();
    struct gossip_event event;

    (void)state;
    assert_int_equal(gossip_event_get(world_gossip(world, 0),
                                      (struct gossip_dot){gossip_self(world_gossip(world, 0)), 1},
                                      &event),
                     GOSSIP_OK);
    checker_cursor(world_checker(world), 0, event.delivery - 1);
    event.hlc++;
    checker_popped(world_checker(world), 0, &event);
    end_world(world, INVARIANT_BYTES);
}

/* The second node's log, said to be the first's, whose numbers mean other authors. */
static void test_log_in_another_order(void **state)
{
    struct world *world = make_world();

    (void)state;
    checker_read_log(world_checker(world), 0, world_gossip(world, 0));
    checker_read_log(world_checker(world), 1, world_gossip(world, 1));
    assert_true(world_is_sound(world));
    checker_read_log(world_checker(world), 0, world_gossip(world, 1));
    end_world(world, INVARIANT_ORDER);
}

static void test_answers_of_another(void **state)
{
    struct world *world = make_world();

    (void)state;
    checker_ask(world_checker(world), 0, world_gossip(world, 0));
    assert_true(world_is_sound(world));
    checker_ask(world_checker(world), 0, world_gossip(world, 1));
    end_world(world, INVARIANT_BYTES);
}

static bool tell_twice(void *context, unsigned from, unsigned to,
                       const struct gossip_datagram *datagram)
{
    checker_sent(context, from, to, datagram);
    checker_sent(context, from, to, datagram);
    return false;
}

static void test_box_twice(void **state)
{
    struct world *world = make_world();

    (void)state;
    virtual_network_set_tap(world_network(world), tell_twice, world_checker(world));
    world_run(world, 60000);
    end_world(world, INVARIANT_NO_REUSE);
}

/* The disk is said to have been new when the process began, which counts a second boot. */
static void test_boot_counted_twice(void **state)
{
    struct world *world = make_world();
    struct gossip_store *empty;

    (void)state;
    assert_int_equal(gossip_memory_open(&empty), GOSSIP_OK);
    world_kill(world, 1, VIRTUAL_DAMAGE_NONE);
    world_start(world, 1);
    checker_started(world_checker(world), 1, empty, CHECKER_SET_BACK_SEEN);
    world_run(world, 60000);
    empty->ops->close(empty);
    end_world(world, INVARIANT_MONOTONIC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),
        cmocka_unit_test(test_stamp_before_wall_clock),
        cmocka_unit_test(test_stamp_far_ahead),
        cmocka_unit_test(test_stamp_not_past_its_cause),
        cmocka_unit_test(test_stamp_not_saved),
        cmocka_unit_test(test_told_again),
        cmocka_unit_test(test_new_epoch_without_need),
        cmocka_unit_test(test_epoch_of_another),
        cmocka_unit_test(test_kept_from_the_application),
        cmocka_unit_test(test_result_again),
        cmocka_unit_test(test_shown_with_another_stamp),
        cmocka_unit_test(test_log_in_another_order),
        cmocka_unit_test(test_answers_of_another),
        cmocka_unit_test(test_box_twice),
        cmocka_unit_test(test_boot_counted_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
