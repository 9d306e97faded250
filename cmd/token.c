#include "cmd/token.h"

#include <stdlib.h>
#include <string.h>

#include "gossip/bytes.h"

enum {
    CLUSTER_SIZE = 4,
    CHECK_SIZE = 4,
    ENTRY_MAX = TOKEN_ID_SIZE + TOKEN_HEAD_SIZE + VARINT_MAX_SIZE,
    /* Base64 has four digits for three bytes. */
    DIGIT_BITS = 6,
};

static const char prefix[] = "c1";
static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* CRC-32 (ISO 3309), half a byte at a time: any digit that was altered shows. */
static uint32_t check_of(const uint8_t *data, size_t size)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    uint32_t check = UINT32_MAX;

    for (size_t i = 0; i < size; i++) {
        check ^= data[i];
        check = check >> 4 ^ table[check & 15];
        check = check >> 4 ^ table[check & 15];
    }
    return ~check;
}

static void add_base64(const uint8_t *data, size_t size, struct text *ret_text)
{
    uint32_t bits = 0;
    unsigned left = 0; /* Bits that are not written yet. */

    for (size_t i = 0; i < size; i++) {
        bits = bits << 8 | data[i];
        for (left += 8; left >= DIGIT_BITS; left -= DIGIT_BITS)
            text_add_bytes(ret_text, &digits[bits >> (left - DIGIT_BITS) & 63], 1);
    }
    if (left > 0)
        text_add_bytes(ret_text, &digits[bits << (DIGIT_BITS - left) & 63], 1);
}

/* Reads digits to data, which has room for them; false where one is none, or where bits that are
 * not used are not zero: a token has one form only. */
static bool read_base64(const char *text, uint8_t *data, size_t *ret_size)
{
    uint32_t bits = 0;
    unsigned left = 0;
    size_t size = 0;

    for (; *text; text++) {
        const char *digit = strchr(digits, *text);

        if (!digit)
            return false;
        bits = bits << DIGIT_BITS | (uint32_t)(digit - digits);
        left += DIGIT_BITS;
        if (left >= 8) {
            left -= 8;
            data[size++] = (uint8_t)(bits >> left);
        }
    }
    *ret_size = size;
    return left < DIGIT_BITS && (bits & ((1u << left) - 1)) == 0;
}

static int compare_entries(const void *a, const void *b)
{
    return memcmp(((const struct token_entry *)a)->id, ((const struct token_entry *)b)->id,
                  TOKEN_ID_SIZE);
}

void token_write(const uint8_t cluster[GOSSIP_KEY_SIZE], struct token_entry *entries, size_t count,
                 struct text *ret_text)
{
    size_t capacity = CLUSTER_SIZE + count * ENTRY_MAX + CHECK_SIZE;
    struct writer writer = {.data = malloc(capacity), .capacity = capacity};

    if (!writer.data) {
        ret_text->failed = true;
        return;
    }
    if (count > 1)
        qsort(entries, count, sizeof(*entries), compare_entries);
    write_bytes(&writer, cluster, CLUSTER_SIZE);
    for (size_t i = 0; i < count; i++) {
        if ((i > 0 && compare_entries(&entries[i - 1], &entries[i]) == 0) ||
            (i + 1 < count && compare_entries(&entries[i], &entries[i + 1]) == 0))
            continue;
        write_bytes(&writer, entries[i].id, TOKEN_ID_SIZE);
        write_bytes(&writer, entries[i].head, TOKEN_HEAD_SIZE);
        write_varint(&writer, entries[i].seq);
    }
    write_fixed(&writer, check_of(writer.data, writer.size), CHECK_SIZE);
    text_add(ret_text, prefix);
    add_base64(writer.data, writer.size, ret_text);
    free(writer.data);
}

int token_of(struct gossip *gossip, const uint8_t cluster[GOSSIP_KEY_SIZE], struct text *ret_text)
{
    const struct gossip_vclock *clock = gossip_clock(gossip);
    struct token_entry *entries = calloc(clock->count + 1, sizeof(*entries));
    struct gossip_author author;
    struct gossip_event event;
    int error = entries ? GOSSIP_OK : GOSSIP_ERR_NOMEM;

    for (size_t i = 0; error == GOSSIP_OK && i < clock->count; i++) {
        entries[i].seq = clock->counters[i];
        error = gossip_author(gossip, clock->authors[i], &author);
        if (error < 0)
            break;
        memcpy(entries[i].id, author.id, TOKEN_ID_SIZE);
        error =
            gossip_event_get(gossip, (struct gossip_dot){author.number, entries[i].seq}, &event);
        if (error == GOSSIP_OK)
            memcpy(entries[i].head, event.hash, TOKEN_HEAD_SIZE);
        else if (error == GOSSIP_ERR_PRUNED || error == GOSSIP_ERR_OBSERVER)
            error = GOSSIP_OK; /* It counts as seen all the same. */
    }
    if (error == GOSSIP_OK)
        token_write(cluster, entries, clock->count, ret_text);
    free(entries);
    return error;
}

