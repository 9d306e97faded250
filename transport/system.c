#include "transport/system.h"

#include <stddef.h>

static int system_receive(int socket, struct mmsghdr *messages, unsigned int count, int flags)
{
    return recvmmsg(socket, messages, count, flags, NULL);
}

static int system_send(int socket, struct mmsghdr *messages, unsigned int count, int flags)
{
    return sendmmsg(socket, messages, count, flags);
}

const struct transport_system transport_system = {
    .receive = system_receive,
    .send = system_send,
    .look_up = getaddrinfo,
    .free_answers = freeaddrinfo,
};
