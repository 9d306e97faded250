#include "gossip/eviction.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/bytes.h"
#include "gossip/gossip.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { RAW_MAX = 2 * EVICTION_MAX };

struct pair {
    uint8_t key[GOSSIP_KEY_SIZE];
    uint8_t secret[GOSSIP_SECRET_SIZE];
};

static const struct gossip_crypto *crypto;
static struct wire_arena arena;
static struct pair cluster;
static struct pair stranger; /* Another cluster. */
static struct pair alice;    /* May evict. */
static struct pair bob;      /* May admit, and not evict. */
static struct pair carol;    /* May evict, but bob has admitted her. */
static struct pair dave;     /* Is evicted. */
static struct pair erin;     /* May evict, as alice. */
static struct certificate alice_certificate;
static struct certificate bob_certificate;
static struct certificate carol_certificate;
static struct certificate erin_certificate;
static struct eviction_last last[GOSSIP_EVICTION_EPOCHS_MAX];

static void make_pair(uint8_t number, struct pair *ret_pair)
{
    uint8_t seed[GOSSIP_SEED_SIZE];

    memset(seed, number, sizeof(seed));
    crypto->key_pair(seed, ret_pair->key, ret_pair->secret);
}

static int start(void **state)
{
    (void)state;
    crypto = gossip_crypto_sodium();
    make_pair(1, &cluster);
    make_pair(2, &stranger);
    make_pair(3, &alice);
    make_pair(4, &bob);
    make_pair(5, &carol);
    make_pair(6, &dave);
    make_pair(7, &erin);
    certificate_make(crypto, cluster.key, alice.key, "alice", GOSSIP_RIGHT_EVICT, NULL,
                     cluster.secret, &alice_certificate);
    certificate_make(crypto, cluster.key, bob.key, "bob", GOSSIP_RIGHT_ADMIT, NULL, cluster.secret,
                     &bob_certificate);
    certificate_make(crypto, cluster.key, carol.key, "carol", GOSSIP_RIGHT_EVICT, bob.key,
                     bob.secret, &carol_certificate);
    certificate_make(crypto, cluster.key, erin.key, "erin", GOSSIP_RIGHT_EVICT, NULL,
                     cluster.secret, &erin_certificate);
    assert_true(certificate_verify(crypto, cluster.key, &carol_certificate, &bob_certificate));
    for (size_t i = 0; i < COUNT(last); i++) {
        put_fixed(last[i].epoch, 1000 + 7 * i, GOSSIP_EPOCH_SIZE);
        last[i].seq = GOSSIP_COUNTER_MAX - i;
        memset(last[i].hash, (int)i, GOSSIP_HASH_SIZE);
    }
    return 0;
}

static bool accepts(const uint8_t *bytes, size_t size, const struct certificate *issuer)
{
    static struct eviction eviction;

    return eviction_read(crypto, &arena, bytes, size, &eviction) &&
           eviction_verify(crypto, cluster.key, &eviction, issuer);
}

static void check_made(const struct eviction *made, size_t count, const struct pair *issuer,
                       const struct certificate *certificate)
{
    static struct eviction eviction;
    uint8_t id[GOSSIP_HASH_SIZE];

    assert_true(eviction_verify(crypto, cluster.key, made, certificate));
    assert_true(eviction_read(crypto, &arena, made->bytes, made->size, &eviction));
    assert_true(eviction_verify(crypto, cluster.key, &eviction, certificate));
    assert_int_equal(eviction.size, made->size);
    assert_memory_equal(eviction.bytes, made->bytes, made->size);
    assert_memory_equal(made->last, last, count * sizeof(last[0]));
    assert_memory_equal(made->id, eviction.id, GOSSIP_HASH_SIZE);
    assert_memory_equal(eviction.key, dave.key, GOSSIP_KEY_SIZE);
    assert_int_equal(eviction.last_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_memory_equal(eviction.last[i].epoch, last[i].epoch, GOSSIP_EPOCH_SIZE);
        assert_true(eviction.last[i].seq == last[i].seq);
        assert_memory_equal(eviction.last[i].hash, last[i].hash, GOSSIP_HASH_SIZE);
    }
    assert_int_equal(eviction.has_issuer, issuer != NULL);
    if (issuer != NULL)
        assert_memory_equal(eviction.issuer, issuer->key, GOSSIP_KEY_SIZE);
    record_id(crypto, made->bytes, made->size, id);
    assert_memory_equal(eviction.id, id, GOSSIP_HASH_SIZE);
}

