#include "cmd/http.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/hangups.h"
#include "gossip/transport.h"

enum {
    CONNECTIONS_MAX = 256,
    IDLE_SECONDS = 30, /* A connection that says nothing for so long is closed, but for a log: */
                       /* who reads that may take the time it takes. */
    STREAM_BLOCK = 16384,
};

/* A request being received, waited for or answered. */
struct exchange {
    struct http *http;
    struct MHD_Connection *connection;
    bool foreign;         /* From a user who has no business here. */
    bool waits;           /* Suspended, until the results that response waits for. */
    bool answered;        /* response is what to say. */
    uint64_t deadline_ms; /* Of what waits without a ticket. */
    bool plain;
    struct api_response response;
    uint8_t *body;
    size_t size;           /* Of the body as sent; what is past API_BODY_MAX is not kept. */
    bool failed;           /* There was no memory for the body. */
    struct exchange *next; /* Of those that wait. */
};

/* A stream being sent. */
struct reading {
    struct http *http;
    struct MHD_Connection *connection;
    struct api_stream *stream;
    bool gone;             /* Its reader is. */
    struct reading **list; /* The one that it is in while it is suspended; else NULL. */
    struct reading *next;
};

struct http {
    struct MHD_Daemon *daemon;
    struct api *api;
    struct log *log;
    struct exchange *waiting;
    struct reading *paused; /* Suspended until the next run. */
    struct reading *idle;   /* Suspended until there is more to show. */
    int hangups;            /* Of those, whose readers have gone. */
    bool ends;              /* Nothing is suspended any more. */
    bool quiet;             /* New connections are no longer taken. */
    bool resumed; /* A connection has work to do of which neither descriptor nor timeout tells. */
};

/* Only the node's own user and root may ask. The mode of the socket says so too, but a directory
 * can be opened by mistake. */
static bool is_foreign(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return !info || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
           (peer.uid != geteuid() && peer.uid != 0);
}

static bool wants_plain(struct MHD_Connection *connection)
{
    const char *accept =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);

    return accept && strstr(accept, "text/plain");
}

static const char *find_argument(void *context, const char *name)
{
    return MHD_lookup_connection_value(context, MHD_GET_ARGUMENT_KIND, name);
}

static int descriptor_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

static void suspend(struct reading *reading, struct reading **list)
{
    reading->list = list;
    reading->next = *list;
    *list = reading;
    MHD_suspend_connection(reading->connection);
}

static void take_out(struct reading *reading)
{
    struct reading **link = reading->list;

    if (!link)
        return;
    while (*link != reading)
        link = &(*link)->next;
    *link = reading->next;
    if (reading->list == &reading->http->idle)
        hangups_remove(reading->http->hangups, descriptor_of(reading->connection));
    reading->list = NULL;
}

static void go_on(struct reading *reading)
{
    take_out(reading);
    reading->http->resumed = true;
    MHD_resume_connection(reading->connection);
}

