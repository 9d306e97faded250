/*
 * A verb that is one request of the local API: of a running node, or, where the verb allows it, of
 * a stopped node's files.
 */
#ifndef CMD_ASK_H
#define CMD_ASK_H

#include "cmd/exit.h"
#include "cmd/text.h"

#include <stdbool.h>
#include <stddef.h>

enum { ASK_ARGUMENTS_MAX = 9 };

struct ask {
    const char *method;
    const char *path;
    struct {
        const char *name;
        const char *value; /* NULL ends the list. */
    } arguments[ASK_ARGUMENTS_MAX];
    const void *body;
    size_t size;
    bool plain;
    bool files;          /* A stopped node will do. */
    struct text *answer; /* The answer goes here; NULL: to standard output. */
    const char *out;     /* The answer goes to this file, which must not exist yet. */
    const char *unsure;  /* What to say when no answer comes to a request that changes something. */
    int patience_ms;     /* How long the answer may take; 0: a minute. */
    bool quiet;  /* That no node runs is no reason to complain; that there is no directory is,
                    and then EXIT_CONFIGURATION. */
    bool ends;   /* Then waits until the node has ended. */
    bool whole;  /* An answer that tells of failures is taken like any other. */
    bool writes; /* What may have to wait after a start, and then tells for what. */
};

/* Asks the node on the directory, and writes the answer to where it shall go. A node that is not
 * running, where that does not do, is EXIT_NO_NODE. */
enum exit_code ask(const struct ask *ask, const char *path);

#endif
