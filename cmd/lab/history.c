#include "cmd/lab/history.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/lab/room.h"
#include "gossip/frame.h"
#include "gossip/splitmix.h"

enum { SAMPLED_PAIRS = 512 };

void event_set_add(struct event_set *set, uint32_t event)
{
    set->words = room_for(set->words, &set->capacity, event / 64 + 1, sizeof(*set->words));
    set->words[event / 64] |= UINT64_C(1) << event % 64;
}

void event_set_remove(struct event_set *set, uint32_t event)
{
    if (event / 64 < set->capacity)
        set->words[event / 64] &= ~(UINT64_C(1) << event % 64);
}

bool event_set_has(const struct event_set *set, uint32_t event)
{
    return event / 64 < set->capacity && (set->words[event / 64] >> event % 64 & 1) != 0;
}

void event_set_copy(struct event_set *set, const struct event_set *other)
{
    size_t used = other->capacity;

    while (used > 0 && other->words[used - 1] == 0)
        used--;
    if (used == 0) {
        event_set_clear(set);
        return;
    }
    set->words = room_for(set->words, &set->capacity, used, sizeof(*set->words));
    memcpy(set->words, other->words, used * sizeof(*set->words));
    memset(set->words + used, 0, (set->capacity - used) * sizeof(*set->words));
}

void event_set_clear(struct event_set *set)
{
    free(set->words);
    *set = (struct event_set){0};
}

uint32_t event_set_missing(const struct event_set *a, const struct event_set *b, uint32_t first)
{
    for (size_t i = first / 64; i < a->capacity; i++) {
        uint64_t missing = a->words[i] & ~(i < b->capacity ? b->words[i] : 0);

        if (i == first / 64)
            missing &= UINT64_MAX << first % 64;
        if (missing == 0)
            continue;
        for (uint32_t bit = 0; bit < 64; bit++) {
            if ((missing >> bit & 1) != 0)
                return (uint32_t)i * 64 + bit;
        }
    }
    return HISTORY_NONE;
}

uint64_t counts_get(const struct counts *counts, uint32_t author)
{
    return author < counts->capacity ? counts->items[author] : 0;
}

void counts_set(struct counts *counts, uint32_t author, uint64_t count)
{
    counts->items =
        room_for(counts->items, &counts->capacity, (size_t)author + 1, sizeof(*counts->items));
    counts->items[author] = count;
}

void counts_copy(struct counts *counts, const struct counts *other)
{
    size_t used = other->capacity;

    while (used > 0 && other->items[used - 1] == 0)
        used--;
    if (used == 0) {
        counts_clear(counts);
        return;
    }
    counts->items = room_for(counts->items, &counts->capacity, used, sizeof(*counts->items));
    memcpy(counts->items, other->items, used * sizeof(*counts->items));
    memset(counts->items + used, 0, (counts->capacity - used) * sizeof(*counts->items));
}

bool counts_equal(const struct counts *a, const struct counts *b)
{
    size_t wider = a->capacity > b->capacity ? a->capacity : b->capacity;

    for (size_t i = 0; i < wider; i++) {
        if (counts_get(a, (uint32_t)i) != counts_get(b, (uint32_t)i))
            return false;
    }
    return true;
}

bool counts_cover(const struct counts *a, const struct counts *b)
{
    for (size_t i = 0; i < b->capacity; i++) {
        if (counts_get(a, (uint32_t)i) < b->items[i])
            return false;
    }
    return true;
}

void counts_clear(struct counts *counts)
{
    free(counts->items);
    *counts = (struct counts){0};
}

static void clear_event(struct history_event *event)
{
    free(event->body);
    event->body = NULL;
    event->supersedes = NULL;
    if (event->owns_mentions)
        free(event->mentions);
    event->mentions = NULL;
    event->owns_mentions = false;
    event_set_clear(&event->past);
    counts_clear(&event->truth);
    counts_clear(&event->claimed);
}