static ssize_t read_stream(void *context, uint64_t position, char *buffer, size_t capacity)
{
    struct reading *reading = context;
    struct http *http = reading->http;
    int count;

    (void)position;
    if (reading->gone)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    count = api_stream_read(reading->stream, buffer, capacity < INT_MAX ? capacity : INT_MAX);
    if (count == 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (count == API_STREAM_AGAIN && !http->ends) {
        suspend(reading, &http->paused);
        http->resumed = true;
        return 0;
    }
    if (count == API_STREAM_WAITS && !http->ends &&
        hangups_add(http->hangups, descriptor_of(reading->connection), reading->connection)) {
        suspend(reading, &http->idle);
        return 0;
    }
    return count < 0 ? MHD_CONTENT_READER_END_WITH_ERROR : count;
}

/* Lets those go on that have let something else have its turn. */
static void resume_paused(struct http *http)
{
    while (http->paused)
        go_on(http->paused);
}

/* Of readers the connection may be closed already. */
static void close_stream(void *context)
{
    struct reading *reading = context;

    assert(!reading->list);
    api_stream_close(reading->stream);
    free(reading);
}

static struct MHD_Response *make_stream_response(struct exchange *exchange)
{
    struct reading *reading = malloc(sizeof(*reading));
    struct MHD_Response *response;

    if (!reading)
        return NULL;
    *reading = (struct reading){.http = exchange->http,
                                .connection = exchange->connection,
                                .stream = exchange->response.stream};
    response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream,
                                                 reading, close_stream);
    if (response)
        exchange->response.stream = NULL; /* Closed with the response. */
    else
        free(reading);
    MHD_set_connection_option(exchange->connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
    return response;
}

/* Hands the response over; where memory runs out, the connection is closed. */
static enum MHD_Result send_response(struct exchange *exchange)
{
    struct api_response *from = &exchange->response;
    struct MHD_Response *response;
    enum MHD_Result result;
    char code[16];

    if (from->stream) {
        response = make_stream_response(exchange);
    } else {
        response = MHD_create_response_from_buffer(from->body.size, from->body.data,
                                                   MHD_RESPMEM_MUST_COPY);
    }
    if (!response)
        return MHD_NO;
    snprintf(code, sizeof(code), "%d", (int)from->exit_code);
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, from->type) == MHD_NO ||
        MHD_add_response_header(response, "Gossip-Exit", code) == MHD_NO ||
        (from->notice.size > 0 &&
         MHD_add_response_header(response, "Gossip-Notice", from->notice.data) == MHD_NO) ||
        (from->allow &&
         MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, from->allow) == MHD_NO))
        result = MHD_NO;
    else
        result = MHD_queue_response(exchange->connection, (unsigned)from->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Keeps what of the body can be of use. The rest is read all the same: a client that still writes
 * would not hear the answer. */
static void take_body(struct exchange *exchange, const char *data, size_t size)
{
    size_t total = exchange->size + size;
    uint8_t *body;

    exchange->size = total;
    if (total > API_BODY_MAX || exchange->failed) {
        free(exchange->body);
        exchange->body = NULL;
        return;
    }
    body = realloc(exchange->body, total);
    if (!body) {
        exchange->failed = true;
        free(exchange->body);
        exchange->body = NULL;
        return;
    }
    memcpy(body + total - size, data, size);
    exchange->body = body;
}

static uint64_t now_ms(void)
{
    struct gossip_time *time = gossip_system_time();

    return time->ops->monotonic_ms(time);
}

static enum MHD_Result receive(void *context, struct MHD_Connection *connection, const char *path,
                               const char *method, const char *version, const char *data,
                               size_t *size, void **state)
{
    struct http *http = context;
    struct exchange *exchange = *state;

    (void)version;
    if (!exchange) {
        exchange = calloc(1, sizeof(*exchange));
        if (!exchange)
            return MHD_NO;
        exchange->http = http;
        exchange->connection = connection;
        exchange->foreign = is_foreign(connection);
        exchange->plain = wants_plain(connection);
        *state = exchange;
        if (!exchange->foreign)
            return MHD_YES;
        log_begin(http->log, MESSAGE_API_REFUSED);
        log_add(http->log, FIELD_REASON, "another user");
        log_end(http->log);
        return MHD_NO; /* Closes the connection. */
    }
    if (*size > 0) {
        take_body(exchange, data, *size);
        *size = 0;
        return MHD_YES;
    }
    if (exchange->waits)
        return MHD_YES;
    if (!exchange->answered) {
        if (exchange->failed)
            return MHD_NO;
        api_handle(http->api,
                   &(struct api_request){.method = method,
                                         .path = path,
                                         .argument = find_argument,
                                         .context = connection,
                                         .body = exchange->body,
                                         .size = exchange->size,
                                         .plain = exchange->plain},
                   &exchange->response);
        exchange->answered = true;
    }
    if (exchange->response.pending) {
        exchange->waits = true;
        if (exchange->response.wait)
            exchange->deadline_ms = now_ms() + exchange->response.timeout_ms;
        exchange->next = http->waiting;
        http->waiting = exchange;
        if (exchange->response.wait &&
            !hangups_add(http->hangups, descriptor_of(connection), connection))
            return MHD_NO;
        MHD_suspend_connection(connection);
        return MHD_YES;
    }
    return send_response(exchange);
}

static void forget_waiting(struct http *http, const struct exchange *exchange)
{
    struct exchange **link = &http->waiting;

    while (*link && *link != exchange)
        link = &(*link)->next;
    if (*link)
        *link = exchange->next;
}

static void complete(void *context, struct MHD_Connection *connection, void **state,
                     enum MHD_RequestTerminationCode code)
{
    struct exchange *exchange = *state;

    (void)context;
    (void)connection;
    (void)code;
    if (!exchange)
        return;
    forget_waiting(exchange->http, exchange);
    api_response_clear(&exchange->response);
    free(exchange->body);
    free(exchange);
    *state = NULL;
}

__attribute__((format(printf, 2, 0))) static void log_daemon(void *context, const char *format,
                                                             va_list arguments)
{
    struct http *http = context;
    char line[256];

    vsnprintf(line, sizeof(line), format, arguments);
    line[strcspn(line, "\n")] = '\0';
    log_begin(http->log, MESSAGE_API);
    log_add(http->log, FIELD_MESSAGE, line);
    log_end(http->log);
}

int http_open(int listener, struct api *api, struct log *log, struct http **ret_http)
{
    struct http *http = calloc(1, sizeof(*http));

    if (!http)
        return GOSSIP_ERR_NOMEM;
    http->api = api;
    http->log = log;
    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, receive, http,
        MHD_OPTION_EXTERNAL_LOGGER, log_daemon, http, MHD_OPTION_LISTEN_SOCKET, listener,
        MHD_OPTION_NOTIFY_COMPLETED, complete, NULL, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)65536, MHD_OPTION_END);
    if (http->daemon)
        http->hangups =
            hangups_open(MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
    if (!http->daemon || http->hangups < 0) {
        if (http->daemon)
            MHD_stop_daemon(http->daemon);
        free(http);
        return GOSSIP_ERR_IO;
    }
    *ret_http = http;
    return GOSSIP_OK;
}

