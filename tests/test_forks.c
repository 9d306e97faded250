/*
 * Forks and evictions among honest nodes: a member that has shown different nodes different events
 * under one dot, or whose key was evicted, ends with the same cut at every node, and the events of
 * everyone else, those that saw what no longer counts included, are delivered everywhere.
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
#include "gossip/eviction.h"
#include "gossip/proof.h"
#include "gossip/service.h"

enum { NODES = 4 };

struct stage {
    struct world *world;
    struct evil *evil;
    uint64_t published[NODES];
};

static struct gossip_node *inside(struct stage *stage, unsigned node)
{
    return world_gossip(stage->world, node)->node;
}

static int begin(void **state)
{
    static const struct virtual_link link = {.latency_ms = 5, .jitter_ms = 35};
    struct world_options options = {.seed = 7,
                                    .nodes = NODES,
                                    .nodes_max = NODES + 1,
                                    .crypto = WORLD_SODIUM,
                                    .unchecked = true};
    struct stage *stage = calloc(1, sizeof(*stage));

    assert_non_null(stage);
    stage->world = world_create(&options);
    virtual_network_set_default(world_network(stage->world), &link);
    assert_true(world_run_until(stage->world, story_in_step, 60000));
    stage->evil = evil_create(stage->world, "mallory");
    for (unsigned i = 0; i < NODES; i++)
        assert_true(evil_join(stage->evil, i));
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

/* An author whose first events are those of another, byte for byte, so that they are one. */
static void branch_off(struct evil_author *branch, const struct evil_author *trunk, size_t count)
{
    evil_author_start(branch, trunk->evil, get_fixed(trunk->epoch, sizeof(trunk->epoch)));
    for (size_t i = 0; i < count; i++)
        evil_write(branch, trunk->events[i].body, trunk->events[i].size);
}

static void grow(struct evil_author *author, unsigned count, const char *text)
{
    for (unsigned i = 0; i < count; i++)
        evil_publish(author, NULL, 0, text);
}

/* Tells node the events first..last in runs that no required seal cuts. */
static void push(struct stage *stage, unsigned node, const struct evil_author *author,
                 uint64_t first, uint64_t last)
{
    while (first <= last) {
        uint64_t end = (first - 1) / GOSSIP_SEAL_EVERY * GOSSIP_SEAL_EVERY + GOSSIP_SEAL_EVERY;

        if (end > last)
            end = last;
        evil_push(stage->evil, node, author, first, end, NULL);
        first = end + 1;
    }
}

static const struct author *author_at(struct stage *stage, unsigned node, const uint8_t *id)
{
    const struct authors *authors = &inside(stage, node)->authors;
    uint32_t number = authors_find(authors, id);

    return number == NO_AUTHOR ? NULL : authors->items[number];
}

static bool in_step(struct world *world)
{
    return story_agrees(world) && story_in_step(world);
}

static void print_all(struct stage *stage)
{
    for (unsigned i = 0; i < NODES; i++)
        story_print(stage->world, i);
}

/* An archive in memory. */
struct bytes {
    uint8_t *data;
    size_t size;
    size_t offset; /* Read so far. */
};

static int read_bytes_of(void *context, void *buffer, size_t size)
{
    struct bytes *bytes = context;
    size_t left = bytes->size - bytes->offset;
    size_t part = left < size ? left : size;

    if (part > 0)
        memcpy(buffer, bytes->data + bytes->offset, part);
    bytes->offset += part;
    return (int)part;
}

static void export_all(struct gossip *gossip, struct bytes *ret_bytes)
{
    struct gossip_export *archive;
    struct bytes bytes = {0};
    const uint8_t *part;
    size_t size;
    int result;

    assert_int_equal(gossip_export_open(gossip, GOSSIP_ALL_AUTHORS, &archive), GOSSIP_OK);
    while ((result = gossip_export_next(archive, &part, &size)) == 1) {
        bytes.data = realloc(bytes.data, bytes.size + size);
        assert_non_null(bytes.data);
        memcpy(bytes.data + bytes.size, part, size);
        bytes.size += size;
    }
    assert_int_equal(result, 0);
    gossip_export_close(archive);
    *ret_bytes = bytes;
}

