#include "store/sqlite_backup.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/gossip.h"
#include "store/sqlite_database.h"
#include "store/sqlite_file.h"

/* So many that a node of a thousand commits a second hardly notices. */
enum { PAGES_PER_STEP = 64 };

struct sqlite_backup {
    struct file_system *files;
    char *path;
    char *copying; /* Its name until it is whole. */
    sqlite3 *db;   /* What is copied. */
    sqlite3 *copy;
    sqlite3_backup *backup;
    bool is_made; /* There is a file called copying. */
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

int sqlite_backup_step(struct sqlite_backup *backup, struct explanation *explanation)
{
    int code = sqlite3_backup_step(backup->backup, PAGES_PER_STEP);
    int error;

    if (code == SQLITE_OK)
        return 0;
    if (code != SQLITE_DONE)
        return failed_at_pages(backup, false, code, explanation);
    code = sqlite3_backup_finish(backup->backup);
    backup->backup = NULL;
    if (code != SQLITE_OK)
        return failed(backup, code, explanation);
    error = mark(backup, explanation);
    if (error < 0)
        return error;
    code = sqlite3_close(backup->copy);
    if (code != SQLITE_OK)
        return failed(backup, code, explanation);
    backup->copy = NULL;
    error = name_copy(backup, explanation);
    return error < 0 ? error : 1;
}

void sqlite_backup_end(struct sqlite_backup *backup)
{
    struct explanation ignored;

    if (backup == NULL)
        return;
    sqlite3_backup_finish(backup->backup);
    sqlite3_close(backup->copy);
    if (backup->is_made)
        sqlite_file_discard(backup->files, backup->copying, &ignored); /* Else the next does. */
    free(backup->copying);
    free(backup->path);
    free(backup);
}
