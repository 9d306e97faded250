/*
 * The checker, told by hand of disks that were set back, forks, cuts and epochs: what is nobody's
 * fault passes, and what a node must not do about it is called by the invariant it violates.
 */
#include "tests/town.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cmd/lab/standin.h"
#include "gossip/eviction.h"
#include "gossip/identity.h"

/* The disk of n1 is older than n1:2, and its clock older than nothing. */
static void set_n1_back(struct town *town, enum checker_disk disk)
{
    town_start_from(town, 0, town_make_store_of_n1(town, 1), disk);
    town_require_sound(town);
    town->authors[0].seq = 1;
}

/* n1 writes as its second author from now on, which says so first. */
static void open_second_epoch(struct town *town)
{
    struct hand_author *author = &town->authors[TOWN_SECOND_EPOCH];

    town->hlc += 10;
    town->clock = town->hlc;
    hand_write_kind(town->authors, TOWN_SECOND_EPOCH, town->hlc,
                    author->seq == 0 ? GOSSIP_EVENT_EPOCH_OPEN : GOSSIP_EVENT_APPLICATION,
                    town->have[0], NULL, "", &town->events[TOWN_SECOND_EPOCH][author->seq]);
    town_deliver(town, 0, TOWN_SECOND_EPOCH, author->seq);
}

/* n1 issues again, as its second author, what it has written with this hash. */
static void reissue(struct town *town, const uint8_t hash[GOSSIP_HASH_SIZE])
{
    struct hand_author *author = &town->authors[TOWN_SECOND_EPOCH];

    town->hlc += 10;
    town->clock = town->hlc;
    hand_write_kind(town->authors, TOWN_SECOND_EPOCH, town->hlc, GOSSIP_EVENT_APPLICATION,
                    town->have[0], hash, "two", &town->events[TOWN_SECOND_EPOCH][author->seq]);
    town_deliver(town, 0, TOWN_SECOND_EPOCH, author->seq);
}

/* n2 has all that n1 had written; n1 is set back, cannot know it and writes another n1:2, of which
 * n3 hears. hashes[0] is that of the first content, hashes[1] of the second. */
static void fork_n1(struct town *town, uint8_t hashes[2][GOSSIP_HASH_SIZE])
{
    town_deliver(town, 1, 0, 2);
    memcpy(hashes[0], town->events[0][1].record.hash, GOSSIP_HASH_SIZE);
    set_n1_back(town, CHECKER_SET_BACK_UNSEEN);
    town_publish(town, 0, "two, another way");
    memcpy(hashes[1], town->events[0][1].record.hash, GOSSIP_HASH_SIZE);
    town_deliver(town, 2, 0, 1);
    town_deliver(town, 2, 0, 2);
}

/* Node saves that author is cut. */
static void cut(struct town *town, unsigned node, unsigned author, uint64_t seq)
{
    struct gossip_record record;

    town->cuts[node][author] = seq;
    town_make_author(town, node, author, town->have[node][author], &record);
    town_tell_saved(town, node, &record, 1);
}

/* What has happened to n1 is nobody's fault: its dot has two contents, all nodes cut it there, and
 * what was written in vain is issued again under another epoch. */
static void test_fork(void **state)
{
    struct town *town = town_create();
    uint8_t hashes[2][GOSSIP_HASH_SIZE];
    struct checker_stats stats;
    const unsigned all[] = {0, 1, 2};

    (void)state;
    fork_n1(town, hashes);
    town_require_sound(town);
    town_show_author(town, 2, 0, 2);
    checker_notice(town->checker, 2,
                   &(struct gossip_notice){.kind = GOSSIP_NOTICE_DISAGREES, .dot = {0, 2}});
    town_require_sound(town);
    for (unsigned i = 0; i < TOWN_NODES; i++)
        cut(town, i, 0, 2);
    town_send_digest(town, 2, town->authors[0].id, 1, true, town->events[0][0].record.hash);
    town_require_sound(town);
    town_deliver(town, 0, 1, 1);
    town_deliver(town, 2, 1, 1);
    assert_true(checker_agree(town->checker, all, 3));
    town->have[0][0] = 1;
    open_second_epoch(town);
    reissue(town, hashes[1]);
    reissue(town, hashes[0]);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        town_deliver(town, 1, TOWN_SECOND_EPOCH, seq);
        assert_false(checker_agree(town->checker, all, 3));
        town_deliver(town, 2, TOWN_SECOND_EPOCH, seq);
    }
    assert_true(checker_agree(town->checker, all, 3));
    checker_reissues(town->checker, all, 3);
    town_require_sound(town);
    checker_stats(town->checker, &stats);
    assert_int_equal(stats.set_back_unseen, 1);
    assert_int_equal(stats.set_back_seen, 0);
    assert_int_equal(stats.forks, 1);
    assert_int_equal(stats.cuts, 3);
    assert_int_equal(stats.contested, 3);
    assert_int_equal(stats.epochs, 1);
    assert_int_equal(stats.reissued, 2);
    town_destroy(town);
}

