/*
 * The checker: judges every step of a world against what the world itself has seen, never against
 * the clocks under test. docs/testing.md names the invariants.
 *
 * It is told of every save, start, end, datagram, result and delivery, and keeps its own record of
 * them: what each disk holds for certain, what each node has shown to anybody, and which deliveries
 * preceded each creation. The first violation is kept, with its witness; nothing after it counts.
 */
#ifndef GOSSIP_LAB_CHECKER_H
#define GOSSIP_LAB_CHECKER_H

#include "cmd/lab/history.h"
#include "gossip/gossip.h"
#include "gossip/splitmix.h"

enum invariant {
    INVARIANT_NONE,
    INVARIANT_NO_REUSE,  /* I1 One dot has one content among all bytes ever sent. */
    INVARIANT_DURABLE,   /* I2 Nothing is shown that the disk would forget. */
    INVARIANT_MONOTONIC, /* I3 Own seq, clock entries, boots and stamps never go back. */
    INVARIANT_CAUSAL,    /* I4 VC(a) < VC(b) exactly when a happened before b. */
    INVARIANT_CLOSED,    /* I5 Delivery is closed under causes, at each node, in order. */
    INVARIANT_AGREEMENT, /* I6 After healing all agree, within a bounded time, and fall quiet. */
    INVARIANT_BYTES,     /* I7 Every event is stored and sent as its author wrote it. */
    INVARIANT_BOUNDS,    /* I8 No crash, no spin, and everything is bounded. */
    INVARIANT_ORDER,     /* I9 What is accepted does not depend on the order of arrival. */
    INVARIANTS,
};

/* "no-reuse" ... and "I1" ...; never NULL. */
const char *invariant_name(enum invariant invariant);
const char *invariant_letter(enum invariant invariant);

/* From either; INVARIANT_NONE if it is neither. */
enum invariant invariant_from_name(const char *name);

enum { WITNESS_MAX = 8192 };

struct violation {
    enum invariant invariant; /* NONE: none was found. */
    uint64_t time_ms;
    char witness[WITNESS_MAX]; /* Lines for a person: what, where, and what was seen. */
};

struct checker_stats {
    uint64_t checks; /* Single comparisons that could have failed. */
    uint64_t events;
    uint64_t deliveries; /* Events saved as delivered, at all nodes. */
    uint64_t popped;     /* Events shown to the application. */
    uint64_t pairs;
    uint64_t pairs_exact;
    uint64_t datagrams;
    uint64_t boxes;    /* Of those, opened and read. */
    uint64_t claims;   /* Entries of digests compared with the disk. */
    uint64_t streamed; /* Bytes of events in datagrams, compared with what their author wrote. */
    uint64_t restarts; /* Stores compared with the record at a start. */
    uint64_t set_back_seen;   /* Of those, set back so that it shows, */
    uint64_t set_back_unseen; /* and so that it may not. */
    uint64_t epochs;          /* Opened after the first of a node. */
    uint64_t forks;           /* Dots given a second content by a node that could not know. */
    uint64_t cuts;            /* Saved, at all nodes. */
    uint64_t contested;       /* Events delivered and then cut off, at all nodes. */
    uint64_t reissued;        /* Events that issue again what was cut off. */
    uint64_t excused;         /* Causes behind a cut that a delivery did without. */
    uint64_t unknown;         /* Of those, after a save whose outcome was unknown ... */
    uint64_t returned;        /* ... that had come to pass. */
    uint64_t relations;
};

struct checker;

/* node_max: nodes are numbered below it. Identities are told by checker_add_node(). */
struct checker *checker_create(const struct gossip_crypto *crypto, uint64_t seed,
                               unsigned node_max);
void checker_destroy(struct checker *checker);

/* identity is lent for the life of the checker. Of several nodes of one identity the first is
 * called the owner of what they write. */
void checker_add_node(struct checker *checker, unsigned node,
                      const struct gossip_identity *identity);

/* The disk of node has become a copy of that of other, which is down. */
void checker_cloned(struct checker *checker, unsigned node, unsigned other);

/* node, which is down, never starts again: what it alone has is with nobody. */
void checker_put_away(struct checker *checker, unsigned node);