/* What a node exports proves itself, the events below a cut included whose seals a record stands
 * for; and a node that takes it in holds the same, cut at the same dots. */
static void check_archive(struct stage *stage, unsigned number)
{
    struct gossip *from = world_gossip(stage->world, number);
    struct gossip_imported imported;
    struct gossip_archive archive;
    struct gossip_archive again;
    struct gossip_author author;
    struct gossip_store *store;
    struct gossip *gossip;
    struct bytes bytes;
    uint64_t events = 0;

    export_all(from, &bytes);
    if (gossip_archive_check(read_bytes_of, &bytes, &archive) != GOSSIP_OK)
        fail_msg("the archive of n%u is not sound: %s", number + 1, archive.fault);
    bytes.offset = 0;
    assert_int_equal(gossip_memory_open(&store), GOSSIP_OK);
    assert_int_equal(
        gossip_create(&(struct gossip_options){.size = sizeof(struct gossip_options),
                                               .store = store,
                                               .time = gossip_system_time(),
                                               .identity = world_identity(stage->world, number)},
                      &gossip),
        GOSSIP_OK);
    assert_int_equal(gossip_import(gossip, read_bytes_of, &bytes, &again, &imported), GOSSIP_OK);
    assert_int_equal(imported.waiting, 0);
    assert_int_equal(imported.refused, 0);
    for (uint32_t i = 0; gossip_author(from, i, &author) == GOSSIP_OK; i++) {
        uint32_t there = authors_find(&gossip->node->authors, author.id);

        events += author.have;
        if (author.have == 0)
            continue;
        assert_int_not_equal(there, NO_AUTHOR);
        assert_int_equal(gossip->node->authors.items[there]->stored.have, author.have);
        assert_int_equal(gossip->node->authors.items[there]->stored.cut, author.cut);
    }
    assert_int_equal(archive.events, events);
    assert_int_equal(imported.events, events);
    assert_int_equal(gossip_verify(gossip, NULL, NULL, &events), GOSSIP_OK);
    gossip_destroy(gossip);
    store->ops->close(store);
    free(bytes.data);
}

/* What is left of a store that is whole: all of it. */
static int show_store(void *context, gossip_record_visit *visit, void *visit_context)
{
    struct gossip_store *store = context;
    int result = store->ops->load(store, visit, visit_context);

    return result < 0 ? result : store->ops->follow(store, 0, visit, visit_context);
}

/* A store built anew of a node's holds all that counts, cut at the same dots. */
static void check_recovery(struct stage *stage, unsigned number)
{
    struct gossip *from = world_gossip(stage->world, number);
    struct gossip_recovered recovered;
    struct gossip_author author;
    struct gossip_store *store;
    struct gossip *gossip;

    assert_int_equal(gossip_memory_open(&store), GOSSIP_OK);
    assert_int_equal(
        gossip_create(&(struct gossip_options){.size = sizeof(struct gossip_options),
                                               .store = store,
                                               .time = gossip_system_time(),
                                               .identity = world_identity(stage->world, number)},
                      &gossip),
        GOSSIP_OK);
    assert_int_equal(gossip_recover(gossip, show_store, world_store(stage->world, number), NULL,
                                    NULL, &recovered),
                     GOSSIP_OK);
    for (uint32_t i = 0; gossip_author(from, i, &author) == GOSSIP_OK; i++) {
        uint32_t there = authors_find(&gossip->node->authors, author.id);

        if (author.have == 0)
            continue;
        assert_int_not_equal(there, NO_AUTHOR);
        assert_int_equal(gossip->node->authors.items[there]->stored.have, author.have);
        assert_int_equal(gossip->node->authors.items[there]->stored.cut, author.cut);
    }
    assert_int_equal(gossip_verify(gossip, NULL, NULL, NULL), GOSSIP_OK);
    gossip_destroy(gossip);
    store->ops->close(store);
}