static void test_round_trip(void **state)
{
    static const size_t counts[] = {0, 1, 2, 63, 64};
    static struct eviction eviction;

    (void)state;
    for (size_t i = 0; i < COUNT(counts); i++) {
        eviction_make(crypto, cluster.key, dave.key, last, counts[i], NULL, cluster.secret,
                      &eviction);
        check_made(&eviction, counts[i], NULL, NULL);
        check_made(&eviction, counts[i], NULL, &alice_certificate); /* Which nobody asks for. */
        eviction_make(crypto, cluster.key, dave.key, last, counts[i], alice.key, alice.secret,
                      &eviction);
        check_made(&eviction, counts[i], &alice, &alice_certificate);
    }
    assert_int_equal(eviction.size, EVICTION_MAX); /* What the constant promises. */
}

static void test_cut(void **state)
{
    static const uint8_t unnamed[GOSSIP_EPOCH_SIZE] = {9};
    static struct eviction eviction;

    (void)state;
    eviction_make(crypto, cluster.key, dave.key, last, 3, NULL, cluster.secret, &eviction);
    for (size_t i = 0; i < 3; i++)
        assert_true(eviction_cut(&eviction, last[i].epoch) == last[i].seq + 1);
    assert_true(eviction_cut(&eviction, last[3].epoch) == 1);
    assert_true(eviction_cut(&eviction, unnamed) == 1);
}

/* Who has signed, with all else in order. */
static void test_issuer(void **state)
{
    static struct eviction eviction;
    struct certificate certificate;

    (void)state;
    eviction_make(crypto, cluster.key, dave.key, last, 2, alice.key, alice.secret, &eviction);
    assert_true(eviction_verify(crypto, cluster.key, &eviction, &alice_certificate));
    assert_false(eviction_verify(crypto, cluster.key, &eviction, NULL));
    assert_false(eviction_verify(crypto, cluster.key, &eviction, &bob_certificate));
    assert_false(eviction_verify(crypto, stranger.key, &eviction, &alice_certificate));

    /* The right to evict has been taken away, or a bit of the signature changed. */
    certificate_make(crypto, cluster.key, alice.key, "alice", GOSSIP_RIGHT_ADMIT, NULL,
                     cluster.secret, &certificate);
    assert_false(eviction_verify(crypto, cluster.key, &eviction, &certificate));
    certificate = alice_certificate;
    certificate.bytes[certificate.size - 1] ^= 1;
    assert_false(eviction_verify(crypto, cluster.key, &eviction, &certificate));

    /* Rights of later versions mean nothing, and take nothing away. */
    certificate_make(crypto, cluster.key, alice.key, "alice", UINT32_MAX, NULL, cluster.secret,
                     &certificate);
    assert_true(eviction_verify(crypto, cluster.key, &eviction, &certificate));
    certificate_make(crypto, cluster.key, alice.key, "alice", UINT32_MAX & ~GOSSIP_RIGHT_EVICT,
                     NULL, cluster.secret, &certificate);
    assert_false(eviction_verify(crypto, cluster.key, &eviction, &certificate));

    /* Of another cluster, signed by it or by its certificate's holder. */
    certificate_make(crypto, stranger.key, alice.key, "alice", GOSSIP_RIGHT_EVICT, NULL,
                     stranger.secret, &certificate);
    assert_false(eviction_verify(crypto, cluster.key, &eviction, &certificate));
    eviction_make(crypto, stranger.key, dave.key, last, 2, alice.key, alice.secret, &eviction);
    assert_false(eviction_verify(crypto, cluster.key, &eviction, &alice_certificate));
    eviction_make(crypto, stranger.key, dave.key, last, 2, NULL, stranger.secret, &eviction);
    assert_false(eviction_verify(crypto, cluster.key, &eviction, NULL));
    assert_true(eviction_verify(crypto, stranger.key, &eviction, NULL));

    /* In the name of the cluster, or of who may, by somebody else. */
    eviction_make(crypto, cluster.key, dave.key, last, 2, NULL, alice.secret, &eviction);
    assert_false(eviction_verify(crypto, cluster.key, &eviction, NULL));
    assert_false(eviction_verify(crypto, cluster.key, &eviction, &alice_certificate));
    eviction_make(crypto, cluster.key, dave.key, last, 2, alice.key, bob.secret, &eviction);
    assert_false(eviction_verify(crypto, cluster.key, &eviction, &alice_certificate));
    eviction_make(crypto, cluster.key, dave.key, last, 2, alice.key, cluster.secret, &eviction);
    assert_false(eviction_verify(crypto, cluster.key, &eviction, &alice_certificate));

    /* Who has signed may evict, but is not whom it names. */
    eviction_make(crypto, cluster.key, dave.key, last, 2, alice.key, erin.secret, &eviction);
    assert_false(eviction_verify(crypto, cluster.key, &eviction, &erin_certificate));

    /* Without the right; with it, but admitted by a node. */
    eviction_make(crypto, cluster.key, dave.key, last, 2, bob.key, bob.secret, &eviction);
    assert_false(eviction_verify(crypto, cluster.key, &eviction, &bob_certificate));
    eviction_make(crypto, cluster.key, dave.key, last, 2, carol.key, carol.secret, &eviction);
    assert_false(eviction_verify(crypto, cluster.key, &eviction, &carol_certificate));
}

