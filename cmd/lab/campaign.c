#include "cmd/lab/campaign.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/lab/room.h"
#include "gossip/splitmix.h"

enum {
    SECOND_MS = 1000,
    FETCHED_BYTES_A_MILLISECOND = 16,
    /* After agreement a node asks everybody once before it slows down, so that takes longer the
     * more there are ... */
    SETTLE_MS = 60 * SECOND_MS,
    SETTLE_NODE_MS = 20 * SECOND_MS,
    /* ... and then for so long there is no commit, and little talk. */
    IDLE_MS = 120 * SECOND_MS,
    /* One that has ended is started again so often; more is no double of it any more. */
    ENDS_MAX = 16,
};

struct campaign {
    const struct plan *plan;
    struct world *world;
    struct splitmix lots; /* For payloads. */
    uint64_t published;   /* Asked for, */
    uint64_t published_bytes;
    struct campaign_coverage coverage;
    uint8_t *payload;
    size_t payload_capacity;
};

/* Payloads differ, and sometimes look like something else. */
static void publish(struct campaign *campaign, const struct action *action)
{
    size_t size = (size_t)action->size;

    campaign->payload = room_for(campaign->payload, &campaign->payload_capacity, size + 32, 1);
    for (uint64_t i = 0; i < action->number; i++) {
        char text[32];
        size_t length = (size_t)snprintf(text, sizeof(text), "%" PRIu64 ",", campaign->published);
        uint8_t filler = (uint8_t)splitmix_next(&campaign->lots);

        memset(campaign->payload, filler, size);
        memcpy(campaign->payload, text, length < size ? length : size);
        if (world_publish(campaign->world, action->node, campaign->payload, size)) {
            campaign->published++;
            campaign->published_bytes += size;
        }
    }
}

/* Each hears only the one before it. */
static void make_ring(struct world *world)
{
    unsigned count = world_nodes(world);

    for (unsigned i = 0; i < count; i++) {
        for (unsigned j = 0; j < count; j++) {
            if (i != j && j != (i + 1) % count)
                world_cut(world, i, j);
        }
    }
}

static void storm(struct world *world, const struct action *action)
{
    for (uint64_t i = 0; i < action->number && world_is_sound(world); i++) {
        world_kill(world, action->node, action->damage);
        world_start(world, action->node);
        world_run(world, action->size);
    }
    world_start(world, action->node);
}

