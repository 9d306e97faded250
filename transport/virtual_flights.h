/*
 * Datagrams of a virtual network: lists of them, a store of unused ones, and in which order those
 * on their way arrive. They are many and short-lived, so memory is used again.
 */
#ifndef GOSSIP_TRANSPORT_VIRTUAL_FLIGHTS_H
#define GOSSIP_TRANSPORT_VIRTUAL_FLIGHTS_H

#include "gossip/transport.h"

#include <stdbool.h>

/* One more than anybody may send, so that the node sees that it was too much. */
enum { FLIGHT_SIZE_MAX = GOSSIP_DATAGRAM_MAX + 1 };

/* A datagram on its way, in an inbox, or lent to who received it. */
struct flight {
    struct flight *next;
    struct gossip_address from;
    struct gossip_address to;
    size_t size;
    uint8_t data[FLIGHT_SIZE_MAX];
};

/* Empty when all zero. */
struct flights {
    struct flight *first;
    struct flight *last;
    size_t count;
};

void flights_append(struct flights *flights, struct flight *flight);
struct flight *flights_take(struct flights *flights); /* The first; there must be one. */

struct departure {
    uint64_t due_ms;
    uint64_t number; /* Tells apart what is due at once. */
    struct flight *flight;
};

/* What flies and what is unused. All zero at first. */
struct sky {
    struct departure *heap;
    size_t count; /* On their way. */
    size_t capacity;
    uint64_t departures;
    struct flights unused;
};

void sky_clear(struct sky *sky);

/* A flight that may depart, its contents undefined. NULL when there is no memory. */
struct flight *sky_get(struct sky *sky);

/* Flights that are no longer needed; many of them are kept for sky_get(). */
void sky_put(struct sky *sky, struct flight *flight);
void sky_put_all(struct sky *sky, struct flights *flights);

/* Lets a flight fly that sky_get() has just given. */
void sky_depart(struct sky *sky, struct flight *flight, uint64_t due_ms);

/* When the next arrives, UINT64_MAX if none flies; and that one, which there must be. Of those that
 * are due at once the first to depart. */
uint64_t sky_due(const struct sky *sky);
struct flight *sky_arrive(struct sky *sky);

#endif
