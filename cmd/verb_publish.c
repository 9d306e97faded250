#include "cmd/command.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/ask.h"
#include "cmd/publish_lines.h"
#include "gossip/limits.h"

/* Reads standard input to its end, but no more than any node would publish at once. *ret_data is
 * the caller's. */
static enum exit_code read_input(char **ret_data, size_t *ret_size)
{
    char *data = malloc(GOSSIP_PAYLOAD_MAX + 1);
    size_t size = 0;
    ssize_t count;

    if (!data) {
        complain("publish: no memory for the payload; free some and try again");
        return EXIT_MEMORY;
    }
    do {
        count = read(STDIN_FILENO, data + size, GOSSIP_PAYLOAD_MAX + 1 - size);
        if (count > 0)
            size += (size_t)count;
    } while ((count > 0 && size <= GOSSIP_PAYLOAD_MAX) || (count < 0 && errno == EINTR));
    if (count < 0) {
        enum exit_code code =
            complain_of_system("cannot read", "standard input", "nothing was published");

        free(data);
        return code;
    }
    if (size > GOSSIP_PAYLOAD_MAX) {
        complain("publish: the payload is larger than %d bytes, which no node publishes at once; "
                 "split it",
                 GOSSIP_PAYLOAD_MAX);
        free(data);
        return EXIT_NO;
    }
    *ret_data = data;
    *ret_size = size;
    return EXIT_OK;
}

static enum exit_code run_publish(const struct command *command, int argc, char **argv)
{
    struct command_line line;
    char *input = NULL;
    struct ask question = {.method = "POST",
                           .path = "/v1/events",
                           .writes = true,
                           .unsure = "whether the event was written is not known: look with "
                                     "`gossip log` before publishing it again"};
    enum exit_code code = EXIT_OK;
    const char *once = NULL;
    bool lines = false;
    int option;

    command_line_start(&line, command, argc, argv);
    while ((option = command_line_next(&line)) != -1) {
        if (option == 'L')
            lines = true;
        else
            once = optarg;
    }
    if (!command_line_check(&line, lines ? 0 : 1, 1))
        return line.code;
    if (!line.ended && once && lines)
        command_line_refuse(&line, "--once stands for one event, and --lines for many");
    else if (once && (*once == '\0' || strlen(once) > GOSSIP_ONCE_MAX))
        command_line_refuse(&line, "--once takes a key of 1 to %d bytes", GOSSIP_ONCE_MAX);
    else if (lines && optind < argc && strcmp(argv[optind], "-") != 0)
        command_line_refuse(&line, "with --lines, standard input is published, and \"%s\" is not",
                            argv[optind]);
    if (line.ended)
        return line.code;
    if (lines)
        return publish_lines(line.directory, !line.json);
    question.plain = !line.json;
    if (once) {
        question.arguments[0].name = "once";
        question.arguments[0].value = once;
        question.unsure = "whether the event was written is not known: publish it again with the "
                          "same key";
    }
    question.body = argv[optind];
    question.size = strlen(argv[optind]);
    if (strcmp(argv[optind], "-") == 0) {
        code = read_input(&input, &question.size);
        question.body = input;
    }
    if (code == EXIT_OK)
        code = ask(&question, line.directory);
    free(input);
    return code;
}

static const struct command_option publish_options[] = {
    {.name = "once",
     .id = 'O',
     .value = "KEY",
     .text =
         "write the event unless there is one with this KEY already, and print the dot of that: "
         "so a call whose answer was lost can be made again"},
    {.name = "lines",
     .id = 'L',
     .text = "publish standard input, one event a line, many to a commit; ends at the first line "
             "that cannot be written, and says which"},
    {.name = NULL},
};

const struct command command_publish = {
    .name = "publish",
    .group = GROUP_EVENTS,
    .summary = "write an event",
    .usage = "[--dir D] [--once KEY] [--json] DATA\n"
             "       gossip publish [--dir D] [--json] --lines [-]",
    .text = "Writes an event that carries DATA and prints its name once it is on disk. With - as\n"
            "DATA, standard input is published, byte for byte. Needs a running node.\n",
    .notes =
        "After a start the first event may wait until another node has told what it holds of this\n"
        "one; then what is waited for is told on standard error (see node, --alone-after).\n"
        "\n"
        "With --lines, an empty line is an event without payload, and what follows the last end "
        "of\n"
        "line is a line too. The end of line itself is not published.\n"
        "\n"
        "When no answer comes (exit code 74 or 4), whether the event was written is not known.\n"
        "With --once, the same call again tells, and writes it if it was not. KEY, 1 to 64 bytes,\n"
        "is kept with the event for ever; the same KEY with other DATA is refused (exit code 1).\n",
    .json = "{\"dot\":\"n1:3\"}; with --lines, one a line; with --once, \"repeated\":true where "
            "it was there",
    .options = publish_options,
    .examples = "  gossip publish --dir n1 'add Book'\n"
                "  gossip publish --dir n1 - < photo.jpg\n"
                "  gossip publish --dir n1 --once order-4711 'order 4711 is paid'\n"
                "  tail -f access.log | gossip publish --dir n1 --lines\n"
                "  gossip publish --dir n1 -- -5\n",
    .run = run_publish,
};
