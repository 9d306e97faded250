/*
 * How much of all crashes and failures a run makes: a share in scripts/test, all of it, in parts,
 * in `scripts/soak --crash`.
 */
#ifndef TESTS_CRASH_SHARE_H
#define TESTS_CRASH_SHARE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* GOSSIP_CRASH_DRAWS: how many times as many draws of what damage does as usual. */
static inline unsigned crash_draws(void)
{
    const char *text = getenv("GOSSIP_CRASH_DRAWS");
    unsigned long number = text == NULL ? 1 : strtoul(text, NULL, 10);

    assert(number >= 1 && number <= 1000000);
    return (unsigned)number;
}

/* GOSSIP_CRASH_ALL: nothing is left out for being much like its neighbours. */
static inline bool crash_all(void)
{
    return getenv("GOSSIP_CRASH_ALL") != NULL;
}

/* GOSSIP_CRASH_PART=i/n: whether the operation is in the i-th of n parts, from 0. */
static inline bool crash_is_ours(uint64_t at)
{
    const char *text = getenv("GOSSIP_CRASH_PART");
    unsigned part;
    unsigned parts;
    int read;

    if (text == NULL)
        return true;
    read = sscanf(text, "%u/%u", &part, &parts);
    assert(read == 2 && part < parts);
    return at % parts == part;
}

#endif
