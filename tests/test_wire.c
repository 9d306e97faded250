#include "gossip/wire.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "gossip/bytes.h"
#include "tests/property.h"
#include "tests/vectors.h"
#include "wire.pb-c.h" /* For its descriptors alone: nothing but gossip/wire.c may know more. */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { BUFFER_SIZE = 65536 };

static struct wire_arena arena;

/* Random messages, and whether two of them are the same. Their bytes are slices of one pool. */

static uint8_t pool[65536];
static uint64_t seed;

static const uint8_t *some(size_t size)
{
    return pool + random_below(&seed, sizeof(pool) - size);
}

static bool coin(void)
{
    return random_below(&seed, 2) == 0;
}

static const uint8_t *maybe(size_t size)
{
    return coin() ? some(size) : NULL;
}

static struct wire_bytes some_bytes(size_t size_min, size_t size_max)
{
    struct wire_bytes bytes;

    bytes.size = size_min + random_below(&seed, size_max - size_min + 1);
    bytes.data = some(bytes.size);
    return bytes;
}

static struct wire_bytes maybe_bytes(size_t size_max)
{
    return coin() ? some_bytes(0, size_max) : (struct wire_bytes){NULL, 0};
}

/* A multiple of size, or absent. */
static struct wire_bytes maybe_entries(size_t size, size_t count_max)
{
    struct wire_bytes bytes = {NULL, 0};

    if (coin()) {
        bytes.size = size * random_below(&seed, count_max + 1);
        bytes.data = some(bytes.size);
    }
    return bytes;
}

/* Of any length in bits, so that short varints come as often as long ones. */
static uint64_t some_number(void)
{
    unsigned shift = (unsigned)random_below(&seed, 64);

    return random_next(&seed) >> shift;
}

static uint32_t some_number_below(uint32_t bound)
{
    return (uint32_t)(some_number() % bound);
}

static void some_range(uint64_t *ret_first, uint64_t *ret_last)
{
    uint64_t a = some_number() % GOSSIP_COUNTER_MAX + 1;
    uint64_t b = some_number() % GOSSIP_COUNTER_MAX + 1;

    *ret_first = a < b ? a : b;
    *ret_last = a < b ? b : a;
}

static bool same(const uint8_t *a, const uint8_t *b, size_t size)
{
    return a == NULL || b == NULL ? a == b : memcmp(a, b, size) == 0;
}

static bool same_bytes(struct wire_bytes a, struct wire_bytes b)
{
    return a.size == b.size && same(a.data, b.data, a.size);
}

static void some_hello(struct wire_hello *hello)
{
    hello->certificate = some_bytes(0, 200);
    hello->issuer = maybe_bytes(200);
    hello->boot_count = some_number();
    hello->boot_id = random_next(&seed);
    hello->nonce = some(GOSSIP_NONCE_SIZE);
    hello->echo = maybe(GOSSIP_NONCE_SIZE);
    hello->token = maybe(GOSSIP_TOKEN_SIZE);
    hello->has_counter = coin();
    hello->counter = hello->has_counter ? some_number() : 0;
}

static bool same_hello(const struct wire_hello *a, const struct wire_hello *b)
{
    return same_bytes(a->certificate, b->certificate) && same_bytes(a->issuer, b->issuer) &&
           a->boot_count == b->boot_count && a->boot_id == b->boot_id &&
           same(a->nonce, b->nonce, GOSSIP_NONCE_SIZE) &&
           same(a->echo, b->echo, GOSSIP_NONCE_SIZE) &&
           same(a->token, b->token, GOSSIP_TOKEN_SIZE) && a->has_counter == b->has_counter &&
           a->counter == b->counter;
}

static void some_list(struct wire_list *list, size_t entry_size)
{
    *list = (struct wire_list){.present = coin()};
    if (!list->present)
        return;
    list->first = maybe(GOSSIP_ID_SIZE);
    list->last = maybe(GOSSIP_ID_SIZE);
    list->entries.size = entry_size * random_below(&seed, 400 / entry_size);
    list->entries.data = some(list->entries.size);
}

static bool same_list(const struct wire_list *a, const struct wire_list *b)
{
    return a->present == b->present && same(a->first, b->first, GOSSIP_ID_SIZE) &&
           same(a->last, b->last, GOSSIP_ID_SIZE) && same_bytes(a->entries, b->entries);
}

static void some_digest(struct wire_digest *digest)
{
    digest->exchange = some(GOSSIP_NONCE_SIZE);
    digest->step = 1 + (uint32_t)random_below(&seed, 3);
    digest->root = some(16);
    digest->records_root = some(8);
    digest->token = maybe(GOSSIP_TOKEN_SIZE);
    some_list(&digest->authors, 1);
    some_list(&digest->records, GOSSIP_ID_SIZE);
}

static bool same_digest(const struct wire_digest *a, const struct wire_digest *b)
{
    return same(a->exchange, b->exchange, GOSSIP_NONCE_SIZE) && a->step == b->step &&
           same(a->root, b->root, 16) && same(a->records_root, b->records_root, 8) &&
           same(a->token, b->token, GOSSIP_TOKEN_SIZE) && same_list(&a->authors, &b->authors) &&
           same_list(&a->records, &b->records);
}

static void some_pull(struct wire_pull *pull)
{
    pull->request = random_next(&seed);
    pull->events = some_number_below(UINT32_MAX);
    pull->size = some_number_below(UINT32_MAX);
    pull->want_count = random_below(&seed, coin() ? 3 : GOSSIP_WANTS_MAX + 1);
    for (size_t i = 0; i < pull->want_count; i++) {
        struct wire_want *want = &pull->wants[i];

        want->author = some(GOSSIP_ID_SIZE);
        some_range(&want->first, &want->last);
        want->gap_count = coin() ? 0 : random_below(&seed, GOSSIP_GAPS_MAX + 1);
        for (size_t k = 0; k < want->gap_count; k++) {
            want->gaps[k].offset = some_number_below(UINT32_MAX);
            want->gaps[k].size = some_number_below(UINT32_MAX);
        }
    }
    pull->records = maybe_entries(GOSSIP_ID_SIZE, 10);
}

static bool same_pull(const struct wire_pull *a, const struct wire_pull *b)
{
    if (a->request != b->request || a->events != b->events || a->size != b->size ||
        a->want_count != b->want_count || !same_bytes(a->records, b->records))
        return false;
    for (size_t i = 0; i < a->want_count; i++) {
        const struct wire_want *x = &a->wants[i];
        const struct wire_want *y = &b->wants[i];

        if (!same(x->author, y->author, GOSSIP_ID_SIZE) || x->first != y->first ||
            x->last != y->last || x->gap_count != y->gap_count)
            return false;
        for (size_t k = 0; k < x->gap_count; k++)
            if (x->gaps[k].offset != y->gaps[k].offset || x->gaps[k].size != y->gaps[k].size)
                return false;
    }
    return true;
}

/* A slice that lies within a whole of at most size_max bytes. */
static void some_slice(uint32_t size_max, uint32_t *ret_size, uint32_t *ret_offset,
                       struct wire_bytes *ret_data)
{
    uint32_t size = 1 + some_number_below(size_max);
    uint32_t offset = coin() ? 0 : some_number_below(size);
    uint32_t left = size - offset;

    *ret_size = size;
    *ret_offset = offset;
    *ret_data = some_bytes(1, left < 900 ? left : 900);
    if (coin() && left <= 900)
        ret_data->size = left;
    ret_data->data = some(ret_data->size);
}

static void some_introduction(struct wire_introduction *introduction)
{
    introduction->key = some(GOSSIP_KEY_SIZE);
    introduction->epoch = some(GOSSIP_EPOCH_SIZE);
    introduction->certificate = some_bytes(0, 200);
    introduction->issuer = maybe_bytes(200);
}

static bool same_introduction(const struct wire_introduction *a, const struct wire_introduction *b)
{
    return same(a->key, b->key, GOSSIP_KEY_SIZE) && same(a->epoch, b->epoch, GOSSIP_EPOCH_SIZE) &&
           same_bytes(a->certificate, b->certificate) && same_bytes(a->issuer, b->issuer);
}

static void some_run(struct wire_run_part *run)
{
    run->present = true;
    run->author = some(GOSSIP_ID_SIZE);
    some_range(&run->first, &run->last);
    some_slice(coin() ? 900 : GOSSIP_RUN_SIZE_MAX, &run->size, &run->offset, &run->data);
    run->previous = run->offset == 0 ? some(GOSSIP_HASH_SIZE) : NULL;
    run->seal = run->link = NULL;
    if (run->offset + run->data.size == run->size && coin())
        run->seal = some(GOSSIP_SIGNATURE_SIZE);
    else if (run->offset + run->data.size == run->size && coin())
        run->link = some(WIRE_LINK_SIZE);
    run->has_introduction = coin();
    if (run->has_introduction)
        some_introduction(&run->introduction);
}

