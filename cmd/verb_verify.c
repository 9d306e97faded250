#include "cmd/command.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/colour.h"
#include "cmd/directory.h"
#include "cmd/files.h"
#include "cmd/json.h"
#include "cmd/names.h"
#include "cmd/output.h"
#include "cmd/text.h"
#include "cmd/view.h"

/* Faults are shown as they are found: on a damaged store there may be many. */
struct report {
    const struct directory *directory;
    struct output output;
    enum exit_code code;
    uint64_t faults;
    uint64_t modes; /* Of those, files and directories that others can use. */
    bool json;
    bool colour;
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
        colour_add(&line, report->colour, COLOUR_BAD, "fault:", 0);
        text_add(&line, " ");
        text_add_escaped(&line, fault, strlen(fault), TEXT_ESCAPE_ASCII);
    }
    report_line(report, &line);
}

/* What is no fault of this node's, but worth knowing. */
static void report_note(struct report *report, const char *note)
{
    struct text line = {0};

    if (report->json) {
        json_note(note, &line);
    } else {
        colour_add(&line, report->colour, COLOUR_UNSURE, "note:", 0);
        text_add(&line, " ");
        text_add_escaped(&line, note, strlen(note), TEXT_ESCAPE_ASCII);
    }
    report_line(report, &line);
}

/* ---- Who may use the files. ---- */

