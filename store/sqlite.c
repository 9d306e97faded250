#include "store/sqlite.h"

#include <assert.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/bytes.h"
#include "gossip/crypto.h"
#include "gossip/gossip.h"
#include "gossip/museum.h"
#include "store/explanation.h"
#include "store/files.h"
#include "store/migration.h"
#include "store/record.h"
#include "store/schema.h"
#include "store/side.h"
#include "store/sqlite_backup.h"

enum {
    /* Pages in the log at which it is copied into the database: SQLite's own default. We do it
     * ourselves because SQLite's automatic checkpoint does not tell when it fails. */
    CHECKPOINT_PAGES = 1000,

    /* The start of every SQLite file (https://sqlite.org/fileformat2.html#the_database_header). */
    HEADER_SIZE = 100,
    HEADER_WRITE_VERSION = 18, /* 2: its journal is a WAL. */
    HEADER_USER_VERSION = 60,
    HEADER_APPLICATION_ID = 68,

    /* A row with a body and nothing that is larger than a store takes. */
    ROW_SIZE_MAX = RECORD_BYTES_MAX + 4096,
};

/* What was being done when SQLite failed: the same code means different things. */
enum phase {
    OPENING,
    READING,
    SAVING,
    COMMITTING,
    CHECKPOINTING,
};

enum statement {
    BEGIN,
    COMMIT,
    ROLLBACK,
    PUT_META,
    PUT_AUTHOR,
    PUT_MENTION,
    PUT_RECORD,
    FORGET_RECORD,
    PUT_PEER,
    ADD_EVENT,
    ADD_CONTEXT,
    ADD_SEAL,
    EVENT_BY_DELIVERY,
    EVENT_BY_DOT,
    HAS_EVENT,
    LAST_DELIVERY,
    LOAD_META,
    LOAD_AUTHORS,
    LOAD_MENTIONS,
    LOAD_RECORDS,
    LOAD_PEERS,
    READ_EVENTS,
    FOLLOW_EVENTS,
    STATEMENTS,
};

#define SELECT_EVENTS                                                                              \
    "SELECT delivery, author, seq, hash_seal, body, context "                                      \
    "FROM events LEFT JOIN contexts USING (delivery) "

static const char *const statement_texts[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [PUT_META] = "INSERT INTO meta (name, value) VALUES (?1, ?2) "
                 "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    [PUT_AUTHOR] =
        "INSERT INTO authors (number, id, key, epoch, have, floor, cut, head_hash, mentions, "
        "mentions_hash, unsealed_size) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) "
        "ON CONFLICT (number) DO UPDATE SET id = excluded.id, key = excluded.key, "
        "epoch = excluded.epoch, have = excluded.have, floor = excluded.floor, cut = excluded.cut, "
        "head_hash = excluded.head_hash, mentions = excluded.mentions, "
        "mentions_hash = excluded.mentions_hash, unsealed_size = excluded.unsealed_size",
    [PUT_MENTION] = "INSERT INTO mentions (author, position, mentioned) VALUES (?1, ?2, ?3) "
                    "ON CONFLICT (author, position) DO UPDATE SET mentioned = excluded.mentioned",
    [PUT_RECORD] = "INSERT INTO records (id, type, bytes) VALUES (?1, ?2, ?3) "
                   "ON CONFLICT (id) DO UPDATE SET type = excluded.type, bytes = excluded.bytes",
    [FORGET_RECORD] = "DELETE FROM records WHERE id = ?1",
    [PUT_PEER] = "INSERT INTO peers (key, address) VALUES (?1, ?2) "
                 "ON CONFLICT (key) DO UPDATE SET address = excluded.address",
    [ADD_EVENT] = "INSERT INTO events (delivery, author, seq, hash_seal, body) "
                  "VALUES (?1, ?2, ?3, ?4, ?5)",
    [ADD_CONTEXT] = "INSERT INTO contexts (delivery, context) VALUES (?1, ?2)",
    [ADD_SEAL] = "UPDATE events SET hash_seal = ?2 WHERE delivery = ?1",
    [EVENT_BY_DELIVERY] = SELECT_EVENTS "WHERE delivery = ?1",
    [EVENT_BY_DOT] = SELECT_EVENTS "WHERE author = ?1 AND seq = ?2",
    [HAS_EVENT] = "SELECT 1 FROM events WHERE author = ?1 AND seq = ?2",
    [LAST_DELIVERY] = "SELECT max(delivery) FROM events",
    [LOAD_META] = "SELECT name, value FROM meta ORDER BY name",
    [LOAD_AUTHORS] = "SELECT number, id, key, epoch, have, floor, cut, head_hash, mentions, "
                     "mentions_hash, unsealed_size FROM authors ORDER BY number",
    [LOAD_MENTIONS] = "SELECT author, position, mentioned FROM mentions ORDER BY author, position",
    [LOAD_RECORDS] = "SELECT id, type, bytes FROM records ORDER BY id",
    [LOAD_PEERS] = "SELECT key, address FROM peers ORDER BY key",
    [READ_EVENTS] = SELECT_EVENTS "WHERE author = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq",
    [FOLLOW_EVENTS] = SELECT_EVENTS "WHERE delivery > ?1 ORDER BY delivery",
};

struct sqlite_store {
    struct gossip_store base;
    struct file_system *files;
    char *path;
    int lock;     /* Of files, or -1. */
    bool created; /* By this call: to be removed if the rest fails. */
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    uint64_t last_delivery;    /* Committed. */
    uint64_t wal_pages;        /* In the log after the last commit ... */
    uint64_t checkpoint_at;    /* ... and how many there must be for the next checkpoint. */
    uint64_t checkpoint_pages; /* How many there may be as a rule. */
    int failure; /* What every later save returns, because the file is not to be trusted;
                  * GOSSIP_OK: none. */
    bool busy;   /* A visit is under way. */
    char *side_path;
    char *marker_path;
    struct sqlite_backup *backup; /* Under way, or NULL. */
    struct explanation explanation;
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

static int classify_code(enum phase phase, int code, int system_error)
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
        return phase == OPENING ? GOSSIP_ERR_PERMISSION : GOSSIP_ERR_IO;
    case SQLITE_CANTOPEN:
        return phase == OPENING ? file_error(system_error) : GOSSIP_ERR_IO;
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

static int classify(enum phase phase, int code, int system_error)
{
    int error = classify_code(phase, code, system_error);

    /* SQLite writes and syncs a commit before it notes it in memory, so that a commit that had no
     * memory left for the note may be there after a restart. */
    if (error == GOSSIP_ERR_NOMEM && phase == COMMITTING)
        return GOSSIP_ERR_IO;
    return error;
}

static const char *advice(enum phase phase, int error)
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
               "them "
               "and saves all that can be verified";
    }
    if (phase == SAVING || phase == COMMITTING)
        return "whether it was stored is unknown; end the process and start again";
    return phase == CHECKPOINTING ? "what was stored is safe; end the process and start again"
                                  : "look after the disk, then try again";
}

