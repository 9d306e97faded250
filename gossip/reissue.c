#include "gossip/reissue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/branch.h"
#include "gossip/bytes.h"
#include "gossip/cuts.h"
#include "gossip/state.h"

enum {
    ATTEMPTS_MAX = 10,
    WRITTEN_AT_ONCE = 64,
    FETCH_WINDOW = 262144,
    SEEK_AGAIN_MS = 60000,
    /* Longer than this no peer keeps us from writing by what it says that it holds. */
    LEARN_MS = 30000,
    /* Nor by being silent, after the first of them was met. */
    SILENT_PERIODS = 5,
};

void reissue_clear(struct reissue *reissue)
{
    for (size_t i = 0; i < reissue->waiting_count; i++)
        free(reissue->waiting[i].payload);
    free(reissue->waiting);
    free(reissue->issued);
    free(reissue->fetches);
    memset(reissue, 0, sizeof(*reissue));
}

void reissue_stir(struct gossip_node *node)
{
    node->reissue.is_due = true;
    node->reissue.seeks = true;
    node->reissue.learn_ms = 0;
    for (size_t i = 0; i < node->peers.count; i++)
        node->peers.items[i]->has_shown = false;
}

void reissue_met(struct gossip_node *node)
{
    node->reissue.seeks = true;
}

/* Whether an author is ours and has forked: its key was not evicted, which is no accident. */
static bool is_forked_own(const struct gossip_node *node, const struct author *author)
{
    return author->proof != NULL &&
           memcmp(author->stored.key, node->identity->key, GOSSIP_KEY_SIZE) == 0;
}

/* ---- What was written again already. ---- */

static int compare_hashes(const void *a, const void *b)
{
    return memcmp(a, b, GOSSIP_HASH_SIZE);
}

