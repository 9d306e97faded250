#include "gossip/assembly.h"

#include <stdlib.h>
#include <string.h>

static void drop(struct assemblies *assemblies, size_t place)
{
    free(assemblies->items[place]);
    assemblies->count--;
    memmove(assemblies->items + place, assemblies->items + place + 1,
            (assemblies->count - place) * sizeof(struct assembly *));
}

void assemblies_clear(struct assemblies *assemblies)
{
    while (assemblies->count > 0)
        drop(assemblies, assemblies->count - 1);
}

/* Makes it the last: those that nothing comes for any more end up first. */
static struct assembly *touch(struct assemblies *assemblies, size_t place)
{
    struct assembly *assembly = assemblies->items[place];

    memmove(assemblies->items + place, assemblies->items + place + 1,
            (assemblies->count - 1 - place) * sizeof(struct assembly *));
    assemblies->items[assemblies->count - 1] = assembly;
    return assembly;
}

/* The oldest of the peer gives way where it has enough, else the oldest of all. */
static void make_room(struct assemblies *assemblies, uint32_t source)
{
    size_t oldest = SIZE_MAX;
    size_t count = 0;

    for (size_t i = 0; i < assemblies->count; i++) {
        if (assemblies->items[i]->source != source)
            continue;
        if (count++ == 0)
            oldest = i;
    }
    if (count >= ASSEMBLIES_OF_PEER)
        drop(assemblies, oldest);
    else if (assemblies->count == ASSEMBLIES_MAX)
        drop(assemblies, 0);
}

static struct assembly *find_or_add(struct assemblies *assemblies,
                                    const struct wire_record_part *part, uint32_t source)
{
    struct assembly *assembly;

    for (size_t i = 0; i < assemblies->count; i++) {
        if (assemblies->items[i]->source == source &&
            memcmp(assemblies->items[i]->id, part->id, GOSSIP_ID_SIZE) == 0)
            return touch(assemblies, i);
    }
    assembly = calloc(1, sizeof(*assembly));
    if (assembly == NULL)
        return NULL;
    make_room(assemblies, source);
    memcpy(assembly->id, part->id, GOSSIP_ID_SIZE);
    assembly->source = source;
    assembly->size = part->size;
    assemblies->items[assemblies->count++] = assembly;
    return assembly;
}

enum assembly_outcome assemblies_take(struct assemblies *assemblies,
                                      const struct wire_record_part *part, uint32_t source,
                                      struct wire_bytes *ret_bytes)
{
    struct assembly *assembly;
    uint32_t received;

    if (part->data.size == part->size) { /* Most come whole. */
        *ret_bytes = part->data;
        return ASSEMBLY_WHOLE;
    }
    assembly = find_or_add(assemblies, part, source);
    if (assembly == NULL)
        return ASSEMBLY_NO_MEMORY;
    if (assembly->size != part->size) {
        drop(assemblies, assemblies->count - 1);
        return ASSEMBLY_CONFLICT;
    }
    received = assembly->received;
    for (uint32_t i = 0; i < part->data.size; i++) {
        uint32_t place = part->offset + i;
        uint8_t bit = (uint8_t)(1 << place % 8);

        if (assembly->seen[place / 8] & bit)
            continue;
        assembly->seen[place / 8] |= bit;
        assembly->bytes[place] = part->data.data[i];
        assembly->received++;
    }
    if (assembly->received == assembly->size) {
        /* It may be wrong; then it is built anew from the next part on. */
        assembly->received = 0;
        memset(assembly->seen, 0, sizeof(assembly->seen));
        *ret_bytes = (struct wire_bytes){assembly->bytes, assembly->size};
        return ASSEMBLY_WHOLE;
    }
    return assembly->received > received ? ASSEMBLY_PART : ASSEMBLY_DUPLICATE;
}
