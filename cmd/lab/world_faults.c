/* What is done to disks, addresses and links. */
#include "cmd/lab/world_state.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char *const damage_names[VIRTUAL_DAMAGES] = {
    [VIRTUAL_DAMAGE_NONE] = "the process alone",
    [VIRTUAL_DAMAGE_LOST] = "unsynced writes lost",
    [VIRTUAL_DAMAGE_TORN] = "unsynced writes torn",
    [VIRTUAL_DAMAGE_SHUFFLED] = "unsynced writes reordered",
};

const char *world_damage_name(enum virtual_damage damage)
{
    return damage_names[damage];
}

/* ---- Disks. ---- */

void world_crash_at(struct world *world, unsigned number, uint64_t operation,
                    enum virtual_damage damage)
{
    struct world_node *node = &world->nodes[number];

    if (node->disk == NULL || virtual_disk_is_crashed(node->disk))
        return;
    virtual_disk_crash_at(node->disk, operation);
    node->damage = damage;
    world_narrate(world, "n%u will lose power at file operation %" PRIu64 ": %s", number + 1,
                  operation, world_damage_name(damage));
}

void world_fail_disk(struct world *world, unsigned number, enum virtual_operation operation,
                     uint64_t nth, uint64_t count)
{
    struct world_node *node = &world->nodes[number];

    if (node->disk == NULL)
        return;
    virtual_disk_fail(node->disk, operation, nth, count);
    if (count == 0) {
        node->faulted &= ~(1U << operation);
        return;
    }
    node->faulted |= 1U << operation;
    world_narrate(world, "the disk of n%u will fail: kind %d, number %" PRIu64 ", times %" PRIu64,
                  number + 1, (int)operation, nth, count);
}

void world_fail_saves(struct world *world, unsigned number, int error)
{
    struct world_node *node = &world->nodes[number];

    node->save_error = error;
    if (error == GOSSIP_OK) {
        world_narrate(world, "n%u can save again", number + 1);
        return;
    }
    node->save_error_last = error;
    world_narrate(world, "nothing that n%u saves is saved: %s", number + 1, gossip_strerror(error));
}

void world_fill_disk(struct world *world, unsigned number, uint64_t bytes)
{
    struct world_node *node = &world->nodes[number];

    if (node->disk == NULL)
        return;
    node->is_filled = bytes != UINT64_MAX || node->is_filled;
    virtual_disk_set_room(node->disk,
                          bytes == UINT64_MAX ? UINT64_MAX : virtual_disk_used(node->disk) + bytes);
    if (bytes == UINT64_MAX)
        world_narrate(world, "the disk of n%u has room again", number + 1);
    else
        world_narrate(world, "the disk of n%u has %" PRIu64 " bytes left", number + 1, bytes);
}

void world_slow_disk(struct world *world, unsigned number, uint32_t sync_ms)
{
    struct world_node *node = &world->nodes[number];

    if (node->disk == NULL)
        return;
    virtual_disk_set_delay(node->disk, VIRTUAL_SYNC, sync_ms);
    world_narrate(world, "a sync of the disk of n%u takes %" PRIu32 " ms", number + 1, sync_ms);
}

void world_backup(struct world *world, unsigned number)
{
    struct world_node *node = &world->nodes[number];

    if (node->disk == NULL || node->state != WORLD_DOWN)
        return;
    world_mend_crash(node);
    virtual_disk_image_destroy(node->backup);
    node->backup = virtual_disk_copy(node->disk, false);
    if (node->backup == NULL)
        abort();
    node->is_backup_flipped = node->is_flipped;
    world->stats.backups++;
    world_narrate(world, "n%u is backed up", number + 1);
}

enum way_back {
    IN_PLACE,
    DATABASE_ALONE,
    OTHER_FILES,
};

static bool put_back(struct world_node *node, enum way_back way)
{
    switch (way) {
    case IN_PLACE:
        node->world->stats.restored++;
        return virtual_disk_restore(node->disk, node->backup);
    case DATABASE_ALONE:
        node->world->stats.restored_databases++;
        if (!virtual_disk_restore_but(node->disk, node->backup, WORLD_SIDE_NAME))
            return false;
        /* A side file without a database is refused; who reads that moves it away. */
        if (virtual_disk_size(node->disk, WORLD_STORE_NAME) == 0)
            virtual_disk_remove(node->disk, WORLD_SIDE_NAME);
        return true;
    case OTHER_FILES:
        break;
    }
    node->world->stats.copied_back++;
    return virtual_disk_copy_back(node->disk, node->backup);
}

