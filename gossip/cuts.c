/*
 * Cuts: from which seq on an author's events do not count, because it gave one dot two contents (a
 * proof) or because its key was evicted. The least that any record in hand tells is the cut, so
 * that any order of arrival gives the same. Below it all goes on as ever.
 */
#include "gossip/cuts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/branch.h"
#include "gossip/bytes.h"
#include "gossip/eviction.h"
#include "gossip/witness.h"
#include "gossip/museum.h"

/* ---- What records tell. ---- */

static bool read_eviction(const struct gossip_node *node, const struct signed_record *record,
                          struct eviction *ret_eviction)
{
    struct wire_arena arena;

    return record->type == GOSSIP_SIGNED_EVICTION &&
           eviction_read(node->crypto, &arena, record->bytes, record->size, ret_eviction);
}

/* The eviction that cuts an author of key and epoch first, and where; NULL where none does. */
static const struct signed_record *find_eviction(const struct gossip_node *node, const uint8_t *key,
                                                 const uint8_t *epoch, uint64_t *ret_cut)
{
    const struct signed_record *found = NULL;
    uint64_t least = 0;

    for (size_t i = 0; i < node->records.count; i++) {
        struct eviction eviction;
        uint64_t cut;

        if (!read_eviction(node, node->records.items[i], &eviction) ||
            memcmp(eviction.key, key, GOSSIP_KEY_SIZE) != 0)
            continue;
        cut = eviction_cut(&eviction, epoch);
        if (found == NULL || cut < least) {
            found = node->records.items[i];
            least = cut;
        }
    }
    *ret_cut = least;
    return found;
}

uint64_t cuts_of_key(const struct gossip_node *node, const uint8_t key[GOSSIP_KEY_SIZE],
                     const uint8_t epoch[GOSSIP_EPOCH_SIZE])
{
    uint64_t cut;

    find_eviction(node, key, epoch, &cut);
    return cut;
}

bool cuts_key_is_evicted(const struct gossip_node *node, const uint8_t key[GOSSIP_KEY_SIZE])
{
    static const uint8_t epoch[GOSSIP_EPOCH_SIZE];
    uint64_t cut;

    return find_eviction(node, key, epoch, &cut) != NULL;
}

const struct signed_record *cuts_record(const struct gossip_node *node, const struct author *author)
{
    uint64_t cut;

    if (author->stored.cut == 0)
        return NULL;
    return author->proof != NULL
               ? author->proof
               : find_eviction(node, author->stored.key, author->stored.epoch, &cut);
}

static bool read_proof(const struct gossip_node *node, const struct signed_record *record,
                       struct proof *ret_proof)
{
    struct wire_arena arena;

    return proof_read(node->crypto, &arena, record->bytes, record->size, ret_proof);
}

/* Whether hash is that of the last event which counts, as an eviction names it. */
static bool eviction_vouches(const struct gossip_node *node, const struct author *author,
                             const uint8_t *hash)
{
    uint64_t cut;
    const struct signed_record *record =
        find_eviction(node, author->stored.key, author->stored.epoch, &cut);
    struct eviction eviction;

    if (record == NULL || !read_eviction(node, record, &eviction))
        return false;
    for (size_t i = 0; i < eviction.last_count; i++) {
        if (memcmp(eviction.last[i].epoch, author->stored.epoch, GOSSIP_EPOCH_SIZE) == 0)
            return memcmp(eviction.last[i].hash, hash, GOSSIP_HASH_SIZE) == 0;
    }
    return false;
}

bool cuts_vouch(const struct gossip_node *node, const struct author *author,
                const uint8_t hash[GOSSIP_HASH_SIZE], const uint8_t *link)
{
    struct chain_owner owner = {node->identity->cluster, author->stored.key, author->stored.epoch};
    uint8_t next[GOSSIP_HASH_SIZE];
    struct proof proof;

    if (author->stored.cut == 0)
        return false;
    if (author->proof == NULL)
        return eviction_vouches(node, author, hash);
    if (!read_proof(node, author->proof, &proof))
        return false;
    if (memcmp(proof.a.previous, proof.b.previous, GOSSIP_HASH_SIZE) == 0)
        return memcmp(proof.a.previous, hash, GOSSIP_HASH_SIZE) == 0;
    /* The two disagree already about the event at the cut, and show its hashes: one step more. */
    if (link == NULL)
        return false;
    event_hash(node->crypto, &owner, author->stored.cut, hash, (uint32_t)get_fixed(link, 4),
               link + 4, next);
    return memcmp(proof.a.previous, next, GOSSIP_HASH_SIZE) == 0 ||
           memcmp(proof.b.previous, next, GOSSIP_HASH_SIZE) == 0;
}

