/*
 * Our code against the golden bytes of tests/vectors, which an encoder has made that shares nothing
 * with it. test_wire.c has the messages as such; here is what is hashed, signed and sealed, whole
 * datagrams, and what a node makes of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/archive.h"
#include "gossip/bytes.h"
#include "gossip/datagram.h"
#include "gossip/digest.h"
#include "gossip/eviction.h"
#include "gossip/node.h"
#include "gossip/proof.h"
#include "gossip/runs.h"
#include "gossip/state.h"
#include "tests/vectors.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { MENTIONS_MAX = 8, ENTRIES_MAX = 16 };

static const struct gossip_crypto *crypto;
static struct wire_arena arena;

static int start(void **state)
{
    (void)state;
    crypto = gossip_crypto_sodium();
    return 0;
}

/* The field made of a prefix and a name; lent until the next call but three. */
static const char *joined(const char *prefix, const char *name)
{
    static char texts[4][96];
    static unsigned next;
    char *text = texts[next++ % COUNT(texts)];

    snprintf(text, sizeof(texts[0]), "%s.%s", prefix, name);
    return text;
}

static const char *numbered(const char *prefix, uint64_t number, const char *name)
{
    char text[64];

    snprintf(text, sizeof(text), "%s.%llu", prefix, (unsigned long long)number);
    return joined(text, name);
}

static void check(const struct vectors *vectors, const char *field, const void *data, size_t size)
{
    size_t golden_size;
    const uint8_t *golden = vectors_get(vectors, field, &golden_size);

    if (size != golden_size || (size > 0 && memcmp(data, golden, size) != 0))
        fail_msg("%s is another here", field);
}

struct pair {
    uint8_t key[GOSSIP_KEY_SIZE];
    uint8_t secret[GOSSIP_SECRET_SIZE];
};

static struct pair pair_of(const struct vectors *vectors, const char *name)
{
    struct pair pair;

    crypto->key_pair(vectors_fixed(vectors, joined(name, "seed"), GOSSIP_SEED_SIZE), pair.key,
                     pair.secret);
    if (vectors_has(vectors, joined(name, "key")))
        check(vectors, joined(name, "key"), pair.key, sizeof(pair.key));
    return pair;
}

static void test_crypto(void **state)
{
    struct vectors *vectors = vectors_open("crypto");
    struct pair alice = pair_of(vectors, "alice");
    struct pair bob = pair_of(vectors, "bob");
    const uint8_t *key = vectors_fixed(vectors, "key", 32);
    const uint8_t *header;
    const uint8_t *message;
    size_t message_size;
    size_t header_size;
    uint8_t bytes[64];

    (void)state;
    message = vectors_get(vectors, "message", &message_size);
    header = vectors_get(vectors, "box.header", &header_size);
    crypto->hash(bytes, (const struct gossip_piece[]){{message, message_size}}, 1);
    check(vectors, "hash", bytes, GOSSIP_HASH_SIZE);
    crypto->keyed_hash(bytes, key, 32, (const struct gossip_piece[]){{message, message_size}}, 1);
    check(vectors, "keyed_hash", bytes, 16);
    crypto->keyed_hash(bytes, key, 32, (const struct gossip_piece[]){{message, 0}}, 1);
    check(vectors, "keyed_hash.of_nothing", bytes, 16);
    crypto->sign(bytes, message, message_size, alice.secret);
    check(vectors, "alice.signature", bytes, GOSSIP_SIGNATURE_SIZE);
    assert_true(crypto->agree(bytes, alice.secret, bob.key));
    check(vectors, "shared", bytes, 32);
    assert_true(crypto->agree(bytes, bob.secret, alice.key));
    check(vectors, "shared", bytes, 32);
    crypto->box_seal(bytes, message, message_size, header, header_size,
                     vectors_fixed(vectors, "box.nonce", GOSSIP_BOX_NONCE_SIZE), key);
    check(vectors, "box.cipher", bytes, message_size + GOSSIP_BOX_TAG_SIZE);
    vectors_close(vectors);
}

static void test_identity(void **state)
{
    static const char *const nodes[] = {"alice", "bob", "carol"};
    static const char *const authors[] = {"alice1", "alice2", "bob1", "carol1"};
    struct vectors *vectors = vectors_open("identity");
    uint8_t id[GOSSIP_ID_SIZE];

    (void)state;
    pair_of(vectors, "cluster");
    for (size_t i = 0; i < COUNT(nodes); i++) {
        struct pair pair = pair_of(vectors, nodes[i]);

        node_id(crypto, pair.key, id);
        check(vectors, joined(nodes[i], "id"), id, sizeof(id));
    }
    for (size_t i = 0; i < COUNT(authors); i++) {
        author_id(crypto, vectors_fixed(vectors, joined(authors[i], "key"), GOSSIP_KEY_SIZE),
                  vectors_fixed(vectors, joined(authors[i], "epoch"), GOSSIP_EPOCH_SIZE), id);
        check(vectors, joined(authors[i], "id"), id, sizeof(id));
    }
    vectors_close(vectors);
}

/* Whether a body's frame can be read; then it is also what we would write. */
static bool frame_is_ours(const uint8_t *body, size_t size, struct frame *ret_frame)
{
    struct frame_entry items[ENTRIES_MAX];
    struct frame_entries entries;
    uint8_t bytes[1024];
    size_t head_size;
    size_t count = 0;
    const uint8_t *payload;
    size_t payload_size;

    if (!frame_read(body, size, ret_frame))
        return false;
    entries = frame_entries(ret_frame);
    while (count < COUNT(items) && frame_next(&entries, &items[count]))
        count++;
    assert_int_equal(count, ret_frame->known_count + ret_frame->new_count);
    head_size = size - ret_frame->fields_size;
    assert_int_equal(frame_size(ret_frame->kind, items, count), head_size);
    assert_true(head_size <= sizeof(bytes));
    frame_write(bytes, ret_frame->hlc, ret_frame->kind, items, count);
    assert_memory_equal(bytes, body, head_size);

    /* Where a payload stands alone, we would write no other bytes. */
    if (payload_find(ret_frame, &payload, &payload_size) &&
        payload_field_size(payload_size) == ret_frame->fields_size) {
        uint8_t *field = malloc(ret_frame->fields_size);

        assert_non_null(field);
        payload_field_write(field, payload, payload_size);
        assert_memory_equal(field, ret_frame->fields, ret_frame->fields_size);
        free(field);
    }
    return true;
}

/* Entries of the context of an author, and in which order it has named them. */
struct context {
    uint8_t ids[MENTIONS_MAX][GOSSIP_ID_SIZE];
    uint64_t seqs[MENTIONS_MAX];
    size_t count;
};

static void context_add(struct context *context, const struct frame *frame)
{
    struct frame_entries entries = frame_entries(frame);
    struct frame_entry entry;

    while (frame_next(&entries, &entry)) {
        size_t index = (size_t)entry.mention - 1;

        if (entry.id != NULL) {
            index = context->count++;
            assert_true(index < MENTIONS_MAX);
            memcpy(context->ids[index], entry.id, GOSSIP_ID_SIZE);
            context->seqs[index] = 0;
        }
        assert_true(index < context->count);
        if (entry.seq > context->seqs[index])
            context->seqs[index] = entry.seq;
    }
}

static void context_check(const struct context *context, const struct vectors *vectors,
                          const char *field)
{
    size_t size;
    const uint8_t *golden = vectors_get(vectors, field, &size);

    assert_int_equal(size, context->count * (GOSSIP_ID_SIZE + 8));
    for (size_t i = 0; i < context->count; i++) {
        const uint8_t *found = NULL;

        for (size_t j = 0; j < size; j += GOSSIP_ID_SIZE + 8)
            if (memcmp(golden + j, context->ids[i], GOSSIP_ID_SIZE) == 0)
                found = golden + j;
        assert_non_null(found);
        assert_true(get_fixed(found + GOSSIP_ID_SIZE, 8) == context->seqs[i]);
    }
}

