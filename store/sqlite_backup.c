#include "store/sqlite_backup.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/gossip.h"
#include "store/checksum.h"
#include "store/sqlite_database.h"
#include "store/sqlite_file.h"

/* So many that a node of a thousand commits a second hardly notices. */
enum {
    PAGES_PER_STEP = 64,
    CHECKED_PER_STEP = 64 * 4096, /* Bytes, */
    CHECKED_PER_ROW = 256,        /* of which a row takes as long as so many more. */
};

struct sqlite_backup {
    struct file_system *files;
    char *path;
    char *copying; /* Its name until it is whole. */
    sqlite3 *db;   /* What is copied. */
    sqlite3 *copy;
    sqlite3_backup *backup; /* Until all is copied, ... */
    sqlite3_stmt *events;   /* ... then the copy's events, until all are checked. */
    bool is_made;           /* There is a file called copying. */
};

/* What went wrong with the copy is no matter of the store. */
static int failed(const struct sqlite_backup *backup, int code, struct explanation *explanation)
{
    int error = sqlite_classify(PHASE_READING, code, 0);

    explanation_set(explanation, "%s: copying failed: %s (SQLite %d); the store is as it was",
                    backup->path, sqlite3_errstr(code), code);
    return error == GOSSIP_ERR_FULL || error == GOSSIP_ERR_NOMEM ? error : GOSSIP_ERR_IO;
}

/* The pages are the store's, be it in the copy that their damage shows; but that the copy's file
 * cannot be read is no sign of any. */
static int failed_at_pages(const struct sqlite_backup *backup, bool in_copy, int code,
                           struct explanation *explanation)
{
    int error = sqlite_classify(PHASE_READING, code, 0);

    if (error != GOSSIP_ERR_DAMAGED || (in_copy && (code & 0xff) == SQLITE_IOERR))
        return failed(backup, code, explanation);
    explanation_set(explanation,
                    "%s: cannot be copied: %s (SQLite %d); stop its node and run `gossip verify`, "
                    "which tells what is damaged",
                    sqlite3_db_filename(backup->db, "main"), sqlite3_errstr(code), code);
    return error;
}

static int check_free(const struct sqlite_backup *backup, struct explanation *explanation)
{
    enum file_kind kind;
    uint64_t size;
    int error = backup->files->ops->examine(backup->files, backup->path, &kind, &size, explanation);

    if (error < 0 || kind == FILE_MISSING)
        return error;
    explanation_set(explanation, "%s: exists already; choose another name for the copy",
                    backup->path);
    return GOSSIP_ERR_EXISTS;
}

