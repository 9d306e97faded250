/*
 * What a node shows to programs, against the record: its clock, results, deliveries, events,
 * relations, the log.
 */
#include "cmd/lab/checker.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/lab/checker_state.h"
#include "gossip/frame.h"
#include "gossip/hlc.h"

enum { RELATIONS_AT_ONCE = 4 };

static void check_entry(struct checker *checker, unsigned number, const char *what, uint32_t author,
                        uint64_t shown, uint64_t held)
{
    char dot[DOT_TEXT];

    checker->stats.checks++;
    if (shown > held)
        checker_report(checker, INVARIANT_DURABLE,
                       "%s of n%u shows %s, and its disk holds %" PRIu64 " of that author", what,
                       number + 1, checker_dot_text(checker, author, shown, dot), held);
    else if (shown < held)
        checker_report(checker, INVARIANT_MONOTONIC,
                       "%s of n%u shows %s, and its disk holds %" PRIu64 " of that author", what,
                       number + 1, checker_dot_text(checker, author, shown, dot), held);
}

static void check_clock(struct checker *checker, unsigned number, const struct gossip_vclock *clock)
{
    const struct node_record *node = &checker->nodes[number];
    size_t shown = 0;
    size_t held = 0;

    for (size_t i = 0; i < clock->count; i++) {
        uint32_t author = checker_author(node, clock->authors[i]);

        if (author == HISTORY_NONE) {
            checker_report(checker, INVARIANT_DURABLE,
                           "the clock of n%u shows an author that it has not saved", number + 1);
            return;
        }
        check_entry(checker, number, "the clock", author, clock->counters[i],
                    checker_have(node, author));
        shown += clock->counters[i] > 0;
    }
    for (uint32_t i = 0; i < node->have.capacity; i++)
        held += checker_have(node, i) > 0;
    if (shown < held)
        checker_report(checker, INVARIANT_MONOTONIC,
                       "the clock of n%u shows %zu authors, and its disk holds events of %zu",
                       number + 1, shown, held);
}

/* The first of the application's events at this place of the deliveries or after it: what lies
 * behind a cut is none. */
static size_t next_shown(const struct checker *checker, const struct node_record *node,
                         size_t place)
{
    for (; place < node->delivery_count; place++) {
        const struct history_event *event = &checker->history.events[node->deliveries[place]];

        if (event->kind != GOSSIP_EVENT_CONTEXT && !checker_is_cut(node, event->author, event->seq))
            break;
    }
    return place;
}

/* The first of its own events after seq answered that a publication has asked for; its last seq,
 * and one more, if there is none. What its disk had lost has been answered before or never will be,
 * unless it was asked for and written once more: so those below seq may be passed over. */
