#include "cmd/lab/script.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/lab/room.h"
#include "cmd/lab/script_check.h"
#include "cmd/text.h"

enum {
    TOKENS_MAX = 512,
    TOKEN_SHOWN_MAX = 40,
    PERIOD_DEFAULT_MS = 1000,
    PERIOD_MIN_MS = 10,
    PERIOD_MAX_MS = 60000,
    LATENCY_MAX_MS = 60000,
    CHANCE_CERTAIN = 1000000,
};

static const char *const statement_names[STATEMENTS] = {
    [STATEMENT_NODES] = "nodes",     [STATEMENT_PERIOD] = "period",
    [STATEMENT_LINK] = "link",       [STATEMENT_PUBLISH] = "publish",
    [STATEMENT_LOAD] = "load",       [STATEMENT_PARTITION] = "partition",
    [STATEMENT_CUT] = "cut",         [STATEMENT_HEAL] = "heal",
    [STATEMENT_KILL] = "kill",       [STATEMENT_STOP] = "stop",
    [STATEMENT_START] = "start",     [STATEMENT_PAUSE] = "pause",
    [STATEMENT_RESUME] = "resume",   [STATEMENT_BACKUP] = "backup",
    [STATEMENT_RESTORE] = "restore", [STATEMENT_CLONE] = "clone",
    [STATEMENT_SKEW] = "skew",       [STATEMENT_DISK] = "disk",
    [STATEMENT_EXPECT] = "expect",
};

static const char *const expectation_names[EXPECTATIONS] = {
    [EXPECT_CONVERGED] = "converged",
    [EXPECT_NO_LOSS] = "no-loss",
    [EXPECT_NO_DUPLICATES] = "no-duplicates",
    [EXPECT_CAUSAL] = "causal",
    [EXPECT_MONOTONIC] = "monotonic",
    [EXPECT_CLOCK] = "clock",
    [EXPECT_RELATION] = "relation",
    [EXPECT_EVENTS] = "events",
    [EXPECT_DELIVERIES] = "deliveries",
    [EXPECT_CONCURRENT] = "concurrent",
    [EXPECT_EXIT] = "exit",
};

static const char *const relation_words[] = {
    [RELATION_BEFORE] = "before",
    [RELATION_AFTER] = "after",
    [RELATION_EQUAL] = "equal",
    [RELATION_CONCURRENT] = "concurrent",
};

/* Words that may follow the names of nodes: no node is called so. */
static const char *const other_words[] = {
    "at",      "every",  "until", "within", "on",      "of",    "as",       "down",
    "latency", "jitter", "loss",  "full",   "machine", "slow",  "fail",     "ok",
    "read",    "write",  "sync",  "before", "after",   "equal", "duplicate"};

const char *statement_name(enum statement_kind kind)
{
    return statement_names[kind];
}

const char *expectation_name(enum expectation expectation)
{
    return expectation_names[expectation];
}

const char *relation_word(enum script_relation relation)
{
    return relation_words[relation];
}

/* ---- Tokens. ---- */

enum token_kind {
    TOKEN_WORD,
    TOKEN_STRING, /* What stood between quotes, its escapes undone. */
    TOKEN_CLOCK,  /* What stood between braces. */
    TOKEN_ARROW,
    TOKEN_ARROWS, /* <-> */
    TOKEN_BAR,
    TOKEN_END,
};

struct token {
    enum token_kind kind;
    const char *start; /* In the text. */
    size_t length;
    char *string; /* Of a string; the reader's. */
    size_t size;
};

struct reader {
    struct script *script;
    const char *at; /* What comes next. */
    const char *end;
    unsigned line;
    struct token tokens[TOKENS_MAX + 1]; /* Of the line. */
    size_t token_count;
    size_t next;
    char *error;
    bool failed;
};

static void fail(struct reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void fail(struct reader *reader, const char *format, ...)
{
    va_list arguments;
    int length;

    if (reader->failed)
        return; /* The first counts. */
    reader->failed = true;
    length =
        snprintf(reader->error, SCRIPT_ERROR_MAX, "%s:%u: ", reader->script->name, reader->line);
    if (length < 0 || length >= SCRIPT_ERROR_MAX)
        return;
    va_start(arguments, format);
    vsnprintf(reader->error + length, SCRIPT_ERROR_MAX - (size_t)length, format, arguments);
    va_end(arguments);
}

/* Says what was found and what was expected in its place. */
static void refuse(struct reader *reader, const struct token *token, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void refuse(struct reader *reader, const struct token *token, const char *format, ...)
{
    char expected[SCRIPT_ERROR_MAX];
    struct text found = {0};
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(expected, sizeof(expected), format, arguments);
    va_end(arguments);
    if (token->kind == TOKEN_END) {
        fail(reader, "found the end of the line, expected %s", expected);
        return;
    }
    text_add_escaped(&found, token->start,
                     token->length < TOKEN_SHOWN_MAX ? token->length : TOKEN_SHOWN_MAX,
                     TEXT_ESCAPE_ASCII);
    fail(reader, "found %s%s, expected %s", found.data ? found.data : "",
         token->length > TOKEN_SHOWN_MAX ? "..." : "", expected);
    text_clear(&found);
}

static void clear_tokens(struct reader *reader)
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
                fail(reader,
                     "found a backslash in a text, expected one of \\\" \\\\ \\n \\t \\xNN");
                return NULL;
            }
            length++;
        }
        token->string[token->size++] = byte;
        at += length;
    }
    if (at == end) {
        fail(reader, "found the end of the line in a text, expected \" behind it");
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
            fail(reader, "found the end of the line in a clock, expected } behind it");
            return NULL;
        }
        token->kind = TOKEN_CLOCK;
        token->length = (size_t)(close + 1 - at);
        return close + 1;
    }
    if (*at == '}') {
        fail(reader, "found }, expected a clock to begin with {");
        return NULL;
    }
    token->kind = TOKEN_WORD;
    while (at < end && !ends_word(at, end))
        at++;
    token->length = (size_t)(at - token->start);
    return at;
}

