/*
 * Archives, for libFuzzer. The input is a small program that puts one together: sound records and
 * runs, some of them altered, blocks of any bytes, each with a checksum that fits (no mutation
 * would find one), and an end; or the bytes of a whole archive as they are. It is checked with
 * nothing at hand, and taken in by a node. What is sound is taken in; whatever it is, what the
 * store holds then fits.
 */
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/archive.h"
#include "gossip/bytes.h"
#include "gossip/eviction.h"
#include "gossip/proof.h"
#include "gossip/service.h"

enum {
    MEMBERS = 2,
    EVENTS =
        6, /* Of the first member; the second says the same up to the fourth, then other things. */
    BRANCHES = 2,
    BODY_SIZE = 12,
    BLOCKS_MAX = 60,
    ARCHIVE_SIZE_MAX = 65536,
};

enum operation {
    RECORD,  /* Which (1). */
    RUN,     /* Branch (1), first (1), last (1), what vouches for it (1). */
    AUTHOR,  /* Of whom (1). */
    ALTERED, /* As RECORD or RUN (1), where (2), how (1), and theirs. */
    BLOCK,   /* Kind (1), size (2), bytes. */
    END,     /* Whether it goes on (1). */
    OPERATIONS,
};

static struct gossip_cluster *cluster;
static struct gossip_identity *members[MEMBERS];
static uint8_t bodies[BRANCHES][EVENTS][BODY_SIZE];
static struct chain chains[BRANCHES][EVENTS];
static uint8_t seals[BRANCHES][EVENTS][GOSSIP_SIGNATURE_SIZE];
static struct eviction eviction;
static struct proof proof;
static const uint8_t epoch[GOSSIP_EPOCH_SIZE] = {1};

static void show_from(unsigned branch, unsigned seq, struct proof_branch *ret_branch)
{
    memset(ret_branch, 0, sizeof(*ret_branch));
    memcpy(ret_branch->previous, chains[branch][seq - 2].hash, GOSSIP_HASH_SIZE);
    for (unsigned i = seq; i <= EVENTS; i++) {
        struct proof_link *link = &ret_branch->links[ret_branch->link_count++];

        link->body_size = BODY_SIZE;
        event_inner(gossip_crypto_sodium(), chains[branch][i - 1].mentions_hash,
                    bodies[branch][i - 1], BODY_SIZE, link->inner);
    }
    memcpy(ret_branch->seal, seals[branch][EVENTS - 1], GOSSIP_SIGNATURE_SIZE);
}

static void prepare(void)
{
    const struct gossip_crypto *crypto = gossip_crypto_sodium();
    struct eviction_last last = {.seq = 3};
    uint8_t seed[GOSSIP_SEED_SIZE] = {1};
    struct proof_branch shown[BRANCHES];
    struct chain_owner owner;
    int error;

    if (cluster != NULL)
        return;
    error = cluster_make(crypto, seed, seed, &cluster);
    assert(error == GOSSIP_OK);
    for (unsigned i = 0; i < MEMBERS; i++) {
        seed[0]++;
        error = identity_make(crypto, cluster, i == 0 ? "m1" : "m2",
                              i == 1 ? GOSSIP_RIGHT_EVICT : 0, seed, &members[i]);
        assert(error == GOSSIP_OK);
    }
    owner = (struct chain_owner){cluster->key, members[0]->key, epoch};
    for (unsigned branch = 0; branch < BRANCHES; branch++) {
        struct chain chain = {0};

        for (unsigned i = 0; i < EVENTS; i++) {
            /* Stamp, kind, no entries, and a field of one byte. */
            uint8_t *body = bodies[branch][i];
            struct frame frame;
            bool is_frame;

            body[7] = (uint8_t)i;
            body[8] = GOSSIP_EVENT_APPLICATION;
            body[11] = i < 4 ? 0 : (uint8_t)branch;
            is_frame = frame_read(body, BODY_SIZE, &frame);
            assert(is_frame);
            chain_advance(&chain, crypto, &owner, body, BODY_SIZE, &frame);
            chains[branch][i] = chain;
            seal_sign(crypto, chain.hash, members[0]->secret, seals[branch][i]);
        }
        show_from(branch, 5, &shown[branch]);
    }
    proof_make(crypto, &owner, 5, &shown[0], &shown[1], &proof);
    memcpy(last.epoch, epoch, sizeof(epoch));
    memcpy(last.hash, chains[0][2].hash, GOSSIP_HASH_SIZE);
    eviction_make(crypto, cluster->key, members[0]->key, &last, 1, members[1]->key,
                  members[1]->secret, &eviction);
}

