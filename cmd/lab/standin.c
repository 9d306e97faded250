#include "cmd/lab/standin.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

enum {
    LANES = 4,
    BLOCK_SIZE = 64, /* Two words for each lane. */
    SHARED_SIZE = 32,
};

/* What is hashed for; no two purposes have a result in common. */
enum purpose {
    PURPOSE_HASH,
    PURPOSE_KEYED_HASH,
    PURPOSE_KEY,
    PURPOSE_SIGNATURE,
    PURPOSE_AGREEMENT,
    PURPOSE_BOX,
    PURPOSE_TAG,
    PURPOSE_STREAM,
};

/* The fraction of pi: numbers in which nobody has hidden anything. */
static const uint64_t pi[2 * LANES] = {
    UINT64_C(0x243f6a8885a308d3), UINT64_C(0x13198a2e03707344), UINT64_C(0xa4093822299f31d0),
    UINT64_C(0x082efa98ec4e6c89), UINT64_C(0x452821e638d01377), UINT64_C(0xbe5466cf34e90c6c),
    UINT64_C(0xc0ac29b7c97c50dd), UINT64_C(0x3f84d5b5b5470917),
};

struct hashing {
    uint64_t lanes[LANES];
    uint64_t size;
    size_t used; /* Of the block. */
    uint8_t block[BLOCK_SIZE];
};

/* Little-endian on every machine. */
static uint64_t load(const uint8_t *data)
{
    uint64_t value;

    memcpy(&value, data, sizeof(value));
    return le64toh(value);
}

static void store(uint8_t *data, uint64_t value)
{
    uint64_t little = htole64(value);

    memcpy(data, &little, sizeof(little));
}

/* Both halves of the product: in them, each bit depends on many of both factors. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = a;

    product *= b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t half_turn(uint64_t value)
{
    return value << 32 | value >> 32;
}

/* Each word goes into two lanes, so that what gets lost in one multiplication (a factor that
 * happens to be 0) is not lost. */
static uint64_t absorb_in_lane(uint64_t lane, const uint8_t *own, const uint8_t *neighbour,
                               uint64_t constant)
{
    return lane + fold(load(own) ^ lane, load(own + 8) ^ constant) +
           (load(neighbour) ^ half_turn(load(neighbour + 8)));
}

static void absorb(uint64_t lanes[LANES], const uint8_t *blocks, size_t count)
{
    uint64_t a = lanes[0];
    uint64_t b = lanes[1];
    uint64_t c = lanes[2];
    uint64_t d = lanes[3];

    for (const uint8_t *block = blocks; count > 0; block += BLOCK_SIZE, count--) {
        a = absorb_in_lane(a, block, block + 16, pi[0]);
        b = absorb_in_lane(b, block + 16, block + 32, pi[1]);
        c = absorb_in_lane(c, block + 32, block + 48, pi[2]);
        d = absorb_in_lane(d, block + 48, block, pi[3]);
    }
    lanes[0] = a;
    lanes[1] = b;
    lanes[2] = c;
    lanes[3] = d;
}

static void hashing_begin(struct hashing *hashing, enum purpose purpose, uint64_t number)
{
    for (unsigned i = 0; i < LANES; i++)
        hashing->lanes[i] = pi[LANES + i];
    hashing->lanes[0] ^= (uint64_t)purpose;
    hashing->lanes[1] ^= number;
    hashing->size = 0;
    hashing->used = 0;
}

static void hashing_add(struct hashing *hashing, const void *data, size_t size)
{
    const uint8_t *bytes = data;

    hashing->size += size;
    if (hashing->used > 0) {
        size_t room = BLOCK_SIZE - hashing->used;
        size_t part = size < room ? size : room;

        if (part > 0)
            memcpy(hashing->block + hashing->used, bytes, part);
        hashing->used += part;
        if (part == size && hashing->used < BLOCK_SIZE)
            return;
        absorb(hashing->lanes, hashing->block, 1);
        hashing->used = 0;
        bytes += part;
        size -= part;
    }
    absorb(hashing->lanes, bytes, size / BLOCK_SIZE);
    hashing->used = size % BLOCK_SIZE;
    if (hashing->used > 0)
        memcpy(hashing->block, bytes + size - hashing->used, hashing->used);
}

static void mix_lanes(uint64_t lanes[LANES], unsigned step)
{
    const uint64_t a = lanes[0];
    const uint64_t b = lanes[1];
    const uint64_t c = lanes[2];
    const uint64_t d = lanes[3];
    const uint64_t others[] = {lanes[step], lanes[(1 + step) % LANES], lanes[(2 + step) % LANES],
                               lanes[(3 + step) % LANES]};

    lanes[0] = fold(a ^ pi[0], others[0] ^ pi[4]) + half_turn(d);
    lanes[1] = fold(b ^ pi[1], others[1] ^ pi[5]) + half_turn(a);
    lanes[2] = fold(c ^ pi[2], others[2] ^ pi[6]) + half_turn(b);
    lanes[3] = fold(d ^ pi[3], others[3] ^ pi[7]) + half_turn(c);
}

