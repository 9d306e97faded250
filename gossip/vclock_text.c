#include "gossip/vclock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/gossip.h"
#include "gossip/limits.h"

enum {
    NAME_LENGTH_MAX = GOSSIP_VCLOCK_NAME_MAX - 1, /* Without its NUL. */
    COUNTER_DIGITS_MAX = 19,                      /* 2^62 is 4611686018427387904. */
    ESCAPE_MAX = 6,                               /* \u001f */
};

static bool is_control(uint8_t byte)
{
    return byte < 0x20 || byte == 0x7f;
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* Whether a name may hold byte, where nothing is quoted. */
static bool is_plain(uint8_t byte)
{
    return !is_control(byte) && strchr(" ,:{}", byte) == NULL;
}

static bool in_range(uint8_t byte, uint8_t first, uint8_t last)
{
    return byte >= first && byte <= last;
}

/* The size of the UTF-8 sequence that data begins with, 1 to 4; 0 if it is none (RFC 3629, 4). */
static size_t utf8_sequence(const uint8_t *data, size_t size)
{
    uint8_t second_first = 0x80; /* What the second byte may be: the rest may be 0x80 to 0xbf. */
    uint8_t second_last = 0xbf;
    size_t length;

    if (size == 0)
        return 0;
    if (data[0] < 0x80)
        return 1;
    if (in_range(data[0], 0xc2, 0xdf))
        length = 2;
    else if (in_range(data[0], 0xe0, 0xef))
        length = 3;
    else if (in_range(data[0], 0xf0, 0xf4))
        length = 4;
    else
        return 0;
    if (data[0] == 0xe0)
        second_first = 0xa0; /* Less is an overlong form. */
    else if (data[0] == 0xed)
        second_last = 0x9f; /* More is a surrogate. */
    else if (data[0] == 0xf0)
        second_first = 0x90;
    else if (data[0] == 0xf4)
        second_last = 0x8f; /* More is past U+10FFFF. */
    if (size < length || !in_range(data[1], second_first, second_last))
        return 0;
    for (size_t i = 2; i < length; i++) {
        if (!in_range(data[i], 0x80, 0xbf))
            return 0;
    }
    return length;
}

/* Writing. */

struct named {
    char name[GOSSIP_VCLOCK_NAME_MAX];
    size_t length;
    uint64_t counter;
};

static int compare_names(const void *left, const void *right)
{
    const struct named *a = left;
    const struct named *b = right;
    int order = memcmp(a->name, b->name, a->length < b->length ? a->length : b->length);

    return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

/* The two notations differ in what a name may be, how it is shown, and what stands between. */
struct notation {
    bool (*name_fits)(const struct named *named);
    size_t (*show_byte)(uint8_t byte, char ret_shown[ESCAPE_MAX]); /* Returns the size. */
    const char *quote;
    char separator;
};

static bool fits_text(const struct named *named)
{
    for (size_t i = 0; i < named->length; i++) {
        if (!is_plain((uint8_t)named->name[i]))
            return false;
    }
    return named->length > 0;
}

static bool fits_json(const struct named *named)
{
    const uint8_t *data = (const uint8_t *)named->name;
    size_t offset = 0;

    while (offset < named->length) {
        size_t size = utf8_sequence(data + offset, named->length - offset);

        if (size == 0)
            return false;
        offset += size;
    }
    return true;
}

static size_t show_byte_plain(uint8_t byte, char ret_shown[ESCAPE_MAX])
{
    ret_shown[0] = (char)byte;
    return 1;
}

/* Escapes what RFC 8259, 7 says must be, in the short form where there is one. */
static size_t show_byte_json(uint8_t byte, char ret_shown[ESCAPE_MAX])
{
    static const char digits[] = "0123456789abcdef";
    static const char escaped[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *found = byte == 0 ? NULL : strchr(escaped, byte);

    if (found != NULL) {
        ret_shown[0] = '\\';
        ret_shown[1] = letters[found - escaped];
        return 2;
    }
    if (byte >= 0x20)
        return show_byte_plain(byte, ret_shown);
    memcpy(ret_shown, "\\u00", 4);
    ret_shown[4] = digits[byte >> 4];
    ret_shown[5] = digits[byte & 0xf];
    return 6;
}

static const struct notation text_notation = {fits_text, show_byte_plain, "", ' '};
static const struct notation json_notation = {fits_json, show_byte_json, "\"", ','};

static int name_all(const struct gossip_vclock *clock, const struct notation *notation,
                    gossip_vclock_name *name, void *context, struct named *ret_entries)
{
    for (size_t i = 0; i < clock->count; i++) {
        struct named *entry = &ret_entries[i];
        int length = name(context, clock->authors[i], entry->name, sizeof(entry->name));

        if (length < 0)
            return length;
        if (length > NAME_LENGTH_MAX)
            return GOSSIP_ERR_INVALID;
        entry->length = (size_t)length;
        entry->counter = clock->counters[i];
        if (!notation->name_fits(entry))
            return GOSSIP_ERR_INVALID;
    }
    qsort(ret_entries, clock->count, sizeof(*ret_entries), compare_names);
    for (size_t i = 1; i < clock->count; i++) {
        if (compare_names(&ret_entries[i - 1], &ret_entries[i]) == 0)
            return GOSSIP_ERR_INVALID; /* Nobody could read it back. */
    }
    return GOSSIP_OK;
}

static size_t shown_size(const struct named *entries, size_t count, const struct notation *notation)
{
    size_t size = sizeof("{}");
    char shown[ESCAPE_MAX];

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < entries[i].length; j++)
            size += notation->show_byte((uint8_t)entries[i].name[j], shown);
        size += 2 * strlen(notation->quote) + sizeof(":") + COUNTER_DIGITS_MAX;
    }
    return size;
}

static char *show(const struct named *entries, size_t count, const struct notation *notation)
{
    size_t capacity = shown_size(entries, count, notation);
    char *text = malloc(capacity);
    char *end = text;

    if (text == NULL)
        return NULL;
    *end++ = '{';
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            *end++ = notation->separator;
        end = stpcpy(end, notation->quote);
        for (size_t j = 0; j < entries[i].length; j++)
            end += notation->show_byte((uint8_t)entries[i].name[j], end);
        end += snprintf(end, capacity - (size_t)(end - text), "%s:%" PRIu64, notation->quote,
                        entries[i].counter);
    }
    memcpy(end, "}", sizeof("}"));
    return text;
}

