#include "gossip/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/bytes.h"
#include "gossip/gossip.h"
#include "tests/property.h"
#include "tests/vectors.h"

enum { AUTHORS = 60 };

static const struct gossip_crypto *crypto;
static const uint8_t exchange_1[GOSSIP_NONCE_SIZE] = {1, 2, 3};
static const uint8_t exchange_2[GOSSIP_NONCE_SIZE] = {1, 2, 4};

static const uint8_t no_hash[GOSSIP_HASH_SIZE];

/* ---- The trie, once more: ids as text, sets by prefix, nothing kept from one time to the next.
 * ---- */

struct model_author {
    uint8_t id[GOSSIP_ID_SIZE];
    char path[2 * GOSSIP_ID_SIZE + 1]; /* The id in hex. */
    uint64_t have;
    uint8_t hash[GOSSIP_HASH_SIZE];
    uint64_t cut;
    bool has_proof; /* Else an eviction has made the cut. */
};

/* As if a proof had made an author's cut, or none had. */
static void set_proof(struct author *author, bool has_proof)
{
    if (has_proof && author->proof == NULL) {
        author->proof = calloc(1, sizeof(*author->proof));
        assert_non_null(author->proof);
    } else if (!has_proof) {
        free(author->proof);
        author->proof = NULL;
    }
}

struct model {
    struct model_author authors[AUTHORS]; /* In no order. */
    size_t count;
};

static uint64_t model_have(const struct model_author *author)
{
    return author->cut > 0 && author->cut - 1 < author->have ? author->cut - 1 : author->have;
}

static void model_leaf(const struct model_author *author, uint8_t ret_hash[GOSSIP_HASH_SIZE])
{
    uint8_t bytes[128];
    struct writer writer = {bytes, sizeof(bytes), 0, false};

    write_bytes(&writer, "gossip/leaf/1", 14);
    write_bytes(&writer, author->id, GOSSIP_ID_SIZE);
    write_fixed(&writer, model_have(author), 8);
    write_bytes(&writer, author->cut == 1 ? no_hash : author->hash, GOSSIP_HASH_SIZE);
    write_fixed(&writer, author->cut, 8);
    assert_false(writer.failed);
    crypto->hash(ret_hash, (const struct gossip_piece[]){{bytes, writer.size}}, 1);
}

