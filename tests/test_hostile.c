/*
 * Members gone bad: what they sign, claim and ask for moves nothing but their own events, stays
 * within its bounds and delays nobody else. After each story the honest nodes agree among
 * themselves and their stores hold against themselves.
 */
#include "tests/evil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/bytes.h"
#include "gossip/service.h"
#include "gossip/splitmix.h"

enum { NODES = 3, MANY = GOSSIP_CONTEXT_ENTRIES_MAX };

struct stage {
    struct world *world;
    struct splitmix lots;
    uint64_t notices[NODES]; /* A bit for each kind given. */
    struct evil *evil;
    struct evil *accomplice;
    uint64_t published[NODES];
};

static struct gossip_node *inside(struct stage *stage, unsigned node)
{
    return world_gossip(stage->world, node)->node;
}

static struct gossip_stats stats_of(struct stage *stage, unsigned node)
{
    struct gossip_stats stats;

    gossip_stats(world_gossip(stage->world, node), &stats);
    return stats;
}

static uint64_t counted(struct stage *stage, unsigned node, enum gossip_verdict verdict)
{
    return stats_of(stage, node).datagrams[verdict];
}

/* The world deals with notices as it runs a node, and tells of them. */
static void note(void *context, uint64_t time_ms, const char *line)
{
    struct stage *stage = context;
    unsigned number;
    char name[32];

    (void)time_ms;
    if (sscanf(line, "n%u notices: %31s", &number, name) != 2)
        return;
    for (enum gossip_notice_kind kind = 0; kind <= GOSSIP_NOTICE_POISON; kind++) {
        if (strcmp(gossip_notice_name(kind), name) == 0)
            stage->notices[number - 1] |= UINT64_C(1) << kind;
    }
}

static int begin(void **state)
{
    static const struct virtual_link link = {.latency_ms = 5, .jitter_ms = 35};
    /* The checker's record has no place for members gone bad, and real cryptography is what they
     * are up against. */
    struct world_options options = {
        .seed = 7, .nodes = NODES, .crypto = WORLD_SODIUM, .unchecked = true};
    struct stage *stage = calloc(1, sizeof(*stage));

    assert_non_null(stage);
    stage->lots = (struct splitmix){7};
    stage->world = world_create(&options);
    virtual_network_set_default(world_network(stage->world), &link);
    world_set_narrator(stage->world, note, stage);
    assert_true(world_run_until(stage->world, story_in_step, 60000));
    stage->evil = evil_create(stage->world, "mallory");
    stage->accomplice = evil_create(stage->world, "trudy");
    for (unsigned i = 0; i < NODES; i++) {
        assert_true(evil_join(stage->evil, i));
        assert_true(evil_join(stage->accomplice, i));
    }
    world_run(stage->world, 100);
    *state = stage;
    return 0;
}

static int end(void **state)
{
    struct stage *stage = *state;

    evil_destroy_all(stage->world);
    world_destroy(stage->world);
    free(stage);
    return 0;
}

static void publish(struct stage *stage, unsigned node)
{
    stage->published[node] = story_tells(stage->world, node, "honest");
}

/* Whether each honest node has all that honest nodes have published. */
static bool has_all(struct stage *stage)
{
    for (unsigned i = 0; i < NODES; i++) {
        for (unsigned j = 0; j < NODES; j++) {
            uint32_t author = story_author(stage->world, i, j);

            if (stage->published[j] > 0 &&
                (author == UINT32_MAX ||
                 gossip_vclock_get(gossip_clock(world_gossip(stage->world, i)), author) <
                     stage->published[j]))
                return false;
        }
    }
    return true;
}

static void print_fault(void *context, const char *line)
{
    (void)context;
    printf("verify: %s\n", line);
}

/* After the attack: honest events pass, all agree, bounds hold and every store is sound. */
static void check_honest(struct stage *stage)
{
    for (unsigned i = 0; i < NODES; i++)
        publish(stage, i);
    for (unsigned tries = 0; tries < 120 && !(has_all(stage) && story_agrees(stage->world));
         tries++)
        world_run(stage->world, 1000);
    if (!has_all(stage) || !story_agrees(stage->world)) {
        for (unsigned i = 0; i < NODES; i++)
            story_print(stage->world, i);
    }
    assert_true(has_all(stage));
    assert_true(story_agrees(stage->world));
    for (unsigned i = 0; i < NODES; i++) {
        struct gossip_stats stats = stats_of(stage, i);

        assert_int_equal(gossip_verify(world_gossip(stage->world, i), print_fault, NULL, NULL),
                         GOSSIP_OK);
        assert_true(stats.held_events <= GOSSIP_PENDING_EVENTS);
        assert_true(stats.held_bytes <= GOSSIP_PENDING_BYTES);
        assert_true(stats.runs_held <= GOSSIP_RUNS_HELD);
        assert_true(stats.runs_bytes <= GOSSIP_RUNS_BYTES);
    }
}

/* What node has of an author, by id; 0 where it does not know it. */
static uint64_t have(struct stage *stage, unsigned node, const uint8_t *id)
{
    uint32_t number = authors_find(&inside(stage, node)->authors, id);

    return number == NO_AUTHOR ? 0 : inside(stage, node)->authors.items[number]->stored.have;
}

/* Whether node has given such a notice since it was asked last. */
static bool has_notice(struct stage *stage, unsigned node, enum gossip_notice_kind kind)
{
    bool found = (stage->notices[node] >> kind & 1) != 0;

    stage->notices[node] = 0;
    return found;
}

/* Delivers one run of one event to all, which must come to nothing; verdict is what it counts as.
 */
static void refused_everywhere(struct stage *stage, const struct evil_author *author,
                               const struct evil_lies *lies, enum gossip_verdict verdict)
{
    for (unsigned i = 0; i < NODES; i++) {
        uint64_t before = counted(stage, i, verdict);
        uint64_t had = have(stage, i, author->id);

        evil_push(stage->evil, i, author, author->count, author->count, lies);
        assert_int_equal(counted(stage, i, verdict), before + 1);
        assert_int_equal(have(stage, i, author->id), had);
    }
}

