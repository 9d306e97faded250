/*
 * Cryptography as a table, so that a virtual world can use a fast stand-in. crypto.c alone knows
 * libsodium. Nothing here fails but by saying that something does not fit.
 */
#ifndef GOSSIP_CRYPTO_H
#define GOSSIP_CRYPTO_H

#include "gossip/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A piece of what is hashed; pieces are hashed as if joined. */
struct gossip_piece {
    const void *data;
    size_t size;
};

struct gossip_crypto {
    /* BLAKE2b-256 (RFC 7693). */
    void (*hash)(uint8_t ret_hash[GOSSIP_HASH_SIZE], const struct gossip_piece *pieces,
                 size_t count);

    /* Keyed BLAKE2b-128; key_size is 16 to 64. */
    void (*keyed_hash)(uint8_t ret_hash[16], const uint8_t *key, size_t key_size,
                       const struct gossip_piece *pieces, size_t count);

    /* An Ed25519 key pair from its seed (RFC 8032). */
    void (*key_pair)(const uint8_t seed[GOSSIP_SEED_SIZE], uint8_t ret_key[GOSSIP_KEY_SIZE],
                     uint8_t ret_secret[GOSSIP_SECRET_SIZE]);

    /* Whether a key may belong to a member at all: canonical, on the curve, in the prime-order
     * subgroup, not the identity. Asked once, when a certificate is taken in. */
    bool (*key_valid)(const uint8_t key[GOSSIP_KEY_SIZE]);

    void (*sign)(uint8_t ret_signature[GOSSIP_SIGNATURE_SIZE], const void *data, size_t size,
                 const uint8_t secret[GOSSIP_SECRET_SIZE]);

    /* For a key that key_valid takes, pure: the same answer for the same bytes in every version of
     * every library. Of other keys versions think differently, so ask key_valid first. */
    bool (*verify)(const uint8_t signature[GOSSIP_SIGNATURE_SIZE], const void *data, size_t size,
                   const uint8_t key[GOSSIP_KEY_SIZE]);

    /* X25519 of our secret key and their public key, both turned from Ed25519 to X25519; the same
     * on both sides. False where the other key is unfit. */
    bool (*agree)(uint8_t ret_shared[32], const uint8_t secret[GOSSIP_SECRET_SIZE],
                  const uint8_t key[GOSSIP_KEY_SIZE]);

    /* XChaCha20-Poly1305 (IETF). Writes size + GOSSIP_BOX_TAG_SIZE bytes. */
    void (*box_seal)(uint8_t *ret_cipher, const uint8_t *plain, size_t size, const uint8_t *header,
                     size_t header_size, const uint8_t nonce[GOSSIP_BOX_NONCE_SIZE],
                     const uint8_t key[32]);

    /* Writes size - GOSSIP_BOX_TAG_SIZE bytes; false (and nothing written) if the tag does not
     * fit or size is less than a tag. */
    bool (*box_open)(uint8_t *ret_plain, const uint8_t *cipher, size_t size, const uint8_t *header,
                     size_t header_size, const uint8_t nonce[GOSSIP_BOX_NONCE_SIZE],
                     const uint8_t key[32]);

    /* size bytes of a stream that depends on key and number alone: ChaCha20 (IETF) from block 0,
     * its nonce four zero bytes and the number, big-endian. */
    void (*stream)(uint8_t *ret_bytes, size_t size, const uint8_t key[32], uint64_t number);
};

/* The real thing. Starts libsodium at first use; never NULL. */
const struct gossip_crypto *gossip_crypto_sodium(void);

/* Memory for secrets: locked where the system allows, wiped when freed. NULL when there is none;
 * NULL may be freed. */
void *gossip_secret_alloc(size_t size);
void gossip_secret_free(void *secret);

/* Overwrites what a compiler must not leave out. */
void gossip_wipe(void *data, size_t size);

/* Compares in time that depends on size only. */
bool gossip_equal(const void *a, const void *b, size_t size);

#endif