/* Parts the line that at begins into tokens, and moves on to the next one. */
static void read_tokens(struct reader *reader)
{
    const char *at = reader->at;
    const char *end = memchr(at, '\n', (size_t)(reader->end - at));

    clear_tokens(reader);
    if (!end)
        end = reader->end;
    reader->at = end < reader->end ? end + 1 : end;
    if (end > at && end[-1] == '\r')
        end--;
    if (end - at > SCRIPT_LINE_MAX) {
        fail(reader, "found a line of %zu bytes, expected at most %d", (size_t)(end - at),
             SCRIPT_LINE_MAX);
        return;
    }
    for (const char *byte = at; byte < end; byte++) {
        if ((unsigned char)*byte < ' ' && *byte != '\t') {
            fail(reader, "found the byte 0x%02x, expected text", (unsigned)(unsigned char)*byte);
            return;
        }
    }
    if (!text_is_utf8(at, (size_t)(end - at))) {
        fail(reader, "found bytes that are not UTF-8, expected text");
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
            fail(reader, "found more than %d words, expected the end of the line", TOKENS_MAX);
            break;
        }
        at = read_token(reader, at, end, &reader->tokens[reader->token_count++]);
    }
    reader->tokens[reader->token_count] = (struct token){.kind = TOKEN_END, .start = end};
}

static const struct token *peek(const struct reader *reader)
{
    return &reader->tokens[reader->next];
}

static const struct token *take(struct reader *reader)
{
    const struct token *token = peek(reader);

    if (token->kind != TOKEN_END)
        reader->next++;
    return token;
}

static bool is_word(const struct token *token, const char *word)
{
    return token->kind == TOKEN_WORD && token->length == strlen(word) &&
           memcmp(token->start, word, token->length) == 0;
}

static bool take_word(struct reader *reader, const char *word)
{
    if (!is_word(peek(reader), word))
        return false;
    take(reader);
    return true;
}

static void need_word(struct reader *reader, const char *word)
{
    if (!take_word(reader, word))
        refuse(reader, peek(reader), "%s", word);
}

static int find_word(const struct token *token, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_word(token, words[i]))
            return (int)i;
    return -1;
}

/* ---- Numbers with units. ---- */

struct unit {
    const char *word;
    uint64_t size;
};

/* Reads digits, and a unit behind them; false where text[length] is neither, or too large. */
static bool read_number(const char *text, size_t length, const struct unit *units, size_t count,
                        uint64_t maximum, uint64_t *ret_number)
{
    uint64_t number = 0;
    size_t digits = 0;

    for (; digits < length && isdigit((unsigned char)text[digits]); digits++) {
        number = number * 10 + (uint64_t)(text[digits] - '0');
        if (number > UINT32_MAX)
            return false;
    }
    for (size_t i = 0; i < count && digits > 0; i++) {
        if (length - digits == strlen(units[i].word) &&
            memcmp(text + digits, units[i].word, length - digits) == 0) {
            *ret_number = number * units[i].size;
            return *ret_number <= maximum;
        }
    }
    return false;
}

static const struct unit time_units[] = {
    {"ms", 1}, {"s", 1000}, {"", 1000}, {"m", 60000}, {"h", 3600000}};
static const struct unit size_units[] = {{"B", 1}, {"", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}};
static const struct unit no_units[] = {{"", 1}};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t need_time(struct reader *reader, const char *what, uint64_t minimum_ms,
                          uint64_t maximum_ms)
{
    const struct token *token = take(reader);
    uint64_t ms = 0;

    if (token->kind != TOKEN_WORD ||
        !read_number(token->start, token->length, time_units, COUNT_OF(time_units), maximum_ms,
                     &ms) ||
        ms < minimum_ms) {
        if (maximum_ms == SCRIPT_TIME_MAX)
            refuse(reader, token, "%s, a time such as 500ms, 10s, 2m or 1h, at most 24h%s", what,
                   minimum_ms > 0 ? ", and not 0" : "");
        else
            refuse(reader, token, "%s, a time from %" PRIu64 "ms to %" PRIu64 "ms", what,
                   minimum_ms, maximum_ms);
    }
    return ms;
}

