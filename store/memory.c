#include "store/memory.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/gossip.h"
#include "store/explanation.h"
#include "store/record.h"

enum {
    KINDS = GOSSIP_RECORD_PEER + 1,
    PIECES = 4,        /* Of memory that a record points to. */
    TABLES_CHANGED = 3 /* By an event. */
};

typedef int compare_records(const struct gossip_record *a, const struct gossip_record *b);

/* Records, ascending. */
struct table {
    compare_records *compare;
    struct gossip_record **items;
    size_t count;
    size_t capacity;
    bool owns; /* Its items are freed with it; else another table owns them. */
};

/* The events of one author, by seq. The table of all events owns them. */
struct author_events {
    uint32_t author;
    struct table by_seq;
};

struct memory_store {
    struct gossip_store base;
    struct table tables[KINDS];    /* By enum gossip_record_kind. */
    struct table onces;            /* Events that have a once, by it and their delivery. */
    struct author_events **events; /* By author, ascending. */
    size_t events_count;
    size_t events_capacity;
    size_t allocations_left; /* SIZE_MAX: not limited. */
    bool busy;
    struct explanation explanation;
};

/* What was done to a table, so that it can be undone. */
struct change {
    struct table *table;
    size_t index;
    struct gossip_record *replaced; /* NULL: an item was inserted. */
};

/* Room for all changes of a save is made before the first. */
struct changes {
    struct change *items;
    size_t count;
};

static bool may_allocate(struct memory_store *store)
{
    if (store->allocations_left == SIZE_MAX)
        return true;
    if (store->allocations_left == 0)
        return false;
    store->allocations_left--;
    return true;
}

static void *allocate(struct memory_store *store, size_t size)
{
    return may_allocate(store) ? malloc(size) : NULL;
}

/* Returns items, moved if need be, with room for one more of size; NULL when there is no memory. */
static void *grow(struct memory_store *store, void *items, size_t size, size_t count,
                  size_t *capacity)
{
    size_t wanted = *capacity == 0 ? 16 : *capacity * 2;
    void *grown;

    if (count < *capacity)
        return items;
    grown = may_allocate(store) ? reallocarray(items, wanted, size) : NULL;
    if (grown != NULL)
        *capacity = wanted;
    return grown;
}

/* Copies, with all that it points to, in one piece of memory. */
static struct gossip_record *copy_record(struct memory_store *store,
                                         const struct gossip_record *record)
{
    struct piece {
        const void *data;
        size_t size;
        const void *copy;
    } pieces[PIECES] = {{NULL, 0, NULL}};
    struct gossip_record *copy;
    size_t size = sizeof(*copy);
    uint8_t *free_room;

    if (record->kind == GOSSIP_RECORD_META) {
        pieces[0] = (struct piece){record->as.meta.name, strlen(record->as.meta.name) + 1, NULL};
        pieces[1] = (struct piece){record->as.meta.bytes, record->as.meta.size, NULL};
    } else if (record->kind == GOSSIP_RECORD_EVENT) {
        pieces[0] = (struct piece){record->as.event.body, record->as.event.body_size, NULL};
        pieces[1] = (struct piece){record->as.event.seal, GOSSIP_SIGNATURE_SIZE, NULL};
        pieces[2] = (struct piece){record->as.event.context, record->as.event.context_size, NULL};
        pieces[3] = (struct piece){record->as.event.once, GOSSIP_ONCE_HASH_SIZE, NULL};
    } else if (record->kind == GOSSIP_RECORD_SIGNED) {
        pieces[0] =
            (struct piece){record->as.signed_record.bytes, record->as.signed_record.size, NULL};
    }
    for (size_t i = 0; i < PIECES; i++)
        if (pieces[i].data != NULL)
            size += pieces[i].size;
    copy = allocate(store, size);
    if (copy == NULL)
        return NULL;
    *copy = *record;
    free_room = (uint8_t *)(copy + 1);
    for (size_t i = 0; i < PIECES; i++) {
        if (pieces[i].data == NULL)
            continue;
        if (pieces[i].size > 0)
            memcpy(free_room, pieces[i].data, pieces[i].size);
        pieces[i].copy = free_room;
        free_room += pieces[i].size;
    }
    if (record->kind == GOSSIP_RECORD_META) {
        copy->as.meta.name = pieces[0].copy;
        copy->as.meta.bytes = pieces[1].copy;
        if (copy->as.meta.bytes == NULL)
            copy->as.meta.size = 0;
        else
            copy->as.meta.number = 0;
    } else if (record->kind == GOSSIP_RECORD_EVENT) {
        copy->as.event.body = pieces[0].copy;
        copy->as.event.seal = pieces[1].copy;
        copy->as.event.context = pieces[2].copy;
        copy->as.event.once = pieces[3].copy;
        if (copy->as.event.context == NULL)
            copy->as.event.context_size = 0;
    } else if (record->kind == GOSSIP_RECORD_SIGNED) {
        copy->as.signed_record.bytes = pieces[0].copy;
    }
    return copy;
}

