/*
 * Archives as bytes: what comes out goes in again, and whatever byte of one is another, or missing,
 * it is refused, and says where.
 */
#include "gossip/archive.h"
#include "gossip/eviction.h"
#include "gossip/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { PAYLOAD = 400000, HEADER = 40 };

struct bytes {
    uint8_t *data;
    size_t size;
    size_t offset; /* Read so far. */
    size_t most;   /* Read at once; 0: as much as is asked for. */
    bool fails;    /* At the end. */
};

static int read_bytes_of(void *context, void *buffer, size_t size)
{
    struct bytes *bytes = context;
    size_t part = bytes->size - bytes->offset;

    if (part == 0)
        return bytes->fails ? GOSSIP_ERR_IO : 0;
    part = part < size ? part : size;
    if (bytes->most > 0 && part > bytes->most)
        part = bytes->most;
    memcpy(buffer, bytes->data + bytes->offset, part);
    bytes->offset += part;
    return (int)part;
}

static int check(struct bytes *bytes, struct gossip_archive *ret_archive)
{
    bytes->offset = 0;
    return gossip_archive_check(read_bytes_of, bytes, ret_archive);
}

/* A node without a network. */
struct node {
    struct gossip_store *store;
    struct gossip *gossip;
};

static struct node make_node(const struct gossip_identity *identity)
{
    struct node node;

    assert_int_equal(gossip_memory_open(&node.store), GOSSIP_OK);
    assert_int_equal(gossip_create(&(struct gossip_options){.size = sizeof(struct gossip_options),
                                                            .store = node.store,
                                                            .time = gossip_system_time(),
                                                            .identity = identity,
                                                            .payload_max = PAYLOAD},
                                   &node.gossip),
                     GOSSIP_OK);
    return node;
}

static void destroy_node(struct node *node)
{
    gossip_destroy(node->gossip);
    node->store->ops->close(node->store);
}

static void publish(struct node *node, const void *data, size_t size)
{
    struct gossip_result result;
    uint64_t ticket;

    assert_int_equal(gossip_publish(node->gossip, data, size, &ticket), GOSSIP_OK);
    assert_int_equal(gossip_run(node->gossip), GOSSIP_OK);
    assert_int_equal(gossip_result_pop(node->gossip, &result), 1);
    assert_int_equal(result.error, GOSSIP_OK);
}

static struct bytes export(struct node *node)
{
    struct gossip_export *archive;
    struct bytes bytes = {0};
    const uint8_t *part;
    size_t size;
    int result;

    assert_int_equal(gossip_export_open(node->gossip, GOSSIP_ALL_AUTHORS, &archive), GOSSIP_OK);
    while ((result = gossip_export_next(archive, &part, &size)) == 1) {
        bytes.data = realloc(bytes.data, bytes.size + size);
        assert_non_null(bytes.data);
        memcpy(bytes.data + bytes.size, part, size);
        bytes.size += size;
    }
    assert_int_equal(result, 0);
    assert_int_equal(gossip_export_next(archive, &part, &size), 0);
    gossip_export_close(archive);
    return bytes;
}

struct family {
    struct gossip_cluster *cluster;
    struct gossip_identity *first;
    struct gossip_identity *second;
};

static int begin(void **state)
{
    struct family *family = calloc(1, sizeof(*family));
    struct gossip_time *time = gossip_system_time();

    assert_non_null(family);
    assert_int_equal(gossip_cluster_create(time, &family->cluster), GOSSIP_OK);
    assert_int_equal(gossip_identity_create(family->cluster, "n1", 0, time, &family->first),
                     GOSSIP_OK);
    assert_int_equal(gossip_identity_create(family->cluster, "n2", 0, time, &family->second),
                     GOSSIP_OK);
    *state = family;
    return 0;
}

static int end(void **state)
{
    struct family *family = *state;

    gossip_identity_destroy(family->first);
    gossip_identity_destroy(family->second);
    gossip_cluster_destroy(family->cluster);
    free(family);
    return 0;
}

