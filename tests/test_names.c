#include "cmd/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { AUTHORS_MAX = 8 };

/* Name, epoch and the first bytes of the id in hex. */
struct seed {
    const char *name;
    const char *epoch;
    const char *id;
};

static void read_hex(const char *text, uint8_t *bytes)
{
    for (size_t i = 0; text[2 * i]; i++) {
        char digits[] = {text[2 * i], text[2 * i + 1], '\0'};

        bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
}

static struct names *make_names(const struct seed *seeds, size_t count)
{
    struct gossip_author authors[AUTHORS_MAX] = {{0}};
    struct names *names;

    for (size_t i = 0; i < count; i++) {
        authors[i].number = (uint32_t)i;
        authors[i].name = seeds[i].name;
        read_hex(seeds[i].epoch, authors[i].epoch);
        read_hex(seeds[i].id, authors[i].id);
    }
    assert_int_equal(names_create(authors, count, &names), GOSSIP_OK);
    return names;
}

static const struct seed seeds[] = {
    {"n2", "1111111111111111", "aa"},
    {"n1", "ab12000000000000", "bb"},
    {"n1", "ab13ff0000000000", "cc"},
    {"n1", "ab13fe0000000000", "dd"},
    {NULL, "0000000000000000", "c0ffee0100"},
    {NULL, "0000000000000000", "c0ffee0101"},
    {"evil", "7777777777777777", "01"},
    {"evil", "7777777777777777", "02"}, /* Another key that has chosen the same epoch. */
};

enum { SEED_COUNT = sizeof(seeds) / sizeof(seeds[0]) };

static void test_shown(void **state)
{
    static const char *const shown[] = {
        "n2",
        "n1#ab12",
        "n1#ab13ff",
        "n1#ab13fe",
        "?c0ffee0100",
        "?c0ffee0101",
        "evil#777777777777777701",
        "evil#777777777777777702",
    };
    struct names *names = make_names(seeds, SEED_COUNT);

    (void)state;
    assert_int_equal(names_count(names), SEED_COUNT);
    for (uint32_t i = 0; i < SEED_COUNT; i++)
        assert_string_equal(names_get(names, i), shown[i]);
    for (uint32_t i = 0; i < SEED_COUNT; i++)
        for (uint32_t j = 0; j < SEED_COUNT; j++)
            assert_int_equal(names_rank(names, i) < names_rank(names, j),
                             strcmp(shown[i], shown[j]) < 0);
    names_destroy(names);
}

static void test_alone(void **state)
{
    static const struct seed one[] = {{"n1", "ab12000000000000", "bb"}, {NULL, "00", "0123456789"}};
    struct names *names = make_names(one, 2);

    (void)state;
    assert_string_equal(names_get(names, 0), "n1");
    assert_string_equal(names_get(names, 1), "?01234567");
    names_destroy(names);
}

/* What is shown can be typed. */
static void test_round_trip(void **state)
{
    struct names *names = make_names(seeds, SEED_COUNT);

    (void)state;
    for (uint32_t i = 0; i < SEED_COUNT; i++) {
        struct text explanation = {0};
        const char *shown = names_get(names, i);
        char written[GOSSIP_VCLOCK_NAME_MAX];
        uint32_t author = UINT32_MAX;

        assert_int_equal(names_find(names, shown, strlen(shown), &author, &explanation), GOSSIP_OK);
        assert_int_equal(author, i);
        assert_int_equal(names_write(names, i, written, sizeof(written)), strlen(shown));
        assert_string_equal(written, shown);
    }
    names_destroy(names);
}

static void test_dots(void **state)
{
    static const struct {
        const char *text;
        int error;
        uint32_t author;
        uint64_t seq;
        const char *explanation; /* Part of it. */
    } cases[] = {
        {"n2:1", GOSSIP_OK, 0, 1, NULL},
        {"n2:4611686018427387904", GOSSIP_OK, 0, GOSSIP_COUNTER_MAX, NULL},
        {"n2#1111:7", GOSSIP_OK, 0, 7, NULL},
        {"n2#1:7", GOSSIP_OK, 0, 7, NULL}, /* Enough digits, as there is only one. */
        {"n1#ab12:3", GOSSIP_OK, 1, 3, NULL},
        {"n1#ab13f:3", GOSSIP_ERR_INVALID, 0, 0,
         "2 authors are called n1#ab13f, say which: "
         "n1#ab13ff, n1#ab13fe"},
        {"n1:3", GOSSIP_ERR_INVALID, 0, 0,
         "3 authors are called n1, say which: n1#ab12, "
         "n1#ab13ff, n1#ab13fe"},
        {"n3:1", GOSSIP_ERR_NOT_FOUND, 0, 0, "no author is called n3 here"},
        {"n2#2222:1", GOSSIP_ERR_NOT_FOUND, 0, 0, "no author is called n2#2222"},
        {"?c0ffee0101:1", GOSSIP_OK, 5, 1, NULL},
        {"?c0ffee:1", GOSSIP_ERR_INVALID, 0, 0, "2 authors"},
        {"n2:0", GOSSIP_ERR_INVALID, 0, 0, "looks like n1:3"},
        {"n2:01", GOSSIP_ERR_INVALID, 0, 0, "looks like n1:3"},
        {"n2:-1", GOSSIP_ERR_INVALID, 0, 0, "looks like n1:3"},
        {"n2:+1", GOSSIP_ERR_INVALID, 0, 0, "looks like n1:3"},
        {"n2:4611686018427387905", GOSSIP_ERR_INVALID, 0, 0, "looks like n1:3"},
        {"n2:18446744073709551617", GOSSIP_ERR_INVALID, 0, 0, "looks like n1:3"},
        {"n2:1x", GOSSIP_ERR_INVALID, 0, 0, "looks like n1:3"},
        {"n2:", GOSSIP_ERR_INVALID, 0, 0, "looks like n1:3"},
        {"n2", GOSSIP_ERR_INVALID, 0, 0, "looks like n1:3"},
        {":1", GOSSIP_ERR_INVALID, 0, 0, "looks like n1:3"},
        {"", GOSSIP_ERR_INVALID, 0, 0, "looks like n1:3"},
        {"#ab12:1", GOSSIP_ERR_NOT_FOUND, 0, 0, "no author is called #ab12"},
        {"n2#:1", GOSSIP_ERR_INVALID, 0, 0, "a name is missing"},
        {"?:1", GOSSIP_ERR_INVALID, 0, 0, "a name is missing"},
        {"\x1b[2J:1", GOSSIP_ERR_NOT_FOUND, 0, 0, "no author is called \\x1b[2J here"},
        {"\x1b[2J", GOSSIP_ERR_INVALID, 0, 0, "\"\\x1b[2J\""},
    };
    struct names *names = make_names(seeds, SEED_COUNT);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gossip_dot dot = {0};
        struct text explanation = {0};
        int error = names_read_dot(names, cases[i].text, &dot, &explanation);

        assert_int_equal(error, cases[i].error);
        assert_int_equal(dot.author, cases[i].author);
        assert_true(dot.seq == cases[i].seq);
        if (cases[i].explanation)
            assert_non_null(strstr(explanation.data, cases[i].explanation));
        else
            assert_null(explanation.data);
        text_clear(&explanation);
    }
    names_destroy(names);
}

/* In full, a name is the same whoever else is known. */
static void test_all_digits(void **state)
{
    struct names *names = make_names(seeds, SEED_COUNT);
    uint32_t found;

    (void)state;
    names_show_all(names);
    assert_string_equal(names_get(names, 0), "n2#1111111111111111aa000000000000000000000000000000");
    assert_string_equal(names_get(names, 2), "n1#ab13ff0000000000cc000000000000000000000000000000");
    assert_string_equal(names_get(names, 4), "?c0ffee01000000000000000000000000");
    for (uint32_t i = 0; i < SEED_COUNT; i++) {
        const char *name = names_get(names, i);

        assert_int_equal(names_find(names, name, strlen(name), &found, NULL), GOSSIP_OK);
        assert_int_equal(found, i);
        for (uint32_t j = 0; j < SEED_COUNT; j++)
            assert_int_equal(names_rank(names, i) < names_rank(names, j),
                             strcmp(name, names_get(names, j)) < 0);
    }
    names_destroy(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shown), cmocka_unit_test(test_all_digits),
        cmocka_unit_test(test_alone), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_dots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
