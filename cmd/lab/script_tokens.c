/* Lines of a script as words, texts, clocks and signs; what is told of one that does not fit. */
#include "cmd/lab/script_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/lab/room.h"
#include "cmd/text.h"

enum { TOKEN_SHOWN_MAX = 40 };

void reader_fail(struct reader *reader, const char *format, ...)
{
    va_list arguments;
    int length;

    if (reader->failed)
        return; /* The first counts. */
    reader->failed = true;
    length = script_fault(reader->script, reader->line, reader->error);
    if (length < 0 || length >= SCRIPT_ERROR_MAX)
        return;
    va_start(arguments, format);
    vsnprintf(reader->error + length, SCRIPT_ERROR_MAX - (size_t)length, format, arguments);
    va_end(arguments);
}

void reader_refuse(struct reader *reader, const struct token *token, const char *format, ...)
{
    char expected[SCRIPT_ERROR_MAX];
    struct text found = {0};
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(expected, sizeof(expected), format, arguments);
    va_end(arguments);
    if (token->kind == TOKEN_END) {
        reader_fail(reader, "found the end of the line, expected %s", expected);
        return;
    }
    text_add_escaped(&found, token->start,
                     token->length < TOKEN_SHOWN_MAX ? token->length : TOKEN_SHOWN_MAX,
                     TEXT_ESCAPE_ASCII);
    reader_fail(reader, "found %s%s, expected %s", found.data ? found.data : "",
                token->length > TOKEN_SHOWN_MAX ? "..." : "", expected);
    text_clear(&found);
}

void reader_clear(struct reader *reader)
{
    for (size_t i = 0; i < reader->token_count; i++)
        free(reader->tokens[i].string);
    reader->token_count = 0;
    reader->next = 0;
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* Reads what follows a backslash; returns its length, 0 where it is none of ours. */
static size_t read_escape(const char *at, const char *end, char *ret_byte)
{
    static const char names[] = "\"\\nt";
    static const char bytes[] = "\"\\\n\t";
    const char *name = at < end && *at ? strchr(names, *at) : NULL;

    if (name) {
        *ret_byte = bytes[name - names];
        return 1;
    }
    if (end - at >= 3 && *at == 'x' && hex_value(at[1]) >= 0 && hex_value(at[2]) >= 0) {
        *ret_byte = (char)(hex_value(at[1]) << 4 | hex_value(at[2]));
        return 3;
    }
    return 0;
}

/* at is behind the opening quote. Returns what is behind the closing one; NULL after an error. */
static const char *read_string(struct reader *reader, const char *at, const char *end,
                               struct token *token)
{
    token->kind = TOKEN_STRING;
    token->string = room_new((size_t)(end - at) + 1);
    while (at < end && *at != '"') {
        size_t length = 1;
        char byte = *at;

        if (*at == '\\') {
            length = read_escape(at + 1, end, &byte);
            if (length == 0) {
                reader_fail(reader,
                            "found a backslash in a text, expected one of \\\" \\\\ \\n \\t \\xNN");
                return NULL;
            }
            length++;
        }
        token->string[token->size++] = byte;
        at += length;
    }
    if (at == end) {
        reader_fail(reader, "found the end of the line in a text, expected \" behind it");
        return NULL;
    }
    return at + 1;
}

static bool starts(const char *at, const char *end, const char *word)
{
    size_t length = strlen(word);

    return (size_t)(end - at) >= length && memcmp(at, word, length) == 0;
}

static bool ends_word(const char *at, const char *end)
{
    return strchr(" \t#|\"{}", *at) != NULL || starts(at, end, "->") || starts(at, end, "<->");
}

/* Reads the token at at; returns what is behind it, NULL after an error. */
static const char *read_token(struct reader *reader, const char *at, const char *end,
                              struct token *token)
{
    *token = (struct token){.start = at, .length = 1};
    if (*at == '|') {
        token->kind = TOKEN_BAR;
        return at + 1;
    }
    if (starts(at, end, "->") || starts(at, end, "<->")) {
        token->kind = *at == '-' ? TOKEN_ARROW : TOKEN_ARROWS;
        token->length = *at == '-' ? 2 : 3;
        return at + token->length;
    }
    if (*at == '"') {
        at = read_string(reader, at + 1, end, token);
        token->length = at ? (size_t)(at - token->start) : 1;
        return at;
    }
    if (*at == '{') {
        const char *close = memchr(at, '}', (size_t)(end - at));

        if (!close) {
            reader_fail(reader, "found the end of the line in a clock, expected } behind it");
            return NULL;
        }
        token->kind = TOKEN_CLOCK;
        token->length = (size_t)(close + 1 - at);
        return close + 1;
    }
    if (*at == '}') {
        reader_fail(reader, "found }, expected a clock to begin with {");
        return NULL;
    }
    token->kind = TOKEN_WORD;
    while (at < end && !ends_word(at, end))
        at++;
    token->length = (size_t)(at - token->start);
    return at;
}

/* Parts the line that at begins into tokens, and moves on to the next one. */
void reader_next_line(struct reader *reader)
{
    const char *at = reader->at;
    const char *end = memchr(at, '\n', (size_t)(reader->end - at));

    reader_clear(reader);
    if (!end)
        end = reader->end;
    reader->at = end < reader->end ? end + 1 : end;
    if (end > at && end[-1] == '\r')
        end--;
    if (end - at > SCRIPT_LINE_MAX) {
        reader_fail(reader, "found a line of %zu bytes, expected at most %d", (size_t)(end - at),
                    SCRIPT_LINE_MAX);
        return;
    }
    for (const char *byte = at; byte < end; byte++) {
        if ((unsigned char)*byte < ' ' && *byte != '\t') {
            reader_fail(reader, "found the byte 0x%02x, expected text",
                        (unsigned)(unsigned char)*byte);
            return;
        }
    }
    if (!text_is_utf8(at, (size_t)(end - at))) {
        reader_fail(reader, "found bytes that are not UTF-8, expected text");
        return;
    }
    while (at < end && !reader->failed) {
        if (*at == ' ' || *at == '\t') {
            at++;
            continue;
        }
        if (*at == '#')
            break;
        if (reader->token_count == TOKENS_MAX) {
            reader_fail(reader, "found more than %d words, expected the end of the line",
                        TOKENS_MAX);
            break;
        }
        at = read_token(reader, at, end, &reader->tokens[reader->token_count++]);
    }
    reader->tokens[reader->token_count] = (struct token){.kind = TOKEN_END, .start = end};
}

const struct token *reader_peek(const struct reader *reader)
{
    return &reader->tokens[reader->next];
}

const struct token *reader_take(struct reader *reader)
{
    const struct token *token = reader_peek(reader);

    if (token->kind != TOKEN_END)
        reader->next++;
    return token;
}

bool token_is_word(const struct token *token, const char *word)
{
    return token->kind == TOKEN_WORD && token->length == strlen(word) &&
           memcmp(token->start, word, token->length) == 0;
}

bool reader_take_word(struct reader *reader, const char *word)
{
    if (!token_is_word(reader_peek(reader), word))
        return false;
    reader_take(reader);
    return true;
}

void reader_need_word(struct reader *reader, const char *word)
{
    if (!reader_take_word(reader, word))
        reader_refuse(reader, reader_peek(reader), "%s", word);
}

int token_find_word(const struct token *token, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (token_is_word(token, words[i]))
            return (int)i;
    return -1;
}
