#include "cmd/lab/script.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/lab/room.h"
#include "cmd/lab/script_check.h"
#include "cmd/lab/script_reader.h"
#include "cmd/text.h"

enum { PERIOD_DEFAULT_MS = 1000 };

const char *const statement_names[STATEMENTS] = {
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

const char *const expectation_names[EXPECTATIONS] = {
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

const char *const relation_words[RELATIONS] = {
    [RELATION_BEFORE] = "before",
    [RELATION_AFTER] = "after",
    [RELATION_EQUAL] = "equal",
    [RELATION_CONCURRENT] = "concurrent",
};

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

static void read_when(struct reader *reader, struct statement *statement)
{
    if (reader_take_word(reader, "at")) {
        statement->is_at = true;
        statement->is_relative = reader_take_plus(reader);
        statement->at_ms = reader_need_time(reader, "when", 0, SCRIPT_TIME_MAX);
    }
    if (!reader->failed && reader_take_word(reader, "every")) {
        statement->every_ms = reader_need_time(reader, "how often", 1, SCRIPT_TIME_MAX);
        if (!reader->failed)
            reader_need_word(reader, "until");
        if (!reader->failed)
            reader_need_until(reader, statement);
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

    if (reader_peek(reader)->kind == TOKEN_END)
        return;
    read_when(reader, &statement);
    token = reader_peek(reader);
    if (reader->failed)
        return;
    if (token->kind == TOKEN_END && statement.every_ms == 0) {
        if (time->is_at) {
            reader_fail(reader, "found a second time, expected a statement for that of line %u",
                        time->line);
            return;
        }
        *time = statement;
        return;
    }
    if (time->is_at && statement.is_at) {
        reader_fail(reader, "found a second time, expected a statement for that of line %u",
                    time->line);
        return;
    }
    if (time->is_at) {
        statement.is_at = true;
        statement.is_relative = time->is_relative;
        statement.at_ms = time->at_ms;
        time->is_at = false;
    }
    kind = token_find_word(token, statement_names, STATEMENTS);
    if (kind < 0) {
        reader_refuse(
            reader, token,
            "a statement: nodes, period, link, publish, load, partition, cut, heal, kill, stop, "
            "start, pause, resume, backup, restore, clone, skew, disk or expect");
        return;
    }
    reader_take(reader);
    statement.kind = (enum statement_kind)kind;
    statement.words = (size_t)(token->start - script->text);
    reader_read_statement(reader, &statement);
    if (!reader->failed && reader_peek(reader)->kind != TOKEN_END)
        reader_refuse(reader, reader_peek(reader), "the end of the line");
    if (!reader->failed && script->count == SCRIPT_STATEMENTS_MAX)
        reader_fail(reader, "found one statement more than %d, expected no more",
                    SCRIPT_STATEMENTS_MAX);
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

    *script =
        (struct script){.period_ms = PERIOD_DEFAULT_MS, .size = size, .by_hand = name == NULL};
    name = name ? name : "by hand";
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
        reader_fail(reader, "found a file of %zu bytes, expected at most %d", size,
                    SCRIPT_SIZE_MAX);
    }
    while (reader->at < reader->end && !reader->failed) {
        reader->line++;
        reader_next_line(reader);
        if (!reader->failed)
            read_line(reader, &time);
    }
    if (!reader->failed && time.is_at) {
        reader->line = time.line;
        reader_fail(reader, "found a time and the end of the file, expected a statement for it");
    }
    if (!reader->failed && script->node_count == 0) {
        reader->line = reader->line > 0 ? reader->line : 1;
        reader_fail(reader, "found the end of the file, expected nodes as the first statement");
    }
    reader_clear(reader);
    failed = reader->failed;
    free(reader);
    return !failed && script_check(script, ret_error);
}

static unsigned count_lines(const struct script *script)
{
    unsigned count = 0;

    for (size_t i = 0; i < script->size; i++)
        count += script->text[i] == '\n';
    return count;
}

/* Takes away all that was added since it had so much. */
static void shorten(struct script *script, size_t size, size_t count, unsigned node_count)
{
    while (script->count > count)
        clear_statement(&script->statements[--script->count]);
    for (unsigned i = node_count; i < script->node_count; i++)
        script->nodes[i] = (struct script_node){0};
    script->node_count = node_count;
    script->size = size;
    script->text[size] = '\0';
}

bool script_add(struct script *script, const char *line, char ret_error[SCRIPT_ERROR_MAX])
{
    struct reader *reader = room_new(sizeof(*reader));
    struct statement time = {0};
    size_t length = strlen(line);
    size_t size = script->size;
    size_t count = script->count;
    unsigned node_count = script->node_count;
    uint32_t period_ms = script->period_ms;
    uint64_t end_ms = script->end_ms;
    bool failed;

    script->text = realloc(script->text, size + length + 2);
    if (!script->text)
        abort(); /* No memory. */
    memcpy(script->text + size, line, length);
    memcpy(script->text + size + length, "\n", 2);
    script->size = size + length + 1;
    *reader = (struct reader){.script = script,
                              .at = script->text + size,
                              .end = script->text + script->size,
                              .line = count_lines(script),
                              .error = ret_error};
    if (strchr(line, '\n'))
        reader_fail(reader, "found the byte 0x0a, expected text");
    else if (script->size > SCRIPT_SIZE_MAX)
        reader_fail(reader, "found a line too many for %d bytes, expected no more",
                    SCRIPT_SIZE_MAX);
    if (!reader->failed)
        reader_next_line(reader);
    if (!reader->failed)
        read_line(reader, &time);
    if (!reader->failed && script->count == count)
        reader_fail(reader, "found no statement, expected one");
    reader_clear(reader);
    failed = reader->failed;
    free(reader);
    if (!failed && script_check(script, ret_error))
        return true;
    shorten(script, size, count, node_count);
    script->period_ms = period_ms;
    script->end_ms = end_ms;
    return false;
}

void script_take_back(struct script *script)
{
    const struct statement *last = &script->statements[script->count - 1];
    size_t size = script->size - 1; /* Without the line's end. */

    assert(script->count > 0);
    while (size > 0 && script->text[size - 1] != '\n')
        size--;
    shorten(script, size, script->count - 1,
            last->kind == STATEMENT_CLONE ? last->copy : script->node_count);
}

int script_fault(const struct script *script, unsigned line, char ret_error[SCRIPT_ERROR_MAX])
{
    if (script->by_hand)
        return 0;
    return snprintf(ret_error, SCRIPT_ERROR_MAX, "%s:%u: ", script->name, line);
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