int cuts_link(struct gossip_node *node, uint32_t number, uint8_t ret_link[WIRE_LINK_SIZE])
{
    const struct author *author = node->authors.items[number];

    if (author->has_cut_link) {
        memcpy(ret_link, author->cut_link, WIRE_LINK_SIZE);
        return 1;
    }
    return branch_link(node, number, author->stored.cut, ret_link);
}

/* ---- Cutting. ---- */

static int forget_record(struct gossip_node *node, const struct signed_record *signed_record)
{
    struct gossip_record record = {.kind = GOSSIP_RECORD_SIGNED};

    record.as.signed_record.type = signed_record->type;
    memcpy(record.as.signed_record.id, signed_record->id, GOSSIP_HASH_SIZE);
    return batch_save(&node->batch, &record);
}

static int save_record(struct gossip_node *node, const struct signed_record *signed_record)
{
    struct gossip_record record = {.kind = GOSSIP_RECORD_SIGNED};

    record.as.signed_record.type = signed_record->type;
    memcpy(record.as.signed_record.id, signed_record->id, GOSSIP_HASH_SIZE);
    record.as.signed_record.bytes =
        arena_copy(&node->batch.arena, signed_record->bytes, signed_record->size);
    record.as.signed_record.size = signed_record->size;
    if (record.as.signed_record.bytes == NULL)
        return GOSSIP_ERR_NOMEM;
    return batch_save(&node->batch, &record);
}

/* Whoever waited for a dot behind the cut waits for less now. */
static void lower_waits(struct gossip_node *node, const struct author *author)
{
    for (size_t i = 0; i < node->authors.count; i++) {
        struct author *other = node->authors.items[i];

        if (other->blocked && other->waits_seq >= author->stored.cut &&
            memcmp(other->waits_id, author->stored.id, GOSSIP_ID_SIZE) == 0)
            other->waits_seq = author->stored.cut - 1;
    }
}

/* The hash of the last event that counts, as what has made the cut shows it; false where it does
 * not: of a pair that disagrees about the event at the cut only that one's hashes are known. */
static bool hash_before_cut(const struct gossip_node *node, const struct author *author,
                            uint8_t ret_hash[GOSSIP_HASH_SIZE])
{
    uint64_t cut;
    const struct signed_record *record;
    struct eviction eviction;
    struct proof proof;

    memset(ret_hash, 0, GOSSIP_HASH_SIZE);
    if (author->stored.cut == 1)
        return true;
    if (author->proof != NULL) {
        if (!read_proof(node, author->proof, &proof) ||
            memcmp(proof.a.previous, proof.b.previous, GOSSIP_HASH_SIZE) != 0)
            return false;
        memcpy(ret_hash, proof.a.previous, GOSSIP_HASH_SIZE);
        return true;
    }
    record = find_eviction(node, author->stored.key, author->stored.epoch, &cut);
    if (record == NULL || !read_eviction(node, record, &eviction))
        return false;
    for (size_t i = 0; i < eviction.last_count; i++) {
        if (memcmp(eviction.last[i].epoch, author->stored.epoch, GOSSIP_EPOCH_SIZE) != 0)
            continue;
        memcpy(ret_hash, eviction.last[i].hash, GOSSIP_HASH_SIZE);
        return true;
    }
    return false;
}

/* A cut below the floor takes the floor down with it: of what lies behind there is nothing to show,
 * and the hash of what is left stands in the record. Where it does not, this author's entry in our
 * digests will not be that of others. */
static int lower_floor(struct gossip_node *node, struct author *author)
{
    hash_before_cut(node, author, author->cut_hash);
    author->stored.have = author->stored.cut - 1;
    author->stored.floor = author->stored.have;
    memcpy(author->stored.head_hash, author->cut_hash, GOSSIP_HASH_SIZE);
    author->tail = author_stored_chain(author); /* Nothing will be appended to it. */
    author->dirty = true;
    return gossip_vclock_set(&node->have, author->stored.number, author->stored.have);
}

