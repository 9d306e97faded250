#include "gossip/hlc.h"

#include "gossip/limits.h"

/* Where our clock ends, in the year 6429: stamps of others may go on to 2^64 - 1, but no store
 * keeps a number of ours past 2^63 - 1. */
#define LAST_STAMP ((UINT64_C(1) << 63) - 1)
#define LAST_MS    (LAST_STAMP >> 16)

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Of a full counter, one more is the next millisecond. */
static uint64_t next(uint64_t stamp)
{
    return stamp >= LAST_STAMP ? LAST_STAMP : stamp + 1;
}

uint64_t hlc_tick(uint64_t *clock, uint64_t wall_ms)
{
    *clock = greater(next(*clock), hlc_make(lesser(wall_ms, LAST_MS), 0));
    return *clock;
}

bool hlc_merge(uint64_t *clock, uint64_t stamp, uint64_t wall_ms)
{
    uint64_t wall = lesser(wall_ms, LAST_MS);
    uint64_t furthest_ms = lesser(wall + GOSSIP_HLC_AHEAD_MS, LAST_MS);
    uint64_t followed = lesser(next(stamp), hlc_make(furthest_ms, UINT16_MAX));

    *clock = greater(next(*clock), greater(followed, hlc_make(wall, 0)));
    return hlc_ms(stamp) > furthest_ms;
}
