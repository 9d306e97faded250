/*
 * A store of one's own, and a node over it. This one keeps everything in one sorted array, which
 * is slow where there is much, and short: every rule of gossip/store.h can be found in it. The
 * node stands on two wrappers, which try again and count. Build it outside this tree with
 *     cc store_custom.c $(pkg-config --cflags --libs gossip)
 *
 * docs/stores.md tells how to go on from here; tests/test_store_custom.c holds this one to the
 * contract that every store is held to.
 */
#include "gossip/gossip.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A record with all that it points to: what is lent for a call is copied. */
struct entry {
    struct gossip_record record;
    bool is_new;      /* Made by the save that is being tried. */
    bool is_replaced; /* That save has another in its place, or none. */
    uint8_t bytes[];
};

struct custom_store {
    struct gossip_store base; /* First, so that a pointer to one is a pointer to the other. */
    struct entry **entries;   /* By kind, in the order of a load, and then by key; events last. */
    size_t count;
    const char *explanation;
};

int custom_store_open(struct gossip_store **ret_store);

/* ---- Keys. ---- */

static int rank(enum gossip_record_kind kind)
{
    static const int ranks[] = {
        [GOSSIP_RECORD_META] = 0,   [GOSSIP_RECORD_AUTHOR] = 1, [GOSSIP_RECORD_MENTION] = 2,
        [GOSSIP_RECORD_SIGNED] = 3, [GOSSIP_RECORD_PEER] = 4,   [GOSSIP_RECORD_EVENT] = 5,
    };

    return ranks[kind];
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare(const struct gossip_record *a, const struct gossip_record *b)
{
    if (a->kind != b->kind)
        return rank(a->kind) - rank(b->kind);
    switch (a->kind) {
    case GOSSIP_RECORD_META:
        return strcmp(a->as.meta.name, b->as.meta.name);
    case GOSSIP_RECORD_AUTHOR:
        return compare_numbers(a->as.author.number, b->as.author.number);
    case GOSSIP_RECORD_MENTION:
        if (a->as.mention.author != b->as.mention.author)
            return compare_numbers(a->as.mention.author, b->as.mention.author);
        return compare_numbers(a->as.mention.index, b->as.mention.index);
    case GOSSIP_RECORD_SIGNED:
        return memcmp(a->as.signed_record.id, b->as.signed_record.id, GOSSIP_HASH_SIZE);
    case GOSSIP_RECORD_PEER:
        return memcmp(a->as.peer.key, b->as.peer.key, GOSSIP_KEY_SIZE);
    case GOSSIP_RECORD_EVENT:
        return compare_numbers(a->as.event.delivery, b->as.event.delivery);
    }
    return 0;
}

/* Whether there is a record of this key; *ret_place is where it is, or belongs. */
static bool find(struct entry *const *entries, size_t count, const struct gossip_record *key,
                 size_t *ret_place)
{
    size_t first = 0;
    size_t end = count;

    while (first < end) {
        size_t middle = first + (end - first) / 2;

        if (compare(&entries[middle]->record, key) < 0)
            first = middle + 1;
        else
            end = middle;
    }
    *ret_place = first;
    return first < count && compare(&entries[first]->record, key) == 0;
}

/* ---- What may be saved. ---- */

static bool is_countable(uint64_t number)
{
    return number <= INT64_MAX;
}

/* NULL, or why no store can keep it. */
static const char *find_fault(const struct gossip_record *record)
{
    const struct gossip_author_record *author = &record->as.author;
    const struct gossip_event_record *event = &record->as.event;

    switch (record->kind) {
    case GOSSIP_RECORD_META:
        if (record->as.meta.name == NULL || record->as.meta.name[0] == '\0')
            return "a meta record has no name";
        if (record->as.meta.bytes == NULL && !is_countable(record->as.meta.number))
            return "a number is past 2^63 - 1";
        return NULL;
    case GOSSIP_RECORD_AUTHOR:
        return is_countable(author->have) && is_countable(author->floor) &&
                       is_countable(author->cut) && is_countable(author->mentions) &&
                       is_countable(author->unsealed_size)
                   ? NULL
                   : "a number is past 2^63 - 1";
    case GOSSIP_RECORD_MENTION:
        return record->as.mention.index > 0 && is_countable(record->as.mention.index)
                   ? NULL
                   : "an index is not of 1 to 2^63 - 1";
    case GOSSIP_RECORD_SIGNED:
        return record->as.signed_record.bytes == NULL && record->as.signed_record.size > 0
                   ? "a signed record has no bytes"
                   : NULL;
    case GOSSIP_RECORD_PEER:
        return NULL;
    case GOSSIP_RECORD_EVENT:
        if (event->delivery == 0 || !is_countable(event->delivery) || event->seq == 0 ||
            !is_countable(event->seq))
            return "a seq or a delivery number is not of 1 to 2^63 - 1";
        return event->body == NULL && event->body_size > 0 ? "an event has no body" : NULL;
    }
    return "there is no such kind of record";
}

static bool same_bytes(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    if (a == NULL || b == NULL)
        return a == b;
    return a_size == b_size && memcmp(a, b, a_size) == 0;
}

/* Whether b is a, but perhaps for a seal that one of them has and the other has not. */
static bool is_same_event(const struct gossip_event_record *a, const struct gossip_event_record *b)
{
    return a->delivery == b->delivery && a->author == b->author && a->seq == b->seq &&
           memcmp(a->hash, b->hash, GOSSIP_HASH_SIZE) == 0 && a->body_size == b->body_size &&
           (a->body_size == 0 || memcmp(a->body, b->body, a->body_size) == 0) &&
           same_bytes(a->context, a->context_size, b->context, b->context_size) &&
           (a->seal == NULL || b->seal == NULL ||
            memcmp(a->seal, b->seal, GOSSIP_SIGNATURE_SIZE) == 0);
}

/* ---- A save: on a copy of the array, which takes the place of the array at the end. ---- */

struct attempt {
    struct custom_store *store;
    struct entry **entries;
    size_t count;
};

/* Copies size bytes, if there are any to point to, and moves *free_room behind them. */
static const uint8_t *copy_bytes(uint8_t **free_room, const void *bytes, size_t size)
{
    uint8_t *copy = *free_room;

    if (bytes == NULL)
        return NULL;
    if (size > 0)
        memcpy(copy, bytes, size);
    *free_room += size;
    return copy;
}

static struct entry *make_entry(const struct gossip_record *record)
{
    struct gossip_record copy = *record;
    struct entry *entry;
    size_t size = 0;
    uint8_t *free_room;

    if (record->kind == GOSSIP_RECORD_META)
        size = strlen(record->as.meta.name) + 1 + record->as.meta.size;
    else if (record->kind == GOSSIP_RECORD_SIGNED)
        size = record->as.signed_record.size;
    else if (record->kind == GOSSIP_RECORD_EVENT)
        size = record->as.event.body_size + GOSSIP_SIGNATURE_SIZE + record->as.event.context_size +
               GOSSIP_ONCE_HASH_SIZE;
    entry = malloc(sizeof(*entry) + size);
    if (entry == NULL)
        return NULL;
    free_room = entry->bytes;
    if (record->kind == GOSSIP_RECORD_META) {
        copy.as.meta.name = (const char *)copy_bytes(&free_room, record->as.meta.name,
                                                     strlen(record->as.meta.name) + 1);
        copy.as.meta.bytes = copy_bytes(&free_room, record->as.meta.bytes, record->as.meta.size);
    } else if (record->kind == GOSSIP_RECORD_SIGNED) {
        copy.as.signed_record.bytes =
            copy_bytes(&free_room, record->as.signed_record.bytes, record->as.signed_record.size);
    } else if (record->kind == GOSSIP_RECORD_EVENT) {
        copy.as.event.body =
            copy_bytes(&free_room, record->as.event.body, record->as.event.body_size);
        copy.as.event.seal = copy_bytes(&free_room, record->as.event.seal, GOSSIP_SIGNATURE_SIZE);
        copy.as.event.context =
            copy_bytes(&free_room, record->as.event.context, record->as.event.context_size);
        copy.as.event.once = copy_bytes(&free_room, record->as.event.once, GOSSIP_ONCE_HASH_SIZE);
    }
    entry->record = copy;
    entry->is_new = true;
    entry->is_replaced = false;
    return entry;
}

/* An entry of the attempt's own is gone for good; the store's are only gone if all goes well. */
static void let_go(struct entry *entry)
{
    if (entry->is_new)
        free(entry);
    else
        entry->is_replaced = true;
}

static int refuse(struct custom_store *store, int error, const char *why)
{
    store->explanation = why;
    return error;
}

/* Whether an event may be saved: 1, or 0 where nothing is to be done, or an error. */
static int judge_event(const struct attempt *attempt, const struct gossip_event_record *event)
{
    uint64_t last = 0;

    for (size_t i = 0; i < attempt->count; i++) {
        const struct gossip_event_record *held = &attempt->entries[i]->record.as.event;

        if (attempt->entries[i]->record.kind != GOSSIP_RECORD_EVENT)
            continue;
        last = held->delivery;
        if (held->delivery != event->delivery &&
            (held->author != event->author || held->seq != event->seq))
            continue;
        if (!is_same_event(held, event))
            return refuse(attempt->store, GOSSIP_ERR_EXISTS,
                          "an event is held already under that dot or that delivery number");
        return held->seal == NULL && event->seal != NULL; /* A seal may be added. */
    }
    if (event->delivery <= last)
        return refuse(attempt->store, GOSSIP_ERR_INVALID,
                      "an event comes before others that were delivered");
    return 1;
}

static int put(struct attempt *attempt, const struct gossip_record *record)
{
    const char *fault = find_fault(record);
    struct gossip_record kept = *record;
    struct entry *entry;
    size_t place;
    bool is_there;
    int result = 1;

    if (fault != NULL)
        return refuse(attempt->store, GOSSIP_ERR_INVALID, fault);
    if (record->kind == GOSSIP_RECORD_EVENT)
        result = judge_event(attempt, &record->as.event);
    if (result <= 0)
        return result;
    is_there = find(attempt->entries, attempt->count, record, &place);
    if (is_there && record->kind == GOSSIP_RECORD_EVENT) /* As its first save has said. */
        kept.as.event.once = attempt->entries[place]->record.as.event.once;
    entry = make_entry(&kept);
    if (entry == NULL)
        return refuse(attempt->store, GOSSIP_ERR_NOMEM, "out of memory: nothing was stored");
    if (is_there) {
        let_go(attempt->entries[place]);
    } else {
        memmove(attempt->entries + place + 1, attempt->entries + place,
                (attempt->count - place) * sizeof(attempt->entries[0]));
        attempt->count++;
    }
    attempt->entries[place] = entry;
    if (record->kind == GOSSIP_RECORD_SIGNED && record->as.signed_record.bytes == NULL) {
        free(entry); /* It is forgotten. */
        attempt->count--;
        memmove(attempt->entries + place, attempt->entries + place + 1,
                (attempt->count - place) * sizeof(attempt->entries[0]));
    }
    return GOSSIP_OK;
}

/* Takes the place of what the store held. */
static void keep(struct attempt *attempt)
{
    struct custom_store *store = attempt->store;

    for (size_t i = 0; i < store->count; i++) {
        if (store->entries[i]->is_replaced)
            free(store->entries[i]);
    }
    for (size_t i = 0; i < attempt->count; i++)
        attempt->entries[i]->is_new = false;
    free(store->entries);
    store->entries = attempt->entries;
    store->count = attempt->count;
}

static void give_up(struct attempt *attempt)
{
    for (size_t i = 0; i < attempt->count; i++) {
        if (attempt->entries[i]->is_new)
            free(attempt->entries[i]);
    }
    for (size_t i = 0; i < attempt->store->count; i++)
        attempt->store->entries[i]->is_replaced = false;
    free(attempt->entries);
}

static int custom_save(struct gossip_store *base, const struct gossip_record *records, size_t count)
{
    struct custom_store *store = (struct custom_store *)base;
    struct attempt attempt = {.store = store, .count = store->count};
    int error = GOSSIP_OK;

    attempt.entries = calloc(store->count + count + 1, sizeof(attempt.entries[0]));
    if (attempt.entries == NULL)
        return refuse(store, GOSSIP_ERR_NOMEM, "out of memory: nothing was stored");
    if (store->count > 0)
        memcpy(attempt.entries, store->entries, store->count * sizeof(store->entries[0]));
    for (size_t i = 0; i < count && error == GOSSIP_OK; i++)
        error = put(&attempt, &records[i]);
    if (error == GOSSIP_OK)
        keep(&attempt);
    else
        give_up(&attempt);
    return error;
}

/* ---- Reading. ---- */

static int custom_load(struct gossip_store *base, gossip_record_visit *visit, void *context)
{
    struct custom_store *store = (struct custom_store *)base;
    int result = 0;

    for (size_t i = 0; i < store->count && result == 0; i++) {
        if (store->entries[i]->record.kind != GOSSIP_RECORD_EVENT)
            result = visit(context, &store->entries[i]->record);
    }
    return result;
}

/* The event of author with the least seq of first to last; NULL if there is none. */
static const struct gossip_record *next_event(const struct custom_store *store, uint32_t author,
                                              uint64_t first, uint64_t last)
{
    const struct gossip_record *found = NULL;

    for (size_t i = 0; i < store->count; i++) {
        const struct gossip_record *record = &store->entries[i]->record;

        if (record->kind == GOSSIP_RECORD_EVENT && record->as.event.author == author &&
            record->as.event.seq >= first && record->as.event.seq <= last &&
            (found == NULL || record->as.event.seq < found->as.event.seq))
            found = record;
    }
    return found;
}

static int custom_read(struct gossip_store *base, uint32_t author, uint64_t first, uint64_t last,
                       gossip_record_visit *visit, void *context)
{
    struct custom_store *store = (struct custom_store *)base;
    const struct gossip_record *record;
    int result = 0;

    while (result == 0 && (record = next_event(store, author, first, last)) != NULL) {
        result = visit(context, record);
        first = record->as.event.seq + 1;
    }
    return result;
}

static int custom_follow(struct gossip_store *base, uint64_t after, gossip_record_visit *visit,
                         void *context)
{
    struct custom_store *store = (struct custom_store *)base;
    int result = 0;

    for (size_t i = 0; i < store->count && result == 0; i++) {
        const struct gossip_record *record = &store->entries[i]->record;

        if (record->kind == GOSSIP_RECORD_EVENT && record->as.event.delivery > after)
            result = visit(context, record);
    }
    return result;
}

static int custom_has(struct gossip_store *base, uint32_t author, uint64_t seq)
{
    return next_event((struct custom_store *)base, author, seq, seq) != NULL;
}

/* What an event was saved with stays in its record, and is asked for seldom. */
static int custom_find_once(struct gossip_store *base, const uint8_t once[GOSSIP_ONCE_HASH_SIZE],
                            gossip_record_visit *visit, void *context)
{
    struct custom_store *store = (struct custom_store *)base;
    int result = 0;

    for (size_t i = 0; i < store->count && result == 0; i++) {
        const struct gossip_record *record = &store->entries[i]->record;

        if (record->kind == GOSSIP_RECORD_EVENT && record->as.event.once != NULL &&
            memcmp(record->as.event.once, once, GOSSIP_ONCE_HASH_SIZE) == 0)
            result = visit(context, record);
    }
    return result;
}

static const char *custom_explain(struct gossip_store *base)
{
    return ((struct custom_store *)base)->explanation;
}

static void custom_close(struct gossip_store *base)
{
    struct custom_store *store = (struct custom_store *)base;

    for (size_t i = 0; i < store->count; i++)
        free(store->entries[i]);
    free(store->entries);
    free(store);
}

int custom_store_open(struct gossip_store **ret_store)
{
    /* It says what it can do: events, and nothing that outlives the process. The functions of what
     * it cannot do stay NULL. */
    static const struct gossip_store_ops ops = {
        .abilities = GOSSIP_STORE_EVENTS | GOSSIP_STORE_ONCE,
        .load = custom_load,
        .save = custom_save,
        .read = custom_read,
        .follow = custom_follow,
        .has = custom_has,
        .find_once = custom_find_once,
        .explain = custom_explain,
        .close = custom_close,
    };
    struct custom_store *store = calloc(1, sizeof(*store));

    if (store == NULL)
        return GOSSIP_ERR_NOMEM;
    store->base.ops = &ops;
    store->explanation = "";
    *ret_store = &store->base;
    return GOSSIP_OK;
}

/* ---- A node over it. ---- */

#ifndef CUSTOM_STORE_ALONE

static void check(int error, const char *what)
{
    if (error < 0) {
        fprintf(stderr, "store_custom: %s: %s\n", what, gossip_strerror(error));
        exit(EXIT_FAILURE);
    }
}

static void wait_ms(void *context, uint32_t ms)
{
    (void)context;
    (void)poll(NULL, 0, (int)ms);
}

static uint64_t now_ms(void *context)
{
    struct gossip_time *time = context;

    return time->ops->monotonic_ms(time);
}

/* Retry over what counts over the store itself: every attempt is counted. */
static void open_wrapped(struct gossip_store **ret_metrics, struct gossip_store **ret_store)
{
    const struct gossip_retry_options options = {
        .size = sizeof(options), .attempts = 3, .backoff_ms = 20, .wait = wait_ms};
    struct gossip_store *store;

    check(custom_store_open(&store), "store");
    check(gossip_metrics_open(store, now_ms, gossip_system_time(), ret_metrics), "metrics");
    check(gossip_retry_open(*ret_metrics, &options, ret_store), "retry");
}

int main(void)
{
    static const char *const words[] = {"one", "two", "three"};
    struct gossip_options options = {.size = sizeof(options)};
    struct gossip_store_metrics figures;
    struct gossip_store *metrics;
    struct gossip_cluster *cluster;
    struct gossip_identity *identity;
    struct gossip *gossip;
    struct gossip_event event;
    uint64_t ticket;
    int popped;

    open_wrapped(&metrics, &options.store);
    check(gossip_cluster_create(gossip_system_time(), &cluster), "cluster");
    check(gossip_identity_create(cluster, "n1", 0, gossip_system_time(), &identity), "identity");
    options.time = gossip_system_time();
    options.identity = identity;
    check(gossip_create(&options, &gossip), "node");
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        check(gossip_publish(gossip, words[i], strlen(words[i]), &ticket), "publish");
        check(gossip_run(gossip), "run");
    }
    while ((popped = gossip_event_pop(gossip, &event)) > 0)
        printf("n1:%d %.*s\n", (int)event.dot.seq, (int)event.size, (const char *)event.data);
    check(popped, "event");

    gossip_metrics_read(metrics, &figures);
    for (int call = 0; call < GOSSIP_STORE_CALLS; call++) {
        if (figures.calls[call].calls > 0)
            printf("%s: %d calls, %d records\n",
                   gossip_store_call_name((enum gossip_store_call)call),
                   (int)figures.calls[call].calls, (int)figures.calls[call].records);
    }
    gossip_destroy(gossip);
    gossip_identity_destroy(identity);
    gossip_cluster_destroy(cluster);
    options.store->ops->close(options.store); /* And with it the two below. */
    return EXIT_SUCCESS;
}

#endif
