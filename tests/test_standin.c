#include "cmd/lab/standin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cmd/lab/remembering.h"
#include "gossip/gossip.h"
#include "gossip/identity.h"
#include "gossip/splitmix.h"
#include "tests/property.h"
#include "transport/virtual.h"

enum { CASES = 3000, DATA_MAX = 300 };

/* libsodium, and how often it has been asked. */
static unsigned verifications;
static unsigned agreements;

const struct gossip_crypto *__real_gossip_crypto_sodium(void);
const struct gossip_crypto *__wrap_gossip_crypto_sodium(void);

static bool counted_verify(const uint8_t signature[GOSSIP_SIGNATURE_SIZE], const void *data,
                           size_t size, const uint8_t key[GOSSIP_KEY_SIZE])
{
    verifications++;
    return __real_gossip_crypto_sodium()->verify(signature, data, size, key);
}

static bool counted_agree(uint8_t ret_shared[32], const uint8_t secret[GOSSIP_SECRET_SIZE],
                          const uint8_t key[GOSSIP_KEY_SIZE])
{
    agreements++;
    return __real_gossip_crypto_sodium()->agree(ret_shared, secret, key);
}

const struct gossip_crypto *__wrap_gossip_crypto_sodium(void)
{
    static struct gossip_crypto table;

    table = *__real_gossip_crypto_sodium();
    table.verify = counted_verify;
    table.agree = counted_agree;
    return &table;
}

struct pair {
    uint8_t key[GOSSIP_KEY_SIZE];
    uint8_t secret[GOSSIP_SECRET_SIZE];
};

static void fill(struct splitmix *lots, uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(splitmix_next(lots) >> 32);
}

static struct pair draw_pair(const struct gossip_crypto *crypto, struct splitmix *lots)
{
    uint8_t seed[GOSSIP_SEED_SIZE];
    struct pair pair;

    fill(lots, seed, sizeof(seed));
    crypto->key_pair(seed, pair.key, pair.secret);
    return pair;
}

static struct splitmix start(void)
{
    return (struct splitmix){random_start()};
}

