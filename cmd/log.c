#include "cmd/log.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/journal.h"
#include "cmd/text.h"
#include "cmd/view.h"

enum {
    /* As shown. No line has more than three that can be so long, so that each stays below the 4096
     * bytes that a pipe takes whole or not at all. */
    VALUE_MAX = 1000,
    WAITING_MAX = 32768,  /* A whole line, at least, and some that must not be lost. */
    TELL_LOST_MS = 10000, /* Often enough for who looks, and rare enough to be no flood itself. */
    LAST_MS = 1000,
};

/* What has become of the lines of one message. */
struct kind {
    uint64_t allowed; /* Lines that may go out, in thousandths, */
    uint64_t at_ms;   /* at this time. */
    uint64_t lost;    /* Since then, and not told yet. */
    uint64_t lost_ms;
};

struct log {
    int descriptor;
    bool owned;   /* The descriptor is ours: the same file, opened again without blocking. */
    bool socket;  /* Sent to, since a socket cannot be opened again. */
    bool journal; /* Lines begin with their priority. */
    enum log_format format;
    struct gossip_time *time;
    struct kind kinds[MESSAGES];
    enum message message; /* Of the line that has begun, */
    uint32_t added;       /* and the fields that it has. */
    struct text line;
    /* What comes before any other line: the rest of one that went out in part, and those that must
     * not be lost. */
    char waiting[WAITING_MAX];
    size_t waiting_size;
};

static uint64_t now_ms(const struct log *log)
{
    return log->time->ops->monotonic_ms(log->time);
}

int log_open(int descriptor, enum log_format format, struct gossip_time *time, struct log **ret_log)
{
    struct log *log = calloc(1, sizeof(*log));
    char path[32];
    struct stat status;
    int reopened;

    if (!log)
        return GOSSIP_ERR_NOMEM;
    log->descriptor = descriptor;
    log->format = format;
    log->time = time;
    log->socket = fstat(descriptor, &status) == 0 && S_ISSOCK(status.st_mode);
    log->journal = journal_reads(descriptor);
    for (enum message i = 0; i < MESSAGES; i++) {
        log->kinds[i].allowed = message_row(i)->budget->burst * UINT64_C(1000);
        log->kinds[i].at_ms = now_ms(log);
    }
    /* O_NONBLOCK belongs to the open file, which a shell and others share with us. Opened again, it
     * is ours alone. */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
    reopened = open(path, O_WRONLY | O_NONBLOCK | O_APPEND | O_CLOEXEC | O_NOCTTY);
    if (reopened >= 0) {
        log->descriptor = reopened;
        log->owned = true;
    }
    *ret_log = log;
    return GOSSIP_OK;
}

/* ---- Writing. ---- */

/* Writes what can be written at once; returns how much, -1 for nothing. */
static ssize_t write_at_once(struct log *log, const char *data, size_t size)
{
    struct pollfd ready = {.fd = log->descriptor, .events = POLLOUT};

    if (log->socket)
        return send(log->descriptor, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (!log->owned && (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT)))
        return -1;
    return write(log->descriptor, data, size);
}

/* Whether nothing waits any more. */
static bool write_waiting(struct log *log)
{
    ssize_t written;

    if (log->waiting_size == 0)
        return true;
    written = write_at_once(log, log->waiting, log->waiting_size);
    if (written > 0) {
        log->waiting_size -= (size_t)written;
        memmove(log->waiting, log->waiting + written, log->waiting_size);
    }
    return log->waiting_size == 0;
}

static bool let_wait(struct log *log, const char *data, size_t size)
{
    if (size > sizeof(log->waiting) - log->waiting_size)
        return false;
    memcpy(log->waiting + log->waiting_size, data, size);
    log->waiting_size += size;
    return true;
}

/* Writes a line, or lets it wait where it must not be lost; false where it is lost. */
static bool write_line(struct log *log, const struct text *line, bool may_wait)
{
    ssize_t written = -1;

    assert(line->size <= sizeof(log->waiting));
    if (write_waiting(log))
        written = write_at_once(log, line->data, line->size);
    if (written == (ssize_t)line->size)
        return true;
    if (written > 0) /* Then nothing else waits, and there is room for the rest. */
        return let_wait(log, line->data + written, line->size - (size_t)written);
    return may_wait && let_wait(log, line->data, line->size);
}

