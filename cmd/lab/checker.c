/*
 * What is saved and started from, against the record. shown.c has what a node shows to programs,
 * overheard.c datagrams.
 */
#include "cmd/lab/checker.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/lab/checker_state.h"
#include "cmd/lab/room.h"
#include "gossip/amnesia.h"
#include "gossip/frame.h"
#include "gossip/hlc.h"

static const struct {
    const char *letter;
    const char *name;
} names[INVARIANTS] = {
    [INVARIANT_NONE] = {"-", "none"},
    [INVARIANT_NO_REUSE] = {"I1", "no-reuse"},
    [INVARIANT_DURABLE] = {"I2", "durable"},
    [INVARIANT_MONOTONIC] = {"I3", "monotonic"},
    [INVARIANT_CAUSAL] = {"I4", "causal"},
    [INVARIANT_CLOSED] = {"I5", "closed"},
    [INVARIANT_AGREEMENT] = {"I6", "agreement"},
    [INVARIANT_BYTES] = {"I7", "bytes"},
    [INVARIANT_BOUNDS] = {"I8", "bounds"},
    [INVARIANT_ORDER] = {"I9", "order"},
};

const char *invariant_name(enum invariant invariant)
{
    return names[invariant].name;
}

const char *invariant_letter(enum invariant invariant)
{
    return names[invariant].letter;
}

enum invariant invariant_from_name(const char *name)
{
    for (enum invariant i = INVARIANT_NO_REUSE; i < INVARIANTS; i++) {
        if (strcmp(name, names[i].name) == 0 || strcmp(name, names[i].letter) == 0)
            return i;
    }
    return INVARIANT_NONE;
}

struct checker *checker_create(const struct gossip_crypto *crypto, uint64_t seed, unsigned node_max)
{
    struct checker *checker = room_new(sizeof(*checker));

    checker->crypto = crypto;
    checker->lots = (struct splitmix){seed};
    checker->node_max = node_max;
    checker->nodes = room_new(node_max * sizeof(*checker->nodes));
    checker->pairs = room_new((size_t)node_max * node_max * sizeof(*checker->pairs));
    return checker;
}

void checker_destroy(struct checker *checker)
{
    if (checker == NULL)
        return;
    for (unsigned i = 0; i < checker->node_max; i++) {
        struct node_record *node = &checker->nodes[i];

        free(node->numbers);
        free(node->deliveries);
        event_set_clear(&node->delivered);
        event_set_clear(&node->regained);
        event_set_clear(&node->copied);
        for (size_t j = 0; j < node->chain_capacity; j++)
            free(node->chains[j].events);
        free(node->chains);
        counts_clear(&node->have);
        counts_clear(&node->durable);
        counts_clear(&node->cuts);
        counts_clear(&node->cuts_durable);
        counts_clear(&node->cuts_before);
        counts_clear(&node->shown);
    }
    history_clear(&checker->history);
    free(checker->evictions);
    free(checker->nodes);
    free(checker->pairs);
    free(checker);
}

void checker_add_node(struct checker *checker, unsigned node,
                      const struct gossip_identity *identity)
{
    assert(node < checker->node_max);
    checker->nodes[node].identity = identity;
    checker->nodes[node].own = HISTORY_NONE;
    checker->nodes[node].closed = HISTORY_NONE;
}

void checker_set_time(struct checker *checker, uint64_t time_ms)
{
    checker->time_ms = time_ms;
}

void checker_set_wall(struct checker *checker, unsigned node, uint64_t wall_ms)
{
    struct node_record *record = &checker->nodes[node];

    record->wall_ms = wall_ms;
    if (wall_ms > record->wall_most_ms)
        record->wall_most_ms = wall_ms;
}

void checker_report(struct checker *checker, enum invariant invariant, const char *format, ...)
{
    struct violation *violation = &checker->violation;
    va_list arguments;

    if (violation->invariant != INVARIANT_NONE)
        return;
    violation->invariant = invariant;
    violation->time_ms = checker->time_ms;
    va_start(arguments, format);
    vsnprintf(violation->witness, sizeof(violation->witness), format, arguments);
    va_end(arguments);
}

const struct violation *checker_violation(const struct checker *checker)
{
    return &checker->violation;
}

const struct history *checker_history(const struct checker *checker)
{
    return &checker->history;
}

uint64_t checker_held(const struct checker *checker, unsigned node)
{
    return checker->nodes[node].delivery_count;
}

void checker_stats(const struct checker *checker, struct checker_stats *ret_stats)
{
    *ret_stats = checker->stats;
    ret_stats->pairs = checker->history.pairs;
    ret_stats->pairs_exact = checker->history.pairs_exact;
}

const char *checker_event_text(const struct checker *checker, uint32_t event,
                               char text[HISTORY_TEXT_MAX])
{
    history_event_text(&checker->history, event, text, HISTORY_TEXT_MAX);
    return text;
}

const char *checker_dot_text(const struct checker *checker, uint32_t author, uint64_t seq,
                             char text[DOT_TEXT])
{
    history_dot_text(&checker->history, author, seq, text, DOT_TEXT);
    return text;
}

/* Whose key it is; the first of them, if there are clones. */
static unsigned owner_of(const struct checker *checker, const uint8_t *key)
{
    for (unsigned i = 0; i < checker->node_max; i++) {
        if (checker->nodes[i].identity != NULL &&
            memcmp(checker->nodes[i].identity->key, key, GOSSIP_KEY_SIZE) == 0)
            return i;
    }
    return UINT_MAX;
}

static const uint8_t *key_of(const struct checker *checker, uint32_t author)
{
    return checker->nodes[checker->history.authors[author].node].identity->key;
}

bool checker_is_own(const struct checker *checker, unsigned node, uint32_t author)
{
    return memcmp(checker->nodes[node].identity->key, key_of(checker, author), GOSSIP_KEY_SIZE) ==
           0;
}

/* The history's number of a local author of node, or HISTORY_NONE. */
uint32_t checker_author(const struct node_record *node, uint32_t number)
{
    return number < node->number_count ? node->numbers[number] : HISTORY_NONE;
}

