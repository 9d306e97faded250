/*
 * Rebuilding a store of what is left of another: each author's chain is verified from its first
 * event and kept as far as it holds, and what is kept goes to a new node as if a peer had told it.
 * What that node cannot deliver, for want of events that were seen before, goes to an archive.
 */
#include "gossip/service.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/archive.h"
#include "gossip/bytes.h"
#include "gossip/cuts.h"

enum {
    NUMBERS_MAX = 1 << 20, /* Of authors; a damaged number is past them. */
    PEERS_KEPT_MAX = 1024,
};

/* One author of the old store, and the run that is being put together. */
struct left_author {
    bool known;
    bool ended;        /* What follows cannot be verified, ... */
    bool refused;      /* ... or was not accepted. */
    bool waits;        /* Not all of what was accepted is delivered. */
    uint64_t accepted; /* The last of its events that was. */
    uint8_t key[GOSSIP_KEY_SIZE];
    uint8_t epoch[GOSSIP_EPOCH_SIZE];
    uint8_t id[GOSSIP_ID_SIZE];
    struct chain chain;
    uint64_t first; /* Of the run. */
    uint8_t previous[GOSSIP_HASH_SIZE];
    uint8_t *stream;
    size_t size;
    size_t capacity;
    uint64_t sealed;    /* The last of its events that bears a seal, 0: none; ... */
    size_t sealed_size; /* ... how much of the stream that is, ... */
    uint8_t seal[GOSSIP_SIGNATURE_SIZE]; /* ... and its seal. */
};

/* The link that has vouched for the last event of a cut author, as the old store kept it. */
struct left_link {
    char name[CUT_LINK_NAME_SIZE];
    uint8_t value[CUT_LINK_VALUE_SIZE];
};

struct recovery {
    struct gossip *gossip;
    struct left_link *links;
    size_t link_count;
    struct records records; /* What was signed, unverified. */
    bool records_taken;
    struct left_author *authors;
    size_t author_count;
    struct gossip_peer_record peers[PEERS_KEPT_MAX];
    size_t peer_count;
    uint64_t boot;
    uint64_t hlc;
    bool cloned; /* It had stopped because another process wrote under its key. */
    uint64_t found;
    uint64_t refused;
    uint64_t waiting;            /* Events that were accepted and not delivered. */
    gossip_archive_write *write; /* Where they go; NULL: nowhere. */
    void *write_context;
    bool is_writing; /* All has been taken in that could be. */
    struct archive_writer writer;
};

static int take_meta(struct recovery *recovery, const struct gossip_meta_record *meta)
{
    struct left_link *links;

    if (meta->bytes != NULL && meta->size == CUT_LINK_VALUE_SIZE &&
        strlen(meta->name) == CUT_LINK_NAME_SIZE - 1) {
        links = realloc(recovery->links, (recovery->link_count + 1) * sizeof(*links));
        if (links == NULL)
            return GOSSIP_ERR_NOMEM;
        recovery->links = links;
        memcpy(links[recovery->link_count].name, meta->name, CUT_LINK_NAME_SIZE);
        memcpy(links[recovery->link_count++].value, meta->bytes, CUT_LINK_VALUE_SIZE);
    }
    if (meta->bytes == NULL && strcmp(meta->name, "boot") == 0)
        recovery->boot = meta->number;
    if (meta->bytes == NULL && strcmp(meta->name, "hlc") == 0)
        recovery->hlc = meta->number;
    if (meta->bytes == NULL && strcmp(meta->name, "cloned") == 0)
        recovery->cloned = meta->number != 0;
    return GOSSIP_OK;
}

