/*
 * Events on their way in: a whole run is verified against its author's chain, its events are held
 * back until their contexts are satisfied, and then delivered, one by one, in causal order.
 */
#include "gossip/state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/branch.h"
#include "gossip/bytes.h"
#include "gossip/cuts.h"
#include "gossip/hlc.h"
#include "gossip/inquiry.h"
#include "gossip/museum.h"
#include "gossip/once.h"
#include "gossip/witness.h"

/* At a checkpoint an event is kept with its context: as it is before the event is delivered. */
static int add_checkpoint(struct gossip_node *node, const struct author *author,
                          const struct frame *frame, struct gossip_event_record *event)
{
    const struct gossip_vclock *context;
    uint8_t *encoded;
    int error;

    if (event->seq % GOSSIP_CHECKPOINT_EVERY != 0)
        return GOSSIP_OK;
    error = context_after(&node->contexts, author->stored.number, frame, &context);
    if (error < 0)
        return error;
    event->context_size = context_encoded_size(context);
    encoded = arena_alloc(&node->batch.arena, event->context_size);
    if (encoded == NULL)
        return GOSSIP_ERR_NOMEM;
    context_encode(context, encoded);
    event->context = encoded;
    return GOSSIP_OK;
}

static int save_event(struct gossip_node *node, struct author *author, const uint8_t *body,
                      size_t body_size, const uint8_t *seal, struct gossip_event_record *event)
{
    event->body = arena_copy(&node->batch.arena, body, body_size);
    event->body_size = body_size;
    if (MUSEUM(RESERIALISE) && author->stored.number != node->self)
        event->body_size = museum_reserialise(body, body_size);
    if (seal != NULL)
        event->seal = arena_copy(&node->batch.arena, seal, GOSSIP_SIGNATURE_SIZE);
    if (event->body == NULL || (seal != NULL && event->seal == NULL))
        return GOSSIP_ERR_NOMEM;
    return batch_save_event(&node->batch, author, event);
}

/* Notes whom an event names, and for ours what we have told. */
static int save_mentions(struct gossip_node *node, struct author *author, const struct frame *frame)
{
    struct frame_entries entries = frame_entries(frame);
    struct frame_entry entry;

    while (frame_next(&entries, &entry)) {
        struct gossip_record record = {.kind = GOSSIP_RECORD_MENTION};
        uint32_t named = entry.id == NULL ? author->mentioned[entry.mention - 1]
                                          : authors_find(&node->authors, entry.id);
        int error;

        /* Our own may also come back from peers, after our store has lost them. */
        if (author->stored.number == node->self && node->has_told) {
            error = gossip_vclock_raise(&node->told, named, entry.seq);
            if (error < 0)
                return error;
        }
        if (entry.id == NULL)
            continue;
        record.as.mention.author = author->stored.number;
        record.as.mention.mentioned = named;
        error = author_mention(author, named, node->authors.count);
        if (error < 0)
            return error;
        record.as.mention.index = author->stored.mentions;
        error = batch_save(&node->batch, &record);
        if (error < 0)
            return error;
    }
    return GOSSIP_OK;
}

int deliver_event(struct gossip_node *node, uint32_t number, const struct chain *chain,
                  const uint8_t *body, size_t body_size, const struct frame *frame,
                  const uint8_t *seal)
{
    struct author *author = node->authors.items[number];
    struct gossip_event_record event = {
        .delivery = node->delivery + 1, .author = number, .seq = chain->seq};
    bool is_kept = node_keeps_events(node);
    int error = GOSSIP_OK;

    assert(chain->seq == author->stored.have + 1);
    memcpy(event.hash, chain->hash, GOSSIP_HASH_SIZE);
    if (is_kept)
        error = add_checkpoint(node, author, frame, &event);
    if (error >= 0)
        error = save_mentions(node, author, frame);
    if (error >= 0 && is_kept)
        error = once_note(node, author, frame, &event);
    if (error >= 0 && is_kept)
        error = save_event(node, author, body, body_size, seal, &event);
    if (error >= 0)
        error = gossip_vclock_set(&node->have, number, chain->seq);
    if (error < 0)
        return error;

    assert(chain->mentions == author->stored.mentions);
    author->stored.have = chain->seq;
    if (!is_kept)
        author->stored.floor = chain->seq;
    memcpy(author->stored.head_hash, chain->hash, GOSSIP_HASH_SIZE);
    memcpy(author->stored.mentions_hash, chain->mentions_hash, GOSSIP_HASH_SIZE);
    author->stored.unsealed_size = chain->unsealed_size;
    author->dirty = true;
    author->head_sealed = seal != NULL;
    author->leaf_fits = false;
    node->trie_fits = false;
    node->delivery++;
    return reissue_note(node, number, frame);
}