static void check_mode(struct report *report, int at, const char *name)
{
    const char *directory = report->directory->path;
    bool is_directory = strcmp(name, ".") == 0;
    struct text fault = {0};
    struct stat status;

    if (fstatat(at, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return; /* It has gone, as the log of a store does. */
    /* Whoever may write to the directory may put other files there; to read it tells little. */
    if ((status.st_mode & (is_directory ? 022 : 077)) == 0 || S_ISLNK(status.st_mode))
        return;
    text_print(&fault, "%s%s%s can be used by others (mode %04o); `chmod %s %s%s%s` mends it",
               directory, is_directory ? "" : "/", is_directory ? "" : name,
               (unsigned)status.st_mode & 07777, is_directory ? "700" : "600", directory,
               is_directory ? "" : "/", is_directory ? "" : name);
    report->modes++;
    if (fault.failed)
        report->code = EXIT_MEMORY;
    else
        report_fault(report, fault.data);
    text_clear(&fault);
}

/* All that is the node's: its keys, the socket, and the store with what stands beside it. */
static enum exit_code check_modes(struct report *report)
{
    int descriptor = openat(report->directory->descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = descriptor < 0 ? NULL : fdopendir(descriptor);
    const struct dirent *entry;

    if (!entries) {
        if (descriptor >= 0)
            close(descriptor);
        return complain_of_system("cannot look into the directory", report->directory->path,
                                  "check who may read it");
    }
    check_mode(report, descriptor, ".");
    while ((entry = readdir(entries)) != NULL) {
        const char *name = entry->d_name;

        if (strcmp(name, DIRECTORY_KEY) == 0 || strcmp(name, DIRECTORY_CLUSTER) == 0 ||
            strcmp(name, DIRECTORY_SOCKET) == 0 ||
            strncmp(name, DIRECTORY_STORE, strlen(DIRECTORY_STORE)) == 0)
            check_mode(report, descriptor, name);
    }
    closedir(entries);
    return EXIT_OK;
}

/* ---- What is in them. ---- */

static void note_fork(struct report *report, const struct names *names, struct gossip *gossip,
                      const struct gossip_proof *proof)
{
    struct text note = {0};

    view_add_author(&(struct view){.gossip = gossip, .names = names}, proof->author, &note);
    text_print(&note,
               ": its author has forked at %" PRIu64 "; what it wrote from %" PRIu64
               " on does not count (`gossip proof list` tells more)",
               proof->seq, proof->cut);
    if (note.failed)
        report->code = EXIT_MEMORY;
    else
        report_note(report, note.data);
    text_clear(&note);
}

/* Somebody's fork is no fault of whoever holds the proof of it. */
static int note_forks(struct report *report, const struct files *files, uint64_t *ret_forks)
{
    struct gossip_signed record;
    struct gossip_proof proof;
    struct names *names;
    uint64_t forks = 0;
    int error = names_of(files->gossip, &names);

    if (error < 0)
        return error;
    for (size_t i = 0; gossip_signed(files->gossip, i, &record) == GOSSIP_OK; i++) {
        if (record.type != GOSSIP_SIGNED_PROOF ||
            gossip_proof_check(gossip_identity_cluster(files->identity), record.bytes, record.size,
                               &proof) < 0)
            continue;
        note_fork(report, names, files->gossip, &proof);
        forks++;
    }
    names_destroy(names);
    *ret_forks = forks;
    return GOSSIP_OK;
}

/* What became of the side file, which tells that the store was set back, or would have. */
static int note_side(struct report *report, struct gossip_store *store)
{
    struct gossip_side side;
    int error = store->ops->read_side(store, &side);

    if (error == GOSSIP_ERR_DAMAGED)
        report_note(report, "the side file is damaged: the next start opens a new epoch");
    else if (error == GOSSIP_ERR_NOT_FOUND)
        report_note(report, "the side file is missing: the next start opens a new epoch");
    else if (error == GOSSIP_OK)
        report_note(report, "the side file knows of more than the store, or has been missing or "
                            "damaged: the next start opens a new epoch");
    return error == GOSSIP_ERR_DAMAGED || error == GOSSIP_ERR_NOT_FOUND ? GOSSIP_OK : error;
}

/* Evidence that the store was set back is no fault of what is stored, but the next start acts on
 * it. */
static int note_evidence(struct report *report, const struct files *files)
{
    struct gossip_start start;

    gossip_start_state(files->gossip, &start);
    if ((start.evidence & GOSSIP_EVIDENCE_BACKUP) != 0)
        report_note(report, "the store is a copy that `gossip backup` or `gossip recover` has "
                            "made: the next start opens a new epoch");
    if ((start.evidence & GOSSIP_EVIDENCE_MOVED) != 0)
        report_note(report, "the store's file was copied, restored or moved: the next start opens "
                            "a new epoch; if this is a copy of a node that runs elsewhere, "
                            "`gossip recover --new-key` makes it a node of its own");
    if ((start.evidence & GOSSIP_EVIDENCE_EVENTS) != 0)
        report_note(report, "another node holds more of this one's events: the next start opens a "
                            "new epoch");
    if ((start.evidence & GOSSIP_EVIDENCE_BOOT) != 0)
        report_note(report, "another node has heard of a later start of this one: the next start "
                            "opens a new epoch");
    return (start.evidence & GOSSIP_EVIDENCE_SIDE) != 0 ? note_side(report, files->store)
                                                        : GOSSIP_OK;
}

/* That the node does not start is no fault of what is stored. */
static int note_double(struct report *report, struct gossip_store *store)
{
    bool has_double;
    int error = files_has_double(store, &has_double);

    if (error == GOSSIP_OK && has_double)
        report_note(report, "the node has stopped because another process wrote under its key, and "
                            "does not start before `gossip recover` was told which of the two it "
                            "is: --new-key, the copy, or --keep-key, the original");
    return error;
}

/* Damage that was reported is no reason to stop. Where a check could not go on because of it, the
 * store says why. */
static int pass_damage(struct report *report, struct gossip_store *store, uint64_t faults_before,
                       int error)
{
    if (error != GOSSIP_ERR_DAMAGED)
        return error;
    if (report->faults == faults_before)
        report_fault(report, store->ops->explain(store));
    return GOSSIP_OK;
}

/* The database as SQLite sees it, and what it holds as we do. */
static int check_contents(struct report *report, const struct files *files, uint64_t *ret_events)
{
    uint64_t faults = report->faults;
    int error = gossip_sqlite_check(files->store, report_fault, report);

    error = pass_damage(report, files->store, faults, error);
    if (error < 0)
        return error;
    faults = report->faults;
    error = gossip_verify(files->gossip, report_fault, report, ret_events);
    return pass_damage(report, files->store, faults, error);
}

static enum exit_code summarise(struct report *report, uint64_t events, uint64_t forks)
{
    const char *path = report->directory->path;
    struct text line = {0};

    if (report->json) {
        json_verified(events, report->faults, forks, &line);
    } else {
        char found[40];

        snprintf(found, sizeof(found), "%" PRIu64 " fault%s", report->faults,
                 report->faults == 1 ? "" : "s");
        text_print(&line, "%" PRIu64 " event%s checked, ", events, events == 1 ? "" : "s");
        colour_add(&line, report->colour, report->faults > 0 ? COLOUR_BAD : COLOUR_GOOD, found, 0);
        text_add(&line, " found");
        if (forks > 0)
            text_print(&line, ", %" PRIu64 " fork%s proven", forks, forks == 1 ? "" : "s");
    }
    report_line(report, &line);
    if (report->faults > report->modes) {
        complain(
            "%s is damaged; leave its files as they are, and run `gossip recover --dir %s`: it "
            "keeps them, and saves all that can be verified",
            path, path);
        return EXIT_DAMAGED;
    }
    if (report->faults > 0) {
        complain("%s can be used by others than its owner; change the modes as said above", path);
        return EXIT_DAMAGED;
    }
    if (report->code == EXIT_MEMORY)
        complain("no memory for the report; free some and try again");
    return report->code;
}

static enum exit_code verify(struct report *report, struct files *files)
{
    uint64_t events = 0;
    uint64_t forks = 0;
    int error = check_contents(report, files, &events);

    if (error == GOSSIP_OK)
        error =
            pass_damage(report, files->store, report->faults, note_double(report, files->store));
    if (error == GOSSIP_OK)
        error = note_evidence(report, files);
    if (error == GOSSIP_OK)
        error = note_forks(report, files, &forks);
    if (error == GOSSIP_OK)
        return summarise(report, events, forks);
    complain("cannot check %s to its end: %s: %s", report->directory->path, gossip_strerror(error),
             files->store->ops->explain(files->store));
    return exit_for(error);
}

static enum exit_code run_verify(const struct command *command, int argc, char **argv)
{
    char explanation[1024];
    struct command_line line;
    struct directory directory;
    struct report report = {.directory = &directory};
    struct files files;
    enum exit_code code;

    command_line_start(&line, command, argc, argv);
    command_line_next(&line);
    if (!command_line_check(&line, 0, 0))
        return line.code;
    report.json = line.json;
    report.colour = !line.json && colour_is_wanted(STDOUT_FILENO);
    code = directory_open(line.directory, EXIT_CONFIGURATION, &directory);
    if (code != EXIT_OK)
        return code;
    code = check_modes(&report); /* First: SQLite gives what it makes the mode of the database. */
    if (code == EXIT_OK)
        code = files_open(&directory, explanation, sizeof(explanation), &files);
    if (code == EXIT_LOCKED)
        complain("%s", explanation);
    if (code == EXIT_OK) {
        code = verify(&report, &files);
        files_close(&files);
    }
    directory_close(&directory);
    return code;
}

const struct command command_verify = {
    .name = "verify",
    .group = GROUP_FILES,
    .summary = "check all that a stopped node has stored",
    .usage = "[--dir D] [--json]",
    .text =
        "Checks the database as SQLite does; each stored event's checksum, hash, chain, seals and\n"
        "context, the order of delivery, the clock and the cuts against the events and the\n"
        "records, and the signature of each certificate, eviction and proof; that the key is the\n"
        "store's; and that nobody else may use the files. Prints the faults, one a line, with\n"
        "what mends them, and a summary. Exits with 65 where there are any. That others have\n"
        "forked is a note and no fault, and so is what the next start will do about a store that\n"
        "was set back. Works on a stopped node only.\n",
    .json = "one object a line: {\"fault\":\"...\"} and {\"note\":\"...\"} for "
            "each, at the end {\"events\":3,\"faults\":0,\"forks\":0}",
    .examples = "  gossip stop --dir n1 && gossip verify --dir n1\n"
                "  gossip verify --dir n1 || gossip recover --dir n1\n",
    .run = run_verify,
};
