#include "tests/store_contract.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "gossip/gossip.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct fixture {
    const struct store_factory *factory;
    struct gossip_store *store;
};

static int setup(void **state)
{
    const struct store_factory *factory = *state;
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    fixture->factory = factory;
    assert_int_equal(factory->create(factory->context, &fixture->store), GOSSIP_OK);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    if (fixture->store != NULL)
        fixture->store->ops->close(fixture->store);
    if (fixture->factory->discard != NULL)
        fixture->factory->discard(fixture->factory->context);
    free(fixture);
    return 0;
}

/* ---- Records. Those of one number always have the same content. ---- */

static const uint8_t zeroes[GOSSIP_SIGNATURE_SIZE];

static struct gossip_record meta_number(const char *name, uint64_t number)
{
    return (struct gossip_record){.kind = GOSSIP_RECORD_META,
                                  .as.meta = {.name = name, .number = number}};
}

static struct gossip_record meta_bytes(const char *name, const void *bytes, size_t size)
{
    return (struct gossip_record){.kind = GOSSIP_RECORD_META,
                                  .as.meta = {.name = name, .bytes = bytes, .size = size}};
}

static struct gossip_record author(uint32_t number, uint64_t have)
{
    struct gossip_record record = {.kind = GOSSIP_RECORD_AUTHOR,
                                   .as.author = {.number = number,
                                                 .have = have,
                                                 .floor = have + 1,
                                                 .cut = have + 2,
                                                 .mentions = have + 3,
                                                 .unsealed_size = have + 4}};

    memset(record.as.author.id, 0x10 + (int)number, GOSSIP_ID_SIZE);
    memset(record.as.author.key, 0x20 + (int)number, GOSSIP_KEY_SIZE);
    memset(record.as.author.epoch, 0x30 + (int)number, GOSSIP_EPOCH_SIZE);
    memset(record.as.author.head_hash, 0x40 + (int)number, GOSSIP_HASH_SIZE);
    memset(record.as.author.mentions_hash, 0x50 + (int)number, GOSSIP_HASH_SIZE);
    return record;
}

static struct gossip_record mention(uint32_t number, uint64_t index, uint32_t mentioned)
{
    return (struct gossip_record){
        .kind = GOSSIP_RECORD_MENTION,
        .as.mention = {.author = number, .index = index, .mentioned = mentioned}};
}

static struct gossip_record event(uint64_t delivery, uint32_t number, uint64_t seq)
{
    struct gossip_record record = {.kind = GOSSIP_RECORD_EVENT,
                                   .as.event = {.delivery = delivery,
                                                .author = number,
                                                .seq = seq,
                                                .body = (const uint8_t *)"a body",
                                                .body_size = 6}};

    memset(record.as.event.hash, (int)(number * 16 + seq) & 0xff, GOSSIP_HASH_SIZE);
    return record;
}

static struct gossip_record sealed(struct gossip_record record, const void *seal)
{
    record.as.event.seal = seal;
    return record;
}

static struct gossip_record with_body(struct gossip_record record, const void *body, size_t size)
{
    record.as.event.body = body;
    record.as.event.body_size = size;
    return record;
}

static struct gossip_record with_context(struct gossip_record record, const void *context,
                                         size_t size)
{
    record.as.event.context = context;
    record.as.event.context_size = size;
    return record;
}

static struct gossip_record signed_record(uint8_t number, const void *bytes, size_t size)
{
    struct gossip_record record = {.kind = GOSSIP_RECORD_SIGNED,
                                   .as.signed_record = {
                                       .type = (uint8_t)(number % 4 + 1),
                                       .bytes = bytes,
                                       .size = size,
                                   }};

    memset(record.as.signed_record.id, number, GOSSIP_HASH_SIZE);
    return record;
}

static struct gossip_record peer(uint8_t number, const uint8_t ip[16], uint16_t port)
{
    struct gossip_record record = {.kind = GOSSIP_RECORD_PEER, .as.peer.address.port = port};

    memset(record.as.peer.key, number, GOSSIP_KEY_SIZE);
    memcpy(record.as.peer.address.ip, ip, 16);
    return record;
}

/* ---- What a store holds, as sorted lines of text that can be compared. ---- */

struct dump {
    char **lines;
    size_t count;
    size_t capacity;
    struct gossip_record last; /* Only its numbers are looked at. */
};

