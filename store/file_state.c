#include "store/file_state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/crypto.h"
#include "gossip/gossip.h"
#include "store/record.h"

static const char magic[] = "gossip-file-store ";
static const char version[] = "1";

void file_content_of(const char *text, size_t size, struct file_content *ret_content)
{
    const struct gossip_piece piece = {(const uint8_t *)text, size};

    ret_content->size = size;
    gossip_crypto_sodium()->hash(ret_content->hash, &piece, 1);
}

bool file_content_equal(const struct file_content *a, const struct file_content *b)
{
    return a->size == b->size && memcmp(a->hash, b->hash, sizeof(a->hash)) == 0;
}

/* ---- Writing. ---- */

/* A growing text. One that could not grow stays failed, so that it is asked once, at the end. */
struct output {
    char *text;
    size_t size;
    size_t capacity;
    bool failed;
    /* The line of mentions that is being written; 0: none is. */
    uint32_t author;
    uint64_t next;
};

static char *grow(struct output *output, size_t size)
{
    if (output->failed)
        return NULL;
    if (output->capacity - output->size < size) {
        size_t capacity = output->capacity * 2 + size + 4096;
        char *text = realloc(output->text, capacity);

        if (text == NULL) {
            output->failed = true;
            return NULL;
        }
        output->text = text;
        output->capacity = capacity;
    }
    output->size += size;
    return output->text + output->size - size;
}

static void put_text(struct output *output, const char *text)
{
    size_t size = strlen(text);
    char *place = grow(output, size);

    if (place != NULL)
        memcpy(place, text, size);
}

static void put_number(struct output *output, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), " %" PRIu64, number);
    put_text(output, text);
}

static void put_digits(struct output *output, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    char *place = grow(output, 2 * size);

    for (size_t i = 0; i < size && place != NULL; i++) {
        *place++ = digits[bytes[i] >> 4];
        *place++ = digits[bytes[i] & 15];
    }
}

static void put_hex(struct output *output, const uint8_t *bytes, size_t size)
{
    put_text(output, " ");
    put_digits(output, bytes, size);
}

/* Of any size, none included. */
static void put_bytes(struct output *output, const uint8_t *bytes, size_t size)
{
    put_text(output, " x");
    put_digits(output, bytes, size);
}

static bool is_plain(char byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' || byte == '-';
}

static void put_name(struct output *output, const char *name)
{
    put_text(output, " ");
    for (; *name != '\0'; name++) {
        char *place;

        if (!is_plain(*name)) {
            put_text(output, "%");
            put_digits(output, (const uint8_t *)name, 1);
            continue;
        }
        place = grow(output, 1);
        if (place != NULL)
            *place = *name;
    }
}

static void put_content(struct output *output, const char *what, const struct file_content *content)
{
    put_text(output, what);
    put_number(output, content->size);
    put_hex(output, content->hash, sizeof(content->hash));
    put_text(output, "\n");
}

static void end_mentions(struct output *output)
{
    if (output->next != 0)
        put_text(output, "\n");
    output->next = 0;
}

static void put_meta(struct output *output, const struct gossip_meta_record *meta)
{
    put_text(output, "meta");
    put_name(output, meta->name);
    put_text(output, meta->bytes == NULL ? " number" : " bytes");
    if (meta->bytes == NULL)
        put_number(output, meta->number);
    else
        put_bytes(output, meta->bytes, meta->size);
    put_text(output, "\n");
}

static void put_author(struct output *output, const struct gossip_author_record *author)
{
    put_text(output, "author");
    put_number(output, author->number);
    put_hex(output, author->id, sizeof(author->id));
    put_hex(output, author->key, sizeof(author->key));
    put_hex(output, author->epoch, sizeof(author->epoch));
    put_text(output, " have");
    put_number(output, author->have);
    put_text(output, " floor");
    put_number(output, author->floor);
    put_text(output, " cut");
    put_number(output, author->cut);
    put_text(output, " head");
    put_hex(output, author->head_hash, sizeof(author->head_hash));
    put_text(output, " mentions");
    put_number(output, author->mentions);
    put_hex(output, author->mentions_hash, sizeof(author->mentions_hash));
    put_text(output, " unsealed");
    put_number(output, author->unsealed_size);
    put_text(output, "\n");
}

static void put_mention(struct output *output, const struct gossip_mention_record *mention)
{
    if (output->next == 0 || output->author != mention->author || output->next != mention->index) {
        end_mentions(output);
        put_text(output, "mentions");
        put_number(output, mention->author);
        put_number(output, mention->index);
    }
    put_number(output, mention->mentioned);
    output->author = mention->author;
    output->next = mention->index + 1;
}

