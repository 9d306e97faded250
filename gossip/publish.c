/*
 * Our own events: only these tick. Each tells what has grown in our clock since the one before.
 */
#include "gossip/state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/cuts.h"
#include "gossip/epoch.h"
#include "gossip/hlc.h"
#include "gossip/museum.h"
#include "gossip/once.h"

struct growth {
    struct frame_entry *entries;
    size_t count;
};

static int by_mention(const void *a, const void *b)
{
    const struct frame_entry *x = a;
    const struct frame_entry *y = b;

    /* Those with a number come first, by it; then those with an id, by it. */
    if ((x->id == NULL) != (y->id == NULL))
        return x->id == NULL ? -1 : 1;
    if (x->id == NULL)
        return x->mention < y->mention ? -1 : x->mention > y->mention;
    return memcmp(x->id, y->id, GOSSIP_ID_SIZE);
}

/* What our events have told stands in the context of the newest. It is not read at a start, so that
 * whoever looks at a store with damaged events is shown the others. */
static int find_told(struct gossip_node *node)
{
    const struct author *self = node->authors.items[node->self];
    const struct gossip_vclock *told;
    int error = GOSSIP_OK;

    if (node->has_told)
        return GOSSIP_OK;
    if (self->stored.have > 0) {
        error = context_of(&node->contexts, node->self, self->stored.have, &told);
        if (error >= 0)
            error = gossip_vclock_copy(&node->told, told);
    }
    node->has_told = error >= 0;
    return error;
}

/* Collects into room in the batch what we have delivered and not yet told. */
static int find_growth(struct gossip_node *node, struct growth *ret_growth)
{
    const struct author *self = node->authors.items[node->self];
    struct growth growth = {0};
    int error = find_told(node);

    if (error < 0)
        return error;
    growth.entries =
        arena_alloc(&node->batch.arena, (node->have.count + 1) * sizeof(*growth.entries));
    if (growth.entries == NULL)
        return GOSSIP_ERR_NOMEM;
    for (size_t i = 0; i < node->have.count; i++) {
        uint32_t number = node->have.authors[i];
        struct frame_entry entry = {.seq = node->have.counters[i]};

        if (number == node->self || entry.seq <= gossip_vclock_get(&node->told, number))
            continue;
        entry.mention = author_mention_number(self, number);
        if (entry.mention == 0)
            entry.id = node->authors.items[number]->stored.id;
        growth.entries[growth.count++] = entry;
    }
    qsort(growth.entries, growth.count, sizeof(*growth.entries), by_mention);
    *ret_growth = growth;
    return GOSSIP_OK;
}

static size_t fields_size(const struct publication_fields *fields)
{
    return (fields->supersedes == NULL ? 0 : SUPERSEDES_FIELD_SIZE) +
           (fields->payload == NULL ? 0 : payload_field_size(fields->payload_size)) +
           (fields->once == NULL ? 0 : once_field_size(fields->once_size));
}

static void write_fields(uint8_t *ret_bytes, const struct publication_fields *fields)
{
    if (fields->supersedes != NULL) {
        supersedes_field_write(ret_bytes, fields->supersedes);
        ret_bytes += SUPERSEDES_FIELD_SIZE;
    }
    if (fields->payload != NULL) {
        payload_field_write(ret_bytes, fields->payload, fields->payload_size);
        ret_bytes += payload_field_size(fields->payload_size);
    }
    if (fields->once != NULL)
        once_field_write(ret_bytes, fields->once, fields->once_size);
}

int publish_write(struct gossip_node *node, enum gossip_event_kind kind,
                  const struct frame_entry *entries, size_t count,
                  const struct publication_fields *fields)
{
    struct author *self = node->authors.items[node->self];
    struct chain_owner owner = {node->identity->cluster, self->stored.key, self->stored.epoch};
    struct chain chain = self->tail;
    size_t start = frame_size(kind, entries, count);
    size_t size = start + fields_size(fields);
    uint8_t seal[GOSSIP_SIGNATURE_SIZE];
    struct frame frame;
    uint8_t *body;
    bool requires_seal;
    bool is_frame;
    int error;

    body = arena_alloc(&node->batch.arena, size);
    if (body == NULL)
        return GOSSIP_ERR_NOMEM;
    frame_write(body, hlc_tick(&node->hlc, node->wall_ms), kind, entries, count);
    write_fields(body + start, fields);
    is_frame = frame_read(body, size, &frame);
    assert(is_frame);
    requires_seal = chain_advance(&chain, node->crypto, &owner, body, size, &frame);
    if (requires_seal)
        seal_sign(node->crypto, chain.hash, node->identity->secret, seal);

    error =
        deliver_event(node, node->self, &chain, body, size, &frame, requires_seal ? seal : NULL);
    if (error < 0)
        return error;
    self->tail = chain;
    if (hlc_ms(frame.hlc) <= node->wall_ms)
        node->amnesia.has_dated = true;
    node->stats.published++;
    return deliver_waiting(node, node->self);
}

static int result(struct gossip_node *node, uint64_t ticket, int error, uint64_t seq)
{
    return batch_result(
        &node->batch,
        &(struct gossip_result){.ticket = ticket, .error = error, .dot = {node->self, seq}});
}

