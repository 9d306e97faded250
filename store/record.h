/*
 * Records: what all stores judge alike.
 */
#ifndef GOSSIP_STORE_RECORD_H
#define GOSSIP_STORE_RECORD_H

#include "gossip/store.h"
#include "store/explanation.h"

/* Longest bytes, body or context that a store takes. Far above what the protocol allows, and far
 * below where SQLite's own limits begin. */
enum { RECORD_BYTES_MAX = 67108864 };

/* Refuses what no store can keep: numbers past 2^63 - 1, a 0 where counting starts at 1, bytes past
 * RECORD_BYTES_MAX, a name that is empty. INVALID. */
int record_check(const struct gossip_record *record, struct explanation *explanation);

/* Orders records of the same kind by key. */
int record_compare(const struct gossip_record *a, const struct gossip_record *b);

/*
 * What it means to save event where stored has the same delivery number or the same dot: nothing to
 * do, a seal to add (*ret_adds_seal), or EXISTS. An event without a seal takes none away.
 */
int record_resave(const struct gossip_event_record *stored, const struct gossip_event_record *event,
                  bool *ret_adds_seal, struct explanation *explanation);

/* An event whose delivery number is not past last, and that is not stored: INVALID. */
int record_out_of_order(const struct gossip_event_record *event, uint64_t last,
                        struct explanation *explanation);

/* Longest text of an address, with its final NUL. */
enum { RECORD_ADDRESS_TEXT_MAX = 64 };

/* "192.0.2.1:7000" or "[2001:db8::1]:7000", and back. */
void record_address_to_text(const struct gossip_address *address,
                            char ret_text[RECORD_ADDRESS_TEXT_MAX]);
bool record_address_from_text(const char *text, struct gossip_address *ret_address);

#endif
