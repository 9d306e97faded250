#include "gossip/records.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/gossip.h"

void records_clear(struct records *records)
{
    for (size_t i = 0; i < records->count; i++)
        free(records->items[i]);
    free(records->items);
    free(records->pieces);
    memset(records, 0, sizeof(*records));
}

size_t records_place(const struct records *records, const uint8_t id[GOSSIP_ID_SIZE])
{
    size_t low = 0;
    size_t high = records->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (memcmp(records->items[middle]->id, id, GOSSIP_ID_SIZE) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct signed_record *records_find(const struct records *records,
                                         const uint8_t id[GOSSIP_ID_SIZE])
{
    size_t place = records_place(records, id);

    if (place < records->count && memcmp(records->items[place]->id, id, GOSSIP_ID_SIZE) == 0)
        return records->items[place];
    return NULL;
}

int records_add(struct records *records, const struct gossip_crypto *crypto, const uint8_t *bytes,
                size_t size, const struct signed_record **ret_record)
{
    struct signed_record *record;
    size_t place;

    if (records->count == records->capacity) {
        size_t capacity = records->capacity == 0 ? 16 : records->capacity * 2;
        struct signed_record **items = realloc(records->items, capacity * sizeof(*items));
        struct gossip_piece *pieces;

        if (items == NULL)
            return GOSSIP_ERR_NOMEM;
        records->items = items;
        pieces = realloc(records->pieces, (capacity + 1) * sizeof(*pieces));
        if (pieces == NULL)
            return GOSSIP_ERR_NOMEM;
        records->pieces = pieces;
        records->capacity = capacity;
    }
    record = malloc(sizeof(*record) + size);
    if (record == NULL)
        return GOSSIP_ERR_NOMEM;
    record_id(crypto, bytes, size, record->id);
    record->type = bytes[0];
    record->size = size;
    memcpy(record->bytes, bytes, size);

    assert(records_find(records, record->id) == NULL);
    place = records_place(records, record->id);
    memmove(records->items + place + 1, records->items + place,
            (records->count - place) * sizeof(*records->items));
    records->items[place] = record;
    records->count++;
    *ret_record = record;
    return GOSSIP_OK;
}

void records_hash(const struct records *records, const struct gossip_crypto *crypto,
                  uint8_t ret_hash[GOSSIP_HASH_SIZE])
{
    struct gossip_piece nothing;
    struct gossip_piece *pieces = records->count == 0 ? &nothing : records->pieces;
    size_t count = 1;

    pieces[0] = (struct gossip_piece){GOSSIP_DOMAIN_RECORDS, sizeof(GOSSIP_DOMAIN_RECORDS)};
    for (size_t i = 0; i < records->count; i++) {
        if (records->items[i]->type == GOSSIP_SIGNED_PROOF)
            continue;
        pieces[count++] = (struct gossip_piece){records->items[i]->id, GOSSIP_HASH_SIZE};
    }
    crypto->hash(ret_hash, pieces, count);
}
