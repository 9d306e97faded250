/*
 * A node as a function of what happened: step it with inputs, then take the effects. It opens
 * nothing, reads no clock and calls nobody back; bytes, time and randomness are inputs. The one
 * thing it asks of the outside is to read stored events, through the store interface.
 */
#ifndef GOSSIP_NODE_H
#define GOSSIP_NODE_H

#include "gossip/crypto.h"
#include "gossip/gossip.h"

struct gossip_node;

struct gossip_node_config {
    const struct gossip_crypto *crypto;
    const struct gossip_identity *identity; /* Lent for the life of the node. */
    struct gossip_store *store;             /* To load and read from; never saved to. */
    uint8_t seed[32]; /* All randomness grows from it. Fresh at each start: an old one would repeat
                         nonces. */
    uint64_t now_ms;
    uint64_t wall_ms;
    uint32_t period_ms;
    uint32_t payload_max;
    uint32_t fanout;
    enum gossip_peer_choice choice;
    const struct gossip_address *joins;
    size_t join_count;
    uint64_t boot_count; /* 0: this is a new boot. Else the node is made again in this one. */
    bool is_offline;     /* No boot: it will never send anything. */
    uint32_t alone_after_ms;
    bool has_waited; /* Of a node made again in its boot: its wait is over, */
    bool has_dated;  /* and it has dated own events that were saved. */
};

enum gossip_input_kind {
    GOSSIP_INPUT_TIME, /* Nothing but that time has passed. */
    GOSSIP_INPUT_DATAGRAM,
    GOSSIP_INPUT_PUBLISH,
};

struct gossip_input {
    enum gossip_input_kind kind;
    uint64_t now_ms;                 /* Monotonic; never less than at the step before. */
    uint64_t wall_ms;                /* Since 1970. */
    struct gossip_datagram datagram; /* DATAGRAM: and where from. */
    uint64_t ticket;                 /* PUBLISH */
    const uint8_t *payload;
    size_t payload_size;
    const uint8_t *once; /* NULL: it may be written again. */
    size_t once_size;
};

/* What to do after a batch of steps, in this order. Lent until the next step. */
struct gossip_effects {
    const struct gossip_record *records; /* To save, all or none, and only then ... */
    size_t record_count;
    const struct gossip_datagram *datagrams; /* ... to send, */
    size_t datagram_count;
    const struct gossip_result *results; /* to tell who published, */
    size_t result_count;
    const struct gossip_notice *notices; /* and to show. */
    size_t notice_count;
    uint64_t deadline_ms; /* To step again by; UINT64_MAX: no need. */
};

/* Makes a node of what the store holds; an empty store becomes that of a new node. Its first
 * effects count the boot: they are to be taken and saved before anything else.
 * FOREIGN (the store is another node's), DAMAGED, FORGED (identity), IO, NOMEM. */
int gossip_node_create(const struct gossip_node_config *config, struct gossip_node **ret_node);
void gossip_node_destroy(struct gossip_node *node);

/* Tells node what happened. A datagram that is forged, malformed or stale is no error: it is
 * counted and has no effect. After an error (NOMEM, IO, DAMAGED) the node is of no more use: what
 * it holds may be ahead of the effects it can tell. Destroy it and make it again from the store,
 * which is the truth. */
int gossip_node_step(struct gossip_node *node, const struct gossip_input *input);

struct archive_block;

/* Tells node what a block of an archive holds. Errors as of a step; what it is judged to be goes to
 * *ret_verdict. */
int gossip_node_import(struct gossip_node *node, const struct archive_block *block,
                       enum gossip_verdict *ret_verdict);

/* Whether the batch is large enough to be taken now. */
bool gossip_node_batch_is_full(const struct gossip_node *node);

/* Takes the effects of all steps since the last take. Errors as step. */
int gossip_node_take(struct gossip_node *node, struct gossip_effects *ret_effects);

/* While read-only a node makes no records: it publishes nothing (FULL) and takes no events in, but
 * goes on answering from what is stored. */
void gossip_node_set_read_only(struct gossip_node *node, bool read_only);

/* Whether publications may be stepped: the node has made sure that its store was not set back, or
 * has waited long enough. Until then they wait with the caller. */
bool gossip_node_may_publish(const struct gossip_node *node);

/* Whether it has found out that another process writes under its key: what its effects hold is to
 * be saved, nothing is to be sent, and it is of no more use. */
bool gossip_node_is_cloned(const struct gossip_node *node);

/* As which it writes, and how far, this batch included. */
void gossip_node_own(const struct gossip_node *node, uint8_t ret_epoch[GOSSIP_EPOCH_SIZE],
                     uint64_t *ret_have);

/* Whether it has written own events whose time is the wall clock's, not one counted on. */
bool gossip_node_has_dated(const struct gossip_node *node);

/* Which boot it is: how many there have been. And how many there have been as far as peers tell,
 * which are more where the store was set back: from there the next start counts on. */
uint64_t gossip_node_boot(const struct gossip_node *node);
uint64_t gossip_node_known_boot(const struct gossip_node *node);

#endif
