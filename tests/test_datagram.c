#include "gossip/datagram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/bytes.h"
#include "gossip/event.h"
#include "tests/property.h"
#include "tests/vectors.h"

enum {
    TAG_OFFSET = GOSSIP_HEADER_SIZE,
    BODY_SIZE_OFFSET = TAG_OFFSET + 16,
    BODY_OFFSET = BODY_SIZE_OFFSET + 2,
    BOX_OVERHEAD = GOSSIP_BOX_HEADER_SIZE + GOSSIP_BOX_TAG_SIZE,
};

#define LONGEST_NAME "abcdefghijklmnopqrstuvwxyz.-_019"

static const struct gossip_crypto *crypto;
static struct wire_arena arena;

static struct gossip_cluster *cluster_of(uint8_t seed_byte)
{
    struct gossip_cluster *cluster;
    uint8_t seed[GOSSIP_SEED_SIZE];
    uint8_t gate[GOSSIP_CLUSTER_SECRET_SIZE];

    memset(seed, seed_byte, sizeof(seed));
    memset(gate, seed_byte + 1, sizeof(gate));
    assert_int_equal(cluster_make(crypto, seed, gate, &cluster), GOSSIP_OK);
    return cluster;
}

static struct gossip_identity *identity_of(const struct gossip_cluster *cluster, const char *name,
                                           uint8_t seed_byte)
{
    struct gossip_identity *identity;
    uint8_t seed[GOSSIP_SEED_SIZE];

    memset(seed, seed_byte, sizeof(seed));
    assert_int_equal(identity_make(crypto, cluster, name, GOSSIP_RIGHT_ADMIT, seed, &identity),
                     GOSSIP_OK);
    return identity;
}

/* Two nodes of one cluster, a third, and one of another. */
struct world {
    struct gossip_cluster *cluster;
    struct gossip_cluster *other_cluster;
    struct gossip_identity *alice;
    struct gossip_identity *bob;
    struct gossip_identity *carol;
    struct gossip_identity *stranger; /* With alice's key, in the other cluster. */
};

static int make_world(void **state)
{
    static struct world world;

    world.cluster = cluster_of(1);
    world.other_cluster = cluster_of(101);
    world.alice = identity_of(world.cluster, "alice", 2);
    world.bob = identity_of(world.cluster, "bob", 3);
    world.carol = identity_of(world.cluster, "carol", 4);
    world.stranger = identity_of(world.other_cluster, "alice", 2);
    *state = &world;
    return 0;
}

static int end_world(void **state)
{
    struct world *world = *state;

    gossip_identity_destroy(world->stranger);
    gossip_identity_destroy(world->carol);
    gossip_identity_destroy(world->bob);
    gossip_identity_destroy(world->alice);
    gossip_cluster_destroy(world->other_cluster);
    gossip_cluster_destroy(world->cluster);
    return 0;
}

static const uint8_t nonce_1[GOSSIP_NONCE_SIZE] = {1, 2, 3};
static const uint8_t nonce_2[GOSSIP_NONCE_SIZE] = {4, 5, 6};
static const uint8_t token[GOSSIP_TOKEN_SIZE] = {7, 8, 9};

static struct wire_hello message_of(const struct gossip_identity *identity, enum datagram_kind kind)
{
    struct wire_hello message = {
        .certificate = {identity->certificate.bytes, identity->certificate.size},
        .boot_count = 5,
        .boot_id = UINT64_C(0x1122334455667788),
        .nonce = nonce_1,
    };

    if (kind == DATAGRAM_WELCOME) {
        message.echo = nonce_2;
        message.token = token;
        message.has_counter = true;
        message.counter = 300;
    }
    return message;
}

static size_t write_greeting(const struct gossip_identity *from, enum datagram_kind kind,
                             const struct gossip_identity *to, uint8_t *ret_data)
{
    struct wire_hello message = message_of(from, kind);

    return greeting_write(crypto, from, kind, &message, kind == DATAGRAM_WELCOME ? to->node : NULL,
                          ret_data);
}

