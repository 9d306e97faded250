/*
 * What a node is made of, for the files that make it: node.c (the switchboard), greet.c (hellos),
 * exchange.c (digests), pull.c and serve.c (asking and answering), deliver.c and publish.c
 * (events).
 */
#ifndef GOSSIP_STATE_H
#define GOSSIP_STATE_H

#include "gossip/amnesia.h"
#include "gossip/assembly.h"
#include "gossip/batch.h"
#include "gossip/contexts.h"
#include "gossip/digest.h"
#include "gossip/held.h"
#include "gossip/node.h"
#include "gossip/peers.h"
#include "gossip/random.h"
#include "gossip/records.h"
#include "gossip/reissue.h"
#include "gossip/runs.h"

enum { INQUIRIES_MAX = 16 };

/* What a peer is being asked about an author's chain, which it holds differently: inquiry.c. */
struct inquiry {
    uint32_t author;
    uint32_t peer;
    uint64_t low;  /* Up to here both agree, */
    uint64_t high; /* and here they do not. */
    unsigned attempts;
    uint64_t due_ms; /* When to ask again. */
};

struct proof_half;

struct gossip_node {
    const struct gossip_crypto *crypto;
    const struct gossip_identity *identity;
    struct gossip_store *store;
    uint32_t period_ms;
    uint32_t payload_max;
    uint32_t fanout;
    enum gossip_peer_choice choice;

    struct random_source random;
    uint64_t now_ms;
    uint64_t wall_ms;
    uint64_t boot_count;
    uint64_t boot_id;
    uint8_t token_key[32];
    bool read_only;

    struct authors authors;
    uint32_t self;
    struct gossip_vclock have; /* What is stored and delivered, this batch included. */
    struct gossip_vclock told; /* What our events have told so far. */
    bool has_told;             /* That is known: it is gathered before the first of a boot. */
    uint64_t delivery;         /* Number of the last delivery. */
    uint64_t hlc;
    uint64_t saved_hlc;

    struct batch batch;
    bool has_stepped;
    bool taken; /* The batch has been taken: the next step starts a new one. */
    struct contexts contexts;
    struct held held;
    struct runs runs;
    uint64_t repair_ms;        /* When to ask for what held-back events and early runs wait for. */
    uint64_t repair_delay_ms;  /* How long after the last time; 0 before the first. */
    uint64_t repair_delivered; /* What had been delivered by then. */

    struct amnesia amnesia;
    struct reissue reissue;
    struct records records;
    struct assemblies assemblies;
    struct inquiry inquiries[INQUIRIES_MAX];
    size_t inquiry_count;
    struct peers peers;
    uint64_t hello_budget;    /* Hellos we still look at ... */
    uint64_t hello_refill_ms; /* ... and since when it has been filled again. */
    uint64_t addresses_ms;    /* When to ask where the missing are, */
    uint64_t addresses_interval_ms;

    uint64_t exchange_ms; /* When the next exchange begins ... */
    uint64_t interval_ms; /* ... and how long after it the one after. */
    uint32_t next_peer;   /* Round robin. */
    bool trie_fits;
    uint8_t trie[GOSSIP_HASH_SIZE];
    uint8_t set[GOSSIP_HASH_SIZE]; /* Hash of the set of records. */

    struct gossip_stats stats;
    struct wire_arena arena;
};

/* Whether the store keeps events; else this node observes: it delivers, and moves its clock, and
 * each event is below its floor at once. It writes none, and has none to show anybody. */
bool node_keeps_events(const struct gossip_node *node);

/* greet.c: who is who, and where. */
void greet_start(struct gossip_node *node);
enum gossip_verdict greet_receive(struct gossip_node *node, enum datagram_kind kind,
                                  const struct gossip_datagram *datagram, int *ret_error);

/* Takes in a certificate if it is new and sound; issuer may be absent. *ret_peer is whose it is,
 * NO_PEER if it is our own. FORGED or MALFORMED where it is not accepted. */
enum gossip_verdict greet_admit(struct gossip_node *node, struct wire_bytes certificate,
                                struct wire_bytes issuer, uint32_t *ret_peer, int *ret_error);

/* The same for the author that an introduction tells of; MALFORMED where the certificate is not its
 * key's. */
enum gossip_verdict greet_introduced(struct gossip_node *node,
                                     const struct wire_introduction *introduction,
                                     uint32_t *ret_peer, int *ret_error);

/* The certificate of a member's key, ours included; NULL while none is known. */
const struct certificate *greet_certificate(const struct gossip_node *node, const uint8_t *key);

/* Finds a certificate of a key that the cluster itself has signed, with this right (of enum
 * gossip_right). */
bool greet_known_issuer(const struct gossip_node *node, const uint8_t *key, uint32_t right,
                        struct certificate *ret_issuer);

/* Makes a peer of a certificate that was verified and is not yet known. */
int greet_add_member(struct gossip_node *node, const struct certificate *certificate);

/* A peer's boot and address have been proven, up to counter. */
int greet_proven(struct gossip_node *node, uint32_t peer, const struct gossip_address *address,
                 uint64_t boot_id, uint64_t counter);

/* The address of a box that opens but whose boot or address is not proven gets our hello. */
int greet_unproven(struct gossip_node *node, uint32_t peer, const struct gossip_address *address);
bool greet_token_fits(struct gossip_node *node, uint32_t peer, const struct gossip_address *address,
                      uint64_t boot_id, const uint8_t *token);
