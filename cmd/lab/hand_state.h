/*
 * What the parts of experiments by hand share: hand_*.c alone.
 */
#ifndef GOSSIP_LAB_HAND_STATE_H
#define GOSSIP_LAB_HAND_STATE_H

#include "cmd/directory.h"
#include "cmd/lab/hand.h"
#include "cmd/lab/play.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the directory of results. */
#define HAND_SOCKET "up.socket"
#define HAND_LOCK   "up.lock" /* Held by who owns the nodes; names him and his script. */
#define HAND_LOG    "up.log"  /* What he complains of. */

enum {
    HAND_GUESTS_MAX = 32,
    HAND_LINE_MAX = SCRIPT_LINE_MAX + 64,
    HAND_SEND_MS = 10000, /* For who asks to take the answer. */
};

/* ---- Where it is found (hand_home.c). ---- */

struct hand_home {
    struct directory directory; /* Its path is lent. */
    int lock;                   /* -1: it is not held. */
};

/* Who holds a lock, or has held it. */
struct hand_owner {
    long process;      /* 0: it is not known. */
    char script[4096]; /* Empty: there is none yet. */
};

/* Makes the directory if it has to, and takes the lock; what one that was killed has left is taken
 * away. EXIT_LOCKED: an experiment is up. */
enum exit_code hand_home_take(const char *path, struct hand_home *ret_home);

/* Writes down who has it. */
enum exit_code hand_home_sign(const struct hand_home *home, long process, const char *script);

/* Takes away what stands in it, and gives the lock back. */
void hand_home_leave(struct hand_home *home);

/* The socket of the experiment that is up there; EXIT_NO_NODE: there is none. is_ending: what one
 * that was killed has left is taken away, and *ret_socket is then -1. */
enum exit_code hand_home_connect(const char *path, bool is_ending, int *ret_socket);

/* Listens on the socket, mode 0600. */
enum exit_code hand_home_listen(const struct hand_home *home, int *ret_socket);

/* ---- What is said (hand_talk.c). ---- */

/* An answer, as it goes to whoever has asked. */
struct hand_answer {
    enum exit_code code;
    struct text out;
    struct text error;
};

/* False where nobody takes it. */
bool hand_send(int socket, const void *data, size_t size);
bool hand_send_answer(int socket, const struct hand_answer *answer);

/* Waits for all of it. False where it ends before; ret_answer is to be cleared in either case. */
bool hand_receive_answer(int socket, struct hand_answer *ret_answer);

/* Shows it, and clears it. */
enum exit_code hand_show(struct hand_answer *answer);

/* ---- The nodes at a glance (hand_status.c). ---- */

struct hand_view {
    const struct script *script;
    const struct stage *stage;
    const struct play *play;
    const char *path;    /* Of the script that is written. */
    const char *waiting; /* What is waited for; NULL: nothing. */
};

void hand_print_status(const struct hand_view *view, struct text *ret_text);
void hand_print_status_json(const struct hand_view *view, struct text *ret_text);

/* ---- Who owns the nodes. ---- */

/* Somebody who asks. */
struct guest {
    int socket;
    struct text input;
    char *line; /* What he asks for, once it has come; in input. */
    bool is_json;
};

struct hand {
    const struct run_wish *wish;
    struct script *script;
    struct hand_home *home;
    struct run run;
    struct stage *stage;
    struct play *play;
    struct results results;
    char *path;    /* Of the script, */
    int file;      /* which is written there. */
    off_t written; /* How long that was before its last line. */
    int log;
    off_t told; /* So much of the log. */
    int listener;
    int epoll;
    struct guest guests[HAND_GUESTS_MAX]; /* In the order in which they came. */
    unsigned guest_count;
    int waiting;      /* The socket of the guest whose expectation is waited for; -1: none is. */
    size_t first;     /* Statement that was typed: so many were there before. */
    uint64_t last_ms; /* When the last one had been carried out. */
    bool was_up[SCRIPT_NODES_MAX];
    bool is_over;
};

/* Those who ask (hand_guests.c): takes those that have come, and hears what they say. */
void hand_hear_guests(struct hand *hand);
void hand_drop_guest(struct hand *hand, unsigned number);

/* Answers, and says goodbye. */
void hand_answer(struct hand *hand, unsigned number, struct hand_answer *what);
void hand_refuse(struct hand_answer *what, enum exit_code code, const char *text);

/* What they ask for (hand_asked.c): does it, as far as it can be done now. Whoever asks for the end
 * is the last. */
void hand_do_asked(struct hand *hand);

/* What was waited for is judged, perhaps. */
void hand_look(struct hand *hand);

/* A node that has ended though nobody said so, here, was killed by other hands. So it is in the
 * script. */
void hand_note_ends(struct hand *hand);

/* Writes the script to its file, from this byte on, where the file ends. */
enum exit_code hand_write_script(struct hand *hand, size_t from);

void hand_tell_status(struct hand *hand, bool is_json, struct text *ret_text);

/* All of it (hand_driver.c). */

/* Milliseconds since the nodes were there. */
uint64_t hand_now(const struct hand *hand);

/* Has them up, answers over socket when they are, then does what it is told until its end; returns
 * what the process is to exit with. script and home are its own then. */
enum exit_code hand_drive(const struct run_wish *wish, struct script *script,
                          struct hand_home *home, int socket);

#endif