static void flip(uint8_t *bytes, size_t bit)
{
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

static void hash_bytes(uint8_t ret_hash[GOSSIP_HASH_SIZE], const void *data, size_t size)
{
    standin_crypto()->hash(ret_hash, &(struct gossip_piece){data, size}, 1);
}

/* However the pieces are cut, empty ones included, the hash is that of what they make. */
static void test_pieces(void **state)
{
    struct splitmix lots = start();
    const struct gossip_crypto *crypto = standin_crypto();

    (void)state;
    for (unsigned i = 0; i < CASES; i++) {
        uint8_t data[DATA_MAX];
        uint8_t key[64];
        struct gossip_piece pieces[20];
        size_t size = (size_t)splitmix_below(&lots, sizeof(data) + 1);
        size_t key_size = (size_t)splitmix_between(&lots, 16, 64);
        size_t offset = 0;
        size_t count = 0;
        uint8_t hash[GOSSIP_HASH_SIZE];
        uint8_t other[GOSSIP_HASH_SIZE];

        fill(&lots, data, size);
        fill(&lots, key, key_size);
        while (offset < size && count < 18) {
            size_t left = size - offset;
            size_t part = (size_t)splitmix_below(&lots, left < 90 ? left + 1 : 90);

            pieces[count++] = (struct gossip_piece){data + offset, part};
            offset += part;
        }
        pieces[count++] = (struct gossip_piece){data + offset, size - offset};
        pieces[count++] = (struct gossip_piece){NULL, 0};
        hash_bytes(hash, data, size);
        crypto->hash(other, pieces, count);
        assert_memory_equal(hash, other, sizeof(hash));
        crypto->keyed_hash(hash, key, key_size, &(struct gossip_piece){data, size}, 1);
        crypto->keyed_hash(other, key, key_size, pieces, count);
        assert_memory_equal(hash, other, 16);
    }
}

/* Each bit of the data and of its length changes each part of the hash. */
static void test_hash_of_altered(void **state)
{
    static const size_t sizes[] = {1, 7, 8, 16, 31, 63, 64, 65, 127, 128, 129, 200};
    uint8_t data[DATA_MAX] = {0};
    uint8_t hash[GOSSIP_HASH_SIZE];
    uint8_t other[GOSSIP_HASH_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        hash_bytes(hash, data, sizes[i]);
        for (size_t bit = 0; bit <= 8 * sizes[i]; bit++) {
            if (bit < 8 * sizes[i]) {
                flip(data, bit);
                hash_bytes(other, data, sizes[i]);
                flip(data, bit);
            } else {
                hash_bytes(other, data, sizes[i] + 1); /* One more zero. */
            }
            for (size_t part = 0; part < sizeof(hash); part += 8)
                assert_memory_not_equal(hash + part, other + part, 8);
        }
    }
}

static int compare_words(const void *a, const void *b)
{
    const uint64_t *left = a;
    const uint64_t *right = b;

    return (*left > *right) - (*left < *right);
}

/* Hashes of what is much alike (numbers, at any place of a block) do not collide even in eight of
 * their bytes, and each of their bits is set about as often as not. */
static void test_hash_of_similar(void **state)
{
    enum { PLACES = 9, NUMBERS = 2000, COUNT = PLACES * NUMBERS };
    static const size_t places[PLACES] = {0, 8, 16, 24, 32, 40, 48, 56, 100};
    static uint64_t words[4][COUNT];
    unsigned ones[256] = {0};
    size_t count = 0;

    (void)state;
    for (size_t place = 0; place < PLACES; place++) {
        for (uint64_t number = 1; number <= NUMBERS; number++) {
            uint8_t data[128] = {0};
            uint8_t hash[GOSSIP_HASH_SIZE];

            data[places[place]] = (uint8_t)number;
            data[places[place] + 1] = (uint8_t)(number >> 8);
            hash_bytes(hash, data, sizeof(data));
            for (unsigned i = 0; i < 4; i++)
                memcpy(&words[i][count], hash + 8 * i, 8);
            for (unsigned bit = 0; bit < 256; bit++)
                ones[bit] += hash[bit / 8] >> bit % 8 & 1;
            count++;
        }
    }
    assert_int_equal(count, COUNT);
    for (unsigned i = 0; i < 4; i++) {
        qsort(words[i], COUNT, sizeof(words[i][0]), compare_words);
        for (size_t j = 1; j < COUNT; j++)
            assert_int_not_equal(words[i][j - 1], words[i][j]);
    }
    for (unsigned bit = 0; bit < 256; bit++)
        assert_in_range(ones[bit], COUNT * 47 / 100, COUNT * 53 / 100);
}

/* Keys of any two sizes or bits, and no key, make hashes of their own. */
static void test_keyed_hash(void **state)
{
    const struct gossip_crypto *crypto = standin_crypto();
    const struct gossip_piece piece = {"gossip", 6};
    uint8_t key[64] = {0};
    uint8_t hashes[49][16];
    uint8_t plain[GOSSIP_HASH_SIZE];
    uint8_t other[16];

    (void)state;
    crypto->hash(plain, &piece, 1);
    for (size_t size = 16; size <= 64; size++) {
        crypto->keyed_hash(hashes[size - 16], key, size, &piece, 1);
        assert_memory_not_equal(hashes[size - 16], plain, 16);
        for (size_t i = 16; i < size; i++)
            assert_memory_not_equal(hashes[size - 16], hashes[i - 16], 16);
    }
    for (size_t bit = 0; bit < 8 * 64; bit++) {
        flip(key, bit);
        crypto->keyed_hash(other, key, 64, &piece, 1);
        flip(key, bit);
        assert_memory_not_equal(other, hashes[48], 16);
    }
}

static void test_keys(void **state)
{
    struct splitmix lots = start();
    const struct gossip_crypto *crypto = standin_crypto();
    uint8_t unfit[GOSSIP_KEY_SIZE] = {0};
    struct pair last = {0};
    struct pair pair;
    uint8_t shared[32];

    (void)state;
    assert_false(crypto->key_valid(unfit));
    unfit[0] = 1;
    assert_false(crypto->key_valid(unfit));
    memset(unfit, 0xff, sizeof(unfit));
    assert_false(crypto->key_valid(unfit));
    for (unsigned i = 0; i < CASES; i++) {
        uint8_t seed[GOSSIP_SEED_SIZE];

        fill(&lots, seed, sizeof(seed));
        crypto->key_pair(seed, pair.key, pair.secret);
        assert_true(crypto->key_valid(pair.key));
        assert_memory_equal(pair.secret, seed, sizeof(seed));
        assert_memory_equal(pair.secret + GOSSIP_SEED_SIZE, pair.key, sizeof(pair.key));
        assert_memory_not_equal(pair.key, last.key, sizeof(pair.key));
        last = pair;
        pair.key[GOSSIP_KEY_SIZE - 1] |= 0x80;
        assert_false(crypto->key_valid(pair.key));
        assert_false(crypto->agree(shared, last.secret, pair.key));
    }
    assert_false(crypto->agree(shared, last.secret, unfit));
}

/* Two agree on one key, and no other two on the same. */
static void test_agreement(void **state)
{
    struct splitmix lots = start();
    const struct gossip_crypto *crypto = standin_crypto();
    struct pair pairs[3];

    (void)state;
    for (unsigned i = 0; i < CASES; i++) {
        uint8_t shared[4][32];

        for (unsigned j = 0; j < 3; j++)
            pairs[j] = draw_pair(crypto, &lots);
        assert_true(crypto->agree(shared[0], pairs[0].secret, pairs[1].key));
        assert_true(crypto->agree(shared[1], pairs[1].secret, pairs[0].key));
        assert_memory_equal(shared[0], shared[1], 32);
        assert_true(crypto->agree(shared[2], pairs[2].secret, pairs[1].key));
        assert_memory_not_equal(shared[0], shared[2], 32);
        assert_true(crypto->agree(shared[3], pairs[0].secret, pairs[0].key));
        assert_memory_not_equal(shared[0], shared[3], 32);
    }
}

/* Whatever bit is altered, of signature, data or key, it does not verify. */
static void test_altered_signatures(void **state)
{
    struct splitmix lots = start();
    const struct gossip_crypto *crypto = standin_crypto();
    struct pair pair = draw_pair(crypto, &lots);
    uint8_t data[100];
    uint8_t signature[GOSSIP_SIGNATURE_SIZE];

    (void)state;
    fill(&lots, data, sizeof(data));
    for (size_t size = 0; size < sizeof(data); size += 33) {
        struct {
            uint8_t *bytes;
            size_t size;
        } parts[] = {{signature, sizeof(signature)}, {data, size}, {pair.key, sizeof(pair.key)}};

        crypto->sign(signature, data, size, pair.secret);
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
            for (size_t bit = 0; bit < 8 * parts[i].size; bit++) {
                flip(parts[i].bytes, bit);
                assert_false(crypto->verify(signature, data, size, pair.key));
                flip(parts[i].bytes, bit);
            }
        }
        assert_true(crypto->verify(signature, data, size, pair.key));
        assert_false(crypto->verify(signature, data, size + 1, pair.key));
        if (size > 0)
            assert_false(crypto->verify(signature, data, size - 1, pair.key));
    }
}