static uint64_t need_number(struct reader *reader, const char *what, uint64_t minimum,
                            uint64_t maximum)
{
    const struct token *token = take(reader);
    uint64_t number = 0;

    if (token->kind != TOKEN_WORD ||
        !read_number(token->start, token->length, no_units, 1, maximum, &number) ||
        number < minimum)
        refuse(reader, token, "%s, a number from %" PRIu64 " to %" PRIu64, what, minimum, maximum);
    return number;
}

static size_t need_size(struct reader *reader, uint64_t minimum, uint64_t maximum)
{
    const struct token *token = take(reader);
    uint64_t size = 0;

    if (token->kind != TOKEN_WORD ||
        !read_number(token->start, token->length, size_units, COUNT_OF(size_units), maximum,
                     &size) ||
        size < minimum)
        refuse(reader, token, "a size such as 100B or 4KiB, from %" PRIu64 " to %" PRIu64 " bytes",
               minimum, maximum);
    return (size_t)size;
}

/* 5% or 0.25%, in millionths. */
static uint32_t need_percent(struct reader *reader)
{
    const struct token *token = take(reader);
    uint64_t ppm = 0;
    uint64_t unit = CHANCE_CERTAIN / 100;
    size_t i = 0;
    bool fits = token->kind == TOKEN_WORD && token->length > 1 &&
                token->start[token->length - 1] == '%' && isdigit((unsigned char)token->start[0]);

    for (; fits && i < token->length - 1 && isdigit((unsigned char)token->start[i]); i++) {
        ppm = ppm * 10 + (uint64_t)(token->start[i] - '0') * unit;
        fits = ppm <= CHANCE_CERTAIN;
    }
    if (fits && token->start[i] == '.' && isdigit((unsigned char)token->start[i + 1])) {
        for (i++; i < token->length - 1 && isdigit((unsigned char)token->start[i]); i++) {
            unit /= 10;
            ppm += (uint64_t)(token->start[i] - '0') * unit;
        }
    }
    if (!fits || i != token->length - 1 || ppm > CHANCE_CERTAIN) {
        refuse(reader, token, "a share from 0%% to 100%%, such as 5%% or 0.5%%");
        return 0;
    }
    return (uint32_t)ppm;
}

/* ---- Names. ---- */

static bool is_reserved(const struct token *token)
{
    return find_word(token, statement_names, STATEMENTS) >= 0 ||
           find_word(token, expectation_names, EXPECTATIONS) >= 0 ||
           find_word(token, other_words, COUNT_OF(other_words)) >= 0;
}

static bool is_name(const struct token *token)
{
    if (token->kind != TOKEN_WORD || token->length > SCRIPT_NAME_MAX ||
        !isalpha((unsigned char)token->start[0]))
        return false;
    for (size_t i = 0; i < token->length; i++) {
        unsigned char byte = (unsigned char)token->start[i];

        if (!isalnum(byte) && byte != '.' && byte != '_' && byte != '-')
            return false;
    }
    return !is_reserved(token);
}

static int find_node(const struct script *script, const char *name, size_t length)
{
    for (unsigned i = 0; i < script->node_count; i++)
        if (strlen(script->nodes[i].name) == length &&
            memcmp(script->nodes[i].name, name, length) == 0)
            return (int)i;
    return -1;
}

void script_names(const struct script *script, uint64_t nodes, char *ret_text, size_t size)
{
    size_t used = 0;

    ret_text[0] = '\0';
    for (unsigned i = 0; i < script->node_count && used < size; i++) {
        if ((nodes >> i & 1) != 0)
            used += (size_t)snprintf(ret_text + used, size - used, "%s%s", used > 0 ? " " : "",
                                     script->nodes[i].name);
    }
}

static bool names_node(const struct reader *reader, const struct token *token)
{
    return token->kind == TOKEN_WORD && find_node(reader->script, token->start, token->length) >= 0;
}

static void refuse_node(struct reader *reader, const struct token *token)
{
    const struct script *script = reader->script;
    char names[256];

    if (script->node_count == 0) {
        refuse(reader, &reader->tokens[0], "nodes as the first statement");
        return;
    }
    script_names(script, UINT64_MAX, names, 120);
    refuse(reader, token, "a node: %s%s", names, strlen(names) >= 119 ? "..." : "");
}

static unsigned need_node(struct reader *reader)
{
    const struct token *token = take(reader);
    int node =
        token->kind == TOKEN_WORD ? find_node(reader->script, token->start, token->length) : -1;

    if (node < 0)
        refuse_node(reader, token);
    return node < 0 ? 0 : (unsigned)node;
}

