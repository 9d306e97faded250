#include "store/sqlite_rows.h"

#include <assert.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/gossip.h"
#include "store/checksum.h"
#include "store/record.h"

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
    ADD_ONCE,
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
    FIND_ONCE,
    STATEMENTS,
};

#define SELECT_EVENTS                                                                              \
    "SELECT delivery, author, seq, hash_seal, body, events.checksum, context, "                    \
    "contexts.checksum FROM events LEFT JOIN contexts USING (delivery) "

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
    [ADD_EVENT] = "INSERT INTO events (delivery, author, seq, hash_seal, body, checksum) "
                  "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [ADD_CONTEXT] = "INSERT INTO contexts (delivery, context, checksum) VALUES (?1, ?2, ?3)",
    [ADD_ONCE] = "INSERT INTO onces (hash, delivery) VALUES (?1, ?2)",
    [ADD_SEAL] = "UPDATE events SET hash_seal = ?2, checksum = ?3 WHERE delivery = ?1",
    [EVENT_BY_DELIVERY] = SELECT_EVENTS "WHERE delivery = ?1",
    [EVENT_BY_DOT] = SELECT_EVENTS "WHERE author = ?1 AND seq = ?2",
    [HAS_EVENT] = "SELECT 1 FROM events WHERE author = ?1 AND seq = ?2",
    [LAST_DELIVERY] = "SELECT (SELECT max(delivery) FROM events), "
                      "(SELECT max(delivery) FROM contexts)",
    [LOAD_META] = "SELECT name, value FROM meta ORDER BY name",
    [LOAD_AUTHORS] = "SELECT number, id, key, epoch, have, floor, cut, head_hash, mentions, "
                     "mentions_hash, unsealed_size FROM authors ORDER BY number",
    [LOAD_MENTIONS] = "SELECT author, position, mentioned FROM mentions ORDER BY author, position",
    [LOAD_RECORDS] = "SELECT id, type, bytes FROM records ORDER BY id",
    [LOAD_PEERS] = "SELECT key, address FROM peers ORDER BY key",
    [READ_EVENTS] = SELECT_EVENTS "WHERE author = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq",
    [FOLLOW_EVENTS] = SELECT_EVENTS "WHERE delivery > ?1 ORDER BY delivery",
    [FIND_ONCE] = "SELECT delivery, author, seq, hash_seal, body, events.checksum, context, "
                  "contexts.checksum FROM onces JOIN events USING (delivery) LEFT JOIN contexts "
                  "USING (delivery) "
                  "WHERE onces.hash = ?1 ORDER BY delivery",
};

struct sqlite_rows {
    struct sqlite_database *database;
    sqlite3_stmt *statements[STATEMENTS];
    uint64_t last_delivery; /* Committed. */
};

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
    event->is_damaged = sqlite3_column_int64(row, 5) !=
                        checksum_event(event->delivery, event->author, event->seq, hash_seal, size,
                                       event->body, event->body_size);
    if (sqlite3_column_type(row, 6) == SQLITE_NULL)
        return true;
    if (!column_blob(row, 6, &event->context, &event->context_size))
        return false;
    event->is_damaged = event->is_damaged ||
                        sqlite3_column_int64(row, 7) !=
                            checksum_context(event->delivery, event->context, event->context_size);
    return true;
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

static int damaged(struct sqlite_rows *rows, const char *table, const char *how)
{
    explanation_set(&rows->database->explanation, "%s: a row of table %s %s; %s",
                    rows->database->path, table, how,
                    sqlite_advice(PHASE_READING, GOSSIP_ERR_DAMAGED));
    rows->database->failure = GOSSIP_ERR_DAMAGED;
    return GOSSIP_ERR_DAMAGED;
}

static int damaged_row(struct sqlite_rows *rows, const char *table)
{
    return damaged(rows, table, "is not of the form it must have");
}

/* Bits of an event have flipped: it is shown for what it is, so that all of them can be found, and
 * nothing more is saved. */
static void note_damage(struct sqlite_rows *rows, const struct gossip_event_record *event)
{
    explanation_set(&rows->database->explanation,
                    "%s: event %" PRIu64 " (author %" PRIu32 ", seq %" PRIu64
                    ") is not as it was written",
                    rows->database->path, event->delivery, event->author, event->seq);
    rows->database->failure = GOSSIP_ERR_DAMAGED;
}

