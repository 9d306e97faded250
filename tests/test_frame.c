#include "gossip/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/bytes.h"
#include "tests/property.h"
#include "tests/vectors.h"

#define COUNTER_MAX GOSSIP_COUNTER_MAX

/* Sixteen bytes of one kind. */
#define ID_00 "00000000000000000000000000000000"
#define ID_80 "80808080808080808080808080808080"
#define ID_FF "ffffffffffffffffffffffffffffffff"
#define STAMP "0123456789abcdef"

/* Bytes of their own on the heap, so that a sanitizer sees who reads past them. */
static uint8_t *bytes_of(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(size);

    assert_non_null(bytes);
    if (size > 0)
        memcpy(bytes, data, size);
    return bytes;
}

/* Hex with spaces between whatever likes them. */
static uint8_t *hex(const char *text, size_t *ret_size)
{
    uint8_t bytes[512];
    size_t size = 0;

    while (*text != '\0') {
        unsigned byte;

        if (*text == ' ') {
            text++;
            continue;
        }
        assert_true(size < sizeof(bytes));
        assert_int_equal(sscanf(text, "%2x", &byte), 1);
        bytes[size++] = (uint8_t)byte;
        text += 2;
    }
    *ret_size = size;
    return bytes_of(bytes, size);
}

/* docs/protocol.md, "Body": what is refused whatever its author has written before. */
static void test_refused(void **state)
{
    static const struct {
        const char *why;
        const char *body;
    } cases[] = {
        {"nothing", ""},
        {"no stamp", "01234567 89abcd"},
        {"no kind", STAMP},
        {"no counts", STAMP "01"},
        {"no count of news", STAMP "01 00"},
        {"kind 0", STAMP "00 00 00"},
        {"kind past 32 bits", STAMP "8080808010 00 00"},
        {"kind past 64 bits", STAMP "80808080808080808002 00 00"},
        {"kind without an end", STAMP "8080808080808080808000 00 00"},
        {"kind not shortest", STAMP "8100 00 00"},
        {"kind not shortest, in three", STAMP "818000 00 00"},
        {"count of knowns not shortest", STAMP "01 8000 00"},
        {"count of news not shortest", STAMP "01 00 8000"},
        {"gap not shortest", STAMP "01 01 8100 05 00"},
        {"known seq not shortest", STAMP "01 01 01 8500 00"},
        {"new seq not shortest", STAMP "01 00 01" ID_80 "8500"},
        {"first gap 0", STAMP "01 01 00 05 00"},
        {"second gap 0", STAMP "01 02 01 05 00 05 00"},
        {"known seq 0", STAMP "01 01 01 00 00"},
        {"new seq 0", STAMP "01 00 01" ID_80 "00"},
        {"known seq past 2^62", STAMP "01 01 01 818080808080808040 00"},
        {"new seq past 2^62", STAMP "01 00 01" ID_80 "818080808080808040"},
        {"known seq 2^63", STAMP "01 01 01 80808080808080808001 00"},
        {"known seq 2^64 - 1", STAMP "01 01 01 ffffffffffffffffff01 00"},
        {"known seq past 64 bits", STAMP "01 01 01 ffffffffffffffffff02 00"},
        {"a mention no author can get to", STAMP "01 01 8080808010 05 00"},
        {"mentions that wrap", STAMP "01 02 02 05 ffffffffffffffffff01 05 00"},
        {"mentions that add up too high", STAMP "01 02 ffffffff0f 05 01 05 00"},
        {"an id twice", STAMP "01 00 02" ID_80 "01" ID_80 "02"},
        {"ids out of order", STAMP "01 00 02" ID_80 "01" ID_00 "02"},
        {"ids out of order in the end", STAMP "01 00 03" ID_00 "01" ID_FF "02" ID_80 "03"},
        {"a known too few", STAMP "01 02 01 05"},
        {"a known cut off after its gap", STAMP "01 01 01"},
        {"a known cut off in its seq", STAMP "01 01 01 80"},
        {"a new too few", STAMP "01 00 02" ID_80 "01"},
        {"an id cut off", STAMP "01 00 01 808080808080808080808080808080"},
        {"a new cut off after its id", STAMP "01 00 01" ID_80},
        {"16,385 knowns", STAMP "01 818001 01 01 00"},
        {"16,385 news", STAMP "01 00 818001" ID_80 "01"},
        {"2^64 - 1 knowns", STAMP "01 ffffffffffffffffff01 01 01 00"},
        {"2^64 - 1 news", STAMP "01 00 ffffffffffffffffff01" ID_80 "01"},
        {"1 known and 16,384 news", STAMP "01 01 01 01 808001" ID_80 "01"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct frame frame;
        struct frame before;
        size_t size;
        uint8_t *body = hex(cases[i].body, &size);

        memset(&frame, 0x5a, sizeof(frame));
        before = frame;
        if (frame_read(body, size, &frame))
            fail_msg("taken: %s", cases[i].why);
        assert_memory_equal(&frame, &before, sizeof(frame));
        free(body);
    }
}

/* What looks odd and is right. */
static void test_taken(void **state)
{
    static const struct {
        const char *body;
        uint64_t kind;
        uint32_t knowns;
        uint32_t news;
        size_t fields_size;
    } cases[] = {
        {STAMP "01 00 00", 1, 0, 0, 0},
        {STAMP "ffffffff0f 00 00", UINT32_MAX, 0, 0, 0},
        {STAMP "04 00 00 ff", 4, 0, 0, 1}, /* Fields are not judged. */
        {STAMP "01 01 01 808080808080808040 00", 1, 1, 0, 0},
        {STAMP "01 01 ffffffff0f 01 00", 1, 1, 0, 0},
        {STAMP "02 02 01 02 01 01 00 00", 2, 2, 0, 1},
        {STAMP "01 00 02" ID_00 "01" ID_FF "808080808080808040", 1, 0, 2, 0},
        {STAMP "01 01 07 01 01" ID_80 "01 1a00", 1, 1, 1, 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct frame frame;
        size_t size;
        uint8_t *body = hex(cases[i].body, &size);

        assert_true(frame_read(body, size, &frame));
        assert_true(frame.hlc == UINT64_C(0x0123456789abcdef));
        assert_true(frame.kind == cases[i].kind);
        assert_int_equal(frame.known_count, cases[i].knowns);
        assert_int_equal(frame.new_count, cases[i].news);
        assert_int_equal(frame.fields_size, cases[i].fields_size);
        assert_ptr_equal(frame.fields + frame.fields_size, body + size);
        free(body);
    }
}

/* Entries such as an author might have, of its own ids. */
struct draft {
    uint64_t hlc;
    uint64_t kind;
    struct frame_entry entries[64];
    uint8_t ids[64][GOSSIP_ID_SIZE];
    size_t count;
};

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, GOSSIP_ID_SIZE);
}

