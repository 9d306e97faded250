/*
 * The checker, told by hand what no node of ours does: each invariant, violated in each way that it
 * watches for, is called by its name, and the witness names the events. What is sound passes.
 */
#include "cmd/lab/checker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/lab/standin.h"
#include "cmd/lab/world.h"
#include "gossip/datagram.h"
#include "gossip/digest.h"
#include "gossip/event.h"
#include "gossip/eviction.h"
#include "gossip/frame.h"
#include "gossip/hlc.h"
#include "tests/hand_made.h"

enum {
    NODES = 3,
    EVENTS_MAX = 8,
    DELIVERY_RECORDS = 3,
    SECOND_EPOCH = NODES, /* An author of n1's key, when it has opened it. */
    WALL_MS = 1000000,
};

/* Three nodes that exist in what the checker is told only; n1 is node 0. */
struct town {
    struct gossip_cluster *cluster;
    struct gossip_identity *identities[NODES];
    struct checker *checker;
    struct hand_author authors[HAND_AUTHORS];
    struct hand_event events[HAND_AUTHORS][EVENTS_MAX];
    struct gossip_store *stores[NODES];
    uint32_t numbers[NODES]
                    [HAND_AUTHORS]; /* At each node, of each author: its number and one more. */
    uint32_t number_count[NODES];
    uint64_t have[NODES][HAND_AUTHORS];
    uint64_t cuts[NODES][HAND_AUTHORS];
    uint64_t deliveries[NODES];
    uint64_t hlc;       /* The stamp of the last event that was composed, */
    uint64_t clock;     /* and the furthest of them, which everybody saves with what it delivers. */
    uint64_t box_count; /* Of all pairs. */
    uint64_t nonce_count;
};

/* ---- Saves. ---- */

static void make_meta(const char *name, uint64_t number, struct gossip_record *ret_record)
{
    *ret_record = (struct gossip_record){.kind = GOSSIP_RECORD_META,
                                         .as.meta = {.name = name, .number = number}};
}

/* The row of author at node, which gives it a number if it has none. */
static void make_author(struct town *town, unsigned node, unsigned author, uint64_t have,
                        struct gossip_record *ret_record)
{
    struct gossip_author_record *row = &ret_record->as.author;

    if (town->numbers[node][author] == 0)
        town->numbers[node][author] = ++town->number_count[node];
    *ret_record = (struct gossip_record){.kind = GOSSIP_RECORD_AUTHOR};
    row->number = town->numbers[node][author] - 1;
    row->have = have;
    row->epoch[0] = (uint8_t)(author + 1);
    memcpy(row->id, town->authors[author].id, GOSSIP_ID_SIZE);
    row->cut = town->cuts[node][author];
    memcpy(row->key, town->identities[author == SECOND_EPOCH ? 0 : author]->key, GOSSIP_KEY_SIZE);
}

/* An event as the next delivery of node, after the row that counts it and before the stamp. */
static void make_delivery(struct town *town, unsigned node, unsigned author, uint64_t seq,
                          struct gossip_record ret_records[DELIVERY_RECORDS])
{
    make_author(town, node, author, seq, &ret_records[0]);
    ret_records[1] = (struct gossip_record){.kind = GOSSIP_RECORD_EVENT,
                                            .as.event = town->events[author][seq - 1].record};
    ret_records[1].as.event.author = town->numbers[node][author] - 1;
    ret_records[1].as.event.delivery = ++town->deliveries[node];
    make_meta("hlc", town->clock, &ret_records[2]);
    town->have[node][author] = seq;
}

static void tell_saved(struct town *town, unsigned node, const struct gossip_record *records,
                       size_t count)
{
    checker_saved(town->checker, node, records, count, GOSSIP_OK, true);
    assert_int_equal(town->stores[node]->ops->save(town->stores[node], records, count), GOSSIP_OK);
}

static void deliver(struct town *town, unsigned node, unsigned author, uint64_t seq)
{
    struct gossip_record records[DELIVERY_RECORDS];

    make_delivery(town, node, author, seq, records);
    tell_saved(town, node, records, DELIVERY_RECORDS);
}

/* Nothing is saved yet. */
static uint64_t compose_claiming(struct town *town, unsigned node, const char *payload,
                                 const uint64_t clock[HAND_AUTHORS])
{
    uint64_t seq = town->authors[node].seq + 1;

    assert_true(seq <= EVENTS_MAX);
    town->hlc += 10;
    if (town->hlc > town->clock)
        town->clock = town->hlc;
    hand_write(town->authors, node, town->hlc, clock, payload, &town->events[node][seq - 1]);
    return seq;
}

static uint64_t compose(struct town *town, unsigned node, const char *payload)
{
    return compose_claiming(town, node, payload, town->have[node]);
}

static void publish(struct town *town, unsigned node, const char *payload)
{
    deliver(town, node, node, compose(town, node, payload));
}

/* Composes and saves, with this outcome; the store keeps nothing of it. */
static void publish_badly(struct town *town, unsigned node, int result, bool is_durable)
{
    struct gossip_record records[DELIVERY_RECORDS];

    make_delivery(town, node, node, compose(town, node, "perhaps"), records);
    checker_saved(town->checker, node, records, DELIVERY_RECORDS, result, is_durable);
}

/* ---- Starts. ---- */

static int copy_record(void *context, const struct gossip_record *record)
{
    struct gossip_store *copy = context;

    return copy->ops->save(copy, record, 1);
}

/* Starts node from what it has stored, and counts the boot of the new process. */
static void start_again(struct town *town, unsigned node, uint64_t boot)
{
    struct gossip_record record;

    checker_ended(town->checker, node);
    assert_int_equal(checker_started(town->checker, node, town->stores[node], CHECKER_AS_IT_WAS),
                     GOSSIP_OK);
    make_meta("boot", boot, &record);
    tell_saved(town, node, &record, 1);
}

