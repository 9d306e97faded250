#include "gossip/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { BYTES_MAX = 1024 };

struct bytes {
    uint8_t data[BYTES_MAX];
    size_t size;
};

static struct bytes from_hex_part(const char *hex, size_t length)
{
    struct bytes bytes = {.size = length / 2};

    assert_int_equal(length % 2, 0);
    assert_true(bytes.size <= BYTES_MAX);
    for (size_t i = 0; i < bytes.size; i++) {
        unsigned value;

        assert_int_equal(sscanf(hex + 2 * i, "%2x", &value), 1);
        bytes.data[i] = (uint8_t)value;
    }
    return bytes;
}

static struct bytes from_hex(const char *hex)
{
    return from_hex_part(hex, strlen(hex));
}

static struct bytes from_hex_of_size(const char *hex, size_t size)
{
    struct bytes bytes = from_hex(hex);

    assert_int_equal(bytes.size, size);
    return bytes;
}

static bool verify(const struct bytes *signature, const struct bytes *message,
                   const struct bytes *key)
{
    assert_int_equal(signature->size, GOSSIP_SIGNATURE_SIZE);
    assert_int_equal(key->size, GOSSIP_KEY_SIZE);
    return gossip_crypto_sodium()->verify(signature->data, message->data, message->size, key->data);
}

/* Verdicts on signatures that implementations disagree about. */

struct vector {
    struct bytes message;
    struct bytes key;
    struct bytes signature;
};

static void read_file(const char *name, char *text, size_t capacity)
{
    char path[4096];
    FILE *file;
    size_t size;

    snprintf(path, sizeof(path), "%s/%s", TEST_VECTORS, name);
    file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("cannot open %s", path);
    size = fread(text, 1, capacity - 1, file);
    assert_true(feof(file));
    fclose(file);
    text[size] = '\0';
}

/* The value of a member of hexadecimal digits; moves *at behind it. */
static struct bytes take_member(const char **at, const char *name)
{
    char quoted[64];
    const char *start;
    const char *end;

    snprintf(quoted, sizeof(quoted), "\"%s\"", name);
    start = strstr(*at, quoted);
    assert_non_null(start);
    start = strchr(start + strlen(quoted), '"');
    assert_non_null(start);
    end = strchr(++start, '"');
    assert_non_null(end);
    *at = end;
    return from_hex_part(start, (size_t)(end - start));
}

static size_t read_vectors(const char *name, struct vector *vectors, size_t capacity)
{
    char text[8192];
    const char *at = text;
    size_t count = 0;

    read_file(name, text, sizeof(text));
    while (strstr(at, "\"message\"") != NULL) {
        assert_true(count < capacity);
        vectors[count].message = take_member(&at, "message");
        vectors[count].key = take_member(&at, "pub_key");
        vectors[count].signature = take_member(&at, "signature");
        count++;
    }
    return count;
}

enum verdict {
    ACCEPTED,
    REFUSED,
    NOT_ASKED, /* Versions of libsodium differ, and the key, being unfit, never comes so far. */
};

struct golden {
    bool key_valid;
    enum verdict verify;
    const char *what;
};

static void check_golden(const char *name, const struct golden *golden, size_t count)
{
    struct vector vectors[16];

    assert_int_equal(read_vectors(name, vectors, 16), count);
    for (size_t i = 0; i < count; i++) {
        const struct vector *vector = &vectors[i];

        if (gossip_crypto_sodium()->key_valid(vector->key.data) != golden[i].key_valid)
            fail_msg("%s %zu (%s): the verdict on the key has changed", name, i, golden[i].what);
        if (golden[i].verify == NOT_ASKED)
            assert_false(golden[i].key_valid);
        else if (verify(&vector->signature, &vector->message, &vector->key) !=
                 (golden[i].verify == ACCEPTED))
            fail_msg("%s %zu (%s): the verdict has changed", name, i, golden[i].what);
    }
}

