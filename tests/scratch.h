/*
 * Where tests keep files for a moment: in memory where the system has such a place, since they sync
 * far more often than any disk likes.
 */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Makes a directory of its own and writes its path; whether that could be done. */
static inline int scratch_directory(const char *name, char *ret_path, size_t size)
{
    const char *base = access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";

    snprintf(ret_path, size, "%s/gossip-%s-XXXXXX", base, name);
    return mkdtemp(ret_path) != NULL;
}

#endif
