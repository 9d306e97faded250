/*
 * How long a node takes to be ready after kill -9, and what memory it takes then, by how many
 * events of 256 authors its store holds. Prints figures; nothing here is a test, as machines differ
 * and are shared.
 *
 *     benchmark_start [EVENTS...]     10000 100000 1000000 unless told
 */
#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gossip/contexts.h"
#include "gossip/crypto.h"
#include "gossip/event.h"
#include "gossip/gossip.h"
#include "gossip/identity.h"
#include "tests/scratch.h"

enum {
    AUTHORS = 256,
    BATCH = 8192, /* Events of one save. */
    BODY_MAX = 256,
};

struct member {
    struct gossip_identity *identity;
    struct gossip_author_record record;
    struct chain chain;
};

static struct member members[AUTHORS];
static struct gossip_record records[BATCH + AUTHORS];
static uint8_t bodies[BATCH][BODY_MAX];
static uint8_t seals[BATCH][GOSSIP_SIGNATURE_SIZE];
static uint8_t no_context[16];
static size_t no_context_size;

static void require(int error, const char *what)
{
    if (error >= 0)
        return;
    fprintf(stderr, "benchmark_start: %s: %s\n", what, gossip_strerror(error));
    exit(1);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Of this process, in MiB. */
static double resident(void)
{
    unsigned long size;
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file == NULL || fscanf(file, "%lu %lu", &size, &pages) != 2)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1024 * 1024);
}

static void make_members(void)
{
    struct gossip_cluster *cluster;
    struct gossip_vclock nothing = {0};

    require(gossip_cluster_create(gossip_system_time(), &cluster), "cluster");
    for (uint32_t i = 0; i < AUTHORS; i++) {
        struct member *member = &members[i];
        char name[16];

        snprintf(name, sizeof(name), "n%u", i);
        require(gossip_identity_create(cluster, name, 0, gossip_system_time(), &member->identity),
                "identity");
        member->record.number = i;
        memcpy(member->record.key, member->identity->key, GOSSIP_KEY_SIZE);
        author_id(gossip_crypto_sodium(), member->record.key, member->record.epoch,
                  member->record.id);
    }
    gossip_cluster_destroy(cluster);
    no_context_size = context_encoded_size(&nothing);
    assert(no_context_size <= sizeof(no_context));
    context_encode(&nothing, no_context);
}

static int start(struct gossip_store *store, struct gossip **ret_gossip)
{
    struct gossip_options options = {.size = sizeof(options),
                                     .store = store,
                                     .time = gossip_system_time(),
                                     .identity = members[0].identity};

    return gossip_create(&options, ret_gossip);
}

/* The next event of member, which the i-th of the batch holds. */
static void write_event(struct member *member, size_t i, uint64_t delivery, bool is_last)
{
    static const char payload[] = "a payload of a usual size, about as long as this one is";
    const struct gossip_crypto *crypto = gossip_crypto_sodium();
    struct chain_owner owner = {member->identity->cluster, member->record.key,
                                member->record.epoch};
    size_t start_size = frame_size(GOSSIP_EVENT_APPLICATION, NULL, 0);
    size_t size = start_size + payload_field_size(sizeof(payload));
    struct gossip_event_record *event = &records[i].as.event;
    struct frame frame;
    bool is_frame;

    assert(size <= BODY_MAX);
    frame_write(bodies[i], (UINT64_C(1800000000000) + delivery) << 16, GOSSIP_EVENT_APPLICATION,
                NULL, 0);
    payload_field_write(bodies[i] + start_size, payload, sizeof(payload));
    is_frame = frame_read(bodies[i], size, &frame);
    assert(is_frame);
    records[i] = (struct gossip_record){.kind = GOSSIP_RECORD_EVENT};
    event->delivery = delivery;
    event->author = member->record.number;
    event->body = bodies[i];
    event->body_size = size;
    if (chain_advance(&member->chain, crypto, &owner, bodies[i], size, &frame) || is_last) {
        seal_sign(crypto, member->chain.hash, member->identity->secret, seals[i]);
        event->seal = seals[i];
    }
    event->seq = member->chain.seq;
    memcpy(event->hash, member->chain.hash, GOSSIP_HASH_SIZE);
    if (event->seq % GOSSIP_CHECKPOINT_EVERY == 0) {
        event->context = no_context;
        event->context_size = no_context_size;
    }
}

