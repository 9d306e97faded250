/*
 * The machine's clocks and randomness, over calls that tests replace.
 */
#ifndef TRANSPORT_CLOCK_H
#define TRANSPORT_CLOCK_H

#include <sys/types.h>
#include <time.h>

#include "gossip/transport.h"

struct system_time {
    struct gossip_time base;
    int (*read_clock)(clockid_t clock, struct timespec *ret_time);        /* clock_gettime(2) */
    ssize_t (*draw_bytes)(void *buffer, size_t size, unsigned int flags); /* getrandom(2) */
};

extern const struct gossip_time_ops system_time_ops;

#endif
