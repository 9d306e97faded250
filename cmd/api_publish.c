/* Publishing: the answer comes with the commit. */
#include "cmd/api_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/json.h"
#include "cmd/names.h"

static const struct api_fault stopping = {503, EXIT_NO_NODE,
                                          "the node is stopping; the event was not written",
                                          "start it again and publish then"};

struct api_fault api_size_fault(const struct api *api, char message[96])
{
    snprintf(message, 96, "the payload is larger than %" PRIu32 " bytes", api->options.payload_max);
    return (struct api_fault){
        413, EXIT_NO, message,
        "publish less at once, or start the node with a greater --payload-max"};
}

struct api_fault api_publish_fault(int error)
{
    switch (error) {
    case GOSSIP_ERR_FULL:
        return (struct api_fault){507, EXIT_NO, "the disk is full; the event was not written",
                                  "free some space; the node then goes on by itself"};
    case GOSSIP_ERR_EVICTED:
        return (struct api_fault){403, EXIT_PERMISSION,
                                  "the cluster has evicted this node; the event was not written",
                                  "ask whoever looks after the cluster"};
    case GOSSIP_ERR_LIMIT:
        return (struct api_fault){507, EXIT_NO,
                                  "a limit of the protocol was reached; the event was not written",
                                  "look at `gossip status`"};
    default:
        return (struct api_fault){500, EXIT_NO, gossip_strerror(error),
                                  "the event was not written"};
    }
}

static void answer_fault(struct api_response *response, struct api_fault fault)
{
    api_answer_error(response, fault.status, fault.exit_code, fault.error, fault.hint);
}

/* Asks for the event, once if the request has a key. */
static int ask_for_event(struct api *api, const struct api_request *request, uint64_t *ret_ticket)
{
    const char *once = api_argument(request, "once");

    return once ? gossip_publish_once(api->options.gossip, request->body, request->size, once,
                                      strlen(once), ret_ticket)
                : gossip_publish(api->options.gossip, request->body, request->size, ret_ticket);
}

void api_handle_publish(struct api *api, const struct api_request *request,
                        struct api_response *response)
{
    char message[96];
    uint64_t ticket;
    int error;

    if (api->refuses_publications) {
        answer_fault(response, stopping);
        return;
    }
    if (api_is_set(request, "lines") && api_argument(request, "once")) {
        api_answer_error(response, 400, EXIT_USAGE, "a key stands for one event, not for lines",
                         "leave out lines, or once");
        return;
    }
    if (api_is_set(request, "lines")) {
        api_handle_lines(api, request, response);
        return;
    }
    if (request->size > api->options.payload_max) {
        answer_fault(response, api_size_fault(api, message));
        return;
    }
    error = ask_for_event(api, request, &ticket);
    if (error == GOSSIP_ERR_INVALID) {
        api_answer_error(response, 400, EXIT_USAGE, "a key has 1 to 64 bytes",
                         "choose a shorter one, such as a random number");
        return;
    }
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
    response->ticket_count = 1;
}

/* The key stands for an event that says something else. */
static void answer_other(struct api_response *response, const char *name, uint64_t seq)
{
    char message[160];

    snprintf(message, sizeof(message),
             "the key stands for another event, %s:%" PRIu64 "; nothing was written", name, seq);
    api_answer_error(response, 409, EXIT_NO, message,
                     "take a new key for each event, and the same for the same event alone");
}

bool api_result(struct api *api, const struct gossip_result *result, bool plain,
                struct api_response *response)
{
    struct names *names;

    if (response->lines)
        return api_lines_result(result, plain, response);
    *response = (struct api_response){0};
    if (result->error < 0 && result->error != GOSSIP_ERR_EXISTS) {
        answer_fault(response, api_publish_fault(result->error));
        return true;
    }
    if (names_of(api->options.gossip, &names) < 0) {
        /* It is written; only its name cannot be told. */
        api_answer_error(response, 500, EXIT_INPUT_OUTPUT,
                         "the event is there, but there is no memory to name it",
                         "find it with `gossip log`");
        return true;
    }
    if (result->error == GOSSIP_ERR_EXISTS) {
        answer_other(response, names_get(names, result->dot.author), result->dot.seq);
        names_destroy(names);
        return true;
    }
    if (plain)
        text_print(&response->body, "%s:%" PRIu64 "\n", names_get(names, result->dot.author),
                   result->dot.seq);
    else
        json_dot(names, result->dot, result->repeated, &response->body);
    api_answer(response, plain);
    names_destroy(names);
    return true;
}

void api_give_up(struct api_response *response, bool plain)
{
    if (response->lines) {
        api_lines_give_up(response, plain);
        return;
    }
    *response = (struct api_response){0};
    api_answer_error(response, 500, EXIT_INPUT_OUTPUT,
                     "the node ended before it could tell whether the event was written",
                     "start it again and look with `gossip log`");
}
