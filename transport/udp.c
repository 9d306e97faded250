#include "transport/udp.h"

#include <assert.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "gossip/gossip.h"
#include "transport/address.h"
#include "transport/bind.h"
#include "transport/explain.h"
#include "transport/lookup.h"

enum {
    BATCH_MAX = 64, /* Datagrams of one system call; more of them save nothing measurable. */

    /* One more than anybody may send, so that the node sees that it was too much. */
    SHOWN_MAX = GOSSIP_DATAGRAM_MAX + 1,

    /* Failed reads of a socket before it rests. An error that waits in a socket goes with the read
     * that reports it, so one read is enough for each, and few wait at a time. */
    READS_MAX = 8,

    /* A socket on which every read fails stays readable; whoever polls it would never sleep. Not
     * polled for a while, it costs ten wake-ups a second. */
    REST_MS = 100,
};

struct udp_socket {
    struct bound_socket bound;
    uint32_t dropped; /* The kernel's count as we last saw it; wraps. */
    bool resting;     /* Not polled until the timer expires. */
};

/* Room for the datagrams of one system call. */
struct inbox {
    struct mmsghdr messages[BATCH_MAX];
    struct iovec places[BATCH_MAX];
    union socket_address senders[BATCH_MAX];
    _Alignas(struct cmsghdr) uint8_t controls[BATCH_MAX][CMSG_SPACE(sizeof(uint32_t))];
    uint8_t data[BATCH_MAX][SHOWN_MAX];
};

struct outbox {
    struct mmsghdr messages[BATCH_MAX];
    struct iovec places[BATCH_MAX];
    union socket_address receivers[BATCH_MAX];
    unsigned int count;
};

struct udp_transport {
    struct gossip_transport base;
    const struct transport_system *system;
    struct gossip_transport_stats stats;
    struct udp_socket *sockets;
    size_t socket_count;
    size_t first;  /* The socket to read first, in turn, so that none starves. */
    int poll;      /* An epoll descriptor over the sockets and the timer. */
    int rest_over; /* A timer: the resting sockets are to be polled again. */
    struct inbox inbox;
    struct outbox outbox;
};

static int udp_poll_fd(struct gossip_transport *transport)
{
    return ((struct udp_transport *)transport)->poll;
}

static bool watch(struct udp_transport *udp, int descriptor)
{
    struct epoll_event event = {.events = EPOLLIN};

    return epoll_ctl(udp->poll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

static void set_timer(struct udp_transport *udp)
{
    struct itimerspec rest = {.it_value = {.tv_nsec = REST_MS * 1000000L}};
    int result = timerfd_settime(udp->rest_over, 0, &rest, NULL);

    assert(result == 0); /* It fails only for arguments that are wrong. */
}

static void rest(struct udp_transport *udp, struct udp_socket *socket)
{
    int result = epoll_ctl(udp->poll, EPOLL_CTL_DEL, socket->bound.descriptor, NULL);

    assert(result == 0);
    socket->resting = true;
    set_timer(udp);
}

static void end_rests(struct udp_transport *udp)
{
    uint64_t expirations;

    if (read(udp->rest_over, &expirations, sizeof(expirations)) < 0)
        return; /* Not yet; or nobody rests. */
    for (size_t i = 0; i < udp->socket_count; i++) {
        struct udp_socket *socket = &udp->sockets[i];

        if (!socket->resting)
            continue;
        if (watch(udp, socket->bound.descriptor))
            socket->resting = false;
        else
            set_timer(udp); /* Out of memory: it rests on. */
    }
}

/* The kernel shows its count with some datagrams, as it was when each of them arrived. */
static void note_dropped(struct udp_transport *udp, struct udp_socket *socket, uint32_t dropped)
{
    uint32_t more = dropped - socket->dropped;

    if (more > UINT32_MAX / 2)
        return; /* An older count than the one we have. */
    socket->dropped = dropped;
    udp->stats.overrun += more;
}

static void read_control(struct udp_transport *udp, struct udp_socket *socket,
                         struct msghdr *header)
{
    for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control != NULL;
         control = CMSG_NXTHDR(header, control)) {
        uint32_t dropped;

        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SO_RXQ_OVFL ||
            control->cmsg_len < CMSG_LEN(sizeof(dropped)))
            continue;
        memcpy(&dropped, CMSG_DATA(control), sizeof(dropped));
        note_dropped(udp, socket, dropped);
    }
}

