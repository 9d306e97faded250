/*
 * Arrays that grow, for a tool that ends when there is no memory.
 */
#ifndef GOSSIP_LAB_ROOM_H
#define GOSSIP_LAB_ROOM_H

#include <stddef.h>

/* Room for count items of size at items, which may move; *capacity is how many there is room for.
 * New room is zero. Ends the process when there is none. */
void *room_for(void *items, size_t *capacity, size_t count, size_t size);

/* calloc() that ends the process when there is no memory. */
void *room_new(size_t size);

#endif