uint32_t checker_held_event(const struct node_record *node, uint32_t author, uint64_t seq)
{
    return seq == 0 || seq > counts_get(&node->have, author) ? HISTORY_NONE
                                                             : node->chains[author].events[seq - 1];
}

static uint64_t counted(uint64_t have, uint64_t cut)
{
    return cut != 0 && have >= cut ? cut - 1 : have;
}

uint64_t checker_have(const struct node_record *node, uint32_t author)
{
    return counted(counts_get(&node->have, author), counts_get(&node->cuts, author));
}

uint64_t checker_durable_have(const struct node_record *node, uint32_t author)
{
    return counted(counts_get(&node->durable, author), counts_get(&node->cuts_durable, author));
}

bool checker_is_cut(const struct node_record *node, uint32_t author, uint64_t seq)
{
    uint64_t cut = counts_get(&node->cuts, author);

    return cut != 0 && seq >= cut;
}

/* ---- Authors, epochs and cuts. ---- */

/* Where evictions end an author, those that nobody has heard of included. */
static void apply_eviction(struct checker *checker, const struct eviction *eviction,
                           uint32_t author)
{
    if (memcmp(eviction->key, key_of(checker, author), GOSSIP_KEY_SIZE) == 0)
        history_evict(&checker->history, author,
                      eviction_cut(eviction, checker->history.authors[author].epoch));
}

void checker_evicted(struct checker *checker, const uint8_t *bytes, size_t size)
{
    struct eviction *eviction;
    bool is_eviction;

    checker->evictions = room_for(checker->evictions, &checker->eviction_capacity,
                                  checker->eviction_count + 1, sizeof(*checker->evictions));
    eviction = &checker->evictions[checker->eviction_count++];
    is_eviction = eviction_read(checker->crypto, &checker->arena, bytes, size, eviction);
    assert(is_eviction);
    for (uint32_t i = 0; i < checker->history.author_count; i++)
        apply_eviction(checker, eviction, i);
}

/* Whether something that has happened ends author at exactly that seq. */
static bool is_reason_to_cut(const struct checker *checker, uint32_t author, uint64_t cut)
{
    for (size_t i = 0; i < checker->eviction_count; i++) {
        const struct eviction *eviction = &checker->evictions[i];

        if (memcmp(eviction->key, key_of(checker, author), GOSSIP_KEY_SIZE) == 0 &&
            eviction_cut(eviction, checker->history.authors[author].epoch) == cut)
            return true;
    }
    return history_is_forked(&checker->history, author, cut);
}

/* A cut only ever goes down, and there is a reason for it: a dot with two contents, or an eviction
 * that was issued. */
static void save_cut(struct checker *checker, unsigned number, uint32_t author, uint64_t cut)
{
    struct node_record *node = &checker->nodes[number];
    uint64_t before = counts_get(&node->cuts, author);
    uint64_t have = checker_have(node, author);
    char dot[DOT_TEXT];

    checker->stats.checks++;
    if (cut == before)
        return;
    checker_dot_text(checker, author, cut, dot);
    if (cut == 0 || (before != 0 && cut > before)) {
        checker_report(checker, INVARIANT_MONOTONIC,
                       "n%u cuts at %s, and has cut that author at seq %" PRIu64, number + 1, dot,
                       before);
    } else if (!is_reason_to_cut(checker, author, cut)) {
        checker_report(checker, INVARIANT_ORDER,
                       "n%u cuts at %s, a dot of one content that no eviction names", number + 1,
                       dot);
    } else {
        counts_set(&node->cuts, author, cut);
        checker->stats.cuts++;
        checker->stats.contested += have - checker_have(node, author);
    }
}

/* An author that nobody has known before: only its owner can have made it. */
static uint32_t make_author(struct checker *checker, unsigned number,
                            const struct gossip_author_record *record)
{
    unsigned owner = owner_of(checker, record->key);
    uint32_t author;

    if (owner == UINT_MAX || (owner != number && memcmp(checker->nodes[number].identity->key,
                                                        record->key, GOSSIP_KEY_SIZE) != 0)) {
        checker_report(checker, INVARIANT_DURABLE,
                       "n%u saves an author that %s has not saved itself", number + 1,
                       owner == UINT_MAX ? "nobody's key is of, and its owner" : "its owner");
        return HISTORY_NONE;
    }
    for (size_t i = 0; i < checker->history.author_count; i++) {
        if (memcmp(checker->history.authors[i].epoch, record->epoch, GOSSIP_EPOCH_SIZE) == 0)
            checker_report(checker, INVARIANT_NO_REUSE,
                           "n%u makes an epoch that n%u has made before", number + 1,
                           checker->history.authors[i].node + 1);
    }
    author = history_add_author(&checker->history, record->id, record->epoch, owner);
    for (size_t i = 0; i < checker->eviction_count; i++)
        apply_eviction(checker, &checker->evictions[i], author);
    return author;
}

/* The most that any process of its key has counted. */
static uint64_t most_boots(const struct checker *checker, const struct node_record *node)
{
    uint64_t most = 0;

    for (unsigned i = 0; i < checker->node_max; i++) {
        const struct node_record *other = &checker->nodes[i];

        if (other->identity != NULL && other->boot_most > most &&
            memcmp(other->identity->key, node->identity->key, GOSSIP_KEY_SIZE) == 0)
            most = other->boot_most;
    }
    return most;
}

/* The node writes as author from now on. Only what was done to its disk is a reason to do so anew:
 * an ordinary restart is none. Of a boot that it has forgotten somebody may tell it at any time. */
static void open_epoch(struct checker *checker, unsigned number, uint32_t author)
{
    struct node_record *node = &checker->nodes[number];

    checker->stats.checks++;
    if (node->own != HISTORY_NONE) {
        if (node->has_forgotten_boots && node->epochs >= node->reasons) {
            node->has_forgotten_boots = false;
            node->reasons++;
        }
        if (node->epochs >= node->reasons) {
            checker_report(checker, INVARIANT_MONOTONIC,
                           "n%u opens new epoch number %u, and its disk was set back %u times",
                           number + 1, node->epochs + 1, node->reasons);
            return;
        }
        node->epochs++;
        checker->stats.epochs++;
        checker->history.authors[author].is_opened = true;
    }
    node->closed = node->own;
    node->own = author;
    node->answered = 0;
    node->must_open = false;
    node->may_fork = false;
}

