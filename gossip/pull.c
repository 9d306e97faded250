/*
 * Asking for events: exactly those that are missing, of one peer at a time, in windows that grow
 * while they arrive whole and halve when they do not.
 */
#include "gossip/state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* A pull is given up after so many times the patience, whatever comes: bytes that prove to be
     * nothing can be told apart from others only at the end of a run. */
    PULL_PATIENCES = 20,
    REPAIR_MS = 1000,
    REPAIR_MAX_MS = 16000,
    /* How long a gap may stay before we ask: datagrams overtake one another, and what is missing is
     * often on its way. */
    GAP_PATIENCE_MS = 40,
    /* Bytes that a want and a gap take at most, and what there is for all of them. */
    WANT_SIZE = 44,
    GAP_SIZE = 14,
    WANTS_ROOM = 1000,
    /* A run that nothing comes for any more is let go; digests will tell of it again. */
    RUN_PATIENCE_MS = 60000,
};

struct plan {
    struct wire_pull message;
    size_t room;
};

static void plan_range(struct plan *plan, const uint8_t *author, uint64_t first, uint64_t last,
                       const struct wire_gap *gaps, size_t gap_count)
{
    struct wire_want *want;
    size_t size = WANT_SIZE + gap_count * GAP_SIZE;

    if (plan->message.want_count == GOSSIP_WANTS_MAX || plan->room < size)
        return; /* In a later window. */
    plan->room -= size;
    want = &plan->message.wants[plan->message.want_count++];
    want->author = author;
    want->first = first;
    want->last = last;
    want->gap_count = gap_count;
    if (gap_count > 0)
        memcpy(want->gaps, gaps, gap_count * sizeof(*gaps));
}

/* Plans to ask peer for what is missing of an author up to last: not what it has brought already,
 * and of an unfinished run only its holes. */
static void plan_author(struct gossip_node *node, uint32_t peer, const struct need *need,
                        struct plan *plan)
{
    uint32_t number = authors_find(&node->authors, need->author);
    uint64_t seq = 1;

    /* Whoever is asked for events from a cut on answers with what has made it. */
    if (need->cut != 0 && need->cut <= GOSSIP_COUNTER_MAX)
        plan_range(plan, need->author, need->cut, need->cut, NULL, 0);
    if (number != NO_AUTHOR)
        seq = node->authors.items[number]->tail.seq + 1;
    while (seq <= need->last && plan->message.want_count < GOSSIP_WANTS_MAX) {
        struct wire_gap gaps[GOSSIP_GAPS_MAX];
        struct run *run = runs_at(&node->runs, need->author, seq, peer);
        size_t gap_count;

        if (run == NULL || run->first > need->last) {
            plan_range(plan, need->author, seq, need->last, NULL, 0);
            return;
        }
        if (run->first > seq)
            plan_range(plan, need->author, seq, run->first - 1, NULL, 0);
        if (!run_is_whole(run)) {
            gap_count = run_gaps(run, gaps, GOSSIP_GAPS_MAX);
            if (gap_count > GOSSIP_GAPS_MAX)
                gap_count = GOSSIP_GAPS_MAX;
            plan_range(plan, need->author, run->first, run->last, gaps, gap_count);
        }
        seq = run->last + 1;
    }
}

static uint64_t tail_of(const struct gossip_node *node, const uint8_t *id)
{
    uint32_t number = authors_find(&node->authors, id);

    return number == NO_AUTHOR ? 0 : node->authors.items[number]->tail.seq;
}

static uint64_t cut_of(const struct gossip_node *node, const uint8_t *id)
{
    uint32_t number = authors_find(&node->authors, id);

    return number == NO_AUTHOR ? 0 : node->authors.items[number]->stored.cut;
}

