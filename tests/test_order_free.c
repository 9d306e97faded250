/*
 * Acceptance is free of order: whatever order the pieces of a set of events and records come in,
 * cut up anyhow, twice, and with restarts in between, a node ends with what the set itself tells:
 * the same clock, the same cuts, the same log, the same root, the same bytes.
 */
#include "tests/order_set.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cmd/lab/standin.h"
#include "gossip/bytes.h"
#include "gossip/service.h"

enum {
    SETS = 3000,
    ORDERS = 3,
    TELLERS = 2, /* Who tells the node; what each brings it keeps apart. */
    ROUNDS_MAX = 60,
    STREAM_MAX = 262144,
    PART_MAX = 600,
    COPIES_MAX = 3,
};

/* ---- A node, and who tells it. ---- */

struct teller {
    struct gossip_identity *identity;
    struct gossip_address address;
    uint8_t key[32];
    uint64_t counter;
    uint8_t nonce[GOSSIP_NONCE_SIZE];
    uint8_t token[GOSSIP_TOKEN_SIZE];
};

struct listener {
    struct order_set *set;
    struct splitmix lots;
    struct gossip_store *store;
    struct gossip_node *node;
    uint64_t now_ms;
    struct teller tellers[TELLERS];
};

static struct gossip_cluster *cluster;
static struct gossip_identity *own;
static struct gossip_identity *telling[TELLERS];

static struct {
    uint64_t sets;
    uint64_t events;
    uint64_t branches;
    uint64_t forked;
    uint64_t proofs;
    uint64_t evictions;
    uint64_t cuts;
    uint64_t stuck; /* Authors of whom not all is delivered, though nothing cuts them. */
    uint64_t orders;
    uint64_t datagrams;
    uint64_t restarts;
    uint64_t contested;
} covered;

static struct gossip_address address_of(uint16_t port)
{
    struct gossip_address address = {.ip = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1},
                                     .port = port};

    return address;
}

static void start(struct listener *listener)
{
    struct gossip_node_config config = {
        .crypto = standin_crypto(),
        .identity = own,
        .store = listener->store,
        .now_ms = listener->now_ms,
        .wall_ms = listener->now_ms,
        .period_ms = GOSSIP_PERIOD_MS,
        .payload_max = GOSSIP_PAYLOAD_DEFAULT,
        .fanout = 1,
        .alone_after_ms = GOSSIP_ALONE_AFTER_MS,
    };

    put_fixed(config.seed, splitmix_next(&listener->lots), 8);
    assert_int_equal(gossip_node_create(&config, &listener->node), GOSSIP_OK);
}

/* What a teller needs of what the node sends: the token that it is to send back. */
static void look_at(struct listener *listener, const struct gossip_datagram *datagram)
{
    static struct wire_arena arena;
    struct greeting greeting;

    for (unsigned i = 0; i < TELLERS; i++) {
        struct teller *teller = &listener->tellers[i];

        if (address_equal(&teller->address, &datagram->address) &&
            datagram->data[4] == DATAGRAM_WELCOME &&
            greeting_open(standin_crypto(), own->gate, DATAGRAM_WELCOME, datagram->data,
                          datagram->size, &arena, &greeting) == GOSSIP_DATAGRAM_ACCEPTED)
            memcpy(teller->token, greeting.message.token, GOSSIP_TOKEN_SIZE);
    }
}

static void take(struct listener *listener)
{
    struct gossip_effects effects;

    assert_int_equal(gossip_node_take(listener->node, &effects), GOSSIP_OK);
    if (effects.record_count > 0)
        assert_int_equal(
            listener->store->ops->save(listener->store, effects.records, effects.record_count),
            GOSSIP_OK);
    for (size_t i = 0; i < effects.datagram_count; i++)
        look_at(listener, &effects.datagrams[i]);
}

static void hear(struct listener *listener, const struct teller *teller, const uint8_t *data,
                 size_t size)
{
    struct gossip_input input = {.kind = GOSSIP_INPUT_DATAGRAM,
                                 .now_ms = listener->now_ms,
                                 .wall_ms = listener->now_ms,
                                 .datagram = {teller->address, data, size}};

    assert_int_equal(gossip_node_step(listener->node, &input), GOSSIP_OK);
    covered.datagrams++;
}