/* Large events require seals of their own; the second node goes on from what it has taken in. */
static void test_there_and_back(void **state)
{
    const struct family *family = *state;
    struct node first = make_node(family->first);
    struct node second = make_node(family->second);
    struct gossip_imported imported;
    struct gossip_archive archive;
    struct bytes bytes;
    uint8_t *payload = calloc(1, PAYLOAD);

    assert_non_null(payload);
    for (int i = 0; i < 130; i++)
        publish(&first, payload, (size_t)i);
    for (int i = 0; i < 7; i++)
        publish(&first, payload, PAYLOAD);
    bytes = export(&first);
    bytes.most = 1000;
    assert_int_equal(check(&bytes, &archive), GOSSIP_OK);
    assert_int_equal(archive.events, 137);
    assert_int_equal(archive.authors, 1);
    assert_memory_equal(archive.cluster, gossip_identity_cluster(family->first), GOSSIP_KEY_SIZE);
    bytes.offset = 0;
    assert_int_equal(gossip_import(second.gossip, read_bytes_of, &bytes, &archive, &imported),
                     GOSSIP_OK);
    assert_int_equal(imported.events, 137);
    publish(&second, "answer", 6);
    free(bytes.data);

    bytes = export(&second);
    assert_int_equal(gossip_import(first.gossip, read_bytes_of, &bytes, &archive, &imported),
                     GOSSIP_OK);
    assert_int_equal(imported.events, 1);
    assert_int_equal(imported.waiting + imported.refused, 0);
    assert_int_equal(gossip_verify(first.gossip, NULL, NULL, NULL), GOSSIP_OK);
    publish(&first, "and on", 6);
    assert_int_equal(gossip_verify(first.gossip, NULL, NULL, NULL), GOSSIP_OK);
    free(bytes.data);
    free(payload);
    destroy_node(&first);
    destroy_node(&second);
}

/* Every bit of every byte, every length, and a source that fails. */
static void test_damage(void **state)
{
    const struct family *family = *state;
    struct node node = make_node(family->first);
    struct gossip_archive archive;
    struct bytes bytes;
    size_t size;

    publish(&node, "one", 3);
    publish(&node, "two", 3);
    bytes = export(&node);
    size = bytes.size;
    assert_int_equal(check(&bytes, &archive), GOSSIP_OK);
    for (size_t i = 0; i < size; i++) {
        for (int bit = 0; bit < 8; bit++) {
            bytes.data[i] ^= (uint8_t)(1 << bit);
            assert_int_equal(check(&bytes, &archive), GOSSIP_ERR_DAMAGED);
            assert_true(archive.fault[0] != '\0');
            assert_true(archive.offset <= i || i < HEADER); /* The header shows with block 1. */
            bytes.data[i] ^= (uint8_t)(1 << bit);
        }
    }
    for (bytes.size = 0; bytes.size < size; bytes.size++) {
        bytes.fails = false;
        assert_int_equal(check(&bytes, &archive), GOSSIP_ERR_DAMAGED);
        assert_string_equal(archive.fault, "it ends in the middle");
        bytes.fails = true;
        assert_int_equal(check(&bytes, &archive), GOSSIP_ERR_IO);
    }
    bytes.fails = false;
    assert_int_equal(check(&bytes, &archive), GOSSIP_OK);
    free(bytes.data);
    destroy_node(&node);
}

