#include "gossip/vclock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/gossip.h"
#include "gossip/limits.h"
#include "tests/allocation.h"
#include "tests/property.h"

/* Who is called what. An author may have two names; the first is shown. */
struct directory {
    struct {
        const char *name;
        size_t length;
        uint32_t author;
    } rows[64];
    size_t count;
    int name_error; /* Unless 0, what asking for a name returns. */
};

static void add_row(struct directory *directory, const char *name, size_t length, uint32_t author)
{
    assert_true(directory->count < 64);
    directory->rows[directory->count].name = name;
    directory->rows[directory->count].length = length;
    directory->rows[directory->count].author = author;
    directory->count++;
}

static int show_name(void *context, uint32_t author, char *name, size_t size)
{
    const struct directory *directory = context;

    if (directory->name_error != 0)
        return directory->name_error;
    for (size_t i = 0; i < directory->count; i++) {
        if (directory->rows[i].author != author)
            continue;
        if (directory->rows[i].length < size) {
            memcpy(name, directory->rows[i].name, directory->rows[i].length);
            name[directory->rows[i].length] = '\0';
        }
        return (int)directory->rows[i].length;
    }
    return GOSSIP_ERR_NOT_FOUND;
}

static int find_name(void *context, const char *name, size_t size, uint32_t *ret_author)
{
    const struct directory *directory = context;

    for (size_t i = 0; i < directory->count; i++) {
        if (directory->rows[i].length != size || memcmp(directory->rows[i].name, name, size) != 0)
            continue;
        *ret_author = directory->rows[i].author;
        return GOSSIP_OK;
    }
    return GOSSIP_ERR_NOT_FOUND;
}

#define NAME_95                                                                                    \
    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggghhhhhhhhhhiiiiiiiiiijj" \
    "jjj"
#define NAME_96 NAME_95 "j"

/* n1 to n4 are 11 to 14, in an order of numbers that is not that of names. */
static struct directory directory_of_test(void)
{
    struct directory directory = {0};

    add_row(&directory, "n1", 2, 14);
    add_row(&directory, "n2", 2, 13);
    add_row(&directory, "n3", 2, 12);
    add_row(&directory, "n4", 2, 11);
    add_row(&directory, "same-as-n4", 10, 11);
    add_row(&directory, "", 0, 20);
    add_row(&directory, "\"\\/\b\f\n\r\t", 8, 21);
    add_row(&directory, "\x00\x1f\x7f", 3, 22);
    add_row(&directory, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, 23); /* e', Euro, a face. */
    add_row(&directory, NAME_95, 95, 24);
    add_row(&directory, NAME_96, 96, 25);
    add_row(&directory, "n", 1, 26);
    add_row(&directory, "n10", 3, 27);
    add_row(&directory, "\xff", 1, 28);
    add_row(&directory, "n1", 2, 29); /* As author 14. */
    add_row(&directory, "a b", 3, 30);
    add_row(&directory, "a,b", 3, 31);
    add_row(&directory, "a:b", 3, 32);
    add_row(&directory, "a{b", 3, 33);
    add_row(&directory, "a}b", 3, 34);
    add_row(&directory, "a\x7f", 2, 35);
    add_row(&directory, "a\tb", 3, 36);
    add_row(&directory, "\xed\xa0\x80", 3, 37);                         /* A surrogate as UTF-8. */
    add_row(&directory, "e\xc3", 2, 38);                                /* A sequence cut off. */
    add_row(&directory, "\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf", 9, 39); /* U+D7FF, E000, FFFF. */
    add_row(&directory, "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8, 40);     /* U+10000, 10FFFF. */
    add_row(&directory, "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80", 8, 41);     /* U+7F, 80, 7FF, 800. */
    return directory;
}

/* Pairs of author and counter, ended by author 0. */
struct entry {
    uint32_t author;
    uint64_t counter;
};

enum { ENTRIES = 6 };

static struct gossip_vclock clock_of(const struct entry entries[ENTRIES])
{
    struct gossip_vclock clock = {0};

