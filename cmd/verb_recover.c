/* A node whose store is damaged, gone, or a copy of another's: made fit to start again. */
#include "cmd/command.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/aside.h"
#include "cmd/directory.h"
#include "cmd/files.h"
#include "cmd/json.h"
#include "cmd/output.h"
#include "cmd/text.h"
#include "gossip/crypto.h"
#include "store/lock.h"

enum { EXPLANATION_SIZE = 1024 };

#define RESUMED                                                                                    \
    "A recovery that was cut off has been ended; the files of before it are kept beside the new "  \
    "ones, with its time in their names.\n"
#define KEPT "This node keeps its key: see to it that no other uses it.\n"

struct recover_options {
    bool new_key;
    bool keep_key;
    bool empty;
    bool force;
    const char *name;
    const char *cluster;
};

struct recovering {
    struct directory directory;
    struct gossip_identity *identity;
    bool had_store;
    bool has_key; /* The old store could tell whose it was. */
    uint8_t key[GOSSIP_KEY_SIZE];
    bool has_resumed; /* One that was cut off, and there is more to do. */
    bool has_new_key;
    bool has_double; /* The node still is to be told which of two it is. */
    struct gossip_salvaged salvaged;
    struct gossip_recovered recovered;
    char stamp[ASIDE_STAMP_SIZE];
    bool has_waiting;  /* Events wait for others: they are in ASIDE_WAITING, ... */
    int waiting_file;  /* ... which is open while the new store is built, ... */
    int waiting_error; /* ... and where the system has refused to write it, why; ... */
    char *archive;     /* ... and this is its path once it bears its name. */
};

/* ---- The new store. ---- */

/* Shows what was found to another, and notes whose store it was. */
struct showing {
    struct recovering *recovering;
    gossip_record_visit *visit;
    void *context;
};

static int show_record(void *context, const struct gossip_record *record)
{
    const struct gossip_meta_record *meta = &record->as.meta;
    struct showing *showing = context;

    if (record->kind == GOSSIP_RECORD_META && strcmp(meta->name, "key") == 0 &&
        meta->bytes != NULL && meta->size == GOSSIP_KEY_SIZE) {
        memcpy(showing->recovering->key, meta->bytes, GOSSIP_KEY_SIZE);
        showing->recovering->has_key = true;
    }
    return showing->visit(showing->context, record);
}

static int show_salvage(void *context, gossip_record_visit *visit, void *visit_context)
{
    struct recovering *recovering = context;
    struct showing showing = {recovering, visit, visit_context};
    char *path;
    int error;

    recovering->salvaged = (struct gossip_salvaged){0};
    if (!recovering->had_store)
        return GOSSIP_OK;
    path = directory_file(&recovering->directory, ASIDE_SALVAGE);
    error = gossip_sqlite_salvage(path, show_record, &showing, &recovering->salvaged);
    free(path);
    return error;
}

