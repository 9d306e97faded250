#include "cmd/api_wait.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/api_state.h"
#include "cmd/json.h"
#include "cmd/names.h"
#include "cmd/plain.h"
#include "cmd/token.h"

enum {
    DEFAULT_MS = 60000,
    LAST_MS = 24 * 3600 * 1000,
    NAMED_MAX = 3, /* Of what is missing, an error names so much. */
};

struct api_wait {
    struct api *api;
    bool for_clock; /* Until the clock covers token; else until in step. */
    struct token token;
    bool plain;
};

void api_wait_close(struct api_wait *wait)
{
    if (!wait)
        return;
    wait->api->watchers--;
    token_clear(&wait->token);
    free(wait);
}

/* ---- In step. ---- */

static void count_peers(const struct gossip *gossip, size_t *ret_alive, size_t *ret_in_step)
{
    struct gossip_peer peer;

    *ret_alive = *ret_in_step = 0;
    for (size_t i = 0; i < gossip_peer_count(gossip); i++) {
        if (gossip_peer(gossip, i, &peer) < 0 || peer.state != GOSSIP_PEER_ALIVE)
            continue;
        (*ret_alive)++;
        *ret_in_step += peer.still_in_step;
    }
}

static void explain_step(const struct gossip *gossip, struct text *ret_text)
{
    struct gossip_peer peer;
    size_t alive;
    size_t in_step;
    size_t named = 0;

    count_peers(gossip, &alive, &in_step);
    if (alive == 0) {
        text_add(ret_text, "not in step: no other node answers");
        return;
    }
    text_print(ret_text,
               "not in step: of %zu node%s that answer%s, %zu %s not known to hold the same:",
               alive, alive == 1 ? "" : "s", alive == 1 ? "s" : "", alive - in_step,
               alive - in_step == 1 ? "is" : "are");
    for (size_t i = 0; i < gossip_peer_count(gossip) && named < NAMED_MAX; i++) {
        if (gossip_peer(gossip, i, &peer) < 0 || peer.state != GOSSIP_PEER_ALIVE ||
            peer.still_in_step)
            continue;
        text_print(ret_text, "%s %s", named > 0 ? "," : "", peer.name ? peer.name : "?");
        named++;
    }
    if (named < alive - in_step)
        text_add(ret_text, " ...");
}

/* ---- The clock. ---- */

/* Behind a cut there is nothing that a clock could cover. */
static bool is_covered(const struct gossip_author *author, uint64_t seq)
{
    return author->have >= seq ||
           (author->cut != 0 && seq >= author->cut && author->have + 1 >= author->cut);
}

/* How many of the token's entries the clock covers. */
static size_t count_covered(const struct gossip *gossip, const struct token *token)
{
    struct gossip_author author;
    size_t count = 0;

    for (uint32_t i = 0; gossip_author(gossip, i, &author) == GOSSIP_OK; i++) {
        const struct token_entry *entry = token_find(token, author.id);

        count += entry && is_covered(&author, entry->seq);
    }
    return count;
}

static void explain_clock(const struct gossip *gossip, const struct names *names,
                          const struct token *token, struct text *ret_text)
{
    struct gossip_author author;
    size_t known = 0;
    size_t named = 0;

    text_add(ret_text, "the clock does not cover the token:");
    for (uint32_t i = 0; i < names_count(names) && gossip_author(gossip, i, &author) == GOSSIP_OK;
         i++) {
        const struct token_entry *entry = token_find(token, author.id);

        known += entry != NULL;
        if (!entry || is_covered(&author, entry->seq) || named++ >= NAMED_MAX)
            continue;
        text_print(ret_text, "%s of %s it has %" PRIu64 " and not %" PRIu64, named > 1 ? "," : "",
                   names_get(names, i), author.have, entry->seq);
    }
    if (named > NAMED_MAX)
        text_print(ret_text, ", and %zu more", named - NAMED_MAX);
    if (known < token->count)
        text_print(ret_text, "%s it knows nothing of %zu author%s", named > 0 ? "," : "",
                   token->count - known, token->count - known == 1 ? "" : "s");
}

/* ---- Requests. ---- */

static bool is_over(const struct api *api, const struct api_wait *wait)
{
    size_t alive;
    size_t in_step;

    if (wait->for_clock)
        return count_covered(api->options.gossip, &wait->token) == wait->token.count;
    count_peers(api->options.gossip, &alive, &in_step);
    return alive > 0 && in_step == alive;
}

static void answer(struct api *api, const struct view *view, const struct api_wait *wait,
                   struct api_response *response)
{
    size_t alive;
    size_t in_step;

