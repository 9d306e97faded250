/*
 * The local API: requests in, responses out. What carries them (http.c, or nothing at all where a
 * verb looks into a stopped node's files) is not known here. docs/api.md lists the requests.
 */
#ifndef CMD_API_H
#define CMD_API_H

#include "cmd/exit.h"
#include "cmd/text.h"
#include "gossip/gossip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of a request's body: the largest payload and more, or many lines. */
enum { API_BODY_MAX = 1 << 20, API_LINES_MAX = 4096 };

struct api;
struct directory;
struct api_stream;
struct api_lines;
struct api_wait;

struct api_options {
    struct gossip *gossip;
    const struct gossip_identity *identity;
    struct gossip_transport *transport; /* NULL: the node is not running. */
    struct gossip_store *store;         /* For backups; NULL: there are none. */
    const struct gossip_store
        *counted;                      /* What gossip_metrics_open() has made, with microseconds,
                                          for /metrics; NULL: nothing is told of the store's calls. */
    const struct directory *directory; /* Where its files are; NULL: nothing is told of them. */
    uint32_t payload_max;
    struct gossip_transport *faults; /* What faults_open() has made; NULL: they are refused. */
};

/* Options are copied; what they point to is lent for the life of the api. NOMEM. */
int api_create(const struct api_options *options, struct api **ret_api);

/* All streams must have been closed. NULL is allowed. */
void api_destroy(struct api *api);

struct api_request {
    const char *method; /* "GET" or "POST" */
    const char *path;   /* "/v1/clock" */

    /* The value of the query's argument called name, unescaped; NULL if there is none. */
    const char *(*argument)(void *context, const char *name);
    void *context;

    const void *body; /* May be NULL where size is more than API_BODY_MAX. */
    size_t size;
    bool plain; /* Answer in text for people; else in JSON. Errors are always JSON. */
};

struct api_response {
    /* The answer comes later: api_result() makes it of the results with this ticket and the
     * following, ticket_count in all. All below is empty. */
    bool pending;
    uint64_t ticket;
    size_t ticket_count;
    struct api_lines *lines; /* What is known so far of several. */

    /* Pending without a ticket: api_wait_look() makes the answer, at the latest after so long. */
    struct api_wait *wait;
    uint32_t timeout_ms;

    int status;               /* Of HTTP. */
    enum exit_code exit_code; /* What `gossip` exits with. */
    const char *type;         /* "application/json" ... */
    const char *allow;        /* The method that is allowed, where the one asked with is not. */
    struct text notice;       /* What the reader should know beside the answer; empty as a rule. */
    struct text body;
    struct api_stream *stream; /* The body, where it is not NULL. */
};

/* Answers. *ret_response is the caller's, to be cleared. */
void api_handle(struct api *api, const struct api_request *request,
                struct api_response *ret_response);

/* The same for one who is told of the node's health alone: whether it is well, whether it is ready,
 * and its figures. There is nothing at any other path. */
void api_handle_probe(struct api *api, const struct api_request *request,
                      struct api_response *ret_response);

/* Answers a request that names another host than this machine. */
void api_refuse_host(struct api_response *ret_response);

/* Takes a result, which is what gossip_result_pop() gave, for a publication that was pending: true
 * where that is answered now. */
bool api_result(struct api *api, const struct gossip_result *result, bool plain,
                struct api_response *response);

/* Answers one whose results will not all come, because the node ends. */
void api_give_up(struct api_response *response, bool plain);

/* Answers what waits, if it has come about; or, when it is late, in any case. Returns whether it
 * has answered. */
bool api_wait_look(struct api *api, const struct api_wait *wait, bool is_late,
                   struct api_response *ret_response);

/* Answers what has waited in vain, because the node ends. */
void api_wait_give_up(struct api_response *ret_response);

/* What a stream returns that is still looking for something to show: it is to be read again when
 * all else has had its turn. */
enum { API_STREAM_AGAIN = -1000 };

/* What a stream returns that has nothing to show yet: it is to be read when it is ready again. */
enum { API_STREAM_WAITS = -1001 };

/* Writes the next bytes of a stream to buffer: returns how many, 0 at the end, API_STREAM_AGAIN,
 * API_STREAM_WAITS, or an error of enum gossip_error. No other error follows the first. */
int api_stream_read(struct api_stream *stream, void *buffer, size_t capacity);
void api_stream_close(struct api_stream *stream); /* NULL is allowed. */

/* Whether reading it would give anything but API_STREAM_WAITS. */
bool api_stream_is_ready(const struct api_stream *stream);

/* Frees what a response owns, its stream included. */
void api_response_clear(struct api_response *response);

/* Whether a backup is under way: then api_back_up() copies some more of it, and is to be called
 * between turns of the node. */
bool api_backs_up(const struct api *api);
void api_back_up(struct api *api);

/* Whether someone has asked for the node to stop. */
bool api_stop_asked(const struct api *api);

/* From now on nothing is published. */
void api_refuse_publications(struct api *api);

/* The node ends: streams that wait for more end, and nothing waits any longer. */
void api_end_streams(struct api *api);

/* The node has stopped with error (of enum gossip_error): what it holds may not be what is stored,
 * so from now on every request is answered with that error. */
void api_fail(struct api *api, int error);

#endif
