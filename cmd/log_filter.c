#include "cmd/log_filter.h"

#include <assert.h>
#include <stdlib.h>

void log_filter_clear(struct log_filter *filter)
{
    free(filter->authors);
    gossip_vclock_clear(&filter->before.clock);
    gossip_vclock_clear(&filter->after.clock);
    gossip_vclock_clear(&filter->apart.clock);
    *filter = (struct log_filter){0};
}

int log_anchor_set(struct gossip *gossip, struct gossip_dot dot, struct log_anchor *anchor)
{
    struct gossip_event event;
    int error = gossip_event_get(gossip, dot, &event);

    if (error < 0)
        return error;
    /* A dot behind a cut has several contents: which of them is meant, nobody can tell. */
    if (event.contested)
        return GOSSIP_ERR_INVALID;
    error = gossip_vclock_copy(&anchor->clock, event.clock);
    if (error >= 0)
        anchor->dot = dot;
    return error;
}

/* How an event stands to the anchor: e happened before f iff f has seen e. */
static enum gossip_relation relation_of(const struct gossip_event *event,
                                        const struct log_anchor *anchor)
{
    if (event->dot.author == anchor->dot.author && event->dot.seq == anchor->dot.seq)
        return GOSSIP_EQUAL;
    if (gossip_vclock_covers_dot(&anchor->clock, event->dot.author, event->dot.seq))
        return GOSSIP_BEFORE;
    if (gossip_vclock_covers_dot(event->clock, anchor->dot.author, anchor->dot.seq))
        return GOSSIP_AFTER;
    return GOSSIP_CONCURRENT;
}

static bool stands(const struct gossip_event *event, const struct log_anchor *anchor,
                   enum gossip_relation relation)
{
    return anchor->dot.seq == 0 || relation_of(event, anchor) == relation;
}

static bool is_of_authors(const struct log_filter *filter, uint32_t author)
{
    for (size_t i = 0; i < filter->author_count; i++)
        if (filter->authors[i] == author)
            return true;
    return filter->authors == NULL;
}

bool log_filter_shows(const struct log_filter *filter, const struct gossip_event *event)
{
    return (filter->all || event->kind != GOSSIP_EVENT_CONTEXT) &&
           event->time_ms >= filter->since_ms && is_of_authors(filter, event->dot.author) &&
           stands(event, &filter->before, GOSSIP_BEFORE) &&
           stands(event, &filter->after, GOSSIP_AFTER) &&
           stands(event, &filter->apart, GOSSIP_CONCURRENT);
}

void log_tail_clear(struct log_tail *tail)
{
    free(tail->dots);
    *tail = (struct log_tail){0};
}

int log_tail_add(struct log_tail *tail, struct gossip_dot dot)
{
    assert(tail->limit > 0);
    if (tail->count == tail->limit) {
        tail->dots[tail->start] = dot;
        tail->start = (tail->start + 1) % tail->limit;
        return GOSSIP_OK;
    }
    if (tail->count == tail->capacity) {
        size_t twice = tail->capacity ? 2 * tail->capacity : 64;
        size_t capacity = twice < tail->limit ? twice : tail->limit;
        struct gossip_dot *dots = realloc(tail->dots, capacity * sizeof(*dots));

        if (!dots)
            return GOSSIP_ERR_NOMEM;
        tail->dots = dots;
        tail->capacity = capacity;
    }
    tail->dots[tail->count++] = dot; /* It has not come round yet. */
    return GOSSIP_OK;
}

bool log_tail_take(struct log_tail *tail, struct gossip_dot *ret_dot)
{
    if (tail->count == 0)
        return false;
    *ret_dot = tail->dots[tail->start];
    tail->start = (tail->start + 1) % tail->limit;
    tail->count--;
    return true;
}
