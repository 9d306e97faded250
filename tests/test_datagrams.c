/*
 * Datagrams that are not what a peer sent us just now: altered, cut off, glued together, replayed,
 * sent on from elsewhere, to somebody else, or of another cluster. Each counts under its verdict
 * and changes nothing: a network that gets them goes on, to the byte, as its twin that does not.
 */
#include "tests/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/datagram.h"
#include "gossip/service.h"

enum {
    NODES = 3,
    ELSEWHERE = NODES, /* An address where no node is. */
    RECORDED_MAX = 8192,
    FIRST_MESSAGE = 10, /* Kinds from here on are of the messages in boxes. */
    WELCOME_SHORTEST = 90,
    BOX_SHORTEST = 97,
};

struct recorded {
    unsigned from;
    unsigned to;
    unsigned kind; /* enum datagram_kind, or FIRST_MESSAGE + enum message_kind. */
    size_t size;
    uint8_t data[GOSSIP_DATAGRAM_MAX];
};

/* What the wire has shown. */
struct wire {
    struct world *world;
    uint64_t trace; /* A hash of all that was sent. */
    uint64_t sent;
    uint64_t hellos_elsewhere;
    uint64_t bytes_elsewhere; /* But for hellos. */
    uint64_t boxes_elsewhere;
    struct recorded *all; /* That has arrived. */
    size_t count;
    uint64_t random;
    unsigned loss_percent;
    unsigned hold_kind; /* The first of this kind is kept back. */
    bool held;
    struct recorded kept;
};

static struct gossip_address address_of(const struct wire *wire, unsigned node)
{
    struct gossip_address address = world_address(wire->world, node == ELSEWHERE ? 0 : node);

    if (node == ELSEWHERE)
        address.port += 1000;
    return address;
}

/* Delivers a datagram to node at once, as if from address. */
static void inject(const struct wire *wire, unsigned node, const struct gossip_address *from,
                   const uint8_t *data, size_t size)
{
    assert_true(virtual_network_inject(world_network(wire->world), node, from, data, size));
    world_run(wire->world, 0);
}

static unsigned kind_of(struct world *world, unsigned from, unsigned to, const uint8_t *data,
                        size_t size)
{
    uint8_t plain[GOSSIP_PLAIN_MAX];
    uint8_t key[32];

    if (data[4] != DATAGRAM_BOX)
        return data[4];
    assert_true(pair_key(gossip_crypto_sodium(), world_identity(world, from),
                         gossip_identity_key(world_identity(world, to)), key));
    assert_true(box_open(gossip_crypto_sodium(), key, data, size, plain) > 0);
    return FIRST_MESSAGE + plain[0];
}

static void add_to_trace(struct wire *wire, const void *data, size_t size)
{
    const uint8_t *bytes = data;

    /* FNV-1a. */
    for (size_t i = 0; i < size; i++)
        wire->trace = (wire->trace ^ bytes[i]) * UINT64_C(0x100000001b3);
}

/* Whether a datagram would be taken as it is. At first nobody is proven, and certificates come in
 * several ways. */
static bool is_worth_holding(const struct wire *wire, const struct recorded *recorded)
{
    const struct peers *peers = &world_gossip(wire->world, recorded->to)->node->peers;
    uint32_t sender =
        peers_find_key(peers, gossip_identity_key(world_identity(wire->world, recorded->from)));

    if (recorded->kind < FIRST_MESSAGE)
        return true;
    return sender != NO_PEER && peers->items[sender]->state == GOSSIP_PEER_ALIVE &&
           (wire->sent > 100 || recorded->kind == FIRST_MESSAGE + MESSAGE_ADDRESSES);
}

