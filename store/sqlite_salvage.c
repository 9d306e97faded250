/*
 * What can still be read of a database that is damaged: table by table and row by row, past
 * whatever pages cannot be read. Rows are shown as they are; whoever takes them verifies them.
 */
#include "gossip/store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "gossip/gossip.h"
#include "store/record.h"
#include "store/sqlite.h"

enum {
    /* A row that cannot be read is passed over one by one; after so many in a row, in leaps. */
    SMALL_STEPS = 10000,
};

struct salvage {
    sqlite3 *db;
    gossip_record_visit *visit;
    void *context;
    struct gossip_salvaged told;
};

typedef bool salvage_row(sqlite3_stmt *row, struct gossip_record *record);

/* Bytes of a size that they must have. */
static const uint8_t *fixed(sqlite3_stmt *row, int column, size_t size)
{
    if (sqlite3_column_type(row, column) != SQLITE_BLOB ||
        (size_t)sqlite3_column_bytes(row, column) != size)
        return NULL;
    return sqlite3_column_blob(row, column);
}

static bool number(sqlite3_stmt *row, int column, uint64_t *ret_number)
{
    int64_t value = sqlite3_column_int64(row, column);

    if (sqlite3_column_type(row, column) != SQLITE_INTEGER || value < 0)
        return false;
    *ret_number = (uint64_t)value;
    return true;
}

static bool salvage_meta(sqlite3_stmt *row, struct gossip_record *record)
{
    struct gossip_meta_record *meta = &record->as.meta;

    meta->name = (const char *)sqlite3_column_text(row, 1);
    if (sqlite3_column_type(row, 2) == SQLITE_BLOB) {
        meta->bytes = sqlite3_column_blob(row, 2);
        meta->size = (size_t)sqlite3_column_bytes(row, 2);
        return meta->name != NULL && meta->bytes != NULL;
    }
    return meta->name != NULL && number(row, 2, &meta->number);
}

static bool salvage_author(sqlite3_stmt *row, struct gossip_record *record)
{
    struct gossip_author_record *author = &record->as.author;
    const uint8_t *key = fixed(row, 1, GOSSIP_KEY_SIZE);
    const uint8_t *epoch = fixed(row, 2, GOSSIP_EPOCH_SIZE);
    uint64_t local;

    if (key == NULL || epoch == NULL || !number(row, 0, &local) || local > UINT32_MAX)
        return false;
    author->number = (uint32_t)local;
    memcpy(author->key, key, GOSSIP_KEY_SIZE);
    memcpy(author->epoch, epoch, GOSSIP_EPOCH_SIZE);
    return true;
}

static bool salvage_signed(sqlite3_stmt *row, struct gossip_record *record)
{
    struct gossip_signed_record *shown = &record->as.signed_record;

    if (sqlite3_column_type(row, 1) != SQLITE_BLOB)
        return false;
    shown->bytes = sqlite3_column_blob(row, 1);
    shown->size = (size_t)sqlite3_column_bytes(row, 1);
    if (shown->bytes == NULL || shown->size == 0 || shown->size > GOSSIP_RECORD_MAX)
        return false;
    shown->type = shown->bytes[0];
    return true;
}

static bool salvage_peer(sqlite3_stmt *row, struct gossip_record *record)
{
    struct gossip_peer_record *peer = &record->as.peer;
    const uint8_t *key = fixed(row, 1, GOSSIP_KEY_SIZE);

    if (key == NULL || sqlite3_column_type(row, 2) != SQLITE_TEXT)
        return false;
    memcpy(peer->key, key, GOSSIP_KEY_SIZE);
    return record_address_from_text((const char *)sqlite3_column_text(row, 2), &peer->address);
}

static bool salvage_event(sqlite3_stmt *row, struct gossip_record *record)
{
    struct gossip_event_record *event = &record->as.event;
    const uint8_t *hash_seal = sqlite3_column_blob(row, 3);
    size_t size = (size_t)sqlite3_column_bytes(row, 3);
    uint64_t author;

    if (!number(row, 0, &event->delivery) || !number(row, 1, &author) || author > UINT32_MAX ||
        !number(row, 2, &event->seq) || hash_seal == NULL || size < GOSSIP_HASH_SIZE)
        return false;
    event->author = (uint32_t)author;
    memcpy(event->hash, hash_seal, GOSSIP_HASH_SIZE);
    if (size == GOSSIP_HASH_SIZE + GOSSIP_SIGNATURE_SIZE)
        event->seal = hash_seal + GOSSIP_HASH_SIZE;
    event->body = sqlite3_column_blob(row, 4);
    event->body_size = (size_t)sqlite3_column_bytes(row, 4);
    return event->body != NULL && event->body_size <= GOSSIP_BODY_MAX;
}

