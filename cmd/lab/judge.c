#include "cmd/lab/judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/exit.h"
#include "cmd/lab/room.h"
#include "gossip/gossip.h"

enum {
    LINE_MAX_BYTES = 1024,
    SHOWN_MAX = 8,       /* Of what is wrong, so much is shown. */
    PAIRS_EVENTS = 4000, /* Of so many events all pairs are looked at. */
};

struct bench {
    const struct journal *journal;
    const struct script *script;
    const struct statement *statement;
    struct text *witness;
    unsigned shown;
};

/* Adds a line to the witness; past SHOWN_MAX of them they are only counted. */
static void tell(struct bench *bench, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void tell(struct bench *bench, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list arguments;

    if (bench->shown++ >= SHOWN_MAX)
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    text_print(bench->witness, "%s\n", line);
}

static bool finish(struct bench *bench)
{
    if (bench->shown > SHOWN_MAX)
        text_print(bench->witness, "and %u more\n", bench->shown - SHOWN_MAX);
    return bench->shown == 0;
}

static const char *name_of(const struct bench *bench, unsigned node)
{
    return bench->script->nodes[node].name;
}

struct line {
    char text[LINE_MAX_BYTES];
};

/* "1.200 s" */
static struct line time_text(uint64_t time_ms)
{
    struct line line;

    snprintf(line.text, sizeof(line.text), "%" PRIu64 ".%03" PRIu64 " s", time_ms / 1000,
             time_ms % 1000);
    return line;
}

/* "n3:17 \"hello\", published by n3 at 1.200 s" */
static struct line event_text(const struct bench *bench, uint32_t index)
{
    const struct journal_event *event = &bench->journal->events[index];
    struct text escaped = {0};
    struct line line;
    char dot[64];

    journal_dot_text(bench->journal, bench->script, index, dot, sizeof(dot));
    text_add_escaped(&escaped, event->text, event->size < 40 ? event->size : 40,
                     TEXT_ESCAPE_TERMINAL);
    snprintf(line.text, sizeof(line.text),
             event->is_published ? "%s \"%s%s\", published by %s at %s"
                                 : "%s \"%s%s\", which %s has not shown, first seen at %s",
             dot, escaped.data ? escaped.data : "", event->size > 40 ? "..." : "",
             name_of(bench, event->node), time_text(event->time_ms).text);
    text_clear(&escaped);
    return line;
}

static struct line clock_text(const struct bench *bench, const struct counts *clock)
{
    struct line line;

    journal_clock_text(bench->journal, bench->script, clock, line.text, sizeof(line.text));
    return line;
}

static bool is_meant(const struct bench *bench, unsigned node)
{
    return (bench->statement->nodes >> node & 1) != 0;
}

static bool is_asked(const struct bench *bench, unsigned node)
{
    const struct journal_node *seen = &bench->journal->nodes[node];

    return seen->is_up && !seen->is_paused && (bench->statement->is_all || is_meant(bench, node));
}

/* Of nodes that are named, each has to run. */
static void require_up(struct bench *bench)
{
    unsigned asked = 0;

    for (unsigned i = 0; i < bench->journal->node_count; i++) {
        asked += is_asked(bench, i);
        if (!bench->statement->is_all && is_meant(bench, i) && !is_asked(bench, i))
            tell(bench, "%s does not run", name_of(bench, i));
    }
    if (asked == 0)
        tell(bench, "no node runs");
}

/* ---- Nodes. ---- */

/* Those that are asked and were shown event. */
static uint64_t holders(const struct bench *bench, uint32_t event)
{
    uint64_t nodes = 0;

    for (unsigned i = 0; i < bench->journal->node_count; i++)
        if (is_asked(bench, i) && event_set_has(&bench->journal->nodes[i].shown, event))
            nodes |= UINT64_C(1) << i;
    return nodes;
}

/* Clocks that are the same count the same events: a dot may have been used twice, and what one node
 * counts is not what the other does. */
static void judge_contents(struct bench *bench, const struct counts *clock)
{
    const struct journal *journal = bench->journal;

    for (uint32_t i = 0; i < journal->event_count; i++) {
        uint32_t first = journal_first_of(journal, i);
        uint64_t others = holders(bench, i);
        uint64_t nodes = holders(bench, first);
        char names[256];
        char other_names[256];

        if (first == i || (others & ~nodes) == 0 || (nodes & ~others) == 0 ||
            counts_get(clock, journal->events[i].author) < journal->events[i].seq)
            continue;
        script_names(bench->script, nodes, names, sizeof(names));
        script_names(bench->script, others, other_names, sizeof(other_names));
        tell(bench, "%s, is at %s", event_text(bench, first).text, names);
        tell(bench, "%s, is at %s", event_text(bench, i).text, other_names);
    }
}

static void judge_converged(struct bench *bench)
{
    const struct journal *journal = bench->journal;
    unsigned first = UINT32_MAX;
    bool differs = false;

    require_up(bench);
    for (unsigned i = 0; i < journal->node_count; i++) {
        if (!is_asked(bench, i))
            continue;
        if (first == UINT32_MAX)
            first = i;
        differs = differs || !journal->nodes[i].has_clock ||
                  !counts_equal(&journal->nodes[i].clock, &journal->nodes[first].clock);
    }
    for (unsigned i = 0; i < journal->node_count && differs; i++)
        if (is_asked(bench, i))
            tell(bench, "%s has %s", name_of(bench, i),
                 clock_text(bench, &journal->nodes[i].clock).text);
    if (!differs && first != UINT32_MAX)
        judge_contents(bench, &journal->nodes[first].clock);
}

static void judge_no_loss(struct bench *bench)
{
    const struct journal *journal = bench->journal;

    require_up(bench);
    for (uint32_t i = 0; i < journal->event_count; i++) {
        char missing[256] = "";
        char holding[256] = "";
        uint64_t lacks = 0;
        uint64_t holds = 0;

        if (!journal->events[i].is_payload)
            continue;
        for (unsigned j = 0; j < journal->node_count; j++) {
            if (!is_asked(bench, j))
                continue;
            if (journal_has(journal, j, i))
                holds |= UINT64_C(1) << j;
            else
                lacks |= UINT64_C(1) << j;
        }
        if (lacks == 0)
            continue;
        script_names(bench->script, lacks, missing, sizeof(missing));
        script_names(bench->script, holds, holding, sizeof(holding));
        tell(bench, "%s, is not at %s; it is at %s", event_text(bench, i).text, missing,
             holds ? holding : "no node that runs");
    }
}

static uint64_t count_shown(const struct bench *bench, unsigned node)
{
    return journal_count_shown(bench->journal, node);
}

static bool compare(const struct statement *statement, uint64_t number)
{
    switch (statement->comparison) {
    case COMPARE_AT_LEAST:
        return number >= statement->number;
    case COMPARE_AT_MOST:
        return number <= statement->number;
    case COMPARE_EQUAL:
        break;
    }
    return number == statement->number;
}

static void judge_events(struct bench *bench)
{
    for (unsigned i = 0; i < bench->journal->node_count; i++) {
        uint64_t count = count_shown(bench, i);

        if ((bench->statement->is_all ? is_asked(bench, i) : is_meant(bench, i)) &&
            !compare(bench->statement, count))
            tell(bench, "%s has shown %" PRIu64 " events", name_of(bench, i), count);
    }
}

static void judge_deliveries(struct bench *bench)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < bench->journal->node_count; i++)
        sum += is_meant(bench, i) ? count_shown(bench, i) : 0;
    if (compare(bench->statement, sum))
        return;
    tell(bench, "there were %" PRIu64 " deliveries", sum);
    for (uint32_t i = 0; i < bench->journal->event_count; i++) {
        uint64_t missing = 0;
        char names[256];

        for (unsigned j = 0; j < bench->journal->node_count; j++)
            if (is_meant(bench, j) && !event_set_has(&bench->journal->nodes[j].shown, i))
                missing |= UINT64_C(1) << j;
        script_names(bench->script, missing, names, sizeof(names));
        if (missing != 0 && bench->journal->events[i].is_payload)
            tell(bench, "%s, was not shown at %s", event_text(bench, i).text, names);
    }
}