static void add_line(struct dump *dump, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_line(struct dump *dump, const char *format, ...)
{
    va_list arguments;

    if (dump->count == dump->capacity) {
        dump->capacity = dump->capacity * 2 + 64;
        dump->lines = realloc(dump->lines, dump->capacity * sizeof(dump->lines[0]));
        assert_non_null(dump->lines);
    }
    va_start(arguments, format);
    assert_true(vasprintf(&dump->lines[dump->count++], format, arguments) >= 0);
    va_end(arguments);
}

/* FNV-1a, with the size, and apart from NULL. */
static const char *digest(char text[64], const uint8_t *bytes, size_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; bytes != NULL && i < size; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    if (bytes == NULL)
        snprintf(text, 64, "none");
    else
        snprintf(text, 64, "%zu:%016" PRIx64, size, hash);
    return text;
}

static void add_record(struct dump *dump, const struct gossip_record *record)
{
    char text[6][64];

    switch (record->kind) {
    case GOSSIP_RECORD_META: {
        const struct gossip_meta_record *meta = &record->as.meta;

        if (meta->bytes == NULL)
            add_line(dump, "0 meta %s number %" PRIu64, meta->name, meta->number);
        else
            add_line(dump, "0 meta %s bytes %s", meta->name,
                     digest(text[0], meta->bytes, meta->size));
        break;
    }
    case GOSSIP_RECORD_AUTHOR: {
        const struct gossip_author_record *a = &record->as.author;

        add_line(dump,
                 "1 author %010" PRIu32 " %s %s %s have %" PRIu64 " floor %" PRIu64 " cut %" PRIu64
                 " head %s mentions %" PRIu64 " %s unsealed %" PRIu64,
                 a->number, digest(text[0], a->id, sizeof(a->id)),
                 digest(text[1], a->key, sizeof(a->key)),
                 digest(text[2], a->epoch, sizeof(a->epoch)), a->have, a->floor, a->cut,
                 digest(text[3], a->head_hash, sizeof(a->head_hash)), a->mentions,
                 digest(text[4], a->mentions_hash, sizeof(a->mentions_hash)), a->unsealed_size);
        break;
    }
    case GOSSIP_RECORD_MENTION:
        add_line(dump, "2 mention %010" PRIu32 " %020" PRIu64 " %" PRIu32,
                 record->as.mention.author, record->as.mention.index, record->as.mention.mentioned);
        break;
    case GOSSIP_RECORD_SIGNED:
        add_line(dump, "3 signed %s type %u %s",
                 digest(text[0], record->as.signed_record.id, GOSSIP_HASH_SIZE),
                 record->as.signed_record.type,
                 digest(text[1], record->as.signed_record.bytes, record->as.signed_record.size));
        break;
    case GOSSIP_RECORD_PEER:
        add_line(dump, "4 peer %s %s %u", digest(text[0], record->as.peer.key, GOSSIP_KEY_SIZE),
                 digest(text[1], record->as.peer.address.ip, 16), record->as.peer.address.port);
        break;
    case GOSSIP_RECORD_EVENT: {
        const struct gossip_event_record *e = &record->as.event;

        add_line(dump,
                 "5 event %020" PRIu64 " author %" PRIu32 " seq %" PRIu64
                 " hash %s body %s seal %s context %s",
                 e->delivery, e->author, e->seq, digest(text[0], e->hash, sizeof(e->hash)),
                 digest(text[1], e->body == NULL ? zeroes : e->body, e->body_size),
                 digest(text[2], e->seal, GOSSIP_SIGNATURE_SIZE),
                 digest(text[3], e->context, e->context_size));
        break;
    }
    }
}

/* The order of kinds in a load. */
static int rank(enum gossip_record_kind kind)
{
    static const int ranks[] = {
        [GOSSIP_RECORD_META] = 0,   [GOSSIP_RECORD_AUTHOR] = 1, [GOSSIP_RECORD_MENTION] = 2,
        [GOSSIP_RECORD_SIGNED] = 3, [GOSSIP_RECORD_PEER] = 4,   [GOSSIP_RECORD_EVENT] = 5,
    };

    return ranks[kind];
}

/* Checks the order that is promised, too. */
static int dump_visit(void *context, const struct gossip_record *record)
{
    struct dump *dump = context;

    if (dump->count > 0) {
        assert_true(rank(record->kind) >= rank(dump->last.kind));
        if (record->kind == dump->last.kind && record->kind == GOSSIP_RECORD_AUTHOR)
            assert_true(record->as.author.number > dump->last.as.author.number);
        if (record->kind == dump->last.kind && record->kind == GOSSIP_RECORD_MENTION) {
            assert_true(record->as.mention.author >= dump->last.as.mention.author);
            if (record->as.mention.author == dump->last.as.mention.author)
                assert_true(record->as.mention.index > dump->last.as.mention.index);
        }
        if (record->kind == dump->last.kind && record->kind == GOSSIP_RECORD_EVENT)
            assert_true(record->as.event.delivery > dump->last.as.event.delivery);
    }
    dump->last = *record;
    add_record(dump, record);
    return 0;
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* One text, to be freed. */
static char *join(struct dump *dump)
{
    size_t size = 1;
    char *text;
    char *end;

    if (dump->count > 0)
        qsort(dump->lines, dump->count, sizeof(dump->lines[0]), compare_lines);
    for (size_t i = 0; i < dump->count; i++)
        size += strlen(dump->lines[i]) + 1;
    text = malloc(size);
    assert_non_null(text);
    end = text;
    for (size_t i = 0; i < dump->count; i++) {
        end = stpcpy(end, dump->lines[i]);
        end = stpcpy(end, "\n");
        free(dump->lines[i]);
    }
    *end = '\0';
    free(dump->lines);
    return text;
}

static bool can(const struct gossip_store *store, unsigned ability)
{
    return (store->ops->abilities & ability) != 0;
}

static char *dump_of_store(struct gossip_store *store)
{
    struct dump dump = {0};

    assert_int_equal(store->ops->load(store, dump_visit, &dump), 0);
    for (size_t i = 0; i < dump.count; i++)
        assert_true(dump.lines[i][0] != '5'); /* A load never shows events. */
    if (can(store, GOSSIP_STORE_EVENTS))
        assert_int_equal(store->ops->follow(store, 0, dump_visit, &dump), 0);
    return join(&dump);
}

static char *dump_of_records(const struct gossip_store *store, const struct gossip_record *records,
                             size_t count)
{
    struct dump dump = {0};

    for (size_t i = 0; i < count; i++)
        if (records[i].kind != GOSSIP_RECORD_EVENT || can(store, GOSSIP_STORE_EVENTS))
            add_record(&dump, &records[i]);
    return join(&dump);
}

/* Events are left out for a store that keeps none. */
static void assert_holds(struct gossip_store *store, const struct gossip_record *records,
                         size_t count)
{
    char *found = dump_of_store(store);
    char *expected = dump_of_records(store, records, count);

    assert_string_equal(found, expected);
    free(found);
    free(expected);
}

/* Without the events, for a store that keeps none: so the same test goes for both. */
static int save(struct gossip_store *store, const struct gossip_record *records, size_t count)
{
    struct gossip_record *kept;
    size_t kept_count = 0;
    int error;

    if (can(store, GOSSIP_STORE_EVENTS))
        return store->ops->save(store, records, count);
    kept = calloc(count + 1, sizeof(*kept));
    assert_non_null(kept);
    for (size_t i = 0; i < count; i++)
        if (records[i].kind != GOSSIP_RECORD_EVENT)
            kept[kept_count++] = records[i];
    error = store->ops->save(store, kept, kept_count);
    free(kept);
    return error;
}

static int save_one(struct gossip_store *store, struct gossip_record record)
{
    return save(store, &record, 1);
}

/* ---- Tests. ---- */

static const uint8_t ipv6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
static const uint8_t ipv4[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
static const uint8_t seal_a[GOSSIP_SIGNATURE_SIZE] = {0xaa, 1};
static const uint8_t seal_b[GOSSIP_SIGNATURE_SIZE] = {0xbb, 2};

static int never(void *context, const struct gossip_record *record)
{
    (void)context;
    (void)record;
    fail_msg("nothing should have been shown");
    return 0;
}

static void test_new_store_is_empty(void **state)
{
    struct gossip_store *store = ((struct fixture *)*state)->store;

    assert_non_null(store->ops->explain(store));
    assert_int_equal(store->ops->load(store, never, NULL), 0);
    if (can(store, GOSSIP_STORE_EVENTS)) {
        assert_int_equal(store->ops->follow(store, 0, never, NULL), 0);
        assert_int_equal(store->ops->read(store, 0, 0, UINT64_MAX, never, NULL), 0);
    }
    assert_int_equal(save(store, NULL, 0), GOSSIP_OK);
    assert_int_equal(store->ops->load(store, never, NULL), 0);
    assert_non_null(store->ops->explain(store));
}

static void test_every_kind_comes_back(void **state)
{
    struct gossip_store *store = ((struct fixture *)*state)->store;
    const struct gossip_record records[] = {
        event(1, 1, 1),
        peer(9, ipv6, 65535),
        signed_record(200, "signed\0bytes", 12),
        signed_record(100, "", 0),
        sealed(event(2, 0, 1), seal_a),
        mention(1, 1, 0),
        author(1, 7),
        meta_number("number", 5),
        meta_bytes("bytes", "\0\1\2", 3),
        author(0, 0),
        peer(3, ipv4, 7000),
        with_context(sealed(event(3, 1, 2), seal_b), "context", 7),
        with_context(event(4, 0, 2), "only context", 12),
        mention(0, 1, UINT32_MAX),
        author(UINT32_MAX, 3),
    };

    assert_int_equal(save(store, records, COUNT(records)), GOSSIP_OK);
    assert_holds(store, records, COUNT(records));
}

/* What was lent may change afterwards. */
static void test_records_are_copied(void **state)
{
    struct gossip_store *store = ((struct fixture *)*state)->store;
    char name[] = "name";
    uint8_t bytes[100];
    struct gossip_record records[] = {
        meta_bytes(name, bytes, sizeof(bytes)),
        with_context(with_body(sealed(event(1, 2, 3), bytes), bytes, 70), bytes, 30),
        signed_record(1, bytes, 90),
    };
    char *before;

    memset(bytes, 0x77, sizeof(bytes));
    before = dump_of_records(store, records, COUNT(records));
    assert_int_equal(save(store, records, COUNT(records)), GOSSIP_OK);
    memset(bytes, 0, sizeof(bytes));
    memset(name, 'x', sizeof(name) - 1);
    {
        char *found = dump_of_store(store);

        assert_string_equal(found, before);
        free(found);
    }
    free(before);
}

static void test_equal_key_replaces(void **state)
{
    struct gossip_store *store = ((struct fixture *)*state)->store;
    const struct gossip_record first[] = {
        meta_number("m", 1),      meta_number("n", 1),      author(0, 1),
        mention(0, 1, 5),         signed_record(8, "a", 1), peer(4, ipv4, 1000),
        signed_record(9, "b", 1),
    };
    struct gossip_record second[] = {
        meta_bytes("m", "xyz", 3), meta_number("n", 2),       author(0, 9),
        mention(0, 1, 6),          signed_record(8, "ab", 2), peer(4, ipv6, 2000),
        signed_record(9, "b", 1),
    };

    assert_int_equal(save(store, first, COUNT(first)), GOSSIP_OK);
    assert_int_equal(save(store, second, COUNT(second)), GOSSIP_OK);
    assert_holds(store, second, COUNT(second));
    second[0] = meta_number("m", 3);
    assert_int_equal(save(store, second, COUNT(second)), GOSSIP_OK);
    assert_holds(store, second, COUNT(second));
}

/* A signed record without bytes takes away the one of its id; there may be none. */
static void test_signed_records_are_forgotten(void **state)
{
    struct gossip_store *store = ((struct fixture *)*state)->store;
    const struct gossip_record records[] = {signed_record(8, "a", 1), signed_record(9, "b", 1),
                                            meta_number("m", 1)};
    const struct gossip_record forgets[] = {signed_record(8, NULL, 0), signed_record(7, NULL, 0),
                                            meta_number("m", 2)};
    const struct gossip_record kept[] = {signed_record(9, "b", 1), meta_number("m", 2)};
    const struct gossip_record refused[] = {signed_record(9, NULL, 0), meta_number("", 1)};
    const struct gossip_record anew[] = {signed_record(9, NULL, 0), signed_record(9, "c", 1)};
    const struct gossip_record last[] = {signed_record(9, "c", 1), meta_number("m", 2)};

    assert_int_equal(save(store, records, COUNT(records)), GOSSIP_OK);
    assert_int_equal(save(store, forgets, COUNT(forgets)), GOSSIP_OK);
    assert_holds(store, kept, COUNT(kept));
    /* All or nothing, here too. */
    assert_int_equal(save(store, refused, COUNT(refused)), GOSSIP_ERR_INVALID);
    assert_holds(store, kept, COUNT(kept));
    assert_int_equal(save(store, anew, COUNT(anew)), GOSSIP_OK);
    assert_holds(store, last, COUNT(last));
}

static void test_has(void **state)
{
    struct gossip_store *store = ((struct fixture *)*state)->store;
    const struct gossip_record records[] = {event(1, 0, 1), event(2, 3, 7)};

    assert_int_equal(store->ops->has(store, 0, 1), 0);
    assert_int_equal(save(store, records, COUNT(records)), GOSSIP_OK);
    assert_int_equal(store->ops->has(store, 0, 1), 1);
    assert_int_equal(store->ops->has(store, 0, 2), 0);
    assert_int_equal(store->ops->has(store, 3, 7), 1);
    assert_int_equal(store->ops->has(store, 3, 6), 0);
    assert_int_equal(store->ops->has(store, 7, 3), 0);
    assert_int_equal(store->ops->has(store, UINT32_MAX, UINT64_MAX), 0);
}

/* Inside one save, too: what comes later holds. */
static void test_last_of_equal_keys_holds(void **state)
{
    struct gossip_store *store = ((struct fixture *)*state)->store;
    const struct gossip_record records[] = {
        meta_number("m", 1), author(0, 1),     event(1, 0, 1),
        meta_number("m", 2), mention(0, 1, 2), sealed(event(1, 0, 1), seal_a),
        author(0, 2),        mention(0, 1, 3), event(1, 0, 1),
    };
    const struct gossip_record expected[] = {
        meta_number("m", 2),
        author(0, 2),
        mention(0, 1, 3),
        sealed(event(1, 0, 1), seal_a),
    };

    assert_int_equal(save(store, records, COUNT(records)), GOSSIP_OK);
    assert_holds(store, expected, COUNT(expected));
}

/* No bytes, empty bytes, an empty body and no context are all different things. */
static void test_empty_is_not_absent(void **state)
{
    struct gossip_store *store = ((struct fixture *)*state)->store;
    const struct gossip_record records[] = {
        meta_bytes("empty", "", 0),          meta_number("zero", 0),
        with_body(event(1, 0, 1), "", 0),    with_body(event(2, 0, 2), NULL, 0),
        with_context(event(3, 0, 3), "", 0), with_context(event(4, 0, 4), NULL, 0),
    };

    assert_int_equal(save(store, records, COUNT(records)), GOSSIP_OK);
    assert_holds(store, records, COUNT(records));
    assert_int_equal(save(store, records, COUNT(records)), GOSSIP_OK);
    if (can(store, GOSSIP_STORE_EVENTS)) {
        assert_int_equal(save_one(store, event(3, 0, 3)), GOSSIP_ERR_EXISTS);
        assert_int_equal(save_one(store, with_context(event(4, 0, 4), "", 0)), GOSSIP_ERR_EXISTS);
    }
    assert_holds(store, records, COUNT(records));
}

/* Shows events as "delivery ", and returns result at the stop-th. */
struct list {
    char text[512];
    size_t shown;
    size_t stop;
    int result;
};

static int list_visit(void *context, const struct gossip_record *record)
{
    struct list *list = context;
    size_t used = strlen(list->text);

    if (record->kind == GOSSIP_RECORD_EVENT)
        snprintf(list->text + used, sizeof(list->text) - used, "%" PRIu64 " ",
                 record->as.event.delivery);
    return ++list->shown == list->stop ? list->result : 0;
}

/* Deliveries 1, 3, 5 ... of three authors; author 7 has seqs 10, 11, 12, saved in another order
 * than that of their seqs. */
static const struct gossip_record *some_events(size_t *ret_count)
{
    static struct gossip_record events[6];

    events[0] = event(1, 7, 11);
    events[1] = event(3, 2, 1);
    events[2] = event(5, 7, 10);
    events[3] = event(7, 2, 2);
    events[4] = event(9, 7, 12);
    events[5] = event(11, 0, 10);
    *ret_count = COUNT(events);
    return events;
}

static void test_read(void **state)
{
    static const struct {
        uint32_t author;
        uint64_t first;
        uint64_t last;
        const char *shown;
    } cases[] = {
        {7, 10, 12, "5 1 9 "},
        {7, 11, 11, "1 "},
        {7, 0, UINT64_MAX, "5 1 9 "},
        {7, 12, 10, ""},
        {7, 13, UINT64_MAX, ""},
        {7, 0, 9, ""},
        {7, 5, 10, "5 "},
        {2, 1, 2, "3 7 "},
        {0, 10, 10, "11 "},
        {1, 0, UINT64_MAX, ""},
        {UINT32_MAX, 1, 100, ""},
        {7, UINT64_MAX, UINT64_MAX, ""},
        {7, 1, 0, ""},
        {2, UINT64_C(1) << 63, UINT64_MAX, ""},
    };
    struct gossip_store *store = ((struct fixture *)*state)->store;
    size_t count;
    const struct gossip_record *events = some_events(&count);

    assert_int_equal(save(store, events, count), GOSSIP_OK);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct list list = {.text = ""};

        assert_int_equal(store->ops->read(store, cases[i].author, cases[i].first, cases[i].last,
                                          list_visit, &list),
                         0);
        assert_string_equal(list.text, cases[i].shown);
    }
}

static void reopen(struct fixture *fixture);

static struct gossip_record with_once(struct gossip_record record, const char *once)
{
    record.as.event.once = (const uint8_t *)once;
    return record;
}

static void assert_found(struct gossip_store *store, const char *once, const char *shown)
{
    struct list list = {.text = ""};

    assert_int_equal(store->ops->find_once(store, (const uint8_t *)once, list_visit, &list), 0);
    assert_string_equal(list.text, shown);
}

/* Events are found by what their first save said, once that save has held; also where their seal
 * comes later, and after the store was opened again. */
static void test_find_once(void **state)
{
    static const char once_a[] = "0123456789abcdef";
    static const char once_b[] = "0123456789abcdeg";
    struct fixture *fixture = *state;
    struct gossip_store *store = fixture->store;
    const struct gossip_record records[] = {
        with_once(event(1, 0, 1), once_b),
        event(2, 0, 2),
        with_once(with_context(event(3, 1, 1), "context", 7), once_a),
        with_once(event(5, 0, 3), once_b),
    };
    const struct gossip_record refused[] = {with_once(event(6, 0, 4), once_a), event(7, 0, 1)};
    const struct gossip_record seals[] = {sealed(event(1, 0, 1), seal_a),
                                          with_once(sealed(event(2, 0, 2), seal_a), once_a),
                                          sealed(event(5, 0, 3), seal_a)};
    struct list list = {.text = "", .stop = 1, .result = 5};

    if (!can(store, GOSSIP_STORE_ONCE))
        return;
    assert_found(store, once_a, "");
    assert_int_equal(save(store, records, COUNT(records)), GOSSIP_OK);
    assert_int_equal(save(store, refused, COUNT(refused)), GOSSIP_ERR_EXISTS);
    assert_int_equal(save(store, seals, COUNT(seals)), GOSSIP_OK);
    for (int i = 0; i < 2; i++) {
        assert_found(store, once_a, "3 ");
        assert_found(store, once_b, "1 5 ");
        assert_found(store, "fedcba9876543210", "");
        if (fixture->factory->reopen != NULL)
            reopen(fixture);
        store = fixture->store;
    }
    assert_int_equal(store->ops->find_once(store, (const uint8_t *)once_b, list_visit, &list), 5);
    assert_string_equal(list.text, "1 ");
}

static void test_follow(void **state)
{
    static const struct {
        uint64_t after;
        const char *shown;
    } cases[] = {
        {0, "1 3 5 7 9 11 "}, {1, "3 5 7 9 11 "},      {2, "3 5 7 9 11 "}, {10, "11 "}, {11, ""},
        {UINT64_MAX, ""},     {UINT64_C(1) << 63, ""}, {INT64_MAX, ""},
    };
    struct gossip_store *store = ((struct fixture *)*state)->store;
    size_t count;
    const struct gossip_record *events = some_events(&count);

    assert_int_equal(save(store, events, count), GOSSIP_OK);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct list list = {.text = ""};

        assert_int_equal(store->ops->follow(store, cases[i].after, list_visit, &list), 0);
        assert_string_equal(list.text, cases[i].shown);
    }
}

/* Whatever a visit returns, at whatever record, is returned, and the store goes on as ever. */
static void test_visits_can_stop(void **state)
{
    static const int results[] = {1, 42, -1, GOSSIP_ERR_DAMAGED, GOSSIP_ERR_IO, INT32_MIN};
    struct gossip_store *store = ((struct fixture *)*state)->store;
    const struct gossip_record others[] = {
        meta_number("a", 1), meta_number("b", 1),     author(0, 1),        author(1, 1),
        mention(0, 1, 1),    signed_record(1, "", 0), peer(1, ipv4, 7000), peer(2, ipv4, 7000),
    };
    size_t count;
    const struct gossip_record *events = some_events(&count);

    assert_int_equal(save(store, others, COUNT(others)), GOSSIP_OK);
    assert_int_equal(save(store, events, count), GOSSIP_OK);
    for (size_t i = 0; i < COUNT(results); i++) {
        for (size_t stop = 1; stop <= COUNT(others); stop++) {
            struct list list = {.stop = stop, .result = results[i]};

            assert_int_equal(store->ops->load(store, list_visit, &list), results[i]);
            assert_int_equal(list.shown, stop);
        }
        for (size_t stop = 1; stop <= count && can(store, GOSSIP_STORE_EVENTS); stop++) {
            struct list list = {.stop = stop, .result = results[i]};

            assert_int_equal(store->ops->follow(store, 0, list_visit, &list), results[i]);
            assert_int_equal(list.shown, stop);
        }
        for (size_t stop = 1; stop <= 3 && can(store, GOSSIP_STORE_EVENTS); stop++) {
            struct list list = {.stop = stop, .result = results[i]};

            assert_int_equal(store->ops->read(store, 7, 0, 100, list_visit, &list), results[i]);
            assert_int_equal(list.shown, stop);
        }
        assert_int_equal(save_one(store, meta_number("a", i)), GOSSIP_OK);
    }
}

static void test_seal_can_be_added(void **state)
{
    struct gossip_store *store = ((struct fixture *)*state)->store;
    const struct gossip_record bare[] = {with_context(event(1, 0, 1), "c", 1), event(2, 0, 2)};
    const struct gossip_record first[] = {sealed(bare[0], seal_a), bare[1]};
    const struct gossip_record both[] = {first[0], sealed(bare[1], seal_b)};

    assert_int_equal(save(store, bare, COUNT(bare)), GOSSIP_OK);
    assert_int_equal(save(store, first, COUNT(first)), GOSSIP_OK);
    assert_holds(store, first, COUNT(first));
    assert_int_equal(save(store, &both[1], 1), GOSSIP_OK);
    assert_holds(store, both, COUNT(both));

    /* Saved again, with the seal or without, an event stays as it is. */
    assert_int_equal(save(store, both, COUNT(both)), GOSSIP_OK);
    assert_int_equal(save(store, bare, COUNT(bare)), GOSSIP_OK);
    assert_holds(store, both, COUNT(both));

    /* Its seal does not change. */
    assert_int_equal(save_one(store, sealed(bare[0], seal_b)), GOSSIP_ERR_EXISTS);
    assert_holds(store, both, COUNT(both));
}

static struct gossip_record with_hash(struct gossip_record record, uint8_t byte)
{
    record.as.event.hash[GOSSIP_HASH_SIZE - 1] = byte;
    return record;
}

static void test_refused_events(void **state)
{
    struct gossip_store *store = ((struct fixture *)*state)->store;
    const struct gossip_record held[] = {
        event(5, 1, 1),
        sealed(event(6, 1, 2), seal_a),
        with_context(event(8, 2, 1), "context", 7),
    };
    const struct {
        struct gossip_record record;
        int error;
    } cases[] = {
        {with_hash(event(5, 1, 1), 0xff), GOSSIP_ERR_EXISTS},
        {with_body(event(5, 1, 1), "a bodx", 6), GOSSIP_ERR_EXISTS},
        {with_body(event(5, 1, 1), "a bod", 5), GOSSIP_ERR_EXISTS},
        {with_body(event(5, 1, 1), "", 0), GOSSIP_ERR_EXISTS},
        {sealed(with_hash(event(5, 1, 1), 0xff), seal_a), GOSSIP_ERR_EXISTS},
        {sealed(event(6, 1, 2), seal_b), GOSSIP_ERR_EXISTS},
        {with_context(event(5, 1, 1), "context", 7), GOSSIP_ERR_EXISTS},
        {with_context(event(8, 2, 1), "contexx", 7), GOSSIP_ERR_EXISTS},
        {event(8, 2, 1), GOSSIP_ERR_EXISTS},
        {event(5, 1, 2), GOSSIP_ERR_EXISTS}, /* The number and the dot of two others. */
        {event(5, 3, 1), GOSSIP_ERR_EXISTS}, /* Another's number. */
        {event(6, 1, 1), GOSSIP_ERR_EXISTS},
        {event(7, 1, 1), GOSSIP_ERR_EXISTS}, /* Its dot, but another number. */
        {event(1, 2, 1), GOSSIP_ERR_EXISTS},
        {event(9, 1, 1), GOSSIP_ERR_EXISTS},
        {event(9, 2, 1), GOSSIP_ERR_EXISTS},
        {event(7, 1, 3), GOSSIP_ERR_INVALID}, /* Not past the last one, and new. */
        {event(1, 1, 3), GOSSIP_ERR_INVALID},
        {event(4, 9, 9), GOSSIP_ERR_INVALID},
        {event(0, 1, 3), GOSSIP_ERR_INVALID},
        {event(9, 1, 0), GOSSIP_ERR_INVALID},
        {event(UINT64_C(1) << 63, 1, 3), GOSSIP_ERR_INVALID},
        {event(UINT64_MAX, 1, 3), GOSSIP_ERR_INVALID},
        {event(9, 1, UINT64_C(1) << 63), GOSSIP_ERR_INVALID},
        {with_body(event(9, 1, 3), NULL, 1), GOSSIP_ERR_INVALID},
    };

    assert_int_equal(save(store, held, COUNT(held)), GOSSIP_OK);
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(save_one(store, cases[i].record), cases[i].error);
        assert_true(strlen(store->ops->explain(store)) > 0);
        assert_null(strchr(store->ops->explain(store), '\n'));
        assert_holds(store, held, COUNT(held));
    }
    assert_int_equal(save_one(store, event(9, 1, 3)), GOSSIP_OK);
}

