#include "gossip/authors.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/gossip.h"

void authors_clear(struct authors *authors)
{
    for (size_t i = 0; i < authors->count; i++) {
        assert(authors->items[i]->held_first == NULL);
        free(authors->items[i]->mentioned);
        free(authors->items[i]->mentioned_bits);
        free(authors->items[i]->proof);
        free(authors->items[i]->refused_branch);
        free(authors->items[i]->tail_witness);
        free(authors->items[i]->stored_witness);
        free(authors->items[i]);
    }
    free(authors->items);
    free(authors->by_id);
    memset(authors, 0, sizeof(*authors));
}

size_t authors_place(const struct authors *authors, const uint8_t id[GOSSIP_ID_SIZE])
{
    size_t low = 0;
    size_t high = authors->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (memcmp(authors->items[authors->by_id[middle]]->stored.id, id, GOSSIP_ID_SIZE) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t authors_find(const struct authors *authors, const uint8_t id[GOSSIP_ID_SIZE])
{
    size_t place = authors_place(authors, id);

    if (place == authors->count)
        return NO_AUTHOR;
    if (memcmp(authors->items[authors->by_id[place]]->stored.id, id, GOSSIP_ID_SIZE) != 0)
        return NO_AUTHOR;
    return authors->by_id[place];
}

static int authors_reserve(struct authors *authors)
{
    size_t capacity = authors->capacity == 0 ? 16 : authors->capacity * 2;
    struct author **items;
    uint32_t *by_id;

    if (authors->count < authors->capacity)
        return GOSSIP_OK;
    items = realloc(authors->items, capacity * sizeof(*items));
    if (items == NULL)
        return GOSSIP_ERR_NOMEM;
    authors->items = items;
    by_id = realloc(authors->by_id, capacity * sizeof(*by_id));
    if (by_id == NULL)
        return GOSSIP_ERR_NOMEM;
    authors->by_id = by_id;
    authors->capacity = capacity;
    return GOSSIP_OK;
}

struct chain author_stored_chain(const struct author *author)
{
    struct chain chain = {.seq = author->stored.have,
                          .mentions = author->stored.mentions,
                          .unsealed_size = author->stored.unsealed_size};

    memcpy(chain.hash, author->stored.head_hash, GOSSIP_HASH_SIZE);
    memcpy(chain.mentions_hash, author->stored.mentions_hash, GOSSIP_HASH_SIZE);
    return chain;
}

int authors_add(struct authors *authors, const struct gossip_author_record *record)
{
    struct author *author;
    size_t place;
    int error = authors_reserve(authors);

    if (error < 0)
        return error;
    assert(record->number == authors->count);
    assert(authors_find(authors, record->id) == NO_AUTHOR);
    author = calloc(1, sizeof(*author));
    if (author == NULL)
        return GOSSIP_ERR_NOMEM;
    author->stored = *record;
    author->saved = record->have;
    author->batch_first = NO_INDEX;
    author->batch_last = NO_INDEX;
    author->tail = author_stored_chain(author);
    author->asked_peer = UINT32_MAX;

    place = authors_place(authors, record->id);
    memmove(authors->by_id + place + 1, authors->by_id + place,
            (authors->count - place) * sizeof(*authors->by_id));
    authors->by_id[place] = record->number;
    authors->items[authors->count++] = author;
    return GOSSIP_OK;
}

int author_reserve_mentions(struct author *author, size_t more, size_t authors_count)
{
    size_t words = (authors_count + 63) / 64;
    size_t needed = (size_t)author->stored.mentions + more;

    if (author->mentioned_words < words) {
        uint64_t *bits = realloc(author->mentioned_bits, words * sizeof(*bits));

        if (bits == NULL)
            return GOSSIP_ERR_NOMEM;
        memset(bits + author->mentioned_words, 0,
               (words - author->mentioned_words) * sizeof(*bits));
        author->mentioned_bits = bits;
        author->mentioned_words = words;
    }
    if (author->mentioned_capacity < needed) {
        size_t capacity = author->mentioned_capacity == 0 ? 8 : author->mentioned_capacity * 2;
        uint32_t *mentioned;

        if (capacity < needed)
            capacity = needed;
        mentioned = realloc(author->mentioned, capacity * sizeof(*mentioned));
        if (mentioned == NULL)
            return GOSSIP_ERR_NOMEM;
        author->mentioned = mentioned;
        author->mentioned_capacity = capacity;
    }
    return GOSSIP_OK;
}

int author_mention(struct author *author, uint32_t mentioned, size_t authors_count)
{
    int error = author_reserve_mentions(author, 1, authors_count);

    if (error < 0)
        return error;
    assert(mentioned < authors_count && !author_has_mentioned(author, mentioned));
    author->mentioned[author->stored.mentions++] = mentioned;
    author->mentioned_bits[mentioned / 64] |= UINT64_C(1) << mentioned % 64;
    return GOSSIP_OK;
}

bool author_has_mentioned(const struct author *author, uint32_t mentioned)
{
    return mentioned / 64 < author->mentioned_words &&
           (author->mentioned_bits[mentioned / 64] >> mentioned % 64 & 1) != 0;
}

uint64_t author_mention_number(const struct author *author, uint32_t other)
{
    if (!author_has_mentioned(author, other))
        return 0;
    for (uint64_t i = 0; i < author->stored.mentions; i++) {
        if (author->mentioned[i] == other)
            return i + 1;
    }
    assert(false);
    return 0;
}

uint64_t author_have(const struct author *author)
{
    if (author->stored.cut != 0 && author->stored.have >= author->stored.cut)
        return author->stored.cut - 1;
    return author->stored.have;
}

const uint8_t *author_head(const struct author *author)
{
    static const uint8_t none[GOSSIP_HASH_SIZE];

    if (author->stored.cut == 1)
        return none;
    return author_have(author) < author->stored.have ? author->cut_hash : author->stored.head_hash;
}

bool author_is_contested(const struct author *author, uint64_t seq)
{
    return author->stored.cut != 0 && seq >= author->stored.cut;
}
