/*
 * Which events of a log are shown: those that fit all that is asked for.
 */
#ifndef CMD_LOG_FILTER_H
#define CMD_LOG_FILTER_H

#include "gossip/gossip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOG_LIMIT_MAX = 1000000 };

/* An event that others are measured by, and its clock. */
struct log_anchor {
    struct gossip_dot dot; /* seq 0: there is none. */
    struct gossip_vclock clock;
};

struct log_filter {
    bool all;          /* Context events too. */
    uint64_t since_ms; /* Not those whose stamp is earlier. */
    uint32_t *authors; /* Only those of these; NULL: of all. */
    size_t author_count;
    struct log_anchor before; /* Only what happened before this event, ... */
    struct log_anchor after;  /* ... after this one, ... */
    struct log_anchor apart;  /* ... and concurrently with this one. */
};

void log_filter_clear(struct log_filter *filter);

/* Has anchor stand for the event dot. As gossip_event_get(). */
int log_anchor_set(struct gossip *gossip, struct gossip_dot dot, struct log_anchor *anchor);

bool log_filter_shows(const struct log_filter *filter, const struct gossip_event *event);

/* The last dots of many. */
struct log_tail {
    size_t limit; /* 0: it takes none. */
    struct gossip_dot *dots;
    size_t capacity;
    size_t start;
    size_t count;
};

void log_tail_clear(struct log_tail *tail);
int log_tail_add(struct log_tail *tail, struct gossip_dot dot); /* NOMEM. */

/* Takes the first of those that are left; false where there is none. */
bool log_tail_take(struct log_tail *tail, struct gossip_dot *ret_dot);

#endif
