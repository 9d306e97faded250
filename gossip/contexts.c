#include "gossip/contexts.h"

#include <assert.h>
#include <string.h>

#include "gossip/bytes.h"
#include "gossip/museum.h"

void contexts_start(struct contexts *contexts, struct gossip_store *store,
                    const struct authors *authors, const struct batch *batch)
{
    memset(contexts, 0, sizeof(*contexts));
    contexts->store = store;
    contexts->authors = authors;
    contexts->batch = batch;
}

void contexts_clear(struct contexts *contexts)
{
    for (size_t i = 0; i < CONTEXTS_CACHED; i++) {
        gossip_vclock_clear(&contexts->slots[i].clock);
        contexts->slots[i].seq = 0;
    }
}

struct sound {
    gossip_record_visit *visit;
    void *context;
};

static int visit_sound(void *context, const struct gossip_record *record)
{
    const struct sound *sound = context;

    return record->as.event.is_damaged ? GOSSIP_ERR_DAMAGED : sound->visit(sound->context, record);
}

int events_read(const struct contexts *contexts, uint32_t author_number, uint64_t first,
                uint64_t last, gossip_record_visit *visit, void *context)
{
    const struct author *author = contexts->authors->items[author_number];
    const struct batch *batch = contexts->batch;

    if (first <= author->stored.floor)
        first = author->stored.floor + 1;
    if (last > author->stored.have)
        last = author->stored.have;
    if (first > last)
        return GOSSIP_OK;
    if (first <= author->saved) {
        struct sound sound = {visit, context};
        int result = contexts->store->ops->read(contexts->store, author_number, first,
                                                last < author->saved ? last : author->saved,
                                                visit_sound, &sound);

        if (result != 0)
            return result;
    }
    for (ptrdiff_t i = author->batch_first; i != NO_INDEX; i = batch->events[i].next) {
        const struct gossip_record *record = &batch->records[batch->events[i].record];
        int result;

        if (record->as.event.seq < first)
            continue;
        if (record->as.event.seq > last)
            break;
        result = visit(context, record);
        if (result != 0)
            return result;
    }
    return GOSSIP_OK;
}

size_t context_encoded_size(const struct gossip_vclock *clock)
{
    size_t size = varint_size(clock->count);
    uint32_t before = 0;

    for (size_t i = 0; i < clock->count; i++) {
        size += varint_size(clock->authors[i] - before) + varint_size(clock->counters[i]);
        before = clock->authors[i];
    }
    return size;
}

void context_encode(const struct gossip_vclock *clock, uint8_t *ret_bytes)
{
    struct writer writer = {ret_bytes, context_encoded_size(clock), 0, false};
    uint32_t before = 0;

    write_varint(&writer, clock->count);
    for (size_t i = 0; i < clock->count; i++) {
        write_varint(&writer, clock->authors[i] - before);
        write_varint(&writer, clock->counters[i]);
        before = clock->authors[i];
    }
    assert(!writer.failed);
}

int context_decode(const uint8_t *bytes, size_t size, size_t author_count,
                   struct gossip_vclock *clock)
{
    struct reader reader = {bytes, size, 0, false};
    uint64_t count = read_varint(&reader);
    uint64_t number = 0;
    int error;

    if (reader.failed || count > author_count)
        return GOSSIP_ERR_DAMAGED;
    gossip_vclock_clear(clock);
    error = gossip_vclock_reserve(clock, (size_t)count);
    if (error < 0)
        return error;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t gap = read_varint(&reader);
        uint64_t counter = read_varint(&reader);

        if (reader.failed || gap >= author_count || (i > 0 && gap == 0) || counter == 0 ||
            counter > GOSSIP_COUNTER_MAX)
            return GOSSIP_ERR_DAMAGED;
        number += gap;
        if (number >= author_count)
            return GOSSIP_ERR_DAMAGED;
        error = gossip_vclock_set(clock, (uint32_t)number, counter);
        if (error < 0)
            return error;
    }
    return reader.offset == size ? GOSSIP_OK : GOSSIP_ERR_DAMAGED;
}

