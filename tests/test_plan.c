/*
 * Plans: one seed is one plan, and over many seeds everything that is on comes up.
 */
#include "cmd/lab/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "cmd/lab/trace.h"

enum { SEEDS = 2000 };

static const struct plan_faults usual = {.restores = true, .copies = true, .flips = true};
static const struct plan_faults all = {
    .moves = true, .restores = true, .copies = true, .flips = true};

static void trace_link(struct trace *trace, const struct virtual_link *link)
{
    const uint32_t numbers[] = {
        link->latency_ms,    link->jitter_ms,        link->tail_ppm,   link->tail_ms,
        link->loss_ppm,      link->burst_ppm,        link->burst_ms,   link->duplicate_ppm,
        link->duplicate_max, link->reorder_ppm,      link->reorder_ms, link->corrupt_ppm,
        link->truncate_ppm,  link->bandwidth,        link->queue_size, link->flap_up_ms,
        link->flap_down_ms,  (uint32_t)link->is_cut,
    };

    trace_bytes(trace, numbers, sizeof(numbers));
}

/* Every byte of a plan but those between its members. */
static uint64_t trace_plan(const struct plan *plan)
{
    const struct world_options *options = &plan->options;
    const uint64_t shape[] = {
        options->seed,          options->nodes,       options->nodes_max,   options->store,
        options->crypto,        options->period_ms,   options->payload_max, options->fanout,
        options->choice,        options->unconnected, options->unchecked,   options->stopped,
        options->examine_every, plan->action_count,   plan->wild_ms,        plan->quiet_ms,
        plan->late_joiner,
    };
    struct trace trace = {0};

    trace_bytes(&trace, shape, sizeof(shape));
    trace_link(&trace, &plan->links);
    for (size_t i = 0; i < plan->action_count; i++) {
        const struct action *action = &plan->actions[i];
        const uint64_t numbers[] = {
            action->at_ms,  action->kind,      action->node,     action->other,
            action->number, action->size,      action->times,    (uint64_t)action->offset,
            action->damage, action->operation, action->is_early, action->is_dropped,
        };

        trace_bytes(&trace, numbers, sizeof(numbers));
        trace_link(&trace, &action->link);
    }
    return trace.hash;
}

static uint64_t trace_seed(uint64_t seed, const struct plan_faults *faults)
{
    struct plan plan;
    uint64_t hash;

    plan_draw(&plan, seed, faults);
    hash = trace_plan(&plan);
    plan_clear(&plan);
    return hash;
}

static void test_one_seed_one_plan(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS / 4; seed++) {
        assert_true(trace_seed(seed, &usual) == trace_seed(seed, &usual));
        assert_true(trace_seed(seed, &all) == trace_seed(seed, &all));
        assert_true(trace_seed(seed, &usual) != trace_seed(seed + 1, &usual));
    }
}

static void test_times_ascend(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct plan plan;
        bool early = true;

        plan_draw(&plan, seed, &all);
        assert_true(plan.wild_ms >= 10000 && plan.wild_ms <= 300000);
        assert_int_equal(plan.quiet_ms, 240000);
        for (size_t i = 0; i < plan.action_count; i++) {
            const struct action *action = &plan.actions[i];

            if (i > 0)
                assert_true(plan.actions[i - 1].at_ms <= action->at_ms);
            early = early && action->at_ms == 0;
            if (action->is_early)
                assert_true(early);
            assert_true(action->node < plan.options.nodes);
            assert_true(action->other < plan.options.nodes);
            assert_false(action->is_dropped);
        }
        plan_clear(&plan);
    }
}

/* How often each thing has been drawn. */
struct drawn {
    unsigned kinds[ACTIONS];
    unsigned damages[VIRTUAL_DAMAGES];
    unsigned operations[VIRTUAL_OPERATIONS];
    unsigned stores[2];
    unsigned cryptos[2];
    unsigned choices[GOSSIP_CHOOSE_MOST_RELIABLE + 1];
    unsigned early;
    unsigned late_joiners;
    unsigned links[9]; /* With each kind of fault. */
};

