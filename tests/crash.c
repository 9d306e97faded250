#include "tests/crash.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/gossip.h"
#include "gossip/splitmix.h"
#include "store/sqlite.h"

enum {
    RECORDS_MAX = 48,
    AUTHORS = 4,

    /* The usual 1,000 pages would need thousands of operations to get to. */
    CHECKPOINT_PAGES = 24,
};

/* Saves before which the store is closed and opened again, and its end. */
static const unsigned sessions[] = {8, 14, CRASH_SAVES};

struct save {
    struct gossip_record records[RECORDS_MAX];
    size_t count;
};

struct dump {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
};

static struct save script[CRASH_SAVES];
static struct dump states[CRASH_SAVES + 1]; /* After so many saves. */

void crash_require(const struct crash_run *run, bool condition, const char *format, ...)
{
    char text[1024];
    va_list arguments;

    if (condition)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    fail_msg("seed %" PRIu64 ", %s: %s", run->seed, run->story, text);
}

/* ---- The script. ---- */

static uint64_t deliveries;
static uint64_t seqs[AUTHORS];

static void *fresh(struct splitmix *lots, size_t size)
{
    uint8_t *bytes = malloc(size);

    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(splitmix_next(lots) >> 56);
    return bytes;
}

static struct gossip_record *add(struct save *save, enum gossip_record_kind kind)
{
    struct gossip_record *record = &save->records[save->count++];

    assert_true(save->count <= RECORDS_MAX);
    *record = (struct gossip_record){.kind = kind};
    return record;
}

static void add_event(struct save *save, struct splitmix *lots, uint32_t author, size_t size)
{
    struct gossip_event_record *event = &add(save, GOSSIP_RECORD_EVENT)->as.event;
    uint8_t *hash = fresh(lots, GOSSIP_HASH_SIZE);

    event->delivery = ++deliveries;
    event->author = author;
    event->seq = ++seqs[author];
    memcpy(event->hash, hash, GOSSIP_HASH_SIZE);
    free(hash);
    event->body = fresh(lots, size);
    event->body_size = size;
    if (deliveries % 3 == 0)
        event->seal = fresh(lots, GOSSIP_SIGNATURE_SIZE);
    if (deliveries % 8 == 0) {
        event->context = fresh(lots, 40);
        event->context_size = 40;
    }
}

static void add_author(struct save *save, uint32_t number)
{
    struct gossip_author_record *author = &add(save, GOSSIP_RECORD_AUTHOR)->as.author;

    author->number = number;
    memset(author->id, (int)number + 1, sizeof(author->id));
    author->have = seqs[number];
    memset(author->head_hash, (int)(seqs[number] % 251), sizeof(author->head_hash));
}

/* What a node saves: its identity at first, then its own events one by one, those of others by the
 * batch, seals that come late, and some bodies that fill many pages. */
static void write_save(unsigned number, struct save *save, struct splitmix *lots)
{
    struct gossip_record *record;

    if (number == 0) {
        record = add(save, GOSSIP_RECORD_META);
        record->as.meta =
            (struct gossip_meta_record){.name = "key", .bytes = fresh(lots, 32), .size = 32};
        record = add(save, GOSSIP_RECORD_SIGNED);
        record->as.signed_record = (struct gossip_signed_record){
            .type = 1, .id = {7}, .bytes = fresh(lots, 200), .size = 200};
        add_author(save, 0);
    }
    record = add(save, GOSSIP_RECORD_META);
    record->as.meta = (struct gossip_meta_record){.name = "boot", .number = number};
    switch (number % 6) {
    case 0:
    case 1:
    case 2:
        add_event(save, lots, 0, 200);
        break;
    case 3:
        record = add(save, GOSSIP_RECORD_PEER);
        record->as.peer =
            (struct gossip_peer_record){{(uint8_t)number}, {.ip = {1}, .port = (uint16_t)number}};
        record = add(save, GOSSIP_RECORD_MENTION);
        record->as.mention = (struct gossip_mention_record){0, 1 + number / 6, 1 + number % 3};
        for (uint32_t i = 0; i < 30; i++)
            add_event(save, lots, 1 + i % (AUTHORS - 1), 300);
        for (uint32_t author = 1; author < AUTHORS; author++)
            add_author(save, author);
        break;
    case 4:
        add_event(save, lots, 0, 12000);
        break;
    case 5:
        for (unsigned i = 0; i < save[-1].count; i++) {
            if (save[-1].records[i].kind != GOSSIP_RECORD_EVENT)
                continue;
            record = add(save, GOSSIP_RECORD_EVENT);
            *record = save[-1].records[i];
            if (record->as.event.seal == NULL)
                record->as.event.seal = fresh(lots, GOSSIP_SIGNATURE_SIZE);
        }
        add_event(save, lots, 0, 900);
        break;
    }
    add_author(save, 0);
}