/* An event whose author had seen what is contested now is delivered where that never came. */
static void test_excused_cause(void **state)
{
    struct town *town = town_create();
    uint8_t hashes[2][GOSSIP_HASH_SIZE];
    struct checker_stats stats;

    (void)state;
    fork_n1(town, hashes);
    town_publish(town, 1, "I saw two"); /* The first one, as n2:2. */
    town_deliver(town, 2, 1, 1);
    cut(town, 2, 0, 2);
    town_deliver(town, 2, 1, 2);
    town_deliver(town, 0, 1, 1);
    town_deliver(town, 0, 1, 2); /* It has the other, and does not know of any fork. */
    town_require_sound(town);
    checker_stats(town->checker, &stats);
    assert_int_equal(stats.excused, 2);
    town_destroy(town);
}

/* Nor is an event that its author wrote after what it had cut itself kept back by that where the
 * cut is not known yet. */
static void test_cause_that_its_writer_had_cut(void **state)
{
    struct town *town = town_create();
    struct checker_stats stats;

    (void)state;
    town_deliver(town, 1, 0, 2);
    set_n1_back(town, CHECKER_SET_BACK_UNSEEN);
    town_publish(town, 0, "two, another way");
    town_deliver(town, 2, 0, 1);
    cut(town, 0, 0, 2);
    town->have[0][0] = 1;
    open_second_epoch(town);
    town_deliver(town, 2, TOWN_SECOND_EPOCH, 1);
    town_require_sound(town);
    checker_stats(town->checker, &stats);
    assert_int_equal(stats.excused, 1);
    town_destroy(town);
}

/* A disk is set back, other events are written in place of those it has forgotten, and it is set
 * back again to a copy that has the first. */
static void test_set_back_to_what_was_written_over(void **state)
{
    struct town *town = town_create();
    struct gossip_store *copy = town_make_store_of_n1(town, 2);

    (void)state;
    set_n1_back(town, CHECKER_SET_BACK_UNSEEN);
    town_publish(town, 0, "two, another way");
    town_require_sound(town);
    town_start_from(town, 0, copy, CHECKER_SET_BACK_UNSEEN);
    town_require_sound(town);
    town_destroy(town);
}

/* An event may be delivered, and then be behind a cut, within what is saved at once. */
static void test_delivered_and_cut_at_once(void **state)
{
    struct town *town = town_create();

    (void)state;
    town_deliver(town, 1, 0, 2);
    set_n1_back(town, CHECKER_SET_BACK_UNSEEN);
    town_publish(town, 0, "two, another way");
    town_deliver(town, 2, 0, 1);
    town->cuts[2][0] = 2;
    town_deliver(town, 2, 0, 2);
    town_require_sound(town);
    town_destroy(town);
}

/* What is written once more, to the same bytes, as where clock and payload are the same, is no
 * fork, and is returned to who has asked for it; what comes back from peers is returned to nobody.
 */
static void test_written_once_more(void **state)
{
    struct town *town = town_create();

    (void)state;
    set_n1_back(town, CHECKER_SET_BACK_UNSEEN);
    town_deliver(town, 0, 0, 2);
    town_return_result(town, 0, 2, "two");
    town_require_sound(town);
    town->authors[0].seq = 2;
    town_publish(town, 0, "three");
    town_return_result(town, 0, 3, "three");
    town_require_sound(town);
    town_destroy(town);

    town = town_create();
    set_n1_back(town, CHECKER_SET_BACK_UNSEEN);
    town_deliver(town, 0, 0, 2);
    town->authors[0].seq = 2;
    town_publish(town, 0, "three");
    town_return_result(town, 0, 3, "three");
    town_require_sound(town);
    town_destroy(town);
}

/* A copy knows what it is, and writes under an epoch of its own. */
static void test_set_back_seen(void **state)
{
    struct town *town = town_create();

    (void)state;
    set_n1_back(town, CHECKER_SET_BACK_SEEN);
    open_second_epoch(town);
    town_require_sound(town);
    town_start_again(town, 0, 2);
    open_second_epoch(town); /* It writes on. */
    town_require_sound(town);
    town_destroy(town);
}