/* Explains what SQLite's code means for the store, and whether anything may be written after it. */
static int failed(struct sqlite_store *store, enum phase phase, int code)
{
    static const char *const doing[] = {
        [OPENING] = "opening",
        [READING] = "reading",
        [SAVING] = "saving",
        [COMMITTING] = "saving",
        [CHECKPOINTING] = "checkpointing",
    };
    bool system = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN;
    int number = system && store->db != NULL ? sqlite3_system_errno(store->db) : 0;
    int error = classify(phase, code, number);

    assert((code & 0xff) != SQLITE_MISUSE && (code & 0xff) != SQLITE_RANGE);
    explanation_set(&store->explanation, "%s: %s failed: %s%s%s (SQLite %d); %s", store->path,
                    doing[phase], sqlite3_errstr(code), number != 0 ? ": " : "",
                    number != 0 ? strerror(number) : "", code, advice(phase, error));
    if (error == GOSSIP_ERR_DAMAGED ||
        (error == GOSSIP_ERR_IO && phase != OPENING && phase != READING))
        store->failure = error;
    return error;
}

static int damaged_row(struct sqlite_store *store, const char *table)
{
    explanation_set(&store->explanation,
                    "%s: a row of table %s is not of the form it must have; %s", store->path, table,
                    advice(READING, GOSSIP_ERR_DAMAGED));
    store->failure = GOSSIP_ERR_DAMAGED;
    return GOSSIP_ERR_DAMAGED;
}

/* ---- Rows to records. ---- */

static bool column_number(sqlite3_stmt *row, int column, uint64_t max, uint64_t *ret_number)
{
    int64_t number = sqlite3_column_int64(row, column);

    if (sqlite3_column_type(row, column) != SQLITE_INTEGER || number < 0 || (uint64_t)number > max)
        return false;
    *ret_number = (uint64_t)number;
    return true;
}

static bool column_counter(sqlite3_stmt *row, int column, uint64_t *ret_number)
{
    return column_number(row, column, INT64_MAX, ret_number);
}

static bool column_author(sqlite3_stmt *row, int column, uint32_t *ret_author)
{
    uint64_t number;

    if (!column_number(row, column, UINT32_MAX, &number))
        return false;
    *ret_author = (uint32_t)number;
    return true;
}

/* Lent until the next step. An empty blob is no NULL pointer here, as it is to SQLite. */
static bool column_blob(sqlite3_stmt *row, int column, const uint8_t **ret_bytes, size_t *ret_size)
{
    static const uint8_t empty[1];
    const uint8_t *bytes = sqlite3_column_blob(row, column);
    size_t size = (size_t)sqlite3_column_bytes(row, column);

    if (sqlite3_column_type(row, column) != SQLITE_BLOB || (bytes == NULL && size > 0))
        return false;
    *ret_bytes = bytes == NULL ? empty : bytes;
    *ret_size = size;
    return true;
}

static bool column_fixed(sqlite3_stmt *row, int column, uint8_t *ret_bytes, size_t size)
{
    const uint8_t *bytes;
    size_t found;

    if (!column_blob(row, column, &bytes, &found) || found != size)
        return false;
    memcpy(ret_bytes, bytes, size);
    return true;
}

static bool column_text(sqlite3_stmt *row, int column, const char **ret_text)
{
    if (sqlite3_column_type(row, column) != SQLITE_TEXT)
        return false;
    *ret_text = (const char *)sqlite3_column_text(row, column);
    return *ret_text != NULL && strlen(*ret_text) == (size_t)sqlite3_column_bytes(row, column);
}

static bool read_meta(sqlite3_stmt *row, struct gossip_record *record)
{
    struct gossip_meta_record *meta = &record->as.meta;

    return column_text(row, 0, &meta->name) && (column_counter(row, 1, &meta->number) ||
                                                column_blob(row, 1, &meta->bytes, &meta->size));
}

static bool read_author(sqlite3_stmt *row, struct gossip_record *record)
{
    struct gossip_author_record *author = &record->as.author;

    return column_author(row, 0, &author->number) &&
           column_fixed(row, 1, author->id, sizeof(author->id)) &&
           column_fixed(row, 2, author->key, sizeof(author->key)) &&
           column_fixed(row, 3, author->epoch, sizeof(author->epoch)) &&
           column_counter(row, 4, &author->have) && column_counter(row, 5, &author->floor) &&
           column_counter(row, 6, &author->cut) &&
           column_fixed(row, 7, author->head_hash, sizeof(author->head_hash)) &&
           column_counter(row, 8, &author->mentions) &&
           column_fixed(row, 9, author->mentions_hash, sizeof(author->mentions_hash)) &&
           column_counter(row, 10, &author->unsealed_size);
}

static bool read_mention(sqlite3_stmt *row, struct gossip_record *record)
{
    struct gossip_mention_record *mention = &record->as.mention;

    return column_author(row, 0, &mention->author) && column_counter(row, 1, &mention->index) &&
           mention->index > 0 && column_author(row, 2, &mention->mentioned);
}

static bool read_signed(sqlite3_stmt *row, struct gossip_record *record)
{
    struct gossip_signed_record *signed_record = &record->as.signed_record;
    uint64_t type;

    if (!column_fixed(row, 0, signed_record->id, sizeof(signed_record->id)) ||
        !column_number(row, 1, UINT8_MAX, &type) ||
        !column_blob(row, 2, &signed_record->bytes, &signed_record->size))
        return false;
    signed_record->type = (uint8_t)type;
    return true;
}

static bool read_peer(sqlite3_stmt *row, struct gossip_record *record)
{
    struct gossip_peer_record *peer = &record->as.peer;
    const char *address;

    return column_fixed(row, 0, peer->key, sizeof(peer->key)) && column_text(row, 1, &address) &&
           record_address_from_text(address, &peer->address);
}

static bool read_event(sqlite3_stmt *row, struct gossip_record *record)
{
    struct gossip_event_record *event = &record->as.event;
    const uint8_t *hash_seal;
    size_t size;

    if (!column_counter(row, 0, &event->delivery) || event->delivery == 0 ||
        !column_author(row, 1, &event->author) || !column_counter(row, 2, &event->seq) ||
        event->seq == 0 || !column_blob(row, 3, &hash_seal, &size) ||
        !column_blob(row, 4, &event->body, &event->body_size))
        return false;
    if (size == GOSSIP_HASH_SIZE + GOSSIP_SIGNATURE_SIZE)
        event->seal = hash_seal + GOSSIP_HASH_SIZE;
    else if (size != GOSSIP_HASH_SIZE)
        return false;
    memcpy(event->hash, hash_seal, GOSSIP_HASH_SIZE);
    return sqlite3_column_type(row, 5) == SQLITE_NULL ||
           column_blob(row, 5, &event->context, &event->context_size);
}

typedef bool read_row(sqlite3_stmt *row, struct gossip_record *record);

static const struct {
    read_row *read;
    const char *table;
} kinds[] = {
    [GOSSIP_RECORD_META] = {read_meta, "meta"},
    [GOSSIP_RECORD_AUTHOR] = {read_author, "authors"},
    [GOSSIP_RECORD_MENTION] = {read_mention, "mentions"},
    [GOSSIP_RECORD_EVENT] = {read_event, "events"},
    [GOSSIP_RECORD_SIGNED] = {read_signed, "records"},
    [GOSSIP_RECORD_PEER] = {read_peer, "peers"},
};

