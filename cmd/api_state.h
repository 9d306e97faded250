/*
 * What the parts of the local API share: its state, how answers are made, and who handles which
 * request. For api_*.c alone.
 */
#ifndef CMD_API_STATE_H
#define CMD_API_STATE_H

#include "cmd/api.h"
#include "cmd/plain.h"
#include "cmd/view.h"

/* A copy of the store, made while the node goes on. */
struct backup {
    char *path; /* NULL: there was none. */
    bool running;
    int error; /* What has ended it early. */
    struct text explanation;
};

enum { WATCHERS_MAX = 128 };

struct api {
    struct api_options options;
    struct backup backup;
    size_t streams;  /* Logs that are being read. */
    size_t watchers; /* Requests that may take for ever: at most WATCHERS_MAX. */
    bool ends;       /* They are over. */
    int failed;      /* The error that has stopped the node. */
    bool stop_asked;
    bool refuses_publications;
    uint64_t start_ms; /* When the process, as good as, has started: of the wall clock. */
};

/* ---- Answers. ---- */

/* Errors are built whole or not at all: without memory there is still a status. */
void api_answer_error(struct api_response *response, int status, enum exit_code exit_code,
                      const char *error, const char *hint);

/* What an error of the library comes to. */
void api_answer_failure(struct api_response *response, int error);

/* Ends an answer whose body is one line, or several. */
void api_answer(struct api_response *response, bool plain);

/* The value of the query's argument called name; NULL if there is none. */
const char *api_argument(const struct api_request *request, const char *name);

/* Whether it is 1. */
bool api_is_set(const struct api_request *request, const char *name);

/* Reads the name of an author, text[size]; false where an error has been answered. */
bool api_read_author(const struct view *view, const char *text, size_t size, uint32_t *ret_author,
                     struct api_response *response);

/* Reads the name of an event; false where an error has been answered. */
bool api_read_dot(const struct view *view, const char *text, struct gossip_dot *ret_dot,
                  struct api_response *response);

/* Says that this node does not have the event. */
void api_answer_absent(const struct view *view, struct gossip_dot dot,
                       struct api_response *response);

/* Whether another request may take for ever; false where an error has been answered. */
bool api_has_room(const struct api *api, struct api_response *response);

/* ---- Handlers. ---- */

typedef void api_view_handler(struct api *api, const struct view *view,
                              const struct api_request *request, struct api_response *response);

api_view_handler api_handle_clock;
api_view_handler api_handle_relation;
api_view_handler api_handle_peers;
api_view_handler api_handle_proofs;
api_view_handler api_handle_proof;
api_view_handler api_handle_proof_record;
api_view_handler api_handle_status;
api_view_handler api_handle_start;
api_view_handler api_handle_problems;
api_view_handler api_handle_stop;
api_view_handler api_handle_faults;
api_view_handler api_handle_backup_begin;
api_view_handler api_handle_backup;
api_view_handler api_handle_log;
api_view_handler api_handle_export;
api_view_handler api_handle_watch;
api_view_handler api_handle_wait;

/* Probes are answered whatever has become of the node. */
typedef void api_probe_handler(struct api *api, struct api_response *response);

api_probe_handler api_handle_healthz;
api_probe_handler api_handle_readyz;
api_probe_handler api_handle_metrics;

/* Whether what is published now would be written. */
bool api_is_ready(const struct api *api);

/* Publishing needs no view. */
void api_handle_publish(struct api *api, const struct api_request *request,
                        struct api_response *response);

/* Why an event was not written. */
struct api_fault {
    int status;
    enum exit_code exit_code;
    const char *error;
    const char *hint;
};

/* What the error of a result, or of gossip_publish(), comes to. */
struct api_fault api_publish_fault(int error);

/* What is too large for this node, into message. */
struct api_fault api_size_fault(const struct api *api, char message[96]);

/* Publishes each line of a request. */
void api_handle_lines(struct api *api, const struct api_request *request,
                      struct api_response *response);
bool api_lines_result(const struct gossip_result *result, bool plain,
                      struct api_response *response);
void api_lines_give_up(struct api_response *response, bool plain);
void api_lines_destroy(struct api_lines *lines); /* NULL is allowed. */

void api_forget_backup(struct backup *backup);

#endif
