#include "gossip/options.h"

#include <stdint.h>
#include <string.h>

bool options_read(void *ret_options, size_t known, size_t least, const void *given)
{
    const uint8_t *bytes = given;
    size_t size;

    memcpy(&size, given, sizeof(size));
    if (size < least)
        return false;
    for (size_t i = known; i < size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    memset(ret_options, 0, known);
    memcpy(ret_options, given, size < known ? size : known);
    return true;
}