static bool tap(void *context, unsigned from, unsigned to, const struct gossip_datagram *datagram)
{
    struct wire *wire = context;
    const uint8_t *data = datagram->data;
    size_t size = datagram->size;
    struct recorded recorded = {.from = from, .to = to, .size = size};

    wire->sent++;
    add_to_trace(wire, &from, sizeof(from));
    add_to_trace(wire, &to, sizeof(to));
    add_to_trace(wire, data, size);
    if (to == UINT_MAX) {
        wire->hellos_elsewhere += data[4] == DATAGRAM_HELLO;
        wire->boxes_elsewhere += data[4] == DATAGRAM_BOX;
        wire->bytes_elsewhere += data[4] == DATAGRAM_HELLO ? 0 : size;
        return true;
    }
    recorded.kind = kind_of(wire->world, from, to, data, size);
    memcpy(recorded.data, data, size);
    if (wire->hold_kind == recorded.kind && !wire->held && is_worth_holding(wire, &recorded)) {
        wire->held = true;
        wire->kept = recorded;
        return true;
    }
    wire->random = wire->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    if ((wire->random >> 33) % 100 < wire->loss_percent)
        return true;
    if (wire->all != NULL && wire->count < RECORDED_MAX)
        wire->all[wire->count++] = recorded;
    return false;
}

static uint64_t first_seed;

static struct wire *wire_create(uint64_t seed, unsigned loss, unsigned hold_kind)
{
    struct wire *wire = calloc(1, sizeof(*wire));
    /* Unchecked: a node that gets thousands of datagrams in a millisecond would seem to spin. */
    struct world_options options = {
        .seed = first_seed + seed, .nodes = NODES, .crypto = WORLD_SODIUM, .unchecked = true};
    /* None overtakes another: a box that comes before what proves its sender is not marked as seen
     * and may rightly come again. */
    struct virtual_link link = {.latency_ms = 20, .loss_ppm = loss * 10000};

    assert_non_null(wire);
    wire->hold_kind = hold_kind;
    wire->world = world_create(&options);
    virtual_network_set_default(world_network(wire->world), &link);
    world_set_tap(wire->world, tap, wire);
    return wire;
}

static void wire_destroy(struct wire *wire)
{
    world_destroy(wire->world);
    free(wire->all);
    free(wire);
}

/* Lets things happen until a datagram of the kind to be held has been sent. */
static void run_until_held(struct wire *wire)
{
    for (unsigned i = 0; i < 4000 && !wire->held; i++) {
        if (i % 20 == 10)
            story_tells(wire->world, i / 20 % NODES, "an event that may get lost");
        world_run(wire->world, 25);
    }
    assert_true(wire->held);
}

/* All that a datagram could change in a node, but for the store. */
struct snapshot {
    struct gossip_stats stats;
    size_t authors;
    size_t records;
    size_t targets;
    uint64_t peers;
    uint64_t clock;
    uint64_t sent;
};

static uint64_t mix(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * UINT64_C(0x100000001b3);
}

static struct snapshot snapshot_of(const struct wire *wire, unsigned node)
{
    struct gossip *gossip = world_gossip(wire->world, node);
    const struct gossip_vclock *clock = gossip_clock(gossip);
    struct snapshot snapshot = {.sent = wire->sent,
                                .authors = gossip_author_count(gossip),
                                .records = gossip->node->records.count,
                                .targets = gossip->node->peers.target_count};

    assert_int_equal(gossip_run(gossip), GOSSIP_OK); /* What was heard when is told as of now. */
    gossip_stats(gossip, &snapshot.stats);
    for (size_t i = 0; i < gossip_peer_count(gossip); i++) {
        struct gossip_peer peer;

        assert_int_equal(gossip_peer(gossip, i, &peer), GOSSIP_OK);
        snapshot.peers = mix(snapshot.peers, peer.state);
        snapshot.peers = mix(snapshot.peers, peer.address.port);
        snapshot.peers = mix(snapshot.peers, peer.in_step);
        snapshot.peers = mix(snapshot.peers, peer.heard_ms);
        snapshot.peers = mix(snapshot.peers, peer.exchanges);
        snapshot.peers = mix(snapshot.peers, peer.answered);
    }
    for (size_t i = 0; i < clock->count; i++)
        snapshot.clock = mix(mix(snapshot.clock, clock->authors[i]), clock->counters[i]);
    return snapshot;
}