static void test_speccheck(void **state)
{
    static const struct golden golden[12] = {
        {false, REFUSED, "key and R of small order, S = 0"},
        {false, REFUSED, "key of small order, R of mixed order"},
        {false, REFUSED, "key of mixed order, R of small order"},
        {false, NOT_ASKED, "key and R of mixed order, plain equation holds"},
        {false, NOT_ASKED, "key and R of mixed order, only the multiplied equation holds"},
        {false, NOT_ASKED, "key of mixed order, only the multiplied equation holds"},
        {true, REFUSED, "S above the group order"},
        {true, REFUSED, "S far above the group order"},
        {false, REFUSED, "key of mixed order, R of small order and not canonical"},
        {false, REFUSED, "key of mixed order, R of small order and not canonical, hashed reduced"},
        {false, REFUSED, "key of small order and not canonical"},
        {false, REFUSED, "key of small order and not canonical, hashed reduced"},
    };

    (void)state;
    check_golden("ed25519-speccheck.json", golden, 12);
}

static void test_mixed_order_r(void **state)
{
    static const struct golden golden[1] = {
        {true, REFUSED, "fit key, R of mixed order"},
    };

    (void)state;
    check_golden("ed25519-mixed-order-r.json", golden, 1);
}

/* The owner of a fit key made these on purpose: both equations hold with R as the identity. */
static void test_identity_r(void **state)
{
    static const char *const signatures[] = {
        /* y = 1 */
        "0100000000000000000000000000000000000000000000000000000000000000"
        "8ec518cd4011d58a0891d8325d853afd50d4a87216c12055b7bf886b1a140202",
        /* y = 1 + p */
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"
        "816c91ace880ad234142a999a6faa6ad792858e24b3002023b67291cb4088802",
    };
    struct bytes key = from_hex("3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29");
    struct bytes message = from_hex("676f73736970206576656e74");

    (void)state;
    assert_true(gossip_crypto_sodium()->key_valid(key.data));
    for (size_t i = 0; i < 2; i++) {
        struct bytes signature = from_hex(signatures[i]);

        assert_false(verify(&signature, &message, &key));
    }
}

static void test_unfit_keys(void **state)
{
    static const char *const keys[] = {
        /* The eight points of small order, in each of their encodings. */
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000", /* Identity. */
        "0100000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* Identity. */
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        /* No point has y = 2. */
        "0200000000000000000000000000000000000000000000000000000000000000",
        /* All other points that can be written with y + p, which is not canonical. */
        "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "f1ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "f2ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "f7ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "fbffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "fcffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "fdffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        /* Of mixed order. */
        "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
    };
    const struct gossip_crypto *crypto = gossip_crypto_sodium();
    uint8_t seed[GOSSIP_SEED_SIZE] = {1};
    uint8_t key[GOSSIP_KEY_SIZE];
    uint8_t secret[GOSSIP_SECRET_SIZE];
    uint8_t shared[32];
    uint8_t untouched[32];

    (void)state;
    crypto->key_pair(seed, key, secret);
    assert_true(crypto->key_valid(key));
    memset(untouched, 0xa5, sizeof(untouched));
    memcpy(shared, untouched, sizeof(shared));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct bytes unfit = from_hex_of_size(keys[i], GOSSIP_KEY_SIZE);

        if (crypto->key_valid(unfit.data))
            fail_msg("key %s is taken", keys[i]);
        if (crypto->agree(shared, secret, unfit.data))
            fail_msg("an agreement with key %s", keys[i]);
        assert_memory_equal(shared, untouched, sizeof(shared));
    }
}

/* RFC 8032, 7.1, tests 1 to 3. */

static const struct {
    const char *seed;
    const char *key;
    const char *message;
    const char *signature;
} rfc8032[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "6594a7c15e9716ed28dc027beceea1ec40a"},
};

enum { RFC8032_COUNT = sizeof(rfc8032) / sizeof(rfc8032[0]) };