static void model_trie(const struct model *model, const char *prefix,
                       uint8_t ret_hash[GOSSIP_HASH_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    const struct model_author *one = NULL;
    size_t length = strlen(prefix);
    size_t count = 0;
    char longer[2 * GOSSIP_ID_SIZE + 2];
    uint8_t bytes[16 + 16 * GOSSIP_HASH_SIZE];

    for (size_t i = 0; i < model->count; i++) {
        const struct model_author *author = &model->authors[i];

        if ((model_have(author) == 0 && !author->has_proof) ||
            strncmp(author->path, prefix, length) != 0)
            continue;
        one = author;
        count++;
    }
    memset(ret_hash, 0, GOSSIP_HASH_SIZE);
    if (count == 0)
        return;
    if (count == 1) {
        model_leaf(one, ret_hash);
        return;
    }
    memcpy(bytes, "gossip/branch/1", 16);
    for (size_t i = 0; i < 16; i++) {
        snprintf(longer, sizeof(longer), "%s%c", prefix, digits[i]);
        model_trie(model, longer, bytes + 16 + i * GOSSIP_HASH_SIZE);
    }
    crypto->hash(ret_hash, (const struct gossip_piece[]){{bytes, sizeof(bytes)}}, 1);
}

static void check_trie(const struct authors *authors, const struct model *model)
{
    uint8_t hash[GOSSIP_HASH_SIZE];
    uint8_t expected[GOSSIP_HASH_SIZE];

    digest_trie(authors, crypto, hash);
    model_trie(model, "", expected);
    assert_memory_equal(hash, expected, sizeof(hash));
}

static void add(struct authors *authors, struct model *model, const uint8_t *id)
{
    struct gossip_author_record record = {.number = (uint32_t)authors->count};
    struct model_author *author = &model->authors[model->count++];

    memset(author, 0, sizeof(*author));
    memcpy(record.id, id, GOSSIP_ID_SIZE);
    memcpy(author->id, id, GOSSIP_ID_SIZE);
    for (size_t i = 0; i < GOSSIP_ID_SIZE; i++)
        snprintf(author->path + 2 * i, 3, "%02x", id[i]);
    assert_int_equal(authors_add(authors, &record), GOSSIP_OK);
}

/* Gives an author of both worlds another state. */
static void change(struct authors *authors, struct model *model, size_t index, uint64_t *seed)
{
    struct model_author *author = &model->authors[index];
    struct author *real = authors->items[index];

    switch (random_below(seed, 4)) {
    case 0:
        author->cut = random_below(seed, 3) == 0 ? 0 : 1 + random_below(seed, author->have + 3);
        author->has_proof = author->cut > 0 && random_below(seed, 2) == 0;
        break;
    case 1:
        author->hash[random_below(seed, GOSSIP_HASH_SIZE)] ^= 1;
        break;
    case 2:
        author->have = random_below(seed, 3) == 0 ? 0 : random_below(seed, 1000);
        break;
    default:
        author->have++;
        author->hash[0]++;
        break;
    }
    real->stored.have = author->have;
    real->stored.cut = author->cut;
    set_proof(real, author->has_proof);
    memcpy(real->stored.head_hash, author->hash, GOSSIP_HASH_SIZE);
    if (author->cut > 0 && author->cut <= author->have) {
        /* What is shown is the event before the cut, not the newest. */
        real->stored.head_hash[0] ^= 1;
        memcpy(real->cut_hash, author->hash, GOSSIP_HASH_SIZE);
    }
    real->leaf_fits = false;
    assert_int_equal(digest_shows(real), model_have(author) > 0 || author->has_proof);
}

/* Ids that share from none to all but one of their half-bytes. */
static void test_trie_as_a_model(void **state)
{
    uint64_t seed = random_start();

    (void)state;
    for (unsigned round = 0; round < random_rounds(15); round++) {
        static struct model model;
        struct authors authors = {0};

        model.count = 0;
        check_trie(&authors, &model);
        while (authors.count < AUTHORS) {
            uint8_t id[GOSSIP_ID_SIZE] = {0};

            if (authors.count > 0 && random_below(&seed, 3) != 0) {
                uint64_t bit = random_below(&seed, 8 * GOSSIP_ID_SIZE);

                memcpy(id, model.authors[random_below(&seed, model.count)].id, sizeof(id));
                id[bit / 8] ^= (uint8_t)(1 << bit % 8);
            } else {
                put_fixed(id, random_next(&seed), 8);
            }
            if (authors_find(&authors, id) != NO_AUTHOR)
                continue;
            add(&authors, &model, id);
            for (int times = 0; times < 3; times++) {
                change(&authors, &model, (size_t)random_below(&seed, authors.count), &seed);
                check_trie(&authors, &model);
            }
            check_trie(&authors, &model); /* From what was kept. */
        }
        authors_clear(&authors);
    }
}

/* What differs anywhere shows in the root; what does not, does not, in whatever order authors
 * became known. */
static void test_trie_is_of_the_set(void **state)
{
    struct authors forwards = {0};
    struct authors backwards = {0};
    uint8_t hash[GOSSIP_HASH_SIZE];
    uint8_t other[GOSSIP_HASH_SIZE];

    (void)state;
    for (uint8_t i = 0; i < AUTHORS; i++) {
        for (int side = 0; side < 2; side++) {
            uint8_t number = side == 0 ? i : (uint8_t)(AUTHORS - 1 - i);
            struct authors *authors = side == 0 ? &forwards : &backwards;
            struct gossip_author_record record = {.number = i, .have = 1u + number};

            record.id[number % GOSSIP_ID_SIZE] = number;
            record.id[15] = number;
            record.head_hash[0] = number;
            assert_int_equal(authors_add(authors, &record), GOSSIP_OK);
        }
    }
    digest_trie(&forwards, crypto, hash);
    digest_trie(&backwards, crypto, other);
    assert_memory_equal(hash, other, sizeof(hash));
    for (size_t i = 0; i < AUTHORS; i++) {
        struct author *author = forwards.items[i];

        for (int field = 0; field < 3; field++) {
            struct gossip_author_record kept = author->stored;

            author->stored.have += field == 0;
            author->stored.head_hash[31] ^= (uint8_t)(field == 1);
            author->stored.cut += field == 2 ? 1000 : 0;
            author->leaf_fits = false;
            digest_trie(&forwards, crypto, other);
            assert_memory_not_equal(hash, other, sizeof(hash));
            author->stored = kept;
            author->leaf_fits = false;
        }
    }
    digest_trie(&forwards, crypto, other);
    assert_memory_equal(hash, other, sizeof(hash));
    authors_clear(&forwards);
    authors_clear(&backwards);
}

/* ---- What is sent. ---- */

static void test_roots(void **state)
{
    uint8_t trie[GOSSIP_HASH_SIZE] = {1};
    uint8_t set[GOSSIP_HASH_SIZE] = {2};
    struct digest_roots roots;
    struct digest_roots others;

    (void)state;
    digest_roots(crypto, exchange_1, trie, set, &roots);
    digest_roots(crypto, exchange_1, trie, set, &others);
    assert_memory_equal(roots.root, others.root, sizeof(roots.root));
    assert_memory_equal(roots.records_root, others.records_root, sizeof(roots.records_root));

    digest_roots(crypto, exchange_2, trie, set, &others); /* Each exchange has roots of its own. */
    assert_memory_not_equal(roots.root, others.root, sizeof(roots.root));
    assert_memory_not_equal(roots.records_root, others.records_root, sizeof(roots.records_root));

    trie[31] ^= 1;
    digest_roots(crypto, exchange_1, trie, set, &others);
    assert_memory_not_equal(roots.root, others.root, sizeof(roots.root));
    assert_memory_equal(roots.records_root, others.records_root, sizeof(roots.records_root));
    trie[31] ^= 1;
    set[31] ^= 1;
    digest_roots(crypto, exchange_1, trie, set, &others);
    assert_memory_not_equal(roots.root, others.root, sizeof(roots.root));
    assert_memory_not_equal(roots.records_root, others.records_root, sizeof(roots.records_root));
}

static struct author author_of(uint8_t first, uint64_t have, uint64_t cut)
{
    struct author author = {.stored = {.have = have, .cut = cut, .head_hash = {first}}};

    author.stored.id[0] = first;
    return author;
}

static void test_entries_round_trip(void **state)
{
    static const struct {
        uint64_t have;
        uint64_t cut;
        uint64_t reads;
    } cases[] = {
        {1, 0, 1},
        {63, 0, 63},
        {64, 0, 64},
        {GOSSIP_COUNTER_MAX, 0, GOSSIP_COUNTER_MAX},
        {GOSSIP_COUNTER_MAX, GOSSIP_COUNTER_MAX, GOSSIP_COUNTER_MAX - 1},
        {0, 1, 0},
        {7, 1, 0},
        {7, 7, 6},
        {7, 8, 7},
        {7, 100, 7},
    };
    enum { CASES = sizeof(cases) / sizeof(cases[0]) };
    uint8_t bytes[CASES * DIGEST_ENTRY_MAX];
    uint8_t heads[CASES][GOSSIP_SHORT_HASH_SIZE];
    size_t ends[CASES];
    size_t size = 0;
    const uint8_t *before = NULL;
    struct digest_entry entry;
    struct reader reader;

    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        struct author author = author_of((uint8_t)(i + 1), cases[i].have, cases[i].cut);

        digest_head(crypto, exchange_1, &author, heads[i]);
        size += digest_entry_write(crypto, exchange_1, &author, bytes + size);
        ends[i] = size;
    }
    reader = (struct reader){bytes, size, 0, false};
    for (size_t i = 0; i < CASES; i++) {
        assert_true(digest_entry_read(&reader, before, &entry));
        assert_int_equal(entry.id[0], i + 1);
        assert_true(entry.have == cases[i].reads);
        assert_int_equal(entry.cut, cases[i].cut);
        assert_memory_equal(entry.head, heads[i], GOSSIP_SHORT_HASH_SIZE);
        before = entry.id;
    }
    assert_false(digest_entry_read(&reader, before, &entry));
    assert_false(reader.failed);

    for (size_t cut = 0, whole = 0; cut <= size; cut++) {
        uint8_t *shorter = malloc(cut + 1);
        size_t count = 0;

        assert_non_null(shorter);
        memcpy(shorter, bytes, cut);
        while (whole < CASES && ends[whole] <= cut)
            whole++;
        reader = (struct reader){shorter, cut, 0, false};
        before = NULL;
        while (digest_entry_read(&reader, before, &entry)) {
            before = entry.id;
            count++;
        }
        assert_int_equal(count, whole);
        assert_int_equal(reader.failed, cut != (whole == 0 ? 0 : ends[whole - 1]));
        free(shorter);
    }
}

