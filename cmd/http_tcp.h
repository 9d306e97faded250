/*
 * Tells whether a node is well, whether it is ready, and its figures, over HTTP on a TCP port of
 * this machine: for programs that cannot speak with the socket in its directory. There is nothing
 * else to be had there, since whoever is on this machine may ask. Runs inside the caller's loop, as
 * http.h does. http_tcp.c and http.c alone know libmicrohttpd.
 */
#ifndef CMD_HTTP_TCP_H
#define CMD_HTTP_TCP_H

#include "cmd/api.h"

struct http_tcp;

/* Serves on listener, a listening socket that stays the caller's. Both are lent for the life of the
 * http_tcp. NOMEM, IO. */
int http_tcp_open(int listener, struct api *api, struct http_tcp **ret_http);

/* Drops what is still open. NULL is allowed. */
void http_tcp_close(struct http_tcp *http);

/* What follows takes NULL too: then there is nothing to wait for, and nothing to do. */

int http_tcp_poll_fd(struct http_tcp *http); /* -1 for NULL, which poll() passes over. */

/* How long to wait at most before http_tcp_run(), in milliseconds; -1: as long as you like. */
int http_tcp_timeout_ms(struct http_tcp *http);

bool http_tcp_idle(const struct http_tcp *http); /* Whether no connection is open. */

/* Does all that waits. IO: it can never work again. */
int http_tcp_run(struct http_tcp *http);

#endif