static int compare_onces(const struct gossip_record *a, const struct gossip_record *b)
{
    int order = memcmp(a->as.event.once, b->as.event.once, GOSSIP_ONCE_HASH_SIZE);

    return order != 0 ? order : record_compare(a, b);
}

static int compare_seqs(const struct gossip_record *a, const struct gossip_record *b)
{
    return (a->as.event.seq > b->as.event.seq) - (a->as.event.seq < b->as.event.seq);
}

/* Whether key is there; *ret_index is where it is, or where it would have to be inserted. */
static bool table_find(const struct table *table, const struct gossip_record *key,
                       size_t *ret_index)
{
    size_t first = 0;
    size_t end = table->count;

    if (end > 0 && table->compare(table->items[end - 1], key) < 0)
        first = end; /* As a rule records come in order. */
    while (first < end) {
        size_t middle = first + (end - first) / 2;

        if (table->compare(table->items[middle], key) < 0)
            first = middle + 1;
        else
            end = middle;
    }
    *ret_index = first;
    return first < table->count && table->compare(table->items[first], key) == 0;
}

/* Inserts record, or replaces the one of equal key, and notes how to undo it. */
static bool table_put(struct memory_store *store, struct table *table, struct gossip_record *record,
                      struct changes *changes)
{
    struct change *change = &changes->items[changes->count];

    change->table = table;
    change->replaced = NULL;
    if (table_find(table, record, &change->index)) {
        change->replaced = table->items[change->index];
    } else {
        struct gossip_record **items = grow(store, table->items, sizeof(struct gossip_record *),
                                            table->count, &table->capacity);

        if (items == NULL)
            return false;
        table->items = items;
        memmove(table->items + change->index + 1, table->items + change->index,
                (table->count - change->index) * sizeof(struct gossip_record *));
        table->count++;
    }
    table->items[change->index] = record;
    changes->count++;
    return true;
}

static void undo(struct changes *changes)
{
    while (changes->count > 0) {
        struct change *change = &changes->items[--changes->count];
        struct table *table = change->table;

        if (table->owns)
            free(table->items[change->index]);
        if (change->replaced != NULL) {
            table->items[change->index] = change->replaced;
            continue;
        }
        table->count--;
        memmove(table->items + change->index, table->items + change->index + 1,
                (table->count - change->index) * sizeof(struct gossip_record *));
    }
}

/* A signed record without bytes stands for one that is to be forgotten. */
static bool is_forgotten(const struct gossip_record *record)
{
    return record->kind == GOSSIP_RECORD_SIGNED && record->as.signed_record.bytes == NULL;
}

static void forget(struct table *table)
{
    size_t kept = 0;

    for (size_t i = 0; i < table->count; i++) {
        if (is_forgotten(table->items[i]))
            free(table->items[i]);
        else
            table->items[kept++] = table->items[i];
    }
    table->count = kept;
}

static void keep(struct memory_store *store, struct changes *changes)
{
    for (size_t i = 0; i < changes->count; i++)
        if (changes->items[i].table->owns)
            free(changes->items[i].replaced);
    changes->count = 0;
    forget(&store->tables[GOSSIP_RECORD_SIGNED]);
}

