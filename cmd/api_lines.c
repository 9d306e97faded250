/*
 * Publishing many events with one request, one a line, so that they share commits. The answer has a
 * line for each, in order: its dot, or why it was not written. After a line that cannot even be
 * asked for, none is.
 */
#include "cmd/api_state.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/json.h"
#include "cmd/names.h"

struct api_lines {
    struct api *api;
    size_t count;             /* Lines that were asked for, ... */
    size_t done;              /* and how many of their results are here. */
    struct api_fault refused; /* Why the line after those was not; status 0: there is none. */
    char message[96];
    struct gossip_result results[];
};

void api_lines_destroy(struct api_lines *lines)
{
    free(lines);
}

/* What follows the last end of line is a line too, unless it is empty. */
static size_t count_lines(const char *data, size_t size)
{
    size_t count = size > 0 && data[size - 1] != '\n';

    for (size_t i = 0; i < size; i++)
        count += data[i] == '\n';
    return count;
}

static void add_fault(struct api_response *response, const struct api_fault *fault, size_t line)
{
    json_line_error(fault->error, fault->hint, line, &response->body);
    text_add(&response->body, "\n");
    if (response->status != 200)
        return;
    response->status = fault->status;
    response->exit_code = fault->exit_code;
}

static const struct api_fault unknown = {
    500, EXIT_INPUT_OUTPUT, "the node ended before it could tell whether the event was written",
    "start it again and look with `gossip log`"};

/* Makes the answer of all that is known. */
static void answer_lines(struct api_response *response, bool plain)
{
    struct api_lines *lines = response->lines;
    struct names *names;

    *response = (struct api_response){.status = 200, .exit_code = EXIT_OK};
    response->type = plain ? "text/plain; charset=utf-8" : "application/x-ndjson";
    if (names_of(lines->api->options.gossip, &names) < 0)
        response->body.failed = true;
    for (size_t i = 0; i < lines->count && !response->body.failed; i++) {
        const struct gossip_result *result = &lines->results[i];
        struct api_fault fault = i < lines->done ? api_publish_fault(result->error) : unknown;

        if (i >= lines->done || result->error < 0) {
            add_fault(response, &fault, i + 1);
            continue;
        }
        if (plain)
            text_print(&response->body, "%s:%" PRIu64, names_get(names, result->dot.author),
                       result->dot.seq);
        else
            json_dot(names, result->dot, false, &response->body);
        text_add(&response->body, "\n");
    }
    if (lines->refused.status != 0)
        add_fault(response, &lines->refused, lines->count + 1);
    if (response->body.failed)
        api_answer_error(response, 500, EXIT_INPUT_OUTPUT,
                         "there is no memory to tell which events were written",
                         "find them with `gossip log`");
    names_destroy(names);
    api_lines_destroy(lines);
}

bool api_lines_result(const struct gossip_result *result, bool plain, struct api_response *response)
{
    struct api_lines *lines = response->lines;

    assert(lines->done < lines->count && result->ticket == response->ticket + lines->done);
    lines->results[lines->done++] = *result;
    if (lines->done < lines->count)
        return false;
    answer_lines(response, plain);
    return true;
}

void api_lines_give_up(struct api_response *response, bool plain)
{
    answer_lines(response, plain);
}

/* Asks for one event: false where it cannot be. */
static bool publish_line(struct api_lines *lines, const char *line, size_t size,
                         struct api_response *response)
{
    struct api *api = lines->api;
    uint64_t ticket;
    int error;

    if (size > api->options.payload_max) {
        lines->refused = api_size_fault(api, lines->message);
        return false;
    }
    error = gossip_publish(api->options.gossip, line, size, &ticket);
    if (error < 0) {
        lines->refused = api_publish_fault(error);
        if (error == GOSSIP_ERR_LIMIT)
            lines->refused = (struct api_fault){503, EXIT_NO, "too many events wait to be written",
                                                "try again in a moment"};
        return false;
    }
    if (lines->count++ == 0)
        response->ticket = ticket;
    assert(ticket == response->ticket + lines->count - 1);
    return true;
}

void api_handle_lines(struct api *api, const struct api_request *request,
                      struct api_response *response)
{
    const char *data = request->body;
    const char *end = data ? data + request->size : NULL;
    struct api_lines *lines;
    size_t count;

    if (request->size > API_BODY_MAX ||
        (count = count_lines(data, request->size)) > API_LINES_MAX) {
        api_answer_error(response, 413, EXIT_NO,
                         "more lines than one request may have: 4096, of 1048576 bytes in all; "
                         "none was written",
                         "send them in several requests");
        return;
    }
    lines = malloc(sizeof(*lines) + count * sizeof(lines->results[0]));
    if (!lines) {
        api_answer_failure(response, GOSSIP_ERR_NOMEM);
        return;
    }
    *lines = (struct api_lines){.api = api};
    response->lines = lines;
    for (const char *line = data; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));

        if (!publish_line(lines, line, (size_t)((stop ? stop : end) - line), response))
            break;
        line = stop ? stop + 1 : end;
    }
    response->pending = lines->count > 0;
    response->ticket_count = lines->count;
    if (lines->count == 0)
        answer_lines(response, request->plain);
}