static void learn_author(struct checker *checker, unsigned number,
                         const struct gossip_author_record *record, bool is_saved)
{
    struct node_record *node = &checker->nodes[number];
    uint32_t author = history_find_author(&checker->history, record->id);
    bool is_new = author == HISTORY_NONE;
    bool is_named;

    if (record->number > node->number_count) {
        checker_report(checker, INVARIANT_BOUNDS,
                       "n%u saves author number %" PRIu32 " and knows %zu", number + 1,
                       record->number, node->number_count);
        return;
    }
    if (is_new)
        author = make_author(checker, number, record);
    if (author == HISTORY_NONE)
        return;
    if (record->number < node->number_count) {
        if (node->numbers[record->number] != author)
            checker_report(checker, INVARIANT_MONOTONIC,
                           "n%u gives author number %" PRIu32 " twice", number + 1, record->number);
        return;
    }
    node->numbers = room_for(node->numbers, &node->number_capacity, node->number_count + 1,
                             sizeof(*node->numbers));
    node->numbers[node->number_count++] = author;
    if (!checker_is_own(checker, number, author))
        return;
    /* Which of its own authors it writes as, its store names; where it does not, the last. */
    is_named = node->has_epoch && memcmp(node->epoch, record->epoch, GOSSIP_EPOCH_SIZE) == 0;
    if (is_saved && (is_new || is_named))
        open_epoch(checker, number, author);
    else if (!is_saved && (is_named || !node->has_epoch))
        node->own = author;
}

/* ---- Deliveries. ---- */

static void deliver(struct checker *checker, struct node_record *node, uint32_t event)
{
    const struct history_event *delivered = &checker->history.events[event];
    struct held_chain *chain;

    node->deliveries = room_for(node->deliveries, &node->delivery_capacity,
                                node->delivery_count + 1, sizeof(*node->deliveries));
    node->deliveries[node->delivery_count++] = event;
    event_set_add(&node->delivered, event);
    node->chains = room_for(node->chains, &node->chain_capacity, (size_t)delivered->author + 1,
                            sizeof(*node->chains));
    chain = &node->chains[delivered->author];
    chain->events =
        room_for(chain->events, &chain->capacity, (size_t)delivered->seq, sizeof(*chain->events));
    chain->events[delivered->seq - 1] = event;
    counts_set(&node->have, delivered->author, delivered->seq);
    checker->stats.deliveries++;
}

/* Takes the last deliveries back until count are left: they have never come to pass, or (with
 * is_set_back) somebody has made the disk older than them. */
static void forget_deliveries(struct checker *checker, unsigned number, size_t count,
                              bool is_set_back)
{
    struct node_record *node = &checker->nodes[number];
    char text[HISTORY_TEXT_MAX];

    while (node->delivery_count > count) {
        uint32_t event = node->deliveries[--node->delivery_count];
        const struct history_event *forgotten = &checker->history.events[event];

        event_set_remove(&node->delivered, event);
        counts_set(&node->have, forgotten->author, forgotten->seq - 1);
        /* The copy goes on with it, and this one without: as if it had been set back, which peers
         * can tell it. */
        if (event_set_has(&node->copied, event) && !node->may_fork) {
            node->may_fork = true;
            node->reasons++;
        }
        if (forgotten->node != number || is_set_back || forgotten->is_void ||
            event_set_has(&node->regained, event) || event_set_has(&node->copied, event))
            continue;
        if (forgotten->is_shown) {
            checker_report(checker, INVARIANT_DURABLE,
                           "n%u has shown an event of its own and lost it\n  %s", number + 1,
                           checker_event_text(checker, event, text));
            return;
        }
        history_forget(&checker->history, event);
    }
    if (node->known_count > count)
        node->known_count = count;
    if (node->durable_count > count)
        node->durable_count = count;
    if (node->next_pop > count)
        node->next_pop = count;
}

/* An event's stamp is past those of all that its node had delivered, as far as these may drag it
 * along, not before its wall clock, and not ahead of the furthest that anything can have driven it:
 * a millisecond more is for full counters. */
static void check_stamp(struct checker *checker, unsigned number, uint32_t event)
{
    struct node_record *node = &checker->nodes[number];
    uint64_t stamp = checker->history.events[event].hlc;
    uint64_t wall_ms = node->wall_ms < hlc_ms(INT64_MAX) ? node->wall_ms : hlc_ms(INT64_MAX);
    char text[HISTORY_TEXT_MAX];

    checker->stats.checks += 2;
    if (stamp <= node->hlc_least || hlc_ms(stamp) < wall_ms)
        checker_report(checker, INVARIANT_MONOTONIC,
                       "n%u writes with stamp %" PRIx64 " at %" PRIx64
                       " by its wall clock, after stamp %" PRIx64 "\n  %s",
                       number + 1, stamp, hlc_make(node->wall_ms, 0), node->hlc_least,
                       checker_event_text(checker, event, text));
    else if (hlc_ms(stamp) > node->wall_most_ms + GOSSIP_HLC_AHEAD_MS + 1)
        checker_report(checker, INVARIANT_BOUNDS,
                       "n%u writes with stamp %" PRIx64
                       ", and its wall clock was never past %" PRIx64 "\n  %s",
                       number + 1, stamp, hlc_make(node->wall_most_ms, 0),
                       checker_event_text(checker, event, text));
    node->hlc_least = stamp;
}

/* An event of somebody else drags the clock along. */
static void follow_stamp(struct node_record *node, uint64_t stamp)
{
    uint64_t furthest = hlc_make(node->wall_ms + GOSSIP_HLC_AHEAD_MS, UINT16_MAX);

    if (stamp > furthest)
        stamp = furthest;
    if (stamp > node->hlc_least)
        node->hlc_least = stamp;
}

/* Whether node may write that event: its own next one, of the epoch that it writes in, under a dot
 * that is free, unless nothing could have told it that the dot is taken. */
