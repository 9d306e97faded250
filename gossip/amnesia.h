/*
 * Amnesia: how a node tells that its store was set back, and what it does before it writes again.
 * The ancestor is Riak's issue 679, where nodes that had lost what they knew counted on from small
 * numbers, and their new writes were taken for old ones for four years.
 */
#ifndef GOSSIP_AMNESIA_H
#define GOSSIP_AMNESIA_H

#include "gossip/gossip.h"
#include "gossip/wire.h"

enum {
    AMNESIA_ASKED_MAX = 3,
    /* So many boots a node may have forgotten, one a second for twelve days: where it opens an
     * epoch its count leaps over them, so that what a peer tells of one later is no evidence again.
     */
    AMNESIA_BOOTS_FORGOTTEN = 1 << 20,
};

struct amnesia {
    /* As the store has it. */
    bool has_fingerprint;
    uint8_t fingerprint[GOSSIP_HASH_SIZE];
    bool is_backup;
    bool is_cloned;
    unsigned evidence; /* Of enum gossip_evidence: the epoch ends before the next own event. */

    bool is_over;            /* The wait is: own events may be written. */
    bool has_dated;          /* An own event by the wall clock in this boot: none before it can be
                              * the same to the last bit. */
    bool is_minted;          /* Its epoch is of this boot: no earlier one can have written in it. */
    bool is_unanswered;      /* Nobody has told yet what is known of us, and somebody may. */
    bool is_clone;           /* Found out in this boot: the node must stop. */
    bool was_restored;       /* Something was renewed that has to be saved. */
    uint64_t known_boot;     /* The greatest of ours that was ever heard of. */
    uint32_t alone_after_ms; /* So long it waits ... */
    uint64_t end_ms;         /* ... and so until then. */
    struct {
        uint32_t peer;
        bool has_answered;
        uint64_t have; /* What it holds of our author. */
        unsigned attempts;
        uint64_t due_ms;
    } asked[AMNESIA_ASKED_MAX];
    size_t asked_count;
};

struct gossip_node;
struct gossip_node_config;

/* Of a start: looks for evidence in what was loaded and in what stands beside the store, and begins
 * to wait where that is due. CLONED, IO, NOMEM. */
int amnesia_start(struct gossip_node *node, const struct gossip_node_config *config, bool is_new);

/* Whether own events may be written now. */
bool amnesia_may_write(const struct gossip_node *node);

/* Something tells that the store was set back. bit is of enum gossip_evidence. NOMEM. */
int amnesia_found(struct gossip_node *node, unsigned bit);

/* An epoch is opened, which answers all evidence, also what is still to come: the next start finds
 * none, and counts on from past all boots that can have been forgotten. NOMEM. */
int amnesia_answered(struct gossip_node *node);

/* Saves what the next start is to find: how the file is known, and what evidence there is. */
int amnesia_renew(struct gossip_node *node, unsigned evidence);

/* Another process writes under our key: says so, for this start and the next. NOMEM. */
int amnesia_clone(struct gossip_node *node);

/* Whether an answer of peer about our author is one to our question; if so, takes it in. */
bool amnesia_receive(struct gossip_node *node, uint32_t peer, const struct wire_hashes *hashes,
                     enum gossip_verdict *ret_verdict, int *ret_error);

/* What a peer shows of a greater boot of ours. */
enum gossip_verdict amnesia_receive_boot(struct gossip_node *node, uint32_t peer,
                                         struct wire_bytes boot, int *ret_error);

/* There is room again for what peers tell: the wait begins anew. */
void amnesia_freed(struct gossip_node *node);

int amnesia_time(struct gossip_node *node);
uint64_t amnesia_deadline(const struct gossip_node *node);

#endif
