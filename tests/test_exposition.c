/* Figures as Prometheus reads them, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cmd/exposition.h"

static void assert_shown(struct text *text, const char *expected)
{
    assert_false(text->failed);
    assert_string_equal(text->data, expected);
    text_clear(text);
}

static void test_head(void **state)
{
    struct text text = {0};

    (void)state;
    exposition_begin(&text, "a_total", EXPOSITION_COUNTER, "What is counted.");
    exposition_begin(&text, "b", EXPOSITION_GAUGE, "A \"quote\", a \\ and\nan end of line.");
    exposition_begin(&text, "c_seconds", EXPOSITION_HISTOGRAM, "");
    assert_shown(&text, "# HELP a_total What is counted.\n# TYPE a_total counter\n"
                        "# HELP b A \"quote\", a \\\\ and\\nan end of line.\n# TYPE b gauge\n"
                        "# HELP c_seconds \n# TYPE c_seconds histogram\n");
}

static void test_figures(void **state)
{
    struct text text = {0};
    const struct exposition_label none[] = {{NULL, NULL}};
    const struct exposition_label two[] = {{"a", "x"}, {"b", ""}, {NULL, NULL}};

    (void)state;
    exposition_add(&text, "a", NULL, 0);
    exposition_add(&text, "a", none, UINT64_MAX);
    exposition_add(&text, "a", two, 7);
    assert_shown(&text, "a 0\na 18446744073709551615\na{a=\"x\",b=\"\"} 7\n");
}

/* What a label says may come from anywhere: it can neither end its quotes nor its line. */
static void test_escape(void **state)
{
    static const struct {
        const char *value;
        const char *shown;
    } cases[] = {
        {"plain", "plain"},       {"\"", "\\\""},
        {"\\", "\\\\"},           {"\n", "\\n"},
        {"\\n", "\\\\n"},         {"a\"} 1\nb{c=\"", "a\\\"} 1\\nb{c=\\\""},
        {"\xc3\xa4", "\xc3\xa4"}, {"end\\", "end\\\\"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct exposition_label labels[] = {{"l", cases[i].value}, {NULL, NULL}};
        struct text text = {0};
        struct text expected = {0};

        exposition_add(&text, "m", labels, 1);
        text_print(&expected, "m{l=\"%s\"} 1\n", cases[i].shown);
        assert_shown(&text, expected.data);
        text_clear(&expected);
    }
}

static void test_seconds(void **state)
{
    static const struct {
        uint64_t us;
        const char *shown;
    } cases[] = {
        {0, "s 0\n"},
        {1, "s 0.000001\n"},
        {16, "s 0.000016\n"},
        {100000, "s 0.1\n"},
        {1000000, "s 1\n"},
        {10000000, "s 10\n"},
        {1048576, "s 1.048576\n"},
        {UINT64_MAX, "s 18446744073709.551615\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text text = {0};

        exposition_add_seconds(&text, "s", NULL, cases[i].us);
        assert_shown(&text, cases[i].shown);
    }
}

/* Each bucket has all that the ones before it have; what is faster than the first that is shown is
 * in it, and what is slower than the last is in +Inf alone. */
static void test_durations(void **state)
{
    const uint64_t counts[] = {1, 2, 4, 8, 16, 32};
    struct exposition_durations durations = {
        .counts = counts, .count = 6, .sum_us = 1500000, .first = 0, .last = 4};
    struct text text = {0};

    (void)state;
    exposition_add_durations(&text, "d", &durations);
    assert_shown(&text, "d_bucket{le=\"0.000001\"} 1\n"
                        "d_bucket{le=\"0.000002\"} 3\n"
                        "d_bucket{le=\"0.000004\"} 7\n"
                        "d_bucket{le=\"0.000008\"} 15\n"
                        "d_bucket{le=\"0.000016\"} 31\n"
                        "d_bucket{le=\"+Inf\"} 63\n"
                        "d_sum 1.5\n"
                        "d_count 63\n");
    durations.first = durations.last = 2;
    exposition_add_durations(&text, "d", &durations);
    assert_shown(&text, "d_bucket{le=\"0.000004\"} 7\n"
                        "d_bucket{le=\"+Inf\"} 63\n"
                        "d_sum 1.5\n"
                        "d_count 63\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head),      cmocka_unit_test(test_figures),
        cmocka_unit_test(test_escape),    cmocka_unit_test(test_seconds),
        cmocka_unit_test(test_durations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
