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
#include "store/lock.h"

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

static int real_resolve(struct file_system *files, const char *path, char **ret_path,
                        struct explanation *explanation)
{
    char *resolved = realpath(path, NULL);
    int number = errno;

    (void)files;
    if (resolved == NULL) {
        explanation_set(explanation, "%s: cannot be opened: %s", path, strerror(number));
        return file_error(number);
    }
    *ret_path = resolved;
    return GOSSIP_OK;
}

static int real_examine(struct file_system *files, const char *path, enum file_kind *ret_kind,
                        uint64_t *ret_size, struct explanation *explanation)
{
    struct stat status;

    (void)files;
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

static int real_make(struct file_system *files, const char *path, struct explanation *explanation)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    (void)files;
    if (descriptor < 0)
        return failed(explanation, path, "make it");
    close(descriptor); /* Nothing was written, so nothing can be lost here. */
    return GOSSIP_OK;
}

static int real_remove(struct file_system *files, const char *path, struct explanation *explanation)
{
    (void)files;
    if (unlink(path) < 0 && errno != ENOENT)
        return failed(explanation, path, "remove it");
    return GOSSIP_OK;
}

static int real_rename(struct file_system *files, const char *from, const char *to,
                       struct explanation *explanation)
{
    (void)files;
    if (rename(from, to) < 0)
        return failed(explanation, from, "rename it");
    return GOSSIP_OK;
}

static int real_sync_directory(struct file_system *files, const char *path,
                               struct explanation *explanation)
{
    char *copy = strdup(path);
    const char *directory;
    int descriptor;
    int error = GOSSIP_OK;

    (void)files;
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

static int real_lock(struct file_system *files, const char *path, const char *what, int *ret_lock,
                     struct explanation *explanation)
{
    (void)files;
    return lock_acquire(path, what, ret_lock, explanation);
}

static void real_unlock(struct file_system *files, int lock)
{
    (void)files;
    lock_release(lock);
}

struct file_system *file_system_real(void)
{
    static const struct file_system_ops ops = {
        .resolve = real_resolve,
        .examine = real_examine,
        .make = real_make,
        .remove = real_remove,
        .rename = real_rename,
        .sync_directory = real_sync_directory,
        .lock = real_lock,
        .unlock = real_unlock,
    };
    static struct file_system files = {.ops = &ops};

    return &files;
}

char *file_beside(const char *path, const char *ending)
{
    size_t size = strlen(path) + strlen(ending) + 1;
    char *text = malloc(size);

    if (text != NULL)
        snprintf(text, size, "%s%s", path, ending);
    return text;
}