static void prepare_inbox(struct inbox *inbox, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        inbox->places[i] = (struct iovec){inbox->data[i], SHOWN_MAX};
        inbox->messages[i].msg_hdr = (struct msghdr){
            .msg_name = &inbox->senders[i],
            .msg_namelen = sizeof(inbox->senders[i]),
            .msg_iov = &inbox->places[i],
            .msg_iovlen = 1,
            .msg_control = inbox->controls[i],
            .msg_controllen = sizeof(inbox->controls[i]),
        };
    }
}

/* Shows the i-th of the inbox, unless nobody can have sent it: port 0 is no address. */
static bool show(struct udp_transport *udp, struct udp_socket *socket, size_t index,
                 struct gossip_datagram *ret_datagram)
{
    struct mmsghdr *message = &udp->inbox.messages[index];
    struct gossip_address from;

    read_control(udp, socket, &message->msg_hdr);
    if (address_from_socket(&udp->inbox.senders[index], message->msg_hdr.msg_namelen, &from) < 0 ||
        from.port == 0) {
        udp->stats.receive_failed++;
        return false;
    }
    ret_datagram->address = from;
    ret_datagram->data = udp->inbox.data[index];
    ret_datagram->size = message->msg_len < SHOWN_MAX ? message->msg_len : SHOWN_MAX;
    udp->stats.received++;
    udp->stats.received_bytes += message->msg_len;
    return true;
}

/* Errors that no later read can be without. */
static bool is_final(int failure)
{
    return failure == EBADF || failure == ENOTSOCK || failure == EFAULT || failure == EINVAL ||
           failure == EOPNOTSUPP || failure == ENOSYS;
}

static int receive_from(struct udp_transport *udp, struct udp_socket *socket,
                        struct gossip_datagram *ret_datagrams, size_t capacity)
{
    int failures = 0;

    for (int reads = 0; reads < READS_MAX; reads++) {
        int count;
        int shown = 0;

        prepare_inbox(&udp->inbox, capacity);
        /* MSG_TRUNC: tell the true size of what did not fit. */
        count = udp->system->receive(socket->bound.descriptor, udp->inbox.messages,
                                     (unsigned int)capacity, MSG_DONTWAIT | MSG_TRUNC);
        assert(count <= (int)capacity);
        for (int i = 0; i < count; i++)
            if (show(udp, socket, (size_t)i, &ret_datagrams[shown]))
                shown++;
        if (shown > 0)
            return shown;
        if (count > 0)
            continue;
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return 0;
        udp->stats.receive_failed++;
        if (count < 0 && is_final(errno))
            return GOSSIP_ERR_IO;
        failures++;
    }
    if (failures == READS_MAX)
        rest(udp, socket);
    return 0;
}

/* Shows datagrams of one socket at a time: there is one inbox, and what was shown lies in it. */
static int udp_receive(struct gossip_transport *transport, struct gossip_datagram *ret_datagrams,
                       size_t capacity)
{
    struct udp_transport *udp = (struct udp_transport *)transport;

    if (capacity == 0)
        return 0;
    if (capacity > BATCH_MAX)
        capacity = BATCH_MAX;
    end_rests(udp);
    for (size_t i = 0; i < udp->socket_count; i++) {
        struct udp_socket *socket = &udp->sockets[udp->first];
        int result;

        udp->first = (udp->first + 1) % udp->socket_count;
        if (socket->resting)
            continue;
        result = receive_from(udp, socket, ret_datagrams, capacity);
        if (result != 0)
            return result;
    }
    return 0;
}

static int common_prefix(const uint8_t left[16], const uint8_t right[16])
{
    int bits = 0;

    while (bits < 128 && ((left[bits / 8] ^ right[bits / 8]) >> (7 - bits % 8) & 1) == 0)
        bits++;
    return bits;
}

/* How well a socket bound there reaches address; negative if not at all. As the system chooses
 * among its own addresses (RFC 6724): the loopback for the loopback, then the longest prefix. */
static int suitability(const struct gossip_address *bound, const struct gossip_address *address)
{
    int prefix = common_prefix(bound->ip, address->ip);

    if (address_is_ipv4(bound) != address_is_ipv4(address))
        return -1;
    return address_is_loopback(bound) == address_is_loopback(address) ? 129 + prefix : prefix;
}

