/*
 * Writing archives: first the records, then the events in runs, in the order in which this node has
 * delivered the last event of each, and then the authors of whom no event counts.
 */
#include "gossip/service.h"

#include <stdlib.h>
#include <string.h>

#include "gossip/archive.h"
#include "gossip/bytes.h"

/* What of one author is to be written. */
struct exported {
    uint64_t from; /* The first event that was not. */
    uint64_t last; /* The last one; 0: none. */
    uint64_t unsealed_size;
    bool closes; /* The last one bears no seal: what has cut its author vouches for it ... */
    bool links;  /* ... by way of this link. */
    uint8_t link[WIRE_LINK_SIZE];
};

struct gossip_export {
    struct gossip *gossip;
    struct archive_writer writer;
    struct exported *authors;
    size_t author_count;
    uint64_t after; /* Delivery number up to which the events have been gone over, ... */
    uint64_t until; /* ... and to which they will be. */
    bool has_begun;
    uint32_t author; /* The next of those of whom no event counts. */
    bool all;        /* Of all authors. */
    size_t record;   /* The next. */
    unsigned pass;   /* Of the records: see next_record(). */
    bool ended;

    struct event_copy event;
    uint8_t *stream;
    size_t stream_size;
    size_t stream_capacity;
    uint8_t previous[GOSSIP_HASH_SIZE];
    uint8_t seal[GOSSIP_SIGNATURE_SIZE];
    bool has_seal;
};

/* Keeps the last event that is sealed. */
static int note_sealed(void *context, const struct gossip_record *record)
{
    if (record->as.event.seal != NULL)
        *(uint64_t *)context = record->as.event.seq;
    return 0;
}

/* Which events of an author can be vouched for: up to the last sealed one, or to a cut. */
static int find_last(struct gossip_export *archive, uint32_t number)
{
    struct gossip_node *node = archive->gossip->node;
    const struct author *author = node->authors.items[number];
    struct exported *exported = &archive->authors[number];
    uint64_t have = author_have(author);
    uint64_t start = have == 0 ? 0 : (have - 1) / GOSSIP_SEAL_EVERY * GOSSIP_SEAL_EVERY;
    uint64_t sealed = start;
    int result;

    exported->from = author->stored.floor + 1;
    if (have == 0)
        return GOSSIP_OK;
    result = events_read(&node->contexts, number, start + 1, have, note_sealed, &sealed);
    if (result < 0)
        return result;
    exported->last = sealed;
    if (sealed == have || have + 1 != author->stored.cut)
        return GOSSIP_OK;
    result = serve_cut_closes(node, number, &exported->links, exported->link);
    if (result < 0)
        return result;
    exported->closes = result > 0;
    if (exported->closes)
        exported->last = have;
    return GOSSIP_OK;
}

int gossip_export_open(struct gossip *gossip, int64_t author, struct gossip_export **ret_export)
{
    struct gossip_export *archive;
    int error = check_readable(gossip);

    if (error < 0)
        return error;
    if (!node_keeps_events(gossip->node))
        return GOSSIP_ERR_OBSERVER;
    if (author != GOSSIP_ALL_AUTHORS &&
        (author < 0 || author >= (int64_t)gossip_author_count(gossip)))
        return GOSSIP_ERR_NOT_FOUND;
    archive = calloc(1, sizeof(*archive));
    if (archive == NULL)
        return GOSSIP_ERR_NOMEM;
    archive->gossip = gossip;
    archive->all = author == GOSSIP_ALL_AUTHORS;
    archive->author_count = gossip->node->authors.count;
    archive->until = gossip->node->delivery;
    archive->authors = calloc(archive->author_count + 1, sizeof(*archive->authors));
    if (archive->authors == NULL)
        error = GOSSIP_ERR_NOMEM;
    for (uint32_t i = 0; i < archive->author_count && error >= 0; i++)
        if (author == GOSSIP_ALL_AUTHORS || author == i)
            error = find_last(archive, i);
    if (error < 0) {
        gossip_export_close(archive);
        return error;
    }
    *ret_export = archive;
    return GOSSIP_OK;
}

void gossip_export_close(struct gossip_export *archive)
{
    if (archive == NULL)
        return;
    archive_writer_clear(&archive->writer);
    event_copy_clear(&archive->event);
    free(archive->authors);
    free(archive->stream);
    free(archive);
}

static int next_record(struct gossip_export *archive)
{
    for (; archive->pass < 3; archive->pass++, archive->record = 0) {
        struct gossip_signed record;

        while (gossip_signed(archive->gossip, archive->record++, &record) == GOSSIP_OK) {
            int error;

            if (archive_pass(archive->writer.crypto, record.bytes, record.size) != archive->pass)
                continue;
            error = archive_write_record(&archive->writer, record.bytes, record.size);
            return error < 0 ? error : 1;
        }
    }
    return 0;
}

