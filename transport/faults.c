#include "transport/faults.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "gossip/gossip.h"
#include "gossip/random.h"
#include "transport/virtual_flights.h"

enum { BATCH_MAX = 64, CHANCES = 1000000 };

/* To or from: a datagram that goes out has no sender, one that comes in no receiver. */
static const struct gossip_address nobody;

struct faults_transport {
    struct gossip_transport base;
    struct gossip_transport *inner;
    struct gossip_time *time;
    struct random_source random;
    struct fault faults[FAULTS_MAX];
    size_t count;
    struct sky sky;       /* What is on its way, in both directions. */
    struct flights shown; /* Lent until the next receive. */
    struct faults_stats stats;
    int poll;  /* Of the inner transport's descriptor and the timer. */
    int timer; /* That something arrives. */
};

static struct faults_transport *faults_of(const struct gossip_transport *transport)
{
    /* The first member; transports are never const themselves. */
    union {
        const struct gossip_transport *transport;
        struct faults_transport *faults;
    } same = {transport};

    return same.faults;
}

static uint64_t now_ms(const struct faults_transport *faults)
{
    return faults->time->ops->monotonic_ms(faults->time);
}

static bool is_peer(const struct fault *fault, const struct gossip_address *address)
{
    return fault->is_any_peer || (memcmp(fault->peer.ip, address->ip, sizeof(address->ip)) == 0 &&
                                  (fault->peer.port == 0 || fault->peer.port == address->port));
}

/* NULL: nothing happens to it. */
static const struct fault *find(const struct faults_transport *faults,
                                const struct gossip_address *peer, bool is_out)
{
    for (size_t i = 0; i < faults->count; i++) {
        const struct fault *fault = &faults->faults[i];

        if ((is_out ? fault->is_out : fault->is_in) && is_peer(fault, peer))
            return fault;
    }
    return NULL;
}

static bool happens(struct faults_transport *faults, uint32_t ppm)
{
    return ppm > 0 && random_below(&faults->random, CHANCES) < ppm;
}

/* Has the descriptor readable when the next of what is on its way arrives. */
static void set_timer(struct faults_transport *faults)
{
    uint64_t due_ms = sky_due(&faults->sky);
    uint64_t time_ms = now_ms(faults);
    struct itimerspec timer = {0};
    int result;

    if (due_ms != UINT64_MAX && due_ms <= time_ms) {
        timer.it_value.tv_nsec = 1; /* At once; 0 would be never. */
    } else if (due_ms != UINT64_MAX) {
        timer.it_value.tv_sec = (time_t)((due_ms - time_ms) / 1000);
        timer.it_value.tv_nsec = (long)((due_ms - time_ms) % 1000) * 1000000;
    }
    result = timerfd_settime(faults->timer, 0, &timer, NULL);
    assert(result == 0); /* It fails only for arguments that are wrong. */
    (void)result;
}

static void depart(struct faults_transport *faults, const struct fault *fault,
                   const struct gossip_datagram *datagram, bool is_out)
{
    uint64_t delay_ms = fault->latency_ms;
    struct flight *flight = NULL;

    if (fault->jitter_ms > 0)
        delay_ms += random_below(&faults->random, (uint64_t)fault->jitter_ms + 1);
    if (faults->sky.count < FAULTS_ON_THEIR_WAY)
        flight = sky_get(&faults->sky);
    if (flight == NULL) {
        faults->stats.overflowed++;
        return;
    }
    flight->from = is_out ? nobody : datagram->address;
    flight->to = is_out ? datagram->address : nobody;
    assert(datagram->size <= sizeof(flight->data));
    flight->size = datagram->size;
    memcpy(flight->data, datagram->data, datagram->size);
    if (delay_ms > 0)
        faults->stats.delayed++;
    sky_depart(&faults->sky, flight, now_ms(faults) + delay_ms);
}

/* Whether it passes right now, as if there were no faults. */
static bool passes(struct faults_transport *faults, const struct gossip_datagram *datagram,
                   bool is_out)
{
    const struct fault *fault = find(faults, &datagram->address, is_out);
    bool is_late;

    if (fault == NULL)
        return true;
    if (fault->is_cut) {
        faults->stats.cut++;
        return false;
    }
    if (happens(faults, fault->loss_ppm)) {
        faults->stats.lost++;
        return false;
    }
    is_late = fault->latency_ms > 0 || fault->jitter_ms > 0;
    if (happens(faults, fault->duplicate_ppm)) {
        faults->stats.duplicated++;
        depart(faults, fault, datagram, is_out);
    }
    if (is_late)
        depart(faults, fault, datagram, is_out);
    return !is_late;
}

static bool is_out(const struct flight *flight)
{
    return flight->from.port == 0;
}

/* Takes what is due: what goes out is sent, what comes in is shown, up to capacity. */
static size_t arrive(struct faults_transport *faults, struct gossip_datagram *ret_datagrams,
                     size_t capacity)
{
    size_t count = 0;

    while (count < capacity && sky_due(&faults->sky) <= now_ms(faults)) {
        struct flight *flight = sky_arrive(&faults->sky);
        struct gossip_datagram datagram = {is_out(flight) ? flight->to : flight->from, flight->data,
                                           flight->size};
        const struct fault *fault = find(faults, &datagram.address, is_out(flight));

        if (fault != NULL && fault->is_cut) {
            faults->stats.cut++;
            sky_put(&faults->sky, flight);
        } else if (is_out(flight)) {
            faults->inner->ops->send(faults->inner, &datagram, 1);
            sky_put(&faults->sky, flight);
        } else {
            flights_append(&faults->shown, flight);
            ret_datagrams[count++] = datagram;
        }
    }
    return count;
}