static void test_entries_refused(void **state)
{
    static const struct {
        uint8_t first; /* Of the id before it; 255: there is none. */
        uint8_t id;
        uint8_t state[21];
        size_t state_size;
        bool is_good;
    } cases[] = {
        {255, 5, {2}, 1, true},
        {4, 5, {2}, 1, true},
        {5, 5, {2}, 1, false}, /* Twice. */
        {6, 5, {2}, 1, false}, /* Out of order. */
        {255, 0, {2}, 1, true},
        {255, 5, {0}, 1, false},   /* Nothing, which is left out. */
        {255, 5, {1, 1}, 2, true}, /* Cut from the first on. */
        {255, 5, {3, 2}, 2, true},
        {255, 5, {3, 99}, 2, true},    /* Not all before the cut is there. */
        {255, 5, {1}, 1, false},       /* It does not say where. */
        {255, 5, {1, 0}, 2, false},    /* Before anything. */
        {255, 5, {3, 1}, 2, false},    /* What is shown lies behind it. */
        {255, 5, {0x82, 0}, 2, false}, /* Not the shortest form. */
        {255, 5, {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1}, 10, true}, /* 2^62 */
        {255,
         5,
         {0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1, /* and cut after it: */
          0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40},
         19,
         true},
        {255,
         5,
         {0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1, /* or past that. */
          0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40},
         19,
         false},
        {255, 5, {0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1}, 10, false},
        {255, 5, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, 10, false},
        {255, 5, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2}, 10, false},
        {255, 5, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81, 0}, 11, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t before[GOSSIP_ID_SIZE] = {cases[i].first};
        uint8_t id[GOSSIP_ID_SIZE] = {cases[i].id};
        uint8_t head[GOSSIP_SHORT_HASH_SIZE] = {7};
        uint8_t bytes[64];
        struct writer writer = {bytes, sizeof(bytes), 0, false};
        struct digest_entry entry = {.have = 77};
        struct reader reader;
        bool is_good;

        write_bytes(&writer, id, sizeof(id));
        write_bytes(&writer, cases[i].state, cases[i].state_size);
        write_bytes(&writer, head, sizeof(head));
        reader = (struct reader){bytes, writer.size, 0, false};
        is_good = digest_entry_read(&reader, cases[i].first == 255 ? NULL : before, &entry);
        if (is_good != cases[i].is_good)
            fail_msg("case %zu", i);
        assert_int_equal(reader.failed, !is_good);
        if (!is_good) {
            assert_true(entry.have == 77);
            assert_false(digest_entry_read(&reader, NULL, &entry)); /* It stays failed. */
        }
    }
}

