#include "gossip/archive.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/bytes.h"
#include "gossip/certificate.h"

static const uint8_t magic[ARCHIVE_MAGIC_SIZE] = {'g', 's', 'p', 'a', 'r', 'c', 'h', '1'};

/* Each block's checksum holds that of the block before, so that none can be left out, moved or
 * added. */
static void hash_next(const struct gossip_crypto *crypto, uint8_t hash[GOSSIP_HASH_SIZE],
                      const uint8_t *bytes, size_t size)
{
    const struct gossip_piece pieces[] = {{GOSSIP_DOMAIN_ARCHIVE, sizeof(GOSSIP_DOMAIN_ARCHIVE)},
                                          {hash, GOSSIP_HASH_SIZE},
                                          {bytes, size}};
    uint8_t next[GOSSIP_HASH_SIZE];

    crypto->hash(next, pieces, 3);
    memcpy(hash, next, sizeof(next));
}

/* ---- Writing. ---- */

unsigned archive_pass(const struct gossip_crypto *crypto, const uint8_t *record, size_t size)
{
    struct certificate certificate;
    struct wire_arena arena;

    if (size == 0 || record[0] != GOSSIP_SIGNED_CERTIFICATE)
        return 2;
    return certificate_read(crypto, &arena, record, size, &certificate) && certificate.has_issuer;
}

static int begin_bytes(struct archive_writer *writer, size_t size, struct writer *ret_bytes)
{
    if (writer->capacity < size) {
        uint8_t *bytes = realloc(writer->bytes, size);

        if (bytes == NULL)
            return GOSSIP_ERR_NOMEM;
        writer->bytes = bytes;
        writer->capacity = size;
    }
    *ret_bytes = (struct writer){writer->bytes, size, 0, false};
    return GOSSIP_OK;
}

static int begin_block(struct archive_writer *writer, enum archive_kind kind, size_t size,
                       struct writer *ret_bytes)
{
    int error = begin_bytes(writer, ARCHIVE_BLOCK_HEAD + size + GOSSIP_HASH_SIZE, ret_bytes);

    if (error < 0)
        return error;
    write_fixed(ret_bytes, kind, 1);
    write_fixed(ret_bytes, size, 4);
    return GOSSIP_OK;
}

static void end_block(struct archive_writer *writer, struct writer *bytes)
{
    hash_next(writer->crypto, writer->hash, writer->bytes, bytes->size);
    write_bytes(bytes, writer->hash, GOSSIP_HASH_SIZE);
    assert(!bytes->failed);
    writer->size = bytes->size;
}

int archive_write_header(struct archive_writer *writer, const struct gossip_crypto *crypto,
                         const uint8_t cluster[GOSSIP_KEY_SIZE])
{
    struct writer bytes;
    int error;

    *writer = (struct archive_writer){.crypto = crypto};
    error = begin_bytes(writer, ARCHIVE_HEADER_SIZE, &bytes);
    if (error < 0)
        return error;
    write_bytes(&bytes, magic, sizeof(magic));
    write_bytes(&bytes, cluster, GOSSIP_KEY_SIZE);
    hash_next(crypto, writer->hash, writer->bytes, bytes.size);
    writer->size = bytes.size;
    return GOSSIP_OK;
}

int archive_write_record(struct archive_writer *writer, const uint8_t *record, size_t size)
{
    struct writer bytes;
    int error = begin_block(writer, ARCHIVE_RECORD, size, &bytes);

    if (error < 0)
        return error;
    write_bytes(&bytes, record, size);
    end_block(writer, &bytes);
    return GOSSIP_OK;
}