static bool same_run(const struct wire_run_part *a, const struct wire_run_part *b)
{
    return same(a->author, b->author, GOSSIP_ID_SIZE) && a->first == b->first &&
           a->last == b->last && a->size == b->size && a->offset == b->offset &&
           same(a->previous, b->previous, GOSSIP_HASH_SIZE) && same_bytes(a->data, b->data) &&
           same(a->seal, b->seal, GOSSIP_SIGNATURE_SIZE) &&
           same(a->link, b->link, WIRE_LINK_SIZE) && a->has_introduction == b->has_introduction &&
           same_introduction(&a->introduction, &b->introduction);
}

static void some_part(struct wire_part *part)
{
    unsigned kind = (unsigned)random_below(&seed, 4);

    *part = (struct wire_part){.has_request = kind == 0 || coin(), .more = kind == 0 || coin()};
    if (part->has_request) {
        part->request = random_next(&seed);
        part->count = kind == 0 ? 0 : 1 + some_number_below(UINT32_MAX);
        part->index = kind == 0 ? 0 : some_number_below(part->count);
    }
    if (kind == 1)
        some_run(&part->run);
    if (kind == 2) {
        part->record.present = true;
        part->record.id = some(GOSSIP_ID_SIZE);
        some_slice(GOSSIP_RECORD_MAX, &part->record.size, &part->record.offset, &part->record.data);
    }
    part->has_introduction = kind == 3;
    if (part->has_introduction)
        some_introduction(&part->introduction);
}

static bool same_part(const struct wire_part *a, const struct wire_part *b)
{
    return a->has_request == b->has_request && a->request == b->request && a->index == b->index &&
           a->count == b->count && a->more == b->more && a->run.present == b->run.present &&
           same_run(&a->run, &b->run) && a->record.present == b->record.present &&
           same(a->record.id, b->record.id, GOSSIP_ID_SIZE) && a->record.size == b->record.size &&
           a->record.offset == b->record.offset && same_bytes(a->record.data, b->record.data) &&
           a->has_introduction == b->has_introduction &&
           same_introduction(&a->introduction, &b->introduction);
}

static void some_addresses(struct wire_addresses *addresses)
{
    do {
        addresses->ask = maybe_entries(GOSSIP_ID_SIZE, 20);
        addresses->entries = maybe_entries(GOSSIP_ID_SIZE + 18, 20);
    } while (addresses->ask.data == NULL && addresses->entries.data == NULL);
}

static bool same_addresses(const struct wire_addresses *a, const struct wire_addresses *b)
{
    return same_bytes(a->ask, b->ask) && same_bytes(a->entries, b->entries);
}

static void some_certificate(struct wire_certificate *certificate)
{
    certificate->key = some(GOSSIP_KEY_SIZE);
    certificate->name = some_bytes(1, GOSSIP_NAME_MAX);
    certificate->rights = some_number_below(UINT32_MAX);
    certificate->issuer = maybe(GOSSIP_KEY_SIZE);
}

static bool same_certificate(const struct wire_certificate *a, const struct wire_certificate *b)
{
    return same(a->key, b->key, GOSSIP_KEY_SIZE) && same_bytes(a->name, b->name) &&
           a->rights == b->rights && same(a->issuer, b->issuer, GOSSIP_KEY_SIZE);
}

static void some_eviction(struct wire_eviction *eviction)
{
    static uint8_t epochs[GOSSIP_EVICTION_EPOCHS_MAX][GOSSIP_EPOCH_SIZE];
    uint64_t epoch = 0;

    eviction->key = some(GOSSIP_KEY_SIZE);
    eviction->issuer = maybe(GOSSIP_KEY_SIZE);
    eviction->last_count = random_below(&seed, GOSSIP_EVICTION_EPOCHS_MAX + 1);
    for (size_t i = 0; i < eviction->last_count; i++) {
        epoch += 1 + random_below(&seed, UINT64_MAX / (GOSSIP_EVICTION_EPOCHS_MAX + 1));
        put_fixed(epochs[i], epoch, sizeof(epochs[i]));
        eviction->last[i].epoch = epochs[i];
        eviction->last[i].seq = some_number() % GOSSIP_COUNTER_MAX + 1;
        eviction->last[i].hash = some(GOSSIP_HASH_SIZE);
    }
}

static bool same_eviction(const struct wire_eviction *a, const struct wire_eviction *b)
{
    if (!same(a->key, b->key, GOSSIP_KEY_SIZE) || !same(a->issuer, b->issuer, GOSSIP_KEY_SIZE) ||
        a->last_count != b->last_count)
        return false;
    for (size_t i = 0; i < a->last_count; i++)
        if (!same(a->last[i].epoch, b->last[i].epoch, GOSSIP_EPOCH_SIZE) ||
            a->last[i].seq != b->last[i].seq ||
            !same(a->last[i].hash, b->last[i].hash, GOSSIP_HASH_SIZE))
            return false;
    return true;
}

static void some_branch(struct wire_branch *branch)
{
    branch->previous = some(GOSSIP_HASH_SIZE);
    branch->links.size = 36 * (1 + random_below(&seed, 64));
    branch->links.data = some(branch->links.size);
    branch->seal = some(GOSSIP_SIGNATURE_SIZE);
}

static bool same_branch(const struct wire_branch *a, const struct wire_branch *b)
{
    return same(a->previous, b->previous, GOSSIP_HASH_SIZE) && same_bytes(a->links, b->links) &&
           same(a->seal, b->seal, GOSSIP_SIGNATURE_SIZE);
}

static void some_proof_half(struct wire_proof_half *half)
{
    half->key = some(GOSSIP_KEY_SIZE);
    half->epoch = some(GOSSIP_EPOCH_SIZE);
    half->seq = some_number() % GOSSIP_COUNTER_MAX + 1;
    some_branch(&half->branch);
}

static bool same_proof_half(const struct wire_proof_half *a, const struct wire_proof_half *b)
{
    return same(a->key, b->key, GOSSIP_KEY_SIZE) && same(a->epoch, b->epoch, GOSSIP_EPOCH_SIZE) &&
           a->seq == b->seq && same_branch(&a->branch, &b->branch);
}

static void some_hashes_ask(struct wire_hashes_ask *ask)
{
    ask->author = some(GOSSIP_ID_SIZE);
    ask->branch = coin();
    ask->seqs.size = 8 * (ask->branch ? 1 : 1 + random_below(&seed, GOSSIP_HASHES_MAX));
    ask->seqs.data = some(ask->seqs.size);
}

static bool same_hashes_ask(const struct wire_hashes_ask *a, const struct wire_hashes_ask *b)
{
    return same(a->author, b->author, GOSSIP_ID_SIZE) && same_bytes(a->seqs, b->seqs) &&
           a->branch == b->branch;
}

static void some_hashes(struct wire_hashes *hashes)
{
    hashes->author = some(GOSSIP_ID_SIZE);
    hashes->have = some_number() % (GOSSIP_COUNTER_MAX + 1);
    hashes->entries.size = WIRE_HASHES_ENTRY_SIZE * random_below(&seed, GOSSIP_HASHES_MAX + 1);
    hashes->entries.data = some(hashes->entries.size);
    hashes->boot = (struct wire_bytes){NULL, 0};
    if (coin())
        hashes->boot = some_bytes(1 + GOSSIP_SIGNATURE_SIZE + 1, 300);
}

static bool same_hashes(const struct wire_hashes *a, const struct wire_hashes *b)
{
    return same(a->author, b->author, GOSSIP_ID_SIZE) && a->have == b->have &&
           same_bytes(a->entries, b->entries) && same_bytes(a->boot, b->boot);
}

static void some_proof(struct wire_proof *proof)
{
    proof->key = some(GOSSIP_KEY_SIZE);
    proof->epoch = some(GOSSIP_EPOCH_SIZE);
    proof->seq = some_number() % GOSSIP_COUNTER_MAX + 1;
    some_branch(&proof->a);
    some_branch(&proof->b);
}

static bool same_proof(const struct wire_proof *a, const struct wire_proof *b)
{
    return same(a->key, b->key, GOSSIP_KEY_SIZE) && same(a->epoch, b->epoch, GOSSIP_EPOCH_SIZE) &&
           a->seq == b->seq && same_branch(&a->a, &b->a) && same_branch(&a->b, &b->b);
}

/* What all messages have in common. */

union message {
    struct wire_hello hello;
    struct wire_digest digest;
    struct wire_pull pull;
    struct wire_part part;
    struct wire_addresses addresses;
    struct wire_hashes_ask hashes_ask;
    struct wire_hashes hashes;
    struct wire_certificate certificate;
    struct wire_eviction eviction;
    struct wire_proof proof;
    struct wire_proof_half proof_half;
};

#define CODEC(name)                                                                                \
    static bool decode_##name(const uint8_t *data, size_t size, union message *ret_message)        \
    {                                                                                              \
        return wire_decode_##name(&arena, data, size, &ret_message->name);                         \
    }                                                                                              \
    static size_t encode_##name(const union message *message, uint8_t *buffer, size_t capacity)    \
    {                                                                                              \
        return wire_encode_##name(&message->name, buffer, capacity);                               \
    }                                                                                              \
    static void make_##name(union message *message)                                                \
    {                                                                                              \
        some_##name(&message->name);                                                               \
    }                                                                                              \
    static bool equal_##name(const union message *a, const union message *b)                       \
    {                                                                                              \
        return same_##name(&a->name, &b->name);                                                    \
    }

