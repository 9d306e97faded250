/*
 * gossip: nodes that tell each other signed events over UDP, with a vector clock on each.
 *
 * A service makes a store (store.h), a transport (transport.h), an identity and, of them, a
 * gossip. It waits on gossip_poll_fd() for at most gossip_timeout_ms(), calls gossip_run(), and
 * then pops results, events and notices. Nothing blocks but the store's commit; nothing is called
 * back; nothing is printed.
 *
 * Memory. What goes into a call is lent for that call, unless its comment says for how long; what a
 * ret_ pointer brings is the caller's, to be given back by the call of the same noun (_create and
 * _destroy, _open and _close); ret_ pointers are written on success only. What is shown as *lent*
 * stays valid until the next call on the same gossip that is not a mere read: gossip_run,
 * gossip_publish, *_pop, gossip_event_get, gossip_log_next, gossip_destroy and what takes in or
 * writes out archives.
 *
 * Threads. One gossip, with its store, transport, logs and exports, belongs to one thread at a
 * time; several gossips may run in several threads, each over a store and a transport of its own.
 * Other threads publish by way of a mailbox (mailbox.h). What takes neither a gossip nor a store
 * nor a transport may be called from any thread, on an object that no other thread changes
 * meanwhile: identities, clocks, proofs, archives, names, addresses, gossip_system_time().
 *
 * Visits, reports and reads that a caller hands in are called before the call in question returns,
 * by the thread that made it, and may call nothing on the same gossip, store or transport.
 */
#ifndef GOSSIP_GOSSIP_H
#define GOSSIP_GOSSIP_H

#include "gossip/limits.h"
#include "gossip/store.h"
#include "gossip/transport.h"
#include "gossip/vclock.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a call that can fail returns: GOSSIP_OK, or one of these. All are negative, so that a call
 * may return a count instead of GOSSIP_OK. The numbers never change. */
enum gossip_error {
    GOSSIP_OK = 0,
    GOSSIP_ERR_NOMEM = -1,     /* Out of memory. */
    GOSSIP_ERR_INVALID = -2,   /* An argument or a text is not of the form asked for. */
    GOSSIP_ERR_LIMIT = -3,     /* A limit of the protocol or the configuration was reached. */
    GOSSIP_ERR_NOT_FOUND = -4, /* There is no such thing here. */
    GOSSIP_ERR_EXISTS = -5,    /* There is one already. */
    GOSSIP_ERR_FULL = -6,      /* The disk is full; nothing was changed, try again later. */
    GOSSIP_ERR_IO = -7,      /* Reading or writing failed; after a write the outcome is unknown. */
    GOSSIP_ERR_DAMAGED = -8, /* What is stored contradicts itself. */
    GOSSIP_ERR_FOREIGN = -9, /* Not ours, of another cluster, or of a newer version. */
    GOSSIP_ERR_LOCKED = -10, /* Another process uses it. */
    GOSSIP_ERR_PERMISSION = -11, /* The system does not allow it, or allows too much. */
    GOSSIP_ERR_IN_USE = -12,     /* The address is taken. */
    GOSSIP_ERR_FORGED = -13,     /* A signature does not fit. */
    GOSSIP_ERR_PRUNED = -14,     /* It is below the floor: no longer held here. */
    GOSSIP_ERR_CLONED = -15,     /* Another process writes under the same key. */
    GOSSIP_ERR_EVICTED = -16,    /* The cluster has ended what this key may say. */
    GOSSIP_ERR_OBSERVER = -17,   /* Its store keeps no events: it follows, and publishes none. */
    GOSSIP_ERR_STOPPED = -18,    /* Whoever was to do it has stopped before; it was not done. */
};

/* What an error means, in a few words; never NULL. */
const char *gossip_strerror(int error);

/* The version of the library, "0.1.0". */
const char *gossip_version(void);

/* ---- Identities: who a node is, and of which cluster. ---- */

/* What a certificate allows its holder; bits. */
enum gossip_right {
    GOSSIP_RIGHT_ADMIT = 1, /* May sign certificates. */
    GOSSIP_RIGHT_EVICT = 2, /* May sign evictions. */
};

/* A cluster's secret key, and its secret. In locked memory, wiped when freed. */
struct gossip_cluster;

/* A node's secret key and its certificate. In locked memory, wiped when freed. */
struct gossip_identity;

/* Longest text of either, with its final NUL, in bytes. */
enum { GOSSIP_IDENTITY_TEXT_MAX = 2048 };