static void judge_exit(struct bench *bench)
{
    for (unsigned i = 0; i < bench->journal->node_count; i++) {
        const struct journal_node *node = &bench->journal->nodes[i];

        if (!is_meant(bench, i))
            continue;
        if (node->is_up)
            tell(bench, "%s runs still", name_of(bench, i));
        else if (!node->has_run)
            tell(bench, "%s has never run", name_of(bench, i));
        else if (node->code != (int)bench->statement->number)
            tell(bench, "%s has ended with %d", name_of(bench, i), node->code);
    }
}

/* ---- What was seen on the way. ---- */

/* The clock of entry's node before entry. */
static const struct counts *clock_before(const struct journal *journal, size_t index)
{
    unsigned node = journal->entries[index].node;

    while (index-- > 0)
        if (journal->entries[index].kind == JOURNAL_CLOCK && journal->entries[index].node == node)
            return &journal->entries[index].clock;
    abort(); /* It has gone back from something. */
}

static void judge_entries(struct bench *bench, enum expectation expectation)
{
    const struct journal *journal = bench->journal;

    for (size_t i = 0; i < journal->entry_count; i++) {
        const struct journal_entry *entry = &journal->entries[i];
        bool is_event = entry->kind == JOURNAL_PUBLISHED || entry->kind == JOURNAL_DELIVERED;

        if (expectation == EXPECT_NO_DUPLICATES && is_event && entry->is_again)
            tell(bench, "%s, was shown by %s again at %s", event_text(bench, entry->event).text,
                 name_of(bench, entry->node), time_text(entry->time_ms).text);
        if (expectation == EXPECT_CAUSAL && is_event && entry->is_early)
            tell(bench,
                 "%s, was shown by %s at %s before all that its writer had seen: %s; %s had "
                 "shown %s",
                 event_text(bench, entry->event).text, name_of(bench, entry->node),
                 time_text(entry->time_ms).text,
                 clock_text(bench, &journal->events[entry->event].past).text,
                 name_of(bench, entry->node), clock_text(bench, &entry->clock).text);
        if (expectation == EXPECT_MONOTONIC && entry->kind == JOURNAL_CLOCK && entry->is_early)
            tell(bench, "the clock of %s has gone back: at %s it is %s, and was %s before",
                 name_of(bench, entry->node), time_text(entry->time_ms).text,
                 clock_text(bench, &entry->clock).text,
                 clock_text(bench, clock_before(journal, i)).text);
    }
}

