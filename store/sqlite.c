#include "store/sqlite.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/bytes.h"
#include "gossip/crypto.h"
#include "gossip/gossip.h"
#include "store/explanation.h"
#include "store/side.h"
#include "store/sqlite_backup.h"
#include "store/sqlite_database.h"
#include "store/sqlite_file.h"
#include "store/sqlite_rows.h"

struct sqlite_store {
    struct gossip_store base;
    struct sqlite_database database;
    struct sqlite_rows *rows; /* NULL until the database is open. */
    int lock;                 /* Of files, or -1. */
    bool created;             /* By this call: to be removed if the rest fails. */
    char *side_path;
    char *marker_path;
    struct sqlite_backup *backup; /* Under way, or NULL. */
};

/* ---- Rows. ---- */

static int sqlite_load(struct gossip_store *base, gossip_record_visit *visit, void *context)
{
    return sqlite_rows_load(((struct sqlite_store *)base)->rows, visit, context);
}

static int sqlite_save(struct gossip_store *base, const struct gossip_record *records, size_t count)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    int error;

    assert(!store->database.busy);
    if (store->database.failure != GOSSIP_OK)
        return store->database.failure;
    if (count == 0)
        return GOSSIP_OK;
    error = sqlite_rows_save(store->rows, records, count);
    return error < 0 ? error : sqlite_database_checkpoint(&store->database);
}

static int sqlite_read(struct gossip_store *base, uint32_t author, uint64_t first, uint64_t last,
                       gossip_record_visit *visit, void *context)
{
    return sqlite_rows_read(((struct sqlite_store *)base)->rows, author, first, last, visit,
                            context);
}

static int sqlite_follow(struct gossip_store *base, uint64_t after, gossip_record_visit *visit,
                         void *context)
{
    return sqlite_rows_follow(((struct sqlite_store *)base)->rows, after, visit, context);
}

static int sqlite_find_once(struct gossip_store *base, const uint8_t once[GOSSIP_ONCE_HASH_SIZE],
                            gossip_record_visit *visit, void *context)
{
    return sqlite_rows_find_once(((struct sqlite_store *)base)->rows, once, visit, context);
}

static int sqlite_has(struct gossip_store *base, uint32_t author, uint64_t seq)
{
    return sqlite_rows_has(((struct sqlite_store *)base)->rows, author, seq);
}

/* ---- What stands beside the file. ---- */

static int sqlite_fingerprint(struct gossip_store *base, uint8_t ret_fingerprint[GOSSIP_HASH_SIZE])
{
    static const char domain[] = "gossip/fingerprint/1";
    struct sqlite_store *store = (struct sqlite_store *)base;
    struct file_identity identity;
    uint8_t numbers[16];
    int error = store->database.files->ops->identify(store->database.files, store->database.path,
                                                     &identity, &store->database.explanation);

    if (error < 0)
        return error;
    put_fixed(numbers, identity.inode, 8);
    put_fixed(numbers + 8, (uint64_t)identity.birth_ns, 8);
    gossip_crypto_sodium()->hash(
        ret_fingerprint,
        (const struct gossip_piece[]){{domain, sizeof(domain)},
                                      {numbers, sizeof(numbers)},
                                      {identity.machine, strlen(identity.machine)}},
        3);
    return GOSSIP_OK;
}

static int sqlite_read_side(struct gossip_store *base, struct gossip_side *ret_side)
{
    struct sqlite_store *store = (struct sqlite_store *)base;

    return side_read(store->database.files, store->side_path, ret_side,
                     &store->database.explanation);
}

static int sqlite_write_side(struct gossip_store *base, const struct gossip_side *side)
{
    struct sqlite_store *store = (struct sqlite_store *)base;

    return side_write(store->database.files, store->side_path, side, &store->database.explanation);
}

static int sqlite_read_marker(struct gossip_store *base, struct gossip_marker *ret_marker)
{
    struct sqlite_store *store = (struct sqlite_store *)base;

    return marker_read(store->database.files, store->marker_path, ret_marker,
                       &store->database.explanation);
}

static int sqlite_write_marker(struct gossip_store *base, const struct gossip_marker *marker)
{
    struct sqlite_store *store = (struct sqlite_store *)base;

    return marker_write(store->database.files, store->marker_path, marker,
                        &store->database.explanation);
}

