#include "cmd/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/directory.h"
#include "cmd/files.h"
#include "cmd/json.h"
#include "cmd/output.h"
#include "cmd/text.h"
#include "gossip/crypto.h"

/* What a new node is made of. */
struct made {
    struct gossip_cluster *cluster;
    bool new_cluster;
    struct gossip_identity *identity;
};

static void destroy_made(struct made *made)
{
    gossip_identity_destroy(made->identity);
    gossip_cluster_destroy(made->cluster);
}

static enum exit_code make_keys(struct command_line *line, const char *name,
                                const char *cluster_path, struct made *made)
{
    enum exit_code code = EXIT_OK;
    int error = GOSSIP_OK;

    made->new_cluster = !cluster_path;
    if (cluster_path)
        code = directory_cluster(cluster_path, &made->cluster);
    else
        error = gossip_cluster_create(gossip_system_time(), &made->cluster);
    if (code != EXIT_OK)
        return code;
    if (error == GOSSIP_OK)
        error =
            gossip_identity_create(made->cluster, name, 0, gossip_system_time(), &made->identity);
    if (error == GOSSIP_ERR_INVALID) {
        command_line_refuse(
            line, "the name \"%s\" does not fit: 1 to 32 of A-Z a-z 0-9 . _ - are allowed", name);
        return line->code;
    }
    if (error < 0)
        complain_of_making_key("init", error);
    return exit_for(error);
}

/* Refuses where there is a node, or what is left of one. */
static enum exit_code check_empty(const struct directory *directory)
{
    static const char *const names[] = {DIRECTORY_KEY, DIRECTORY_STORE, DIRECTORY_CLUSTER};
    bool has[3];

    for (size_t i = 0; i < 3; i++) {
        enum exit_code code = directory_has(directory, names[i], &has[i]);

        if (code != EXIT_OK)
            return code;
    }
    if (!has[0] && !has[1] && !has[2])
        return EXIT_OK;
    if (has[0] && has[1])
        complain("init: there is a node in %s already, which was left as it is; start it with "
                 "`gossip node --dir %s`, or name another directory",
                 directory->path, directory->path);
    else
        complain("init: %s has %s already, but is no whole node; if an `init` was cut off there, "
                 "remove the directory and init again, else name another directory",
                 directory->path,
                 has[0]   ? names[0]
                 : has[1] ? names[1]
                          : names[2]);
    return EXIT_NO;
}

/* The directory's own entry must outlive a power cut too. */
static enum exit_code make_directory(const char *path, bool *ret_made,
                                     struct directory *ret_directory)
{
    enum exit_code code;
    int parent;

    *ret_made = mkdir(path, 0700) == 0;
    if (!*ret_made && errno != EEXIST)
        return complain_of_system("cannot make the directory", path,
                                  "make the one it belongs in first, or name another");
    code = directory_open(path, EXIT_CONFIGURATION, ret_directory);
    if (code != EXIT_OK || !*ret_made)
        return code;
    parent = openat(ret_directory->descriptor, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return EXIT_OK; /* A parent that may be written to and not read cannot be synced. */
    if (fsync(parent) < 0 && errno != EINVAL)
        code = complain_of_system("cannot write", path, "check the disk and try again");
    close(parent);
    return code;
}

/* Starts the node once: from then on the store belongs to the key, and would refuse another. */
static enum exit_code make_store(const struct directory *directory,
                                 const struct gossip_identity *identity, bool *ret_created)
{
    char explanation[1024];
    char *path = directory_file(directory, DIRECTORY_STORE);
    struct gossip_store *store;
    struct gossip *gossip;
    enum exit_code code = EXIT_OK;
    int error =
        gossip_sqlite_open(path, GOSSIP_SQLITE_CREATE, explanation, sizeof(explanation), &store);

    free(path);
    if (error < 0) {
        complain("init: %s", explanation);
        return exit_for(error);
    }
    *ret_created = true;
    error = gossip_create(&(struct gossip_options){.size = sizeof(struct gossip_options),
                                                   .store = store,
                                                   .time = gossip_system_time(),
                                                   .identity = identity},
                          &gossip);
    if (error < 0)
        code = files_complain_of_start(directory, store, error);
    else
        gossip_destroy(gossip);
    store->ops->close(store);
    return code;
}

static enum exit_code write_cluster(const struct directory *directory, const struct made *made)
{
    char *text = gossip_secret_alloc(GOSSIP_IDENTITY_TEXT_MAX);
    enum exit_code code;

    if (!text) {
        complain("init: no memory that could hold a secret; free some, or raise `ulimit -l`");
        return EXIT_MEMORY;
    }
    gossip_cluster_to_text(made->cluster, text);
    code = directory_write(directory, DIRECTORY_CLUSTER, text, strlen(text));
    gossip_secret_free(text);
    return code;
}

static enum exit_code write_identity(const struct directory *directory, const struct made *made)
{
    char *text = gossip_secret_alloc(GOSSIP_IDENTITY_TEXT_MAX);
    enum exit_code code;