/* No dot is used twice. */
static void judge_dots(struct bench *bench)
{
    for (uint32_t i = 0; i < bench->journal->event_count; i++) {
        uint32_t first = journal_first_of(bench->journal, i);

        if (first != i)
            tell(bench, "%s, has the number of another event: %s", event_text(bench, i).text,
                 event_text(bench, first).text);
    }
}

/* Whether author has an event past first, up to last, that any node has shown: others, which only
 * carry context, are counted in clocks and shown to nobody. */
static bool has_shown_any(const struct journal *journal, uint32_t author, uint64_t first,
                          uint64_t last)
{
    for (size_t i = 0; i < journal->event_count; i++)
        if (journal->events[i].author == author && journal->events[i].seq > first &&
            journal->events[i].seq <= last)
            return true;
    return false;
}

/* The clock of each event is what its writer had shown, and the event itself. */
static void judge_clocks(struct bench *bench)
{
    const struct journal *journal = bench->journal;

    for (uint32_t i = 0; i < journal->event_count; i++) {
        const struct journal_event *event = &journal->events[i];
        bool is_exact = true;

        for (uint32_t j = 0; j < journal->author_count && event->is_published; j++) {
            uint64_t past = j == event->author ? event->seq : counts_get(&event->past, j);
            uint64_t said = counts_get(&event->clock, j);

            if (journal->authors[j].is_forked || said == past)
                continue;
            is_exact = is_exact && j != event->author && said > past &&
                       !has_shown_any(journal, j, past, said);
        }
        if (!is_exact)
            tell(bench, "%s, says %s; its writer had shown %s", event_text(bench, i).text,
                 clock_text(bench, &event->clock).text, clock_text(bench, &event->past).text);
    }
}

/* ---- Clocks and relations. ---- */

