#include "cmd/command.h"

#include <stddef.h>
#include <unistd.h>

#include "cmd/ask.h"

static enum exit_code run(const struct command *command, int argc, char **argv)
{
    struct ask question = {.method = "GET", .path = "/v1/export", .files = true};
    struct command_line line;

    command_line_start(&line, command, argc, argv);
    while (command_line_next(&line) != -1) {
        question.arguments[0].name = "author";
        question.arguments[0].value = optarg;
    }
    if (!command_line_check(&line, 0, 1))
        return line.code;
    if (optind < argc)
        question.out = argv[optind];
    if (!question.out && isatty(STDOUT_FILENO)) {
        command_line_refuse(&line, "an archive is nothing for a terminal: name a file");
        return line.code;
    }
    return ask(&question, line.directory);
}

static const struct command_option export_options[] = {
    {.name = "author",
     .id = 'A',
     .value = "A",
     .offers = OFFER_AUTHOR,
     .text = "only the events of one author, as `gossip clock` names it"},
    {.name = NULL},
};

const struct command command_export = {
    .name = "export",
    .group = GROUP_FILES,
    .offers = OFFER_FILE,
    .summary = "write events to a file that proves itself",
    .usage = "[--dir D] [--author A] [FILE]",
    .text =
        "Writes the events that a node holds, running or stopped, to FILE, which must not exist,\n"
        "or to standard output: with the certificates, evictions and proofs, and each author's\n"
        "chain with its seals, so that whoever has the file can verify all of it with nothing but\n"
        "the cluster's public key. Events that no longer count are left out.\n",
    .options = export_options,
    .examples = "  gossip export --dir n1 all.events\n"
                "  gossip export --dir n1 --author n2 | ssh elsewhere 'cat > n2.events'\n",
    .run = run,
};
