/*
 * Memory that is given back all at once: what one batch of steps brings forth.
 */
#ifndef GOSSIP_ARENA_H
#define GOSSIP_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* The newest first. */
    size_t used;                /* Of the newest. */
};

/* size bytes, aligned for anything; NULL when there is no memory. */
void *arena_alloc(struct arena *arena, size_t size);

/* A copy of data; NULL when there is no memory. */
void *arena_copy(struct arena *arena, const void *data, size_t size);

/* Gives everything back but one block for next time. */
void arena_reset(struct arena *arena);

void arena_clear(struct arena *arena);

#endif
