/* Expectations of a script: what follows the word expect. */
#include "cmd/lab/script_reader.h"

static void read_comparison(struct reader *reader, struct statement *statement, const char *what)
{
    if (reader_take_word(reader, ">="))
        statement->comparison = COMPARE_AT_LEAST;
    else if (reader_take_word(reader, "<="))
        statement->comparison = COMPARE_AT_MOST;
    else
        statement->comparison = COMPARE_EQUAL;
    statement->number = reader_need_number(reader, what, 0, 1000000000);
}

void reader_read_expectation(struct reader *reader, struct statement *statement)
{
    const struct token *token = reader_take(reader);
    int found = token_find_word(token, expectation_names, EXPECTATIONS);

    statement->nodes = script_everybody(reader->script);
    statement->is_all = true;
    if (reader->script->node_count == 0) {
        reader_refuse_node(reader, token);
        return;
    }
    if (found < 0) {
        reader_refuse(
            reader, token,
            "converged, no-loss, no-duplicates, causal, monotonic, clock, relation, events, "
            "deliveries, concurrent or exit");
        return;
    }
    statement->expectation = (enum expectation)found;
    switch (statement->expectation) {
    case EXPECT_CONVERGED:
    case EXPECT_NO_LOSS:
        if (reader_peek(reader)->kind != TOKEN_END &&
            !token_is_word(reader_peek(reader), "within")) {
            if (!token_is_word(reader_peek(reader), "*") &&
                !reader_names_node(reader, reader_peek(reader))) {
                reader_refuse(reader, reader_peek(reader),
                              "within, a node, or the end of the line");
                return;
            }
            statement->is_all = false;
            statement->nodes = reader_need_nodes(reader, &statement->is_all);
        }
        break;
    case EXPECT_CLOCK:
        statement->is_all = false;
        if (token_looks_like_dot(reader_peek(reader)))
            statement->dots[0] = reader_need_dot(reader);
        else
            statement->nodes = reader_need_nodes(reader, &statement->is_all);
        if (!reader->failed)
            reader_need_clock(reader, statement);
        break;
    case EXPECT_RELATION:
        statement->dots[0] = reader_need_dot(reader);
        if (!reader->failed)
            statement->dots[1] = reader_need_dot(reader);
        token = reader_take(reader);
        found = token_find_word(token, relation_words, RELATIONS);
        if (!reader->failed && found < 0)
            reader_refuse(reader, token, "before, after, equal or concurrent");
        statement->relation = (enum script_relation)found;
        break;
    case EXPECT_EVENTS:
    case EXPECT_DELIVERIES:
        statement->is_all = false;
        statement->nodes = reader_need_nodes(reader, &statement->is_all);
        if (!reader->failed)
            read_comparison(reader, statement, "another node, >=, <= or how many");
        break;
    case EXPECT_CONCURRENT:
        read_comparison(reader, statement, ">=, <= or how many pairs");
        break;
    case EXPECT_EXIT:
        statement->is_all = false;
        statement->nodes = reader_need_nodes(reader, &statement->is_all);
        if (!reader->failed)
            statement->number = reader_need_number(reader, "another node, or an exit code", 0, 255);
        break;
    case EXPECT_NO_DUPLICATES:
    case EXPECT_CAUSAL:
    case EXPECT_MONOTONIC:
    case EXPECTATIONS:
        break;
    }
    if (reader->failed || !token_is_word(reader_peek(reader), "within"))
        return;
    if (statement->expectation == EXPECT_NO_DUPLICATES || statement->expectation == EXPECT_CAUSAL ||
        statement->expectation == EXPECT_MONOTONIC) {
        reader_refuse(reader, reader_peek(reader),
                      "the end of the line: what was seen once does not go away");
        return;
    }
    reader_take(reader);
    statement->is_within = true;
    statement->within_ms = reader_need_time(reader, "within how long", 1, SCRIPT_TIME_MAX);
}
