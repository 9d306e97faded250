/*
 * The switchboard: what comes in goes to the file whose affair it is, and what comes out is
 * collected. docs/architecture.md follows one event through it.
 */
#include "gossip/node.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/archive.h"
#include "gossip/bytes.h"
#include "gossip/cuts.h"
#include "gossip/inquiry.h"
#include "gossip/witness.h"

int node_notice(struct gossip_node *node, enum gossip_notice_kind kind, uint32_t peer,
                struct gossip_dot dot, uint64_t number)
{
    struct gossip_notice notice = {.kind = kind, .dot = dot, .number = number};

    if (peer != NO_PEER) {
        memcpy(notice.name, node->peers.items[peer]->certificate.name, sizeof(notice.name));
        notice.address = node->peers.items[peer]->address;
    }
    return batch_notice(&node->batch, &notice);
}

bool node_pair(struct gossip_node *node, uint32_t number)
{
    struct peer *peer = node->peers.items[number];

    if (!peer->has_pair_key)
        peer->has_pair_key =
            pair_key(node->crypto, node->identity, peer->certificate.key, peer->pair_key);
    return peer->has_pair_key;
}

int node_send(struct gossip_node *node, uint32_t number, enum message_kind kind,
              const uint8_t *message, size_t size)
{
    struct peer *peer = node->peers.items[number];
    struct box_header header = {.receiver = peer->certificate.node,
                                .sender = node->identity->node,
                                .boot_id = node->boot_id};
    uint8_t plain[GOSSIP_PLAIN_MAX];
    uint8_t data[GOSSIP_DATAGRAM_MAX];
    uint8_t nonce[GOSSIP_BOX_NONCE_SIZE];
    size_t plain_size = 1 + size;

    assert(peer->state == GOSSIP_PEER_ALIVE); /* Its address is proven: others get hellos only. */
    assert(plain_size <= sizeof(plain));
    if (!node_pair(node, number))
        return GOSSIP_OK; /* No box can reach a key that is unfit; admission refuses such keys. */
    header.counter = ++peer->counter;
    plain[0] = (uint8_t)kind;
    memcpy(plain + 1, message, size);
    if (kind == MESSAGE_DIGEST) {
        assert(plain_size + GOSSIP_SIGNATURE_SIZE <= sizeof(plain));
        digest_sign(node->crypto, node->identity, &header, message, size, plain + plain_size);
        plain_size += GOSSIP_SIGNATURE_SIZE;
    }
    random_bytes(&node->random, nonce, sizeof(nonce));
    size = box_write(node->crypto, peer->pair_key, &header, nonce, plain, plain_size, data);
    return batch_send(&node->batch, &peer->address, data, size);
}

/* A record that is whole, to whom it belongs. */
static enum gossip_verdict take_record_bytes(struct gossip_node *node, uint32_t peer,
                                             struct wire_bytes bytes, int *ret_error)
{
    struct wire_arena arena; /* The bytes may be lent from the node's own. */
    struct wire_bytes none = {0};
    struct proof proof;
    uint32_t member;

    switch (bytes.data[0]) {
    case GOSSIP_SIGNED_CERTIFICATE:
        return greet_admit(node, bytes, none, &member, ret_error);
    case GOSSIP_SIGNED_EVICTION:
        return cuts_take_eviction(node, bytes, ret_error);
    case GOSSIP_SIGNED_PROOF:
        if (!proof_read(node->crypto, &arena, bytes.data, bytes.size, &proof))
            return GOSSIP_DATAGRAM_MALFORMED;
        return cuts_take_proof(node, &proof, ret_error);
    case PROOF_HALF_TYPE:
        return inquiry_take_half(node, peer, bytes, ret_error);
    default:
        return GOSSIP_DATAGRAM_UNSUPPORTED;
    }
}

static enum gossip_verdict take_record(struct gossip_node *node, uint32_t peer,
                                       const struct wire_record_part *part, struct wire_bytes bytes,
                                       int *ret_error)
{
    uint8_t id[GOSSIP_HASH_SIZE];

    record_id(node->crypto, bytes.data, bytes.size, id);
    if (memcmp(id, part->id, GOSSIP_ID_SIZE) != 0)
        return GOSSIP_DATAGRAM_FORGED;
    return take_record_bytes(node, peer, bytes, ret_error);
}

