/* Faults on purpose, where the node was started for them. */
#include "cmd/api_state.h"

#include <stdlib.h>

#include "cmd/fault_lines.h"
#include "cmd/json.h"

static void set_faults(struct api *api, const struct api_request *request, struct fault *faults,
                       struct api_response *response)
{
    struct text explanation = {0};
    struct faults_stats stats;
    size_t count;

    if (!fault_lines_read(request->body, request->size, faults, &count, &explanation)) {
        api_answer_error(response, 400, EXIT_USAGE,
                         explanation.failed ? "a line is none" : explanation.data,
                         "docs/api.md, or gossip-api(7), tells what a line may say; nothing was "
                         "changed");
        text_clear(&explanation);
        return;
    }
    faults_set(api->options.faults, faults, count);
    faults_stats(api->options.faults, &stats);
    json_faults(count, &stats, &response->body);
    if (request->plain)
        text_add(&response->body, "\n");
    api_answer(response, request->plain);
}

void api_handle_faults(struct api *api, const struct view *view, const struct api_request *request,
                       struct api_response *response)
{
    struct fault *faults;

    (void)view;
    if (!api->options.faults) {
        api_answer_error(response, 403, EXIT_PERMISSION,
                         "this node takes no faults: it was not started for experiments",
                         "start it with `gossip node --allow-faults`, but never one that matters");
        return;
    }
    if (request->size > API_BODY_MAX) {
        api_answer_error(response, 413, EXIT_NO, "the faults are larger than 1048576 bytes",
                         "say less; nothing was changed");
        return;
    }
    faults = calloc(FAULTS_MAX, sizeof(*faults));
    if (faults)
        set_faults(api, request, faults, response);
    else
        api_answer_failure(response, GOSSIP_ERR_NOMEM);
    free(faults);
}