CODEC(hello)
CODEC(digest)
CODEC(pull)
CODEC(part)
CODEC(addresses)
CODEC(certificate)
CODEC(eviction)
CODEC(proof)
CODEC(proof_half)
CODEC(hashes_ask)
CODEC(hashes)

enum kind {
    HELLO,
    DIGEST,
    PULL,
    PART,
    ADDRESSES,
    HASHES_ASK,
    HASHES,
    CERTIFICATE,
    EVICTION,
    PROOF,
    PROOF_HALF,
    KINDS
};

#define CODEC_ROW(name) decode_##name, encode_##name, make_##name, equal_##name

static const struct codec {
    const ProtobufCMessageDescriptor *descriptor;
    bool (*decode)(const uint8_t *data, size_t size, union message *ret_message);
    size_t (*encode)(const union message *message, uint8_t *buffer, size_t capacity);
    void (*make)(union message *message);
    bool (*equal)(const union message *a, const union message *b);
} codecs[KINDS] = {
    [HELLO] = {&gossip__wire__hello__descriptor, CODEC_ROW(hello)},
    [DIGEST] = {&gossip__wire__digest__descriptor, CODEC_ROW(digest)},
    [PULL] = {&gossip__wire__pull__descriptor, CODEC_ROW(pull)},
    [PART] = {&gossip__wire__part__descriptor, CODEC_ROW(part)},
    [ADDRESSES] = {&gossip__wire__addresses__descriptor, CODEC_ROW(addresses)},
    [CERTIFICATE] = {&gossip__wire__certificate__descriptor, CODEC_ROW(certificate)},
    [EVICTION] = {&gossip__wire__eviction__descriptor, CODEC_ROW(eviction)},
    [PROOF] = {&gossip__wire__proof__descriptor, CODEC_ROW(proof)},
    [PROOF_HALF] = {&gossip__wire__proof_half__descriptor, CODEC_ROW(proof_half)},
    [HASHES_ASK] = {&gossip__wire__hashes_ask__descriptor, CODEC_ROW(hashes_ask)},
    [HASHES] = {&gossip__wire__hashes__descriptor, CODEC_ROW(hashes)},
};

/* Decodes what may be anything. Whatever it is, the budget holds; where it is refused, nothing is
 * written; where it is taken, it has one form only. */
static bool take(enum kind kind, const uint8_t *data, size_t size, union message *ret_message)
{
    static union message untouched;
    static uint8_t again[BUFFER_SIZE];
    /* Of its very size, so that a sanitizer sees who reads past its end. */
    uint8_t *copy = malloc(size > 0 ? size : 1);
    bool taken;

    assert_non_null(copy);
    if (size > 0)
        memcpy(copy, data, size);
    memset(&untouched, 0xa5, sizeof(untouched));
    memset(ret_message, 0xa5, sizeof(*ret_message));
    taken = codecs[kind].decode(copy, size, ret_message);
    free(copy); /* What was decoded lies in the arena. */
    assert_in_range(arena.used, 0, GOSSIP_ARENA_SIZE);
    assert_in_range(arena.allocations, 0, GOSSIP_ARENA_ALLOCATIONS);
    if (taken) {
        assert_int_equal(codecs[kind].encode(ret_message, again, sizeof(again)), size);
        assert_memory_equal(again, data, size);
    } else {
        assert_memory_equal(ret_message, &untouched, sizeof(untouched));
    }
    return taken;
}

static size_t make(enum kind kind, union message *message, uint8_t *buffer)
{
    size_t size;

    memset(message, 0, sizeof(*message));
    codecs[kind].make(message);
    size = codecs[kind].encode(message, buffer, BUFFER_SIZE);
    assert_int_not_equal(size, 0);
    return size;
}

static int start(void **state)
{
    (void)state;
    seed = random_start();
    for (size_t i = 0; i < sizeof(pool); i++)
        pool[i] = (uint8_t)random_next(&seed);
    return 0;
}

/* A message type that could hold itself would let a datagram decide how deep we recurse. */
static void check_depth(const ProtobufCMessageDescriptor *message, unsigned levels)
{
    assert_int_not_equal(levels, 0);
    for (unsigned i = 0; i < message->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->fields[i];

        if (i > 0)
            assert_true(message->fields[i - 1].id < field->id);
        assert_false(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF);
        switch (field->type) { /* What the walk knows how to judge. */
        case PROTOBUF_C_TYPE_MESSAGE:
            check_depth(field->descriptor, levels - 1);
            break;
        case PROTOBUF_C_TYPE_BOOL:
        case PROTOBUF_C_TYPE_UINT32:
        case PROTOBUF_C_TYPE_UINT64:
        case PROTOBUF_C_TYPE_FIXED64:
        case PROTOBUF_C_TYPE_BYTES:
            assert_int_not_equal(field->label, PROTOBUF_C_LABEL_REPEATED); /* Or it could pack. */
            break;
        default:
            fail_msg("%s has a type that gossip/wire.c does not judge", field->name);
        }
    }
}

static void test_schema(void **state)
{
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++)
        check_depth(codecs[kind].descriptor, GOSSIP_MESSAGE_DEPTH);
}

static void test_round_trip(void **state)
{
    static union message made;
    static union message taken;
    static uint8_t buffer[BUFFER_SIZE];
    static uint8_t tight[BUFFER_SIZE + 1];

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        enum kind kind = i % KINDS;
        size_t size = make(kind, &made, buffer);

        assert_true(take(kind, buffer, size, &taken));
        assert_true(codecs[kind].equal(&made, &taken));

        memset(tight, 0xa5, size + 1);
        assert_int_equal(codecs[kind].encode(&made, tight, size - 1), 0);
        assert_int_equal(tight[0], 0xa5); /* Nothing is written that does not fit. */
        assert_int_equal(codecs[kind].encode(&made, tight, size), size);
        assert_memory_equal(tight, buffer, size);
        assert_int_equal(tight[size], 0xa5);
    }
}

/* Whether size bytes of data are whole fields of a message, read without the code under test. */
static bool ends_a_field(const uint8_t *data, size_t size)
{
    size_t offset = 0;

    while (offset < size) {
        unsigned wire_type = data[offset++] & 7; /* All our field numbers are below 16. */
        uint64_t value = 0;

        if (wire_type == 1) {
            offset += 8;
            continue;
        }
        for (unsigned shift = 0; offset < size; shift += 7) {
            value |= (uint64_t)(data[offset] & 0x7f) << shift;
            if (data[offset++] < 0x80)
                break;
            if (offset == size)
                return false;
        }
        if (offset == size && data[offset - 1] >= 0x80)
            return false;
        if (wire_type == 2)
            offset += value;
    }
    return offset == size;
}

static void test_truncation(void **state)
{
    static union message message;
    static uint8_t buffer[BUFFER_SIZE];
    unsigned taken = 0;

    (void)state;
    for (unsigned i = 0; i < 25 * KINDS; i++) {
        enum kind kind = i % KINDS;
        size_t size = make(kind, &message, buffer);

        assert_true(ends_a_field(buffer, size));
        for (size_t length = 0; length < size; length++) {
            if (!take(kind, buffer, length, &message))
                continue;
            taken++;
            assert_true(ends_a_field(buffer, length)); /* Cut between two fields at best. */
        }
        buffer[size] = 0; /* And nothing may follow. */
        assert_false(take(kind, buffer, size + 1, &message));
    }
    assert_int_not_equal(taken, 0);
}

/* The rules, each broken once. The layout is ours: each piece of hex would get its own line. */
/* clang-format off */

#define X7  "22222222222222"
#define X8  X7 "22"
#define X15 X7 X8
#define X16 X8 X8
#define X31 X15 X16
#define X32 X16 X16
#define X36 X32 "22222222"
#define X63 X31 X32
#define X64 X32 X32

#define MAX      "808080808080808040" /* 2^62 */
#define PAST_MAX "818080808080808040"

#define HELLO_BASE "0a0133" "1801" "21" X8
#define HELLO_ALL HELLO_BASE "2a10" X16

#define DIGEST_ROOTS "1a10" X16 "2208" X8
#define DIGEST_ALL   "0a10" X16 "1001" DIGEST_ROOTS

#define PULL_ALL "09" X8 "1001" "1801"
#define WANT "0a10" X16 "1001" "1802"

#define ASKED "09" X8 "1000" "1801"
/* A run of one byte, which is begun and ended here, and its pieces. */
#define RUN_NAME "0a10" X16 "1001" "1801"
#define RUN_PREVIOUS "3220" X32
#define RUN_SEAL     "4240" X64
#define RUN_ALL RUN_NAME "2001" "2800" RUN_PREVIOUS "3a0133" RUN_SEAL
#define RUN "2a8101" RUN_ALL
#define RECORD "3219" "0a10" X16 "1001" "1800" "220133"

