#include "cmd/lab/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/lab/room.h"
#include "gossip/splitmix.h"

enum {
    SECOND_MS = 1000,
    PERCENT = 10000, /* In millionths. */
    NODES_MAX = 30,
    /* Deliveries of one run: they are what it costs. */
    DELIVERIES_MAX = 8000,
    BYTES_MAX = 4 << 20,
    /* Few nodes that write much: runs longer than a window, seals that bytes require. */
    HEAVY_NODES_MAX = 4,
    HEAVY_EVENTS_MIN = 400,
    HEAVY_BYTES_MAX = 16 << 20,
    /* An address that does not answer gets a hello a minute, one in step is asked every half
     * minute; the rest is for fetching. */
    QUIET_MS = 240 * SECOND_MS,
};

static const char *const names[ACTIONS] = {
    [ACTION_PUBLISH] = "publish",     [ACTION_KILL] = "kill",
    [ACTION_STOP] = "stop",           [ACTION_START] = "start",
    [ACTION_PAUSE] = "pause",         [ACTION_RESUME] = "resume",
    [ACTION_STORM] = "storm",         [ACTION_LINKS] = "links",
    [ACTION_LINK] = "link",           [ACTION_CUT] = "cut",
    [ACTION_RING] = "ring",           [ACTION_SPLIT] = "split",
    [ACTION_ISOLATE] = "isolate",     [ACTION_REJOIN] = "rejoin",
    [ACTION_HEAL] = "heal",           [ACTION_SKEW] = "skew",
    [ACTION_DRIFT] = "drift",         [ACTION_CRASH_AT] = "crash-at",
    [ACTION_FAIL_DISK] = "fail-disk", [ACTION_FULL_DISK] = "full-disk",
    [ACTION_SLOW_DISK] = "slow-disk", [ACTION_ADD] = "add",
    [ACTION_MOVE] = "move",           [ACTION_BACKUP] = "backup",
    [ACTION_RESTORE] = "restore",     [ACTION_RESTORE_DATABASE] = "restore-database",
    [ACTION_COPY_BACK] = "copy-back", [ACTION_CLONE] = "clone",
    [ACTION_FLIP] = "flip",
};

const char *action_name(enum action_kind kind)
{
    return names[kind];
}

static const char *const damage_names[VIRTUAL_DAMAGES] = {"none", "lost", "torn", "shuffled"};
static const char *const operation_names[VIRTUAL_OPERATIONS] = {
    "read", "write", "sync", "truncate", "create", "delete", "rename"};

const char *damage_name(enum virtual_damage damage)
{
    return damage_names[damage];
}

const char *operation_name(enum virtual_operation operation)
{
    return operation_names[operation];
}

static void link_text(const struct virtual_link *link, char *ret_text, size_t size)
{
    snprintf(ret_text, size,
             "latency %u+%u ms, tail %u ppm, loss %u ppm, bursts %u ppm, duplicates %u ppm, "
             "reorder %u ppm, corrupt %u ppm, truncate %u ppm, %u bytes/s, flaps %u/%u ms",
             link->latency_ms, link->jitter_ms, link->tail_ppm, link->loss_ppm, link->burst_ppm,
             link->duplicate_ppm, link->reorder_ppm, link->corrupt_ppm, link->truncate_ppm,
             link->bandwidth, link->flap_up_ms, link->flap_down_ms);
}

