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

enum { NODES = 3, MANY = GOSSIP_CONTEXT_ENTRIES_MAX };

struct world {
    struct net *net;
    struct evil *evil;
    struct evil *accomplice;
    uint64_t published[NODES];
};

static struct gossip_node *inside(struct world *world, unsigned node)
{
    return net_node(world->net, node)->node;
}

static struct gossip_stats stats_of(struct world *world, unsigned node)
{
    struct gossip_stats stats;

    gossip_stats(net_node(world->net, node), &stats);
    return stats;
}

static uint64_t counted(struct world *world, unsigned node, enum gossip_verdict verdict)
{
    return stats_of(world, node).datagrams[verdict];
}

static int begin(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    world->net = net_create(&(struct net_options){
        .seed = 7, .nodes = NODES, .latency_ms_min = 5, .latency_ms_max = 40});
    assert_true(net_run_until(world->net, net_in_step, 60000));
    world->evil = evil_create(world->net, "mallory");
    world->accomplice = evil_create(world->net, "trudy");
    for (unsigned i = 0; i < NODES; i++) {
        assert_true(evil_join(world->evil, i));
        assert_true(evil_join(world->accomplice, i));
    }
    net_run(world->net, 100);
    *state = world;
    return 0;
}

static int end(void **state)
{
    struct world *world = *state;

    evil_destroy_all(world->net);
    net_destroy(world->net);
    free(world);
    return 0;
}

static void publish(struct world *world, unsigned node)
{
    world->published[node] = net_publish(world->net, node, "honest");
}