static bool no_key_is_valid(const uint8_t *key)
{
    (void)key;
    return false;
}

/* An issuer whose key is unfit for a member is none, whatever a library makes of its signatures. */
static void test_issuer_key(void **state)
{
    static struct eviction eviction;
    struct gossip_crypto strict = *crypto;

    (void)state;
    strict.key_valid = no_key_is_valid;
    eviction_make(crypto, cluster.key, dave.key, last, 2, alice.key, alice.secret, &eviction);
    assert_false(eviction_verify(&strict, cluster.key, &eviction, &alice_certificate));
}

/* Evictions that eviction_make would not make, in order but for one thing. */
struct raw {
    uint8_t type;
    const char *domain;
    size_t key_size;
    const struct eviction_last *last;
    size_t last_count;
    size_t epoch_size;
    size_t hash_size;
    bool has_signature;
    size_t extra; /* Bytes after it. */
};

static size_t write_raw(const struct raw *raw, uint8_t *ret_bytes)
{
    uint8_t buffer[RAW_MAX];
    uint8_t part[128];
    uint8_t body[RAW_MAX];
    struct writer body_writer = {body, sizeof(body), 0, false};
    struct writer signed_writer = {buffer, sizeof(buffer), 0, false};
    struct writer writer = {ret_bytes, RAW_MAX, 0, false};
    uint8_t signature[GOSSIP_SIGNATURE_SIZE];
    uint8_t zeros[8] = {0};

    write_varint(&body_writer, 1 << 3 | 2);
    write_varint(&body_writer, raw->key_size);
    write_bytes(&body_writer, dave.key, raw->key_size);
    for (size_t i = 0; i < raw->last_count; i++) {
        struct writer part_writer = {part, sizeof(part), 0, false};

        write_varint(&part_writer, 1 << 3 | 2);
        write_varint(&part_writer, raw->epoch_size);
        write_bytes(&part_writer, raw->last[i].epoch, raw->epoch_size);
        write_varint(&part_writer, 2 << 3);
        write_varint(&part_writer, raw->last[i].seq);
        write_varint(&part_writer, 3 << 3 | 2);
        write_varint(&part_writer, raw->hash_size);
        write_bytes(&part_writer, raw->last[i].hash, raw->hash_size);
        assert_false(part_writer.failed);
        write_varint(&body_writer, 2 << 3 | 2);
        write_varint(&body_writer, part_writer.size);
        write_bytes(&body_writer, part, part_writer.size);
    }
    write_bytes(&signed_writer, raw->domain, strlen(raw->domain) + 1);
    write_bytes(&signed_writer, cluster.key, GOSSIP_KEY_SIZE);
    write_bytes(&signed_writer, body, body_writer.size);
    crypto->sign(signature, buffer, signed_writer.size, cluster.secret);

    write_fixed(&writer, raw->type, 1);
    write_bytes(&writer, body, body_writer.size);
    if (raw->has_signature)
        write_bytes(&writer, signature, sizeof(signature));
    write_bytes(&writer, zeros, raw->extra);
    assert_false(body_writer.failed || signed_writer.failed || writer.failed);
    return writer.size;
}

