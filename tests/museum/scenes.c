#include "tests/museum/scenes.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/lab/room.h"
#include "cmd/lab/standin.h"
#include "cmd/lab/world_state.h"
#include "gossip/cuts.h"
#include "gossip/eviction.h"
#include "gossip/service.h"
#include "gossip/splitmix.h"

enum {
    SECOND_MS = 1000,
    MEET_MS = 10 * SECOND_MS, /* By then all nodes know each other. */
    ALONE_MS = 2 * GOSSIP_ALONE_AFTER_MS,
    AGREE_MS = 240 * SECOND_MS, /* As in campaigns. */
    DISAGREEMENT_MAX = 4096,
};

struct scene {
    struct world *world;
    struct splitmix lots;
    unsigned nodes;
    bool is_first_gone; /* Node 0 is not started again. */
};

static uint64_t between(struct scene *scene, uint64_t low, uint64_t high)
{
    return splitmix_between(&scene->lots, low, high);
}

/* Nodes that know each other, or (is_stopped) are yet to be started. */
static void begin(struct scene *scene, uint64_t seed, unsigned nodes_min, bool is_stopped,
                  world_narrator *narrator)
{
    struct world_options options = {.store = WORLD_SQLITE, .period_ms = SECOND_MS};
    struct virtual_link link = {0};

    *scene = (struct scene){.lots = {seed}};
    scene->nodes = (unsigned)between(scene, nodes_min, nodes_min + 2);
    options.seed = splitmix_next(&scene->lots);
    options.nodes = scene->nodes;
    options.fanout = (uint32_t)between(scene, 1, 3);
    options.stopped = true;
    link.latency_ms = (uint32_t)between(scene, 1, 20);
    link.jitter_ms = (uint32_t)between(scene, 0, 30);
    scene->world = world_create(&options);
    world_set_narrator(scene->world, narrator, NULL);
    virtual_network_set_default(world_network(scene->world), &link);
    for (unsigned i = 0; i < scene->nodes && !is_stopped; i++)
        world_start(scene->world, i);
    if (!is_stopped)
        world_run(scene->world, MEET_MS);
}

static void publish(struct scene *scene, unsigned node, uint64_t events, const char *text)
{
    for (uint64_t i = 0; i < events; i++) {
        world_publish(scene->world, node, text, strlen(text));
        world_run(scene->world, between(scene, 1, 200));
    }
}

static size_t nodes_up(struct world *world, unsigned *nodes)
{
    size_t count = 0;

    for (unsigned i = 0; i < world_nodes(world); i++) {
        if (world_state(world, i) == WORLD_UP)
            nodes[count++] = i;
    }
    return count;
}

static bool all_agree(struct world *world)
{
    unsigned *nodes = room_new(world_nodes(world) * sizeof(*nodes));
    bool agree =
        checker_agree(world_checker(world), nodes, nodes_up(world, nodes)) && world_in_step(world);

    free(nodes);
    return agree;
}

/* A node that has cut an author, and not at the least dot that has two contents or that an eviction
 * ends it at, goes by what it heard first. */
static void report_greater_cut(struct world *world, unsigned number)
{
    const struct history *history = checker_history(world_checker(world));
    struct gossip_author author;

    for (uint32_t i = 0; gossip_author(world_gossip(world, number), i, &author) == GOSSIP_OK; i++) {
        uint32_t known = history_find_author(history, author.id);
        uint64_t least = known == HISTORY_NONE ? 0 : history->authors[known].fork;
        uint64_t evicted = known == HISTORY_NONE ? 0 : history->authors[known].evicted;
        char dot[HISTORY_TEXT_MAX];

        if (evicted != 0 && (least == 0 || evicted < least))
            least = evicted;
        if (author.cut == 0 || least == 0 || author.cut <= least)
            continue;
        history_dot_text(history, known, least, dot, sizeof(dot));
        checker_report(world_checker(world), INVARIANT_ORDER,
                       "%d s after all links are whole n%u still cuts at seq %" PRIu64
                       " an author that ends at %s",
                       AGREE_MS / SECOND_MS, number + 1, author.cut, dot);
    }
}

static void report_disagreement(struct world *world)
{
    unsigned *nodes = room_new(world_nodes(world) * sizeof(*nodes));
    size_t count = nodes_up(world, nodes);
    char lines[DISAGREEMENT_MAX];

    for (size_t i = 0; i < count; i++)
        report_greater_cut(world, nodes[i]);
    checker_disagreement(world_checker(world), nodes, count, lines, sizeof(lines));
    checker_report(world_checker(world), INVARIANT_AGREEMENT,
                   "%d s after all links are whole %zu nodes are not in step%s",
                   AGREE_MS / SECOND_MS, count, lines);
    free(nodes);
}

