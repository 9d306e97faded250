/*
 * Witnesses: what stands for a seal that no event here bears. A node may have delivered the first
 * events of a run and wait with the others, or never take them, because of a cut or of a mistake in
 * them; only the last of the run bears its seal. The witness of an event is the chain from the next
 * one to that seal: half a proof (docs/protocol.md), without bodies. It is kept, so that those
 * events can be told to others as long as they count.
 */
#ifndef GOSSIP_WITNESS_H
#define GOSSIP_WITNESS_H

#include "gossip/proof.h"
#include "gossip/state.h"

/* The witness of event seq of an author, of what is stored, held back or kept. 1, or 0 if there is
 * none. IO, DAMAGED, NOMEM. */
int witness_find(struct gossip_node *node, uint32_t author, uint64_t seq,
                 struct proof_half *ret_half);

/* Keeps in memory how the chain of an author goes on after its tail: branch begins there. NOMEM. */
int witness_note(struct gossip_node *node, struct author *author, uint64_t seq,
                 const struct proof_branch *branch);

/* Before a commit: saves the witnesses of what was delivered without a seal. Errors as of find. */
int witness_save(struct gossip_node *node);

/* What peer has shown, unasked, of the chain of an author; and whether it vouches for the event of
 * this hash, after which seq comes next. NULL where nothing does. */
enum gossip_verdict witness_receive(struct gossip_node *node, uint32_t peer,
                                    const struct proof_half *half, int *ret_error);
const struct proof_half *witness_of_run(const struct gossip_node *node, uint32_t peer,
                                        const struct chain_owner *owner, const struct chain *chain);

/* Of a start: whether a meta record is of a witness; takes it in, when its author is known. NOMEM.
 */
bool witness_is_in(const struct gossip_meta_record *meta);
int witness_load(struct gossip_node *node, const struct gossip_meta_record *meta);

#endif