static void tell(struct town *town, enum gossip_notice_kind kind, uint32_t author)
{
    checker_notice(town->checker, 0,
                   &(struct gossip_notice){.kind = kind,
                                           .number = kind == GOSSIP_NOTICE_EVIDENCE,
                                           .dot = {town->numbers[0][author] - 1, 1}});
}

/* It finds that it was set back when it has something to write: the epoch is saved before the
 * evidence is told. */
static void test_evidence_told_late(void **state)
{
    struct town *town = town_create();

    (void)state;
    set_n1_back(town, CHECKER_SET_BACK_SEEN);
    open_second_epoch(town);
    tell(town, GOSSIP_NOTICE_EVIDENCE, 0);
    tell(town, GOSSIP_NOTICE_EPOCH, TOWN_SECOND_EPOCH);
    town_require_sound(town);
    open_second_epoch(town); /* It writes on. */
    town_require_sound(town);
    town_destroy(town);
}

/* The epoch was opened for what was found before. */
static void tell_of_epoch_again(struct town *town)
{
    set_n1_back(town, CHECKER_SET_BACK_SEEN);
    open_second_epoch(town);
    tell(town, GOSSIP_NOTICE_EPOCH, TOWN_SECOND_EPOCH);
    tell(town, GOSSIP_NOTICE_EVIDENCE, 0);
    tell(town, GOSSIP_NOTICE_EPOCH, TOWN_SECOND_EPOCH);
    town_require_sound(town);
    open_second_epoch(town);
}

static void go_on_after_evidence(struct town *town)
{
    set_n1_back(town, CHECKER_SET_BACK_UNSEEN);
    checker_notice(
        town->checker, 0,
        &(struct gossip_notice){.kind = GOSSIP_NOTICE_EVIDENCE, .number = GOSSIP_EVIDENCE_EVENTS});
    town_require_sound(town);
    town_publish(town, 0, "two, another way");
}

static void go_on_after_another_start(struct town *town)
{
    set_n1_back(town, CHECKER_SET_BACK_SEEN);
    town_start_again(town, 0, 2);
    town_require_sound(town);
    town_publish(town, 0, "two, another way");
}

static void write_in_closed_epoch(struct town *town)
{
    set_n1_back(town, CHECKER_SET_BACK_SEEN);
    open_second_epoch(town);
    town_require_sound(town);
    town_publish(town, 0, "two, another way");
}

static void open_without_reason(struct town *town)
{
    open_second_epoch(town);
}

static void open_without_saying_so(struct town *town)
{
    set_n1_back(town, CHECKER_SET_BACK_SEEN);
    town_deliver(town, 0, TOWN_SECOND_EPOCH,
                 town_compose_claiming(town, TOWN_SECOND_EPOCH, "silently", town->have[0]));
}

/* n1 has written two events, and says in its new epoch that there was one. */
static void open_after_too_little(struct town *town)
{
    uint64_t clock[HAND_AUTHORS];

    checker_allow_epoch(town->checker, 0);
    memcpy(clock, town->have[0], sizeof(clock));
    clock[0]--;
    town->hlc += 10;
    town->clock = town->hlc;
    hand_write_kind(town->authors, TOWN_SECOND_EPOCH, town->hlc, GOSSIP_EVENT_EPOCH_OPEN, clock,
                    NULL, "", &town->events[TOWN_SECOND_EPOCH][0]);
    town_deliver(town, 0, TOWN_SECOND_EPOCH, 1);
}

static void open_what_is_open(struct town *town)
{
    town->hlc += 10;
    town->clock = town->hlc;
    hand_write_kind(town->authors, 0, town->hlc, GOSSIP_EVENT_EPOCH_OPEN, town->have[0], NULL, "",
                    &town->events[0][2]);
    town_deliver(town, 0, 0, 3);
}

static void find_evidence_of_nothing(struct town *town)
{
    checker_notice(
        town->checker, 0,
        &(struct gossip_notice){.kind = GOSSIP_NOTICE_EVIDENCE, .number = GOSSIP_EVIDENCE_SIDE});
}

static void stop_for_no_clone(struct town *town)
{
    checker_notice(town->checker, 0, &(struct gossip_notice){.kind = GOSSIP_NOTICE_CLONED});
}

static void cut_without_reason(struct town *town)
{
    cut(town, 1, 0, 1);
}

static void cut_past_the_fork(struct town *town)
{
    uint8_t hashes[2][GOSSIP_HASH_SIZE];

    fork_n1(town, hashes);
    cut(town, 2, 0, 3);
}

