#include "store/side.h"

#include <stdbool.h>
#include <string.h>

#include "gossip/bytes.h"
#include "gossip/crypto.h"
#include "gossip/gossip.h"

enum {
    MAGIC_SIZE = 8,
    CHECK_SIZE = 8,
    SIDE_SIZE = MAGIC_SIZE + GOSSIP_EPOCH_SIZE + 8 + 8 + CHECK_SIZE,
    MARKER_SIZE = MAGIC_SIZE + GOSSIP_HASH_SIZE + 4 + 4 + CHECK_SIZE,
};

static void check_of(const uint8_t *bytes, size_t size, uint8_t ret_check[CHECK_SIZE])
{
    uint8_t hash[GOSSIP_HASH_SIZE];

    gossip_crypto_sodium()->hash(hash, (const struct gossip_piece[]){{bytes, size}}, 1);
    memcpy(ret_check, hash, CHECK_SIZE);
}

/* Whether bytes are of this kind and as they were written. */
static bool is_whole(const uint8_t *bytes, size_t size, size_t expected, const char *magic)
{
    uint8_t check[CHECK_SIZE];

    if (size != expected || memcmp(bytes, magic, MAGIC_SIZE) != 0)
        return false;
    check_of(bytes, size - CHECK_SIZE, check);
    return memcmp(bytes + size - CHECK_SIZE, check, CHECK_SIZE) == 0;
}

/* That there is no such file is an answer, and explains no failure. */
static int read_beside(struct file_system *files, const char *path, uint8_t *bytes, size_t capacity,
                       size_t *ret_size, struct explanation *explanation)
{
    struct explanation failure;
    int error = files->ops->read(files, path, bytes, capacity, ret_size, &failure);

    if (error < 0 && error != GOSSIP_ERR_NOT_FOUND)
        *explanation = failure;
    return error;
}

int side_read(struct file_system *files, const char *path, struct gossip_side *ret_side,
              struct explanation *explanation)
{
    uint8_t bytes[SIDE_SIZE + 1];
    size_t size = 0;
    int error = read_beside(files, path, bytes, sizeof(bytes), &size, explanation);

    if (error < 0)
        return error;
    if (!is_whole(bytes, size, SIDE_SIZE, "gspside1")) {
        explanation_set(explanation, "%s: is not as it was written", path);
        return GOSSIP_ERR_DAMAGED;
    }
    memcpy(ret_side->epoch, bytes + MAGIC_SIZE, GOSSIP_EPOCH_SIZE);
    ret_side->mark = get_fixed(bytes + MAGIC_SIZE + GOSSIP_EPOCH_SIZE, 8);
    ret_side->boot = get_fixed(bytes + MAGIC_SIZE + GOSSIP_EPOCH_SIZE + 8, 8);
    return GOSSIP_OK;
}

int side_write(struct file_system *files, const char *path, const struct gossip_side *side,
               struct explanation *explanation)
{
    uint8_t bytes[SIDE_SIZE];

    memcpy(bytes, "gspside1", MAGIC_SIZE);
    memcpy(bytes + MAGIC_SIZE, side->epoch, GOSSIP_EPOCH_SIZE);
    put_fixed(bytes + MAGIC_SIZE + GOSSIP_EPOCH_SIZE, side->mark, 8);
    put_fixed(bytes + MAGIC_SIZE + GOSSIP_EPOCH_SIZE + 8, side->boot, 8);
    check_of(bytes, SIDE_SIZE - CHECK_SIZE, bytes + SIDE_SIZE - CHECK_SIZE);
    return files->ops->replace(files, path, bytes, sizeof(bytes), explanation);
}

int marker_read(struct file_system *files, const char *path, struct gossip_marker *ret_marker,
                struct explanation *explanation)
{
    struct gossip_marker marker = {.crashes = 0};
    uint8_t bytes[MARKER_SIZE + 1];
    size_t size = 0;
    int error = read_beside(files, path, bytes, sizeof(bytes), &size, explanation);

    if (error < 0 && error != GOSSIP_ERR_NOT_FOUND)
        return error;
    /* It was being written when the machine lost power, or is not there: nothing is marked. */
    if (error == GOSSIP_OK && is_whole(bytes, size, MARKER_SIZE, "gspmark1") &&
        get_fixed(bytes + MAGIC_SIZE + GOSSIP_HASH_SIZE + 4, 4) == 0) {
        memcpy(marker.hash, bytes + MAGIC_SIZE, GOSSIP_HASH_SIZE);
        marker.crashes = (uint32_t)get_fixed(bytes + MAGIC_SIZE + GOSSIP_HASH_SIZE, 4);
    }
    *ret_marker = marker;
    return GOSSIP_OK;
}

int marker_write(struct file_system *files, const char *path, const struct gossip_marker *marker,
                 struct explanation *explanation)
{
    uint8_t bytes[MARKER_SIZE] = {0};

    memcpy(bytes, "gspmark1", MAGIC_SIZE);
    memcpy(bytes + MAGIC_SIZE, marker->hash, GOSSIP_HASH_SIZE);
    put_fixed(bytes + MAGIC_SIZE + GOSSIP_HASH_SIZE, marker->crashes, 4);
    check_of(bytes, MARKER_SIZE - CHECK_SIZE, bytes + MARKER_SIZE - CHECK_SIZE);
    return files->ops->overwrite(files, path, bytes, sizeof(bytes), explanation);
}
