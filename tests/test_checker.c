/*
 * The checker, told by hand what no node of ours does: each invariant, violated in each way that it
 * watches for, is called by its name, and the witness names the events. What is sound passes.
 */
#include "tests/town.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cmd/lab/standin.h"
#include "cmd/lab/world.h"
#include "gossip/datagram.h"
#include "gossip/hlc.h"

/* ---- What is sound. ---- */

static void test_sound(void **state)
{
    static const uint64_t nothing[HAND_AUTHORS];
    struct town *town = town_create();
    struct checker_stats stats;
    const unsigned all[] = {0, 1, 2};

    (void)state;
    town_send_hello(town, 0, 1, 9);
    town_show_author(town, 0, 0, 1);
    town_show_author(town, 0, 0, 2);
    town_show_author(town, 1, 1, 1);
    town_send_run(town, 0, 0, 1, 2, AS_WRITTEN);
    town_send_run(town, 0, 0, 2, 2, AS_WRITTEN);
    town_return_result(town, 0, 1, "one");
    town_return_result(town, 1, 1, "three");
    town_pop(town, 1, 1, 0, 1, nothing, "one");
    town_pop(town, 1, 2, 1, 1, (const uint64_t[HAND_AUTHORS]){1}, "three");
    /* Saved again, as it is to add a seal. */
    checker_saved(
        town->checker, 0,
        (const struct gossip_record[]){
            {.kind = GOSSIP_RECORD_AUTHOR, .as.author = {.number = 0, .id = {1}, .have = 2}},
            {.kind = GOSSIP_RECORD_EVENT, .as.event = town->events[0][1].record}},
        2, GOSSIP_OK, true);
    town_require_sound(town);

    assert_false(checker_agree(town->checker, all, 3));
    assert_true(checker_agree(town->checker, all, 0));
    town_deliver(town, 0, 1, 1);
    assert_true(checker_agree(town->checker, all, 1));
    town_deliver(town, 1, 0, 2);
    town_deliver(town, 2, 0, 1);
    town_deliver(town, 2, 1, 1);
    assert_false(checker_agree(town->checker, all, 3));
    town_deliver(town, 2, 0, 2);
    assert_true(checker_agree(town->checker, all, 3));
    for (unsigned i = 0; i < TOWN_NODES; i++) {
        town_start_again(town, i, 2);
        assert_int_equal(checker_held(town->checker, i), 3);
    }
    town_send_hello(town, 0, 2, 10);
    town_require_sound(town);
    checker_stats(town->checker, &stats);
    assert_int_equal(stats.events, 3);
    assert_int_equal(stats.deliveries, 9);
    assert_int_equal(stats.popped, 2);
    assert_int_equal(stats.pairs, 3);
    assert_int_equal(stats.pairs_exact, 3);
    assert_int_equal(stats.datagrams, 7);
    assert_int_equal(stats.boxes, 5);
    assert_int_equal(stats.claims, 3);
    assert_int_equal(stats.restarts, 6);
    assert_true(stats.streamed > 0);
    town_destroy(town);
}

/* A save whose outcome is unknown has come to pass or has not, and both are well. What has not may
 * be written again, another way. */
static void test_unknown_outcomes(void **state)
{
    (void)state;
    for (int came_to_pass = 0; came_to_pass < 2; came_to_pass++) {
        struct town *town = town_create();
        struct checker_stats stats;

        town_publish_badly(town, 0, GOSSIP_ERR_IO, false);
        town_require_sound(town);
        checker_ended(town->checker, 0);
        town_start_from(town, 0, town_make_store_of_n1(town, came_to_pass ? 3 : 2),
                        CHECKER_AS_IT_WAS);
        town_require_sound(town);
        if (!came_to_pass)
            town->authors[0].seq = 2;
        town_publish(town, 0, "after all");
        town_show_author(town, 0, 0, came_to_pass ? 4 : 3);
        town_require_sound(town);
        checker_stats(town->checker, &stats);
        assert_int_equal(stats.unknown, 1);
        assert_int_equal(stats.returned, came_to_pass);
        town_destroy(town);
    }
}

