/*
 * Epochs: after anything that tells that this node may have said more than its store knows, it goes
 * on as another author, of the same key and another epoch, so that no dot is used twice.
 */
#include "gossip/epoch.h"

#include <string.h>

#include "gossip/museum.h"

bool epoch_is_due(const struct gossip_node *node)
{
    if (MUSEUM(OLD_EPOCH))
        return false;
    return node->amnesia.evidence != 0 || node->authors.items[node->self]->stored.cut != 0;
}

static int save_epoch(struct gossip_node *node, const uint8_t *epoch)
{
    struct gossip_record record = {.kind = GOSSIP_RECORD_META, .as.meta = {.name = "epoch"}};

    record.as.meta.bytes = arena_copy(&node->batch.arena, epoch, GOSSIP_EPOCH_SIZE);
    record.as.meta.size = GOSSIP_EPOCH_SIZE;
    if (record.as.meta.bytes == NULL)
        return GOSSIP_ERR_NOMEM;
    return batch_save(&node->batch, &record);
}

int epoch_open(struct gossip_node *node)
{
    uint32_t before = node->self;
    struct gossip_author_record author = {.number = (uint32_t)node->authors.count};
    int error = publish_seal(node); /* What was written in this batch is the old author's. */

    if (error < 0)
        return error;
    epoch_mint(node, author.epoch);
    memcpy(author.key, node->identity->key, GOSSIP_KEY_SIZE);
    author_id(node->crypto, author.key, author.epoch, author.id);
    error = authors_add(&node->authors, &author);
    if (error >= 0)
        error = save_epoch(node, author.epoch);
    if (error >= 0)
        error = amnesia_answered(node);
    if (error < 0)
        return error;
    node->authors.items[author.number]->dirty = true;
    node->self = author.number;
    gossip_vclock_clear(&node->told);
    node->has_told = true;
    error = publish_opening(node, before);
    if (error < 0)
        return error;
    return node_notice(node, GOSSIP_NOTICE_EPOCH, NO_PEER, (struct gossip_dot){node->self, 1}, 0);
}

void epoch_mint(struct gossip_node *node, uint8_t ret_epoch[GOSSIP_EPOCH_SIZE])
{
    random_bytes(&node->random, ret_epoch, GOSSIP_EPOCH_SIZE);
    if (MUSEUM(EPOCH_OF_TIME))
        museum_epoch(node, ret_epoch);
}
