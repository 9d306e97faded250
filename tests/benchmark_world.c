/*
 * How much faster than time a virtual world runs, with the checker on. Prints ratios; nothing here
 * is a test, as machines differ and are shared. "benchmark_world quick" takes a few seconds.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/lab/remembering.h"
#include "cmd/lab/world.h"

enum {
    ROUNDS = 5,
    SECOND_MS = 1000,
};

static double processor_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void require_sound(struct world *world)
{
    const struct violation *violation = world_violation(world);

    if (violation->invariant != INVARIANT_NONE)
        printf("VIOLATION: %s: %s\n", invariant_name(violation->invariant), violation->witness);
}

static void write_one(struct world *world, unsigned node, unsigned number)
{
    char text[64];

    snprintf(text, sizeof(text), "message %u of a usual size, about as long as this", number);
    world_publish(world, node, text, strlen(text));
}

/* Five nodes, a round a second, twenty messages a second in all. */
static double run_five(enum world_store store, enum world_crypto crypto, unsigned seconds)
{
    static const struct virtual_link link = {.latency_ms = 5, .jitter_ms = 20};
    struct world_options options = {.seed = 1, .nodes = 5, .store = store, .crypto = crypto};
    double began = processor_seconds();
    struct world *world;
    double took;

    remembering_crypto_forget();
    world = world_create(&options);
    virtual_network_set_default(world_network(world), &link);
    for (unsigned i = 0; i < seconds * 20; i++) {
        write_one(world, i % 5, i);
        world_run(world, 50);
    }
    world_examine(world);
    took = processor_seconds() - began;
    require_sound(world);
    world_destroy(world);
    return seconds / took;
}

/* A thousand nodes, ten of which write an event a second. */
static void run_thousand(unsigned nodes, unsigned seconds)
{
    static const struct virtual_link link = {.latency_ms = 5, .jitter_ms = 20};
    struct world_options options = {.seed = 1, .nodes = nodes, .nodes_max = nodes};
    double began = processor_seconds();
    struct world *world;
    bool agrees;

    world = world_create(&options);
    virtual_network_set_default(world_network(world), &link);
    for (unsigned i = 0; i < seconds * 10; i++) {
        write_one(world, i % 10 * (nodes / 10), i);
        world_run(world, 100);
    }
    agrees = world_run_until(world, world_agrees, 600 * SECOND_MS);
    printf("%u nodes, 10 writing, %u s: %s at %.0f s, %.1f processor seconds\n", nodes, seconds,
           agrees ? "all hold all events" : "NOT IN AGREEMENT", (double)world_now(world) / 1000,
           processor_seconds() - began);
    require_sound(world);
    world_destroy(world);
}

static void run_case(const char *name, enum world_store store, enum world_crypto crypto,
                     unsigned seconds, unsigned wanted)
{
    double rates[ROUNDS];

    for (unsigned i = 0; i < ROUNDS; i++) {
        double rate = run_five(store, crypto, seconds);
        unsigned place = i;

        for (; place > 0 && rates[place - 1] > rate; place--)
            rates[place] = rates[place - 1];
        rates[place] = rate;
    }
    printf("%-32s %6.0f times real time (median of %d; %.0f to %.0f), wanted %u\n", name,
           rates[ROUNDS / 2], (int)ROUNDS, rates[0], rates[ROUNDS - 1], wanted);
}

int main(int argc, char **argv)
{
    bool is_quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    unsigned seconds = is_quick ? 20 : 60;

    run_case("memory store, stand-in", WORLD_MEMORY, WORLD_STANDIN, seconds, 1000);
    run_case("SQLite, stand-in", WORLD_SQLITE, WORLD_STANDIN, seconds, 300);
    run_case("SQLite, libsodium", WORLD_SQLITE, WORLD_SODIUM, seconds, 100);
    run_thousand(is_quick ? 100 : 1000, 20);
    return 0;
}