static struct chain_owner owner_of(const struct vectors *vectors, const char *author)
{
    return (struct chain_owner){
        vectors_fixed(vectors, "cluster.key", GOSSIP_KEY_SIZE),
        vectors_fixed(vectors, joined(author, "key"), GOSSIP_KEY_SIZE),
        vectors_fixed(vectors, joined(author, "epoch"), GOSSIP_EPOCH_SIZE),
    };
}

static void check_events(const struct vectors *vectors, const char *author,
                         const struct pair *signer)
{
    struct chain_owner owner = owner_of(vectors, author);
    uint64_t count = vectors_number(vectors, joined(author, "count"));
    struct chain chain = {0};
    struct context context = {.count = 0};

    check(vectors, joined(author, "key"), signer->key, GOSSIP_KEY_SIZE);

    for (uint64_t seq = 1; seq <= count; seq++) {
        const char *payload_name = numbered(author, seq, "payload");
        struct frame frame;
        const uint8_t *body;
        const uint8_t *payload;
        size_t body_size;
        size_t payload_size;
        uint8_t before[GOSSIP_HASH_SIZE];
        uint8_t hash[GOSSIP_HASH_SIZE];
        uint8_t seal[GOSSIP_SIGNATURE_SIZE];

        body = vectors_get(vectors, numbered(author, seq, "body"), &body_size);
        assert_true(frame_is_ours(body, body_size, &frame));
        assert_true(frame.kind == vectors_number(vectors, numbered(author, seq, "kind")));
        context_add(&context, &frame);
        context_check(&context, vectors, numbered(author, seq, "context"));
        payload_name = numbered(author, seq, "payload");
        if (payload_find(&frame, &payload, &payload_size))
            check(vectors, payload_name, payload, payload_size);
        else
            assert_false(vectors_has(vectors, payload_name));

        memcpy(before, chain.hash, sizeof(before));
        chain_advance(&chain, crypto, &owner, body, body_size, &frame);
        assert_true(chain.seq == seq);
        assert_int_equal(chain.mentions, context.count);
        check(vectors, numbered(author, seq, "mentions"), chain.mentions_hash, GOSSIP_HASH_SIZE);
        check(vectors, numbered(author, seq, "hash"), chain.hash, GOSSIP_HASH_SIZE);
        event_inner(crypto, chain.mentions_hash, body, body_size, hash);
        check(vectors, numbered(author, seq, "inner"), hash, sizeof(hash));
        event_hash(crypto, &owner, seq, before, (uint32_t)body_size, hash, hash);
        check(vectors, numbered(author, seq, "hash"), hash, sizeof(hash));
        seal_sign(crypto, chain.hash, signer->secret, seal);
        check(vectors, numbered(author, seq, "seal"), seal, sizeof(seal));
        assert_true(seal_verify(crypto, chain.hash, owner.key, seal));
    }
}

static void test_events(void **state)
{
    struct vectors *vectors = vectors_open("event");
    struct pair alice = pair_of(vectors, "alice");

    (void)state;
    check_events(vectors, "alice1", &alice);
    check_events(vectors, "alice2", &alice);
    vectors_close(vectors);
}

/* A run, and who its author is. */
struct golden_run {
    const uint8_t *key;
    const uint8_t *epoch;
    const uint8_t *id;
    uint64_t first;
    uint64_t last;
    const uint8_t *previous;
    const uint8_t *stream;
    size_t size;
    const uint8_t *hash;
    const uint8_t *seal;
};

static struct golden_run golden_run(const struct vectors *vectors, const char *name)
{
    struct golden_run run = {
        .key = vectors_fixed(vectors, joined(name, "key"), GOSSIP_KEY_SIZE),
        .epoch = vectors_fixed(vectors, joined(name, "epoch"), GOSSIP_EPOCH_SIZE),
        .id = vectors_fixed(vectors, joined(name, "id"), GOSSIP_ID_SIZE),
        .first = vectors_number(vectors, joined(name, "first")),
        .last = vectors_number(vectors, joined(name, "last")),
        .previous = vectors_fixed(vectors, joined(name, "previous"), GOSSIP_HASH_SIZE),
        .hash = vectors_fixed(vectors, joined(name, "hash"), GOSSIP_HASH_SIZE),
        .seal = vectors_fixed(vectors, joined(name, "seal"), GOSSIP_SIGNATURE_SIZE),
    };

    run.stream = vectors_get(vectors, joined(name, "stream"), &run.size);
    return run;
}

static void test_runs(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    struct vectors *vectors = vectors_open("run");
    const uint8_t *cluster = vectors_fixed(vectors, "cluster.key", GOSSIP_KEY_SIZE);
    struct chain chain = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        struct golden_run run = golden_run(vectors, names[i]);
        struct chain_owner owner = {cluster, run.key, run.epoch};
        struct reader reader = {run.stream, run.size, 0, false};

        if (run.first == 1) /* c goes on where b has ended. */
            chain = (struct chain){0};
        assert_memory_equal(chain.hash, run.previous, GOSSIP_HASH_SIZE);
        for (uint64_t seq = run.first; seq <= run.last; seq++) {
            size_t size = (size_t)read_varint(&reader);
            const uint8_t *body = read_bytes(&reader, size);
            struct frame frame;

            assert_non_null(body);
            assert_true(frame_is_ours(body, size, &frame));
            assert_int_equal(chain_advance(&chain, crypto, &owner, body, size, &frame), seq == 64);
        }
        assert_int_equal(reader.offset, run.size);
        assert_memory_equal(chain.hash, run.hash, GOSSIP_HASH_SIZE);
        assert_true(seal_verify(crypto, run.hash, run.key, run.seal));
    }
    vectors_close(vectors);
}

/* The parts of a run come together, in any order, to its stream. */
static void test_parts(void **state)
{
    static const char *const orders[][3] = {
        {"run_first", "run_middle", "run_last"},
        {"run_last", "run_middle", "run_first"},
        {"run_middle", "run_last", "run_first"},
    };
    struct vectors *vectors = vectors_open("part");
    struct vectors *run_vectors = vectors_open("run");
    struct golden_run golden = golden_run(run_vectors, "a");

    (void)state;
    check(vectors, "stream", golden.stream, golden.size);
    for (size_t i = 0; i < COUNT(orders); i++) {
        struct runs runs = {0};
        struct run *run = NULL;

        for (size_t j = 0; j < 3; j++) {
            struct wire_part part;
            size_t size;
            size_t dropped;
            const uint8_t *message = vectors_get(vectors, orders[i][j], &size);

            assert_true(run == NULL || !run_is_whole(run));
            assert_true(wire_decode_part(&arena, message, size, &part));
            assert_int_equal(runs_take(&runs, &part.run, 0, 0, &run, &dropped), RUNS_NEW);
        }
        assert_true(run_is_whole(run));
        assert_int_equal(run->size, golden.size);
        assert_memory_equal(run->data, golden.stream, golden.size);
        assert_true(run->first == golden.first && run->last == golden.last);
        assert_memory_equal(run->author, golden.id, GOSSIP_ID_SIZE);
        assert_memory_equal(run->previous, golden.previous, GOSSIP_HASH_SIZE);
        assert_memory_equal(run->seal, golden.seal, GOSSIP_SIGNATURE_SIZE);
        assert_true(run->has_introduction);
        assert_memory_equal(run->key, golden.key, GOSSIP_KEY_SIZE);
        assert_memory_equal(run->epoch, golden.epoch, GOSSIP_EPOCH_SIZE);
        runs_clear(&runs);
    }
    vectors_close(run_vectors);
    vectors_close(vectors);
}

static struct certificate golden_certificate(const struct vectors *vectors, const char *name)
{
    struct certificate certificate;
    size_t size;
    const uint8_t *record = vectors_get(vectors, joined(name, "record"), &size);

    assert_true(certificate_read(crypto, &arena, record, size, &certificate));
    return certificate;
}

