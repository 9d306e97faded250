/*
 * The whole path of a datagram, for libFuzzer. The input is a small program: datagrams as they are,
 * messages that a member puts into its box, events that it seals, claims, pulls, time, publications
 * and restarts. After each operation what the node does is checked against what it may do; at the
 * end a node made anew of its store must show the same, and all in the store must fit.
 *
 * Cryptography is a stand-in: quick, the same at every run, and as hard to forge by mutation.
 */
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/bytes.h"
#include "gossip/service.h"

enum {
    MEMBERS = 2,
    EPOCHS = 3, /* Of each member. */
    BODIES_MAX = 80,
    ELSEWHERE = 7, /* A port from which nobody is ever proven. */
    OPERATIONS_MAX = 200,
};

enum operation {
    DATAGRAM, /* As it is: from (1), size (2), bytes. */
    PASS,     /* Time: 16 ms (1) times. */
    JOIN,     /* A member (1) says hello and sends the token back; as a new boot if bit 1 is set. */
    MESSAGE,  /* In a box of a member (1): size (2), kind and bytes. A digest is signed. */
    EVENTS,   /* A member's (1) next events, sealed: how (1), count (1), then each as below. */
    CLAIM,    /* A digest of a member (1): step (1), author (1), have (8). */
    PULL,    /* By a member (1): author (1), first (1), last (1), gaps (1), each offset and size. */
    PUBLISH, /* Size (1). */
    RESTART,
    FULL, /* The disk is, or is not any more (1). */
    OPERATIONS,
};

/* ---- Stand-ins. ---- */

static void stand_in_key_pair(const uint8_t *seed, uint8_t *ret_key, uint8_t *ret_secret)
{
    gossip_crypto_sodium()->hash(ret_key, &(struct gossip_piece){seed, GOSSIP_SEED_SIZE}, 1);
    memcpy(ret_secret, seed, GOSSIP_SEED_SIZE);
    memcpy(ret_secret + GOSSIP_SEED_SIZE, ret_key, GOSSIP_KEY_SIZE);
}

static bool stand_in_key_valid(const uint8_t *key)
{
    return key[0] != 0xff;
}

static void stand_in_sign(uint8_t *ret_signature, const void *data, size_t size,
                          const uint8_t *secret)
{
    memset(ret_signature, 0, GOSSIP_SIGNATURE_SIZE);
    gossip_crypto_sodium()->keyed_hash(ret_signature, secret + GOSSIP_SEED_SIZE, GOSSIP_KEY_SIZE,
                                       &(struct gossip_piece){data, size}, 1);
}

static bool stand_in_verify(const uint8_t *signature, const void *data, size_t size,
                            const uint8_t *key)
{
    uint8_t expected[GOSSIP_SIGNATURE_SIZE] = {0};

    gossip_crypto_sodium()->keyed_hash(expected, key, GOSSIP_KEY_SIZE,
                                       &(struct gossip_piece){data, size}, 1);
    return memcmp(expected, signature, sizeof(expected)) == 0;
}

static bool stand_in_agree(uint8_t *ret_shared, const uint8_t *secret, const uint8_t *key)
{
    for (size_t i = 0; i < GOSSIP_KEY_SIZE; i++)
        ret_shared[i] = secret[GOSSIP_SEED_SIZE + i] ^ key[i];
    return true;
}

static void box_tag(uint8_t *ret_tag, const uint8_t *plain, size_t size, const uint8_t *header,
                    size_t header_size, const uint8_t *nonce, const uint8_t *key)
{
    gossip_crypto_sodium()->keyed_hash(ret_tag, key, 32,
                                       (const struct gossip_piece[]){
                                           {header, header_size},
                                           {nonce, GOSSIP_BOX_NONCE_SIZE},
                                           {plain, size},
                                       },
                                       3);
}

static void stand_in_box_seal(uint8_t *ret_cipher, const uint8_t *plain, size_t size,
                              const uint8_t *header, size_t header_size, const uint8_t *nonce,
                              const uint8_t *key)
{
    memcpy(ret_cipher, plain, size);
    box_tag(ret_cipher + size, plain, size, header, header_size, nonce, key);
}

