/*
 * What a program reads of a node: events, clocks, relations, peers, figures.
 */
#include "gossip/service.h"

#include <stdlib.h>
#include <string.h>

#include "gossip/author_name.h"
#include "gossip/hlc.h"
#include "gossip/museum.h"
#include "gossip/poison.h"
#include "gossip/proof.h"

int check_readable(const struct gossip *gossip)
{
    if (gossip->failed < 0)
        return gossip->failed;
    return gossip->is_stale ? GOSSIP_ERR_NOMEM : GOSSIP_OK;
}

int event_copy_take(struct event_copy *copy, const struct gossip_event_record *record)
{
    if (copy->capacity < record->body_size) {
        uint8_t *memory = realloc(copy->memory, record->body_size);

        if (memory == NULL)
            return GOSSIP_ERR_NOMEM;
        copy->memory = memory;
        copy->capacity = record->body_size;
    }
    copy->record = *record;
    if (record->body_size > 0)
        memcpy(copy->memory, record->body, record->body_size);
    copy->record.body = copy->memory;
    copy->record.context = NULL;
    copy->record.context_size = 0;
    if (record->seal != NULL) {
        memcpy(copy->seal, record->seal, sizeof(copy->seal));
        copy->record.seal = copy->seal;
    }
    return GOSSIP_OK;
}

void event_copy_clear(struct event_copy *copy)
{
    free(copy->memory);
    memset(copy, 0, sizeof(*copy));
}

int event_show(struct gossip *gossip, const struct event_copy *copy, struct gossip_vclock *clock,
               struct gossip_event *ret_event)
{
    const struct gossip_event_record *record = &copy->record;
    const struct gossip_vclock *context;
    struct gossip_event event = {.delivery = record->delivery,
                                 .dot = {record->author, record->seq}};
    struct frame frame;
    int error;

    if (!frame_read(record->body, record->body_size, &frame))
        return GOSSIP_ERR_DAMAGED;
    error = context_of(&gossip->node->contexts, record->author, record->seq, &context);
    if (error >= 0)
        error = gossip_vclock_copy(clock, context);
    if (error >= 0)
        error = gossip_vclock_set(clock, record->author, record->seq);
    if (MUSEUM(TICK_ON_MERGE) && error >= 0)
        error = gossip_vclock_set(clock, record->author,
                                  record->seq + gossip_vclock_get(context, record->author));
    if (error < 0)
        return error;
    event.kind = frame.kind;
    event.hlc = frame.hlc;
    event.time_ms = hlc_ms(frame.hlc);
    event.clock = clock;
    event.hash = record->hash;
    event.contested = author_is_contested(gossip->node->authors.items[record->author], record->seq);
    supersedes_find(&frame, &event.supersedes);
    if (!payload_find(&frame, &event.data, &event.size)) {
        event.data = NULL;
        event.size = 0;
    }
    *ret_event = event;
    return GOSSIP_OK;
}

static int take_one(void *context, const struct gossip_record *record)
{
    int error = record->as.event.is_damaged ? GOSSIP_ERR_DAMAGED
                                            : event_copy_take(context, &record->as.event);

    return error < 0 ? error : 1;
}

static void tell_poison(struct gossip *gossip, struct gossip_dot dot)
{
    struct gossip_notice notice = {.kind = GOSSIP_NOTICE_POISON, .dot = dot};
    const struct certificate *certificate =
        greet_certificate(gossip->node, gossip->node->authors.items[dot.author]->stored.key);

    if (certificate != NULL)
        memcpy(notice.name, certificate->name, sizeof(notice.name));
    notice_push(gossip, &notice);
}

int gossip_event_pop(struct gossip *gossip, struct gossip_event *ret_event)
{
    struct gossip_store *store = gossip->options.store;
    int error = check_readable(gossip);

    if (error < 0 || !node_keeps_events(gossip->node))
        return error;
    for (;;) {
        int found;

        if (gossip->after >= gossip->node->delivery)
            return poison_take_back(gossip); /* Mostly there is nothing new. */
        found = store->ops->follow(store, gossip->after, take_one, &gossip->popped);
        if (found <= 0)
            return found;
        found = event_show(gossip, &gossip->popped, &gossip->clock, ret_event);
        if (found < 0)
            return found;
        gossip->after = gossip->popped.record.delivery;
        if (ret_event->kind == GOSSIP_EVENT_CONTEXT || ret_event->contested)
            continue;
        if (!poison_is(gossip, ret_event->hash)) {
            error = poison_hand_out(gossip, ret_event->hash);
            return error < 0 ? error : 1;
        }
        tell_poison(gossip, ret_event->dot);
    }
}