static int take_author(struct recovery *recovery, const struct gossip_author_record *record)
{
    struct left_author *author;

    if (record->number >= NUMBERS_MAX)
        return GOSSIP_OK;
    if (record->number >= recovery->author_count) {
        size_t count = (size_t)record->number + 1;
        struct left_author *authors = realloc(recovery->authors, count * sizeof(*authors));

        if (authors == NULL)
            return GOSSIP_ERR_NOMEM;
        memset(authors + recovery->author_count, 0,
               (count - recovery->author_count) * sizeof(*authors));
        recovery->authors = authors;
        recovery->author_count = count;
    }
    author = &recovery->authors[record->number];
    if (!author->known)
        author->first = 1;
    author->known = true;
    memcpy(author->key, record->key, GOSSIP_KEY_SIZE);
    memcpy(author->epoch, record->epoch, GOSSIP_EPOCH_SIZE);
    author_id(recovery->gossip->options.crypto, author->key, author->epoch, author->id);
    return GOSSIP_OK;
}

static int take_signed(struct recovery *recovery, const struct gossip_signed_record *record)
{
    const struct gossip_crypto *crypto = recovery->gossip->options.crypto;
    const struct signed_record *kept;
    uint8_t id[GOSSIP_HASH_SIZE];

    record_id(crypto, record->bytes, record->size, id);
    if (records_find(&recovery->records, id) != NULL)
        return GOSSIP_OK;
    return records_add(&recovery->records, crypto, record->bytes, record->size, &kept);
}

/* The records, before the first event. */
static int import_records(struct recovery *recovery)
{
    if (recovery->records_taken)
        return GOSSIP_OK;
    recovery->records_taken = true;
    for (unsigned pass = 0; pass < 3; pass++) {
        for (size_t i = 0; i < recovery->records.count; i++) {
            const struct signed_record *record = recovery->records.items[i];
            struct archive_block block = {.kind = ARCHIVE_RECORD,
                                          .record = {record->bytes, record->size}};
            int error = GOSSIP_OK;

            if (archive_pass(recovery->gossip->options.crypto, record->bytes, record->size) == pass)
                error = import_block(recovery->gossip, &block, &recovery->refused);
            if (error < 0)
                return error;
        }
    }
    return GOSSIP_OK;
}

/* ---- Runs: taken in, or written. ---- */

/* What the writer has made. */
static int write_out(struct recovery *recovery)
{
    return recovery->write(recovery->write_context, recovery->writer.bytes, recovery->writer.size);
}

static int write_run(struct recovery *recovery, const struct left_author *author,
                     const struct archive_run *run)
{
    int error;

    if (!author->waits || run->last > author->accepted)
        return GOSSIP_OK;
    error = archive_write_run(&recovery->writer, run);
    return error < 0 ? error : write_out(recovery);
}

static int hand_over(struct recovery *recovery, struct left_author *author,
                     const struct archive_block *block)
{
    uint64_t refused = recovery->refused;
    int error;

    if (recovery->is_writing)
        return write_run(recovery, author, &block->run);
    error = import_block(recovery->gossip, block, &recovery->refused);
    author->refused = author->refused || recovery->refused > refused;
    if (!author->refused)
        author->accepted = block->run.last;
    return error;
}

/* Hands over the run up to the last seal. */
static int import_run(struct recovery *recovery, struct left_author *author)
{
    struct archive_block block = {.kind = ARCHIVE_RUN};
    int error;

    if (author->sealed < author->first || author->sealed == 0)
        return GOSSIP_OK;
    block.run = (struct archive_run){.key = author->key,
                                     .epoch = author->epoch,
                                     .first = author->first,
                                     .last = author->sealed,
                                     .previous = author->previous,
                                     .seal = author->seal,
                                     .stream = {author->stream, author->sealed_size}};
    error = hand_over(recovery, author, &block);
    author->first = author->sealed + 1;
    author->size = 0;
    memcpy(author->previous, author->chain.hash, GOSSIP_HASH_SIZE);
    return error;
}

/* Where the records cut an author; 0: nowhere. */
static uint64_t cut_of(const struct recovery *recovery, const struct left_author *author)
{
    const struct gossip_node *node = recovery->gossip->node;
    uint32_t number = authors_find(&node->authors, author->id);

    return number == NO_AUTHOR ? cuts_of_key(node, author->key, author->epoch)
                               : node->authors.items[number]->stored.cut;
}