/* Reads the record of the row at which statement stands. */
static int read_record(struct sqlite_store *store, sqlite3_stmt *statement,
                       enum gossip_record_kind kind, struct gossip_record *ret_record)
{
    struct gossip_record record = {.kind = kind};
    bool valid = kinds[kind].read(statement, &record);

    /* A column that could not be shown for want of memory looks like one of the wrong form. */
    if ((sqlite3_errcode(store->db) & 0xff) == SQLITE_NOMEM)
        return failed(store, READING, SQLITE_NOMEM);
    if (!valid)
        return damaged_row(store, kinds[kind].table);
    *ret_record = record;
    return GOSSIP_OK;
}

static void finish(sqlite3_stmt *statement)
{
    /* What a reset returns is what the last step has returned already. */
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

/* Shows all rows of a statement whose values are bound, and finishes it. */
static int show_rows(struct sqlite_store *store, sqlite3_stmt *statement,
                     enum gossip_record_kind kind, gossip_record_visit *visit, void *context)
{
    int result = 0;
    int code = SQLITE_ROW;

    while (result == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct gossip_record record;

        result = read_record(store, statement, kind, &record);
        if (result != 0)
            break;
        store->busy = true;
        result = visit(context, &record);
        store->busy = false;
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        result = failed(store, READING, code);
    finish(statement);
    return result;
}

/* ---- Records to rows. ---- */

/* Values for a statement; what fails, SQLite tells at the end. */
struct binder {
    sqlite3_stmt *statement;
    int next;
    int code;
};

static struct binder bind(struct sqlite_store *store, enum statement statement)
{
    return (struct binder){store->statements[statement], 1, SQLITE_OK};
}

static void bind_number(struct binder *binder, uint64_t number)
{
    assert(number <= INT64_MAX);
    if (binder->code == SQLITE_OK)
        binder->code = sqlite3_bind_int64(binder->statement, binder->next++, (int64_t)number);
}

static void bind_blob(struct binder *binder, const void *bytes, size_t size)
{
    if (binder->code != SQLITE_OK)
        return;
    if (size == 0) /* A pointer may be NULL then, which would be bound as NULL. */
        binder->code = sqlite3_bind_zeroblob(binder->statement, binder->next++, 0);
    else
        binder->code =
            sqlite3_bind_blob64(binder->statement, binder->next++, bytes, size, SQLITE_STATIC);
}

static void bind_text(struct binder *binder, const char *text)
{
    if (binder->code == SQLITE_OK)
        binder->code =
            sqlite3_bind_text(binder->statement, binder->next++, text, -1, SQLITE_STATIC);
}

/* Runs a statement that shows no rows, and finishes it. */
static int run(struct binder *binder)
{
    int code = binder->code;

    if (code == SQLITE_OK)
        code = sqlite3_step(binder->statement);
    finish(binder->statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int put(struct sqlite_store *store, struct binder *binder)
{
    int code = run(binder);

    return code == SQLITE_OK ? GOSSIP_OK : failed(store, SAVING, code);
}

static int put_meta(struct sqlite_store *store, const struct gossip_meta_record *meta)
{
    struct binder binder = bind(store, PUT_META);

    bind_text(&binder, meta->name);
    if (meta->bytes == NULL)
        bind_number(&binder, meta->number);
    else
        bind_blob(&binder, meta->bytes, meta->size);
    return put(store, &binder);
}

static int put_author(struct sqlite_store *store, const struct gossip_author_record *author)
{
    struct binder binder = bind(store, PUT_AUTHOR);

    bind_number(&binder, author->number);
    bind_blob(&binder, author->id, sizeof(author->id));
    bind_blob(&binder, author->key, sizeof(author->key));
    bind_blob(&binder, author->epoch, sizeof(author->epoch));
    bind_number(&binder, author->have);
    bind_number(&binder, author->floor);
    bind_number(&binder, author->cut);
    bind_blob(&binder, author->head_hash, sizeof(author->head_hash));
    bind_number(&binder, author->mentions);
    bind_blob(&binder, author->mentions_hash, sizeof(author->mentions_hash));
    bind_number(&binder, author->unsealed_size);
    return put(store, &binder);
}

static int put_mention(struct sqlite_store *store, const struct gossip_mention_record *mention)
{
    struct binder binder = bind(store, PUT_MENTION);

    bind_number(&binder, mention->author);
    bind_number(&binder, mention->index);
    bind_number(&binder, mention->mentioned);
    return put(store, &binder);
}

static int put_signed(struct sqlite_store *store, const struct gossip_signed_record *record)
{
    struct binder binder = bind(store, record->bytes == NULL ? FORGET_RECORD : PUT_RECORD);

    if (record->bytes == NULL) {
        bind_blob(&binder, record->id, sizeof(record->id));
        return put(store, &binder);
    }

    bind_blob(&binder, record->id, sizeof(record->id));
    bind_number(&binder, record->type);
    bind_blob(&binder, record->bytes, record->size);
    return put(store, &binder);
}

static int put_peer(struct sqlite_store *store, const struct gossip_peer_record *peer)
{
    struct binder binder = bind(store, PUT_PEER);
    char address[RECORD_ADDRESS_TEXT_MAX];

    record_address_to_text(&peer->address, address);
    bind_blob(&binder, peer->key, sizeof(peer->key));
    bind_text(&binder, address);
    return put(store, &binder);
}

static void join_hash_and_seal(const struct gossip_event_record *event,
                               uint8_t ret_joined[GOSSIP_HASH_SIZE + GOSSIP_SIGNATURE_SIZE],
                               size_t *ret_size)
{
    memcpy(ret_joined, event->hash, GOSSIP_HASH_SIZE);
    *ret_size = GOSSIP_HASH_SIZE;
    if (event->seal == NULL)
        return;
    memcpy(ret_joined + GOSSIP_HASH_SIZE, event->seal, GOSSIP_SIGNATURE_SIZE);
    *ret_size += GOSSIP_SIGNATURE_SIZE;
}

/* Judges event against the row that statement finds. *ret_found tells whether there is one. */
static int compare_with_stored(struct sqlite_store *store, struct binder *binder,
                               const struct gossip_event_record *event, bool *ret_found,
                               bool *ret_adds_seal)
{
    struct gossip_record stored;
    int error = GOSSIP_OK;
    int code = binder->code;

    *ret_found = false;
    if (code == SQLITE_OK)
        code = sqlite3_step(binder->statement);
    if (code == SQLITE_ROW) {
        *ret_found = true;
        error = read_record(store, binder->statement, GOSSIP_RECORD_EVENT, &stored);
        if (error == GOSSIP_OK)
            error = record_resave(&stored.as.event, event, ret_adds_seal, &store->explanation);
    } else if (code != SQLITE_DONE) {
        error = failed(store, SAVING, code);
    }
    finish(binder->statement);
    return error;
}

/* An event that is, or must be, stored already: its delivery number is not past the last one. */
static int put_old_event(struct sqlite_store *store, const struct gossip_event_record *event,
                         uint64_t last_delivery)
{
    uint8_t hash_seal[GOSSIP_HASH_SIZE + GOSSIP_SIGNATURE_SIZE];
    size_t size;
    struct binder binder = bind(store, EVENT_BY_DELIVERY);
    bool found;
    bool adds_seal;
    int error;

    bind_number(&binder, event->delivery);
    error = compare_with_stored(store, &binder, event, &found, &adds_seal);
    if (error < 0)
        return error;
    if (!found) {
        binder = bind(store, EVENT_BY_DOT);
        bind_number(&binder, event->author);
        bind_number(&binder, event->seq);
        error = compare_with_stored(store, &binder, event, &found, &adds_seal);
        return error < 0 ? error : record_out_of_order(event, last_delivery, &store->explanation);
    }
    if (!adds_seal)
        return GOSSIP_OK;
    join_hash_and_seal(event, hash_seal, &size);
    binder = bind(store, ADD_SEAL);
    bind_number(&binder, event->delivery);
    bind_blob(&binder, hash_seal, size);
    return put(store, &binder);
}

static int put_new_event(struct sqlite_store *store, const struct gossip_event_record *event)
{
    uint8_t hash_seal[GOSSIP_HASH_SIZE + GOSSIP_SIGNATURE_SIZE];
    size_t size;
    struct binder binder = bind(store, ADD_EVENT);
    int code;

    join_hash_and_seal(event, hash_seal, &size);
    bind_number(&binder, event->delivery);
    bind_number(&binder, event->author);
    bind_number(&binder, event->seq);
    bind_blob(&binder, hash_seal, size);
    bind_blob(&binder, event->body, event->body_size);
    code = run(&binder);
    if (code == SQLITE_CONSTRAINT_UNIQUE) {
        explanation_set(&store->explanation,
                        "event %" PRIu64 " (author %" PRIu32 ", seq %" PRIu64
                        ") is stored already, with another delivery number",
                        event->delivery, event->author, event->seq);
        return GOSSIP_ERR_EXISTS;
    }
    if (code != SQLITE_OK)
        return failed(store, SAVING, code);
    if (event->context == NULL)
        return GOSSIP_OK;
    binder = bind(store, ADD_CONTEXT);
    bind_number(&binder, event->delivery);
    bind_blob(&binder, event->context, event->context_size);
    return put(store, &binder);
}

/* last_delivery counts what this save has stored so far. */
static int put_record(struct sqlite_store *store, const struct gossip_record *record,
                      uint64_t *last_delivery)
{
    int error = record_check(record, &store->explanation);

    if (error < 0)
        return error;
    switch (record->kind) {
    case GOSSIP_RECORD_META:
        return put_meta(store, &record->as.meta);
    case GOSSIP_RECORD_AUTHOR:
        return put_author(store, &record->as.author);
    case GOSSIP_RECORD_MENTION:
        return put_mention(store, &record->as.mention);
    case GOSSIP_RECORD_EVENT:
        if (record->as.event.delivery <= *last_delivery)
            return put_old_event(store, &record->as.event, *last_delivery);
        error = put_new_event(store, &record->as.event);
        if (error == GOSSIP_OK)
            *last_delivery = record->as.event.delivery;
        return error;
    case GOSSIP_RECORD_SIGNED:
        return put_signed(store, &record->as.signed_record);
    case GOSSIP_RECORD_PEER:
        return put_peer(store, &record->as.peer);
    }
    return GOSSIP_ERR_INVALID; /* Not reached: record_check() refuses other kinds. */
}

/* ---- Transactions. ---- */

static int run_statement(struct sqlite_store *store, enum statement statement)
{
    struct binder binder = bind(store, statement);

    return run(&binder);
}

/* Takes back what a failed save has done. Returns its error, or a worse one. */
static int roll_back(struct sqlite_store *store, int error)
{
    int code;

    /* Some failures make SQLite roll back by itself. */
    if (sqlite3_get_autocommit(store->db))
        return error;
    code = run_statement(store, ROLLBACK);
    if (code != SQLITE_OK && !sqlite3_get_autocommit(store->db)) {
        failed(store, SAVING, code);
        store->failure = GOSSIP_ERR_IO;
        return GOSSIP_ERR_IO;
    }
    return error;
}

/* Copies the log into the database when it has grown long. That it cannot for want of room or
 * memory does no harm but that the log grows on; it is tried again when it has grown as much. */
static int checkpoint_if_due(struct sqlite_store *store)
{
    int code;
    int error;

    if (store->wal_pages < store->checkpoint_at)
        return GOSSIP_OK;
    code = sqlite3_wal_checkpoint_v2(store->db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    store->checkpoint_at = store->checkpoint_pages;
    if (code == SQLITE_OK)
        return GOSSIP_OK;
    error = failed(store, CHECKPOINTING, code);
    if (store->failure != GOSSIP_OK)
        return error;
    store->checkpoint_at = store->wal_pages + store->checkpoint_pages;
    return GOSSIP_OK;
}

static int sqlite_save(struct gossip_store *base, const struct gossip_record *records, size_t count)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    uint64_t last_delivery = store->last_delivery;
    int error = GOSSIP_OK;
    int code;

    assert(!store->busy);
    if (store->failure != GOSSIP_OK)
        return store->failure;
    if (count == 0)
        return GOSSIP_OK;
    code = run_statement(store, BEGIN);
    if (code != SQLITE_OK)
        error = failed(store, SAVING, code);
    for (size_t i = 0; i < count && error == GOSSIP_OK; i++)
        error = put_record(store, &records[i], &last_delivery);
    if (error == GOSSIP_OK) {
        code = run_statement(store, COMMIT);
        if (code != SQLITE_OK)
            error = failed(store, COMMITTING, code);
    }
    if (error < 0)
        return roll_back(store, error);
    store->last_delivery = last_delivery;
    return checkpoint_if_due(store);
}

static int note_wal_pages(void *context, sqlite3 *db, const char *name, int pages)
{
    struct sqlite_store *store = context;

    (void)db;
    (void)name;
    store->wal_pages = (uint64_t)pages;
    return SQLITE_OK;
}

/* ---- Reading. ---- */

static int sqlite_load(struct gossip_store *base, gossip_record_visit *visit, void *context)
{
    static const struct {
        enum statement statement;
        enum gossip_record_kind kind;
    } parts[] = {
        {LOAD_META, GOSSIP_RECORD_META},        {LOAD_AUTHORS, GOSSIP_RECORD_AUTHOR},
        {LOAD_MENTIONS, GOSSIP_RECORD_MENTION}, {LOAD_RECORDS, GOSSIP_RECORD_SIGNED},
        {LOAD_PEERS, GOSSIP_RECORD_PEER},
    };
    struct sqlite_store *store = (struct sqlite_store *)base;
    int result = 0;

    assert(!store->busy);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && result == 0; i++)
        result =
            show_rows(store, store->statements[parts[i].statement], parts[i].kind, visit, context);
    return result;
}

static int sqlite_read(struct gossip_store *base, uint32_t author, uint64_t first, uint64_t last,
                       gossip_record_visit *visit, void *context)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    struct binder binder = bind(store, READ_EVENTS);

    assert(!store->busy);
    if (first > last || first > INT64_MAX)
        return 0;
    bind_number(&binder, author);
    bind_number(&binder, first);
    bind_number(&binder, last > INT64_MAX ? INT64_MAX : last);
    if (binder.code != SQLITE_OK) {
        finish(binder.statement);
        return failed(store, READING, binder.code);
    }
    return show_rows(store, binder.statement, GOSSIP_RECORD_EVENT, visit, context);
}

static int sqlite_follow(struct gossip_store *base, uint64_t after, gossip_record_visit *visit,
                         void *context)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    struct binder binder = bind(store, FOLLOW_EVENTS);

    assert(!store->busy);
    if (after > INT64_MAX)
        return 0;
    bind_number(&binder, after);
    if (binder.code != SQLITE_OK) {
        finish(binder.statement);
        return failed(store, READING, binder.code);
    }
    return show_rows(store, binder.statement, GOSSIP_RECORD_EVENT, visit, context);
}

static int sqlite_has(struct gossip_store *base, uint32_t author, uint64_t seq)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    struct binder binder = bind(store, HAS_EVENT);
    int code;

    assert(!store->busy);
    if (seq > INT64_MAX)
        return 0;
    bind_number(&binder, author);
    bind_number(&binder, seq);
    code = binder.code == SQLITE_OK ? sqlite3_step(binder.statement) : binder.code;
    finish(binder.statement);
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        return code == SQLITE_ROW;
    return failed(store, READING, code);
}