/* Whether each honest node has all that honest nodes have published. */
static bool has_all(struct world *world)
{
    for (unsigned i = 0; i < NODES; i++) {
        for (unsigned j = 0; j < NODES; j++) {
            uint32_t author = net_author(world->net, i, j);

            if (world->published[j] > 0 &&
                (author == UINT32_MAX || gossip_vclock_get(gossip_clock(net_node(world->net, i)),
                                                           author) < world->published[j]))
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
static void check_honest(struct world *world)
{
    for (unsigned i = 0; i < NODES; i++)
        publish(world, i);
    for (unsigned tries = 0; tries < 120 && !(has_all(world) && net_agrees(world->net)); tries++)
        net_run(world->net, 1000);
    if (!has_all(world) || !net_agrees(world->net)) {
        for (unsigned i = 0; i < NODES; i++)
            net_print(world->net, i);
    }
    assert_true(has_all(world));
    assert_true(net_agrees(world->net));
    for (unsigned i = 0; i < NODES; i++) {
        struct gossip_stats stats = stats_of(world, i);

        assert_int_equal(gossip_verify(net_node(world->net, i), print_fault, NULL, NULL),
                         GOSSIP_OK);
        assert_true(stats.held_events <= GOSSIP_PENDING_EVENTS);
        assert_true(stats.held_bytes <= GOSSIP_PENDING_BYTES);
        assert_true(stats.runs_held <= GOSSIP_RUNS_HELD);
        assert_true(stats.runs_bytes <= GOSSIP_RUNS_BYTES);
    }
}

/* What node has of an author, by id; 0 where it does not know it. */
static uint64_t have(struct world *world, unsigned node, const uint8_t *id)
{
    uint32_t number = authors_find(&inside(world, node)->authors, id);

    return number == NO_AUTHOR ? 0 : inside(world, node)->authors.items[number]->stored.have;
}

static bool has_notice(struct world *world, unsigned node, enum gossip_notice_kind kind)
{
    struct gossip_notice notice;
    bool found = false;

    while (gossip_notice_pop(net_node(world->net, node), &notice) == 1)
        found = found || notice.kind == kind;
    return found;
}

/* Delivers one run of one event to all, which must come to nothing; verdict is what it counts as.
 */
static void refused_everywhere(struct world *world, const struct evil_author *author,
                               const struct evil_lies *lies, enum gossip_verdict verdict)
{
    for (unsigned i = 0; i < NODES; i++) {
        uint64_t before = counted(world, i, verdict);
        uint64_t had = have(world, i, author->id);

        evil_push(world->evil, i, author, author->count, author->count, lies);
        assert_int_equal(counted(world, i, verdict), before + 1);
        assert_int_equal(have(world, i, author->id), had);
    }
}

/* An event as it should be is taken by all: the other tests would prove little otherwise. */
static void good_events_are_taken(void **state)
{
    struct world *world = *state;
    struct evil_author author;

    evil_author_start(&author, world->evil, 1);
    for (unsigned i = 0; i < 130; i++)
        evil_publish(&author, NULL, 0, "good");
    evil_push(world->evil, 0, &author, 1, 64, NULL);
    evil_push(world->evil, 0, &author, 65, 128, NULL);
    evil_push(world->evil, 0, &author, 129, 130, NULL);
    assert_int_equal(have(world, 0, author.id), 130);
    check_honest(world);
    assert_int_equal(have(world, 2, author.id), 130);
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
    struct world *world = *state;
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

        evil_author_start(&author, world->evil, 100 + i);
        evil_publish(&author, cases[i].entries, cases[i].count, cases[i].what);
        refused_everywhere(world, &author, NULL, GOSSIP_DATAGRAM_MALFORMED);
        evil_author_clear(&author);
    }
    for (unsigned i = 0; i < 5; i++) {
        struct evil_author author;
        static const uint8_t longer[] = {0x80, 0x00};

        evil_author_start(&author, world->evil, 200 + i);
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
        refused_everywhere(world, &author, NULL, GOSSIP_DATAGRAM_MALFORMED);
        evil_author_clear(&author);
    }
    evil_honest_id(world->net, 0, honest);
    check_honest(world);
}

/* What can only be told with the author's history: refused by all on delivery, at the same event,
 * and what came before stays. */
static void bad_contexts_are_refused(void **state)
{
    struct world *world = *state;
    uint8_t honest[GOSSIP_ID_SIZE];

    publish(world, 0);
    net_run(world->net, 5000);
    evil_honest_id(world->net, 0, honest);
    for (unsigned i = 0; i < 4; i++) {
        struct evil_author author;
        struct evil_entry first = {.id = honest, .seq = 1};
        struct evil_entry wrong = first;

        evil_author_start(&author, world->evil, 300 + i);
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
            uint64_t before = counted(world, j, GOSSIP_DATAGRAM_REFUSED);

            evil_push(world->evil, j, &author, 1, 3, NULL);
            assert_int_equal(have(world, j, author.id), 1);
            assert_true(counted(world, j, GOSSIP_DATAGRAM_REFUSED) > before);
            assert_true(has_notice(world, j, GOSSIP_NOTICE_REFUSED));
            assert_int_equal(stats_of(world, j).held_events, 0);
            /* And told again it is no better. */
            evil_push(world->evil, j, &author, 2, 3, NULL);
            assert_int_equal(have(world, j, author.id), 1);
        }
        evil_author_clear(&author);
    }
    check_honest(world);
}

/* A run may say of itself what it likes. */
static void runs_that_lie(void **state)
{
    struct world *world = *state;
    struct evil_author author;
    uint8_t honest[GOSSIP_ID_SIZE];
    uint8_t wrong[GOSSIP_SIGNATURE_SIZE] = {1};
    uint8_t other[GOSSIP_SIGNATURE_SIZE];

    publish(world, 0);
    net_run(world->net, 5000);
    evil_honest_id(world->net, 0, honest);
    evil_author_start(&author, world->evil, 1);
    for (unsigned i = 0; i < 70; i++)
        evil_publish(&author, NULL, 0, "e");
    seal_sign(gossip_crypto_sodium(), author.events[1].chain.hash,
              evil_identity(world->evil)->secret, other);

    /* No seal, the seal of another event, another author's name. */
    for (unsigned i = 0; i < NODES; i++) {
        uint64_t forged = counted(world, i, GOSSIP_DATAGRAM_FORGED);

        evil_push(world->evil, i, &author, 1, 1, &(struct evil_lies){.seal = wrong});
        evil_push(world->evil, i, &author, 1, 1, &(struct evil_lies){.seal = other});
        evil_push(world->evil, i, &author, 1, 1,
                  &(struct evil_lies){.author = honest, .first = 2, .last = 2});
        assert_int_equal(counted(world, i, GOSSIP_DATAGRAM_FORGED), forged + 2);
        assert_int_equal(counted(world, i, GOSSIP_DATAGRAM_REFUSED), 1);
        assert_true(has_notice(world, i, GOSSIP_NOTICE_DISAGREES));
        /* With the right previous hash it is the seal that does not fit. */
        evil_push(
            world->evil, i, &author, 1, 1,
            &(struct evil_lies){
                .author = honest,
                .previous = inside(world, i)
                                ->authors.items[authors_find(&inside(world, i)->authors, honest)]
                                ->stored.head_hash,
                .first = 2,
                .last = 2});
        assert_int_equal(counted(world, i, GOSSIP_DATAGRAM_FORGED), forged + 3);
        assert_int_equal(have(world, i, honest), 1);
        assert_int_equal(have(world, i, author.id), 0);
    }
    /* Before an author's first event there is nothing, also of an author that nobody knows. */
    for (unsigned i = 0; i < NODES; i++) {
        uint64_t malformed = counted(world, i, GOSSIP_DATAGRAM_MALFORMED);

        evil_push(world->evil, i, &author, 1, 1, &(struct evil_lies){.previous = wrong});
        assert_int_equal(counted(world, i, GOSSIP_DATAGRAM_MALFORMED), malformed + 1);
        assert_int_equal(have(world, i, author.id), 0);
    }
    /* A required seal inside a run. */
    for (unsigned i = 0; i < NODES; i++) {
        uint64_t malformed = counted(world, i, GOSSIP_DATAGRAM_MALFORMED);

        evil_push(world->evil, i, &author, 1, 70, NULL);
        assert_true(counted(world, i, GOSSIP_DATAGRAM_MALFORMED) > malformed);
        assert_int_equal(have(world, i, author.id), 0);
    }
    /* Seqs far away: nothing there is ever taken, and nothing wraps. */
    for (unsigned i = 0; i < NODES; i++) {
        evil_push(world->evil, i, &author, 1, 1,
                  &(struct evil_lies){.first = GOSSIP_COUNTER_MAX, .last = GOSSIP_COUNTER_MAX});
        evil_push(world->evil, i, &author, 1, 1,
                  &(struct evil_lies){.first = 1, .last = GOSSIP_COUNTER_MAX});
        evil_push(world->evil, i, &author, 1, 3, &(struct evil_lies){.first = 5, .last = 7});
        assert_int_equal(have(world, i, author.id), 0);
    }
    /* Two sizes of one run, either way round; then what is true. */
    for (unsigned i = 0; i < NODES; i++) {
        evil_push(world->evil, i, &author, 1, 64, &(struct evil_lies){.size = 5000, .part = 100});
        evil_push(world->accomplice, i, &author, 1, 64, &(struct evil_lies){.size = 300});
        evil_push(world->evil, i, &author, 1, 64, NULL);
        evil_push(world->evil, i, &author, 1, 64, NULL);
        assert_int_equal(have(world, i, author.id), 64);
    }
    /* A previous hash that is not ours. */
    evil_push(world->evil, 0, &author, 65, 66, &(struct evil_lies){.previous = wrong});
    assert_int_equal(have(world, 0, author.id), 64);
    check_honest(world);
    evil_author_clear(&author);
}

/* Seqs that the wire itself refuses: 0, reversed, past the last. */
static void seqs_out_of_range(void **state)
{
    struct world *world = *state;
    struct evil_author author;
    const struct {
        uint64_t first;
        uint64_t last;
    } cases[] = {{0, 1},
                 {2, 1},
                 {1, GOSSIP_COUNTER_MAX + 1},
                 {UINT64_C(1) << 63, UINT64_C(1) << 63},
                 {1, UINT64_MAX}};

    evil_author_start(&author, world->evil, 1);
    evil_publish(&author, NULL, 0, "e");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        uint8_t message[GOSSIP_PLAIN_MAX];
        struct writer writer = {message, sizeof(message), 0, false};
        uint8_t part[512];
        struct writer inner = {part, sizeof(part), 0, false};
        uint8_t zeros[64] = {0};
        uint64_t before = counted(world, 0, GOSSIP_DATAGRAM_MALFORMED);

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
        evil_send(world->evil, 0, MESSAGE_PART, message, writer.size);
        assert_int_equal(counted(world, 0, GOSSIP_DATAGRAM_MALFORMED), before + 1);
    }
    check_honest(world);
    evil_author_clear(&author);
}