static unsigned add_node(struct reader *reader, const struct token *token)
{
    struct script *script = reader->script;

    if (!is_name(token)) {
        refuse(reader, token,
               "a name for a node: a letter, then letters, digits and . _ -, at most %d, and no "
               "word of the language",
               SCRIPT_NAME_MAX);
        return 0;
    }
    if (find_node(script, token->start, token->length) >= 0) {
        refuse(reader, token, "a name that no other node has");
        return 0;
    }
    if (script->node_count == SCRIPT_NODES_MAX) {
        refuse(reader, token, "at most %d nodes", SCRIPT_NODES_MAX);
        return 0;
    }
    memcpy(script->nodes[script->node_count].name, token->start, token->length);
    return script->node_count++;
}

/* All that have come to be so far. */
static uint64_t everybody(const struct script *script)
{
    return script->node_count == SCRIPT_NODES_MAX ? UINT64_MAX
                                                  : (UINT64_C(1) << script->node_count) - 1;
}

/* One or more nodes, or *. */
static uint64_t need_nodes(struct reader *reader, bool *ret_is_all)
{
    uint64_t nodes = 0;

    if (reader->script->node_count == 0) {
        refuse_node(reader, peek(reader));
        return 0;
    }
    if (take_word(reader, "*")) {
        if (ret_is_all)
            *ret_is_all = true;
        return everybody(reader->script);
    }
    do {
        const struct token *token = peek(reader);
        uint64_t bit = UINT64_C(1) << need_node(reader);

        if (!reader->failed && (nodes & bit) != 0)
            refuse(reader, token, "each node once");
        nodes |= bit;
    } while (!reader->failed && names_node(reader, peek(reader)));
    return nodes;
}

/* NODES -> NODES, where it is there. */
static void read_arrow(struct reader *reader, struct statement *statement, bool is_needed)
{
    const struct token *token;

    statement->nodes = need_nodes(reader, &statement->is_all);
    token = take(reader);
    if (reader->failed)
        return;
    if (token->kind != TOKEN_ARROW && token->kind != TOKEN_ARROWS) {
        refuse(reader, token, is_needed ? "-> or <->" : "another node, -> or <->");
        return;
    }
    statement->has_arrow = true;
    statement->is_both_ways = token->kind == TOKEN_ARROWS;
    statement->others = need_nodes(reader, NULL);
}

/* text[length] as n3, n3'2; then : and a number. */
static bool read_dot(const struct reader *reader, const char *text, size_t length, uint64_t minimum,
                     struct script_dot *ret_dot)
{
    const char *colon = memchr(text, ':', length);
    const char *mark;
    uint64_t number;
    int node;

    if (!colon)
        return false;
    *ret_dot = (struct script_dot){.epoch = 1};
    mark = memchr(text, '\'', (size_t)(colon - text));
    if (mark) {
        if (!read_number(mark + 1, (size_t)(colon - mark - 1), no_units, 1, 1000, &number) ||
            number == 0)
            return false;
        ret_dot->epoch = (unsigned)number;
    }
    node = find_node(reader->script, text, (size_t)((mark ? mark : colon) - text));
    if (node < 0 ||
        !read_number(colon + 1, (size_t)(text + length - colon - 1), no_units, 1, 1000000000,
                     &ret_dot->seq) ||
        ret_dot->seq < minimum)
        return false;
    ret_dot->node = (unsigned)node;
    return true;
}

static bool looks_like_dot(const struct token *token)
{
    return token->kind == TOKEN_WORD && memchr(token->start, ':', token->length) != NULL;
}

static struct script_dot need_dot(struct reader *reader)
{
    const struct token *token = take(reader);
    struct script_dot dot = {0};

    if (token->kind != TOKEN_WORD || !read_dot(reader, token->start, token->length, 1, &dot))
        refuse(reader, token, "an event such as %s:1, or %s'2:1 of its second epoch",
               reader->script->nodes[0].name, reader->script->nodes[0].name);
    return dot;
}

static void need_clock(struct reader *reader, struct statement *statement)
{
    const struct token *token = take(reader);
    const char *at = token->start + 1;
    const char *end = token->start + token->length - 1;
    size_t capacity = 0;

    if (token->kind != TOKEN_CLOCK) {
        refuse(reader, token, "a clock such as {%s:1}", reader->script->nodes[0].name);
        return;
    }
    while (at < end && !reader->failed) {
        size_t length = 0;
        struct script_dot dot = {0};
        struct token entry;

        at += strspn(at, " \t,");
        length = strcspn(at, " \t,}");
        if (length == 0)
            break;
        entry = (struct token){.kind = TOKEN_WORD, .start = at, .length = length};
        if (!read_dot(reader, at, length, 0, &dot))
            refuse(reader, &entry, "in a clock a node and how many of its events, such as %s:1",
                   reader->script->nodes[0].name);
        for (size_t i = 0; i < statement->clock_count && !reader->failed; i++)
            if (statement->clock[i].node == dot.node && statement->clock[i].epoch == dot.epoch)
                refuse(reader, &entry, "each node once in a clock");
        statement->clock = room_for(statement->clock, &capacity, statement->clock_count + 1,
                                    sizeof(*statement->clock));
        statement->clock[statement->clock_count++] = dot;
        at += length;
    }
}