/* All agree within two minutes; the author is cut there at each, and what the store holds fits. */
static void check_cut(struct stage *stage, const uint8_t *id, uint64_t cut)
{
    if (!world_run_until(stage->world, in_step, 120000)) {
        print_all(stage);
        fail_msg("the nodes do not come to agree");
    }
    for (unsigned i = 0; i < NODES; i++) {
        const struct author *author = author_at(stage, i, id);
        uint64_t events;

        assert_non_null(author);
        assert_int_equal(author->stored.cut, cut);
        assert_int_equal(author_have(author), cut - 1);
        assert_int_equal(
            gossip_vclock_get(gossip_clock(world_gossip(stage->world, i)), author->stored.number),
            cut - 1);
        assert_int_equal(gossip_verify(world_gossip(stage->world, i), NULL, NULL, &events),
                         GOSSIP_OK);
        for (unsigned j = 0; j < NODES; j++) {
            if (stage->published[j] > 0)
                assert_int_equal(story_have(stage->world, i, j), stage->published[j]);
        }
        check_archive(stage, i);
        check_recovery(stage, i);
    }
}

static void publish(struct stage *stage, unsigned node, const char *text)
{
    stage->published[node] = story_tells(stage->world, node, text);
}

static uint64_t at_node(struct stage *stage, unsigned node, const uint8_t *id)
{
    const struct author *author = author_at(stage, node, id);

    return author == NULL ? 0 : author->stored.have;
}

/* A fork at seq: each side gets one branch while they are apart, writes events that saw it, and
 * meets the other. */
static void fork_at(struct stage *stage, unsigned seq, unsigned longer)
{
    struct evil_author trunk;
    struct evil_author other;
    char log[1024];

    evil_author_start(&trunk, stage->evil, 77);
    grow(&trunk, seq - 1, "trunk");
    branch_off(&other, &trunk, seq - 1);
    grow(&trunk, 1 + longer, "branch-a");
    grow(&other, 2, "branch-b");
    story_part_all(stage->world);
    story_link(stage->world, 0, 1);
    story_link(stage->world, 2, 3);
    push(stage, 0, &trunk, 1, trunk.count);
    push(stage, 2, &other, 1, other.count);
    world_run(stage->world, 100);
    assert_int_equal(at_node(stage, 0, trunk.id), trunk.count);
    assert_int_equal(at_node(stage, 2, trunk.id), other.count);
    publish(stage, 0, "saw-one");
    publish(stage, 2, "saw-other");
    world_run(stage->world, 5000);
    publish(stage, 1, "saw-saw-one");
    story_meet(stage->world);
    publish(stage, 3, "late");
    check_cut(stage, trunk.id, seq);
    snprintf(log, sizeof(log), "%s", story_log(stage->world, 0));
    assert_null(strstr(log, "branch"));
    for (unsigned i = 0; i < NODES; i++)
        assert_string_equal(story_log(stage->world, i), log);
    /* Whoever starts again stands where it stood. */
    for (unsigned i = 0; i < NODES; i++) {
        world_kill(stage->world, i, VIRTUAL_DAMAGE_LOST);
        world_start(stage->world, i);
    }
    check_cut(stage, trunk.id, seq);
    evil_author_clear(&trunk);
    evil_author_clear(&other);
}

static void fork_at_first(void **state)
{
    fork_at(*state, 1, 0);
}

static void fork_in_the_middle(void **state)
{
    fork_at(*state, 6, 3);
}

static void fork_far_back(void **state)
{
    fork_at(*state, 40, 300);
}

static void fork_at_a_seal(void **state)
{
    fork_at(*state, 64, 70);
}

static void fork_after_a_seal(void **state)
{
    fork_at(*state, 65, 1);
}

/* Of three branches the two that part lowest make the cut, whatever was proven first. */
static void three_branches(void **state)
{
    struct stage *stage = *state;
    struct evil_author branches[3];

    evil_author_start(&branches[0], stage->evil, 5);
    grow(&branches[0], 4, "trunk");
    branch_off(&branches[2], &branches[0], 4);
    grow(&branches[0], 5, "a");
    branch_off(&branches[1], &branches[0], 8);
    grow(&branches[0], 3, "a");
    grow(&branches[1], 3, "b");
    grow(&branches[2], 3, "c");
    story_part_all(stage->world);
    for (unsigned i = 0; i < 3; i++)
        push(stage, i, &branches[i], 1, branches[i].count);
    for (unsigned i = 0; i < NODES; i++)
        publish(stage, i, "honest");
    story_link(stage->world, 0, 1);
    world_run(stage->world, 60000);
    assert_int_equal(author_at(stage, 0, branches[0].id)->stored.cut, 9);
    assert_int_equal(author_at(stage, 1, branches[0].id)->stored.cut, 9);
    story_meet(stage->world);
    check_cut(stage, branches[0].id, 5);
    for (unsigned i = 0; i < 3; i++)
        evil_author_clear(&branches[i]);
}

