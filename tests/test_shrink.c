/*
 * Shrinking: of a plan that fails, little is left, and it fails in the same way. A world that ends
 * is a sure failure, which plans are free to make and campaigns do not.
 */
#include "cmd/lab/shrink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static const struct plan_faults usual = {.moves = false};

static void add_sorted(struct plan *plan, const struct action *action)
{
    size_t place;

    plan_add(plan, action);
    for (place = plan->action_count - 1; place > 0; place--) {
        if (plan->actions[place - 1].at_ms <= action->at_ms)
            break;
        plan->actions[place] = plan->actions[place - 1];
    }
    plan->actions[place] = *action;
}

/* The plan of a seed in which a clock is to run faster than the world lets one. */
static void draw_with_crash(struct plan *plan, uint64_t seed)
{
    const struct action drift = {.at_ms = 6000, .kind = ACTION_DRIFT, .offset = 1000000};

    plan_draw(plan, seed, &usual);
    add_sorted(plan, &drift);
}

static size_t actions_left(const struct plan *plan)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->action_count; i++)
        count += !plan->actions[i].is_dropped && plan->actions[i].at_ms <= plan->wild_ms;
    return count;
}

struct progress {
    const struct plan *plan;
    unsigned lines;
};

/* Tells how many actions are left that would be carried out. */
static void note_progress(void *context, const char *line)
{
    struct progress *progress = context;
    char count[32];
    size_t left = 0;

    for (size_t i = 0; i < progress->plan->action_count; i++) {
        const struct action *action = &progress->plan->actions[i];

        left += !action->is_dropped && action->at_ms <= progress->plan->wild_ms;
    }
    snprintf(count, sizeof(count), ": %zu actions, ", left);
    assert_non_null(strstr(line, count));
    progress->lines++;
}

static void test_little_is_left(void **state)
{
    unsigned shrunk = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct violation violation;
        struct violation again;
        struct plan plan;
        struct progress progress = {&plan, 0};
        unsigned nodes;
        size_t before;
        unsigned tried;
        bool kept = false;

        draw_with_crash(&plan, seed);
        before = actions_left(&plan);
        nodes = plan.options.nodes;
        assert_true(shrink_try(&plan, &violation));
        if (violation.invariant == INVARIANT_NONE) {
            plan_clear(&plan);
            continue; /* The disk of n1 was full, say. */
        }
        tried = shrink_plan(&plan, violation.invariant, 400, note_progress, &progress);
        assert_true(tried > 0 && tried <= 400);
        assert_true(progress.lines > 0);
        assert_true(actions_left(&plan) <= 5);
        assert_true(actions_left(&plan) < before);
        assert_true(plan.options.nodes <= nodes);
        /* What comes after the end of faults is never done, and not counted as left. */
        for (size_t i = 0; i < plan.action_count; i++)
            assert_true(plan.actions[i].is_dropped || plan.actions[i].at_ms <= plan.wild_ms);
        for (size_t i = 0; i < plan.action_count; i++)
            kept = kept || (plan.actions[i].offset == 1000000 && !plan.actions[i].is_dropped);
        assert_true(kept);
        assert_true(shrink_try(&plan, &again));
        assert_int_equal(again.invariant, violation.invariant);
        shrunk++;
        plan_clear(&plan);
    }
    assert_true(shrunk >= 3);
}

static void test_tries_are_bounded(void **state)
{
    struct violation violation;
    struct violation again;
    struct plan plan;

    (void)state;
    for (uint64_t seed = 1;; seed++) {
        draw_with_crash(&plan, seed);
        assert_true(shrink_try(&plan, &violation));
        if (violation.invariant != INVARIANT_NONE)
            break;
        plan_clear(&plan);
    }
    assert_int_equal(shrink_plan(&plan, violation.invariant, 0, NULL, NULL), 0);
    assert_int_equal(shrink_plan(&plan, violation.invariant, 7, NULL, NULL), 7);
    assert_true(shrink_try(&plan, &again));
    assert_int_equal(again.invariant, violation.invariant);
    plan_clear(&plan);
}

/* What fails in another way does not count: nothing is left out for it. */
static void test_another_invariant_is_no_reason(void **state)
{
    struct violation violation;
    struct plan plan;
    size_t before;

    (void)state;
    draw_with_crash(&plan, 1);
    before = actions_left(&plan);
    assert_true(shrink_try(&plan, &violation));
    shrink_plan(&plan, violation.invariant == INVARIANT_ORDER ? INVARIANT_BOUNDS : INVARIANT_ORDER,
                40, NULL, NULL);
    assert_int_equal(actions_left(&plan), before);
    plan_clear(&plan);
}

static void test_sound_plan(void **state)
{
    struct violation violation;
    struct plan plan;

    (void)state;
    plan_draw(&plan, 1, &usual);
    assert_true(shrink_try(&plan, &violation));
    assert_int_equal(violation.invariant, INVARIANT_NONE);
    plan_clear(&plan);
}

/* A process that dies has violated something too: such a plan can be shrunk. */
static void test_crash_is_a_violation(void **state)
{
    /* The world asserts against so much. */
    struct action drift = {.kind = ACTION_DRIFT, .offset = 1000000};
    struct violation violation;
    struct plan plan;

    (void)state;
    plan_draw(&plan, 1, &usual);
    drift.at_ms = plan.wild_ms;
    add_sorted(&plan, &drift);
    assert_true(shrink_try(&plan, &violation));
    assert_int_equal(violation.invariant, INVARIANT_BOUNDS);
    assert_non_null(strstr(violation.witness, "signal 6"));
    plan_clear(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_little_is_left),
        cmocka_unit_test(test_tries_are_bounded),
        cmocka_unit_test(test_another_invariant_is_no_reason),
        cmocka_unit_test(test_sound_plan),
        cmocka_unit_test(test_crash_is_a_violation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
