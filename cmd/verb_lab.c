/* Experiments: one script, played on the simulator or on processes. */
#include "cmd/command.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/lab/figures.h"
#include "cmd/lab/lines.h"
#include "cmd/lab/play.h"
#include "cmd/lab/ready.h"
#include "cmd/lab/reduce.h"
#include "cmd/lab/report.h"
#include "cmd/lab/results.h"
#include "cmd/lab/script_check.h"
#include "cmd/output.h"

enum {
    FILE_READ_MAX = SCRIPT_SIZE_MAX + 1,
    FAILED_SHOWN_MAX = 20, /* Seeds. */
    BAR_WIDTH = 30,
};

struct lab {
    struct command_line line;
    const struct stage_place *place;
    const char *out;
    const char *name; /* Of the script, as it was typed. */
    uint64_t seed;    /* The first, */
    uint64_t last;    /* and the last. */
    bool is_many;
    bool is_shrinking;
    bool has_options; /* Of `run`. */
};

/* ---- Scripts. ---- */

static enum exit_code read_file(const char *path, struct text *ret_text)
{
    char block[65536];
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t size = 0;

    if (file < 0)
        return complain_of_system("cannot open", path, "name the file of a script");
    while (ret_text->size < FILE_READ_MAX) {
        size = read(file, block, sizeof(block));
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            break;
        text_add_bytes(ret_text, block, (size_t)size);
    }
    if (size < 0) {
        enum exit_code code = complain_of_system("cannot read", path, "name the file of a script");

        close(file);
        return code;
    }
    close(file);
    if (!ret_text->failed)
        return EXIT_OK;
    complain("lab: no memory for a script; free some and try again");
    return EXIT_MEMORY;
}

static const struct ready_script *find_ready(const char *name)
{
    for (size_t i = 0; i < ready_script_count; i++)
        if (strcmp(ready_scripts[i].name, name) == 0)
            return &ready_scripts[i];
    return NULL;
}

/* A file, or else one of those that come with the command. */
static enum exit_code read_script(const char *name, struct text *ret_text)
{
    const struct ready_script *ready = find_ready(name);

    if (ready && access(name, F_OK) < 0) {
        text_add_bytes(ret_text, ready->text, ready->size);
        return EXIT_OK;
    }
    if (access(name, F_OK) < 0 && errno == ENOENT && !strpbrk(name, "./")) {
        struct text escaped = {0};

        text_add_escaped(&escaped, name, strlen(name), TEXT_ESCAPE_TERMINAL);
        complain("lab: there is no file %s, and no script of this name comes with the command; "
                 "`gossip lab list` shows those that do",
                 escaped.data ? escaped.data : "");
        text_clear(&escaped);
        return EXIT_CONFIGURATION;
    }
    return read_file(name, ret_text);
}

/* Reads and checks a script; a fault in it is a line like a compiler's. */
static enum exit_code load(const struct lab *lab, struct script *ret_script)
{
    char error[SCRIPT_ERROR_MAX];
    struct text text = {0};
    const struct stage_ops *ops = lab->place->ops;
    enum exit_code code = read_script(lab->name, &text);

    if (code == EXIT_OK && (!script_read(ret_script, lab->name, text.data, text.size, error) ||
                            !script_check_place(ret_script, ops->name, ops->abilities, error))) {
        complain("lab: %s", error);
        code = EXIT_DAMAGED;
    }
    text_clear(&text);
    return code;
}

static enum exit_code write_text(struct text *text)
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

struct run {
    struct journal journal;
    struct outcome outcome;
    struct figures figures;
    char repeat[512];
    struct report report;
    struct text logs[SCRIPT_NODES_MAX]; /* Of its nodes; empty where there are none. */
};

/* The words that a shell takes for this one. */
static void quote(const char *word, char *ret_text, size_t size)
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

/* As if nothing had caught the signal, now that all is cleared away. */
static void end_by(int signal)
{
    kill(getpid(), signal);
    pause(); /* It is on its way. */
}

