/*
 * What a node keeps secret, and its certificate; see gossip.h for what users do with it.
 */
#ifndef GOSSIP_IDENTITY_H
#define GOSSIP_IDENTITY_H

#include "gossip/certificate.h"
#include "gossip/gossip.h"

struct gossip_cluster {
    uint8_t seed[GOSSIP_SEED_SIZE];
    uint8_t key[GOSSIP_KEY_SIZE];
    uint8_t secret[GOSSIP_SECRET_SIZE];
    uint8_t gate[GOSSIP_CLUSTER_SECRET_SIZE]; /* The cluster secret: keeps strangers out. */
};

struct gossip_identity {
    uint8_t seed[GOSSIP_SEED_SIZE];
    uint8_t key[GOSSIP_KEY_SIZE];
    uint8_t secret[GOSSIP_SECRET_SIZE];
    uint8_t node[GOSSIP_ID_SIZE];
    uint8_t cluster[GOSSIP_KEY_SIZE];
    uint8_t gate[GOSSIP_CLUSTER_SECRET_SIZE];
    struct certificate certificate;
    bool has_issuer;
    struct certificate issuer;
};

/* As in gossip.h, with cryptography and randomness of the caller's. Seeds are 32 bytes. NOMEM. */
int cluster_make(const struct gossip_crypto *crypto, const uint8_t *seed, const uint8_t *gate,
                 struct gossip_cluster **ret_cluster);
int identity_make(const struct gossip_crypto *crypto, const struct gossip_cluster *cluster,
                  const char *name, unsigned rights, const uint8_t *seed,
                  struct gossip_identity **ret_identity);

/* Whether key pair, certificate and cluster fit each other, tried out by a signature (threat: a
 * public key that is not that of the secret one turns a signer into an oracle). */
bool identity_is_sound(const struct gossip_crypto *crypto, const struct gossip_identity *identity);

#endif