/* A head is of the exchange, the author, what it has and its hash. */
static void test_heads(void **state)
{
    struct author author = author_of(1, 5, 0);
    uint8_t head[GOSSIP_SHORT_HASH_SIZE];
    uint8_t other[GOSSIP_SHORT_HASH_SIZE];

    (void)state;
    digest_head(crypto, exchange_1, &author, head);
    digest_head(crypto, exchange_2, &author, other);
    assert_memory_not_equal(head, other, sizeof(head));
    for (int field = 0; field < 3; field++) {
        struct author changed = author;

        changed.stored.have += field == 0;
        changed.stored.id[15] ^= (uint8_t)(field == 1);
        changed.stored.head_hash[31] ^= (uint8_t)(field == 2);
        digest_head(crypto, exchange_1, &changed, other);
        assert_memory_not_equal(head, other, sizeof(head));
    }
    digest_head(crypto, exchange_1, &author, other);
    assert_memory_equal(head, other, sizeof(head));
}

/* ---- The golden bytes. ---- */

static const uint8_t *field_of(const struct vectors *vectors, unsigned number, const char *name,
                               size_t size)
{
    char field[64];

    snprintf(field, sizeof(field), "author%u.%s", number, name);
    return vectors_fixed(vectors, field, size);
}

static void check_golden_roots(const struct vectors *vectors, const char *name,
                               const struct authors *authors)
{
    const uint8_t *exchange = vectors_fixed(vectors, "exchange", GOSSIP_NONCE_SIZE);
    struct digest_roots roots;
    uint8_t trie[GOSSIP_HASH_SIZE];
    const uint8_t *set;
    char field[64];

    digest_trie(authors, crypto, trie);
    snprintf(field, sizeof(field), "%s.trie", name);
    assert_memory_equal(trie, vectors_fixed(vectors, field, sizeof(trie)), sizeof(trie));
    snprintf(field, sizeof(field), "%s.set", name);
    set = vectors_fixed(vectors, field, GOSSIP_HASH_SIZE);
    digest_roots(crypto, exchange, trie, set, &roots);
    snprintf(field, sizeof(field), "%s.root", name);
    assert_memory_equal(roots.root, vectors_fixed(vectors, field, 16), 16);
    snprintf(field, sizeof(field), "%s.records_root", name);
    assert_memory_equal(roots.records_root, vectors_fixed(vectors, field, 8), 8);
}

