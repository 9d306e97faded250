#include "cmd/command.h"

#include <stddef.h>
#include <string.h>

#include "cmd/ask.h"
#include "cmd/when.h"
#include "gossip/gossip.h"

/* What goes with the request: an argument's name and value. */
struct request {
    struct ask ask;
    size_t count;
    struct text since;
    struct text authors;
};

static void add_argument(struct command_line *line, struct request *request, const char *name,
                         const char *value)
{
    for (size_t i = 0; i < request->count; i++) {
        if (strcmp(request->ask.arguments[i].name, name) != 0)
            continue;
        command_line_refuse(line, "--%s stands there twice", name);
        return;
    }
    request->ask.arguments[request->count].name = name;
    request->ask.arguments[request->count++].value = value;
}

static void read_since(struct command_line *line, struct request *request)
{
    struct gossip_time *time = gossip_system_time();
    uint64_t since_ms;

    if (!when_read(optarg, time->ops->wall_ms(time), &since_ms)) {
        command_line_refuse(line,
                            "--since is a point in time, such as 2026-01-02T03:04:05Z or "
                            "2026-01-02, or how long ago, such as 10m, not \"%s\"",
                            optarg);
        return;
    }
    text_clear(&request->since);
    text_add_time(&request->since, since_ms);
    if (!request->since.failed)
        add_argument(line, request, "since", request->since.data);
}

static void read_option(struct command_line *line, struct request *request, int option)
{
    switch (option) {
    case 'S':
        read_since(line, request);
        break;
    case 'A':
        if (request->authors.size > 0)
            text_add(&request->authors, ",");
        text_add(&request->authors, optarg);
        break;
    case 'B':
        add_argument(line, request, "before", optarg);
        break;
    case 'F':
        add_argument(line, request, "after", optarg);
        break;
    case 'W':
        add_argument(line, request, "concurrent-with", optarg);
        break;
    case 'N':
        add_argument(line, request, "limit", optarg);
        break;
    case 'L':
        add_argument(line, request, "all", "1");
        break;
    default:
        add_argument(line, request, "contested", "1");
        break;
    }
}

static enum exit_code run_log(const struct command *command, int argc, char **argv)
{
    struct command_line line;
    struct request request = {.ask = {.method = "GET", .path = "/v1/log", .files = true}};
    enum exit_code code;
    int option;

    command_line_start(&line, command, argc, argv);
    while (!line.ended && (option = command_line_next(&line)) != -1)
        read_option(&line, &request, option);
    if (command_line_check(&line, 0, 0)) {
        if (request.authors.size > 0)
            add_argument(&line, &request, "author", request.authors.data);
        request.ask.plain = !line.json;
        if (request.since.failed || request.authors.failed) {
            complain("log: no memory to ask with; free some and try again");
            code = EXIT_MEMORY;
        } else {
            code = ask(&request.ask, line.directory);
        }
    } else {
        code = line.code;
    }
    text_clear(&request.since);
    text_clear(&request.authors);
    return code;
}

static const struct command_option log_options[] = {
    {.name = "since",
     .id = 'S',
     .value = "TIME",
     .text = "only events whose author's clock showed TIME or later: 2026-01-02T03:04:05Z, "
             "2026-01-02, or how long ago: 90s, 10m, 2h, 7d"},
    {.name = "author",
     .id = 'A',
     .value = "A",
     .offers = OFFER_AUTHOR,
     .text = "only events of A; may be given several times"},
    {.name = "before",
     .id = 'B',
     .value = "EVENT",
     .offers = OFFER_DOT,
     .text = "only what happened before EVENT: what could have caused it"},
    {.name = "after",
     .id = 'F',
     .value = "EVENT",
     .offers = OFFER_DOT,
     .text = "only what happened after EVENT: what it could have caused"},
    {.name = "concurrent-with",
     .id = 'W',
     .value = "EVENT",
     .offers = OFFER_DOT,
     .text = "only what is neither: neither could have caused the other"},
    {.name = "limit", .id = 'N', .value = "N", .text = "only the last N of those, 1 to 1000000"},
    {.name = "all", .id = 'L', .text = "also events that only carry context"},
    {.name = "contested",
     .id = 'C',
     .text = "instead those that no longer count: they were delivered here before it "
             "was known that their author had forked or was evicted"},
    {.name = NULL},
};

const struct command command_log = {
    .name = "log",
    .group = GROUP_EVENTS,
    .summary = "show all events in an order that respects their causes",
    .usage = "[--dir D] [--since TIME] [--author A]... [--before EVENT] [--after EVENT]\n"
             "           [--concurrent-with EVENT] [--limit N] [--all] [--contested] [--json]",
    .text = "Shows each event after all it could have been caused by; nodes that hold the same\n"
            "events show the same. With options, those that fit all of them. Works on a running\n"
            "node and on a stopped one.\n",
    .json = "one object a line: dot, author, seq, clock, time, hlc, hash, and data, "
            "or data_base64 where it is not UTF-8",
    .options = log_options,
    .examples = "  gossip log --dir n1\n"
                "  gossip log --dir n1 --since 10m --author n2\n"
                "  gossip log --dir n1 --after n1:3 --before n2:7\n"
                "  gossip log --dir n1 --json | jq -r .data\n"
                "  gossip log --dir n1 --limit 10\n"
                "  gossip log --dir n1 | head -1\n",
    .run = run_log,
};