static int hash_record(void *context, const struct gossip_record *record)
{
    uint64_t *hash = context;

    *hash = mix(*hash, record->kind);
    if (record->kind == GOSSIP_RECORD_EVENT) {
        *hash = mix(*hash, record->as.event.delivery);
        for (size_t i = 0; i < GOSSIP_HASH_SIZE; i++)
            *hash = mix(*hash, record->as.event.hash[i]);
    }
    if (record->kind == GOSSIP_RECORD_AUTHOR)
        *hash = mix(*hash, record->as.author.have);
    if (record->kind == GOSSIP_RECORD_PEER)
        *hash = mix(*hash, record->as.peer.address.port);
    return 0;
}

static uint64_t store_hash(const struct wire *wire, unsigned node)
{
    struct gossip_store *store = world_store(wire->world, node);
    uint64_t hash = 0;

    assert_int_equal(store->ops->load(store, hash_record, &hash), 0);
    assert_int_equal(store->ops->follow(store, 0, hash_record, &hash), 0);
    return hash;
}

/* Delivers data to node, which must count it as verdict and do nothing else. */
static void comes_to_nothing(const struct wire *wire, unsigned node, unsigned from,
                             const uint8_t *data, size_t size, enum gossip_verdict verdict)
{
    struct snapshot before = snapshot_of(wire, node);
    struct gossip_address address = address_of(wire, from);
    struct snapshot after;

    inject(wire, node, &address, data, size);
    after = snapshot_of(wire, node);
    if (after.stats.datagrams[verdict] != before.stats.datagrams[verdict] + 1) {
        printf("%zu bytes, not %s:\n", size, gossip_verdict_name(verdict));
        story_print(wire->world, node);
    }
    before.stats.datagrams[verdict]++;
    before.stats.bytes_received += size > GOSSIP_DATAGRAM_MAX ? GOSSIP_DATAGRAM_MAX + 1 : size;
    assert_memory_equal(&before, &after, sizeof(before));
}

/* What a datagram must count as that differs from one of ours at offset. */
static enum gossip_verdict verdict_of_altered(const uint8_t *data, size_t size, size_t offset)
{
    if (offset < 3 || (offset >= 5 && offset < 8))
        return GOSSIP_DATAGRAM_NOT_GOSSIP;
    if (offset == 3)
        return GOSSIP_DATAGRAM_VERSION;
    switch (data[4]) {
    case DATAGRAM_HELLO:
        if (size != GOSSIP_HELLO_SIZE)
            return size < GOSSIP_HELLO_SIZE ? GOSSIP_DATAGRAM_SHORT : GOSSIP_DATAGRAM_OVERSIZED;
        return GOSSIP_DATAGRAM_FOREIGN;
    case DATAGRAM_WELCOME:
        if (size > GOSSIP_HELLO_SIZE)
            return GOSSIP_DATAGRAM_OVERSIZED;
        return size < WELCOME_SHORTEST ? GOSSIP_DATAGRAM_SHORT : GOSSIP_DATAGRAM_FOREIGN;
    case DATAGRAM_BOX:
        if (size > GOSSIP_DATAGRAM_MAX)
            return GOSSIP_DATAGRAM_OVERSIZED;
        if (size < BOX_SHORTEST)
            return GOSSIP_DATAGRAM_SHORT;
        /* Of what was a greeting, other bytes stand where the receiver's id is. */
        if (offset == 4 || (offset >= 8 && offset < 24))
            return GOSSIP_DATAGRAM_MISDIRECTED;
        return offset >= 24 && offset < 40 ? GOSSIP_DATAGRAM_UNKNOWN : GOSSIP_DATAGRAM_FORGED;
    default:
        return GOSSIP_DATAGRAM_NOT_GOSSIP;
    }
}