/* An event as it should be is taken by all: the other tests would prove little otherwise. */
static void good_events_are_taken(void **state)
{
    struct stage *stage = *state;
    struct evil_author author;

    evil_author_start(&author, stage->evil, 1);
    for (unsigned i = 0; i < 130; i++)
        evil_publish(&author, NULL, 0, "good");
    evil_push(stage->evil, 0, &author, 1, 64, NULL);
    evil_push(stage->evil, 0, &author, 65, 128, NULL);
    evil_push(stage->evil, 0, &author, 129, 130, NULL);
    assert_int_equal(have(stage, 0, author.id), 130);
    check_honest(stage);
    assert_int_equal(have(stage, 2, author.id), 130);
    evil_author_clear(&author);
}

static void write_raw(struct evil_author *author, uint64_t kind, uint64_t knowns, uint64_t news,
                      const uint8_t *rest, size_t size)
{
    uint8_t body[256];
    struct writer writer = {body, sizeof(body), 0, false};

    write_fixed(&writer, UINT64_C(1800000000000) << 16, 8);
    write_varint(&writer, kind);
    write_varint(&writer, knowns);
    if (knowns > 0 && size > 0) {
        write_bytes(&writer, rest, size);
        size = 0;
    }
    write_varint(&writer, news);
    if (size > 0)
        write_bytes(&writer, rest, size);
    assert_false(writer.failed);
    evil_write(author, body, writer.size);
}

/* Frames that no node takes, whoever has sealed them. */
static void bad_frames_are_refused(void **state)
{
    struct stage *stage = *state;
    uint8_t ids[2][GOSSIP_ID_SIZE] = {{1}, {2}};
    uint8_t honest[GOSSIP_ID_SIZE];
    const struct {
        const char *what;
        struct evil_entry entries[2];
        size_t count;
    } cases[] = {
        {"seq 0", {{.id = ids[0], .seq = 0}}, 1},
        {"seq past the last", {{.id = ids[0], .seq = GOSSIP_COUNTER_MAX + 1}}, 1},
        {"seq 2^63", {{.id = ids[0], .seq = UINT64_C(1) << 63}}, 1},
        {"seq 2^64 - 1", {{.id = ids[0], .seq = UINT64_MAX}}, 1},
        {"ids out of order", {{.id = ids[1], .seq = 1}, {.id = ids[0], .seq = 1}}, 2},
        {"an id twice", {{.id = ids[0], .seq = 1}, {.id = ids[0], .seq = 2}}, 2},
        {"a gap of 0", {{.gap = 0, .seq = 1}}, 1},
        {"a gap past any number", {{.gap = UINT64_C(1) << 33, .seq = 1}}, 1},
        {"a known seq of 0", {{.gap = 1, .seq = 0}}, 1},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct evil_author author;

        evil_author_start(&author, stage->evil, 100 + i);
        evil_publish(&author, cases[i].entries, cases[i].count, cases[i].what);
        refused_everywhere(stage, &author, NULL, GOSSIP_DATAGRAM_MALFORMED);
        evil_author_clear(&author);
    }
    for (unsigned i = 0; i < 5; i++) {
        struct evil_author author;
        static const uint8_t longer[] = {0x80, 0x00};

        evil_author_start(&author, stage->evil, 200 + i);
        if (i == 0)
            write_raw(&author, 0, 0, 0, NULL, 0);
        if (i == 1)
            write_raw(&author, UINT64_C(1) << 32, 0, 0, NULL, 0);
        if (i == 2)
            write_raw(&author, 1, 0, 3, ids[0], sizeof(ids[0])); /* Cut off. */
        if (i == 3)
            write_raw(&author, 1, UINT64_MAX, 0, NULL, 0);
        if (i == 4)
            write_raw(&author, 1, 1, 0, longer, sizeof(longer)); /* Not the shortest varint. */
        refused_everywhere(stage, &author, NULL, GOSSIP_DATAGRAM_MALFORMED);
        evil_author_clear(&author);
    }
    evil_honest_id(stage->world, 0, honest);
    check_honest(stage);
}

/* What can only be told with the author's history: refused by all on delivery, at the same event,
 * and what came before stays. */
static void bad_contexts_are_refused(void **state)
{
    struct stage *stage = *state;
    uint8_t honest[GOSSIP_ID_SIZE];

    publish(stage, 0);
    world_run(stage->world, 5000);
    evil_honest_id(stage->world, 0, honest);
    for (unsigned i = 0; i < 4; i++) {
        struct evil_author author;
        struct evil_entry first = {.id = honest, .seq = 1};
        struct evil_entry wrong = first;

        evil_author_start(&author, stage->evil, 300 + i);
        if (i == 1)
            wrong.id = author.id; /* Its own. */
        if (i == 2)
            wrong = (struct evil_entry){.gap = 2, .seq = 1}; /* A number not given out yet. */
        if (i == 3)
            wrong = (struct evil_entry){.gap = UINT32_MAX, .seq = 1};
        evil_publish(&author, &first, 1, "fine");
        evil_publish(&author, &wrong, 1, "wrong"); /* Of 0: an id mentioned before. */
        evil_publish(&author, NULL, 0, "after");
        for (unsigned j = 0; j < NODES; j++) {
            uint64_t before = counted(stage, j, GOSSIP_DATAGRAM_REFUSED);

            evil_push(stage->evil, j, &author, 1, 3, NULL);
            assert_int_equal(have(stage, j, author.id), 1);
            assert_true(counted(stage, j, GOSSIP_DATAGRAM_REFUSED) > before);
            assert_true(has_notice(stage, j, GOSSIP_NOTICE_REFUSED));
            assert_int_equal(stats_of(stage, j).held_events, 0);
            /* And told again it is no better. */
            evil_push(stage->evil, j, &author, 2, 3, NULL);
            assert_int_equal(have(stage, j, author.id), 1);
        }
        evil_author_clear(&author);
    }
    check_honest(stage);
}

