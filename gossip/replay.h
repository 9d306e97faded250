/*
 * Replay windows: which of a sender's counters have been seen in this boot. A bitmap that slides,
 * as in RFC 6479, of GOSSIP_REPLAY_WINDOW counters. Looking changes nothing, so that a datagram
 * can be looked up early and marked only when all of it was found in order.
 */
#ifndef GOSSIP_REPLAY_H
#define GOSSIP_REPLAY_H

#include "gossip/limits.h"

#include <stdbool.h>
#include <stdint.h>

struct replay_window {
    uint64_t floor; /* Counters up to this count as seen, whatever the bitmap says. */
    uint64_t greatest;
    uint64_t seen[GOSSIP_REPLAY_WINDOW / 64];
};

/* Starts anew: everything up to and including greatest counts as seen. */
void replay_reset(struct replay_window *window, uint64_t greatest);

/* Whether counter is new: not seen, and less than GOSSIP_REPLAY_WINDOW below the greatest. */
bool replay_is_new(const struct replay_window *window, uint64_t counter);

/* Marks counter, which must be new (asserted), as seen. */
void replay_mark(struct replay_window *window, uint64_t counter);

#endif
