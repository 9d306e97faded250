/*
 * Runs on their way in: parts are put together until the stream is whole, and whole ones that are
 * ahead of what is here wait for what comes before them. Nothing in here has been verified; it is
 * bounded, and what is let go will be asked for again. What one peer brings is kept apart from what
 * others do, so that none can spoil the run of another.
 */
#ifndef GOSSIP_RUNS_H
#define GOSSIP_RUNS_H

#include "gossip/wire.h"

/* Pieces of one run. Honest parts have room for more than 512 bytes, so the longest run never comes
 * in as many; what comes in crumbs would cost more to keep track of than it brings. */
enum { RUN_PIECES_MAX = 4096 };

struct run_piece {
    uint32_t start;
    uint32_t end;
};

struct run {
    struct run *next;
    uint8_t author[GOSSIP_ID_SIZE];
    uint64_t first;
    uint64_t last;
    uint32_t size;
    uint8_t *data; /* As far as it reaches; grown as parts arrive. */
    size_t capacity;
    struct run_piece *pieces; /* What has arrived: ascending, apart from each other. */
    size_t piece_count;
    size_t piece_capacity;
    uint8_t previous[GOSSIP_HASH_SIZE]; /* Fits when the first piece begins at 0. */
    bool has_seal; /* Else a cut has to vouch for it, maybe by way of a link. */
    uint8_t seal[GOSSIP_SIGNATURE_SIZE];
    bool has_link;
    uint8_t link[WIRE_LINK_SIZE];
    bool has_introduction;
    uint8_t key[GOSSIP_KEY_SIZE];
    uint8_t epoch[GOSSIP_EPOCH_SIZE];
    uint32_t source;     /* Number of the peer that brings it. */
    uint64_t touched_ms; /* When the last new part came. */
};

struct runs {
    struct run *first; /* The one touched longest ago is the last. */
    size_t count;
    size_t bytes;
};

enum runs_outcome {
    RUNS_NEW,       /* The part brought something. */
    RUNS_DUPLICATE, /* It did not. */
    RUNS_CONFLICT,  /* The same peer has told another size of it, or it is in too many pieces. */
    RUNS_NO_MEMORY, /* Nothing has changed. */
};

/* Takes in a part that the peer source has sent. *ret_run is the run it belongs to. When too much
 * is held, the peer that holds the most lets go of the run touched longest ago; *ret_dropped
 * counts. */
enum runs_outcome runs_take(struct runs *runs, const struct wire_run_part *part, uint32_t source,
                            uint64_t now_ms, struct run **ret_run, size_t *ret_dropped);

bool run_is_whole(const struct run *run);

/* Up to capacity holes of a run, ascending; returns how many there are. */
size_t run_gaps(const struct run *run, struct wire_gap *ret_gaps, size_t capacity);

/* The run of author from source that covers seq and, of several, begins first; else the one that
 * begins first after seq; NULL where there is none. */
struct run *runs_at(const struct runs *runs, const uint8_t author[GOSSIP_ID_SIZE], uint64_t seq,
                    uint32_t source);

/* A whole run of author, from whomever, that covers seq; NULL where there is none. */
struct run *runs_whole_at(const struct runs *runs, const uint8_t author[GOSSIP_ID_SIZE],
                          uint64_t seq);

/* Lets go of one run, or of all those of an author up to and including seq. */
void runs_remove(struct runs *runs, struct run *run);
void runs_remove_until(struct runs *runs, const uint8_t author[GOSSIP_ID_SIZE], uint64_t seq);
void runs_clear(struct runs *runs);

/* Lets go of those that nothing has come for since before_ms. Returns how many. */
size_t runs_expire(struct runs *runs, uint64_t before_ms);

#endif