/* Resumes what waits, so that its response is sent with the next run. */
static void resume(struct exchange *exchange)
{
    forget_waiting(exchange->http, exchange);
    if (exchange->deadline_ms > 0)
        hangups_remove(exchange->http->hangups, descriptor_of(exchange->connection));
    exchange->waits = false;
    exchange->http->resumed = true;
    MHD_resume_connection(exchange->connection);
}

void http_finish(struct http *http, const struct gossip_result *result)
{
    struct exchange *exchange = http->waiting;

    /* Its tickets follow each other. */
    while (exchange &&
           result->ticket - exchange->response.ticket >= exchange->response.ticket_count)
        exchange = exchange->next;
    if (!exchange) /* Its client has gone. */
        return;
    if (api_result(http->api, result, exchange->plain, &exchange->response))
        resume(exchange);
}

/* Answers what waits without a ticket, where it is over. */
static void look(struct exchange *exchange, uint64_t now)
{
    struct api_response response;

    if (!api_wait_look(exchange->http->api, exchange->response.wait, now >= exchange->deadline_ms,
                       &response))
        return;
    api_response_clear(&exchange->response);
    exchange->response = response;
    resume(exchange);
}

void http_wake(struct http *http)
{
    uint64_t now = now_ms();

    for (struct reading *reading = http->idle, *next; reading; reading = next) {
        next = reading->next;
        if (api_stream_is_ready(reading->stream))
            go_on(reading);
    }
    for (struct exchange *exchange = http->waiting, *next; exchange; exchange = next) {
        next = exchange->next;
        if (exchange->response.wait)
            look(exchange, now);
    }
}

static void give_up(struct exchange *exchange)
{
    if (exchange->response.wait) {
        api_response_clear(&exchange->response);
        api_wait_give_up(&exchange->response);
    } else {
        api_give_up(&exchange->response, exchange->plain);
    }
    resume(exchange);
}

/* Lets go of those whose other end has gone. */
static void let_go(struct http *http)
{
    struct MHD_Connection *connection;

    while ((connection = hangups_next(http->hangups)) != NULL) {
        struct reading *reading = http->idle;
        struct exchange *exchange = http->waiting;

        while (reading && reading->connection != connection)
            reading = reading->next;
        while (exchange && exchange->connection != connection)
            exchange = exchange->next;
        assert(reading || exchange);
        if (reading) {
            reading->gone = true;
            go_on(reading);
        } else {
            give_up(exchange);
        }
    }
}

void http_give_up(struct http *http)
{
    if (!http->quiet) {
        /* Answers with the listener, which stays its owner's. */
        MHD_quiesce_daemon(http->daemon);
        http->quiet = true;
    }
    while (http->waiting)
        give_up(http->waiting);
    api_end_streams(http->api);
    while (http->idle)
        go_on(http->idle);
}

void http_close(struct http *http)
{
    if (!http)
        return;
    http_give_up(http);
    http->ends = true;
    resume_paused(http);
    MHD_run(http->daemon); /* Takes up what was resumed: a daemon must not stop before. */
    MHD_stop_daemon(http->daemon);
    close(http->hangups);
    free(http);
}

int http_poll_fd(struct http *http)
{
    return http->hangups;
}

int http_timeout_ms(struct http *http)
{
    MHD_UNSIGNED_LONG_LONG timeout;
    uint64_t least;

    if (http->resumed)
        return 0;
    least = MHD_get_timeout(http->daemon, &timeout) == MHD_NO ? UINT64_MAX : timeout;
    for (const struct exchange *exchange = http->waiting; exchange; exchange = exchange->next) {
        uint64_t now = now_ms();
        uint64_t left = exchange->deadline_ms > now ? exchange->deadline_ms - now : 0;

        if (exchange->response.wait && left < least)
            least = left;
    }
    if (least == UINT64_MAX)
        return -1;
    return least < INT_MAX ? (int)least : INT_MAX;
}

int http_run(struct http *http)
{
    let_go(http);
    resume_paused(http);
    http->resumed = false;
    return MHD_run(http->daemon) == MHD_YES ? GOSSIP_OK : GOSSIP_ERR_IO;
}

bool http_idle(struct http *http)
{
    return MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)
               ->num_connections == 0;
}
