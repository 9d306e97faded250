/*
 * Any schedule: a few nodes exchange what there is while links come and go, nodes are killed and
 * started, and members gone bad tell each of them another branch of what they say, prove their own
 * forks and are evicted. However that goes, once everything passes again all nodes come to agree,
 * on clocks and on cuts, and every event of an honest node is everywhere, whatever it had seen.
 */
#include "tests/evil.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/bytes.h"
#include "gossip/eviction.h"
#include "gossip/proof.h"
#include "gossip/service.h"
#include "gossip/splitmix.h"

enum {
    SCHEDULES = 250,
    NODES_MAX = 5,
    EVILS_MAX = 2,
    AUTHORS_MAX = 3,
    BRANCHES_MAX = 4,
    NAMED_MAX = NODES_MAX + AUTHORS_MAX + 1,
    AGREE_MS = 600000,
};

/* A branch, and whom it has named: by the order of their numbers. */
struct bad_branch {
    struct evil_author chain;
    unsigned named[NAMED_MAX];
    size_t named_count;
    size_t named_after[2048]; /* How many were named by each event and those before it. */
    bool is_spoilt;           /* Its last event is one that nobody accepts. */
};

struct bad_author {
    struct evil *evil;
    struct bad_branch branches[BRANCHES_MAX];
    size_t branch_count;
};

struct schedule {
    uint64_t seed;
    struct splitmix lots;
    struct world *world;
    unsigned nodes;
    struct evil *evils[EVILS_MAX];
    size_t evil_count;
    struct bad_author authors[AUTHORS_MAX];
    size_t author_count;
    uint8_t honest[NODES_MAX][GOSSIP_ID_SIZE];
    uint64_t published[NODES_MAX];
    unsigned written;
};

static struct {
    uint64_t schedules;
    uint64_t actions;
    uint64_t events;
    uint64_t branches;
    uint64_t honest;
    uint64_t proofs;
    uint64_t evictions;
    uint64_t kills;
    uint64_t cuts;
    uint64_t contested;
    uint64_t longest_ms;
} covered;

static uint64_t below(struct schedule *schedule, uint64_t bound)
{
    return splitmix_below(&schedule->lots, bound);
}

static bool happens(struct schedule *schedule, unsigned percent)
{
    return below(schedule, 100) < percent;
}

static struct gossip_node *inside(struct schedule *schedule, unsigned node)
{
    return world_gossip(schedule->world, node)->node;
}

static const struct author *author_at(struct schedule *schedule, unsigned node, const uint8_t *id)
{
    const struct authors *authors = &inside(schedule, node)->authors;
    uint32_t number = authors_find(authors, id);

    return number == NO_AUTHOR ? NULL : authors->items[number];
}

/* ---- Members gone bad. ---- */

/* Authors are numbered: first the bad ones, then the nodes, then nobody that there is. */
static void id_of(struct schedule *schedule, unsigned who, uint8_t ret_id[GOSSIP_ID_SIZE])
{
    memset(ret_id, 0xee, GOSSIP_ID_SIZE);
    if (who < schedule->author_count)
        memcpy(ret_id, schedule->authors[who].branches[0].chain.id, GOSSIP_ID_SIZE);
    else if (who < schedule->author_count + schedule->nodes)
        memcpy(ret_id, schedule->honest[who - schedule->author_count], GOSSIP_ID_SIZE);
}

static uint64_t draw_seq(struct schedule *schedule, unsigned who)
{
    uint64_t most = 3;

    if (who < schedule->author_count) {
        const struct bad_author *author = &schedule->authors[who];

        most = author->branches[below(schedule, author->branch_count)].chain.count;
    } else if (who < schedule->author_count + schedule->nodes) {
        most = schedule->published[who - schedule->author_count];
    }
    if (happens(schedule, 3))
        return most + 1 + below(schedule, 3);
    return most == 0 ? 0 : most - below(schedule, most < 3 ? most : 3);
}

struct drawn {
    uint64_t mention;
    unsigned who;
    uint8_t id[GOSSIP_ID_SIZE];
    uint64_t seq;
};

static int compare_drawn(const void *a, const void *b)
{
    const struct drawn *x = a;
    const struct drawn *y = b;

    if ((x->mention == 0) != (y->mention == 0))
        return x->mention == 0 ? 1 : -1;
    if (x->mention != y->mention)
        return x->mention < y->mention ? -1 : 1;
    return memcmp(x->id, y->id, GOSSIP_ID_SIZE);
}

