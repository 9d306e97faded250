/*
 * Stories: what happens to a few nodes of a virtual world (cmd/lab/world.h), said in a few lines.
 *
 * A story is told again and again, with each seed and over each store. Whatever the story asserts,
 * the checker has watched every step; story_end() asks it. Where one fails, the seed, what the
 * checker has seen and how to replay it are printed. GOSSIP_TEST_SEED=N tells seed N alone,
 * GOSSIP_TEST_SEEDS=N the first N. Clocks are written {n1:2 n2:1}; node 0 is n1.
 */
#ifndef TESTS_STORY_H
#define TESTS_STORY_H

#include "cmd/lab/world.h"

enum {
    STORY_SEEDS = 20,
    STORY_SECOND_MS = 1000,
    STORY_MINUTE_MS = 60000,
    STORY_HOUR_MS = 3600000,
};

struct story {
    uint64_t seed;
    enum world_store store;
    unsigned nodes;
    struct world *world;
};

/* Begins and ends its own world. */
typedef void story_teller(struct story *story);

/* Tells a story over memory and over SQLite; over one of them where it is about that. */
void story_tell(story_teller *teller);
void story_tell_of_memory(story_teller *teller);
void story_tell_of_disks(story_teller *teller);

/* The same, with fewer seeds than STORY_SEEDS where one of them takes long. */
void story_tell_seeds(story_teller *teller, uint64_t seeds);

/* The teardown of every test: tells what failed, if anything. */
int story_teardown(void **state);

#define STORY(name)                                                                                \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        story_tell(name);                                                                          \
    }

#define STORY_OF_MEMORY(name)                                                                      \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        story_tell_of_memory(name);                                                                \
    }

#define STORY_OF_DISKS(name)                                                                       \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        story_tell_of_disks(name);                                                                 \
    }

#define LONG_STORY(name, seeds)                                                                    \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        story_tell_seeds(name, seeds);                                                             \
    }

#define STORY_TEST(name) cmocka_unit_test_teardown(test_##name, story_teardown)

/* Whether only a part of what is told is asked for: what is made in great numbers may be less. */
bool story_is_short(void);

/* A world of so many nodes. story_begin(): they have found each other, over links that take 5 to 40
 * ms; story_begin_with(): with these options, but for seed, store and nodes, and nothing has
 * happened. */
struct world *story_begin(struct story *story, unsigned nodes);
struct world *story_begin_with(struct story *story, unsigned nodes,
                               const struct world_options *options);

/* Examines everything, requires that the checker has found nothing, and unmakes the world. */
void story_end(struct story *story);

/* Whether all nodes that are up hold the same, and each knows it of each other. */
bool story_in_step(struct world *world);

/* Whether all nodes that are up have equal clocks, by author id: for worlds without a checker, of
 * which world_agrees() knows nothing. */
bool story_agrees(struct world *world);

/* Delivers a datagram to node, as if from address, and lets it deal with it at once. */
void story_inject(struct world *world, unsigned node, const struct gossip_address *from,
                  const uint8_t *data, size_t size);

/* Cuts every link; links two nodes again, both ways, or cuts them. */
void story_part_all(struct world *world);
void story_link(struct world *world, unsigned a, unsigned b);
void story_unlink(struct world *world, unsigned a, unsigned b);

/* Everything passes again, and nodes that had given each other up find each other. */
void story_meet(struct world *world);

/* As world_tell(), which must succeed. Returns the seq. */
uint64_t story_tells(struct world *world, unsigned node, const char *text);

/* Lets time pass until node has that event of author. */
void story_await(struct world *world, unsigned node, unsigned author, uint64_t seq);

/* Whether all events of author up to seq are at node; how many are. */
uint64_t story_have(struct world *world, unsigned node, unsigned author);

/* The number that node has given to the author as which other publishes; UINT32_MAX: none. */
uint32_t story_author(struct world *world, unsigned node, unsigned other);
struct gossip_stats story_stats(struct world *world, unsigned node);

/* Clocks as text, of a node and of an event; all payloads in displayed order, joined by spaces.
 * Lent until the next call of any of them. */
const char *story_clock(struct world *world, unsigned node);
const char *story_event_clock(struct world *world, unsigned node, unsigned author, uint64_t seq);
const char *story_log(struct world *world, unsigned node);

/* Prints where a node stands, for a person who looks for the reason of a failure. */
void story_print(struct world *world, unsigned node);

/* How author a's event stands to that of author b, as node sees it. */
enum gossip_relation story_relation(struct world *world, unsigned node, unsigned a, uint64_t a_seq,
                                    unsigned b, uint64_t b_seq);

/* What one node shows its application: payloads joined by spaces. As a world_application, whose
 * context it is. */
struct story_heard {
    unsigned node;
    char text[256];
};
world_application story_hear;

/* Loses the datagrams from one node to another, as long as some are left to lose. As a
 * virtual_network_tap, whose context it is. */
struct story_lost {
    unsigned from;
    unsigned to;
    unsigned left;
};
virtual_network_tap story_lose;

#endif