/* Who joins late gets what counts, though the last of it bears no seal of its own. */
static void late_joiner(void **state)
{
    struct stage *stage = *state;
    struct evil_author trunk;
    struct evil_author other;

    world_kill(stage->world, 3, VIRTUAL_DAMAGE_NONE);
    evil_author_start(&trunk, stage->evil, 9);
    grow(&trunk, 9, "trunk");
    branch_off(&other, &trunk, 9);
    grow(&trunk, 4, "one");
    grow(&other, 4, "other");
    /* In one run each, so that nobody has a seal of event 9. */
    push(stage, 0, &trunk, 1, trunk.count);
    push(stage, 1, &other, 1, other.count);
    publish(stage, 0, "honest");
    world_run(stage->world, 60000);
    assert_int_equal(author_at(stage, 2, trunk.id)->stored.cut, 10);
    world_start(stage->world, 3);
    check_cut(stage, trunk.id, 10);
    assert_int_equal(author_at(stage, 3, trunk.id)->stored.have, 9);
    evil_author_clear(&trunk);
    evil_author_clear(&other);
}

static void give_record(struct stage *stage, unsigned node, const uint8_t *id, const uint8_t *bytes,
                        size_t size)
{
    for (size_t offset = 0; offset < size; offset += 1000) {
        struct wire_part part = {
            .record = {.present = true,
                       .id = id,
                       .size = (uint32_t)size,
                       .offset = (uint32_t)offset,
                       .data = {bytes + offset, size - offset < 1000 ? size - offset : 1000}}};
        uint8_t message[GOSSIP_PLAIN_MAX];

        evil_send(stage->evil, node, MESSAGE_PART, message,
                  wire_encode_part(&part, message, sizeof(message) - 1));
    }
}

/* What can be shown of an author's chain from seq to its last event. */
static struct proof_branch shown_from(const struct evil_author *author, uint64_t seq)
{
    const struct gossip_crypto *crypto = gossip_crypto_sodium();
    struct proof_branch branch = {.link_count = 0};

    memcpy(branch.previous, author->events[seq - 2].chain.hash, GOSSIP_HASH_SIZE);
    for (uint64_t i = seq; i <= author->count; i++) {
        const struct evil_event *event = &author->events[i - 1];
        struct proof_link *link = &branch.links[branch.link_count++];

        link->body_size = (uint32_t)event->size;
        event_inner(crypto, event->chain.mentions_hash, event->body, event->size, link->inner);
    }
    seal_sign(crypto, author->events[author->count - 1].chain.hash,
              evil_identity(author->evil)->secret, branch.seal);
    return branch;
}

/* Tells node that two chains of an author differ at seq. */
static void prove(struct stage *stage, unsigned node, const struct evil_author *one,
                  const struct evil_author *other, uint64_t seq)
{
    const struct gossip_identity *evil = evil_identity(stage->evil);
    struct chain_owner owner = {evil->cluster, evil->key, one->epoch};
    struct proof_branch branches[2] = {shown_from(one, seq), shown_from(other, seq)};
    struct proof proof;

    proof_make(gossip_crypto_sodium(), &owner, seq, &branches[0], &branches[1], &proof);
    give_record(stage, node, proof.id, proof.bytes, proof.size);
}

/* Of a run only the beginning is ever delivered, at one node, and the run's seal is at its end:
 * those who see that node's events get the beginning as well. */
