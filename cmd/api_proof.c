/* Proofs that an author has forked. */
#include "cmd/api_state.h"

#include "cmd/json.h"
#include "cmd/plain.h"

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

void api_handle_proofs(struct api *api, const struct view *view, const struct api_request *request,
                       struct api_response *response)
{
    int count = visit_proofs(view, request, NULL, show_proof, &response->body);

    (void)api;
    if (count < 0) {
        api_answer_failure(response, count);
        return;
    }
    if (count == 0 && request->plain)
        text_add(&response->body, "no forks are proven\n");
    api_answer(response, true); /* Each line is ended already. */
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
    const char *id = api_argument(request, "id");
    int count = id && *id ? visit_proofs(view, request, id, visit, &response->body) : 0;

    if (count == 1)
        return true;
    if (count < 0)
        api_answer_failure(response, count);
    else if (!id || !*id)
        api_answer_error(response, 400, EXIT_USAGE, "the id of a proof is needed",
                         "ask as /v1/proof?id=3fa9");
    else if (count == 0)
        api_answer_error(response, 404, EXIT_NO, "there is no such proof here",
                         "`gossip proof list` shows those there are");
    else
        api_answer_error(response, 400, EXIT_USAGE, "more than one proof begins so",
                         "say more digits of its id");
    return false;
}

void api_handle_proof(struct api *api, const struct view *view, const struct api_request *request,
                      struct api_response *response)
{
    (void)api;
    if (find_proof(view, request, show_proof, response))
        api_answer(response, true);
}

/* The record itself, byte for byte: what whoever checks it needs. */
void api_handle_proof_record(struct api *api, const struct view *view,
                             const struct api_request *request, struct api_response *response)
{
    (void)api;
    if (!find_proof(view, request, take_record, response))
        return;
    api_answer(response, true);
    if (response->status == 200)
        response->type = "application/octet-stream";
}