enum context_state {
    CONTEXT_SATISFIED,
    CONTEXT_WAITS,
    CONTEXT_INVALID,
};

/* Whether all that a frame names is here. Only now, with all earlier events of the author
 * delivered, can be told what its mention numbers stand for. */
static enum context_state context_state(const struct gossip_node *node, const struct author *author,
                                        const struct frame *frame, uint8_t ret_id[GOSSIP_ID_SIZE],
                                        uint64_t *ret_seq)
{
    struct frame_entries entries = frame_entries(frame);
    struct frame_entry entry;
    bool waits = false;

    while (frame_next(&entries, &entry)) {
        const struct author *other = NULL;
        uint64_t needed = entry.seq;

        if (entry.id == NULL) {
            if (entry.mention > author->stored.mentions)
                return CONTEXT_INVALID;
            other = node->authors.items[author->mentioned[entry.mention - 1]];
        } else {
            uint32_t number = authors_find(&node->authors, entry.id);

            if (memcmp(entry.id, author->stored.id, GOSSIP_ID_SIZE) == 0)
                return CONTEXT_INVALID;
            if (number != NO_AUTHOR) {
                if (author_has_mentioned(author, number))
                    return CONTEXT_INVALID;
                other = node->authors.items[number];
            }
        }
        /* A cut author's events from the cut on will never come. */
        if (other != NULL && other->stored.cut != 0 && needed >= other->stored.cut)
            needed = other->stored.cut - 1;
        if (MUSEUM(DELIVER_EARLY) && other != NULL)
            continue;
        if (!waits && (other == NULL || author_have(other) < needed)) {
            waits = true;
            memcpy(ret_id, other == NULL ? entry.id : other->stored.id, GOSSIP_ID_SIZE);
            *ret_seq = needed;
        }
    }
    return waits ? CONTEXT_WAITS : CONTEXT_SATISFIED;
}

/* What was refused is kept by nobody; but another chain of its author may have an event there that
 * nothing is wrong with, and then the two prove a fork. */
static int keep_refused(struct gossip_node *node, struct author *author, uint64_t seq)
{
    struct proof_branch branch;
    int found = branch_find(node, author->stored.number, seq, &branch);

    free(author->refused_branch);
    author->refused_branch = NULL;
    if (found <= 0)
        return found;
    author->refused_branch = malloc(sizeof(branch));
    if (author->refused_branch == NULL)
        return GOSSIP_ERR_NOMEM;
    *author->refused_branch = branch;
    return GOSSIP_OK;
}

static int refuse(struct gossip_node *node, struct author *author)
{
    uint64_t seq = author->held_first->chain.seq;
    int error = keep_refused(node, author, seq);

    if (error < 0)
        return error;
    if (author->refused_branch != NULL)
        error = witness_note(node, author, seq, author->refused_branch);
    if (error < 0)
        return error;
    author->refused = seq;
    held_drop_all(&node->held, author);
    runs_remove_until(&node->runs, author->stored.id, UINT64_MAX);
    node->stats.datagrams[GOSSIP_DATAGRAM_REFUSED]++;
    return node_notice(node, GOSSIP_NOTICE_REFUSED,
                       peers_find_key(&node->peers, author->stored.key),
                       (struct gossip_dot){author->stored.number, seq}, 0);
}

