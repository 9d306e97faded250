#include "cmd/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "transport/address.h"

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

#define HEAD_LOGFMT "time=2026-01-02T03:04:05.678Z level=warn event=api message="
#define HEAD_JSON                                                                                  \
    "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"warn\",\"event\":\"api\",\"message\":"

/* A log into a pipe. */
struct bench {
    struct test_time time;
    struct log *log;
    int ends[2];
};

static void open_bench(struct bench *bench, enum log_format format)
{
    bench->time = make_time();
    assert_int_equal(pipe(bench->ends), 0);
    assert_int_equal(log_open(bench->ends[1], format, &bench->time.base, &bench->log), GOSSIP_OK);
}

static void close_bench(struct bench *bench)
{
    close(bench->ends[0]);
    log_close(bench->log);
    close(bench->ends[1]);
}

static void say(struct log *log, const char *message)
{
    log_begin(log, MESSAGE_API);
    log_add(log, FIELD_MESSAGE, message);
    log_end(log);
}

static void test_values(void **state)
{
    static const struct {
        const char *value;
        const char *logfmt;
        const char *json;
    } cases[] = {
        {"n1", "n1", "\"n1\""},
        {"", "\"\"", "\"\""},
        {"{n1:3 n2:1}", "\"{n1:3 n2:1}\"", "\"{n1:3 n2:1}\""},
        {"a=b", "\"a=b\"", "\"a=b\""},
        {"say \"no\"", "\"say \\\"no\\\"\"", "\"say \\\"no\\\"\""},
        {"back\\slash", "\"back\\\\slash\"", "\"back\\\\slash\""},
        {"a\nlevel=error", "\"a\\nlevel=error\"", "\"a\\nlevel=error\""},
        {"\t\r\b", "\"\\t\\r\\u0008\"", "\"\\t\\r\\u0008\""},
        {"\x1b[2J\x7f", "\"\\u001b[2J\\u007f\"", "\"\\u001b[2J\\u007f\""},
        {"caf\xc3\xa9", "\"caf\\u00e9\"", "\"caf\\u00e9\""},
        {"\xc2\x9b"
         "2J",
         "\"\\u009b2J\"", "\"\\u009b2J\""},
        {"\xe2\x80\xae", "\"\\u202e\"", "\"\\u202e\""},
        {"\xf0\x9f\x98\x80", "\"\\ud83d\\ude00\"", "\"\\ud83d\\ude00\""},
        {"\xff\xc3", "\"\\\\xff\\\\xc3\"", "\"\\\\xff\\\\xc3\""},
        {"\xed\xa0\x80", "\"\\\\xed\\\\xa0\\\\x80\"", "\"\\\\xed\\\\xa0\\\\x80\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (enum log_format format = LOG_LOGFMT; format <= LOG_JSON; format++) {
            struct bench bench;
            char text[512];
            char expected[512];

            open_bench(&bench, format);
            say(bench.log, cases[i].value);
            read_text(bench.ends[0], text, sizeof(text));
            if (format == LOG_JSON)
                snprintf(expected, sizeof(expected), HEAD_JSON "%s}\n", cases[i].json);
            else
                snprintf(expected, sizeof(expected), HEAD_LOGFMT "%s\n", cases[i].logfmt);
            assert_string_equal(text, expected);
            close_bench(&bench);
        }
    }
}

/* A long value ends early, and not in the middle of an escape. */
static void test_long_values(void **state)
{
    static const char *const fillings[] = {"x", "\"", "\x1b", "\xf0\x9f\x98\x80"};
    static const char *const shown[] = {"x", "\\\"", "\\u001b", "\\ud83d\\ude00"};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        size_t whole = 1000 / strlen(shown[i]);

        for (size_t count = whole; count <= whole + 1000; count += count == whole ? 1 : 999) {
            char value[16384] = "";
            char expected[8192] = HEAD_JSON "\"";
            char text[8192];
            struct bench bench;

            for (size_t j = 0; j < count; j++)
                strcat(value, fillings[i]);
            for (size_t j = 0; j < whole; j++)
                strcat(expected, shown[i]);
            strcat(expected, count > whole ? "...\"}\n" : "\"}\n");
            open_bench(&bench, LOG_JSON);
            say(bench.log, value);
            read_text(bench.ends[0], text, sizeof(text));
            assert_string_equal(text, expected);
            close_bench(&bench);
        }
    }
}

