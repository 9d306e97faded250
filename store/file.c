#include "store/file.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/gossip.h"
#include "store/file_clock.h"
#include "store/file_state.h"
#include "store/memory.h"

struct file_store {
    struct gossip_store base;
    struct file_system *files;
    struct gossip_store *records; /* All that it holds. */
    char *clock_path;
    char *clock_new; /* Where the next clock is written, */
    char *state_path;
    char *state_new; /* and the next state. */
    char *lock_path;
    int lock;                  /* Negative: not held. */
    struct file_content clock; /* What the clock file holds. */
    int failure;               /* What ended all saving; GOSSIP_OK: nothing has. */
    bool busy;
    struct explanation explanation;
};

/* ---- Saving. ---- */

/* Before the state has its new name, nothing has changed: only of a failure that says so itself can
 * that be told. Whatever else goes wrong ends all saving. */
static int not_yet(int error)
{
    return error == GOSSIP_OK || error == GOSSIP_ERR_FULL || error == GOSSIP_ERR_NOMEM
               ? error
               : GOSSIP_ERR_IO;
}

static int rename_durably(struct file_store *store, const char *from, const char *to)
{
    const struct file_system_ops *ops = store->files->ops;
    int error = ops->rename(store->files, from, to, &store->explanation);

    if (error == GOSSIP_OK)
        error = ops->sync_directory(store->files, to, &store->explanation);
    return error == GOSSIP_OK ? GOSSIP_OK : GOSSIP_ERR_IO;
}

static int write_new(struct file_store *store, const char *path, const char *text, size_t size)
{
    return not_yet(store->files->ops->write(store->files, path, (const uint8_t *)text, size,
                                            &store->explanation));
}

/* Gone, it makes room; what stays is written over by the next save. */
static void remove_new(struct file_store *store)
{
    struct explanation ignored;

    store->files->ops->remove(store->files, store->state_new, &ignored);
    store->files->ops->remove(store->files, store->clock_new, &ignored);
}

/* Makes both files durable as records are now; clock, of clock_size, is what they make. */
static int write_files(struct file_store *store, const char *clock, size_t clock_size)
{
    struct file_state state = {.before = store->clock};
    bool is_same;
    char *text;
    size_t size;
    int error;

    file_content_of(clock, clock_size, &state.clock);
    is_same = file_content_equal(&state.clock, &store->clock);
    error = file_state_write(store->records, &state, &text, &size);
    if (error < 0)
        return error;
    error = write_new(store, store->state_new, text, size);
    free(text);
    if (error == GOSSIP_OK && !is_same)
        error = write_new(store, store->clock_new, clock, clock_size);
    if (error == GOSSIP_OK)
        error = rename_durably(store, store->state_new, store->state_path);
    if (error == GOSSIP_OK && !is_same)
        error = rename_durably(store, store->clock_new, store->clock_path);
    if (error == GOSSIP_OK)
        store->clock = state.clock;
    if (error == GOSSIP_ERR_FULL || error == GOSSIP_ERR_NOMEM)
        remove_new(store);
    return error;
}

static int commit(void *context)
{
    struct file_store *store = context;
    char *clock;
    int error = file_clock_write(store->records, &clock, &store->explanation);

    if (error < 0)
        return error;
    error = write_files(store, clock, strlen(clock));
    free(clock);
    if (error == GOSSIP_ERR_IO)
        store->failure = error;
    return error;
}

static int file_save(struct gossip_store *base, const struct gossip_record *records, size_t count)
{
    struct file_store *store = (struct file_store *)base;
    int error;

    assert(!store->busy);
    if (store->failure < 0)
        return store->failure;
    for (size_t i = 0; i < count; i++) {
        if (records[i].kind != GOSSIP_RECORD_EVENT)
            continue;
        explanation_set(&store->explanation,
                        "%s: this store keeps no events: use one that does, "
                        "as the SQLite store",
                        store->clock_path);
        return GOSSIP_ERR_INVALID;
    }
    if (count == 0)
        return GOSSIP_OK;
    store->explanation.text[0] = '\0';
    error = memory_store_save(store->records, records, count, commit, store);
    if (error < 0 && store->explanation.text[0] == '\0')
        explanation_set(&store->explanation, "%s: %s", store->clock_path,
                        store->records->ops->explain(store->records));
    return error;
}

/* ---- Reading. ---- */

static int file_load(struct gossip_store *base, gossip_record_visit *visit, void *context)
{
    struct file_store *store = (struct file_store *)base;
    int result;

    assert(!store->busy);
    store->busy = true;
    result = store->records->ops->load(store->records, visit, context);
    store->busy = false;
    return result;
}

