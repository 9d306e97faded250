#include "cmd/api_filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/names.h"
#include "cmd/when.h"

/* Names apart by commas, which no name has. */
static bool read_authors(const struct view *view, const char *names, struct log_filter *filter,
                         struct api_response *response)
{
    size_t count = 1;

    for (const char *comma = names; (comma = strchr(comma, ',')); comma++)
        count++;
    filter->authors = malloc(count * sizeof(*filter->authors));
    if (!filter->authors) {
        api_answer_failure(response, GOSSIP_ERR_NOMEM);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        size_t size = strcspn(names, ",");

        if (!api_read_author(view, names, size, &filter->authors[i], response))
            return false;
        filter->author_count = i + 1;
        names += size + 1;
    }
    return true;
}

static bool read_since(const char *since, struct log_filter *filter, struct api_response *response)
{
    struct gossip_time *time = gossip_system_time();

    if (when_read(since, time->ops->wall_ms(time), &filter->since_ms))
        return true;
    api_answer_error(response, 400, EXIT_USAGE, "since is no point in time",
                     "write 2026-01-02T03:04:05Z, 2026-01-02, or how long ago: 10m");
    return false;
}

static bool read_limit(const char *limit, size_t *ret_limit, struct api_response *response)
{
    char *end;
    unsigned long number = *limit >= '0' && *limit <= '9' ? strtoul(limit, &end, 10) : 0;
    char message[64];

    if (number >= 1 && number <= LOG_LIMIT_MAX && !*end) {
        *ret_limit = number;
        return true;
    }
    snprintf(message, sizeof(message), "limit is a whole number from 1 to %d", LOG_LIMIT_MAX);
    api_answer_error(response, 400, EXIT_USAGE, message, "without it, all events are shown");
    return false;
}

/* Reads an event that others are measured by. */
static bool read_anchor(const struct view *view, const char *text, struct log_anchor *anchor,
                        struct api_response *response)
{
    struct gossip_dot dot;
    int error;

    if (!api_read_dot(view, text, &dot, response))
        return false;
    error = log_anchor_set(view->gossip, dot, anchor);
    if (error == GOSSIP_ERR_NOT_FOUND)
        api_answer_absent(view, dot, response);
    else if (error == GOSSIP_ERR_PRUNED)
        api_answer_error(response, 404, EXIT_NO, "the event is no longer held here",
                         "name one that `gossip log` shows");
    else if (error == GOSSIP_ERR_INVALID)
        api_answer_error(response, 409, EXIT_NO,
                         "the event no longer counts, and has more than one content: how others "
                         "stand to it, nobody can tell",
                         "name one that `gossip log` shows");
    else if (error < 0)
        api_answer_failure(response, error);
    return error >= 0;
}

static bool read_anchors(const struct view *view, const struct api_request *request,
                         struct log_filter *filter, struct api_response *response)
{
    const struct {
        const char *name;
        struct log_anchor *anchor;
    } anchors[] = {{"before", &filter->before},
                   {"after", &filter->after},
                   {"concurrent-with", &filter->apart}};

    for (size_t i = 0; i < sizeof(anchors) / sizeof(anchors[0]); i++) {
        const char *text = api_argument(request, anchors[i].name);

        if (text && api_is_set(request, "contested")) {
            api_answer_error(response, 400, EXIT_USAGE,
                             "how events that no longer count stand to others, nobody can tell",
                             "leave out contested, or before, after and concurrent-with");
            return false;
        }
        if (text && !read_anchor(view, text, anchors[i].anchor, response))
            return false;
    }
    return true;
}

bool api_read_filter(const struct view *view, const struct api_request *request,
                     struct log_filter *ret_filter, size_t *ret_limit,
                     struct api_response *response)
{
    struct log_filter filter = {.all = api_is_set(request, "all")};
    const char *since = api_argument(request, "since");
    const char *authors = api_argument(request, "author");
    const char *limit = api_argument(request, "limit");

    *ret_limit = 0;
    if ((since && !read_since(since, &filter, response)) ||
        (limit && !read_limit(limit, ret_limit, response)) ||
        (authors && !read_authors(view, authors, &filter, response)) ||
        !read_anchors(view, request, &filter, response)) {
        log_filter_clear(&filter);
        return false;
    }
    *ret_filter = filter;
    return true;
}