/* Another reason for node to open an epoch: somebody has told it that it is, or has, a copy. */
void checker_allow_epoch(struct checker *checker, unsigned node);

/* An eviction has been issued: the record as it was signed. */
void checker_evicted(struct checker *checker, const uint8_t *bytes, size_t size);

void checker_set_time(struct checker *checker, uint64_t time_ms);

/* What was done to a disk since the node's last process. */
enum checker_disk {
    CHECKER_AS_IT_WAS,
    CHECKER_SET_BACK_SEEN,   /* Made older on purpose, so that the node can tell: it opens a new
                                epoch before its next event, and never gives a dot two contents. */
    CHECKER_SET_BACK_UNSEEN, /* So that only peers could tell it. */
    CHECKER_REBUILT,         /* Of what could be verified, in another order; it shows. */
};

/* What a node's process is about to start from. Compares all that is stored with the record, and
 * settles what was unknown; where the disk was set back the record follows it. Where the store
 * cannot be read its error is returned, and nothing is settled. */
int checker_started(struct checker *checker, unsigned node, struct gossip_store *store,
                    enum checker_disk disk);
void checker_ended(struct checker *checker, unsigned node);

/* What the wall clock of a node shows; it is told before each save. */
void checker_set_wall(struct checker *checker, unsigned node, uint64_t wall_ms);

/* A save has returned result. is_durable tells whether the disk would keep all of it in a crash. */
void checker_saved(struct checker *checker, unsigned node, const struct gossip_record *records,
                   size_t count, int result, bool is_durable);

/* A node sends a datagram; to is the node at its address, or UINT_MAX. */
void checker_sent(struct checker *checker, unsigned from, unsigned to,
                  const struct gossip_datagram *datagram);

/* A node has run, and the application has taken all that there was: its clock, its bounds, and that
 * nothing was kept from it. */
void checker_stepped(struct checker *checker, unsigned node, struct gossip *gossip);

/* What became of a publication, and what was to be published. */
void checker_result(struct checker *checker, unsigned node, const struct gossip_result *result,
                    const void *payload, size_t size);
void checker_notice(struct checker *checker, unsigned node, const struct gossip_notice *notice);

/* A node's queue of deliveries continues after this number; and it has shown event. */
void checker_cursor(struct checker *checker, unsigned node, uint64_t after);
void checker_popped(struct checker *checker, unsigned node, const struct gossip_event *event);

/* Everything that can be asked of a running node: every stored byte against the record, every
 * clock, relations of sampled pairs. */
void checker_examine(struct checker *checker, unsigned node, struct gossip *gossip,
                     struct gossip_store *store);

/* One event of a node that holds any, and its author, as the node shows them when asked. */
void checker_ask(struct checker *checker, unsigned node, struct gossip *gossip);

/* The node's own verification of all that it holds: hashes, seals, contexts. */
void checker_verify(struct checker *checker, unsigned node, struct gossip *gossip);

/* The displayed order of a running node: every event once, and of those whose causes were shown
 * always the one with the least stamp and author. */
void checker_read_log(struct checker *checker, unsigned node, struct gossip *gossip);

/* Whether all these nodes hold the same chain of every author, as far as it counts, have cut it at
 * the same seq, and hold all of it where its disk was never set back nor its key evicted. */
bool checker_agree(const struct checker *checker, const unsigned *nodes, size_t count);

/* Says which of them lacks what, one line each. */
void checker_disagreement(const struct checker *checker, const unsigned *nodes, size_t count,
                          char *ret_text, size_t size);

/* Once all these nodes agree: each event that is behind the cut of a fork, held by any of them and
 * written by one of them that can still write, has been issued again, once. */
void checker_reissues(struct checker *checker, const unsigned *nodes, size_t count);

/* Reports a violation that somebody else has seen; the first one counts. */
void checker_report(struct checker *checker, enum invariant invariant, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

const struct violation *checker_violation(const struct checker *checker);
void checker_stats(const struct checker *checker, struct checker_stats *ret_stats);
const struct history *checker_history(const struct checker *checker);

/* How many events node holds; it is up or down. */
uint64_t checker_held(const struct checker *checker, unsigned node);

#endif
