#include "transport/virtual_links.h"

#include <stdlib.h>
#include <string.h>

#include "gossip/splitmix.h"

enum { LINKS_MIN = 16 };

void links_clear(struct links *links)
{
    free(links->links);
    free(links->slots);
    memset(links, 0, sizeof(*links));
}

static uint64_t ends_of(unsigned from, unsigned to)
{
    return (uint64_t)from << 32 | to;
}

/* Where in the table the link stands, or would. */
static size_t slot_of(const struct links *links, uint64_t ends)
{
    struct splitmix hash = {ends};
    size_t mask = links->slot_count - 1;
    size_t slot = (size_t)splitmix_next(&hash) & mask;

    while (links->slots[slot] != 0 && links->links[links->slots[slot] - 1].ends != ends)
        slot = (slot + 1) & mask;
    return slot;
}

/* NULL: it does as the default and remembers nothing. */
static struct link *find(const struct links *links, unsigned from, unsigned to)
{
    uint32_t place;

    if (links->count == 0)
        return NULL;
    place = links->slots[slot_of(links, ends_of(from, to))];
    return place == 0 ? NULL : &links->links[place - 1];
}

static bool reserve_slots(struct links *links)
{
    size_t count = links->slot_count == 0 ? 2 * LINKS_MIN : 2 * links->slot_count;
    uint32_t *slots;

    if (2 * (links->count + 1) <= links->slot_count)
        return true;
    slots = calloc(count, sizeof(*slots));
    if (slots == NULL)
        return false;
    free(links->slots);
    links->slots = slots;
    links->slot_count = count;
    for (size_t i = 0; i < links->count; i++)
        slots[slot_of(links, links->links[i].ends)] = (uint32_t)(i + 1);
    return true;
}

static bool reserve_links(struct links *links)
{
    size_t capacity = links->capacity == 0 ? LINKS_MIN : 2 * links->capacity;
    struct link *grown;

    if (links->count < links->capacity)
        return true;
    grown = realloc(links->links, capacity * sizeof(*grown));
    if (grown == NULL)
        return false;
    links->links = grown;
    links->capacity = capacity;
    return true;
}

/* It does as the default, from when that was set, and has come to nothing yet. */
static void begin_as_default(const struct links *links, struct link *link, uint64_t ends)
{
    *link = links->fallback;
    link->ends = ends;
}

/* NULL when there is no memory. */
static struct link *find_or_add(struct links *links, unsigned from, unsigned to)
{
    struct link *link = find(links, from, to);

    if (link != NULL)
        return link;
    if (!reserve_slots(links) || !reserve_links(links))
        return NULL;
    link = &links->links[links->count];
    begin_as_default(links, link, ends_of(from, to));
    links->slots[slot_of(links, link->ends)] = (uint32_t)++links->count;
    return link;
}

void links_set_default(struct links *links, const struct virtual_link *does, uint64_t now_ms)
{
    links->fallback.does = *does;
    links->fallback.set_ms = now_ms;
    links->fallback.generation++;
}

bool links_set(struct links *links, unsigned from, unsigned to, const struct virtual_link *does,
               uint64_t now_ms)
{
    struct link *link;

    if (does == NULL) {
        link = find(links, from, to);
        if (link != NULL)
            begin_as_default(links, link, link->ends);
        return true;
    }
    link = find_or_add(links, from, to);
    if (link == NULL)
        return false;
    *link =
        (struct link){.ends = ends_of(from, to), .does = *does, .is_set = true, .set_ms = now_ms};
    return true;
}

const struct virtual_link *links_get(const struct links *links, unsigned from, unsigned to)
{
    const struct link *link = find(links, from, to);

    return link != NULL && link->is_set ? &link->does : &links->fallback.does;
}

static bool remembers(const struct virtual_link *does)
{
    return does->bandwidth > 0 || (does->burst_ppm > 0 && does->burst_ms > 0);
}

struct link *links_use(struct links *links, unsigned from, unsigned to)
{
    struct link *link = find(links, from, to);

    if (link == NULL)
        return remembers(&links->fallback.does) ? find_or_add(links, from, to) : &links->fallback;
    if (!link->is_set && link->generation != links->fallback.generation)
        begin_as_default(links, link, link->ends);
    return link;
}