void history_clear(struct history *history)
{
    for (size_t i = 0; i < history->author_count; i++)
        free(history->authors[i].events);
    for (size_t i = 0; i < history->event_count; i++)
        clear_event(&history->events[i]);
    free(history->authors);
    free(history->events);
    *history = (struct history){0};
}

uint32_t history_find_author(const struct history *history, const uint8_t id[GOSSIP_ID_SIZE])
{
    for (size_t i = 0; i < history->author_count; i++) {
        if (memcmp(history->authors[i].id, id, GOSSIP_ID_SIZE) == 0)
            return (uint32_t)i;
    }
    return HISTORY_NONE;
}

uint32_t history_add_author(struct history *history, const uint8_t id[GOSSIP_ID_SIZE],
                            const uint8_t epoch[GOSSIP_EPOCH_SIZE], unsigned node)
{
    struct history_author *author;
    unsigned ordinal = 0;

    for (size_t i = 0; i < history->author_count; i++)
        ordinal += history->authors[i].node == node;
    history->authors = room_for(history->authors, &history->author_capacity,
                                history->author_count + 1, sizeof(*history->authors));
    author = &history->authors[history->author_count];
    *author = (struct history_author){.node = node, .ordinal = ordinal};
    memcpy(author->id, id, GOSSIP_ID_SIZE);
    memcpy(author->epoch, epoch, GOSSIP_EPOCH_SIZE);
    return (uint32_t)history->author_count++;
}

uint32_t history_find(const struct history *history, uint32_t author, uint64_t seq)
{
    const struct history_author *found;

    if (author >= history->author_count)
        return HISTORY_NONE;
    found = &history->authors[author];
    return seq == 0 || seq > found->count ? HISTORY_NONE : found->events[seq - 1];
}

uint32_t history_find_content(const struct history *history, uint32_t author, uint64_t seq,
                              const uint8_t hash[GOSSIP_HASH_SIZE])
{
    uint32_t found = history_find(history, author, seq);

    while (found != HISTORY_NONE &&
           memcmp(history->events[found].hash, hash, GOSSIP_HASH_SIZE) != 0)
        found = history->events[found].other;
    return found;
}

static void add_mention(struct history_event *event, uint32_t named)
{
    uint32_t *mentions = room_new((event->mention_count + 1) * sizeof(*mentions));

    if (event->mention_count > 0)
        memcpy(mentions, event->mentions, event->mention_count * sizeof(*mentions));
    mentions[event->mention_count++] = named;
    if (event->owns_mentions)
        free(event->mentions);
    event->mentions = mentions;
    event->owns_mentions = true;
}

/* Raises claimed by what the frame of an event says, and notes whom it names for the first time.
 * Only what has grown is told. */
static bool read_claims(struct history *history, const struct frame *frame,
                        struct history_event *event, char ret_reason[HISTORY_TEXT_MAX])
{
    struct frame_entries entries = frame_entries(frame);
    struct frame_entry entry;

    while (frame_next(&entries, &entry)) {
        uint32_t named;

        if (entry.id == NULL) {
            if (entry.mention == 0 || entry.mention > event->mention_count) {
                snprintf(ret_reason, HISTORY_TEXT_MAX,
                         "it names its mention %" PRIu64 " and has made %zu", entry.mention,
                         event->mention_count);
                return false;
            }
            named = event->mentions[entry.mention - 1];
        } else {
            named = history_find_author(history, entry.id);
            if (named == HISTORY_NONE) {
                snprintf(ret_reason, HISTORY_TEXT_MAX, "it names an author that there is not");
                return false;
            }
            add_mention(event, named);
        }
        if (entry.seq <= counts_get(&event->claimed, named)) {
            snprintf(ret_reason, HISTORY_TEXT_MAX,
                     "it tells again what its author has told before");
            return false;
        }
        counts_set(&event->claimed, named, entry.seq);
    }
    return true;
}

/* What an event takes over from the one before it in its chain. */
static void follow(const struct history *history, struct history_event *event)
{
    const struct history_event *before = &history->events[event->before];

    counts_copy(&event->claimed, &before->claimed);
    event->mentions = before->mentions;
    event->mention_count = before->mention_count;
    /* What its node had delivered then it has delivered still, though some of it may have stopped
     * to count since. */
    for (uint32_t i = 0; i < before->truth.capacity; i++) {
        if (before->truth.items[i] > counts_get(&event->truth, i))
            counts_set(&event->truth, i, before->truth.items[i]);
    }
}

