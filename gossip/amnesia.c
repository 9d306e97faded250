#include "gossip/amnesia.h"

#include <assert.h>
#include <string.h>

#include "gossip/bytes.h"
#include "gossip/inquiry.h"
#include "gossip/museum.h"
#include "gossip/state.h"

enum {
    /* Of a question that may be lost on its way. */
    ATTEMPTS_MAX = 10,
};

/* ---- Evidence in and beside the store. ---- */

static const struct author *own(const struct gossip_node *node)
{
    return node->authors.items[node->self];
}

/* Whether an epoch is one of ours that the store knows. */
static bool knows_epoch(const struct gossip_node *node, const uint8_t *epoch)
{
    for (size_t i = 0; i < node->authors.count; i++) {
        const struct gossip_author_record *author = &node->authors.items[i]->stored;

        if (memcmp(author->key, node->identity->key, GOSSIP_KEY_SIZE) == 0 &&
            memcmp(author->epoch, epoch, GOSSIP_EPOCH_SIZE) == 0)
            return true;
    }
    return false;
}

/* The side file is written before what it promises: own events up to its mark, and an epoch that is
 * being opened. It knows more than the store where the store has lost what it had promised to keep;
 * or where a crash came in between, and then an epoch is due anyway. */
static bool side_contradicts(const struct gossip_node *node, const struct gossip_side *side)
{
    uint64_t have = own(node)->stored.have;

    if (side->boot > node->boot_count || !knows_epoch(node, side->epoch))
        return true;
    if (memcmp(side->epoch, own(node)->stored.epoch, GOSSIP_EPOCH_SIZE) != 0)
        return false;
    return have > side->mark || have + GOSSIP_LEASE < side->mark;
}

static int look_at_side(struct gossip_node *node, unsigned *evidence)
{
    struct gossip_store *store = node->store;
    struct gossip_side side;
    int error;

    if ((store->ops->abilities & GOSSIP_STORE_SIDE) == 0 || MUSEUM(IGNORE_SIDE))
        return GOSSIP_OK;
    error = store->ops->read_side(store, &side);
    switch (error) {
    case GOSSIP_OK:
        if (side_contradicts(node, &side))
            *evidence |= GOSSIP_EVIDENCE_SIDE;
        return GOSSIP_OK;
    case GOSSIP_ERR_NOT_FOUND: /* It was there before the first own event was. */
        if (own(node)->stored.have > 0)
            *evidence |= GOSSIP_EVIDENCE_SIDE;
        return GOSSIP_OK;
    case GOSSIP_ERR_DAMAGED: /* Whatever it said can no longer be asked. */
        *evidence |= GOSSIP_EVIDENCE_SIDE;
        return GOSSIP_OK;
    default:
        return error;
    }
}

static int look_at_file(struct gossip_node *node, unsigned *evidence)
{
    struct amnesia *amnesia = &node->amnesia;
    uint8_t fingerprint[GOSSIP_HASH_SIZE];
    int error;

    if ((node->store->ops->abilities & GOSSIP_STORE_IDENTITY) == 0)
        return GOSSIP_OK;
    error = node->store->ops->fingerprint(node->store, fingerprint);
    if (error < 0)
        return error;
    if (amnesia->has_fingerprint &&
        memcmp(fingerprint, amnesia->fingerprint, GOSSIP_HASH_SIZE) != 0)
        *evidence |= GOSSIP_EVIDENCE_MOVED;
    amnesia->was_restored = !amnesia->has_fingerprint || (*evidence & GOSSIP_EVIDENCE_MOVED) != 0;
    memcpy(amnesia->fingerprint, fingerprint, GOSSIP_HASH_SIZE);
    amnesia->has_fingerprint = true;
    return GOSSIP_OK;
}

static int save_number(struct gossip_node *node, const char *name, uint64_t number)
{
    struct gossip_record record = {.kind = GOSSIP_RECORD_META,
                                   .as.meta = {.name = name, .number = number}};

    return batch_save(&node->batch, &record);
}