/* Events that wait for what never comes: only their author stalls. */
static void unknown_authors_stall_only_their_own(void **state)
{
    struct world *world = *state;
    struct evil_author author;
    uint8_t nobody[GOSSIP_ID_SIZE] = {0xee};
    struct evil_entry entry = {.id = nobody, .seq = GOSSIP_COUNTER_MAX};
    struct gossip_held held[8];

    evil_author_start(&author, world->evil, 1);
    evil_publish(&author, &entry, 1, "never");
    evil_publish(&author, NULL, 0, "nor this");
    for (unsigned i = 0; i < NODES; i++) {
        evil_push(world->evil, i, &author, 1, 2, NULL);
        assert_int_equal(stats_of(world, i).held_events, 2);
        assert_int_equal(gossip_held(net_node(world->net, i), held, 8), 1);
        assert_memory_equal(held[0].waits_id, nobody, GOSSIP_ID_SIZE);
        assert_true(held[0].waits_seq == GOSSIP_COUNTER_MAX);
    }
    check_honest(world);
    assert_int_equal(have(world, 0, author.id), 0);
    evil_author_clear(&author);
}

/* Two colluders whose first events each wait for the other's. */
static void circles_are_held(void **state)
{
    struct world *world = *state;
    struct evil_author one;
    struct evil_author two;
    struct evil_entry entry = {.seq = 1};

    evil_author_start(&one, world->evil, 1);
    evil_author_start(&two, world->accomplice, 2);
    entry.id = two.id;
    evil_publish(&one, &entry, 1, "after the other");
    entry.id = one.id;
    evil_publish(&two, &entry, 1, "after the other");
    for (unsigned i = 0; i < NODES; i++) {
        evil_push(world->evil, i, &one, 1, 1, NULL);
        evil_push(world->accomplice, i, &two, 1, 1, NULL);
        assert_int_equal(stats_of(world, i).held_events, 2);
    }
    check_honest(world);
    assert_int_equal(have(world, 0, one.id) + have(world, 0, two.id), 0);
    evil_author_clear(&one);
    evil_author_clear(&two);
}

