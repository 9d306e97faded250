/*
 * Text that grows. When memory runs out it stays failed, so that a caller may ask once, at the end.
 * A text of all zero bytes is valid and empty.
 */
#ifndef CMD_TEXT_H
#define CMD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *data; /* Ends with a NUL that size does not count; NULL while empty. */
    size_t size;
    size_t capacity;
    bool failed;
};

void text_clear(struct text *text);

void text_add(struct text *text, const char *string);
void text_add_bytes(struct text *text, const void *data, size_t size);
void text_print(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_hex(struct text *text, const uint8_t *data, size_t size);

/* Adds spaces until size is column, and at least one. */
void text_pad(struct text *text, size_t column);

enum text_escape {
    TEXT_ESCAPE_TERMINAL, /* Printable UTF-8 stays; what could steer a terminal does not. */
    TEXT_ESCAPE_SCRIPT,   /* The same of a line of a script, whose backslashes escape already. */
    TEXT_ESCAPE_ASCII,    /* Only printable ASCII stays. */
};

/* Adds bytes of whatever origin so that no terminal can take them for anything but text: the others
 * become \n, \t, \r, \\ and \xNN. */
void text_add_escaped(struct text *text, const void *data, size_t size, enum text_escape escape);

/* Adds bytes of whatever origin as they stand in a string of JSON, without its quotes and in ASCII:
 * the others become \n, \t, \r, \", \\ and \uXXXX, and a byte that is no UTF-8 becomes \\xNN, which
 * reads as the four characters \xNN. Ends before more than maximum bytes are added, and returns
 * whether that was all. */
bool text_add_json(struct text *text, const void *data, size_t size, size_t maximum);

/* Adds milliseconds since 1970 as RFC 3339 has them: 2026-01-02T03:04:05.678Z. What lies past the
 * year 9999, where that form ends, shows as its last millisecond. */
void text_add_time(struct text *text, uint64_t time_ms);

/* Whether data[size] is UTF-8 as RFC 3629 has it. */
bool text_is_utf8(const void *data, size_t size);

#endif