static void test_refused_records(void **state)
{
    struct gossip_store *store = ((struct fixture *)*state)->store;
    const uint64_t too_great = UINT64_C(1) << 63;
    struct gossip_record cases[] = {
        meta_number("", 1),
        meta_number(NULL, 1),
        meta_number("m", too_great),
        author(0, 0),
        author(0, 0),
        author(0, 0),
        author(0, 0),
        author(0, 0),
        mention(0, 0, 1),
        mention(0, too_great, 1),
        signed_record(1, NULL, 1),
        {.kind = (enum gossip_record_kind)6},
        {.kind = (enum gossip_record_kind)UINT32_MAX},
    };

    cases[3].as.author.have = too_great;
    cases[4].as.author.floor = too_great;
    cases[5].as.author.cut = UINT64_MAX;
    cases[6].as.author.mentions = too_great;
    cases[7].as.author.unsealed_size = too_great;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(save_one(store, cases[i]), GOSSIP_ERR_INVALID);
        assert_true(strlen(store->ops->explain(store)) > 0);
        assert_int_equal(store->ops->load(store, never, NULL), 0);
    }
}

/* Wherever in a batch the record stands that is refused, nothing of the batch is there. */
static void test_save_is_all_or_nothing(void **state)
{
    struct gossip_store *store = ((struct fixture *)*state)->store;
    const struct gossip_record held[] = {
        meta_number("m", 1),      author(0, 1),        mention(0, 1, 5),
        signed_record(8, "a", 1), peer(4, ipv4, 1000), event(1, 0, 1),
    };
    const struct gossip_record batch[] = {
        meta_bytes("m", "x", 1),
        author(0, 2),
        sealed(event(1, 0, 1), seal_a),
        mention(0, 1, 6),
        mention(0, 2, 7),
        author(1, 4),
        event(2, 1, 1),
        signed_record(8, "ab", 2),
        signed_record(7, "c", 1),
        sealed(event(2, 1, 1), seal_b),
        event(3, 0, 2),
        peer(4, ipv6, 2000),
        peer(3, ipv6, 2000),
        meta_number("k", 3),
        event(4, 9, 1),
    };
    const struct {
        struct gossip_record record;
        int error;
    } bad[] = {
        {meta_number("", 0), GOSSIP_ERR_INVALID},
        {with_body(event(1, 0, 1), "other", 5), GOSSIP_ERR_EXISTS},
        {event(5, 0, 1), GOSSIP_ERR_EXISTS},
        {mention(0, 0, 0), GOSSIP_ERR_INVALID},
    };

    assert_int_equal(save(store, held, COUNT(held)), GOSSIP_OK);
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (bad[i].record.kind == GOSSIP_RECORD_EVENT && !can(store, GOSSIP_STORE_EVENTS))
            continue;
        for (size_t place = 0; place <= COUNT(batch); place++) {
            struct gossip_record records[COUNT(batch) + 1];

            memcpy(records, batch, place * sizeof(records[0]));
            records[place] = bad[i].record;
            memcpy(records + place + 1, batch + place, (COUNT(batch) - place) * sizeof(records[0]));
            assert_int_equal(save(store, records, COUNT(records)), bad[i].error);
            assert_holds(store, held, COUNT(held));
            if (!can(store, GOSSIP_STORE_EVENTS))
                continue;
            assert_int_equal(store->ops->read(store, 1, 0, UINT64_MAX, never, NULL), 0);
            assert_int_equal(store->ops->read(store, 9, 0, UINT64_MAX, never, NULL), 0);
        }
    }
    /* The numbers and dots of what was not stored are free. */
    assert_int_equal(save_one(store, event(2, 5, 5)), GOSSIP_OK);
    assert_int_equal(save_one(store, event(3, 1, 1)), GOSSIP_OK);
}

