/*
 * The periodic exchange: who is asked when, and what digests say. A digest is a claim: it moves no
 * clock, it only tells what to ask for.
 */
#include "gossip/state.h"

#include <assert.h>
#include <string.h>

#include "gossip/branch.h"
#include "gossip/bytes.h"
#include "gossip/museum.h"

enum {
    STEP_OPEN = 1,
    STEP_ANSWER = 2,
    STEP_CLOSE = 3,
    /* At 5 % loss each way one exchange in ten stays unanswered by chance; three in a row, one in a
     * thousand. */
    MISSED_TO_SILENCE = 3,
    /* Room in a digest for entries, after all its other fields and the signature. */
    LIST_ROOM = 860,
    RECORDS_ROOM = 20 * GOSSIP_ID_SIZE,
};

void node_wake(struct gossip_node *node)
{
    uint64_t soon = node->now_ms + node->period_ms;

    node->interval_ms = node->period_ms;
    if (node->exchange_ms > soon)
        node->exchange_ms = soon;
}

static void roots(struct gossip_node *node, const uint8_t *exchange, struct digest_roots *ret_roots)
{
    if (!node->trie_fits) {
        digest_trie(&node->authors, node->crypto, node->trie);
        node->trie_fits = true;
    }
    digest_roots(node->crypto, exchange, node->trie, node->set, ret_roots);
}

static int send_digest(struct gossip_node *node, uint32_t number, struct wire_digest *digest)
{
    struct peer *peer = node->peers.items[number];
    uint8_t message[GOSSIP_PLAIN_MAX];
    struct digest_roots own;
    size_t size;

    roots(node, digest->exchange, &own);
    digest->root = own.root;
    digest->records_root = own.records_root;
    if (peer->has_token && node->now_ms - peer->token_ms < GOSSIP_TOKEN_SLOT_MS)
        digest->token = peer->token;
    size = wire_encode_digest(digest, message, sizeof(message) - 1 - GOSSIP_SIGNATURE_SIZE);
    assert(size > 0);
    return node_send(node, number, MESSAGE_DIGEST, message, size);
}

int exchange_begin(struct gossip_node *node, uint32_t number)
{
    struct peer *peer = node->peers.items[number];
    struct wire_digest digest = {.step = STEP_OPEN};
    uint8_t *exchange = peer->asked[peer->asked_next++ % EXCHANGES_KEPT];

    random_bytes(&node->random, exchange, GOSSIP_NONCE_SIZE);
    digest.exchange = exchange;
    peer->asking = true;
    peer->asked_ms = node->now_ms;
    peers_stir(&node->peers);
    peer->exchanges++;
    peer->wanted = false;
    node->stats.exchanges++;
    return send_digest(node, number, &digest);
}

/* Whether exchange is one of ours with peer. It counts once. */
static bool take_exchange(struct peer *peer, const uint8_t *exchange)
{
    size_t kept = peer->asked_next < EXCHANGES_KEPT ? peer->asked_next : EXCHANGES_KEPT;

    for (size_t i = 0; i < kept; i++) {
        if (gossip_equal(peer->asked[i], exchange, GOSSIP_NONCE_SIZE)) {
            memset(peer->asked[i], 0, GOSSIP_NONCE_SIZE);
            return true;
        }
    }
    return false;
}

struct list {
    uint8_t authors[LIST_ROOM];
    uint8_t records[RECORDS_ROOM];
};

/* A slice of our authors, as much as fits; the next list goes on where this one ends. */
static void list_authors(struct gossip_node *node, struct peer *peer, const uint8_t *exchange,
                         size_t room, uint8_t *bytes, struct wire_list *ret_list)
{
    const struct authors *authors = &node->authors;
    struct wire_list list = {.present = true, .entries = {bytes, 0}};
    size_t place = peer->list_place < authors->count ? peer->list_place : 0;

    if (place > 0)
        list.first = authors->items[authors->by_id[place]]->stored.id;
    for (; place < authors->count; place++) {
        const struct author *author = authors->items[authors->by_id[place]];

        if (!digest_shows(author))
            continue;
        if (list.entries.size + DIGEST_ENTRY_MAX > room)
            break;
        list.entries.size +=
            digest_entry_write(node->crypto, exchange, author, bytes + list.entries.size);
    }
    if (place < authors->count) {
        list.last = authors->items[authors->by_id[place - 1]]->stored.id;
        peer->list_place = place;
    } else {
        peer->list_place = 0;
    }
    *ret_list = list;
}

