/*
 * The other members of the cluster, where they are and how we stand with them, and the addresses
 * that get our unasked hellos.
 */
#ifndef GOSSIP_PEERS_H
#define GOSSIP_PEERS_H

#include "gossip/datagram.h"
#include "gossip/replay.h"

struct proof_half;

#define NO_PEER UINT32_MAX

enum {
    TARGETS_MAX = 1024,
    /* At one a second, answers that took a quarter of a minute still count. */
    EXCHANGES_KEPT = 16,
    /* So many hellos to one address may wait for their welcome: on a slow path it comes late. */
    HELLOS_KEPT = 16,
    /* A token is good for two minutes; hardly anybody starts more often in them. */
    /* So many authors one answer tells of. */
    WITNESSES_OF_PEER = GOSSIP_WANTS_MAX,
    PAST_BOOTS_KEPT = 8,
    /* After so many hellos an address we only heard of is forgotten. */
    HELLOS_TO_HEARSAY = 10,
    RTT_UNKNOWN_MS = 400,
    PATIENCE_MAX_MS = 30000,
};

/* What we have asked a peer for and not got whole yet. */
struct pull {
    bool open;
    uint64_t request;
    struct pull_want {
        uint8_t author[GOSSIP_ID_SIZE];
        uint64_t last;
        uint64_t cut;  /* Asked for what has made it; 0: nothing of the kind. */
        uint64_t tail; /* Where the author's chain stood when it was asked for, */
        uint64_t had;  /* and where it was cut. */
    } wants[GOSSIP_WANTS_MAX];
    size_t want_count;
    bool known_count;  /* A part has told how many there are ... */
    uint32_t count;    /* ... and this is it. */
    uint32_t received; /* How many of them have come ... */
    uint8_t *seen;     /* ... and which, a bit each. */
    size_t seen_size;
    bool more;
    bool brought; /* Something new has come. */
    bool again;   /* There was more to ask for when it was out. */
    uint64_t begun_ms;
    uint64_t deadline_ms; /* Given up when nothing new comes until then. */
};

/* What a peer said when it last said hello, as it was signed: should it forget that it did, it can
 * be shown. */
struct heard_greeting {
    uint64_t boot_count; /* 0: nothing. */
    uint64_t boot_id;
    uint8_t kind; /* enum datagram_kind */
    uint8_t signature[GOSSIP_SIGNATURE_SIZE];
    size_t size;
    uint8_t body[GOSSIP_HELLO_SIZE];
};

struct peer {
    struct certificate certificate;
    bool has_pair_key;
    uint8_t pair_key[32];
    enum gossip_peer_state state;
    struct gossip_address address; /* Proven in this boot, or as stored; port 0: none. */
    struct gossip_address saved;   /* As it is stored. */

    uint64_t boot_count;            /* That it last spoke of. */
    struct heard_greeting greeting; /* The one with the greatest. */
    bool has_boot;                  /* Its boot and address are proven. */
    uint64_t boot_id;
    uint64_t past_boots[PAST_BOOTS_KEPT]; /* That others have followed. */
    size_t past_boot_count;               /* How many there have been. */
    struct replay_window window;
    uint64_t counter;  /* The last one we used to it. */
    bool has_token;    /* To be sent back to it, */
    uint64_t token_ms; /* received then. */
    uint8_t token[GOSSIP_TOKEN_SIZE];
    bool heard;
    uint64_t heard_ms;
    uint64_t rtt_ms;   /* How long it takes to answer, as of late. */
    size_t list_place; /* Where the next list it gets begins, */
    size_t records_place;

    bool asking; /* An exchange of ours is open. */
    uint64_t asked_ms;
    /* The last of our exchanges with it: an answer may be slower than our patience. */
    uint8_t asked[EXCHANGES_KEPT][GOSSIP_NONCE_SIZE];
    size_t asked_next;
    unsigned missed; /* Exchanges in a row that stayed without an answer. */
    bool answered;   /* We have answered an exchange of its, which it may close. */
    uint8_t answered_exchange[GOSSIP_NONCE_SIZE];
    bool in_step;            /* In the last exchange, when */
    uint64_t in_step_number; /* this was the last delivery here. */
    bool has_shown; /* Since our last cut, that it knows of no event of ours that is not here. */
    bool wanted;    /* An exchange with it is due at once. */
    uint64_t exchanges;
    uint64_t answers;