/* Makes a new cluster, the caller's to destroy. IO (no randomness), NOMEM. */
int gossip_cluster_create(struct gossip_time *time, struct gossip_cluster **ret_cluster);

/* Wipes and frees it. NULL is allowed. */
void gossip_cluster_destroy(struct gossip_cluster *cluster);

/* Writes it as text, with a final NUL, to be kept in a file of mode 0600; ret_text is wiped by the
 * caller. Cannot fail. */
void gossip_cluster_to_text(const struct gossip_cluster *cluster,
                            char ret_text[GOSSIP_IDENTITY_TEXT_MAX]);

/* Reads size bytes of what gossip_cluster_to_text() has written. *ret_cluster is the caller's to
 * destroy. INVALID (and, unless NULL, ret_line tells the line, from 1), NOMEM. */
int gossip_cluster_from_text(const char *text, size_t size, struct gossip_cluster **ret_cluster,
                             size_t *ret_line);

/* Makes a new node's identity: a key, and a certificate signed by the cluster's key that gives it
 * name (1 to 32 of A-Z a-z 0-9 . _ -) and rights (of enum gossip_right). It is the caller's to
 * destroy. INVALID (name), IO (no randomness), NOMEM. */
int gossip_identity_create(const struct gossip_cluster *cluster, const char *name, unsigned rights,
                           struct gossip_time *time, struct gossip_identity **ret_identity);

/* Wipes and frees it: after the gossips that were made with it. NULL is allowed. */
void gossip_identity_destroy(struct gossip_identity *identity);

/* Writes it as text, with a final NUL, to be kept in a file of mode 0600; ret_text is wiped by the
 * caller. Cannot fail. */
void gossip_identity_to_text(const struct gossip_identity *identity,
                             char ret_text[GOSSIP_IDENTITY_TEXT_MAX]);

/* Reads size bytes of what gossip_identity_to_text() has written, and checks that key and
 * certificate fit each other and the cluster. *ret_identity is the caller's to destroy.
 * INVALID (and, unless NULL, ret_line tells the line, from 1), FORGED, NOMEM. */
int gossip_identity_from_text(const char *text, size_t size, struct gossip_identity **ret_identity,
                              size_t *ret_line);

/* The name in its certificate; lent for the life of the identity, never NULL. */
const char *gossip_identity_name(const struct gossip_identity *identity);

/* Its public key, GOSSIP_KEY_SIZE bytes; lent for the life of the identity. */
const uint8_t *gossip_identity_key(const struct gossip_identity *identity);

/* The public key of its cluster, GOSSIP_KEY_SIZE bytes; lent for the life of the identity. */
const uint8_t *gossip_identity_cluster(const struct gossip_identity *identity);

/* ---- A node. ---- */

/* A node with its store and transport. */
struct gossip;

/* Which peers a period's exchanges are with. */
enum gossip_peer_choice {
    GOSSIP_CHOOSE_RANDOM,
    GOSSIP_CHOOSE_ROUND_ROBIN,
    GOSSIP_CHOOSE_LEAST_RECENT,  /* Whom we asked longest ago. */
    GOSSIP_CHOOSE_MOST_RELIABLE, /* Who answered the greatest share, one in four at random. */
};

/* For poison_crashes: no event is ever passed over. */
#define GOSSIP_POISON_NEVER UINT32_MAX

/* What gossip_create() makes a node of. Zero in a field means its default. Pointers are lent for
 * the life of the gossip, but for joins, which is lent for the call. */
struct gossip_options {
    size_t size; /* sizeof(struct gossip_options). A library of a later version takes what is not
                    there as zero. */
    struct gossip_store *store;             /* Needed. Not closed by us. */
    struct gossip_transport *transport;     /* NULL: a node without a network. Not closed by us. */
    struct gossip_time *time;               /* Needed; gossip_system_time() as a rule. */
    const struct gossip_identity *identity; /* Needed. */
    const struct gossip_crypto *crypto;     /* NULL: libsodium; else for tests. */
    const struct gossip_address *joins;     /* Whom to say hello to at start. */
    size_t join_count;
    uint32_t period_ms;   /* Between exchanges; default 1000, 10 to 60000. */
    uint32_t payload_max; /* Bytes of payload we publish; default GOSSIP_PAYLOAD_DEFAULT, at most
                             GOSSIP_PAYLOAD_MAX. */
    uint32_t fanout;      /* Peers asked in a period; default 1, at most 3. */
    enum gossip_peer_choice choice;
    uint64_t after;          /* gossip_event_pop starts past this delivery number. */
    uint32_t alone_after_ms; /* How long publications wait at most, from the start on, to hear what
                                peers know of this node's own events; default 10000. */