static enum gossip_verdict receive_record(struct gossip_node *node, uint32_t peer,
                                          const struct wire_record_part *part, int *ret_error)
{
    struct wire_bytes bytes;

    if (records_find(&node->records, part->id) != NULL)
        return GOSSIP_DATAGRAM_DUPLICATE;
    switch (assemblies_take(&node->assemblies, part, peer, &bytes)) {
    case ASSEMBLY_WHOLE:
        return take_record(node, peer, part, bytes, ret_error);
    case ASSEMBLY_PART:
        return GOSSIP_DATAGRAM_ACCEPTED;
    case ASSEMBLY_DUPLICATE:
        return GOSSIP_DATAGRAM_DUPLICATE;
    case ASSEMBLY_CONFLICT:
        return GOSSIP_DATAGRAM_FORGED;
    case ASSEMBLY_NO_MEMORY:
        break;
    }
    *ret_error = GOSSIP_ERR_NOMEM;
    return GOSSIP_DATAGRAM_NO_ROOM;
}

static enum gossip_verdict receive_introduction(struct gossip_node *node,
                                                const struct wire_introduction *introduction,
                                                int *ret_error)
{
    uint32_t member;
    enum gossip_verdict verdict = greet_introduced(node, introduction, &member, ret_error);

    if (*ret_error < 0 || verdict != GOSSIP_DATAGRAM_ACCEPTED)
        return verdict;
    return cuts_take_introduction(node, introduction, ret_error);
}

/* What a peer tells of an author's chain, to whoever has asked. */
static enum gossip_verdict receive_hashes(struct gossip_node *node, uint32_t peer,
                                          const struct wire_hashes *hashes, int *ret_error)
{
    uint32_t number = authors_find(&node->authors, hashes->author);
    enum gossip_verdict verdict = GOSSIP_DATAGRAM_ACCEPTED;

    if (amnesia_receive(node, peer, hashes, &verdict, ret_error))
        return verdict;
    if (number != NO_AUTHOR && reissue_receive(node, peer, number, hashes->have))
        return verdict;
    return inquiry_receive(node, peer, hashes, ret_error);
}

/* A message of an alive peer, out of its box. */
static enum gossip_verdict receive_message(struct gossip_node *node, uint32_t peer,
                                           const uint8_t *plain, size_t size, int *ret_error)
{
    struct wire_digest digest;
    struct wire_pull pull;
    struct wire_part part;
    struct wire_addresses addresses;
    struct wire_hashes_ask ask;
    struct wire_hashes hashes;
    enum gossip_verdict verdict = GOSSIP_DATAGRAM_ACCEPTED;

    switch (plain[0]) {
    case MESSAGE_DIGEST:
        if (!wire_decode_digest(&node->arena, plain + 1, size - 1 - GOSSIP_SIGNATURE_SIZE, &digest))
            return GOSSIP_DATAGRAM_MALFORMED;
        return exchange_receive(node, peer, &digest, ret_error);
    case MESSAGE_PULL:
        if (!wire_decode_pull(&node->arena, plain + 1, size - 1, &pull))
            return GOSSIP_DATAGRAM_MALFORMED;
        return serve_pull(node, peer, &pull, ret_error);
    case MESSAGE_PART:
        if (!wire_decode_part(&node->arena, plain + 1, size - 1, &part))
            return GOSSIP_DATAGRAM_MALFORMED;
        if (part.run.present)
            verdict = deliver_part(node, peer, &part, ret_error);
        else if (part.record.present)
            verdict = receive_record(node, peer, &part.record, ret_error);
        else if (part.has_introduction)
            verdict = receive_introduction(node, &part.introduction, ret_error);
        if (*ret_error >= 0)
            *ret_error = pull_note_part(node, peer, &part, verdict == GOSSIP_DATAGRAM_ACCEPTED);
        return verdict;
    case MESSAGE_ADDRESSES:
        if (!wire_decode_addresses(&node->arena, plain + 1, size - 1, &addresses))
            return GOSSIP_DATAGRAM_MALFORMED;
        return greet_addresses(node, peer, &addresses, ret_error);
    case MESSAGE_HASHES_ASK:
        if (!wire_decode_hashes_ask(&node->arena, plain + 1, size - 1, &ask))
            return GOSSIP_DATAGRAM_MALFORMED;
        return inquiry_answer(node, peer, &ask, ret_error);
    case MESSAGE_HASHES:
        if (!wire_decode_hashes(&node->arena, plain + 1, size - 1, &hashes))
            return GOSSIP_DATAGRAM_MALFORMED;
        return receive_hashes(node, peer, &hashes, ret_error);
    default:
        return GOSSIP_DATAGRAM_UNSUPPORTED;
    }
}

