#include "cmd/command.h"

#include <stddef.h>

#include "cmd/ask.h"

static enum exit_code run_stop(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {COMMAND_OPTIONS, {NULL, 0, NULL, 0}};
    struct command_line line;

    command_line_start(&line, command, options, argc, argv);
    command_line_next(&line);
    if (!command_line_check(&line, 0, 0))
        return line.code;
    return ask(&(struct ask){.method = "POST",
                             .path = "/v1/stop",
                             .plain = !line.json,
                             .unsure = "it may have stopped: look with `gossip status`",
                             .ends = true},
               line.directory);
}

const struct command command_stop = {
    .name = "stop",
    .summary = "end a running node",
    .usage = "[--dir D] [--json]",
    .text = "Tells the node to end and waits until it has. Killing it does no harm either: what\n"
            "was acknowledged is on disk.\n"
            "\n"
            "  --dir D    the node's directory (else GOSSIP_DIR)\n"
            "  --json     {\"stopping\":true}\n",
    .examples = "  gossip stop --dir n1\n",
    .run = run_stop,
};
