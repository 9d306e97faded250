#include "cmd/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

enum exit_code output_create(const char *path, struct output *ret_output)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);

    if (file < 0 && errno == EEXIST) {
        complain("%s exists already, and was left as it is; name another file", path);
        return EXIT_NO;
    }
    if (file < 0)
        return complain_of_system("cannot create", path, "check who may write there");
    *ret_output = (struct output){.path = path, .file = file};
    return EXIT_OK;
}

enum exit_code output_write(struct output *output, const char *data, size_t size)
{
    int file = output->path ? output->file : STDOUT_FILENO;
    struct pollfd ready = {.fd = file, .events = POLLOUT};

    while (size > 0 && !output->closed) {
        ssize_t written = write(file, data, size);

        if (written >= 0) {
            data += written;
            size -= (size_t)written;
        } else if (errno == EPIPE && !output->path) {
            output->closed = true;
        } else if (errno == EAGAIN) {
            poll(&ready, 1, -1);
        } else if (errno != EINTR) {
            complain_of_system("cannot write to", output->path ? output->path : "standard output",
                               output->path ? "check the disk and try again"
                                            : "check where it goes; what was printed is not "
                                              "complete");
            return EXIT_INPUT_OUTPUT;
        }
    }
    return EXIT_OK;
}

enum exit_code output_finish(struct output *output, enum exit_code code)
{
    if (!output->path)
        return code;
    if (code == EXIT_OK && fsync(output->file) < 0 && errno != EINVAL)
        code = complain_of_system("cannot write to", output->path, "check the disk and try again");
    if (close(output->file) < 0 && code == EXIT_OK)
        code = complain_of_system("cannot write to", output->path, "check the disk and try again");
    if (code != EXIT_OK && unlink(output->path) < 0 && errno != ENOENT)
        complain_of_system("cannot take away the unfinished", output->path, "remove it");
    *output = (struct output){0};
    return code;
}
