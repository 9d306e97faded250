#include "gossip/held.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/gossip.h"
#include "gossip/museum.h"

int held_append(struct held *held, struct author *author, const struct chain *chain,
                const uint8_t *body, size_t body_size, const uint8_t *seal, uint32_t source)
{
    struct held_event *event = malloc(sizeof(*event) + body_size);

    if (event == NULL)
        return GOSSIP_ERR_NOMEM;
    assert(chain->seq == author->tail.seq + 1);
    event->next = NULL;
    event->previous = author->held_last;
    event->chain = *chain;
    event->has_seal = seal != NULL;
    if (seal != NULL)
        memcpy(event->seal, seal, GOSSIP_SIGNATURE_SIZE);
    event->source = source;
    event->body_size = body_size;
    memcpy(event->body, body, body_size);
    if (author->held_last == NULL)
        author->held_first = event;
    else
        author->held_last->next = event;
    author->held_last = event;
    author->held_count++;
    author->held_bytes += body_size;
    author->tail = *chain;
    held->count++;
    held->bytes += body_size;
    return GOSSIP_OK;
}

static void uncount(struct held *held, struct author *author, const struct held_event *event)
{
    author->held_count--;
    author->held_bytes -= event->body_size;
    held->count--;
    held->bytes -= event->body_size;
}

void held_pop(struct held *held, struct author *author)
{
    struct held_event *event = author->held_first;

    uncount(held, author, event);
    author->held_first = event->next;
    if (event->next == NULL)
        author->held_last = NULL;
    else
        event->next->previous = NULL;
    free(event);
}

void held_drop_last(struct held *held, struct author *author)
{
    struct held_event *event = author->held_last;

    uncount(held, author, event);
    author->held_last = event->previous;
    if (event->previous == NULL) {
        author->held_first = NULL;
        author->blocked = false;
        author->tail = author_stored_chain(author);
    } else {
        event->previous->next = NULL;
        author->tail = event->previous->chain;
    }
    free(event);
}

void held_drop_all(struct held *held, struct author *author)
{
    while (author->held_last != NULL)
        held_drop_last(held, author);
}

size_t held_trim(struct held *held, const struct authors *authors, uint32_t *ret_author)
{
    size_t dropped = 0;

    if (MUSEUM(UNBOUNDED_HOLD))
        return 0;
    while (held->count > GOSSIP_PENDING_EVENTS || held->bytes > GOSSIP_PENDING_BYTES) {
        struct author *greatest = NULL;

        for (size_t i = 0; i < authors->count; i++) {
            struct author *author = authors->items[i];

            if (author->held_count == 0)
                continue;
            /* By whichever bound is broken; counts first, as bytes may be fine. */
            if (greatest == NULL ||
                (held->count > GOSSIP_PENDING_EVENTS ? author->held_count > greatest->held_count
                                                     : author->held_bytes > greatest->held_bytes))
                greatest = author;
        }
        assert(greatest != NULL);
        held_drop_last(held, greatest);
        *ret_author = greatest->stored.number;
        dropped++;
    }
    return dropped;
}
