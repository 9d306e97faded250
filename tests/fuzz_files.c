/*
 * The small files beside a store and the file store's own, for libFuzzer. The first byte of the
 * input says which it is: a side file, a marker or a state, whose check is put right (no mutation
 * would find one), or a state as it is. Whatever it is, what is read is written again in the same
 * bytes: there is one way to say it.
 */
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/gossip.h"
#include "store/file_clock.h"
#include "store/file_state.h"
#include "store/side.h"

enum what { SIDE, MARKER, STATE, STATE_AS_IT_IS, CLOCK, WHATS };

enum { CHECK_SIZE = 8, HEX_HASH = 2 * GOSSIP_HASH_SIZE };

/* A file system of one file, which is read, and written to be compared. */
struct one_file {
    struct file_system base;
    const uint8_t *bytes;
    size_t size;
    bool is_written;
};

static int read_one(struct file_system *files, const char *path, uint8_t *buffer, size_t capacity,
                    size_t *ret_size, struct explanation *explanation)
{
    const struct one_file *file = (struct one_file *)files;
    size_t size = file->size < capacity ? file->size : capacity;

    (void)path;
    (void)explanation;
    memcpy(buffer, file->bytes, size);
    *ret_size = size;
    return GOSSIP_OK;
}

static int write_one(struct file_system *files, const char *path, const uint8_t *bytes, size_t size,
                     struct explanation *explanation)
{
    struct one_file *file = (struct one_file *)files;

    (void)path;
    (void)explanation;
    assert(size == file->size && memcmp(bytes, file->bytes, size) == 0);
    file->is_written = true;
    return GOSSIP_OK;
}

static const struct file_system_ops ops = {
    .read = read_one, .replace = write_one, .overwrite = write_one};

static void look_at_side(const uint8_t *bytes, size_t size)
{
    struct one_file file = {.base = {.ops = &ops}, .bytes = bytes, .size = size};
    struct explanation explanation;
    struct gossip_side side;

    if (side_read(&file.base, "side", &side, &explanation) != GOSSIP_OK)
        return;
    side_write(&file.base, "side", &side, &explanation);
    assert(file.is_written);
}

static void look_at_marker(const uint8_t *bytes, size_t size)
{
    struct one_file file = {.base = {.ops = &ops}, .bytes = bytes, .size = size};
    struct explanation explanation;
    struct gossip_marker marker;
    int error = marker_read(&file.base, "marker", &marker, &explanation);

    assert(error == GOSSIP_OK);
    if (marker.crashes == 0)
        return; /* None, or one that is damaged. */
    marker_write(&file.base, "marker", &marker, &explanation);
    assert(file.is_written);
}

static void look_at_state(const uint8_t *bytes, size_t size)
{
    struct explanation explanation;
    struct gossip_store *records;
    struct file_state state;
    char *text;
    size_t text_size;
    int error = gossip_memory_open(&records);

    assert(error == GOSSIP_OK);
    error = file_state_read("state", (const char *)bytes, size, records, &state, &explanation);
    assert(error == GOSSIP_OK || error == GOSSIP_ERR_DAMAGED || error == GOSSIP_ERR_FOREIGN);
    if (error == GOSSIP_OK) {
        error = file_state_write(records, &state, &text, &text_size);
        assert(error == GOSSIP_OK && text_size == size && memcmp(text, bytes, size) == 0);
        free(text);
        error = file_clock_write(records, &text, &explanation);
        assert(error == GOSSIP_OK || error == GOSSIP_ERR_INVALID); /* Two authors of one id. */
        assert(error < 0 || file_clock_is(text, strlen(text)));
        if (error == GOSSIP_OK)
            free(text);
    }
    records->ops->close(records);
}

/* Bytes with the check that they need behind them; the caller's, to be freed. */
static uint8_t *with_check(const uint8_t *data, size_t size, bool is_state, size_t *ret_size)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *bytes = malloc(size + sizeof("check \n") + HEX_HASH);
    struct file_content content;

    assert(bytes != NULL);
    memcpy(bytes, data, size);
    file_content_of((const char *)data, size, &content);
    if (!is_state) {
        memcpy(bytes + size, content.hash, CHECK_SIZE);
        *ret_size = size + CHECK_SIZE;
        return bytes;
    }
    memcpy(bytes + size, "check ", 6);
    for (size_t i = 0; i < HEX_HASH; i++)
        bytes[size + 6 + i] = (uint8_t)digits[content.hash[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
    bytes[size + 6 + HEX_HASH] = '\n';
    *ret_size = size + 7 + HEX_HASH;
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum what what;
    uint8_t *bytes;
    size_t whole;

    if (size == 0)
        return 0;
    what = data[0] % WHATS;
    bytes = with_check(data + 1, size - 1, what == STATE, &whole);
    switch (what) {
    case SIDE:
        look_at_side(bytes, whole);
        break;
    case MARKER:
        look_at_marker(bytes, whole);
        break;
    case STATE:
        look_at_state(bytes, whole);
        break;
    case STATE_AS_IT_IS:
        look_at_state(data + 1, size - 1);
        break;
    default:
        file_clock_is((const char *)data + 1, size - 1);
        break;
    }
    free(bytes);
    return 0;
}
