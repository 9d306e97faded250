/*
 * Stores: where what a node knows outlives the process.
 *
 * A store is a table of functions and whatever an implementation keeps behind it. Calls never
 * overlap. What goes into a call is lent for that call; what a visit shows is lent for that visit.
 * The built-in ones are SQLite, memory and file; tests/store_contract.c tests any other. What each
 * is for, how to write one's own, and what wraps them: docs/stores.md.
 */
#ifndef GOSSIP_STORE_H
#define GOSSIP_STORE_H

#include "gossip/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where records outlive the process: defined below. */
struct gossip_store;

/* An address and port. IPv4 as ::ffff:a.b.c.d. Link-local scopes are not kept. */
struct gossip_address {
    uint8_t ip[16];
    uint16_t port; /* In host order; 0 is no address. */
};

/* What a store keeps. */
enum gossip_record_kind {
    GOSSIP_RECORD_META,    /* A named value. Key: name. */
    GOSSIP_RECORD_AUTHOR,  /* An author with its clock. Key: number. */
    GOSSIP_RECORD_MENTION, /* Which author another named as its index-th. Key: (author, index). */
    GOSSIP_RECORD_EVENT,   /* An event. Key: delivery; (author, seq) is unique too. */
    GOSSIP_RECORD_SIGNED,  /* A certificate, proof or eviction, as it was signed. Key: id. */
    GOSSIP_RECORD_PEER,    /* Where a node was last reached. Key: key. */
};

/* A named value. */
struct gossip_meta_record {
    const char *name;
    const uint8_t *bytes; /* NULL: the value is number. */
    size_t size;
    uint64_t number; /* At most 2^63 - 1. */
};

/* An author, with its entry of the clock. */
struct gossip_author_record {
    uint32_t number; /* Local; 0, 1, 2 ... in the order in which authors became known here. */
    uint8_t id[GOSSIP_ID_SIZE];
    uint8_t key[GOSSIP_KEY_SIZE];
    uint8_t epoch[GOSSIP_EPOCH_SIZE];
    uint64_t have;                           /* Clock entry: the last seq stored and delivered. */
    uint64_t floor;                          /* Events up to here are no longer held; 0: all are. */
    uint64_t cut;                            /* From this seq on nothing counts; 0: no cut. */
    uint8_t head_hash[GOSSIP_HASH_SIZE];     /* Of event have; zero for none. */
    uint64_t mentions;                       /* How many authors it has named. */
    uint8_t mentions_hash[GOSSIP_HASH_SIZE]; /* Their running hash. */
    uint64_t unsealed_size;                  /* Bytes of bodies since its last required seal. */
};

/* That an author has named another. */
struct gossip_mention_record {
    uint32_t author;
    uint64_t index; /* 1, 2, 3 ... */
    uint32_t mentioned;
};

/* An event. */
struct gossip_event_record {
    uint64_t delivery; /* 1, 2, 3 ... in the order in which this node delivered. */
    uint32_t author;
    uint64_t seq;
    uint8_t hash[GOSSIP_HASH_SIZE];
    const uint8_t *body; /* What was signed, byte for byte. */
    size_t body_size;
    const uint8_t *seal;    /* GOSSIP_SIGNATURE_SIZE bytes, or NULL if none is known. */
    const uint8_t *context; /* At checkpoints its full context, encoded; else NULL. Local. */
    size_t context_size;
    const uint8_t *once; /* In its first save, GOSSIP_ONCE_HASH_SIZE bytes that find_once() finds
                            it by, or NULL; need not be shown. Local. */
    bool is_damaged; /* The store can tell that this is not what was saved. Only where it is shown:
                        the node shows it to nobody and sends it nowhere, and gossip_verify() names
                        it. A store that cannot tell says false. */
};

