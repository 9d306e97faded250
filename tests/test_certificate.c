#include "gossip/certificate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/gossip.h"
#include "tests/vectors.h"

#define LONGEST_NAME "abcdefghijklmnopqrstuvwxyz.-_019"

static const struct gossip_crypto *crypto;
static struct wire_arena arena;

struct pair {
    uint8_t key[GOSSIP_KEY_SIZE];
    uint8_t secret[GOSSIP_SECRET_SIZE];
};

static struct pair pair_of(uint8_t seed_byte)
{
    struct pair pair;
    uint8_t seed[GOSSIP_SEED_SIZE];

    memset(seed, seed_byte, sizeof(seed));
    crypto->key_pair(seed, pair.key, pair.secret);
    return pair;
}

static void check_equal(const struct certificate *a, const struct certificate *b)
{
    assert_memory_equal(a->key, b->key, GOSSIP_KEY_SIZE);
    assert_memory_equal(a->node, b->node, GOSSIP_ID_SIZE);
    assert_string_equal(a->name, b->name);
    assert_true(a->rights == b->rights);
    assert_int_equal(a->has_issuer, b->has_issuer);
    assert_memory_equal(a->issuer, b->issuer, GOSSIP_KEY_SIZE);
    assert_memory_equal(a->id, b->id, GOSSIP_HASH_SIZE);
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->bytes, b->bytes, a->size);
}

static void test_names(void **state)
{
    static const struct {
        const char *name;
        bool is_valid;
    } cases[] = {
        {"", false},
        {"a", true},
        {"Z", true},
        {"0", true},
        {".", true},
        {"_", true},
        {"-", true},
        {"node-1.example_A", true},
        {LONGEST_NAME, true},
        {LONGEST_NAME "x", false},
        {"a b", false},
        {"a/b", false},
        {"a\nb", false},
        {"\x1b[2J", false},
        {"caf\xc3\xa9", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(name_is_valid(cases[i].name, strlen(cases[i].name)), cases[i].is_valid);
    assert_false(name_is_valid("a\0b", 3));
    for (int c = -128; c < 128; c++) {
        char name = (char)c;
        bool is_valid = c > 0 && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                        "0123456789._-",
                                        c) != NULL;

        assert_int_equal(name_is_valid(&name, 1), is_valid);
    }
}

/* Reads a golden record and holds it against its fields. */
static void check_golden(const struct vectors *vectors, const char *name,
                         struct certificate *ret_certificate)
{
    struct certificate *certificate = ret_certificate;
    const uint8_t *bytes;
    size_t size;
    char field[64];

    snprintf(field, sizeof(field), "%s.record", name);
    bytes = vectors_get(vectors, field, &size);
    assert_true(certificate_read(crypto, &arena, bytes, size, certificate));
    assert_int_equal(certificate->size, size);
    assert_memory_equal(certificate->bytes, bytes, size);
    snprintf(field, sizeof(field), "%s.key", name);
    assert_memory_equal(certificate->key, vectors_fixed(vectors, field, GOSSIP_KEY_SIZE),
                        GOSSIP_KEY_SIZE);
    snprintf(field, sizeof(field), "%s.id", name);
    assert_memory_equal(certificate->node, vectors_fixed(vectors, field, GOSSIP_ID_SIZE),
                        GOSSIP_ID_SIZE);
    snprintf(field, sizeof(field), "%s.record_id", name);
    assert_memory_equal(certificate->id, vectors_fixed(vectors, field, GOSSIP_HASH_SIZE),
                        GOSSIP_HASH_SIZE);
    snprintf(field, sizeof(field), "%s.name", name);
    bytes = vectors_get(vectors, field, &size);
    assert_int_equal(strlen(certificate->name), size);
    assert_memory_equal(certificate->name, bytes, size);
    snprintf(field, sizeof(field), "%s.rights", name);
    assert_true(certificate->rights == vectors_number(vectors, field));
    snprintf(field, sizeof(field), "%s.issuer", name);
    assert_int_equal(certificate->has_issuer, vectors_has(vectors, field));
    if (certificate->has_issuer)
        assert_memory_equal(certificate->issuer, vectors_fixed(vectors, field, GOSSIP_KEY_SIZE),
                            GOSSIP_KEY_SIZE);
}

static void test_golden(void **state)
{
    struct vectors *vectors = vectors_open("certificate");
    const uint8_t *cluster = vectors_fixed(vectors, "cluster.key", GOSSIP_KEY_SIZE);
    struct certificate alice;
    struct certificate bob;
    struct certificate carol;
    struct certificate made;
    uint8_t secret[GOSSIP_SECRET_SIZE];
    uint8_t key[GOSSIP_KEY_SIZE];

    (void)state;
    check_golden(vectors, "alice", &alice);
    check_golden(vectors, "bob", &bob);
    check_golden(vectors, "carol", &carol);
    assert_true(certificate_verify(crypto, cluster, &alice, NULL));
    assert_true(certificate_verify(crypto, cluster, &carol, NULL));
    assert_true(certificate_verify(crypto, cluster, &bob, &alice));

    /* And we make the same ones. */
    crypto->key_pair(vectors_fixed(vectors, "cluster.seed", GOSSIP_SEED_SIZE), key, secret);
    certificate_make(crypto, cluster, alice.key, alice.name, alice.rights, NULL, secret, &made);
    check_equal(&made, &alice);
    crypto->key_pair(vectors_fixed(vectors, "alice.seed", GOSSIP_SEED_SIZE), key, secret);
    certificate_make(crypto, cluster, bob.key, bob.name, bob.rights, alice.key, secret, &made);
    check_equal(&made, &bob);
    vectors_close(vectors);
}

/* What is made is read, at all lengths, and nothing else is longer. */
static void test_round_trip(void **state)
{
    static const char *const names[] = {"a", "a-longer.name", LONGEST_NAME};
    static const uint32_t rights[] = {0, 1, 2, 3, 127, 128, UINT32_MAX};
    const struct pair cluster = pair_of(1);
    const struct pair node = pair_of(2);
    const struct pair issuer = pair_of(3);
    size_t longest = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (size_t j = 0; j < 2 * sizeof(rights) / sizeof(rights[0]); j++) {
            bool has_issuer = j % 2 == 1;
            struct certificate made;
            struct certificate read;

            certificate_make(crypto, cluster.key, node.key, names[i], rights[j / 2],
                             has_issuer ? issuer.key : NULL,
                             has_issuer ? issuer.secret : cluster.secret, &made);
            assert_true(certificate_read(crypto, &arena, made.bytes, made.size, &read));
            check_equal(&made, &read);
            assert_string_equal(read.name, names[i]);
            assert_true(read.rights == rights[j / 2]);
            longest = made.size > longest ? made.size : longest;
        }
    }
    assert_int_equal(longest, CERTIFICATE_MAX);
}