static bool stand_in_box_open(uint8_t *ret_plain, const uint8_t *cipher, size_t size,
                              const uint8_t *header, size_t header_size, const uint8_t *nonce,
                              const uint8_t *key)
{
    uint8_t tag[GOSSIP_BOX_TAG_SIZE];

    if (size < sizeof(tag))
        return false;
    size -= sizeof(tag);
    box_tag(tag, cipher, size, header, header_size, nonce, key);
    if (memcmp(tag, cipher + size, sizeof(tag)) != 0)
        return false;
    memcpy(ret_plain, cipher, size);
    return true;
}

static struct gossip_crypto stand_in;

static uint64_t fixed_ms(struct gossip_time *time)
{
    (void)time;
    return 1000000;
}

static int fixed_random(struct gossip_time *time, uint8_t *buffer, size_t size)
{
    (void)time;
    memset(buffer, 1, size);
    return GOSSIP_OK;
}

static const struct gossip_time_ops fixed_ops = {fixed_ms, fixed_ms, fixed_random};
static struct gossip_time fixed_time = {&fixed_ops};

/* ---- The world: a node, and members that the input moves. ---- */

struct author_at_work {
    uint8_t epoch[GOSSIP_EPOCH_SIZE];
    uint8_t id[GOSSIP_ID_SIZE];
    struct chain chain;
};

struct member {
    struct gossip_identity *identity;
    struct gossip_address address;
    uint8_t key[32];
    uint64_t boot_id;
    uint64_t counter;
    uint8_t nonce[GOSSIP_NONCE_SIZE];
    uint8_t token[GOSSIP_TOKEN_SIZE];
    uint8_t exchange[GOSSIP_NONCE_SIZE]; /* The last that the node opened with it. */
    struct author_at_work authors[EPOCHS];
};

struct world {
    struct reader program;
    struct gossip_store *store;
    struct gossip_node *node;
    uint64_t now_ms;
    uint64_t starts;
    struct member members[MEMBERS];
    struct gossip_vclock clock;      /* As it was committed last. */
    uint8_t waiting[OPERATIONS_MAX]; /* Sizes of publications that the node does not take yet. */
    size_t waiting_count;
    uint64_t bytes_from_elsewhere;
    uint64_t bytes_to_elsewhere; /* But for hellos. */
};

static struct gossip_cluster *cluster;
static struct gossip_identity *own;
static struct gossip_identity *identities[MEMBERS];

static void prepare(void)
{
    static const char *const names[MEMBERS] = {"m1", "m2"};
    uint8_t seed[GOSSIP_SEED_SIZE] = {1};
    int error;

    if (cluster != NULL)
        return;
    stand_in = *gossip_crypto_sodium();
    stand_in.key_pair = stand_in_key_pair;
    stand_in.key_valid = stand_in_key_valid;
    stand_in.sign = stand_in_sign;
    stand_in.verify = stand_in_verify;
    stand_in.agree = stand_in_agree;
    stand_in.box_seal = stand_in_box_seal;
    stand_in.box_open = stand_in_box_open;
    error = cluster_make(&stand_in, seed, seed, &cluster);
    assert(error == GOSSIP_OK);
    seed[0] = 2;
    error = identity_make(&stand_in, cluster, "own", 0, seed, &own);
    assert(error == GOSSIP_OK);
    for (unsigned i = 0; i < MEMBERS; i++) {
        seed[0]++;
        error = identity_make(&stand_in, cluster, names[i], i == 0 ? GOSSIP_RIGHT_ADMIT : 0, seed,
                              &identities[i]);
        assert(error == GOSSIP_OK);
    }
}

static struct gossip_address address_of(uint16_t port)
{
    struct gossip_address address = {.ip = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1},
                                     .port = port};

    return address;
}