static void take_back_cut(struct town *town)
{
    uint8_t hashes[2][GOSSIP_HASH_SIZE];

    fork_n1(town, hashes);
    cut(town, 2, 0, 2);
    town_require_sound(town);
    cut(town, 2, 0, 0);
}

static void forget_cut(struct town *town)
{
    uint8_t hashes[2][GOSSIP_HASH_SIZE];
    struct gossip_record record;

    fork_n1(town, hashes);
    cut(town, 2, 0, 2);
    town_require_sound(town);
    town->cuts[2][0] = 0;
    town_make_author(town, 2, 0, 2, &record);
    town_add_to(town->stores[2], &record, 1);
    checker_ended(town->checker, 2);
    assert_int_equal(checker_started(town->checker, 2, town->stores[2], CHECKER_AS_IT_WAS),
                     GOSSIP_OK);
}

static void show_cut_before_saved(struct town *town)
{
    uint8_t hashes[2][GOSSIP_HASH_SIZE];

    fork_n1(town, hashes);
    town_send_digest(town, 2, town->authors[0].id, 1, true, town->events[0][0].record.hash);
}

static void deliver_behind_cut(struct town *town)
{
    uint8_t hashes[2][GOSSIP_HASH_SIZE];

    fork_n1(town, hashes);
    town_publish(town, 0, "three");
    cut(town, 2, 0, 2);
    town_require_sound(town);
    town_deliver(town, 2, 0, 3);
}

/* n2 has the first content of n1:2, and saves what follows the second. */
static void deliver_another_branch(struct town *town)
{
    uint8_t hashes[2][GOSSIP_HASH_SIZE];

    fork_n1(town, hashes);
    town_publish(town, 0, "three");
    town_deliver(town, 1, 0, 3);
}

static void show_other_branch(struct town *town)
{
    uint8_t hashes[2][GOSSIP_HASH_SIZE];

    fork_n1(town, hashes);
    town_send_digest(town, 1, town->authors[0].id, 2, false, hashes[1]);
}

static void strand_what_was_contested(struct town *town)
{
    uint8_t hashes[2][GOSSIP_HASH_SIZE];
    const unsigned all[] = {0, 1, 2};

    fork_n1(town, hashes);
    for (unsigned i = 0; i < TOWN_NODES; i++)
        cut(town, i, 0, 2);
    checker_reissues(town->checker, all, 3);
}

static void issue_twice(struct town *town)
{
    uint8_t hashes[2][GOSSIP_HASH_SIZE];
    const unsigned all[] = {0, 1, 2};

    fork_n1(town, hashes);
    cut(town, 0, 0, 2);
    town->have[0][0] = 1;
    open_second_epoch(town);
    reissue(town, hashes[1]);
    reissue(town, hashes[1]);
    town_require_sound(town);
    checker_reissues(town->checker, all, 3);
}

static void test_forks_and_epochs(void **state)
{
    static const struct crime crimes[] = {
        {go_on_after_evidence, INVARIANT_NO_REUSE, {"n1 writes n1:2", "goes on in the old"}},
        {tell_of_epoch_again, INVARIANT_NO_REUSE, {"n1 writes n1", "goes on in the old"}},
        {go_on_after_another_start, INVARIANT_NO_REUSE, {"n1 writes n1:2", "goes on in the old"}},
        {write_in_closed_epoch, INVARIANT_NO_REUSE, {"n1 writes n1:2, of an epoch that it has"}},
        {show_other_branch, INVARIANT_NO_REUSE, {"from n2 to n3", "another head hash for n1:2"}},
        {issue_twice, INVARIANT_NO_REUSE, {"n1 holds behind a cut 2 issues count", "n1:2"}},
        {open_without_reason, INVARIANT_MONOTONIC, {"n1 opens new epoch number 1", "0 times"}},
        {open_without_saying_so, INVARIANT_MONOTONIC, {"n1 writes an event of kind 1 first in a"}},
        {open_what_is_open, INVARIANT_MONOTONIC, {"n1 writes an event of kind 3 where no epoch"}},
        {open_after_too_little,
         INVARIANT_CAUSAL,
         {"n1 opens an epoch after seq 1 of the one before", "holds n1:2"}},
        {find_evidence_of_nothing, INVARIANT_MONOTONIC, {"n1 finds evidence 4", "never set back"}},
        {take_back_cut, INVARIANT_MONOTONIC, {"n3 cuts at n1:0", "at seq 2"}},
        {forget_cut, INVARIANT_MONOTONIC, {"n3 starts with a cut at seq 0", "one at n1:2"}},
        {show_cut_before_saved, INVARIANT_DURABLE, {"shows a cut at n1:2", "leave its sender 0"}},
        {strand_what_was_contested, INVARIANT_DURABLE, {"n1 holds behind a cut 0 issues count"}},
        {stop_for_no_clone, INVARIANT_BOUNDS, {"n1 stops for a clone"}},
        {cut_without_reason, INVARIANT_ORDER, {"n2 cuts at n1:1, a dot of one content"}},
        {cut_past_the_fork, INVARIANT_ORDER, {"n3 cuts at n1:3, a dot of one content"}},
        {deliver_behind_cut, INVARIANT_CLOSED, {"n3 delivers n1:3, and has cut its author at 2"}},
        {deliver_another_branch, INVARIANT_BYTES, {"n2 saves other bytes, or after another event"}},
    };

    (void)state;
    REQUIRE_FOUND(crimes);
}