static int sqlite_backup_start(struct gossip_store *base, const char *path)
{
    struct sqlite_store *store = (struct sqlite_store *)base;

    assert(!store->database.busy && store->backup == NULL);
    if (store->database.failure != GOSSIP_OK)
        return store->database.failure;
    return sqlite_backup_begin(store->database.db, store->database.files, path,
                               &store->database.explanation, &store->backup);
}

static void sqlite_backup_stop(struct gossip_store *base)
{
    struct sqlite_store *store = (struct sqlite_store *)base;

    sqlite_backup_end(store->backup);
    store->backup = NULL;
}

static int sqlite_backup_go_on(struct gossip_store *base)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    int result;

    assert(!store->database.busy && store->backup != NULL);
    result = store->database.failure != GOSSIP_OK
                 ? store->database.failure
                 : sqlite_backup_step(store->backup, &store->database.explanation);
    if (result != 0)
        sqlite_backup_stop(base);
    return result;
}

static const char *sqlite_explain(struct gossip_store *base)
{
    return ((struct sqlite_store *)base)->database.explanation.text;
}

/* ---- Opening. ---- */

/* The path without symbolic links, so that a file of two names has one lock. */
static int resolve(struct sqlite_database *database, const char *path, enum gossip_sqlite_mode mode)
{
    struct file_system *files = database->files;
    int error;

    if (mode == GOSSIP_SQLITE_CREATE) {
        database->path = strdup(path);
        return database->path == NULL ? GOSSIP_ERR_NOMEM : GOSSIP_OK;
    }
    error = files->ops->resolve(files, path, &database->path, &database->explanation);
    if (error == GOSSIP_ERR_NOT_FOUND)
        explanation_set(&database->explanation,
                        "%s: there is no store; create one, or name its path", path);
    return error;
}

/* *ret_lock stays as it is where the lock cannot be had. */
static int take_lock(struct sqlite_database *database, int *ret_lock)
{
    struct file_system *files = database->files;
    char *lock_path = file_beside(database->path, ".lock");
    int error = lock_path == NULL ? GOSSIP_ERR_NOMEM
                                  : files->ops->lock(files, lock_path, database->path, ret_lock,
                                                     &database->explanation);

    free(lock_path);
    return error;
}

/* Judges before it locks, so as to leave no lock file beside what is not ours; and again with the
 * lock held. */
static int judge_and_lock(struct sqlite_store *store, enum gossip_sqlite_mode mode)
{
    struct sqlite_database *database = &store->database;
    int error = mode == GOSSIP_SQLITE_CREATE ? sqlite_file_check_free(database)
                                             : sqlite_file_examine(database);

    if (error == GOSSIP_OK)
        error = take_lock(database, &store->lock);
    if (error == GOSSIP_OK && mode == GOSSIP_SQLITE_CREATE) {
        error = sqlite_file_check_free(database);
        if (error == GOSSIP_OK)
            error = sqlite_file_create(database);
        store->created = error == GOSSIP_OK;
    }
    return error < 0 ? error : sqlite_file_examine(database);
}

static void destroy(struct sqlite_store *store)
{
    if (store->lock >= 0)
        store->database.files->ops->unlock(store->database.files, store->lock);
    free(store->side_path);
    free(store->marker_path);
    free(store->database.path);
    free(store);
}

/* Of a store that could not be opened. A file that this call has made holds nothing yet. */
static void abandon(struct sqlite_store *store)
{
    struct explanation ignored;

    sqlite_rows_free(store->rows);
    sqlite_database_abandon(&store->database);
    if (store->created) /* If it stays, it is an empty store, and can be opened. */
        sqlite_file_discard(store->database.files, store->database.path, &ignored);
    destroy(store);
}

static void sqlite_close(struct gossip_store *base)
{
    struct sqlite_store *store = (struct sqlite_store *)base;

    assert(!store->database.busy);
    sqlite_backup_stop(base);
    sqlite_rows_free(store->rows);
    sqlite_database_close(&store->database);
    destroy(store);
}