/* ---- What stands beside the file. ---- */

static int sqlite_fingerprint(struct gossip_store *base, uint8_t ret_fingerprint[GOSSIP_HASH_SIZE])
{
    static const char domain[] = "gossip/fingerprint/1";
    struct sqlite_store *store = (struct sqlite_store *)base;
    struct file_identity identity;
    uint8_t numbers[16];
    int error =
        store->files->ops->identify(store->files, store->path, &identity, &store->explanation);

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

    return side_read(store->files, store->side_path, ret_side, &store->explanation);
}

static int sqlite_write_side(struct gossip_store *base, const struct gossip_side *side)
{
    struct sqlite_store *store = (struct sqlite_store *)base;

    return side_write(store->files, store->side_path, side, &store->explanation);
}

static int sqlite_read_marker(struct gossip_store *base, struct gossip_marker *ret_marker)
{
    struct sqlite_store *store = (struct sqlite_store *)base;

    return marker_read(store->files, store->marker_path, ret_marker, &store->explanation);
}

static int sqlite_write_marker(struct gossip_store *base, const struct gossip_marker *marker)
{
    struct sqlite_store *store = (struct sqlite_store *)base;

    return marker_write(store->files, store->marker_path, marker, &store->explanation);
}

static int sqlite_backup_start(struct gossip_store *base, const char *path)
{
    struct sqlite_store *store = (struct sqlite_store *)base;

    assert(!store->busy && store->backup == NULL);
    if (store->failure != GOSSIP_OK)
        return store->failure;
    return sqlite_backup_begin(store->db, store->files, path, &store->explanation, &store->backup);
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

    assert(!store->busy && store->backup != NULL);
    result = store->failure != GOSSIP_OK ? store->failure
                                         : sqlite_backup_step(store->backup, &store->explanation);
    if (result != 0)
        sqlite_backup_stop(base);
    return result;
}

