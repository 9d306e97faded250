/*
 * What this node can show of an author's chain, stored or held back: hashes, and the links from one
 * event to a seal, of which proofs are made.
 */
#ifndef GOSSIP_BRANCH_H
#define GOSSIP_BRANCH_H

#include "gossip/proof.h"
#include "gossip/state.h"

/* The hash of event seq of an author: stored, in the batch, or held back; zero for seq 0.
 * 1, or 0 if it is not here. IO, DAMAGED, NOMEM. */
int branch_hash(struct gossip_node *node, uint32_t author, uint64_t seq,
                uint8_t ret_hash[GOSSIP_HASH_SIZE]);

/* The chain of an author from event seq, which is at most the last one stored plus one, to the
 * first sealed event from there on. 1, or 0 if there is no such seal here. IO, DAMAGED, NOMEM. */
int branch_find(struct gossip_node *node, uint32_t author, uint64_t seq,
                struct proof_branch *ret_branch);

/* The link of event seq, WIRE_LINK_SIZE bytes. 1, or 0 if the event is not here. Errors as above.
 */
int branch_link(struct gossip_node *node, uint32_t author, uint64_t seq,
                uint8_t ret_link[WIRE_LINK_SIZE]);

/* Where the chain of an author stands after event seq, which is at most the last one stored.
 * Errors as above. */
int branch_chain(struct gossip_node *node, uint32_t author, uint64_t seq, struct chain *ret_chain);

#endif
