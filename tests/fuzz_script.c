/*
 * Scripts of experiments, for libFuzzer. What is refused is refused by name and line; what is taken
 * is within its bounds, and written out again it is read as the same statements.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/lab/reduce.h"
#include "cmd/lab/script.h"
#include "cmd/lab/script_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_bounds(const struct script *script)
{
    uint64_t everybody = script->node_count == SCRIPT_NODES_MAX
                             ? UINT64_MAX
                             : (UINT64_C(1) << script->node_count) - 1;

    assert(script->node_count >= 1 && script->node_count <= SCRIPT_NODES_MAX);
    assert(script->end_ms <= SCRIPT_TIME_MAX);
    for (size_t i = 0; i < script->count; i++) {
        const struct statement *statement = &script->statements[i];
        char line[SCRIPT_LINE_MAX + 1];

        assert((statement->nodes & ~everybody) == 0 && (statement->others & ~everybody) == 0);
        assert(statement->line >= 1);
        script_words(script, statement, line, sizeof(line));
        assert(strncmp(line, statement_name(statement->kind),
                       strlen(statement_name(statement->kind))) == 0);
        for (size_t j = 0; j < statement->clock_count; j++)
            assert(statement->clock[j].node < script->node_count);
    }
}

/* A line that was just short enough may be too long with its time before it. */
static bool has_long_line(const struct text *text)
{
    for (const char *line = text->data; line && *line; line += strcspn(line, "\n") + 1)
        if (strcspn(line, "\n") > SCRIPT_LINE_MAX)
            return true;
    return false;
}

static void write_again(const struct script *script)
{
    char error[SCRIPT_ERROR_MAX];
    struct text text = {0};
    struct script again;

    reduce_print(script, &text);
    assert(!text.failed);
    if (!has_long_line(&text)) {
        if (!script_read(&again, "again", text.data, text.size, error))
            abort();
        assert(again.count == script->count && again.end_ms == script->end_ms);
        for (size_t i = 0; i < script->count; i++) {
            assert(again.statements[i].kind == script->statements[i].kind);
            assert(again.statements[i].nodes == script->statements[i].nodes);
            assert(again.statements[i].number == script->statements[i].number);
        }
        script_clear(&again);
    }
    text_clear(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[SCRIPT_ERROR_MAX] = "";
    struct script script;
    unsigned line;

    if (script_read(&script, "x", (const char *)data, size, error)) {
        check_bounds(&script);
        (void)script_check_place(&script, "here", 1, error);
        write_again(&script);
    } else {
        assert(sscanf(error, "x:%u: found ", &line) == 1 && line >= 1);
    }
    script_clear(&script);
    return 0;
}
