/*
 * The museum: every mistake in it is found by campaigns, and named for what it is; and a node that
 * makes none of them passes the same campaigns.
 *
 *     test_museum docs/museum.md               all of it
 *     test_museum --exhibit NAME SEED          one campaign, told as it goes
 *     test_museum --exhibit NAME SEED intact   the same, without the mistake
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cmd/lab/campaign.h"
#include "gossip/museum.h"
#include "tests/museum/plans.h"
#include "tests/museum/scenes.h"

enum {
    SEEDS = 200,    /* Within so many campaigns each mistake is found ... */
    SEEDS_MIN = 20, /* ... and in so many, at least, never called by another name. */
};

struct exhibit {
    enum museum_exhibit mistake;
    enum invariant invariant; /* Which must name it. */
    plan_drawer *draw;        /* The campaigns that find it, */
    scene_player *scene;      /* or, where draw is NULL, the scenes. */
    uint64_t found;           /* The first seed that did. */
};

static struct exhibit exhibits[] = {
    {MUSEUM_SEND_EARLY, INVARIANT_DURABLE, plan_draw_usual, NULL, 0},
    {MUSEUM_MERGE_DIGEST, INVARIANT_DURABLE, plan_draw_usual, NULL, 0},
    {MUSEUM_CLOCK_APART, INVARIANT_DURABLE, plan_draw_usual, NULL, 0},
    {MUSEUM_REUSE_COUNTER, INVARIANT_NO_REUSE, plan_draw_usual, NULL, 0},
    {MUSEUM_DELIVER_EARLY, INVARIANT_CLOSED, plan_draw_usual, NULL, 0},
    {MUSEUM_TICK_ON_MERGE, INVARIANT_CAUSAL, plan_draw_usual, NULL, 0},
    {MUSEUM_RESERIALISE, INVARIANT_BYTES, plan_draw_empty, NULL, 0},
    {MUSEUM_GO_ON, INVARIANT_DURABLE, plan_draw_usual, NULL, 0},
    {MUSEUM_SYNC_NORMAL, INVARIANT_DURABLE, plan_draw_usual, NULL, 0},
    {MUSEUM_UNBOUNDED_HOLD, INVARIANT_BOUNDS, plan_draw_flood, NULL, 0},
    {MUSEUM_IGNORE_SIDE, INVARIANT_NO_REUSE, NULL, scene_side_file, 0},
    {MUSEUM_EPOCH_OF_TIME, INVARIANT_NO_REUSE, NULL, scene_dead_battery, 0},
    {MUSEUM_NO_HEADS, INVARIANT_AGREEMENT, NULL, scene_even_fork, 0},
    {MUSEUM_OLD_EPOCH, INVARIANT_NO_REUSE, NULL, scene_copied_back, 0},
    {MUSEUM_STAND_STILL, INVARIANT_AGREEMENT, NULL, scene_uneven_fork, 0},
    {MUSEUM_FIRST_COMES, INVARIANT_ORDER, NULL, scene_later_records, 0},
};

enum { EXHIBITS = sizeof(exhibits) / sizeof(exhibits[0]) };

_Static_assert(EXHIBITS == MUSEUM_EXHIBITS - 1, "Each mistake is an exhibit.");

static const char *page_path;

/* The campaign or scene that exhibit is shown by, with that mistake or without. */
static void run(const struct exhibit *exhibit, enum museum_exhibit mistake, uint64_t seed,
                world_narrator *narrator, struct campaign_result *ret_result)
{
    struct plan plan;

    museum_exhibit = mistake;
    if (exhibit->draw == NULL) {
        exhibit->scene(seed, narrator, ret_result);
    } else {
        exhibit->draw(&plan, seed);
        campaign_run(&plan, narrator, NULL, ret_result);
        plan_clear(&plan);
    }
    museum_exhibit = MUSEUM_NONE;
}

static void print_violation(const char *name, uint64_t seed, const struct violation *violation)
{
    printf("%s, seed %" PRIu64 ", at %" PRIu64 ".%03u s: %s %s: %s\n", name, seed,
           violation->time_ms / 1000, (unsigned)(violation->time_ms % 1000),
           invariant_letter(violation->invariant), invariant_name(violation->invariant),
           violation->witness);
}

/* Campaigns find the mistake, and whenever one does it is named for what it is. */
static void test_mistake_is_named(void **state)
{
    struct exhibit *exhibit = *state;
    const char *name = museum_name(exhibit->mistake);
    unsigned times = 0;
    uint64_t seed = 1;

    for (; seed <= SEEDS_MIN || (seed <= SEEDS && exhibit->found == 0); seed++) {
        struct campaign_result result;

        run(exhibit, exhibit->mistake, seed, NULL, &result);
        if (result.violation.invariant == INVARIANT_NONE)
            continue;
        times++;
        if (exhibit->found != 0 && result.violation.invariant == exhibit->invariant)
            continue;
        print_violation(name, seed, &result.violation);
        if (result.violation.invariant != exhibit->invariant)
            fail_msg("%s is to be caught by %s; see it with --exhibit %s %" PRIu64, name,
                     invariant_letter(exhibit->invariant), name, seed);
        exhibit->found = seed;
    }
    printf("caught in %u of %" PRIu64 " campaigns\n", times, seed - 1);
    assert_true(exhibit->found > 0);
}

