/*
 * Where a script is played: real processes, or a virtual world. A stage does what it is told and
 * keeps the journal of what it sees; it knows nothing of scripts.
 *
 * All times are in milliseconds since the stage was opened.
 */
#ifndef GOSSIP_LAB_STAGE_H
#define GOSSIP_LAB_STAGE_H

#include "cmd/lab/journal.h"
#include "cmd/lab/script.h"
#include "cmd/lab/script_check.h"
#include "cmd/text.h"
#include "gossip/transport.h"

enum { STAGE_EXPLANATION_MAX = 1024, STAGE_WITNESS_MAX = 9000 };

struct stage {
    const struct stage_ops *ops;
    struct journal *journal; /* Lent. */
    char explanation[STAGE_EXPLANATION_MAX];
    int signal; /* That has told the run to end; 0: none has. */
    int wake;   /* In real time: what ends advance() when it can be read from; -1: nothing does. */
};

/* How a process can be reached. */
struct stage_node {
    char address[GOSSIP_ADDRESS_TEXT_MAX]; /* Where it listens. */
    const char *directory;                 /* Lent by the stage. */
    long process;                          /* 0: it does not run. */
};

/* Those that return bool fail where the place cannot do it after all, and explanation then says
 * why. What happens by itself, and every event that is shown, goes into the journal as it is seen.
 */
struct stage_ops {
    const char *name;
    unsigned abilities; /* Of enum ability, bits. */

    uint64_t (*now_ms)(const struct stage *stage);

    /* Lets time pass until then, or until the journal has something new, whichever is first. False
     * also where nothing can happen any more: what was wrong is in the verdict, not here. */
    bool (*advance)(struct stage *stage, uint64_t until_ms);

    /* line: the statement that wants it, for the journal. */
    bool (*start)(struct stage *stage, unsigned line, unsigned node);
    bool (*stop)(struct stage *stage, unsigned line, unsigned node);
    bool (*kill)(struct stage *stage, unsigned line, unsigned node);
    bool (*pause)(struct stage *stage, unsigned node);
    bool (*resume)(struct stage *stage, unsigned node);
    bool (*publish)(struct stage *stage, unsigned node, const void *data, size_t size);

    /* How many publications have no answer yet, at nodes that run. */
    size_t (*waiting)(struct stage *stage);

    /* What one direction does from now on; NULL: nothing passes. */
    bool (*set_link)(struct stage *stage, unsigned from, unsigned to,
                     const struct script_link *link);

    /* Of nodes that are down. */
    bool (*backup)(struct stage *stage, unsigned node);
    bool (*restore)(struct stage *stage, unsigned node, bool is_machine);
    bool (*clone)(struct stage *stage, unsigned node, unsigned copy);

    bool (*skew)(struct stage *stage, unsigned node, int64_t ms);
    bool (*disk)(struct stage *stage, unsigned node, enum script_disk disk, uint64_t number);

    /* Reads the clocks of all nodes that are up into the journal. */
    bool (*read_clocks)(struct stage *stage);

    /* Tells the journal what was sent so far. */
    bool (*count_traffic)(struct stage *stage);

    /* What this place itself has found wrong, as a person is told: a row of the table of checks.
     * False: it judges nothing. */
    bool (*verdict)(struct stage *stage, char *ret_title, size_t title_size, bool *ret_passed,
                    char *ret_witness, size_t witness_size);

    /* Adds what the processes of a node have written to their logs; NULL: they have none. */
    void (*read_log)(struct stage *stage, unsigned node, struct text *ret_text);

    /* Where a person finds a node, while the run goes on; NULL: nowhere. */
    void (*locate)(const struct stage *stage, unsigned node, struct stage_node *ret_node);

    /* Makes room for a node that was added to the script, the last one, to be cloned; NULL: all
     * have to be there when the stage is opened. */
    bool (*add)(struct stage *stage);

    void (*close)(struct stage *stage);
};

/* A place by its name. open makes a stage there for script; it and the journal, which is started,
 * are lent for its life. NULL, after a complaint, where there can be none. */
struct stage_place {
    const struct stage_ops *ops;
    struct stage *(*open)(const struct script *script, uint64_t seed, struct journal *journal);
};

/* A virtual world: everything by one seed, judged by the checker at every step. */
extern const struct stage_place stage_sim;

/* Processes of this program, in a temporary directory, on 127.77.1.1 and so on. SIGINT, SIGTERM and
 * SIGHUP end the run, and are held back until the stage is closed. */
extern const struct stage_place stage_local;

/* The same, each node in a network namespace of its own, on 10.77.1.1 and so on; cuts and loss are
 * the kernel's. This process is in one of them from then on. */
extern const struct stage_place stage_netns;

/* Takes away what runs that were killed have left in the temporary directory, and tells of it. */
void stage_clear_killed(void);

/* NULL: there is no place of this name. */
const struct stage_place *stage_find(const char *name);

/* "sim, local or netns". */
const char *stage_names(void);

#endif