/* ---- Statements. ---- */

static void read_nodes(struct reader *reader, struct statement *statement)
{
    struct script *script = reader->script;
    const struct token *token = peek(reader);
    uint64_t count;

    if (script->node_count > 0) {
        fail(reader, "found nodes again, expected it once, as the first statement");
        return;
    }
    if (token->kind == TOKEN_WORD && isdigit((unsigned char)token->start[0])) {
        count = need_number(reader, "how many nodes", 1, SCRIPT_NODES_MAX);
        for (unsigned i = 0; i < count && !reader->failed; i++)
            snprintf(script->nodes[i].name, sizeof(script->nodes[i].name), "n%u", i + 1);
        script->node_count = reader->failed ? 0 : (unsigned)count;
    } else {
        do
            add_node(reader, take(reader));
        while (!reader->failed && peek(reader)->kind != TOKEN_END &&
               !is_word(peek(reader), "down"));
    }
    statement->nodes = everybody(script);
    if (!reader->failed && take_word(reader, "down")) {
        uint64_t down = need_nodes(reader, NULL);

        for (unsigned i = 0; i < script->node_count; i++)
            script->nodes[i].is_down = (down >> i & 1) != 0;
    }
}

static void read_link(struct reader *reader, struct statement *statement)
{
    static const char *const words[] = {"latency", "jitter", "loss", "duplicate"};
    uint32_t *values[] = {&statement->link.latency_ms, &statement->link.jitter_ms,
                          &statement->link.loss_ppm, &statement->link.duplicate_ppm};
    bool is_said[COUNT_OF(words)] = {false};

    statement->nodes = statement->others = everybody(reader->script);
    statement->is_all = true;
    if (reader->script->node_count == 0) {
        refuse_node(reader, peek(reader));
        return;
    }
    if (find_word(peek(reader), words, COUNT_OF(words)) < 0) {
        statement->is_all = false;
        if (peek(reader)->kind == TOKEN_END) {
            refuse(reader, peek(reader),
                   "two sides such as * -> *, or latency, jitter, loss or "
                   "duplicate");
            return;
        }
        read_arrow(reader, statement, false);
    }
    do {
        const struct token *token = take(reader);
        int word = find_word(token, words, COUNT_OF(words));

        if (reader->failed)
            return;
        if (word < 0 || is_said[word]) {
            refuse(reader, token, "latency, jitter, loss or duplicate, each once");
            return;
        }
        is_said[word] = true;
        *values[word] = word < 2 ? (uint32_t)need_time(reader, words[word], 0, LATENCY_MAX_MS)
                                 : need_percent(reader);
    } while (!reader->failed && peek(reader)->kind != TOKEN_END);
}

static void read_publish(struct reader *reader, struct statement *statement)
{
    const struct token *token;

    statement->nodes = need_nodes(reader, &statement->is_all);
    statement->number = 1;
    token = peek(reader);
    if (reader->failed || token->kind == TOKEN_END)
        return;
    if (token->kind == TOKEN_STRING) {
        struct token *string = &reader->tokens[reader->next];

        take(reader);
        statement->text = string->string;
        statement->size = string->size;
        string->string = NULL;
        return;
    }
    if (!is_word(token, "of")) {
        if (token->kind != TOKEN_WORD || !isdigit((unsigned char)token->start[0])) {
            refuse(reader, token, "a text such as \"hello\", how many events, or a node");
            return;
        }
        statement->number = need_number(reader, "how many events", 1, SCRIPT_EVENTS_MAX);
    }
    if (!reader->failed && take_word(reader, "of"))
        statement->size = need_size(reader, 1, SCRIPT_PAYLOAD_MAX);
}

static void read_load(struct reader *reader, struct statement *statement)
{
    static const struct unit per[] = {{"/s", 1}, {"/m", 1}, {"/h", 1}};
    static const uint64_t per_ms[] = {1000, 60000, 3600000};
    const struct token *token = take(reader);

    statement->nodes = everybody(reader->script);
    statement->is_all = true;
    if (reader->script->node_count == 0) {
        refuse_node(reader, token);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(per) && statement->time_ms == 0; i++)
        if (token->kind == TOKEN_WORD &&
            read_number(token->start, token->length, &per[i], 1, 1000, &statement->number))
            statement->time_ms = per_ms[i];
    if (statement->time_ms == 0 || statement->number == 0) {
        refuse(reader, token, "how many events in a time, such as 20/s or 5/m, from 1 to 1000");
        return;
    }
    if (take_word(reader, "of"))
        statement->size = need_size(reader, 1, SCRIPT_PAYLOAD_MAX);
    if (!reader->failed && take_word(reader, "on")) {
        statement->is_all = false;
        statement->nodes = need_nodes(reader, &statement->is_all);
    }
    if (!reader->failed)
        need_word(reader, "until");
    if (!reader->failed)
        statement->until_ms = need_time(reader, "until when", 1, SCRIPT_TIME_MAX);
}