static void perform(struct campaign *campaign, const struct action *action)
{
    struct world *world = campaign->world;
    struct virtual_network *network = world_network(world);
    unsigned node = action->node;

    /* A shrunk plan may have fewer nodes than its actions speak of. */
    if (action->is_dropped || node >= world_nodes(world) || action->other >= world_nodes(world) ||
        !world_is_sound(world))
        return;
    campaign->coverage.actions[action->kind]++;
    switch (action->kind) {
    case ACTION_PUBLISH:
        publish(campaign, action);
        break;
    case ACTION_KILL:
        world_kill(world, node, action->damage);
        break;
    case ACTION_STOP:
        world_stop(world, node);
        break;
    case ACTION_START:
        world_start(world, node);
        break;
    case ACTION_PAUSE:
        world_pause(world, node);
        break;
    case ACTION_RESUME:
        world_resume(world, node);
        break;
    case ACTION_STORM:
        storm(world, action);
        break;
    case ACTION_LINKS:
        virtual_network_set_default(network, &action->link);
        break;
    case ACTION_LINK:
        if (!virtual_network_set_link(network, node, action->other, &action->link))
            abort();
        break;
    case ACTION_CUT:
        world_cut(world, node, action->other);
        break;
    case ACTION_RING:
        make_ring(world);
        break;
    case ACTION_SPLIT:
        world_split(world, node);
        break;
    case ACTION_ISOLATE:
        world_isolate(world, node);
        break;
    case ACTION_REJOIN:
        world_rejoin(world, node);
        break;
    case ACTION_HEAL:
        world_heal(world);
        break;
    case ACTION_SKEW:
        world_set_skew(world, node, action->offset);
        break;
    case ACTION_DRIFT:
        world_set_drift(world, node, (int32_t)action->offset);
        break;
    case ACTION_CRASH_AT:
        world_crash_at(world, node, action->number, action->damage);
        break;
    case ACTION_FAIL_DISK:
        world_fail_disk(world, node, action->operation, action->number, action->times);
        break;
    case ACTION_FULL_DISK:
        world_fill_disk(world, node, action->number);
        break;
    case ACTION_SLOW_DISK:
        world_slow_disk(world, node, (uint32_t)action->number);
        break;
    case ACTION_ADD:
        world_add(world);
        break;
    case ACTION_MOVE:
        world_stop(world, node);
        world_move(world, node);
        break;
    case ACTION_BACKUP:
        world_stop(world, node);
        world_backup(world, node);
        world_start(world, node);
        break;
    case ACTION_RESTORE:
        world_kill(world, node, VIRTUAL_DAMAGE_NONE);
        world_restore(world, node);
        break;
    case ACTION_RESTORE_DATABASE:
        world_kill(world, node, VIRTUAL_DAMAGE_NONE);
        world_restore_database(world, node);
        break;
    case ACTION_COPY_BACK:
        world_kill(world, node, VIRTUAL_DAMAGE_NONE);
        world_copy_back(world, node);
        break;
    case ACTION_FLIP:
        if (action->number % 2 == 0)
            world_kill(world, node, VIRTUAL_DAMAGE_NONE);
        else
            world_stop(world, node); /* There is no log then to cover the database. */
        world_flip(world, node, action->number, (unsigned)action->times);
        break;
    case ACTION_CLONE: {
        unsigned clone;

        world_stop(world, node);
        clone = world_clone(world, node);
        world_start(world, node);
        if (clone != UINT_MAX)
            world_start(world, clone);
        break;
    }
    case ACTIONS:
        break;
    }
}

/* Whoever looks after them starts what has ended, and puts copies away. */
static void start_all(struct world *world)
{
    for (unsigned i = 0; i < world_nodes(world); i++)
        world_start(world, i);
}

/* Faults are off from now on, and everybody is up. */
static void end_faults(struct world *world)
{
    static const struct virtual_link calm = {.latency_ms = 10, .jitter_ms = 20};
    unsigned count = world_nodes(world);

    virtual_network_set_default(world_network(world), &calm);
    for (unsigned i = 0; i < count; i++)
        world_rejoin(world, i);
    world_heal(world);
    for (unsigned i = 0; i < count; i++) {
        for (unsigned j = 0; j < count; j++) {
            if (!virtual_network_set_link(world_network(world), i, j, NULL))
                abort();
        }
    }
    for (unsigned i = 0; i < count; i++) {
        world_crash_at(world, i, 0, VIRTUAL_DAMAGE_NONE);
        for (enum virtual_operation j = VIRTUAL_READ; j < VIRTUAL_OPERATIONS; j++)
            world_fail_disk(world, i, j, 0, 0);
        world_fill_disk(world, i, UINT64_MAX);
        world_slow_disk(world, i, 0);
        world_set_skew(world, i, 0);
        world_set_drift(world, i, 0);
        world_resume(world, i);
    }
    world_put_copies_away(world);
    start_all(world);
}

/* Nodes in step are up, all of them. */
static bool is_settled(struct world *world)
{
    return !world_is_all_up(world) || world_in_step(world);
}

static size_t nodes_up(struct world *world, unsigned *nodes)
{
    size_t count = 0;

    for (unsigned i = 0; i < world_nodes(world); i++) {
        if (world_state(world, i) == WORLD_UP)
            nodes[count++] = i;
    }
    return count;
}

static unsigned count_up(const struct world *world)
{
    unsigned count = 0;

    for (unsigned i = 0; i < world_nodes(world); i++)
        count += world_state(world, i) == WORLD_UP;
    return count;
}

