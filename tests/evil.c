#include "tests/evil.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/bytes.h"
#include "gossip/splitmix.h"

#define EVIL_REQUIRE(condition)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: evil: %s does not hold\n", __FILE__, __LINE__, #condition);    \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum { PART_SIZE = 700, EVIL_NODES_MAX = 64, ELSEWHERE = 1000 };

struct evil {
    struct evil *next;
    struct world *world;
    struct gossip_address address;
    struct gossip_identity *identity;
    uint64_t boot_count;
    uint64_t boot_id;
    uint64_t counters[EVIL_NODES_MAX];
    uint8_t keys[EVIL_NODES_MAX][32]; /* For boxes, once they are known. */
    bool has_key[EVIL_NODES_MAX];
    uint8_t nonce[GOSSIP_NONCE_SIZE]; /* Of the hello that is out. */
    bool welcomed;
    uint8_t token[GOSSIP_TOKEN_SIZE];
    struct evil_message *first;
    struct evil_message *last;
};

/* All members of the one net of a test. */
static struct evil *members;
static uint64_t bytes_to_members;
static struct splitmix lots;

static void fill(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(splitmix_next(&lots) >> 56);
}

static const uint8_t *key_for(struct evil *evil, unsigned node)
{
    if (!evil->has_key[node])
        EVIL_REQUIRE(pair_key(gossip_crypto_sodium(), evil->identity,
                              gossip_identity_key(world_identity(evil->world, node)),
                              evil->keys[node]));
    evil->has_key[node] = true;
    return evil->keys[node];
}

static void keep(struct evil *evil, unsigned from, const uint8_t *data, size_t size)
{
    const struct gossip_crypto *crypto = gossip_crypto_sodium();
    struct evil_message *message = calloc(1, sizeof(*message));
    uint8_t plain[GOSSIP_PLAIN_MAX];

    EVIL_REQUIRE(message != NULL);
    size = box_open(crypto, key_for(evil, from), data, size, plain);
    EVIL_REQUIRE(size > 0);
    message->from = from;
    message->kind = plain[0];
    message->size = size - 1;
    memcpy(message->data, plain + 1, size - 1);
    if (evil->last == NULL)
        evil->first = message;
    else
        evil->last->next = message;
    evil->last = message;
}

static bool tap(void *context, unsigned from, unsigned to, const struct gossip_datagram *datagram)
{
    const uint8_t *data = datagram->data;
    size_t size = datagram->size;
    static struct wire_arena arena;
    enum datagram_kind kind;
    struct greeting greeting;

    (void)context;
    if (to != UINT_MAX)
        return false;
    bytes_to_members += size;
    EVIL_REQUIRE(datagram_kind(data, size, &kind) == GOSSIP_DATAGRAM_ACCEPTED);
    for (struct evil *evil = members; evil != NULL; evil = evil->next) {
        if (kind == DATAGRAM_BOX && memcmp(data + 8, evil->identity->node, GOSSIP_ID_SIZE) == 0)
            keep(evil, from, data, size);
        if (kind == DATAGRAM_WELCOME &&
            greeting_open(gossip_crypto_sodium(), evil->identity->gate, kind, data, size, &arena,
                          &greeting) == GOSSIP_DATAGRAM_ACCEPTED &&
            memcmp(greeting.message.echo, evil->nonce, GOSSIP_NONCE_SIZE) == 0) {
            evil->welcomed = true;
            memcpy(evil->token, greeting.message.token, GOSSIP_TOKEN_SIZE);
        }
    }
    return true;
}

struct evil *evil_create(struct world *world, const char *name)
{
    struct evil *evil = calloc(1, sizeof(*evil));
    uint8_t seed[GOSSIP_SEED_SIZE];

    EVIL_REQUIRE(evil != NULL);
    if (members == NULL) {
        bytes_to_members = 0;
        lots = (struct splitmix){7};
    }
    fill(seed, sizeof(seed));
    evil->world = world;
    evil->boot_count = 1;
    for (unsigned i = 0; i < EVIL_NODES_MAX; i++)
        evil->counters[i] = 1;
    evil->boot_id = splitmix_next(&lots);
    evil->address = world_address(world, 0);
    evil->address.port += ELSEWHERE;
    for (const struct evil *other = members; other != NULL; other = other->next)
        evil->address.port++;
    EVIL_REQUIRE(identity_make(gossip_crypto_sodium(), world_cluster(world), name, 0, seed,
                               &evil->identity) == GOSSIP_OK);
    evil->next = members;
    members = evil;
    world_set_tap(world, tap, NULL);
    return evil;
}

