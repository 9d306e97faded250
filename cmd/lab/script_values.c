/* What words of a script stand for: numbers with units, nodes, events, clocks. */
#include "cmd/lab/script_reader.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/lab/room.h"

enum { CHANCE_CERTAIN = 1000000 };

/* ---- Numbers with units. ---- */

/* Reads digits, and a unit behind them; false where text[length] is neither, or too large. */
bool read_number_in_units(const char *text, size_t length, const struct unit *units, size_t count,
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

uint64_t reader_need_time(struct reader *reader, const char *what, uint64_t minimum_ms,
                          uint64_t maximum_ms)
{
    const struct token *token = reader_take(reader);
    uint64_t ms = 0;

    if (token->kind != TOKEN_WORD ||
        !read_number_in_units(token->start, token->length, time_units, COUNT_OF(time_units),
                              maximum_ms, &ms) ||
        ms < minimum_ms) {
        if (maximum_ms == SCRIPT_TIME_MAX)
            reader_refuse(reader, token, "%s, a time such as 500ms, 10s, 2m or 1h, at most 24h%s",
                          what, minimum_ms > 0 ? ", and not 0" : "");
        else
            reader_refuse(reader, token, "%s, a time from %" PRIu64 "ms to %" PRIu64 "ms", what,
                          minimum_ms, maximum_ms);
    }
    return ms;
}

bool reader_take_plus(struct reader *reader)
{
    struct token *token = &reader->tokens[reader->next];

    if (token->kind != TOKEN_WORD || token->length < 2 || token->start[0] != '+')
        return false;
    token->start++;
    token->length--;
    return true;
}

void reader_need_until(struct reader *reader, struct statement *statement)
{
    statement->is_lasting = reader_take_plus(reader);
    statement->until_ms = reader_need_time(reader, "until when", 1, SCRIPT_TIME_MAX);
}

uint64_t reader_need_number(struct reader *reader, const char *what, uint64_t minimum,
                            uint64_t maximum)
{
    const struct token *token = reader_take(reader);
    uint64_t number = 0;

    if (token->kind != TOKEN_WORD ||
        !read_number_in_units(token->start, token->length, no_units, 1, maximum, &number) ||
        number < minimum)
        reader_refuse(reader, token, "%s, a number from %" PRIu64 " to %" PRIu64, what, minimum,
                      maximum);
    return number;
}

size_t reader_need_size(struct reader *reader, uint64_t minimum, uint64_t maximum)
{
    const struct token *token = reader_take(reader);
    uint64_t size = 0;

    if (token->kind != TOKEN_WORD ||
        !read_number_in_units(token->start, token->length, size_units, COUNT_OF(size_units),
                              maximum, &size) ||
        size < minimum)
        reader_refuse(reader, token,
                      "a size such as 100B or 4KiB, from %" PRIu64 " to %" PRIu64 " bytes", minimum,
                      maximum);
    return (size_t)size;
}

/* 5% or 0.25%, in millionths. */
uint32_t reader_need_percent(struct reader *reader)
{
    const struct token *token = reader_take(reader);
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
        reader_refuse(reader, token, "a share from 0%% to 100%%, such as 5%% or 0.5%%");
        return 0;
    }
    return (uint32_t)ppm;
}

/* ---- Names. ---- */

/* Words that may follow the names of nodes: no node is called so. */
static const char *const other_words[] = {
    "at",      "every",  "until", "within", "on",      "of",    "as",       "down",
    "latency", "jitter", "loss",  "full",   "machine", "slow",  "fail",     "ok",
    "read",    "write",  "sync",  "before", "after",   "equal", "duplicate"};