/* Starts node from store, which becomes its own. */
static void start_from(struct town *town, unsigned node, struct gossip_store *store,
                       enum checker_disk disk)
{
    assert_int_equal(checker_started(town->checker, node, store, disk), GOSSIP_OK);
    town->stores[node]->ops->close(town->stores[node]);
    town->stores[node] = store;
}

static struct gossip_store *open_empty(void)
{
    struct gossip_store *store;

    assert_int_equal(gossip_memory_open(&store), GOSSIP_OK);
    return store;
}

/* What node has stored but for events; the rows as they are, so they may count too much. */
static struct gossip_store *copy_without_events(struct town *town, unsigned node)
{
    struct gossip_store *store = open_empty();

    assert_int_equal(town->stores[node]->ops->load(town->stores[node], copy_record, store), 0);
    return store;
}

static void add_to(struct gossip_store *store, const struct gossip_record *records, size_t count)
{
    assert_int_equal(store->ops->save(store, records, count), GOSSIP_OK);
}

/* n1's own events up to seq, and nothing else. */
static struct gossip_store *make_store_of_n1(struct town *town, uint64_t seq)
{
    struct gossip_store *store = copy_without_events(town, 0);
    struct gossip_record records[DELIVERY_RECORDS];

    town->deliveries[0] = 0;
    for (uint64_t i = 1; i <= seq; i++) {
        make_delivery(town, 0, 0, i, records);
        add_to(store, records, DELIVERY_RECORDS);
    }
    town->have[0][0] = seq;
    return store;
}

/* ---- Datagrams. ---- */

static void send_bytes(struct town *town, unsigned from, unsigned to, const uint8_t *data,
                       size_t size)
{
    const struct gossip_datagram datagram = {.data = data, .size = size};

    checker_sent(town->checker, from, to, &datagram);
}

static size_t seal_box(struct town *town, unsigned from, unsigned to, const uint8_t *plain,
                       size_t size, uint8_t ret_data[GOSSIP_DATAGRAM_MAX])
{
    uint8_t nonce[GOSSIP_BOX_NONCE_SIZE] = {0};
    const struct box_header header = {town->identities[to]->node, town->identities[from]->node, 1,
                                      ++town->box_count};
    uint8_t key[32];

    put_fixed(nonce, ++town->nonce_count, 8);
    assert_true(pair_key(standin_crypto(), town->identities[from], town->identities[to]->key, key));
    return box_write(standin_crypto(), key, &header, nonce, plain, size, ret_data);
}

static void send_box(struct town *town, unsigned from, unsigned to, const uint8_t *plain,
                     size_t size)
{
    uint8_t data[GOSSIP_DATAGRAM_MAX];

    size = seal_box(town, from, to, plain, size, data);
    send_bytes(town, from, to, data, size);
}

/* A digest of one author, whose last event has this hash. */
static void send_digest(struct town *town, unsigned from, const uint8_t id[GOSSIP_ID_SIZE],
                        uint64_t have, bool is_cut, const uint8_t hash[GOSSIP_HASH_SIZE])
{
    static const uint8_t exchange[GOSSIP_NONCE_SIZE] = {3};
    static const uint8_t root[16];
    static const uint8_t records_root[8];
    uint8_t plain[GOSSIP_PLAIN_MAX] = {MESSAGE_DIGEST};
    uint8_t head[16];
    uint8_t entry[DIGEST_ENTRY_MAX];
    uint8_t count[8];
    struct writer writer = {entry, sizeof(entry), 0, false};
    struct wire_digest digest = {.exchange = exchange,
                                 .step = 2,
                                 .root = root,
                                 .records_root = records_root,
                                 .authors = {.present = true}};
    size_t size;

    put_fixed(count, have, sizeof(count));
    standin_crypto()->keyed_hash(
        head, exchange, sizeof(exchange),
        (const struct gossip_piece[]){{GOSSIP_DOMAIN_HEAD, sizeof(GOSSIP_DOMAIN_HEAD)},
                                      {id, GOSSIP_ID_SIZE},
                                      {count, sizeof(count)},
                                      {hash, GOSSIP_HASH_SIZE}},
        4);
    write_bytes(&writer, id, GOSSIP_ID_SIZE);
    write_varint(&writer, 2 * have + is_cut);
    if (is_cut)
        write_varint(&writer, have + 1);
    write_bytes(&writer, head, GOSSIP_SHORT_HASH_SIZE);
    digest.authors.entries = (struct wire_bytes){entry, writer.size};
    size = wire_encode_digest(&digest, plain + 1, sizeof(plain) - 1 - GOSSIP_SIGNATURE_SIZE);
    assert_true(size > 0);
    send_box(town, from, (from + 1) % NODES, plain, 1 + size + GOSSIP_SIGNATURE_SIZE);
}

static void show_author(struct town *town, unsigned from, unsigned author, uint64_t have)
{
    send_digest(town, from, town->authors[author].id, have, false,
                town->events[author][have - 1].record.hash);
}

/* What of a run is altered on its way into a datagram. */
enum alteration { AS_WRITTEN, ALTERED_STREAM, ALTERED_PREVIOUS, ALTERED_SEAL, UNKNOWN_AUTHOR };

