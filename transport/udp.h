/*
 * What tests put in the place of the system to see the UDP transport survive its errors.
 */
#ifndef TRANSPORT_UDP_H
#define TRANSPORT_UDP_H

#include "gossip/transport.h"

#include <sys/socket.h>

struct udp_calls {
    int (*sendmmsg)(int fd, struct mmsghdr *messages, unsigned count, int flags);
    int (*recvmmsg)(int fd, struct mmsghdr *messages, unsigned count, int flags,
                    struct timespec *timeout);
};

/* As gossip_udp_open(), with these calls; they are lent for the life of the transport. */
int udp_open_with(const struct udp_calls *calls, const char *listen, char *ret_explanation,
                  size_t size, struct gossip_transport **ret_transport);

#endif
