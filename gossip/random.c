#include "gossip/random.h"

#include <assert.h>
#include <string.h>

#include "gossip/bytes.h"

void random_start(struct random_source *random, const struct gossip_crypto *crypto,
                  const uint8_t seed[32])
{
    memset(random, 0, sizeof(*random));
    random->crypto = crypto;
    memcpy(random->key, seed, sizeof(random->key));
    random->used = sizeof(random->block);
}

void random_bytes(struct random_source *random, uint8_t *ret_bytes, size_t size)
{
    while (size > 0) {
        size_t available = sizeof(random->block) - random->used;
        size_t taken;

        if (available == 0) {
            random->crypto->stream(random->block, sizeof(random->block), random->key,
                                   random->number++);
            random->used = 0;
            available = sizeof(random->block);
        }
        taken = size < available ? size : available;
        memcpy(ret_bytes, random->block + random->used, taken);
        random->used += taken;
        ret_bytes += taken;
        size -= taken;
    }
}

uint64_t random_below(struct random_source *random, uint64_t bound)
{
    /* Values below this belong to a last, incomplete round of bound values. */
    uint64_t least = (0 - bound) % bound;
    uint8_t bytes[8];
    uint64_t value;

    assert(bound > 0);
    do {
        random_bytes(random, bytes, sizeof(bytes));
        value = get_fixed(bytes, sizeof(bytes));
    } while (value < least);
    return value % bound;
}