/* As many entries as there may be are held; one more is refused. */
static void many_entries(void **state)
{
    struct world *world = *state;
    struct evil_entry *entries = calloc(MANY + 1, sizeof(*entries));
    uint8_t(*ids)[GOSSIP_ID_SIZE] = calloc(MANY + 1, sizeof(*ids));
    struct evil_author author;

    assert_non_null(entries);
    assert_non_null(ids);
    for (unsigned i = 0; i <= MANY; i++) {
        put_fixed(ids[i], i, 4);
        entries[i] = (struct evil_entry){.id = ids[i], .seq = GOSSIP_COUNTER_MAX};
    }
    evil_author_start(&author, world->evil, 1);
    evil_publish(&author, entries, MANY + 1, "one too many");
    evil_push(world->evil, 0, &author, 1, 1, NULL);
    assert_int_equal(counted(world, 0, GOSSIP_DATAGRAM_MALFORMED), 1);
    assert_int_equal(stats_of(world, 0).held_events, 0);
    evil_author_clear(&author);
    evil_author_start(&author, world->evil, 2);
    evil_publish(&author, entries, MANY, "just so many");
    evil_push(world->evil, 0, &author, 1, 1, NULL);
    assert_int_equal(stats_of(world, 0).held_events, 1);
    check_honest(world);
    evil_author_clear(&author);
    free(entries);
    free(ids);
}

/* A flood of verified events that wait: bounds hold, the greatest gives way and others pass. */
static void held_back_flood(void **state)
{
    struct world *world = *state;
    struct evil_author author;
    struct evil_author large;
    uint8_t nobody[GOSSIP_ID_SIZE] = {0xee};
    struct evil_entry entry = {.id = nobody, .seq = 1};
    char *text = malloc(300001);

    assert_non_null(text);
    memset(text, 'x', 300000);
    text[300000] = '\0';
    evil_author_start(&author, world->evil, 1);
    evil_author_start(&large, world->evil, 2);
    evil_publish(&author, &entry, 1, "never");
    while (author.count < GOSSIP_PENDING_EVENTS + 640)
        evil_publish(&author, NULL, 0, "e");
    for (uint64_t first = 1; first <= author.count; first += 64) {
        evil_push(world->evil, 0, &author, first, first + 63, NULL);
        assert_true(stats_of(world, 0).held_events <= GOSSIP_PENDING_EVENTS);
    }
    assert_int_equal(stats_of(world, 0).held_events, GOSSIP_PENDING_EVENTS);
    assert_true(has_notice(world, 0, GOSSIP_NOTICE_DROPPED));
    publish(world, 1);
    net_run(world->net, 3000);
    assert_true(has_all(world));

    evil_publish(&large, &entry, 1, "never");
    while (large.count < 20)
        evil_publish(&large, NULL, 0, text);
    for (uint64_t seq = 1; seq <= large.count; seq++) {
        evil_push(world->accomplice, 0, &large, seq, seq, NULL);
        assert_true(stats_of(world, 0).held_bytes <= GOSSIP_PENDING_BYTES);
    }
    assert_true(stats_of(world, 0).dropped > 0);
    check_honest(world);
    evil_author_clear(&author);
    evil_author_clear(&large);
    free(text);
}

/* A flood of parts that come to nothing, in many runs and in large ones, goes on while honest
 * nodes publish more than fits one part. */
static void parts_flood(void **state)
{
    struct world *world = *state;
    struct evil_author author;
    char *text = malloc(200001);
    uint64_t run = 1;

    assert_non_null(text);
    memset(text, 'x', 200000);
    text[200000] = '\0';
    evil_author_start(&author, world->evil, 1);
    evil_publish(&author, NULL, 0, text);
    text[60000] = '\0';
    for (unsigned round = 0; round < 20; round++) {
        if (round == 3)
            world->published[0] = net_publish(world->net, 0, text);
        for (unsigned i = 0; i < 300; i++, run++) {
            /* Few bytes of a run that reaches far, and then many of one. */
            evil_push(world->evil, 1, &author, 1, 1,
                      &(struct evil_lies){.first = run * 64,
                                          .last = run * 64 + 63,
                                          .size = GOSSIP_RUN_SIZE_MAX,
                                          .skip = 200000 - 600});
            assert_true(stats_of(world, 1).runs_held <= GOSSIP_RUNS_HELD);
        }
        evil_push(world->evil, 1, &author, 1, 1,
                  &(struct evil_lies){.first = run * 64,
                                      .last = run * 64 + 63,
                                      .size = GOSSIP_RUN_SIZE_MAX,
                                      .part = 900});
        assert_true(stats_of(world, 1).runs_bytes <= GOSSIP_RUNS_BYTES);
        net_run(world->net, 100);
    }
    net_run(world->net, 3000);
    assert_true(has_all(world));
    check_honest(world);
    evil_author_clear(&author);
    free(text);
}