/* Numbers of all lengths, so that varints of all lengths appear. */
static uint64_t any_number(uint64_t *seed, uint64_t max)
{
    uint64_t bits = random_below(seed, 64);
    uint64_t number = random_next(seed) >> bits;

    return number % max + 1;
}

static void draft_make(struct draft *draft, uint64_t *seed)
{
    size_t knowns = (size_t)random_below(seed, 33);
    size_t news = (size_t)random_below(seed, 32);
    uint64_t mention = 0;

    memset(draft, 0, sizeof(*draft));
    draft->hlc = random_next(seed);
    draft->kind = any_number(seed, UINT32_MAX);
    draft->count = knowns + news;
    for (size_t i = 0; i < knowns; i++) {
        mention += any_number(seed, UINT32_MAX / 33);
        draft->entries[i].mention = mention;
    }
    for (size_t i = 0; i < news; i++) {
        uint64_t half = random_next(seed);

        /* Alike but for a few bytes: order is told by the last of them too. */
        memset(draft->ids[i], (int)random_below(seed, 3), GOSSIP_ID_SIZE);
        put_fixed(draft->ids[i] + 8, half, 8);
        draft->ids[i][15] = (uint8_t)i; /* No two alike. */
    }
    qsort(draft->ids, news, GOSSIP_ID_SIZE, compare_ids);
    for (size_t i = 0; i < news; i++)
        draft->entries[knowns + i].id = draft->ids[i];
    for (size_t i = 0; i < draft->count; i++)
        draft->entries[i].seq = any_number(seed, COUNTER_MAX);
}