static void send_box(struct listener *listener, struct teller *teller, enum message_kind kind,
                     const uint8_t *message, size_t size)
{
    struct box_header header = {.receiver = own->node,
                                .sender = teller->identity->node,
                                .boot_id = 1,
                                .counter = ++teller->counter};
    const uint8_t nonce[GOSSIP_BOX_NONCE_SIZE] = {0};
    uint8_t plain[GOSSIP_PLAIN_MAX];
    uint8_t data[GOSSIP_DATAGRAM_MAX];

    assert_true(size > 0 && 1 + size <= sizeof(plain));
    plain[0] = (uint8_t)kind;
    memcpy(plain + 1, message, size);
    size++;
    if (kind == MESSAGE_DIGEST) {
        digest_sign(standin_crypto(), teller->identity, &header, message, size - 1, plain + size);
        size += GOSSIP_SIGNATURE_SIZE;
    }
    size = box_write(standin_crypto(), teller->key, &header, nonce, plain, size, data);
    hear(listener, teller, data, size);
}

static void join(struct listener *listener, struct teller *teller)
{
    static const uint8_t root[16];
    const struct certificate *certificate = &teller->identity->certificate;
    struct wire_hello hello = {.certificate = {certificate->bytes, certificate->size},
                               .boot_count = 1,
                               .boot_id = 1,
                               .nonce = teller->nonce};
    struct wire_digest digest = {.exchange = teller->nonce,
                                 .step = 1,
                                 .token = teller->token,
                                 .root = root,
                                 .records_root = root};
    uint8_t data[GOSSIP_HELLO_SIZE];
    uint8_t message[GOSSIP_PLAIN_MAX];
    uint32_t number;

    teller->nonce[0]++;
    greeting_write(standin_crypto(), teller->identity, DATAGRAM_HELLO, &hello, NULL, data);
    hear(listener, teller, data, sizeof(data));
    take(listener);
    send_box(listener, teller, MESSAGE_DIGEST, message,
             wire_encode_digest(&digest, message, sizeof(message) / 2));
    take(listener);
    number = peers_find_key(&listener->node->peers, teller->identity->key);
    assert_int_not_equal(number, NO_PEER);
    assert_int_equal(listener->node->peers.items[number]->state, GOSSIP_PEER_ALIVE);
}

static void join_all(struct listener *listener)
{
    start(listener);
    take(listener);
    for (unsigned i = 0; i < TELLERS; i++)
        join(listener, &listener->tellers[i]);
}

static void restart(struct listener *listener)
{
    take(listener);
    gossip_node_destroy(listener->node);
    join_all(listener);
    covered.restarts++;
}

static void begin(struct listener *listener, struct order_set *set, uint64_t order)
{
    memset(listener, 0, sizeof(*listener));
    listener->set = set;
    listener->lots = (struct splitmix){set->seed * ORDERS + order};
    listener->now_ms = 1000000;
    assert_int_equal(gossip_memory_open(&listener->store), GOSSIP_OK);
    for (unsigned i = 0; i < TELLERS; i++) {
        struct teller *teller = &listener->tellers[i];

        teller->identity = telling[i];
        teller->address = address_of((uint16_t)(1 + i));
        assert_true(pair_key(standin_crypto(), teller->identity, own->key, teller->key));
    }
    join_all(listener);
}

/* ---- Telling. ---- */

/* One part of a piece, from one teller. */
struct telling_part {
    const struct set_piece *piece;
    unsigned teller;
    bool introduces;
    uint32_t offset;
    uint32_t size;
};

static void fill_introduction(const struct order_set *set, unsigned number,
                              struct wire_introduction *introduction)
{
    const struct set_author *author = &set->authors[number];
    const struct certificate *certificate = &set->certificates[author->key];

    *introduction = (struct wire_introduction){
        .key = certificate->key,
        .epoch = author->epoch,
        .certificate = {certificate->bytes, certificate->size},
    };
    if (certificate->has_issuer)
        introduction->issuer =
            (struct wire_bytes){set->certificates[0].bytes, set->certificates[0].size};
}

static size_t piece_size(const struct order_set *set, const struct set_piece *piece)
{
    static uint8_t stream[STREAM_MAX];

    if (piece->kind == PIECE_RECORD)
        return piece->size;
    return piece->kind == PIECE_AUTHOR ? 1 : order_set_stream(set, piece, stream, sizeof(stream));
}

