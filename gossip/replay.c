#include "gossip/replay.h"

#include <assert.h>
#include <string.h>

static void clear_bit(struct replay_window *window, uint64_t counter)
{
    window->seen[counter / 64 % (GOSSIP_REPLAY_WINDOW / 64)] &= ~(UINT64_C(1) << counter % 64);
}

static void set_bit(struct replay_window *window, uint64_t counter)
{
    window->seen[counter / 64 % (GOSSIP_REPLAY_WINDOW / 64)] |= UINT64_C(1) << counter % 64;
}

static bool get_bit(const struct replay_window *window, uint64_t counter)
{
    return (window->seen[counter / 64 % (GOSSIP_REPLAY_WINDOW / 64)] >> counter % 64 & 1) != 0;
}

void replay_reset(struct replay_window *window, uint64_t greatest)
{
    memset(window, 0, sizeof(*window));
    window->floor = greatest;
    window->greatest = greatest;
}

bool replay_is_new(const struct replay_window *window, uint64_t counter)
{
    if (counter > window->greatest)
        return true;
    if (counter <= window->floor || window->greatest - counter >= GOSSIP_REPLAY_WINDOW)
        return false;
    return !get_bit(window, counter);
}

void replay_mark(struct replay_window *window, uint64_t counter)
{
    assert(replay_is_new(window, counter));
    if (counter > window->greatest) {
        uint64_t distance = counter - window->greatest;

        /* The bits of the counters passed over still tell of those a window below. */
        if (distance >= GOSSIP_REPLAY_WINDOW) {
            memset(window->seen, 0, sizeof(window->seen));
        } else {
            for (uint64_t i = 1; i <= distance; i++)
                clear_bit(window, window->greatest + i);
        }
        window->greatest = counter;
    }
    set_bit(window, counter);
}
