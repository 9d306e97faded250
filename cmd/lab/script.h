/*
 * Scripts of experiments: text in, data out. docs/lab.md has the grammar.
 *
 * A script knows nothing of where it is played: nodes are numbers from 0, times are milliseconds
 * from the start. What does not fit is told with its file, its line, what was found there and what
 * was expected.
 */
#ifndef GOSSIP_LAB_SCRIPT_H
#define GOSSIP_LAB_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SCRIPT_NODES_MAX = 64, /* Sets of nodes are bits of one number. */
    SCRIPT_NAME_MAX = 32,  /* As in certificates. */
    SCRIPT_LINE_MAX = 4096,
    SCRIPT_SIZE_MAX = 1 << 20,
    SCRIPT_STATEMENTS_MAX = 10000,
    SCRIPT_EVENTS_MAX = 100000, /* That a whole script may publish. */
    SCRIPT_PAYLOAD_MAX = 65536,
    SCRIPT_TIME_MAX = 24 * 3600 * 1000,
    SCRIPT_PARTS_MAX = SCRIPT_NODES_MAX,
    SCRIPT_ERROR_MAX = 768,
};

enum statement_kind {
    STATEMENT_NODES,
    STATEMENT_PERIOD,
    STATEMENT_LINK,
    STATEMENT_PUBLISH,
    STATEMENT_LOAD,
    STATEMENT_PARTITION,
    STATEMENT_CUT,
    STATEMENT_HEAL,
    STATEMENT_KILL,
    STATEMENT_STOP,
    STATEMENT_START,
    STATEMENT_PAUSE,
    STATEMENT_RESUME,
    STATEMENT_BACKUP,
    STATEMENT_RESTORE,
    STATEMENT_CLONE,
    STATEMENT_SKEW,
    STATEMENT_DISK,
    STATEMENT_EXPECT,
    STATEMENTS,
};

/* What a link does to each datagram. */
struct script_link {
    uint32_t latency_ms;
    uint32_t jitter_ms; /* Up to so much more. */
    uint32_t loss_ppm;
    uint32_t duplicate_ppm;
};

enum script_disk {
    DISK_OK,
    DISK_FULL,       /* size bytes are left. */
    DISK_SLOW,       /* A sync takes time_ms. */
    DISK_FAIL_READ,  /* Every read, */
    DISK_FAIL_WRITE, /* every write, */
    DISK_FAIL_SYNC,  /* every sync fails with an I/O error. */
};

enum expectation {
    EXPECT_CONVERGED,     /* The clocks of nodes are the same. */
    EXPECT_NO_LOSS,       /* What was published is at all nodes. */
    EXPECT_NO_DUPLICATES, /* Nothing was shown twice at a node. */
    EXPECT_CAUSAL,        /* Nothing was shown before its causes. */
    EXPECT_MONOTONIC,     /* No clock went back. */
    EXPECT_CLOCK,         /* Of nodes, or of an event: clock. */
    EXPECT_RELATION,      /* Of two events: relation. */
    EXPECT_EVENTS,        /* Each of nodes has shown number. */
    EXPECT_DELIVERIES,    /* All of them together have. */
    EXPECT_CONCURRENT,    /* So many pairs of events are concurrent. */
    EXPECT_EXIT,          /* The last process of nodes has ended with number. */
    EXPECTATIONS,
};

enum script_comparison {
    COMPARE_EQUAL,
    COMPARE_AT_LEAST,
    COMPARE_AT_MOST,
};

enum script_relation {
    RELATION_BEFORE,
    RELATION_AFTER,
    RELATION_EQUAL,
    RELATION_CONCURRENT,
    RELATIONS,
};

/* n3:17; or n3'2:17, of the second epoch of n3. In a clock, so many events of that author. */
struct script_dot {
    unsigned node;
    unsigned epoch; /* 1 is the first. */
    uint64_t seq;
};

struct statement {
    enum statement_kind kind;
    unsigned line;
    size_t words;    /* Where its name stands in the script's text. */
    bool is_dropped; /* By shrinking. */

    /* When: at a time; so long after the end of the one before; or, without either, right then. */
    bool is_at;
    bool is_relative;
    uint64_t at_ms;
    uint64_t every_ms; /* 0: once. */
    uint64_t until_ms; /* Of every, and of a load; */
    bool is_lasting;   /* so long after it has begun. */

    uint64_t nodes;  /* Bits: whom it is about. */
    bool is_all;     /* It says *: of nodes, those that fit. */
    uint64_t others; /* Behind the arrow. */
    bool has_arrow;
    bool is_both_ways;
    uint64_t *parts; /* Of a partition. */
    size_t part_count;
    unsigned copy; /* What a clone is called. */
    struct script_link link;

    char *text;  /* To publish, size bytes; NULL: number events, each made up, of size bytes ... */
    size_t size; /* ... or, where that is 0, as short as they come. Also of a disk. */
    uint64_t number;  /* Of events; of a load, so many ... */
    uint64_t time_ms; /* ... in this time. Also a period, a skew's size, a disk's delay. */
    bool is_negative; /* A skew. */
    bool is_machine;  /* A restore as of a whole machine, which nothing on it can tell. */
    enum script_disk disk;

    enum expectation expectation;
    bool is_within;
    uint64_t within_ms;
    struct script_dot dots[2]; /* seq 0: there is none. */
    struct script_dot *clock;
    size_t clock_count;
    enum script_comparison comparison;
    enum script_relation relation;
};

struct script_node {
    char name[SCRIPT_NAME_MAX + 1];
    bool is_down; /* At first. */
    bool is_copy; /* It comes to be by a clone. */
};

struct script {
    char *name; /* For errors. */
    char *text; /* As it was read. */
    size_t size;
    struct script_node nodes[SCRIPT_NODES_MAX];
    unsigned node_count;
    uint32_t period_ms; /* Between exchanges. */
    struct statement *statements;
    size_t count;
    size_t capacity;
    uint64_t end_ms; /* When it is over at the latest. */
    bool by_hand;    /* Somebody types it as it is played: errors name no file and no line. */
};

/* "nodes", "kill" ...; "converged" ...; never NULL. */
const char *statement_name(enum statement_kind kind);
const char *expectation_name(enum expectation expectation);
const char *relation_word(enum script_relation relation);

/* Reads text[size], called name (NULL: by hand), and checks it (script_check.h). False, and
 * ret_error says why, where it does not fit; script is to be cleared in either case. */
bool script_read(struct script *script, const char *name, const char *text, size_t size,
                 char ret_error[SCRIPT_ERROR_MAX]);
void script_clear(struct script *script);

/* Adds a line with a statement to what was read, and checks all of it. False, and ret_error says
 * why, where it does not fit; script is then as it was. */
bool script_add(struct script *script, const char *line, char ret_error[SCRIPT_ERROR_MAX]);

/* Takes the last line back, which was added. */
void script_take_back(struct script *script);

/* How an error begins that is in this line; how long that is. */
int script_fault(const struct script *script, unsigned line, char ret_error[SCRIPT_ERROR_MAX]);

/* The text of a line, without white space around it and without a comment; ret_text ends with a
 * NUL, and is cut short where it does not fit. */
void script_line(const struct script *script, unsigned line, char *ret_text, size_t size);

/* The same of a statement, without its time. */
void script_words(const struct script *script, const struct statement *statement, char *ret_text,
                  size_t size);

/* "n1 n2 n5" */
void script_names(const struct script *script, uint64_t nodes, char *ret_text, size_t size);

#endif
