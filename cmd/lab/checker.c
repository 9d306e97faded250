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
        counts_clear(&node->have);
        counts_clear(&node->durable);
        counts_clear(&node->shown);
    }
    history_clear(&checker->history);
    free(checker->nodes);
    free(checker->pairs);
    free(checker->stream);
    free(checker);
}

void checker_add_node(struct checker *checker, unsigned node,
                      const struct gossip_identity *identity)
{
    assert(node < checker->node_max);
    checker->nodes[node].identity = identity;
    checker->nodes[node].own = HISTORY_NONE;
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

/* The history's number of a local author of node, or HISTORY_NONE. */
uint32_t checker_author(const struct node_record *node, uint32_t number)
{
    return number < node->number_count ? node->numbers[number] : HISTORY_NONE;
}

static void learn_author(struct checker *checker, unsigned number,
                         const struct gossip_author_record *record)
{
    struct node_record *node = &checker->nodes[number];
    uint32_t author = history_find_author(&checker->history, record->id);

    if (record->number > node->number_count) {
        checker_report(checker, INVARIANT_BOUNDS,
                       "n%u saves author number %" PRIu32 " and knows %zu", number + 1,
                       record->number, node->number_count);
        return;
    }
    if (author == HISTORY_NONE) {
        unsigned owner = owner_of(checker, record->key);

        if (owner == UINT_MAX || (owner != number && checker->nodes[number].identity !=
                                                         checker->nodes[owner].identity)) {
            checker_report(checker, INVARIANT_DURABLE,
                           "n%u saves an author that %s has not saved itself", number + 1,
                           owner == UINT_MAX ? "nobody's key is of, and its owner" : "its owner");
            return;
        }
        for (size_t i = 0; i < checker->history.author_count; i++) {
            if (memcmp(checker->history.authors[i].epoch, record->epoch, GOSSIP_EPOCH_SIZE) == 0)
                checker_report(checker, INVARIANT_NO_REUSE,
                               "n%u makes an epoch that n%u has made before", number + 1,
                               checker->history.authors[i].node + 1);
        }
        author = history_add_author(&checker->history, record->id, record->epoch, owner);
    }
    if (checker->history.authors[author].node == number && record->number == node->number_count) {
        if (node->own != HISTORY_NONE && !node->is_clone) {
            checker_report(checker, INVARIANT_MONOTONIC,
                           "n%u opens a new epoch, and its disk was never set back", number + 1);
            return;
        }
        node->own = author;
    }
    if (record->number == node->number_count) {
        node->numbers = room_for(node->numbers, &node->number_capacity, node->number_count + 1,
                                 sizeof(*node->numbers));
        node->numbers[node->number_count++] = author;
    } else if (node->numbers[record->number] != author) {
        checker_report(checker, INVARIANT_MONOTONIC, "n%u gives author number %" PRIu32 " twice",
                       number + 1, record->number);
    }
}

static void deliver(struct checker *checker, struct node_record *node, uint32_t event)
{
    const struct history_event *delivered = &checker->history.events[event];

    node->deliveries = room_for(node->deliveries, &node->delivery_capacity,
                                node->delivery_count + 1, sizeof(*node->deliveries));
    node->deliveries[node->delivery_count++] = event;
    event_set_add(&node->delivered, event);
    counts_set(&node->have, delivered->author, delivered->seq);
    checker->stats.deliveries++;
}

/* Takes the last deliveries back until count are left: they have never come to pass. */
static void forget_deliveries(struct checker *checker, unsigned number, size_t count)
{
    struct node_record *node = &checker->nodes[number];
    char text[HISTORY_TEXT_MAX];

    while (node->delivery_count > count) {
        uint32_t event = node->deliveries[--node->delivery_count];
        const struct history_event *forgotten = &checker->history.events[event];

        event_set_remove(&node->delivered, event);
        counts_set(&node->have, forgotten->author, forgotten->seq - 1);
        if (forgotten->node != number || node->is_clone)
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

/* An event that only its author can have written, now. */
static uint32_t create(struct checker *checker, unsigned number, uint32_t author,
                       const struct gossip_event_record *record)
{
    struct history *history = &checker->history;
    struct node_record *node = &checker->nodes[number];
    char reason[HISTORY_TEXT_MAX];
    char other_text[HISTORY_TEXT_MAX];
    char dot[DOT_TEXT];
    uint32_t before = history_find(history, author, record->seq - 1);
    uint32_t event;
    uint32_t other;

    checker_dot_text(checker, author, record->seq, dot);
    if (history->authors[author].node != number && !node->is_clone) {
        checker_report(checker, INVARIANT_BYTES, "n%u saves %s, which its author has not written",
                       number + 1, dot);
        return HISTORY_NONE;
    }
    if (record->seq != history->authors[author].count + 1) {
        checker_report(checker, INVARIANT_MONOTONIC, "n%u writes %s after seq %zu", number + 1, dot,
                       history->authors[author].count);
        return HISTORY_NONE;
    }
    event = history_add(history, author, number, checker->time_ms, record, &node->delivered,
                        &node->have, reason);
    if (event == HISTORY_NONE) {
        checker_report(checker, INVARIANT_CAUSAL, "n%u writes %s: %s", number + 1, dot, reason);
        return HISTORY_NONE;
    }
    checker->stats.events++;
    if (before != HISTORY_NONE && history->events[before].hlc >= history->events[event].hlc)
        checker_report(checker, INVARIANT_MONOTONIC,
                       "n%u writes %s with stamp %" PRIx64 " after stamp %" PRIx64, number + 1, dot,
                       history->events[event].hlc, history->events[before].hlc);
    check_stamp(checker, number, event);
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

static void save_event(struct checker *checker, unsigned number,
                       const struct gossip_event_record *record)
{
    struct history *history = &checker->history;
    struct node_record *node = &checker->nodes[number];
    uint32_t author = checker_author(node, record->author);
    char text[HISTORY_TEXT_MAX];
    char other_text[HISTORY_TEXT_MAX];
    char dot[DOT_TEXT];
    uint32_t event;
    uint32_t missing;

    if (author == HISTORY_NONE) {
        checker_report(checker, INVARIANT_BOUNDS,
                       "n%u saves an event of author number %" PRIu32 ", which it has not",
                       number + 1, record->author);
        return;
    }
    checker_dot_text(checker, author, record->seq, dot);
    event = history_find(history, author, record->seq);
    checker->stats.checks += 4;
    if (record->seq <= counts_get(&node->have, author)) {
        /* Saved again, as it may be to add a seal. */
        if (event == HISTORY_NONE || !is_same(&history->events[event], record))
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
    if (event == HISTORY_NONE) {
        event = create(checker, number, author, record);
        if (event == HISTORY_NONE)
            return;
    } else if (!is_same(&history->events[event], record)) {
        {
            checker_report(
                checker,
                history->authors[author].node == number ? INVARIANT_NO_REUSE : INVARIANT_BYTES,
                "n%u saves another content for a dot that has one\n  %s\n  %zu bytes, hash "
                "%02x%02x%02x%02x",
                number + 1, checker_event_text(checker, event, text), record->body_size,
                record->hash[0], record->hash[1], record->hash[2], record->hash[3]);
            return;
        }
    } else if (history->events[event].node != number) {
        history->events[event].is_shown = true;
    }
    missing = event_set_missing(&history->events[event].past, &node->delivered);
    if (missing != HISTORY_NONE) {
        checker_report(checker, INVARIANT_CLOSED,
                       "n%u delivers the second without the first, which was before it\n"
                       "  %s\n  %s",
                       number + 1, checker_event_text(checker, missing, other_text),
                       checker_event_text(checker, event, text));
        return;
    }
    for (uint32_t i = 0; event >= HISTORY_EXACT && i < history->author_count; i++) {
        uint64_t needed = counts_get(&history->events[event].truth, i);

        if (needed > counts_get(&node->have, i)) {
            checker_report(
                checker, INVARIANT_CLOSED,
                "n%u delivers the second without the first, which was before it\n  %s\n  %s",
                number + 1,
                checker_event_text(checker, history_find(history, i, needed), other_text),
                checker_event_text(checker, event, text));
            return;
        }
    }
    if (history->events[event].node != number)
        follow_stamp(node, history->events[event].hlc);
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

static void save_meta(struct checker *checker, unsigned number,
                      const struct gossip_meta_record *meta)
{
    struct node_record *node = &checker->nodes[number];

    if (strcmp(meta->name, "boot") == 0 && meta->bytes == NULL) {
        if (meta->number < node->boot)
            checker_report(checker, INVARIANT_MONOTONIC,
                           "n%u saves boot %" PRIu64 " after boot %" PRIu64, number + 1,
                           meta->number, node->boot);
        node->boot = meta->number;
    }
    if (strcmp(meta->name, "hlc") == 0 && meta->bytes == NULL) {
        if (meta->number < node->hlc)
            checker_report(checker, INVARIANT_MONOTONIC,
                           "n%u saves stamp %" PRIx64 " after stamp %" PRIx64, number + 1,
                           meta->number, node->hlc);
        node->hlc = meta->number;
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
    uint32_t own = node->own;

    if (node->is_unknown) {
        checker_report(checker, INVARIANT_DURABLE,
                       "n%u saves after a save that failed, whose outcome is unknown", number + 1);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (records[i].kind == GOSSIP_RECORD_AUTHOR)
            learn_author(checker, number, &records[i].as.author);
        else if (records[i].kind == GOSSIP_RECORD_META)
            save_meta(checker, number, &records[i].as.meta);
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
        node->durable_boot = node->boot;
    } else if (result == GOSSIP_ERR_FULL || result == GOSSIP_ERR_NOMEM) {
        forget_deliveries(checker, number, delivered);
        node->number_count = numbers;
        node->own = own;
        node->boot = boot;
        node->hlc = hlc;
        node->hlc_least = hlc_least;
    } else {
        node->is_unknown = true;
        node->boot = boot;
        node->hlc = hlc;
    }
}

/* A walk over all that a store holds. */
struct walk {
    struct checker *checker;
    unsigned number;
    size_t count;
    struct counts have;
    struct counts rows; /* The clock as its authors' rows have it. */
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
    if (record->kind == GOSSIP_RECORD_AUTHOR) {
        learn_author(walk->checker, walk->number, &record->as.author);
        if (checker_author(node, record->as.author.number) != HISTORY_NONE)
            counts_set(&walk->rows, checker_author(node, record->as.author.number),
                       record->as.author.have);
    }
    return walk->checker->violation.invariant != INVARIANT_NONE;
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
}

int checker_started(struct checker *checker, unsigned number, struct gossip_store *store,
                    bool was_set_back)
{
    struct node_record *node = &checker->nodes[number];
    struct walk walk = {.checker = checker, .number = number};
    char text[HISTORY_TEXT_MAX];

    int error;

    node->number_count = 0; /* As stored, from now on. */
    node->own = HISTORY_NONE;
    node->is_clone = node->is_clone || was_set_back;
    error = walk_store(&walk, store);
    if (error < 0 || checker->violation.invariant != INVARIANT_NONE) {
        walk_clear(&walk);
        return error < 0 ? error : GOSSIP_OK;
    }
    checker->stats.restarts++;
    if (was_set_back) {
        ; /* Anything may be gone, and is told by what it writes next. */
    } else if (walk.count < node->known_count) {
        checker_report(checker, INVARIANT_DURABLE,
                       "n%u has lost what it had saved: %zu of %zu deliveries are left\n  %s",
                       number + 1, walk.count, node->known_count,
                       checker_event_text(checker, node->deliveries[walk.count], text));
    } else if (walk.count != node->known_count && walk.count != node->delivery_count) {
        checker_report(checker, INVARIANT_DURABLE,
                       "n%u holds a part of a save: %zu deliveries, of %zu before it and %zu "
                       "with it",
                       number + 1, walk.count, node->known_count, node->delivery_count);
    } else if (walk.boot < node->durable_boot || walk.hlc < node->hlc) {
        checker_report(checker, INVARIANT_MONOTONIC,
                       "n%u starts from boot %" PRIu64 " and stamp %" PRIx64 ", having saved boot "
                       "%" PRIu64 " and stamp %" PRIx64,
                       number + 1, walk.boot, walk.hlc, node->durable_boot, node->hlc);
    }
    if (node->is_unknown) {
        checker->stats.unknown++;
        if (walk.count > node->known_count)
            checker->stats.returned++;
    }
    if (checker->violation.invariant == INVARIANT_NONE) {
        forget_deliveries(checker, number, walk.count);
        node->known_count = walk.count;
        node->durable_count = walk.count;
        counts_copy(&node->durable, &node->have);
        node->boot = walk.boot;
        node->durable_boot = walk.boot;
        node->started_boot = walk.boot;
        node->has_boot_id = false;
        node->hlc = walk.hlc;
        node->hlc_least = walk.hlc;
        node->answered = node->own == HISTORY_NONE ? 0 : counts_get(&node->have, node->own);
        node->is_unknown = false;
        node->is_up = true;
    }
    walk_clear(&walk);
    return GOSSIP_OK;
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