int pull_begin(struct gossip_node *node, uint32_t number, const struct need *needs, size_t count,
               const uint8_t *records, size_t record_count)
{
    struct peer *peer = node->peers.items[number];
    struct plan plan = {.room = WANTS_ROOM};
    uint8_t message[GOSSIP_PLAIN_MAX];
    size_t size;

    if (node->read_only || peer->state != GOSSIP_PEER_ALIVE)
        return GOSSIP_OK;
    if (peer->pull.open) {
        peer->pull.again = true;
        return GOSSIP_OK;
    }
    peer->pull.want_count = 0;
    if (record_count > NEEDED_RECORDS_MAX)
        record_count = NEEDED_RECORDS_MAX;
    if (record_count > 0) {
        plan.message.records = (struct wire_bytes){records, record_count * GOSSIP_ID_SIZE};
        plan.room -= record_count * GOSSIP_ID_SIZE;
    }
    for (size_t i = 0; i < count && peer->pull.want_count < GOSSIP_WANTS_MAX; i++) {
        uint32_t author = authors_find(&node->authors, needs[i].author);
        size_t before = plan.message.want_count;

        if (author != NO_AUTHOR) {
            struct author *asked = node->authors.items[author];

            if (asked->refused != 0 && needs[i].cut == 0)
                continue;
            if (asked->asked_until > node->now_ms && asked->asked_peer != number) {
                peer->passed_over = true; /* Somebody else is bringing it. */
                continue;
            }
            plan_author(node, number, &needs[i], &plan);
            if (plan.message.want_count > before && !peer->failed) {
                asked->asked_peer = number;
                asked->asked_until = node->now_ms + peer_patience(peer);
            }
        } else {
            plan_author(node, number, &needs[i], &plan);
        }
        if (plan.message.want_count > before) {
            struct pull_want *want = &peer->pull.wants[peer->pull.want_count++];

            memcpy(want->author, needs[i].author, GOSSIP_ID_SIZE);
            want->last = needs[i].last;
            want->cut = needs[i].cut;
            want->tail = tail_of(node, needs[i].author);
            want->had = cut_of(node, needs[i].author);
        }
    }
    if (plan.message.want_count == 0 && record_count == 0)
        return GOSSIP_OK;
    random_bytes(&node->random, (uint8_t *)&plan.message.request, sizeof(plan.message.request));
    plan.message.events = GOSSIP_WINDOW_EVENTS;
    plan.message.size = (uint32_t)peer->window_bytes;
    size = wire_encode_pull(&plan.message, message, sizeof(message) - 1);
    assert(size > 0);

    peer->pull.open = true;
    peer->pull.request = plan.message.request;
    peer->pull.known_count = false;
    peer->pull.count = 0;
    peer->pull.received = 0;
    peer->pull.more = false;
    peer->pull.brought = false;
    peer->pull.again = false;
    peer->pull.begun_ms = node->now_ms;
    peer->pull.deadline_ms = node->now_ms + peer_patience(peer);
    peers_stir(&node->peers);
    node->stats.pulls++;
    return node_send(node, number, MESSAGE_PULL, message, size);
}

/* A pull is over: others may be asked for the same, and at once where they have been passed over
 * for a peer that brought nothing of what it said it had. */
static void end_pull(struct gossip_node *node, uint32_t number)
{
    struct peer *peer = node->peers.items[number];
    size_t moved = 0;

    peer->pull.open = false;
    peers_stir(&node->peers); /* Somebody may be wanted: this one too, by whoever ends it. */
    for (size_t i = 0; i < peer->pull.want_count; i++) {
        const struct pull_want *want = &peer->pull.wants[i];
        uint32_t author = authors_find(&node->authors, want->author);

        moved +=
            tail_of(node, want->author) > want->tail || cut_of(node, want->author) != want->had;
        if (author != NO_AUTHOR && node->authors.items[author]->asked_peer == number)
            node->authors.items[author]->asked_until = 0;
    }
    if (moved == peer->pull.want_count) {
        peer->failed = false;
        return;
    }
    if (moved == 0)
        peer->failed = true;
    for (size_t i = 0; i < node->peers.count; i++) {
        struct peer *other = node->peers.items[i];

        other->wanted = other->wanted || (other->passed_over && i != number);
        other->passed_over = false;
    }
}

/* A window has come whole: the next one may be larger, and there may be more to ask for. */
static int window_whole(struct gossip_node *node, uint32_t number)
{
    struct peer *peer = node->peers.items[number];
    struct need needs[GOSSIP_WANTS_MAX];
    size_t count = peer->pull.want_count;

    end_pull(node, number);
    node->stats.pulls_whole++;
    peer->wanted = peer->wanted || peer->pull.again;
    peer->window_bytes =
        peer->window_bytes * 2 < GOSSIP_WINDOW_BYTES ? peer->window_bytes * 2 : GOSSIP_WINDOW_BYTES;
    if (!peer->pull.brought)
        return GOSSIP_OK; /* It has no more than we do, whatever it claims. */
    if (!peer->pull.more) {
        peer->wanted = true; /* See whether that was all. */
        return GOSSIP_OK;
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(needs[i].author, peer->pull.wants[i].author, GOSSIP_ID_SIZE);
        needs[i].last = peer->pull.wants[i].last;
        needs[i].cut = cut_of(node, peer->pull.wants[i].author) == peer->pull.wants[i].had
                           ? peer->pull.wants[i].cut
                           : 0;
    }
    return pull_begin(node, number, needs, count, NULL, 0);
}

static bool mark_part(struct pull *pull, const struct wire_part *part)
{
    uint8_t bit = (uint8_t)(1 << part->index % 8);

    if (pull->seen[part->index / 8] & bit)
        return false;
    pull->seen[part->index / 8] |= bit;
    pull->received++;
    return true;
}

/* Something new has come: more is on its way. */
static void postpone(struct gossip_node *node, uint32_t number)
{
    struct pull *pull = &node->peers.items[number]->pull;
    uint64_t patience = peer_patience(node->peers.items[number]);
    uint64_t end = pull->begun_ms + PULL_PATIENCES * patience;

    pull->deadline_ms = node->now_ms + patience < end ? node->now_ms + patience : end;
    peers_stir(&node->peers); /* With less patience than before it is sooner. */
    for (size_t i = 0; i < pull->want_count; i++) {
        uint32_t author = authors_find(&node->authors, pull->wants[i].author);

        if (author != NO_AUTHOR && node->authors.items[author]->asked_peer == number &&
            node->authors.items[author]->asked_until > 0)
            node->authors.items[author]->asked_until = pull->deadline_ms;
    }
}

