/* Scripts on the simulator. */
#include "cmd/lab/stage.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/exit.h"
#include "cmd/lab/room.h"
#include "cmd/lab/world.h"

enum {
    KILLED = 128 + 9,
    LATENCY_MS = 1, /* Of a link of which nothing is said, and more of any other. */
    STEP_MS = 10,
    REAL_EVERY = 10, /* So many seeds, libsodium is in use; the others have a stand-in. */
};

struct sim {
    struct stage base;
    struct world *world;
    unsigned node_count;                /* Of the script, those to come by cloning too. */
    unsigned numbers[SCRIPT_NODES_MAX]; /* In the world; UINT_MAX: not yet. */
    unsigned nodes[SCRIPT_NODES_MAX];   /* And back. */
    bool is_up[SCRIPT_NODES_MAX];       /* As the journal has it. */
    uint64_t datagrams;
    uint64_t bytes;
    bool has_told; /* Of an invariant that was violated. */
};

static struct sim *sim_of(const struct stage *stage)
{
    /* The first member; stages are never const themselves. */
    union {
        const struct stage *stage;
        struct sim *sim;
    } same = {stage};

    return same.sim;
}

static uint64_t sim_now(const struct stage *stage)
{
    return world_now(sim_of(stage)->world);
}

/* ---- What is seen. ---- */

static unsigned node_of_key(const struct sim *sim, const uint8_t key[GOSSIP_KEY_SIZE])
{
    for (unsigned i = 0; i < world_nodes(sim->world); i++)
        if (memcmp(gossip_identity_key(world_identity(sim->world, i)), key, GOSSIP_KEY_SIZE) == 0)
            return sim->nodes[i];
    abort(); /* Nobody else has a certificate. */
}

static uint32_t journal_number(struct sim *sim, struct gossip *gossip, uint32_t number,
                               struct gossip_author *ret_author)
{
    if (gossip_author(gossip, number, ret_author) < 0)
        abort(); /* It is in a clock of that gossip. */
    return journal_author(sim->base.journal, ret_author->id, node_of_key(sim, ret_author->key));
}

static void copy_clock(struct sim *sim, struct gossip *gossip, const struct gossip_vclock *clock,
                       struct counts *ret_counts)
{
    for (size_t i = 0; i < clock->count; i++) {
        struct gossip_author author;
        uint32_t number = journal_number(sim, gossip, clock->authors[i], &author);

        counts_set(ret_counts, number, clock->counters[i]);
    }
}

static void see_event(void *context, unsigned number, const struct gossip_event *event)
{
    struct sim *sim = context;
    struct gossip *gossip = world_gossip(sim->world, number);
    struct gossip_author author;
    struct counts clock = {0};
    uint32_t written_by = journal_number(sim, gossip, event->dot.author, &author);

    copy_clock(sim, gossip, event->clock, &clock);
    journal_shown(sim->base.journal, world_now(sim->world), sim->nodes[number],
                  &(struct journal_shown){
                      .id = author.id,
                      .author_node = sim->base.journal->authors[written_by].node,
                      .is_own = author.is_own,
                      .seq = event->dot.seq,
                      .hash = event->hash,
                      .supersedes = event->supersedes,
                      .is_payload = event->kind == GOSSIP_EVENT_APPLICATION,
                      .data = event->data,
                      .size = event->size,
                      .clock = &clock,
                  });
    counts_clear(&clock);
}

static bool see_datagram(void *context, unsigned from, unsigned to,
                         const struct gossip_datagram *datagram)
{
    struct sim *sim = context;

    (void)from;
    (void)to;
    sim->datagrams++;
    sim->bytes += datagram->size;
    return false;
}

/* Of what is narrated, what nodes notice; peers come and go all the time. */
static void see_line(void *context, uint64_t time_ms, const char *line)
{
    struct sim *sim = context;
    unsigned number;
    int end = 0;

    if (sscanf(line, "n%u notices: %n", &number, &end) != 1 || end == 0 ||
        strncmp(line + end, "peer-", 5) == 0 || strncmp(line + end, "member", 6) == 0)
        return;
    journal_notice(sim->base.journal, time_ms, sim->nodes[number - 1], line + end);
}

