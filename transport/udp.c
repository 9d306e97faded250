/*
 * UDP over IPv4 and IPv6. Errors of the network are the weather: they are counted, the datagram is
 * gone, and the next exchange makes up for it.
 */
#include "transport/udp.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "gossip/gossip.h"
#include "transport/address.h"

enum {
    BATCH = 64, /* Datagrams in one system call. */
    SLOT_SIZE = GOSSIP_DATAGRAM_MAX + 1,
    /* Room for the bursts of a whole window and of many peers at once. */
    BUFFER_SIZE = 4 << 20,
    CONTROL_SIZE = CMSG_SPACE(sizeof(uint32_t)),
    SOCKETS_MAX = 2,
};

struct udp_socket {
    int fd;
    int family;
    uint32_t drops; /* The kernel's count, as it was told last. */
};

struct udp_transport {
    struct gossip_transport base;
    const struct udp_calls *calls;
    struct udp_socket sockets[SOCKETS_MAX];
    size_t socket_count;
    int epoll_fd; /* Over both, or -1 where one is enough. */
    size_t turn;  /* Which socket is read first. */
    struct gossip_address address;
    struct gossip_transport_stats stats;

    struct mmsghdr messages[BATCH];
    struct iovec vectors[BATCH];
    struct sockaddr_storage names[BATCH];
    _Alignas(struct cmsghdr) char controls[BATCH][CONTROL_SIZE];
    uint8_t slots[BATCH][SLOT_SIZE];
};

/* Tells a person what is wrong, if anybody wants to know, and passes error on. */
__attribute__((format(printf, 4, 5))) static int explain(char *ret_explanation, size_t size,
                                                         int error, const char *format, ...)
{
    va_list arguments;

    if (ret_explanation != NULL) {
        va_start(arguments, format);
        vsnprintf(ret_explanation, size, format, arguments);
        va_end(arguments);
    }
    return error;
}

static int udp_poll_fd(struct gossip_transport *transport)
{
    const struct udp_transport *udp = (const struct udp_transport *)transport;

    return udp->epoll_fd >= 0 ? udp->epoll_fd : udp->sockets[0].fd;
}

/* What the kernel says it has dropped for want of room, since the socket was opened. */
static void note_drops(struct udp_transport *udp, struct udp_socket *socket, struct msghdr *message)
{
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
         header = CMSG_NXTHDR(message, header)) {
        uint32_t drops;

        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SO_RXQ_OVFL)
            continue;
        memcpy(&drops, CMSG_DATA(header), sizeof(drops));
        udp->stats.overrun += (uint32_t)(drops - socket->drops);
        socket->drops = drops;
    }
}

/* Reads what waits at one socket into slots from used on. Returns how many are shown. */
static size_t receive_from(struct udp_transport *udp, struct udp_socket *socket, size_t used,
                           struct gossip_datagram *ret_datagrams, size_t capacity)
{
    size_t wanted = capacity < BATCH - used ? capacity : BATCH - used;
    size_t shown = 0;
    int got;

    if (wanted == 0)
        return 0;
    for (size_t i = used; i < used + wanted; i++) {
        udp->vectors[i] = (struct iovec){udp->slots[i], SLOT_SIZE};
        udp->messages[i].msg_hdr = (struct msghdr){.msg_name = &udp->names[i],
                                                   .msg_namelen = sizeof(udp->names[i]),
                                                   .msg_iov = &udp->vectors[i],
                                                   .msg_iovlen = 1,
                                                   .msg_control = udp->controls[i],
                                                   .msg_controllen = CONTROL_SIZE};
    }
    got = udp->calls->recvmmsg(socket->fd, udp->messages + used, (unsigned)wanted, MSG_DONTWAIT,
                               NULL);
    if (got < 0) {
        /* ECONNREFUSED and its kin tell of an earlier datagram that was sent; reading them clears
         * them, and what waits behind them is read next time. */
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            udp->stats.receive_failed++;
        return 0;
    }
    for (size_t i = used; i < used + (size_t)got; i++) {
        struct gossip_datagram *datagram = &ret_datagrams[shown];

        note_drops(udp, socket, &udp->messages[i].msg_hdr);
        udp->stats.received++;
        udp->stats.received_bytes += udp->messages[i].msg_len;
        if (!address_from_system((struct sockaddr *)&udp->names[i], &datagram->address)) {
            udp->stats.receive_failed++;
            continue;
        }
        datagram->data = udp->slots[i];
        datagram->size = udp->messages[i].msg_len;
        shown++;
    }
    return shown;
}

