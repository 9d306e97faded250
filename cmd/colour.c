#include "cmd/colour.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LABEL_WIDTH = 12 };

bool colour_is_wanted(int descriptor)
{
    const char *refused = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");

    return !(refused && *refused) && terminal && *terminal && strcmp(terminal, "dumb") != 0 &&
           isatty(descriptor);
}

void colour_add(struct text *text, bool on, enum colour colour, const char *word, size_t width)
{
    /* Of the eight that every terminal has: its user has made them fit its background. */
    static const char *const starts[] = {
        [COLOUR_HEADING] = "\x1b[1m",
        [COLOUR_GOOD] = "\x1b[32m",
        [COLOUR_UNSURE] = "\x1b[33m",
        [COLOUR_BAD] = "\x1b[31m",
    };
    bool coloured = on && colour != COLOUR_NONE && *word;

    if (coloured)
        text_add(text, starts[colour]);
    text_add(text, word);
    if (coloured)
        text_add(text, "\x1b[0m");
    for (size_t i = strlen(word); i < width; i++)
        text_add(text, " ");
}

void colour_add_label(struct text *text, bool on, const char *label)
{
    colour_add(text, on, COLOUR_HEADING, label, LABEL_WIDTH);
    text_add(text, " ");
}
