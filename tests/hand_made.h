/*
 * Events written by hand, for tests of what judges them: an author says of its past whatever it is
 * told to say, right or wrong.
 */
#ifndef TESTS_HAND_MADE_H
#define TESTS_HAND_MADE_H

#include <assert.h>
#include <string.h>

#include "cmd/lab/trace.h"
#include "gossip/bytes.h"
#include "gossip/frame.h"
#include "gossip/gossip.h"
#include "gossip/store.h"

enum {
    HAND_AUTHORS = 4, /* Their ids ascend as their numbers do. */
    HAND_BODY_MAX = 512,
};

/* What an author has said so far. */
struct hand_author {
    uint8_t id[GOSSIP_ID_SIZE];
    uint64_t seq;
    uint64_t said[HAND_AUTHORS];
    uint64_t mentions[HAND_AUTHORS]; /* As its which mention it names each; 0: not yet. */
    uint64_t mention_count;
};

/* The record lends from body: it must stay where it is. */
struct hand_event {
    struct gossip_event_record record;
    uint8_t body[HAND_BODY_MAX];
};

/* Writes the author's next event, of this kind, which issues again the one with the hash supersedes
 * unless that is NULL. Of others it names those whose clock entry is past what it has
 * said of them; its own entry is passed over. The hash is one of ours, no chain's. */
static inline void hand_write_kind(struct hand_author *authors, uint32_t author, uint64_t hlc,
                                   uint64_t kind, const uint64_t clock[HAND_AUTHORS],
                                   const uint8_t *supersedes, const char *payload,
                                   struct hand_event *ret_event)
{
    struct hand_author *own = &authors[author];
    struct gossip_event_record *record = &ret_event->record;
    struct frame_entry entries[HAND_AUTHORS];
    struct trace trace = {own->seq + 1};
    size_t count = 0;
    size_t size;

    for (uint64_t mention = 1; mention <= own->mention_count; mention++) {
        for (uint32_t i = 0; i < HAND_AUTHORS; i++) {
            if (own->mentions[i] == mention && clock[i] > own->said[i])
                entries[count++] = (struct frame_entry){.mention = mention, .seq = clock[i]};
        }
    }
    for (uint32_t i = 0; i < HAND_AUTHORS; i++) {
        if (i == author || own->mentions[i] != 0 || clock[i] == 0)
            continue;
        entries[count++] = (struct frame_entry){.id = authors[i].id, .seq = clock[i]};
        own->mentions[i] = ++own->mention_count;
    }
    for (uint32_t i = 0; i < HAND_AUTHORS; i++) {
        if (i != author && clock[i] > own->said[i])
            own->said[i] = clock[i];
    }
    size = frame_size(kind, entries, count);
    assert(size + SUPERSEDES_FIELD_SIZE + payload_field_size(strlen(payload)) <=
           sizeof(ret_event->body));
    frame_write(ret_event->body, hlc, kind, entries, count);
    if (supersedes != NULL) {
        supersedes_field_write(ret_event->body + size, supersedes);
        size += SUPERSEDES_FIELD_SIZE;
    }
    payload_field_write(ret_event->body + size, payload, strlen(payload));
    size += payload_field_size(strlen(payload));
    *record = (struct gossip_event_record){
        .author = author, .seq = ++own->seq, .body = ret_event->body, .body_size = size};
    trace_bytes(&trace, own->id, sizeof(own->id));
    trace_bytes(&trace, ret_event->body, size);
    for (size_t i = 0; i < GOSSIP_HASH_SIZE; i += 8) {
        trace_number(&trace, i);
        put_fixed(record->hash + i, trace.hash, 8);
    }
}

static inline void hand_write(struct hand_author *authors, uint32_t author, uint64_t hlc,
                              const uint64_t clock[HAND_AUTHORS], const char *payload,
                              struct hand_event *ret_event)
{
    hand_write_kind(authors, author, hlc, GOSSIP_EVENT_APPLICATION, clock, NULL, payload,
                    ret_event);
}

#endif