    for (size_t i = 0; i < ENTRIES && entries[i].author != 0; i++)
        assert_int_equal(gossip_vclock_set(&clock, entries[i].author, entries[i].counter),
                         GOSSIP_OK);
    return clock;
}

typedef int write_function(const struct gossip_vclock *clock, gossip_vclock_name *name,
                           void *context, char **ret_text);
typedef int read_function(struct gossip_vclock *clock, const char *text, size_t size,
                          gossip_vclock_find *find, void *context, size_t *ret_where);

static void test_written(void **state)
{
    static const struct {
        struct entry entries[ENTRIES];
        const char *text; /* NULL: INVALID. */
        const char *json;
    } cases[] = {
        {{{0}}, "{}", "{}"},
        {{{14, 3}, {13, 1}}, "{n1:3 n2:1}", "{\"n1\":3,\"n2\":1}"},
        {{{11, 1}, {12, 2}, {13, 3}, {14, 4}},
         "{n1:4 n2:3 n3:2 n4:1}",
         "{\"n1\":4,\"n2\":3,\"n3\":2,\"n4\":1}"},
        /* Bytewise: a prefix first, n10 before n2. */
        {{{14, 1}, {13, 2}, {26, 3}, {27, 4}},
         "{n:3 n1:1 n10:4 n2:2}",
         "{\"n\":3,\"n1\":1,\"n10\":4,\"n2\":2}"},
        {{{14, GOSSIP_COUNTER_MAX}}, "{n1:4611686018427387904}", "{\"n1\":4611686018427387904}"},
        {{{20, 1}}, NULL, "{\"\":1}"},
        {{{21, 1}}, NULL, "{\"\\\"\\\\/\\b\\f\\n\\r\\t\":1}"},
        {{{22, 1}}, NULL, "{\"\\u0000\\u001f\x7f\":1}"},
        {{{23, 1}},
         "{\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80:1}",
         "{\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\":1}"},
        {{{24, 1}}, "{" NAME_95 ":1}", "{\"" NAME_95 "\":1}"},
        {{{25, 1}}, NULL, NULL},          /* Too long. */
        {{{14, 1}, {29, 1}}, NULL, NULL}, /* Two of one name. */
        {{{28, 1}}, "{\xff:1}", NULL},
        {{{30, 1}}, NULL, "{\"a b\":1}"},
        {{{31, 1}}, NULL, "{\"a,b\":1}"},
        {{{32, 1}}, NULL, "{\"a:b\":1}"},
        {{{33, 1}}, NULL, "{\"a{b\":1}"},
        {{{34, 1}}, NULL, "{\"a}b\":1}"},
        {{{35, 1}}, NULL, "{\"a\x7f\":1}"},
        {{{36, 1}}, NULL, "{\"a\\tb\":1}"},
        {{{37, 1}}, "{\xed\xa0\x80:1}", NULL},
        {{{38, 1}}, "{e\xc3:1}", NULL},
    };
    struct directory directory = directory_of_test();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gossip_vclock clock = clock_of(cases[i].entries);

        for (int json = 0; json <= 1; json++) {
            write_function *write = json ? gossip_vclock_to_json : gossip_vclock_to_text;
            const char *expected = json ? cases[i].json : cases[i].text;
            char untouched;
            char *text = &untouched;
            int error = write(&clock, show_name, &directory, &text);

            if (error != (expected == NULL ? GOSSIP_ERR_INVALID : GOSSIP_OK))
                fail_msg("case %zu, json %d: %s", i, json, gossip_strerror(error));
            if (expected == NULL) {
                assert_ptr_equal(text, &untouched);
                continue;
            }
            assert_string_equal(text, expected);
            free(text);
        }
        gossip_vclock_clear(&clock);
    }
}

static void test_error_of_name(void **state)
{
    struct directory directory = directory_of_test();
    struct gossip_vclock clock = clock_of((struct entry[ENTRIES]){{14, 1}, {99, 1}});
    char *text;

    (void)state;
    assert_int_equal(gossip_vclock_to_text(&clock, show_name, &directory, &text),
                     GOSSIP_ERR_NOT_FOUND);
    assert_int_equal(gossip_vclock_to_json(&clock, show_name, &directory, &text),
                     GOSSIP_ERR_NOT_FOUND);
    directory.name_error = GOSSIP_ERR_IO;
    assert_int_equal(gossip_vclock_to_text(&clock, show_name, &directory, &text), GOSSIP_ERR_IO);
    gossip_vclock_clear(&clock);
}

