#include "gossip/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/bytes.h"
#include "tests/property.h"
#include "tests/vectors.h"

static const struct gossip_crypto *crypto;

static void test_golden_ids(void **state)
{
    static const char *const nodes[] = {"alice", "bob", "carol"};
    static const char *const authors[] = {"alice1", "alice2", "bob1", "carol1"};
    struct vectors *vectors = vectors_open("identity");
    uint8_t id[GOSSIP_ID_SIZE];
    char field[64];

    (void)state;
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        snprintf(field, sizeof(field), "%s.key", nodes[i]);
        node_id(crypto, vectors_fixed(vectors, field, GOSSIP_KEY_SIZE), id);
        snprintf(field, sizeof(field), "%s.id", nodes[i]);
        assert_memory_equal(id, vectors_fixed(vectors, field, GOSSIP_ID_SIZE), GOSSIP_ID_SIZE);
    }
    for (size_t i = 0; i < sizeof(authors) / sizeof(authors[0]); i++) {
        const uint8_t *epoch;

        snprintf(field, sizeof(field), "%s.epoch", authors[i]);
        epoch = vectors_fixed(vectors, field, GOSSIP_EPOCH_SIZE);
        snprintf(field, sizeof(field), "%s.key", authors[i]);
        author_id(crypto, vectors_fixed(vectors, field, GOSSIP_KEY_SIZE), epoch, id);
        snprintf(field, sizeof(field), "%s.id", authors[i]);
        assert_memory_equal(id, vectors_fixed(vectors, field, GOSSIP_ID_SIZE), GOSSIP_ID_SIZE);
    }
    vectors_close(vectors);
}

/* Each event of an author, one after another, against what encoder.py makes of docs/protocol.md. */
static void check_golden_author(const char *author)
{
    struct vectors *vectors = vectors_open("event");
    struct chain_owner owner = {.cluster = vectors_fixed(vectors, "cluster.key", GOSSIP_KEY_SIZE)};
    struct chain chain = {0};
    uint64_t size_so_far = 0;
    uint64_t count;
    char field[64];

    snprintf(field, sizeof(field), "%s.key", author);
    owner.key = vectors_fixed(vectors, field, GOSSIP_KEY_SIZE);
    snprintf(field, sizeof(field), "%s.epoch", author);
    owner.epoch = vectors_fixed(vectors, field, GOSSIP_EPOCH_SIZE);
    snprintf(field, sizeof(field), "%s.count", author);
    count = vectors_number(vectors, field);
    assert_true(count > 0);
    for (unsigned seq = 1; seq <= count; seq++) {
        struct frame frame;
        const uint8_t *body;
        const uint8_t *seal;
        size_t size;

        snprintf(field, sizeof(field), "%s.%u.body", author, seq);
        body = vectors_get(vectors, field, &size);
        assert_true(frame_read(body, size, &frame));
        assert_false(chain_advance(&chain, crypto, &owner, body, size, &frame));
        size_so_far += size;
        assert_true(chain.seq == seq);
        assert_true(chain.unsealed_size == size_so_far);
        snprintf(field, sizeof(field), "%s.%u.mentions", author, seq);
        assert_memory_equal(chain.mentions_hash, vectors_fixed(vectors, field, GOSSIP_HASH_SIZE),
                            GOSSIP_HASH_SIZE);
        snprintf(field, sizeof(field), "%s.%u.hash", author, seq);
        assert_memory_equal(chain.hash, vectors_fixed(vectors, field, GOSSIP_HASH_SIZE),
                            GOSSIP_HASH_SIZE);
        snprintf(field, sizeof(field), "%s.%u.seal", author, seq);
        seal = vectors_fixed(vectors, field, GOSSIP_SIGNATURE_SIZE);
        assert_true(seal_verify(crypto, chain.hash, owner.key, seal));
    }
    vectors_close(vectors);
}

static void test_golden_events(void **state)
{
    (void)state;
    check_golden_author("alice1");
    check_golden_author("alice2");
}

