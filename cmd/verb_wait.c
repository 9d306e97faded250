#include "cmd/command.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/ask.h"

enum {
    DEFAULT_MS = 60000,
    LAST_MS = 24 * 3600 * 1000,
    GRACE_MS = 30000, /* For the answer that the time is over, from a node whose disk stalls. */
};

static enum exit_code run(const struct command *command, int argc, char **argv)
{
    struct command_line line;
    uint32_t timeout_ms = DEFAULT_MS;
    char text[16];
    bool in_step;
    bool clock;

    command_line_start(&line, command, argc, argv);
    while (command_line_next(&line) != -1)
        if (!command_line_read_duration(&line, "--timeout", 0, LAST_MS, &timeout_ms))
            break;
    if (!command_line_check(&line, 1, 2))
        return line.code;
    in_step = strcmp(argv[optind], "in-step") == 0 && argc - optind == 1;
    clock = strcmp(argv[optind], "clock") == 0 && argc - optind == 2;
    if (!in_step && !clock) {
        command_line_refuse(&line, "say what to wait for: in-step, or clock TOKEN");
        return line.code;
    }
    snprintf(text, sizeof(text), "%" PRIu32, timeout_ms);
    return ask(&(struct ask){.method = "GET",
                             .path = "/v1/wait",
                             .arguments = {{in_step ? "for" : "clock", argv[argc - 1]},
                                           {"timeout_ms", text}},
                             .plain = !line.json,
                             .patience_ms = timeout_ms + GRACE_MS},
               line.directory);
}

static const struct command_option wait_options[] = {
    {.name = "timeout",
     .id = 'T',
     .value = "TIME",
     .text = "how long at most: 500ms, 10s, 2m or 1h; 0 only looks (60s)"},
    {.name = NULL},
};

const struct command command_wait = {
    .name = "wait",
    .group = GROUP_STATE,
    .offers = OFFER_WORDS,
    .words = "in-step clock",
    .summary = "wait until a node is in step, or holds what a token names",
    .usage = "[--dir D] [--timeout TIME] [--json] in-step | clock TOKEN",
    .text =
        "Waits until this node holds the same events as each node that answers it, and there is\n"
        "one; or until its clock covers what `gossip clock --token` has printed, at this or\n"
        "another node of the cluster. Needs a running node.\n",
    .notes = "Exits with 4, and says what is missing, when the time is over.\n",
    .json = "{\"in_step\":2}, or as clock",
    .options = wait_options,
    .examples = "  gossip wait --dir n1 in-step\n"
                "  gossip wait --dir n2 clock $(gossip clock --dir n1 --token) --timeout 10s\n",
    .run = run,
};