int amnesia_renew(struct gossip_node *node, unsigned evidence)
{
    struct amnesia *amnesia = &node->amnesia;
    struct gossip_record record = {.kind = GOSSIP_RECORD_META};
    int error = GOSSIP_OK;

    if (amnesia->has_fingerprint) {
        record.as.meta.name = "fingerprint";
        record.as.meta.bytes =
            arena_copy(&node->batch.arena, amnesia->fingerprint, GOSSIP_HASH_SIZE);
        record.as.meta.size = GOSSIP_HASH_SIZE;
        error = record.as.meta.bytes == NULL ? GOSSIP_ERR_NOMEM : batch_save(&node->batch, &record);
    }
    if (error >= 0 && amnesia->is_backup)
        error = save_number(node, "backup", 0);
    if (error >= 0)
        error = save_number(node, "evidence", evidence);
    amnesia->evidence = evidence;
    return error;
}

int amnesia_answered(struct gossip_node *node)
{
    struct amnesia *amnesia = &node->amnesia;
    int error = amnesia_renew(node, 0);

    if (error < 0)
        return error;
    amnesia->is_minted = true;
    amnesia->known_boot += AMNESIA_BOOTS_FORGOTTEN;
    return save_number(node, "boot", amnesia->known_boot);
}

/* Whether there is anybody who could know more of us than we do. */
static bool has_met_anybody(const struct gossip_node *node)
{
    for (size_t i = 0; i < node->peers.count; i++) {
        if (node->peers.items[i]->saved.port != 0)
            return true;
    }
    return false;
}

int amnesia_start(struct gossip_node *node, const struct gossip_node_config *config, bool is_new)
{
    struct amnesia *amnesia = &node->amnesia;
    unsigned evidence = amnesia->evidence;
    int error = GOSSIP_OK;

    if (amnesia->is_cloned && !config->is_offline)
        return GOSSIP_ERR_CLONED;
    /* This boot is counted after this, unless it was; and then a peer may have told of more. */
    amnesia->known_boot = config->boot_count == 0                 ? node->boot_count + 1
                          : config->boot_count < node->boot_count ? node->boot_count
                                                                  : config->boot_count;
    if (config->boot_count == 0) {
        if (amnesia->is_backup)
            evidence |= GOSSIP_EVIDENCE_BACKUP;
        error = look_at_file(node, &evidence);
        if (error >= 0 && !is_new)
            error = look_at_side(node, &evidence);
        if (error < 0)
            return error;
        amnesia->was_restored = amnesia->was_restored || evidence != amnesia->evidence;
    }
    if (evidence != amnesia->evidence)
        error = node_notice(node, GOSSIP_NOTICE_EVIDENCE, NO_PEER,
                            (struct gossip_dot){node->self, own(node)->stored.have}, evidence);
    amnesia->evidence = evidence;
    amnesia->has_dated = config->has_dated;
    amnesia->is_minted = is_new;
    amnesia->is_unanswered = !config->is_offline && !config->has_waited && !is_new;
    amnesia->alone_after_ms = config->alone_after_ms;
    amnesia->end_ms = node->now_ms + amnesia->alone_after_ms;
    amnesia->is_over = config->is_offline || config->has_waited || is_new ||
                       (evidence == 0 ? !has_met_anybody(node)
                                      : !has_met_anybody(node) && config->join_count == 0);
    /* Whoever only looks leaves things as they are: the next start is to find the same. */
    if (error < 0 || config->is_offline || !amnesia->was_restored)
        return error;
    return amnesia_renew(node, evidence);
}

bool amnesia_may_write(const struct gossip_node *node)
{
    return node->amnesia.is_over && !node->amnesia.is_clone;
}

int amnesia_found(struct gossip_node *node, unsigned bit)
{
    struct amnesia *amnesia = &node->amnesia;
    int error;

    if ((amnesia->evidence & bit) != 0 || MUSEUM(OLD_EPOCH))
        return GOSSIP_OK;
    error = amnesia_renew(node, amnesia->evidence | bit);
    if (error < 0)
        return error;
    return node_notice(node, GOSSIP_NOTICE_EVIDENCE, NO_PEER,
                       (struct gossip_dot){node->self, own(node)->stored.have}, amnesia->evidence);
}

int amnesia_clone(struct gossip_node *node)
{
    int error;

    if (node->amnesia.is_clone)
        return GOSSIP_OK;
    node->amnesia.is_clone = true;
    error = save_number(node, "cloned", 1);
    if (error < 0)
        return error;
    return node_notice(node, GOSSIP_NOTICE_CLONED, NO_PEER,
                       (struct gossip_dot){node->self, own(node)->stored.have}, 0);
}

