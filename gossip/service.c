/*
 * The driver: everything that waits is stepped, saved once, and only then sent. It is short because
 * order matters in it.
 */
#include "gossip/service.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/museum.h"
#include "gossip/options.h"
#include "gossip/poison.h"

enum {
    RECEIVED_AT_ONCE = 64,
    /* Batches in one gossip_run(), so that the caller's loop comes round in a flood. */
    BATCHES_AT_ONCE = 16,
    NO_MEMORY_MAX = 3,
    RETRY_MS = 1000,
    RETRY_MAX_MS = 60000,
    WAITING_MAX = 65536,
    WAITING_BYTES_MAX = 64 << 20,
    PERIOD_MIN_MS = 10,
    PERIOD_MAX_MS = 60000,
    /* Once may be chance: a kill, or the power. */
    POISON_CRASHES = 2,
    /* The first version's options end here. */
    OPTIONS_LEAST = offsetof(struct gossip_options, poison_crashes) + sizeof(uint32_t),
};

static uint64_t now_ms(struct gossip *gossip)
{
    return gossip->options.time->ops->monotonic_ms(gossip->options.time);
}

static uint64_t wall_ms(struct gossip *gossip)
{
    return gossip->options.time->ops->wall_ms(gossip->options.time);
}

/* Makes the node of what the store holds; boot_count as in the node's configuration. */
static int make_node(struct gossip *gossip, uint64_t boot_count)
{
    const struct gossip_options *options = &gossip->options;
    struct gossip_node_config config = {
        .crypto = options->crypto,
        .identity = options->identity,
        .store = options->store,
        .now_ms = now_ms(gossip),
        .wall_ms = wall_ms(gossip),
        .period_ms = options->period_ms,
        .payload_max = options->payload_max,
        .fanout = options->fanout,
        .choice = options->choice,
        .joins = gossip->joins,
        .join_count = options->join_count,
        .boot_count = boot_count,
        .is_offline = options->transport == NULL,
        .alone_after_ms = options->alone_after_ms,
        .has_waited = gossip->has_waited,
        .has_dated = gossip->has_dated,
    };
    int error = options->time->ops->random(options->time, config.seed, sizeof(config.seed));

    if (error >= 0)
        error = gossip_node_create(&config, &gossip->node);
    gossip_wipe(config.seed, sizeof(config.seed));
    if (error < 0)
        return error;
    gossip_node_set_read_only(gossip->node, gossip->read_only);
    return GOSSIP_OK;
}

static int check_options(const struct gossip_options *options)
{
    if (options->store == NULL || options->time == NULL || options->identity == NULL ||
        (options->joins == NULL && options->join_count > 0) ||
        options->fanout > GOSSIP_FANOUT_MAX || options->payload_max > GOSSIP_PAYLOAD_MAX ||
        options->choice > GOSSIP_CHOOSE_MOST_RELIABLE)
        return GOSSIP_ERR_INVALID;
    if (options->period_ms != 0 &&
        (options->period_ms < PERIOD_MIN_MS || options->period_ms > PERIOD_MAX_MS))
        return GOSSIP_ERR_INVALID;
    return GOSSIP_OK;
}

static int copy_options(struct gossip *gossip, const struct gossip_options *options)
{
    gossip->options = *options;
    if (gossip->options.crypto == NULL)
        gossip->options.crypto = gossip_crypto_sodium();
    if (gossip->options.period_ms == 0)
        gossip->options.period_ms = GOSSIP_PERIOD_MS;
    if (gossip->options.payload_max == 0)
        gossip->options.payload_max = GOSSIP_PAYLOAD_DEFAULT;
    if (gossip->options.fanout == 0)
        gossip->options.fanout = 1;
    if (gossip->options.alone_after_ms == 0)
        gossip->options.alone_after_ms = GOSSIP_ALONE_AFTER_MS;
    gossip->after = options->after;
    if (gossip->options.poison_crashes == 0)
        gossip->options.poison_crashes = POISON_CRASHES;
    gossip->joins = calloc(options->join_count + 1, sizeof(*gossip->joins));
    if (gossip->joins == NULL)
        return GOSSIP_ERR_NOMEM;
    if (options->join_count > 0)
        memcpy(gossip->joins, options->joins, options->join_count * sizeof(*gossip->joins));
    gossip->options.joins = NULL;
    return GOSSIP_OK;
}

/*
 * The side file, which a store that was set back does not take along: no own event past its mark,
 * and none of another epoch, is saved before it says so. Where a crash comes in between, it is
 * ahead of the store: by the lease, or by an epoch which nobody has seen; then the next start opens
 * another, which is due as that one was.
 */
