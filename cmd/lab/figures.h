/*
 * What a run comes to in numbers, from its journal alone.
 */
#ifndef GOSSIP_LAB_FIGURES_H
#define GOSSIP_LAB_FIGURES_H

#include "cmd/lab/journal.h"
#include "cmd/lab/script.h"

/* Times from an event's publication to its being shown at another node. */
struct latency {
    uint64_t count;
    uint64_t p50_ms;
    uint64_t p95_ms;
    uint64_t max_ms;
};

enum latency_group {
    LATENCY_ALL,
    LATENCY_SAME,  /* From a node to one that it could reach when the event was published, */
    LATENCY_OTHER, /* and to one that it could not. */
    LATENCY_GROUPS,
};

enum { FIGURES_HEALS_MAX = 100 };

struct heal {
    uint64_t time_ms;
    unsigned line;
    bool agreed; /* Before the next was cut, or the end. */
    uint64_t took_ms;
};

struct figures {
    struct latency latencies[LATENCY_GROUPS];
    struct heal heals[FIGURES_HEALS_MAX]; /* The last ones. */
    size_t heal_count;
    uint64_t gap_ms; /* The longest time that a node that ran lacked something and was shown ... */
    uint64_t gap_from_ms; /* ... nothing. */
    unsigned gap_node;
    bool has_gap;
    uint64_t published;  /* Events of the application. */
    uint64_t deliveries; /* Of them, at other nodes. */
    uint64_t datagrams;
    uint64_t bytes;
};

void figures_take(const struct journal *journal, const struct script *script, uint64_t end_ms,
                  struct figures *ret_figures);

#endif
