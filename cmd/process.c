#include "cmd/process.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

bool process_cpu_us(uint64_t *ret_us)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) < 0)
        return false;
    *ret_us = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
              (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    return true;
}

bool process_resident_bytes(uint64_t *ret_bytes)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long page = sysconf(_SC_PAGESIZE);
    uint64_t pages;
    bool is_read;

    if (!file)
        return false;
    is_read = page > 0 && fscanf(file, "%*s %" SCNu64, &pages) == 1;
    fclose(file);
    if (is_read)
        *ret_bytes = pages * (uint64_t)page;
    return is_read;
}

bool process_descriptors(uint64_t *ret_count)
{
    DIR *directory = opendir("/proc/self/fd");
    uint64_t count = 0;

    if (!directory)
        return false;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(directory);
    *ret_count = count - 1; /* Not the one that this has taken. */
    return count > 0;
}

bool process_descriptors_max(uint64_t *ret_count)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return false;
    *ret_count = limit.rlim_cur;
    return true;
}