/* Brings what is kept of an author in line with its cut. */
static int settle(struct gossip_node *node, struct author *author)
{
    uint64_t cut = author->stored.cut;
    int result;

    author->leaf_fits = false;
    node->trie_fits = false;
    if (author->tail.seq >= cut && author->stored.have < cut) {
        struct proof_branch branch;

        /* What bears the seal is let go of. */
        result = branch_find(node, author->stored.number, cut, &branch);
        if (result > 0)
            result = witness_note(node, author, cut, &branch);
        if (result < 0)
            return result;
    }
    while (author->held_last != NULL && author->held_last->chain.seq >= cut)
        held_drop_last(&node->held, author);
    if (author->stored.have < cut)
        return GOSSIP_OK;
    if (cut <= author->stored.floor)
        return lower_floor(node, author);
    result = branch_hash(node, author->stored.number, cut - 1, author->cut_hash);
    if (result <= 0)
        return result < 0 ? result : GOSSIP_ERR_DAMAGED;
    return gossip_vclock_set(&node->have, author->stored.number, cut - 1);
}

/* Moves the cut of an author down to cut. proof, unless NULL, has made it and becomes the
 * author's. */
static int cut_author(struct gossip_node *node, struct author *author, uint64_t cut,
                      struct signed_record *proof)
{
    uint64_t contested = author->stored.have - author_have(author);
    int error = GOSSIP_OK;

    assert(cut >= 1 && (author->stored.cut == 0 || cut <= author->stored.cut));
    if (author->proof != NULL) {
        error = forget_record(node, author->proof);
        free(author->proof);
        author->proof = NULL;
    }
    author->proof = proof;
    if (error >= 0 && proof != NULL)
        error = save_record(node, proof);
    author->stored.cut = cut;
    author->is_void = cut == 1 && proof == NULL;
    author->dirty = true;
    author->has_cut_link = false;
    if (error >= 0)
        error = settle(node, author);
    if (error < 0)
        return error;
    author->asked_until = 0;
    if (proof != NULL && memcmp(author->stored.key, node->identity->key, GOSSIP_KEY_SIZE) == 0) {
        node->reissue.has_issued = false; /* What was written again may have lost its place. */
        reissue_stir(node);
    }
    node->stats.contested += author->stored.have - author_have(author) - contested;
    lower_waits(node, author);
    error = node_notice(node, GOSSIP_NOTICE_CUT, peers_find_key(&node->peers, author->stored.key),
                        (struct gossip_dot){author->stored.number, cut}, proof != NULL);
    if (error < 0)
        return error;
    node_wake(node);
    return deliver_waiting(node, author->stored.number);
}

int cuts_review(struct gossip_node *node, uint32_t number)
{
    struct author *author = node->authors.items[number];
    uint64_t cut = cuts_of_key(node, author->stored.key, author->stored.epoch);

    /* An eviction that says the same stands for the proof: it is in everybody's set. */
    if (cut == 0 ||
        (author->stored.cut != 0 &&
         (cut > author->stored.cut || (cut == author->stored.cut && author->proof == NULL))))
        return GOSSIP_OK;
    return cut_author(node, author, cut, NULL);
}

/* ---- Taking in. ---- */

int cuts_add_author(struct gossip_node *node, const uint8_t key[GOSSIP_KEY_SIZE],
                    const uint8_t epoch[GOSSIP_EPOCH_SIZE], uint32_t *ret_author)
{
    struct gossip_author_record record = {.number = (uint32_t)node->authors.count};
    int error;

    memcpy(record.key, key, GOSSIP_KEY_SIZE);
    memcpy(record.epoch, epoch, GOSSIP_EPOCH_SIZE);
    author_id(node->crypto, key, epoch, record.id);
    error = authors_add(&node->authors, &record);
    if (error < 0)
        return error;
    node->authors.items[record.number]->dirty = true;
    *ret_author = record.number;
    return cuts_review(node, record.number);
}

/* Whether all of an author that counts is here, held back or delivered. */
static bool is_complete(const struct author *author)
{
    return author->tail.seq + 1 >= author->stored.cut;
}

/* The cut that a proof tells of, if it proves anything: as proof_verify(). */
static uint64_t cut_told(const struct proof *proof)
{
    return memcmp(proof->a.previous, proof->b.previous, GOSSIP_HASH_SIZE) == 0 ? proof->seq
                                                                               : proof->seq - 1;
}

/* Whether a proof of the cut that there is already could stand for a seal that ours cannot: ours
 * shows other branches than the one whose last event that counts is still to come. One that shows
 * the hash of that event itself is as good as any. */