/* What does not open is not written. */
static void test_altered_boxes(void **state)
{
    struct splitmix lots = start();
    const struct gossip_crypto *crypto = standin_crypto();
    uint8_t key[32];
    uint8_t nonce[GOSSIP_BOX_NONCE_SIZE];
    uint8_t header[56];
    uint8_t plain[75];
    uint8_t cipher[sizeof(plain) + GOSSIP_BOX_TAG_SIZE];
    uint8_t opened[sizeof(cipher)];
    uint8_t untouched[sizeof(cipher)];
    struct {
        uint8_t *bytes;
        size_t size;
    } parts[] = {{key, sizeof(key)},
                 {nonce, sizeof(nonce)},
                 {header, sizeof(header)},
                 {cipher, sizeof(cipher)}};

    (void)state;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        fill(&lots, parts[i].bytes, parts[i].size);
    fill(&lots, plain, sizeof(plain));
    memset(opened, 0x5a, sizeof(opened));
    memset(untouched, 0x5a, sizeof(untouched));
    crypto->box_seal(cipher, plain, sizeof(plain), header, sizeof(header), nonce, key);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        for (size_t bit = 0; bit < 8 * parts[i].size; bit++) {
            flip(parts[i].bytes, bit);
            assert_false(crypto->box_open(opened, cipher, sizeof(cipher), header, sizeof(header),
                                          nonce, key));
            flip(parts[i].bytes, bit);
        }
    }
    for (size_t size = 0; size < sizeof(cipher); size++)
        assert_false(crypto->box_open(opened, cipher, size, header, sizeof(header), nonce, key));
    for (size_t size = 0; size < sizeof(header); size++)
        assert_false(crypto->box_open(opened, cipher, sizeof(cipher), header, size, nonce, key));
    assert_memory_equal(opened, untouched, sizeof(opened));
    assert_true(
        crypto->box_open(opened, cipher, sizeof(cipher), header, sizeof(header), nonce, key));
    assert_memory_equal(opened, plain, sizeof(plain));
    assert_memory_equal(opened + sizeof(plain), untouched, GOSSIP_BOX_TAG_SIZE);
}

