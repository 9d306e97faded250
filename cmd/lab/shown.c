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
                       number + 1,
                       checker_dot_text(checker, node->own, next_answered(checker, node), dot));
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
                       number + 1, size, checker_event_text(checker, event, text));
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
                       number + 1, gossip_strerror(error), checker_event_text(checker, a, text_a),
                       checker_event_text(checker, b, text_b));
    else if (said != right)
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
        shown_author.have != counts_get(&node->have, event->author) ||
        (shown_author.is_self != (author == gossip_self(gossip))) ||
        (shown_author.is_self && event->author != node->own && !node->is_clone))
        checker_report(checker, INVARIANT_BYTES, "n%u tells something else of the author of\n  %s",
                       number + 1, checker_event_text(checker, known, text));
    else if (gossip_event_get(gossip, (struct gossip_dot){author, event->seq}, &shown) < 0 ||
             shown.dot.author != author || shown.dot.seq != event->seq ||
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
    int found = gossip_log_open(gossip, GOSSIP_LOG_EVENTS, &log);

    if (found < 0) {
        checker_report(checker, INVARIANT_BOUNDS, "n%u shows no log: %s", number + 1,
                       gossip_strerror(found));
        return;
    }
    while ((found = gossip_log_next(log, &event)) == 1) {
        uint32_t author = checker_author(node, event.dot.author);
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
                           number + 1, checker_event_text(checker, next, text),
                           checker_event_text(checker, known, other_text));
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
                nodes[i] + 1, have, checker_dot_text(checker, j, history->authors[j].count, dot));
        }
    }
}
