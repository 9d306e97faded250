#include "gossip/eviction.h"

#include <assert.h>
#include <string.h>

#include "gossip/bytes.h"
#include "gossip/gossip.h"

enum {
    BODY_MAX = EVICTION_MAX - 1 - GOSSIP_SIGNATURE_SIZE,
    SIGNED_MAX = sizeof(GOSSIP_DOMAIN_EVICTION) + GOSSIP_KEY_SIZE + BODY_MAX,
};
_Static_assert((int)EVICTION_MAX <= (int)GOSSIP_RECORD_MAX, "the longest is a record");

static size_t signed_bytes(const uint8_t cluster[GOSSIP_KEY_SIZE], const uint8_t *body,
                           size_t body_size, uint8_t ret_bytes[SIGNED_MAX])
{
    struct writer writer = {ret_bytes, SIGNED_MAX, 0, false};

    write_bytes(&writer, GOSSIP_DOMAIN_EVICTION, sizeof(GOSSIP_DOMAIN_EVICTION));
    write_bytes(&writer, cluster, GOSSIP_KEY_SIZE);
    write_bytes(&writer, body, body_size);
    assert(!writer.failed);
    return writer.size;
}

void eviction_make(const struct gossip_crypto *crypto, const uint8_t cluster[GOSSIP_KEY_SIZE],
                   const uint8_t key[GOSSIP_KEY_SIZE], const struct eviction_last *last,
                   size_t last_count, const uint8_t *issuer,
                   const uint8_t issuer_secret[GOSSIP_SECRET_SIZE], struct eviction *ret_eviction)
{
    struct wire_eviction message = {.key = key, .last_count = last_count, .issuer = issuer};
    struct eviction eviction = {.last_count = last_count, .has_issuer = issuer != NULL};
    uint8_t buffer[SIGNED_MAX];
    size_t body_size;
    size_t signed_size;

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
    signed_size = signed_bytes(cluster, eviction.bytes + 1, body_size, buffer);
    crypto->sign(eviction.bytes + 1 + body_size, buffer, signed_size, issuer_secret);
    eviction.size = 1 + body_size + GOSSIP_SIGNATURE_SIZE;
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
    uint8_t buffer[SIGNED_MAX];
    size_t body_size = eviction->size - 1 - GOSSIP_SIGNATURE_SIZE;
    size_t signed_size = signed_bytes(cluster, eviction->bytes + 1, body_size, buffer);

    if (eviction->has_issuer) {
        /* A certificate that itself names an issuer does not pass without that one's. */
        if (issuer == NULL || !(issuer->rights & GOSSIP_RIGHT_EVICT) ||
            memcmp(issuer->key, eviction->issuer, GOSSIP_KEY_SIZE) != 0 ||
            !certificate_verify(crypto, cluster, issuer, NULL))
            return false;
        signer = issuer->key;
    }
    return crypto->verify(eviction->bytes + 1 + body_size, buffer, signed_size, signer);
}

uint64_t eviction_cut(const struct eviction *eviction, const uint8_t epoch[GOSSIP_EPOCH_SIZE])
{
    for (size_t i = 0; i < eviction->last_count; i++)
        if (memcmp(eviction->last[i].epoch, epoch, GOSSIP_EPOCH_SIZE) == 0)
            return eviction->last[i].seq + 1;
    return 1;
}
