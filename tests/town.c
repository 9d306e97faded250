#include "tests/town.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/lab/standin.h"
#include "gossip/datagram.h"
#include "gossip/digest.h"
#include "gossip/frame.h"
#include "gossip/hlc.h"

/* ---- Saves. ---- */

void town_make_meta(const char *name, uint64_t number, struct gossip_record *ret_record)
{
    *ret_record = (struct gossip_record){.kind = GOSSIP_RECORD_META,
                                         .as.meta = {.name = name, .number = number}};
}

void town_make_author(struct town *town, unsigned node, unsigned author, uint64_t have,
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
    memcpy(row->key, town->identities[author == TOWN_SECOND_EPOCH ? 0 : author]->key,
           GOSSIP_KEY_SIZE);
}

void town_make_delivery(struct town *town, unsigned node, unsigned author, uint64_t seq,
                        struct gossip_record ret_records[TOWN_DELIVERY_RECORDS])
{
    town_make_author(town, node, author, seq, &ret_records[0]);
    ret_records[1] = (struct gossip_record){.kind = GOSSIP_RECORD_EVENT,
                                            .as.event = town->events[author][seq - 1].record};
    ret_records[1].as.event.author = town->numbers[node][author] - 1;
    ret_records[1].as.event.delivery = ++town->deliveries[node];
    town_make_meta("hlc", town->clock, &ret_records[2]);
    town->have[node][author] = seq;
}

void town_tell_saved(struct town *town, unsigned node, const struct gossip_record *records,
                     size_t count)
{
    checker_saved(town->checker, node, records, count, GOSSIP_OK, true);
    assert_int_equal(town->stores[node]->ops->save(town->stores[node], records, count), GOSSIP_OK);
}

void town_deliver(struct town *town, unsigned node, unsigned author, uint64_t seq)
{
    struct gossip_record records[TOWN_DELIVERY_RECORDS];

    town_make_delivery(town, node, author, seq, records);
    town_tell_saved(town, node, records, TOWN_DELIVERY_RECORDS);
}

uint64_t town_compose_claiming(struct town *town, unsigned node, const char *payload,
                               const uint64_t clock[HAND_AUTHORS])
{
    uint64_t seq = town->authors[node].seq + 1;

    assert_true(seq <= TOWN_EVENTS_MAX);
    town->hlc += 10;
    if (town->hlc > town->clock)
        town->clock = town->hlc;
    hand_write(town->authors, node, town->hlc, clock, payload, &town->events[node][seq - 1]);
    return seq;
}

uint64_t town_compose(struct town *town, unsigned node, const char *payload)
{
    return town_compose_claiming(town, node, payload, town->have[node]);
}

void town_publish(struct town *town, unsigned node, const char *payload)
{
    town_deliver(town, node, node, town_compose(town, node, payload));
}

void town_publish_badly(struct town *town, unsigned node, int result, bool is_durable)
{
    struct gossip_record records[TOWN_DELIVERY_RECORDS];

    town_make_delivery(town, node, node, town_compose(town, node, "perhaps"), records);
    checker_saved(town->checker, node, records, TOWN_DELIVERY_RECORDS, result, is_durable);
}

/* ---- Starts. ---- */

static int copy_record(void *context, const struct gossip_record *record)
{
    struct gossip_store *copy = context;

    return copy->ops->save(copy, record, 1);
}

void town_start_again(struct town *town, unsigned node, uint64_t boot)
{
    struct gossip_record record;

    checker_ended(town->checker, node);
    assert_int_equal(checker_started(town->checker, node, town->stores[node], CHECKER_AS_IT_WAS),
                     GOSSIP_OK);
    town_make_meta("boot", boot, &record);
    town_tell_saved(town, node, &record, 1);
}

void town_start_from(struct town *town, unsigned node, struct gossip_store *store,
                     enum checker_disk disk)
{
    assert_int_equal(checker_started(town->checker, node, store, disk), GOSSIP_OK);
    town->stores[node]->ops->close(town->stores[node]);
    town->stores[node] = store;
}

struct gossip_store *town_open_empty(void)
{
    struct gossip_store *store;

    assert_int_equal(gossip_memory_open(&store), GOSSIP_OK);
    return store;
}

/* What node has stored but for events; the rows as they are, so they may count too much. */
static struct gossip_store *copy_without_events(struct town *town, unsigned node)
{
    struct gossip_store *store = town_open_empty();

    assert_int_equal(town->stores[node]->ops->load(town->stores[node], copy_record, store), 0);
    return store;
}

void town_add_to(struct gossip_store *store, const struct gossip_record *records, size_t count)
{
    assert_int_equal(store->ops->save(store, records, count), GOSSIP_OK);
}

struct gossip_store *town_make_store_of_n1(struct town *town, uint64_t seq)
{
    struct gossip_store *store = copy_without_events(town, 0);
    struct gossip_record records[TOWN_DELIVERY_RECORDS];

    town->deliveries[0] = 0;
    for (uint64_t i = 1; i <= seq; i++) {
        town_make_delivery(town, 0, 0, i, records);
        town_add_to(store, records, TOWN_DELIVERY_RECORDS);
    }
    town->have[0][0] = seq;
    return store;
}

