/*
 * Explanations: one line that tells a person what is wrong, where, and what to do next.
 */
#ifndef TRANSPORT_EXPLAIN_H
#define TRANSPORT_EXPLAIN_H

#include <stddef.h>

enum { EXPLANATION_MAX = 320 }; /* A longer one is cut. */

struct explanation {
    char text[EXPLANATION_MAX];
};

/* Bytes that are not printable ASCII are shown as "?", so that whatever was typed stays one line
 * and cannot steer a terminal. */
__attribute__((format(printf, 2, 3))) void explain(struct explanation *ret_explanation,
                                                   const char *format, ...);

/* Copies what fits; ret_text may be NULL. */
void explanation_copy(const struct explanation *explanation, char *ret_text, size_t size);

#endif
