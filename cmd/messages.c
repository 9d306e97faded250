#include "cmd/messages.h"

#include <assert.h>
#include <stdlib.h>

/* A node's own life, and what needs somebody at once. None of these comes often. */
static const struct message_budget all = {0};

/* Enough for what happens as a cluster starts or parts; so many in a second are read by nobody. */
static const struct message_budget many = {.burst = 100, .per_second = 10};

/* What others can bring about as often as they like. */
static const struct message_budget few = {.burst = 20, .per_second = 1};

#define BIT(name) (UINT32_C(1) << FIELD_##name)

static const struct message_row messages[MESSAGES] = {
    [MESSAGE_READY] = {"ready", LEVEL_INFO, &all,
                       BIT(NODE) | BIT(ADDRESS) | BIT(BOOT) | BIT(DIR) | BIT(PID) | BIT(VERSION),
                       BIT(CLOCK) | BIT(HTTP)},
    [MESSAGE_FAULTS_ALLOWED] = {"faults-allowed", LEVEL_WARN, &all, BIT(NEXT) | BIT(COUNT), 0},
    [MESSAGE_SIGNAL] = {"signal", LEVEL_INFO, &all, BIT(SIGNAL), 0},
    [MESSAGE_FAILED] = {"failed", LEVEL_ERROR, &all, BIT(REASON) | BIT(NEXT), BIT(STORE)},
    [MESSAGE_STOPPED] = {"stopped", LEVEL_INFO, &all, BIT(CODE), 0},
    [MESSAGE_PEER_ALIVE] = {"peer-alive", LEVEL_INFO, &many, BIT(NODE) | BIT(ADDRESS), 0},
    [MESSAGE_PEER_SILENT] = {"peer-silent", LEVEL_INFO, &many, BIT(NODE), BIT(ADDRESS)},
    [MESSAGE_MEMBER] = {"member", LEVEL_INFO, &many, BIT(NODE), BIT(ADDRESS)},
    [MESSAGE_REFUSED] = {"refused", LEVEL_WARN, &few, BIT(DOT), BIT(NODE) | BIT(ADDRESS)},
    [MESSAGE_DISAGREES] = {"disagrees", LEVEL_WARN, &few, BIT(DOT), BIT(NODE) | BIT(ADDRESS)},
    [MESSAGE_CUT] = {"cut", LEVEL_WARN, &many, BIT(DOT) | BIT(BY), BIT(NODE) | BIT(ADDRESS)},
    [MESSAGE_DROPPED] = {"dropped", LEVEL_WARN, &few, BIT(DOT) | BIT(COUNT),
                         BIT(NODE) | BIT(ADDRESS)},
    [MESSAGE_FUTURE_STAMP] = {"future-stamp", LEVEL_WARN, &few, BIT(DOT) | BIT(AHEAD_MS),
                              BIT(NODE) | BIT(ADDRESS)},
    [MESSAGE_POISON] = {"poison", LEVEL_ERROR, &all, BIT(DOT), BIT(NODE)},
    [MESSAGE_DISK_FULL] = {"disk-full", LEVEL_ERROR, &all, BIT(NEXT), 0},
    [MESSAGE_DISK_FREED] = {"disk-freed", LEVEL_INFO, &all, 0, 0},
    [MESSAGE_NO_MEMORY] = {"no-memory", LEVEL_WARN, &few, 0, 0},
    [MESSAGE_STORE_SET_BACK] = {"store-set-back", LEVEL_WARN, &all, BIT(EVIDENCE),
                                BIT(DOT) | BIT(NEXT)},
    [MESSAGE_NEW_EPOCH] = {"new-epoch", LEVEL_INFO, &all, BIT(DOT), 0},
    [MESSAGE_REISSUED] = {"reissued", LEVEL_INFO, &many, BIT(DOT), 0},
    [MESSAGE_CLONED] = {"cloned", LEVEL_ERROR, &all, 0, BIT(DOT)},
    [MESSAGE_API] = {"api", LEVEL_WARN, &few, BIT(MESSAGE), 0},
    [MESSAGE_API_REFUSED] = {"api-refused", LEVEL_WARN, &few, BIT(REASON), 0},
    [MESSAGE_NOTICES_LOST] = {"notices-lost", LEVEL_WARN, &few, BIT(COUNT), 0},
    [MESSAGE_LINES_LOST] = {"lines-lost", LEVEL_WARN, &all, BIT(KIND) | BIT(COUNT), 0},
};