static bool may_write(struct checker *checker, unsigned number, uint32_t author,
                      const struct gossip_event_record *record)
{
    const struct node_record *node = &checker->nodes[number];
    uint32_t taken = history_find(&checker->history, author, record->seq);
    /* Within what is saved at once the new epoch may come after events of the old one. */
    bool is_before = author == node->saving.own && author != node->own &&
                     counts_get(&node->have, node->own) == 0;
    bool must_open = is_before ? node->saving.must_open : node->must_open;
    bool may_fork = is_before ? node->saving.may_fork : node->may_fork;
    char text[HISTORY_TEXT_MAX];
    char dot[DOT_TEXT];

    checker_dot_text(checker, author, record->seq, dot);
    checker->stats.checks += 4;
    if (!checker_is_own(checker, number, author)) {
        checker_report(checker, INVARIANT_BYTES, "n%u saves %s%s, which its author has not written",
                       number + 1, taken == HISTORY_NONE ? "" : "another content for ", dot);
        return false;
    }
    if (author != node->own && !is_before) {
        checker_report(checker, INVARIANT_NO_REUSE, "n%u writes %s, of an epoch that it has closed",
                       number + 1, dot);
        return false;
    }
    if (must_open) {
        checker_report(checker, INVARIANT_NO_REUSE,
                       "n%u writes %s: its disk was set back, and it goes on in the old epoch",
                       number + 1, dot);
        return false;
    }
    if (taken != HISTORY_NONE && !may_fork) {
        checker_report(checker, INVARIANT_NO_REUSE,
                       "n%u saves another content for a dot that has one\n  %s\n  %zu bytes, hash "
                       "%02x%02x%02x%02x",
                       number + 1, checker_event_text(checker, taken, text), record->body_size,
                       record->hash[0], record->hash[1], record->hash[2], record->hash[3]);
        return false;
    }
    return true;
}

/* The first event of an epoch names the last dot of the epoch before it that its node knows of, as
 * far as it counts: before this save, or with the cuts that are in it. */
static void check_last_known(struct checker *checker, unsigned number, uint32_t event)
{
    const struct node_record *node = &checker->nodes[number];
    uint64_t have = counts_get(&node->have, node->closed);
    uint64_t named = counts_get(&checker->history.events[event].claimed, node->closed);
    char dot[DOT_TEXT];

    checker->stats.checks++;
    if (named != checker_have(node, node->closed) &&
        named != counted(have, counts_get(&node->cuts_before, node->closed)))
        checker_report(
            checker, INVARIANT_CAUSAL,
            "n%u opens an epoch after seq %" PRIu64 " of the one before, and holds %s", number + 1,
            named, checker_dot_text(checker, node->closed, checker_have(node, node->closed), dot));
}

/* The first event of an epoch that follows another says so, and no other does. */
static void check_opening(struct checker *checker, unsigned number, uint32_t event)
{
    const struct history_event *written = &checker->history.events[event];
    bool is_first = written->seq == 1 && checker->history.authors[written->author].is_opened;
    char text[HISTORY_TEXT_MAX];

    if (is_first && checker->nodes[number].closed != HISTORY_NONE)
        check_last_known(checker, number, event);

    checker->stats.checks++;
    if ((written->kind == GOSSIP_EVENT_EPOCH_OPEN) != is_first)
        checker_report(checker, INVARIANT_MONOTONIC,
                       "n%u writes an event of kind %" PRIu64 " %s\n  %s", number + 1,
                       written->kind, is_first ? "first in a new epoch" : "where no epoch begins",
                       checker_event_text(checker, event, text));
}

/* An event that only its author can have written, now. */
static uint32_t create(struct checker *checker, unsigned number, uint32_t author,
                       const struct gossip_event_record *record)
{
    struct history *history = &checker->history;
    struct node_record *node = &checker->nodes[number];
    char reason[HISTORY_TEXT_MAX];
    char other_text[HISTORY_TEXT_MAX];
    char dot[DOT_TEXT];
    uint32_t before = checker_held_event(node, author, record->seq - 1);
    struct counts truth = {0};
    uint32_t event;
    uint32_t other;

    if (!may_write(checker, number, author, record))
        return HISTORY_NONE;
    checker_dot_text(checker, author, record->seq, dot);
    for (uint32_t i = 0; i < history->author_count; i++) {
        if (checker_have(node, i) > 0)
            counts_set(&truth, i, checker_have(node, i));
    }
    event = history_add(history, author, before, number, checker->time_ms, record, &node->delivered,
                        &truth, reason);
    counts_clear(&truth);
    if (event == HISTORY_NONE) {
        checker_report(checker, INVARIANT_CAUSAL, "n%u writes %s: %s", number + 1, dot, reason);
        return HISTORY_NONE;
    }
    checker->stats.events++;
    checker->stats.forks += history->events[event].other != HISTORY_NONE ||
                            history_find(history, author, record->seq) != event;
    checker->stats.reissued += history->events[event].supersedes != NULL;
    if (before != HISTORY_NONE && history->events[before].hlc >= history->events[event].hlc)
        checker_report(checker, INVARIANT_MONOTONIC,
                       "n%u writes %s with stamp %" PRIx64 " after stamp %" PRIx64, number + 1, dot,
                       history->events[event].hlc, history->events[before].hlc);
    check_stamp(checker, number, event);
    check_opening(checker, number, event);
    other = history_check(history, event, &checker->lots);
    if (other != HISTORY_NONE)
        checker_report(checker, INVARIANT_CAUSAL,
                       "clocks say that the first happened %sbefore the second, and it did%s\n"
                       "  %s\n  %s",
                       history_claims_before(history, other, event) ? "" : "not ",
                       history_before(history, other, event) ? "" : " not",
                       checker_event_text(checker, other, reason),
                       checker_event_text(checker, event, other_text));
    return event;
}

/* One dot, two contents: the one in the history and this one. */
static bool is_same(const struct history_event *event, const struct gossip_event_record *record)
{
    return event->size == record->body_size &&
           memcmp(event->hash, record->hash, GOSSIP_HASH_SIZE) == 0 &&
           memcmp(event->body, record->body, event->size) == 0;
}

/* The first cause of an event that node has not, and cannot do without: what it knows to be behind
 * a cut it need not have, nor what the writer knew to be behind one, nor one of several contents
 * where it has another. */
