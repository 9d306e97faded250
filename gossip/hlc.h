/*
 * Hybrid logical clocks: Kulkarni, Demirbas, Madappa, Avva, Leone, "Logical Physical Clocks", 2014.
 * A stamp is 48 bits of milliseconds since 1970 and 16 bits of counter; stamps compare as numbers.
 */
#ifndef GOSSIP_HLC_H
#define GOSSIP_HLC_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t hlc_make(uint64_t wall_ms, uint16_t counter)
{
    return wall_ms << 16 | counter;
}

static inline uint64_t hlc_ms(uint64_t stamp)
{
    return stamp >> 16;
}

/* The stamp of a new event: past *clock, and not before wall_ms. Moves *clock there. When the
 * counter is full, a millisecond is borrowed from the future. A wall clock past 47 bits counts as
 * their last millisecond; at the last stamp, 2^63 - 1, the clock stands still. */
uint64_t hlc_tick(uint64_t *clock, uint64_t wall_ms);

/* Moves *clock for an event received with stamp, as an event of our own would ((100,5), wall 90,
 * stamp (99,7): (100,6)), but follows a stamp no further than GOSSIP_HLC_AHEAD_MS past wall_ms.
 * Returns whether the stamp was further ahead than that. Never moves *clock back, nor past its last
 * stamp. */
bool hlc_merge(uint64_t *clock, uint64_t stamp, uint64_t wall_ms);

#endif
