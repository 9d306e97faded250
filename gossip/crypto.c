#include "gossip/crypto.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>
#include <sodium.h>

#include "gossip/bytes.h"

_Static_assert((int)GOSSIP_KEY_SIZE == crypto_sign_PUBLICKEYBYTES, "key");
_Static_assert((int)GOSSIP_SEED_SIZE == crypto_sign_SEEDBYTES, "seed");
_Static_assert((int)GOSSIP_SECRET_SIZE == crypto_sign_SECRETKEYBYTES, "secret");
_Static_assert((int)GOSSIP_SIGNATURE_SIZE == crypto_sign_BYTES, "signature");
_Static_assert((int)GOSSIP_BOX_NONCE_SIZE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");
_Static_assert((int)GOSSIP_BOX_TAG_SIZE == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag");

/* Fails only where the system has no random source or no lock to give; libsodium itself aborts in
 * most of these cases, and there is no key without it. */
static void start_sodium(void)
{
    int result = sodium_init(); /* Does nothing the second time. */

    assert(result >= 0);
    (void)result;
}

static void hash_any(uint8_t *ret_hash, size_t hash_size, const uint8_t *key, size_t key_size,
                     const struct gossip_piece *pieces, size_t count)
{
    crypto_generichash_blake2b_state state;

    crypto_generichash_blake2b_init(&state, key, key_size, hash_size);
    for (size_t i = 0; i < count; i++)
        crypto_generichash_blake2b_update(&state, pieces[i].data, pieces[i].size);
    crypto_generichash_blake2b_final(&state, ret_hash, hash_size);
    if (key_size > 0)
        sodium_memzero(&state, sizeof(state)); /* It began with the key. */
}

static void sodium_hash(uint8_t ret_hash[GOSSIP_HASH_SIZE], const struct gossip_piece *pieces,
                        size_t count)
{
    hash_any(ret_hash, GOSSIP_HASH_SIZE, NULL, 0, pieces, count);
}

static void sodium_keyed_hash(uint8_t ret_hash[16], const uint8_t *key, size_t key_size,
                              const struct gossip_piece *pieces, size_t count)
{
    assert(key_size >= 16 && key_size <= 64);
    hash_any(ret_hash, 16, key, key_size, pieces, count);
}

static void sodium_key_pair(const uint8_t seed[GOSSIP_SEED_SIZE], uint8_t ret_key[GOSSIP_KEY_SIZE],
                            uint8_t ret_secret[GOSSIP_SECRET_SIZE])
{
    crypto_sign_seed_keypair(ret_key, ret_secret, seed);
}

/* It also refuses the identity and all other points of small order, in each of their encodings. */
static bool sodium_key_valid(const uint8_t key[GOSSIP_KEY_SIZE])
{
    return crypto_core_ed25519_is_valid_point(key) == 1;
}

static void sodium_sign(uint8_t ret_signature[GOSSIP_SIGNATURE_SIZE], const void *data, size_t size,
                        const uint8_t secret[GOSSIP_SECRET_SIZE])
{
    crypto_sign_detached(ret_signature, NULL, data, size, secret);
}

/*
 * The rule is: S below the group order, R a canonical point of the prime-order subgroup and not the
 * identity, [S]B = R + [h]A.
 *
 * libsodium up to 1.0.22 computes [S]B - [h]A and compares its encoding with the bytes of R. With a
 * key of the prime-order subgroup that result lies in the subgroup too, so R is all the rule asks
 * for once it has been told from the small orders, which libsodium does. This one function is then
 * the whole rule, and nothing has to be paid twice.
 */
static bool verify_exact(const uint8_t signature[GOSSIP_SIGNATURE_SIZE], const void *data,
                         size_t size, const uint8_t key[GOSSIP_KEY_SIZE])
{
    return crypto_sign_verify_detached(signature, data, size, key) == 0;
}

/*
 * Later versions multiply the equation by 8, and so take R with any point of small order added to
 * it. Where R and the key are both of the prime-order subgroup, the multiplied equation says the
 * same as the plain one: to ask that of R (at almost the price of another verification) gives the
 * rule back.
 */
static bool verify_lenient(const uint8_t signature[GOSSIP_SIGNATURE_SIZE], const void *data,
                           size_t size, const uint8_t key[GOSSIP_KEY_SIZE])
{
    return crypto_sign_verify_detached(signature, data, size, key) == 0 &&
           crypto_core_ed25519_is_valid_point(signature) == 1;
}

/* A signature for each way in which R can be unfit under a fit key. A library that refuses them all
 * is exact, whatever its version says. They are tests/vectors/ed25519-mixed-order-r.json, and R as
 * the identity, with y = 1 and with y = 1 + p. */
static bool library_is_exact(void)
{
    static const char message[] = "gossip event";
    static const uint8_t key[GOSSIP_KEY_SIZE] = {0x3b, 0x6a, 0x27, 0xbc, 0xce, 0xb6, 0xa4, 0x2d,
                                                 0x62, 0xa3, 0xa8, 0xd0, 0x2a, 0x6f, 0x0d, 0x73,
                                                 0x65, 0x32, 0x15, 0x77, 0x1d, 0xe2, 0x43, 0xa6,
                                                 0x3a, 0xc0, 0x48, 0xa1, 0x8b, 0x59, 0xda, 0x29};
    static const uint8_t signatures[][GOSSIP_SIGNATURE_SIZE] = {
        {0x05, 0xb8, 0xf7, 0x93, 0x04, 0x69, 0x88, 0x0a, 0x7e, 0x0c, 0xd7, 0xdd, 0x7a,
         0xc7, 0xdb, 0xf4, 0xe1, 0x33, 0x39, 0xb7, 0x6f, 0x9c, 0x12, 0x14, 0xbb, 0x4a,
         0x6f, 0x3f, 0x8c, 0x6e, 0x6f, 0xa8, 0x8c, 0xb2, 0x0b, 0x9f, 0xa8, 0x1a, 0x57,
         0x4a, 0x3e, 0xee, 0x56, 0x63, 0xc7, 0x03, 0x0f, 0x2c, 0xba, 0x8b, 0x48, 0x0a,
         0x7d, 0xaa, 0x19, 0xd1, 0x81, 0x68, 0x48, 0x0a, 0xcc, 0xe8, 0x5a, 0x08},
        {0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
         0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
         0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x8e, 0xc5, 0x18, 0xcd, 0x40, 0x11, 0xd5,
         0x8a, 0x08, 0x91, 0xd8, 0x32, 0x5d, 0x85, 0x3a, 0xfd, 0x50, 0xd4, 0xa8, 0x72,
         0x16, 0xc1, 0x20, 0x55, 0xb7, 0xbf, 0x88, 0x6b, 0x1a, 0x14, 0x02, 0x02},
        {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x81, 0x6c, 0x91, 0xac, 0xe8, 0x80, 0xad,
         0x23, 0x41, 0x42, 0xa9, 0x99, 0xa6, 0xfa, 0xa6, 0xad, 0x79, 0x28, 0x58, 0xe2,
         0x4b, 0x30, 0x02, 0x02, 0x3b, 0x67, 0x29, 0x1c, 0xb4, 0x08, 0x88, 0x02},
    };

    for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
        if (verify_exact(signatures[i], message, sizeof(message) - 1, key))
            return false;
    }
    return true;
}

static bool sodium_agree(uint8_t ret_shared[32], const uint8_t secret[GOSSIP_SECRET_SIZE],
                         const uint8_t key[GOSSIP_KEY_SIZE])
{
    uint8_t our_scalar[crypto_scalarmult_curve25519_SCALARBYTES];
    uint8_t their_point[crypto_scalarmult_curve25519_BYTES];
    uint8_t shared[crypto_scalarmult_curve25519_BYTES];
    bool agreed;

    /* Refuses small and mixed orders. It does not ask for the canonical encoding, but only of
     * points with y < 19 is there another one, and none of those is of the subgroup. */
    if (crypto_sign_ed25519_pk_to_curve25519(their_point, key) != 0)
        return false;
    crypto_sign_ed25519_sk_to_curve25519(our_scalar, secret);
    agreed = crypto_scalarmult_curve25519(shared, our_scalar, their_point) == 0;
    if (agreed)
        memcpy(ret_shared, shared, sizeof(shared));
    sodium_memzero(our_scalar, sizeof(our_scalar));
    sodium_memzero(shared, sizeof(shared));
    return agreed;
}

static void sodium_box_seal(uint8_t *ret_cipher, const uint8_t *plain, size_t size,
                            const uint8_t *header, size_t header_size,
                            const uint8_t nonce[GOSSIP_BOX_NONCE_SIZE], const uint8_t key[32])
{
    crypto_aead_xchacha20poly1305_ietf_encrypt(ret_cipher, NULL, plain, size, header, header_size,
                                               NULL, nonce, key);
}

static bool sodium_box_open(uint8_t *ret_plain, const uint8_t *cipher, size_t size,
                            const uint8_t *header, size_t header_size,
                            const uint8_t nonce[GOSSIP_BOX_NONCE_SIZE], const uint8_t key[32])
{
    /* A box that does not fit would make libsodium write zeros. Without a place to write to, it
     * looks at the tag only; a forgery costs no more than it would otherwise. */
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(NULL, NULL, NULL, cipher, size, header,
                                                   header_size, nonce, key) != 0)
        return false;
    return crypto_aead_xchacha20poly1305_ietf_decrypt(ret_plain, NULL, NULL, cipher, size, header,
                                                      header_size, nonce, key) == 0;
}