/* A save that was refused has not happened, and is tried again. */
static void test_refused_saves(void **state)
{
    static const int errors[] = {GOSSIP_ERR_FULL, GOSSIP_ERR_NOMEM};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct town *town = town_create();

        town_publish_badly(town, 0, errors[i], false);
        town->authors[0].seq = 2;
        town->deliveries[0] = 2;
        town->have[0][0] = 2;
        town_publish(town, 0, "something else");
        town_return_result(town, 0, 1, "one");
        town_return_result(town, 0, 2, "two");
        town_return_result(town, 0, 3, "something else");
        town_require_sound(town);
        town_destroy(town);
    }
}

/* ---- What is not: each crime is found, by the invariant that it violates. ---- */

/* I1. */

static void save_again_differently(struct town *town)
{
    struct gossip_record records[TOWN_DELIVERY_RECORDS];

    town_make_delivery(town, 0, 0, 1, records);
    town->events[0][0].body[records[1].as.event.body_size - 1] ^= 1;
    checker_saved(town->checker, 0, records, TOWN_DELIVERY_RECORDS, GOSSIP_OK, true);
}

static void reuse_after_set_back(struct town *town)
{
    town_show_author(town, 0, 0, 2);
    town_start_from(town, 0, town_make_store_of_n1(town, 1), CHECKER_SET_BACK_SEEN);
    town_require_sound(town);
    town->authors[0].seq = 1;
    town_publish(town, 0, "two, another way");
}

static void show_another_head(struct town *town)
{
    town_send_digest(town, 0, town->authors[0].id, 2, false, town->events[0][0].record.hash);
}

/* The counter is another. */
static void send_with_nonce_of_before(struct town *town)
{
    town_show_author(town, 0, 0, 1);
    town_require_sound(town);
    town->nonce_count--;
    town_show_author(town, 0, 0, 1);
}

static void greet_with_boot_id_of_before(struct town *town)
{
    town_send_hello(town, 0, 1, 9);
    town_start_again(town, 0, 2);
    town_require_sound(town);
    town_send_hello(town, 0, 2, 9);
}

static void hear_of_another(struct town *town)
{
    checker_notice(
        town->checker, 0,
        &(struct gossip_notice){.kind = GOSSIP_NOTICE_DISAGREES, .name = "n2", .dot = {.seq = 17}});
}

static void test_no_reuse(void **state)
{
    static const struct crime crimes[] = {
        {save_again_differently, INVARIANT_NO_REUSE, {"n1 saves n1:1 again, and not the same"}},
        {reuse_after_set_back, INVARIANT_NO_REUSE, {"n1 writes n1:2", "goes on in the old epoch"}},
        {show_another_head, INVARIANT_NO_REUSE, {"digest of", "another head hash for n1:2"}},
        {send_with_nonce_of_before, INVARIANT_NO_REUSE, {"bears the nonce of the one before"}},
        {greet_with_boot_id_of_before, INVARIANT_NO_REUSE, {"hello of", "shows the boot id of"}},
        {hear_of_another, INVARIANT_NO_REUSE, {"another event under seq 17 of n2"}},
    };

    (void)state;
    REQUIRE_FOUND(crimes);
}

/* I2. */

static void show_before_durable(struct town *town)
{
    town_publish_badly(town, 0, GOSSIP_OK, false);
    town_require_sound(town);
    town_show_author(town, 0, 0, 3);
}

static void send_run_before_saved(struct town *town)
{
    /* n2 has not delivered it, and cannot serve it. */
    town_send_run(town, 1, 0, 1, 2, AS_WRITTEN);
}

static void return_before_durable(struct town *town)
{
    town_publish_badly(town, 0, GOSSIP_OK, false);
    town_return_result(town, 0, 3, "perhaps");
}

static void pop_before_durable(struct town *town)
{
    town_publish_badly(town, 0, GOSSIP_OK, false);
    checker_cursor(town->checker, 0, 2);
    town_pop(town, 0, 3, 0, 3, town->have[0], "perhaps");
}

static void show_unknown_author(struct town *town)
{
    static const uint8_t id[GOSSIP_ID_SIZE] = {200};

    town_send_digest(town, 0, id, 1, false, town->events[0][0].record.hash);
}

static void send_run_of_unknown_author(struct town *town)
{
    town_send_run(town, 0, 0, 1, 2, UNKNOWN_AUTHOR);
}

