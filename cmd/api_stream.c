/* Answers that are read bit by bit: the log and what is watched, event by event, and archives,
 * block by block. */
#include "cmd/api_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/api_filter.h"
#include "cmd/api_watch.h"
#include "cmd/json.h"
#include "cmd/names.h"
#include "cmd/plain.h"

/* Events looked at before something else has its turn: a few milliseconds. */
enum { LOOK_AT_ONCE = 256 };

struct api_stream {
    struct api *api;
    struct gossip_log *log;        /* What it shows, ... */
    struct gossip_export *archive; /* ... or that, */
    struct api_watch *watch;       /* ... or that. */
    struct names *names;           /* As they were when the log was opened. */
    struct plain_columns columns;
    struct log_filter filter;
    struct log_tail tail;
    bool has_tail; /* The log has been read to its end. */
    bool plain;
    struct text line; /* Being read, from offset on. */
    size_t offset;
    int error; /* What ended it; next_line() is not asked again. */
    bool ended;
};

static int open_log(struct api *api, const struct view *view, const struct api_request *request,
                    const struct log_filter *filter, size_t limit, struct api_stream **ret_stream)
{
    bool contested = api_is_set(request, "contested");
    struct api_stream *stream = malloc(sizeof(*stream));
    int error = stream ? GOSSIP_OK : GOSSIP_ERR_NOMEM;

    if (!stream)
        return error;
    *stream = (struct api_stream){.api = api, .plain = request->plain, .tail = {.limit = limit}};
    plain_columns(view, &stream->columns);
    error = names_of(api->options.gossip, &stream->names);
    if (error == GOSSIP_OK)
        error = gossip_log_open(api->options.gossip,
                                contested ? GOSSIP_LOG_CONTESTED : GOSSIP_LOG_EVENTS, &stream->log);
    if (error < 0) {
        names_destroy(stream->names);
        free(stream);
        return error;
    }
    stream->filter = *filter;
    api->streams++;
    *ret_stream = stream;
    return GOSSIP_OK;
}

void api_handle_log(struct api *api, const struct view *view, const struct api_request *request,
                    struct api_response *response)
{
    struct log_filter filter;
    size_t limit;
    int error;

    if (!api_read_filter(view, request, &filter, &limit, response))
        return;
    error = open_log(api, view, request, &filter, limit, &response->stream);
    if (error < 0) {
        log_filter_clear(&filter);
        api_answer_failure(response, error);
        return;
    }
    response->status = 200;
    response->exit_code = EXIT_OK;
    response->type = request->plain ? "text/plain; charset=utf-8" : "application/x-ndjson";
}

/* Puts the next bytes of an archive into the stream. */
static int next_block(struct api_stream *stream)
{
    const uint8_t *bytes;
    size_t size;
    int result = gossip_export_next(stream->archive, &bytes, &size);

    stream->offset = 0;
    stream->line.size = 0;
    if (result <= 0)
        return result;
    text_add_bytes(&stream->line, bytes, size);
    return stream->line.failed ? GOSSIP_ERR_NOMEM : 1;
}

/* Finds the next event to be shown: 1, 0 at the end, or an error, API_STREAM_AGAIN among them. */
static int next_event(struct api_stream *stream, struct gossip_event *ret_event)
{
    struct gossip_dot dot;

    for (int i = 0; i < LOOK_AT_ONCE && !stream->has_tail; i++) {
        int result = gossip_log_next(stream->log, ret_event);

        if (result < 0)
            return result;
        if (result == 0 && stream->tail.limit == 0)
            return 0;
        if (result == 0)
            stream->has_tail = true;
        else if (!log_filter_shows(&stream->filter, ret_event))
            continue;
        else if (stream->tail.limit == 0)
            return 1;
        else if (log_tail_add(&stream->tail, ret_event->dot) < 0)
            return GOSSIP_ERR_NOMEM;
    }
    if (!stream->has_tail)
        return API_STREAM_AGAIN;
    if (!log_tail_take(&stream->tail, &dot))
        return 0;
    return gossip_event_get(stream->api->options.gossip, dot, ret_event) < 0 ? GOSSIP_ERR_DAMAGED
                                                                             : 1;
}

