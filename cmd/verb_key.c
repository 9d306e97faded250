#include "cmd/command.h"

#include <stddef.h>
#include <unistd.h>

#include "cmd/colour.h"
#include "cmd/directory.h"
#include "cmd/json.h"
#include "cmd/output.h"
#include "gossip/identity.h"

static void add_key(struct text *text, bool colour, const char *label, const uint8_t *key,
                    size_t size)
{
    colour_add_label(text, colour, label);
    text_add_hex(text, key, size);
    text_add(text, "\n");
}

static void add_identity(const struct gossip_identity *identity, struct text *text)
{
    const struct certificate *certificate = &identity->certificate;
    bool admits = certificate->rights & GOSSIP_RIGHT_ADMIT;
    bool evicts = certificate->rights & GOSSIP_RIGHT_EVICT;
    bool colour = colour_is_wanted(STDOUT_FILENO);

    colour_add_label(text, colour, "node");
    text_print(text, "%s\n", certificate->name);
    add_key(text, colour, "key", identity->key, GOSSIP_KEY_SIZE);
    add_key(text, colour, "cluster", identity->cluster, GOSSIP_KEY_SIZE);
    colour_add_label(text, colour, "rights");
    text_print(text, "%s%s%s\n", admits ? "admit" : "", admits && evicts ? ", " : "",
               evicts   ? "evict"
               : admits ? ""
                        : "none");
    if (certificate->has_issuer) {
        add_key(text, colour, "admitted by", certificate->issuer, GOSSIP_KEY_SIZE);
    } else {
        colour_add_label(text, colour, "admitted by");
        text_add(text, "the cluster\n");
    }
    add_key(text, colour, "certificate", certificate->bytes, certificate->size);
}

static enum exit_code run_key(const struct command *command, int argc, char **argv)
{
    struct command_line line;
    struct directory directory;
    struct gossip_identity *identity = NULL;
    struct output output = {0};
    struct text text = {0};
    enum exit_code code;

    command_line_start(&line, command, argc, argv);
    command_line_next(&line);
    if (!command_line_check(&line, 0, 0))
        return line.code;
    code = directory_open(line.directory, EXIT_CONFIGURATION, &directory);
    if (code != EXIT_OK)
        return code;
    code = directory_key(&directory, &identity);
    directory_close(&directory);
    if (code != EXIT_OK)
        return code;
    if (line.json) {
        json_identity(identity, &text);
        text_add(&text, "\n");
    } else {
        add_identity(identity, &text);
    }
    gossip_identity_destroy(identity);
    if (text.failed) {
        complain("key: no memory for the answer; free some and try again");
        code = EXIT_MEMORY;
    } else {
        code = output_write(&output, text.data, text.size);
    }
    text_clear(&text);
    return code;
}

const struct command command_key = {
    .name = "key",
    .group = GROUP_STATE,
    .summary = "show a node's public key, name, cluster and certificate",
    .usage = "[--dir D] [--json]",
    .text =
        "Shows who the node is, from its file node.key, whether it runs or not: its public key,\n"
        "the cluster's, and the certificate that binds the name to the key. Nothing of it is\n"
        "secret.\n",
    .json =
        "{\"node\":\"n1\",\"key\":\"64 hex digits\",\"cluster\":\"64 hex digits\",\"rights\":[],"
        "\"issuer\":null,\"certificate\":\"hex digits\"}",
    .examples = "  gossip key --dir n1\n"
                "  gossip key --dir n1 --json | jq -r .cluster\n",
    .run = run_key,
};