/* ---- Asking. ---- */

/* Of which of our events the hash is asked for: the last, or the first that there could be. */
static uint64_t asked_seq(const struct gossip_node *node)
{
    uint64_t have = author_have(own(node));

    return have == 0 ? 1 : have;
}

static int ask(struct gossip_node *node, size_t index)
{
    struct amnesia *amnesia = &node->amnesia;
    uint8_t seq[8];
    struct wire_hashes_ask message = {.author = own(node)->stored.id, .seqs = {seq, sizeof(seq)}};
    uint8_t bytes[64];
    size_t size;

    put_fixed(seq, asked_seq(node), sizeof(seq));
    size = wire_encode_hashes_ask(&message, bytes, sizeof(bytes));
    assert(size > 0);
    amnesia->asked[index].attempts++;
    amnesia->asked[index].due_ms =
        node->now_ms + peer_patience(node->peers.items[amnesia->asked[index].peer]);
    return node_send(node, amnesia->asked[index].peer, MESSAGE_HASHES_ASK, bytes, size);
}

static bool is_asked(const struct amnesia *amnesia, uint32_t peer)
{
    for (size_t i = 0; i < amnesia->asked_count; i++) {
        if (amnesia->asked[i].peer == peer)
            return true;
    }
    return false;
}

static int ask_peers(struct gossip_node *node)
{
    struct amnesia *amnesia = &node->amnesia;

    for (uint32_t i = 0; i < node->peers.count && amnesia->asked_count < AMNESIA_ASKED_MAX; i++) {
        int error;

        if (node->peers.items[i]->state != GOSSIP_PEER_ALIVE || is_asked(amnesia, i))
            continue;
        memset(&amnesia->asked[amnesia->asked_count], 0, sizeof(amnesia->asked[0]));
        amnesia->asked[amnesia->asked_count++].peer = i;
        error = ask(node, amnesia->asked_count - 1);
        if (error < 0)
            return error;
    }
    for (size_t i = 0; i < amnesia->asked_count;) {
        bool is_alive = node->peers.items[amnesia->asked[i].peer]->state == GOSSIP_PEER_ALIVE;
        int error;

        if (amnesia->asked[i].has_answered || amnesia->asked[i].due_ms > node->now_ms) {
            i++;
            continue;
        }
        if (amnesia->is_over && is_alive && amnesia->asked[i].attempts == ATTEMPTS_MAX) {
            amnesia->asked[i++].due_ms =
                UINT64_MAX; /* Nothing waits for it: it was asked enough. */
            continue;
        }
        if (!is_alive || amnesia->asked[i].attempts == ATTEMPTS_MAX) {
            amnesia->asked[i] = amnesia->asked[--amnesia->asked_count]; /* Somebody else may. */
            continue;
        }
        error = ask(node, i++);
        if (error < 0)
            return error;
    }
    return GOSSIP_OK;
}

/* Whether all that was heard is here. A peer that holds more may be lying; then the end of the wait
 * is the end of it. */
static bool has_heard_enough(const struct gossip_node *node)
{
    const struct amnesia *amnesia = &node->amnesia;
    bool any = false;

    for (size_t i = 0; i < amnesia->asked_count; i++) {
        bool is_here =
            amnesia->asked[i].have <= author_have(own(node)) || own(node)->stored.cut != 0;

        if (!amnesia->asked[i].has_answered)
            continue;
        if (!is_here && amnesia->evidence == 0)
            return false;
        any = any || is_here;
    }
    return any && own(node)->held_first == NULL && node->inquiry_count == 0;
}

bool amnesia_receive(struct gossip_node *node, uint32_t peer, const struct wire_hashes *hashes,
                     enum gossip_verdict *ret_verdict, int *ret_error)
{
    struct amnesia *amnesia = &node->amnesia;
    uint8_t hash[GOSSIP_HASH_SIZE];
    struct need need = {.last = hashes->have};
    size_t index = 0;