/* ---- What a store shows, as bytes. ---- */

static void put(struct dump *dump, const void *bytes, size_t size)
{
    while (dump->capacity < dump->size + size) {
        dump->capacity = dump->capacity == 0 ? 65536 : 2 * dump->capacity;
        dump->bytes = realloc(dump->bytes, dump->capacity);
        assert_non_null(dump->bytes);
    }
    if (size > 0)
        memcpy(dump->bytes + dump->size, bytes, size);
    dump->size += size;
}

static void put_number(struct dump *dump, uint64_t number)
{
    put(dump, &number, sizeof(number));
}

static void put_bytes(struct dump *dump, const void *bytes, size_t size)
{
    put_number(dump, bytes == NULL ? UINT64_MAX : size);
    put(dump, bytes, bytes == NULL ? 0 : size);
}

static void put_event(struct dump *dump, const struct gossip_event_record *event)
{
    put_number(dump, event->delivery);
    put_number(dump, event->author);
    put_number(dump, event->seq);
    put(dump, event->hash, sizeof(event->hash));
    put_bytes(dump, event->body, event->body_size);
    put_bytes(dump, event->seal, GOSSIP_SIGNATURE_SIZE);
    put_bytes(dump, event->context, event->context_size);
}

static void put_author(struct dump *dump, const struct gossip_author_record *author)
{
    put_number(dump, author->number);
    put(dump, author->id, sizeof(author->id));
    put(dump, author->key, sizeof(author->key));
    put(dump, author->epoch, sizeof(author->epoch));
    put_number(dump, author->have);
    put_number(dump, author->floor);
    put_number(dump, author->cut);
    put(dump, author->head_hash, sizeof(author->head_hash));
    put_number(dump, author->mentions);
    put(dump, author->mentions_hash, sizeof(author->mentions_hash));
    put_number(dump, author->unsealed_size);
}

static int put_record(void *context, const struct gossip_record *record)
{
    struct dump *dump = context;

    put_number(dump, record->kind);
    switch (record->kind) {
    case GOSSIP_RECORD_META:
        put_bytes(dump, record->as.meta.name, strlen(record->as.meta.name));
        put_bytes(dump, record->as.meta.bytes, record->as.meta.size);
        put_number(dump, record->as.meta.number);
        break;
    case GOSSIP_RECORD_AUTHOR:
        put_author(dump, &record->as.author);
        break;
    case GOSSIP_RECORD_MENTION:
        put_number(dump, record->as.mention.author);
        put_number(dump, record->as.mention.index);
        put_number(dump, record->as.mention.mentioned);
        break;
    case GOSSIP_RECORD_EVENT:
        put_event(dump, &record->as.event);
        break;
    case GOSSIP_RECORD_SIGNED:
        put_number(dump, record->as.signed_record.type);
        put(dump, record->as.signed_record.id, sizeof(record->as.signed_record.id));
        put_bytes(dump, record->as.signed_record.bytes, record->as.signed_record.size);
        break;
    case GOSSIP_RECORD_PEER:
        put(dump, record->as.peer.key, sizeof(record->as.peer.key));
        put(dump, record->as.peer.address.ip, sizeof(record->as.peer.address.ip));
        put_number(dump, record->as.peer.address.port);
        break;
    }
    return 0;
}

static int take(struct gossip_store *store, struct dump *dump)
{
    int error;

    dump->size = 0;
    error = store->ops->load(store, put_record, dump);
    if (error == GOSSIP_OK)
        error = store->ops->follow(store, 0, put_record, dump);
    for (uint32_t author = 0; author < AUTHORS && error == GOSSIP_OK; author++)
        error = store->ops->read(store, author, 0, UINT64_MAX, put_record, dump);
    return error;
}

/* The other store of the library tells what must be there. */
void crash_prepare(void)
{
    struct splitmix lots = {1};
    struct gossip_store *store;

    assert_int_equal(gossip_memory_open(&store), GOSSIP_OK);
    assert_int_equal(take(store, &states[0]), GOSSIP_OK);
    for (unsigned i = 0; i < CRASH_SAVES; i++) {
        write_save(i, &script[i], &lots);
        assert_int_equal(store->ops->save(store, script[i].records, script[i].count), GOSSIP_OK);
        assert_int_equal(take(store, &states[i + 1]), GOSSIP_OK);
    }
    store->ops->close(store);
}

void crash_clean_up(void)
{
    for (unsigned i = 0; i <= CRASH_SAVES; i++)
        free(states[i].bytes);
}

/* ---- Lives. ---- */

void crash_begin(struct crash_run *run, const char *story, uint64_t seed)
{
    *run = (struct crash_run){.seed = seed, .story = story};
    virtual_disk_install(1); /* Not seed, so that all draws see the same operations. */
    run->disk = virtual_disk_create(seed);
    assert_non_null(run->disk);
}

