#include "transport/virtual.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/splitmix.h"
#include "transport/virtual_flights.h"
#include "transport/virtual_links.h"

enum {
    TAIL_MAX = 10,
    FLIPS_MAX = 8,
    OVERWRITTEN_MAX = 8,
    QUEUE_DEFAULT = 65536,
    SLOTS_MIN = 16,
    NOBODY = -1,
};

struct virtual_transport {
    struct gossip_transport base;
    struct virtual_network *network;
    unsigned host;
    struct gossip_address address;
    struct gossip_transport_stats stats;
    struct flights inbox;
    struct flights lent;
};

struct host {
    struct virtual_transport *transport; /* NULL: none is open. */
    struct gossip_address address;       /* Its own or, if closed, its last; port 0: none. */
    unsigned part;
    bool is_woken;
};

struct virtual_network {
    struct splitmix lots;
    uint64_t now_ms;
    struct virtual_network_stats stats;
    uint64_t failures;

    struct host *hosts;
    unsigned host_max;
    int *addresses; /* A hash table of hosts by their addresses, at most half full. */
    size_t address_slots;
    unsigned *woken; /* A ring; a host is in it at most once. */
    unsigned woken_first;
    unsigned woken_count;

    struct sky sky;
    struct links links;

    virtual_network_tap *tap;
    void *tap_context;
};

static uint64_t mix(uint64_t value)
{
    struct splitmix once = {value};

    return splitmix_next(&once);
}