void action_text(const struct action *action, char *ret_text, size_t size)
{
    char detail[512] = "";
    unsigned node = action->node + 1;
    unsigned other = action->other + 1;

    switch (action->kind) {
    case ACTION_PUBLISH:
        snprintf(detail, sizeof(detail), "n%u, %" PRIu64 " events of %" PRIu64 " bytes", node,
                 action->number, action->size);
        break;
    case ACTION_KILL:
        snprintf(detail, sizeof(detail), "n%u, damage %s", node, damage_names[action->damage]);
        break;
    case ACTION_STORM:
        snprintf(detail, sizeof(detail), "n%u, %" PRIu64 " times every %" PRIu64 " ms, damage %s",
                 node, action->number, action->size, damage_names[action->damage]);
        break;
    case ACTION_LINKS:
        link_text(&action->link, detail, sizeof(detail));
        break;
    case ACTION_LINK: {
        size_t used = (size_t)snprintf(detail, sizeof(detail), "n%u to n%u: ", node, other);

        link_text(&action->link, detail + used, sizeof(detail) - used);
        break;
    }
    case ACTION_CUT:
        snprintf(detail, sizeof(detail), "n%u to n%u", node, other);
        break;
    case ACTION_SPLIT:
        snprintf(detail, sizeof(detail), "before n%u", node);
        break;
    case ACTION_SKEW:
        snprintf(detail, sizeof(detail), "n%u, %" PRId64 " ms", node, action->offset);
        break;
    case ACTION_DRIFT:
        snprintf(detail, sizeof(detail), "n%u, %" PRId64 " ppm", node, action->offset);
        break;
    case ACTION_CRASH_AT:
        snprintf(detail, sizeof(detail), "n%u, at file operation %" PRIu64 ", damage %s", node,
                 action->number, damage_names[action->damage]);
        break;
    case ACTION_FAIL_DISK:
        snprintf(detail, sizeof(detail), "n%u, %s number %" PRIu64 ", %" PRIu64 " times", node,
                 operation_names[action->operation], action->number, action->times);
        break;
    case ACTION_FULL_DISK:
        if (action->number == UINT64_MAX)
            snprintf(detail, sizeof(detail), "n%u, room again", node);
        else
            snprintf(detail, sizeof(detail), "n%u, %" PRIu64 " bytes left", node, action->number);
        break;
    case ACTION_SLOW_DISK:
        snprintf(detail, sizeof(detail), "n%u, %" PRIu64 " ms a sync", node, action->number);
        break;
    case ACTION_FLIP:
        snprintf(detail, sizeof(detail), "n%u, %" PRIu64 " bits, lot %" PRIx64, node, action->times,
                 action->number);
        break;
    case ACTION_RING:
    case ACTION_HEAL:
    case ACTION_ADD:
    case ACTIONS:
        break;
    case ACTION_STOP:
    case ACTION_START:
    case ACTION_PAUSE:
    case ACTION_RESUME:
    case ACTION_ISOLATE:
    case ACTION_REJOIN:
    case ACTION_MOVE:
    case ACTION_BACKUP:
    case ACTION_RESTORE:
    case ACTION_RESTORE_DATABASE:
    case ACTION_COPY_BACK:
    case ACTION_CLONE:
        snprintf(detail, sizeof(detail), "n%u", node);
        break;
    }
    snprintf(ret_text, size, "%" PRIu64 ".%03u s%s %s %s", action->at_ms / 1000,
             (unsigned)(action->at_ms % 1000), action->is_early ? ", before all," : "",
             action_name(action->kind), detail);
}

void plan_add(struct plan *plan, const struct action *action)
{
    plan->actions = room_for(plan->actions, &plan->action_capacity, plan->action_count + 1,
                             sizeof(*plan->actions));
    plan->actions[plan->action_count++] = *action;
}

void plan_clear(struct plan *plan)
{
    free(plan->actions);
    *plan = (struct plan){0};
}

/* ---- Drawing. ---- */

struct drawing {
    struct plan *plan;
    struct splitmix lots;
    /* How likely each kind of fault is among actions; 0: off in this run. */
    uint32_t weights[ACTIONS];
    bool is_heavy;
};

static uint64_t below(struct drawing *drawing, uint64_t bound)
{
    return splitmix_below(&drawing->lots, bound);
}

static uint64_t between(struct drawing *drawing, uint64_t low, uint64_t high)
{
    return splitmix_between(&drawing->lots, low, high);
}

/* One in so many. */
static bool one_in(struct drawing *drawing, uint64_t number)
{
    return below(drawing, number) == 0;
}

