/*
 * The node's log: lines of key=value (logfmt) on stderr. Nothing here blocks or fails: a line that
 * stderr has no room for is let go and counted, and the next one that goes out tells how many.
 */
#ifndef CMD_LOG_H
#define CMD_LOG_H

#include "cmd/text.h"
#include "gossip/gossip.h"

#include <stdint.h>

enum log_level {
    LOG_INFO,
    LOG_WARN,
    LOG_ERROR,
};

struct log;

/* Logs to descriptor, which stays the caller's. Lends time for its life. NOMEM. */
int log_open(int descriptor, struct gossip_time *time, struct log **ret_log);
void log_close(struct log *log); /* NULL is allowed. */

/* One line: begin, add fields, end. Bytes of whatever origin are escaped. */
void log_begin(struct log *log, enum log_level level, const char *event);
void log_add(struct log *log, const char *key, const char *value);
void log_add_number(struct log *log, const char *key, uint64_t value);
void log_add_address(struct log *log, const char *key, const struct gossip_address *address);
void log_end(struct log *log);

/* A line for what the node wants known. */
void log_notice(struct log *log, const struct gossip_notice *notice, const char *author);

#endif
