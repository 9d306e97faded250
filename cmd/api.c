#include "cmd/api.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/api_state.h"
#include "cmd/api_wait.h"
#include "cmd/json.h"
#include "cmd/names.h"

int api_create(const struct api_options *options, struct api **ret_api)
{
    struct gossip_time *time = gossip_system_time();
    struct api *api = malloc(sizeof(*api));

    if (!api)
        return GOSSIP_ERR_NOMEM;
    *api = (struct api){.options = *options, .start_ms = time->ops->wall_ms(time)};
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
    api_forget_backup(&api->backup);
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

void api_end_streams(struct api *api)
{
    api->ends = true;
}

bool api_has_room(const struct api *api, struct api_response *response)
{
    if (api->watchers < WATCHERS_MAX)
        return true;
    api_answer_error(response, 503, EXIT_NO, "too many requests watch or wait already",
                     "end one of them");
    return false;
}

void api_fail(struct api *api, int error)
{
    api->failed = error;
}

void api_response_clear(struct api_response *response)
{
    text_clear(&response->body);
    text_clear(&response->notice);
    api_stream_close(response->stream);
    api_lines_destroy(response->lines);
    api_wait_close(response->wait);
    *response = (struct api_response){0};
}

/* ---- Answers. ---- */

void api_answer_error(struct api_response *response, int status, enum exit_code exit_code,
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

void api_answer_failure(struct api_response *response, int error)
{
    switch (error) {
    case GOSSIP_ERR_NOMEM:
        api_answer_error(response, 503, EXIT_MEMORY, "the node has no memory left for this answer",
                         "try again");
        break;
    case GOSSIP_ERR_DAMAGED:
        api_answer_error(response, 500, EXIT_DAMAGED, "what is stored contradicts itself",
                         "stop the node and run `gossip verify`");
        break;
    case GOSSIP_ERR_IO:
        api_answer_error(response, 500, EXIT_INPUT_OUTPUT, "the store could not be read",
                         "look at the node's log and at the disk");
        break;
    default:
        api_answer_error(response, 500, EXIT_NO, gossip_strerror(error), "look at the node's log");
        break;
    }
}

void api_answer(struct api_response *response, bool plain)
{
    if (!plain)
        text_add(&response->body, "\n");
    if (response->body.failed) {
        api_answer_failure(response, GOSSIP_ERR_NOMEM);
        return;
    }
    response->status = 200;
    response->exit_code = EXIT_OK;
    response->type = plain ? "text/plain; charset=utf-8" : "application/json";
}

const char *api_argument(const struct api_request *request, const char *name)
{
    return request->argument ? request->argument(request->context, name) : NULL;
}

bool api_is_set(const struct api_request *request, const char *name)
{
    const char *value = api_argument(request, name);

    return value && strcmp(value, "1") == 0;
}

/* ---- Which request is whose. ---- */

static const struct {
    const char *method;
    const char *path;
    api_view_handler *handle; /* NULL: publishing, which needs no view. */
} routes[] = {
    {"POST", "/v1/events", NULL},
    {"GET", "/v1/log", api_handle_log},
    {"GET", "/v1/watch", api_handle_watch},
    {"GET", "/v1/wait", api_handle_wait},
    {"GET", "/v1/clock", api_handle_clock},
    {"GET", "/v1/relation", api_handle_relation},
    {"GET", "/v1/peers", api_handle_peers},
    {"GET", "/v1/status", api_handle_status},
    {"GET", "/v1/start", api_handle_start},
    {"GET", "/v1/problems", api_handle_problems},
    {"GET", "/v1/proofs", api_handle_proofs},
    {"GET", "/v1/proof", api_handle_proof},
    {"GET", "/v1/proof/record", api_handle_proof_record},
    {"GET", "/v1/export", api_handle_export},
    {"POST", "/v1/backup", api_handle_backup_begin},
    {"GET", "/v1/backup", api_handle_backup},
    {"POST", "/v1/stop", api_handle_stop},
    {"POST", "/v1/faults", api_handle_faults},
};

static const struct {
    const char *path;
    api_probe_handler *handle;
} probes[] = {
    {"/healthz", api_handle_healthz},
    {"/readyz", api_handle_readyz},
    {"/metrics", api_handle_metrics},
};

static void refuse_method(const char *allow, struct api_response *response)
{
    api_answer_error(response, 405, EXIT_USAGE, "the method does not fit the path",
                     "the header Allow tells which does");
    response->allow = allow;
}

/* False where there is no such probe. */
static bool handle_probe(struct api *api, const struct api_request *request,
                         struct api_response *response)
{
    for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
        if (strcmp(probes[i].path, request->path) != 0)
            continue;
        if (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0)
            probes[i].handle(api, response);
        else
            refuse_method("GET, HEAD", response);
        return true;
    }
    return false;
}

void api_handle_probe(struct api *api, const struct api_request *request,
                      struct api_response *ret_response)
{
    struct api_response response = {0};

    if (!handle_probe(api, request, &response))
        api_answer_error(&response, 404, EXIT_USAGE, "there is nothing at this path",
                         "ask for /healthz, /readyz or /metrics; all else is on the node's socket");
    *ret_response = response;
}

void api_refuse_host(struct api_response *ret_response)
{
    struct api_response response = {0};

    api_answer_error(&response, 403, EXIT_USAGE,
                     "the request is for another host than this machine",
                     "ask for localhost, or for the address of --http");
    *ret_response = response;
}

static void handle_view(struct api *api, api_view_handler *handle,
                        const struct api_request *request, struct api_response *response)
{
    struct names *names;
    int error = names_of(api->options.gossip, &names);

    if (error < 0) {
        api_answer_failure(response, error);
        return;
    }
    if (api_is_set(request, "full"))
        names_show_all(names);
    handle(api,
           &(struct view){.gossip = api->options.gossip,
                          .identity = api->options.identity,
                          .transport = api->options.transport,
                          .names = names,
                          .colour = request->plain && api_is_set(request, "colour")},
           request, response);
    names_destroy(names);
}

void api_handle(struct api *api, const struct api_request *request,
                struct api_response *ret_response)
{
    struct api_response response = {0};
    const char *allow = NULL;

    if (handle_probe(api, request, &response)) {
        *ret_response = response;
        return;
    }
    if (api->failed < 0) {
        api_answer_failure(&response, api->failed);
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
            api_handle_publish(api, request, &response);
        *ret_response = response;
        return;
    }
    if (allow) {
        refuse_method(allow, &response);
    } else {
        api_answer_error(&response, 404, EXIT_USAGE, "there is nothing at this path",
                         "docs/api.md, or gossip-api(7), lists all paths");
    }
    *ret_response = response;
}