/* Puts the next event's line into the stream: as next_event(). */
static int next_line(struct api_stream *stream)
{
    struct gossip_event event;
    int result = next_event(stream, &event);

    stream->offset = 0;
    stream->line.size = 0;
    if (result <= 0)
        return result;
    if (stream->plain) {
        plain_event(stream->names, &event, &stream->columns, &stream->line);
    } else {
        json_event(stream->names, &event, &stream->line);
        text_add(&stream->line, "\n");
    }
    if (stream->line.failed) {
        stream->line.size = 0;
        return GOSSIP_ERR_NOMEM;
    }
    return 1;
}

static int next_watched(struct api_stream *stream)
{
    stream->offset = 0;
    stream->line.size = 0;
    return api_watch_next(stream->watch, &stream->line);
}

int api_stream_read(struct api_stream *stream, void *buffer, size_t capacity)
{
    char *out = buffer;
    size_t size = 0;

    while (size < capacity) {
        size_t left = stream->line.size - stream->offset;
        size_t part = left < capacity - size ? left : capacity - size;

        if (left == 0) {
            int result = stream->ended     ? stream->error
                         : stream->archive ? next_block(stream)
                         : stream->watch   ? next_watched(stream)
                                           : next_line(stream);

            if (result == API_STREAM_AGAIN || result == API_STREAM_WAITS)
                return size > 0 ? (int)size : result;
            if (result <= 0) {
                stream->ended = true;
                stream->error = result;
            }
            /* What is written already is handed out first. */
            if (stream->ended)
                return size > 0 ? (int)size : stream->error;
            continue;
        }
        memcpy(out + size, stream->line.data + stream->offset, part);
        stream->offset += part;
        size += part;
    }
    return (int)size;
}

bool api_stream_is_ready(const struct api_stream *stream)
{
    return !stream->watch || stream->ended || stream->offset < stream->line.size ||
           api_watch_is_ready(stream->watch);
}

void api_stream_close(struct api_stream *stream)
{
    if (!stream)
        return;
    stream->api->streams--;
    if (stream->log)
        gossip_log_close(stream->log);
    gossip_export_close(stream->archive);
    api_watch_close(stream->watch);
    log_filter_clear(&stream->filter);
    log_tail_clear(&stream->tail);
    names_destroy(stream->names);
    text_clear(&stream->line);
    free(stream);
}

void api_handle_export(struct api *api, const struct view *view, const struct api_request *request,
                       struct api_response *response)
{
    const char *name = api_argument(request, "author");
    struct api_stream *stream;
    uint32_t author = 0;
    int error;

    if (name && !api_read_author(view, name, strlen(name), &author, response))
        return;
    stream = malloc(sizeof(*stream));
    error = GOSSIP_ERR_NOMEM;
    if (stream) {
        *stream = (struct api_stream){.api = api};
        error = gossip_export_open(api->options.gossip, name ? (int64_t)author : GOSSIP_ALL_AUTHORS,
                                   &stream->archive);
    }
    if (error < 0) {
        free(stream);
        api_answer_failure(response, error);
        return;
    }
    api->streams++;
    response->stream = stream;
    response->status = 200;
    response->exit_code = EXIT_OK;
    response->type = "application/octet-stream";
}

void api_handle_watch(struct api *api, const struct view *view, const struct api_request *request,
                      struct api_response *response)
{
    struct text notice = {0};
    struct api_stream *stream;
    struct api_watch *watch;

    if (!api_has_room(api, response))
        return;
    watch = api_watch_open(api, view, request, response, &notice);
    if (!watch) {
        text_clear(&notice);
        return;
    }
    stream = malloc(sizeof(*stream));
    if (!stream) {
        text_clear(&notice);
        api_watch_close(watch);
        api_answer_failure(response, GOSSIP_ERR_NOMEM);
        return;
    }
    *stream = (struct api_stream){.api = api, .watch = watch};
    api->streams++;
    response->stream = stream;
    response->notice = notice;
    response->status = 200;
    response->exit_code = EXIT_OK;
    response->type = request->plain ? "text/plain; charset=utf-8" : "application/x-ndjson";
}