static void start(struct world *world)
{
    struct gossip_address join = address_of(1);
    struct gossip_node_config config = {
        .crypto = &stand_in,
        .identity = own,
        .store = world->store,
        .seed = {(uint8_t)++world->starts},
        .now_ms = world->now_ms,
        .wall_ms = world->now_ms,
        .period_ms = GOSSIP_PERIOD_MS,
        .payload_max = GOSSIP_PAYLOAD_DEFAULT,
        .fanout = 1,
        .alone_after_ms = GOSSIP_ALONE_AFTER_MS,
        .joins = &join,
        .join_count = 1,
    };
    int error = gossip_node_create(&config, &world->node);

    assert(error == GOSSIP_OK);
}

static struct member *member_at(struct world *world, const struct gossip_address *address)
{
    for (unsigned i = 0; i < MEMBERS; i++) {
        if (address_equal(&world->members[i].address, address))
            return &world->members[i];
    }
    return NULL;
}

/* What a member learns from a datagram: its token, and what exchange the node has opened. */
static void look_at(struct member *member, const struct gossip_datagram *datagram)
{
    static struct wire_arena arena;
    uint8_t plain[GOSSIP_PLAIN_MAX];
    struct greeting greeting;
    struct wire_digest digest;
    size_t size;

    if (datagram->data[4] == DATAGRAM_WELCOME &&
        greeting_open(&stand_in, own->gate, DATAGRAM_WELCOME, datagram->data, datagram->size,
                      &arena, &greeting) == GOSSIP_DATAGRAM_ACCEPTED)
        memcpy(member->token, greeting.message.token, GOSSIP_TOKEN_SIZE);
    if (datagram->data[4] != DATAGRAM_BOX)
        return;
    /* Boxes are for whom they name, and only where somebody has been proven. */
    assert(memcmp(datagram->data + 8, member->identity->node, GOSSIP_ID_SIZE) == 0);
    size = box_open(&stand_in, member->key, datagram->data, datagram->size, plain);
    assert(size > 0);
    if (plain[0] == MESSAGE_DIGEST &&
        wire_decode_digest(&arena, plain + 1, size - 1 - GOSSIP_SIGNATURE_SIZE, &digest) &&
        digest.step == 1)
        memcpy(member->exchange, digest.exchange, GOSSIP_NONCE_SIZE);
}

static void check_bounds(const struct gossip_node *node)
{
    assert(node->held.count <= GOSSIP_PENDING_EVENTS && node->held.bytes <= GOSSIP_PENDING_BYTES);
    assert(node->runs.count <= GOSSIP_RUNS_HELD && node->runs.bytes <= GOSSIP_RUNS_BYTES);
    assert(node->peers.target_count <= TARGETS_MAX);
    assert(node->peers.count <= MEMBERS); /* Nobody else has a certificate. */
}

/* Commits and shows what the node would. */
static void take(struct world *world)
{
    struct gossip_effects effects;
    struct gossip_vclock *clock = &world->clock;
    int error = gossip_node_take(world->node, &effects);

    assert(error == GOSSIP_OK);
    assert(!world->node->read_only || effects.record_count == 0);
    if (effects.record_count > 0) {
        error = world->store->ops->save(world->store, effects.records, effects.record_count);
        assert(error == GOSSIP_OK);
    }
    for (size_t i = 0; i < effects.datagram_count; i++) {
        const struct gossip_datagram *datagram = &effects.datagrams[i];
        struct member *member = member_at(world, &datagram->address);

        assert(datagram->size <= GOSSIP_DATAGRAM_MAX && datagram->address.port != 0);
        if (member != NULL)
            look_at(member, datagram);
        else
            assert(datagram->data[4] != DATAGRAM_BOX);
        if (datagram->address.port == ELSEWHERE && datagram->data[4] != DATAGRAM_HELLO)
            world->bytes_to_elsewhere += datagram->size;
    }
    assert(world->bytes_to_elsewhere <= world->bytes_from_elsewhere);
    assert(effects.deadline_ms >= world->node->now_ms || effects.deadline_ms > 0);
    for (size_t i = 0; i < clock->count; i++)
        assert(gossip_vclock_get(&world->node->have, clock->authors[i]) >= clock->counters[i]);
    error = gossip_vclock_copy(clock, &world->node->have);
    assert(error == GOSSIP_OK);
    check_bounds(world->node);
}