static void list_records(struct gossip_node *node, struct peer *peer, uint8_t *bytes,
                         struct wire_list *ret_list)
{
    const struct records *records = &node->records;
    struct wire_list list = {.present = true, .entries = {bytes, 0}};
    size_t place = peer->records_place < records->count ? peer->records_place : 0;

    if (place > 0)
        list.first = records->items[place]->id;
    for (; place < records->count && list.entries.size < RECORDS_ROOM; place++) {
        memcpy(bytes + list.entries.size, records->items[place]->id, GOSSIP_ID_SIZE);
        list.entries.size += GOSSIP_ID_SIZE;
    }
    if (place < records->count) {
        list.last = records->items[place - 1]->id;
        peer->records_place = place;
    } else {
        peer->records_place = 0;
    }
    *ret_list = list;
}

static bool is_within(const struct wire_list *list, const uint8_t *id)
{
    return (list->first == NULL || memcmp(id, list->first, GOSSIP_ID_SIZE) >= 0) &&
           (list->last == NULL || memcmp(id, list->last, GOSSIP_ID_SIZE) <= 0);
}

/* What a comparison of lists brings forth. */
struct comparison {
    struct need needs[NEEDS_MAX];
    size_t need_count;
    uint8_t records[NEEDED_RECORDS_MAX * GOSSIP_ID_SIZE];
    size_t record_count;
    struct wire_list shown_authors; /* What the other side lacks, as far as it fits. */
    struct wire_list shown_records;
    struct list shown;
};

/* Shows an author of whom the other side does not know what we do. */
static void show_author(struct gossip_node *node, const uint8_t *exchange,
                        const struct author *author, struct comparison *comparison)
{
    struct wire_bytes *entries = &comparison->shown_authors.entries;

    if (digest_shows(author) && entries->size + DIGEST_ENTRY_MAX <= LIST_ROOM)
        entries->size += digest_entry_write(node->crypto, exchange, author,
                                            comparison->shown.authors + entries->size);
}

/* 0 is no cut, which is after any. */
static bool is_cut_before(uint64_t cut, uint64_t other)
{
    return cut != 0 && (other == 0 || cut < other);
}

/* Notes that events of an author are needed; NULL where there is no room for another. */
static struct need *add_need(struct comparison *comparison, const uint8_t *id, uint64_t last)
{
    struct need *need;

    if (comparison->need_count == NEEDS_MAX)
        return NULL;
    need = &comparison->needs[comparison->need_count++];
    memcpy(need->author, id, GOSSIP_ID_SIZE);
    need->last = last;
    need->cut = 0;
    return need;
}

/* A peer has delivered of an author what is held back here, or another chain. If it is the same,
 * the peer has what it waits for, which no list may show; if not, the author has forked, and ours
 * may wait for ever. */
static int compare_held(struct gossip_node *node, uint32_t peer, const uint8_t *exchange,
                        const struct digest_entry *entry, const struct author *author,
                        struct comparison *comparison)
{
    uint8_t hash[GOSSIP_HASH_SIZE];
    uint8_t head[GOSSIP_SHORT_HASH_SIZE];
    int result;

    if (author->blocked)
        add_need(comparison, author->waits_id, author->waits_seq);
    if (entry->have > author->tail.seq)
        return GOSSIP_OK;
    result = branch_hash(node, author->stored.number, entry->have, hash);
    if (result <= 0)
        return result;
    digest_head_of(node->crypto, exchange, entry->id, entry->have, hash, head);
    if (memcmp(head, entry->head, sizeof(head)) == 0)
        return GOSSIP_OK;
    return deliver_disagreement(node, author->stored.number, peer, entry->have);
}