static void send_run(struct town *town, unsigned from, unsigned author, uint64_t first,
                     uint64_t last, enum alteration alteration)
{
    uint8_t previous[GOSSIP_HASH_SIZE] = {0};
    uint8_t seal[GOSSIP_SIGNATURE_SIZE];
    uint8_t stream[GOSSIP_PLAIN_MAX];
    uint8_t plain[GOSSIP_PLAIN_MAX] = {MESSAGE_PART};
    uint8_t id[GOSSIP_ID_SIZE];
    struct writer writer = {stream, sizeof(stream), 0, false};
    struct wire_part part = {0};
    size_t size;

    memcpy(id, town->authors[author].id, sizeof(id));
    if (first > 1)
        memcpy(previous, town->events[author][first - 2].record.hash, sizeof(previous));
    for (uint64_t seq = first; seq <= last; seq++) {
        const struct hand_event *event = &town->events[author][seq - 1];

        write_varint(&writer, event->record.body_size);
        write_bytes(&writer, event->body, event->record.body_size);
    }
    seal_sign(standin_crypto(), town->events[author][last - 1].record.hash,
              town->identities[author]->secret, seal);
    stream[writer.size - 1] ^= alteration == ALTERED_STREAM;
    previous[0] ^= alteration == ALTERED_PREVIOUS;
    seal[0] ^= alteration == ALTERED_SEAL;
    id[0] ^= alteration == UNKNOWN_AUTHOR ? 0x80 : 0;
    part.run = (struct wire_run_part){.present = true,
                                      .author = id,
                                      .first = first,
                                      .last = last,
                                      .size = (uint32_t)writer.size,
                                      .previous = previous,
                                      .data = {stream, writer.size},
                                      .seal = seal};
    size = wire_encode_part(&part, plain + 1, sizeof(plain) - 1);
    assert_true(size > 0);
    send_box(town, from, (from + 1) % NODES, plain, 1 + size);
}

static void send_hello(struct town *town, unsigned from, uint64_t boot, uint64_t boot_id)
{
    static const uint8_t nonce[GOSSIP_NONCE_SIZE] = {5};
    const struct gossip_identity *identity = town->identities[from];
    const struct wire_hello message = {
        .certificate = {identity->certificate.bytes, identity->certificate.size},
        .boot_count = boot,
        .boot_id = boot_id,
        .nonce = nonce,
    };
    uint8_t data[GOSSIP_HELLO_SIZE];
    size_t size = greeting_write(standin_crypto(), identity, DATAGRAM_HELLO, &message, NULL, data);

    send_bytes(town, from, UINT_MAX, data, size);
}

/* ---- Results and deliveries. ---- */

static void return_result(struct town *town, unsigned node, uint64_t seq, const char *payload)
{
    const struct gossip_result result = {.dot = {town->numbers[node][node] - 1, seq}};

    checker_result(town->checker, node, &result, payload, strlen(payload));
}

/* Shows the event with this payload and the context claims, and itself. */
static void pop(struct town *town, unsigned node, uint64_t delivery, unsigned author, uint64_t seq,
                const uint64_t claims[HAND_AUTHORS], const char *payload)
{
    uint32_t authors[NODES];
    uint64_t counters[NODES];
    struct gossip_vclock clock = {authors, counters, 0, NODES};
    struct frame frame;
    struct gossip_event event = {.delivery = delivery,
                                 .dot = {town->numbers[node][author] - 1, seq},
                                 .data = (const uint8_t *)payload,
                                 .size = strlen(payload),
                                 .clock = &clock};

    assert_true(frame_read(town->events[author][seq - 1].body,
                           town->events[author][seq - 1].record.body_size, &frame));
    event.kind = frame.kind;
    event.hlc = frame.hlc;
    event.time_ms = hlc_ms(frame.hlc);
    for (uint32_t number = 0; number < town->number_count[node]; number++) {
        for (unsigned i = 0; i < NODES; i++) {
            uint64_t count = i == author ? seq : claims[i];

            if (town->numbers[node][i] != number + 1 || count == 0)
                continue;
            authors[clock.count] = number;
            counters[clock.count++] = count;
        }
    }
    checker_popped(town->checker, node, &event);
}

/* ---- The town before anything goes wrong. ---- */

/* n1 has written n1:1 "one" and n1:2 "two"; n2 has had the first of them, and then written n2:1
 * "three". n3 has nothing. */
static struct town *town_create(void)
{
    struct town *town = calloc(1, sizeof(*town));
    uint8_t seed[GOSSIP_SEED_SIZE] = {1};
    static const uint8_t gate[GOSSIP_CLUSTER_SECRET_SIZE] = {2};

    assert_non_null(town);
    assert_int_equal(cluster_make(standin_crypto(), seed, gate, &town->cluster), GOSSIP_OK);
    town->checker = checker_create(standin_crypto(), 1, NODES);
    town->hlc = hlc_make(WALL_MS, 0);
    town->clock = town->hlc;
    for (unsigned i = 0; i < NODES; i++) {
        const char name[] = {'n', (char)('1' + i), '\0'};
        struct gossip_record records[3];

        seed[0] = (uint8_t)(10 + i);
        assert_int_equal(
            identity_make(standin_crypto(), town->cluster, name, 0, seed, &town->identities[i]),
            GOSSIP_OK);
        town->authors[i].id[0] = (uint8_t)(i + 1);
        town->authors[SECOND_EPOCH].id[0] = SECOND_EPOCH + 1;
        town->stores[i] = open_empty();
        checker_add_node(town->checker, i, town->identities[i]);
        checker_set_wall(town->checker, i, WALL_MS);
        assert_int_equal(checker_started(town->checker, i, town->stores[i], CHECKER_AS_IT_WAS),
                         GOSSIP_OK);
        make_meta("boot", 1, &records[0]);
        make_meta("hlc", town->clock, &records[1]);
        if (i < 2)
            make_author(town, i, i, 0, &records[2]);
        tell_saved(town, i, records, i < 2 ? 3 : 2);
    }
    checker_set_time(town->checker, 1234);
    publish(town, 0, "one");
    publish(town, 0, "two");
    deliver(town, 1, 0, 1);
    publish(town, 1, "three");
    return town;
}

static void town_destroy(struct town *town)
{
    checker_destroy(town->checker);
    for (unsigned i = 0; i < NODES; i++) {
        town->stores[i]->ops->close(town->stores[i]);
        gossip_identity_destroy(town->identities[i]);
    }
    gossip_cluster_destroy(town->cluster);
    free(town);
}