/* A run may say of itself what it likes. */
static void runs_that_lie(void **state)
{
    struct stage *stage = *state;
    struct evil_author author;
    uint8_t honest[GOSSIP_ID_SIZE];
    uint8_t wrong[GOSSIP_SIGNATURE_SIZE] = {1};
    uint8_t other[GOSSIP_SIGNATURE_SIZE];

    publish(stage, 0);
    world_run(stage->world, 5000);
    evil_honest_id(stage->world, 0, honest);
    evil_author_start(&author, stage->evil, 1);
    for (unsigned i = 0; i < 70; i++)
        evil_publish(&author, NULL, 0, "e");
    seal_sign(gossip_crypto_sodium(), author.events[1].chain.hash,
              evil_identity(stage->evil)->secret, other);

    /* No seal, the seal of another event, another author's name. */
    for (unsigned i = 0; i < NODES; i++) {
        uint64_t forged = counted(stage, i, GOSSIP_DATAGRAM_FORGED);

        evil_push(stage->evil, i, &author, 1, 1, &(struct evil_lies){.seal = wrong});
        evil_push(stage->evil, i, &author, 1, 1, &(struct evil_lies){.seal = other});
        evil_push(stage->evil, i, &author, 1, 1,
                  &(struct evil_lies){.author = honest, .first = 2, .last = 2});
        assert_int_equal(counted(stage, i, GOSSIP_DATAGRAM_FORGED), forged + 2);
        assert_int_equal(counted(stage, i, GOSSIP_DATAGRAM_REFUSED), 1);
        assert_true(has_notice(stage, i, GOSSIP_NOTICE_DISAGREES));
        /* With the right previous hash it is the seal that does not fit. */
        evil_push(
            stage->evil, i, &author, 1, 1,
            &(struct evil_lies){
                .author = honest,
                .previous = inside(stage, i)
                                ->authors.items[authors_find(&inside(stage, i)->authors, honest)]
                                ->stored.head_hash,
                .first = 2,
                .last = 2});
        assert_int_equal(counted(stage, i, GOSSIP_DATAGRAM_FORGED), forged + 3);
        assert_int_equal(have(stage, i, honest), 1);
        assert_int_equal(have(stage, i, author.id), 0);
    }
    /* Before an author's first event there is nothing, also of an author that nobody knows, and of
     * one that is known and has written nothing, as the nodes but the first themselves. */
    for (unsigned i = 0; i < NODES; i++) {
        uint64_t malformed = counted(stage, i, GOSSIP_DATAGRAM_MALFORMED);

        evil_push(stage->evil, i, &author, 1, 1, &(struct evil_lies){.previous = wrong});
        assert_int_equal(counted(stage, i, GOSSIP_DATAGRAM_MALFORMED), malformed + 1);
        assert_int_equal(have(stage, i, author.id), 0);
    }
    for (unsigned i = 1; i < NODES; i++) {
        uint64_t malformed = counted(stage, i, GOSSIP_DATAGRAM_MALFORMED);
        uint8_t own[GOSSIP_ID_SIZE];

        evil_honest_id(stage->world, i, own);
        assert_int_equal(have(stage, i, own), 0);
        evil_push(stage->evil, i, &author, 1, 1,
                  &(struct evil_lies){.author = own, .previous = wrong});
        assert_int_equal(counted(stage, i, GOSSIP_DATAGRAM_MALFORMED), malformed + 1);
    }
    /* A required seal inside a run. */
    for (unsigned i = 0; i < NODES; i++) {
        uint64_t malformed = counted(stage, i, GOSSIP_DATAGRAM_MALFORMED);

        evil_push(stage->evil, i, &author, 1, 70, NULL);
        assert_true(counted(stage, i, GOSSIP_DATAGRAM_MALFORMED) > malformed);
        assert_int_equal(have(stage, i, author.id), 0);
    }
    /* Seqs far away: nothing there is ever taken, and nothing wraps. */
    for (unsigned i = 0; i < NODES; i++) {
        evil_push(stage->evil, i, &author, 1, 1,
                  &(struct evil_lies){.first = GOSSIP_COUNTER_MAX, .last = GOSSIP_COUNTER_MAX});
        evil_push(stage->evil, i, &author, 1, 1,
                  &(struct evil_lies){.first = 1, .last = GOSSIP_COUNTER_MAX});
        evil_push(stage->evil, i, &author, 1, 3, &(struct evil_lies){.first = 5, .last = 7});
        assert_int_equal(have(stage, i, author.id), 0);
    }
    /* Two sizes of one run, either way round; then what is true. */
    for (unsigned i = 0; i < NODES; i++) {
        evil_push(stage->evil, i, &author, 1, 64, &(struct evil_lies){.size = 5000, .part = 100});
        evil_push(stage->accomplice, i, &author, 1, 64, &(struct evil_lies){.size = 300});
        evil_push(stage->evil, i, &author, 1, 64, NULL);
        evil_push(stage->evil, i, &author, 1, 64, NULL);
        assert_int_equal(have(stage, i, author.id), 64);
    }
    /* A previous hash that is not ours. */
    evil_push(stage->evil, 0, &author, 65, 66, &(struct evil_lies){.previous = wrong});
    assert_int_equal(have(stage, 0, author.id), 64);
    check_honest(stage);
    evil_author_clear(&author);
}

