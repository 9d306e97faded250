#ifndef GOSSIP_EPOCH_H
#define GOSSIP_EPOCH_H

#include "gossip/state.h"

/* Whether the epoch ends before the next own event. */
bool epoch_is_due(const struct gossip_node *node);

/* Opens a new one, with the event that says so. From then on node->self is its author. NOMEM. */
int epoch_open(struct gossip_node *node);

/* Bits that no epoch ever had: drawn, never from a clock (Riak's issue 1865). */
void epoch_mint(struct gossip_node *node, uint8_t ret_epoch[GOSSIP_EPOCH_SIZE]);

#endif