/* False, after a complaint, where there can be no stage; run is to be cleared in either case. */
static bool play_run(const struct lab *lab, const struct script *script, uint64_t seed,
                     struct run *ret_run)
{
    const char *place = lab->place->ops->name;
    struct stage *stage;
    char name[400];
    int signal;

    *ret_run = (struct run){0};
    journal_start(&ret_run->journal, script->node_count);
    stage = lab->place->open(script, seed, &ret_run->journal);
    if (!stage)
        return false;
    play(script, stage, &ret_run->outcome);
    signal = stage->signal;
    for (unsigned i = 0; i < script->node_count && stage->ops->read_log; i++)
        stage->ops->read_log(stage, i, &ret_run->logs[i]);
    stage->ops->close(stage);
    if (signal != 0)
        end_by(signal);
    figures_take(&ret_run->journal, script, ret_run->outcome.end_ms, &ret_run->figures);
    quote(lab->name, name, sizeof(name));
    snprintf(ret_run->repeat, sizeof(ret_run->repeat), "gossip lab run %s --on %s", name, place);
    if (lab->place == &stage_sim)
        snprintf(ret_run->repeat + strlen(ret_run->repeat),
                 sizeof(ret_run->repeat) - strlen(ret_run->repeat), " --seed %" PRIu64, seed);
    ret_run->report = (struct report){.script = script,
                                      .place = place,
                                      .seed = seed,
                                      .journal = &ret_run->journal,
                                      .outcome = &ret_run->outcome,
                                      .figures = &ret_run->figures,
                                      .repeat = ret_run->repeat};
    return true;
}