static void beginning_of_a_run(void **state)
{
    static const uint8_t nobody[GOSSIP_ID_SIZE] = {0xee};
    struct stage *stage = *state;
    struct evil_author author;

    evil_author_start(&author, stage->evil, 21);
    grow(&author, 4, "delivered");
    evil_publish(&author, &(struct evil_entry){.id = nobody, .seq = 1}, 1, "never");
    grow(&author, 4, "never");
    story_part_all(stage->world);
    push(stage, 0, &author, 1, 9);
    assert_int_equal(at_node(stage, 0, author.id), 4);
    publish(stage, 0, "saw-the-beginning");
    /* What is held back is forgotten; what it bore is not. */
    world_kill(stage->world, 0, VIRTUAL_DAMAGE_LOST);
    world_start(stage->world, 0);
    story_meet(stage->world);
    for (unsigned i = 0; i < NODES; i++)
        assert_int_equal(at_node(stage, i, author.id), 4);
    /* And whoever has it from another tells it too. */
    world_kill(stage->world, 0, VIRTUAL_DAMAGE_LOST);
    world_kill(stage->world, 3, VIRTUAL_DAMAGE_LOST);
    for (unsigned i = 1; i < 3; i++) {
        world_kill(stage->world, i, VIRTUAL_DAMAGE_LOST);
        world_start(stage->world, i);
    }
    assert_int_equal(world_add(stage->world), NODES);
    assert_true(world_run_until(stage->world, in_step, 120000));
    assert_int_equal(at_node(stage, NODES, author.id), 4);
    assert_int_equal(story_have(stage->world, NODES, 0), stage->published[0]);
    evil_author_clear(&author);
}

/* One branch is delivered here, the other held back there, for ever: who holds it back learns of
 * the fork all the same, and gets what had seen the first. */
static void fork_held_back(void **state)
{
    static const uint8_t nobody[GOSSIP_ID_SIZE] = {0xee};
    struct stage *stage = *state;
    struct evil_author trunk;
    struct evil_author other;

    evil_author_start(&trunk, stage->evil, 22);
    grow(&trunk, 4, "trunk");
    branch_off(&other, &trunk, 4);
    grow(&trunk, 3, "a");
    evil_publish(&other, &(struct evil_entry){.id = nobody, .seq = 1}, 1, "b");
    grow(&other, 4, "b");
    story_part_all(stage->world);
    push(stage, 0, &trunk, 1, trunk.count);
    push(stage, 1, &other, 1, other.count);
    publish(stage, 0, "saw-a");
    story_meet(stage->world);
    check_cut(stage, trunk.id, 5);
    evil_author_clear(&trunk);
    evil_author_clear(&other);
}

/* Two proofs of one cut, of other branches each: what one node holds below it, without a seal,
 * comes to the other all the same. */
static void proofs_of_other_branches(void **state)
{
    struct stage *stage = *state;
    struct evil_author branches[4];

    evil_author_start(&branches[0], stage->evil, 15);
    grow(&branches[0], 4, "trunk");
    for (unsigned i = 1; i < 4; i++)
        branch_off(&branches[i], &branches[0], 4);
    for (unsigned i = 0; i < 4; i++) {
        char text[2] = {(char)('a' + i), '\0'};

        grow(&branches[i], 3, text);
    }
    story_part_all(stage->world);
    push(stage, 0, &branches[0], 1, 7); /* In one run: of event 4 nobody gets a seal. */
    prove(stage, 0, &branches[0], &branches[1], 6);
    for (unsigned i = 1; i < NODES; i++)
        prove(stage, i, &branches[2], &branches[3], 6);
    for (unsigned i = 0; i < NODES; i++) {
        assert_non_null(author_at(stage, i, branches[0].id));
        assert_int_equal(author_at(stage, i, branches[0].id)->stored.cut, 5);
    }
    publish(stage, 0, "saw-trunk");
    story_meet(stage->world);
    check_cut(stage, branches[0].id, 5);
    for (unsigned i = 0; i < NODES; i++) {
        world_kill(stage->world, i, VIRTUAL_DAMAGE_LOST);
        world_start(stage->world, i);
    }
    check_cut(stage, branches[0].id, 5);
    for (unsigned i = 0; i < 4; i++)
        evil_author_clear(&branches[i]);
}

static void evict(struct stage *stage, unsigned node, const struct eviction_last *last,
                  size_t count)
{
    const struct gossip_identity *evil = evil_identity(stage->evil);
    struct eviction eviction;

    eviction_make(gossip_crypto_sodium(), evil->cluster, evil->key, last, count, NULL,
                  world_cluster(stage->world)->secret, &eviction);
    give_record(stage, node, eviction.id, eviction.bytes, eviction.size);
}

