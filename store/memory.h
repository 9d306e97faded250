/*
 * The store that ends with the process, and what tests may ask of it beyond gossip/store.h.
 */
#ifndef GOSSIP_STORE_MEMORY_H
#define GOSSIP_STORE_MEMORY_H

#include "gossip/store.h"

#include <stddef.h>

/* After count more allocations, store has no memory left; SIZE_MAX: as much as the system gives. */
void memory_store_limit_allocations(struct gossip_store *store, size_t count);

#endif