static void write_event(struct schedule *schedule, unsigned number, struct bad_branch *branch)
{
    unsigned others = (unsigned)(schedule->author_count + schedule->nodes);
    struct evil_entry entries[NAMED_MAX + 1];
    struct drawn drawn[NAMED_MAX];
    uint64_t mention = 0;
    size_t count = 0;
    char text[32];

    for (unsigned who = 0; who <= others; who++) {
        uint64_t seq = draw_seq(schedule, who);

        if (who == number || seq == 0 || !happens(schedule, who == others ? 1 : 25))
            continue;
        memset(&drawn[count], 0, sizeof(drawn[count]));
        drawn[count].who = who;
        drawn[count].seq = seq;
        for (size_t i = 0; i < branch->named_count; i++) {
            if (branch->named[i] == who)
                drawn[count].mention = i + 1;
        }
        if (drawn[count].mention == 0)
            id_of(schedule, who, drawn[count].id);
        count++;
    }
    qsort(drawn, count, sizeof(*drawn), compare_drawn);
    for (size_t i = 0; i < count; i++) {
        entries[i] = (struct evil_entry){.seq = drawn[i].seq};
        if (drawn[i].mention > 0) {
            entries[i].gap = drawn[i].mention - mention;
            mention = drawn[i].mention;
        } else {
            entries[i].id = drawn[i].id;
            branch->named[branch->named_count++] = drawn[i].who;
        }
    }
    if (count == 0 && happens(schedule, 2)) {
        /* A number that was not given out: only who has all that came before can tell. */
        entries[count++] = (struct evil_entry){.gap = branch->named_count + 1, .seq = 1};
        branch->is_spoilt = true;
    }
    snprintf(text, sizeof(text), "bad %u", schedule->written++);
    evil_publish(&branch->chain, entries, count, text);
    branch->named_after[branch->chain.count - 1] = branch->named_count;
    covered.events++;
}

static void branch_off(struct schedule *schedule, struct bad_author *author)
{
    const struct bad_branch *from = &author->branches[below(schedule, author->branch_count)];
    struct bad_branch *branch = &author->branches[author->branch_count++];
    size_t count = from->chain.count;
    size_t kept = count == 0 ? 0 : below(schedule, count + 1);

    if (count > 3 && happens(schedule, 60))
        kept = count - below(schedule, 3);
    if (from->is_spoilt && kept == count)
        kept--;
    evil_author_start(&branch->chain, author->evil,
                      get_fixed(from->chain.epoch, GOSSIP_EPOCH_SIZE));
    for (size_t i = 0; i < kept; i++)
        evil_write(&branch->chain, from->chain.events[i].body, from->chain.events[i].size);
    memcpy(branch->named, from->named, sizeof(branch->named));
    memcpy(branch->named_after, from->named_after, sizeof(branch->named_after));
    branch->named_count = kept == 0 ? 0 : branch->named_after[kept - 1];
    covered.branches++;
}

static void grow(struct schedule *schedule)
{
    unsigned number = (unsigned)below(schedule, schedule->author_count);
    struct bad_author *author = &schedule->authors[number];
    uint64_t count = happens(schedule, 5) ? 30 + below(schedule, 60) : 1 + below(schedule, 4);
    struct bad_branch *branch;

    if (author->branch_count < BRANCHES_MAX && happens(schedule, 30))
        branch_off(schedule, author);
    branch = &author->branches[below(schedule, author->branch_count)];
    for (uint64_t i = 0; i < count && !branch->is_spoilt && branch->chain.count < 500; i++)
        write_event(schedule, number, branch);
}

static bool is_up(struct schedule *schedule, unsigned node)
{
    return world_state(schedule->world, node) == WORLD_UP;
}

/* Tells node a branch from what it has of the author on, or from anywhere. */
static void push(struct schedule *schedule)
{
    const struct bad_author *author = &schedule->authors[below(schedule, schedule->author_count)];
    const struct evil_author *chain =
        &author->branches[below(schedule, author->branch_count)].chain;
    unsigned node = (unsigned)below(schedule, schedule->nodes);
    const struct author *there;
    uint64_t first = 1;
    uint64_t last = chain->count;

    if (last == 0 || !is_up(schedule, node))
        return;
    there = author_at(schedule, node, chain->id);
    if (there != NULL && there->tail.seq < last && happens(schedule, 60))
        first = there->tail.seq + 1;
    else if (happens(schedule, 20))
        first = 1 + below(schedule, last);
    if (happens(schedule, 40))
        last = first + below(schedule, last - first + 1);
    while (first <= last) {
        uint64_t end = (first - 1) / GOSSIP_SEAL_EVERY * GOSSIP_SEAL_EVERY + GOSSIP_SEAL_EVERY;

        if (end > last)
            end = last;
        evil_push(author->evil, node, chain, first, end, NULL);
        first = end + 1;
    }
}

