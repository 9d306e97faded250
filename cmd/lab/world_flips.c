/*
 * Bits of a node's files that are wrong when it starts, and the person who looks after it: as soon
 * as the store refuses, or `gossip verify` finds fault with it, it is rebuilt of what can be
 * verified, as `gossip recover` does. Where nothing is found the node runs on with what it has.
 *
 * All of that is done on copies of the disk, so that faults which wait on it are not used up.
 */
#include "cmd/lab/world_state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/identity.h"
#include "gossip/wire.h"

enum { EXPLANATION_MAX = 256 };

/* ---- Copies of a disk. ---- */

static struct virtual_disk *copy_disk(const struct virtual_disk *disk)
{
    struct virtual_disk_image *image = virtual_disk_copy(disk, false);
    struct virtual_disk *copy = virtual_disk_create(1);

    if (image == NULL || copy == NULL || !virtual_disk_restore(copy, image))
        abort();
    virtual_disk_image_destroy(image);
    return copy;
}

static int digest_record(void *context, const struct gossip_record *record)
{
    struct trace *trace = context;

    trace_number(trace, record->kind);
    switch (record->kind) {
    case GOSSIP_RECORD_META:
        trace_bytes(trace, record->as.meta.name, strlen(record->as.meta.name));
        trace_number(trace, record->as.meta.number);
        trace_bytes(trace, record->as.meta.bytes, record->as.meta.size);
        break;
    case GOSSIP_RECORD_AUTHOR:
        trace_bytes(trace, record->as.author.id, GOSSIP_ID_SIZE);
        trace_number(trace, record->as.author.have);
        trace_number(trace, record->as.author.cut);
        break;
    case GOSSIP_RECORD_MENTION:
        trace_number(trace, record->as.mention.author);
        trace_number(trace, record->as.mention.mentioned);
        break;
    case GOSSIP_RECORD_EVENT:
        trace_number(trace, record->as.event.delivery);
        trace_bytes(trace, record->as.event.hash, GOSSIP_HASH_SIZE);
        break;
    case GOSSIP_RECORD_SIGNED:
        trace_bytes(trace, record->as.signed_record.id, GOSSIP_HASH_SIZE);
        break;
    case GOSSIP_RECORD_PEER:
        trace_bytes(trace, record->as.peer.key, GOSSIP_KEY_SIZE);
        trace_number(trace, record->as.peer.address.port);
        break;
    }
    return GOSSIP_OK;
}

/* What a store on this disk holds, as one number; 0 where it cannot be read. */
static uint64_t digest_of(const struct virtual_disk *disk)
{
    struct virtual_disk *copy = copy_disk(disk);
    struct trace trace = {1};
    struct gossip_store *store;
    int error =
        virtual_disk_open_store(copy, WORLD_STORE_NAME, GOSSIP_SQLITE_OPEN, NULL, 0, &store);

    if (error >= 0) {
        error = store->ops->load(store, digest_record, &trace);
        if (error >= 0)
            error = store->ops->follow(store, 0, digest_record, &trace);
        store->ops->close(store);
    }
    virtual_disk_destroy(copy);
    return error < 0 ? 0 : trace.hash;
}

/* ---- The bits. ---- */

/* The file most of the bits of which mean something, or one that stands beside it. */
static const char *draw_file(struct splitmix *lots)
{
    static const char *const names[] = {WORLD_STORE_NAME,        WORLD_STORE_NAME,
                                        WORLD_STORE_NAME,        WORLD_STORE_NAME "-wal",
                                        WORLD_STORE_NAME "-wal", WORLD_SIDE_NAME};

    return names[splitmix_below(lots, sizeof(names) / sizeof(names[0]))];
}

bool world_flip(struct world *world, unsigned number, uint64_t lot, unsigned bits)
{
    struct world_node *node = &world->nodes[number];
    struct splitmix lots = {lot};
    const char *name = draw_file(&lots);
    uint64_t size;
    uint64_t digest;

    if (node->disk == NULL || node->state != WORLD_DOWN)
        return false;
    world_mend_crash(node);
    size = virtual_disk_size(node->disk, name);
    if (size == 0)
        return false;
    digest = digest_of(node->disk);
    for (unsigned i = 0; i < bits; i++) {
        uint64_t offset = splitmix_below(&lots, size);
        unsigned bit = (unsigned)splitmix_below(&lots, 8);

        virtual_disk_flip(node->disk, name, offset, bit);
    }
    if (!node->is_flipped)
        node->digest = digest;
    node->is_flipped = true;
    world->stats.flips++;
    world_narrate(world, "%u bits of %s of n%u flip", bits, name, number + 1);
    return true;
}