static void test_kinds(void **state)
{
    static const struct {
        uint8_t header[GOSSIP_HEADER_SIZE];
        size_t size;
        enum gossip_verdict verdict;
    } cases[] = {
        {{0}, 0, GOSSIP_DATAGRAM_SHORT},
        {{'g', 's', 'p', 1, 1}, 7, GOSSIP_DATAGRAM_SHORT},
        {{'g', 's', 'p', 1, 1}, 8, GOSSIP_DATAGRAM_SHORT},
        {{'g', 's', 'p', 1, 1}, 511, GOSSIP_DATAGRAM_SHORT},
        {{'g', 's', 'p', 1, 1}, 512, GOSSIP_DATAGRAM_ACCEPTED},
        {{'g', 's', 'p', 1, 1}, 513, GOSSIP_DATAGRAM_OVERSIZED},
        {{'g', 's', 'p', 1, 2}, 89, GOSSIP_DATAGRAM_SHORT},
        {{'g', 's', 'p', 1, 2}, 90, GOSSIP_DATAGRAM_ACCEPTED},
        {{'g', 's', 'p', 1, 2}, 512, GOSSIP_DATAGRAM_ACCEPTED},
        {{'g', 's', 'p', 1, 2}, 513, GOSSIP_DATAGRAM_OVERSIZED},
        {{'g', 's', 'p', 1, 3}, 96, GOSSIP_DATAGRAM_SHORT},
        {{'g', 's', 'p', 1, 3}, 97, GOSSIP_DATAGRAM_ACCEPTED},
        {{'g', 's', 'p', 1, 3}, 1200, GOSSIP_DATAGRAM_ACCEPTED},
        {{'g', 's', 'p', 1, 3}, 1201, GOSSIP_DATAGRAM_OVERSIZED},
        {{'G', 's', 'p', 1, 3}, 500, GOSSIP_DATAGRAM_NOT_GOSSIP},
        {{'g', 'p', 's', 1, 3}, 500, GOSSIP_DATAGRAM_NOT_GOSSIP},
        {{'g', 's', 0, 1, 3}, 500, GOSSIP_DATAGRAM_NOT_GOSSIP},
        {{'g', 's', 'p', 0, 3}, 500, GOSSIP_DATAGRAM_VERSION},
        {{'g', 's', 'p', 2, 3}, 500, GOSSIP_DATAGRAM_VERSION},
        {{'g', 's', 'p', 2, 9, 1, 1, 1}, 500, GOSSIP_DATAGRAM_VERSION},
        {{'g', 's', 'p', 255, 3}, 500, GOSSIP_DATAGRAM_VERSION},
        {{'g', 's', 'p', 1, 0}, 500, GOSSIP_DATAGRAM_NOT_GOSSIP},
        {{'g', 's', 'p', 1, 4}, 500, GOSSIP_DATAGRAM_NOT_GOSSIP},
        {{'g', 's', 'p', 1, 255}, 500, GOSSIP_DATAGRAM_NOT_GOSSIP},
        {{'g', 's', 'p', 1, 3, 1}, 500, GOSSIP_DATAGRAM_NOT_GOSSIP},
        {{'g', 's', 'p', 1, 3, 0, 1}, 500, GOSSIP_DATAGRAM_NOT_GOSSIP},
        {{'g', 's', 'p', 1, 3, 0, 0, 128}, 500, GOSSIP_DATAGRAM_NOT_GOSSIP},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum datagram_kind kind = (enum datagram_kind)99;
        /* Of the very size, so that a sanitizer sees who reads past it. */
        uint8_t *data = calloc(1, cases[i].size > 0 ? cases[i].size : 1);
        enum gossip_verdict verdict;

        assert_non_null(data);
        memcpy(data, cases[i].header,
               cases[i].size < GOSSIP_HEADER_SIZE ? cases[i].size : GOSSIP_HEADER_SIZE);
        verdict = datagram_kind(data, cases[i].size, &kind);
        if (verdict != cases[i].verdict)
            fail_msg("case %zu: %s", i, gossip_verdict_name(verdict));
        assert_int_equal(kind, verdict == GOSSIP_DATAGRAM_ACCEPTED ? cases[i].header[4] : 99);
        free(data);
    }
}

/* What a node of world->cluster called receiver makes of a greeting from alice. */
static enum gossip_verdict judge(const struct world *world, const uint8_t *data, size_t size,
                                 enum datagram_kind expected, const uint8_t *receiver)
{
    enum datagram_kind kind;
    struct greeting greeting;
    enum gossip_verdict verdict = datagram_kind(data, size, &kind);

    if (verdict != GOSSIP_DATAGRAM_ACCEPTED)
        return verdict;
    if (kind != expected)
        return GOSSIP_DATAGRAM_UNASKED;
    verdict = greeting_open(crypto, world->cluster->gate, kind, data, size, &arena, &greeting);
    if (verdict != GOSSIP_DATAGRAM_ACCEPTED)
        return verdict;
    if (!greeting_verify(crypto, world->cluster->key, kind, &greeting, world->alice->key, receiver))
        return GOSSIP_DATAGRAM_FORGED;
    return GOSSIP_DATAGRAM_ACCEPTED;
}

/* What anyone can do who has the cluster secret. */
static void tag_again(const struct world *world, uint8_t *data, size_t size)
{
    crypto->keyed_hash(
        data + TAG_OFFSET, world->cluster->gate, GOSSIP_CLUSTER_SECRET_SIZE,
        (const struct gossip_piece[]){{GOSSIP_DOMAIN_TAG, sizeof(GOSSIP_DOMAIN_TAG)},
                                      {data, GOSSIP_HEADER_SIZE},
                                      {data + BODY_SIZE_OFFSET, size - BODY_SIZE_OFFSET}},
        3);
}

