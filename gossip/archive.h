/*
 * Archives: events in a file, with all that is needed to verify them. docs/protocol.md, "Archives",
 * draws the bytes. A reader takes an archive from anywhere, piece by piece; each block is checked
 * before it is shown, and where an archive is not what it must be it says where and what.
 */
#ifndef GOSSIP_ARCHIVE_H
#define GOSSIP_ARCHIVE_H

#include "gossip/event.h"
#include "gossip/gossip.h"
#include "gossip/wire.h"

enum archive_kind {
    ARCHIVE_RECORD = 1,
    ARCHIVE_RUN = 2,
    ARCHIVE_AUTHOR = 3, /* One of whom no event counts, but whom others may have seen. */
    ARCHIVE_END = 4,
};

enum {
    ARCHIVE_MAGIC_SIZE = 8,
    ARCHIVE_HEADER_SIZE = ARCHIVE_MAGIC_SIZE + GOSSIP_KEY_SIZE,
    ARCHIVE_BLOCK_HEAD = 1 + 4, /* Kind and size. */
    /* Key, epoch, first, last, previous, what vouches for it, and that. */
    ARCHIVE_RUN_HEAD_MAX =
        GOSSIP_KEY_SIZE + GOSSIP_EPOCH_SIZE + 8 + 8 + GOSSIP_HASH_SIZE + 1 + GOSSIP_SIGNATURE_SIZE,
    ARCHIVE_PAYLOAD_MAX = ARCHIVE_RUN_HEAD_MAX + GOSSIP_RUN_SIZE_MAX,
};

/* What vouches for the last event of a run. */
enum archive_voucher {
    ARCHIVE_SEAL = 1, /* Its seal. */
    ARCHIVE_CUT = 2,  /* The record that has cut the author there, */
    ARCHIVE_LINK = 3, /* by way of the link of the next event. */
};

/* A run, its pointers lent. */
struct archive_run {
    const uint8_t *key;
    const uint8_t *epoch;
    uint64_t first;
    uint64_t last;
    const uint8_t *previous;
    const uint8_t *seal; /* NULL where there is none. */
    const uint8_t *link; /* Likewise. */
    struct wire_bytes stream;
};

struct archive_block {
    enum archive_kind kind;
    struct wire_bytes record; /* RECORD */
    struct archive_run run;   /* RUN; of an AUTHOR key and epoch. */
};

/* ---- Writing: each function makes the bytes that come next. ---- */

struct archive_writer {
    const struct gossip_crypto *crypto;
    uint8_t hash[GOSSIP_HASH_SIZE]; /* Of all before. */
    uint64_t events;
    uint8_t *bytes; /* Lent to whoever takes what comes next. */
    size_t size;
    size_t capacity;
};

/* In which of three passes a record is written and taken in, 0 to 2, so that each is preceded by
 * what verifies it: certificates that the cluster has signed, those of members, all else. */
unsigned archive_pass(const struct gossip_crypto *crypto, const uint8_t *record, size_t size);

/* All of them NOMEM. */
int archive_write_header(struct archive_writer *writer, const struct gossip_crypto *crypto,
                         const uint8_t cluster[GOSSIP_KEY_SIZE]);
int archive_write_record(struct archive_writer *writer, const uint8_t *bytes, size_t size);
int archive_write_run(struct archive_writer *writer, const struct archive_run *run);
int archive_write_author(struct archive_writer *writer, const uint8_t key[GOSSIP_KEY_SIZE],
                         const uint8_t epoch[GOSSIP_EPOCH_SIZE]);
int archive_write_end(struct archive_writer *writer);
void archive_writer_clear(struct archive_writer *writer);

/* ---- Reading. ---- */

struct archive_reader {
    const struct gossip_crypto *crypto;
    gossip_archive_read *read;
    void *context;
    struct gossip_archive *told; /* What was read so far, and what is wrong. */
    uint8_t hash[GOSSIP_HASH_SIZE];
    uint64_t position;
    uint64_t events; /* Shown so far. */
    uint8_t *payload;
    bool ended;
};

/* Reads the header: told->cluster is whose archive it is. DAMAGED, IO, NOMEM. */
int archive_open(struct archive_reader *reader, const struct gossip_crypto *crypto,
                 gossip_archive_read *read, void *context, struct gossip_archive *told);

/* Shows the next block, lent until the next call: 1, or 0 at the end. DAMAGED, IO. */
int archive_next(struct archive_reader *reader, struct archive_block *ret_block);
void archive_close(struct archive_reader *reader);

/* Says what is wrong with the block shown last; returns DAMAGED. */
int archive_fault(struct archive_reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