static const char *sqlite_explain(struct gossip_store *base)
{
    return ((struct sqlite_store *)base)->explanation.text;
}

/* ---- Opening. ---- */

/* Runs sql and shows the first column of its first row as text; empty if there is none. */
static int ask(struct sqlite_store *store, const char *sql, char *ret_answer, size_t size)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);

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
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        code = SQLITE_OK;
    sqlite3_finalize(statement);
    return code == SQLITE_OK ? GOSSIP_OK : failed(store, OPENING, code);
}

struct setting {
    const char *set;
    const char *ask; /* NULL: what is set tells. */
    const char *answer;
};

/* A wrong answer means a build of SQLite, or something between it and us, that does not keep what
 * we promise. */
static int apply(struct sqlite_store *store, const struct setting *setting)
{
    char answer[64];
    int error = ask(store, setting->set, answer, sizeof(answer));

    if (error == GOSSIP_OK && setting->ask != NULL)
        error = ask(store, setting->ask, answer, sizeof(answer));
    if (error < 0 || strcmp(answer, setting->answer) == 0)
        return error;
    explanation_set(&store->explanation,
                    "%s: SQLite %s answers \"%s\" to %s, not \"%s\": it cannot be relied upon",
                    store->path, sqlite3_libversion(), answer, setting->set, setting->answer);
    return GOSSIP_ERR_IO;
}

/* What SQLite's own switches must be for a file that may come from anywhere. */
static int configure(struct sqlite_store *store)
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
        int code = sqlite3_db_config(store->db, switches[i].option, switches[i].value, NULL);

        if (code != SQLITE_OK)
            return failed(store, OPENING, code);
    }
    sqlite3_limit(store->db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(store->db, SQLITE_LIMIT_LENGTH, ROW_SIZE_MAX);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        int error = apply(store, &settings[i]);

        if (error < 0)
            return error;
    }
    if (MUSEUM(SYNC_NORMAL))
        return apply(store, &(struct setting){"PRAGMA synchronous = 1", "PRAGMA synchronous", "1"});
    return GOSSIP_OK;
}

static int connect(struct sqlite_store *store, const char *path)
{
    int code = sqlite3_open_v2(path, &store->db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                   SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
                               store->files->vfs);

    if (code != SQLITE_OK)
        return failed(store, OPENING, code);
    /* SQLite opens for reading what it may not write, and says nothing. */
    if (sqlite3_db_readonly(store->db, "main") != 0) {
        explanation_set(&store->explanation, "%s: is read-only; %s", path,
                        advice(OPENING, GOSSIP_ERR_PERMISSION));
        return GOSSIP_ERR_PERMISSION;
    }
    return configure(store);
}

static void disconnect(struct sqlite_store *store)
{
    int code;

    for (size_t i = 0; i < STATEMENTS; i++) {
        sqlite3_finalize(store->statements[i]);
        store->statements[i] = NULL;
    }
    code = sqlite3_close(store->db);
    assert(code == SQLITE_OK); /* BUSY, if anything: a statement that we have forgotten. */
    store->db = NULL;
}

static int use_wal(struct sqlite_store *store)
{
    static const struct setting wal = {"PRAGMA journal_mode = WAL", NULL, "wal"};

    return apply(store, &wal);
}