static int write_clock(const struct gossip_vclock *clock, const struct notation *notation,
                       gossip_vclock_name *name, void *context, char **ret_text)
{
    struct named *entries = NULL;
    char *text;
    int error = GOSSIP_OK;

    if (clock->count > 0) {
        entries = calloc(clock->count, sizeof(*entries));
        if (entries == NULL)
            return GOSSIP_ERR_NOMEM;
        error = name_all(clock, notation, name, context, entries);
    }
    if (error == GOSSIP_OK) {
        text = show(entries, clock->count, notation);
        if (text == NULL)
            error = GOSSIP_ERR_NOMEM;
        else
            *ret_text = text;
    }
    free(entries);
    return error;
}

int gossip_vclock_to_text(const struct gossip_vclock *clock, gossip_vclock_name *name,
                          void *context, char **ret_text)
{
    return write_clock(clock, &text_notation, name, context, ret_text);
}

int gossip_vclock_to_json(const struct gossip_vclock *clock, gossip_vclock_name *name,
                          void *context, char **ret_text)
{
    return write_clock(clock, &json_notation, name, context, ret_text);
}

/* Reading. */

struct entry {
    uint32_t author;
    uint64_t counter;
    size_t offset; /* Where its name starts. */
};

struct parser {
    const uint8_t *data;
    size_t size;
    size_t offset; /* Of the next byte; after an error, of the one that does not fit. */
    gossip_vclock_find *find;
    void *context;
    struct entry *entries;
    size_t count;
    size_t capacity;
};

