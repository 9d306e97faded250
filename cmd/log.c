#include "cmd/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/view.h"

enum {
    /* A flood of notices, which strangers can cause, shall not fill a disk. Errors always pass. */
    LINES_PER_SECOND = 100,
};

struct log {
    int descriptor;
    bool owned;  /* The descriptor is ours: the same file, opened again without blocking. */
    bool socket; /* Sent to, since a socket cannot be opened again. */
    bool torn;   /* The last line went out in part. */
    uint64_t lost;
    uint64_t second; /* In which lines have been written. */
    unsigned lines;
    struct gossip_time *time;
    enum log_level level;
    struct text line;
};

int log_open(int descriptor, struct gossip_time *time, struct log **ret_log)
{
    struct log *log = malloc(sizeof(*log));
    char path[32];
    struct stat status;
    int reopened;

    if (!log)
        return GOSSIP_ERR_NOMEM;
    *log = (struct log){.descriptor = descriptor, .time = time};
    log->socket = fstat(descriptor, &status) == 0 && S_ISSOCK(status.st_mode);
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

void log_close(struct log *log)
{
    if (!log)
        return;
    if (log->owned)
        close(log->descriptor);
    text_clear(&log->line);
    free(log);
}

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

static void write_line(struct log *log, const struct text *line)
{
    ssize_t written = write_at_once(log, line->data, line->size);

    if (written == (ssize_t)line->size)
        return;
    log->lost++;
    log->torn = log->torn || written > 0;
}

static void add_head(struct log *log, struct text *line, enum log_level level, const char *event)
{
    static const char *const names[] = {"info", "warn", "error"};

    if (log->torn)
        text_add(line, "\n");
    text_add(line, "time=");
    text_add_time(line, log->time->ops->wall_ms(log->time));
    text_print(line, " level=%s event=%s", names[level], event);
}

void log_begin(struct log *log, enum log_level level, const char *event)
{
    log->line.size = 0;
    log->line.failed = false;
    log->level = level;
    add_head(log, &log->line, level, event);
}

void log_add(struct log *log, const char *key, const char *value)
{
    size_t size = strlen(value);
    bool plain = size > 0;

    for (size_t i = 0; i < size; i++)
        plain = plain && value[i] > ' ' && value[i] < 0x7f && !strchr("\"=\\", value[i]);
    text_print(&log->line, " %s=%s", key, plain ? value : "\"");
    if (plain)
        return;
    for (size_t i = 0; i < size; i++) {
        if (value[i] == '"')
            text_add(&log->line, "\\\"");
        else
            text_add_escaped(&log->line, value + i, 1, TEXT_ESCAPE_ASCII);
    }
    text_add(&log->line, "\"");
}

void log_add_number(struct log *log, const char *key, uint64_t value)
{
    text_print(&log->line, " %s=%" PRIu64, key, value);
}

void log_add_address(struct log *log, const char *key, const struct gossip_address *address)
{
    char text[GOSSIP_ADDRESS_TEXT_MAX];

    gossip_address_to_text(address, text);
    log_add(log, key, text);
}

/* Whether one more line may go out in this second. */
static bool within_rate(struct log *log)
{
    uint64_t second = log->time->ops->monotonic_ms(log->time) / 1000;

    if (second != log->second) {
        log->second = second;
        log->lines = 0;
    }
    return log->lines++ < LINES_PER_SECOND;
}

static void tell_lost(struct log *log)
{
    struct text line = {0};
    uint64_t lost = log->lost;

    add_head(log, &line, LOG_WARN, "lines-lost");
    text_print(&line, " count=%" PRIu64 "\n", lost);
    if (!line.failed && write_at_once(log, line.data, line.size) == (ssize_t)line.size) {
        log->lost -= lost;
        log->torn = false;
    }
    text_clear(&line);
}

void log_end(struct log *log)
{
    text_add(&log->line, "\n");
    if (log->line.failed || (!within_rate(log) && log->level != LOG_ERROR)) {
        log->lost++;
        return;
    }
    if (log->lost > 0)
        tell_lost(log);
    write_line(log, &log->line);
}

/* What is not known to be harmless is worth a warning. */
static enum log_level notice_level(enum gossip_notice_kind kind)
{
    switch (kind) {
    case GOSSIP_NOTICE_PEER_ALIVE:
    case GOSSIP_NOTICE_PEER_SILENT:
    case GOSSIP_NOTICE_MEMBER:
    case GOSSIP_NOTICE_DISK_FREED:
    case GOSSIP_NOTICE_EPOCH:
    case GOSSIP_NOTICE_REISSUED:
        return LOG_INFO;
    case GOSSIP_NOTICE_DISK_FULL:
    case GOSSIP_NOTICE_CLONED:
    case GOSSIP_NOTICE_POISON:
        return LOG_ERROR;
    default:
        return LOG_WARN;
    }
}

/* What tells that the store was set back: "moved,side". */
static void add_evidence(struct log *log, uint64_t evidence)
{
    struct text names = {0};

    for (size_t i = 0; view_evidence(i); i++)
        if ((evidence & (uint64_t)1 << i) != 0)
            text_print(&names, "%s%s", names.size > 0 ? "," : "", view_evidence(i));
    if (names.size > 0 && !names.failed)
        log_add(log, "evidence", names.data);
    text_clear(&names);
}

void log_notice(struct log *log, const struct gossip_notice *notice, const char *author)
{
    log_begin(log, notice_level(notice->kind), gossip_notice_name(notice->kind));
    if (notice->name[0])
        log_add(log, "node", notice->name);
    if (notice->address.port != 0)
        log_add_address(log, "address", &notice->address);
    if (notice->dot.seq != 0) {
        struct text dot = {0};

        text_print(&dot, "%s:%" PRIu64, author, notice->dot.seq);
        if (!dot.failed)
            log_add(log, "dot", dot.data);
        text_clear(&dot);
    }
    switch (notice->kind) {
    case GOSSIP_NOTICE_FUTURE:
        log_add_number(log, "ahead_ms", notice->number);
        break;
    case GOSSIP_NOTICE_CUT:
        log_add(log, "by", notice->number != 0 ? "fork" : "eviction");
        break;
    case GOSSIP_NOTICE_EVIDENCE:
        add_evidence(log, notice->number);
        if ((notice->number & (GOSSIP_EVIDENCE_MOVED | GOSSIP_EVIDENCE_BACKUP)) != 0)
            log_add(log, "next",
                    "if this is a copy of a node that runs elsewhere, stop it and run gossip "
                    "recover --new-key");
        break;
    default:
        if (notice->number != 0)
            log_add_number(log, "count", notice->number);
        break;
    }
    if (notice->kind == GOSSIP_NOTICE_DISK_FULL)
        log_add(log, "next", "free some space; the node then goes on by itself");
    log_end(log);
}
