/*
 * The messages of the wire, as structs of ours. wire.c alone knows protobuf.
 *
 * Decoding first walks over the tags (known, ascending, singular once, shortest varints, booleans
 * 0 or 1, at most GOSSIP_MESSAGE_DEPTH deep) and then unpacks into an arena: whatever the bytes, no
 * more than GOSSIP_ARENA_SIZE bytes and GOSSIP_ARENA_ALLOCATIONS allocations are used. What is
 * decoded is lent until the arena is used again. Lengths that are fixed are checked here; what a
 * message means is its user's affair.
 */
#ifndef GOSSIP_WIRE_H
#define GOSSIP_WIRE_H

#include "gossip/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_arena {
    _Alignas(16) uint8_t memory[GOSSIP_ARENA_SIZE];
    size_t used;
    unsigned allocations;
};

enum {
    WIRE_LINK_SIZE = 4 + GOSSIP_HASH_SIZE,         /* Of a chain: body size, inner hash. */
    WIRE_HASHES_ENTRY_SIZE = 8 + GOSSIP_HASH_SIZE, /* seq, hash. */
};

struct wire_bytes {
    const uint8_t *data; /* NULL where the field is absent. */
    size_t size;
};

struct wire_hello {
    struct wire_bytes certificate;
    struct wire_bytes issuer;
    uint64_t boot_count;
    uint64_t boot_id;
    const uint8_t *nonce; /* GOSSIP_NONCE_SIZE */
    const uint8_t *echo;  /* GOSSIP_NONCE_SIZE, or NULL. */
    const uint8_t *token; /* GOSSIP_TOKEN_SIZE, or NULL. */
    bool has_counter;
    uint64_t counter;
};

/* A slice of a sorted list, complete between two ids, both included. */
struct wire_list {
    bool present;
    const uint8_t *first; /* GOSSIP_ID_SIZE, or NULL: from the beginning. */
    const uint8_t *last;  /* GOSSIP_ID_SIZE, or NULL: to the end. */
    struct wire_bytes entries;
};

struct wire_digest {
    const uint8_t *exchange;     /* GOSSIP_NONCE_SIZE */
    uint32_t step;               /* 1 to 3. */
    const uint8_t *root;         /* 16 */
    const uint8_t *records_root; /* 8 */
    const uint8_t *token;        /* GOSSIP_TOKEN_SIZE, or NULL. */
    struct wire_list authors;
    struct wire_list records; /* Entries: a multiple of GOSSIP_ID_SIZE bytes. */
};

struct wire_gap {
    uint32_t offset;
    uint32_t size;
};

struct wire_want {
    const uint8_t *author; /* GOSSIP_ID_SIZE */
    uint64_t first;        /* 1 to last, */
    uint64_t last;         /* which is at most GOSSIP_COUNTER_MAX. */
    struct wire_gap gaps[GOSSIP_GAPS_MAX];
    size_t gap_count;
};

struct wire_pull {
    uint64_t request;
    uint32_t events;
    uint32_t size;
    struct wire_want wants[GOSSIP_WANTS_MAX];
    size_t want_count;
    struct wire_bytes records; /* A multiple of GOSSIP_ID_SIZE. */
};

struct wire_introduction {
    const uint8_t *key;   /* GOSSIP_KEY_SIZE */
    const uint8_t *epoch; /* GOSSIP_EPOCH_SIZE */
    struct wire_bytes certificate;
    struct wire_bytes issuer;
};

struct wire_run_part {
    bool present;
    const uint8_t *author;   /* GOSSIP_ID_SIZE */
    uint64_t first;          /* 1 to last, */
    uint64_t last;           /* which is at most GOSSIP_COUNTER_MAX. */
    uint32_t size;           /* 1 to GOSSIP_RUN_SIZE_MAX. */
    uint32_t offset;         /* offset + data.size is at most size. */
    const uint8_t *previous; /* GOSSIP_HASH_SIZE where offset is 0, else NULL. */
    struct wire_bytes data;  /* Not empty. */
    const uint8_t *seal;     /* GOSSIP_SIGNATURE_SIZE where the stream ends and a seal vouches for
                                it, else NULL. */
    const uint8_t *link;     /* WIRE_LINK_SIZE, or NULL: where the stream ends at a cut. */
    bool has_introduction;
    struct wire_introduction introduction;
};

struct wire_record_part {
    bool present;
    const uint8_t *id;      /* GOSSIP_ID_SIZE */
    uint32_t size;          /* 1 to GOSSIP_RECORD_MAX. */
    uint32_t offset;        /* offset + data.size is at most size. */
    struct wire_bytes data; /* Not empty. */
};

/* At most one of run, record and introduction is present. Asked for: request, index and count
 * stand; else none of them does. */
struct wire_part {
    bool has_request;
    uint64_t request;
    uint32_t index; /* Below count, unless count is 0 (then index is 0 and nothing is present). */
    uint32_t count;
    bool more;
    struct wire_run_part run;
    struct wire_record_part record;
    bool has_introduction;
    struct wire_introduction introduction;
};

struct wire_hashes_ask {
    const uint8_t *author;  /* GOSSIP_ID_SIZE */
    struct wire_bytes seqs; /* Of 8 bytes each, 1 to GOSSIP_HASHES_MAX of them. */
    bool branch;            /* Then there is one. */
};