static void alter(const struct wire *wire)
{
    const struct recorded *kept = &wire->kept;
    uint8_t data[2 * GOSSIP_DATAGRAM_MAX];
    uint64_t stored = store_hash(wire, kept->to);
    uint64_t random = 1;

    for (size_t i = 0; i < kept->size; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(data, kept->data, kept->size);
            data[i] ^= (uint8_t)(1 << bit);
            comes_to_nothing(wire, kept->to, kept->from, data, kept->size,
                             verdict_of_altered(data, kept->size, i));
        }
    }
    for (size_t size = 0; size < kept->size; size++)
        comes_to_nothing(wire, kept->to, kept->from, kept->data, size,
                         size < GOSSIP_HEADER_SIZE
                             ? GOSSIP_DATAGRAM_SHORT
                             : verdict_of_altered(kept->data, size, kept->size));
    /* Longer by zeros, by anything, and by itself. */
    for (size_t size = kept->size + 1; size <= GOSSIP_DATAGRAM_MAX + 1; size++) {
        bool at_end = size > GOSSIP_DATAGRAM_MAX - 2 || size < kept->size + 3;

        if (!at_end && size % 31 != 0)
            continue;
        for (unsigned filling = 0; filling < 3; filling++) {
            memset(data, 0, sizeof(data));
            memcpy(data, kept->data, kept->size);
            for (size_t i = kept->size; i < size && filling > 0; i++) {
                random = random * UINT64_C(6364136223846793005) + 1;
                data[i] = filling == 1 ? (uint8_t)(random >> 56) : kept->data[i % kept->size];
            }
            comes_to_nothing(wire, kept->to, kept->from, data, size,
                             size > GOSSIP_DATAGRAM_MAX
                                 ? GOSSIP_DATAGRAM_OVERSIZED
                                 : verdict_of_altered(data, size, kept->size));
        }
    }
    assert_int_equal(store_hash(wire, kept->to), stored);
}

static void misdirect(const struct wire *wire)
{
    const struct recorded *kept = &wire->kept;
    unsigned third = NODES - kept->from - kept->to;
    enum gossip_verdict verdict = GOSSIP_DATAGRAM_MISDIRECTED;

    if (kept->kind == DATAGRAM_WELCOME)
        verdict = GOSSIP_DATAGRAM_UNASKED;
    if (kept->kind != DATAGRAM_HELLO) /* Which has no receiver. */
        comes_to_nothing(wire, third, kept->from, kept->data, kept->size, verdict);
    if (kept->kind != DATAGRAM_HELLO)
        comes_to_nothing(wire, kept->from, kept->to, kept->data, kept->size, verdict);
}

/* Bytes from nowhere, half of them with a header like ours. */
static void throw_garbage(const struct wire *wire)
{
    static const uint8_t header[GOSSIP_HEADER_SIZE] = {'g', 's', 'p', 1};
    uint64_t random = 7;

    for (unsigned i = 0; i < 4000; i++) {
        uint8_t data[GOSSIP_DATAGRAM_MAX + 1];
        struct gossip_address address = address_of(wire, i % 2 == 0 ? 1 : ELSEWHERE);
        struct snapshot before = snapshot_of(wire, 0);
        struct snapshot after;
        size_t size;

        for (size_t j = 0; j < sizeof(data); j++) {
            random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            data[j] = (uint8_t)(random >> 56);
        }
        size = (size_t)(random >> 32) % (sizeof(data) + 1);
        if (i % 4 < 2) {
            memcpy(data, header, sizeof(header));
            data[4] = (uint8_t)(1 + i % 3);
            if (data[4] == DATAGRAM_HELLO)
                size = GOSSIP_HELLO_SIZE;
            if (data[4] == DATAGRAM_BOX && i % 5 > 0)
                memcpy(data + 8, world_identity(wire->world, 0)->node, GOSSIP_ID_SIZE);
            if (data[4] == DATAGRAM_BOX && i % 5 > 1)
                memcpy(data + 24, world_identity(wire->world, 1)->node, GOSSIP_ID_SIZE);
        }
        inject(wire, 0, &address, data, size);
        after = snapshot_of(wire, 0);
        assert_int_equal(after.stats.datagrams[GOSSIP_DATAGRAM_ACCEPTED],
                         before.stats.datagrams[GOSSIP_DATAGRAM_ACCEPTED]);
        before.stats.bytes_received = after.stats.bytes_received;
        memcpy(before.stats.datagrams, after.stats.datagrams, sizeof(before.stats.datagrams));
        assert_memory_equal(&before, &after, sizeof(before));
    }
}

/* How many were what their peers sent; what they told may have come another way before. */
static uint64_t taken(const struct gossip_stats *stats)
{
    return stats->datagrams[GOSSIP_DATAGRAM_ACCEPTED] + stats->datagrams[GOSSIP_DATAGRAM_DUPLICATE];
}

