/* A copy of the store, of a running node or of a stopped one. */
#include "cmd/command.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/ask.h"
#include "cmd/directory.h"
#include "cmd/json.h"
#include "cmd/output.h"
#include "cmd/text.h"

enum {
    /* How often a running node is asked whether it is done. */
    ASK_FIRST_MS = 20,
    ASK_LAST_MS = 1000,
    EXPLANATION_SIZE = 1024,
};

/* The whole path of a file that does not exist yet: the node may have another working directory. */
static enum exit_code find_path(const char *file, struct text *ret_path)
{
    char here[PATH_MAX];

    if (*file != '/') {
        if (!getcwd(here, sizeof(here)))
            return complain_of_system("cannot tell the path of", file, "name its whole path");
        text_print(ret_path, "%s/", here);
    }
    text_add(ret_path, file);
    if (!ret_path->failed)
        return EXIT_OK;
    complain("no memory for a path; free some and try again");
    return EXIT_MEMORY;
}

/* Begins a backup of a running node and waits until it has ended. EXIT_NO_NODE, without a
 * complaint, where no node runs, or none any more: then it is made of the stopped one. */
static enum exit_code back_up_running(const char *directory, const char *path)
{
    struct text answer = {0};
    struct ask question = {.method = "POST",
                           .path = "/v1/backup",
                           .arguments = {{"file", path}},
                           .answer = &answer,
                           .unsure = "it may have begun: look whether the file is there",
                           .quiet = true};
    enum exit_code code = ask(&question, directory);

    question.method = "GET";
    question.arguments[0].name = NULL;
    for (int ms = ASK_FIRST_MS;
         code == EXIT_OK && !json_backup_is_done(answer.data ? answer.data : "", answer.size);
         ms = 2 * ms < ASK_LAST_MS ? 2 * ms : ASK_LAST_MS) {
        nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
        answer.size = 0;
        code = ask(&question, directory);
    }
    text_clear(&answer);
    return code;
}

static enum exit_code back_up_stopped(const char *name, const char *path)
{
    struct directory directory;
    struct gossip_store *store;
    enum exit_code code = directory_open(name, EXIT_CONFIGURATION, &directory);
    int result;

    if (code != EXIT_OK)
        return code;
    code = directory_store(&directory, &store);
    directory_close(&directory);
    if (code != EXIT_OK)
        return code;
    if ((store->ops->abilities & GOSSIP_STORE_BACKUP) == 0) {
        complain("backup: this store cannot make backups; copy its files while the node is "
                 "stopped");
        store->ops->close(store);
        return EXIT_NO;
    }
    result = store->ops->backup_begin(store, path);
    while (result == 0)
        result = store->ops->backup_step(store);
    if (result < 0) {
        complain("backup: %s", store->ops->explain(store));
        code = result == GOSSIP_ERR_EXISTS ? EXIT_NO : exit_for(result);
    }
    store->ops->close(store);
    return code;
}

static enum exit_code tell(const struct command_line *line, const char *file, const char *path)
{
    struct output output = {0};
    struct text text = {0};
    enum exit_code code;

    if (line->json) {
        json_backup(path, true, &text);
        text_add(&text, "\n");
    } else {
        text_print(
            &text,
            "%s holds all that %s had stored; the node's key is not in it\n"
            "To restore it: stop the node, move %s/%s and what stands beside it (-wal, -shm)\n"
            "away, put the backup there as %s, and %s from wherever you keep it.\n"
            "At its next start the node sees what it stands on: it fetches what its peers have\n"
            "of it and goes on in a new epoch, so that no event's name is used twice.\n",
            file, line->directory, line->directory, DIRECTORY_STORE, DIRECTORY_STORE,
            DIRECTORY_KEY);
    }
    if (text.failed) {
        complain("backup: %s was made, but there is no memory to tell of it", file);
        code = EXIT_MEMORY;
    } else {
        code = output_write(&output, text.data, text.size);
    }
    text_clear(&text);
    return code;
}

static enum exit_code run(const struct command *command, int argc, char **argv)
{
    struct command_line line;
    struct text path = {0};
    enum exit_code code;

    command_line_start(&line, command, argc, argv);
    command_line_next(&line);
    if (!command_line_check(&line, 1, 1))
        return line.code;
    if (!*argv[optind]) {
        command_line_refuse(&line, "the name of the file is empty");
        return line.code;
    }
    code = find_path(argv[optind], &path);
    if (code == EXIT_OK)
        code = back_up_running(line.directory, path.data);
    if (code == EXIT_NO_NODE)
        code = back_up_stopped(line.directory, path.data);
    if (code == EXIT_OK)
        code = tell(&line, argv[optind], path.data);
    text_clear(&path);
    return code;
}

const struct command command_backup = {
    .name = "backup",
    .group = GROUP_FILES,
    .offers = OFFER_FILE,
    .summary = "copy all that a node has stored, while it runs or not",
    .usage = "[--dir D] [--json] FILE",
    .text =
        "Copies the store of a running or stopped node to FILE, which must not exist. A running\n"
        "node goes on meanwhile, and what it stores before all is copied is in it. The copy is\n"
        "checked for events that are not as they were written (exit code 65, and no copy), and\n"
        "durable when this returns. Nothing secret is in it: keep node.key elsewhere.\n"
        "\n"
        "To restore: stop the node, put FILE in the place of store.db, with no store.db-wal and\n"
        "store.db-shm beside it, and start the node. The copy is marked as one, so that the node\n"
        "knows: it asks its peers for what it has written since, and goes on in a new epoch.\n",
    .json = "{\"backup\":\"/path/of/FILE\",\"done\":true}",
    .examples = "  gossip backup --dir n1 n1-monday.db\n"
                "  gossip stop --dir n1; rm -f n1/store.db*; cp n1-monday.db n1/store.db\n",
    .run = run,
};