/* Makes the tables in the empty file path, all in the file itself and nothing in a log. */
static int build(struct sqlite_store *store, const char *path)
{
    char text[128];
    int error = connect(store, path);
    int code;

    if (error < 0)
        return error;
    snprintf(text, sizeof(text), "PRAGMA page_size = %d", SCHEMA_PAGE_SIZE);
    code = sqlite3_exec(store->db, text, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return failed(store, OPENING, code);
    error = use_wal(store);
    if (error < 0)
        return error;
    snprintf(text, sizeof(text), "BEGIN; PRAGMA application_id = %d; PRAGMA user_version = %d",
             SCHEMA_APPLICATION_ID, SCHEMA_VERSION);
    code = sqlite3_exec(store->db, text, NULL, NULL, NULL);
    for (size_t i = 0; i < schema_object_count && code == SQLITE_OK; i++)
        code = sqlite3_exec(store->db, schema_objects[i].sql, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_wal_checkpoint_v2(store->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return code == SQLITE_OK ? GOSSIP_OK : failed(store, OPENING, code);
}

/* Removes path and what SQLite may have left beside it. */
static int remove_all(struct file_system *files, const char *path, struct explanation *explanation)
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
static int create(struct sqlite_store *store)
{
    struct file_system *files = store->files;
    char *creating = file_beside(store->path, ".creating");
    char *wal = file_beside(store->path, ".creating-wal");
    struct explanation ignored;
    int error = creating == NULL || wal == NULL ? GOSSIP_ERR_NOMEM
                                                : remove_all(files, creating, &store->explanation);

    if (error == GOSSIP_OK)
        error = files->ops->make(files, creating, &store->explanation);
    if (error == GOSSIP_OK) {
        error = build(store, creating);
        disconnect(store);
        store->failure = GOSSIP_OK; /* Of the file that is thrown away. */
        if (error == GOSSIP_OK)
            error = files->ops->remove(files, wal, &store->explanation); /* Truncated. */
        if (error == GOSSIP_OK)
            error = files->ops->rename(files, creating, store->path, &store->explanation);
        store->created = error == GOSSIP_OK;
        if (error == GOSSIP_OK)
            error = files->ops->sync_directory(files, store->path, &store->explanation);
        if (error < 0)
            remove_all(files, creating, &ignored); /* If it stays, the next attempt removes it. */
    }
    free(creating);
    free(wal);
    return error;
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

static int open_plain(struct sqlite_store *store, const char *path, int flags,
                      struct plain_file *ret_plain)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(store->files->vfs);
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

        explanation_set(&store->explanation, "%s: cannot open it: %s", path, strerror(number));
        error = file_error(number);
    } else {
        error = failed(store, OPENING, code);
    }
    close_plain(&plain);
    return error;
}

/* Zeroes past the end of the file. */
static int read_header(struct sqlite_store *store, uint8_t ret_header[HEADER_SIZE])
{
    struct plain_file plain;
    int error = open_plain(store, store->path, SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB, &plain);
    int code;

    if (error < 0)
        return error;
    code = plain.file->pMethods->xRead(plain.file, ret_header, HEADER_SIZE, 0);
    if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ)
        error = failed(store, OPENING, code);
    close_plain(&plain);
    return error;
}

static int write_anew(sqlite3_file *file)
{
    uint8_t buffer[4096];
    sqlite3_int64 size;
    int code = file->pMethods->xFileSize(file, &size);

    for (sqlite3_int64 done = 0; done < size && code == SQLITE_OK; done += sizeof(buffer)) {
        int now =
            size - done < (sqlite3_int64)sizeof(buffer) ? (int)(size - done) : (int)sizeof(buffer);

        code = file->pMethods->xRead(file, buffer, now, done);
        if (code == SQLITE_OK)
            code = file->pMethods->xWrite(file, buffer, now, done);
    }
    return code == SQLITE_OK ? file->pMethods->xSync(file, SQLITE_SYNC_FULL) : code;
}

/*
 * Makes durable what a killed process has left in the log, before it is shown to anybody. The disk
 * may not have it: it was not synced, or its sync has failed, after which Linux shows it for as
 * long as the machine runs and takes no later sync as a reason to write it. A machine that died
 * then would forget what others have seen, and with it all commits behind it, for a log ends where
 * it has a hole. So the same bytes are written once more.
 */
static int renew_log(struct sqlite_store *store)
{
    char *path = file_beside(store->path, "-wal");
    struct plain_file plain = {.file = NULL};
    int error = GOSSIP_ERR_NOMEM;
    int code;

    if (path != NULL)
        error = open_plain(store, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_WAL, &plain);
    if (error == GOSSIP_OK) {
        /* One that we may not write is for SQLite to refuse. */
        code = plain.is_readonly ? SQLITE_OK : write_anew(plain.file);
        if (code != SQLITE_OK)
            error = failed(store, OPENING, code);
        close_plain(&plain);
    }
    free(path);
    return error;
}

static int judge_version(struct sqlite_store *store, uint64_t version)
{
    if (version == SCHEMA_VERSION || (version < SCHEMA_VERSION && migration_from((int)version)))
        return GOSSIP_OK;
    if (version > SCHEMA_VERSION) {
        explanation_set(&store->explanation,
                        "%s: was made by a newer version (its tables are of version %" PRIu64
                        ", ours of %d); use that version",
                        store->path, version, SCHEMA_VERSION);
        return GOSSIP_ERR_FOREIGN;
    }
    explanation_set(&store->explanation, "%s: its tables are of no version that ever was; %s",
                    store->path, advice(OPENING, GOSSIP_ERR_DAMAGED));
    return GOSSIP_ERR_DAMAGED;
}

static bool is_beside(struct sqlite_store *store, const char *ending, int *error)
{
    struct file_system *files = store->files;
    char *beside = file_beside(store->path, ending);
    enum file_kind kind = FILE_MISSING;
    uint64_t size;

    if (beside == NULL)
        *error = GOSSIP_ERR_NOMEM;
    else
        *error = files->ops->examine(files, beside, &kind, &size, &store->explanation);
    free(beside);
    return kind != FILE_MISSING;
}

/* Judges the file as far as can be done without SQLite touching it or what stands beside it. */
static int examine(struct sqlite_store *store)
{
    uint8_t header[HEADER_SIZE];
    enum file_kind kind;
    uint64_t size;
    int error =
        store->files->ops->examine(store->files, store->path, &kind, &size, &store->explanation);

    if (error < 0)
        return error;
    if (kind == FILE_OTHER) {
        explanation_set(&store->explanation, "%s: is not a regular file; name a store's file",
                        store->path);
        return GOSSIP_ERR_FOREIGN;
    }
    if (size == 0) {
        explanation_set(&store->explanation,
                        "%s: is empty, which no store ever is; put a backup in its place, or run "
                        "`gossip recover`",
                        store->path);
        return GOSSIP_ERR_DAMAGED;
    }
    error = read_header(store, header);
    if (error < 0)
        return error;
    if (memcmp(header, "SQLite format 3", 16) != 0) {
        explanation_set(&store->explanation,
                        "%s: is not an SQLite database; name a store's file, or restore a backup "
                        "if this was one",
                        store->path);
        return GOSSIP_ERR_FOREIGN;
    }
    if (get_fixed(header + HEADER_APPLICATION_ID, 4) != SCHEMA_APPLICATION_ID) {
        explanation_set(&store->explanation,
                        "%s: is the database of another program (application id %" PRIu64
                        ", not %d); name a store's file",
                        store->path, get_fixed(header + HEADER_APPLICATION_ID, 4),
                        SCHEMA_APPLICATION_ID);
        return GOSSIP_ERR_FOREIGN;
    }
    error = judge_version(store, get_fixed(header + HEADER_USER_VERSION, 4));
    if (error < 0)
        return error;
    /* SQLite would play such a journal back. With a WAL there never is one of ours. */
    if (header[HEADER_WRITE_VERSION] == 2 && is_beside(store, "-journal", &error)) {
        explanation_set(&store->explanation,
                        "%s-journal: does not belong to this store; move it away", store->path);
        return GOSSIP_ERR_DAMAGED;
    }
    return error;
}

static int check_version(struct sqlite_store *store, uint64_t *ret_version)
{
    char answer[32];
    int error = ask(store, "PRAGMA user_version", answer, sizeof(answer));

    if (error < 0)
        return error;
    *ret_version = strtoull(answer, NULL, 10);
    return judge_version(store, *ret_version);
}

/* Judges one row of sqlite_schema. *seen counts those that are ours. */
static int judge_object(struct sqlite_store *store, const char *type, const char *name,
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
        explanation_set(&store->explanation, "%s: %s %s is not as it must be; %s", store->path,
                        type, name, advice(OPENING, GOSSIP_ERR_DAMAGED));
        return GOSSIP_ERR_DAMAGED;
    }
    explanation_set(&store->explanation,
                    "%s: has a %s %s, which no store has; drop it with the sqlite3 shell if you "
                    "know it, or restore a backup",
                    store->path, type, name);
    return GOSSIP_ERR_FOREIGN;
}

