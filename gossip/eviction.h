/*
 * Evictions: signed records that end what a key may say, and name the last events of it that count.
 * docs/protocol.md, "Signed records".
 */
#ifndef GOSSIP_EVICTION_H
#define GOSSIP_EVICTION_H

#include "gossip/certificate.h"

enum {
    /* Type, key, 64 last events, issuer, signature: the longest there can be. */
    EVICTION_MAX = 1 + 34 + GOSSIP_EVICTION_EPOCHS_MAX * 56 + 34 + GOSSIP_SIGNATURE_SIZE,
};

/* The last event of one epoch that counts. */
struct eviction_last {
    uint8_t epoch[GOSSIP_EPOCH_SIZE];
    uint64_t seq;                   /* 1 to GOSSIP_COUNTER_MAX; its event is sealed ... */
    uint8_t hash[GOSSIP_HASH_SIZE]; /* ... and has this hash. */
};

struct eviction {
    uint8_t key[GOSSIP_KEY_SIZE];
    struct eviction_last last[GOSSIP_EVICTION_EPOCHS_MAX]; /* Ascending by epoch. */
    size_t last_count;
    bool has_issuer; /* Else the cluster's key has signed it. */
    uint8_t issuer[GOSSIP_KEY_SIZE];
    uint8_t id[GOSSIP_HASH_SIZE]; /* Of the record. */
    uint8_t bytes[EVICTION_MAX];
    size_t size;
};

/* Makes the eviction of key, signed by issuer_secret; issuer is NULL where that is the cluster's.
 * last ascends by epoch, without two of one. */
void eviction_make(const struct gossip_crypto *crypto, const uint8_t cluster[GOSSIP_KEY_SIZE],
                   const uint8_t key[GOSSIP_KEY_SIZE], const struct eviction_last *last,
                   size_t last_count, const uint8_t *issuer,
                   const uint8_t issuer_secret[GOSSIP_SECRET_SIZE], struct eviction *ret_eviction);

/* Reads a record without checking who signed it. */
bool eviction_read(const struct gossip_crypto *crypto, struct wire_arena *arena,
                   const uint8_t *bytes, size_t size, struct eviction *ret_eviction);

/* Whether the cluster's key, or a node with the right to evict whose certificate (issuer, else
 * NULL) the cluster's key has signed, has signed eviction. Whether there are such events as it
 * names is not asked: a node may be told of the end of an author before it has met it. */
bool eviction_verify(const struct gossip_crypto *crypto, const uint8_t cluster[GOSSIP_KEY_SIZE],
                     const struct eviction *eviction, const struct certificate *issuer);

/* From which seq on events of the evicted key's author of this epoch do not count: 1 where the
 * eviction does not name it. */
uint64_t eviction_cut(const struct eviction *eviction, const uint8_t epoch[GOSSIP_EPOCH_SIZE]);

#endif
