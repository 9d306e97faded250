/*
 * What is wrong with a node, as far as it can tell itself: for who asks by a program.
 */
#ifndef CMD_PROBLEMS_H
#define CMD_PROBLEMS_H

#include "cmd/text.h"
#include "cmd/view.h"

/* Adds each problem: as a line of its word, a colon and a sentence, or as one JSON object. Nothing,
 * or an empty list, where there is none. */
void problems_plain(const struct view *view, struct text *ret_text);
void problems_json(const struct view *view, struct text *ret_text);

struct problem {
    const char *word;
    bool is_there;
};

enum { PROBLEMS = 7 };

/* Tells of each problem that there can be whether it is there. */
void problems_look(const struct view *view, struct problem ret_problems[PROBLEMS]);

#endif