static void save_clock_ahead(struct town *town)
{
    struct gossip_record record;

    town_make_author(town, 0, 0, 3, &record);
    checker_saved(town->checker, 0, &record, 1, GOSSIP_OK, true);
}

static void save_without_clock(struct town *town)
{
    struct gossip_record records[TOWN_DELIVERY_RECORDS];

    town_make_delivery(town, 0, 0, town_compose(town, 0, "four"), records);
    checker_saved(town->checker, 0, &records[1], TOWN_DELIVERY_RECORDS - 1, GOSSIP_OK, true);
}

static void save_after_failure(struct town *town)
{
    town_publish_badly(town, 0, GOSSIP_ERR_IO, false);
    town_publish_badly(town, 0, GOSSIP_OK, true);
}

static void send_after_failure(struct town *town)
{
    town_publish_badly(town, 0, GOSSIP_ERR_IO, false);
    town_show_author(town, 0, 0, 2);
}

static void return_after_failure(struct town *town)
{
    town_publish_badly(town, 0, GOSSIP_ERR_IO, false);
    town_return_result(town, 0, 3, "perhaps");
}

static void lose_what_was_saved(struct town *town)
{
    town_start_from(town, 0, town_make_store_of_n1(town, 1), CHECKER_AS_IT_WAS);
}

static void keep_a_part_of_a_save(struct town *town)
{
    struct gossip_record records[2 * TOWN_DELIVERY_RECORDS];

    town_make_delivery(town, 0, 0, town_compose(town, 0, "three"), records);
    town_make_delivery(town, 0, 0, town_compose(town, 0, "four"), records + TOWN_DELIVERY_RECORDS);
    records[0] = records[TOWN_DELIVERY_RECORDS];
    checker_saved(town->checker, 0, records, 2 * TOWN_DELIVERY_RECORDS, GOSSIP_ERR_IO, false);
    town_require_sound(town);
    town_start_from(town, 0, town_make_store_of_n1(town, 3), CHECKER_AS_IT_WAS);
}

static void keep_what_was_never_saved(struct town *town)
{
    town_compose(town, 0, "three");
    town_start_from(town, 0, town_make_store_of_n1(town, 3), CHECKER_AS_IT_WAS);
}

static void keep_another_clock(struct town *town)
{
    struct gossip_store *store = town_make_store_of_n1(town, 2);
    struct gossip_record record;

    town_make_author(town, 0, 0, 1, &record);
    town_add_to(store, &record, 1);
    town_start_from(town, 0, store, CHECKER_AS_IT_WAS);
}

/* Nobody knows whether n1:3 is saved; n2 has it, and then n1 has not. */
static void lose_what_was_shown(struct town *town)
{
    town_publish_badly(town, 0, GOSSIP_ERR_IO, false);
    town_deliver(town, 1, 0, 2);
    town_deliver(town, 1, 0, 3);
    town_require_sound(town);
    town_start_from(town, 0, town_make_store_of_n1(town, 2), CHECKER_AS_IT_WAS);
}

static void greet_before_saved(struct town *town)
{
    checker_ended(town->checker, 0);
    assert_int_equal(checker_started(town->checker, 0, town->stores[0], CHECKER_AS_IT_WAS),
                     GOSSIP_OK);
    town_send_hello(town, 0, 2, 10);
}

/* n3 has never saved itself as an author. */
static void save_anothers_author(struct town *town)
{
    struct gossip_record record;

    town_make_author(town, 1, 2, 0, &record);
    checker_saved(town->checker, 1, &record, 1, GOSSIP_OK, true);
}

static void save_nobodys_author(struct town *town)
{
    struct gossip_record record;

    town_make_author(town, 1, 2, 0, &record);
    record.as.author.key[0] ^= 1;
    checker_saved(town->checker, 1, &record, 1, GOSSIP_OK, true);
}

