/*
 * What a gossip is made of, for the files that read from it: service.c (the driver), read.c (what
 * is known), order.c (the displayed order) and verify.c.
 */
#ifndef GOSSIP_SERVICE_H
#define GOSSIP_SERVICE_H

#include "gossip/state.h"

enum { NOTICES_MAX = 256 };

/* A publication: first it waits, then its batch is not committed yet, and then it is its result. So
 * telling what became of it needs no memory and cannot fail. */
struct publication {
    struct publication *next;
    struct gossip_result result; /* From the start with its ticket. */
    size_t size;
    size_t once_size;  /* 0: it has no key. */
    uint8_t payload[]; /* And the key behind it. */
};

/* A copy of a stored event. */
struct event_copy {
    struct gossip_event_record record; /* Its pointers are into memory. */
    uint8_t seal[GOSSIP_SIGNATURE_SIZE];
    uint8_t *memory; /* The body. */
    size_t capacity;
};

struct gossip {
    struct gossip_options options;
    struct gossip_address *joins; /* A copy. */
    struct gossip_node *node;
    int failed;              /* The error that has stopped it for good. */
    unsigned no_memory;      /* Batches in a row that were dropped. */
    bool has_waited;         /* For what peers know of our own events, */
    bool has_dated;          /* and own events, dated by the wall clock, were saved since. */
    struct gossip_side side; /* As it was last written. */
    bool has_side;
    bool is_stale; /* The node is ahead of the store: it is to be made again. */
    uint64_t deadline_ms;

    struct publication *first; /* Those taken into the batch at hand come first. */
    struct publication *last;
    struct publication *next; /* The first not yet taken. */
    size_t waiting;
    size_t waiting_bytes;
    uint64_t ticket;
    struct publication *first_result;
    struct publication *last_result;

    struct gossip_notice notices[NOTICES_MAX];
    size_t notice_start;
    size_t notice_count;
    uint64_t notices_lost;

    bool read_only;
    uint64_t retry_ms;
    uint64_t retry_after_ms; /* 0 before the disk was full for the first time. */
    uint64_t freed_ms;       /* When there was room again. */

    struct gossip_marker suspect; /* Over which event the process has ended, as of the start. */
    bool is_handing_out;          /* The marker names an event. */
    uint8_t *poison;              /* Hashes of events that are passed over ... */
    size_t poison_count;          /* ... and how many. */

    uint64_t after; /* Delivery number of the event popped last. */
    struct event_copy popped;
    struct event_copy shown;    /* For gossip_event_get(). */
    struct gossip_vclock clock; /* Of whichever was shown last. */
    struct gossip_stats past;   /* Of nodes that were thrown away. */
    struct gossip_stats saved;  /* Of this one, at its last commit: what a batch has made counts
                                 * once it is committed. */
};

/* Whether what the node holds may be shown: it may not after a failed commit, whose outcome is
 * unknown, nor while the node is to be made again. Returns the error to give instead. */
int check_readable(const struct gossip *gossip);

/* Adds a notice to those that wait. */
void notice_push(struct gossip *gossip, const struct gossip_notice *notice);

/* Copies the record of an event. NOMEM. */
int event_copy_take(struct event_copy *copy, const struct gossip_event_record *record);
void event_copy_clear(struct event_copy *copy);

/* Fills ret_event from a copy. Its clock is written to clock. Errors as context_of(). */
int event_show(struct gossip *gossip, const struct event_copy *copy, struct gossip_vclock *clock,
               struct gossip_event *ret_event);

struct archive_block;

/* Hands a block to the node of a gossip without transport, and commits now and then. Counts what is
 * not accepted. */
int import_block(struct gossip *gossip, const struct archive_block *block, uint64_t *refused);

/* Commits what the node has made of the blocks so far. */
int import_commit(struct gossip *gossip);

#endif