static void tell_run(struct listener *listener, const struct telling_part *told,
                     struct wire_part *part)
{
    static uint8_t stream[STREAM_MAX];
    static uint8_t seal[GOSSIP_SIGNATURE_SIZE];
    static uint8_t link[WIRE_LINK_SIZE];
    static const uint8_t nothing[GOSSIP_HASH_SIZE];
    const struct order_set *set = listener->set;
    const struct set_piece *piece = told->piece;
    const struct set_author *author = &set->authors[piece->author];
    const struct set_branch *branch = &author->branches[piece->branch];
    uint32_t size = (uint32_t)order_set_stream(set, piece, stream, sizeof(stream));

    part->run = (struct wire_run_part){
        .present = true,
        .author = author->id,
        .first = piece->first,
        .last = piece->last,
        .size = size,
        .offset = told->offset,
        .data = {stream + told->offset, told->size},
        .has_introduction = told->introduces,
    };
    if (told->offset == 0)
        part->run.previous =
            piece->first == 1 ? nothing : branch->events[piece->first - 2]->chain.hash;
    if (told->introduces)
        fill_introduction(set, piece->author, &part->run.introduction);
    if (told->offset + told->size < size)
        return;
    if (piece->has_seal) {
        seal_sign(set->crypto, branch->events[piece->last - 1]->chain.hash,
                  set->keys[author->key]->secret, seal);
        part->run.seal = seal;
    }
    if (piece->has_link) {
        struct proof_link shown;

        order_set_link(set, branch, piece->last + 1, &shown);
        put_fixed(link, shown.body_size, 4);
        memcpy(link + 4, shown.inner, GOSSIP_HASH_SIZE);
        part->run.link = link;
    }
}

static void tell_part(struct listener *listener, const struct telling_part *told)
{
    const struct set_piece *piece = told->piece;
    struct wire_part part = {0};
    uint8_t message[GOSSIP_PLAIN_MAX];

    switch (piece->kind) {
    case PIECE_RUN:
        tell_run(listener, told, &part);
        break;
    case PIECE_RECORD:
        part.record = (struct wire_record_part){.present = true,
                                                .id = piece->id,
                                                .size = (uint32_t)piece->size,
                                                .offset = told->offset,
                                                .data = {piece->bytes + told->offset, told->size}};
        break;
    case PIECE_AUTHOR:
        part.has_introduction = true;
        fill_introduction(listener->set, piece->author, &part.introduction);
        break;
    }
    listener->now_ms += splitmix_below(&listener->lots, 20);
    send_box(listener, &listener->tellers[told->teller], MESSAGE_PART, message,
             wire_encode_part(&part, message, sizeof(message) - 1));
    if (splitmix_happens(&listener->lots, 600000))
        take(listener);
}

/* Cuts a piece into parts; returns how many. */
static size_t cut_piece(struct listener *listener, const struct set_piece *piece,
                        struct telling_part *parts, size_t capacity)
{
    struct splitmix *lots = &listener->lots;
    uint32_t size = (uint32_t)piece_size(listener->set, piece);
    unsigned teller = (unsigned)splitmix_below(lots, TELLERS);
    /* As an honest node would; the rest now and then. */
    bool introduces =
        piece->kind == PIECE_RUN && (piece->first == 1 || splitmix_below(lots, 4) == 0);
    uint32_t most =
        splitmix_below(lots, 3) == 0 ? 1 + (uint32_t)splitmix_below(lots, PART_MAX) : PART_MAX;
    size_t count = 0;

    if (most < size / 20)
        most = PART_MAX;
    for (uint32_t offset = 0; offset < size; offset += parts[count++].size) {
        assert_true(count < capacity);
        parts[count] = (struct telling_part){
            .piece = piece,
            .teller = teller,
            .introduces = introduces && offset == 0,
            .offset = offset,
            .size = size - offset < most ? size - offset : most,
        };
    }
    return count;
}

enum { PARTS_OF_PIECE_MAX = STREAM_MAX / PART_MAX + 1 };

