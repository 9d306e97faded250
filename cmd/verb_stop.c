#include "cmd/command.h"

#include <stddef.h>

#include "cmd/ask.h"

static enum exit_code run_stop(const struct command *command, int argc, char **argv)
{
    struct command_line line;

    command_line_start(&line, command, argc, argv);
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
    .group = GROUP_RUN,
    .summary = "end a running node",
    .usage = "[--dir D] [--json]",
    .text = "Tells the node to end and waits until it has. Killing it does no harm either: what\n"
            "was acknowledged is on disk.\n",
    .json = "{\"stopping\":true}",
    .examples = "  gossip stop --dir n1\n",
    .run = run_stop,
};