/* Small numbers more often than large ones: each doubling as likely as the next. */
static uint64_t skewed(struct drawing *drawing, uint64_t high)
{
    unsigned bits = 0;
    uint64_t top;

    while (high >> bits > 1)
        bits++;
    bits = (unsigned)below(drawing, bits + 1);
    top = (UINT64_C(2) << bits) - 1;
    return between(drawing, 1, top < high ? top : high);
}

/* Each kind of fault is on in one stretch of three, with a rate of its own. */
static struct virtual_link draw_link(struct drawing *drawing, bool is_wild)
{
    struct virtual_link link = {0};

    link.latency_ms = (uint32_t)below(drawing, 30);
    link.jitter_ms = (uint32_t)below(drawing, 50);
    if (!is_wild)
        return link;
    if (one_in(drawing, 4))
        link.latency_ms = (uint32_t)skewed(drawing, 3000);
    if (one_in(drawing, 3))
        link.jitter_ms = (uint32_t)skewed(drawing, 2000);
    if (one_in(drawing, 3)) {
        link.tail_ppm = (uint32_t)skewed(drawing, 20 * PERCENT);
        link.tail_ms = (uint32_t)skewed(drawing, 2000);
    }
    if (one_in(drawing, 2))
        link.loss_ppm = (uint32_t)skewed(drawing, 50 * PERCENT);
    if (one_in(drawing, 3)) {
        link.burst_ppm = (uint32_t)skewed(drawing, PERCENT);
        link.burst_ms = (uint32_t)skewed(drawing, 5000);
    }
    if (one_in(drawing, 3)) {
        link.duplicate_ppm = (uint32_t)skewed(drawing, 50 * PERCENT);
        link.duplicate_max = (uint32_t)skewed(drawing, one_in(drawing, 16) ? 100 : 3);
    }
    if (one_in(drawing, 3)) {
        link.reorder_ppm = (uint32_t)skewed(drawing, 30 * PERCENT);
        link.reorder_ms = (uint32_t)skewed(drawing, 10000);
    }
    if (one_in(drawing, 3))
        link.corrupt_ppm = (uint32_t)skewed(drawing, 20 * PERCENT);
    if (one_in(drawing, 3))
        link.truncate_ppm = (uint32_t)skewed(drawing, 10 * PERCENT);
    if (one_in(drawing, 6))
        link.bandwidth = (uint32_t)between(drawing, 20000, 1000000);
    if (one_in(drawing, 6)) {
        link.flap_up_ms = (uint32_t)between(drawing, 200, 5000);
        link.flap_down_ms = (uint32_t)between(drawing, 200, 5000);
    }
    return link;
}

static enum virtual_damage draw_damage(struct drawing *drawing)
{
    return (enum virtual_damage)below(drawing, VIRTUAL_DAMAGES);
}

/* Kinds of worlds that came later than others are drawn apart, so that the others stay what they
 * were. */
static void draw_kind_of_world(struct drawing *drawing, uint64_t seed)
{
    struct drawing apart = {.lots = {seed ^ UINT64_C(0x6b696e64)}};
    struct plan *plan = drawing->plan;

    if (one_in(&apart, 3))
        plan->options.checkpoint_pages = skewed(&apart, 64);
    plan->options.joins_once = one_in(&apart, 3);
    plan->joins_first_only = one_in(&apart, 2);
    drawing->is_heavy = one_in(&apart, 8);
    if (drawing->is_heavy && plan->options.nodes > HEAVY_NODES_MAX) {
        plan->options.nodes = (unsigned)between(&apart, 2, HEAVY_NODES_MAX);
        plan->options.nodes_max = plan->options.nodes + 8;
    }
}