int gossip_event_after(struct gossip *gossip, uint64_t after, struct gossip_event *ret_event)
{
    struct gossip_store *store = gossip->options.store;
    int found = check_readable(gossip);

    if (found < 0 || !node_keeps_events(gossip->node) || after >= gossip->node->delivery)
        return found;
    found = store->ops->follow(store, after, take_one, &gossip->shown);
    if (found <= 0)
        return found;
    found = event_show(gossip, &gossip->shown, &gossip->clock, ret_event);
    return found < 0 ? found : 1;
}

uint64_t gossip_last_delivery(const struct gossip *gossip)
{
    return check_readable(gossip) < 0 ? 0 : gossip->node->delivery;
}

int gossip_event_get(struct gossip *gossip, struct gossip_dot dot, struct gossip_event *ret_event)
{
    const struct gossip_node *node = gossip->node;
    int found = check_readable(gossip);

    if (found < 0)
        return found;
    if (dot.author >= node->authors.count || dot.seq == 0 ||
        dot.seq > node->authors.items[dot.author]->stored.have)
        return GOSSIP_ERR_NOT_FOUND;
    if (dot.seq <= node->authors.items[dot.author]->stored.floor)
        return GOSSIP_ERR_PRUNED;
    found = events_read(&node->contexts, dot.author, dot.seq, dot.seq, take_one, &gossip->shown);
    if (found <= 0)
        return found < 0 ? found : GOSSIP_ERR_DAMAGED;
    return event_show(gossip, &gossip->shown, &gossip->clock, ret_event);
}

size_t gossip_author_count(const struct gossip *gossip)
{
    return check_readable(gossip) < 0 ? 0 : gossip->node->authors.count;
}

int gossip_author(const struct gossip *gossip, uint32_t number, struct gossip_author *ret_author)
{
    const struct gossip_node *node = gossip->node;
    const struct certificate *certificate;
    const struct author *author;
    int error = check_readable(gossip);

    if (error < 0)
        return error;
    if (number >= node->authors.count)
        return GOSSIP_ERR_NOT_FOUND;
    author = node->authors.items[number];
    certificate = greet_certificate(node, author->stored.key);
    *ret_author = (struct gossip_author){.number = number,
                                         .name = certificate == NULL ? NULL : certificate->name,
                                         .have = author_have(author),
                                         .floor = author->stored.floor,
                                         .held = author->held_count,
                                         .is_self = number == node->self,
                                         .cut = author->stored.cut,
                                         .contested = author->stored.have - author_have(author)};
    ret_author->is_own = memcmp(author->stored.key, node->identity->key, GOSSIP_KEY_SIZE) == 0;
    ret_author->is_forked = author->proof != NULL;
    memcpy(ret_author->id, author->stored.id, GOSSIP_ID_SIZE);
    memcpy(ret_author->key, author->stored.key, GOSSIP_KEY_SIZE);
    memcpy(ret_author->epoch, author->stored.epoch, GOSSIP_EPOCH_SIZE);
    return GOSSIP_OK;
}

static struct author_title title_of(const struct gossip_node *node, uint32_t number)
{
    const struct author *author = node->authors.items[number];
    const struct certificate *certificate = greet_certificate(node, author->stored.key);

    return (struct author_title){.name = certificate == NULL ? NULL : certificate->name,
                                 .epoch = author->stored.epoch,
                                 .id = author->stored.id};
}

int gossip_author_name(void *context, uint32_t number, char *name, size_t size)
{
    const struct gossip *gossip = context;
    struct author_title title;
    int length;

    if (number >= gossip_author_count(gossip))
        return GOSSIP_ERR_NOT_FOUND;
    title = title_of(gossip->node, number);
    for (uint32_t i = 0; i < gossip->node->authors.count && title.name != NULL; i++) {
        struct author_title other = title_of(gossip->node, i);

        if (i == number || other.name == NULL || strcmp(other.name, title.name) != 0)
            continue;
        title.shares_name = true;
        title.shares_epoch =
            title.shares_epoch || memcmp(other.epoch, title.epoch, GOSSIP_EPOCH_SIZE) == 0;
    }
    length = author_name_write(&title, name, size);
    return (size_t)length < size ? length : GOSSIP_ERR_INVALID;
}

int gossip_author_find(void *context, const char *name, size_t size, uint32_t *ret_author)
{
    const struct gossip *gossip = context;
    size_t count = gossip_author_count(gossip);
    uint32_t found = NO_AUTHOR;

    for (uint32_t i = 0; i < count; i++) {
        struct author_title title = title_of(gossip->node, i);

        if (!author_name_fits(&title, name, size))
            continue;
        if (found != NO_AUTHOR)
            return GOSSIP_ERR_INVALID;
        found = i;
    }
    if (found == NO_AUTHOR)
        return GOSSIP_ERR_NOT_FOUND;
    *ret_author = found;
    return GOSSIP_OK;
}

