/*
 * What a node does before its first step: it takes up what the store holds, or prepares a new one,
 * and counts the boot. Start depends on the number of authors, not of events: of each author only
 * the newest event is checked against its clock; all the rest is for gossip_verify().
 */
#include "gossip/state.h"

#include <assert.h>
#include <string.h>

#include "gossip/bytes.h"
#include "gossip/cuts.h"
#include "gossip/epoch.h"
#include "gossip/witness.h"

struct loading {
    struct gossip_node *node;
    bool has_cluster;
    bool has_key;
    bool has_epoch;
    bool is_ours; /* Checked. */
    bool has_witness;
    uint8_t cluster[GOSSIP_KEY_SIZE];
    uint8_t key[GOSSIP_KEY_SIZE];
    uint8_t epoch[GOSSIP_EPOCH_SIZE];
};

static int take_bytes(const struct gossip_meta_record *meta, uint8_t *ret_bytes, size_t size,
                      bool *ret_has)
{
    if (meta->bytes == NULL || meta->size != size)
        return GOSSIP_ERR_DAMAGED;
    memcpy(ret_bytes, meta->bytes, size);
    *ret_has = true;
    return GOSSIP_OK;
}

static int load_meta(struct loading *loading, const struct gossip_meta_record *meta)
{
    struct gossip_node *node = loading->node;

    if (strcmp(meta->name, "cluster") == 0)
        return take_bytes(meta, loading->cluster, GOSSIP_KEY_SIZE, &loading->has_cluster);
    if (strcmp(meta->name, "key") == 0)
        return take_bytes(meta, loading->key, GOSSIP_KEY_SIZE, &loading->has_key);
    if (strcmp(meta->name, "epoch") == 0)
        return take_bytes(meta, loading->epoch, GOSSIP_EPOCH_SIZE, &loading->has_epoch);
    if (strcmp(meta->name, "fingerprint") == 0)
        return take_bytes(meta, node->amnesia.fingerprint, GOSSIP_HASH_SIZE,
                          &node->amnesia.has_fingerprint);
    if (strcmp(meta->name, "backup") == 0 && meta->bytes == NULL)
        node->amnesia.is_backup = meta->number != 0;
    if (strcmp(meta->name, "cloned") == 0 && meta->bytes == NULL)
        node->amnesia.is_cloned = meta->number != 0;
    if (strcmp(meta->name, "evidence") == 0 && meta->bytes == NULL)
        node->amnesia.evidence = (unsigned)meta->number;
    if (strcmp(meta->name, "boot") == 0 && meta->bytes == NULL)
        node->boot_count = meta->number;
    if (witness_is_in(meta))
        loading->has_witness = true;
    if (strcmp(meta->name, "hlc") == 0 && meta->bytes == NULL)
        node->hlc = meta->number;
    return GOSSIP_OK; /* Other names are of later versions, or of people who look after it. */
}

static int load_author(struct gossip_node *node, const struct gossip_author_record *record)
{
    uint8_t id[GOSSIP_ID_SIZE];
    int error;

    author_id(node->crypto, record->key, record->epoch, id);
    if (record->number != node->authors.count || memcmp(id, record->id, sizeof(id)) != 0 ||
        record->have > GOSSIP_COUNTER_MAX || record->floor > record->have ||
        (record->floor > 0 && node_keeps_events(node)) || /* All of them: nothing is pruned. */
        record->cut > GOSSIP_COUNTER_MAX + 1 ||
        authors_find(&node->authors, record->id) != NO_AUTHOR)
        return GOSSIP_ERR_DAMAGED;
    error = authors_add(&node->authors, record);
    if (error < 0)
        return error;
    /* Mentions are loaded one by one; until then there are none. */
    node->authors.items[record->number]->stored.mentions = 0;
    return gossip_vclock_set(&node->have, record->number, record->have);
}

static int load_mention(struct gossip_node *node, const struct gossip_mention_record *record)
{
    struct author *author;

    if (record->author >= node->authors.count || record->mentioned >= node->authors.count)
        return GOSSIP_ERR_DAMAGED;
    author = node->authors.items[record->author];
    if (record->index != author->stored.mentions + 1 ||
        author_has_mentioned(author, record->mentioned))
        return GOSSIP_ERR_DAMAGED;
    return author_mention(author, record->mentioned, node->authors.count);
}