static void draw_world(struct drawing *drawing, uint64_t seed)
{
    struct world_options *options = &drawing->plan->options;

    options->seed = splitmix_next(&drawing->lots);
    options->nodes = (unsigned)skewed(drawing, NODES_MAX);
    if (options->nodes == 1 && !one_in(drawing, 4))
        options->nodes = (unsigned)between(drawing, 2, 6);
    options->nodes_max = options->nodes + 8;
    options->store = one_in(drawing, 4) ? WORLD_MEMORY : WORLD_SQLITE;
    options->crypto = seed % 10 == 0 ? WORLD_SODIUM : WORLD_STANDIN;
    options->period_ms = one_in(drawing, 4) ? (uint32_t)between(drawing, 100, 3000) : SECOND_MS;
    options->fanout = (uint32_t)between(drawing, 1, 3);
    options->choice = (enum gossip_peer_choice)below(drawing, GOSSIP_CHOOSE_MOST_RELIABLE + 1);
    options->payload_max = GOSSIP_PAYLOAD_DEFAULT;
    drawing->plan->links = draw_link(drawing, one_in(drawing, 2));
    drawing->plan->late_joiner = one_in(drawing, 4);
}

/* How often each kind of action comes up; most kinds of faults are off in most runs, so that what
 * is on has room to act. */
static void draw_weights(struct drawing *drawing, const struct plan_faults *faults)
{
    static const enum action_kind kinds[] = {
        ACTION_KILL,      ACTION_STOP,  ACTION_PAUSE,    ACTION_STORM,     ACTION_LINKS,
        ACTION_LINK,      ACTION_CUT,   ACTION_RING,     ACTION_SPLIT,     ACTION_HEAL,
        ACTION_SKEW,      ACTION_DRIFT, ACTION_CRASH_AT, ACTION_FAIL_DISK, ACTION_FULL_DISK,
        ACTION_SLOW_DISK, ACTION_ADD,
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        uint32_t weight = (uint32_t)skewed(drawing, 16);

        if (one_in(drawing, 3))
            drawing->weights[kinds[i]] = weight;
    }
    if (drawing->weights[ACTION_ADD] > 1)
        drawing->weights[ACTION_ADD] = 1;
    if (faults->moves && one_in(drawing, 3))
        drawing->weights[ACTION_MOVE] = (uint32_t)skewed(drawing, 4);
    drawing->weights[ACTION_PUBLISH] = 24;
    for (size_t i = 0; i < ACTIONS; i++) {
        if (i != ACTION_PUBLISH)
            drawing->weights[ACTION_PUBLISH] += drawing->weights[i] / 2;
    }
}

static enum action_kind draw_kind(struct drawing *drawing)
{
    uint64_t sum = 0;
    uint64_t lot;

    for (size_t i = 0; i < ACTIONS; i++)
        sum += drawing->weights[i];
    lot = below(drawing, sum);
    for (size_t i = 0; i < ACTIONS; i++) {
        if (lot < drawing->weights[i])
            return (enum action_kind)i;
        lot -= drawing->weights[i];
    }
    return ACTION_PUBLISH;
}

static void add_later(struct drawing *drawing, const struct action *action, enum action_kind kind,
                      uint64_t delay_ms, uint64_t number)
{
    struct action later = {.at_ms = action->at_ms + delay_ms,
                           .kind = kind,
                           .node = action->node,
                           .other = action->other,
                           .number = number};

    plan_add(drawing->plan, &later);
}