static void test_numbers(void **state)
{
    struct bench bench;
    char text[512];

    (void)state;
    open_bench(&bench, LOG_JSON);
    log_begin(bench.log, MESSAGE_STOPPED);
    log_add_number(bench.log, FIELD_CODE, (UINT64_C(1) << 53) - 1);
    log_end(bench.log);
    read_text(bench.ends[0], text, sizeof(text));
    assert_string_equal(text, "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"info\","
                              "\"event\":\"stopped\",\"code\":9007199254740991}\n");
    close_bench(&bench);
}

/* What is said of one notice. */
static void say_notice(enum log_format format, const struct gossip_notice *notice, char *ret_text,
                       size_t capacity)
{
    struct bench bench;

    open_bench(&bench, format);
    log_notice(bench.log, notice, "n2#ab12");
    read_text(bench.ends[0], ret_text, capacity);
    close_bench(&bench);
}

static struct gossip_notice make_notice(enum gossip_notice_kind kind)
{
    struct gossip_notice notice = {
        .kind = kind, .name = "n2", .dot = {.author = 1, .seq = 3}, .number = 60000};

    assert_int_equal(address_from_text("127.0.0.1:7002", &notice.address), GOSSIP_OK);
    return notice;
}

static void test_notices(void **state)
{
    static const struct {
        enum gossip_notice_kind kind;
        uint64_t number;
        const char *shown;
    } cases[] = {
        {GOSSIP_NOTICE_PEER_ALIVE, 0, "level=info event=peer-alive node=n2 address=127.0.0.1:7002"},
        {GOSSIP_NOTICE_PEER_SILENT, 0,
         "level=info event=peer-silent node=n2 address=127.0.0.1:7002"},
        {GOSSIP_NOTICE_MEMBER, 0, "level=info event=member node=n2 address=127.0.0.1:7002"},
        {GOSSIP_NOTICE_REFUSED, 0,
         "level=warn event=refused node=n2 address=127.0.0.1:7002 dot=n2#ab12:3"},
        {GOSSIP_NOTICE_DISAGREES, 0,
         "level=warn event=disagrees node=n2 address=127.0.0.1:7002 dot=n2#ab12:3"},
        {GOSSIP_NOTICE_DROPPED, 7,
         "level=warn event=dropped node=n2 address=127.0.0.1:7002 dot=n2#ab12:3 count=7"},
        {GOSSIP_NOTICE_FUTURE, 60000,
         "level=warn event=future-stamp node=n2 address=127.0.0.1:7002 dot=n2#ab12:3 "
         "ahead_ms=60000"},
        {GOSSIP_NOTICE_DISK_FULL, 0,
         "level=error event=disk-full next=\"free some space; the node then goes on by itself\""},
        {GOSSIP_NOTICE_DISK_FREED, 0, "level=info event=disk-freed"},
        {GOSSIP_NOTICE_NO_MEMORY, 0, "level=warn event=no-memory"},
        {GOSSIP_NOTICE_LOST, 9, "level=warn event=notices-lost count=9"},
        {GOSSIP_NOTICE_CUT, 0,
         "level=warn event=cut node=n2 address=127.0.0.1:7002 dot=n2#ab12:3 by=eviction"},
        {GOSSIP_NOTICE_CUT, 1,
         "level=warn event=cut node=n2 address=127.0.0.1:7002 dot=n2#ab12:3 by=fork"},
        {GOSSIP_NOTICE_EVIDENCE, GOSSIP_EVIDENCE_SIDE | GOSSIP_EVIDENCE_EVENTS,
         "level=warn event=store-set-back dot=n2#ab12:3 evidence=side,events"},
        {GOSSIP_NOTICE_EVIDENCE, GOSSIP_EVIDENCE_MOVED,
         "level=warn event=store-set-back dot=n2#ab12:3 evidence=moved next=\"if this is a copy of "
         "a node that runs elsewhere, stop it and run gossip recover --new-key\""},
        {GOSSIP_NOTICE_EPOCH, 0, "level=info event=new-epoch dot=n2#ab12:3"},
        {GOSSIP_NOTICE_REISSUED, 0, "level=info event=reissued dot=n2#ab12:3"},
        {GOSSIP_NOTICE_CLONED, 0, "level=error event=cloned dot=n2#ab12:3"},
        {GOSSIP_NOTICE_POISON, 0, "level=error event=poison node=n2 dot=n2#ab12:3"},
    };
    uint32_t kinds = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gossip_notice notice = make_notice(cases[i].kind);
        char text[512];
        char expected[512];

        kinds |= UINT32_C(1) << cases[i].kind;
        notice.number = cases[i].number;
        say_notice(LOG_LOGFMT, &notice, text, sizeof(text));
        snprintf(expected, sizeof(expected), "time=2026-01-02T03:04:05.678Z %s\n", cases[i].shown);
        assert_string_equal(text, expected);
    }
    assert_int_equal(kinds, (UINT32_C(2) << GOSSIP_NOTICE_POISON) - 1); /* All of them. */
}