static int load_certificate(struct gossip_node *node, const struct gossip_signed_record *record)
{
    struct certificate certificate;
    struct certificate issuer;

    if (!certificate_read(node->crypto, &node->arena, record->bytes, record->size, &certificate) ||
        memcmp(certificate.id, record->id, GOSSIP_HASH_SIZE) != 0)
        return GOSSIP_ERR_DAMAGED;
    /* Issuers may come later in the order of ids; gossip_verify() checks every signature. Here the
     * key must be fit, as everywhere, and a certificate of the cluster itself is checked. */
    if (certificate.has_issuer) {
        if (!node->crypto->key_valid(certificate.key) ||
            (greet_known_issuer(node, certificate.issuer, GOSSIP_RIGHT_ADMIT, &issuer) &&
             !certificate_verify(node->crypto, node->identity->cluster, &certificate, &issuer)))
            return GOSSIP_ERR_DAMAGED;
    } else if (!certificate_verify(node->crypto, node->identity->cluster, &certificate, NULL)) {
        return GOSSIP_ERR_DAMAGED;
    }
    return greet_add_member(node, &certificate);
}

static int load_signed(struct gossip_node *node, const struct gossip_signed_record *record)
{
    switch (record->type) {
    case GOSSIP_SIGNED_CERTIFICATE:
        return load_certificate(node, record);
    case GOSSIP_SIGNED_EVICTION:
        return cuts_load_eviction(node, record);
    case GOSSIP_SIGNED_PROOF:
        return cuts_load_proof(node, record);
    default:
        return GOSSIP_ERR_FOREIGN; /* A later version may know it. */
    }
}

/* Metas are shown before the authors that some of them are about. */
static int load_link(void *context, const struct gossip_record *record)
{
    int error;

    if (record->kind != GOSSIP_RECORD_META)
        return 1;
    error = cuts_load_link(context, &record->as.meta);
    return error < 0 ? error : witness_load(context, &record->as.meta);
}

/* What ends authors, and what is kept of it. */
static int load_cuts(struct gossip_node *node, bool has_witness)
{
    int error = cuts_check_loaded(node);
    bool is_cut = false;

    for (size_t i = 0; i < node->authors.count; i++) {
        const struct author *author = node->authors.items[i];

        if (author->proof == NULL)
            continue;
        is_cut = true;
        if (memcmp(author->stored.key, node->identity->key, GOSSIP_KEY_SIZE) == 0)
            reissue_stir(node);
    }
    if (error >= 0 && (is_cut || has_witness))
        error = node->store->ops->load(node->store, load_link, node);
    return error < 0 ? error : GOSSIP_OK;
}

static int load_peer(struct gossip_node *node, const struct gossip_peer_record *record)
{
    uint32_t number = peers_find_key(&node->peers, record->key);
    struct target *target;
    int error;

    if (number == NO_PEER || record->address.port == 0)
        return GOSSIP_ERR_DAMAGED;
    node->peers.items[number]->address = record->address;
    node->peers.items[number]->saved = record->address;
    error =
        targets_add(&node->peers, &record->address, number, node->now_ms, node->period_ms, &target);
    if (error == GOSSIP_OK)
        target->kept = true;
    return error == GOSSIP_ERR_LIMIT ? GOSSIP_OK : error;
}

/* Whose store it is stands in its first records, before anything that could contradict it. */
static int check_owner(const struct loading *loading)
{
    const struct gossip_identity *identity = loading->node->identity;

    if (!loading->has_cluster || !loading->has_key || !loading->has_epoch)
        return GOSSIP_ERR_DAMAGED;
    if (memcmp(loading->cluster, identity->cluster, GOSSIP_KEY_SIZE) != 0 ||
        memcmp(loading->key, identity->key, GOSSIP_KEY_SIZE) != 0)
        return GOSSIP_ERR_FOREIGN;
    return GOSSIP_OK;
}

