#include "cmd/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void text_clear(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

/* Makes room for size more bytes and a NUL. */
static bool text_reserve(struct text *text, size_t size)
{
    size_t capacity = text->capacity ? text->capacity : 128;
    char *data;

    if (text->failed)
        return false;
    if (size >= SIZE_MAX / 2 - text->size) {
        text->failed = true;
        return false;
    }
    while (capacity <= text->size + size)
        capacity *= 2;
    if (capacity == text->capacity)
        return true;
    data = realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void text_add_bytes(struct text *text, const void *data, size_t size)
{
    if (!text_reserve(text, size))
        return;
    if (size > 0)
        memcpy(text->data + text->size, data, size);
    text->size += size;
    text->data[text->size] = '\0';
}

void text_add(struct text *text, const char *string)
{
    text_add_bytes(text, string, strlen(string));
}

void text_print(struct text *text, const char *format, ...)
{
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0 || !text_reserve(text, (size_t)size)) {
        text->failed = true;
        return;
    }
    va_start(arguments, format);
    vsnprintf(text->data + text->size, (size_t)size + 1, format, arguments);
    va_end(arguments);
    text->size += (size_t)size;
}

void text_add_hex(struct text *text, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        text_print(text, "%02x", data[i]);
}

void text_pad(struct text *text, size_t column)
{
    do
        text_add(text, " ");
    while (!text->failed && text->size < column);
}

/* Returns how many bytes the first code point takes, 0 if they are no UTF-8. */
static size_t utf8_decode(const uint8_t *data, size_t size, uint32_t *ret_point)
{
    /* The least code point for each length: what is less could be shorter. */
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t point;
    size_t length;

    if (data[0] < 0x80) {
        *ret_point = data[0];
        return 1;
    }
    if (data[0] >= 0xc2 && data[0] <= 0xdf)
        length = 2;
    else if (data[0] >= 0xe0 && data[0] <= 0xef)
        length = 3;
    else if (data[0] >= 0xf0 && data[0] <= 0xf4)
        length = 4;
    else
        return 0;
    if (length > size)
        return 0;
    point = data[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((data[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (data[i] & 0x3fu);
    }
    if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    *ret_point = point;
    return length;
}

bool text_is_utf8(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint32_t point;

    for (size_t i = 0, length; i < size; i += length) {
        length = utf8_decode(bytes + i, size - i, &point);
        if (length == 0)
            return false;
    }
    return true;
}

/* Controls (C1 among them, which xterm obeys also as UTF-8), and what is invisible or turns the
 * direction of text around, so that a line could read as what it is not. */
static bool steers_terminal(uint32_t point)
{
    static const struct {
        uint32_t first;
        uint32_t last;
    } ranges[] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},       {0x61c, 0x61c},
        {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},
        {0xfeff, 0xfeff}, {0xfff0, 0xffff}, {0xe0000, 0xe0fff},
    };

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (point >= ranges[i].first && point <= ranges[i].last)
            return true;
    return false;
}

static void add_escaped_byte(struct text *text, uint8_t byte)
{
    switch (byte) {
    case '\n':
        text_add(text, "\\n");
        break;
    case '\t':
        text_add(text, "\\t");
        break;
    case '\r':
        text_add(text, "\\r");
        break;
    case '\\':
        text_add(text, "\\\\");
        break;
    default:
        text_print(text, "\\x%02x", byte);
    }
}

void text_add_escaped(struct text *text, const void *data, size_t size, enum text_escape escape)
{
    const uint8_t *bytes = data;
    size_t length;

    for (size_t i = 0; i < size; i += length) {
        uint32_t point = 0;

        length = utf8_decode(bytes + i, size - i, &point);
        if (length == 0 || steers_terminal(point) ||
            (point == '\\' && escape != TEXT_ESCAPE_SCRIPT) ||
            (escape == TEXT_ESCAPE_ASCII && point > 0x7e)) {
            length = length ? length : 1;
            for (size_t j = 0; j < length; j++)
                add_escaped_byte(text, bytes[i + j]);
        } else {
            text_add_bytes(text, bytes + i, length);
        }
    }
}

/* One code point, or one byte that is none, as text_add_json() has it; returns how much that is. */
static size_t json_escape(uint32_t point, char ret_text[16])
{
    switch (point) {
    case '\n':
        return (size_t)snprintf(ret_text, 16, "\\n");
    case '\t':
        return (size_t)snprintf(ret_text, 16, "\\t");
    case '\r':
        return (size_t)snprintf(ret_text, 16, "\\r");
    case '"':
    case '\\':
        return (size_t)snprintf(ret_text, 16, "\\%c", (char)point);
    default:
        break;
    }
    if (point >= ' ' && point <= '~')
        return (size_t)snprintf(ret_text, 16, "%c", (char)point);
    if (point <= 0xffff)
        return (size_t)snprintf(ret_text, 16, "\\u%04x", (unsigned)point);
    return (size_t)snprintf(ret_text, 16, "\\u%04x\\u%04x",
                            (unsigned)(0xd800 + ((point - 0x10000) >> 10)),
                            (unsigned)(0xdc00 + ((point - 0x10000) & 0x3ff)));
}

bool text_add_json(struct text *text, const void *data, size_t size, size_t maximum)
{
    const uint8_t *bytes = data;
    size_t added = 0;
    size_t length;

    for (size_t i = 0; i < size; i += length) {
        char escape[16];
        size_t escape_size;
        uint32_t point;

        length = utf8_decode(bytes + i, size - i, &point);
        if (length > 0) {
            escape_size = json_escape(point, escape);
        } else {
            length = 1;
            escape_size = (size_t)snprintf(escape, sizeof(escape), "\\\\x%02x", bytes[i]);
        }
        if (escape_size > maximum - added)
            return false;
        text_add_bytes(text, escape, escape_size);
        added += escape_size;
    }
    return true;
}

void text_add_time(struct text *text, uint64_t time_ms)
{
    static const uint64_t last_ms = UINT64_C(253402300799999); /* 9999-12-31T23:59:59.999Z */
    uint64_t shown_ms = time_ms < last_ms ? time_ms : last_ms;
    time_t seconds = (time_t)(shown_ms / 1000);
    char buffer[32];
    struct tm parts;

    if (!gmtime_r(&seconds, &parts) ||
        strftime(buffer, sizeof(buffer), "%Y-%m-%dT%H:%M:%S", &parts) == 0) {
        text->failed = true;
        return;
    }
    text_print(text, "%s.%03uZ", buffer, (unsigned)(shown_ms % 1000));
}
