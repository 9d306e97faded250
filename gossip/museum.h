/*
 * The museum: mistakes that nodes like ours have made elsewhere, each of which a node can be built
 * to make, so that tests can show that the simulator's checker catches it. docs/museum.md tells
 * their stories.
 *
 * MUSEUM(NAME) tells whether this process makes the mistake. It is constant false, and what depends
 * on it is no part of the program, but where GOSSIP_MUSEUM is defined: only -Dmuseum=true does
 * that, and only for programs of tests/museum, none of which is installed.
 */
#ifndef GOSSIP_MUSEUM_H
#define GOSSIP_MUSEUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum museum_exhibit {
    MUSEUM_NONE,
    MUSEUM_SEND_EARLY,     /* Datagrams leave before the commit. */
    MUSEUM_MERGE_DIGEST,   /* A peer's digest is merged into the clock. */
    MUSEUM_CLOCK_APART,    /* The clock is saved apart from the events that it counts. */
    MUSEUM_REUSE_COUNTER,  /* After a restart the own counter comes from an older place. */
    MUSEUM_DELIVER_EARLY,  /* Events are delivered before their causes. */
    MUSEUM_TICK_ON_MERGE,  /* An author's own entry counts merges as well. */
    MUSEUM_RESERIALISE,    /* Bodies are decoded and encoded again on their way. */
    MUSEUM_GO_ON,          /* A failed commit is passed over. */
    MUSEUM_SYNC_NORMAL,    /* SQLite commits with synchronous=NORMAL. */
    MUSEUM_UNBOUNDED_HOLD, /* The hold-back has no bound. */
    MUSEUM_IGNORE_SIDE,    /* The side file is not looked at. */
    MUSEUM_EPOCH_OF_TIME,  /* Epochs are made of the wall clock's seconds. */
    MUSEUM_NO_HEADS,       /* Head hashes are no part of digests. */
    MUSEUM_OLD_EPOCH,      /* After a store was set back, the old epoch goes on. */
    MUSEUM_STAND_STILL,    /* A forked author ends where each node stands, without a cut. */
    MUSEUM_FIRST_COMES,    /* The first cut that is heard of is the one that counts. */
    MUSEUM_EXHIBITS,
};

#ifdef GOSSIP_MUSEUM
enum { MUSEUM_IS_BUILT = 1 };
extern enum museum_exhibit museum_exhibit; /* What this process shows. */
#define MUSEUM(name) (museum_exhibit == MUSEUM_##name)
#else
enum { MUSEUM_IS_BUILT = 0 };
#define MUSEUM(name) false
#endif

/* What follows is defined in the museum alone. */

struct gossip_effects;
struct gossip_node;
struct gossip_store;

/* "SEND_EARLY" ...; never NULL. And back: MUSEUM_EXHIBITS if there is none of that name. */
const char *museum_name(enum museum_exhibit exhibit);
enum museum_exhibit museum_find(const char *name);

/* For a program's main(): takes `--exhibit NAME` off the front of its arguments, or NAME from the
 * environment's GOSSIP_MUSEUM, and shows that. Returns false, with the reason on stderr, where
 * there is no such exhibit. Of tests/museum/choose.c: gossip/ reads no environment. */
bool museum_choose(int *argc, char **argv);

/* CLOCK_APART: saves the clocks, and then the rest. */
int museum_save_apart(struct gossip_store *store, const struct gossip_effects *effects);

/* REUSE_COUNTER: takes our own author back by an event, as if its counter had been kept in a place
 * that is written less often than events are. */
int museum_take_back(struct gossip_node *node);

/* EPOCH_OF_TIME: the seconds of the wall clock, as an epoch. */
void museum_epoch(const struct gossip_node *node, uint8_t ret_epoch[8]);

/* RESERIALISE: the size of body once a library has decoded it and encoded it again. Nothing else
 * changes: a field that has the default value, as an empty payload has, is not written. */
size_t museum_reserialise(const uint8_t *body, size_t size);

/* FIRST_COMES: whether any author of key has been cut by something that was heard before. */
bool museum_is_cut(const struct gossip_node *node, const uint8_t key[32]);

#endif
