/*
 * What came of a run, for a person.
 */
#ifndef GOSSIP_LAB_REPORT_H
#define GOSSIP_LAB_REPORT_H

#include "cmd/lab/figures.h"
#include "cmd/lab/journal.h"
#include "cmd/lab/play.h"
#include "cmd/lab/script.h"
#include "cmd/text.h"

struct report {
    const struct script *script;
    const char *place;
    uint64_t seed;
    const struct journal *journal;
    const struct outcome *outcome;
    const struct figures *figures;
    const char *directory; /* Of the results; NULL: there is none. */
    const char *repeat;    /* The command that does it again. */
};

/* The whole summary. */
void report_print(const struct report *report, struct text *ret_text);

/* One check, with its witness. */
void report_print_check(const struct check *check, struct text *ret_text);

/* The checks that failed, with their witnesses. */
void report_print_failures(const struct report *report, struct text *ret_text);

#endif