static void test_durable(void **state)
{
    static const struct crime crimes[] = {
        {show_before_durable,
         INVARIANT_DURABLE,
         {"from n1 to n2 shows n1:3", "leave its sender 2 of"}},
        {send_run_before_saved, INVARIANT_DURABLE, {"part of", "from n2 to n3 shows n1:2"}},
        {return_before_durable, INVARIANT_DURABLE, {"n1 returns n1:3 as written"}},
        {pop_before_durable, INVARIANT_DURABLE, {"n1 shows delivery number 3", "holds 2"}},
        {show_unknown_author, INVARIANT_DURABLE, {"an author that there is not"}},
        {send_run_of_unknown_author, INVARIANT_DURABLE, {"of an author that there is not"}},
        {save_clock_ahead, INVARIANT_DURABLE, {"n1 saves the clock entry n1:3", "first 2"}},
        {save_without_clock, INVARIANT_DURABLE, {"n1 saves n1:3 without the clock entry"}},
        {save_after_failure, INVARIANT_DURABLE, {"n1 saves after a save that failed"}},
        {send_after_failure, INVARIANT_DURABLE, {"from n1 to n2 is sent after a save that"}},
        {return_after_failure, INVARIANT_DURABLE, {"n1 returns n1:3 as written"}},
        {lose_what_was_saved, INVARIANT_DURABLE, {"1 of 2 deliveries are left", "n1:2, written"}},
        {keep_a_part_of_a_save, INVARIANT_DURABLE, {"3 deliveries, of 2 before it and 4 with it"}},
        {keep_what_was_never_saved, INVARIANT_DURABLE, {"delivery number 3 that it never saved"}},
        {keep_another_clock, INVARIANT_DURABLE, {"clock  {n1:1}", "events {n1:2}"}},
        {lose_what_was_shown, INVARIANT_DURABLE, {"n1 has shown an event of its own", "n1:3"}},
        {greet_before_saved, INVARIANT_DURABLE, {"shows boot 2", "disk holds boot 1"}},
        {save_anothers_author, INVARIANT_DURABLE, {"n2 saves an author that its owner has not"}},
        {save_nobodys_author, INVARIANT_DURABLE, {"n2 saves an author that nobody's key is of"}},
    };

    (void)state;
    REQUIRE_FOUND(crimes);
}

/* I3. */

static void stamp_backwards(struct town *town)
{
    town->hlc -= 30;
    town_publish(town, 0, "earlier");
}

static void save_earlier_boot(struct town *town)
{
    struct gossip_record record;

    town_make_meta("boot", 0, &record);
    checker_saved(town->checker, 0, &record, 1, GOSSIP_OK, true);
}

static void save_earlier_stamp(struct town *town)
{
    struct gossip_record record;

    town_make_meta("hlc", hlc_make(TOWN_WALL_MS, 0), &record);
    checker_saved(town->checker, 0, &record, 1, GOSSIP_OK, true);
}

static void show_less_than_before(struct town *town)
{
    town_show_author(town, 0, 0, 2);
    town_require_sound(town);
    town_show_author(town, 0, 0, 1);
}

static void greet_with_earlier_boot(struct town *town)
{
    town_send_hello(town, 0, 0, 9);
}

/* Its process has counted two boots, and shows the first. */
static void greet_with_boot_before_the_last(struct town *town)
{
    struct gossip_record record;

    town_make_meta("boot", 2, &record);
    town_tell_saved(town, 0, &record, 1);
    town_send_hello(town, 0, 1, 9);
}

static void give_number_twice(struct town *town)
{
    struct gossip_record record;

    town_deliver(town, 0, 1, 1);
    town_make_author(town, 0, 1, 0, &record);
    record.as.author.number = 0;
    checker_saved(town->checker, 0, &record, 1, GOSSIP_OK, true);
}

static void start_with_earlier_boot(struct town *town)
{
    struct gossip_store *store = town_make_store_of_n1(town, 2);
    struct gossip_record record;

    town_make_meta("boot", 0, &record);
    town_add_to(store, &record, 1);
    town_start_from(town, 0, store, CHECKER_AS_IT_WAS);
}

