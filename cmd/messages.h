/*
 * What the log can say: one row for each event. docs/messages.md tells people what each means and
 * what to do, and tests/test_messages.c holds that page against these rows.
 */
#ifndef CMD_MESSAGES_H
#define CMD_MESSAGES_H

#include "gossip/gossip.h"

#include <stdbool.h>
#include <stdint.h>

/* By name, "peer-alive" is MESSAGE_PEER_ALIVE. */
enum message {
    MESSAGE_READY,
    MESSAGE_FAULTS_ALLOWED,
    MESSAGE_SIGNAL,
    MESSAGE_FAILED,
    MESSAGE_STOPPED,
    MESSAGE_PEER_ALIVE,
    MESSAGE_PEER_SILENT,
    MESSAGE_MEMBER,
    MESSAGE_REFUSED,
    MESSAGE_DISAGREES,
    MESSAGE_CUT,
    MESSAGE_DROPPED,
    MESSAGE_FUTURE_STAMP,
    MESSAGE_POISON,
    MESSAGE_DISK_FULL,
    MESSAGE_DISK_FREED,
    MESSAGE_NO_MEMORY,
    MESSAGE_STORE_SET_BACK,
    MESSAGE_NEW_EPOCH,
    MESSAGE_REISSUED,
    MESSAGE_CLONED,
    MESSAGE_API,
    MESSAGE_API_REFUSED,
    MESSAGE_NOTICES_LOST,
    MESSAGE_LINES_LOST,
    MESSAGES,
};

enum field {
    FIELD_NODE,
    FIELD_ADDRESS,
    FIELD_DOT,
    FIELD_COUNT,
    FIELD_AHEAD_MS,
    FIELD_BY,
    FIELD_EVIDENCE,
    FIELD_NEXT,
    FIELD_REASON,
    FIELD_STORE,
    FIELD_CODE,
    FIELD_SIGNAL,
    FIELD_BOOT,
    FIELD_CLOCK,
    FIELD_DIR,
    FIELD_PID,
    FIELD_VERSION,
    FIELD_MESSAGE,
    FIELD_KIND,
    FIELD_HTTP,
    FIELDS,
};

struct field_row {
    const char *name;
    bool is_number; /* Else text. */
};

enum message_level {
    LEVEL_INFO,
    LEVEL_WARN,
    LEVEL_ERROR,
};

struct level_row {
    const char *name;
    char priority; /* As syslog(3) and journald number them. */
};

/* How many lines of one kind go out. */
struct message_budget {
    unsigned burst; /* At once, after a time of quiet; 0: all go out, and wait where there is no
                       room. */
    unsigned per_second;
};

struct message_row {
    const char *name;
    enum message_level level;
    const struct message_budget *budget;
    uint32_t always;    /* Of these fields each line has all, */
    uint32_t sometimes; /* and of these what is known: bits by enum field. */
};

const struct message_row *message_row(enum message message);
const struct field_row *field_row(enum field field);
const struct level_row *level_row(enum message_level level);

/* What the log calls what the library has to tell. */
enum message message_of_notice(enum gossip_notice_kind kind);

#endif
