#include "cmd/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void test_escapes(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *terminal;
        const char *ascii;
    } cases[] = {
        {"add Book", 8, "add Book", "add Book"},
        {"", 0, "", ""},
        {"a\nb\tc\rd", 7, "a\\nb\\tc\\rd", "a\\nb\\tc\\rd"},
        {"C:\\x", 4, "C:\\\\x", "C:\\\\x"},
        {"\0\x01\x7f", 3, "\\x00\\x01\\x7f", "\\x00\\x01\\x7f"},
        {"\x1b[31m", 5, "\\x1b[31m", "\\x1b[31m"},
        {"caf\xc3\xa9", 5, "caf\xc3\xa9", "caf\\xc3\\xa9"},
        {"\xe2\x82\xac", 3, "\xe2\x82\xac", "\\xe2\\x82\\xac"},                  /* Euro sign. */
        {"\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80", "\\xf0\\x9f\\x98\\x80"},     /* A smile. */
        {"\xc2\x9b", 2, "\\xc2\\x9b", "\\xc2\\x9b"},                             /* C1: CSI. */
        {"\xe2\x80\xae", 3, "\\xe2\\x80\\xae", "\\xe2\\x80\\xae"},               /* RTL override. */
        {"\xe2\x80\x8b", 3, "\\xe2\\x80\\x8b", "\\xe2\\x80\\x8b"},               /* Zero width. */
        {"\xf3\xa0\x81\x81", 4, "\\xf3\\xa0\\x81\\x81", "\\xf3\\xa0\\x81\\x81"}, /* A tag. */
        {"\xff\xfe", 2, "\\xff\\xfe", "\\xff\\xfe"},
        {"\xc3", 1, "\\xc3", "\\xc3"},                             /* Cut off. */
        {"\xc0\x80", 2, "\\xc0\\x80", "\\xc0\\x80"},               /* Too long a form of 0. */
        {"\xed\xa0\x80", 3, "\\xed\\xa0\\x80", "\\xed\\xa0\\x80"}, /* A surrogate. */
        {"\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80", "\\xf4\\x90\\x80\\x80"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text terminal = {0};
        struct text ascii = {0};

        text_add_escaped(&terminal, cases[i].bytes, cases[i].size, TEXT_ESCAPE_TERMINAL);
        text_add_escaped(&ascii, cases[i].bytes, cases[i].size, TEXT_ESCAPE_ASCII);
        assert_false(terminal.failed || ascii.failed);
        assert_string_equal(terminal.data ? terminal.data : "", cases[i].terminal);
        assert_string_equal(ascii.data ? ascii.data : "", cases[i].ascii);
        text_clear(&terminal);
        text_clear(&ascii);
    }
}

/* A line of a script is shown as it was written, but for what steers a terminal. */
static void test_script(void **state)
{
    static const char line[] = "publish n1 \"a\\n\\\\b\" \x1b";
    struct text shown = {0};

    (void)state;
    text_add_escaped(&shown, line, strlen(line), TEXT_ESCAPE_SCRIPT);
    assert_string_equal(shown.data, "publish n1 \"a\\n\\\\b\" \\x1b");
    text_clear(&shown);
}

/* Whatever the bytes: nothing below a space, no DEL, and in ASCII nothing above it. */
static void test_no_byte_steers(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        for (unsigned second = 0; second < 256; second++) {
            uint8_t bytes[] = {(uint8_t)first, (uint8_t)second};
            struct text terminal = {0};
            struct text ascii = {0};

            text_add_escaped(&terminal, bytes, 2, TEXT_ESCAPE_TERMINAL);
            text_add_escaped(&ascii, bytes, 2, TEXT_ESCAPE_ASCII);
            assert_true(text_is_utf8(terminal.data, terminal.size));
            for (size_t i = 0; i < terminal.size; i++)
                assert_true((uint8_t)terminal.data[i] >= ' ' && terminal.data[i] != 0x7f);
            for (size_t i = 0; i < ascii.size; i++)
                assert_true(ascii.data[i] >= ' ' && ascii.data[i] < 0x7f);
            text_clear(&terminal);
            text_clear(&ascii);
        }
    }
}

static void test_times(void **state)
{
    static const struct {
        uint64_t time_ms;
        const char *shown;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {UINT64_C(1767323045678), "2026-01-02T03:04:05.678Z"},
        {UINT64_C(951782400000), "2000-02-29T00:00:00.000Z"},
        {UINT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
        {UINT64_C(253402300800000), "9999-12-31T23:59:59.999Z"},
        {UINT64_C(281474976710655), "9999-12-31T23:59:59.999Z"}, /* 48 bits. */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text text = {0};

        text_add_time(&text, cases[i].time_ms);
        assert_string_equal(text.data, cases[i].shown);
        text_clear(&text);
    }
}

static void test_grows(void **state)
{
    struct text text = {0};
    char expected[3001];

    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        text_print(&text, "%s", "ab");
        text_add_bytes(&text, "c", 1);
        memcpy(expected + 3 * i, "abc", 3);
    }
    expected[3000] = '\0';
    assert_false(text.failed);
    assert_string_equal(text.data, expected);
    text.size = 2;
    text_pad(&text, 5);
    text_pad(&text, 5);
    text_add(&text, "|");
    assert_string_equal(text.data, "ab    |");
    text_clear(&text);
    assert_null(text.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escapes),        cmocka_unit_test(test_script),
        cmocka_unit_test(test_no_byte_steers), cmocka_unit_test(test_times),
        cmocka_unit_test(test_grows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
