/*
 * What is to happen in a run: the shape of a world and a list of actions, drawn from one seed, or
 * made by hand. A plan is data, so that a failing run can be shrunk by leaving parts of it out.
 */
#ifndef GOSSIP_LAB_PLAN_H
#define GOSSIP_LAB_PLAN_H

#include "cmd/lab/world.h"

enum action_kind {
    ACTION_PUBLISH,          /* node; number events of size bytes each. */
    ACTION_KILL,             /* node; damage */
    ACTION_STOP,             /* node */
    ACTION_START,            /* node */
    ACTION_PAUSE,            /* node */
    ACTION_RESUME,           /* node */
    ACTION_STORM,            /* node is killed and started number times, every size ms; damage */
    ACTION_LINKS,            /* link is what all links do from now on. */
    ACTION_LINK,             /* node to other: link */
    ACTION_CUT,              /* node to other */
    ACTION_RING,             /* Each hears only the one before it. */
    ACTION_SPLIT,            /* before node */
    ACTION_ISOLATE,          /* node from all others, whatever heals ... */
    ACTION_REJOIN,           /* ... until then. */
    ACTION_HEAL,             /* All cuts, rings, splits and single links. */
    ACTION_SKEW,             /* node; offset ms */
    ACTION_DRIFT,            /* node; offset ppm */
    ACTION_CRASH_AT,         /* node; at file operation number; damage */
    ACTION_FAIL_DISK,        /* node; operation, number, times */
    ACTION_FULL_DISK,        /* node; number bytes left; UINT64_MAX: room again */
    ACTION_SLOW_DISK,        /* node; number ms a sync */
    ACTION_ADD,              /* A node joins. */
    ACTION_MOVE,             /* node stops, and is started at another address. */
    ACTION_BACKUP,           /* node stops, is backed up, and starts. */
    ACTION_RESTORE,          /* node is killed, and set back to its backup in place, */
    ACTION_RESTORE_DATABASE, /* but for its side file, */
    ACTION_COPY_BACK,        /* or by a person who copies files. */
    ACTION_CLONE,            /* node stops, and it and a clone of it are started. */
    ACTION_FLIP,             /* node ends, and times bits of a file flip; number: which. */
    ACTIONS,
};

/* "publish", "kill" ...; "lost", "torn" ...; "read", "write" ...; never NULL. */
const char *action_name(enum action_kind kind);
const char *damage_name(enum virtual_damage damage);
const char *operation_name(enum virtual_operation operation);

struct action {
    uint64_t at_ms;
    enum action_kind kind;
    unsigned node;
    unsigned other;
    uint64_t number;
    uint64_t size;
    uint64_t times;
    int64_t offset;
    enum virtual_damage damage;
    enum virtual_operation operation;
    struct virtual_link link;
    bool is_early;   /* Before anybody starts; at_ms is 0. */
    bool is_dropped; /* By shrinking. */
};

struct plan {
    struct world_options options;
    struct virtual_link links; /* At first. */
    struct action *actions;    /* Ascending by time. */
    size_t action_count;
    size_t action_capacity;
    uint64_t wild_ms;  /* How long faults are on. */
    uint64_t quiet_ms; /* Within how much time after that all agree, and more if there is much. */
    bool late_joiner;  /* At the end a node joins over bad links and comes to the same state ... */
    bool
        joins_first_only; /* ... by way of the first node alone, and all know of it all the same. */
};

/* Capabilities of the node that switch faults of campaigns on. */
struct plan_faults {
    bool moves;    /* Address changes. */
    bool restores; /* Backups, and disks set back to them. */
    bool copies;   /* Clones. */
    bool flips;    /* Wrong bits. */
};

/* Draws everything from seed. Crypto is real for every tenth seed. */
void plan_draw(struct plan *plan, uint64_t seed, const struct plan_faults *faults);
void plan_clear(struct plan *plan);

/* Appends an action; at_ms must not be below that of the one before. */
void plan_add(struct plan *plan, const struct action *action);

/* One line for a person. */
void action_text(const struct action *action, char *ret_text, size_t size);

#endif