static void put_signed(struct output *output, const struct gossip_signed_record *record)
{
    put_text(output, "signed");
    put_number(output, record->type);
    put_hex(output, record->id, sizeof(record->id));
    put_bytes(output, record->bytes, record->size);
    put_text(output, "\n");
}

static void put_peer(struct output *output, const struct gossip_peer_record *peer)
{
    char address[RECORD_ADDRESS_TEXT_MAX];

    put_text(output, "peer");
    put_hex(output, peer->key, sizeof(peer->key));
    record_address_to_text(&peer->address, address);
    put_text(output, " ");
    put_text(output, address);
    put_text(output, "\n");
}

static int put_record(void *context, const struct gossip_record *record)
{
    struct output *output = context;

    if (record->kind != GOSSIP_RECORD_MENTION)
        end_mentions(output);
    switch (record->kind) {
    case GOSSIP_RECORD_META:
        put_meta(output, &record->as.meta);
        break;
    case GOSSIP_RECORD_AUTHOR:
        put_author(output, &record->as.author);
        break;
    case GOSSIP_RECORD_MENTION:
        put_mention(output, &record->as.mention);
        break;
    case GOSSIP_RECORD_SIGNED:
        if (record->as.signed_record.bytes != NULL) /* Else it is about to be forgotten. */
            put_signed(output, &record->as.signed_record);
        break;
    case GOSSIP_RECORD_PEER:
        put_peer(output, &record->as.peer);
        break;
    case GOSSIP_RECORD_EVENT:
        break; /* A load shows none. */
    }
    return output->failed ? GOSSIP_ERR_NOMEM : GOSSIP_OK;
}

enum { CHECK_LINE_SIZE = 6 + 2 * GOSSIP_HASH_SIZE + 1 };

/* The last line of a state, of all before it. */
static void write_check(const char *text, size_t size, char ret_line[CHECK_LINE_SIZE + 1])
{
    struct file_content all;
    char *end = stpcpy(ret_line, "check ");

    file_content_of(text, size, &all);
    for (size_t i = 0; i < sizeof(all.hash); i++)
        end += snprintf(end, 3, "%02x", all.hash[i]);
    memcpy(end, "\n", 2);
}

int file_state_write(struct gossip_store *records, const struct file_state *state, char **ret_text,
                     size_t *ret_size)
{
    struct output output = {0};
    char check[CHECK_LINE_SIZE + 1];

    put_text(&output, magic);
    put_text(&output, version);
    put_text(&output, "\n");
    put_content(&output, "clock", &state->clock);
    put_content(&output, "before", &state->before);
    if (records->ops->load(records, put_record, &output) == GOSSIP_OK)
        end_mentions(&output);
    if (!output.failed) {
        write_check(output.text, output.size, check);
        put_text(&output, check);
    }
    if (output.failed) {
        free(output.text);
        return GOSSIP_ERR_NOMEM;
    }
    *ret_text = output.text;
    *ret_size = output.size;
    return GOSSIP_OK;
}

/* ---- Reading. ---- */

/* Words of lines. What is read is written again and compared, so that here it need only be certain
 * that nothing goes wrong. */
struct input {
    char *text; /* Ours: hexadecimal is turned into bytes where it stands. */
    size_t size;
    size_t offset;
    size_t line; /* From 1. */
    bool failed;
};

/* The next word of the line, ended by a NUL; NULL at the end of the line. *ret_last tells whether
 * it is the last of its line. */
static char *take_word(struct input *input, bool *ret_last)
{
    size_t start = input->offset;
    size_t end = start;

    while (end < input->size && input->text[end] != ' ' && input->text[end] != '\n' &&
           input->text[end] != '\0')
        end++;
    if (end == input->size || input->text[end] == '\0') {
        input->failed = true; /* A line without its end. */
        return NULL;
    }
    *ret_last = input->text[end] == '\n';
    input->text[end] = '\0';
    input->offset = end + 1;
    return input->text + start;
}

/* A word inside a line; "" where there is none. */
static char *word(struct input *input)
{
    static char empty[1];
    bool is_last;
    char *text = take_word(input, &is_last);

    if (text == NULL || is_last) {
        input->failed = true;
        return empty;
    }
    return text;
}

static char *last_word(struct input *input)
{
    static char empty[1];
    bool is_last;
    char *text = take_word(input, &is_last);

    if (text == NULL || !is_last) {
        input->failed = true;
        return empty;
    }
    input->line++;
    return text;
}

static void expect(struct input *input, const char *text)
{
    if (strcmp(word(input), text) != 0)
        input->failed = true;
}

static uint64_t to_number(struct input *input, const char *text)
{
    uint64_t number = 0;

    if (*text == '\0')
        input->failed = true;
    for (; *text != '\0'; text++) {
        uint64_t digit = (uint64_t)(*text - '0');

        if (*text < '0' || *text > '9' || number > (UINT64_MAX - digit) / 10) {
            input->failed = true;
            return 0;
        }
        number = number * 10 + digit;
    }
    return number;
}

