#include "gossip/batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void batch_start(struct batch *batch, struct authors *authors)
{
    for (size_t i = 0; i < batch->event_count; i++) {
        const struct gossip_record *record = &batch->records[batch->events[i].record];
        struct author *author = authors->items[record->as.event.author];

        author->batch_first = NO_INDEX;
        author->batch_last = NO_INDEX;
        author->saved = author->stored.have;
    }
    batch->record_count = 0;
    batch->record_bytes = 0;
    batch->event_count = 0;
    batch->datagram_count = 0;
    batch->datagram_bytes = 0;
    batch->notice_count = 0;
    batch->result_count = 0;
    arena_reset(&batch->arena);
}

void batch_clear(struct batch *batch)
{
    free(batch->records);
    free(batch->events);
    free(batch->datagrams);
    free(batch->notices);
    free(batch->results);
    arena_clear(&batch->arena);
    memset(batch, 0, sizeof(*batch));
}

/* Makes room for one more element of an array and tells where it is; NULL without memory. */
static void *append(void *array, size_t *count, size_t *capacity, size_t element_size)
{
    void **items = array;

    if (*count == *capacity) {
        size_t wider = *capacity == 0 ? 32 : *capacity * 2;
        void *moved = realloc(*items, wider * element_size);

        if (moved == NULL)
            return NULL;
        *items = moved;
        *capacity = wider;
    }
    return (char *)*items + (*count)++ * element_size;
}

int batch_save(struct batch *batch, const struct gossip_record *record)
{
    struct gossip_record *place =
        append(&batch->records, &batch->record_count, &batch->record_capacity, sizeof(*record));

    if (place == NULL)
        return GOSSIP_ERR_NOMEM;
    *place = *record;
    batch->record_bytes += sizeof(*record);
    if (record->kind == GOSSIP_RECORD_EVENT)
        batch->record_bytes += record->as.event.body_size + record->as.event.context_size;
    if (record->kind == GOSSIP_RECORD_SIGNED)
        batch->record_bytes += record->as.signed_record.size;
    return GOSSIP_OK;
}

int batch_save_event(struct batch *batch, struct author *author,
                     const struct gossip_event_record *event)
{
    struct gossip_record record = {.kind = GOSSIP_RECORD_EVENT, .as.event = *event};
    struct batch_event *place =
        append(&batch->events, &batch->event_count, &batch->event_capacity, sizeof(*place));
    ptrdiff_t index;
    int error;

    if (place == NULL)
        return GOSSIP_ERR_NOMEM;
    error = batch_save(batch, &record);
    if (error < 0) {
        batch->event_count--;
        return error;
    }
    *place = (struct batch_event){.record = batch->record_count - 1, .next = NO_INDEX};
    index = (ptrdiff_t)batch->event_count - 1;
    if (author->batch_last == NO_INDEX)
        author->batch_first = index;
    else
        batch->events[author->batch_last].next = index;
    author->batch_last = index;
    return GOSSIP_OK;
}

int batch_send(struct batch *batch, const struct gossip_address *to, const uint8_t *data,
               size_t size)
{
    const uint8_t *copy = arena_copy(&batch->arena, data, size);
    struct gossip_datagram *place;

    if (copy == NULL)
        return GOSSIP_ERR_NOMEM;
    place = append(&batch->datagrams, &batch->datagram_count, &batch->datagram_capacity,
                   sizeof(*place));
    if (place == NULL)
        return GOSSIP_ERR_NOMEM;
    assert(size <= GOSSIP_DATAGRAM_MAX && to->port != 0);
    *place = (struct gossip_datagram){.address = *to, .data = copy, .size = size};
    batch->datagram_bytes += size;
    return GOSSIP_OK;
}

int batch_notice(struct batch *batch, const struct gossip_notice *notice)
{
    struct gossip_notice *place =
        append(&batch->notices, &batch->notice_count, &batch->notice_capacity, sizeof(*notice));

    if (place == NULL)
        return GOSSIP_ERR_NOMEM;
    *place = *notice;
    return GOSSIP_OK;
}

int batch_result(struct batch *batch, const struct gossip_result *result)
{
    struct gossip_result *place =
        append(&batch->results, &batch->result_count, &batch->result_capacity, sizeof(*result));

    if (place == NULL)
        return GOSSIP_ERR_NOMEM;
    *place = *result;
    return GOSSIP_OK;
}