static int compare_entry(struct gossip_node *node, uint32_t peer, const uint8_t *exchange,
                         const struct digest_entry *entry, struct comparison *comparison)
{
    uint32_t number = authors_find(&node->authors, entry->id);
    struct author *author = number == NO_AUTHOR ? NULL : node->authors.items[number];
    uint64_t have = author == NULL ? 0 : author_have(author);
    uint8_t head[GOSSIP_SHORT_HASH_SIZE];

    /* Its own branch may go on, at a peer that does not know of the cut. */
    if (author != NULL && author->stored.cut != 0 && entry->have >= author->stored.cut)
        reissue_shown(node, peer, number, entry->have);
    if (author != NULL && author->stored.cut != 0 && entry->cut == author->stored.cut)
        reissue_knows(node, peer, number);
    if (MUSEUM(MERGE_DIGEST) && author != NULL && entry->have > have)
        return gossip_vclock_raise(&node->have, number, entry->have);
    /* Of two cuts the lesser counts: whoever has the greater, or none, asks. */
    if (is_cut_before(entry->cut, author == NULL ? 0 : author->stored.cut)) {
        struct need *need = add_need(comparison, entry->id, entry->have);

        if (need != NULL)
            need->cut = entry->cut;
        return GOSSIP_OK;
    }
    if (author != NULL && author->refused != 0 && entry->have >= author->refused)
        return deliver_disagreement(node, number, peer, author->refused);
    if (entry->have > have) {
        if (author != NULL && author_is_contested(author, have + 1)) {
            show_author(node, exchange, author, comparison); /* It does not know of the cut. */
            return GOSSIP_OK;
        }
        add_need(comparison, entry->id, entry->have);
        return author == NULL ? GOSSIP_OK
                              : compare_held(node, peer, exchange, entry, author, comparison);
    }
    if (author == NULL)
        return GOSSIP_OK;
    if (entry->have < have || entry->cut != author->stored.cut)
        show_author(node, exchange, author, comparison);
    if (entry->have < have || have == 0)
        return GOSSIP_OK;
    digest_head(node->crypto, exchange, author, head);
    if (MUSEUM(NO_HEADS) || memcmp(head, entry->head, sizeof(head)) == 0)
        return GOSSIP_OK;
    return deliver_disagreement(node, number, peer, have);
}

/* Goes over a list and, where it is complete, over ours beside it, both ascending by id. Returns 1
 * if it is a list, 0 if not. */
static int compare_authors(struct gossip_node *node, uint32_t peer, const uint8_t *exchange,
                           const struct wire_list *list, bool is_complete,
                           struct comparison *comparison)
{
    const struct authors *authors = &node->authors;
    struct reader reader = {list->entries.data, list->entries.size, 0, false};
    struct digest_entry entry;
    const uint8_t *before = NULL;
    size_t place = list->first == NULL ? 0 : authors_place(authors, list->first);

    while (digest_entry_read(&reader, before, &entry)) {
        int error;

        if (!is_within(list, entry.id))
            return 0;
        for (; is_complete && place < authors->count; place++) {
            const struct author *author = authors->items[authors->by_id[place]];
            int order = memcmp(author->stored.id, entry.id, GOSSIP_ID_SIZE);

            if (order < 0)
                show_author(node, exchange, author, comparison);
            else if (order > 0)
                break;
        }
        error = compare_entry(node, peer, exchange, &entry, comparison);
        if (error < 0)
            return error;
        before = entry.id;
    }
    if (reader.failed)
        return 0;
    for (; is_complete && place < authors->count; place++) {
        const struct author *author = authors->items[authors->by_id[place]];

        if (!is_within(list, author->stored.id))
            break;
        show_author(node, exchange, author, comparison);
    }
    return 1;
}

static void show_record(const struct signed_record *record, struct comparison *comparison)
{
    struct wire_bytes *ids = &comparison->shown_records.entries;

    if (ids->size == RECORDS_ROOM)
        return;
    memcpy(comparison->shown.records + ids->size, record->id, GOSSIP_ID_SIZE);
    ids->size += GOSSIP_ID_SIZE;
}

static bool compare_records(struct gossip_node *node, const struct wire_list *list,
                            bool is_complete, struct comparison *comparison)
{
    const struct records *records = &node->records;
    size_t place = list->first == NULL ? 0 : records_place(records, list->first);
    const uint8_t *before = NULL;

    for (size_t i = 0; i < list->entries.size; i += GOSSIP_ID_SIZE) {
        const uint8_t *id = list->entries.data + i;

        if (!is_within(list, id) || (before != NULL && memcmp(before, id, GOSSIP_ID_SIZE) >= 0))
            return false;
        before = id;
        for (; is_complete && place < records->count; place++) {
            int order = memcmp(records->items[place]->id, id, GOSSIP_ID_SIZE);

            if (order < 0)
                show_record(records->items[place], comparison);
            else if (order > 0)
                break;
        }
        if (records_find(records, id) == NULL && comparison->record_count < NEEDED_RECORDS_MAX)
            memcpy(comparison->records + GOSSIP_ID_SIZE * comparison->record_count++, id,
                   GOSSIP_ID_SIZE);
    }
    for (; is_complete && place < records->count; place++) {
        if (!is_within(list, records->items[place]->id))
            break;
        show_record(records->items[place], comparison);
    }
    return true;
}

