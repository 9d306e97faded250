/*
 * Binding: a socket that is ours alone at an address, with the options that our datagrams need.
 */
#ifndef TRANSPORT_BIND_H
#define TRANSPORT_BIND_H

#include "gossip/transport.h"
#include "transport/explain.h"

struct bound_socket {
    int descriptor; /* Non-blocking, closed on exec. */
    struct gossip_address address;
};

/*
 * Binds a UDP socket to each of addresses, which have one port; if it is 0, the system chooses one
 * for all. Those that this machine does not have are passed over as long as there is another: a
 * name may stand for several machines, and a machine may lack IPv6. ret_sockets has room for count.
 * NOT_FOUND (this machine has none of the addresses), IN_USE, PERMISSION, IO, NOMEM; each
 * explained.
 */
int bind_sockets(const struct gossip_address *addresses, size_t count,
                 struct explanation *explanation, struct bound_socket *ret_sockets,
                 size_t *ret_count);

#endif