/* A database may carry triggers, views and expressions that run when it is used. Ours holds the
 * tables we know and nothing else. */
static int check_schema(struct sqlite_store *store)
{
    sqlite3_stmt *statement = NULL;
    size_t seen = 0;
    int error = GOSSIP_OK;
    int code =
        sqlite3_prepare_v2(store->db,
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
            error = judge_object(store, type, name, sql, &seen);
    }
    sqlite3_finalize(statement);
    if (code != SQLITE_OK && code != SQLITE_DONE)
        return failed(store, OPENING, code);
    if (error == GOSSIP_OK && seen != schema_object_count) {
        explanation_set(&store->explanation, "%s: some of its tables are missing; %s", store->path,
                        advice(OPENING, GOSSIP_ERR_DAMAGED));
        error = GOSSIP_ERR_DAMAGED;
    }
    return error;
}

/* Brings older tables up to date, and checks them, in one transaction: that of a file which is
 * refused ends with its connection, unfinished. */
static int migrate(struct sqlite_store *store, uint64_t version)
{
    char text[64];
    int code = sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    int error;

    while (code == SQLITE_OK && version < SCHEMA_VERSION) {
        const struct migration *step = migration_from((int)version);

        if (step == NULL) {
            explanation_set(&store->explanation,
                            "%s: nothing leads on from version %" PRIu64 "; %s", store->path,
                            version, advice(OPENING, GOSSIP_ERR_DAMAGED));
            return GOSSIP_ERR_DAMAGED;
        }
        code = sqlite3_exec(store->db, step->sql, NULL, NULL, NULL);
        version++;
    }
    snprintf(text, sizeof(text), "PRAGMA user_version = %d", SCHEMA_VERSION);
    if (code == SQLITE_OK)
        code = sqlite3_exec(store->db, text, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return failed(store, OPENING, code);
    error = check_schema(store);
    if (error < 0)
        return error;
    code = sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL);
    return code == SQLITE_OK ? GOSSIP_OK : failed(store, OPENING, code);
}

static int prepare_statements(struct sqlite_store *store)
{
    for (size_t i = 0; i < STATEMENTS; i++) {
        int code = sqlite3_prepare_v3(store->db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                      &store->statements[i], NULL);

        if (code != SQLITE_OK)
            return failed(store, OPENING, code);
    }
    return GOSSIP_OK;
}

static int read_last_delivery(struct sqlite_store *store)
{
    sqlite3_stmt *statement = store->statements[LAST_DELIVERY];
    int code = sqlite3_step(statement);
    int error = GOSSIP_OK;

    store->last_delivery = 0;
    if (code != SQLITE_ROW)
        error = failed(store, OPENING, code);
    else if (sqlite3_column_type(statement, 0) != SQLITE_NULL &&
             !column_counter(statement, 0, &store->last_delivery))
        error = damaged_row(store, "events");
    finish(statement);
    return error;
}

static int open_database(struct sqlite_store *store)
{
    uint64_t version = SCHEMA_VERSION;
    int error = GOSSIP_OK;
    bool had_log = is_beside(store, "-wal", &error);

    if (error == GOSSIP_OK && had_log)
        error = renew_log(store);
    if (error == GOSSIP_OK)
        error = connect(store, store->path);
    if (error == GOSSIP_OK)
        error = check_version(store, &version);
    if (error == GOSSIP_OK)
        error = version == SCHEMA_VERSION ? check_schema(store) : migrate(store, version);
    if (error == GOSSIP_OK)
        error = use_wal(store);
    if (error == GOSSIP_OK)
        error = prepare_statements(store);
    if (error == GOSSIP_OK)
        error = read_last_delivery(store);
    /* The names of the log, which SQLite has made and does not ask about, and of the file itself,
     * if its maker was killed before it could do this. */
    if (error == GOSSIP_OK)
        error = store->files->ops->sync_directory(store->files, store->path, &store->explanation);
    if (store->db != NULL)
        sqlite3_wal_hook(store->db, note_wal_pages, store);
    /* What is refused is left as it is. A log that was not there is empty: closing removes it. */
    if (error < 0 && store->db != NULL && !had_log)
        sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    return error;
}

static int check_free(struct sqlite_store *store)
{
    static const char *const endings[] = {"", "-wal", "-journal", ".side"};

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        int error;

        /* SQLite would take the log of an earlier file for that of the new one; and a side file
         * tells of events that were written, which an empty store must not begin after. */
        if (is_beside(store, endings[i], &error)) {
            explanation_set(&store->explanation,
                            i == 0 ? "%s%s: exists already; open it, or choose another path"
                                   : "%s%s: is left of an earlier store; move it away first",
                            store->path, endings[i]);
            return GOSSIP_ERR_EXISTS;
        }
        if (error < 0)
            return error;
    }
    return GOSSIP_OK;
}

/* Judges before it locks, so as to leave no lock file beside what is not ours; and again with the
 * lock held. */
static int judge_and_lock(struct sqlite_store *store, enum gossip_sqlite_mode mode)
{
    char *lock_path = file_beside(store->path, ".lock");
    int error = mode == GOSSIP_SQLITE_CREATE ? check_free(store) : examine(store);

    if (lock_path == NULL)
        error = GOSSIP_ERR_NOMEM;
    if (error == GOSSIP_OK)
        error = store->files->ops->lock(store->files, lock_path, store->path, &store->lock,
                                        &store->explanation);
    if (error == GOSSIP_OK && mode == GOSSIP_SQLITE_CREATE) {
        error = check_free(store);
        if (error == GOSSIP_OK)
            error = create(store);
    }
    if (error == GOSSIP_OK)
        error = examine(store);
    free(lock_path);
    return error;
}