static const struct field_row fields[FIELDS] = {
    [FIELD_NODE] = {"node", false},         [FIELD_ADDRESS] = {"address", false},
    [FIELD_DOT] = {"dot", false},           [FIELD_COUNT] = {"count", true},
    [FIELD_AHEAD_MS] = {"ahead_ms", true},  [FIELD_BY] = {"by", false},
    [FIELD_EVIDENCE] = {"evidence", false}, [FIELD_NEXT] = {"next", false},
    [FIELD_REASON] = {"reason", false},     [FIELD_STORE] = {"store", false},
    [FIELD_CODE] = {"code", true},          [FIELD_SIGNAL] = {"signal", false},
    [FIELD_BOOT] = {"boot", true},          [FIELD_CLOCK] = {"clock", false},
    [FIELD_DIR] = {"dir", false},           [FIELD_PID] = {"pid", true},
    [FIELD_VERSION] = {"version", false},   [FIELD_MESSAGE] = {"message", false},
    [FIELD_KIND] = {"kind", false},         [FIELD_HTTP] = {"http", false},
};

static const struct level_row levels[] = {
    [LEVEL_INFO] = {"info", '6'},
    [LEVEL_WARN] = {"warn", '4'},
    [LEVEL_ERROR] = {"error", '3'},
};

const struct message_row *message_row(enum message message)
{
    assert(message < MESSAGES);
    return &messages[message];
}

const struct field_row *field_row(enum field field)
{
    assert(field < FIELDS);
    return &fields[field];
}

const struct level_row *level_row(enum message_level level)
{
    return &levels[level];
}

enum message message_of_notice(enum gossip_notice_kind kind)
{
    switch (kind) { /* No default: -Wswitch finds gaps. */
    case GOSSIP_NOTICE_PEER_ALIVE:
        return MESSAGE_PEER_ALIVE;
    case GOSSIP_NOTICE_PEER_SILENT:
        return MESSAGE_PEER_SILENT;
    case GOSSIP_NOTICE_MEMBER:
        return MESSAGE_MEMBER;
    case GOSSIP_NOTICE_REFUSED:
        return MESSAGE_REFUSED;
    case GOSSIP_NOTICE_DISAGREES:
        return MESSAGE_DISAGREES;
    case GOSSIP_NOTICE_DROPPED:
        return MESSAGE_DROPPED;
    case GOSSIP_NOTICE_FUTURE:
        return MESSAGE_FUTURE_STAMP;
    case GOSSIP_NOTICE_DISK_FULL:
        return MESSAGE_DISK_FULL;
    case GOSSIP_NOTICE_DISK_FREED:
        return MESSAGE_DISK_FREED;
    case GOSSIP_NOTICE_NO_MEMORY:
        return MESSAGE_NO_MEMORY;
    case GOSSIP_NOTICE_LOST:
        return MESSAGE_NOTICES_LOST;
    case GOSSIP_NOTICE_CUT:
        return MESSAGE_CUT;
    case GOSSIP_NOTICE_EVIDENCE:
        return MESSAGE_STORE_SET_BACK;
    case GOSSIP_NOTICE_EPOCH:
        return MESSAGE_NEW_EPOCH;
    case GOSSIP_NOTICE_REISSUED:
        return MESSAGE_REISSUED;
    case GOSSIP_NOTICE_CLONED:
        return MESSAGE_CLONED;
    case GOSSIP_NOTICE_POISON:
        return MESSAGE_POISON;
    }
    abort();
}
