/*
 * By what a row tells that its bits are as they were written. It keeps nobody from changing a row
 * on purpose: that is what hashes and seals are for, which take a whole chain to check.
 */
#ifndef GOSSIP_STORE_CHECKSUM_H
#define GOSSIP_STORE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Of a row of table events, all of it. */
int64_t checksum_event(uint64_t delivery, uint32_t author, uint64_t seq, const void *hash_seal,
                       size_t hash_seal_size, const void *body, size_t body_size);

/* Of a row of table contexts. */
int64_t checksum_context(uint64_t delivery, const void *context, size_t context_size);

#endif