int archive_write_run(struct archive_writer *writer, const struct archive_run *run)
{
    size_t voucher_size = run->seal != NULL   ? GOSSIP_SIGNATURE_SIZE
                          : run->link != NULL ? WIRE_LINK_SIZE
                                              : 0;
    struct writer bytes;
    int error = begin_block(
        writer, ARCHIVE_RUN,
        ARCHIVE_RUN_HEAD_MAX - GOSSIP_SIGNATURE_SIZE + voucher_size + run->stream.size, &bytes);

    if (error < 0)
        return error;
    write_bytes(&bytes, run->key, GOSSIP_KEY_SIZE);
    write_bytes(&bytes, run->epoch, GOSSIP_EPOCH_SIZE);
    write_fixed(&bytes, run->first, 8);
    write_fixed(&bytes, run->last, 8);
    write_bytes(&bytes, run->previous, GOSSIP_HASH_SIZE);
    write_fixed(&bytes,
                run->seal != NULL   ? ARCHIVE_SEAL
                : run->link != NULL ? ARCHIVE_LINK
                                    : ARCHIVE_CUT,
                1);
    if (voucher_size > 0)
        write_bytes(&bytes, run->seal != NULL ? run->seal : run->link, voucher_size);
    write_bytes(&bytes, run->stream.data, run->stream.size);
    writer->events += run->last - run->first + 1;
    end_block(writer, &bytes);
    return GOSSIP_OK;
}

int archive_write_author(struct archive_writer *writer, const uint8_t key[GOSSIP_KEY_SIZE],
                         const uint8_t epoch[GOSSIP_EPOCH_SIZE])
{
    struct writer bytes;
    int error = begin_block(writer, ARCHIVE_AUTHOR, GOSSIP_KEY_SIZE + GOSSIP_EPOCH_SIZE, &bytes);

    if (error < 0)
        return error;
    write_bytes(&bytes, key, GOSSIP_KEY_SIZE);
    write_bytes(&bytes, epoch, GOSSIP_EPOCH_SIZE);
    end_block(writer, &bytes);
    return GOSSIP_OK;
}

int archive_write_end(struct archive_writer *writer)
{
    struct writer bytes;
    int error = begin_block(writer, ARCHIVE_END, 8, &bytes);

    if (error < 0)
        return error;
    write_fixed(&bytes, writer->events, 8);
    end_block(writer, &bytes);
    return GOSSIP_OK;
}

void archive_writer_clear(struct archive_writer *writer)
{
    free(writer->bytes);
    memset(writer, 0, sizeof(*writer));
}

/* ---- Reading. ---- */

int archive_fault(struct archive_reader *reader, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reader->told->fault, sizeof(reader->told->fault), format, arguments);
    va_end(arguments);
    return GOSSIP_ERR_DAMAGED;
}

/* Reads all of size bytes. */
static int read_all(struct archive_reader *reader, uint8_t *bytes, size_t size)
{
    size_t done = 0;

    while (done < size) {
        int count = reader->read(reader->context, bytes + done, size - done);

        if (count < 0)
            return count;
        if (count == 0)
            return archive_fault(reader, "it ends in the middle");
        done += (size_t)count;
        reader->position += (size_t)count;
    }
    return GOSSIP_OK;
}

int archive_open(struct archive_reader *reader, const struct gossip_crypto *crypto,
                 gossip_archive_read *read, void *context, struct gossip_archive *told)
{
    uint8_t header[ARCHIVE_HEADER_SIZE];
    int error;

    *told = (struct gossip_archive){0};
    *reader =
        (struct archive_reader){.crypto = crypto, .read = read, .context = context, .told = told};
    error = read_all(reader, header, sizeof(header));
    if (error < 0)
        return error;
    if (memcmp(header, magic, sizeof(magic)) != 0)
        return archive_fault(reader, "it is no archive of events, or of a later version");
    memcpy(told->cluster, header + ARCHIVE_MAGIC_SIZE, GOSSIP_KEY_SIZE);
    hash_next(crypto, reader->hash, header, sizeof(header));
    reader->payload = malloc(ARCHIVE_BLOCK_HEAD + ARCHIVE_PAYLOAD_MAX + GOSSIP_HASH_SIZE);
    return reader->payload == NULL ? GOSSIP_ERR_NOMEM : GOSSIP_OK;
}

