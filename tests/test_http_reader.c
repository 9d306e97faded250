#include "cmd/http_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* Hands out text in pieces of at most step bytes, and then ends. */
struct source {
    const char *text;
    size_t size;
    size_t offset;
    size_t step;
    bool fails; /* Instead of ending. */
};

static ssize_t read_source(void *context, void *buffer, size_t capacity)
{
    struct source *source = context;
    size_t part = source->size - source->offset;

    if (part == 0)
        return source->fails ? -1 : 0;
    part = part < source->step ? part : source->step;
    part = part < capacity ? part : capacity;
    memcpy(buffer, source->text + source->offset, part);
    source->offset += part;
    return (ssize_t)part;
}

/* Reads all: HTTP_OK with head and body, or an error. */
static int read_response(struct source *source, struct http_head *ret_head, char *ret_body,
                         size_t capacity)
{
    static struct http_reader reader;
    size_t size = 0;
    int count = 0;
    int error;

    http_reader_start(&reader, read_source, source);
    error = http_reader_head(&reader, ret_head);
    if (error < 0)
        return error;
    while (size < capacity - 1 &&
           (count = http_reader_body(&reader, ret_body + size, capacity - 1 - size)) > 0)
        size += (size_t)count;
    ret_body[size] = '\0';
    return count < 0 ? count : HTTP_OK;
}

#define OK_HEAD "HTTP/1.1 200 OK\r\n"

static const struct {
    const char *text;
    int status;
    int exit_code;
    const char *body;
} good[] = {
    {OK_HEAD "Content-Length: 5\r\n\r\nhello", 200, -1, "hello"},
    {OK_HEAD "content-length:5 \t\r\nDate: today\r\nGossip-Exit: 0\r\n\r\nhello", 200, 0, "hello"},
    {OK_HEAD "Content-Length: 0\r\nGossip-Notice: a line\r\n\r\n", 200, -1, ""},
    {"HTTP/1.1 404 Not Found\r\nGossip-Exit: 1\r\nContent-Length: 2\r\n\r\n{}", 404, 1, "{}"},
    {"HTTP/1.1 507 \r\nContent-Length: 1\r\n\r\nx", 507, -1, "x"},
    {OK_HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, -1, ""},
    {OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200, -1, "hello"},
    {OK_HEAD "Transfer-Encoding: Chunked\r\n\r\n2\r\nhe\r\n0003\r\nllo\r\n0\r\n\r\n", 200, -1,
     "hello"},
    {OK_HEAD "Transfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n\r\n",
     200, -1, "0123456789abcdefghij"},
};

enum { GOOD_COUNT = sizeof(good) / sizeof(good[0]) };

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < GOOD_COUNT; i++) {
        for (size_t step = 1; step <= 64; step *= 2) {
            struct source source = {
                .text = good[i].text, .size = strlen(good[i].text), .step = step};
            struct http_head head;
            char body[256];

            assert_int_equal(read_response(&source, &head, body, sizeof(body)), HTTP_OK);
            assert_int_equal(head.status, good[i].status);
            assert_int_equal(head.exit_code, good[i].exit_code);
            assert_string_equal(body, good[i].body);
        }
    }
}

/* Cut anywhere, it is cut and never good: a killed node's answer must not pass for a whole one. */
static void test_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < GOOD_COUNT; i++) {
        for (size_t size = 0; size < strlen(good[i].text); size++) {
            struct source source = {.text = good[i].text, .size = size, .step = 7};
            struct http_head head;
            char body[256];

            assert_int_equal(read_response(&source, &head, body, sizeof(body)), HTTP_ERR_CUT);
            source = (struct source){.text = good[i].text, .size = size, .step = 7, .fails = true};
            assert_int_equal(read_response(&source, &head, body, sizeof(body)), HTTP_ERR_READ);
        }
    }
}

static void test_malformed(void **state)
{
    static const char *const cases[] = {
        "SSH-2.0-OpenSSH\r\n\r\n",
        OK_HEAD "Content-Length: 0\r\nGossip-Notice: a\x1b[2J\r\n\r\n",
        OK_HEAD "Content-Length: 0\r\nGossip-Notice: caf\xc3\xa9\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n",
        OK_HEAD "\r\nto the end",                                          /* No framing. */
        OK_HEAD "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",     /* Twice. */
        OK_HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", /* Both. */
        OK_HEAD "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        OK_HEAD "Transfer-Encoding: gzip\r\n\r\n",
        OK_HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n",
        OK_HEAD "Content-Length: -5\r\n\r\nhello",
        OK_HEAD "Content-Length: +5\r\n\r\nhello",
        OK_HEAD "Content-Length: 5x\r\n\r\nhello",
        OK_HEAD "Content-Length: \r\n\r\n",
        OK_HEAD "Content-Length: 99999999999999999999\r\n\r\n",
        OK_HEAD "Content-Length : 5\r\n\r\nhello", /* A space before the colon. */
        OK_HEAD " Content-Length: 5\r\n\r\nhello", /* Folded. */
        OK_HEAD "No colon\r\n\r\n",
        OK_HEAD ": 5\r\n\r\n",
        OK_HEAD "Content-Length: 5\n\r\nhello", /* A bare LF. */
        OK_HEAD "Content-Length: 5\rX\n\r\nhello",
        OK_HEAD "Gossip-Exit: many\r\nContent-Length: 0\r\n\r\n",
        OK_HEAD "Gossip-Exit: 256\r\nContent-Length: 0\r\n\r\n",
        OK_HEAD "Transfer-Encoding: chunked\r\n\r\nx\r\n",
        OK_HEAD "Transfer-Encoding: chunked\r\n\r\n\r\n",
        OK_HEAD "Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        OK_HEAD "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\n",
        OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5;extension=1\r\nhello\r\n0\r\n\r\n",
        OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloworld\r\n0\r\n\r\n",
        OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nTrailer: x\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t step = 1; step <= 64; step *= 4) {
            struct source source = {.text = cases[i], .size = strlen(cases[i]), .step = step};
            struct http_head head;
            char body[256];
            int error = read_response(&source, &head, body, sizeof(body));

            if (error != HTTP_ERR_MALFORMED)
                print_error("case %zu in steps of %zu: %s\n", i, step, cases[i]);
            assert_int_equal(error, HTTP_ERR_MALFORMED);
        }
    }
}

/* Headers without end are refused before they have cost much. */
static void test_endless(void **state)
{
    static char text[65536];
    struct source source = {.text = text, .size = sizeof(text), .step = 4096};
    struct http_head head;
    char body[16];
    size_t size = strlen(OK_HEAD);

    (void)state;
    memcpy(text, OK_HEAD, size);
    while (size + 6 <= sizeof(text)) {
        memcpy(text + size, "A: b\r\n", 6);
        size += 6;
    }
    assert_int_equal(read_response(&source, &head, body, sizeof(body)), HTTP_ERR_MALFORMED);
    assert_true(source.offset < 32768);

    memset(text + strlen(OK_HEAD), 'a', sizeof(text) - strlen(OK_HEAD));
    source.offset = 0;
    assert_int_equal(read_response(&source, &head, body, sizeof(body)), HTTP_ERR_MALFORMED);
    assert_true(source.offset < 8192);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_endless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