struct evil *evil_double(struct world *world, unsigned node)
{
    struct evil *evil = evil_create(world, "double");

    *evil->identity = *world_identity(world, node);
    return evil;
}

void evil_destroy_all(struct world *world)
{
    while (members != NULL) {
        struct evil *evil = members;

        members = evil->next;
        evil_forget(evil);
        gossip_identity_destroy(evil->identity);
        free(evil);
    }
    world_set_tap(world, NULL, NULL);
}

struct gossip_address evil_address(const struct evil *evil)
{
    return evil->address;
}

const struct gossip_identity *evil_identity(const struct evil *evil)
{
    return evil->identity;
}

uint64_t evil_bytes(const struct world *world)
{
    (void)world;
    return bytes_to_members;
}

bool evil_take(struct evil *evil, struct evil_message *ret_message)
{
    struct evil_message *message = evil->first;

    if (message == NULL)
        return false;
    *ret_message = *message;
    evil->first = message->next;
    if (evil->first == NULL)
        evil->last = NULL;
    free(message);
    return true;
}

void evil_forget(struct evil *evil)
{
    struct evil_message message;

    while (evil_take(evil, &message))
        continue;
}

size_t evil_box(struct evil *evil, unsigned node, enum message_kind kind, const uint8_t *message,
                size_t size, uint8_t ret_data[GOSSIP_DATAGRAM_MAX])
{
    const struct gossip_crypto *crypto = gossip_crypto_sodium();
    const struct gossip_identity *receiver = world_identity(evil->world, node);
    struct box_header header = {.receiver = receiver->node,
                                .sender = evil->identity->node,
                                .boot_id = evil->boot_id,
                                .counter = evil->counters[node]++};
    uint8_t plain[GOSSIP_PLAIN_MAX];
    uint8_t nonce[GOSSIP_BOX_NONCE_SIZE];
    size_t plain_size = 1 + size;

    EVIL_REQUIRE(plain_size <= sizeof(plain));
    plain[0] = (uint8_t)kind;
    if (size > 0)
        memcpy(plain + 1, message, size);
    if (kind == MESSAGE_DIGEST) {
        EVIL_REQUIRE(plain_size + GOSSIP_SIGNATURE_SIZE <= sizeof(plain));
        digest_sign(crypto, evil->identity, &header, message, size, plain + plain_size);
        plain_size += GOSSIP_SIGNATURE_SIZE;
    }
    fill(nonce, sizeof(nonce));
    return box_write(crypto, key_for(evil, node), &header, nonce, plain, plain_size, ret_data);
}

void evil_send(struct evil *evil, unsigned node, enum message_kind kind, const uint8_t *message,
               size_t size)
{
    uint8_t data[GOSSIP_DATAGRAM_MAX];

    size = evil_box(evil, node, kind, message, size, data);
    story_inject(evil->world, node, &evil->address, data, size);
}

static void send_digest(struct evil *evil, unsigned node, struct wire_digest *digest)
{
    uint8_t message[GOSSIP_PLAIN_MAX];
    uint8_t root[16];

    fill(root, sizeof(root));
    digest->root = root;
    digest->records_root = root;
    evil_send(evil, node, MESSAGE_DIGEST, message,
              wire_encode_digest(digest, message, sizeof(message) - 1 - GOSSIP_SIGNATURE_SIZE));
}

static bool is_proven(const struct evil *evil, unsigned node)
{
    struct gossip *gossip = world_gossip(evil->world, node);

    for (size_t i = 0; i < gossip_peer_count(gossip); i++) {
        struct gossip_peer peer;

        EVIL_REQUIRE(gossip_peer(gossip, i, &peer) == GOSSIP_OK);
        if (memcmp(peer.key, evil->identity->key, GOSSIP_KEY_SIZE) == 0)
            return peer.state == GOSSIP_PEER_ALIVE && address_equal(&peer.address, &evil->address);
    }
    return false;
}

static void join(struct evil *evil, unsigned node)
{
    const struct gossip_identity *identity = evil->identity;
    struct wire_hello hello = {
        .certificate = {identity->certificate.bytes, identity->certificate.size},
        .boot_count = evil->boot_count,
        .boot_id = evil->boot_id,
        .nonce = evil->nonce};
    struct wire_digest digest = {.exchange = evil->nonce, .step = 1, .token = evil->token};
    uint8_t data[GOSSIP_HELLO_SIZE];
    size_t size;

    fill(evil->nonce, sizeof(evil->nonce));
    size = greeting_write(gossip_crypto_sodium(), identity, DATAGRAM_HELLO, &hello, NULL, data);
    evil->welcomed = false;
    story_inject(evil->world, node, &evil->address, data, size);
    EVIL_REQUIRE(evil->welcomed);
    send_digest(evil, node, &digest);
}

