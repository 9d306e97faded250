/*
 * Writing again what a fork of our own has lost: of every own author that was cut for a fork, each
 * application event from the cut on, of every branch that is held here or by a peer, goes out once
 * more under the present epoch, marked with the hash of the original.
 */
#ifndef GOSSIP_REISSUE_H
#define GOSSIP_REISSUE_H

#include "gossip/event.h"
#include "gossip/gossip.h"
#include "gossip/runs.h"

#include <stddef.h>

enum {
    REISSUES_MAX = 4096,         /* Events that wait to be written again, */
    REISSUE_BYTES_MAX = 8 << 20, /* and bytes of their payloads. */
    REISSUE_FETCHES_MAX = 16,    /* Branches that are being fetched at a time. */
};

/* An event to be written again. */
struct original {
    uint64_t hlc;
    uint8_t hash[GOSSIP_HASH_SIZE]; /* Of the first of its issues. */
    size_t size;
    size_t once_size; /* 0: it has no key. */
    uint8_t *payload; /* And the key behind it. */
};

/* A peer's branch of one of our authors. It is kept when it is done, so that it is fetched once. */
struct branch_fetch {
    uint32_t author;
    uint32_t peer;
    uint64_t cut;   /* As it was when it began, */
    uint64_t known; /* and that which the peer is known to know, if any. */
    bool is_done;
    bool
        is_settled; /* It began when the peer knew of the cut: its branch does not grow any more. */
    bool knows_have;
    uint64_t have;
    struct chain chain; /* Up to here it was followed. */
    uint32_t window;    /* Bytes of an unfinished run that are asked for at a time; */
    uint32_t asked;     /* so many were, last: 0: it is not known how many will come; */
    uint32_t arrived;   /* and so many have come since. */
    unsigned attempts;  /* In a row, of which nothing came. */
    uint64_t due_ms;
};

struct reissue {
    bool is_due;                         /* Something is to be looked for. */
    bool has_issued;                     /* issued is known. */
    uint8_t (*issued)[GOSSIP_HASH_SIZE]; /* Hashes of originals that were written again, sorted. */
    size_t issued_count;
    size_t issued_capacity;
    struct original *waiting; /* Ascending by (hlc, hash). */
    size_t waiting_count;
    size_t waiting_capacity;
    size_t waiting_bytes;
    bool is_full; /* There was no room for all: the rest is looked for when these are written. */
    bool seeks;   /* There may be a branch that was not asked for yet. */
    uint64_t seek_ms;  /* When those that gave no answer are asked again; 0: there are none. */
    uint64_t learn_ms; /* Until then it waits to be told what it did itself; 0: not begun. */
    struct branch_fetch *fetches;
    size_t fetch_count;
    size_t fetch_capacity;
    size_t fetching; /* How many of them are not done. */
};

struct gossip_node;

void reissue_clear(struct reissue *reissue);

/* An own author was cut, or loaded so. */
void reissue_stir(struct gossip_node *node);

/* A peer can be asked again, or shows events of an own author behind its cut, up to have. */
void reissue_met(struct gossip_node *node);
void reissue_shown(struct gossip_node *node, uint32_t peer, uint32_t author, uint64_t have);

/* A peer knows of the cut of this author; of all that are known here. What it said before of its
 * branch it may have said before there was all of it. */
void reissue_knows(struct gossip_node *node, uint32_t peer, uint32_t author);
void reissue_knows_all(struct gossip_node *node, uint32_t peer);

/* An event of this author was delivered: where it is an own one that was written again, that need
 * not be done once more. NOMEM. */
int reissue_note(struct gossip_node *node, uint32_t author, const struct frame *frame);

/* Whether runs of this own author from this peer are wanted though they lie behind its cut. */
bool reissue_wants(const struct gossip_node *node, uint32_t author, uint32_t peer, uint64_t first);

/* Takes in such a run; it is let go by the caller. */
int reissue_take_run(struct gossip_node *node, uint32_t author, const struct run *run,
                     enum gossip_verdict *ret_verdict);

/* A piece of an unfinished run that reissue_wants() has come. */
void reissue_arrived(struct gossip_node *node, uint32_t author, uint32_t peer, size_t size);

/* Whether an answer about an own author is one to our question; if so, takes it in. */
bool reissue_receive(struct gossip_node *node, uint32_t peer, uint32_t author, uint64_t have);

int reissue_time(struct gossip_node *node);
uint64_t reissue_deadline(const struct gossip_node *node);

#endif
