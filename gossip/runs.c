#include "gossip/runs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static size_t run_bytes(const struct run *run)
{
    return sizeof(*run) + run->capacity + run->piece_capacity * sizeof(*run->pieces);
}

static struct run **place_of(struct runs *runs, const struct run *run)
{
    struct run **place = &runs->first;

    while (*place != run)
        place = &(*place)->next;
    return place;
}

void runs_remove(struct runs *runs, struct run *run)
{
    *place_of(runs, run) = run->next;
    runs->count--;
    runs->bytes -= run_bytes(run);
    free(run->data);
    free(run->pieces);
    free(run);
}

void runs_remove_until(struct runs *runs, const uint8_t author[GOSSIP_ID_SIZE], uint64_t seq)
{
    for (struct run *run = runs->first, *next; run != NULL; run = next) {
        next = run->next;
        if (run->last <= seq && memcmp(run->author, author, GOSSIP_ID_SIZE) == 0)
            runs_remove(runs, run);
    }
}

void runs_clear(struct runs *runs)
{
    while (runs->first != NULL)
        runs_remove(runs, runs->first);
}

size_t runs_expire(struct runs *runs, uint64_t before_ms)
{
    size_t expired = 0;

    for (struct run *run = runs->first, *next; run != NULL; run = next) {
        next = run->next;
        if (run->touched_ms < before_ms) {
            runs_remove(runs, run);
            expired++;
        }
    }
    return expired;
}

bool run_is_whole(const struct run *run)
{
    return run->piece_count == 1 && run->pieces[0].start == 0 && run->pieces[0].end == run->size;
}

size_t run_gaps(const struct run *run, struct wire_gap *ret_gaps, size_t capacity)
{
    size_t count = 0;
    uint32_t reached = 0;

    for (size_t i = 0; i <= run->piece_count; i++) {
        uint32_t start = i < run->piece_count ? run->pieces[i].start : run->size;

        if (start > reached) {
            if (count < capacity)
                ret_gaps[count] = (struct wire_gap){reached, start - reached};
            count++;
        }
        if (i < run->piece_count)
            reached = run->pieces[i].end;
    }
    return count;
}

struct run *runs_whole_at(const struct runs *runs, const uint8_t author[GOSSIP_ID_SIZE],
                          uint64_t seq)
{
    for (struct run *run = runs->first; run != NULL; run = run->next) {
        if (run->first <= seq && run->last >= seq && run_is_whole(run) &&
            memcmp(run->author, author, GOSSIP_ID_SIZE) == 0)
            return run;
    }
    return NULL;
}

struct run *runs_at(const struct runs *runs, const uint8_t author[GOSSIP_ID_SIZE], uint64_t seq,
                    uint32_t source)
{
    struct run *found = NULL;

    for (struct run *run = runs->first; run != NULL; run = run->next) {
        if (run->source != source || run->last < seq ||
            memcmp(run->author, author, GOSSIP_ID_SIZE) != 0)
            continue;
        if (found == NULL || run->first < found->first)
            found = run;
    }
    return found;
}

/* Makes room for the bytes up to end and for one more piece. */
static bool run_reserve(struct runs *runs, struct run *run, size_t end)
{
    if (run->capacity < end) {
        size_t capacity = run->capacity * 2 < end ? end : run->capacity * 2;
        uint8_t *data;

        if (capacity > run->size)
            capacity = run->size;
        data = realloc(run->data, capacity);
        if (data == NULL)
            return false;
        runs->bytes += capacity - run->capacity;
        run->data = data;
        run->capacity = capacity;
    }
    if (run->piece_count == run->piece_capacity) {
        size_t capacity = run->piece_capacity == 0 ? 4 : run->piece_capacity * 2;
        struct run_piece *pieces = realloc(run->pieces, capacity * sizeof(*pieces));

        if (pieces == NULL)
            return false;
        runs->bytes += (capacity - run->piece_capacity) * sizeof(*pieces);
        run->pieces = pieces;
        run->piece_capacity = capacity;
    }
    return true;
}

/* Whether start..end would be a piece apart from all that are there. */
static bool run_is_apart(const struct run *run, uint32_t start, uint32_t end)
{
    for (size_t i = 0; i < run->piece_count; i++) {
        if (run->pieces[i].start <= end && run->pieces[i].end >= start)
            return false;
    }
    return true;
}