static uint32_t to_small_number(struct input *input, const char *text)
{
    uint64_t number = to_number(input, text);

    if (number > UINT32_MAX)
        input->failed = true;
    return (uint32_t)number;
}

/* -1: none. */
static int digit_of(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Turns hexadecimal into bytes where it stands, and returns how many. */
static size_t to_bytes(struct input *input, char *text)
{
    size_t size = 0;

    for (; text[2 * size] != '\0'; size++) {
        int high = digit_of(text[2 * size]);
        int low = high < 0 ? -1 : digit_of(text[2 * size + 1]);

        if (low < 0) {
            input->failed = true;
            return 0;
        }
        text[size] = (char)(high << 4 | low);
    }
    return size;
}

static void read_hex(struct input *input, char *text, uint8_t *ret_bytes, size_t size)
{
    if (to_bytes(input, text) == size)
        memcpy(ret_bytes, text, size);
    else
        input->failed = true;
}

static const uint8_t *read_any_bytes(struct input *input, char *text, size_t *ret_size)
{
    if (text[0] != 'x')
        input->failed = true;
    *ret_size = input->failed ? 0 : to_bytes(input, text + 1);
    return (const uint8_t *)text + (text[0] == 'x');
}

static void to_name(struct input *input, char *text)
{
    char *end = text;

    for (; *text != '\0'; text++) {
        int high;
        int low;

        if (*text != '%') {
            *end++ = *text;
            continue;
        }
        high = digit_of(text[1]);
        low = high < 0 ? -1 : digit_of(text[2]);
        if (low < 0 || (high == 0 && low == 0)) {
            input->failed = true;
            break;
        }
        *end++ = (char)(high << 4 | low);
        text += 2;
    }
    *end = '\0';
}

static void read_content(struct input *input, const char *what, struct file_content *ret_content)
{
    expect(input, what);
    ret_content->size = to_number(input, word(input));
    read_hex(input, last_word(input), ret_content->hash, GOSSIP_HASH_SIZE);
}

static void read_meta(struct input *input, struct gossip_record *record)
{
    char *name = word(input);
    const char *type = word(input);

    to_name(input, name);
    record->as.meta.name = name;
    if (strcmp(type, "number") == 0)
        record->as.meta.number = to_number(input, last_word(input));
    else if (strcmp(type, "bytes") == 0)
        record->as.meta.bytes = read_any_bytes(input, last_word(input), &record->as.meta.size);
    else
        input->failed = true;
}

static void read_author(struct input *input, struct gossip_record *record)
{
    struct gossip_author_record *author = &record->as.author;

    author->number = to_small_number(input, word(input));
    read_hex(input, word(input), author->id, sizeof(author->id));
    read_hex(input, word(input), author->key, sizeof(author->key));
    read_hex(input, word(input), author->epoch, sizeof(author->epoch));
    expect(input, "have");
    author->have = to_number(input, word(input));
    expect(input, "floor");
    author->floor = to_number(input, word(input));
    expect(input, "cut");
    author->cut = to_number(input, word(input));
    expect(input, "head");
    read_hex(input, word(input), author->head_hash, sizeof(author->head_hash));
    expect(input, "mentions");
    author->mentions = to_number(input, word(input));
    read_hex(input, word(input), author->mentions_hash, sizeof(author->mentions_hash));
    expect(input, "unsealed");
    author->unsealed_size = to_number(input, last_word(input));
}

static int save(struct gossip_store *records, const struct gossip_record *record)
{
    return records->ops->save(records, record, 1);
}

static int read_mentions(struct input *input, struct gossip_store *records)
{
    struct gossip_record record = {.kind = GOSSIP_RECORD_MENTION};
    bool is_last = false;
    int error = GOSSIP_OK;

    record.as.mention.author = to_small_number(input, word(input));
    record.as.mention.index = to_number(input, word(input));
    while (!is_last && error == GOSSIP_OK && !input->failed) {
        const char *text = take_word(input, &is_last);

        if (text == NULL)
            break;
        record.as.mention.mentioned = to_small_number(input, text);
        if (!input->failed)
            error = save(records, &record);
        record.as.mention.index++;
    }
    input->line++;
    return error;
}

static void read_signed(struct input *input, struct gossip_record *record)
{
    struct gossip_signed_record *signed_record = &record->as.signed_record;
    uint64_t type = to_number(input, word(input));

    if (type > UINT8_MAX)
        input->failed = true;
    signed_record->type = (uint8_t)type;
    read_hex(input, word(input), signed_record->id, sizeof(signed_record->id));
    signed_record->bytes = read_any_bytes(input, last_word(input), &signed_record->size);
}

static void read_peer(struct input *input, struct gossip_record *record)
{
    read_hex(input, word(input), record->as.peer.key, GOSSIP_KEY_SIZE);
    if (!record_address_from_text(last_word(input), &record->as.peer.address))
        input->failed = true;
}

/* One line, which begins with its kind. 1 at the line of the check, else 0. */
static int read_line(struct input *input, struct gossip_store *records)
{
    static const struct {
        const char *name;
        enum gossip_record_kind kind;
        void (*read)(struct input *input, struct gossip_record *record);
    } kinds[] = {
        {"meta", GOSSIP_RECORD_META, read_meta},
        {"author", GOSSIP_RECORD_AUTHOR, read_author},
        {"signed", GOSSIP_RECORD_SIGNED, read_signed},
        {"peer", GOSSIP_RECORD_PEER, read_peer},
    };
    const char *name = word(input);

    if (strcmp(name, "check") == 0)
        return 1;
    if (strcmp(name, "mentions") == 0)
        return read_mentions(input, records);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct gossip_record record = {.kind = kinds[i].kind};

        if (strcmp(name, kinds[i].name) != 0)
            continue;
        kinds[i].read(input, &record);
        return input->failed ? GOSSIP_OK : save(records, &record);
    }
    input->failed = true;
    return GOSSIP_OK;
}

