/*
 * What a request for a log asks to be shown.
 */
#ifndef CMD_API_FILTER_H
#define CMD_API_FILTER_H

#include "cmd/api_state.h"
#include "cmd/log_filter.h"

/* Reads the arguments; false where an error has been answered. *ret_filter is the caller's;
 * *ret_limit is how many events are shown at most, the last of them, or 0 for all. */
bool api_read_filter(const struct view *view, const struct api_request *request,
                     struct log_filter *ret_filter, size_t *ret_limit,
                     struct api_response *response);

#endif