/* The link that the old store has kept for an author cut here; NULL where there is none. */
static const uint8_t *kept_link(const struct recovery *recovery, const struct left_author *author,
                                uint64_t cut)
{
    char name[CUT_LINK_NAME_SIZE];

    cuts_link_name(author->id, name);
    for (size_t i = 0; i < recovery->link_count; i++) {
        const struct left_link *link = &recovery->links[i];

        if (memcmp(link->name, name, sizeof(name)) == 0 && get_fixed(link->value, 8) == cut)
            return link->value + 8;
    }
    return NULL;
}

/* Hands over the last events before a cut, for which no seal need vouch, when they are all there.
 */
static int import_closing(struct recovery *recovery, struct left_author *author, uint64_t cut,
                          const uint8_t *link)
{
    struct archive_block block = {.kind = ARCHIVE_RUN};
    uint64_t last = author->chain.seq;

    if (cut == 0 || last + 1 != cut || author->first > last || author->sealed == last)
        return import_run(recovery, author);
    block.run = (struct archive_run){.key = author->key,
                                     .epoch = author->epoch,
                                     .first = author->first,
                                     .last = last,
                                     .previous = author->previous,
                                     .link = link != NULL ? link : kept_link(recovery, author, cut),
                                     .stream = {author->stream, author->size}};
    author->first = cut;
    author->size = 0;
    return hand_over(recovery, author, &block);
}

static int append(struct left_author *author, const struct gossip_event_record *event)
{
    size_t needed = author->size + VARINT_MAX_SIZE + event->body_size;
    struct writer writer;

    if (needed > author->capacity) {
        uint8_t *stream = realloc(author->stream, 2 * needed);

        if (stream == NULL)
            return GOSSIP_ERR_NOMEM;
        author->stream = stream;
        author->capacity = 2 * needed;
    }
    writer = (struct writer){author->stream, author->capacity, author->size, false};
    write_varint(&writer, event->body_size);
    write_bytes(&writer, event->body, event->body_size);
    author->size = writer.size;
    return GOSSIP_OK;
}

static int take_event(struct recovery *recovery, const struct gossip_event_record *event)
{
    const struct gossip_crypto *crypto = recovery->gossip->options.crypto;
    struct left_author *author;
    struct chain_owner owner;
    struct chain next;
    struct frame frame;
    bool requires_seal;
    bool sealed;
    int error = import_records(recovery);

    if (error < 0)
        return error;
    if (event->author >= recovery->author_count || !recovery->authors[event->author].known)
        return GOSSIP_OK;
    author = &recovery->authors[event->author];
    next = author->chain;
    if (author->ended || event->seq <= next.seq)
        return GOSSIP_OK;
    owner =
        (struct chain_owner){recovery->gossip->node->identity->cluster, author->key, author->epoch};
    author->ended = true; /* Unless all of what follows holds. */
    if (event->seq != next.seq + 1 || !frame_read(event->body, event->body_size, &frame))
        return GOSSIP_OK;
    requires_seal = chain_advance(&next, crypto, &owner, event->body, event->body_size, &frame);
    if (memcmp(next.hash, event->hash, GOSSIP_HASH_SIZE) != 0)
        return GOSSIP_OK;
    if (event->seq == cut_of(recovery, author)) {
        uint8_t link[WIRE_LINK_SIZE];

        put_fixed(link, event->body_size, 4);
        event_inner(crypto, next.mentions_hash, event->body, event->body_size, link + 4);
        return import_closing(recovery, author, event->seq, link);
    }
    sealed = event->seal != NULL && seal_verify(crypto, next.hash, author->key, event->seal);
    if (requires_seal && !sealed)
        return GOSSIP_OK;
    error = append(author, event);
    if (error < 0)
        return error;
    author->ended = false;
    author->chain = next;
    if (!sealed)
        return GOSSIP_OK;
    author->sealed = next.seq;
    author->sealed_size = author->size;
    memcpy(author->seal, event->seal, GOSSIP_SIGNATURE_SIZE);
    return requires_seal ? import_run(recovery, author) : GOSSIP_OK;
}

