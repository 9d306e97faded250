/*
 * What the parts of the reader of scripts share: script.c, script_*.c alone.
 *
 * Functions that find what does not fit tell the reader, which has then failed; what they return is
 * nothing to go on with. Only the first fault is told.
 */
#ifndef GOSSIP_LAB_SCRIPT_READER_H
#define GOSSIP_LAB_SCRIPT_READER_H

#include "cmd/lab/script.h"

enum { TOKENS_MAX = 512 };

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Tokens (script_tokens.c). ---- */

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

void reader_fail(struct reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Says what was found and what was expected in its place. */
void reader_refuse(struct reader *reader, const struct token *token, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Parts the line that at begins into tokens, and moves on to the next one. */
void reader_next_line(struct reader *reader);
void reader_clear(struct reader *reader);

/* The next token; take also passes it, unless the line ends there. */
const struct token *reader_peek(const struct reader *reader);
const struct token *reader_take(struct reader *reader);
bool reader_take_word(struct reader *reader, const char *word);
void reader_need_word(struct reader *reader, const char *word);

bool token_is_word(const struct token *token, const char *word);

/* Which of words it is; -1: none. */
int token_find_word(const struct token *token, const char *const *words, size_t count);

/* ---- Values (script_values.c). ---- */

struct unit {
    const char *word;
    uint64_t size;
};

/* Reads digits, and a unit behind them; false where text[length] is neither, or too large. */
bool read_number_in_units(const char *text, size_t length, const struct unit *units, size_t count,
                          uint64_t maximum, uint64_t *ret_number);

/* what: as an error calls it. */
uint64_t reader_need_time(struct reader *reader, const char *what, uint64_t minimum_ms,
                          uint64_t maximum_ms);
uint64_t reader_need_number(struct reader *reader, const char *what, uint64_t minimum,
                            uint64_t maximum);
size_t reader_need_size(struct reader *reader, uint64_t minimum, uint64_t maximum);

/* Takes the + away that the next word begins with; whether there is one. */
bool reader_take_plus(struct reader *reader);

/* What stands behind until: a time, or + and how long. */
void reader_need_until(struct reader *reader, struct statement *statement);

/* 5% or 0.25%, in millionths. */
uint32_t reader_need_percent(struct reader *reader);

/* All nodes that have come to be so far. */
uint64_t script_everybody(const struct script *script);

/* Gives a new node this name. */
unsigned reader_add_node(struct reader *reader, const struct token *token);

bool reader_names_node(const struct reader *reader, const struct token *token);
void reader_refuse_node(struct reader *reader, const struct token *token);
unsigned reader_need_node(struct reader *reader);

/* One or more nodes, or *, which *ret_is_all tells of unless it is NULL. */
uint64_t reader_need_nodes(struct reader *reader, bool *ret_is_all);

/* NODES -> NODES; is_needed: the arrow cannot be something else. */
void reader_need_arrow(struct reader *reader, struct statement *statement, bool is_needed);

bool token_looks_like_dot(const struct token *token);
struct script_dot reader_need_dot(struct reader *reader);
void reader_need_clock(struct reader *reader, struct statement *statement);

/* ---- Statements (script_statements.c, script_expect.c). ---- */

extern const char *const statement_names[STATEMENTS];
extern const char *const expectation_names[EXPECTATIONS];
extern const char *const relation_words[RELATIONS];

/* Reads what follows the name of a statement, whose kind is known. */
void reader_read_statement(struct reader *reader, struct statement *statement);
void reader_read_expectation(struct reader *reader, struct statement *statement);

#endif