static const char *file_explain(struct gossip_store *base)
{
    return ((struct file_store *)base)->explanation.text;
}

/* ---- Opening. ---- */

/* Reads a whole file; *ret_text is the caller's, to be freed. NOT_FOUND, PERMISSION, NOMEM, IO. */
static int read_file(struct file_store *store, const char *path, char **ret_text, size_t *ret_size)
{
    const struct file_system_ops *ops = store->files->ops;
    enum file_kind kind;
    uint64_t size;
    size_t read = 0;
    char *text;
    int error = ops->examine(store->files, path, &kind, &size, &store->explanation);

    if (error < 0)
        return error;
    if (kind == FILE_MISSING) {
        explanation_set(&store->explanation, "%s: there is no such file", path);
        return GOSSIP_ERR_NOT_FOUND;
    }
    if (kind == FILE_OTHER) {
        explanation_set(&store->explanation, "%s: is no file", path);
        return GOSSIP_ERR_FOREIGN;
    }
    text = malloc((size_t)size + 1);
    if (text == NULL)
        return GOSSIP_ERR_NOMEM;
    error = ops->read(store->files, path, (uint8_t *)text, (size_t)size + 1, &read,
                      &store->explanation);
    if (error < 0) {
        free(text);
        return error;
    }
    *ret_text = text;
    *ret_size = read;
    return GOSSIP_OK;
}

/* Reads the state. NOT_FOUND where there is none. */
static int read_state(struct file_store *store, struct file_state *ret_state)
{
    char *text;
    size_t size;
    int error = read_file(store, store->state_path, &text, &size);

    if (error < 0)
        return error;
    error = file_state_read(store->state_path, text, size, store->records, ret_state,
                            &store->explanation);
    free(text);
    return error;
}

static int stop(void *context, const struct gossip_record *record)
{
    (void)context;
    (void)record;
    return 1;
}

static bool is_empty(const struct file_store *store)
{
    return store->records->ops->load(store->records, stop, NULL) == 0;
}

/* A state of which the clock has not yet been written. */
static int finish_save(struct file_store *store, const struct file_state *state)
{
    struct file_content content;
    char *clock;
    int error = file_clock_write(store->records, &clock, &store->explanation);

    if (error < 0)
        return error;
    file_content_of(clock, strlen(clock), &content);
    if (!file_content_equal(&content, &state->clock)) {
        explanation_set(&store->explanation,
                        "%s: the clock that it names is not that of the authors in it",
                        store->state_path);
        error = GOSSIP_ERR_DAMAGED;
    }
    if (error == GOSSIP_OK)
        error = store->files->ops->write(store->files, store->clock_new, (const uint8_t *)clock,
                                         strlen(clock), &store->explanation);
    if (error == GOSSIP_OK)
        error = rename_durably(store, store->clock_new, store->clock_path);
    free(clock);
    return error;
}

/* The clock is there, and no state. */
static int judge_alone(struct file_store *store, const char *clock, size_t size)
{
    if (file_clock_is(clock, size)) {
        explanation_set(&store->explanation,
                        "%s: its other half, %s, is missing: put it back; the clock alone cannot "
                        "be believed",
                        store->clock_path, store->state_path);
        return GOSSIP_ERR_DAMAGED;
    }
    explanation_set(&store->explanation, "%s: is not a gossip file store", store->clock_path);
    return GOSSIP_ERR_FOREIGN;
}

/* Whether the clock is the one that belongs to the state, or the one before. */
static int judge_clock(struct file_store *store, const struct file_state *state, const char *clock,
                       size_t size)
{
    struct file_content content;

    file_content_of(clock, size, &content);
    store->clock = state->clock;
    if (file_content_equal(&content, &state->clock))
        return GOSSIP_OK;
    if (file_content_equal(&content, &state->before))
        return finish_save(store, state);
    explanation_set(&store->explanation,
                    file_clock_is(clock, size)
                        ? "%s: is a clock, but not the one that was saved with %s: put back both "
                          "from one moment"
                        : "%s: is no clock, and not what was saved with %s: put back both from one "
                          "moment",
                    store->clock_path, store->state_path);
    return GOSSIP_ERR_DAMAGED;
}

static int missing_clock(struct file_store *store, bool has_state)
{
    if (!has_state || is_empty(store)) {
        explanation_set(&store->explanation, "%s: there is no store; create one, or name its path",
                        store->clock_path);
        return GOSSIP_ERR_NOT_FOUND;
    }
    explanation_set(&store->explanation,
                    "%s: is missing, and %s, which belongs to it, is there: put it back, or remove "
                    "the store (which is also how a removal that was cut off is ended)",
                    store->clock_path, store->state_path);
    return GOSSIP_ERR_DAMAGED;
}

