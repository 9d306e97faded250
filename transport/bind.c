#include "transport/bind.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "gossip/gossip.h"
#include "transport/address.h"

enum {
    /* A peer may answer a pull with a window of 1 MiB, and four may do so while a commit waits for
     * the disk. The kernel counts its own overhead too, and doubles what is asked for to make up
     * for it. */
    BUFFER_SIZE = 4 * GOSSIP_WINDOW_BYTES,

    /* A port that the system chose in one family may be taken in the other: rare, and never so
     * often in a row. */
    PORT_ATTEMPTS = 32,
};

static int explain_failure(const struct gossip_address *address, int failure,
                           struct explanation *explanation)
{
    char text[GOSSIP_ADDRESS_TEXT_MAX];

    gossip_address_to_text(address, text);
    switch (failure) {
    case EADDRINUSE:
        explain(explanation,
                "cannot listen on %s: the port is taken; stop what uses it (\"ss "
                "-ulnp\" names it), or listen on another port",
                text);
        return GOSSIP_ERR_IN_USE;
    case EACCES:
    case EPERM:
        explain(explanation,
                "cannot listen on %s: the system reserves the port or forbids "
                "sockets; listen on a port from 1024 up",
                text);
        return GOSSIP_ERR_PERMISSION;
    case EADDRNOTAVAIL:
        explain(explanation,
                "cannot listen on %s: this machine has no such address; \"ip "
                "address\" lists those it has",
                text);
        return GOSSIP_ERR_NOT_FOUND;
    case EAFNOSUPPORT:
        explain(explanation,
                "cannot listen on %s: this machine does not speak %s; listen on an "
                "address of the other kind",
                text, address_is_ipv4(address) ? "IPv4" : "IPv6");
        return GOSSIP_ERR_NOT_FOUND;
    case EMFILE:
    case ENFILE:
        explain(explanation, "cannot listen on %s: too many files are open; raise \"ulimit -n\"",
                text);
        return GOSSIP_ERR_IO;
    case ENOMEM:
    case ENOBUFS:
        explain(explanation, "cannot listen on %s: out of memory", text);
        return GOSSIP_ERR_NOMEM;
    default:
        explain(explanation, "cannot listen on %s: %s; try another address", text,
                strerror(failure));
        return GOSSIP_ERR_IO;
    }
}

static bool set(int socket, int level, int option, int value)
{
    return setsockopt(socket, level, option, &value, sizeof(value)) == 0;
}

/* With the right to, past the administrator's limit; else up to it. A smaller buffer than we ask
 * for is no failure: it overruns earlier, and overruns are counted. */
static void enlarge(int socket, int forced_option, int option)
{
    if (!set(socket, SOL_SOCKET, forced_option, BUFFER_SIZE))
        (void)set(socket, SOL_SOCKET, option, BUFFER_SIZE);
}

/*
 * Our datagrams may be fragmented: 1,200 bytes pass everywhere but on odd links (an MTU of 600),
 * and there fragments are better than silence. OMIT sends IPv4 without DF and believes no router
 * about the path, so that a forged "fragmentation needed" has no effect. IPv6 needs nothing: its
 * least MTU of 1,280 has room for us.
 */
static bool allow_fragments(int socket)
{
    return set(socket, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT) ||
           set(socket, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
}

/* SO_REUSEADDR stays off: with it two nodes could share a port, and each would get some of the
 * other's datagrams. */
static bool configure(int socket, bool is_ipv4)
{
    enlarge(socket, SO_RCVBUFFORCE, SO_RCVBUF);
    enlarge(socket, SO_SNDBUFFORCE, SO_SNDBUF);
    if (!set(socket, SOL_SOCKET, SO_RXQ_OVFL, 1))
        return false;
    return is_ipv4 ? allow_fragments(socket) : set(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1);
}

static bool read_bound(int socket, struct gossip_address *ret_bound)
{
    union socket_address bound;
    socklen_t size = sizeof(bound);

    return getsockname(socket, &bound.any, &size) == 0 &&
           address_from_socket(&bound, size, ret_bound) == GOSSIP_OK;
}

static int bind_one(const struct gossip_address *address, struct explanation *explanation,
                    struct bound_socket *ret_socket)
{
    bool is_ipv4 = address_is_ipv4(address);
    union socket_address wanted;
    socklen_t wanted_size = address_to_socket(address, &wanted);
    struct bound_socket bound;
    int failure;

    bound.descriptor =
        socket(is_ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bound.descriptor < 0)
        return explain_failure(address, errno, explanation);
    if (!configure(bound.descriptor, is_ipv4) ||
        bind(bound.descriptor, &wanted.any, wanted_size) < 0 ||
        !read_bound(bound.descriptor, &bound.address)) {
        failure = errno;
        close(bound.descriptor);
        return explain_failure(address, failure, explanation);
    }
    *ret_socket = bound;
    return GOSSIP_OK;
}

static void close_all(struct bound_socket *sockets, size_t count)
{
    while (count > 0)
        close(sockets[--count].descriptor);
}

static int bind_all(const struct gossip_address *addresses, size_t count,
                    struct explanation *explanation, struct bound_socket *sockets,
                    size_t *ret_count)
{
    uint16_t port = addresses[0].port;
    size_t bound = 0;

    for (size_t i = 0; i < count; i++) {
        struct gossip_address address = addresses[i];
        int error;

        address.port = port;
        error = bind_one(&address, explanation, &sockets[bound]);
        if (error == GOSSIP_ERR_NOT_FOUND && (i + 1 < count || bound > 0))
            continue;
        if (error < 0) {
            close_all(sockets, bound);
            return error;
        }
        port = sockets[bound++].address.port;
    }
    *ret_count = bound;
    return GOSSIP_OK;
}

int bind_sockets(const struct gossip_address *addresses, size_t count,
                 struct explanation *explanation, struct bound_socket *ret_sockets,
                 size_t *ret_count)
{
    int attempts = addresses[0].port == 0 ? PORT_ATTEMPTS : 1;
    int error;

    do
        error = bind_all(addresses, count, explanation, ret_sockets, ret_count);
    while (error == GOSSIP_ERR_IN_USE && --attempts > 0);
    return error;
}