static int faults_poll_fd(struct gossip_transport *transport)
{
    return faults_of(transport)->poll;
}

/* What is late comes before what has just come: both by their times. */
static int faults_receive(struct gossip_transport *transport, struct gossip_datagram *ret_datagrams,
                          size_t capacity)
{
    struct faults_transport *faults = faults_of(transport);
    size_t shown;
    int count = 1;

    if (capacity == 0)
        return 0;
    sky_put_all(&faults->sky, &faults->shown);
    shown = arrive(faults, ret_datagrams, capacity);
    /* Once something of the inner transport is shown, it may not be asked again. */
    while (shown < capacity && count > 0) {
        size_t before = shown;

        count = faults->inner->ops->receive(faults->inner, ret_datagrams + shown, capacity - shown);
        for (int i = 0; i < count; i++) {
            struct gossip_datagram datagram = ret_datagrams[before + (size_t)i];

            if (passes(faults, &datagram, false))
                ret_datagrams[shown++] = datagram;
        }
        if (shown > before)
            break;
    }
    set_timer(faults);
    return count < 0 && shown == 0 ? count : (int)shown;
}

static void faults_send(struct gossip_transport *transport, const struct gossip_datagram *datagrams,
                        size_t count)
{
    struct faults_transport *faults = faults_of(transport);
    struct gossip_datagram passing[BATCH_MAX];
    size_t passed = 0;

    for (size_t i = 0; i < count; i++) {
        if (passes(faults, &datagrams[i], true))
            passing[passed++] = datagrams[i];
        if (passed == BATCH_MAX || (passed > 0 && i + 1 == count)) {
            faults->inner->ops->send(faults->inner, passing, passed);
            passed = 0;
        }
    }
    set_timer(faults);
}

static void faults_address(struct gossip_transport *transport, struct gossip_address *ret_address)
{
    struct faults_transport *faults = faults_of(transport);

    faults->inner->ops->address(faults->inner, ret_address);
}

static void faults_inner_stats(struct gossip_transport *transport,
                               struct gossip_transport_stats *ret_stats)
{
    struct faults_transport *faults = faults_of(transport);

    faults->inner->ops->stats(faults->inner, ret_stats);
}

/* All but the inner transport. */
static void put_away(struct faults_transport *faults)
{
    sky_put_all(&faults->sky, &faults->shown);
    sky_clear(&faults->sky);
    if (faults->timer >= 0)
        close(faults->timer);
    if (faults->poll >= 0)
        close(faults->poll);
    free(faults);
}

static void faults_close(struct gossip_transport *transport)
{
    struct faults_transport *faults = faults_of(transport);

    faults->inner->ops->close(faults->inner);
    put_away(faults);
}

static const struct gossip_transport_ops faults_ops = {
    .poll_fd = faults_poll_fd,
    .receive = faults_receive,
    .send = faults_send,
    .address = faults_address,
    .stats = faults_inner_stats,
    .close = faults_close,
};

static bool watch(struct faults_transport *faults, int descriptor)
{
    struct epoll_event event = {.events = EPOLLIN};

    return epoll_ctl(faults->poll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

static int open_poll(struct faults_transport *faults)
{
    int inner = faults->inner->ops->poll_fd(faults->inner);

    faults->poll = epoll_create1(EPOLL_CLOEXEC);
    /* As the machine's time, it goes on while the machine sleeps. */
    faults->timer = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (faults->poll < 0 || faults->timer < 0 || !watch(faults, faults->timer) ||
        (inner >= 0 && !watch(faults, inner)))
        return errno == ENOMEM ? GOSSIP_ERR_NOMEM : GOSSIP_ERR_IO;
    return GOSSIP_OK;
}

int faults_open(struct gossip_transport *inner, struct gossip_time *time,
                struct gossip_transport **ret_transport)
{
    struct faults_transport *faults = calloc(1, sizeof(*faults));
    uint8_t seed[32];
    int error;

    if (faults == NULL)
        return GOSSIP_ERR_NOMEM;
    faults->base.ops = &faults_ops;
    faults->inner = inner;
    faults->time = time;
    faults->poll = faults->timer = -1;
    error = time->ops->random(time, seed, sizeof(seed));
    if (error == GOSSIP_OK)
        error = open_poll(faults);
    if (error < 0) {
        put_away(faults);
        return error;
    }
    random_start(&faults->random, gossip_crypto_sodium(), seed);
    *ret_transport = &faults->base;
    return GOSSIP_OK;
}

void faults_set(struct gossip_transport *transport, const struct fault *given, size_t count)
{
    struct faults_transport *faults = faults_of(transport);

    assert(count <= FAULTS_MAX);
    if (count > 0)
        memcpy(faults->faults, given, count * sizeof(*given));
    faults->count = count;
}

void faults_stats(const struct gossip_transport *transport, struct faults_stats *ret_stats)
{
    *ret_stats = faults_of(transport)->stats;
}
