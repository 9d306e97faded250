/*
 * Verbs: what each is called, how it is used, and what they share on the command line.
 */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include "cmd/exit.h"
#include "gossip/limits.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

struct command {
    const char *name;
    const char *summary;  /* One line, for `gossip help`. */
    const char *usage;    /* What follows the verb. */
    const char *text;     /* What it does, and its options. */
    const char *examples; /* Lines that can be typed. */
    enum exit_code (*run)(const struct command *command, int argc, char **argv);
};

extern const struct command command_backup;
extern const struct command command_clock;
extern const struct command command_export;
extern const struct command command_import;
extern const struct command command_init;
extern const struct command command_log;
extern const struct command command_node;
extern const struct command command_peers;
extern const struct command command_proof;
extern const struct command command_publish;
extern const struct command command_recover;
extern const struct command command_relation;
extern const struct command command_status;
extern const struct command command_stop;
extern const struct command command_verify;

/* The options all verbs have. A verb's own options follow, with values from 'A' to 'Z'. */
#define COMMAND_OPTIONS                                                                            \
    {"dir", required_argument, NULL, 'd'}, {"json", no_argument, NULL, 'j'},                       \
    {                                                                                              \
        "help", no_argument, NULL, 'h'                                                             \
    }

struct command_line {
    const struct command *command;
    const struct option *options;
    int argc;
    char **argv;
    const char *directory; /* Of --dir or GOSSIP_DIR; NULL without either. */
    bool json;
    bool ended; /* There is nothing to do but to exit with code. */
    enum exit_code code;
};

void command_line_start(struct command_line *line, const struct command *command,
                        const struct option *options, int argc, char **argv);

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

/* Prints the help of a verb. */
void command_help(const struct command *command);

#endif
