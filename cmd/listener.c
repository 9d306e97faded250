#include "cmd/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 64 };

#define UNFINISHED DIRECTORY_SOCKET ".new"

static enum exit_code check_replaceable(const struct directory *directory)
{
    struct stat status;

    if (fstatat(directory->descriptor, DIRECTORY_SOCKET, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
        S_ISSOCK(status.st_mode))
        return EXIT_OK;
    complain("%s/%s is there and is no socket; move it away", directory->path, DIRECTORY_SOCKET);
    return EXIT_CONFIGURATION;
}

enum exit_code listener_open(const struct directory *directory, int *ret_socket)
{
    struct sockaddr_un address;
    socklen_t size;
    mode_t mask;
    enum exit_code code = check_replaceable(directory);
    int descriptor = -1;
    int bound;
    char *path;

    if (code != EXIT_OK)
        return code;
    path = directory_file(directory, DIRECTORY_SOCKET);
    directory_address(directory, UNFINISHED, &address, &size);
    if (unlinkat(directory->descriptor, UNFINISHED, 0) < 0 && errno != ENOENT)
        goto fail;
    descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        goto fail;
    /* The mode must be right from the first moment on. */
    mask = umask(0177);
    bound = bind(descriptor, (const struct sockaddr *)&address, size);
    umask(mask);
    /* Renamed when it listens: whoever finds it is heard. */
    if (bound < 0 || listen(descriptor, BACKLOG) < 0 ||
        renameat(directory->descriptor, UNFINISHED, directory->descriptor, DIRECTORY_SOCKET) < 0)
        goto fail;
    free(path);
    *ret_socket = descriptor;
    return EXIT_OK;

fail:
    code = complain_of_system("cannot make the socket", path, "check who may write there");
    if (descriptor >= 0)
        close(descriptor);
    free(path);
    return code;
}

void listener_close(const struct directory *directory, int socket)
{
    close(socket);
    /* One that stays behind does no harm: the next node replaces it. */
    unlinkat(directory->descriptor, DIRECTORY_SOCKET, 0);
}
