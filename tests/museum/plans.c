#include "tests/museum/plans.h"

enum {
    SECOND_MS = 1000,
    MEET_MS = 10 * SECOND_MS, /* By then all nodes know each other. */
    NODES_MIN = 3,
    NODES_MAX = 5,
};

void plan_draw_usual(struct plan *plan, uint64_t seed)
{
    static const struct plan_faults faults;

    plan_draw(plan, seed, &faults);
}

void plan_draw_empty(struct plan *plan, uint64_t seed)
{
    struct splitmix lots = {seed};

    plan_draw_usual(plan, seed);
    for (size_t i = 0; i < plan->action_count; i++) {
        if (plan->actions[i].kind == ACTION_PUBLISH && splitmix_below(&lots, 8) == 0)
            plan->actions[i].size = 0;
    }
}

static void add(struct plan *plan, uint64_t at_ms, enum action_kind kind, unsigned node,
                unsigned other)
{
    struct action action = {.at_ms = at_ms, .kind = kind, .node = node, .other = other};

    plan_add(plan, &action);
}

static void add_publication(struct plan *plan, uint64_t at_ms, unsigned node, uint64_t number,
                            uint64_t size)
{
    struct action action = {
        .at_ms = at_ms, .kind = ACTION_PUBLISH, .node = node, .number = number, .size = size};

    plan_add(plan, &action);
}

void plan_draw_flood(struct plan *plan, uint64_t seed)
{
    struct splitmix lots = {seed};
    struct world_options *options = &plan->options;
    bool is_large = splitmix_below(&lots, 2) == 0;
    uint64_t at_ms = MEET_MS;
    uint64_t batches;
    unsigned deaf;
    unsigned cause;
    unsigned writer;

    *plan = (struct plan){.quiet_ms = 240 * SECOND_MS};
    options->seed = splitmix_next(&lots);
    options->nodes = (unsigned)splitmix_between(&lots, NODES_MIN, NODES_MAX);
    options->nodes_max = options->nodes;
    options->store = splitmix_below(&lots, 2) == 0 ? WORLD_MEMORY : WORLD_SQLITE;
    options->period_ms = SECOND_MS;
    options->fanout = 1;
    options->payload_max = GOSSIP_PAYLOAD_DEFAULT;
    plan->links.latency_ms = (uint32_t)splitmix_between(&lots, 1, 20);
    plan->links.jitter_ms = (uint32_t)splitmix_between(&lots, 0, 10);
    deaf = (unsigned)splitmix_below(&lots, options->nodes);
    cause = (deaf + 1) % options->nodes;
    writer = (deaf + 2) % options->nodes;

    for (unsigned i = 0; i < options->nodes; i++) {
        if (i != deaf)
            add(plan, at_ms, ACTION_CUT, deaf, i);
    }
    add(plan, at_ms, ACTION_CUT, cause, deaf);
    add_publication(plan, at_ms, cause, 1, 20);
    at_ms += 200;
    /* Each batch is small enough to be pushed unasked, and together they are about as much as may
     * be held back: sometimes less, sometimes more. */
    batches = is_large ? splitmix_between(&lots, 400, 800) : splitmix_between(&lots, 60, 120);
    for (uint64_t i = 0; i < batches; i++) {
        add_publication(plan, at_ms, writer, is_large ? 1 : 50, is_large ? 7500 : 60);
        at_ms += is_large ? 4 : 20;
    }
    at_ms += splitmix_between(&lots, 100, 5000);
    add(plan, at_ms, ACTION_HEAL, 0, 0);
    plan->wild_ms = at_ms + SECOND_MS;
}
