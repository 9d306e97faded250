/*
 * Plays a script on a stage: what is to happen happens at its time, and what is expected is judged
 * where it stands. All at once, or statement by statement, as somebody thinks of them.
 */
#ifndef GOSSIP_LAB_PLAY_H
#define GOSSIP_LAB_PLAY_H

#include "cmd/lab/journal.h"
#include "cmd/lab/script.h"
#include "cmd/lab/stage.h"
#include "cmd/text.h"

struct check {
    unsigned line;   /* 0: it is none of the script's. */
    char title[256]; /* As the script has it. */
    bool passed;
    bool was_not_reached; /* The run ended before. */
    uint64_t time_ms;     /* When it was judged, */
    uint64_t took_ms;     /* so long after it was reached. */
    struct text witness;  /* Lines; empty where it passed. */
};

struct outcome {
    struct check *checks;
    size_t count;
    size_t capacity;
    bool passed;
    uint64_t end_ms;
};

/* Plays all of it, and adds what the stage itself has found. */
void play(const struct script *script, struct stage *stage, struct outcome *ret_outcome);

/* The same in parts. What is lent is lent until play_end(); statements and nodes may be added to
 * script meanwhile. */
struct play *play_begin(const struct script *script, struct stage *stage,
                        struct outcome *ret_outcome);

/* Starts the nodes, but those that the script has down at first; once. */
void play_start(struct play *play);

/* Carries out the statement of this number, whenever it is to happen. Of an expectation this is the
 * beginning: time has to pass until it is judged, and nothing else may be carried out before. */
void play_statement(struct play *play, size_t index);

/* Whether an expectation has yet to be judged. */
bool play_is_waiting(struct play *play);

/* Lets time pass, until then or until there is something to look at. */
void play_pass(struct play *play, uint64_t until_ms);

/* Gives up the expectation that is waited for: it is as if it had not been. */
void play_give_up(struct play *play);

/* Why it cannot go on; NULL: it can. */
const char *play_failure(const struct play *play);

/* How nodes are linked: the part that one is in, 0 without a partition; whether a direction is cut;
 * what else it does. */
unsigned play_part(const struct play *play, unsigned node);
bool play_is_cut(const struct play *play, unsigned from, unsigned to);
const struct script_link *play_link(const struct play *play, unsigned from, unsigned to);

/* Judges what always has to hold, and ends it. */
void play_end(struct play *play);

void outcome_clear(struct outcome *outcome);

/* The first check that failed; NULL: none did. */
const struct check *outcome_failure(const struct outcome *outcome);

#endif