static const struct gossip_store_ops sqlite_ops = {
    .abilities = GOSSIP_STORE_EVENTS | GOSSIP_STORE_DURABLE | GOSSIP_STORE_SIDE |
                 GOSSIP_STORE_MARKER | GOSSIP_STORE_IDENTITY | GOSSIP_STORE_BACKUP |
                 GOSSIP_STORE_ONCE,
    .load = sqlite_load,
    .save = sqlite_save,
    .read = sqlite_read,
    .follow = sqlite_follow,
    .has = sqlite_has,
    .find_once = sqlite_find_once,
    .fingerprint = sqlite_fingerprint,
    .read_side = sqlite_read_side,
    .write_side = sqlite_write_side,
    .read_marker = sqlite_read_marker,
    .write_marker = sqlite_write_marker,
    .backup_begin = sqlite_backup_start,
    .backup_step = sqlite_backup_go_on,
    .backup_end = sqlite_backup_stop,
    .explain = sqlite_explain,
    .close = sqlite_close,
};

uint64_t sqlite_store_total_changes(struct gossip_store *store)
{
    assert(store->ops == &sqlite_ops);
    return sqlite_database_total_changes(&((struct sqlite_store *)store)->database);
}

uint64_t sqlite_store_wal_pages(struct gossip_store *store)
{
    assert(store->ops == &sqlite_ops);
    return ((struct sqlite_store *)store)->database.wal_pages;
}

void sqlite_store_checkpoint_every(struct gossip_store *store, uint64_t pages)
{
    struct sqlite_store *sqlite = (struct sqlite_store *)store;

    assert(store->ops == &sqlite_ops);
    sqlite->database.checkpoint_pages = pages;
    sqlite->database.checkpoint_at = pages;
}

int sqlite_store_open(struct file_system *files, const char *path, enum gossip_sqlite_mode mode,
                      char *ret_explanation, size_t size, struct gossip_store **ret_store)
{
    struct sqlite_store *store = calloc(1, sizeof(*store));
    int error = store == NULL ? GOSSIP_ERR_NOMEM : GOSSIP_OK;

    if (error == GOSSIP_OK) {
        store->base.ops = &sqlite_ops;
        store->lock = -1;
        error = sqlite_database_begin(&store->database, files);
    }
    if (error == GOSSIP_OK)
        error = resolve(&store->database, path, mode);
    if (error == GOSSIP_OK) {
        store->side_path = file_beside(store->database.path, ".side");
        store->marker_path = file_beside(store->database.path, ".marker");
        if (store->side_path == NULL || store->marker_path == NULL)
            error = GOSSIP_ERR_NOMEM;
    }
    if (error == GOSSIP_OK)
        error = judge_and_lock(store, mode);
    if (error == GOSSIP_OK)
        error = sqlite_file_open(&store->database);
    if (error == GOSSIP_OK)
        error = sqlite_rows_prepare(&store->database, &store->rows);
    if (error == GOSSIP_OK)
        error = sqlite_file_keep(&store->database);
    if (error == GOSSIP_OK) {
        *ret_store = &store->base;
        return GOSSIP_OK;
    }
    if (ret_explanation != NULL && size > 0)
        snprintf(ret_explanation, size, "%s",
                 store == NULL || error == GOSSIP_ERR_NOMEM ? "out of memory"
                                                            : store->database.explanation.text);
    if (store != NULL)
        abandon(store);
    return error;
}

int sqlite_store_remove(struct file_system *files, const char *path, char *ret_explanation,
                        size_t size)
{
    struct sqlite_database database;
    int lock = -1;
    int error = sqlite_database_begin(&database, files);

    if (error == GOSSIP_OK)
        error = resolve(&database, path, GOSSIP_SQLITE_OPEN);
    if (error == GOSSIP_OK)
        error = sqlite_file_examine(&database);
    if (error == GOSSIP_OK)
        error = take_lock(&database, &lock);
    if (error == GOSSIP_OK)
        error = sqlite_file_remove(&database);
    if (error < 0 && ret_explanation != NULL && size > 0)
        snprintf(ret_explanation, size, "%s",
                 error == GOSSIP_ERR_NOMEM ? "out of memory" : database.explanation.text);
    if (lock >= 0)
        files->ops->unlock(files, lock);
    free(database.path);
    return error;
}

int gossip_sqlite_check(struct gossip_store *base, gossip_sqlite_report *report, void *context)
{
    struct sqlite_store *store = (struct sqlite_store *)base;

    assert(base->ops == &sqlite_ops && !store->database.busy);
    return sqlite_database_check(&store->database, report, context);
}

int gossip_sqlite_open(const char *path, enum gossip_sqlite_mode mode, char *ret_explanation,
                       size_t size, struct gossip_store **ret_store)
{
    return sqlite_store_open(file_system_real(), path, mode, ret_explanation, size, ret_store);
}