    uint32_t poison_crashes; /* After how many ends of the process over one event it is passed over:
                                see gossip_event_pop(); default 2. */
};

/*
 * Starts a node: prepares a new store or loads a used one, and counts a new boot (a commit).
 * Without a transport nothing is counted, and a used store stays as it is until something is
 * published. Nothing is sent before gossip_run(). *ret_gossip is the caller's to destroy. INVALID
 * (options; also where a field that this version does not know is not zero), FOREIGN (the store
 * belongs to another key or cluster), FORGED (identity), and what the store returns; then the
 * store's explain() tells more.
 */
int gossip_create(const struct gossip_options *options, struct gossip **ret_gossip);

/* Frees the node; store, transport and identity stay the caller's, to be closed after it. What was
 * acknowledged is on disk: there is nothing to flush. A publication without a result was not
 * written, unless gossip_run() has failed. Logs and exports are closed before. NULL is allowed. */
void gossip_destroy(struct gossip *gossip);

/* A descriptor that is readable when gossip_run() has something to do; -1 without a transport. */
int gossip_poll_fd(struct gossip *gossip);

/* How long to wait at most before gossip_run(), in milliseconds; 0: call it now; -1: as long as you
 * like. */
int gossip_timeout_ms(struct gossip *gossip);

/*
 * Does all that waits: takes in datagrams and publications, commits once, then sends.
 * OK while the node can go on, also when the disk is full (see gossip_stats.read_only). After IO,
 * DAMAGED or, three times in a row, NOMEM the node has stopped for good: end the process and start
 * again, and the file tells what was committed. Until then nothing can be read: whatever returns an
 * error returns that one, the clock is empty, and there are no authors.
 */
int gossip_run(struct gossip *gossip);

/*
 * Before the first own event after a start a node makes sure that its store was not set back: to a
 * backup, or by a machine that forgot what it had promised. It asks up to three peers for its
 * newest own event. Until one has answered, or alone_after_ms have passed, publications wait;
 * reading, receiving and answering go on. Where there is evidence that the store was set back, it
 * fetches what peers hold of its own events, and opens a new epoch before it writes again.
 */
enum gossip_start_state {
    GOSSIP_START_READY,    /* Own events may be written. */
    GOSSIP_START_ASKING,   /* Peers are being asked. */
    GOSSIP_START_FETCHING, /* Peers hold own events that were lost here. */
};

/* How far a node has come with making sure. */
struct gossip_start {
    enum gossip_start_state state;
    unsigned evidence; /* Of enum gossip_evidence, until the new epoch is open. */
    unsigned asked;    /* Peers, and how many of them have answered. */
    unsigned answered;
    uint64_t left_ms; /* Until the wait ends in any case; 0 when it is over. */
};

/* Tells how far it has come. Cannot fail. */
void gossip_start_state(const struct gossip *gossip, struct gossip_start *ret_start);

/* ---- Publishing. ---- */

/*
 * Asks for an event to be written; data is copied. *ret_ticket names the request: when the event is
 * durable, or cannot be, gossip_result_pop() tells.
 * LIMIT (larger than payload_max, or more than 65,536 or 64 MiB waiting), OBSERVER (the store keeps
 * no events), NOMEM. For the thread that runs the gossip: others have mailboxes (mailbox.h).
 */
int gossip_publish(struct gossip *gossip, const void *data, size_t size, uint64_t *ret_ticket);

/*
 * The same for an event that is to be written once, however often it is asked for, so that a
 * request whose answer was lost can be made again. once, 1 to GOSSIP_ONCE_MAX bytes, is the key of
 * the request, and is copied. Where this node has an event with that key and the same data, the
 * result is that event's dot, and nothing is written; with other data, the result is EXISTS. What
 * counts are events of the node's own key, of all its epochs, that are here: also after a restart,
 * and once they have come back from peers after a store was set back. INVALID (the size of once, or
 * a store that cannot find events by their keys), and as gossip_publish().
 */
int gossip_publish_once(struct gossip *gossip, const void *data, size_t size, const void *once,
                        size_t once_size, uint64_t *ret_ticket);

/* The name of one event. */
struct gossip_dot {
    uint32_t author; /* Local number: this node's own, see gossip_author(). */
    uint64_t seq;    /* 1, 2, 3 ... */
};

