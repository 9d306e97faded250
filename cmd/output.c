#include "cmd/output.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum exit_code output_write(struct output *output, const char *data, size_t size)
{
    struct pollfd ready = {.fd = STDOUT_FILENO, .events = POLLOUT};

    while (size > 0 && !output->closed) {
        ssize_t written = write(STDOUT_FILENO, data, size);

        if (written >= 0) {
            data += written;
            size -= (size_t)written;
        } else if (errno == EPIPE) {
            output->closed = true;
        } else if (errno == EAGAIN) {
            poll(&ready, 1, -1);
        } else if (errno != EINTR) {
            complain_of_system("cannot write to", "standard output",
                               "check where it goes; what was printed is not complete");
            return EXIT_INPUT_OUTPUT;
        }
    }
    return EXIT_OK;
}
