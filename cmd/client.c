#include "cmd/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    /* A disk may stall for half a minute and come back. */
    ANSWER_MS = 60000,
    END_MS = 10000,
};

/* Waits until the socket is ready; false when it takes too long. */
static bool wait_ready(struct client *client, short events)
{
    struct pollfd ready = {.fd = client->socket, .events = events};
    int count;

    do
        count = poll(&ready, 1, client->patience_ms > 0 ? client->patience_ms : ANSWER_MS);
    while (count < 0 && errno == EINTR);
    client->timed_out = count == 0;
    return count > 0;
}

static ssize_t read_socket(void *context, void *buffer, size_t capacity)
{
    struct client *client = context;
    ssize_t count;

    do {
        if (!wait_ready(client, POLLIN))
            return -1;
        count = recv(client->socket, buffer, capacity, MSG_DONTWAIT);
    } while (count < 0 && (errno == EINTR || errno == EAGAIN));
    /* A node that was killed leaves a connection that is reset, or just ends. */
    return count < 0 && errno == ECONNRESET ? 0 : count;
}

/* The process that listens. Opened while it has yet to answer, it cannot be another's pid. */
static int open_process(int descriptor)
{
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);

    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.pid <= 0)
        return -1;
    return pidfd_open(peer.pid, 0);
}

enum exit_code client_connect(const struct directory *directory, struct client *ret_client)
{
    struct sockaddr_un address;
    socklen_t size;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char *path;
    enum exit_code code;

    if (descriptor < 0)
        return complain_of_system("cannot make a socket for", directory->path,
                                  "close something and try again");
    directory_address(directory, DIRECTORY_SOCKET, &address, &size);
    if (connect(descriptor, (const struct sockaddr *)&address, size) == 0) {
        *ret_client = (struct client){.socket = descriptor, .process = open_process(descriptor)};
        return EXIT_OK;
    }
    if (errno == ENOENT || errno == ECONNREFUSED) {
        close(descriptor);
        return EXIT_NO_NODE;
    }
    path = directory_file(directory, DIRECTORY_SOCKET);
    code = complain_of_system("cannot speak with the node on", path, "ask as the user who runs it");
    free(path);
    close(descriptor);
    return code;
}

void client_close(struct client *client)
{
    close(client->socket);
    if (client->process >= 0)
        close(client->process);
    client->socket = client->process = -1;
}

static bool send_all(struct client *client, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t count;

        if (!wait_ready(client, POLLOUT))
            return false;
        count = send(client->socket, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (count < 0)
            return false;
        data += count;
        size -= (size_t)count;
    }
    return true;
}

void client_add_argument(struct text *target, const char *name, const char *value)
{
    bool first = !target->data || !strchr(target->data, '?');

    text_print(target, "%c%s=", first ? '?' : '&', name);
    for (const char *byte = value; *byte; byte++) {
        bool plain = (*byte >= 'a' && *byte <= 'z') || (*byte >= 'A' && *byte <= 'Z') ||
                     (*byte >= '0' && *byte <= '9') || strchr("-._~:", *byte);

        text_print(target, plain ? "%c" : "%%%02X", (unsigned char)*byte);
    }
}

bool client_send(struct client *client, const char *method, const char *target, bool plain,
                 const void *body, size_t size)
{
    struct text head = {0};
    bool sent;

    http_reader_start(&client->reader, read_socket, client);
    text_print(&head,
               "%s %s HTTP/1.1\r\nHost: gossip\r\nAccept: %s\r\nConnection: close\r\n"
               "Content-Length: %zu\r\n\r\n",
               method, target, plain ? "text/plain" : "application/json", size);
    sent = !head.failed && send_all(client, head.data, head.size) && send_all(client, body, size);
    text_clear(&head);
    return sent;
}

bool client_answers_within(struct client *client, int ms)
{
    struct pollfd ready = {.fd = client->socket, .events = POLLIN};

    return poll(&ready, 1, ms) != 0;
}

int client_head(struct client *client, struct http_head *ret_head)
{
    return http_reader_head(&client->reader, ret_head);
}

int client_body(struct client *client, void *buffer, size_t capacity)
{
    return http_reader_body(&client->reader, buffer, capacity);
}

enum exit_code client_wait_end(struct client *client, const struct directory *directory)
{
    struct pollfd ended = {.fd = client->process, .events = POLLIN};
    int count;

    if (client->process < 0)
        return EXIT_OK;
    do
        count = poll(&ended, 1, END_MS);
    while (count < 0 && errno == EINTR);
    if (count > 0)
        return EXIT_OK;
    complain("the node on %s was told to stop and has not ended in %d seconds; look at its log",
             directory->path, END_MS / 1000);
    return EXIT_TIMED_OUT;
}
