#include "cmd/lab/room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void give_up(size_t size)
{
    fprintf(stderr, "gossip lab: no memory for %zu bytes: run fewer nodes or events\n", size);
    exit(71); /* EX_OSERR */
}

void *room_for(void *items, size_t *capacity, size_t count, size_t size)
{
    size_t wider = *capacity == 0 ? 16 : *capacity;
    char *room;

    if (count <= *capacity)
        return items;
    while (wider < count)
        wider *= 2;
    room = realloc(items, wider * size);
    if (room == NULL)
        give_up(wider * size);
    memset(room + *capacity * size, 0, (wider - *capacity) * size);
    *capacity = wider;
    return room;
}

void *room_new(size_t size)
{
    void *room = calloc(1, size);

    if (room == NULL)
        give_up(size);
    return room;
}