static int write_side(struct gossip *gossip, bool is_saved)
{
    struct gossip_store *store = gossip->options.store;
    struct gossip_side side = {.boot = gossip_node_boot(gossip->node)};
    uint64_t have;
    bool same_epoch;
    int error;

    if ((store->ops->abilities & GOSSIP_STORE_SIDE) == 0)
        return GOSSIP_OK;
    gossip_node_own(gossip->node, side.epoch, &have);
    /* Without a network the boot is counted by the first batch, and not named before it is saved.
     */
    if (!gossip->has_side && !is_saved)
        return GOSSIP_OK;
    same_epoch = gossip->has_side && memcmp(side.epoch, gossip->side.epoch, GOSSIP_EPOCH_SIZE) == 0;
    if (same_epoch && have <= gossip->side.mark)
        return GOSSIP_OK;
    side.mark = have + GOSSIP_LEASE < GOSSIP_COUNTER_MAX ? have + GOSSIP_LEASE : GOSSIP_COUNTER_MAX;
    error = store->ops->write_side(store, &side);
    if (error < 0)
        return error;
    gossip->side = side;
    gossip->has_side = true;
    return GOSSIP_OK;
}

int gossip_create(const struct gossip_options *given, struct gossip **ret_gossip)
{
    struct gossip_effects effects;
    struct gossip_options options;
    struct gossip *gossip;
    int error = GOSSIP_ERR_INVALID;

    if (options_read(&options, sizeof(options), OPTIONS_LEAST, given))
        error = check_options(&options);
    if (error < 0)
        return error;
    gossip = calloc(1, sizeof(*gossip));
    if (gossip == NULL)
        return GOSSIP_ERR_NOMEM;
    error = copy_options(gossip, &options);
    if (error >= 0)
        error = make_node(gossip, 0);
    if (error >= 0)
        error = gossip_node_take(gossip->node, &effects);
    if (error >= 0 && effects.record_count > 0)
        error = gossip->options.store->ops->save(gossip->options.store, effects.records,
                                                 effects.record_count);
    if (error >= 0)
        gossip->saved = gossip->node->stats;
    /* Whoever only looks leaves things as they are. */
    if (error >= 0 && (gossip->options.transport != NULL || effects.record_count > 0))
        error = write_side(gossip, true);
    for (size_t i = 0; error >= 0 && i < effects.notice_count; i++)
        notice_push(gossip, &effects.notices[i]);

    if (error >= 0)
        error = poison_start(gossip);
    if (error < 0) {
        gossip_destroy(gossip);
        return error;
    }
    *ret_gossip = gossip;
    return GOSSIP_OK;
}

/* The first publication has become its result. */
static void finish_publication(struct gossip *gossip, const struct gossip_result *result)
{
    struct publication *publication = gossip->first;

    gossip->first = publication->next;
    if (gossip->first == NULL)
        gossip->last = NULL;
    gossip->waiting--;
    gossip->waiting_bytes -= publication->size;

    assert(publication->result.ticket == result->ticket);
    publication->result = *result;
    publication->next = NULL;
    if (gossip->last_result == NULL)
        gossip->first_result = publication;
    else
        gossip->last_result->next = publication;
    gossip->last_result = publication;
}

static void free_publications(struct publication *first)
{
    while (first != NULL) {
        struct publication *publication = first;

        first = publication->next;
        free(publication);
    }
}

void gossip_destroy(struct gossip *gossip)
{
    if (gossip == NULL)
        return;
    poison_take_back(gossip); /* If that fails, the event counts as one more end. */
    poison_clear(gossip);
    gossip_node_destroy(gossip->node);
    free_publications(gossip->first);
    free_publications(gossip->first_result);
    event_copy_clear(&gossip->popped);
    event_copy_clear(&gossip->shown);
    gossip_vclock_clear(&gossip->clock);
    free(gossip->joins);
    free(gossip);
}

int gossip_poll_fd(struct gossip *gossip)
{
    struct gossip_transport *transport = gossip->options.transport;

    return transport == NULL ? -1 : transport->ops->poll_fd(transport);
}

