/*
 * The authors a node knows: interned to local numbers, each with its clock, the authors it has
 * named, and where its verified chain stands.
 */
#ifndef GOSSIP_AUTHORS_H
#define GOSSIP_AUTHORS_H

#include "gossip/event.h"
#include "gossip/store.h"
#include "gossip/wire.h"

struct held_event;
struct proof_branch;
struct proof_half;
struct signed_record;

#define NO_AUTHOR UINT32_MAX

enum { NO_INDEX = -1 };

struct author {
    struct gossip_author_record stored; /* As it is, or will be with this batch, on disk. */
    bool dirty;                         /* It differs from what is on disk. */
    bool head_sealed;                   /* Whether the newest event stored bears a seal. */
    uint64_t saved;                     /* stored.have as it is on disk. */
    ptrdiff_t batch_first;              /* Its events in this batch: see batch.h. */
    ptrdiff_t batch_last;

    uint32_t *mentioned; /* The authors it has named: number i at index i - 1. */
    size_t mentioned_capacity;
    uint64_t *mentioned_bits; /* The same as a set. */
    size_t mentioned_words;

    struct chain tail; /* Its verified chain, held-back events included. */
    struct held_event *held_first;
    struct held_event *held_last;
    size_t held_count;
    size_t held_bytes;
    uint64_t refused;                    /* Seq of an event that no node will ever accept, or 0; */
    struct proof_branch *refused_branch; /* and what can be shown of it, or NULL. */

    /* Where no event here bears the seal: how the chain goes on to it (witness.h), after the tail
     * and after the last event stored; or NULL, or of an earlier event. */
    struct proof_half *tail_witness;
    struct proof_half *stored_witness;

    bool blocked; /* Its first held-back event waits for this dot. */
    uint8_t waits_id[GOSSIP_ID_SIZE];
    uint64_t waits_seq;

    uint32_t asked_peer;  /* Who was last asked for its events ... */
    uint64_t asked_until; /* ... and until when nobody else is. */
    bool disagreed;       /* A peer has shown another head; told once. */

    /* Where there is a cut (stored.cut) at or below what is stored, hash of the event before it. */
    uint8_t cut_hash[GOSSIP_HASH_SIZE];
    struct signed_record *proof; /* That it forked, where that has made the cut; else NULL. */
    bool has_cut_link; /* Of event cut, which is not here: what proves the one before it. */
    uint8_t cut_link[WIRE_LINK_SIZE];
    bool is_void; /* Its key was evicted without naming it: none of its events counts. */

    uint8_t leaf[GOSSIP_HASH_SIZE]; /* Its leaf in the digest's trie. */
    bool leaf_fits;                 /* Else it is to be computed again. */
};

struct authors {
    struct author **items; /* By number. */
    size_t count;
    size_t capacity;
    uint32_t *by_id; /* Numbers, ascending by id. */
};

void authors_clear(struct authors *authors);

/* The number of the author with this id, or NO_AUTHOR. */
uint32_t authors_find(const struct authors *authors, const uint8_t id[GOSSIP_ID_SIZE]);

/* The place in by_id of the first author whose id is not below id. */
size_t authors_place(const struct authors *authors, const uint8_t id[GOSSIP_ID_SIZE]);

/* Adds an author as record tells, which must have the next number and a new id. NOMEM. */
int authors_add(struct authors *authors, const struct gossip_author_record *record);

/* Appends to the authors that author has named. NOMEM. Making room first makes it infallible. */
int author_reserve_mentions(struct author *author, size_t more, size_t authors_count);
int author_mention(struct author *author, uint32_t mentioned, size_t authors_count);
bool author_has_mentioned(const struct author *author, uint32_t mentioned);

/* The number of the mention of author other by this one, or 0. */
uint64_t author_mention_number(const struct author *author, uint32_t other);

/* What have reads, cut considered. */
uint64_t author_have(const struct author *author);

/* The hash of event author_have(): zero for none. */
const uint8_t *author_head(const struct author *author);

/* Whether event seq lies at or behind its author's cut. */
bool author_is_contested(const struct author *author, uint64_t seq);

/* The chain of author as far as it is stored. */
struct chain author_stored_chain(const struct author *author);

#endif