static void test_monotonic(void **state)
{
    static const struct crime crimes[] = {
        {stamp_backwards,
         INVARIANT_MONOTONIC,
         {"n1 writes n1:3 with stamp f4240000a after stamp f42400014"}},
        {save_earlier_boot, INVARIANT_MONOTONIC, {"n1 saves boot 0 after boot 1"}},
        {save_earlier_stamp,
         INVARIANT_MONOTONIC,
         {"n1 saves stamp f42400000 after stamp f42400014"}},
        {show_less_than_before, INVARIANT_MONOTONIC, {"shows n1:1", "has shown seq 2 before"}},
        {greet_with_earlier_boot, INVARIANT_MONOTONIC, {"hello of", "shows boot 0"}},
        {greet_with_boot_before_the_last,
         INVARIANT_MONOTONIC,
         {"n1 saves boot 2", "counted more than 1"}},
        {give_number_twice, INVARIANT_MONOTONIC, {"n1 gives author number 0 twice"}},
        {start_with_earlier_boot, INVARIANT_MONOTONIC, {"n1 starts from boot 0"}},
    };

    (void)state;
    REQUIRE_FOUND(crimes);
}

/* I4. */

static void claim_too_much(struct town *town)
{
    static const uint64_t claims[HAND_AUTHORS] = {0, 1, 0, 0};

    town_deliver(town, 0, 0, town_compose_claiming(town, 0, "as if", claims));
}

static void claim_too_little(struct town *town)
{
    static const uint64_t claims[HAND_AUTHORS] = {0, 0, 0, 0};

    town_deliver(town, 0, 1, 1);
    town_deliver(town, 0, 0, town_compose_claiming(town, 0, "as if not", claims));
}

static void claim_nobody(struct town *town)
{
    static const uint64_t claims[HAND_AUTHORS] = {0, 0, 0, 1};

    town->authors[3].id[0] = 99;
    town_deliver(town, 0, 0, town_compose_claiming(town, 0, "of nobody", claims));
}

static void pop_with_another_clock(struct town *town)
{
    static const uint64_t nothing[HAND_AUTHORS];

    town_pop(town, 1, 1, 0, 1, nothing, "one");
    town_pop(town, 1, 2, 1, 1, nothing, "three");
}

static void test_causal(void **state)
{
    static const struct crime crimes[] = {
        {claim_too_much, INVARIANT_CAUSAL, {"n2:1, written", "n1:3, written"}},
        {claim_too_little, INVARIANT_CAUSAL, {"n2:1, written", "n1:3, written"}},
        {claim_nobody, INVARIANT_CAUSAL, {"n1 writes n1:3: it names an author"}},
        {pop_with_another_clock, INVARIANT_CAUSAL, {"with the context {}", "n2:1, written"}},
    };

    (void)state;
    REQUIRE_FOUND(crimes);
}

/* I5. */

static void deliver_with_gap(struct town *town)
{
    town_deliver(town, 2, 0, 2);
}

static void deliver_effect_first(struct town *town)
{
    town_deliver(town, 2, 1, 1);
}

static void skip_delivery_number(struct town *town)
{
    town->deliveries[1]++;
    town_deliver(town, 1, 0, 2);
}

static void pop_in_another_order(struct town *town)
{
    town_pop(town, 1, 2, 1, 1, (const uint64_t[HAND_AUTHORS]){1}, "three");
}

static void test_closed(void **state)
{
    static const struct crime crimes[] = {
        {deliver_with_gap, INVARIANT_CLOSED, {"n3 delivers n1:2 after seq 0"}},
        {deliver_effect_first, INVARIANT_CLOSED, {"  n1:1, written", "  n2:1, written"}},
        {skip_delivery_number, INVARIANT_CLOSED, {"n2 gives n1:2 delivery number 4"}},
        {pop_in_another_order, INVARIANT_CLOSED, {"n2 shows delivery number 2", "n1:1, written"}},
    };

    (void)state;
    REQUIRE_FOUND(crimes);
}

/* I7. */

static void save_unwritten(struct town *town)
{
    uint64_t seq = town_compose(town, 0, "not yet");

    town_deliver(town, 1, 0, 2);
    town_deliver(town, 1, 0, seq);
}

static void save_other_bytes(struct town *town)
{
    struct gossip_record records[TOWN_DELIVERY_RECORDS];
    uint8_t body[HAND_BODY_MAX];

    town_make_delivery(town, 1, 0, 2, records);
    memcpy(body, records[1].as.event.body, records[1].as.event.body_size);
    body[records[1].as.event.body_size - 1] ^= 1;
    records[1].as.event.body = body;
    checker_saved(town->checker, 1, records, TOWN_DELIVERY_RECORDS, GOSSIP_OK, true);
}

