/*
 * Proofs that an author has given one dot two contents: two chains from that dot to a seal each,
 * without the bodies. docs/protocol.md, "Signed records". A proof is signed by nobody but the
 * author, whose seals are in it.
 */
#ifndef GOSSIP_PROOF_H
#define GOSSIP_PROOF_H

#include "gossip/certificate.h"
#include "gossip/event.h"

enum {
    PROOF_LINKS_MAX = GOSSIP_SEAL_EVERY, /* No further is it to a required seal. */
    PROOF_LINK_SIZE = 4 + GOSSIP_HASH_SIZE,

    /* A branch with its head: previous, links, seal. */
    PROOF_BRANCH_MAX = 3 + 34 + 3 + PROOF_LINKS_MAX * PROOF_LINK_SIZE + 66,
    PROOF_MAX = 1 + 34 + 10 + 10 + 2 * PROOF_BRANCH_MAX, /* Type, key, epoch, seq, branches. */
};

/* The type of a proof's half, beside those of records. */
enum { PROOF_HALF_TYPE = 5, PROOF_HALF_MAX = 1 + 34 + 10 + 10 + PROOF_BRANCH_MAX };

/* What a proof shows of one event. */
struct proof_link {
    uint32_t body_size;
    uint8_t inner[GOSSIP_HASH_SIZE];
};

/* The chain from the dot in question to a sealed event. */
struct proof_branch {
    uint8_t previous[GOSSIP_HASH_SIZE]; /* Of the event before the dot. */
    struct proof_link links[PROOF_LINKS_MAX];
    size_t link_count;
    uint8_t seal[GOSSIP_SIGNATURE_SIZE]; /* Of the last link's event. */
};

struct proof {
    uint8_t key[GOSSIP_KEY_SIZE];
    uint8_t epoch[GOSSIP_EPOCH_SIZE];
    uint64_t seq;
    struct proof_branch a; /* The one whose hash at seq is the lesser. */
    struct proof_branch b;
    uint8_t id[GOSSIP_HASH_SIZE]; /* Of the record. */
    uint8_t bytes[PROOF_MAX];
    size_t size;
};

/* Makes a proof of two branches, in any order. Each leads from seq to a seal, past no multiple of
 * GOSSIP_SEAL_EVERY; their hashes at seq differ. The seals are not looked at. */
void proof_make(const struct gossip_crypto *crypto, const struct chain_owner *owner, uint64_t seq,
                const struct proof_branch *one, const struct proof_branch *other,
                struct proof *ret_proof);

/* Reads a record and judges its form: neither hashes nor seals. */
bool proof_read(const struct gossip_crypto *crypto, struct wire_arena *arena, const uint8_t *bytes,
                size_t size, struct proof *ret_proof);

/* Whether a proof that has been read or made proves what it says; *ret_cut is then the seq from
 * which on its author's events do not count. Whether the author is a member is not asked. */
bool proof_verify(const struct gossip_crypto *crypto, const uint8_t cluster[GOSSIP_KEY_SIZE],
                  const struct proof *proof, uint64_t *ret_cut);

/* One side of a proof on its way to whoever holds the other. It is no record: nobody keeps it. */
struct proof_half {
    uint8_t key[GOSSIP_KEY_SIZE];
    uint8_t epoch[GOSSIP_EPOCH_SIZE];
    uint64_t seq;
    struct proof_branch branch;
    uint8_t id[GOSSIP_HASH_SIZE]; /* As of a record. */
    uint8_t bytes[PROOF_HALF_MAX];
    size_t size;
};

/* Makes one of a branch that leads from seq to a seal, past no multiple of GOSSIP_SEAL_EVERY. */
void proof_half_make(const struct gossip_crypto *crypto, const struct chain_owner *owner,
                     uint64_t seq, const struct proof_branch *branch, struct proof_half *ret_half);

/* Reads one and judges its form: neither hashes nor seal. */
bool proof_half_read(const struct gossip_crypto *crypto, struct wire_arena *arena,
                     const uint8_t *bytes, size_t size, struct proof_half *ret_half);

/* Whether its author has sealed the branch; *ret_hash is then the hash at seq. */
bool proof_half_verify(const struct gossip_crypto *crypto, const uint8_t cluster[GOSSIP_KEY_SIZE],
                       const struct proof_half *half, uint8_t ret_hash[GOSSIP_HASH_SIZE]);

/* The two hashes that the dot in question has, the lesser first. */
void proof_hashes(const struct gossip_crypto *crypto, const uint8_t cluster[GOSSIP_KEY_SIZE],
                  const struct proof *proof, uint8_t ret_a[GOSSIP_HASH_SIZE],
                  uint8_t ret_b[GOSSIP_HASH_SIZE]);

#endif