int gossip_timeout_ms(struct gossip *gossip)
{
    uint64_t now = now_ms(gossip);
    uint64_t deadline = gossip->deadline_ms;

    if (gossip->failed < 0)
        return -1;
    if ((gossip->next != NULL && gossip_node_may_publish(gossip->node)) || gossip->is_stale)
        return 0;
    if (gossip->options.transport == NULL)
        deadline = UINT64_MAX; /* There is nobody to be asked. */
    if (gossip->read_only && gossip->retry_ms < deadline)
        deadline = gossip->retry_ms;
    if (deadline == UINT64_MAX)
        return -1;
    if (deadline <= now)
        return 0;
    return deadline - now < 3600000 ? (int)(deadline - now) : 3600000;
}

static int publish(struct gossip *gossip, const void *data, size_t size, const void *once,
                   size_t once_size, uint64_t *ret_ticket)
{
    struct publication *publication;

    if ((gossip->options.store->ops->abilities & GOSSIP_STORE_EVENTS) == 0)
        return GOSSIP_ERR_OBSERVER;
    if (size > gossip->options.payload_max || gossip->waiting == WAITING_MAX ||
        gossip->waiting_bytes + size > WAITING_BYTES_MAX)
        return GOSSIP_ERR_LIMIT;
    publication = malloc(sizeof(*publication) + size + once_size);
    if (publication == NULL)
        return GOSSIP_ERR_NOMEM;
    publication->next = NULL;
    publication->result = (struct gossip_result){.ticket = ++gossip->ticket};
    publication->size = size;
    if (size > 0)
        memcpy(publication->payload, data, size);
    publication->once_size = once_size;
    if (once_size > 0)
        memcpy(publication->payload + size, once, once_size);
    if (gossip->last == NULL)
        gossip->first = publication;
    else
        gossip->last->next = publication;
    gossip->last = publication;
    if (gossip->next == NULL)
        gossip->next = publication;
    gossip->waiting++;
    gossip->waiting_bytes += size;
    *ret_ticket = publication->result.ticket;
    return GOSSIP_OK;
}

int gossip_publish(struct gossip *gossip, const void *data, size_t size, uint64_t *ret_ticket)
{
    return publish(gossip, data, size, NULL, 0, ret_ticket);
}

int gossip_publish_once(struct gossip *gossip, const void *data, size_t size, const void *once,
                        size_t once_size, uint64_t *ret_ticket)
{
    unsigned abilities = gossip->options.store->ops->abilities;

    if (once_size == 0 || once_size > GOSSIP_ONCE_MAX ||
        (abilities & (GOSSIP_STORE_EVENTS | GOSSIP_STORE_ONCE)) == GOSSIP_STORE_EVENTS)
        return GOSSIP_ERR_INVALID;
    return publish(gossip, data, size, once, once_size, ret_ticket);
}

int gossip_result_pop(struct gossip *gossip, struct gossip_result *ret_result)
{
    struct publication *first = gossip->first_result;

    if (first == NULL)
        return 0;
    *ret_result = first->result;
    gossip->first_result = first->next;
    if (gossip->first_result == NULL)
        gossip->last_result = NULL;
    free(first);
    return 1;
}

void notice_push(struct gossip *gossip, const struct gossip_notice *notice)
{
    if (gossip->notice_count == NOTICES_MAX) {
        gossip->notices_lost++;
        return;
    }
    gossip->notices[(gossip->notice_start + gossip->notice_count++) % NOTICES_MAX] = *notice;
}

static void push_own_notice(struct gossip *gossip, enum gossip_notice_kind kind)
{
    notice_push(gossip, &(struct gossip_notice){.kind = kind});
}

int gossip_notice_pop(struct gossip *gossip, struct gossip_notice *ret_notice)
{
    if (gossip->notice_count > 0) {
        *ret_notice = gossip->notices[gossip->notice_start];
        gossip->notice_start = (gossip->notice_start + 1) % NOTICES_MAX;
        gossip->notice_count--;
        return 1;
    }
    if (gossip->notices_lost > 0) {
        *ret_notice =
            (struct gossip_notice){.kind = GOSSIP_NOTICE_LOST, .number = gossip->notices_lost};
        gossip->notices_lost = 0;
        return 1;
    }
    return 0;
}

static struct gossip_input input_now(struct gossip *gossip, enum gossip_input_kind kind)
{
    return (struct gossip_input){
        .kind = kind, .now_ms = now_ms(gossip), .wall_ms = wall_ms(gossip)};
}