static void require_up(struct world *world)
{
    for (unsigned i = 0; i < world_nodes(world); i++) {
        if (world_state(world, i) != WORLD_UP && !world_is_retired(world, i))
            checker_report(world_checker(world), INVARIANT_BOUNDS,
                           "n%u has ended, and no fault was left to make it", i + 1);
    }
}

static void report_disagreement(struct campaign *campaign, uint64_t waited_ms)
{
    struct world *world = campaign->world;
    unsigned *nodes = room_new(world_nodes(world) * sizeof(*nodes));
    size_t count = nodes_up(world, nodes);
    char lines[4096];

    checker_disagreement(world_checker(world), nodes, count, lines, sizeof(lines));
    checker_report(world_checker(world), INVARIANT_AGREEMENT,
                   "%" PRIu64 " s after the last fault %zu nodes are not in step%s",
                   waited_ms / 1000, count,
                   lines[0] != '\0' ? lines : "\n  all hold all events, and do not know it");
    free(nodes);
}

/* All agree within the plan's bound, and a second more for every 16 KiB of events there are: one
 * may have to fetch them all, over bad links. */
static void require_agreement(struct campaign *campaign)
{
    uint64_t bound_ms =
        campaign->plan->quiet_ms + campaign->published_bytes / FETCHED_BYTES_A_MILLISECOND;
    uint64_t began = world_now(campaign->world);
    uint64_t end = began + bound_ms;
    uint64_t took;

    /* Who learns only now that it had a double has stopped. */
    while (world_run_until(campaign->world, is_settled, end - world_now(campaign->world)) &&
           !world_is_all_up(campaign->world) && world_is_sound(campaign->world)) {
        world_run(campaign->world, SECOND_MS);
        start_all(campaign->world);
        if (world_now(campaign->world) > end)
            break;
    }
    if (world_is_sound(campaign->world) &&
        (!world_is_all_up(campaign->world) || !world_in_step(campaign->world))) {
        report_disagreement(campaign, bound_ms);
        return;
    }
    took = world_now(campaign->world) - began;
    if (took > campaign->coverage.converged_ms_max)
        campaign->coverage.converged_ms_max = took;
}

static uint64_t commits(struct world *world)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < world_nodes(world); i++) {
        struct gossip_stats stats;

        if (world_state(world, i) != WORLD_UP)
            continue;
        gossip_stats(world_gossip(world, i), &stats);
        sum += stats.commits;
    }
    return sum;
}

static bool is_somebody_down(struct world *world)
{
    return !world_is_all_up(world);
}

/* Lets time pass until for so long nobody has ended. Who had a double may learn of it only now: it
 * is started again, and goes on in a new epoch. */
static void settle(struct campaign *campaign, uint64_t ms)
{
    struct world *world = campaign->world;

    for (unsigned i = 0; i < ENDS_MAX && world_run_until(world, is_somebody_down, ms); i++) {
        world_run(world, SECOND_MS);
        start_all(world);
        require_agreement(campaign);
    }
    require_up(world);
}

/* Only created events tick, so an idle cluster falls quiet: nothing is saved, and each node says
 * little more than that it is there. */
static void require_quiet(struct campaign *campaign)
{
    struct world *world = campaign->world;
    struct virtual_network_stats before;
    struct virtual_network_stats after;
    uint64_t commits_before;
    uint64_t nodes = count_up(world);
    /* Each asks up to three peers every half minute, and every question has an answer; and as much
     * again for who has yet to slow down. */
    uint64_t allowed = nodes * (IDLE_MS / 30000) * 3 * 2 * 2;
    /* And each asks at least one, every half minute and a tenth. */
    uint64_t needed = nodes > 1 ? nodes * (IDLE_MS / 33000) * 2 : 0;

    settle(campaign, SETTLE_MS + nodes * SETTLE_NODE_MS);
    commits_before = commits(world);
    virtual_network_stats(world_network(world), &before);
    world_run(world, IDLE_MS);
    virtual_network_stats(world_network(world), &after);
    if (commits(world) != commits_before)
        checker_report(world_checker(world), INVARIANT_AGREEMENT,
                       "in %d s without an event there were %" PRIu64 " commits", IDLE_MS / 1000,
                       commits(world) - commits_before);
    if (after.sent - before.sent < needed)
        checker_report(world_checker(world), INVARIANT_AGREEMENT,
                       "in %d s %" PRIu64 " nodes gave only %" PRIu64 " signs of life; %" PRIu64
                       " are needed",
                       IDLE_MS / 1000, nodes, after.sent - before.sent, needed);
    if (after.sent - before.sent > allowed)
        checker_report(world_checker(world), INVARIANT_AGREEMENT,
                       "in %d s without an event %" PRIu64 " nodes sent %" PRIu64
                       " datagrams; %" PRIu64 " are allowed",
                       IDLE_MS / 1000, nodes, after.sent - before.sent, allowed);
}