/* ---- The person. ---- */

static void note_fault(void *context, const char *line)
{
    struct world_node *node = context;

    world_narrate(node->world, "n%u: %s", node->number + 1, line);
}

/* What `gossip verify` says of the node's files. */
static int verify(struct world_node *node)
{
    struct virtual_disk *copy = copy_disk(node->disk);
    char explanation[EXPLANATION_MAX] = "";
    struct gossip_store *store;
    struct gossip *gossip;
    int error = virtual_disk_open_store(copy, WORLD_STORE_NAME, GOSSIP_SQLITE_OPEN, explanation,
                                        sizeof(explanation), &store);

    if (error < 0) {
        note_fault(node, explanation);
        virtual_disk_destroy(copy);
        return error;
    }
    error = gossip_create(&(struct gossip_options){.size = sizeof(struct gossip_options),
                                                   .store = store,
                                                   .time = &node->time,
                                                   .identity = node->identity,
                                                   .crypto = node->world->crypto},
                          &gossip);
    if (error < 0) {
        note_fault(node, store->ops->explain(store));
    } else {
        error = gossip_verify(gossip, note_fault, node, NULL);
        gossip_destroy(gossip);
    }
    if (error >= 0)
        error = gossip_sqlite_check(store, note_fault, node);
    store->ops->close(store);
    virtual_disk_destroy(copy);
    return error;
}

static int show_salvage(void *context, gossip_record_visit *visit, void *visit_context)
{
    struct gossip_salvaged salvaged;

    return virtual_disk_salvage(context, WORLD_STORE_NAME, visit, visit_context, &salvaged);
}

/* What `gossip recover` does; with --empty, where nothing can be verified. */
static void rebuild(struct world_node *node)
{
    struct world *world = node->world;
    struct virtual_disk *old = copy_disk(node->disk);
    struct virtual_disk *new = virtual_disk_create(1);
    struct gossip_recovered recovered = {0};
    struct virtual_disk_image *image;
    struct gossip_store *store;
    struct gossip *gossip;
    int error;

    if (new == NULL ||
        virtual_disk_open_store(new, WORLD_STORE_NAME, GOSSIP_SQLITE_CREATE, NULL, 0, &store) < 0)
        abort();
    error = gossip_create(&(struct gossip_options){.size = sizeof(struct gossip_options),
                                                   .store = store,
                                                   .time = &node->time,
                                                   .identity = node->identity,
                                                   .crypto = world->crypto},
                          &gossip);
    if (error >= 0) {
        error = gossip_recover(gossip, show_salvage, old, NULL, NULL, &recovered);
        gossip_destroy(gossip);
    }
    store->ops->close(store);
    if (error < 0 && world->checker != NULL)
        checker_report(world->checker, INVARIANT_BOUNDS, "n%u cannot be recovered: %s",
                       node->number + 1, gossip_strerror(error));
    image = virtual_disk_copy(new, false);
    if (image == NULL || !virtual_disk_copy_back(node->disk, image))
        abort();
    virtual_disk_image_destroy(image);
    virtual_disk_destroy(new);
    virtual_disk_destroy(old);
    /* What was copied before is of another order of deliveries, and nobody's any more. */
    virtual_disk_image_destroy(node->backup);
    node->backup = NULL;
    node->disk_is = CHECKER_REBUILT;
    node->cursor = 0;
    memset(node->joined, 0, sizeof(node->joined));
    world->stats.rebuilt++;
    world_narrate(world, "n%u is rebuilt: %" PRIu64 " of %" PRIu64 " events", node->number + 1,
                  recovered.events, recovered.found);
}

/*
 * A log ends at the first frame that does not fit, and what it holds behind that is still there. A
 * process that makes, to the last bit, the commit again which a flipped bit has hidden closes the
 * gap, and once it has ended without another commit all that follows is there again. No frame fits
 * but behind all that it was written behind, so that this is what it was before the bit had
 * flipped, and it has seen nothing else since.
 */
static void find_hidden(struct world_node *node)
{
    if (node->hidden == 0)
        return;
    if (node->disk_is != CHECKER_AS_IT_WAS) {
        node->hidden = 0;
    } else if (digest_of(node->disk) == node->hidden) {
        node->hidden = 0;
        node->disk_is = CHECKER_SET_BACK_UNSEEN;
        world_narrate(node->world, "what the log of n%u had hidden is there again",
                      node->number + 1);
    }
}

/* Until the node gets through with opening its store: a process that dies of it may leave less than
 * there was to see, where a sync had failed before the bits flipped. */
