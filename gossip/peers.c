#include "gossip/peers.h"

#include <stdlib.h>
#include <string.h>

void peer_note_rtt(struct peer *peer, uint64_t rtt_ms)
{
    peer->rtt_ms = rtt_ms > peer->rtt_ms ? rtt_ms : (3 * peer->rtt_ms + rtt_ms) / 4;
}

uint64_t peer_patience(const struct peer *peer)
{
    uint64_t patience = 2 * peer->rtt_ms + 200;

    return patience < PATIENCE_MAX_MS ? patience : PATIENCE_MAX_MS;
}

void peers_clear(struct peers *peers)
{
    for (size_t i = 0; i < peers->count; i++) {
        gossip_wipe(peers->items[i]->pair_key, sizeof(peers->items[i]->pair_key));
        free(peers->items[i]->pull.seen);
        for (size_t j = 0; j < WITNESSES_OF_PEER; j++)
            free(peers->items[i]->witnesses[j]);
        free(peers->items[i]);
    }
    free(peers->items);
    free(peers->targets);
    memset(peers, 0, sizeof(*peers));
}

int peers_add(struct peers *peers, const struct certificate *certificate, uint32_t *ret_peer)
{
    struct peer *peer;

    if (peers->count == peers->capacity) {
        size_t capacity = peers->capacity == 0 ? 16 : peers->capacity * 2;
        struct peer **items = realloc(peers->items, capacity * sizeof(*items));

        if (items == NULL)
            return GOSSIP_ERR_NOMEM;
        peers->items = items;
        peers->capacity = capacity;
    }
    peer = calloc(1, sizeof(*peer));
    if (peer == NULL)
        return GOSSIP_ERR_NOMEM;
    peer->certificate = *certificate;
    peer->state = GOSSIP_PEER_UNREACHED;
    peer->window_bytes = GOSSIP_WINDOW_BYTES / 16;
    peer->rtt_ms = RTT_UNKNOWN_MS;
    *ret_peer = (uint32_t)peers->count;
    peers->items[peers->count++] = peer;
    return GOSSIP_OK;
}

uint32_t peers_find_node(const struct peers *peers, const uint8_t node[GOSSIP_ID_SIZE])
{
    for (size_t i = 0; i < peers->count; i++) {
        if (memcmp(peers->items[i]->certificate.node, node, GOSSIP_ID_SIZE) == 0)
            return (uint32_t)i;
    }
    return NO_PEER;
}

uint32_t peers_find_key(const struct peers *peers, const uint8_t key[GOSSIP_KEY_SIZE])
{
    for (size_t i = 0; i < peers->count; i++) {
        if (memcmp(peers->items[i]->certificate.key, key, GOSSIP_KEY_SIZE) == 0)
            return (uint32_t)i;
    }
    return NO_PEER;
}

static size_t past_boots_kept(const struct peer *peer)
{
    return peer->past_boot_count < PAST_BOOTS_KEPT ? peer->past_boot_count : PAST_BOOTS_KEPT;
}

void peer_set_boot(struct peer *peer, uint64_t boot_id, uint64_t counter)
{
    size_t place = peer->past_boot_count;

    for (size_t i = 0; i < past_boots_kept(peer); i++) {
        if (peer->past_boots[i] == boot_id)
            place = i; /* It lives after all: what we thought had followed it takes its place. */
    }
    if (peer->has_boot) {
        peer->past_boots[place % PAST_BOOTS_KEPT] = peer->boot_id;
        peer->past_boot_count += place == peer->past_boot_count;
    }
    peer->has_boot = true;
    peer->boot_id = boot_id;
    replay_reset(&peer->window, counter);
}

bool peer_boot_is_past(const struct peer *peer, uint64_t boot_id)
{
    for (size_t i = 0; i < past_boots_kept(peer); i++) {
        if (peer->past_boots[i] == boot_id)
            return true;
    }
    return false;
}

struct target *targets_find(struct peers *peers, const struct gossip_address *address)
{
    for (size_t i = 0; i < peers->target_count; i++) {
        if (address_equal(&peers->targets[i].address, address))
            return &peers->targets[i];
    }
    return NULL;
}

/* Of the addresses that were only heard of, and said hello to, the one that has kept silent the
 * longest; NULL if there is none. */
static struct target *targets_hopeless(struct peers *peers)
{
    struct target *hopeless = NULL;

    for (size_t i = 0; i < peers->target_count; i++) {
        struct target *target = &peers->targets[i];

        if (!target->configured && !target->kept && target->tries > 0 &&
            (hopeless == NULL || target->tries > hopeless->tries))
            hopeless = target;
    }
    return hopeless;
}

void targets_make_room(struct peers *peers)
{
    struct target *target = NULL;

    if (peers->target_count == TARGETS_MAX)
        target = targets_hopeless(peers);
    if (target != NULL)
        targets_remove(peers, target);
}

int targets_add(struct peers *peers, const struct gossip_address *address, uint32_t peer,
                uint64_t due_ms, uint64_t interval_ms, struct target **ret_target)
{
    struct target *target = targets_find(peers, address);

    if (target != NULL) {
        if (peer != NO_PEER)
            target->peer = peer;
        targets_stir(peers);
        *ret_target = target;
        return GOSSIP_OK;
    }
    if (peers->target_count == TARGETS_MAX)
        return GOSSIP_ERR_LIMIT;
    if (peers->target_count == peers->target_capacity) {
        size_t capacity = peers->target_capacity == 0 ? 16 : peers->target_capacity * 2;
        struct target *targets = realloc(peers->targets, capacity * sizeof(*targets));

        if (targets == NULL)
            return GOSSIP_ERR_NOMEM;
        peers->targets = targets;
        peers->target_capacity = capacity;
    }
    target = &peers->targets[peers->target_count++];
    *target = (struct target){
        .address = *address, .peer = peer, .due_ms = due_ms, .interval_ms = interval_ms};
    targets_stir(peers);
    *ret_target = target;
    return GOSSIP_OK;
}

void targets_remove(struct peers *peers, struct target *target)
{
    size_t index = (size_t)(target - peers->targets);

    memmove(target, target + 1, (peers->target_count - index - 1) * sizeof(*target));
    peers->target_count--;
}

bool target_rests(const struct peers *peers, const struct target *target)
{
    return !target->urgent && target->peer != NO_PEER &&
           peers->items[target->peer]->state == GOSSIP_PEER_ALIVE;
}
