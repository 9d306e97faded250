/* What a node knows, and what it is told to do: one answer each. */
#include "cmd/api_state.h"

#include "cmd/json.h"
#include "cmd/names.h"
#include "cmd/plain.h"
#include "cmd/problems.h"
#include "cmd/token.h"

void api_handle_clock(struct api *api, const struct view *view, const struct api_request *request,
                      struct api_response *response)
{
    struct text token = {0};
    int error = GOSSIP_OK;

    if (api_is_set(request, "token"))
        error = token_of(api->options.gossip, gossip_identity_cluster(view->identity), &token);
    if (error == GOSSIP_OK && token.failed)
        error = GOSSIP_ERR_NOMEM;
    if (error < 0) {
        text_clear(&token);
        api_answer_failure(response, error);
        return;
    }
    if (request->plain && token.data) {
        text_add(&response->body, token.data);
        text_add(&response->body, "\n");
    } else if (request->plain) {
        plain_clock(view->names, gossip_clock(api->options.gossip), &response->body);
        text_add(&response->body, "\n");
    } else {
        json_clock(view, token.data, &response->body);
    }
    text_clear(&token);
    api_answer(response, request->plain);
}

/* Reads the dot in the argument called name; false where an error has been answered. */
static bool read_dot_argument(const struct view *view, const struct api_request *request,
                              const char *name, struct gossip_dot *ret_dot,
                              struct api_response *response)
{
    const char *value = api_argument(request, name);

    if (value)
        return api_read_dot(view, value, ret_dot, response);
    api_answer_error(response, 400, EXIT_USAGE, "two events are needed",
                     "ask as /v1/relation?a=n1:1&b=n2:1");
    return false;
}

/* Names whichever of the two this node does not have. */
static void answer_either_absent(const struct view *view, const struct relation_view *relation,
                                 struct api_response *response)
{
    const struct gossip_vclock *clock = gossip_clock(view->gossip);
    struct gossip_dot dot = gossip_vclock_covers_dot(clock, relation->a.author, relation->a.seq)
                                ? relation->b
                                : relation->a;

    api_answer_absent(view, dot, response);
}

void api_handle_relation(struct api *api, const struct view *view,
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
        answer_either_absent(view, &relation, response);
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
        api_answer_failure(response, error);
        return;
    }
    if (request->plain)
        plain_relation(view, &relation, &response->body);
    else
        json_relation(view, &relation, &response->body);
    api_answer(response, request->plain);
}

void api_handle_peers(struct api *api, const struct view *view, const struct api_request *request,
                      struct api_response *response)
{
    struct gossip_peer peer;

    if (request->plain) {
        plain_peers(view, &response->body);
        api_answer(response, true);
        return;
    }
    for (size_t i = 0; i < gossip_peer_count(api->options.gossip); i++) {
        if (gossip_peer(api->options.gossip, i, &peer) < 0)
            continue;
        json_peer(view, &peer, &response->body);
        text_add(&response->body, "\n");
    }
    api_answer(response, true); /* Each line is ended already. */
    if (response->status == 200)
        response->type = "application/x-ndjson";
}

void api_handle_status(struct api *api, const struct view *view, const struct api_request *request,
                       struct api_response *response)
{
    (void)api;
    if (request->plain)
        plain_status(view, &response->body);
    else
        json_status(view, &response->body);
    api_answer(response, request->plain);
}

void api_handle_problems(struct api *api, const struct view *view,
                         const struct api_request *request, struct api_response *response)
{
    (void)api;
    if (request->plain)
        problems_plain(view, &response->body);
    else
        problems_json(view, &response->body);
    api_answer(response, request->plain);
}

/* What keeps the node from writing, told at once: who publishes may wonder. */
void api_handle_start(struct api *api, const struct view *view, const struct api_request *request,
                      struct api_response *response)
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
    api_answer(response, request->plain);
}

void api_handle_stop(struct api *api, const struct view *view, const struct api_request *request,
                     struct api_response *response)
{
    (void)view;
    if (request->plain)
        text_add(&response->body, "stopping\n");
    else
        json_stopping(&response->body);
    api_answer(response, request->plain);
    api->stop_asked = true;
}