/* Seqs that the wire itself refuses: 0, reversed, past the last. */
static void seqs_out_of_range(void **state)
{
    struct stage *stage = *state;
    struct evil_author author;
    const struct {
        uint64_t first;
        uint64_t last;
    } cases[] = {{0, 1},
                 {2, 1},
                 {1, GOSSIP_COUNTER_MAX + 1},
                 {UINT64_C(1) << 63, UINT64_C(1) << 63},
                 {1, UINT64_MAX}};

    evil_author_start(&author, stage->evil, 1);
    evil_publish(&author, NULL, 0, "e");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        uint8_t message[GOSSIP_PLAIN_MAX];
        struct writer writer = {message, sizeof(message), 0, false};
        uint8_t part[512];
        struct writer inner = {part, sizeof(part), 0, false};
        uint8_t zeros[64] = {0};
        uint64_t before = counted(stage, 0, GOSSIP_DATAGRAM_MALFORMED);

        write_varint(&inner, 1 << 3 | 2);
        write_varint(&inner, GOSSIP_ID_SIZE);
        write_bytes(&inner, author.id, GOSSIP_ID_SIZE);
        write_varint(&inner, 2 << 3);
        write_varint(&inner, cases[i].first);
        write_varint(&inner, 3 << 3);
        write_varint(&inner, cases[i].last);
        write_varint(&inner, 4 << 3);
        write_varint(&inner, 3);
        write_varint(&inner, 5 << 3);
        write_varint(&inner, 0);
        write_varint(&inner, 6 << 3 | 2);
        write_varint(&inner, GOSSIP_HASH_SIZE);
        write_bytes(&inner, zeros, GOSSIP_HASH_SIZE);
        write_varint(&inner, 7 << 3 | 2);
        write_varint(&inner, 1);
        write_bytes(&inner, zeros, 1);
        write_varint(&writer, 5 << 3 | 2);
        write_varint(&writer, inner.size);
        write_bytes(&writer, part, inner.size);
        assert_false(writer.failed);
        evil_send(stage->evil, 0, MESSAGE_PART, message, writer.size);
        assert_int_equal(counted(stage, 0, GOSSIP_DATAGRAM_MALFORMED), before + 1);
    }
    check_honest(stage);
    evil_author_clear(&author);
}

/* Events that wait for what never comes: only their author stalls. */
static void unknown_authors_stall_only_their_own(void **state)
{
    struct stage *stage = *state;
    struct evil_author author;
    uint8_t nobody[GOSSIP_ID_SIZE] = {0xee};
    struct evil_entry entry = {.id = nobody, .seq = GOSSIP_COUNTER_MAX};
    struct gossip_held held[8];

    evil_author_start(&author, stage->evil, 1);
    evil_publish(&author, &entry, 1, "never");
    evil_publish(&author, NULL, 0, "nor this");
    for (unsigned i = 0; i < NODES; i++) {
        evil_push(stage->evil, i, &author, 1, 2, NULL);
        assert_int_equal(stats_of(stage, i).held_events, 2);
        assert_int_equal(gossip_held(world_gossip(stage->world, i), held, 8), 1);
        assert_memory_equal(held[0].waits_id, nobody, GOSSIP_ID_SIZE);
        assert_true(held[0].waits_seq == GOSSIP_COUNTER_MAX);
    }
    check_honest(stage);
    assert_int_equal(have(stage, 0, author.id), 0);
    evil_author_clear(&author);
}

/* Two colluders whose first events each wait for the other's. */
static void circles_are_held(void **state)
{
    struct stage *stage = *state;
    struct evil_author one;
    struct evil_author two;
    struct evil_entry entry = {.seq = 1};

    evil_author_start(&one, stage->evil, 1);
    evil_author_start(&two, stage->accomplice, 2);
    entry.id = two.id;
    evil_publish(&one, &entry, 1, "after the other");
    entry.id = one.id;
    evil_publish(&two, &entry, 1, "after the other");
    for (unsigned i = 0; i < NODES; i++) {
        evil_push(stage->evil, i, &one, 1, 1, NULL);
        evil_push(stage->accomplice, i, &two, 1, 1, NULL);
        assert_int_equal(stats_of(stage, i).held_events, 2);
    }
    check_honest(stage);
    assert_int_equal(have(stage, 0, one.id) + have(stage, 0, two.id), 0);
    evil_author_clear(&one);
    evil_author_clear(&two);
}

/* As many entries as there may be are held; one more is refused. */
static void many_entries(void **state)
{
    struct stage *stage = *state;
    struct evil_entry *entries = calloc(MANY + 1, sizeof(*entries));
    uint8_t(*ids)[GOSSIP_ID_SIZE] = calloc(MANY + 1, sizeof(*ids));
    struct evil_author author;

    assert_non_null(entries);
    assert_non_null(ids);
    for (unsigned i = 0; i <= MANY; i++) {
        put_fixed(ids[i], i, 4);
        entries[i] = (struct evil_entry){.id = ids[i], .seq = GOSSIP_COUNTER_MAX};
    }
    evil_author_start(&author, stage->evil, 1);
    evil_publish(&author, entries, MANY + 1, "one too many");
    evil_push(stage->evil, 0, &author, 1, 1, NULL);
    assert_int_equal(counted(stage, 0, GOSSIP_DATAGRAM_MALFORMED), 1);
    assert_int_equal(stats_of(stage, 0).held_events, 0);
    evil_author_clear(&author);
    evil_author_start(&author, stage->evil, 2);
    evil_publish(&author, entries, MANY, "just so many");
    evil_push(stage->evil, 0, &author, 1, 1, NULL);
    assert_int_equal(stats_of(stage, 0).held_events, 1);
    check_honest(stage);
    evil_author_clear(&author);
    free(entries);
    free(ids);
}

/* A flood of verified events that wait: bounds hold, the greatest gives way and others pass. */
static void held_back_flood(void **state)
{
    struct stage *stage = *state;
    struct evil_author author;
    struct evil_author large;
    uint8_t nobody[GOSSIP_ID_SIZE] = {0xee};
    struct evil_entry entry = {.id = nobody, .seq = 1};
    char *text = malloc(300001);

    assert_non_null(text);
    memset(text, 'x', 300000);
    text[300000] = '\0';
    evil_author_start(&author, stage->evil, 1);
    evil_author_start(&large, stage->evil, 2);
    evil_publish(&author, &entry, 1, "never");
    while (author.count < GOSSIP_PENDING_EVENTS + 640)
        evil_publish(&author, NULL, 0, "e");
    for (uint64_t first = 1; first <= author.count; first += 64) {
        evil_push(stage->evil, 0, &author, first, first + 63, NULL);
        assert_true(stats_of(stage, 0).held_events <= GOSSIP_PENDING_EVENTS);
    }
    assert_int_equal(stats_of(stage, 0).held_events, GOSSIP_PENDING_EVENTS);
    assert_true(has_notice(stage, 0, GOSSIP_NOTICE_DROPPED));
    publish(stage, 1);
    world_run(stage->world, 3000);
    assert_true(has_all(stage));

    evil_publish(&large, &entry, 1, "never");
    while (large.count < 20)
        evil_publish(&large, NULL, 0, text);
    for (uint64_t seq = 1; seq <= large.count; seq++) {
        evil_push(stage->accomplice, 0, &large, seq, seq, NULL);
        assert_true(stats_of(stage, 0).held_bytes <= GOSSIP_PENDING_BYTES);
    }
    assert_true(stats_of(stage, 0).dropped > 0);
    check_honest(stage);
    evil_author_clear(&author);
    evil_author_clear(&large);
    free(text);
}