/* All parts of all pieces, some of them more than once, in any order. */
static void tell_mixed(struct listener *listener)
{
    const struct order_set *set = listener->set;
    struct splitmix *lots = &listener->lots;
    size_t capacity = 0;
    size_t count = 0;
    struct telling_part *parts = NULL;
    uint64_t restart_at;

    for (size_t i = 0; i < set->piece_count; i++) {
        uint64_t copies = splitmix_below(lots, 10) == 0 ? splitmix_below(lots, COPIES_MAX + 1) : 1;

        for (uint64_t j = 0; j < copies; j++) {
            if (count + PARTS_OF_PIECE_MAX > capacity) {
                capacity = 2 * capacity + PARTS_OF_PIECE_MAX;
                parts = realloc(parts, capacity * sizeof(*parts));
                assert_non_null(parts);
            }
            count += cut_piece(listener, &set->pieces[i], parts + count, capacity - count);
        }
    }
    for (size_t i = count; i > 1; i--) {
        size_t other = splitmix_below(lots, i);
        struct telling_part part = parts[i - 1];

        parts[i - 1] = parts[other];
        parts[other] = part;
    }
    restart_at = splitmix_below(lots, 4 * count);
    for (size_t i = 0; i < count; i++) {
        tell_part(listener, &parts[i]);
        if (i == restart_at)
            restart(listener);
    }
    free(parts);
}

static void tell_piece(struct listener *listener, const struct set_piece *piece)
{
    static struct telling_part parts[PARTS_OF_PIECE_MAX];
    size_t count = cut_piece(listener, piece, parts, PARTS_OF_PIECE_MAX);

    for (size_t i = 0; i < count; i++)
        tell_part(listener, &parts[i]);
}

/* All pieces, one after the other, as whoever is asked for them would tell them: with the proof
 * that vouches for what has no seal. */
static void tell_in_turn(struct listener *listener)
{
    const struct order_set *set = listener->set;
    size_t *order = calloc(set->piece_count, sizeof(*order));

    assert_non_null(order);
    for (size_t i = 0; i < set->piece_count; i++) {
        size_t other = splitmix_below(&listener->lots, i + 1);

        order[i] = order[other];
        order[other] = i;
    }
    for (size_t i = 0; i < set->piece_count; i++) {
        const struct set_piece *piece = &set->pieces[order[i]];

        if (piece->proof != NULL)
            tell_piece(listener, &(struct set_piece){.kind = PIECE_RECORD,
                                                     .id = piece->proof->id,
                                                     .bytes = piece->proof->bytes,
                                                     .size = piece->proof->size});
        tell_piece(listener, piece);
    }
    free(order);
}

/* What a round may move. */
static uint64_t standing(const struct listener *listener)
{
    const struct gossip_node *node = listener->node;
    uint64_t sum = node->delivery + 1000 * node->records.count;

    for (size_t i = 0; i < node->authors.count; i++)
        sum = sum * 31 + node->authors.items[i]->tail.seq + 7 * node->authors.items[i]->stored.cut;
    return sum;
}

static void tell_all(struct listener *listener)
{
    uint64_t before = 0;
    unsigned quiet = 0;

    tell_mixed(listener);
    for (unsigned i = 0; quiet < 3; i++) {
        uint64_t now;

        if (i == ROUNDS_MAX)
            fail_msg("it never comes to rest");
        tell_in_turn(listener);
        take(listener);
        now = standing(listener);
        quiet = now == before ? quiet + 1 : 0;
        before = now;
    }
}

/* ---- Judging. ---- */

static void print_state(const struct listener *listener)
{
    const struct order_set *set = listener->set;

    for (unsigned i = 0; i < set->author_count; i++) {
        const struct set_author *author = &set->authors[i];
        uint32_t number = authors_find(&listener->node->authors, author->id);
        const struct author *there =
            number == NO_AUTHOR ? NULL : listener->node->authors.items[number];

        printf("author %u (key %u, %zu branches", i, author->key, author->branch_count);
        for (size_t j = 0; j < author->branch_count; j++)
            printf(" %zu", author->branches[j].count);
        printf("): fork %" PRIu64 ", evicted %" PRIu64 ", proofs", author->fork, author->evicted);
        for (size_t j = 0; j < author->proof_count; j++)
            printf(" %" PRIu64 "->%" PRIu64, author->proofs[j].seq, author->proof_cuts[j]);
        printf("; expected cut %" PRIu64 " have %" PRIu64 " of %" PRIu64, author->cut, author->have,
               author->reach);
        if (there != NULL)
            printf("; is cut %" PRIu64 " have %" PRIu64 " stored %" PRIu64 " tail %" PRIu64
                   " refused %" PRIu64 "%s",
                   there->stored.cut, author_have(there), there->stored.have, there->tail.seq,
                   there->refused, there->blocked ? " waits" : "");
        printf("\n");
    }
}

