#include "store/checksum.h"

#include "gossip/bytes.h"
#include "gossip/crypto.h"

enum { NUMBER_SIZE = 8, CHECKSUM_SIZE = 4 };

/* The first 31 bits of BLAKE2b-256, which SQLite keeps in four bytes. */
static int64_t first_bits(const struct gossip_piece *pieces, size_t count)
{
    uint8_t hash[GOSSIP_HASH_SIZE];

    gossip_crypto_sodium()->hash(hash, pieces, count);
    return (int64_t)(get_fixed(hash, CHECKSUM_SIZE) >> 1);
}

int64_t checksum_event(uint64_t delivery, uint32_t author, uint64_t seq, const void *hash_seal,
                       size_t hash_seal_size, const void *body, size_t body_size)
{
    uint8_t numbers[4 * NUMBER_SIZE];

    put_fixed(numbers, delivery, NUMBER_SIZE);
    put_fixed(numbers + NUMBER_SIZE, author, NUMBER_SIZE);
    put_fixed(numbers + 2 * NUMBER_SIZE, seq, NUMBER_SIZE);
    put_fixed(numbers + 3 * NUMBER_SIZE, hash_seal_size, NUMBER_SIZE);
    return first_bits((const struct gossip_piece[]){{numbers, sizeof(numbers)},
                                                    {hash_seal, hash_seal_size},
                                                    {body, body_size}},
                      3);
}

int64_t checksum_context(uint64_t delivery, const void *context, size_t context_size)
{
    uint8_t number[NUMBER_SIZE];

    put_fixed(number, delivery, NUMBER_SIZE);
    return first_bits(
        (const struct gossip_piece[]){{number, sizeof(number)}, {context, context_size}}, 2);
}