/* Parts of an honest author's runs, with bytes, sizes and introductions of the attacker's, come
 * all the time: they must not keep the true ones out. */
static void poisoned_runs(void **state)
{
    struct world *world = *state;
    struct evil_author author;
    uint8_t honest[GOSSIP_ID_SIZE];
    uint8_t wrong[GOSSIP_SIGNATURE_SIZE] = {1};
    char text[3001];

    memset(text, 'x', 3000);
    text[3000] = '\0';
    evil_author_start(&author, world->evil, 1);
    evil_publish(&author, NULL, 0, text);
    evil_honest_id(world->net, 0, honest);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        /* A body of as many bytes as the true one will have, and of others. */
        for (unsigned round = 0; round < 100; round++) {
            struct evil_lies lies = {
                .author = honest, .first = seq, .last = seq, .seal = wrong, .part = 900};

            for (unsigned i = 1; i < NODES; i++) {
                lies.size = round % 3 == 0 ? 2000 : 0;
                evil_push(world->evil, i, &author, 1, 1, &lies); /* Whole. */
                lies.skip = 900;
                evil_push(world->evil, i, &author, 1, 1, &lies); /* All but the beginning, */
                lies.skip = 0;
                lies.size = 4000;
                evil_push(world->evil, i, &author, 1, 1, &lies); /* or the end. */
            }
            if (round == 5)
                world->published[0] = net_publish(world->net, 0, text);
            net_run(world->net, 20);
        }
        for (unsigned i = 0; i < NODES; i++)
            assert_int_equal(have(world, i, honest), seq);
        assert_true(has_all(world));
    }
    check_honest(world);
    evil_author_clear(&author);
}

/* Digests move no clock, whatever they claim; claims that come to nothing do not keep a node from
 * asking others. */
static void digests_that_lie(void **state)
{
    struct world *world = *state;
    uint8_t honest[GOSSIP_ID_SIZE];
    uint8_t nobody[GOSSIP_ID_SIZE] = {0xee};
    uint8_t exchange[GOSSIP_NONCE_SIZE] = {1};
    struct evil_message message;
    uint64_t before;
    bool asked = false;

    publish(world, 0);
    net_run(world->net, 5000);
    evil_honest_id(world->net, 0, honest);
    before = stats_of(world, 0).commits;
    for (unsigned round = 0; round < 60; round++) {
        const uint8_t *id = round % 2 == 0 ? honest : nobody;
        uint64_t claim = round % 3 == 0 ? GOSSIP_COUNTER_MAX : round % 3;

        for (unsigned i = 0; i < NODES; i++) {
            exchange[1] = (uint8_t)round;
            evil_digest(world->evil, i, exchange, 1, NULL, 0, NULL);
            evil_digest(world->evil, i, exchange, 3, id, claim, NULL);
            evil_digest(world->evil, i, exchange, 2, id, claim, NULL); /* To nothing asked. */
            assert_true(evil_claim(world->evil, i, id, claim, NULL) < 10);
            assert_int_equal(have(world, i, honest), 1);
        }
        net_run(world->net, 500);
    }
    while (evil_take(world->evil, &message))
        asked = asked || message.kind == MESSAGE_PULL;
    assert_true(asked);
    assert_int_equal(stats_of(world, 0).commits, before);
    for (unsigned i = 0; i < NODES; i++) {
        assert_true(counted(world, i, GOSSIP_DATAGRAM_UNASKED) > 0);
        assert_true(has_notice(world, i, GOSSIP_NOTICE_DISAGREES)); /* The other head hash. */
    }
    check_honest(world);
}

/* A claim past what a counter can be is no digest; a list out of order neither. */
static void lists_that_are_none(void **state)
{
    struct world *world = *state;
    uint8_t nobody[GOSSIP_ID_SIZE] = {0xee};
    uint8_t exchange[GOSSIP_NONCE_SIZE] = {1};

    evil_digest(world->evil, 0, exchange, 1, NULL, 0, NULL);
    evil_digest(world->evil, 0, exchange, 3, nobody, GOSSIP_COUNTER_MAX + 1, NULL);
    assert_int_equal(counted(world, 0, GOSSIP_DATAGRAM_MALFORMED), 1);
    evil_digest(world->evil, 0, exchange, 1, NULL, 0, NULL);
    evil_digest(world->evil, 0, exchange, 3, nobody, 0, NULL);
    assert_int_equal(counted(world, 0, GOSSIP_DATAGRAM_MALFORMED), 2);
    check_honest(world);
}

/* The attacker says it has an honest author's events, and answers pulls with drops that bring
 * nothing, for ever. Another peer has them. */