    if (!text) {
        complain("init: no memory that could hold a secret; free some, or raise `ulimit -l`");
        return EXIT_MEMORY;
    }
    gossip_identity_to_text(made->identity, text);
    code = directory_write(directory, DIRECTORY_KEY, text, strlen(text));
    gossip_secret_free(text);
    return code;
}

/* Takes away what this init has made, so that it can be done again. */
static void unmake(const struct directory *directory, bool made_directory)
{
    static const char *const names[] = {
        DIRECTORY_KEY,          DIRECTORY_CLUSTER,      DIRECTORY_STORE,
        DIRECTORY_STORE "-wal", DIRECTORY_STORE "-shm", DIRECTORY_STORE ".lock",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (unlinkat(directory->descriptor, names[i], 0) < 0 && errno != ENOENT)
            complain_of_system("cannot take away the unfinished", names[i],
                               "remove the directory and init again");
    if (made_directory && rmdir(directory->path) < 0)
        complain_of_system("cannot take away the unfinished", directory->path, "remove it");
}

/* Of a store that could not be made, no more is there than the lock that was held for it, and is
 * not any more. */
static void unmake_lock(const struct directory *directory, bool made_directory)
{
    static const char name[] = DIRECTORY_STORE ".lock";

    if (unlinkat(directory->descriptor, name, 0) < 0 && errno != ENOENT)
        complain_of_system("cannot take away the unfinished", name, "remove it");
    if (made_directory && rmdir(directory->path) < 0 && errno != ENOTEMPTY)
        complain_of_system("cannot take away the unfinished", directory->path, "remove it");
}

/* The key comes last: a directory with a key in it is a whole node. */
static enum exit_code fill_directory(const struct directory *directory, const struct made *made,
                                     bool made_directory)
{
    bool created = false;
    enum exit_code code = make_store(directory, made->identity, &created);

    if (code == EXIT_OK && made->new_cluster)
        code = write_cluster(directory, made);
    if (code == EXIT_OK)
        code = write_identity(directory, made);
    /* Where the store could not be created, there may be another's, or another makes one now. */
    if (code != EXIT_OK && created)
        unmake(directory, made_directory);
    else if (code != EXIT_OK && code != EXIT_LOCKED && code != EXIT_NO)
        unmake_lock(directory, made_directory);
    return code;
}

static enum exit_code tell(const struct directory *directory, const struct made *made, bool json)
{
    struct output output = {0};
    struct text text = {0};
    char *cluster_path = directory_file(directory, DIRECTORY_CLUSTER);
    enum exit_code code;

    if (json) {
        json_made(made->identity, directory->path, made->new_cluster ? cluster_path : NULL, &text);
        text_add(&text, "\n");
    } else {
        text_print(&text, "made node %s in %s, of %s cluster ",
                   gossip_identity_name(made->identity), directory->path,
                   made->new_cluster ? "the new" : "the");
        text_add_hex(&text, gossip_identity_cluster(made->identity), 8);
        text_add(&text, "\n");
        if (made->new_cluster)
            text_print(&text,
                       "%s admits other nodes: keep it safe, and give it to their init "
                       "--cluster\n",
                       cluster_path);
    }
    free(cluster_path);
    if (text.failed) {
        complain("init: the node was made, but there is no memory to tell of it");
        return EXIT_MEMORY;
    }
    code = output_write(&output, text.data, text.size);
    text_clear(&text);
    return code;
}

static enum exit_code run_init(const struct command *command, int argc, char **argv)
{
    const char *name = NULL;
    const char *cluster_path = NULL;
    struct command_line line;
    struct directory directory;
    struct made made = {0};
    bool made_directory;
    enum exit_code code;
    int option;

    command_line_start(&line, command, argc, argv);
    while ((option = command_line_next(&line)) != -1) {
        if (option == 'N')
            name = optarg;
        else
            cluster_path = optarg;
    }
    if (!command_line_check(&line, 0, 0))
        return line.code;
    if (!name) {
        command_line_refuse(&line, "the node needs a name: --name N");
        return line.code;
    }
    code = make_keys(&line, name, cluster_path, &made);
    if (code == EXIT_OK)
        code = make_directory(line.directory, &made_directory, &directory);
    if (code == EXIT_OK) {
        code = check_empty(&directory);
        if (code == EXIT_OK)
            code = fill_directory(&directory, &made, made_directory);
        if (code == EXIT_OK)
            code = tell(&directory, &made, line.json);
        directory_close(&directory);
    }
    destroy_made(&made);
    return code;
}

static const struct command_option init_options[] = {
    {.name = "name", .id = 'N', .value = "N", .text = "1 to 32 of A-Z a-z 0-9 . _ -"},
    {.name = "cluster",
     .id = 'C',
     .value = "KEYFILE",
     .offers = OFFER_FILE,
     .text = "the key of the cluster that the node shall belong to"},
    {.name = NULL},
};

const struct command command_init = {
    .name = "init",
    .group = GROUP_RUN,
    .summary = "make a node: its key, its certificate and its store",
    .usage = "--dir D --name N [--cluster KEYFILE] [--json]",
    .text = "Makes the directory D and in it a node called N: node.key (its secret key and its\n"
            "certificate) and store.db. Without --cluster the node is the first of a new cluster,\n"
            "whose key is written to D/cluster.key: whoever has that file can admit nodes.\n"
            "Refuses, and changes nothing, where there is a node already.\n",
    .json = "{\"node\":...,\"key\":...,\"cluster\":...,\"dir\":..., "
            "\"cluster_key\":...}",
    .options = init_options,
    .examples = "  gossip init --dir n1 --name n1\n"
                "  gossip init --dir n2 --name n2 --cluster n1/cluster.key\n",
    .run = run_init,
};
