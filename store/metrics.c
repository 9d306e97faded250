/*
 * Figures of a store: how often each call is made, what it moves, how long it takes.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/gossip.h"
#include "store/wrapper.h"

struct metrics_store {
    struct wrapper wrapper;
    gossip_store_clock *clock;
    void *context;
    struct gossip_store_metrics metrics;
};

/* 0 for 0, else one more than the place of the highest bit. */
static unsigned bucket_of(uint64_t duration)
{
    unsigned bucket = 0;

    while (duration > 0 && bucket < GOSSIP_STORE_BUCKETS - 1) {
        duration >>= 1;
        bucket++;
    }
    return bucket;
}

static int around(struct wrapper *wrapper, struct store_call *call)
{
    struct metrics_store *store = (struct metrics_store *)wrapper;
    struct gossip_store_figures *figures = &store->metrics.calls[call->kind];
    uint64_t start = store->clock(store->context);
    int result = store_call_run(call);
    uint64_t end = store->clock(store->context);
    uint64_t duration = end > start ? end - start : 0;

    figures->calls++;
    figures->failed += result < 0 && !call->is_answered;
    figures->records += call->moved_records;
    figures->bytes += call->moved_bytes;
    figures->duration += duration;
    if (duration > figures->longest)
        figures->longest = duration;
    figures->durations[bucket_of(duration)]++;
    return result;
}

int gossip_metrics_open(struct gossip_store *inner, gossip_store_clock *clock, void *context,
                        struct gossip_store **ret_store)
{
    struct metrics_store *store = calloc(1, sizeof(*store));

    if (store == NULL)
        return GOSSIP_ERR_NOMEM;
    wrapper_start(&store->wrapper, inner, around);
    store->clock = clock;
    store->context = context;
    *ret_store = &store->wrapper.base;
    return GOSSIP_OK;
}

void gossip_metrics_read(const struct gossip_store *store, struct gossip_store_metrics *ret_metrics)
{
    const struct metrics_store *metrics = (const struct metrics_store *)store;

    assert(metrics->wrapper.around == around);
    *ret_metrics = metrics->metrics;
}
