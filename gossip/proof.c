#include "gossip/proof.h"

#include <assert.h>
#include <string.h>

#include "gossip/bytes.h"

_Static_assert((int)PROOF_MAX <= (int)GOSSIP_RECORD_MAX, "the longest is a record");

enum {
    BODY_MAX = PROOF_MAX - 1,
    HALF_BODY_MAX = PROOF_HALF_MAX - 1,
    LINKS_SIZE_MAX = PROOF_LINKS_MAX * PROOF_LINK_SIZE
};

static const uint8_t no_hash[GOSSIP_HASH_SIZE];

/* What can be told of a branch without hashing. */
static bool branch_is_valid(uint64_t seq, const struct proof_branch *branch)
{
    if (branch->link_count < 1 || branch->link_count > PROOF_LINKS_MAX)
        return false;
    /* A multiple bears a seal of its own, and nothing past it counts before that is checked: an
     * honest branch never needs to go on. */
    if ((seq - 1) / GOSSIP_SEAL_EVERY != (seq + branch->link_count - 2) / GOSSIP_SEAL_EVERY)
        return false;
    for (size_t i = 0; i < branch->link_count; i++)
        if (branch->links[i].body_size > GOSSIP_BODY_MAX)
            return false;
    /* There is nothing before the first event. */
    return seq > 1 || memcmp(branch->previous, no_hash, sizeof(no_hash)) == 0;
}

static bool is_valid(const struct proof *proof)
{
    return proof->seq >= 1 && proof->seq <= GOSSIP_COUNTER_MAX &&
           branch_is_valid(proof->seq, &proof->a) && branch_is_valid(proof->seq, &proof->b);
}

/* The hash at seq, and that of the event which is sealed; they may be one. */
static void branch_hashes(const struct gossip_crypto *crypto, const struct chain_owner *owner,
                          uint64_t seq, const struct proof_branch *branch,
                          uint8_t ret_first[GOSSIP_HASH_SIZE], uint8_t ret_last[GOSSIP_HASH_SIZE])
{
    memcpy(ret_last, branch->previous, GOSSIP_HASH_SIZE);
    for (size_t i = 0; i < branch->link_count; i++) {
        event_hash(crypto, owner, seq + i, ret_last, branch->links[i].body_size,
                   branch->links[i].inner, ret_last);
        if (i == 0)
            memcpy(ret_first, ret_last, GOSSIP_HASH_SIZE);
    }
}

static struct wire_branch give_branch(const struct proof_branch *branch,
                                      uint8_t ret_links[LINKS_SIZE_MAX])
{
    struct writer writer = {ret_links, LINKS_SIZE_MAX, 0, false};

    for (size_t i = 0; i < branch->link_count; i++) {
        write_fixed(&writer, branch->links[i].body_size, 4);
        write_bytes(&writer, branch->links[i].inner, GOSSIP_HASH_SIZE);
    }
    assert(!writer.failed);
    return (struct wire_branch){branch->previous, {ret_links, writer.size}, branch->seal};
}

void proof_make(const struct gossip_crypto *crypto, const struct chain_owner *owner, uint64_t seq,
                const struct proof_branch *one, const struct proof_branch *other,
                struct proof *ret_proof)
{
    struct wire_proof message = {.key = owner->key, .epoch = owner->epoch, .seq = seq};
    struct proof proof = {.seq = seq};
    uint8_t links[2][LINKS_SIZE_MAX];
    uint8_t firsts[2][GOSSIP_HASH_SIZE];
    uint8_t last[GOSSIP_HASH_SIZE];
    size_t body_size;
    int order;

    memcpy(proof.key, owner->key, GOSSIP_KEY_SIZE);
    memcpy(proof.epoch, owner->epoch, GOSSIP_EPOCH_SIZE);
    proof.a = *one;
    proof.b = *other;
    assert(is_valid(&proof));
    branch_hashes(crypto, owner, seq, one, firsts[0], last);
    branch_hashes(crypto, owner, seq, other, firsts[1], last);
    order = memcmp(firsts[0], firsts[1], GOSSIP_HASH_SIZE);
    assert(order != 0);
    if (order > 0) {
        proof.a = *other;
        proof.b = *one;
    }

    message.a = give_branch(&proof.a, links[0]);
    message.b = give_branch(&proof.b, links[1]);
    proof.bytes[0] = GOSSIP_SIGNED_PROOF;
    body_size = wire_encode_proof(&message, proof.bytes + 1, BODY_MAX);
    assert(body_size > 0);
    proof.size = 1 + body_size;
    record_id(crypto, proof.bytes, proof.size, proof.id);
    *ret_proof = proof;
}

static void take_branch(const struct wire_branch *message, struct proof_branch *ret_branch)
{
    const uint8_t *link = message->links.data;

    memcpy(ret_branch->previous, message->previous, GOSSIP_HASH_SIZE);
    ret_branch->link_count = message->links.size / PROOF_LINK_SIZE;
    for (size_t i = 0; i < ret_branch->link_count; i++, link += PROOF_LINK_SIZE) {
        ret_branch->links[i].body_size = (uint32_t)get_fixed(link, 4);
        memcpy(ret_branch->links[i].inner, link + 4, GOSSIP_HASH_SIZE);
    }
    memcpy(ret_branch->seal, message->seal, GOSSIP_SIGNATURE_SIZE);
}