static void test_certificates(void **state)
{
    static const char *const names[] = {"alice", "bob", "carol"};
    struct vectors *vectors = vectors_open("certificate");
    struct pair cluster = pair_of(vectors, "cluster");
    struct pair alice = pair_of(vectors, "alice");
    struct certificate issuer = golden_certificate(vectors, "alice");

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        struct pair pair = pair_of(vectors, names[i]);
        struct certificate found = golden_certificate(vectors, names[i]);
        bool has_issuer = vectors_has(vectors, joined(names[i], "issuer"));
        struct certificate made;
        char name[GOSSIP_NAME_MAX + 1] = "";
        size_t size;
        const uint8_t *bytes = vectors_get(vectors, joined(names[i], "name"), &size);

        assert_true(size <= GOSSIP_NAME_MAX);
        memcpy(name, bytes, size);
        certificate_make(crypto, cluster.key, pair.key, name,
                         (uint32_t)vectors_number(vectors, joined(names[i], "rights")),
                         has_issuer ? alice.key : NULL, has_issuer ? alice.secret : cluster.secret,
                         &made);
        check(vectors, joined(names[i], "record"), made.bytes, made.size);
        check(vectors, joined(names[i], "record_id"), made.id, sizeof(made.id));
        check(vectors, joined(names[i], "record_id"), found.id, sizeof(found.id));
        check(vectors, joined(names[i], "id"), found.node, sizeof(found.node));
        assert_string_equal(found.name, name);
        assert_int_equal(found.has_issuer, has_issuer);
        assert_true(certificate_verify(crypto, cluster.key, &found, &issuer));
        assert_int_equal(certificate_verify(crypto, cluster.key, &found, NULL), !has_issuer);
    }
    vectors_close(vectors);
}

static void test_evictions(void **state)
{
    static struct eviction made;
    static struct eviction found;
    struct vectors *vectors = vectors_open("eviction");
    struct vectors *certificates = vectors_open("certificate");
    struct certificate issuer = golden_certificate(certificates, "alice");
    struct pair cluster = pair_of(vectors, "cluster");
    struct pair alice = pair_of(vectors, "alice");
    struct pair carol = pair_of(vectors, "carol");
    struct eviction_last last[2];

    (void)state;
    for (size_t i = 0; i < COUNT(last); i++) {
        const char *name = i == 0 ? "last0" : "last1";

        last[i].seq = vectors_number(vectors, joined(name, "seq"));
        memcpy(last[i].epoch, vectors_fixed(vectors, joined(name, "epoch"), GOSSIP_EPOCH_SIZE),
               GOSSIP_EPOCH_SIZE);
        memcpy(last[i].hash, vectors_fixed(vectors, joined(name, "hash"), GOSSIP_HASH_SIZE),
               GOSSIP_HASH_SIZE);
    }
    for (size_t i = 0; i < 2; i++) {
        const char *name = i == 0 ? "by_alice" : "by_cluster";
        const uint8_t *record;
        size_t size;

        eviction_make(crypto, cluster.key, carol.key, last, i == 0 ? 2 : 0,
                      i == 0 ? alice.key : NULL, i == 0 ? alice.secret : cluster.secret, &made);
        check(vectors, joined(name, "record"), made.bytes, made.size);
        check(vectors, joined(name, "record_id"), made.id, sizeof(made.id));
        record = vectors_get(vectors, joined(name, "record"), &size);
        assert_true(eviction_read(crypto, &arena, record, size, &found));
        check(vectors, joined(name, "record_id"), found.id, sizeof(found.id));
        assert_true(eviction_verify(crypto, cluster.key, &found, i == 0 ? &issuer : NULL));
        assert_true(eviction_cut(&found, last[1].epoch) == (i == 0 ? last[1].seq + 1 : 1));
    }
    vectors_close(certificates);
    vectors_close(vectors);
}

/* The branch of a proof, of the bodies that name has in proof.txt. */
static struct proof_branch branch_of(const struct vectors *vectors, const char *name,
                                     const struct chain_owner *owner, const struct pair *signer,
                                     uint64_t seq, uint64_t last)
{
    struct proof_branch branch = {.link_count = (size_t)(last - seq + 1)};
    struct chain chain = {0};

    for (uint64_t i = 1; i <= last; i++) {
        struct frame frame;
        size_t size;
        const uint8_t *body = vectors_get(vectors, numbered(name, i, "body"), &size);

        if (i == seq)
            memcpy(branch.previous, chain.hash, GOSSIP_HASH_SIZE);
        assert_true(frame_is_ours(body, size, &frame));
        chain_advance(&chain, crypto, owner, body, size, &frame);
        check(vectors, numbered(name, i, "hash"), chain.hash, GOSSIP_HASH_SIZE);
        if (i >= seq) {
            branch.links[i - seq].body_size = (uint32_t)size;
            event_inner(crypto, chain.mentions_hash, body, size, branch.links[i - seq].inner);
        }
    }
    seal_sign(crypto, chain.hash, signer->secret, branch.seal);
    return branch;
}

static void test_proofs(void **state)
{
    static struct proof made;
    static struct proof found;
    struct vectors *vectors = vectors_open("proof");
    struct pair cluster = pair_of(vectors, "cluster");
    struct pair carol = pair_of(vectors, "carol");
    struct chain_owner owner = {cluster.key, carol.key,
                                vectors_fixed(vectors, "epoch", GOSSIP_EPOCH_SIZE)};
    uint64_t seq = vectors_number(vectors, "seq");

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const char *name = i == 0 ? "fork" : "early_fork";
        struct proof_branch one = branch_of(vectors, "trunk", &owner, &carol, seq, i == 0 ? 3 : 2);
        struct proof_branch other =
            branch_of(vectors, i == 0 ? "other" : "early", &owner, &carol, seq, 2);
        const uint8_t *record;
        size_t size;
        uint64_t cut;

        proof_make(crypto, &owner, seq, &one, &other, &made);
        check(vectors, joined(name, "record"), made.bytes, made.size);
        check(vectors, joined(name, "record_id"), made.id, sizeof(made.id));
        record = vectors_get(vectors, joined(name, "record"), &size);
        assert_true(proof_read(crypto, &arena, record, size, &found));
        check(vectors, joined(name, "record_id"), found.id, sizeof(found.id));
        assert_true(proof_verify(crypto, cluster.key, &found, &cut));
        assert_true(cut == vectors_number(vectors, joined(name, "cut")));
    }
    for (size_t i = 0; i < 2; i++) {
        static struct proof_half half;
        static struct proof_half read;
        const char *name = i == 0 ? "trunk_half" : "early_half";
        const char *author = i == 0 ? "trunk" : "early";
        struct proof_branch branch =
            branch_of(vectors, author, &owner, &carol, seq, i == 0 ? 3 : 2);
        uint8_t hash[GOSSIP_HASH_SIZE];
        const uint8_t *record;
        size_t size;

        proof_half_make(crypto, &owner, seq, &branch, &half);
        check(vectors, joined(name, "record"), half.bytes, half.size);
        check(vectors, joined(name, "record_id"), half.id, sizeof(half.id));
        record = vectors_get(vectors, joined(name, "record"), &size);
        assert_true(proof_half_read(crypto, &arena, record, size, &read));
        check(vectors, joined(name, "record_id"), read.id, sizeof(read.id));
        assert_true(proof_half_verify(crypto, cluster.key, &read, hash));
        check(vectors, numbered(author, seq, "hash"), hash, sizeof(hash));
    }
    vectors_close(vectors);
}

/* Golden bytes, read from the beginning to the end. */
struct golden_bytes {
    const uint8_t *data;
    size_t size;
    size_t offset;
};

static int read_golden(void *context, void *buffer, size_t size)
{
    struct golden_bytes *golden = context;
    size_t left = golden->size - golden->offset;

    size = size < left ? size : left;
    memcpy(buffer, golden->data + golden->offset, size);
    golden->offset += size;
    return (int)size;
}

/* What comes next is what stands there. */
static void check_written(const struct archive_writer *writer, struct golden_bytes *golden)
{
    assert_true(writer->size <= golden->size - golden->offset);
    assert_memory_equal(writer->bytes, golden->data + golden->offset, writer->size);
    golden->offset += writer->size;
}

