#include "cmd/http_tcp.h"

#include <limits.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cmd/loopback.h"
#include "gossip/transport.h"

enum {
    GUESTS_MAX = 16,
    /* A connection carries one request and is closed after so long, whatever it does: who sends a
     * byte now and then must not keep others out. */
    GUEST_MS = 10000,
    GUEST_MEMORY = 8192, /* For the head of a request: none that is longer is answered. */
};

/* A connection. */
struct guest {
    int descriptor;
    uint64_t deadline_ms; /* UINT64_MAX: it is over already. */
    struct guest *next;
};

struct http_tcp {
    struct MHD_Daemon *daemon;
    struct api *api;
    struct guest *guests;
};

static uint64_t now_ms(void)
{
    struct gossip_time *time = gossip_system_time();

    return time->ops->monotonic_ms(time);
}

/* A page in a browser may reach this port too, once its name has come to mean this machine: then
 * the request bears that name. */
static bool is_for_us(struct MHD_Connection *connection, const char *version)
{
    const char *host =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);

    /* HTTP/1.0 needs none, and no browser speaks it. */
    return host ? loopback_is_host(host) : strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
}

static enum MHD_Result send_response(struct MHD_Connection *connection,
                                     const struct api_response *from)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(from->body.size, from->body.data, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result;

    if (!response)
        return MHD_NO;
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, from->type) == MHD_NO ||
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_NO ||
        (from->allow &&
         MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, from->allow) == MHD_NO))
        result = MHD_NO;
    else
        result = MHD_queue_response(connection, (unsigned)from->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Answers as soon as the head is there: what there may be of a body is never read. */
static enum MHD_Result receive(void *context, struct MHD_Connection *connection, const char *path,
                               const char *method, const char *version, const char *data,
                               size_t *size, void **state)
{
    struct http_tcp *http = context;
    struct api_response response = {0};
    enum MHD_Result result;

    (void)data;
    (void)size;
    (void)state;
    if (is_for_us(connection, version))
        api_handle_probe(http->api, &(struct api_request){.method = method, .path = path},
                         &response);
    else
        api_refuse_host(&response);
    result = send_response(connection, &response);
    api_response_clear(&response);
    return result;
}

static void begin_guest(struct http_tcp *http, int descriptor, void **ret_guest)
{
    struct guest *guest = malloc(sizeof(*guest));

    if (!guest) { /* Without a deadline it may not stay. */
        shutdown(descriptor, SHUT_RDWR);
        return;
    }
    *guest = (struct guest){descriptor, now_ms() + GUEST_MS, http->guests};
    http->guests = guest;
    *ret_guest = guest;
}

static void end_guest(struct http_tcp *http, struct guest *guest)
{
    struct guest **link = &http->guests;

    if (!guest)
        return;
    while (*link != guest)
        link = &(*link)->next;
    *link = guest->next;
    free(guest);
}

static void notice_guest(void *context, struct MHD_Connection *connection, void **guest,
                         enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        begin_guest(
            context,
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
            guest);
    else
        end_guest(context, *guest);
}

int http_tcp_open(int listener, struct api *api, struct http_tcp **ret_http)
{
    struct http_tcp *http = calloc(1, sizeof(*http));

    if (!http)
        return GOSSIP_ERR_NOMEM;
    http->api = api;
    http->daemon =
        MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, receive, http, MHD_OPTION_LISTEN_SOCKET,
                         listener, MHD_OPTION_NOTIFY_CONNECTION, notice_guest, http,
                         MHD_OPTION_CONNECTION_LIMIT, (unsigned)GUESTS_MAX,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)GUEST_MEMORY, MHD_OPTION_END);
    if (!http->daemon) {
        free(http);
        return GOSSIP_ERR_IO;
    }
    *ret_http = http;
    return GOSSIP_OK;
}

void http_tcp_close(struct http_tcp *http)
{
    if (!http)
        return;
    MHD_quiesce_daemon(http->daemon); /* Answers with the listener, which stays its owner's. */
    MHD_stop_daemon(http->daemon);
    free(http);
}

int http_tcp_poll_fd(struct http_tcp *http)
{
    return http ? MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd : -1;
}

int http_tcp_timeout_ms(struct http_tcp *http)
{
    MHD_UNSIGNED_LONG_LONG timeout;
    uint64_t least = UINT64_MAX;
    uint64_t now;

    if (!http)
        return -1;
    if (MHD_get_timeout(http->daemon, &timeout) == MHD_YES)
        least = timeout;
    now = now_ms();
    for (const struct guest *guest = http->guests; guest; guest = guest->next) {
        uint64_t left = guest->deadline_ms > now ? guest->deadline_ms - now : 0;

        if (guest->deadline_ms != UINT64_MAX && left < least)
            least = left;
    }
    if (least == UINT64_MAX)
        return -1;
    return least < INT_MAX ? (int)least : INT_MAX;
}

int http_tcp_run(struct http_tcp *http)
{
    uint64_t now;

    if (!http)
        return GOSSIP_OK;
    now = now_ms();
    for (struct guest *guest = http->guests; guest; guest = guest->next) {
        if (guest->deadline_ms > now)
            continue;
        shutdown(guest->descriptor, SHUT_RDWR); /* The daemon sees that and closes it. */
        guest->deadline_ms = UINT64_MAX;
    }
    return MHD_run(http->daemon) == MHD_YES ? GOSSIP_OK : GOSSIP_ERR_IO;
}

bool http_tcp_idle(const struct http_tcp *http)
{
    return !http || !http->guests;
}