/* The next byte, or -1 at the end. */
static int peek(const struct parser *parser)
{
    return parser->offset < parser->size ? parser->data[parser->offset] : -1;
}

static bool take(struct parser *parser, char wanted)
{
    if (peek(parser) != wanted)
        return false;
    parser->offset++;
    return true;
}

static void skip(struct parser *parser, const char *spaces)
{
    while (peek(parser) > 0 && strchr(spaces, peek(parser)) != NULL)
        parser->offset++;
}

static int fail_at(struct parser *parser, size_t offset, int error)
{
    parser->offset = offset;
    return error;
}

/* Digits without a needless zero before them. */
static int parse_counter(struct parser *parser, uint64_t *ret_counter)
{
    size_t start = parser->offset;
    uint64_t counter = 0;

    while (peek(parser) >= 0 && is_digit((uint8_t)peek(parser))) {
        uint64_t digit;

        if (parser->offset == start + 1 && parser->data[start] == '0')
            return GOSSIP_ERR_INVALID;
        digit = (uint64_t)(peek(parser) - '0');
        if (counter > (GOSSIP_COUNTER_MAX - digit) / 10)
            return fail_at(parser, start, GOSSIP_ERR_LIMIT);
        counter = counter * 10 + digit;
        parser->offset++;
    }
    if (parser->offset == start)
        return GOSSIP_ERR_INVALID;
    *ret_counter = counter;
    return GOSSIP_OK;
}

static int add_entry(struct parser *parser, const char *name, size_t length, size_t offset,
                     uint64_t counter)
{
    struct entry entry = {.offset = offset, .counter = counter};
    int error = parser->find(parser->context, name, length, &entry.author);

    if (error < 0)
        return fail_at(parser, offset, error);
    if (parser->count == parser->capacity) {
        size_t capacity = parser->capacity == 0 ? 16 : parser->capacity * 2;
        struct entry *entries = realloc(parser->entries, capacity * sizeof(*entries));

        if (entries == NULL)
            return fail_at(parser, offset, GOSSIP_ERR_NOMEM);
        parser->entries = entries;
        parser->capacity = capacity;
    }
    parser->entries[parser->count++] = entry;
    return GOSSIP_OK;
}

static int parse_text_entry(struct parser *parser)
{
    size_t start = parser->offset;
    size_t length;
    uint64_t counter;
    int error;

    while (peek(parser) >= 0 && is_plain((uint8_t)peek(parser))) {
        if (parser->offset - start == NAME_LENGTH_MAX)
            return GOSSIP_ERR_INVALID;
        parser->offset++;
    }
    length = parser->offset - start;
    if (length == 0 || !take(parser, ':'))
        return GOSSIP_ERR_INVALID;
    error = parse_counter(parser, &counter);
    if (error < 0)
        return error;
    return add_entry(parser, (const char *)parser->data + start, length, start, counter);
}

static int parse_text(struct parser *parser)
{
    bool braced;
    bool more = false; /* Whether a comma promises another entry. */

    skip(parser, " ");
    braced = take(parser, '{');
    skip(parser, " ");
    while (more || (peek(parser) >= 0 && peek(parser) != '}')) {
        size_t end;
        int error = parse_text_entry(parser);

        if (error < 0)
            return error;
        end = parser->offset;
        skip(parser, " ");
        more = take(parser, ',');
        skip(parser, " ");
        if (parser->offset == end && peek(parser) >= 0 && peek(parser) != '}')
            return GOSSIP_ERR_INVALID; /* Nothing stands between this entry and the next. */
    }
    if (braced && !take(parser, '}'))
        return GOSSIP_ERR_INVALID;
    skip(parser, " ");
    return parser->offset == parser->size ? GOSSIP_OK : GOSSIP_ERR_INVALID;
}

static const char json_spaces[] = " \t\n\r";

