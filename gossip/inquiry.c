#include "gossip/inquiry.h"

#include <assert.h>
#include <string.h>

#include "gossip/branch.h"
#include "gossip/bytes.h"
#include "gossip/cuts.h"
#include "gossip/witness.h"

enum {
    /* Questions about one author to one peer that may stay without an answer. What is lost here is
     * taken up again by the next digest. */
    ATTEMPTS = 8,
    SEQ_SIZE = 8,
};

static struct inquiry *find(struct gossip_node *node, uint32_t author)
{
    for (size_t i = 0; i < node->inquiry_count; i++) {
        if (node->inquiries[i].author == author)
            return &node->inquiries[i];
    }
    return NULL;
}

static void end(struct gossip_node *node, struct inquiry *inquiry)
{
    *inquiry = node->inquiries[--node->inquiry_count];
}

/* The seqs to ask about: all between low and high where they are few, else evenly apart; and always
 * the last that may agree. */
static size_t choose_seqs(const struct inquiry *inquiry, uint8_t ret_seqs[GOSSIP_HASHES_MAX * 8])
{
    uint64_t between = inquiry->high - inquiry->low - 1;
    uint64_t count = between < GOSSIP_HASHES_MAX ? between : GOSSIP_HASHES_MAX;

    for (uint64_t i = 1; i <= count; i++) {
        /* between * i / count, without going past 64 bits. */
        uint64_t seq = inquiry->low + between / count * i + between % count * i / count;

        put_fixed(ret_seqs + (i - 1) * SEQ_SIZE, seq, SEQ_SIZE);
    }
    return (size_t)count * SEQ_SIZE;
}

static int ask(struct gossip_node *node, struct inquiry *inquiry)
{
    const struct author *author = node->authors.items[inquiry->author];
    const struct peer *peer = node->peers.items[inquiry->peer];
    uint8_t seqs[GOSSIP_HASHES_MAX * SEQ_SIZE];
    struct wire_hashes_ask message = {.author = author->stored.id};
    uint8_t bytes[GOSSIP_PLAIN_MAX];
    size_t size;

    inquiry->due_ms = node->now_ms + peer_patience(peer);
    inquiry->attempts++;
    if (inquiry->high == inquiry->low + 1) {
        put_fixed(seqs, inquiry->high, SEQ_SIZE);
        message.seqs = (struct wire_bytes){seqs, SEQ_SIZE};
        message.branch = true;
    } else {
        message.seqs = (struct wire_bytes){seqs, choose_seqs(inquiry, seqs)};
    }
    size = wire_encode_hashes_ask(&message, bytes, sizeof(bytes) - 1);
    assert(size > 0);
    return node_send(node, inquiry->peer, MESSAGE_HASHES_ASK, bytes, size);
}

int inquiry_begin(struct gossip_node *node, uint32_t number, uint32_t peer, uint64_t seq)
{
    const struct author *author = node->authors.items[number];
    struct inquiry *inquiry;

    bool is_refused = author->refused != 0 && seq >= author->refused;

    assert(seq >= 1);
    /* Of what lies below our floor we have nothing to compare with. */
    if (seq <= author->stored.floor && !is_refused)
        return GOSSIP_OK;
    if (node->read_only || peer == NO_PEER || node->peers.items[peer]->state != GOSSIP_PEER_ALIVE ||
        author_is_contested(author, seq) || find(node, number) != NULL ||
        node->inquiry_count == INQUIRIES_MAX)
        return GOSSIP_OK;
    inquiry = &node->inquiries[node->inquiry_count++];
    *inquiry = (struct inquiry){.author = number, .peer = peer, .high = seq};
    /* What was refused is not stored: only where its own chain begins to differ can it be asked
     * about. */
    if (is_refused) {
        inquiry->high = author->refused;
        inquiry->low = author->refused - 1;
    }
    return ask(node, inquiry);
}

enum gossip_verdict inquiry_receive(struct gossip_node *node, uint32_t peer,
                                    const struct wire_hashes *hashes, int *ret_error)
{
    uint32_t number = authors_find(&node->authors, hashes->author);
    struct inquiry *inquiry = number == NO_AUTHOR ? NULL : find(node, number);
    uint64_t low;
    uint64_t high;

    if (inquiry == NULL || inquiry->peer != peer || inquiry->high == inquiry->low + 1)
        return GOSSIP_DATAGRAM_UNASKED;
    low = inquiry->low;
    high = inquiry->high;
    for (size_t i = 0; i < hashes->entries.size; i += WIRE_HASHES_ENTRY_SIZE) {
        uint64_t seq = get_fixed(hashes->entries.data + i, SEQ_SIZE);
        uint8_t own[GOSSIP_HASH_SIZE];
        int result;

        if (seq <= low || seq >= high)
            continue;
        result = branch_hash(node, number, seq, own);
        if (result < 0) {
            *ret_error = result;
            return GOSSIP_DATAGRAM_NO_ROOM;
        }
        if (result == 0)
            continue;
        if (memcmp(own, hashes->entries.data + i + SEQ_SIZE, GOSSIP_HASH_SIZE) == 0)
            low = seq;
        else
            high = seq;
    }
    if (low == inquiry->low && high == inquiry->high) {
        end(node, inquiry); /* It does not hold what it spoke of, or not any more. */
        return GOSSIP_DATAGRAM_DUPLICATE;
    }
    inquiry->low = low;
    inquiry->high = high;
    inquiry->attempts = 0;
    *ret_error = ask(node, inquiry);
    return GOSSIP_DATAGRAM_ACCEPTED;
}

