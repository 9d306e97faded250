#include "cmd/command.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "cmd/directory.h"
#include "cmd/files.h"
#include "cmd/json.h"
#include "cmd/output.h"
#include "cmd/text.h"

/* Faults are shown as they are found: on a damaged store there may be many. */
struct report {
    struct output output;
    enum exit_code code;
    uint64_t faults;
    bool json;
};

static void report_line(struct report *report, struct text *line)
{
    text_add(line, "\n");
    if (line->failed)
        report->code = EXIT_MEMORY;
    else if (report->code == EXIT_OK)
        report->code = output_write(&report->output, line->data, line->size);
    text_clear(line);
}

static void report_fault(void *context, const char *fault)
{
    struct report *report = context;
    struct text line = {0};

    report->faults++;
    if (report->json) {
        json_fault(fault, &line);
    } else {
        text_add(&line, "fault: ");
        text_add_escaped(&line, fault, strlen(fault), TEXT_ESCAPE_ASCII);
    }
    report_line(report, &line);
}

static enum exit_code verify(struct files *files, const struct directory *directory, bool json)
{
    struct report report = {.json = json};
    struct text line = {0};
    uint64_t events = 0;
    int error = gossip_verify(files->gossip, report_fault, &report, &events);

    if (error < 0 && error != GOSSIP_ERR_DAMAGED) {
        complain("cannot check %s to its end: %s: %s", directory->path, gossip_strerror(error),
                 files->store->ops->explain(files->store));
        return exit_for(error);
    }
    if (json)
        json_verified(events, report.faults, &line);
    else
        text_print(&line, "%" PRIu64 " event%s checked, %" PRIu64 " fault%s found", events,
                   events == 1 ? "" : "s", report.faults, report.faults == 1 ? "" : "s");
    report_line(&report, &line);
    if (error == GOSSIP_ERR_DAMAGED) {
        complain("%s is damaged; leave its files as they are, and restore them from a backup or "
                 "init a new node",
                 directory->path);
        return EXIT_DAMAGED;
    }
    if (report.code == EXIT_MEMORY)
        complain("no memory for the report; free some and try again");
    return report.code;
}

static enum exit_code run_verify(const struct command *command, int argc, char **argv)
{
    static const struct option options[] = {COMMAND_OPTIONS, {NULL, 0, NULL, 0}};
    char explanation[1024];
    struct command_line line;
    struct directory directory;
    struct files files;
    enum exit_code code;

    command_line_start(&line, command, options, argc, argv);
    command_line_next(&line);
    if (!command_line_check(&line, 0, 0))
        return line.code;
    code = directory_open(line.directory, EXIT_CONFIGURATION, &directory);
    if (code != EXIT_OK)
        return code;
    code = files_open(&directory, explanation, sizeof(explanation), &files);
    if (code == EXIT_LOCKED)
        complain("%s", explanation);
    if (code == EXIT_OK) {
        code = verify(&files, &directory, line.json);
        files_close(&files);
    }
    directory_close(&directory);
    return code;
}

const struct command command_verify = {
    .name = "verify",
    .summary = "check all that a stopped node has stored",
    .usage = "[--dir D] [--json]",
    .text =
        "Checks each stored event's hash, chain, seals and context, the order of delivery, the\n"
        "clocks and the certificates. Prints the faults, one a line, and a summary. Exits with\n"
        "65 where there are any. Works on a stopped node only.\n"
        "\n"
        "  --dir D    the node's directory (else GOSSIP_DIR)\n"
        "  --json     one object a line: {\"fault\":\"...\"} for each, at the end\n"
        "             {\"events\":3,\"faults\":0}\n",
    .examples = "  gossip stop --dir n1 && gossip verify --dir n1\n",
    .run = run_verify,
};
