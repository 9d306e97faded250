#include "gossip/once.h"

#include <string.h>

/* What stores find an event by: only here, never sent or signed. */
static void hash_key(const struct gossip_node *node, const uint8_t *once, size_t once_size,
                     uint8_t ret_hash[GOSSIP_ONCE_HASH_SIZE])
{
    static const char domain[] = "gossip/once/1";
    uint8_t hash[GOSSIP_HASH_SIZE];

    node->crypto->hash(
        hash, (const struct gossip_piece[]){{domain, sizeof(domain)}, {once, once_size}}, 2);
    memcpy(ret_hash, hash, GOSSIP_ONCE_HASH_SIZE);
}

static bool is_own(const struct gossip_node *node, const struct author *author)
{
    return memcmp(author->stored.key, node->identity->key, GOSSIP_KEY_SIZE) == 0;
}

struct search {
    const struct gossip_node *node;
    const uint8_t *once;
    size_t once_size;
    const uint8_t *payload;
    size_t payload_size;
    struct once_event found;
};

/* Whether an event is what is looked for: 1 ends the search. What the store found it by may be
 * another key's hash; the event itself tells. */
static int judge(void *context, const struct gossip_record *record)
{
    struct search *search = context;
    const struct gossip_event_record *event = &record->as.event;
    const struct authors *authors = &search->node->authors;
    const uint8_t *bytes;
    struct frame frame;
    size_t size;

    if (event->is_damaged || event->author >= authors->count ||
        !frame_read(event->body, event->body_size, &frame))
        return GOSSIP_ERR_DAMAGED;
    if (!is_own(search->node, authors->items[event->author]) ||
        author_is_contested(authors->items[event->author], event->seq) ||
        !once_field_find(&frame, &bytes, &size) || size != search->once_size ||
        memcmp(bytes, search->once, size) != 0)
        return 0;
    search->found.dot = (struct gossip_dot){event->author, event->seq};
    search->found.is_same = payload_find(&frame, &bytes, &size) && size == search->payload_size &&
                            (size == 0 || memcmp(bytes, search->payload, size) == 0);
    return 1;
}

/* Those that are not saved yet. */
static int search_batch(struct gossip_node *node, const uint8_t *hash, struct search *search)
{
    const struct batch *batch = &node->batch;
    int result = 0;

    for (size_t i = 0; i < batch->event_count && result == 0; i++) {
        const struct gossip_record *record = &batch->records[batch->events[i].record];

        if (record->as.event.once != NULL &&
            memcmp(record->as.event.once, hash, GOSSIP_ONCE_HASH_SIZE) == 0)
            result = judge(search, record);
    }
    return result;
}

int once_find(struct gossip_node *node, const uint8_t *once, size_t once_size,
              const uint8_t *payload, size_t payload_size, struct once_event *ret_event)
{
    struct search search = {.node = node,
                            .once = once,
                            .once_size = once_size,
                            .payload = payload,
                            .payload_size = payload_size};
    uint8_t hash[GOSSIP_ONCE_HASH_SIZE];
    int result;

    hash_key(node, once, once_size, hash);
    result = node->store->ops->find_once(node->store, hash, judge, &search);
    if (result == 0)
        result = search_batch(node, hash, &search);
    if (result > 0)
        *ret_event = search.found;
    return result;
}

bool once_hash(const struct gossip_node *node, const struct author *author,
               const struct frame *frame, uint8_t ret_hash[GOSSIP_ONCE_HASH_SIZE])
{
    const uint8_t *once;
    size_t size;

    if (!is_own(node, author) || !once_field_find(frame, &once, &size))
        return false;
    hash_key(node, once, size, ret_hash);
    return true;
}

int once_note(struct gossip_node *node, const struct author *author, const struct frame *frame,
              struct gossip_event_record *event)
{
    uint8_t hash[GOSSIP_ONCE_HASH_SIZE];

    if (!once_hash(node, author, frame, hash))
        return GOSSIP_OK;
    event->once = arena_copy(&node->batch.arena, hash, sizeof(hash));
    return event->once == NULL ? GOSSIP_ERR_NOMEM : GOSSIP_OK;
}