static void test_large_bodies(void **state)
{
    enum { BODIES = 5, SIZE = GOSSIP_BODY_MAX };
    struct gossip_store *store = ((struct fixture *)*state)->store;
    uint8_t *bytes = malloc(SIZE + BODIES);
    struct gossip_record records[BODIES];

    assert_non_null(bytes);
    for (size_t i = 0; i < SIZE + BODIES; i++)
        bytes[i] = (uint8_t)(i * 31 + (i >> 8));
    for (size_t i = 0; i < BODIES; i++)
        records[i] = with_body(sealed(event(i + 1, 0, i + 1), seal_a), bytes + i, SIZE);
    records[1] = with_context(records[1], bytes, 400000);
    assert_int_equal(save(store, records, BODIES), GOSSIP_OK);
    assert_holds(store, records, BODIES);
    assert_int_equal(save(store, records, BODIES), GOSSIP_OK);
    assert_int_equal(save_one(store, with_body(records[1], bytes, SIZE)), GOSSIP_ERR_EXISTS);
    assert_holds(store, records, BODIES);
    free(bytes);
}

static void test_greatest_numbers(void **state)
{
    struct gossip_store *store = ((struct fixture *)*state)->store;
    const uint64_t max = INT64_MAX;
    struct gossip_record records[] = {
        meta_number("m", max),
        author(3, GOSSIP_COUNTER_MAX),
        author(4, max - 4),
        mention(UINT32_MAX, max, UINT32_MAX),
        mention(UINT32_MAX, GOSSIP_COUNTER_MAX, 0),
        event(GOSSIP_COUNTER_MAX, 3, GOSSIP_COUNTER_MAX),
        event(GOSSIP_COUNTER_MAX + 1, UINT32_MAX, max),
        event(max, 3, GOSSIP_COUNTER_MAX + 1),
    };
    struct list list = {.text = ""};

    assert_int_equal(save(store, records, COUNT(records)), GOSSIP_OK);
    assert_holds(store, records, COUNT(records));
    if (!can(store, GOSSIP_STORE_EVENTS))
        return;
    assert_int_equal(
        store->ops->read(store, 3, GOSSIP_COUNTER_MAX, GOSSIP_COUNTER_MAX, list_visit, &list), 0);
    assert_string_equal(list.text, "4611686018427387904 ");
    list = (struct list){.text = ""};
    assert_int_equal(store->ops->follow(store, GOSSIP_COUNTER_MAX + 1, list_visit, &list), 0);
    assert_string_equal(list.text, "9223372036854775807 ");
    assert_int_equal(save_one(store, event(max, 5, 1)), GOSSIP_ERR_EXISTS);
    assert_int_equal(save_one(store, event(max - 1, 5, 1)), GOSSIP_ERR_INVALID);
}

