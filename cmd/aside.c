#include "cmd/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { COPY_BLOCK = 65536, STAMPS_MAX = 100 };

/* What stands beside a store, each under its name and this ending. The database itself comes first:
 * without it nobody opens the rest. */
static const char *const endings[] = {"",      "-wal",    "-shm",      "-journal",
                                      ".side", ".marker", ".side.new", ".marker.new"};

enum { ENDING_COUNT = sizeof(endings) / sizeof(endings[0]), NAME_SIZE = 128 };

static enum exit_code sync_directory(const struct directory *directory)
{
    return fsync(directory->descriptor) == 0 || errno == EINVAL
               ? EXIT_OK
               : complain_of_system("cannot write", directory->path,
                                    "check the disk and try again");
}

static enum exit_code move(const struct directory *directory, const char *from, const char *to)
{
    if (renameat2(directory->descriptor, from, directory->descriptor, to, RENAME_NOREPLACE) == 0 ||
        errno == ENOENT)
        return EXIT_OK;
    return complain_of_system("cannot move aside", from, "check who may write to the directory");
}

enum exit_code aside_is_pending(const struct directory *directory, bool *ret_pending)
{
    bool has_store;
    bool has_new;
    enum exit_code code = directory_has(directory, DIRECTORY_STORE, &has_store);

    if (code == EXIT_OK)
        code = directory_has(directory, ASIDE_RECOVERED, &has_new);
    if (code == EXIT_OK)
        *ret_pending = has_new && !has_store;
    return code;
}

enum exit_code aside_clean(const struct directory *directory)
{
    static const char *const stores[] = {ASIDE_SALVAGE, ASIDE_BUILDING, ASIDE_RECOVERED};
    static const char *const others[] = {ASIDE_KEY, ASIDE_WAITING};
    char name[NAME_SIZE];

    for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++) {
        for (size_t j = 0; j < ENDING_COUNT + 1; j++) {
            snprintf(name, sizeof(name), "%s%s", stores[i],
                     j < ENDING_COUNT ? endings[j] : ".lock");
            if (unlinkat(directory->descriptor, name, 0) < 0 && errno != ENOENT)
                return complain_of_system("cannot take away", name, "check who may write there");
        }
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (unlinkat(directory->descriptor, others[i], 0) < 0 && errno != ENOENT)
            return complain_of_system("cannot take away", others[i], "check who may write there");
    return EXIT_OK;
}

/* Copies all of one file; it is not an error if there is none. */
static enum exit_code copy(const struct directory *directory, const char *from, const char *to)
{
    int in = openat(directory->descriptor, from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char *block = malloc(COPY_BLOCK);
    bool written = true;
    ssize_t count = 0;
    int out = -1;

    if (in >= 0 && block)
        out = openat(directory->descriptor, to,
                     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    while (out >= 0 && written && (count = read(in, block, COPY_BLOCK)) != 0) {
        if (count < 0 && errno != EINTR)
            break;
        for (ssize_t done = 0, part; done < count && written; done += part) {
            part = write(out, block + done, (size_t)(count - done));
            written = part > 0;
        }
    }
    free(block);
    if (out >= 0 && close(out) < 0)
        written = false;
    if (in >= 0)
        close(in);
    if (in < 0 && errno == ENOENT)
        return EXIT_OK;
    if (in >= 0 && out >= 0 && written && count == 0)
        return EXIT_OK;
    return complain_of_system("cannot copy", from, "make room, or look at the disk, and try again");
}

enum exit_code aside_copy(const struct directory *directory)
{
    enum exit_code code = copy(directory, DIRECTORY_STORE, ASIDE_SALVAGE);

    return code == EXIT_OK ? copy(directory, DIRECTORY_STORE "-wal", ASIDE_SALVAGE "-wal") : code;
}

enum exit_code aside_finish_building(const struct directory *directory)
{
    enum exit_code code = sync_directory(directory);

    if (code == EXIT_OK)
        code = move(directory, ASIDE_BUILDING, ASIDE_RECOVERED);
    return code == EXIT_OK ? sync_directory(directory) : code;
}

/* A name that no file bears yet: the time, and if need be a number. */
static enum exit_code find_stamp(const struct directory *directory,
                                 char ret_stamp[ASIDE_STAMP_SIZE])
{
    char base[24];
    char name[NAME_SIZE];
    time_t now = time(NULL);
    struct tm utc;
    bool taken = true;

    gmtime_r(&now, &utc);
    strftime(base, sizeof(base), "%Y%m%dT%H%M%SZ", &utc);
    for (int i = 1; i <= STAMPS_MAX && taken; i++) {
        bool has_store;
        bool has_key;
        enum exit_code code;

        if (i == 1)
            snprintf(ret_stamp, ASIDE_STAMP_SIZE, "%s", base);
        else
            snprintf(ret_stamp, ASIDE_STAMP_SIZE, "%s-%d", base, i);
        snprintf(name, sizeof(name), "%s.%s", DIRECTORY_STORE, ret_stamp);
        code = directory_has(directory, name, &has_store);
        snprintf(name, sizeof(name), "%s.%s", DIRECTORY_KEY, ret_stamp);
        if (code == EXIT_OK)
            code = directory_has(directory, name, &has_key);
        if (code != EXIT_OK)
            return code;
        taken = has_store || has_key;
    }
    if (!taken)
        return EXIT_OK;
    complain("%s holds too many files of earlier recoveries; move some away", directory->path);
    return EXIT_NO;
}

enum exit_code aside_switch(const struct directory *directory, char ret_stamp[ASIDE_STAMP_SIZE])
{
    char from[NAME_SIZE];
    char to[NAME_SIZE];
    bool new_key = false;
    enum exit_code code = find_stamp(directory, ret_stamp);

    for (size_t i = 0; i < ENDING_COUNT && code == EXIT_OK; i++) {
        snprintf(from, sizeof(from), "%s%s", DIRECTORY_STORE, endings[i]);
        snprintf(to, sizeof(to), "%s.%s%s", DIRECTORY_STORE, ret_stamp, endings[i]);
        code = move(directory, from, to);
        /* Once the database is gone, the rest is only moved on. */
        if (code == EXIT_OK && i == 0)
            code = sync_directory(directory);
    }
    if (code == EXIT_OK) {
        snprintf(to, sizeof(to), "%s.%s%s", DIRECTORY_STORE, ret_stamp, ASIDE_WAITING_ENDING);
        code = move(directory, ASIDE_WAITING, to);
    }
    if (code == EXIT_OK)
        code = directory_has(directory, ASIDE_KEY, &new_key);
    if (code == EXIT_OK && new_key) {
        snprintf(to, sizeof(to), "%s.%s", DIRECTORY_KEY, ret_stamp);
        code = move(directory, DIRECTORY_KEY, to);
        if (code == EXIT_OK)
            code = move(directory, ASIDE_KEY, DIRECTORY_KEY);
    }
    if (code == EXIT_OK)
        code = sync_directory(directory);
    if (code == EXIT_OK)
        code = move(directory, ASIDE_RECOVERED, DIRECTORY_STORE);
    return code == EXIT_OK ? sync_directory(directory) : code;
}
