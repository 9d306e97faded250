/*
 * The node's log: a line on stderr for each thing, key=value (logfmt) or an object of JSON, as
 * docs/messages.md promises. Nothing here blocks or fails. A line that is one too many of its kind,
 * or that stderr has no room for, is let go and counted, and a line of its own tells how many; only
 * those that must not be lost wait for room.
 */
#ifndef CMD_LOG_H
#define CMD_LOG_H

#include "cmd/messages.h"
#include "gossip/gossip.h"

#include <stdint.h>

enum log_format {
    LOG_LOGFMT,
    LOG_JSON,
};

struct log;

/* Logs to descriptor, which stays the caller's. Lends time for its life. NOMEM. */
int log_open(int descriptor, enum log_format format, struct gossip_time *time,
             struct log **ret_log);

/* What still waits is given a second to be read. NULL is allowed. */
void log_close(struct log *log);

/* One line: begin, add the fields that its message has, end. Bytes of whatever origin are
 * escaped. */
void log_begin(struct log *log, enum message message);
void log_add(struct log *log, enum field field, const char *value);
void log_add_number(struct log *log, enum field field, uint64_t value);
void log_add_address(struct log *log, enum field field, const struct gossip_address *address);
void log_end(struct log *log);

/* A line for what the node wants known; author is what the author of its dot is called. */
void log_notice(struct log *log, const struct gossip_notice *notice, const char *author);

/* Writes what waits, and tells of lines that were lost a while ago; to be called now and then. */
void log_settle(struct log *log);

#endif