static void read_partition(struct reader *reader, struct statement *statement)
{
    uint64_t seen = 0;
    size_t capacity = 0;
    char names[256];

    do {
        const struct token *token = peek(reader);
        bool is_rest = false;
        uint64_t part = need_nodes(reader, &is_rest);

        if (reader->failed)
            return;
        if (is_rest)
            part &= ~seen; /* All others. */
        if ((part & seen) != 0) {
            script_names(reader->script, part & seen, names, sizeof(names));
            fail(reader, "found %s in two parts, expected each node in one", names);
            return;
        }
        if (part == 0) {
            refuse(reader, token, "a part with a node in it: all are in another");
            return;
        }
        seen |= part;
        statement->parts = room_for(statement->parts, &capacity, statement->part_count + 1,
                                    sizeof(*statement->parts));
        statement->parts[statement->part_count++] = part;
        token = take(reader);
        if (token->kind == TOKEN_END)
            break;
        if (token->kind != TOKEN_BAR) {
            refuse(reader, token, is_rest ? "|, or the end of the line" : "a node, or |");
            return;
        }
    } while (!reader->failed);
    if (statement->part_count < 2) {
        fail(reader, "found one part, expected two or more with | between them");
    } else if (seen != everybody(reader->script)) {
        script_names(reader->script, everybody(reader->script) & ~seen, names, sizeof(names));
        fail(reader, "found no part for %s, expected every node in one: write * for all others",
             names);
    }
    statement->nodes = seen;
}

static void read_disk(struct reader *reader, struct statement *statement)
{
    static const char *const words[] = {"ok", "full", "slow", "fail"};
    static const char *const operations[] = {"read", "write", "sync"};
    const struct token *token;
    int operation;

    statement->nodes = need_nodes(reader, &statement->is_all);
    token = take(reader);
    if (reader->failed)
        return;
    switch (find_word(token, words, COUNT_OF(words))) {
    case 0:
        statement->disk = DISK_OK;
        break;
    case 1:
        statement->disk = DISK_FULL;
        if (peek(reader)->kind != TOKEN_END)
            statement->size = need_size(reader, 0, 1 << 30);
        break;
    case 2:
        statement->disk = DISK_SLOW;
        statement->time_ms = need_time(reader, "how long a sync takes", 1, 60000);
        break;
    case 3:
        operation = find_word(peek(reader), operations, COUNT_OF(operations));
        if (operation >= 0)
            take(reader);
        statement->disk = operation == 0   ? DISK_FAIL_READ
                          : operation == 2 ? DISK_FAIL_SYNC
                                           : DISK_FAIL_WRITE;
        break;
    default:
        refuse(reader, token, "another node, or full, slow, fail or ok");
    }
}

static void read_skew(struct reader *reader, struct statement *statement)
{
    struct token *token;

    statement->nodes = need_nodes(reader, &statement->is_all);
    if (reader->failed)
        return;
    token = &reader->tokens[reader->next];
    if (token->kind == TOKEN_WORD && token->length > 1 &&
        (token->start[0] == '-' || token->start[0] == '+')) {
        statement->is_negative = token->start[0] == '-';
        token->start++;
        token->length--;
    }
    statement->time_ms =
        need_time(reader, "another node, or how far its clock is off", 0, SCRIPT_TIME_MAX);
}

static void read_comparison(struct reader *reader, struct statement *statement, const char *what)
{
    if (take_word(reader, ">="))
        statement->comparison = COMPARE_AT_LEAST;
    else if (take_word(reader, "<="))
        statement->comparison = COMPARE_AT_MOST;
    else
        statement->comparison = COMPARE_EQUAL;
    statement->number = need_number(reader, what, 0, 1000000000);
}