static void test_damaged(void **state)
{
    const struct pair cluster = pair_of(1);
    const struct pair node = pair_of(2);
    struct certificate made;
    struct certificate read;
    uint8_t bytes[CERTIFICATE_MAX + 1] = {0};

    (void)state;
    certificate_make(crypto, cluster.key, node.key, "some-name", 3, NULL, cluster.secret, &made);
    memcpy(bytes, made.bytes, made.size);
    for (size_t bit = 0; bit < 8 * made.size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (certificate_read(crypto, &arena, bytes, made.size, &read)) {
            assert_false(certificate_verify(crypto, cluster.key, &read, NULL));
            assert_memory_not_equal(read.id, made.id, GOSSIP_HASH_SIZE);
        }
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t size = 0; size <= sizeof(bytes); size++) {
        if (size != made.size && certificate_read(crypto, &arena, bytes, size, &read))
            assert_false(certificate_verify(crypto, cluster.key, &read, NULL));
    }
    for (int type = 0; type < 256; type++) {
        bytes[0] = (uint8_t)type;
        assert_int_equal(certificate_read(crypto, &arena, bytes, made.size, &read),
                         type == GOSSIP_SIGNED_CERTIFICATE);
    }
}

/* A record whose signature is right and whose name is not. */
static void test_a_name_that_is_none(void **state)
{
    const struct pair node = pair_of(2);
    struct wire_certificate message = {
        .key = node.key, .name = {(const uint8_t *)"a\x1b", 2}, .rights = 0};
    struct certificate read;
    uint8_t bytes[CERTIFICATE_MAX] = {GOSSIP_SIGNED_CERTIFICATE};
    size_t size = wire_encode_certificate(&message, bytes + 1, sizeof(bytes) - 65);

    (void)state;
    assert_true(size > 0);
    assert_false(certificate_read(crypto, &arena, bytes, 1 + size + GOSSIP_SIGNATURE_SIZE, &read));
    message.name.data = (const uint8_t *)"ab";
    wire_encode_certificate(&message, bytes + 1, sizeof(bytes) - 65);
    assert_true(certificate_read(crypto, &arena, bytes, 1 + size + GOSSIP_SIGNATURE_SIZE, &read));
}

