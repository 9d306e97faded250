#include "cmd/api.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/json.h"
#include "cmd/names.h"
#include "cmd/plain.h"
#include "cmd/view.h"

/* A copy of the store, made while the node goes on. */
struct backup {
    char *path; /* NULL: there was none. */
    bool running;
    int error; /* What has ended it early. */
    struct text explanation;
};

struct api {
    struct api_options options;
    struct backup backup;
    size_t streams; /* Logs that are being read. */
    int failed;     /* The error that has stopped the node. */
    bool stop_asked;
    bool refuses_publications;
};

struct api_stream {
    struct api *api;
    struct gossip_log *log;        /* What it shows, ... */
    struct gossip_export *archive; /* ... or that. */
    struct names *names;           /* As they were when the log was opened. */
    struct plain_columns columns;
    bool all; /* Context events too. */
    bool plain;
    struct text line; /* Being read, from offset on. */
    size_t offset;
    int error; /* What ended it; next_line() is not asked again. */
    bool ended;
};

static void forget_backup(struct backup *backup)
{
    free(backup->path);
    text_clear(&backup->explanation);
    *backup = (struct backup){0};
}

int api_create(const struct api_options *options, struct api **ret_api)
{
    struct api *api = malloc(sizeof(*api));

    if (!api)
        return GOSSIP_ERR_NOMEM;
    *api = (struct api){.options = *options};
    *ret_api = api;
    return GOSSIP_OK;
}

void api_destroy(struct api *api)
{
    if (!api)
        return;
    assert(api->streams == 0);
    if (api->backup.running)
        api->options.store->ops->backup_end(api->options.store);
    forget_backup(&api->backup);
    free(api);
}

bool api_stop_asked(const struct api *api)
{
    return api->stop_asked;
}

void api_refuse_publications(struct api *api)
{
    api->refuses_publications = true;
}

void api_fail(struct api *api, int error)
{
    api->failed = error;
}

void api_response_clear(struct api_response *response)
{
    text_clear(&response->body);
    api_stream_close(response->stream);
    *response = (struct api_response){0};
}

/* Errors are built whole or not at all: without memory there is still a status. */
static void answer_error(struct api_response *response, int status, enum exit_code exit_code,
                         const char *error, const char *hint)
{
    api_response_clear(response);
    response->status = status;
    response->exit_code = exit_code;
    response->type = "application/json";
    json_error(error, hint, &response->body);
    text_add(&response->body, "\n");
    if (response->body.failed)
        text_clear(&response->body);
}

static void answer_failure(struct api_response *response, int error)
{
    switch (error) {
    case GOSSIP_ERR_NOMEM:
        answer_error(response, 503, EXIT_MEMORY, "the node has no memory left for this answer",
                     "try again");
        break;
    case GOSSIP_ERR_DAMAGED:
        answer_error(response, 500, EXIT_DAMAGED, "what is stored contradicts itself",
                     "stop the node and run `gossip verify`");
        break;
    case GOSSIP_ERR_IO:
        answer_error(response, 500, EXIT_INPUT_OUTPUT, "the store could not be read",
                     "look at the node's log and at the disk");
        break;
    default:
        answer_error(response, 500, EXIT_NO, gossip_strerror(error), "look at the node's log");
        break;
    }
}

/* Ends an answer whose body is one line, or several. */
static void answer(struct api_response *response, bool plain)
{
    if (!plain)
        text_add(&response->body, "\n");
    if (response->body.failed) {
        answer_failure(response, GOSSIP_ERR_NOMEM);
        return;
    }
    response->status = 200;
    response->exit_code = EXIT_OK;
    response->type = plain ? "text/plain; charset=utf-8" : "application/json";
}

/* ---- Publishing. ---- */

static void handle_publish(struct api *api, const struct api_request *request,
                           struct api_response *response)
{
    char message[96];
    uint64_t ticket;
    int error;

