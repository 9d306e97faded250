/*
 * A run as JSON: one object a line, as docs/lab.md promises.
 */
#ifndef GOSSIP_LAB_LINES_H
#define GOSSIP_LAB_LINES_H

#include "cmd/lab/report.h"
#include "cmd/text.h"

/* All that happened, but samples. */
void lines_events(const struct report *report, struct text *ret_text);

/* Clocks and traffic, as they were read. */
void lines_samples(const struct report *report, struct text *ret_text);

/* One line: the checks, the numbers, and how to do it again. */
void lines_verdict(const struct report *report, struct text *ret_text);

/* One line: a check alone. */
void lines_check(const struct check *check, struct text *ret_text);

/* One line: what it was done with. */
void lines_versions(const struct report *report, struct text *ret_text);

#endif
