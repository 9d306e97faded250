#include "gossip/arena.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 65536 };

struct arena_block {
    struct arena_block *next;
    size_t size;
    _Alignas(max_align_t) unsigned char memory[];
};

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t aligned =
        (size + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
    void *memory;

    if (arena->blocks == NULL || arena->blocks->size - arena->used < aligned) {
        size_t block_size = aligned > BLOCK_SIZE ? aligned : BLOCK_SIZE;
        struct arena_block *block = malloc(sizeof(*block) + block_size);

        if (block == NULL)
            return NULL;
        block->next = arena->blocks;
        block->size = block_size;
        arena->blocks = block;
        arena->used = 0;
    }
    memory = arena->blocks->memory + arena->used;
    arena->used += aligned;
    return memory;
}

void *arena_copy(struct arena *arena, const void *data, size_t size)
{
    void *copy = arena_alloc(arena, size == 0 ? 1 : size);

    if (copy != NULL && size > 0)
        memcpy(copy, data, size);
    return copy;
}

void arena_reset(struct arena *arena)
{
    struct arena_block *kept = NULL;

    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;

        arena->blocks = block->next;
        if (kept == NULL && block->size == BLOCK_SIZE)
            kept = block;
        else
            free(block);
    }
    if (kept != NULL)
        kept->next = NULL;
    arena->blocks = kept;
    arena->used = 0;
}

void arena_clear(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;

        arena->blocks = block->next;
        free(block);
    }
    arena->used = 0;
}