/* A flood of parts that come to nothing, in many runs and in large ones, goes on while honest
 * nodes publish more than fits one part. */
static void parts_flood(void **state)
{
    struct stage *stage = *state;
    struct evil_author author;
    char *text = malloc(200001);
    uint64_t run = 1;

    assert_non_null(text);
    memset(text, 'x', 200000);
    text[200000] = '\0';
    evil_author_start(&author, stage->evil, 1);
    evil_publish(&author, NULL, 0, text);
    text[60000] = '\0';
    for (unsigned round = 0; round < 20; round++) {
        if (round == 3)
            stage->published[0] = story_tells(stage->world, 0, text);
        for (unsigned i = 0; i < 300; i++, run++) {
            /* Few bytes of a run that reaches far, and then many of one. */
            evil_push(stage->evil, 1, &author, 1, 1,
                      &(struct evil_lies){.first = run * 64,
                                          .last = run * 64 + 63,
                                          .size = GOSSIP_RUN_SIZE_MAX,
                                          .skip = 200000 - 600});
            assert_true(stats_of(stage, 1).runs_held <= GOSSIP_RUNS_HELD);
        }
        evil_push(stage->evil, 1, &author, 1, 1,
                  &(struct evil_lies){.first = run * 64,
                                      .last = run * 64 + 63,
                                      .size = GOSSIP_RUN_SIZE_MAX,
                                      .part = 900});
        assert_true(stats_of(stage, 1).runs_bytes <= GOSSIP_RUNS_BYTES);
        world_run(stage->world, 100);
    }
    world_run(stage->world, 3000);
    assert_true(has_all(stage));
    check_honest(stage);
    evil_author_clear(&author);
    free(text);
}

/* Parts of an honest author's runs, with bytes, sizes and introductions of the attacker's, come
 * all the time: they must not keep the true ones out. */
static void poisoned_runs(void **state)
{
    struct stage *stage = *state;
    struct evil_author author;
    uint8_t honest[GOSSIP_ID_SIZE];
    uint8_t wrong[GOSSIP_SIGNATURE_SIZE] = {1};
    char text[3001];

    memset(text, 'x', 3000);
    text[3000] = '\0';
    evil_author_start(&author, stage->evil, 1);
    evil_publish(&author, NULL, 0, text);
    evil_honest_id(stage->world, 0, honest);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        /* A body of as many bytes as the true one will have, and of others. */
        for (unsigned round = 0; round < 100; round++) {
            struct evil_lies lies = {
                .author = honest, .first = seq, .last = seq, .seal = wrong, .part = 900};

            for (unsigned i = 1; i < NODES; i++) {
                lies.size = round % 3 == 0 ? 2000 : 0;
                evil_push(stage->evil, i, &author, 1, 1, &lies); /* Whole. */
                lies.skip = 900;
                evil_push(stage->evil, i, &author, 1, 1, &lies); /* All but the beginning, */
                lies.skip = 0;
                lies.size = 4000;
                evil_push(stage->evil, i, &author, 1, 1, &lies); /* or the end. */
            }
            if (round == 5)
                stage->published[0] = story_tells(stage->world, 0, text);
            world_run(stage->world, 20);
        }
        for (unsigned i = 0; i < NODES; i++)
            assert_int_equal(have(stage, i, honest), seq);
        assert_true(has_all(stage));
    }
    check_honest(stage);
    evil_author_clear(&author);
}

/* Digests move no clock, whatever they claim; claims that come to nothing do not keep a node from
 * asking others. */
static void digests_that_lie(void **state)
{
    struct stage *stage = *state;
    uint8_t honest[GOSSIP_ID_SIZE];
    uint8_t nobody[GOSSIP_ID_SIZE] = {0xee};
    uint8_t exchange[GOSSIP_NONCE_SIZE] = {1};
    struct evil_message message;
    uint64_t before;
    bool asked = false;

    publish(stage, 0);
    world_run(stage->world, 5000);
    evil_honest_id(stage->world, 0, honest);
    before = stats_of(stage, 0).commits;
    for (unsigned round = 0; round < 60; round++) {
        const uint8_t *id = round % 2 == 0 ? honest : nobody;
        uint64_t claim = round % 3 == 0 ? GOSSIP_COUNTER_MAX : round % 3;

        for (unsigned i = 0; i < NODES; i++) {
            exchange[1] = (uint8_t)round;
            evil_digest(stage->evil, i, exchange, 1, NULL, 0, NULL);
            evil_digest(stage->evil, i, exchange, 3, id, claim, NULL);
            evil_digest(stage->evil, i, exchange, 2, id, claim, NULL); /* To nothing asked. */
            assert_true(evil_claim(stage->evil, i, id, claim, NULL) < 10);
            assert_int_equal(have(stage, i, honest), 1);
        }
        world_run(stage->world, 500);
    }
    while (evil_take(stage->evil, &message))
        asked = asked || message.kind == MESSAGE_PULL;
    assert_true(asked);
    assert_int_equal(stats_of(stage, 0).commits, before);
    for (unsigned i = 0; i < NODES; i++) {
        assert_true(counted(stage, i, GOSSIP_DATAGRAM_UNASKED) > 0);
        assert_true(has_notice(stage, i, GOSSIP_NOTICE_DISAGREES)); /* The other head hash. */
    }
    check_honest(stage);
}

