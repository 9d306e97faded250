/*
 * Cuts: what ends what an author says, and what becomes of that. docs/protocol.md, "Cuts".
 */
#ifndef GOSSIP_CUTS_H
#define GOSSIP_CUTS_H

#include "gossip/proof.h"
#include "gossip/state.h"

/* Where evictions cut the author of this key and epoch, known or not; 0: nowhere. */
uint64_t cuts_of_key(const struct gossip_node *node, const uint8_t key[GOSSIP_KEY_SIZE],
                     const uint8_t epoch[GOSSIP_EPOCH_SIZE]);
bool cuts_key_is_evicted(const struct gossip_node *node, const uint8_t key[GOSSIP_KEY_SIZE]);

/* The record that has made an author's cut: its proof or an eviction; NULL where there is no cut.
 */
const struct signed_record *cuts_record(const struct gossip_node *node,
                                        const struct author *author);

/* Whether what has made the cut shows hash to be that of the last event that counts, so that it
 * needs no seal. link leads on to the event at the cut, where the proof shows that one's hash only;
 * else NULL. */
bool cuts_vouch(const struct gossip_node *node, const struct author *author,
                const uint8_t hash[GOSSIP_HASH_SIZE], const uint8_t *link);

/* The link of the event at the cut: 1, or 0 if it is not here. IO, DAMAGED, NOMEM. */
int cuts_link(struct gossip_node *node, uint32_t author, uint8_t ret_link[WIRE_LINK_SIZE]);

/* Cuts an author where evictions say so. Errors as of deliver_waiting(). */
int cuts_review(struct gossip_node *node, uint32_t author);

/* Makes an author that has no events yet, cut where evictions say so. Its key is a member's. */
int cuts_add_author(struct gossip_node *node, const uint8_t key[GOSSIP_KEY_SIZE],
                    const uint8_t epoch[GOSSIP_EPOCH_SIZE], uint32_t *ret_author);

/* Judge what peers send, or what was found out here, and act on it. */
enum gossip_verdict cuts_take_proof(struct gossip_node *node, const struct proof *proof,
                                    int *ret_error);
enum gossip_verdict cuts_take_eviction(struct gossip_node *node, struct wire_bytes bytes,
                                       int *ret_error);
enum gossip_verdict cuts_take_introduction(struct gossip_node *node,
                                           const struct wire_introduction *introduction,
                                           int *ret_error);

/* Keeps the link that has proven the last of an author's events that count, and saves it. NOMEM. */
int cuts_keep_link(struct gossip_node *node, struct author *author,
                   const uint8_t link[WIRE_LINK_SIZE]);

/* Whether an event is held back for want of events of the author with this id. */
bool cuts_is_waited_for(const struct gossip_node *node, const uint8_t id[GOSSIP_ID_SIZE]);

/* The meta record in which such a link is kept: "link " and the author's id in hex; its value is
 * the cut (u64) and the link. */
enum { CUT_LINK_NAME_SIZE = 5 + 2 * GOSSIP_ID_SIZE + 1, CUT_LINK_VALUE_SIZE = 8 + WIRE_LINK_SIZE };
void cuts_link_name(const uint8_t id[GOSSIP_ID_SIZE], char ret_name[CUT_LINK_NAME_SIZE]);

/* Of a start: what the store shows, and at the end whether authors and records fit. DAMAGED, IO,
 * NOMEM. */
int cuts_load_proof(struct gossip_node *node, const struct gossip_signed_record *record);
int cuts_load_eviction(struct gossip_node *node, const struct gossip_signed_record *record);
int cuts_load_link(struct gossip_node *node, const struct gossip_meta_record *meta);
int cuts_check_loaded(struct gossip_node *node);

#endif