static uint32_t missing_cause(const struct checker *checker, const struct node_record *node,
                              uint32_t event, uint64_t *ret_excused)
{
    const struct history *history = &checker->history;
    uint32_t missing = 0;

    *ret_excused = 0;
    for (;;) {
        const struct history_event *cause;

        missing = event_set_missing(&history->events[event].past, &node->delivered, missing);
        if (missing == HISTORY_NONE)
            break;
        cause = &history->events[missing];
        if (!checker_is_cut(node, cause->author, cause->seq) &&
            counts_get(&history->events[event].truth, cause->author) >= cause->seq &&
            !(history_is_contested(history, cause->author, cause->seq) &&
              counts_get(&node->have, cause->author) >= cause->seq))
            return missing;
        missing++;
        ++*ret_excused;
    }
    for (uint32_t i = 0; event >= HISTORY_EXACT && i < history->author_count; i++) {
        uint64_t needed =
            counted(counts_get(&history->events[event].truth, i), counts_get(&node->cuts, i));

        if (needed > counts_get(&node->have, i))
            return history_find(history, i, needed);
    }
    return HISTORY_NONE;
}

static void save_event(struct checker *checker, unsigned number,
                       const struct gossip_event_record *record)
{
    struct history *history = &checker->history;
    struct node_record *node = &checker->nodes[number];
    uint32_t author = checker_author(node, record->author);
    char text[HISTORY_TEXT_MAX];
    char other_text[HISTORY_TEXT_MAX];
    char dot[DOT_TEXT];
    bool is_written = false;
    uint64_t excused;
    uint64_t cut;
    uint32_t event;
    uint32_t missing;

    if (author == HISTORY_NONE) {
        checker_report(checker, INVARIANT_BOUNDS,
                       "n%u saves an event of author number %" PRIu32 ", which it has not",
                       number + 1, record->author);
        return;
    }
    checker_dot_text(checker, author, record->seq, dot);
    checker->stats.checks += 5;
    event = checker_held_event(node, author, record->seq);
    if (event != HISTORY_NONE) {
        /* Saved again, as it may be to add a seal. */
        if (!is_same(&history->events[event], record))
            checker_report(checker, INVARIANT_NO_REUSE, "n%u saves %s again, and not the same",
                           number + 1, dot);
        return;
    }
    if (record->seq != counts_get(&node->have, author) + 1) {
        checker_report(checker, INVARIANT_CLOSED, "n%u delivers %s after seq %" PRIu64, number + 1,
                       dot, counts_get(&node->have, author));
        return;
    }
    if (record->delivery != node->delivery_count + 1) {
        checker_report(checker, INVARIANT_CLOSED,
                       "n%u gives %s delivery number %" PRIu64 ", and the last was %zu", number + 1,
                       dot, record->delivery, node->delivery_count);
        return;
    }
    /* What is saved with it may be a cut of which it learnt after it had delivered that. */
    cut = counts_get(&node->cuts_before, author);
    if (cut != 0 && record->seq >= cut) {
        checker_report(checker, INVARIANT_CLOSED,
                       "n%u delivers %s, and has cut its author at %" PRIu64, number + 1, dot, cut);
        return;
    }
    event = history_find_content(history, author, record->seq, record->hash);
    if (event == HISTORY_NONE) {
        event = create(checker, number, author, record);
        if (event == HISTORY_NONE)
            return;
        is_written = true;
    }
    if (!is_same(&history->events[event], record) ||
        history->events[event].before != checker_held_event(node, author, record->seq - 1)) {
        checker_report(checker, INVARIANT_BYTES,
                       "n%u saves other bytes, or after another event, than the author wrote\n  %s",
                       number + 1, checker_event_text(checker, event, text));
        return;
    }
    if (history->events[event].node != number)
        history->events[event].is_shown = true;
    missing = missing_cause(checker, node, event, &excused);
    checker->stats.excused += excused;
    if (missing != HISTORY_NONE) {
        checker_report(checker, INVARIANT_CLOSED,
                       "n%u delivers the second without the first, which was before it\n"
                       "  %s\n  %s",
                       number + 1, checker_event_text(checker, missing, other_text),
                       checker_event_text(checker, event, text));
        return;
    }
    if (!is_written) {
        follow_stamp(node, history->events[event].hlc);
        if (history->events[event].node == number || author == node->own)
            event_set_add(&node->regained, event);
    }
    deliver(checker, node, event);
}

/* The clock is saved with the events that it counts, in one save. */
static void save_clock(struct checker *checker, unsigned number,
                       const struct gossip_author_record *record)
{
    struct node_record *node = &checker->nodes[number];
    uint32_t author = checker_author(node, record->number);
    uint64_t have = author == HISTORY_NONE ? 0 : counts_get(&node->have, author);
    char dot[DOT_TEXT];

    checker->stats.checks++;
    if (author != HISTORY_NONE && record->have != have)
        checker_report(checker, INVARIANT_DURABLE,
                       "n%u saves the clock entry %s, and with this save it holds that author's "
                       "first %" PRIu64 " events",
                       number + 1, checker_dot_text(checker, author, record->have, dot), have);
}

/* A process counts itself; and where its disk was set back, peers tell it of boots that it has
 * forgotten, so that the next one is past them. There were such boots, of some process of its key.
 * Where it opens an epoch it leaps over all that there may have been. */
static void note_boot(struct checker *checker, unsigned number, uint64_t boot, bool is_opening)
{
    struct node_record *node = &checker->nodes[number];

    checker->stats.checks++;
    if (boot > node->started_boot + 1) {
        uint64_t most = most_boots(checker, node);

        if (boot > most + (is_opening ? AMNESIA_BOOTS_FORGOTTEN : 0))
            checker_report(checker, INVARIANT_MONOTONIC,
                           "n%u saves boot %" PRIu64 ", began with boot %" PRIu64
                           " on its disk, and no process of its key has counted more than %" PRIu64,
                           number + 1, boot, node->started_boot, most);
    }
    if (boot > node->boot_most)
        node->boot_most = boot;
}