static bool set_back(struct world *world, unsigned number, enum way_back way)
{
    static const char *const words[] = {"", ", but for its side file", ", in other files"};
    struct world_node *node = &world->nodes[number];

    if (node->backup == NULL || node->state != WORLD_DOWN)
        return false;
    world_mend_crash(node);
    if (!put_back(node, way))
        abort();
    /* Other files show, if they ever held anything; of the others, world_start() will tell. */
    node->disk_is = way == OTHER_FILES ? CHECKER_SET_BACK_SEEN : CHECKER_SET_BACK_UNSEEN;
    node->is_flipped = node->is_backup_flipped;
    memset(node->joined, 0, sizeof(node->joined));
    world_narrate(world, "n%u is set back to its backup%s", number + 1, words[way]);
    return true;
}

bool world_restore(struct world *world, unsigned number)
{
    return set_back(world, number, IN_PLACE);
}

bool world_restore_database(struct world *world, unsigned number)
{
    return set_back(world, number, DATABASE_ALONE);
}

bool world_copy_back(struct world *world, unsigned number)
{
    return set_back(world, number, OTHER_FILES);
}

unsigned world_clone(struct world *world, unsigned number)
{
    struct world_node *node = &world->nodes[number];
    struct virtual_disk_image *image;
    struct world_node *clone;

    if (node->disk == NULL || node->is_observer || node->state != WORLD_DOWN ||
        world->count == world->options.nodes_max)
        return UINT_MAX;
    world_mend_crash(node);
    clone = world_add_node(world, node->identity);
    image = virtual_disk_copy(node->disk, false);
    if (image == NULL || !virtual_disk_restore(clone->disk, image))
        abort();
    virtual_disk_image_destroy(image);
    clone->disk_is = CHECKER_SET_BACK_SEEN;
    clone->is_flipped = node->is_flipped;
    clone->is_copy = true;
    clone->has_double = true;
    node->has_double = true;
    if (world_checker_of(clone) != NULL)
        checker_cloned(world->checker, clone->number, number);
    world->stats.clones++;
    world_narrate(world, "n%u is a clone of n%u", clone->number + 1, number + 1);
    return clone->number;
}

void world_move(struct world *world, unsigned number)
{
    struct world_node *node = &world->nodes[number];

    world_take_address(world, node);
    if (node->transport != NULL)
        virtual_network_rebind(world->network, number, &node->address);
    world->stats.moves++;
    world_narrate(world, "n%u moves to port %u", number + 1, node->address.port);
}

unsigned world_add(struct world *world)
{
    struct world_node *node;

    if (world->count == world->options.nodes_max)
        return UINT_MAX;
    node = world_add_node(world, NULL);
    world_start(world, node->number);
    return node->number;
}

/* ---- Links. ---- */

void world_cut(struct world *world, unsigned from, unsigned to)
{
    struct virtual_link link = virtual_network_link(world->network, from, to);

    link.is_cut = true;
    if (!virtual_network_set_link(world->network, from, to, &link))
        abort();
    world_narrate(world, "nothing passes from n%u to n%u", from + 1, to + 1);
}

void world_mend(struct world *world, unsigned from, unsigned to)
{
    if (!virtual_network_set_link(world->network, from, to, NULL))
        abort();
    world_narrate(world, "the link from n%u to n%u is whole", from + 1, to + 1);
}

static void set_part(struct world *world, unsigned node, unsigned part)
{
    /* Splits make parts 0 and 1. */
    virtual_network_set_part(world->network, node, world->nodes[node].is_apart ? 2 + node : part);
}

void world_split(struct world *world, unsigned first_of_second_part)
{
    for (unsigned i = 0; i < world->count; i++)
        set_part(world, i, i >= first_of_second_part);
    world_narrate(world, "the network splits before n%u", first_of_second_part + 1);
}

void world_isolate(struct world *world, unsigned node)
{
    world->nodes[node].is_apart = true;
    set_part(world, node, 0);
    world_narrate(world, "n%u is apart from all others", node + 1);
}

void world_rejoin(struct world *world, unsigned node)
{
    if (!world->nodes[node].is_apart)
        return;
    world->nodes[node].is_apart = false;
    set_part(world, node, 0);
    world_narrate(world, "n%u is among the others again", node + 1);
}

void world_heal(struct world *world)
{
    for (unsigned i = 0; i < world->count; i++)
        set_part(world, i, 0);
    for (unsigned i = 0; i < world->count; i++) {
        for (unsigned j = 0; j < world->count; j++) {
            struct virtual_link link = virtual_network_link(world->network, i, j);

            if (link.is_cut && !virtual_network_set_link(world->network, i, j, NULL))
                abort();
        }
    }
    world_narrate(world, "the network is whole");
}