static void give_record(struct schedule *schedule, unsigned node, const uint8_t *id,
                        const uint8_t *bytes, size_t size)
{
    for (size_t offset = 0; offset < size; offset += 1000) {
        struct wire_part part = {
            .record = {.present = true,
                       .id = id,
                       .size = (uint32_t)size,
                       .offset = (uint32_t)offset,
                       .data = {bytes + offset, size - offset < 1000 ? size - offset : 1000}}};
        uint8_t message[GOSSIP_PLAIN_MAX];

        evil_send(schedule->evils[0], node, MESSAGE_PART, message,
                  wire_encode_part(&part, message, sizeof(message) - 1));
    }
}

static uint64_t first_difference(const struct evil_author *a, const struct evil_author *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        if (memcmp(a->events[i].chain.hash, b->events[i].chain.hash, GOSSIP_HASH_SIZE) != 0)
            return i + 1;
    }
    return 0;
}

static struct proof_branch shown_from(const struct evil_author *author, uint64_t seq)
{
    const struct gossip_crypto *crypto = gossip_crypto_sodium();
    uint64_t end = (seq - 1) / GOSSIP_SEAL_EVERY * GOSSIP_SEAL_EVERY + GOSSIP_SEAL_EVERY;
    struct proof_branch branch = {.link_count = 0};

    if (end > author->count)
        end = author->count;
    if (seq > 1)
        memcpy(branch.previous, author->events[seq - 2].chain.hash, GOSSIP_HASH_SIZE);
    for (uint64_t i = seq; i <= end; i++) {
        const struct evil_event *event = &author->events[i - 1];
        struct proof_link *link = &branch.links[branch.link_count++];

        link->body_size = (uint32_t)event->size;
        event_inner(crypto, event->chain.mentions_hash, event->body, event->size, link->inner);
    }
    seal_sign(crypto, author->events[end - 1].chain.hash, evil_identity(author->evil)->secret,
              branch.seal);
    return branch;
}

/* Tells a node of a fork by a proof, not always of the lowest dot. */
static void prove(struct schedule *schedule)
{
    const struct bad_author *author = &schedule->authors[below(schedule, schedule->author_count)];
    const struct evil_author *one = &author->branches[below(schedule, author->branch_count)].chain;
    const struct evil_author *other =
        &author->branches[below(schedule, author->branch_count)].chain;
    uint64_t seq = first_difference(one, other);
    unsigned node = (unsigned)below(schedule, schedule->nodes);
    const struct gossip_identity *evil = evil_identity(author->evil);
    struct chain_owner owner = {evil->cluster, evil->key, one->epoch};
    struct proof_branch branches[2];
    struct proof proof;

    if (seq == 0 || !is_up(schedule, node))
        return;
    if (one->count > seq && other->count > seq && happens(schedule, 50))
        seq++;
    branches[0] = shown_from(one, seq);
    branches[1] = shown_from(other, seq);
    proof_make(gossip_crypto_sodium(), &owner, seq, &branches[0], &branches[1], &proof);
    give_record(schedule, node, proof.id, proof.bytes, proof.size);
    covered.proofs++;
}

static int compare_last(const void *a, const void *b)
{
    const struct eviction_last *x = a;
    const struct eviction_last *y = b;

    return memcmp(x->epoch, y->epoch, GOSSIP_EPOCH_SIZE);
}

static void evict(struct schedule *schedule)
{
    const struct gossip_identity *evil =
        evil_identity(schedule->evils[below(schedule, schedule->evil_count)]);
    unsigned node = (unsigned)below(schedule, schedule->nodes);
    struct eviction_last last[AUTHORS_MAX];
    struct eviction eviction;
    size_t count = 0;

    for (size_t i = 0; i < schedule->author_count; i++) {
        const struct bad_author *author = &schedule->authors[i];
        const struct evil_author *chain =
            &author->branches[below(schedule, author->branch_count)].chain;

        if (evil_identity(author->evil) != evil || chain->count == 0 || !happens(schedule, 80))
            continue;
        last[count].seq = 1 + below(schedule, chain->count);
        memcpy(last[count].hash, chain->events[last[count].seq - 1].chain.hash, GOSSIP_HASH_SIZE);
        memcpy(last[count++].epoch, chain->epoch, GOSSIP_EPOCH_SIZE);
    }
    if (!is_up(schedule, node))
        return;
    qsort(last, count, sizeof(*last), compare_last);
    eviction_make(gossip_crypto_sodium(), evil->cluster, evil->key, last, count, NULL,
                  world_cluster(schedule->world)->secret, &eviction);
    give_record(schedule, node, eviction.id, eviction.bytes, eviction.size);
    covered.evictions++;
}