/* Our half of a proof at seq. 1, 0 if we can show none, or an error. */
static int own_branch(struct gossip_node *node, uint32_t number, uint64_t seq,
                      struct proof_branch *ret_branch)
{
    const struct author *author = node->authors.items[number];

    if (author->refused != 0 && author->refused == seq && author->refused_branch != NULL) {
        *ret_branch = *author->refused_branch;
        return 1;
    }
    return branch_find(node, number, seq, ret_branch);
}

/* Makes a proof of theirs and ours, if they differ, and acts on it. */
static enum gossip_verdict prove(struct gossip_node *node, uint32_t number,
                                 const struct proof_half *half, int *ret_error)
{
    const struct author *author = node->authors.items[number];
    struct chain_owner owner = {node->identity->cluster, author->stored.key, author->stored.epoch};
    struct proof_branch branch;
    struct proof_half own;
    struct proof proof;
    uint8_t hashes[2][GOSSIP_HASH_SIZE];
    int result;

    if (!proof_half_verify(node->crypto, node->identity->cluster, half, hashes[0]))
        return GOSSIP_DATAGRAM_FORGED;
    result = own_branch(node, number, half->seq, &branch);
    if (result <= 0) {
        *ret_error = result;
        return GOSSIP_DATAGRAM_NO_ROOM;
    }
    proof_half_make(node->crypto, &owner, half->seq, &branch, &own);
    if (!proof_half_verify(node->crypto, node->identity->cluster, &own, hashes[1])) {
        *ret_error = GOSSIP_ERR_DAMAGED; /* A seal that was checked when it came. */
        return GOSSIP_DATAGRAM_NO_ROOM;
    }
    if (memcmp(hashes[0], hashes[1], GOSSIP_HASH_SIZE) == 0)
        return GOSSIP_DATAGRAM_DUPLICATE;
    proof_make(node->crypto, &owner, half->seq, &half->branch, &branch, &proof);
    return cuts_take_proof(node, &proof, ret_error);
}

enum gossip_verdict inquiry_take_half(struct gossip_node *node, uint32_t peer,
                                      struct wire_bytes bytes, int *ret_error)
{
    struct proof_half half;
    struct wire_arena arena; /* The bytes may be lent from the node's own. */
    struct inquiry *inquiry;
    uint8_t id[GOSSIP_ID_SIZE];
    uint32_t number;

    if (!proof_half_read(node->crypto, &arena, bytes.data, bytes.size, &half))
        return GOSSIP_DATAGRAM_MALFORMED;
    author_id(node->crypto, half.key, half.epoch, id);
    number = authors_find(&node->authors, id);
    inquiry = number == NO_AUTHOR ? NULL : find(node, number);
    if (inquiry == NULL || inquiry->peer != peer || inquiry->high != inquiry->low + 1 ||
        half.seq != inquiry->high)
        return witness_receive(node, peer, &half, ret_error);
    end(node, inquiry);
    return prove(node, number, &half, ret_error);
}

/* ---- Answering. ---- */

static enum gossip_verdict answer_branch(struct gossip_node *node, uint32_t peer, uint32_t number,
                                         uint64_t seq, int *ret_error)
{
    const struct author *author = node->authors.items[number];
    struct chain_owner owner = {node->identity->cluster, author->stored.key, author->stored.epoch};
    struct proof_branch branch;
    struct proof_half half;

    *ret_error = own_branch(node, number, seq, &branch);
    if (*ret_error <= 0)
        return GOSSIP_DATAGRAM_ACCEPTED; /* There is nothing to show; it will ask others. */
    *ret_error = GOSSIP_OK;
    proof_half_make(node->crypto, &owner, seq, &branch, &half);
    *ret_error = serve_record(node, peer, half.id, half.bytes, half.size);
    return GOSSIP_DATAGRAM_ACCEPTED;
}

enum { BOOT_MAX = 1 + GOSSIP_SIGNATURE_SIZE + GOSSIP_HELLO_SIZE };

/* Shows a peer that we have heard it under a greater boot than the one that asks: its store was set
 * back. Which of them said hello last tells nothing, hellos may be late. There is room for it
 * beside a few hashes; it asks for one when it starts. */