/* Four hexadecimal digits. */
static int parse_code_unit(struct parser *parser, uint32_t *ret_unit)
{
    uint32_t unit = 0;

    for (int i = 0; i < 4; i++) {
        int byte = peek(parser);
        uint32_t digit;

        if (byte >= '0' && byte <= '9')
            digit = (uint32_t)(byte - '0');
        else if (byte >= 'a' && byte <= 'f')
            digit = (uint32_t)(byte - 'a' + 10);
        else if (byte >= 'A' && byte <= 'F')
            digit = (uint32_t)(byte - 'A' + 10);
        else
            return GOSSIP_ERR_INVALID;
        unit = unit << 4 | digit;
        parser->offset++;
    }
    *ret_unit = unit;
    return GOSSIP_OK;
}

/* What follows \u: a code unit, or two where the first is half of a pair. start is where the
 * backslash stands, for a half that stands alone is wrong as a whole. */
static int parse_unicode_escape(struct parser *parser, size_t start, uint32_t *ret_code)
{
    uint32_t code;
    uint32_t low;
    int error = parse_code_unit(parser, &code);

    if (error < 0)
        return error;
    if (code >= 0xdc00 && code <= 0xdfff)
        return fail_at(parser, start, GOSSIP_ERR_INVALID);
    if (code >= 0xd800 && code <= 0xdbff) {
        if (!take(parser, '\\') || !take(parser, 'u'))
            return fail_at(parser, start, GOSSIP_ERR_INVALID);
        error = parse_code_unit(parser, &low);
        if (error < 0)
            return error;
        if (low < 0xdc00 || low > 0xdfff)
            return fail_at(parser, start, GOSSIP_ERR_INVALID);
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    *ret_code = code;
    return GOSSIP_OK;
}

static size_t utf8_encode(uint32_t code, uint8_t ret_bytes[4])
{
    if (code < 0x80) {
        ret_bytes[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        ret_bytes[0] = (uint8_t)(0xc0 | code >> 6);
        ret_bytes[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        ret_bytes[0] = (uint8_t)(0xe0 | code >> 12);
        ret_bytes[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        ret_bytes[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    ret_bytes[0] = (uint8_t)(0xf0 | code >> 18);
    ret_bytes[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    ret_bytes[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    ret_bytes[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}

/* One character of a string, as UTF-8. */
static int parse_character(struct parser *parser, uint8_t ret_bytes[4], size_t *ret_size)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    size_t start = parser->offset;
    const char *letter;
    uint32_t code;
    int error;

    if (!take(parser, '\\')) {
        size_t size = utf8_sequence(parser->data + start, parser->size - start);

        if (size == 0 || parser->data[start] < 0x20)
            return GOSSIP_ERR_INVALID;
        memcpy(ret_bytes, parser->data + start, size);
        parser->offset += size;
        *ret_size = size;
        return GOSSIP_OK;
    }
    if (take(parser, 'u')) {
        error = parse_unicode_escape(parser, start, &code);
        if (error < 0)
            return error;
        *ret_size = utf8_encode(code, ret_bytes);
        return GOSSIP_OK;
    }
    letter = peek(parser) > 0 ? strchr(letters, peek(parser)) : NULL;
    if (letter == NULL)
        return GOSSIP_ERR_INVALID;
    parser->offset++;
    ret_bytes[0] = (uint8_t)meanings[letter - letters];
    *ret_size = 1;
    return GOSSIP_OK;
}

static int parse_string(struct parser *parser, char ret_string[GOSSIP_VCLOCK_NAME_MAX],
                        size_t *ret_length)
{
    size_t length = 0;

    if (!take(parser, '"'))
        return GOSSIP_ERR_INVALID;
    while (!take(parser, '"')) {
        size_t start = parser->offset;
        uint8_t bytes[4];
        size_t size;
        int error = parse_character(parser, bytes, &size);

        if (error < 0)
            return error;
        if (size > NAME_LENGTH_MAX - length)
            return fail_at(parser, start, GOSSIP_ERR_INVALID);
        memcpy(ret_string + length, bytes, size);
        length += size;
    }
    *ret_length = length;
    return GOSSIP_OK;
}

static int parse_member(struct parser *parser)
{
    size_t start = parser->offset;
    char name[GOSSIP_VCLOCK_NAME_MAX];
    size_t length;
    uint64_t counter;
    int error = parse_string(parser, name, &length);

    if (error < 0)
        return error;
    skip(parser, json_spaces);
    if (!take(parser, ':'))
        return GOSSIP_ERR_INVALID;
    skip(parser, json_spaces);
    error = parse_counter(parser, &counter);
    if (error < 0)
        return error;
    return add_entry(parser, name, length, start, counter);
}

static int parse_json(struct parser *parser)
{
    skip(parser, json_spaces);
    if (!take(parser, '{'))
        return GOSSIP_ERR_INVALID;
    skip(parser, json_spaces);
    if (peek(parser) != '}') {
        do {
            int error;

            skip(parser, json_spaces);
            error = parse_member(parser);
            if (error < 0)
                return error;
            skip(parser, json_spaces);
        } while (take(parser, ','));
    }
    if (!take(parser, '}'))
        return GOSSIP_ERR_INVALID;
    skip(parser, json_spaces);
    return parser->offset == parser->size ? GOSSIP_OK : GOSSIP_ERR_INVALID;
}

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left;
    const struct entry *b = right;

    if (a->author != b->author)
        return a->author < b->author ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

/* Sorts the entries by author. Returns where the first entry in the text stands that names an
 * author named before; the size of the text if there is none. */
static size_t first_repeated(struct parser *parser)
{
    size_t first = parser->size;

    if (parser->count > 0)
        qsort(parser->entries, parser->count, sizeof(*parser->entries), compare_entries);
    for (size_t i = 1; i < parser->count; i++) {
        const struct entry *entry = &parser->entries[i];

        if (entry->author == entry[-1].author && entry->offset < first)
            first = entry->offset;
    }
    return first;
}

static int replace_clock(struct gossip_vclock *clock, const struct parser *parser)
{
    int error = gossip_vclock_reserve(clock, parser->count);

    if (error < 0)
        return error;
    clock->count = 0;
    for (size_t i = 0; i < parser->count; i++) {
        if (parser->entries[i].counter == 0)
            continue;
        clock->authors[clock->count] = parser->entries[i].author;
        clock->counters[clock->count] = parser->entries[i].counter;
        clock->count++;
    }
    return GOSSIP_OK;
}

static int read_clock(struct gossip_vclock *clock, int (*parse)(struct parser *parser),
                      struct parser *parser, size_t *ret_where)
{
    int error = parse(parser);
    size_t repeated = first_repeated(parser);

    /* A repeated name stands before whatever ended the parser. */
    if (repeated < parser->size && error != GOSSIP_ERR_NOMEM)
        error = fail_at(parser, repeated, GOSSIP_ERR_INVALID);
    if (error < 0 && ret_where != NULL)
        *ret_where = parser->offset;
    if (error == GOSSIP_OK)
        error = replace_clock(clock, parser);
    free(parser->entries);
    return error;
}

int gossip_vclock_from_text(struct gossip_vclock *clock, const char *text, size_t size,
                            gossip_vclock_find *find, void *context, size_t *ret_where)
{
    struct parser parser = {
        .data = (const uint8_t *)text, .size = size, .find = find, .context = context};

    return read_clock(clock, parse_text, &parser, ret_where);
}

int gossip_vclock_from_json(struct gossip_vclock *clock, const char *text, size_t size,
                            gossip_vclock_find *find, void *context, size_t *ret_where)
{
    struct parser parser = {
        .data = (const uint8_t *)text, .size = size, .find = find, .context = context};

    return read_clock(clock, parse_json, &parser, ret_where);
}
