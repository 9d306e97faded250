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

const char *view_cut_cause(const struct gossip_author *author)
{
    return author->is_forked ? "fork" : "eviction";
}

const char *view_standing(const struct view *view, const uint8_t key[GOSSIP_KEY_SIZE])
{
    const char *standing = "member";
    struct gossip_author author;

    for (uint32_t i = 0; gossip_author(view->gossip, i, &author) == GOSSIP_OK; i++) {
        if (author.cut == 0 || memcmp(author.key, key, GOSSIP_KEY_SIZE) != 0)
            continue;
        if (!author.is_forked)
            return "evicted";
        standing = "forked";
    }
    return standing;
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

/* The number of the author with this id; false where it is not known. */
static bool find_author(const struct view *view, const uint8_t id[GOSSIP_ID_SIZE],
                        struct gossip_author *ret_author)
{
    for (uint32_t i = 0; gossip_author(view->gossip, i, ret_author) == GOSSIP_OK; i++)
        if (memcmp(ret_author->id, id, GOSSIP_ID_SIZE) == 0)
            return true;
    return false;
}

int view_proof(const struct view *view, const struct gossip_signed *record,
               struct proof_view *ret_proof)
{
    struct proof_view shown = {.record = *record, .held = -1};
    struct gossip_author author;
    struct gossip_event event;
    int error = gossip_proof_check(gossip_identity_cluster(view->identity), record->bytes,
                                   record->size, &shown.proof);

    if (error < 0)
        return error;
    if (find_author(view, shown.proof.author, &author)) {
        shown.contested = author.contested;
        error = gossip_event_get(view->gossip, (struct gossip_dot){author.number, shown.proof.seq},
                                 &event);
        for (int i = 0; i < 2 && error == GOSSIP_OK; i++)
            if (memcmp(event.hash, shown.proof.hashes[i], GOSSIP_HASH_SIZE) == 0)
                shown.held = i;
        if (error < 0 && error != GOSSIP_ERR_NOT_FOUND && error != GOSSIP_ERR_PRUNED)
            return error;
    }
    *ret_proof = shown;
    return GOSSIP_OK;
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

const char *view_start_state(enum gossip_start_state state)
{
    switch (state) {
    case GOSSIP_START_READY:
        return "ready";
    case GOSSIP_START_ASKING:
        return "asking";
    case GOSSIP_START_FETCHING:
        return "fetching";
    }
    return "unknown";
}

const char *view_evidence(size_t index)
{
    static const char *const names[] = {"backup", "moved", "side", "events", "boot"};

    return index < sizeof(names) / sizeof(names[0]) ? names[index] : NULL;
}