static int write_block(struct archive_writer *writer, const struct archive_block *block)
{
    switch (block->kind) {
    case ARCHIVE_RECORD:
        return archive_write_record(writer, block->record.data, block->record.size);
    case ARCHIVE_RUN:
        return archive_write_run(writer, &block->run);
    case ARCHIVE_AUTHOR:
        return archive_write_author(writer, block->run.key, block->run.epoch);
    case ARCHIVE_END:
        break;
    }
    return archive_write_end(writer);
}

static void test_archives(void **state)
{
    struct vectors *vectors = vectors_open("archive");
    const char *const names[] = {"whole", "blocks"};
    struct gossip_archive told = {0};
    struct golden_bytes golden = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        struct golden_bytes again = {0};
        struct archive_writer writer = {0};
        struct archive_reader reader;
        struct archive_block block;
        int result;

        golden.data = again.data = vectors_get(vectors, names[i], &golden.size);
        golden.offset = 0;
        again.size = golden.size;
        assert_int_equal(archive_open(&reader, crypto, read_golden, &golden, &told), GOSSIP_OK);
        check(vectors, "cluster.key", told.cluster, sizeof(told.cluster));
        assert_int_equal(archive_write_header(&writer, crypto, told.cluster), GOSSIP_OK);
        check_written(&writer, &again);
        while ((result = archive_next(&reader, &block)) == 1) {
            assert_int_equal(write_block(&writer, &block), GOSSIP_OK);
            check_written(&writer, &again);
            if (block.kind == ARCHIVE_RECORD)
                check(vectors, "record", block.record.data, block.record.size);
            if (block.kind != ARCHIVE_RUN)
                continue;
            check(vectors, "carol1.key", block.run.key, GOSSIP_KEY_SIZE);
            check(vectors, "carol1.epoch", block.run.epoch, GOSSIP_EPOCH_SIZE);
            assert_true(block.run.first == 1);
            if (block.run.last == 3)
                check(vectors, "stream", block.run.stream.data, block.run.stream.size);
            assert_true((block.run.seal != NULL) == (block.run.last == 3));
            if (block.run.seal != NULL)
                check(vectors, "seal", block.run.seal, GOSSIP_SIGNATURE_SIZE);
            if (block.run.link != NULL)
                check(vectors, "link", block.run.link, WIRE_LINK_SIZE);
        }
        assert_int_equal(result, 0);
        archive_close(&reader);
        assert_int_equal(archive_write_end(&writer), GOSSIP_OK);
        check_written(&writer, &again);
        assert_int_equal(again.offset, again.size);
        archive_writer_clear(&writer);
    }
    golden.data = vectors_get(vectors, "whole", &golden.size);
    golden.offset = 0;
    assert_int_equal(gossip_archive_check(read_golden, &golden, &told), GOSSIP_OK);
    vectors_close(vectors);
}

/* Members as the golden bytes have them: alice with both rights, bob whom she has admitted, and one
 * of our own. What is made here has been compared with the golden records above. */
struct members {
    struct gossip_cluster *cluster;
    struct gossip_identity *alice;
    struct gossip_identity *bob;
    struct gossip_identity *dave;
};

static struct members members_create(void)
{
    struct vectors *vectors = vectors_open("hello");
    const uint8_t dave_seed[GOSSIP_SEED_SIZE] = {'d', 'a', 'v', 'e'};
    struct members members;

    assert_int_equal(
        cluster_make(crypto, vectors_fixed(vectors, "cluster.seed", GOSSIP_SEED_SIZE),
                     vectors_fixed(vectors, "cluster.secret", GOSSIP_CLUSTER_SECRET_SIZE),
                     &members.cluster),
        GOSSIP_OK);
    assert_int_equal(
        identity_make(crypto, members.cluster, "alice", GOSSIP_RIGHT_ADMIT | GOSSIP_RIGHT_EVICT,
                      vectors_fixed(vectors, "alice.seed", GOSSIP_SEED_SIZE), &members.alice),
        GOSSIP_OK);
    assert_int_equal(identity_make(crypto, members.cluster, "bob", 0,
                                   vectors_fixed(vectors, "bob.seed", GOSSIP_SEED_SIZE),
                                   &members.bob),
                     GOSSIP_OK);
    certificate_make(crypto, members.cluster->key, members.bob->key, "bob", 0, members.alice->key,
                     members.alice->secret, &members.bob->certificate);
    members.bob->has_issuer = true;
    members.bob->issuer = members.alice->certificate;
    assert_int_equal(identity_make(crypto, members.cluster, "dave", 0, dave_seed, &members.dave),
                     GOSSIP_OK);
    vectors_close(vectors);
    return members;
}

static void members_destroy(struct members *members)
{
    gossip_identity_destroy(members->alice);
    gossip_identity_destroy(members->bob);
    gossip_identity_destroy(members->dave);
    gossip_cluster_destroy(members->cluster);
}

static void check_greeting(const struct vectors *vectors, const char *name,
                           const struct members *members, enum datagram_kind kind,
                           const struct gossip_identity *sender, const struct wire_hello *message)
{
    const uint8_t *receiver = kind == DATAGRAM_HELLO ? NULL : members->alice->node;
    uint8_t bytes[GOSSIP_HELLO_SIZE];
    struct greeting greeting;
    enum datagram_kind found;
    const uint8_t *datagram;
    size_t size;

    size = wire_encode_hello(message, bytes, sizeof(bytes));
    check(vectors, joined(name, "message"), bytes, size);
    size = greeting_write(crypto, sender, kind, message, receiver, bytes);
    check(vectors, joined(name, "datagram"), bytes, size);

    datagram = vectors_get(vectors, joined(name, "datagram"), &size);
    assert_int_equal(datagram_kind(datagram, size, &found), GOSSIP_DATAGRAM_ACCEPTED);
    assert_int_equal(found, kind);
    assert_int_equal(
        greeting_open(crypto, members->cluster->gate, kind, datagram, size, &arena, &greeting),
        GOSSIP_DATAGRAM_ACCEPTED);
    check(vectors, joined(name, "message"), greeting.body, greeting.body_size);
    check(vectors, joined(name, "signature"), greeting.signature, GOSSIP_SIGNATURE_SIZE);
    assert_true(
        greeting_verify(crypto, members->cluster->key, kind, &greeting, sender->key, receiver));
    if (kind == DATAGRAM_WELCOME) /* It is for alice and nobody else. */
        assert_false(greeting_verify(crypto, members->cluster->key, kind, &greeting, sender->key,
                                     members->bob->node));
}

static void test_greetings(void **state)
{
    struct vectors *vectors = vectors_open("hello");
    struct members members = members_create();
    struct wire_hello hello = {
        .certificate = {members.alice->certificate.bytes, members.alice->certificate.size},
        .boot_count = vectors_number(vectors, "hello.boot_count"),
        .boot_id = vectors_number(vectors, "hello.boot_id"),
        .nonce = vectors_fixed(vectors, "hello.nonce", GOSSIP_NONCE_SIZE),
    };
    struct wire_hello welcome = {
        .certificate = {members.bob->certificate.bytes, members.bob->certificate.size},
        .issuer = {members.bob->issuer.bytes, members.bob->issuer.size},
        .boot_count = vectors_number(vectors, "welcome.boot_count"),
        .boot_id = vectors_number(vectors, "welcome.boot_id"),
        .nonce = vectors_fixed(vectors, "welcome.nonce", GOSSIP_NONCE_SIZE),
        .echo = vectors_fixed(vectors, "hello.nonce", GOSSIP_NONCE_SIZE),
        .token = vectors_fixed(vectors, "welcome.token", GOSSIP_TOKEN_SIZE),
        .has_counter = true,
        .counter = vectors_number(vectors, "welcome.counter"),
    };

    (void)state;
    check_greeting(vectors, "hello", &members, DATAGRAM_HELLO, members.alice, &hello);
    check_greeting(vectors, "welcome", &members, DATAGRAM_WELCOME, members.bob, &welcome);
    members_destroy(&members);
    vectors_close(vectors);
}