/* Whether a digest bears its writer's signature; other messages need none. */
static bool signature_fits(const struct gossip_node *node, const struct peer *peer,
                           const struct box_header *header, const uint8_t *plain, size_t size)
{
    size_t message_size = size - 1 - GOSSIP_SIGNATURE_SIZE;

    if (plain[0] != MESSAGE_DIGEST)
        return true;
    return size > 1 + GOSSIP_SIGNATURE_SIZE &&
           digest_verify(node->crypto, node->identity->cluster, header, plain + 1, message_size,
                         peer->certificate.key, plain + 1 + message_size);
}

/* Whether a box from an unproven boot or address carries the token that proves it. */
static bool proves_itself(struct gossip_node *node, uint32_t peer,
                          const struct gossip_address *address, const struct box_header *header,
                          const uint8_t *plain, size_t size)
{
    struct wire_digest digest;

    return plain[0] == MESSAGE_DIGEST && size > 1 + GOSSIP_SIGNATURE_SIZE &&
           wire_decode_digest(&node->arena, plain + 1, size - 1 - GOSSIP_SIGNATURE_SIZE, &digest) &&
           digest.token != NULL &&
           greet_token_fits(node, peer, address, header->boot_id, digest.token);
}

static enum gossip_verdict receive_box(struct gossip_node *node,
                                       const struct gossip_datagram *datagram, int *ret_error)
{
    uint8_t plain[GOSSIP_PLAIN_MAX];
    struct box_header header;
    struct peer *peer;
    uint32_t number;
    size_t size;

    box_header_read(datagram->data, &header);
    if (memcmp(header.receiver, node->identity->node, GOSSIP_ID_SIZE) != 0)
        return GOSSIP_DATAGRAM_MISDIRECTED;
    number = peers_find_node(&node->peers, header.sender);
    if (number == NO_PEER)
        return GOSSIP_DATAGRAM_UNKNOWN;
    peer = node->peers.items[number];
    if (!node_pair(node, number))
        return GOSSIP_DATAGRAM_FORGED;
    size = box_open(node->crypto, peer->pair_key, datagram->data, datagram->size, plain);
    if (size == 0)
        return GOSSIP_DATAGRAM_FORGED;
    if (header.counter == 0)
        return GOSSIP_DATAGRAM_MALFORMED; /* They count from 1. */
    /* Its tokens may still be good, but whoever has them now is not the peer. */
    if (peer_boot_is_past(peer, header.boot_id))
        return GOSSIP_DATAGRAM_REPLAYED;

    if (!peer->has_boot || peer->boot_id != header.boot_id ||
        !address_equal(&peer->address, &datagram->address)) {
        /* Of one boot each counter counts once, wherever it comes from. */
        if (peer->has_boot && peer->boot_id == header.boot_id &&
            !replay_is_new(&peer->window, header.counter))
            return GOSSIP_DATAGRAM_REPLAYED;
        if (!proves_itself(node, number, &datagram->address, &header, plain, size)) {
            *ret_error = greet_unproven(node, number, &datagram->address);
            return GOSSIP_DATAGRAM_UNPROVEN;
        }
        if (!signature_fits(node, peer, &header, plain, size))
            return GOSSIP_DATAGRAM_FORGED;
        *ret_error =
            greet_proven(node, number, &datagram->address, header.boot_id, header.counter - 1);
        if (*ret_error < 0)
            return GOSSIP_DATAGRAM_NO_ROOM;
    } else if (!replay_is_new(&peer->window, header.counter)) {
        return GOSSIP_DATAGRAM_REPLAYED;
    } else if (!signature_fits(node, peer, &header, plain, size)) {
        return GOSSIP_DATAGRAM_FORGED;
    }
    replay_mark(&peer->window, header.counter);
    peer->heard = true;
    peer->heard_ms = node->now_ms;
    peer->missed = 0;
    if (peer->state != GOSSIP_PEER_ALIVE) {
        *ret_error = greet_proven(node, number, &datagram->address, header.boot_id, 0);
        if (*ret_error < 0)
            return GOSSIP_DATAGRAM_NO_ROOM;
    }
    return receive_message(node, number, plain, size, ret_error);
}