static void test_rfc8032(void **state)
{
    const struct gossip_crypto *crypto = gossip_crypto_sodium();

    (void)state;
    for (size_t i = 0; i < RFC8032_COUNT; i++) {
        struct bytes seed = from_hex_of_size(rfc8032[i].seed, GOSSIP_SEED_SIZE);
        struct bytes expected_key = from_hex_of_size(rfc8032[i].key, GOSSIP_KEY_SIZE);
        struct bytes message = from_hex(rfc8032[i].message);
        struct bytes expected = from_hex_of_size(rfc8032[i].signature, GOSSIP_SIGNATURE_SIZE);
        uint8_t key[GOSSIP_KEY_SIZE];
        uint8_t secret[GOSSIP_SECRET_SIZE];
        uint8_t signature[GOSSIP_SIGNATURE_SIZE];

        crypto->key_pair(seed.data, key, secret);
        assert_memory_equal(key, expected_key.data, sizeof(key));
        assert_true(crypto->key_valid(key));
        crypto->sign(signature, message.data, message.size, secret);
        assert_memory_equal(signature, expected.data, sizeof(signature));
        assert_true(verify(&expected, &message, &expected_key));
    }
}

/* S and S + L satisfy the same equation; only the lesser counts, or one event would have two
 * seals. */
static void test_s_plus_order(void **state)
{
    struct bytes order =
        from_hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");

    (void)state;
    for (size_t i = 0; i < RFC8032_COUNT; i++) {
        struct bytes key = from_hex(rfc8032[i].key);
        struct bytes message = from_hex(rfc8032[i].message);
        struct bytes signature = from_hex(rfc8032[i].signature);
        unsigned carry = 0;

        for (size_t j = 0; j < 32; j++) {
            carry += (unsigned)signature.data[32 + j] + order.data[j];
            signature.data[32 + j] = (uint8_t)carry;
            carry >>= 8;
        }
        assert_int_equal(carry, 0);
        assert_false(verify(&signature, &message, &key));
    }
}