static int note_stamp(struct gossip_node *node, const struct author *author, uint64_t seq,
                      uint64_t stamp)
{
    if (!hlc_merge(&node->hlc, stamp, node->wall_ms))
        return GOSSIP_OK;
    node->stats.ahead_stamps++;
    return node_notice(node, GOSSIP_NOTICE_FUTURE, peers_find_key(&node->peers, author->stored.key),
                       (struct gossip_dot){author->stored.number, seq},
                       hlc_ms(stamp) - node->wall_ms);
}

/* Delivers of one author what can be delivered. Returns 1 if anything was, 0 if not. */
static int deliver_author(struct gossip_node *node, uint32_t number)
{
    struct author *author = node->authors.items[number];
    int delivered = 0;

    author->blocked = false;
    while (author->held_first != NULL) {
        const struct held_event *event = author->held_first;
        struct frame frame;
        bool is_frame = frame_read(event->body, event->body_size, &frame);
        int error;

        assert(is_frame); /* It was hashed by it. */
        switch (context_state(node, author, &frame, author->waits_id, &author->waits_seq)) {
        case CONTEXT_WAITS:
            author->blocked = true;
            return delivered;
        case CONTEXT_INVALID:
            error = refuse(node, author);
            return error < 0 ? error : delivered;
        case CONTEXT_SATISFIED:
            break;
        }
        error = deliver_event(node, number, &event->chain, event->body, event->body_size, &frame,
                              event->has_seal ? event->seal : NULL);
        if (error < 0)
            return error;
        error = note_stamp(node, author, event->chain.seq, frame.hlc);
        if (error < 0)
            return error;
        held_pop(&node->held, author);
        node->stats.delivered++;
        node_wake(node);
        delivered = 1;
    }
    return delivered;
}

int deliver_waiting(struct gossip_node *node, uint32_t number)
{
    bool moved;

    /* Each round delivers at least one event, so it ends; a round is one look at each author that
     * is blocked, which is a comparison for those that still are. */
    do {
        moved = false;
        for (size_t i = 0; i < node->authors.count; i++) {
            struct author *author = node->authors.items[i];
            uint32_t other;
            int delivered;

            if (author->held_first == NULL)
                continue;
            if (author->blocked) {
                other = authors_find(&node->authors, author->waits_id);
                if (other == NO_AUTHOR ||
                    author_have(node->authors.items[other]) < author->waits_seq)
                    continue;
            } else if (author->stored.number != number) {
                continue;
            }
            delivered = deliver_author(node, author->stored.number);
            if (delivered < 0)
                return delivered;
            moved = moved || delivered > 0;
        }
    } while (moved);
    return GOSSIP_OK;
}

/* What came of looking at a run. */
enum run_outcome {
    RUN_TAKEN,     /* Its events are held or delivered. */
    RUN_KNOWN,     /* Nothing new in it. */
    RUN_EARLY,     /* What comes before it is not here. */
    RUN_STRANGER,  /* Its author is not known, and it does not introduce one we may know. */
    RUN_MALFORMED, /* Not what a run is. */
    RUN_FORGED,    /* Its seal does not fit. */
    RUN_UNPROVEN,  /* It has none, and nothing is here yet that vouches for it. */
    RUN_DISAGREES, /* Its previous hash is not ours. */
    RUN_REFUSED,   /* Its author has written what no node accepts. */
};

static struct chain_owner owner_of(const struct gossip_node *node, const uint8_t *key,
                                   const uint8_t *epoch)
{
    return (struct chain_owner){node->identity->cluster, key, epoch};
}

/* Walks the events of a stream past chain->seq. With author, appends those before its cut to its
 * queue; without, only verifies. */
static int walk_stream(struct gossip_node *node, const struct run *run,
                       const struct chain_owner *owner, struct chain *chain, struct author *author,
                       enum run_outcome *ret_outcome)
{
    struct reader reader = {run->data, run->size, 0, false};

