/*
 * Watching: events in delivery order, as they are delivered. A reader goes on after a cursor, which
 * is a token (token.h): all that the reader has passed. So it does not matter in which order the
 * store has them, nor whether it is the store that they were read from. For api_*.c alone.
 */
#ifndef CMD_API_WATCH_H
#define CMD_API_WATCH_H

#include "cmd/api.h"
#include "cmd/view.h"

struct api_watch;

/* Opens a watch as the request asks for it; NULL where an error has been answered. What the reader
 * should know, of a cursor that does not fit what is stored, is added to ret_notice. */
struct api_watch *api_watch_open(struct api *api, const struct view *view,
                                 const struct api_request *request, struct api_response *response,
                                 struct text *ret_notice);
void api_watch_close(struct api_watch *watch); /* NULL is allowed. */

/* Adds the line of the next event to ret_line: 1, 0 at the end, API_STREAM_WAITS, API_STREAM_AGAIN,
 * or an error. */
int api_watch_next(struct api_watch *watch, struct text *ret_line);

/* Whether api_watch_next() would give anything but API_STREAM_WAITS. */
bool api_watch_is_ready(const struct api_watch *watch);

#endif
