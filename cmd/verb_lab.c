/* Experiments: one script, played on the simulator or on processes; or by hand. */
#include "cmd/command.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/lab/hand.h"
#include "cmd/lab/ready.h"
#include "cmd/lab/run.h"
#include "cmd/output.h"

struct lab {
    struct command_line line;
    struct run_wish wish;
    bool is_many;
    const char *period; /* Between the exchanges of nodes; NULL: as usual. */
    unsigned given;     /* Options, as bits from A on. */
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
    lab->given |= 1U << (option - 'A');
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
    case 'E':
        lab->period = optarg;
        break;
    }
}

/* ---- By hand. ---- */

/* Arguments as one line. */
static char *join(char **arguments, int count)
{
    struct text line = {0};

    for (int i = 0; i < count; i++) {
        text_add(&line, i > 0 && arguments[i][0] != ' ' ? " " : "");
        text_add(&line, arguments[i]);
    }
    if (line.failed) {
        complain("lab: no memory for a line; free some and try again");
        exit(EXIT_MEMORY);
    }
    return line.data;
}

static enum exit_code run_up(struct lab *lab, char **arguments, int count)
{
    enum exit_code code;
    char *nodes;

    if (lab->wish.place == &stage_sim && (lab->given & 1U << ('P' - 'A')) != 0) {
        command_line_refuse(&lab->line, "no hand is fast enough for --on sim, where time is "
                                        "virtual");
        return lab->line.code;
    }
    if (lab->wish.place == &stage_sim)
        lab->wish.place = &stage_local;
    nodes = join(arguments, count);
    code = hand_up(&lab->wish, nodes, lab->period);
    free(nodes);
    return code;
}

static enum exit_code run_wait(struct lab *lab, char **arguments, int count)
{
    char line[64];

    if (count > 0 && strlen(arguments[0]) > 32) {
        command_line_refuse(&lab->line, "wait takes a time such as 10s");
        return lab->line.code;
    }
    snprintf(line, sizeof(line), "expect converged within %s", count > 0 ? arguments[0] : "60s");
    return hand_ask(&lab->wish, line);
}

/* Whether the first word is one of a line of the language. */
static bool is_statement(const char *argument)
{
    size_t length = strcspn(argument, " \t");

    for (int kind = 0; kind < STATEMENTS; kind++)
        if (strlen(statement_name(kind)) == length &&
            memcmp(statement_name(kind), argument, length) == 0)
            return true;
    return length == 5 && memcmp(argument, "every", 5) == 0;
}

/* Also for status and down. */
static enum exit_code run_line(struct lab *lab, char **arguments, int count)
{
    char *line = join(arguments, count);
    enum exit_code code = hand_ask(&lab->wish, line);

    free(line);
    return code;
}

/* ---- All of it. ---- */

#define OPTION(id) (1U << ((id) - 'A'))

enum form {
    FORM_RUN,
    FORM_NEW,
    FORM_LIST,
    FORM_CHECK,
    FORM_UP,
    FORM_WAIT,
    FORM_STATUS,
    FORM_DOWN,
    FORM_STATEMENT
};

static const struct {
    const char *word;
    int minimum; /* Arguments behind it. */
    int maximum;
    unsigned options;
    const char *takes;
} forms[] = {
    [FORM_RUN] = {"run", 1, 1, OPTION('P') | OPTION('S') | OPTION('R') | OPTION('L') | OPTION('O'),
                  "the file of a script, or the name of a ready one"},
    [FORM_NEW] = {"new", 1, 2, 0, "the name of a ready script, and a file"},
    [FORM_LIST] = {"list", 0, 0, 0, "no argument"},
    [FORM_CHECK] = {"check", 1, 1, OPTION('P'), "the file of a script, or the name of a ready one"},
    [FORM_UP] = {"up", 1, INT_MAX, OPTION('P') | OPTION('O') | OPTION('E'),
                 "how many nodes, or their names"},
    [FORM_WAIT] = {"wait", 0, 1, OPTION('O'), "a time such as 10s"},
    [FORM_STATUS] = {"status", 0, 0, OPTION('O'), "no argument"},
    [FORM_DOWN] = {"down", 0, 0, OPTION('O'), "no argument"},
    [FORM_STATEMENT] = {"a statement", 0, INT_MAX, OPTION('O'), NULL},
};

/* What -> begins with is no option. */
static void spare_arrows(int argc, char **argv)
{
    static char nothing[] = "";

    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], "->", 2) == 0)
            argv[i] = join((char *[]){nothing, argv[i]}, 2);
}

static void check_form(struct lab *lab, enum form form, int count)
{
    static const char *const names[] = {['P' - 'A'] = "--on",    ['S' - 'A'] = "--seed",
                                        ['R' - 'A'] = "--seeds", ['L' - 'A'] = "--shrink",
                                        ['O' - 'A'] = "--out",   ['E' - 'A'] = "--period"};
    unsigned odd = lab->given & ~forms[form].options;

    if (count < forms[form].minimum || count > forms[form].maximum)
        command_line_refuse(&lab->line, "%s takes %s", forms[form].word, forms[form].takes);
    else if (form == FORM_RUN && lab->wish.place != &stage_sim &&
             (lab->is_many || lab->wish.is_shrinking))
        command_line_refuse(&lab->line, "--seeds and --shrink are for --on sim, where a seed does "
                                        "the same again");
    else if (odd != 0)
        command_line_refuse(&lab->line, "%s does not take %s", forms[form].word,
                            names[__builtin_ctz(odd)]);
}