/* The path without symbolic links, so that a file of two names has one lock. */
static int resolve(struct sqlite_store *store, const char *path, enum gossip_sqlite_mode mode)
{
    int error;

    if (mode == GOSSIP_SQLITE_CREATE) {
        store->path = strdup(path);
        return store->path == NULL ? GOSSIP_ERR_NOMEM : GOSSIP_OK;
    }
    error = store->files->ops->resolve(store->files, path, &store->path, &store->explanation);
    if (error == GOSSIP_ERR_NOT_FOUND)
        explanation_set(&store->explanation, "%s: there is no store; create one, or name its path",
                        path);
    return error;
}

static void destroy(struct sqlite_store *store)
{
    if (store->lock >= 0)
        store->files->ops->unlock(store->files, store->lock);
    free(store->side_path);
    free(store->marker_path);
    free(store->path);
    free(store);
}

/* Of a store that could not be opened. A file that this call has made holds nothing yet. */
static void abandon(struct sqlite_store *store)
{
    struct explanation ignored;

    disconnect(store);
    if (store->created)
        remove_all(store->files, store->path,
                   &ignored); /* If it stays, it is an empty store, and can be opened. */
    destroy(store);
}

static void sqlite_close(struct gossip_store *base)
{
    struct sqlite_store *store = (struct sqlite_store *)base;

    assert(!store->busy);
    sqlite_backup_stop(base);
    /* A file that is not to be trusted is left as it is, for the next start to read. Else the log
     * is copied into the database; if that fails, nothing is lost: the log is still there. */
    if (store->failure == GOSSIP_OK &&
        sqlite3_wal_checkpoint_v2(store->db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) ==
            SQLITE_OK)
        sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    disconnect(store);
    destroy(store);
}

static const struct gossip_store_ops sqlite_ops = {
    .abilities = GOSSIP_STORE_EVENTS | GOSSIP_STORE_DURABLE | GOSSIP_STORE_SIDE |
                 GOSSIP_STORE_MARKER | GOSSIP_STORE_IDENTITY | GOSSIP_STORE_BACKUP,
    .load = sqlite_load,
    .save = sqlite_save,
    .read = sqlite_read,
    .follow = sqlite_follow,
    .has = sqlite_has,
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
    return (uint64_t)sqlite3_total_changes64(((struct sqlite_store *)store)->db);
}

uint64_t sqlite_store_wal_pages(struct gossip_store *store)
{
    assert(store->ops == &sqlite_ops);
    return ((struct sqlite_store *)store)->wal_pages;
}

void sqlite_store_checkpoint_every(struct gossip_store *store, uint64_t pages)
{
    struct sqlite_store *sqlite = (struct sqlite_store *)store;

    assert(store->ops == &sqlite_ops);
    sqlite->checkpoint_pages = pages;
    sqlite->checkpoint_at = pages;
}

int sqlite_store_open(struct file_system *files, const char *path, enum gossip_sqlite_mode mode,
                      char *ret_explanation, size_t size, struct gossip_store **ret_store)
{
    struct sqlite_store *store = calloc(1, sizeof(*store));
    int error = store == NULL ? GOSSIP_ERR_NOMEM : GOSSIP_OK;

    if (error == GOSSIP_OK) {
        store->base.ops = &sqlite_ops;
        store->files = files;
        store->lock = -1;
        store->checkpoint_pages = CHECKPOINT_PAGES;
        store->checkpoint_at = CHECKPOINT_PAGES;
        error = sqlite3_initialize() == SQLITE_OK ? resolve(store, path, mode) : GOSSIP_ERR_NOMEM;
    }
    if (error == GOSSIP_OK) {
        store->side_path = file_beside(store->path, ".side");
        store->marker_path = file_beside(store->path, ".marker");
        if (store->side_path == NULL || store->marker_path == NULL)
            error = GOSSIP_ERR_NOMEM;
    }
    if (error == GOSSIP_OK)
        error = judge_and_lock(store, mode);
    if (error == GOSSIP_OK)
        error = open_database(store);
    if (error == GOSSIP_OK) {
        *ret_store = &store->base;
        return GOSSIP_OK;
    }
    if (ret_explanation != NULL && size > 0)
        snprintf(ret_explanation, size, "%s",
                 store == NULL || error == GOSSIP_ERR_NOMEM ? "out of memory"
                                                            : store->explanation.text);
    if (store != NULL)
        abandon(store);
    return error;
}

/* The database goes first: what is left of a removal that was cut off holds no events any more, and
 * no store that has lost its side file could be opened in between. */
static int remove_store(struct sqlite_store *store)
{
    static const char *const endings[] = {"-wal",        "-journal",  ".marker",
                                          ".marker.new", ".side.new", ".side"};
    struct file_system *files = store->files;
    int error = files->ops->remove(files, store->path, &store->explanation);

    if (error == GOSSIP_OK)
        error = files->ops->sync_directory(files, store->path, &store->explanation);
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]) && error == GOSSIP_OK; i++) {
        char *beside = file_beside(store->path, endings[i]);

        error = beside == NULL ? GOSSIP_ERR_NOMEM
                               : files->ops->remove(files, beside, &store->explanation);
        free(beside);
    }
    if (error == GOSSIP_OK)
        error = files->ops->sync_directory(files, store->path, &store->explanation);
    return error;
}

int sqlite_store_remove(struct file_system *files, const char *path, char *ret_explanation,
                        size_t size)
{
    struct sqlite_store store = {.files = files, .lock = -1};
    char *lock_path = NULL;
    int error = sqlite3_initialize() == SQLITE_OK ? resolve(&store, path, GOSSIP_SQLITE_OPEN)
                                                  : GOSSIP_ERR_NOMEM;

    if (error == GOSSIP_OK)
        error = examine(&store);
    if (error == GOSSIP_OK) {
        lock_path = file_beside(store.path, ".lock");
        error = lock_path == NULL ? GOSSIP_ERR_NOMEM
                                  : files->ops->lock(files, lock_path, store.path, &store.lock,
                                                     &store.explanation);
    }
    if (error == GOSSIP_OK)
        error = remove_store(&store);
    if (error < 0 && ret_explanation != NULL && size > 0)
        snprintf(ret_explanation, size, "%s",
                 error == GOSSIP_ERR_NOMEM ? "out of memory" : store.explanation.text);
    if (store.lock >= 0)
        files->ops->unlock(files, store.lock);
    free(lock_path);
    free(store.path);
    return error;
}

int gossip_sqlite_check(struct gossip_store *base, gossip_sqlite_report *report, void *context)
{
    struct sqlite_store *store = (struct sqlite_store *)base;
    sqlite3_stmt *statement = NULL;
    bool sound = true;
    int code;

    assert(base->ops == &sqlite_ops && !store->busy);
    code = sqlite3_prepare_v2(store->db, "PRAGMA integrity_check", -1, &statement, NULL);
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
        sound = false;
        if (report != NULL)
            report(context, line);
    }
    sqlite3_finalize(statement);
    if (code != SQLITE_DONE)
        return failed(store, READING, code);
    return sound ? GOSSIP_OK : GOSSIP_ERR_DAMAGED;
}

int gossip_sqlite_open(const char *path, enum gossip_sqlite_mode mode, char *ret_explanation,
                       size_t size, struct gossip_store **ret_store)
{
    return sqlite_store_open(file_system_real(), path, mode, ret_explanation, size, ret_store);
}