/* Compares both lists of a digest with what is here. Returns 1, 0 if they are not lists, or an
 * error. */
static int compare(struct gossip_node *node, uint32_t peer, const struct wire_digest *digest,
                   struct comparison *comparison)
{
    bool is_complete = digest->step == STEP_ANSWER;
    int result = 1;

    comparison->shown_authors.entries.data = comparison->shown.authors;
    comparison->shown_records.entries.data = comparison->shown.records;
    if (digest->authors.present)
        result = compare_authors(node, peer, digest->exchange, &digest->authors, is_complete,
                                 comparison);
    if (result == 1 && digest->records.present &&
        !compare_records(node, &digest->records, is_complete, comparison))
        result = 0;
    return result;
}

static void note_step(const struct gossip_node *node, struct peer *peer, bool in_step)
{
    peer->in_step = in_step;
    peer->in_step_number = node->delivery;
}

static int answer(struct gossip_node *node, uint32_t number, const struct wire_digest *opening)
{
    struct peer *peer = node->peers.items[number];
    struct wire_digest digest = {.exchange = opening->exchange, .step = STEP_ANSWER};
    struct digest_roots own;
    struct list list;
    size_t room = LIST_ROOM;

    roots(node, opening->exchange, &own);
    note_step(node, peer, memcmp(own.root, opening->root, sizeof(own.root)) == 0);
    if (!peer->in_step) {
        node_wake(node);
        if (memcmp(own.records_root, opening->records_root, sizeof(own.records_root)) != 0) {
            list_records(node, peer, list.records, &digest.records);
            room -= digest.records.entries.size;
        }
        list_authors(node, peer, opening->exchange, room, list.authors, &digest.authors);
        peer->answered = true;
        memcpy(peer->answered_exchange, opening->exchange, GOSSIP_NONCE_SIZE);
    }
    return send_digest(node, number, &digest);
}

/* Whether a list says all that its writer holds, and none of it would be of ours and is not here.
 * Whose an author is that we do not know only events tell. */
static bool lacks_none_of_ours(const struct gossip_node *node, const struct wire_digest *digest,
                               const struct comparison *comparison)
{
    if (!digest->authors.present || digest->authors.first != NULL || digest->authors.last != NULL ||
        comparison->need_count == NEEDS_MAX)
        return false;
    for (size_t i = 0; i < comparison->need_count; i++) {
        uint32_t number = authors_find(&node->authors, comparison->needs[i].author);

        if (number == NO_AUTHOR || memcmp(node->authors.items[number]->stored.key,
                                          node->identity->key, GOSSIP_KEY_SIZE) == 0)
            return false;
    }
    return true;
}

static int close_exchange(struct gossip_node *node, uint32_t number,
                          const struct wire_digest *answer, struct comparison *comparison)
{
    struct wire_digest digest = {.exchange = answer->exchange, .step = STEP_CLOSE};

    if (comparison->shown_authors.entries.size + comparison->shown_records.entries.size > LIST_ROOM)
        comparison->shown_records.entries.size = 0; /* In the next exchange. */
    comparison->shown_authors.present = comparison->shown_authors.entries.size > 0;
    comparison->shown_records.present = comparison->shown_records.entries.size > 0;
    if (!comparison->shown_authors.present && !comparison->shown_records.present)
        return GOSSIP_OK;
    digest.authors = comparison->shown_authors;
    digest.records = comparison->shown_records;
    return send_digest(node, number, &digest);
}