/* Whether clock is that of the statement. */
static bool is_clock(const struct bench *bench, const struct counts *clock)
{
    const struct statement *statement = bench->statement;
    size_t found = 0;
    size_t wanted = 0;

    for (size_t i = 0; i < statement->clock_count; i++)
        wanted += statement->clock[i].seq > 0;
    for (uint32_t i = 0; i < bench->journal->author_count; i++) {
        const struct journal_author *author = &bench->journal->authors[i];
        uint64_t expected = 0;

        for (size_t j = 0; j < statement->clock_count; j++)
            if (statement->clock[j].node == author->node &&
                statement->clock[j].epoch == author->epoch)
                expected = statement->clock[j].seq;
        if (counts_get(clock, i) != expected)
            return false;
        found += expected > 0;
    }
    return found == wanted;
}

static uint32_t find_dot(struct bench *bench, struct script_dot dot)
{
    uint32_t found = journal_find(bench->journal, dot);

    if (found == JOURNAL_NONE && dot.epoch == 1)
        tell(bench, "%s:%" PRIu64 " was never shown", name_of(bench, dot.node), dot.seq);
    else if (found == JOURNAL_NONE)
        tell(bench, "%s'%u:%" PRIu64 " was never shown", name_of(bench, dot.node), dot.epoch,
             dot.seq);
    return found;
}

static void judge_clock(struct bench *bench)
{
    const struct journal *journal = bench->journal;

    if (bench->statement->dots[0].seq > 0) {
        uint32_t event = find_dot(bench, bench->statement->dots[0]);

        if (event != JOURNAL_NONE && !is_clock(bench, &journal->events[event].clock))
            tell(bench, "%s, has %s", event_text(bench, event).text,
                 clock_text(bench, &journal->events[event].clock).text);
        return;
    }
    require_up(bench);
    for (unsigned i = 0; i < journal->node_count; i++)
        if (is_asked(bench, i) && !is_clock(bench, &journal->nodes[i].clock))
            tell(bench, "%s has %s", name_of(bench, i),
                 clock_text(bench, &journal->nodes[i].clock).text);
}

static enum script_relation relation(const struct journal *journal, uint32_t a, uint32_t b,
                                     bool by_clocks)
{
    const struct journal_event *first = &journal->events[a];
    const struct journal_event *second = &journal->events[b];

    if (a == b)
        return RELATION_EQUAL;
    if (counts_get(by_clocks ? &second->clock : &second->past, first->author) >= first->seq)
        return RELATION_BEFORE;
    if (counts_get(by_clocks ? &first->clock : &first->past, second->author) >= second->seq)
        return RELATION_AFTER;
    return RELATION_CONCURRENT;
}

static void judge_relation(struct bench *bench)
{
    const struct statement *statement = bench->statement;
    uint32_t a = find_dot(bench, statement->dots[0]);
    uint32_t b = find_dot(bench, statement->dots[1]);
    enum script_relation seen;
    enum script_relation said;

    if (a == JOURNAL_NONE || b == JOURNAL_NONE)
        return;
    seen = relation(bench->journal, a, b, false);
    said = relation(bench->journal, a, b, true);
    if (seen == statement->relation && said == statement->relation)
        return;
    tell(bench, "by what was shown where it is %s, by their clocks %s", relation_word(seen),
         relation_word(said));
    tell(bench, "%s, has %s", event_text(bench, a).text,
         clock_text(bench, &bench->journal->events[a].clock).text);
    tell(bench, "%s, has %s", event_text(bench, b).text,
         clock_text(bench, &bench->journal->events[b].clock).text);
}

static void judge_concurrent(struct bench *bench)
{
    const struct journal *journal = bench->journal;
    uint64_t pairs = 0;
    uint64_t all = 0;
    uint64_t events = 0;

    for (uint32_t i = 0; i < journal->event_count; i++)
        events += journal->events[i].is_payload && journal->events[i].is_published;
    if (events > PAIRS_EVENTS) {
        tell(bench, "there are %" PRIu64 " events; pairs are counted of at most %d", events,
             PAIRS_EVENTS);
        return;
    }
    for (uint32_t i = 0; i < journal->event_count; i++) {
        for (uint32_t j = i + 1; j < journal->event_count; j++) {
            if (!journal->events[i].is_payload || !journal->events[j].is_payload ||
                !journal->events[i].is_published || !journal->events[j].is_published)
                continue;
            all++;
            pairs += relation(journal, i, j, false) == RELATION_CONCURRENT;
        }
    }
    if (!compare(bench->statement, pairs))
        tell(bench, "%" PRIu64 " of %" PRIu64 " pairs are concurrent", pairs, all);
}