static void count_link(struct drawn *drawn, const struct virtual_link *link)
{
    drawn->links[0] += link->tail_ppm > 0 && link->tail_ms > 0;
    drawn->links[1] += link->loss_ppm > 0;
    drawn->links[2] += link->burst_ppm > 0 && link->burst_ms > 0;
    drawn->links[3] += link->duplicate_ppm > 0;
    drawn->links[4] += link->reorder_ppm > 0 && link->reorder_ms > 0;
    drawn->links[5] += link->corrupt_ppm > 0;
    drawn->links[6] += link->truncate_ppm > 0;
    drawn->links[7] += link->bandwidth > 0;
    drawn->links[8] += link->flap_up_ms > 0 && link->flap_down_ms > 0;
}

static void draw_all(const struct plan_faults *faults, struct drawn *ret_drawn)
{
    struct drawn drawn = {0};

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct plan plan;

        plan_draw(&plan, seed, faults);
        drawn.stores[plan.options.store]++;
        drawn.cryptos[plan.options.crypto]++;
        drawn.choices[plan.options.choice]++;
        drawn.late_joiners += plan.late_joiner;
        count_link(&drawn, &plan.links);
        for (size_t i = 0; i < plan.action_count; i++) {
            const struct action *action = &plan.actions[i];

            drawn.kinds[action->kind]++;
            drawn.early += action->is_early;
            if (action->kind == ACTION_KILL || action->kind == ACTION_CRASH_AT)
                drawn.damages[action->damage]++;
            if (action->kind == ACTION_FAIL_DISK)
                drawn.operations[action->operation]++;
            count_link(&drawn, &action->link);
        }
        plan_clear(&plan);
    }
    *ret_drawn = drawn;
}

static void require_all(const unsigned *counts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (counts[i] == 0)
            fail_msg("number %zu of %zu is never drawn", i, count);
    }
}

static bool is_off(enum action_kind kind)
{
    return kind == ACTION_MOVE;
}

static void test_everything_comes_up(void **state)
{
    struct drawn drawn;

    (void)state;
    draw_all(&usual, &drawn);
    for (enum action_kind kind = ACTION_PUBLISH; kind < ACTIONS; kind++) {
        if (is_off(kind) != (drawn.kinds[kind] == 0))
            fail_msg("%s is drawn %u times", action_name(kind), drawn.kinds[kind]);
    }
    require_all(drawn.damages, VIRTUAL_DAMAGES);
    require_all(drawn.operations, VIRTUAL_OPERATIONS);
    require_all(drawn.stores, 2);
    require_all(drawn.choices, GOSSIP_CHOOSE_MOST_RELIABLE + 1);
    require_all(drawn.links, sizeof(drawn.links) / sizeof(drawn.links[0]));
    assert_int_equal(drawn.cryptos[WORLD_SODIUM], SEEDS / 10);
    assert_true(drawn.early > 0);
    assert_true(drawn.late_joiners > 0);
}

static void test_capabilities_switch_faults_on(void **state)
{
    static const struct plan_faults moves = {.moves = true};
    static const struct plan_faults restores = {.restores = true};
    static const struct plan_faults copies = {.copies = true};
    static const struct plan_faults flips = {.flips = true};
    struct drawn drawn;

    (void)state;
    draw_all(&all, &drawn);
    require_all(drawn.kinds, ACTIONS);
    draw_all(&moves, &drawn);
    assert_true(drawn.kinds[ACTION_MOVE] > 0);
    assert_int_equal(drawn.kinds[ACTION_BACKUP] + drawn.kinds[ACTION_CLONE], 0);
    draw_all(&restores, &drawn);
    assert_int_equal(drawn.kinds[ACTION_MOVE] + drawn.kinds[ACTION_CLONE], 0);
    assert_true(drawn.kinds[ACTION_BACKUP] > 0 && drawn.kinds[ACTION_RESTORE] > 0);
    draw_all(&copies, &drawn);
    assert_int_equal(drawn.kinds[ACTION_BACKUP] + drawn.kinds[ACTION_FLIP], 0);
    assert_true(drawn.kinds[ACTION_CLONE] > 0);
    draw_all(&flips, &drawn);
    assert_int_equal(drawn.kinds[ACTION_CLONE], 0);
    assert_true(drawn.kinds[ACTION_FLIP] > 0);
}

