/*
 * A virtual network: transports whose datagrams travel in virtual time, and what links do to them.
 *
 * A host is a machine, by number; it has at most one open transport at a time, at an address that
 * may be another each time. A link leads from one host to another, in one direction. Everything
 * that happens depends on the seed and on the order of calls. Nothing here waits: time passes when
 * virtual_network_advance() says so.
 */
#ifndef GOSSIP_TRANSPORT_VIRTUAL_H
#define GOSSIP_TRANSPORT_VIRTUAL_H

#include "gossip/transport.h"

#include <stdbool.h>

/* What a link does, to each datagram alone unless said otherwise. Chances are in millionths. All
 * zero is a perfect link. Whether a datagram passes at all (cut, flap, burst, loss, queue, in this
 * order) is decided once; what happens on the way is drawn for each of its copies. A fault with one
 * of its values 0 is off, and draws nothing: it leaves the rest of a run as it was. */
struct virtual_link {
    uint32_t latency_ms; /* What every datagram takes ... */
    uint32_t jitter_ms;  /* ... and up to so much more, each time alike ... */
    uint32_t tail_ppm;   /* ... and at this chance the tail: each further tail_ms at half ... */
    uint32_t tail_ms;    /* ... the chance of the one before, at most ten of them. */
    uint32_t loss_ppm;
    uint32_t burst_ppm; /* A burst of loss begins: for up to burst_ms everything is lost. */
    uint32_t burst_ms;
    uint32_t duplicate_ppm; /* Up to duplicate_max more copies come, each with its own latency. */
    uint32_t duplicate_max; /* 0 means 1. */
    uint32_t reorder_ppm;   /* Held up for up to reorder_ms, so that later ones overtake it. */
    uint32_t reorder_ms;
    uint32_t corrupt_ppm;  /* 1 to 8 bits are flipped, or 1 to 8 bytes overwritten, anywhere. */
    uint32_t truncate_ppm; /* It ends early, anywhere, or bytes follow that were not sent. */
    uint32_t bandwidth;    /* Bytes a second; what comes faster queues. 0: no bound. */
    uint32_t queue_size;   /* Bytes that have not left yet, at most; the rest is lost, but for what
                              finds the link idle. 0 means 65536. */
    uint32_t flap_up_ms;   /* If not 0: up for so long, then ... */
    uint32_t flap_down_ms; /* ... down for so long, and so on, from when the link was set. */
    bool is_cut;           /* Nothing passes. What is on its way arrives. */
};

/* What has been done, by kind. */
struct virtual_network_stats {
    uint64_t sent;
    uint64_t delivered; /* Copies that came to an open transport, and what was injected. */
    uint64_t astray;    /* Nobody was at that address (any more). */
    uint64_t lost;      /* By a link's chance, or because the tap said so. */
    uint64_t lost_in_bursts;
    uint64_t lost_in_cuts;  /* At links that are cut. */
    uint64_t lost_in_flaps; /* At links that are down for a while. */
    uint64_t lost_in_queues;
    uint64_t duplicated; /* Copies made. */
    uint64_t reordered;
    uint64_t corrupted;
    uint64_t truncated;
    uint64_t delayed_by_tail;
    uint64_t queued; /* Datagrams that waited for bandwidth. */
};

struct virtual_network;

/* host_max: hosts are numbered below it. NULL when there is no memory. */
struct virtual_network *virtual_network_create(uint64_t seed, unsigned host_max);

/* Frees the network; transports of it must have been closed. NULL is allowed. */
void virtual_network_destroy(struct virtual_network *network);

/* Gives host a transport at address, which nobody else has (asserted), nor may host have another.
 * Its close drops what waits in the inbox, and what arrives afterwards goes astray. The address is
 * the host's until it opens at another or another host opens there: until then datagrams to it
 * still travel, and those that arrive once it is open again are delivered. NULL when there is no
 * memory. */
struct gossip_transport *virtual_network_open(struct virtual_network *network, unsigned host,
                                              const struct gossip_address *address);

/* What all links do that were not set themselves. Perfect at first. */
void virtual_network_set_default(struct virtual_network *network, const struct virtual_link *link);

/* What the link between two hosts does from now on; NULL: as the default again. It begins anew:
 * its queue is empty, and it is in no burst. False, and nothing changed, when there is no memory.
 */
bool virtual_network_set_link(struct virtual_network *network, unsigned from, unsigned to,
                              const struct virtual_link *link);
struct virtual_link virtual_network_link(const struct virtual_network *network, unsigned from,
                                         unsigned to);

/* Hosts in different parts do not hear each other, whatever their links do. All are in part 0 at
 * first. Counted as cuts. */
void virtual_network_set_part(struct virtual_network *network, unsigned host, unsigned part);

/* When the next datagram arrives; UINT64_MAX: none is on its way. */
uint64_t virtual_network_due(const struct virtual_network *network);

/* Lets time pass until now_ms, never backwards: what is due moves to the inboxes of its hosts, in
 * the order of arrival, and of datagrams that arrive at once in the order sent. */
void virtual_network_advance(struct virtual_network *network, uint64_t now_ms);

/* Takes, one by one and each once, the hosts whose inboxes have filled since, in that order, unless
 * they are empty again; false: no more. */
bool virtual_network_take_woken(struct virtual_network *network, unsigned *ret_host);

/* How many datagrams wait in the inbox of host. */
size_t virtual_network_waiting(const struct virtual_network *network, unsigned host);

/* Called with each datagram as it is sent, before anything happens to it; to is the host whose
 * address it is, or UINT_MAX. Returns whether it is to be lost. */
typedef bool virtual_network_tap(void *context, unsigned from, unsigned to,
                                 const struct gossip_datagram *datagram);
void virtual_network_set_tap(struct virtual_network *network, virtual_network_tap *tap,
                             void *context);

/* Puts a datagram into the inbox of host, as if from address, now; astray if its transport is
 * closed. False when there is no memory. */
bool virtual_network_inject(struct virtual_network *network, unsigned host,
                            const struct gossip_address *from, const uint8_t *data, size_t size);

/* Where allocation fails inside a send the datagram, or its copy, is lost; this tells how often. */
uint64_t virtual_network_failures(const struct virtual_network *network);

void virtual_network_stats(const struct virtual_network *network,
                           struct virtual_network_stats *ret_stats);

#endif
