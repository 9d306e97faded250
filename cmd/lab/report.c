#include "cmd/lab/report.h"

#include <inttypes.h>
#include <string.h>

enum {
    TIMELINE_MAX = 48, /* Lines; of more, those in the middle are left out. */
    TIME_COLUMN = 12,
    CHECK_COLUMN = 64,
};

static void add_seconds(struct text *text, uint64_t ms)
{
    text_print(text, "%" PRIu64 ".%03" PRIu64 " s", ms / 1000, ms % 1000);
}

/* ---- What happened. ---- */

static bool is_shown(const struct journal_entry *entry)
{
    return entry->kind == JOURNAL_DONE || entry->kind == JOURNAL_NOTICE ||
           (entry->kind == JOURNAL_CHECKED && entry->is_telling) ||
           entry->kind == JOURNAL_STARTED ||
           (entry->kind == JOURNAL_ENDED && (entry->line == 0 || entry->text));
}

/* Starts that a line wants are in that line. */
static bool is_said(const struct journal *journal, size_t index)
{
    const struct journal_entry *entry = &journal->entries[index];

    for (size_t i = index; entry->kind == JOURNAL_STARTED && i > 0; i--) {
        const struct journal_entry *before = &journal->entries[i - 1];

        if (before->kind == JOURNAL_DONE)
            return strstr(before->text, "start") != NULL && before->time_ms == entry->time_ms;
        if (before->kind != JOURNAL_STARTED && before->kind != JOURNAL_ENDED)
            return false;
    }
    return false;
}

static void add_entry(const struct report *report, size_t *index, struct text *text)
{
    const struct journal *journal = report->journal;
    const struct journal_entry *entry = &journal->entries[*index];
    const struct script_node *nodes = report->script->nodes;
    struct text line = {0};

    add_seconds(&line, entry->time_ms);
    text_print(text, "%*s%s  ", (int)(TIME_COLUMN - line.size), "", line.data ? line.data : "");
    text_clear(&line);
    switch (entry->kind) {
    case JOURNAL_STARTED:
        /* Those that start together stand in one line. */
        text_print(text, "%s", nodes[entry->node].name);
        while (*index + 1 < journal->entry_count &&
               journal->entries[*index + 1].kind == JOURNAL_STARTED &&
               journal->entries[*index + 1].time_ms == entry->time_ms) {
            (*index)++;
            text_print(text, " %s", nodes[journal->entries[*index].node].name);
        }
        text_add(text, " start\n");
        break;
    case JOURNAL_ENDED:
        text_print(text, "%s ends%s with %d: %s\n", nodes[entry->node].name,
                   entry->line == 0 ? " by itself" : "", entry->code,
                   entry->text ? entry->text : "");
        break;
    case JOURNAL_NOTICE:
        text_print(text, "%s notices: %s\n", nodes[entry->node].name, entry->text);
        break;
    case JOURNAL_CHECKED:
        text_print(text, "%s\n", entry->text);
        break;
    default:
        text_add_escaped(text, entry->text, strlen(entry->text), TEXT_ESCAPE_SCRIPT);
        text_add(text, "\n");
    }
}

static void add_timeline(const struct report *report, struct text *text)
{
    const struct journal *journal = report->journal;
    size_t count = 0;
    size_t number = 0;

    for (size_t i = 0; i < journal->entry_count; i++)
        count += is_shown(&journal->entries[i]) && !is_said(journal, i);
    text_add(text, "What happened\n");
    for (size_t i = 0; i < journal->entry_count; i++) {
        if (!is_shown(&journal->entries[i]) || is_said(journal, i))
            continue;
        number++;
        if (count <= TIMELINE_MAX || number <= TIMELINE_MAX / 2 ||
            number > count - TIMELINE_MAX / 2)
            add_entry(report, &i, text);
        else if (number == TIMELINE_MAX / 2 + 1)
            text_print(text, "%*s  %zu more\n", TIME_COLUMN, "...", count - TIMELINE_MAX);
    }
}

/* ---- What was expected. ---- */

static void add_witness(const struct text *witness, const char *indent, struct text *text)
{
    const char *line = witness->data;

    while (line && *line) {
        size_t length = strcspn(line, "\n");

        text_add(text, indent);
        text_add_bytes(text, line, length);
        text_add(text, "\n");
        line += length + (line[length] == '\n');
    }
}

