/* Proofs that an author has forked: those a node holds, and those in files. */
#include "cmd/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "cmd/ask.h"
#include "cmd/directory.h"
#include "cmd/json.h"
#include "cmd/output.h"
#include "cmd/plain.h"
#include "cmd/text.h"
#include "gossip/certificate.h"
#include "gossip/crypto.h"

struct proof_options {
    const char *out;
    const char *cluster;
};

static enum exit_code run_list(const struct command_line *line)
{
    return ask(
        &(struct ask){.method = "GET", .path = "/v1/proofs", .plain = !line->json, .files = true},
        line->directory);
}

static enum exit_code run_show(const struct command_line *line, const char *id,
                               const struct proof_options *options)
{
    return ask(&(struct ask){.method = "GET",
                             .path = options->out ? "/v1/proof/record" : "/v1/proof",
                             .arguments = {{"id", id}},
                             .out = options->out,
                             .plain = !line->json,
                             .files = true},
               line->directory);
}

/* ---- A proof in a file, with no node and no network. ---- */

/* The cluster's public key: as given, or that of the node whose directory is named. */
static enum exit_code find_cluster(struct command_line *line, const char *text,
                                   uint8_t ret_cluster[GOSSIP_KEY_SIZE])
{
    struct gossip_identity *identity;
    struct directory directory;
    enum exit_code code;

    if (text)
        return command_line_read_key(line, "--cluster", text, ret_cluster) ? EXIT_OK : line->code;
    if (!line->directory) {
        command_line_refuse(line, "check needs the cluster's public key: give it with --cluster "
                                  "KEY, or name a node of the cluster with --dir D");
        return line->code;
    }
    if (!command_line_check_directory(line))
        return line->code;
    code = directory_open(line->directory, EXIT_CONFIGURATION, &directory);
    if (code != EXIT_OK)
        return code;
    code = directory_identity(&directory, &identity);
    directory_close(&directory);
    if (code != EXIT_OK)
        return code;
    memcpy(ret_cluster, gossip_identity_cluster(identity), GOSSIP_KEY_SIZE);
    gossip_identity_destroy(identity);
    return EXIT_OK;
}

/* Reads no more than a record may have, and one byte that tells of more. */
static enum exit_code read_record(const char *path, uint8_t *record, size_t *ret_size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    size_t size = 0;
    ssize_t count = 0;

    if (file >= 0) {
        do {
            count = read(file, record + size, GOSSIP_RECORD_MAX + 1 - size);
            if (count > 0)
                size += (size_t)count;
        } while ((count > 0 && size <= GOSSIP_RECORD_MAX) || (count < 0 && errno == EINTR));
    }
    if (file < 0 || count < 0) {
        enum exit_code code =
            complain_of_system("cannot read", path, "name a file that `gossip proof` has written");

        if (file >= 0)
            close(file);
        return code;
    }
    close(file);
    *ret_size = size;
    return EXIT_OK;
}

static enum exit_code tell(const struct command_line *line, const struct proof_view *shown)
{
    struct output output = {0};
    struct text text = {0};
    enum exit_code code;

    if (line->json) {
        json_proof(NULL, shown, &text);
        text_add(&text, "\n");
    } else {
        plain_proof(NULL, shown, &text);
    }
    if (text.failed) {
        complain("proof: no memory to tell of it; free some and try again");
        code = EXIT_MEMORY;
    } else {
        code = output_write(&output, text.data, text.size);
    }
    text_clear(&text);
    return code;
}

static enum exit_code run_check(struct command_line *line, const char *path,
                                const struct proof_options *options)
{
    uint8_t record[GOSSIP_RECORD_MAX + 1];
    uint8_t cluster[GOSSIP_KEY_SIZE];
    uint8_t id[GOSSIP_HASH_SIZE];
    struct proof_view shown = {.held = -1};
    enum exit_code code = find_cluster(line, options->cluster, cluster);
    int error;

    if (code == EXIT_OK)
        code = read_record(path, record, &shown.record.size);
    if (code != EXIT_OK)
        return code;
    error = gossip_proof_check(cluster, record, shown.record.size, &shown.proof);
    if (error == GOSSIP_ERR_INVALID) {
        complain("%s is no proof: it is not of the form that `gossip proof show --out` writes",
                 path);
        return EXIT_DAMAGED;
    }
    if (error < 0) {
        complain("%s proves nothing: its seals are not the author's, or the author is not of this "
                 "cluster",
                 path);
        return EXIT_DAMAGED;
    }
    record_id(gossip_crypto_sodium(), record, shown.record.size, id);
    shown.record.id = id;
    return tell(line, &shown);
}

/* ---- Which of them. ---- */

static bool read_options(struct command_line *line, struct proof_options *ret_options)
{
    struct proof_options options = {0};
    int option;

    while ((option = command_line_next(line)) != -1) {
        if (option == 'O')
            options.out = optarg;
        else
            options.cluster = optarg;
    }
    *ret_options = options;
    return command_line_check_arguments(line, 1, 2);
}

static enum exit_code run(const struct command *command, int argc, char **argv)
{
    struct proof_options options;
    struct command_line line;
    const char *what;
    bool has_argument;

    command_line_start(&line, command, argc, argv);
    if (!read_options(&line, &options))
        return line.code;
    what = argv[optind];
    has_argument = argc - optind == 2;
    if (strcmp(what, "list") == 0 && !has_argument)
        return command_line_check_directory(&line) ? run_list(&line) : line.code;
    if (strcmp(what, "show") == 0 && has_argument && !*argv[optind + 1]) {
        command_line_refuse(&line, "the id of a proof is empty; `gossip proof list` shows them");
        return line.code;
    }
    if (strcmp(what, "show") == 0 && has_argument)
        return command_line_check_directory(&line) ? run_show(&line, argv[optind + 1], &options)
                                                   : line.code;
    if (strcmp(what, "check") == 0 && has_argument)
        return run_check(&line, argv[optind + 1], &options);
    command_line_refuse(&line, "say list, show ID or check FILE");
    return line.code;
}

static const struct command_option proof_options[] = {
    {.name = "out",
     .id = 'O',
     .value = "FILE",
     .offers = OFFER_FILE,
     .text = "where show writes the proof, byte for byte; FILE must not exist"},
    {.name = "cluster",
     .id = 'C',
     .value = "KEY",
     .text = "for check: the cluster's public key, 64 hex digits (else the node's)"},
    {.name = NULL},
};

const struct command command_proof = {
    .name = "proof",
    .group = GROUP_FILES,
    .offers = OFFER_WORDS,
    .words = "list show check",
    .summary = "show and check proofs that an author has forked",
    .usage = "[--dir D] [--json] list | show ID [--out FILE] | check FILE [--cluster KEY]",
    .text =
        "An author that has given one event two contents has forked, and its own seals prove it.\n"
        "list shows the proofs that the node holds, running or stopped; show ID the one whose id\n"
        "begins so, or writes it to a file; check FILE checks such a file with no network and no\n"
        "node: nothing but the cluster's public key is needed.\n",
    .notes = "Exits with 65 where a file proves nothing.\n",
    .json = "one object a line: proof, dot, key, epoch, author_id, seq, cut, a, b, "
            "held, contested",
    .options = proof_options,
    .examples = "  gossip proof list --dir n1\n"
                "  gossip proof show 3fa9 --dir n1 --out n2.proof\n"
                "  gossip proof check n2.proof --cluster $(gossip status --dir n1 --json | jq -r "
                ".cluster)\n",
    .run = run,
};
