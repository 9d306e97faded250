#include "cmd/lab/world.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/lab/room.h"
#include "cmd/lab/remembering.h"
#include "cmd/lab/standin.h"
#include "cmd/lab/trace.h"
#include "gossip/bytes.h"
#include "gossip/identity.h"
#include "gossip/datagram.h"
#include "gossip/service.h"
#include "store/sqlite.h"

enum {
    EXAMINE_EVERY = 1000,
    RUNS_AT_ONCE = 2000,  /* More in one millisecond is a spin, */
    STEPS_MAX = 20000000, /* and more in a world, something that feeds on itself. */
    FIRST_PORT = 7001,
    NARRATION_MAX = 512,
    JOINS = 2, /* So many nodes, the first, all others are told of. */
};

static const char STORE_NAME[] = "node.db";
static const char LOG_NAME[] = "node.db-wal";

#define WORLD_BEGAN_MS UINT64_C(1800000000000) /* In January 2027. */

/* A node's clocks: so much of its own time has passed when the world was at since_ms. */
struct world_clock {
    uint64_t since_ms;
    uint64_t passed_ms;
    int32_t drift_ppm;
    int64_t skew_ms;       /* Of the wall clock. */
    uint64_t monotonic_ms; /* Where the monotonic clock of this boot began. */
};

struct publication_asked {
    struct publication_asked *next;
    uint64_t ticket;
    size_t size;
    uint8_t payload[];
};

/* What a node sees of its store. */
struct watched_store {
    struct gossip_store base;
    struct world_node *node;
};

struct world_node {
    struct gossip_time time;
    struct watched_store watched;
    struct world *world;
    unsigned number;
    enum world_state state;
    struct gossip_identity *identity;
    bool owns_identity;
    struct gossip_address address;
    struct gossip_transport *transport;
    struct gossip_store *store; /* With WORLD_MEMORY it outlives the process. */
    struct virtual_disk *disk;
    struct virtual_disk_image *backup;
    struct gossip *gossip;
    struct splitmix lots;
    struct world_clock clock;
    enum virtual_damage damage; /* At a crash that was announced. */
    unsigned faulted;           /* Operations that were made to fail: it may end with IO. */
    bool is_filled;
    bool is_set_back;
    struct gossip_address joined[JOINS]; /* Where it has met those it was told to join, */
    bool has_met[JOINS];                 /* and whether this process has met them. */
    uint64_t cursor; /* Of the application: the last delivery it has dealt with. */
    uint64_t busy_until_ms;
    uint64_t wake_ms;
    size_t heap_place;
    uint64_t ran_ms; /* When it ran last, and how often in that millisecond. */
    unsigned runs;
    struct publication_asked *asked_first;
    struct publication_asked *asked_last;
    struct gossip_result last_result;
};

struct world {
    struct world_options options;
    const struct gossip_crypto *crypto;
    struct splitmix lots;
    uint64_t now_ms;
    struct trace trace;
    struct gossip_cluster *cluster;
    struct virtual_network *network;
    struct checker *checker;
    struct world_node *nodes;
    unsigned count;
    unsigned *heap; /* Nodes by when they wake, then by number. */
    size_t heap_count;
    uint16_t next_port;
    struct world_stats stats;
    struct violation none;
    world_narrator *narrator;
    void *narrator_context;
};

static const char *const damage_names[VIRTUAL_DAMAGES] = {
    [VIRTUAL_DAMAGE_NONE] = "the process alone",
    [VIRTUAL_DAMAGE_LOST] = "unsynced writes lost",
    [VIRTUAL_DAMAGE_TORN] = "unsynced writes torn",
    [VIRTUAL_DAMAGE_SHUFFLED] = "unsynced writes reordered",
};