static void test_every_bit_of_a_signature_counts(void **state)
{
    struct bytes key = from_hex(rfc8032[2].key);
    struct bytes message = from_hex(rfc8032[2].message);
    struct bytes signature = from_hex(rfc8032[2].signature);

    (void)state;
    for (size_t bit = 0; bit < signature.size * 8; bit++) {
        signature.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(verify(&signature, &message, &key));
        signature.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < message.size * 8; bit++) {
        message.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(verify(&signature, &message, &key));
        message.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_true(verify(&signature, &message, &key));
}

/* Hashes; expected values of Python's hashlib. */

static void test_hash(void **state)
{
    static const struct {
        size_t size; /* Of bytes i % 251. */
        const char *hash;
    } cases[] = {
        {0, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"},
        {1000, "b372d0608f720c8c3dd41e9c8eecb10143b41abe520b616607e754bf79c08331"},
    };
    const struct gossip_crypto *crypto = gossip_crypto_sodium();
    struct bytes abc = from_hex("bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    uint8_t data[1000];
    uint8_t hash[GOSSIP_HASH_SIZE];

    (void)state;
    crypto->hash(hash, &(struct gossip_piece){"abc", 3}, 1);
    assert_memory_equal(hash, abc.data, sizeof(hash));
    crypto->hash(hash, (struct gossip_piece[]){{"a", 1}, {NULL, 0}, {"bc", 2}}, 3);
    assert_memory_equal(hash, abc.data, sizeof(hash));

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i % 251);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bytes expected = from_hex_of_size(cases[i].hash, GOSSIP_HASH_SIZE);

        /* Wherever it is cut in two. */
        for (size_t first = 0; first <= cases[i].size; first++) {
            crypto->hash(
                hash, (struct gossip_piece[]){{data, first}, {data + first, cases[i].size - first}},
                2);
            assert_memory_equal(hash, expected.data, sizeof(hash));
        }
    }
    crypto->hash(hash, NULL, 0);
    assert_memory_equal(hash, from_hex(cases[0].hash).data, sizeof(hash));
}

static void test_keyed_hash(void **state)
{
    static const struct {
        size_t key_size; /* Of bytes 0, 1, 2 ... */
        const char *data;
        const char *hash;
    } cases[] = {
        {16, "", "083aac7ba77bc664005d821eb8bfa4d9"},
        {32, "abc", "1a64be47e4729d951c302ee543f97cf3"},
        {64, "abc", "a9f9ff5c38d7eda4899ab27d41b93372"},
    };
    uint8_t key[64];

    (void)state;
    for (size_t i = 0; i < sizeof(key); i++)
        key[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bytes expected = from_hex_of_size(cases[i].hash, 16);
        uint8_t hash[16];

        gossip_crypto_sodium()->keyed_hash(
            hash, key, cases[i].key_size,
            &(struct gossip_piece){cases[i].data, strlen(cases[i].data)}, 1);
        assert_memory_equal(hash, expected.data, sizeof(hash));
    }
}

/* Boxes and streams. */

/* draft-irtf-cfrg-xchacha-03, A.3.1. */
static void test_box_known_answer(void **state)
{
    static const char plain[] = "Ladies and Gentlemen of the class of '99: If I could offer you "
                                "only one tip for the future, sunscreen would be it.";
    struct bytes header = from_hex("50515253c0c1c2c3c4c5c6c7");
    struct bytes nonce = from_hex("404142434445464748494a4b4c4d4e4f5051525354555657");
    struct bytes key = from_hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
    struct bytes expected = from_hex(
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4e"
        "da7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2"
        "383565d3fff921f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49");
    struct bytes cipher = {.size = sizeof(plain) - 1 + GOSSIP_BOX_TAG_SIZE};

    (void)state;
    assert_int_equal(cipher.size, expected.size);
    gossip_crypto_sodium()->box_seal(cipher.data, (const uint8_t *)plain, sizeof(plain) - 1,
                                     header.data, header.size, nonce.data, key.data);
    assert_memory_equal(cipher.data, expected.data, expected.size);
}

static void flip(uint8_t *data, size_t bit)
{
    data[bit / 8] ^= (uint8_t)(1 << bit % 8);
}

static void test_box_opens_unchanged_only(void **state)
{
    enum { PLAIN_MAX = 40 };
    const struct gossip_crypto *crypto = gossip_crypto_sodium();
    uint8_t key[32] = {7};
    uint8_t nonce[GOSSIP_BOX_NONCE_SIZE] = {9};
    uint8_t header[5] = {1, 2, 3, 4, 5};
    uint8_t plain[PLAIN_MAX];
    uint8_t cipher[PLAIN_MAX + GOSSIP_BOX_TAG_SIZE];
    uint8_t opened[PLAIN_MAX];
    uint8_t untouched[PLAIN_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (uint8_t)(i * 3);
    memset(untouched, 0xa5, sizeof(untouched));
    for (size_t plain_size = 0; plain_size <= PLAIN_MAX; plain_size += 20) {
        const struct {
            uint8_t *data;
            size_t size;
        } parts[] = {
            {cipher, plain_size + GOSSIP_BOX_TAG_SIZE},
            {header, sizeof(header)},
            {nonce, sizeof(nonce)},
            {key, sizeof(key)},
        };
        size_t size = plain_size + GOSSIP_BOX_TAG_SIZE;

        crypto->box_seal(cipher, plain, plain_size, header, sizeof(header), nonce, key);
        assert_true(crypto->box_open(opened, cipher, size, header, sizeof(header), nonce, key));
        assert_memory_equal(opened, plain, plain_size);

        memcpy(opened, untouched, sizeof(opened));
        for (size_t part = 0; part < sizeof(parts) / sizeof(parts[0]); part++) {
            for (size_t bit = 0; bit < parts[part].size * 8; bit++) {
                flip(parts[part].data, bit);
                assert_false(
                    crypto->box_open(opened, cipher, size, header, sizeof(header), nonce, key));
                flip(parts[part].data, bit);
            }
        }
        for (size_t cut = 0; cut < size; cut++)
            assert_false(crypto->box_open(opened, cipher, cut, header, sizeof(header), nonce, key));
        assert_false(
            crypto->box_open(opened, cipher, size, header, sizeof(header) - 1, nonce, key));
        assert_memory_equal(opened, untouched, sizeof(opened));
        assert_true(crypto->box_open(opened, cipher, size, header, sizeof(header), nonce, key));
    }
}

static void test_agree(void **state)
{
    enum { KEYS = 4 };
    const struct gossip_crypto *crypto = gossip_crypto_sodium();
    uint8_t keys[KEYS][GOSSIP_KEY_SIZE];
    uint8_t secrets[KEYS][GOSSIP_SECRET_SIZE];
    uint8_t shared[KEYS][KEYS][32];

    (void)state;
    for (size_t i = 0; i < KEYS; i++) {
        uint8_t seed[GOSSIP_SEED_SIZE] = {(uint8_t)(i + 1)};

        crypto->key_pair(seed, keys[i], secrets[i]);
    }
    for (size_t i = 0; i < KEYS; i++) {
        for (size_t j = 0; j < KEYS; j++)
            assert_true(crypto->agree(shared[i][j], secrets[i], keys[j]));
    }
    for (size_t i = 0; i < KEYS; i++) {
        for (size_t j = 0; j < KEYS; j++) {
            assert_memory_equal(shared[i][j], shared[j][i], 32);
            if (j > 0)
                assert_memory_not_equal(shared[i][j - 1], shared[i][j], 32);
        }
    }
}

/* RFC 8439, A.1, vector 1, and the place of the number in the nonce (A.1, vector 5, whose nonce
 * ends with 2). */
static void test_stream(void **state)
{
    struct bytes zero =
        from_hex("76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
                 "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586");
    struct bytes two = from_hex("c2c64d378cd536374ae204b9ef933fcd1a8b2288b3dfa49672ab765b54ee27c7"
                                "8a970e0e955c14f3a88e741b97c286f75f8fc299e8148362fa198a39531bed6d");
    uint8_t key[32] = {0};
    uint8_t bytes[64];
    uint8_t first[10];

    (void)state;
    gossip_crypto_sodium()->stream(bytes, sizeof(bytes), key, 0);
    assert_memory_equal(bytes, zero.data, sizeof(bytes));
    gossip_crypto_sodium()->stream(bytes, sizeof(bytes), key, 2);
    assert_memory_equal(bytes, two.data, sizeof(bytes));
    gossip_crypto_sodium()->stream(first, sizeof(first), key, 2);
    assert_memory_equal(first, two.data, sizeof(first));
    gossip_crypto_sodium()->stream(bytes, sizeof(bytes), key, UINT64_C(2) << 56);
    assert_memory_not_equal(bytes, two.data, sizeof(bytes));
}

static void test_secrets(void **state)
{
    static const uint8_t zeros[64] = {0};
    uint8_t *secret = gossip_secret_alloc(64);

    (void)state;
    assert_non_null(secret);
    memset(secret, 7, 64);
    assert_false(gossip_equal(secret, zeros, 64));
    gossip_wipe(secret, 63);
    assert_true(gossip_equal(secret, zeros, 63));
    assert_false(gossip_equal(secret, zeros, 64));
    gossip_secret_free(secret);
    gossip_secret_free(NULL);
    gossip_wipe(NULL, 0);
    assert_true(gossip_equal(NULL, NULL, 0));
    assert_null(gossip_secret_alloc(SIZE_MAX / 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_speccheck),
        cmocka_unit_test(test_mixed_order_r),
        cmocka_unit_test(test_identity_r),
        cmocka_unit_test(test_unfit_keys),
        cmocka_unit_test(test_rfc8032),
        cmocka_unit_test(test_s_plus_order),
        cmocka_unit_test(test_every_bit_of_a_signature_counts),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_keyed_hash),
        cmocka_unit_test(test_box_known_answer),
        cmocka_unit_test(test_box_opens_unchanged_only),
        cmocka_unit_test(test_agree),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_secrets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