static int load_record(void *context, const struct gossip_record *record)
{
    struct loading *loading = context;
    struct gossip_node *node = loading->node;
    int error;

    if (record->kind != GOSSIP_RECORD_META && !loading->is_ours) {
        error = check_owner(loading);
        if (error < 0)
            return error;
        loading->is_ours = true;
    }

    switch (record->kind) {
    case GOSSIP_RECORD_META:
        return load_meta(loading, &record->as.meta);
    case GOSSIP_RECORD_AUTHOR:
        return load_author(node, &record->as.author);
    case GOSSIP_RECORD_MENTION:
        return load_mention(node, &record->as.mention);
    case GOSSIP_RECORD_SIGNED:
        return load_signed(node, &record->as.signed_record);
    case GOSSIP_RECORD_PEER:
        return load_peer(node, &record->as.peer);
    case GOSSIP_RECORD_EVENT:
        break;
    }
    return GOSSIP_ERR_DAMAGED;
}

struct head_check {
    struct gossip_node *node;
    struct author *author;
};

static int check_head(void *context, const struct gossip_record *record)
{
    struct head_check *check = context;
    struct author *author = check->author;
    const struct gossip_event_record *event = &record->as.event;

    if (event->author != author->stored.number || event->seq != author->stored.have ||
        memcmp(event->hash, author->stored.head_hash, GOSSIP_HASH_SIZE) != 0)
        return GOSSIP_ERR_DAMAGED;
    author->head_sealed = event->seal != NULL;
    /* The newest delivery is somebody's newest event. */
    if (check->node->delivery < event->delivery)
        check->node->delivery = event->delivery;
    return 1;
}

/* Of an author whose events are not kept there is only the row. */
static int check_floor(struct gossip_node *node, struct author *author)
{
    if (author->stored.floor != author->stored.have)
        return GOSSIP_ERR_DAMAGED;
    author->head_sealed = true;
    node->delivery += author->stored.have;
    return GOSSIP_OK;
}

/* Each author's newest event and mentions against its row. */
static int check_heads(struct gossip_node *node)
{
    for (size_t i = 0; i < node->authors.count; i++) {
        struct author *author = node->authors.items[i];
        struct head_check check = {node, author};
        int found = GOSSIP_OK;

        if (author->stored.mentions != author->tail.mentions)
            return GOSSIP_ERR_DAMAGED;
        if (!node_keeps_events(node))
            found = check_floor(node, author);
        if (found < 0)
            return found;
        if (author->stored.have == 0 || !node_keeps_events(node))
            continue;
        found = node->store->ops->read(node->store, (uint32_t)i, author->stored.have,
                                       GOSSIP_COUNTER_MAX, check_head, &check);
        if (found < 0)
            return found;
        if (found == 0)
            return GOSSIP_ERR_DAMAGED;
    }
    return GOSSIP_OK;
}

static int save_meta(struct gossip_node *node, const char *name, const uint8_t *bytes, size_t size,
                     uint64_t number)
{
    struct gossip_record record = {.kind = GOSSIP_RECORD_META};

    record.as.meta.name = name;
    record.as.meta.number = number;
    if (bytes != NULL) {
        record.as.meta.bytes = arena_copy(&node->batch.arena, bytes, size);
        record.as.meta.size = size;
        if (record.as.meta.bytes == NULL)
            return GOSSIP_ERR_NOMEM;
    }
    return batch_save(&node->batch, &record);
}

/* Makes the empty store that of this node, with an epoch that nobody ever had. */
static int prepare(struct gossip_node *node, struct loading *loading)
{
    const struct gossip_identity *identity = node->identity;
    struct gossip_author_record author = {.number = 0};
    int error;

    epoch_mint(node, loading->epoch);
    error = save_meta(node, "cluster", identity->cluster, GOSSIP_KEY_SIZE, 0);
    if (error >= 0)
        error = save_meta(node, "key", identity->key, GOSSIP_KEY_SIZE, 0);
    if (error >= 0)
        error = save_meta(node, "epoch", loading->epoch, GOSSIP_EPOCH_SIZE, 0);
    if (error < 0)
        return error;
    memcpy(author.key, identity->key, GOSSIP_KEY_SIZE);
    memcpy(author.epoch, loading->epoch, GOSSIP_EPOCH_SIZE);
    author_id(node->crypto, author.key, author.epoch, author.id);
    error = authors_add(&node->authors, &author);
    if (error < 0)
        return error;
    node->authors.items[0]->dirty = true;
    return GOSSIP_OK;
}

