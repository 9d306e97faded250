/*
 * Certificates: who belongs to a cluster, under which name and with which rights; and what all
 * signed records have in common. docs/protocol.md, "Signed records".
 */
#ifndef GOSSIP_CERTIFICATE_H
#define GOSSIP_CERTIFICATE_H

#include "gossip/crypto.h"
#include "gossip/gossip.h"
#include "gossip/wire.h"

enum {
    /* Type, key, name, rights, issuer, signature: the longest there can be, and without issuer. */
    CERTIFICATE_MAX = 1 + 34 + 34 + 6 + 34 + 64,
};

struct certificate {
    uint8_t key[GOSSIP_KEY_SIZE];
    uint8_t node[GOSSIP_ID_SIZE]; /* The id of its node. */
    char name[GOSSIP_NAME_MAX + 1];
    uint32_t rights;
    bool has_issuer; /* Else the cluster's key has signed it. */
    uint8_t issuer[GOSSIP_KEY_SIZE];
    uint8_t id[GOSSIP_HASH_SIZE]; /* Of the record. */
    uint8_t bytes[CERTIFICATE_MAX];
    size_t size;
};

/* Whether name[size] may stand in a certificate: 1 to 32 of A-Z a-z 0-9 . _ - */
bool name_is_valid(const char *name, size_t size);

void record_id(const struct gossip_crypto *crypto, const uint8_t *bytes, size_t size,
               uint8_t ret_id[GOSSIP_HASH_SIZE]);

/* Signs a record, whose type and body stand in record; the signature follows the body. domain is
 * the text of its kind. Returns the record's size. */
size_t record_sign(const struct gossip_crypto *crypto, const char *domain,
                   const uint8_t cluster[GOSSIP_KEY_SIZE], uint8_t *record, size_t body_size,
                   const uint8_t secret[GOSSIP_SECRET_SIZE]);

/* Whether signer has signed a record, which is longer than a type and a signature. */
bool record_verify(const struct gossip_crypto *crypto, const char *domain,
                   const uint8_t cluster[GOSSIP_KEY_SIZE], const uint8_t *record, size_t size,
                   const uint8_t signer[GOSSIP_KEY_SIZE]);

/* Makes the certificate of key, signed by issuer_secret; issuer is NULL where that is the
 * cluster's. The name must be valid. */
void certificate_make(const struct gossip_crypto *crypto, const uint8_t cluster[GOSSIP_KEY_SIZE],
                      const uint8_t key[GOSSIP_KEY_SIZE], const char *name, uint32_t rights,
                      const uint8_t *issuer, const uint8_t issuer_secret[GOSSIP_SECRET_SIZE],
                      struct certificate *ret_certificate);

/* Reads a record without checking who signed it. */
bool certificate_read(const struct gossip_crypto *crypto, struct wire_arena *arena,
                      const uint8_t *bytes, size_t size, struct certificate *ret_certificate);

/* Whether the cluster's key, or a node with the right to admit whose certificate (issuer, else
 * NULL) the cluster's key has signed, has signed certificate, and its key is fit for a member. */
bool certificate_verify(const struct gossip_crypto *crypto, const uint8_t cluster[GOSSIP_KEY_SIZE],
                        const struct certificate *certificate, const struct certificate *issuer);

#endif