/* Two networks of one seed; one gets everything that a datagram of a kind can be turned into. Then
 * both get the datagram itself. */
static void altered(unsigned kind)
{
    struct wire *wire = wire_create(40 + kind, 20, kind);
    struct wire *twin = wire_create(40 + kind, 20, kind);
    struct gossip_address from;
    struct gossip_stats before;
    struct gossip_stats after;

    run_until_held(wire);
    run_until_held(twin);
    assert_true(wire->trace == twin->trace);
    from = address_of(wire, wire->kept.from);
    alter(wire);
    misdirect(wire);
    throw_garbage(wire);
    gossip_stats(world_gossip(wire->world, wire->kept.to), &before);
    inject(wire, wire->kept.to, &from, wire->kept.data, wire->kept.size);
    gossip_stats(world_gossip(wire->world, wire->kept.to), &after);
    if (taken(&after) == taken(&before))
        story_print(wire->world, wire->kept.to);
    assert_int_equal(taken(&after), taken(&before) + 1);
    inject(twin, twin->kept.to, &from, twin->kept.data, twin->kept.size);
    world_run(wire->world, 60000);
    world_run(twin->world, 60000);
    assert_true(wire->sent > before.datagrams_sent);
    assert_int_equal(wire->sent, twin->sent);
    assert_true(wire->trace == twin->trace);
    for (unsigned i = 0; i < NODES; i++)
        assert_int_equal(store_hash(wire, i), store_hash(twin, i));
    wire_destroy(wire);
    wire_destroy(twin);
}

static void altered_hellos(void **state)
{
    (void)state;
    altered(DATAGRAM_HELLO);
}

static void altered_welcomes(void **state)
{
    (void)state;
    altered(DATAGRAM_WELCOME);
}

static void altered_digests(void **state)
{
    (void)state;
    altered(FIRST_MESSAGE + MESSAGE_DIGEST);
}

static void altered_pulls(void **state)
{
    (void)state;
    altered(FIRST_MESSAGE + MESSAGE_PULL);
}

static void altered_parts(void **state)
{
    (void)state;
    altered(FIRST_MESSAGE + MESSAGE_PART);
}

static void altered_addresses(void **state)
{
    (void)state;
    altered(FIRST_MESSAGE + MESSAGE_ADDRESSES);
}

/* A network with all its traffic, in step and at rest. */
static struct wire *wire_recorded(uint64_t seed)
{
    struct wire *wire = wire_create(seed, 0, 0);
    unsigned kinds[FIRST_MESSAGE + MESSAGE_ADDRESSES + 1] = {0};

    wire->all = calloc(RECORDED_MAX, sizeof(*wire->all));
    assert_non_null(wire->all);
    wire->loss_percent = 20;
    for (unsigned i = 0; i < 30; i++) {
        story_tells(wire->world, i % NODES, "an event that may get lost");
        world_run(wire->world, 400);
    }
    wire->loss_percent = 0;
    assert_true(world_run_until(wire->world, story_in_step, 200000));
    for (size_t i = 0; i < wire->count; i++)
        kinds[wire->all[i].kind]++;
    assert_true(kinds[DATAGRAM_HELLO] > 0 && kinds[DATAGRAM_WELCOME] > 0);
    for (unsigned i = MESSAGE_DIGEST; i <= MESSAGE_ADDRESSES; i++)
        assert_true(kinds[FIRST_MESSAGE + i] > 0);
    return wire;
}

/* Of another cluster, even one in which the same names and addresses are used. */
static void foreign_datagrams(void **state)
{
    struct wire *wire = wire_create(5, 0, 0);
    struct wire *twin = wire_create(5, 0, 0);
    struct wire *other = wire_recorded(6);

    (void)state;
    assert_true(world_run_until(wire->world, story_in_step, 60000));
    assert_true(world_run_until(twin->world, story_in_step, 60000));
    for (size_t i = 0; i < other->count; i++) {
        const struct recorded *foreign = &other->all[i];

        comes_to_nothing(wire, foreign->to, foreign->from, foreign->data, foreign->size,
                         foreign->kind < FIRST_MESSAGE ? GOSSIP_DATAGRAM_FOREIGN
                                                       : GOSSIP_DATAGRAM_MISDIRECTED);
    }
    world_run(wire->world, 60000);
    world_run(twin->world, 60000);
    assert_true(wire->trace == twin->trace);
    wire_destroy(wire);
    wire_destroy(twin);
    wire_destroy(other);
}