static void require_sound(const struct town *town)
{
    const struct violation *violation = checker_violation(town->checker);

    if (violation->invariant != INVARIANT_NONE)
        fail_msg("%s: %s", invariant_name(violation->invariant), violation->witness);
}

/* ---- What is sound. ---- */

static void test_sound(void **state)
{
    static const uint64_t nothing[HAND_AUTHORS];
    struct town *town = town_create();
    struct checker_stats stats;
    const unsigned all[] = {0, 1, 2};

    (void)state;
    send_hello(town, 0, 1, 9);
    show_author(town, 0, 0, 1);
    show_author(town, 0, 0, 2);
    show_author(town, 1, 1, 1);
    send_run(town, 0, 0, 1, 2, AS_WRITTEN);
    send_run(town, 0, 0, 2, 2, AS_WRITTEN);
    return_result(town, 0, 1, "one");
    return_result(town, 1, 1, "three");
    pop(town, 1, 1, 0, 1, nothing, "one");
    pop(town, 1, 2, 1, 1, (const uint64_t[HAND_AUTHORS]){1}, "three");
    /* Saved again, as it is to add a seal. */
    checker_saved(
        town->checker, 0,
        (const struct gossip_record[]){
            {.kind = GOSSIP_RECORD_AUTHOR, .as.author = {.number = 0, .id = {1}, .have = 2}},
            {.kind = GOSSIP_RECORD_EVENT, .as.event = town->events[0][1].record}},
        2, GOSSIP_OK, true);
    require_sound(town);

    assert_false(checker_agree(town->checker, all, 3));
    assert_true(checker_agree(town->checker, all, 0));
    deliver(town, 0, 1, 1);
    assert_true(checker_agree(town->checker, all, 1));
    deliver(town, 1, 0, 2);
    deliver(town, 2, 0, 1);
    deliver(town, 2, 1, 1);
    assert_false(checker_agree(town->checker, all, 3));
    deliver(town, 2, 0, 2);
    assert_true(checker_agree(town->checker, all, 3));
    for (unsigned i = 0; i < NODES; i++) {
        start_again(town, i, 2);
        assert_int_equal(checker_held(town->checker, i), 3);
    }
    send_hello(town, 0, 2, 10);
    require_sound(town);
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

        publish_badly(town, 0, GOSSIP_ERR_IO, false);
        require_sound(town);
        checker_ended(town->checker, 0);
        start_from(town, 0, make_store_of_n1(town, came_to_pass ? 3 : 2), CHECKER_AS_IT_WAS);
        require_sound(town);
        if (!came_to_pass)
            town->authors[0].seq = 2;
        publish(town, 0, "after all");
        show_author(town, 0, 0, came_to_pass ? 4 : 3);
        require_sound(town);
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

        publish_badly(town, 0, errors[i], false);
        town->authors[0].seq = 2;
        town->deliveries[0] = 2;
        town->have[0][0] = 2;
        publish(town, 0, "something else");
        return_result(town, 0, 1, "one");
        return_result(town, 0, 2, "two");
        return_result(town, 0, 3, "something else");
        require_sound(town);
        town_destroy(town);
    }
}

/* ---- What is not: each crime is found, by the invariant that it violates. ---- */

struct crime {
    void (*commit)(struct town *town);
    enum invariant invariant;
    const char *witness[2]; /* What it must say. */
};

static void require_found(const struct crime *crimes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct town *town = town_create();
        const struct violation *violation = checker_violation(town->checker);

        require_sound(town);
        crimes[i].commit(town);
        if (violation->invariant != crimes[i].invariant)
            fail_msg("crime %zu: %s, not %s: %s", i, invariant_name(violation->invariant),
                     invariant_name(crimes[i].invariant), violation->witness);
        for (size_t j = 0; j < 2; j++) {
            if (crimes[i].witness[j] != NULL &&
                strstr(violation->witness, crimes[i].witness[j]) == NULL)
                fail_msg("crime %zu: no \"%s\" in: %s", i, crimes[i].witness[j],
                         violation->witness);
        }
        assert_int_equal(violation->time_ms, 1234);
        /* The first counts. */
        checker_report(town->checker, INVARIANT_AGREEMENT, "another");
        assert_int_equal(violation->invariant, crimes[i].invariant);
        town_destroy(town);
    }
}

#define REQUIRE_FOUND(crimes) require_found(crimes, sizeof(crimes) / sizeof(crimes[0]))

/* I1. */

static void save_again_differently(struct town *town)
{
    struct gossip_record records[DELIVERY_RECORDS];

    make_delivery(town, 0, 0, 1, records);
    town->events[0][0].body[records[1].as.event.body_size - 1] ^= 1;
    checker_saved(town->checker, 0, records, DELIVERY_RECORDS, GOSSIP_OK, true);
}

static void reuse_after_set_back(struct town *town)
{
    show_author(town, 0, 0, 2);
    start_from(town, 0, make_store_of_n1(town, 1), CHECKER_SET_BACK_SEEN);
    require_sound(town);
    town->authors[0].seq = 1;
    publish(town, 0, "two, another way");
}

static void show_another_head(struct town *town)
{
    send_digest(town, 0, town->authors[0].id, 2, false, town->events[0][0].record.hash);
}

/* The counter is another. */
static void send_with_nonce_of_before(struct town *town)
{
    show_author(town, 0, 0, 1);
    require_sound(town);
    town->nonce_count--;
    show_author(town, 0, 0, 1);
}

static void greet_with_boot_id_of_before(struct town *town)
{
    send_hello(town, 0, 1, 9);
    start_again(town, 0, 2);
    require_sound(town);
    send_hello(town, 0, 2, 9);
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
    publish_badly(town, 0, GOSSIP_OK, false);
    require_sound(town);
    show_author(town, 0, 0, 3);
}

static void send_run_before_saved(struct town *town)
{
    /* n2 has not delivered it, and cannot serve it. */
    send_run(town, 1, 0, 1, 2, AS_WRITTEN);
}