/* ---- Putting an archive together. ---- */

struct work {
    struct reader program;
    uint8_t bytes[ARCHIVE_SIZE_MAX];
    size_t size;
    size_t offset; /* Read so far. */
    uint8_t hash[GOSSIP_HASH_SIZE];
    uint64_t events;
    uint8_t payload[16384];
    size_t payload_size;
};

static void seal_bytes(struct work *work, const uint8_t *bytes, size_t size)
{
    gossip_crypto_sodium()->hash(work->hash,
                                 (const struct gossip_piece[]){
                                     {"gossip/archive/1", sizeof("gossip/archive/1")},
                                     {work->hash, GOSSIP_HASH_SIZE},
                                     {bytes, size},
                                 },
                                 3);
}

static void append(struct work *work, const void *bytes, size_t size)
{
    assert(work->size + size <= sizeof(work->bytes));
    memcpy(work->bytes + work->size, bytes, size);
    work->size += size;
}

static void end_block(struct work *work, uint8_t kind)
{
    uint8_t head[ARCHIVE_BLOCK_HEAD] = {kind};
    size_t start = work->size;

    if (work->size + sizeof(head) + work->payload_size + GOSSIP_HASH_SIZE > sizeof(work->bytes))
        return;
    put_fixed(head + 1, work->payload_size, 4);
    append(work, head, sizeof(head));
    append(work, work->payload, work->payload_size);
    seal_bytes(work, work->bytes + start, work->size - start);
    append(work, work->hash, GOSSIP_HASH_SIZE);
}

static uint64_t read_choice(struct work *work, uint64_t bound)
{
    return read_fixed(&work->program, 1) % bound;
}

static void fill_record(struct work *work)
{
    const struct signed_bytes {
        const uint8_t *bytes;
        size_t size;
    } all[] = {
        {members[0]->certificate.bytes, members[0]->certificate.size},
        {members[1]->certificate.bytes, members[1]->certificate.size},
        {eviction.bytes, eviction.size},
        {proof.bytes, proof.size},
    };
    const struct signed_bytes *one = &all[read_choice(work, sizeof(all) / sizeof(*all))];

    memcpy(work->payload, one->bytes, one->size);
    work->payload_size = one->size;
}

static void fill_run(struct work *work)
{
    struct writer writer = {work->payload, sizeof(work->payload), 0, false};
    static const uint8_t nothing[GOSSIP_HASH_SIZE];
    uint64_t branch = read_choice(work, BRANCHES);
    uint64_t first = 1 + read_choice(work, EVENTS);
    uint64_t last = first + read_choice(work, EVENTS + 1 - first);
    uint64_t voucher = 1 + read_choice(work, 3);

    write_bytes(&writer, members[0]->key, GOSSIP_KEY_SIZE);
    write_bytes(&writer, epoch, sizeof(epoch));
    write_fixed(&writer, first, 8);
    write_fixed(&writer, last, 8);
    write_bytes(&writer, first == 1 ? nothing : chains[branch][first - 2].hash, GOSSIP_HASH_SIZE);
    write_fixed(&writer, voucher, 1);
    if (voucher == ARCHIVE_SEAL)
        write_bytes(&writer, seals[branch][last - 1], GOSSIP_SIGNATURE_SIZE);
    if (voucher == ARCHIVE_LINK) {
        struct proof_branch shown;

        show_from((unsigned)branch, last < EVENTS && last > 0 ? (unsigned)last + 1 : EVENTS,
                  &shown);
        write_fixed(&writer, BODY_SIZE, 4);
        write_bytes(&writer, shown.links[0].inner, GOSSIP_HASH_SIZE);
    }
    for (uint64_t seq = first; seq <= last; seq++) {
        write_varint(&writer, BODY_SIZE);
        write_bytes(&writer, bodies[branch][seq - 1], BODY_SIZE);
    }
    assert(!writer.failed);
    work->payload_size = writer.size;
    work->events += last - first + 1;
}

