/* Experiments: one script, played on the simulator. */
#include "cmd/command.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/lab/figures.h"
#include "cmd/lab/play.h"
#include "cmd/lab/report.h"
#include "cmd/lab/script_check.h"
#include "cmd/output.h"

enum { FILE_READ_MAX = SCRIPT_SIZE_MAX + 1 };

struct lab {
    struct command_line line;
    const char *on;
    uint64_t seed;
};

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

/* Reads and checks a script; a fault in it is a line like a compiler's. */
static enum exit_code load(const char *path, const struct stage_ops *ops, struct script *ret_script)
{
    char error[SCRIPT_ERROR_MAX];
    struct text text = {0};
    enum exit_code code = read_file(path, &text);

    if (code == EXIT_OK && (!script_read(ret_script, path, text.data, text.size, error) ||
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

    if (text->failed) {
        complain("lab: no memory for what is to be shown; free some and try again");
        return EXIT_MEMORY;
    }
    return text->size > 0 ? output_write(&output, text->data, text->size) : EXIT_OK;
}

static enum exit_code run_once(const struct lab *lab, const struct script *script)
{
    struct report report = {.script = script, .place = lab->on, .seed = lab->seed};
    struct text text = {0};
    struct journal journal;
    struct outcome outcome;
    struct figures figures;
    struct stage *stage;
    enum exit_code code;

    journal_start(&journal, script->node_count);
    stage = stage_open_sim(script, lab->seed, &journal);
    play(script, stage, &outcome);
    stage->ops->close(stage);
    figures_take(&journal, script, outcome.end_ms, &figures);
    report.journal = &journal;
    report.outcome = &outcome;
    report.figures = &figures;
    report_print(&report, &text);
    code = write_text(&text);
    if (code == EXIT_OK && !outcome.passed)
        code = EXIT_NO;
    text_clear(&text);
    outcome_clear(&outcome);
    journal_clear(&journal);
    return code;
}

static enum exit_code run_run(struct lab *lab, const char *path)
{
    struct script script = {0};
    enum exit_code code = load(path, &stage_sim_ops, &script);

    if (code == EXIT_OK)
        code = run_once(lab, &script);
    script_clear(&script);
    return code;
}

static bool read_number(const char *text, uint64_t *ret_number)
{
    char *end;

    errno = 0;
    *ret_number = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
}

static enum exit_code run(const struct command *command, int argc, char **argv)
{
    struct lab lab = {.on = "sim", .seed = 1};
    int option;

    command_line_start(&lab.line, command, argc, argv);
    while ((option = command_line_next(&lab.line)) != -1) {
        switch (option) {
        case 'O':
            lab.on = optarg;
            if (strcmp(optarg, "sim") != 0)
                command_line_refuse(&lab.line, "--on is sim, not \"%s\"", optarg);
            break;
        case 'S':
            if (!read_number(optarg, &lab.seed))
                command_line_refuse(&lab.line, "--seed is a number, not \"%s\"", optarg);
            break;
        }
    }
    if (!command_line_check_arguments(&lab.line, 1, 2))
        return lab.line.code;
    if (strcmp(argv[optind], "run") == 0 && argc - optind == 2)
        return run_run(&lab, argv[optind + 1]);
    command_line_refuse(&lab.line, "usage: gossip lab %s", command->usage);
    return lab.line.code;
}

static const struct command_option lab_options[] = {
    {.name = "on",
     .id = 'O',
     .value = "PLACE",
     .offers = OFFER_WORDS,
     .words = "sim",
     .text = "where it is played: sim, in virtual time (default)"},
    {.name = "seed",
     .id = 'S',
     .value = "N",
     .text = "what decides all that is left to chance on sim (default 1)"},
    {NULL},
};

const struct command command_lab = {
    .name = "lab",
    .group = GROUP_LAB,
    .offers = OFFER_FILE,
    .summary = "run experiments: crashes, partitions, bad links, from a script",
    .usage = "run FILE [--on sim] [--seed N]",
    .text = "Plays a script of what happens to some nodes and what is expected of them, and tells "
            "what\ncame of it. On sim the nodes are the shipped code on a virtual network, virtual "
            "disks and\nvirtual clocks: an hour takes a moment, the same seed does the same again, "
            "and every step\nis checked.\n",
    .nowhere = true,
    .options = lab_options,
    .examples = "  gossip lab run split.lab\n"
                "  gossip lab run split.lab --seed 7\n",
    .run = run,
};
