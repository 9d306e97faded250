/* Publishing: the answer comes with the commit. */
#include "cmd/api_state.h"

#include <inttypes.h>
#include <stdio.h>

#include "cmd/json.h"
#include "cmd/names.h"

void api_handle_publish(struct api *api, const struct api_request *request,
                        struct api_response *response)
{
    char message[96];
    uint64_t ticket;
    int error;

    if (api->refuses_publications) {
        api_answer_error(response, 503, EXIT_NO_NODE,
                         "the node is stopping; the event was not written",
                         "start it again and publish then");
        return;
    }
    if (request->size > api->options.payload_max) {
        snprintf(message, sizeof(message), "the payload is larger than %" PRIu32 " bytes",
                 api->options.payload_max);
        api_answer_error(response, 413, EXIT_NO, message,
                         "publish less at once, or start the node with a greater --payload-max");
        return;
    }
    error = gossip_publish(api->options.gossip, request->body, request->size, &ticket);
    if (error == GOSSIP_ERR_LIMIT) {
        api_answer_error(response, 503, EXIT_NO, "too many events wait to be written",
                         "try again in a moment");
        return;
    }
    if (error < 0) {
        api_answer_failure(response, error);
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
            api_answer_error(&response, 500, EXIT_INPUT_OUTPUT,
                             "the event was written, but there is no memory to name it",
                             "find it with `gossip log`");
            break;
        }
        if (plain)
            text_print(&response.body, "%s:%" PRIu64 "\n", names_get(names, result->dot.author),
                       result->dot.seq);
        else
            json_dot(names, result->dot, &response.body);
        api_answer(&response, plain);
        names_destroy(names);
        break;
    case GOSSIP_ERR_FULL:
        api_answer_error(&response, 507, EXIT_NO, "the disk is full; the event was not written",
                         "free some space; the node then goes on by itself");
        break;
    case GOSSIP_ERR_EVICTED:
        api_answer_error(&response, 403, EXIT_PERMISSION,
                         "the cluster has evicted this node; the event was not written",
                         "ask whoever looks after the cluster");
        break;
    case GOSSIP_ERR_EXISTS:
        api_answer_error(
            &response, 503, EXIT_NO,
            "events of this node that its store has lost are on their way back from peers",
            "try again in a moment");
        break;
    case GOSSIP_ERR_LIMIT:
        api_answer_error(&response, 507, EXIT_NO,
                         "a limit of the protocol was reached; the event was not written",
                         "look at `gossip status`");
        break;
    default:
        api_answer_error(&response, 500, EXIT_NO, gossip_strerror(result->error),
                         "the event was not written");
        break;
    }
    *ret_response = response;
}

void api_give_up(struct api_response *ret_response)
{
    *ret_response = (struct api_response){0};
    api_answer_error(ret_response, 500, EXIT_INPUT_OUTPUT,
                     "the node ended before it could tell whether the event was written",
                     "start it again and look with `gossip log`");
}