bool proof_read(const struct gossip_crypto *crypto, struct wire_arena *arena, const uint8_t *bytes,
                size_t size, struct proof *ret_proof)
{
    struct wire_proof message;
    struct proof proof = {0};

    if (size <= 1 || size > PROOF_MAX || bytes[0] != GOSSIP_SIGNED_PROOF)
        return false;
    if (!wire_decode_proof(arena, bytes + 1, size - 1, &message))
        return false;
    memcpy(proof.key, message.key, GOSSIP_KEY_SIZE);
    memcpy(proof.epoch, message.epoch, GOSSIP_EPOCH_SIZE);
    proof.seq = message.seq;
    take_branch(&message.a, &proof.a);
    take_branch(&message.b, &proof.b);
    if (!is_valid(&proof))
        return false;
    memcpy(proof.bytes, bytes, size);
    proof.size = size;
    record_id(crypto, bytes, size, proof.id);
    *ret_proof = proof;
    return true;
}

bool proof_verify(const struct gossip_crypto *crypto, const uint8_t cluster[GOSSIP_KEY_SIZE],
                  const struct proof *proof, uint64_t *ret_cut)
{
    struct chain_owner owner = {cluster, proof->key, proof->epoch};
    uint8_t first_a[GOSSIP_HASH_SIZE];
    uint8_t last_a[GOSSIP_HASH_SIZE];
    uint8_t first_b[GOSSIP_HASH_SIZE];
    uint8_t last_b[GOSSIP_HASH_SIZE];

    branch_hashes(crypto, &owner, proof->seq, &proof->a, first_a, last_a);
    branch_hashes(crypto, &owner, proof->seq, &proof->b, first_b, last_b);
    if (memcmp(first_a, first_b, GOSSIP_HASH_SIZE) >= 0)
        return false;
    if (!crypto->key_valid(proof->key) || !seal_verify(crypto, last_a, proof->key, proof->a.seal) ||
        !seal_verify(crypto, last_b, proof->key, proof->b.seal))
        return false;
    /* Where not even the hashes before agree, the event before has two contents as well. There is
     * one: at seq 1 both are zero. */
    *ret_cut = memcmp(proof->a.previous, proof->b.previous, GOSSIP_HASH_SIZE) == 0 ? proof->seq
                                                                                   : proof->seq - 1;
    return true;
}

void proof_hashes(const struct gossip_crypto *crypto, const uint8_t cluster[GOSSIP_KEY_SIZE],
                  const struct proof *proof, uint8_t ret_a[GOSSIP_HASH_SIZE],
                  uint8_t ret_b[GOSSIP_HASH_SIZE])
{
    struct chain_owner owner = {cluster, proof->key, proof->epoch};
    uint8_t last[GOSSIP_HASH_SIZE];

    branch_hashes(crypto, &owner, proof->seq, &proof->a, ret_a, last);
    branch_hashes(crypto, &owner, proof->seq, &proof->b, ret_b, last);
}

void proof_half_make(const struct gossip_crypto *crypto, const struct chain_owner *owner,
                     uint64_t seq, const struct proof_branch *branch, struct proof_half *ret_half)
{
    struct wire_proof_half message = {.key = owner->key, .epoch = owner->epoch, .seq = seq};
    struct proof_half half = {.seq = seq, .branch = *branch};
    uint8_t links[LINKS_SIZE_MAX];
    size_t body_size;

    assert(branch_is_valid(seq, branch));
    memcpy(half.key, owner->key, GOSSIP_KEY_SIZE);
    memcpy(half.epoch, owner->epoch, GOSSIP_EPOCH_SIZE);
    message.branch = give_branch(branch, links);
    half.bytes[0] = PROOF_HALF_TYPE;
    body_size = wire_encode_proof_half(&message, half.bytes + 1, HALF_BODY_MAX);
    assert(body_size > 0);
    half.size = 1 + body_size;
    record_id(crypto, half.bytes, half.size, half.id);
    *ret_half = half;
}

bool proof_half_read(const struct gossip_crypto *crypto, struct wire_arena *arena,
                     const uint8_t *bytes, size_t size, struct proof_half *ret_half)
{
    struct wire_proof_half message;
    struct proof_half half = {0};

    if (size <= 1 || size > PROOF_HALF_MAX || bytes[0] != PROOF_HALF_TYPE ||
        !wire_decode_proof_half(arena, bytes + 1, size - 1, &message))
        return false;
    memcpy(half.key, message.key, GOSSIP_KEY_SIZE);
    memcpy(half.epoch, message.epoch, GOSSIP_EPOCH_SIZE);
    half.seq = message.seq;
    take_branch(&message.branch, &half.branch);
    if (!branch_is_valid(half.seq, &half.branch))
        return false;
    memcpy(half.bytes, bytes, size);
    half.size = size;
    record_id(crypto, bytes, size, half.id);
    *ret_half = half;
    return true;
}

bool proof_half_verify(const struct gossip_crypto *crypto, const uint8_t cluster[GOSSIP_KEY_SIZE],
                       const struct proof_half *half, uint8_t ret_hash[GOSSIP_HASH_SIZE])
{
    struct chain_owner owner = {cluster, half->key, half->epoch};
    uint8_t first[GOSSIP_HASH_SIZE];
    uint8_t last[GOSSIP_HASH_SIZE];

    branch_hashes(crypto, &owner, half->seq, &half->branch, first, last);
    if (!seal_verify(crypto, last, half->key, half->branch.seal))
        return false;
    memcpy(ret_hash, first, GOSSIP_HASH_SIZE);
    return true;
}