    if (api->refuses_publications) {
        answer_error(response, 503, EXIT_NO_NODE, "the node is stopping; the event was not written",
                     "start it again and publish then");
        return;
    }
    if (request->size > api->options.payload_max) {
        snprintf(message, sizeof(message), "the payload is larger than %" PRIu32 " bytes",
                 api->options.payload_max);
        answer_error(response, 413, EXIT_NO, message,
                     "publish less at once, or start the node with a greater --payload-max");
        return;
    }
    error = gossip_publish(api->options.gossip, request->body, request->size, &ticket);
    if (error == GOSSIP_ERR_LIMIT) {
        answer_error(response, 503, EXIT_NO, "too many events wait to be written",
                     "try again in a moment");
        return;
    }
    if (error < 0) {
        answer_failure(response, error);
        return;
    }
    response->pending = true;
    response->ticket = ticket;
}

void api_result(struct api *api, const struct gossip_result *result, bool plain,
                struct api_response *ret_response)
{
    struct api_response response = {0};
    struct names *names;
    int error;

    switch (result->error) {
    case GOSSIP_OK:
        error = names_of(api->options.gossip, &names);
        if (error < 0) {
            /* It is written; only its name cannot be told. */
            answer_error(&response, 500, EXIT_INPUT_OUTPUT,
                         "the event was written, but there is no memory to name it",
                         "find it with `gossip log`");
            break;
        }
        if (plain)
            text_print(&response.body, "%s:%" PRIu64 "\n", names_get(names, result->dot.author),
                       result->dot.seq);
        else
            json_dot(names, result->dot, &response.body);
        answer(&response, plain);
        names_destroy(names);
        break;
    case GOSSIP_ERR_FULL:
        answer_error(&response, 507, EXIT_NO, "the disk is full; the event was not written",
                     "free some space; the node then goes on by itself");
        break;
    case GOSSIP_ERR_EVICTED:
        answer_error(&response, 403, EXIT_PERMISSION,
                     "the cluster has evicted this node; the event was not written",
                     "ask whoever looks after the cluster");
        break;
    case GOSSIP_ERR_EXISTS:
        answer_error(&response, 503, EXIT_NO,
                     "events of this node that its store has lost are on their way back from peers",
                     "try again in a moment");
        break;
    case GOSSIP_ERR_LIMIT:
        answer_error(&response, 507, EXIT_NO,
                     "a limit of the protocol was reached; the event was not written",
                     "look at `gossip status`");
        break;
    default:
        answer_error(&response, 500, EXIT_NO, gossip_strerror(result->error),
                     "the event was not written");
        break;
    }
    *ret_response = response;
}

void api_give_up(struct api_response *ret_response)
{
    *ret_response = (struct api_response){0};
    answer_error(ret_response, 500, EXIT_INPUT_OUTPUT,
                 "the node ended before it could tell whether the event was written",
                 "start it again and look with `gossip log`");
}

/* ---- Reading. ---- */

static void handle_clock(struct api *api, const struct view *view,
                         const struct api_request *request, struct api_response *response)
{
    if (request->plain) {
        plain_clock(view->names, gossip_clock(api->options.gossip), &response->body);
        text_add(&response->body, "\n");
    } else {
        json_clock(view, &response->body);
    }
    answer(response, request->plain);
}

/* Reads the dot in the argument called name; false where an error has been answered. */
static bool read_dot_argument(const struct view *view, const struct api_request *request,
                              const char *name, struct gossip_dot *ret_dot,
                              struct api_response *response)
{
    const char *value = request->argument ? request->argument(request->context, name) : NULL;
    struct text explanation = {0};
    int error;

    if (!value) {
        answer_error(response, 400, EXIT_USAGE, "two events are needed",
                     "ask as /v1/relation?a=n1:1&b=n2:1");
        return false;
    }
    error = names_read_dot(view->names, value, ret_dot, &explanation);
    if (error == GOSSIP_OK) {
        text_clear(&explanation);
        return true;
    }
    if (explanation.failed)
        answer_failure(response, GOSSIP_ERR_NOMEM);
    else if (error == GOSSIP_ERR_NOT_FOUND)
        answer_error(response, 404, EXIT_NO, explanation.data,
                     "`gossip clock` shows the authors that are known");
    else
        answer_error(response, 400, EXIT_USAGE, explanation.data,
                     "`gossip log` shows the names of events");
    text_clear(&explanation);
    return false;
}