static bool are_shown_alike(const struct exhibit *exhibit, const struct exhibit *other)
{
    return exhibit->draw == other->draw && exhibit->scene == other->scene;
}

/* What caught them was the mistakes, not the campaigns and scenes. */
static void test_intact_node_passes(void **state)
{
    (void)state;
    for (size_t i = 0; i < EXHIBITS; i++) {
        uint64_t last = SEEDS_MIN;
        bool is_first = true;

        for (size_t j = 0; j < EXHIBITS; j++) {
            if (!are_shown_alike(&exhibits[i], &exhibits[j]))
                continue;
            is_first = is_first && j >= i;
            if (exhibits[j].found > last)
                last = exhibits[j].found;
        }
        for (uint64_t seed = 1; is_first && seed <= last; seed++) {
            struct campaign_result result;

            run(&exhibits[i], MUSEUM_NONE, seed, NULL, &result);
            if (result.violation.invariant != INVARIANT_NONE) {
                print_violation("the intact node", seed, &result.violation);
                fail_msg("see it with --exhibit %s %" PRIu64 " intact",
                         museum_name(exhibits[i].mistake), seed);
            }
        }
    }
}

static char *read_page(void)
{
    FILE *file = fopen(page_path, "rb");
    char *text = malloc(1 << 20);
    size_t size;

    assert_non_null(file);
    assert_non_null(text);
    size = fread(text, 1, (1 << 20) - 1, file);
    text[size] = '\0';
    fclose(file);
    return text;
}

/* The page lists every exhibit and tells its story, and the seed that it names does show it. */
static void test_page_is_true(void **state)
{
    char *page = read_page();
    unsigned wrong = 0;

    (void)state;
    for (size_t i = 0; i < EXHIBITS; i++) {
        const struct exhibit *exhibit = &exhibits[i];
        const char *name = museum_name(exhibit->mistake);
        struct campaign_result result = {0};
        char row[128];
        char story[64];
        const char *found;

        snprintf(row, sizeof(row), "\n| `%s` | %s %s | ", name,
                 invariant_letter(exhibit->invariant), invariant_name(exhibit->invariant));
        snprintf(story, sizeof(story), "\n## %s\n", name);
        found = strstr(page, row);
        if (found != NULL)
            run(exhibit, exhibit->mistake, strtoull(found + strlen(row), NULL, 10), NULL, &result);
        if (result.violation.invariant == exhibit->invariant && strstr(page, story) != NULL)
            continue;
        printf("%s has to have a part \"## %s\" and the row%s%" PRIu64 " |\n", page_path, name, row,
               exhibit->found);
        wrong++;
    }
    free(page);
    assert_int_equal(wrong, 0);
}

static void narrate(void *context, uint64_t time_ms, const char *line)
{
    (void)context;
    printf("%8" PRIu64 ".%03u  %s\n", time_ms / 1000, (unsigned)(time_ms % 1000), line);
}

static int tell(const char *name, uint64_t seed, bool is_intact)
{
    enum museum_exhibit mistake = museum_find(name);
    struct campaign_result result;

    for (size_t i = 0; i < EXHIBITS; i++) {
        if (exhibits[i].mistake != mistake)
            continue;
        run(&exhibits[i], is_intact ? MUSEUM_NONE : mistake, seed, narrate, &result);
        if (result.violation.invariant != INVARIANT_NONE)
            print_violation(name, seed, &result.violation);
        return result.violation.invariant != INVARIANT_NONE;
    }
    fprintf(stderr, "there is no exhibit %s\n", name);
    return 2;
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[EXHIBITS + 2];

    if (argc >= 4 && strcmp(argv[1], "--exhibit") == 0)
        return tell(argv[2], strtoull(argv[3], NULL, 10), argc > 4);
    if (argc != 2) {
        fprintf(stderr, "usage: %s PAGE | --exhibit NAME SEED [intact]\n", argv[0]);
        return 2;
    }
    page_path = argv[1];
    for (size_t i = 0; i < EXHIBITS; i++)
        tests[i] = (struct CMUnitTest){.name = museum_name(exhibits[i].mistake),
                                       .test_func = test_mistake_is_named,
                                       .initial_state = &exhibits[i]};
    tests[EXHIBITS] = (struct CMUnitTest)cmocka_unit_test(test_intact_node_passes);
    tests[EXHIBITS + 1] = (struct CMUnitTest)cmocka_unit_test(test_page_is_true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