static void save_meta(struct checker *checker, unsigned number,
                      const struct gossip_meta_record *meta, bool is_opening)
{
    struct node_record *node = &checker->nodes[number];

    if (strcmp(meta->name, "boot") == 0 && meta->bytes == NULL) {
        if (meta->number < node->boot)
            checker_report(checker, INVARIANT_MONOTONIC,
                           "n%u saves boot %" PRIu64 " after boot %" PRIu64, number + 1,
                           meta->number, node->boot);
        note_boot(checker, number, meta->number, is_opening);
        node->boot = meta->number;
    }
    if (strcmp(meta->name, "hlc") == 0 && meta->bytes == NULL) {
        if (meta->number < node->hlc)
            checker_report(checker, INVARIANT_MONOTONIC,
                           "n%u saves stamp %" PRIx64 " after stamp %" PRIx64, number + 1,
                           meta->number, node->hlc);
        node->hlc = meta->number;
    }
    if (strcmp(meta->name, "epoch") == 0 && meta->bytes != NULL &&
        meta->size == GOSSIP_EPOCH_SIZE) {
        memcpy(node->epoch, meta->bytes, GOSSIP_EPOCH_SIZE);
        node->has_epoch = true;
    }
}

/* Every event that a save delivers moves the clock in the same save. */
static void check_clock_saved(struct checker *checker, unsigned number,
                              const struct gossip_record *records, size_t count)
{
    const struct node_record *node = &checker->nodes[number];
    char dot[DOT_TEXT];

    for (size_t i = 0; i < count; i++) {
        bool found = false;

        if (records[i].kind != GOSSIP_RECORD_EVENT)
            continue;
        for (size_t j = 0; j < count && !found; j++)
            found = records[j].kind == GOSSIP_RECORD_AUTHOR &&
                    records[j].as.author.number == records[i].as.event.author;
        if (!found && checker_author(node, records[i].as.event.author) != HISTORY_NONE)
            checker_report(checker, INVARIANT_DURABLE,
                           "n%u saves %s without the clock entry that counts it", number + 1,
                           checker_dot_text(checker,
                                            checker_author(node, records[i].as.event.author),
                                            records[i].as.event.seq, dot));
    }
}

void checker_saved(struct checker *checker, unsigned number, const struct gossip_record *records,
                   size_t count, int result, bool is_durable)
{
    struct node_record *node = &checker->nodes[number];
    size_t delivered = node->delivery_count;
    size_t numbers = node->number_count;
    uint64_t boot = node->boot;
    uint64_t hlc = node->hlc;
    uint64_t hlc_least = node->hlc_least;
    uint64_t answered = node->answered;
    uint32_t own = node->own;
    bool must_open = node->must_open;
    bool may_fork = node->may_fork;
    unsigned epochs = node->epochs;
    bool is_opening = false;

    if (node->is_unknown) {
        checker_report(checker, INVARIANT_DURABLE,
                       "n%u saves after a save that failed, whose outcome is unknown", number + 1);
        return;
    }
    counts_copy(&node->cuts_before, &node->cuts);
    node->saving.own = own;
    node->saving.must_open = must_open;
    node->saving.may_fork = may_fork;
    for (size_t i = 0; i < count; i++)
        is_opening = is_opening || (own != HISTORY_NONE && records[i].kind == GOSSIP_RECORD_META &&
                                    strcmp(records[i].as.meta.name, "epoch") == 0);
    for (size_t i = 0; i < count; i++) {
        if (records[i].kind == GOSSIP_RECORD_META)
            save_meta(checker, number, &records[i].as.meta, is_opening);
    }
    for (size_t i = 0; i < count; i++) {
        if (records[i].kind == GOSSIP_RECORD_AUTHOR)
            learn_author(checker, number, &records[i].as.author, true);
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t author;

        if (records[i].kind != GOSSIP_RECORD_AUTHOR)
            continue;
        author = checker_author(node, records[i].as.author.number);
        if (author != HISTORY_NONE)
            save_cut(checker, number, author, records[i].as.author.cut);
    }
    for (size_t i = 0; i < count; i++) {
        if (records[i].kind == GOSSIP_RECORD_EVENT)
            save_event(checker, number, &records[i].as.event);
    }
    for (size_t i = 0; i < count; i++) {
        if (records[i].kind == GOSSIP_RECORD_AUTHOR)
            save_clock(checker, number, &records[i].as.author);
    }
    check_clock_saved(checker, number, records, count);
    if (node->delivery_count > delivered && node->hlc < node->hlc_least)
        checker_report(checker, INVARIANT_DURABLE,
                       "n%u saves an event with stamp %" PRIx64 ", and of its clock only %" PRIx64,
                       number + 1, node->hlc_least, node->hlc);
    if (checker->violation.invariant != INVARIANT_NONE)
        return;
    if (result == GOSSIP_OK) {
        node->known_count = node->delivery_count;
        if (!is_durable)
            return;
        node->durable_count = node->delivery_count;
        counts_copy(&node->durable, &node->have);
        counts_copy(&node->cuts_durable, &node->cuts);
        node->durable_boot = node->boot;
    } else if (result == GOSSIP_ERR_FULL || result == GOSSIP_ERR_NOMEM) {
        forget_deliveries(checker, number, delivered, false);
        node->number_count = numbers;
        counts_copy(&node->cuts, &node->cuts_before);
        node->own = own;
        node->answered = answered;
        node->must_open = must_open;
        node->may_fork = may_fork;
        node->epochs = epochs;
        node->boot = boot;
        node->hlc = hlc;
        node->hlc_least = hlc_least;
    } else {
        node->is_unknown = true;
        node->boot = boot;
        node->hlc = hlc;
        node->epochs_before = epochs;
        node->must_open_before = must_open;
        node->own_before = own;
    }
}

/* A walk over all that a store holds. */
struct walk {
    struct checker *checker;
    unsigned number;
    bool is_anew; /* What it holds, and in which order, is not known before. */
    size_t count;
    struct counts have;
    struct counts rows; /* The clock as its authors' rows have it, */
    struct counts cuts; /* and the cuts. */
    uint64_t boot;
    uint64_t hlc;
};

