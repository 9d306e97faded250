#include "transport/clock.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>

#include "gossip/gossip.h"

enum {
    MS_PER_SECOND = 1000,
    NS_PER_MS = 1000000,
};

static uint64_t to_ms(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * MS_PER_SECOND + (uint64_t)time->tv_nsec / NS_PER_MS;
}

/* CLOCK_MONOTONIC stands still while the machine sleeps: tokens and silences would look younger
 * than they are. It serves where a sandbox refuses CLOCK_BOOTTIME, and never in turn with it: a
 * sandbox does not change its mind. */
static uint64_t monotonic_ms(struct gossip_time *base)
{
    struct system_time *time = (struct system_time *)base;
    struct timespec now;

    if (time->read_clock(CLOCK_BOOTTIME, &now) < 0) {
        int result = time->read_clock(CLOCK_MONOTONIC, &now);

        assert(result == 0); /* Every Linux has it. */
    }
    return to_ms(&now);
}

static uint64_t wall_ms(struct gossip_time *base)
{
    struct system_time *time = (struct system_time *)base;
    struct timespec now;
    int result = time->read_clock(CLOCK_REALTIME, &now);

    assert(result == 0);
    return now.tv_sec < 0 ? 0 : to_ms(&now); /* A machine may believe it is 1969. */
}

/* Waits only in the first moments of a machine's life, before the kernel has any randomness: then
 * there is nothing better to do. */
static int draw_random(struct gossip_time *base, uint8_t *buffer, size_t size)
{
    struct system_time *time = (struct system_time *)base;
    size_t drawn = 0;

    while (drawn < size) {
        ssize_t count = time->draw_bytes(buffer + drawn, size - drawn, 0);

        if (count > 0)
            drawn += (size_t)count;
        else if (count == 0 || errno != EINTR)
            return GOSSIP_ERR_IO;
    }
    return GOSSIP_OK;
}

const struct gossip_time_ops system_time_ops = {
    .monotonic_ms = monotonic_ms,
    .wall_ms = wall_ms,
    .random = draw_random,
};

struct gossip_time *gossip_system_time(void)
{
    static struct system_time system_time = {
        .base = {&system_time_ops},
        .read_clock = clock_gettime,
        .draw_bytes = getrandom,
    };

    return &system_time.base;
}