    if (memcmp(hashes->author, own(node)->stored.id, GOSSIP_ID_SIZE) != 0)
        return false;
    while (index < amnesia->asked_count && amnesia->asked[index].peer != peer)
        index++;
    if (index == amnesia->asked_count || amnesia->asked[index].has_answered)
        return false;
    *ret_verdict = GOSSIP_DATAGRAM_ACCEPTED;
    if (hashes->boot.data != NULL) {
        *ret_verdict = amnesia_receive_boot(node, peer, hashes->boot, ret_error);
        if (*ret_error < 0 || *ret_verdict == GOSSIP_DATAGRAM_NO_ROOM)
            return true;
    }
    amnesia->asked[index].has_answered = true;
    amnesia->asked[index].have = hashes->have;
    amnesia->is_unanswered = false;
    memcpy(need.author, own(node)->stored.id, GOSSIP_ID_SIZE);
    if (hashes->have > author_have(own(node)))
        *ret_error = pull_begin(node, peer, &need, 1, NULL, 0);
    if (*ret_error >= 0 && hashes->entries.size > 0 && own(node)->stored.have > 0 &&
        get_fixed(hashes->entries.data, 8) == author_have(own(node)) &&
        memcmp(hashes->entries.data + 8, author_head(own(node)), sizeof(hash)) != 0)
        *ret_error = deliver_disagreement(node, node->self, peer, author_have(own(node)));
    return true;
}

enum gossip_verdict amnesia_receive_boot(struct gossip_node *node, uint32_t peer,
                                         struct wire_bytes boot, int *ret_error)
{
    struct wire_arena arena; /* The bytes are lent from the node's own. */
    struct greeting greeting = {.signature = boot.data + 1,
                                .body = boot.data + 1 + GOSSIP_SIGNATURE_SIZE,
                                .body_size = boot.size - 1 - GOSSIP_SIGNATURE_SIZE};
    enum datagram_kind kind = boot.data[0];

    if ((kind != DATAGRAM_HELLO && kind != DATAGRAM_WELCOME) ||
        !wire_decode_hello(&arena, greeting.body, greeting.body_size, &greeting.message))
        return GOSSIP_DATAGRAM_MALFORMED;
    if (!greeting_verify(node->crypto, node->identity->cluster, kind, &greeting,
                         node->identity->key, node->peers.items[peer]->certificate.node))
        return GOSSIP_DATAGRAM_FORGED;
    if (greeting.message.boot_count <= node->amnesia.known_boot)
        return GOSSIP_DATAGRAM_DUPLICATE;
    if (node->read_only)
        return GOSSIP_DATAGRAM_NO_ROOM; /* It is asked again. */
    /* The next start counts on from there, so that it is no evidence a second time. */
    node->amnesia.known_boot = greeting.message.boot_count;
    *ret_error = save_number(node, "boot", greeting.message.boot_count);
    if (*ret_error >= 0 && !node->amnesia.is_minted)
        *ret_error = amnesia_found(node, GOSSIP_EVIDENCE_BOOT);
    return GOSSIP_DATAGRAM_ACCEPTED;
}

void amnesia_freed(struct gossip_node *node)
{
    struct amnesia *amnesia = &node->amnesia;

    amnesia->end_ms = node->now_ms + amnesia->alone_after_ms;
}

int amnesia_time(struct gossip_node *node)
{
    struct amnesia *amnesia = &node->amnesia;

    /* Whoever has waited in vain asks those that it meets later: evidence is never too late. */
    if (amnesia->is_over)
        return amnesia->is_unanswered && !node->read_only ? ask_peers(node) : GOSSIP_OK;
    /* What peers tell while nothing can be saved is lost, and would be missing afterwards. */
    if (!node->read_only && (amnesia->end_ms <= node->now_ms || has_heard_enough(node))) {
        amnesia->is_over = true;
        return GOSSIP_OK;
    }
    return ask_peers(node);
}

uint64_t amnesia_deadline(const struct gossip_node *node)
{
    const struct amnesia *amnesia = &node->amnesia;
    uint64_t deadline = amnesia->is_over || node->read_only ? UINT64_MAX : amnesia->end_ms;

    for (size_t i = 0; i < amnesia->asked_count; i++) {
        if (amnesia->is_over && (!amnesia->is_unanswered || node->read_only))
            break;
        if (!amnesia->asked[i].has_answered && amnesia->asked[i].due_ms < deadline)
            deadline = amnesia->asked[i].due_ms;
    }
    return deadline;
}
