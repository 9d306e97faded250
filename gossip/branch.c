#include "gossip/branch.h"

#include <assert.h>
#include <string.h>

#include "gossip/bytes.h"

static int take_hash(void *context, const struct gossip_record *record)
{
    memcpy(context, record->as.event.hash, GOSSIP_HASH_SIZE);
    return 1;
}

int branch_hash(struct gossip_node *node, uint32_t number, uint64_t seq,
                uint8_t ret_hash[GOSSIP_HASH_SIZE])
{
    const struct author *author = node->authors.items[number];

    if (seq == 0) {
        memset(ret_hash, 0, GOSSIP_HASH_SIZE);
        return 1;
    }
    if (seq == author->stored.have) {
        memcpy(ret_hash, author->stored.head_hash, GOSSIP_HASH_SIZE);
        return 1;
    }
    if (seq < author->stored.have)
        return events_read(&node->contexts, number, seq, seq, take_hash, ret_hash);
    for (const struct held_event *event = author->held_first; event != NULL; event = event->next) {
        if (event->chain.seq != seq)
            continue;
        memcpy(ret_hash, event->chain.hash, GOSSIP_HASH_SIZE);
        return 1;
    }
    return 0;
}

/* Walking on from a chain over what is stored. */
struct walk {
    struct gossip_node *node;
    struct chain_owner owner;
    struct chain chain;          /* Where it stands. */
    struct proof_branch *branch; /* Gets the links, unless NULL. */
    bool sealed;
    size_t news; /* Authors named for the first time: counted where the chain is not followed. */
};

static int count_news(void *context, const struct gossip_record *record)
{
    struct walk *walk = context;
    struct frame frame;

    if (!frame_read(record->as.event.body, record->as.event.body_size, &frame))
        return GOSSIP_ERR_DAMAGED;
    walk->news += frame.new_count;
    return GOSSIP_OK;
}

static int sum_sizes(void *context, const struct gossip_record *record)
{
    struct walk *walk = context;
    const struct gossip_event_record *event = &record->as.event;

    walk->chain.unsealed_size += event->body_size;
    if (event->seq % GOSSIP_SEAL_EVERY == 0 || walk->chain.unsealed_size >= GOSSIP_SEAL_BYTES)
        walk->chain.unsealed_size = 0;
    memcpy(walk->chain.hash, event->hash, GOSSIP_HASH_SIZE);
    walk->chain.seq = event->seq;
    return GOSSIP_OK;
}

int branch_chain(struct gossip_node *node, uint32_t number, uint64_t seq, struct chain *ret_chain)
{
    const struct author *author = node->authors.items[number];
    struct walk walk = {.node = node};
    uint64_t start = seq - seq % GOSSIP_SEAL_EVERY;
    int error;

    assert(seq <= author->stored.have);
    if (seq == 0) {
        *ret_chain = (struct chain){0};
        return GOSSIP_OK;
    }
    if (seq == author->stored.have) {
        *ret_chain = author_stored_chain(author);
        return GOSSIP_OK;
    }
    if (author->stored.floor > 0 && start <= author->stored.floor)
        return GOSSIP_ERR_NOT_FOUND;
    /* The authors it had named by then are those it has named, less those it has named since. */
    error = GOSSIP_OK;
    if (seq < author->stored.have)
        error =
            events_read(&node->contexts, number, seq + 1, author->stored.have, count_news, &walk);
    /* At a multiple of 64 the sizes are counted anew; that event itself is needed for its hash. */
    if (error >= 0 && start > 0)
        error = events_read(&node->contexts, number, start, start, sum_sizes, &walk);
    walk.chain.unsealed_size = 0;
    if (error >= 0 && start < seq)
        error = events_read(&node->contexts, number, start + 1, seq, sum_sizes, &walk);
    if (error < 0)
        return error;
    if (walk.chain.seq != seq || walk.news > author->stored.mentions)
        return GOSSIP_ERR_DAMAGED;
    walk.chain.mentions = author->stored.mentions - walk.news;
    for (uint64_t i = 0; i < walk.chain.mentions; i++)
        mentions_hash_add(node->crypto, walk.chain.mentions_hash,
                          node->authors.items[author->mentioned[i]]->stored.id);
    *ret_chain = walk.chain;
    return GOSSIP_OK;
}

static void add_link(struct walk *walk, const uint8_t *mentions_hash, const uint8_t *body,
                     size_t body_size)
{
    struct proof_link *link = &walk->branch->links[walk->branch->link_count++];

    link->body_size = (uint32_t)body_size;
    event_inner(walk->node->crypto, mentions_hash, body, body_size, link->inner);
}

