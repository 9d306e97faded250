#include "store/sqlite_database.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "gossip/gossip.h"
#include "gossip/museum.h"
#include "store/record.h"
#include "store/schema.h"

enum {
    /* Pages in the log at which it is copied into the database: SQLite's own default. We do it
     * ourselves because SQLite's automatic checkpoint does not tell when it fails. */
    CHECKPOINT_PAGES = 1000,

    /* A row with a body and nothing that is larger than a store takes. */
    ROW_SIZE_MAX = RECORD_BYTES_MAX + 4096,
};

/* ---- Failures. ---- */

static int classify_io(int code)
{
    switch (code) {
    case SQLITE_IOERR_NOMEM:
        return GOSSIP_ERR_NOMEM;
    case SQLITE_IOERR_READ:
    case SQLITE_IOERR_SHORT_READ:
    case SQLITE_IOERR_CORRUPTFS:
    case SQLITE_IOERR_DATA:
        return GOSSIP_ERR_DAMAGED;
    }
    return GOSSIP_ERR_IO;
}

static int classify_code(enum sqlite_phase phase, int code, int system_error)
{
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return GOSSIP_ERR_NOMEM;
    case SQLITE_FULL:
        return GOSSIP_ERR_FULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return GOSSIP_ERR_LOCKED;
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return phase == PHASE_OPENING ? GOSSIP_ERR_PERMISSION : GOSSIP_ERR_IO;
    case SQLITE_CANTOPEN:
        return phase == PHASE_OPENING ? file_error(system_error) : GOSSIP_ERR_IO;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT: /* Those that a caller may run into are dealt with where they occur. */
    case SQLITE_TOOBIG:     /* No row that was stored is as large. */
    case SQLITE_SCHEMA:
    case SQLITE_ERROR:
        return GOSSIP_ERR_DAMAGED;
    case SQLITE_IOERR:
        return classify_io(code);
    }
    return GOSSIP_ERR_IO;
}

int sqlite_classify(enum sqlite_phase phase, int code, int system_error)
{
    int error = classify_code(phase, code, system_error);

    /* SQLite writes and syncs a commit before it notes it in memory, so that a commit that had no
     * memory left for the note may be there after a restart. */
    if (error == GOSSIP_ERR_NOMEM && phase == PHASE_COMMITTING)
        return GOSSIP_ERR_IO;
    return error;
}

const char *sqlite_advice(enum sqlite_phase phase, int error)
{
    switch (error) {
    case GOSSIP_ERR_NOMEM:
        return "nothing was changed";
    case GOSSIP_ERR_FULL:
        return "nothing was changed; make room on its file system and try again";
    case GOSSIP_ERR_LOCKED:
        return "another process has the database open; end that one first";
    case GOSSIP_ERR_PERMISSION:
        return "let this user write to the file and its directory";
    case GOSSIP_ERR_DAMAGED:
        return "leave the file and its -wal as they are, and run `gossip recover`, which keeps "
               "them and saves all that can be verified";
    }
    if (phase == PHASE_SAVING || phase == PHASE_COMMITTING)
        return "whether it was stored is unknown; end the process and start again";
    return phase == PHASE_CHECKPOINTING ? "what was stored is safe; end the process and start again"
                                        : "look after the disk, then try again";
}

int sqlite_database_failed(struct sqlite_database *database, enum sqlite_phase phase, int code)
{
    static const char *const doing[] = {
        [PHASE_OPENING] = "opening",
        [PHASE_READING] = "reading",
        [PHASE_SAVING] = "saving",
        [PHASE_COMMITTING] = "saving",
        [PHASE_CHECKPOINTING] = "checkpointing",
    };
    bool system = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN;
    int number = system && database->db != NULL ? sqlite3_system_errno(database->db) : 0;
    int error = sqlite_classify(phase, code, number);

    assert((code & 0xff) != SQLITE_MISUSE && (code & 0xff) != SQLITE_RANGE);
    explanation_set(&database->explanation, "%s: %s failed: %s%s%s (SQLite %d); %s", database->path,
                    doing[phase], sqlite3_errstr(code), number != 0 ? ": " : "",
                    number != 0 ? strerror(number) : "", code, sqlite_advice(phase, error));
    if (error == GOSSIP_ERR_DAMAGED ||
        (error == GOSSIP_ERR_IO && phase != PHASE_OPENING && phase != PHASE_READING))
        database->failure = error;
    return error;
}

/* ---- The connection. ---- */

int sqlite_database_begin(struct sqlite_database *database, struct file_system *files)
{
    *database = (struct sqlite_database){
        .files = files,
        .checkpoint_pages = CHECKPOINT_PAGES,
        .checkpoint_at = CHECKPOINT_PAGES,
    };
    return sqlite3_initialize() == SQLITE_OK ? GOSSIP_OK : GOSSIP_ERR_NOMEM;
}