/* An eviction names one epoch and not another; honest events saw both, past the end. */
static void eviction(void **state)
{
    struct stage *stage = *state;
    struct evil_author named;
    struct evil_author unnamed;
    struct eviction_last last = {.seq = 4};

    evil_author_start(&named, stage->evil, 100);
    evil_author_start(&unnamed, stage->evil, 200);
    grow(&named, 9, "named");
    grow(&unnamed, 3, "unnamed");
    story_part_all(stage->world);
    push(stage, 0, &named, 1, 9);
    push(stage, 0, &unnamed, 1, 3);
    push(stage, 1, &named, 1, 2);
    publish(stage, 0, "saw-all");
    publish(stage, 1, "saw-two");
    memcpy(last.epoch, named.epoch, sizeof(last.epoch));
    memcpy(last.hash, named.events[3].chain.hash, sizeof(last.hash));
    evict(stage, 2, &last, 1);
    story_meet(stage->world);
    check_cut(stage, named.id, 5);
    for (unsigned i = 0; i < NODES; i++) {
        assert_non_null(author_at(stage, i, unnamed.id));
        assert_int_equal(author_at(stage, i, unnamed.id)->stored.cut, 1);
    }
    /* A second one that says less changes nothing, one that says more does. */
    last.seq = 7;
    memcpy(last.hash, named.events[6].chain.hash, sizeof(last.hash));
    evict(stage, 3, &last, 1);
    world_run(stage->world, 5000);
    check_cut(stage, named.id, 5);
    last.seq = 2;
    memcpy(last.hash, named.events[1].chain.hash, sizeof(last.hash));
    evict(stage, 1, &last, 1);
    world_run(stage->world, 5000);
    check_cut(stage, named.id, 3);
    for (unsigned i = 0; i < NODES; i++) {
        world_kill(stage->world, i, VIRTUAL_DAMAGE_LOST);
        world_start(stage->world, i);
    }
    check_cut(stage, named.id, 3);
    evil_author_clear(&named);
    evil_author_clear(&unnamed);
}

/* B7: a hundred branches, of which each node holds one, and knows that of the others there are. */
static void a_hundred_branches(void **state)
{
    struct stage *stage = *state;
    struct evil_author branches[100];

    evil_author_start(&branches[0], stage->evil, 3);
    grow(&branches[0], 3, "trunk");
    for (unsigned i = 1; i < 100; i++)
        branch_off(&branches[i], &branches[0], 3);
    for (unsigned i = 0; i < 100; i++) {
        char text[16];

        snprintf(text, sizeof(text), "branch %u", i);
        grow(&branches[i], 2 + i % 5, text);
    }
    story_part_all(stage->world);
    for (unsigned i = 0; i < 100; i++)
        push(stage, i % NODES, &branches[i], 1, branches[i].count);
    for (unsigned i = 0; i < NODES; i++) {
        assert_true(at_node(stage, i, branches[0].id) > 3);
        publish(stage, i, "saw one");
    }
    story_meet(stage->world);
    check_cut(stage, branches[0].id, 4);
    for (unsigned i = 0; i < 100; i++)
        evil_author_clear(&branches[i]);
}

/* An ordinary start, and nobody there who answers: until the wait is over own events wait, and are
 * told why. Meanwhile the node shows what it holds, takes in what it is sent and gossips. */