/* All is whole, and everybody up: they come to agree. */
static void end(struct scene *scene, struct campaign_result *ret_result)
{
    struct world *world = scene->world;

    world_heal(world);
    for (unsigned i = scene->is_first_gone; i < world_nodes(world); i++)
        world_start(world, i);
    if (!world_run_until(world, all_agree, AGREE_MS) && world_is_sound(world))
        report_disagreement(world);
    world_examine(world);
    *ret_result = (struct campaign_result){.violation = *world_violation(world)};
    world_destroy(world);
}

static void cut_off(struct world *world, unsigned node)
{
    for (unsigned i = 0; i < world_nodes(world); i++) {
        if (i != node) {
            world_cut(world, i, node);
            world_cut(world, node, i);
        }
    }
}

static void link_both(struct world *world, unsigned a, unsigned b)
{
    world_mend(world, a, b);
    world_mend(world, b, a);
}

static void back_up(struct world *world, unsigned node)
{
    world_stop(world, node);
    world_backup(world, node);
    world_start(world, node);
}

void scene_copied_back(uint64_t seed, world_narrator *narrator, struct campaign_result *ret_result)
{
    struct scene scene;
    bool is_back;

    begin(&scene, seed, 2, false, narrator);
    publish(&scene, 0, between(&scene, 1, 20), "kept");
    back_up(scene.world, 0);
    publish(&scene, 0, between(&scene, 1, 20), "after the backup");
    world_run(scene.world, between(&scene, 0, 5 * SECOND_MS));
    world_kill(scene.world, 0, VIRTUAL_DAMAGE_NONE);
    is_back = world_copy_back(scene.world, 0);
    assert(is_back);
    world_start(scene.world, 0);
    publish(&scene, 0, between(&scene, 1, 20), "after the restore");
    world_run(scene.world, ALONE_MS);
    end(&scene, ret_result);
}

void scene_side_file(uint64_t seed, world_narrator *narrator, struct campaign_result *ret_result)
{
    struct scene scene;
    bool is_back;

    begin(&scene, seed, 2, false, narrator);
    publish(&scene, 0, between(&scene, 1, 20), "kept");
    back_up(scene.world, 0);
    publish(&scene, 0, between(&scene, 1, 20), "after the backup");
    cut_off(scene.world, 0); /* Nobody else can tell it either. */
    world_kill(scene.world, 0, VIRTUAL_DAMAGE_NONE);
    is_back = world_restore_database(scene.world, 0);
    assert(is_back);
    world_start(scene.world, 0);
    publish(&scene, 0, between(&scene, 1, 20), "after the restore");
    world_run(scene.world, ALONE_MS);
    end(&scene, ret_result);
}

/* The wall clock of node shows time_ms of the world, now. */
static void set_clock(struct scene *scene, unsigned node, uint64_t time_ms)
{
    world_set_skew(scene->world, node, (int64_t)time_ms - (int64_t)world_now(scene->world));
}

void scene_dead_battery(uint64_t seed, world_narrator *narrator, struct campaign_result *ret_result)
{
    struct scene scene;
    uint64_t from_ms;
    bool is_back;

    begin(&scene, seed, 2, true, narrator);
    /* Nobody starts in the same second as another: that would be too easy. */
    for (unsigned i = 0; i < scene.nodes; i++) {
        set_clock(&scene, i, (i + 1) * 100 * SECOND_MS + between(&scene, 0, 10 * SECOND_MS));
        world_start(scene.world, i);
    }
    from_ms = between(&scene, 1, 100) * SECOND_MS * 1000;
    world_run(scene.world, MEET_MS);
    publish(&scene, 0, between(&scene, 1, 20), "kept");
    back_up(scene.world, 0);
    for (unsigned i = 0; i < 2; i++) {
        world_run(scene.world, between(&scene, 0, 60 * SECOND_MS));
        cut_off(scene.world, 0);
        world_kill(scene.world, 0, VIRTUAL_DAMAGE_NONE);
        is_back = world_copy_back(scene.world, 0);
        assert(is_back);
        set_clock(&scene, 0, from_ms + between(&scene, 0, 300));
        world_start(scene.world, 0);
        publish(&scene, 0, between(&scene, 1, 5), i == 0 ? "back once" : "back twice");
        world_run(scene.world, ALONE_MS);
        world_heal(scene.world);
    }
    end(&scene, ret_result);
}

/* Node 0 is set back, and hears from node alone. It has waited. */
static void set_back_to_meet(struct scene *scene, unsigned node)
{
    bool is_back;

    cut_off(scene->world, 0);
    world_kill(scene->world, 0, VIRTUAL_DAMAGE_NONE);
    is_back = world_restore(scene->world, 0);
    assert(is_back);
    link_both(scene->world, 0, node);
    world_start(scene->world, 0);
    world_run(scene->world, ALONE_MS);
}