/* While everybody is in step we ask less and less often. */
static void slow_down(struct gossip_node *node)
{
    uint64_t limit =
        node->period_ms > GOSSIP_PERIOD_MAX_MS ? node->period_ms : GOSSIP_PERIOD_MAX_MS;

    for (size_t i = 0; i < node->peers.count; i++) {
        if (node->peers.items[i]->state == GOSSIP_PEER_ALIVE && !node->peers.items[i]->in_step)
            return;
    }
    node->interval_ms = node->interval_ms * 2 < limit ? node->interval_ms * 2 : limit;
}

enum gossip_verdict exchange_receive(struct gossip_node *node, uint32_t number,
                                     const struct wire_digest *digest, int *ret_error)
{
    struct peer *peer = node->peers.items[number];
    struct comparison comparison;
    struct digest_roots own;
    int result;

    if (digest->step == STEP_OPEN) {
        if (digest->authors.present || digest->records.present)
            return GOSSIP_DATAGRAM_MALFORMED;
        *ret_error = answer(node, number, digest);
        return GOSSIP_DATAGRAM_ACCEPTED;
    }
    if (digest->step == STEP_ANSWER) {
        if (!take_exchange(peer, digest->exchange))
            return GOSSIP_DATAGRAM_UNASKED;
        /* Only the last one's time is known. */
        if (peer->asking)
            peer_note_rtt(peer, node->now_ms - peer->asked_ms);
        peer->asking = false;
        peers_stir(&node->peers); /* It may be wanted, or we have less patience with it now. */
        peer->answers++;
        roots(node, digest->exchange, &own);
        note_step(node, peer, memcmp(own.root, digest->root, sizeof(own.root)) == 0);
        if (peer->in_step) {
            peer->has_shown = true;
            reissue_knows_all(node, number);
            node->stats.in_step++;
            slow_down(node);
            return GOSSIP_DATAGRAM_ACCEPTED;
        }
        node_wake(node);
    } else {
        if (!peer->answered ||
            !gossip_equal(peer->answered_exchange, digest->exchange, GOSSIP_NONCE_SIZE))
            return GOSSIP_DATAGRAM_UNASKED;
        peer->answered = false;
    }
    memset(&comparison, 0, offsetof(struct comparison, shown));
    result = compare(node, number, digest, &comparison);
    if (result == 0)
        return GOSSIP_DATAGRAM_MALFORMED;
    if (result > 0 && digest->step == STEP_ANSWER && lacks_none_of_ours(node, digest, &comparison))
        peer->has_shown = true;
    if (result > 0 && digest->step == STEP_ANSWER)
        result = close_exchange(node, number, digest, &comparison);
    if (result >= 0)
        result = pull_begin(node, number, comparison.needs, comparison.need_count,
                            comparison.records, comparison.record_count);
    *ret_error = result < 0 ? result : GOSSIP_OK;
    return GOSSIP_DATAGRAM_ACCEPTED;
}

static int fall_silent(struct gossip_node *node, uint32_t number)
{
    struct peer *peer = node->peers.items[number];
    struct target *target;
    int error;

    peer->state = GOSSIP_PEER_SILENT;
    peers_stir(&node->peers);
    targets_stir(&node->peers);
    peer->in_step = false;
    peer->wanted = false;
    peer->pull.open = false;
    targets_make_room(&node->peers);
    error =
        targets_add(&node->peers, &peer->address, number, node->now_ms, node->period_ms, &target);
    if (error == GOSSIP_OK) {
        target->kept = true;
        target->due_ms = node->now_ms;
        target->interval_ms = node->period_ms;
    } else if (error != GOSSIP_ERR_LIMIT) {
        return error;
    }
    return node_notice(node, GOSSIP_NOTICE_PEER_SILENT, number, (struct gossip_dot){0}, 0);
}

/* How long an exchange may stay without an answer: a period, or longer where the way is. */
static uint64_t patience(const struct gossip_node *node, const struct peer *peer)
{
    uint64_t patience = peer_patience(peer);

    /* Of a path not measured yet nothing is assumed. */
    return patience > node->period_ms && peer->answers > 0 ? patience : node->period_ms;
}

/* Exchanges that stayed without an answer are tried again; too many, and the peer is silent. */
static int look_for_silence(struct gossip_node *node)
{
    for (uint32_t i = 0; i < node->peers.count; i++) {
        struct peer *peer = node->peers.items[i];
        int error;

        if (peer->state != GOSSIP_PEER_ALIVE || !peer->asking ||
            node->now_ms - peer->asked_ms < patience(node, peer))
            continue;
        peer->asking = false;
        peer->missed++;
        peer->in_step = false;
        if (peer->missed < MISSED_TO_SILENCE) {
            peer->wanted = true;
            continue;
        }
        error = fall_silent(node, i);
        if (error < 0)
            return error;
    }
    return GOSSIP_OK;
}

