#include "gossip/vclock.h"

#include <stdlib.h>
#include <string.h>

#include "gossip/gossip.h"
#include "gossip/limits.h"

enum { FIRST_CAPACITY = 8 };

const char *gossip_relation_name(enum gossip_relation relation)
{
    switch (relation) {
    case GOSSIP_EQUAL:
        return "equal";
    case GOSSIP_BEFORE:
        return "before";
    case GOSSIP_AFTER:
        return "after";
    case GOSSIP_CONCURRENT:
        return "concurrent";
    case GOSSIP_PRUNED:
        return "pruned";
    case GOSSIP_CONTESTED:
        return "contested";
    }
    return "unknown-relation";
}

void gossip_vclock_clear(struct gossip_vclock *clock)
{
    if (clock == NULL)
        return;
    free(clock->authors);
    free(clock->counters);
    memset(clock, 0, sizeof(*clock));
}

/* Grows to twice the size at least, so that adding authors one by one copies each a few times only.
 */
int gossip_vclock_reserve(struct gossip_vclock *clock, size_t count)
{
    size_t most = SIZE_MAX / sizeof(*clock->counters);
    size_t capacity = clock->capacity > most / 2 ? most : clock->capacity * 2;
    uint32_t *authors;
    uint64_t *counters;

    if (count <= clock->capacity)
        return GOSSIP_OK;
    if (count > most)
        return GOSSIP_ERR_NOMEM;
    if (capacity < FIRST_CAPACITY)
        capacity = FIRST_CAPACITY;
    if (capacity < count)
        capacity = count;

    authors = realloc(clock->authors, capacity * sizeof(*authors));
    if (authors == NULL)
        return GOSSIP_ERR_NOMEM;
    clock->authors = authors; /* Larger than capacity says, if the next one fails: no harm. */
    counters = realloc(clock->counters, capacity * sizeof(*counters));
    if (counters == NULL)
        return GOSSIP_ERR_NOMEM;
    clock->counters = counters;
    clock->capacity = capacity;
    return GOSSIP_OK;
}

int gossip_vclock_copy(struct gossip_vclock *clock, const struct gossip_vclock *other)
{
    int error = gossip_vclock_reserve(clock, other->count);

    if (error < 0)
        return error;
    if (other->count > 0 && other != clock) {
        memcpy(clock->authors, other->authors, other->count * sizeof(*clock->authors));
        memcpy(clock->counters, other->counters, other->count * sizeof(*clock->counters));
    }
    clock->count = other->count;
    return GOSSIP_OK;
}