int sqlite_database_ask(struct sqlite_database *database, const char *sql, char *ret_answer,
                        size_t size)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(database->db, sql, -1, &statement, NULL);

    ret_answer[0] = '\0';
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
        if (code == SQLITE_ROW) {
            const unsigned char *text = sqlite3_column_text(statement, 0);

            if (text == NULL)
                code = SQLITE_NOMEM;
            else
                snprintf(ret_answer, size, "%s", (const char *)text);
        }
    }
    /* One that is not run to its end commits when it is finalized. */
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        code = sqlite3_finalize(statement);
    else
        sqlite3_finalize(statement);
    return code == SQLITE_OK ? GOSSIP_OK : sqlite_database_failed(database, PHASE_OPENING, code);
}

struct setting {
    const char *set;
    const char *ask; /* NULL: what is set tells. */
    const char *answer;
};

/* A wrong answer means a build of SQLite, or something between it and us, that does not keep what
 * we promise. */
static int apply(struct sqlite_database *database, const struct setting *setting)
{
    char answer[64];
    int error = sqlite_database_ask(database, setting->set, answer, sizeof(answer));

    if (error == GOSSIP_OK && setting->ask != NULL)
        error = sqlite_database_ask(database, setting->ask, answer, sizeof(answer));
    if (error < 0 || strcmp(answer, setting->answer) == 0)
        return error;
    explanation_set(&database->explanation,
                    "%s: SQLite %s answers \"%s\" to %s, not \"%s\": it cannot be relied upon",
                    database->path, sqlite3_libversion(), answer, setting->set, setting->answer);
    return GOSSIP_ERR_IO;
}

/* What SQLite's own switches must be for a file that may come from anywhere. */
static int configure(struct sqlite_database *database)
{
    static const struct {
        int option;
        int value;
    } switches[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        {SQLITE_DBCONFIG_ENABLE_FKEY, 1},    {SQLITE_DBCONFIG_DQS_DML, 0},
        {SQLITE_DBCONFIG_DQS_DDL, 0},        {SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1},
    };
    static const struct setting settings[] = {
        /* Before anything is read: else SQLite would share the log's index in a file. */
        {"PRAGMA locking_mode = EXCLUSIVE", NULL, "exclusive"},
        {"PRAGMA cell_size_check = ON", "PRAGMA cell_size_check", "1"},
        {"PRAGMA foreign_keys = ON", "PRAGMA foreign_keys", "1"},
        {"PRAGMA mmap_size = 0", NULL, "0"},
        {"PRAGMA synchronous = FULL", "PRAGMA synchronous", "2"},
        {"PRAGMA temp_store = MEMORY", "PRAGMA temp_store", "2"},
        {"PRAGMA trusted_schema = OFF", "PRAGMA trusted_schema", "0"},
        {"PRAGMA wal_autocheckpoint = 0", NULL, "0"},
        /* What one large save has made of the log is given back at the next checkpoint. */
        {"PRAGMA journal_size_limit = 8388608", NULL, "8388608"},
    };

    for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
        int code = sqlite3_db_config(database->db, switches[i].option, switches[i].value, NULL);

        if (code != SQLITE_OK)
            return sqlite_database_failed(database, PHASE_OPENING, code);
    }
    sqlite3_limit(database->db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(database->db, SQLITE_LIMIT_LENGTH, ROW_SIZE_MAX);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        int error = apply(database, &settings[i]);

        if (error < 0)
            return error;
    }
    if (MUSEUM(SYNC_NORMAL))
        return apply(database,
                     &(struct setting){"PRAGMA synchronous = 1", "PRAGMA synchronous", "1"});
    return GOSSIP_OK;
}

int sqlite_database_connect(struct sqlite_database *database, const char *path)
{
    int code = sqlite3_open_v2(path, &database->db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                   SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
                               database->files->vfs);

    if (code != SQLITE_OK)
        return sqlite_database_failed(database, PHASE_OPENING, code);
    /* SQLite opens for reading what it may not write, and says nothing. */
    if (sqlite3_db_readonly(database->db, "main") != 0) {
        explanation_set(&database->explanation, "%s: is read-only; %s", path,
                        sqlite_advice(PHASE_OPENING, GOSSIP_ERR_PERMISSION));
        return GOSSIP_ERR_PERMISSION;
    }
    return configure(database);
}

/* ---- The log. ---- */

int sqlite_database_use_log(struct sqlite_database *database)
{
    static const struct setting wal = {"PRAGMA journal_mode = WAL", NULL, "wal"};

    return apply(database, &wal);
}

