/*
 * What the transport asks of the operating system each time anew, and what tests replace to make it
 * fail.
 */
#ifndef TRANSPORT_SYSTEM_H
#define TRANSPORT_SYSTEM_H

#include <netdb.h>
#include <sys/socket.h>

struct transport_system {
    /* recvmmsg(2) and sendmmsg(2), which have no timeout here. */
    int (*receive)(int socket, struct mmsghdr *messages, unsigned int count, int flags);
    int (*send)(int socket, struct mmsghdr *messages, unsigned int count, int flags);

    /* getaddrinfo(3) and freeaddrinfo(3). */
    int (*look_up)(const char *name, const char *service, const struct addrinfo *hints,
                   struct addrinfo **ret_answers);
    void (*free_answers)(struct addrinfo *answers);
};

extern const struct transport_system transport_system;

#endif