#define RUN_LINK "5224" X36

#define ASK "0a10" X16
#define HASHES_BASE "0a10" X16 "1003"
#define X40 X36 "22222222"

#define CERTIFICATE_ALL "0a20" X32 "120161" "1800"

#define LAST_EVENT(epoch) "122e" "0a08" epoch "1001" "1a20" X32

#define BRANCH "8a01" "0a20" X32 "1224" X36 "1a40" X64
#define PROOF_DOT "0a20" X32 "1208" X8 "1801"

static const struct rule {
    const char *what;
    enum kind kind;
    enum { TAKEN, FORM, MEANING } answer; /* Or what it is refused for. */
    const char *hex;
} rules[] = {
    /* The walk. */
    {"an empty answer", PART, TAKEN, "09" X8 "1000" "1800"},
    {"and more", PART, TAKEN, "09" X8 "1000" "1800" "2001"},
    {"a flag written as false", PART, MEANING, "09" X8 "1000" "1800" "2000"},
    {"a flag of 2", PART, FORM, "09" X8 "1000" "1800" "2002"},
    {"a flag of 257", PART, FORM, "09" X8 "1000" "1800" "208102"},
    {"a flag of two bytes", PART, FORM, "09" X8 "1000" "1800" "208100"},
    {"a flag of ten bytes", PART, FORM, "09" X8 "1000" "1800" "20ffffffffffffffffff01"},
    {"a long varint", PART, FORM, "09" X8 "108000" "1800"},
    {"a long tag", PART, FORM, "09" X8 "900000" "1800"},
    {"a long length", ADDRESSES, FORM, "0a9000" X16},
    {"an endless varint", PART, FORM, "09" X8 "10ffffffffffffffffffffff01" "1800"},
    {"a doubled field", PART, FORM, "09" X8 "1000" "1000" "1800"},
    {"a doubled message", DIGEST, FORM, DIGEST_ALL "32021a00" "32021a00"},
    {"fields out of order", PART, FORM, "09" X8 "1800" "1000"},
    {"an unknown field", PART, FORM, "09" X8 "1000" "1800" "3801"},
    {"an unknown message", PART, FORM, "09" X8 "1000" "1800" "3a00"},
    {"an unknown field in front", ADDRESSES, FORM, "0001" "0a10" X16},
    {"field 0", ADDRESSES, FORM, "0200"},
    {"field 2^32 + 2", PART, FORM, "09" X8 "90808080800100" "1800"},
    {"a number as 64 bits", PART, FORM, "09" X8 "11" X8 "1800"},
    {"a number as bytes", PART, FORM, "09" X8 "1200" "1800"},
    {"a number as 32 bits", PART, FORM, "09" X8 "1500000000" "1800"},
    {"a number as a group", PART, FORM, "09" X8 "1314" "1800"},
    {"a wire type of 6", PART, FORM, "09" X8 "1600" "1800"},
    {"a wire type of 7", PART, FORM, "09" X8 "1700" "1800"},
    {"64 bits as a number", PART, FORM, "08" X8 "1000" "1800"},
    {"a flag as bytes", PART, FORM, "09" X8 "1000" "1800" "2201"},
    {"bytes as a number", ADDRESSES, FORM, "0810" X16},
    {"a message as a number", DIGEST, FORM, DIGEST_ALL "30021a00"},
    {"a long number as bytes", HELLO, FORM, "0a0133" "1a01" "21" X8 "2a10" X16},
    {"the greatest index and count", PART, TAKEN, "09" X8 "10feffffff0f" "18ffffffff0f" RECORD},
    {"an index past 32 bits", PART, FORM, "09" X8 "108080808010" "18ffffffff0f" RECORD},
    {"an index past 64 bits", PART, FORM, "09" X8 "10ffffffffffffffffff02" "1801" RECORD},
    {"repeated, not side by side", PULL, FORM, PULL_ALL "2216" WANT "2a10" X16 "2216" WANT},
    {"a length past the end", ADDRESSES, FORM, "0a11" X16},
    {"a length of 2^32 - 1", ADDRESSES, FORM, "0affffffff0f" X16},
    {"a length of 2^63", ADDRESSES, FORM, "0a80808080808080808001" X16},
    {"a length of 2^64 - 1", ADDRESSES, FORM, "0affffffffffffffffff01" X16},
    {"a message's length past the end", DIGEST, FORM, DIGEST_ALL "32031a00"},
    {"a message's length into the next", DIGEST, FORM, DIGEST_ALL "32031a00" "3a021a00"},
    {"a field past its message", DIGEST, FORM, DIGEST_ALL "32021a01" "33"},
    {"a tag alone", ADDRESSES, FORM, "0a"},
    {"64 bits cut off", PART, FORM, "09" X7},
    {"nothing", ADDRESSES, FORM, ""},
    {"nothing at all", PART, FORM, ""},
    {"a hello", HELLO, TAKEN, HELLO_ALL},
    {"a welcome", HELLO, TAKEN, HELLO_ALL "3210" X16 "3a10" X16 "4000"},
    {"an empty issuer", HELLO, TAKEN, "0a0133" "1200" "1801" "21" X8 "2a10" X16},
    {"an empty certificate", HELLO, TAKEN, "0a00" "1801" "21" X8 "2a10" X16},
    {"no certificate", HELLO, FORM, "1801" "21" X8 "2a10" X16},
    {"no boot count", HELLO, FORM, "0a0133" "21" X8 "2a10" X16},
    {"no boot id", HELLO, FORM, "0a0133" "1801" "2a10" X16},
    {"no nonce", HELLO, FORM, HELLO_BASE},
    {"a short nonce", HELLO, MEANING, HELLO_BASE "2a0f" X15},
    {"a long nonce", HELLO, MEANING, HELLO_BASE "2a11" X16 "22"},
    {"an empty nonce", HELLO, MEANING, HELLO_BASE "2a00"},
    {"a short echo", HELLO, MEANING, HELLO_ALL "320f" X15},
    {"an empty echo", HELLO, MEANING, HELLO_ALL "3200"},
    {"a short token", HELLO, MEANING, HELLO_ALL "3a0f" X15},
    {"a digest", DIGEST, TAKEN, DIGEST_ALL},
    {"with a token", DIGEST, TAKEN, DIGEST_ALL "2a10" X16},
    {"a short exchange", DIGEST, MEANING, "0a0f" X15 "1001" DIGEST_ROOTS},
    {"step 0", DIGEST, MEANING, "0a10" X16 "1000" DIGEST_ROOTS},
    {"step 3", DIGEST, TAKEN, "0a10" X16 "1003" DIGEST_ROOTS},
    {"step 4", DIGEST, MEANING, "0a10" X16 "1004" DIGEST_ROOTS},
    {"no step", DIGEST, FORM, "0a10" X16 DIGEST_ROOTS},
    {"a short root", DIGEST, MEANING, "0a10" X16 "1001" "1a0f" X15 "2208" X8},
    {"a short root of records", DIGEST, MEANING, "0a10" X16 "1001" "1a10" X16 "2207" X7},
    {"a digest's short token", DIGEST, MEANING, DIGEST_ALL "2a0f" X15},
    {"empty lists", DIGEST, TAKEN, DIGEST_ALL "32021a00" "3a021a00"},
    {"authors without entries", DIGEST, FORM, DIGEST_ALL "3200"},
    {"authors, any bytes", DIGEST, TAKEN, DIGEST_ALL "32051a03333333"},
    {"authors, from and to", DIGEST, TAKEN, DIGEST_ALL "3226" "0a10" X16 "1210" X16 "1a00"},
    {"authors, a short first", DIGEST, MEANING, DIGEST_ALL "3213" "0a0f" X15 "1a00"},
    {"authors, a short last", DIGEST, MEANING, DIGEST_ALL "3213" "120f" X15 "1a00"},
    {"records", DIGEST, TAKEN, DIGEST_ALL "3a12" "1a10" X16},
    {"half a record", DIGEST, MEANING, DIGEST_ALL "3a11" "1a0f" X15},
    {"records, a short first", DIGEST, MEANING, DIGEST_ALL "3a13" "0a0f" X15 "1a00"},
    {"records without ids", DIGEST, FORM, DIGEST_ALL "3a00"},
    {"a pull", PULL, TAKEN, PULL_ALL},
    {"a want", PULL, TAKEN, PULL_ALL "2216" WANT},
    {"wants", PULL, TAKEN, PULL_ALL "2216" WANT "2216" WANT},
    {"a want with a gap", PULL, TAKEN, PULL_ALL "221c" WANT "220408001001"},
    {"a gap without size", PULL, FORM, PULL_ALL "221a" WANT "22020800"},
    {"an empty gap", PULL, FORM, PULL_ALL "2218" WANT "2200"},
    {"a gap past 32 bits", PULL, FORM, PULL_ALL "2220" WANT "220808808080801010" "01"},
    {"an empty want", PULL, FORM, PULL_ALL "2200"},
    {"a want's short author", PULL, MEANING, PULL_ALL "2215" "0a0f" X15 "1001" "1802"},
    {"a want from 0", PULL, MEANING, PULL_ALL "2216" "0a10" X16 "1000" "1802"},
    {"a want backwards", PULL, MEANING, PULL_ALL "2216" "0a10" X16 "1003" "1802"},
    {"a want of one", PULL, TAKEN, PULL_ALL "2216" "0a10" X16 "1002" "1802"},
    {"a want to the end", PULL, TAKEN, PULL_ALL "221e" "0a10" X16 "1001" "18" MAX},
    {"a want past the end", PULL, MEANING, PULL_ALL "221e" "0a10" X16 "1001" "18" PAST_MAX},
    {"wanted records", PULL, TAKEN, PULL_ALL "2a20" X32},
    {"half a wanted record", PULL, MEANING, PULL_ALL "2a0f" X15},
    {"no window", PULL, FORM, "09" X8 "1001"},
    {"a run", PART, TAKEN, RUN},
    {"a run asked for", PART, TAKEN, ASKED RUN},
    {"a record", PART, TAKEN, RECORD},
    {"a record asked for", PART, TAKEN, ASKED RECORD},
    {"a run and a record", PART, MEANING, RUN RECORD},
    {"asked, no index", PART, MEANING, "09" X8 "1801" RECORD},
    {"asked, no count", PART, MEANING, "09" X8 "1000" RECORD},
    {"an index unasked", PART, MEANING, "1000" RECORD},
    {"a count unasked", PART, MEANING, "1801" RECORD},
    {"index equals count", PART, MEANING, "09" X8 "1001" "1801" RECORD},
    {"an index of none", PART, MEANING, "09" X8 "1001" "1800"},
    {"a record of none", PART, MEANING, "09" X8 "1000" "1800" RECORD},
    {"a run of none", PART, MEANING, "09" X8 "1000" "1800" RUN},
    {"a run's short author", PART, MEANING,
     "2a8001" "0a0f" X15 "1001" "1801" "2001" "2800" RUN_PREVIOUS "3a0133" RUN_SEAL},
    {"a run from 0", PART, MEANING,
     "2a8101" "0a10" X16 "1000" "1801" "2001" "2800" RUN_PREVIOUS "3a0133" RUN_SEAL},
    {"a run backwards", PART, MEANING,
     "2a8101" "0a10" X16 "1002" "1801" "2001" "2800" RUN_PREVIOUS "3a0133" RUN_SEAL},
    {"a run past the end", PART, MEANING,
     "2a8901" "0a10" X16 "1001" "18" PAST_MAX "2001" "2800" RUN_PREVIOUS "3a0133" RUN_SEAL},
    {"a run of no size", PART, MEANING, "2a3f" RUN_NAME "2000" "2800" RUN_PREVIOUS "3a0133"},
    {"a run without data", PART, MEANING, "2a3e" RUN_NAME "2001" "2800" RUN_PREVIOUS "3a00"},
    {"a run that begins at its end", PART, MEANING, "2a5e" RUN_NAME "2001" "2801" "3a00" RUN_SEAL},
    {"a run longer than its size", PART, MEANING,
     "2a40" RUN_NAME "2001" "2800" RUN_PREVIOUS "3a023333"},
    {"a run beyond its size", PART, MEANING, "2a1d" RUN_NAME "2001" "2802" "3a0133"},
    {"a run's end too long", PART, MEANING, "2a1e" RUN_NAME "2002" "2801" "3a023333"},
    {"a run that wraps", PART, MEANING, "2a21" RUN_NAME "2001" "28ffffffff0f" "3a0133"},
    {"a run's end at a cut", PART, TAKEN, "2a1d" RUN_NAME "2002" "2801" "3a0133"},
    {"a run's end with a link", PART, TAKEN, "2a43" RUN_NAME "2002" "2801" "3a0133" RUN_LINK},
    {"a seal and a link", PART, MEANING,
     "2a8501" RUN_NAME "2002" "2801" "3a0133" RUN_SEAL RUN_LINK},
    {"a link before the end", PART, MEANING, "2a43" RUN_NAME "2003" "2801" "3a0133" RUN_LINK},
    {"a short link", PART, MEANING, "2a3f" RUN_NAME "2002" "2801" "3a0133" "5220" X32},
    {"a question for hashes", HASHES_ASK, TAKEN, ASK "1210" X16},
    {"for one", HASHES_ASK, TAKEN, ASK "1208" X8},
    {"for a branch", HASHES_ASK, TAKEN, ASK "1208" X8 "1801"},
    {"for two branches", HASHES_ASK, MEANING, ASK "1210" X16 "1801"},
    {"for a branch, written as false", HASHES_ASK, MEANING, ASK "1208" X8 "1800"},
    {"for nothing", HASHES_ASK, MEANING, ASK "1200"},
    {"without seqs", HASHES_ASK, FORM, ASK},
    {"for half a seq", HASHES_ASK, MEANING, ASK "1207" X7},
    {"of a short author", HASHES_ASK, MEANING, "0a0f" X15 "1208" X8},
    {"hashes", HASHES, TAKEN, HASHES_BASE "1a28" X40},
    {"no hashes", HASHES, TAKEN, HASHES_BASE "1a00"},
    {"hashes, no entries", HASHES, FORM, HASHES_BASE},
    {"half an entry", HASHES, MEANING, HASHES_BASE "1a24" X36},
    {"hashes up to the last", HASHES, TAKEN, "0a10" X16 "10" MAX "1a00"},
    {"hashes past the last", HASHES, MEANING, "0a10" X16 "10" PAST_MAX "1a00"},
    {"hashes and a boot", HASHES, TAKEN, HASHES_BASE "1a00" "2242" X64 "2222"},
    {"a boot that signs nothing", HASHES, MEANING, HASHES_BASE "1a00" "2241" X64 "22"},
    {"hashes of a short author", HASHES, MEANING, "0a0f" X15 "1003" "1a00"},
    {"half a proof", PROOF_HALF, TAKEN, PROOF_DOT "22" BRANCH},
    {"no half of a proof", PROOF_HALF, FORM, PROOF_DOT},
    {"half a proof at 0", PROOF_HALF, MEANING, "0a20" X32 "1208" X8 "1800" "22" BRANCH},
    {"half a proof past the last", PROOF_HALF, MEANING,
     "0a20" X32 "1208" X8 "18" PAST_MAX "22" BRANCH},
    {"a run's beginning", PART, TAKEN, "2a3f" RUN_NAME "2002" "2800" RUN_PREVIOUS "3a0133"},
    {"a run's middle", PART, TAKEN, "2a1d" RUN_NAME "2003" "2801" "3a0133"},
    {"a run's end", PART, TAKEN, "2a5f" RUN_NAME "2002" "2801" "3a0133" RUN_SEAL},
    {"no previous hash at 0", PART, MEANING, "2a5f" RUN_NAME "2001" "2800" "3a0133" RUN_SEAL},
    {"a previous hash past 0", PART, MEANING,
     "2a8101" RUN_NAME "2002" "2801" RUN_PREVIOUS "3a0133" RUN_SEAL},
    {"a short previous hash", PART, MEANING,
     "2a8001" RUN_NAME "2001" "2800" "321f" X31 "3a0133" RUN_SEAL},
    {"no seal at the end", PART, TAKEN, "2a3f" RUN_NAME "2001" "2800" RUN_PREVIOUS "3a0133"},
    {"a seal before the end", PART, MEANING,
     "2a8101" RUN_NAME "2002" "2800" RUN_PREVIOUS "3a0133" RUN_SEAL},
    {"a short seal", PART, MEANING,
     "2a8001" RUN_NAME "2001" "2800" RUN_PREVIOUS "3a0133" "423f" X63},
    {"the longest run", PART, TAKEN, "2a42" RUN_NAME "2080828001" "2800" RUN_PREVIOUS "3a0133"},
    {"a run too long", PART, MEANING, "2a42" RUN_NAME "2081828001" "2800" RUN_PREVIOUS "3a0133"},
    {"an introduction", PART, TAKEN, "2ab401" RUN_ALL "4a31" "0a20" X32 "1208" X8 "1a0133" "2200"},
    {"an empty introduction", PART, FORM, "2a8301" RUN_ALL "4a00"},
    {"an introduction's short key", PART, MEANING,
     "2ab101" RUN_ALL "4a2e" "0a1f" X31 "1208" X8 "1a0133"},
    {"an introduction's short epoch", PART, MEANING,
     "2ab101" RUN_ALL "4a2e" "0a20" X32 "1207" X7 "1a0133"},
    {"an introduction without certificate", PART, FORM,
     "2aaf01" RUN_ALL "4a2c" "0a20" X32 "1208" X8},
    {"a record's short id", PART, MEANING, "3218" "0a0f" X15 "1001" "1800" "220133"},
    {"a record of no size", PART, MEANING, "3219" "0a10" X16 "1000" "1800" "220133"},
    {"a record without data", PART, MEANING, "3218" "0a10" X16 "1001" "1800" "2200"},
    {"a record longer than its size", PART, MEANING, "321a" "0a10" X16 "1001" "1800" "22023333"},
    {"a record beyond its size", PART, MEANING, "3219" "0a10" X16 "1001" "1802" "220133"},
    {"the longest record", PART, TAKEN, "321a" "0a10" X16 "108040" "1800" "220133"},
    {"a record too long", PART, MEANING, "321a" "0a10" X16 "108140" "1800" "220133"},
    {"an id asked for", ADDRESSES, TAKEN, "0a10" X16},
    {"none asked for", ADDRESSES, TAKEN, "0a00"},
    {"none told", ADDRESSES, TAKEN, "1200"},
    {"half an id", ADDRESSES, MEANING, "0a0f" X15},
    {"an address", ADDRESSES, TAKEN, "1222" X32 "2222"},
    {"a short address", ADDRESSES, MEANING, "1221" X32 "22"},
    {"a certificate", CERTIFICATE, TAKEN, CERTIFICATE_ALL},
    {"of an admitter", CERTIFICATE, TAKEN, CERTIFICATE_ALL "2220" X32},
    {"a short key", CERTIFICATE, MEANING, "0a1f" X31 "120161" "1800"},
    {"no name", CERTIFICATE, FORM, "0a20" X32 "1800"},
    {"an empty name", CERTIFICATE, MEANING, "0a20" X32 "1200" "1800"},
    {"the longest name", CERTIFICATE, TAKEN, "0a20" X32 "1220" X32 "1800"},
    {"a name too long", CERTIFICATE, MEANING, "0a20" X32 "1221" X32 "22" "1800"},
    {"all rights", CERTIFICATE, TAKEN, "0a20" X32 "120161" "18ffffffff0f"},
    {"rights past 32 bits", CERTIFICATE, FORM, "0a20" X32 "120161" "188080808010"},
    {"a short issuer", CERTIFICATE, MEANING, CERTIFICATE_ALL "221f" X31},
    {"an eviction", EVICTION, TAKEN, "0a20" X32},
    {"with an epoch", EVICTION, TAKEN, "0a20" X32 LAST_EVENT(X8)},
    {"with two", EVICTION, TAKEN, "0a20" X32 LAST_EVENT(X7 "22") LAST_EVENT(X7 "23") "1a20" X32},
    {"an epoch twice", EVICTION, MEANING, "0a20" X32 LAST_EVENT(X8) LAST_EVENT(X8)},
    {"epochs descending", EVICTION, MEANING, "0a20" X32 LAST_EVENT(X7 "23") LAST_EVENT(X7 "22")},
    {"an eviction's short key", EVICTION, MEANING, "0a1f" X31},
    {"an eviction's short issuer", EVICTION, MEANING, "0a20" X32 "1a1f" X31},
    {"a short epoch", EVICTION, MEANING, "0a20" X32 "122d" "0a07" X7 "1001" "1a20" X32},
    {"last event 0", EVICTION, MEANING, "0a20" X32 "122e" "0a08" X8 "1000" "1a20" X32},
    {"a last event past the end", EVICTION, MEANING,
     "0a20" X32 "1236" "0a08" X8 "10" PAST_MAX "1a20" X32},
    {"a short hash", EVICTION, MEANING, "0a20" X32 "122d" "0a08" X8 "1001" "1a1f" X31},
    {"a proof", PROOF, TAKEN, PROOF_DOT "22" BRANCH "2a" BRANCH},
    {"one branch", PROOF, FORM, PROOF_DOT "22" BRANCH},
    {"three branches", PROOF, FORM, PROOF_DOT "22" BRANCH "2a" BRANCH "2a" BRANCH},
    {"a proof's short key", PROOF, MEANING, "0a1f" X31 "1208" X8 "1801" "22" BRANCH "2a" BRANCH},
    {"a proof's short epoch", PROOF, MEANING, "0a20" X32 "1207" X7 "1801" "22" BRANCH "2a" BRANCH},
    {"a proof of event 0", PROOF, MEANING, "0a20" X32 "1208" X8 "1800" "22" BRANCH "2a" BRANCH},
    {"a proof of the last event", PROOF, TAKEN,
     "0a20" X32 "1208" X8 "18" MAX "22" BRANCH "2a" BRANCH},
    {"a proof past the end", PROOF, MEANING,
     "0a20" X32 "1208" X8 "18" PAST_MAX "22" BRANCH "2a" BRANCH},
    {"no links", PROOF, MEANING, PROOF_DOT "22" "66" "0a20" X32 "1200" "1a40" X64 "2a" BRANCH},
    {"half a link", PROOF, MEANING,
     PROOF_DOT "22" BRANCH "2a" "8901" "0a20" X32 "1223" X32 "222222" "1a40" X64},
    {"a link and a half", PROOF, MEANING,
     PROOF_DOT "22" BRANCH "2a" "9a01" "0a20" X32 "1234" X36 X16 "1a40" X64},
    {"a branch's short hash", PROOF, MEANING,
     PROOF_DOT "22" "8901" "0a1f" X31 "1224" X36 "1a40" X64 "2a" BRANCH},
    {"a branch's short seal", PROOF, MEANING,
     PROOF_DOT "22" BRANCH "2a" "8901" "0a20" X32 "1224" X36 "1a3f" X63},
};
/* clang-format on */