static int walk_record(void *context, const struct gossip_record *record)
{
    struct walk *walk = context;
    struct node_record *node = &walk->checker->nodes[walk->number];

    if (record->kind == GOSSIP_RECORD_META && record->as.meta.bytes == NULL) {
        if (strcmp(record->as.meta.name, "boot") == 0)
            walk->boot = record->as.meta.number;
        if (strcmp(record->as.meta.name, "hlc") == 0)
            walk->hlc = record->as.meta.number;
    }
    if (record->kind == GOSSIP_RECORD_META && record->as.meta.bytes != NULL &&
        strcmp(record->as.meta.name, "epoch") == 0 && record->as.meta.size == GOSSIP_EPOCH_SIZE) {
        memcpy(node->epoch, record->as.meta.bytes, GOSSIP_EPOCH_SIZE);
        node->has_epoch = true;
    }
    if (record->kind == GOSSIP_RECORD_AUTHOR) {
        uint32_t author;

        learn_author(walk->checker, walk->number, &record->as.author, false);
        author = checker_author(node, record->as.author.number);
        if (author != HISTORY_NONE) {
            counts_set(&walk->rows, author, record->as.author.have);
            counts_set(&walk->cuts, author, record->as.author.cut);
        }
    }
    return walk->checker->violation.invariant != INVARIANT_NONE;
}

/* A delivery of such a store: any event that somebody wrote, after the one before it.
 */
static int take_rebuilt(struct walk *walk, uint32_t author, const struct gossip_event_record *event)
{
    struct checker *checker = walk->checker;
    struct node_record *node = &checker->nodes[walk->number];
    uint32_t known = author == HISTORY_NONE
                         ? HISTORY_NONE
                         : history_find_content(&checker->history, author, event->seq, event->hash);

    if (known == HISTORY_NONE || !is_same(&checker->history.events[known], event) ||
        event->seq != counts_get(&node->have, author) + 1 || event->delivery != walk->count + 1) {
        checker_report(checker, INVARIANT_BYTES,
                       "n%u holds in a store that was set back or rebuilt, as delivery number "
                       "%" PRIu64 ", what nobody wrote there",
                       walk->number + 1, event->delivery);
        return 1;
    }
    walk->count++;
    counts_set(&walk->have, author, event->seq);
    deliver(checker, node, known);
    checker->stats.deliveries--;
    return 0;
}

static int walk_event(void *context, const struct gossip_record *record)
{
    struct walk *walk = context;
    struct checker *checker = walk->checker;
    struct node_record *node = &checker->nodes[walk->number];
    const struct gossip_event_record *event = &record->as.event;
    uint32_t author = checker_author(node, event->author);
    uint32_t known;
    char text[HISTORY_TEXT_MAX];

    checker->stats.checks++;
    if (walk->is_anew)
        return take_rebuilt(walk, author, event);
    if (walk->count == node->delivery_count || author == HISTORY_NONE) {
        checker_report(checker, INVARIANT_DURABLE,
                       "n%u holds a delivery number %" PRIu64 " that it never saved",
                       walk->number + 1, event->delivery);
        return 1;
    }
    known = node->deliveries[walk->count++];
    if (event->delivery != walk->count || checker->history.events[known].author != author ||
        checker->history.events[known].seq != event->seq) {
        checker_report(checker, INVARIANT_DURABLE,
                       "n%u holds as delivery number %" PRIu64 " another event than it saved\n  %s",
                       walk->number + 1, event->delivery, checker_event_text(checker, known, text));
        return 1;
    }
    if (!is_same(&checker->history.events[known], event)) {
        checker_report(checker, INVARIANT_BYTES,
                       "n%u holds other bytes than the author wrote\n  %s", walk->number + 1,
                       checker_event_text(checker, known, text));
        return 1;
    }
    counts_set(&walk->have, author, event->seq);
    return 0;
}

/* Compares all that is stored with the record. What the store returns. */
static int walk_store(struct walk *walk, struct gossip_store *store)
{
    struct checker *checker = walk->checker;
    int error = store->ops->load(store, walk_record, walk);

    if (error >= 0 && checker->violation.invariant == INVARIANT_NONE)
        error = store->ops->follow(store, 0, walk_event, walk);
    if (error < 0)
        return error;
    if (checker->violation.invariant == INVARIANT_NONE && !counts_equal(&walk->have, &walk->rows)) {
        char have[HISTORY_TEXT_MAX];
        char rows[HISTORY_TEXT_MAX];

        history_counts_text(&checker->history, &walk->have, have, sizeof(have));
        history_counts_text(&checker->history, &walk->rows, rows, sizeof(rows));
        checker_report(checker, INVARIANT_DURABLE,
                       "the clock that n%u has stored is not that of its events\n"
                       "  clock  %s\n  events %s",
                       walk->number + 1, rows, have);
    }
    return GOSSIP_OK;
}

static void walk_clear(struct walk *walk)
{
    counts_clear(&walk->have);
    counts_clear(&walk->rows);
    counts_clear(&walk->cuts);
}

/* What was saved is there, whole, and nothing else is. */
static void check_kept(struct checker *checker, const struct walk *walk)
{
    const struct node_record *node = &checker->nodes[walk->number];
    char text[HISTORY_TEXT_MAX];

    if (walk->count < node->known_count)
        checker_report(checker, INVARIANT_DURABLE,
                       "n%u has lost what it had saved: %zu of %zu deliveries are left\n  %s",
                       walk->number + 1, walk->count, node->known_count,
                       checker_event_text(checker, node->deliveries[walk->count], text));
    else if (walk->count != node->known_count && walk->count != node->delivery_count)
        checker_report(checker, INVARIANT_DURABLE,
                       "n%u holds a part of a save: %zu deliveries, of %zu before it and %zu "
                       "with it",
                       walk->number + 1, walk->count, node->known_count, node->delivery_count);
    else if (walk->boot < node->durable_boot || walk->hlc < node->hlc)
        checker_report(checker, INVARIANT_MONOTONIC,
                       "n%u starts from boot %" PRIu64 " and stamp %" PRIx64 ", having saved boot "
                       "%" PRIu64 " and stamp %" PRIx64,
                       walk->number + 1, walk->boot, walk->hlc, node->durable_boot, node->hlc);
    for (uint32_t i = 0; i < node->cuts_durable.capacity; i++) {
        uint64_t saved = node->cuts_durable.items[i];
        uint64_t stored = counts_get(&walk->cuts, i);
        char dot[DOT_TEXT];

        if (saved != 0 && (stored == 0 || stored > saved))
            checker_report(checker, INVARIANT_MONOTONIC,
                           "n%u starts with a cut at seq %" PRIu64 ", having saved one at %s",
                           walk->number + 1, stored, checker_dot_text(checker, i, saved, dot));
    }
}