/* Keys of a member in two clusters: what it boxes in one does not open in the other. */
static void foreign_boxes_of_known_keys(void **state)
{
    const struct gossip_crypto *crypto = gossip_crypto_sodium();
    struct wire *wire = wire_create(5, 0, 0);
    const struct gossip_identity *sender = world_identity(wire->world, 1);
    const struct gossip_identity *receiver = world_identity(wire->world, 0);
    struct box_header header = {receiver->node, sender->node, 1, 1};
    const uint8_t seed[32] = {1};
    const uint8_t nonce[GOSSIP_BOX_NONCE_SIZE] = {1};
    const uint8_t plain[8] = {MESSAGE_PULL};
    struct gossip_cluster *cluster;
    struct gossip_identity *same;
    uint8_t data[GOSSIP_DATAGRAM_MAX];
    uint8_t key[32];

    (void)state;
    assert_true(world_run_until(wire->world, story_in_step, 60000));
    assert_int_equal(cluster_make(crypto, seed, seed, &cluster), GOSSIP_OK);
    assert_int_equal(identity_make(crypto, cluster, "n2", 0, sender->seed, &same), GOSSIP_OK);
    assert_true(pair_key(crypto, same, receiver->key, key));
    comes_to_nothing(wire, 0, 1, data,
                     box_write(crypto, key, &header, nonce, plain, sizeof(plain), data),
                     GOSSIP_DATAGRAM_FORGED);
    gossip_identity_destroy(same);
    gossip_cluster_destroy(cluster);
    wire_destroy(wire);
}

/* Lets all arrive that is under way. */
static void come_to_rest(struct wire *wire)
{
    uint64_t sent;

    do {
        sent = wire->sent;
        world_run(wire->world, 100);
    } while (wire->sent != sent);
}

/* Delivers to node, again, all that was ever sent to it. Hellos get a welcome each, and nothing
 * else is answered but by hellos of our own, one to each address. */
static void replay(struct wire *wire, unsigned node, unsigned from,
                   const enum gossip_verdict verdicts[2])
{
    struct snapshot before = snapshot_of(wire, node);
    uint64_t stored = store_hash(wire, node);
    uint64_t received = 0;
    uint64_t hellos = 0;
    size_t count = wire->count;
    struct snapshot after;
    uint64_t counted;

    wire->bytes_elsewhere = 0;
    wire->hellos_elsewhere = 0;
    for (size_t i = 0; i < count; i++) {
        const struct recorded again = wire->all[i];
        struct gossip_address address =
            address_of(wire, from == ELSEWHERE ? (unsigned)ELSEWHERE : again.from);

        if (again.to != node)
            continue;
        inject(wire, node, &address, again.data, again.size);
        received += again.size;
        hellos += again.kind == DATAGRAM_HELLO;
    }
    after = snapshot_of(wire, node);
    assert_true(hellos > 0 && received > hellos * GOSSIP_HELLO_SIZE);
    counted = after.stats.datagrams[GOSSIP_DATAGRAM_ACCEPTED] -
              before.stats.datagrams[GOSSIP_DATAGRAM_ACCEPTED];
    if (counted > hellos) {
        printf("%u from %u: %llu accepted, %llu hellos\n", node, from, (unsigned long long)counted,
               (unsigned long long)hellos);
        story_print(wire->world, node);
    }
    assert_true(counted <= hellos);
    for (unsigned i = 0; i < GOSSIP_DATAGRAM_VERDICTS; i++) {
        if (i == GOSSIP_DATAGRAM_ACCEPTED || i == GOSSIP_DATAGRAM_UNASKED || i == verdicts[0] ||
            i == verdicts[1] || i == GOSSIP_DATAGRAM_LIMITED)
            continue;
        assert_int_equal(after.stats.datagrams[i], before.stats.datagrams[i]);
    }
    /* A welcome for each hello, and at most one hello to each address. */
    assert_true(after.sent - before.sent <= counted + NODES);
    assert_true(wire->bytes_elsewhere <= counted * GOSSIP_HELLO_SIZE);
    assert_true(wire->bytes_elsewhere <= received);
    assert_true(wire->hellos_elsewhere <= 1);
    assert_true(before.clock == after.clock);
    assert_int_equal(after.stats.commits, before.stats.commits);
    assert_int_equal(after.stats.delivered, before.stats.delivered);
    assert_int_equal(after.records, before.records);
    assert_true(before.peers == after.peers);
    assert_int_equal(store_hash(wire, node), stored);
}