static void step(struct world *world, struct gossip_input *input)
{
    int error;

    input->now_ms = world->now_ms;
    input->wall_ms = world->now_ms;
    error = gossip_node_step(world->node, input);
    assert(error == GOSSIP_OK);
}

static void deliver(struct world *world, const struct gossip_address *from, const uint8_t *data,
                    size_t size)
{
    /* A copy of just that size, so that a read past its end is found. */
    uint8_t *copy = malloc(size > 0 ? size : 1);
    struct gossip_input input = {.kind = GOSSIP_INPUT_DATAGRAM, .datagram = {*from, copy, size}};

    assert(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    if (from->port == ELSEWHERE)
        world->bytes_from_elsewhere += size;
    step(world, &input);
    free(copy);
    take(world);
}

static void send_box(struct world *world, struct member *member, const uint8_t *plain, size_t size)
{
    struct box_header header = {.receiver = own->node,
                                .sender = member->identity->node,
                                .boot_id = member->boot_id,
                                .counter = ++member->counter};
    const uint8_t nonce[GOSSIP_BOX_NONCE_SIZE] = {0};
    uint8_t signed_plain[GOSSIP_PLAIN_MAX];
    uint8_t data[GOSSIP_DATAGRAM_MAX];

    if (size > GOSSIP_PLAIN_MAX - GOSSIP_SIGNATURE_SIZE)
        size = GOSSIP_PLAIN_MAX - GOSSIP_SIGNATURE_SIZE;
    memcpy(signed_plain, plain, size);
    if (plain[0] == MESSAGE_DIGEST) {
        digest_sign(&stand_in, member->identity, &header, plain + 1, size - 1, signed_plain + size);
        size += GOSSIP_SIGNATURE_SIZE;
    }
    size = box_write(&stand_in, member->key, &header, nonce, signed_plain, size, data);
    deliver(world, &member->address, data, size);
}

static void send_message(struct world *world, struct member *member, enum message_kind kind,
                         uint8_t plain[GOSSIP_PLAIN_MAX], size_t size)
{
    if (size == 0)
        return;
    plain[0] = (uint8_t)kind;
    send_box(world, member, plain, 1 + size);
}

static void send_digest(struct world *world, struct member *member, struct wire_digest *digest)
{
    static const uint8_t root[16];
    uint8_t plain[GOSSIP_PLAIN_MAX];

    digest->root = root;
    digest->records_root = root;
    send_message(world, member, MESSAGE_DIGEST, plain,
                 wire_encode_digest(digest, plain + 1, 1 + GOSSIP_PLAIN_MAX / 2));
}

static void join(struct world *world, struct member *member, bool as_new)
{
    const struct certificate *certificate = &member->identity->certificate;
    struct wire_hello hello = {.certificate = {certificate->bytes, certificate->size},
                               .boot_count = 1,
                               .nonce = member->nonce};
    struct wire_digest digest = {.exchange = member->nonce, .step = 1, .token = member->token};
    uint8_t data[GOSSIP_HELLO_SIZE];

    if (as_new) {
        member->boot_id++;
        member->counter = 0;
    }
    member->nonce[0]++;
    hello.boot_id = member->boot_id;
    greeting_write(&stand_in, member->identity, DATAGRAM_HELLO, &hello, NULL, data);
    deliver(world, &member->address, data, sizeof(data));
    send_digest(world, member, &digest);
}

static void create(struct world *world)
{
    int error = gossip_memory_open(&world->store);

    assert(error == GOSSIP_OK);
    world->now_ms = 1000000;
    for (unsigned i = 0; i < MEMBERS; i++) {
        struct member *member = &world->members[i];
        bool fits;

        member->identity = identities[i];
        member->address = address_of((uint16_t)(1 + i));
        member->boot_id = 100 * (i + 1);
        fits = pair_key(&stand_in, member->identity, own->key, member->key);
        assert(fits);
        for (unsigned j = 0; j < EPOCHS; j++) {
            struct author_at_work *author = &member->authors[j];

            author->epoch[0] = (uint8_t)j;
            author_id(&stand_in, member->identity->key, author->epoch, author->id);
        }
    }
    start(world);
    take(world);
    for (unsigned i = 0; i < MEMBERS; i++)
        join(world, &world->members[i], false);
    for (size_t i = 0; i < MEMBERS; i++)
        assert(world->node->peers.items[i]->state == GOSSIP_PEER_ALIVE);
}

/* ---- Operations. What the program lacks reads as 0. ---- */

static struct member *read_member(struct world *world)
{
    return &world->members[read_fixed(&world->program, 1) % MEMBERS];
}

static const uint8_t *read_up_to(struct world *world, size_t *size)
{
    size_t left = world->program.size - world->program.offset;

    if (*size > left)
        *size = left;
    return world->program.data + world->program.offset;
}

/* An author's id: of the node's own or of a member's. */
static const uint8_t *read_author(struct world *world)
{
    uint64_t choice = read_fixed(&world->program, 1);
    static const uint8_t nobody[GOSSIP_ID_SIZE] = {0xee};

    if (choice % 4 == 0)
        return world->node->authors.items[world->node->self]->stored.id;
    if (choice % 4 == 3)
        return nobody;
    return world->members[choice % MEMBERS].authors[choice / 4 % EPOCHS].id;
}

static void run_datagram(struct world *world)
{
    static const uint16_t ports[] = {1, 2, ELSEWHERE, 0};
    struct gossip_address from = address_of(ports[read_fixed(&world->program, 1) % 4]);
    size_t size = (size_t)read_fixed(&world->program, 2) % (GOSSIP_DATAGRAM_MAX + 2);
    const uint8_t *data = read_up_to(world, &size);

    read_bytes(&world->program, size);
    deliver(world, &from, data, size);
}

static void run_message(struct world *world)
{
    struct member *member = read_member(world);
    size_t size = (size_t)read_fixed(&world->program, 2) % (GOSSIP_PLAIN_MAX + 1);
    const uint8_t *data = read_up_to(world, &size);

    read_bytes(&world->program, size);
    if (size > 0)
        send_box(world, member, data, size);
}

/* How events are told: the epoch, and these. */
enum {
    FRAMED = 0x08, /* Contexts name authors there are: see read_framed(). Else size (1), body. */
    WRONG_SEAL = 0x10,   /* The seal does not fit. */
    ONLY_END = 0x20,     /* The first byte of the stream is missing. */
    UNINTRODUCED = 0x40, /* As it is told to who knows the author. */
    AGAIN = 0x80,        /* The same seqs will come again, with other bodies. */
};

/* A body whose frame has entries that the program chooses: how many (1), then each an author (1)
 * and seq (1); with the highest bit set, the author is the gap to a mention number. */
static size_t read_framed(struct world *world, uint8_t body[256])
{
    struct writer writer = {body, 256, 0, false};
    const uint8_t *ids[4];
    uint64_t seqs[4];
    uint64_t gaps[4];
    size_t count = (size_t)read_fixed(&world->program, 1) % 5;
    size_t knowns = 0;
    size_t news = 0;

    for (size_t i = 0; i < count; i++) {
        size_t left = world->program.size - world->program.offset;
        bool is_known = left > 0 && world->program.data[world->program.offset] >= 0x80;

        if (is_known) {
            gaps[knowns] = read_fixed(&world->program, 1) & 0x7f;
            seqs[knowns + news] = seqs[knowns];
            seqs[knowns++] = read_fixed(&world->program, 1);
        } else {
            ids[news] = read_author(world);
            seqs[knowns + news++] = read_fixed(&world->program, 1);
        }
    }
    write_fixed(&writer, world->now_ms << 16, 8);
    write_varint(&writer, GOSSIP_EVENT_APPLICATION);
    write_varint(&writer, knowns);
    for (size_t i = 0; i < knowns; i++) {
        write_varint(&writer, gaps[i]);
        write_varint(&writer, seqs[i]);
    }
    write_varint(&writer, news);
    for (size_t i = 0; i < news; i++) {
        write_bytes(&writer, ids[i], GOSSIP_ID_SIZE);
        write_varint(&writer, seqs[knowns + i]);
    }
    assert(!writer.failed);
    return writer.size;
}

/* The next events of an author. The chain and the seal are right, if how does not say otherwise. */
static void run_events(struct world *world)
{
    static const uint8_t nothing[2] = {0, 0};
    struct member *member = read_member(world);
    uint8_t how = (uint8_t)read_fixed(&world->program, 1);
    struct author_at_work *author = &member->authors[how % EPOCHS];
    struct chain_owner owner = {own->cluster, member->identity->key, author->epoch};
    const struct certificate *certificate = &member->identity->certificate;
    size_t count = read_fixed(&world->program, 1) % BODIES_MAX + 1;
    uint8_t stream[900];
    uint8_t plain[GOSSIP_PLAIN_MAX];
    uint8_t seal[GOSSIP_SIGNATURE_SIZE];
    struct writer writer = {stream, sizeof(stream), 0, false};
    struct chain chain = author->chain;
    struct wire_part part = {
        .run = {.present = true, .author = author->id, .first = chain.seq + 1}};

    part.run.previous = author->chain.hash;
    for (size_t i = 0; i < count; i++) {
        uint8_t framed[256];
        const uint8_t *body = framed;
        struct frame frame;
        size_t size;

        if ((how & FRAMED) != 0) {
            size = read_framed(world, framed);
        } else {
            size = (size_t)read_fixed(&world->program, 1);
            body = read_up_to(world, &size);
            read_bytes(&world->program, size);
        }
        if (writer.size + size + 2 > sizeof(stream))
            break;
        write_varint(&writer, size);
        write_bytes(&writer, body, size);
        if (!frame_read(body, size, &frame))
            frame = (struct frame){.entries = nothing, .entries_size = sizeof(nothing)};
        chain_advance(&chain, &stand_in, &owner, body, size, &frame);
    }
    if (chain.seq == author->chain.seq)
        return;
    seal_sign(&stand_in, chain.hash, member->identity->secret, seal);
    part.run.seal = seal;
    part.run.last = chain.seq;
    part.run.size = (uint32_t)writer.size;
    part.run.data = (struct wire_bytes){stream, writer.size};
    part.run.has_introduction = (how & UNINTRODUCED) == 0;
    part.run.introduction =
        (struct wire_introduction){.key = member->identity->key,
                                   .epoch = author->epoch,
                                   .certificate = {certificate->bytes, certificate->size}};
    if ((how & WRONG_SEAL) != 0)
        seal[0] ^= 1;
    if ((how & ONLY_END) != 0 && writer.size > 1) {
        part.run.offset = 1;
        part.run.previous = NULL;
        part.run.data.data++;
        part.run.data.size--;
    }
    send_message(world, member, MESSAGE_PART, plain,
                 wire_encode_part(&part, plain + 1, sizeof(plain) - 1));
    if ((how & AGAIN) == 0)
        author->chain = chain;
}

static void run_claim(struct world *world)
{
    struct member *member = read_member(world);
    struct wire_digest digest = {.exchange = member->exchange};
    uint8_t entry[64];
    struct writer writer = {entry, sizeof(entry), 0, false};
    const uint8_t *author;

    digest.step = (uint32_t)read_fixed(&world->program, 1) % 3 + 1;
    author = read_author(world);
    write_bytes(&writer, author, GOSSIP_ID_SIZE);
    write_varint(&writer, read_fixed(&world->program, 8));
    write_fixed(&writer, 0, GOSSIP_SHORT_HASH_SIZE);
    digest.authors.present = digest.step > 1;
    digest.authors.entries = (struct wire_bytes){entry, writer.size};
    if (digest.step == 1)
        digest.exchange = member->nonce;
    if (digest.step == 3)
        digest.exchange = member->nonce; /* Of the opening before. */
    send_digest(world, member, &digest);
}

static void run_pull(struct world *world)
{
    struct member *member = read_member(world);
    struct wire_pull pull = {
        .request = 1, .events = UINT32_MAX, .size = UINT32_MAX, .want_count = 1};
    struct wire_want *want = &pull.wants[0];
    uint8_t plain[GOSSIP_PLAIN_MAX];

    want->author = read_author(world);
    want->first = read_fixed(&world->program, 1) + 1;
    want->last = want->first + read_fixed(&world->program, 1);
    want->gap_count = (size_t)read_fixed(&world->program, 1) % (GOSSIP_GAPS_MAX + 1);
    for (size_t i = 0; i < want->gap_count; i++) {
        want->gaps[i].offset = (uint32_t)read_fixed(&world->program, 4);
        want->gaps[i].size = (uint32_t)read_fixed(&world->program, 4);
    }
    send_message(world, member, MESSAGE_PULL, plain,
                 wire_encode_pull(&pull, plain + 1, sizeof(plain) - 1));
}

/* Like the driver: what the node does not take yet waits, over restarts too. */
static void publish_waiting(struct world *world)
{
    static const uint8_t payload[256];
    size_t done = 0;

    while (done < world->waiting_count && gossip_node_may_publish(world->node)) {
        struct gossip_input input = {.kind = GOSSIP_INPUT_PUBLISH,
                                     .ticket = 1,
                                     .payload = payload,
                                     .payload_size = world->waiting[done++]};

        step(world, &input);
        take(world);
    }
    world->waiting_count -= done;
    memmove(world->waiting, world->waiting + done, world->waiting_count);
}

static void run_publish(struct world *world)
{
    world->waiting[world->waiting_count++] = (uint8_t)read_fixed(&world->program, 1);
}

static void pass(struct world *world, uint64_t ms)
{
    struct gossip_input input = {.kind = GOSSIP_INPUT_TIME};

    world->now_ms += ms;
    step(world, &input);
    take(world);
}

static void restart(struct world *world)
{
    gossip_node_destroy(world->node);
    start(world);
    assert(gossip_vclock_compare(&world->clock, &world->node->have) == GOSSIP_EQUAL);
    take(world);
}

static void run(struct world *world)
{
    struct member *member;

    switch ((enum operation)(read_fixed(&world->program, 1) % OPERATIONS)) {
    case DATAGRAM:
        run_datagram(world);
        break;
    case PASS:
        pass(world, 16 * read_fixed(&world->program, 1));
        break;
    case JOIN:
        member = read_member(world);
        join(world, member, read_fixed(&world->program, 1) % 2 == 1);
        break;
    case MESSAGE:
        run_message(world);
        break;
    case EVENTS:
        run_events(world);
        break;
    case CLAIM:
        run_claim(world);
        break;
    case PULL:
        run_pull(world);
        break;
    case PUBLISH:
        run_publish(world);
        break;
    case RESTART:
        restart(world);
        break;
    case FULL:
        gossip_node_set_read_only(world->node, read_fixed(&world->program, 1) % 2 == 1);
        break;
    case OPERATIONS:
        break;
    }
}

static void check_store(struct world *world)
{
    struct gossip_options options = {.size = sizeof(options),
                                     .store = world->store,
                                     .time = &fixed_time,
                                     .identity = own,
                                     .crypto = &stand_in};
    struct gossip *gossip;
    int error = gossip_create(&options, &gossip);

    assert(error == GOSSIP_OK);
    assert(gossip_vclock_compare(&world->clock, gossip_clock(gossip)) == GOSSIP_EQUAL);
    error = gossip_verify(gossip, NULL, NULL, NULL);
    assert(error == GOSSIP_OK);
    gossip_destroy(gossip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world = {.program = {.data = data, .size = size}};

    prepare();
    create(&world);
    for (unsigned i = 0; i < OPERATIONS_MAX && world.program.offset < size; i++) {
        world.program.failed = false;
        run(&world);
        publish_waiting(&world);
        if (world.program.failed)
            break;
    }
    gossip_node_set_read_only(world.node, false); /* While the disk is full, all may wait. */
    pass(&world, 20000);
    assert(gossip_node_may_publish(world.node)); /* Nobody waits for ever. */
    publish_waiting(&world);
    gossip_node_destroy(world.node);
    check_store(&world);
    gossip_vclock_clear(&world.clock);
    world.store->ops->close(world.store);
    return 0;
}