/* Processes that have ended, though nobody said so: by themselves, or as copies of one that was
 * told that it is the original, by the start in line. */
static void see_ends(struct sim *sim, unsigned line)
{
    for (unsigned i = 0; i < sim->node_count; i++) {
        unsigned number = sim->numbers[i];
        int error;

        if (!sim->is_up[i] || world_state(sim->world, number) != WORLD_DOWN)
            continue;
        sim->is_up[i] = false;
        error = world_end_error(sim->world, number);
        journal_ended(sim->base.journal, world_now(sim->world), error < 0 ? 0 : line, i,
                      exit_for(error), error < 0 ? gossip_strerror(error) : "put away as a copy");
    }
}

/* Whether there is anything to come. Past a violation the run goes on, so that its expectations
 * are judged too. */
static bool goes_on(struct sim *sim)
{
    const struct violation *violation = world_violation(sim->world);
    char line[128];

    if (violation->invariant != INVARIANT_NONE && !sim->has_told) {
        snprintf(line, sizeof(line),
                 "FAILED: invariant %s, %s; nothing is held against it any more",
                 invariant_letter(violation->invariant), invariant_name(violation->invariant));
        journal_checked(sim->base.journal, world_now(sim->world), 0, line, true);
        sim->has_told = true;
    }
    if (!world_stands_still(sim->world))
        return true;
    snprintf(sim->base.explanation, sizeof(sim->base.explanation),
             "a node runs without end, and time stands still");
    return false;
}

static bool sim_advance(struct stage *stage, uint64_t until_ms)
{
    struct sim *sim = sim_of(stage);
    uint64_t version = stage->journal->version;

    while (stage->journal->version == version && world_now(sim->world) < until_ms) {
        uint64_t left = until_ms - world_now(sim->world);

        world_run(sim->world, left < STEP_MS ? left : STEP_MS);
        see_ends(sim, 0);
        if (!goes_on(sim))
            return false;
    }
    return goes_on(sim);
}

/* ---- What is done. ---- */

static bool sim_start(struct stage *stage, unsigned line, unsigned node)
{
    struct sim *sim = sim_of(stage);

    journal_started(stage->journal, world_now(sim->world), node);
    sim->is_up[node] = true;
    world_start(sim->world, sim->numbers[node]);
    see_ends(sim, line);
    return goes_on(sim);
}

static bool sim_stop(struct stage *stage, unsigned line, unsigned node)
{
    struct sim *sim = sim_of(stage);

    world_stop(sim->world, sim->numbers[node]);
    sim->is_up[node] = false;
    journal_ended(stage->journal, world_now(sim->world), line, node, EXIT_OK, NULL);
    return goes_on(sim);
}

static bool sim_kill(struct stage *stage, unsigned line, unsigned node)
{
    struct sim *sim = sim_of(stage);

    world_kill(sim->world, sim->numbers[node], VIRTUAL_DAMAGE_NONE);
    sim->is_up[node] = false;
    journal_ended(stage->journal, world_now(sim->world), line, node, KILLED, NULL);
    return goes_on(sim);
}

static bool sim_pause(struct stage *stage, unsigned node)
{
    struct sim *sim = sim_of(stage);

    world_pause(sim->world, sim->numbers[node]);
    return goes_on(sim);
}

static bool sim_resume(struct stage *stage, unsigned node)
{
    struct sim *sim = sim_of(stage);

    world_resume(sim->world, sim->numbers[node]);
    return goes_on(sim);
}

static bool sim_publish(struct stage *stage, unsigned node, const void *data, size_t size)
{
    struct sim *sim = sim_of(stage);

    if (world_publish(sim->world, sim->numbers[node], data, size))
        return true;
    snprintf(stage->explanation, sizeof(stage->explanation), "too much waits to be published");
    return false;
}