static void keep_other_bytes(struct town *town)
{
    struct gossip_store *store;

    town->events[0][1].body[town->events[0][1].record.body_size - 1] ^= 1;
    store = town_make_store_of_n1(town, 2);
    town_start_from(town, 0, store, CHECKER_AS_IT_WAS);
}

static void send_altered_stream(struct town *town)
{
    town_send_run(town, 0, 0, 1, 2, ALTERED_STREAM);
}

static void send_altered_previous(struct town *town)
{
    town_send_run(town, 0, 0, 2, 2, ALTERED_PREVIOUS);
}

static void send_altered_seal(struct town *town)
{
    town_send_run(town, 0, 0, 1, 2, ALTERED_SEAL);
}

static void send_altered_box(struct town *town)
{
    static const uint8_t plain[] = {MESSAGE_PULL, 1, 2, 3};
    uint8_t data[GOSSIP_DATAGRAM_MAX];
    size_t size = town_seal_box(town, 0, 1, plain, sizeof(plain), data);

    data[size - 1] ^= 1;
    town_send_bytes(town, 0, 1, data, size);
}

static void send_garbage(struct town *town)
{
    town_send_bytes(town, 0, 1, (const uint8_t *)"hello there", 11);
}

static void send_garbage_in_a_box(struct town *town)
{
    static const uint8_t plain[] = {MESSAGE_PART, 255, 255, 255};

    town_send_box(town, 0, 1, plain, sizeof(plain));
}

static void return_other_payload(struct town *town)
{
    town_return_result(town, 0, 1, "uno");
}

static void pop_other_payload(struct town *town)
{
    static const uint64_t nothing[HAND_AUTHORS];

    town_pop(town, 0, 1, 0, 1, nothing, "uno");
}

static void test_bytes(void **state)
{
    static const struct crime crimes[] = {
        {save_unwritten, INVARIANT_BYTES, {"n2 saves n1:3, which its author has not written"}},
        {save_other_bytes, INVARIANT_BYTES, {"n2 saves other bytes", "n1:2, written"}},
        {keep_other_bytes, INVARIANT_BYTES, {"n1 holds other bytes", "n1:2, written"}},
        {send_altered_stream, INVARIANT_BYTES, {"the run from n1:1 to seq 2"}},
        {send_altered_previous, INVARIANT_BYTES, {"another hash for the event before n1:2"}},
        {send_altered_seal, INVARIANT_BYTES, {"bears a seal for seq 2"}},
        {send_altered_box, INVARIANT_BYTES, {"from n1 to n2 does not open"}},
        {send_garbage, INVARIANT_BYTES, {"a datagram of n1 is none of ours"}},
        {send_garbage_in_a_box, INVARIANT_BYTES, {"part of", "cannot be read"}},
        {return_other_payload, INVARIANT_BYTES, {"asked to publish 3 bytes", "n1:1, written"}},
        {pop_other_payload, INVARIANT_BYTES, {"n1 shows another payload", "n1:1, written"}},
    };

    (void)state;
    REQUIRE_FOUND(crimes);
}

/* I8. */

static void send_too_much(struct town *town)
{
    static const uint8_t data[GOSSIP_DATAGRAM_MAX + 1];

    town_send_bytes(town, 0, 1, data, sizeof(data));
}

static void skip_author_number(struct town *town)
{
    struct gossip_record record;

    town_make_author(town, 0, 1, 0, &record);
    record.as.author.number = 5;
    checker_saved(town->checker, 0, &record, 1, GOSSIP_OK, true);
}

static void save_of_unknown_number(struct town *town)
{
    struct gossip_record records[TOWN_DELIVERY_RECORDS];

    town_make_delivery(town, 0, 0, town_compose(town, 0, "whose"), records);
    records[1].as.event.author = 7;
    checker_saved(town->checker, 0, records, TOWN_DELIVERY_RECORDS, GOSSIP_OK, true);
}

static void test_bounds(void **state)
{
    static const struct crime crimes[] = {
        {send_too_much, INVARIANT_BOUNDS, {"from n1 to n2 is longer than"}},
        {skip_author_number, INVARIANT_BOUNDS, {"n1 saves author number 5 and knows 1"}},
        {save_of_unknown_number, INVARIANT_BOUNDS, {"n1 saves an event of author number 7"}},
    };

    (void)state;
    REQUIRE_FOUND(crimes);
}