static void a_waiting_node_goes_on(void **state)
{
    struct stage *stage = *state;
    struct world *world = stage->world;
    struct evil_author author;
    struct evil_message message;
    struct gossip_start start;
    uint64_t began;
    bool is_asked = false;

    story_tells(world, 0, "before");
    story_meet(world);
    for (unsigned i = 0; i < NODES; i++)
        world_stop(world, i);
    world_start(world, 0);
    began = world_now(world);
    assert_true(evil_join(stage->evil, 0));
    evil_forget(stage->evil);
    assert_true(world_publish(world, 0, "waits", 5));
    evil_author_start(&author, stage->evil, 5);
    grow(&author, 2, "received");
    push(stage, 0, &author, 1, 2);
    world_run(world, 500);
    gossip_start_state(world_gossip(world, 0), &start);
    assert_int_equal(start.asked, 1);
    world_run(world, 4500);
    gossip_start_state(world_gossip(world, 0), &start);
    assert_int_equal(start.state, GOSSIP_START_ASKING);
    assert_in_range(start.left_ms, 4000, 7000); /* As of its last step. */
    assert_int_equal(start.answered, 0);
    assert_int_equal(at_node(stage, 0, author.id), 2);
    assert_string_equal(story_log(world, 0), "before received received");
    while (evil_take(stage->evil, &message))
        is_asked = is_asked || message.kind == MESSAGE_DIGEST;
    assert_true(is_asked);
    world_run(world, 6000);
    gossip_start_state(world_gossip(world, 0), &start);
    assert_int_equal(start.state, GOSSIP_START_READY);
    assert_true(world_now(world) - began < 12000);
    assert_string_equal(story_log(world, 0), "before received received waits");
    evil_author_clear(&author);
}

static int copy_event(void *context, const struct gossip_record *record)
{
    struct evil_author *author = context;

    if (record->kind == GOSSIP_RECORD_EVENT)
        evil_write(author, record->as.event.body, record->as.event.body_size);
    return 0;
}

/* T11: what follows an event of this boot is of another process with our key, which is stopped for
 * at once; not so if the event could have been written by an earlier boot, to the last bit. */
static void own_event_is_followed(struct stage *stage, bool is_ahead)
{
    struct world *world = stage->world;
    struct evil *twin = evil_double(world, 0);
    struct gossip_store *store;
    struct evil_author copy;
    const struct author *own;
    uint8_t id[GOSSIP_ID_SIZE];

    if (is_ahead) {
        world_set_skew(world, 0, 60 * STORY_MINUTE_MS);
        story_tells(world, 0, "ahead");
        story_meet(world);
        world_set_skew(world, 0, 0);
        world_stop(world, 0);
        world_start(world, 0);
        story_meet(world);
        assert_true(evil_join(stage->evil, 0));
    }
    story_tells(world, 0, "mine");
    story_meet(world);
    evil_honest_id(world, 0, id);
    own = author_at(stage, 0, id);
    evil_author_start(&copy, twin, get_fixed(own->stored.epoch, sizeof(own->stored.epoch)));
    assert_memory_equal(copy.id, id, sizeof(id));
    store = world_gossip(world, 0)->options.store;
    assert_int_equal(
        store->ops->read(store, inside(stage, 0)->self, 1, own->tail.seq, copy_event, &copy),
        GOSSIP_OK);
    assert_int_equal(copy.count, own->tail.seq);
    evil_publish(&copy, NULL, 0, "theirs");
    push(stage, 0, &copy, copy.count, copy.count);
    world_run(world, 100);
    if (is_ahead) {
        assert_int_equal(world_state(world, 0), WORLD_UP);
        story_tells(world, 0, "after");
        evil_honest_id(world, 0, id);
        assert_memory_not_equal(copy.id, id, sizeof(id));
    } else {
        assert_int_equal(world_state(world, 0), WORLD_DOWN);
        assert_int_equal(world_end_error(world, 0), GOSSIP_ERR_CLONED);
    }
    evil_author_clear(&copy);
}

static void a_double_writes_on(void **state)
{
    own_event_is_followed(*state, false);
}

static void an_earlier_boot_wrote_on(void **state)
{
    own_event_is_followed(*state, true);
}

#define FORK(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        FORK(fork_at_first),
        FORK(fork_in_the_middle),
        FORK(fork_far_back),
        FORK(fork_at_a_seal),
        FORK(fork_after_a_seal),
        FORK(three_branches),
        FORK(late_joiner),
        FORK(eviction),
        FORK(a_hundred_branches),
        FORK(a_waiting_node_goes_on),
        FORK(proofs_of_other_branches),
        FORK(beginning_of_a_run),
        FORK(fork_held_back),
        FORK(a_double_writes_on),
        FORK(an_earlier_boot_wrote_on),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]); /* One story: its name, with * and ?. */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