static bool may_vouch_better(const struct gossip_node *node, const struct author *author,
                             const struct proof *proof)
{
    struct proof kept;

    return author->proof != NULL && author->stored.cut == cut_told(proof) && !is_complete(author) &&
           memcmp(author->proof->id, proof->id, GOSSIP_HASH_SIZE) != 0 &&
           read_proof(node, author->proof, &kept) && kept.seq != author->stored.cut;
}

/* Keeps another proof of the same cut. Which two branches it shows is nobody's affair. */
static int exchange_proof(struct gossip_node *node, struct author *author,
                          struct signed_record *proof)
{
    int error = forget_record(node, author->proof);

    free(author->proof);
    author->proof = proof;
    author->has_cut_link = false;
    author->asked_until = 0;
    return error < 0 ? error : save_record(node, proof);
}

static struct signed_record *copy_record(const uint8_t *bytes, size_t size, uint8_t type,
                                         const uint8_t *id)
{
    struct signed_record *record = malloc(sizeof(*record) + size);

    if (record == NULL)
        return NULL;
    memcpy(record->id, id, GOSSIP_HASH_SIZE);
    record->type = type;
    record->size = size;
    memcpy(record->bytes, bytes, size);
    return record;
}

enum gossip_verdict cuts_take_proof(struct gossip_node *node, const struct proof *proof,
                                    int *ret_error)
{
    struct signed_record *record;
    struct author *author;
    uint8_t id[GOSSIP_ID_SIZE];
    uint32_t number;
    uint64_t cut;
    bool is_better;

    author_id(node->crypto, proof->key, proof->epoch, id);
    number = authors_find(&node->authors, id);
    author = number == NO_AUTHOR ? NULL : node->authors.items[number];
    is_better = author != NULL && may_vouch_better(node, author, proof);
    /* Cheaper than two signatures; and what proves no more than is known is of no use. */
    if (author != NULL && author->stored.cut != 0 && author->stored.cut <= cut_told(proof) &&
        !is_better)
        return GOSSIP_DATAGRAM_DUPLICATE;
    if (!proof_verify(node->crypto, node->identity->cluster, proof, &cut))
        return GOSSIP_DATAGRAM_FORGED;
    if (node->read_only || greet_certificate(node, proof->key) == NULL)
        return GOSSIP_DATAGRAM_NO_ROOM; /* Asked for again; certificates come by themselves. */
    if (number == NO_AUTHOR) {
        *ret_error = cuts_add_author(node, proof->key, proof->epoch, &number);
        if (*ret_error < 0)
            return GOSSIP_DATAGRAM_NO_ROOM;
    }
    author = node->authors.items[number];
    if (author->stored.cut != 0 && author->stored.cut <= cut && !is_better)
        return GOSSIP_DATAGRAM_DUPLICATE; /* Its key is evicted. */
    if (MUSEUM(STAND_STILL)) {
        author->refused = author->tail.seq + 1;
        return GOSSIP_DATAGRAM_ACCEPTED;
    }
    if (MUSEUM(FIRST_COMES) && author->stored.cut != 0)
        return GOSSIP_DATAGRAM_DUPLICATE;
    record = copy_record(proof->bytes, proof->size, GOSSIP_SIGNED_PROOF, proof->id);
    if (record == NULL) {
        *ret_error = GOSSIP_ERR_NOMEM;
        return GOSSIP_DATAGRAM_NO_ROOM;
    }
    if (is_better) {
        *ret_error = exchange_proof(node, author, record);
        return GOSSIP_DATAGRAM_ACCEPTED;
    }
    node->stats.forks_proven++;
    runs_remove_until(&node->runs, author->stored.id, UINT64_MAX);
    *ret_error = cut_author(node, author, cut, record);
    return GOSSIP_DATAGRAM_ACCEPTED;
}

