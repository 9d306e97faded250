#include "gossip/museum.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/bytes.h"
#include "gossip/state.h"

enum museum_exhibit museum_exhibit = MUSEUM_NONE;

static const char *const names[MUSEUM_EXHIBITS] = {
    [MUSEUM_NONE] = "NONE",
    [MUSEUM_SEND_EARLY] = "SEND_EARLY",
    [MUSEUM_MERGE_DIGEST] = "MERGE_DIGEST",
    [MUSEUM_CLOCK_APART] = "CLOCK_APART",
    [MUSEUM_REUSE_COUNTER] = "REUSE_COUNTER",
    [MUSEUM_DELIVER_EARLY] = "DELIVER_EARLY",
    [MUSEUM_TICK_ON_MERGE] = "TICK_ON_MERGE",
    [MUSEUM_RESERIALISE] = "RESERIALISE",
    [MUSEUM_GO_ON] = "GO_ON",
    [MUSEUM_SYNC_NORMAL] = "SYNC_NORMAL",
    [MUSEUM_UNBOUNDED_HOLD] = "UNBOUNDED_HOLD",
    [MUSEUM_IGNORE_SIDE] = "IGNORE_SIDE",
    [MUSEUM_EPOCH_OF_TIME] = "EPOCH_OF_TIME",
    [MUSEUM_NO_HEADS] = "NO_HEADS",
    [MUSEUM_OLD_EPOCH] = "OLD_EPOCH",
    [MUSEUM_STAND_STILL] = "STAND_STILL",
    [MUSEUM_FIRST_COMES] = "FIRST_COMES",
};

const char *museum_name(enum museum_exhibit exhibit)
{
    return names[exhibit];
}

enum museum_exhibit museum_find(const char *name)
{
    enum museum_exhibit exhibit = MUSEUM_NONE;

    while (exhibit < MUSEUM_EXHIBITS && strcmp(names[exhibit], name) != 0)
        exhibit++;
    return exhibit;
}

int museum_save_apart(struct gossip_store *store, const struct gossip_effects *effects)
{
    struct gossip_record *part = calloc(effects->record_count, sizeof(*part));
    int error = part == NULL ? GOSSIP_ERR_NOMEM : GOSSIP_OK;

    for (int clocks = 1; clocks >= 0 && error >= 0; clocks--) {
        size_t count = 0;

        for (size_t i = 0; i < effects->record_count; i++) {
            if ((effects->records[i].kind == GOSSIP_RECORD_AUTHOR) == clocks)
                part[count++] = effects->records[i];
        }
        if (count > 0)
            error = store->ops->save(store, part, count);
    }
    free(part);
    return error;
}

void museum_epoch(const struct gossip_node *node, uint8_t ret_epoch[8])
{
    put_fixed(ret_epoch, node->wall_ms / 1000, 8);
}

struct retreat {
    const struct gossip_node *node;
    struct chain_owner owner;
    struct chain chain;
};

static int follow_chain(void *context, const struct gossip_record *record)
{
    struct retreat *retreat = context;
    const struct gossip_event_record *event = &record->as.event;
    struct frame frame;

    if (!frame_read(event->body, event->body_size, &frame))
        return GOSSIP_ERR_DAMAGED;
    chain_advance(&retreat->chain, retreat->node->crypto, &retreat->owner, event->body,
                  event->body_size, &frame);
    return GOSSIP_OK;
}

int museum_take_back(struct gossip_node *node)
{
    struct author *self = node->authors.items[node->self];
    struct retreat retreat = {
        .node = node, .owner = {node->identity->cluster, self->stored.key, self->stored.epoch}};
    int error;

    if (self->stored.have == 0)
        return GOSSIP_OK;
    error =
        events_read(&node->contexts, node->self, 1, self->stored.have - 1, follow_chain, &retreat);
    if (error < 0)
        return error;
    /* The names of authors are another table's affair, which is not behind. */
    if (retreat.chain.mentions != self->stored.mentions)
        return GOSSIP_OK;
    self->tail = retreat.chain;
    self->saved = retreat.chain.seq;
    self->stored.have = retreat.chain.seq;
    self->stored.unsealed_size = retreat.chain.unsealed_size;
    memcpy(self->stored.head_hash, retreat.chain.hash, GOSSIP_HASH_SIZE);
    memcpy(self->stored.mentions_hash, retreat.chain.mentions_hash, GOSSIP_HASH_SIZE);
    return GOSSIP_OK;
}

size_t museum_reserialise(const uint8_t *body, size_t size)
{
    const uint8_t *payload;
    size_t payload_size;
    struct frame frame;
    bool is_frame = frame_read(body, size, &frame);

    assert(is_frame);
    if (payload_find(&frame, &payload, &payload_size) && payload_size == 0)
        return size - frame.fields_size;
    return size;
}

bool museum_is_cut(const struct gossip_node *node, const uint8_t key[GOSSIP_KEY_SIZE])
{
    for (size_t i = 0; i < node->authors.count; i++) {
        const struct gossip_author_record *author = &node->authors.items[i]->stored;

        if (author->cut != 0 && memcmp(author->key, key, GOSSIP_KEY_SIZE) == 0)
            return true;
    }
    return false;
}