/* A claim past what a counter can be is no digest; a list out of order neither. */
static void lists_that_are_none(void **state)
{
    struct stage *stage = *state;
    uint8_t nobody[GOSSIP_ID_SIZE] = {0xee};
    uint8_t exchange[GOSSIP_NONCE_SIZE] = {1};

    evil_digest(stage->evil, 0, exchange, 1, NULL, 0, NULL);
    evil_digest(stage->evil, 0, exchange, 3, nobody, GOSSIP_COUNTER_MAX + 1, NULL);
    assert_int_equal(counted(stage, 0, GOSSIP_DATAGRAM_MALFORMED), 1);
    evil_digest(stage->evil, 0, exchange, 1, NULL, 0, NULL);
    evil_digest(stage->evil, 0, exchange, 3, nobody, 0, NULL);
    assert_int_equal(counted(stage, 0, GOSSIP_DATAGRAM_MALFORMED), 2);
    check_honest(stage);
}

/* The attacker says it has an honest author's events, and answers pulls with drops that bring
 * nothing, for ever. Another peer has them. */
static void answers_that_bring_nothing(void **state)
{
    struct stage *stage = *state;
    struct evil_author author;
    uint8_t honest[GOSSIP_ID_SIZE];
    uint64_t request = 0;

    evil_honest_id(stage->world, 0, honest);
    evil_author_start(&author, stage->evil, 1);
    evil_publish(&author, NULL, 0, "e");
    world_cut(stage->world, 0, 2);
    world_cut(stage->world, 2, 0);
    for (unsigned round = 0; round < 300; round++) {
        struct evil_message message;

        if (round == 20)
            stage->published[0] = story_tells(stage->world, 0, "for all");
        evil_claim(stage->evil, 2, honest, 1, NULL);
        while (evil_take(stage->evil, &message)) {
            static struct wire_arena arena;
            struct wire_pull pull;

            if (message.kind == MESSAGE_PULL && message.from == 2 &&
                wire_decode_pull(&arena, message.data, message.size, &pull))
                request = pull.request;
        }
        if (request != 0) {
            struct wire_part part = {
                .has_request = true, .request = request, .index = round % 1000, .count = 1000};
            uint8_t bytes[GOSSIP_PLAIN_MAX];

            evil_send(stage->evil, 2, MESSAGE_PART, bytes,
                      wire_encode_part(&part, bytes, sizeof(bytes) - 1));
        }
        world_run(stage->world, 100);
    }
    assert_int_equal(have(stage, 1, honest), 1);
    assert_int_equal(have(stage, 2, honest), 1);
    world_heal(stage->world);
    check_honest(stage);
    evil_author_clear(&author);
}

static void ask(struct stage *stage, struct wire_pull *pull)
{
    uint8_t message[GOSSIP_PLAIN_MAX];
    size_t size = wire_encode_pull(pull, message, sizeof(message) - 1);

    assert_true(size > 0);
    evil_send(stage->evil, 0, MESSAGE_PULL, message, size);
}

/* Pulls for everything at once, with holes anywhere: never more than a window. */
static void pulls_for_everything(void **state)
{
    struct stage *stage = *state;
    uint8_t honest[GOSSIP_ID_SIZE];
    uint64_t random = 1;
    char *text = malloc(60001);
    uint64_t whole = 0;

    assert_non_null(text);
    memset(text, 'x', 60000);
    text[60000] = '\0';
    for (unsigned i = 0; i < 150; i++)
        stage->published[0] = story_tells(stage->world, 0, i % 3 == 0 ? text : "small");
    world_run(stage->world, 20000);
    assert_true(has_all(stage));
    evil_honest_id(stage->world, 0, honest);
    for (unsigned round = 0; round < 400; round++) {
        struct wire_pull pull = {.request = round + 1, .events = UINT32_MAX, .size = UINT32_MAX};
        uint64_t before = evil_bytes(stage->world);
        unsigned gaps = 0;

        pull.want_count = 1 + splitmix_below(&stage->lots, GOSSIP_WANTS_MAX);
        for (size_t i = 0; i < pull.want_count; i++) {
            struct wire_want *want = &pull.wants[i];

            want->author = honest;
            want->first = round % 4 == 0 ? 1 : 1 + splitmix_below(&stage->lots, 160);
            want->last = round % 4 == 0   ? GOSSIP_COUNTER_MAX
                         : round % 4 == 1 ? want->first
                                          : want->first + splitmix_below(&stage->lots, 70);
            if (round % 2 == 0)
                continue;
            for (; want->gap_count < GOSSIP_GAPS_MAX && gaps < 30; gaps++) {
                struct wire_gap *gap = &want->gaps[want->gap_count++];

                gap->offset = (uint32_t)splitmix_below(&stage->lots, 3) == 0
                                  ? 0
                                  : (uint32_t)splitmix_below(&stage->lots, 70000);
                gap->size = splitmix_below(&stage->lots, 2) == 0
                                ? UINT32_MAX - gap->offset
                                : (uint32_t)splitmix_below(&stage->lots, 70000);
            }
        }
        ask(stage, &pull);
        /* A window, its parts' headers, and the last run past it. */
        assert_true(evil_bytes(stage->world) - before < GOSSIP_WINDOW_BYTES * 3 / 2);
        if (evil_bytes(stage->world) - before > GOSSIP_WINDOW_BYTES / 2)
            whole++;
        evil_forget(stage->evil);
    }
    assert_true(whole > 0);
    (void)random;

    /* One run, whole, as often as a datagram can ask for it. */
    for (unsigned zero = 0; zero < 2; zero++) {
        struct wire_pull pull = {.request = 1, .events = UINT32_MAX, .size = UINT32_MAX};
        uint64_t before = evil_bytes(stage->world);
        uint64_t size = 0;

        for (uint64_t seq = 1; seq <= 1; seq++) {
            struct gossip_event event;

            assert_int_equal(
                gossip_event_get(world_gossip(stage->world, 0),
                                 (struct gossip_dot){story_author(stage->world, 0, 0), seq},
                                 &event),
                GOSSIP_OK);
            size = event.size;
        }
        assert_int_equal(size, 60000);
        pull.want_count = GOSSIP_WANTS_MAX;
        for (size_t i = 0; i < GOSSIP_WANTS_MAX; i++) {
            uint64_t sizes = 13 + 3 + 60000; /* Frame, payload field: nearly the stream. */

            pull.wants[i] = (struct wire_want){.author = honest, .first = 1, .last = 1};
            pull.wants[i].gap_count = 1;
            pull.wants[i].gaps[0] = (struct wire_gap){0, (uint32_t)sizes};
        }
        if (zero == 1)
            pull.size = 0;
        ask(stage, &pull);
        assert_true(evil_bytes(stage->world) - before < GOSSIP_WINDOW_BYTES * 3 / 2);
        assert_true(evil_bytes(stage->world) - before > 10000);
        evil_forget(stage->evil);
    }
    check_honest(stage);
    free(text);
}