/* Raises clock by what a frame of author tells. */
static int apply(const struct contexts *contexts, const struct author *author,
                 const struct frame *frame, struct gossip_vclock *clock)
{
    struct frame_entries entries = frame_entries(frame);
    struct frame_entry entry;

    while (frame_next(&entries, &entry)) {
        uint32_t number;
        int error;

        if (entry.id != NULL) {
            number = authors_find(contexts->authors, entry.id);
            if (number == NO_AUTHOR)
                return GOSSIP_ERR_DAMAGED;
        } else {
            if (entry.mention > author->stored.mentions)
                return GOSSIP_ERR_DAMAGED;
            number = author->mentioned[entry.mention - 1];
        }
        error = gossip_vclock_raise(clock, number, entry.seq);
        if (MUSEUM(TICK_ON_MERGE) && error >= 0)
            error = gossip_vclock_increment(clock, author->stored.number, NULL);
        if (error < 0)
            return error;
    }
    return GOSSIP_OK;
}

struct advance {
    const struct contexts *contexts;
    struct context_slot *slot;
};

/* Moves a slot by one event, whose seq must be the next. */
static int advance(void *context, const struct gossip_record *record)
{
    struct advance *advance = context;
    const struct gossip_event_record *event = &record->as.event;
    struct context_slot *slot = advance->slot;
    struct frame frame;
    int error;

    if (event->seq != slot->seq + 1 || !frame_read(event->body, event->body_size, &frame))
        return GOSSIP_ERR_DAMAGED;
    error = apply(advance->contexts, advance->contexts->authors->items[event->author], &frame,
                  &slot->clock);
    if (error < 0)
        return error;
    slot->seq = event->seq;
    return GOSSIP_OK;
}

static int load_checkpoint(void *context, const struct gossip_record *record)
{
    struct advance *advance = context;
    const struct gossip_event_record *event = &record->as.event;
    int error;

    if (event->context == NULL)
        return GOSSIP_ERR_DAMAGED;
    error = context_decode(event->context, event->context_size, advance->contexts->authors->count,
                           &advance->slot->clock);
    if (error < 0)
        return error;
    advance->slot->seq = event->seq;
    return GOSSIP_OK;
}

static int fill(struct contexts *contexts, struct context_slot *slot, uint32_t author, uint64_t seq)
{
    uint64_t base = seq - seq % GOSSIP_CHECKPOINT_EVERY;
    struct advance walk = {contexts, slot};
    int error;

    if (slot->author != author || slot->seq < base || slot->seq > seq || slot->seq == 0) {
        slot->author = author;
        slot->seq = 0;
        gossip_vclock_clear(&slot->clock);
        if (base > 0) {
            error = events_read(contexts, author, base, base, load_checkpoint, &walk);
            if (error < 0)
                return error;
            if (slot->seq != base)
                return GOSSIP_ERR_DAMAGED;
        }
    }
    if (slot->seq < seq) {
        error = events_read(contexts, author, slot->seq + 1, seq, advance, &walk);
        if (error < 0)
            return error;
    }
    return slot->seq == seq ? GOSSIP_OK : GOSSIP_ERR_DAMAGED;
}

static struct context_slot *slot_of(struct contexts *contexts, uint32_t author)
{
    return &contexts->slots[author % CONTEXTS_CACHED];
}

int context_of(struct contexts *contexts, uint32_t author, uint64_t seq,
               const struct gossip_vclock **ret_clock)
{
    struct context_slot *slot;
    int error;

    if (author >= contexts->authors->count || seq == 0 ||
        seq > contexts->authors->items[author]->stored.have)
        return GOSSIP_ERR_NOT_FOUND;
    slot = slot_of(contexts, author);
    error = fill(contexts, slot, author, seq);
    if (error < 0) {
        slot->seq = 0; /* It may stand half-way. */
        return error;
    }
    *ret_clock = &slot->clock;
    return GOSSIP_OK;
}

int context_after(struct contexts *contexts, uint32_t number, const struct frame *frame,
                  const struct gossip_vclock **ret_clock)
{
    const struct author *author = contexts->authors->items[number];
    struct context_slot *slot = slot_of(contexts, number);
    int error = GOSSIP_OK;

    if (author->stored.have == 0) {
        gossip_vclock_clear(&slot->clock);
        slot->author = number;
    } else {
        error = fill(contexts, slot, number, author->stored.have);
    }
    slot->seq = 0; /* It is ahead of what is stored: not to be found by others. */
    if (error >= 0)
        error = apply(contexts, author, frame, &slot->clock);
    if (error < 0)
        return error;
    *ret_clock = &slot->clock;
    return GOSSIP_OK;
}