/* Somebody has made the disk older: what it had shown is no measure any more, and of its own events
 * those that nobody else has are lost. */
static void set_back(struct checker *checker, unsigned number, enum checker_disk disk)
{
    struct node_record *node = &checker->nodes[number];

    for (uint32_t i = 0; i < checker->history.author_count; i++) {
        if (checker_is_own(checker, number, i))
            checker->history.authors[i].is_lossy = true;
    }
    counts_clear(&node->shown);
    node->was_set_back = true;
    node->reasons++;
    if (disk == CHECKER_SET_BACK_UNSEEN) {
        checker->stats.set_back_unseen++;
        node->may_fork = true;
        node->must_open = false;
    } else {
        checker->stats.set_back_seen++;
        node->must_open = node->own != HISTORY_NONE;
    }
}

/* A save of unknown outcome that has not come to pass has opened no epoch either. */
static void settle_epoch(struct node_record *node, uint32_t stored)
{
    if (node->is_unknown && stored == node->own_before) {
        node->epochs = node->epochs_before;
        node->must_open = node->must_open_before;
    }
    node->own = stored;
}

int checker_started(struct checker *checker, unsigned number, struct gossip_store *store,
                    enum checker_disk disk)
{
    struct node_record *node = &checker->nodes[number];
    /* Set back twice, it may hold what it held before it wrote other events in their place. */
    bool is_anew = disk == CHECKER_REBUILT || (disk != CHECKER_AS_IT_WAS && node->was_set_back);
    struct walk walk = {.checker = checker, .number = number, .is_anew = is_anew};
    int error;

    node->number_count = 0; /* As stored, from now on. */
    node->has_epoch = false;
    node->own = HISTORY_NONE;
    if (is_anew)
        forget_deliveries(checker, number, 0, true);
    error = walk_store(&walk, store);
    if (error < 0 || checker->violation.invariant != INVARIANT_NONE) {
        walk_clear(&walk);
        return error < 0 ? error : GOSSIP_OK;
    }
    checker->stats.restarts++;
    settle_epoch(node, node->own);
    node->epochs_told = node->epochs;
    if (disk == CHECKER_AS_IT_WAS)
        check_kept(checker, &walk);
    else
        set_back(checker, number, disk);
    if (node->is_unknown) {
        checker->stats.unknown++;
        if (walk.count > node->known_count)
            checker->stats.returned++;
    }
    if (checker->violation.invariant == INVARIANT_NONE) {
        forget_deliveries(checker, number, walk.count, disk != CHECKER_AS_IT_WAS);
        node->known_count = walk.count;
        node->durable_count = walk.count;
        counts_copy(&node->durable, &node->have);
        counts_copy(&node->cuts, &walk.cuts);
        counts_copy(&node->cuts_durable, &walk.cuts);
        /* What it was told of them is saved, and holds after a restart that counts them. */
        node->has_forgotten_boots =
            node->has_forgotten_boots || walk.boot < most_boots(checker, node);
        node->boot = walk.boot;
        node->durable_boot = walk.boot;
        node->started_boot = walk.boot;
        node->has_boot_id = false;
        if (walk.boot > node->boot_most)
            node->boot_most = walk.boot;
        node->hlc = walk.hlc;
        node->hlc_least = walk.hlc;
        node->answered = node->own == HISTORY_NONE ? 0 : counts_get(&node->have, node->own);
        node->is_unknown = false;
        node->is_up = true;
    }
    walk_clear(&walk);
    return GOSSIP_OK;
}

void checker_cloned(struct checker *checker, unsigned number, unsigned other)
{
    struct node_record *original = &checker->nodes[other];
    struct node_record *node = &checker->nodes[number];

    assert(node->delivery_count == 0 && !original->is_up);
    /* The copy has, and may show, what the original's disk would still forget. */
    for (size_t i = original->durable_count; i < original->delivery_count; i++)
        event_set_add(&original->copied, original->deliveries[i]);
    for (size_t i = 0; i < original->delivery_count; i++)
        deliver(checker, node, original->deliveries[i]);
    checker->stats.deliveries -= original->delivery_count;
    node->known_count = original->known_count;
    /* Its disk remembers how far the original's clock has been. */
    if (node->wall_most_ms < original->wall_most_ms)
        node->wall_most_ms = original->wall_most_ms;
}

void checker_put_away(struct checker *checker, unsigned number)
{
    assert(!checker->nodes[number].is_up);
    checker->nodes[number].is_away = true;
    for (uint32_t i = 0; i < checker->history.author_count; i++) {
        struct history_author *author = &checker->history.authors[i];
        bool is_held = false;

        for (unsigned j = 0; j < checker->node_max; j++)
            is_held = is_held || (!checker->nodes[j].is_away &&
                                  counts_get(&checker->nodes[j].have, i) == author->count);
        author->is_lossy = author->is_lossy || !is_held;
    }
}

void checker_allow_epoch(struct checker *checker, unsigned number)
{
    checker->nodes[number].reasons++;
}

void checker_ended(struct checker *checker, unsigned number)
{
    checker->nodes[number].is_up = false;
}

int checker_compare(struct checker *checker, unsigned number, struct gossip_store *store)
{
    const struct node_record *node = &checker->nodes[number];
    struct walk walk = {.checker = checker, .number = number};
    int error = walk_store(&walk, store);

    if (error >= 0 && checker->violation.invariant == INVARIANT_NONE &&
        walk.count != node->delivery_count)
        checker_report(checker, INVARIANT_DURABLE, "n%u holds %zu deliveries and has saved %zu",
                       number + 1, walk.count, node->delivery_count);
    walk_clear(&walk);
    return error;
}