static void test_large_batches(void **state)
{
    enum { EVENTS = 3000, AUTHORS = 37 };
    struct gossip_store *store = ((struct fixture *)*state)->store;
    struct gossip_record *records = calloc(EVENTS, sizeof(records[0]));

    assert_non_null(records);
    for (size_t i = 0; i < EVENTS; i++)
        records[i] = event(i + 1, (uint32_t)(i * 5 % AUTHORS), i / AUTHORS + 1);
    assert_int_equal(save(store, records, EVENTS / 2), GOSSIP_OK);
    assert_int_equal(save(store, records, EVENTS), GOSSIP_OK);
    assert_holds(store, records, EVENTS);
    free(records);
}

static void test_what_is_saved_outlives_a_close(void **state)
{
    struct fixture *fixture = *state;
    const struct store_factory *factory = fixture->factory;
    const struct gossip_record records[] = {
        meta_number("m", 1),
        meta_bytes("e", "", 0),
        author(0, 1),
        mention(0, 1, 5),
        signed_record(8, "a", 1),
        peer(4, ipv4, 1000),
        sealed(event(1, 0, 1), seal_a),
        with_context(event(4, 0, 2), "c", 1),
        sealed(event(9, 3, 1), seal_b),
    };

    for (size_t i = 0; i < COUNT(records); i++) {
        struct gossip_store *store = fixture->store;

        assert_int_equal(save_one(store, records[i]), GOSSIP_OK);
        fixture->store = NULL;
        store->ops->close(store);
        assert_int_equal(factory->reopen(factory->context, &fixture->store), GOSSIP_OK);
        assert_holds(fixture->store, records, i + 1);
    }
    if (!can(fixture->store, GOSSIP_STORE_EVENTS))
        return;
    /* So does the rule for delivery numbers. */
    assert_int_equal(save_one(fixture->store, event(8, 5, 1)), GOSSIP_ERR_INVALID);
    assert_int_equal(save_one(fixture->store, event(9, 5, 1)), GOSSIP_ERR_EXISTS);
    assert_int_equal(save_one(fixture->store, event(10, 5, 1)), GOSSIP_OK);
}