/* A record that proves itself. */
struct gossip_signed_record {
    uint8_t type;                 /* enum gossip_signed_type */
    uint8_t id[GOSSIP_HASH_SIZE]; /* The hash of its bytes. */
    const uint8_t *bytes;         /* As signed, byte for byte. NULL in a save: it is forgotten. */
    size_t size;
};

/* Where a node was last reached. */
struct gossip_peer_record {
    uint8_t key[GOSSIP_KEY_SIZE];
    struct gossip_address address;
};

/* One of them. */
struct gossip_record {
    enum gossip_record_kind kind;
    union {
        struct gossip_meta_record meta;
        struct gossip_author_record author;
        struct gossip_mention_record mention;
        struct gossip_event_record event;
        struct gossip_signed_record signed_record;
        struct gossip_peer_record peer;
    } as;
};

/* What a node keeps beside its store, so that a store that was set back can be told: never part of
 * a backup, and written after what it speaks of has been saved. */
struct gossip_side {
    uint8_t epoch[GOSSIP_EPOCH_SIZE]; /* As which the node writes. */
    uint64_t mark;                    /* No own event past this seq has been written. */
    uint64_t boot;                    /* Which start of the node has written it. */
};

/* What is being handed to the application, so that an event that ends the process again and again
 * can be told. It survives a kill, and need not survive a power loss. */
struct gossip_marker {
    uint8_t hash[GOSSIP_HASH_SIZE]; /* Of the event; zero: none. */
    uint32_t crashes;               /* How often the process has ended over it. */
};

/* What a store can do. Where it cannot, the functions in question are NULL. */
enum gossip_store_ability {
    GOSSIP_STORE_EVENTS = 1,  /* It keeps events: read, follow, has. Else only clocks, for observers
                                 that hold none, publish none and serve none. */
    GOSSIP_STORE_DURABLE = 2, /* What it has saved outlives the process and a power loss. */
    GOSSIP_STORE_SIDE = 4,    /* read_side and write_side. */
    GOSSIP_STORE_MARKER = 8,  /* read_marker and write_marker. */
    GOSSIP_STORE_IDENTITY = 16, /* fingerprint. */
    GOSSIP_STORE_BACKUP = 32,   /* backup_begin and what follows. */
    GOSSIP_STORE_ONCE = 64,     /* find_once. Else nothing can be published once. */
};

/* Called once for each record. Returning anything but 0 ends the call, which returns it. */
typedef int gossip_record_visit(void *context, const struct gossip_record *record);

/*
 * What every function here may return, beside what its comment names:
 *   GOSSIP_ERR_IO       a read or write failed; after a write the outcome is unknown
 *   GOSSIP_ERR_DAMAGED  what is stored contradicts itself; files are left untouched
 *   GOSSIP_ERR_NOMEM    nothing has changed
 * After IO or DAMAGED every later save fails. A visit calls no function of the store it visits.
 */
struct gossip_store_ops {
    unsigned abilities; /* Of enum gossip_store_ability. */

    /* Shows every meta, author (ascending by number), mention (ascending by author and index),
     * signed and peer record once, in this order of kinds; never events. */
    int (*load)(struct gossip_store *store, gossip_record_visit *visit, void *context);

    /* Makes all of records durable before it returns, or none. A record replaces the one of equal
     * key, but for events: of an event that is there only the seal may be added or the same event
     * saved again, without its seal too, which it keeps (else EXISTS, also where its dot or its
     * delivery number is another's). An event whose delivery number is not past the last one
     * stored, and that is not already there, is INVALID, as are numbers past 2^63 - 1, a seq,
     * delivery or index of 0, a meta record without a name, and any event for a store that keeps
     * none. FULL: no room; LOCKED: a store that others share is busy; after either nothing has
     * changed and the store is usable. */
    int (*save)(struct gossip_store *store, const struct gossip_record *records, size_t count);