static enum exit_code run(const struct command *command, int argc, char **argv)
{
    struct lab lab = {.wish = {.place = &stage_sim, .out = HAND_OUT, .seed = 1, .last = 1}};
    enum form form = FORM_RUN;
    int option;
    int count;

    spare_arrows(argc, argv);
    command_line_start(&lab.line, command, argc, argv);
    while ((option = command_line_next(&lab.line)) != -1)
        read_option(&lab, option);
    if (!command_line_check_arguments(&lab.line, 1, INT_MAX))
        return lab.line.code;
    while (form < FORM_STATEMENT && strcmp(argv[optind], forms[form].word) != 0)
        form++;
    count = argc - optind - 1;
    if (form == FORM_STATEMENT && !is_statement(argv[optind]))
        command_line_refuse(&lab.line,
                            "the first word is run, new, list, check, up, wait, status, down or "
                            "a statement such as kill, not \"%s\"",
                            argv[optind]);
    else
        check_form(&lab, form, count);
    if (lab.line.ended)
        return lab.line.code;
    lab.wish.is_json = lab.line.json;
    lab.wish.name = argv[optind + 1];
    switch (form) {
    case FORM_RUN:
        return run_run(&lab);
    case FORM_NEW:
        return run_new(&lab, argv[optind + 2]);
    case FORM_LIST:
        return run_list(&lab);
    case FORM_CHECK:
        return run_check(&lab);
    case FORM_UP:
        return run_up(&lab, argv + optind + 1, count);
    case FORM_WAIT:
        return run_wait(&lab, argv + optind + 1, count);
    default:
        return run_line(&lab, argv + optind, count + 1);
    }
}

static const struct command_option lab_options[] = {
    {.name = "on",
     .id = 'P',
     .value = "PLACE",
     .offers = OFFER_WORDS,
     .words = "sim local netns",
     .text = "where it is played: sim, in virtual time (default of run), local, by processes on "
             "loopback addresses (default of up), or netns, by processes in network namespaces"},
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
             "newest; and where an experiment by hand is found"},
    {.name = "period",
     .id = 'E',
     .value = "TIME",
     .text = "of up: the time between a node's exchanges (default 1s)"},
    {NULL},
};

const struct command command_lab = {
    .name = "lab",
    .group = GROUP_LAB,
    .offers = OFFER_WORDS_AND_FILES,
    .words = "run new list check up status wait down publish load link partition cut heal kill "
             "stop start pause resume backup restore clone expect every",
    .summary = "run experiments: crashes, partitions, bad links, from a script",
    .usage = "run FILE|NAME [--on sim|local|netns] [--seed N | --seeds A..B] [--shrink]\n"
             "                      [--out DIR] [--json]\n"
             "       gossip lab new NAME [FILE]\n"
             "       gossip lab list [--json]\n"
             "       gossip lab check FILE|NAME [--on sim|local|netns]\n"
             "       gossip lab up N|NAME... [--on local] [--period TIME] [--out DIR] [--json]\n"
             "       gossip lab STATEMENT | wait [TIME] | status | down [--out DIR] [--json]",
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
        "list\nshows which there are; each can be run by its name. check only reads a script, for "
        "a place.\n\n"
        "up has N nodes up, for an experiment by hand, and returns. Each statement of the "
        "language\n"
        "that follows it is carried out at once: partition, kill, publish, expect and so on. wait "
        "is\n`expect converged within TIME` (60s); status shows the nodes. Each step is written "
        "down with\nits time, as a script that run plays again. down ends it: results are written, "
        "and a\nsummary is shown, as by run.\n",
    .nowhere = true,
    .options = lab_options,
    .json = "run: one object a line for each seed: passed, script, on, seed, end_ms, checks, "
            "latency, latency_same_part, latency_other_part, heals, longest_gap, events, "
            "deliveries, datagrams, bytes, results, again; and after --seeds one of seeds, passed, "
            "failed; down: the same. list: name, title. up, status: one object a line for each "
            "node: node, state, code, address, dir, pid, events, part, cut_to, clock. A statement: "
            "time_ms, line, text. expect, wait: passed, line, check, time_ms, took_ms, reached, "
            "witness",
    .notes =
        "The language: `gossip help experiments`. Of a statement's words, | -> * and \" are also "
        "the\nshell's: put the whole in '...'. The expectations and the files of results: "
        "docs/lab.md.\n",
    .examples = "  gossip lab run split-crash\n"
                "  gossip lab run split-crash --on local\n"
                "  gossip lab new split mine.lab\n"
                "  gossip lab run mine.lab --seeds 1..100 --shrink\n"
                "  gossip lab up 3\n"
                "  gossip lab 'partition n1 | *'\n"
                "  gossip lab 'publish n1 \"hello\"'\n"
                "  gossip lab kill n2\n"
                "  gossip lab down\n",
    .run = run,
};