    for (uint64_t seq = run->first; seq <= run->last; seq++) {
        uint64_t size = read_varint(&reader);
        const uint8_t *body = NULL;
        struct frame frame;
        bool requires_seal;

        if (!reader.failed && size <= GOSSIP_BODY_MAX)
            body = read_bytes(&reader, (size_t)size);
        if (body == NULL) {
            *ret_outcome = RUN_MALFORMED;
            return GOSSIP_OK;
        }
        if (seq <= chain->seq)
            continue;
        if (!frame_read(body, (size_t)size, &frame)) {
            *ret_outcome = RUN_MALFORMED;
            return GOSSIP_OK;
        }
        requires_seal = chain_advance(chain, node->crypto, owner, body, (size_t)size, &frame);
        if (requires_seal && (seq != run->last || !run->has_seal)) {
            *ret_outcome = RUN_MALFORMED;
            return GOSSIP_OK;
        }
        if (author != NULL && !author_is_contested(author, seq)) {
            int error =
                held_append(&node->held, author, chain, body, (size_t)size,
                            seq == run->last && run->has_seal ? run->seal : NULL, run->source);

            if (error < 0)
                return error;
        }
    }
    *ret_outcome = reader.offset == run->size ? RUN_TAKEN : RUN_MALFORMED;
    return GOSSIP_OK;
}

/* Whether a run that has been walked to its end is its author's: by its seal, below a cut by what
 * has made the cut, or by what its source has shown of how the chain goes on. */
static enum run_outcome prove_run(const struct gossip_node *node, const struct author *author,
                                  const struct run *run, const struct chain_owner *owner,
                                  const struct chain *chain)
{
    if (run->has_seal)
        return seal_verify(node->crypto, chain->hash, owner->key, run->seal) ? RUN_TAKEN
                                                                             : RUN_FORGED;
    if (author != NULL && run->last + 1 == author->stored.cut &&
        cuts_vouch(node, author, chain->hash, run->has_link ? run->link : NULL))
        return RUN_TAKEN;
    if (run->source == NO_PEER)
        return RUN_FORGED; /* Of an archive, all that could vouch for it came before. */
    return witness_of_run(node, run->source, owner, chain) != NULL ? RUN_TAKEN : RUN_UNPROVEN;
}

/* What a run that has been verified shows of its author's chain from the cut on: to its seal. */
static void show_branch(const struct gossip_node *node, const struct author *author,
                        const struct run *run, struct proof_branch *ret_branch)
{
    struct chain_owner owner = owner_of(node, author->stored.key, author->stored.epoch);
    struct reader reader = {run->data, run->size, 0, false};
    struct chain chain = author->tail;

    ret_branch->link_count = 0;
    for (uint64_t seq = run->first; seq <= run->last; seq++) {
        size_t size = (size_t)read_varint(&reader);
        const uint8_t *body = read_bytes(&reader, size);
        struct frame frame;
        bool is_frame;

        if (seq <= chain.seq)
            continue;
        is_frame = frame_read(body, size, &frame);
        assert(is_frame);
        if (seq == author->stored.cut)
            memcpy(ret_branch->previous, chain.hash, GOSSIP_HASH_SIZE);
        chain_advance(&chain, node->crypto, &owner, body, size, &frame);
        if (author_is_contested(author, seq)) {
            struct proof_link *link = &ret_branch->links[ret_branch->link_count++];

            link->body_size = (uint32_t)size;
            event_inner(node->crypto, chain.mentions_hash, body, size, link->inner);
        }
    }
    memcpy(ret_branch->seal, run->seal, GOSSIP_SIGNATURE_SIZE);
}

/* Keeps what vouches for the last event of a run that is to be taken, up to the cut. chain is where
 * the run ends. */
static int note_witness(struct gossip_node *node, struct author *author, const struct run *run,
                        const struct chain_owner *owner, const struct chain *chain)
{
    const struct proof_half *half;
    struct proof_branch branch;
    uint8_t link[WIRE_LINK_SIZE];
    int error = GOSSIP_OK;

    if (run->has_seal && author_is_contested(author, run->last)) {
        show_branch(node, author, run, &branch);
        error = witness_note(node, author, author->stored.cut, &branch);
        put_fixed(link, branch.links[0].body_size, 4);
        memcpy(link + 4, branch.links[0].inner, GOSSIP_HASH_SIZE);
        if (error >= 0 && cuts_vouch(node, author, branch.previous, link))
            error = cuts_keep_link(node, author, link);
        return error;
    }
    if (run->has_seal)
        return GOSSIP_OK;
    half = witness_of_run(node, run->source, owner, chain);
    if (half != NULL)
        error = witness_note(node, author, half->seq, &half->branch);
    if (error >= 0 && run->has_link && cuts_vouch(node, author, chain->hash, run->link))
        error = cuts_keep_link(node, author, run->link);
    return error;
}