static void read_expect(struct reader *reader, struct statement *statement)
{
    const struct token *token = take(reader);
    int found = find_word(token, expectation_names, EXPECTATIONS);

    statement->nodes = everybody(reader->script);
    statement->is_all = true;
    if (reader->script->node_count == 0) {
        refuse_node(reader, token);
        return;
    }
    if (found < 0) {
        refuse(reader, token,
               "converged, no-loss, no-duplicates, causal, monotonic, clock, relation, events, "
               "deliveries, concurrent or exit");
        return;
    }
    statement->expectation = (enum expectation)found;
    switch (statement->expectation) {
    case EXPECT_CONVERGED:
    case EXPECT_NO_LOSS:
        if (peek(reader)->kind != TOKEN_END && !is_word(peek(reader), "within")) {
            if (!is_word(peek(reader), "*") && !names_node(reader, peek(reader))) {
                refuse(reader, peek(reader), "within, a node, or the end of the line");
                return;
            }
            statement->is_all = false;
            statement->nodes = need_nodes(reader, &statement->is_all);
        }
        break;
    case EXPECT_CLOCK:
        statement->is_all = false;
        if (looks_like_dot(peek(reader)))
            statement->dots[0] = need_dot(reader);
        else
            statement->nodes = need_nodes(reader, &statement->is_all);
        if (!reader->failed)
            need_clock(reader, statement);
        break;
    case EXPECT_RELATION:
        statement->dots[0] = need_dot(reader);
        if (!reader->failed)
            statement->dots[1] = need_dot(reader);
        token = take(reader);
        found = find_word(token, relation_words, COUNT_OF(relation_words));
        if (!reader->failed && found < 0)
            refuse(reader, token, "before, after, equal or concurrent");
        statement->relation = (enum script_relation)found;
        break;
    case EXPECT_EVENTS:
    case EXPECT_DELIVERIES:
        statement->is_all = false;
        statement->nodes = need_nodes(reader, &statement->is_all);
        if (!reader->failed)
            read_comparison(reader, statement, "another node, >=, <= or how many");
        break;
    case EXPECT_CONCURRENT:
        read_comparison(reader, statement, ">=, <= or how many pairs");
        break;
    case EXPECT_EXIT:
        statement->is_all = false;
        statement->nodes = need_nodes(reader, &statement->is_all);
        if (!reader->failed)
            statement->number = need_number(reader, "another node, or an exit code", 0, 255);
        break;
    case EXPECT_NO_DUPLICATES:
    case EXPECT_CAUSAL:
    case EXPECT_MONOTONIC:
    case EXPECTATIONS:
        break;
    }
    if (reader->failed || !is_word(peek(reader), "within"))
        return;
    if (statement->expectation == EXPECT_NO_DUPLICATES || statement->expectation == EXPECT_CAUSAL ||
        statement->expectation == EXPECT_MONOTONIC) {
        refuse(reader, peek(reader), "the end of the line: what was seen once does not go away");
        return;
    }
    take(reader);
    statement->is_within = true;
    statement->within_ms = need_time(reader, "within how long", 1, SCRIPT_TIME_MAX);
}

static void read_what(struct reader *reader, struct statement *statement)
{
    switch (statement->kind) {
    case STATEMENT_NODES:
        read_nodes(reader, statement);
        break;
    case STATEMENT_PERIOD:
        statement->time_ms =
            need_time(reader, "the time between exchanges", PERIOD_MIN_MS, PERIOD_MAX_MS);
        reader->script->period_ms = (uint32_t)statement->time_ms;
        break;
    case STATEMENT_LINK:
        read_link(reader, statement);
        break;
    case STATEMENT_PUBLISH:
        read_publish(reader, statement);
        break;
    case STATEMENT_LOAD:
        read_load(reader, statement);
        break;
    case STATEMENT_PARTITION:
        read_partition(reader, statement);
        break;
    case STATEMENT_CUT:
        read_arrow(reader, statement, true);
        break;
    case STATEMENT_HEAL:
        statement->nodes = statement->others = everybody(reader->script);
        statement->is_all = true;
        if (peek(reader)->kind != TOKEN_END) {
            statement->is_all = false;
            read_arrow(reader, statement, true);
        }
        break;
    case STATEMENT_KILL:
    case STATEMENT_STOP:
    case STATEMENT_START:
    case STATEMENT_PAUSE:
    case STATEMENT_RESUME:
    case STATEMENT_BACKUP:
        statement->nodes = need_nodes(reader, &statement->is_all);
        break;
    case STATEMENT_RESTORE:
        statement->nodes = need_nodes(reader, &statement->is_all);
        statement->is_machine = !reader->failed && take_word(reader, "machine");
        break;
    case STATEMENT_CLONE:
        statement->nodes = UINT64_C(1) << need_node(reader);
        if (!reader->failed)
            need_word(reader, "as");
        if (!reader->failed)
            statement->copy = add_node(reader, take(reader));
        if (!reader->failed) {
            reader->script->nodes[statement->copy].is_copy = true;
            reader->script->nodes[statement->copy].is_down = true;
        }
        break;
    case STATEMENT_SKEW:
        read_skew(reader, statement);
        break;
    case STATEMENT_DISK:
        read_disk(reader, statement);
        break;
    case STATEMENT_EXPECT:
        read_expect(reader, statement);
        break;
    case STATEMENTS:
        break;
    }
}

static void read_when(struct reader *reader, struct statement *statement)
{
    if (take_word(reader, "at")) {
        struct token *token = &reader->tokens[reader->next];

        statement->is_at = true;
        if (token->kind == TOKEN_WORD && token->length > 1 && token->start[0] == '+') {
            statement->is_relative = true;
            token->start++;
            token->length--;
        }
        statement->at_ms = need_time(reader, "when", 0, SCRIPT_TIME_MAX);
    }
    if (!reader->failed && take_word(reader, "every")) {
        statement->every_ms = need_time(reader, "how often", 1, SCRIPT_TIME_MAX);
        if (!reader->failed)
            need_word(reader, "until");
        if (!reader->failed)
            statement->until_ms = need_time(reader, "until when", 1, SCRIPT_TIME_MAX);
    }
}

static void clear_statement(struct statement *statement)
{
    free(statement->parts);
    free(statement->text);
    free(statement->clock);
}