/* Three rounds, in which each lane comes to depend on all. */
static void hashing_end(struct hashing *hashing, uint64_t ret_words[LANES])
{
    if (hashing->used > 0) {
        memset(hashing->block + hashing->used, 0, BLOCK_SIZE - hashing->used);
        absorb(hashing->lanes, hashing->block, 1);
    }
    hashing->lanes[0] += hashing->size; /* The zeros at the end are none of the data. */
    mix_lanes(hashing->lanes, 1);
    mix_lanes(hashing->lanes, 2);
    mix_lanes(hashing->lanes, 1);
    memcpy(ret_words, hashing->lanes, sizeof(hashing->lanes));
}

static void store_words(uint8_t *ret_data, const uint64_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        store(ret_data + 8 * i, words[i]);
}

static void standin_hash(uint8_t ret_hash[GOSSIP_HASH_SIZE], const struct gossip_piece *pieces,
                         size_t count)
{
    struct hashing hashing;
    uint64_t words[LANES];

    hashing_begin(&hashing, PURPOSE_HASH, 0);
    for (size_t i = 0; i < count; i++)
        hashing_add(&hashing, pieces[i].data, pieces[i].size);
    hashing_end(&hashing, words);
    store_words(ret_hash, words, LANES);
}

static void standin_keyed_hash(uint8_t ret_hash[16], const uint8_t *key, size_t key_size,
                               const struct gossip_piece *pieces, size_t count)
{
    struct hashing hashing;
    uint64_t words[LANES];

    assert(key_size >= 16 && key_size <= 64);
    hashing_begin(&hashing, PURPOSE_KEYED_HASH, key_size);
    hashing_add(&hashing, key, key_size);
    for (size_t i = 0; i < count; i++)
        hashing_add(&hashing, pieces[i].data, pieces[i].size);
    hashing_end(&hashing, words);
    store_words(ret_hash, words, 2);
}

static void standin_key_pair(const uint8_t seed[GOSSIP_SEED_SIZE], uint8_t ret_key[GOSSIP_KEY_SIZE],
                             uint8_t ret_secret[GOSSIP_SECRET_SIZE])
{
    struct hashing hashing;
    uint64_t words[LANES];

    hashing_begin(&hashing, PURPOSE_KEY, 0);
    hashing_add(&hashing, seed, GOSSIP_SEED_SIZE);
    hashing_end(&hashing, words);
    store_words(ret_key, words, LANES);
    ret_key[GOSSIP_KEY_SIZE - 1] &= 0x7f;
    memmove(ret_secret, seed, GOSSIP_SEED_SIZE);
    memcpy(ret_secret + GOSSIP_SEED_SIZE, ret_key, GOSSIP_KEY_SIZE);
}

/* Half of all bytes are no key, so that there is something to refuse: those whose last bit is set,
 * and, as with real keys, zero and the identity. */
static bool standin_key_valid(const uint8_t key[GOSSIP_KEY_SIZE])
{
    uint8_t any = 0;

    for (size_t i = 1; i < GOSSIP_KEY_SIZE; i++)
        any |= key[i];
    return any != 0 && (key[GOSSIP_KEY_SIZE - 1] & 0x80) == 0;
}

static void make_signature(uint8_t ret_signature[GOSSIP_SIGNATURE_SIZE], const void *data,
                           size_t size, const uint8_t key[GOSSIP_KEY_SIZE])
{
    struct hashing hashing;
    uint64_t words[LANES];

    hashing_begin(&hashing, PURPOSE_SIGNATURE, 0);
    hashing_add(&hashing, key, GOSSIP_KEY_SIZE);
    hashing_add(&hashing, data, size);
    hashing_end(&hashing, words);
    store_words(ret_signature, words, LANES);
    for (unsigned i = 0; i < LANES; i++)
        words[i] = fold(words[i] ^ pi[i], pi[LANES + i]);
    store_words(ret_signature + 8 * LANES, words, LANES);
}

static void standin_sign(uint8_t ret_signature[GOSSIP_SIGNATURE_SIZE], const void *data,
                         size_t size, const uint8_t secret[GOSSIP_SECRET_SIZE])
{
    make_signature(ret_signature, data, size, secret + GOSSIP_SEED_SIZE);
}

static bool standin_verify(const uint8_t signature[GOSSIP_SIGNATURE_SIZE], const void *data,
                           size_t size, const uint8_t key[GOSSIP_KEY_SIZE])
{
    uint8_t expected[GOSSIP_SIGNATURE_SIZE];

    make_signature(expected, data, size, key);
    return memcmp(signature, expected, sizeof(expected)) == 0;
}