static const struct raw sound = {.type = GOSSIP_SIGNED_EVICTION,
                                 .domain = GOSSIP_DOMAIN_EVICTION,
                                 .key_size = GOSSIP_KEY_SIZE,
                                 .last = last,
                                 .last_count = 3,
                                 .epoch_size = GOSSIP_EPOCH_SIZE,
                                 .hash_size = GOSSIP_HASH_SIZE,
                                 .has_signature = true};

static bool takes(const struct raw *raw)
{
    uint8_t bytes[RAW_MAX];
    size_t size = write_raw(raw, bytes);

    return accepts(bytes, size, NULL);
}

static void test_rules(void **state)
{
    static struct eviction_last entries[GOSSIP_EVICTION_EPOCHS_MAX + 1];
    static struct eviction made;
    uint8_t bytes[RAW_MAX];
    struct raw raw = sound;

    (void)state;
    assert_true(takes(&sound)); /* And is what eviction_make makes: */
    eviction_make(crypto, cluster.key, dave.key, last, 3, NULL, cluster.secret, &made);
    assert_int_equal(write_raw(&sound, bytes), made.size);
    assert_memory_equal(bytes, made.bytes, made.size);

    raw.type = GOSSIP_SIGNED_CERTIFICATE;
    assert_false(takes(&raw));
    raw.type = GOSSIP_SIGNED_PROOF;
    assert_false(takes(&raw));
    raw = sound;
    raw.domain = GOSSIP_DOMAIN_CERTIFICATE;
    assert_false(takes(&raw));
    raw = sound;
    raw.key_size = GOSSIP_KEY_SIZE - 1;
    assert_false(takes(&raw));
    raw = sound;
    raw.epoch_size = GOSSIP_EPOCH_SIZE - 1;
    assert_false(takes(&raw));
    raw = sound;
    raw.hash_size = GOSSIP_HASH_SIZE - 1;
    assert_false(takes(&raw));
    raw = sound;
    raw.has_signature = false;
    assert_false(takes(&raw));
    raw = sound;
    raw.extra = 1;
    assert_false(takes(&raw));

    /* What is named: not more than 64, ascending, no two of one, by seqs that there are. */
    memcpy(entries, last, sizeof(last));
    entries[COUNT(last)] = last[COUNT(last) - 1];
    memset(entries[COUNT(last)].epoch, 0xff, GOSSIP_EPOCH_SIZE);
    raw = sound;
    raw.last = entries;
    raw.last_count = COUNT(last);
    assert_true(takes(&raw));
    raw.last_count = COUNT(last) + 1;
    assert_false(takes(&raw));
    raw.last_count = 3;
    entries[1] = last[2];
    entries[2] = last[1];
    assert_false(takes(&raw));
    entries[1] = last[1];
    assert_false(takes(&raw)); /* One twice. */
    entries[2] = last[2];
    assert_true(takes(&raw));
    entries[2].seq = 0;
    assert_false(takes(&raw));
    entries[2].seq = GOSSIP_COUNTER_MAX + 1;
    assert_false(takes(&raw));
    entries[2].seq = GOSSIP_COUNTER_MAX;
    assert_true(takes(&raw));
}

static void test_every_bit(void **state)
{
    static struct eviction eviction;
    const struct certificate *issuers[] = {NULL, &alice_certificate};

    (void)state;
    for (size_t i = 0; i < COUNT(issuers); i++) {
        eviction_make(crypto, cluster.key, dave.key, last, 2, i == 0 ? NULL : alice.key,
                      i == 0 ? cluster.secret : alice.secret, &eviction);
        assert_true(accepts(eviction.bytes, eviction.size, issuers[i]));
        for (size_t bit = 0; bit < 8 * eviction.size; bit++) {
            eviction.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (accepts(eviction.bytes, eviction.size, issuers[i]))
                fail_msg("bit %zu may be changed", bit);
            eviction.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t size = 0; size < eviction.size; size++)
            assert_false(accepts(eviction.bytes, size, issuers[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_cut),
        cmocka_unit_test(test_issuer),     cmocka_unit_test(test_issuer_key),
        cmocka_unit_test(test_rules),      cmocka_unit_test(test_every_bit),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