static void check_entries(const struct frame *frame, const struct draft *draft)
{
    struct frame_entries entries = frame_entries(frame);
    struct frame_entry entry;

    for (size_t i = 0; i < draft->count; i++) {
        assert_true(frame_next(&entries, &entry));
        assert_true(entry.seq == draft->entries[i].seq);
        assert_true(entry.mention == draft->entries[i].mention);
        assert_int_equal(entry.id == NULL, draft->entries[i].id == NULL);
        if (entry.id != NULL)
            assert_memory_equal(entry.id, draft->entries[i].id, GOSSIP_ID_SIZE);
    }
    assert_false(frame_next(&entries, &entry));
    assert_false(frame_next(&entries, &entry));
}

static void test_round_trip(void **state)
{
    enum { FIELDS = 5 };
    uint64_t seed = random_start();

    (void)state;
    for (int round = 0; round < 300; round++) {
        struct draft draft;
        struct frame frame;
        size_t size;
        uint8_t *body;

        draft_make(&draft, &seed);
        size = frame_size(draft.kind, draft.entries, draft.count);
        body = malloc(size + FIELDS);
        assert_non_null(body);
        memset(body, 0xee, size + FIELDS);
        frame_write(body, draft.hlc, draft.kind, draft.entries, draft.count);
        for (size_t i = 0; i < FIELDS; i++)
            assert_int_equal(body[size + i], 0xee);

        assert_true(frame_read(body, size + FIELDS, &frame));
        assert_true(frame.hlc == draft.hlc);
        assert_true(frame.kind == draft.kind);
        assert_int_equal(frame.known_count + frame.new_count, draft.count);
        assert_ptr_equal(frame.fields, body + size);
        assert_int_equal(frame.fields_size, FIELDS);
        check_entries(&frame, &draft);

        for (size_t cut = 0; cut < size; cut++) {
            uint8_t *shorter = bytes_of(body, cut);

            assert_false(frame_read(shorter, cut, &frame));
            free(shorter);
        }
        free(body);
    }
}

/* A frame has one form: whatever is taken is what we would write for the same entries. */
static void test_canonical(void **state)
{
    uint64_t seed = random_start();
    size_t taken = 0;

    (void)state;
    for (int round = 0; round < 40000; round++) {
        static struct draft draft;
        static uint8_t body[4096];
        static uint8_t again[4096];
        struct frame_entry entries[256];
        struct frame_entries walk;
        struct frame frame;
        size_t size;
        size_t count = 0;

        if (round % 100 == 0)
            draft_make(&draft, &seed);
        size = frame_size(draft.kind, draft.entries, draft.count);
        assert_true(size + 32 < sizeof(body));
        frame_write(body, draft.hlc, draft.kind, draft.entries, draft.count);
        memset(body + size, 1, 32); /* Room for an entry more. */
        for (uint64_t i = 0, times = 1 + random_below(&seed, 3); i < times; i++) {
            uint64_t place = random_below(&seed, 2) == 0 ? 8 + random_below(&seed, 4)
                                                         : random_below(&seed, size);

            if (place < size)
                body[place] = (uint8_t)random_next(&seed);
        }
        if (!frame_read(body, size + 32, &frame))
            continue;
        taken++;
        walk = frame_entries(&frame);
        while (frame_next(&walk, &entries[count])) {
            count++;
            assert_true(count < sizeof(entries) / sizeof(entries[0]));
        }
        assert_int_equal(count, frame.known_count + frame.new_count);
        assert_int_equal(frame_size(frame.kind, entries, count), frame.fields - body);
        frame_write(again, frame.hlc, frame.kind, entries, count);
        assert_memory_equal(again, body, (size_t)(frame.fields - body));
    }
    assert_in_range(taken, 1000, 39000); /* It tried both. */
}