static int open_files(struct file_store *store)
{
    struct file_state state;
    char *clock = NULL;
    size_t size = 0;
    bool has_clock;
    bool has_state;
    int error = read_file(store, store->clock_path, &clock, &size);

    if (error < 0 && error != GOSSIP_ERR_NOT_FOUND)
        return error;
    has_clock = error == GOSSIP_OK;
    error = read_state(store, &state);
    has_state = error == GOSSIP_OK;
    if (error == GOSSIP_ERR_NOT_FOUND)
        error = GOSSIP_OK;
    if (error == GOSSIP_OK) {
        if (!has_clock)
            error = missing_clock(store, has_state);
        else if (!has_state)
            error = judge_alone(store, clock, size);
        else
            error = judge_clock(store, &state, clock, size);
    }
    /* A process that was killed may have come as far as the names, and no further. */
    if (error == GOSSIP_OK)
        error =
            store->files->ops->sync_directory(store->files, store->clock_path, &store->explanation);
    free(clock);
    return error;
}

/* Makes an empty store where there is none. What a creation that was cut off has left is an empty
 * state without a clock, and is written over. */
static int create_files(struct file_store *store)
{
    static const char clock[] = "{}\n";
    struct file_state state;
    enum file_kind kind;
    uint64_t size;
    int error = store->files->ops->examine(store->files, store->clock_path, &kind, &size,
                                           &store->explanation);

    if (error < 0)
        return error;
    if (kind != FILE_MISSING) {
        explanation_set(&store->explanation, "%s: exists already; open it, or name another path",
                        store->clock_path);
        return GOSSIP_ERR_EXISTS;
    }
    error = read_state(store, &state);
    if (error == GOSSIP_OK && is_empty(store))
        error = GOSSIP_ERR_NOT_FOUND;
    if (error == GOSSIP_OK || error == GOSSIP_ERR_DAMAGED || error == GOSSIP_ERR_FOREIGN) {
        explanation_set(&store->explanation,
                        "%s: exists already, and %s does not: put that back, or remove the store",
                        store->state_path, store->clock_path);
        return GOSSIP_ERR_EXISTS;
    }
    if (error != GOSSIP_ERR_NOT_FOUND)
        return error;
    /* That no file has this content makes the first save write the clock. */
    memset(&store->clock, 0, sizeof(store->clock));
    return write_files(store, clock, sizeof(clock) - 1);
}

static void destroy(struct file_store *store)
{
    if (store->lock >= 0)
        store->files->ops->unlock(store->files, store->lock);
    if (store->records != NULL)
        store->records->ops->close(store->records);
    free(store->clock_path);
    free(store->clock_new);
    free(store->state_path);
    free(store->state_new);
    free(store->lock_path);
    free(store);
}

static void file_close(struct gossip_store *base)
{
    struct file_store *store = (struct file_store *)base;

    assert(!store->busy);
    destroy(store);
}

static const struct gossip_store_ops file_ops = {
    .abilities = GOSSIP_STORE_DURABLE,
    .load = file_load,
    .save = file_save,
    .explain = file_explain,
    .close = file_close,
};

/* Of what is there the path without symbolic links, so that a file of two names has one lock. */
static int name_files(struct file_store *store, const char *path)
{
    int error =
        store->files->ops->resolve(store->files, path, &store->clock_path, &store->explanation);

    if (error == GOSSIP_ERR_NOT_FOUND) {
        store->clock_path = strdup(path);
        error = store->clock_path == NULL ? GOSSIP_ERR_NOMEM : GOSSIP_OK;
    }
    if (error < 0)
        return error;
    store->clock_new = file_beside(store->clock_path, ".new");
    store->state_path = file_beside(store->clock_path, ".state");
    store->state_new = file_beside(store->clock_path, ".state.new");
    store->lock_path = file_beside(store->clock_path, ".lock");
    return store->clock_new == NULL || store->state_path == NULL || store->state_new == NULL ||
                   store->lock_path == NULL
               ? GOSSIP_ERR_NOMEM
               : GOSSIP_OK;
}

static int make_store(struct file_system *files, const char *path, struct file_store **ret_store)
{
    struct file_store *store = calloc(1, sizeof(*store));
    int error;

    *ret_store = store;
    if (store == NULL)
        return GOSSIP_ERR_NOMEM;
    store->base.ops = &file_ops;
    store->files = files;
    store->lock = -1;
    error = gossip_memory_open(&store->records);
    return error < 0 ? error : name_files(store, path);
}

