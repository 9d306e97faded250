/* Processes: how they start and end. */
#include "cmd/lab/world_state.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/datagram.h"
#include "store/sqlite.h"

static const char FILE_STORE_NAME[] = "clock.json";

void world_end_process(struct world_node *node)
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
    world_set_wake(world, node, UINT64_MAX);
    if (world_checker_of(node) != NULL)
        checker_ended(world->checker, node->number);
}

/* A process has ended by itself, or could not start. Where its disk was made to fail that is what
 * it is to do; else it is a violation. */
void world_died(struct world_node *node, const char *doing, int error, const char *explanation)
{
    struct world *world = node->world;
    bool is_crashed = node->disk != NULL && virtual_disk_is_crashed(node->disk);
    /* A read that fails is damage, as far as a node can tell. */
    bool is_excused = (error == GOSSIP_ERR_IO && (node->faulted != 0 || is_crashed)) ||
                      (error == GOSSIP_ERR_DAMAGED && node->faulted != 0) ||
                      (error == GOSSIP_ERR_FULL && node->is_filled) ||
                      (error == GOSSIP_ERR_CLONED && node->has_double) ||
                      (error != GOSSIP_OK && error == node->save_error_last);

    world_narrate(world, "n%u %s: %s: %s", node->number + 1, doing, gossip_strerror(error),
                  explanation);
    if (!is_excused && world->checker != NULL)
        checker_report(world->checker, INVARIANT_BOUNDS, "n%u %s: %s: %s", node->number + 1, doing,
                       gossip_strerror(error), explanation);
    world->stats.deaths++;
    node->end_error = error;
    node->was_stopped = node->was_stopped || error == GOSSIP_ERR_CLONED;
    world_end_process(node);
}

static void put_away(struct world_node *node)
{
    node->is_retired = true;
    node->world->stats.put_away++;
    if (world_checker_of(node) != NULL)
        checker_put_away(node->world->checker, node->number);
    world_narrate(node->world, "n%u was a copy, and is put away", node->number + 1);
}

void world_put_copies_away(struct world *world)
{
    for (unsigned i = 0; i < world->count; i++) {
        if (!world->nodes[i].is_copy || world->nodes[i].is_retired)
            continue;
        world_stop(world, i);
        put_away(&world->nodes[i]);
        /* Those who think that it is where its copy was are told by its start. */
        for (unsigned j = 0; j < i; j++) {
            if (world->nodes[j].identity == world->nodes[i].identity)
                world_stop(world, j);
        }
    }
}

/* A node that has learnt of its double wants to be told which of the two it is. The copy is put
 * away; the other goes on, under a new epoch, and no copy of it does any more. */
static bool tell_which(struct world_node *node)
{
    const struct gossip_record records[] = {
        {.kind = GOSSIP_RECORD_META, .as.meta = {.name = "cloned", .number = 0}},
        {.kind = GOSSIP_RECORD_META, .as.meta = {.name = "backup", .number = 1}},
    };

    if (!node->was_stopped)
        return true;
    if (node->is_copy) {
        put_away(node);
        return false;
    }
    if (node->store->ops->save(node->store, records, 2) < 0)
        return false; /* Its disk is in trouble: another time. */
    node->was_stopped = false;
    if (node->disk_is != CHECKER_REBUILT)
        node->disk_is = CHECKER_SET_BACK_SEEN;
    for (unsigned i = 0; i < node->world->count; i++) {
        struct world_node *copy = &node->world->nodes[i];

        if (!copy->is_copy || copy->is_retired || copy->identity != node->identity)
            continue;
        world_stop(node->world, i);
        put_away(copy);
    }
    world_narrate(node->world, "n%u is told that it is the original", node->number + 1);
    return true;
}

static int open_file(struct world_node *node, char *ret_explanation, size_t size)
{
    int error = virtual_disk_open_file(node->disk, FILE_STORE_NAME, GOSSIP_FILE_OPEN,
                                       ret_explanation, size, &node->store);

    if (error == GOSSIP_ERR_NOT_FOUND)
        error = virtual_disk_open_file(node->disk, FILE_STORE_NAME, GOSSIP_FILE_CREATE,
                                       ret_explanation, size, &node->store);
    if (error < 0)
        node->store = NULL;
    return error;
}

void world_mend_crash(struct world_node *node)
{
    if (!virtual_disk_is_crashed(node->disk))
        return;
    virtual_disk_restart(node->disk, node->damage);
    node->damage = VIRTUAL_DAMAGE_NONE;
}

static int open_store(struct world_node *node, char *ret_explanation, size_t size)
{
    int error;

    if (node->disk == NULL)
        return node->store != NULL ? GOSSIP_OK : gossip_memory_open(&node->store);
    world_mend_crash(node);
    if (node->is_observer)
        return open_file(node, ret_explanation, size);
    world_look_after(node);
    error = virtual_disk_open_store(node->disk, WORLD_STORE_NAME, GOSSIP_SQLITE_OPEN,
                                    ret_explanation, size, &node->store);
    if (error == GOSSIP_ERR_NOT_FOUND)
        error = virtual_disk_open_store(node->disk, WORLD_STORE_NAME, GOSSIP_SQLITE_CREATE,
                                        ret_explanation, size, &node->store);
    if (error < 0) {
        node->store = NULL;
        return error;
    }
    node->is_flipped = false;
    if (node->world->options.checkpoint_pages > 0)
        sqlite_store_checkpoint_every(node->store, node->world->options.checkpoint_pages);
    return GOSSIP_OK;
}

