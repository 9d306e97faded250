/*
 * Looking up: from "HOST:PORT" to all the addresses it stands for.
 *
 * A name is asked of the system's resolver, which may wait for seconds.
 */
#ifndef TRANSPORT_LOOKUP_H
#define TRANSPORT_LOOKUP_H

#include "gossip/transport.h"
#include "transport/explain.h"
#include "transport/system.h"

enum lookup_purpose {
    LOOKUP_TO_LISTEN, /* No host is every address of both families; no port is any. */
    LOOKUP_TO_SEND,   /* Neither host nor port may be missing. */
};

/* Brings at least one address, none twice, all with the port of the text; *ret_addresses is freed
 * with free(). INVALID, NOT_FOUND, IO (the resolver failed), NOMEM; each explained. */
int lookup(const struct transport_system *system, const char *text, enum lookup_purpose purpose,
           struct explanation *explanation, struct gossip_address **ret_addresses,
           size_t *ret_count);

#endif