/* Our own certificates belong to the set that is passed on, as everybody's do. */
static int add_own_certificates(struct gossip_node *node)
{
    const struct gossip_identity *identity = node->identity;
    const struct certificate *certificates[2] = {
        identity->has_issuer ? &identity->issuer : &identity->certificate, &identity->certificate};

    for (size_t i = 0; i < 2; i++) {
        struct gossip_record record = {.kind = GOSSIP_RECORD_SIGNED};
        int error;

        if (records_find(&node->records, certificates[i]->id) != NULL)
            continue;
        record.as.signed_record.type = GOSSIP_SIGNED_CERTIFICATE;
        memcpy(record.as.signed_record.id, certificates[i]->id, GOSSIP_HASH_SIZE);
        record.as.signed_record.bytes = certificates[i]->bytes;
        record.as.signed_record.size = certificates[i]->size;
        error = batch_save(&node->batch, &record);
        if (error >= 0)
            error = greet_add_member(node, certificates[i]);
        if (error < 0)
            return error;
    }
    return GOSSIP_OK;
}

static int find_self(struct gossip_node *node, const struct loading *loading)
{
    uint8_t id[GOSSIP_ID_SIZE];

    author_id(node->crypto, node->identity->key, loading->epoch, id);
    node->self = authors_find(&node->authors, id);
    return node->self == NO_AUTHOR ? GOSSIP_ERR_DAMAGED : GOSSIP_OK;
}

static int reseal(void *context, const struct gossip_record *record)
{
    struct gossip_node *node = context;
    struct gossip_record sealed = *record;
    uint8_t seal[GOSSIP_SIGNATURE_SIZE];

    if (record->as.event.is_damaged)
        return GOSSIP_ERR_DAMAGED;
    seal_sign(node->crypto, record->as.event.hash, node->identity->secret, seal);
    sealed.as.event.body =
        arena_copy(&node->batch.arena, record->as.event.body, record->as.event.body_size);
    sealed.as.event.seal = arena_copy(&node->batch.arena, seal, sizeof(seal));
    if (sealed.as.event.body == NULL || sealed.as.event.seal == NULL)
        return GOSSIP_ERR_NOMEM;
    if (record->as.event.context != NULL) {
        sealed.as.event.context =
            arena_copy(&node->batch.arena, record->as.event.context, record->as.event.context_size);
        if (sealed.as.event.context == NULL)
            return GOSSIP_ERR_NOMEM;
    }
    node->authors.items[node->self]->head_sealed = true;
    return batch_save(&node->batch, &sealed);
}

/* A tail of our own that was committed without a seal cannot be served: it gets one now. */
static int seal_own_tail(struct gossip_node *node)
{
    const struct author *self = node->authors.items[node->self];

    if (self->stored.have == 0 || self->head_sealed)
        return GOSSIP_OK;
    return node->store->ops->read(node->store, node->self, self->stored.have, self->stored.have,
                                  reseal, node);
}

int start_load(struct gossip_node *node, const struct gossip_node_config *config)
{
    struct loading loading = {.node = node};
    bool is_new;
    int error = node->store->ops->load(node->store, load_record, &loading);

    if (error < 0)
        return error;
    is_new = !loading.has_cluster && !loading.has_key && node->authors.count == 0;
    if (is_new) {
        error = prepare(node, &loading);
        if (error < 0)
            return error;
    } else {
        error = check_owner(&loading);
        if (error < 0)
            return error;
        error = check_heads(node);
        if (error >= 0)
            error = load_cuts(node, loading.has_witness);
        if (error < 0)
            return error;
    }
    records_hash(&node->records, node->crypto, node->set);
    error = add_own_certificates(node);
    if (error >= 0)
        error = find_self(node, &loading);
    if (error >= 0)
        error = seal_own_tail(node);
    if (error >= 0)
        error = amnesia_start(node, config, is_new);
    if (error < 0)
        return error;
    node->saved_hlc = node->hlc;
    if (config->boot_count > 0)
        node->boot_count = config->boot_count;
    else if (!config->is_offline)
        node->boot_count++;
    node->stats.boot = node->boot_count;
    if (config->boot_count > 0 || config->is_offline)
        return GOSSIP_OK;
    return save_meta(node, "boot", NULL, 0, node->boot_count);
}