    /* Shows the events of author from seq first to seq last, both included, ascending, as far as
     * they are held. */
    int (*read)(struct gossip_store *store, uint32_t author, uint64_t first, uint64_t last,
                gossip_record_visit *visit, void *context);

    /* Shows events in delivery order, from the first whose delivery number is past after. */
    int (*follow)(struct gossip_store *store, uint64_t after, gossip_record_visit *visit,
                  void *context);

    /* Whether the event (author, seq) is held: 1 or 0. */
    int (*has)(struct gossip_store *store, uint32_t author, uint64_t seq);

    /* Shows the events that were first saved with this once, in delivery order. */
    int (*find_once)(struct gossip_store *store, const uint8_t once[GOSSIP_ONCE_HASH_SIZE],
                     gossip_record_visit *visit, void *context);

    /* What tells the place where records are kept from any copy of it, and this machine from
     * others: of a file its inode, birth time and the machine's id, hashed. It stays the same for
     * as long as nothing was copied, moved to another file system or restored. */
    int (*fingerprint)(struct gossip_store *store, uint8_t ret_fingerprint[GOSSIP_HASH_SIZE]);

    /* Reads the side file. NOT_FOUND: there is none. DAMAGED: it is there and not to be believed;
     * saves go on all the same, unlike after other damage. */
    int (*read_side)(struct gossip_store *store, struct gossip_side *ret_side);

    /* Replaces it durably: what it says is never less than what the store holds. FULL. */
    int (*write_side)(struct gossip_store *store, const struct gossip_side *side);

    /* Reads the marker; one that is missing or damaged is none. */
    int (*read_marker)(struct gossip_store *store, struct gossip_marker *ret_marker);

    /* Replaces it, cheaply: called for every event that an application gets. FULL. */
    int (*write_marker)(struct gossip_store *store, const struct gossip_marker *marker);

    /* Begins to copy all that is stored to a new store in the file path, in small steps between
     * saves; at most one at a time. The copy bears the meta record "backup", number 1, so that
     * whoever opens it knows what it is. EXISTS, NOT_FOUND (no such directory), PERMISSION, FULL.
     */
    int (*backup_begin)(struct gossip_store *store, const char *path);

    /* Copies some more: 1 when the copy is whole and durable (and closed), 0 while there is more.
     * An error ends the backup and removes what there is of it; the store itself is as it was.
     * FULL, EXISTS, DAMAGED (the store is, as it seems: what it can tell to be damaged is not
     * copied as if it were sound). */
    int (*backup_step)(struct gossip_store *store);

    /* Gives it up and removes what there is of it. Without a backup it does nothing. */
    void (*backup_end)(struct gossip_store *store);

    /* What the store would like a person to know after its last failure: one line, never NULL,
     * lent until the next call. */
    const char *(*explain)(struct gossip_store *store);

    /* Frees store. Whatever was saved stays. NULL is not allowed. */
    void (*close)(struct gossip_store *store);
};

/* An implementation embeds this as its first member. */
struct gossip_store {
    const struct gossip_store_ops *ops;
};

/* Whether gossip_sqlite_open() makes a store. */
enum gossip_sqlite_mode {
    GOSSIP_SQLITE_CREATE, /* The file must not exist; it is made, mode 0600. EXISTS. */
    GOSSIP_SQLITE_OPEN,   /* The file must exist and be a gossip store. NOT_FOUND. */
};

/*
 * Opens the SQLite store in the file path. Beside it stands path + ".lock", held with flock for as
 * long as the store is open and naming the holder's pid; nothing else may open the database file
 * while it is. What an open store shows is durable, also where a process that was killed had not
 * come to the end of saving it. On failure ret_explanation (unless NULL; size bytes) tells in one
 * line what is wrong, where, and what to do next. NOT_FOUND, EXISTS, LOCKED (another process holds
 * it: at once, not after a wait), PERMISSION (also a read-only file), FOREIGN (not a gossip store,
 * or made by a newer version), DAMAGED, FULL, IO, NOMEM.
 */
