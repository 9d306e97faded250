/*
 * A small network for tests: nodes over memory stores, virtual time, and datagrams that arrive when
 * and if the test says. Everything grows from one seed.
 */
#ifndef TESTS_NET_H
#define TESTS_NET_H

#include "gossip/gossip.h"

enum { NET_NODES_MAX = 64 };

struct net;

struct net_options {
    uint64_t seed;
    unsigned nodes;
    uint32_t period_ms; /* Default 1000. */
    uint64_t latency_ms_min;
    uint64_t latency_ms_max;
    unsigned loss_percent;
    unsigned duplicate_percent;
    bool unconnected;      /* Nobody is told of anybody. */
    const char *directory; /* Unless NULL, stores are SQLite files in there. */
};

/* Nodes n1, n2 ...; all but the first join the first. Aborts the test on failure. */
struct net *net_create(const struct net_options *options);
void net_destroy(struct net *net);

struct gossip *net_node(struct net *net, unsigned node);
struct gossip_store *net_store(struct net *net, unsigned node); /* Itself, not what may fail. */
const struct gossip_identity *net_identity(struct net *net, unsigned node);
const struct gossip_cluster *net_cluster(struct net *net);
struct gossip_address net_address(unsigned node);
uint64_t net_now(const struct net *net);
uint64_t net_random(struct net *net, uint64_t bound);

/* Lets virtual time pass. */
void net_run(struct net *net, uint64_t ms);

/* Lets time pass until check holds; whether it did within ms. */
typedef bool net_check(struct net *net);
bool net_run_until(struct net *net, net_check *check, uint64_t ms);
bool net_agrees(struct net *net);  /* All running nodes have equal clocks, by author id. */
bool net_in_step(struct net *net); /* And all have told each other so. */

/* Publishes and lets no time pass; returns the seq. */
uint64_t net_publish(struct net *net, unsigned node, const char *text);

/* Kills node at once (nothing but its store stays), or starts it again. */
void net_kill(struct net *net, unsigned node);
void net_start(struct net *net, unsigned node);

/* Whether datagrams pass from one to the other. All do at first. */
void net_cut(struct net *net, unsigned from, unsigned to, bool is_cut);
void net_split(struct net *net, unsigned first_of_second_part);
void net_heal(struct net *net);

/* From now on the saves of node fail with error, after some that do not; 0 ends it. */
void net_fail_saves(struct net *net, unsigned node, int error, unsigned after);

/* How many saves of node have been tried. */
unsigned net_saves(struct net *net, unsigned node);

/* How much a node's wall clock is off, in milliseconds. */
void net_skew(struct net *net, unsigned node, int64_t ms);

/* Called with each datagram sent, also those that are lost; returns whether it is to be lost. */
typedef bool net_tap(void *context, unsigned from, unsigned to, const uint8_t *data, size_t size);
void net_set_tap(struct net *net, net_tap *tap, void *context);

/* Delivers a datagram to node, as if from address, at once. */
void net_inject(struct net *net, unsigned node, const struct gossip_address *from,
                const uint8_t *data, size_t size);

/* The number that node has given to the author as which other publishes, or UINT32_MAX. */
uint32_t net_author(struct net *net, unsigned node, unsigned other);

/* The clock of an event or of a node, as "{n1:3 n2:1}"; lent until the next call. */
const char *net_clock_text(struct net *net, unsigned node, const struct gossip_vclock *clock);
const char *net_have_text(struct net *net, unsigned node);

/* Prints where a node stands, for a person who looks for the reason of a failure. */
void net_print(struct net *net, unsigned node);

/* The clock of event other:seq as node shows it. */
const char *net_event_clock(struct net *net, unsigned node, unsigned other, uint64_t seq);
enum gossip_relation net_relation(struct net *net, unsigned node, unsigned a, uint64_t a_seq,
                                  unsigned b, uint64_t b_seq);

/* All payloads in displayed order, joined by spaces; lent until the next call. */
const char *net_log_text(struct net *net, unsigned node);

/* Payloads in delivery order since the last call. */
const char *net_delivered_text(struct net *net, unsigned node);

#endif