static int udp_receive(struct gossip_transport *transport, struct gossip_datagram *ret_datagrams,
                       size_t capacity)
{
    struct udp_transport *udp = (struct udp_transport *)transport;
    size_t shown = 0;

    /* Neither family can starve the other: they take turns at being first. */
    for (size_t i = 0; i < udp->socket_count; i++) {
        struct udp_socket *socket = &udp->sockets[(udp->turn + i) % udp->socket_count];

        shown += receive_from(udp, socket, shown, ret_datagrams + shown, capacity - shown);
    }
    udp->turn++;
    return (int)shown;
}

static struct udp_socket *socket_for(struct udp_transport *udp,
                                     const struct gossip_address *address)
{
    int family = address_is_ipv4(address) ? AF_INET : AF_INET6;

    for (size_t i = 0; i < udp->socket_count; i++) {
        if (udp->sockets[i].family == family)
            return &udp->sockets[i];
    }
    return NULL;
}

/* Sends the first count messages prepared. What is refused is passed over. */
static void send_batch(struct udp_transport *udp, const struct udp_socket *socket, unsigned count)
{
    unsigned done = 0;
    unsigned interrupted = 0;

    while (done < count) {
        int sent = udp->calls->sendmmsg(socket->fd, udp->messages + done, count - done,
                                        MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent > 0) {
            for (unsigned i = done; i < done + (unsigned)sent; i++)
                udp->stats.sent_bytes += udp->vectors[i].iov_len;
            udp->stats.sent += (unsigned)sent;
            done += (unsigned)sent;
            continue;
        }
        if (sent < 0 && errno == EINTR && interrupted++ < count)
            continue;
        /* A full buffer refuses the next one as well: they are all gone. Anything else may be the
         * fault of this one's address. */
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)) {
            udp->stats.send_failed += count - done;
            return;
        }
        udp->stats.send_failed++;
        done++;
    }
}

static void udp_send(struct gossip_transport *transport, const struct gossip_datagram *datagrams,
                     size_t count)
{
    struct udp_transport *udp = (struct udp_transport *)transport;
    const struct udp_socket *socket = NULL;
    unsigned prepared = 0;

    for (size_t i = 0; i < count; i++) {
        const struct udp_socket *wanted = socket_for(udp, &datagrams[i].address);

        if (wanted == NULL) {
            udp->stats.send_failed++;
            continue;
        }
        if (prepared == BATCH || (prepared > 0 && wanted != socket)) {
            send_batch(udp, socket, prepared);
            prepared = 0;
        }
        socket = wanted;
        /* The system does not write to what it sends. */
        udp->vectors[prepared].iov_base = (void *)(uintptr_t)datagrams[i].data;
        udp->vectors[prepared].iov_len = datagrams[i].size;
        udp->messages[prepared].msg_hdr = (struct msghdr){
            .msg_name = &udp->names[prepared],
            .msg_namelen = address_to_system(&datagrams[i].address, &udp->names[prepared]),
            .msg_iov = &udp->vectors[prepared],
            .msg_iovlen = 1};
        prepared++;
    }
    if (prepared > 0)
        send_batch(udp, socket, prepared);
}

static void udp_address(struct gossip_transport *transport, struct gossip_address *ret_address)
{
    *ret_address = ((struct udp_transport *)transport)->address;
}

static void udp_stats(struct gossip_transport *transport, struct gossip_transport_stats *ret_stats)
{
    *ret_stats = ((struct udp_transport *)transport)->stats;
}