/* What became of a publication. */
struct gossip_result {
    uint64_t ticket; /* As gossip_publish() told it. */
    int error;       /* GOSSIP_OK; or, and then there is no event, FULL, LIMIT (payload_max), or
                        EVICTED; or EXISTS: the key stands for another event, dot. */
    struct gossip_dot dot; /* The event, durable. */
    bool repeated;         /* It was written for an earlier request with the same key. */
};

/* Takes the next result, in the order of the publications: 1, or 0 if there is none. Cannot fail.
 */
int gossip_result_pop(struct gossip *gossip, struct gossip_result *ret_result);

/* ---- Events. ---- */

/* What an event is for. */
enum gossip_event_kind {
    GOSSIP_EVENT_APPLICATION = 1,
    GOSSIP_EVENT_CONTEXT = 2,    /* Carries only context; the application need not care. */
    GOSSIP_EVENT_EPOCH_OPEN = 3, /* Its author begins a new epoch. */
                                 /* Any other: of a later version. Kept and shown as it is. */
};

/* An event, as this node holds it. */
struct gossip_event {
    uint64_t delivery; /* The local number of its delivery: a cursor. */
    struct gossip_dot dot;
    uint64_t kind;       /* enum gossip_event_kind, or what a later version made. */
    uint64_t hlc;        /* Hybrid logical clock: 48 bits of milliseconds, 16 of counter. */
    uint64_t time_ms;    /* The milliseconds in it, since 1970: the author's wall clock. */
    const uint8_t *data; /* The payload, lent; NULL where it has none that we can read. */
    size_t size;
    const struct gossip_vclock *clock; /* Its context and itself, lent. */
    const uint8_t *hash;               /* Its own, lent: GOSSIP_HASH_SIZE bytes. */
    bool contested; /* It lies behind its author's cut, and was delivered before that was known. */
    const uint8_t *supersedes; /* Lent: the hash, 32 bytes, of the event that its author had written
                                  before and issues again here; NULL as a rule. */
};

/*
 * Takes the next event in delivery order: 1, or 0 if there is none. Context events are passed over.
 * Events behind a cut are passed over too: what had been popped before the cut was known stays so.
 * The queue is the store: an application that keeps the delivery number of the last event it has
 * dealt with, and passes it as options.after, sees each event at least once, across any crash.
 *
 * An event that ends the process again and again ends there too: over a store that keeps a marker,
 * one over which the process has ended twice (by a crash or by a kill, after it was popped and
 * before the next call of this, of gossip_run() or gossip_destroy()) counts as popped and is passed
 * over, with a notice. It is in the log as ever. An observer, whose store keeps no events, has none
 * to show: its clock tells what it has delivered. IO, DAMAGED, NOMEM.
 */
int gossip_event_pop(struct gossip *gossip, struct gossip_event *ret_event);

/*
 * Shows the first event that was delivered past the delivery number after: 1, or 0 if there is none
 * yet. Nothing is taken, so that any number of readers may follow, each by a number of its own;
 * context events and those behind a cut are shown too. Of a store that was restored or built again
 * the numbers are others: docs/cli.md, "Cursors", tells what to keep for one. *ret_event is lent
 * until the next call that shows an event. IO, DAMAGED, NOMEM.
 */
int gossip_event_after(struct gossip *gossip, uint64_t after, struct gossip_event *ret_event);

/* The delivery number of the last event that was delivered; 0: there is none. */
uint64_t gossip_last_delivery(const struct gossip *gossip);

/* Shows one event; *ret_event is lent, and what another call has shown is no longer. NOT_FOUND,
 * PRUNED, IO, DAMAGED, NOMEM. */
int gossip_event_get(struct gossip *gossip, struct gossip_dot dot, struct gossip_event *ret_event);

/*
 * The displayed order of all events held: of those whose context has been shown, the one with the
 * least (hlc, author id, seq) comes next. It depends on the set of events only, so nodes in step
 * show the same. Events that arrive after it was opened are not in it. It is closed before the
 * gossip is destroyed; what it shows is lent until its next call.
 */
struct gossip_log;

/* Which events a log shows. */
enum gossip_log_kind {
    GOSSIP_LOG_EVENTS,    /* All that count. */
    GOSSIP_LOG_CONTESTED, /* Those behind a cut that were delivered before it was known: by (hlc,
                             author id, seq), those of one author in the order it wrote them. */
};

/* Opens a log of the events held now. *ret_log is the caller's to close. NOMEM. */
int gossip_log_open(struct gossip *gossip, enum gossip_log_kind kind, struct gossip_log **ret_log);

