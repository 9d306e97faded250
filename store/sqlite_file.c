#include "store/sqlite_file.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/bytes.h"
#include "gossip/gossip.h"
#include "store/checksum.h"
#include "store/migration.h"
#include "store/schema.h"

enum {
    /* The start of every SQLite file (https://sqlite.org/fileformat2.html#the_database_header). */
    HEADER_SIZE = 100,
    HEADER_WRITE_VERSION = 18, /* 2: its journal is a WAL. */
    HEADER_USER_VERSION = 60,
    HEADER_APPLICATION_ID = 68,
};

static bool is_beside(struct sqlite_database *database, const char *ending, int *error)
{
    struct file_system *files = database->files;
    char *beside = file_beside(database->path, ending);
    enum file_kind kind = FILE_MISSING;
    uint64_t size;

    if (beside == NULL)
        *error = GOSSIP_ERR_NOMEM;
    else
        *error = files->ops->examine(files, beside, &kind, &size, &database->explanation);
    free(beside);
    return kind != FILE_MISSING;
}

int sqlite_file_check_free(struct sqlite_database *database)
{
    static const char *const endings[] = {"", "-wal", "-journal", ".side"};

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        int error;

        /* SQLite would take the log of an earlier file for that of the new one; and a side file
         * tells of events that were written, which an empty store must not begin after. */
        if (is_beside(database, endings[i], &error)) {
            explanation_set(&database->explanation,
                            i == 0 ? "%s%s: exists already; open it, or choose another path"
                                   : "%s%s: is left of an earlier store; move it away first",
                            database->path, endings[i]);
            return GOSSIP_ERR_EXISTS;
        }
        if (error < 0)
            return error;
    }
    return GOSSIP_OK;
}

/* A file opened through SQLite's own file functions: any other way of opening and closing the
 * database would take the locks away that this process may hold on it. */
struct plain_file {
    sqlite3_filename name;
    sqlite3_file *file;
    bool is_readonly;
};

static void close_plain(struct plain_file *plain)
{
    if (plain->file != NULL && plain->file->pMethods != NULL)
        plain->file->pMethods->xClose(plain->file);
    sqlite3_free_filename(plain->name);
    free(plain->file);
}

static int open_plain(struct sqlite_database *database, const char *path, int flags,
                      struct plain_file *ret_plain)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(database->files->vfs);
    struct plain_file plain = {
        .name = sqlite3_create_filename(path, "", "", 0, NULL),
        .file = calloc(1, (size_t)vfs->szOsFile),
    };
    int error;
    int code = SQLITE_NOMEM;

    if (plain.name != NULL && plain.file != NULL)
        code = vfs->xOpen(vfs, plain.name, plain.file, flags, &flags);
    if (code == SQLITE_OK) {
        plain.is_readonly = (flags & SQLITE_OPEN_READONLY) != 0;
        *ret_plain = plain;
        return GOSSIP_OK;
    }
    if ((code & 0xff) == SQLITE_CANTOPEN) {
        int number = vfs->xGetLastError(vfs, 0, NULL);

        explanation_set(&database->explanation, "%s: cannot open it: %s", path, strerror(number));
        error = file_error(number);
    } else {
        error = sqlite_database_failed(database, PHASE_OPENING, code);
    }
    close_plain(&plain);
    return error;
}

/* Zeroes past the end of the file. */
static int read_header(struct sqlite_database *database, uint8_t ret_header[HEADER_SIZE])
{
    struct plain_file plain;
    int error =
        open_plain(database, database->path, SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB, &plain);
    int code;

    if (error < 0)
        return error;
    code = plain.file->pMethods->xRead(plain.file, ret_header, HEADER_SIZE, 0);
    if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ)
        error = sqlite_database_failed(database, PHASE_OPENING, code);
    close_plain(&plain);
    return error;
}

static int judge_version(struct sqlite_database *database, uint64_t version)
{
    if (version == SCHEMA_VERSION || (version < SCHEMA_VERSION && migration_from((int)version)))
        return GOSSIP_OK;
    if (version > SCHEMA_VERSION) {
        explanation_set(&database->explanation,
                        "%s: was made by a newer version (its tables are of version %" PRIu64
                        ", ours of %d); use that version",
                        database->path, version, SCHEMA_VERSION);
        return GOSSIP_ERR_FOREIGN;
    }
    explanation_set(&database->explanation, "%s: its tables are of no version that ever was; %s",
                    database->path, sqlite_advice(PHASE_OPENING, GOSSIP_ERR_DAMAGED));
    return GOSSIP_ERR_DAMAGED;
}

