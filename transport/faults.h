/*
 * Faults on purpose: a transport around another that loses, delays and doubles datagrams, by peer
 * and direction. Nothing happens until it is told what. It is for experiments; the library has none
 * of it.
 */
#ifndef TRANSPORT_FAULTS_H
#define TRANSPORT_FAULTS_H

#include "gossip/transport.h"

#include <stdbool.h>

enum {
    FAULTS_MAX = 256,           /* Of one transport. */
    FAULTS_ON_THEIR_WAY = 4096, /* Datagrams that wait, at most: 5 MiB. What comes then is lost. */
    FAULTS_TIME_MAX_MS = 60000,
};

/* What happens to the datagrams of some peers, each by itself. Chances are in millionths. */
struct fault {
    bool is_any_peer;
    struct gossip_address peer; /* Unless it is any; port 0 stands for all of its ports. */
    bool is_in;                 /* What comes from it. */
    bool is_out;                /* What goes to it. */
    bool is_cut;                /* Nothing passes, nor does what is on its way. */
    uint32_t loss_ppm;
    uint32_t duplicate_ppm; /* A second one comes, with a delay of its own. */
    uint32_t latency_ms;
    uint32_t jitter_ms; /* Up to so much more. */
};

struct faults_stats {
    uint64_t cut;
    uint64_t lost; /* By chance. */
    uint64_t duplicated;
    uint64_t delayed;
    uint64_t overflowed; /* Lost, as too many were on their way, or for want of memory. */
};

/* Puts a transport around inner, which then is its to close, as close() of *ret_transport does.
 * time is lent. IO, NOMEM: then inner stays the caller's. */
int faults_open(struct gossip_transport *inner, struct gossip_time *time,
                struct gossip_transport **ret_transport);

/* What happens from now on, in place of what was said before: of several that fit a datagram, the
 * first. At most FAULTS_MAX, asserted. */
void faults_set(struct gossip_transport *transport, const struct fault *faults, size_t count);

void faults_stats(const struct gossip_transport *transport, struct faults_stats *ret_stats);

#endif
