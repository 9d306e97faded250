/*
 * What a world is made of, for the files that make it: world.c (making, running, agreement),
 * world_clock.c, world_process.c (starts and ends), world_faults.c (what is done to disks and
 * links), world_flips.c (wrong bits, and who mends them) and world_watch.c (what is overheard).
 */
#ifndef GOSSIP_LAB_WORLD_STATE_H
#define GOSSIP_LAB_WORLD_STATE_H

#include "cmd/lab/trace.h"
#include "cmd/lab/world.h"
#include "gossip/splitmix.h"

enum {
    NARRATION_MAX = 512,
    JOINS = 2, /* So many nodes, the first, all others are told of. */
};

#define WORLD_STORE_NAME "node.db"
#define WORLD_SIDE_NAME  "node.db.side"

#define WORLD_BEGAN_MS UINT64_C(1800000000000) /* In January 2027. */

/* A node's clocks: so much of its own time has passed when the world was at since_ms. */
struct world_clock {
    uint64_t since_ms;
    uint64_t passed_ms;
    int32_t drift_ppm;
    int64_t skew_ms;       /* Of the wall clock. */
    uint64_t monotonic_ms; /* Where the monotonic clock of this boot began. */
};

struct publication_asked {
    struct publication_asked *next;
    uint64_t ticket;
    size_t size;
    uint8_t payload[];
};

/* What a node sees of its store. */
struct watched_store {
    struct gossip_store base;
    struct world_node *node;
};

struct world_node {
    struct gossip_time time;
    struct watched_store watched;
    struct world *world;
    unsigned number;
    enum world_state state;
    struct gossip_identity *identity;
    bool owns_identity;
    bool is_observer;
    struct gossip_address address;
    struct gossip_transport *transport;
    struct gossip_store *store; /* With WORLD_MEMORY it outlives the process. */
    struct virtual_disk *disk;
    struct virtual_disk_image *backup;
    bool is_backup_flipped; /* Bits of it were wrong already. */
    struct gossip *gossip;
    struct splitmix lots;
    struct world_clock clock;
    enum virtual_damage damage; /* At a crash that was announced. */
    unsigned faulted;           /* Operations that were made to fail: it may end with IO. */
    int save_error;             /* What saves are answered with instead of being made, */
    int save_error_last;        /* and were: it may end with that. */
    bool is_filled;
    enum checker_disk disk_is; /* What was done to its disk since its last process. */
    bool is_flipped;           /* Bits of it are wrong, and it has not been opened since, */
    uint64_t digest;           /* and what it held before. */
    bool was_damaged;          /* Somebody has looked, and may have found no fault with it. */
    uint64_t hidden;           /* What a log held that ends too early since; 0: none does. */
    bool is_copy;              /* A clone of another node. */
    bool has_double;           /* It is one, or has been cloned: one of the two has to stop. */
    bool was_stopped;          /* For that; whoever starts it again says which of the two it is. */
    bool is_retired;           /* A copy that was put away. */
    bool is_apart;             /* From all others, whatever heals. */
    struct gossip_address joined[JOINS]; /* Where it has met those it was told to join, */
    bool has_met[JOINS];                 /* and whether this process has met them. */
    uint64_t cursor; /* Of the application: the last delivery it has dealt with. */
    uint64_t busy_until_ms;
    uint64_t wake_ms;
    size_t heap_place;
    uint64_t ran_ms; /* When it ran last, and how often in that millisecond. */
    unsigned runs;
    struct publication_asked *asked_first;
    struct publication_asked *asked_last;
    struct gossip_result last_result;
    int end_error; /* The last process ended by itself with it. */
};

struct world {
    struct world_options options;
    const struct gossip_crypto *crypto;
    struct splitmix lots;
    uint64_t now_ms;
    struct trace trace;
    struct gossip_cluster *cluster;
    struct virtual_network *network;
    struct checker *checker;
    struct world_node *nodes;
    unsigned count;
    unsigned *heap; /* Nodes by when they wake, then by number. */
    size_t heap_count;
    uint16_t next_port;
    struct world_stats stats;
    struct violation none;
    bool is_spinning; /* A node has run without end. */
    world_narrator *narrator;
    void *narrator_context;
    virtual_network_tap *tap;
    void *tap_context;
    world_application *application;
    void *application_context;
};

/* world.c */
void world_narrate(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void world_set_wake(struct world *world, struct world_node *node, uint64_t wake_ms);

/* Something has come for node: it runs as soon as its disk lets it. */
void world_wake(struct world *world, struct world_node *node);

/* Who watches node: NULL where nobody does. What the checker looks for is events, of which
 * observers keep none; what they do is seen by their fingerprints, and by what others make of it.
 */
struct checker *world_checker_of(const struct world_node *node);

/* A node that is down, of this identity or, with NULL, of one of its own. */
struct world_node *world_add_node(struct world *world, struct gossip_identity *identity);
void world_take_address(struct world *world, struct world_node *node);

/* world_clock.c: how much of its own time has passed for node, and in how much of the world's so
 * much of its own will have, rounded up. */
extern const struct gossip_time_ops world_time_ops;
uint64_t world_passed(const struct world_node *node);
uint64_t world_time_of(const struct world_node *node, uint64_t ms);

/* world_watch.c */
extern const struct gossip_store_ops world_watched_ops;      /* Over memory, */
extern const struct gossip_store_ops world_watched_disk_ops; /* and over a disk; */
extern const struct gossip_store_ops world_watched_observer_ops;
bool world_overhear(void *context, unsigned from, unsigned to,
                    const struct gossip_datagram *datagram);

/* world_process.c */
void world_end_process(struct world_node *node);

/* A process has ended by itself, or could not start. Where its disk was made to fail that is what
 * it is to do; else it is a violation. */
void world_died(struct world_node *node, const char *doing, int error, const char *explanation);
void world_set_deadline(struct world_node *node);
void world_note_delay(struct world_node *node); /* What its disk has taken. */

/* world_flips.c: a node that is to start is looked after, where bits were flipped; and whether it
 * can tell, of itself, that its store (which is open) is not what it was. */
void world_look_after(struct world_node *node);
int world_find_evidence(struct world_node *node, bool *ret_any);

/* world_process.c: the machine of a node that is down runs again, if it has crashed; a copy is put
 * away, once. */
void world_mend_crash(struct world_node *node);

/* world_faults.c: what becomes of unsynced writes, in words. */
const char *world_damage_name(enum virtual_damage damage);

#endif