/* ---- Random saves, against a model that is an array. ---- */

enum { MODEL_MAX = 4000 };

struct model {
    struct gossip_record records[MODEL_MAX];
    size_t count;
};

static uint64_t draw(uint64_t *seed, uint64_t below)
{
    /* SplitMix64 (Steele, Lea, Flood 2014). */
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % below;
}

static bool same_key(const struct gossip_record *a, const struct gossip_record *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case GOSSIP_RECORD_META:
        return strcmp(a->as.meta.name, b->as.meta.name) == 0;
    case GOSSIP_RECORD_AUTHOR:
        return a->as.author.number == b->as.author.number;
    case GOSSIP_RECORD_MENTION:
        return a->as.mention.author == b->as.mention.author &&
               a->as.mention.index == b->as.mention.index;
    case GOSSIP_RECORD_EVENT:
        return a->as.event.delivery == b->as.event.delivery;
    case GOSSIP_RECORD_SIGNED:
        return memcmp(a->as.signed_record.id, b->as.signed_record.id, GOSSIP_HASH_SIZE) == 0;
    case GOSSIP_RECORD_PEER:
        return memcmp(a->as.peer.key, b->as.peer.key, GOSSIP_KEY_SIZE) == 0;
    }
    return false;
}

/* Events of the model differ only by number, dot, body and seal. */
static int model_event(struct model *model, const struct gossip_record *record)
{
    uint64_t last = 0;

    for (size_t i = 0; i < model->count; i++) {
        struct gossip_event_record *held = &model->records[i].as.event;
        const struct gossip_event_record *new = &record->as.event;
        bool same_dot = held->author == new->author && held->seq == new->seq;

        if (model->records[i].kind != GOSSIP_RECORD_EVENT)
            continue;
        if (held->delivery > last)
            last = held->delivery;
        if (!same_dot && held->delivery != new->delivery)
            continue;
        if (!same_dot || held->delivery != new->delivery || held->body != new->body ||
            (held->seal != NULL && new->seal != NULL && held->seal != new->seal))
            return GOSSIP_ERR_EXISTS;
        if (new->seal != NULL)
            held->seal = new->seal;
        return GOSSIP_OK;
    }
    if (record->as.event.delivery <= last)
        return GOSSIP_ERR_INVALID;
    model->records[model->count++] = *record;
    return GOSSIP_OK;
}

