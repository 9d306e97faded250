/*
 * Poison: events that end the process whenever the application gets them. A marker in the store
 * names the event that is being handed over; a start that finds one knows over which event the
 * process has ended. After the second time (or as many as options say) it is passed over, for good.
 *
 * An application has dealt with an event when it comes back: for the next one, or to run the node.
 * So one that only puts events into a queue of its own is not protected.
 */
#ifndef GOSSIP_POISON_H
#define GOSSIP_POISON_H

#include "gossip/service.h"

/* Takes up what the store knows, and counts how the process has ended. IO, DAMAGED, NOMEM. */
int poison_start(struct gossip *gossip);

/* Whether the event with this hash is passed over. */
bool poison_is(const struct gossip *gossip, const uint8_t hash[GOSSIP_HASH_SIZE]);

/* The event with this hash goes to the application now. Without room for the marker it goes all the
 * same. IO. */
int poison_hand_out(struct gossip *gossip, const uint8_t hash[GOSSIP_HASH_SIZE]);

/* The application has come back. IO. */
int poison_take_back(struct gossip *gossip);

void poison_clear(struct gossip *gossip);

#endif
