/* Names in requests, read; and what to say of those that name nothing here. */
#include "cmd/api_state.h"

#include <inttypes.h>
#include <stdio.h>

#include "cmd/names.h"

/* Answers why a name could not be read. */
static void answer_name(int error, const struct text *explanation, const char *hint,
                        struct api_response *response)
{
    if (explanation->failed)
        api_answer_failure(response, GOSSIP_ERR_NOMEM);
    else if (error == GOSSIP_ERR_NOT_FOUND)
        api_answer_error(response, 404, EXIT_NO, explanation->data,
                         "`gossip clock` shows the authors that are known");
    else
        api_answer_error(response, 400, EXIT_USAGE, explanation->data, hint);
}

bool api_read_author(const struct view *view, const char *text, size_t size, uint32_t *ret_author,
                     struct api_response *response)
{
    struct text explanation = {0};
    int error = names_find(view->names, text, size, ret_author, &explanation);

    if (error < 0)
        answer_name(error, &explanation, "`gossip clock` shows the authors that are known",
                    response);
    text_clear(&explanation);
    return error >= 0;
}

bool api_read_dot(const struct view *view, const char *text, struct gossip_dot *ret_dot,
                  struct api_response *response)
{
    struct text explanation = {0};
    int error = names_read_dot(view->names, text, ret_dot, &explanation);

    if (error < 0)
        answer_name(error, &explanation, "`gossip log` shows the names of events", response);
    text_clear(&explanation);
    return error >= 0;
}

void api_answer_absent(const struct view *view, struct gossip_dot dot,
                       struct api_response *response)
{
    const char *name = names_get(view->names, dot.author);
    char message[256];

    snprintf(message, sizeof(message), "%s:%" PRIu64 " is not here: of %s this node has %" PRIu64,
             name, dot.seq, name, gossip_vclock_get(gossip_clock(view->gossip), dot.author));
    api_answer_error(response, 404, EXIT_NO, message, "ask again when it has arrived");
}