static bool is_reserved(const struct token *token)
{
    return token_find_word(token, statement_names, STATEMENTS) >= 0 ||
           token_find_word(token, expectation_names, EXPECTATIONS) >= 0 ||
           token_find_word(token, other_words, COUNT_OF(other_words)) >= 0;
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

bool reader_names_node(const struct reader *reader, const struct token *token)
{
    return token->kind == TOKEN_WORD && find_node(reader->script, token->start, token->length) >= 0;
}

void reader_refuse_node(struct reader *reader, const struct token *token)
{
    const struct script *script = reader->script;
    char names[256];

    if (script->node_count == 0) {
        reader_refuse(reader, &reader->tokens[0], "nodes as the first statement");
        return;
    }
    script_names(script, UINT64_MAX, names, 120);
    reader_refuse(reader, token, "a node: %s%s", names, strlen(names) >= 119 ? "..." : "");
}

unsigned reader_need_node(struct reader *reader)
{
    const struct token *token = reader_take(reader);
    int node =
        token->kind == TOKEN_WORD ? find_node(reader->script, token->start, token->length) : -1;

    if (node < 0)
        reader_refuse_node(reader, token);
    return node < 0 ? 0 : (unsigned)node;
}

unsigned reader_add_node(struct reader *reader, const struct token *token)
{
    struct script *script = reader->script;

    if (!is_name(token)) {
        reader_refuse(
            reader, token,
            "a name for a node: a letter, then letters, digits and . _ -, at most %d, and no "
            "word of the language",
            SCRIPT_NAME_MAX);
        return 0;
    }
    if (find_node(script, token->start, token->length) >= 0) {
        reader_refuse(reader, token, "a name that no other node has");
        return 0;
    }
    if (script->node_count == SCRIPT_NODES_MAX) {
        reader_refuse(reader, token, "at most %d nodes", SCRIPT_NODES_MAX);
        return 0;
    }
    memcpy(script->nodes[script->node_count].name, token->start, token->length);
    return script->node_count++;
}

/* All that have come to be so far. */
uint64_t script_everybody(const struct script *script)
{
    return script->node_count == SCRIPT_NODES_MAX ? UINT64_MAX
                                                  : (UINT64_C(1) << script->node_count) - 1;
}

/* One or more nodes, or *. */
uint64_t reader_need_nodes(struct reader *reader, bool *ret_is_all)
{
    uint64_t nodes = 0;

    if (reader->script->node_count == 0) {
        reader_refuse_node(reader, reader_peek(reader));
        return 0;
    }
    if (reader_take_word(reader, "*")) {
        if (ret_is_all)
            *ret_is_all = true;
        return script_everybody(reader->script);
    }
    do {
        const struct token *token = reader_peek(reader);
        uint64_t bit = UINT64_C(1) << reader_need_node(reader);

        if (!reader->failed && (nodes & bit) != 0)
            reader_refuse(reader, token, "each node once");
        nodes |= bit;
    } while (!reader->failed && reader_names_node(reader, reader_peek(reader)));
    return nodes;
}

/* NODES -> NODES, where it is there. */
void reader_need_arrow(struct reader *reader, struct statement *statement, bool is_needed)
{
    const struct token *token;

    statement->nodes = reader_need_nodes(reader, &statement->is_all);
    token = reader_take(reader);
    if (reader->failed)
        return;
    if (token->kind != TOKEN_ARROW && token->kind != TOKEN_ARROWS) {
        reader_refuse(reader, token, is_needed ? "-> or <->" : "another node, -> or <->");
        return;
    }
    statement->has_arrow = true;
    statement->is_both_ways = token->kind == TOKEN_ARROWS;
    statement->others = reader_need_nodes(reader, NULL);
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
        if (!read_number_in_units(mark + 1, (size_t)(colon - mark - 1), no_units, 1, 1000,
                                  &number) ||
            number == 0)
            return false;
        ret_dot->epoch = (unsigned)number;
    }
    node = find_node(reader->script, text, (size_t)((mark ? mark : colon) - text));
    if (node < 0 ||
        !read_number_in_units(colon + 1, (size_t)(text + length - colon - 1), no_units, 1,
                              1000000000, &ret_dot->seq) ||
        ret_dot->seq < minimum)
        return false;
    ret_dot->node = (unsigned)node;
    return true;
}

bool token_looks_like_dot(const struct token *token)
{
    return token->kind == TOKEN_WORD && memchr(token->start, ':', token->length) != NULL;
}

struct script_dot reader_need_dot(struct reader *reader)
{
    const struct token *token = reader_take(reader);
    struct script_dot dot = {0};

    if (token->kind != TOKEN_WORD || !read_dot(reader, token->start, token->length, 1, &dot))
        reader_refuse(reader, token, "an event such as %s:1, or %s'2:1 of its second epoch",
                      reader->script->nodes[0].name, reader->script->nodes[0].name);
    return dot;
}

void reader_need_clock(struct reader *reader, struct statement *statement)
{
    const struct token *token = reader_take(reader);
    const char *at = token->start + 1;
    const char *end = token->start + token->length - 1;
    size_t capacity = 0;

    if (token->kind != TOKEN_CLOCK) {
        reader_refuse(reader, token, "a clock such as {%s:1}", reader->script->nodes[0].name);
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
            reader_refuse(reader, &entry,
                          "in a clock a node and how many of its events, such as %s:1",
                          reader->script->nodes[0].name);
        for (size_t i = 0; i < statement->clock_count && !reader->failed; i++)
            if (statement->clock[i].node == dot.node && statement->clock[i].epoch == dot.epoch)
                reader_refuse(reader, &entry, "each node once in a clock");
        statement->clock = room_for(statement->clock, &capacity, statement->clock_count + 1,
                                    sizeof(*statement->clock));
        statement->clock[statement->clock_count++] = dot;
        at += length;
    }
}