static void test_boxes(void **state)
{
    static const struct {
        const char *name;
        enum message_kind kind;
    } boxes[] = {{"digest", MESSAGE_DIGEST},
                 {"pull", MESSAGE_PULL},
                 {"part", MESSAGE_PART},
                 {"addresses", MESSAGE_ADDRESSES}};
    struct vectors *vectors = vectors_open("box");
    struct members members = members_create();
    uint8_t key[32];

    (void)state;
    assert_true(pair_key(crypto, members.bob, members.alice->key, key));
    check(vectors, "pair_key", key, sizeof(key));
    assert_true(pair_key(crypto, members.alice, members.bob->key, key));
    check(vectors, "pair_key", key, sizeof(key));
    for (size_t i = 0; i < COUNT(boxes); i++) {
        const char *name = boxes[i].name;
        struct box_header header = {
            .receiver = vectors_fixed(vectors, "bob.id", GOSSIP_ID_SIZE),
            .sender = vectors_fixed(vectors, "alice.id", GOSSIP_ID_SIZE),
            .boot_id = vectors_number(vectors, "boot_id"),
            .counter = vectors_number(vectors, joined(name, "counter")),
        };
        struct box_header found;
        enum datagram_kind kind;
        uint8_t plain[GOSSIP_PLAIN_MAX];
        uint8_t bytes[GOSSIP_DATAGRAM_MAX];
        const uint8_t *datagram;
        size_t plain_size;
        size_t size;

        plain[0] = (uint8_t)boxes[i].kind;
        datagram = vectors_get(vectors, joined(name, "message"), &size);
        memcpy(plain + 1, datagram, size);
        plain_size = 1 + size;
        if (boxes[i].kind == MESSAGE_DIGEST) {
            digest_sign(crypto, members.alice, &header, plain + 1, size, plain + plain_size);
            check(vectors, joined(name, "signature"), plain + plain_size, GOSSIP_SIGNATURE_SIZE);
            assert_true(digest_verify(crypto, members.cluster->key, &header, plain + 1, size,
                                      members.alice->key, plain + plain_size));
            plain_size += GOSSIP_SIGNATURE_SIZE;
        }
        check(vectors, joined(name, "plain"), plain, plain_size);
        size = box_write(crypto, key, &header,
                         vectors_fixed(vectors, joined(name, "nonce"), GOSSIP_BOX_NONCE_SIZE),
                         plain, plain_size, bytes);
        check(vectors, joined(name, "datagram"), bytes, size);

        datagram = vectors_get(vectors, joined(name, "datagram"), &size);
        assert_int_equal(datagram_kind(datagram, size, &kind), GOSSIP_DATAGRAM_ACCEPTED);
        assert_int_equal(kind, DATAGRAM_BOX);
        box_header_read(datagram, &found);
        check(vectors, "bob.id", found.receiver, GOSSIP_ID_SIZE);
        check(vectors, "alice.id", found.sender, GOSSIP_ID_SIZE);
        assert_true(found.boot_id == header.boot_id && found.counter == header.counter);
        size = box_open(crypto, key, datagram, size, plain);
        check(vectors, joined(name, "plain"), plain, size);
    }
    members_destroy(&members);
    vectors_close(vectors);
}

/* An entry of addresses, and the bytes of an IPv4 address. */
static void test_addresses(void **state)
{
    static const struct gossip_address address = {
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}, 7946};
    struct vectors *vectors = vectors_open("message");
    struct vectors *identities = vectors_open("identity");
    static const char *const names[] = {"alice.id", "bob.id"};
    struct gossip_address found;
    uint8_t entries[2 * (GOSSIP_ID_SIZE + ADDRESS_SIZE)];
    struct wire_addresses addresses = {.entries = {entries, sizeof(entries)}};
    uint8_t bytes[128];
    size_t size;

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        uint8_t *entry = entries + i * (GOSSIP_ID_SIZE + ADDRESS_SIZE);

        memcpy(entry, vectors_fixed(identities, names[i], GOSSIP_ID_SIZE), GOSSIP_ID_SIZE);
        address_write(&address, entry + GOSSIP_ID_SIZE);
        address_read(entry + GOSSIP_ID_SIZE, &found);
        assert_true(address_equal(&found, &address));
    }
    size = wire_encode_addresses(&addresses, bytes, sizeof(bytes));
    check(vectors, "addresses_told", bytes, size);
    vectors_close(identities);
    vectors_close(vectors);
}

/* The authors of digest.txt from first to last, as they stand there. */
static void digest_authors(const struct vectors *vectors, unsigned first, unsigned last,
                           struct authors *authors)
{
    for (unsigned i = first; i <= last; i++) {
        struct gossip_author_record record = {.number = (uint32_t)authors->count};
        char name[16];

        snprintf(name, sizeof(name), "author%u", i);
        memcpy(record.id, vectors_fixed(vectors, joined(name, "id"), GOSSIP_ID_SIZE),
               GOSSIP_ID_SIZE);
        record.have = vectors_number(vectors, joined(name, "have"));
        record.cut = vectors_number(vectors, joined(name, "cut"));
        memcpy(record.head_hash, vectors_fixed(vectors, joined(name, "hash"), GOSSIP_HASH_SIZE),
               GOSSIP_HASH_SIZE);
        assert_int_equal(authors_add(authors, &record), GOSSIP_OK);
        if (record.cut > 0) { /* By a proof, whatever it says: of evictions the records tell. */
            struct author *author = authors->items[authors->count - 1];

            author->proof = calloc(1, sizeof(*author->proof));
            assert_non_null(author->proof);
        }
    }
}

static struct digest_roots check_roots(const struct vectors *vectors, const char *name,
                                       const struct authors *authors, const struct records *records)
{
    const uint8_t *exchange = vectors_fixed(vectors, "exchange", GOSSIP_NONCE_SIZE);
    uint8_t trie[GOSSIP_HASH_SIZE];
    uint8_t set[GOSSIP_HASH_SIZE];
    struct digest_roots roots;

    digest_trie(authors, crypto, trie);
    check(vectors, joined(name, "trie"), trie, sizeof(trie));
    records_hash(records, crypto, set);
    check(vectors, joined(name, "set"), set, sizeof(set));
    digest_roots(crypto, exchange, trie, set, &roots);
    check(vectors, joined(name, "root"), roots.root, sizeof(roots.root));
    check(vectors, joined(name, "records_root"), roots.records_root, sizeof(roots.records_root));
    return roots;
}

static void check_digest(const struct vectors *vectors, const char *field,
                         const struct wire_digest *digest)
{
    uint8_t bytes[GOSSIP_PLAIN_MAX];
    size_t size = wire_encode_digest(digest, bytes, sizeof(bytes));

    check(vectors, field, bytes, size);
}