/* Whatever is known of it: a line has the fields that it always has, and none that it never has. */
static void test_fields_of_notices(void **state)
{
    (void)state;
    for (enum gossip_notice_kind kind = 0; kind <= GOSSIP_NOTICE_POISON; kind++) {
        const struct message_row *row = message_row(message_of_notice(kind));
        const struct gossip_notice notices[] = {{.kind = kind}, make_notice(kind)};

        for (size_t i = 0; i < 2; i++) {
            char text[512];

            say_notice(LOG_JSON, &notices[i], text, sizeof(text));
            for (enum field field = 0; field < FIELDS; field++) {
                char key[32];

                snprintf(key, sizeof(key), ",\"%s\":", field_row(field)->name);
                if (row->always >> field & 1)
                    assert_non_null(strstr(text, key));
                else if (!(row->sometimes >> field & 1) || (i == 0 && field != FIELD_NEXT))
                    assert_null(strstr(text, key));
            }
        }
    }
}

/* ---- The journal. ---- */

static void test_journal(void **state)
{
    struct test_time time = make_time();
    struct stat status;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fstat(ends[1], &status), 0);
    for (int i = 0; i < 9; i++) {
        uintmax_t device = status.st_dev;
        uintmax_t inode = status.st_ino;
        char stream[96];
        char text[512];
        struct log *log;

        snprintf(stream, sizeof(stream), "%ju:%ju", device + (i == 2), inode + (i == 3));
        strcat(stream, i == 4 ? ":1" : i == 5 ? " " : "");
        if (i == 6)
            snprintf(stream, sizeof(stream), " %ju:%ju", device, inode);
        if (i == 7)
            snprintf(stream, sizeof(stream), "%ju", inode);
        if (i == 8)
            snprintf(stream, sizeof(stream), "%ju:", device);
        setenv("JOURNAL_STREAM", stream, 1);
        if (i == 1)
            unsetenv("JOURNAL_STREAM");
        assert_int_equal(log_open(ends[1], LOG_JSON, &time.base, &log), GOSSIP_OK);
        say(log, "x");
        read_text(ends[0], text, sizeof(text));
        assert_string_equal(text, i == 0 ? "<4>" HEAD_JSON "\"x\"}\n" : HEAD_JSON "\"x\"}\n");
        if (i == 0) {
            log_notice(log, &(struct gossip_notice){.kind = GOSSIP_NOTICE_CLONED}, "?");
            log_notice(log, &(struct gossip_notice){.kind = GOSSIP_NOTICE_DISK_FREED}, "?");
            read_text(ends[0], text, sizeof(text));
            assert_memory_equal(text, "<3>{", 4);
            assert_non_null(strstr(text, "\n<6>{"));
        }
        log_close(log);
    }
    unsetenv("JOURNAL_STREAM");
    close(ends[0]);
    close(ends[1]);
}

/* ---- Where nobody reads. ---- */

static void write_lines(struct log *log, struct test_time *time, size_t count)
{
    struct gossip_notice notice = make_notice(GOSSIP_NOTICE_REISSUED);

    for (size_t i = 0; i < count; i++) {
        time->ms += 100; /* Slow enough not to be held back for its rate. */
        notice.dot.seq = i + 1;
        log_notice(log, &notice, "n1");
    }
}

