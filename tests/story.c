#include "tests/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { TEXT_MAX = 65536, MEET_MS = 200000, AWAIT_MS = 200000 };

static const struct virtual_link usual = {.latency_ms = 5, .jitter_ms = 35};

static struct story current;
static char text[TEXT_MAX];

static void print_violation(const struct world *world)
{
    const struct violation *violation = world_violation(world);

    print_message("at %" PRIu64 " ms: %s, %s: %s\n", violation->time_ms,
                  invariant_letter(violation->invariant), invariant_name(violation->invariant),
                  violation->witness);
}

int story_teardown(void **state)
{
    (void)state;
    if (current.world == NULL)
        return 0;
    print_message("seed %" PRIu64 " over %s, at %" PRIu64 " ms; GOSSIP_TEST_SEED=%" PRIu64
                  " replays it\n",
                  current.seed, current.store == WORLD_MEMORY ? "memory" : "SQLite",
                  world_now(current.world), current.seed);
    if (!world_is_sound(current.world))
        print_violation(current.world);
    world_destroy(current.world);
    current.world = NULL;
    return 0;
}

bool story_is_short(void)
{
    return getenv("GOSSIP_TEST_SEEDS") != NULL; /* Under valgrind, and sanitizers. */
}

static void tell_over(story_teller *teller, enum world_store store, uint64_t seeds)
{
    const char *only = getenv("GOSSIP_TEST_SEED");
    const char *fewer = getenv("GOSSIP_TEST_SEEDS"); /* Under valgrind. */
    uint64_t first = 1;
    uint64_t last = seeds;

    if (fewer != NULL && strtoull(fewer, NULL, 10) < last)
        last = strtoull(fewer, NULL, 10);
    if (only != NULL)
        first = last = strtoull(only, NULL, 10);
    for (uint64_t seed = first; seed <= last; seed++) {
        current = (struct story){.seed = seed, .store = store};
        teller(&current);
        assert_null(current.world); /* A story that was begun was ended. */
    }
}

void story_tell_seeds(story_teller *teller, uint64_t seeds)
{
    tell_over(teller, WORLD_MEMORY, seeds);
    tell_over(teller, WORLD_SQLITE, seeds);
}

void story_tell(story_teller *teller)
{
    story_tell_seeds(teller, STORY_SEEDS);
}

void story_tell_of_memory(story_teller *teller)
{
    tell_over(teller, WORLD_MEMORY, STORY_SEEDS);
}

void story_tell_of_disks(story_teller *teller)
{
    tell_over(teller, WORLD_SQLITE, STORY_SEEDS);
}

struct world *story_begin_with(struct story *story, unsigned nodes,
                               const struct world_options *options)
{
    struct world_options complete = *options;

    complete.seed = story->seed;
    complete.store = story->store;
    complete.nodes = nodes;
    story->nodes = nodes;
    story->world = world_create(&complete);
    virtual_network_set_default(world_network(story->world), &usual);
    return story->world;
}

struct world *story_begin(struct story *story, unsigned nodes)
{
    struct world_options none = {0};
    struct world *world = story_begin_with(story, nodes, &none);

    assert_true(world_run_until(world, story_in_step, STORY_MINUTE_MS));
    return world;
}

void story_end(struct story *story)
{
    world_examine(story->world);
    assert_true(world_is_sound(story->world)); /* Else the teardown shows what was seen. */
    world_destroy(story->world);
    story->world = NULL;
}

bool story_in_step(struct world *world)
{
    size_t up = 0;

    if (!world_in_step(world))
        return false;
    for (unsigned i = 0; i < world_nodes(world); i++)
        up += world_state(world, i) == WORLD_UP;
    for (unsigned i = 0; i < world_nodes(world); i++) {
        struct gossip *gossip = world_gossip(world, i);
        size_t in_step = 0;

        if (world_state(world, i) != WORLD_UP)
            continue;
        for (size_t j = 0; j < gossip_peer_count(gossip); j++) {
            struct gossip_peer peer;

            assert_int_equal(gossip_peer(gossip, j, &peer), GOSSIP_OK);
            in_step += peer.state == GOSSIP_PEER_ALIVE && peer.in_step;
        }
        if (in_step + 1 < up)
            return false;
    }
    return true;
}