/* NULL if no socket is of the address's family. */
static struct udp_socket *find_socket(struct udp_transport *udp,
                                      const struct gossip_address *address)
{
    struct udp_socket *best = NULL;
    int best_suitability = -1;

    for (size_t i = 0; i < udp->socket_count; i++) {
        int suits = suitability(&udp->sockets[i].bound.address, address);

        if (suits > best_suitability) {
            best = &udp->sockets[i];
            best_suitability = suits;
        }
    }
    return best;
}

/* Goes on after each datagram that is refused, with the next: another receiver may be in reach.
 * Every call but an interrupted one settles at least one datagram, so this ends. */
static void flush(struct udp_transport *udp, struct udp_socket *socket)
{
    struct outbox *outbox = &udp->outbox;
    unsigned int settled = 0;
    int interruptions = 0;

    while (settled < outbox->count) {
        int count = udp->system->send(socket->bound.descriptor, outbox->messages + settled,
                                      outbox->count - settled, MSG_DONTWAIT);

        assert(count <= (int)(outbox->count - settled));
        if (count < 0 && errno == EINTR && ++interruptions < READS_MAX)
            continue;
        if (count <= 0) {
            udp->stats.send_failed++;
            settled++;
            continue;
        }
        for (int i = 0; i < count; i++, settled++) {
            if (outbox->messages[settled].msg_len != outbox->places[settled].iov_len) {
                udp->stats.send_failed++; /* A part of a datagram is none. */
                continue;
            }
            udp->stats.sent++;
            udp->stats.sent_bytes += outbox->messages[settled].msg_len;
        }
    }
    outbox->count = 0;
}

static void put(struct outbox *outbox, const struct gossip_datagram *datagram)
{
    unsigned int index = outbox->count++;
    union socket_address *receiver = &outbox->receivers[index];

    outbox->places[index] = (struct iovec){
        (void *)(uintptr_t)datagram->data, /* It is only read. */
        datagram->size,
    };
    outbox->messages[index].msg_hdr = (struct msghdr){
        .msg_name = receiver,
        .msg_namelen = address_to_socket(&datagram->address, receiver),
        .msg_iov = &outbox->places[index],
        .msg_iovlen = 1,
    };
    outbox->messages[index].msg_len = 0;
}

/* In order, with one call for all neighbours that leave by the same socket. */
static void udp_send(struct gossip_transport *transport, const struct gossip_datagram *datagrams,
                     size_t count)
{
    struct udp_transport *udp = (struct udp_transport *)transport;
    struct udp_socket *current = NULL; /* Whose the outbox is. */

    for (size_t i = 0; i < count; i++) {
        struct udp_socket *socket = NULL;

        if (datagrams[i].address.port != 0)
            socket = find_socket(udp, &datagrams[i].address);
        if (socket == NULL) {
            udp->stats.send_failed++;
            continue;
        }
        if (current != NULL && (current != socket || udp->outbox.count == BATCH_MAX))
            flush(udp, current);
        current = socket;
        put(&udp->outbox, &datagrams[i]);
    }
    if (current != NULL)
        flush(udp, current);
}

static void udp_address(struct gossip_transport *transport, struct gossip_address *ret_address)
{
    *ret_address = ((struct udp_transport *)transport)->sockets[0].bound.address;
}

/* What was dropped after the last datagram that we read shows with the next one, which may never
 * come: so the sockets are asked. */
static void udp_stats(struct gossip_transport *transport, struct gossip_transport_stats *ret_stats)
{
    struct udp_transport *udp = (struct udp_transport *)transport;

    for (size_t i = 0; i < udp->socket_count; i++) {
        uint32_t memory[SK_MEMINFO_VARS] = {0};
        socklen_t size = sizeof(memory);

        if (getsockopt(udp->sockets[i].bound.descriptor, SOL_SOCKET, SO_MEMINFO, memory, &size) ==
                0 &&
            size > SK_MEMINFO_DROPS * sizeof(memory[0]))
            note_dropped(udp, &udp->sockets[i], memory[SK_MEMINFO_DROPS]);
    }
    *ret_stats = udp->stats;
}

static void udp_close(struct gossip_transport *transport)
{
    struct udp_transport *udp = (struct udp_transport *)transport;

    for (size_t i = 0; i < udp->socket_count; i++)
        close(udp->sockets[i].bound.descriptor);
    if (udp->rest_over >= 0)
        close(udp->rest_over);
    if (udp->poll >= 0)
        close(udp->poll);
    free(udp->sockets);
    free(udp);
}