static void add_content(struct history *history, uint32_t event)
{
    struct history_author *author = &history->authors[history->events[event].author];
    uint64_t seq = history->events[event].seq;

    if (seq > author->count) {
        author->events =
            room_for(author->events, &author->capacity, author->count + 1, sizeof(*author->events));
        author->events[author->count++] = event;
        return;
    }
    history->events[event].other = history->events[author->events[seq - 1]].other;
    history->events[author->events[seq - 1]].other = event;
    if (author->fork == 0 || seq < author->fork)
        author->fork = seq;
}

uint32_t history_add(struct history *history, uint32_t number, uint32_t before, unsigned node,
                     uint64_t time_ms, const struct gossip_event_record *record,
                     const struct event_set *past, const struct counts *truth,
                     char ret_reason[HISTORY_TEXT_MAX])
{
    struct history_event event = {.author = number,
                                  .seq = record->seq,
                                  .before = before,
                                  .other = HISTORY_NONE,
                                  .node = node,
                                  .time_ms = time_ms};
    struct frame frame;

    assert(before == HISTORY_NONE ? record->seq == 1
                                  : record->seq == history->events[before].seq + 1 &&
                                        history->events[before].author == number);
    if (!frame_read(record->body, record->body_size, &frame)) {
        snprintf(ret_reason, HISTORY_TEXT_MAX, "its body has no frame");
        return HISTORY_NONE;
    }
    counts_copy(&event.truth, truth);
    if (before != HISTORY_NONE)
        follow(history, &event);
    if (!read_claims(history, &frame, &event, ret_reason)) {
        clear_event(&event);
        return HISTORY_NONE;
    }
    counts_set(&event.claimed, number, record->seq);
    event.hlc = frame.hlc;
    event.kind = frame.kind;
    event.size = record->body_size;
    event.body = room_new(record->body_size + 1);
    memcpy(event.body, record->body, record->body_size);
    memcpy(event.hash, record->hash, sizeof(event.hash));
    if (frame_read(event.body, event.size, &frame))
        supersedes_find(&frame, &event.supersedes);
    if (history->event_count < HISTORY_EXACT)
        event_set_copy(&event.past, past);

    history->events = room_for(history->events, &history->event_capacity, history->event_count + 1,
                               sizeof(*history->events));
    history->events[history->event_count] = event;
    add_content(history, (uint32_t)history->event_count);
    return (uint32_t)history->event_count++;
}

/* Takes an event out of the contents of its dot. */
static void remove_content(struct history *history, uint32_t number)
{
    const struct history_event *event = &history->events[number];
    struct history_author *author = &history->authors[event->author];
    uint32_t *place = &author->events[event->seq - 1];

    while (*place != number)
        place = &history->events[*place].other;
    *place = event->other;
    if (author->events[event->seq - 1] == HISTORY_NONE) {
        assert(author->count == event->seq);
        author->count--;
    }
    while (author->fork != 0 && !history_is_forked(history, event->author, author->fork))
        author->fork = author->fork < author->count ? author->fork + 1 : 0;
}

void history_forget(struct history *history, uint32_t number)
{
    struct history_event *event = &history->events[number];

    assert(!event->is_shown && !event->is_void);
    remove_content(history, number);
    clear_event(event);
    event->is_void = true;
}

void history_evict(struct history *history, uint32_t author, uint64_t seq)
{
    uint64_t *evicted = &history->authors[author].evicted;

    if (*evicted == 0 || seq < *evicted)
        *evicted = seq;
}

bool history_is_contested(const struct history *history, uint32_t author, uint64_t seq)
{
    const struct history_author *found = &history->authors[author];

    return (found->fork != 0 && seq >= found->fork) ||
           (found->evicted != 0 && seq >= found->evicted);
}

