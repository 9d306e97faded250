/*
 * Where results stand: a directory of its own for every run, and `latest`, which points to the
 * newest.
 */
#ifndef GOSSIP_LAB_RESULTS_H
#define GOSSIP_LAB_RESULTS_H

#include "cmd/exit.h"
#include "cmd/text.h"

struct results {
    const char *base; /* Lent. */
    char *directory;  /* base/name-N; NULL: it is not made. */
};

/* Makes base, if it is not there, and in it a directory of the first free number. Complains. */
enum exit_code results_make(const char *base, const char *name, struct results *ret_results);

/* Makes a file of it; text must not have failed. Complains. */
enum exit_code results_write(const struct results *results, const char *name,
                             const struct text *text);

/* latest points to it from now on. Complains. */
enum exit_code results_point(const struct results *results);

/* Where code is EXIT_OK, latest points to it from now on; else it is removed. Returns code, or what
 * went wrong here. */
enum exit_code results_finish(struct results *results, enum exit_code code);

void results_clear(struct results *results);

#endif