static void answers_that_bring_nothing(void **state)
{
    struct world *world = *state;
    struct evil_author author;
    uint8_t honest[GOSSIP_ID_SIZE];
    uint64_t request = 0;

    evil_honest_id(world->net, 0, honest);
    evil_author_start(&author, world->evil, 1);
    evil_publish(&author, NULL, 0, "e");
    net_cut(world->net, 0, 2, true);
    net_cut(world->net, 2, 0, true);
    for (unsigned round = 0; round < 300; round++) {
        struct evil_message message;

        if (round == 20)
            world->published[0] = net_publish(world->net, 0, "for all");
        evil_claim(world->evil, 2, honest, 1, NULL);
        while (evil_take(world->evil, &message)) {
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

            evil_send(world->evil, 2, MESSAGE_PART, bytes,
                      wire_encode_part(&part, bytes, sizeof(bytes) - 1));
        }
        net_run(world->net, 100);
    }
    assert_int_equal(have(world, 1, honest), 1);
    assert_int_equal(have(world, 2, honest), 1);
    net_heal(world->net);
    check_honest(world);
    evil_author_clear(&author);
}

static void ask(struct world *world, struct wire_pull *pull)
{
    uint8_t message[GOSSIP_PLAIN_MAX];
    size_t size = wire_encode_pull(pull, message, sizeof(message) - 1);

    assert_true(size > 0);
    evil_send(world->evil, 0, MESSAGE_PULL, message, size);
}

