/* The verbs that show what a node knows: one request each. */
#include "cmd/command.h"

#include <stddef.h>
#include <string.h>

#include "cmd/ask.h"

/* A verb without options or arguments of its own. */
static enum exit_code run_simple(const struct command *command, int argc, char **argv,
                                 const char *path)
{
    struct command_line line;

    command_line_start(&line, command, argc, argv);
    command_line_next(&line);
    if (!command_line_check(&line, 0, 0))
        return line.code;
    return ask(&(struct ask){.method = "GET", .path = path, .plain = !line.json}, line.directory);
}

static enum exit_code run_clock(const struct command *command, int argc, char **argv)
{
    struct command_line line;
    const char *token = "0";

    command_line_start(&line, command, argc, argv);
    while (command_line_next(&line) != -1)
        token = "1";
    if (!command_line_check(&line, 0, 0))
        return line.code;
    return ask(&(struct ask){.method = "GET",
                             .path = "/v1/clock",
                             .arguments = {{"token", token}},
                             .plain = !line.json,
                             .files = true},
               line.directory);
}

static enum exit_code run_peers(const struct command *command, int argc, char **argv)
{
    return run_simple(command, argc, argv, "/v1/peers");
}

/* Says what is wrong with the node, a line for each: EXIT_NO where there is something. */
static enum exit_code complain_of_problems(const char *directory)
{
    struct text problems = {0};
    enum exit_code code = ask(
        &(struct ask){.method = "GET", .path = "/v1/problems", .plain = true, .answer = &problems},
        directory);

    for (const char *line = problems.data; code <= EXIT_NO && line && *line;) {
        int size = (int)strcspn(line, "\n");

        complain("%.*s", size, line);
        code = EXIT_NO;
        line += size + (line[size] == '\n');
    }
    text_clear(&problems);
    return code;
}

static enum exit_code run_status(const struct command *command, int argc, char **argv)
{
    struct command_line line;
    bool judges = false;
    enum exit_code code;

    command_line_start(&line, command, argc, argv);
    while (command_line_next(&line) != -1)
        judges = true;
    if (!command_line_check(&line, 0, 0))
        return line.code;
    code = ask(&(struct ask){.method = "GET", .path = "/v1/status", .plain = !line.json},
               line.directory);
    return code == EXIT_OK && judges ? complain_of_problems(line.directory) : code;
}

static enum exit_code run_relation(const struct command *command, int argc, char **argv)
{
    struct command_line line;

    command_line_start(&line, command, argc, argv);
    command_line_next(&line);
    if (!command_line_check(&line, 2, 2))
        return line.code;
    return ask(&(struct ask){.method = "GET",
                             .path = "/v1/relation",
                             .arguments = {{"a", argv[optind]}, {"b", argv[optind + 1]}},
                             .plain = !line.json,
                             .files = true},
               line.directory);
}

static const struct command_option clock_options[] = {
    {.name = "token",
     .id = 'T',
     .text =
         "as a token, for `gossip wait clock` and `gossip watch --after` at this or another node "
         "of the cluster"},
    {.name = NULL},
};

const struct command command_clock = {
    .name = "clock",
    .group = GROUP_EVENTS,
    .summary = "show the clock: how many events of each author are here",
    .usage = "[--dir D] [--token] [--json]",
    .text = "Shows for each author the number of its last event that this node has stored and\n"
            "delivered. Works on a running node and on a stopped one.\n",
    .json = "{\"node\":\"n1\",\"clock\":{\"n1\":3,\"n2\":1}}; with --token also token",
    .options = clock_options,
    .examples = "  gossip clock --dir n1\n"
                "  gossip clock --dir n1 --json | jq .clock.n2\n"
                "  gossip wait clock --dir n2 $(gossip clock --dir n1 --token)\n",
    .run = run_clock,
};

const struct command command_relation = {
    .name = "relation",
    .group = GROUP_EVENTS,
    .offers = OFFER_DOT,
    .summary = "tell whether one event came before another, and why",
    .usage = "[--dir D] [--json] EVENT EVENT",
    .text = "Tells how the first event stands to the second: before (it could have caused it),\n"
            "after, equal, or concurrent. An event is named by its dot, n1:3; where two authors\n"
            "are called n1, by n1#ab12:3. Works on a running node and on a stopped one.\n",
    .json = "{\"a\":\"n1:1\",\"b\":\"n2:1\",\"relation\":\"concurrent\"}",
    .examples = "  gossip relation --dir n1 n1:1 n2:3\n"
                "  gossip relation --dir n1 --json n1#ab12:1 n2:3\n",
    .run = run_relation,
};

const struct command command_peers = {
    .name = "peers",
    .group = GROUP_STATE,
    .summary = "show the other nodes as a running node sees them",
    .usage = "[--dir D] [--json]",
    .text = "Shows each known node: its address, whether it answers, and whether it held the same\n"
            "events when last asked. Needs a running node.\n",
    .json = "one object a line: name, key, address, state, standing, in_step, "
            "heard_ms, exchanges, answered",
    .examples = "  gossip peers --dir n1\n"
                "  gossip peers --dir n1 --json | jq -r 'select(.state==\"silent\").name'\n",
    .run = run_peers,
};

static const struct command_option status_options[] = {
    {.name = "exit-code",
     .id = 'E',
     .text = "exit with 1 where something is wrong, and say what on standard error: read-only, "
             "waiting, set-back, evicted, alone, held or poisonous"},
    {.name = NULL},
};

const struct command command_status = {
    .name = "status",
    .group = GROUP_STATE,
    .summary = "show a running node itself: identity, clock, what waits, counters",
    .usage = "[--dir D] [--exit-code] [--json]",
    .options = status_options,
    .text = "Shows who the node is, how often it has started, its clock, the events it holds back\n"
            "and what they wait for, and what became of the datagrams it received. Needs a\n"
            "running node.\n",
    .json = "one object",
    .examples = "  gossip status --dir n1\n"
                "  gossip status --dir n1 --exit-code > /dev/null || echo look after n1\n"
                "  gossip status --dir n1 --json | jq .datagrams.forged\n",
    .run = run_status,
};
