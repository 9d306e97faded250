/* Experiments: one script, played on the simulator or on processes. */
#include "cmd/command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/lab/ready.h"
#include "cmd/lab/run.h"
#include "cmd/output.h"

struct lab {
    struct command_line line;
    struct run_wish wish;
    bool is_many;
    bool has_options; /* Of `run`. */
};

/* ---- What follows the verb. ---- */

static enum exit_code run_run(struct lab *lab)
{
    struct script script = {0};
    enum exit_code code = run_load(&lab->wish, &script);

    if (code == EXIT_OK)
        code = lab->is_many ? run_many(&lab->wish, &script) : run_once(&lab->wish, &script);
    script_clear(&script);
    return code;
}

static enum exit_code run_check(struct lab *lab)
{
    struct script script = {0};
    struct text text = {0};
    enum exit_code code = run_load(&lab->wish, &script);

    if (code == EXIT_OK) {
        text_print(&text,
                   "%s: %u nodes, %zu statements, over after %" PRIu64 ".%03" PRIu64
                   " s at the latest\n",
                   script.name, script.node_count, script.count, script.end_ms / 1000,
                   script.end_ms % 1000);
        code = run_show(&text);
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
    return run_show(&text);
}

static enum exit_code run_new(struct lab *lab, const char *path)
{
    const struct ready_script *ready = ready_find(lab->wish.name);
    struct output output = {0};
    struct text text = {0};
    char named[64];
    char quoted[4096];
    enum exit_code code = EXIT_OK;

    if (!ready) {
        command_line_refuse(&lab->line,
                            "there is no ready script \"%s\"; `gossip lab list` shows them",
                            lab->wish.name);
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
    run_quote(path, quoted, sizeof(quoted));
    text_print(&text, "%s is written; play it with: gossip lab run %s\n", quoted, quoted);
    return run_show(&text);
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

    if (!read_number(optarg, &end, &lab->wish.seed) || *end)
        command_line_refuse(&lab->line, "--seed is a number, not \"%s\"", optarg);
    lab->wish.last = lab->wish.seed;
}

static void read_seeds(struct lab *lab)
{
    char *end;

    lab->is_many = true;
    if (!read_number(optarg, &end, &lab->wish.seed) || strncmp(end, "..", 2) != 0 ||
        !read_number(end + 2, &end, &lab->wish.last) || *end || lab->wish.last < lab->wish.seed ||
        lab->wish.last == UINT64_MAX)
        command_line_refuse(&lab->line, "--seeds is two numbers such as 1..100, not \"%s\"",
                            optarg);
}

static void read_option(struct lab *lab, int option)
{
    lab->has_options = true;
    switch (option) {
    case 'P':
        lab->wish.place = stage_find(optarg);
        if (!lab->wish.place)
            command_line_refuse(&lab->line, "--on is %s, not \"%s\"", stage_names(), optarg);
        break;
    case 'S':
        read_seed(lab);
        break;
    case 'R':
        read_seeds(lab);
        break;
    case 'L':
        lab->wish.is_shrinking = true;
        break;
    case 'O':
        lab->wish.out = optarg;
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
    struct lab lab = {.wish = {.place = &stage_sim, .out = "gossip-lab", .seed = 1, .last = 1}};
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
    else if (lab.wish.place != &stage_sim && (lab.is_many || lab.wish.is_shrinking))
        command_line_refuse(&lab.line, "--seeds and --shrink are for --on sim, where a seed does "
                                       "the same again");
    else if (form != 0 && lab.has_options)
        command_line_refuse(&lab.line, "%s takes none of the options of run", forms[form].word);
    if (lab.line.ended)
        return lab.line.code;
    lab.wish.is_json = lab.line.json;
    lab.wish.name = argv[optind + 1];
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
     .words = "sim local netns",
     .text = "where it is played: sim, in virtual time (default), local, by processes on loopback "
             "addresses, or netns, by processes in network namespaces"},
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
    .usage = "run FILE|NAME [--on sim|local|netns] [--seed N | --seeds A..B] [--shrink]\n"
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
        "ends them and removes all. On netns each is in a network namespace of its own, and "
        "links are\ncut by the kernel; it takes ip and nft, and root where the system does not "
        "let others.\n\n"
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