/* Judges the run of an author that is not known yet, from its introduction. */
static int judge_stranger(struct gossip_node *node, const struct run *run, uint32_t *ret_author,
                          enum run_outcome *ret_outcome)
{
    struct chain_owner owner = owner_of(node, run->key, run->epoch);
    struct chain chain = {0};
    uint8_t id[GOSSIP_ID_SIZE];
    int error;

    if (!run->has_introduction || greet_certificate(node, run->key) == NULL) {
        *ret_outcome = RUN_STRANGER;
        return GOSSIP_OK;
    }
    author_id(node->crypto, run->key, run->epoch, id);
    if (memcmp(id, run->author, GOSSIP_ID_SIZE) != 0) {
        *ret_outcome = RUN_FORGED;
        return GOSSIP_OK;
    }
    if (run->first > 1) {
        *ret_outcome = RUN_EARLY;
        return GOSSIP_OK;
    }
    if (cuts_of_key(node, run->key, run->epoch) == 1) {
        /* None of its events counts. It is worth a row only where it keeps others waiting. */
        *ret_outcome = cuts_is_waited_for(node, id) ? RUN_TAKEN : RUN_REFUSED;
        return *ret_outcome == RUN_TAKEN ? cuts_add_author(node, run->key, run->epoch, ret_author)
                                         : GOSSIP_OK;
    }
    error = walk_stream(node, run, &owner, &chain, NULL, ret_outcome);
    if (error < 0 || *ret_outcome != RUN_TAKEN)
        return error;
    *ret_outcome = prove_run(node, NULL, run, &owner, &chain);
    /* With the author known, its eviction may vouch. */
    if (!run->has_seal && cuts_of_key(node, run->key, run->epoch) == run->last + 1)
        *ret_outcome = RUN_TAKEN;
    if (*ret_outcome != RUN_TAKEN)
        return GOSSIP_OK;
    return cuts_add_author(node, run->key, run->epoch, ret_author);
}

/* Judges a run whose parts are all here and, if all is well, takes its events in. */
static int judge_run(struct gossip_node *node, const struct run *run, uint32_t *ret_author,
                     enum run_outcome *ret_outcome)
{
    static const uint8_t nothing[GOSSIP_HASH_SIZE];
    uint32_t number = authors_find(&node->authors, run->author);
    struct author *author;
    struct chain chain;
    struct chain_owner owner;
    int error;

    *ret_outcome = RUN_TAKEN;
    if (run->first == 1 && memcmp(run->previous, nothing, GOSSIP_HASH_SIZE) != 0) {
        *ret_outcome = RUN_MALFORMED; /* Before the first event there is nothing. */
        return GOSSIP_OK;
    }
    if (number == NO_AUTHOR) {
        error = judge_stranger(node, run, &number, ret_outcome);
        if (error < 0 || *ret_outcome != RUN_TAKEN)
            return error;
    }
    author = node->authors.items[number];
    chain = author->tail;
    owner = owner_of(node, author->stored.key, author->stored.epoch);
    if (run->last <= chain.seq || author_is_contested(author, chain.seq + 1)) {
        *ret_outcome = RUN_KNOWN;
        return GOSSIP_OK;
    }
    if (run->first > chain.seq + 1) {
        *ret_outcome = RUN_EARLY;
        return GOSSIP_OK;
    }
    if (run->first == chain.seq + 1 && memcmp(run->previous, chain.hash, GOSSIP_HASH_SIZE) != 0) {
        *ret_outcome = RUN_DISAGREES;
        return GOSSIP_OK;
    }
    if (author->refused != 0) {
        *ret_outcome = RUN_REFUSED;
        return GOSSIP_OK;
    }
    error = walk_stream(node, run, &owner, &chain, NULL, ret_outcome);
    if (error < 0 || *ret_outcome != RUN_TAKEN)
        return error;
    *ret_outcome = prove_run(node, author, run, &owner, &chain);
    if (*ret_outcome != RUN_TAKEN)
        return GOSSIP_OK;
    error = note_witness(node, author, run, &owner, &chain);
    if (error < 0)
        return error;
    chain = author->tail;
    if (number == node->self) {
        /* What we have never written, or no longer know of, bears our seal. It follows what we have
         * written in this boot: another process did that; or, where the time was only counted on,
         * an earlier boot that wrote the same. Two processes of one key hear of each other anyway.
         */
        if (node->amnesia.has_dated) {
            *ret_outcome = RUN_REFUSED;
            return amnesia_clone(node);
        }
        error = amnesia_found(node, GOSSIP_EVIDENCE_EVENTS);
        if (error < 0)
            return error;
    }
    error = walk_stream(node, run, &owner, &chain, author, ret_outcome);
    *ret_author = number;
    return error;
}