void report_print_check(const struct check *check, struct text *ret_text)
{
    size_t start;

    text_add(ret_text, check->was_not_reached ? "  -       "
                       : check->passed        ? "  ok      "
                                              : "  FAILED  ");
    start = ret_text->size;
    text_add_escaped(ret_text, check->title, strlen(check->title), TEXT_ESCAPE_SCRIPT);
    if (check->was_not_reached)
        text_add(ret_text, ": not reached");
    if (check->passed && check->took_ms > 0) {
        text_add(ret_text, ": after ");
        add_seconds(ret_text, check->took_ms);
    }
    if (check->line > 0) {
        text_pad(ret_text, start + CHECK_COLUMN);
        text_print(ret_text, "line %u", check->line);
    }
    text_add(ret_text, "\n");
    add_witness(&check->witness, "            ", ret_text);
}

static void add_checks(const struct report *report, struct text *text)
{
    text_add(text, "\nWhat was expected\n");
    for (size_t i = 0; i < report->outcome->count; i++)
        report_print_check(&report->outcome->checks[i], text);
}

/* ---- Numbers. ---- */

static void add_latency(const char *name, const struct latency *latency, struct text *text)
{
    if (latency->count == 0)
        return;
    text_print(text,
               "  %-15s %10" PRIu64 " %9" PRIu64 ".%03" PRIu64 " s %9" PRIu64 ".%03" PRIu64
               " s %9" PRIu64 ".%03" PRIu64 " s\n",
               name, latency->count, latency->p50_ms / 1000, latency->p50_ms % 1000,
               latency->p95_ms / 1000, latency->p95_ms % 1000, latency->max_ms / 1000,
               latency->max_ms % 1000);
}

static void add_figures(const struct report *report, struct text *text)
{
    const struct figures *figures = report->figures;

    if (figures->deliveries > 0)
        text_print(text, "\n  %-15s %10s %15s %15s %15s\n", "Delivery", "deliveries", "p50", "p95",
                   "max");
    add_latency("whole network", &figures->latencies[LATENCY_ALL], text);
    if (figures->latencies[LATENCY_OTHER].count > 0) {
        add_latency("same part", &figures->latencies[LATENCY_SAME], text);
        add_latency("other part", &figures->latencies[LATENCY_OTHER], text);
    }
    text_add(text, "\n");
    if (figures->heal_count > 0) {
        const struct heal *heal = &figures->heals[figures->heal_count - 1];

        text_add(text, "  healed at ");
        add_seconds(text, heal->time_ms);
        text_add(text,
                 heal->agreed ? ", all had everything after " : ", and not all had everything");
        if (heal->agreed)
            add_seconds(text, heal->took_ms);
        text_add(text, "\n");
    }
    if (figures->has_gap) {
        text_print(text, "  longest gap: %s lacked something and was shown nothing for ",
                   report->script->nodes[figures->gap_node].name);
        add_seconds(text, figures->gap_ms);
        text_add(text, ", from ");
        add_seconds(text, figures->gap_from_ms);
        text_add(text, " on\n");
    }
    text_print(text, "  %" PRIu64 " events, %" PRIu64 " datagrams, %" PRIu64 " bytes",
               figures->published, figures->datagrams, figures->bytes);
    if (figures->deliveries > 0)
        text_print(text, "; %" PRIu64 " datagrams and %" PRIu64 " bytes a delivery",
                   figures->datagrams / figures->deliveries, figures->bytes / figures->deliveries);
    text_add(text, "\n");
}

static void add_end(const struct report *report, struct text *text)
{
    const struct outcome *outcome = report->outcome;
    size_t failed = 0;

    for (size_t i = 0; i < outcome->count; i++)
        failed += !outcome->checks[i].passed;
    if (failed == 0)
        text_print(text, "\nok: all %zu checks passed\n", outcome->count);
    else
        text_print(text, "\nFAILED: %zu of %zu checks did not pass\n", failed, outcome->count);
    if (report->directory)
        text_print(text, "results: %s\n", report->directory);
    if (report->repeat)
        text_print(text, "again:   %s\n", report->repeat);
}

void report_print(const struct report *report, struct text *ret_text)
{
    text_print(ret_text, "%s on %s", report->script->name, report->place);
    if (strcmp(report->place, "sim") == 0) /* Elsewhere it decides nothing. */
        text_print(ret_text, ", seed %" PRIu64, report->seed);
    text_print(ret_text, ": %u nodes, ", report->script->node_count);
    add_seconds(ret_text, report->outcome->end_ms);
    text_add(ret_text, "\n\n");
    add_timeline(report, ret_text);
    add_checks(report, ret_text);
    add_figures(report, ret_text);
    add_end(report, ret_text);
}

void report_print_failures(const struct report *report, struct text *ret_text)
{
    for (size_t i = 0; i < report->outcome->count; i++)
        if (!report->outcome->checks[i].passed && !report->outcome->checks[i].was_not_reached)
            report_print_check(&report->outcome->checks[i], ret_text);
}