void crash_end(struct crash_run *run)
{
    virtual_disk_destroy(run->disk);
    run->disk = NULL;
}

static bool is_same(const struct dump *a, const struct dump *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->bytes, b->bytes, a->size) == 0);
}

/* Checks all that is shown: everything acknowledged, perhaps what was in flight, nothing else. What
 * has been shown once must stay, as if it had been acknowledged: a node may have told others. */
static int check(struct crash_run *run, struct gossip_store *store)
{
    static struct dump dump;
    unsigned last = run->in_flight ? run->acked + 1 : run->acked;
    int error = take(store, &dump);

    if (error < 0)
        return error;
    for (unsigned i = run->acked; i <= last; i++) {
        if (!is_same(&dump, &states[i]))
            continue;
        run->ahead += i > run->acked;
        run->acked = i;
        run->in_flight = false;
        return GOSSIP_OK;
    }
    for (unsigned i = 0; i <= CRASH_SAVES; i++) {
        if (!is_same(&dump, &states[i]))
            continue;
        crash_require(run, run->may_lose && i < run->acked, "shows %u saves, not %u to %u", i,
                      run->acked, last);
        run->lost = run->acked - i;
        return GOSSIP_ERR_DAMAGED;
    }
    crash_require(run, false, "shows what no save has left, past %u saves", run->acked);
    return GOSSIP_ERR_DAMAGED;
}

static bool makes_room(struct crash_run *run, int error)
{
    if (error != GOSSIP_ERR_FULL)
        return false;
    run->full++;
    virtual_disk_set_room(run->disk, UINT64_MAX);
    return true;
}

static uint64_t failed_operations(const struct crash_run *run)
{
    struct virtual_disk_stats stats;
    uint64_t failed = 0;

    virtual_disk_stats(run->disk, &stats);
    for (unsigned i = 0; i < VIRTUAL_OPERATIONS; i++)
        failed += stats.failed[i];
    return failed;
}

static int open_store(struct crash_run *run, struct gossip_store **ret_store)
{
    uint64_t failed = failed_operations(run);
    char explanation[512];
    int error = virtual_disk_open_store(run->disk, "node.db", GOSSIP_SQLITE_OPEN, explanation,
                                        sizeof(explanation), ret_store);

    if (error == GOSSIP_ERR_NOT_FOUND && !run->created)
        error = virtual_disk_open_store(run->disk, "node.db", GOSSIP_SQLITE_CREATE, explanation,
                                        sizeof(explanation), ret_store);
    if (makes_room(run, error))
        return open_store(run, ret_store);
    if (error < 0) {
        crash_require(run, virtual_disk_is_crashed(run->disk) || failed_operations(run) > failed,
                      "a sound disk is refused: %s (%d)", explanation, error);
        return error;
    }
    run->created = true;
    sqlite_store_checkpoint_every(*ret_store, CHECKPOINT_PAGES);
    return check(run, *ret_store);
}

static int save(struct crash_run *run, struct gossip_store *store)
{
    const struct save *next = &script[run->acked];
    uint64_t pages = sqlite_store_wal_pages(store);
    int error;

    if (run->gets_tight && run->acked == run->tight_at) {
        run->gets_tight = false;
        virtual_disk_set_room(run->disk, virtual_disk_used(run->disk) + run->tight_room);
    }
    error = store->ops->save(store, next->records, next->count);

    if (error == GOSSIP_ERR_FULL)
        crash_require(run, check(run, store) == GOSSIP_OK, "cannot be read when full");
    if (makes_room(run, error))
        return save(run, store);
    if (error == GOSSIP_OK) {
        run->acked++;
        if (sqlite_store_wal_pages(store) < pages)
            run->log_starts++;
        return GOSSIP_OK;
    }
    run->in_flight = true;
    crash_require(run, error == GOSSIP_ERR_IO || error == GOSSIP_ERR_DAMAGED, "save %u: %s",
                  run->acked, store->ops->explain(store));
    crash_require(run, store->ops->save(store, next->records, next->count) < 0,
                  "saves after a failure");
    return error;
}

int crash_live(struct crash_run *run, unsigned saves, bool is_killed)
{
    struct gossip_store *store = NULL;
    unsigned session = 0;
    int error = open_store(run, &store);

    while (session < 2 && run->acked >= sessions[session])
        session++;
    for (unsigned i = 0; i < saves && error == GOSSIP_OK && run->acked < CRASH_SAVES; i++) {
        if (run->acked == sessions[session]) {
            store->ops->close(store);
            store = NULL;
            session++;
            error = open_store(run, &store);
        }
        if (error == GOSSIP_OK)
            error = save(run, store);
    }
    if (is_killed)
        virtual_disk_crash(run->disk);
    if (store != NULL)
        store->ops->close(store);
    return error;
}
