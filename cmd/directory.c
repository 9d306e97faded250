#include "cmd/directory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gossip/crypto.h"

enum { EXPLANATION_SIZE = 1024 };

enum exit_code directory_open(const char *path, enum exit_code missing,
                              struct directory *ret_directory)
{
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (descriptor >= 0) {
        *ret_directory = (struct directory){path, descriptor};
        return EXIT_OK;
    }
    if (errno != ENOENT)
        return complain_of_system("cannot open the directory", path,
                                  "name the directory of a node with --dir");
    complain("there is no directory %s; `gossip init --dir %s --name NAME` makes one", path, path);
    return missing;
}

void directory_close(struct directory *directory)
{
    close(directory->descriptor);
    directory->descriptor = -1;
}

enum exit_code directory_has(const struct directory *directory, const char *name, bool *ret_has)
{
    struct stat status;

    if (fstatat(directory->descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        *ret_has = true;
        return EXIT_OK;
    }
    if (errno != ENOENT)
        return complain_of_system("cannot look into the directory", directory->path,
                                  "check who may read it");
    *ret_has = false;
    return EXIT_OK;
}

char *directory_file(const struct directory *directory, const char *name)
{
    size_t size = strlen(directory->path) + 1 + strlen(name) + 1;
    char *path = malloc(size);

    if (!path) {
        complain("no memory for a path; free some and try again");
        exit(EXIT_MEMORY);
    }
    snprintf(path, size, "%s/%s", directory->path, name);
    return path;
}

void directory_address(const struct directory *directory, const char *name,
                       struct sockaddr_un *ret_address, socklen_t *ret_size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length =
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", directory->path, name);

    if (length < 0 || (size_t)length >= sizeof(address.sun_path)) {
        length = snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s",
                          directory->descriptor, name);
        assert(length > 0 && (size_t)length < sizeof(address.sun_path));
    }
    *ret_address = address;
    *ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length + 1);
}

static bool write_all(int descriptor, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(descriptor, data, size);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        data += written;
        size -= (size_t)written;
    }
    return true;
}

enum exit_code directory_write(const struct directory *directory, const char *name,
                               const void *data, size_t size)
{
    char temporary[64];
    char *path = directory_file(directory, name);
    enum exit_code code = EXIT_OK;
    bool written;
    int file;

    snprintf(temporary, sizeof(temporary), "%s.new", name);
    if (unlinkat(directory->descriptor, temporary, 0) < 0 && errno != ENOENT) {
        code = complain_of_system("cannot replace the unfinished", path, "check who may write");
        free(path);
        return code;
    }
    file = openat(directory->descriptor, temporary,
                  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0) {
        code = complain_of_system("cannot create", path, "check who may write there");
        free(path);
        return code;
    }
    /* The umask may have taken away what the owner needs. */
    written = fchmod(file, 0600) == 0 && write_all(file, data, size) && fsync(file) == 0;
    if (close(file) < 0)
        written = false;
    if (!written ||
        renameat2(directory->descriptor, temporary, directory->descriptor, name, RENAME_NOREPLACE) <
            0 ||
        fsync(directory->descriptor) < 0) {
        code = complain_of_system("cannot write", path, "check the disk and try again");
        unlinkat(directory->descriptor, temporary, 0);
    }
    free(path);
    return code;
}

/* Reads a file that only its owner may read. *ret_text is the caller's, to be freed with
 * gossip_secret_free(). */