/* Shows the next event: 1, or 0 at the end. IO, DAMAGED, NOMEM. */
int gossip_log_next(struct gossip_log *log, struct gossip_event *ret_event);

/* Closes it. NULL is allowed. */
void gossip_log_close(struct gossip_log *log);

/* ---- What is known. ---- */

/* What this node knows of an author. */
struct gossip_author {
    uint32_t number; /* Local. */
    uint8_t id[GOSSIP_ID_SIZE];
    uint8_t key[GOSSIP_KEY_SIZE];
    uint8_t epoch[GOSSIP_EPOCH_SIZE];
    const char *name;   /* From its certificate, lent; NULL while that is missing. */
    uint64_t have;      /* The last of its events stored and delivered here. */
    uint64_t floor;     /* Its events up to here are no longer held. */
    uint64_t held;      /* Its verified events that wait for their context. */
    bool is_self;       /* The author as which this node publishes. */
    bool is_own;        /* Its key is this node's: the one above, or one of its closed epochs. */
    uint64_t cut;       /* From this seq on its events do not count; 0: no cut. */
    bool is_forked;     /* A proof that it forked has made the cut; else an eviction has. */
    uint64_t contested; /* How many of its events were delivered and lie behind the cut. */
};

/* How many authors are known; they are numbered from 0. */
size_t gossip_author_count(const struct gossip *gossip);

/* Shows an author by its local number; the name in *ret_author is lent. NOT_FOUND. */
int gossip_author(const struct gossip *gossip, uint32_t number, struct gossip_author *ret_author);

/* The number of the author as which this node publishes. */
uint32_t gossip_self(const struct gossip *gossip);

/* What this node holds and has delivered, and has committed; lent. */
const struct gossip_vclock *gossip_clock(const struct gossip *gossip);

/*
 * The names of a gossip's authors, which is the context, for gossip_vclock_to_json() and
 * _to_text(): that of the certificate; where two authors share it (two nodes of one name, or one
 * before and after it lost its store) that, # and the epoch in hex, and the id behind it where they
 * share that too; and ? and the id where the certificate is not here yet. The file store calls them
 * the same. NOT_FOUND, INVALID (no room).
 */
int gossip_author_name(void *gossip, uint32_t author, char *name, size_t size);

/* Finds an author by such a name, for gossip_vclock_from_json() and _from_text(); of one that has
 * got its certificate since, also by the id. NOT_FOUND, INVALID (more than one is called so). */
int gossip_author_find(void *gossip, const char *name, size_t size, uint32_t *ret_author);

/* How a stands to b; BEFORE means that a could have caused b. NOT_FOUND, IO, DAMAGED, NOMEM. */
int gossip_relation(struct gossip *gossip, struct gossip_dot a, struct gossip_dot b,
                    enum gossip_relation *ret_relation);

/* A held-back event: verified, and what its context names is not all here. */
struct gossip_held {
    struct gossip_dot dot;            /* The event that waits. */
    uint8_t waits_id[GOSSIP_ID_SIZE]; /* The dot it waits for: author id ... */
    uint64_t waits_seq;               /* ... and seq. */
};

/* Shows up to capacity of the first held-back event of each author; returns how many there are. */
size_t gossip_held(const struct gossip *gossip, struct gossip_held *ret_held, size_t capacity);

/* How a peer stands to this node. */
enum gossip_peer_state {
    GOSSIP_PEER_UNREACHED, /* Known, not yet heard in this boot. */
    GOSSIP_PEER_ALIVE,     /* Its address is proven and it answers. */
    GOSSIP_PEER_SILENT,    /* It has stopped answering; it is tried slowly for ever. */
};

/* What this node knows of another. */
struct gossip_peer {
    uint8_t key[GOSSIP_KEY_SIZE];
    const char *name;              /* Lent. */
    struct gossip_address address; /* Port 0: none known. */
    enum gossip_peer_state state;
    bool in_step;       /* As of the last exchange. */
    bool still_in_step; /* And nothing was delivered here since. */
    uint64_t heard_ms;  /* How long ago it was heard; UINT64_MAX: never in this boot. */
    uint64_t exchanges; /* Begun by us with it. */
    uint64_t answered;  /* Of those. */
};

/* How many peers are known; they are numbered from 0 until gossip_run(). */
size_t gossip_peer_count(const struct gossip *gossip);

/* Shows a peer by its number; the name in *ret_peer is lent. NOT_FOUND. */
int gossip_peer(const struct gossip *gossip, size_t index, struct gossip_peer *ret_peer);