bool file_state_is(const char *text, size_t size)
{
    return size >= sizeof(magic) - 1 && memcmp(text, magic, sizeof(magic) - 1) == 0;
}

/* The size of the text before the last line. */
static size_t checked_size(const char *text, size_t size)
{
    size_t end = size == 0 ? 0 : size - 1;

    while (end > 0 && text[end - 1] != '\n')
        end--;
    return end;
}

static bool check_fits(const char *text, size_t size)
{
    size_t before = checked_size(text, size);
    char line[CHECK_LINE_SIZE + 1];

    write_check(text, before, line);
    return size - before == CHECK_LINE_SIZE && memcmp(text + before, line, CHECK_LINE_SIZE) == 0;
}

static int read_lines(struct input *input, struct gossip_store *records,
                      struct file_state *ret_state)
{
    int result = GOSSIP_OK;

    input->line = 2;
    read_content(input, "clock", &ret_state->clock);
    read_content(input, "before", &ret_state->before);
    while (result == GOSSIP_OK && !input->failed)
        result = read_line(input, records);
    return result;
}

/* Whether what was read would be written like this. */
static int compare(const char *text, size_t size, struct gossip_store *records,
                   const struct file_state *state)
{
    char *again;
    size_t again_size;
    int error = file_state_write(records, state, &again, &again_size);

    if (error < 0)
        return error;
    if (again_size != size || memcmp(again, text, size) != 0)
        error = GOSSIP_ERR_DAMAGED;
    free(again);
    return error;
}

int file_state_read(const char *path, const char *text, size_t size, struct gossip_store *records,
                    struct file_state *ret_state, struct explanation *explanation)
{
    struct input input = {.size = size, .offset = sizeof(magic) - 1};
    struct file_state state;
    bool is_last;
    const char *word_of_version;
    int error;

    if (!file_state_is(text, size)) {
        explanation_set(explanation, "%s: is not the state of a gossip file store", path);
        return GOSSIP_ERR_FOREIGN;
    }
    /* First of all: a state of another version has its check too, in the same place. */
    if (!check_fits(text, size)) {
        explanation_set(explanation,
                        "%s: is not as it was written: its last line is no check of the rest; put "
                        "back a copy of it and of the clock, or remove the store and start anew",
                        path);
        return GOSSIP_ERR_DAMAGED;
    }
    input.text = malloc(size);
    if (input.text == NULL)
        return GOSSIP_ERR_NOMEM;
    memcpy(input.text, text, size);
    word_of_version = take_word(&input, &is_last);
    if (word_of_version == NULL || !is_last || strcmp(word_of_version, version) != 0) {
        explanation_set(explanation, "%s: was made by another version of gossip", path);
        free(input.text);
        return GOSSIP_ERR_FOREIGN;
    }
    error = read_lines(&input, records, &state);
    if (error == GOSSIP_ERR_NOMEM) {
        free(input.text);
        return error;
    }
    if (error != 1 || input.failed)
        error = GOSSIP_ERR_DAMAGED;
    else
        error = compare(text, size, records, &state);
    if (error == GOSSIP_ERR_DAMAGED)
        explanation_set(explanation, "%s: line %zu is not what gossip writes", path, input.line);
    free(input.text);
    if (error == GOSSIP_OK)
        *ret_state = state;
    return error;
}