static void test_digests(void **state)
{
    enum { AUTHORS = 10, ALICE1 = 8 };
    struct vectors *vectors = vectors_open("digest");
    struct vectors *certificates = vectors_open("certificate");
    static const char *const members[] = {"alice", "bob", "carol"};
    const uint8_t *exchange = vectors_fixed(vectors, "exchange", GOSSIP_NONCE_SIZE);
    const uint8_t *token = vectors_fixed(vectors, "token", GOSSIP_TOKEN_SIZE);
    struct authors all = {0};
    struct authors one = {0};
    struct authors none = {0};
    struct records records = {0};
    const struct signed_record *record;
    struct digest_roots no_roots;
    struct digest_roots roots;
    uint8_t entries[AUTHORS * DIGEST_ENTRY_MAX];
    uint8_t ids[3 * GOSSIP_ID_SIZE];
    size_t offsets[AUTHORS + 1] = {0};
    struct reader reader;
    struct wire_digest digest;
    uint8_t head[GOSSIP_SHORT_HASH_SIZE];

    (void)state;
    digest_authors(vectors, 0, AUTHORS - 1, &all);
    digest_authors(vectors, ALICE1, ALICE1, &one);
    check(vectors, "one.author", one.items[0]->stored.id, GOSSIP_ID_SIZE);
    no_roots = check_roots(vectors, "none", &none, &records);
    for (size_t i = 0; i < COUNT(members); i++) {
        struct certificate certificate = golden_certificate(certificates, members[i]);

        assert_int_equal(
            records_add(&records, crypto, certificate.bytes, certificate.size, &record), GOSSIP_OK);
        if (i == 0) {
            check(vectors, "one.record", record->id, GOSSIP_HASH_SIZE);
            check_roots(vectors, "one", &one, &records);
        }
    }
    roots = check_roots(vectors, "all", &all, &records);
    for (size_t i = 0; i < COUNT(members); i++) {
        char name[16];

        snprintf(name, sizeof(name), "record%zu", i);
        check(vectors, name, records.items[i]->id, GOSSIP_HASH_SIZE);
        memcpy(ids + i * GOSSIP_ID_SIZE, records.items[i]->id, GOSSIP_ID_SIZE);
    }

    for (unsigned i = 0; i < AUTHORS; i++) {
        const struct author *author = all.items[i];
        char name[16];

        snprintf(name, sizeof(name), "author%u", i);
        assert_true(digest_shows(author));
        check(vectors, joined(name, "leaf"), author->leaf, GOSSIP_HASH_SIZE);
        digest_head(crypto, exchange, author, head);
        check(vectors, joined(name, "head"), head, sizeof(head));
        offsets[i + 1] =
            offsets[i] + digest_entry_write(crypto, exchange, author, entries + offsets[i]);
    }
    reader = (struct reader){entries, offsets[AUTHORS], 0, false};
    for (unsigned i = 0; i < AUTHORS; i++) {
        const struct gossip_author_record *stored = &all.items[i]->stored;
        struct digest_entry entry;

        assert_true(
            digest_entry_read(&reader, i == 0 ? NULL : all.items[i - 1]->stored.id, &entry));
        assert_memory_equal(entry.id, stored->id, GOSSIP_ID_SIZE);
        assert_true(entry.have == stored->have);
        assert_int_equal(entry.cut, stored->cut);
    }
    assert_int_equal(reader.offset, reader.size);

    digest = (struct wire_digest){.exchange = exchange,
                                  .step = 1,
                                  .root = roots.root,
                                  .records_root = roots.records_root,
                                  .token = token};
    check_digest(vectors, "open", &digest);
    digest.step = 3;
    digest.authors = (struct wire_list){.present = true,
                                        .first = all.items[3]->stored.id,
                                        .last = all.items[5]->stored.id,
                                        .entries = {entries + offsets[3], offsets[6] - offsets[3]}};
    check_digest(vectors, "close", &digest);
    digest.step = 2;
    digest.token = NULL;
    digest.authors = (struct wire_list){.present = true, .entries = {entries, offsets[AUTHORS]}};
    digest.records = (struct wire_list){.present = true, .entries = {ids, sizeof(ids)}};
    check_digest(vectors, "answer", &digest);
    digest.root = no_roots.root;
    digest.records_root = no_roots.records_root;
    digest.authors.entries.size = digest.records.entries.size = 0;
    check_digest(vectors, "nothing", &digest);

    records_clear(&records);
    authors_clear(&all);
    authors_clear(&one);
    vectors_close(certificates);
    vectors_close(vectors);
}

/* A node that alice, who is the test, has said hello to with golden bytes, and proven herself to.
 */
struct meeting {
    struct members members;
    struct vectors *hello;
    struct vectors *certificates;
    struct gossip_store *store;
    struct gossip_node *node;
    const struct gossip_identity *identity; /* Of the node. */
    uint8_t key[32];                        /* Of alice and the node. */
    uint64_t counter;
    struct gossip_effects effects; /* Of the last step. */
};

static const struct gossip_address alice_address = {
    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}, 7946};

static void save_effects(struct meeting *meeting)
{
    assert_int_equal(gossip_node_take(meeting->node, &meeting->effects), GOSSIP_OK);
    assert_int_equal(meeting->store->ops->save(meeting->store, meeting->effects.records,
                                               meeting->effects.record_count),
                     GOSSIP_OK);
}

/* What becomes of a datagram from alice's address. */
static enum gossip_verdict receive(struct meeting *meeting, const uint8_t *data, size_t size)
{
    struct gossip_input input = {.kind = GOSSIP_INPUT_DATAGRAM,
                                 .now_ms = 1000,
                                 .wall_ms = UINT64_C(1700000003000),
                                 .datagram = {alice_address, data, size}};
    struct gossip_stats before = meeting->node->stats;

    assert_int_equal(gossip_node_step(meeting->node, &input), GOSSIP_OK);
    save_effects(meeting);
    for (int verdict = 0; verdict < GOSSIP_DATAGRAM_VERDICTS; verdict++)
        if (meeting->node->stats.datagrams[verdict] == before.datagrams[verdict] + 1)
            return (enum gossip_verdict)verdict;
    fail_msg("a datagram was not counted");
    return GOSSIP_DATAGRAM_VERDICTS;
}

/* What becomes of a message of alice. */
static enum gossip_verdict tell(struct meeting *meeting, enum message_kind kind,
                                const uint8_t *message, size_t size)
{
    struct box_header header = {.receiver = meeting->identity->node,
                                .sender = meeting->members.alice->node,
                                .boot_id = vectors_number(meeting->hello, "hello.boot_id"),
                                .counter = ++meeting->counter};
    uint8_t nonce[GOSSIP_BOX_NONCE_SIZE] = {(uint8_t)meeting->counter};
    uint8_t plain[GOSSIP_PLAIN_MAX];
    uint8_t data[GOSSIP_DATAGRAM_MAX];
    size_t plain_size = 1 + size;

    assert_true(plain_size + GOSSIP_SIGNATURE_SIZE <= sizeof(plain));
    plain[0] = (uint8_t)kind;
    memcpy(plain + 1, message, size);
    if (kind == MESSAGE_DIGEST) {
        digest_sign(crypto, meeting->members.alice, &header, message, size, plain + plain_size);
        plain_size += GOSSIP_SIGNATURE_SIZE;
    }
    size = box_write(crypto, meeting->key, &header, nonce, plain, plain_size, data);
    return receive(meeting, data, size);
}

/* The golden hello, and the token of the welcome that comes for it. */
static void say_hello(struct meeting *meeting, uint8_t ret_token[GOSSIP_TOKEN_SIZE])
{
    struct greeting greeting;
    const struct gossip_datagram *welcome = NULL;
    size_t size;
    const uint8_t *data = vectors_get(meeting->hello, "hello.datagram", &size);

    assert_int_equal(receive(meeting, data, size), GOSSIP_DATAGRAM_ACCEPTED);
    for (size_t i = 0; i < meeting->effects.datagram_count; i++)
        if (meeting->effects.datagrams[i].data[4] == DATAGRAM_WELCOME)
            welcome = &meeting->effects.datagrams[i];
    assert_non_null(welcome);
    assert_int_equal(greeting_open(crypto, meeting->members.cluster->gate, DATAGRAM_WELCOME,
                                   welcome->data, welcome->size, &arena, &greeting),
                     GOSSIP_DATAGRAM_ACCEPTED);
    assert_true(greeting_verify(crypto, meeting->members.cluster->key, DATAGRAM_WELCOME, &greeting,
                                meeting->identity->key, meeting->members.alice->node));
    check(meeting->hello, "hello.nonce", greeting.message.echo, GOSSIP_NONCE_SIZE);
    memcpy(ret_token, greeting.message.token, GOSSIP_TOKEN_SIZE);
}

static void prove_address(struct meeting *meeting, const uint8_t token[GOSSIP_TOKEN_SIZE])
{
    static const uint8_t zeros[16];
    struct wire_digest digest = {
        .exchange = zeros, .step = 1, .root = zeros, .records_root = zeros, .token = token};
    uint8_t message[GOSSIP_PLAIN_MAX];
    size_t size = wire_encode_digest(&digest, message, sizeof(message));

    assert_int_equal(tell(meeting, MESSAGE_DIGEST, message, size), GOSSIP_DATAGRAM_ACCEPTED);
}