static int walk_on(void *context, const struct gossip_record *record)
{
    struct walk *walk = context;
    const struct gossip_event_record *event = &record->as.event;
    struct frame frame;

    if (walk->branch->link_count == PROOF_LINKS_MAX || event->seq != walk->chain.seq + 1 ||
        !frame_read(event->body, event->body_size, &frame))
        return GOSSIP_ERR_DAMAGED;
    chain_advance(&walk->chain, walk->node->crypto, &walk->owner, event->body, event->body_size,
                  &frame);
    add_link(walk, walk->chain.mentions_hash, event->body, event->body_size);
    if (event->seal == NULL)
        return GOSSIP_OK;
    memcpy(walk->branch->seal, event->seal, GOSSIP_SIGNATURE_SIZE);
    walk->sealed = true;
    return 1;
}

/* What is held back goes on where the stored ends; each knows where the chain stands after it. */
static void walk_held(struct walk *walk, const struct author *author)
{
    for (const struct held_event *event = author->held_first; event != NULL && !walk->sealed;
         event = event->next) {
        if (event->chain.seq <= walk->chain.seq)
            continue;
        if (walk->branch->link_count == PROOF_LINKS_MAX)
            return;
        add_link(walk, event->chain.mentions_hash, event->body, event->body_size);
        walk->chain = event->chain;
        if (!event->has_seal)
            continue;
        memcpy(walk->branch->seal, event->seal, GOSSIP_SIGNATURE_SIZE);
        walk->sealed = true;
    }
}

/* Where no event here bears the seal, it may be known how the chain goes on to it. */
static void walk_witness(struct walk *walk, const struct proof_half *half)
{
    struct proof_branch *branch = walk->branch;

    /* Past a multiple no branch leads: the event there bears a seal of its own. */
    if (walk->sealed || half == NULL || half->seq != walk->chain.seq + 1 ||
        memcmp(half->branch.previous, walk->chain.hash, GOSSIP_HASH_SIZE) != 0 ||
        (walk->chain.seq - branch->link_count) / GOSSIP_SEAL_EVERY !=
            (walk->chain.seq + half->branch.link_count - 1) / GOSSIP_SEAL_EVERY)
        return;
    memcpy(branch->links + branch->link_count, half->branch.links,
           half->branch.link_count * sizeof(*branch->links));
    branch->link_count += half->branch.link_count;
    memcpy(branch->seal, half->branch.seal, GOSSIP_SIGNATURE_SIZE);
    walk->sealed = true;
}

/* The state of the chain before event seq, which may be the first held back or any after it. */
static int chain_before(struct gossip_node *node, uint32_t number, uint64_t seq,
                        struct chain *ret_chain)
{
    const struct author *author = node->authors.items[number];

    if (seq == author->stored.have + 1) {
        *ret_chain = author_stored_chain(author);
        return GOSSIP_OK;
    }
    if (seq <= author->stored.have)
        return branch_chain(node, number, seq - 1, ret_chain);
    for (const struct held_event *event = author->held_first; event != NULL; event = event->next) {
        if (event->chain.seq != seq - 1)
            continue;
        *ret_chain = event->chain;
        return GOSSIP_OK;
    }
    return GOSSIP_ERR_NOT_FOUND;
}

int branch_find(struct gossip_node *node, uint32_t number, uint64_t seq,
                struct proof_branch *ret_branch)
{
    const struct author *author = node->authors.items[number];
    struct proof_branch branch = {.link_count = 0};
    struct walk walk = {
        .node = node,
        .owner = {node->identity->cluster, author->stored.key, author->stored.epoch},
        .branch = &branch,
    };
    int error = seq <= author->stored.floor ? GOSSIP_ERR_NOT_FOUND
                                            : chain_before(node, number, seq, &walk.chain);

    if (error == GOSSIP_ERR_NOT_FOUND)
        return 0;
    if (error >= 0) {
        memcpy(branch.previous, walk.chain.hash, GOSSIP_HASH_SIZE);
        if (seq <= author->stored.have)
            error = events_read(&node->contexts, number, seq, author->stored.have, walk_on, &walk);
    }
    if (error < 0)
        return error;
    if (!walk.sealed)
        walk_held(&walk, author);
    walk_witness(&walk, author->tail_witness);
    walk_witness(&walk, author->stored_witness);
    if (!walk.sealed)
        return 0;
    *ret_branch = branch;
    return 1;
}

int branch_link(struct gossip_node *node, uint32_t number, uint64_t seq,
                uint8_t ret_link[WIRE_LINK_SIZE])
{
    const struct author *author = node->authors.items[number];
    struct proof_branch branch = {.link_count = 0};
    struct walk walk = {
        .node = node,
        .owner = {node->identity->cluster, author->stored.key, author->stored.epoch},
        .branch = &branch,
    };
    int error;

    if (seq > author->stored.have || seq <= author->stored.floor)
        return 0;
    error = branch_chain(node, number, seq - 1, &walk.chain);
    if (error == GOSSIP_ERR_NOT_FOUND)
        return 0;
    if (error >= 0)
        error = events_read(&node->contexts, number, seq, seq, walk_on, &walk);
    if (error < 0)
        return error;
    put_fixed(ret_link, branch.links[0].body_size, 4);
    memcpy(ret_link + 4, branch.links[0].inner, GOSSIP_HASH_SIZE);
    return 1;
}