static int write_waiting(void *context, const uint8_t *bytes, size_t size)
{
    struct recovering *recovering = context;

    if (!recovering->has_waiting) {
        recovering->waiting_file =
            openat(recovering->directory.descriptor, ASIDE_WAITING,
                   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        recovering->has_waiting = recovering->waiting_file >= 0;
    }
    for (size_t done = 0; recovering->has_waiting && done < size;) {
        ssize_t count = write(recovering->waiting_file, bytes + done, size - done);

        if (count < 0 && errno != EINTR)
            break;
        done += count < 0 ? 0 : (size_t)count;
        if (done == size)
            return GOSSIP_OK;
    }
    recovering->waiting_error = errno;
    return GOSSIP_ERR_IO;
}

/* It is durable before anything is moved. */
static int close_waiting(struct recovering *recovering, int error)
{
    if (!recovering->has_waiting)
        return error;
    if (error == GOSSIP_OK && fsync(recovering->waiting_file) < 0) {
        recovering->waiting_error = errno;
        error = GOSSIP_ERR_IO;
    }
    close(recovering->waiting_file);
    return error;
}

/* A store that names another member of the cluster as its node is that one's: damage makes nobody's
 * key of a key. */
static enum exit_code check_owner(const struct recovering *recovering, const struct gossip *gossip)
{
    const char *path = recovering->directory.path;
    struct gossip_peer peer;

    if (recovering->has_new_key || !recovering->has_key ||
        memcmp(recovering->key, gossip_identity_key(recovering->identity), GOSSIP_KEY_SIZE) == 0)
        return EXIT_OK;
    for (size_t i = 0; gossip_peer(gossip, i, &peer) == GOSSIP_OK; i++) {
        if (memcmp(peer.key, recovering->key, GOSSIP_KEY_SIZE) != 0)
            continue;
        complain("recover: %s/%s is the store of %s, and %s/%s the key of %s, so nothing was "
                 "changed; put the right one there, or move the store away: without one, recover "
                 "begins with an empty store, and the rest comes from peers",
                 path, DIRECTORY_STORE, peer.name, path, DIRECTORY_KEY,
                 gossip_identity_name(recovering->identity));
        return EXIT_CONFIGURATION;
    }
    return EXIT_OK;
}

/* The node over a store, without a network. */
static int open_node(const struct recovering *recovering, struct gossip_store *store,
                     struct gossip **ret_gossip)
{
    return gossip_create(&(struct gossip_options){.size = sizeof(struct gossip_options),
                                                  .store = store,
                                                  .time = gossip_system_time(),
                                                  .identity = recovering->identity},
                         ret_gossip);
}

static enum exit_code fill_store(struct recovering *recovering, struct gossip_store *store)
{
    /* A key made just now has written nothing that could be lost, and has no double. */
    const struct gossip_record fresh[] = {
        {.kind = GOSSIP_RECORD_META, .as.meta = {.name = "backup", .number = 0}},
        {.kind = GOSSIP_RECORD_META, .as.meta = {.name = "cloned", .number = 0}},
    };
    struct gossip *gossip;
    enum exit_code code;
    int error = open_node(recovering, store, &gossip);

    if (error < 0)
        return files_complain_of_start(&recovering->directory, store, error);
    error = gossip_recover(gossip, show_salvage, recovering, write_waiting, recovering,
                           &recovering->recovered);
    error = close_waiting(recovering, error);
    code = error == GOSSIP_OK ? check_owner(recovering, gossip) : EXIT_OK;
    gossip_destroy(gossip);
    if (code != EXIT_OK)
        return code;
    if (error == GOSSIP_OK && recovering->has_new_key)
        error = store->ops->save(store, fresh, sizeof(fresh) / sizeof(fresh[0]));
    if (error == GOSSIP_OK)
        error = files_has_double(store, &recovering->has_double);
    if (error == GOSSIP_OK)
        return EXIT_OK;
    if (recovering->waiting_error != 0) {
        errno = recovering->waiting_error;
        return complain_of_system("cannot write", ASIDE_WAITING,
                                  "make room, or look at the disk, and try again");
    }
    complain("recover: cannot build the new store: %s: %s; the old one was left as it is",
             gossip_strerror(error), store->ops->explain(store));
    return exit_for(error);
}

static enum exit_code build_store(struct recovering *recovering)
{
    char explanation[EXPLANATION_SIZE];
    char *path = directory_file(&recovering->directory, ASIDE_BUILDING);
    struct gossip_store *store;
    enum exit_code code;
    int error =
        gossip_sqlite_open(path, GOSSIP_SQLITE_CREATE, explanation, sizeof(explanation), &store);

    free(path);
    if (error < 0) {
        complain("recover: %s", explanation);
        return exit_for(error);
    }
    code = fill_store(recovering, store);
    store->ops->close(store);
    return code;
}

/* Nothing was saved of a store that held something, or may have. */
static bool is_all_lost(const struct recovering *recovering)
{
    return recovering->had_store && recovering->recovered.events == 0 && !recovering->has_waiting &&
           (recovering->recovered.found > 0 || recovering->salvaged.unreadable > 0 ||
            recovering->salvaged.records == 0);
}

static enum exit_code refuse_to_lose(const struct recovering *recovering)
{
    const char *path = recovering->directory.path;

    if (recovering->has_key && !recovering->has_new_key &&
        memcmp(recovering->key, gossip_identity_key(recovering->identity), GOSSIP_KEY_SIZE) != 0) {
        complain("recover: %s/%s says that it is the store of another key than %s/%s, and no event "
                 "of it can be verified, as if it were of another cluster, so nothing was changed; "
                 "put the files that belong together there; or, where only the store is wrong, "
                 "move it away: without one, recover begins with an empty store, and the rest "
                 "comes from peers",
                 path, DIRECTORY_STORE, path, DIRECTORY_KEY);
        return EXIT_CONFIGURATION;
    }
    if (recovering->has_new_key && recovering->recovered.found > 0)
        complain("recover: none of the %" PRIu64 " events of %s/%s can be verified in the cluster "
                 "that --cluster names, so nothing was changed; name the key of the cluster that "
                 "the store is of, or begin a new node with `gossip init`",
                 recovering->recovered.found, path, DIRECTORY_STORE);
    else
        complain("recover: no event of %s/%s can be verified, so nothing was changed; put a backup "
                 "in its place, or where there is none, `gossip recover --dir %s --empty` begins "
                 "with an empty store: then what only this node has held is lost, and the rest "
                 "comes from its peers",
                 path, DIRECTORY_STORE, path);
    return EXIT_DAMAGED;
}

/* ---- Where nothing is wrong. ---- */

static void count_fault(void *context, const char *fault)
{
    uint64_t *faults = context;

    (void)fault;
    (*faults)++;
}

/* As `gossip verify` does. */
static int find_faults(const struct recovering *recovering, struct gossip_store *store,
                       uint64_t *ret_faults)
{
    struct gossip *gossip;
    int error = open_node(recovering, store, &gossip);

    if (error < 0)
        return error;
    error = gossip_sqlite_check(store, count_fault, ret_faults);
    if (error == GOSSIP_OK)
        error = gossip_verify(gossip, count_fault, ret_faults, NULL);
    gossip_destroy(gossip);
    return error;
}

/* Looks into the copy of the old store: to look into a store counts as a start of its node. */
static enum exit_code check_old(const struct recovering *recovering, bool *ret_is_sound)
{
    char explanation[EXPLANATION_SIZE];
    char *path = directory_file(&recovering->directory, ASIDE_SALVAGE);
    struct gossip_store *store;
    uint64_t faults = 0;
    int error =
        gossip_sqlite_open(path, GOSSIP_SQLITE_OPEN, explanation, sizeof(explanation), &store);

    free(path);
    if (error == GOSSIP_OK) {
        error = find_faults(recovering, store, &faults);
        if (error < 0)
            snprintf(explanation, sizeof(explanation), "%s", store->ops->explain(store));
        store->ops->close(store);
    }
    *ret_is_sound = error == GOSSIP_OK && faults == 0;
    if (error == GOSSIP_OK || error == GOSSIP_ERR_DAMAGED || error == GOSSIP_ERR_FOREIGN)
        return EXIT_OK;
    complain("recover: cannot check %s/%s, so nothing was changed: %s: %s",
             recovering->directory.path, DIRECTORY_STORE, gossip_strerror(error), explanation);
    return exit_for(error);
}

/* A new epoch stays in the clock of every event to come, so none is opened for nothing. */
static enum exit_code refuse_sound(const struct recovering *recovering)
{
    const char *path = recovering->directory.path;

    if (recovering->has_double)
        complain("recover: %s/%s has no fault that `gossip verify` could find, so nothing was "
                 "changed; but the node has stopped because another process wrote under its key: "
                 "where this is the copy, `gossip recover --dir %s --new-key --name N --cluster "
                 "KEYFILE` makes it a node of its own; where it is the original, end the copy "
                 "first, then `gossip recover --dir %s --keep-key`",
                 path, DIRECTORY_STORE, path, path);
    else
        complain("recover: %s/%s has no fault that `gossip verify` could find, so nothing was "
                 "changed; start the node; `gossip recover --dir %s --force` builds a new store "
                 "all the same, and the node goes on in a new epoch",
                 path, DIRECTORY_STORE, path);
    return EXIT_NO;
}

/* ---- Keys. ---- */

static enum exit_code make_key(struct command_line *line, const struct recover_options *options,
                               struct recovering *recovering)
{
    struct gossip_cluster *cluster;
    enum exit_code code = directory_cluster(options->cluster, &cluster);
    int error;

    if (code != EXIT_OK)
        return code;
    error = gossip_identity_create(cluster, options->name, 0, gossip_system_time(),
                                   &recovering->identity);
    gossip_cluster_destroy(cluster);
    if (error == GOSSIP_ERR_INVALID) {
        command_line_refuse(
            line, "the name \"%s\" does not fit: 1 to 32 of A-Z a-z 0-9 . _ - are allowed",
            options->name);
        return line->code;
    }
    if (error < 0)
        complain_of_making_key("recover", error);
    return exit_for(error);
}

/* The new key waits beside the old one until the new store takes the old one's place. */
static enum exit_code write_key(const struct recovering *recovering)
{
    char *text = gossip_secret_alloc(GOSSIP_IDENTITY_TEXT_MAX);
    enum exit_code code;

    if (!text) {
        complain("recover: no memory that could hold a secret; free some, or raise `ulimit -l`");
        return EXIT_MEMORY;
    }
    gossip_identity_to_text(recovering->identity, text);
    code = directory_write(&recovering->directory, ASIDE_KEY, text, strlen(text));
    gossip_secret_free(text);
    return code;
}

/* ---- What was done. ---- */

/* The name of the archive of those that wait, where there is one. */
static void name_archive(struct recovering *recovering)
{
    char name[sizeof(DIRECTORY_STORE) + ASIDE_STAMP_SIZE + sizeof(ASIDE_WAITING_ENDING)];

    if (!recovering->has_waiting)
        return;
    snprintf(name, sizeof(name), "%s.%s%s", DIRECTORY_STORE, recovering->stamp,
             ASIDE_WAITING_ENDING);
    free(recovering->archive);
    recovering->archive = directory_file(&recovering->directory, name);
}

static void tell_of_waiting(const struct recovering *recovering, struct text *text)
{
    if (recovering->recovered.waiting > 0)
        text_print(text, "%" PRIu64 " more are verified, but wait", recovering->recovered.waiting);
    else
        text_add(text, "Some events that are verified wait");
    text_print(text,
               " for events that they had seen and that are not here; %s holds them. When the node "
               "has met its peers, stop it, and `gossip import --dir %s %s` brings them back.\n",
               recovering->archive, recovering->directory.path, recovering->archive);
}

/* What becomes of the node when it is started. */
static void tell_of_start(const struct recovering *recovering, struct text *text)
{
    const char *path = recovering->directory.path;

    if (recovering->has_new_key)
        text_add(text, "It is a node of its own now, and begins with its first event.\n");
    else if (recovering->has_double)
        text_print(text,
                   "The node has stopped because another process wrote under its key, and does not "
                   "start before it is told which of the two it is: the copy, by `gossip recover "
                   "--dir %s --new-key --name N --cluster KEYFILE`, or the original, by `gossip "
                   "recover --dir %s --keep-key`.\n",
                   path, path);
    else
        text_add(text, "At its next start the node asks its peers for what they hold of it, and "
                       "goes on in a new epoch.\n");
}

static enum exit_code tell(const struct recovering *recovering, const char *state, bool json)
{
    const char *path = recovering->directory.path;
    struct output output = {0};
    struct text text = {0};
    enum exit_code code;

    if (json) {
        json_recovered(path, &recovering->recovered, recovering->salvaged.unreadable,
                       recovering->stamp[0] ? recovering->stamp : NULL, recovering->has_double,
                       recovering->archive, &text);
        text_add(&text, "\n");
    } else {
        text_add(&text, state);
        if (recovering->archive)
            tell_of_waiting(recovering, &text);
        if (recovering->stamp[0])
            text_print(&text, "The files as they were are kept in %s, with .%s in their names.\n",
                       path, recovering->stamp);
        tell_of_start(recovering, &text);
    }
    if (text.failed) {
        complain("recover: it is done, but there is no memory to tell of it");
        code = EXIT_MEMORY;
    } else {
        code = output_write(&output, text.data, text.size);
    }
    text_clear(&text);
    return code;
}

static enum exit_code tell_recovered(const struct recovering *recovering, bool json)
{
    const struct gossip_recovered *recovered = &recovering->recovered;
    struct text state = {0};
    enum exit_code code;

    if (!recovering->had_store)
        text_print(&state, "%s has an empty store now: there was none.\n",
                   recovering->directory.path);
    else
        text_print(&state,
                   "%s%" PRIu64 " of %" PRIu64
                   " events that could be read are verified and kept%s.\n",
                   recovering->has_resumed ? RESUMED : "", recovered->events, recovered->found,
                   recovering->salvaged.unreadable > 0 ? "; others could not be read" : "");
    code = tell(recovering, state.data && !state.failed ? state.data : "", json);
    text_clear(&state);
    return code;
}

/* ---- The ways to recover. ---- */

/* Builds all that is new, beside the old, of which nothing has changed when this fails. */
static enum exit_code build(struct command_line *line, const struct recover_options *options,
                            struct recovering *recovering)
{
    const struct directory *directory = &recovering->directory;
    enum exit_code code = aside_clean(directory);
    bool is_sound = false;

    if (code == EXIT_OK)
        code = options->new_key ? make_key(line, options, recovering)
                                : directory_key(directory, &recovering->identity);
    if (code == EXIT_OK)
        code = directory_has(directory, DIRECTORY_STORE, &recovering->had_store);
    if (code == EXIT_OK && recovering->had_store)
        code = aside_copy(directory);
    if (code == EXIT_OK)
        code = build_store(recovering);
    if (code == EXIT_OK && is_all_lost(recovering) && !options->empty)
        code = refuse_to_lose(recovering);
    if (code == EXIT_OK && recovering->had_store && !options->new_key && !options->force)
        code = check_old(recovering, &is_sound);
    if (code == EXIT_OK && is_sound)
        code = refuse_sound(recovering);
    if (code == EXIT_OK && options->new_key)
        code = write_key(recovering);
    return code == EXIT_OK ? aside_finish_building(directory) : code;
}

static enum exit_code rebuild(struct command_line *line, const struct recover_options *options,
                              struct recovering *recovering)
{
    const struct directory *directory = &recovering->directory;
    enum exit_code code = build(line, options, recovering);

    if (code != EXIT_OK) {
        aside_clean(directory);
        return code;
    }
    code = aside_switch(directory, recovering->stamp);
    name_archive(recovering);
    if (code == EXIT_OK)
        code = aside_clean(directory);
    return code == EXIT_OK ? tell_recovered(recovering, line->json) : code;
}

/* ---- One that was cut off. ---- */

static int take_backup(void *context, const struct gossip_record *record)
{
    bool *is_backup = context;

    if (record->kind == GOSSIP_RECORD_META && strcmp(record->as.meta.name, "backup") == 0)
        *is_backup = record->as.meta.bytes == NULL && record->as.meta.number != 0;
    return record->kind != GOSSIP_RECORD_META; /* They come first. */
}

/* What is to come of a recovery that was cut off while it moved files: its new store tells, for a
 * new key may have been put in its place already. */
static enum exit_code look_at_pending(struct recovering *recovering)
{
    char explanation[EXPLANATION_SIZE];
    char *path = directory_file(&recovering->directory, ASIDE_RECOVERED);
    bool is_backup = false;
    struct gossip_store *store;
    int error =
        gossip_sqlite_open(path, GOSSIP_SQLITE_OPEN, explanation, sizeof(explanation), &store);

    free(path);
    if (error < 0) {
        complain("recover: what a recovery that was cut off has made cannot be used: %s; move the "
                 "old store, %s/%s.TIME, back to %s, and run it again",
                 explanation, recovering->directory.path, DIRECTORY_STORE, DIRECTORY_STORE);
        return exit_for(error);
    }
    error = store->ops->load(store, take_backup, &is_backup);
    if (error >= 0)
        error = files_has_double(store, &recovering->has_double);
    if (error < 0)
        complain("recover: cannot read %s/%s: %s", recovering->directory.path, ASIDE_RECOVERED,
                 store->ops->explain(store));
    store->ops->close(store);
    recovering->has_new_key = !is_backup;
    return error < 0 ? exit_for(error) : EXIT_OK;
}

/* Whether what was asked for has been done with that. */
static enum exit_code is_all(const struct recover_options *options, struct recovering *recovering,
                             bool *ret_is_all)
{
    enum exit_code code;

    *ret_is_all = !options->new_key && !options->keep_key;
    if (!options->new_key || !recovering->has_new_key)
        return EXIT_OK;
    code = directory_key(&recovering->directory, &recovering->identity);
    if (code != EXIT_OK)
        return code;
    *ret_is_all = strcmp(gossip_identity_name(recovering->identity), options->name) == 0;
    gossip_identity_destroy(recovering->identity);
    recovering->identity = NULL;
    return EXIT_OK;
}

/* Ends one that was cut off, and says what came of it; *ret_is_all, whether that was all. */
static enum exit_code resume(const struct command_line *line, const struct recover_options *options,
                             struct recovering *recovering, bool *ret_is_all)
{
    const char *path = recovering->directory.path;
    enum exit_code code = look_at_pending(recovering);

    if (code == EXIT_OK && options->keep_key && recovering->has_new_key) {
        complain("recover: in %s a recovery with --new-key was cut off, which says that this is "
                 "the copy; `gossip recover --dir %s` ends it; for the original, move the old key, "
                 "%s.TIME, and the old store, %s.TIME, back",
                 path, path, DIRECTORY_KEY, DIRECTORY_STORE);
        return EXIT_CONFIGURATION;
    }
    if (code == EXIT_OK)
        code = directory_has(&recovering->directory, ASIDE_WAITING, &recovering->has_waiting);
    if (code == EXIT_OK)
        code = aside_switch(&recovering->directory, recovering->stamp);
    name_archive(recovering);
    recovering->has_waiting = false;
    if (code == EXIT_OK)
        code = aside_clean(&recovering->directory);
    if (code == EXIT_OK)
        code = is_all(options, recovering, ret_is_all);
    recovering->stamp[0] = '\0'; /* Some were moved before, under an earlier one. */
    if (code == EXIT_OK && *ret_is_all)
        return tell(recovering, RESUMED, line->json);
    recovering->has_resumed = true;
    recovering->has_new_key = options->new_key;
    recovering->has_double = false;
    return code;
}

static enum exit_code recover_locked(struct command_line *line,
                                     const struct recover_options *options,
                                     struct recovering *recovering)
{
    bool is_pending = false;
    bool is_all = false;
    enum exit_code code = aside_is_pending(&recovering->directory, &is_pending);

    if (code == EXIT_OK && is_pending)
        code = resume(line, options, recovering, &is_all);
    /* --keep-key is about a store in its place. */
    if (code != EXIT_OK || is_all || options->keep_key)
        return code;
    return rebuild(line, options, recovering);
}

/* No node and no other verb opens the store while this lock is held. */
static enum exit_code recover(struct command_line *line, const struct recover_options *options,
                              struct recovering *recovering)
{
    char *lock_path = directory_file(&recovering->directory, DIRECTORY_STORE ".lock");
    char *path = directory_file(&recovering->directory, DIRECTORY_STORE);
    struct explanation explanation;
    enum exit_code code;
    int lock;
    int error = lock_acquire(lock_path, path, &lock, &explanation);

    free(lock_path);
    free(path);
    if (error < 0) {
        complain("%s", explanation.text);
        return exit_for(error);
    }
    code = recover_locked(line, options, recovering);
    lock_release(lock);
    return code;
}

/* A node that has stopped because another used its key, and is the one that shall go on. */
static enum exit_code keep_key(const struct command_line *line, struct recovering *recovering)
{
    const struct gossip_record records[] = {
        {.kind = GOSSIP_RECORD_META, .as.meta = {.name = "cloned", .number = 0}},
        {.kind = GOSSIP_RECORD_META, .as.meta = {.name = "backup", .number = 1}},
    };
    bool has_double = false;
    struct gossip_store *store;
    enum exit_code code = directory_identity(&recovering->directory, &recovering->identity);
    int error;

    if (code == EXIT_OK)
        code = directory_store(&recovering->directory, &store);
    if (code != EXIT_OK)
        return code;
    error = files_has_double(store, &has_double);
    if (error == GOSSIP_OK && !has_double && !recovering->has_resumed) {
        complain("recover: the node of %s has not stopped because of a double, so nothing was "
                 "changed: it starts, and keeps its key",
                 recovering->directory.path);
        store->ops->close(store);
        return EXIT_NO;
    }
    if (error == GOSSIP_OK)
        error = store->ops->save(store, records, 2);
    if (error < 0) {
        complain("recover: %s", store->ops->explain(store));
        code = exit_for(error);
    }
    store->ops->close(store);
    return code == EXIT_OK
               ? tell(recovering, recovering->has_resumed ? RESUMED KEPT : KEPT, line->json)
               : code;
}

/* ---- Options. ---- */

static bool read_options(struct command_line *line, struct recover_options *ret_options)
{
    struct recover_options options = {0};
    int option;

    while ((option = command_line_next(line)) != -1) {
        switch (option) {
        case 'N':
            options.new_key = true;
            break;
        case 'K':
            options.keep_key = true;
            break;
        case 'E':
            options.empty = true;
            break;
        case 'F':
            options.force = true;
            break;
        case 'A':
            options.name = optarg;
            break;
        default:
            options.cluster = optarg;
            break;
        }
    }
    if (!command_line_check(line, 0, 0))
        return false;
    if (options.new_key && options.keep_key)
        command_line_refuse(line, "either --new-key or --keep-key: a copy, or the original");
    else if (options.keep_key && (options.empty || options.force))
        command_line_refuse(line, "--keep-key changes no event; --empty and --force do not go with "
                                  "it");
    else if (options.new_key != (options.name != NULL) ||
             options.new_key != (options.cluster != NULL))
        command_line_refuse(line,
                            "--new-key, --name N and --cluster KEYFILE go together: the cluster "
                            "admits a new node");
    *ret_options = options;
    return !line->ended;
}

static enum exit_code run(const struct command *command, int argc, char **argv)
{
    struct recover_options options;
    struct recovering recovering = {0};
    struct command_line line;
    enum exit_code code;

    command_line_start(&line, command, argc, argv);
    if (!read_options(&line, &options))
        return line.code;
    code = directory_open(line.directory, EXIT_CONFIGURATION, &recovering.directory);
    if (code != EXIT_OK)
        return code;
    recovering.has_new_key = options.new_key;
    code = recover(&line, &options, &recovering);
    if (code == EXIT_OK && options.keep_key)
        code = keep_key(&line, &recovering);
    gossip_identity_destroy(recovering.identity);
    free(recovering.archive);
    directory_close(&recovering.directory);
    return code;
}

static const struct command_option recover_options[] = {
    {.name = "empty",
     .id = 'E',
     .text = "begin with an empty store where no event can be verified: what only "
             "this node has held is lost"},
    {.name = "force",
     .id = 'F',
     .text = "build a new store also where nothing is wrong with the old one, for "
             "a new epoch"},
    {.name = "new-key",
     .id = 'N',
     .text = "for a copy of another node: becomes a node of its own, called N; the "
             "events stay, those of the old key as another's"},
    {.name = "name",
     .id = 'A',
     .value = "N",
     .text = "with --new-key: 1 to 32 of A-Z a-z 0-9 . _ -"},
    {.name = "cluster",
     .id = 'C',
     .value = "KEYFILE",
     .offers = OFFER_FILE,
     .text = "with --new-key: the key of the cluster"},
    {.name = "keep-key",
     .id = 'K',
     .text = "for a node that stopped because a copy of it ran: it is the original"},
    {.name = NULL},
};

const struct command command_recover = {
    .name = "recover",
    .group = GROUP_FILES,
    .summary = "mend a stopped node whose store is damaged, gone or a copy",
    .usage = "[--dir D] [--empty | --force] [--json]\n"
             "                      | --new-key --name N --cluster KEYFILE | --keep-key",
    .text =
        "Builds a new store of all events of the old one that can be verified, even where pages\n"
        "of it cannot be read. The old files are kept, under a dated name. At its next start the\n"
        "node asks its peers for the rest, and goes on in a new epoch, so that no event's name\n"
        "is used twice. Events that are verified and had seen others that are not wait in an\n"
        "archive beside them, for `import`. Where there is a key and no store, it begins with an\n"
        "empty one. Where `verify` finds no fault, and with --keep-key where there never was a\n"
        "double, it changes nothing and exits with 1.\n",
    .json = "{\"recovered\":\"n1\",\"found\":12,\"events\":12,\"unreadable\":0, "
            "\"kept\":\"20260102T030405Z\", \"cloned\":false, "
            "\"waiting\":0,\"archive\":null}",
    .options = recover_options,
    .examples = "  gossip recover --dir n1\n"
                "  gossip recover --dir n1-copy --new-key --name n7 --cluster n1/cluster.key\n",
    .run = run,
};