void world_set_deadline(struct world_node *node)
{
    int timeout = gossip_timeout_ms(node->gossip);
    uint64_t deadline =
        timeout < 0 ? UINT64_MAX : node->world->now_ms + world_time_of(node, (uint64_t)timeout);

    if (deadline < node->busy_until_ms)
        deadline = node->busy_until_ms;
    world_set_wake(node->world, node, deadline);
}

void world_note_delay(struct world_node *node)
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

/* Whether what was done to its disk shows. */
static int judge_disk(struct world_node *node)
{
    bool shows = false;
    int error = GOSSIP_OK;

    if (node->disk != NULL && !node->is_observer &&
        (node->disk_is == CHECKER_SET_BACK_UNSEEN ||
         (node->disk_is == CHECKER_AS_IT_WAS && node->was_damaged)))
        error = world_find_evidence(node, &shows);
    if (error >= 0 && shows)
        node->disk_is = CHECKER_SET_BACK_SEEN;
    if (error >= 0)
        node->was_damaged = false;
    return error;
}

static int note_delivery(void *context, const struct gossip_record *record)
{
    uint64_t *last = context;

    *last = record->as.event.delivery;
    return GOSSIP_OK;
}

/* What its application has dealt with and its store has lost comes again. */
static int set_back_cursor(struct world_node *node)
{
    uint64_t last = 0;
    int error = GOSSIP_OK;

    if (!node->is_observer)
        error = node->store->ops->follow(node->store, 0, note_delivery, &last);
    if (error >= 0 && node->cursor > last)
        node->cursor = last;
    return error;
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
        .poison_crashes = GOSSIP_POISON_NEVER, /* Whatever ends here, no event is to blame. */
    };
    char explanation[NARRATION_MAX] = "";
    int error;

    if (node->state != WORLD_DOWN || node->is_retired || world_stands_still(world))
        return;
    world->stats.starts++;
    node->end_error = GOSSIP_OK;
    world_narrate(world, "n%u starts", number + 1);
    error = open_store(node, explanation, sizeof(explanation));
    if (error < 0) {
        world_died(node, "cannot open its store", error, explanation);
        return;
    }
    if (!tell_which(node)) {
        world_end_process(node);
        return;
    }
    error = judge_disk(node);
    if (error < 0) {
        world_died(node, "cannot read its store", error, node->store->ops->explain(node->store));
        return;
    }
    if (world_checker_of(node) != NULL) {
        checker_set_time(world->checker, world->now_ms);
        error = checker_started(world->checker, number, node->store, node->disk_is);
        if (error < 0) {
            world_died(node, "cannot read its store", error,
                       node->store->ops->explain(node->store));
            return;
        }
        if (node->disk_is != CHECKER_AS_IT_WAS &&
            node->cursor > checker_held(world->checker, number))
            node->cursor = checker_held(world->checker, number);
        checker_cursor(world->checker, number, node->cursor);
    } else if (node->disk_is != CHECKER_AS_IT_WAS) {
        error = set_back_cursor(node);
        if (error < 0) {
            world_died(node, "cannot read its store", error,
                       node->store->ops->explain(node->store));
            return;
        }
    }
    options.after = node->cursor;
    memset(node->has_met, 0, sizeof(node->has_met));
    node->disk_is = CHECKER_AS_IT_WAS;
    node->clock.monotonic_ms = splitmix_below(&node->lots, UINT64_C(1) << 40);
    node->transport = virtual_network_open(world->network, number, &node->address);
    if (node->transport == NULL)
        abort();
    options.transport = node->transport;
    for (unsigned i = 0; i < JOINS && i < world->count && !world->options.unconnected; i++) {
        if (i != number && number > 0 && !has_stored(node, i))
            joins[options.join_count++] = world->nodes[i].address;
    }
    if (world_stands_still(world))
        return;
    error = gossip_create(&options, &node->gossip);
    if (error < 0) {
        node->gossip = NULL;
        world_died(node, "cannot start", error, node->store->ops->explain(node->store));
        return;
    }
    node->state = WORLD_UP;
    world_note_delay(node);
    world_set_deadline(node);
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
    world_narrate(world, "n%u is killed: %s", number + 1, world_damage_name(damage));
    end_disk(node, damage);
    world_end_process(node);
}

void world_stop(struct world *world, unsigned number)
{
    struct world_node *node = &world->nodes[number];

    if (node->state == WORLD_DOWN)
        return;
    world->stats.stops++;
    world_narrate(world, "n%u stops", number + 1);
    world_end_process(node);
}

void world_pause(struct world *world, unsigned number)
{
    struct world_node *node = &world->nodes[number];

    if (node->state != WORLD_UP)
        return;
    world->stats.pauses++;
    node->state = WORLD_PAUSED;
    world_set_wake(world, node, UINT64_MAX);
    world_narrate(world, "n%u is paused", number + 1);
}

void world_resume(struct world *world, unsigned number)
{
    struct world_node *node = &world->nodes[number];

    if (node->state != WORLD_PAUSED)
        return;
    node->state = WORLD_UP;
    world_wake(world, node);
    world_narrate(world, "n%u goes on", number + 1);
}