static void narrate(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void narrate(struct world *world, const char *format, ...)
{
    char line[NARRATION_MAX];
    va_list arguments;

    if (world->narrator == NULL)
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    world->narrator(world->narrator_context, world->now_ms, line);
}

void world_set_narrator(struct world *world, world_narrator *narrator, void *context)
{
    world->narrator = narrator;
    world->narrator_context = context;
}

/* ---- When who wakes: a heap, so that a thousand sleeping nodes cost nothing. ---- */

static bool wakes_before(const struct world *world, unsigned a, unsigned b)
{
    uint64_t wake_a = world->nodes[a].wake_ms;
    uint64_t wake_b = world->nodes[b].wake_ms;

    return wake_a < wake_b || (wake_a == wake_b && a < b);
}

static void heap_set(struct world *world, size_t place, unsigned node)
{
    world->heap[place] = node;
    world->nodes[node].heap_place = place;
}

static void heap_sift(struct world *world, size_t place)
{
    unsigned node = world->heap[place];

    while (place > 0 && wakes_before(world, node, world->heap[(place - 1) / 2])) {
        heap_set(world, place, world->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * place + 1;

        if (child >= world->heap_count)
            break;
        if (child + 1 < world->heap_count &&
            wakes_before(world, world->heap[child + 1], world->heap[child]))
            child++;
        if (!wakes_before(world, world->heap[child], node))
            break;
        heap_set(world, place, world->heap[child]);
        place = child;
    }
    heap_set(world, place, node);
}

static void set_wake(struct world *world, struct world_node *node, uint64_t wake_ms)
{
    node->wake_ms = wake_ms;
    heap_sift(world, node->heap_place);
}

/* Something has come for node: it runs as soon as its disk lets it. */
static void wake(struct world *world, struct world_node *node)
{
    uint64_t soon = world->now_ms > node->busy_until_ms ? world->now_ms : node->busy_until_ms;

    if (node->state == WORLD_UP && soon < node->wake_ms)
        set_wake(world, node, soon);
}

/* ---- Clocks. ---- */

static uint64_t passed(const struct world_node *node)
{
    const struct world_clock *clock = &node->clock;
    uint64_t elapsed = node->world->now_ms - clock->since_ms;

    return clock->passed_ms + elapsed * (uint64_t)(1000000 + clock->drift_ppm) / 1000000;
}

/* In how much of the world's time so much of a node's has passed, rounded up. */
static uint64_t world_time_of(const struct world_node *node, uint64_t ms)
{
    uint64_t rate = (uint64_t)(1000000 + node->clock.drift_ppm);

    return (ms * 1000000 + rate - 1) / rate;
}

static struct world_node *node_of_time(struct gossip_time *time)
{
    return (struct world_node *)((char *)time - offsetof(struct world_node, time));
}

static uint64_t time_monotonic_ms(struct gossip_time *time)
{
    const struct world_node *node = node_of_time(time);

    return node->clock.monotonic_ms + passed(node);
}

static uint64_t time_wall_ms(struct gossip_time *time)
{
    const struct world_node *node = node_of_time(time);

    return WORLD_BEGAN_MS + passed(node) + (uint64_t)node->clock.skew_ms;
}

static int time_random(struct gossip_time *time, uint8_t *buffer, size_t size)
{
    struct world_node *node = node_of_time(time);

    for (size_t i = 0; i < size; i++)
        buffer[i] = (uint8_t)(splitmix_next(&node->lots) >> 56);
    return GOSSIP_OK;
}

static const struct gossip_time_ops time_ops = {time_monotonic_ms, time_wall_ms, time_random};

static void rebase_clock(struct world_node *node)
{
    node->clock.passed_ms = passed(node);
    node->clock.since_ms = node->world->now_ms;
}

void world_set_skew(struct world *world, unsigned number, int64_t ms)
{
    world->nodes[number].clock.skew_ms = ms;
    world->stats.clock_jumps++;
    narrate(world, "the wall clock of n%u is off by %" PRId64 " ms", number + 1, ms);
}

void world_set_drift(struct world *world, unsigned number, int32_t ppm)
{
    struct world_node *node = &world->nodes[number];

    assert(ppm >= -900000 && ppm <= 900000);
    rebase_clock(node);
    node->clock.drift_ppm = ppm;
    world->stats.clock_drifts++;
    /* Its deadline may be due at another time. */
    wake(world, node);
    narrate(world, "the clocks of n%u drift by %" PRId32 " ppm", number + 1, ppm);
}

/* ---- What a node sees of its store. ---- */

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

static int watched_save(struct gossip_store *store, const struct gossip_record *records,
                        size_t count)
{
    struct world_node *node = node_of_store(store);
    struct world *world = node->world;
    int result = node->store->ops->save(node->store, records, count);
    /* What a checkpoint has copied into the database is in the log until that is synced too. */
    bool is_durable = node->disk == NULL || !virtual_disk_is_unsynced(node->disk, LOG_NAME);

    trace_number(&world->trace, node->number);
    trace_number(&world->trace, (uint64_t)-result);
    for (size_t i = 0; i < count; i++)
        trace_record(&world->trace, &records[i]);
    if (world->checker != NULL)
        checker_set_wall(world->checker, node->number, time_wall_ms(&node->time));
    if (world->checker != NULL)
        checker_saved(world->checker, node->number, records, count, result, is_durable);
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

static const char *watched_explain(struct gossip_store *store)
{
    struct gossip_store *inner = node_of_store(store)->store;

    return inner->ops->explain(inner);
}

static void watched_close(struct gossip_store *store)
{
    (void)store; /* The world's own. */
}

static const struct gossip_store_ops watched_ops = {watched_load,   watched_save,    watched_read,
                                                    watched_follow, watched_explain, watched_close};

/* A box goes to where a node has met another, and that is stored before, unless the disk was full
 * when they met. */
static void note_meeting(struct world_node *node, unsigned other)
{
    struct gossip_stats stats;

    if (other >= JOINS || node->has_met[other])
        return;
    gossip_stats(node->gossip, &stats);
    node->has_met[other] = true;
    if (!stats.read_only)
        node->joined[other] = node->world->nodes[other].address;
}

static void overhear(void *context, unsigned from, unsigned to,
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
    if (world->checker != NULL)
        checker_sent(world->checker, from, to, datagram);
}

/* ---- Making and unmaking. ---- */

static void take_address(struct world *world, struct world_node *node)
{
    node->address = (struct gossip_address){.port = world->next_port++};
    node->address.ip[10] = 0xff;
    node->address.ip[11] = 0xff;
    node->address.ip[12] = 10;
    node->address.ip[14] = (uint8_t)(node->number >> 8);
    node->address.ip[15] = (uint8_t)node->number;
}

static struct world_node *add_node(struct world *world, struct gossip_identity *identity)
{
    struct world_node *node = &world->nodes[world->count];
    uint8_t seed[GOSSIP_SEED_SIZE];
    char name[16];

    node->world = world;
    node->number = world->count;
    node->time.ops = &time_ops;
    node->watched.base.ops = &watched_ops;
    node->watched.node = node;
    node->lots = splitmix_split(&world->lots);
    node->clock.since_ms = world->now_ms;
    node->identity = identity;
    if (identity == NULL) {
        for (size_t i = 0; i < sizeof(seed); i++)
            seed[i] = (uint8_t)(splitmix_next(&node->lots) >> 56);
        snprintf(name, sizeof(name), "n%u", node->number + 1);
        if (identity_make(world->crypto, world->cluster, name, 0, seed, &node->identity) < 0)
            abort(); /* No memory for secrets. */
        node->owns_identity = true;
    }
    if (world->options.store == WORLD_SQLITE) {
        node->disk = virtual_disk_create(splitmix_next(&node->lots));
        if (node->disk == NULL)
            abort();
    }
    take_address(world, node);
    node->wake_ms = UINT64_MAX;
    world->count++;
    world->heap_count++;
    heap_set(world, world->heap_count - 1, node->number);
    heap_sift(world, world->heap_count - 1);
    if (world->checker != NULL)
        checker_add_node(world->checker, node->number, node->identity);
    return node;
}

struct world *world_create(const struct world_options *options)
{
    struct world *world = room_new(sizeof(*world));
    uint8_t seed[GOSSIP_SEED_SIZE];
    uint8_t gate[GOSSIP_CLUSTER_SECRET_SIZE];

    world->options = *options;
    if (world->options.nodes_max == 0)
        world->options.nodes_max = 2 * options->nodes + 1;
    if (world->options.examine_every == 0)
        world->options.examine_every = EXAMINE_EVERY;
    world->crypto = options->crypto == WORLD_STANDIN ? standin_crypto() : remembering_crypto();
    world->lots = (struct splitmix){options->seed};
    world->next_port = FIRST_PORT;
    for (size_t i = 0; i < sizeof(seed); i++)
        seed[i] = (uint8_t)(splitmix_next(&world->lots) >> 56);
    for (size_t i = 0; i < sizeof(gate); i++)
        gate[i] = (uint8_t)(splitmix_next(&world->lots) >> 56);
    if (cluster_make(world->crypto, seed, gate, &world->cluster) < 0)
        abort();
    world->nodes = room_new(world->options.nodes_max * sizeof(*world->nodes));
    world->heap = room_new(world->options.nodes_max * sizeof(*world->heap));
    world->network = virtual_network_create(splitmix_next(&world->lots), world->options.nodes_max);
    if (world->network == NULL)
        abort();
    virtual_network_set_tap(world->network, overhear, world);
    if (options->store == WORLD_SQLITE)
        virtual_disk_install(splitmix_next(&world->lots));
    if (!options->unchecked)
        world->checker =
            checker_create(world->crypto, splitmix_next(&world->lots), world->options.nodes_max);
    for (unsigned i = 0; i < options->nodes; i++)
        add_node(world, NULL);
    for (unsigned i = 0; i < options->nodes && !options->stopped; i++)
        world_start(world, i);
    return world;
}

static void end_process(struct world_node *node)
{
    struct world *world = node->world;

    gossip_destroy(node->gossip);
    node->gossip = NULL;
    if (node->transport != NULL)
        node->transport->ops->close(node->transport);
    node->transport = NULL;
    if (node->disk != NULL && node->store != NULL) {
        node->store->ops->close(node->store);
        node->store = NULL;
    }
    while (node->asked_first != NULL) {
        struct publication_asked *asked = node->asked_first;

        node->asked_first = asked->next;
        free(asked);
    }
    node->asked_last = NULL;
    node->state = WORLD_DOWN;
    node->busy_until_ms = 0;
    set_wake(world, node, UINT64_MAX);
    if (world->checker != NULL)
        checker_ended(world->checker, node->number);
}

void world_destroy(struct world *world)
{
    if (world == NULL)
        return;
    for (unsigned i = 0; i < world->count; i++) {
        struct world_node *node = &world->nodes[i];

        end_process(node);
        if (node->store != NULL)
            node->store->ops->close(node->store);
        virtual_disk_destroy(node->disk);
        virtual_disk_image_destroy(node->backup);
        if (node->owns_identity)
            gossip_identity_destroy(node->identity);
    }
    checker_destroy(world->checker);
    virtual_network_destroy(world->network);
    gossip_cluster_destroy(world->cluster);
    free(world->nodes);
    free(world->heap);
    free(world);
}

unsigned world_nodes(const struct world *world)
{
    return world->count;
}

uint64_t world_now(const struct world *world)
{
    return world->now_ms;
}

enum world_state world_state(const struct world *world, unsigned node)
{
    return world->nodes[node].state;
}

struct gossip *world_gossip(struct world *world, unsigned node)
{
    return world->nodes[node].gossip;
}

struct virtual_network *world_network(struct world *world)
{
    return world->network;
}

struct virtual_disk *world_disk(struct world *world, unsigned node)
{
    return world->nodes[node].disk;
}

struct checker *world_checker(struct world *world)
{
    return world->checker;
}

struct gossip_address world_address(const struct world *world, unsigned node)
{
    return world->nodes[node].address;
}

const struct gossip_identity *world_identity(struct world *world, unsigned node)
{
    return world->nodes[node].identity;
}

const struct violation *world_violation(const struct world *world)
{
    return world->checker == NULL ? &world->none : checker_violation(world->checker);
}

bool world_is_sound(const struct world *world)
{
    return world_violation(world)->invariant == INVARIANT_NONE;
}

uint64_t world_trace(const struct world *world)
{
    return world->trace.hash;
}

void world_stats(const struct world *world, struct world_stats *ret_stats)
{
    *ret_stats = world->stats;
}

/* ---- Processes. ---- */

/* A process has ended by itself, or could not start. Where its disk was made to fail that is what
 * it is to do; else it is a violation. */
static void died(struct world_node *node, const char *doing, int error, const char *explanation)
{
    struct world *world = node->world;
    bool is_crashed = node->disk != NULL && virtual_disk_is_crashed(node->disk);
    /* A read that fails is damage, as far as a node can tell. */
    bool is_excused = (error == GOSSIP_ERR_IO && (node->faulted != 0 || is_crashed)) ||
                      (error == GOSSIP_ERR_DAMAGED && node->faulted != 0) ||
                      (error == GOSSIP_ERR_FULL && node->is_filled);

    narrate(world, "n%u %s: %s: %s", node->number + 1, doing, gossip_strerror(error), explanation);
    if (!is_excused && world->checker != NULL)
        checker_report(world->checker, INVARIANT_BOUNDS, "n%u %s: %s: %s", node->number + 1, doing,
                       gossip_strerror(error), explanation);
    world->stats.deaths++;
    end_process(node);
}

static int open_store(struct world_node *node, char *ret_explanation, size_t size)
{
    int error;

    if (node->disk == NULL)
        return node->store != NULL ? GOSSIP_OK : gossip_memory_open(&node->store);
    if (virtual_disk_is_crashed(node->disk)) {
        virtual_disk_restart(node->disk, node->damage);
        node->damage = VIRTUAL_DAMAGE_NONE;
    }
    error = virtual_disk_open_store(node->disk, STORE_NAME, GOSSIP_SQLITE_OPEN, ret_explanation,
                                    size, &node->store);
    if (error == GOSSIP_ERR_NOT_FOUND)
        error = virtual_disk_open_store(node->disk, STORE_NAME, GOSSIP_SQLITE_CREATE,
                                        ret_explanation, size, &node->store);
    if (error < 0)
        node->store = NULL;
    else if (node->world->options.checkpoint_pages > 0)
        sqlite_store_checkpoint_every(node->store, node->world->options.checkpoint_pages);
    return error;
}

static void set_deadline(struct world_node *node)
{
    int timeout = gossip_timeout_ms(node->gossip);
    uint64_t deadline =
        timeout < 0 ? UINT64_MAX : node->world->now_ms + world_time_of(node, (uint64_t)timeout);

    if (deadline < node->busy_until_ms)
        deadline = node->busy_until_ms;
    set_wake(node->world, node, deadline);
}

static void note_delay(struct world_node *node)
{
    if (node->disk != NULL)
        node->busy_until_ms = node->world->now_ms + virtual_disk_take_delay(node->disk);
}

/* Whether node finds another by what its own store holds, and is told of it no more. */
static bool has_stored(const struct world_node *node, unsigned other)
{
    return node->world->options.joins_once &&
           address_equal(&node->joined[other], &node->world->nodes[other].address);
}

void world_start(struct world *world, unsigned number)
{
    struct world_node *node = &world->nodes[number];
    struct gossip_address joins[JOINS];
    struct gossip_options options = {
        .size = sizeof(options),
        .store = &node->watched.base,
        .time = &node->time,
        .identity = node->identity,
        .crypto = world->crypto,
        .joins = joins,
        .period_ms = world->options.period_ms,
        .payload_max = world->options.payload_max,
        .fanout = world->options.fanout,
        .choice = world->options.choice,
        .after = node->cursor,
    };
    char explanation[NARRATION_MAX] = "";
    int error;

    if (node->state != WORLD_DOWN || !world_is_sound(world))
        return;
    world->stats.starts++;
    narrate(world, "n%u starts", number + 1);
    error = open_store(node, explanation, sizeof(explanation));
    if (error < 0) {
        died(node, "cannot open its store", error, explanation);
        return;
    }
    if (world->checker != NULL) {
        checker_set_time(world->checker, world->now_ms);
        error = checker_started(world->checker, number, node->store, node->is_set_back);
        if (error < 0) {
            died(node, "cannot read its store", error, node->store->ops->explain(node->store));
            return;
        }
        if (node->is_set_back && node->cursor > checker_held(world->checker, number))
            node->cursor = checker_held(world->checker, number);
        checker_cursor(world->checker, number, node->cursor);
    }
    options.after = node->cursor;
    memset(node->has_met, 0, sizeof(node->has_met));
    node->is_set_back = false;
    node->clock.monotonic_ms = splitmix_below(&node->lots, UINT64_C(1) << 40);
    node->transport = virtual_network_open(world->network, number, &node->address);
    if (node->transport == NULL)
        abort();
    options.transport = node->transport;
    for (unsigned i = 0; i < JOINS && i < world->count && !world->options.unconnected; i++) {
        if (i != number && number > 0 && !has_stored(node, i))
            joins[options.join_count++] = world->nodes[i].address;
    }
    if (!world_is_sound(world))
        return;
    error = gossip_create(&options, &node->gossip);
    if (error < 0) {
        node->gossip = NULL;
        died(node, "cannot start", error, node->store->ops->explain(node->store));
        return;
    }
    node->state = WORLD_UP;
    note_delay(node);
    set_deadline(node);
}

static void end_disk(struct world_node *node, enum virtual_damage damage)
{
    if (node->disk == NULL)
        return;
    if (!virtual_disk_is_crashed(node->disk)) {
        virtual_disk_crash(node->disk);
        node->damage = damage;
    }
}

void world_kill(struct world *world, unsigned number, enum virtual_damage damage)
{
    struct world_node *node = &world->nodes[number];

    if (node->state == WORLD_DOWN)
        return;
    world->stats.kills++;
    narrate(world, "n%u is killed: %s", number + 1, damage_names[damage]);
    end_disk(node, damage);
    end_process(node);
}

void world_stop(struct world *world, unsigned number)
{
    struct world_node *node = &world->nodes[number];

    if (node->state == WORLD_DOWN)
        return;
    world->stats.stops++;
    narrate(world, "n%u stops", number + 1);
    end_process(node);
}

void world_pause(struct world *world, unsigned number)
{
    struct world_node *node = &world->nodes[number];

    if (node->state != WORLD_UP)
        return;
    world->stats.pauses++;
    node->state = WORLD_PAUSED;
    set_wake(world, node, UINT64_MAX);
    narrate(world, "n%u is paused", number + 1);
}

void world_resume(struct world *world, unsigned number)
{
    struct world_node *node = &world->nodes[number];

    if (node->state != WORLD_PAUSED)
        return;
    node->state = WORLD_UP;
    wake(world, node);
    narrate(world, "n%u goes on", number + 1);
}

/* ---- Disks. ---- */

void world_crash_at(struct world *world, unsigned number, uint64_t operation,
                    enum virtual_damage damage)
{
    struct world_node *node = &world->nodes[number];

    if (node->disk == NULL || virtual_disk_is_crashed(node->disk))
        return;
    virtual_disk_crash_at(node->disk, operation);
    node->damage = damage;
    narrate(world, "n%u will lose power at file operation %" PRIu64 ": %s", number + 1, operation,
            damage_names[damage]);
}

void world_fail_disk(struct world *world, unsigned number, enum virtual_operation operation,
                     uint64_t nth, uint64_t count)
{
    struct world_node *node = &world->nodes[number];

    if (node->disk == NULL)
        return;
    virtual_disk_fail(node->disk, operation, nth, count);
    if (count == 0) {
        node->faulted &= ~(1U << operation);
        return;
    }
    node->faulted |= 1U << operation;
    narrate(world, "the disk of n%u will fail: kind %d, number %" PRIu64 ", times %" PRIu64,
            number + 1, (int)operation, nth, count);
}

void world_fill_disk(struct world *world, unsigned number, uint64_t bytes)
{
    struct world_node *node = &world->nodes[number];

    if (node->disk == NULL)
        return;
    node->is_filled = bytes != UINT64_MAX || node->is_filled;
    virtual_disk_set_room(node->disk,
                          bytes == UINT64_MAX ? UINT64_MAX : virtual_disk_used(node->disk) + bytes);
    if (bytes == UINT64_MAX)
        narrate(world, "the disk of n%u has room again", number + 1);
    else
        narrate(world, "the disk of n%u has %" PRIu64 " bytes left", number + 1, bytes);
}

void world_slow_disk(struct world *world, unsigned number, uint32_t sync_ms)
{
    struct world_node *node = &world->nodes[number];

    if (node->disk == NULL)
        return;
    virtual_disk_set_delay(node->disk, VIRTUAL_SYNC, sync_ms);
    narrate(world, "a sync of the disk of n%u takes %" PRIu32 " ms", number + 1, sync_ms);
}

void world_backup(struct world *world, unsigned number)
{
    struct world_node *node = &world->nodes[number];

    if (node->disk == NULL || node->state != WORLD_DOWN)
        return;
    virtual_disk_image_destroy(node->backup);
    node->backup = virtual_disk_copy(node->disk, false);
    if (node->backup == NULL)
        abort();
    narrate(world, "n%u is backed up", number + 1);
}

bool world_restore(struct world *world, unsigned number)
{
    struct world_node *node = &world->nodes[number];

    if (node->backup == NULL || node->state != WORLD_DOWN)
        return false;
    if (virtual_disk_is_crashed(node->disk))
        virtual_disk_restart(node->disk, VIRTUAL_DAMAGE_NONE);
    if (!virtual_disk_restore(node->disk, node->backup))
        abort();
    node->is_set_back = true;
    memset(node->joined, 0, sizeof(node->joined));
    world->stats.set_back++;
    narrate(world, "n%u is set back to its backup", number + 1);
    return true;
}

unsigned world_clone(struct world *world, unsigned number)
{
    struct world_node *node = &world->nodes[number];
    struct virtual_disk_image *image;
    struct world_node *clone;

    if (node->disk == NULL || node->state != WORLD_DOWN || world->count == world->options.nodes_max)
        return UINT_MAX;
    clone = add_node(world, node->identity);
    image = virtual_disk_copy(node->disk, false);
    if (image == NULL || !virtual_disk_restore(clone->disk, image))
        abort();
    virtual_disk_image_destroy(image);
    clone->is_set_back = true;
    world->stats.clones++;
    narrate(world, "n%u is a clone of n%u", clone->number + 1, number + 1);
    return clone->number;
}

void world_move(struct world *world, unsigned number)
{
    struct world_node *node = &world->nodes[number];

    if (node->state != WORLD_DOWN)
        return;
    take_address(world, node);
    world->stats.moves++;
    narrate(world, "n%u moves to port %u", number + 1, node->address.port);
}

unsigned world_add(struct world *world)
{
    struct world_node *node;

    if (world->count == world->options.nodes_max)
        return UINT_MAX;
    node = add_node(world, NULL);
    world_start(world, node->number);
    return node->number;
}

/* ---- Links. ---- */

void world_cut(struct world *world, unsigned from, unsigned to)
{
    struct virtual_link link = virtual_network_link(world->network, from, to);

    link.is_cut = true;
    if (!virtual_network_set_link(world->network, from, to, &link))
        abort();
    narrate(world, "nothing passes from n%u to n%u", from + 1, to + 1);
}

void world_split(struct world *world, unsigned first_of_second_part)
{
    for (unsigned i = 0; i < world->count; i++)
        virtual_network_set_part(world->network, i, i >= first_of_second_part);
    narrate(world, "the network splits before n%u", first_of_second_part + 1);
}

void world_heal(struct world *world)
{
    for (unsigned i = 0; i < world->count; i++)
        virtual_network_set_part(world->network, i, 0);
    for (unsigned i = 0; i < world->count; i++) {
        for (unsigned j = 0; j < world->count; j++) {
            struct virtual_link link = virtual_network_link(world->network, i, j);

            if (link.is_cut && !virtual_network_set_link(world->network, i, j, NULL))
                abort();
        }
    }
    narrate(world, "the network is whole");
}

/* ---- Running. ---- */

static void take_results(struct world_node *node)
{
    struct world *world = node->world;
    struct gossip_result result;

    while (gossip_result_pop(node->gossip, &result) == 1) {
        struct publication_asked *asked = node->asked_first;

        assert(asked != NULL && asked->ticket == result.ticket);
        trace_number(&world->trace, result.dot.seq);
        if (result.error == GOSSIP_OK)
            world->stats.published++;
        else
            world->stats.refused++;
        if (world->checker != NULL)
            checker_result(world->checker, node->number, &result, asked->payload, asked->size);
        node->last_result = result;
        node->asked_first = asked->next;
        if (node->asked_first == NULL)
            node->asked_last = NULL;
        free(asked);
    }
}

/* The application: it deals with every delivery at once. Returns the error of the node, if any. */
static int take_events(struct world_node *node)
{
    struct gossip_event event;
    int found;

    while ((found = gossip_event_pop(node->gossip, &event)) == 1) {
        node->cursor = event.delivery;
        if (node->world->checker != NULL)
            checker_popped(node->world->checker, node->number, &event);
    }
    return found;
}

static void take_notices(struct world_node *node)
{
    struct gossip_notice notice;

    while (gossip_notice_pop(node->gossip, &notice) == 1) {
        if (node->world->checker != NULL)
            checker_notice(node->world->checker, node->number, &notice);
        narrate(node->world, "n%u notices: %s %s", node->number + 1,
                gossip_notice_name(notice.kind), notice.name);
    }
}

static void check_spin(struct world_node *node)
{
    struct world *world = node->world;

    if (node->ran_ms != world->now_ms)
        node->runs = 0;
    node->ran_ms = world->now_ms;
    if (++node->runs > RUNS_AT_ONCE && world->checker != NULL)
        checker_report(world->checker, INVARIANT_BOUNDS, "n%u has run %u times in a millisecond",
                       node->number + 1, node->runs);
    if (world->stats.steps > STEPS_MAX && world->checker != NULL)
        checker_report(world->checker, INVARIANT_BOUNDS,
                       "nodes have run %" PRIu64 " times: something feeds on itself",
                       world->stats.steps);
}

/* Stored bytes are compared with what their authors wrote; whether those verify is asked of one
 * node in turn, and of all in world_examine(). */
static void examine(struct world *world, bool verify_all)
{
    unsigned turn = (unsigned)(world->stats.steps / world->options.examine_every % world->count);

    for (unsigned i = 0; i < world->count && world->checker != NULL && world_is_sound(world); i++) {
        /* Reads are on the disk's account: where it is to fail they would take the node's. */
        if (world->nodes[i].gossip == NULL || world->nodes[i].faulted != 0)
            continue;
        checker_examine(world->checker, i, world->nodes[i].gossip, world->nodes[i].store);
        if (verify_all || i == turn)
            checker_verify(world->checker, i, world->nodes[i].gossip);
    }
}

void world_examine(struct world *world)
{
    examine(world, true);
}

static void run_node(struct world_node *node)
{
    struct world *world = node->world;
    int error;

    world->stats.steps++;
    check_spin(node);
    error = gossip_run(node->gossip);
    note_delay(node);
    take_results(node);
    if (error >= 0)
        error = take_events(node);
    if (error < 0) {
        died(node, "ends", error, node->store->ops->explain(node->store));
        return;
    }
    take_notices(node);
    if (world->checker != NULL)
        checker_stepped(world->checker, node->number, node->gossip);
    set_deadline(node);
    if (world->stats.steps % world->options.examine_every == 0)
        examine(world, false);
}

/* Moves what has arrived, and runs whoever is due. */
static void run_due(struct world *world)
{
    unsigned host;

    virtual_network_advance(world->network, world->now_ms);
    while (virtual_network_take_woken(world->network, &host)) {
        if (host < world->count)
            wake(world, &world->nodes[host]);
    }
    while (world_is_sound(world) && world->heap_count > 0 &&
           world->nodes[world->heap[0]].wake_ms <= world->now_ms)
        run_node(&world->nodes[world->heap[0]]);
}

/* When something is due next. */
static uint64_t next_due(const struct world *world)
{
    uint64_t due = virtual_network_due(world->network);

    if (world->heap_count > 0 && world->nodes[world->heap[0]].wake_ms < due)
        due = world->nodes[world->heap[0]].wake_ms;
    return due;
}

static void set_now(struct world *world, uint64_t now_ms)
{
    world->now_ms = now_ms;
    if (world->checker != NULL)
        checker_set_time(world->checker, now_ms);
}

bool world_run_until(struct world *world, world_check *check, uint64_t ms)
{
    uint64_t end = world->now_ms + ms;

    run_due(world);
    while (world_is_sound(world)) {
        uint64_t due;

        if (check != NULL && check(world))
            return true;
        due = next_due(world);
        if (due > end) {
            set_now(world, end);
            return false;
        }
        if (due > world->now_ms)
            set_now(world, due);
        run_due(world);
    }
    return false;
}

void world_run(struct world *world, uint64_t ms)
{
    world_run_until(world, NULL, ms);
}

bool world_publish(struct world *world, unsigned number, const void *payload, size_t size)
{
    struct world_node *node = &world->nodes[number];
    struct publication_asked *asked;
    uint64_t ticket;

    if (node->state == WORLD_DOWN || !world_is_sound(world) ||
        gossip_publish(node->gossip, payload, size, &ticket) < 0)
        return false;
    asked = room_new(sizeof(*asked) + size);
    asked->ticket = ticket;
    asked->size = size;
    if (size > 0)
        memcpy(asked->payload, payload, size);
    if (node->asked_last == NULL)
        node->asked_first = asked;
    else
        node->asked_last->next = asked;
    node->asked_last = asked;
    wake(world, node);
    return true;
}

uint64_t world_tell(struct world *world, unsigned number, const char *text)
{
    struct world_node *node = &world->nodes[number];

    node->last_result = (struct gossip_result){.error = GOSSIP_ERR_NOT_FOUND};
    if (node->state != WORLD_UP || !world_publish(world, number, text, strlen(text)))
        return 0;
    while (node->asked_first != NULL && world_is_sound(world))
        run_node(node);
    return node->last_result.error == GOSSIP_OK ? node->last_result.dot.seq : 0;
}

/* ---- Agreement. ---- */

bool world_agrees(struct world *world)
{
    for (unsigned i = 0; i < world->count && world->checker != NULL; i++) {
        if (world->nodes[i].state == WORLD_UP && !checker_agree(world->checker, &i, 1))
            return false;
    }
    return true;
}

/* What a digest's root covers, before it is keyed. */
struct fingerprint {
    uint8_t trie[GOSSIP_HASH_SIZE];
    uint8_t set[GOSSIP_HASH_SIZE];
};

static void take_fingerprint(const struct world_node *node, struct fingerprint *ret_fingerprint)
{
    const struct gossip_node *inner = node->gossip->node;

    digest_trie(&inner->authors, inner->crypto, ret_fingerprint->trie);
    memcpy(ret_fingerprint->set, inner->set, GOSSIP_HASH_SIZE);
}

/* Whether node has an alive peer, and the last exchange with each alive one it has asked found
 * nothing to do. */
static bool knows_itself_in_step(const struct world_node *node)
{
    size_t in_step = 0;

    for (size_t i = 0; i < gossip_peer_count(node->gossip); i++) {
        struct gossip_peer peer;

        if (gossip_peer(node->gossip, i, &peer) == GOSSIP_OK && peer.state == GOSSIP_PEER_ALIVE &&
            peer.in_step)
            in_step++;
    }
    return in_step > 0;
}

bool world_in_step(struct world *world)
{
    struct fingerprint first;
    unsigned up = 0;

    if (!world_agrees(world))
        return false;
    for (unsigned i = 0; i < world->count; i++)
        up += world->nodes[i].state == WORLD_UP;
    for (unsigned i = 0, seen = 0; i < world->count; i++) {
        struct fingerprint own;

        if (world->nodes[i].state != WORLD_UP)
            continue;
        if (up > 1 && !knows_itself_in_step(&world->nodes[i]))
            return false;
        take_fingerprint(&world->nodes[i], seen++ == 0 ? &first : &own);
        if (seen > 1 && memcmp(&own, &first, sizeof(own)) != 0)
            return false;
    }
    return true;
}