int publish_opening(struct gossip_node *node, uint32_t before)
{
    struct frame_entry entry = {.id = node->authors.items[before]->stored.id,
                                .seq = author_have(node->authors.items[before])};
    struct growth growth;
    int error = find_growth(node, &growth);

    if (error < 0)
        return error;
    /* Where there is no room for all, context events carry the rest. */
    if (growth.count > GOSSIP_CONTEXT_ENTRIES_MAX ||
        frame_size(GOSSIP_EVENT_EPOCH_OPEN, growth.entries, growth.count) > GOSSIP_BODY_MAX)
        growth = (struct growth){&entry, entry.seq > 0 ? 1 : 0};
    return publish_write(node, GOSSIP_EVENT_EPOCH_OPEN, growth.entries, growth.count,
                         &(struct publication_fields){0});
}

int publish_fields(struct gossip_node *node, const struct publication_fields *fields)
{
    struct growth growth;
    size_t done = 0;
    int error = epoch_is_due(node) ? epoch_open(node) : GOSSIP_OK;

    if (MUSEUM(REUSE_COUNTER) && error >= 0 && node->stats.published == 0)
        error = museum_take_back(node);
    if (error >= 0)
        error = find_growth(node, &growth);
    if (error < 0)
        return error;
    /* One more may be needed for the event itself. */
    if (node->authors.items[node->self]->tail.seq >
        GOSSIP_COUNTER_MAX - 2 - growth.count / GOSSIP_CONTEXT_ENTRIES_MAX)
        return GOSSIP_ERR_LIMIT;
    while (growth.count - done > GOSSIP_CONTEXT_ENTRIES_MAX ||
           (done < growth.count &&
            frame_size(GOSSIP_EVENT_APPLICATION, growth.entries + done, growth.count - done) +
                    fields_size(fields) >
                GOSSIP_BODY_MAX)) {
        size_t count = growth.count - done < GOSSIP_CONTEXT_ENTRIES_MAX
                           ? growth.count - done
                           : GOSSIP_CONTEXT_ENTRIES_MAX;

        error = publish_write(node, GOSSIP_EVENT_CONTEXT, growth.entries + done, count,
                              &(struct publication_fields){0});
        if (error < 0)
            return error;
        done += count;
    }
    error = publish_write(node, GOSSIP_EVENT_APPLICATION, growth.entries + done,
                          growth.count - done, fields);
    if (error < 0)
        return error;
    node_wake(node);
    return GOSSIP_OK;
}

/* Tells of the event that was written for this key before: 1, or 0 if there is none. */
static int result_of_before(struct gossip_node *node, const struct gossip_input *input)
{
    struct once_event before;
    int found = once_find(node, input->once, input->once_size, input->payload, input->payload_size,
                          &before);

    if (found <= 0)
        return found;
    found = batch_result(&node->batch, &(struct gossip_result){
                                           .ticket = input->ticket,
                                           .error = before.is_same ? GOSSIP_OK : GOSSIP_ERR_EXISTS,
                                           .dot = before.dot,
                                           .repeated = before.is_same});
    return found < 0 ? found : 1;
}

int publish_event(struct gossip_node *node, const struct gossip_input *input)
{
    static const uint8_t empty[1];
    uint64_t ticket = input->ticket;
    size_t size = input->payload_size;
    int error;

    assert(amnesia_may_write(node) && node_keeps_events(node));
    if (input->once != NULL) {
        error = result_of_before(node, input);
        if (error != 0)
            return error < 0 ? error : GOSSIP_OK;
    }
    if (node->read_only)
        return result(node, ticket, GOSSIP_ERR_FULL, 0);
    if (size > node->payload_max)
        return result(node, ticket, GOSSIP_ERR_LIMIT, 0);
    if (cuts_key_is_evicted(node, node->identity->key))
        return result(node, ticket, GOSSIP_ERR_EVICTED, 0);
    error = publish_fields(node, &(struct publication_fields){
                                     .payload = input->payload == NULL ? empty : input->payload,
                                     .payload_size = size,
                                     .once = input->once,
                                     .once_size = input->once_size});
    if (error == GOSSIP_ERR_LIMIT)
        return result(node, ticket, error, 0);
    if (error < 0)
        return error;
    return result(node, ticket, GOSSIP_OK, node->authors.items[node->self]->stored.have);
}

int publish_seal(struct gossip_node *node)
{
    struct author *self = node->authors.items[node->self];
    struct gossip_record *record;
    uint8_t seal[GOSSIP_SIGNATURE_SIZE];

    if (self->batch_last == NO_INDEX || self->head_sealed)
        return GOSSIP_OK;
    record = &node->batch.records[node->batch.events[self->batch_last].record];
    seal_sign(node->crypto, record->as.event.hash, node->identity->secret, seal);
    record->as.event.seal = arena_copy(&node->batch.arena, seal, sizeof(seal));
    if (record->as.event.seal == NULL)
        return GOSSIP_ERR_NOMEM;
    self->head_sealed = true;
    return GOSSIP_OK;
}