static int join_event(void *context, const struct gossip_record *record)
{
    struct gossip_export *archive = context;
    const struct gossip_event_record *event = &record->as.event;
    size_t needed = archive->stream_size + VARINT_MAX_SIZE + event->body_size;
    struct writer writer;

    if (needed > archive->stream_capacity) {
        uint8_t *stream = realloc(archive->stream, 2 * needed);

        if (stream == NULL)
            return GOSSIP_ERR_NOMEM;
        archive->stream = stream;
        archive->stream_capacity = 2 * needed;
    }
    writer =
        (struct writer){archive->stream, archive->stream_capacity, archive->stream_size, false};
    write_varint(&writer, event->body_size);
    write_bytes(&writer, event->body, event->body_size);
    archive->stream_size = writer.size;
    archive->has_seal = event->seal != NULL;
    if (event->seal != NULL)
        memcpy(archive->seal, event->seal, GOSSIP_SIGNATURE_SIZE);
    return 0;
}

static int take_hash(void *context, const struct gossip_record *record)
{
    memcpy(context, record->as.event.hash, GOSSIP_HASH_SIZE);
    return 1;
}

/* The events first..last of an author, which end where something vouches for them. */
static int write_run(struct gossip_export *archive, uint32_t number, uint64_t first, uint64_t last)
{
    struct gossip_node *node = archive->gossip->node;
    const struct author *author = node->authors.items[number];
    const struct exported *exported = &archive->authors[number];
    struct archive_run run = {.key = author->stored.key,
                              .epoch = author->stored.epoch,
                              .first = first,
                              .last = last,
                              .previous = archive->previous};
    int result = 1;

    memset(archive->previous, 0, sizeof(archive->previous));
    archive->stream_size = 0;
    if (first > 1)
        result = events_read(&node->contexts, number, first - 1, first - 1, take_hash,
                             archive->previous);
    if (result <= 0)
        return result < 0 ? result : GOSSIP_ERR_DAMAGED;
    result = events_read(&node->contexts, number, first, last, join_event, archive);
    if (result < 0)
        return result;
    run.stream = (struct wire_bytes){archive->stream, archive->stream_size};
    if (archive->has_seal)
        run.seal = archive->seal;
    else if (last != exported->last || !exported->closes)
        return GOSSIP_ERR_DAMAGED; /* It was sealed a moment ago. */
    else if (exported->links)
        run.link = exported->link;
    return archive_write_run(&archive->writer, &run);
}

static int take_event(void *context, const struct gossip_record *record)
{
    int error = event_copy_take(context, &record->as.event);

    return error < 0 ? error : 1;
}

/* Goes over the events in order of delivery until the last of a run has come by: where a seal is
 * required, and at the last of each author. */
static int next_run(struct gossip_export *archive)
{
    struct gossip_store *store = archive->gossip->options.store;

    while (archive->after < archive->until) {
        const struct gossip_event_record *event = &archive->event.record;
        struct exported *exported;
        uint64_t first;
        int result = store->ops->follow(store, archive->after, take_event, &archive->event);

        if (result <= 0)
            return result < 0 ? result : 0;
        archive->after = event->delivery;
        if (event->author >= archive->author_count)
            continue;
        exported = &archive->authors[event->author];
        if (event->seq > exported->last)
            continue;
        exported->unsealed_size += event->body_size;
        if (event->seq % GOSSIP_SEAL_EVERY != 0 && exported->unsealed_size < GOSSIP_SEAL_BYTES &&
            event->seq != exported->last)
            continue;
        exported->unsealed_size = 0;
        first = exported->from;
        exported->from = event->seq + 1;
        result = write_run(archive, event->author, first, event->seq);
        return result < 0 ? result : 1;
    }
    return 0;
}

/* Authors of whom no event counts: who has seen one of their events waits for them. */
static int next_void(struct gossip_export *archive)
{
    const struct gossip_node *node = archive->gossip->node;

    while (archive->all && archive->author < archive->author_count) {
        const struct author *author = node->authors.items[archive->author++];
        int error;

        if (author->stored.cut != 1 || author->proof != NULL)
            continue;
        error = archive_write_author(&archive->writer, author->stored.key, author->stored.epoch);
        return error < 0 ? error : 1;
    }
    return 0;
}

/* Makes what comes next: 1, or 0 when there is no more. */
static int make_next(struct gossip_export *archive)
{
    int result;

    if (!archive->has_begun) {
        const struct gossip_node *node = archive->gossip->node;

        archive->has_begun = true;
        result = archive_write_header(&archive->writer, node->crypto, node->identity->cluster);
        return result < 0 ? result : 1;
    }
    result = next_record(archive);
    if (result == 0)
        result = next_run(archive);
    if (result == 0)
        result = next_void(archive);
    if (result != 0 || archive->ended)
        return result;
    archive->ended = true;
    result = archive_write_end(&archive->writer);
    return result < 0 ? result : 1;
}

int gossip_export_next(struct gossip_export *archive, const uint8_t **ret_bytes, size_t *ret_size)
{
    int result = check_readable(archive->gossip);

    if (result < 0)
        return result;
    if (archive->ended)
        return 0;
    result = make_next(archive);
    if (result <= 0)
        return result;
    *ret_bytes = archive->writer.bytes;
    *ret_size = archive->writer.size;
    return 1;
}
