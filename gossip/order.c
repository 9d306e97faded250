/*
 * The displayed order: a topological order of the events by causality in which, of all events whose
 * context has been shown, the one with the least (hlc, author id, seq) comes next (Kahn 1962, with
 * that choice). It depends on the set of events alone. One event of each author is in memory.
 */
#include "gossip/service.h"

#include <stdlib.h>
#include <string.h>

enum head_state {
    HEAD_UNREAD, /* The author's next event is to be read. */
    HEAD_WAITS,  /* It waits for a dot to be shown. */
    HEAD_READY,
    HEAD_NONE, /* There is none any more. */
};

struct head {
    enum head_state state;
    uint64_t next; /* Seq of the event. */
    uint64_t last; /* Of the author, when the log was opened. */
    uint64_t hlc;
    uint32_t waits_author;
    uint64_t waits_seq;
    struct event_copy copy;
};

struct gossip_log {
    struct gossip *gossip;
    enum gossip_log_kind kind;
    struct head *heads;
    size_t count;
    struct event_copy shown; /* What is lent to the caller. */
    struct gossip_vclock clock;
};

int gossip_log_open(struct gossip *gossip, enum gossip_log_kind kind, struct gossip_log **ret_log)
{
    const struct authors *authors = &gossip->node->authors;
    struct gossip_log *log;
    int error = check_readable(gossip);

    if (error < 0)
        return error;
    log = calloc(1, sizeof(*log));
    if (log == NULL)
        return GOSSIP_ERR_NOMEM;
    log->gossip = gossip;
    log->kind = kind;
    log->heads = calloc(authors->count + 1, sizeof(*log->heads));
    if (log->heads == NULL) {
        gossip_log_close(log);
        return GOSSIP_ERR_NOMEM;
    }
    log->count = authors->count;
    for (size_t i = 0; i < log->count; i++) {
        const struct author *author = authors->items[i];
        uint64_t counts = author_have(author);

        log->heads[i].next = kind == GOSSIP_LOG_EVENTS ? author->stored.floor + 1 : counts + 1;
        log->heads[i].last = kind == GOSSIP_LOG_EVENTS ? counts : author->stored.have;
    }
    *ret_log = log;
    return GOSSIP_OK;
}

void gossip_log_close(struct gossip_log *log)
{
    if (log == NULL)
        return;
    for (size_t i = 0; i < log->count; i++)
        event_copy_clear(&log->heads[i].copy);
    event_copy_clear(&log->shown);
    gossip_vclock_clear(&log->clock);
    free(log->heads);
    free(log);
}

static int take_head(void *context, const struct gossip_record *record)
{
    int error = event_copy_take(context, &record->as.event);

    return error < 0 ? error : 1;
}

/* Finds what an event waits for: only what has grown since its author's previous one, which has
 * been shown, needs a look. */
static int find_wait(struct gossip_log *log, uint32_t number)
{
    const struct gossip_node *node = log->gossip->node;
    const struct author *author = node->authors.items[number];
    struct head *head = &log->heads[number];
    struct frame frame;
    struct frame_entries entries;
    struct frame_entry entry;

    if (!frame_read(head->copy.record.body, head->copy.record.body_size, &frame))
        return GOSSIP_ERR_DAMAGED;
    head->hlc = frame.hlc;
    head->state = HEAD_READY;
    if (log->kind == GOSSIP_LOG_CONTESTED)
        return GOSSIP_OK; /* What they name may count, and is not shown here. */
    entries = frame_entries(&frame);
    while (frame_next(&entries, &entry)) {
        uint32_t other;
        uint64_t needed = entry.seq;

        if (entry.id == NULL && entry.mention > author->stored.mentions)
            return GOSSIP_ERR_DAMAGED;
        other = entry.id != NULL ? authors_find(&node->authors, entry.id)
                                 : author->mentioned[entry.mention - 1];
        if (other == NO_AUTHOR || other >= log->count)
            return GOSSIP_ERR_DAMAGED;
        if (needed > log->heads[other].last)
            needed = log->heads[other].last; /* Behind a cut. */
        if (log->heads[other].next <= needed) {
            head->state = HEAD_WAITS;
            head->waits_author = other;
            head->waits_seq = needed;
            return GOSSIP_OK;
        }
    }
    return GOSSIP_OK;
}

static int read_head(struct gossip_log *log, uint32_t number)
{
    struct head *head = &log->heads[number];
    int found;

    if (head->next > head->last) {
        head->state = HEAD_NONE;
        return GOSSIP_OK;
    }
    found = events_read(&log->gossip->node->contexts, number, head->next, head->next, take_head,
                        &head->copy);
    if (found <= 0)
        return found < 0 ? found : GOSSIP_ERR_DAMAGED;
    return find_wait(log, number);
}

static bool comes_first(const struct gossip_log *log, uint32_t a, uint32_t b)
{
    const struct authors *authors = &log->gossip->node->authors;

    if (log->heads[a].hlc != log->heads[b].hlc)
        return log->heads[a].hlc < log->heads[b].hlc;
    return memcmp(authors->items[a]->stored.id, authors->items[b]->stored.id, GOSSIP_ID_SIZE) < 0;
}

int gossip_log_next(struct gossip_log *log, struct gossip_event *ret_event)
{
    uint32_t first = NO_AUTHOR;
    bool waits = false;
    struct event_copy taken;
    int error = check_readable(log->gossip);

    if (error < 0)
        return error;

    for (uint32_t i = 0; i < log->count; i++) {
        struct head *head = &log->heads[i];

        error = GOSSIP_OK;
        if (head->state == HEAD_UNREAD)
            error = read_head(log, i);
        else if (head->state == HEAD_WAITS && log->heads[head->waits_author].next > head->waits_seq)
            error = find_wait(log, i);
        if (error < 0)
            return error;
        waits = waits || head->state == HEAD_WAITS;
        if (head->state == HEAD_READY && (first == NO_AUTHOR || comes_first(log, i, first)))
            first = i;
    }
    if (first == NO_AUTHOR)
        return waits ? GOSSIP_ERR_DAMAGED : 0; /* Stored events cannot wait in a circle. */
    taken = log->shown;
    log->shown = log->heads[first].copy;
    log->heads[first].copy = taken;
    log->heads[first].next++;
    log->heads[first].state = HEAD_UNREAD;
    if (log->shown.record.seal != NULL)
        log->shown.record.seal = log->shown.seal;
    error = event_show(log->gossip, &log->shown, &log->clock, ret_event);
    return error < 0 ? error : 1;
}