/* Whether a is to be asked before b. */
static bool comes_before(const struct gossip_node *node, const struct peer *a, const struct peer *b)
{
    if (node->choice == GOSSIP_CHOOSE_LEAST_RECENT)
        return a->asked_ms < b->asked_ms;
    /* a.answers / a.exchanges > b.answers / b.exchanges, without division. */
    return a->answers * (b->exchanges + 1) > b->answers * (a->exchanges + 1);
}

/* One alive peer that is not being asked, by the configured strategy; NO_PEER if there is none. */
static uint32_t choose(struct gossip_node *node)
{
    uint32_t chosen = NO_PEER;
    uint64_t candidates = 0;
    bool at_random =
        node->choice == GOSSIP_CHOOSE_RANDOM ||
        (node->choice == GOSSIP_CHOOSE_MOST_RELIABLE && random_below(&node->random, 4) == 0);

    for (size_t i = 0; i < node->peers.count; i++) {
        uint32_t number = (uint32_t)((node->next_peer + i) % node->peers.count);
        const struct peer *peer = node->peers.items[number];

        if (peer->state != GOSSIP_PEER_ALIVE || peer->asking)
            continue;
        candidates++;
        if (chosen == NO_PEER)
            chosen = number;
        else if (at_random && random_below(&node->random, candidates) == 0)
            chosen = number;
        else if (!at_random && node->choice != GOSSIP_CHOOSE_ROUND_ROBIN &&
                 comes_before(node, peer, node->peers.items[chosen]))
            chosen = number;
    }
    if (chosen != NO_PEER)
        node->next_peer = (uint32_t)((chosen + 1) % node->peers.count);
    return chosen;
}

static int begin_period(struct gossip_node *node)
{
    uint64_t interval = node->interval_ms;

    node->exchange_ms =
        node->now_ms + interval - interval / 10 + random_below(&node->random, interval / 5 + 1);
    for (uint32_t i = 0; i < node->fanout; i++) {
        uint32_t peer = choose(node);
        int error;

        if (peer == NO_PEER)
            break;
        error = exchange_begin(node, peer);
        if (error < 0)
            return error;
    }
    return GOSSIP_OK;
}

static int ask_the_wanted(struct gossip_node *node)
{
    for (uint32_t i = 0; i < node->peers.count; i++) {
        const struct peer *peer = node->peers.items[i];
        int error;

        if (!peer->wanted || peer->asking || peer->state != GOSSIP_PEER_ALIVE)
            continue;
        error = exchange_begin(node, i);
        if (error < 0)
            return error;
    }
    return GOSSIP_OK;
}

/* When something is to be done for a peer: silence noted, its exchange begun, its pull given up. */
static uint64_t find_due(const struct gossip_node *node)
{
    uint64_t due = UINT64_MAX;

    for (size_t i = 0; i < node->peers.count; i++) {
        const struct peer *peer = node->peers.items[i];

        if (peer->pull.open && peer->pull.deadline_ms < due)
            due = peer->pull.deadline_ms;
        if (peer->state != GOSSIP_PEER_ALIVE)
            continue;
        if (peer->asking && peer->asked_ms + patience(node, peer) < due)
            due = peer->asked_ms + patience(node, peer);
        else if (peer->wanted && !peer->asking)
            due = node->now_ms;
    }
    return due;
}

int exchange_time(struct gossip_node *node)
{
    int error = GOSSIP_OK;

    if (node->peers.peer_due_ms <= node->now_ms) {
        error = look_for_silence(node);
        if (error >= 0)
            error = ask_the_wanted(node);
    }
    if (error >= 0 && node->exchange_ms <= node->now_ms)
        error = begin_period(node);
    if (node->peers.peer_due_ms <= node->now_ms)
        node->peers.peer_due_ms = find_due(node);
    return error;
}

uint64_t exchange_deadline(const struct gossip_node *node)
{
    return node->exchange_ms < node->peers.peer_due_ms ? node->exchange_ms
                                                       : node->peers.peer_due_ms;
}