static bool decode_run(struct reader *bytes, struct archive_run *run)
{
    uint64_t voucher;

    run->key = read_bytes(bytes, GOSSIP_KEY_SIZE);
    run->epoch = read_bytes(bytes, GOSSIP_EPOCH_SIZE);
    run->first = read_fixed(bytes, 8);
    run->last = read_fixed(bytes, 8);
    run->previous = read_bytes(bytes, GOSSIP_HASH_SIZE);
    voucher = read_fixed(bytes, 1);
    if (voucher == ARCHIVE_SEAL)
        run->seal = read_bytes(bytes, GOSSIP_SIGNATURE_SIZE);
    else if (voucher == ARCHIVE_LINK)
        run->link = read_bytes(bytes, WIRE_LINK_SIZE);
    else if (voucher != ARCHIVE_CUT)
        return false;
    if (bytes->failed)
        return false;
    run->stream = (struct wire_bytes){bytes->data + bytes->offset, bytes->size - bytes->offset};
    return run->first >= 1 && run->first <= run->last && run->last <= GOSSIP_COUNTER_MAX &&
           run->stream.size > 0 && run->stream.size <= GOSSIP_RUN_SIZE_MAX;
}

static int decode_block(struct archive_reader *reader, size_t size, struct archive_block *ret_block)
{
    struct reader bytes = {reader->payload + ARCHIVE_BLOCK_HEAD, size, 0, false};
    struct archive_block block = {.kind = (enum archive_kind)reader->payload[0]};
    uint8_t beyond;
    int count;

    switch (block.kind) {
    case ARCHIVE_RECORD:
        if (size == 0 || size > GOSSIP_RECORD_MAX)
            break;
        block.record = (struct wire_bytes){bytes.data, size};
        *ret_block = block;
        return 1;
    case ARCHIVE_RUN:
        if (!decode_run(&bytes, &block.run))
            break;
        reader->events += block.run.last - block.run.first + 1;
        *ret_block = block;
        return 1;
    case ARCHIVE_AUTHOR:
        if (size != GOSSIP_KEY_SIZE + GOSSIP_EPOCH_SIZE)
            break;
        block.run.key = bytes.data;
        block.run.epoch = bytes.data + GOSSIP_KEY_SIZE;
        *ret_block = block;
        return 1;
    case ARCHIVE_END:
        if (size != 8 || read_fixed(&bytes, 8) != reader->events)
            break;
        reader->ended = true;
        count = reader->read(reader->context, &beyond, 1);
        if (count != 0)
            return count < 0 ? count : archive_fault(reader, "it goes on after its end");
        return 0;
    }
    return archive_fault(reader, "the block is not of a form that is known");
}

int archive_next(struct archive_reader *reader, struct archive_block *ret_block)
{
    uint8_t *bytes = reader->payload;
    uint8_t hash[GOSSIP_HASH_SIZE];
    size_t size;
    int error;

    if (reader->ended)
        return 0;
    reader->told->offset = reader->position;
    error = read_all(reader, bytes, ARCHIVE_BLOCK_HEAD);
    if (error < 0)
        return error;
    size = (size_t)get_fixed(bytes + 1, 4);
    if (size > ARCHIVE_PAYLOAD_MAX)
        return archive_fault(reader, "the block is larger than any may be");
    error = read_all(reader, bytes + ARCHIVE_BLOCK_HEAD, size + GOSSIP_HASH_SIZE);
    if (error < 0)
        return error;
    memcpy(hash, reader->hash, sizeof(hash));
    hash_next(reader->crypto, hash, bytes, ARCHIVE_BLOCK_HEAD + size);
    if (memcmp(hash, bytes + ARCHIVE_BLOCK_HEAD + size, sizeof(hash)) != 0)
        return archive_fault(reader, "the block's checksum does not fit");
    memcpy(reader->hash, hash, sizeof(hash));
    return decode_block(reader, size, ret_block);
}

void archive_close(struct archive_reader *reader)
{
    free(reader->payload);
    reader->payload = NULL;
}
