/*
 * Every limit, size and domain of the protocol, in one place. docs/protocol.md shows the same table
 * and a test compares the two.
 *
 * A constant marked "validity" decides what every node accepts; changing it splits a cluster. The
 * others bound what one node keeps or sends, and may differ between versions.
 */
#ifndef GOSSIP_LIMITS_H
#define GOSSIP_LIMITS_H

#include <stdint.h>

/* The limits. */
enum gossip_limit {
    /* Sizes of what cryptography makes. */
    GOSSIP_KEY_SIZE = 32,       /* An Ed25519 public key. */
    GOSSIP_SEED_SIZE = 32,      /* An Ed25519 seed, from which the secret key grows. */
    GOSSIP_SECRET_SIZE = 64,    /* An Ed25519 secret key as libsodium keeps it. */
    GOSSIP_SIGNATURE_SIZE = 64, /* An Ed25519 signature. */
    GOSSIP_HASH_SIZE = 32,      /* BLAKE2b-256. */
    GOSSIP_ID_SIZE = 16,        /* An author's, a node's or a record's id. */
    GOSSIP_EPOCH_SIZE = 8,      /* The random bits that make an epoch. */
    GOSSIP_BOX_NONCE_SIZE = 24, /* XChaCha20. */
    GOSSIP_BOX_TAG_SIZE = 16,   /* Poly1305. */
    GOSSIP_TOKEN_SIZE = 16,     /* Keyed BLAKE2b-128. */
    GOSSIP_NONCE_SIZE = 16,     /* What a hello or an exchange is known by. */
    GOSSIP_SHORT_HASH_SIZE = 8, /* Head hashes in a digest's list, keyed. */
    GOSSIP_CLUSTER_SECRET_SIZE = 32,

    /* Datagrams. 1,200 bytes pass every path that IPv6 allows, headers included. */
    GOSSIP_DATAGRAM_MAX = 1200,
    GOSSIP_HELLO_SIZE = 512,     /* A hello is padded to this; a welcome is never longer. */
    GOSSIP_HEADER_SIZE = 8,      /* Magic, version, kind, three zero bytes. */
    GOSSIP_BOX_HEADER_SIZE = 80, /* Up to the ciphertext. */
    GOSSIP_PLAIN_MAX = 1104,     /* What fits into a box: 1200 - 80 - 16. */

    /* Events (validity). */
    GOSSIP_BODY_MAX = 1048576,          /* Bytes of a body. */
    GOSSIP_CONTEXT_ENTRIES_MAX = 16384, /* Entries in one event's frame. */
    GOSSIP_SEAL_EVERY = 64,             /* Each multiple of it bears a required seal ... */
    GOSSIP_SEAL_BYTES = 1048576,        /* ... and each event with which this is reached. */
    GOSSIP_RUN_SIZE_MAX = 2097408,      /* A run's stream: under 2 MiB of bodies, 64 lengths. */
    GOSSIP_NAME_MAX = 32,               /* Bytes of a node's name. */
    GOSSIP_RECORD_MAX = 8192,           /* Bytes of a signed record. */
    GOSSIP_EVICTION_EPOCHS_MAX = 64,    /* Epochs that one eviction names. */

    /* What one node publishes, unless it is configured otherwise. */
    GOSSIP_PAYLOAD_DEFAULT = 65536,
    GOSSIP_PAYLOAD_MAX = 1000000, /* What it can be configured to: a frame fits a body beside it. */

    /* Decoding: whatever the bytes, a datagram's message takes no more than this. */
    GOSSIP_ARENA_SIZE = 65536,
    GOSSIP_ARENA_ALLOCATIONS = 1024,
    GOSSIP_MESSAGE_DEPTH = 3,

    /* Windows of a pull: one round trip brings at most this. */
    GOSSIP_WINDOW_EVENTS = 2048,
    GOSSIP_WINDOW_BYTES = 1048576,
    GOSSIP_WINDOW_BYTES_MIN = 16384,
    GOSSIP_WANTS_MAX = 24,  /* Ranges in one pull; 24 of them fit a datagram. */
    GOSSIP_GAPS_MAX = 32,   /* Holes of one run that a pull names. */
    GOSSIP_HASHES_MAX = 24, /* Hashes asked for at once; as many fit a datagram. */

