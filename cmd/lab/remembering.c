#include "cmd/lab/remembering.h"

#include <string.h>

enum {
    ANSWERS_MAX = 65536, /* Of each kind; 6 MiB in all. */
    NAME_SIZE = 16,
    SHARED_SIZE = 32,
};

/* The questions are known by a hash, libsodium's too: what has been altered on purpose must never
 * be taken for what was verified. Two with one place take turns. */
struct verdict {
    uint8_t name[NAME_SIZE];
    bool is_known;
    bool answer;
};

struct agreement {
    uint8_t name[NAME_SIZE];
    bool is_known;
    bool answer;
    uint8_t shared[SHARED_SIZE];
};

static struct verdict verifications[ANSWERS_MAX];
static struct verdict pairs[ANSWERS_MAX]; /* Whether the halves of a secret belong together. */
static struct agreement agreements[ANSWERS_MAX];

static size_t name_question(const char *kind, const struct gossip_piece *pieces, size_t count,
                            uint8_t ret_name[NAME_SIZE])
{
    uint8_t key[NAME_SIZE] = {0};

    memcpy(key, kind, strlen(kind));
    gossip_crypto_sodium()->keyed_hash(ret_name, key, sizeof(key), pieces, count);
    return (size_t)(ret_name[0] | ret_name[1] << 8);
}

_Static_assert(ANSWERS_MAX == 1 << 16, "two bytes of a name are a place");

/* Whether the answer stands there; if not, makes place for it. */
static bool recall(struct verdict *verdict, const uint8_t name[NAME_SIZE])
{
    if (verdict->is_known && memcmp(verdict->name, name, NAME_SIZE) == 0)
        return true;
    verdict->is_known = true;
    memcpy(verdict->name, name, NAME_SIZE);
    return false;
}

static struct verdict *find_verification(const uint8_t signature[GOSSIP_SIGNATURE_SIZE],
                                         const void *data, size_t size,
                                         const uint8_t key[GOSSIP_KEY_SIZE],
                                         uint8_t ret_name[NAME_SIZE])
{
    const struct gossip_piece pieces[] = {
        {signature, GOSSIP_SIGNATURE_SIZE}, {key, GOSSIP_KEY_SIZE}, {data, size}};

    return &verifications[name_question("verify", pieces, 3, ret_name)];
}

static bool remembering_verify(const uint8_t signature[GOSSIP_SIGNATURE_SIZE], const void *data,
                               size_t size, const uint8_t key[GOSSIP_KEY_SIZE])
{
    uint8_t name[NAME_SIZE];
    struct verdict *verdict = find_verification(signature, data, size, key, name);

    if (!recall(verdict, name))
        verdict->answer = gossip_crypto_sodium()->verify(signature, data, size, key);
    return verdict->answer;
}

/* Whether the public half of a secret is that of its seed, so that what it signs verifies. */
static bool is_pair(const uint8_t secret[GOSSIP_SECRET_SIZE])
{
    const struct gossip_piece piece = {secret, GOSSIP_SECRET_SIZE};
    uint8_t name[NAME_SIZE];
    struct verdict *verdict = &pairs[name_question("pair", &piece, 1, name)];
    uint8_t key[GOSSIP_KEY_SIZE];
    uint8_t made[GOSSIP_SECRET_SIZE];

    if (!recall(verdict, name)) {
        gossip_crypto_sodium()->key_pair(secret, key, made);
        verdict->answer = memcmp(made, secret, sizeof(made)) == 0;
    }
    return verdict->answer;
}

/* What was signed here verifies; nobody needs to ask. */
static void remembering_sign(uint8_t ret_signature[GOSSIP_SIGNATURE_SIZE], const void *data,
                             size_t size, const uint8_t secret[GOSSIP_SECRET_SIZE])
{
    const uint8_t *key = secret + GOSSIP_SEED_SIZE;
    uint8_t name[NAME_SIZE];
    struct verdict *verdict;

    gossip_crypto_sodium()->sign(ret_signature, data, size, secret);
    if (!is_pair(secret))
        return;
    verdict = find_verification(ret_signature, data, size, key, name);
    if (!recall(verdict, name))
        verdict->answer = true;
}

static bool remembering_agree(uint8_t ret_shared[SHARED_SIZE],
                              const uint8_t secret[GOSSIP_SECRET_SIZE],
                              const uint8_t key[GOSSIP_KEY_SIZE])
{
    const struct gossip_piece pieces[] = {{secret, GOSSIP_SECRET_SIZE}, {key, GOSSIP_KEY_SIZE}};
    uint8_t name[NAME_SIZE];
    struct agreement *place = &agreements[name_question("agree", pieces, 2, name)];

    if (!place->is_known || memcmp(place->name, name, sizeof(name)) != 0) {
        place->answer = gossip_crypto_sodium()->agree(place->shared, secret, key);
        place->is_known = true;
        memcpy(place->name, name, sizeof(name));
    }
    if (place->answer)
        memcpy(ret_shared, place->shared, sizeof(place->shared));
    return place->answer;
}

const struct gossip_crypto *remembering_crypto(void)
{
    static struct gossip_crypto table;

    table = *gossip_crypto_sodium();
    table.sign = remembering_sign;
    table.verify = remembering_verify;
    table.agree = remembering_agree;
    return &table;
}

void remembering_crypto_forget(void)
{
    memset(verifications, 0, sizeof(verifications));
    memset(pairs, 0, sizeof(pairs));
    memset(agreements, 0, sizeof(agreements));
}
