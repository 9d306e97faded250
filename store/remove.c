/*
 * Removing a store, whichever of the built-in ones it is.
 */
#include <stdio.h>

#include "gossip/gossip.h"
#include "store/file.h"
#include "store/sqlite.h"

int gossip_store_remove(const char *path, char *ret_explanation, size_t size)
{
    struct file_system *files = file_system_real();
    struct explanation explanation = {""};
    bool is_file_store = false;
    int error = file_store_is_at(files, path, &is_file_store, &explanation);

    if (error < 0) {
        if (ret_explanation != NULL && size > 0)
            snprintf(ret_explanation, size, "%s",
                     error == GOSSIP_ERR_NOMEM ? "out of memory" : explanation.text);
        return error;
    }
    return is_file_store ? file_store_remove(files, path, ret_explanation, size)
                         : sqlite_store_remove(files, path, ret_explanation, size);
}
