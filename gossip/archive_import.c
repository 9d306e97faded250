/*
 * Archives on their way in. To check one, each author's chain is followed from its first event,
 * with nothing at hand but the archive; to take one in, its records and runs go to the node, which
 * judges them as those of peers.
 */
#include "gossip/service.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/archive.h"
#include "gossip/bytes.h"
#include "gossip/eviction.h"
#include "gossip/proof.h"

/* ---- Checking. ---- */

struct checking {
    struct archive_reader reader;
    const struct gossip_crypto *crypto;
    const uint8_t *cluster;
    struct records records; /* Those of the archive so far. */
    struct authors authors; /* Where the chain of each stands: its tail. */
    struct wire_arena arena;
};

/* Finds a certificate of key. With rights, one that the cluster itself has signed and that gives
 * all of them. */
static bool find_certificate(struct checking *checking, const uint8_t *key, uint32_t rights,
                             struct certificate *ret_certificate)
{
    for (size_t i = 0; i < checking->records.count; i++) {
        const struct signed_record *record = checking->records.items[i];

        if (record->type == GOSSIP_SIGNED_CERTIFICATE &&
            certificate_read(checking->crypto, &checking->arena, record->bytes, record->size,
                             ret_certificate) &&
            memcmp(ret_certificate->key, key, GOSSIP_KEY_SIZE) == 0 &&
            (rights == 0 ||
             (!ret_certificate->has_issuer && (ret_certificate->rights & rights) == rights)))
            return true;
    }
    return false;
}

static bool certificate_fits(struct checking *checking, const struct wire_bytes *bytes)
{
    struct certificate certificate;
    struct certificate issuer;
    bool has_issuer = false;

    if (!certificate_read(checking->crypto, &checking->arena, bytes->data, bytes->size,
                          &certificate))
        return false;
    if (certificate.has_issuer)
        has_issuer = find_certificate(checking, certificate.issuer, GOSSIP_RIGHT_ADMIT, &issuer);
    return certificate_verify(checking->crypto, checking->cluster, &certificate,
                              has_issuer ? &issuer : NULL);
}

static bool eviction_fits(struct checking *checking, const struct wire_bytes *bytes)
{
    struct eviction eviction;
    struct certificate issuer;
    bool has_issuer = false;

    if (!eviction_read(checking->crypto, &checking->arena, bytes->data, bytes->size, &eviction))
        return false;
    if (eviction.has_issuer)
        has_issuer = find_certificate(checking, eviction.issuer, GOSSIP_RIGHT_EVICT, &issuer);
    return eviction_verify(checking->crypto, checking->cluster, &eviction,
                           has_issuer ? &issuer : NULL);
}

static bool proof_fits(struct checking *checking, const struct wire_bytes *bytes)
{
    struct proof proof;
    uint64_t cut;

    return proof_read(checking->crypto, &checking->arena, bytes->data, bytes->size, &proof) &&
           proof_verify(checking->crypto, checking->cluster, &proof, &cut);
}

static int check_record(struct checking *checking, const struct wire_bytes *bytes)
{
    const struct signed_record *record;
    uint8_t id[GOSSIP_HASH_SIZE];
    bool fits = false;

    switch (bytes->data[0]) {
    case GOSSIP_SIGNED_CERTIFICATE:
        fits = certificate_fits(checking, bytes);
        break;
    case GOSSIP_SIGNED_EVICTION:
        fits = eviction_fits(checking, bytes);
        break;
    case GOSSIP_SIGNED_PROOF:
        fits = proof_fits(checking, bytes);
        break;
    default:
        return archive_fault(&checking->reader, "the record is of a type that is not known");
    }
    if (!fits)
        return archive_fault(&checking->reader, "the record's signature does not fit");
    record_id(checking->crypto, bytes->data, bytes->size, id);
    if (records_find(&checking->records, id) != NULL)
        return archive_fault(&checking->reader, "the record is there twice");
    checking->reader.told->records++;
    return records_add(&checking->records, checking->crypto, bytes->data, bytes->size, &record);
}

static bool proof_vouches(struct checking *checking, const struct signed_record *record,
                          const struct chain_owner *owner, const struct chain *chain,
                          const uint8_t *link)
{
    uint8_t next[GOSSIP_HASH_SIZE];
    const uint8_t *hash = chain->hash;
    struct proof proof;
    uint64_t cut;

    if (!proof_read(checking->crypto, &checking->arena, record->bytes, record->size, &proof) ||
        !proof_verify(checking->crypto, checking->cluster, &proof, &cut) ||
        memcmp(proof.key, owner->key, GOSSIP_KEY_SIZE) != 0 ||
        memcmp(proof.epoch, owner->epoch, GOSSIP_EPOCH_SIZE) != 0 || cut != chain->seq + 1)
        return false;
    if (link != NULL) {
        event_hash(checking->crypto, owner, cut, chain->hash, (uint32_t)get_fixed(link, 4),
                   link + 4, next);
        hash = next;
    }
    return (cut == proof.seq) == (link == NULL) &&
           (memcmp(proof.a.previous, hash, GOSSIP_HASH_SIZE) == 0 ||
            memcmp(proof.b.previous, hash, GOSSIP_HASH_SIZE) == 0);
}

