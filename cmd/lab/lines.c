#include "cmd/lab/lines.h"

#include <inttypes.h>
#include <string.h>
#include <sys/utsname.h>

#include "gossip/gossip.h"

static const char *const kind_names[JOURNAL_KINDS] = {
    [JOURNAL_DONE] = "done",           [JOURNAL_ASKED] = "asked",
    [JOURNAL_PUBLISHED] = "published", [JOURNAL_DELIVERED] = "delivered",
    [JOURNAL_STARTED] = "started",     [JOURNAL_ENDED] = "ended",
    [JOURNAL_RESTORED] = "restored",   [JOURNAL_CLOCK] = "clock",
    [JOURNAL_TRAFFIC] = "traffic",     [JOURNAL_NOTICE] = "notice",
    [JOURNAL_CHECKED] = "checked",
};

/* The code point at at, of valid UTF-8; how many bytes it has. */
static size_t decode(const unsigned char *at, uint32_t *ret_point)
{
    size_t length = *at < 0x80 ? 1 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;

    *ret_point = length == 1 ? *at : *at & (0x7fU >> length);
    for (size_t i = 1; i < length; i++)
        *ret_point = *ret_point << 6 | (at[i] & 0x3f);
    return length;
}

/* Only printable ASCII stays as it is. */
static void add_string(struct text *text, const char *string, size_t size)
{
    const unsigned char *at = (const unsigned char *)string;
    const unsigned char *end = at + size;

    text_add(text, "\"");
    while (at < end) {
        uint32_t point;

        at += decode(at, &point);
        if (point == '"' || point == '\\')
            text_print(text, "\\%c", (char)point);
        else if (point >= ' ' && point < 0x7f)
            text_print(text, "%c", (char)point);
        else if (point < 0x10000)
            text_print(text, "\\u%04x", point);
        else
            text_print(text, "\\u%04x\\u%04x", 0xd7c0 + (point >> 10), 0xdc00 + (point & 0x3ff));
    }
    text_add(text, "\"");
}

static void add_name(struct text *text, const char *key, const char *value)
{
    text_print(text, ",\"%s\":", key);
    if (text_is_utf8(value, strlen(value)))
        add_string(text, value, strlen(value));
    else
        text_add(text, "null"); /* A name of a file, perhaps. */
}

static void add_number(struct text *text, const char *key, uint64_t number)
{
    text_print(text, ",\"%s\":%" PRIu64, key, number);
}

static void add_clock(const struct report *report, const struct counts *clock, struct text *text)
{
    const struct journal *journal = report->journal;
    bool any = false;

    text_add(text, ",\"clock\":{");
    for (uint32_t i = 0; i < journal->author_count; i++) {
        const struct journal_author *author = &journal->authors[i];

        if (counts_get(clock, i) == 0)
            continue;
        text_print(text, "%s\"%s", any ? "," : "", report->script->nodes[author->node].name);
        if (author->epoch > 1)
            text_print(text, "'%u", author->epoch);
        text_print(text, "\":%" PRIu64, counts_get(clock, i));
        any = true;
    }
    text_add(text, "}");
}

static void add_payload(const struct journal_event *event, struct text *text)
{
    if (text_is_utf8(event->text, event->size)) {
        text_add(text, ",\"data\":");
        add_string(text, event->text, event->size);
        return;
    }
    text_add(text, ",\"data_hex\":\"");
    text_add_hex(text, (const uint8_t *)event->text, event->size);
    text_add(text, "\"");
}

static void start_line(const struct journal_entry *entry, struct text *text)
{
    text_print(text, "{\"time_ms\":%" PRIu64 ",\"what\":\"%s\"", entry->time_ms,
               kind_names[entry->kind]);
}

static void add_event(const struct report *report, const struct journal_entry *entry,
                      struct text *text)
{
    const struct journal_event *event;
    char dot[64];

    if (entry->event == JOURNAL_NONE)
        return;
    event = &report->journal->events[entry->event];
    journal_dot_text(report->journal, report->script, entry->event, dot, sizeof(dot));
    add_name(text, "event", dot);
    if (entry->kind != JOURNAL_PUBLISHED)
        return;
    add_payload(event, text);
    add_clock(report, &event->clock, text);
    text_add(text, ",\"hash\":\"");
    text_add_hex(text, event->hash, sizeof(event->hash));
    text_add(text, "\"");
}

void lines_events(const struct report *report, struct text *ret_text)
{
    for (size_t i = 0; i < report->journal->entry_count; i++) {
        const struct journal_entry *entry = &report->journal->entries[i];

        if (entry->kind == JOURNAL_CLOCK || entry->kind == JOURNAL_TRAFFIC)
            continue;
        start_line(entry, ret_text);
        if (entry->line > 0)
            add_number(ret_text, "line", entry->line);
        if (entry->kind != JOURNAL_DONE && entry->kind != JOURNAL_CHECKED)
            add_name(ret_text, "node", report->script->nodes[entry->node].name);
        add_event(report, entry, ret_text);
        if (entry->kind == JOURNAL_ENDED)
            text_print(ret_text, ",\"code\":%d", entry->code);
        if (entry->text)
            add_name(ret_text, "text", entry->text);
        text_add(ret_text, "}\n");
    }
}