int sqlite_file_examine(struct sqlite_database *database)
{
    uint8_t header[HEADER_SIZE];
    enum file_kind kind;
    uint64_t size;
    int error = database->files->ops->examine(database->files, database->path, &kind, &size,
                                              &database->explanation);

    if (error < 0)
        return error;
    if (kind == FILE_OTHER) {
        explanation_set(&database->explanation, "%s: is not a regular file; name a store's file",
                        database->path);
        return GOSSIP_ERR_FOREIGN;
    }
    if (size == 0) {
        explanation_set(&database->explanation,
                        "%s: is empty, which no store ever is; put a backup in its place, or run "
                        "`gossip recover`",
                        database->path);
        return GOSSIP_ERR_DAMAGED;
    }
    error = read_header(database, header);
    if (error < 0)
        return error;
    if (memcmp(header, "SQLite format 3", 16) != 0) {
        explanation_set(&database->explanation,
                        "%s: is not an SQLite database; name a store's file, or restore a backup "
                        "if this was one",
                        database->path);
        return GOSSIP_ERR_FOREIGN;
    }
    if (get_fixed(header + HEADER_APPLICATION_ID, 4) != SCHEMA_APPLICATION_ID) {
        explanation_set(&database->explanation,
                        "%s: is the database of another program (application id %" PRIu64
                        ", not %d); name a store's file",
                        database->path, get_fixed(header + HEADER_APPLICATION_ID, 4),
                        SCHEMA_APPLICATION_ID);
        return GOSSIP_ERR_FOREIGN;
    }
    error = judge_version(database, get_fixed(header + HEADER_USER_VERSION, 4));
    if (error < 0)
        return error;
    /* SQLite would play such a journal back. With a WAL there never is one of ours. */
    if (header[HEADER_WRITE_VERSION] == 2 && is_beside(database, "-journal", &error)) {
        explanation_set(&database->explanation,
                        "%s-journal: does not belong to this store; move it away", database->path);
        return GOSSIP_ERR_DAMAGED;
    }
    return error;
}

