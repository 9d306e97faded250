/*
 * What the wrappers of stores have in common: each is a store that hands every call on to another,
 * as one value, so that a wrapper is one function around any call.
 */
#ifndef GOSSIP_STORE_WRAPPER_H
#define GOSSIP_STORE_WRAPPER_H

#include "gossip/store.h"

/* A call with its arguments; which of them, its kind tells. */
struct store_call {
    enum gossip_store_call kind;
    struct gossip_store *inner;
    const struct gossip_record *records; /* SAVE */
    size_t count;
    uint32_t author; /* READ, HAS */
    uint64_t first;  /* READ; HAS: seq; FOLLOW: after. */
    uint64_t last;
    const uint8_t *once;        /* FIND_ONCE */
    gossip_record_visit *visit; /* LOAD, READ, FOLLOW, FIND_ONCE */
    void *context;
    uint8_t *ret_fingerprint;
    struct gossip_side *ret_side;
    const struct gossip_side *side;
    struct gossip_marker *ret_marker;
    const struct gossip_marker *marker;
    const char *path;

    /* Since the call began, all runs of it. */
    uint64_t moved_records; /* Saved, or shown. */
    uint64_t moved_bytes;   /* Of those. */
    bool is_answered;       /* What it has returned is what visit did. */
};

/* Hands the call on, once. */
int store_call_run(struct store_call *call);

struct wrapper;
typedef int wrapper_around(struct wrapper *wrapper, struct store_call *call);

/* A wrapper embeds this as its first member. */
struct wrapper {
    struct gossip_store base;
    struct gossip_store_ops ops; /* Where the inner store cannot, NULL. */
    struct gossip_store *inner;
    wrapper_around *around;
};

/* Fills a wrapper, which was allocated and is freed when it is closed, the inner store with it. */
void wrapper_start(struct wrapper *wrapper, struct gossip_store *inner, wrapper_around *around);

#endif
