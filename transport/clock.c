#include "gossip/transport.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include "gossip/gossip.h"

static uint64_t milliseconds(clockid_t clock)
{
    struct timespec now;
    int result = clock_gettime(clock, &now);

    assert(result == 0); /* These clocks cannot fail. */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* CLOCK_BOOTTIME goes on while the machine sleeps, so that a node that wakes up knows how long it
 * has heard nothing. */
static uint64_t system_monotonic_ms(struct gossip_time *time)
{
    (void)time;
    return milliseconds(CLOCK_BOOTTIME);
}

static uint64_t system_wall_ms(struct gossip_time *time)
{
    (void)time;
    return milliseconds(CLOCK_REALTIME);
}

static int system_random(struct gossip_time *time, uint8_t *buffer, size_t size)
{
    (void)time;
    while (size > 0) {
        ssize_t got = getrandom(buffer, size, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return GOSSIP_ERR_IO;
        buffer += got;
        size -= (size_t)got;
    }
    return GOSSIP_OK;
}

struct gossip_time *gossip_system_time(void)
{
    static const struct gossip_time_ops ops = {system_monotonic_ms, system_wall_ms, system_random};
    static struct gossip_time time = {&ops};

    return &time;
}