/* The node is bob's or dave's, who has written none of the golden events. */
static void meeting_start(struct meeting *meeting, bool with_bob)
{
    struct gossip_node_config config = {.crypto = crypto,
                                        .seed = {7},
                                        .now_ms = 1000,
                                        .wall_ms = UINT64_C(1700000003000),
                                        .period_ms = GOSSIP_PERIOD_MS,
                                        .payload_max = GOSSIP_PAYLOAD_DEFAULT,
                                        .fanout = 1,
                                        .choice = GOSSIP_CHOOSE_ROUND_ROBIN};

    *meeting = (struct meeting){.members = members_create(),
                                .hello = vectors_open("hello"),
                                .certificates = vectors_open("certificate")};
    meeting->identity = with_bob ? meeting->members.bob : meeting->members.dave;
    assert_int_equal(gossip_memory_open(&meeting->store), GOSSIP_OK);
    config.identity = meeting->identity;
    config.store = meeting->store;
    assert_int_equal(gossip_node_create(&config, &meeting->node), GOSSIP_OK);
    save_effects(meeting);
    assert_true(pair_key(crypto, meeting->members.alice, meeting->identity->key, meeting->key));
}

static void meeting_end(struct meeting *meeting)
{
    gossip_node_destroy(meeting->node);
    meeting->store->ops->close(meeting->store);
    vectors_close(meeting->certificates);
    vectors_close(meeting->hello);
    members_destroy(&meeting->members);
}

/* Whole golden datagrams, to a node of bob's. */
static void test_node_takes_datagrams(void **state)
{
    static const char *const names[] = {"pull.datagram", "part.datagram", "addresses.datagram"};
    struct vectors *vectors = vectors_open("box");
    struct vectors *parts = vectors_open("part");
    struct meeting meeting;
    uint8_t token[GOSSIP_TOKEN_SIZE];
    const struct run *run;
    const uint8_t *data;
    size_t size;

    (void)state;
    meeting_start(&meeting, true);
    data = vectors_get(vectors, "digest.datagram", &size);
    say_hello(&meeting, token);
    assert_int_equal(receive(&meeting, data, size), GOSSIP_DATAGRAM_UNPROVEN); /* Not our token. */
    prove_address(&meeting, token);
    assert_int_equal(receive(&meeting, data, size), GOSSIP_DATAGRAM_REPLAYED); /* Our counter 1. */
    for (size_t i = 0; i < COUNT(names); i++) {
        data = vectors_get(vectors, names[i], &size);
        assert_int_equal(receive(&meeting, data, size), GOSSIP_DATAGRAM_ACCEPTED);
    }
    run = meeting.node->runs.first;
    assert_non_null(run);
    assert_int_equal(run->piece_count, 1);
    assert_int_equal(run->pieces[0].end, vectors_number(parts, "cut1"));
    data = vectors_get(parts, "stream", &size);
    assert_int_equal(run->size, size);
    assert_memory_equal(run->data, data, run->pieces[0].end);
    meeting_end(&meeting);
    vectors_close(parts);
    vectors_close(vectors);
}

static enum gossip_verdict tell_run(struct meeting *meeting, const struct golden_run *run,
                                    const char *author)
{
    enum { DATA_MAX = 500 };
    struct certificate certificate = golden_certificate(meeting->certificates, author);
    struct certificate issuer = golden_certificate(meeting->certificates, "alice");
    enum gossip_verdict verdict = GOSSIP_DATAGRAM_VERDICTS;

    for (size_t offset = 0; offset < run->size; offset += DATA_MAX) {
        size_t left = run->size - offset;
        struct wire_part part = {
            .run = {.present = true,
                    .author = run->id,
                    .first = run->first,
                    .last = run->last,
                    .size = (uint32_t)run->size,
                    .offset = (uint32_t)offset,
                    .previous = offset == 0 ? run->previous : NULL,
                    .data = {run->stream + offset, left < DATA_MAX ? left : DATA_MAX},
                    .seal = left <= DATA_MAX ? run->seal : NULL,
                    .has_introduction = offset == 0}};
        uint8_t message[GOSSIP_PLAIN_MAX];
        size_t size;

        part.run.introduction = (struct wire_introduction){
            .key = run->key,
            .epoch = run->epoch,
            .certificate = {certificate.bytes, certificate.size},
        };
        if (certificate.has_issuer)
            part.run.introduction.issuer = (struct wire_bytes){issuer.bytes, issuer.size};
        size = wire_encode_part(&part, message, sizeof(message));
        verdict = tell(meeting, MESSAGE_PART, message, size);
        if (left > DATA_MAX)
            assert_int_equal(verdict, GOSSIP_DATAGRAM_ACCEPTED);
    }
    return verdict;
}

static const struct author *author_of(const struct meeting *meeting, const uint8_t *id)
{
    uint32_t number = authors_find(&meeting->node->authors, id);

    assert_true(number != NO_AUTHOR);
    return meeting->node->authors.items[number];
}

/* What the node serves of a run is the run: its stream, cut into parts, and its seal. */
static void check_served(struct meeting *meeting, const struct golden_run *golden)
{
    struct wire_pull pull = {
        .request = 99,
        .events = GOSSIP_WINDOW_EVENTS,
        .size = GOSSIP_WINDOW_BYTES,
        .wants = {{.author = golden->id, .first = golden->first, .last = golden->last}},
        .want_count = 1,
    };
    struct runs runs = {0};
    struct run *run = NULL;
    uint8_t message[GOSSIP_PLAIN_MAX];
    size_t size = wire_encode_pull(&pull, message, sizeof(message));

    assert_int_equal(tell(meeting, MESSAGE_PULL, message, size), GOSSIP_DATAGRAM_ACCEPTED);
    for (size_t i = 0; i < meeting->effects.datagram_count; i++) {
        const struct gossip_datagram *datagram = &meeting->effects.datagrams[i];
        uint8_t plain[GOSSIP_PLAIN_MAX];
        struct wire_part part;
        size_t dropped;

        if (datagram->data[4] != DATAGRAM_BOX)
            continue;
        size = box_open(crypto, meeting->key, datagram->data, datagram->size, plain);
        assert_true(size > 1);
        if (plain[0] != MESSAGE_PART)
            continue;
        assert_true(wire_decode_part(&arena, plain + 1, size - 1, &part));
        assert_true(part.has_request && part.request == 99 && part.run.present);
        assert_int_equal(runs_take(&runs, &part.run, 0, 0, &run, &dropped), RUNS_NEW);
    }
    assert_non_null(run);
    assert_int_equal(runs.count, 1);
    assert_true(run_is_whole(run));
    assert_true(run->first == golden->first && run->last == golden->last);
    assert_int_equal(run->size, golden->size);
    assert_memory_equal(run->data, golden->stream, golden->size);
    assert_memory_equal(run->previous, golden->previous, GOSSIP_HASH_SIZE);
    assert_memory_equal(run->seal, golden->seal, GOSSIP_SIGNATURE_SIZE);
    runs_clear(&runs);
}

/* The context that the node itself has of an event. */
static void check_context(struct meeting *meeting, const uint8_t *id, uint64_t seq,
                          const struct vectors *vectors, const char *field)
{
    const struct gossip_vclock *clock;
    uint8_t bytes[MENTIONS_MAX * (GOSSIP_ID_SIZE + 8)];
    const struct authors *authors = &meeting->node->authors;
    size_t size = 0;

    assert_int_equal(context_of(&meeting->node->contexts, authors_find(authors, id), seq, &clock),
                     GOSSIP_OK);
    for (size_t i = 0; i < authors->count; i++) {
        uint32_t number = authors->by_id[i];
        uint64_t counter = gossip_vclock_get(clock, number);

        if (counter == 0)
            continue;
        assert_true(size < sizeof(bytes));
        memcpy(bytes + size, authors->items[number]->stored.id, GOSSIP_ID_SIZE);
        put_fixed(bytes + size + GOSSIP_ID_SIZE, counter, 8);
        size += GOSSIP_ID_SIZE + 8;
    }
    check(vectors, field, bytes, size);
}

