#include "gossip/datagram.h"

#include <assert.h>
#include <string.h>

#include "gossip/bytes.h"

enum {
    VERSION = 1,
    TAG_OFFSET = GOSSIP_HEADER_SIZE,
    TAG_SIZE = 16,
    BODY_SIZE_OFFSET = TAG_OFFSET + TAG_SIZE,
    BODY_OFFSET = BODY_SIZE_OFFSET + 2,
    BOX_SIGNED = 56, /* What the box's tag covers of the header. */
    BOX_MIN = GOSSIP_BOX_HEADER_SIZE + 1 + GOSSIP_BOX_TAG_SIZE,
    WELCOME_MIN = BODY_OFFSET + GOSSIP_SIGNATURE_SIZE,
};

static const uint8_t magic[3] = {'g', 's', 'p'};

static void header_write(uint8_t *data, enum datagram_kind kind)
{
    memcpy(data, magic, sizeof(magic));
    data[3] = VERSION;
    data[4] = (uint8_t)kind;
    memset(data + 5, 0, 3);
}

enum gossip_verdict datagram_kind(const uint8_t *data, size_t size, enum datagram_kind *ret_kind)
{
    if (size > GOSSIP_DATAGRAM_MAX)
        return GOSSIP_DATAGRAM_OVERSIZED;
    if (size < GOSSIP_HEADER_SIZE)
        return GOSSIP_DATAGRAM_SHORT;
    if (memcmp(data, magic, sizeof(magic)) != 0)
        return GOSSIP_DATAGRAM_NOT_GOSSIP;
    if (data[3] != VERSION)
        return GOSSIP_DATAGRAM_VERSION;
    if (data[5] != 0 || data[6] != 0 || data[7] != 0)
        return GOSSIP_DATAGRAM_NOT_GOSSIP;
    switch (data[4]) {
    case DATAGRAM_HELLO:
        if (size != GOSSIP_HELLO_SIZE)
            return size < GOSSIP_HELLO_SIZE ? GOSSIP_DATAGRAM_SHORT : GOSSIP_DATAGRAM_OVERSIZED;
        break;
    case DATAGRAM_WELCOME:
        if (size < WELCOME_MIN)
            return GOSSIP_DATAGRAM_SHORT;
        if (size > GOSSIP_HELLO_SIZE)
            return GOSSIP_DATAGRAM_OVERSIZED;
        break;
    case DATAGRAM_BOX:
        if (size < BOX_MIN)
            return GOSSIP_DATAGRAM_SHORT;
        break;
    default:
        return GOSSIP_DATAGRAM_NOT_GOSSIP;
    }
    *ret_kind = (enum datagram_kind)data[4];
    return GOSSIP_DATAGRAM_ACCEPTED;
}

static void cluster_tag(const struct gossip_crypto *crypto,
                        const uint8_t gate[GOSSIP_CLUSTER_SECRET_SIZE], const uint8_t *data,
                        size_t size, uint8_t ret_tag[TAG_SIZE])
{
    crypto->keyed_hash(
        ret_tag, gate, GOSSIP_CLUSTER_SECRET_SIZE,
        (const struct gossip_piece[]){{GOSSIP_DOMAIN_TAG, sizeof(GOSSIP_DOMAIN_TAG)},
                                      {data, GOSSIP_HEADER_SIZE},
                                      {data + BODY_SIZE_OFFSET, size - BODY_SIZE_OFFSET}},
        3);
}

static bool is_zero(const uint8_t *data, size_t size)
{
    uint8_t any = 0;

    for (size_t i = 0; i < size; i++)
        any |= data[i];
    return any == 0;
}

enum gossip_verdict greeting_open(const struct gossip_crypto *crypto,
                                  const uint8_t gate[GOSSIP_CLUSTER_SECRET_SIZE],
                                  enum datagram_kind kind, const uint8_t *data, size_t size,
                                  struct wire_arena *arena, struct greeting *ret_greeting)
{
    struct greeting greeting;
    uint8_t tag[TAG_SIZE];
    size_t end;

    cluster_tag(crypto, gate, data, size, tag);
    if (!gossip_equal(tag, data + TAG_OFFSET, TAG_SIZE))
        return GOSSIP_DATAGRAM_FOREIGN;
    greeting.body = data + BODY_OFFSET;
    greeting.body_size = (size_t)get_fixed(data + BODY_SIZE_OFFSET, 2);
    end = BODY_OFFSET + greeting.body_size + GOSSIP_SIGNATURE_SIZE;
    if (end > size || (kind == DATAGRAM_WELCOME && end != size) || !is_zero(data + end, size - end))
        return GOSSIP_DATAGRAM_MALFORMED;
    greeting.signature = greeting.body + greeting.body_size;
    if (!wire_decode_hello(arena, greeting.body, greeting.body_size, &greeting.message))
        return GOSSIP_DATAGRAM_MALFORMED;
    /* What only a welcome has, it must have. */
    if ((greeting.message.echo != NULL) != (kind == DATAGRAM_WELCOME) ||
        (greeting.message.token != NULL) != (kind == DATAGRAM_WELCOME) ||
        greeting.message.has_counter != (kind == DATAGRAM_WELCOME))
        return GOSSIP_DATAGRAM_MALFORMED;
    *ret_greeting = greeting;
    return GOSSIP_DATAGRAM_ACCEPTED;
}

