/* What a node saves and sends, seen on its way: by the trace, by the checker, by taps. */
#include "cmd/lab/world_state.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/datagram.h"

static const char LOG_NAME[] = "node.db-wal";

static struct world_node *node_of_store(struct gossip_store *store)
{
    return ((struct watched_store *)store)->node;
}

static int watched_load(struct gossip_store *store, gossip_record_visit *visit, void *context)
{
    struct gossip_store *inner = node_of_store(store)->store;

    return inner->ops->load(inner, visit, context);
}

static void trace_record(struct trace *trace, const struct gossip_record *record)
{
    trace_number(trace, record->kind);
    switch (record->kind) {
    case GOSSIP_RECORD_META:
        trace_bytes(trace, record->as.meta.name, strlen(record->as.meta.name));
        trace_number(trace, record->as.meta.number);
        break;
    case GOSSIP_RECORD_AUTHOR:
        trace_number(trace, record->as.author.number);
        trace_number(trace, record->as.author.have);
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
}

/* What of the records of a save is looked for, and found. */
struct search {
    const struct gossip_record *wanted;
    bool found;
};

static int compare_loaded(void *context, const struct gossip_record *record)
{
    struct search *search = context;
    const struct gossip_record *wanted = search->wanted;

    if (record->kind != wanted->kind)
        return 0;
    if (record->kind == GOSSIP_RECORD_META)
        search->found = search->found || (record->as.meta.number == wanted->as.meta.number &&
                                          strcmp(record->as.meta.name, wanted->as.meta.name) == 0);
    if (record->kind == GOSSIP_RECORD_AUTHOR)
        search->found = search->found || (record->as.author.number == wanted->as.author.number &&
                                          record->as.author.have == wanted->as.author.have);
    return 0;
}

static int compare_read(void *context, const struct gossip_record *record)
{
    struct search *search = context;

    search->found =
        memcmp(record->as.event.hash, search->wanted->as.event.hash, GOSSIP_HASH_SIZE) == 0;
    return 0;
}

/* Whether store holds what a save has just put into it. */
static bool holds(struct gossip_store *store, const struct gossip_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct search search = {&records[i], false};
        const struct gossip_event_record *event = &records[i].as.event;
        int error;

        switch (records[i].kind) {
        case GOSSIP_RECORD_EVENT:
            error = store->ops->read(store, event->author, event->seq, event->seq, compare_read,
                                     &search);
            break;
        case GOSSIP_RECORD_META:
        case GOSSIP_RECORD_AUTHOR:
            error = store->ops->load(store, compare_loaded, &search);
            break;
        default: /* They come with events or authors, in the same transaction. */
            continue;
        }
        if (error < 0 || !search.found)
            return false;
    }
    return true;
}

/* Whether a crash now would leave what a save has just put on the disk. Where the log has bytes
 * that are not synced the answer is in what a crash would leave: it is copied to another disk, and
 * opened there. (A log that was cut shorter may be as long as before, behind its end.) */
static bool would_outlive_a_crash(const struct world_node *node,
                                  const struct gossip_record *records, size_t count)
{
    struct virtual_disk_image *image;
    struct gossip_store *store;
    struct virtual_disk *other;
    bool is_held;

    /* What a checkpoint has copied into the database is in the log until that is synced too. */
    if (node->disk == NULL || node->is_observer || !virtual_disk_is_unsynced(node->disk, LOG_NAME))
        return true;
    image = virtual_disk_copy(node->disk, true);
    other = virtual_disk_create(1);
    if (image == NULL || other == NULL || !virtual_disk_restore(other, image))
        abort();
    virtual_disk_image_destroy(image);
    is_held = virtual_disk_open_store(other, "node.db", GOSSIP_SQLITE_OPEN, NULL, 0, &store) >= 0;
    if (is_held) {
        is_held = holds(store, records, count);
        store->ops->close(store);
    }
    virtual_disk_destroy(other);
    return is_held;
}

static int watched_save(struct gossip_store *store, const struct gossip_record *records,
                        size_t count)
{
    struct world_node *node = node_of_store(store);
    struct world *world = node->world;
    int result = node->save_error != GOSSIP_OK
                     ? node->save_error
                     : node->store->ops->save(node->store, records, count);
    bool is_durable = world_checker_of(node) != NULL && result == GOSSIP_OK &&
                      would_outlive_a_crash(node, records, count);

    trace_number(&world->trace, node->number);
    trace_number(&world->trace, (uint64_t)-result);
    for (size_t i = 0; i < count; i++)
        trace_record(&world->trace, &records[i]);
    /* What a save has acknowledged a crash does not undo, whatever the store. */
    if (node->is_observer && result == GOSSIP_OK && world->checker != NULL &&
        (virtual_disk_is_unsynced(node->disk, "clock.json") ||
         virtual_disk_is_unsynced(node->disk, "clock.json.state")))
        checker_report(world->checker, INVARIANT_DURABLE, "n%u: a save has left what is not synced",
                       node->number + 1);
    if (world_checker_of(node) != NULL) {
        checker_set_wall(world->checker, node->number, node->time.ops->wall_ms(&node->time));
        checker_saved(world->checker, node->number, records, count, result, is_durable);
    }
    return result;
}

static int watched_read(struct gossip_store *store, uint32_t author, uint64_t first, uint64_t last,
                        gossip_record_visit *visit, void *context)
{
    struct gossip_store *inner = node_of_store(store)->store;

    return inner->ops->read(inner, author, first, last, visit, context);
}