static void clear_run(struct run *run)
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
static enum exit_code write_run(const struct results *results, enum exit_code code,
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

/* Writes the results of run, unless NULL, and of many seeds, unless NULL. No signal ends it
 * half-way. The name of the directory is in ret_results. */
static enum exit_code write_results(const struct lab *lab, const struct script *script,
                                    struct run *run, struct text *seeds,
                                    struct results *ret_results)
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
    base_name(lab->name, name, sizeof(name));
    code = results_make(lab->out, name, ret_results);
    if (code == EXIT_OK) {
        struct report report = {.place = lab->place->ops->name, .seed = lab->seed};

        text_add_bytes(&text, script->text, script->size);
        code = write_file(ret_results, code, "script.lab", &text);
        lines_versions(&report, &text);
        code = write_file(ret_results, code, "versions.json", &text);
        if (run) {
            run->report.directory = ret_results->directory;
            code = write_run(ret_results, code, &run->report);
            code = write_logs(ret_results, code, script, run);
        }
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

static void end_progress(void)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%60s\r", "");
}

/* Leaves out what is not needed for the failure of run, and shows what is left. */
static enum exit_code shrink(const struct lab *lab, const struct run *run)
{
    const struct check *failure = outcome_failure(&run->outcome);
    struct script script = {0};
    struct text text = {0};
    enum exit_code code = load(lab, &script);
    unsigned tries = 0;

    if (code == EXIT_OK) {
        tries = reduce(&script, run->report.seed, failure, tell_progress, NULL);
        end_progress();
        text_print(&text,
                   "\n# The least of it that still fails with --seed %" PRIu64
                   ", found in %u runs:\n",
                   run->report.seed, tries);
        reduce_print(&script, &text);
        code = write_text(&text);
    }
    script_clear(&script);
    return code;
}

/* ---- One seed, or many. ---- */

static enum exit_code run_once(const struct lab *lab, const struct script *script)
{
    struct results results = {0};
    struct text text = {0};
    struct run run;
    enum exit_code code;

    if (!play_run(lab, script, lab->seed, &run)) {
        clear_run(&run);
        return EXIT_NO;
    }
    code = write_results(lab, script, &run, NULL, &results);
    if (code == EXIT_OK) {
        if (lab->line.json)
            lines_verdict(&run.report, &text);
        else
            report_print(&run.report, &text);
        code = write_text(&text);
    }
    if (code == EXIT_OK && !run.outcome.passed)
        code = lab->is_shrinking ? shrink(lab, &run) : EXIT_OK;
    if (code == EXIT_OK && !run.outcome.passed)
        code = EXIT_NO;
    results_clear(&results);
    clear_run(&run);
    return code;
}

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

static void show_bar(const struct lab *lab, const struct many *many, uint64_t seed)
{
    uint64_t count = lab->last - lab->seed + 1;
    uint64_t done = seed - lab->seed + 1;
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
    text_add_escaped(&many->failures, failure->title, strlen(failure->title), TEXT_ESCAPE_TERMINAL);
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
static enum exit_code add_seed(const struct lab *lab, const struct script *script, uint64_t seed,
                               struct many *many)
{
    enum exit_code code = EXIT_OK;
    struct text line = {0};
    struct run *run = malloc(sizeof(*run));

    if (!run) {
        complain("lab: no memory for a run; free some and try again");
        return EXIT_MEMORY;
    }
    if (!play_run(lab, script, seed, run)) {
        clear_run(run);
        free(run);
        return EXIT_NO;
    }
    lines_verdict(&run->report, &line);
    text_add_bytes(&many->seeds, line.data, line.size);
    if (lab->line.json)
        code = write_text(&line);
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
        clear_run(run);
    }
    free(run);
    return code;
}

static void print_many(const struct lab *lab, const struct script *script, const struct many *many,
                       const struct results *results, struct text *text)
{
    text_print(
        text,
        "%s on %s, seeds %" PRIu64 " to %" PRIu64 ": %" PRIu64 " passed, %" PRIu64 " failed\n",
        script->name, lab->place->ops->name, lab->seed, lab->last, many->passed, many->failed);
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

static void print_many_json(const struct lab *lab, const struct many *many, struct text *text)
{
    text_print(text,
               "{\"seeds\":[%" PRIu64 ",%" PRIu64 "],\"passed\":%" PRIu64 ",\"failed\":%" PRIu64
               "}\n",
               lab->seed, lab->last, many->passed, many->failed);
}

static enum exit_code run_many(const struct lab *lab, const struct script *script)
{
    struct many *many = calloc(1, sizeof(*many));
    struct results results = {0};
    struct text text = {0};
    enum exit_code code = many ? EXIT_OK : EXIT_MEMORY;

    if (!many)
        complain("lab: no memory for runs; free some and try again");
    for (uint64_t seed = lab->seed; seed <= lab->last && code == EXIT_OK; seed++) {
        code = add_seed(lab, script, seed, many);
        show_bar(lab, many, seed);
    }
    end_progress();
    if (code == EXIT_OK)
        code = write_results(lab, script, many->failed > 0 ? &many->first : NULL, &many->seeds,
                             &results);
    if (code == EXIT_OK) {
        if (lab->line.json)
            print_many_json(lab, many, &text);
        else
            print_many(lab, script, many, &results, &text);
        code = write_text(&text);
    }
    if (code == EXIT_OK && many->failed > 0 && lab->is_shrinking)
        code = shrink(lab, &many->first);
    if (code == EXIT_OK && many->failed > 0)
        code = EXIT_NO;
    if (many && many->failed > 0)
        clear_run(&many->first);
    if (many) {
        text_clear(&many->failures);
        text_clear(&many->seeds);
    }
    results_clear(&results);
    free(many);
    return code;
}

/* ---- What follows the verb. ---- */

static enum exit_code run_run(struct lab *lab)
{
    struct script script = {0};
    enum exit_code code = load(lab, &script);

    if (code == EXIT_OK)
        code = lab->is_many ? run_many(lab, &script) : run_once(lab, &script);
    script_clear(&script);
    return code;
}

static enum exit_code run_check(struct lab *lab)
{
    struct script script = {0};
    struct text text = {0};
    enum exit_code code = load(lab, &script);

    if (code == EXIT_OK) {
        text_print(&text,
                   "%s: %u nodes, %zu statements, over after %" PRIu64 ".%03" PRIu64
                   " s at the latest\n",
                   script.name, script.node_count, script.count, script.end_ms / 1000,
                   script.end_ms % 1000);
        code = write_text(&text);
    }
    script_clear(&script);
    return code;
}

/* What the first line of a script says of it, behind its #. */
static void add_title(const struct ready_script *ready, struct text *text)
{
    size_t start = strspn(ready->text, "# ");

    text_add_bytes(text, ready->text + start, strcspn(ready->text + start, "\n"));
}

static enum exit_code run_list(const struct lab *lab)
{
    struct text text = {0};

    for (size_t i = 0; i < ready_script_count; i++) {
        size_t start = text.size;

        if (lab->line.json) {
            text_print(&text, "{\"name\":\"%s\",\"title\":\"", ready_scripts[i].name);
            add_title(&ready_scripts[i], &text);
            text_add(&text, "\"}\n");
            continue;
        }
        text_print(&text, "%s", ready_scripts[i].name);
        text_pad(&text, start + 22);
        add_title(&ready_scripts[i], &text);
        text_add(&text, "\n");
    }
    return write_text(&text);
}

static enum exit_code run_new(struct lab *lab, const char *path)
{
    const struct ready_script *ready = find_ready(lab->name);
    struct output output = {0};
    struct text text = {0};
    char named[64];
    char quoted[4096];
    enum exit_code code = EXIT_OK;

    if (!ready) {
        command_line_refuse(
            &lab->line, "there is no ready script \"%s\"; `gossip lab list` shows them", lab->name);
        return lab->line.code;
    }
    if (!path) {
        snprintf(named, sizeof(named), "%s.lab", ready->name);
        path = named;
    }
    if (strcmp(path, "-") == 0)
        return output_write(&output, ready->text, ready->size);
    code = output_create(path, &output);
    if (code != EXIT_OK)
        return code;
    code = output_write(&output, ready->text, ready->size);
    code = output_finish(&output, code);
    if (code != EXIT_OK)
        return code;
    quote(path, quoted, sizeof(quoted));
    text_print(&text, "%s is written; play it with: gossip lab run %s\n", quoted, quoted);
    return write_text(&text);
}

static bool read_number(const char *text, char **ret_end, uint64_t *ret_number)
{
    errno = 0;
    *ret_number = strtoull(text, ret_end, 10);
    return *text >= '0' && *text <= '9' && errno == 0;
}

static void read_seed(struct lab *lab)
{
    char *end;

    if (!read_number(optarg, &end, &lab->seed) || *end)
        command_line_refuse(&lab->line, "--seed is a number, not \"%s\"", optarg);
    lab->last = lab->seed;
}

static void read_seeds(struct lab *lab)
{
    char *end;

    lab->is_many = true;
    if (!read_number(optarg, &end, &lab->seed) || strncmp(end, "..", 2) != 0 ||
        !read_number(end + 2, &end, &lab->last) || *end || lab->last < lab->seed ||
        lab->last == UINT64_MAX)
        command_line_refuse(&lab->line, "--seeds is two numbers such as 1..100, not \"%s\"",
                            optarg);
}

static void read_option(struct lab *lab, int option)
{
    lab->has_options = true;
    switch (option) {
    case 'P':
        lab->place = stage_find(optarg);
        if (!lab->place)
            command_line_refuse(&lab->line, "--on is %s, not \"%s\"", stage_names(), optarg);
        break;
    case 'S':
        read_seed(lab);
        break;
    case 'R':
        read_seeds(lab);
        break;
    case 'L':
        lab->is_shrinking = true;
        break;
    case 'O':
        lab->out = optarg;
        if (!*optarg)
            command_line_refuse(&lab->line, "the name of the directory is empty");
        break;
    }
}

static enum exit_code run(const struct command *command, int argc, char **argv)
{
    static const struct {
        const char *word;
        int minimum; /* Arguments behind it. */
        int maximum;
    } forms[] = {{"run", 1, 1}, {"new", 1, 2}, {"list", 0, 0}, {"check", 1, 1}};
    struct lab lab = {.place = &stage_sim, .out = "gossip-lab", .seed = 1, .last = 1};
    size_t form = 0;
    int option;
    int count;

    command_line_start(&lab.line, command, argc, argv);
    while ((option = command_line_next(&lab.line)) != -1)
        read_option(&lab, option);
    if (!command_line_check_arguments(&lab.line, 1, 3))
        return lab.line.code;
    while (form < 4 && strcmp(argv[optind], forms[form].word) != 0)
        form++;
    count = argc - optind - 1;
    if (form == 4)
        command_line_refuse(&lab.line, "the first word is run, new, list or check, not \"%s\"",
                            argv[optind]);
    else if (count < forms[form].minimum || count > forms[form].maximum)
        command_line_refuse(&lab.line, "%s takes %s", forms[form].word,
                            form == 1   ? "the name of a ready script, and a file"
                            : form == 2 ? "no argument"
                                        : "the file of a script, or the name of a ready one");
    else if (lab.place != &stage_sim && (lab.is_many || lab.is_shrinking))
        command_line_refuse(&lab.line, "--seeds and --shrink are for --on sim, where a seed does "
                                       "the same again");
    else if (form != 0 && lab.has_options)
        command_line_refuse(&lab.line, "%s takes none of the options of run", forms[form].word);
    if (lab.line.ended)
        return lab.line.code;
    lab.name = argv[optind + 1];
    switch (form) {
    case 0:
        return run_run(&lab);
    case 1:
        return run_new(&lab, argv[optind + 2]);
    case 2:
        return run_list(&lab);
    default:
        return run_check(&lab);
    }
}

static const struct command_option lab_options[] = {
    {.name = "on",
     .id = 'P',
     .value = "PLACE",
     .offers = OFFER_WORDS,
     .words = "sim local",
     .text = "where it is played: sim, in virtual time (default), or local, by processes on "
             "loopback addresses"},
    {.name = "seed",
     .id = 'S',
     .value = "N",
     .text = "what decides all that is left to chance on sim (default 1)"},
    {.name = "seeds",
     .id = 'R',
     .value = "A..B",
     .text = "play it with each of these seeds, and sum up"},
    {.name = "shrink",
     .id = 'L',
     .text = "where it fails, leave out what is not needed for that, and show what is left"},
    {.name = "out",
     .id = 'O',
     .value = "DIR",
     .offers = OFFER_FILE,
     .text = "where directories of results are made (default gossip-lab); latest points to the "
             "newest"},
    {NULL},
};

const struct command command_lab = {
    .name = "lab",
    .group = GROUP_LAB,
    .offers = OFFER_WORDS_AND_FILES,
    .words = "run new list check",
    .summary = "run experiments: crashes, partitions, bad links, from a script",
    .usage = "run FILE|NAME [--on sim|local] [--seed N | --seeds A..B] [--shrink]\n"
             "                      [--out DIR] [--json]\n"
             "       gossip lab new NAME [FILE]\n"
             "       gossip lab list [--json]\n"
             "       gossip lab check FILE|NAME",
    .text =
        "Plays a script of what happens to some nodes and what is expected of them, and tells "
        "what\ncame of it: what happened, which expectations held, how long deliveries took. "
        "Exits with 1\nwhere one did not hold, and shows what was seen instead.\n\n"
        "On sim the nodes are the shipped code on a virtual network, virtual disks and virtual\n"
        "clocks: an hour takes a moment, the same seed does the same again, and every step is\n"
        "checked.\n\n"
        "On local they are processes of this program, on 127.77.1.1, 127.77.1.2 and so on, with\n"
        "files in a temporary directory and links cut by a shim in each; no root is needed. "
        "Ctrl-C\n"
        "ends them and removes all.\n\n"
        "new writes a ready script to a file (NAME.lab; - is standard output), to start from; "
        "list\nshows which there are; each can be run by its name. check only reads a script.\n",
    .nowhere = true,
    .options = lab_options,
    .json = "run: one object a line for each seed: passed, script, on, seed, end_ms, checks, "
            "latency, latency_same_part, latency_other_part, heals, longest_gap, events, "
            "deliveries, datagrams, bytes, results, again; and after --seeds one of seeds, passed, "
            "failed. list: name, title",
    .notes = "The language, the expectations and the files of results: docs/lab.md.\n",
    .examples = "  gossip lab run split-crash\n"
                "  gossip lab run split-crash --on local\n"
                "  gossip lab new split mine.lab\n"
                "  gossip lab run mine.lab --seeds 1..100 --shrink\n",
    .run = run,
};