bool evil_join(struct evil *evil, unsigned node)
{
    join(evil, node);
    return is_proven(evil, node);
}

void evil_join_as(struct evil *evil, unsigned node, uint64_t counter)
{
    evil->boot_count++;
    evil->boot_id = splitmix_next(&lots);
    for (unsigned i = 0; i < EVIL_NODES_MAX; i++)
        evil->counters[i] = counter;
    join(evil, node);
}

void evil_digest(struct evil *evil, unsigned node, const uint8_t *exchange, uint32_t step,
                 const uint8_t *author, uint64_t have, const uint8_t *head)
{
    struct wire_digest digest = {.exchange = exchange, .step = step};
    uint8_t entry[GOSSIP_ID_SIZE + VARINT_MAX_SIZE + GOSSIP_SHORT_HASH_SIZE];
    struct writer writer = {entry, sizeof(entry), 0, false};

    if (author != NULL) {
        uint8_t random[GOSSIP_SHORT_HASH_SIZE];

        fill(random, sizeof(random));
        write_bytes(&writer, author, GOSSIP_ID_SIZE);
        write_varint(&writer, have * 2);
        write_bytes(&writer, head == NULL ? random : head, GOSSIP_SHORT_HASH_SIZE);
    }
    digest.authors.present = step > 1;
    digest.authors.entries = (struct wire_bytes){entry, writer.size};
    send_digest(evil, node, &digest);
}

unsigned evil_claim(struct evil *evil, unsigned node, const uint8_t *author, uint64_t have,
                    const uint8_t *head)
{
    struct evil_message *message;
    unsigned count = 0;

    /* A node that goes on asking within one moment would never rest. */
    for (message = evil->first; message != NULL && count < 100; message = message->next) {
        static struct wire_arena arena;
        struct wire_digest digest;
        uint8_t exchange[GOSSIP_NONCE_SIZE];

        if (message->kind != MESSAGE_DIGEST || message->from != node ||
            !wire_decode_digest(&arena, message->data, message->size - GOSSIP_SIGNATURE_SIZE,
                                &digest) ||
            digest.step != 1)
            continue;
        memcpy(exchange, digest.exchange, sizeof(exchange));
        message->kind = 0; /* Answered. */
        evil_digest(evil, node, exchange, 2, author, have, head);
        count++;
    }
    return count;
}

void evil_author_start(struct evil_author *author, const struct evil *evil, uint64_t epoch)
{
    memset(author, 0, sizeof(*author));
    author->evil = evil;
    put_fixed(author->epoch, epoch, GOSSIP_EPOCH_SIZE);
    author_id(gossip_crypto_sodium(), evil->identity->key, author->epoch, author->id);
}

void evil_author_clear(struct evil_author *author)
{
    for (size_t i = 0; i < author->count; i++)
        free(author->events[i].body);
    free(author->events);
    memset(author, 0, sizeof(*author));
}

void evil_write(struct evil_author *author, const uint8_t *body, size_t size)
{
    static const uint8_t nothing[2] = {0, 0};
    const struct gossip_identity *identity = author->evil->identity;
    struct chain_owner owner = {identity->cluster, identity->key, author->epoch};
    struct frame frame;
    struct evil_event *event;

    if (author->count == author->capacity) {
        author->capacity = author->capacity == 0 ? 64 : author->capacity * 2;
        author->events = realloc(author->events, author->capacity * sizeof(*author->events));
        EVIL_REQUIRE(author->events != NULL);
    }
    /* What is no frame is hashed as one that names nobody. */
    if (!frame_read(body, size, &frame))
        frame = (struct frame){.entries = nothing, .entries_size = sizeof(nothing)};
    event = &author->events[author->count];
    memset(event, 0, sizeof(*event));
    if (author->count > 0)
        event->chain = event[-1].chain;
    event->body = malloc(size + 1);
    EVIL_REQUIRE(event->body != NULL);
    memcpy(event->body, body, size);
    event->size = size;
    chain_advance(&event->chain, gossip_crypto_sodium(), &owner, body, size, &frame);
    author->count++;
}

