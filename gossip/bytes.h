/*
 * Reading and writing bytes: fixed integers big-endian, varints as protobuf has them, in their
 * shortest form only. A reader or writer that has run out stays failed, so that a caller may ask
 * once, at the end.
 */
#ifndef GOSSIP_BYTES_H
#define GOSSIP_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
    const uint8_t *data;
    size_t size;
    size_t offset;
    bool failed;
};

struct writer {
    uint8_t *data;
    size_t capacity;
    size_t size;
    bool failed;
};

enum { VARINT_MAX_SIZE = 10 };

/* All return 0 or NULL when the reader has failed. */
uint64_t read_fixed(struct reader *reader, size_t size); /* size is 1 to 8. */
uint64_t read_varint(struct reader *reader);
const uint8_t *read_bytes(struct reader *reader, size_t size); /* Lent from the reader's data. */

void write_fixed(struct writer *writer, uint64_t value, size_t size);
void write_varint(struct writer *writer, uint64_t value);
void write_bytes(struct writer *writer, const void *data, size_t size);

/* How many bytes a varint takes: 1 to 10. */
size_t varint_size(uint64_t value);

void put_fixed(uint8_t *data, uint64_t value, size_t size);
uint64_t get_fixed(const uint8_t *data, size_t size);

#endif