/* The index of author, or of the one before which it would stand. */
static size_t find_index(const struct gossip_vclock *clock, uint32_t author)
{
    size_t low = 0;
    size_t high = clock->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (clock->authors[middle] < author)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool stands_at(const struct gossip_vclock *clock, size_t index, uint32_t author)
{
    return index < clock->count && clock->authors[index] == author;
}

uint64_t gossip_vclock_get(const struct gossip_vclock *clock, uint32_t author)
{
    size_t index = find_index(clock, author);

    return stands_at(clock, index, author) ? clock->counters[index] : 0;
}

static void remove_at(struct gossip_vclock *clock, size_t index)
{
    size_t after = clock->count - index - 1;

    memmove(clock->authors + index, clock->authors + index + 1, after * sizeof(*clock->authors));
    memmove(clock->counters + index, clock->counters + index + 1, after * sizeof(*clock->counters));
    clock->count--;
}

static int insert_at(struct gossip_vclock *clock, size_t index, uint32_t author, uint64_t counter)
{
    size_t after = clock->count - index;
    int error = gossip_vclock_reserve(clock, clock->count + 1);

    if (error < 0)
        return error;
    memmove(clock->authors + index + 1, clock->authors + index, after * sizeof(*clock->authors));
    memmove(clock->counters + index + 1, clock->counters + index, after * sizeof(*clock->counters));
    clock->authors[index] = author;
    clock->counters[index] = counter;
    clock->count++;
    return GOSSIP_OK;
}

int gossip_vclock_set(struct gossip_vclock *clock, uint32_t author, uint64_t counter)
{
    size_t index = find_index(clock, author);

    if (counter > GOSSIP_COUNTER_MAX)
        return GOSSIP_ERR_LIMIT;
    if (!stands_at(clock, index, author))
        return counter == 0 ? GOSSIP_OK : insert_at(clock, index, author, counter);
    if (counter == 0)
        remove_at(clock, index);
    else
        clock->counters[index] = counter;
    return GOSSIP_OK;
}

int gossip_vclock_raise(struct gossip_vclock *clock, uint32_t author, uint64_t counter)
{
    size_t index = find_index(clock, author);

    if (counter > GOSSIP_COUNTER_MAX)
        return GOSSIP_ERR_LIMIT;
    if (!stands_at(clock, index, author))
        return counter == 0 ? GOSSIP_OK : insert_at(clock, index, author, counter);
    if (clock->counters[index] < counter)
        clock->counters[index] = counter;
    return GOSSIP_OK;
}

int gossip_vclock_increment(struct gossip_vclock *clock, uint32_t author, uint64_t *ret_counter)
{
    size_t index = find_index(clock, author);

    if (!stands_at(clock, index, author)) {
        int error = insert_at(clock, index, author, 1);

        if (error < 0)
            return error;
    } else if (clock->counters[index] >= GOSSIP_COUNTER_MAX) {
        return GOSSIP_ERR_LIMIT;
    } else {
        clock->counters[index]++;
    }
    if (ret_counter != NULL)
        *ret_counter = clock->counters[index];
    return GOSSIP_OK;
}

static bool same_authors(const struct gossip_vclock *a, const struct gossip_vclock *b)
{
    return a->count == b->count &&
           (a->count == 0 || memcmp(a->authors, b->authors, a->count * sizeof(*a->authors)) == 0);
}

static size_t union_count(const struct gossip_vclock *a, const struct gossip_vclock *b)
{
    size_t count = 0;
    size_t i = 0;
    size_t j = 0;

    for (; i < a->count && j < b->count; count++) {
        uint32_t in_a = a->authors[i];
        uint32_t in_b = b->authors[j];

        i += in_a <= in_b;
        j += in_b <= in_a;
    }
    return count + (a->count - i) + (b->count - j);
}

/* Fills the arrays from their ends, so that nothing is overwritten before it has been read. */
static void raise_all(struct gossip_vclock *clock, const struct gossip_vclock *other, size_t count)
{
    size_t i = clock->count;
    size_t j = other->count;

    clock->count = count;
    while (j > 0) {
        uint32_t author = other->authors[j - 1];
        uint64_t counter = other->counters[j - 1];

        count--;
        if (i > 0 && clock->authors[i - 1] >= author) {
            i--;
            if (clock->authors[i] > author) {
                clock->authors[count] = clock->authors[i];
                clock->counters[count] = clock->counters[i];
                continue;
            }
            if (clock->counters[i] > counter)
                counter = clock->counters[i];
        }
        clock->authors[count] = author;
        clock->counters[count] = counter;
        j--;
    }
}

int gossip_vclock_merge(struct gossip_vclock *clock, const struct gossip_vclock *other)
{
    size_t count;
    int error;

    if (same_authors(clock, other)) {
        for (size_t i = 0; i < clock->count; i++) {
            uint64_t counter = other->counters[i];

            clock->counters[i] = clock->counters[i] > counter ? clock->counters[i] : counter;
        }
        return GOSSIP_OK;
    }
    count = union_count(clock, other);
    error = gossip_vclock_reserve(clock, count);
    if (error < 0)
        return error;
    raise_all(clock, other, count);
    return GOSSIP_OK;
}

void gossip_vclock_meet(struct gossip_vclock *clock, const struct gossip_vclock *other)
{
    size_t count = 0;
    size_t i = 0;
    size_t j = 0;

    while (i < clock->count && j < other->count) {
        uint32_t ours = clock->authors[i];
        uint32_t theirs = other->authors[j];

        if (ours == theirs) {
            uint64_t counter = other->counters[j];

            clock->authors[count] = ours;
            clock->counters[count] = clock->counters[i] < counter ? clock->counters[i] : counter;
            count++;
        }
        i += ours <= theirs;
        j += theirs <= ours;
    }
    clock->count = count;
}

static enum gossip_relation relation_of(bool less, bool greater)
{
    if (less && greater)
        return GOSSIP_CONCURRENT;
    if (less)
        return GOSSIP_BEFORE;
    return greater ? GOSSIP_AFTER : GOSSIP_EQUAL;
}

/* Without a branch in the loop, for compilers to make vectors of. */
static enum gossip_relation compare_counters(const uint64_t *a, const uint64_t *b, size_t count)
{
    bool less = false;
    bool greater = false;

    for (size_t i = 0; i < count; i++) {
        less |= a[i] < b[i];
        greater |= a[i] > b[i];
    }
    return relation_of(less, greater);
}

enum gossip_relation gossip_vclock_compare(const struct gossip_vclock *a,
                                           const struct gossip_vclock *b)
{
    bool less = false;
    bool greater = false;
    size_t i = 0;
    size_t j = 0;

    if (same_authors(a, b))
        return compare_counters(a->counters, b->counters, a->count);
    while (i < a->count && j < b->count && !(less && greater)) {
        uint32_t in_a = a->authors[i];
        uint32_t in_b = b->authors[j];

        /* An author that one of them lacks counts as 0 there, and no counter is 0. */
        if (in_a == in_b) {
            less |= a->counters[i] < b->counters[j];
            greater |= a->counters[i] > b->counters[j];
        } else {
            less |= in_b < in_a;
            greater |= in_a < in_b;
        }
        i += in_a <= in_b;
        j += in_b <= in_a;
    }
    return relation_of(less || j < b->count, greater || i < a->count);
}

bool gossip_vclock_covers_dot(const struct gossip_vclock *clock, uint32_t author, uint64_t seq)
{
    return seq == 0 || gossip_vclock_get(clock, author) >= seq;
}

bool gossip_vclock_covers(const struct gossip_vclock *clock, const struct gossip_vclock *other)
{
    size_t i = 0;

    if (other->count > clock->count)
        return false;
    for (size_t j = 0; j < other->count; j++) {
        while (i < clock->count && clock->authors[i] < other->authors[j])
            i++;
        if (!stands_at(clock, i, other->authors[j]) || clock->counters[i] < other->counters[j])
            return false;
    }
    return true;
}