void evil_publish(struct evil_author *author, const struct evil_entry *entries, size_t count,
                  const char *text)
{
    size_t capacity = 64 + count * (GOSSIP_ID_SIZE + 2 * VARINT_MAX_SIZE) + strlen(text);
    uint8_t *body = malloc(capacity);
    struct writer writer = {body, capacity, 0, false};
    size_t knowns = 0;

    EVIL_REQUIRE(body != NULL);
    while (knowns < count && entries[knowns].id == NULL)
        knowns++;
    write_fixed(&writer, (UINT64_C(1800000000000) + world_now(author->evil->world)) << 16, 8);
    write_varint(&writer, GOSSIP_EVENT_APPLICATION);
    write_varint(&writer, knowns);
    for (size_t i = 0; i < knowns; i++) {
        write_varint(&writer, entries[i].gap);
        write_varint(&writer, entries[i].seq);
    }
    write_varint(&writer, count - knowns);
    for (size_t i = knowns; i < count; i++) {
        write_bytes(&writer, entries[i].id, GOSSIP_ID_SIZE);
        write_varint(&writer, entries[i].seq);
    }
    write_varint(&writer, 3 << 3 | 2);
    write_varint(&writer, strlen(text));
    write_bytes(&writer, text, strlen(text));
    EVIL_REQUIRE(!writer.failed);
    evil_write(author, body, writer.size);
    free(body);
}

unsigned evil_push(struct evil *evil, unsigned node, const struct evil_author *author,
                   uint64_t first, uint64_t last, const struct evil_lies *lies)
{
    static const uint8_t zeros[GOSSIP_HASH_SIZE];
    static const struct evil_lies none;
    const struct gossip_identity *identity = author->evil->identity;
    struct wire_part part = {.run = {.present = true, .author = author->id}};
    struct writer writer = {0};
    uint8_t seal[GOSSIP_SIGNATURE_SIZE];
    uint32_t told;
    unsigned parts = 0;

    if (lies == NULL)
        lies = &none;
    for (uint64_t seq = first; seq <= last; seq++)
        writer.capacity += author->events[seq - 1].size + VARINT_MAX_SIZE;
    writer.data = malloc(writer.capacity);
    EVIL_REQUIRE(writer.data != NULL);
    for (uint64_t seq = first; seq <= last; seq++) {
        write_varint(&writer, author->events[seq - 1].size);
        write_bytes(&writer, author->events[seq - 1].body, author->events[seq - 1].size);
    }
    seal_sign(gossip_crypto_sodium(), author->events[last - 1].chain.hash, identity->secret, seal);
    told = lies->size == 0 ? (uint32_t)writer.size : lies->size;
    if (lies->author != NULL)
        part.run.author = lies->author;
    part.run.first = lies->first == 0 ? first : lies->first;
    part.run.last = lies->last == 0 ? last : lies->last;
    part.run.size = told;
    for (uint32_t offset = lies->skip; offset < told && offset < writer.size;) {
        uint8_t message[GOSSIP_PLAIN_MAX];
        uint32_t size = lies->part == 0 ? PART_SIZE : lies->part;

        if (size > (uint32_t)writer.size - offset)
            size = (uint32_t)writer.size - offset;
        if (size > told - offset)
            size = told - offset;
        part.run.offset = offset;
        part.run.data = (struct wire_bytes){writer.data + offset, size};
        part.run.previous = NULL;
        part.run.seal = NULL;
        part.run.has_introduction = offset == 0 && !lies->unintroduced;
        part.run.introduction = (struct wire_introduction){
            .key = identity->key,
            .epoch = author->epoch,
            .certificate = {identity->certificate.bytes, identity->certificate.size}};
        if (offset == 0)
            part.run.previous = lies->previous != NULL ? lies->previous
                                : first == 1           ? zeros
                                                       : author->events[first - 2].chain.hash;
        if (offset + size == told)
            part.run.seal = lies->seal != NULL ? lies->seal : seal;
        evil_send(evil, node, MESSAGE_PART, message,
                  wire_encode_part(&part, message, sizeof(message) - 1));
        offset += size;
        parts++;
    }
    free(writer.data);
    return parts;
}

void evil_honest_id(struct world *world, unsigned node, uint8_t ret_id[GOSSIP_ID_SIZE])
{
    struct gossip *gossip = world_gossip(world, node);
    struct gossip_author author;

    EVIL_REQUIRE(gossip_author(gossip, gossip_self(gossip), &author) == GOSSIP_OK);
    memcpy(ret_id, author.id, GOSSIP_ID_SIZE);
}