static size_t read_hex(const char *hex, uint8_t *buffer)
{
    size_t size = strlen(hex) / 2;

    assert_int_equal(strlen(hex) % 2, 0);
    for (size_t i = 0; i < size; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

        buffer[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return size;
}

static void test_rules(void **state)
{
    static union message message;
    static uint8_t buffer[BUFFER_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT(rules); i++) {
        size_t size = read_hex(rules[i].hex, buffer);

        if (take(rules[i].kind, buffer, size, &message) != (rules[i].answer == TAKEN))
            fail_msg("%s: %s", rules[i].what, rules[i].answer == TAKEN ? "refused" : "taken");
        /* A wrong form is for the walk to see, before protobuf-c does. */
        if ((arena.allocations == 0) != (rules[i].answer == FORM))
            fail_msg("%s: refused for another reason", rules[i].what);
    }
}

/* The most of what is repeated is taken, whatever else it holds, and one more is refused. */
static void test_counts(void **state)
{
    static union message message;
    static union message taken;
    static uint8_t buffer[BUFFER_SIZE];
    static uint8_t epochs[GOSSIP_EVICTION_EPOCHS_MAX][GOSSIP_EPOCH_SIZE];
    size_t base;
    size_t size;

    (void)state;
    memset(&message, 0, sizeof(message));
    message.pull.want_count = GOSSIP_WANTS_MAX;
    for (size_t i = 0; i < GOSSIP_WANTS_MAX; i++) {
        message.pull.wants[i] = (struct wire_want){
            some(GOSSIP_ID_SIZE), GOSSIP_COUNTER_MAX, GOSSIP_COUNTER_MAX, {{0}}, GOSSIP_GAPS_MAX};
        for (size_t k = 0; k < GOSSIP_GAPS_MAX; k++)
            message.pull.wants[i].gaps[k] = (struct wire_gap){UINT32_MAX, UINT32_MAX};
    }
    size = codecs[PULL].encode(&message, buffer, sizeof(buffer));
    assert_true(take(PULL, buffer, size, &taken));
    assert_true(codecs[PULL].equal(&message, &taken));

    base = read_hex(PULL_ALL, buffer);
    for (size_t i = 0; i <= GOSSIP_WANTS_MAX; i++) {
        size = base + i * read_hex("2216" WANT, buffer + base + i * 24);
        assert_true(take(PULL, buffer, size, &taken));
    }
    assert_false(take(PULL, buffer, size + 24, &taken));

    base = read_hex(PULL_ALL "22d601" WANT, buffer);
    for (size_t i = 0; i < GOSSIP_GAPS_MAX; i++)
        size = base + (i + 1) * read_hex("220408001001", buffer + base + i * 6);
    assert_true(take(PULL, buffer, size, &taken));
    read_hex("22dc01", buffer + 13);
    size += read_hex("220408001001", buffer + size);
    assert_false(take(PULL, buffer, size, &taken));

    memset(&message, 0, sizeof(message));
    message.eviction.key = some(GOSSIP_KEY_SIZE);
    message.eviction.issuer = some(GOSSIP_KEY_SIZE);
    message.eviction.last_count = GOSSIP_EVICTION_EPOCHS_MAX;
    for (size_t i = 0; i < GOSSIP_EVICTION_EPOCHS_MAX; i++) {
        put_fixed(epochs[i], i, sizeof(epochs[i]));
        message.eviction.last[i] =
            (struct wire_last_event){epochs[i], GOSSIP_COUNTER_MAX, some(GOSSIP_HASH_SIZE)};
    }
    size = codecs[EVICTION].encode(&message, buffer, sizeof(buffer));
    assert_true(size + 1 + GOSSIP_SIGNATURE_SIZE <= GOSSIP_RECORD_MAX);
    assert_true(take(EVICTION, buffer, size, &taken));
    assert_true(codecs[EVICTION].equal(&message, &taken));
    size -= 34; /* Its issuer. */
    size += read_hex(LAST_EVENT(X8), buffer + size);
    assert_false(take(EVICTION, buffer, size, &taken));

    memset(&message, 0, sizeof(message));
    some_proof(&message.proof);
    message.proof.a.links = (struct wire_bytes){some(64 * 36), 64 * 36};
    message.proof.b.links = message.proof.a.links;
    size = codecs[PROOF].encode(&message, buffer, sizeof(buffer));
    assert_true(size + 1 <= GOSSIP_RECORD_MAX);
    assert_true(take(PROOF, buffer, size, &taken));

    base = read_hex(PROOF_DOT "22" BRANCH "2a"
                              "8b13"
                              "0a20" X32 "12a412",
                    buffer);
    memset(buffer + base, 0x22, 65 * 36);
    size = base + 65 * 36 + read_hex("1a40" X64, buffer + base + 65 * 36);
    assert_false(take(PROOF, buffer, size, &taken));
}

static size_t repeat(const char *hex, size_t count, uint8_t *buffer)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += read_hex(hex, buffer + size);
    return size;
}

/* What would make protobuf-c alone take memory and stack by the megabyte. */
static void test_bombs(void **state)
{
    static union message message;
    static uint8_t buffer[2 * BUFFER_SIZE];
    struct writer writer;
    size_t size;

    (void)state;

    /* Empty messages cost nothing: the walk refuses the first. */
    size = read_hex(PULL_ALL, buffer);
    size += repeat("2200", 1000, buffer + size);
    assert_false(take(PULL, buffer, size, &message));
    assert_int_equal(arena.allocations, 0);
    size = read_hex("0a20" X32, buffer);
    size += repeat("1200", 30000, buffer + size);
    assert_false(take(EVICTION, buffer, size, &message));
    assert_int_equal(arena.allocations, 0);

    /* Well-formed gaps, too many: the budget ends it, in a datagram and in 64 KiB. */
    for (size_t count = 100; count <= 10000; count *= 10) {
        writer = (struct writer){buffer, sizeof(buffer), read_hex(PULL_ALL, buffer), false};
        write_fixed(&writer, 0x22, 1);
        write_varint(&writer, 22 + 6 * count);
        size = writer.size + read_hex(WANT, buffer + writer.size);
        size += repeat("220408001001", count, buffer + size);
        assert_false(take(PULL, buffer, size, &message));
        assert_int_not_equal(arena.allocations, 0);
    }

    /* More allocations than bytes. */
    size = read_hex("0a20" X32, buffer);
    size += repeat(LAST_EVENT(X8), 350, buffer + size);
    assert_false(take(EVICTION, buffer, size, &message));
    assert_int_not_equal(arena.allocations, 0);

    /* Bytes that fit, and that would not fit twice. */
    size = read_hex("0a80f003", buffer); /* 63,488 */
    memset(buffer + size, 0x22, 63488);
    assert_true(take(ADDRESSES, buffer, size + 63488, &message));
    assert_in_range(arena.used, 63488, GOSSIP_ARENA_SIZE);
    size = read_hex("0a808004", buffer); /* 65,536 */
    memset(buffer + size, 0x22, 65536);
    assert_false(take(ADDRESSES, buffer, size + 65536, &message));

    /* 10-byte varints, doubled fields, unknown ones, lengths of 2^32 - 1, and depth. */
    size = repeat("10ffffffffffffffffff01", 1000, buffer);
    assert_false(take(PART, buffer, size, &message));
    size = repeat("80808080808080808001", 1000, buffer);
    assert_false(take(PART, buffer, size, &message));
    size = repeat("0a00", 1000, buffer);
    assert_false(take(ADDRESSES, buffer, size, &message));
    size = repeat("7a00", 1000, buffer);
    assert_false(take(PART, buffer, size, &message));
    size = repeat("0affffffff0f", 1000, buffer);
    for (enum kind kind = 0; kind < KINDS; kind++)
        assert_false(take(kind, buffer, size, &message));
    for (unsigned field = 1; field < 16; field++) {
        size_t left = 60000;

        /* Each holds the next, down to nothing. */
        writer = (struct writer){buffer, 60000, 0, false};
        while (left > 4) {
            size_t header = 1 + varint_size(left - 4);

            write_fixed(&writer, field << 3 | 2, 1);
            write_varint(&writer, left - header);
            left -= header;
        }
        assert_false(writer.failed);
        for (enum kind kind = 0; kind < KINDS; kind++)
            take(kind, buffer, writer.size, &message);
    }
}

/* Changes a message a little, as a line or an enemy would. */
static size_t mutate(uint8_t *buffer, size_t size, const uint8_t *other, size_t other_size)
{
    size_t at = random_below(&seed, size);
    size_t length = 1 + random_below(&seed, size - at);
    size_t from;

    switch (random_below(&seed, 8)) {
    case 0: /* A bit. */
        buffer[at] ^= (uint8_t)(1u << random_below(&seed, 8));
        return size;
    case 1: /* A byte. */
        buffer[at] = (uint8_t)random_next(&seed);
        return size;
    case 2: /* A byte, one more or less: a length or a number. */
        buffer[at] = (uint8_t)(coin() ? buffer[at] + 1 : buffer[at] - 1);
        return size;
    case 3: /* Some bytes less. */
        memmove(buffer + at, buffer + at + length, size - at - length);
        return size - length;
    case 4: /* Some bytes twice. */
        memmove(buffer + at + length, buffer + at, size - at);
        return size + length;
    case 5: /* Cut off. */
        return at;
    case 6: /* The tail of another message. */
        from = random_below(&seed, other_size);
        memcpy(buffer + at, other + from, other_size - from);
        return at + other_size - from;
    default: /* An extreme. */
        buffer[at] = coin() ? 0xff : 0;
        return size;
    }
}

static void test_mutations(void **state)
{
    static union message message;
    static uint8_t buffer[2 * BUFFER_SIZE];
    static uint8_t other[BUFFER_SIZE];
    unsigned rounds = random_rounds(200000);
    unsigned taken = 0;

    (void)state;
    for (unsigned i = 0; i < rounds; i++) {
        enum kind kind = i % KINDS;
        size_t other_size = make(kind, &message, other);
        size_t size = make(kind, &message, buffer);
        size_t times = 1 + random_below(&seed, 3);

        for (size_t k = 0; k < times && size > 0 && size <= BUFFER_SIZE / 2; k++)
            size = mutate(buffer, size, other, other_size);
        taken += take(kind, buffer, size, &message);
    }
    assert_in_range(taken, rounds / 200,
                    rounds - rounds / 200); /* Else it would not have tested much. */
}

/* A message of ours that no decoder would take is our own mistake. */
static void check_abort(enum kind kind, const union message *message)
{
    static uint8_t buffer[BUFFER_SIZE];
    pid_t child = fork();
    int status;

    assert_int_not_equal(child, -1);
    if (child == 0) {
        close(STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        codecs[kind].encode(message, buffer, sizeof(buffer));
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void test_own_mistakes(void **state)
{
    static union message message;
    static uint8_t buffer[BUFFER_SIZE];

    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        make(kind, &message, buffer);
        switch (kind) {
        case HELLO:
            message.hello.nonce = NULL;
            break;
        case DIGEST:
            message.digest.step = 4;
            break;
        case PULL:
            message.pull.want_count = GOSSIP_WANTS_MAX + 1;
            break;
        case PART:
            message.part.has_request = true;
            message.part.index = message.part.count = 1;
            break;
        case ADDRESSES:
            message.addresses.ask = (struct wire_bytes){pool, GOSSIP_ID_SIZE + 1};
            break;
        case CERTIFICATE:
            message.certificate.name.size = 0;
            break;
        case EVICTION:
            message.eviction.last_count = GOSSIP_EVICTION_EPOCHS_MAX + 1;
            break;
        case PROOF:
            message.proof.b.links.size = 0;
            break;
        case PROOF_HALF:
            message.proof_half.branch.links.size = 35;
            break;
        case HASHES_ASK:
            message.hashes_ask.seqs.size = 8 * (GOSSIP_HASHES_MAX + 1);
            break;
        case HASHES:
            message.hashes.have = GOSSIP_COUNTER_MAX + 1;
            break;
        case KINDS:
            break;
        }
        check_abort(kind, &message);
    }
}

/* A message without any field has no bytes, and there is nothing to send. */
static void test_nothing_to_say(void **state)
{
    const struct wire_addresses addresses = {.ask = {NULL, 0}};
    uint8_t buffer[1];

    (void)state;
    assert_int_equal(wire_encode_addresses(&addresses, buffer, sizeof(buffer)), 0);
}

/* Golden bytes, made by an encoder that shares nothing with ours. */

static const struct golden {
    const char *file;
    enum kind kind;
    const char *field;
} golden[] = {
    {"box", DIGEST, "digest.message"},
    {"box", PULL, "pull.message"},
    {"box", PART, "part.message"},
    {"box", ADDRESSES, "addresses.message"},
    {"certificate", CERTIFICATE, "alice.body"},
    {"certificate", CERTIFICATE, "bob.body"},
    {"certificate", CERTIFICATE, "carol.body"},
    {"digest", DIGEST, "open"},
    {"digest", DIGEST, "answer"},
    {"digest", DIGEST, "close"},
    {"digest", DIGEST, "nothing"},
    {"eviction", EVICTION, "by_alice.body"},
    {"eviction", EVICTION, "by_cluster.body"},
    {"hello", HELLO, "hello.message"},
    {"hello", HELLO, "welcome.message"},
    {"message", PULL, "pull"},
    {"message", PULL, "pull_records"},
    {"message", ADDRESSES, "addresses"},
    {"message", ADDRESSES, "addresses_asked"},
    {"message", ADDRESSES, "addresses_told"},
    {"message", HASHES_ASK, "hashes_ask"},
    {"message", HASHES_ASK, "hashes_ask_branch"},
    {"message", HASHES, "hashes"},
    {"message", HASHES, "hashes_none"},
    {"message", HASHES, "hashes_boot"},
    {"part", PART, "run_first"},
    {"part", PART, "run_middle"},
    {"part", PART, "run_last"},
    {"part", PART, "run_whole"},
    {"part", PART, "pushed"},
    {"part", PART, "cut"},
    {"part", PART, "link"},
    {"part", PART, "introduced"},
    {"part", PART, "record"},
    {"part", PART, "record_first"},
    {"part", PART, "record_last"},
    {"part", PART, "empty"},
    {"proof", PROOF, "fork.body"},
    {"proof", PROOF, "early_fork.body"},
    {"proof", PROOF_HALF, "trunk_half.body"},
    {"proof", PROOF_HALF, "early_half.body"},
};

static void take_golden(const struct vectors *vectors, enum kind kind, const char *field,
                        union message *ret_message)
{
    size_t size;
    const uint8_t *data = vectors_get(vectors, field, &size);

    if (!take(kind, data, size, ret_message)) /* Which encodes it again and compares. */
        fail_msg("%s is refused", field);
}

static void test_golden(void **state)
{
    static union message message;

    (void)state;
    for (size_t i = 0; i < COUNT(golden); i++) {
        struct vectors *vectors = vectors_open(golden[i].file);

        take_golden(vectors, golden[i].kind, golden[i].field, &message);
        vectors_close(vectors);
    }
}

static void check_fixed(const struct vectors *vectors, const char *field, const uint8_t *data,
                        size_t size)
{
    assert_non_null(data);
    assert_memory_equal(data, vectors_fixed(vectors, field, size), size);
}

static void check_bytes(const struct vectors *vectors, const char *field, struct wire_bytes bytes)
{
    check_fixed(vectors, field, bytes.data, bytes.size);
}

static void check_number(const struct vectors *vectors, const char *field, uint64_t number)
{
    assert_true(vectors_number(vectors, field) == number);
}

/* Fields that are swapped both ways would survive a round trip; here they show. */
static void test_golden_fields(void **state)
{
    static union message message;
    struct vectors *vectors;
    struct vectors *run;

    (void)state;
    vectors = vectors_open("hello");
    take_golden(vectors, HELLO, "welcome.message", &message);
    check_number(vectors, "welcome.boot_count", message.hello.boot_count);
    check_number(vectors, "welcome.boot_id", message.hello.boot_id);
    check_fixed(vectors, "welcome.nonce", message.hello.nonce, GOSSIP_NONCE_SIZE);
    check_fixed(vectors, "hello.nonce", message.hello.echo, GOSSIP_NONCE_SIZE);
    check_fixed(vectors, "welcome.token", message.hello.token, GOSSIP_TOKEN_SIZE);
    assert_true(message.hello.has_counter);
    check_number(vectors, "welcome.counter", message.hello.counter);
    vectors_close(vectors);

    vectors = vectors_open("certificate");
    take_golden(vectors, CERTIFICATE, "bob.body", &message);
    check_fixed(vectors, "bob.key", message.certificate.key, GOSSIP_KEY_SIZE);
    check_bytes(vectors, "bob.name", message.certificate.name);
    check_number(vectors, "bob.rights", message.certificate.rights);
    check_fixed(vectors, "alice.key", message.certificate.issuer, GOSSIP_KEY_SIZE);
    take_golden(vectors, CERTIFICATE, "alice.body", &message);
    check_number(vectors, "alice.rights", message.certificate.rights);
    assert_null(message.certificate.issuer);
    vectors_close(vectors);

    vectors = vectors_open("digest");
    take_golden(vectors, DIGEST, "close", &message);
    check_fixed(vectors, "exchange", message.digest.exchange, GOSSIP_NONCE_SIZE);
    assert_int_equal(message.digest.step, 3);
    check_fixed(vectors, "all.root", message.digest.root, 16);
    check_fixed(vectors, "all.records_root", message.digest.records_root, 8);
    check_fixed(vectors, "token", message.digest.token, GOSSIP_TOKEN_SIZE);
    assert_true(message.digest.authors.present);
    check_fixed(vectors, "author3.id", message.digest.authors.first, GOSSIP_ID_SIZE);
    check_fixed(vectors, "author5.id", message.digest.authors.last, GOSSIP_ID_SIZE);
    assert_false(message.digest.records.present);
    take_golden(vectors, DIGEST, "answer", &message);
    assert_int_equal(message.digest.records.entries.size, 3 * GOSSIP_ID_SIZE);
    vectors_close(vectors);

    vectors = vectors_open("part");
    run = vectors_open("run");
    take_golden(vectors, PART, "run_first", &message);
    assert_true(message.part.has_request);
    check_number(vectors, "request", message.part.request);
    assert_int_equal(message.part.index, 0);
    assert_int_equal(message.part.count, 4);
    check_fixed(run, "a.id", message.part.run.author, GOSSIP_ID_SIZE);
    check_number(run, "a.first", message.part.run.first);
    check_number(run, "a.last", message.part.run.last);
    check_fixed(run, "a.previous", message.part.run.previous, GOSSIP_HASH_SIZE);
    check_fixed(run, "a.key", message.part.run.introduction.key, GOSSIP_KEY_SIZE);
    check_fixed(run, "a.epoch", message.part.run.introduction.epoch, GOSSIP_EPOCH_SIZE);
    vectors_fixed(run, "a.stream", message.part.run.size);
    take_golden(vectors, PART, "run_last", &message);
    check_number(vectors, "cut2", message.part.run.offset);
    check_fixed(run, "a.seal", message.part.run.seal, GOSSIP_SIGNATURE_SIZE);
    take_golden(vectors, PART, "run_whole", &message);
    assert_true(message.part.more);
    check_bytes(run, "c.stream", message.part.run.data);
    vectors_close(run);
    vectors_close(vectors);

    vectors = vectors_open("message");
    take_golden(vectors, HASHES_ASK, "hashes_ask_branch", &message);
    assert_true(message.hashes_ask.branch);
    assert_int_equal(get_fixed(message.hashes_ask.seqs.data, 8), 2);
    take_golden(vectors, HASHES, "hashes_boot", &message);
    assert_int_equal(message.hashes.have, 9);
    check_bytes(vectors, "boot", message.hashes.boot);
    vectors_close(vectors);

    vectors = vectors_open("eviction");
    take_golden(vectors, EVICTION, "by_alice.body", &message);
    check_fixed(vectors, "carol.key", message.eviction.key, GOSSIP_KEY_SIZE);
    check_fixed(vectors, "alice.key", message.eviction.issuer, GOSSIP_KEY_SIZE);
    assert_int_equal(message.eviction.last_count, 2);
    check_fixed(vectors, "last1.epoch", message.eviction.last[1].epoch, GOSSIP_EPOCH_SIZE);
    check_number(vectors, "last1.seq", message.eviction.last[1].seq);
    check_fixed(vectors, "last1.hash", message.eviction.last[1].hash, GOSSIP_HASH_SIZE);
    vectors_close(vectors);

    vectors = vectors_open("proof");
    take_golden(vectors, PROOF, "fork.body", &message);
    check_fixed(vectors, "carol.key", message.proof.key, GOSSIP_KEY_SIZE);
    check_fixed(vectors, "epoch", message.proof.epoch, GOSSIP_EPOCH_SIZE);
    check_number(vectors, "seq", message.proof.seq);
    check_fixed(vectors, "trunk.1.hash", message.proof.a.previous, GOSSIP_HASH_SIZE);
    check_fixed(vectors, "trunk.1.hash", message.proof.b.previous, GOSSIP_HASH_SIZE);
    vectors_close(vectors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema),         cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_truncation),     cmocka_unit_test(test_rules),
        cmocka_unit_test(test_counts),         cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_mutations),      cmocka_unit_test(test_own_mistakes),
        cmocka_unit_test(test_nothing_to_say), cmocka_unit_test(test_golden),
        cmocka_unit_test(test_golden_fields),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
