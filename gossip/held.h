/*
 * The hold-back: events that are verified but whose context is not here yet. Bounded: when it is
 * full, the author that holds the most gives way, farthest from delivery first. What is let go is
 * not refused; it will be asked for again.
 */
#ifndef GOSSIP_HELD_H
#define GOSSIP_HELD_H

#include "gossip/authors.h"

struct held_event {
    struct held_event *next; /* Of the same author: the event with the next seq. */
    struct held_event *previous;
    struct chain chain; /* Where the author's chain stands after it. */
    bool has_seal;
    uint8_t seal[GOSSIP_SIGNATURE_SIZE];
    uint32_t source; /* Number of the peer it came from. */
    size_t body_size;
    uint8_t body[];
};

struct held {
    size_t count;
    size_t bytes;
};

/* Appends an event to its author's queue; chain is where the author's tail will be. NOMEM. */
int held_append(struct held *held, struct author *author, const struct chain *chain,
                const uint8_t *body, size_t body_size, const uint8_t *seal, uint32_t source);

/* Takes the first event off the queue and frees it. */
void held_pop(struct held *held, struct author *author);

/* Lets go of the last event of the queue; the author's tail goes back. */
void held_drop_last(struct held *held, struct author *author);

/* Lets go of all of them. */
void held_drop_all(struct held *held, struct author *author);

/* While too much is held, lets go. Returns how many were dropped; *ret_author, of whom last. */
size_t held_trim(struct held *held, const struct authors *authors, uint32_t *ret_author);

#endif
