#include "store/files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
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

/* Machines that were never told who they are have a name at least. */
static void machine_id(char *ret_id, size_t size)
{
    int descriptor = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
    ssize_t count = descriptor < 0 ? -1 : read(descriptor, ret_id, size - 1);

    if (descriptor >= 0)
        close(descriptor);
    if (count <= 0) {
        if (gethostname(ret_id, size) < 0)
            ret_id[0] = '\0';
        ret_id[size - 1] = '\0';
        return;
    }
    ret_id[count] = '\0';
    ret_id[strcspn(ret_id, "\n")] = '\0';
}

static int real_identify(struct file_system *files, const char *path,
                         struct file_identity *ret_identity, struct explanation *explanation)
{
    struct file_identity identity = {0};
    struct statx status;

    (void)files;
    if (statx(AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &status) < 0)
        return failed(explanation, path, "look at it");
    identity.inode = status.stx_ino;
    if (status.stx_mask & STATX_BTIME)
        identity.birth_ns = status.stx_btime.tv_sec * 1000000000 + status.stx_btime.tv_nsec;
    machine_id(identity.machine, sizeof(identity.machine));
    *ret_identity = identity;
    return GOSSIP_OK;
}

static int real_read(struct file_system *files, const char *path, uint8_t *buffer, size_t capacity,
                     size_t *ret_size, struct explanation *explanation)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    size_t size = 0;
    ssize_t count = 0;

    (void)files;
    if (descriptor < 0)
        return failed(explanation, path, "open it");
    do {
        count = read(descriptor, buffer + size, capacity - size);
        if (count > 0)
            size += (size_t)count;
    } while ((count > 0 && size < capacity) || (count < 0 && errno == EINTR));
    if (count < 0) {
        int error = failed(explanation, path, "read it");

        close(descriptor);
        return error;
    }
    close(descriptor);
    *ret_size = size;
    return GOSSIP_OK;
}

static bool write_whole(int descriptor, const uint8_t *bytes, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t count = pwrite(descriptor, bytes + done, size - done, (off_t)done);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return false;
        done += (size_t)count;
    }
    return true;
}

static int write_file(const char *path, int flags, const uint8_t *bytes, size_t size, bool sync,
                      struct explanation *explanation)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    int error = GOSSIP_OK;

    if (descriptor < 0)
        return failed(explanation, path, "open it");
    if (!write_whole(descriptor, bytes, size))
        error = failed(explanation, path, "write to it");
    else if (sync && fsync(descriptor) < 0)
        error = failed(explanation, path, "make it durable");
    close(descriptor);
    return error;
}

static int real_write(struct file_system *files, const char *path, const uint8_t *bytes,
                      size_t size, struct explanation *explanation)
{
    (void)files;
    return write_file(path, O_TRUNC, bytes, size, true, explanation);
}

static int real_replace(struct file_system *files, const char *path, const uint8_t *bytes,
                        size_t size, struct explanation *explanation)
{
    char *temporary = file_beside(path, ".new");
    struct explanation ignored;
    int error;

    if (temporary == NULL)
        return GOSSIP_ERR_NOMEM;
    error = write_file(temporary, O_TRUNC, bytes, size, true, explanation);
    if (error == GOSSIP_OK)
        error = real_rename(files, temporary, path, explanation);
    if (error < 0)
        real_remove(files, temporary, &ignored); /* If it stays, the next attempt uses it. */
    if (error == GOSSIP_OK)
        error = real_sync_directory(files, path, explanation);
    free(temporary);
    return error;
}

static int real_overwrite(struct file_system *files, const char *path, const uint8_t *bytes,
                          size_t size, struct explanation *explanation)
{
    (void)files;
    return write_file(path, 0, bytes, size, false, explanation);
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
        .identify = real_identify,
        .read = real_read,
        .write = real_write,
        .replace = real_replace,
        .overwrite = real_overwrite,
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