static enum gossip_verdict receive(struct gossip_node *node, const struct gossip_datagram *datagram,
                                   int *ret_error)
{
    enum datagram_kind kind;
    enum gossip_verdict verdict = datagram_kind(datagram->data, datagram->size, &kind);

    if (verdict != GOSSIP_DATAGRAM_ACCEPTED)
        return verdict;
    if (datagram->address.port == 0)
        return GOSSIP_DATAGRAM_NOT_GOSSIP; /* Nobody can be answered there. */
    if (kind == DATAGRAM_BOX)
        return receive_box(node, datagram, ret_error);
    return greet_receive(node, kind, datagram, ret_error);
}

static int pass_time(struct gossip_node *node)
{
    int error = pull_time(node);

    if (error >= 0)
        error = inquiry_time(node);
    if (error >= 0)
        error = amnesia_time(node);
    if (error >= 0)
        error = reissue_time(node);
    if (error >= 0)
        error = exchange_time(node);
    if (error >= 0)
        error = greet_time(node);
    return error;
}

/* What is done now belongs to a new batch, if the last one was taken. */
static void begin_batch(struct gossip_node *node)
{
    if (!node->taken)
        return;
    batch_start(&node->batch, &node->authors);
    node->taken = false;
}

static enum gossip_verdict import_run(struct gossip_node *node, const struct archive_run *run,
                                      int *ret_error)
{
    struct wire_part part = {.run = {.present = true,
                                     .first = run->first,
                                     .last = run->last,
                                     .size = (uint32_t)run->stream.size,
                                     .previous = run->previous,
                                     .data = run->stream,
                                     .seal = run->seal,
                                     .link = run->link}};
    const struct certificate *certificate = greet_certificate(node, run->key);
    uint8_t id[GOSSIP_ID_SIZE];

    if (certificate == NULL)
        return GOSSIP_DATAGRAM_UNKNOWN;
    author_id(node->crypto, run->key, run->epoch, id);
    part.run.author = id;
    part.run.has_introduction = true;
    part.run.introduction = (struct wire_introduction){
        .key = run->key,
        .epoch = run->epoch,
        .certificate = {certificate->bytes, certificate->size},
    };
    return deliver_part(node, NO_PEER, &part, ret_error);
}

static enum gossip_verdict import_author(struct gossip_node *node, const struct archive_run *run,
                                         int *ret_error)
{
    struct wire_introduction introduction = {.key = run->key, .epoch = run->epoch};

    return cuts_take_introduction(node, &introduction, ret_error);
}

int gossip_node_import(struct gossip_node *node, const struct archive_block *block,
                       enum gossip_verdict *ret_verdict)
{
    enum gossip_verdict verdict;
    int error = GOSSIP_OK;

    begin_batch(node);
    node->has_stepped = true;
    if (block->kind == ARCHIVE_RUN)
        verdict = import_run(node, &block->run, &error);
    else if (block->kind == ARCHIVE_AUTHOR)
        verdict = import_author(node, &block->run, &error);
    else
        verdict = take_record_bytes(node, NO_PEER, block->record, &error);
    if (error < 0)
        return error;
    node->stats.datagrams[verdict]++;
    *ret_verdict = verdict;
    return GOSSIP_OK;
}