/* Names whichever of the two this node does not have. */
static void answer_absent(const struct view *view, const struct relation_view *relation,
                          struct api_response *response)
{
    const struct gossip_vclock *clock = gossip_clock(view->gossip);
    struct gossip_dot dot = gossip_vclock_covers_dot(clock, relation->a.author, relation->a.seq)
                                ? relation->b
                                : relation->a;
    const char *name = names_get(view->names, dot.author);
    char message[256];

    snprintf(message, sizeof(message), "%s:%" PRIu64 " is not here: of %s this node has %" PRIu64,
             name, dot.seq, name, gossip_vclock_get(clock, dot.author));
    answer_error(response, 404, EXIT_NO, message, "ask again when it has arrived");
}

static void handle_relation(struct api *api, const struct view *view,
                            const struct api_request *request, struct api_response *response)
{
    struct gossip *gossip = api->options.gossip;
    struct relation_view relation = {0};
    struct gossip_event event;
    int error;

    if (!read_dot_argument(view, request, "a", &relation.a, response) ||
        !read_dot_argument(view, request, "b", &relation.b, response))
        return;
    error = gossip_relation(gossip, relation.a, relation.b, &relation.relation);
    if (error == GOSSIP_ERR_NOT_FOUND) {
        answer_absent(view, &relation, response);
        return;
    }
    if (error == GOSSIP_OK && request->plain &&
        (relation.relation == GOSSIP_BEFORE || relation.relation == GOSSIP_AFTER)) {
        bool before = relation.relation == GOSSIP_BEFORE;

        error = gossip_event_get(gossip, before ? relation.b : relation.a, &event);
        if (error == GOSSIP_OK)
            relation.seen =
                gossip_vclock_get(event.clock, before ? relation.a.author : relation.b.author);
    }
    if (error < 0) {
        answer_failure(response, error);
        return;
    }
    if (request->plain)
        plain_relation(view, &relation, &response->body);
    else
        json_relation(view, &relation, &response->body);
    answer(response, request->plain);
}

static void handle_peers(struct api *api, const struct view *view,
                         const struct api_request *request, struct api_response *response)
{
    struct gossip_peer peer;

    if (request->plain) {
        plain_peers(view, &response->body);
        answer(response, true);
        return;
    }
    for (size_t i = 0; i < gossip_peer_count(api->options.gossip); i++) {
        if (gossip_peer(api->options.gossip, i, &peer) < 0)
            continue;
        json_peer(view, &peer, &response->body);
        text_add(&response->body, "\n");
    }
    answer(response, true); /* Each line is ended already. */
    if (response->status == 200)
        response->type = "application/x-ndjson";
}

typedef void proof_visit(const struct view *view, const struct proof_view *proof,
                         const struct api_request *request, struct text *text);

static bool id_begins(const uint8_t id[GOSSIP_HASH_SIZE], const char *digits)
{
    static const char hex[] = "0123456789abcdef";
    size_t i;

    for (i = 0; i < (size_t)2 * GOSSIP_HASH_SIZE && digits[i]; i++)
        if (digits[i] != hex[i % 2 ? id[i / 2] & 15 : id[i / 2] >> 4])
            return false;
    return digits[i] == '\0';
}

/* Visits each proof whose id begins with these digits; NULL: each. How many, or an error. */
static int visit_proofs(const struct view *view, const struct api_request *request, const char *id,
                        proof_visit *visit, struct text *text)
{
    struct gossip_signed record;
    int count = 0;

    for (size_t i = 0; gossip_signed(view->gossip, i, &record) == GOSSIP_OK; i++) {
        struct proof_view proof;
        int error;

        if (record.type != GOSSIP_SIGNED_PROOF || (id && !id_begins(record.id, id)))
            continue;
        error = view_proof(view, &record, &proof);
        if (error < 0)
            return error;
        visit(view, &proof, request, text);
        count++;
    }
    return count;
}

