/*
 * Shrinking: of a plan that fails, the least that still fails in the same way. Each candidate runs
 * in a process of its own, so that one that crashes can be shrunk too.
 */
#ifndef GOSSIP_LAB_SHRINK_H
#define GOSSIP_LAB_SHRINK_H

#include "cmd/lab/campaign.h"

/* Carries plan out in another process. ret_violation has the invariant and the time; a process that
 * was killed by a signal violates INVARIANT_BOUNDS. False if there can be no process. */
bool shrink_try(const struct plan *plan, struct violation *ret_violation);

/* Leaves out what is not needed for a violation of the same invariant: time, kinds of actions,
 * single actions, nodes, bad links. At most tries candidates are run; returns how many were.
 * progress (unless NULL) is told of each step. The result is in plan: actions dropped, fewer nodes,
 * less time. */
typedef void shrink_progress(void *context, const char *line);
unsigned shrink_plan(struct plan *plan, enum invariant invariant, unsigned tries,
                     shrink_progress *progress, void *context);

#endif