static int take_lock(struct file_store *store)
{
    return store->files->ops->lock(store->files, store->lock_path, store->clock_path, &store->lock,
                                   &store->explanation);
}

/* Whether there is anything to be opened; so that no lock file is left beside nothing. */
static int look_for_files(struct file_store *store)
{
    enum file_kind clock;
    enum file_kind state;
    uint64_t size;
    int error = store->files->ops->examine(store->files, store->clock_path, &clock, &size,
                                           &store->explanation);

    if (error == GOSSIP_OK)
        error = store->files->ops->examine(store->files, store->state_path, &state, &size,
                                           &store->explanation);
    if (error < 0)
        return error;
    return clock == FILE_MISSING && state == FILE_MISSING ? missing_clock(store, false) : GOSSIP_OK;
}

static void tell(const struct file_store *store, int error, char *ret_explanation, size_t size)
{
    if (ret_explanation != NULL && size > 0)
        snprintf(ret_explanation, size, "%s",
                 store == NULL || error == GOSSIP_ERR_NOMEM ? "out of memory"
                                                            : store->explanation.text);
}

int file_store_open(struct file_system *files, const char *path, enum gossip_file_mode mode,
                    char *ret_explanation, size_t size, struct gossip_store **ret_store)
{
    struct file_store *store;
    int error = make_store(files, path, &store);

    if (error == GOSSIP_OK && mode == GOSSIP_FILE_OPEN)
        error = look_for_files(store);
    if (error == GOSSIP_OK)
        error = take_lock(store);
    if (error == GOSSIP_OK)
        error = mode == GOSSIP_FILE_CREATE ? create_files(store) : open_files(store);
    if (error == GOSSIP_OK) {
        *ret_store = &store->base;
        return GOSSIP_OK;
    }
    tell(store, error, ret_explanation, size);
    if (store != NULL)
        destroy(store);
    return error;
}

int gossip_file_open(const char *path, enum gossip_file_mode mode, char *ret_explanation,
                     size_t size, struct gossip_store **ret_store)
{
    return file_store_open(file_system_real(), path, mode, ret_explanation, size, ret_store);
}

/* ---- Removing. ---- */

int file_store_is_at(struct file_system *files, const char *path, bool *ret_is,
                     struct explanation *explanation)
{
    char *resolved = NULL;
    char *state;
    enum file_kind kind;
    uint64_t size;
    int error = files->ops->resolve(files, path, &resolved, explanation);

    if (error < 0 && error != GOSSIP_ERR_NOT_FOUND)
        return error;
    state = file_beside(error == GOSSIP_OK ? resolved : path, ".state");
    free(resolved);
    if (state == NULL)
        return GOSSIP_ERR_NOMEM;
    error = files->ops->examine(files, state, &kind, &size, explanation);
    free(state);
    if (error == GOSSIP_OK)
        *ret_is = kind != FILE_MISSING;
    return error;
}

/* That the state is one of ours; whether it is damaged is no matter. */
static int judge_removal(struct file_store *store)
{
    char *text;
    size_t size;
    int error = read_file(store, store->state_path, &text, &size);

    if (error < 0)
        return error;
    if (!file_state_is(text, size)) {
        explanation_set(&store->explanation, "%s: is not the state of a gossip file store",
                        store->state_path);
        error = GOSSIP_ERR_FOREIGN;
    }
    free(text);
    return error;
}

/* The clock goes first: without it nothing can be opened, and to remove it again ends a removal
 * that was cut off. */
static int remove_files(struct file_store *store)
{
    const char *const paths[] = {store->clock_path, store->clock_new, store->state_new,
                                 store->state_path};
    const struct file_system_ops *ops = store->files->ops;
    int error = GOSSIP_OK;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]) && error == GOSSIP_OK; i++) {
        error = ops->remove(store->files, paths[i], &store->explanation);
        if (error == GOSSIP_OK && (paths[i] == store->clock_path || paths[i] == store->state_path))
            error = ops->sync_directory(store->files, paths[i], &store->explanation);
    }
    return error;
}

int file_store_remove(struct file_system *files, const char *path, char *ret_explanation,
                      size_t size)
{
    struct file_store *store;
    int error = make_store(files, path, &store);

    if (error == GOSSIP_OK)
        error = judge_removal(store);
    if (error == GOSSIP_OK)
        error = take_lock(store);
    if (error == GOSSIP_OK)
        error = remove_files(store);
    if (error < 0)
        tell(store, error, ret_explanation, size);
    if (store != NULL)
        destroy(store);
    return error;
}