/* Reads the record of the row at which statement stands. */
static int read_record(struct sqlite_rows *rows, sqlite3_stmt *statement,
                       enum gossip_record_kind kind, struct gossip_record *ret_record)
{
    struct gossip_record record = {.kind = kind};
    bool valid = kinds[kind].read(statement, &record);

    /* A column that could not be shown for want of memory looks like one of the wrong form. */
    if ((sqlite3_errcode(rows->database->db) & 0xff) == SQLITE_NOMEM)
        return sqlite_database_failed(rows->database, PHASE_READING, SQLITE_NOMEM);
    if (!valid)
        return damaged_row(rows, kinds[kind].table);
    if (kind == GOSSIP_RECORD_EVENT && record.as.event.is_damaged)
        note_damage(rows, &record.as.event);
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
static int show_rows(struct sqlite_rows *rows, sqlite3_stmt *statement,
                     enum gossip_record_kind kind, gossip_record_visit *visit, void *context)
{
    int result = 0;
    int code = SQLITE_ROW;

    while (result == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct gossip_record record;

        result = read_record(rows, statement, kind, &record);
        if (result != 0)
            break;
        rows->database->busy = true;
        result = visit(context, &record);
        rows->database->busy = false;
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        result = sqlite_database_failed(rows->database, PHASE_READING, code);
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

static struct binder bind(struct sqlite_rows *rows, enum statement statement)
{
    return (struct binder){rows->statements[statement], 1, SQLITE_OK};
}

static void bind_number(struct binder *binder, uint64_t number)
{
    assert(number <= INT64_MAX);
    if (binder->code == SQLITE_OK)
        binder->code = sqlite3_bind_int64(binder->statement, binder->next++, (int64_t)number);
}

static void bind_checksum(struct binder *binder, int64_t checksum)
{
    if (binder->code == SQLITE_OK)
        binder->code = sqlite3_bind_int64(binder->statement, binder->next++, checksum);
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

static int put(struct sqlite_rows *rows, struct binder *binder)
{
    int code = run(binder);

    return code == SQLITE_OK ? GOSSIP_OK
                             : sqlite_database_failed(rows->database, PHASE_SAVING, code);
}

static int put_meta(struct sqlite_rows *rows, const struct gossip_meta_record *meta)
{
    struct binder binder = bind(rows, PUT_META);

    bind_text(&binder, meta->name);
    if (meta->bytes == NULL)
        bind_number(&binder, meta->number);
    else
        bind_blob(&binder, meta->bytes, meta->size);
    return put(rows, &binder);
}

static int put_author(struct sqlite_rows *rows, const struct gossip_author_record *author)
{
    struct binder binder = bind(rows, PUT_AUTHOR);

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
    return put(rows, &binder);
}

static int put_mention(struct sqlite_rows *rows, const struct gossip_mention_record *mention)
{
    struct binder binder = bind(rows, PUT_MENTION);

    bind_number(&binder, mention->author);
    bind_number(&binder, mention->index);
    bind_number(&binder, mention->mentioned);
    return put(rows, &binder);
}

static int put_signed(struct sqlite_rows *rows, const struct gossip_signed_record *record)
{
    struct binder binder = bind(rows, record->bytes == NULL ? FORGET_RECORD : PUT_RECORD);

    if (record->bytes == NULL) {
        bind_blob(&binder, record->id, sizeof(record->id));
        return put(rows, &binder);
    }

    bind_blob(&binder, record->id, sizeof(record->id));
    bind_number(&binder, record->type);
    bind_blob(&binder, record->bytes, record->size);
    return put(rows, &binder);
}

static int put_peer(struct sqlite_rows *rows, const struct gossip_peer_record *peer)
{
    struct binder binder = bind(rows, PUT_PEER);
    char address[RECORD_ADDRESS_TEXT_MAX];

    record_address_to_text(&peer->address, address);
    bind_blob(&binder, peer->key, sizeof(peer->key));
    bind_text(&binder, address);
    return put(rows, &binder);
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
static int compare_with_stored(struct sqlite_rows *rows, struct binder *binder,
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
        error = read_record(rows, binder->statement, GOSSIP_RECORD_EVENT, &stored);
        if (error == GOSSIP_OK && stored.as.event.is_damaged)
            error = GOSSIP_ERR_DAMAGED;
        if (error == GOSSIP_OK)
            error =
                record_resave(&stored.as.event, event, ret_adds_seal, &rows->database->explanation);
    } else if (code != SQLITE_DONE) {
        error = sqlite_database_failed(rows->database, PHASE_SAVING, code);
    }
    finish(binder->statement);
    return error;
}

/* An event that is, or must be, stored already: its delivery number is not past the last one. */
static int put_old_event(struct sqlite_rows *rows, const struct gossip_event_record *event,
                         uint64_t last_delivery)
{
    uint8_t hash_seal[GOSSIP_HASH_SIZE + GOSSIP_SIGNATURE_SIZE];
    size_t size;
    struct binder binder = bind(rows, EVENT_BY_DELIVERY);
    bool found;
    bool adds_seal;
    int error;

    bind_number(&binder, event->delivery);
    error = compare_with_stored(rows, &binder, event, &found, &adds_seal);
    if (error < 0)
        return error;
    if (!found) {
        binder = bind(rows, EVENT_BY_DOT);
        bind_number(&binder, event->author);
        bind_number(&binder, event->seq);
        error = compare_with_stored(rows, &binder, event, &found, &adds_seal);
        return error < 0 ? error
                         : record_out_of_order(event, last_delivery, &rows->database->explanation);
    }
    if (!adds_seal)
        return GOSSIP_OK;
    join_hash_and_seal(event, hash_seal, &size);
    binder = bind(rows, ADD_SEAL);
    bind_number(&binder, event->delivery);
    bind_blob(&binder, hash_seal, size);
    bind_checksum(&binder, checksum_event(event->delivery, event->author, event->seq, hash_seal,
                                          size, event->body, event->body_size));
    return put(rows, &binder);
}

static int put_once(struct sqlite_rows *rows, const struct gossip_event_record *event)
{
    struct binder binder = bind(rows, ADD_ONCE);

    if (event->once == NULL)
        return GOSSIP_OK;
    bind_blob(&binder, event->once, GOSSIP_ONCE_HASH_SIZE);
    bind_number(&binder, event->delivery);
    return put(rows, &binder);
}

static int put_new_event(struct sqlite_rows *rows, const struct gossip_event_record *event)
{
    uint8_t hash_seal[GOSSIP_HASH_SIZE + GOSSIP_SIGNATURE_SIZE];
    size_t size;
    struct binder binder = bind(rows, ADD_EVENT);
    int code;

    join_hash_and_seal(event, hash_seal, &size);
    bind_number(&binder, event->delivery);
    bind_number(&binder, event->author);
    bind_number(&binder, event->seq);
    bind_blob(&binder, hash_seal, size);
    bind_blob(&binder, event->body, event->body_size);
    bind_checksum(&binder, checksum_event(event->delivery, event->author, event->seq, hash_seal,
                                          size, event->body, event->body_size));
    code = run(&binder);
    if (code == SQLITE_CONSTRAINT_UNIQUE) {
        explanation_set(&rows->database->explanation,
                        "event %" PRIu64 " (author %" PRIu32 ", seq %" PRIu64
                        ") is stored already, with another delivery number",
                        event->delivery, event->author, event->seq);
        return GOSSIP_ERR_EXISTS;
    }
    if (code != SQLITE_OK)
        return sqlite_database_failed(rows->database, PHASE_SAVING, code);
    if (event->context == NULL)
        return put_once(rows, event);
    binder = bind(rows, ADD_CONTEXT);
    bind_number(&binder, event->delivery);
    bind_blob(&binder, event->context, event->context_size);
    bind_checksum(&binder, checksum_context(event->delivery, event->context, event->context_size));
    code = put(rows, &binder);
    return code < 0 ? code : put_once(rows, event);
}

/* last_delivery counts what this save has stored so far. */
static int put_record(struct sqlite_rows *rows, const struct gossip_record *record,
                      uint64_t *last_delivery)
{
    int error = record_check(record, &rows->database->explanation);

    if (error < 0)
        return error;
    switch (record->kind) {
    case GOSSIP_RECORD_META:
        return put_meta(rows, &record->as.meta);
    case GOSSIP_RECORD_AUTHOR:
        return put_author(rows, &record->as.author);
    case GOSSIP_RECORD_MENTION:
        return put_mention(rows, &record->as.mention);
    case GOSSIP_RECORD_EVENT:
        if (record->as.event.delivery <= *last_delivery)
            return put_old_event(rows, &record->as.event, *last_delivery);
        error = put_new_event(rows, &record->as.event);
        if (error == GOSSIP_OK)
            *last_delivery = record->as.event.delivery;
        return error;
    case GOSSIP_RECORD_SIGNED:
        return put_signed(rows, &record->as.signed_record);
    case GOSSIP_RECORD_PEER:
        return put_peer(rows, &record->as.peer);
    }
    return GOSSIP_ERR_INVALID; /* Not reached: record_check() refuses other kinds. */
}

/* ---- What the store does. ---- */

static int run_statement(struct sqlite_rows *rows, enum statement statement)
{
    struct binder binder = bind(rows, statement);

    return run(&binder);
}

/* Takes back what a failed save has done. Returns its error, or a worse one. */
static int roll_back(struct sqlite_rows *rows, int error)
{
    int code;

    /* Some failures make SQLite roll back by itself. */
    if (sqlite3_get_autocommit(rows->database->db))
        return error;
    code = run_statement(rows, ROLLBACK);
    if (code != SQLITE_OK && !sqlite3_get_autocommit(rows->database->db)) {
        sqlite_database_failed(rows->database, PHASE_SAVING, code);
        rows->database->failure = GOSSIP_ERR_IO;
        return GOSSIP_ERR_IO;
    }
    return error;
}

int sqlite_rows_save(struct sqlite_rows *rows, const struct gossip_record *records, size_t count)
{
    uint64_t last_delivery = rows->last_delivery;
    int error = GOSSIP_OK;
    int code;

    assert(!rows->database->busy);
    if (rows->database->failure != GOSSIP_OK)
        return rows->database->failure;
    code = run_statement(rows, BEGIN);
    if (code != SQLITE_OK)
        error = sqlite_database_failed(rows->database, PHASE_SAVING, code);
    for (size_t i = 0; i < count && error == GOSSIP_OK; i++)
        error = put_record(rows, &records[i], &last_delivery);
    if (error == GOSSIP_OK) {
        code = run_statement(rows, COMMIT);
        if (code != SQLITE_OK)
            error = sqlite_database_failed(rows->database, PHASE_COMMITTING, code);
    }
    if (error < 0)
        return roll_back(rows, error);
    rows->last_delivery = last_delivery;
    return GOSSIP_OK;
}

int sqlite_rows_load(struct sqlite_rows *rows, gossip_record_visit *visit, void *context)
{
    static const struct {
        enum statement statement;
        enum gossip_record_kind kind;
    } parts[] = {
        {LOAD_META, GOSSIP_RECORD_META},        {LOAD_AUTHORS, GOSSIP_RECORD_AUTHOR},
        {LOAD_MENTIONS, GOSSIP_RECORD_MENTION}, {LOAD_RECORDS, GOSSIP_RECORD_SIGNED},
        {LOAD_PEERS, GOSSIP_RECORD_PEER},
    };
    int result = 0;

    assert(!rows->database->busy);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && result == 0; i++)
        result =
            show_rows(rows, rows->statements[parts[i].statement], parts[i].kind, visit, context);
    return result;
}

int sqlite_rows_read(struct sqlite_rows *rows, uint32_t author, uint64_t first, uint64_t last,
                     gossip_record_visit *visit, void *context)
{
    struct binder binder = bind(rows, READ_EVENTS);

    assert(!rows->database->busy);
    if (first > last || first > INT64_MAX)
        return 0;
    bind_number(&binder, author);
    bind_number(&binder, first);
    bind_number(&binder, last > INT64_MAX ? INT64_MAX : last);
    if (binder.code != SQLITE_OK) {
        finish(binder.statement);
        return sqlite_database_failed(rows->database, PHASE_READING, binder.code);
    }
    return show_rows(rows, binder.statement, GOSSIP_RECORD_EVENT, visit, context);
}

int sqlite_rows_follow(struct sqlite_rows *rows, uint64_t after, gossip_record_visit *visit,
                       void *context)
{
    struct binder binder = bind(rows, FOLLOW_EVENTS);

    assert(!rows->database->busy);
    if (after > INT64_MAX)
        return 0;
    bind_number(&binder, after);
    if (binder.code != SQLITE_OK) {
        finish(binder.statement);
        return sqlite_database_failed(rows->database, PHASE_READING, binder.code);
    }
    return show_rows(rows, binder.statement, GOSSIP_RECORD_EVENT, visit, context);
}

int sqlite_rows_find_once(struct sqlite_rows *rows, const uint8_t *once, gossip_record_visit *visit,
                          void *context)
{
    struct binder binder = bind(rows, FIND_ONCE);

    assert(!rows->database->busy);
    bind_blob(&binder, once, GOSSIP_ONCE_HASH_SIZE);
    if (binder.code != SQLITE_OK) {
        finish(binder.statement);
        return sqlite_database_failed(rows->database, PHASE_READING, binder.code);
    }
    return show_rows(rows, binder.statement, GOSSIP_RECORD_EVENT, visit, context);
}

int sqlite_rows_has(struct sqlite_rows *rows, uint32_t author, uint64_t seq)
{
    struct binder binder = bind(rows, HAS_EVENT);
    int code;

    assert(!rows->database->busy);
    if (seq > INT64_MAX)
        return 0;
    bind_number(&binder, author);
    bind_number(&binder, seq);
    code = binder.code == SQLITE_OK ? sqlite3_step(binder.statement) : binder.code;
    finish(binder.statement);
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        return code == SQLITE_ROW;
    return sqlite_database_failed(rows->database, PHASE_READING, code);
}

static int read_last_delivery(struct sqlite_rows *rows)
{
    sqlite3_stmt *statement = rows->statements[LAST_DELIVERY];
    int code = sqlite3_step(statement);
    uint64_t last_context = 0;
    int error = GOSSIP_OK;

    rows->last_delivery = 0;
    if (code != SQLITE_ROW)
        error = sqlite_database_failed(rows->database, PHASE_OPENING, code);
    else if (sqlite3_column_type(statement, 0) != SQLITE_NULL &&
             !column_counter(statement, 0, &rows->last_delivery))
        error = damaged_row(rows, "events");
    /* The context of an event that is gone would become that of the next one. */
    else if (sqlite3_column_type(statement, 1) != SQLITE_NULL &&
             (!column_counter(statement, 1, &last_context) || last_context > rows->last_delivery))
        error = damaged(rows, "contexts", "is of an event that is not there");
    finish(statement);
    return error;
}

static int prepare_statements(struct sqlite_rows *rows)
{
    for (size_t i = 0; i < STATEMENTS; i++) {
        int code = sqlite3_prepare_v3(rows->database->db, statement_texts[i], -1,
                                      SQLITE_PREPARE_PERSISTENT, &rows->statements[i], NULL);

        if (code != SQLITE_OK)
            return sqlite_database_failed(rows->database, PHASE_OPENING, code);
    }
    return GOSSIP_OK;
}

int sqlite_rows_prepare(struct sqlite_database *database, struct sqlite_rows **ret_rows)
{
    struct sqlite_rows *rows = calloc(1, sizeof(*rows));
    int error;

    if (rows == NULL)
        return GOSSIP_ERR_NOMEM;
    rows->database = database;
    error = prepare_statements(rows);
    if (error == GOSSIP_OK)
        error = read_last_delivery(rows);
    if (error < 0) {
        sqlite_rows_free(rows);
        return error;
    }
    *ret_rows = rows;
    return GOSSIP_OK;
}

void sqlite_rows_free(struct sqlite_rows *rows)
{
    if (rows == NULL)
        return;
    for (size_t i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(rows->statements[i]);
    free(rows);
}
