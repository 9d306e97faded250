#include "gossip/certificate.h"

#include <assert.h>
#include <string.h>

#include "gossip/bytes.h"
#include "gossip/event.h"
#include "gossip/gossip.h"

bool name_is_valid(const char *name, size_t size)
{
    if (size == 0 || size > GOSSIP_NAME_MAX)
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = name[i];

        if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
            c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

void record_id(const struct gossip_crypto *crypto, const uint8_t *bytes, size_t size,
               uint8_t ret_id[GOSSIP_HASH_SIZE])
{
    crypto->hash(ret_id,
                 (const struct gossip_piece[]){{GOSSIP_DOMAIN_RECORD, sizeof(GOSSIP_DOMAIN_RECORD)},
                                               {bytes, size}},
                 2);
}

enum {
    BODY_MAX = CERTIFICATE_MAX - 1 - GOSSIP_SIGNATURE_SIZE,
    SIGNED_MAX = 32 + GOSSIP_KEY_SIZE + GOSSIP_RECORD_MAX, /* A domain, the cluster, a body. */
};

static size_t signed_bytes(const char *domain, const uint8_t cluster[GOSSIP_KEY_SIZE],
                           const uint8_t *body, size_t body_size, uint8_t ret_bytes[SIGNED_MAX])
{
    struct writer writer = {ret_bytes, SIGNED_MAX, 0, false};

    write_bytes(&writer, domain, strlen(domain) + 1);
    write_bytes(&writer, cluster, GOSSIP_KEY_SIZE);
    write_bytes(&writer, body, body_size);
    assert(!writer.failed);
    return writer.size;
}

size_t record_sign(const struct gossip_crypto *crypto, const char *domain,
                   const uint8_t cluster[GOSSIP_KEY_SIZE], uint8_t *record, size_t body_size,
                   const uint8_t secret[GOSSIP_SECRET_SIZE])
{
    uint8_t bytes[SIGNED_MAX];
    size_t size = signed_bytes(domain, cluster, record + 1, body_size, bytes);

    crypto->sign(record + 1 + body_size, bytes, size, secret);
    return 1 + body_size + GOSSIP_SIGNATURE_SIZE;
}

bool record_verify(const struct gossip_crypto *crypto, const char *domain,
                   const uint8_t cluster[GOSSIP_KEY_SIZE], const uint8_t *record, size_t size,
                   const uint8_t signer[GOSSIP_KEY_SIZE])
{
    uint8_t bytes[SIGNED_MAX];
    size_t body_size = size - 1 - GOSSIP_SIGNATURE_SIZE;
    size_t signed_size = signed_bytes(domain, cluster, record + 1, body_size, bytes);

    return crypto->verify(record + 1 + body_size, bytes, signed_size, signer);
}

void certificate_make(const struct gossip_crypto *crypto, const uint8_t cluster[GOSSIP_KEY_SIZE],
                      const uint8_t key[GOSSIP_KEY_SIZE], const char *name, uint32_t rights,
                      const uint8_t *issuer, const uint8_t issuer_secret[GOSSIP_SECRET_SIZE],
                      struct certificate *ret_certificate)
{
    struct wire_certificate message = {
        .key = key,
        .name = {(const uint8_t *)name, strlen(name)},
        .rights = rights,
        .issuer = issuer,
    };
    struct certificate certificate = {.rights = rights, .has_issuer = issuer != NULL};
    size_t body_size;

    assert(name_is_valid(name, strlen(name)));
    memcpy(certificate.key, key, GOSSIP_KEY_SIZE);
    node_id(crypto, key, certificate.node);
    memcpy(certificate.name, name, strlen(name));
    if (issuer != NULL)
        memcpy(certificate.issuer, issuer, GOSSIP_KEY_SIZE);

    certificate.bytes[0] = GOSSIP_SIGNED_CERTIFICATE;
    body_size = wire_encode_certificate(&message, certificate.bytes + 1, BODY_MAX);
    assert(body_size > 0);
    certificate.size = record_sign(crypto, GOSSIP_DOMAIN_CERTIFICATE, cluster, certificate.bytes,
                                   body_size, issuer_secret);
    record_id(crypto, certificate.bytes, certificate.size, certificate.id);
    *ret_certificate = certificate;
}

bool certificate_read(const struct gossip_crypto *crypto, struct wire_arena *arena,
                      const uint8_t *bytes, size_t size, struct certificate *ret_certificate)
{
    struct wire_certificate message;
    struct certificate certificate = {0};

    if (size <= 1 + GOSSIP_SIGNATURE_SIZE || size > CERTIFICATE_MAX ||
        bytes[0] != GOSSIP_SIGNED_CERTIFICATE)
        return false;
    if (!wire_decode_certificate(arena, bytes + 1, size - 1 - GOSSIP_SIGNATURE_SIZE, &message))
        return false;
    if (!name_is_valid((const char *)message.name.data, message.name.size))
        return false;
    memcpy(certificate.key, message.key, GOSSIP_KEY_SIZE);
    node_id(crypto, message.key, certificate.node);
    memcpy(certificate.name, message.name.data, message.name.size);
    certificate.rights = message.rights;
    certificate.has_issuer = message.issuer != NULL;
    if (message.issuer != NULL)
        memcpy(certificate.issuer, message.issuer, GOSSIP_KEY_SIZE);
    memcpy(certificate.bytes, bytes, size);
    certificate.size = size;
    record_id(crypto, bytes, size, certificate.id);
    *ret_certificate = certificate;
    return true;
}

static bool signature_fits(const struct gossip_crypto *crypto,
                           const uint8_t cluster[GOSSIP_KEY_SIZE],
                           const struct certificate *certificate, const uint8_t *signer)
{
    return record_verify(crypto, GOSSIP_DOMAIN_CERTIFICATE, cluster, certificate->bytes,
                         certificate->size, signer);
}

bool certificate_verify(const struct gossip_crypto *crypto, const uint8_t cluster[GOSSIP_KEY_SIZE],
                        const struct certificate *certificate, const struct certificate *issuer)
{
    if (!crypto->key_valid(certificate->key))
        return false;
    if (!certificate->has_issuer)
        return signature_fits(crypto, cluster, certificate, cluster);
    if (issuer == NULL || issuer->has_issuer || !(issuer->rights & GOSSIP_RIGHT_ADMIT) ||
        memcmp(issuer->key, certificate->issuer, GOSSIP_KEY_SIZE) != 0)
        return false;
    return crypto->key_valid(issuer->key) && signature_fits(crypto, cluster, issuer, cluster) &&
           signature_fits(crypto, cluster, certificate, issuer->key);
}