enum gossip_verdict cuts_take_eviction(struct gossip_node *node, struct wire_bytes bytes,
                                       int *ret_error)
{
    const struct signed_record *record;
    struct wire_arena arena; /* The bytes may be lent from the node's own. */
    struct eviction eviction;
    struct certificate issuer;
    bool has_issuer = false;

    if (!eviction_read(node->crypto, &arena, bytes.data, bytes.size, &eviction))
        return GOSSIP_DATAGRAM_MALFORMED;
    if (records_find(&node->records, eviction.id) != NULL)
        return GOSSIP_DATAGRAM_DUPLICATE;
    if (eviction.has_issuer) {
        has_issuer = greet_known_issuer(node, eviction.issuer, GOSSIP_RIGHT_EVICT, &issuer);
        if (!has_issuer)
            return GOSSIP_DATAGRAM_NO_ROOM; /* Asked for again, when the issuer is known. */
    }
    if (!eviction_verify(node->crypto, node->identity->cluster, &eviction,
                         has_issuer ? &issuer : NULL))
        return GOSSIP_DATAGRAM_FORGED;
    if (node->read_only)
        return GOSSIP_DATAGRAM_NO_ROOM;
    if (MUSEUM(FIRST_COMES) && museum_is_cut(node, eviction.key))
        return GOSSIP_DATAGRAM_DUPLICATE;
    *ret_error = records_add(&node->records, node->crypto, eviction.bytes, eviction.size, &record);
    if (*ret_error >= 0)
        *ret_error = save_record(node, record);
    records_hash(&node->records, node->crypto, node->set);
    for (uint32_t i = 0; i < node->authors.count && *ret_error >= 0; i++) {
        const struct author *author = node->authors.items[i];

        if (memcmp(author->stored.key, eviction.key, GOSSIP_KEY_SIZE) != 0)
            continue;
        runs_remove_until(&node->runs, author->stored.id, UINT64_MAX);
        *ret_error = cuts_review(node, i);
    }
    node_wake(node);
    return GOSSIP_DATAGRAM_ACCEPTED;
}

bool cuts_is_waited_for(const struct gossip_node *node, const uint8_t id[GOSSIP_ID_SIZE])
{
    for (size_t i = 0; i < node->authors.count; i++) {
        const struct author *author = node->authors.items[i];

        if (author->blocked && memcmp(author->waits_id, id, GOSSIP_ID_SIZE) == 0)
            return true;
    }
    return false;
}

enum gossip_verdict cuts_take_introduction(struct gossip_node *node,
                                           const struct wire_introduction *introduction,
                                           int *ret_error)
{
    uint8_t id[GOSSIP_ID_SIZE];
    uint32_t number;

    author_id(node->crypto, introduction->key, introduction->epoch, id);
    if (authors_find(&node->authors, id) != NO_AUTHOR)
        return GOSSIP_DATAGRAM_DUPLICATE;
    /* An author from which nothing will come is worth a row only where it keeps others waiting; of
     * one that is not cut at 1, events tell. */
    if (!cuts_is_waited_for(node, id))
        return GOSSIP_DATAGRAM_UNASKED;
    if (cuts_of_key(node, introduction->key, introduction->epoch) != 1 || node->read_only ||
        greet_certificate(node, introduction->key) == NULL)
        return GOSSIP_DATAGRAM_NO_ROOM; /* Until the eviction is here. */
    *ret_error = cuts_add_author(node, introduction->key, introduction->epoch, &number);
    return GOSSIP_DATAGRAM_ACCEPTED;
}

static const char link_prefix[] = "link ";