bool judge(const struct journal *journal, const struct script *script,
           const struct statement *statement, struct text *ret_witness)
{
    struct bench bench = {journal, script, statement, ret_witness, 0};

    switch (statement->expectation) {
    case EXPECT_CONVERGED:
        judge_converged(&bench);
        break;
    case EXPECT_NO_LOSS:
        judge_no_loss(&bench);
        break;
    case EXPECT_CAUSAL:
        judge_entries(&bench, EXPECT_CAUSAL);
        judge_clocks(&bench);
        break;
    case EXPECT_NO_DUPLICATES:
        judge_entries(&bench, EXPECT_NO_DUPLICATES);
        judge_dots(&bench);
        break;
    case EXPECT_MONOTONIC:
        judge_entries(&bench, EXPECT_MONOTONIC);
        break;
    case EXPECT_CLOCK:
        judge_clock(&bench);
        break;
    case EXPECT_RELATION:
        judge_relation(&bench);
        break;
    case EXPECT_EVENTS:
        judge_events(&bench);
        break;
    case EXPECT_DELIVERIES:
        judge_deliveries(&bench);
        break;
    case EXPECT_CONCURRENT:
        judge_concurrent(&bench);
        break;
    case EXPECT_EXIT:
        judge_exit(&bench);
        break;
    case EXPECTATIONS:
        break;
    }
    return finish(&bench);
}

/* Whether script expects that a process of node ends. */
static bool is_expected(const struct script *script, unsigned node)
{
    for (size_t i = 0; i < script->count; i++) {
        const struct statement *statement = &script->statements[i];

        if (!statement->is_dropped && statement->kind == STATEMENT_EXPECT &&
            statement->expectation == EXPECT_EXIT && (statement->nodes >> node & 1) != 0)
            return true;
    }
    return false;
}

static const struct statement *statement_of(const struct script *script, unsigned line)
{
    for (size_t i = 0; i < script->count; i++)
        if (script->statements[i].line == line)
            return &script->statements[i];
    return NULL;
}

/* Whether the end in entry index is one that its disk explains: it fails, just then; or it is full,
 * and the node says so. A node that ends when its disk is well again has to answer for it. */
static bool is_disk_to_blame(const struct journal *journal, const struct script *script,
                             size_t index)
{
    const struct journal_entry *end = &journal->entries[index];
    bool fails = false;
    bool is_full = false;

    for (size_t i = 0; i < index; i++) {
        const struct statement *statement = journal->entries[i].kind == JOURNAL_DONE
                                                ? statement_of(script, journal->entries[i].line)
                                                : NULL;

        if (!statement || statement->kind != STATEMENT_DISK ||
            (statement->nodes >> end->node & 1) == 0)
            continue;
        if (statement->disk == DISK_OK)
            fails = is_full = false;
        else if (statement->disk == DISK_FULL)
            is_full = true;
        else if (statement->disk != DISK_SLOW)
            fails = true;
    }
    return fails || (is_full && end->code == (int)exit_for(GOSSIP_ERR_FULL));
}

bool judge_ends(const struct journal *journal, const struct script *script,
                struct text *ret_witness)
{
    struct bench bench = {journal, script, NULL, ret_witness, 0};

    for (size_t i = 0; i < journal->entry_count; i++) {
        const struct journal_entry *entry = &journal->entries[i];

        if (entry->kind == JOURNAL_ENDED && entry->line == 0 && !is_expected(script, entry->node) &&
            !is_disk_to_blame(journal, script, i))
            tell(&bench, "%s has ended by itself at %s with %d: %s", name_of(&bench, entry->node),
                 time_text(entry->time_ms).text, entry->code,
                 entry->text ? entry->text : "no reason is known");
    }
    return finish(&bench);
}