static void show_proof(const struct view *view, const struct proof_view *proof,
                       const struct api_request *request, struct text *text)
{
    if (request->plain && text->size > 0)
        text_add(text, "\n");
    if (request->plain) {
        plain_proof(view, proof, text);
    } else {
        json_proof(view, proof, text);
        text_add(text, "\n");
    }
}

static void handle_proofs(struct api *api, const struct view *view,
                          const struct api_request *request, struct api_response *response)
{
    int count = visit_proofs(view, request, NULL, show_proof, &response->body);

    (void)api;
    if (count < 0) {
        answer_failure(response, count);
        return;
    }
    if (count == 0 && request->plain)
        text_add(&response->body, "no forks are proven\n");
    answer(response, true); /* Each line is ended already. */
    if (response->status == 200 && !request->plain)
        response->type = "application/x-ndjson";
}

static void take_record(const struct view *view, const struct proof_view *proof,
                        const struct api_request *request, struct text *text)
{
    (void)view;
    (void)request;
    text_add_bytes(text, proof->record.bytes, proof->record.size);
}

/* Shows the one proof whose id begins as asked for; false where an error has been answered. */
static bool find_proof(const struct view *view, const struct api_request *request,
                       proof_visit *visit, struct api_response *response)
{
    const char *id = request->argument ? request->argument(request->context, "id") : NULL;
    int count = id && *id ? visit_proofs(view, request, id, visit, &response->body) : 0;

    if (count == 1)
        return true;
    if (count < 0)
        answer_failure(response, count);
    else if (!id || !*id)
        answer_error(response, 400, EXIT_USAGE, "the id of a proof is needed",
                     "ask as /v1/proof?id=3fa9");
    else if (count == 0)
        answer_error(response, 404, EXIT_NO, "there is no such proof here",
                     "`gossip proof list` shows those there are");
    else
        answer_error(response, 400, EXIT_USAGE, "more than one proof begins so",
                     "say more digits of its id");
    return false;
}

static void handle_proof(struct api *api, const struct view *view,
                         const struct api_request *request, struct api_response *response)
{
    (void)api;
    if (find_proof(view, request, show_proof, response))
        answer(response, true);
}

/* The record itself, byte for byte: what whoever checks it needs. */
static void handle_proof_record(struct api *api, const struct view *view,
                                const struct api_request *request, struct api_response *response)
{
    (void)api;
    if (!find_proof(view, request, take_record, response))
        return;
    answer(response, true);
    if (response->status == 200)
        response->type = "application/octet-stream";
}

static void handle_status(struct api *api, const struct view *view,
                          const struct api_request *request, struct api_response *response)
{
    (void)api;
    if (request->plain)
        plain_status(view, &response->body);
    else
        json_status(view, &response->body);
    answer(response, request->plain);
}

/* What keeps the node from writing, told at once: who publishes may wonder. */
static void handle_start(struct api *api, const struct view *view,
                         const struct api_request *request, struct api_response *response)
{
    struct gossip_start start;

    (void)view;
    gossip_start_state(api->options.gossip, &start);
    if (request->plain) {
        plain_start(&start, &response->body);
        text_add(&response->body, "\n");
    } else {
        json_start(&start, &response->body);
    }
    answer(response, request->plain);
}

static void handle_stop(struct api *api, const struct view *view, const struct api_request *request,
                        struct api_response *response)
{
    (void)view;
    if (request->plain)
        text_add(&response->body, "stopping\n");
    else
        json_stopping(&response->body);
    answer(response, request->plain);
    api->stop_asked = true;
}

/* ---- Backups: begun by one request, asked after by others. ---- */

static void answer_backup_error(const struct backup *backup, int error,
                                struct api_response *response)
{
    const char *explanation =
        backup->explanation.data && !backup->explanation.failed ? backup->explanation.data : "";
    int status = error == GOSSIP_ERR_EXISTS ? 409 : error == GOSSIP_ERR_FULL ? 507 : 500;

    answer_error(response, status, error == GOSSIP_ERR_EXISTS ? EXIT_NO : exit_for(error),
                 *explanation ? explanation : gossip_strerror(error),
                 "there is no backup; the node itself goes on");
}

