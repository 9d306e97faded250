/* What goes over the socket of an experiment by hand: a line there; back an exit code and what is
 * to be shown. */
#include "cmd/lab/hand_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cmd/output.h"

bool hand_send(int socket, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        ssize_t count = send(socket, at, size, MSG_NOSIGNAL);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        at += count;
        size -= (size_t)count;
    }
    return true;
}

bool hand_send_answer(int socket, const struct hand_answer *answer)
{
    char head[64];
    int length = snprintf(head, sizeof(head), "%d %zu %zu\n", (int)answer->code, answer->out.size,
                          answer->error.size);

    if (answer->out.failed || answer->error.failed)
        abort(); /* No memory. */
    return hand_send(socket, head, (size_t)length) &&
           hand_send(socket, answer->out.data, answer->out.size) &&
           hand_send(socket, answer->error.data, answer->error.size);
}

bool hand_receive_answer(int socket, struct hand_answer *ret_answer)
{
    struct text all = {0};
    char block[16384];
    size_t out = 0;
    size_t error = 0;
    int code = 0;
    const char *body;
    ssize_t count;
    bool is_whole;

    *ret_answer = (struct hand_answer){0};
    while ((count = recv(socket, block, sizeof(block), 0)) != 0) {
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            break;
        text_add_bytes(&all, block, (size_t)count);
    }
    if (all.failed)
        abort(); /* No memory. */
    body = all.data ? strchr(all.data, '\n') : NULL;
    is_whole = body && sscanf(all.data, "%d %zu %zu", &code, &out, &error) == 3 &&
               all.size - (size_t)(body + 1 - all.data) == out + error;
    if (is_whole) {
        ret_answer->code = (enum exit_code)code;
        text_add_bytes(&ret_answer->out, body + 1, out);
        text_add_bytes(&ret_answer->error, body + 1 + out, error);
    }
    text_clear(&all);
    return is_whole;
}

enum exit_code hand_show(struct hand_answer *answer)
{
    enum exit_code code = EXIT_OK;

    if (answer->error.size > 0)
        fwrite(answer->error.data, 1, answer->error.size, stderr);
    text_clear(&answer->error);
    if (answer->out.size > 0)
        code = run_show(&answer->out);
    text_clear(&answer->out);
    return code == EXIT_OK ? answer->code : code;
}
