/*
 * What a batch of steps brings forth: records to save, and only then datagrams to send, results
 * and notices. It is all lent until the batch is started anew.
 */
#ifndef GOSSIP_BATCH_H
#define GOSSIP_BATCH_H

#include "gossip/arena.h"
#include "gossip/authors.h"
#include "gossip/gossip.h"

/* One event of the batch; those of one author hang together in the order of seq. */
struct batch_event {
    size_t record;  /* Its place in records. */
    ptrdiff_t next; /* The author's next event in events, or NO_INDEX. */
};

struct batch {
    struct arena arena;
    struct gossip_record *records;
    size_t record_count;
    size_t record_capacity;
    size_t record_bytes;
    struct batch_event *events;
    size_t event_count;
    size_t event_capacity;
    struct gossip_datagram *datagrams;
    size_t datagram_count;
    size_t datagram_capacity;
    size_t datagram_bytes;
    struct gossip_notice *notices;
    size_t notice_count;
    size_t notice_capacity;
    struct gossip_result *results;
    size_t result_count;
    size_t result_capacity;
};

/* Forgets everything and takes the events off their authors, whose saved state they now are. */
void batch_start(struct batch *batch, struct authors *authors);
void batch_clear(struct batch *batch);

/* Each appends one; NOMEM, and nothing has changed. Records' memory must be lent as long as the
 * batch (arena). */
int batch_save(struct batch *batch, const struct gossip_record *record);
int batch_save_event(struct batch *batch, struct author *author,
                     const struct gossip_event_record *event);
int batch_send(struct batch *batch, const struct gossip_address *to, const uint8_t *data,
               size_t size); /* Copies data. */
int batch_notice(struct batch *batch, const struct gossip_notice *notice);
int batch_result(struct batch *batch, const struct gossip_result *result);

#endif