static int model_put(struct model *model, const struct gossip_record *record)
{
    size_t i = 0;

    assert_true(model->count < MODEL_MAX);
    if (record->kind == GOSSIP_RECORD_META && record->as.meta.name[0] == '\0')
        return GOSSIP_ERR_INVALID;
    if (record->kind == GOSSIP_RECORD_EVENT)
        return model_event(model, record);
    while (i < model->count && !same_key(&model->records[i], record))
        i++;
    model->records[i] = *record;
    if (i == model->count)
        model->count++;
    return GOSSIP_OK;
}

static struct gossip_record draw_record(uint64_t *seed, uint64_t *delivery)
{
    static const char *const names[] = {"a", "b", "c", "aa", "A", "z\xc3\xa9"};
    static const char *const bodies[] = {"first", "other"};
    uint64_t kind = draw(seed, 12);
    uint64_t number = draw(seed, 6);
    uint64_t value = draw(seed, 1000);
    struct gossip_record record;

    switch (kind) {
    case 0:
        return meta_number(names[number], value);
    case 1:
        return meta_bytes(names[number], bodies[value % 2], value % 6);
    case 2:
        return author((uint32_t)number, value);
    case 3:
        return mention((uint32_t)number, value % 7 + 1, (uint32_t)value);
    case 4:
        return signed_record((uint8_t)number, bodies[value % 2], 5);
    case 5:
        return peer((uint8_t)number, value % 2 == 0 ? ipv4 : ipv6, (uint16_t)value);
    }
    /* Most events are new; few of them contradict. */
    if (value % 30 == 0)
        record = event(*delivery + 1 - draw(seed, *delivery + 1), (uint32_t)number, value / 10 + 1);
    else if (value % 5 == 0 && *delivery > 0)
        record = event(1 + draw(seed, *delivery), 0, 0);
    else
        record = event(*delivery + 1 + value % 2, 0, 0);
    if (record.as.event.seq == 0)
        record = event(record.as.event.delivery, (uint32_t)(record.as.event.delivery % 6),
                       record.as.event.delivery);
    if (record.as.event.delivery > *delivery)
        *delivery = record.as.event.delivery;
    record = with_body(record, bodies[value % 50 == 1], 5);
    if (draw(seed, 2) == 0)
        record = sealed(record, draw(seed, 30) == 0 ? seal_b : seal_a);
    return record;
}