int gossip_node_step(struct gossip_node *node, const struct gossip_input *input)
{
    int error = GOSSIP_OK;

    begin_batch(node);
    assert(input->now_ms >= node->now_ms);
    node->has_stepped = true;
    node->now_ms = input->now_ms;
    node->wall_ms = input->wall_ms;
    switch (input->kind) {
    case GOSSIP_INPUT_TIME:
        break;
    case GOSSIP_INPUT_DATAGRAM:
        node->stats.bytes_received += input->datagram.size;
        node->stats.datagrams[receive(node, &input->datagram, &error)]++;
        break;
    case GOSSIP_INPUT_PUBLISH:
        error = publish_event(node, input);
        break;
    }
    return error;
}

bool gossip_node_batch_is_full(const struct gossip_node *node)
{
    return !node->taken && (node->batch.record_bytes >= GOSSIP_BATCH_BYTES ||
                            node->batch.datagram_bytes >= GOSSIP_BATCH_BYTES);
}

static int save_authors(struct gossip_node *node)
{
    for (size_t i = 0; i < node->authors.count; i++) {
        struct author *author = node->authors.items[i];
        struct gossip_record record = {.kind = GOSSIP_RECORD_AUTHOR};
        int error;

        if (!author->dirty)
            continue;
        record.as.author = author->stored;
        error = batch_save(&node->batch, &record);
        if (error < 0)
            return error;
        author->dirty = false;
    }
    return GOSSIP_OK;
}