static void begin_backup(struct api *api, const char *path, struct api_response *response)
{
    struct gossip_store *store = api->options.store;
    struct backup *backup = &api->backup;
    int error;

    forget_backup(backup);
    backup->path = strdup(path);
    error = backup->path ? store->ops->backup_begin(store, path) : GOSSIP_ERR_NOMEM;
    if (error < 0) {
        if (backup->path)
            text_add(&backup->explanation, store->ops->explain(store));
        answer_backup_error(backup, error, response);
        forget_backup(backup);
        return;
    }
    backup->running = true;
    json_backup(backup->path, false, &response->body);
    answer(response, false);
}

static void handle_backup_begin(struct api *api, const struct view *view,
                                const struct api_request *request, struct api_response *response)
{
    const struct gossip_store *store = api->options.store;
    const char *path = request->argument ? request->argument(request->context, "file") : NULL;

    (void)view;
    if (!path || *path != '/')
        answer_error(response, 400, EXIT_USAGE, "the whole path of a file is needed, from / on",
                     "ask as /v1/backup?file=/path/to/file");
    else if (!store || (store->ops->abilities & GOSSIP_STORE_BACKUP) == 0)
        answer_error(response, 501, EXIT_NO, "the node's store cannot make backups",
                     "copy what it stands on while the node is stopped");
    else if (api->backup.running)
        answer_error(response, 409, EXIT_NO, "a backup is under way already",
                     "wait until it has ended");
    else
        begin_backup(api, path, response);
}

static void handle_backup(struct api *api, const struct view *view,
                          const struct api_request *request, struct api_response *response)
{
    const struct backup *backup = &api->backup;

    (void)view;
    (void)request;
    if (!backup->path) {
        answer_error(response, 404, EXIT_NO, "no backup was made since the node has started",
                     "begin one with POST");
    } else if (backup->error < 0) {
        answer_backup_error(backup, backup->error, response);
    } else {
        json_backup(backup->path, !backup->running, &response->body);
        answer(response, false);
    }
}

bool api_backs_up(const struct api *api)
{
    return api->backup.running;
}

void api_back_up(struct api *api)
{
    struct gossip_store *store = api->options.store;
    struct backup *backup = &api->backup;
    int result = store->ops->backup_step(store);

    if (result == 0)
        return;
    backup->running = false;
    if (result < 0) {
        backup->error = result;
        text_add(&backup->explanation, store->ops->explain(store));
    }
}

/* ---- The log, event by event. ---- */

/* Whether the argument called name is 1. */
static bool is_set(const struct api_request *request, const char *name)
{
    const char *value = request->argument ? request->argument(request->context, name) : NULL;

    return value && strcmp(value, "1") == 0;
}

static int open_log(struct api *api, const struct view *view, const struct api_request *request,
                    struct api_stream **ret_stream)
{
    bool contested = is_set(request, "contested");
    struct api_stream *stream = malloc(sizeof(*stream));
    int error = stream ? GOSSIP_OK : GOSSIP_ERR_NOMEM;

    if (!stream)
        return error;
    *stream =
        (struct api_stream){.api = api, .plain = request->plain, .all = is_set(request, "all")};
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
    api->streams++;
    *ret_stream = stream;
    return GOSSIP_OK;
}

static void handle_log(struct api *api, const struct view *view, const struct api_request *request,
                       struct api_response *response)
{
    int error = open_log(api, view, request, &response->stream);