/* Node 0 writes, and node, which nobody else hears, writes of it. */
static void write_branch(struct scene *scene, unsigned node, uint64_t events, const char *text)
{
    char saw[64];

    snprintf(saw, sizeof(saw), "saw %s", text);
    publish(scene, 0, events, text);
    world_run(scene->world, MEET_MS);
    publish(scene, node, between(scene, 1, 3), saw);
}

static void part_all(struct scene *scene)
{
    for (unsigned i = 0; i < scene->nodes; i++)
        cut_off(scene->world, i);
}

static void act_fork(uint64_t seed, bool is_even, world_narrator *narrator,
                     struct campaign_result *ret_result)
{
    struct scene scene;
    uint64_t events;

    begin(&scene, seed, 3, false, narrator);
    publish(&scene, 0, between(&scene, 1, 20), "kept");
    world_run(scene.world, MEET_MS);
    back_up(scene.world, 0);
    world_run(scene.world, MEET_MS);
    part_all(&scene);
    link_both(scene.world, 0, 1);
    events = between(&scene, 1, 20);
    write_branch(&scene, 1, events, "one");
    set_back_to_meet(&scene, 2);
    write_branch(&scene, 2, is_even ? events : events + between(&scene, 1, 20), "other");
    end(&scene, ret_result);
}

void scene_even_fork(uint64_t seed, world_narrator *narrator, struct campaign_result *ret_result)
{
    act_fork(seed, true, narrator, ret_result);
}

void scene_uneven_fork(uint64_t seed, world_narrator *narrator, struct campaign_result *ret_result)
{
    act_fork(seed, false, narrator, ret_result);
}

/* Two of three branches part later than the third from both, and are the first to meet. */
static void act_three_branches(struct scene *scene)
{
    world_run(scene->world, MEET_MS);
    back_up(scene->world, 0);
    world_run(scene->world, MEET_MS);
    cut_off(scene->world, 3);
    write_branch(scene, 2, between(scene, 1, 20), "other's one");
    set_back_to_meet(scene, 3);
    write_branch(scene, 3, between(scene, 1, 20), "other's other");
    link_both(scene->world, 2, 3);
    world_run(scene->world, 60 * SECOND_MS);
}

/* The two branches meet. Then others hear that the key of node 0 is evicted, and where it ends: at
 * kept, which all have. */
static void act_eviction(struct scene *scene, uint64_t kept)
{
    const struct gossip_identity *identity = world_identity(scene->world, 0);
    struct gossip_cluster *cluster = scene->world->cluster;
    struct gossip *witness = world_gossip(scene->world, 3);
    const struct history *history = checker_history(world_checker(scene->world));
    struct gossip_author author = {0};
    struct eviction_last last = {.seq = kept};
    struct eviction eviction;
    uint32_t number = 0;
    int error = GOSSIP_OK;

    while (gossip_author(witness, number, &author) == GOSSIP_OK &&
           memcmp(author.key, identity->key, GOSSIP_KEY_SIZE) != 0)
        number++;
    memcpy(last.epoch, witness->node->authors.items[number]->stored.epoch, GOSSIP_EPOCH_SIZE);
    memcpy(
        last.hash,
        history->events[history_find(history, history_find_author(history, author.id), kept)].hash,
        GOSSIP_HASH_SIZE);
    eviction_make(standin_crypto(), cluster->key, identity->key, &last, 1, NULL, cluster->secret,
                  &eviction);
    world_stop(scene->world, 0);
    scene->is_first_gone = true;
    link_both(scene->world, 1, 2);
    world_run(scene->world, 60 * SECOND_MS);
    checker_evicted(world_checker(scene->world), eviction.bytes, eviction.size);
    cuts_take_eviction(witness->node, (struct wire_bytes){eviction.bytes, eviction.size}, &error);
    assert(error == GOSSIP_OK);
    world_wake(scene->world, &scene->world->nodes[3]); /* It has something to save. */
    world_run(scene->world, MEET_MS);
}

void scene_later_records(uint64_t seed, world_narrator *narrator,
                         struct campaign_result *ret_result)
{
    struct scene scene;
    uint64_t kept;

    begin(&scene, seed, 4, false, narrator);
    kept = between(&scene, 2, 20);
    publish(&scene, 0, kept, "kept");
    world_run(scene.world, MEET_MS);
    back_up(scene.world, 0);
    world_run(scene.world, MEET_MS);
    part_all(&scene);
    link_both(scene.world, 0, 1);
    write_branch(&scene, 1, between(&scene, 1, 20), "one");
    set_back_to_meet(&scene, 2);
    if (between(&scene, 1, 2) == 1) {
        link_both(scene.world, 2, 3);
        write_branch(&scene, 2, between(&scene, 1, 20), "other");
        act_three_branches(&scene);
    } else {
        write_branch(&scene, 2, between(&scene, 1, 20), "other");
        act_eviction(&scene, between(&scene, 1, kept - 1));
    }
    end(&scene, ret_result);
}