enum { GREETING_SIGNED_MAX = 32 + GOSSIP_KEY_SIZE + GOSSIP_ID_SIZE + GOSSIP_HELLO_SIZE };

static size_t greeting_signed(const uint8_t cluster[GOSSIP_KEY_SIZE], enum datagram_kind kind,
                              const uint8_t *receiver, const uint8_t *body, size_t body_size,
                              uint8_t ret_bytes[GREETING_SIGNED_MAX])
{
    struct writer writer = {ret_bytes, GREETING_SIGNED_MAX, 0, false};

    if (kind == DATAGRAM_HELLO)
        write_bytes(&writer, GOSSIP_DOMAIN_HELLO, sizeof(GOSSIP_DOMAIN_HELLO));
    else
        write_bytes(&writer, GOSSIP_DOMAIN_WELCOME, sizeof(GOSSIP_DOMAIN_WELCOME));
    write_bytes(&writer, cluster, GOSSIP_KEY_SIZE);
    if (kind == DATAGRAM_WELCOME)
        write_bytes(&writer, receiver, GOSSIP_ID_SIZE);
    write_bytes(&writer, body, body_size);
    assert(!writer.failed);
    return writer.size;
}

bool greeting_verify(const struct gossip_crypto *crypto, const uint8_t cluster[GOSSIP_KEY_SIZE],
                     enum datagram_kind kind, const struct greeting *greeting, const uint8_t *key,
                     const uint8_t *receiver)
{
    uint8_t bytes[GREETING_SIGNED_MAX];
    size_t size =
        greeting_signed(cluster, kind, receiver, greeting->body, greeting->body_size, bytes);

    return crypto->verify(greeting->signature, bytes, size, key);
}

size_t greeting_write(const struct gossip_crypto *crypto, const struct gossip_identity *identity,
                      enum datagram_kind kind, const struct wire_hello *message,
                      const uint8_t *receiver, uint8_t ret_data[GOSSIP_HELLO_SIZE])
{
    uint8_t bytes[GREETING_SIGNED_MAX];
    uint8_t *body = ret_data + BODY_OFFSET;
    size_t body_size;
    size_t size;

    memset(ret_data, 0, GOSSIP_HELLO_SIZE);
    header_write(ret_data, kind);
    body_size =
        wire_encode_hello(message, body, GOSSIP_HELLO_SIZE - BODY_OFFSET - GOSSIP_SIGNATURE_SIZE);
    assert(body_size > 0); /* The longest certificates fit: a test shows it. */
    put_fixed(ret_data + BODY_SIZE_OFFSET, body_size, 2);
    size = greeting_signed(identity->cluster, kind, receiver, body, body_size, bytes);
    crypto->sign(body + body_size, bytes, size, identity->secret);
    size = kind == DATAGRAM_HELLO ? GOSSIP_HELLO_SIZE
                                  : BODY_OFFSET + body_size + GOSSIP_SIGNATURE_SIZE;
    cluster_tag(crypto, identity->gate, ret_data, size, ret_data + TAG_OFFSET);
    return size;
}

bool pair_key(const struct gossip_crypto *crypto, const struct gossip_identity *identity,
              const uint8_t key[GOSSIP_KEY_SIZE], uint8_t ret_key[32])
{
    uint8_t shared[32];
    bool ours_is_lesser = memcmp(identity->key, key, GOSSIP_KEY_SIZE) < 0;

    if (!crypto->agree(shared, identity->secret, key))
        return false;
    crypto->hash(
        ret_key,
        (const struct gossip_piece[]){{GOSSIP_DOMAIN_PAIR, sizeof(GOSSIP_DOMAIN_PAIR)},
                                      {shared, sizeof(shared)},
                                      {identity->cluster, GOSSIP_KEY_SIZE},
                                      {ours_is_lesser ? identity->key : key, GOSSIP_KEY_SIZE},
                                      {ours_is_lesser ? key : identity->key, GOSSIP_KEY_SIZE}},
        5);
    gossip_wipe(shared, sizeof(shared));
    return true;
}

void box_header_read(const uint8_t *data, struct box_header *ret_header)
{
    ret_header->receiver = data + 8;
    ret_header->sender = data + 24;
    ret_header->boot_id = get_fixed(data + 40, 8);
    ret_header->counter = get_fixed(data + 48, 8);
}

size_t box_open(const struct gossip_crypto *crypto, const uint8_t key[32], const uint8_t *data,
                size_t size, uint8_t ret_plain[GOSSIP_PLAIN_MAX])
{
    assert(size >= BOX_MIN && size <= GOSSIP_DATAGRAM_MAX);
    if (!crypto->box_open(ret_plain, data + GOSSIP_BOX_HEADER_SIZE, size - GOSSIP_BOX_HEADER_SIZE,
                          data, BOX_SIGNED, data + BOX_SIGNED, key))
        return 0;
    return size - GOSSIP_BOX_HEADER_SIZE - GOSSIP_BOX_TAG_SIZE;
}