/* Of every size, also none; and what is in it does not show. */
static void test_boxes(void **state)
{
    struct splitmix lots = start();
    const struct gossip_crypto *crypto = standin_crypto();

    (void)state;
    for (unsigned i = 0; i < CASES; i++) {
        uint8_t key[32];
        uint8_t nonce[GOSSIP_BOX_NONCE_SIZE];
        uint8_t header[64];
        uint8_t plain[DATA_MAX] = {0};
        uint8_t cipher[DATA_MAX + GOSSIP_BOX_TAG_SIZE];
        uint8_t opened[DATA_MAX];
        size_t size = i % (DATA_MAX + 1);
        size_t header_size = (size_t)splitmix_below(&lots, sizeof(header) + 1);
        unsigned zeros = 0;

        fill(&lots, key, sizeof(key));
        fill(&lots, nonce, sizeof(nonce));
        fill(&lots, header, header_size);
        if (i % 2 == 0)
            fill(&lots, plain, size);
        crypto->box_seal(cipher, plain, size, header, header_size, nonce, key);
        for (size_t j = 0; j < size; j++)
            zeros += cipher[j] == 0;
        assert_in_range(zeros, 0, 12);
        assert_true(crypto->box_open(opened, cipher, size + GOSSIP_BOX_TAG_SIZE, header,
                                     header_size, nonce, key));
        assert_memory_equal(opened, plain, size);
    }
}

/* A longer stream begins with the shorter one, and all numbers have their own. */
static void test_streams(void **state)
{
    const struct gossip_crypto *crypto = standin_crypto();
    uint8_t key[32] = {1};
    uint8_t whole[4096];
    uint8_t part[4096];
    unsigned counts[256] = {0};

    (void)state;
    crypto->stream(whole, sizeof(whole), key, 7);
    for (size_t size = 0; size < 100; size++) {
        memset(part, 0x5a, sizeof(part));
        crypto->stream(part, size, key, 7);
        assert_memory_equal(part, whole, size);
        assert_int_equal(part[size], 0x5a);
    }
    for (uint64_t number = 0; number < 256; number++) {
        crypto->stream(part, sizeof(part), key, number);
        assert_int_equal(memcmp(part, whole, 8) == 0, number == 7);
        for (size_t i = 0; i < sizeof(part); i++)
            counts[part[i]]++;
    }
    for (unsigned i = 0; i < 256; i++)
        assert_in_range(counts[i], 4096 * 9 / 10, 4096 * 11 / 10);
    for (size_t bit = 0; bit < 8 * sizeof(key); bit++) {
        flip(key, bit);
        crypto->stream(part, 32, key, 7);
        flip(key, bit);
        assert_memory_not_equal(part, whole, 32);
    }
}

static uint64_t first_word(const uint8_t *bytes)
{
    uint64_t word = 0;

    for (unsigned i = 0; i < 8; i++)
        word |= (uint64_t)bytes[i] << 8 * i;
    return word;
}

