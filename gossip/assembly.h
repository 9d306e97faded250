/*
 * Records on their way in that take more than one datagram: evictions, proofs and halves of proofs.
 * Nothing in here has been verified; it is bounded, and what is let go will be asked for again.
 */
#ifndef GOSSIP_ASSEMBLY_H
#define GOSSIP_ASSEMBLY_H

#include "gossip/wire.h"

enum {
    ASSEMBLIES_MAX = 16,
    ASSEMBLIES_OF_PEER = 4, /* So that none takes the room of all others. */
};

struct assembly {
    uint8_t id[GOSSIP_ID_SIZE];
    uint32_t source; /* Number of the peer that brings it. */
    uint32_t size;
    uint32_t received;                   /* Bytes. */
    uint8_t seen[GOSSIP_RECORD_MAX / 8]; /* Which of them, a bit each. */
    uint8_t bytes[GOSSIP_RECORD_MAX];
};

struct assemblies {
    struct assembly *items[ASSEMBLIES_MAX]; /* The one touched last is the last. */
    size_t count;
};

enum assembly_outcome {
    ASSEMBLY_WHOLE,     /* *ret_bytes is the record, lent until the next call. */
    ASSEMBLY_PART,      /* There is more to come. */
    ASSEMBLY_DUPLICATE, /* It brought nothing. */
    ASSEMBLY_CONFLICT,  /* The same peer has told another size of it. It is let go. */
    ASSEMBLY_NO_MEMORY,
};

/* Takes in a part that the peer source has sent. */
enum assembly_outcome assemblies_take(struct assemblies *assemblies,
                                      const struct wire_record_part *part, uint32_t source,
                                      struct wire_bytes *ret_bytes);

void assemblies_clear(struct assemblies *assemblies);

#endif
