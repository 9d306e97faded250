#include "gossip/author_name.h"

#include <stdio.h>
#include <string.h>

enum {
    EPOCH_DIGITS = 2 * GOSSIP_EPOCH_SIZE,
    ID_DIGITS = 2 * GOSSIP_ID_SIZE,
};

static void write_digits(const uint8_t *bytes, size_t size, char *ret_digits)
{
    for (size_t i = 0; i < size; i++)
        snprintf(ret_digits + 2 * i, 3, "%02x", bytes[i]);
}

static bool has_name(const struct author_title *title)
{
    return title->name != NULL && title->name[0] != '\0';
}

int author_name_write(const struct author_title *title, char *name, size_t size)
{
    char epoch[EPOCH_DIGITS + 1];
    char id[ID_DIGITS + 1];

    write_digits(title->id, GOSSIP_ID_SIZE, id);
    if (!has_name(title))
        return snprintf(name, size, "?%s", id);
    if (!title->shares_name)
        return snprintf(name, size, "%s", title->name);
    write_digits(title->epoch, GOSSIP_EPOCH_SIZE, epoch);
    return snprintf(name, size, "%s#%s%s", title->name, epoch, title->shares_epoch ? id : "");
}

static bool equals(const char *text, size_t size, const char *other)
{
    return size == strlen(other) && memcmp(text, other, size) == 0;
}

bool author_name_fits(const struct author_title *title, const char *name, size_t size)
{
    const char *mark = memchr(name, '#', size);
    char digits[EPOCH_DIGITS + ID_DIGITS + 1];

    write_digits(title->epoch, GOSSIP_EPOCH_SIZE, digits);
    write_digits(title->id, GOSSIP_ID_SIZE, digits + EPOCH_DIGITS);
    /* It may have got its certificate since. */
    if (size > 0 && name[0] == '?')
        return equals(name + 1, size - 1, digits + EPOCH_DIGITS);
    if (!has_name(title))
        return false;
    if (mark == NULL)
        return equals(name, size, title->name);
    size -= (size_t)(mark + 1 - name);
    return equals(name, (size_t)(mark - name), title->name) &&
           (size == EPOCH_DIGITS || size == EPOCH_DIGITS + ID_DIGITS) &&
           memcmp(mark + 1, digits, size) == 0;
}