/* The displayed order as the history's numbers, folded into one. */
static bool log_trace(struct world *world, unsigned node, uint64_t *ret_hash)
{
    struct gossip *gossip = world_gossip(world, node);
    struct gossip_log *log;
    struct gossip_event event;
    uint64_t hash = 0;
    int found = gossip_log_open(gossip, GOSSIP_LOG_EVENTS, &log);

    if (found < 0)
        return false;
    while ((found = gossip_log_next(log, &event)) == 1) {
        struct gossip_author author;

        if (gossip_author(gossip, event.dot.author, &author) < 0)
            break;
        for (size_t i = 0; i < sizeof(author.id); i++)
            hash = (hash ^ author.id[i]) * UINT64_C(0x100000001b3);
        hash = (hash ^ event.dot.seq) * UINT64_C(0x100000001b3);
    }
    gossip_log_close(log);
    *ret_hash = hash;
    return found == 0;
}

/* Nodes that hold the same events show the same, whatever way these came. */
static void require_same_logs(struct campaign *campaign)
{
    struct world *world = campaign->world;
    uint64_t first = 0;
    bool any = false;

    for (unsigned i = 0; i < world_nodes(world); i++) {
        uint64_t hash;

        if (world_state(world, i) != WORLD_UP)
            continue;
        checker_read_log(world_checker(world), i, world_gossip(world, i));
        if (!log_trace(world, i, &hash)) {
            checker_report(world_checker(world), INVARIANT_BOUNDS, "n%u cannot show its log",
                           i + 1);
            return;
        }
        if (any && hash != first)
            checker_report(world_checker(world), INVARIANT_ORDER,
                           "n%u shows the same events as the others in another order", i + 1);
        first = hash;
        any = true;
    }
}

/* What lies behind the cut of a fork its owner has issued again, once. */
static void require_reissues(struct campaign *campaign)
{
    struct world *world = campaign->world;
    unsigned *nodes = room_new(world_nodes(world) * sizeof(*nodes));
    size_t count = nodes_up(world, nodes);

    checker_reissues(world_checker(world), nodes, count);
    free(nodes);
}

/* A node that gets everything late and in disorder comes to the same state. */
static void add_late_joiner(struct campaign *campaign)
{
    static const struct virtual_link bad = {.latency_ms = 20,
                                            .jitter_ms = 300,
                                            .loss_ppm = 100000,
                                            .duplicate_ppm = 200000,
                                            .reorder_ppm = 200000,
                                            .reorder_ms = 1000};
    struct world *world = campaign->world;
    unsigned joiner;

    virtual_network_set_default(world_network(world), &bad);
    joiner = world_add(world);
    for (unsigned i = 1; i < joiner && joiner != UINT_MAX && campaign->plan->joins_first_only;
         i++) {
        world_cut(world, joiner, i);
        world_cut(world, i, joiner);
    }
    require_agreement(campaign);
}