/* In this order, so that each is preceded by what verifies it. Where rows have numbers, reading
 * goes on past what is damaged; else it ends there. */
static const struct {
    enum gossip_record_kind kind;
    const char *sql;
    bool has_numbers;
    salvage_row *read;
} tables[] = {
    {GOSSIP_RECORD_META, "SELECT 0, name, value FROM meta WHERE ?1 >= 0", false, salvage_meta},
    {GOSSIP_RECORD_AUTHOR, "SELECT number, key, epoch FROM authors WHERE number >= ?1", true,
     salvage_author},
    {GOSSIP_RECORD_SIGNED, "SELECT rowid, bytes FROM records WHERE rowid >= ?1", true,
     salvage_signed},
    {GOSSIP_RECORD_PEER, "SELECT 0, key, address FROM peers WHERE ?1 >= 0", false, salvage_peer},
    {GOSSIP_RECORD_EVENT,
     "SELECT delivery, author, seq, hash_seal, body FROM events WHERE delivery >= ?1", true,
     salvage_event},
};

/* Shows rows from *from on until there are no more or one cannot be read; *from is then the one
 * after the last that was. Returns SQLite's code; *ret_result is what the visit has returned. */
static int show_rows(struct salvage *salvage, size_t table, sqlite3_stmt *statement, int64_t *from,
                     int *ret_result)
{
    int code;

    sqlite3_reset(statement);
    sqlite3_bind_int64(statement, 1, *from);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct gossip_record record = {.kind = tables[table].kind};

        *from = sqlite3_column_int64(statement, 0) + 1;
        if (!tables[table].read(statement, &record)) {
            salvage->told.unreadable++;
            continue;
        }
        salvage->told.records++;
        salvage->told.events += record.kind == GOSSIP_RECORD_EVENT;
        *ret_result = salvage->visit(salvage->context, &record);
        if (*ret_result < 0)
            return SQLITE_ABORT;
    }
    return code;
}

static int salvage_table(struct salvage *salvage, size_t table)
{
    sqlite3_stmt *statement = NULL;
    int64_t from = 0;
    int64_t leap = 1;
    unsigned steps = 0;
    int result = GOSSIP_OK;
    int code = sqlite3_prepare_v2(salvage->db, tables[table].sql, -1, &statement, NULL);

    while (code == SQLITE_OK) {
        int64_t before = from;

        code = show_rows(salvage, table, statement, &from, &result);
        if (result < 0 || code == SQLITE_DONE || (code & 0xff) == SQLITE_NOMEM)
            break;
        salvage->told.unreadable++;
        if (from > before) {
            leap = 1;
            steps = 0;
        } else if (++steps > SMALL_STEPS) {
            leap *= 2;
        }
        if (!tables[table].has_numbers || from > INT64_MAX - leap || leap > INT64_MAX / 2)
            break;
        from += leap;
        code = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    if (result < 0)
        return result;
    return (code & 0xff) == SQLITE_NOMEM ? GOSSIP_ERR_NOMEM : GOSSIP_OK;
}

int sqlite_store_salvage(struct file_system *files, const char *path, gossip_record_visit *visit,
                         void *context, struct gossip_salvaged *ret_salvaged)
{
    struct salvage salvage = {.visit = visit, .context = context};
    int error = GOSSIP_OK;
    int code = sqlite3_open_v2(path, &salvage.db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                   SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
                               files->vfs);

    /* A database may bring code of its own; none of it runs. */
    if (code == SQLITE_OK)
        code = sqlite3_exec(salvage.db,
                            "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; "
                            "PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY",
                            NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_db_config(salvage.db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if ((code & 0xff) == SQLITE_NOMEM)
        error = GOSSIP_ERR_NOMEM;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && code == SQLITE_OK && error >= 0;
         i++)
        error = salvage_table(&salvage, i);
    sqlite3_close(salvage.db);
    if (error >= 0)
        *ret_salvaged = salvage.told;
    return error;
}

int gossip_sqlite_salvage(const char *path, gossip_record_visit *visit, void *context,
                          struct gossip_salvaged *ret_salvaged)
{
    return sqlite_store_salvage(file_system_real(), path, visit, context, ret_salvaged);
}
