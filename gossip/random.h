/*
 * The node's own randomness: a stream grown from one seed, so that a run can be replayed from it.
 */
#ifndef GOSSIP_RANDOM_H
#define GOSSIP_RANDOM_H

#include "gossip/crypto.h"

struct random_source {
    const struct gossip_crypto *crypto;
    uint8_t key[32];
    uint64_t number; /* Of the next block of the stream. */
    uint8_t block[512];
    size_t used; /* Of block. */
};

/* seed must be fresh at every start: an old one would repeat nonces. */
void random_start(struct random_source *random, const struct gossip_crypto *crypto,
                  const uint8_t seed[32]);
void random_bytes(struct random_source *random, uint8_t *ret_bytes, size_t size);

/* Below bound, which is at least 1; each value equally likely. */
uint64_t random_below(struct random_source *random, uint64_t bound);

#endif