static void expect(const struct listener *listener, bool holds, const char *what)
{
    if (holds)
        return;
    print_state(listener);
    fail_msg("%s; GOSSIP_TEST_SEED=%" PRIu64 " replays it", what, listener->set->seed);
}

/* An event that is stored must be the one that the set has at its place, byte for byte; behind the
 * cut, one of them. */
struct look {
    const struct listener *listener;
    const struct set_author *author;
    uint64_t have;
    uint64_t count;
};

static int look_at_event(void *context, const struct gossip_record *record)
{
    struct look *look = context;
    const struct gossip_event_record *stored = &record->as.event;
    bool found = false;

    for (size_t i = 0; i < look->author->branch_count && !found; i++) {
        const struct set_branch *branch = &look->author->branches[i];
        const struct set_event *event =
            stored->seq <= branch->count ? branch->events[stored->seq - 1] : NULL;

        found = event != NULL && event->size == stored->body_size &&
                memcmp(event->body, stored->body, event->size) == 0 &&
                memcmp(event->chain.hash, stored->hash, GOSSIP_HASH_SIZE) == 0;
    }
    expect(look->listener, found, "what is stored was never told");
    look->count++;
    return 0;
}

static void check_author(const struct listener *listener, const struct gossip *gossip,
                         const struct set_author *author)
{
    uint32_t number = authors_find(&gossip->node->authors, author->id);
    const struct author *there = number == NO_AUTHOR ? NULL : gossip->node->authors.items[number];
    struct look look = {.listener = listener, .author = author};

    if (there == NULL) {
        expect(listener, author->have == 0, "an author is missing");
        expect(listener, author->cut == 0 || author->cut == author->evicted,
               "an author that a proof cuts is missing");
        return;
    }
    expect(listener, there->stored.cut == author->cut, "the cut is another");
    expect(listener, author_have(there) == author->have, "the clock is another");
    expect(listener, gossip_vclock_get(&gossip->node->have, number) == author->have,
           "the clock shows another number");
    expect(listener, (there->proof != NULL) == (author->cut != 0 && author->cut != author->evicted),
           "another kind of record has made the cut");
    assert_int_equal(
        events_read(&gossip->node->contexts, number, 1, there->stored.have, look_at_event, &look),
        0);
    expect(listener, look.count == there->stored.have, "events are missing in the store");
    covered.contested += there->stored.have - author->have;
}

static void check_log(const struct listener *listener, struct gossip *gossip)
{
    const struct order_set *set = listener->set;
    struct gossip_event event;
    struct gossip_log *log;
    int result;

    assert_int_equal(gossip_log_open(gossip, GOSSIP_LOG_EVENTS, &log), GOSSIP_OK);
    for (size_t i = 0; i < set->log_count; i++) {
        result = gossip_log_next(log, &event);
        expect(listener, result == 1, "the log is shorter");
        expect(listener, !event.contested, "the log shows what is contested");
        expect(listener, memcmp(event.hash, set->log[i]->chain.hash, GOSSIP_HASH_SIZE) == 0,
               "the log shows another order");
    }
    result = gossip_log_next(log, &event);
    expect(listener, result == 0, "the log is longer");
    gossip_log_close(log);
    assert_int_equal(gossip_log_open(gossip, GOSSIP_LOG_CONTESTED, &log), GOSSIP_OK);
    while ((result = gossip_log_next(log, &event)) == 1)
        expect(listener, event.contested, "what is contested is not shown as such");
    expect(listener, result == 0, "what is contested cannot be read");
    gossip_log_close(log);
}

static void print_fault(void *context, const char *line)
{
    (void)context;
    printf("verify: %s\n", line);
}

static uint64_t fixed_ms(struct gossip_time *time)
{
    (void)time;
    return 1000000;
}

static int fixed_random(struct gossip_time *time, uint8_t *buffer, size_t size)
{
    (void)time;
    memset(buffer, 1, size);
    return GOSSIP_OK;
}