/* Reads what there is until part has come. */
static void read_until(int reader, const char *part, char *text, size_t capacity)
{
    size_t size = 0;

    for (text[0] = '\0'; !strstr(text, part);
         size += read_text(reader, text + size, capacity - size))
        assert_true(size + 1 < capacity);
}

/* Every line is whole: from its time to its end. */
static void check_whole_lines(const char *text)
{
    for (const char *line = text; *line;) {
        const char *end = strchr(line, '\n');

        assert_non_null(end);
        assert_memory_equal(line, "time=2026-", 10);
        for (const char *at = line + 1; at < end; at++)
            assert_true(strncmp(at, "time=", 5) != 0);
        line = end + 1;
    }
}

/* Nobody reads: no call blocks. Once somebody does, what must not be lost is there, and the loss of
 * the rest is told. */
static void check_full(int reader, int writer)
{
    static char text[1 << 22];
    struct test_time time = make_time();
    struct log *log;
    const char *grave;

    assert_int_equal(log_open(writer, LOG_LOGFMT, &time.base, &log), GOSSIP_OK);
    write_lines(log, &time, 20000);
    assert_int_equal(fcntl(writer, F_GETFL) & O_NONBLOCK, 0); /* Not ours to change. */
    log_notice(log, &(struct gossip_notice){.kind = GOSSIP_NOTICE_DISK_FULL}, "?");
    log_notice(log, &(struct gossip_notice){.kind = GOSSIP_NOTICE_DISK_FREED}, "?");
    read_text(reader, text, sizeof(text));
    log_settle(log);
    read_until(reader, "event=lines-lost", text, sizeof(text));
    grave = strstr(text, "event=disk-full");
    assert_non_null(grave);
    assert_non_null(strstr(grave, "event=disk-freed"));
    assert_non_null(strstr(grave, " level=warn event=lines-lost kind=reissued count="));
    write_lines(log, &time, 1);
    read_until(reader, "dot=n1:1\n", text, sizeof(text));
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

/* A reader that takes a little now and then gets whole lines, whatever the writer got rid of at
 * once. */
static void test_slow_reader(void **state)
{
    static char text[1 << 22];
    struct test_time time = make_time();
    size_t size = 0;
    int small = 2048;
    struct log *log;
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    assert_int_equal(log_open(ends[1], LOG_LOGFMT, &time.base, &log), GOSSIP_OK);
    for (int i = 0; i < 500; i++) {
        write_lines(log, &time, 20);
        size += read_text(ends[0], text + size, 700);
        log_settle(log);
    }
    log_begin(log, MESSAGE_STOPPED);
    log_add_number(log, FIELD_CODE, 0);
    log_end(log);
    while (!strstr(text, "event=stopped code=0\n")) {
        size += read_text(ends[0], text + size, 4096);
        log_settle(log);
    }
    check_whole_lines(text);
    assert_non_null(strstr(text, "event=lines-lost kind=reissued count="));
    log_close(log);
    close(ends[0]);
    close(ends[1]);
}

/* The last words are read although the reader comes late: when the pipe has no room and the log is
 * closed already. */
static void test_last_words(void **state)
{
    static char text[1 << 20];
    struct bench bench;
    int status;
    pid_t pid;

    (void)state;
    open_bench(&bench, LOG_LOGFMT);
    write_lines(bench.log, &bench.time, 2000);
    log_begin(bench.log, MESSAGE_FAILED);
    log_add(bench.log, FIELD_REASON, "damaged");
    log_add(bench.log, FIELD_STORE, "");
    log_add(bench.log, FIELD_NEXT, "run gossip verify");
    log_end(bench.log);
    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(bench.ends[0]);
        log_close(bench.log);
        _exit(0);
    }
    read_until(bench.ends[0], "event=failed", text, sizeof(text));
    check_whole_lines(text);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close_bench(&bench);
}

static void test_closed(void **state)
{
    struct test_time time = make_time();
    struct log *log;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    close(ends[1]);
    assert_int_equal(log_open(ends[1], LOG_LOGFMT, &time.base, &log), GOSSIP_OK);
    write_lines(log, &time, 10);
    log_notice(log, &(struct gossip_notice){.kind = GOSSIP_NOTICE_CLONED}, "?");
    log_close(log);
    close(ends[0]);
}

/* ---- How many. ---- */