static int note_wal_pages(void *context, sqlite3 *db, const char *name, int pages)
{
    struct sqlite_database *database = context;

    (void)db;
    (void)name;
    database->wal_pages = (uint64_t)pages;
    return SQLITE_OK;
}

void sqlite_database_count_log(struct sqlite_database *database)
{
    sqlite3_wal_hook(database->db, note_wal_pages, database);
}

int sqlite_database_checkpoint(struct sqlite_database *database)
{
    int code;
    int error;

    if (database->wal_pages < database->checkpoint_at)
        return GOSSIP_OK;
    code = sqlite3_wal_checkpoint_v2(database->db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    database->checkpoint_at = database->checkpoint_pages;
    if (code == SQLITE_OK)
        return GOSSIP_OK;
    error = sqlite_database_failed(database, PHASE_CHECKPOINTING, code);
    if (database->failure != GOSSIP_OK)
        return error;
    database->checkpoint_at = database->wal_pages + database->checkpoint_pages;
    return GOSSIP_OK;
}

/* ---- Closing, and questions. ---- */

void sqlite_database_disconnect(struct sqlite_database *database)
{
    int code = sqlite3_close(database->db);

    assert(code == SQLITE_OK); /* BUSY, if anything: a statement that we have forgotten. */
    database->db = NULL;
}

void sqlite_database_abandon(struct sqlite_database *database)
{
    /* What is refused is left as it is. A log that was not there is empty: closing removes it. */
    if (database->db != NULL && !database->had_log)
        sqlite3_db_config(database->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    sqlite_database_disconnect(database);
}

void sqlite_database_close(struct sqlite_database *database)
{
    /* A file that is not to be trusted is left as it is, for the next start to read. Else the log
     * is copied into the database; if that fails, nothing is lost: the log is still there. */
    if (database->failure == GOSSIP_OK &&
        sqlite3_wal_checkpoint_v2(database->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) ==
            SQLITE_OK)
        sqlite3_db_config(database->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    sqlite_database_disconnect(database);
}

/* Each row of an answer is a fault, but for one that says "ok". Adds to *sound. */
static int check_with(struct sqlite_database *database, const char *sql,
                      gossip_sqlite_report *report, void *context, bool *sound)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(database->db, sql, -1, &statement, NULL);

    while (code == SQLITE_OK || code == SQLITE_ROW) {
        const char *line;

        code = sqlite3_step(statement);
        if (code != SQLITE_ROW)
            break;
        line = (const char *)sqlite3_column_text(statement, 0);
        if (line == NULL) {
            code = SQLITE_NOMEM;
            break;
        }
        if (strcmp(line, "ok") == 0)
            continue;
        *sound = false;
        if (report != NULL)
            report(context, line);
    }
    sqlite3_finalize(statement);
    return code == SQLITE_DONE ? GOSSIP_OK : sqlite_database_failed(database, PHASE_READING, code);
}

/* Takes the views away, within a transaction that is rolled back: where SQLite 3.40 happens to come
 * upon a view first, it takes the check for that of one table, and leaves out pages that belong to
 * nothing and those that are free. Where they cannot be taken away, that is damage of its own, and
 * the check tells the rest. */
static void hide_views(struct sqlite_database *database)
{
    int code = sqlite3_exec(database->db, "BEGIN", NULL, NULL, NULL);

    for (size_t i = 0; i < schema_object_count && code == SQLITE_OK; i++) {
        char sql[64];

        if (strcmp(schema_objects[i].type, "view") != 0)
            continue;
        snprintf(sql, sizeof(sql), "DROP VIEW %s", schema_objects[i].name);
        code = sqlite3_exec(database->db, sql, NULL, NULL, NULL);
    }
}

int sqlite_database_check(struct sqlite_database *database, gossip_sqlite_report *report,
                          void *context)
{
    bool sound = true;
    int error;

    hide_views(database);
    error = check_with(database, "PRAGMA integrity_check", report, context, &sound);
    if (!sqlite3_get_autocommit(database->db))
        sqlite3_exec(database->db, "ROLLBACK", NULL, NULL, NULL);
    if (error >= 0)
        error = check_with(database,
                           "SELECT 'context of an event that is not there: ' || delivery "
                           "FROM contexts WHERE delivery NOT IN (SELECT delivery FROM events)",
                           report, context, &sound);
    if (error < 0)
        return error;
    return sound ? GOSSIP_OK : GOSSIP_ERR_DAMAGED;
}

uint64_t sqlite_database_total_changes(struct sqlite_database *database)
{
    return (uint64_t)sqlite3_total_changes64(database->db);
}
