#include "gossip/event.h"

#include <assert.h>
#include <string.h>

#include "gossip/bytes.h"

void node_id(const struct gossip_crypto *crypto, const uint8_t key[GOSSIP_KEY_SIZE],
             uint8_t ret_id[GOSSIP_ID_SIZE])
{
    uint8_t hash[GOSSIP_HASH_SIZE];

    crypto->hash(hash,
                 (const struct gossip_piece[]){{GOSSIP_DOMAIN_NODE, sizeof(GOSSIP_DOMAIN_NODE)},
                                               {key, GOSSIP_KEY_SIZE}},
                 2);
    memcpy(ret_id, hash, GOSSIP_ID_SIZE);
}

void author_id(const struct gossip_crypto *crypto, const uint8_t key[GOSSIP_KEY_SIZE],
               const uint8_t epoch[GOSSIP_EPOCH_SIZE], uint8_t ret_id[GOSSIP_ID_SIZE])
{
    uint8_t hash[GOSSIP_HASH_SIZE];

    crypto->hash(hash,
                 (const struct gossip_piece[]){{GOSSIP_DOMAIN_AUTHOR, sizeof(GOSSIP_DOMAIN_AUTHOR)},
                                               {key, GOSSIP_KEY_SIZE},
                                               {epoch, GOSSIP_EPOCH_SIZE}},
                 3);
    memcpy(ret_id, hash, GOSSIP_ID_SIZE);
}

void mentions_hash_add(const struct gossip_crypto *crypto, uint8_t hash[GOSSIP_HASH_SIZE],
                       const uint8_t id[GOSSIP_ID_SIZE])
{
    crypto->hash(
        hash,
        (const struct gossip_piece[]){{GOSSIP_DOMAIN_MENTION, sizeof(GOSSIP_DOMAIN_MENTION)},
                                      {hash, GOSSIP_HASH_SIZE},
                                      {id, GOSSIP_ID_SIZE}},
        3);
}

void event_inner(const struct gossip_crypto *crypto, const uint8_t mentions_hash[GOSSIP_HASH_SIZE],
                 const uint8_t *body, size_t body_size, uint8_t ret_inner[GOSSIP_HASH_SIZE])
{
    crypto->hash(
        ret_inner,
        (const struct gossip_piece[]){{mentions_hash, GOSSIP_HASH_SIZE}, {body, body_size}}, 2);
}

void event_hash(const struct gossip_crypto *crypto, const struct chain_owner *owner, uint64_t seq,
                const uint8_t previous[GOSSIP_HASH_SIZE], uint32_t body_size,
                const uint8_t inner[GOSSIP_HASH_SIZE], uint8_t ret_hash[GOSSIP_HASH_SIZE])
{
    uint8_t number[8];
    uint8_t size[4];

    put_fixed(number, seq, sizeof(number));
    put_fixed(size, body_size, sizeof(size));
    crypto->hash(ret_hash,
                 (const struct gossip_piece[]){{GOSSIP_DOMAIN_EVENT, sizeof(GOSSIP_DOMAIN_EVENT)},
                                               {owner->cluster, GOSSIP_KEY_SIZE},
                                               {owner->key, GOSSIP_KEY_SIZE},
                                               {owner->epoch, GOSSIP_EPOCH_SIZE},
                                               {number, sizeof(number)},
                                               {previous, GOSSIP_HASH_SIZE},
                                               {size, sizeof(size)},
                                               {inner, GOSSIP_HASH_SIZE}},
                 8);
}

bool chain_advance(struct chain *chain, const struct gossip_crypto *crypto,
                   const struct chain_owner *owner, const uint8_t *body, size_t body_size,
                   const struct frame *frame)
{
    struct frame_entries entries = frame_entries(frame);
    struct frame_entry entry;
    uint8_t inner[GOSSIP_HASH_SIZE];

    assert(body_size <= GOSSIP_BODY_MAX && chain->seq < GOSSIP_COUNTER_MAX);
    while (frame_next(&entries, &entry)) {
        if (entry.id == NULL)
            continue;
        mentions_hash_add(crypto, chain->mentions_hash, entry.id);
        chain->mentions++;
    }
    event_inner(crypto, chain->mentions_hash, body, body_size, inner);
    chain->seq++;
    event_hash(crypto, owner, chain->seq, chain->hash, (uint32_t)body_size, inner, chain->hash);
    chain->unsealed_size += body_size;
    if (chain->seq % GOSSIP_SEAL_EVERY != 0 && chain->unsealed_size < GOSSIP_SEAL_BYTES)
        return false;
    chain->unsealed_size = 0;
    return true;
}

enum { SEALED_SIZE = sizeof(GOSSIP_DOMAIN_SEAL) + GOSSIP_HASH_SIZE };

static void sealed_bytes(const uint8_t hash[GOSSIP_HASH_SIZE], uint8_t ret_bytes[SEALED_SIZE])
{
    memcpy(ret_bytes, GOSSIP_DOMAIN_SEAL, sizeof(GOSSIP_DOMAIN_SEAL));
    memcpy(ret_bytes + sizeof(GOSSIP_DOMAIN_SEAL), hash, GOSSIP_HASH_SIZE);
}

void seal_sign(const struct gossip_crypto *crypto, const uint8_t hash[GOSSIP_HASH_SIZE],
               const uint8_t secret[GOSSIP_SECRET_SIZE], uint8_t ret_seal[GOSSIP_SIGNATURE_SIZE])
{
    uint8_t bytes[SEALED_SIZE];

    sealed_bytes(hash, bytes);
    crypto->sign(ret_seal, bytes, sizeof(bytes), secret);
}

bool seal_verify(const struct gossip_crypto *crypto, const uint8_t hash[GOSSIP_HASH_SIZE],
                 const uint8_t key[GOSSIP_KEY_SIZE], const uint8_t seal[GOSSIP_SIGNATURE_SIZE])
{
    uint8_t bytes[SEALED_SIZE];

    sealed_bytes(hash, bytes);
    return crypto->verify(seal, bytes, sizeof(bytes), key);
}