/* Judges what the store holds, by a node made anew of it; returns the root. */
static void check(struct listener *listener, struct digest_roots *ret_roots)
{
    static const struct gossip_time_ops ops = {fixed_ms, fixed_ms, fixed_random};
    static const uint8_t exchange[GOSSIP_NONCE_SIZE];
    struct gossip_time time = {&ops};
    struct gossip_options options = {.size = sizeof(options),
                                     .store = listener->store,
                                     .time = &time,
                                     .identity = own,
                                     .crypto = standin_crypto()};
    uint8_t trie[GOSSIP_HASH_SIZE];
    struct gossip *gossip;
    int error;

    digest_trie(&listener->node->authors, standin_crypto(), trie);
    digest_roots(standin_crypto(), exchange, trie, listener->node->set, ret_roots);
    assert_int_equal(gossip_create(&options, &gossip), GOSSIP_OK);
    for (size_t i = 0; i < listener->set->author_count; i++)
        check_author(listener, gossip, &listener->set->authors[i]);
    check_log(listener, gossip);
    error = gossip_verify(gossip, print_fault, NULL, NULL);
    expect(listener, error == GOSSIP_OK, "the store does not verify");
    gossip_destroy(gossip);
}

static void cover(const struct order_set *set)
{
    covered.sets++;
    covered.evictions += set->eviction_count;
    for (size_t i = 0; i < set->author_count; i++) {
        const struct set_author *author = &set->authors[i];

        covered.branches += author->branch_count;
        covered.forked += author->fork != 0;
        covered.proofs += author->proof_count;
        covered.cuts += author->cut != 0;
        covered.stuck += author->cut == 0 && author->have < author->branches[0].count;
    }
    for (const struct set_event *event = set->events; event != NULL; event = event->next)
        covered.events++;
}

static void try_set(uint64_t seed)
{
    static struct order_set set;
    struct digest_roots first;

    order_set_make(&set, seed, standin_crypto(), cluster);
    cover(&set);
    for (uint64_t order = 0; order < ORDERS; order++) {
        struct digest_roots roots;
        struct listener listener;

        begin(&listener, &set, order);
        tell_all(&listener);
        check(&listener, &roots);
        if (order == 0)
            first = roots;
        expect(&listener, memcmp(&roots, &first, sizeof(roots)) == 0, "the root is another");
        gossip_node_destroy(listener.node);
        listener.store->ops->close(listener.store);
        covered.orders++;
    }
    order_set_clear(&set);
}

static uint64_t seeds_from_environment(uint64_t usual, uint64_t *ret_first)
{
    const char *only = getenv("GOSSIP_TEST_SEED");
    const char *fewer = getenv("GOSSIP_TEST_SEEDS");

    *ret_first = only == NULL ? 1 : strtoull(only, NULL, 10);
    if (only != NULL)
        return *ret_first;
    if (fewer != NULL && strtoull(fewer, NULL, 10) < usual)
        return strtoull(fewer, NULL, 10);
    return usual;
}

static void any_order(void **state)
{
    uint64_t first;
    uint64_t last = seeds_from_environment(SETS, &first);

    (void)state;
    for (uint64_t seed = first; seed <= last; seed++)
        try_set(seed);
    printf("%" PRIu64 " sets: %" PRIu64 " events on %" PRIu64 " branches, %" PRIu64
           " authors forked, %" PRIu64 " proofs, %" PRIu64 " evictions, %" PRIu64 " cuts, %" PRIu64
           " authors stuck by themselves\n",
           covered.sets, covered.events, covered.branches, covered.forked, covered.proofs,
           covered.evictions, covered.cuts, covered.stuck);
    printf("%" PRIu64 " orders: %" PRIu64 " datagrams, %" PRIu64 " restarts, %" PRIu64
           " contested events kept\n",
           covered.orders, covered.datagrams, covered.restarts, covered.contested);
}

static int make_world(void **state)
{
    uint8_t seed[GOSSIP_SEED_SIZE] = {200};

    (void)state;
    if (cluster_make(standin_crypto(), seed, seed, &cluster) != GOSSIP_OK)
        return -1;
    seed[0]++;
    if (identity_make(standin_crypto(), cluster, "own", 0, seed, &own) != GOSSIP_OK)
        return -1;
    for (unsigned i = 0; i < TELLERS; i++) {
        seed[0]++;
        if (identity_make(standin_crypto(), cluster, i == 0 ? "t1" : "t2", 0, seed, &telling[i]) !=
            GOSSIP_OK)
            return -1;
    }
    return 0;
}

static int unmake_world(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TELLERS; i++)
        gossip_identity_destroy(telling[i]);
    gossip_identity_destroy(own);
    gossip_cluster_destroy(cluster);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, make_world, unmake_world);
}