/* Both lists together may have 16,384 entries, and a body 1 MiB. */
static void test_greatest(void **state)
{
    enum { ENTRIES = GOSSIP_CONTEXT_ENTRIES_MAX };
    static const size_t splits[] = {0, 1, ENTRIES / 2, ENTRIES - 1, ENTRIES};
    uint8_t *ids = calloc(ENTRIES + 1, GOSSIP_ID_SIZE);
    struct frame_entry *entries = calloc(ENTRIES + 1, sizeof(*entries));
    uint8_t *body = calloc(1, GOSSIP_BODY_MAX + 1);

    (void)state;
    assert_non_null(ids);
    assert_non_null(entries);
    assert_non_null(body);
    for (size_t i = 0; i < sizeof(splits) / sizeof(splits[0]); i++) {
        struct writer writer = {body, GOSSIP_BODY_MAX, 0, false};
        struct frame_entries walk;
        struct frame_entry entry;
        struct frame frame;
        size_t count = 0;

        for (size_t j = 0; j < ENTRIES; j++) {
            put_fixed(ids + j * GOSSIP_ID_SIZE, j, 8);
            entries[j] = j < splits[i] ? (struct frame_entry){.mention = j + 1, .seq = COUNTER_MAX}
                                       : (struct frame_entry){.id = ids + j * GOSSIP_ID_SIZE,
                                                              .seq = COUNTER_MAX};
        }
        assert_true(frame_size(2, entries, ENTRIES) <= GOSSIP_BODY_MAX);
        frame_write(body, 1, 2, entries, ENTRIES);
        assert_true(frame_read(body, GOSSIP_BODY_MAX, &frame));
        assert_false(frame_read(body, GOSSIP_BODY_MAX + 1, &frame));
        walk = frame_entries(&frame);
        while (frame_next(&walk, &entry))
            count++;
        assert_int_equal(count, ENTRIES);

        /* One more by id, written by hand. */
        write_fixed(&writer, 1, 8);
        write_varint(&writer, 2);
        write_varint(&writer, splits[i]);
        for (size_t j = 0; j < splits[i]; j++) {
            write_varint(&writer, 1);
            write_varint(&writer, 1);
        }
        write_varint(&writer, ENTRIES - splits[i] + 1);
        for (size_t j = splits[i]; j <= ENTRIES; j++) {
            uint8_t id[GOSSIP_ID_SIZE] = {0};

            put_fixed(id, j, 8);
            write_bytes(&writer, id, sizeof(id));
            write_varint(&writer, 1);
        }
        assert_false(writer.failed);
        assert_false(frame_read(body, writer.size, &frame));
    }
    free(body);
    free(entries);
    free(ids);
}

static bool find(const char *fields, const char **ret_payload, size_t *ret_size, uint8_t **ret_body)
{
    struct frame frame;
    char text[1024];
    const uint8_t *payload = NULL;
    size_t size;
    bool found;

    snprintf(text, sizeof(text), STAMP "01 00 00 %s", fields);
    *ret_body = hex(text, &size);
    assert_true(frame_read(*ret_body, size, &frame));
    found = payload_find(&frame, &payload, ret_size);
    assert_int_equal(found, payload != NULL);
    *ret_payload = (const char *)payload;
    return found;
}

static void test_payload(void **state)
{
    static const struct {
        const char *fields;
        const char *payload; /* NULL: none that can be read. */
    } cases[] = {
        {"", NULL},
        {"1a00", ""},
        {"1a03 616263", "abc"},
        {"1a03 616263 1a02 7879", "xy"}, /* The last counts ... */
        {"1a03 616263 1a00", ""},        /* ... also where it is empty. */
        {"0a01 6b 1202 0801 1a01 70 2201 6f", "p"},
        {"2201 6f 1a01 70 0a01 6b", "p"}, /* In any order. */
        {"1a01 70 28 01", "p"},           /* Unknown: a varint, */
        {"1a01 70 28 ffffffffffffffffff01", "p"},
        {"29 0102030405060708 1a01 70", "p"}, /* eight bytes, */
        {"2d 01020304 1a01 70", "p"},         /* four, */
        {"2a03 1a0141 1a01 70", "p"},         /* a message with a field 3 of its own, */
        {"c23e 01 41 1a01 70", "p"},          /* a field of a high number. */
        {"2a03 1a0141", NULL},
        {"18 05", NULL}, /* Field 3 of another type is an unknown field. */
        {"18 05 1a01 70", "p"},
        {"1a01 70 18 05", "p"},
        {"1a 8100 70", NULL},      /* Not the shortest length. */
        {"9a00 01 70", NULL},      /* Not the shortest tag. */
        {"1a01 70 28 8000", NULL}, /* Not the shortest value. */
        {"1a01 70 00", NULL},      /* There is no field 0. */
        {"1a01 70 2b 2c", NULL},   /* A group, */
        {"1a01 70 2c", NULL},      /* its end, */
        {"1a01 70 2e", NULL},      /* and types that no version knows. */
        {"1a01 70 2f", NULL},
        {"1a01 70 28", NULL},
        {"1a01 70 29 01020304050607", NULL},
        {"1a01 70 2d 010203", NULL},
        {"1a01 70 2a", NULL},
        {"1a01 70 2a02 41", NULL},
        {"1a01 70 2a ffffffffffffffffff01 41", NULL},
        {"1a", NULL},
        {"1a01", NULL},
        {"1a ffffffff0f 70", NULL},
        {"1a01 70 ffffffffffffffffff02", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *payload;
        uint8_t *body;
        size_t size = 77;
        bool found = find(cases[i].fields, &payload, &size, &body);

        if (found != (cases[i].payload != NULL))
            fail_msg("%s: %s", found ? "found" : "not found", cases[i].fields);
        if (found) {
            assert_int_equal(size, strlen(cases[i].payload));
            assert_memory_equal(payload, cases[i].payload, size);
        } else {
            assert_int_equal(size, 77);
        }
        free(body);
    }
}

static void test_payload_field(void **state)
{
    static const size_t sizes[] = {0, 1, 127, 128, 16383, 16384, 1000000};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t *payload = malloc(sizes[i] + 1);
        size_t field_size = payload_field_size(sizes[i]);
        size_t start = frame_size(1, NULL, 0);
        uint8_t *body = malloc(start + field_size);
        const uint8_t *found;
        struct frame frame;
        size_t size;

        assert_non_null(payload);
        assert_non_null(body);
        for (size_t j = 0; j < sizes[i]; j++)
            payload[j] = (uint8_t)(j * 7);
        frame_write(body, 1, 1, NULL, 0);
        payload_field_write(body + start, payload, sizes[i]);
        assert_true(frame_read(body, start + field_size, &frame));
        assert_true(payload_find(&frame, &found, &size));
        assert_int_equal(size, sizes[i]);
        assert_memory_equal(found, payload, size);
        assert_ptr_equal(found + size, body + start + field_size);
        assert_false(frame_read(body, start - 1, &frame));
        assert_true(frame_read(body, start + field_size - 1, &frame));
        assert_false(payload_find(&frame, &found, &size));
        free(body);
        free(payload);
    }
}