static void note_author(struct member *member, struct gossip_record *record)
{
    member->record.have = member->chain.seq;
    memcpy(member->record.head_hash, member->chain.hash, GOSSIP_HASH_SIZE);
    member->record.unsealed_size = member->chain.unsealed_size;
    *record = (struct gossip_record){.kind = GOSSIP_RECORD_AUTHOR, .as.author = member->record};
}

/* Takes over the epoch with which the node has prepared its store. */
static void take_own_epoch(struct gossip *gossip)
{
    struct gossip_author self;

    require(gossip_author(gossip, gossip_self(gossip), &self), "self");
    memcpy(members[0].record.epoch, self.epoch, GOSSIP_EPOCH_SIZE);
    memcpy(members[0].record.id, self.id, GOSSIP_ID_SIZE);
}

/* Fills a new store and dies over it. */
static void fill(const char *path, uint64_t events)
{
    struct gossip_store *store;
    struct gossip *gossip;

    require(gossip_sqlite_open(path, GOSSIP_SQLITE_CREATE, NULL, 0, &store), "create");
    require(start(store, &gossip), "prepare");
    take_own_epoch(gossip);
    gossip_destroy(gossip);
    for (uint64_t done = 0; done < events;) {
        size_t count = events - done < BATCH ? (size_t)(events - done) : BATCH;

        for (size_t i = 0; i < count; i++, done++)
            write_event(&members[done % AUTHORS], i, done + 1, done + AUTHORS >= events);
        for (size_t i = 0; i < AUTHORS; i++)
            note_author(&members[i], &records[count + i]);
        require(store->ops->save(store, records, count + AUTHORS), "save");
    }
    raise(SIGKILL);
}

/* Ready after the kill; each in a process of its own, so that memory is its own, too. */
static void measure(const char *path, uint64_t events)
{
    struct gossip_store *store;
    struct gossip *gossip;
    double began = seconds();
    double opened;
    double ready;

    require(gossip_sqlite_open(path, GOSSIP_SQLITE_OPEN, NULL, 0, &store), "open");
    opened = seconds();
    require(start(store, &gossip), "start");
    ready = seconds();
    printf("%9" PRIu64 " events: ready in %.3f s (store %.3f, node %.3f), %.1f MiB resident\n",
           events, ready - began, opened - began, ready - opened, resident());
    fflush(stdout);
    require(gossip_verify(gossip, NULL, NULL, NULL), "verify");
    printf("%9" PRIu64 " events: verified in %.3f s, %.1f MiB resident\n", events,
           seconds() - ready, resident());
    fflush(stdout);
    gossip_destroy(gossip);
    store->ops->close(store);
}

static void in_process(const char *path, uint64_t events, void (*function)(const char *, uint64_t))
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        function(path, events);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child ||
        (WIFSIGNALED(status) ? WTERMSIG(status) != SIGKILL : WEXITSTATUS(status) != 0)) {
        fprintf(stderr, "benchmark_start: a process has failed\n");
        exit(1);
    }
}

static void run(uint64_t events)
{
    static const char *const endings[] = {"", "-wal", ".lock", ".side", ".marker"};
    char directory[128];
    char path[160];

    if (!scratch_directory("start", directory, sizeof(directory))) {
        perror("benchmark_start");
        exit(1);
    }
    snprintf(path, sizeof(path), "%s/store.db", directory);
    in_process(path, events, fill);
    in_process(path, events, measure);
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        char beside[192];

        snprintf(beside, sizeof(beside), "%s%s", path, endings[i]);
        unlink(beside);
    }
    if (rmdir(directory) != 0)
        perror(directory);
}

int main(int count, char **arguments)
{
    static const uint64_t usual[] = {10000, 100000, 1000000};

    make_members();
    for (size_t i = 0; count == 1 && i < sizeof(usual) / sizeof(usual[0]); i++)
        run(usual[i]);
    for (int i = 1; i < count; i++)
        run(strtoull(arguments[i], NULL, 10));
    for (size_t i = 0; i < AUTHORS; i++)
        gossip_identity_destroy(members[i].identity);
    return 0;
}
