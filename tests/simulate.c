/*
 * simulate: campaigns by seed, from the command line. docs/testing.md says how to read what it
 * prints; scripts/soak runs many of it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/lab/campaign.h"
#include "cmd/lab/shrink.h"

enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    SHRINK_TRIES = 1000,
};

static const char usage[] =
    "usage: simulate [OPTION...] SEED | FROM TO\n"
    "Carries out the campaigns of these seeds. Exits 1 if an invariant is violated.\n"
    "  --log            tell everything that is done and noticed\n"
    "  --plan           print the plan and carry nothing out\n"
    "  --trace          print the trace hash of each seed\n"
    "  --counts         print what was covered\n"
    "  --shrink         of a seed that fails: leave out what is not needed, and print the rest\n"
    "  --crypto NAME    standin or sodium, whatever the seed says\n"
    "These repeat what --shrink has printed:\n"
    "  --nodes N        so many nodes at first\n"
    "  --until MS       faults end so early\n"
    "  --keep LIST      only these actions, \"3,7-9\"; \"none\": no action\n"
    "  --calm           good links at first\n"
    "  --alone          without a late joiner\n";

struct arguments {
    uint64_t from;
    uint64_t to;
    bool log;
    bool plan;
    bool trace;
    bool counts;
    bool shrink;
    bool calm;
    bool alone;
    const char *keep;
    const char *crypto;
    uint64_t nodes;
    uint64_t until_ms;
    bool has_until;
};

static int refuse(const char *what, const char *value)
{
    fprintf(stderr, "simulate: %s: %s\n%s", what, value, usage);
    return EXIT_USAGE;
}

static bool parse_number(const char *text, uint64_t *ret_number)
{
    char *end;

    errno = 0;
    *ret_number = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0;
}

/* Drops all actions but those in list. */
static bool keep_actions(struct plan *plan, const char *list)
{
    const char *at = list;

    for (size_t i = 0; i < plan->action_count; i++)
        plan->actions[i].is_dropped = true;
    if (strcmp(list, "none") == 0)
        return true;
    for (;;) {
        char *end;
        unsigned long first = strtoul(at, &end, 10);
        unsigned long last = first;

        if (end == at)
            return false;
        if (*end == '-') {
            at = end + 1;
            last = strtoul(at, &end, 10);
            if (end == at)
                return false;
        }
        for (unsigned long i = first; i <= last && i < plan->action_count; i++)
            plan->actions[i].is_dropped = false;
        if (*end == '\0')
            return true;
        if (*end != ',')
            return false;
        at = end + 1;
    }
}

static void print_kept(const struct plan *plan)
{
    const char *between = "";
    bool any = false;

    for (size_t i = 0; i < plan->action_count; i++) {
        size_t last = i;

        if (plan->actions[i].is_dropped || plan->actions[i].at_ms > plan->wild_ms)
            continue;
        while (last + 1 < plan->action_count && !plan->actions[last + 1].is_dropped &&
               plan->actions[last + 1].at_ms <= plan->wild_ms)
            last++;
        if (last > i)
            printf("%s%zu-%zu", between, i, last);
        else
            printf("%s%zu", between, i);
        between = ",";
        any = true;
        i = last;
    }
    if (!any)
        printf("none");
}

static void print_plan(const struct plan *plan)
{
    static const char *const stores[] = {[WORLD_MEMORY] = "memory", [WORLD_SQLITE] = "SQLite"};
    static const char *const cryptos[] = {[WORLD_STANDIN] = "stand-in", [WORLD_SODIUM] = "sodium"};
    const struct world_options *options = &plan->options;

    printf("%u nodes over %s with %s, a round every %" PRIu32 " ms, fan-out %" PRIu32
           ", choice %d; %" PRIu64 " s of faults%s\n",
           options->nodes, stores[options->store], cryptos[options->crypto], options->period_ms,
           options->fanout, (int)options->choice, plan->wild_ms / 1000,
           plan->late_joiner ? "; a late joiner" : "");
    for (size_t i = 0; i < plan->action_count; i++) {
        char text[1024];

        if (plan->actions[i].is_dropped || plan->actions[i].at_ms > plan->wild_ms)
            continue;
        action_text(&plan->actions[i], text, sizeof(text));
        printf("  %zu: %s\n", i, text);
    }
}