int deliver_disagreement(struct gossip_node *node, uint32_t number, uint32_t peer, uint64_t seq)
{
    struct author *author = node->authors.items[number];
    int error = inquiry_begin(node, number, peer, seq);

    if (error < 0 || author->disagreed)
        return error;
    author->disagreed = true;
    return node_notice(node, GOSSIP_NOTICE_DISAGREES,
                       peers_find_key(&node->peers, author->stored.key),
                       (struct gossip_dot){number, seq}, 0);
}

/* Judges a whole run and those of the same author that waited for it. */
static int take_run(struct gossip_node *node, struct run *run, enum gossip_verdict *ret_verdict)
{
    uint8_t id[GOSSIP_ID_SIZE];
    bool is_first = true;

    memcpy(id, run->author, GOSSIP_ID_SIZE);
    while (run != NULL) {
        enum gossip_verdict verdict = GOSSIP_DATAGRAM_ACCEPTED;
        enum run_outcome outcome;
        uint32_t number = NO_AUTHOR;
        int error = judge_run(node, run, &number, &outcome);

        if (error < 0)
            return error;
        switch (outcome) {
        case RUN_EARLY:
        case RUN_STRANGER:
        case RUN_UNPROVEN:
            pull_plan_repair(node);
            return GOSSIP_OK;
        case RUN_TAKEN:
            runs_remove_until(&node->runs, id, node->authors.items[number]->tail.seq);
            error = deliver_waiting(node, number);
            if (error < 0)
                return error;
            break;
        case RUN_KNOWN:
            verdict = GOSSIP_DATAGRAM_DUPLICATE;
            runs_remove(&node->runs, run);
            break;
        case RUN_MALFORMED:
            verdict = GOSSIP_DATAGRAM_MALFORMED;
            runs_remove(&node->runs, run);
            break;
        case RUN_FORGED:
            verdict = GOSSIP_DATAGRAM_FORGED;
            runs_remove(&node->runs, run);
            break;
        case RUN_REFUSED:
            verdict = GOSSIP_DATAGRAM_REFUSED;
            runs_remove(&node->runs, run);
            break;
        case RUN_DISAGREES:
            verdict = GOSSIP_DATAGRAM_REFUSED;
            error = deliver_disagreement(node, authors_find(&node->authors, id), run->source,
                                         run->first - 1);
            if (error < 0)
                return error;
            runs_remove(&node->runs, run);
            break;
        }
        if (is_first)
            *ret_verdict = verdict;
        is_first = false;
        number = authors_find(&node->authors, id);
        if (number == NO_AUTHOR)
            break;
        /* Of several that claim to be the next, one may be true. */
        run = runs_whole_at(&node->runs, id, node->authors.items[number]->tail.seq + 1);
    }
    return GOSSIP_OK;
}