/* The same with every compiler: a change of these makes another run of every recorded seed. */
static void test_golden(void **state)
{
    const struct gossip_crypto *crypto = standin_crypto();
    uint8_t data[200];
    uint8_t hash[GOSSIP_HASH_SIZE];
    uint8_t signature[GOSSIP_SIGNATURE_SIZE];
    uint8_t box[sizeof(data) + GOSSIP_BOX_TAG_SIZE];
    struct pair pair;
    struct pair other;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)i;
    hash_bytes(hash, data, 0);
    assert_int_equal(first_word(hash), UINT64_C(0xa993cfb00e1eab35));
    hash_bytes(hash, data, 64);
    assert_int_equal(first_word(hash), UINT64_C(0xc3389e8e99fe0d27));
    hash_bytes(hash, data, sizeof(data));
    assert_int_equal(first_word(hash), UINT64_C(0xd886bdcfcfa80a04));
    assert_int_equal(first_word(hash + 24), UINT64_C(0x2ecff165431bdcc0));
    crypto->keyed_hash(hash, data, 32, &(struct gossip_piece){data, 10}, 1);
    assert_int_equal(first_word(hash), UINT64_C(0x1e0d553c6d98bfdb));
    crypto->key_pair(data, pair.key, pair.secret);
    crypto->key_pair(data + 1, other.key, other.secret);
    assert_int_equal(first_word(pair.key), UINT64_C(0x07217a3e360ef2a0));
    crypto->sign(signature, data, sizeof(data), pair.secret);
    assert_int_equal(first_word(signature), UINT64_C(0x5ada18c1646c8763));
    assert_int_equal(first_word(signature + 56), UINT64_C(0x7c25f372696bd6e2));
    assert_true(crypto->agree(hash, pair.secret, other.key));
    assert_int_equal(first_word(hash), UINT64_C(0xdbf8868f2873f404));
    crypto->box_seal(box, data, sizeof(data), data, 56, data, data);
    assert_int_equal(first_word(box + sizeof(data) - 8), UINT64_C(0x5efb3ee14ee307b6));
    assert_int_equal(first_word(box + sizeof(data)), UINT64_C(0xed9eb25602bbcb5f));
    crypto->stream(box, 20, data, 3);
    assert_int_equal(first_word(box + 12), UINT64_C(0x45d16e2918baa2db));
}

/* Right and wrong signatures, in any order and again: as libsodium says. Data is short, so that
 * much is asked more than once. */
static void test_remembered_signatures(void **state)
{
    struct splitmix lots = start();
    const struct gossip_crypto *sodium = gossip_crypto_sodium();
    const struct gossip_crypto *remembering = remembering_crypto();
    struct pair pairs[4];
    unsigned fitting = 0;

    (void)state;
    remembering_crypto_forget();
    for (unsigned i = 0; i < 4; i++)
        pairs[i] = draw_pair(sodium, &lots);
    for (unsigned i = 0; i < CASES; i++) {
        const struct pair *pair = &pairs[splitmix_below(&lots, 4)];
        uint8_t data[4] = {(uint8_t)splitmix_below(&lots, 4)};
        uint8_t signature[GOSSIP_SIGNATURE_SIZE];
        uint8_t key[GOSSIP_KEY_SIZE];
        size_t size = (size_t)splitmix_below(&lots, sizeof(data) + 1);
        bool expected;

        (i % 2 == 0 ? sodium : remembering)->sign(signature, data, size, pair->secret);
        memcpy(key, pair->key, sizeof(key));
        if (i % 7 == 0)
            flip(signature, (size_t)splitmix_below(&lots, 8 * sizeof(signature)));
        if (i % 7 == 1)
            flip(data, (size_t)splitmix_below(&lots, 8 * sizeof(data)));
        if (i % 7 == 2)
            memcpy(key, pairs[splitmix_below(&lots, 4)].key, sizeof(key));
        if (i % 7 == 3)
            size = (size_t)splitmix_below(&lots, sizeof(data) + 1);
        expected = sodium->verify(signature, data, size, key);
        fitting += expected;
        assert_int_equal(remembering->verify(signature, data, size, key), expected);
        assert_int_equal(remembering->verify(signature, data, size, key), expected);
        if (i % 1000 == 999)
            remembering_crypto_forget();
    }
    assert_in_range(fitting, CASES / 3, CASES * 9 / 10);
}