/* Many pulls in one batch are answered in more than one: what waits to be sent is bounded. */
static void pulls_in_one_batch(void **state)
{
    struct stage *stage = *state;
    struct gossip_node *node;
    uint8_t honest[GOSSIP_ID_SIZE];
    char *text = malloc(60001);

    assert_non_null(text);
    memset(text, 'x', 60000);
    text[60000] = '\0';
    for (unsigned i = 0; i < 30; i++)
        stage->published[0] = story_tells(stage->world, 0, text);
    world_run(stage->world, 20000);
    evil_honest_id(stage->world, 0, honest);
    node = inside(stage, 0);
    for (unsigned i = 0; i < 10; i++) {
        struct wire_pull pull = {
            .request = 1, .events = UINT32_MAX, .size = UINT32_MAX, .want_count = 1};
        struct gossip_input input = {
            .kind = GOSSIP_INPUT_DATAGRAM, .now_ms = node->now_ms, .wall_ms = node->wall_ms};
        uint8_t message[GOSSIP_PLAIN_MAX];
        uint8_t data[GOSSIP_DATAGRAM_MAX];

        pull.wants[0] =
            (struct wire_want){.author = honest, .first = 1, .last = GOSSIP_COUNTER_MAX};
        input.datagram.address = evil_address(stage->evil);
        input.datagram.data = data;
        input.datagram.size = evil_box(stage->evil, 0, MESSAGE_PULL, message,
                                       wire_encode_pull(&pull, message, sizeof(message) - 1), data);
        if (gossip_node_batch_is_full(node))
            break;
        assert_int_equal(gossip_node_step(node, &input), GOSSIP_OK);
        assert_true(i < 2);
    }
    assert_true(gossip_node_batch_is_full(node));
    check_honest(stage);
    free(text);
}

/* Records that are none, and certificates of another cluster, stay out. */
static void records_that_are_none(void **state)
{
    struct stage *stage = *state;
    const struct gossip_crypto *crypto = gossip_crypto_sodium();
    struct gossip_cluster *cluster;
    struct gossip_identity *stranger;
    const uint8_t seed[32] = {1};
    uint8_t bytes[GOSSIP_RECORD_MAX] = {0};
    size_t count = inside(stage, 0)->records.count;

    assert_int_equal(cluster_make(crypto, seed, seed, &cluster), GOSSIP_OK);
    assert_int_equal(identity_make(crypto, cluster, "eve", 0, seed, &stranger), GOSSIP_OK);
    for (unsigned i = 0; i < 6; i++) {
        const enum gossip_verdict verdicts[] = {
            GOSSIP_DATAGRAM_UNSUPPORTED, GOSSIP_DATAGRAM_MALFORMED, GOSSIP_DATAGRAM_FORGED,
            GOSSIP_DATAGRAM_FORGED,      GOSSIP_DATAGRAM_MALFORMED, GOSSIP_DATAGRAM_ACCEPTED};
        struct wire_part part = {.record = {.present = true, .size = 200}};
        uint8_t message[GOSSIP_PLAIN_MAX];
        uint8_t id[GOSSIP_HASH_SIZE];
        uint64_t before = counted(stage, 0, verdicts[i]);

        memset(bytes, 0, sizeof(bytes));
        bytes[0] = i == 0 ? 0x77 : GOSSIP_SIGNED_CERTIFICATE;
        if (i >= 2) {
            part.record.size = (uint32_t)stranger->certificate.size;
            memcpy(bytes, stranger->certificate.bytes, stranger->certificate.size);
        }
        if (i == 4)
            bytes[1] ^= 1;
        if (i == 5)
            part.record.size++; /* More to come, for which it waits. */
        record_id(crypto, bytes, part.record.size, id);
        if (i == 3)
            id[0] ^= 1;
        part.record.id = id;
        part.record.data =
            (struct wire_bytes){bytes, i == 5 ? part.record.size - 1 : part.record.size};
        evil_send(stage->evil, 0, MESSAGE_PART, message,
                  wire_encode_part(&part, message, sizeof(message) - 1));
        assert_int_equal(counted(stage, 0, verdicts[i]), before + 1);
        assert_int_equal(inside(stage, 0)->records.count, count);
    }
    gossip_identity_destroy(stranger);
    gossip_cluster_destroy(cluster);
    check_honest(stage);
}