static void run(struct work *work)
{
    uint64_t operation = read_choice(work, OPERATIONS);
    bool is_altered = operation == ALTERED;
    size_t place = 0;
    uint8_t change = 0;
    uint8_t kind;

    work->payload_size = 0;
    if (is_altered) {
        operation = read_choice(work, 2);
        place = (size_t)read_fixed(&work->program, 2);
        change = (uint8_t)read_fixed(&work->program, 1);
    }
    switch ((enum operation)operation) {
    case RECORD:
        fill_record(work);
        kind = ARCHIVE_RECORD;
        break;
    case RUN:
        fill_run(work);
        kind = ARCHIVE_RUN;
        break;
    case AUTHOR:
        memcpy(work->payload, members[read_choice(work, MEMBERS)]->key, GOSSIP_KEY_SIZE);
        memcpy(work->payload + GOSSIP_KEY_SIZE, epoch, sizeof(epoch));
        work->payload_size = GOSSIP_KEY_SIZE + sizeof(epoch);
        kind = ARCHIVE_AUTHOR;
        break;
    case BLOCK: {
        size_t left = work->program.size - work->program.offset;
        const uint8_t *bytes;

        kind = (uint8_t)read_fixed(&work->program, 1);
        work->payload_size = (size_t)read_fixed(&work->program, 2) % 2048;
        left = work->program.size - work->program.offset;
        if (work->payload_size > left)
            work->payload_size = left;
        bytes = read_bytes(&work->program, work->payload_size);
        if (work->payload_size > 0)
            memcpy(work->payload, bytes, work->payload_size);
        break;
    }
    default:
        put_fixed(work->payload, work->events, 8);
        work->payload_size = 8;
        kind = ARCHIVE_END;
        break;
    }
    if (is_altered)
        work->payload[place % work->payload_size] ^= change;
    end_block(work, kind);
}

static void make_archive(struct work *work)
{
    uint8_t header[ARCHIVE_HEADER_SIZE] = "gsparch1";

    memcpy(header + ARCHIVE_MAGIC_SIZE, cluster->key, GOSSIP_KEY_SIZE);
    append(work, header, sizeof(header));
    seal_bytes(work, header, sizeof(header));
    for (unsigned i = 0; i < BLOCKS_MAX && work->program.offset < work->program.size; i++)
        run(work);
}

/* ---- Judging it. ---- */

static int read_archive(void *context, void *buffer, size_t size)
{
    struct work *work = context;
    size_t left = work->size - work->offset;

    if (size > left)
        size = left;
    memcpy(buffer, work->bytes + work->offset, size);
    work->offset += size;
    return (int)size;
}

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

static struct gossip *open_gossip(struct gossip_store *store)
{
    static const struct gossip_time_ops ops = {fixed_ms, fixed_ms, fixed_random};
    static struct gossip_time time = {&ops};
    struct gossip_options options = {
        .size = sizeof(options), .store = store, .time = &time, .identity = members[1]};
    struct gossip *gossip;
    int error = gossip_create(&options, &gossip);

    assert(error == GOSSIP_OK);
    return gossip;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct work work;
    struct gossip_imported imported = {0};
    struct gossip_archive archive;
    struct gossip_store *store;
    struct gossip *gossip;
    int checked;
    int result;

    prepare();
    memset(&work, 0, sizeof(work));
    if (size > 0 && data[0] == 'g' && size <= sizeof(work.bytes)) {
        append(&work, data, size); /* As it is: "gsparch1" and what follows. */
    } else {
        work.program = (struct reader){data, size, 0, false};
        make_archive(&work);
    }
    checked = gossip_archive_check(read_archive, &work, &archive);
    assert(checked == GOSSIP_OK || (checked == GOSSIP_ERR_DAMAGED && archive.fault[0] != '\0'));
    work.offset = 0;
    result = gossip_memory_open(&store);
    assert(result == GOSSIP_OK);
    gossip = open_gossip(store);
    result = gossip_import(gossip, read_archive, &work, &archive, &imported);
    assert(result == GOSSIP_OK || result == GOSSIP_ERR_FOREIGN ||
           (result == GOSSIP_ERR_DAMAGED && archive.fault[0] != '\0'));
    /* What has been found sound has no fault on its way in. (A proof that comes before its author's
     * certificate proves what it says, and is of no use to a node.) */
    if (checked == GOSSIP_OK && result != GOSSIP_ERR_FOREIGN)
        assert(result == GOSSIP_OK);
    gossip_destroy(gossip);
    gossip = open_gossip(store);
    result = gossip_verify(gossip, NULL, NULL, NULL);
    assert(result == GOSSIP_OK);
    gossip_destroy(gossip);
    store->ops->close(store);
    return 0;
}