static size_t issued_place(const struct reissue *reissue, const uint8_t *hash)
{
    size_t low = 0;
    size_t high = reissue->issued_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare_hashes(reissue->issued[middle], hash) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_issued(const struct reissue *reissue, const uint8_t *hash)
{
    size_t place = issued_place(reissue, hash);

    return place < reissue->issued_count && compare_hashes(reissue->issued[place], hash) == 0;
}

static int note_issued(struct reissue *reissue, const uint8_t *hash)
{
    size_t place = issued_place(reissue, hash);

    if (is_issued(reissue, hash))
        return GOSSIP_OK;
    if (reissue->issued_count == reissue->issued_capacity) {
        size_t capacity = reissue->issued_capacity == 0 ? 64 : reissue->issued_capacity * 2;
        void *wider = realloc(reissue->issued, capacity * GOSSIP_HASH_SIZE);

        if (wider == NULL)
            return GOSSIP_ERR_NOMEM;
        reissue->issued = wider;
        reissue->issued_capacity = capacity;
    }
    if (place < reissue->issued_count)
        memmove(reissue->issued + place + 1, reissue->issued + place,
                (reissue->issued_count - place) * GOSSIP_HASH_SIZE);
    memcpy(reissue->issued[place], hash, GOSSIP_HASH_SIZE);
    reissue->issued_count++;
    return GOSSIP_OK;
}

static int find_issued(void *context, const struct gossip_record *record)
{
    struct gossip_node *node = context;
    struct frame frame;
    const uint8_t *hash;

    if (!frame_read(record->as.event.body, record->as.event.body_size, &frame))
        return GOSSIP_ERR_DAMAGED;
    return supersedes_find(&frame, &hash) ? note_issued(&node->reissue, hash) : GOSSIP_OK;
}

int reissue_note(struct gossip_node *node, uint32_t number, const struct frame *frame)
{
    const uint8_t *hash;

    /* Until the first search it is found there. */
    if (!node->reissue.has_issued ||
        memcmp(node->authors.items[number]->stored.key, node->identity->key, GOSSIP_KEY_SIZE) !=
            0 ||
        !supersedes_find(frame, &hash))
        return GOSSIP_OK;
    return note_issued(&node->reissue, hash);
}

/* Reads all of our own events that count. Only a node that has forked ever does. */
static int find_all_issued(struct gossip_node *node)
{
    node->reissue.issued_count = 0;
    for (uint32_t i = 0; i < node->authors.count; i++) {
        const struct author *author = node->authors.items[i];
        int error;

        if (memcmp(author->stored.key, node->identity->key, GOSSIP_KEY_SIZE) != 0 ||
            author_have(author) == 0)
            continue;
        error = events_read(&node->contexts, i, 1, author_have(author), find_issued, node);
        if (error < 0)
            return error;
    }
    node->reissue.has_issued = true;
    return GOSSIP_OK;
}

/* ---- What is to be written again. ---- */

static bool comes_before(const struct original *a, uint64_t hlc, const uint8_t *hash)
{
    if (a->hlc != hlc)
        return a->hlc < hlc;
    return memcmp(a->hash, hash, GOSSIP_HASH_SIZE) < 0;
}

/* Notes an event that lies behind a cut, if it says anything and was not written again. */
static int note_original(struct gossip_node *node, const uint8_t *hash, const struct frame *frame)
{
    struct reissue *reissue = &node->reissue;
    const uint8_t *payload;
    const uint8_t *first;
    const uint8_t *once;
    struct original original;
    size_t size;
    size_t place = 0;

    if (frame->kind != GOSSIP_EVENT_APPLICATION || !payload_find(frame, &payload, &size))
        return GOSSIP_OK;
    if (supersedes_find(frame, &first))
        hash = first; /* It was written again before, and that has forked too. */
    if (is_issued(reissue, hash))
        return GOSSIP_OK;
    while (place < reissue->waiting_count &&
           comes_before(&reissue->waiting[place], frame->hlc, hash))
        place++;
    for (size_t i = 0; i < reissue->waiting_count; i++) {
        if (memcmp(reissue->waiting[i].hash, hash, GOSSIP_HASH_SIZE) == 0)
            return GOSSIP_OK;
    }
    if (reissue->waiting_count == REISSUES_MAX ||
        reissue->waiting_bytes + size > REISSUE_BYTES_MAX) {
        reissue->is_full = true;
        return GOSSIP_OK;
    }
    if (reissue->waiting_count == reissue->waiting_capacity) {
        size_t capacity = reissue->waiting_capacity == 0 ? 64 : reissue->waiting_capacity * 2;
        struct original *wider = realloc(reissue->waiting, capacity * sizeof(*wider));

        if (wider == NULL)
            return GOSSIP_ERR_NOMEM;
        reissue->waiting = wider;
        reissue->waiting_capacity = capacity;
    }
    original = (struct original){.hlc = frame->hlc, .size = size};
    if (!once_field_find(frame, &once, &original.once_size))
        original.once_size = 0;
    original.payload = malloc(size + original.once_size + 1);
    if (original.payload == NULL)
        return GOSSIP_ERR_NOMEM;
    memcpy(original.hash, hash, GOSSIP_HASH_SIZE);
    memcpy(original.payload, payload, size);
    if (original.once_size > 0)
        memcpy(original.payload + size, once, original.once_size);
    if (place < reissue->waiting_count)
        memmove(reissue->waiting + place + 1, reissue->waiting + place,
                (reissue->waiting_count - place) * sizeof(*reissue->waiting));
    reissue->waiting[place] = original;
    reissue->waiting_count++;
    reissue->waiting_bytes += size;
    return GOSSIP_OK;
}

static int find_original(void *context, const struct gossip_record *record)
{
    const struct gossip_event_record *event = &record->as.event;
    struct frame frame;

    if (!frame_read(event->body, event->body_size, &frame))
        return GOSSIP_ERR_DAMAGED;
    return note_original(context, event->hash, &frame);
}

/* The branches that are held here. */
static int find_held(struct gossip_node *node)
{
    for (uint32_t i = 0; i < node->authors.count; i++) {
        const struct author *author = node->authors.items[i];
        int error;

        if (!is_forked_own(node, author) || author->stored.have < author->stored.cut)
            continue;
        error = events_read(&node->contexts, i, author->stored.cut, author->stored.have,
                            find_original, node);
        if (error < 0)
            return error;
    }
    return GOSSIP_OK;
}

/* ---- The branches that peers hold. ---- */

static struct branch_fetch *find_fetch(struct reissue *reissue, uint32_t author, uint32_t peer)
{
    for (size_t i = 0; i < reissue->fetch_count; i++) {
        if (reissue->fetches[i].author == author && reissue->fetches[i].peer == peer)
            return &reissue->fetches[i];
    }
    return NULL;
}

/* What came of what was asked for before: all of it, a part, or nothing. A link that carries little
 * loses most of what comes at once. */
static void judge_window(struct branch_fetch *fetch)
{
    bool is_all = fetch->asked > 0 && fetch->arrived >= fetch->asked;

    fetch->attempts = fetch->arrived > 0 ? 1 : fetch->attempts + 1;
    if (is_all)
        fetch->window = fetch->window < FETCH_WINDOW / 2 ? fetch->window * 2 : FETCH_WINDOW;
    else if (fetch->attempts > 1 || fetch->arrived > 0)
        fetch->window = fetch->window / 2 > GOSSIP_WINDOW_BYTES_MIN ? fetch->window / 2
                                                                    : GOSSIP_WINDOW_BYTES_MIN;
    fetch->asked = 0;
    fetch->arrived = 0;
}

/* Of a run of which a part is here only the rest is asked for, as much as fits the window. */
static void want_rest(const struct run *run, struct branch_fetch *fetch, struct wire_want *want)
{
    uint32_t room = fetch->window;
    size_t count = run_gaps(run, want->gaps, GOSSIP_GAPS_MAX);

    if (count > GOSSIP_GAPS_MAX)
        count = GOSSIP_GAPS_MAX;
    want->last = run->last;
    for (want->gap_count = 0; want->gap_count < count && room > 0; want->gap_count++) {
        struct wire_gap *gap = &want->gaps[want->gap_count];

        if (gap->size > room)
            gap->size = room;
        room -= gap->size;
        fetch->asked += gap->size;
    }
}

static int ask(struct gossip_node *node, struct branch_fetch *fetch)
{
    const struct author *author = node->authors.items[fetch->author];
    uint8_t bytes[GOSSIP_PLAIN_MAX];
    uint8_t seq[8];
    size_t size;

    judge_window(fetch);
    fetch->due_ms = node->now_ms + 2 * peer_patience(node->peers.items[fetch->peer]);
    if (!fetch->knows_have) {
        struct wire_hashes_ask message = {.author = author->stored.id, .seqs = {seq, sizeof(seq)}};

        put_fixed(seq, fetch->cut, sizeof(seq));
        size = wire_encode_hashes_ask(&message, bytes, sizeof(bytes) - 1);
        assert(size > 0);
        return node_send(node, fetch->peer, MESSAGE_HASHES_ASK, bytes, size);
    } else {
        struct wire_pull message = {
            .events = GOSSIP_WINDOW_EVENTS, .size = fetch->window, .want_count = 1};
        struct wire_want *want = &message.wants[0];
        const struct run *run =
            runs_at(&node->runs, author->stored.id, fetch->chain.seq + 1, fetch->peer);

        /* Of no pull that is counted: what comes is known by its author. */
        random_bytes(&node->random, (uint8_t *)&message.request, sizeof(message.request));
        want->author = author->stored.id;
        want->first = fetch->chain.seq + 1;
        want->last = fetch->have;
        if (run != NULL && run->first == want->first && !run_is_whole(run))
            want_rest(run, fetch, want);
        size = wire_encode_pull(&message, bytes, sizeof(bytes) - 1);
        assert(size > 0);
        return node_send(node, fetch->peer, MESSAGE_PULL, bytes, size);
    }
}

/* Finds or makes the fetch of an author's branch from a peer. NOMEM. */
static int add_fetch(struct reissue *reissue, uint32_t author, uint32_t peer,
                     struct branch_fetch **ret_fetch)
{
    struct branch_fetch *fetch = find_fetch(reissue, author, peer);

    if (fetch == NULL && reissue->fetch_count == reissue->fetch_capacity) {
        size_t capacity = reissue->fetch_capacity == 0 ? 16 : reissue->fetch_capacity * 2;
        void *wider = realloc(reissue->fetches, capacity * sizeof(*fetch));

        if (wider == NULL)
            return GOSSIP_ERR_NOMEM;
        reissue->fetches = wider;
        reissue->fetch_capacity = capacity;
    }
    if (fetch == NULL) {
        fetch = &reissue->fetches[reissue->fetch_count++];
        *fetch = (struct branch_fetch){.is_done = true};
    }
    *ret_fetch = fetch;
    return GOSSIP_OK;
}

static int begin_fetch(struct gossip_node *node, uint32_t number, uint32_t peer)
{
    struct reissue *reissue = &node->reissue;
    const struct author *author = node->authors.items[number];
    struct branch_fetch *fetch = find_fetch(reissue, number, peer);
    struct chain chain;
    int error;

    if (fetch != NULL && fetch->cut == author->stored.cut)
        return GOSSIP_OK;
    if (reissue->fetching == REISSUE_FETCHES_MAX && (fetch == NULL || fetch->is_done)) {
        reissue->seeks = true; /* When one of those is done. */
        return GOSSIP_OK;
    }
    error = branch_chain(node, number, author->stored.cut - 1, &chain);
    if (error >= 0)
        error = add_fetch(reissue, number, peer, &fetch);
    if (error < 0)
        return error;
    reissue->fetching += fetch->is_done;
    *fetch = (struct branch_fetch){.author = number,
                                   .peer = peer,
                                   .cut = author->stored.cut,
                                   .known = fetch->known,
                                   .is_settled = fetch->known == author->stored.cut,
                                   .chain = chain,
                                   .window = FETCH_WINDOW};
    return ask(node, fetch);
}

static int begin_fetches(struct gossip_node *node)
{
    node->reissue.seeks = false;
    for (uint32_t i = 0; i < node->authors.count; i++) {
        const struct author *author = node->authors.items[i];

        if (!is_forked_own(node, author))
            continue;
        if (author_have(author) + 1 != author->stored.cut) {
            node->reissue.seeks = true; /* What comes before the cut comes first. */
            continue;
        }
        for (uint32_t j = 0; j < node->peers.count; j++) {
            int error = node->peers.items[j]->state == GOSSIP_PEER_ALIVE ? begin_fetch(node, i, j)
                                                                         : GOSSIP_OK;

            if (error < 0)
                return error;
        }
    }
    return GOSSIP_OK;
}

/* Of a peer that has come to know of the cut since it was asked it is begun once more. */
static void settle(struct reissue *reissue, struct branch_fetch *fetch)
{
    if (!fetch->is_done || fetch->is_settled || fetch->known != fetch->cut)
        return;
    fetch->cut = 0;
    reissue->seeks = true;
}

static void end_fetch(struct reissue *reissue, struct branch_fetch *fetch)
{
    fetch->is_done = true;
    reissue->fetching--;
}

void reissue_knows(struct gossip_node *node, uint32_t peer, uint32_t author)
{
    struct branch_fetch *fetch = find_fetch(&node->reissue, author, peer);

    if (fetch == NULL)
        return; /* It says so again in the next exchange. */
    fetch->known = node->authors.items[author]->stored.cut;
    settle(&node->reissue, fetch);
}

void reissue_knows_all(struct gossip_node *node, uint32_t peer)
{
    for (size_t i = 0; i < node->reissue.fetch_count; i++) {
        if (node->reissue.fetches[i].peer == peer)
            reissue_knows(node, peer, node->reissue.fetches[i].author);
    }
}

void reissue_shown(struct gossip_node *node, uint32_t peer, uint32_t author, uint64_t have)
{
    struct branch_fetch *fetch;

    if (!is_forked_own(node, node->authors.items[author]))
        return;
    fetch = find_fetch(&node->reissue, author, peer);
    node->reissue.seeks = true;
    /* It has grown, at a peer that does not know of the cut. */
    if (fetch != NULL && fetch->is_done && have > fetch->chain.seq)
        fetch->cut = 0;
}

bool reissue_receive(struct gossip_node *node, uint32_t peer, uint32_t author, uint64_t have)
{
    struct branch_fetch *fetch = find_fetch(&node->reissue, author, peer);

    if (fetch == NULL || fetch->is_done || fetch->knows_have)
        return false;
    fetch->knows_have = true;
    fetch->have = have;
    fetch->attempts = 0;
    fetch->due_ms = node->now_ms;
    if (have <= fetch->chain.seq) {
        end_fetch(&node->reissue, fetch);
        settle(&node->reissue, fetch);
    }
    return true;
}

bool reissue_wants(const struct gossip_node *node, uint32_t author, uint32_t peer, uint64_t first)
{
    for (size_t i = 0; i < node->reissue.fetch_count; i++) {
        const struct branch_fetch *fetch = &node->reissue.fetches[i];

        if (fetch->author == author && fetch->peer == peer)
            return !fetch->is_done && fetch->knows_have && first > fetch->chain.seq;
    }
    return false;
}

void reissue_arrived(struct gossip_node *node, uint32_t author, uint32_t peer, size_t size)
{
    struct branch_fetch *fetch = find_fetch(&node->reissue, author, peer);

    fetch->arrived += (uint32_t)size;
    if (fetch->asked > 0 && fetch->arrived >= fetch->asked)
        fetch->due_ms = node->now_ms; /* The next piece. */
}

/* Goes over a run that follows chain; with notes, what it says is to be written again. */
static int walk_run(struct gossip_node *node, const struct chain_owner *owner,
                    const struct run *run, bool notes, struct chain *chain, bool *ret_is_run)
{
    struct reader reader = {run->data, run->size, 0, false};

    *ret_is_run = false;
    for (uint64_t seq = run->first; seq <= run->last; seq++) {
        uint64_t size = read_varint(&reader);
        const uint8_t *body = NULL;
        struct frame frame;
        int error = GOSSIP_OK;

        if (!reader.failed && size <= GOSSIP_BODY_MAX)
            body = read_bytes(&reader, (size_t)size);
        if (body == NULL || !frame_read(body, (size_t)size, &frame))
            return GOSSIP_OK;
        if (chain_advance(chain, node->crypto, owner, body, (size_t)size, &frame) &&
            seq != run->last)
            return GOSSIP_OK;
        if (notes)
            error = note_original(node, chain->hash, &frame);
        if (error < 0)
            return error;
    }
    *ret_is_run = reader.offset == run->size && run->has_seal;
    return GOSSIP_OK;
}

int reissue_take_run(struct gossip_node *node, uint32_t number, const struct run *run,
                     enum gossip_verdict *ret_verdict)
{
    const struct author *author = node->authors.items[number];
    struct chain_owner owner = {node->identity->cluster, author->stored.key, author->stored.epoch};
    struct branch_fetch *fetch = find_fetch(&node->reissue, number, run->source);
    struct chain chain = fetch->chain;
    bool is_run = false;
    int error;

    *ret_verdict = GOSSIP_DATAGRAM_DUPLICATE;
    if (run->first != chain.seq + 1 || memcmp(run->previous, chain.hash, GOSSIP_HASH_SIZE) != 0)
        return GOSSIP_OK; /* Asked for again, in order. */
    error = walk_run(node, &owner, run, false, &chain, &is_run);
    if (error < 0)
        return error;
    if (!is_run || !seal_verify(node->crypto, chain.hash, owner.key, run->seal)) {
        *ret_verdict = GOSSIP_DATAGRAM_FORGED;
        return GOSSIP_OK;
    }
    chain = fetch->chain;
    error = walk_run(node, &owner, run, true, &chain, &is_run);
    if (error < 0)
        return error;
    fetch->chain = chain;
    fetch->attempts = 0;
    fetch->due_ms = node->now_ms;
    if (chain.seq >= fetch->have) {
        end_fetch(&node->reissue, fetch);
        settle(&node->reissue, fetch);
    }
    *ret_verdict = GOSSIP_DATAGRAM_ACCEPTED;
    return GOSSIP_OK;
}

static int go_on_fetching(struct gossip_node *node)
{
    struct reissue *reissue = &node->reissue;

    for (size_t i = 0; i < reissue->fetch_count; i++) {
        struct branch_fetch *fetch = &reissue->fetches[i];
        bool is_alive = node->peers.items[fetch->peer]->state == GOSSIP_PEER_ALIVE;
        int error;

        if (fetch->is_done || (is_alive && fetch->due_ms > node->now_ms))
            continue;
        if (!is_alive || fetch->attempts >= ATTEMPTS_MAX) {
            /* It is begun anew when the peer is met again, or else after a while. */
            if (is_alive && reissue->seek_ms == 0)
                reissue->seek_ms = node->now_ms + SEEK_AGAIN_MS;
            end_fetch(reissue, fetch);
            reissue->fetches[i--] = reissue->fetches[--reissue->fetch_count];
            continue;
        }
        error = ask(node, fetch);
        if (error < 0)
            return error;
    }
    return GOSSIP_OK;
}

/* ---- What we did and have forgotten. ---- */

/* Until when those are waited for that have not been met yet. */
static uint64_t silent_ms(const struct gossip_node *node)
{
    uint64_t patience = (uint64_t)SILENT_PERIODS * node->period_ms;

    return node->reissue.learn_ms - LEARN_MS + (patience < LEARN_MS ? patience : LEARN_MS);
}

/*
 * A node that was set back may have written these events again before, and its peers know it: in a
 * list of what it holds each has shown that all of ours is here, or the wait is over. The first
 * that is met may be the one that was down at the time: the others have some periods to turn up.
 * Where nobody is there nobody can be asked, nor read what would be written. What remains is what
 * none of those knows that are met: then there are two, and both tell of which event they are.
 */
static bool has_learnt(const struct gossip_node *node, bool *ret_is_alone)
{
    const struct reissue *reissue = &node->reissue;
    uint64_t until_ms = 0;
    bool waits = false;

    *ret_is_alone = true;
    for (size_t i = 0; i < node->peers.count; i++) {
        const struct peer *peer = node->peers.items[i];
        bool is_alive = peer->state == GOSSIP_PEER_ALIVE;
        uint64_t peer_until_ms = is_alive ? reissue->learn_ms : silent_ms(node);

        if (is_alive)
            *ret_is_alone = false;
        if (is_alive && peer->has_shown)
            continue;
        waits = true;
        if (until_ms < peer_until_ms)
            until_ms = peer_until_ms;
    }
    if (*ret_is_alone)
        return false;
    return !waits || (reissue->learn_ms != 0 && until_ms <= node->now_ms);
}

/* When a peer may be asked what it holds, which is at most once a period. */
static uint64_t ask_list_ms(const struct gossip_node *node, const struct peer *peer)
{
    if (peer->state != GOSSIP_PEER_ALIVE || peer->has_shown || peer->asking || peer->wanted)
        return UINT64_MAX;
    return peer->exchanges == 0 ? 0 : peer->asked_ms + node->period_ms;
}

/* Has peers tell what they hold. */
static void learn(struct gossip_node *node, bool is_alone)
{
    if (is_alone) {
        node->reissue.learn_ms = 0;
        return;
    }
    if (node->reissue.learn_ms == 0)
        node->reissue.learn_ms = node->now_ms + LEARN_MS;
    for (size_t i = 0; i < node->peers.count; i++) {
        struct peer *peer = node->peers.items[i];

        if (ask_list_ms(node, peer) > node->now_ms)
            continue;
        peer->wanted = true;
        peers_stir(&node->peers);
    }
}

/* ---- Writing. ---- */

static int write_again(struct gossip_node *node, const struct original *original)
{
    const uint8_t *once = original->once_size == 0 ? NULL : original->payload + original->size;
    int error =
        publish_fields(node, &(struct publication_fields){.supersedes = original->hash,
                                                          .payload = original->payload,
                                                          .payload_size = original->size,
                                                          .once = once,
                                                          .once_size = original->once_size});

    if (error >= 0)
        error = note_issued(&node->reissue, original->hash);
    if (error < 0)
        return error;
    node->stats.reissued++;
    return node_notice(
        node, GOSSIP_NOTICE_REISSUED, NO_PEER,
        (struct gossip_dot){node->self, node->authors.items[node->self]->stored.have}, 0);
}

/* All is written that there was room for. If there is more, it is looked for from the start, here
 * and at peers, and what is written by now is passed over. */
static void begin_anew(struct reissue *reissue)
{
    reissue->learn_ms = 0;
    if (!reissue->is_full)
        return;
    reissue->is_full = false;
    reissue->is_due = true;
    reissue->seeks = true;
    for (size_t i = 0; i < reissue->fetch_count; i++)
        reissue->fetches[i].cut = 0;
}

static int write_waiting(struct gossip_node *node)
{
    struct reissue *reissue = &node->reissue;
    size_t done = 0;
    int error = GOSSIP_OK;

    while (done < reissue->waiting_count && done < WRITTEN_AT_ONCE && error >= 0 &&
           !gossip_node_batch_is_full(node)) {
        struct original *original = &reissue->waiting[done];

        /* It has come from a peer meanwhile where it was. */
        if (!is_issued(reissue, original->hash)) {
            error = write_again(node, original);
            if (error < 0)
                break;
        }
        reissue->waiting_bytes -= original->size;
        free(original->payload);
        original->payload = NULL;
        done++;
    }
    reissue->waiting_count -= done;
    if (done > 0 && reissue->waiting_count > 0)
        memmove(reissue->waiting, reissue->waiting + done,
                reissue->waiting_count * sizeof(*reissue->waiting));
    if (reissue->waiting_count == 0)
        begin_anew(reissue);
    return error;
}

static bool may_write(const struct gossip_node *node)
{
    return node_keeps_events(node) && !node->read_only && amnesia_may_write(node) &&
           !cuts_key_is_evicted(node, node->identity->key);
}

int reissue_time(struct gossip_node *node)
{
    struct reissue *reissue = &node->reissue;
    bool is_alone;
    int error = GOSSIP_OK;

    if (reissue->seek_ms != 0 && reissue->seek_ms <= node->now_ms) {
        reissue->seek_ms = 0;
        reissue->seeks = true;
    }
    if ((!reissue->is_due && reissue->waiting_count == 0 && !reissue->seeks &&
         reissue->fetching == 0) ||
        !may_write(node))
        return GOSSIP_OK;
    if (!reissue->has_issued)
        error = find_all_issued(node);
    if (error >= 0 && reissue->is_due) {
        reissue->is_due = false;
        error = find_held(node);
    }
    if (error >= 0 && reissue->seeks)
        error = begin_fetches(node);
    if (error >= 0)
        error = go_on_fetching(node);
    /* All that can be had is put in order first. */
    if (error < 0 || reissue->fetching > 0 || reissue->waiting_count == 0)
        return error;
    if (has_learnt(node, &is_alone))
        return write_waiting(node);
    learn(node, is_alone);
    return GOSSIP_OK;
}

uint64_t reissue_deadline(const struct gossip_node *node)
{
    const struct reissue *reissue = &node->reissue;
    uint64_t deadline = UINT64_MAX;
    bool is_alone;

    if (!may_write(node))
        return UINT64_MAX;
    if (reissue->is_due)
        return node->now_ms;
    if (reissue->seek_ms != 0)
        deadline = reissue->seek_ms;
    for (size_t i = 0; i < reissue->fetch_count && reissue->fetching > 0; i++) {
        const struct branch_fetch *fetch = &reissue->fetches[i];

        if (!fetch->is_done && fetch->due_ms < deadline)
            deadline = fetch->due_ms;
    }
    if (reissue->fetching > 0 || reissue->waiting_count == 0)
        return deadline;
    if (has_learnt(node, &is_alone))
        return node->now_ms;
    if (!is_alone) {
        uint64_t due = reissue->learn_ms == 0           ? node->now_ms
                       : silent_ms(node) > node->now_ms ? silent_ms(node)
                                                        : reissue->learn_ms;

        if (due < deadline)
            deadline = due;
    }
    for (size_t i = 0; i < node->peers.count; i++) {
        uint64_t due = ask_list_ms(node, node->peers.items[i]);

        if (due < deadline)
            deadline = due;
    }
    return deadline;
}