/* What only an author's earlier events tell: such frames can be read, and are refused later. */
static bool is_told_by_the_past(const char *field)
{
    return strcmp(field, "refused.mention_not_given_out") == 0 ||
           strcmp(field, "refused.mention_given_out_here") == 0 ||
           strcmp(field, "refused.news_mentioned_before") == 0 ||
           strcmp(field, "refused.news_own_id") == 0;
}

static void test_golden_refused(void **state)
{
    struct vectors *vectors = vectors_open("refused");
    size_t refused = 0;
    size_t taken = 0;
    const char *field;

    (void)state;
    for (size_t i = 0; (field = vectors_field(vectors, i)) != NULL; i++) {
        bool is_taken = strncmp(field, "taken.", 6) == 0;
        struct frame frame;
        size_t size;
        const uint8_t *body = vectors_get(vectors, field, &size);

        if (!is_taken && strncmp(field, "refused.", 8) != 0)
            continue;
        is_taken = is_taken || is_told_by_the_past(field);
        if (frame_read(body, size, &frame) != is_taken)
            fail_msg("%s", field);
        refused += !is_taken;
        taken += is_taken;
    }
    assert_true(refused >= 27);
    assert_true(taken >= 6);
    vectors_close(vectors);
}

static void test_golden_events(void **state)
{
    struct vectors *vectors = vectors_open("event");

    (void)state;
    for (unsigned seq = 1; seq <= vectors_number(vectors, "alice1.count"); seq++) {
        struct frame frame;
        const uint8_t *body;
        const uint8_t *payload;
        size_t size;
        size_t payload_size;
        char field[64];

        snprintf(field, sizeof(field), "alice1.%u.body", seq);
        body = vectors_get(vectors, field, &size);
        assert_true(frame_read(body, size, &frame));
        snprintf(field, sizeof(field), "alice1.%u.kind", seq);
        assert_true(frame.kind == vectors_number(vectors, field));
        snprintf(field, sizeof(field), "alice1.%u.payload", seq);
        assert_int_equal(payload_find(&frame, &payload, &payload_size),
                         vectors_has(vectors, field));
        if (vectors_has(vectors, field))
            assert_memory_equal(payload, vectors_fixed(vectors, field, payload_size), payload_size);
    }
    vectors_close(vectors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),       cmocka_unit_test(test_taken),
        cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_greatest),      cmocka_unit_test(test_payload),
        cmocka_unit_test(test_payload_field), cmocka_unit_test(test_golden_refused),
        cmocka_unit_test(test_golden_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
