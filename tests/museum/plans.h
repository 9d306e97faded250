/*
 * Plans beside the usual ones, for mistakes that these give no occasion to.
 */
#ifndef TESTS_MUSEUM_PLANS_H
#define TESTS_MUSEUM_PLANS_H

#include "cmd/lab/plan.h"

typedef void plan_drawer(struct plan *plan, uint64_t seed);

/* What campaigns carry out. */
void plan_draw_usual(struct plan *plan, uint64_t seed);

/* The same, and a part of what is published is empty. */
void plan_draw_empty(struct plan *plan, uint64_t seed);

/* One node hears what another writes, lacks the one small event that all of it is a consequence of,
 * and cannot ask anybody for that: all links from it are cut, and the one from its author. */
void plan_draw_flood(struct plan *plan, uint64_t seed);

#endif