/* What a signed record is. */
enum gossip_signed_type {
    GOSSIP_SIGNED_CERTIFICATE = 1,
    GOSSIP_SIGNED_LEAVE = 2, /* Reserved. */
    GOSSIP_SIGNED_EVICTION = 3,
    GOSSIP_SIGNED_PROOF = 4,
};

/* A record that proves itself: docs/protocol.md, "Signed records". */
struct gossip_signed {
    enum gossip_signed_type type;
    const uint8_t *id;    /* Lent: GOSSIP_HASH_SIZE bytes. */
    const uint8_t *bytes; /* Lent. */
    size_t size;
};

/* How many signed records are held; they are numbered from 0 until gossip_run(). */
size_t gossip_signed_count(const struct gossip *gossip);

/* Shows a signed record by its number; *ret_signed is lent. NOT_FOUND. */
int gossip_signed(const struct gossip *gossip, size_t index, struct gossip_signed *ret_signed);

/* What a proof shows: that an author has given one dot two contents. */
struct gossip_proof {
    uint8_t key[GOSSIP_KEY_SIZE];
    uint8_t epoch[GOSSIP_EPOCH_SIZE];
    uint8_t author[GOSSIP_ID_SIZE];
    uint64_t seq;                        /* The dot in question, */
    uint8_t hashes[2][GOSSIP_HASH_SIZE]; /* the two hashes it has, the lesser first, */
    uint64_t cut; /* and from which seq on the author's events do not count for that. */
};

/* Reads a proof and checks that it proves what it says, with nothing but the cluster's public key.
 * INVALID (not a proof), FORGED (it proves nothing). */
int gossip_proof_check(const uint8_t cluster[GOSSIP_KEY_SIZE], const uint8_t *bytes, size_t size,
                       struct gossip_proof *ret_proof);

/* What became of a received datagram. */
enum gossip_verdict {
    GOSSIP_DATAGRAM_ACCEPTED,
    GOSSIP_DATAGRAM_SHORT,       /* Shorter than any of ours. */
    GOSSIP_DATAGRAM_OVERSIZED,   /* Longer than any of ours. */
    GOSSIP_DATAGRAM_NOT_GOSSIP,  /* Another magic, or reserved bytes that are not zero. */
    GOSSIP_DATAGRAM_VERSION,     /* Of another version of the protocol. */
    GOSSIP_DATAGRAM_FOREIGN,     /* Its cluster tag is not ours. */
    GOSSIP_DATAGRAM_MISDIRECTED, /* For another receiver, or from ourselves. */
    GOSSIP_DATAGRAM_UNKNOWN,     /* From a sender that has not said hello. */
    GOSSIP_DATAGRAM_UNPROVEN,    /* A new boot or address, whose box opens but who is unproven. */
    GOSSIP_DATAGRAM_LIMITED,     /* More than we care to look at. */
    GOSSIP_DATAGRAM_FORGED,      /* A box, tag, signature or hash does not fit. */
    GOSSIP_DATAGRAM_REPLAYED,    /* Seen before, or too old to tell. */
    GOSSIP_DATAGRAM_MALFORMED,   /* Not what its kind says. */
    GOSSIP_DATAGRAM_UNSUPPORTED, /* A message kind of a later version. */
    GOSSIP_DATAGRAM_UNASKED,     /* An answer to nothing we asked. */
    GOSSIP_DATAGRAM_DUPLICATE,   /* Well formed, and nothing new in it. */
    GOSSIP_DATAGRAM_NO_ROOM,     /* Held back too much already; it will be asked for again. */
    GOSSIP_DATAGRAM_REFUSED,     /* Events that no node will ever accept. */
    GOSSIP_DATAGRAM_VERDICTS,
};

/* "accepted", "short" ...; never NULL. */
const char *gossip_verdict_name(enum gossip_verdict verdict);