void story_part_all(struct world *world)
{
    for (unsigned i = 0; i < world_nodes(world); i++) {
        for (unsigned j = 0; j < world_nodes(world); j++) {
            if (i != j)
                world_cut(world, i, j);
        }
    }
}

void story_link(struct world *world, unsigned a, unsigned b)
{
    world_mend(world, a, b);
    world_mend(world, b, a);
}

void story_unlink(struct world *world, unsigned a, unsigned b)
{
    world_cut(world, a, b);
    world_cut(world, b, a);
}

void story_meet(struct world *world)
{
    world_heal(world);
    assert_true(world_run_until(world, story_in_step, MEET_MS));
}

uint64_t story_tells(struct world *world, unsigned node, const char *words)
{
    uint64_t seq = world_tell(world, node, words);

    assert_int_not_equal(seq, 0);
    return seq;
}

uint32_t story_author(struct world *world, unsigned node, unsigned other)
{
    const struct gossip *gossip = world_gossip(world, node);
    const uint8_t *key = gossip_identity_key(world_identity(world, other));

    for (uint32_t i = 0; i < gossip_author_count(gossip); i++) {
        struct gossip_author author;

        assert_int_equal(gossip_author(gossip, i, &author), GOSSIP_OK);
        if (memcmp(author.key, key, GOSSIP_KEY_SIZE) == 0)
            return i;
    }
    return UINT32_MAX;
}

uint64_t story_have(struct world *world, unsigned node, unsigned author)
{
    uint32_t number = story_author(world, node, author);

    return number == UINT32_MAX
               ? 0
               : gossip_vclock_get(gossip_clock(world_gossip(world, node)), number);
}

void story_await(struct world *world, unsigned node, unsigned author, uint64_t seq)
{
    uint64_t end = world_now(world) + AWAIT_MS;

    while (story_have(world, node, author) < seq && world_now(world) < end && world_is_sound(world))
        world_run(world, 100);
    assert_true(story_have(world, node, author) >= seq);
}

struct gossip_stats story_stats(struct world *world, unsigned node)
{
    struct gossip_stats stats;

    gossip_stats(world_gossip(world, node), &stats);
    return stats;
}

static int by_name(void *context, uint32_t author, char *name, size_t size)
{
    struct gossip_author info;

    assert_int_equal(gossip_author(context, author, &info), GOSSIP_OK);
    return snprintf(name, size, "%s", info.name == NULL ? "?" : info.name);
}

static const char *clock_text(struct gossip *gossip, const struct gossip_vclock *clock)
{
    char *written;

    assert_int_equal(gossip_vclock_to_text(clock, by_name, gossip, &written), GOSSIP_OK);
    snprintf(text, sizeof(text), "%s", written);
    free(written);
    return text;
}

static int by_id(void *context, uint32_t author, char *name, size_t size)
{
    struct gossip_author info;
    int written = 0;

    assert_int_equal(gossip_author(context, author, &info), GOSSIP_OK);
    for (size_t i = 0; i < GOSSIP_ID_SIZE; i++)
        written += snprintf(name + written, size - (size_t)written, "%02x", info.id[i]);
    return written;
}

bool story_agrees(struct world *world)
{
    char *first = NULL;
    bool agrees = true;

    for (unsigned i = 0; i < world_nodes(world) && agrees; i++) {
        struct gossip *gossip = world_gossip(world, i);
        char *written;

        if (gossip == NULL)
            continue;
        assert_int_equal(gossip_vclock_to_text(gossip_clock(gossip), by_id, gossip, &written),
                         GOSSIP_OK);
        agrees = first == NULL || strcmp(first, written) == 0;
        if (first == NULL)
            first = written;
        else
            free(written);
    }
    free(first);
    return agrees;
}

