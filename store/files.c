#include "store/files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gossip/gossip.h"

int file_error(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
        return GOSSIP_ERR_NOT_FOUND;
    case EEXIST:
        return GOSSIP_ERR_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
        return GOSSIP_ERR_PERMISSION;
    case ENOSPC:
    case EDQUOT:
        return GOSSIP_ERR_FULL;
    case ENOMEM:
        return GOSSIP_ERR_NOMEM;
    }
    return GOSSIP_ERR_IO;
}

static int failed(struct explanation *explanation, const char *path, const char *doing)
{
    int number = errno;

    explanation_set(explanation, "%s: cannot %s: %s", path, doing, strerror(number));
    return file_error(number);
}

int file_examine(const char *path, enum file_kind *ret_kind, uint64_t *ret_size,
                 struct explanation *explanation)
{
    struct stat status;

    if (stat(path, &status) < 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            return failed(explanation, path, "look at it");
        *ret_kind = FILE_MISSING;
        *ret_size = 0;
        return GOSSIP_OK;
    }
    *ret_kind = S_ISREG(status.st_mode) ? FILE_REGULAR : FILE_OTHER;
    *ret_size = (uint64_t)status.st_size;
    return GOSSIP_OK;
}

int file_make(const char *path, struct explanation *explanation)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (descriptor < 0)
        return failed(explanation, path, "make it");
    close(descriptor); /* Nothing was written, so nothing can be lost here. */
    return GOSSIP_OK;
}

int file_remove(const char *path, struct explanation *explanation)
{
    if (unlink(path) < 0 && errno != ENOENT)
        return failed(explanation, path, "remove it");
    return GOSSIP_OK;
}

int file_rename(const char *from, const char *to, struct explanation *explanation)
{
    if (rename(from, to) < 0)
        return failed(explanation, from, "rename it");
    return GOSSIP_OK;
}

int file_sync_directory(const char *path, struct explanation *explanation)
{
    char *copy = strdup(path);
    const char *directory;
    int descriptor;
    int error = GOSSIP_OK;

    if (copy == NULL)
        return GOSSIP_ERR_NOMEM;
    directory = dirname(copy);
    descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0 || fsync(descriptor) < 0)
        error = failed(explanation, directory, "make its names durable");
    if (descriptor >= 0)
        close(descriptor);
    free(copy);
    return error;
}

char *file_beside(const char *path, const char *ending)
{
    size_t size = strlen(path) + strlen(ending) + 1;
    char *text = malloc(size);

    if (text != NULL)
        snprintf(text, size, "%s%s", path, ending);
    return text;
}