/* What came before its sender was proven was not taken in: sent again, it is merely late. After
 * that, everything has been seen. */
static void deliver_late(struct wire *wire)
{
    size_t count = wire->count;

    for (size_t i = 0; i < count; i++) {
        const struct recorded again = wire->all[i];
        struct gossip_address address = address_of(wire, again.from);

        if (again.to < NODES)
            inject(wire, again.to, &address, again.data, again.size);
    }
    assert_true(world_run_until(wire->world, story_in_step, 200000));
    come_to_rest(wire);
}

static void replayed_traffic(void **state)
{
    struct wire *wire = wire_recorded(11);
    const enum gossip_verdict seen[2] = {GOSSIP_DATAGRAM_REPLAYED, GOSSIP_DATAGRAM_UNPROVEN};
    const enum gossip_verdict other_boot[2] = {GOSSIP_DATAGRAM_UNPROVEN, GOSSIP_DATAGRAM_UNPROVEN};

    (void)state;
    deliver_late(wire);
    for (unsigned i = 0; i < NODES; i++) {
        come_to_rest(wire);
        replay(wire, i, i, seen);
        world_run(wire->world, 2000);
        come_to_rest(wire);
        replay(wire, i, ELSEWHERE, seen);
        world_run(wire->world, 2000);
    }
    /* The receiver has started again and has not heard of anybody yet. */
    world_kill(wire->world, 1, VIRTUAL_DAMAGE_NONE);
    world_start(wire->world, 1);
    world_run(wire->world, 0);
    replay(wire, 1, 1, other_boot);
    replay(wire, 1, ELSEWHERE, other_boot);
    assert_true(world_run_until(wire->world, story_in_step, 200000));
    /* To the others, it is a sender that has. */
    deliver_late(wire);
    for (unsigned i = 0; i < NODES; i += 2) {
        come_to_rest(wire);
        replay(wire, i, i, seen);
        world_run(wire->world, 2000);
        come_to_rest(wire);
        replay(wire, i, ELSEWHERE, seen);
        world_run(wire->world, 2000);
    }
    assert_true(world_run_until(wire->world, story_in_step, 200000));
    wire_destroy(wire);
}

/* A node that has heard of nobody yet gets old boxes from where nobody is, all the time: a hello a
 * period is all that goes there. */
static void hellos_to_the_unproven_are_few(void **state)
{
    struct wire *wire = wire_recorded(12);
    struct gossip_address elsewhere = address_of(wire, ELSEWHERE);
    uint64_t start;
    uint64_t received = 0;
    size_t count = wire->count;

    (void)state;
    world_kill(wire->world, 1, VIRTUAL_DAMAGE_NONE);
    for (unsigned i = 0; i < NODES; i += 2)
        world_cut(wire->world, i, 1);
    world_start(wire->world, 1);
    start = world_now(wire->world);
    for (size_t i = 0; i < count; i++) {
        const struct recorded again = wire->all[i];

        if (again.to != 1)
            continue;
        inject(wire, 1, &elsewhere, again.data, again.size);
        received += again.size;
        world_run(wire->world, 100);
    }
    assert_true(wire->hellos_elsewhere > 0);
    assert_true(wire->hellos_elsewhere <=
                ((world_now(wire->world) - start) / (GOSSIP_PERIOD_MS * 9 / 10) + 1));
    assert_true(wire->bytes_elsewhere <= received);
    assert_int_equal(wire->boxes_elsewhere, 0);
    world_heal(wire->world);
    assert_true(world_run_until(wire->world, story_in_step, 200000));
    wire_destroy(wire);
}

