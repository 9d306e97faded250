/*
 * What a checker is made of, for the files that make it: checker.c (saves, starts, steps) and
 * overheard.c (datagrams).
 */
#ifndef GOSSIP_LAB_RECORD_H
#define GOSSIP_LAB_RECORD_H

#include "cmd/lab/checker.h"
#include "gossip/datagram.h"
#include "gossip/digest.h"

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
    struct counts have;    /* Of the deliveries. */
    struct counts durable; /* Of the durable ones. */
    struct counts shown;   /* The most that any datagram or result of this node has shown. */
    uint64_t boot;
    uint64_t durable_boot;
    uint64_t hlc;
    size_t next_pop; /* Place in deliveries of the next event for the application. */
    bool is_up;
    bool is_unknown; /* A save has failed: nothing may be seen of this process any more. */
    bool is_clone;   /* Or was set back: it may repeat itself. */
    size_t relations_asked;
};

struct pair {
    bool is_known;
    bool is_fit;
    uint8_t key[32];
};

struct checker {
    const struct gossip_crypto *crypto;
    struct splitmix lots;
    uint64_t time_ms;
    struct history history;
    struct node_record *nodes;
    unsigned node_max;
    struct pair *pairs; /* Keys of boxes, node_max * node_max. */
    struct violation violation;
    struct checker_stats stats;
    struct wire_arena arena;
    uint8_t *stream;
    size_t stream_capacity;
};

#endif
