#include "gossip/digest.h"

#include <string.h>

#include "gossip/bytes.h"
#include "gossip/museum.h"

bool digest_shows(const struct author *author)
{
    /* Of an eviction the set of records tells. */
    return author_have(author) > 0 || author->proof != NULL;
}

static const uint8_t *leaf_of(struct author *author, const struct gossip_crypto *crypto)
{
    static const uint8_t no_head[GOSSIP_HASH_SIZE];
    uint8_t have[8];
    uint8_t cut[8];

    if (!author->leaf_fits) {
        put_fixed(have, author_have(author), sizeof(have));
        put_fixed(cut, author->stored.cut, sizeof(cut));
        crypto->hash(author->leaf,
                     (const struct gossip_piece[]){
                         {GOSSIP_DOMAIN_LEAF, sizeof(GOSSIP_DOMAIN_LEAF)},
                         {author->stored.id, GOSSIP_ID_SIZE},
                         {have, sizeof(have)},
                         {MUSEUM(NO_HEADS) ? no_head : author_head(author), GOSSIP_HASH_SIZE},
                         {cut, sizeof(cut)}},
                     5);
        author->leaf_fits = true;
    }
    return author->leaf;
}

static unsigned nibble(const uint8_t *id, unsigned depth)
{
    return depth % 2 == 0 ? id[depth / 2] >> 4 : id[depth / 2] & 15;
}

/* The hash of the authors at by_id[first..end), which share their first depth half-bytes. The depth
 * is bounded by the size of an id. */
static void trie_hash(const struct authors *authors, const struct gossip_crypto *crypto,
                      size_t first, size_t end, unsigned depth, uint8_t *ret_hash)
{
    uint8_t children[16][GOSSIP_HASH_SIZE];
    size_t shown = 0;
    size_t only = 0;

    for (size_t i = first; i < end && shown < 2; i++) {
        if (digest_shows(authors->items[authors->by_id[i]])) {
            only = i;
            shown++;
        }
    }
    if (shown == 0) {
        memset(ret_hash, 0, GOSSIP_HASH_SIZE);
        return;
    }
    if (shown == 1) {
        memcpy(ret_hash, leaf_of(authors->items[authors->by_id[only]], crypto), GOSSIP_HASH_SIZE);
        return;
    }
    for (unsigned child = 0; child < 16; child++) {
        size_t child_end = first;

        while (child_end < end &&
               nibble(authors->items[authors->by_id[child_end]]->stored.id, depth) == child)
            child_end++;
        trie_hash(authors, crypto, first, child_end, depth + 1, children[child]);
        first = child_end;
    }
    crypto->hash(ret_hash,
                 (const struct gossip_piece[]){{GOSSIP_DOMAIN_BRANCH, sizeof(GOSSIP_DOMAIN_BRANCH)},
                                               {children, sizeof(children)}},
                 2);
}

void digest_trie(const struct authors *authors, const struct gossip_crypto *crypto,
                 uint8_t ret_hash[GOSSIP_HASH_SIZE])
{
    trie_hash(authors, crypto, 0, authors->count, 0, ret_hash);
}

void digest_roots(const struct gossip_crypto *crypto, const uint8_t exchange[GOSSIP_NONCE_SIZE],
                  const uint8_t trie[GOSSIP_HASH_SIZE], const uint8_t set[GOSSIP_HASH_SIZE],
                  struct digest_roots *ret_roots)
{
    uint8_t records_root[16];

    crypto->keyed_hash(
        ret_roots->root, exchange, GOSSIP_NONCE_SIZE,
        (const struct gossip_piece[]){{GOSSIP_DOMAIN_ROOT, sizeof(GOSSIP_DOMAIN_ROOT)},
                                      {trie, GOSSIP_HASH_SIZE},
                                      {set, GOSSIP_HASH_SIZE}},
        3);
    crypto->keyed_hash(
        records_root, exchange, GOSSIP_NONCE_SIZE,
        (const struct gossip_piece[]){{GOSSIP_DOMAIN_RECORDS, sizeof(GOSSIP_DOMAIN_RECORDS)},
                                      {set, GOSSIP_HASH_SIZE}},
        2);
    memcpy(ret_roots->records_root, records_root, sizeof(ret_roots->records_root));
}

void digest_head_of(const struct gossip_crypto *crypto, const uint8_t exchange[GOSSIP_NONCE_SIZE],
                    const uint8_t id[GOSSIP_ID_SIZE], uint64_t seq,
                    const uint8_t event[GOSSIP_HASH_SIZE], uint8_t ret_head[GOSSIP_SHORT_HASH_SIZE])
{
    uint8_t have[8];
    uint8_t hash[16];

    put_fixed(have, seq, sizeof(have));
    crypto->keyed_hash(
        hash, exchange, GOSSIP_NONCE_SIZE,
        (const struct gossip_piece[]){{GOSSIP_DOMAIN_HEAD, sizeof(GOSSIP_DOMAIN_HEAD)},
                                      {id, GOSSIP_ID_SIZE},
                                      {have, sizeof(have)},
                                      {event, GOSSIP_HASH_SIZE}},
        4);
    memcpy(ret_head, hash, GOSSIP_SHORT_HASH_SIZE);
}

void digest_head(const struct gossip_crypto *crypto, const uint8_t exchange[GOSSIP_NONCE_SIZE],
                 const struct author *author, uint8_t ret_head[GOSSIP_SHORT_HASH_SIZE])
{
    digest_head_of(crypto, exchange, author->stored.id, author_have(author), author_head(author),
                   ret_head);
}

size_t digest_entry_write(const struct gossip_crypto *crypto,
                          const uint8_t exchange[GOSSIP_NONCE_SIZE], const struct author *author,
                          uint8_t *ret_bytes)
{
    struct writer writer = {ret_bytes, DIGEST_ENTRY_MAX, 0, false};
    uint8_t head[GOSSIP_SHORT_HASH_SIZE];

    digest_head(crypto, exchange, author, head);
    write_bytes(&writer, author->stored.id, GOSSIP_ID_SIZE);
    write_varint(&writer, author_have(author) * 2 + (author->stored.cut > 0 ? 1 : 0));
    if (author->stored.cut > 0)
        write_varint(&writer, author->stored.cut);
    write_bytes(&writer, head, sizeof(head));
    return writer.size;
}

bool digest_entry_read(struct reader *reader, const uint8_t *before, struct digest_entry *ret_entry)
{
    struct digest_entry entry = {0};
    uint64_t state;

    if (reader->failed || reader->offset == reader->size)
        return false;
    entry.id = read_bytes(reader, GOSSIP_ID_SIZE);
    state = read_varint(reader);
    if (state % 2 == 1) {
        entry.cut = read_varint(reader);
        if (entry.cut == 0 || entry.cut > GOSSIP_COUNTER_MAX + 1)
            reader->failed = true;
    }
    entry.head = read_bytes(reader, GOSSIP_SHORT_HASH_SIZE);
    if (entry.head == NULL || reader->failed) {
        reader->failed = true;
        return false;
    }
    entry.have = state / 2;
    if (entry.have > GOSSIP_COUNTER_MAX || (entry.have == 0 && entry.cut == 0) ||
        (entry.cut != 0 && entry.have >= entry.cut) ||
        (before != NULL && memcmp(before, entry.id, GOSSIP_ID_SIZE) >= 0)) {
        reader->failed = true;
        return false;
    }
    *ret_entry = entry;
    return true;
}