struct wire_hashes {
    const uint8_t *author;     /* GOSSIP_ID_SIZE */
    uint64_t have;             /* At most GOSSIP_COUNTER_MAX. */
    struct wire_bytes entries; /* A multiple of 40 bytes, at most GOSSIP_HASHES_MAX of them. */
    struct wire_bytes boot;    /* More than 1 + GOSSIP_SIGNATURE_SIZE bytes, or absent. */
};

struct wire_addresses {
    struct wire_bytes ask;     /* A multiple of GOSSIP_ID_SIZE. */
    struct wire_bytes entries; /* A multiple of GOSSIP_ID_SIZE + 18. */
};

struct wire_certificate {
    const uint8_t *key;     /* GOSSIP_KEY_SIZE */
    struct wire_bytes name; /* 1 to GOSSIP_NAME_MAX bytes. */
    uint32_t rights;
    const uint8_t *issuer; /* GOSSIP_KEY_SIZE, or NULL. */
};

struct wire_last_event {
    const uint8_t *epoch; /* GOSSIP_EPOCH_SIZE */
    uint64_t seq;         /* 1 to GOSSIP_COUNTER_MAX. */
    const uint8_t *hash;  /* GOSSIP_HASH_SIZE */
};

struct wire_eviction {
    const uint8_t *key;                                      /* GOSSIP_KEY_SIZE */
    struct wire_last_event last[GOSSIP_EVICTION_EPOCHS_MAX]; /* Ascending by epoch. */
    size_t last_count;
    const uint8_t *issuer; /* GOSSIP_KEY_SIZE, or NULL. */
};

struct wire_branch {
    const uint8_t *previous; /* GOSSIP_HASH_SIZE */
    struct wire_bytes links; /* 36 to 64 * 36 bytes, a multiple of 36. */
    const uint8_t *seal;     /* GOSSIP_SIGNATURE_SIZE */
};

struct wire_proof {
    const uint8_t *key;   /* GOSSIP_KEY_SIZE */
    const uint8_t *epoch; /* GOSSIP_EPOCH_SIZE */
    uint64_t seq;         /* 1 to GOSSIP_COUNTER_MAX. */
    struct wire_branch a;
    struct wire_branch b;
};

struct wire_proof_half {
    const uint8_t *key;   /* GOSSIP_KEY_SIZE */
    const uint8_t *epoch; /* GOSSIP_EPOCH_SIZE */
    uint64_t seq;         /* 1 to GOSSIP_COUNTER_MAX. */
    struct wire_branch branch;
};

/* Each returns whether data[size] is exactly one such message. The arena is emptied first. */
bool wire_decode_hello(struct wire_arena *arena, const uint8_t *data, size_t size,
                       struct wire_hello *ret_hello);
bool wire_decode_digest(struct wire_arena *arena, const uint8_t *data, size_t size,
                        struct wire_digest *ret_digest);
bool wire_decode_pull(struct wire_arena *arena, const uint8_t *data, size_t size,
                      struct wire_pull *ret_pull);
bool wire_decode_part(struct wire_arena *arena, const uint8_t *data, size_t size,
                      struct wire_part *ret_part);
bool wire_decode_addresses(struct wire_arena *arena, const uint8_t *data, size_t size,
                           struct wire_addresses *ret_addresses);
bool wire_decode_hashes_ask(struct wire_arena *arena, const uint8_t *data, size_t size,
                            struct wire_hashes_ask *ret_ask);
bool wire_decode_hashes(struct wire_arena *arena, const uint8_t *data, size_t size,
                        struct wire_hashes *ret_hashes);
bool wire_decode_certificate(struct wire_arena *arena, const uint8_t *data, size_t size,
                             struct wire_certificate *ret_certificate);
bool wire_decode_eviction(struct wire_arena *arena, const uint8_t *data, size_t size,
                          struct wire_eviction *ret_eviction);
bool wire_decode_proof(struct wire_arena *arena, const uint8_t *data, size_t size,
                       struct wire_proof *ret_proof);
bool wire_decode_proof_half(struct wire_arena *arena, const uint8_t *data, size_t size,
                            struct wire_proof_half *ret_half);

/* Each writes one message to buffer[capacity] and returns its size; 0 if it does not fit. The
 * message must be one that its decoder takes (asserted). */
size_t wire_encode_hello(const struct wire_hello *hello, uint8_t *buffer, size_t capacity);
size_t wire_encode_digest(const struct wire_digest *digest, uint8_t *buffer, size_t capacity);
size_t wire_encode_pull(const struct wire_pull *pull, uint8_t *buffer, size_t capacity);
size_t wire_encode_part(const struct wire_part *part, uint8_t *buffer, size_t capacity);
size_t wire_encode_addresses(const struct wire_addresses *addresses, uint8_t *buffer,
                             size_t capacity);
size_t wire_encode_hashes_ask(const struct wire_hashes_ask *ask, uint8_t *buffer, size_t capacity);
size_t wire_encode_hashes(const struct wire_hashes *hashes, uint8_t *buffer, size_t capacity);
size_t wire_encode_certificate(const struct wire_certificate *certificate, uint8_t *buffer,
                               size_t capacity);
size_t wire_encode_eviction(const struct wire_eviction *eviction, uint8_t *buffer, size_t capacity);
size_t wire_encode_proof(const struct wire_proof *proof, uint8_t *buffer, size_t capacity);
size_t wire_encode_proof_half(const struct wire_proof_half *half, uint8_t *buffer, size_t capacity);

#endif