/* Gives what waits a moment to be read. */
static void write_last(struct log *log)
{
    uint64_t end_ms = now_ms(log) + LAST_MS;
    size_t before = 0;

    while (!write_waiting(log) && log->waiting_size != before && now_ms(log) < end_ms) {
        struct pollfd ready = {.fd = log->descriptor, .events = POLLOUT};

        /* What is ready then, and takes nothing all the same, never will. */
        before = log->waiting_size;
        if (poll(&ready, 1, (int)(end_ms - now_ms(log))) != 1 || !(ready.revents & POLLOUT))
            return;
    }
}

void log_close(struct log *log)
{
    if (!log)
        return;
    write_last(log);
    if (log->owned)
        close(log->descriptor);
    text_clear(&log->line);
    free(log);
}

/* ---- Lines. ---- */

/* Adds a value, as a JSON string or, where the format has them, plain. */
static void add_value(const struct log *log, struct text *line, const char *value)
{
    size_t size = strlen(value);
    bool plain = log->format == LOG_LOGFMT && size > 0;

    for (size_t i = 0; i < size; i++)
        plain = plain && value[i] > ' ' && value[i] < 0x7f && !strchr("\"=\\", value[i]);
    if (!plain)
        text_add(line, "\"");
    if (!text_add_json(line, value, size, VALUE_MAX))
        text_add(line, "...");
    if (!plain)
        text_add(line, "\"");
}

static void add_key(const struct log *log, struct text *line, const char *key)
{
    text_print(line, log->format == LOG_JSON ? ",\"%s\":" : " %s=", key);
}

static void add_head(const struct log *log, struct text *line, const struct message_row *row)
{
    const struct level_row *level = level_row(row->level);

    if (log->journal)
        text_print(line, "<%c>", level->priority);
    text_add(line, log->format == LOG_JSON ? "{\"time\":\"" : "time=");
    text_add_time(line, log->time->ops->wall_ms(log->time));
    if (log->format == LOG_JSON)
        text_add(line, "\"");
    add_key(log, line, "level");
    add_value(log, line, level->name);
    add_key(log, line, "event");
    add_value(log, line, row->name);
}

static void add_number(const struct log *log, struct text *line, enum field field, uint64_t value)
{
    add_key(log, line, field_row(field)->name);
    text_print(line, "%" PRIu64, value);
}

static void add_end(const struct log *log, struct text *line)
{
    text_add(line, log->format == LOG_JSON ? "}\n" : "\n");
}

/* Each field of a line is one that its message has, and none comes twice. */
static void check_field(struct log *log, enum field field, bool is_number)
{
    const struct message_row *row = message_row(log->message);

    assert(field < FIELDS && field_row(field)->is_number == is_number);
    assert(((row->always | row->sometimes) & ~log->added) >> field & 1);
    log->added |= UINT32_C(1) << field;
}

void log_begin(struct log *log, enum message message)
{
    log->message = message;
    log->added = 0;
    log->line.size = 0;
    log->line.failed = false;
    add_head(log, &log->line, message_row(message));
}

void log_add(struct log *log, enum field field, const char *value)
{
    check_field(log, field, false);
    add_key(log, &log->line, field_row(field)->name);
    add_value(log, &log->line, value);
}

void log_add_number(struct log *log, enum field field, uint64_t value)
{
    check_field(log, field, true);
    add_number(log, &log->line, field, value);
}

void log_add_address(struct log *log, enum field field, const struct gossip_address *address)
{
    char text[GOSSIP_ADDRESS_TEXT_MAX];

    gossip_address_to_text(address, text);
    log_add(log, field, text);
}

/* ---- How many. ---- */

/* A token bucket for each kind, so that none can use up what is for others. */
static bool is_allowed(struct log *log, enum message message)
{
    const struct message_budget *budget = message_row(message)->budget;
    struct kind *kind = &log->kinds[message];
    uint64_t full = budget->burst * UINT64_C(1000);
    uint64_t now = now_ms(log);
    uint64_t passed = now - kind->at_ms < full ? now - kind->at_ms : full;

    if (budget->burst == 0)
        return true;
    kind->allowed += passed * budget->per_second;
    if (kind->allowed > full)
        kind->allowed = full;
    kind->at_ms = now;
    if (kind->allowed < 1000)
        return false;
    kind->allowed -= 1000;
    return true;
}

