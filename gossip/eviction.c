#include "gossip/eviction.h"

#include <assert.h>
#include <string.h>

#include "gossip/gossip.h"

enum { BODY_MAX = EVICTION_MAX - 1 - GOSSIP_SIGNATURE_SIZE };
_Static_assert((int)EVICTION_MAX <= (int)GOSSIP_RECORD_MAX, "the longest is a record");

void eviction_make(const struct gossip_crypto *crypto, const uint8_t cluster[GOSSIP_KEY_SIZE],
                   const uint8_t key[GOSSIP_KEY_SIZE], const struct eviction_last *last,
                   size_t last_count, const uint8_t *issuer,
                   const uint8_t issuer_secret[GOSSIP_SECRET_SIZE], struct eviction *ret_eviction)
{
    struct wire_eviction message = {.key = key, .last_count = last_count, .issuer = issuer};
    struct eviction eviction = {.last_count = last_count, .has_issuer = issuer != NULL};
    size_t body_size;

    assert(last_count <= GOSSIP_EVICTION_EPOCHS_MAX);
    memcpy(eviction.key, key, GOSSIP_KEY_SIZE);
    for (size_t i = 0; i < last_count; i++) {
        eviction.last[i] = last[i];
        message.last[i] = (struct wire_last_event){last[i].epoch, last[i].seq, last[i].hash};
    }
    if (issuer != NULL)
        memcpy(eviction.issuer, issuer, GOSSIP_KEY_SIZE);

    eviction.bytes[0] = GOSSIP_SIGNED_EVICTION;
    body_size = wire_encode_eviction(&message, eviction.bytes + 1, BODY_MAX);
    assert(body_size > 0);
    eviction.size = record_sign(crypto, GOSSIP_DOMAIN_EVICTION, cluster, eviction.bytes, body_size,
                                issuer_secret);
    record_id(crypto, eviction.bytes, eviction.size, eviction.id);
    *ret_eviction = eviction;
}

bool eviction_read(const struct gossip_crypto *crypto, struct wire_arena *arena,
                   const uint8_t *bytes, size_t size, struct eviction *ret_eviction)
{
    struct wire_eviction message;
    struct eviction eviction = {0};

    if (size <= 1 + GOSSIP_SIGNATURE_SIZE || size > EVICTION_MAX ||
        bytes[0] != GOSSIP_SIGNED_EVICTION)
        return false;
    if (!wire_decode_eviction(arena, bytes + 1, size - 1 - GOSSIP_SIGNATURE_SIZE, &message))
        return false;
    memcpy(eviction.key, message.key, GOSSIP_KEY_SIZE);
    eviction.last_count = message.last_count;
    for (size_t i = 0; i < message.last_count; i++) {
        memcpy(eviction.last[i].epoch, message.last[i].epoch, GOSSIP_EPOCH_SIZE);
        eviction.last[i].seq = message.last[i].seq;
        memcpy(eviction.last[i].hash, message.last[i].hash, GOSSIP_HASH_SIZE);
    }
    eviction.has_issuer = message.issuer != NULL;
    if (message.issuer != NULL)
        memcpy(eviction.issuer, message.issuer, GOSSIP_KEY_SIZE);
    memcpy(eviction.bytes, bytes, size);
    eviction.size = size;
    record_id(crypto, bytes, size, eviction.id);
    *ret_eviction = eviction;
    return true;
}

bool eviction_verify(const struct gossip_crypto *crypto, const uint8_t cluster[GOSSIP_KEY_SIZE],
                     const struct eviction *eviction, const struct certificate *issuer)
{
    const uint8_t *signer = cluster;

    if (eviction->has_issuer) {
        /* A certificate that itself names an issuer does not pass without that one's. */
        if (issuer == NULL || !(issuer->rights & GOSSIP_RIGHT_EVICT) ||
            memcmp(issuer->key, eviction->issuer, GOSSIP_KEY_SIZE) != 0 ||
            !certificate_verify(crypto, cluster, issuer, NULL))
            return false;
        signer = issuer->key;
    }
    return record_verify(crypto, GOSSIP_DOMAIN_EVICTION, cluster, eviction->bytes, eviction->size,
                         signer);
}

uint64_t eviction_cut(const struct eviction *eviction, const uint8_t epoch[GOSSIP_EPOCH_SIZE])
{
    for (size_t i = 0; i < eviction->last_count; i++)
        if (memcmp(eviction->last[i].epoch, epoch, GOSSIP_EPOCH_SIZE) == 0)
            return eviction->last[i].seq + 1;
    return 1;
}
