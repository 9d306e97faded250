/* One script with many seeds, and the sum of it. */
#include "cmd/lab/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/lab/lines.h"

enum {
    FAILED_SHOWN_MAX = 20, /* Seeds. */
    BAR_WIDTH = 30,
};

/* What is known of many seeds. */
struct many {
    uint64_t passed;
    uint64_t failed;
    struct text failures; /* Lines. */
    struct text seeds;    /* Verdicts. */
    uint64_t healed_ms;   /* The longest, and its seed. */
    uint64_t healed_seed;
    bool has_healed;
    uint64_t delivery_ms;
    uint64_t delivery_seed;
    struct run first; /* That failed. */
};

static void show_bar(const struct run_wish *wish, const struct many *many, uint64_t seed)
{
    uint64_t count = wish->last - wish->seed + 1;
    uint64_t done = seed - wish->seed + 1;
    char bar[BAR_WIDTH + 1];

    if (!isatty(STDERR_FILENO))
        return;
    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', (size_t)(done * BAR_WIDTH / count));
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\r[%s] seed %" PRIu64 ", %" PRIu64 " of %" PRIu64 ", %" PRIu64 " failed ", bar,
            seed, done, count, many->failed);
}

static void note_failure(struct many *many, const struct run *run)
{
    const struct check *failure = outcome_failure(&run->outcome);

    if (many->failed > FAILED_SHOWN_MAX)
        return;
    text_print(&many->failures, "  seed %-8" PRIu64 " ", run->report.seed);
    text_add_escaped(&many->failures, failure->title, strlen(failure->title), TEXT_ESCAPE_SCRIPT);
    if (failure->line > 0)
        text_print(&many->failures, ", line %u", failure->line);
    text_add(&many->failures, "\n");
}

static void note_figures(struct many *many, const struct run *run)
{
    const struct figures *figures = &run->figures;

    for (size_t i = 0; i < figures->heal_count; i++) {
        if (!figures->heals[i].agreed ||
            (many->has_healed && figures->heals[i].took_ms <= many->healed_ms))
            continue;
        many->has_healed = true;
        many->healed_ms = figures->heals[i].took_ms;
        many->healed_seed = run->report.seed;
    }
    if (figures->latencies[LATENCY_ALL].max_ms > many->delivery_ms) {
        many->delivery_ms = figures->latencies[LATENCY_ALL].max_ms;
        many->delivery_seed = run->report.seed;
    }
}

/* Plays one more; whether it is the first that failed, and is kept. */
static enum exit_code add_seed(const struct run_wish *wish, const struct script *script,
                               uint64_t seed, struct many *many)
{
    enum exit_code code = EXIT_OK;
    struct text line = {0};
    struct run *run = malloc(sizeof(*run));

    if (!run) {
        complain("lab: no memory for a run; free some and try again");
        return EXIT_MEMORY;
    }
    if (!run_play(wish, script, seed, run)) {
        run_clear(run);
        free(run);
        return EXIT_NO;
    }
    lines_verdict(&run->report, &line);
    text_add_bytes(&many->seeds, line.data, line.size);
    if (wish->is_json)
        code = run_show(&line);
    text_clear(&line);
    note_figures(many, run);
    if (run->outcome.passed) {
        many->passed++;
    } else {
        many->failed++;
        note_failure(many, run);
    }
    if (!run->outcome.passed && many->failed == 1) {
        /* What points into it is set anew. */
        many->first = *run;
        many->first.report.journal = &many->first.journal;
        many->first.report.outcome = &many->first.outcome;
        many->first.report.figures = &many->first.figures;
        many->first.report.repeat = many->first.repeat;
    } else {
        run_clear(run);
    }
    free(run);
    return code;
}

static void print_many(const struct run_wish *wish, const struct script *script,
                       const struct many *many, const struct results *results, struct text *text)
{
    text_print(
        text,
        "%s on %s, seeds %" PRIu64 " to %" PRIu64 ": %" PRIu64 " passed, %" PRIu64 " failed\n",
        script->name, wish->place->ops->name, wish->seed, wish->last, many->passed, many->failed);
    if (many->failures.size > 0)
        text_add(text, many->failures.data);
    if (many->failed > FAILED_SHOWN_MAX)
        text_print(text, "  and %" PRIu64 " more\n", many->failed - FAILED_SHOWN_MAX);
    if (many->has_healed)
        text_print(text,
                   "  longest way to agreement after a heal: %" PRIu64 ".%03" PRIu64
                   " s, seed %" PRIu64 "\n",
                   many->healed_ms / 1000, many->healed_ms % 1000, many->healed_seed);
    if (many->delivery_ms > 0)
        text_print(text, "  longest delivery: %" PRIu64 ".%03" PRIu64 " s, seed %" PRIu64 "\n",
                   many->delivery_ms / 1000, many->delivery_ms % 1000, many->delivery_seed);
    if (many->failed > 0) {
        text_print(text, "\nOf seed %" PRIu64 "\n", many->first.report.seed);
        report_print_failures(&many->first.report, text);
    }
    text_print(text, "\nresults: %s\n", results->directory);
    if (many->failed > 0)
        text_print(text, "again:   %s\n", many->first.repeat);
}

static void print_many_json(const struct run_wish *wish, const struct many *many, struct text *text)
{
    text_print(text,
               "{\"seeds\":[%" PRIu64 ",%" PRIu64 "],\"passed\":%" PRIu64 ",\"failed\":%" PRIu64
               "}\n",
               wish->seed, wish->last, many->passed, many->failed);
}

enum exit_code run_many(const struct run_wish *wish, const struct script *script)
{
    struct many *many = calloc(1, sizeof(*many));
    struct results results = {0};
    struct text text = {0};
    enum exit_code code = many ? EXIT_OK : EXIT_MEMORY;

    if (!many)
        complain("lab: no memory for runs; free some and try again");
    for (uint64_t seed = wish->seed; seed <= wish->last && code == EXIT_OK; seed++) {
        code = add_seed(wish, script, seed, many);
        show_bar(wish, many, seed);
    }
    run_end_progress();
    if (code == EXIT_OK)
        code =
            run_write(wish, script, many->failed > 0 ? &many->first : NULL, &many->seeds, &results);
    if (code == EXIT_OK) {
        if (wish->is_json)
            print_many_json(wish, many, &text);
        else
            print_many(wish, script, many, &results, &text);
        code = run_show(&text);
    }
    if (code == EXIT_OK && many->failed > 0 && wish->is_shrinking)
        code = run_shrink(wish, &many->first);
    if (code == EXIT_OK && many->failed > 0)
        code = EXIT_NO;
    if (many && many->failed > 0)
        run_clear(&many->first);
    if (many) {
        text_clear(&many->failures);
        text_clear(&many->seeds);
    }
    results_clear(&results);
    free(many);
    return code;
}