static void test_random_saves(void **state)
{
    enum { SAVES = 300, RECORDS_MAX = 12 };
    struct fixture *fixture = *state;
    const char *text = getenv("GOSSIP_TEST_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
    struct model *model = calloc(1, sizeof(*model));
    struct model *attempt = calloc(1, sizeof(*attempt));
    uint64_t delivery = 0;
    size_t refused = 0;

    print_message("to run this again: GOSSIP_TEST_SEED=%" PRIu64 "\n", seed);
    assert_non_null(model);
    assert_non_null(attempt);
    for (size_t i = 0; i < SAVES; i++) {
        struct gossip_record records[RECORDS_MAX];
        size_t count = 1 + draw(&seed, RECORDS_MAX);
        int expected = GOSSIP_OK;

        *attempt = *model;
        for (size_t j = 0; j < count; j++) {
            records[j] = draw_record(&seed, &delivery);
            if (draw(&seed, 60) == 0)
                records[j] = meta_number("", 1);
            if (records[j].kind == GOSSIP_RECORD_EVENT && !can(fixture->store, GOSSIP_STORE_EVENTS))
                continue;
            if (expected == GOSSIP_OK)
                expected = model_put(attempt, &records[j]);
        }
        assert_int_equal(save(fixture->store, records, count), expected);
        if (expected == GOSSIP_OK)
            *model = *attempt;
        else
            refused++;
        if (i % 10 == 0)
            assert_holds(fixture->store, model->records, model->count);
    }
    assert_holds(fixture->store, model->records, model->count);
    assert_true(refused > 0 && refused < SAVES);
    free(model);
    free(attempt);
}

/* ---- What a store says it can do. ---- */

/* The functions of an ability are there, and those of others are not. */
static void test_abilities(void **state)
{
    struct fixture *fixture = *state;
    const struct gossip_store *store = fixture->store;
    const struct gossip_store_ops *ops = store->ops;
    const unsigned all = GOSSIP_STORE_EVENTS | GOSSIP_STORE_DURABLE | GOSSIP_STORE_SIDE |
                         GOSSIP_STORE_MARKER | GOSSIP_STORE_IDENTITY | GOSSIP_STORE_BACKUP |
                         GOSSIP_STORE_ONCE;

    assert_int_equal(ops->abilities & ~all, 0);
    assert_true(ops->load != NULL && ops->save != NULL && ops->explain != NULL &&
                ops->close != NULL);
    assert_int_equal(ops->read != NULL, can(store, GOSSIP_STORE_EVENTS));
    assert_int_equal(ops->follow != NULL, can(store, GOSSIP_STORE_EVENTS));
    assert_int_equal(ops->has != NULL, can(store, GOSSIP_STORE_EVENTS));
    assert_int_equal(fixture->factory->reopen != NULL, can(store, GOSSIP_STORE_DURABLE));
    assert_int_equal(ops->read_side != NULL, can(store, GOSSIP_STORE_SIDE));
    assert_int_equal(ops->write_side != NULL, can(store, GOSSIP_STORE_SIDE));
    assert_int_equal(ops->read_marker != NULL, can(store, GOSSIP_STORE_MARKER));
    assert_int_equal(ops->write_marker != NULL, can(store, GOSSIP_STORE_MARKER));
    assert_int_equal(ops->fingerprint != NULL, can(store, GOSSIP_STORE_IDENTITY));
    assert_int_equal(ops->find_once != NULL, can(store, GOSSIP_STORE_ONCE));
    assert_true(can(store, GOSSIP_STORE_EVENTS) || !can(store, GOSSIP_STORE_ONCE));
    assert_int_equal(ops->backup_begin != NULL, can(store, GOSSIP_STORE_BACKUP));
    assert_int_equal(ops->backup_step != NULL, can(store, GOSSIP_STORE_BACKUP));
    assert_int_equal(ops->backup_end != NULL, can(store, GOSSIP_STORE_BACKUP));
}

/* Where none are kept, all or nothing goes for them too. */
static void test_events_are_refused(void **state)
{
    struct gossip_store *store = ((struct fixture *)*state)->store;
    const struct gossip_record records[] = {meta_number("m", 1), event(1, 0, 1), author(0, 1)};

    for (size_t i = 0; i < COUNT(records); i++) {
        assert_int_equal(store->ops->save(store, records + i, COUNT(records) - i),
                         i < 2 ? GOSSIP_ERR_INVALID : GOSSIP_OK);
        if (i < 2) {
            assert_true(strlen(store->ops->explain(store)) > 0);
            assert_int_equal(store->ops->load(store, never, NULL), 0);
        }
    }
    assert_holds(store, records + 2, 1);
}

static void reopen(struct fixture *fixture)
{
    struct gossip_store *store = fixture->store;

    fixture->store = NULL;
    store->ops->close(store);
    assert_int_equal(fixture->factory->reopen(fixture->factory->context, &fixture->store),
                     GOSSIP_OK);
}

static void assert_side(struct gossip_store *store, const struct gossip_side *expected)
{
    struct gossip_side side;

    assert_int_equal(store->ops->read_side(store, &side), GOSSIP_OK);
    assert_memory_equal(side.epoch, expected->epoch, GOSSIP_EPOCH_SIZE);
    assert_int_equal(side.mark, expected->mark);
    assert_int_equal(side.boot, expected->boot);
}

static void test_side(void **state)
{
    struct fixture *fixture = *state;
    struct gossip_side side = {.epoch = {1, 2, 3}, .mark = UINT64_C(1) << 62, .boot = 7};

    assert_int_equal(fixture->store->ops->read_side(fixture->store, &side), GOSSIP_ERR_NOT_FOUND);
    for (uint64_t i = 0; i < 3; i++) {
        side.mark += i;
        side.boot = i;
        assert_int_equal(fixture->store->ops->write_side(fixture->store, &side), GOSSIP_OK);
        assert_side(fixture->store, &side);
        if (fixture->factory->reopen != NULL)
            reopen(fixture);
        assert_side(fixture->store, &side);
    }
    assert_int_equal(fixture->store->ops->load(fixture->store, never, NULL), 0);
}

static void test_marker(void **state)
{
    static const uint8_t none[GOSSIP_HASH_SIZE];
    struct fixture *fixture = *state;
    struct gossip_marker marker;
    struct gossip_marker found;

    assert_int_equal(fixture->store->ops->read_marker(fixture->store, &marker), GOSSIP_OK);
    assert_memory_equal(marker.hash, none, GOSSIP_HASH_SIZE);
    assert_int_equal(marker.crashes, 0);
    for (uint32_t i = 0; i < 3; i++) {
        memset(marker.hash, (int)i, GOSSIP_HASH_SIZE);
        marker.crashes = 3 - i;
        assert_int_equal(fixture->store->ops->write_marker(fixture->store, &marker), GOSSIP_OK);
        if (fixture->factory->reopen != NULL)
            reopen(fixture);
        assert_int_equal(fixture->store->ops->read_marker(fixture->store, &found), GOSSIP_OK);
        assert_memory_equal(found.hash, marker.hash, GOSSIP_HASH_SIZE);
        assert_int_equal(found.crashes, marker.crashes);
    }
    assert_int_equal(fixture->store->ops->load(fixture->store, never, NULL), 0);
}

static void test_fingerprint_stays(void **state)
{
    struct fixture *fixture = *state;
    uint8_t first[GOSSIP_HASH_SIZE];
    uint8_t later[GOSSIP_HASH_SIZE];

    assert_int_equal(fixture->store->ops->fingerprint(fixture->store, first), GOSSIP_OK);
    assert_int_equal(save_one(fixture->store, meta_number("m", 1)), GOSSIP_OK);
    if (fixture->factory->reopen != NULL)
        reopen(fixture);
    assert_int_equal(fixture->store->ops->fingerprint(fixture->store, later), GOSSIP_OK);
    assert_memory_equal(first, later, sizeof(first));
}

/* ---- What is run: by what a store can do. ---- */

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static const struct CMUnitTest all_tests[] = {
    TEST(test_abilities),
    TEST(test_new_store_is_empty),
    TEST(test_every_kind_comes_back),
    TEST(test_records_are_copied),
    TEST(test_equal_key_replaces),
    TEST(test_signed_records_are_forgotten),
    TEST(test_last_of_equal_keys_holds),
    TEST(test_empty_is_not_absent),
    TEST(test_visits_can_stop),
    TEST(test_refused_records),
    TEST(test_save_is_all_or_nothing),
    TEST(test_greatest_numbers),
    TEST(test_random_saves),
};

static const struct CMUnitTest event_tests[] = {
    TEST(test_has),          TEST(test_find_once),         TEST(test_read),
    TEST(test_follow),       TEST(test_seal_can_be_added), TEST(test_refused_events),
    TEST(test_large_bodies), TEST(test_large_batches),
};
static const struct CMUnitTest no_event_tests[] = {TEST(test_events_are_refused)};
static const struct CMUnitTest durable_tests[] = {TEST(test_what_is_saved_outlives_a_close)};
static const struct CMUnitTest side_tests[] = {TEST(test_side)};
static const struct CMUnitTest marker_tests[] = {TEST(test_marker)};
static const struct CMUnitTest identity_tests[] = {TEST(test_fingerprint_stays)};

enum { TESTS_MAX = 64 };

struct selection {
    struct CMUnitTest tests[TESTS_MAX];
    size_t count;
};

static void add_tests(struct selection *selection, const struct CMUnitTest *tests, size_t count)
{
    assert_true(selection->count + count <= TESTS_MAX);
    memcpy(selection->tests + selection->count, tests, count * sizeof(tests[0]));
    selection->count += count;
}

/* Makes a store to ask it. */
static int ask_abilities(const struct store_factory *factory, unsigned *ret_abilities)
{
    struct gossip_store *store;
    int error = factory->create(factory->context, &store);

    if (error < 0)
        return error;
    *ret_abilities = store->ops->abilities;
    store->ops->close(store);
    if (factory->discard != NULL)
        factory->discard(factory->context);
    return GOSSIP_OK;
}

int store_contract_run(const struct store_factory *factory)
{
    struct selection selection = {.count = 0};
    unsigned abilities;
    union {
        const struct store_factory *factory;
        void *state;
    } initial = {factory};

    if (ask_abilities(factory, &abilities) < 0) {
        print_error("no %s store can be made\n", factory->name);
        return 1;
    }
    add_tests(&selection, all_tests, COUNT(all_tests));
    if (abilities & GOSSIP_STORE_EVENTS)
        add_tests(&selection, event_tests, COUNT(event_tests));
    else
        add_tests(&selection, no_event_tests, COUNT(no_event_tests));
    if (abilities & GOSSIP_STORE_DURABLE)
        add_tests(&selection, durable_tests, COUNT(durable_tests));
    if (abilities & GOSSIP_STORE_SIDE)
        add_tests(&selection, side_tests, COUNT(side_tests));
    if (abilities & GOSSIP_STORE_MARKER)
        add_tests(&selection, marker_tests, COUNT(marker_tests));
    if (abilities & GOSSIP_STORE_IDENTITY)
        add_tests(&selection, identity_tests, COUNT(identity_tests));
    for (size_t i = 0; i < selection.count; i++)
        selection.tests[i].initial_state = initial.state;
    return _cmocka_run_group_tests(factory->name, selection.tests, selection.count, NULL, NULL);
}
