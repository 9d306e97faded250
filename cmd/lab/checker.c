/*
 * What is saved, started from, shown and delivered, against the record. overheard.c has datagrams.
 */
#include "cmd/lab/checker.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/lab/record.h"
#include "cmd/lab/room.h"
#include "gossip/frame.h"
#include "gossip/hlc.h"

enum {
    DOT_TEXT = 64,
    RELATIONS_AT_ONCE = 16,
};

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

static const char *event_text(const struct checker *checker, uint32_t event,
                              char text[HISTORY_TEXT_MAX])
{
    history_event_text(&checker->history, event, text, HISTORY_TEXT_MAX);
    return text;
}

static const char *dot_text(const struct checker *checker, uint32_t author, uint64_t seq,
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
static uint32_t author_of(const struct node_record *node, uint32_t number)
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
                           event_text(checker, event, text));
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
                       event_text(checker, event, text));
    else if (hlc_ms(stamp) > node->wall_most_ms + GOSSIP_HLC_AHEAD_MS + 1)
        checker_report(checker, INVARIANT_BOUNDS,
                       "n%u writes with stamp %" PRIx64
                       ", and its wall clock was never past %" PRIx64 "\n  %s",
                       number + 1, stamp, hlc_make(node->wall_most_ms, 0),
                       event_text(checker, event, text));
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

    dot_text(checker, author, record->seq, dot);
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
                       event_text(checker, other, reason), event_text(checker, event, other_text));
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
    uint32_t author = author_of(node, record->author);
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
    dot_text(checker, author, record->seq, dot);
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
                number + 1, event_text(checker, event, text), record->body_size, record->hash[0],
                record->hash[1], record->hash[2], record->hash[3]);
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
                       number + 1, event_text(checker, missing, other_text),
                       event_text(checker, event, text));
        return;
    }
    for (uint32_t i = 0; event >= HISTORY_EXACT && i < history->author_count; i++) {
        uint64_t needed = counts_get(&history->events[event].truth, i);

        if (needed > counts_get(&node->have, i)) {
            checker_report(
                checker, INVARIANT_CLOSED,
                "n%u delivers the second without the first, which was before it\n  %s\n  %s",
                number + 1, event_text(checker, history_find(history, i, needed), other_text),
                event_text(checker, event, text));
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
    uint32_t author = author_of(node, record->number);
    uint64_t have = author == HISTORY_NONE ? 0 : counts_get(&node->have, author);
    char dot[DOT_TEXT];

    checker->stats.checks++;
    if (author != HISTORY_NONE && record->have != have)
        checker_report(checker, INVARIANT_DURABLE,
                       "n%u saves the clock entry %s, and with this save it holds that author's "
                       "first %" PRIu64 " events",
                       number + 1, dot_text(checker, author, record->have, dot), have);
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
        if (!found && author_of(node, records[i].as.event.author) != HISTORY_NONE)
            checker_report(checker, INVARIANT_DURABLE,
                           "n%u saves %s without the clock entry that counts it", number + 1,
                           dot_text(checker, author_of(node, records[i].as.event.author),
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
        if (author_of(node, record->as.author.number) != HISTORY_NONE)
            counts_set(&walk->rows, author_of(node, record->as.author.number),
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
    uint32_t author = author_of(node, event->author);
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
                       walk->number + 1, event->delivery, event_text(checker, known, text));
        return 1;
    }
    if (!is_same(&checker->history.events[known], event)) {
        checker_report(checker, INVARIANT_BYTES,
                       "n%u holds other bytes than the author wrote\n  %s", walk->number + 1,
                       event_text(checker, known, text));
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
                       event_text(checker, node->deliveries[walk.count], text));
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

static void check_entry(struct checker *checker, unsigned number, const char *what, uint32_t author,
                        uint64_t shown, uint64_t held)
{
    char dot[DOT_TEXT];

    checker->stats.checks++;
    if (shown > held)
        checker_report(checker, INVARIANT_DURABLE,
                       "%s of n%u shows %s, and its disk holds %" PRIu64 " of that author", what,
                       number + 1, dot_text(checker, author, shown, dot), held);
    else if (shown < held)
        checker_report(checker, INVARIANT_MONOTONIC,
                       "%s of n%u shows %s, and its disk holds %" PRIu64 " of that author", what,
                       number + 1, dot_text(checker, author, shown, dot), held);
}

static void check_clock(struct checker *checker, unsigned number, const struct gossip_vclock *clock)
{
    const struct node_record *node = &checker->nodes[number];
    size_t shown = 0;
    size_t held = 0;

    for (size_t i = 0; i < clock->count; i++) {
        uint32_t author = author_of(node, clock->authors[i]);

        if (author == HISTORY_NONE) {
            checker_report(checker, INVARIANT_DURABLE,
                           "the clock of n%u shows an author that it has not saved", number + 1);
            return;
        }
        check_entry(checker, number, "the clock", author, clock->counters[i],
                    counts_get(&node->have, author));
        shown += clock->counters[i] > 0;
    }
    for (uint32_t i = 0; i < node->have.capacity; i++)
        held += node->have.items[i] > 0;
    if (shown < held)
        checker_report(checker, INVARIANT_MONOTONIC,
                       "the clock of n%u shows %zu authors, and its disk holds events of %zu",
                       number + 1, shown, held);
}

/* The first of the application's events at this place of the deliveries or after it. */
static size_t next_shown(const struct checker *checker, const struct node_record *node,
                         size_t place)
{
    for (; place < node->delivery_count; place++) {
        if (checker->history.events[node->deliveries[place]].kind != GOSSIP_EVENT_CONTEXT)
            break;
    }
    return place;
}

/* The first of the application's events of its own after seq answered; its last seq, and one more,
 * if there is none. */
static uint64_t next_answered(const struct checker *checker, const struct node_record *node)
{
    uint64_t last = node->own == HISTORY_NONE ? 0 : counts_get(&node->have, node->own);
    uint64_t seq = node->answered + 1;

    for (; seq <= last; seq++) {
        uint32_t event = history_find(&checker->history, node->own, seq);

        if (checker->history.events[event].kind != GOSSIP_EVENT_CONTEXT)
            break;
    }
    return seq;
}

/* Nothing is swallowed: what was written for a publication has been returned as its result, and
 * what was delivered has been shown. */
static void check_all_told(struct checker *checker, unsigned number)
{
    struct node_record *node = &checker->nodes[number];
    char dot[DOT_TEXT];

    checker->stats.checks += 2;
    if (next_shown(checker, node, node->next_pop) < node->delivery_count)
        checker_report(checker, INVARIANT_CLOSED,
                       "n%u has delivered %zu events and keeps those past delivery %zu to itself",
                       number + 1, node->delivery_count, node->next_pop);
    if (node->own == HISTORY_NONE || node->is_clone)
        return;
    if (next_answered(checker, node) <= counts_get(&node->have, node->own))
        checker_report(checker, INVARIANT_DURABLE, "n%u has written %s and returned it to nobody",
                       number + 1, dot_text(checker, node->own, next_answered(checker, node), dot));
    else
        node->answered = counts_get(&node->have, node->own);
}

static void check_state(struct checker *checker, unsigned number, struct gossip *gossip)
{
    const struct node_record *node = &checker->nodes[number];
    struct gossip_stats stats;

    if (node->is_unknown) {
        checker_report(checker, INVARIANT_DURABLE,
                       "n%u goes on after a save that failed, whose outcome is unknown",
                       number + 1);
        return;
    }
    check_clock(checker, number, gossip_clock(gossip));
    gossip_stats(gossip, &stats);
    checker->stats.checks += 4;
    if (stats.held_events > GOSSIP_PENDING_EVENTS || stats.held_bytes > GOSSIP_PENDING_BYTES ||
        stats.runs_held > GOSSIP_RUNS_HELD || stats.runs_bytes > GOSSIP_RUNS_BYTES)
        checker_report(checker, INVARIANT_BOUNDS,
                       "n%u holds back %" PRIu64 " events of %" PRIu64 " bytes and %" PRIu64
                       " runs of %" PRIu64 " bytes; %d, %d, %d and %d are allowed",
                       number + 1, stats.held_events, stats.held_bytes, stats.runs_held,
                       stats.runs_bytes, (int)GOSSIP_PENDING_EVENTS, (int)GOSSIP_PENDING_BYTES,
                       (int)GOSSIP_RUNS_HELD, (int)GOSSIP_RUNS_BYTES);
}

void checker_stepped(struct checker *checker, unsigned number, struct gossip *gossip)
{
    check_state(checker, number, gossip);
    check_all_told(checker, number);
}

/* Whether the body of event carries this payload. */
static bool carries(const struct history_event *event, const void *payload, size_t size)
{
    const uint8_t *found;
    size_t found_size;
    struct frame frame;

    return frame_read(event->body, event->size, &frame) &&
           payload_find(&frame, &found, &found_size) && found_size == size &&
           (size == 0 || memcmp(found, payload, size) == 0);
}

/* Whether an event is shown with what its author put into it. */
static bool is_as_written(const struct history_event *event, const struct gossip_event *shown)
{
    return shown->kind == event->kind && shown->hlc == event->hlc &&
           shown->time_ms == hlc_ms(event->hlc) &&
           (event->kind == GOSSIP_EVENT_CONTEXT || carries(event, shown->data, shown->size));
}

void checker_result(struct checker *checker, unsigned number, const struct gossip_result *result,
                    const void *payload, size_t size)
{
    struct node_record *node = &checker->nodes[number];
    uint32_t author = author_of(node, result->dot.author);
    uint32_t event;
    char dot[DOT_TEXT];
    char text[HISTORY_TEXT_MAX];

    if (result->error != GOSSIP_OK)
        return;
    checker->stats.checks += 2;
    if (author == HISTORY_NONE) {
        checker_report(checker, INVARIANT_DURABLE,
                       "n%u returns a dot of an author that it has not saved", number + 1);
        return;
    }
    dot_text(checker, author, result->dot.seq, dot);
    if (node->is_unknown || result->dot.seq == 0 ||
        result->dot.seq > counts_get(&node->durable, author)) {
        checker_report(checker, INVARIANT_DURABLE,
                       "n%u returns %s as written, and its disk would forget it", number + 1, dot);
        return;
    }
    if (author == node->own && !node->is_clone) {
        if (result->dot.seq != next_answered(checker, node)) {
            checker_report(checker, INVARIANT_BYTES,
                           "n%u returns %s as what it was asked to publish next, and that is seq "
                           "%" PRIu64,
                           number + 1, dot, next_answered(checker, node));
            return;
        }
        node->answered = result->dot.seq;
    }
    event = history_find(&checker->history, author, result->dot.seq);
    checker->history.events[event].is_shown = true;
    if (!carries(&checker->history.events[event], payload, size))
        checker_report(checker, INVARIANT_BYTES,
                       "n%u was asked to publish %zu bytes and returns an event with others\n  %s",
                       number + 1, size, event_text(checker, event, text));
}

/* Among honest nodes nobody refuses anything, and nobody disagrees. */
void checker_notice(struct checker *checker, unsigned number, const struct gossip_notice *notice)
{
    checker->stats.checks++;
    if (notice->kind == GOSSIP_NOTICE_REFUSED)
        checker_report(checker, INVARIANT_ORDER, "n%u refuses seq %" PRIu64 " of %s for ever",
                       number + 1, notice->dot.seq, notice->name);
    if (notice->kind == GOSSIP_NOTICE_DISAGREES)
        checker_report(checker, INVARIANT_NO_REUSE,
                       "n%u hears of another event under seq %" PRIu64 " of %s", number + 1,
                       notice->dot.seq, notice->name);
}

void checker_cursor(struct checker *checker, unsigned number, uint64_t after)
{
    checker->nodes[number].next_pop = (size_t)after;
}

void checker_popped(struct checker *checker, unsigned number, const struct gossip_event *shown)
{
    struct node_record *node = &checker->nodes[number];
    struct history *history = &checker->history;
    struct history_event *event;
    struct counts clock = {0};
    char text[HISTORY_TEXT_MAX];
    char clock_text[HISTORY_TEXT_MAX];

    checker->stats.popped++;
    checker->stats.checks += 3;
    node->next_pop = next_shown(checker, node, node->next_pop);
    if (node->next_pop >= node->durable_count) {
        checker_report(checker, INVARIANT_DURABLE,
                       "n%u shows delivery number %" PRIu64 ", and its disk holds %zu deliveries",
                       number + 1, shown->delivery, node->durable_count);
        return;
    }
    event = &history->events[node->deliveries[node->next_pop]];
    node->next_pop++;
    event->is_shown = true;
    if (author_of(node, shown->dot.author) != event->author || shown->dot.seq != event->seq ||
        shown->delivery != node->next_pop) {
        checker_report(checker, INVARIANT_CLOSED,
                       "n%u shows delivery number %" PRIu64 ", and that was another\n  %s",
                       number + 1, shown->delivery,
                       event_text(checker, (uint32_t)(event - history->events), text));
        return;
    }
    if (!is_as_written(event, shown)) {
        checker_report(checker, INVARIANT_BYTES, "n%u shows another payload, kind or stamp\n  %s",
                       number + 1, event_text(checker, (uint32_t)(event - history->events), text));
        return;
    }
    for (size_t i = 0; i < shown->clock->count; i++) {
        uint32_t author = author_of(node, shown->clock->authors[i]);

        if (author != HISTORY_NONE)
            counts_set(&clock, author, shown->clock->counters[i]);
    }
    counts_set(&clock, event->author, counts_get(&clock, event->author) - 1);
    if (!counts_equal(&clock, &event->truth)) {
        history_counts_text(history, &clock, clock_text, sizeof(clock_text));
        checker_report(checker, INVARIANT_CAUSAL, "n%u shows an event with the context %s\n  %s",
                       number + 1, clock_text,
                       event_text(checker, (uint32_t)(event - history->events), text));
    }
    counts_clear(&clock);
}

/* A local number of an author of the history, at node; UINT32_MAX if it has none. */
static uint32_t local_number(const struct node_record *node, uint32_t author)
{
    for (uint32_t i = 0; i < node->number_count; i++) {
        if (node->numbers[i] == author)
            return i;
    }
    return UINT32_MAX;
}

static void check_relation(struct checker *checker, unsigned number, struct gossip *gossip)
{
    struct node_record *node = &checker->nodes[number];
    const struct history *history = &checker->history;
    uint64_t first = splitmix_below(&checker->lots, node->delivery_count);
    uint64_t second = splitmix_below(&checker->lots, node->delivery_count);
    uint32_t a = node->deliveries[first];
    uint32_t b = node->deliveries[second];
    struct gossip_dot dot_a = {local_number(node, history->events[a].author),
                               history->events[a].seq};
    struct gossip_dot dot_b = {local_number(node, history->events[b].author),
                               history->events[b].seq};
    enum gossip_relation right = GOSSIP_CONCURRENT;
    enum gossip_relation said;
    char text_a[HISTORY_TEXT_MAX];
    char text_b[HISTORY_TEXT_MAX];
    int error = gossip_relation(gossip, dot_a, dot_b, &said);

    checker->stats.relations++;
    checker->stats.checks++;
    if (a == b)
        right = GOSSIP_EQUAL;
    else if (history_before(history, a, b))
        right = GOSSIP_BEFORE;
    else if (history_before(history, b, a))
        right = GOSSIP_AFTER;
    if (error < 0)
        checker_report(checker, INVARIANT_CAUSAL, "n%u cannot tell a relation: %s\n  %s\n  %s",
                       number + 1, gossip_strerror(error), event_text(checker, a, text_a),
                       event_text(checker, b, text_b));
    else if (said != right)
        checker_report(checker, INVARIANT_CAUSAL,
                       "n%u says that the first is %s the second, and it is %s\n  %s\n  %s",
                       number + 1, gossip_relation_name(said), gossip_relation_name(right),
                       event_text(checker, a, text_a), event_text(checker, b, text_b));
}

void checker_ask(struct checker *checker, unsigned number, struct gossip *gossip)
{
    struct node_record *node = &checker->nodes[number];
    const struct history *history = &checker->history;
    uint32_t known = node->deliveries[splitmix_below(&checker->lots, node->delivery_count)];
    const struct history_event *event = &history->events[known];
    uint32_t author = local_number(node, event->author);
    struct gossip_author shown_author;
    struct gossip_event shown;
    char text[HISTORY_TEXT_MAX];

    checker->stats.checks += 2;
    if (gossip_author(gossip, author, &shown_author) < 0 ||
        memcmp(shown_author.id, history->authors[event->author].id, GOSSIP_ID_SIZE) != 0 ||
        shown_author.have != counts_get(&node->have, event->author) ||
        (shown_author.is_self != (author == gossip_self(gossip))) ||
        (shown_author.is_self && event->author != node->own && !node->is_clone))
        checker_report(checker, INVARIANT_BYTES, "n%u tells something else of the author of\n  %s",
                       number + 1, event_text(checker, known, text));
    else if (gossip_event_get(gossip, (struct gossip_dot){author, event->seq}, &shown) < 0 ||
             shown.dot.author != author || shown.dot.seq != event->seq ||
             !is_as_written(event, &shown))
        checker_report(checker, INVARIANT_BYTES, "n%u does not show as it was written\n  %s",
                       number + 1, event_text(checker, known, text));
}

struct faults {
    struct checker *checker;
    unsigned number;
};

static void report_fault(void *context, const char *line)
{
    const struct faults *faults = context;

    checker_report(faults->checker, INVARIANT_BYTES, "n%u does not verify: %s", faults->number + 1,
                   line);
}

/* Of the authors' next events after shown, whose causes are in it, the one that the displayed order
 * has next; HISTORY_NONE if there is none. */
static uint32_t next_in_log(const struct history *history, const struct counts *have,
                            const struct counts *shown)
{
    uint32_t first = HISTORY_NONE;

    for (uint32_t i = 0; i < history->author_count; i++) {
        uint64_t seq = counts_get(shown, i) + 1;
        uint32_t next = seq > counts_get(have, i) ? HISTORY_NONE : history_find(history, i, seq);
        const struct history_event *event;
        int order;

        if (next == HISTORY_NONE)
            continue;
        event = &history->events[next];
        if (!counts_cover(shown, &event->truth))
            continue;
        order = first == HISTORY_NONE || event->hlc < history->events[first].hlc ? -1
                : event->hlc > history->events[first].hlc
                    ? 1
                    : memcmp(history->authors[i].id,
                             history->authors[history->events[first].author].id, GOSSIP_ID_SIZE);
        if (order < 0)
            first = next;
    }
    return first;
}

void checker_read_log(struct checker *checker, unsigned number, struct gossip *gossip)
{
    struct node_record *node = &checker->nodes[number];
    struct history *history = &checker->history;
    struct counts shown = {0};
    struct gossip_event event;
    struct gossip_log *log;
    size_t count = 0;
    int found = gossip_log_open(gossip, &log);

    if (found < 0) {
        checker_report(checker, INVARIANT_BOUNDS, "n%u shows no log: %s", number + 1,
                       gossip_strerror(found));
        return;
    }
    while ((found = gossip_log_next(log, &event)) == 1) {
        uint32_t author = author_of(node, event.dot.author);
        uint32_t known = history_find(history, author, event.dot.seq);
        uint32_t next = next_in_log(history, &node->have, &shown);
        char text[HISTORY_TEXT_MAX];
        char other_text[HISTORY_TEXT_MAX];

        checker->stats.checks++;
        if (known == HISTORY_NONE || next == HISTORY_NONE) {
            checker_report(checker, INVARIANT_ORDER,
                           "the log of n%u shows seq %" PRIu64 " of author number %" PRIu32
                           ", which is not there or was shown",
                           number + 1, event.dot.seq, event.dot.author);
            break;
        }
        if (known != next) {
            checker_report(checker, INVARIANT_ORDER,
                           "the log of n%u shows the second where the first is next\n  %s\n  %s",
                           number + 1, event_text(checker, next, text),
                           event_text(checker, known, other_text));
            break;
        }
        counts_set(&shown, author, event.dot.seq);
        count++;
    }
    gossip_log_close(log);
    counts_clear(&shown);
    if (found < 0 || (found == 0 && count != node->delivery_count))
        checker_report(checker, INVARIANT_ORDER, "the log of n%u shows %zu of %zu events%s%s",
                       number + 1, count, node->delivery_count, found < 0 ? ": " : "",
                       found < 0 ? gossip_strerror(found) : "");
}

void checker_verify(struct checker *checker, unsigned number, struct gossip *gossip)
{
    struct faults faults = {checker, number};
    int error = gossip_verify(gossip, report_fault, &faults, NULL);

    if (error < 0)
        checker_report(checker, INVARIANT_BYTES, "n%u cannot be verified: %s", number + 1,
                       gossip_strerror(error));
}

void checker_examine(struct checker *checker, unsigned number, struct gossip *gossip,
                     struct gossip_store *store)
{
    struct node_record *node = &checker->nodes[number];
    struct walk walk = {.checker = checker, .number = number};
    int error = walk_store(&walk, store);

    if (error < 0)
        checker_report(checker, INVARIANT_BOUNDS, "what n%u has stored cannot be read: %s: %s",
                       number + 1, gossip_strerror(error), store->ops->explain(store));
    else if (checker->violation.invariant == INVARIANT_NONE && walk.count != node->delivery_count)
        checker_report(checker, INVARIANT_DURABLE, "n%u holds %zu deliveries and has saved %zu",
                       number + 1, walk.count, node->delivery_count);
    walk_clear(&walk);
    if (checker->violation.invariant != INVARIANT_NONE)
        return;
    check_state(checker, number, gossip);
    for (unsigned i = 0; i < RELATIONS_AT_ONCE && node->delivery_count > 0; i++)
        check_relation(checker, number, gossip);
    if (node->delivery_count > 0)
        checker_ask(checker, number, gossip);
}

bool checker_agree(const struct checker *checker, const unsigned *nodes, size_t count)
{
    const struct history *history = &checker->history;

    for (size_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < history->author_count; j++) {
            if (counts_get(&checker->nodes[nodes[i]].have, j) != history->authors[j].count)
                return false;
        }
    }
    return true;
}

void checker_disagreement(const struct checker *checker, const unsigned *nodes, size_t count,
                          char *ret_text, size_t size)
{
    const struct history *history = &checker->history;
    size_t used = 0;

    if (size > 0)
        ret_text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < history->author_count && used + 2 * DOT_TEXT < size; j++) {
            uint64_t have = counts_get(&checker->nodes[nodes[i]].have, j);
            char dot[DOT_TEXT];

            if (have == history->authors[j].count)
                continue;
            used += (size_t)snprintf(
                ret_text + used, size - used, "\n  n%u holds %" PRIu64 " of the events up to %s",
                nodes[i] + 1, have, dot_text(checker, j, history->authors[j].count, dot));
        }
    }
}