    struct pull pull;
    size_t window_bytes; /* Of the next pull. */
    bool failed;         /* It did not bring what it said it had: others are asked as well. */
    struct proof_half *witnesses[WITNESSES_OF_PEER]; /* What it has shown last; see witness.h. */
    size_t next_witness;
    bool passed_over; /* Not asked for what somebody else was bringing. */
};

/* An address that gets our hello. */
struct target {
    struct gossip_address address;
    uint32_t peer;   /* Who is thought to be there, or NO_PEER. */
    bool configured; /* Tried for ever, */
    bool kept;       /* as is the last address at which a peer was proven. */
    bool urgent;     /* Somebody there speaks whom we know under another boot or address. */
    struct sent_hello {
        bool waiting; /* For its welcome. */
        uint8_t nonce[GOSSIP_NONCE_SIZE];
        uint64_t sent_ms;
    } hellos[HELLOS_KEPT]; /* The last of them, in a ring. */
    unsigned sent;         /* How many there have been, */
    unsigned tries;        /* and since something was heard from there. */
    uint64_t due_ms;       /* Not before. */
    uint64_t interval_ms;
};

struct peers {
    struct peer **items;
    size_t count;
    size_t capacity;
    struct target *targets;
    size_t target_count;
    size_t target_capacity;
    /* When something is due next for any peer, and for any target; 0: that is to be found anew.
     * With a thousand of them to look at all at every datagram takes longer than all the rest. */
    uint64_t peer_due_ms;
    uint64_t target_due_ms;
};

/* What is due for a peer, or for a target, may be due sooner now: said by whoever makes it so. */
static inline void peers_stir(struct peers *peers)
{
    peers->peer_due_ms = 0;
}

static inline void targets_stir(struct peers *peers)
{
    peers->target_due_ms = 0;
}

/* Notes how long an answer of peer has taken. */
void peer_note_rtt(struct peer *peer, uint64_t rtt_ms);

/* How long to wait for peer before what was sent counts as lost. */
uint64_t peer_patience(const struct peer *peer);

void peers_clear(struct peers *peers);

/* Adds a peer; *ret_peer is its number. NOMEM. */
int peers_add(struct peers *peers, const struct certificate *certificate, uint32_t *ret_peer);

/* The number of a peer by node id or key, or NO_PEER. */
uint32_t peers_find_node(const struct peers *peers, const uint8_t node[GOSSIP_ID_SIZE]);
uint32_t peers_find_key(const struct peers *peers, const uint8_t key[GOSSIP_KEY_SIZE]);

/* Takes up a boot that has been proven. */
void peer_set_boot(struct peer *peer, uint64_t boot_id, uint64_t counter);

/* Whether another boot has followed this one. */
bool peer_boot_is_past(const struct peer *peer, uint64_t boot_id);

/* The target at address, or NULL; lent until one is added or removed. */
struct target *targets_find(struct peers *peers, const struct gossip_address *address);

/* Adds an address that gets a hello at due_ms and then every interval_ms, slowing down. One that is
 * there keeps its pace. *ret_target is lent as above. LIMIT (too many), NOMEM. */
int targets_add(struct peers *peers, const struct gossip_address *address, uint32_t peer,
                uint64_t due_ms, uint64_t interval_ms, struct target **ret_target);

/* Makes room in a full table for an address that has been proven: one that was only heard of and
 * has not answered gives way. For hearsay nothing does, or there would be no bound on our hellos.
 */
void targets_make_room(struct peers *peers);

void targets_remove(struct peers *peers, struct target *target);

/* Whether a target needs no hello: whoever is there is alive, and nothing is odd. */
bool target_rests(const struct peers *peers, const struct target *target);

#endif
