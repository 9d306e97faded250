#include "cmd/lab/run.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/lab/lines.h"
#include "cmd/lab/reduce.h"
#include "cmd/output.h"

enum exit_code run_show(struct text *text)
{
    struct output output = {0};
    enum exit_code code = EXIT_OK;

    if (text->failed) {
        complain("lab: no memory for what is to be shown; free some and try again");
        code = EXIT_MEMORY;
    } else if (text->size > 0) {
        code = output_write(&output, text->data, text->size);
    }
    text_clear(text);
    return code;
}

/* ---- One run. ---- */

void run_quote(const char *word, char *ret_text, size_t size)
{
    size_t used = 0;

    if (*word && strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                              "./_-+,:@") == strlen(word)) {
        snprintf(ret_text, size, "%s", word);
        return;
    }
    used += (size_t)snprintf(ret_text, size, "'");
    for (; *word && used + 8 < size; word++)
        used +=
            (size_t)snprintf(ret_text + used, size - used, *word == '\'' ? "'\\''" : "%c", *word);
    snprintf(ret_text + used, size - used, "'");
}

void run_end_by(int signal)
{
    kill(getpid(), signal);
    pause(); /* It is on its way. */
}

void run_open(struct run *run, const struct script *script)
{
    *run = (struct run){0};
    journal_start(&run->journal, script->node_count);
}

void run_close(const struct run_wish *wish, const struct script *script, uint64_t seed,
               struct stage *stage, struct run *run)
{
    const char *place = wish->place->ops->name;
    int signal = stage->signal;
    char name[400];

    for (unsigned i = 0; i < script->node_count && stage->ops->read_log; i++)
        stage->ops->read_log(stage, i, &run->logs[i]);
    stage->ops->close(stage);
    if (signal != 0)
        run_end_by(signal);
    figures_take(&run->journal, script, run->outcome.end_ms, &run->figures);
    run_quote(wish->name, name, sizeof(name));
    snprintf(run->repeat, sizeof(run->repeat), "gossip lab run %s --on %s", name, place);
    if (wish->place == &stage_sim)
        snprintf(run->repeat + strlen(run->repeat), sizeof(run->repeat) - strlen(run->repeat),
                 " --seed %" PRIu64, seed);
    run->report = (struct report){.script = script,
                                  .place = place,
                                  .seed = seed,
                                  .journal = &run->journal,
                                  .outcome = &run->outcome,
                                  .figures = &run->figures,
                                  .repeat = run->repeat};
}

bool run_play(const struct run_wish *wish, const struct script *script, uint64_t seed,
              struct run *ret_run)
{
    struct stage *stage;

    run_open(ret_run, script);
    stage = wish->place->open(script, seed, &ret_run->journal);
    if (!stage)
        return false;
    play(script, stage, &ret_run->outcome);
    run_close(wish, script, seed, stage, ret_run);
    return true;
}

void run_clear(struct run *run)
{
    for (size_t i = 0; i < SCRIPT_NODES_MAX; i++)
        text_clear(&run->logs[i]);
    outcome_clear(&run->outcome);
    journal_clear(&run->journal);
}

/* ---- Results. ---- */

static enum exit_code write_file(const struct results *results, enum exit_code code,
                                 const char *name, struct text *text)
{
    if (code == EXIT_OK)
        code = results_write(results, name, text);
    text_clear(text);
    return code;
}

/* The files of one run. */
static enum exit_code write_report(const struct results *results, enum exit_code code,
                                   const struct report *report)
{
    struct text text = {0};

    lines_events(report, &text);
    code = write_file(results, code, "events.jsonl", &text);
    lines_samples(report, &text);
    code = write_file(results, code, "samples.jsonl", &text);
    lines_verdict(report, &text);
    code = write_file(results, code, "verdict.json", &text);
    report_print(report, &text);
    return write_file(results, code, "summary.txt", &text);
}

