#include "cmd/lab/shrink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

struct shrinking {
    struct plan *plan;
    enum invariant invariant;
    unsigned tries;
    unsigned tried;
    shrink_progress *progress;
    void *context;
};

static void run_child(const struct plan *plan, int pipe_end)
{
    struct campaign_result result;
    const char *from = (const char *)&result.violation;
    size_t left = sizeof(result.violation);

    campaign_run(plan, NULL, NULL, &result);
    while (left > 0) {
        ssize_t written = write(pipe_end, from, left);

        if (written <= 0)
            _exit(1);
        from += written;
        left -= (size_t)written;
    }
    _exit(0);
}

bool shrink_try(const struct plan *plan, struct violation *ret_violation)
{
    struct violation violation;
    char *to = (char *)&violation;
    size_t left = sizeof(violation);
    int ends[2];
    int status;
    pid_t child;

    if (pipe(ends) < 0)
        return false;
    fflush(NULL);
    child = fork();
    if (child < 0) {
        close(ends[0]);
        close(ends[1]);
        return false;
    }
    if (child == 0) {
        close(ends[0]);
        run_child(plan, ends[1]);
    }
    close(ends[1]);
    while (left > 0) {
        ssize_t got = read(ends[0], to, left);

        if (got <= 0)
            break;
        to += got;
        left -= (size_t)got;
    }
    close(ends[0]);
    waitpid(child, &status, 0);
    if (left > 0) {
        violation = (struct violation){.invariant = INVARIANT_BOUNDS};
        snprintf(violation.witness, sizeof(violation.witness), "the process was ended by signal %d",
                 WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    }
    *ret_violation = violation;
    return true;
}

/* Whether plan, as it is now, still fails in the same way. */
static bool still_fails(struct shrinking *shrinking, struct violation *ret_violation)
{
    if (shrinking->tried >= shrinking->tries)
        return false;
    shrinking->tried++;
    return shrink_try(shrinking->plan, ret_violation) &&
           ret_violation->invariant == shrinking->invariant;
}

static size_t actions_left(const struct plan *plan)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->action_count; i++)
        count += !plan->actions[i].is_dropped;
    return count;
}

static void tell(struct shrinking *shrinking, const char *what)
{
    char line[160];

    if (shrinking->progress == NULL)
        return;
    snprintf(line, sizeof(line), "%s: %zu actions, %u nodes, %" PRIu64 " ms are left", what,
             actions_left(shrinking->plan), shrinking->plan->options.nodes,
             shrinking->plan->wild_ms);
    shrinking->progress(shrinking->context, line);
}

/* What comes after the end of faults is not carried out. */
static void drop_late(struct plan *plan)
{
    for (size_t i = 0; i < plan->action_count; i++) {
        if (plan->actions[i].at_ms > plan->wild_ms)
            plan->actions[i].is_dropped = true;
    }
}

/* Nothing that comes after the violation is needed for it. */
static bool shorten(struct shrinking *shrinking, const struct violation *violation)
{
    struct plan *plan = shrinking->plan;
    uint64_t before = plan->wild_ms;
    struct violation again;

    if (violation->time_ms == 0 || violation->time_ms >= plan->wild_ms)
        return false;
    plan->wild_ms = violation->time_ms;
    if (still_fails(shrinking, &again)) {
        drop_late(plan);
        tell(shrinking, "shorter");
        return true;
    }
    plan->wild_ms = before;
    return false;
}

/* Drops those of the chosen actions that are not dropped yet, or restores them. */
static bool drop_range(struct shrinking *shrinking, size_t start, size_t count, int kind)
{
    struct plan *plan = shrinking->plan;
    bool *dropped = calloc(plan->action_count + 1, sizeof(*dropped));
    struct violation violation;
    size_t place = 0;
    bool any = false;

    if (dropped == NULL)
        return false;
    for (size_t i = 0; i < plan->action_count; i++) {
        struct action *action = &plan->actions[i];

        if (action->is_dropped)
            continue;
        if (place >= start && place - start < count &&
            (kind < 0 || action->kind == (enum action_kind)kind)) {
            dropped[i] = true;
            action->is_dropped = true;
            any = true;
        }
        place++;
    }
    if (any && still_fails(shrinking, &violation)) {
        free(dropped);
        return true;
    }
    for (size_t i = 0; i < plan->action_count; i++) {
        if (dropped[i])
            plan->actions[i].is_dropped = false;
    }
    free(dropped);
    return false;
}

static bool drop_kinds(struct shrinking *shrinking)
{
    bool any = false;

    for (int kind = 0; kind < (int)ACTIONS; kind++)
        any = drop_range(shrinking, 0, SIZE_MAX, kind) || any;
    if (any)
        tell(shrinking, "without some kinds");
    return any;
}

/* Delta debugging (Zeller and Hildebrandt 2002), complements only. */
static bool drop_chunks(struct shrinking *shrinking)
{
    bool any = false;

    for (size_t chunk = actions_left(shrinking->plan) / 2; chunk > 0; chunk /= 2) {
        for (size_t start = 0; start < actions_left(shrinking->plan);) {
            if (drop_range(shrinking, start, chunk, -1))
                any = true;
            else
                start += chunk;
        }
    }
    if (any)
        tell(shrinking, "without single actions");
    return any;
}

static bool drop_nodes(struct shrinking *shrinking)
{
    struct plan *plan = shrinking->plan;
    struct violation violation;
    bool any = false;

    for (unsigned step = plan->options.nodes / 2; step > 0; step /= 2) {
        while (plan->options.nodes > step) {
            plan->options.nodes -= step;
            if (!still_fails(shrinking, &violation)) {
                plan->options.nodes += step;
                break;
            }
            any = true;
        }
    }
    if (any)
        tell(shrinking, "fewer nodes");
    return any;
}

static void calm_links(struct shrinking *shrinking)
{
    struct plan *plan = shrinking->plan;
    struct virtual_link before = plan->links;
    struct violation violation;

    plan->links = (struct virtual_link){.latency_ms = 10};
    if (!still_fails(shrinking, &violation))
        plan->links = before;
}

unsigned shrink_plan(struct plan *plan, enum invariant invariant, unsigned tries,
                     shrink_progress *progress, void *context)
{
    struct shrinking shrinking = {plan, invariant, tries, 0, progress, context};
    struct violation violation;
    bool any = true;

    drop_late(plan);
    if (plan->late_joiner) {
        plan->late_joiner = false;
        if (!still_fails(&shrinking, &violation))
            plan->late_joiner = true;
    }
    if (still_fails(&shrinking, &violation))
        shorten(&shrinking, &violation);
    calm_links(&shrinking);
    while (any && shrinking.tried < tries) {
        any = drop_kinds(&shrinking);
        any = drop_chunks(&shrinking) || any;
        any = drop_nodes(&shrinking) || any;
        if (still_fails(&shrinking, &violation))
            any = shorten(&shrinking, &violation) || any;
    }
    return shrinking.tried;
}
