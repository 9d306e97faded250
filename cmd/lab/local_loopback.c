/* Nodes on loopback addresses, all on one port: no root is needed, and nothing but the nodes
 * themselves cuts links. */
#include "cmd/lab/local_state.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PORT_TRIES = 100,
    /* Below those that systems give to whoever asks for any (RFC 6335 has them from 49152, Linux
     * from 32768): a node that is down finds its port as it left it. */
    PORT_MIN = 15000,
    PORT_MAX = 32000,
};

static bool is_free(uint16_t port, unsigned index)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(0x7f4d0101U + index)}};
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool is_bound = descriptor >= 0 && bind(descriptor, (const struct sockaddr *)&address,
                                            (socklen_t)sizeof(address)) == 0;

    if (descriptor >= 0)
        close(descriptor);
    return is_bound;
}

static enum exit_code open_loopback(struct local *local)
{
    for (unsigned i = 0; i < PORT_TRIES; i++) {
        uint16_t lot;
        uint16_t port;
        unsigned index = 0;

        if (getrandom(&lot, sizeof(lot), 0) != (ssize_t)sizeof(lot))
            return complain_of_system("cannot draw", "a port", "try again");
        port = (uint16_t)(PORT_MIN + lot % (PORT_MAX - PORT_MIN));
        while (index < local->count && is_free(port, index))
            index++;
        for (unsigned node = 0; node < local->count; node++)
            snprintf(local->nodes[node].address, sizeof(local->nodes[node].address),
                     "127.77.1.%u:%u", node + 1, port);
        if (index == local->count)
            return EXIT_OK;
    }
    return complain_of_system("cannot find a free port on", "127.77.1.1 and those that follow",
                              "end what listens there");
}

static bool add_loopback(struct local *local, unsigned node)
{
    unsigned port = 0;

    /* The port of all. */
    if (sscanf(local->nodes[0].address, "127.77.1.1:%u", &port) != 1)
        return false;
    snprintf(local->nodes[node].address, sizeof(local->nodes[node].address), "127.77.1.%u:%u",
             node + 1, port);
    return is_free((uint16_t)port, node);
}

const struct local_network local_loopback = {.open = open_loopback, .add = add_loopback};