/* ---- What happens. ---- */

static void publish(struct schedule *schedule, unsigned node)
{
    uint64_t seq;

    if (!is_up(schedule, node) || !gossip_node_may_publish(inside(schedule, node)))
        return;
    seq = world_tell(schedule->world, node, "honest");
    if (seq == 0)
        return;
    schedule->published[node] = seq;
    covered.honest++;
}

static void toggle(struct schedule *schedule, unsigned node)
{
    if (is_up(schedule, node)) {
        world_kill(schedule->world, node, VIRTUAL_DAMAGE_LOST);
        covered.kills++;
        return;
    }
    world_start(schedule->world, node);
    world_run(schedule->world, 10);
    for (size_t i = 0; i < schedule->evil_count; i++)
        evil_join(schedule->evils[i], node);
}

static void act(struct schedule *schedule)
{
    unsigned a = (unsigned)below(schedule, schedule->nodes);
    unsigned b = (unsigned)below(schedule, schedule->nodes);
    uint64_t kind = below(schedule, 100);

    covered.actions++;
    if (kind < 22)
        grow(schedule);
    else if (kind < 50)
        push(schedule);
    else if (kind < 64)
        publish(schedule, a);
    else if (kind < 67)
        prove(schedule);
    else if (kind < 69)
        evict(schedule);
    else if (kind < 73)
        toggle(schedule, a);
    else if (kind < 76)
        story_part_all(schedule->world);
    else if (kind < 80 && a != b)
        story_unlink(schedule->world, a, b);
    else if (kind < 88 && a != b)
        story_link(schedule->world, a, b);
    else
        world_run(schedule->world, 1 + below(schedule, happens(schedule, 20) ? 20000 : 500));
}

static struct schedule *judged; /* A check of a world takes nothing else. */

/* Whether every event of an honest node is at every node. */
static bool has_all(struct schedule *schedule)
{
    for (unsigned i = 0; i < schedule->nodes; i++) {
        for (unsigned j = 0; j < schedule->nodes; j++) {
            if (story_have(schedule->world, i, j) < schedule->published[j])
                return false;
        }
    }
    return true;
}

static bool all_agree(struct world *world)
{
    return story_in_step(world) && story_agrees(world) && has_all(judged);
}

static void print_all(struct schedule *schedule)
{
    for (unsigned i = 0; i < schedule->nodes; i++) {
        printf("n%u:", i + 1);
        for (unsigned j = 0; j < schedule->nodes; j++)
            printf(" %" PRIu64 " of %" PRIu64, story_have(schedule->world, i, j),
                   schedule->published[j]);
        printf(", %zu records\n", inside(schedule, i)->records.count);
        for (size_t j = 0; j < schedule->author_count; j++) {
            const struct bad_author *author = &schedule->authors[j];
            const struct author *there = author_at(schedule, i, author->branches[0].chain.id);

            printf("  n%u, bad author %zu (branches", i + 1, j + 1);
            for (size_t k = 0; k < author->branch_count; k++)
                printf(" %zu", author->branches[k].chain.count);
            printf(")");
            if (there != NULL)
                printf(": cut %" PRIu64 " by %s, have %" PRIu64 ", stored %" PRIu64
                       ", tail %" PRIu64 ", refused %" PRIu64 "%s, waits for seq %" PRIu64,
                       there->stored.cut, there->proof != NULL ? "a proof" : "an eviction if any",
                       author_have(there), there->stored.have, there->tail.seq, there->refused,
                       there->blocked ? ", blocked" : "", there->waits_seq);
            printf("\n");
        }
    }
}

static void print_fault(void *context, const char *line)
{
    (void)context;
    printf("verify: %s\n", line);
}

static void expect(struct schedule *schedule, bool holds, const char *what)
{
    if (holds)
        return;
    print_all(schedule);
    fail_msg("%s; GOSSIP_TEST_SEED=%" PRIu64 " replays it", what, schedule->seed);
}