    if (error < 0) {
        answer_failure(response, error);
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

/* Puts the next event's line into the stream: 1, 0 at the end, or an error. */
static int next_line(struct api_stream *stream)
{
    struct gossip_event event;
    int result;

    do
        result = gossip_log_next(stream->log, &event);
    while (result == 1 && event.kind == GOSSIP_EVENT_CONTEXT && !stream->all);
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
                                           : next_line(stream);

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

void api_stream_close(struct api_stream *stream)
{
    if (!stream)
        return;
    stream->api->streams--;
    if (stream->log)
        gossip_log_close(stream->log);
    gossip_export_close(stream->archive);
    names_destroy(stream->names);
    text_clear(&stream->line);
    free(stream);
}

/* ---- The events as an archive, block by block. ---- */

/* The author whose events are asked for, or all; false where an error has been answered. */
static bool read_author_argument(const struct view *view, const struct api_request *request,
                                 int64_t *ret_author, struct api_response *response)
{
    const char *name = request->argument ? request->argument(request->context, "author") : NULL;
    struct text explanation = {0};
    uint32_t author = 0;
    int error = name ? names_find(view->names, name, strlen(name), &author, &explanation) : 0;

    if (error < 0 && explanation.failed)
        answer_failure(response, GOSSIP_ERR_NOMEM);
    else if (error < 0)
        answer_error(response, error == GOSSIP_ERR_NOT_FOUND ? 404 : 400,
                     error == GOSSIP_ERR_NOT_FOUND ? EXIT_NO : EXIT_USAGE, explanation.data,
                     "`gossip clock` shows the authors that are known");
    text_clear(&explanation);
    *ret_author = name ? (int64_t)author : GOSSIP_ALL_AUTHORS;
    return error >= 0;
}

static void handle_export(struct api *api, const struct view *view,
                          const struct api_request *request, struct api_response *response)
{
    struct api_stream *stream;
    int64_t author;
    int error;

    if (!read_author_argument(view, request, &author, response))
        return;
    stream = malloc(sizeof(*stream));
    error = GOSSIP_ERR_NOMEM;
    if (stream) {
        *stream = (struct api_stream){.api = api};
        error = gossip_export_open(api->options.gossip, author, &stream->archive);
    }
    if (error < 0) {
        free(stream);
        answer_failure(response, error);
        return;
    }
    api->streams++;
    response->stream = stream;
    response->status = 200;
    response->exit_code = EXIT_OK;
    response->type = "application/octet-stream";
}

/* ---- Which request is whose. ---- */

typedef void view_handler(struct api *api, const struct view *view,
                          const struct api_request *request, struct api_response *response);

static const struct {
    const char *method;
    const char *path;
    view_handler *handle; /* NULL: publishing, which needs no view. */
} routes[] = {
    {"POST", "/v1/events", NULL},         {"GET", "/v1/log", handle_log},
    {"GET", "/v1/clock", handle_clock},   {"GET", "/v1/relation", handle_relation},
    {"GET", "/v1/peers", handle_peers},   {"GET", "/v1/status", handle_status},
    {"GET", "/v1/start", handle_start},   {"GET", "/v1/proofs", handle_proofs},
    {"GET", "/v1/proof", handle_proof},   {"GET", "/v1/proof/record", handle_proof_record},
    {"GET", "/v1/export", handle_export}, {"POST", "/v1/backup", handle_backup_begin},
    {"GET", "/v1/backup", handle_backup}, {"POST", "/v1/stop", handle_stop},
};

static void handle_view(struct api *api, view_handler *handle, const struct api_request *request,
                        struct api_response *response)
{
    struct names *names;
    int error = names_of(api->options.gossip, &names);

    if (error < 0) {
        answer_failure(response, error);
        return;
    }
    handle(api,
           &(struct view){.gossip = api->options.gossip,
                          .identity = api->options.identity,
                          .transport = api->options.transport,
                          .names = names},
           request, response);
    names_destroy(names);
}

void api_handle(struct api *api, const struct api_request *request,
                struct api_response *ret_response)
{
    struct api_response response = {0};
    const char *allow = NULL;

    if (api->failed < 0) {
        answer_failure(&response, api->failed);
        *ret_response = response;
        return;
    }
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (strcmp(routes[i].path, request->path) != 0)
            continue;
        allow = routes[i].method;
        if (strcmp(routes[i].method, request->method) != 0)
            continue;
        if (routes[i].handle)
            handle_view(api, routes[i].handle, request, &response);
        else
            handle_publish(api, request, &response);
        *ret_response = response;
        return;
    }
    if (allow) {
        answer_error(&response, 405, EXIT_USAGE, "the method does not fit the path",
                     "the header Allow tells which does");
        response.allow = allow;
    } else {
        answer_error(&response, 404, EXIT_USAGE, "there is nothing at this path",
                     "see \"The local API\" in docs/cli.md");
    }
    *ret_response = response;
}