/* What a node has done since its start, and what it holds now. */
struct gossip_stats {
    uint64_t datagrams[GOSSIP_DATAGRAM_VERDICTS]; /* Received, by what became of them. */
    uint64_t datagrams_sent;
    uint64_t bytes_received;
    uint64_t bytes_sent;
    uint64_t published;   /* Own events written. */
    uint64_t delivered;   /* Events of others delivered. */
    uint64_t commits;     /* That saved anything. */
    uint64_t exchanges;   /* Begun by us. */
    uint64_t in_step;     /* Of those, found nothing to do. */
    uint64_t pulls;       /* Windows asked for. */
    uint64_t pulls_whole; /* Of those, arrived whole. */
    uint64_t held_events; /* Waiting for their context now. */
    uint64_t held_bytes;
    uint64_t runs_held; /* Unfinished or early runs now. */
    uint64_t runs_bytes;
    uint64_t dropped;      /* Held events let go for lack of room; they are asked for again. */
    uint64_t ahead_stamps; /* Events whose stamp was too far in the future to follow. */
    uint64_t boot;         /* How many times this node has started. */
    uint64_t contested;    /* Events delivered that now lie behind a cut. */
    uint64_t forks_proven; /* Proofs made or taken in. */
    uint64_t poisonous;    /* Events that are passed over, since the process has ended over them. */
    uint64_t reissued;     /* Own events written again under a new epoch. */
    bool read_only;        /* The disk is full: no event is written, ours or others'. */
};

/* Tells it. Cannot fail. */
void gossip_stats(const struct gossip *gossip, struct gossip_stats *ret_stats);

/* What tells that a store was set back to an earlier state, and this node may have said more than
 * it knows of: bits. */
enum gossip_evidence {
    GOSSIP_EVIDENCE_BACKUP = 1, /* The store is a copy that a backup has made. */
    GOSSIP_EVIDENCE_MOVED = 2,  /* Its file is not the one it was: copied, restored, moved. */
    GOSSIP_EVIDENCE_SIDE = 4,   /* The side file knows of more, or is missing or damaged. */
    GOSSIP_EVIDENCE_EVENTS = 8, /* A peer holds events of ours that the store does not know. */
    GOSSIP_EVIDENCE_BOOT = 16,  /* A peer has heard us under a boot that the store does not know. */
};

/* What a person who looks after a node may want to know. */
enum gossip_notice_kind {
    GOSSIP_NOTICE_PEER_ALIVE,  /* A peer's address was proven. */
    GOSSIP_NOTICE_PEER_SILENT, /* A peer has stopped answering. */
    GOSSIP_NOTICE_MEMBER,      /* A certificate not known before. */
    GOSSIP_NOTICE_REFUSED,     /* An author's event that no node will ever accept. */
    GOSSIP_NOTICE_DISAGREES,   /* A peer shows another event under a dot that we hold. */
    GOSSIP_NOTICE_DROPPED,     /* Held-back events of an author were let go for lack of room. */
    GOSSIP_NOTICE_FUTURE,      /* An event's stamp is far ahead of our wall clock. */
    GOSSIP_NOTICE_DISK_FULL,   /* Read-only until there is room. */
    GOSSIP_NOTICE_DISK_FREED,  /* Writing again. */
    GOSSIP_NOTICE_NO_MEMORY,   /* A batch was dropped and the node built again from its store. */
    GOSSIP_NOTICE_LOST,        /* More notices were made than taken. */
    GOSSIP_NOTICE_CUT,         /* An author's events no longer count from this dot on. */
    GOSSIP_NOTICE_EVIDENCE, /* This store was set back: a new epoch opens before the next event. */
    GOSSIP_NOTICE_EPOCH,    /* This node writes under a new epoch from this dot on. */
    GOSSIP_NOTICE_REISSUED, /* An own event was written again, as this dot. */
    GOSSIP_NOTICE_CLONED,   /* Another process writes under this node's key: this one stops. */
    GOSSIP_NOTICE_POISON,   /* An event has ended the process twice; it is passed over. */
};

/* "peer-alive", "peer-silent" ...; never NULL. */
const char *gossip_notice_name(enum gossip_notice_kind kind);

/* One such thing. */
struct gossip_notice {
    enum gossip_notice_kind kind;
    char name[GOSSIP_NAME_MAX + 1]; /* The node it is about; empty where none. */
    struct gossip_address address;  /* Port 0 where none. */
    struct gossip_dot dot;          /* seq 0 where none. */
    uint64_t number; /* FUTURE: milliseconds ahead. DROPPED, LOST: how many. CUT: 1 for a fork, 0
                        for an eviction. EVIDENCE: of enum gossip_evidence. */
};

/* Takes the next notice: 1, or 0 if there is none. At most 256 wait; past that the newest are
 * dropped and counted in one LOST. */
int gossip_notice_pop(struct gossip *gossip, struct gossip_notice *ret_notice);

/* Shows one fault, in a line that is lent for the call. */
typedef void gossip_verify_report(void *context, const char *line);