static enum exit_code write_logs(const struct results *results, enum exit_code code,
                                 const struct script *script, struct run *run)
{
    char name[SCRIPT_NAME_MAX + 8];

    for (unsigned i = 0; i < script->node_count; i++) {
        if (run->logs[i].size == 0 && !run->logs[i].failed)
            continue;
        snprintf(name, sizeof(name), "%s.log", script->nodes[i].name);
        code = write_file(results, code, name, &run->logs[i]);
    }
    return code;
}

/* A script's name without its directory and its ending, of what any file may be called. */
static void base_name(const char *name, char *ret_text, size_t size)
{
    const char *slash = strrchr(name, '/');
    size_t length;

    name = slash ? slash + 1 : name;
    length = strlen(name);
    if (length > 4 && strcmp(name + length - 4, ".lab") == 0)
        length -= 4;
    if (length == 0 || *name == '.' || length >= size)
        snprintf(ret_text, size, "run");
    else
        snprintf(ret_text, size, "%.*s", (int)length, name);
}

enum exit_code run_write_files(const struct run_wish *wish, const struct script *script,
                               struct run *run, const struct results *results)
{
    struct report report = {.place = wish->place->ops->name, .seed = wish->seed};
    enum exit_code code = EXIT_OK;
    struct text text = {0};

    lines_versions(&report, &text);
    code = write_file(results, code, "versions.json", &text);
    if (!run)
        return code;
    run->report.directory = results->directory;
    code = write_report(results, code, &run->report);
    return write_logs(results, code, script, run);
}

enum exit_code run_write(const struct run_wish *wish, const struct script *script, struct run *run,
                         struct text *seeds, struct results *ret_results)
{
    struct text text = {0};
    enum exit_code code;
    sigset_t signals;
    sigset_t before;
    char name[128];

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, &before);
    base_name(wish->name, name, sizeof(name));
    code = results_make(wish->out, name, ret_results);
    if (code == EXIT_OK) {
        text_add_bytes(&text, script->text, script->size);
        code = write_file(ret_results, code, "script.lab", &text);
        if (code == EXIT_OK)
            code = run_write_files(wish, script, run, ret_results);
        if (seeds)
            code = write_file(ret_results, code, "seeds.jsonl", seeds);
        code = results_finish(ret_results, code);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return code;
}

/* ---- Less of a script. ---- */

static void tell_progress(void *context, const char *line)
{
    (void)context;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%-60s", line);
}

void run_end_progress(void)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%60s\r", "");
}

enum exit_code run_shrink(const struct run_wish *wish, const struct run *run)
{
    const struct check *failure = outcome_failure(&run->outcome);
    struct script script = {0};
    struct text text = {0};
    enum exit_code code = run_load(wish, &script);
    unsigned tries = 0;

    if (code == EXIT_OK) {
        tries = reduce(&script, run->report.seed, failure, tell_progress, NULL);
        run_end_progress();
        text_print(&text,
                   "\n# The least of it that still fails with --seed %" PRIu64
                   ", found in %u runs:\n",
                   run->report.seed, tries);
        reduce_print(&script, &text);
        code = run_show(&text);
    }
    script_clear(&script);
    return code;
}

enum exit_code run_once(const struct run_wish *wish, const struct script *script)
{
    struct results results = {0};
    struct text text = {0};
    struct run run;
    enum exit_code code;

    if (!run_play(wish, script, wish->seed, &run)) {
        run_clear(&run);
        return EXIT_NO;
    }
    code = run_write(wish, script, &run, NULL, &results);
    if (code == EXIT_OK) {
        if (wish->is_json)
            lines_verdict(&run.report, &text);
        else
            report_print(&run.report, &text);
        code = run_show(&text);
    }
    if (code == EXIT_OK && !run.outcome.passed)
        code = wish->is_shrinking ? run_shrink(wish, &run) : EXIT_OK;
    if (code == EXIT_OK && !run.outcome.passed)
        code = EXIT_NO;
    results_clear(&results);
    run_clear(&run);
    return code;
}
