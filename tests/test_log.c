#include "cmd/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

struct test_time {
    struct gossip_time base;
    uint64_t ms;
};

static uint64_t test_ms(struct gossip_time *time)
{
    return ((struct test_time *)time)->ms;
}

static int test_random(struct gossip_time *time, uint8_t *buffer, size_t size)
{
    (void)time;
    memset(buffer, 7, size);
    return GOSSIP_OK;
}

static const struct gossip_time_ops test_time_ops = {test_ms, test_ms, test_random};

static struct test_time make_time(void)
{
    return (struct test_time){.base = {&test_time_ops}, .ms = UINT64_C(1767323045678)};
}

/* Reads what is there, at most capacity - 1 bytes. */
static size_t read_text(int descriptor, char *text, size_t capacity)
{
    ssize_t size = read(descriptor, text, capacity - 1);

    assert_true(size >= 0);
    text[size] = '\0';
    return (size_t)size;
}

static void test_values(void **state)
{
    static const struct {
        const char *value;
        const char *shown;
    } cases[] = {
        {"n1", "n1"},
        {"", "\"\""},
        {"{n1:3 n2:1}", "\"{n1:3 n2:1}\""},
        {"a=b", "\"a=b\""},
        {"say \"no\"", "\"say \\\"no\\\"\""},
        {"back\\slash", "\"back\\\\slash\""},
        {"a\nlevel=error", "\"a\\nlevel=error\""},
        {"\x1b[2J", "\"\\x1b[2J\""},
        {"caf\xc3\xa9", "\"caf\\xc3\\xa9\""},
    };
    struct test_time time = make_time();
    struct log *log;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(log_open(ends[1], &time.base, &log), GOSSIP_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512];
        char expected[512];

        log_begin(log, LOG_WARN, "test");
        log_add(log, "key", cases[i].value);
        log_add_number(log, "number", 7);
        log_end(log);
        read_text(ends[0], text, sizeof(text));
        snprintf(expected, sizeof(expected),
                 "time=2026-01-02T03:04:05.678Z level=warn event=test key=%s number=7\n",
                 cases[i].shown);
        assert_string_equal(text, expected);
    }
    log_close(log);
    close(ends[0]);
    close(ends[1]);
}

static void test_notices(void **state)
{
    struct test_time time = make_time();
    struct gossip_notice notice = {.kind = GOSSIP_NOTICE_FUTURE,
                                   .name = "n2",
                                   .dot = {.author = 1, .seq = 3},
                                   .number = 60000};
    struct log *log;
    char text[512];
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(log_open(ends[1], &time.base, &log), GOSSIP_OK);
    log_notice(log, &notice, "n2#ab12");
    read_text(ends[0], text, sizeof(text));
    assert_string_equal(text, "time=2026-01-02T03:04:05.678Z level=warn event=future-stamp node=n2 "
                              "dot=n2#ab12:3 ahead_ms=60000\n");
    log_close(log);
    close(ends[0]);
    close(ends[1]);
}

static void write_lines(struct log *log, struct test_time *time, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        time->ms += 100; /* Slow enough not to be held back for its rate. */
        log_begin(log, LOG_INFO, "fill");
        log_add_number(log, "line", i);
        log_end(log);
    }
}

/* Nobody reads: no call blocks. Once somebody does, the loss is told. */
static void check_full(int reader, int writer)
{
    struct test_time time = make_time();
    static char text[1 << 20];
    struct log *log;

    assert_int_equal(log_open(writer, &time.base, &log), GOSSIP_OK);
    write_lines(log, &time, 20000);
    assert_int_equal(fcntl(writer, F_GETFL) & O_NONBLOCK, 0); /* Not ours to change. */
    read_text(reader, text, sizeof(text));
    write_lines(log, &time, 1);
    while (!strstr(text, "event=lines-lost"))
        read_text(reader, text, sizeof(text));
    assert_non_null(strstr(text, " level=warn event=lines-lost count="));
    log_close(log);
}

static void test_full_pipe(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    check_full(ends[0], ends[1]);
    close(ends[0]);
    close(ends[1]);
}

static void test_full_socket(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    check_full(ends[0], ends[1]);
    close(ends[0]);
    close(ends[1]);
}

static void test_rate(void **state)
{
    struct test_time time = make_time();
    static char text[1 << 20];
    struct log *log;
    size_t lines = 0;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(log_open(ends[1], &time.base, &log), GOSSIP_OK);
    for (size_t i = 0; i < 1000; i++) {
        log_begin(log, LOG_WARN, "flood");
        log_end(log);
    }
    log_begin(log, LOG_ERROR, "grave"); /* Passes. */
    log_end(log);
    read_text(ends[0], text, sizeof(text));
    for (const char *line = text; (line = strstr(line, "event=flood")); line++)
        lines++;
    assert_in_range(lines, 1, 200);
    assert_non_null(strstr(text, "event=grave"));
    assert_non_null(strstr(text, "event=lines-lost count=900\n"));
    log_close(log);
    close(ends[0]);
    close(ends[1]);
}

static void test_closed(void **state)
{
    struct test_time time = make_time();
    struct log *log;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    close(ends[1]);
    assert_int_equal(log_open(ends[1], &time.base, &log), GOSSIP_OK);
    write_lines(log, &time, 10);
    log_close(log);
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),    cmocka_unit_test(test_notices),
        cmocka_unit_test(test_full_pipe), cmocka_unit_test(test_full_socket),
        cmocka_unit_test(test_rate),      cmocka_unit_test(test_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