    count_peers(api->options.gossip, &alive, &in_step);
    if (wait->for_clock && wait->plain) {
        plain_clock(view->names, gossip_clock(view->gossip), &response->body);
        text_add(&response->body, "\n");
    } else if (wait->for_clock) {
        json_clock(view, NULL, &response->body);
    } else if (wait->plain) {
        text_print(&response->body, "in step with %zu node%s\n", alive, alive == 1 ? "" : "s");
    } else {
        text_print(&response->body, "{\"in_step\":%zu}", alive);
    }
    api_answer(response, wait->plain);
}

static void answer_late(struct api *api, const struct view *view, const struct api_wait *wait,
                        struct api_response *response)
{
    struct text explanation = {0};

    if (wait->for_clock)
        explain_clock(api->options.gossip, view->names, &wait->token, &explanation);
    else
        explain_step(api->options.gossip, &explanation);
    if (explanation.failed)
        api_answer_failure(response, GOSSIP_ERR_NOMEM);
    else
        api_answer_error(response, 504, EXIT_TIMED_OUT, explanation.data,
                         "`gossip peers` shows which nodes answer; wait again, or with a longer "
                         "--timeout");
    text_clear(&explanation);
}

bool api_wait_look(struct api *api, const struct api_wait *wait, bool is_late,
                   struct api_response *ret_response)
{
    struct api_response response = {0};
    struct view view = {.gossip = api->options.gossip,
                        .identity = api->options.identity,
                        .transport = api->options.transport};
    struct names *names;
    bool done = api->failed == GOSSIP_OK && is_over(api, wait);
    int error = api->failed;

    if (!done && !is_late && error == GOSSIP_OK)
        return false;
    if (error == GOSSIP_OK)
        error = names_of(api->options.gossip, &names);
    if (error < 0) {
        api_answer_failure(&response, error);
    } else {
        view.names = names;
        if (done)
            answer(api, &view, wait, &response);
        else
            answer_late(api, &view, wait, &response);
        names_destroy(names);
    }
    *ret_response = response;
    return true;
}

void api_wait_give_up(struct api_response *ret_response)
{
    *ret_response = (struct api_response){0};
    api_answer_error(ret_response, 503, EXIT_NO_NODE, "the node ends",
                     "start it again and wait then");
}

static bool read_timeout(const struct api_request *request, uint32_t *ret_ms,
                         struct api_response *response)
{
    const char *text = api_argument(request, "timeout_ms");
    char *end;
    unsigned long long ms;

    *ret_ms = DEFAULT_MS;
    if (!text)
        return true;
    ms = strtoull(text, &end, 10);
    if (text[0] >= '0' && text[0] <= '9' && !*end && strlen(text) <= 10 && ms <= LAST_MS) {
        *ret_ms = (uint32_t)ms;
        return true;
    }
    api_answer_error(response, 400, EXIT_USAGE, "timeout_ms is not a number from 0 to 86400000",
                     "ask as /v1/wait?for=in-step&timeout_ms=60000");
    return false;
}

/* What is waited for; false where an error has been answered. */
static bool read_condition(const struct view *view, const struct api_request *request,
                           struct api_wait *wait, struct api_response *response)
{
    const char *step = api_argument(request, "for");
    const char *clock = api_argument(request, "clock");
    struct text explanation = {0};
    int error;

    if (step && strcmp(step, "in-step") == 0 && !clock)
        return true;
    if (step || !clock) {
        api_answer_error(response, 400, EXIT_USAGE, "it is not said what to wait for",
                         "ask as /v1/wait?for=in-step or /v1/wait?clock=TOKEN");
        return false;
    }
    wait->for_clock = true;
    error = token_read(gossip_identity_cluster(view->identity), clock, &wait->token, &explanation);
    if (error == GOSSIP_ERR_NOMEM || explanation.failed)
        api_answer_failure(response, GOSSIP_ERR_NOMEM);
    else if (error < 0)
        api_answer_error(response, 400, EXIT_USAGE, explanation.data,
                         "a token is copied whole, from `gossip clock --token`");
    text_clear(&explanation);
    return error == GOSSIP_OK;
}

void api_handle_wait(struct api *api, const struct view *view, const struct api_request *request,
                     struct api_response *response)
{
    struct api_wait *wait;
    uint32_t timeout_ms;

    if (!api_has_room(api, response))
        return;
    wait = calloc(1, sizeof(*wait));
    if (!wait) {
        api_answer_failure(response, GOSSIP_ERR_NOMEM);
        return;
    }
    wait->api = api;
    wait->plain = request->plain;
    api->watchers++;
    if (!read_timeout(request, &timeout_ms, response) ||
        !read_condition(view, request, wait, response)) {
        api_wait_close(wait);
        return;
    }
    if (is_over(api, wait)) {
        answer(api, view, wait, response);
        api_wait_close(wait);
    } else if (api->ends) {
        api_wait_give_up(response);
        api_wait_close(wait);
    } else {
        response->pending = true;
        response->wait = wait;
        response->timeout_ms = timeout_ms;
    }
}