static void check_greeting_bits(const struct world *world, enum datagram_kind kind)
{
    uint8_t data[GOSSIP_HELLO_SIZE];
    uint8_t changed[GOSSIP_HELLO_SIZE];
    const uint8_t *receiver = world->bob->node;
    size_t size = write_greeting(world->alice, kind, world->bob, data);
    size_t end = BODY_OFFSET + (size_t)get_fixed(data + BODY_SIZE_OFFSET, 2) + 64;

    assert_int_equal(judge(world, data, size, kind, receiver), GOSSIP_DATAGRAM_ACCEPTED);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        enum gossip_verdict verdict;

        memcpy(changed, data, size);
        changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        verdict = judge(world, changed, size, kind, receiver);
        if (bit / 8 >= GOSSIP_HEADER_SIZE)
            assert_int_equal(verdict, GOSSIP_DATAGRAM_FOREIGN);
        else
            assert_int_not_equal(verdict, GOSSIP_DATAGRAM_ACCEPTED);

        /* And by one who is a member. */
        if (bit / 8 >= TAG_OFFSET && bit / 8 < BODY_SIZE_OFFSET)
            continue;
        tag_again(world, changed, size);
        verdict = judge(world, changed, size, kind, receiver);
        if (verdict == GOSSIP_DATAGRAM_ACCEPTED || verdict == GOSSIP_DATAGRAM_FOREIGN)
            fail_msg("kind %d, bit %zu: %s", (int)kind, bit, gossip_verdict_name(verdict));
        if (bit / 8 >= end)
            assert_int_equal(verdict, GOSSIP_DATAGRAM_MALFORMED);
        if (bit / 8 >= end - 64 && bit / 8 < end)
            assert_int_equal(verdict, GOSSIP_DATAGRAM_FORGED);
    }
}

static void test_greeting_bits(void **state)
{
    check_greeting_bits(*state, DATAGRAM_HELLO);
    check_greeting_bits(*state, DATAGRAM_WELCOME);
}

static void test_greeting_sizes(void **state)
{
    const struct world *world = *state;
    const uint8_t *receiver = world->bob->node;
    uint8_t data[GOSSIP_HELLO_SIZE + 1] = {0};
    size_t welcome_size = write_greeting(world->alice, DATAGRAM_WELCOME, world->bob, data);

    assert_true(welcome_size < GOSSIP_HELLO_SIZE);
    for (size_t size = 0; size <= sizeof(data); size++) {
        uint8_t *copy = malloc(size + 1);
        enum gossip_verdict verdict;

        assert_non_null(copy);
        memcpy(copy, data, size);
        if (size >= BODY_SIZE_OFFSET)
            tag_again(world, copy, size);
        verdict = judge(world, copy, size, DATAGRAM_WELCOME, receiver);
        if ((verdict == GOSSIP_DATAGRAM_ACCEPTED) != (size == welcome_size))
            fail_msg("%zu bytes: %s", size, gossip_verdict_name(verdict));
        free(copy);
    }

    /* Any size that a greeting may claim of its message. */
    for (enum datagram_kind kind = DATAGRAM_HELLO; kind <= DATAGRAM_WELCOME; kind++) {
        size_t size = write_greeting(world->alice, kind, world->bob, data);
        uint64_t right = get_fixed(data + BODY_SIZE_OFFSET, 2);

        for (uint64_t claimed = 0; claimed <= UINT16_MAX; claimed++) {
            struct greeting greeting;
            enum gossip_verdict verdict;

            put_fixed(data + BODY_SIZE_OFFSET, claimed, 2);
            tag_again(world, data, size);
            verdict =
                greeting_open(crypto, world->cluster->gate, kind, data, size, &arena, &greeting);
            assert_int_equal(verdict, claimed == right ? GOSSIP_DATAGRAM_ACCEPTED
                                                       : GOSSIP_DATAGRAM_MALFORMED);
        }
    }
}

/* A hello has none of what a welcome has, and a welcome has all of it. */
static void test_greeting_fields(void **state)
{
    const struct world *world = *state;

    for (enum datagram_kind kind = DATAGRAM_HELLO; kind <= DATAGRAM_WELCOME; kind++) {
        for (unsigned fields = 0; fields < 8; fields++) {
            struct wire_hello message = message_of(world->alice, DATAGRAM_WELCOME);
            uint8_t data[GOSSIP_HELLO_SIZE];
            bool is_good = fields == (kind == DATAGRAM_HELLO ? 0 : 7);
            size_t size;

            if (!(fields & 1))
                message.echo = NULL;
            if (!(fields & 2))
                message.token = NULL;
            message.has_counter = (fields & 4) != 0;
            size = greeting_write(crypto, world->alice, kind, &message,
                                  kind == DATAGRAM_WELCOME ? world->bob->node : NULL, data);
            assert_int_equal(judge(world, data, size, kind, world->bob->node),
                             is_good ? GOSSIP_DATAGRAM_ACCEPTED : GOSSIP_DATAGRAM_MALFORMED);
        }
    }
}