bool history_is_forked(const struct history *history, uint32_t author, uint64_t seq)
{
    uint32_t first = history_find(history, author, seq);

    return first != HISTORY_NONE && history->events[first].other != HISTORY_NONE;
}

bool history_before(const struct history *history, uint32_t a, uint32_t b)
{
    const struct history_event *cause = &history->events[a];

    if (b < HISTORY_EXACT)
        return event_set_has(&history->events[b].past, a);
    return counts_get(&history->events[b].truth, cause->author) >= cause->seq;
}

bool history_claims_before(const struct history *history, uint32_t a, uint32_t b)
{
    const struct history_event *cause = &history->events[a];

    return a != b && counts_get(&history->events[b].claimed, cause->author) >= cause->seq;
}

/* An older event cannot have been caused by a newer one, and its clock was read when it was
 * written; but a clock may name what did not exist yet, so both directions are asked. */
static bool pair_fits(const struct history *history, uint32_t a, uint32_t b)
{
    return history_before(history, a, b) == history_claims_before(history, a, b) &&
           !history_claims_before(history, b, a);
}

/* Whether the order of an event to others is a question with an answer. */
static bool is_judged(const struct history *history, uint32_t event)
{
    const struct history_event *judged = &history->events[event];

    return !judged->is_void && !history_is_contested(history, judged->author, judged->seq);
}

uint32_t history_check(struct history *history, uint32_t event, struct splitmix *lots)
{
    if (!is_judged(history, event))
        return HISTORY_NONE;
    if (event < HISTORY_EXACT) {
        for (uint32_t i = 0; i < event; i++) {
            if (!is_judged(history, i))
                continue;
            history->pairs++;
            history->pairs_exact++;
            if (!pair_fits(history, i, event))
                return i;
        }
        return HISTORY_NONE;
    }
    for (unsigned i = 0; i < SAMPLED_PAIRS; i++) {
        uint32_t other = (uint32_t)splitmix_below(lots, event);

        if (!is_judged(history, other))
            continue;
        history->pairs++;
        if (!pair_fits(history, other, event))
            return other;
    }
    return HISTORY_NONE;
}

void history_dot_text(const struct history *history, uint32_t number, uint64_t seq, char *ret_text,
                      size_t size)
{
    const struct history_author *author = &history->authors[number];

    if (author->ordinal == 0)
        snprintf(ret_text, size, "n%u:%" PRIu64, author->node + 1, seq);
    else
        snprintf(ret_text, size, "n%u'%u:%" PRIu64, author->node + 1, author->ordinal, seq);
}

void history_counts_text(const struct history *history, const struct counts *counts, char *ret_text,
                         size_t size)
{
    size_t used = (size_t)snprintf(ret_text, size, "{");
    const char *between = "";

    for (uint32_t i = 0; i < counts->capacity && used + 64 < size; i++) {
        char dot[64];

        if (counts->items[i] == 0)
            continue;
        history_dot_text(history, i, counts->items[i], dot, sizeof(dot));
        used += (size_t)snprintf(ret_text + used, size - used, "%s%s", between, dot);
        between = " ";
    }
    snprintf(ret_text + used, size - used, used + 64 < size ? "}" : " ...}");
}

void history_event_text(const struct history *history, uint32_t number, char *ret_text, size_t size)
{
    const struct history_event *event = &history->events[number];
    char dot[64];
    char claimed[HISTORY_TEXT_MAX / 3];
    char truth[HISTORY_TEXT_MAX / 3];

    history_dot_text(history, event->author, event->seq, dot, sizeof(dot));
    history_counts_text(history, &event->claimed, claimed, sizeof(claimed));
    history_counts_text(history, &event->truth, truth, sizeof(truth));
    snprintf(ret_text, size,
             "%s, written at %" PRIu64 ".%03u s, %zu bytes, hash %02x%02x%02x%02x, clock %s, its "
             "past %s",
             dot, event->time_ms / 1000, (unsigned)(event->time_ms % 1000), event->size,
             event->hash[0], event->hash[1], event->hash[2], event->hash[3], claimed, truth);
}
