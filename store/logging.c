/*
 * A line for each call of a store.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "gossip/gossip.h"
#include "store/explanation.h"
#include "store/wrapper.h"

struct logging_store {
    struct wrapper wrapper;
    gossip_store_log *log;
    void *context;
};

/* What a call has come to, in words. */
static const char *outcome_of(const struct store_call *call, int result)
{
    if (call->is_answered)
        return "ended by its caller";
    if (result < 0)
        return gossip_strerror(result);
    if (call->kind == GOSSIP_STORE_HAS)
        return result == 1 ? "yes" : "no";
    if (call->kind == GOSSIP_STORE_BACKUP_STEP)
        return result == 1 ? "whole" : "more to come";
    return "ok";
}

static int around(struct wrapper *wrapper, struct store_call *call)
{
    struct logging_store *store = (struct logging_store *)wrapper;
    int result = store_call_run(call);
    struct gossip_store_line line = {.call = call->kind,
                                     .result = result,
                                     .is_failure = result < 0 && !call->is_answered,
                                     .records = call->moved_records,
                                     .bytes = call->moved_bytes};
    struct explanation text;
    const char *explanation = "";

    if (line.is_failure)
        explanation = wrapper->inner->ops->explain(wrapper->inner);
    explanation_set(&text, "%s: %s, %" PRIu64 " records, %" PRIu64 " bytes%s%s",
                    gossip_store_call_name(call->kind), outcome_of(call, result), line.records,
                    line.bytes, explanation[0] == '\0' ? "" : ": ", explanation);
    line.text = text.text;
    store->log(store->context, &line);
    return result;
}

int gossip_logging_open(struct gossip_store *inner, gossip_store_log *log, void *context,
                        struct gossip_store **ret_store)
{
    struct logging_store *store = malloc(sizeof(*store));

    if (store == NULL)
        return GOSSIP_ERR_NOMEM;
    wrapper_start(&store->wrapper, inner, around);
    store->log = log;
    store->context = context;
    *ret_store = &store->wrapper.base;
    return GOSSIP_OK;
}