/* A signature that is remembered, altered in each of its bits, and in those of data and key. */
static void test_remembered_then_altered(void **state)
{
    struct splitmix lots = start();
    const struct gossip_crypto *remembering = remembering_crypto();
    struct pair pair = draw_pair(remembering, &lots);
    uint8_t data[20];
    uint8_t signature[GOSSIP_SIGNATURE_SIZE];
    struct {
        uint8_t *bytes;
        size_t size;
    } parts[] = {{signature, sizeof(signature)}, {data, sizeof(data)}, {pair.key, 32}};

    (void)state;
    fill(&lots, data, sizeof(data));
    remembering->sign(signature, data, sizeof(data), pair.secret);
    assert_true(remembering->verify(signature, data, sizeof(data), pair.key));
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        for (size_t bit = 0; bit < 8 * parts[i].size; bit++) {
            flip(parts[i].bytes, bit);
            assert_false(remembering->verify(signature, data, sizeof(data), pair.key));
            flip(parts[i].bytes, bit);
        }
    }
    assert_true(remembering->verify(signature, data, sizeof(data), pair.key));
}

static void test_remembered_agreements(void **state)
{
    struct splitmix lots = start();
    const struct gossip_crypto *sodium = gossip_crypto_sodium();
    const struct gossip_crypto *remembering = remembering_crypto();
    struct pair pairs[20];
    uint8_t unfit[GOSSIP_KEY_SIZE] = {1};
    uint8_t expected[32];
    uint8_t shared[32];

    (void)state;
    for (unsigned i = 0; i < 20; i++)
        pairs[i] = draw_pair(sodium, &lots);
    for (unsigned i = 0; i < 2 * 20 * 20; i++) {
        const struct pair *ours = &pairs[i % 20];
        const struct pair *theirs = &pairs[i / 20 % 20];

        assert_true(sodium->agree(expected, ours->secret, theirs->key));
        assert_true(remembering->agree(shared, ours->secret, theirs->key));
        assert_memory_equal(shared, expected, sizeof(shared));
        assert_false(remembering->agree(shared, ours->secret, unfit));
        assert_memory_equal(shared, expected, sizeof(shared)); /* Nothing is written. */
    }
}

/* Each is asked once, whatever the answer, until it is forgotten. */
static void test_asked_once(void **state)
{
    struct splitmix lots = start();
    const struct gossip_crypto *remembering = remembering_crypto();
    struct pair pair = draw_pair(remembering, &lots);
    struct pair other = draw_pair(remembering, &lots);
    uint8_t signature[GOSSIP_SIGNATURE_SIZE];
    uint8_t unfit[GOSSIP_KEY_SIZE] = {1};
    uint8_t shared[32];

    (void)state;
    gossip_crypto_sodium()->sign(signature, "hello", 5, pair.secret);
    for (unsigned round = 1; round <= 2; round++) {
        remembering_crypto_forget();
        verifications = 0;
        agreements = 0;
        for (unsigned i = 0; i < 3; i++) {
            assert_true(remembering->verify(signature, "hello", 5, pair.key));
            assert_false(remembering->verify(signature, "hellO", 5, pair.key));
            assert_true(remembering->agree(shared, pair.secret, other.key));
            assert_false(remembering->agree(shared, pair.secret, unfit));
        }
        assert_int_equal(verifications, 2);
        assert_int_equal(agreements, 2);
    }
}

