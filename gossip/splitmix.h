/*
 * splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014): the lots
 * of virtual worlds, where one seed decides everything. Nothing secret may depend on it; a node's
 * own randomness is gossip/random.h.
 *
 * One draw in a statement: compilers differ in the order in which they evaluate arguments.
 */
#ifndef GOSSIP_SPLITMIX_H
#define GOSSIP_SPLITMIX_H

#include <stdbool.h>
#include <stdint.h>

struct splitmix {
    uint64_t state; /* The seed, at first. */
};

static inline uint64_t splitmix_next(struct splitmix *lots)
{
    uint64_t z = lots->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* 0 to bound - 1; bound is not 0. So little biased where bound is small that no test could tell. */
static inline uint64_t splitmix_below(struct splitmix *lots, uint64_t bound)
{
    return splitmix_next(lots) % bound;
}

/* low to high, both included. */
static inline uint64_t splitmix_between(struct splitmix *lots, uint64_t low, uint64_t high)
{
    return low + splitmix_below(lots, high - low + 1);
}

enum { SPLITMIX_CERTAIN = 1000000 };

/* Whether something of this chance, in millionths, happens. Certain and impossible things cost no
 * draw, so that a fault that is off leaves the rest of a run as it was. */
static inline bool splitmix_happens(struct splitmix *lots, uint32_t chance_ppm)
{
    if (chance_ppm == 0)
        return false;
    return chance_ppm >= SPLITMIX_CERTAIN || splitmix_below(lots, SPLITMIX_CERTAIN) < chance_ppm;
}

/* A generator of its own, for one part of a world. */
static inline struct splitmix splitmix_split(struct splitmix *lots)
{
    uint64_t seed = splitmix_next(lots);

    return (struct splitmix){seed};
}

#endif