/* The stamp is saved with whatever else is: an idle node writes nothing. */
static int save_hlc(struct gossip_node *node)
{
    struct gossip_record record = {.kind = GOSSIP_RECORD_META};

    if (node->hlc == node->saved_hlc || node->batch.record_count == 0)
        return GOSSIP_OK;
    record.as.meta.name = "hlc";
    record.as.meta.number = node->hlc;
    node->saved_hlc = node->hlc;
    return batch_save(&node->batch, &record);
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What is overdue, or not known, is due now. */
static uint64_t next_step(const struct gossip_node *node)
{
    uint64_t deadline =
        earliest(earliest(exchange_deadline(node), greet_deadline(node)),
                 earliest(earliest(pull_deadline(node), inquiry_deadline(node)),
                          earliest(amnesia_deadline(node), reissue_deadline(node))));

    return deadline > node->now_ms ? deadline : node->now_ms;
}

int gossip_node_take(struct gossip_node *node, struct gossip_effects *ret_effects)
{
    const struct batch *batch = &node->batch;
    int error = GOSSIP_OK;

    if (!node->taken) {
        /* Once for all that has come, and after it. What a node does before its first step is none
         * of its time: nothing is sent of that. */
        if (node->has_stepped)
            error = pass_time(node);
        if (error >= 0)
            error = publish_seal(node);
        if (error >= 0)
            error = serve_push(node);
        if (error >= 0)
            error = witness_save(node);
        if (error >= 0)
            error = save_authors(node);
        if (error >= 0)
            error = save_hlc(node);
        if (error < 0)
            return error;
        if (batch->record_count > 0)
            node->stats.commits++;
        for (size_t i = 0; i < batch->datagram_count; i++)
            node->stats.bytes_sent += batch->datagrams[i].size;
        node->stats.datagrams_sent += batch->datagram_count;
        node->taken = true;
    }
    *ret_effects = (struct gossip_effects){
        .records = batch->records,
        .record_count = batch->record_count,
        .datagrams = batch->datagrams,
        .datagram_count = batch->datagram_count,
        .results = batch->results,
        .result_count = batch->result_count,
        .notices = batch->notices,
        .notice_count = batch->notice_count,
        .deadline_ms = next_step(node),
    };
    return GOSSIP_OK;
}

void gossip_node_set_read_only(struct gossip_node *node, bool read_only)
{
    if (node->read_only && !read_only)
        amnesia_freed(node);
    node->read_only = read_only;
    node->stats.read_only = read_only;
}

bool gossip_node_may_publish(const struct gossip_node *node)
{
    return amnesia_may_write(node);
}

bool gossip_node_is_cloned(const struct gossip_node *node)
{
    return node->amnesia.is_clone;
}

bool gossip_node_has_dated(const struct gossip_node *node)
{
    return node->amnesia.has_dated;
}

void gossip_node_own(const struct gossip_node *node, uint8_t ret_epoch[GOSSIP_EPOCH_SIZE],
                     uint64_t *ret_have)
{
    const struct gossip_author_record *self = &node->authors.items[node->self]->stored;

    memcpy(ret_epoch, self->epoch, GOSSIP_EPOCH_SIZE);
    *ret_have = self->have;
}

uint64_t gossip_node_boot(const struct gossip_node *node)
{
    return node->boot_count;
}

uint64_t gossip_node_known_boot(const struct gossip_node *node)
{
    return node->amnesia.known_boot;
}

/* Configured addresses come first: the stored ones have what room is left. */
static int add_joins(struct gossip_node *node, const struct gossip_node_config *config)
{
    for (size_t i = 0; i < config->join_count; i++) {
        struct target *target;
        int error = targets_add(&node->peers, &config->joins[i], NO_PEER, config->now_ms,
                                config->period_ms, &target);

        if (error < 0)
            return error;
        target->configured = true;
    }
    return GOSSIP_OK;
}

bool node_keeps_events(const struct gossip_node *node)
{
    return (node->store->ops->abilities & GOSSIP_STORE_EVENTS) != 0;
}

int gossip_node_create(const struct gossip_node_config *config, struct gossip_node **ret_node)
{
    struct gossip_node *node;
    uint8_t bytes[8];
    int error;

    if (!identity_is_sound(config->crypto, config->identity))
        return GOSSIP_ERR_FORGED;
    node = calloc(1, sizeof(*node));
    if (node == NULL)
        return GOSSIP_ERR_NOMEM;
    node->crypto = config->crypto;
    node->identity = config->identity;
    node->store = config->store;
    node->period_ms = config->period_ms;
    node->payload_max = config->payload_max;
    node->fanout = config->fanout;
    node->choice = config->choice;
    node->now_ms = config->now_ms;
    node->wall_ms = config->wall_ms;
    node->self = NO_AUTHOR;
    random_start(&node->random, config->crypto, config->seed);
    random_bytes(&node->random, bytes, sizeof(bytes));
    node->boot_id = get_fixed(bytes, sizeof(bytes));
    random_bytes(&node->random, node->token_key, sizeof(node->token_key));
    node->interval_ms = config->period_ms;
    node->exchange_ms = config->now_ms + random_below(&node->random, config->period_ms);
    node->repair_ms = UINT64_MAX;
    node->addresses_interval_ms = 2 * (uint64_t)config->period_ms;
    node->addresses_ms = config->now_ms + node->addresses_interval_ms;
    greet_start(node);
    contexts_start(&node->contexts, node->store, &node->authors, &node->batch);

    error = add_joins(node, config);
    if (error >= 0)
        error = start_load(node, config);
    if (error < 0) {
        gossip_node_destroy(node);
        return error;
    }
    *ret_node = node;
    return GOSSIP_OK;
}

void gossip_node_destroy(struct gossip_node *node)
{
    if (node == NULL)
        return;
    for (size_t i = 0; i < node->authors.count; i++)
        held_drop_all(&node->held, node->authors.items[i]);
    runs_clear(&node->runs);
    assemblies_clear(&node->assemblies);
    reissue_clear(&node->reissue);
    contexts_clear(&node->contexts);
    batch_clear(&node->batch);
    authors_clear(&node->authors);
    gossip_vclock_clear(&node->have);
    gossip_vclock_clear(&node->told);
    records_clear(&node->records);
    peers_clear(&node->peers);
    gossip_wipe(node->token_key, sizeof(node->token_key));
    gossip_wipe(&node->random, sizeof(node->random));
    free(node);
}