/* What a copy has told nobody goes with it; what it has told somebody must come to all. */
static void test_put_away(void **state)
{
    static const unsigned others[] = {1, 2};

    (void)state;
    for (unsigned told = 0; told < 2; told++) {
        struct town *town = town_create();

        town_deliver(town, 1, 0, 2);
        town_deliver(town, 2, 0, 1);
        town_deliver(town, 2, 0, 2);
        town_deliver(town, 2, 1, 1);
        set_n1_back(town, CHECKER_SET_BACK_SEEN);
        open_second_epoch(town);
        town_require_sound(town);
        if (told)
            town_deliver(town, 1, TOWN_SECOND_EPOCH, 1);
        assert_false(checker_agree(town->checker, others, 2));
        checker_ended(town->checker, 0);
        checker_put_away(town->checker, 0);
        assert_int_equal(checker_agree(town->checker, others, 2), !told);
        town_require_sound(town);
        town_destroy(town);
    }
}

/* An eviction that was issued is a reason to cut, at the seq that it names. */
static void test_eviction(void **state)
{
    struct town *town = town_create();
    struct eviction_last last = {.epoch = {1}, .seq = 1};
    struct eviction eviction;
    const unsigned all[] = {0, 1};

    (void)state;
    memcpy(last.hash, town->events[0][0].record.hash, GOSSIP_HASH_SIZE);
    eviction_make(standin_crypto(), town->cluster->key, town->identities[0]->key, &last, 1, NULL,
                  town->cluster->secret, &eviction);
    checker_evicted(town->checker, eviction.bytes, eviction.size);
    cut(town, 0, 0, 2);
    town_deliver(town, 0, 1, 1);
    town_require_sound(town);
    assert_false(checker_agree(town->checker, all, 2));
    cut(town, 1, 0, 2);
    assert_true(checker_agree(town->checker, all, 2));
    checker_reissues(town->checker, all, 2); /* There is nobody who could. */
    town_require_sound(town);
    cut(town, 1, 0, 1);
    assert_int_equal(checker_violation(town->checker)->invariant, INVARIANT_ORDER);
    town_destroy(town);
}

/* An author that is cut before its first event stands in digests, without an event. */
static void test_digest_of_no_event(void **state)
{
    static const uint8_t nothing[GOSSIP_HASH_SIZE];
    struct town *town = town_create();
    struct eviction eviction;

    (void)state;
    eviction_make(standin_crypto(), town->cluster->key, town->identities[1]->key, NULL, 0, NULL,
                  town->cluster->secret, &eviction);
    checker_evicted(town->checker, eviction.bytes, eviction.size);
    cut(town, 0, 1, 1);
    town_send_digest(town, 0, town->authors[1].id, 0, true, nothing);
    town_require_sound(town);
    town_send_digest(town, 0, town->authors[1].id, 0, true, town->events[0][0].record.hash);
    assert_int_equal(checker_violation(town->checker)->invariant, INVARIANT_NO_REUSE);
    town_destroy(town);
}

/* A result that says OK and names no event. */

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_excused_cause),
        cmocka_unit_test(test_cause_that_its_writer_had_cut),
        cmocka_unit_test(test_set_back_to_what_was_written_over),
        cmocka_unit_test(test_delivered_and_cut_at_once),
        cmocka_unit_test(test_written_once_more),
        cmocka_unit_test(test_set_back_seen),
        cmocka_unit_test(test_evidence_told_late),
        cmocka_unit_test(test_forks_and_epochs),
        cmocka_unit_test(test_put_away),
        cmocka_unit_test(test_eviction),
        cmocka_unit_test(test_digest_of_no_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
