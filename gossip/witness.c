#include "gossip/witness.h"

#include <stdlib.h>
#include <string.h>

#include "gossip/branch.h"
#include "gossip/bytes.h"

int witness_find(struct gossip_node *node, uint32_t number, uint64_t seq,
                 struct proof_half *ret_half)
{
    const struct author *author = node->authors.items[number];
    struct chain_owner owner = {node->identity->cluster, author->stored.key, author->stored.epoch};
    struct proof_branch branch;
    int found = branch_find(node, number, seq + 1, &branch);

    if (found > 0)
        proof_half_make(node->crypto, &owner, seq + 1, &branch, ret_half);
    return found;
}

static int keep(struct proof_half **place, const struct proof_half *half)
{
    if (*place == NULL)
        *place = malloc(sizeof(**place));
    if (*place == NULL)
        return GOSSIP_ERR_NOMEM;
    **place = *half;
    return GOSSIP_OK;
}

int witness_note(struct gossip_node *node, struct author *author, uint64_t seq,
                 const struct proof_branch *branch)
{
    struct chain_owner owner = {node->identity->cluster, author->stored.key, author->stored.epoch};
    struct proof_half half;

    proof_half_make(node->crypto, &owner, seq, branch, &half);
    return keep(&author->tail_witness, &half);
}

/* The meta record: "seal " and the author's id in hex; its value is the half. */
static const char prefix[] = "seal ";

enum { NAME_SIZE = sizeof(prefix) + 2 * GOSSIP_ID_SIZE };

static void name_of(const struct author *author, char ret_name[NAME_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    char *end = ret_name + sizeof(prefix) - 1;

    memcpy(ret_name, prefix, sizeof(prefix) - 1);
    for (size_t i = 0; i < GOSSIP_ID_SIZE; i++) {
        *end++ = digits[author->stored.id[i] >> 4];
        *end++ = digits[author->stored.id[i] & 15];
    }
    *end = '\0';
}

static int save(struct gossip_node *node, const struct author *author)
{
    struct gossip_record record = {.kind = GOSSIP_RECORD_META};
    const struct proof_half *half = author->stored_witness;
    char name[NAME_SIZE];

    name_of(author, name);
    record.as.meta.name =
        (const char *)arena_copy(&node->batch.arena, (const uint8_t *)name, sizeof(name));
    record.as.meta.bytes = arena_copy(&node->batch.arena, half->bytes, half->size);
    record.as.meta.size = half->size;
    if (record.as.meta.name == NULL || record.as.meta.bytes == NULL)
        return GOSSIP_ERR_NOMEM;
    return batch_save(&node->batch, &record);
}

int witness_save(struct gossip_node *node)
{
    for (uint32_t i = 0; i < node->authors.count; i++) {
        struct author *author = node->authors.items[i];
        struct proof_half half;
        int result;

        if (!author->dirty || author->head_sealed || author->stored.have == 0 ||
            (author->stored_witness != NULL &&
             author->stored_witness->seq == author->stored.have + 1))
            continue;
        result = witness_find(node, i, author->stored.have, &half);
        if (result == 0)
            continue; /* A record stands for its seal. */
        if (result > 0)
            result = keep(&author->stored_witness, &half);
        if (result >= 0)
            result = save(node, author);
        if (result < 0)
            return result;
    }
    return GOSSIP_OK;
}

bool witness_is_in(const struct gossip_meta_record *meta)
{
    return strncmp(meta->name, prefix, sizeof(prefix) - 1) == 0 && meta->bytes != NULL;
}

int witness_load(struct gossip_node *node, const struct gossip_meta_record *meta)
{
    struct wire_arena arena;
    struct proof_half half;

    if (!witness_is_in(meta))
        return GOSSIP_OK;
    for (size_t i = 0; i < node->authors.count; i++) {
        struct author *author = node->authors.items[i];
        char name[NAME_SIZE];

        name_of(author, name);
        if (strcmp(meta->name, name) != 0)
            continue;
        /* One of an event that others have followed since is of no use. */
        if (!proof_half_read(node->crypto, &arena, meta->bytes, meta->size, &half) ||
            half.seq != author->stored.have + 1 ||
            memcmp(half.branch.previous, author->stored.head_hash, GOSSIP_HASH_SIZE) != 0)
            return GOSSIP_OK;
        return keep(&author->stored_witness, &half);
    }
    return GOSSIP_OK;
}

/* ---- Of others. ---- */

const struct proof_half *witness_of_run(const struct gossip_node *node, uint32_t peer,
                                        const struct chain_owner *owner, const struct chain *chain)
{
    for (size_t i = 0; peer != NO_PEER && i < WITNESSES_OF_PEER; i++) {
        const struct proof_half *half = node->peers.items[peer]->witnesses[i];

        if (half != NULL && half->seq == chain->seq + 1 &&
            memcmp(half->branch.previous, chain->hash, GOSSIP_HASH_SIZE) == 0 &&
            memcmp(half->key, owner->key, GOSSIP_KEY_SIZE) == 0 &&
            memcmp(half->epoch, owner->epoch, GOSSIP_EPOCH_SIZE) == 0)
            return half;
    }
    return NULL;
}

enum gossip_verdict witness_receive(struct gossip_node *node, uint32_t number,
                                    const struct proof_half *half, int *ret_error)
{
    struct peer *peer;
    uint8_t hash[GOSSIP_HASH_SIZE];

    if (number == NO_PEER)
        return GOSSIP_DATAGRAM_UNASKED;
    if (node->read_only)
        return GOSSIP_DATAGRAM_NO_ROOM;
    peer = node->peers.items[number];
    if (!proof_half_verify(node->crypto, node->identity->cluster, half, hash))
        return GOSSIP_DATAGRAM_FORGED;
    *ret_error = keep(&peer->witnesses[peer->next_witness], half);
    peer->next_witness = (peer->next_witness + 1) % WITNESSES_OF_PEER;
    if (*ret_error >= 0)
        *ret_error = deliver_witnessed(node, number, half);
    return GOSSIP_DATAGRAM_ACCEPTED;
}