static void udp_close(struct gossip_transport *transport)
{
    struct udp_transport *udp = (struct udp_transport *)transport;

    for (size_t i = 0; i < udp->socket_count; i++)
        close(udp->sockets[i].fd);
    if (udp->epoll_fd >= 0)
        close(udp->epoll_fd);
    free(udp);
}

static const struct gossip_transport_ops udp_ops = {
    udp_poll_fd, udp_receive, udp_send, udp_address, udp_stats, udp_close,
};

/* The larger buffers are, the longer a burst is survived; what the system does not grant, it does
 * not. */
static void widen(int fd, int forced, int plain)
{
    int size = BUFFER_SIZE;

    if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof(size)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, plain, &size, sizeof(size));
}

static int bind_error(const char *listen, int system_error, char *ret_explanation, size_t size)
{
    switch (system_error) {
    case EADDRINUSE:
        return explain(ret_explanation, size, GOSSIP_ERR_IN_USE,
                       "%s: the port is taken by another process; choose another port, or end "
                       "that process",
                       listen);
    case EACCES:
    case EPERM:
        return explain(ret_explanation, size, GOSSIP_ERR_PERMISSION,
                       "%s: the system does not allow this port; choose one above 1023", listen);
    case EADDRNOTAVAIL:
        return explain(ret_explanation, size, GOSSIP_ERR_NOT_FOUND,
                       "%s: no interface of this machine has this address; choose one that "
                       "'ip address' shows",
                       listen);
    case ENOMEM:
        return explain(ret_explanation, size, GOSSIP_ERR_NOMEM, "%s: out of memory", listen);
    default:
        return explain(ret_explanation, size, GOSSIP_ERR_IO, "%s: cannot open a socket: %s", listen,
                       strerror(system_error));
    }
}

/* Opens one socket. Returns 0 or the system's error. */
static int open_socket(struct udp_transport *udp, const struct sockaddr *address, socklen_t size)
{
    struct udp_socket *place = &udp->sockets[udp->socket_count];
    int yes = 1;
    int fd = socket(address->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return errno;
    widen(fd, SO_RCVBUFFORCE, SO_RCVBUF);
    widen(fd, SO_SNDBUFFORCE, SO_SNDBUF);
    /* Path MTUs below ours are met by fragments, which is what the system does unless told
     * otherwise: a 1,200-byte datagram is to arrive, not to be refused. */
    (void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &yes, sizeof(yes));
    if ((address->sa_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes)) < 0) ||
        bind(fd, address, size) < 0) {
        error = errno;
        close(fd);
        return error;
    }
    *place = (struct udp_socket){.fd = fd, .family = address->sa_family};
    udp->socket_count++;
    return 0;
}

static int note_address(struct udp_transport *udp)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof(bound);

    if (getsockname(udp->sockets[0].fd, (struct sockaddr *)&bound, &size) < 0)
        return errno;
    address_from_system((struct sockaddr *)&bound, &udp->address);
    return 0;
}

/* ":PORT": both families, on every address. A machine without IPv6 has IPv4 alone. */
static int open_any(struct udp_transport *udp, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    int error = open_socket(udp, (struct sockaddr *)&in, sizeof(in));

    if (error == 0)
        error = note_address(udp);
    if (error != 0)
        return error;
    in6.sin6_port = htons(udp->address.port);
    error = open_socket(udp, (struct sockaddr *)&in6, sizeof(in6));
    if (error == EAFNOSUPPORT || error == EADDRNOTAVAIL)
        return 0;
    return error;
}

/* Lets poll_fd() show both sockets at once. */
static int join_sockets(struct udp_transport *udp)
{
    if (udp->socket_count < 2)
        return 0;
    udp->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (udp->epoll_fd < 0)
        return errno;
    for (size_t i = 0; i < udp->socket_count; i++) {
        struct epoll_event event = {.events = EPOLLIN};

        if (epoll_ctl(udp->epoll_fd, EPOLL_CTL_ADD, udp->sockets[i].fd, &event) < 0)
            return errno;
    }
    return 0;
}

