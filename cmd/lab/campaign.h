/*
 * Campaigns: a plan is carried out in a world, faults end, and everything must come to agreement
 * and fall quiet. What was covered is counted.
 */
#ifndef GOSSIP_LAB_CAMPAIGN_H
#define GOSSIP_LAB_CAMPAIGN_H

#include "cmd/lab/plan.h"

/* What one run did, or the sum of many. */
struct campaign_coverage {
    uint64_t runs;
    uint64_t simulated_ms;
    uint64_t nodes;
    uint64_t converged_ms_max; /* The longest a run took to agree once faults were off. */
    uint64_t actions[ACTIONS];
    struct world_stats world;
    struct virtual_network_stats network;
    struct virtual_disk_stats disk;
    struct checker_stats checker;
};

struct campaign_result {
    struct violation violation; /* Invariant NONE: all is well. */
    uint64_t trace;
    struct campaign_coverage coverage;
};

/* Carries plan out. narrator as in world.h, or NULL. */
void campaign_run(const struct plan *plan, world_narrator *narrator, void *context,
                  struct campaign_result *ret_result);

void campaign_coverage_add(struct campaign_coverage *sum, const struct campaign_coverage *run);

/* Shows every count by name, in the order of the struct. */
typedef void campaign_count(void *context, const char *name, uint64_t count);
void campaign_coverage_show(const struct campaign_coverage *coverage, campaign_count *show,
                            void *context);

#endif
