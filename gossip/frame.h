/*
 * The frame of an event's body: stamp, kind and context, in our own strict form. What is refused
 * here is refused by every node, for ever: docs/protocol.md, "Body". And the one field that
 * we read of what follows the frame, the payload.
 */
#ifndef GOSSIP_FRAME_H
#define GOSSIP_FRAME_H

#include "gossip/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A frame that has been read, lent from its body. */
struct frame {
    uint64_t hlc;
    uint64_t kind;
    uint32_t known_count; /* Entries by mention number ... */
    uint32_t new_count;   /* ... and after them, by id. */
    const uint8_t *entries;
    size_t entries_size;
    const uint8_t *fields; /* What follows the frame. */
    size_t fields_size;
};

/* One entry of a context. */
struct frame_entry {
    uint64_t mention;  /* Number of the mention, or 0 where id stands. */
    const uint8_t *id; /* GOSSIP_ID_SIZE, or NULL. */
    uint64_t seq;
};

/* A walk over the entries of a frame. */
struct frame_entries {
    const uint8_t *next;
    const uint8_t *end;
    uint32_t knowns;
    uint32_t news;
    uint64_t mention;
};

/* Whether body[size] begins with a frame that any node may accept, as far as that can be told from
 * its bytes alone; what depends on the author's earlier events is checked on delivery. */
bool frame_read(const uint8_t *body, size_t size, struct frame *ret_frame);

/* The entries in order; the frame must have been read. */
struct frame_entries frame_entries(const struct frame *frame);
bool frame_next(struct frame_entries *entries, struct frame_entry *ret_entry);

/* Bytes of a frame with these entries: those with a mention number ascending by it, then those with
 * an id ascending by it (asserted when written). */
size_t frame_size(uint64_t kind, const struct frame_entry *entries, size_t count);
void frame_write(uint8_t *ret_bytes, uint64_t hlc, uint64_t kind, const struct frame_entry *entries,
                 size_t count);

/* Bytes of the field that carries a payload, and its writing. */
size_t payload_field_size(size_t payload_size);
void payload_field_write(uint8_t *ret_bytes, const void *payload, size_t payload_size);

/* Finds the payload among the fields: the last field 3. Unknown fields are passed over. Returns
 * whether the fields can be read and there is one. */
bool payload_find(const struct frame *frame, const uint8_t **ret_payload, size_t *ret_size);

/* The field of an event that its author has written before, under an epoch that forked: it names
 * the hash of the original. Written before the payload. */
enum { SUPERSEDES_FIELD_SIZE = 4 + GOSSIP_HASH_SIZE };
void supersedes_field_write(uint8_t ret_bytes[SUPERSEDES_FIELD_SIZE],
                            const uint8_t hash[GOSSIP_HASH_SIZE]);

/* Finds that hash, lent from the frame. Returns whether there is one. */
bool supersedes_find(const struct frame *frame, const uint8_t **ret_hash);

/* The field of an event that its author writes once, however often it is asked to: the key by which
 * it knows it again. Written after the payload. */
size_t once_field_size(size_t once_size);
void once_field_write(uint8_t *ret_bytes, const uint8_t *once, size_t once_size);

/* Finds that key, lent from the frame. Returns whether there is one, of 1 to GOSSIP_ONCE_MAX bytes.
 */
bool once_field_find(const struct frame *frame, const uint8_t **ret_once, size_t *ret_size);

#endif
