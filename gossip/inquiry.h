/*
 * Inquiries: where a peer's chain of an author differs from ours, the lowest dot at which it does
 * is found by asking for hashes, and then what the peer can show from there on; with what we can
 * show it makes a proof. Hashes are claims and only lead the way; a proof needs the author's seals.
 */
#ifndef GOSSIP_INQUIRY_H
#define GOSSIP_INQUIRY_H

#include "gossip/state.h"

/* Begins to inquire of peer, which has shown that its chain of author differs at seq, if nobody is
 * being asked about that author. LIMIT never; NOMEM. */
int inquiry_begin(struct gossip_node *node, uint32_t author, uint32_t peer, uint64_t seq);

/* An answer to what was asked. */
enum gossip_verdict inquiry_receive(struct gossip_node *node, uint32_t peer,
                                    const struct wire_hashes *hashes, int *ret_error);

/* The peer's half of a proof. */
enum gossip_verdict inquiry_take_half(struct gossip_node *node, uint32_t peer,
                                      struct wire_bytes bytes, int *ret_error);

/* Answers a peer's question, with hashes or with our half of a proof. */
enum gossip_verdict inquiry_answer(struct gossip_node *node, uint32_t peer,
                                   const struct wire_hashes_ask *ask, int *ret_error);

int inquiry_time(struct gossip_node *node);
uint64_t inquiry_deadline(const struct gossip_node *node);

#endif
