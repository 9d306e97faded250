/*
 * Events that are written once, however often they are asked for: each carries the key that it was
 * asked for with, and a store finds them by the hash of that.
 */
#ifndef GOSSIP_ONCE_H
#define GOSSIP_ONCE_H

#include "gossip/state.h"

/* An event of ours that a key stands for. */
struct once_event {
    struct gossip_dot dot;
    bool is_same; /* Its payload is the one asked about. */
};

/* Finds the first event that this node has delivered, of its own key in any epoch, which counts and
 * bears the key once: 1, or 0 if there is none. IO, DAMAGED, NOMEM. */
int once_find(struct gossip_node *node, const uint8_t *once, size_t once_size,
              const uint8_t *payload, size_t payload_size, struct once_event *ret_event);

/* Has an event about to be saved be found by its key, if it is ours and has one. NOMEM. */
int once_note(struct gossip_node *node, const struct author *author, const struct frame *frame,
              struct gossip_event_record *event);

/* The hash that an event is to be found by: false where it is not ours, or has no key. */
bool once_hash(const struct gossip_node *node, const struct author *author,
               const struct frame *frame, uint8_t ret_hash[GOSSIP_ONCE_HASH_SIZE]);

#endif