/* Thousands of addresses: few are kept, and one that is new and true still finds room. */
static void addresses_without_end(void **state)
{
    struct stage *stage = *state;
    struct gossip_stats before;
    struct gossip_stats after;

    for (unsigned round = 0; round < 100; round++) {
        struct wire_addresses addresses = {0};
        uint8_t entries[30 * (GOSSIP_ID_SIZE + ADDRESS_SIZE)] = {0};
        uint8_t message[GOSSIP_PLAIN_MAX];

        for (unsigned i = 0; i < 30; i++) {
            uint8_t *entry = entries + i * (GOSSIP_ID_SIZE + ADDRESS_SIZE);
            struct gossip_address address = world_address(stage->world, 0);

            put_fixed(entry, round * 30 + i, GOSSIP_EPOCH_SIZE);
            put_fixed(address.ip + 12, 0x0a000000 + round * 30 + i, 4);
            address_write(&address, entry + GOSSIP_ID_SIZE);
        }
        addresses.entries = (struct wire_bytes){entries, sizeof(entries)};
        evil_send(stage->evil, 0, MESSAGE_ADDRESSES, message,
                  wire_encode_addresses(&addresses, message, sizeof(message) - 1));
        assert_true(inside(stage, 0)->peers.target_count <= TARGETS_MAX);
    }
    assert_true(counted(stage, 0, GOSSIP_DATAGRAM_NO_ROOM) > 0);

    /* Both of the others fall silent and come back: they are looked for all the same. */
    before = stats_of(stage, 0);
    world_kill(stage->world, 2, VIRTUAL_DAMAGE_NONE);
    world_run(stage->world, 20000);
    world_start(stage->world, 2);
    world_run(stage->world, 20000);
    after = stats_of(stage, 0);
    /* At most one hello a period for each. */
    assert_true(after.datagrams_sent - before.datagrams_sent < 40 * TARGETS_MAX);
    check_honest(stage);
    for (unsigned i = 0; i < inside(stage, 0)->peers.count; i++) {
        const struct peer *peer = inside(stage, 0)->peers.items[i];
        bool found = false;

        for (size_t j = 0; j < inside(stage, 0)->peers.target_count; j++)
            found = found || inside(stage, 0)->peers.targets[j].peer == i;
        assert_true(found || peer->state != GOSSIP_PEER_ALIVE);
    }
    /* What was only heard of is forgotten. */
    world_run(stage->world, 1200000);
    assert_true(inside(stage, 0)->peers.target_count < 20);
}

/* Who has the cluster secret can make tags that fit, but speaks for nobody else. */
static void hellos_in_anothers_name(void **state)
{
    struct stage *stage = *state;
    const struct gossip_identity *evil = evil_identity(stage->evil);
    struct gossip_identity mask = *world_identity(stage->world, 1);
    struct gossip_address from = evil_address(stage->evil);
    const uint8_t nonce[GOSSIP_NONCE_SIZE] = {1};
    struct wire_hello hello = {.certificate = {mask.certificate.bytes, mask.certificate.size},
                               .boot_count = UINT64_MAX,
                               .boot_id = 1,
                               .nonce = nonce};
    uint8_t data[GOSSIP_HELLO_SIZE];
    uint64_t bytes = evil_bytes(stage->world);
    uint64_t sent = stats_of(stage, 0).datagrams_sent;

    memcpy(mask.secret, evil->secret, sizeof(mask.secret));
    greeting_write(gossip_crypto_sodium(), &mask, DATAGRAM_HELLO, &hello, NULL, data);
    for (unsigned i = 0; i < 1000; i++) {
        story_inject(stage->world, 0, &from, data, sizeof(data));
        assert_int_equal(counted(stage, 0, GOSSIP_DATAGRAM_FORGED) +
                             counted(stage, 0, GOSSIP_DATAGRAM_LIMITED),
                         i + 1);
    }
    /* Signatures are looked at only so often. */
    assert_true(counted(stage, 0, GOSSIP_DATAGRAM_LIMITED) > 800);
    assert_int_equal(evil_bytes(stage->world), bytes);
    assert_int_equal(stats_of(stage, 0).datagrams_sent, sent);
    gossip_wipe(&mask, sizeof(mask));
    check_honest(stage);
}

/* Counters at their ends: of a box, and of what a welcome says. */
static void counters_at_their_ends(void **state)
{
    struct stage *stage = *state;
    const uint64_t counters[] = {0, 1, UINT64_MAX - 1, UINT64_MAX};

    for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++) {
        uint8_t exchange[GOSSIP_NONCE_SIZE] = {9, (uint8_t)i};

        evil_join_as(stage->evil, 0, counters[i]);
        evil_digest(stage->evil, 0, exchange, 1, NULL, 0, NULL);
        evil_digest(stage->evil, 0, exchange, 1, NULL, 0, NULL);
    }
    check_honest(stage);
}

/* The greatest number of authors that one member can be, each with an event that waits. */
static void many_epochs(void **state)
{
    struct stage *stage = *state;
    uint8_t nobody[GOSSIP_ID_SIZE] = {0xee};
    struct evil_entry entry = {.id = nobody, .seq = 1};

    for (unsigned i = 0; i < 1000; i++) {
        struct evil_author author;

        evil_author_start(&author, stage->evil, 5000 + i);
        evil_publish(&author, &entry, 1, "never");
        evil_push(stage->evil, 1, &author, 1, 1, NULL);
        evil_author_clear(&author);
        if (i == 500)
            publish(stage, 0);
    }
    world_run(stage->world, 3000);
    assert_true(has_all(stage));
    check_honest(stage);
}

#define ATTACK(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        ATTACK(good_events_are_taken),
        ATTACK(bad_frames_are_refused),
        ATTACK(bad_contexts_are_refused),
        ATTACK(runs_that_lie),
        ATTACK(seqs_out_of_range),
        ATTACK(unknown_authors_stall_only_their_own),
        ATTACK(circles_are_held),
        ATTACK(many_entries),
        ATTACK(held_back_flood),
        ATTACK(parts_flood),
        ATTACK(poisoned_runs),
        ATTACK(digests_that_lie),
        ATTACK(lists_that_are_none),
        ATTACK(answers_that_bring_nothing),
        ATTACK(pulls_for_everything),
        ATTACK(pulls_in_one_batch),
        ATTACK(records_that_are_none),
        ATTACK(addresses_without_end),
        ATTACK(hellos_in_anothers_name),
        ATTACK(counters_at_their_ends),
        ATTACK(many_epochs),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]); /* One story: its name, with * and ?. */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
