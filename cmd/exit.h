/*
 * Exit codes: one meaning each, the same for every verb. docs/cli.md shows this table. Those from
 * 65 on are of sysexits.h and tell what stops a node.
 */
#ifndef CMD_EXIT_H
#define CMD_EXIT_H

#include <stdarg.h>

enum exit_code {
    EXIT_OK = 0,
    EXIT_NO = 1,             /* The answer is no, or what was asked for could not be done. */
    EXIT_USAGE = 2,          /* The command line is not understood. */
    EXIT_NO_NODE = 3,        /* No node runs on the directory. */
    EXIT_TIMED_OUT = 4,      /* No answer in time. */
    EXIT_DAMAGED = 65,       /* What is stored contradicts itself. */
    EXIT_MEMORY = 71,        /* The system has no memory or descriptor left. */
    EXIT_INPUT_OUTPUT = 74,  /* Reading or writing failed; a write may have happened or not. */
    EXIT_LOCKED = 75,        /* Another process uses the directory. */
    EXIT_PERMISSION = 77,    /* The system allows too little, or a file's mode too much. */
    EXIT_CONFIGURATION = 78, /* An option, a file or the directory is not fit for a node. */
};

/* The exit code for an enum gossip_error that stops a node, or a verb on a node's files. */
enum exit_code exit_for(int error);

/* Writes "gossip: " and a line to stderr. Remote bytes in it must have been escaped. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Complains of the system's last error (errno) about what, with what to do next, and returns the
 * exit code that fits. */
enum exit_code complain_of_system(const char *what, const char *path, const char *next);

/* Says that verb cannot make a key, and what to do about it. */
void complain_of_making_key(const char *verb, int error);

#endif