static uint64_t next_answered(const struct checker *checker, const struct node_record *node,
                              uint64_t below)
{
    uint64_t last = node->own == HISTORY_NONE ? 0 : counts_get(&node->have, node->own);
    uint64_t seq = node->answered + 1;

    for (; seq <= last; seq++) {
        uint32_t number = checker_held_event(node, node->own, seq);
        const struct history_event *event = &checker->history.events[number];

        if (seq < below && event_set_has(&node->regained, number))
            continue;
        if (event->kind == GOSSIP_EVENT_APPLICATION && event->supersedes == NULL)
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
    if (node->own == HISTORY_NONE)
        return;
    if (next_answered(checker, node, UINT64_MAX) <= counts_get(&node->have, node->own))
        checker_report(
            checker, INVARIANT_DURABLE, "n%u has written %s and returned it to nobody", number + 1,
            checker_dot_text(checker, node->own, next_answered(checker, node, UINT64_MAX), dot));
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
           (event->kind != GOSSIP_EVENT_APPLICATION || carries(event, shown->data, shown->size));
}

void checker_result(struct checker *checker, unsigned number, const struct gossip_result *result,
                    const void *payload, size_t size)
{
    struct node_record *node = &checker->nodes[number];
    uint32_t author = checker_author(node, result->dot.author);
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
    checker_dot_text(checker, author, result->dot.seq, dot);
    /* What was committed before a save that failed may still be returned after it. */
    if (result->dot.seq == 0 || result->dot.seq > counts_get(&node->durable, author)) {
        checker_report(checker, INVARIANT_DURABLE,
                       "n%u returns %s as written, and its disk would forget it", number + 1, dot);
        return;
    }
    if (author == node->own) {
        uint64_t next = next_answered(checker, node, result->dot.seq);

        if (result->dot.seq != next) {
            checker_report(checker, INVARIANT_BYTES,
                           "n%u returns %s as what it was asked to publish next, and that is seq "
                           "%" PRIu64,
                           number + 1, dot, next);
            return;
        }
        node->answered = result->dot.seq;
    }
    event = checker_held_event(node, author, result->dot.seq);
    checker->history.events[event].is_shown = true;
    if (!carries(&checker->history.events[event], payload, size))
        checker_report(checker, INVARIANT_BYTES,
                       "n%u was asked to publish %zu bytes and returns an event with others\n  %s",
                       number + 1, size, checker_event_text(checker, event, text));
}

/* Whether another node has the same key. */
static bool has_clone(const struct checker *checker, unsigned number)
{
    for (unsigned i = 0; i < checker->node_max; i++) {
        if (i != number && checker->nodes[i].identity == checker->nodes[number].identity)
            return true;
    }
    return false;
}

/* The store was set back, and its node knows it. */
static void note_evidence(struct checker *checker, unsigned number, uint64_t evidence)
{
    struct node_record *node = &checker->nodes[number];

    if (node->reasons == 0)
        checker_report(checker, INVARIANT_MONOTONIC,
                       "n%u finds evidence %" PRIu64 ", and its disk was never set back",
                       number + 1, evidence);
    node->must_open = true;
}

/* A node that finds evidence and has something to write opens its epoch at once: both are saved
 * before either is told, evidence first. One opening is told once. */
static void note_epoch(struct checker *checker, unsigned number, uint32_t author)
{
    struct node_record *node = &checker->nodes[number];

    if (author == HISTORY_NONE || author != node->own || node->epochs_told >= node->epochs)
        return;
    node->epochs_told = node->epochs;
    node->must_open = false;
}

/* Among honest nodes nobody refuses anything, and nobody disagrees but over a dot that has two
 * contents. */
void checker_notice(struct checker *checker, unsigned number, const struct gossip_notice *notice)
{
    uint32_t author = checker_author(&checker->nodes[number], notice->dot.author);

    checker->stats.checks++;
    if (notice->kind == GOSSIP_NOTICE_REFUSED)
        checker_report(checker, INVARIANT_ORDER, "n%u refuses seq %" PRIu64 " of %s for ever",
                       number + 1, notice->dot.seq, notice->name);
    if (notice->kind == GOSSIP_NOTICE_DISAGREES &&
        (author == HISTORY_NONE || checker->history.authors[author].fork == 0))
        checker_report(checker, INVARIANT_NO_REUSE,
                       "n%u hears of another event under seq %" PRIu64 " of %s", number + 1,
                       notice->dot.seq, notice->name);
    if (notice->kind == GOSSIP_NOTICE_EVIDENCE)
        note_evidence(checker, number, notice->number);
    if (notice->kind == GOSSIP_NOTICE_EPOCH)
        note_epoch(checker, number, author);
    if (notice->kind == GOSSIP_NOTICE_CLONED && !has_clone(checker, number))
        checker_report(checker, INVARIANT_BOUNDS, "n%u stops for a clone, and there is none of it",
                       number + 1);
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
    if (checker_author(node, shown->dot.author) != event->author || shown->dot.seq != event->seq ||
        shown->delivery != node->next_pop) {
        checker_report(checker, INVARIANT_CLOSED,
                       "n%u shows delivery number %" PRIu64 ", and that was another\n  %s",
                       number + 1, shown->delivery,
                       checker_event_text(checker, (uint32_t)(event - history->events), text));
        return;
    }
    if (!is_as_written(event, shown)) {
        checker_report(checker, INVARIANT_BYTES, "n%u shows another payload, kind or stamp\n  %s",
                       number + 1,
                       checker_event_text(checker, (uint32_t)(event - history->events), text));
        return;
    }
    for (size_t i = 0; i < shown->clock->count; i++) {
        uint32_t author = checker_author(node, shown->clock->authors[i]);

        if (author != HISTORY_NONE)
            counts_set(&clock, author, shown->clock->counters[i]);
    }
    counts_set(&clock, event->author, counts_get(&clock, event->author) - 1);
    if (!counts_equal(&clock, &event->truth)) {
        history_counts_text(history, &clock, clock_text, sizeof(clock_text));
        checker_report(checker, INVARIANT_CAUSAL, "n%u shows an event with the context %s\n  %s",
                       number + 1, clock_text,
                       checker_event_text(checker, (uint32_t)(event - history->events), text));
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

/* Whether node, or what has happened elsewhere, leaves the order of event to others open. */
static bool is_open(const struct checker *checker, const struct node_record *node, uint32_t event)
{
    const struct history_event *asked = &checker->history.events[event];

    return checker_is_cut(node, asked->author, asked->seq) ||
           history_is_contested(&checker->history, asked->author, asked->seq);
}

static bool knows_of_cut(const struct checker *checker, const struct node_record *node, uint32_t a,
                         uint32_t b)
{
    const struct history_event *events = checker->history.events;

    return checker_is_cut(node, events[a].author, events[a].seq) ||
           checker_is_cut(node, events[b].author, events[b].seq);
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
    else if (is_open(checker, node, a) || is_open(checker, node, b))
        right = GOSSIP_CONTESTED;
    else if (history_before(history, a, b))
        right = GOSSIP_BEFORE;
    else if (history_before(history, b, a))
        right = GOSSIP_AFTER;
    if (error < 0)
        checker_report(checker, INVARIANT_CAUSAL, "n%u cannot tell a relation: %s\n  %s\n  %s",
                       number + 1, gossip_strerror(error), checker_event_text(checker, a, text_a),
                       checker_event_text(checker, b, text_b));
    else if (said != right && (right != GOSSIP_CONTESTED || knows_of_cut(checker, node, a, b)))
        checker_report(checker, INVARIANT_CAUSAL,
                       "n%u says that the first is %s the second, and it is %s\n  %s\n  %s",
                       number + 1, gossip_relation_name(said), gossip_relation_name(right),
                       checker_event_text(checker, a, text_a),
                       checker_event_text(checker, b, text_b));
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
        shown_author.have != checker_have(node, event->author) ||
        shown_author.cut != counts_get(&node->cuts, event->author) ||
        shown_author.contested !=
            counts_get(&node->have, event->author) - checker_have(node, event->author) ||
        (shown_author.is_self != (author == gossip_self(gossip))) ||
        (shown_author.is_self && event->author != node->own))
        checker_report(checker, INVARIANT_BYTES, "n%u tells something else of the author of\n  %s",
                       number + 1, checker_event_text(checker, known, text));
    else if (gossip_event_get(gossip, (struct gossip_dot){author, event->seq}, &shown) < 0 ||
             shown.dot.author != author || shown.dot.seq != event->seq ||
             shown.contested != checker_is_cut(node, event->author, event->seq) ||
             !is_as_written(event, &shown))
        checker_report(checker, INVARIANT_BYTES, "n%u does not show as it was written\n  %s",
                       number + 1, checker_event_text(checker, known, text));
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

/* Whether the log has shown what event is a consequence of, as far as that counts. */
static bool has_shown_causes(const struct history *history, const struct node_record *node,
                             const struct counts *shown, const struct history_event *event)
{
    for (uint32_t i = 0; i < history->author_count; i++) {
        uint64_t needed = counts_get(&event->truth, i);
        uint64_t cut = counts_get(&node->cuts, i);

        if (cut != 0 && needed >= cut)
            needed = cut - 1;
        if (counts_get(shown, i) < needed)
            return false;
    }
    return true;
}

/* How many of the events that node has delivered count. */
static size_t counted_deliveries(const struct checker *checker, const struct node_record *node)
{
    size_t count = 0;

    for (uint32_t i = 0; i < checker->history.author_count; i++)
        count += checker_have(node, i);
    return count;
}

/* Of the authors' next events after shown, whose causes are in it, the one that the displayed order
 * has next; HISTORY_NONE if there is none. */
static uint32_t next_in_log(const struct history *history, const struct node_record *node,
                            const struct counts *shown)
{
    uint32_t first = HISTORY_NONE;

    for (uint32_t i = 0; i < history->author_count; i++) {
        uint64_t seq = counts_get(shown, i) + 1;
        uint32_t next =
            seq > checker_have(node, i) ? HISTORY_NONE : checker_held_event(node, i, seq);
        const struct history_event *event;
        int order;

        if (next == HISTORY_NONE)
            continue;
        event = &history->events[next];
        if (!has_shown_causes(history, node, shown, event))
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

/* What lies behind cuts is shown on request: all of it, and nothing else. */
static void read_contested(struct checker *checker, unsigned number, struct gossip *gossip)
{
    const struct node_record *node = &checker->nodes[number];
    size_t contested = node->delivery_count - counted_deliveries(checker, node);
    struct gossip_event event;
    struct gossip_log *log;
    size_t count = 0;
    int found = gossip_log_open(gossip, GOSSIP_LOG_CONTESTED, &log);

    if (found < 0) {
        checker_report(checker, INVARIANT_BOUNDS, "n%u shows no log: %s", number + 1,
                       gossip_strerror(found));
        return;
    }
    while ((found = gossip_log_next(log, &event)) == 1) {
        uint32_t author = checker_author(node, event.dot.author);

        checker->stats.checks++;
        count++;
        if (author == HISTORY_NONE || !checker_is_cut(node, author, event.dot.seq))
            checker_report(checker, INVARIANT_ORDER,
                           "the log of n%u shows seq %" PRIu64 " of author number %" PRIu32
                           " as contested, and it is not",
                           number + 1, event.dot.seq, event.dot.author);
    }
    gossip_log_close(log);
    if (found < 0 || count != contested)
        checker_report(checker, INVARIANT_ORDER,
                       "the log of n%u shows %zu of %zu contested events%s%s", number + 1, count,
                       contested, found < 0 ? ": " : "", found < 0 ? gossip_strerror(found) : "");
}

void checker_read_log(struct checker *checker, unsigned number, struct gossip *gossip)
{
    struct node_record *node = &checker->nodes[number];
    struct history *history = &checker->history;
    struct counts shown = {0};
    struct gossip_event event;
    struct gossip_log *log;
    size_t count = 0;
    int found = gossip_log_open(gossip, GOSSIP_LOG_EVENTS, &log);

    if (found < 0) {
        checker_report(checker, INVARIANT_BOUNDS, "n%u shows no log: %s", number + 1,
                       gossip_strerror(found));
        return;
    }
    while ((found = gossip_log_next(log, &event)) == 1) {
        uint32_t author = checker_author(node, event.dot.author);
        uint32_t known =
            author == HISTORY_NONE ? HISTORY_NONE : checker_held_event(node, author, event.dot.seq);
        uint32_t next = next_in_log(history, node, &shown);
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
                           number + 1, checker_event_text(checker, next, text),
                           checker_event_text(checker, known, other_text));
            break;
        }
        counts_set(&shown, author, event.dot.seq);
        count++;
    }
    gossip_log_close(log);
    counts_clear(&shown);
    if (found < 0 || (found == 0 && count != counted_deliveries(checker, node)))
        checker_report(checker, INVARIANT_ORDER, "the log of n%u shows %zu of %zu events%s%s",
                       number + 1, count, counted_deliveries(checker, node), found < 0 ? ": " : "",
                       found < 0 ? gossip_strerror(found) : "");
    read_contested(checker, number, gossip);
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
    const struct node_record *node = &checker->nodes[number];
    int error = checker_compare(checker, number, store);

    if (error < 0)
        checker_report(checker, INVARIANT_BOUNDS, "what n%u has stored cannot be read: %s: %s",
                       number + 1, gossip_strerror(error), store->ops->explain(store));
    if (checker->violation.invariant != INVARIANT_NONE)
        return;
    check_state(checker, number, gossip);
    for (unsigned i = 0; i < RELATIONS_AT_ONCE && node->delivery_count > 0; i++)
        check_relation(checker, number, gossip);
    if (node->delivery_count > 0)
        checker_ask(checker, number, gossip);
}

/* Whether there is more of an author than node holds of it, and somebody must have it. */
static bool lacks(const struct checker *checker, const struct node_record *node, uint32_t author)
{
    const struct history_author *known = &checker->history.authors[author];

    return !known->is_lossy && known->fork == 0 && known->evicted == 0 &&
           counts_get(&node->have, author) != known->count;
}

/* Whether two nodes hold the same of an author, as far as it counts. What ends an author of which
 * nothing counts stands in the set of records, and not at every node. */
static bool holds_same(const struct node_record *a, const struct node_record *b, uint32_t author)
{
    uint64_t have = checker_have(a, author);
    uint64_t cut = counts_get(&a->cuts, author);
    uint64_t other = counts_get(&b->cuts, author);

    return have == checker_have(b, author) &&
           checker_held_event(a, author, have) == checker_held_event(b, author, have) &&
           (cut == other || (have == 0 && cut <= 1 && other <= 1));
}

bool checker_agree(const struct checker *checker, const unsigned *nodes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct node_record *node = &checker->nodes[nodes[i]];

        for (uint32_t j = 0; j < checker->history.author_count; j++) {
            if (lacks(checker, node, j) || !holds_same(&checker->nodes[nodes[0]], node, j))
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
        const struct node_record *node = &checker->nodes[nodes[i]];

        for (uint32_t j = 0; j < history->author_count && used + 4 * DOT_TEXT < size; j++) {
            char dot[DOT_TEXT];

            checker_dot_text(checker, j, history->authors[j].count, dot);
            if (lacks(checker, node, j))
                used += (size_t)snprintf(ret_text + used, size - used,
                                         "\n  n%u holds %" PRIu64 " of the events up to %s",
                                         nodes[i] + 1, counts_get(&node->have, j), dot);
            else if (!lacks(checker, &checker->nodes[nodes[0]], j) &&
                     !holds_same(&checker->nodes[nodes[0]], node, j))
                used += (size_t)snprintf(
                    ret_text + used, size - used,
                    "\n  of the author of %s n%u has %" PRIu64 ", cut at %" PRIu64
                    ", and n%u %" PRIu64 ", cut at %" PRIu64 "%s",
                    dot, nodes[i] + 1, checker_have(node, j), counts_get(&node->cuts, j),
                    nodes[0] + 1, checker_have(&checker->nodes[nodes[0]], j),
                    counts_get(&checker->nodes[nodes[0]].cuts, j),
                    checker_have(node, j) == checker_have(&checker->nodes[nodes[0]], j)
                        ? ": other contents"
                        : "");
        }
    }
}

/* ---- What was written behind a cut, and written again. ---- */

/* Whether one of these nodes can write what its key has written before. */
static bool has_writer(const struct checker *checker, const unsigned *nodes, size_t count,
                       uint32_t author)
{
    for (size_t i = 0; i < count; i++) {
        if (checker_is_own(checker, nodes[i], author))
            return checker->history.authors[author].evicted == 0;
    }
    return false;
}

/* How many of the events that count at node issue again the one with this hash, or one that does.
 */
static unsigned issues_of(const struct checker *checker, const struct node_record *node,
                          const uint8_t *hash)
{
    const struct history *history = &checker->history;
    unsigned count = 0;

    for (size_t i = 0; i < node->delivery_count; i++) {
        const struct history_event *event = &history->events[node->deliveries[i]];

        if (event->supersedes == NULL || memcmp(event->supersedes, hash, GOSSIP_HASH_SIZE) != 0)
            continue;
        count += checker_is_cut(node, event->author, event->seq)
                     ? issues_of(checker, node, event->hash)
                     : 1;
    }
    return count;
}

void checker_reissues(struct checker *checker, const unsigned *nodes, size_t count)
{
    struct history *history = &checker->history;

    for (size_t i = 0; i < count; i++) {
        const struct node_record *node = &checker->nodes[nodes[i]];

        for (size_t j = 0; j < node->delivery_count; j++) {
            const struct history_event *event = &history->events[node->deliveries[j]];
            char text[HISTORY_TEXT_MAX];
            unsigned issues;

            if (event->kind != GOSSIP_EVENT_APPLICATION ||
                !checker_is_cut(node, event->author, event->seq) ||
                !has_writer(checker, nodes, count, event->author))
                continue;
            checker->stats.checks++;
            issues = issues_of(checker, &checker->nodes[nodes[0]], event->hash);
            if (issues != 1)
                checker_report(checker, issues == 0 ? INVARIANT_DURABLE : INVARIANT_NO_REUSE,
                               "of an event that n%u holds behind a cut %u issues count\n  %s",
                               nodes[i] + 1, issues,
                               checker_event_text(checker, node->deliveries[j], text));
        }
    }
}
