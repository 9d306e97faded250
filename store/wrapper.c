#include "store/wrapper.h"

#include <stdlib.h>
#include <string.h>

#include "gossip/gossip.h"

const char *gossip_store_call_name(enum gossip_store_call call)
{
    static const char *const names[GOSSIP_STORE_CALLS] = {
        [GOSSIP_STORE_LOAD] = "load",
        [GOSSIP_STORE_SAVE] = "save",
        [GOSSIP_STORE_READ] = "read",
        [GOSSIP_STORE_FOLLOW] = "follow",
        [GOSSIP_STORE_HAS] = "has",
        [GOSSIP_STORE_FIND_ONCE] = "find-once",
        [GOSSIP_STORE_FINGERPRINT] = "fingerprint",
        [GOSSIP_STORE_READ_SIDE] = "read-side",
        [GOSSIP_STORE_WRITE_SIDE] = "write-side",
        [GOSSIP_STORE_READ_MARKER] = "read-marker",
        [GOSSIP_STORE_WRITE_MARKER] = "write-marker",
        [GOSSIP_STORE_BACKUP_BEGIN] = "backup-begin",
        [GOSSIP_STORE_BACKUP_STEP] = "backup-step",
    };

    return call < GOSSIP_STORE_CALLS ? names[call] : "unknown-call";
}

/* How many bytes the fields of a record take. */
static uint64_t bytes_of(const struct gossip_record *record)
{
    switch (record->kind) {
    case GOSSIP_RECORD_META:
        return (record->as.meta.name == NULL ? 0 : strlen(record->as.meta.name)) +
               (record->as.meta.bytes == NULL ? 8 : record->as.meta.size);
    case GOSSIP_RECORD_AUTHOR:
        return 4 + GOSSIP_ID_SIZE + GOSSIP_KEY_SIZE + GOSSIP_EPOCH_SIZE + 5 * 8 +
               2 * GOSSIP_HASH_SIZE;
    case GOSSIP_RECORD_MENTION:
        return 4 + 8 + 4;
    case GOSSIP_RECORD_EVENT:
        return 8 + 4 + 8 + GOSSIP_HASH_SIZE + record->as.event.body_size +
               (record->as.event.seal == NULL ? 0 : GOSSIP_SIGNATURE_SIZE) +
               (record->as.event.context == NULL ? 0 : record->as.event.context_size) +
               (record->as.event.once == NULL ? 0 : GOSSIP_ONCE_HASH_SIZE);
    case GOSSIP_RECORD_SIGNED:
        return 1 + GOSSIP_HASH_SIZE + record->as.signed_record.size;
    case GOSSIP_RECORD_PEER:
        return GOSSIP_KEY_SIZE + 16 + 2;
    }
    return 0;
}

static int counting_visit(void *context, const struct gossip_record *record)
{
    struct store_call *call = context;
    int result;

    call->moved_records++;
    call->moved_bytes += bytes_of(record);
    result = call->visit(call->context, record);
    call->is_answered = result != 0;
    return result;
}

static int run_save(struct store_call *call)
{
    int result = call->inner->ops->save(call->inner, call->records, call->count);

    if (result < 0)
        return result;
    call->moved_records += call->count;
    for (size_t i = 0; i < call->count; i++)
        call->moved_bytes += bytes_of(&call->records[i]);
    return result;
}

int store_call_run(struct store_call *call)
{
    struct gossip_store *inner = call->inner;
    const struct gossip_store_ops *ops = inner->ops;

    switch (call->kind) {
    case GOSSIP_STORE_LOAD:
        return ops->load(inner, counting_visit, call);
    case GOSSIP_STORE_SAVE:
        return run_save(call);
    case GOSSIP_STORE_READ:
        return ops->read(inner, call->author, call->first, call->last, counting_visit, call);
    case GOSSIP_STORE_FOLLOW:
        return ops->follow(inner, call->first, counting_visit, call);
    case GOSSIP_STORE_HAS:
        return ops->has(inner, call->author, call->first);
    case GOSSIP_STORE_FIND_ONCE:
        return ops->find_once(inner, call->once, counting_visit, call);
    case GOSSIP_STORE_FINGERPRINT:
        return ops->fingerprint(inner, call->ret_fingerprint);
    case GOSSIP_STORE_READ_SIDE:
        return ops->read_side(inner, call->ret_side);
    case GOSSIP_STORE_WRITE_SIDE:
        return ops->write_side(inner, call->side);
    case GOSSIP_STORE_READ_MARKER:
        return ops->read_marker(inner, call->ret_marker);
    case GOSSIP_STORE_WRITE_MARKER:
        return ops->write_marker(inner, call->marker);
    case GOSSIP_STORE_BACKUP_BEGIN:
        return ops->backup_begin(inner, call->path);
    case GOSSIP_STORE_BACKUP_STEP:
        return ops->backup_step(inner);
    case GOSSIP_STORE_CALLS:
        break;
    }
    return GOSSIP_ERR_INVALID;
}

static struct wrapper *wrapper_of(struct gossip_store *store)
{
    return (struct wrapper *)store;
}

static int hand_on(struct gossip_store *store, struct store_call call)
{
    struct wrapper *wrapper = wrapper_of(store);

    call.inner = wrapper->inner;
    return wrapper->around(wrapper, &call);
}

