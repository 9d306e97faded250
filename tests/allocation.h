/*
 * Allocations that are counted and fail when told to. For one file of a program that is linked with
 * -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc; of libraries that are linked dynamically they
 * see nothing.
 */
#ifndef TESTS_ALLOCATION_H
#define TESTS_ALLOCATION_H

#include <stdbool.h>
#include <stddef.h>

static size_t allocation_count;   /* Since the start. */
static size_t allocation_to_fail; /* 0: none. 1: the next one. */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

/* Makes the nth allocation from here on fail, once; 0: none. */
static inline void allocation_fail(size_t nth)
{
    allocation_to_fail = nth;
}

static inline bool allocation_fails(void)
{
    allocation_count++;
    return allocation_to_fail > 0 && --allocation_to_fail == 0;
}

void *__wrap_malloc(size_t size)
{
    return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return allocation_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return allocation_fails() ? NULL : __real_realloc(memory, size);
}

#endif
