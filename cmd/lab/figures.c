#include "cmd/lab/figures.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/lab/room.h"

/* The network as statements have made it, while the journal is read again. */
struct view {
    const struct journal *journal;
    const struct script *script;
    struct figures *figures;
    bool passes[SCRIPT_NODES_MAX][SCRIPT_NODES_MAX];
    bool is_cut[SCRIPT_NODES_MAX][SCRIPT_NODES_MAX];
    unsigned part[SCRIPT_NODES_MAX];
    uint64_t *reached; /* By event: the nodes that its writer could reach, as bits. */
    bool is_up[SCRIPT_NODES_MAX];
    struct event_set shown[SCRIPT_NODES_MAX];
    uint64_t shown_count[SCRIPT_NODES_MAX];
    struct event_set all; /* What any node has shown. */
    uint64_t all_count;
    uint64_t behind_since[SCRIPT_NODES_MAX]; /* Since when it lacks something and is shown nothing;
                                                UINT64_MAX: it lacks nothing, or is down. */
    bool is_healing;
    uint64_t *latencies[LATENCY_GROUPS];
    size_t latency_counts[LATENCY_GROUPS];
    size_t latency_capacities[LATENCY_GROUPS];
};

static bool has(uint64_t nodes, unsigned node)
{
    return (nodes >> node & 1) != 0;
}

static const struct statement *statement_of(const struct script *script, unsigned line)
{
    for (size_t i = 0; i < script->count; i++)
        if (script->statements[i].line == line)
            return &script->statements[i];
    return NULL;
}

static void change_network(struct view *view, const struct statement *statement)
{
    unsigned count = view->script->node_count;
    bool is_whole = statement->kind == STATEMENT_HEAL && !statement->has_arrow;

    for (unsigned i = 0; i < count && statement->kind == STATEMENT_PARTITION; i++)
        for (size_t j = 0; j < statement->part_count; j++)
            if (has(statement->parts[j], i))
                view->part[i] = (unsigned)j + 1;
    for (unsigned i = 0; i < count && is_whole; i++)
        view->part[i] = 0;
    for (unsigned i = 0; i < count; i++) {
        for (unsigned j = 0; j < count; j++) {
            bool is_about =
                (has(statement->nodes, i) && has(statement->others, j)) ||
                (statement->is_both_ways && has(statement->nodes, j) && has(statement->others, i));

            if (is_about && statement->kind == STATEMENT_CUT)
                view->is_cut[i][j] = true;
            if (is_about && statement->kind == STATEMENT_HEAL)
                view->is_cut[i][j] = false;
            view->passes[i][j] = !view->is_cut[i][j] && view->part[i] == view->part[j];
        }
    }
}

/* A clone stands beside the node that it is of. */
static void add_clone(struct view *view, const struct statement *statement)
{
    unsigned node = (unsigned)__builtin_ctzll(statement->nodes);
    unsigned copy = statement->copy;

    view->part[copy] = view->part[node];
    for (unsigned i = 0; i < view->script->node_count; i++) {
        view->is_cut[i][copy] = view->is_cut[i][node];
        view->is_cut[copy][i] = view->is_cut[node][i];
        view->passes[i][copy] = view->passes[i][node];
        view->passes[copy][i] = view->passes[node][i];
    }
    view->passes[node][copy] = view->passes[copy][node] = true;
}

/* All that node can reach, by way of others too. */
static uint64_t reach(const struct view *view, unsigned node)
{
    uint64_t reached = UINT64_C(1) << node;
    uint64_t before;

    do {
        before = reached;
        for (unsigned i = 0; i < view->script->node_count; i++) {
            if (!has(before, i) || (!view->is_up[i] && i != node))
                continue;
            for (unsigned j = 0; j < view->script->node_count; j++)
                if (view->passes[i][j])
                    reached |= UINT64_C(1) << j;
        }
    } while (reached != before);
    return reached;
}

static void add_latency(struct view *view, enum latency_group group, uint64_t ms)
{
    view->latencies[group] =
        room_for(view->latencies[group], &view->latency_capacities[group],
                 view->latency_counts[group] + 1, sizeof(*view->latencies[group]));
    view->latencies[group][view->latency_counts[group]++] = ms;
}

/* ---- Who is behind. ---- */

static void end_gap(struct view *view, unsigned node, uint64_t time_ms)
{
    struct figures *figures = view->figures;
    uint64_t since = view->behind_since[node];

    view->behind_since[node] = UINT64_MAX;
    if (since == UINT64_MAX || (figures->has_gap && time_ms - since <= figures->gap_ms))
        return;
    figures->has_gap = true;
    figures->gap_ms = time_ms - since;
    figures->gap_from_ms = since;
    figures->gap_node = node;
}

static void look(struct view *view, unsigned node, uint64_t time_ms)
{
    if (view->is_up[node] && view->shown_count[node] < view->all_count &&
        view->behind_since[node] == UINT64_MAX)
        view->behind_since[node] = time_ms;
}

static bool agree(const struct view *view)
{
    for (unsigned i = 0; i < view->script->node_count; i++)
        if (view->is_up[i] && view->shown_count[i] < view->all_count)
            return false;
    return true;
}

static void settle_heal(struct view *view, uint64_t time_ms)
{
    struct heal *heal;

    if (!view->is_healing || !agree(view))
        return;
    heal = &view->figures->heals[view->figures->heal_count - 1];
    heal->agreed = true;
    heal->took_ms = time_ms - heal->time_ms;
    view->is_healing = false;
}