/* Makes the tables in the empty file path, all in the file itself and nothing in a log. */
static int build(struct sqlite_database *database, const char *path)
{
    char text[128];
    int error = sqlite_database_connect(database, path);
    int code;

    if (error < 0)
        return error;
    snprintf(text, sizeof(text), "PRAGMA page_size = %d", SCHEMA_PAGE_SIZE);
    code = sqlite3_exec(database->db, text, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return sqlite_database_failed(database, PHASE_OPENING, code);
    error = sqlite_database_use_log(database);
    if (error < 0)
        return error;
    snprintf(text, sizeof(text), "BEGIN; PRAGMA application_id = %d; PRAGMA user_version = %d",
             SCHEMA_APPLICATION_ID, SCHEMA_VERSION);
    code = sqlite3_exec(database->db, text, NULL, NULL, NULL);
    for (size_t i = 0; i < schema_object_count && code == SQLITE_OK; i++)
        code = sqlite3_exec(database->db, schema_objects[i].sql, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(database->db, "COMMIT", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code =
            sqlite3_wal_checkpoint_v2(database->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return code == SQLITE_OK ? GOSSIP_OK : sqlite_database_failed(database, PHASE_OPENING, code);
}

int sqlite_file_discard(struct file_system *files, const char *path,
                        struct explanation *explanation)
{
    static const char *const endings[] = {"-wal", "-journal", ""};
    int error = GOSSIP_OK;

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]) && error == GOSSIP_OK; i++) {
        char *beside = file_beside(path, endings[i]);

        error = beside == NULL ? GOSSIP_ERR_NOMEM : files->ops->remove(files, beside, explanation);
        free(beside);
    }
    return error;
}

/* Makes the file under another name and then gives it its own, so that a crash leaves a whole store
 * or none. The lock is held: what is there under the other name was left by such a crash. */
int sqlite_file_create(struct sqlite_database *database)
{
    struct file_system *files = database->files;
    char *creating = file_beside(database->path, ".creating");
    char *wal = file_beside(database->path, ".creating-wal");
    struct explanation ignored;
    int error = creating == NULL || wal == NULL
                    ? GOSSIP_ERR_NOMEM
                    : sqlite_file_discard(files, creating, &database->explanation);

    if (error == GOSSIP_OK)
        error = files->ops->make(files, creating, &database->explanation);
    if (error == GOSSIP_OK) {
        error = build(database, creating);
        sqlite_database_disconnect(database);
        database->failure = GOSSIP_OK; /* Of the file that is thrown away. */
        if (error == GOSSIP_OK)
            error = files->ops->remove(files, wal, &database->explanation); /* Truncated. */
        if (error == GOSSIP_OK)
            error = files->ops->rename(files, creating, database->path, &database->explanation);
        if (error < 0) /* If it stays, the next attempt removes it. */
            sqlite_file_discard(files, creating, &ignored);
    }
    if (error == GOSSIP_OK) {
        error = files->ops->sync_directory(files, database->path, &database->explanation);
        if (error < 0) /* If it stays, it is an empty store, and can be opened. */
            sqlite_file_discard(files, database->path, &ignored);
    }
    free(creating);
    free(wal);
    return error;
}

static int sync_file(sqlite3_file *file)
{
    return file->pMethods->xSync(file, SQLITE_SYNC_FULL);
}

/* Writes the bytes from there to there once more. */
static int write_anew(sqlite3_file *file, sqlite3_int64 from, sqlite3_int64 end)
{
    uint8_t buffer[4096];
    int code = SQLITE_OK;

    for (sqlite3_int64 done = from; done < end && code == SQLITE_OK; done += sizeof(buffer)) {
        int now =
            end - done < (sqlite3_int64)sizeof(buffer) ? (int)(end - done) : (int)sizeof(buffer);

        code = file->pMethods->xRead(file, buffer, now, done);
        if (code == SQLITE_OK)
            code = file->pMethods->xWrite(file, buffer, now, done);
    }
    return code;
}

static uint32_t big_endian(const uint8_t bytes[4])
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/*
 * Writes those pages of the database once more that a log speaks of, whether it is valid or not:
 * all that can have been copied from it. Where its header does not say how large pages are, all of
 * them. (Of a frame of which a bit of the page's number is wrong it is another page.)
 * https://www.sqlite.org/fileformat2.html#walformat
 */
static int write_pages_anew(sqlite3_file *file, sqlite3_file *log)
{
    enum { HEADER = 32, FRAME = 24, PAGE_MIN = 512, PAGE_MAX = 65536 };
    uint8_t header[HEADER];
    sqlite3_int64 size;
    sqlite3_int64 log_size;
    uint32_t page_size;
    int code = file->pMethods->xFileSize(file, &size);

    if (code == SQLITE_OK)
        code = log->pMethods->xFileSize(log, &log_size);
    if (code != SQLITE_OK || log_size < HEADER)
        return code;
    code = log->pMethods->xRead(log, header, HEADER, 0);
    page_size = big_endian(header + 8);
    if (code != SQLITE_OK)
        return code;
    if (page_size < PAGE_MIN || page_size > PAGE_MAX || (page_size & (page_size - 1)) != 0)
        return write_anew(file, 0, size);
    for (sqlite3_int64 at = HEADER; at + FRAME <= log_size && code == SQLITE_OK;
         at += FRAME + page_size) {
        sqlite3_int64 end;

        code = log->pMethods->xRead(log, header, FRAME, at);
        end = (sqlite3_int64)big_endian(header) * page_size;
        if (code == SQLITE_OK && end >= page_size && end <= size)
            code = write_anew(file, end - page_size, end);
    }
    return code;
}

static int renew_files(sqlite3_file *file, sqlite3_file *log)
{
    sqlite3_int64 size;
    int code = log->pMethods->xFileSize(log, &size);

    if (code == SQLITE_OK)
        code = write_anew(log, 0, size);
    if (code == SQLITE_OK)
        code = sync_file(log);
    if (code == SQLITE_OK)
        code = write_pages_anew(file, log);
    return code == SQLITE_OK ? sync_file(file) : code;
}

/*
 * Makes durable what a killed process has left in the log, before it is shown to anybody. The disk
 * may not have it: it was not synced, or its sync has failed, after which Linux shows it for as
 * long as the machine runs and takes no later sync as a reason to write it. A machine that died
 * then would forget what others have seen, and with it all commits behind it, for a log ends where
 * it has a hole. So the same bytes are written once more; and so is what was copied of it into the
 * database before the process ended, for that may be all there is where the log proves damaged.
 * What we may not write is for SQLite to refuse.
 */
static int renew_log(struct sqlite_database *database)
{
    char *path = file_beside(database->path, "-wal");
    struct plain_file file;
    struct plain_file log;
    int error = GOSSIP_ERR_NOMEM;
    int code;

    if (path != NULL)
        error = open_plain(database, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_WAL, &log);
    free(path);
    if (error < 0)
        return error;
    error =
        open_plain(database, database->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MAIN_DB, &file);
    if (error == GOSSIP_OK) {
        code = log.is_readonly || file.is_readonly ? SQLITE_OK : renew_files(file.file, log.file);
        if (code != SQLITE_OK)
            error = sqlite_database_failed(database, PHASE_OPENING, code);
        close_plain(&file);
    }
    close_plain(&log);
    return error;
}

static int check_version(struct sqlite_database *database, uint64_t *ret_version)
{
    char answer[32];
    int error = sqlite_database_ask(database, "PRAGMA user_version", answer, sizeof(answer));

    if (error < 0)
        return error;
    *ret_version = strtoull(answer, NULL, 10);
    return judge_version(database, *ret_version);
}

/* Judges one row of sqlite_schema. *seen counts those that are ours. */
static int judge_object(struct sqlite_database *database, const char *type, const char *name,
                        const char *sql, size_t *seen)
{
    /* What the sqlite3 shell's ANALYZE leaves. */
    if (strncmp(name, "sqlite_stat", strlen("sqlite_stat")) == 0)
        return GOSSIP_OK;
    for (size_t i = 0; i < schema_object_count; i++) {
        if (strcmp(schema_objects[i].name, name) != 0)
            continue;
        (*seen)++;
        if (strcmp(schema_objects[i].type, type) == 0 && strcmp(schema_objects[i].sql, sql) == 0)
            return GOSSIP_OK;
        explanation_set(&database->explanation, "%s: %s %s is not as it must be; %s",
                        database->path, type, name,
                        sqlite_advice(PHASE_OPENING, GOSSIP_ERR_DAMAGED));
        return GOSSIP_ERR_DAMAGED;
    }
    explanation_set(&database->explanation,
                    "%s: has a %s %s, which no store has; drop it with the sqlite3 shell if you "
                    "know it, or restore a backup",
                    database->path, type, name);
    return GOSSIP_ERR_FOREIGN;
}

/* A database may carry triggers, views and expressions that run when it is used. Ours holds the
 * tables we know and nothing else. */
static int check_schema(struct sqlite_database *database)
{
    sqlite3_stmt *statement = NULL;
    size_t seen = 0;
    int error = GOSSIP_OK;
    int code =
        sqlite3_prepare_v2(database->db,
                           "SELECT coalesce(type, ''), coalesce(name, ''), sql FROM sqlite_schema "
                           "WHERE sql IS NOT NULL",
                           -1, &statement, NULL);

    while (code == SQLITE_OK && error == GOSSIP_OK &&
           (code = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *type = (const char *)sqlite3_column_text(statement, 0);
        const char *name = (const char *)sqlite3_column_text(statement, 1);
        const char *sql = (const char *)sqlite3_column_text(statement, 2);

        code = SQLITE_OK;
        if (type == NULL || name == NULL || sql == NULL)
            code = SQLITE_NOMEM;
        else
            error = judge_object(database, type, name, sql, &seen);
    }
    sqlite3_finalize(statement);
    if (code != SQLITE_OK && code != SQLITE_DONE)
        return sqlite_database_failed(database, PHASE_OPENING, code);
    if (error == GOSSIP_OK && seen != schema_object_count) {
        explanation_set(&database->explanation, "%s: some of its tables are missing; %s",
                        database->path, sqlite_advice(PHASE_OPENING, GOSSIP_ERR_DAMAGED));
        error = GOSSIP_ERR_DAMAGED;
    }
    return error;
}

/* NULL for what is none of the rows that our tables hold; then the row has no place. */
static void event_checksum(sqlite3_context *call, int count, sqlite3_value **values)
{
    (void)count;
    if (sqlite3_value_type(values[0]) == SQLITE_INTEGER &&
        sqlite3_value_type(values[1]) == SQLITE_INTEGER &&
        sqlite3_value_type(values[2]) == SQLITE_INTEGER)
        sqlite3_result_int64(call, checksum_event((uint64_t)sqlite3_value_int64(values[0]),
                                                  (uint32_t)sqlite3_value_int64(values[1]),
                                                  (uint64_t)sqlite3_value_int64(values[2]),
                                                  sqlite3_value_blob(values[3]),
                                                  (size_t)sqlite3_value_bytes(values[3]),
                                                  sqlite3_value_blob(values[4]),
                                                  (size_t)sqlite3_value_bytes(values[4])));
}

static void context_checksum(sqlite3_context *call, int count, sqlite3_value **values)
{
    (void)count;
    if (sqlite3_value_type(values[0]) == SQLITE_INTEGER)
        sqlite3_result_int64(call, checksum_context((uint64_t)sqlite3_value_int64(values[0]),
                                                    sqlite3_value_blob(values[1]),
                                                    (size_t)sqlite3_value_bytes(values[1])));
}

/* What steps may call, besides what SQLite has. */
static int add_functions(sqlite3 *db)
{
    enum { FLAGS = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY };
    int code =
        sqlite3_create_function(db, "event_checksum", 5, FLAGS, NULL, event_checksum, NULL, NULL);

    return code != SQLITE_OK ? code
                             : sqlite3_create_function(db, "context_checksum", 2, FLAGS, NULL,
                                                       context_checksum, NULL, NULL);
}

/* Brings older tables up to date, and checks them, in one transaction: that of a file which is
 * refused ends with its connection, unfinished. */
static int migrate(struct sqlite_database *database, uint64_t version)
{
    char text[64];
    int code = add_functions(database->db);
    int error;

    if (code == SQLITE_OK)
        code = sqlite3_exec(database->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    while (code == SQLITE_OK && version < SCHEMA_VERSION) {
        const struct migration *step = migration_from((int)version);

        if (step == NULL) {
            explanation_set(&database->explanation,
                            "%s: nothing leads on from version %" PRIu64 "; %s", database->path,
                            version, sqlite_advice(PHASE_OPENING, GOSSIP_ERR_DAMAGED));
            return GOSSIP_ERR_DAMAGED;
        }
        code = sqlite3_exec(database->db, step->sql, NULL, NULL, NULL);
        version++;
    }
    snprintf(text, sizeof(text), "PRAGMA user_version = %d", SCHEMA_VERSION);
    if (code == SQLITE_OK)
        code = sqlite3_exec(database->db, text, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return sqlite_database_failed(database, PHASE_OPENING, code);
    error = check_schema(database);
    if (error < 0)
        return error;
    code = sqlite3_exec(database->db, "COMMIT", NULL, NULL, NULL);
    return code == SQLITE_OK ? GOSSIP_OK : sqlite_database_failed(database, PHASE_OPENING, code);
}

int sqlite_file_open(struct sqlite_database *database)
{
    uint64_t version = SCHEMA_VERSION;
    int error = GOSSIP_OK;

    database->had_log = is_beside(database, "-wal", &error);
    if (error == GOSSIP_OK && database->had_log)
        error = renew_log(database);
    if (error == GOSSIP_OK)
        error = sqlite_database_connect(database, database->path);
    if (error == GOSSIP_OK)
        error = check_version(database, &version);
    if (error == GOSSIP_OK)
        error = version == SCHEMA_VERSION ? check_schema(database) : migrate(database, version);
    if (error == GOSSIP_OK)
        error = sqlite_database_use_log(database);
    return error;
}

int sqlite_file_keep(struct sqlite_database *database)
{
    sqlite_database_count_log(database);
    return database->files->ops->sync_directory(database->files, database->path,
                                                &database->explanation);
}

/* The database goes first: what is left of a removal that was cut off holds no events any more, and
 * no store that has lost its side file could be opened in between. */
int sqlite_file_remove(struct sqlite_database *database)
{
    static const char *const endings[] = {"-wal",        "-journal",  ".marker",
                                          ".marker.new", ".side.new", ".side"};
    struct file_system *files = database->files;
    int error = files->ops->remove(files, database->path, &database->explanation);

    if (error == GOSSIP_OK)
        error = files->ops->sync_directory(files, database->path, &database->explanation);
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]) && error == GOSSIP_OK; i++) {
        char *beside = file_beside(database->path, endings[i]);

        error = beside == NULL ? GOSSIP_ERR_NOMEM
                               : files->ops->remove(files, beside, &database->explanation);
        free(beside);
    }
    if (error == GOSSIP_OK)
        error = files->ops->sync_directory(files, database->path, &database->explanation);
    return error;
}