static void test_greeting_round_trip(void **state)
{
    const struct world *world = *state;

    for (enum datagram_kind kind = DATAGRAM_HELLO; kind <= DATAGRAM_WELCOME; kind++) {
        struct wire_hello message = message_of(world->alice, kind);
        struct greeting greeting;
        uint8_t data[GOSSIP_HELLO_SIZE];
        size_t size = write_greeting(world->alice, kind, world->bob, data);

        assert_int_equal(
            greeting_open(crypto, world->cluster->gate, kind, data, size, &arena, &greeting),
            GOSSIP_DATAGRAM_ACCEPTED);
        assert_int_equal(greeting.message.certificate.size, message.certificate.size);
        assert_memory_equal(greeting.message.certificate.data, message.certificate.data,
                            message.certificate.size);
        assert_null(greeting.message.issuer.data);
        assert_true(greeting.message.boot_count == message.boot_count);
        assert_true(greeting.message.boot_id == message.boot_id);
        assert_memory_equal(greeting.message.nonce, nonce_1, GOSSIP_NONCE_SIZE);
        if (kind == DATAGRAM_WELCOME) {
            assert_memory_equal(greeting.message.echo, nonce_2, GOSSIP_NONCE_SIZE);
            assert_memory_equal(greeting.message.token, token, GOSSIP_TOKEN_SIZE);
            assert_true(greeting.message.counter == message.counter);
        }
    }
}

/* The longest names, an issuer and the greatest counters fit, so that no node is ever too great to
 * greet. */
static void test_longest_greeting(void **state)
{
    const struct world *world = *state;
    struct gossip_identity *issuer = identity_of(world->cluster, LONGEST_NAME, 9);
    struct certificate longest;
    struct certificate issuers;

    certificate_make(crypto, world->cluster->key, issuer->key, LONGEST_NAME, UINT32_MAX, NULL,
                     world->cluster->secret, &issuers);
    certificate_make(crypto, world->cluster->key, world->alice->key, LONGEST_NAME, UINT32_MAX,
                     issuer->key, issuer->secret, &longest);
    assert_int_equal(longest.size, CERTIFICATE_MAX);
    for (enum datagram_kind kind = DATAGRAM_HELLO; kind <= DATAGRAM_WELCOME; kind++) {
        struct wire_hello message = message_of(world->alice, kind);
        struct greeting greeting;
        uint8_t data[GOSSIP_HELLO_SIZE];
        size_t size;

        message.certificate = (struct wire_bytes){longest.bytes, longest.size};
        message.issuer = (struct wire_bytes){issuers.bytes, issuers.size};
        message.boot_count = UINT64_MAX;
        message.boot_id = UINT64_MAX;
        message.counter = UINT64_MAX;
        size = greeting_write(crypto, world->alice, kind, &message,
                              kind == DATAGRAM_WELCOME ? world->bob->node : NULL, data);
        assert_true(size <= GOSSIP_HELLO_SIZE);
        assert_int_equal(judge(world, data, size, kind, world->bob->node),
                         GOSSIP_DATAGRAM_ACCEPTED);
        assert_int_equal(
            greeting_open(crypto, world->cluster->gate, kind, data, size, &arena, &greeting),
            GOSSIP_DATAGRAM_ACCEPTED);
        assert_memory_equal(greeting.message.issuer.data, issuers.bytes, issuers.size);
    }
    gossip_identity_destroy(issuer);
}

/* ---- Boxes. ---- */

static const uint8_t box_nonce[GOSSIP_BOX_NONCE_SIZE] = {21, 22, 23};

static struct box_header header_of(const struct gossip_identity *from,
                                   const struct gossip_identity *to)
{
    return (struct box_header){to->node, from->node, UINT64_C(0x8877665544332211), 12};
}

static void test_box_sizes(void **state)
{
    const struct world *world = *state;
    struct box_header header = header_of(world->alice, world->bob);
    uint8_t plain[GOSSIP_PLAIN_MAX];
    uint8_t key[32];

    assert_true(pair_key(crypto, world->alice, world->bob->key, key));
    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (uint8_t)(i * 5);
    for (size_t plain_size = 1; plain_size <= GOSSIP_PLAIN_MAX; plain_size++) {
        uint8_t data[GOSSIP_DATAGRAM_MAX];
        uint8_t opened[GOSSIP_PLAIN_MAX];
        struct box_header read;
        enum datagram_kind kind;
        size_t size = box_write(crypto, key, &header, box_nonce, plain, plain_size, data);

        assert_int_equal(size, plain_size + BOX_OVERHEAD);
        assert_int_equal(datagram_kind(data, size, &kind), GOSSIP_DATAGRAM_ACCEPTED);
        assert_int_equal(kind, DATAGRAM_BOX);
        box_header_read(data, &read);
        assert_memory_equal(read.receiver, world->bob->node, GOSSIP_ID_SIZE);
        assert_memory_equal(read.sender, world->alice->node, GOSSIP_ID_SIZE);
        assert_true(read.boot_id == header.boot_id);
        assert_true(read.counter == header.counter);
        assert_int_equal(box_open(crypto, key, data, size, opened), plain_size);
        assert_memory_equal(opened, plain, plain_size);
    }
}