/* What was signed here needs not be asked for, unless the key is of two halves. */
static void test_signed_here(void **state)
{
    struct splitmix lots = start();
    const struct gossip_crypto *remembering = remembering_crypto();
    struct pair pair = draw_pair(remembering, &lots);
    struct pair other = draw_pair(remembering, &lots);
    uint8_t signature[GOSSIP_SIGNATURE_SIZE];
    uint8_t expected[GOSSIP_SIGNATURE_SIZE];

    (void)state;
    remembering_crypto_forget();
    verifications = 0;
    for (unsigned i = 0; i < 2; i++) {
        remembering->sign(signature, "hello", 5, pair.secret);
        gossip_crypto_sodium()->sign(expected, "hello", 5, pair.secret);
        assert_memory_equal(signature, expected, sizeof(signature));
        assert_true(remembering->verify(signature, "hello", 5, pair.key));
        assert_int_equal(verifications, 0);
    }
    memcpy(pair.secret + GOSSIP_SEED_SIZE, other.key, sizeof(other.key));
    for (unsigned i = 0; i < 2; i++) {
        remembering->sign(signature, "hello", 5, pair.secret);
        assert_false(remembering->verify(signature, "hello", 5, pair.key));
        assert_false(remembering->verify(signature, "hello", 5, other.key));
        assert_int_equal(verifications, 2);
    }
}

/* A cluster of three on a virtual network, to which all that happens is put into one number. */
enum { NODES = 3 };

struct member {
    struct gossip_time time;
    struct world *world;
    struct gossip_store *store;
    struct gossip_transport *transport;
    struct gossip_identity *identity;
    struct gossip *gossip;
    unsigned delivered;
};

struct world {
    struct splitmix lots;
    uint64_t now_ms;
    struct virtual_network *network;
    struct member members[NODES];
    uint64_t trace; /* Of all that was sent. */
    uint64_t sent;
    uint64_t forged;
};

static struct world *world_of(struct gossip_time *time)
{
    return ((struct member *)time)->world;
}

static uint64_t world_monotonic(struct gossip_time *time)
{
    return world_of(time)->now_ms;
}

static uint64_t world_wall(struct gossip_time *time)
{
    return UINT64_C(1800000000000) + world_of(time)->now_ms;
}

static int world_random(struct gossip_time *time, uint8_t *buffer, size_t size)
{
    fill(&world_of(time)->lots, buffer, size);
    return GOSSIP_OK;
}

static const struct gossip_time_ops world_time = {world_monotonic, world_wall, world_random};

static bool trace(void *context, unsigned from, unsigned to, const struct gossip_datagram *datagram)
{
    struct world *world = context;

    world->trace = (world->trace ^ from << 8 ^ to) * UINT64_C(0x100000001b3);
    for (size_t i = 0; i < datagram->size; i++)
        world->trace = (world->trace ^ datagram->data[i]) * UINT64_C(0x100000001b3);
    world->sent++;
    return false;
}

static struct gossip_address address_of(unsigned node)
{
    struct gossip_address address = {.port = (uint16_t)(7000 + node)};

    address.ip[15] = 1;
    return address;
}

static void add_member(struct world *world, const struct gossip_crypto *crypto,
                       const struct gossip_cluster *cluster, unsigned node)
{
    struct member *member = &world->members[node];
    const char name[] = {'n', (char)('1' + node), '\0'};
    uint8_t seed[GOSSIP_SEED_SIZE];
    struct gossip_address address = address_of(node);
    struct gossip_address first = address_of(0);
    struct gossip_options options = {.size = sizeof(options),
                                     .time = &member->time,
                                     .crypto = crypto,
                                     .joins = &first,
                                     .join_count = node > 0};

    member->time.ops = &world_time;
    member->world = world;
    fill(&world->lots, seed, sizeof(seed));
    assert_int_equal(identity_make(crypto, cluster, name, 0, seed, &member->identity), GOSSIP_OK);
    assert_true(identity_is_sound(crypto, member->identity));
    assert_int_equal(gossip_memory_open(&member->store), GOSSIP_OK);
    member->transport = virtual_network_open(world->network, node, &address);
    assert_non_null(member->transport);
    options.identity = member->identity;
    options.store = member->store;
    options.transport = member->transport;
    assert_int_equal(gossip_create(&options, &member->gossip), GOSSIP_OK);
}

static void step(struct world *world)
{
    for (unsigned i = 0; i < NODES; i++) {
        struct member *member = &world->members[i];
        struct gossip_event event;

        assert_int_equal(gossip_run(member->gossip), GOSSIP_OK);
        while (gossip_event_pop(member->gossip, &event) == 1) {
            assert_int_equal(event.size, 5);
            assert_memory_equal(event.data, "hello", 5);
            member->delivered++;
        }
    }
    world->now_ms += 10;
    virtual_network_advance(world->network, world->now_ms);
}