/* Steps what waits until the batch is full or nothing waits. *ret_more tells which. */
static int step_waiting(struct gossip *gossip, bool *ret_more)
{
    struct gossip_transport *transport = gossip->options.transport;
    struct gossip_input input = input_now(gossip, GOSSIP_INPUT_TIME);
    size_t inputs = 0;
    bool is_dry = transport == NULL;
    int error = GOSSIP_OK;

    if (transport != NULL)
        error = gossip_node_step(gossip->node, &input);
    while (error >= 0 && inputs < GOSSIP_BATCH_INPUTS && !gossip_node_batch_is_full(gossip->node)) {
        struct gossip_datagram datagrams[RECEIVED_AT_ONCE];
        int count = 0;

        if (gossip->next != NULL && gossip_node_may_publish(gossip->node)) {
            input = input_now(gossip, GOSSIP_INPUT_PUBLISH);
            input.ticket = gossip->next->result.ticket;
            input.payload = gossip->next->payload;
            input.payload_size = gossip->next->size;
            input.once_size = gossip->next->once_size;
            if (input.once_size > 0)
                input.once = gossip->next->payload + input.payload_size;
            gossip->next = gossip->next->next;
            error = gossip_node_step(gossip->node, &input);
            inputs++;
        }
        if (!is_dry && error >= 0) {
            count = transport->ops->receive(transport, datagrams, RECEIVED_AT_ONCE);
            if (count < 0)
                return count;
            is_dry = count < RECEIVED_AT_ONCE;
        }
        for (int i = 0; i < count && error >= 0; i++) {
            input = input_now(gossip, GOSSIP_INPUT_DATAGRAM);
            input.datagram = datagrams[i];
            error = gossip_node_step(gossip->node, &input);
            inputs++;
        }
        if (is_dry && (gossip->next == NULL || !gossip_node_may_publish(gossip->node)))
            break;
    }
    *ret_more = !is_dry || (gossip->next != NULL && gossip_node_may_publish(gossip->node));
    return error;
}

/* The batch is committed: what it brought forth may be seen. */
static void show(struct gossip *gossip, const struct gossip_effects *effects)
{
    struct gossip_transport *transport = gossip->options.transport;

    if (transport != NULL && effects->datagram_count > 0)
        transport->ops->send(transport, effects->datagrams, effects->datagram_count);
    for (size_t i = 0; i < effects->notice_count; i++)
        notice_push(gossip, &effects->notices[i]);
    for (size_t i = 0; i < effects->result_count; i++)
        finish_publication(gossip, &effects->results[i]);
    assert(gossip->first == gossip->next); /* Each publication has one result. */
}

/* The node is ahead of its disk: it is thrown away and made again of what the store holds. Nothing
 * of its batch is seen by anybody. Where that fails, the old one stays, stale. */
static int make_again(struct gossip *gossip)
{
    struct gossip_node *stale = gossip->node;
    struct gossip_stats past;
    int error;

    gossip_stats(gossip, &past);
    gossip->is_stale = true;
    error = make_node(gossip, gossip_node_boot(stale));
    if (error < 0) {
        gossip->node = stale;
        return error;
    }
    gossip->past = past; /* Counters go on. */
    gossip->saved = (struct gossip_stats){0};
    gossip_node_destroy(stale);
    gossip->is_stale = false;
    return GOSSIP_OK;
}

/* Nothing is to be sent any more, under a key that somebody else has. */
static int stop_as_clone(struct gossip *gossip, const struct gossip_effects *effects)
{
    for (size_t i = 0; i < effects->notice_count; i++)
        notice_push(gossip, &effects->notices[i]);
    return GOSSIP_ERR_CLONED;
}

static uint64_t later(uint64_t retry_after_ms)
{
    return retry_after_ms * 2 < RETRY_MAX_MS ? retry_after_ms * 2 : RETRY_MAX_MS;
}

/* Where the last try has just found room, there is enough for what is tried and not for what is
 * written: then the next one takes longer to come. */
static int fall_read_only(struct gossip *gossip)
{
    if (!gossip->read_only) {
        bool soon = gossip->retry_after_ms > 0 && now_ms(gossip) - gossip->freed_ms < RETRY_MAX_MS;

        gossip->read_only = true;
        gossip->retry_after_ms = soon ? later(gossip->retry_after_ms) : RETRY_MS;
        push_own_notice(gossip, GOSSIP_NOTICE_DISK_FULL);
    }
    gossip->retry_ms = now_ms(gossip) + gossip->retry_after_ms;
    while (gossip->first != gossip->next)
        finish_publication(gossip, &(struct gossip_result){.ticket = gossip->first->result.ticket,
                                                           .error = GOSSIP_ERR_FULL});
    return make_again(gossip);
}

