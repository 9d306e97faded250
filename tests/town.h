/*
 * Three nodes that exist in what the checker is told only, and what is told of them by hand: saves,
 * starts, datagrams, results and what is shown. n1 is node 0.
 */
#ifndef TESTS_TOWN_H
#define TESTS_TOWN_H

#include <stddef.h>
#include <stdint.h>

#include "cmd/lab/checker.h"
#include "tests/hand_made.h"

enum {
    TOWN_NODES = 3,
    TOWN_EVENTS_MAX = 8,
    TOWN_DELIVERY_RECORDS = 3,
    TOWN_SECOND_EPOCH = TOWN_NODES, /* An author of n1's key, when it has opened it. */
    TOWN_WALL_MS = 1000000,
};

/* The town, and what each of its nodes has so far. */
struct town {
    struct gossip_cluster *cluster;
    struct gossip_identity *identities[TOWN_NODES];
    struct checker *checker;
    struct hand_author authors[HAND_AUTHORS];
    struct hand_event events[HAND_AUTHORS][TOWN_EVENTS_MAX];
    struct gossip_store *stores[TOWN_NODES];
    uint32_t numbers[TOWN_NODES]
                    [HAND_AUTHORS]; /* At each node, of each author: its number and one more. */
    uint32_t number_count[TOWN_NODES];
    uint64_t have[TOWN_NODES][HAND_AUTHORS];
    uint64_t cuts[TOWN_NODES][HAND_AUTHORS];
    uint64_t deliveries[TOWN_NODES];
    uint64_t hlc;       /* The stamp of the last event that was composed, */
    uint64_t clock;     /* and the furthest of them, which everybody saves with what it delivers. */
    uint64_t box_count; /* Of all pairs. */
    uint64_t nonce_count;
};

/* ---- Saves. ---- */

void town_make_meta(const char *name, uint64_t number, struct gossip_record *ret_record);

/* The row of author at node, which gives it a number if it has none. */
void town_make_author(struct town *town, unsigned node, unsigned author, uint64_t have,
                      struct gossip_record *ret_record);

/* An event as the next delivery of node, after the row that counts it and before the stamp. */
void town_make_delivery(struct town *town, unsigned node, unsigned author, uint64_t seq,
                        struct gossip_record ret_records[TOWN_DELIVERY_RECORDS]);

void town_tell_saved(struct town *town, unsigned node, const struct gossip_record *records,
                     size_t count);

void town_deliver(struct town *town, unsigned node, unsigned author, uint64_t seq);

/* Nothing is saved yet. */
uint64_t town_compose_claiming(struct town *town, unsigned node, const char *payload,
                               const uint64_t clock[HAND_AUTHORS]);

uint64_t town_compose(struct town *town, unsigned node, const char *payload);

void town_publish(struct town *town, unsigned node, const char *payload);

/* Composes and saves, with this outcome; the store keeps nothing of it. */
void town_publish_badly(struct town *town, unsigned node, int result, bool is_durable);

/* ---- Starts. ---- */

/* Starts node from what it has stored, and counts the boot of the new process. */
void town_start_again(struct town *town, unsigned node, uint64_t boot);

/* Starts node from store, which becomes its own. */
void town_start_from(struct town *town, unsigned node, struct gossip_store *store,
                     enum checker_disk disk);

struct gossip_store *town_open_empty(void);

void town_add_to(struct gossip_store *store, const struct gossip_record *records, size_t count);

/* n1's own events up to seq, and nothing else. */
struct gossip_store *town_make_store_of_n1(struct town *town, uint64_t seq);

/* ---- Datagrams. ---- */

void town_send_bytes(struct town *town, unsigned from, unsigned to, const uint8_t *data,
                     size_t size);

size_t town_seal_box(struct town *town, unsigned from, unsigned to, const uint8_t *plain,
                     size_t size, uint8_t ret_data[GOSSIP_DATAGRAM_MAX]);

void town_send_box(struct town *town, unsigned from, unsigned to, const uint8_t *plain,
                   size_t size);

/* A digest of one author, whose last event has this hash. */
void town_send_digest(struct town *town, unsigned from, const uint8_t id[GOSSIP_ID_SIZE],
                      uint64_t have, bool is_cut, const uint8_t hash[GOSSIP_HASH_SIZE]);

void town_show_author(struct town *town, unsigned from, unsigned author, uint64_t have);

/* What of a run is altered on its way into a datagram. */
enum alteration { AS_WRITTEN, ALTERED_STREAM, ALTERED_PREVIOUS, ALTERED_SEAL, UNKNOWN_AUTHOR };

void town_send_run(struct town *town, unsigned from, unsigned author, uint64_t first, uint64_t last,
                   enum alteration alteration);

void town_send_hello(struct town *town, unsigned from, uint64_t boot, uint64_t boot_id);

/* ---- Results and deliveries. ---- */

void town_return_result(struct town *town, unsigned node, uint64_t seq, const char *payload);

/* Shows the event with this payload and the context claims, and itself. */
void town_pop(struct town *town, unsigned node, uint64_t delivery, unsigned author, uint64_t seq,
              const uint64_t claims[HAND_AUTHORS], const char *payload);

/* ---- The town before anything goes wrong. ---- */

/* n1 has written n1:1 "one" and n1:2 "two"; n2 has had the first of them, and then written n2:1
 * "three". n3 has nothing. */
struct town *town_create(void);

void town_destroy(struct town *town);

void town_require_sound(const struct town *town);

/* ---- Crimes. ---- */

/* What is not sound: it is found, by the invariant that it violates. */
struct crime {
    void (*commit)(struct town *town);
    enum invariant invariant;
    const char *witness[2]; /* What it must say. */
};

/* Each crime is committed in a town of its own. */
void town_require_found(const struct crime *crimes, size_t count);

#define REQUIRE_FOUND(crimes) town_require_found(crimes, sizeof(crimes) / sizeof(crimes[0]))

#endif