bool token_is(const char *text)
{
    return strchr(text, ':') == NULL;
}

/* Reads what stands between the cluster and the check. */
static bool read_entries(struct reader *reader, struct token *token)
{
    while (reader->offset < reader->size) {
        struct token_entry *entry = &token->entries[token->count];
        const uint8_t *id = read_bytes(reader, TOKEN_ID_SIZE);
        const uint8_t *head = read_bytes(reader, TOKEN_HEAD_SIZE);

        entry->seq = read_varint(reader);
        if (reader->failed || entry->seq == 0 || entry->seq > GOSSIP_COUNTER_MAX)
            return false;
        memcpy(entry->id, id, TOKEN_ID_SIZE);
        memcpy(entry->head, head, TOKEN_HEAD_SIZE);
        if (token->count > 0 && compare_entries(entry - 1, entry) >= 0)
            return false;
        token->count++;
    }
    return true;
}

static int read_bytes_of(const uint8_t cluster[GOSSIP_KEY_SIZE], const uint8_t *data, size_t size,
                         struct token *token, struct text *ret_explanation)
{
    struct reader reader = {.data = data};

    if (size < CLUSTER_SIZE + CHECK_SIZE ||
        get_fixed(data + size - CHECK_SIZE, CHECK_SIZE) != check_of(data, size - CHECK_SIZE)) {
        text_add(ret_explanation, "the token is damaged: it was cut short or altered");
        return GOSSIP_ERR_INVALID;
    }
    if (memcmp(data, cluster, CLUSTER_SIZE) != 0) {
        text_add(ret_explanation, "the token is of another cluster");
        return GOSSIP_ERR_FOREIGN;
    }
    reader.size = size - CHECK_SIZE;
    reader.offset = CLUSTER_SIZE;
    if (read_entries(&reader, token))
        return GOSSIP_OK;
    text_add(ret_explanation, "the token is damaged: no node writes one like this");
    return GOSSIP_ERR_INVALID;
}

int token_read(const uint8_t cluster[GOSSIP_KEY_SIZE], const char *text, struct token *ret_token,
               struct text *ret_explanation)
{
    size_t length = strlen(text);
    struct token token = {0};
    uint8_t *data;
    size_t size;
    int error;

    if (text[0] != prefix[0] || length < 2 || text[1] < '1' || text[1] > '9') {
        text_add(ret_explanation, "\"");
        text_add_escaped(ret_explanation, text, length < 40 ? length : 40, TEXT_ESCAPE_ASCII);
        text_print(ret_explanation, "%s\" is no token, which begins with c1",
                   length < 40 ? "" : "...");
        return GOSSIP_ERR_INVALID;
    }
    if (text[1] != prefix[1]) {
        text_add(ret_explanation, "the token was made by a newer version, or altered");
        return GOSSIP_ERR_FOREIGN;
    }
    data = malloc(length);
    token.entries = calloc(length / TOKEN_ID_SIZE + 1, sizeof(*token.entries));
    error = data && token.entries ? GOSSIP_OK : GOSSIP_ERR_NOMEM;
    if (error == GOSSIP_OK && !read_base64(text + strlen(prefix), data, &size)) {
        text_add(ret_explanation, "the token is damaged: it was cut short or altered");
        error = GOSSIP_ERR_INVALID;
    }
    if (error == GOSSIP_OK)
        error = read_bytes_of(cluster, data, size, &token, ret_explanation);
    free(data);
    if (error < 0)
        token_clear(&token);
    else
        *ret_token = token;
    return error;
}

void token_clear(struct token *token)
{
    free(token->entries);
    *token = (struct token){0};
}

const struct token_entry *token_find(const struct token *token, const uint8_t id[GOSSIP_ID_SIZE])
{
    for (size_t low = 0, high = token->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(token->entries[middle].id, id, TOKEN_ID_SIZE);

        if (order == 0)
            return &token->entries[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