void gossip_start_state(const struct gossip *gossip, struct gossip_start *ret_start)
{
    const struct gossip_node *node = gossip->node;
    const struct amnesia *amnesia = &node->amnesia;
    struct gossip_start start = {.state = GOSSIP_START_READY,
                                 .evidence = amnesia->evidence,
                                 .asked = (unsigned)amnesia->asked_count};

    for (size_t i = 0; i < amnesia->asked_count; i++)
        start.answered += amnesia->asked[i].has_answered;
    if (!amnesia->is_over) {
        start.state = GOSSIP_START_ASKING;
        for (size_t i = 0; i < amnesia->asked_count; i++) {
            if (amnesia->asked[i].have > author_have(node->authors.items[node->self]))
                start.state = GOSSIP_START_FETCHING;
        }
        if (amnesia->end_ms > node->now_ms)
            start.left_ms = amnesia->end_ms - node->now_ms;
    }
    *ret_start = start;
}

uint32_t gossip_self(const struct gossip *gossip)
{
    return gossip->node->self;
}

const struct gossip_vclock *gossip_clock(const struct gossip *gossip)
{
    static const struct gossip_vclock nothing;

    return check_readable(gossip) < 0 ? &nothing : &gossip->node->have;
}

/* Whether a dot is held, and its event with it. */
static int check_dot(const struct gossip_node *node, struct gossip_dot dot, bool *ret_pruned,
                     bool *ret_contested)
{
    const struct author *author;

    if (dot.author >= node->authors.count || dot.seq == 0)
        return GOSSIP_ERR_NOT_FOUND;
    author = node->authors.items[dot.author];
    if (dot.seq > author->stored.have)
        return GOSSIP_ERR_NOT_FOUND;
    *ret_pruned = dot.seq <= author->stored.floor;
    *ret_contested = author_is_contested(author, dot.seq);
    return GOSSIP_OK;
}

/* Whether the context of b holds a: a happened before b. */
static int happened_before(struct gossip *gossip, struct gossip_dot a, struct gossip_dot b,
                           bool *ret_before)
{
    const struct gossip_vclock *context;
    int error;

    if (a.author == b.author) {
        *ret_before = a.seq < b.seq;
        return GOSSIP_OK;
    }
    error = context_of(&gossip->node->contexts, b.author, b.seq, &context);
    if (error < 0)
        return error;
    *ret_before = gossip_vclock_covers_dot(context, a.author, a.seq);
    return GOSSIP_OK;
}

int gossip_relation(struct gossip *gossip, struct gossip_dot a, struct gossip_dot b,
                    enum gossip_relation *ret_relation)
{
    bool a_pruned = false;
    bool b_pruned = false;
    bool a_contested = false;
    bool b_contested = false;
    bool before = false;
    int error = check_readable(gossip);

    if (error >= 0)
        error = check_dot(gossip->node, a, &a_pruned, &a_contested);
    if (error >= 0)
        error = check_dot(gossip->node, b, &b_pruned, &b_contested);
    if (error < 0)
        return error;
    if (a.author == b.author && a.seq == b.seq) {
        *ret_relation = GOSSIP_EQUAL;
        return GOSSIP_OK;
    }
    /* A dot behind a cut has several contents: which of them is asked for, nobody can tell. */
    if (a_contested || b_contested) {
        *ret_relation = GOSSIP_CONTESTED;
        return GOSSIP_OK;
    }
    if (a_pruned || b_pruned) {
        *ret_relation = GOSSIP_PRUNED;
        return GOSSIP_OK;
    }
    error = happened_before(gossip, a, b, &before);
    if (error < 0)
        return error;
    if (before) {
        *ret_relation = GOSSIP_BEFORE;
        return GOSSIP_OK;
    }
    error = happened_before(gossip, b, a, &before);
    if (error < 0)
        return error;
    *ret_relation = before ? GOSSIP_AFTER : GOSSIP_CONCURRENT;
    return GOSSIP_OK;
}

size_t gossip_held(const struct gossip *gossip, struct gossip_held *ret_held, size_t capacity)
{
    const struct authors *authors = &gossip->node->authors;
    size_t count = 0;

    if (check_readable(gossip) < 0)
        return 0;
    for (size_t i = 0; i < authors->count; i++) {
        const struct author *author = authors->items[i];

        if (!author->blocked)
            continue;
        if (count < capacity) {
            ret_held[count].dot = (struct gossip_dot){(uint32_t)i, author->stored.have + 1};
            memcpy(ret_held[count].waits_id, author->waits_id, GOSSIP_ID_SIZE);
            ret_held[count].waits_seq = author->waits_seq;
        }
        count++;
    }
    return count;
}