static void show_boot(const struct peer *peer, uint8_t boot[BOOT_MAX], struct wire_hashes *hashes)
{
    const struct heard_greeting *heard = &peer->greeting;

    if (heard->boot_count == 0 || heard->boot_id == peer->boot_id)
        return;
    boot[0] = heard->kind;
    memcpy(boot + 1, heard->signature, GOSSIP_SIGNATURE_SIZE);
    memcpy(boot + 1 + GOSSIP_SIGNATURE_SIZE, heard->body, heard->size);
    hashes->boot = (struct wire_bytes){boot, 1 + GOSSIP_SIGNATURE_SIZE + heard->size};
    if (hashes->entries.size > 4 * WIRE_HASHES_ENTRY_SIZE)
        hashes->entries.size = 4 * WIRE_HASHES_ENTRY_SIZE;
}

static int answer_hashes(struct gossip_node *node, uint32_t peer, uint32_t number, bool shows_all,
                         const struct wire_hashes_ask *ask)
{
    const struct author *author = number == NO_AUTHOR ? NULL : node->authors.items[number];
    struct wire_hashes hashes = {.author = ask->author};
    uint8_t entries[GOSSIP_HASHES_MAX * WIRE_HASHES_ENTRY_SIZE];
    uint8_t message[GOSSIP_PLAIN_MAX];
    uint8_t boot[BOOT_MAX];
    uint64_t before = 0;
    size_t size;

    if (author != NULL)
        hashes.have = shows_all ? author->stored.have : author_have(author);
    hashes.entries.data = entries;
    for (size_t i = 0; i < ask->seqs.size; i += SEQ_SIZE) {
        uint64_t seq = get_fixed(ask->seqs.data + i, SEQ_SIZE);
        uint8_t *entry = entries + hashes.entries.size;
        int result;

        if (seq <= before || seq > hashes.have)
            continue;
        before = seq;
        result = branch_hash(node, number, seq, entry + SEQ_SIZE);
        if (result < 0)
            return result;
        put_fixed(entry, seq, SEQ_SIZE);
        hashes.entries.size += result == 0 ? 0 : WIRE_HASHES_ENTRY_SIZE;
    }
    /* Who has lost everything asks of an author that nobody knows: itself. */
    if (shows_all || author == NULL)
        show_boot(node->peers.items[peer], boot, &hashes);
    size = wire_encode_hashes(&hashes, message, sizeof(message) - 1);
    assert(size > 0);
    return node_send(node, peer, MESSAGE_HASHES, message, size);
}

enum gossip_verdict inquiry_answer(struct gossip_node *node, uint32_t peer,
                                   const struct wire_hashes_ask *ask, int *ret_error)
{
    uint32_t number = authors_find(&node->authors, ask->author);
    const struct author *author = number == NO_AUTHOR ? NULL : node->authors.items[number];
    /* To the author itself nothing of its own is a secret: it is to write again what was lost. */
    bool shows_all = author != NULL && memcmp(node->peers.items[peer]->certificate.key,
                                              author->stored.key, GOSSIP_KEY_SIZE) == 0;
    uint64_t seq = get_fixed(ask->seqs.data, SEQ_SIZE);

    if (!serve_may_answer(node))
        return GOSSIP_DATAGRAM_LIMITED;
    if (author == NULL || !ask->branch) {
        *ret_error = answer_hashes(node, peer, number, shows_all, ask);
        return GOSSIP_DATAGRAM_ACCEPTED;
    }
    if (author_is_contested(author, seq)) {
        *ret_error = serve_cut(node, peer, number); /* That says it all. */
        return GOSSIP_DATAGRAM_ACCEPTED;
    }
    if (seq == 0 || seq > author->tail.seq + (author->refused == seq))
        return GOSSIP_DATAGRAM_ACCEPTED;
    return answer_branch(node, peer, number, seq, ret_error);
}

/* ---- Time. ---- */

int inquiry_time(struct gossip_node *node)
{
    for (size_t i = 0; i < node->inquiry_count;) {
        struct inquiry *inquiry = &node->inquiries[i];
        int error;

        if (inquiry->attempts >= ATTEMPTS ||
            node->peers.items[inquiry->peer]->state != GOSSIP_PEER_ALIVE ||
            author_is_contested(node->authors.items[inquiry->author], inquiry->high)) {
            end(node, inquiry);
            continue;
        }
        if (inquiry->due_ms <= node->now_ms) {
            error = ask(node, inquiry);
            if (error < 0)
                return error;
        }
        i++;
    }
    return GOSSIP_OK;
}

uint64_t inquiry_deadline(const struct gossip_node *node)
{
    uint64_t deadline = UINT64_MAX;

    for (size_t i = 0; i < node->inquiry_count; i++) {
        if (node->inquiries[i].due_ms < deadline)
            deadline = node->inquiries[i].due_ms;
    }
    return deadline;
}