void story_inject(struct world *world, unsigned node, const struct gossip_address *from,
                  const uint8_t *data, size_t size)
{
    assert_true(virtual_network_inject(world_network(world), node, from, data, size));
    world_run(world, 0);
}

const char *story_clock(struct world *world, unsigned node)
{
    struct gossip *gossip = world_gossip(world, node);

    return clock_text(gossip, gossip_clock(gossip));
}

const char *story_event_clock(struct world *world, unsigned node, unsigned author, uint64_t seq)
{
    struct gossip *gossip = world_gossip(world, node);
    struct gossip_dot dot = {story_author(world, node, author), seq};
    struct gossip_event event;

    if (gossip_event_get(gossip, dot, &event) != GOSSIP_OK)
        return "none";
    return clock_text(gossip, event.clock);
}

static void add_word(char *words, size_t size, const struct gossip_event *event)
{
    size_t length = strlen(words);

    assert_true(length + event->size + 2 <= size);
    if (length > 0)
        words[length++] = ' ';
    if (event->size > 0)
        memcpy(words + length, event->data, event->size);
    words[length + event->size] = '\0';
}

const char *story_log(struct world *world, unsigned node)
{
    struct gossip_log *log;
    struct gossip_event event;
    int found;

    text[0] = '\0';
    assert_int_equal(gossip_log_open(world_gossip(world, node), GOSSIP_LOG_EVENTS, &log),
                     GOSSIP_OK);
    while ((found = gossip_log_next(log, &event)) > 0)
        add_word(text, sizeof(text), &event);
    gossip_log_close(log);
    assert_int_equal(found, 0);
    return text;
}

void story_print(struct world *world, unsigned node)
{
    static const char *const states[] = {"unreached", "alive", "silent"};
    struct gossip *gossip = world_gossip(world, node);
    struct gossip_stats stats;

    print_message("n%u at %llu ms: %s\n", node + 1, (unsigned long long)world_now(world),
                  story_clock(world, node));
    for (size_t i = 0; i < gossip_peer_count(gossip); i++) {
        struct gossip_peer peer;

        assert_int_equal(gossip_peer(gossip, i, &peer), GOSSIP_OK);
        print_message("  %s port %u %s%s, heard %lld ms ago, %llu of %llu answered\n", peer.name,
                      peer.address.port, states[peer.state], peer.in_step ? ", in step" : "",
                      (long long)peer.heard_ms, (unsigned long long)peer.answered,
                      (unsigned long long)peer.exchanges);
    }
    gossip_stats(gossip, &stats);
    print_message("  boot %llu, held %llu, runs %llu, pulls %llu, whole %llu;",
                  (unsigned long long)stats.boot, (unsigned long long)stats.held_events,
                  (unsigned long long)stats.runs_held, (unsigned long long)stats.pulls,
                  (unsigned long long)stats.pulls_whole);
    for (unsigned i = 0; i < GOSSIP_DATAGRAM_VERDICTS; i++) {
        if (stats.datagrams[i] > 0)
            print_message(" %s %llu", gossip_verdict_name((enum gossip_verdict)i),
                          (unsigned long long)stats.datagrams[i]);
    }
    print_message("\n");
}

enum gossip_relation story_relation(struct world *world, unsigned node, unsigned a, uint64_t a_seq,
                                    unsigned b, uint64_t b_seq)
{
    struct gossip_dot first = {story_author(world, node, a), a_seq};
    struct gossip_dot second = {story_author(world, node, b), b_seq};
    enum gossip_relation relation;

    assert_int_equal(gossip_relation(world_gossip(world, node), first, second, &relation),
                     GOSSIP_OK);
    return relation;
}

void story_hear(void *context, unsigned node, const struct gossip_event *event)
{
    struct story_heard *heard = context;

    if (node == heard->node)
        add_word(heard->text, sizeof(heard->text), event);
}

bool story_lose(void *context, unsigned from, unsigned to, const struct gossip_datagram *datagram)
{
    struct story_lost *lost = context;

    (void)datagram;
    if (from != lost->from || to != lost->to || lost->left == 0)
        return false;
    lost->left--;
    return true;
}
