/* Whether a node is well, and whether it is of use yet: for what starts and watches processes. */
#include "cmd/api_state.h"

static void answer(struct api_response *response, int status)
{
    text_add(&response->body, "\n");
    if (response->body.failed) /* Without memory the status alone must do. */
        text_clear(&response->body);
    response->status = status;
    response->exit_code = status == 200 ? EXIT_OK : EXIT_NO;
    response->type = "text/plain; charset=utf-8";
}

void api_handle_healthz(struct api *api, struct api_response *response)
{
    if (api->failed < 0) {
        text_print(&response->body, "failed: %s; the node's log tells more",
                   gossip_strerror(api->failed));
        answer(response, 503);
        return;
    }
    text_add(&response->body, "ok");
    answer(response, 200);
}

bool api_is_ready(const struct api *api)
{
    struct gossip_start start;

    gossip_start_state(api->options.gossip, &start);
    return api->failed == GOSSIP_OK && !api->stop_asked && !api->refuses_publications &&
           start.state == GOSSIP_START_READY;
}

void api_handle_readyz(struct api *api, struct api_response *response)
{
    struct gossip_start start;

    if (api_is_ready(api)) {
        text_add(&response->body, "ready");
        answer(response, 200);
        return;
    }
    gossip_start_state(api->options.gossip, &start);
    if (api->failed < 0)
        text_print(&response->body, "failed: %s; the node's log tells more",
                   gossip_strerror(api->failed));
    else if (api->stop_asked || api->refuses_publications)
        text_add(&response->body, "stopping: the node ends");
    else
        plain_start(&start, &response->body);
    answer(response, 503);
}
