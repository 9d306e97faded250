#include "transport/virtual_flights.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* What is kept for the next datagrams: 5 MiB, more than a thousand nodes at rest have on their
     * way at once. */
    UNUSED_MAX = 4096,

    HEAP_MIN = 64,
};

void flights_append(struct flights *flights, struct flight *flight)
{
    flight->next = NULL;
    if (flights->last == NULL)
        flights->first = flight;
    else
        flights->last->next = flight;
    flights->last = flight;
    flights->count++;
}

struct flight *flights_take(struct flights *flights)
{
    struct flight *flight = flights->first;

    assert(flight != NULL);
    flights->first = flight->next;
    if (flights->first == NULL)
        flights->last = NULL;
    flights->count--;
    return flight;
}

void sky_clear(struct sky *sky)
{
    for (size_t i = 0; i < sky->count; i++)
        free(sky->heap[i].flight);
    while (sky->unused.count > 0)
        free(flights_take(&sky->unused));
    free(sky->heap);
    memset(sky, 0, sizeof(*sky));
}

/* Room in the heap comes first, so that a flight that was given can depart. */
static bool reserve(struct sky *sky)
{
    size_t capacity = sky->capacity == 0 ? HEAP_MIN : 2 * sky->capacity;
    struct departure *heap;

    if (sky->count < sky->capacity)
        return true;
    heap = realloc(sky->heap, capacity * sizeof(*heap));
    if (heap == NULL)
        return false;
    sky->heap = heap;
    sky->capacity = capacity;
    return true;
}

struct flight *sky_get(struct sky *sky)
{
    if (!reserve(sky))
        return NULL;
    if (sky->unused.count > 0)
        return flights_take(&sky->unused);
    return malloc(sizeof(struct flight));
}

/* The last one put back is the next one used: it is still in the cache. */
void sky_put(struct sky *sky, struct flight *flight)
{
    struct flights *unused = &sky->unused;

    if (unused->count == UNUSED_MAX) {
        free(flight);
        return;
    }
    flight->next = unused->first;
    unused->first = flight;
    if (unused->last == NULL)
        unused->last = flight;
    unused->count++;
}

void sky_put_all(struct sky *sky, struct flights *flights)
{
    while (flights->count > 0)
        sky_put(sky, flights_take(flights));
}

static bool is_before(const struct departure *a, const struct departure *b)
{
    return a->due_ms < b->due_ms || (a->due_ms == b->due_ms && a->number < b->number);
}

void sky_depart(struct sky *sky, struct flight *flight, uint64_t due_ms)
{
    struct departure departure = {due_ms, sky->departures++, flight};
    size_t place = sky->count++;

    assert(place < sky->capacity);
    while (place > 0) {
        size_t parent = (place - 1) / 2;

        if (!is_before(&departure, &sky->heap[parent]))
            break;
        sky->heap[place] = sky->heap[parent];
        place = parent;
    }
    sky->heap[place] = departure;
}

uint64_t sky_due(const struct sky *sky)
{
    return sky->count == 0 ? UINT64_MAX : sky->heap[0].due_ms;
}

struct flight *sky_arrive(struct sky *sky)
{
    struct flight *flight;
    struct departure last;
    size_t place = 0;

    assert(sky->count > 0);
    flight = sky->heap[0].flight;
    last = sky->heap[--sky->count];
    for (;;) {
        size_t child = 2 * place + 1;

        if (child >= sky->count)
            break;
        if (child + 1 < sky->count && is_before(&sky->heap[child + 1], &sky->heap[child]))
            child++;
        if (!is_before(&sky->heap[child], &last))
            break;
        sky->heap[place] = sky->heap[child];
        place = child;
    }
    sky->heap[place] = last;
    return flight;
}