/* I9, but for the displayed order, which is below. */

static void refuse(struct town *town)
{
    checker_notice(
        town->checker, 0,
        &(struct gossip_notice){.kind = GOSSIP_NOTICE_REFUSED, .name = "n2", .dot = {.seq = 3}});
}

static void test_order(void **state)
{
    static const struct crime crimes[] = {
        {refuse, INVARIANT_ORDER, {"n1 refuses seq 3 of n2"}},
    };

    (void)state;
    REQUIRE_FOUND(crimes);
}

/* I6: who lacks what. */
static void test_disagreement(void **state)
{
    struct town *town = town_create();
    const unsigned all[] = {0, 1, 2};
    char text[1024];

    (void)state;
    checker_disagreement(town->checker, all, 3, text, sizeof(text));
    assert_string_equal(text, "\n  n1 holds 0 of the events up to n2:1"
                              "\n  n2 holds 1 of the events up to n1:2"
                              "\n  n3 holds 0 of the events up to n1:2"
                              "\n  n3 holds 0 of the events up to n2:1");
    town_deliver(town, 0, 1, 1);
    checker_disagreement(town->checker, all, 1, text, sizeof(text));
    assert_string_equal(text, "");
    town_destroy(town);
}

/* ---- A running node, and a checker that knows something else of it. ---- */

/* Writes the event that the node has published under this seq, or one past its last. */
static void write_alike(struct hand_author *authors, struct gossip *gossip, uint64_t seq,
                        struct hand_event *ret_event)
{
    static const uint64_t nothing[HAND_AUTHORS];
    const uint32_t self = gossip_self(gossip);
    char payload[16] = "";
    struct gossip_event event;
    uint64_t hlc;

    if (gossip_event_get(gossip, (struct gossip_dot){self, seq}, &event) == GOSSIP_OK) {
        hlc = event.hlc;
        assert_true(event.size < sizeof(payload));
        memcpy(payload, event.data, event.size);
    } else {
        assert_int_equal(gossip_event_get(gossip, (struct gossip_dot){self, seq - 1}, &event),
                         GOSSIP_OK);
        hlc = event.hlc + 1;
    }
    hand_write(authors, 0, hlc, nothing, payload, ret_event);
}

/* What a node that has published two events does not fit: the checker is told of so many, that all
 * of them are shown, and that the first answered are returned. */
static void check_running(uint64_t told, uint64_t answered,
                          void (*check)(struct checker *, struct gossip *),
                          enum invariant invariant, const char *witness)
{
    static const char *const payloads[] = {"first", "second", ""};
    struct world_options options = {.seed = 1, .nodes = 1, .unchecked = true};
    struct world *world = world_create(&options);
    struct checker *checker = checker_create(standin_crypto(), 1, 1);
    struct hand_author authors[HAND_AUTHORS] = {{{0}}};
    struct gossip_store *store = town_open_empty();
    const struct violation *violation = checker_violation(checker);
    struct gossip_author author;

