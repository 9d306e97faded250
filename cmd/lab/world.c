#include "cmd/lab/world.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/lab/remembering.h"
#include "cmd/lab/room.h"
#include "cmd/lab/standin.h"
#include "cmd/lab/world_state.h"
#include "gossip/identity.h"
#include "gossip/service.h"

enum {
    EXAMINE_EVERY = 1000,
    RUNS_AT_ONCE = 2000,  /* More in one millisecond is a spin, */
    STEPS_MAX = 20000000, /* and more in a world, something that feeds on itself. */
    FIRST_PORT = 7001,
};

void world_narrate(struct world *world, const char *format, ...)
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

void world_set_wake(struct world *world, struct world_node *node, uint64_t wake_ms)
{
    node->wake_ms = wake_ms;
    heap_sift(world, node->heap_place);
}

/* Something has come for node: it runs as soon as its disk lets it. */
void world_wake(struct world *world, struct world_node *node)
{
    uint64_t soon = world->now_ms > node->busy_until_ms ? world->now_ms : node->busy_until_ms;

    if (node->state == WORLD_UP && soon < node->wake_ms)
        world_set_wake(world, node, soon);
}

/* ---- Making and unmaking. ---- */

void world_take_address(struct world *world, struct world_node *node)
{
    node->address = (struct gossip_address){.port = world->next_port++};
    node->address.ip[10] = 0xff;
    node->address.ip[11] = 0xff;
    node->address.ip[12] = 10;
    node->address.ip[14] = (uint8_t)(node->number >> 8);
    node->address.ip[15] = (uint8_t)node->number;
}

struct checker *world_checker_of(const struct world_node *node)
{
    const struct world *world = node->world;

    if (node->is_observer || (world->options.goes_on && !world_is_sound(world)))
        return NULL;
    return world->checker;
}

struct world_node *world_add_node(struct world *world, struct gossip_identity *identity)
{
    struct world_node *node = &world->nodes[world->count];
    uint8_t seed[GOSSIP_SEED_SIZE];
    char name[16];

    node->world = world;
    node->number = world->count;
    node->time.ops = &world_time_ops;
    node->is_observer = node->number < 64 && (world->options.observers >> node->number & 1) != 0;
    node->watched.base.ops =
        world->options.store == WORLD_SQLITE ? &world_watched_disk_ops : &world_watched_ops;
    if (node->is_observer)
        node->watched.base.ops = &world_watched_observer_ops;
    node->watched.node = node;
    node->lots = splitmix_split(&world->lots);
    node->clock.since_ms = world->now_ms;
    node->clock.passed_ms = world->now_ms; /* Its wall clock is right, however late it comes. */
    node->identity = identity;
    if (identity == NULL) {
        for (size_t i = 0; i < sizeof(seed); i++)
            seed[i] = (uint8_t)(splitmix_next(&node->lots) >> 56);
        snprintf(name, sizeof(name), "n%u", node->number + 1);
        if (identity_make(world->crypto, world->cluster, name, 0, seed, &node->identity) < 0)
            abort(); /* No memory for secrets. */
        node->owns_identity = true;
    }
    if (world->options.store == WORLD_SQLITE || node->is_observer) {
        node->disk = virtual_disk_create(splitmix_next(&node->lots));
        if (node->disk == NULL)
            abort();
    }
    world_take_address(world, node);
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
    virtual_network_set_tap(world->network, world_overhear, world);
    if (options->store == WORLD_SQLITE)
        virtual_disk_install(splitmix_next(&world->lots));
    if (!options->unchecked)
        world->checker =
            checker_create(world->crypto, splitmix_next(&world->lots), world->options.nodes_max);
    for (unsigned i = 0; i < options->nodes; i++)
        world_add_node(world, NULL);
    for (unsigned i = 0; i < options->nodes && !options->stopped; i++)
        world_start(world, i);
    return world;
}

