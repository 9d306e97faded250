/*
 * Answers for programs, as docs/cli.md promises them. json.c alone knows jansson. Each is one
 * object without white space; bytes that are not ASCII are written as \uXXXX, so that none of them
 * can steer a terminal.
 *
 * Each adds to ret_text, which is marked as failed when memory runs out.
 */
#ifndef CMD_JSON_H
#define CMD_JSON_H

#include "cmd/view.h"
#include "transport/faults.h"

void json_event(const struct names *names, const struct gossip_event *event, struct text *ret_text);
/* The same, with its delivery number and the cursor after it. */
void json_watched(const struct names *names, const struct gossip_event *event, const char *cursor,
                  struct text *ret_text);

/* Adds the cursor of such a line. Returns whether data[size] was one. */
bool json_read_cursor(const char *data, size_t size, struct text *ret_text);

/* One entry of a clock that is read. */
typedef void json_clock_entry(void *context, const char *author, uint64_t count);

/* What json_watched() has written. */
struct json_event {
    char author[GOSSIP_VCLOCK_NAME_MAX];
    uint64_t seq;
    uint8_t hash[GOSSIP_HASH_SIZE];
    uint8_t supersedes[GOSSIP_HASH_SIZE];
    bool has_supersedes;
    bool is_payload; /* For the application. */
    uint8_t *data;   /* NULL: nothing. */
    size_t size;
    char *cursor;
};

/* Reads such a line, and shows visit its clock. False where it is none. ret_event is to be cleared
 * in either case. */
bool json_read_event(const char *data, size_t size, json_clock_entry *visit, void *context,
                     struct json_event *ret_event);
void json_event_clear(struct json_event *event);

/* The clock of what json_clock() has written; and of json_status(), what was sent. */
bool json_read_clock(const char *data, size_t size, json_clock_entry *visit, void *context);
bool json_read_traffic(const char *data, size_t size, uint64_t *ret_datagrams, uint64_t *ret_bytes);

/* token is NULL where none was asked for. */
void json_clock(const struct view *view, const char *token, struct text *ret_text);
void json_relation(const struct view *view, const struct relation_view *relation,
                   struct text *ret_text);
void json_peer(const struct view *view, const struct gossip_peer *peer, struct text *ret_text);
void json_start(const struct gossip_start *start, struct text *ret_text);
void json_status(const struct view *view, struct text *ret_text);
/* view is NULL where a proof is looked at without a node. */
void json_proof(const struct view *view, const struct proof_view *proof, struct text *ret_text);
/* repeated: it was written for an earlier request. */
void json_dot(const struct names *names, struct gossip_dot dot, bool repeated,
              struct text *ret_text);
/* An archive that was checked, and imported unless imported is NULL. */
void json_archive(const struct gossip_archive *archive, const struct gossip_imported *imported,
                  struct text *ret_text);

/* What recover has done; kept is what was added to the names of the old files, or NULL; archive,
 * where events are that wait, or NULL. */
void json_recovered(const char *directory, const struct gossip_recovered *recovered,
                    uint64_t unreadable, const char *kept, bool cloned, const char *archive,
                    struct text *ret_text);

/* A backup that is under way or done. */
void json_backup(const char *path, bool done, struct text *ret_text);

/* Whether data[size] is what json_backup() writes of one that is done. */
bool json_backup_is_done(const char *data, size_t size);
/* How many faults are set, and what has come of all so far. */
void json_faults(size_t count, const struct faults_stats *stats, struct text *ret_text);
void json_stopping(struct text *ret_text);

/* What init has made; cluster_key is NULL where the cluster was there before. */
void json_made(const struct gossip_identity *identity, const char *directory,
               const char *cluster_key, struct text *ret_text);

/* What verify has found: one fault, one thing worth knowing, and the end of its report. */
void json_fault(const char *fault, struct text *ret_text);
void json_note(const char *note, struct text *ret_text);
void json_verified(uint64_t events, uint64_t faults, uint64_t forks, struct text *ret_text);

/* hint may be NULL. */
void json_error(const char *error, const char *hint, struct text *ret_text);
/* What is wrong with a node. */
void json_problems(const char *const *words, size_t count, struct text *ret_text);
/* What of it anybody may know. */
void json_identity(const struct gossip_identity *identity, struct text *ret_text);
/* An error of one line of a request. */
void json_line_error(const char *error, const char *hint, size_t line, struct text *ret_text);

/* Reads what json_error writes, as "error; hint" in printable ASCII. Returns whether data[size] was
 * that. */
bool json_read_error(const char *data, size_t size, struct text *ret_text);

#endif