/* Thirty virtual seconds, an event a second from each in turn, then quiet. What came of it. */
static struct world live(const struct gossip_crypto *crypto, uint32_t corrupt_ppm)
{
    struct world world = {.lots = {77}, .network = virtual_network_create(77, NODES)};
    uint8_t seeds[GOSSIP_SEED_SIZE + GOSSIP_CLUSTER_SECRET_SIZE];
    struct virtual_link link = {
        .latency_ms = 5, .jitter_ms = 20, .loss_ppm = 50000, .corrupt_ppm = corrupt_ppm};
    struct gossip_cluster *cluster;

    assert_non_null(world.network);
    virtual_network_set_tap(world.network, trace, &world);
    fill(&world.lots, seeds, sizeof(seeds));
    assert_int_equal(cluster_make(crypto, seeds, seeds + GOSSIP_SEED_SIZE, &cluster), GOSSIP_OK);
    virtual_network_set_default(world.network, &link);
    for (unsigned i = 0; i < NODES; i++)
        add_member(&world, crypto, cluster, i);
    gossip_cluster_destroy(cluster);
    for (unsigned i = 0; i < 6000; i++) {
        uint64_t ticket;

        if (i % 100 == 0 && i < 3000)
            assert_int_equal(
                gossip_publish(world.members[i / 100 % NODES].gossip, "hello", 5, &ticket),
                GOSSIP_OK);
        step(&world);
    }
    for (unsigned i = 0; i < NODES; i++) {
        struct member *member = &world.members[i];
        struct gossip_stats stats;

        assert_int_equal(member->delivered, 30);
        gossip_stats(member->gossip, &stats);
        world.forged += stats.datagrams[GOSSIP_DATAGRAM_FORGED];
        gossip_destroy(member->gossip);
        member->transport->ops->close(member->transport);
        member->store->ops->close(member->store);
        gossip_identity_destroy(member->identity);
    }
    virtual_network_destroy(world.network);
    return world;
}

/* All is delivered everywhere, and again the same. */
static void test_nodes_with_standin(void **state)
{
    struct world first = live(standin_crypto(), 0);
    struct world second = live(standin_crypto(), 0);

    (void)state;
    assert_int_equal(first.forged, 0);
    assert_int_equal(first.trace, second.trace);
    assert_int_equal(first.sent, second.sent);
}

/* What the network alters is refused, as forged where it reaches a box. */
static void test_nodes_refuse_altered(void **state)
{
    struct world world = live(standin_crypto(), 100000);

    (void)state;
    assert_in_range(world.forged, world.sent / 40, world.sent / 8);
}

/* Nodes cannot tell whether libsodium remembers. */
static void test_nodes_with_remembering(void **state)
{
    struct world sodium;
    struct world remembering;
    unsigned asked;

    (void)state;
    verifications = 0;
    sodium = live(gossip_crypto_sodium(), 100000);
    asked = verifications;
    verifications = 0;
    remembering_crypto_forget();
    remembering = live(remembering_crypto(), 100000);
    assert_true(asked > 100);
    assert_int_equal(verifications, 0); /* All that came to a verification was signed here. */
    assert_int_equal(sodium.trace, remembering.trace);
    assert_int_equal(sodium.sent, remembering.sent);
    assert_int_equal(sodium.forged, remembering.forged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_hash_of_altered),
        cmocka_unit_test(test_hash_of_similar),
        cmocka_unit_test(test_keyed_hash),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_agreement),
        cmocka_unit_test(test_altered_signatures),
        cmocka_unit_test(test_altered_boxes),
        cmocka_unit_test(test_boxes),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_remembered_signatures),
        cmocka_unit_test(test_remembered_then_altered),
        cmocka_unit_test(test_remembered_agreements),
        cmocka_unit_test(test_asked_once),
        cmocka_unit_test(test_signed_here),
        cmocka_unit_test(test_nodes_with_standin),
        cmocka_unit_test(test_nodes_refuse_altered),
        cmocka_unit_test(test_nodes_with_remembering),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