static bool addresses_equal(const struct gossip_address *a, const struct gossip_address *b)
{
    return a->port == b->port && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

/* Where in the table the address stands, or would. */
static size_t address_slot(const struct virtual_network *network,
                           const struct gossip_address *address)
{
    uint64_t halves[2];
    size_t slot;

    memcpy(halves, address->ip, sizeof(halves));
    slot = (size_t)mix(mix(mix(halves[0]) ^ halves[1]) ^ address->port);
    for (;; slot++) {
        int host = network->addresses[slot & (network->address_slots - 1)];

        if (host == NOBODY || addresses_equal(&network->hosts[host].address, address))
            return slot & (network->address_slots - 1);
    }
}

/* Whose address it is or was last, or NOBODY. */
static int host_at(const struct virtual_network *network, const struct gossip_address *address)
{
    return network->addresses[address_slot(network, address)];
}

/* From then on it is host's alone. Moves are rare, so the table is just made again. */
static void give_address(struct virtual_network *network, unsigned host,
                         const struct gossip_address *address)
{
    int other = host_at(network, address);

    if (other == (int)host)
        return;
    if (other != NOBODY) {
        assert(network->hosts[other].transport == NULL); /* Nobody else has it. */
        network->hosts[other].address.port = 0;
    }
    if (other == NOBODY && network->hosts[host].address.port == 0) {
        network->addresses[address_slot(network, address)] = (int)host;
        network->hosts[host].address = *address;
        return;
    }
    network->hosts[host].address = *address;
    for (size_t i = 0; i < network->address_slots; i++)
        network->addresses[i] = NOBODY;
    for (unsigned i = 0; i < network->host_max; i++) {
        if (network->hosts[i].address.port != 0)
            network->addresses[address_slot(network, &network->hosts[i].address)] = (int)i;
    }
}

static void deliver(struct virtual_network *network, unsigned number, struct flight *flight)
{
    struct host *host = &network->hosts[number];

    flights_append(&host->transport->inbox, flight);
    network->stats.delivered++;
    if (!host->is_woken) {
        host->is_woken = true;
        network->woken[(network->woken_first + network->woken_count++) % network->host_max] =
            number;
    }
}

/* Faults. Each that is off draws nothing. */

static bool is_down(const struct virtual_network *network, const struct link *link)
{
    uint64_t up_ms = link->does.flap_up_ms;
    uint64_t down_ms = link->does.flap_down_ms;

    return up_ms > 0 && (network->now_ms - link->set_ms) % (up_ms + down_ms) >= up_ms;
}

static bool is_in_burst(struct virtual_network *network, struct link *link)
{
    if (link->does.burst_ms == 0)
        return false;
    if (network->now_ms < link->burst_end_ms)
        return true;
    if (!splitmix_happens(&network->lots, link->does.burst_ppm))
        return false;
    link->burst_end_ms = network->now_ms + splitmix_between(&network->lots, 1, link->does.burst_ms);
    return true;
}

/* Whether the queue before the link takes size bytes; then, when the last of them will have left.
 * What finds the link free does not queue, however long it is. */
static bool enqueue(struct virtual_network *network, struct link *link, size_t size,
                    uint64_t *ret_wait_ms)
{
    uint64_t bandwidth = link->does.bandwidth;
    uint64_t queue_size = link->does.queue_size == 0 ? QUEUE_DEFAULT : link->does.queue_size;
    uint64_t passed_ms = network->now_ms - link->backlog_ms;

    if (bandwidth == 0) {
        *ret_wait_ms = 0;
        return true;
    }
    link->backlog_ms = network->now_ms;
    link->backlog -= passed_ms > link->backlog / bandwidth ? link->backlog : passed_ms * bandwidth;
    if (link->backlog > 0) {
        if (link->backlog + size * 1000 > queue_size * 1000)
            return false;
        network->stats.queued++;
    }
    link->backlog += size * 1000;
    *ret_wait_ms = (link->backlog + bandwidth - 1) / bandwidth;
    return true;
}

/* Whether the link takes a datagram, and how long that takes. */
static bool enter(struct virtual_network *network, struct link *link, size_t size,
                  uint64_t *ret_wait_ms)
{
    struct virtual_network_stats *stats = &network->stats;
    uint64_t *counter = NULL;

    if (link->does.is_cut)
        counter = &stats->lost_in_cuts;
    else if (is_down(network, link))
        counter = &stats->lost_in_flaps;
    else if (is_in_burst(network, link))
        counter = &stats->lost_in_bursts;
    else if (splitmix_happens(&network->lots, link->does.loss_ppm))
        counter = &stats->lost;
    else if (!enqueue(network, link, size, ret_wait_ms))
        counter = &stats->lost_in_queues;
    if (counter == NULL)
        return true;
    (*counter)++;
    return false;
}

/* How many times tail_ms: once, and each more at half the chance. */
static unsigned draw_tail(struct splitmix *lots)
{
    uint64_t coins = splitmix_next(lots);
    unsigned count = 1;

    while (count < TAIL_MAX && (coins & 1) == 1) {
        coins >>= 1;
        count++;
    }
    return count;
}

static uint64_t draw_delay(struct virtual_network *network, const struct virtual_link *does)
{
    struct splitmix *lots = &network->lots;
    uint64_t delay_ms = does->latency_ms;

    if (does->jitter_ms > 0)
        delay_ms += splitmix_between(lots, 0, does->jitter_ms);
    if (does->tail_ms > 0 && splitmix_happens(lots, does->tail_ppm)) {
        delay_ms += (uint64_t)draw_tail(lots) * does->tail_ms;
        network->stats.delayed_by_tail++;
    }
    if (does->reorder_ms > 0 && splitmix_happens(lots, does->reorder_ppm)) {
        delay_ms += splitmix_between(lots, 1, does->reorder_ms);
        network->stats.reordered++;
    }
    return delay_ms;
}

static void truncate_or_extend(struct splitmix *lots, struct flight *flight)
{
    bool ends_early = splitmix_below(lots, 2) == 0;
    size_t size;

    if (flight->size == 0)
        ends_early = false;
    if (flight->size == FLIGHT_SIZE_MAX)
        ends_early = true;
    if (ends_early) {
        flight->size = (size_t)splitmix_below(lots, flight->size);
        return;
    }
    size = (size_t)splitmix_between(lots, flight->size + 1, FLIGHT_SIZE_MAX);
    while (flight->size < size) {
        uint64_t bytes = splitmix_next(lots);

        for (unsigned i = 0; i < 8 && flight->size < size; i++)
            flight->data[flight->size++] = (uint8_t)(bytes >> 8 * i);
    }
}

/* A bit is not flipped back. */
static void flip_bits(struct splitmix *lots, struct flight *flight)
{
    uint64_t flipped[FLIPS_MAX];
    uint64_t count = splitmix_between(lots, 1, FLIPS_MAX);

    for (uint64_t i = 0; i < count; i++) {
        uint64_t bit = splitmix_below(lots, 8 * flight->size);
        bool again = false;

        for (uint64_t j = 0; j < i; j++)
            again = again || flipped[j] == bit;
        flipped[i] = bit;
        if (!again)
            flight->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void overwrite(struct splitmix *lots, struct flight *flight)
{
    uint64_t count = splitmix_between(lots, 1, OVERWRITTEN_MAX);
    uint64_t first = splitmix_below(lots, flight->size);

    for (uint64_t i = first; i < first + count && i < flight->size; i++)
        flight->data[i] ^= (uint8_t)splitmix_between(lots, 1, UINT8_MAX);
}

/* What is left after truncation is altered in any case. */
static void damage(struct virtual_network *network, const struct virtual_link *does,
                   struct flight *flight)
{
    struct splitmix *lots = &network->lots;

    if (splitmix_happens(lots, does->truncate_ppm)) {
        truncate_or_extend(lots, flight);
        network->stats.truncated++;
    }
    if (splitmix_happens(lots, does->corrupt_ppm) && flight->size > 0) {
        if (splitmix_below(lots, 2) == 0)
            flip_bits(lots, flight);
        else
            overwrite(lots, flight);
        network->stats.corrupted++;
    }
}

static void fill(struct flight *flight, const struct gossip_address *from,
                 const struct gossip_address *to, const uint8_t *data, size_t size)
{
    flight->from = *from;
    flight->to = *to;
    flight->size = size < FLIGHT_SIZE_MAX ? size : FLIGHT_SIZE_MAX;
    if (flight->size > 0)
        memcpy(flight->data, data, flight->size);
}

static void fly(struct virtual_network *network, const struct virtual_link *does,
                const struct gossip_address *from, const struct gossip_datagram *datagram,
                uint64_t wait_ms)
{
    struct flight *flight = sky_get(&network->sky);

    if (flight == NULL) {
        network->failures++;
        return;
    }
    fill(flight, from, &datagram->address, datagram->data, datagram->size);
    damage(network, does, flight);
    sky_depart(&network->sky, flight, network->now_ms + wait_ms + draw_delay(network, does));
}

static void travel(struct virtual_network *network, struct virtual_transport *from, unsigned to,
                   const struct gossip_datagram *datagram)
{
    struct link *link;
    uint64_t wait_ms;
    uint64_t more = 0;

    if (network->hosts[from->host].part != network->hosts[to].part) {
        network->stats.lost_in_cuts++;
        return;
    }
    link = links_use(&network->links, from->host, to);
    if (link == NULL) {
        network->failures++;
        return;
    }
    if (!enter(network, link, datagram->size, &wait_ms))
        return;
    if (splitmix_happens(&network->lots, link->does.duplicate_ppm)) {
        uint32_t most = link->does.duplicate_max == 0 ? 1 : link->does.duplicate_max;

        more = splitmix_between(&network->lots, 1, most);
    }
    network->stats.duplicated += more;
    for (uint64_t i = 0; i <= more; i++)
        fly(network, &link->does, &from->address, datagram, wait_ms);
}

static int virtual_poll_fd(struct gossip_transport *transport)
{
    (void)transport;
    return -1;
}

static int virtual_receive(struct gossip_transport *transport,
                           struct gossip_datagram *ret_datagrams, size_t capacity)
{
    struct virtual_transport *virtual = (struct virtual_transport *)transport;
    int count = 0;

    sky_put_all(&virtual->network->sky, &virtual->lent);
    while (virtual->inbox.count > 0 && count < INT_MAX && (size_t)count < capacity) {
        struct flight *flight = flights_take(&virtual->inbox);

        flights_append(&virtual->lent, flight);
        ret_datagrams[count++] = (struct gossip_datagram){flight->from, flight->data, flight->size};
        virtual->stats.received++;
        virtual->stats.received_bytes += flight->size;
    }
    return count;
}

static void virtual_send(struct gossip_transport *transport,
                         const struct gossip_datagram *datagrams, size_t count)
{
    struct virtual_transport *virtual = (struct virtual_transport *)transport;
    struct virtual_network *network = virtual->network;

    for (size_t i = 0; i < count; i++) {
        int to;

        if (datagrams[i].address.port == 0) {
            virtual->stats.send_failed++;
            continue;
        }
        virtual->stats.sent++;
        virtual->stats.sent_bytes += datagrams[i].size;
        network->stats.sent++;
        to = host_at(network, &datagrams[i].address);
        if (network->tap != NULL &&
            network->tap(network->tap_context, virtual->host,
                         to == NOBODY ? UINT_MAX : (unsigned)to, &datagrams[i]))
            network->stats.lost++;
        else if (to == NOBODY)
            network->stats.astray++;
        else
            travel(network, virtual, (unsigned)to, &datagrams[i]);
    }
}

static void virtual_address(struct gossip_transport *transport, struct gossip_address *ret_address)
{
    *ret_address = ((struct virtual_transport *)transport)->address;
}

static void virtual_stats(struct gossip_transport *transport,
                          struct gossip_transport_stats *ret_stats)
{
    *ret_stats = ((struct virtual_transport *)transport)->stats;
}

static void virtual_close(struct gossip_transport *transport)
{
    struct virtual_transport *virtual = (struct virtual_transport *)transport;

    sky_put_all(&virtual->network->sky, &virtual->inbox);
    sky_put_all(&virtual->network->sky, &virtual->lent);
    virtual->network->hosts[virtual->host].transport = NULL;
    free(virtual);
}

static const struct gossip_transport_ops virtual_ops = {
    .poll_fd = virtual_poll_fd,
    .receive = virtual_receive,
    .send = virtual_send,
    .address = virtual_address,
    .stats = virtual_stats,
    .close = virtual_close,
};

struct virtual_network *virtual_network_create(uint64_t seed, unsigned host_max)
{
    struct virtual_network *network = calloc(1, sizeof(*network));

    assert(host_max >= 1 && host_max <= INT_MAX);
    if (network == NULL)
        return NULL;
    network->lots.state = seed;
    network->host_max = host_max;
    network->address_slots = SLOTS_MIN;
    while (network->address_slots < 2 * (size_t)host_max)
        network->address_slots *= 2;
    network->hosts = calloc(host_max, sizeof(*network->hosts));
    network->woken = calloc(host_max, sizeof(*network->woken));
    network->addresses = calloc(network->address_slots, sizeof(*network->addresses));
    if (network->hosts == NULL || network->woken == NULL || network->addresses == NULL) {
        virtual_network_destroy(network);
        return NULL;
    }
    for (size_t i = 0; i < network->address_slots; i++)
        network->addresses[i] = NOBODY;
    return network;
}

void virtual_network_destroy(struct virtual_network *network)
{
    if (network == NULL)
        return;
    for (unsigned i = 0; network->hosts != NULL && i < network->host_max; i++)
        assert(network->hosts[i].transport == NULL);
    sky_clear(&network->sky);
    links_clear(&network->links);
    free(network->addresses);
    free(network->woken);
    free(network->hosts);
    free(network);
}

struct gossip_transport *virtual_network_open(struct virtual_network *network, unsigned host,
                                              const struct gossip_address *address)
{
    struct virtual_transport *virtual;

    assert(host < network->host_max && network->hosts[host].transport == NULL);
    assert(address->port != 0);
    virtual = calloc(1, sizeof(*virtual));
    if (virtual == NULL)
        return NULL;
    virtual->base.ops = &virtual_ops;
    virtual->network = network;
    virtual->host = host;
    virtual->address = *address;
    give_address(network, host, address);
    network->hosts[host].transport = virtual;
    return &virtual->base;
}

void virtual_network_set_default(struct virtual_network *network, const struct virtual_link *link)
{
    links_set_default(&network->links, link, network->now_ms);
}

bool virtual_network_set_link(struct virtual_network *network, unsigned from, unsigned to,
                              const struct virtual_link *link)
{
    assert(from < network->host_max && to < network->host_max);
    return links_set(&network->links, from, to, link, network->now_ms);
}

struct virtual_link virtual_network_link(const struct virtual_network *network, unsigned from,
                                         unsigned to)
{
    assert(from < network->host_max && to < network->host_max);
    return *links_get(&network->links, from, to);
}

void virtual_network_set_part(struct virtual_network *network, unsigned host, unsigned part)
{
    assert(host < network->host_max);
    network->hosts[host].part = part;
}

uint64_t virtual_network_due(const struct virtual_network *network)
{
    return sky_due(&network->sky);
}

void virtual_network_advance(struct virtual_network *network, uint64_t now_ms)
{
    assert(now_ms >= network->now_ms);
    network->now_ms = now_ms;
    while (network->sky.count > 0 && sky_due(&network->sky) <= now_ms) {
        struct flight *flight = sky_arrive(&network->sky);
        int host = host_at(network, &flight->to);

        if (host == NOBODY || network->hosts[host].transport == NULL) {
            sky_put(&network->sky, flight);
            network->stats.astray++;
        } else {
            deliver(network, (unsigned)host, flight);
        }
    }
}

bool virtual_network_take_woken(struct virtual_network *network, unsigned *ret_host)
{
    while (network->woken_count > 0) {
        unsigned host = network->woken[network->woken_first];

        network->woken_first = (network->woken_first + 1) % network->host_max;
        network->woken_count--;
        network->hosts[host].is_woken = false;
        if (virtual_network_waiting(network, host) > 0) {
            *ret_host = host;
            return true;
        }
    }
    return false;
}

size_t virtual_network_waiting(const struct virtual_network *network, unsigned host)
{
    assert(host < network->host_max);
    return network->hosts[host].transport == NULL ? 0 : network->hosts[host].transport->inbox.count;
}

void virtual_network_set_tap(struct virtual_network *network, virtual_network_tap *tap,
                             void *context)
{
    network->tap = tap;
    network->tap_context = context;
}

bool virtual_network_inject(struct virtual_network *network, unsigned host,
                            const struct gossip_address *from, const uint8_t *data, size_t size)
{
    struct flight *flight;

    assert(host < network->host_max);
    if (network->hosts[host].transport == NULL) {
        network->stats.astray++;
        return true;
    }
    flight = sky_get(&network->sky);
    if (flight == NULL)
        return false;
    fill(flight, from, &network->hosts[host].address, data, size);
    deliver(network, host, flight);
    return true;
}

uint64_t virtual_network_failures(const struct virtual_network *network)
{
    return network->failures;
}

void virtual_network_stats(const struct virtual_network *network,
                           struct virtual_network_stats *ret_stats)
{
    *ret_stats = network->stats;
}
