/*
 * Colours in answers for people. Few, and never all that says something: whoever does not see them
 * misses nothing.
 */
#ifndef CMD_COLOUR_H
#define CMD_COLOUR_H

#include "cmd/text.h"

#include <stdbool.h>

enum colour {
    COLOUR_NONE,
    COLOUR_HEADING, /* Bold: headings, labels, and the word that is the answer. */
    COLOUR_GOOD,    /* Green: as it should be. */
    COLOUR_UNSURE,  /* Yellow: it may pass, or not. */
    COLOUR_BAD,     /* Red: it will not pass by itself. */
};

/* Whether what is written to descriptor shall have colours: it is a terminal that knows them, and
 * the user has not refused (NO_COLOR, https://no-color.org). */
bool colour_is_wanted(int descriptor);

/* Adds a word, in colour where on, and then spaces until it is width wide: columns stay aligned,
 * since what makes the colour has no width. */
void colour_add(struct text *text, bool on, enum colour colour, const char *word, size_t width);

/* Adds the label of a line, and what is between it and the rest. */
void colour_add_label(struct text *text, bool on, const char *label);

#endif