/* Pulls for everything at once, with holes anywhere: never more than a window. */
static void pulls_for_everything(void **state)
{
    struct world *world = *state;
    uint8_t honest[GOSSIP_ID_SIZE];
    uint64_t random = 1;
    char *text = malloc(60001);
    uint64_t whole = 0;

    assert_non_null(text);
    memset(text, 'x', 60000);
    text[60000] = '\0';
    for (unsigned i = 0; i < 150; i++)
        world->published[0] = net_publish(world->net, 0, i % 3 == 0 ? text : "small");
    net_run(world->net, 20000);
    assert_true(has_all(world));
    evil_honest_id(world->net, 0, honest);
    for (unsigned round = 0; round < 400; round++) {
        struct wire_pull pull = {.request = round + 1, .events = UINT32_MAX, .size = UINT32_MAX};
        uint64_t before = evil_bytes(world->net);
        unsigned gaps = 0;

        pull.want_count = 1 + net_random(world->net, GOSSIP_WANTS_MAX);
        for (size_t i = 0; i < pull.want_count; i++) {
            struct wire_want *want = &pull.wants[i];

            want->author = honest;
            want->first = round % 4 == 0 ? 1 : 1 + net_random(world->net, 160);
            want->last = round % 4 == 0   ? GOSSIP_COUNTER_MAX
                         : round % 4 == 1 ? want->first
                                          : want->first + net_random(world->net, 70);
            if (round % 2 == 0)
                continue;
            for (; want->gap_count < GOSSIP_GAPS_MAX && gaps < 30; gaps++) {
                struct wire_gap *gap = &want->gaps[want->gap_count++];

                gap->offset = (uint32_t)net_random(world->net, 3) == 0
                                  ? 0
                                  : (uint32_t)net_random(world->net, 70000);
                gap->size = net_random(world->net, 2) == 0
                                ? UINT32_MAX - gap->offset
                                : (uint32_t)net_random(world->net, 70000);
            }
        }
        ask(world, &pull);
        /* A window, its parts' headers, and the last run past it. */
        assert_true(evil_bytes(world->net) - before < GOSSIP_WINDOW_BYTES * 3 / 2);
        if (evil_bytes(world->net) - before > GOSSIP_WINDOW_BYTES / 2)
            whole++;
        evil_forget(world->evil);
    }
    assert_true(whole > 0);
    (void)random;

    /* One run, whole, as often as a datagram can ask for it. */
    for (unsigned zero = 0; zero < 2; zero++) {
        struct wire_pull pull = {.request = 1, .events = UINT32_MAX, .size = UINT32_MAX};
        uint64_t before = evil_bytes(world->net);
        uint64_t size = 0;

        for (uint64_t seq = 1; seq <= 1; seq++) {
            struct gossip_event event;

            assert_int_equal(
                gossip_event_get(net_node(world->net, 0),
                                 (struct gossip_dot){net_author(world->net, 0, 0), seq}, &event),
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
        ask(world, &pull);
        assert_true(evil_bytes(world->net) - before < GOSSIP_WINDOW_BYTES * 3 / 2);
        assert_true(evil_bytes(world->net) - before > 10000);
        evil_forget(world->evil);
    }
    check_honest(world);
    free(text);
}

/* Many pulls in one batch are answered in more than one: what waits to be sent is bounded. */
static void pulls_in_one_batch(void **state)
{
    struct world *world = *state;
    struct gossip_node *node;
    uint8_t honest[GOSSIP_ID_SIZE];
    char *text = malloc(60001);

    assert_non_null(text);
    memset(text, 'x', 60000);
    text[60000] = '\0';
    for (unsigned i = 0; i < 30; i++)
        world->published[0] = net_publish(world->net, 0, text);
    net_run(world->net, 20000);
    evil_honest_id(world->net, 0, honest);
    node = inside(world, 0);
    for (unsigned i = 0; i < 10; i++) {
        struct wire_pull pull = {
            .request = 1, .events = UINT32_MAX, .size = UINT32_MAX, .want_count = 1};
        struct gossip_input input = {
            .kind = GOSSIP_INPUT_DATAGRAM, .now_ms = node->now_ms, .wall_ms = node->wall_ms};
        uint8_t message[GOSSIP_PLAIN_MAX];
        uint8_t data[GOSSIP_DATAGRAM_MAX];

        pull.wants[0] =
            (struct wire_want){.author = honest, .first = 1, .last = GOSSIP_COUNTER_MAX};
        input.datagram.address = evil_address(world->evil);
        input.datagram.data = data;
        input.datagram.size = evil_box(world->evil, 0, MESSAGE_PULL, message,
                                       wire_encode_pull(&pull, message, sizeof(message) - 1), data);
        if (gossip_node_batch_is_full(node))
            break;
        assert_int_equal(gossip_node_step(node, &input), GOSSIP_OK);
        assert_true(i < 2);
    }
    assert_true(gossip_node_batch_is_full(node));
    check_honest(world);
    free(text);
}

/* Records that are none, and certificates of another cluster, stay out. */
static void records_that_are_none(void **state)
{
    struct world *world = *state;
    const struct gossip_crypto *crypto = gossip_crypto_sodium();
    struct gossip_cluster *cluster;
    struct gossip_identity *stranger;
    const uint8_t seed[32] = {1};
    uint8_t bytes[GOSSIP_RECORD_MAX] = {0};
    size_t count = inside(world, 0)->records.count;

    assert_int_equal(cluster_make(crypto, seed, seed, &cluster), GOSSIP_OK);
    assert_int_equal(identity_make(crypto, cluster, "eve", 0, seed, &stranger), GOSSIP_OK);
    for (unsigned i = 0; i < 6; i++) {
        const enum gossip_verdict verdicts[] = {
            GOSSIP_DATAGRAM_UNSUPPORTED, GOSSIP_DATAGRAM_MALFORMED, GOSSIP_DATAGRAM_FORGED,
            GOSSIP_DATAGRAM_FORGED,      GOSSIP_DATAGRAM_MALFORMED, GOSSIP_DATAGRAM_UNSUPPORTED};
        struct wire_part part = {.record = {.present = true, .size = 200}};
        uint8_t message[GOSSIP_PLAIN_MAX];
        uint8_t id[GOSSIP_HASH_SIZE];
        uint64_t before = counted(world, 0, verdicts[i]);

        memset(bytes, 0, sizeof(bytes));
        bytes[0] = i == 0 ? 0x77 : GOSSIP_SIGNED_CERTIFICATE;
        if (i >= 2) {
            part.record.size = (uint32_t)stranger->certificate.size;
            memcpy(bytes, stranger->certificate.bytes, stranger->certificate.size);
        }
        if (i == 4)
            bytes[1] ^= 1;
        if (i == 5)
            part.record.size++; /* More to come, of what always fits. */
        record_id(crypto, bytes, part.record.size, id);
        if (i == 3)
            id[0] ^= 1;
        part.record.id = id;
        part.record.data =
            (struct wire_bytes){bytes, i == 5 ? part.record.size - 1 : part.record.size};
        evil_send(world->evil, 0, MESSAGE_PART, message,
                  wire_encode_part(&part, message, sizeof(message) - 1));
        assert_int_equal(counted(world, 0, verdicts[i]), before + 1);
        assert_int_equal(inside(world, 0)->records.count, count);
    }
    gossip_identity_destroy(stranger);
    gossip_cluster_destroy(cluster);
    check_honest(world);
}

/* Thousands of addresses: few are kept, and one that is new and true still finds room. */
static void addresses_without_end(void **state)
{
    struct world *world = *state;
    struct gossip_stats before;
    struct gossip_stats after;

    for (unsigned round = 0; round < 100; round++) {
        struct wire_addresses addresses = {0};
        uint8_t entries[30 * (GOSSIP_ID_SIZE + ADDRESS_SIZE)] = {0};
        uint8_t message[GOSSIP_PLAIN_MAX];

        for (unsigned i = 0; i < 30; i++) {
            uint8_t *entry = entries + i * (GOSSIP_ID_SIZE + ADDRESS_SIZE);
            struct gossip_address address = net_address(0);

            put_fixed(entry, round * 30 + i, GOSSIP_EPOCH_SIZE);
            put_fixed(address.ip + 12, 0x0a000000 + round * 30 + i, 4);
            address_write(&address, entry + GOSSIP_ID_SIZE);
        }
        addresses.entries = (struct wire_bytes){entries, sizeof(entries)};
        evil_send(world->evil, 0, MESSAGE_ADDRESSES, message,
                  wire_encode_addresses(&addresses, message, sizeof(message) - 1));
        assert_true(inside(world, 0)->peers.target_count <= TARGETS_MAX);
    }
    assert_true(counted(world, 0, GOSSIP_DATAGRAM_NO_ROOM) > 0);

    /* Both of the others fall silent and come back: they are looked for all the same. */
    before = stats_of(world, 0);
    net_kill(world->net, 2);
    net_run(world->net, 20000);
    net_start(world->net, 2);
    net_run(world->net, 20000);
    after = stats_of(world, 0);
    /* At most one hello a period for each. */
    assert_true(after.datagrams_sent - before.datagrams_sent < 40 * TARGETS_MAX);
    check_honest(world);
    for (unsigned i = 0; i < inside(world, 0)->peers.count; i++) {
        const struct peer *peer = inside(world, 0)->peers.items[i];
        bool found = false;

        for (size_t j = 0; j < inside(world, 0)->peers.target_count; j++)
            found = found || inside(world, 0)->peers.targets[j].peer == i;
        assert_true(found || peer->state != GOSSIP_PEER_ALIVE);
    }
    /* What was only heard of is forgotten. */
    net_run(world->net, 1200000);
    assert_true(inside(world, 0)->peers.target_count < 20);
}

/* Who has the cluster secret can make tags that fit, but speaks for nobody else. */
static void hellos_in_anothers_name(void **state)
{
    struct world *world = *state;
    const struct gossip_identity *evil = evil_identity(world->evil);
    struct gossip_identity mask = *net_identity(world->net, 1);
    struct gossip_address from = evil_address(world->evil);
    const uint8_t nonce[GOSSIP_NONCE_SIZE] = {1};
    struct wire_hello hello = {.certificate = {mask.certificate.bytes, mask.certificate.size},
                               .boot_count = UINT64_MAX,
                               .boot_id = 1,
                               .nonce = nonce};
    uint8_t data[GOSSIP_HELLO_SIZE];
    uint64_t bytes = evil_bytes(world->net);
    uint64_t sent = stats_of(world, 0).datagrams_sent;

    memcpy(mask.secret, evil->secret, sizeof(mask.secret));
    greeting_write(gossip_crypto_sodium(), &mask, DATAGRAM_HELLO, &hello, NULL, data);
    for (unsigned i = 0; i < 1000; i++) {
        net_inject(world->net, 0, &from, data, sizeof(data));
        assert_int_equal(counted(world, 0, GOSSIP_DATAGRAM_FORGED) +
                             counted(world, 0, GOSSIP_DATAGRAM_LIMITED),
                         i + 1);
    }
    /* Signatures are looked at only so often. */
    assert_true(counted(world, 0, GOSSIP_DATAGRAM_LIMITED) > 800);
    assert_int_equal(evil_bytes(world->net), bytes);
    assert_int_equal(stats_of(world, 0).datagrams_sent, sent);
    gossip_wipe(&mask, sizeof(mask));
    check_honest(world);
}

/* Counters at their ends: of a box, and of what a welcome says. */
static void counters_at_their_ends(void **state)
{
    struct world *world = *state;
    const uint64_t counters[] = {0, 1, UINT64_MAX - 1, UINT64_MAX};

    for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++) {
        uint8_t exchange[GOSSIP_NONCE_SIZE] = {9, (uint8_t)i};

        evil_join_as(world->evil, 0, counters[i]);
        evil_digest(world->evil, 0, exchange, 1, NULL, 0, NULL);
        evil_digest(world->evil, 0, exchange, 1, NULL, 0, NULL);
    }
    check_honest(world);
}

/* The greatest number of authors that one member can be, each with an event that waits. */
static void many_epochs(void **state)
{
    struct world *world = *state;
    uint8_t nobody[GOSSIP_ID_SIZE] = {0xee};
    struct evil_entry entry = {.id = nobody, .seq = 1};

    for (unsigned i = 0; i < 1000; i++) {
        struct evil_author author;

        evil_author_start(&author, world->evil, 5000 + i);
        evil_publish(&author, &entry, 1, "never");
        evil_push(world->evil, 1, &author, 1, 1, NULL);
        evil_author_clear(&author);
        if (i == 500)
            publish(world, 0);
    }
    net_run(world->net, 3000);
    assert_true(has_all(world));
    check_honest(world);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        STORY(good_events_are_taken),
        STORY(bad_frames_are_refused),
        STORY(bad_contexts_are_refused),
        STORY(runs_that_lie),
        STORY(seqs_out_of_range),
        STORY(unknown_authors_stall_only_their_own),
        STORY(circles_are_held),
        STORY(many_entries),
        STORY(held_back_flood),
        STORY(parts_flood),
        STORY(poisoned_runs),
        STORY(digests_that_lie),
        STORY(lists_that_are_none),
        STORY(answers_that_bring_nothing),
        STORY(pulls_for_everything),
        STORY(pulls_in_one_batch),
        STORY(records_that_are_none),
        STORY(addresses_without_end),
        STORY(hellos_in_anothers_name),
        STORY(counters_at_their_ends),
        STORY(many_epochs),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]); /* One story: its name, with * and ?. */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
