#include "cmd/http_reader.h"

#include <limits.h>
#include <string.h>
#include <strings.h>

enum { LINE_MAX_SIZE = 1024 };

void http_reader_start(struct http_reader *reader, http_source *source, void *context)
{
    *reader = (struct http_reader){.source = source, .context = context};
}

/* Fills the empty buffer. */
static int fill(struct http_reader *reader)
{
    ssize_t count = reader->source(reader->context, reader->buffer, sizeof(reader->buffer));

    if (count < 0)
        return HTTP_ERR_READ;
    if (count == 0)
        return HTTP_ERR_CUT;
    reader->size = (size_t)count;
    reader->offset = 0;
    return HTTP_OK;
}

/* Reads a line that ends with CR LF, and returns its length without them. */
static int read_line(struct http_reader *reader, char line[LINE_MAX_SIZE])
{
    int length = 0;
    bool carriage_return = false;

    for (;;) {
        char byte;
        int error;

        if (reader->offset == reader->size && (error = fill(reader)) < 0)
            return error;
        byte = reader->buffer[reader->offset++];
        if (carriage_return) {
            if (byte != '\n')
                return HTTP_ERR_MALFORMED;
            line[length] = '\0';
            return length;
        }
        if (byte == '\r') {
            carriage_return = true;
            continue;
        }
        if (byte == '\n' || byte == '\0' || length == LINE_MAX_SIZE - 1)
            return HTTP_ERR_MALFORMED;
        line[length++] = byte;
    }
}

static bool read_number(const char *text, unsigned base, uint64_t *ret_value)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t value = 0;

    if (!*text)
        return false;
    for (; *text; text++) {
        char lower = *text >= 'A' && *text <= 'F' ? (char)(*text + ('a' - 'A')) : *text;
        const char *digit = memchr(digits, lower, base);

        if (!digit || value > (UINT64_MAX >> 8))
            return false;
        value = value * base + (uint64_t)(digit - digits);
    }
    *ret_value = value;
    return true;
}

/* "HTTP/1.1 200 OK" */
static bool read_status(const char *line, int *ret_status)
{
    if (strncmp(line, "HTTP/1.1 ", 9) != 0)
        return false;
    for (size_t i = 9; i < 12; i++)
        if (line[i] < '0' || line[i] > '9')
            return false;
    if (line[12] != ' ' && line[12] != '\0')
        return false;
    *ret_status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
    return *ret_status >= 200 && *ret_status <= 599;
}

/* The characters that RFC 9110 allows in the name of a header. */
static bool is_token(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bool letter = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z');
        bool digit = text[i] >= '0' && text[i] <= '9';

        if (!letter && !digit && !strchr("!#$%&'*+-.^_`|~", text[i]))
            return false;
    }
    return size > 0;
}

/* What the headers have told so far. */
struct framing {
    bool has_length;
    bool has_exit;
};

static bool read_header(struct http_reader *reader, char *line, struct framing *framing,
                        struct http_head *head)
{
    char *colon = strchr(line, ':');
    char *value;
    size_t size;
    uint64_t number;

    if (!colon || !is_token(line, (size_t)(colon - line)))
        return false;
    *colon = '\0';
    value = colon + 1 + strspn(colon + 1, " \t");
    for (size = strlen(value); size > 0 && strchr(" \t", value[size - 1]); size--)
        value[size - 1] = '\0';
    if (strcasecmp(line, "Content-Length") == 0) {
        if (framing->has_length || reader->chunked || !read_number(value, 10, &reader->left))
            return false;
        framing->has_length = true;
    } else if (strcasecmp(line, "Transfer-Encoding") == 0) {
        if (framing->has_length || reader->chunked || strcasecmp(value, "chunked") != 0)
            return false;
        reader->chunked = true;
    } else if (strcasecmp(line, "Gossip-Exit") == 0) {
        if (framing->has_exit || !read_number(value, 10, &number) || number > 125)
            return false;
        framing->has_exit = true;
        head->exit_code = (int)number;
    } else if (strcasecmp(line, "Gossip-Notice") == 0) {
        for (size_t i = 0; i < size; i++)
            if (value[i] < ' ' || value[i] > '~')
                return false;
        if (size >= HTTP_NOTICE_SIZE)
            return false;
        memcpy(head->notice, value, size + 1);
    }
    return true;
}

int http_reader_head(struct http_reader *reader, struct http_head *ret_head)
{
    char line[LINE_MAX_SIZE];
    struct http_head head = {.exit_code = -1};
    struct framing framing = {0};
    size_t total = 0;
    int length = read_line(reader, line);

    if (length < 0)
        return length;
    if (!read_status(line, &head.status))
        return HTTP_ERR_MALFORMED;
    while ((length = read_line(reader, line)) > 0) {
        total += (size_t)length;
        if (total > sizeof(reader->buffer) || !read_header(reader, line, &framing, &head))
            return HTTP_ERR_MALFORMED;
    }
    if (length < 0)
        return length;
    if (!framing.has_length && !reader->chunked)
        return HTTP_ERR_MALFORMED;
    reader->ended = framing.has_length && reader->left == 0;
    *ret_head = head;
    return HTTP_OK;
}

/* Reads the size of the next chunk; the last is 0 and ends the body. */
static int next_chunk(struct http_reader *reader)
{
    char line[LINE_MAX_SIZE];
    int length;

    if (reader->begun) {
        length = read_line(reader, line);
        if (length != 0)
            return length < 0 ? length : HTTP_ERR_MALFORMED;
    }
    reader->begun = true;
    length = read_line(reader, line);
    if (length < 0)
        return length;
    if (!read_number(line, 16, &reader->left))
        return HTTP_ERR_MALFORMED;
    if (reader->left > 0)
        return HTTP_OK;
    length = read_line(reader, line);
    if (length != 0)
        return length < 0 ? length : HTTP_ERR_MALFORMED;
    reader->ended = true;
    return HTTP_OK;
}

int http_reader_body(struct http_reader *reader, void *buffer, size_t capacity)
{
    size_t part;
    int error;

    if (reader->ended || capacity == 0)
        return 0;
    if (reader->left == 0 && (error = next_chunk(reader)) < 0)
        return error;
    if (reader->ended)
        return 0;
    if (reader->offset == reader->size && (error = fill(reader)) < 0)
        return error;
    part = reader->size - reader->offset;
    part = part < capacity ? part : capacity;
    part = part < reader->left ? part : (size_t)reader->left;
    part = part < INT_MAX ? part : INT_MAX;
    memcpy(buffer, reader->buffer + reader->offset, part);
    reader->offset += part;
    reader->left -= part;
    reader->ended = !reader->chunked && reader->left == 0;
    return (int)part;
}
