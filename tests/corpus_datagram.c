/*
 * Writes the corpus that fuzz_datagram starts from to the directory it is given: what nodes have
 * said to each other, as it was and out of its boxes, and a few programs written by hand.
 *
 *     build-fuzz/tests/corpus_datagram tests/corpus/datagram
 */
#include "cmd/lab/world.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/datagram.h"

enum { KINDS = 16, OF_EACH = 3, PROGRAM_MAX = 4096 };

struct recorder {
    struct world *world;
    const char *directory;
    unsigned written[KINDS];
    size_t sizes[KINDS][OF_EACH];
};

static void write_program(const char *directory, const char *name, const uint8_t *bytes,
                          size_t size)
{
    char path[4096];
    FILE *file;
    size_t written;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    written = fwrite(bytes, 1, size, file);
    if (written != size || fclose(file) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
}

static void add(uint8_t *program, size_t *size, const void *bytes, size_t count)
{
    assert(*size + count <= PROGRAM_MAX);
    memcpy(program + *size, bytes, count);
    *size += count;
}

/* One operation: number, who, size and bytes. */
static void add_bytes(uint8_t *program, size_t *size, uint8_t operation, const uint8_t *bytes,
                      size_t count)
{
    const uint8_t head[4] = {operation, 0, (uint8_t)(count >> 8), (uint8_t)count};

    add(program, size, head, sizeof(head));
    add(program, size, bytes, count);
}

/* Keeps of each kind those that differ in size from what there is. */
static bool is_wanted(struct recorder *recorder, unsigned kind, size_t size)
{
    for (unsigned i = 0; i < recorder->written[kind]; i++) {
        if (recorder->sizes[kind][i] == size)
            return false;
    }
    if (recorder->written[kind] == OF_EACH)
        return false;
    recorder->sizes[kind][recorder->written[kind]++] = size;
    return true;
}

static bool record(void *context, unsigned from, unsigned to,
                   const struct gossip_datagram *datagram)
{
    struct recorder *recorder = context;
    const uint8_t *data = datagram->data;
    size_t size = datagram->size;
    uint8_t program[PROGRAM_MAX];
    uint8_t plain[GOSSIP_PLAIN_MAX];
    uint8_t key[32];
    char name[64];
    size_t program_size = 0;
    bool opens;

    if (is_wanted(recorder, data[4], size)) {
        add_bytes(program, &program_size, 0, data, size);
        snprintf(name, sizeof(name), "datagram-%u-%zu", data[4], size);
        write_program(recorder->directory, name, program, program_size);
    }
    if (data[4] != DATAGRAM_BOX)
        return false;
    opens = pair_key(gossip_crypto_sodium(), world_identity(recorder->world, from),
                     gossip_identity_key(world_identity(recorder->world, to)), key);
    assert(opens);
    size = box_open(gossip_crypto_sodium(), key, data, size, plain);
    assert(size > 0);
    if (plain[0] == MESSAGE_DIGEST)
        size -= GOSSIP_SIGNATURE_SIZE; /* It is made anew. */
    if (is_wanted(recorder, 8 + plain[0], size)) {
        program_size = 0;
        add_bytes(program, &program_size, 3, plain, size);
        snprintf(name, sizeof(name), "message-%u-%zu", plain[0], size);
        write_program(recorder->directory, name, program, program_size);
    }
    return false;
}

static void write_by_hand(const char *directory)
{
    /* The operations of fuzz_datagram.c. */
    static const uint8_t held[] = {
        4, 0,  0x08, 0, 1, 6,    2,    /* m1 waits for m2's second event. */
        1, 40,                         /* Time for a repair. */
        4, 1,  0x08, 1, 0, 1,    0, 1, /* m2's two, of which the second names the node's own. */
        7, 9,                          /* The node publishes, */
        6, 0,  0,    0, 5, 0,          /* is asked for it, */
        8, 1,  100,                    /* and starts again. */
        4, 0,  0x48, 0, 1, 0x81, 2,    /* m1 goes on, by mention number. */
        4, 1,  0x98, 0, 0,             /* A wrong seal; again. */
        4, 1,  0x28, 0, 0,             /* The end of a run. */
    };
    static const uint8_t claims[] = {
        2, 1,   1,                                             /* A new boot. */
        1, 70,                                                 /* An exchange begins. */
        5, 0,   1, 1, 0x3f, 255, 255, 255, 255, 255, 255, 255, /* Everything of another's. */
        5, 1,   0, 0, 0,    0,   0,   0,   0,   0,   0,   0,   /* An opening, */
        5, 1,   2, 4, 0,    0,   0,   0,   0,   0,   0,   9,   /* and its closing. */
        1, 255, 9, 1, 7,    3,   9,   0,   7,   3,   1,   255,
    };
    static const uint8_t gaps[] = {
        7, 200, 7,   200, 7, 200, 1,  1,   6,   0,   0,   0, 2, 3, 0, 0, 0, 0, 0,
        0, 0,   100, 0,   0, 0,   50, 255, 255, 255, 255, 0, 0, 2, 0, 0, 0, 0, 255,
    };
    uint8_t many[64 * 1 + 4] = {4, 0, 0x08, 63};

    write_program(directory, "held", held, sizeof(held));
    write_program(directory, "claims", claims, sizeof(claims));
    write_program(directory, "gaps", gaps, sizeof(gaps));
    write_program(directory, "many", many, sizeof(many));
}

int main(int argc, char **argv)
{
    static const struct virtual_link link = {.latency_ms = 5, .jitter_ms = 35, .loss_ppm = 200000};
    struct world_options options = {.seed = 1, .nodes = 3, .crypto = WORLD_SODIUM};
    struct recorder recorder = {0};

    if (argc != 2) {
        fprintf(stderr, "usage: corpus_datagram DIRECTORY\n");
        return 2;
    }
    recorder.directory = argv[1];
    recorder.world = world_create(&options);
    virtual_network_set_default(world_network(recorder.world), &link);
    world_set_tap(recorder.world, record, &recorder);
    for (unsigned i = 0; i < 60; i++) {
        world_tell(recorder.world, i % 3, i % 7 == 0 ? "an event with a longer text" : "event");
        world_run(recorder.world, 500);
    }
    world_destroy(recorder.world);
    write_by_hand(recorder.directory);
    return 0;
}