int pull_note_part(struct gossip_node *node, uint32_t number, const struct wire_part *part,
                   bool new_data)
{
    struct pull *pull = &node->peers.items[number]->pull;

    if (!pull->open || !part->has_request || part->request != pull->request)
        return GOSSIP_OK;
    if (new_data)
        postpone(node, number);
    if (part->count == 0)
        return window_whole(node, number);
    if (!pull->known_count) {
        size_t size = (part->count + 7) / 8;

        if (part->count > GOSSIP_RUN_SIZE_MAX)
            return GOSSIP_OK; /* No window has so many. */
        if (pull->seen_size < size) {
            uint8_t *seen = realloc(pull->seen, size);

            if (seen == NULL)
                return GOSSIP_ERR_NOMEM;
            pull->seen = seen;
            pull->seen_size = size;
        }
        memset(pull->seen, 0, size);
        pull->known_count = true;
        pull->count = part->count;
    }
    if (part->count != pull->count)
        return GOSSIP_OK;
    pull->more = pull->more || part->more;
    pull->brought = pull->brought || new_data;
    if (mark_part(pull, part) && pull->received == pull->count)
        return window_whole(node, number);
    return GOSSIP_OK;
}

/* What held-back events and early or unfinished runs wait for, of those that came from peer. */
static size_t find_needs(struct gossip_node *node, uint32_t peer, struct need *needs)
{
    size_t count = 0;

    for (size_t i = 0; i < node->authors.count && count < NEEDS_MAX; i++) {
        const struct author *author = node->authors.items[i];

        if (!author->blocked || author->held_first->source != peer)
            continue;
        memcpy(needs[count].author, author->waits_id, GOSSIP_ID_SIZE);
        needs[count].cut = 0;
        needs[count++].last = author->waits_seq;
    }
    for (const struct run *run = node->runs.first; run != NULL && count < NEEDS_MAX;
         run = run->next) {
        if (run->source != peer || run->touched_ms == node->now_ms)
            continue;
        memcpy(needs[count].author, run->author, GOSSIP_ID_SIZE);
        needs[count].cut = 0;
        needs[count++].last = run_is_whole(run) ? run->first - 1 : run->last;
    }
    return count;
}

void pull_plan_repair(struct gossip_node *node)
{
    if (node->repair_ms == UINT64_MAX)
        node->repair_ms = node->now_ms + GAP_PATIENCE_MS;
}

/* What waits may wait for an event that nobody has any more: its author has lost it. So it is asked
 * for less and less often, as long as nothing is delivered. */
static uint64_t repair_delay(struct gossip_node *node)
{
    uint64_t delay_ms = node->repair_delay_ms * 2;

    if (node->repair_delay_ms == 0 || node->stats.delivered != node->repair_delivered)
        delay_ms = REPAIR_MS;
    node->repair_delivered = node->stats.delivered;
    node->repair_delay_ms = delay_ms < REPAIR_MAX_MS ? delay_ms : REPAIR_MAX_MS;
    return node->repair_delay_ms;
}

static int repair(struct gossip_node *node)
{
    bool is_waiting = false;

    if (node->now_ms > RUN_PATIENCE_MS)
        node->stats.dropped += runs_expire(&node->runs, node->now_ms - RUN_PATIENCE_MS);
    for (uint32_t i = 0; i < node->peers.count; i++) {
        struct need needs[NEEDS_MAX];
        size_t count = find_needs(node, i, needs);
        int error;

        if (count == 0)
            continue;
        is_waiting = true;
        if (node->peers.items[i]->pull.open)
            continue;
        error = pull_begin(node, i, needs, count, NULL, 0);
        if (error < 0)
            return error;
    }
    /* Who should have it may not; then any other peer is as good, by way of digests. In the long
     * run those that an idle node sends are enough. */
    node->repair_ms = UINT64_MAX;
    if (is_waiting) {
        uint64_t delay_ms = repair_delay(node);

        node->repair_ms = node->now_ms + delay_ms;
        if (delay_ms < REPAIR_MAX_MS)
            node_wake(node);
    } else if (node->runs.count > 0) {
        pull_plan_repair(node);
    }
    return GOSSIP_OK;
}

int pull_time(struct gossip_node *node)
{
    for (uint32_t i = 0; i < node->peers.count && node->peers.peer_due_ms <= node->now_ms; i++) {
        struct peer *peer = node->peers.items[i];

        if (!peer->pull.open || peer->pull.deadline_ms > node->now_ms)
            continue;
        end_pull(node, i);
        peer->window_bytes = peer->window_bytes / 2 > GOSSIP_WINDOW_BYTES_MIN
                                 ? peer->window_bytes / 2
                                 : GOSSIP_WINDOW_BYTES_MIN;
        peer->wanted = true;
    }
    if (node->repair_ms <= node->now_ms)
        return repair(node);
    return GOSSIP_OK;
}

uint64_t pull_deadline(const struct gossip_node *node)
{
    return node->repair_ms; /* That of single pulls stands with their peers. */
}