static void check(struct schedule *schedule)
{
    uint64_t begun = world_now(schedule->world);

    judged = schedule;
    expect(schedule, world_run_until(schedule->world, all_agree, AGREE_MS),
           "the nodes do not come to agree");
    if (world_now(schedule->world) - begun > covered.longest_ms)
        covered.longest_ms = world_now(schedule->world) - begun;
    for (unsigned i = 0; i < schedule->nodes; i++) {
        struct gossip_stats stats = story_stats(schedule->world, i);

        expect(schedule,
               gossip_verify(world_gossip(schedule->world, i), print_fault, NULL, NULL) ==
                   GOSSIP_OK,
               "a store does not verify");
        covered.contested += stats.contested;
    }
    for (size_t i = 0; i < schedule->author_count; i++) {
        const uint8_t *id = schedule->authors[i].branches[0].chain.id;
        uint64_t cut = 0;

        for (unsigned j = 0; j < schedule->nodes; j++) {
            const struct author *there = author_at(schedule, j, id);

            if (there == NULL)
                continue;
            if (cut == 0 && there->stored.cut != 0)
                cut = there->stored.cut;
            expect(schedule, there->stored.cut == cut || (there->stored.have == 0 && cut == 1),
                   "the cuts differ");
        }
        covered.cuts += cut != 0;
    }
}

static void begin(struct schedule *schedule, uint64_t seed)
{
    static const uint32_t losses[] = {0, 0, 50000, 200000};
    struct virtual_link link = {.latency_ms = 5, .jitter_ms = 35};
    struct world_options options = {.crypto = WORLD_SODIUM, .unchecked = true};

    memset(schedule, 0, sizeof(*schedule));
    schedule->seed = seed;
    schedule->lots = (struct splitmix){seed};
    schedule->nodes = 2 + (unsigned)below(schedule, NODES_MAX - 1);
    options.seed = seed;
    options.nodes = schedule->nodes;
    link.loss_ppm = losses[below(schedule, sizeof(losses) / sizeof(*losses))];
    schedule->world = world_create(&options);
    virtual_network_set_default(world_network(schedule->world), &link);
    assert_true(world_run_until(schedule->world, story_in_step, 600000));
    for (unsigned i = 0; i < schedule->nodes; i++)
        evil_honest_id(schedule->world, i, schedule->honest[i]);
    schedule->evil_count = 1 + below(schedule, EVILS_MAX);
    for (size_t i = 0; i < schedule->evil_count; i++) {
        schedule->evils[i] = evil_create(schedule->world, i == 0 ? "mallory" : "trudy");
        for (unsigned j = 0; j < schedule->nodes; j++)
            assert_true(evil_join(schedule->evils[i], j));
    }
    schedule->author_count = 1 + below(schedule, AUTHORS_MAX);
    for (size_t i = 0; i < schedule->author_count; i++) {
        struct bad_author *author = &schedule->authors[i];

        author->evil = schedule->evils[below(schedule, schedule->evil_count)];
        author->branch_count = 1;
        evil_author_start(&author->branches[0].chain, author->evil, 100 + i);
        covered.branches++;
    }
    if (happens(schedule, 70))
        story_part_all(schedule->world);
}

static void end(struct schedule *schedule)
{
    for (size_t i = 0; i < schedule->author_count; i++) {
        for (size_t j = 0; j < schedule->authors[i].branch_count; j++)
            evil_author_clear(&schedule->authors[i].branches[j].chain);
    }
    evil_destroy_all(schedule->world);
    world_destroy(schedule->world);
    covered.schedules++;
}

static void tell(uint64_t seed)
{
    static struct schedule schedule;
    uint64_t actions;

    begin(&schedule, seed);
    actions = 20 + below(&schedule, 60);
    for (uint64_t i = 0; i < actions; i++)
        act(&schedule);
    for (unsigned i = 0; i < schedule.nodes; i++) {
        if (!is_up(&schedule, i))
            toggle(&schedule, i);
    }
    world_heal(schedule.world);
    check(&schedule);
    end(&schedule);
}

static void any_schedule(void **state)
{
    const char *only = getenv("GOSSIP_TEST_SEED");
    const char *count = getenv("GOSSIP_TEST_SEEDS");
    uint64_t first = only == NULL ? 1 : strtoull(only, NULL, 10);
    uint64_t last = only != NULL ? first : SCHEDULES;

    (void)state;
    if (only == NULL && count != NULL)
        last = strtoull(count, NULL, 10);
    for (uint64_t seed = first; seed <= last; seed++)
        tell(seed);
    printf("%" PRIu64 " schedules, %" PRIu64 " actions: %" PRIu64 " bad events on %" PRIu64
           " branches, %" PRIu64 " honest ones, %" PRIu64 " proofs, %" PRIu64 " evictions, %" PRIu64
           " kills\n",
           covered.schedules, covered.actions, covered.events, covered.branches, covered.honest,
           covered.proofs, covered.evictions, covered.kills);
    printf("in the end %" PRIu64 " cuts, %" PRIu64
           " contested events kept; agreed after at most %" PRIu64 " ms\n",
           covered.cuts, covered.contested, covered.longest_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_schedule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
