/*
 * Carries the local API over HTTP/1.1 on a Unix socket. http.c and http_tcp.c alone know
 * libmicrohttpd. Runs inside the caller's loop, without threads; requests that come in together are
 * handled in one run, so that their events share a commit.
 */
#ifndef CMD_HTTP_H
#define CMD_HTTP_H

#include "cmd/api.h"
#include "cmd/log.h"

#include <stdbool.h>

struct http;

/* Serves api on listener, a listening socket that stays the caller's. All are lent for the life of
 * the http. NOMEM, IO. */
int http_open(int listener, struct api *api, struct log *log, struct http **ret_http);

/* Drops what is still open. NULL is allowed. */
void http_close(struct http *http);

int http_poll_fd(struct http *http);

/* How long to wait at most before http_run(), in milliseconds; -1: as long as you like. */
int http_timeout_ms(struct http *http);

/* Does all that waits. IO: it can never work again. */
int http_run(struct http *http);

/* Answers the request that waits for result, if its client is still there. */
void http_finish(struct http *http, const struct gossip_result *result);

/* To be called after each turn of the node: lets watches go on for which there is more to show, and
 * answers what has waited for this or for too long. */
void http_wake(struct http *http);

/* Answers all that wait, saying that the node ends, and takes no new connection. */
void http_give_up(struct http *http);

/* Whether no connection is open. */
bool http_idle(struct http *http);

#endif