static size_t sim_waiting(struct stage *stage)
{
    struct sim *sim = sim_of(stage);
    size_t waiting = 0;

    for (unsigned i = 0; i < sim->node_count; i++)
        if (sim->is_up[i] && world_state(sim->world, sim->numbers[i]) == WORLD_UP)
            waiting += world_asked(sim->world, sim->numbers[i]);
    return waiting;
}

static bool sim_set_link(struct stage *stage, unsigned from, unsigned to,
                         const struct script_link *link)
{
    struct sim *sim = sim_of(stage);
    struct virtual_link virtual = {.latency_ms = LATENCY_MS, .is_cut = link == NULL};

    if (sim->numbers[from] == UINT_MAX || sim->numbers[to] == UINT_MAX)
        return true; /* It is set when there is such a node. */
    if (link) {
        virtual.latency_ms += link->latency_ms;
        virtual.jitter_ms = link->jitter_ms;
        virtual.loss_ppm = link->loss_ppm;
        virtual.duplicate_ppm = link->duplicate_ppm;
    }
    if (!virtual_network_set_link(world_network(sim->world), sim->numbers[from], sim->numbers[to],
                                  &virtual))
        abort(); /* No memory. */
    return true;
}

static bool sim_backup(struct stage *stage, unsigned node)
{
    struct sim *sim = sim_of(stage);

    world_backup(sim->world, sim->numbers[node]);
    return goes_on(sim);
}

static bool sim_restore(struct stage *stage, unsigned node, bool is_machine)
{
    struct sim *sim = sim_of(stage);
    bool is_done = is_machine ? world_restore(sim->world, sim->numbers[node])
                              : world_copy_back(sim->world, sim->numbers[node]);

    if (!is_done)
        snprintf(stage->explanation, sizeof(stage->explanation), "there is no backup of it");
    return is_done && goes_on(sim);
}

static bool sim_clone(struct stage *stage, unsigned node, unsigned copy)
{
    struct sim *sim = sim_of(stage);
    unsigned number = world_clone(sim->world, sim->numbers[node]);

    if (number == UINT_MAX) {
        snprintf(stage->explanation, sizeof(stage->explanation), "it cannot be copied");
        return false;
    }
    sim->numbers[copy] = number;
    sim->nodes[number] = copy;
    return goes_on(sim);
}

static bool sim_skew(struct stage *stage, unsigned node, int64_t ms)
{
    struct sim *sim = sim_of(stage);

    world_set_skew(sim->world, sim->numbers[node], ms);
    return goes_on(sim);
}

static bool sim_disk(struct stage *stage, unsigned node, enum script_disk disk, uint64_t number)
{
    static const enum virtual_operation operations[] = {[DISK_FAIL_READ] = VIRTUAL_READ,
                                                        [DISK_FAIL_WRITE] = VIRTUAL_WRITE,
                                                        [DISK_FAIL_SYNC] = VIRTUAL_SYNC};
    struct sim *sim = sim_of(stage);
    unsigned place = sim->numbers[node];

    switch (disk) {
    case DISK_OK:
        world_fill_disk(sim->world, place, UINT64_MAX);
        world_slow_disk(sim->world, place, 0);
        for (size_t i = DISK_FAIL_READ; i <= DISK_FAIL_SYNC; i++)
            world_fail_disk(sim->world, place, operations[i], 0, 0);
        break;
    case DISK_FULL:
        world_fill_disk(sim->world, place, number);
        break;
    case DISK_SLOW:
        world_slow_disk(sim->world, place, (uint32_t)number);
        break;
    case DISK_FAIL_READ:
    case DISK_FAIL_WRITE:
    case DISK_FAIL_SYNC:
        world_fail_disk(sim->world, place, operations[disk], 1, UINT32_MAX);
        break;
    }
    return goes_on(sim);
}

