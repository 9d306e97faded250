/*
 * Events as links of a chain: their hashes, their seals, and which of them must bear one.
 * docs/protocol.md, "Events", says what is hashed.
 */
#ifndef GOSSIP_EVENT_H
#define GOSSIP_EVENT_H

#include "gossip/crypto.h"
#include "gossip/frame.h"

/* Where the chain of one author stands after an event; all zero before the first. It is all that is
 * needed to check the next one. */
struct chain {
    uint64_t seq;
    uint8_t hash[GOSSIP_HASH_SIZE];
    uint64_t mentions;                       /* Authors named so far ... */
    uint8_t mentions_hash[GOSSIP_HASH_SIZE]; /* ... and their running hash. */
    uint64_t unsealed_size;                  /* Bytes of bodies since the last required seal. */
};

/* Whose chain it is. */
struct chain_owner {
    const uint8_t *cluster; /* GOSSIP_KEY_SIZE */
    const uint8_t *key;     /* GOSSIP_KEY_SIZE */
    const uint8_t *epoch;   /* GOSSIP_EPOCH_SIZE */
};

void node_id(const struct gossip_crypto *crypto, const uint8_t key[GOSSIP_KEY_SIZE],
             uint8_t ret_id[GOSSIP_ID_SIZE]);
void author_id(const struct gossip_crypto *crypto, const uint8_t key[GOSSIP_KEY_SIZE],
               const uint8_t epoch[GOSSIP_EPOCH_SIZE], uint8_t ret_id[GOSSIP_ID_SIZE]);

/* Moves the running hash of the authors that one has named past the next of them. */
void mentions_hash_add(const struct gossip_crypto *crypto, uint8_t hash[GOSSIP_HASH_SIZE],
                       const uint8_t id[GOSSIP_ID_SIZE]);

/* What an event's hash holds of its body, and of the authors named so far, those it names itself
 * included. */
void event_inner(const struct gossip_crypto *crypto, const uint8_t mentions_hash[GOSSIP_HASH_SIZE],
                 const uint8_t *body, size_t body_size, uint8_t ret_inner[GOSSIP_HASH_SIZE]);

/* The hash of event seq, of the hash of the event before it, the size of its body and its inner
 * hash. ret_hash may be previous. */
void event_hash(const struct gossip_crypto *crypto, const struct chain_owner *owner, uint64_t seq,
                const uint8_t previous[GOSSIP_HASH_SIZE], uint32_t body_size,
                const uint8_t inner[GOSSIP_HASH_SIZE], uint8_t ret_hash[GOSSIP_HASH_SIZE]);

/* Moves chain past the event with this body, whose frame has been read. Returns whether that event
 * requires a seal. */
bool chain_advance(struct chain *chain, const struct gossip_crypto *crypto,
                   const struct chain_owner *owner, const uint8_t *body, size_t body_size,
                   const struct frame *frame);

void seal_sign(const struct gossip_crypto *crypto, const uint8_t hash[GOSSIP_HASH_SIZE],
               const uint8_t secret[GOSSIP_SECRET_SIZE], uint8_t ret_seal[GOSSIP_SIGNATURE_SIZE]);
bool seal_verify(const struct gossip_crypto *crypto, const uint8_t hash[GOSSIP_HASH_SIZE],
                 const uint8_t key[GOSSIP_KEY_SIZE], const uint8_t seal[GOSSIP_SIGNATURE_SIZE]);

#endif
