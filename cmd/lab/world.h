/*
 * A virtual world: any number of nodes, the shipped code unchanged, on a virtual network, virtual
 * disks and virtual clocks. One seed decides everything; nothing waits for real time. The checker
 * (checker.h) watches every step.
 *
 * Nodes are numbered from 0 and called n1, n2 ... All times are in milliseconds of the world.
 */
#ifndef GOSSIP_LAB_WORLD_H
#define GOSSIP_LAB_WORLD_H

#include "cmd/lab/checker.h"
#include "gossip/gossip.h"
#include "store/virtual_disk.h"
#include "transport/virtual.h"

enum world_store {
    WORLD_MEMORY, /* The memory store, as a disk that never fails. */
    WORLD_SQLITE, /* SQLite on a virtual disk. */
};

enum world_crypto {
    WORLD_STANDIN,
    WORLD_SODIUM,
};

struct world_options {
    uint64_t seed;
    unsigned nodes;     /* At first. */
    unsigned nodes_max; /* How many there may ever be; 0: nodes, and as many clones. */
    enum world_store store;
    uint64_t observers; /* Bits by number: these keep no events, over the file store on a disk of
                           their own, and are not watched by the checker. */
    enum world_crypto crypto;
    uint32_t period_ms; /* These five as in gossip_options. */
    uint32_t payload_max;
    uint32_t fanout;
    enum gossip_peer_choice choice;
    bool unconnected;          /* Nobody is told of anybody. */
    bool joins_once;           /* What a node has stored of the others must do at its next start. */
    uint64_t checkpoint_pages; /* Pages in SQLite's log at which it is copied; 0: as shipped. */
    bool unchecked;            /* Without a checker. */
    bool stopped;              /* Nodes are not started yet. */
    uint64_t examine_every;    /* Steps between two examinations of everything; 0: 1000. */
    bool goes_on;              /* Past a violation too, and the checker looks at no more. */
};

enum world_state {
    WORLD_DOWN,
    WORLD_UP,
    WORLD_PAUSED, /* As by SIGSTOP: nothing runs, datagrams wait. */
};

/* What has been done to the world, by kind. The network and the disks count their own. */
struct world_stats {
    uint64_t steps; /* Runs of a node. */
    uint64_t starts;
    uint64_t kills;
    uint64_t stops;
    uint64_t deaths; /* Processes that ended by themselves, after an I/O error. */
    uint64_t pauses;
    uint64_t clock_jumps;
    uint64_t clock_drifts;
    uint64_t backups;
    uint64_t restored;           /* In place, as a whole machine, */
    uint64_t restored_databases; /* without the side file, */
    uint64_t copied_back;        /* and as other files. */
    uint64_t clones;
    uint64_t put_away;
    uint64_t flips;          /* Times that bits were flipped. */
    uint64_t flips_harmless; /* Of those, nothing that is stored was another, */
    uint64_t flips_set_back; /* a log ended earlier, */
    uint64_t rebuilt;        /* or the store was rebuilt of what could be verified. */
    uint64_t moves;
    uint64_t refused; /* Publications that came back with FULL or EXISTS. */
    uint64_t published;
};

struct world;

/* Nodes are started, and all but the first join the first and the second. Ends the process when
 * there is no memory; a node that cannot start is a violation. One world with SQLite at a time: its
 * random numbers are the process's. */
struct world *world_create(const struct world_options *options);
void world_destroy(struct world *world);

unsigned world_nodes(const struct world *world);
uint64_t world_now(const struct world *world);
enum world_state world_state(const struct world *world, unsigned node);
struct gossip *world_gossip(struct world *world, unsigned node); /* NULL while it is down. */

/* With what error the last process of node ended by itself; GOSSIP_OK: it did not. */
int world_end_error(const struct world *world, unsigned node);
struct virtual_network *world_network(struct world *world);
struct virtual_disk *world_disk(struct world *world, unsigned node);  /* NULL with WORLD_MEMORY, but
                                                                       for  observers. */
struct gossip_store *world_store(struct world *world, unsigned node); /* NULL: it is not open. */
struct checker *world_checker(struct world *world);                   /* NULL if unchecked. */
struct gossip_address world_address(const struct world *world, unsigned node);
const struct gossip_identity *world_identity(struct world *world, unsigned node);
const struct gossip_cluster *world_cluster(const struct world *world);

/* The first violation found; its invariant is NONE while there is none. */
const struct violation *world_violation(const struct world *world);
bool world_is_sound(const struct world *world);

/* From a violation on time stands still, and what is run returns at once; where the world goes on
 * past it, from when a node has run without end. */
bool world_stands_still(const struct world *world);

/* One number for everything that has happened so far. */
uint64_t world_trace(const struct world *world);

/* Called with a line for each thing done and each notice, for a person; NULL: none. */
typedef void world_narrator(void *context, uint64_t time_ms, const char *line);
void world_set_narrator(struct world *world, world_narrator *narrator, void *context);

/* Called with each datagram that a node sends, before anything happens to it. Returns whether it is
 * to be lost. NULL: none. */