static bool standin_agree(uint8_t ret_shared[SHARED_SIZE], const uint8_t secret[GOSSIP_SECRET_SIZE],
                          const uint8_t key[GOSSIP_KEY_SIZE])
{
    const uint8_t *ours = secret + GOSSIP_SEED_SIZE;
    bool ours_is_lesser = memcmp(ours, key, GOSSIP_KEY_SIZE) < 0;
    struct hashing hashing;
    uint64_t words[LANES];

    if (!standin_key_valid(key))
        return false;
    hashing_begin(&hashing, PURPOSE_AGREEMENT, 0);
    hashing_add(&hashing, ours_is_lesser ? ours : key, GOSSIP_KEY_SIZE);
    hashing_add(&hashing, ours_is_lesser ? key : ours, GOSSIP_KEY_SIZE);
    hashing_end(&hashing, words);
    store_words(ret_shared, words, LANES);
    return true;
}

/* Word number index of the stream that grows from words: wyrand, but each stream of its own kind,
 * so that two of them never run into each other. */
static uint64_t stream_word(const uint64_t words[LANES], uint64_t index)
{
    uint64_t counter = words[0] + index * pi[0];

    return fold(counter ^ words[1], counter ^ words[2]) ^ words[3];
}

/* From one place to another or to the same. */
static void mix_stream(uint8_t *ret_bytes, const uint8_t *bytes, size_t size,
                       const uint64_t words[LANES])
{
    uint64_t index = 0;
    uint8_t rest[8] = {0};
    size_t done = 0;

    for (; size - done >= 8; done += 8)
        store(ret_bytes + done, load(bytes + done) ^ stream_word(words, index++));
    if (done == size)
        return;
    memcpy(rest, bytes + done, size - done);
    store(rest, load(rest) ^ stream_word(words, index));
    memcpy(ret_bytes + done, rest, size - done);
}

static void box_words(const uint8_t nonce[GOSSIP_BOX_NONCE_SIZE], const uint8_t key[32],
                      uint64_t ret_words[LANES])
{
    struct hashing hashing;

    hashing_begin(&hashing, PURPOSE_BOX, 0);
    hashing_add(&hashing, key, 32);
    hashing_add(&hashing, nonce, GOSSIP_BOX_NONCE_SIZE);
    hashing_end(&hashing, ret_words);
}

/* The box's words stand for key and nonce. */
static void box_tag(const uint8_t *cipher, size_t size, const uint8_t *header, size_t header_size,
                    const uint64_t words[LANES], uint8_t ret_tag[GOSSIP_BOX_TAG_SIZE])
{
    uint8_t box[8 * LANES];
    struct hashing hashing;
    uint64_t tag[LANES];

    store_words(box, words, LANES);
    hashing_begin(&hashing, PURPOSE_TAG, header_size);
    hashing_add(&hashing, box, sizeof(box));
    hashing_add(&hashing, header, header_size);
    hashing_add(&hashing, cipher, size);
    hashing_end(&hashing, tag);
    store_words(ret_tag, tag, 2);
}

static void standin_box_seal(uint8_t *ret_cipher, const uint8_t *plain, size_t size,
                             const uint8_t *header, size_t header_size,
                             const uint8_t nonce[GOSSIP_BOX_NONCE_SIZE], const uint8_t key[32])
{
    uint64_t words[LANES];

    box_words(nonce, key, words);
    mix_stream(ret_cipher, plain, size, words);
    box_tag(ret_cipher, size, header, header_size, words, ret_cipher + size);
}

static bool standin_box_open(uint8_t *ret_plain, const uint8_t *cipher, size_t size,
                             const uint8_t *header, size_t header_size,
                             const uint8_t nonce[GOSSIP_BOX_NONCE_SIZE], const uint8_t key[32])
{
    uint8_t tag[GOSSIP_BOX_TAG_SIZE];
    uint64_t words[LANES];

    if (size < sizeof(tag))
        return false;
    size -= sizeof(tag);
    box_words(nonce, key, words);
    box_tag(cipher, size, header, header_size, words, tag);
    if (memcmp(tag, cipher + size, sizeof(tag)) != 0)
        return false;
    mix_stream(ret_plain, cipher, size, words);
    return true;
}

static void standin_stream(uint8_t *ret_bytes, size_t size, const uint8_t key[32], uint64_t number)
{
    struct hashing hashing;
    uint64_t words[LANES];

    hashing_begin(&hashing, PURPOSE_STREAM, number);
    hashing_add(&hashing, key, 32);
    hashing_end(&hashing, words);
    if (size > 0)
        memset(ret_bytes, 0, size);
    mix_stream(ret_bytes, ret_bytes, size, words);
}

const struct gossip_crypto *standin_crypto(void)
{
    static const struct gossip_crypto table = {
        .hash = standin_hash,
        .keyed_hash = standin_keyed_hash,
        .key_pair = standin_key_pair,
        .key_valid = standin_key_valid,
        .sign = standin_sign,
        .verify = standin_verify,
        .agree = standin_agree,
        .box_seal = standin_box_seal,
        .box_open = standin_box_open,
        .stream = standin_stream,
    };

    return &table;
}