void world_look_after(struct world_node *node)
{
    bool is_first = !node->was_damaged;
    int error;

    if (!node->is_flipped) {
        find_hidden(node);
        return;
    }
    node->was_damaged = true;
    node->hidden = 0;
    /* A bit of the log can take its last commits with it, and with them whom it has met. */
    memset(node->joined, 0, sizeof(node->joined));
    error = verify(node);
    if (error == GOSSIP_ERR_DAMAGED || error == GOSSIP_ERR_FOREIGN) {
        rebuild(node);
        return;
    }
    if (error < 0 && error != GOSSIP_ERR_NOT_FOUND && node->world->checker != NULL)
        checker_report(node->world->checker, INVARIANT_BOUNDS, "n%u cannot be verified: %s",
                       node->number + 1, gossip_strerror(error));
    /* A log ends where a checksum does not fit: its last commits are gone, and nothing tells. */
    if (node->disk_is == CHECKER_AS_IT_WAS && digest_of(node->disk) != node->digest) {
        node->disk_is = CHECKER_SET_BACK_UNSEEN;
        node->hidden = node->digest;
        node->world->stats.flips_set_back++;
    } else if (is_first) {
        node->world->stats.flips_harmless++;
    }
}

/* ---- Whether a node can tell. ---- */

/* What of a store says whether it was set back: docs/protocol.md, "Evidence". */
struct look {
    const struct world_node *node;
    const struct gossip_side *side;
    uint8_t fingerprint[GOSSIP_HASH_SIZE];
    bool is_marked; /* As a backup, or with evidence that was found before. */
    bool is_moved;
    bool has_epoch;
    uint8_t epoch[GOSSIP_EPOCH_SIZE];
    uint64_t boot;
    uint64_t have;    /* Of the author that it writes as. */
    bool knows_epoch; /* That of the side file. */
};

static int look_at(void *context, const struct gossip_record *record)
{
    struct look *look = context;
    const struct gossip_meta_record *meta = &record->as.meta;
    const struct gossip_author_record *author = &record->as.author;

    if (record->kind == GOSSIP_RECORD_META && meta->bytes == NULL) {
        look->is_marked =
            look->is_marked ||
            ((strcmp(meta->name, "backup") == 0 || strcmp(meta->name, "evidence") == 0) &&
             meta->number != 0);
        if (strcmp(meta->name, "boot") == 0)
            look->boot = meta->number;
    } else if (record->kind == GOSSIP_RECORD_META && strcmp(meta->name, "epoch") == 0 &&
               meta->size == GOSSIP_EPOCH_SIZE) {
        memcpy(look->epoch, meta->bytes, GOSSIP_EPOCH_SIZE);
        look->has_epoch = true;
    } else if (record->kind == GOSSIP_RECORD_META && strcmp(meta->name, "fingerprint") == 0 &&
               meta->size == GOSSIP_HASH_SIZE) {
        look->is_moved = memcmp(meta->bytes, look->fingerprint, GOSSIP_HASH_SIZE) != 0;
    } else if (record->kind == GOSSIP_RECORD_AUTHOR &&
               memcmp(author->key, look->node->identity->key, GOSSIP_KEY_SIZE) == 0) {
        if (look->has_epoch && memcmp(author->epoch, look->epoch, GOSSIP_EPOCH_SIZE) == 0)
            look->have = author->have;
        look->knows_epoch =
            look->knows_epoch || (look->side != NULL &&
                                  memcmp(author->epoch, look->side->epoch, GOSSIP_EPOCH_SIZE) == 0);
    }
    return GOSSIP_OK;
}

int world_find_evidence(struct world_node *node, bool *ret_any)
{
    struct gossip_store *store = node->store;
    struct gossip_side side;
    struct look look = {.node = node, .side = &side};
    int has_side = store->ops->read_side(store, &side);
    int error = store->ops->fingerprint(store, look.fingerprint);

    if (has_side != GOSSIP_OK)
        look.side = NULL;
    if (error >= 0)
        error = store->ops->load(store, look_at, &look);
    if (error < 0)
        return error;
    *ret_any = look.is_marked || look.is_moved || has_side == GOSSIP_ERR_DAMAGED ||
               (has_side == GOSSIP_ERR_NOT_FOUND && look.have > 0) ||
               (has_side == GOSSIP_OK && (side.boot > look.boot || !look.knows_epoch));
    return has_side == GOSSIP_OK || has_side == GOSSIP_ERR_NOT_FOUND ||
                   has_side == GOSSIP_ERR_DAMAGED
               ? GOSSIP_OK
               : has_side;
}
