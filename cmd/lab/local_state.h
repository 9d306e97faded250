/*
 * What the parts of the stage of real processes share: local_*.c and stage_local.c alone.
 */
#ifndef GOSSIP_LAB_LOCAL_STATE_H
#define GOSSIP_LAB_LOCAL_STATE_H

#include "cmd/client.h"
#include "cmd/directory.h"
#include "cmd/lab/stage.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct local;

/* What the nodes speak over. */
struct local_network {
    /* Makes it, and gives each node its address. It has complained where it fails. */
    enum exit_code (*open)(struct local *local);

    /* What of the links to node the network itself does, whether the node runs or not: cuts and
     * loss. NULL: nothing; the shim in each node does it all. */
    bool (*fence)(struct local *local, unsigned node);

    /* Gives a node its address that has just come to be. False where it is not free; NULL: none can
     * come to be. */
    bool (*add)(struct local *local, unsigned node);
};

extern const struct local_network local_loopback;   /* On 127.77.1.1 and so on. */
extern const struct local_network local_namespaces; /* Each in a namespace of its own. */

struct publication {
    struct publication *next;
    size_t size;
    char data[];
};

struct local_node {
    char *path;   /* Its directory, */
    char *log;    /* and beside it what it says, */
    char *faults; /* what holds from its start, */
    char *kept;   /* and the copy of its files. */
    char address[GOSSIP_ADDRESS_TEXT_MAX];
    char certified[SCRIPT_NAME_MAX + 1]; /* A copy has the name of its original. */
    pid_t pid;                           /* 0: it does not run. */
    bool is_paused;
    bool is_double;        /* It has ended because another has its key. */
    bool is_stale;         /* It has yet to hear what its links do, */
    bool is_fence_stale;   /* and so has its network. */
    int space;             /* The network namespace that it is in; -1: that of this process. */
    struct directory home; /* Descriptor -1: it has no files. */

    int watch; /* The stream of what it delivers; -1: none. */
    bool has_head;
    struct text input; /* Not whole yet. */
    struct text cursor;
    struct text kept_cursor;

    struct publication *first; /* Not asked for yet. */
    struct publication *last;
    size_t queued;
    size_t asked; /* Without an answer; 0: no request is under way. */
    struct client post;
    uint64_t answered; /* Since its start so many were, */
    uint64_t shown;    /* and so many of its own have been shown. */

    uint64_t datagrams; /* Of its earlier processes. */
    uint64_t bytes;
    uint64_t process_datagrams; /* Of this one, as it was asked last. */
    uint64_t process_bytes;
};

struct local {
    struct stage base;
    const struct script *script;
    const struct local_network *network;
    char *place;
    int place_lock; /* Tells that it is in use. */
    unsigned count;
    int signals;
    int wake; /* While time passes, the stage's; else -1. */
    bool is_awake;
    sigset_t signals_before;
    struct timespec began;
    struct local_node nodes[SCRIPT_NODES_MAX];
    struct script_link links[SCRIPT_NODES_MAX][SCRIPT_NODES_MAX];
    bool is_cut[SCRIPT_NODES_MAX][SCRIPT_NODES_MAX];
};

/* Milliseconds since it was opened. */
uint64_t local_now(const struct stage *stage);

const char *local_name(const struct local *local, unsigned node);

/* Explains, unless a signal has ended it all: then nothing that follows is worth telling. False. */
bool local_fail(struct local *local, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether no signal has told it to end. */
bool local_is_sound(struct local *local);

/* ---- What nodes show (local_watch.c). ---- */

/* A clock as it is read, entry by entry. */
struct seen_clock {
    struct local *local;
    struct counts counts;
    bool failed;
};

void local_see_entry(void *context, const char *author, uint64_t count);

/* Opens the stream of what a node delivers, over client's socket. */
bool local_open_watch(struct local *local, unsigned number, struct client *client);

/* Takes what has come of it, without waiting; at its end it is closed. */
bool local_read_watch(struct local *local, unsigned number);

/* Asks, and waits for the answer. False where there is none, or an error. */
bool local_ask(struct local *local, unsigned number, const char *method, const char *target,
               const struct text *body, struct text *ret_answer);

/* Asks for what waits to be published; takes the answer; forgets both. */
bool local_post(struct local *local, unsigned number);
void local_read_post(struct local *local, unsigned number);
void local_drop_publications(struct local_node *node);

/* ---- Processes and links (local_process.c). ---- */

/* A process has ended; what it had shown before is seen first. */
bool local_see_end(struct local *local, unsigned number, unsigned line, int code, const char *text);

/* Those that have ended, though nobody said so. */
bool local_see_ends(struct local *local);

/* Whether a node that has not answered has ended, or does within a moment: it closes its door
 * before it goes. */
bool local_has_ended(struct local *local, unsigned number);

void local_read_signals(struct local *local);

/* Waits so long at most for something to happen, and takes all that has. */
bool local_look(struct local *local, uint64_t ms);

/* What the links of a node do, as faults. */
void local_add_faults(const struct local *local, unsigned node, struct text *ret_text);

/* Tells nodes what their links do, where that has changed. */
bool local_tell_links(struct local *local);

/* ---- Files (local_place.c, local_files.c). ---- */

/* Makes a directory of its own for a run, after it has taken away those that runs have left that
 * were killed. Complains. */
enum exit_code local_make_place(char **ret_path, int *ret_lock);
void local_remove_place(char *path, int lock);

/* Has the files of one directory in another too, in place of what is there. */
bool local_put_files(struct local *local, const char *from, const char *to);

#endif