/* Walks the stream of a golden run from the hash before it. */
static void check_golden_run(const struct vectors *vectors, char run)
{
    struct chain_owner owner = {.cluster = vectors_fixed(vectors, "cluster.key", GOSSIP_KEY_SIZE)};
    struct chain chain = {0};
    struct reader reader = {0};
    uint64_t last;
    char field[64];

    snprintf(field, sizeof(field), "%c.key", run);
    owner.key = vectors_fixed(vectors, field, GOSSIP_KEY_SIZE);
    snprintf(field, sizeof(field), "%c.epoch", run);
    owner.epoch = vectors_fixed(vectors, field, GOSSIP_EPOCH_SIZE);
    snprintf(field, sizeof(field), "%c.first", run);
    chain.seq = vectors_number(vectors, field) - 1;
    snprintf(field, sizeof(field), "%c.previous", run);
    memcpy(chain.hash, vectors_fixed(vectors, field, GOSSIP_HASH_SIZE), GOSSIP_HASH_SIZE);
    snprintf(field, sizeof(field), "%c.last", run);
    last = vectors_number(vectors, field);
    snprintf(field, sizeof(field), "%c.stream", run);
    reader.data = vectors_get(vectors, field, &reader.size);
    while (reader.offset < reader.size) {
        uint64_t size = read_varint(&reader);
        const uint8_t *body = read_bytes(&reader, (size_t)size);
        struct frame frame;
        bool requires_seal;

        assert_false(reader.failed);
        assert_true(frame_read(body, (size_t)size, &frame));
        requires_seal = chain_advance(&chain, crypto, &owner, body, (size_t)size, &frame);
        assert_int_equal(requires_seal, chain.seq % GOSSIP_SEAL_EVERY == 0);
    }
    assert_true(chain.seq == last);
    snprintf(field, sizeof(field), "%c.hash", run);
    assert_memory_equal(chain.hash, vectors_fixed(vectors, field, GOSSIP_HASH_SIZE),
                        GOSSIP_HASH_SIZE);
    snprintf(field, sizeof(field), "%c.seal", run);
    assert_true(seal_verify(crypto, chain.hash, owner.key,
                            vectors_fixed(vectors, field, GOSSIP_SIGNATURE_SIZE)));
}

static void test_golden_runs(void **state)
{
    struct vectors *vectors = vectors_open("run");

    (void)state;
    for (char run = 'a'; run <= 'd'; run++)
        check_golden_run(vectors, run);
    vectors_close(vectors);
}

/* An author to write with. */
struct author_keys {
    uint8_t cluster[GOSSIP_KEY_SIZE];
    uint8_t key[GOSSIP_KEY_SIZE];
    uint8_t secret[GOSSIP_SECRET_SIZE];
    uint8_t epoch[GOSSIP_EPOCH_SIZE];
};

static struct author_keys keys_of(uint8_t cluster, uint8_t node, uint8_t epoch)
{
    struct author_keys keys;
    uint8_t seed[GOSSIP_SEED_SIZE];
    uint8_t secret[GOSSIP_SECRET_SIZE];

    memset(seed, cluster, sizeof(seed));
    crypto->key_pair(seed, keys.cluster, secret);
    memset(seed, node, sizeof(seed));
    crypto->key_pair(seed, keys.key, keys.secret);
    memset(keys.epoch, epoch, sizeof(keys.epoch));
    return keys;
}

static struct chain_owner owner_of(const struct author_keys *keys)
{
    return (struct chain_owner){keys->cluster, keys->key, keys->epoch};
}

/* Advances by an event of one byte of fields; returns whether it requires a seal. */
static bool advance(struct chain *chain, const struct author_keys *keys, uint8_t content)
{
    const struct chain_owner owner = owner_of(keys);
    uint8_t body[16];
    struct frame frame;
    size_t size = frame_size(1, NULL, 0);

    frame_write(body, 5, 1, NULL, 0);
    body[size++] = content;
    assert_true(frame_read(body, size, &frame));
    return chain_advance(chain, crypto, &owner, body, size, &frame);
}

/* Advances by an event of exactly so many bytes. */
static bool advance_size(struct chain *chain, const struct author_keys *keys, size_t size)
{
    const struct chain_owner owner = owner_of(keys);
    uint8_t *body = calloc(1, size);
    struct frame frame;
    bool requires_seal;

    assert_non_null(body);
    frame_write(body, 5, 1, NULL, 0);
    assert_true(frame_read(body, size, &frame));
    requires_seal = chain_advance(chain, crypto, &owner, body, size, &frame);
    free(body);
    return requires_seal;
}

static void test_seals_at_multiples(void **state)
{
    const struct author_keys keys = keys_of(1, 2, 3);
    struct chain chain = {0};

    (void)state;
    for (uint64_t seq = 1; seq <= 5 * GOSSIP_SEAL_EVERY; seq++) {
        assert_int_equal(advance(&chain, &keys, 0), seq % GOSSIP_SEAL_EVERY == 0);
        assert_true(chain.unsealed_size == seq % GOSSIP_SEAL_EVERY * (frame_size(1, NULL, 0) + 1));
    }
}