static void sodium_stream(uint8_t *ret_bytes, size_t size, const uint8_t key[32], uint64_t number)
{
    uint8_t nonce[crypto_stream_chacha20_ietf_NONCEBYTES] = {0};

    put_fixed(nonce + sizeof(nonce) - sizeof(number), number, sizeof(number));
    crypto_stream_chacha20_ietf(ret_bytes, size, nonce, key);
}

#define TABLE(verify_function)                                                                     \
    {                                                                                              \
        .hash = sodium_hash, .keyed_hash = sodium_keyed_hash, .key_pair = sodium_key_pair,         \
        .key_valid = sodium_key_valid, .sign = sodium_sign, .verify = (verify_function),           \
        .agree = sodium_agree, .box_seal = sodium_box_seal, .box_open = sodium_box_open,           \
        .stream = sodium_stream,                                                                   \
    }

static const struct gossip_crypto exact_library = TABLE(verify_exact);
static const struct gossip_crypto lenient_library = TABLE(verify_lenient);

const struct gossip_crypto *gossip_crypto_sodium(void)
{
    /* Threads that come here at once all find the same answer. */
    static const struct gossip_crypto *_Atomic chosen;
    const struct gossip_crypto *crypto = atomic_load(&chosen);

    if (crypto == NULL) {
        start_sodium();
        crypto = library_is_exact() ? &exact_library : &lenient_library;
        atomic_store(&chosen, crypto);
    }
    return crypto;
}

void *gossip_secret_alloc(size_t size)
{
    start_sodium();
    return sodium_malloc(size);
}

void gossip_secret_free(void *secret)
{
    sodium_free(secret);
}

void gossip_wipe(void *data, size_t size)
{
    if (size > 0)
        sodium_memzero(data, size);
}

bool gossip_equal(const void *a, const void *b, size_t size)
{
    return size == 0 || sodium_memcmp(a, b, size) == 0;
}