    /* Held-back events (verified, their context not yet here) and unfinished runs. */
    GOSSIP_PENDING_EVENTS = 4096,
    GOSSIP_PENDING_BYTES = 4194304,
    GOSSIP_RUNS_HELD = 256,
    GOSSIP_RUNS_BYTES = 8388608,

    /* A batch, which is one commit, ends here. */
    GOSSIP_BATCH_INPUTS = 512,
    GOSSIP_BATCH_BYTES = 1048576,

    GOSSIP_CHECKPOINT_EVERY = 64, /* A full context is stored at each multiple of it. */
    GOSSIP_LEASE = 1024, /* Own events that may be written past what the side file was told of. */
    GOSSIP_REPLAY_WINDOW = 1024, /* Datagrams per sender and boot that may overtake others. */

    /* Times, in milliseconds. */
    GOSSIP_PERIOD_MS = 1000,       /* Between exchanges, jittered by a tenth. */
    GOSSIP_PERIOD_MAX_MS = 30000,  /* While all peers are in step. */
    GOSSIP_HELLO_MAX_MS = 60000,   /* Between hellos to an address that does not answer. */
    GOSSIP_TOKEN_SLOT_MS = 60000,  /* A token is good in the slot it was made and the next. */
    GOSSIP_ALONE_AFTER_MS = 10000, /* How long a node waits to hear what others know of it. */
    GOSSIP_HLC_AHEAD_MS = 500,     /* How far a stamp from the future may drag our clock. */
    GOSSIP_FANOUT_MAX = 3,

    GOSSIP_ONCE_MAX = 64, /* Of the key of an event that is written once. */
};

/* What a store finds an event by that is to be written once. Local. */
enum { GOSSIP_ONCE_HASH_SIZE = 16 };

/* The last value a counter can take (validity): SQLite's integers are signed, and it leaves room
 * for a flag bit in a digest. */
#define GOSSIP_COUNTER_MAX (UINT64_C(1) << 62)

/* Domains: what is hashed or signed starts with one of these, the final NUL included, so that no
 * bytes signed for one purpose mean anything for another. */
#define GOSSIP_DOMAIN_NODE        "gossip/node/1"
#define GOSSIP_DOMAIN_AUTHOR      "gossip/author/1"
#define GOSSIP_DOMAIN_EVENT       "gossip/event/1"
#define GOSSIP_DOMAIN_MENTION     "gossip/mention/1"
#define GOSSIP_DOMAIN_SEAL        "gossip/seal/1"
#define GOSSIP_DOMAIN_RECORD      "gossip/record/1"
#define GOSSIP_DOMAIN_CERTIFICATE "gossip/certificate/1"
#define GOSSIP_DOMAIN_EVICTION    "gossip/eviction/1"
#define GOSSIP_DOMAIN_TAG         "gossip/tag/1"
#define GOSSIP_DOMAIN_HELLO       "gossip/hello/1"
#define GOSSIP_DOMAIN_WELCOME     "gossip/welcome/1"
#define GOSSIP_DOMAIN_PAIR        "gossip/pair/1"
#define GOSSIP_DOMAIN_DIGEST      "gossip/digest/1"
#define GOSSIP_DOMAIN_TOKEN       "gossip/token/1"
#define GOSSIP_DOMAIN_LEAF        "gossip/leaf/1"
#define GOSSIP_DOMAIN_BRANCH      "gossip/branch/1"
#define GOSSIP_DOMAIN_RECORDS     "gossip/records/1"
#define GOSSIP_DOMAIN_ROOT        "gossip/root/1"
#define GOSSIP_DOMAIN_HEAD        "gossip/head/1"
#define GOSSIP_DOMAIN_ARCHIVE     "gossip/archive/1"

#endif