static int watched_follow(struct gossip_store *store, uint64_t after, gossip_record_visit *visit,
                          void *context)
{
    struct gossip_store *inner = node_of_store(store)->store;

    return inner->ops->follow(inner, after, visit, context);
}

static int watched_find_once(struct gossip_store *store, const uint8_t once[GOSSIP_ONCE_HASH_SIZE],
                             gossip_record_visit *visit, void *context)
{
    struct gossip_store *inner = node_of_store(store)->store;

    return inner->ops->find_once(inner, once, visit, context);
}

static const char *watched_explain(struct gossip_store *store)
{
    struct gossip_store *inner = node_of_store(store)->store;

    return inner->ops->explain(inner);
}

static void watched_close(struct gossip_store *store)
{
    (void)store; /* The world's own. */
}

static int watched_has(struct gossip_store *store, uint32_t author, uint64_t seq)
{
    struct gossip_store *inner = node_of_store(store)->store;

    return inner->ops->has(inner, author, seq);
}

static int watched_fingerprint(struct gossip_store *store,
                               uint8_t ret_fingerprint[GOSSIP_HASH_SIZE])
{
    struct gossip_store *inner = node_of_store(store)->store;

    return inner->ops->fingerprint(inner, ret_fingerprint);
}

static int watched_read_side(struct gossip_store *store, struct gossip_side *ret_side)
{
    struct gossip_store *inner = node_of_store(store)->store;

    return inner->ops->read_side(inner, ret_side);
}

static int watched_write_side(struct gossip_store *store, const struct gossip_side *side)
{
    struct world_node *node = node_of_store(store);
    int error = node->save_error != GOSSIP_OK ? node->save_error
                                              : node->store->ops->write_side(node->store, side);

    trace_number(&node->world->trace, side->mark);
    trace_number(&node->world->trace, (uint64_t)-error);
    return error;
}

static int watched_read_marker(struct gossip_store *store, struct gossip_marker *ret_marker)
{
    struct gossip_store *inner = node_of_store(store)->store;

    return inner->ops->read_marker(inner, ret_marker);
}

static int watched_write_marker(struct gossip_store *store, const struct gossip_marker *marker)
{
    struct gossip_store *inner = node_of_store(store)->store;

    return inner->ops->write_marker(inner, marker);
}

const struct gossip_store_ops world_watched_ops = {
    .abilities = GOSSIP_STORE_EVENTS | GOSSIP_STORE_DURABLE | GOSSIP_STORE_ONCE,
    .load = watched_load,
    .save = watched_save,
    .read = watched_read,
    .follow = watched_follow,
    .has = watched_has,
    .find_once = watched_find_once,
    .explain = watched_explain,
    .close = watched_close,
};

const struct gossip_store_ops world_watched_observer_ops = {
    .abilities = GOSSIP_STORE_DURABLE,
    .load = watched_load,
    .save = watched_save,
    .explain = watched_explain,
    .close = watched_close,
};

const struct gossip_store_ops world_watched_disk_ops = {
    .abilities = GOSSIP_STORE_EVENTS | GOSSIP_STORE_DURABLE | GOSSIP_STORE_SIDE |
                 GOSSIP_STORE_MARKER | GOSSIP_STORE_IDENTITY | GOSSIP_STORE_ONCE,
    .load = watched_load,
    .save = watched_save,
    .read = watched_read,
    .follow = watched_follow,
    .has = watched_has,
    .find_once = watched_find_once,
    .fingerprint = watched_fingerprint,
    .read_side = watched_read_side,
    .write_side = watched_write_side,
    .read_marker = watched_read_marker,
    .write_marker = watched_write_marker,
    .explain = watched_explain,
    .close = watched_close,
};

/* A box goes to where a node has met another, and that is stored before, unless the disk was full
 * when they met. */
static void note_meeting(struct world_node *node, unsigned other)
{
    const struct world_node *nodes = node->world->nodes;
    struct gossip_stats stats;

    if (other == UINT_MAX)
        return; /* It went to nobody. */
    /* It is stored in place of that of the node of which this is a copy. */
    for (unsigned i = 0; nodes[other].is_copy && i < JOINS; i++) {
        if (nodes[i].identity != nodes[other].identity)
            continue;
        node->has_met[i] = false;
        memset(&node->joined[i], 0, sizeof(node->joined[i]));
    }
    if (other >= JOINS || node->has_met[other])
        return;
    gossip_stats(node->gossip, &stats);
    node->has_met[other] = true;
    if (!stats.read_only)
        node->joined[other] = nodes[other].address;
}

bool world_overhear(void *context, unsigned from, unsigned to,
                    const struct gossip_datagram *datagram)
{
    struct world *world = context;
    enum datagram_kind kind;

    if (datagram_kind(datagram->data, datagram->size, &kind) == GOSSIP_DATAGRAM_ACCEPTED &&
        kind == DATAGRAM_BOX)
        note_meeting(&world->nodes[from], to);
    trace_number(&world->trace, world->now_ms);
    trace_number(&world->trace, (uint64_t)from << 32 | to);
    trace_bytes(&world->trace, datagram->data, datagram->size);
    if (world_checker_of(&world->nodes[from]) != NULL)
        checker_sent(world->checker, from, to, datagram);
    return world->tap != NULL && world->tap(world->tap_context, from, to, datagram);
}

void world_set_tap(struct world *world, virtual_network_tap *tap, void *context)
{
    world->tap = tap;
    world->tap_context = context;
}