/* Draws one action, and what ends it. */
static void draw_action(struct drawing *drawing, uint64_t at_ms, uint64_t *events, uint64_t *bytes)
{
    unsigned nodes = drawing->plan->options.nodes;
    struct action action = {.at_ms = at_ms, .kind = draw_kind(drawing)};
    uint64_t lasting;
    uint64_t size;

    action.node = (unsigned)below(drawing, nodes);
    action.other = (unsigned)below(drawing, nodes);
    lasting = one_in(drawing, 4) ? skewed(drawing, 60 * SECOND_MS) : skewed(drawing, 8 * SECOND_MS);
    switch (action.kind) {
    case ACTION_PUBLISH:
        action.number = skewed(drawing, 16);
        size = one_in(drawing, 8) ? GOSSIP_PAYLOAD_DEFAULT : 300;
        action.size = skewed(drawing, size) - 1;
        if (drawing->is_heavy) {
            action.number = between(drawing, 4, 40);
            action.size = between(drawing, GOSSIP_PAYLOAD_DEFAULT / 4, GOSSIP_PAYLOAD_DEFAULT);
        }
        if (action.number > *events)
            action.number = *events;
        if (action.number * action.size > *bytes)
            action.size = 16;
        if (action.number == 0)
            return;
        *events -= action.number;
        *bytes -= action.number * action.size < *bytes ? action.number * action.size : *bytes;
        break;
    case ACTION_KILL:
        action.damage = draw_damage(drawing);
        add_later(drawing, &action, ACTION_START, lasting, 0);
        break;
    case ACTION_STOP:
    case ACTION_MOVE:
        add_later(drawing, &action, ACTION_START, lasting, 0);
        break;
    case ACTION_PAUSE:
        add_later(drawing, &action, ACTION_RESUME, lasting, 0);
        break;
    case ACTION_STORM:
        action.damage = draw_damage(drawing);
        action.number = skewed(drawing, 20);
        action.size = skewed(drawing, 1500);
        break;
    case ACTION_LINKS:
        action.link = draw_link(drawing, !one_in(drawing, 3));
        break;
    case ACTION_LINK:
        action.link = draw_link(drawing, true);
        break;
    case ACTION_CUT:
    case ACTION_RING:
    case ACTION_SPLIT:
        add_later(drawing, &action, ACTION_HEAL, lasting, 0);
        break;
    case ACTION_SKEW: {
        uint64_t far = one_in(drawing, 8) ? UINT64_C(31536000000) : 3600000;

        action.offset = (int64_t)skewed(drawing, far);
        if (one_in(drawing, 2))
            action.offset = -action.offset;
        break;
    }
    case ACTION_DRIFT:
        action.offset = (int64_t)skewed(drawing, one_in(drawing, 4) ? 500000 : 1000);
        if (one_in(drawing, 2))
            action.offset = -action.offset;
        break;
    case ACTION_CRASH_AT:
        action.damage = draw_damage(drawing);
        action.number = skewed(drawing, 200);
        add_later(drawing, &action, ACTION_START, lasting, 0);
        break;
    case ACTION_FAIL_DISK:
        /* A commit whose outcome is unknown is the most dangerous of all. */
        action.operation = (enum virtual_operation)below(drawing, VIRTUAL_OPERATIONS);
        if (one_in(drawing, 2))
            action.operation = one_in(drawing, 2) ? VIRTUAL_SYNC : VIRTUAL_WRITE;
        /* The others are done at a start, an end or a checkpoint only. */
        action.number = skewed(drawing, action.operation <= VIRTUAL_SYNC ? 100 : 3);
        action.times = one_in(drawing, 3) ? UINT64_MAX : skewed(drawing, 4);
        add_later(drawing, &action, ACTION_START, lasting, 0);
        break;
    case ACTION_FULL_DISK:
        action.number = skewed(drawing, 100000);
        add_later(drawing, &action, ACTION_FULL_DISK, lasting, UINT64_MAX);
        break;
    case ACTION_SLOW_DISK:
        action.number = skewed(drawing, 1000);
        add_later(drawing, &action, ACTION_SLOW_DISK, lasting, 0);
        break;
    case ACTION_ISOLATE: /* These are drawn apart. */
    case ACTION_REJOIN:
    case ACTION_BACKUP:
    case ACTION_RESTORE:
    case ACTION_RESTORE_DATABASE:
    case ACTION_COPY_BACK:
    case ACTION_CLONE:
    case ACTION_FLIP:
    case ACTION_HEAL:
    case ACTION_ADD:
    case ACTION_START:
    case ACTION_RESUME:
    case ACTIONS:
        break;
    }
    plan_add(drawing->plan, &action);
}

