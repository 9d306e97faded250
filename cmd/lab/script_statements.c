/* Statements of a script: what follows the name of each. */
#include "cmd/lab/script_reader.h"

#include <ctype.h>
#include <stdio.h>

#include "cmd/lab/room.h"

enum {
    PERIOD_MIN_MS = 10,
    PERIOD_MAX_MS = 60000,
    LATENCY_MAX_MS = 60000,
};

static void read_nodes(struct reader *reader, struct statement *statement)
{
    struct script *script = reader->script;
    const struct token *token = reader_peek(reader);
    uint64_t count;

    if (script->node_count > 0) {
        reader_fail(reader, "found nodes again, expected it once, as the first statement");
        return;
    }
    if (token->kind == TOKEN_WORD && isdigit((unsigned char)token->start[0])) {
        count = reader_need_number(reader, "how many nodes", 1, SCRIPT_NODES_MAX);
        for (unsigned i = 0; i < count && !reader->failed; i++)
            snprintf(script->nodes[i].name, sizeof(script->nodes[i].name), "n%u", i + 1);
        script->node_count = reader->failed ? 0 : (unsigned)count;
    } else {
        do
            reader_add_node(reader, reader_take(reader));
        while (!reader->failed && reader_peek(reader)->kind != TOKEN_END &&
               !token_is_word(reader_peek(reader), "down"));
    }
    statement->nodes = script_everybody(script);
    if (!reader->failed && reader_take_word(reader, "down")) {
        uint64_t down = reader_need_nodes(reader, NULL);

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

    statement->nodes = statement->others = script_everybody(reader->script);
    statement->is_all = true;
    if (reader->script->node_count == 0) {
        reader_refuse_node(reader, reader_peek(reader));
        return;
    }
    if (token_find_word(reader_peek(reader), words, COUNT_OF(words)) < 0) {
        statement->is_all = false;
        if (reader_peek(reader)->kind == TOKEN_END) {
            reader_refuse(reader, reader_peek(reader),
                          "two sides such as * -> *, or latency, jitter, loss or "
                          "duplicate");
            return;
        }
        reader_need_arrow(reader, statement, false);
    }
    do {
        const struct token *token = reader_take(reader);
        int word = token_find_word(token, words, COUNT_OF(words));

        if (reader->failed)
            return;
        if (word < 0 || is_said[word]) {
            reader_refuse(reader, token, "latency, jitter, loss or duplicate, each once");
            return;
        }
        is_said[word] = true;
        *values[word] = word < 2
                            ? (uint32_t)reader_need_time(reader, words[word], 0, LATENCY_MAX_MS)
                            : reader_need_percent(reader);
    } while (!reader->failed && reader_peek(reader)->kind != TOKEN_END);
}

static void read_publish(struct reader *reader, struct statement *statement)
{
    const struct token *token;

    statement->nodes = reader_need_nodes(reader, &statement->is_all);
    statement->number = 1;
    token = reader_peek(reader);
    if (reader->failed || token->kind == TOKEN_END)
        return;
    if (token->kind == TOKEN_STRING) {
        struct token *string = &reader->tokens[reader->next];

        reader_take(reader);
        statement->text = string->string;
        statement->size = string->size;
        string->string = NULL;
        return;
    }
    if (!token_is_word(token, "of")) {
        if (token->kind != TOKEN_WORD || !isdigit((unsigned char)token->start[0])) {
            reader_refuse(reader, token, "a text such as %s, how many events, or a node",
                          /* A shell has taken the quotes of its own away. */
                          reader->script->by_hand ? "'\"hello\"'" : "\"hello\"");
            return;
        }
        statement->number = reader_need_number(reader, "how many events", 1, SCRIPT_EVENTS_MAX);
    }
    if (!reader->failed && reader_take_word(reader, "of"))
        statement->size = reader_need_size(reader, 1, SCRIPT_PAYLOAD_MAX);
}

static void read_load(struct reader *reader, struct statement *statement)
{
    static const struct unit per[] = {{"/s", 1}, {"/m", 1}, {"/h", 1}};
    static const uint64_t per_ms[] = {1000, 60000, 3600000};
    const struct token *token = reader_take(reader);

    statement->nodes = script_everybody(reader->script);
    statement->is_all = true;
    if (reader->script->node_count == 0) {
        reader_refuse_node(reader, token);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(per) && statement->time_ms == 0; i++)
        if (token->kind == TOKEN_WORD &&
            read_number_in_units(token->start, token->length, &per[i], 1, 1000, &statement->number))
            statement->time_ms = per_ms[i];
    if (statement->time_ms == 0 || statement->number == 0) {
        reader_refuse(reader, token,
                      "how many events in a time, such as 20/s or 5/m, from 1 to 1000");
        return;
    }
    if (reader_take_word(reader, "of"))
        statement->size = reader_need_size(reader, 1, SCRIPT_PAYLOAD_MAX);
    if (!reader->failed && reader_take_word(reader, "on")) {
        statement->is_all = false;
        statement->nodes = reader_need_nodes(reader, &statement->is_all);
    }
    if (!reader->failed)
        reader_need_word(reader, "until");
    if (!reader->failed)
        reader_need_until(reader, statement);
}

static void read_partition(struct reader *reader, struct statement *statement)
{
    uint64_t seen = 0;
    size_t capacity = 0;
    char names[256];

    do {
        const struct token *token = reader_peek(reader);
        bool is_rest = false;
        uint64_t part = reader_need_nodes(reader, &is_rest);

        if (reader->failed)
            return;
        if (is_rest)
            part &= ~seen; /* All others. */
        if ((part & seen) != 0) {
            script_names(reader->script, part & seen, names, sizeof(names));
            reader_fail(reader, "found %s in two parts, expected each node in one", names);
            return;
        }
        if (part == 0) {
            reader_refuse(reader, token, "a part with a node in it: all are in another");
            return;
        }
        seen |= part;
        statement->parts = room_for(statement->parts, &capacity, statement->part_count + 1,
                                    sizeof(*statement->parts));
        statement->parts[statement->part_count++] = part;
        token = reader_take(reader);
        if (token->kind == TOKEN_END)
            break;
        if (token->kind != TOKEN_BAR) {
            reader_refuse(reader, token, is_rest ? "|, or the end of the line" : "a node, or |");
            return;
        }
    } while (!reader->failed);
    if (statement->part_count < 2) {
        reader_fail(reader, "found one part, expected two or more with | between them");
    } else if (seen != script_everybody(reader->script)) {
        script_names(reader->script, script_everybody(reader->script) & ~seen, names,
                     sizeof(names));
        reader_fail(reader,
                    "found no part for %s, expected every node in one: write * for all others",
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

    statement->nodes = reader_need_nodes(reader, &statement->is_all);
    token = reader_take(reader);
    if (reader->failed)
        return;
    switch (token_find_word(token, words, COUNT_OF(words))) {
    case 0:
        statement->disk = DISK_OK;
        break;
    case 1:
        statement->disk = DISK_FULL;
        if (reader_peek(reader)->kind != TOKEN_END)
            statement->size = reader_need_size(reader, 0, 1 << 30);
        break;
    case 2:
        statement->disk = DISK_SLOW;
        statement->time_ms = reader_need_time(reader, "how long a sync takes", 1, 60000);
        break;
    case 3:
        operation = token_find_word(reader_peek(reader), operations, COUNT_OF(operations));
        if (operation >= 0)
            reader_take(reader);
        statement->disk = operation == 0   ? DISK_FAIL_READ
                          : operation == 2 ? DISK_FAIL_SYNC
                                           : DISK_FAIL_WRITE;
        break;
    default:
        reader_refuse(reader, token, "another node, or full, slow, fail or ok");
    }
}

static void read_skew(struct reader *reader, struct statement *statement)
{
    struct token *token;

    statement->nodes = reader_need_nodes(reader, &statement->is_all);
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
        reader_need_time(reader, "another node, or how far its clock is off", 0, SCRIPT_TIME_MAX);
}

void reader_read_statement(struct reader *reader, struct statement *statement)
{
    switch (statement->kind) {
    case STATEMENT_NODES:
        read_nodes(reader, statement);
        break;
    case STATEMENT_PERIOD:
        statement->time_ms =
            reader_need_time(reader, "the time between exchanges", PERIOD_MIN_MS, PERIOD_MAX_MS);
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
        reader_need_arrow(reader, statement, true);
        break;
    case STATEMENT_HEAL:
        statement->nodes = statement->others = script_everybody(reader->script);
        statement->is_all = true;
        if (reader_peek(reader)->kind != TOKEN_END) {
            statement->is_all = false;
            reader_need_arrow(reader, statement, true);
        }
        break;
    case STATEMENT_KILL:
    case STATEMENT_STOP:
    case STATEMENT_START:
    case STATEMENT_PAUSE:
    case STATEMENT_RESUME:
    case STATEMENT_BACKUP:
        statement->nodes = reader_need_nodes(reader, &statement->is_all);
        break;
    case STATEMENT_RESTORE:
        statement->nodes = reader_need_nodes(reader, &statement->is_all);
        statement->is_machine = !reader->failed && reader_take_word(reader, "machine");
        break;
    case STATEMENT_CLONE:
        statement->nodes = UINT64_C(1) << reader_need_node(reader);
        if (!reader->failed)
            reader_need_word(reader, "as");
        if (!reader->failed)
            statement->copy = reader_add_node(reader, reader_take(reader));
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
        reader_read_expectation(reader, statement);
        break;
    case STATEMENTS:
        break;
    }
}
