/*
 * Answers for people: the same as json.h has for programs, as lines of text. No byte that came from
 * elsewhere reaches a terminal unescaped. Where the view asks for it, they have colours.
 *
 * Each adds to ret_text, which is marked as failed when memory runs out.
 */
#ifndef CMD_PLAIN_H
#define CMD_PLAIN_H

#include "cmd/view.h"

/* Where the columns of a log start, and whether it has colours. */
struct plain_columns {
    size_t clock;
    size_t data;
    bool colour;
};

/* Wide enough for all that view's node holds now, within reason. */
void plain_columns(const struct view *view, struct plain_columns *ret_columns);

void plain_event(const struct names *names, const struct gossip_event *event,
                 const struct plain_columns *columns, struct text *ret_text);
void plain_clock(const struct names *names, const struct gossip_vclock *clock,
                 struct text *ret_text);
void plain_relation(const struct view *view, const struct relation_view *relation,
                    struct text *ret_text);
void plain_peers(const struct view *view, struct text *ret_text);
/* view is NULL where a proof is looked at without a node. */
void plain_proof(const struct view *view, const struct proof_view *proof, struct text *ret_text);
/* What a node waits for before it writes, or "ready"; without an end of line. */
void plain_start(const struct gossip_start *start, struct text *ret_text);
void plain_status(const struct view *view, struct text *ret_text);

#endif