/* Who may sign whom. */
static void test_issuers(void **state)
{
    const struct pair cluster = pair_of(1);
    const struct pair other_cluster = pair_of(2);
    const struct pair admitter = pair_of(3);
    const struct pair evicter = pair_of(4);
    const struct pair second = pair_of(5);
    const struct pair node = pair_of(6);
    struct certificate of_admitter;
    struct certificate of_evicter;
    struct certificate of_second;
    struct certificate direct;
    struct certificate by_admitter;
    struct certificate by_evicter;
    struct certificate by_second;
    struct certificate by_itself;
    struct certificate by_stranger;
    struct certificate of_stranger;
    struct certificate mislabelled;
    struct certificate for_other_cluster;

    (void)state;
    certificate_make(crypto, cluster.key, admitter.key, "admitter", GOSSIP_RIGHT_ADMIT, NULL,
                     cluster.secret, &of_admitter);
    certificate_make(crypto, cluster.key, evicter.key, "evicter", ~(uint32_t)GOSSIP_RIGHT_ADMIT,
                     NULL, cluster.secret, &of_evicter);
    certificate_make(crypto, cluster.key, second.key, "second", GOSSIP_RIGHT_ADMIT, admitter.key,
                     admitter.secret, &of_second);
    certificate_make(crypto, cluster.key, node.key, "node", 0, NULL, cluster.secret, &direct);
    certificate_make(crypto, cluster.key, node.key, "node", 0, admitter.key, admitter.secret,
                     &by_admitter);
    certificate_make(crypto, cluster.key, node.key, "node", 0, evicter.key, evicter.secret,
                     &by_evicter);
    certificate_make(crypto, cluster.key, node.key, "node", 0, second.key, second.secret,
                     &by_second);
    certificate_make(crypto, cluster.key, node.key, "node", 3, node.key, node.secret, &by_itself);
    certificate_make(crypto, other_cluster.key, second.key, "second", 3, NULL, other_cluster.secret,
                     &of_stranger);
    certificate_make(crypto, cluster.key, node.key, "node", 0, second.key, second.secret,
                     &by_stranger);
    certificate_make(crypto, cluster.key, node.key, "node", 0, NULL, admitter.secret, &mislabelled);
    certificate_make(crypto, other_cluster.key, node.key, "node", 0, admitter.key, admitter.secret,
                     &for_other_cluster);
    {
        const struct {
            const char *what;
            const struct certificate *certificate;
            const struct certificate *issuer;
            bool is_good;
        } cases[] = {
            {"the cluster's own", &direct, NULL, true},
            {"the cluster's own, with an issuer beside", &direct, &of_admitter, true},
            {"a chain of one", &by_admitter, &of_admitter, true},
            {"the issuer", &of_admitter, NULL, true},
            {"the issuer missing", &by_admitter, NULL, false},
            {"another issuer", &by_admitter, &of_evicter, false},
            {"an issuer with every right but that", &by_evicter, &of_evicter, false},
            {"a chain of two", &by_second, &of_second, false},
            {"the middle of it alone", &of_second, &of_admitter, true},
            {"a node that admits itself", &by_itself, &by_itself, false},
            {"itself, of the cluster", &by_itself, &direct, false},
            {"an issuer of another cluster", &by_stranger, &of_stranger, false},
            {"a node that signs for the cluster", &mislabelled, NULL, false},
            {"the same, with its certificate", &mislabelled, &of_admitter, false},
            {"made for another cluster", &for_other_cluster, &of_admitter, false},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            if (certificate_verify(crypto, cluster.key, cases[i].certificate, cases[i].issuer) !=
                cases[i].is_good)
                fail_msg("%s", cases[i].what);
        }
    }
    assert_false(certificate_verify(crypto, other_cluster.key, &direct, NULL));
    assert_false(certificate_verify(crypto, other_cluster.key, &by_admitter, &of_admitter));
}

/* A key unfit for a member is refused, however well signed; that of an issuer likewise. */
static void test_unfit_keys(void **state)
{
    static const uint8_t unfit[][GOSSIP_KEY_SIZE] = {
        {0}, /* Of order 4. */
        {1}, /* The identity. */
        {2}, /* On no point of the curve. */
        {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, /* Of order 2. */
    };
    const struct pair cluster = pair_of(1);
    const struct pair node = pair_of(2);
    struct certificate certificate;
    struct certificate issuer;

    (void)state;
    for (size_t i = 0; i < sizeof(unfit) / sizeof(unfit[0]); i++) {
        certificate_make(crypto, cluster.key, unfit[i], "unfit", GOSSIP_RIGHT_ADMIT, NULL,
                         cluster.secret, &issuer);
        assert_false(certificate_verify(crypto, cluster.key, &issuer, NULL));
        certificate_make(crypto, cluster.key, node.key, "node", 0, unfit[i], node.secret,
                         &certificate);
        assert_false(certificate_verify(crypto, cluster.key, &certificate, &issuer));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_a_name_that_is_none),
        cmocka_unit_test(test_issuers),
        cmocka_unit_test(test_unfit_keys),
    };

    crypto = gossip_crypto_sodium();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