static void return_before_durable(struct town *town)
{
    publish_badly(town, 0, GOSSIP_OK, false);
    return_result(town, 0, 3, "perhaps");
}

static void pop_before_durable(struct town *town)
{
    publish_badly(town, 0, GOSSIP_OK, false);
    checker_cursor(town->checker, 0, 2);
    pop(town, 0, 3, 0, 3, town->have[0], "perhaps");
}

static void show_unknown_author(struct town *town)
{
    static const uint8_t id[GOSSIP_ID_SIZE] = {200};

    send_digest(town, 0, id, 1, false, town->events[0][0].record.hash);
}

static void send_run_of_unknown_author(struct town *town)
{
    send_run(town, 0, 0, 1, 2, UNKNOWN_AUTHOR);
}

static void save_clock_ahead(struct town *town)
{
    struct gossip_record record;

    make_author(town, 0, 0, 3, &record);
    checker_saved(town->checker, 0, &record, 1, GOSSIP_OK, true);
}

static void save_without_clock(struct town *town)
{
    struct gossip_record records[DELIVERY_RECORDS];

    make_delivery(town, 0, 0, compose(town, 0, "four"), records);
    checker_saved(town->checker, 0, &records[1], DELIVERY_RECORDS - 1, GOSSIP_OK, true);
}

static void save_after_failure(struct town *town)
{
    publish_badly(town, 0, GOSSIP_ERR_IO, false);
    publish_badly(town, 0, GOSSIP_OK, true);
}

static void send_after_failure(struct town *town)
{
    publish_badly(town, 0, GOSSIP_ERR_IO, false);
    show_author(town, 0, 0, 2);
}

static void return_after_failure(struct town *town)
{
    publish_badly(town, 0, GOSSIP_ERR_IO, false);
    return_result(town, 0, 3, "perhaps");
}

static void lose_what_was_saved(struct town *town)
{
    start_from(town, 0, make_store_of_n1(town, 1), CHECKER_AS_IT_WAS);
}

static void keep_a_part_of_a_save(struct town *town)
{
    struct gossip_record records[2 * DELIVERY_RECORDS];

    make_delivery(town, 0, 0, compose(town, 0, "three"), records);
    make_delivery(town, 0, 0, compose(town, 0, "four"), records + DELIVERY_RECORDS);
    records[0] = records[DELIVERY_RECORDS];
    checker_saved(town->checker, 0, records, 2 * DELIVERY_RECORDS, GOSSIP_ERR_IO, false);
    require_sound(town);
    start_from(town, 0, make_store_of_n1(town, 3), CHECKER_AS_IT_WAS);
}

static void keep_what_was_never_saved(struct town *town)
{
    compose(town, 0, "three");
    start_from(town, 0, make_store_of_n1(town, 3), CHECKER_AS_IT_WAS);
}

static void keep_another_clock(struct town *town)
{
    struct gossip_store *store = make_store_of_n1(town, 2);
    struct gossip_record record;

    make_author(town, 0, 0, 1, &record);
    add_to(store, &record, 1);
    start_from(town, 0, store, CHECKER_AS_IT_WAS);
}

/* Nobody knows whether n1:3 is saved; n2 has it, and then n1 has not. */
static void lose_what_was_shown(struct town *town)
{
    publish_badly(town, 0, GOSSIP_ERR_IO, false);
    deliver(town, 1, 0, 2);
    deliver(town, 1, 0, 3);
    require_sound(town);
    start_from(town, 0, make_store_of_n1(town, 2), CHECKER_AS_IT_WAS);
}

static void greet_before_saved(struct town *town)
{
    checker_ended(town->checker, 0);
    assert_int_equal(checker_started(town->checker, 0, town->stores[0], CHECKER_AS_IT_WAS),
                     GOSSIP_OK);
    send_hello(town, 0, 2, 10);
}

/* n3 has never saved itself as an author. */
static void save_anothers_author(struct town *town)
{
    struct gossip_record record;

    make_author(town, 1, 2, 0, &record);
    checker_saved(town->checker, 1, &record, 1, GOSSIP_OK, true);
}

static void save_nobodys_author(struct town *town)
{
    struct gossip_record record;

    make_author(town, 1, 2, 0, &record);
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
    publish(town, 0, "earlier");
}

static void save_earlier_boot(struct town *town)
{
    struct gossip_record record;

    make_meta("boot", 0, &record);
    checker_saved(town->checker, 0, &record, 1, GOSSIP_OK, true);
}

static void save_earlier_stamp(struct town *town)
{
    struct gossip_record record;

    make_meta("hlc", hlc_make(WALL_MS, 0), &record);
    checker_saved(town->checker, 0, &record, 1, GOSSIP_OK, true);
}

static void show_less_than_before(struct town *town)
{
    show_author(town, 0, 0, 2);
    require_sound(town);
    show_author(town, 0, 0, 1);
}

static void greet_with_earlier_boot(struct town *town)
{
    send_hello(town, 0, 0, 9);
}

/* Its process has counted two boots, and shows the first. */
static void greet_with_boot_before_the_last(struct town *town)
{
    struct gossip_record record;

    make_meta("boot", 2, &record);
    tell_saved(town, 0, &record, 1);
    send_hello(town, 0, 1, 9);
}

static void give_number_twice(struct town *town)
{
    struct gossip_record record;

    deliver(town, 0, 1, 1);
    make_author(town, 0, 1, 0, &record);
    record.as.author.number = 0;
    checker_saved(town->checker, 0, &record, 1, GOSSIP_OK, true);
}

static void start_with_earlier_boot(struct town *town)
{
    struct gossip_store *store = make_store_of_n1(town, 2);
    struct gossip_record record;

    make_meta("boot", 0, &record);
    add_to(store, &record, 1);
    start_from(town, 0, store, CHECKER_AS_IT_WAS);
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

    deliver(town, 0, 0, compose_claiming(town, 0, "as if", claims));
}

