/*
 * Datagrams as they stand on the wire: the header all begin with, the hello and the welcome, which
 * are in clear, and the box, which is not. docs/protocol.md, "Datagrams", draws the bytes.
 *
 * Functions here judge one datagram by its bytes and the keys given; who has said hello, and what a
 * message means, is decided elsewhere.
 */
#ifndef GOSSIP_DATAGRAM_H
#define GOSSIP_DATAGRAM_H

#include "gossip/certificate.h"
#include "gossip/gossip.h"
#include "gossip/identity.h"

enum datagram_kind {
    DATAGRAM_HELLO = 1,
    DATAGRAM_WELCOME = 2,
    DATAGRAM_BOX = 3,
};

enum message_kind {
    MESSAGE_DIGEST = 1,
    MESSAGE_PULL = 2,
    MESSAGE_PART = 3,
    MESSAGE_ADDRESSES = 4,
    MESSAGE_HASHES_ASK = 5,
    MESSAGE_HASHES = 6,
};

/* Judges what all datagrams have in common and tells the kind. */
enum gossip_verdict datagram_kind(const uint8_t *data, size_t size, enum datagram_kind *ret_kind);

/* A hello or welcome that has been opened, lent from the datagram and the arena. */
struct greeting {
    struct wire_hello message;
    const uint8_t *body; /* What the signature is over. */
    size_t body_size;
    const uint8_t *signature;
};

/* Whether the cluster tag fits (else FOREIGN) and there is a message and nothing else (else
 * MALFORMED). The signature is not yet checked. */
enum gossip_verdict greeting_open(const struct gossip_crypto *crypto,
                                  const uint8_t gate[GOSSIP_CLUSTER_SECRET_SIZE],
                                  enum datagram_kind kind, const uint8_t *data, size_t size,
                                  struct wire_arena *arena, struct greeting *ret_greeting);

/* Whether key has signed a greeting; receiver is the node id a welcome is for. */
bool greeting_verify(const struct gossip_crypto *crypto, const uint8_t cluster[GOSSIP_KEY_SIZE],
                     enum datagram_kind kind, const struct greeting *greeting, const uint8_t *key,
                     const uint8_t *receiver);

/* Writes a hello (padded) or a welcome and returns its size. receiver as above, NULL for a hello.
 */
size_t greeting_write(const struct gossip_crypto *crypto, const struct gossip_identity *identity,
                      enum datagram_kind kind, const struct wire_hello *message,
                      const uint8_t *receiver, uint8_t ret_data[GOSSIP_HELLO_SIZE]);

/* The head of a box. */
struct box_header {
    const uint8_t *receiver; /* GOSSIP_ID_SIZE */
    const uint8_t *sender;   /* GOSSIP_ID_SIZE */
    uint64_t boot_id;
    uint64_t counter;
};

/* The key that two nodes share; false where the other's key is unfit. */
bool pair_key(const struct gossip_crypto *crypto, const struct gossip_identity *identity,
              const uint8_t key[GOSSIP_KEY_SIZE], uint8_t ret_key[32]);

/* Reads the head of a box, whose kind has been told; data is long enough for it. */
void box_header_read(const uint8_t *data, struct box_header *ret_header);

/* Writes the plain text to ret_plain and returns its size, at least 1; 0 if the box does not
 * open. */
size_t box_open(const struct gossip_crypto *crypto, const uint8_t key[32], const uint8_t *data,
                size_t size, uint8_t ret_plain[GOSSIP_PLAIN_MAX]);

/* Writes a box and returns its size. plain_size is at most GOSSIP_PLAIN_MAX. */
size_t box_write(const struct gossip_crypto *crypto, const uint8_t key[32],
                 const struct box_header *header, const uint8_t nonce[GOSSIP_BOX_NONCE_SIZE],
                 const uint8_t *plain, size_t plain_size, uint8_t ret_data[GOSSIP_DATAGRAM_MAX]);

/* The signature at the end of a digest, over its message and where it travels. */
void digest_sign(const struct gossip_crypto *crypto, const struct gossip_identity *identity,
                 const struct box_header *header, const uint8_t *message, size_t size,
                 uint8_t ret_signature[GOSSIP_SIGNATURE_SIZE]);
bool digest_verify(const struct gossip_crypto *crypto, const uint8_t cluster[GOSSIP_KEY_SIZE],
                   const struct box_header *header, const uint8_t *message, size_t size,
                   const uint8_t key[GOSSIP_KEY_SIZE], const uint8_t *signature);

/* A token for the node that says hello from address, in the time slot given. */
void token_make(const struct gossip_crypto *crypto, const uint8_t key[32],
                const struct gossip_address *address, const uint8_t node[GOSSIP_ID_SIZE],
                uint64_t boot_id, uint64_t slot, uint8_t ret_token[GOSSIP_TOKEN_SIZE]);

/* An address as it stands in messages and hashes: 16 bytes and the port. */
enum { ADDRESS_SIZE = 18 };
void address_write(const struct gossip_address *address, uint8_t ret_bytes[ADDRESS_SIZE]);
void address_read(const uint8_t bytes[ADDRESS_SIZE], struct gossip_address *ret_address);
bool address_equal(const struct gossip_address *a, const struct gossip_address *b);

#endif