static void sum_up(struct campaign *campaign)
{
    struct campaign_coverage *coverage = &campaign->coverage;
    struct world *world = campaign->world;

    coverage->runs = 1;
    coverage->simulated_ms = world_now(world);
    coverage->nodes = world_nodes(world);
    world_stats(world, &coverage->world);
    virtual_network_stats(world_network(world), &coverage->network);
    checker_stats(world_checker(world), &coverage->checker);
    for (unsigned i = 0; i < world_nodes(world); i++) {
        struct virtual_disk_stats disk;

        if (world_disk(world, i) == NULL)
            continue;
        virtual_disk_stats(world_disk(world, i), &disk);
        for (size_t j = 0; j < VIRTUAL_OPERATIONS; j++) {
            coverage->disk.operations[j] += disk.operations[j];
            coverage->disk.failed[j] += disk.failed[j];
        }
        for (size_t j = 0; j < VIRTUAL_DAMAGES; j++)
            coverage->disk.crashes[j] += disk.crashes[j];
        coverage->disk.full += disk.full;
        coverage->disk.lost += disk.lost;
        coverage->disk.torn += disk.torn;
        coverage->disk.shuffled += disk.shuffled;
        coverage->disk.flipped += disk.flipped;
    }
}

void campaign_run(const struct plan *plan, world_narrator *narrator, void *context,
                  struct campaign_result *ret_result)
{
    struct campaign campaign = {.plan = plan, .lots = {plan->options.seed}};
    struct world_options options = plan->options;
    struct world *world;

    options.stopped = true;
    world = world_create(&options);
    campaign.world = world;
    world_set_narrator(world, narrator, context);
    virtual_network_set_default(world_network(world), &plan->links);
    for (size_t i = 0; i < plan->action_count; i++) {
        if (plan->actions[i].is_early)
            perform(&campaign, &plan->actions[i]);
    }
    for (unsigned i = 0; i < options.nodes; i++)
        world_start(world, i);
    for (size_t i = 0; i < plan->action_count && world_is_sound(world); i++) {
        const struct action *action = &plan->actions[i];

        if (action->at_ms > plan->wild_ms)
            break;
        if (action->at_ms > world_now(world))
            world_run(world, action->at_ms - world_now(world));
        if (!action->is_early)
            perform(&campaign, action);
    }
    if (world_now(world) < plan->wild_ms)
        world_run(world, plan->wild_ms - world_now(world));
    end_faults(world);
    require_agreement(&campaign);
    if (world_is_sound(world))
        require_quiet(&campaign);
    if (world_is_sound(world))
        require_reissues(&campaign);
    if (world_is_sound(world) && plan->late_joiner)
        add_late_joiner(&campaign);
    world_examine(world);
    if (world_is_sound(world))
        require_same_logs(&campaign);

    sum_up(&campaign);
    ret_result->violation = *world_violation(world);
    ret_result->trace = world_trace(world);
    ret_result->coverage = campaign.coverage;
    world_destroy(world);
    free(campaign.payload);
}

