#include "cmd/view.h"

#include <string.h>

const char *view_peer_state(enum gossip_peer_state state)
{
    switch (state) {
    case GOSSIP_PEER_UNREACHED:
        return "unreached";
    case GOSSIP_PEER_ALIVE:
        return "alive";
    case GOSSIP_PEER_SILENT:
        return "silent";
    }
    return "unknown";
}

const char *view_event_kind(uint64_t kind)
{
    switch (kind) {
    case GOSSIP_EVENT_APPLICATION:
        return "application";
    case GOSSIP_EVENT_CONTEXT:
        return "context";
    case GOSSIP_EVENT_EPOCH_OPEN:
        return "epoch-open";
    default:
        return NULL;
    }
}

void view_add_author(const struct view *view, const uint8_t id[GOSSIP_ID_SIZE], struct text *text)
{
    struct gossip_author author;

    for (uint32_t i = 0; i < names_count(view->names); i++) {
        if (gossip_author(view->gossip, i, &author) < 0 ||
            memcmp(author.id, id, GOSSIP_ID_SIZE) != 0)
            continue;
        text_add(text, names_get(view->names, i));
        return;
    }
    text_add(text, "?");
    text_add_hex(text, id, 4);
}
