/* The files of nodes that are down. */
#include "cmd/lab/local_state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool copy_file(int from, int to)
{
    char block[16384];
    ssize_t size;

    while ((size = read(from, block, sizeof(block))) > 0)
        for (ssize_t done = 0; done < size;) {
            ssize_t count = write(to, block + done, (size_t)(size - done));

            if (count < 0)
                return false;
            done += count;
        }
    return size == 0;
}

/* Copies all files of one directory to another, which is empty. */
static bool copy_files(const char *from, const char *to)
{
    DIR *listing = opendir(from);
    int target = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct dirent *entry;
    bool is_good = listing && target >= 0;

    while (is_good && (entry = readdir(listing)) != NULL) {
        struct stat status;
        int source;
        int copy;

        if (fstatat(dirfd(listing), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(status.st_mode))
            continue;
        source = openat(dirfd(listing), entry->d_name, O_RDONLY | O_CLOEXEC);
        copy = openat(target, entry->d_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                      status.st_mode & 0777);
        is_good = source >= 0 && copy >= 0 && copy_file(source, copy);
        if (source >= 0)
            close(source);
        if (copy >= 0)
            is_good = close(copy) == 0 && is_good;
    }
    if (target >= 0)
        close(target);
    if (listing)
        closedir(listing);
    return is_good;
}

static bool remove_files(const char *path)
{
    DIR *listing = opendir(path);
    const struct dirent *entry;
    bool is_good = listing != NULL;

    while (is_good && (entry = readdir(listing)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            is_good = unlinkat(dirfd(listing), entry->d_name, 0) == 0;
    if (listing)
        closedir(listing);
    return is_good;
}

/* Has the files of one directory in another too, in place of what is there. */
bool local_put_files(struct local *local, const char *from, const char *to)
{
    if ((mkdir(to, 0700) == 0 || errno == EEXIST) && remove_files(to) && copy_files(from, to))
        return true;
    return local_fail(local, "cannot copy %s to %s: %s", from, to, strerror(errno));
}