/* Marks start..end as arrived. Returns whether any of it was new. */
static bool run_mark(struct run *run, uint32_t start, uint32_t end)
{
    size_t low = 0;
    size_t high;

    while (low < run->piece_count && run->pieces[low].end < start)
        low++;
    high = low;
    if (low < run->piece_count && run->pieces[low].start <= start && run->pieces[low].end >= end)
        return false;
    while (high < run->piece_count && run->pieces[high].start <= end) {
        if (run->pieces[high].start < start)
            start = run->pieces[high].start;
        if (run->pieces[high].end > end)
            end = run->pieces[high].end;
        high++;
    }
    /* The pieces low..high become one. */
    memmove(run->pieces + low + 1, run->pieces + high,
            (run->piece_count - high) * sizeof(*run->pieces));
    run->piece_count = run->piece_count - (high - low) + 1;
    run->pieces[low] = (struct run_piece){start, end};
    return true;
}

static struct run *run_create(struct runs *runs, const struct wire_run_part *part, uint32_t source)
{
    struct run *run = calloc(1, sizeof(*run));

    if (run == NULL)
        return NULL;
    memcpy(run->author, part->author, GOSSIP_ID_SIZE);
    run->first = part->first;
    run->last = part->last;
    run->size = part->size;
    run->source = source;
    runs->count++;
    runs->bytes += run_bytes(run);
    run->next = runs->first;
    runs->first = run;
    return run;
}

static struct run *run_find(const struct runs *runs, const struct wire_run_part *part,
                            uint32_t source)
{
    for (struct run *run = runs->first; run != NULL; run = run->next) {
        if (run->source == source && run->first == part->first && run->last == part->last &&
            memcmp(run->author, part->author, GOSSIP_ID_SIZE) == 0)
            return run;
    }
    return NULL;
}

/* What all runs of one peer come to, by whichever bound is broken. */
static size_t held_of(const struct runs *runs, uint32_t source)
{
    size_t held = 0;

    for (const struct run *run = runs->first; run != NULL; run = run->next) {
        if (run->source == source)
            held += runs->count > GOSSIP_RUNS_HELD ? 1 : run_bytes(run);
    }
    return held;
}

/* Lets go of what was touched longest ago by whoever holds the most, but never of kept. */
static size_t runs_trim(struct runs *runs, const struct run *kept)
{
    size_t dropped = 0;

    while (runs->count > GOSSIP_RUNS_HELD || runs->bytes > GOSSIP_RUNS_BYTES) {
        struct run *oldest = NULL;
        size_t most = 0;

        for (struct run *run = runs->first; run != NULL; run = run->next) {
            size_t held;

            if (run == kept)
                continue;
            if (oldest != NULL && run->source == oldest->source) {
                oldest = run;
                continue;
            }
            held = held_of(runs, run->source);
            if (held > most) {
                most = held;
                oldest = run;
            }
        }
        if (oldest == NULL)
            break; /* One run is less than all the room there is. */
        runs_remove(runs, oldest);
        dropped++;
    }
    return dropped;
}

enum runs_outcome runs_take(struct runs *runs, const struct wire_run_part *part, uint32_t source,
                            uint64_t now_ms, struct run **ret_run, size_t *ret_dropped)
{
    struct run *run = run_find(runs, part, source);
    uint32_t end = part->offset + (uint32_t)part->data.size;
    bool is_new;

    *ret_dropped = 0;
    if (run == NULL)
        run = run_create(runs, part, source);
    if (run == NULL)
        return RUNS_NO_MEMORY;
    if (run->size != part->size ||
        (run->piece_count == RUN_PIECES_MAX && run_is_apart(run, part->offset, end))) {
        *ret_run = run;
        return RUNS_CONFLICT;
    }
    if (!run_reserve(runs, run, end)) {
        if (run->piece_count == 0)
            runs_remove(runs, run); /* It was made for this part. */
        return RUNS_NO_MEMORY;
    }
    is_new = run_mark(run, part->offset, end);
    if (part->seal != NULL && !run->has_seal) {
        run->has_seal = true;
        memcpy(run->seal, part->seal, GOSSIP_SIGNATURE_SIZE);
        is_new = true;
    }
    if (part->link != NULL && !run->has_link) {
        run->has_link = true;
        memcpy(run->link, part->link, WIRE_LINK_SIZE);
        is_new = true;
    }
    if (part->has_introduction && !run->has_introduction) {
        run->has_introduction = true;
        memcpy(run->key, part->introduction.key, GOSSIP_KEY_SIZE);
        memcpy(run->epoch, part->introduction.epoch, GOSSIP_EPOCH_SIZE);
        is_new = true;
    }
    if (is_new) {
        memcpy(run->data + part->offset, part->data.data, part->data.size);
        if (part->previous != NULL)
            memcpy(run->previous, part->previous, GOSSIP_HASH_SIZE);
        run->touched_ms = now_ms;
        *place_of(runs, run) = run->next;
        run->next = runs->first;
        runs->first = run;
        *ret_dropped = runs_trim(runs, run);
    }
    *ret_run = run;
    return is_new ? RUNS_NEW : RUNS_DUPLICATE;
}