static void print_log(void *context, uint64_t time_ms, const char *line)
{
    (void)context;
    printf("%6" PRIu64 ".%03u  %s\n", time_ms / 1000, (unsigned)(time_ms % 1000), line);
}

static void print_count(void *context, const char *name, uint64_t count)
{
    (void)context;
    printf("count\t%s\t%" PRIu64 "\n", name, count);
}

static void print_progress(void *context, const char *line)
{
    (void)context;
    printf("  %s\n", line);
    fflush(stdout);
}

static void print_violation(const char *program, uint64_t seed, const struct violation *violation)
{
    printf("seed %" PRIu64 ": %s %s is violated at %" PRIu64 ".%03u s\n  %s\n"
           "  replay: %s --log %" PRIu64 "\n  shrink: %s --shrink %" PRIu64 "\n",
           seed, invariant_letter(violation->invariant), invariant_name(violation->invariant),
           violation->time_ms / 1000, (unsigned)(violation->time_ms % 1000), violation->witness,
           program, seed, program, seed);
}

/* Returns an exit code. */
static int make_plan(const struct arguments *arguments, uint64_t seed, struct plan *plan)
{
    /* The answer to moves comes with exchange. */
    static const struct plan_faults faults = {
        .moves = false, .restores = true, .copies = true, .flips = true};

    plan_draw(plan, seed, &faults);
    if (arguments->crypto != NULL)
        plan->options.crypto =
            strcmp(arguments->crypto, "sodium") == 0 ? WORLD_SODIUM : WORLD_STANDIN;
    if (arguments->nodes > 0)
        plan->options.nodes = (unsigned)arguments->nodes;
    if (plan->options.nodes > plan->options.nodes_max)
        plan->options.nodes_max = plan->options.nodes + 8;
    if (arguments->has_until)
        plan->wild_ms = arguments->until_ms;
    if (arguments->calm)
        plan->links = (struct virtual_link){.latency_ms = 10};
    if (arguments->alone)
        plan->late_joiner = false;
    if (arguments->keep != NULL && !keep_actions(plan, arguments->keep))
        return refuse("not a list of actions", arguments->keep);
    return EXIT_OK;
}

static int shrink(const struct arguments *arguments, const char *program, uint64_t seed,
                  struct plan *plan)
{
    struct violation violation;
    unsigned tried;

    if (!shrink_try(plan, &violation)) {
        fprintf(stderr, "simulate: cannot start a process: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    if (violation.invariant == INVARIANT_NONE) {
        printf("seed %" PRIu64 ": nothing is violated, so there is nothing to shrink\n", seed);
        return EXIT_OK;
    }
    tried = shrink_plan(plan, violation.invariant, SHRINK_TRIES, print_progress, NULL);
    printf("After %u tries this is left of seed %" PRIu64 ":\n", tried, seed);
    print_plan(plan);
    if (shrink_try(plan, &violation))
        print_violation(program, seed, &violation);
    printf("  shrunk: %s --log --nodes %u --until %" PRIu64 "%s%s%s%s --keep ", program,
           plan->options.nodes, plan->wild_ms,
           plan->links.loss_ppm == 0 && plan->links.jitter_ms == 0 ? " --calm" : "",
           plan->late_joiner ? "" : " --alone", arguments->crypto == NULL ? "" : " --crypto ",
           arguments->crypto == NULL ? "" : arguments->crypto);
    print_kept(plan);
    printf(" %" PRIu64 "\n", seed);
    return EXIT_FAILED;
}

/* Whether argument is a flag; sets it. */
static bool set_flag(struct arguments *arguments, const char *argument)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {
        {"--log", &arguments->log},       {"--plan", &arguments->plan},
        {"--trace", &arguments->trace},   {"--counts", &arguments->counts},
        {"--shrink", &arguments->shrink}, {"--calm", &arguments->calm},
        {"--alone", &arguments->alone},
    };

    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (strcmp(argument, flags[i].name) == 0) {
            *flags[i].flag = true;
            return true;
        }
    }
    return false;
}

