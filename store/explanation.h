/*
 * Explanations: one line that tells a person what is wrong, where, and what to do next.
 */
#ifndef GOSSIP_STORE_EXPLANATION_H
#define GOSSIP_STORE_EXPLANATION_H

struct explanation {
    char text[768];
};

/* Formats as printf does, cuts off what does not fit, and shows control characters (a path may hold
 * some) as '?', so that it stays one line. */
void explanation_set(struct explanation *explanation, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
