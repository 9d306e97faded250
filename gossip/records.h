/*
 * The grow-only set of signed records that a node keeps and passes on, and its hash.
 */
#ifndef GOSSIP_RECORDS_H
#define GOSSIP_RECORDS_H

#include "gossip/certificate.h"

struct signed_record {
    uint8_t id[GOSSIP_HASH_SIZE];
    uint8_t type; /* enum gossip_signed_type */
    size_t size;
    uint8_t bytes[];
};

struct records {
    struct signed_record **items; /* Ascending by id. */
    struct gossip_piece *pieces;  /* Room to hash them all. */
    size_t count;
    size_t capacity;
};

void records_clear(struct records *records);

/* The record whose id begins with these GOSSIP_ID_SIZE bytes, or NULL. */
const struct signed_record *records_find(const struct records *records,
                                         const uint8_t id[GOSSIP_ID_SIZE]);

/* The place of the first record whose id is not below id. */
size_t records_place(const struct records *records, const uint8_t id[GOSSIP_ID_SIZE]);

/* Adds a copy of a record that is not there yet. NOMEM. */
int records_add(struct records *records, const struct gossip_crypto *crypto, const uint8_t *bytes,
                size_t size, const struct signed_record **ret_record);

/* The hash of the set of certificates and evictions. */
void records_hash(const struct records *records, const struct gossip_crypto *crypto,
                  uint8_t ret_hash[GOSSIP_HASH_SIZE]);

#endif
