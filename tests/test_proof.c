#include "gossip/proof.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/bytes.h"
#include "tests/property.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    LINKS_MAX = PROOF_LINKS_MAX + 1, /* One too many can be written. */
    RAW_MAX = PROOF_MAX + 256,
};

static const struct gossip_crypto *crypto;
static struct wire_arena arena;
static uint8_t cluster[GOSSIP_KEY_SIZE];
static uint8_t key[GOSSIP_KEY_SIZE];
static uint8_t secret[GOSSIP_SECRET_SIZE];
static uint8_t other_key[GOSSIP_KEY_SIZE];
static uint8_t other_secret[GOSSIP_SECRET_SIZE];
static const uint8_t epoch[GOSSIP_EPOCH_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t other_epoch[GOSSIP_EPOCH_SIZE] = {1, 2, 3, 4, 5, 6, 7, 9};
static const struct chain_owner owner = {cluster, key, epoch};

static int start(void **state)
{
    uint8_t seed[GOSSIP_SEED_SIZE];

    (void)state;
    crypto = gossip_crypto_sodium();
    memset(seed, 1, sizeof(seed));
    crypto->key_pair(seed, cluster, secret);
    memset(seed, 2, sizeof(seed));
    crypto->key_pair(seed, other_key, other_secret);
    memset(seed, 3, sizeof(seed));
    crypto->key_pair(seed, key, secret);
    return 0;
}

/* A branch as it might stand on the wire, right or wrong. */
struct raw_branch {
    uint8_t previous[GOSSIP_HASH_SIZE];
    struct proof_link links[LINKS_MAX];
    size_t link_count;
    size_t cut_off; /* Bytes that its last link lacks. */
    uint8_t seal[GOSSIP_SIGNATURE_SIZE];
};

struct raw {
    uint8_t type;
    uint8_t key[GOSSIP_KEY_SIZE];
    uint8_t epoch[GOSSIP_EPOCH_SIZE];
    uint64_t seq;
    struct raw_branch a;
    struct raw_branch b;
};

static void write_branch(struct writer *writer, unsigned field, const struct raw_branch *branch)
{
    size_t links_size = branch->link_count * PROOF_LINK_SIZE - branch->cut_off;
    uint8_t links[LINKS_MAX * PROOF_LINK_SIZE];
    struct writer links_writer = {links, sizeof(links), 0, false};

    for (size_t i = 0; i < branch->link_count; i++) {
        write_fixed(&links_writer, branch->links[i].body_size, 4);
        write_bytes(&links_writer, branch->links[i].inner, GOSSIP_HASH_SIZE);
    }
    write_varint(writer, field << 3 | 2);
    write_varint(writer, 34 + 1 + varint_size(links_size) + links_size + 66);
    write_varint(writer, 1 << 3 | 2);
    write_varint(writer, GOSSIP_HASH_SIZE);
    write_bytes(writer, branch->previous, GOSSIP_HASH_SIZE);
    write_varint(writer, 2 << 3 | 2);
    write_varint(writer, links_size);
    write_bytes(writer, links, links_size);
    write_varint(writer, 3 << 3 | 2);
    write_varint(writer, GOSSIP_SIGNATURE_SIZE);
    write_bytes(writer, branch->seal, GOSSIP_SIGNATURE_SIZE);
    assert_false(links_writer.failed);
}

static size_t write_raw(const struct raw *raw, uint8_t ret_bytes[RAW_MAX])
{
    struct writer writer = {ret_bytes, RAW_MAX, 0, false};

    write_fixed(&writer, raw->type, 1);
    write_varint(&writer, 1 << 3 | 2);
    write_varint(&writer, GOSSIP_KEY_SIZE);
    write_bytes(&writer, raw->key, GOSSIP_KEY_SIZE);
    write_varint(&writer, 2 << 3 | 2);
    write_varint(&writer, GOSSIP_EPOCH_SIZE);
    write_bytes(&writer, raw->epoch, GOSSIP_EPOCH_SIZE);
    write_varint(&writer, 3 << 3);
    write_varint(&writer, raw->seq);
    write_branch(&writer, 4, &raw->a);
    write_branch(&writer, 5, &raw->b);
    assert_false(writer.failed);
    return writer.size;
}

/* The hash of link number index, by the formula of docs/protocol.md and not by ours. */
static void hash_of(const struct raw *raw, const uint8_t *of_cluster,
                    const struct raw_branch *branch, size_t index,
                    uint8_t ret_hash[GOSSIP_HASH_SIZE])
{
    uint8_t bytes[256];

    memcpy(ret_hash, branch->previous, GOSSIP_HASH_SIZE);
    for (size_t i = 0; i <= index; i++) {
        struct writer writer = {bytes, sizeof(bytes), 0, false};

        write_bytes(&writer, "gossip/event/1", 15);
        write_bytes(&writer, of_cluster, GOSSIP_KEY_SIZE);
        write_bytes(&writer, raw->key, GOSSIP_KEY_SIZE);
        write_bytes(&writer, raw->epoch, GOSSIP_EPOCH_SIZE);
        write_fixed(&writer, raw->seq + i, 8);
        write_bytes(&writer, ret_hash, GOSSIP_HASH_SIZE);
        write_fixed(&writer, branch->links[i].body_size, 4);
        write_bytes(&writer, branch->links[i].inner, GOSSIP_HASH_SIZE);
        assert_false(writer.failed);
        crypto->hash(ret_hash, (const struct gossip_piece[]){{bytes, writer.size}}, 1);
    }
}

static void seal_branch(const struct raw *raw, const uint8_t *of_cluster, struct raw_branch *branch)
{
    uint8_t bytes[14 + GOSSIP_HASH_SIZE] = "gossip/seal/1";

    hash_of(raw, of_cluster, branch, branch->link_count - 1, bytes + 14);
    crypto->sign(branch->seal, bytes, sizeof(bytes), secret);
}

/* Branches in their order, and seals that fit. */
static void finish(struct raw *raw)
{
    uint8_t a[GOSSIP_HASH_SIZE];
    uint8_t b[GOSSIP_HASH_SIZE];

    hash_of(raw, cluster, &raw->a, 0, a);
    hash_of(raw, cluster, &raw->b, 0, b);
    if (memcmp(a, b, GOSSIP_HASH_SIZE) > 0) {
        struct raw_branch branch = raw->a;

        raw->a = raw->b;
        raw->b = branch;
    }
    seal_branch(raw, cluster, &raw->a);
    seal_branch(raw, cluster, &raw->b);
}

/* A proof about seq, its branches of so many links; nothing is wrong with it yet. */
static struct raw raw_proof(uint64_t seq, size_t a_links, size_t b_links)
{
    struct raw raw = {.type = GOSSIP_SIGNED_PROOF, .seq = seq};

    memcpy(raw.key, key, sizeof(key));
    memcpy(raw.epoch, epoch, sizeof(epoch));
    if (seq > 1) {
        memset(raw.a.previous, 0x11, GOSSIP_HASH_SIZE);
        memset(raw.b.previous, 0x11, GOSSIP_HASH_SIZE);
    }
    raw.a.link_count = a_links;
    raw.b.link_count = b_links;
    for (size_t i = 0; i < LINKS_MAX; i++) {
        raw.a.links[i].body_size = (uint32_t)(100 + i);
        raw.b.links[i].body_size = (uint32_t)(200 + i);
        memset(raw.a.links[i].inner, (int)i, GOSSIP_HASH_SIZE);
        memset(raw.b.links[i].inner, (int)(0x80 + i), GOSSIP_HASH_SIZE);
    }
    finish(&raw);
    return raw;
}

/* The cut that a proof proves, or 0. */
static uint64_t cut_of_bytes(const uint8_t *bytes, size_t size)
{
    static struct proof proof;
    uint64_t cut = UINT64_MAX;

    if (!proof_read(crypto, &arena, bytes, size, &proof))
        return 0;
    if (!proof_verify(crypto, cluster, &proof, &cut)) {
        assert_true(cut == UINT64_MAX); /* Written on success only. */
        return 0;
    }
    assert_true(cut >= 1 && cut <= GOSSIP_COUNTER_MAX);
    return cut;
}

static uint64_t cut_of(const struct raw *raw)
{
    uint8_t bytes[RAW_MAX];
    size_t size = write_raw(raw, bytes);

    return cut_of_bytes(bytes, size);
}

/* How far a branch may lead. */
static void test_lengths(void **state)
{
    static const struct {
        uint64_t seq;
        size_t links;
        bool fits;
    } cases[] = {
        {1, 1, true},
        {1, 64, true}, /* To the required seal at 64 ... */
        {1, 65, false},
        {2, 63, true},
        {2, 64, false}, /* ... and no further, */
        {63, 2, true},
        {63, 3, false},
        {64, 1, true}, /* even where it is next. */
        {64, 2, false},
        {65, 64, true},
        {65, 65, false},
        {66, 64, false},
        {GOSSIP_COUNTER_MAX - 63, 64, true},
        {GOSSIP_COUNTER_MAX - 62, 64, false},
        {GOSSIP_COUNTER_MAX, 1, true},
        {GOSSIP_COUNTER_MAX, 2, false},
        {GOSSIP_COUNTER_MAX + 1, 1, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct raw raw = raw_proof(cases[i].seq, cases[i].links, 1);

        /* Whichever branch it is. */
        assert_true(cut_of(&raw) == (cases[i].fits ? cases[i].seq : 0));
        raw = raw_proof(cases[i].seq, 1, cases[i].links);
        assert_true(cut_of(&raw) == (cases[i].fits ? cases[i].seq : 0));
    }
}

static void test_cut(void **state)
{
    struct raw raw = raw_proof(5, 2, 3);

    (void)state;
    assert_true(cut_of(&raw) == 5);
    raw.b.previous[31] ^= 1; /* The hashes before it differ as well. */
    finish(&raw);
    assert_true(cut_of(&raw) == 4);
    raw = raw_proof(2, 1, 1);
    raw.a.previous[0] ^= 0x80;
    finish(&raw);
    assert_true(cut_of(&raw) == 1);

    /* Differing hashes before it are enough: the links may be the same. */
    raw = raw_proof(9, 2, 2);
    memcpy(raw.b.links, raw.a.links, sizeof(raw.a.links));
    raw.b.previous[7] ^= 1;
    finish(&raw);
    assert_true(cut_of(&raw) == 8);
}

static void test_rules(void **state)
{
    struct raw sound = raw_proof(5, 3, 3);
    struct raw raw = sound;
    struct raw_branch branch;

    (void)state;
    assert_true(cut_of(&sound) == 5);

    raw.type = GOSSIP_SIGNED_EVICTION;
    assert_true(cut_of(&raw) == 0);
    raw = raw_proof(0, 1, 1);
    assert_true(cut_of(&raw) == 0);

    /* One history: the same in full, or parted only after seq. */
    raw = sound;
    raw.b = raw.a;
    assert_true(cut_of(&raw) == 0);
    raw.b.links[1].body_size++;
    finish(&raw);
    assert_true(cut_of(&raw) == 0);
    raw = sound;
    raw.b = raw.a;
    raw.b.link_count = 1; /* Two seals of one branch. */
    finish(&raw);
    assert_true(cut_of(&raw) == 0);

    /* The greater first. */
    raw = sound;
    branch = raw.a;
    raw.a = raw.b;
    raw.b = branch;
    assert_true(cut_of(&raw) == 0);

    /* Seals: of the other branch, of another event of the same, of another key, of another kind. */
    raw = sound;
    memcpy(raw.a.seal, sound.b.seal, GOSSIP_SIGNATURE_SIZE);
    assert_true(cut_of(&raw) == 0);
    raw = sound;
    memcpy(raw.b.seal, sound.a.seal, GOSSIP_SIGNATURE_SIZE);
    assert_true(cut_of(&raw) == 0);
    raw = sound;
    raw.a.link_count--;
    seal_branch(&raw, cluster, &raw.a);
    raw.a.link_count++;
    assert_true(cut_of(&raw) == 0);
    raw = sound;
    hash_of(&raw, cluster, &raw.b, 2, branch.previous);
    seal_sign(crypto, branch.previous, other_secret, raw.b.seal);
    assert_true(cut_of(&raw) == 0);
    crypto->sign(raw.b.seal, branch.previous, GOSSIP_HASH_SIZE, secret);
    assert_true(cut_of(&raw) == 0);

    /* Of another cluster, key or epoch than it says. */
    raw = sound;
    seal_branch(&raw, other_key, &raw.a);
    seal_branch(&raw, other_key, &raw.b);
    assert_true(cut_of(&raw) == 0);
    raw = sound;
    memcpy(raw.key, other_key, GOSSIP_KEY_SIZE);
    assert_true(cut_of(&raw) == 0);
    finish(&raw); /* The hashes fit now, but for whose seals they are. */
    assert_true(cut_of(&raw) == 0);
    raw = sound;
    memcpy(raw.epoch, other_epoch, GOSSIP_EPOCH_SIZE);
    assert_true(cut_of(&raw) == 0);
    finish(&raw);
    assert_true(cut_of(&raw) == 5);
    raw = sound;
    raw.seq++;
    assert_true(cut_of(&raw) == 0);

    /* Sizes of bodies. */
    raw = sound;
    raw.a.links[0].body_size = raw.b.links[2].body_size = GOSSIP_BODY_MAX;
    finish(&raw);
    assert_true(cut_of(&raw) == 5);
    raw.b.links[2].body_size++;
    finish(&raw);
    assert_true(cut_of(&raw) == 0);
    raw = sound;
    raw.a.links[0].body_size = GOSSIP_BODY_MAX + 1;
    finish(&raw);
    assert_true(cut_of(&raw) == 0);

    /* Nothing comes before the first event. */
    raw = raw_proof(1, 1, 1);
    assert_true(cut_of(&raw) == 1);
    raw.a.previous[31] = 1;
    finish(&raw);
    assert_true(cut_of(&raw) == 0);
    memcpy(raw.a.previous, raw.b.previous, GOSSIP_HASH_SIZE);
    raw.a.previous[31] = raw.b.previous[31] = 1; /* The same before both. */
    finish(&raw);
    assert_true(cut_of(&raw) == 0);

    /* No links, half a link. */
    raw = sound;
    raw.a.link_count = 0;
    assert_true(cut_of(&raw) == 0);
    raw = sound;
    raw.b.link_count = 0;
    assert_true(cut_of(&raw) == 0);
    raw = sound;
    raw.b.cut_off = 1;
    assert_true(cut_of(&raw) == 0);
    raw.b.cut_off = 4;
    assert_true(cut_of(&raw) == 0);
}

static bool no_key_is_valid(const uint8_t *unused)
{
    (void)unused;
    return false;
}

/* Of a key that is unfit for a member, libraries do not agree which signatures fit. */
static void test_unfit_key(void **state)
{
    static struct proof proof;
    struct gossip_crypto strict = *crypto;
    struct raw raw = raw_proof(5, 1, 1);
    uint8_t bytes[RAW_MAX];
    uint64_t cut;

    (void)state;
    strict.key_valid = no_key_is_valid;
    assert_true(proof_read(crypto, &arena, bytes, write_raw(&raw, bytes), &proof));
    assert_true(proof_verify(crypto, cluster, &proof, &cut));
    assert_false(proof_verify(&strict, cluster, &proof, &cut));
}

static struct proof_branch to_branch(const struct raw_branch *raw)
{
    struct proof_branch branch = {.link_count = raw->link_count};

    memcpy(branch.previous, raw->previous, GOSSIP_HASH_SIZE);
    memcpy(branch.links, raw->links, raw->link_count * sizeof(raw->links[0]));
    memcpy(branch.seal, raw->seal, GOSSIP_SIGNATURE_SIZE);
    return branch;
}

/* What is made, in either order, is what the wire bears, and says what went in. */
static void check_made(const struct raw *raw, uint64_t cut)
{
    static struct proof made;
    static struct proof swapped;
    static struct proof found;
    struct proof_branch a = to_branch(&raw->a);
    struct proof_branch b = to_branch(&raw->b);
    uint8_t bytes[RAW_MAX];
    uint8_t id[GOSSIP_HASH_SIZE];
    uint64_t found_cut;

    proof_make(crypto, &owner, raw->seq, &a, &b, &made);
    proof_make(crypto, &owner, raw->seq, &b, &a, &swapped);
    assert_int_equal(made.size, write_raw(raw, bytes));
    assert_memory_equal(made.bytes, bytes, made.size);
    assert_int_equal(swapped.size, made.size);
    assert_memory_equal(swapped.bytes, made.bytes, made.size);
    assert_memory_equal(&swapped.a, &made.a, sizeof(made.a));
    assert_true(proof_read(crypto, &arena, bytes, made.size, &found));
    assert_memory_equal(&found.a, &made.a, sizeof(made.a));
    assert_memory_equal(&found.b, &made.b, sizeof(made.b));

    assert_memory_equal(found.key, key, GOSSIP_KEY_SIZE);
    assert_memory_equal(found.epoch, epoch, GOSSIP_EPOCH_SIZE);
    assert_true(found.seq == raw->seq);
    assert_int_equal(found.a.link_count, raw->a.link_count);
    assert_int_equal(found.b.link_count, raw->b.link_count);
    record_id(crypto, bytes, made.size, id);
    assert_memory_equal(made.id, id, GOSSIP_HASH_SIZE);
    assert_memory_equal(found.id, id, GOSSIP_HASH_SIZE);
    assert_true(proof_verify(crypto, cluster, &found, &found_cut));
    assert_true(found_cut == cut);
}

static void test_round_trip(void **state)
{
    static struct proof longest;
    uint64_t seed = random_start();
    struct raw raw = raw_proof(GOSSIP_COUNTER_MAX - 63, 64, 64);
    struct proof_branch a = to_branch(&raw.a);
    struct proof_branch b = to_branch(&raw.b);

    (void)state;
    check_made(&raw, raw.seq);
    proof_make(crypto, &owner, raw.seq, &a, &b, &longest);
    assert_int_equal(longest.size, PROOF_MAX); /* What the constant promises. */
    for (int round = 0; round < 200; round++) {
        uint64_t seq = 1 + random_below(&seed, 200);
        uint64_t left = 64 - (seq - 1) % 64;
        uint64_t cut = seq;

        raw = raw_proof(seq, 1 + random_below(&seed, left), 1 + random_below(&seed, left));
        if (seq > 1 && random_below(&seed, 2) == 0) {
            raw.a.previous[random_below(&seed, GOSSIP_HASH_SIZE)] ^= 0x20;
            cut--;
        }
        raw.a.links[0].body_size = (uint32_t)random_below(&seed, GOSSIP_BODY_MAX + 1);
        finish(&raw);
        check_made(&raw, cut);
    }
}

/* Nobody signs a proof as such, and still nothing in it can be changed. */
static void test_every_bit(void **state)
{
    struct raw proofs[] = {raw_proof(5, 2, 1), raw_proof(64, 1, 1), raw_proof(1, 1, 2)};
    uint8_t bytes[RAW_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(proofs); i++) {
        size_t size = write_raw(&proofs[i], bytes);

        assert_true(cut_of_bytes(bytes, size) == proofs[i].seq);
        for (size_t bit = 0; bit < 8 * size; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (cut_of_bytes(bytes, size) != 0)
                fail_msg("bit %zu may be changed", bit);
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t shorter = 0; shorter < size; shorter++)
            assert_true(cut_of_bytes(bytes, shorter) == 0);
        bytes[size] = 0;
        assert_true(cut_of_bytes(bytes, size + 1) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),    cmocka_unit_test(test_cut),
        cmocka_unit_test(test_rules),      cmocka_unit_test(test_unfit_key),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_every_bit),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