/* Caught and sent on from another address, before it was seen: nothing follows it there. */
static void moved(unsigned kind, enum gossip_verdict verdict)
{
    struct wire *wire = wire_create(80 + kind, 20, kind);
    struct gossip_address elsewhere = address_of(wire, ELSEWHERE);
    struct gossip_address from;
    struct gossip_stats before;
    struct gossip_stats after;

    run_until_held(wire);
    from = address_of(wire, wire->kept.from);
    gossip_stats(world_gossip(wire->world, wire->kept.to), &before);
    inject(wire, wire->kept.to, &elsewhere, wire->kept.data, wire->kept.size);
    gossip_stats(world_gossip(wire->world, wire->kept.to), &after);
    assert_int_equal(after.datagrams[verdict], before.datagrams[verdict] + 1);
    assert_int_equal(after.commits, before.commits);
    assert_int_equal(after.delivered, before.delivered);
    inject(wire, wire->kept.to, &from, wire->kept.data, wire->kept.size);
    gossip_stats(world_gossip(wire->world, wire->kept.to), &after);
    assert_int_equal(taken(&after), taken(&before) + 1);
    assert_true(world_run_until(wire->world, story_in_step, 400000));
    assert_int_equal(wire->boxes_elsewhere, 0);
    for (unsigned i = 0; i < NODES; i++) {
        for (size_t j = 0; j < gossip_peer_count(world_gossip(wire->world, i)); j++) {
            struct gossip_peer peer;

            assert_int_equal(gossip_peer(world_gossip(wire->world, i), j, &peer), GOSSIP_OK);
            assert_int_not_equal(peer.address.port, elsewhere.port);
        }
    }
    wire_destroy(wire);
}

static void moved_datagrams(void **state)
{
    (void)state;
    moved(DATAGRAM_WELCOME, GOSSIP_DATAGRAM_UNASKED);
    moved(FIRST_MESSAGE + MESSAGE_DIGEST, GOSSIP_DATAGRAM_UNPROVEN);
    moved(FIRST_MESSAGE + MESSAGE_PULL, GOSSIP_DATAGRAM_UNPROVEN);
    moved(FIRST_MESSAGE + MESSAGE_PART, GOSSIP_DATAGRAM_UNPROVEN);
    moved(FIRST_MESSAGE + MESSAGE_ADDRESSES, GOSSIP_DATAGRAM_UNPROVEN);
}

/* A node's own hellos come back to it, time and again: it does not give up whom it joins. */
static void reflected_hellos(void **state)
{
    struct wire *wire = wire_create(9, 0, DATAGRAM_HELLO);

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        for (unsigned j = 0; j < 400 && !wire->held; j++)
            world_run(wire->world, 25);
        if (!wire->held)
            break; /* All have found each other some other way. */
        comes_to_nothing(wire, wire->kept.from, wire->kept.to, wire->kept.data, wire->kept.size,
                         GOSSIP_DATAGRAM_MISDIRECTED);
        wire->held = false;
    }
    wire->hold_kind = 0;
    assert_true(world_run_until(wire->world, story_in_step, 200000));
    wire_destroy(wire);
}

int main(int argc, char **argv)
{
    const char *seed = getenv("GOSSIP_TEST_SEED"); /* Another one than the usual. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(altered_hellos),    cmocka_unit_test(altered_welcomes),
        cmocka_unit_test(altered_digests),   cmocka_unit_test(altered_pulls),
        cmocka_unit_test(altered_parts),     cmocka_unit_test(altered_addresses),
        cmocka_unit_test(foreign_datagrams), cmocka_unit_test(foreign_boxes_of_known_keys),
        cmocka_unit_test(replayed_traffic),  cmocka_unit_test(hellos_to_the_unproven_are_few),
        cmocka_unit_test(moved_datagrams),   cmocka_unit_test(reflected_hellos),
    };

    first_seed = seed == NULL ? 0 : 1000 * strtoull(seed, NULL, 10);
    if (argc > 1)
        cmocka_set_test_filter(argv[1]); /* One story: its name, with * and ?. */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
