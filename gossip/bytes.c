#include "gossip/bytes.h"

#include <assert.h>
#include <string.h>

uint64_t get_fixed(const uint8_t *data, size_t size)
{
    uint64_t value = 0;

    assert(size <= 8);
    for (size_t i = 0; i < size; i++)
        value = value << 8 | data[i];
    return value;
}

void put_fixed(uint8_t *data, uint64_t value, size_t size)
{
    assert(size <= 8);
    for (size_t i = size; i > 0; i--) {
        data[i - 1] = (uint8_t)value;
        value >>= 8;
    }
}

const uint8_t *read_bytes(struct reader *reader, size_t size)
{
    const uint8_t *start;

    if (reader->failed || size > reader->size - reader->offset) {
        reader->failed = true;
        return NULL;
    }
    start = reader->data + reader->offset;
    reader->offset += size;
    return start;
}

uint64_t read_fixed(struct reader *reader, size_t size)
{
    const uint8_t *start = read_bytes(reader, size);

    return start == NULL ? 0 : get_fixed(start, size);
}

uint64_t read_varint(struct reader *reader)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        const uint8_t *byte = read_bytes(reader, 1);

        if (byte == NULL)
            return 0;
        if (shift == 63 && *byte > 1)
            break; /* The tenth byte has room for one bit. */
        value |= (uint64_t)(*byte & 0x7f) << shift;
        if (*byte < 0x80) {
            if (*byte == 0 && shift > 0)
                break; /* Not the shortest form. */
            return value;
        }
    }
    reader->failed = true;
    return 0;
}

void write_bytes(struct writer *writer, const void *data, size_t size)
{
    if (writer->failed || size > writer->capacity - writer->size) {
        writer->failed = true;
        return;
    }
    if (size > 0)
        memcpy(writer->data + writer->size, data, size);
    writer->size += size;
}

void write_fixed(struct writer *writer, uint64_t value, size_t size)
{
    uint8_t bytes[8];

    put_fixed(bytes, value, size);
    write_bytes(writer, bytes, size);
}

void write_varint(struct writer *writer, uint64_t value)
{
    uint8_t bytes[VARINT_MAX_SIZE];
    size_t size = 0;

    while (value >= 0x80) {
        bytes[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[size++] = (uint8_t)value;
    write_bytes(writer, bytes, size);
}

size_t varint_size(uint64_t value)
{
    size_t size = 1;

    while (value >= 0x80) {
        value >>= 7;
        size++;
    }
    return size;
}