static void test_seals_at_sizes(void **state)
{
    enum { MIB = GOSSIP_SEAL_BYTES };
    static const struct {
        size_t sizes[6];
        size_t required[6]; /* 1 where it is. */
    } cases[] = {
        {{MIB}, {1}},
        {{MIB - 1}, {0}},
        {{MIB - 100, 100}, {0, 1}},
        {{MIB - 100, 99, 12}, {0, 0, 1}},
        {{MIB - 1, MIB}, {0, 1}}, /* The greatest run: 2 MiB less one. */
        {{MIB, MIB, 12, MIB - 13}, {1, 1, 0, 0}},
        {{MIB, 12, MIB - 12, 12}, {1, 0, 1, 0}}, /* The one that was sealed does not count. */
        {{MIB / 2, MIB / 2, MIB / 2, MIB / 2 - 1, 12}, {0, 1, 0, 0, 1}},
        {{MIB - 20, MIB - 20, 12, MIB - 13, 12}, {0, 1, 0, 0, 1}},
    };
    const struct author_keys keys = keys_of(1, 2, 3);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct chain chain = {0};

        for (size_t j = 0; j < 6 && cases[i].sizes[j] > 0; j++) {
            bool required = advance_size(&chain, &keys, cases[i].sizes[j]);

            if (required != (cases[i].required[j] == 1))
                fail_msg("case %zu, event %zu", i, j + 1);
            assert_int_equal(required, chain.unsealed_size == 0);
        }
    }
}

/* Both rules at once, against a model that sums up anew each time. */
static void test_seals_as_a_model(void **state)
{
    enum { EVENTS = 400 };
    const struct author_keys keys = keys_of(1, 2, 3);
    struct chain chain = {0};
    uint64_t seed = random_start();
    static size_t sizes[EVENTS + 1];
    static bool required[EVENTS + 1];
    size_t by_size = 0;

    (void)state;
    for (size_t seq = 1; seq <= EVENTS; seq++) {
        size_t sum = 0;

        sizes[seq] = 11 + (size_t)random_below(&seed, random_below(&seed, 8) == 0 ? 500000 : 900);
        for (size_t i = seq; i > 0 && !required[i]; i--)
            sum += sizes[i];
        required[seq] = seq % GOSSIP_SEAL_EVERY == 0 || sum >= GOSSIP_SEAL_BYTES;
        by_size += required[seq] && seq % GOSSIP_SEAL_EVERY != 0;
        assert_int_equal(advance_size(&chain, &keys, sizes[seq]), required[seq]);
    }
    assert_true(by_size > 3);
}

/* A seal is good for its event alone: not for one of another cluster, node, epoch, seq, past, list
 * of mentions or content. */
static void test_a_seal_fits_one_event(void **state)
{
    enum { CHAINS = 8, EVENTS = 3 };
    struct author_keys keys[CHAINS] = {
        keys_of(1, 2, 3), /* The one, ... */
        keys_of(9, 2, 3), /* of another cluster, */
        keys_of(1, 9, 3), /* another node, */
        keys_of(1, 2, 9), /* another epoch, */
        keys_of(1, 2, 3), /* another content at the second, */
        keys_of(1, 2, 3), /* another content at the first, */
        keys_of(1, 2, 3), /* another seq, */
        keys_of(1, 2, 3), /* and another list of mentions. */
    };
    struct chain chains[CHAINS][EVENTS];
    uint8_t seals[CHAINS][EVENTS][GOSSIP_SIGNATURE_SIZE];

    (void)state;
    for (size_t i = 0; i < CHAINS; i++) {
        struct chain chain = {.seq = i == 6 ? 7 : 0, .mentions = i == 7 ? 1 : 0};

        if (i == 7)
            chain.mentions_hash[0] = 1;
        for (size_t j = 0; j < EVENTS; j++) {
            advance(&chain, &keys[i], (i == 4 && j == 1) || (i == 5 && j == 0) ? 1 : 0);
            chains[i][j] = chain;
            seal_sign(crypto, chain.hash, keys[i].secret, seals[i][j]);
        }
    }
    for (size_t a = 0; a < CHAINS * EVENTS; a++) {
        for (size_t b = 0; b < CHAINS * EVENTS; b++) {
            const uint8_t *hash = chains[a / EVENTS][a % EVENTS].hash;
            const uint8_t *seal = seals[b / EVENTS][b % EVENTS];
            /* The chain that differs in its second event has the same first one. */
            bool is_same = a == b || (a == 0 && b == 4 * EVENTS) || (b == 0 && a == 4 * EVENTS);

            if (seal_verify(crypto, hash, keys[a / EVENTS].key, seal) != is_same)
                fail_msg("event %zu with the seal of %zu", a, b);
        }
    }
}