/* Tries whether there is room again, by saving what is saved already. */
static int try_writing(struct gossip *gossip)
{
    struct gossip_record record = {
        .kind = GOSSIP_RECORD_META,
        .as.meta = {.name = "boot", .number = gossip_node_known_boot(gossip->node)}};
    struct gossip_store *store = gossip->options.store;
    int error;

    if (!gossip->read_only || gossip->retry_ms > now_ms(gossip))
        return GOSSIP_OK;
    error = store->ops->save(store, &record, 1);
    if (error == GOSSIP_ERR_FULL) {
        gossip->retry_after_ms = later(gossip->retry_after_ms);
        gossip->retry_ms = now_ms(gossip) + gossip->retry_after_ms;
        return GOSSIP_OK;
    }
    if (error < 0)
        return error;
    gossip->read_only = false;
    gossip->freed_ms = now_ms(gossip);
    gossip_node_set_read_only(gossip->node, false);
    push_own_notice(gossip, GOSSIP_NOTICE_DISK_FREED);
    return GOSSIP_OK;
}

/* The batch could not be saved for want of room. A node that has a double stops all the same: the
 * next start has to find that out again. */
static int run_out_of_room(struct gossip *gossip, const struct gossip_effects *effects)
{
    return gossip_node_is_cloned(gossip->node) ? stop_as_clone(gossip, effects)
                                               : fall_read_only(gossip);
}

/* One batch: step, save, and only then show. */
static int run_batch(struct gossip *gossip, bool *ret_more)
{
    struct gossip_store *store = gossip->options.store;
    struct gossip_effects effects;
    int error = step_waiting(gossip, ret_more);

    if (error >= 0)
        error = gossip_node_take(gossip->node, &effects);
    if (error < 0)
        return error;
    if (MUSEUM(SEND_EARLY))
        show(gossip, &effects);
    error = effects.record_count > 0 ? write_side(gossip, false) : GOSSIP_OK;
    if (error == GOSSIP_ERR_FULL) {
        *ret_more = false;
        return run_out_of_room(gossip, &effects);
    }
    if (error < 0)
        return error;
    if (effects.record_count > 0) {
        error = MUSEUM(CLOCK_APART)
                    ? museum_save_apart(store, &effects)
                    : store->ops->save(store, effects.records, effects.record_count);
        if (error == GOSSIP_ERR_FULL) {
            *ret_more = false;
            return run_out_of_room(gossip, &effects);
        }
        if (error < 0 && !MUSEUM(GO_ON))
            return error;
        gossip->saved = gossip->node->stats;
        /* That is committed: whether it may be shown is no longer a matter of trying again. */
        error = write_side(gossip, true);
        if (error < 0)
            return error == GOSSIP_ERR_FULL || error == GOSSIP_ERR_NOMEM ? GOSSIP_ERR_IO : error;
    }
    gossip->has_waited = gossip_node_may_publish(gossip->node);
    gossip->has_dated = gossip_node_has_dated(gossip->node);
    if (gossip_node_is_cloned(gossip->node))
        return stop_as_clone(gossip, &effects);
    gossip->deadline_ms = effects.deadline_ms;
    if (!MUSEUM(SEND_EARLY))
        show(gossip, &effects);
    return GOSSIP_OK;
}

/* Out of memory twice in a row is survivable: the batch is dropped, what was to be published waits,
 * and the node is made again, now or at the next run. */
static int survive(struct gossip *gossip, int error)
{
    if (error == GOSSIP_ERR_NOMEM && ++gossip->no_memory < NO_MEMORY_MAX) {
        gossip->next = gossip->first; /* What was taken is taken again. */
        push_own_notice(gossip, GOSSIP_NOTICE_NO_MEMORY);
        gossip->is_stale = true;
        gossip->deadline_ms = 0;
        return GOSSIP_OK;
    }
    gossip->failed = error;
    return error;
}

int gossip_run(struct gossip *gossip)
{
    bool more = true;
    int error;

    if (gossip->failed < 0)
        return gossip->failed;
    error = poison_take_back(gossip);
    if (error >= 0 && gossip->is_stale)
        error = make_again(gossip);
    if (error >= 0)
        error = try_writing(gossip);
    if (error < 0)
        return survive(gossip, error);
    for (unsigned i = 0; i < BATCHES_AT_ONCE && more; i++) {
        error = run_batch(gossip, &more);
        if (error < 0)
            return survive(gossip, error);
        gossip->no_memory = 0;
    }
    if (more)
        gossip->deadline_ms = 0;
    return GOSSIP_OK;
}
