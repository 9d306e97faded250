/*
 * Verbs: what each is called, how it is used, and what they share on the command line.
 */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include "cmd/exit.h"
#include "gossip/limits.h"

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What may stand for a value or an argument: what shells offer to complete it with. */
enum command_offer {
    OFFER_NOTHING,
    OFFER_FILE,
    OFFER_DIRECTORY, /* Of a node. */
    OFFER_DOT,
    OFFER_AUTHOR,
    OFFER_WORDS, /* Those of words. */
    OFFER_VERB,
    OFFER_WORDS_AND_FILES,
};

struct command_option {
    const char *name;  /* NULL ends a list. */
    int id;            /* 'A' to 'Z': what command_line_next() returns. */
    const char *value; /* What follows it, as help shows it; NULL: nothing does. */
    enum command_offer offers;
    const char *words; /* Apart by spaces. */
    const char *text;  /* What it does: one line, however long. */
};

/* In the order of help, and each a page of the manual. */
enum command_group {
    GROUP_RUN,
    GROUP_EVENTS,
    GROUP_STATE,
    GROUP_FILES,
    GROUP_LAB,
    GROUP_HELP,
    GROUPS,
};

/* A verb. Of this table help, the manual's pages and the completions of shells are made. */
struct command {
    const char *name;
    enum command_group group;
    enum command_offer offers; /* As arguments. */
    const char *words;
    const char *summary;                  /* One line, for `gossip help`. */
    const char *usage;                    /* What follows the verb. */
    const char *text;                     /* What it does, in paragraphs. */
    const struct command_option *options; /* Its own; NULL: none. */
    bool nowhere;                         /* It takes no --dir. */
    const char *json;     /* What it prints with --json, one line; NULL: it takes none. */
    const char *notes;    /* What else there is to say, in paragraphs; NULL: nothing. */
    const char *examples; /* Lines that can be typed. */
    enum exit_code (*run)(const struct command *command, int argc, char **argv);
};

enum { COMMAND_OPTIONS_MAX = 24 };

/* All verbs, in the order in which one needs them; how many there are. */
extern const struct command *const commands[];
extern const size_t command_count;

const struct command *command_find(const char *name); /* NULL: there is none. */

/* "Nodes", "Events" ...; and a line of what its verbs do. */
const char *command_group_title(enum command_group group);
const char *command_group_summary(enum command_group group);

/* What `gossip help` tells of a topic; NULL: there is none of this name. */
const char *command_topic(const char *name);

struct command_line {
    const struct command *command;
    struct option options[COMMAND_OPTIONS_MAX + 4]; /* As getopt_long() takes them. */
    int argc;
    char **argv;
    const char *directory; /* Of --dir or GOSSIP_DIR; NULL without either. */
    bool json;
    bool ended; /* There is nothing to do but to exit with code. */
    enum exit_code code;
};

void command_line_start(struct command_line *line, const struct command *command, int argc,
                        char **argv);

/* The value of the next option of the verb's own, its argument in optarg; -1 at the end, or where
 * line has ended. */
int command_line_next(struct command_line *line);

/* Checks, at the end, that a directory is named and that from minimum to maximum arguments are
 * there; they start at argv[optind]. False where line has ended. */
bool command_line_check(struct command_line *line, int minimum, int maximum);

/* The same for a verb that may do without a directory. */
bool command_line_check_arguments(struct command_line *line, int minimum, int maximum);

/* Checks that a directory is named. */
bool command_line_check_directory(struct command_line *line);

/* Says what is wrong with the command line; line has ended. */
void command_line_refuse(struct command_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Reads a public key of 64 hex digits; false, and line has ended, where text is none. */
bool command_line_read_key(struct command_line *line, const char *option, const char *text,
                           uint8_t ret_key[GOSSIP_KEY_SIZE]);

/* Reads a time such as 500ms, 10s, 10, 2m or 1h, of minimum_ms to maximum_ms milliseconds; false,
 * and line has ended, where optarg is none. */
bool command_line_read_duration(struct command_line *line, const char *option, uint32_t minimum_ms,
                                uint32_t maximum_ms, uint32_t *ret_ms);

/* Says that there is no verb called name. */
enum exit_code command_refuse_verb(const char *name);

/* Prints the help of a verb. */
void command_help(const struct command *command);

#endif