static void claim_too_little(struct town *town)
{
    static const uint64_t claims[HAND_AUTHORS] = {0, 0, 0, 0};

    deliver(town, 0, 1, 1);
    deliver(town, 0, 0, compose_claiming(town, 0, "as if not", claims));
}

static void claim_nobody(struct town *town)
{
    static const uint64_t claims[HAND_AUTHORS] = {0, 0, 0, 1};

    town->authors[3].id[0] = 99;
    deliver(town, 0, 0, compose_claiming(town, 0, "of nobody", claims));
}

static void pop_with_another_clock(struct town *town)
{
    static const uint64_t nothing[HAND_AUTHORS];

    pop(town, 1, 1, 0, 1, nothing, "one");
    pop(town, 1, 2, 1, 1, nothing, "three");
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
    deliver(town, 2, 0, 2);
}

static void deliver_effect_first(struct town *town)
{
    deliver(town, 2, 1, 1);
}

static void skip_delivery_number(struct town *town)
{
    town->deliveries[1]++;
    deliver(town, 1, 0, 2);
}

static void pop_in_another_order(struct town *town)
{
    pop(town, 1, 2, 1, 1, (const uint64_t[HAND_AUTHORS]){1}, "three");
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
    uint64_t seq = compose(town, 0, "not yet");

    deliver(town, 1, 0, 2);
    deliver(town, 1, 0, seq);
}

static void save_other_bytes(struct town *town)
{
    struct gossip_record records[DELIVERY_RECORDS];
    uint8_t body[HAND_BODY_MAX];

    make_delivery(town, 1, 0, 2, records);
    memcpy(body, records[1].as.event.body, records[1].as.event.body_size);
    body[records[1].as.event.body_size - 1] ^= 1;
    records[1].as.event.body = body;
    checker_saved(town->checker, 1, records, DELIVERY_RECORDS, GOSSIP_OK, true);
}

static void keep_other_bytes(struct town *town)
{
    struct gossip_store *store;

    town->events[0][1].body[town->events[0][1].record.body_size - 1] ^= 1;
    store = make_store_of_n1(town, 2);
    start_from(town, 0, store, CHECKER_AS_IT_WAS);
}

static void send_altered_stream(struct town *town)
{
    send_run(town, 0, 0, 1, 2, ALTERED_STREAM);
}

static void send_altered_previous(struct town *town)
{
    send_run(town, 0, 0, 2, 2, ALTERED_PREVIOUS);
}

static void send_altered_seal(struct town *town)
{
    send_run(town, 0, 0, 1, 2, ALTERED_SEAL);
}

static void send_altered_box(struct town *town)
{
    static const uint8_t plain[] = {MESSAGE_PULL, 1, 2, 3};
    uint8_t data[GOSSIP_DATAGRAM_MAX];
    size_t size = seal_box(town, 0, 1, plain, sizeof(plain), data);

    data[size - 1] ^= 1;
    send_bytes(town, 0, 1, data, size);
}

static void send_garbage(struct town *town)
{
    send_bytes(town, 0, 1, (const uint8_t *)"hello there", 11);
}

static void send_garbage_in_a_box(struct town *town)
{
    static const uint8_t plain[] = {MESSAGE_PART, 255, 255, 255};

    send_box(town, 0, 1, plain, sizeof(plain));
}

static void return_other_payload(struct town *town)
{
    return_result(town, 0, 1, "uno");
}

static void pop_other_payload(struct town *town)
{
    static const uint64_t nothing[HAND_AUTHORS];

    pop(town, 0, 1, 0, 1, nothing, "uno");
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

    send_bytes(town, 0, 1, data, sizeof(data));
}

static void skip_author_number(struct town *town)
{
    struct gossip_record record;

    make_author(town, 0, 1, 0, &record);
    record.as.author.number = 5;
    checker_saved(town->checker, 0, &record, 1, GOSSIP_OK, true);
}