void cuts_link_name(const uint8_t id[GOSSIP_ID_SIZE], char ret_name[CUT_LINK_NAME_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    char *end = ret_name + sizeof(link_prefix) - 1;

    memcpy(ret_name, link_prefix, sizeof(link_prefix) - 1);
    for (size_t i = 0; i < GOSSIP_ID_SIZE; i++) {
        *end++ = digits[id[i] >> 4];
        *end++ = digits[id[i] & 15];
    }
    *end = '\0';
}

int cuts_keep_link(struct gossip_node *node, struct author *author,
                   const uint8_t link[WIRE_LINK_SIZE])
{
    struct gossip_record record = {.kind = GOSSIP_RECORD_META};
    char name[CUT_LINK_NAME_SIZE];
    uint8_t value[CUT_LINK_VALUE_SIZE];

    cuts_link_name(author->stored.id, name);
    put_fixed(value, author->stored.cut, 8);
    memcpy(value + 8, link, WIRE_LINK_SIZE);
    record.as.meta.name =
        (const char *)arena_copy(&node->batch.arena, (const uint8_t *)name, sizeof(name));
    record.as.meta.bytes = arena_copy(&node->batch.arena, value, sizeof(value));
    record.as.meta.size = sizeof(value);
    if (record.as.meta.name == NULL || record.as.meta.bytes == NULL)
        return GOSSIP_ERR_NOMEM;
    memcpy(author->cut_link, link, WIRE_LINK_SIZE);
    author->has_cut_link = true;
    return batch_save(&node->batch, &record);
}

/* ---- Starting. ---- */

int cuts_load_link(struct gossip_node *node, const struct gossip_meta_record *meta)
{
    if (strncmp(meta->name, link_prefix, sizeof(link_prefix) - 1) != 0)
        return GOSSIP_OK;
    for (size_t i = 0; i < node->authors.count; i++) {
        struct author *author = node->authors.items[i];
        char name[CUT_LINK_NAME_SIZE];

        cuts_link_name(author->stored.id, name);
        if (strcmp(meta->name, name) != 0)
            continue;
        if (meta->bytes == NULL || meta->size != CUT_LINK_VALUE_SIZE)
            return GOSSIP_ERR_DAMAGED;
        /* That of a cut which has moved since is of no use. */
        if (get_fixed(meta->bytes, 8) == author->stored.cut) {
            memcpy(author->cut_link, meta->bytes + 8, WIRE_LINK_SIZE);
            author->has_cut_link = true;
        }
        return GOSSIP_OK;
    }
    return GOSSIP_ERR_DAMAGED;
}

int cuts_load_proof(struct gossip_node *node, const struct gossip_signed_record *signed_record)
{
    uint8_t id[GOSSIP_ID_SIZE];
    struct author *author;
    struct proof proof;
    uint32_t number;
    uint64_t cut;

    if (!proof_read(node->crypto, &node->arena, signed_record->bytes, signed_record->size,
                    &proof) ||
        memcmp(proof.id, signed_record->id, GOSSIP_HASH_SIZE) != 0 ||
        !proof_verify(node->crypto, node->identity->cluster, &proof, &cut))
        return GOSSIP_ERR_DAMAGED;
    author_id(node->crypto, proof.key, proof.epoch, id);
    number = authors_find(&node->authors, id);
    if (number == NO_AUTHOR)
        return GOSSIP_ERR_DAMAGED;
    author = node->authors.items[number];
    if (author->proof != NULL || author->stored.cut != cut)
        return GOSSIP_ERR_DAMAGED;
    author->proof = copy_record(proof.bytes, proof.size, GOSSIP_SIGNED_PROOF, proof.id);
    return author->proof == NULL ? GOSSIP_ERR_NOMEM : GOSSIP_OK;
}

int cuts_load_eviction(struct gossip_node *node, const struct gossip_signed_record *signed_record)
{
    const struct signed_record *record;
    struct eviction eviction;

    if (!eviction_read(node->crypto, &node->arena, signed_record->bytes, signed_record->size,
                       &eviction) ||
        memcmp(eviction.id, signed_record->id, GOSSIP_HASH_SIZE) != 0 ||
        records_find(&node->records, eviction.id) != NULL)
        return GOSSIP_ERR_DAMAGED;
    return records_add(&node->records, node->crypto, eviction.bytes, eviction.size, &record);
}

int cuts_check_loaded(struct gossip_node *node)
{
    for (size_t i = 0; i < node->records.count; i++) {
        struct eviction eviction;
        struct certificate issuer;

        if (!read_eviction(node, node->records.items[i], &eviction))
            continue;
        if (eviction.has_issuer &&
            !greet_known_issuer(node, eviction.issuer, GOSSIP_RIGHT_EVICT, &issuer))
            return GOSSIP_ERR_DAMAGED;
        if (!eviction_verify(node->crypto, node->identity->cluster, &eviction,
                             eviction.has_issuer ? &issuer : NULL))
            return GOSSIP_ERR_DAMAGED;
    }
    for (size_t i = 0; i < node->authors.count; i++) {
        struct author *author = node->authors.items[i];
        uint64_t evicted = cuts_of_key(node, author->stored.key, author->stored.epoch);
        int error;

        /* A proof is there exactly where it tells more than evictions do. */
        if (author->proof != NULL ? evicted != 0 && evicted <= author->stored.cut
                                  : evicted != author->stored.cut)
            return GOSSIP_ERR_DAMAGED;
        if (author->stored.cut == 0)
            continue;
        author->is_void = author->stored.cut == 1 && author->proof == NULL;
        error = settle(node, author);
        if (error < 0)
            return error;
        node->stats.contested += author->stored.have - author_have(author);
    }
    return GOSSIP_OK;
}