static size_t count_lines(const char *text, const char *part)
{
    size_t count = 0;

    for (const char *at = text; (at = strstr(at, part)); at++)
        count++;
    return count;
}

/* A flood of one kind takes nothing from the others, nor from what has no bound. */
static void test_flood(void **state)
{
    static char text[1 << 20];
    struct bench bench;
    struct gossip_notice notice = make_notice(GOSSIP_NOTICE_FUTURE);

    (void)state;
    open_bench(&bench, LOG_LOGFMT);
    for (size_t i = 0; i < 1000; i++) {
        log_notice(bench.log, &notice, "n2");
        if (i % 100 == 0)
            log_notice(bench.log, &(struct gossip_notice){.kind = GOSSIP_NOTICE_CLONED}, "?");
    }
    say(bench.log, "other");
    notice.kind = GOSSIP_NOTICE_MEMBER;
    for (size_t i = 0; i < 200; i++)
        log_notice(bench.log, &notice, "n2");
    read_text(bench.ends[0], text, sizeof(text));
    assert_int_equal(count_lines(text, "event=future-stamp"), 20);
    assert_int_equal(count_lines(text, "event=cloned"), 10);
    assert_int_equal(count_lines(text, "event=api message=other"), 1);
    assert_int_equal(count_lines(text, "event=member"), 100);
    assert_null(strstr(text, "lines-lost")); /* Not one for each. */

    bench.time.ms += 9999;
    log_settle(bench.log);
    say(bench.log, "between");
    read_text(bench.ends[0], text, sizeof(text));
    assert_int_equal(count_lines(text, "\n"), 1);
    bench.time.ms += 1;
    log_settle(bench.log);
    log_settle(bench.log); /* Told once. */
    read_text(bench.ends[0], text, sizeof(text));
    assert_int_equal(count_lines(text, "\n"), 2);
    assert_non_null(strstr(text, "level=warn event=lines-lost kind=future-stamp count=980\n"));
    assert_non_null(strstr(text, "level=warn event=lines-lost kind=member count=100\n"));
    close_bench(&bench);
}

/* After the burst, lines go out at the rate of their kind; quiet fills the burst again, and never
 * more. */
static void test_rate(void **state)
{
    static char text[1 << 20];
    struct bench bench;
    size_t shown = 0;

    (void)state;
    open_bench(&bench, LOG_LOGFMT);
    for (size_t i = 0; i < 20; i++)
        say(bench.log, "burst");
    for (size_t ms = 0; ms < 60000; ms += 10) {
        bench.time.ms += 10;
        say(bench.log, "flood");
        if (ms % 10000 == 0) {
            read_text(bench.ends[0], text, sizeof(text));
            shown += count_lines(text, "message=flood");
        }
    }
    read_text(bench.ends[0], text, sizeof(text));
    shown += count_lines(text, "message=flood");
    assert_int_equal(shown, 60); /* One a second. */

    bench.time.ms += UINT64_C(1000) * 3600 * 24 * 365 * 1000;
    for (size_t i = 0; i < 100; i++)
        say(bench.log, "again");
    read_text(bench.ends[0], text, sizeof(text));
    assert_int_equal(count_lines(text, "message=again"), 20);
    close_bench(&bench);
}

/* What was lost is told before the last line, which stays the last. */
static void test_lost_before_the_end(void **state)
{
    static char text[1 << 20];
    struct bench bench;

    (void)state;
    open_bench(&bench, LOG_JSON);
    for (size_t i = 0; i < 25; i++)
        say(bench.log, "x");
    log_begin(bench.log, MESSAGE_STOPPED);
    log_add_number(bench.log, FIELD_CODE, 0);
    log_end(bench.log);
    read_text(bench.ends[0], text, sizeof(text));
    assert_non_null(strstr(text, "\"event\":\"lines-lost\",\"kind\":\"api\",\"count\":5}\n"
                                 "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"info\","
                                 "\"event\":\"stopped\",\"code\":0}\n"));
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_long_values),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_notices),
        cmocka_unit_test(test_fields_of_notices),
        cmocka_unit_test(test_journal),
        cmocka_unit_test(test_full_pipe),
        cmocka_unit_test(test_full_socket),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_last_words),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_lost_before_the_end),
    };

    signal(SIGPIPE, SIG_IGN); /* As the command does. */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
