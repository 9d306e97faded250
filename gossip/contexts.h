/*
 * The contexts of events: everything an event's author had delivered when it wrote it. An event
 * carries only what grew; the whole is found from the last checkpoint, a stored full context at
 * every 64th event of an author, and the at most 63 events after it.
 */
#ifndef GOSSIP_CONTEXTS_H
#define GOSSIP_CONTEXTS_H

#include "gossip/batch.h"

enum { CONTEXTS_CACHED = 64 };

struct context_slot {
    uint32_t author;
    uint64_t seq; /* 0: unused. */
    struct gossip_vclock clock;
};

/* Where stored events are found: in the batch first, then in the store. And what was computed
 * lately. */
struct contexts {
    struct gossip_store *store;
    const struct authors *authors;
    const struct batch *batch;
    struct context_slot slots[CONTEXTS_CACHED];
};

void contexts_start(struct contexts *contexts, struct gossip_store *store,
                    const struct authors *authors, const struct batch *batch);
void contexts_clear(struct contexts *contexts);

/* Shows the events of author from first to last as far as they are stored, those of the batch
 * included. What the store returns, or what visit does; DAMAGED where the store can tell that one
 * is not what was saved. */
int events_read(const struct contexts *contexts, uint32_t author, uint64_t first, uint64_t last,
                gossip_record_visit *visit, void *context);

/* The context of event (author, seq), without itself, lent until the next call.
 * NOT_FOUND (not stored), DAMAGED, IO, NOMEM. */
int context_of(struct contexts *contexts, uint32_t author, uint64_t seq,
               const struct gossip_vclock **ret_clock);

/* The same for an event of author that is not stored yet but follows the last one stored, whose
 * frame is given and whose new mentions are not yet among the author's. */
int context_after(struct contexts *contexts, uint32_t author, const struct frame *frame,
                  const struct gossip_vclock **ret_clock);

/* A full context as it is stored: count, then gap to the author before and counter, as varints.
 * Bytes it takes, and its writing and reading. DAMAGED, NOMEM. */
size_t context_encoded_size(const struct gossip_vclock *clock);
void context_encode(const struct gossip_vclock *clock, uint8_t *ret_bytes);
int context_decode(const uint8_t *bytes, size_t size, size_t author_count,
                   struct gossip_vclock *clock);

#endif