/* Events of one author, without what they name; and a node of another cluster. */
static void test_refusals(void **state)
{
    const struct family *family = *state;
    struct node node = make_node(family->first);
    struct gossip_cluster *cluster;
    struct gossip_identity *stranger;
    struct gossip_imported imported;
    struct gossip_archive archive;
    struct gossip_export *none;
    struct bytes bytes;
    struct node other;

    publish(&node, "one", 3);
    assert_int_equal(gossip_export_open(node.gossip, 1, &none), GOSSIP_ERR_NOT_FOUND);
    assert_int_equal(gossip_export_open(node.gossip, -2, &none), GOSSIP_ERR_NOT_FOUND);
    bytes = export(&node);
    assert_int_equal(gossip_cluster_create(gossip_system_time(), &cluster), GOSSIP_OK);
    assert_int_equal(gossip_identity_create(cluster, "o1", 0, gossip_system_time(), &stranger),
                     GOSSIP_OK);
    other = make_node(stranger);
    assert_int_equal(gossip_import(other.gossip, read_bytes_of, &bytes, &archive, &imported),
                     GOSSIP_ERR_FOREIGN);
    assert_int_equal(gossip_clock(other.gossip)->count, 0);
    destroy_node(&other);
    destroy_node(&node);
    gossip_identity_destroy(stranger);
    gossip_cluster_destroy(cluster);
    free(bytes.data);
}

static void append(struct bytes *bytes, const struct archive_writer *writer)
{
    bytes->data = realloc(bytes->data, bytes->size + writer->size);
    assert_non_null(bytes->data);
    memcpy(bytes->data + bytes->size, writer->bytes, writer->size);
    bytes->size += writer->size;
}

/* A run of one event without a seal: counted as refused, unless an eviction names that event as the
 * last that counts. */
static void take_unsealed(const struct family *family, bool is_named)
{
    static const uint8_t nothing[GOSSIP_HASH_SIZE];
    /* Its size, then stamp, kind, and no entries. */
    static const uint8_t stream[12] = {11, [9] = GOSSIP_EVENT_APPLICATION};
    const struct gossip_crypto *crypto = gossip_crypto_sodium();
    const struct gossip_identity *author = family->second;
    struct eviction_last last = {.epoch = {1}, .seq = 1};
    struct chain_owner owner = {author->cluster, author->key, last.epoch};
    struct archive_run run = {.key = author->key,
                              .epoch = last.epoch,
                              .first = 1,
                              .last = 1,
                              .previous = nothing,
                              .stream = {stream, sizeof(stream)}};
    struct archive_writer writer = {0};
    struct node node = make_node(family->first);
    struct gossip_imported imported;
    struct gossip_archive archive;
    struct eviction eviction;
    struct bytes bytes = {0};
    struct chain chain = {0};
    struct frame frame;

    assert_true(frame_read(stream + 1, sizeof(stream) - 1, &frame));
    chain_advance(&chain, crypto, &owner, stream + 1, sizeof(stream) - 1, &frame);
    memcpy(last.hash, chain.hash, sizeof(last.hash));
    eviction_make(crypto, author->cluster, author->key, &last, 1, NULL, family->cluster->secret,
                  &eviction);
    assert_int_equal(archive_write_header(&writer, crypto, author->cluster), GOSSIP_OK);
    append(&bytes, &writer);
    assert_int_equal(
        archive_write_record(&writer, author->certificate.bytes, author->certificate.size),
        GOSSIP_OK);
    append(&bytes, &writer);
    if (is_named) {
        assert_int_equal(archive_write_record(&writer, eviction.bytes, eviction.size), GOSSIP_OK);
        append(&bytes, &writer);
    }
    assert_int_equal(archive_write_run(&writer, &run), GOSSIP_OK);
    append(&bytes, &writer);
    assert_int_equal(archive_write_end(&writer), GOSSIP_OK);
    append(&bytes, &writer);
    assert_int_equal(check(&bytes, &archive), is_named ? GOSSIP_OK : GOSSIP_ERR_DAMAGED);
    bytes.offset = 0;
    assert_int_equal(gossip_import(node.gossip, read_bytes_of, &bytes, &archive, &imported),
                     GOSSIP_OK);
    assert_int_equal(imported.refused, !is_named);
    assert_int_equal(imported.events, is_named);
    archive_writer_clear(&writer);
    destroy_node(&node);
    free(bytes.data);
}

static void test_run_without_a_seal(void **state)
{
    take_unsealed(*state, false);
    take_unsealed(*state, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_run_without_a_seal),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