/* Some disks are in trouble before the store on them is made. */
static void draw_early(struct drawing *drawing)
{
    for (unsigned i = 0; i < drawing->plan->options.nodes; i++) {
        struct action action = {.node = i, .is_early = true};

        if (!one_in(drawing, 3))
            continue;
        action.kind = one_in(drawing, 2) ? ACTION_CRASH_AT : ACTION_FAIL_DISK;
        action.damage = draw_damage(drawing);
        action.operation = (enum virtual_operation)below(drawing, VIRTUAL_OPERATIONS);
        action.number = skewed(drawing, action.kind == ACTION_CRASH_AT ? 64 : 8);
        action.times = skewed(drawing, 4);
        add_later(drawing, &action, ACTION_START, skewed(drawing, 10 * SECOND_MS), 0);
        plan_add(drawing->plan, &action);
    }
}

/* A node is set back to what it was some time before, now and then more than once. */
static void draw_restores(struct drawing *drawing)
{
    static const enum action_kind ways[] = {ACTION_RESTORE, ACTION_RESTORE_DATABASE,
                                            ACTION_COPY_BACK};
    unsigned nodes = drawing->plan->options.nodes;
    uint64_t wild_ms = drawing->plan->wild_ms;

    for (uint64_t i = skewed(drawing, 4); i > 0; i--) {
        struct action action = {.kind = ACTION_BACKUP, .node = (unsigned)below(drawing, nodes)};

        action.at_ms = below(drawing, wild_ms);
        plan_add(drawing->plan, &action);
        for (uint64_t times = one_in(drawing, 4) ? 2 : 1; times > 0; times--) {
            action.kind = ways[below(drawing, 3)];
            action.at_ms += 1 + skewed(drawing, wild_ms);
            plan_add(drawing->plan, &action);
            add_later(drawing, &action, ACTION_START,
                      one_in(drawing, 3) ? skewed(drawing, 30 * SECOND_MS) : 0, 0);
        }
    }
}

static uint64_t add_publications(struct drawing *drawing, const struct action *before,
                                 uint64_t delay_ms)
{
    struct action action = {.kind = ACTION_PUBLISH, .node = before->node};

    action.at_ms = before->at_ms + delay_ms + skewed(drawing, 4 * SECOND_MS);
    action.number = skewed(drawing, 12);
    action.size = skewed(drawing, 300);
    plan_add(drawing->plan, &action);
    return action.at_ms;
}

/* A machine is set back while nobody can tell it so, and writes on from there: when it is met again
 * its dots have two contents each. */
static void draw_forgotten(struct drawing *drawing)
{
    struct plan *plan = drawing->plan;
    uint64_t wild_ms = plan->wild_ms;

    for (uint64_t i = skewed(drawing, 3); i > 0; i--) {
        struct action action = {.kind = ACTION_BACKUP};
        uint64_t last_ms;

        action.node = (unsigned)below(drawing, plan->options.nodes);
        action.at_ms = below(drawing, wild_ms);
        plan_add(plan, &action);
        last_ms = add_publications(drawing, &action, 0);
        action.at_ms = last_ms + skewed(drawing, 10 * SECOND_MS);
        action.kind = ACTION_ISOLATE;
        plan_add(plan, &action);
        action.kind = one_in(drawing, 4) ? ACTION_COPY_BACK : ACTION_RESTORE;
        plan_add(plan, &action);
        add_later(drawing, &action, ACTION_START, 0, 0);
        last_ms = action.at_ms;
        for (uint64_t j = skewed(drawing, 4); j > 0; j--) {
            uint64_t at_ms = add_publications(drawing, &action, j * 4 * SECOND_MS);

            if (at_ms > last_ms)
                last_ms = at_ms;
        }
        /* It waits for somebody who could tell, and then writes. */
        last_ms += 5 * SECOND_MS + skewed(drawing, 20 * SECOND_MS);
        add_later(drawing, &action, ACTION_REJOIN, last_ms - action.at_ms, 0);
        if (last_ms > plan->wild_ms)
            plan->wild_ms = last_ms;
    }
}