static bool eviction_vouches(struct checking *checking, const struct signed_record *record,
                             const struct chain_owner *owner, const struct chain *chain)
{
    struct eviction eviction;

    if (!eviction_read(checking->crypto, &checking->arena, record->bytes, record->size,
                       &eviction) ||
        memcmp(eviction.key, owner->key, GOSSIP_KEY_SIZE) != 0)
        return false;
    for (size_t i = 0; i < eviction.last_count; i++)
        if (memcmp(eviction.last[i].epoch, owner->epoch, GOSSIP_EPOCH_SIZE) == 0)
            return eviction.last[i].seq == chain->seq &&
                   memcmp(eviction.last[i].hash, chain->hash, GOSSIP_HASH_SIZE) == 0;
    return false;
}

/* Below a cut a record stands for the seal. */
static bool cut_vouches(struct checking *checking, const struct chain_owner *owner,
                        const struct chain *chain, const uint8_t *link)
{
    for (size_t i = 0; i < checking->records.count; i++) {
        const struct signed_record *record = checking->records.items[i];

        if (record->type == GOSSIP_SIGNED_PROOF &&
            proof_vouches(checking, record, owner, chain, link))
            return true;
        if (record->type == GOSSIP_SIGNED_EVICTION && link == NULL &&
            eviction_vouches(checking, record, owner, chain))
            return true;
    }
    return false;
}

/* An author is there without events where an eviction leaves none of them. */
static int check_author(struct checking *checking, const struct archive_run *author)
{
    for (size_t i = 0; i < checking->records.count; i++) {
        const struct signed_record *record = checking->records.items[i];
        struct eviction eviction;

        if (record->type == GOSSIP_SIGNED_EVICTION &&
            eviction_read(checking->crypto, &checking->arena, record->bytes, record->size,
                          &eviction) &&
            memcmp(eviction.key, author->key, GOSSIP_KEY_SIZE) == 0 &&
            eviction_cut(&eviction, author->epoch) == 1)
            return GOSSIP_OK;
    }
    return archive_fault(&checking->reader, "an author has no events, and no eviction says so");
}

/* The author of a run; one whose certificate has come by is taken in. */
static int find_author(struct checking *checking, const struct archive_run *run,
                       struct author **ret_author)
{
    struct gossip_author_record record = {.number = (uint32_t)checking->authors.count};
    struct certificate certificate;
    uint32_t number;
    int error;

    *ret_author = NULL;
    author_id(checking->crypto, run->key, run->epoch, record.id);
    number = authors_find(&checking->authors, record.id);
    if (number == NO_AUTHOR) {
        if (!find_certificate(checking, run->key, 0, &certificate))
            return archive_fault(&checking->reader, "its author's certificate is not there");
        memcpy(record.key, run->key, GOSSIP_KEY_SIZE);
        memcpy(record.epoch, run->epoch, GOSSIP_EPOCH_SIZE);
        error = authors_add(&checking->authors, &record);
        if (error < 0)
            return error;
        number = record.number;
        checking->reader.told->authors++;
    }
    *ret_author = checking->authors.items[number];
    return GOSSIP_OK;
}