    assert_int_equal(world_tell(world, 0, "first"), 1);
    assert_int_equal(world_tell(world, 0, "second"), 2);
    assert_int_equal(
        gossip_author(world_gossip(world, 0), gossip_self(world_gossip(world, 0)), &author),
        GOSSIP_OK);
    memcpy(authors[0].id, author.id, GOSSIP_ID_SIZE);
    checker_add_node(checker, 0, world_identity(world, 0));
    assert_int_equal(checker_started(checker, 0, store, CHECKER_AS_IT_WAS), GOSSIP_OK);
    for (uint64_t seq = 1; seq <= told; seq++) {
        struct gossip_record records[TOWN_DELIVERY_RECORDS] = {
            {.kind = GOSSIP_RECORD_AUTHOR, .as.author = {.number = author.number, .have = seq}},
            {.kind = GOSSIP_RECORD_EVENT},
        };
        struct hand_event event;
        struct frame frame;

        memcpy(records[0].as.author.id, author.id, GOSSIP_ID_SIZE);
        memcpy(records[0].as.author.key, author.key, GOSSIP_KEY_SIZE);
        memcpy(records[0].as.author.epoch, author.epoch, GOSSIP_EPOCH_SIZE);
        write_alike(authors, world_gossip(world, 0), seq, &event);
        assert_true(frame_read(event.body, event.record.body_size, &frame));
        records[1].as.event = event.record;
        records[1].as.event.author = author.number;
        records[1].as.event.delivery = seq;
        town_make_meta("hlc", frame.hlc, &records[2]);
        checker_set_wall(checker, 0, hlc_ms(frame.hlc));
        checker_saved(checker, 0, records, TOWN_DELIVERY_RECORDS, GOSSIP_OK, true);
        town_add_to(store, records, TOWN_DELIVERY_RECORDS);
    }
    for (uint64_t seq = 1; seq <= answered; seq++)
        checker_result(checker, 0, &(struct gossip_result){.dot = {author.number, seq}},
                       payloads[seq - 1], strlen(payloads[seq - 1]));
    checker_cursor(checker, 0, told);
    assert_int_equal(violation->invariant, INVARIANT_NONE);
    check(checker, world_gossip(world, 0));
    if (violation->invariant == INVARIANT_NONE && told == 2)
        checker_examine(checker, 0, world_gossip(world, 0), store);
    if (violation->invariant != invariant || strstr(violation->witness, witness) == NULL)
        fail_msg("%s: %s", invariant_name(violation->invariant), violation->witness);
    store->ops->close(store);
    checker_destroy(checker);
    world_destroy(world);
}

static void check_step(struct checker *checker, struct gossip *gossip)
{
    checker_stepped(checker, 0, gossip);
}

static void check_log(struct checker *checker, struct gossip *gossip)
{
    checker_read_log(checker, 0, gossip);
}

static void check_itself(struct checker *checker, struct gossip *gossip)
{
    checker_verify(checker, 0, gossip);
}

static void test_running_node(void **state)
{
    (void)state;
    check_running(2, 2, check_step, INVARIANT_NONE, "");
    check_running(2, 2, check_log, INVARIANT_NONE, "");
    check_running(2, 2, check_itself, INVARIANT_NONE, "");
    check_running(0, 0, check_step, INVARIANT_DURABLE, "an author that it has not saved");
    check_running(1, 1, check_step, INVARIANT_DURABLE, "shows n1:2, and its disk holds 1");
    check_running(3, 3, check_step, INVARIANT_MONOTONIC, "shows n1:2, and its disk holds 3");
    check_running(2, 1, check_step, INVARIANT_DURABLE, "written n1:2 and returned it to nobody");
    check_running(1, 1, check_log, INVARIANT_ORDER, "shows seq 2 of author number 0");
    check_running(3, 3, check_log, INVARIANT_ORDER, "shows 2 of 3 events");
}

/* A result that says OK and names no event. */
static void test_result_of_no_event(void **state)
{
    struct town *town = town_create();

    (void)state;
    town_return_result(town, 0, 0, "one");
    assert_int_equal(checker_violation(town->checker)->invariant, INVARIANT_DURABLE);
    assert_non_null(strstr(checker_violation(town->checker)->witness, "n1 returns n1:0"));
    town_destroy(town);
}

static void test_names(void **state)
{
    (void)state;
    for (enum invariant i = INVARIANT_NO_REUSE; i < INVARIANTS; i++) {
        assert_int_equal(invariant_from_name(invariant_name(i)), i);
        assert_int_equal(invariant_from_name(invariant_letter(i)), i);
    }
    assert_int_equal(invariant_from_name("I2"), INVARIANT_DURABLE);
    assert_int_equal(invariant_from_name("order"), INVARIANT_ORDER);
    assert_int_equal(invariant_from_name("none"), INVARIANT_NONE);
    assert_int_equal(invariant_from_name(""), INVARIANT_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),         cmocka_unit_test(test_unknown_outcomes),
        cmocka_unit_test(test_refused_saves), cmocka_unit_test(test_no_reuse),
        cmocka_unit_test(test_durable),       cmocka_unit_test(test_monotonic),
        cmocka_unit_test(test_causal),        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_bytes),         cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_order),         cmocka_unit_test(test_disagreement),
        cmocka_unit_test(test_running_node),  cmocka_unit_test(test_result_of_no_event),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