static void test_box_damaged(void **state)
{
    enum { PLAIN = 200 };
    const struct world *world = *state;
    struct box_header header = header_of(world->alice, world->bob);
    uint8_t plain[PLAIN] = {1, 2, 3};
    uint8_t data[GOSSIP_DATAGRAM_MAX] = {0};
    uint8_t opened[GOSSIP_PLAIN_MAX];
    uint8_t key[32];
    enum datagram_kind kind;
    size_t size;

    assert_true(pair_key(crypto, world->alice, world->bob->key, key));
    size = box_write(crypto, key, &header, box_nonce, plain, PLAIN, data);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (datagram_kind(data, size, &kind) == GOSSIP_DATAGRAM_ACCEPTED && kind == DATAGRAM_BOX)
            assert_int_equal(box_open(crypto, key, data, size, opened), 0);
        else
            assert_true(bit / 8 < GOSSIP_HEADER_SIZE);
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t other = BOX_OVERHEAD + 1; other <= GOSSIP_DATAGRAM_MAX; other++)
        assert_int_equal(box_open(crypto, key, data, other, opened), other == size ? PLAIN : 0);
    for (size_t bit = 0; bit < 8 * sizeof(key); bit++) {
        key[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(box_open(crypto, key, data, size, opened), 0);
        key[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void test_pair_keys(void **state)
{
    static const uint8_t unfit[GOSSIP_KEY_SIZE] = {1};
    const struct world *world = *state;
    uint8_t alice_bob[32];
    uint8_t bob_alice[32];
    uint8_t other[32];

    assert_true(pair_key(crypto, world->alice, world->bob->key, alice_bob));
    assert_true(pair_key(crypto, world->bob, world->alice->key, bob_alice));
    assert_memory_equal(alice_bob, bob_alice, 32);
    assert_true(pair_key(crypto, world->alice, world->carol->key, other));
    assert_memory_not_equal(alice_bob, other, 32);
    assert_true(pair_key(crypto, world->carol, world->bob->key, other));
    assert_memory_not_equal(alice_bob, other, 32);
    /* The same two keys in another cluster. */
    assert_memory_equal(world->stranger->key, world->alice->key, GOSSIP_KEY_SIZE);
    assert_true(pair_key(crypto, world->stranger, world->bob->key, other));
    assert_memory_not_equal(alice_bob, other, 32);
    assert_false(pair_key(crypto, world->alice, unfit, other));
}

/* ---- Signatures. ---- */

/* All that alice signs, and each place where a signature of hers may stand. */
enum slot {
    SLOT_HELLO,
    SLOT_WELCOME,
    SLOT_DIGEST,
    SLOT_SEAL,
    SLOT_CERTIFICATE,
    SLOTS,
};

struct signatures {
    uint8_t hello[GOSSIP_HELLO_SIZE];
    uint8_t welcome[GOSSIP_HELLO_SIZE];
    struct greeting greetings[2];
    struct wire_arena arenas[2];
    struct box_header header;
    const uint8_t *message; /* Of the digest: the very bytes of the hello. */
    size_t message_size;
    uint8_t hash[GOSSIP_HASH_SIZE];
    struct certificate certificate;
    uint8_t made[SLOTS][GOSSIP_SIGNATURE_SIZE];
};

static void sign_all(const struct world *world, struct signatures *signatures)
{
    const struct gossip_identity *alice = world->alice;
    size_t size = write_greeting(alice, DATAGRAM_HELLO, NULL, signatures->hello);

    assert_int_equal(greeting_open(crypto, world->cluster->gate, DATAGRAM_HELLO, signatures->hello,
                                   size, &signatures->arenas[0], &signatures->greetings[0]),
                     GOSSIP_DATAGRAM_ACCEPTED);
    size = write_greeting(alice, DATAGRAM_WELCOME, world->bob, signatures->welcome);
    assert_int_equal(greeting_open(crypto, world->cluster->gate, DATAGRAM_WELCOME,
                                   signatures->welcome, size, &signatures->arenas[1],
                                   &signatures->greetings[1]),
                     GOSSIP_DATAGRAM_ACCEPTED);
    memcpy(signatures->made[SLOT_HELLO], signatures->greetings[0].signature, GOSSIP_SIGNATURE_SIZE);
    memcpy(signatures->made[SLOT_WELCOME], signatures->greetings[1].signature,
           GOSSIP_SIGNATURE_SIZE);
    signatures->header = header_of(alice, world->bob);
    signatures->message = signatures->greetings[0].body;
    signatures->message_size = signatures->greetings[0].body_size;
    digest_sign(crypto, alice, &signatures->header, signatures->message, signatures->message_size,
                signatures->made[SLOT_DIGEST]);
    memset(signatures->hash, 0x77, GOSSIP_HASH_SIZE);
    seal_sign(crypto, signatures->hash, alice->secret, signatures->made[SLOT_SEAL]);
    certificate_make(crypto, world->cluster->key, world->carol->key, "carol", 0, alice->key,
                     alice->secret, &signatures->certificate);
    memcpy(signatures->made[SLOT_CERTIFICATE],
           signatures->certificate.bytes + signatures->certificate.size - GOSSIP_SIGNATURE_SIZE,
           GOSSIP_SIGNATURE_SIZE);
}

static bool fits(const struct world *world, const struct signatures *signatures, enum slot slot,
                 const uint8_t *signature)
{
    const struct gossip_identity *alice = world->alice;
    struct certificate certificate = signatures->certificate;
    struct greeting greeting;

    switch (slot) {
    case SLOT_HELLO:
        greeting = signatures->greetings[0];
        greeting.signature = signature;
        return greeting_verify(crypto, world->cluster->key, DATAGRAM_HELLO, &greeting, alice->key,
                               NULL);
    case SLOT_WELCOME:
        greeting = signatures->greetings[1];
        greeting.signature = signature;
        return greeting_verify(crypto, world->cluster->key, DATAGRAM_WELCOME, &greeting, alice->key,
                               world->bob->node);
    case SLOT_DIGEST:
        return digest_verify(crypto, world->cluster->key, &signatures->header, signatures->message,
                             signatures->message_size, alice->key, signature);
    case SLOT_SEAL:
        return seal_verify(crypto, signatures->hash, alice->key, signature);
    case SLOT_CERTIFICATE:
        memcpy(certificate.bytes + certificate.size - GOSSIP_SIGNATURE_SIZE, signature,
               GOSSIP_SIGNATURE_SIZE);
        return certificate_verify(crypto, world->cluster->key, &certificate, &alice->certificate);
    case SLOTS:
        break;
    }
    return false;
}

static void test_signatures_in_other_slots(void **state)
{
    static struct signatures signatures;

    sign_all(*state, &signatures);
    for (enum slot slot = 0; slot < SLOTS; slot++) {
        for (enum slot from = 0; from < SLOTS; from++) {
            if (fits(*state, &signatures, slot, signatures.made[from]) != (slot == from))
                fail_msg("slot %d, signature of slot %d", (int)slot, (int)from);
        }
    }
}

/* The same message as the other kind, for another receiver, in another cluster, of another node. */
static void test_greetings_elsewhere(void **state)
{
    const struct world *world = *state;
    static struct signatures signatures;
    const struct greeting *hello = &signatures.greetings[0];
    const struct greeting *welcome = &signatures.greetings[1];
    const uint8_t *cluster = world->cluster->key;
    const uint8_t *alice = world->alice->key;
    const uint8_t *bob = world->bob->node;

    sign_all(world, &signatures);
    assert_true(greeting_verify(crypto, cluster, DATAGRAM_HELLO, hello, alice, NULL));
    assert_true(greeting_verify(crypto, cluster, DATAGRAM_WELCOME, welcome, alice, bob));
    assert_false(greeting_verify(crypto, cluster, DATAGRAM_WELCOME, hello, alice, bob));
    assert_false(greeting_verify(crypto, cluster, DATAGRAM_HELLO, welcome, alice, NULL));
    assert_false(
        greeting_verify(crypto, cluster, DATAGRAM_WELCOME, welcome, alice, world->carol->node));
    assert_false(
        greeting_verify(crypto, cluster, DATAGRAM_WELCOME, welcome, alice, world->alice->node));
    assert_false(
        greeting_verify(crypto, world->other_cluster->key, DATAGRAM_HELLO, hello, alice, NULL));
    assert_false(
        greeting_verify(crypto, world->other_cluster->key, DATAGRAM_WELCOME, welcome, alice, bob));
    assert_false(greeting_verify(crypto, cluster, DATAGRAM_HELLO, hello, world->bob->key, NULL));
    assert_false(greeting_verify(crypto, cluster, DATAGRAM_WELCOME, welcome, world->bob->key, bob));
}

/* A digest is signed for one cluster, way, boot and counter. */
static void test_digests_elsewhere(void **state)
{
    const struct world *world = *state;
    const uint8_t *alice = world->alice->key;
    const struct box_header header = header_of(world->alice, world->bob);
    uint8_t message[GOSSIP_PLAIN_MAX - 1 - GOSSIP_SIGNATURE_SIZE];
    uint8_t signature[GOSSIP_SIGNATURE_SIZE];
    struct box_header other;

    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (uint8_t)(i * 3);
    digest_sign(crypto, world->alice, &header, message, sizeof(message), signature);
    assert_true(digest_verify(crypto, world->cluster->key, &header, message, sizeof(message), alice,
                              signature));
    assert_false(digest_verify(crypto, world->other_cluster->key, &header, message, sizeof(message),
                               alice, signature));
    assert_false(digest_verify(crypto, world->cluster->key, &header, message, sizeof(message) - 1,
                               alice, signature));
    assert_false(digest_verify(crypto, world->cluster->key, &header, message, sizeof(message),
                               world->bob->key, signature));
    other = header;
    other.receiver = world->carol->node;
    assert_false(digest_verify(crypto, world->cluster->key, &other, message, sizeof(message), alice,
                               signature));
    other = header;
    other.sender = world->carol->node;
    assert_false(digest_verify(crypto, world->cluster->key, &other, message, sizeof(message), alice,
                               signature));
    other = (struct box_header){header.sender, header.receiver, header.boot_id, header.counter};
    assert_false(digest_verify(crypto, world->cluster->key, &other, message, sizeof(message), alice,
                               signature));
    for (unsigned bit = 0; bit < 64; bit++) {
        other = header;
        other.boot_id ^= UINT64_C(1) << bit;
        assert_false(digest_verify(crypto, world->cluster->key, &other, message, sizeof(message),
                                   alice, signature));
        other = header;
        other.counter ^= UINT64_C(1) << bit;
        assert_false(digest_verify(crypto, world->cluster->key, &other, message, sizeof(message),
                                   alice, signature));
    }
    for (size_t bit = 0; bit < 8 * sizeof(message); bit += 61) {
        message[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(digest_verify(crypto, world->cluster->key, &header, message, sizeof(message),
                                   alice, signature));
        message[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sizeof(signature); bit++) {
        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(digest_verify(crypto, world->cluster->key, &header, message, sizeof(message),
                                   alice, signature));
        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

/* ---- Tokens and addresses. ---- */

struct token_input {
    uint8_t key[32];
    struct gossip_address address;
    uint8_t node[GOSSIP_ID_SIZE];
    uint64_t boot_id;
    uint64_t slot;
};

static int compare_tokens(const void *a, const void *b)
{
    return memcmp(a, b, GOSSIP_TOKEN_SIZE);
}

/* Each bit of each input makes another token. */
static void test_tokens(void **state)
{
    enum {
        KEY = 256,
        IP = KEY + 128,
        PORT = IP + 16,
        NODE = PORT + 128,
        BOOT = NODE + 64,
        SLOT = BOOT + 64
    };
    const struct token_input input = {
        .key = {1, 2, 3},
        .address = {.ip = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}, .port = 4600},
        .node = {4, 5, 6},
        .boot_id = UINT64_C(0x123456789abcdef0),
        .slot = 29,
    };
    static uint8_t tokens[SLOT + 1][GOSSIP_TOKEN_SIZE];
    uint8_t again[GOSSIP_TOKEN_SIZE];

    (void)state;
    for (unsigned bit = 0; bit <= SLOT; bit++) {
        struct token_input changed = input;

        if (bit < KEY)
            changed.key[bit / 8] ^= (uint8_t)(1 << bit % 8);
        else if (bit < IP)
            changed.address.ip[(bit - KEY) / 8] ^= (uint8_t)(1 << bit % 8);
        else if (bit < PORT)
            changed.address.port ^= (uint16_t)(1 << (bit - IP));
        else if (bit < NODE)
            changed.node[(bit - PORT) / 8] ^= (uint8_t)(1 << bit % 8);
        else if (bit < BOOT)
            changed.boot_id ^= UINT64_C(1) << (bit - NODE);
        else if (bit < SLOT)
            changed.slot ^= UINT64_C(1) << (bit - BOOT);
        token_make(crypto, changed.key, &changed.address, changed.node, changed.boot_id,
                   changed.slot, tokens[bit]);
    }
    token_make(crypto, input.key, &input.address, input.node, input.boot_id, input.slot, again);
    assert_memory_equal(again, tokens[SLOT], GOSSIP_TOKEN_SIZE);
    qsort(tokens, SLOT + 1, GOSSIP_TOKEN_SIZE, compare_tokens);
    for (unsigned i = 1; i <= SLOT; i++)
        assert_memory_not_equal(tokens[i - 1], tokens[i], GOSSIP_TOKEN_SIZE);
}

static void test_addresses(void **state)
{
    uint64_t seed = random_start();

    (void)state;
    for (int round = 0; round < 1000; round++) {
        struct gossip_address address;
        struct gossip_address read;
        uint8_t bytes[ADDRESS_SIZE];

        put_fixed(address.ip, random_next(&seed), 8);
        put_fixed(address.ip + 8, random_next(&seed), 8);
        address.port = (uint16_t)random_next(&seed);
        address_write(&address, bytes);
        assert_memory_equal(bytes, address.ip, 16);
        assert_int_equal(bytes[16], address.port >> 8);
        assert_int_equal(bytes[17], address.port & 255);
        address_read(bytes, &read);
        assert_true(address_equal(&address, &read));
        for (size_t bit = 0; bit < 8 * ADDRESS_SIZE; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            address_read(bytes, &read);
            assert_false(address_equal(&address, &read));
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

/* ---- The golden bytes. ---- */

static struct gossip_identity *golden_identity(const struct vectors *vectors,
                                               const struct gossip_cluster *cluster,
                                               const char *name, const char *seed)
{
    struct gossip_identity *identity;

    assert_int_equal(identity_make(crypto, cluster, name, 0,
                                   vectors_fixed(vectors, seed, GOSSIP_SEED_SIZE), &identity),
                     GOSSIP_OK);
    return identity;
}

static void test_golden_greetings(void **state)
{
    struct vectors *vectors = vectors_open("hello");
    struct gossip_cluster *cluster;
    struct gossip_identity *alice;
    struct gossip_identity *bob;

    (void)state;
    assert_int_equal(
        cluster_make(crypto, vectors_fixed(vectors, "cluster.seed", GOSSIP_SEED_SIZE),
                     vectors_fixed(vectors, "cluster.secret", GOSSIP_CLUSTER_SECRET_SIZE),
                     &cluster),
        GOSSIP_OK);
    alice = golden_identity(vectors, cluster, "alice", "alice.seed");
    bob = golden_identity(vectors, cluster, "bob", "bob.seed");
    for (enum datagram_kind kind = DATAGRAM_HELLO; kind <= DATAGRAM_WELCOME; kind++) {
        bool is_hello = kind == DATAGRAM_HELLO;
        const struct gossip_identity *from = is_hello ? alice : bob;
        struct greeting greeting;
        uint8_t written[GOSSIP_HELLO_SIZE];
        enum datagram_kind told;
        size_t size;
        const uint8_t *data =
            vectors_get(vectors, is_hello ? "hello.datagram" : "welcome.datagram", &size);

        assert_int_equal(datagram_kind(data, size, &told), GOSSIP_DATAGRAM_ACCEPTED);
        assert_int_equal(told, kind);
        assert_int_equal(greeting_open(crypto, cluster->gate, kind, data, size, &arena, &greeting),
                         GOSSIP_DATAGRAM_ACCEPTED);
        assert_true(greeting_verify(crypto, cluster->key, kind, &greeting, from->key, alice->node));
        assert_int_equal(greeting_write(crypto, from, kind, &greeting.message,
                                        is_hello ? NULL : alice->node, written),
                         size);
        assert_memory_equal(written, data, size);
    }
    gossip_identity_destroy(bob);
    gossip_identity_destroy(alice);
    gossip_cluster_destroy(cluster);
    vectors_close(vectors);
}

static void test_golden_boxes(void **state)
{
    static const char *const kinds[] = {"digest", "pull", "part", "addresses"};
    struct vectors *vectors = vectors_open("box");
    const uint8_t *cluster_key = vectors_fixed(vectors, "cluster.key", GOSSIP_KEY_SIZE);
    struct gossip_cluster *cluster;
    struct gossip_identity *alice;
    struct gossip_identity *bob;
    uint8_t key[32];

    (void)state;
    assert_int_equal(cluster_make(crypto, vectors_fixed(vectors, "cluster.seed", GOSSIP_SEED_SIZE),
                                  vectors_fixed(vectors, "cluster.seed", GOSSIP_SEED_SIZE),
                                  &cluster),
                     GOSSIP_OK);
    assert_memory_equal(cluster->key, cluster_key, GOSSIP_KEY_SIZE);
    alice = golden_identity(vectors, cluster, "alice", "alice.seed");
    bob = golden_identity(vectors, cluster, "bob", "bob.seed");
    assert_true(pair_key(crypto, bob, alice->key, key));
    assert_memory_equal(key, vectors_fixed(vectors, "pair_key", 32), 32);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct box_header header = {bob->node, alice->node, vectors_number(vectors, "boot_id"), 0};
        struct box_header read;
        uint8_t opened[GOSSIP_PLAIN_MAX];
        uint8_t written[GOSSIP_DATAGRAM_MAX];
        const uint8_t *nonce;
        const uint8_t *plain;
        const uint8_t *data;
        size_t plain_size;
        size_t size;
        char field[64];

        snprintf(field, sizeof(field), "%s.counter", kinds[i]);
        header.counter = vectors_number(vectors, field);
        snprintf(field, sizeof(field), "%s.nonce", kinds[i]);
        nonce = vectors_fixed(vectors, field, GOSSIP_BOX_NONCE_SIZE);
        snprintf(field, sizeof(field), "%s.plain", kinds[i]);
        plain = vectors_get(vectors, field, &plain_size);
        snprintf(field, sizeof(field), "%s.datagram", kinds[i]);
        data = vectors_get(vectors, field, &size);

        assert_int_equal(plain[0], MESSAGE_DIGEST + i);
        box_header_read(data, &read);
        assert_true(read.counter == header.counter && read.boot_id == header.boot_id);
        assert_int_equal(box_open(crypto, key, data, size, opened), plain_size);
        assert_memory_equal(opened, plain, plain_size);
        assert_int_equal(box_write(crypto, key, &header, nonce, plain, plain_size, written), size);
        assert_memory_equal(written, data, size);
        if (plain[0] == MESSAGE_DIGEST) {
            size_t message_size = plain_size - 1 - GOSSIP_SIGNATURE_SIZE;
            uint8_t signature[GOSSIP_SIGNATURE_SIZE];

            assert_true(digest_verify(crypto, cluster->key, &read, plain + 1, message_size,
                                      alice->key, plain + 1 + message_size));
            digest_sign(crypto, alice, &read, plain + 1, message_size, signature);
            assert_memory_equal(signature, plain + 1 + message_size, GOSSIP_SIGNATURE_SIZE);
        }
    }
    gossip_identity_destroy(bob);
    gossip_identity_destroy(alice);
    gossip_cluster_destroy(cluster);
    vectors_close(vectors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_greeting_bits),
        cmocka_unit_test(test_greeting_sizes),
        cmocka_unit_test(test_greeting_fields),
        cmocka_unit_test(test_greeting_round_trip),
        cmocka_unit_test(test_longest_greeting),
        cmocka_unit_test(test_box_sizes),
        cmocka_unit_test(test_box_damaged),
        cmocka_unit_test(test_pair_keys),
        cmocka_unit_test(test_signatures_in_other_slots),
        cmocka_unit_test(test_greetings_elsewhere),
        cmocka_unit_test(test_digests_elsewhere),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_golden_greetings),
        cmocka_unit_test(test_golden_boxes),
    };

    crypto = gossip_crypto_sodium();
    return cmocka_run_group_tests(tests, make_world, end_world);
}
