/*
 * Plays a script on a stage: what is to happen happens at its time, and what is expected is judged
 * where it stands.
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
void outcome_clear(struct outcome *outcome);

/* The first check that failed; NULL: none did. */
const struct check *outcome_failure(const struct outcome *outcome);

#endif