int gossip_sqlite_open(const char *path, enum gossip_sqlite_mode mode, char *ret_explanation,
                       size_t size, struct gossip_store **ret_store);

/* Whether gossip_file_open() makes a store. */
enum gossip_file_mode {
    GOSSIP_FILE_CREATE, /* The file must not exist; it is made, mode 0600. EXISTS. */
    GOSSIP_FILE_OPEN,   /* The file must exist and be a gossip file store. NOT_FOUND. */
};

/*
 * Opens the file store in the file path: for observers, which follow the clock and keep no events,
 * publish none and serve none. The file is that clock as one JSON object and a newline,
 * {"n1":42,"n2":15}, named as certificates name (n1#EPOCH where two authors share a name, ?ID where
 * there is no certificate yet), for anybody to read: it is replaced as a whole at each save. All
 * else is in path + ".state", with a check of both, and path + ".lock" is the lock, as the SQLite
 * store's. Each save writes all that the store holds. NOT_FOUND (nothing there), EXISTS, LOCKED,
 * PERMISSION, FOREIGN (not a gossip file store, or made by a newer version), DAMAGED (also where
 * one of the files is missing, or not of the same moment as the other), FULL, IO, NOMEM; then
 * ret_explanation as for gossip_sqlite_open().
 */
int gossip_file_open(const char *path, enum gossip_file_mode mode, char *ret_explanation,
                     size_t size, struct gossip_store **ret_store);

/*
 * Removes the SQLite or file store in the file path and all that belongs to it: log, side file,
 * marker, state; the lock file stays. The file itself goes first, so that a removal which was cut
 * off leaves nothing that could be opened. LOCKED (a process has it open: nothing is removed),
 * NOT_FOUND, FOREIGN (not a store of ours) and DAMAGED (an empty file): nothing is removed;
 * PERMISSION, IO, NOMEM.
 */
int gossip_store_remove(const char *path, char *ret_explanation, size_t size);

/* Shows one fault, in a line that is lent for the call. */
typedef void gossip_sqlite_report(void *context, const char *line);

/* Has SQLite check the database of an open SQLite store: pages, tables, indexes. Shows one line for
 * each fault. It does not see what a flipped bit has made of a value: gossip_verify() does. OK,
 * DAMAGED, IO, NOMEM. */
int gossip_sqlite_check(struct gossip_store *store, gossip_sqlite_report *report, void *context);

/* What gossip_sqlite_salvage() has found. */
struct gossip_salvaged {
    uint64_t records;    /* Rows that could be read, events included. */
    uint64_t events;     /* Of those, events. */
    uint64_t unreadable; /* Places where rows could not be read, and were passed over. */
};

/*
 * Shows what can be read of the database of an SQLite store, however damaged it is: meta records,
 * authors (number, key and epoch), signed records, peers, and events in order of
 * delivery. Nothing is verified. SQLite may write to the file, and to its log: let it be a copy.
 * NOMEM, and what visit returns where that is negative.
 */
int gossip_sqlite_salvage(const char *path, gossip_record_visit *visit, void *context,
                          struct gossip_salvaged *ret_salvaged);

/* Opens a store that ends with the process. *ret_store is the caller's to close. NOMEM. */
int gossip_memory_open(struct gossip_store **ret_store);

/*
 * ---- Wrappers: stores over a store. ----
 *
 * Each can do what the store below it can, and may stand over another wrapper. A wrapper that was
 * opened owns the store below: closing it closes both. Where opening fails, that store is as it
 * was. What is asked of a certain kind of store (gossip_sqlite_check()) is asked of that store
 * itself, not of a wrapper.
 */

