/*
 * Transports: what carries datagrams, perhaps. They may be lost, doubled, late or altered.
 * And the third small table: what tells the time and draws lots.
 *
 * Calls never overlap and never block, but for the two that look up names, and for randomness in
 * the machine's first moments. A transport belongs to the thread of its gossip; the machine's time
 * may be asked from any.
 */
#ifndef GOSSIP_TRANSPORT_H
#define GOSSIP_TRANSPORT_H

#include "gossip/limits.h"
#include "gossip/store.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What carries datagrams: defined below. */
struct gossip_transport;

/* A datagram on its way. */
struct gossip_datagram {
    struct gossip_address address; /* Where to, or where from. */
    const uint8_t *data;
    size_t size;
};

/* What has happened to datagrams outside the node, since the transport was opened. */
struct gossip_transport_stats {
    uint64_t sent;
    uint64_t sent_bytes;
    uint64_t
        send_failed; /* The system refused: no route, no permission, no room. Not sent again. */
    uint64_t received;
    uint64_t received_bytes;
    uint64_t receive_failed; /* Reading failed, or what came has no address to answer to. */
    uint64_t overrun; /* The kernel dropped them: we were too slow, or their checksum was wrong. */
};

/* What a transport does. */
struct gossip_transport_ops {
    /* A descriptor that is readable when a datagram may wait; -1 if there is none. */
    int (*poll_fd)(struct gossip_transport *transport);

    /* Shows up to capacity waiting datagrams in ret_datagrams, their data lent until the next
     * receive; one call may show fewer than wait. A datagram longer than GOSSIP_DATAGRAM_MAX is
     * shown with its first GOSSIP_DATAGRAM_MAX + 1 bytes. Returns how many, 0 if none waits; an
     * error of the network is counted and never returned. IO only if the transport can never work
     * again. */
    int (*receive)(struct gossip_transport *transport, struct gossip_datagram *ret_datagrams,
                   size_t capacity);

    /* Sends each, or does not: what the system refuses is counted. */
    void (*send)(struct gossip_transport *transport, const struct gossip_datagram *datagrams,
                 size_t count);

    /* The address it is bound to (with the port the system chose, if it chose); of several the
     * first. It may be one of all addresses, which nobody can be told to join. */
    void (*address)(struct gossip_transport *transport, struct gossip_address *ret_address);

    void (*stats)(struct gossip_transport *transport, struct gossip_transport_stats *ret_stats);

    void (*close)(struct gossip_transport *transport);
};

/* An implementation embeds this as its first member. */
struct gossip_transport {
    const struct gossip_transport_ops *ops;
};

/*
 * Opens UDP sockets on listen: "ADDR:PORT", "[ADDR]:PORT", "NAME:PORT" (which asks the system's
 * resolver and so may wait), or ":PORT", every address of both families ("0.0.0.0" and "[::]" mean
 * one family alone); port 0 lets the system choose. On failure ret_explanation (unless NULL) tells
 * in one line what is wrong and what to do next. INVALID (not an address), NOT_FOUND (the name has
 * no address, or this machine has none of them), IN_USE (port taken), PERMISSION (the port is
 * reserved), IO, NOMEM. *ret_transport is the caller's, to be closed by its ops after the gossip.
 */
int gossip_udp_open(const char *listen, char *ret_explanation, size_t size,
                    struct gossip_transport **ret_transport);

/*
 * Looks up all addresses of "ADDR:PORT", "[ADDR]:PORT" or "NAME:PORT". Asks the system's resolver
 * and so may wait: call it before the loop runs. Returns how many (at least 1, at most capacity).
 * INVALID (also port 0, or no name), NOT_FOUND, IO (the resolver cannot be asked), NOMEM.
 */
int gossip_udp_resolve(const char *text, struct gossip_address *ret_addresses, size_t capacity,
                       char *ret_explanation, size_t size);

/* Longest text of an address, with its final NUL: "[v6]:65535". */
enum { GOSSIP_ADDRESS_TEXT_MAX = 56 };

/* Writes "127.0.0.1:7001" or "[::1]:7001", and a final NUL. Cannot fail. */
void gossip_address_to_text(const struct gossip_address *address,
                            char ret_text[GOSSIP_ADDRESS_TEXT_MAX]);

/* What tells the time and draws lots: defined below. */
struct gossip_time;

/* What it does. */
struct gossip_time_ops {
    /* Milliseconds since some moment, never backwards; goes on while the machine sleeps. */
    uint64_t (*monotonic_ms)(struct gossip_time *time);

    /* Milliseconds since 1970, as far as the machine knows. May jump either way. */
    uint64_t (*wall_ms)(struct gossip_time *time);

    /* Fills buffer with bits nobody can guess. IO if there are none. */
    int (*random)(struct gossip_time *time, uint8_t *buffer, size_t size);
};

/* An implementation embeds this as its first member. */
struct gossip_time {
    const struct gossip_time_ops *ops;
};

/* The machine's clocks and randomness, for any thread. Never freed, never NULL. */
struct gossip_time *gossip_system_time(void);

#ifdef __cplusplus
}
#endif

#endif