struct reading {
    const char *text;
    int error;
    size_t where; /* Of the error. */
    struct entry entries[ENTRIES];
};

/* Reads each into a clock that holds something else; and each from memory of exactly its size, so
 * that a byte read behind it is noticed. */
static void check_readings(read_function *read, const struct reading *cases, size_t count)
{
    struct directory directory = directory_of_test();

    for (size_t i = 0; i < count; i++) {
        struct gossip_vclock expected = clock_of(cases[i].entries);
        struct gossip_vclock clock = clock_of((struct entry[ENTRIES]){{3, 1}, {14, 7}, {50, 2}});
        struct gossip_vclock before = clock_of((struct entry[ENTRIES]){{3, 1}, {14, 7}, {50, 2}});
        size_t size = strlen(cases[i].text);
        char *bytes = malloc(size > 0 ? size : 1);
        size_t where = SIZE_MAX;
        int error;

        assert_non_null(bytes);
        memcpy(bytes, cases[i].text, size);
        error = read(&clock, bytes, size, find_name, &directory, &where);
        if (error != cases[i].error)
            fail_msg("'%s': %s at %zu", cases[i].text, gossip_strerror(error), where);
        if (error < 0 && where != cases[i].where)
            fail_msg("'%s': at %zu, not at %zu", cases[i].text, where, cases[i].where);
        if (error == GOSSIP_OK)
            assert_true(where == SIZE_MAX);
        if (gossip_vclock_compare(&clock, error < 0 ? &before : &expected) != GOSSIP_EQUAL)
            fail_msg("'%s': another clock", cases[i].text);
        assert_int_equal(read(&clock, bytes, size, find_name, &directory, NULL), error);
        free(bytes);
        gossip_vclock_clear(&clock);
        gossip_vclock_clear(&before);
        gossip_vclock_clear(&expected);
    }
}

#define OK        GOSSIP_OK
#define INVALID   GOSSIP_ERR_INVALID
#define LIMIT     GOSSIP_ERR_LIMIT
#define NOT_FOUND GOSSIP_ERR_NOT_FOUND