static int wrapped_load(struct gossip_store *store, gossip_record_visit *visit, void *context)
{
    return hand_on(
        store, (struct store_call){.kind = GOSSIP_STORE_LOAD, .visit = visit, .context = context});
}

static int wrapped_save(struct gossip_store *store, const struct gossip_record *records,
                        size_t count)
{
    return hand_on(
        store, (struct store_call){.kind = GOSSIP_STORE_SAVE, .records = records, .count = count});
}

static int wrapped_read(struct gossip_store *store, uint32_t author, uint64_t first, uint64_t last,
                        gossip_record_visit *visit, void *context)
{
    return hand_on(store, (struct store_call){.kind = GOSSIP_STORE_READ,
                                              .author = author,
                                              .first = first,
                                              .last = last,
                                              .visit = visit,
                                              .context = context});
}

static int wrapped_follow(struct gossip_store *store, uint64_t after, gossip_record_visit *visit,
                          void *context)
{
    return hand_on(store, (struct store_call){.kind = GOSSIP_STORE_FOLLOW,
                                              .first = after,
                                              .visit = visit,
                                              .context = context});
}

static int wrapped_has(struct gossip_store *store, uint32_t author, uint64_t seq)
{
    return hand_on(store,
                   (struct store_call){.kind = GOSSIP_STORE_HAS, .author = author, .first = seq});
}

static int wrapped_find_once(struct gossip_store *store, const uint8_t once[GOSSIP_ONCE_HASH_SIZE],
                             gossip_record_visit *visit, void *context)
{
    return hand_on(store, (struct store_call){.kind = GOSSIP_STORE_FIND_ONCE,
                                              .once = once,
                                              .visit = visit,
                                              .context = context});
}

static int wrapped_fingerprint(struct gossip_store *store,
                               uint8_t ret_fingerprint[GOSSIP_HASH_SIZE])
{
    return hand_on(store, (struct store_call){.kind = GOSSIP_STORE_FINGERPRINT,
                                              .ret_fingerprint = ret_fingerprint});
}

static int wrapped_read_side(struct gossip_store *store, struct gossip_side *ret_side)
{
    return hand_on(store,
                   (struct store_call){.kind = GOSSIP_STORE_READ_SIDE, .ret_side = ret_side});
}

static int wrapped_write_side(struct gossip_store *store, const struct gossip_side *side)
{
    return hand_on(store, (struct store_call){.kind = GOSSIP_STORE_WRITE_SIDE, .side = side});
}

static int wrapped_read_marker(struct gossip_store *store, struct gossip_marker *ret_marker)
{
    return hand_on(store,
                   (struct store_call){.kind = GOSSIP_STORE_READ_MARKER, .ret_marker = ret_marker});
}

static int wrapped_write_marker(struct gossip_store *store, const struct gossip_marker *marker)
{
    return hand_on(store, (struct store_call){.kind = GOSSIP_STORE_WRITE_MARKER, .marker = marker});
}

static int wrapped_backup_begin(struct gossip_store *store, const char *path)
{
    return hand_on(store, (struct store_call){.kind = GOSSIP_STORE_BACKUP_BEGIN, .path = path});
}

static int wrapped_backup_step(struct gossip_store *store)
{
    return hand_on(store, (struct store_call){.kind = GOSSIP_STORE_BACKUP_STEP});
}

static void wrapped_backup_end(struct gossip_store *store)
{
    struct gossip_store *inner = wrapper_of(store)->inner;

    inner->ops->backup_end(inner);
}

static const char *wrapped_explain(struct gossip_store *store)
{
    struct gossip_store *inner = wrapper_of(store)->inner;

    return inner->ops->explain(inner);
}

static void wrapped_close(struct gossip_store *store)
{
    struct gossip_store *inner = wrapper_of(store)->inner;

    inner->ops->close(inner);
    free(store);
}

void wrapper_start(struct wrapper *wrapper, struct gossip_store *inner, wrapper_around *around)
{
    unsigned abilities = inner->ops->abilities;

    *wrapper = (struct wrapper){.ops = {.abilities = abilities,
                                        .load = wrapped_load,
                                        .save = wrapped_save,
                                        .explain = wrapped_explain,
                                        .close = wrapped_close},
                                .inner = inner,
                                .around = around};
    wrapper->base.ops = &wrapper->ops;
    if (abilities & GOSSIP_STORE_EVENTS) {
        wrapper->ops.read = wrapped_read;
        wrapper->ops.follow = wrapped_follow;
        wrapper->ops.has = wrapped_has;
    }
    if (abilities & GOSSIP_STORE_ONCE)
        wrapper->ops.find_once = wrapped_find_once;
    if (abilities & GOSSIP_STORE_SIDE) {
        wrapper->ops.read_side = wrapped_read_side;
        wrapper->ops.write_side = wrapped_write_side;
    }
    if (abilities & GOSSIP_STORE_MARKER) {
        wrapper->ops.read_marker = wrapped_read_marker;
        wrapper->ops.write_marker = wrapped_write_marker;
    }
    if (abilities & GOSSIP_STORE_IDENTITY)
        wrapper->ops.fingerprint = wrapped_fingerprint;
    if (abilities & GOSSIP_STORE_BACKUP) {
        wrapper->ops.backup_begin = wrapped_backup_begin;
        wrapper->ops.backup_step = wrapped_backup_step;
        wrapper->ops.backup_end = wrapped_backup_end;
    }
}