/* What it is that this event issues again, and what that does; itself where it is nothing's. */
static uint32_t original_of(const struct journal *journal, uint32_t index)
{
    for (size_t i = 0; i < journal->event_count && journal->events[index].is_reissue; i++) {
        uint32_t found = journal_find_hash(journal, journal->events[index].supersedes);

        if (found == JOURNAL_NONE)
            break;
        index = found;
    }
    return index;
}

static void see_shown(struct view *view, const struct journal_entry *entry)
{
    const struct journal_event *event = &view->journal->events[entry->event];
    uint32_t original = original_of(view->journal, entry->event);
    unsigned node = entry->node;

    if (!event->is_payload)
        return;
    if (entry->kind == JOURNAL_PUBLISHED) {
        view->reached[entry->event] = reach(view, node);
        view->figures->published++;
    } else if (!entry->is_again && event->node != node && entry->time_ms >= event->time_ms) {
        uint64_t ms = entry->time_ms - event->time_ms;

        view->figures->deliveries++;
        add_latency(view, LATENCY_ALL, ms);
        add_latency(view, has(view->reached[entry->event], node) ? LATENCY_SAME : LATENCY_OTHER,
                    ms);
    }
    end_gap(view, node, entry->time_ms);
    if (!event_set_has(&view->shown[node], original)) {
        event_set_add(&view->shown[node], original);
        view->shown_count[node]++;
    }
    if (!event_set_has(&view->all, original)) {
        event_set_add(&view->all, original);
        view->all_count++;
        for (unsigned i = 0; i < view->script->node_count; i++)
            look(view, i, entry->time_ms);
    }
    look(view, node, entry->time_ms);
}

static void see_done(struct view *view, const struct journal_entry *entry)
{
    const struct statement *statement = statement_of(view->script, entry->line);
    struct figures *figures = view->figures;

    if (!statement)
        return;
    if (statement->kind == STATEMENT_PARTITION || statement->kind == STATEMENT_CUT ||
        statement->kind == STATEMENT_HEAL)
        change_network(view, statement);
    if (statement->kind == STATEMENT_CLONE)
        add_clone(view, statement);
    if (statement->kind == STATEMENT_PARTITION || statement->kind == STATEMENT_CUT)
        view->is_healing = false;
    if (statement->kind != STATEMENT_HEAL)
        return;
    if (figures->heal_count == FIGURES_HEALS_MAX) {
        memmove(figures->heals, figures->heals + 1,
                (FIGURES_HEALS_MAX - 1) * sizeof(figures->heals[0]));
        figures->heal_count--;
    }
    figures->heals[figures->heal_count++] =
        (struct heal){.time_ms = entry->time_ms, .line = entry->line};
    view->is_healing = true;
}

static void see(struct view *view, const struct journal_entry *entry)
{
    switch (entry->kind) {
    case JOURNAL_PUBLISHED:
    case JOURNAL_DELIVERED:
        see_shown(view, entry);
        break;
    case JOURNAL_DONE:
        see_done(view, entry);
        break;
    case JOURNAL_STARTED:
        view->is_up[entry->node] = true;
        look(view, entry->node, entry->time_ms);
        break;
    case JOURNAL_ENDED:
        end_gap(view, entry->node, entry->time_ms);
        view->is_up[entry->node] = false;
        break;
    case JOURNAL_TRAFFIC:
        view->figures->datagrams = entry->datagrams;
        view->figures->bytes = entry->bytes;
        break;
    default:
        break;
    }
    settle_heal(view, entry->time_ms);
}

/* ---- Sums. ---- */

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t *first = a;
    const uint64_t *second = b;

    return *first < *second ? -1 : *first > *second;
}

/* The least latency that so many of a hundred do not exceed. */
static uint64_t percentile(const uint64_t *sorted, size_t count, size_t percent)
{
    return sorted[(count * percent + 99) / 100 - 1];
}

static void sum_up(struct view *view, enum latency_group group)
{
    struct latency *latency = &view->figures->latencies[group];
    size_t count = view->latency_counts[group];

    latency->count = count;
    if (count == 0)
        return;
    qsort(view->latencies[group], count, sizeof(*view->latencies[group]), compare_numbers);
    latency->p50_ms = percentile(view->latencies[group], count, 50);
    latency->p95_ms = percentile(view->latencies[group], count, 95);
    latency->max_ms = view->latencies[group][count - 1];
}

void figures_take(const struct journal *journal, const struct script *script, uint64_t end_ms,
                  struct figures *ret_figures)
{
    struct view *view = room_new(sizeof(*view));

    *ret_figures = (struct figures){0};
    view->journal = journal;
    view->script = script;
    view->figures = ret_figures;
    view->reached = room_new((journal->event_count + 1) * sizeof(*view->reached));
    for (unsigned i = 0; i < SCRIPT_NODES_MAX; i++) {
        view->behind_since[i] = UINT64_MAX;
        for (unsigned j = 0; j < SCRIPT_NODES_MAX; j++)
            view->passes[i][j] = true;
    }
    for (size_t i = 0; i < journal->entry_count; i++)
        see(view, &journal->entries[i]);
    for (unsigned i = 0; i < script->node_count; i++) {
        end_gap(view, i, end_ms);
        event_set_clear(&view->shown[i]);
    }
    for (enum latency_group i = 0; i < LATENCY_GROUPS; i++) {
        sum_up(view, i);
        free(view->latencies[i]);
    }
    event_set_clear(&view->all);
    free(view->reached);
    free(view);
}
