/*
 * Of a script that fails the least that still fails in the same way. Each candidate is played in a
 * process of its own, so that one that crashes can be reduced too.
 */
#ifndef GOSSIP_LAB_REDUCE_H
#define GOSSIP_LAB_REDUCE_H

#include "cmd/lab/play.h"
#include "cmd/lab/script.h"
#include "cmd/text.h"

/* Called with a line after each step; NULL: nobody is told. */
typedef void reduce_progress(void *context, const char *line);

/* On the simulator, where a seed repeats a run: marks statements of script as dropped that are not
 * needed for failure (a check of a run of it with this seed) to fail again; returns how many
 * candidates were played, 0 where there could be no process, or where it does not fail again. */
unsigned reduce(struct script *script, uint64_t seed, const struct check *failure,
                reduce_progress *progress, void *context);

/* The script of what is left. */
void reduce_print(const struct script *script, struct text *ret_text);

#endif
