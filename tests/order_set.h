/*
 * Random sets of events and signed records: a few members with a few authors each, some of which
 * have forked into up to four branches, events that name whatever there was when they were
 * written, proofs, evictions and certificates; and by a naive model what a node must make of such a
 * set, in whatever order it comes.
 */
#ifndef TESTS_ORDER_SET_H
#define TESTS_ORDER_SET_H

#include "gossip/event.h"
#include "gossip/eviction.h"
#include "gossip/identity.h"
#include "gossip/proof.h"
#include "gossip/splitmix.h"

enum {
    SET_KEYS_MAX = 4,
    SET_AUTHORS_MAX = 6,
    SET_BRANCHES_MAX = 4,
    SET_EVENTS_MAX = 160, /* Of one branch. */
    SET_ENTRIES_MAX = SET_AUTHORS_MAX + 1,
    SET_PROOFS_MAX = 8, /* Of one author. */
    SET_NOBODY = SET_AUTHORS_MAX,
};

/* What an event names: an author, or nobody that there is, and a seq. */
struct set_entry {
    unsigned author;
    uint64_t seq;
};

struct set_event {
    struct set_event *next; /* Of all events of the set. */
    uint8_t *body;
    size_t size;
    uint64_t hlc;
    struct chain chain; /* After it. */
    struct set_entry entries[SET_ENTRIES_MAX];
    size_t entry_count;
    bool is_invalid; /* Its context is one that no node accepts. */
};

struct set_branch {
    struct set_event *events[SET_EVENTS_MAX]; /* Those of seq n at n - 1. */
    size_t count;
    unsigned mentioned[SET_ENTRIES_MAX]; /* In the order of their numbers. */
};

struct set_author {
    unsigned key;
    uint8_t epoch[GOSSIP_EPOCH_SIZE];
    uint8_t id[GOSSIP_ID_SIZE];
    struct set_branch branches[SET_BRANCHES_MAX];
    size_t branch_count;
    struct proof proofs[SET_PROOFS_MAX];
    uint64_t proof_cuts[SET_PROOFS_MAX];
    size_t proof_count;
    /* By the model: */
    uint64_t fork;    /* The lowest dot with two contents; 0: none. */
    uint64_t evicted; /* The least cut of an eviction; 0: none. */
    uint64_t cut;     /* The least of any record; 0: none. */
    uint64_t reach;   /* Up to here its events are in the set, without a gap. */
    uint64_t have;    /* Delivered in the end. */
};

enum set_piece_kind {
    PIECE_RUN,
    PIECE_RECORD,
    PIECE_AUTHOR, /* That there is one, without events. */
};

/* What is told in one go. */
struct set_piece {
    enum set_piece_kind kind;
    unsigned author; /* RUN, AUTHOR */
    unsigned branch; /* RUN, these too: */
    uint64_t first;
    uint64_t last;
    bool has_seal;
    const struct proof *proof; /* Without a seal: what vouches for the last, unless an eviction; */
    bool has_link;             /* by way of the next event. */
    const uint8_t *id;         /* RECORD, these too. */
    const uint8_t *bytes;
    size_t size;
};

struct order_set {
    uint64_t seed;
    struct splitmix lots;
    const struct gossip_crypto *crypto;
    const struct gossip_cluster *cluster;
    struct gossip_identity *keys[SET_KEYS_MAX];
    struct certificate certificates[SET_KEYS_MAX];
    size_t key_count;
    struct set_author authors[SET_AUTHORS_MAX];
    size_t author_count;
    struct eviction evictions[2 * SET_KEYS_MAX];
    size_t eviction_count;
    struct set_event *events;
    struct set_piece *pieces;
    size_t piece_count;
    size_t piece_capacity;
    unsigned written; /* Events, so that each says something else. */
    /* By the model: the events that are delivered, as the log shows them. */
    const struct set_event **log;
    size_t log_count;
};

/* Of a seed always the same set. */
void order_set_make(struct order_set *set, uint64_t seed, const struct gossip_crypto *crypto,
                    const struct gossip_cluster *cluster);
void order_set_clear(struct order_set *set);

/* The stream of a run; returns its size. */
size_t order_set_stream(const struct order_set *set, const struct set_piece *piece, uint8_t *stream,
                        size_t capacity);

/* The link of an event of a branch: the size of its body, and its inner hash. */
void order_set_link(const struct order_set *set, const struct set_branch *branch, uint64_t seq,
                    struct proof_link *ret_link);

#endif