size_t box_write(const struct gossip_crypto *crypto, const uint8_t key[32],
                 const struct box_header *header, const uint8_t nonce[GOSSIP_BOX_NONCE_SIZE],
                 const uint8_t *plain, size_t plain_size, uint8_t ret_data[GOSSIP_DATAGRAM_MAX])
{
    assert(plain_size >= 1 && plain_size <= GOSSIP_PLAIN_MAX);
    header_write(ret_data, DATAGRAM_BOX);
    memcpy(ret_data + 8, header->receiver, GOSSIP_ID_SIZE);
    memcpy(ret_data + 24, header->sender, GOSSIP_ID_SIZE);
    put_fixed(ret_data + 40, header->boot_id, 8);
    put_fixed(ret_data + 48, header->counter, 8);
    memcpy(ret_data + BOX_SIGNED, nonce, GOSSIP_BOX_NONCE_SIZE);
    crypto->box_seal(ret_data + GOSSIP_BOX_HEADER_SIZE, plain, plain_size, ret_data, BOX_SIGNED,
                     nonce, key);
    return GOSSIP_BOX_HEADER_SIZE + plain_size + GOSSIP_BOX_TAG_SIZE;
}

enum { DIGEST_SIGNED_MAX = 32 + 32 + 2 * GOSSIP_ID_SIZE + 16 + GOSSIP_PLAIN_MAX };

static size_t digest_signed(const uint8_t cluster[GOSSIP_KEY_SIZE], const struct box_header *header,
                            const uint8_t *message, size_t size,
                            uint8_t ret_bytes[DIGEST_SIGNED_MAX])
{
    struct writer writer = {ret_bytes, DIGEST_SIGNED_MAX, 0, false};

    write_bytes(&writer, GOSSIP_DOMAIN_DIGEST, sizeof(GOSSIP_DOMAIN_DIGEST));
    write_bytes(&writer, cluster, GOSSIP_KEY_SIZE);
    write_bytes(&writer, header->sender, GOSSIP_ID_SIZE);
    write_bytes(&writer, header->receiver, GOSSIP_ID_SIZE);
    write_fixed(&writer, header->boot_id, 8);
    write_fixed(&writer, header->counter, 8);
    write_bytes(&writer, message, size);
    assert(!writer.failed);
    return writer.size;
}

void digest_sign(const struct gossip_crypto *crypto, const struct gossip_identity *identity,
                 const struct box_header *header, const uint8_t *message, size_t size,
                 uint8_t ret_signature[GOSSIP_SIGNATURE_SIZE])
{
    uint8_t bytes[DIGEST_SIGNED_MAX];
    size_t signed_size = digest_signed(identity->cluster, header, message, size, bytes);

    crypto->sign(ret_signature, bytes, signed_size, identity->secret);
}

bool digest_verify(const struct gossip_crypto *crypto, const uint8_t cluster[GOSSIP_KEY_SIZE],
                   const struct box_header *header, const uint8_t *message, size_t size,
                   const uint8_t key[GOSSIP_KEY_SIZE], const uint8_t *signature)
{
    uint8_t bytes[DIGEST_SIGNED_MAX];
    size_t signed_size = digest_signed(cluster, header, message, size, bytes);

    return crypto->verify(signature, bytes, signed_size, key);
}

void token_make(const struct gossip_crypto *crypto, const uint8_t key[32],
                const struct gossip_address *address, const uint8_t node[GOSSIP_ID_SIZE],
                uint64_t boot_id, uint64_t slot, uint8_t ret_token[GOSSIP_TOKEN_SIZE])
{
    uint8_t where[ADDRESS_SIZE];
    uint8_t boot[8];
    uint8_t when[8];

    address_write(address, where);
    put_fixed(boot, boot_id, sizeof(boot));
    put_fixed(when, slot, sizeof(when));
    crypto->keyed_hash(
        ret_token, key, 32,
        (const struct gossip_piece[]){{GOSSIP_DOMAIN_TOKEN, sizeof(GOSSIP_DOMAIN_TOKEN)},
                                      {where, sizeof(where)},
                                      {node, GOSSIP_ID_SIZE},
                                      {boot, sizeof(boot)},
                                      {when, sizeof(when)}},
        5);
}

void address_write(const struct gossip_address *address, uint8_t ret_bytes[ADDRESS_SIZE])
{
    memcpy(ret_bytes, address->ip, 16);
    put_fixed(ret_bytes + 16, address->port, 2);
}

void address_read(const uint8_t bytes[ADDRESS_SIZE], struct gossip_address *ret_address)
{
    memcpy(ret_address->ip, bytes, 16);
    ret_address->port = (uint16_t)get_fixed(bytes + 16, 2);
}

bool address_equal(const struct gossip_address *a, const struct gossip_address *b)
{
    return a->port == b->port && memcmp(a->ip, b->ip, 16) == 0;
}
