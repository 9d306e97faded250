/*
 * A member gone bad: it has a key and a certificate of the cluster, and writes whatever bytes a
 * test likes. It speaks from an address of its own and keeps what it is sent.
 */
#ifndef TESTS_EVIL_H
#define TESTS_EVIL_H

#include "gossip/datagram.h"
#include "gossip/event.h"
#include "tests/story.h"

struct evil;

/* A message that came out of a box for the member. */
struct evil_message {
    struct evil_message *next;
    unsigned from; /* Which node sent it. */
    uint8_t kind;  /* enum message_kind */
    size_t size;
    uint8_t data[GOSSIP_PLAIN_MAX];
};

/* One event as it stands in a stream, and the chain after it. */
struct evil_event {
    uint8_t *body;
    size_t size;
    struct chain chain;
};

/* An author of the member's: it may have as many as it draws epochs. Events are numbered from 1;
 * event n is at index n - 1. */
struct evil_author {
    const struct evil *evil;
    uint8_t epoch[GOSSIP_EPOCH_SIZE];
    uint8_t id[GOSSIP_ID_SIZE];
    struct evil_event *events;
    size_t count;
    size_t capacity;
};

/* An entry of a context, as it will stand: nothing is checked. */
struct evil_entry {
    uint64_t gap;      /* For an author named before. */
    const uint8_t *id; /* For one named now. */
    uint64_t seq;
};

/* How a run is told, if not as an honest node would. */
struct evil_lies {
    const uint8_t *author;   /* Another author's id, */
    const uint8_t *previous; /* another previous hash, */
    const uint8_t *seal;     /* another seal, */
    uint64_t first;          /* other events than those in the stream, */
    uint64_t last;
    uint32_t size; /* another size than the stream has: parts only up to the lesser of the two, */
    uint32_t skip; /* and only the parts from this offset on. */
    uint32_t part; /* Bytes of the stream in a part. */
    bool unintroduced;
};

/* A new member. The tap of world is theirs from the first one on. */
struct evil *evil_create(struct world *world, const char *name);

/* A second process with the key of a node of world. It speaks from an address of its own. */
struct evil *evil_double(struct world *world, unsigned node);

/* Frees all members of a world. */
void evil_destroy_all(struct world *world);

struct gossip_address evil_address(const struct evil *evil);
const struct gossip_identity *evil_identity(const struct evil *evil);

/* Says hello and sends the token back, so that node has proven it. Whether it worked. */
bool evil_join(struct evil *evil, unsigned node);

/* The same as another boot, whose first box has this counter. */
void evil_join_as(struct evil *evil, unsigned node, uint64_t counter);

/* Boxes a message for node and delivers it at once; a digest is signed. */
void evil_send(struct evil *evil, unsigned node, enum message_kind kind, const uint8_t *message,
               size_t size);

/* Writes the box that evil_send() would deliver; returns its size. */
size_t evil_box(struct evil *evil, unsigned node, enum message_kind kind, const uint8_t *message,
                size_t size, uint8_t ret_data[GOSSIP_DATAGRAM_MAX]);

/* Takes the next message that came: true, or false if there is none. */
bool evil_take(struct evil *evil, struct evil_message *ret_message);
void evil_forget(struct evil *evil);

/* Bytes of all datagrams that came to any member, hellos included. */
uint64_t evil_bytes(const struct world *world);

/* A digest's answer or closing with one list entry, or an opening (step 1: no entry). */
void evil_digest(struct evil *evil, unsigned node, const uint8_t *exchange, uint32_t step,
                 const uint8_t *author, uint64_t have, const uint8_t *head);

/* Answers with this claim each exchange that node has begun; returns how many. */
unsigned evil_claim(struct evil *evil, unsigned node, const uint8_t *author, uint64_t have,
                    const uint8_t *head);

void evil_author_start(struct evil_author *author, const struct evil *evil, uint64_t epoch);
void evil_author_clear(struct evil_author *author);

/* Appends an event with this body, whatever it is. */
void evil_write(struct evil_author *author, const uint8_t *body, size_t size);

/* Appends an application event with this context and text. Known entries come first. */
void evil_publish(struct evil_author *author, const struct evil_entry *entries, size_t count,
                  const char *text);

/* Tells node events first..last in parts; lies may be NULL. Returns how many parts. */
unsigned evil_push(struct evil *evil, unsigned node, const struct evil_author *author,
                   uint64_t first, uint64_t last, const struct evil_lies *lies);

/* The id of the author as which a node of the world publishes. */
void evil_honest_id(struct world *world, unsigned node, uint8_t ret_id[GOSSIP_ID_SIZE]);

#endif