static int take(void *context, const struct gossip_record *record)
{
    struct recovery *recovery = context;

    switch (record->kind) {
    case GOSSIP_RECORD_META:
        return take_meta(recovery, &record->as.meta);
    case GOSSIP_RECORD_AUTHOR:
        return take_author(recovery, &record->as.author);
    case GOSSIP_RECORD_SIGNED:
        return take_signed(recovery, &record->as.signed_record);
    case GOSSIP_RECORD_EVENT:
        recovery->found++;
        return take_event(recovery, &record->as.event);
    case GOSSIP_RECORD_PEER:
        if (recovery->peer_count < PEERS_KEPT_MAX)
            recovery->peers[recovery->peer_count++] = record->as.peer;
        return GOSSIP_OK;
    case GOSSIP_RECORD_MENTION:
        break;
    }
    return GOSSIP_OK; /* What authors have named follows from their events. */
}

/* Begins anew with the events: what was let go for lack of room is there again. */
static void rewind_authors(struct recovery *recovery)
{
    recovery->found = 0;
    recovery->link_count = 0;
    recovery->peer_count = 0;
    recovery->refused = 0;
    for (size_t i = 0; i < recovery->author_count; i++) {
        struct left_author *author = &recovery->authors[i];

        author->ended = false;
        if (!recovery->is_writing) {
            author->refused = false;
            author->accepted = 0;
        }
        author->size = 0;
        author->first = 1;
        author->sealed = 0;
        memset(&author->chain, 0, sizeof(author->chain));
        memset(author->previous, 0, sizeof(author->previous));
    }
}

/* Of an author without events, an eviction may have left none: who has seen one waits for it. */
static int import_author(struct recovery *recovery, const struct left_author *author)
{
    struct archive_block block = {.kind = ARCHIVE_AUTHOR,
                                  .run = {.key = author->key, .epoch = author->epoch}};

    if (!author->known || author->chain.seq > 0)
        return GOSSIP_OK;
    return import_block(recovery->gossip, &block, &recovery->refused);
}

/* Goes over all that is left, once. */
static int go_over(struct recovery *recovery, gossip_salvage_source *source, void *context)
{
    int error;

    rewind_authors(recovery);
    error = source(context, take, recovery);
    if (error >= 0)
        error = import_records(recovery);
    for (size_t i = 0; i < recovery->author_count && error >= 0; i++)
        error = import_closing(recovery, &recovery->authors[i],
                               cut_of(recovery, &recovery->authors[i]), NULL);
    return error;
}

static int import_all(struct recovery *recovery, gossip_salvage_source *source, void *context)
{
    int error = go_over(recovery, source, context);

    for (size_t i = 0; i < recovery->author_count && error >= 0; i++)
        error = import_author(recovery, &recovery->authors[i]);
    return error < 0 ? error : import_commit(recovery->gossip);
}

/* ---- What waits. ---- */

/* Chain and seals of these events hold, and what they name is not here: it was damaged. */
static void find_waiting(struct recovery *recovery)
{
    const struct gossip_node *node = recovery->gossip->node;

    recovery->waiting = 0;
    for (size_t i = 0; i < recovery->author_count; i++) {
        struct left_author *author = &recovery->authors[i];
        uint32_t number = author->known ? authors_find(&node->authors, author->id) : NO_AUTHOR;
        uint64_t have = number == NO_AUTHOR ? 0 : node->authors.items[number]->stored.have;

        author->waits = author->known && author->accepted > have;
        if (author->waits)
            recovery->waiting += author->accepted - have;
    }
}

/* The records that the node has judged, for an archive is checked without any other. */
static int write_records(struct recovery *recovery)
{
    struct gossip_signed record;
    int error = GOSSIP_OK;

    for (unsigned pass = 0; pass < 3; pass++) {
        for (size_t i = 0; error >= 0 && gossip_signed(recovery->gossip, i, &record) == GOSSIP_OK;
             i++) {
            if (archive_pass(recovery->writer.crypto, record.bytes, record.size) != pass)
                continue;
            error = archive_write_record(&recovery->writer, record.bytes, record.size);
            if (error >= 0)
                error = write_out(recovery);
        }
    }
    return error;
}

