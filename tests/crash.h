/*
 * A store's life on a virtual disk, played from a script, through crashes and faults, with a check
 * of everything that it shows against what it has promised.
 */
#ifndef TESTS_CRASH_H
#define TESTS_CRASH_H

#include "store/virtual_disk.h"

enum {
    CRASH_SAVES = 20, /* In the script. */
};

/* Makes the script and what a store must hold after each of its saves. */
void crash_prepare(void);
void crash_clean_up(void);

/* One store on one disk. */
struct crash_run {
    uint64_t seed;
    const char *story; /* What is done to it, for whoever reads of a failure. */
    struct virtual_disk *disk;
    bool created;      /* Creating it was acknowledged. */
    unsigned acked;    /* So many saves of the script were. */
    bool in_flight;    /* The next one failed, and may come back. */
    unsigned full;     /* How many calls were refused for lack of room. */
    bool gets_tight;   /* From the save tight_at on there is room for so many bytes more, */
    unsigned tight_at; /* until a call is refused. */
    uint64_t tight_room;
    unsigned log_starts; /* How often the log began anew after a checkpoint. */
    unsigned ahead;      /* How often what was in flight had come through. */
    bool may_lose;       /* That acknowledged saves are gone ends no test, but is counted: */
    unsigned lost;       /* so many. */
};

void crash_begin(struct crash_run *run, const char *story, uint64_t seed);
void crash_end(struct crash_run *run);

/* Lets a process live: it opens or makes the store, checks what it shows, goes on with the script
 * up to the given number of saves, opening it anew now and then, and ends: with a clean close or,
 * as a process that is killed, without. It ends at the first failure, too, which is returned. Where
 * the disk is full it makes room and tries again. */
int crash_live(struct crash_run *run, unsigned saves, bool is_killed);

/* Ends the test unless condition holds. */
void crash_require(const struct crash_run *run, bool condition, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