static const struct gossip_transport_ops udp_ops = {
    .poll_fd = udp_poll_fd,
    .receive = udp_receive,
    .send = udp_send,
    .address = udp_address,
    .stats = udp_stats,
    .close = udp_close,
};

static int open_sockets(struct udp_transport *udp, const struct gossip_address *addresses,
                        size_t count, struct explanation *explanation)
{
    struct bound_socket *bound = calloc(count, sizeof(*bound));
    int error = GOSSIP_ERR_NOMEM;

    udp->sockets = calloc(count, sizeof(*udp->sockets));
    if (bound == NULL || udp->sockets == NULL)
        explain(explanation, "out of memory");
    else
        error = bind_sockets(addresses, count, explanation, bound, &udp->socket_count);
    if (error == GOSSIP_OK)
        for (size_t i = 0; i < udp->socket_count; i++)
            udp->sockets[i].bound = bound[i];
    free(bound);
    return error;
}

static int open_poll(struct udp_transport *udp, struct explanation *explanation)
{
    int failure;

    udp->poll = epoll_create1(EPOLL_CLOEXEC);
    udp->rest_over = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (udp->poll < 0 || udp->rest_over < 0 || !watch(udp, udp->rest_over))
        goto fail;
    for (size_t i = 0; i < udp->socket_count; i++)
        if (!watch(udp, udp->sockets[i].bound.descriptor))
            goto fail;
    return GOSSIP_OK;

fail:
    failure = errno;
    explain(explanation,
            "cannot wait for datagrams: %s; if too many files are open, raise "
            "\"ulimit -n\"",
            strerror(failure));
    return failure == ENOMEM ? GOSSIP_ERR_NOMEM : GOSSIP_ERR_IO;
}

static int open_on(const struct transport_system *system, const struct gossip_address *addresses,
                   size_t count, struct explanation *explanation,
                   struct gossip_transport **ret_transport)
{
    struct udp_transport *udp = calloc(1, sizeof(*udp));
    int error;

    if (udp == NULL) {
        explain(explanation, "out of memory");
        return GOSSIP_ERR_NOMEM;
    }
    udp->base.ops = &udp_ops;
    udp->system = system;
    udp->poll = -1;
    udp->rest_over = -1;
    error = open_sockets(udp, addresses, count, explanation);
    if (error < 0)
        goto fail;
    error = open_poll(udp, explanation);
    if (error < 0)
        goto fail;
    *ret_transport = &udp->base;
    return GOSSIP_OK;

fail:
    udp_close(&udp->base);
    return error;
}

int udp_open(const struct transport_system *system, const char *listen, char *ret_explanation,
             size_t size, struct gossip_transport **ret_transport)
{
    struct explanation explanation;
    struct gossip_address *addresses;
    size_t count;
    int error = lookup(system, listen, LOOKUP_TO_LISTEN, &explanation, &addresses, &count);

    if (error == GOSSIP_OK) {
        error = open_on(system, addresses, count, &explanation, ret_transport);
        free(addresses);
    }
    if (error < 0)
        explanation_copy(&explanation, ret_explanation, size);
    return error;
}

int udp_resolve(const struct transport_system *system, const char *text,
                struct gossip_address *ret_addresses, size_t capacity, char *ret_explanation,
                size_t size)
{
    struct explanation explanation;
    struct gossip_address *addresses;
    size_t count;
    int error;

    assert(capacity > 0);
    error = lookup(system, text, LOOKUP_TO_SEND, &explanation, &addresses, &count);
    if (error < 0) {
        explanation_copy(&explanation, ret_explanation, size);
        return error;
    }
    if (count > capacity)
        count = capacity;
    memcpy(ret_addresses, addresses, count * sizeof(*addresses));
    free(addresses);
    return (int)count;
}

int gossip_udp_open(const char *listen, char *ret_explanation, size_t size,
                    struct gossip_transport **ret_transport)
{
    return udp_open(&transport_system, listen, ret_explanation, size, ret_transport);
}

int gossip_udp_resolve(const char *text, struct gossip_address *ret_addresses, size_t capacity,
                       char *ret_explanation, size_t size)
{
    return udp_resolve(&transport_system, text, ret_addresses, capacity, ret_explanation, size);
}