void world_set_tap(struct world *world, virtual_network_tap *tap, void *context);

/* Called with each event that a node shows its application, which has dealt with it then. NULL:
 * none. */
typedef void world_application(void *context, unsigned node, const struct gossip_event *event);
void world_set_application(struct world *world, world_application *application, void *context);

/* Lets time pass. */
void world_run(struct world *world, uint64_t ms);

/* Lets time pass until check holds; whether it did within ms. */
typedef bool world_check(struct world *world);
bool world_run_until(struct world *world, world_check *check, uint64_t ms);
/* All nodes that are up hold all events there are, and the same. */
bool world_agrees(struct world *world);
/* And have the same fingerprint, records included, and each has heard so from an alive peer. */
bool world_in_step(struct world *world);

/* Asks node to publish; the result comes as time passes. False if it is not up or takes no more. */
bool world_publish(struct world *world, unsigned node, const void *payload, size_t size);

/* How many publications of node have no result yet. */
size_t world_asked(const struct world *world, unsigned node);

/* Publishes text and lets no time pass but what the disk takes. Returns the seq; 0 if the node is
 * not up or the event was refused. */
uint64_t world_tell(struct world *world, unsigned node, const char *text);

/* The process ends at once. damage is what becomes of what the disk has not synced: NONE where only
 * the process dies, the others where the machine loses power. */
void world_kill(struct world *world, unsigned node, enum virtual_damage damage);
void world_stop(struct world *world, unsigned node); /* A clean end. */
void world_start(struct world *world, unsigned node);
void world_pause(struct world *world, unsigned node);
void world_resume(struct world *world, unsigned node);

/* The machine loses power just before the disk's operation number from now on; the process ends
 * as soon as it notices. With WORLD_MEMORY nothing happens. */
void world_crash_at(struct world *world, unsigned node, uint64_t operation,
                    enum virtual_damage damage);

/* The operation number from now on of this kind, and count - 1 after it, fail with an I/O error;
 * count 0: none any more. */
void world_fail_disk(struct world *world, unsigned node, enum virtual_operation operation,
                     uint64_t number, uint64_t count);

/* From now on nothing of what node would save is saved, over either store, and it is told this
 * error (FULL, IO or NOMEM) instead. GOSSIP_OK: no more. */
void world_fail_saves(struct world *world, unsigned node, int error);

/* Room that is left on the disk; UINT64_MAX: as much as it likes. */
void world_fill_disk(struct world *world, unsigned node, uint64_t bytes);
void world_slow_disk(struct world *world, unsigned node, uint32_t sync_ms);

/* The wall clock of node jumps to so many milliseconds from the world's time. */
void world_set_skew(struct world *world, unsigned node, int64_t ms);

/* Both clocks of node run fast (or slow) by so many millionths from now on: -900000 to 900000. */
void world_set_drift(struct world *world, unsigned node, int32_t ppm);

/* Copies the disk of node, which is down; sets it back to that copy. There is one copy of each.
 * world_restore(): in place, as a whole machine is set back, which nothing on it can tell;
 * world_restore_database(): without the side file, which stays as it is;
 * world_copy_back(): as a person copies files, each of which is another one then. */
void world_backup(struct world *world, unsigned node);
bool world_restore(struct world *world, unsigned node);
bool world_restore_database(struct world *world, unsigned node);
bool world_copy_back(struct world *world, unsigned node);

/* Flips so many bits of one of the files of node, which is down; lot decides which. Before its next
 * start somebody verifies it, and rebuilds it if that finds fault. */
bool world_flip(struct world *world, unsigned node, uint64_t lot, unsigned bits);

/* A second machine with a copy of the disk and the key of node, at another address, not started.
 * Returns its number; UINT_MAX if there may be no more nodes, or node is up. */
unsigned world_clone(struct world *world, unsigned node);

/* Of each key only the original is left, which is to be started again, and is told so if it had
 * stopped by itself. */
void world_put_copies_away(struct world *world);
bool world_is_retired(const struct world *world, unsigned node); /* A copy that was put away. */

/* All but those are up. */
bool world_is_all_up(const struct world *world);

/* Node is at another address: from its next start on or, if it runs, from now on and without
 * knowing, as behind a router that forgets. */
void world_move(struct world *world, unsigned node);

/* A new node, started, that joins all that are up. UINT_MAX if there may be no more. */
unsigned world_add(struct world *world);

/* Links: cut in one direction, mended (as the default again), split into parts, and everything that
 * was cut or split healed. */
void world_cut(struct world *world, unsigned from, unsigned to);
void world_mend(struct world *world, unsigned from, unsigned to);
void world_split(struct world *world, unsigned first_of_second_part);
void world_heal(struct world *world);

/* A node is apart from all others, whatever heals, until it rejoins. */
void world_isolate(struct world *world, unsigned node);
void world_rejoin(struct world *world, unsigned node);

/* Examines every node that is up, now. */
void world_examine(struct world *world);

void world_stats(const struct world *world, struct world_stats *ret_stats);

#endif