/* A seal says what it is: a signature over the hash alone, or of another domain, is none. */
static void test_a_seal_has_its_domain(void **state)
{
    const struct author_keys keys = keys_of(1, 2, 3);
    struct chain chain = {0};
    uint8_t seal[GOSSIP_SIGNATURE_SIZE];
    uint8_t bytes[64 + GOSSIP_HASH_SIZE];

    (void)state;
    advance(&chain, &keys, 0);
    crypto->sign(seal, chain.hash, GOSSIP_HASH_SIZE, keys.secret);
    assert_false(seal_verify(crypto, chain.hash, keys.key, seal));
    memcpy(bytes, GOSSIP_DOMAIN_HELLO, sizeof(GOSSIP_DOMAIN_HELLO));
    memcpy(bytes + sizeof(GOSSIP_DOMAIN_HELLO), chain.hash, GOSSIP_HASH_SIZE);
    crypto->sign(seal, bytes, sizeof(GOSSIP_DOMAIN_HELLO) + GOSSIP_HASH_SIZE, keys.secret);
    assert_false(seal_verify(crypto, chain.hash, keys.key, seal));
    memcpy(bytes, GOSSIP_DOMAIN_SEAL, sizeof(GOSSIP_DOMAIN_SEAL));
    memcpy(bytes + sizeof(GOSSIP_DOMAIN_SEAL), chain.hash, GOSSIP_HASH_SIZE);
    crypto->sign(seal, bytes, sizeof(GOSSIP_DOMAIN_SEAL) + GOSSIP_HASH_SIZE, keys.secret);
    assert_true(seal_verify(crypto, chain.hash, keys.key, seal));
    for (size_t bit = 0; bit < 8 * sizeof(seal); bit++) {
        seal[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(seal_verify(crypto, chain.hash, keys.key, seal));
        seal[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

/* Known entries mention nobody new; each new one does, also where it raises nothing. */
static void test_mentions_count(void **state)
{
    const struct author_keys keys = keys_of(1, 2, 3);
    const struct chain_owner owner = owner_of(&keys);
    static const uint8_t ids[3][GOSSIP_ID_SIZE] = {{1}, {2}, {3}};
    static const struct frame_entry entries[] = {
        {.mention = 1, .seq = 5}, {.mention = 2, .seq = 5}, {.id = ids[0], .seq = 1},
        {.id = ids[1], .seq = 1}, {.id = ids[2], .seq = 9},
    };
    struct chain at_once = {0};
    struct chain one_by_one = {0};
    struct frame frame;
    uint8_t body[256];
    size_t size = frame_size(2, entries, 5);

    (void)state;
    frame_write(body, 1, 2, entries, 5);
    assert_true(frame_read(body, size, &frame));
    chain_advance(&at_once, crypto, &owner, body, size, &frame);
    assert_true(at_once.mentions == 3);
    for (size_t i = 2; i < 5; i++) {
        size = frame_size(2, entries + i, 1);
        frame_write(body, 1, 2, entries + i, 1);
        assert_true(frame_read(body, size, &frame));
        chain_advance(&one_by_one, crypto, &owner, body, size, &frame);
        assert_true(one_by_one.mentions == i - 1);
    }
    /* The list is what counts, not which events it came in. */
    assert_memory_equal(at_once.mentions_hash, one_by_one.mentions_hash, GOSSIP_HASH_SIZE);
    frame_write(body, 1, 2, entries, 2);
    assert_true(frame_read(body, frame_size(2, entries, 2), &frame));
    chain_advance(&at_once, crypto, &owner, body, frame_size(2, entries, 2), &frame);
    assert_true(at_once.mentions == 3);
    assert_memory_equal(at_once.mentions_hash, one_by_one.mentions_hash, GOSSIP_HASH_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_ids),
        cmocka_unit_test(test_golden_events),
        cmocka_unit_test(test_golden_runs),
        cmocka_unit_test(test_seals_at_multiples),
        cmocka_unit_test(test_seals_at_sizes),
        cmocka_unit_test(test_seals_as_a_model),
        cmocka_unit_test(test_a_seal_fits_one_event),
        cmocka_unit_test(test_a_seal_has_its_domain),
        cmocka_unit_test(test_mentions_count),
    };

    crypto = gossip_crypto_sodium();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