/* What is asked of a store. */
enum gossip_store_call {
    GOSSIP_STORE_LOAD,
    GOSSIP_STORE_SAVE,
    GOSSIP_STORE_READ,
    GOSSIP_STORE_FOLLOW,
    GOSSIP_STORE_HAS,
    GOSSIP_STORE_FIND_ONCE,
    GOSSIP_STORE_FINGERPRINT,
    GOSSIP_STORE_READ_SIDE,
    GOSSIP_STORE_WRITE_SIDE,
    GOSSIP_STORE_READ_MARKER,
    GOSSIP_STORE_WRITE_MARKER,
    GOSSIP_STORE_BACKUP_BEGIN,
    GOSSIP_STORE_BACKUP_STEP,
    GOSSIP_STORE_CALLS,
};

/* "load", "save" ...; never NULL. */
const char *gossip_store_call_name(enum gossip_store_call call);

/* How gossip_retry_open() tries again. */
struct gossip_retry_options {
    size_t size;         /* sizeof(struct gossip_retry_options) */
    uint32_t attempts;   /* At most so many in all, the first included: 1 to 100. */
    uint32_t backoff_ms; /* Before the second attempt; before the n-th, n - 1 times as long. At most
                            60000. */
    void (*wait)(void *context, uint32_t ms); /* Needed: lets that time pass. */
    void *context;
};

/*
 * Tries again where a call has failed in a way that is known to have changed nothing: FULL, LOCKED
 * and NOMEM, and of what shows records only as long as none was shown. Never after IO or DAMAGED: a
 * save that failed so may have been stored, and the next start is to find out. All attempts are
 * made inside the one call, with the same arguments; when they are used up their last error is
 * returned, and nothing is tried later: so no older state is ever written over a newer one. The
 * caller waits that long. INVALID (options), NOMEM.
 */
int gossip_retry_open(struct gossip_store *inner, const struct gossip_retry_options *options,
                      struct gossip_store **ret_store);

/* How many durations are told apart: each is twice the one before. */
enum { GOSSIP_STORE_BUCKETS = 32 };

/* What is counted of one call. */
struct gossip_store_figures {
    uint64_t calls;
    uint64_t failed;   /* Of those, by the store's own doing. */
    uint64_t records;  /* Saved, or shown. */
    uint64_t bytes;    /* What their fields take. */
    uint64_t duration; /* Of all calls, and */
    uint64_t longest;  /* of the longest, in the clock's unit; visits included. */
    uint64_t durations[GOSSIP_STORE_BUCKETS]; /* How many calls took 0, 1, 2 to 3, 4 to 7 ... units;
                                                 the last bucket has all that took longer. */
};

/* The figures of all calls, by enum gossip_store_call. */
struct gossip_store_metrics {
    struct gossip_store_figures calls[GOSSIP_STORE_CALLS];
};

/* What time it is, in any unit, from any moment. */
typedef uint64_t gossip_store_clock(void *context);

/* Counts and times every call. NOMEM. */
int gossip_metrics_open(struct gossip_store *inner, gossip_store_clock *clock, void *context,
                        struct gossip_store **ret_store);

/* Tells the figures so far of a store that gossip_metrics_open() has made. */
void gossip_metrics_read(const struct gossip_store *store,
                         struct gossip_store_metrics *ret_metrics);

/* What gossip_logging_open() tells of one call. */
struct gossip_store_line {
    enum gossip_store_call call;
    int result;       /* What was returned. */
    bool is_failure;  /* An error of the store's, not of the visit's. */
    uint64_t records; /* Saved, or shown. */
    uint64_t bytes;   /* What their fields take. */
    const char *text; /* All that in one line, and after a failure what the store explains; lent. */
};

/* Called after each call that the store below has dealt with; calls no function of the store. */
typedef void gossip_store_log(void *context, const struct gossip_store_line *line);

/* Tells log of every call. NOMEM. */
int gossip_logging_open(struct gossip_store *inner, gossip_store_log *log, void *context,
                        struct gossip_store **ret_store);

#ifdef __cplusplus
}
#endif

#endif