/* Where author is among those that have events, or would have to be inserted. */
static size_t find_author(const struct memory_store *store, uint32_t author)
{
    size_t first = 0;
    size_t end = store->events_count;

    while (first < end) {
        size_t middle = first + (end - first) / 2;

        if (store->events[middle]->author < author)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

static struct table *events_of(const struct memory_store *store, uint32_t author)
{
    size_t index = find_author(store, author);

    if (index < store->events_count && store->events[index]->author == author)
        return &store->events[index]->by_seq;
    return NULL;
}

/* An author without events, as a save that fails may leave one, cannot be seen from outside. */
static struct table *make_events_of(struct memory_store *store, uint32_t author)
{
    size_t index = find_author(store, author);
    struct author_events *events;
    struct author_events **all = grow(store, store->events, sizeof(struct author_events *),
                                      store->events_count, &store->events_capacity);

    if (all == NULL)
        return NULL;
    store->events = all;
    events = allocate(store, sizeof(*events));
    if (events == NULL)
        return NULL;
    *events = (struct author_events){author, {compare_seqs, NULL, 0, 0, false}};
    memmove(store->events + index + 1, store->events + index,
            (store->events_count - index) * sizeof(struct author_events *));
    store->events[index] = events;
    store->events_count++;
    return &events->by_seq;
}

/* What is stored under the delivery number or the dot of record, or NULL. */
static const struct gossip_record *find_event(const struct memory_store *store,
                                              const struct gossip_record *record)
{
    const struct table *all = &store->tables[GOSSIP_RECORD_EVENT];
    const struct table *of_author = events_of(store, record->as.event.author);
    size_t index;

    if (table_find(all, record, &index))
        return all->items[index];
    if (of_author != NULL && table_find(of_author, record, &index))
        return of_author->items[index];
    return NULL;
}

static int put_event(struct memory_store *store, const struct gossip_record *record,
                     struct changes *changes)
{
    struct table *all = &store->tables[GOSSIP_RECORD_EVENT];
    struct table *of_author = events_of(store, record->as.event.author);
    const struct gossip_record *stored = find_event(store, record);
    uint64_t last = all->count == 0 ? 0 : all->items[all->count - 1]->as.event.delivery;
    struct gossip_record kept = *record;
    bool adds_seal;
    struct gossip_record *copy;
    int error;

    if (stored != NULL) {
        error =
            record_resave(&stored->as.event, &record->as.event, &adds_seal, &store->explanation);
        if (error < 0 || !adds_seal)
            return error;
        kept.as.event.once = stored->as.event.once;
    } else if (record->as.event.delivery <= last) {
        return record_out_of_order(&record->as.event, last, &store->explanation);
    }
    if (of_author == NULL)
        of_author = make_events_of(store, record->as.event.author);
    if (of_author == NULL)
        return GOSSIP_ERR_NOMEM;
    copy = copy_record(store, &kept);
    if (copy == NULL)
        return GOSSIP_ERR_NOMEM;
    if (!table_put(store, all, copy, changes)) {
        free(copy);
        return GOSSIP_ERR_NOMEM;
    }
    if (!table_put(store, of_author, copy, changes) ||
        (copy->as.event.once != NULL && !table_put(store, &store->onces, copy, changes)))
        return GOSSIP_ERR_NOMEM;
    return GOSSIP_OK;
}

static int put(struct memory_store *store, const struct gossip_record *record,
               struct changes *changes)
{
    int error = record_check(record, &store->explanation);
    struct gossip_record *copy;

    if (error < 0)
        return error;
    if (record->kind == GOSSIP_RECORD_EVENT)
        return put_event(store, record, changes);
    copy = copy_record(store, record);
    if (copy == NULL)
        return GOSSIP_ERR_NOMEM;
    if (!table_put(store, &store->tables[record->kind], copy, changes)) {
        free(copy);
        return GOSSIP_ERR_NOMEM;
    }
    return GOSSIP_OK;
}

static int save_all(struct memory_store *store, const struct gossip_record *records, size_t count,
                    memory_store_commit *commit, void *context)
{
    struct changes changes = {NULL, 0};
    int error = GOSSIP_OK;

    assert(!store->busy);
    if (count == 0)
        return GOSSIP_OK;
    if (may_allocate(store))
        changes.items = calloc(count, TABLES_CHANGED * sizeof(struct change));
    if (changes.items == NULL)
        error = GOSSIP_ERR_NOMEM;
    for (size_t i = 0; i < count && error == GOSSIP_OK; i++)
        error = put(store, &records[i], &changes);
    if (error == GOSSIP_OK && commit != NULL)
        error = commit(context);
    if (error == GOSSIP_OK)
        keep(store, &changes);
    else
        undo(&changes);
    if (error == GOSSIP_ERR_NOMEM)
        explanation_set(&store->explanation, "out of memory: nothing was stored");
    free(changes.items);
    return error;
}

static int memory_save(struct gossip_store *base, const struct gossip_record *records, size_t count)
{
    return save_all((struct memory_store *)base, records, count, NULL, NULL);
}

static int show(struct memory_store *store, const struct table *table, size_t index,
                gossip_record_visit *visit, void *context)
{
    int result;

    store->busy = true;
    result = visit(context, table->items[index]);
    store->busy = false;
    return result;
}

static int memory_load(struct gossip_store *base, gossip_record_visit *visit, void *context)
{
    struct memory_store *store = (struct memory_store *)base;
    int result = 0;

    assert(!store->busy);
    for (size_t kind = 0; kind < KINDS; kind++) {
        const struct table *table = &store->tables[kind];

        if (kind == GOSSIP_RECORD_EVENT)
            continue;
        for (size_t i = 0; i < table->count && result == 0; i++)
            result = show(store, table, i, visit, context);
    }
    return result;
}

static int memory_read(struct gossip_store *base, uint32_t author, uint64_t first, uint64_t last,
                       gossip_record_visit *visit, void *context)
{
    struct memory_store *store = (struct memory_store *)base;
    const struct table *table = events_of(store, author);
    struct gossip_record key = {.kind = GOSSIP_RECORD_EVENT, .as.event = {.seq = first}};
    size_t index;
    int result = 0;

    assert(!store->busy);
    if (table == NULL)
        return 0;
    table_find(table, &key, &index);
    while (result == 0 && index < table->count && table->items[index]->as.event.seq <= last)
        result = show(store, table, index++, visit, context);
    return result;
}

static int memory_follow(struct gossip_store *base, uint64_t after, gossip_record_visit *visit,
                         void *context)
{
    struct memory_store *store = (struct memory_store *)base;
    const struct table *table = &store->tables[GOSSIP_RECORD_EVENT];
    struct gossip_record key = {.kind = GOSSIP_RECORD_EVENT, .as.event = {.delivery = after}};
    size_t index;
    int result = 0;

    assert(!store->busy);
    if (table_find(table, &key, &index))
        index++;
    while (result == 0 && index < table->count)
        result = show(store, table, index++, visit, context);
    return result;
}

static int memory_find_once(struct gossip_store *base, const uint8_t once[GOSSIP_ONCE_HASH_SIZE],
                            gossip_record_visit *visit, void *context)
{
    struct memory_store *store = (struct memory_store *)base;
    const struct table *table = &store->onces;
    struct gossip_record key = {.kind = GOSSIP_RECORD_EVENT, .as.event = {.once = once}};
    size_t index;
    int result = 0;

    assert(!store->busy);
    table_find(table, &key, &index); /* No delivery number is 0: before the first. */
    while (result == 0 && index < table->count &&
           memcmp(table->items[index]->as.event.once, once, GOSSIP_ONCE_HASH_SIZE) == 0)
        result = show(store, table, index++, visit, context);
    return result;
}

static int memory_has(struct gossip_store *base, uint32_t author, uint64_t seq)
{
    struct memory_store *store = (struct memory_store *)base;
    const struct table *table = events_of(store, author);
    struct gossip_record key = {.kind = GOSSIP_RECORD_EVENT, .as.event = {.seq = seq}};
    size_t index;

    assert(!store->busy);
    return table != NULL && table_find(table, &key, &index);
}

static const char *memory_explain(struct gossip_store *base)
{
    return ((struct memory_store *)base)->explanation.text;
}

static void clear_table(struct table *table)
{
    for (size_t i = 0; table->owns && i < table->count; i++)
        free(table->items[i]);
    free(table->items);
}

static void memory_close(struct gossip_store *base)
{
    struct memory_store *store = (struct memory_store *)base;

    assert(!store->busy);
    for (size_t i = 0; i < store->events_count; i++) {
        clear_table(&store->events[i]->by_seq);
        free(store->events[i]);
    }
    free(store->events);
    clear_table(&store->onces);
    for (size_t kind = 0; kind < KINDS; kind++)
        clear_table(&store->tables[kind]);
    free(store);
}

static const struct gossip_store_ops memory_ops = {
    .abilities = GOSSIP_STORE_EVENTS | GOSSIP_STORE_ONCE,
    .load = memory_load,
    .save = memory_save,
    .read = memory_read,
    .follow = memory_follow,
    .has = memory_has,
    .find_once = memory_find_once,
    .explain = memory_explain,
    .close = memory_close,
};

void memory_store_limit_allocations(struct gossip_store *store, size_t count)
{
    assert(store->ops == &memory_ops);
    ((struct memory_store *)store)->allocations_left = count;
}

int memory_store_save(struct gossip_store *store, const struct gossip_record *records, size_t count,
                      memory_store_commit *commit, void *context)
{
    assert(store->ops == &memory_ops);
    return save_all((struct memory_store *)store, records, count, commit, context);
}

int gossip_memory_open(struct gossip_store **ret_store)
{
    struct memory_store *store = calloc(1, sizeof(*store));

    if (store == NULL)
        return GOSSIP_ERR_NOMEM;
    store->base.ops = &memory_ops;
    store->allocations_left = SIZE_MAX;
    store->onces.compare = compare_onces;
    for (size_t kind = 0; kind < KINDS; kind++) {
        store->tables[kind].compare = record_compare;
        store->tables[kind].owns = true;
    }
    *ret_store = &store->base;
    return GOSSIP_OK;
}
