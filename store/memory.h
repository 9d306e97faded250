/*
 * The store that ends with the process, and what tests may ask of it beyond gossip/store.h.
 */
#ifndef GOSSIP_STORE_MEMORY_H
#define GOSSIP_STORE_MEMORY_H

#include "gossip/store.h"

#include <stddef.h>

/* After count more allocations, store has no memory left; SIZE_MAX: as much as the system gives. */
void memory_store_limit_allocations(struct gossip_store *store, size_t count);

/* A save that counts only if commit, called once all of it shows in a load, returns OK; else it is
 * undone, and what commit has returned is returned. A load inside commit also shows signed records
 * without bytes, which are about to be forgotten. */
typedef int memory_store_commit(void *context);
int memory_store_save(struct gossip_store *store, const struct gossip_record *records, size_t count,
                      memory_store_commit *commit, void *context);

#endif
