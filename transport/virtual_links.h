/*
 * The links of a virtual network: what each does, and what it has come to in doing so. Most of them
 * do what all do and have nothing to remember; they take no memory.
 */
#ifndef GOSSIP_TRANSPORT_VIRTUAL_LINKS_H
#define GOSSIP_TRANSPORT_VIRTUAL_LINKS_H

#include "transport/virtual.h"

struct link {
    uint64_t ends; /* Both hosts. */
    struct virtual_link does;
    bool is_set;         /* Itself; otherwise it does as the default, ... */
    uint64_t generation; /* ... if this is still that of the default. */
    uint64_t set_ms;     /* Flaps count from here. */
    uint64_t burst_end_ms;
    uint64_t backlog;    /* Thousandths of bytes that had not left yet ... */
    uint64_t backlog_ms; /* ... at this time. What passes in a millisecond is whole in this unit. */
};

/* All zero at first: all are perfect. */
struct links {
    struct link fallback; /* The default. */
    struct link *links;   /* Never removed: there are no more than pairs of hosts. */
    size_t count;
    size_t capacity;
    uint32_t *slots; /* A hash table of places in links, counted from 1, at most half full. */
    size_t slot_count;
};

void links_clear(struct links *links);

void links_set_default(struct links *links, const struct virtual_link *does, uint64_t now_ms);

/* NULL: as the default. False, and nothing changed, when there is no memory. */
bool links_set(struct links *links, unsigned from, unsigned to, const struct virtual_link *does,
               uint64_t now_ms);

const struct virtual_link *links_get(const struct links *links, unsigned from, unsigned to);

/* The link that a datagram takes; what it has come to may be changed, if it does anything that
 * needs to be remembered. Lent until the next call. NULL when there is no memory. */
struct link *links_use(struct links *links, unsigned from, unsigned to);

#endif