enum gossip_verdict greet_addresses(struct gossip_node *node, uint32_t peer,
                                    const struct wire_addresses *addresses, int *ret_error);

int greet_time(struct gossip_node *node);
uint64_t greet_deadline(const struct gossip_node *node);

/* node.c: puts a message into a box for an alive peer. The message is a kind and its bytes; a
 * digest gets its signature. */
int node_send(struct gossip_node *node, uint32_t peer, enum message_kind kind,
              const uint8_t *message, size_t size);
bool node_pair(struct gossip_node *node, uint32_t peer); /* Whether there is a key for boxes. */
int node_notice(struct gossip_node *node, enum gossip_notice_kind kind, uint32_t peer,
                struct gossip_dot dot, uint64_t number);

/* Something is new: exchanges go back to their usual pace. */
void node_wake(struct gossip_node *node);

/* exchange.c */
int exchange_begin(struct gossip_node *node, uint32_t peer);
enum gossip_verdict exchange_receive(struct gossip_node *node, uint32_t peer,
                                     const struct wire_digest *digest, int *ret_error);
int exchange_time(struct gossip_node *node);
uint64_t exchange_deadline(const struct gossip_node *node);

/* pull.c */
struct need {
    uint8_t author[GOSSIP_ID_SIZE];
    uint64_t last; /* All its events up to this one, 0: none; */
    uint64_t cut;  /* and what cuts it here; 0: nothing does. */
};
enum { NEEDS_MAX = 64, NEEDED_RECORDS_MAX = 24 };

/* Asks peer for what is needed, as far as it is not here and nobody else is being asked. records
 * are ids, GOSSIP_ID_SIZE bytes each. */
int pull_begin(struct gossip_node *node, uint32_t peer, const struct need *needs, size_t count,
               const uint8_t *records, size_t record_count);

/* Counts a part of an answer; new_data tells whether it brought anything. */
int pull_note_part(struct gossip_node *node, uint32_t peer, const struct wire_part *part,
                   bool new_data);
void pull_plan_repair(struct gossip_node *node);
int pull_time(struct gossip_node *node);
uint64_t pull_deadline(const struct gossip_node *node);

/* serve.c */
enum gossip_verdict serve_pull(struct gossip_node *node, uint32_t peer,
                               const struct wire_pull *pull, int *ret_error);
int serve_push(struct gossip_node *node); /* Our events of this batch, to all alive peers. */

/* Whether answers may still go out in this batch, or too much waits to be sent. */
bool serve_may_answer(const struct gossip_node *node);

/* Sends a record, or what looks like one, unasked. */
int serve_record(struct gossip_node *node, uint32_t peer, const uint8_t *id, const uint8_t *bytes,
                 size_t size);

/* Whether what has made the cut of an author vouches for the last of its events that count;
 * *ret_links is set where it does so by way of the link of the event at the cut. 1, 0, or IO,
 * DAMAGED, NOMEM. */
int serve_cut_closes(struct gossip_node *node, uint32_t author, bool *ret_links,
                     uint8_t ret_link[WIRE_LINK_SIZE]);

/* Sends the record that has made an author's cut. */
int serve_cut(struct gossip_node *node, uint32_t peer, uint32_t author);

/* deliver.c */
enum gossip_verdict deliver_part(struct gossip_node *node, uint32_t peer,
                                 const struct wire_part *part, int *ret_error);

/* A peer has shown how the chain of an author goes on: runs of its that end there can be judged. */
int deliver_witnessed(struct gossip_node *node, uint32_t peer, const struct proof_half *half);

/* Appends a verified event whose context is satisfied to what is stored and delivered. */
int deliver_event(struct gossip_node *node, uint32_t author, const struct chain *chain,
                  const uint8_t *body, size_t body_size, const struct frame *frame,
                  const uint8_t *seal);

/* An author has become known or moved on: delivers what waited for it. */
int deliver_waiting(struct gossip_node *node, uint32_t author);

/* A peer has shown that its chain of an author differs from ours at seq: it is asked about it. */
int deliver_disagreement(struct gossip_node *node, uint32_t author, uint32_t peer, uint64_t seq);

/* publish.c */
int publish_event(struct gossip_node *node, const struct gossip_input *input);

/* What an event of ours says, after its frame. */
struct publication_fields {
    const uint8_t *supersedes; /* GOSSIP_HASH_SIZE bytes, or NULL. */
    const uint8_t *payload;    /* NULL: it has none. */
    size_t payload_size;
    const uint8_t *once; /* The key it is asked for with; NULL: it has none. */
    size_t once_size;
};

/* Writes one event with these entries, and nothing else. */
int publish_write(struct gossip_node *node, enum gossip_event_kind kind,
                  const struct frame_entry *entries, size_t count,
                  const struct publication_fields *fields);

/* Writes the first event of an epoch that follows another: it names the last event of the old one,
 * and all else that is here, as far as there is room. NOMEM. */
int publish_opening(struct gossip_node *node, uint32_t before);

/* Writes an application event, and before it what has to come first: a new epoch, context events.
 * LIMIT where counters end; NOMEM. */
int publish_fields(struct gossip_node *node, const struct publication_fields *fields);
int publish_seal(struct gossip_node *node); /* Seals the last of our events in this batch. */

/* start.c: what a node does before its first step. */
int start_load(struct gossip_node *node, const struct gossip_node_config *config);

#endif
