#include "gossip/hlc.h"

#include "gossip/limits.h"

/* The last millisecond that a stamp can show, in the year 10889. */
#define LAST_MS ((UINT64_C(1) << 48) - 1)

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
    return stamp == UINT64_MAX ? stamp : stamp + 1;
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