static void lose(struct log *log, enum message message)
{
    struct kind *kind = &log->kinds[message];

    if (kind->lost++ == 0)
        kind->lost_ms = now_ms(log);
}

static void tell_lost(struct log *log, enum message message)
{
    struct text line = {0};

    add_head(log, &line, message_row(MESSAGE_LINES_LOST));
    add_key(log, &line, field_row(FIELD_KIND)->name);
    add_value(log, &line, message_row(message)->name);
    add_number(log, &line, FIELD_COUNT, log->kinds[message].lost);
    add_end(log, &line);
    if (!line.failed && write_line(log, &line, false))
        log->kinds[message].lost = 0;
    text_clear(&line);
}

/* Tells of each kind of which lines were lost that long ago. */
static void tell_all_lost(struct log *log, uint64_t after_ms)
{
    for (enum message i = 0; i < MESSAGES; i++)
        if (log->kinds[i].lost > 0 && now_ms(log) - log->kinds[i].lost_ms >= after_ms)
            tell_lost(log, i);
}

void log_end(struct log *log)
{
    assert((message_row(log->message)->always & ~log->added) == 0);
    add_end(log, &log->line);
    /* The last line stays the last. */
    tell_all_lost(log, log->message == MESSAGE_STOPPED ? 0 : TELL_LOST_MS);
    if (!is_allowed(log, log->message) || log->line.failed ||
        !write_line(log, &log->line, message_row(log->message)->budget->burst == 0))
        lose(log, log->message);
}

void log_settle(struct log *log)
{
    write_waiting(log);
    tell_all_lost(log, TELL_LOST_MS);
}

/* ---- Notices. ---- */

/* What tells that the store was set back: "moved,side". */
static void add_evidence(struct log *log, uint64_t evidence)
{
    struct text names = {0};

    for (size_t i = 0; view_evidence(i); i++)
        if ((evidence & (uint64_t)1 << i) != 0)
            text_print(&names, "%s%s", names.size > 0 ? "," : "", view_evidence(i));
    log_add(log, FIELD_EVIDENCE, names.data && !names.failed ? names.data : "");
    text_clear(&names);
}

static void add_dot(struct log *log, const char *author, uint64_t seq)
{
    struct text dot = {0};

    text_print(&dot, "%s:%" PRIu64, author, seq);
    log_add(log, FIELD_DOT, dot.failed ? "" : dot.data);
    text_clear(&dot);
}

/* The message's row says which fields there are; what it has always is there whatever it is. */
void log_notice(struct log *log, const struct gossip_notice *notice, const char *author)
{
    enum message message = message_of_notice(notice->kind);
    const struct message_row *row = message_row(message);

    log_begin(log, message);
    for (enum field field = 0; field < FIELDS; field++) {
        bool always = row->always >> field & 1;

        if (!((row->always | row->sometimes) >> field & 1))
            continue;
        switch (field) {
        case FIELD_NODE:
            if (always || notice->name[0])
                log_add(log, field, notice->name);
            break;
        case FIELD_ADDRESS:
            if (always || notice->address.port != 0)
                log_add_address(log, field, &notice->address);
            break;
        case FIELD_DOT:
            if (always || notice->dot.seq != 0)
                add_dot(log, author, notice->dot.seq);
            break;
        case FIELD_BY:
            log_add(log, field, notice->number != 0 ? "fork" : "eviction");
            break;
        case FIELD_EVIDENCE:
            add_evidence(log, notice->number);
            break;
        case FIELD_NEXT:
            if (notice->kind == GOSSIP_NOTICE_DISK_FULL)
                log_add(log, field, "free some space; the node then goes on by itself");
            else if ((notice->number & (GOSSIP_EVIDENCE_MOVED | GOSSIP_EVIDENCE_BACKUP)) != 0)
                log_add(log, field,
                        "if this is a copy of a node that runs elsewhere, stop it and run gossip "
                        "recover --new-key");
            break;
        default: /* COUNT and AHEAD_MS. */
            log_add_number(log, field, notice->number);
            break;
        }
    }
    log_end(log);
}