static enum exit_code read_secret(int at, const char *name, const char *path, char **ret_text,
                                  size_t *ret_size)
{
    int file = openat(at, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    struct stat status;
    char *text;
    size_t size = 0;
    ssize_t count;

    if (file < 0)
        return complain_of_system("cannot read", path, "check that it is there, and whose it is");
    if (fstat(file, &status) < 0 || !S_ISREG(status.st_mode)) {
        complain("%s is not a file; name a key that `gossip init` has made", path);
        close(file);
        return EXIT_CONFIGURATION;
    }
    if (status.st_mode & 077) {
        complain("%s can be used by others (mode %04o); `chmod 600 %s`, and if they may have read "
                 "it, make a new one",
                 path, (unsigned)status.st_mode & 07777, path);
        close(file);
        return EXIT_PERMISSION;
    }
    text = gossip_secret_alloc(GOSSIP_IDENTITY_TEXT_MAX);
    if (!text) {
        complain("no memory that could hold the secrets of %s; free some, or raise `ulimit -l`",
                 path);
        close(file);
        return EXIT_MEMORY;
    }
    do {
        count = read(file, text + size, GOSSIP_IDENTITY_TEXT_MAX - size);
        if (count > 0)
            size += (size_t)count;
    } while ((count > 0 && size < GOSSIP_IDENTITY_TEXT_MAX) || (count < 0 && errno == EINTR));
    if (count < 0) {
        enum exit_code code = complain_of_system("cannot read", path, "check the disk");

        gossip_secret_free(text);
        close(file);
        return code;
    }
    close(file);
    *ret_text = text;
    *ret_size = size;
    return EXIT_OK;
}

static enum exit_code complain_of_key(const char *path, const char *what, int error, size_t line)
{
    switch (error) {
    case GOSSIP_ERR_NOMEM:
        complain("no memory for %s; free some, or raise `ulimit -l`", path);
        return EXIT_MEMORY;
    case GOSSIP_ERR_FORGED:
        complain("%s is not whole: its key and its certificate do not fit each other; restore it "
                 "from a copy",
                 path);
        return EXIT_CONFIGURATION;
    default:
        complain("%s is not the key of a %s: line %zu is not of the form `gossip init` writes; "
                 "restore it from a copy",
                 path, what, line);
        return EXIT_CONFIGURATION;
    }
}

enum exit_code directory_key(const struct directory *directory,
                             struct gossip_identity **ret_identity)
{
    char *path = directory_file(directory, DIRECTORY_KEY);
    char *text;
    size_t size;
    size_t line = 0;
    enum exit_code code = read_secret(directory->descriptor, DIRECTORY_KEY, path, &text, &size);
    int error;

    if (code == EXIT_OK) {
        error = gossip_identity_from_text(text, size, ret_identity, &line);
        if (error < 0)
            code = complain_of_key(path, "node", error, line);
        gossip_secret_free(text);
    }
    free(path);
    return code;
}

enum exit_code directory_identity(const struct directory *directory,
                                  struct gossip_identity **ret_identity)
{
    bool has_key;
    bool has_store;
    enum exit_code code = directory_has(directory, DIRECTORY_KEY, &has_key);

    if (code == EXIT_OK)
        code = directory_has(directory, DIRECTORY_STORE, &has_store);
    if (code != EXIT_OK)
        return code;
    if (!has_key && !has_store) {
        complain("%s is not the directory of a node; `gossip init --dir %s --name NAME` makes it "
                 "one",
                 directory->path, directory->path);
        return EXIT_CONFIGURATION;
    }
    if (!has_key) {
        complain("%s has %s but no %s; restore the key from a copy, or if `init` was cut off "
                 "there, remove the directory and init again",
                 directory->path, DIRECTORY_STORE, DIRECTORY_KEY);
        return EXIT_CONFIGURATION;
    }
    if (!has_store) {
        complain(
            "%s has %s but no %s; put a backup of the store in its place, or run "
            "`gossip recover --dir %s`: a key must not go on with an empty store as if nothing "
            "had been",
            directory->path, DIRECTORY_KEY, DIRECTORY_STORE, directory->path);
        return EXIT_CONFIGURATION;
    }
    return directory_key(directory, ret_identity);
}

enum exit_code directory_cluster(const char *path, struct gossip_cluster **ret_cluster)
{
    char *text;
    size_t size;
    size_t line = 0;
    enum exit_code code = read_secret(AT_FDCWD, path, path, &text, &size);
    int error;

    if (code != EXIT_OK)
        return code;
    error = gossip_cluster_from_text(text, size, ret_cluster, &line);
    if (error < 0)
        code = complain_of_key(path, "cluster", error, line);
    gossip_secret_free(text);
    return code;
}

enum exit_code directory_try_store(const struct directory *directory, char *ret_explanation,
                                   size_t size, struct gossip_store **ret_store)
{
    char *path = directory_file(directory, DIRECTORY_STORE);
    int error = gossip_sqlite_open(path, GOSSIP_SQLITE_OPEN, ret_explanation, size, ret_store);

    free(path);
    if (error < 0 && error != GOSSIP_ERR_LOCKED)
        complain("%s", ret_explanation);
    return exit_for(error);
}

enum exit_code directory_store(const struct directory *directory, struct gossip_store **ret_store)
{
    char explanation[EXPLANATION_SIZE];
    enum exit_code code =
        directory_try_store(directory, explanation, sizeof(explanation), ret_store);

    if (code == EXIT_LOCKED)
        complain("%s", explanation);
    return code;
}