static int trim_held(struct gossip_node *node)
{
    uint32_t author = NO_AUTHOR;
    size_t dropped = held_trim(&node->held, &node->authors, &author);

    if (dropped == 0)
        return GOSSIP_OK;
    node->stats.dropped += dropped;
    return node_notice(node, GOSSIP_NOTICE_DROPPED,
                       peers_find_key(&node->peers, node->authors.items[author]->stored.key),
                       (struct gossip_dot){author, node->authors.items[author]->tail.seq + 1},
                       dropped);
}

int deliver_witnessed(struct gossip_node *node, uint32_t peer, const struct proof_half *half)
{
    uint8_t id[GOSSIP_ID_SIZE];
    enum gossip_verdict verdict;
    int error;

    author_id(node->crypto, half->key, half->epoch, id);
    for (struct run *run = node->runs.first; run != NULL; run = run->next) {
        if (run->source != peer || run->last + 1 != half->seq || run->has_seal ||
            memcmp(run->author, id, sizeof(id)) != 0 || !run_is_whole(run))
            continue;
        error = take_run(node, run, &verdict);
        return error < 0 ? error : trim_held(node);
    }
    return GOSSIP_OK;
}

enum gossip_verdict deliver_part(struct gossip_node *node, uint32_t peer,
                                 const struct wire_part *part, int *ret_error)
{
    const struct wire_run_part *run_part = &part->run;
    uint32_t number = authors_find(&node->authors, run_part->author);
    enum gossip_verdict verdict = GOSSIP_DATAGRAM_ACCEPTED;
    struct run *run;
    size_t dropped;
    bool is_wanted;

    if (node->read_only)
        return GOSSIP_DATAGRAM_NO_ROOM;
    /* A seal is required at each multiple of 64, and none within a run. */
    if ((run_part->first - 1) / GOSSIP_SEAL_EVERY != (run_part->last - 1) / GOSSIP_SEAL_EVERY)
        return GOSSIP_DATAGRAM_MALFORMED;
    if (number != NO_AUTHOR) {
        const struct author *author = node->authors.items[number];

        if (author->refused != 0 && run_part->first >= author->refused)
            return GOSSIP_DATAGRAM_REFUSED;
        if ((run_part->last <= author->tail.seq ||
             author_is_contested(author, author->tail.seq + 1)) &&
            !reissue_wants(node, number, peer, run_part->first))
            return GOSSIP_DATAGRAM_DUPLICATE;
    }
    if (run_part->has_introduction) {
        uint32_t member;

        verdict = greet_introduced(node, &run_part->introduction, &member, ret_error);
        if (*ret_error < 0 || verdict != GOSSIP_DATAGRAM_ACCEPTED)
            return verdict;
    }
    switch (runs_take(&node->runs, run_part, peer, node->now_ms, &run, &dropped)) {
    case RUNS_NO_MEMORY:
        *ret_error = GOSSIP_ERR_NOMEM;
        return GOSSIP_DATAGRAM_NO_ROOM;
    case RUNS_CONFLICT:
        /* Two sizes of one run: which is wrong cannot be told before there is a seal. Or it comes
         * in crumbs. It is all asked for again. */
        runs_remove(&node->runs, run);
        return GOSSIP_DATAGRAM_FORGED;
    case RUNS_DUPLICATE:
        if (!run_is_whole(run) || run->has_seal)
            return GOSSIP_DATAGRAM_DUPLICATE;
        break; /* What vouches for it may have come since. */
    case RUNS_NEW:
        break;
    }
    node->stats.dropped += dropped;
    is_wanted = number != NO_AUTHOR && reissue_wants(node, number, peer, run_part->first);
    if (!run_is_whole(run)) {
        if (is_wanted)
            reissue_arrived(node, number, peer, run_part->data.size);
        pull_plan_repair(node);
        return GOSSIP_DATAGRAM_ACCEPTED;
    }
    if (is_wanted) {
        *ret_error = reissue_take_run(node, number, run, &verdict);
        runs_remove(&node->runs, run);
        return verdict;
    }
    *ret_error = take_run(node, run, &verdict);
    if (*ret_error >= 0)
        *ret_error = trim_held(node);
    if (node->held.count > 0)
        pull_plan_repair(node);
    return verdict;
}