static bool sim_read_clocks(struct stage *stage)
{
    struct sim *sim = sim_of(stage);

    for (unsigned i = 0; i < sim->node_count; i++) {
        struct gossip *gossip;
        struct counts clock = {0};

        if (!sim->is_up[i] || world_state(sim->world, sim->numbers[i]) != WORLD_UP)
            continue;
        gossip = world_gossip(sim->world, sim->numbers[i]);
        copy_clock(sim, gossip, gossip_clock(gossip), &clock);
        journal_clock(stage->journal, world_now(sim->world), i, &clock);
        counts_clear(&clock);
    }
    return true;
}

static bool sim_count_traffic(struct stage *stage)
{
    struct sim *sim = sim_of(stage);

    journal_traffic(stage->journal, world_now(sim->world), sim->datagrams, sim->bytes);
    return true;
}

static bool sim_verdict(struct stage *stage, char *ret_title, size_t title_size, bool *ret_passed,
                        char *ret_witness, size_t witness_size)
{
    struct sim *sim = sim_of(stage);
    const struct violation *violation;
    struct checker_stats stats;

    world_examine(sim->world);
    violation = world_violation(sim->world);
    checker_stats(world_checker(sim->world), &stats);
    *ret_passed = violation->invariant == INVARIANT_NONE;
    snprintf(ret_title, title_size, "invariants I1 to I9, %" PRIu64 " comparisons", stats.checks);
    if (!*ret_passed)
        snprintf(ret_witness, witness_size, "%s, %s, at %" PRIu64 ".%03" PRIu64 " s: %s",
                 invariant_letter(violation->invariant), invariant_name(violation->invariant),
                 violation->time_ms / 1000, violation->time_ms % 1000, violation->witness);
    return true;
}

static void sim_close(struct stage *stage)
{
    struct sim *sim = sim_of(stage);

    if (!sim)
        return;
    world_destroy(sim->world);
    free(sim);
}

static const struct stage_ops sim_ops = {
    .name = "sim",
    .abilities = (1U << ABILITIES) - 1,
    .now_ms = sim_now,
    .advance = sim_advance,
    .start = sim_start,
    .stop = sim_stop,
    .kill = sim_kill,
    .pause = sim_pause,
    .resume = sim_resume,
    .publish = sim_publish,
    .waiting = sim_waiting,
    .set_link = sim_set_link,
    .backup = sim_backup,
    .restore = sim_restore,
    .clone = sim_clone,
    .skew = sim_skew,
    .disk = sim_disk,
    .read_clocks = sim_read_clocks,
    .count_traffic = sim_count_traffic,
    .verdict = sim_verdict,
    .close = sim_close,
};

static struct stage *open_sim(const struct script *script, uint64_t seed, struct journal *journal)
{
    static const struct virtual_link plain = {.latency_ms = LATENCY_MS};
    struct sim *sim = room_new(sizeof(*sim));
    struct world_options options = {
        .seed = seed,
        .nodes_max = script->node_count,
        .store = WORLD_SQLITE,
        .crypto = seed % REAL_EVERY == 0 ? WORLD_SODIUM : WORLD_STANDIN,
        .period_ms = script->period_ms,
        .stopped = true,
        .goes_on = true,
    };

    sim->base = (struct stage){.ops = &sim_ops, .journal = journal};
    sim->node_count = script->node_count;
    for (unsigned i = 0; i < script->node_count; i++) {
        sim->numbers[i] = UINT_MAX;
        if (script->nodes[i].is_copy)
            continue;
        sim->numbers[i] = options.nodes;
        sim->nodes[options.nodes++] = i;
    }
    sim->world = world_create(&options);
    virtual_network_set_default(world_network(sim->world), &plain);
    world_set_application(sim->world, see_event, sim);
    world_set_tap(sim->world, see_datagram, sim);
    world_set_narrator(sim->world, see_line, sim);
    return &sim->base;
}

const struct stage_place stage_sim = {.ops = &sim_ops, .open = open_sim};