size_t gossip_signed_count(const struct gossip *gossip)
{
    const struct authors *authors = &gossip->node->authors;
    size_t count = gossip->node->records.count;

    if (check_readable(gossip) < 0)
        return 0;
    for (size_t i = 0; i < authors->count; i++)
        count += authors->items[i]->proof != NULL;
    return count;
}

int gossip_signed(const struct gossip *gossip, size_t index, struct gossip_signed *ret_signed)
{
    const struct gossip_node *node = gossip->node;
    const struct signed_record *record = NULL;
    int error = check_readable(gossip);

    if (error < 0)
        return error;
    if (index < node->records.count)
        record = node->records.items[index];
    else
        index -= node->records.count;
    /* Proofs come after all others, in the order of their authors. */
    for (size_t i = 0; i < node->authors.count && record == NULL; i++) {
        if (node->authors.items[i]->proof != NULL && index-- == 0)
            record = node->authors.items[i]->proof;
    }
    if (record == NULL)
        return GOSSIP_ERR_NOT_FOUND;
    *ret_signed = (struct gossip_signed){.type = (enum gossip_signed_type)record->type,
                                         .id = record->id,
                                         .bytes = record->bytes,
                                         .size = record->size};
    return GOSSIP_OK;
}

int gossip_proof_check(const uint8_t cluster[GOSSIP_KEY_SIZE], const uint8_t *bytes, size_t size,
                       struct gossip_proof *ret_proof)
{
    const struct gossip_crypto *crypto = gossip_crypto_sodium();
    struct gossip_proof shown = {0};
    struct wire_arena arena;
    struct proof proof;

    if (!proof_read(crypto, &arena, bytes, size, &proof))
        return GOSSIP_ERR_INVALID;
    if (!proof_verify(crypto, cluster, &proof, &shown.cut))
        return GOSSIP_ERR_FORGED;
    memcpy(shown.key, proof.key, GOSSIP_KEY_SIZE);
    memcpy(shown.epoch, proof.epoch, GOSSIP_EPOCH_SIZE);
    author_id(crypto, proof.key, proof.epoch, shown.author);
    shown.seq = proof.seq;
    proof_hashes(crypto, cluster, &proof, shown.hashes[0], shown.hashes[1]);
    *ret_proof = shown;
    return GOSSIP_OK;
}

size_t gossip_peer_count(const struct gossip *gossip)
{
    return gossip->node->peers.count;
}

int gossip_peer(const struct gossip *gossip, size_t index, struct gossip_peer *ret_peer)
{
    const struct gossip_node *node = gossip->node;
    const struct peer *peer;

    if (index >= node->peers.count)
        return GOSSIP_ERR_NOT_FOUND;
    peer = node->peers.items[index];
    *ret_peer = (struct gossip_peer){
        .name = peer->certificate.name,
        .address = peer->address,
        .state = peer->state,
        .in_step = peer->in_step,
        .still_in_step = peer->in_step && peer->in_step_number == node->delivery,
        .heard_ms = peer->heard ? node->now_ms - peer->heard_ms : UINT64_MAX,
        .exchanges = peer->exchanges,
        .answered = peer->answers};
    memcpy(ret_peer->key, peer->certificate.key, GOSSIP_KEY_SIZE);
    return GOSSIP_OK;
}

void gossip_stats(const struct gossip *gossip, struct gossip_stats *ret_stats)
{
    const struct gossip_node *node = gossip->node;
    const struct gossip_stats *past = &gossip->past;
    const struct gossip_stats *saved = &gossip->saved;
    struct gossip_stats stats = node->stats;

    for (size_t i = 0; i < GOSSIP_DATAGRAM_VERDICTS; i++)
        stats.datagrams[i] += past->datagrams[i];
    stats.datagrams_sent += past->datagrams_sent;
    stats.bytes_received += past->bytes_received;
    stats.bytes_sent += past->bytes_sent;
    stats.published = past->published + saved->published;
    stats.delivered = past->delivered + saved->delivered;
    stats.commits = past->commits + saved->commits;
    stats.exchanges += past->exchanges;
    stats.in_step += past->in_step;
    stats.pulls += past->pulls;
    stats.pulls_whole += past->pulls_whole;
    stats.dropped += past->dropped;
    stats.ahead_stamps += past->ahead_stamps;
    stats.forks_proven = past->forks_proven + saved->forks_proven;
    stats.reissued = past->reissued + saved->reissued;
    stats.held_events = node->held.count;
    stats.held_bytes = node->held.bytes;
    stats.poisonous = gossip->poison_count;
    stats.runs_held = node->runs.count;
    stats.runs_bytes = node->runs.bytes;
    *ret_stats = stats;
}