/* The list of an answer is what we would write of the same authors. */
static void check_golden_list(const struct vectors *vectors, const struct authors *authors)
{
    static struct wire_arena arena;
    const uint8_t *exchange = vectors_fixed(vectors, "exchange", GOSSIP_NONCE_SIZE);
    const uint8_t *before = NULL;
    struct wire_digest digest;
    struct digest_entry entry;
    struct reader reader;
    size_t count = 0;
    size_t size;
    const uint8_t *bytes = vectors_get(vectors, "answer", &size);

    assert_true(wire_decode_digest(&arena, bytes, size, &digest));
    assert_true(digest.authors.present);
    reader = (struct reader){digest.authors.entries.data, digest.authors.entries.size, 0, false};
    while (digest_entry_read(&reader, before, &entry)) {
        uint8_t written[DIGEST_ENTRY_MAX];
        uint32_t number = authors_find(authors, entry.id);
        size_t entry_size = reader.offset - (size_t)(entry.id - reader.data);

        assert_int_not_equal(number, NO_AUTHOR);
        assert_true(entry.have == author_have(authors->items[number]));
        assert_int_equal(digest_entry_write(crypto, exchange, authors->items[number], written),
                         entry_size);
        assert_memory_equal(written, entry.id, entry_size);
        before = entry.id;
        count++;
    }
    assert_false(reader.failed);
    assert_int_equal(count, authors->count);
}

static void test_golden(void **state)
{
    struct vectors *vectors = vectors_open("digest");
    const uint8_t *exchange = vectors_fixed(vectors, "exchange", GOSSIP_NONCE_SIZE);
    struct authors all = {0};
    struct authors one = {0};
    struct authors none = {0};

    (void)state;
    for (unsigned number = 0; number < 10; number++) {
        struct gossip_author_record record = {.number = number};
        uint8_t head[GOSSIP_SHORT_HASH_SIZE];

        memcpy(record.id, field_of(vectors, number, "id", GOSSIP_ID_SIZE), GOSSIP_ID_SIZE);
        record.have = get_fixed(field_of(vectors, number, "have", 8), 8);
        record.cut = get_fixed(field_of(vectors, number, "cut", 8), 8);
        memcpy(record.head_hash, field_of(vectors, number, "hash", GOSSIP_HASH_SIZE),
               GOSSIP_HASH_SIZE);
        assert_int_equal(authors_add(&all, &record), GOSSIP_OK);
        set_proof(all.items[number], record.cut > 0);
        digest_head(crypto, exchange, all.items[number], head);
        assert_memory_equal(head, field_of(vectors, number, "head", sizeof(head)), sizeof(head));
    }
    check_golden_roots(vectors, "all", &all);
    for (unsigned number = 0; number < 10; number++) {
        assert_true(all.items[number]->leaf_fits);
        assert_memory_equal(all.items[number]->leaf,
                            field_of(vectors, number, "leaf", GOSSIP_HASH_SIZE), GOSSIP_HASH_SIZE);
    }
    check_golden_roots(vectors, "none", &none);
    /* The one is the author whose leaf is the trie. */
    for (unsigned number = 0; number < 10; number++) {
        if (memcmp(field_of(vectors, number, "leaf", GOSSIP_HASH_SIZE),
                   vectors_fixed(vectors, "one.trie", GOSSIP_HASH_SIZE), GOSSIP_HASH_SIZE) == 0) {
            struct gossip_author_record record = all.items[number]->stored;

            record.number = 0;
            assert_int_equal(authors_add(&one, &record), GOSSIP_OK);
            set_proof(one.items[0], record.cut > 0);
        }
    }
    assert_int_equal(one.count, 1);
    check_golden_roots(vectors, "one", &one);
    check_golden_list(vectors, &all);
    authors_clear(&one);
    authors_clear(&all);
    vectors_close(vectors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trie_as_a_model), cmocka_unit_test(test_trie_is_of_the_set),
        cmocka_unit_test(test_roots),           cmocka_unit_test(test_entries_round_trip),
        cmocka_unit_test(test_entries_refused), cmocka_unit_test(test_heads),
        cmocka_unit_test(test_golden),
    };

    crypto = gossip_crypto_sodium();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