static void test_text_read(void **state)
{
    static const struct reading cases[] = {
        {"", OK, 0, {{0}}},
        {"{}", OK, 0, {{0}}},
        {"  {  }  ", OK, 0, {{0}}},
        {"{n1:3 n2:1}", OK, 0, {{14, 3}, {13, 1}}},
        {"{n2:1 n1:3}", OK, 0, {{14, 3}, {13, 1}}},
        {"n1:3 n2:1", OK, 0, {{14, 3}, {13, 1}}},
        {"n1:3,n2:1", OK, 0, {{14, 3}, {13, 1}}},
        {" {   n1:3  ,  n2:1   n3:2 } ", OK, 0, {{14, 3}, {13, 1}, {12, 2}}},
        {"n1:0", OK, 0, {{0}}},
        {"{n1:0 n2:5}", OK, 0, {{13, 5}}},
        {"same-as-n4:2", OK, 0, {{11, 2}}},
        {"n1:4611686018427387904", OK, 0, {{14, GOSSIP_COUNTER_MAX}}},
        {"n1:9007199254740993", OK, 0, {{14, (UINT64_C(1) << 53) + 1}}},
        {NAME_95 ":2", OK, 0, {{24, 2}}},
        {"\xff:2", OK, 0, {{28, 2}}},

        {"n1:4611686018427387905", LIMIT, 3},
        {"n1:9223372036854775808", LIMIT, 3},
        {"n1:18446744073709551615", LIMIT, 3},
        {"n1:18446744073709551616", LIMIT, 3}, /* 2^64: does not wrap to 0. */
        {"n1:99999999999999999999999999999999", LIMIT, 3},
        {"n9:1", NOT_FOUND, 0},
        {"n1:1 n9:0", NOT_FOUND, 5},
        {"{", INVALID, 1},
        {"}", INVALID, 0},
        {"{n1:1", INVALID, 5},
        {"n1:1}", INVALID, 4},
        {"{n1:1}}", INVALID, 6},
        {"{n1:1} n2:1", INVALID, 7},
        {"{{n1:1}}", INVALID, 1},
        {"n1", INVALID, 2},
        {"n1 :1", INVALID, 2},
        {"n1: 1", INVALID, 3},
        {"n1:", INVALID, 3},
        {":1", INVALID, 0},
        {",", INVALID, 0},
        {"n1:1,", INVALID, 5},
        {"{n1:1,}", INVALID, 6},
        {",n1:1", INVALID, 0},
        {"n1:1,,n2:1", INVALID, 5},
        {"n1:1 , , n2:1", INVALID, 7},
        {"n1:-1", INVALID, 3},
        {"n1:+1", INVALID, 3},
        {"n1:0x1", INVALID, 4},
        {"n1:01", INVALID, 4},
        {"n1:00", INVALID, 4},
        {"n1:1.0", INVALID, 4},
        {"n1:1e3", INVALID, 4},
        {"n1:1:2", INVALID, 4},
        {"n1:1n2:2", INVALID, 4},
        {"n1:1{", INVALID, 4},
        {"n1:1\n", INVALID, 4},
        {"n1:1\tn2:1", INVALID, 4},
        {"n\x7f:1", INVALID, 1},
        {"n1:1 n1:1", INVALID, 5},
        {"n1:0 n1:1", INVALID, 5},
        {"n1:1 n2:1 n1:0 n2:2", INVALID, 10},
        {"n4:1 same-as-n4:1", INVALID, 5},
        {"n1:1 n1:1 }", INVALID, 5}, /* The first of two mistakes. */
        {"n1:1 n1:1 n9:1", INVALID, 5},
        {"n1:1 n9:1 n1:1", NOT_FOUND, 5},
        {NAME_96 ":2", INVALID, 95},
    };

    (void)state;
    check_readings(gossip_vclock_from_text, cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_json_read(void **state)
{
    static const struct reading cases[] = {
        {"{}", OK, 0, {{0}}},
        {" \t\r\n{ \t\r\n} \t\r\n", OK, 0, {{0}}},
        {"{\"n1\":3,\"n2\":1}", OK, 0, {{14, 3}, {13, 1}}},
        {" { \"n2\" : 1 ,\n\"n1\"\t:\r3 } ", OK, 0, {{14, 3}, {13, 1}}},
        {"{\"n1\":0}", OK, 0, {{0}}},
        {"{\"n1\":4611686018427387904}", OK, 0, {{14, GOSSIP_COUNTER_MAX}}},
        {"{\"n1\":9007199254740993}", OK, 0, {{14, (UINT64_C(1) << 53) + 1}}},
        {"{\"\\u006e\\u0031\":3}", OK, 0, {{14, 3}}},
        {"{\"\":3}", OK, 0, {{20, 3}}},
        {"{\"\\\"\\\\\\/\\b\\f\\n\\r\\t\":1}", OK, 0, {{21, 1}}},
        {"{\"\\u0022\\u005C\\u002f\\u0008\\u000C\\u000a\\u000D\\u0009\":1}", OK, 0, {{21, 1}}},
        {"{\"\\u0000\\u001F\x7f\":1}", OK, 0, {{22, 1}}},
        {"{\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\":1}", OK, 0, {{23, 1}}},
        {"{\"\\u00e9\\u20AC\\uD83D\\uDE00\":1}", OK, 0, {{23, 1}}},
        {"{\"" NAME_95 "\":1}", OK, 0, {{24, 1}}},
        {"{\"\\uD7ff\\uE000\\uffff\":1}", OK, 0, {{39, 1}}},
        {"{\"\\ud800\\udc00\\udbff\\udfff\":1}", OK, 0, {{40, 1}}},
        {"{\"\\u007f\\u0080\\u07ff\\u0800\":1}", OK, 0, {{41, 1}}},
        {"{\"\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\":1}", OK, 0, {{39, 1}}},
        {"{\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\":1}", OK, 0, {{40, 1}}},
        {"{\"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\":1}", OK, 0, {{41, 1}}},

        {"{\"n1\":4611686018427387905}", LIMIT, 6},
        {"{\"n1\":18446744073709551616}", LIMIT, 6},
        {"{\"n1\":1e400}", INVALID, 7},
        {"{\"n9\":1}", NOT_FOUND, 1},
        {"{\"n1\":1,\"n9\":1}", NOT_FOUND, 8},
        {"", INVALID, 0},
        {"   ", INVALID, 3},
        {"[]", INVALID, 0},
        {"null", INVALID, 0},
        {"\xef\xbb\xbf{}", INVALID, 0}, /* A byte order mark. */
        {"{", INVALID, 1},
        {"{}{}", INVALID, 2},
        {"{} x", INVALID, 3},
        {"{,}", INVALID, 1},
        {"{\"n1\":1,}", INVALID, 8},
        {"{\"n1\":1", INVALID, 7},
        {"{\"n1\":1 \"n2\":1}", INVALID, 8},
        {"{\"n1\":1,,\"n2\":1}", INVALID, 8},
        {"{\"n1\"}", INVALID, 5},
        {"{\"n1\":}", INVALID, 6},
        {"{\"n1\" 1}", INVALID, 6},
        {"{\"n1", INVALID, 4},
        {"{n1:1}", INVALID, 1},
        {"{'n1':1}", INVALID, 1},
        {"{\"n1\":-1}", INVALID, 6},
        {"{\"n1\":-0}", INVALID, 6},
        {"{\"n1\":+1}", INVALID, 6},
        {"{\"n1\":01}", INVALID, 7},
        {"{\"n1\":1.0}", INVALID, 7},
        {"{\"n1\":1E0}", INVALID, 7},
        {"{\"n1\":\"1\"}", INVALID, 6},
        {"{\"n1\":null}", INVALID, 6},
        {"{\"n1\":true}", INVALID, 6},
        {"{\"n1\":{}}", INVALID, 6},
        {"{\"n1\":[1]}", INVALID, 6},
        {"{\"n1\":1/**/}", INVALID, 7},
        {"{\"n1\":1}\v", INVALID, 8},
        {"{\"n1\":1,\"n1\":2}", INVALID, 8},
        {"{\"n1\":1,\"\\u006e1\":2}", INVALID, 8},
        {"{\"n1\":1,\"n1\":2,}", INVALID, 8}, /* The first of two mistakes. */
        {"{\"\t\":1}", INVALID, 2},
        {"{\"a\x01\":1}", INVALID, 3},
        {"{\"\\x\":1}", INVALID, 3},
        {"{\"\\", INVALID, 3},
        {"{\"\\u12", INVALID, 6},
        {"{\"\\u12g4\":1}", INVALID, 6},
        {"{\"\\ud83d\":1}", INVALID, 2}, /* Half a pair, */
        {"{\"\\ud83d\\n\":1}", INVALID, 2},
        {"{\"\\ud83d\\u0041\":1}", INVALID, 2},
        {"{\"\\ud83d\\ud83d\":1}", INVALID, 2},
        {"{\"a\\ude00\":1}", INVALID, 3}, /* and the other half. */
        {"{\"\xff\":1}", INVALID, 2},
        {"{\"\x80\":1}", INVALID, 2},
        {"{\"\xc0\xaf\":1}", INVALID, 2},         /* Overlong. */
        {"{\"\xe0\x9f\xbf\":1}", INVALID, 2},     /* Overlong. */
        {"{\"\xf0\x8f\xbf\xbf\":1}", INVALID, 2}, /* Overlong. */
        {"{\"\xed\xa0\x80\":1}", INVALID, 2},     /* A surrogate. */
        {"{\"\xf4\x90\x80\x80\":1}", INVALID, 2}, /* Past U+10FFFF. */
        {"{\"\xf5\x80\x80\x80\":1}", INVALID, 2},
        {"{\"\xe2\x82\":1}", INVALID, 2}, /* Cut off. */
        {"{\"\xe2\x82", INVALID, 2},
        {"{\"" NAME_96 "\":1}", INVALID, 97},
    };

    (void)state;
    check_readings(gossip_vclock_from_json, cases, sizeof(cases) / sizeof(cases[0]));
}

/* A NUL ends neither notation. */
static void test_nul(void **state)
{
    static const char text[] = "n1:1\0n2:1";
    static const char json[] = "{\"n1\":1}\0";
    struct directory directory = directory_of_test();
    struct gossip_vclock clock = {0};
    size_t where;

    (void)state;
    assert_int_equal(
        gossip_vclock_from_text(&clock, text, sizeof(text) - 1, find_name, &directory, &where),
        INVALID);
    assert_int_equal(where, 4);
    assert_int_equal(
        gossip_vclock_from_json(&clock, json, sizeof(json) - 1, find_name, &directory, &where),
        INVALID);
    assert_int_equal(where, 8);
}

/* A character of UTF-8, of any length, or for text of what text allows. */
static size_t random_character(uint64_t *seed, bool json, char *ret_bytes)
{
    static const char plain[] = "abcxyzABC019-_.\"\\/'[]~!";
    uint32_t code;

    if (!json && random_below(seed, 3) != 0) {
        ret_bytes[0] = plain[random_below(seed, sizeof(plain) - 1)];
        return 1;
    }
    switch (random_below(seed, json ? 4 : 3)) {
    case 0:
        code = 0x80 + (uint32_t)random_below(seed, 0x800 - 0x80);
        ret_bytes[0] = (char)(0xc0 | code >> 6);
        ret_bytes[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    case 1:
        do
            code = 0x800 + (uint32_t)random_below(seed, 0x10000 - 0x800);
        while (code >= 0xd800 && code <= 0xdfff);
        ret_bytes[0] = (char)(0xe0 | code >> 12);
        ret_bytes[1] = (char)(0x80 | (code >> 6 & 0x3f));
        ret_bytes[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    case 2:
        code = 0x10000 + (uint32_t)random_below(seed, 0x110000 - 0x10000);
        ret_bytes[0] = (char)(0xf0 | code >> 18);
        ret_bytes[1] = (char)(0x80 | (code >> 12 & 0x3f));
        ret_bytes[2] = (char)(0x80 | (code >> 6 & 0x3f));
        ret_bytes[3] = (char)(0x80 | (code & 0x3f));
        return 4;
    default:
        ret_bytes[0] = (char)random_below(seed, 0x80);
        return 1;
    }
}

static void check_round_trip(bool json)
{
    write_function *write = json ? gossip_vclock_to_json : gossip_vclock_to_text;
    read_function *read = json ? gossip_vclock_from_json : gossip_vclock_from_text;
    uint64_t seed = random_start();

    for (int i = 0; i < 400; i++) {
        struct directory directory = {0};
        struct gossip_vclock clock = {0};
        struct gossip_vclock back = {0};
        char names[20][GOSSIP_VCLOCK_NAME_MAX];
        size_t count = random_below(&seed, 20);
        char *text;
        char *again;

        for (size_t j = 0; j < count; j++) {
            size_t wanted = random_below(&seed, 5);
            size_t length = 0;
            uint32_t unused;

            if (wanted == 4)
                wanted = 80;
            else if (wanted == 0 && !json)
                wanted = 1;
            while (length < wanted)
                length += random_character(&seed, json, names[j] + length);
            if (find_name(&directory, names[j], length, &unused) == GOSSIP_OK)
                continue;
            add_row(&directory, names[j], length, (uint32_t)random_next(&seed));
        }
        for (size_t j = 0; j < directory.count; j++) {
            uint64_t counter = random_below(&seed, GOSSIP_COUNTER_MAX);

            counter = 1 + (counter >> random_below(&seed, 62));
            if (random_below(&seed, 8) == 0)
                counter = GOSSIP_COUNTER_MAX;
            assert_int_equal(gossip_vclock_set(&clock, directory.rows[j].author, counter),
                             GOSSIP_OK);
        }
        assert_int_equal(write(&clock, show_name, &directory, &text), GOSSIP_OK);
        assert_int_equal(read(&back, text, strlen(text), find_name, &directory, NULL), GOSSIP_OK);
        assert_int_equal(gossip_vclock_compare(&clock, &back), GOSSIP_EQUAL);
        assert_int_equal(write(&back, show_name, &directory, &again), GOSSIP_OK);
        assert_string_equal(text, again);

        /* Cut off anywhere, it is no clock: the brace is missing. */
        for (size_t cut = 0; cut < strlen(text); cut++) {
            if (cut > 0 || json)
                assert_int_not_equal(read(&back, text, cut, find_name, &directory, NULL),
                                     GOSSIP_OK);
        }
        assert_int_equal(gossip_vclock_compare(&clock, &back), GOSSIP_EQUAL);
        free(text);
        free(again);
        gossip_vclock_clear(&clock);
        gossip_vclock_clear(&back);
    }
}

static void test_text_round_trip(void **state)
{
    (void)state;
    check_round_trip(false);
}

static void test_json_round_trip(void **state)
{
    (void)state;
    check_round_trip(true);
}

/* Whatever stands there: a clock, or an error at a byte of it or at its end. */
static void test_any_bytes(void **state)
{
    static const char *const pieces[] = {"{",  "}",    "\"",   "n1", "n2",   ":",
                                         ",",  " ",    "1",    "0",  "\\u",  "d83d",
                                         "\\", "\xc3", "\xa9", "\t", "99999"};
    struct directory directory = directory_of_test();
    uint64_t seed = random_start();
    size_t read_whole = 0;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        struct gossip_vclock clock = {0};
        char text[64] = "";
        size_t count = random_below(&seed, 10);
        read_function *read = i % 2 ? gossip_vclock_from_json : gossip_vclock_from_text;
        size_t where = SIZE_MAX;
        int error;

        for (size_t j = 0; j < count; j++)
            strcat(text, pieces[random_below(&seed, sizeof(pieces) / sizeof(pieces[0]))]);
        error = read(&clock, text, strlen(text), find_name, &directory, &where);
        if (error < 0)
            assert_true(where <= strlen(text));
        assert_true(error == OK || error == INVALID || error == LIMIT || error == NOT_FOUND);
        read_whole += error == OK;
        gossip_vclock_clear(&clock);
    }
    assert_true(read_whole > 100);
}

static void test_failed_allocation_changes_nothing(void **state)
{
    static const char *const texts[] = {
        "{n1:1 n2:2 n3:3 n4:4}",
        "{\"n1\":1,\"n2\":2,\"n3\":3,\"n4\":4}",
    };
    struct directory directory = directory_of_test();

    (void)state;
    for (int json = 0; json <= 1; json++) {
        write_function *write = json ? gossip_vclock_to_json : gossip_vclock_to_text;
        read_function *read = json ? gossip_vclock_from_json : gossip_vclock_from_text;
        struct gossip_vclock clock = {0};
        char untouched;
        char *text = &untouched;
        size_t before = allocation_count;
        size_t needed;

        assert_int_equal(
            read(&clock, texts[json], strlen(texts[json]), find_name, &directory, NULL), OK);
        needed = allocation_count - before;
        assert_true(needed >= 3); /* Entries, and both arrays of the clock. */
        for (size_t nth = 1; nth <= needed; nth++) {
            struct gossip_vclock other = {0};

            allocation_fail(nth);
            assert_int_equal(
                read(&other, texts[json], strlen(texts[json]), find_name, &directory, NULL),
                GOSSIP_ERR_NOMEM);
            assert_int_equal(other.count, 0);
            gossip_vclock_clear(&other);
        }

        before = allocation_count;
        allocation_fail(0);
        assert_int_equal(write(&clock, show_name, &directory, &text), OK);
        needed = allocation_count - before;
        assert_true(needed >= 2); /* Names and text. */
        assert_string_equal(text, texts[json]);
        free(text);
        text = &untouched;
        for (size_t nth = 1; nth <= needed; nth++) {
            allocation_fail(nth);
            assert_int_equal(write(&clock, show_name, &directory, &text), GOSSIP_ERR_NOMEM);
            assert_ptr_equal(text, &untouched);
        }
        allocation_fail(0);
        gossip_vclock_clear(&clock);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written),
        cmocka_unit_test(test_error_of_name),
        cmocka_unit_test(test_text_read),
        cmocka_unit_test(test_json_read),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_text_round_trip),
        cmocka_unit_test(test_json_round_trip),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_failed_allocation_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