/* An archive of the authors whose events wait, from the first event of each. */
static int write_waiting(struct recovery *recovery, gossip_salvage_source *source, void *context)
{
    int error = archive_write_header(&recovery->writer, recovery->gossip->options.crypto,
                                     recovery->gossip->node->identity->cluster);

    recovery->is_writing = true;
    if (error >= 0)
        error = write_out(recovery);
    if (error >= 0)
        error = write_records(recovery);
    if (error >= 0)
        error = go_over(recovery, source, context);
    if (error >= 0)
        error = archive_write_end(&recovery->writer);
    if (error >= 0)
        error = write_out(recovery);
    archive_writer_clear(&recovery->writer);
    return error;
}

/* ---- The new store. ---- */

static int save_number(struct gossip_store *store, const char *name, uint64_t number)
{
    struct gossip_record record = {.kind = GOSSIP_RECORD_META,
                                   .as.meta = {.name = name, .number = number}};

    return store->ops->save(store, &record, 1);
}

/* Addresses, of those whose certificates are here. */
static int keep_peers(struct recovery *recovery)
{
    struct gossip *gossip = recovery->gossip;
    struct gossip_store *store = gossip->options.store;

    for (size_t i = 0; i < recovery->peer_count; i++) {
        struct gossip_record record = {.kind = GOSSIP_RECORD_PEER, .as.peer = recovery->peers[i]};
        int error;

        if (peers_find_key(&gossip->node->peers, record.as.peer.key) == NO_PEER ||
            record.as.peer.address.port == 0)
            continue;
        error = store->ops->save(store, &record, 1);
        if (error < 0)
            return error;
    }
    return GOSSIP_OK;
}

/* The store has been set back, as far as anybody can tell: it is marked as a backup is, so that the
 * node asks its peers, and opens a new epoch. Boots and stamps go on from where they were. A node
 * that has a double is not rid of it: whoever knows which of the two it is takes that mark away. */
static int mark(struct recovery *recovery)
{
    struct gossip_store *store = recovery->gossip->options.store;
    int error = save_number(store, "backup", 1);

    if (error >= 0 && recovery->boot > 0 && recovery->boot < GOSSIP_COUNTER_MAX)
        error = save_number(store, "boot", recovery->boot);
    if (error >= 0 && recovery->hlc > recovery->gossip->node->hlc &&
        recovery->hlc < GOSSIP_COUNTER_MAX)
        error = save_number(store, "hlc", recovery->hlc);
    if (error >= 0 && recovery->cloned)
        error = save_number(store, "cloned", 1);
    return error < 0 ? error : keep_peers(recovery);
}

int gossip_recover(struct gossip *gossip, gossip_salvage_source *source, void *context,
                   gossip_archive_write *write, void *write_context,
                   struct gossip_recovered *ret_recovered)
{
    struct recovery *recovery = calloc(1, sizeof(*recovery));
    uint64_t before = gossip->node->delivery;
    uint64_t delivered;
    int error = recovery == NULL ? GOSSIP_ERR_NOMEM : GOSSIP_OK;

    assert(gossip->options.transport == NULL);
    if (error < 0)
        return error;
    recovery->gossip = gossip;
    recovery->write = write;
    recovery->write_context = write_context;
    do {
        delivered = gossip->node->delivery;
        error = import_all(recovery, source, context);
    } while (error >= 0 && gossip->node->delivery > delivered &&
             gossip->node->delivery - before < recovery->found);
    find_waiting(recovery);
    if (error >= 0 && recovery->waiting > 0 && write != NULL)
        error = write_waiting(recovery, source, context);
    if (error >= 0)
        error = mark(recovery);
    if (error >= 0)
        *ret_recovered = (struct gossip_recovered){.found = recovery->found,
                                                   .events = gossip->node->delivery - before,
                                                   .waiting = recovery->waiting};
    for (size_t i = 0; i < recovery->author_count; i++)
        free(recovery->authors[i].stream);
    free(recovery->authors);
    free(recovery->links);
    records_clear(&recovery->records);
    free(recovery);
    gossip->failed = error < 0 ? error : gossip->failed;
    return error;
}