static bool is_same_action(const struct action *a, const struct action *b)
{
    return a->at_ms == b->at_ms && a->kind == b->kind && a->node == b->node &&
           a->other == b->other && a->number == b->number && a->size == b->size &&
           a->times == b->times && a->offset == b->offset && a->damage == b->damage &&
           a->operation == b->operation && a->is_early == b->is_early &&
           a->link.loss_ppm == b->link.loss_ppm && a->link.latency_ms == b->link.latency_ms;
}

/* What is done to whole disks leaves all else of a seed as it is without. */
static void test_disks_are_drawn_apart(void **state)
{
    static const struct plan_faults none = {.moves = false};

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct plan with;
        struct plan without;
        size_t at = 0;

        plan_draw(&with, seed, &usual);
        plan_draw(&without, seed, &none);
        assert_true(with.options.seed == without.options.seed);
        assert_int_equal(with.options.nodes, without.options.nodes);
        assert_true(with.wild_ms >= without.wild_ms);
        for (size_t i = 0; i < without.action_count; i++, at++) {
            while (at < with.action_count &&
                   !is_same_action(&with.actions[at], &without.actions[i]))
                at++;
            assert_true(at < with.action_count);
        }
        plan_clear(&with);
        plan_clear(&without);
    }
}

/* What must not last is ended by a later action. */
static void test_what_begins_ends(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct plan plan;
        int open_kills = 0;
        int open_pauses = 0;
        int open_cuts = 0;
        int open_disks = 0;
        int apart = 0;

        plan_draw(&plan, seed, &usual);
        for (size_t i = 0; i < plan.action_count; i++) {
            const struct action *action = &plan.actions[i];

            open_kills += action->kind == ACTION_KILL || action->kind == ACTION_STOP ||
                          action->kind == ACTION_CRASH_AT || action->kind == ACTION_FAIL_DISK ||
                          action->kind == ACTION_RESTORE ||
                          action->kind == ACTION_RESTORE_DATABASE ||
                          action->kind == ACTION_COPY_BACK || action->kind == ACTION_FLIP;
            open_kills -= action->kind == ACTION_START;
            open_pauses += action->kind == ACTION_PAUSE;
            open_pauses -= action->kind == ACTION_RESUME;
            open_cuts += action->kind == ACTION_CUT || action->kind == ACTION_RING ||
                         action->kind == ACTION_SPLIT;
            open_cuts -= action->kind == ACTION_HEAL;
            apart += action->kind == ACTION_ISOLATE;
            apart -= action->kind == ACTION_REJOIN;
            if (action->kind == ACTION_FULL_DISK)
                open_disks += action->number == UINT64_MAX ? -1 : 1;
        }
        assert_int_equal(open_kills, 0);
        assert_int_equal(open_pauses, 0);
        assert_true(open_cuts <= 0); /* Healing comes up by itself too. */
        assert_int_equal(open_disks, 0);
        assert_int_equal(apart, 0);
        plan_clear(&plan);
    }
}

static void test_actions_as_text(void **state)
{
    static const struct {
        struct action action;
        const char *text;
    } cases[] = {
        {{.at_ms = 1005, .kind = ACTION_PUBLISH, .node = 2, .number = 3, .size = 40},
         "1.005 s publish n3, 3 events of 40 bytes"},
        {{.kind = ACTION_KILL, .damage = VIRTUAL_DAMAGE_TORN}, "0.000 s kill n1, damage torn"},
        {{.at_ms = 70000, .kind = ACTION_CUT, .node = 1, .other = 4}, "70.000 s cut n2 to n5"},
        {{.kind = ACTION_SKEW, .offset = -3}, "0.000 s skew n1, -3 ms"},
        {{.kind = ACTION_FULL_DISK, .number = UINT64_MAX}, "0.000 s full-disk n1, room again"},
        {{.kind = ACTION_CRASH_AT, .number = 7, .is_early = true},
         "0.000 s, before all, crash-at n1, at file operation 7, damage none"},
        {{.kind = ACTION_CLONE, .node = 4}, "0.000 s clone n5"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];

        action_text(&cases[i].action, text, sizeof(text));
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_seed_one_plan),
        cmocka_unit_test(test_times_ascend),
        cmocka_unit_test(test_everything_comes_up),
        cmocka_unit_test(test_capabilities_switch_faults_on),
        cmocka_unit_test(test_disks_are_drawn_apart),
        cmocka_unit_test(test_what_begins_ends),
        cmocka_unit_test(test_actions_as_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