static int open_copy(struct sqlite_backup *backup, struct explanation *explanation)
{
    int code = sqlite3_open_v2(backup->copying, &backup->copy,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                   SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
                               backup->files->vfs);

    /* Its log, when it has one, is shared with nobody. */
    if (code == SQLITE_OK)
        code =
            sqlite3_exec(backup->copy, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL",
                         NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return failed(backup, code, explanation);
    backup->backup = sqlite3_backup_init(backup->copy, "main", backup->db, "main");
    return backup->backup == NULL
               ? failed(backup, sqlite3_extended_errcode(backup->copy), explanation)
               : GOSSIP_OK;
}

int sqlite_backup_begin(sqlite3 *db, struct file_system *files, const char *path,
                        struct explanation *explanation, struct sqlite_backup **ret_backup)
{
    struct sqlite_backup *backup = calloc(1, sizeof(*backup));
    int error = GOSSIP_ERR_NOMEM;

    if (backup == NULL)
        return GOSSIP_ERR_NOMEM;
    backup->files = files;
    backup->db = db;
    backup->path = strdup(path);
    backup->copying = file_beside(path, ".copying");
    if (backup->path != NULL && backup->copying != NULL)
        error = check_free(backup, explanation);
    if (error == GOSSIP_OK)
        error = sqlite_file_discard(files, backup->copying, explanation); /* Left by one killed. */
    if (error == GOSSIP_OK)
        error = files->ops->make(files, backup->copying, explanation);
    backup->is_made = error == GOSSIP_OK;
    if (error == GOSSIP_OK)
        error = open_copy(backup, explanation);
    if (error < 0) {
        sqlite_backup_end(backup);
        return error;
    }
    *ret_backup = backup;
    return GOSSIP_OK;
}

/* Whether an event, at whose row the check stands, is as it was written. Some column that is of no
 * form that it may have gives another checksum too. */
static bool is_sound(sqlite3_stmt *row, size_t *ret_size)
{
    const void *hash_seal = sqlite3_column_blob(row, 3);
    size_t hash_seal_size = (size_t)sqlite3_column_bytes(row, 3);
    const void *body = sqlite3_column_blob(row, 4);
    size_t body_size = (size_t)sqlite3_column_bytes(row, 4);
    const void *context = sqlite3_column_blob(row, 6);
    size_t context_size = (size_t)sqlite3_column_bytes(row, 6);
    uint64_t delivery = (uint64_t)sqlite3_column_int64(row, 0);
    int64_t checksum = checksum_event(delivery, (uint32_t)sqlite3_column_int64(row, 1),
                                      (uint64_t)sqlite3_column_int64(row, 2), hash_seal,
                                      hash_seal_size, body, body_size);

    *ret_size = body_size + context_size;
    return sqlite3_column_int64(row, 5) == checksum &&
           ((sqlite3_column_type(row, 6) == SQLITE_NULL &&
             sqlite3_column_type(row, 7) == SQLITE_NULL) ||
            sqlite3_column_int64(row, 7) == checksum_context(delivery, context, context_size));
}

static int begin_check(struct sqlite_backup *backup, struct explanation *explanation)
{
    int code = sqlite3_prepare_v2(
        backup->copy,
        "SELECT delivery, author, seq, hash_seal, body, events.checksum, context, "
        "contexts.checksum FROM events LEFT JOIN contexts USING (delivery) ORDER BY delivery",
        -1, &backup->events, NULL);

    return code == SQLITE_OK ? GOSSIP_OK : failed_at_pages(backup, true, code, explanation);
}

/* A copy that holds damage would be found out when it is needed. 1 when all is checked. */
static int check_events(struct sqlite_backup *backup, struct explanation *explanation)
{
    int code = SQLITE_ROW;

    for (size_t checked = 0, size; checked < CHECKED_PER_STEP; checked += size + CHECKED_PER_ROW) {
        bool sound;

        code = sqlite3_step(backup->events);
        if (code != SQLITE_ROW)
            break;
        sound = is_sound(backup->events, &size);
        /* A column that could not be shown for want of memory looks like a damaged one. */
        if ((sqlite3_errcode(backup->copy) & 0xff) == SQLITE_NOMEM)
            return failed(backup, SQLITE_NOMEM, explanation);
        if (!sound) {
            explanation_set(explanation,
                            "%s: cannot be copied: event %" PRId64 " (author %" PRId64
                            ", seq %" PRId64 ") is not as it was written; stop its node and run "
                            "`gossip verify`, which tells what is damaged",
                            sqlite3_db_filename(backup->db, "main"),
                            (int64_t)sqlite3_column_int64(backup->events, 0),
                            (int64_t)sqlite3_column_int64(backup->events, 1),
                            (int64_t)sqlite3_column_int64(backup->events, 2));
            return GOSSIP_ERR_DAMAGED;
        }
    }
    if (code == SQLITE_ROW)
        return 0;
    sqlite3_finalize(backup->events); /* What it returns is what the last step has returned. */
    backup->events = NULL;
    return code == SQLITE_DONE ? 1 : failed_at_pages(backup, true, code, explanation);
}

/* Whoever opens the copy is to know what it is: it knows less than the node has said. */
static int mark(struct sqlite_backup *backup, struct explanation *explanation)
{
    int code = sqlite3_exec(backup->copy,
                            "INSERT INTO meta (name, value) VALUES ('backup', 1) "
                            "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                            NULL, NULL, NULL);

    if (code == SQLITE_OK)
        code =
            sqlite3_wal_checkpoint_v2(backup->copy, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return code == SQLITE_OK ? GOSSIP_OK : failed_at_pages(backup, true, code, explanation);
}

/* All of it is on the disk; now it gets its name. */
static int name_copy(struct sqlite_backup *backup, struct explanation *explanation)
{
    static const char *const endings[] = {"-wal", "-journal"};
    struct file_system *files = backup->files;
    int error = check_free(backup, explanation);

    /* A log that is truncated, and a journal that is not hot: held exclusively, a database keeps
     * the file for its next transaction. */
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]) && error == GOSSIP_OK; i++) {
        char *beside = file_beside(backup->copying, endings[i]);

        error = beside == NULL ? GOSSIP_ERR_NOMEM : files->ops->remove(files, beside, explanation);
        free(beside);
    }
    if (error == GOSSIP_OK)
        error = files->ops->rename(files, backup->copying, backup->path, explanation);
    if (error == GOSSIP_OK)
        backup->is_made = false;
    if (error == GOSSIP_OK)
        error = files->ops->sync_directory(files, backup->path, explanation);
    return error;
}

/* Copies some more: 1 when all is copied. */
static int copy_pages(struct sqlite_backup *backup, struct explanation *explanation)
{
    int code = sqlite3_backup_step(backup->backup, PAGES_PER_STEP);

    if (code == SQLITE_OK)
        return 0;
    if (code != SQLITE_DONE)
        return failed_at_pages(backup, false, code, explanation);
    code = sqlite3_backup_finish(backup->backup);
    backup->backup = NULL;
    return code == SQLITE_OK ? 1 : failed(backup, code, explanation);
}

static int finish(struct sqlite_backup *backup, struct explanation *explanation)
{
    int error = mark(backup, explanation);
    int code;

    if (error < 0)
        return error;
    code = sqlite3_close(backup->copy);
    if (code != SQLITE_OK)
        return failed(backup, code, explanation);
    backup->copy = NULL;
    error = name_copy(backup, explanation);
    return error < 0 ? error : 1;
}

int sqlite_backup_step(struct sqlite_backup *backup, struct explanation *explanation)
{
    int result;

    if (backup->backup != NULL) {
        result = copy_pages(backup, explanation);
        return result == 1 ? begin_check(backup, explanation) : result;
    }
    result = check_events(backup, explanation);
    return result == 1 ? finish(backup, explanation) : result;
}

void sqlite_backup_end(struct sqlite_backup *backup)
{
    struct explanation ignored;

    if (backup == NULL)
        return;
    sqlite3_backup_finish(backup->backup);
    sqlite3_finalize(backup->events);
    sqlite3_close(backup->copy);
    if (backup->is_made)
        sqlite_file_discard(backup->files, backup->copying, &ignored); /* Else the next does. */
    free(backup->copying);
    free(backup->path);
    free(backup);
}