static int look_up(const char *text, const char *host, const char *port, char *ret_explanation,
                   size_t size, struct addrinfo **ret_list)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV};
    int result = getaddrinfo(host, port, &hints, ret_list);

    if (result == 0)
        return GOSSIP_OK;
    if (result == EAI_MEMORY)
        return explain(ret_explanation, size, GOSSIP_ERR_NOMEM, "%s: out of memory", text);
    return explain(ret_explanation, size, GOSSIP_ERR_NOT_FOUND,
                   "%s: the name has no address (%s); check its spelling and the resolver, or "
                   "give an address",
                   text, result == EAI_SYSTEM ? strerror(errno) : gai_strerror(result));
}

static int not_an_address(const char *text, char *ret_explanation, size_t size)
{
    return explain(ret_explanation, size, GOSSIP_ERR_INVALID,
                   "'%s' is not ADDRESS:PORT, [IPv6]:PORT or NAME:PORT with a port of 0 to "
                   "65535",
                   text);
}

static int open_listed(struct udp_transport *udp, const char *listen, const char *host,
                       const char *port, char *ret_explanation, size_t size)
{
    struct addrinfo *list;
    int error = look_up(listen, host, port, ret_explanation, size, &list);

    if (error < 0)
        return error;
    error = open_socket(udp, list->ai_addr, list->ai_addrlen);
    if (error == 0)
        error = note_address(udp);
    freeaddrinfo(list);
    return error == 0 ? GOSSIP_OK : bind_error(listen, error, ret_explanation, size);
}

int udp_open_with(const struct udp_calls *calls, const char *listen, char *ret_explanation,
                  size_t size, struct gossip_transport **ret_transport)
{
    struct udp_transport *udp;
    char host[HOST_TEXT_MAX];
    char port[PORT_TEXT_MAX];
    int error;

    if (!address_split(listen, host, port))
        return not_an_address(listen, ret_explanation, size);
    udp = calloc(1, sizeof(*udp));
    if (udp == NULL)
        return bind_error(listen, ENOMEM, ret_explanation, size);
    udp->base.ops = &udp_ops;
    udp->calls = calls;
    udp->epoll_fd = -1;
    if (host[0] == '\0') {
        error = open_any(udp, (uint16_t)strtoul(port, NULL, 10));
        if (error != 0)
            error = bind_error(listen, error, ret_explanation, size);
    } else {
        error = open_listed(udp, listen, host, port, ret_explanation, size);
    }
    if (error == 0) {
        error = join_sockets(udp);
        if (error != 0)
            error = bind_error(listen, error, ret_explanation, size);
    }
    if (error != 0) {
        udp_close(&udp->base);
        return error;
    }
    *ret_transport = &udp->base;
    return GOSSIP_OK;
}

int gossip_udp_open(const char *listen, char *ret_explanation, size_t size,
                    struct gossip_transport **ret_transport)
{
    static const struct udp_calls calls = {sendmmsg, recvmmsg};

    return udp_open_with(&calls, listen, ret_explanation, size, ret_transport);
}

int gossip_udp_resolve(const char *text, struct gossip_address *ret_addresses, size_t capacity,
                       char *ret_explanation, size_t size)
{
    char host[HOST_TEXT_MAX];
    char port[PORT_TEXT_MAX];
    struct addrinfo *list;
    size_t count = 0;
    int error;

    if (!address_split(text, host, port) || host[0] == '\0' || strtoul(port, NULL, 10) == 0)
        return not_an_address(text, ret_explanation, size);
    error = look_up(text, host, port, ret_explanation, size, &list);
    if (error < 0)
        return error;
    for (const struct addrinfo *place = list; place != NULL && count < capacity;
         place = place->ai_next) {
        if (address_from_system(place->ai_addr, &ret_addresses[count]))
            count++;
    }
    freeaddrinfo(list);
    return (int)count;
}