/* A time by itself holds for the statement that comes next. */
static void read_line(struct reader *reader, struct statement *time)
{
    struct script *script = reader->script;
    struct statement statement = {.line = reader->line};
    const struct token *token;
    int kind;

    if (peek(reader)->kind == TOKEN_END)
        return;
    read_when(reader, &statement);
    token = peek(reader);
    if (reader->failed)
        return;
    if (token->kind == TOKEN_END && statement.every_ms == 0) {
        if (time->is_at) {
            fail(reader, "found a second time, expected a statement for that of line %u",
                 time->line);
            return;
        }
        *time = statement;
        return;
    }
    if (time->is_at && statement.is_at) {
        fail(reader, "found a second time, expected a statement for that of line %u", time->line);
        return;
    }
    if (time->is_at) {
        statement.is_at = true;
        statement.is_relative = time->is_relative;
        statement.at_ms = time->at_ms;
        time->is_at = false;
    }
    kind = find_word(token, statement_names, STATEMENTS);
    if (kind < 0) {
        refuse(reader, token,
               "a statement: nodes, period, link, publish, load, partition, cut, heal, kill, stop, "
               "start, pause, resume, backup, restore, clone, skew, disk or expect");
        return;
    }
    take(reader);
    statement.kind = (enum statement_kind)kind;
    statement.words = (size_t)(token->start - script->text);
    read_what(reader, &statement);
    if (!reader->failed && peek(reader)->kind != TOKEN_END)
        refuse(reader, peek(reader), "the end of the line");
    if (!reader->failed && script->count == SCRIPT_STATEMENTS_MAX)
        fail(reader, "found one statement more than %d, expected no more", SCRIPT_STATEMENTS_MAX);
    if (reader->failed) {
        clear_statement(&statement);
        return;
    }
    script->statements =
        room_for(script->statements, &script->capacity, script->count + 1, sizeof(statement));
    script->statements[script->count++] = statement;
}

bool script_read(struct script *script, const char *name, const char *text, size_t size,
                 char ret_error[SCRIPT_ERROR_MAX])
{
    struct reader *reader = room_new(sizeof(*reader));
    struct text escaped = {0};
    struct statement time = {0};
    bool failed;

    *script = (struct script){.period_ms = PERIOD_DEFAULT_MS, .size = size};
    text_add_escaped(&escaped, name, strlen(name), TEXT_ESCAPE_TERMINAL);
    script->name = room_new(escaped.size + 1);
    if (escaped.data)
        memcpy(script->name, escaped.data, escaped.size);
    text_clear(&escaped);
    script->text = room_new(size + 1);
    if (size > 0)
        memcpy(script->text, text, size);
    *reader = (struct reader){
        .script = script, .at = script->text, .end = script->text + size, .error = ret_error};
    if (size > SCRIPT_SIZE_MAX) {
        reader->line = 1;
        fail(reader, "found a file of %zu bytes, expected at most %d", size, SCRIPT_SIZE_MAX);
    }
    while (reader->at < reader->end && !reader->failed) {
        reader->line++;
        read_tokens(reader);
        if (!reader->failed)
            read_line(reader, &time);
    }
    if (!reader->failed && time.is_at) {
        reader->line = time.line;
        fail(reader, "found a time and the end of the file, expected a statement for it");
    }
    if (!reader->failed && script->node_count == 0) {
        reader->line = reader->line > 0 ? reader->line : 1;
        fail(reader, "found the end of the file, expected nodes as the first statement");
    }
    clear_tokens(reader);
    failed = reader->failed;
    free(reader);
    return !failed && script_check(script, ret_error);
}

void script_clear(struct script *script)
{
    for (size_t i = 0; i < script->count; i++)
        clear_statement(&script->statements[i]);
    free(script->statements);
    free(script->name);
    free(script->text);
    *script = (struct script){0};
}

/* Of the line that at is in, what stands from at on, up to a comment. */
static size_t line_length(const char *at, const char *end)
{
    bool is_quoted = false;
    size_t length = 0;

    for (; at + length < end && at[length] != '\n'; length++) {
        if (at[length] == '#' && !is_quoted)
            break;
        if (at[length] == '\\' && is_quoted && at + length + 1 < end && at[length + 1] != '\n')
            length++;
        else if (at[length] == '"')
            is_quoted = !is_quoted;
    }
    while (length > 0 && strchr(" \t\r", at[length - 1]))
        length--;
    return length;
}

void script_line(const struct script *script, unsigned line, char *ret_text, size_t size)
{
    const char *at = script->text;
    const char *end = script->text + script->size;

    for (unsigned i = 1; i < line && at < end; i++) {
        const char *next = memchr(at, '\n', (size_t)(end - at));

        at = next ? next + 1 : end;
    }
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    snprintf(ret_text, size, "%.*s", (int)line_length(at, end), at);
}

void script_words(const struct script *script, const struct statement *statement, char *ret_text,
                  size_t size)
{
    const char *at = script->text + statement->words;

    snprintf(ret_text, size, "%.*s", (int)line_length(at, script->text + script->size), at);
}