static void save_of_unknown_number(struct town *town)
{
    struct gossip_record records[DELIVERY_RECORDS];

    make_delivery(town, 0, 0, compose(town, 0, "whose"), records);
    records[1].as.event.author = 7;
    checker_saved(town->checker, 0, records, DELIVERY_RECORDS, GOSSIP_OK, true);
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
    deliver(town, 0, 1, 1);
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
    struct gossip_store *store = open_empty();
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
        struct gossip_record records[DELIVERY_RECORDS] = {
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
        make_meta("hlc", frame.hlc, &records[2]);
        checker_set_wall(checker, 0, hlc_ms(frame.hlc));
        checker_saved(checker, 0, records, DELIVERY_RECORDS, GOSSIP_OK, true);
        add_to(store, records, DELIVERY_RECORDS);
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

/* ---- What nodes must not be able to do to the checker itself. ---- */

/* ---- Disks set back, forks, cuts and epochs. ---- */

/* The disk of n1 is older than n1:2, and its clock older than nothing. */
static void set_n1_back(struct town *town, enum checker_disk disk)
{
    start_from(town, 0, make_store_of_n1(town, 1), disk);
    require_sound(town);
    town->authors[0].seq = 1;
}

/* n1 writes as its second author from now on, which says so first. */
static void open_second_epoch(struct town *town)
{
    struct hand_author *author = &town->authors[SECOND_EPOCH];

    town->hlc += 10;
    town->clock = town->hlc;
    hand_write_kind(town->authors, SECOND_EPOCH, town->hlc,
                    author->seq == 0 ? GOSSIP_EVENT_EPOCH_OPEN : GOSSIP_EVENT_APPLICATION,
                    town->have[0], NULL, "", &town->events[SECOND_EPOCH][author->seq]);
    deliver(town, 0, SECOND_EPOCH, author->seq);
}

/* n1 issues again, as its second author, what it has written with this hash. */
static void reissue(struct town *town, const uint8_t hash[GOSSIP_HASH_SIZE])
{
    struct hand_author *author = &town->authors[SECOND_EPOCH];

    town->hlc += 10;
    town->clock = town->hlc;
    hand_write_kind(town->authors, SECOND_EPOCH, town->hlc, GOSSIP_EVENT_APPLICATION, town->have[0],
                    hash, "two", &town->events[SECOND_EPOCH][author->seq]);
    deliver(town, 0, SECOND_EPOCH, author->seq);
}

/* n2 has all that n1 had written; n1 is set back, cannot know it and writes another n1:2, of which
 * n3 hears. hashes[0] is that of the first content, hashes[1] of the second. */
static void fork_n1(struct town *town, uint8_t hashes[2][GOSSIP_HASH_SIZE])
{
    deliver(town, 1, 0, 2);
    memcpy(hashes[0], town->events[0][1].record.hash, GOSSIP_HASH_SIZE);
    set_n1_back(town, CHECKER_SET_BACK_UNSEEN);
    publish(town, 0, "two, another way");
    memcpy(hashes[1], town->events[0][1].record.hash, GOSSIP_HASH_SIZE);
    deliver(town, 2, 0, 1);
    deliver(town, 2, 0, 2);
}

/* Node saves that author is cut. */
static void cut(struct town *town, unsigned node, unsigned author, uint64_t seq)
{
    struct gossip_record record;

    town->cuts[node][author] = seq;
    make_author(town, node, author, town->have[node][author], &record);
    tell_saved(town, node, &record, 1);
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
    require_sound(town);
    show_author(town, 2, 0, 2);
    checker_notice(town->checker, 2,
                   &(struct gossip_notice){.kind = GOSSIP_NOTICE_DISAGREES, .dot = {0, 2}});
    require_sound(town);
    for (unsigned i = 0; i < NODES; i++)
        cut(town, i, 0, 2);
    send_digest(town, 2, town->authors[0].id, 1, true, town->events[0][0].record.hash);
    require_sound(town);
    deliver(town, 0, 1, 1);
    deliver(town, 2, 1, 1);
    assert_true(checker_agree(town->checker, all, 3));
    town->have[0][0] = 1;
    open_second_epoch(town);
    reissue(town, hashes[1]);
    reissue(town, hashes[0]);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        deliver(town, 1, SECOND_EPOCH, seq);
        assert_false(checker_agree(town->checker, all, 3));
        deliver(town, 2, SECOND_EPOCH, seq);
    }
    assert_true(checker_agree(town->checker, all, 3));
    checker_reissues(town->checker, all, 3);
    require_sound(town);
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
    publish(town, 1, "I saw two"); /* The first one, as n2:2. */
    deliver(town, 2, 1, 1);
    cut(town, 2, 0, 2);
    deliver(town, 2, 1, 2);
    deliver(town, 0, 1, 1);
    deliver(town, 0, 1, 2); /* It has the other, and does not know of any fork. */
    require_sound(town);
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
    deliver(town, 1, 0, 2);
    set_n1_back(town, CHECKER_SET_BACK_UNSEEN);
    publish(town, 0, "two, another way");
    deliver(town, 2, 0, 1);
    cut(town, 0, 0, 2);
    town->have[0][0] = 1;
    open_second_epoch(town);
    deliver(town, 2, SECOND_EPOCH, 1);
    require_sound(town);
    checker_stats(town->checker, &stats);
    assert_int_equal(stats.excused, 1);
    town_destroy(town);
}

/* A disk is set back, other events are written in place of those it has forgotten, and it is set
 * back again to a copy that has the first. */
static void test_set_back_to_what_was_written_over(void **state)
{
    struct town *town = town_create();
    struct gossip_store *copy = make_store_of_n1(town, 2);

    (void)state;
    set_n1_back(town, CHECKER_SET_BACK_UNSEEN);
    publish(town, 0, "two, another way");
    require_sound(town);
    start_from(town, 0, copy, CHECKER_SET_BACK_UNSEEN);
    require_sound(town);
    town_destroy(town);
}

/* An event may be delivered, and then be behind a cut, within what is saved at once. */
static void test_delivered_and_cut_at_once(void **state)
{
    struct town *town = town_create();

    (void)state;
    deliver(town, 1, 0, 2);
    set_n1_back(town, CHECKER_SET_BACK_UNSEEN);
    publish(town, 0, "two, another way");
    deliver(town, 2, 0, 1);
    town->cuts[2][0] = 2;
    deliver(town, 2, 0, 2);
    require_sound(town);
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
    deliver(town, 0, 0, 2);
    return_result(town, 0, 2, "two");
    require_sound(town);
    town->authors[0].seq = 2;
    publish(town, 0, "three");
    return_result(town, 0, 3, "three");
    require_sound(town);
    town_destroy(town);

    town = town_create();
    set_n1_back(town, CHECKER_SET_BACK_UNSEEN);
    deliver(town, 0, 0, 2);
    town->authors[0].seq = 2;
    publish(town, 0, "three");
    return_result(town, 0, 3, "three");
    require_sound(town);
    town_destroy(town);
}

/* A copy knows what it is, and writes under an epoch of its own. */
static void test_set_back_seen(void **state)
{
    struct town *town = town_create();

    (void)state;
    set_n1_back(town, CHECKER_SET_BACK_SEEN);
    open_second_epoch(town);
    require_sound(town);
    start_again(town, 0, 2);
    open_second_epoch(town); /* It writes on. */
    require_sound(town);
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
    tell(town, GOSSIP_NOTICE_EPOCH, SECOND_EPOCH);
    require_sound(town);
    open_second_epoch(town); /* It writes on. */
    require_sound(town);
    town_destroy(town);
}

/* The epoch was opened for what was found before. */
static void tell_of_epoch_again(struct town *town)
{
    set_n1_back(town, CHECKER_SET_BACK_SEEN);
    open_second_epoch(town);
    tell(town, GOSSIP_NOTICE_EPOCH, SECOND_EPOCH);
    tell(town, GOSSIP_NOTICE_EVIDENCE, 0);
    tell(town, GOSSIP_NOTICE_EPOCH, SECOND_EPOCH);
    require_sound(town);
    open_second_epoch(town);
}

static void go_on_after_evidence(struct town *town)
{
    set_n1_back(town, CHECKER_SET_BACK_UNSEEN);
    checker_notice(
        town->checker, 0,
        &(struct gossip_notice){.kind = GOSSIP_NOTICE_EVIDENCE, .number = GOSSIP_EVIDENCE_EVENTS});
    require_sound(town);
    publish(town, 0, "two, another way");
}

static void go_on_after_another_start(struct town *town)
{
    set_n1_back(town, CHECKER_SET_BACK_SEEN);
    start_again(town, 0, 2);
    require_sound(town);
    publish(town, 0, "two, another way");
}

static void write_in_closed_epoch(struct town *town)
{
    set_n1_back(town, CHECKER_SET_BACK_SEEN);
    open_second_epoch(town);
    require_sound(town);
    publish(town, 0, "two, another way");
}

static void open_without_reason(struct town *town)
{
    open_second_epoch(town);
}

static void open_without_saying_so(struct town *town)
{
    set_n1_back(town, CHECKER_SET_BACK_SEEN);
    deliver(town, 0, SECOND_EPOCH, compose_claiming(town, SECOND_EPOCH, "silently", town->have[0]));
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
    hand_write_kind(town->authors, SECOND_EPOCH, town->hlc, GOSSIP_EVENT_EPOCH_OPEN, clock, NULL,
                    "", &town->events[SECOND_EPOCH][0]);
    deliver(town, 0, SECOND_EPOCH, 1);
}

static void open_what_is_open(struct town *town)
{
    town->hlc += 10;
    town->clock = town->hlc;
    hand_write_kind(town->authors, 0, town->hlc, GOSSIP_EVENT_EPOCH_OPEN, town->have[0], NULL, "",
                    &town->events[0][2]);
    deliver(town, 0, 0, 3);
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
    require_sound(town);
    cut(town, 2, 0, 0);
}

static void forget_cut(struct town *town)
{
    uint8_t hashes[2][GOSSIP_HASH_SIZE];
    struct gossip_record record;

    fork_n1(town, hashes);
    cut(town, 2, 0, 2);
    require_sound(town);
    town->cuts[2][0] = 0;
    make_author(town, 2, 0, 2, &record);
    add_to(town->stores[2], &record, 1);
    checker_ended(town->checker, 2);
    assert_int_equal(checker_started(town->checker, 2, town->stores[2], CHECKER_AS_IT_WAS),
                     GOSSIP_OK);
}

static void show_cut_before_saved(struct town *town)
{
    uint8_t hashes[2][GOSSIP_HASH_SIZE];

    fork_n1(town, hashes);
    send_digest(town, 2, town->authors[0].id, 1, true, town->events[0][0].record.hash);
}

static void deliver_behind_cut(struct town *town)
{
    uint8_t hashes[2][GOSSIP_HASH_SIZE];

    fork_n1(town, hashes);
    publish(town, 0, "three");
    cut(town, 2, 0, 2);
    require_sound(town);
    deliver(town, 2, 0, 3);
}

/* n2 has the first content of n1:2, and saves what follows the second. */
static void deliver_another_branch(struct town *town)
{
    uint8_t hashes[2][GOSSIP_HASH_SIZE];

    fork_n1(town, hashes);
    publish(town, 0, "three");
    deliver(town, 1, 0, 3);
}

static void show_other_branch(struct town *town)
{
    uint8_t hashes[2][GOSSIP_HASH_SIZE];

    fork_n1(town, hashes);
    send_digest(town, 1, town->authors[0].id, 2, false, hashes[1]);
}

static void strand_what_was_contested(struct town *town)
{
    uint8_t hashes[2][GOSSIP_HASH_SIZE];
    const unsigned all[] = {0, 1, 2};

    fork_n1(town, hashes);
    for (unsigned i = 0; i < NODES; i++)
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
    require_sound(town);
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
    deliver(town, 0, 1, 1);
    require_sound(town);
    assert_false(checker_agree(town->checker, all, 2));
    cut(town, 1, 0, 2);
    assert_true(checker_agree(town->checker, all, 2));
    checker_reissues(town->checker, all, 2); /* There is nobody who could. */
    require_sound(town);
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
    send_digest(town, 0, town->authors[1].id, 0, true, nothing);
    require_sound(town);
    send_digest(town, 0, town->authors[1].id, 0, true, town->events[0][0].record.hash);
    assert_int_equal(checker_violation(town->checker)->invariant, INVARIANT_NO_REUSE);
    town_destroy(town);
}

/* A result that says OK and names no event. */
static void test_result_of_no_event(void **state)
{
    struct town *town = town_create();

    (void)state;
    return_result(town, 0, 0, "one");
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
        cmocka_unit_test(test_sound),
        cmocka_unit_test(test_unknown_outcomes),
        cmocka_unit_test(test_refused_saves),
        cmocka_unit_test(test_no_reuse),
        cmocka_unit_test(test_durable),
        cmocka_unit_test(test_monotonic),
        cmocka_unit_test(test_causal),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_disagreement),
        cmocka_unit_test(test_running_node),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_excused_cause),
        cmocka_unit_test(test_cause_that_its_writer_had_cut),
        cmocka_unit_test(test_set_back_to_what_was_written_over),
        cmocka_unit_test(test_delivered_and_cut_at_once),
        cmocka_unit_test(test_written_once_more),
        cmocka_unit_test(test_set_back_seen),
        cmocka_unit_test(test_evidence_told_late),
        cmocka_unit_test(test_forks_and_epochs),
        cmocka_unit_test(test_eviction),
        cmocka_unit_test(test_digest_of_no_event),
        cmocka_unit_test(test_result_of_no_event),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
