/*
 * Trying again, where that can do no harm: where a failure is known to have changed nothing.
 */
#include <stdlib.h>

#include "gossip/gossip.h"
#include "gossip/options.h"
#include "store/wrapper.h"

enum { ATTEMPTS_MAX = 100, BACKOFF_MAX_MS = 60000 };

struct retry_store {
    struct wrapper wrapper;
    struct gossip_retry_options options;
};

/* Of IO the outcome is unknown, and the file is to be believed at the next start; the others are
 * answers, and would come again. What a visit has returned is not the store's; and once it has been
 * shown a record, it is not shown it twice. */
static bool may_try_again(const struct store_call *call, int result)
{
    bool changed_nothing =
        result == GOSSIP_ERR_FULL || result == GOSSIP_ERR_LOCKED || result == GOSSIP_ERR_NOMEM;

    return changed_nothing && call->moved_records == 0 &&
           call->kind != GOSSIP_STORE_BACKUP_STEP; /* Whose failure has ended the backup. */
}

static int around(struct wrapper *wrapper, struct store_call *call)
{
    const struct gossip_retry_options *options = &((struct retry_store *)wrapper)->options;
    int result = store_call_run(call);

    for (uint32_t attempt = 1; attempt < options->attempts && may_try_again(call, result);
         attempt++) {
        options->wait(options->context, attempt * options->backoff_ms);
        result = store_call_run(call);
    }
    return result;
}

int gossip_retry_open(struct gossip_store *inner, const struct gossip_retry_options *given,
                      struct gossip_store **ret_store)
{
    struct gossip_retry_options options;
    struct retry_store *store;

    if (!options_read(&options, sizeof(options), sizeof(options), given) || options.attempts < 1 ||
        options.attempts > ATTEMPTS_MAX || options.backoff_ms > BACKOFF_MAX_MS ||
        options.wait == NULL)
        return GOSSIP_ERR_INVALID;
    store = malloc(sizeof(*store));
    if (store == NULL)
        return GOSSIP_ERR_NOMEM;
    wrapper_start(&store->wrapper, inner, around);
    store->options = options;
    *ret_store = &store->wrapper.base;
    return GOSSIP_OK;
}