/*
 * Checks everything in the store against itself: each event's hash, chain, seals and context, the
 * order of delivery, each author's clock and mentions, each record's signature. Reads all events;
 * an observer, whose store keeps none, has its records and cuts checked.
 * OK, or DAMAGED with one line per fault shown to report. *ret_events, unless NULL, counts what was
 * checked. IO, NOMEM.
 */
int gossip_verify(struct gossip *gossip, gossip_verify_report *report, void *context,
                  uint64_t *ret_events);

/* ---- Archives: events in a file, with all that is needed to verify them. ---- */

/* Makes the next bytes of an archive of all that a node holds (of what was held when it was
 * opened), or of the events of one author. It is closed before the gossip is destroyed. */
struct gossip_export;

/* For gossip_export_open(): every author. */
enum { GOSSIP_ALL_AUTHORS = -1 };

/* Opens an archive of the events of author (its local number), or of all. *ret_export is the
 * caller's to close. NOT_FOUND (no such author), OBSERVER (the store keeps no events), NOMEM. */
int gossip_export_open(struct gossip *gossip, int64_t author, struct gossip_export **ret_export);

/* Shows the next bytes, lent until the next call: 1, or 0 at the end. IO, DAMAGED, NOMEM. */
int gossip_export_next(struct gossip_export *archive, const uint8_t **ret_bytes, size_t *ret_size);

/* Closes it. NULL is allowed. */
void gossip_export_close(struct gossip_export *archive);

/* Reads up to size bytes: how many, 0 at the end, or IO. */
typedef int gossip_archive_read(void *context, void *buffer, size_t size);

/* What was read of an archive. */
struct gossip_archive {
    uint8_t cluster[GOSSIP_KEY_SIZE]; /* Whose it is: the cluster's public key. */
    uint64_t records;
    uint64_t authors;
    uint64_t events;
    uint64_t offset; /* Where the block begins that was read last, ... */
    char fault[160]; /* ... and what is wrong with it, after DAMAGED. */
};

/* Checks an archive with nothing but itself: that it is whole, each record's signature, and each
 * author's chain from its first event, with its seals. Whoever wants to know that it is of a
 * certain cluster compares that. DAMAGED, IO, NOMEM. */
int gossip_archive_check(gossip_archive_read *read, void *context,
                         struct gossip_archive *ret_archive);

/* What became of an archive. */
struct gossip_imported {
    uint64_t events;  /* New here, delivered and durable. */
    uint64_t waiting; /* Sound, and not taken in: what their contexts name is not here. */
    uint64_t refused; /* Runs and records that were judged and not accepted. */
};

/* Takes in the records and events of an archive, which are judged as those of peers are, by a node
 * without a transport. What is here already is passed over. Where events wait at the end although
 * some were new, the same archive may bring more when it is read once more. FOREIGN (of another
 * cluster), DAMAGED, FULL, IO, NOMEM; then what was committed before stays. */
int gossip_import(struct gossip *gossip, gossip_archive_read *read, void *context,
                  struct gossip_archive *ret_archive, struct gossip_imported *ret_imported);

/* ---- Recovery: a new store of what is left of a damaged one. ---- */

/* Shows meta, author, signed, peer and event records, events last and in order of delivery, as far
 * as they can be read; nothing is believed of them. May be called several times. */
typedef int gossip_salvage_source(void *context, gossip_record_visit *visit, void *visit_context);

/* What became of a damaged store. */
struct gossip_recovered {
    uint64_t found;   /* Events that could be read. */
    uint64_t events;  /* Of those, taken in: verified from each author's first event on. */
    uint64_t waiting; /* Verified likewise, and not taken in: what they had seen is not here. */
};

/* Takes the next size bytes of an archive: OK, or an error that ends it. */
typedef int gossip_archive_write(void *context, const uint8_t *bytes, size_t size);

/* Fills the store of a gossip that was just made, without a transport, with all that can be
 * verified of what source shows. Events that wait for others go to write (NULL: nowhere), as an
 * archive of their authors' events that gossip_import() takes when those others have come. The
 * store is then marked as a backup is, so that the next start asks peers for the rest, and opens a
 * new epoch; gossip is to be destroyed. A node that had stopped because of a double starts no more
 * than before. FULL, IO, DAMAGED, NOMEM, and what source and write return. */
int gossip_recover(struct gossip *gossip, gossip_salvage_source *source, void *context,
                   gossip_archive_write *write, void *write_context,
                   struct gossip_recovered *ret_recovered);

#ifdef __cplusplus
}
#endif

#endif