/* One place that knows every count: whether it is a sum or a maximum, and its name. */
static void walk_coverage(struct campaign_coverage *coverage, const struct campaign_coverage *other,
                          campaign_count *show, void *context)
{
    char name[64];

#define COUNT(member, label)                                                                       \
    do {                                                                                           \
        if (other != NULL)                                                                         \
            coverage->member += other->member;                                                     \
        if (show != NULL)                                                                          \
            show(context, label, coverage->member);                                                \
    } while (0)

    COUNT(runs, "seeds");
    COUNT(simulated_ms, "simulated ms");
    COUNT(nodes, "nodes");
    COUNT(world.steps, "steps");
    COUNT(world.published, "published");
    COUNT(world.refused, "publications refused");
    COUNT(checker.events, "events");
    COUNT(checker.deliveries, "deliveries");
    COUNT(checker.popped, "deliveries shown");
    COUNT(checker.pairs, "pairs checked");
    COUNT(checker.pairs_exact, "pairs checked by bit sets");
    COUNT(checker.relations, "relations asked");
    COUNT(checker.checks, "checks");
    COUNT(checker.datagrams, "datagrams");
    COUNT(checker.boxes, "boxes opened");
    COUNT(checker.claims, "claims compared");
    COUNT(checker.streamed, "event bytes compared");
    COUNT(checker.restarts, "starts compared");
    COUNT(checker.unknown, "saves of unknown outcome");
    COUNT(checker.returned, "of those, had come to pass");
    COUNT(world.starts, "fault: starts");
    COUNT(world.kills, "fault: kills");
    COUNT(world.stops, "fault: stops");
    COUNT(world.deaths, "fault: ends by itself");
    COUNT(world.pauses, "fault: pauses");
    COUNT(world.clock_jumps, "fault: clock jumps");
    COUNT(world.clock_drifts, "fault: clock drifts");
    COUNT(checker.set_back_seen, "disks set back so that it shows");
    COUNT(checker.set_back_unseen, "disks set back so that it may not");
    COUNT(checker.epochs, "epochs opened anew");
    COUNT(checker.forks, "forks");
    COUNT(checker.cuts, "cuts saved");
    COUNT(checker.contested, "events behind cuts");
    COUNT(checker.reissued, "events issued again");
    COUNT(checker.excused, "causes behind cuts");
    COUNT(world.backups, "backups");
    COUNT(world.restored, "fault: machines set back");
    COUNT(world.restored_databases, "fault: databases set back");
    COUNT(world.copied_back, "fault: files copied back");
    COUNT(world.clones, "fault: clones");
    COUNT(world.put_away, "clones put away");
    COUNT(world.flips, "fault: files with wrong bits");
    COUNT(world.flips_harmless, "of those, without effect");
    COUNT(world.flips_set_back, "of those, an earlier commit");
    COUNT(world.rebuilt, "of those, rebuilt");
    COUNT(world.moves, "fault: moves");
    COUNT(network.lost, "fault: datagrams lost");
    COUNT(network.lost_in_bursts, "fault: lost in bursts");
    COUNT(network.lost_in_cuts, "fault: lost in cuts");
    COUNT(network.lost_in_flaps, "fault: lost in flaps");
    COUNT(network.lost_in_queues, "fault: lost in queues");
    COUNT(network.duplicated, "fault: duplicated");
    COUNT(network.reordered, "fault: reordered");
    COUNT(network.corrupted, "fault: corrupted");
    COUNT(network.truncated, "fault: truncated");
    COUNT(network.delayed_by_tail, "fault: late by a tail");
    COUNT(network.queued, "fault: queued for bandwidth");
    COUNT(network.astray, "fault: astray");
    for (size_t i = 0; i < VIRTUAL_OPERATIONS; i++) {
        snprintf(name, sizeof(name), "file operations: %s",
                 operation_name((enum virtual_operation)i));
        COUNT(disk.operations[i], name);
    }
    for (size_t i = 0; i < VIRTUAL_OPERATIONS; i++) {
        snprintf(name, sizeof(name), "fault: failed %s", operation_name((enum virtual_operation)i));
        COUNT(disk.failed[i], name);
    }
    for (size_t i = 0; i < VIRTUAL_DAMAGES; i++) {
        snprintf(name, sizeof(name), "fault: crashes, damage %s",
                 damage_name((enum virtual_damage)i));
        COUNT(disk.crashes[i], name);
    }
    COUNT(disk.full, "fault: disk full");
    COUNT(disk.lost, "fault: writes lost");
    COUNT(disk.torn, "fault: writes torn");
    COUNT(disk.shuffled, "fault: writes reordered");
    COUNT(disk.flipped, "fault: bits flipped");
    for (size_t i = 0; i < ACTIONS; i++) {
        snprintf(name, sizeof(name), "action: %s", action_name((enum action_kind)i));
        COUNT(actions[i], name);
    }
#undef COUNT
    if (other != NULL && other->converged_ms_max > coverage->converged_ms_max)
        coverage->converged_ms_max = other->converged_ms_max;
    if (show != NULL)
        show(context, "longest way to agreement, ms", coverage->converged_ms_max);
}

void campaign_coverage_add(struct campaign_coverage *sum, const struct campaign_coverage *run)
{
    walk_coverage(sum, run, NULL, NULL);
}

void campaign_coverage_show(const struct campaign_coverage *coverage, campaign_count *show,
                            void *context)
{
    struct campaign_coverage copy = *coverage;

    walk_coverage(&copy, NULL, show, context);
}
