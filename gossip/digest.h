/*
 * Fingerprints of what a node holds: the trie over its authors, the root that covers it and the
 * records, and the list of a digest. docs/protocol.md, "Messages". A digest is a claim: nothing
 * here moves a clock.
 */
#ifndef GOSSIP_DIGEST_H
#define GOSSIP_DIGEST_H

#include "gossip/authors.h"
#include "gossip/records.h"

enum {
    DIGEST_ENTRY_MAX = GOSSIP_ID_SIZE + 10 + 10 + GOSSIP_SHORT_HASH_SIZE,
};

struct digest_roots {
    uint8_t root[16];
    uint8_t records_root[8];
};

/* One author in a list. */
struct digest_entry {
    const uint8_t *id;
    uint64_t have;
    uint64_t cut;        /* 0: none. */
    const uint8_t *head; /* GOSSIP_SHORT_HASH_SIZE */
};

/* The hash over all authors; leaves are kept with their authors. */
void digest_trie(const struct authors *authors, const struct gossip_crypto *crypto,
                 uint8_t ret_hash[GOSSIP_HASH_SIZE]);

/* Roots as they are sent, keyed with the exchange, of the trie's hash and that of the records. */
void digest_roots(const struct gossip_crypto *crypto, const uint8_t exchange[GOSSIP_NONCE_SIZE],
                  const uint8_t trie[GOSSIP_HASH_SIZE], const uint8_t set[GOSSIP_HASH_SIZE],
                  struct digest_roots *ret_roots);

/* The head hash of an author as it is sent. */
void digest_head(const struct gossip_crypto *crypto, const uint8_t exchange[GOSSIP_NONCE_SIZE],
                 const struct author *author, uint8_t ret_head[GOSSIP_SHORT_HASH_SIZE]);

/* The same of any event of an author, by its seq and hash. */
void digest_head_of(const struct gossip_crypto *crypto, const uint8_t exchange[GOSSIP_NONCE_SIZE],
                    const uint8_t id[GOSSIP_ID_SIZE], uint64_t seq,
                    const uint8_t event[GOSSIP_HASH_SIZE],
                    uint8_t ret_head[GOSSIP_SHORT_HASH_SIZE]);

/* Whether author stands in digests at all. */
bool digest_shows(const struct author *author);

/* Writes author's entry to ret_bytes[DIGEST_ENTRY_MAX]; returns its size. */
size_t digest_entry_write(const struct gossip_crypto *crypto,
                          const uint8_t exchange[GOSSIP_NONCE_SIZE], const struct author *author,
                          uint8_t *ret_bytes);

struct reader;

/* Reads the next entry; false at the end, or where bytes are not an entry or not ascending (then
 * the reader has failed). before is the id before it, or NULL. */
bool digest_entry_read(struct reader *reader, const uint8_t *before,
                       struct digest_entry *ret_entry);

#endif
