/*
 * Figures as Prometheus reads them: its text exposition format, version 0.0.4.
 *
 * Each adds to ret_text, which is marked as failed when memory runs out. Names are constants of
 * ours; values of labels may be anything and are escaped.
 */
#ifndef CMD_EXPOSITION_H
#define CMD_EXPOSITION_H

#include "cmd/text.h"

#define EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum exposition_kind {
    EXPOSITION_COUNTER,
    EXPOSITION_GAUGE,
    EXPOSITION_HISTOGRAM,
};

struct exposition_label {
    const char *name; /* NULL ends a list. */
    const char *value;
};

/* Begins a metric: all its figures follow at once. */
void exposition_begin(struct text *ret_text, const char *name, enum exposition_kind kind,
                      const char *help);

/* Adds a figure of the metric begun; labels is NULL where it has none. */
void exposition_add(struct text *ret_text, const char *name, const struct exposition_label *labels,
                    uint64_t number);

/* The same of a time, in seconds. */
void exposition_add_seconds(struct text *ret_text, const char *name,
                            const struct exposition_label *labels, uint64_t us);

/* Durations, in microseconds, by powers of two. */
struct exposition_durations {
    const uint64_t *counts; /* How many took less than 1, 2, 4, 8 ... and not less than the one */
    size_t count;           /* before; the last has all that took longer. */
    uint64_t sum_us;
    size_t first; /* From which of them to which they are told apart, both included: all that is */
    size_t last;  /* less counts for the first. last < count - 1. */
};

/* Adds a histogram, in seconds. */
void exposition_add_durations(struct text *ret_text, const char *name,
                              const struct exposition_durations *durations);

#endif