/* ---- Datagrams. ---- */

void town_send_bytes(struct town *town, unsigned from, unsigned to, const uint8_t *data,
                     size_t size)
{
    const struct gossip_datagram datagram = {.data = data, .size = size};

    checker_sent(town->checker, from, to, &datagram);
}

size_t town_seal_box(struct town *town, unsigned from, unsigned to, const uint8_t *plain,
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

void town_send_box(struct town *town, unsigned from, unsigned to, const uint8_t *plain, size_t size)
{
    uint8_t data[GOSSIP_DATAGRAM_MAX];

    size = town_seal_box(town, from, to, plain, size, data);
    town_send_bytes(town, from, to, data, size);
}

void town_send_digest(struct town *town, unsigned from, const uint8_t id[GOSSIP_ID_SIZE],
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
    town_send_box(town, from, (from + 1) % TOWN_NODES, plain, 1 + size + GOSSIP_SIGNATURE_SIZE);
}

void town_show_author(struct town *town, unsigned from, unsigned author, uint64_t have)
{
    town_send_digest(town, from, town->authors[author].id, have, false,
                     town->events[author][have - 1].record.hash);
}

void town_send_run(struct town *town, unsigned from, unsigned author, uint64_t first, uint64_t last,
                   enum alteration alteration)
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
    town_send_box(town, from, (from + 1) % TOWN_NODES, plain, 1 + size);
}

void town_send_hello(struct town *town, unsigned from, uint64_t boot, uint64_t boot_id)
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

    town_send_bytes(town, from, UINT_MAX, data, size);
}

/* ---- Results and deliveries. ---- */

void town_return_result(struct town *town, unsigned node, uint64_t seq, const char *payload)
{
    const struct gossip_result result = {.dot = {town->numbers[node][node] - 1, seq}};

    checker_result(town->checker, node, &result, payload, strlen(payload));
}

void town_pop(struct town *town, unsigned node, uint64_t delivery, unsigned author, uint64_t seq,
              const uint64_t claims[HAND_AUTHORS], const char *payload)
{
    uint32_t authors[TOWN_NODES];
    uint64_t counters[TOWN_NODES];
    struct gossip_vclock clock = {authors, counters, 0, TOWN_NODES};
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
        for (unsigned i = 0; i < TOWN_NODES; i++) {
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

struct town *town_create(void)
{
    struct town *town = calloc(1, sizeof(*town));
    uint8_t seed[GOSSIP_SEED_SIZE] = {1};
    static const uint8_t gate[GOSSIP_CLUSTER_SECRET_SIZE] = {2};

    assert_non_null(town);
    assert_int_equal(cluster_make(standin_crypto(), seed, gate, &town->cluster), GOSSIP_OK);
    town->checker = checker_create(standin_crypto(), 1, TOWN_NODES);
    town->hlc = hlc_make(TOWN_WALL_MS, 0);
    town->clock = town->hlc;
    for (unsigned i = 0; i < TOWN_NODES; i++) {
        const char name[] = {'n', (char)('1' + i), '\0'};
        struct gossip_record records[3];

        seed[0] = (uint8_t)(10 + i);
        assert_int_equal(
            identity_make(standin_crypto(), town->cluster, name, 0, seed, &town->identities[i]),
            GOSSIP_OK);
        town->authors[i].id[0] = (uint8_t)(i + 1);
        town->authors[TOWN_SECOND_EPOCH].id[0] = TOWN_SECOND_EPOCH + 1;
        town->stores[i] = town_open_empty();
        checker_add_node(town->checker, i, town->identities[i]);
        checker_set_wall(town->checker, i, TOWN_WALL_MS);
        assert_int_equal(checker_started(town->checker, i, town->stores[i], CHECKER_AS_IT_WAS),
                         GOSSIP_OK);
        town_make_meta("boot", 1, &records[0]);
        town_make_meta("hlc", town->clock, &records[1]);
        if (i < 2)
            town_make_author(town, i, i, 0, &records[2]);
        town_tell_saved(town, i, records, i < 2 ? 3 : 2);
    }
    checker_set_time(town->checker, 1234);
    town_publish(town, 0, "one");
    town_publish(town, 0, "two");
    town_deliver(town, 1, 0, 1);
    town_publish(town, 1, "three");
    return town;
}

void town_destroy(struct town *town)
{
    checker_destroy(town->checker);
    for (unsigned i = 0; i < TOWN_NODES; i++) {
        town->stores[i]->ops->close(town->stores[i]);
        gossip_identity_destroy(town->identities[i]);
    }
    gossip_cluster_destroy(town->cluster);
    free(town);
}

void town_require_sound(const struct town *town)
{
    const struct violation *violation = checker_violation(town->checker);

    if (violation->invariant != INVARIANT_NONE)
        fail_msg("%s: %s", invariant_name(violation->invariant), violation->witness);
}

/* ---- Crimes. ---- */

void town_require_found(const struct crime *crimes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct town *town = town_create();
        const struct violation *violation = checker_violation(town->checker);

        town_require_sound(town);
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
