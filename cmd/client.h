/*
 * Speaks with a running node over the socket in its directory.
 */
#ifndef CMD_CLIENT_H
#define CMD_CLIENT_H

#include "cmd/directory.h"
#include "cmd/http_reader.h"
#include "cmd/text.h"

#include <stdbool.h>
#include <stddef.h>

struct client {
    int socket;
    int process; /* A descriptor of the node's process; -1 where it cannot be had. */
    struct http_reader reader;
    int patience_ms; /* How long an answer may take; 0: as long as a disk may stall. */
    bool timed_out;  /* Why the last read or write failed. */
};

/* EXIT_NO_NODE, without complaint, where none listens. */
enum exit_code client_connect(const struct directory *directory, struct client *ret_client);
void client_close(struct client *client);

/* Adds an argument to path and query, percent-encoded. */
void client_add_argument(struct text *target, const char *name, const char *value);

/* Sends a request; target is path and query. False if not all of it could be sent: the answer may
 * be there all the same. */
bool client_send(struct client *client, const char *method, const char *target, bool plain,
                 const void *body, size_t size);

/* Whether the answer has begun, or the connection has ended, within ms milliseconds. */
bool client_answers_within(struct client *client, int ms);

/* Reads the answer: as http_reader.h. */
int client_head(struct client *client, struct http_head *ret_head);
int client_body(struct client *client, void *buffer, size_t capacity);

/* Waits until the node's process has ended, where that can be seen. EXIT_TIMED_OUT, with a
 * complaint. */
enum exit_code client_wait_end(struct client *client, const struct directory *directory);

#endif