void world_destroy(struct world *world)
{
    if (world == NULL)
        return;
    for (unsigned i = 0; i < world->count; i++) {
        struct world_node *node = &world->nodes[i];

        world_end_process(node);
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

int world_end_error(const struct world *world, unsigned node)
{
    return world->nodes[node].end_error;
}

struct virtual_network *world_network(struct world *world)
{
    return world->network;
}

struct virtual_disk *world_disk(struct world *world, unsigned node)
{
    return world->nodes[node].disk;
}

struct gossip_store *world_store(struct world *world, unsigned node)
{
    return world->nodes[node].store;
}

const struct gossip_cluster *world_cluster(const struct world *world)
{
    return world->cluster;
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

bool world_stands_still(const struct world *world)
{
    return world->is_spinning || (!world->options.goes_on && !world_is_sound(world));
}

uint64_t world_trace(const struct world *world)
{
    return world->trace.hash;
}

void world_stats(const struct world *world, struct world_stats *ret_stats)
{
    *ret_stats = world->stats;
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
        if (world_checker_of(node) != NULL)
            checker_result(world->checker, node->number, &result, asked->payload, asked->size);
        node->last_result = result;
        node->asked_first = asked->next;
        if (node->asked_first == NULL)
            node->asked_last = NULL;
        free(asked);
    }
}

void world_set_application(struct world *world, world_application *application, void *context)
{
    world->application = application;
    world->application_context = context;
}

/* The application: it deals with every delivery at once. Returns the error of the node, if any. */
static int take_events(struct world_node *node)
{
    struct gossip_event event;
    int found;

    while ((found = gossip_event_pop(node->gossip, &event)) == 1) {
        node->cursor = event.delivery;
        if (world_checker_of(node) != NULL)
            checker_popped(node->world->checker, node->number, &event);
        if (node->world->application != NULL)
            node->world->application(node->world->application_context, node->number, &event);
    }
    return found;
}

static void take_notices(struct world_node *node)
{
    struct gossip_notice notice;

    while (gossip_notice_pop(node->gossip, &notice) == 1) {
        if (world_checker_of(node) != NULL)
            checker_notice(node->world->checker, node->number, &notice);
        world_narrate(node->world, "n%u notices: %s %s", node->number + 1,
                      gossip_notice_name(notice.kind), notice.name);
    }
}

static void check_spin(struct world_node *node)
{
    struct world *world = node->world;

    if (node->ran_ms != world->now_ms)
        node->runs = 0;
    node->ran_ms = world->now_ms;
    if (++node->runs > RUNS_AT_ONCE && world->checker != NULL) {
        checker_report(world->checker, INVARIANT_BOUNDS, "n%u has run %u times in a millisecond",
                       node->number + 1, node->runs);
        world->is_spinning = true;
    }
    if (world->stats.steps > STEPS_MAX && world->checker != NULL) {
        checker_report(world->checker, INVARIANT_BOUNDS,
                       "nodes have run %" PRIu64 " times: something feeds on itself",
                       world->stats.steps);
        world->is_spinning = true;
    }
}

/* Stored bytes are compared with what their authors wrote; whether those verify is asked of one
 * node in turn, and of all in world_examine(). */
static void examine(struct world *world, bool verify_all)
{
    unsigned turn = (unsigned)(world->stats.steps / world->options.examine_every % world->count);

    for (unsigned i = 0; i < world->count && world->checker != NULL && world_is_sound(world); i++) {
        /* Reads are on the disk's account: where it is to fail they would take the node's. */
        if (world->nodes[i].gossip == NULL || world->nodes[i].faulted != 0 ||
            world->nodes[i].is_observer)
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
    world_note_delay(node);
    take_results(node);
    if (error >= 0)
        error = take_events(node);
    if (error < 0) {
        world_died(node, "ends", error, node->store->ops->explain(node->store));
        return;
    }
    take_notices(node);
    if (world_checker_of(node) != NULL)
        checker_stepped(world->checker, node->number, node->gossip);
    world_set_deadline(node);
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
            world_wake(world, &world->nodes[host]);
    }
    while (!world_stands_still(world) && world->heap_count > 0 &&
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
    while (!world_stands_still(world)) {
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

    if (node->state == WORLD_DOWN || world_stands_still(world) ||
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
    world_wake(world, node);
    return true;
}

size_t world_asked(const struct world *world, unsigned node)
{
    const struct publication_asked *asked = world->nodes[node].asked_first;
    size_t count = 0;

    for (; asked != NULL; asked = asked->next)
        count++;
    return count;
}

uint64_t world_tell(struct world *world, unsigned number, const char *text)
{
    struct world_node *node = &world->nodes[number];

    node->last_result = (struct gossip_result){.error = GOSSIP_ERR_NOT_FOUND};
    if (node->state != WORLD_UP || !world_publish(world, number, text, strlen(text)))
        return 0;
    /* A node that has just started asks others first what they know of it, and that takes time. */
    while (node->asked_first != NULL && !world_stands_still(world) && node->state == WORLD_UP) {
        struct gossip_start start;

        gossip_start_state(node->gossip, &start);
        if (start.state == GOSSIP_START_READY)
            run_node(node);
        else
            world_run(world, 1);
    }
    return node->last_result.error == GOSSIP_OK ? node->last_result.dot.seq : 0;
}

/* ---- Agreement. ---- */

bool world_agrees(struct world *world)
{
    unsigned first = UINT_MAX;

    for (unsigned i = 0; i < world->count && world->checker != NULL; i++) {
        if (world->nodes[i].state != WORLD_UP || world->nodes[i].is_observer)
            continue;
        if (first == UINT_MAX)
            first = i;
        if (!checker_agree(world->checker, (const unsigned[]){first, i}, 2))
            return false;
    }
    return true;
}

bool world_is_retired(const struct world *world, unsigned node)
{
    return world->nodes[node].is_retired;
}

bool world_is_all_up(const struct world *world)
{
    for (unsigned i = 0; i < world->count; i++) {
        if (world->nodes[i].state != WORLD_UP && !world->nodes[i].is_retired)
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
