#include "gossip/poison.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t nothing[GOSSIP_HASH_SIZE];

/* In the store, one meta record for each: this and its hash in hex. */
static const char prefix[] = "poison ";

enum { NAME_SIZE = sizeof(prefix) + 2 * GOSSIP_HASH_SIZE };

static bool is_watched(const struct gossip *gossip)
{
    return (gossip->options.store->ops->abilities & GOSSIP_STORE_MARKER) != 0 &&
           gossip->options.poison_crashes != GOSSIP_POISON_NEVER;
}

static int add(struct gossip *gossip, const uint8_t hash[GOSSIP_HASH_SIZE])
{
    uint8_t *hashes =
        realloc(gossip->poison, (gossip->poison_count + 1) * (size_t)GOSSIP_HASH_SIZE);

    if (hashes == NULL)
        return GOSSIP_ERR_NOMEM;
    memcpy(hashes + gossip->poison_count * GOSSIP_HASH_SIZE, hash, GOSSIP_HASH_SIZE);
    gossip->poison = hashes;
    gossip->poison_count++;
    return GOSSIP_OK;
}

static void write_name(const uint8_t hash[GOSSIP_HASH_SIZE], char ret_name[NAME_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    char *out = ret_name + sizeof(prefix) - 1;

    memcpy(ret_name, prefix, sizeof(prefix));
    for (size_t i = 0; i < GOSSIP_HASH_SIZE; i++) {
        *out++ = digits[hash[i] >> 4];
        *out++ = digits[hash[i] & 15];
    }
    *out = '\0';
}

static int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool read_name(const char *name, uint8_t ret_hash[GOSSIP_HASH_SIZE])
{
    const char *digits = name + sizeof(prefix) - 1;

    if (strlen(name) != NAME_SIZE - 1 || memcmp(name, prefix, sizeof(prefix) - 1) != 0)
        return false;
    for (size_t i = 0; i < GOSSIP_HASH_SIZE; i++) {
        int high = digit_value(digits[2 * i]);
        int low = digit_value(digits[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        ret_hash[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static int load(void *context, const struct gossip_record *record)
{
    uint8_t hash[GOSSIP_HASH_SIZE];

    if (record->kind != GOSSIP_RECORD_META)
        return 1; /* They come first. */
    return read_name(record->as.meta.name, hash) ? add(context, hash) : 0;
}

static int save(struct gossip *gossip, const uint8_t hash[GOSSIP_HASH_SIZE])
{
    struct gossip_store *store = gossip->options.store;
    char name[NAME_SIZE];
    struct gossip_record record = {.kind = GOSSIP_RECORD_META,
                                   .as.meta = {.name = name, .number = 1}};
    int error = add(gossip, hash);

    if (error < 0)
        return error;
    write_name(hash, name);
    error = store->ops->save(store, &record, 1);
    /* Without room it is known in this run, and found out again in the next. */
    return error == GOSSIP_ERR_FULL ? GOSSIP_OK : error;
}

/* Replaces the marker; where there is no room for it, the application is not protected. */
static int write_marker(struct gossip *gossip, const uint8_t *hash, uint32_t crashes)
{
    struct gossip_store *store = gossip->options.store;
    struct gossip_marker marker = {.crashes = crashes};
    int error;

    memcpy(marker.hash, hash, GOSSIP_HASH_SIZE);
    error = store->ops->write_marker(store, &marker);
    return error == GOSSIP_ERR_FULL ? GOSSIP_OK : error;
}

int poison_start(struct gossip *gossip)
{
    struct gossip_store *store = gossip->options.store;
    int error;

    if (!is_watched(gossip))
        return GOSSIP_OK;
    error = store->ops->load(store, load, gossip);
    if (error >= 0)
        error = store->ops->read_marker(store, &gossip->suspect);
    if (error < 0 || memcmp(gossip->suspect.hash, nothing, sizeof(nothing)) == 0)
        return error < 0 ? error : GOSSIP_OK;
    /* The marker stays as it is until this event or another is handed out: a start that hands out
     * nothing has not been ended by it. */
    gossip->suspect.crashes++;
    if (gossip->suspect.crashes < gossip->options.poison_crashes)
        return GOSSIP_OK;
    if (!poison_is(gossip, gossip->suspect.hash))
        error = save(gossip, gossip->suspect.hash);
    return error < 0 ? error : write_marker(gossip, nothing, 0);
}

bool poison_is(const struct gossip *gossip, const uint8_t hash[GOSSIP_HASH_SIZE])
{
    for (size_t i = 0; i < gossip->poison_count; i++)
        if (memcmp(gossip->poison + i * GOSSIP_HASH_SIZE, hash, GOSSIP_HASH_SIZE) == 0)
            return true;
    return false;
}

int poison_hand_out(struct gossip *gossip, const uint8_t hash[GOSSIP_HASH_SIZE])
{
    bool suspected = memcmp(gossip->suspect.hash, hash, GOSSIP_HASH_SIZE) == 0;

    if (!is_watched(gossip))
        return GOSSIP_OK;
    gossip->is_handing_out = true;
    return write_marker(gossip, hash, suspected ? gossip->suspect.crashes : 0);
}

int poison_take_back(struct gossip *gossip)
{
    if (!gossip->is_handing_out)
        return GOSSIP_OK;
    gossip->is_handing_out = false;
    return write_marker(gossip, nothing, 0);
}

void poison_clear(struct gossip *gossip)
{
    free(gossip->poison);
    gossip->poison = NULL;
    gossip->poison_count = 0;
}
