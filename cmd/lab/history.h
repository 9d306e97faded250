/*
 * What has happened in a world, as the world itself saw it: every author, every event with its
 * bytes, and which events its author had delivered when it was written. It is the truth that clocks
 * are judged by, so it is never made of clocks: an event's past is the set of what its node had
 * saved as delivered before it, as a bit set.
 *
 * A dot may have several contents: a node whose disk was set back, and which could not know, has
 * written another. Each of them is an event of its own, and knows which event it came after; so an
 * author's events are a tree, and a chain is what a node holds of it.
 *
 * Authors and events have numbers here, in the order in which they came up; a node's local numbers
 * are another matter. Running out of memory ends the process: this is a tool, not a service.
 */
#ifndef GOSSIP_LAB_HISTORY_H
#define GOSSIP_LAB_HISTORY_H

#include "gossip/crypto.h"
#include "gossip/store.h"

enum {
    /* So many events have their past as a bit set; of later ones only the counts by author are
     * kept, and pairs are sampled. */
    HISTORY_EXACT = 10000,
    HISTORY_TEXT_MAX = 1024,
};

#define HISTORY_NONE UINT32_MAX

/* A set of events, by number. */
struct event_set {
    uint64_t *words;
    size_t capacity; /* In words. */
};

void event_set_add(struct event_set *set, uint32_t event);
void event_set_remove(struct event_set *set, uint32_t event);
bool event_set_has(const struct event_set *set, uint32_t event);
void event_set_copy(struct event_set *set, const struct event_set *other);
void event_set_clear(struct event_set *set);

/* The least event of a, from first on, that b does not have; HISTORY_NONE if there is none. */
uint32_t event_set_missing(const struct event_set *a, const struct event_set *b, uint32_t first);

/* How many events of each author: a prefix of its events, each. */
struct counts {
    uint64_t *items;
    size_t capacity;
};

uint64_t counts_get(const struct counts *counts, uint32_t author);
void counts_set(struct counts *counts, uint32_t author, uint64_t count);
void counts_copy(struct counts *counts, const struct counts *other);
bool counts_equal(const struct counts *a, const struct counts *b);
bool counts_cover(const struct counts *a, const struct counts *b); /* a >= b, each. */
void counts_clear(struct counts *counts);

struct history_author {
    uint8_t id[GOSSIP_ID_SIZE];
    uint8_t epoch[GOSSIP_EPOCH_SIZE];
    unsigned node;    /* Whose it is. */
    unsigned ordinal; /* Of its epochs: 0 for the first. */
    uint32_t *events; /* Number of the first content of event seq, at seq - 1. */
    size_t count;
    size_t capacity;
    uint64_t fork;    /* The least seq that has two contents; 0: there is none. */
    uint64_t evicted; /* From which seq on an eviction ends it; 0: none does. */
    bool is_opened;   /* Its node wrote as another author before: its first event opens it. */
    bool is_lossy;    /* A disk of its node was set back, or is away: of its events some may be with
                       * nobody. */
};

struct history_event {
    uint32_t author;
    uint64_t seq;
    uint32_t before; /* The event it follows in its chain; HISTORY_NONE for the first. */
    uint32_t other;  /* Another content of its dot; HISTORY_NONE at the end. */
    unsigned node;   /* Where it was written. */
    uint64_t time_ms;
    uint64_t hlc;
    uint64_t kind;
    uint8_t hash[GOSSIP_HASH_SIZE];
    uint8_t *body;
    size_t size;
    const uint8_t *supersedes; /* In body: the hash of what it issues again; NULL as a rule. */
    struct event_set past;     /* Empty from HISTORY_EXACT on. */
    struct counts truth;       /* The same, by author. */
    struct counts claimed;     /* What its bytes and those of the chain before it say. */
    uint32_t *mentions;        /* Authors in the order in which its chain has named them. */
    size_t mention_count;
    bool owns_mentions; /* Else they are those of the event before it. */
    bool is_shown;      /* Somebody outside its node has seen it: it can never be another. */
    bool is_void;       /* Nobody saw it and its node has forgotten it. */
};

struct history {
    struct history_author *authors;
    size_t author_count;
    size_t author_capacity;
    struct history_event *events;
    size_t event_count;
    size_t event_capacity;
    uint64_t pairs;       /* Checked. */
    uint64_t pairs_exact; /* Of those, against bit sets. */
};

void history_clear(struct history *history);

/* HISTORY_NONE where there is no such one. */
uint32_t history_find_author(const struct history *history, const uint8_t id[GOSSIP_ID_SIZE]);
uint32_t history_add_author(struct history *history, const uint8_t id[GOSSIP_ID_SIZE],
                            const uint8_t epoch[GOSSIP_EPOCH_SIZE], unsigned node);

/* The first content of a dot, and the one with this hash. */
uint32_t history_find(const struct history *history, uint32_t author, uint64_t seq);
uint32_t history_find_content(const struct history *history, uint32_t author, uint64_t seq,
                              const uint8_t hash[GOSSIP_HASH_SIZE]);

/* Adds the event after before (HISTORY_NONE: author's first). past and truth are what its node had
 * delivered. Returns its number; HISTORY_NONE, with the reason in ret_reason, where its context
 * cannot be read. */
uint32_t history_add(struct history *history, uint32_t author, uint32_t before, unsigned node,
                     uint64_t time_ms, const struct gossip_event_record *record,
                     const struct event_set *past, const struct counts *truth,
                     char ret_reason[HISTORY_TEXT_MAX]);

/* The last event of its chain is void: its node forgot it before anybody had seen it. */
void history_forget(struct history *history, uint32_t event);

/* An eviction ends author from seq on. */
void history_evict(struct history *history, uint32_t author, uint64_t seq);

/* Whether event seq of author cannot count for ever: there are two contents of its dot or of one
 * before it, or an eviction ends its author. */
bool history_is_contested(const struct history *history, uint32_t author, uint64_t seq);

/* Whether a dot has two contents. */
bool history_is_forked(const struct history *history, uint32_t author, uint64_t seq);

/* Whether a happened before b, by what was delivered where. */
bool history_before(const struct history *history, uint32_t a, uint32_t b);

/* The same by clocks: VC(a) < VC(b). */
bool history_claims_before(const struct history *history, uint32_t a, uint32_t b);

/* Checks the clock of event against all before it (or, past HISTORY_EXACT, a sample drawn with
 * lots), of those that are not contested. Returns an event for which VC(a) < VC(event) and a
 * happened before event do not go together, or HISTORY_NONE. */
struct splitmix;
uint32_t history_check(struct history *history, uint32_t event, struct splitmix *lots);

/* "n3:17", of the second epoch "n3'1:17". */
void history_dot_text(const struct history *history, uint32_t author, uint64_t seq, char *ret_text,
                      size_t size);

/* "{n1:2 n3:17}" */
void history_counts_text(const struct history *history, const struct counts *counts, char *ret_text,
                         size_t size);

/* "n3:17, written by n3 at 12.345 s, 120 bytes, hash 0011aabb, clock {..}, its past {..}" */
void history_event_text(const struct history *history, uint32_t event, char *ret_text, size_t size);

#endif