static int set_option(struct arguments *arguments, const char *name, const char *value)
{
    if (strcmp(name, "--keep") == 0) {
        arguments->keep = value;
        return EXIT_OK;
    }
    if (strcmp(name, "--crypto") == 0) {
        arguments->crypto = value;
        return strcmp(value, "sodium") == 0 || strcmp(value, "standin") == 0
                   ? EXIT_OK
                   : refuse("--crypto is standin or sodium, not", value);
    }
    if (strcmp(name, "--nodes") == 0)
        return parse_number(value, &arguments->nodes) && arguments->nodes > 0 &&
                       arguments->nodes <= 1000
                   ? EXIT_OK
                   : refuse("--nodes takes 1 to 1000, not", value);
    if (strcmp(name, "--until") == 0) {
        arguments->has_until = true;
        return parse_number(value, &arguments->until_ms)
                   ? EXIT_OK
                   : refuse("--until takes milliseconds, not", value);
    }
    return refuse("no such option", name);
}

static int parse(int argc, char **argv, struct arguments *arguments)
{
    unsigned seeds = 0;

    for (int i = 1; i < argc; i++) {
        int error;

        if (strcmp(argv[i], "--help") == 0) {
            printf("%s", usage);
            exit(EXIT_OK);
        }
        if (set_flag(arguments, argv[i]))
            continue;
        if (argv[i][0] != '-') {
            uint64_t *seed = seeds++ == 0 ? &arguments->from : &arguments->to;

            if (seeds > 2 || !parse_number(argv[i], seed))
                return refuse("not a seed", argv[i]);
            if (seeds == 1)
                arguments->to = arguments->from;
            continue;
        }
        if (i + 1 == argc)
            return refuse("no such option, or nothing follows it", argv[i]);
        error = set_option(arguments, argv[i], argv[i + 1]);
        if (error != EXIT_OK)
            return error;
        i++;
    }
    return seeds > 0 ? EXIT_OK : refuse("there is no seed", "give one, or a range");
}

static int run_seed(const struct arguments *arguments, const char *program, uint64_t seed,
                    struct campaign_coverage *sum)
{
    struct campaign_result result;
    struct plan plan;
    int code = make_plan(arguments, seed, &plan);

    if (code == EXIT_OK && arguments->plan) {
        print_plan(&plan);
    } else if (code == EXIT_OK && arguments->shrink) {
        code = shrink(arguments, program, seed, &plan);
    } else if (code == EXIT_OK) {
        printf("begin\t%" PRIu64 "\n", seed);
        fflush(stdout);
        campaign_run(&plan, arguments->log ? print_log : NULL, NULL, &result);
        campaign_coverage_add(sum, &result.coverage);
        if (arguments->trace)
            printf("trace\t%" PRIu64 "\t%016" PRIx64 "\n", seed, result.trace);
        if (result.violation.invariant != INVARIANT_NONE) {
            print_violation(program, seed, &result.violation);
            code = EXIT_FAILED;
        }
        fflush(stdout);
    }
    plan_clear(&plan);
    return code;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct campaign_coverage sum = {0};
    int code = parse(argc, argv, &arguments);

    for (uint64_t seed = arguments.from; code != EXIT_USAGE && seed <= arguments.to; seed++) {
        int result = run_seed(&arguments, argv[0], seed, &sum);

        if (result != EXIT_OK)
            code = result;
    }
    if (arguments.counts)
        campaign_coverage_show(&sum, print_count, NULL);
    return code;
}
