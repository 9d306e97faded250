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

/* ---- Who owns the nodes (hand_driver.c). ---- */

/* Has them up, answers over socket when they are, then does what it is told until its end; returns
 * what the process is to exit with. script and home are its own then. */
enum exit_code hand_drive(const struct run_wish *wish, struct script *script,
                          struct hand_home *home, int socket);

#endif
