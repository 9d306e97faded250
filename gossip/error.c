#include "gossip/gossip.h"

const char *gossip_strerror(int error)
{
    switch ((enum gossip_error)error) {
    case GOSSIP_OK:
        return "ok";
    case GOSSIP_ERR_NOMEM:
        return "out of memory";
    case GOSSIP_ERR_INVALID:
        return "not of the form asked for";
    case GOSSIP_ERR_LIMIT:
        return "a limit was reached";
    case GOSSIP_ERR_NOT_FOUND:
        return "there is no such thing here";
    case GOSSIP_ERR_EXISTS:
        return "it exists already";
    case GOSSIP_ERR_FULL:
        return "the disk is full";
    case GOSSIP_ERR_IO:
        return "reading or writing failed";
    case GOSSIP_ERR_DAMAGED:
        return "what is stored contradicts itself";
    case GOSSIP_ERR_FOREIGN:
        return "not ours, of another cluster, or of a newer version";
    case GOSSIP_ERR_LOCKED:
        return "another process uses it";
    case GOSSIP_ERR_PERMISSION:
        return "not permitted";
    case GOSSIP_ERR_IN_USE:
        return "the address is taken";
    case GOSSIP_ERR_FORGED:
        return "a signature does not fit";
    case GOSSIP_ERR_PRUNED:
        return "no longer held here";
    case GOSSIP_ERR_CLONED:
        return "another process writes under the same key";
    case GOSSIP_ERR_EVICTED:
        return "its key was evicted from the cluster";
    case GOSSIP_ERR_OBSERVER:
        return "its store keeps no events: this node observes, and publishes none";
    case GOSSIP_ERR_STOPPED:
        return "stopped before it was done";
    }
    return "unknown error";
}

const char *gossip_version(void)
{
    return GOSSIP_VERSION;
}

const char *gossip_verdict_name(enum gossip_verdict verdict)
{
    switch (verdict) {
    case GOSSIP_DATAGRAM_ACCEPTED:
        return "accepted";
    case GOSSIP_DATAGRAM_SHORT:
        return "short";
    case GOSSIP_DATAGRAM_OVERSIZED:
        return "oversized";
    case GOSSIP_DATAGRAM_NOT_GOSSIP:
        return "not-gossip";
    case GOSSIP_DATAGRAM_VERSION:
        return "version";
    case GOSSIP_DATAGRAM_FOREIGN:
        return "foreign";
    case GOSSIP_DATAGRAM_MISDIRECTED:
        return "misdirected";
    case GOSSIP_DATAGRAM_UNKNOWN:
        return "unknown";
    case GOSSIP_DATAGRAM_UNPROVEN:
        return "unproven";
    case GOSSIP_DATAGRAM_LIMITED:
        return "limited";
    case GOSSIP_DATAGRAM_FORGED:
        return "forged";
    case GOSSIP_DATAGRAM_REPLAYED:
        return "replayed";
    case GOSSIP_DATAGRAM_MALFORMED:
        return "malformed";
    case GOSSIP_DATAGRAM_UNSUPPORTED:
        return "unsupported";
    case GOSSIP_DATAGRAM_UNASKED:
        return "unasked";
    case GOSSIP_DATAGRAM_DUPLICATE:
        return "duplicate";
    case GOSSIP_DATAGRAM_NO_ROOM:
        return "no-room";
    case GOSSIP_DATAGRAM_REFUSED:
        return "refused";
    case GOSSIP_DATAGRAM_VERDICTS:
        break;
    }
    return "unknown-verdict";
}

const char *gossip_notice_name(enum gossip_notice_kind kind)
{
    switch (kind) {
    case GOSSIP_NOTICE_PEER_ALIVE:
        return "peer-alive";
    case GOSSIP_NOTICE_PEER_SILENT:
        return "peer-silent";
    case GOSSIP_NOTICE_MEMBER:
        return "member";
    case GOSSIP_NOTICE_REFUSED:
        return "refused";
    case GOSSIP_NOTICE_DISAGREES:
        return "disagrees";
    case GOSSIP_NOTICE_DROPPED:
        return "dropped";
    case GOSSIP_NOTICE_FUTURE:
        return "future-stamp";
    case GOSSIP_NOTICE_DISK_FULL:
        return "disk-full";
    case GOSSIP_NOTICE_DISK_FREED:
        return "disk-freed";
    case GOSSIP_NOTICE_NO_MEMORY:
        return "no-memory";
    case GOSSIP_NOTICE_LOST:
        return "notices-lost";
    case GOSSIP_NOTICE_CUT:
        return "cut";
    case GOSSIP_NOTICE_EVIDENCE:
        return "store-set-back";
    case GOSSIP_NOTICE_EPOCH:
        return "new-epoch";
    case GOSSIP_NOTICE_REISSUED:
        return "reissued";
    case GOSSIP_NOTICE_CLONED:
        return "cloned";
    case GOSSIP_NOTICE_POISON:
        return "poison";
    }
    return "unknown-notice";
}