static int check_run(struct checking *checking, const struct archive_run *run)
{
    struct reader stream = {run->stream.data, run->stream.size, 0, false};
    struct chain_owner owner = {checking->cluster, run->key, run->epoch};
    struct author *author;
    struct chain *chain;
    bool vouched;
    int error = find_author(checking, run, &author);

    if (error < 0)
        return error;
    chain = &author->tail;
    if (run->first != chain->seq + 1)
        return archive_fault(&checking->reader, "events %llu to %llu come after %llu",
                             (unsigned long long)run->first, (unsigned long long)run->last,
                             (unsigned long long)chain->seq);
    if (memcmp(run->previous, chain->hash, GOSSIP_HASH_SIZE) != 0)
        return archive_fault(&checking->reader, "event %llu does not follow the one before",
                             (unsigned long long)run->first);
    for (uint64_t seq = run->first; seq <= run->last; seq++) {
        uint64_t size = read_varint(&stream);
        const uint8_t *body =
            stream.failed || size > GOSSIP_BODY_MAX ? NULL : read_bytes(&stream, (size_t)size);
        struct frame frame;

        if (body == NULL || !frame_read(body, (size_t)size, &frame))
            return archive_fault(&checking->reader, "event %llu is none", (unsigned long long)seq);
        if (chain_advance(chain, checking->crypto, &owner, body, (size_t)size, &frame) &&
            seq != run->last)
            return archive_fault(&checking->reader, "event %llu must bear a seal and does not",
                                 (unsigned long long)seq);
    }
    if (stream.offset != stream.size)
        return archive_fault(&checking->reader, "there is more than events %llu to %llu",
                             (unsigned long long)run->first, (unsigned long long)run->last);
    vouched = run->seal != NULL ? seal_verify(checking->crypto, chain->hash, run->key, run->seal)
                                : cut_vouches(checking, &owner, chain, run->link);
    if (!vouched)
        return archive_fault(&checking->reader, "the seal of event %llu does not fit",
                             (unsigned long long)run->last);
    checking->reader.told->events += run->last - run->first + 1;
    return GOSSIP_OK;
}

int gossip_archive_check(gossip_archive_read *read, void *context,
                         struct gossip_archive *ret_archive)
{
    struct checking *checking = calloc(1, sizeof(*checking));
    struct archive_block block;
    int result;

    if (checking == NULL)
        return GOSSIP_ERR_NOMEM;
    checking->crypto = gossip_crypto_sodium();
    checking->cluster = ret_archive->cluster;
    result = archive_open(&checking->reader, checking->crypto, read, context, ret_archive);
    while (result >= 0 && (result = archive_next(&checking->reader, &block)) == 1)
        result = block.kind == ARCHIVE_RECORD   ? check_record(checking, &block.record)
                 : block.kind == ARCHIVE_AUTHOR ? check_author(checking, &block.run)
                                                : check_run(checking, &block.run);
    archive_close(&checking->reader);
    records_clear(&checking->records);
    authors_clear(&checking->authors);
    free(checking);
    return result;
}

/* ---- Taking in. ---- */

int import_commit(struct gossip *gossip)
{
    struct gossip_store *store = gossip->options.store;
    struct gossip_effects effects;
    int error = gossip_node_take(gossip->node, &effects);

    if (error >= 0 && effects.record_count > 0)
        error = store->ops->save(store, effects.records, effects.record_count);
    if (error >= 0)
        gossip->saved = gossip->node->stats;
    else
        gossip->failed = error; /* The node is ahead of its store, and of no more use. */
    return error;
}

int import_block(struct gossip *gossip, const struct archive_block *block, uint64_t *refused)
{
    enum gossip_verdict verdict;
    int error = gossip_node_import(gossip->node, block, &verdict);

    if (error < 0) {
        gossip->failed = error;
        return error;
    }
    if (verdict != GOSSIP_DATAGRAM_ACCEPTED && verdict != GOSSIP_DATAGRAM_DUPLICATE &&
        verdict != GOSSIP_DATAGRAM_UNASKED)
        (*refused)++;
    return gossip_node_batch_is_full(gossip->node) ? import_commit(gossip) : GOSSIP_OK;
}

static int import_blocks(struct gossip *gossip, struct archive_reader *reader,
                         struct gossip_imported *ret_imported)
{
    uint64_t before = gossip->node->delivery;
    struct gossip_imported imported = {0};
    struct archive_block block;
    int result;

    assert(gossip->options.transport == NULL);
    while ((result = archive_next(reader, &block)) == 1) {
        result = import_block(gossip, &block, &imported.refused);
        if (result < 0)
            return result;
    }
    if (result >= 0)
        result = import_commit(gossip);
    if (result < 0)
        return result;
    imported.events = gossip->node->delivery - before;
    imported.waiting = gossip->node->held.count;
    *ret_imported = imported;
    return GOSSIP_OK;
}

int gossip_import(struct gossip *gossip, gossip_archive_read *read, void *context,
                  struct gossip_archive *ret_archive, struct gossip_imported *ret_imported)
{
    struct archive_reader reader;
    int result = check_readable(gossip);

    if (result < 0)
        return result;
    result = archive_open(&reader, gossip->options.crypto, read, context, ret_archive);
    if (result >= 0 &&
        memcmp(ret_archive->cluster, gossip->node->identity->cluster, GOSSIP_KEY_SIZE) != 0)
        result = GOSSIP_ERR_FOREIGN;
    if (result >= 0)
        result = import_blocks(gossip, &reader, ret_imported);
    archive_close(&reader);
    return result;
}
