/*
 * What a checker is made of, for the files that make it: checker.c (saves and starts), shown.c
 * (what programs see) and overheard.c (datagrams).
 */
#ifndef GOSSIP_LAB_CHECKER_STATE_H
#define GOSSIP_LAB_CHECKER_STATE_H

#include "cmd/lab/checker.h"
#include "gossip/datagram.h"
#include "gossip/digest.h"
#include "gossip/eviction.h"

enum { DOT_TEXT = 64 };

/* What a node holds of one author: the event of each seq, at seq - 1. */
struct held_chain {
    uint32_t *events;
    size_t capacity;
};

/* What is known of one node's disk. */
struct node_record {
    const struct gossip_identity *identity;
    uint32_t *numbers; /* The history's author of each local number. */
    size_t number_count;
    size_t number_capacity;
    uint32_t *deliveries; /* Events in the order of delivery. */
    size_t delivery_count;
    size_t delivery_capacity;
    size_t known_count;   /* So many of them are the outcome of saves that have returned OK, */
    size_t durable_count; /* and so many would outlive a crash. */
    struct event_set delivered;
    struct event_set regained; /* Of its own, that its disk had lost and peers gave back; or that
                                  it has written once more, to the same bytes. */
    struct event_set copied;   /* What a copy of its disk has that this disk could still lose. */
    struct held_chain *chains; /* By the history's author. */
    size_t chain_capacity;
    struct counts have;         /* Of the deliveries, those behind a cut included. */
    struct counts durable;      /* Of the durable ones. */
    struct counts cuts;         /* From which seq on an author's events do not count; 0: all do. */
    struct counts cuts_durable; /* As a crash would leave them, */
    struct counts cuts_before;  /* and as they were before the save that is being looked at. */
    struct counts shown;        /* The most that any datagram of this node has shown. */
    uint64_t boot;
    uint64_t durable_boot;
    uint64_t hlc;
    uint64_t hlc_least; /* The stamp that its next event must be past: all that it has followed. */
    uint64_t wall_ms;   /* Its wall clock, as of the last save, */
    uint64_t wall_most_ms; /* and the furthest it has ever been. */
    uint64_t boot_most;    /* The most that any process of it has counted. */
    uint64_t started_boot; /* What its store held at the last start. */
    uint64_t boot_id;      /* What this process, or (not has_boot_id) the last one, has shown. */
    bool has_boot_id;
    uint32_t closed;   /* Author of what it wrote before it last opened an epoch. */
    uint32_t own;      /* Author of what it writes now, */
    uint64_t answered; /* and up to which of its events publications have been answered. */
    bool has_epoch;    /* Its store names the epoch of that author: */
    uint8_t epoch[GOSSIP_EPOCH_SIZE];
    bool must_open;    /* It was set back, and knows or can know it: another epoch comes first. */
    bool was_set_back; /* Some day. */
    bool has_forgotten_boots; /* Its store counted less at the last start than somebody has seen. */
    bool may_fork;            /* It was set back, and perhaps cannot know it. */
    struct {
        uint32_t own;
        bool must_open;
        bool may_fork;
    } saving;               /* As before the save that is being looked at. */
    unsigned epochs;        /* How many it has opened after its first, */
    unsigned reasons;       /* and how often what was done to its disk gave it a reason to. */
    unsigned epochs_told;   /* Of those that it has opened; what was not before a start is not. */
    unsigned epochs_before; /* These three as before a save whose outcome is unknown. */
    bool must_open_before;
    uint32_t own_before;
    size_t next_pop; /* Place in deliveries of the next event for the application. */
    bool is_up;
    bool is_away;    /* For good. */
    bool is_unknown; /* A save has failed: nothing may be seen of this process any more. */
    size_t relations_asked;
};

struct pair {
    bool is_known;
    bool is_fit;
    uint8_t key[32];
    uint64_t boot_id; /* Of the last box, ... */
    uint64_t counter;
    uint8_t nonce[GOSSIP_BOX_NONCE_SIZE];
};

struct checker {
    const struct gossip_crypto *crypto;
    struct splitmix lots;
    uint64_t time_ms;
    struct history history;
    struct node_record *nodes;
    unsigned node_max;
    struct pair *pairs;         /* Keys of boxes, node_max * node_max. */
    struct eviction *evictions; /* That were issued. */
    size_t eviction_count;
    size_t eviction_capacity;
    struct violation violation;
    struct checker_stats stats;
    struct wire_arena arena;
};

/* An event and a dot for a person; text is returned. */
const char *checker_event_text(const struct checker *checker, uint32_t event,
                               char text[HISTORY_TEXT_MAX]);
const char *checker_dot_text(const struct checker *checker, uint32_t author, uint64_t seq,
                             char text[DOT_TEXT]);

/* The history's number of a local author of node, or HISTORY_NONE. */
uint32_t checker_author(const struct node_record *node, uint32_t number);

/* The event of that dot that node holds, or HISTORY_NONE. */
uint32_t checker_held_event(const struct node_record *node, uint32_t author, uint64_t seq);

/* How many events of author count at node; how many a crash would leave of them. */
uint64_t checker_have(const struct node_record *node, uint32_t author);
uint64_t checker_durable_have(const struct node_record *node, uint32_t author);

/* Whether node knows of a cut at that dot or before it. */
bool checker_is_cut(const struct node_record *node, uint32_t author, uint64_t seq);

/* Whether node has the key of author. */
bool checker_is_own(const struct checker *checker, unsigned node, uint32_t author);

/* Compares all that is stored with the record; what the store returns. */
int checker_compare(struct checker *checker, unsigned number, struct gossip_store *store);

#endif