static void draw_copies(struct drawing *drawing)
{
    for (uint64_t i = skewed(drawing, 2); i > 0; i--) {
        struct action action = {.kind = ACTION_CLONE};

        action.node = (unsigned)below(drawing, drawing->plan->options.nodes);
        action.at_ms = below(drawing, drawing->plan->wild_ms);
        plan_add(drawing->plan, &action);
    }
}

static void draw_flips(struct drawing *drawing)
{
    for (uint64_t i = skewed(drawing, 4); i > 0; i--) {
        struct action action = {.kind = ACTION_FLIP};

        action.node = (unsigned)below(drawing, drawing->plan->options.nodes);
        action.at_ms = below(drawing, drawing->plan->wild_ms);
        action.number = splitmix_next(&drawing->lots);
        action.times = one_in(drawing, 2) ? 1 : skewed(drawing, 64);
        plan_add(drawing->plan, &action);
        add_later(drawing, &action, ACTION_START, skewed(drawing, 8 * SECOND_MS), 0);
    }
}

/* What is done to whole disks came later than other faults, and is drawn apart, so that the others
 * stay what they were; each kind from lots of its own. */
static void draw_disks(struct plan *plan, uint64_t seed, const struct plan_faults *faults)
{
    struct drawing restores = {.plan = plan, .lots = {seed ^ UINT64_C(0x6261636b)}};
    struct drawing copies = {.plan = plan, .lots = {seed ^ UINT64_C(0x636f7079)}};
    struct drawing flips = {.plan = plan, .lots = {seed ^ UINT64_C(0x666c6970)}};
    struct drawing forgotten = {.plan = plan, .lots = {seed ^ UINT64_C(0x666f7267)}};

    if (faults->restores && one_in(&restores, 3))
        draw_restores(&restores);
    if (faults->copies && one_in(&copies, 4))
        draw_copies(&copies);
    if (faults->flips && one_in(&flips, 3))
        draw_flips(&flips);
    if (faults->restores && one_in(&forgotten, 4))
        draw_forgotten(&forgotten);
}

/* Stable, so that one seed gives one plan. */
static void sort_actions(struct plan *plan)
{
    for (size_t i = 1; i < plan->action_count; i++) {
        struct action action = plan->actions[i];
        size_t place = i;

        for (; place > 0 && plan->actions[place - 1].at_ms > action.at_ms; place--)
            plan->actions[place] = plan->actions[place - 1];
        plan->actions[place] = action;
    }
}

void plan_draw(struct plan *plan, uint64_t seed, const struct plan_faults *faults)
{
    struct drawing drawing = {.plan = plan, .lots = {seed}};
    uint64_t at_ms = 0;
    uint64_t events;
    uint64_t bytes;
    uint64_t pace;
    uint64_t longest;

    *plan = (struct plan){.quiet_ms = QUIET_MS};
    draw_world(&drawing, seed);
    draw_kind_of_world(&drawing, seed);
    draw_weights(&drawing, faults);
    events = 10 + skewed(&drawing, DELIVERIES_MAX / plan->options.nodes);
    if (drawing.is_heavy && events < HEAVY_EVENTS_MIN)
        events = HEAVY_EVENTS_MIN;
    bytes = (drawing.is_heavy ? HEAVY_BYTES_MAX : BYTES_MAX) / plan->options.nodes;
    longest = one_in(&drawing, 8) ? 300 : 60;
    plan->wild_ms = between(&drawing, 10, longest) * SECOND_MS;
    pace = between(&drawing, 100, 2000);
    if (one_in(&drawing, 4))
        draw_early(&drawing);
    while (at_ms < plan->wild_ms) {
        draw_action(&drawing, at_ms, &events, &bytes);
        at_ms += skewed(&drawing, 2 * pace);
        if (one_in(&drawing, 40))
            at_ms += between(&drawing, 1, 15) * SECOND_MS; /* A quiet stretch. */
    }
    draw_disks(plan, seed, faults);
    sort_actions(plan);
}
