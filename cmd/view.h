/*
 * What answers are made of: a node, as json.c and plain.c show it to programs and to people.
 */
#ifndef CMD_VIEW_H
#define CMD_VIEW_H

#include "cmd/names.h"
#include "gossip/gossip.h"

struct view {
    struct gossip *gossip;
    const struct gossip_identity *identity;
    struct gossip_transport *transport; /* NULL: the node is not running. */
    const struct names *names;
    bool colour; /* In text for people. */
};

/* How one event stands to another, and what says so. */
struct relation_view {
    struct gossip_dot a;
    struct gossip_dot b;
    enum gossip_relation relation;
    uint64_t seen; /* BEFORE: the last event of a's author that b has seen. AFTER: the reverse. */
};

/* What is known here of an author that has forked. */
struct proof_view {
    struct gossip_signed record;
    struct gossip_proof proof;
    int held;           /* Which of the two hashes the event held here has: 0, 1, or -1 for none. */
    uint64_t contested; /* How many of the author's events were delivered and no longer count. */
};

/* Looks up what there is to say of a proof. INVALID and FORGED (it is none), IO, DAMAGED, NOMEM. */
int view_proof(const struct view *view, const struct gossip_signed *record,
               struct proof_view *ret_proof);

/* Held-back events that an answer shows. */
enum { VIEW_HELD_MAX = 256 };

/* "unreached", "alive" or "silent". */
const char *view_peer_state(enum gossip_peer_state state);

/* How a key stands in the cluster: "member", "forked" (in one of its epochs) or "evicted". */
const char *view_standing(const struct view *view, const uint8_t key[GOSSIP_KEY_SIZE]);

/* "fork" or "eviction": what has cut an author. */
const char *view_cut_cause(const struct gossip_author *author);

/* "application", "context" or "epoch-open"; NULL for a kind of a later version. */
const char *view_event_kind(uint64_t kind);

/* "ready", "asking" or "fetching". */
const char *view_start_state(enum gossip_start_state state);

/* What each bit of enum gossip_evidence is called, from the lowest on; NULL past the last. */
const char *view_evidence(size_t index);

/* The name of the author with id, or ? and its first digits where it is not known. */
void view_add_author(const struct view *view, const uint8_t id[GOSSIP_ID_SIZE], struct text *text);

#endif