static void test_node_takes_runs(void **state)
{
    struct vectors *vectors = vectors_open("run");
    struct vectors *events = vectors_open("event");
    struct vectors *parts = vectors_open("part");
    struct golden_run a = golden_run(vectors, "a");
    struct golden_run b = golden_run(vectors, "b");
    struct golden_run c = golden_run(vectors, "c");
    struct golden_run d = golden_run(vectors, "d");
    struct meeting meeting;
    uint8_t token[GOSSIP_TOKEN_SIZE];
    const struct author *author;
    const uint8_t *message;
    size_t size;

    (void)state;
    meeting_start(&meeting, false);
    say_hello(&meeting, token);
    prove_address(&meeting, token);

    message = vectors_get(parts, "pushed", &size);
    assert_int_equal(tell(&meeting, MESSAGE_PART, message, size), GOSSIP_DATAGRAM_ACCEPTED);
    author = author_of(&meeting, d.id);
    assert_true(author->stored.have == d.last);
    assert_memory_equal(author->stored.head_hash, d.hash, GOSSIP_HASH_SIZE);

    assert_int_equal(tell_run(&meeting, &b, "bob"), GOSSIP_DATAGRAM_ACCEPTED);
    assert_int_equal(tell_run(&meeting, &c, "bob"), GOSSIP_DATAGRAM_ACCEPTED);
    author = author_of(&meeting, c.id);
    assert_true(author->stored.have == c.last);
    assert_memory_equal(author->stored.head_hash, c.hash, GOSSIP_HASH_SIZE);

    /* The fourth waits for a stranger; what follows it is verified and held. */
    assert_int_equal(tell_run(&meeting, &a, "alice"), GOSSIP_DATAGRAM_ACCEPTED);
    author = author_of(&meeting, a.id);
    assert_true(author->stored.have == 3);
    check(events, "alice1.3.hash", author->stored.head_hash, GOSSIP_HASH_SIZE);
    check(events, "alice1.3.mentions", author->stored.mentions_hash, GOSSIP_HASH_SIZE);
    assert_true(author->tail.seq == a.last);
    assert_memory_equal(author->tail.hash, a.hash, GOSSIP_HASH_SIZE);
    for (uint64_t seq = 1; seq <= 3; seq++)
        check_context(&meeting, a.id, seq, events, numbered("alice1", seq, "context"));

    check_served(&meeting, &b);
    check_served(&meeting, &c);
    check_served(&meeting, &d);
    meeting_end(&meeting);
    vectors_close(parts);
    vectors_close(events);
    vectors_close(vectors);
}

/* What a node makes of a body as event 3 of alice1. */
static const struct author *take_third(struct meeting *meeting, const struct vectors *events,
                                       const struct vectors *vectors, const uint8_t *body,
                                       size_t size, enum gossip_verdict *ret_verdict)
{
    struct vectors *runs = vectors_open("run");
    struct golden_run b = golden_run(runs, "b");
    struct golden_run d = golden_run(runs, "d");
    struct golden_run a = golden_run(runs, "a");
    struct chain_owner owner = {meeting->members.cluster->key, a.key, a.epoch};
    struct chain chain = {0};
    uint8_t token[GOSSIP_TOKEN_SIZE];
    uint8_t stream[1024];
    uint8_t inner[GOSSIP_HASH_SIZE];
    uint8_t before[GOSSIP_HASH_SIZE];
    uint8_t seal[GOSSIP_SIGNATURE_SIZE];
    struct writer writer = {stream, sizeof(stream), 0, false};
    const struct author *author;
    struct frame frame;

    say_hello(meeting, token);
    prove_address(meeting, token);
    assert_int_equal(tell_run(meeting, &b, "bob"), GOSSIP_DATAGRAM_ACCEPTED);
    assert_int_equal(tell_run(meeting, &d, "carol"), GOSSIP_DATAGRAM_ACCEPTED);

    for (uint64_t seq = 1; seq <= 2; seq++) {
        size_t other_size;
        const uint8_t *other = vectors_get(events, numbered("alice1", seq, "body"), &other_size);

        assert_true(frame_read(other, other_size, &frame));
        chain_advance(&chain, crypto, &owner, other, other_size, &frame);
        write_varint(&writer, other_size);
        write_bytes(&writer, other, other_size);
    }
    check(vectors, "id", a.id, GOSSIP_ID_SIZE);
    a.last = 2;
    a.stream = stream;
    a.size = writer.size;
    a.seal = vectors_fixed(events, "alice1.2.seal", GOSSIP_SIGNATURE_SIZE);
    assert_int_equal(tell_run(meeting, &a, "alice"), GOSSIP_DATAGRAM_ACCEPTED);
    assert_true(author_of(meeting, a.id)->stored.have == 2);

    /* A seal that fits, so that the body alone decides. Of a frame that cannot be read there are no
     * mentions to be hashed. */
    memcpy(before, chain.hash, sizeof(before));
    if (frame_read(body, size, &frame)) {
        chain_advance(&chain, crypto, &owner, body, size, &frame);
    } else {
        event_inner(crypto, chain.mentions_hash, body, size, inner);
        event_hash(crypto, &owner, 3, chain.hash, (uint32_t)size, inner, chain.hash);
    }
    seal_sign(crypto, chain.hash, meeting->members.alice->secret, seal);
    writer.size = 0;
    write_varint(&writer, size);
    write_bytes(&writer, body, size);
    assert_false(writer.failed);
    a.first = a.last = 3;
    a.previous = before;
    a.size = writer.size;
    a.seal = seal;
    *ret_verdict = tell_run(meeting, &a, "alice");
    author = author_of(meeting, a.id);
    vectors_close(runs);
    return author;
}

static void test_refused(void **state)
{
    /* What depends on the events before it, and cannot be told from the bytes alone. */
    static const char *const by_history[] = {
        "refused.mention_not_given_out", "refused.mention_given_out_here",
        "refused.news_mentioned_before", "refused.news_own_id"};
    struct vectors *vectors = vectors_open("refused");
    struct vectors *events = vectors_open("event");
    size_t refused = 0;
    size_t taken = 0;
    size_t found = 0;
    const char *field;

    (void)state;
    for (size_t i = 0; (field = vectors_field(vectors, i)) != NULL; i++) {
        bool is_taken = strncmp(field, "taken.", 6) == 0;
        bool needs_history = false;
        struct meeting meeting;
        const struct author *author;
        enum gossip_verdict verdict;
        struct frame frame;
        size_t size;
        const uint8_t *body = vectors_get(vectors, field, &size);

        if (!is_taken && strncmp(field, "refused.", 8) != 0)
            continue;
        for (size_t j = 0; j < COUNT(by_history); j++)
            needs_history = needs_history || strcmp(field, by_history[j]) == 0;
        if (frame_is_ours(body, size, &frame) != (is_taken || needs_history))
            fail_msg("%s: its frame is judged otherwise", field);

        meeting_start(&meeting, false);
        author = take_third(&meeting, events, vectors, body, size, &verdict);
        if (is_taken) {
            assert_int_equal(verdict, GOSSIP_DATAGRAM_ACCEPTED);
            assert_true(author->refused == 0);
            assert_true(author->tail.seq == 3);
            /* The greatest seqs there can be are waited for. */
            assert_true(author->stored.have == (strcmp(field, "taken.greatest") == 0 ? 2 : 3));
            taken++;
        } else {
            if (author->stored.have != 2 || author->tail.seq != 2)
                fail_msg("%s is taken", field);
            if (needs_history)
                assert_true(author->refused == 3);
            else
                assert_int_equal(verdict, GOSSIP_DATAGRAM_MALFORMED);
            refused++;
            found += needs_history;
        }
        meeting_end(&meeting);
    }
    assert_true(refused > 0);
    assert_int_equal(taken, 3);
    assert_int_equal(found, COUNT(by_history));
    vectors_close(events);
    vectors_close(vectors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crypto),          cmocka_unit_test(test_identity),
        cmocka_unit_test(test_events),          cmocka_unit_test(test_runs),
        cmocka_unit_test(test_parts),           cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_evictions),       cmocka_unit_test(test_proofs),
        cmocka_unit_test(test_archives),        cmocka_unit_test(test_greetings),
        cmocka_unit_test(test_boxes),           cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_digests),         cmocka_unit_test(test_node_takes_datagrams),
        cmocka_unit_test(test_node_takes_runs), cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