void lines_samples(const struct report *report, struct text *ret_text)
{
    for (size_t i = 0; i < report->journal->entry_count; i++) {
        const struct journal_entry *entry = &report->journal->entries[i];

        if (entry->kind != JOURNAL_CLOCK && entry->kind != JOURNAL_TRAFFIC)
            continue;
        start_line(entry, ret_text);
        if (entry->kind == JOURNAL_CLOCK) {
            add_name(ret_text, "node", report->script->nodes[entry->node].name);
            add_clock(report, &entry->clock, ret_text);
        } else {
            add_number(ret_text, "datagrams", entry->datagrams);
            add_number(ret_text, "bytes", entry->bytes);
        }
        text_add(ret_text, "}\n");
    }
}

static void add_bool(struct text *text, const char *key, bool value)
{
    text_print(text, ",\"%s\":%s", key, value ? "true" : "false");
}

static void add_witness(const struct text *witness, struct text *text)
{
    const char *line = witness->data ? witness->data : "";
    bool any = false;

    text_add(text, ",\"witness\":[");
    while (*line) {
        size_t length = strcspn(line, "\n");

        text_add(text, any ? "," : "");
        if (text_is_utf8(line, length))
            add_string(text, line, length);
        else
            text_add(text, "null");
        any = true;
        line += length + (line[length] == '\n');
    }
    text_add(text, "]");
}

static void add_check(const struct check *check, struct text *text)
{
    text_print(text, "{\"passed\":%s", check->passed ? "true" : "false");
    if (check->line > 0)
        add_number(text, "line", check->line);
    add_name(text, "check", check->title);
    add_number(text, "time_ms", check->time_ms);
    add_number(text, "took_ms", check->took_ms);
    add_bool(text, "reached", !check->was_not_reached);
    add_witness(&check->witness, text);
    text_add(text, "}");
}

void lines_check(const struct check *check, struct text *ret_text)
{
    add_check(check, ret_text);
    text_add(ret_text, "\n");
}

static void add_checks(const struct outcome *outcome, struct text *text)
{
    text_add(text, ",\"checks\":[");
    for (size_t i = 0; i < outcome->count; i++) {
        text_add(text, i > 0 ? "," : "");
        add_check(&outcome->checks[i], text);
    }
    text_add(text, "]");
}

static void add_figures(const struct report *report, struct text *text)
{
    static const char *const groups[LATENCY_GROUPS] = {
        [LATENCY_ALL] = "latency",
        [LATENCY_SAME] = "latency_same_part",
        [LATENCY_OTHER] = "latency_other_part",
    };
    const struct figures *figures = report->figures;

    for (enum latency_group i = 0; i < LATENCY_GROUPS; i++) {
        const struct latency *latency = &figures->latencies[i];

        text_print(text, ",\"%s\":{\"count\":%" PRIu64, groups[i], latency->count);
        add_number(text, "p50_ms", latency->p50_ms);
        add_number(text, "p95_ms", latency->p95_ms);
        add_number(text, "max_ms", latency->max_ms);
        text_add(text, "}");
    }
    text_add(text, ",\"heals\":[");
    for (size_t i = 0; i < figures->heal_count; i++) {
        const struct heal *heal = &figures->heals[i];

        text_print(text, "%s{\"line\":%u,\"time_ms\":%" PRIu64, i > 0 ? "," : "", heal->line,
                   heal->time_ms);
        add_bool(text, "agreed", heal->agreed);
        if (heal->agreed)
            add_number(text, "took_ms", heal->took_ms);
        text_add(text, "}");
    }
    text_add(text, "]");
    if (figures->has_gap) {
        text_print(text, ",\"longest_gap\":{\"ms\":%" PRIu64, figures->gap_ms);
        add_number(text, "from_ms", figures->gap_from_ms);
        add_name(text, "node", report->script->nodes[figures->gap_node].name);
        text_add(text, "}");
    }
    add_number(text, "events", figures->published);
    add_number(text, "deliveries", figures->deliveries);
    add_number(text, "datagrams", figures->datagrams);
    add_number(text, "bytes", figures->bytes);
}

void lines_verdict(const struct report *report, struct text *ret_text)
{
    text_print(ret_text, "{\"passed\":%s", report->outcome->passed ? "true" : "false");
    add_name(ret_text, "script", report->script->name);
    add_name(ret_text, "on", report->place);
    add_number(ret_text, "seed", report->seed);
    add_number(ret_text, "end_ms", report->outcome->end_ms);
    add_checks(report->outcome, ret_text);
    add_figures(report, ret_text);
    if (report->directory)
        add_name(ret_text, "results", report->directory);
    if (report->repeat)
        add_name(ret_text, "again", report->repeat);
    text_add(ret_text, "}\n");
}

void lines_versions(const struct report *report, struct text *ret_text)
{
    struct utsname system;

    text_print(ret_text, "{\"gossip\":\"%s\"", gossip_version());
    add_name(ret_text, "on", report->place);
    add_number(ret_text, "seed", report->seed);
    if (uname(&system) == 0) {
        add_name(ret_text, "system", system.sysname);
        add_name(ret_text, "release", system.release);
        add_name(ret_text, "machine", system.machine);
    }
    text_add(ret_text, "}\n");
}
