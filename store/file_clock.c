#include "store/file_clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/author_name.h"
#include "gossip/certificate.h"
#include "gossip/gossip.h"

struct named_author {
    const struct gossip_author_record *record; /* The memory store leaves it where it is. */
    char name[GOSSIP_NAME_MAX + 1];            /* Of its certificate; empty: it has none. */
    bool shares_name;                          /* With another author, */
    bool shares_epoch;                         /* and the epoch too. */
};

struct members {
    struct named_author *authors;
    size_t count;
    size_t capacity;
    struct wire_arena arena; /* Certificates are read in it. */
};

static int add_author(struct members *members, const struct gossip_author_record *record)
{
    if (members->count == members->capacity) {
        size_t capacity = members->capacity == 0 ? 16 : members->capacity * 2;
        struct named_author *wider = realloc(members->authors, capacity * sizeof(*wider));

        if (wider == NULL)
            return GOSSIP_ERR_NOMEM;
        members->authors = wider;
        members->capacity = capacity;
    }
    members->authors[members->count++] = (struct named_author){.record = record};
    return GOSSIP_OK;
}

/* Who was admitted has been judged by whoever saved the certificate. The first in the order of ids
 * gives the name. */
static void add_name(struct members *members, const struct gossip_signed_record *record)
{
    struct certificate certificate;

    if (record->type != GOSSIP_SIGNED_CERTIFICATE || record->bytes == NULL ||
        !certificate_read(gossip_crypto_sodium(), &members->arena, record->bytes, record->size,
                          &certificate))
        return;
    for (size_t i = 0; i < members->count; i++) {
        struct named_author *author = &members->authors[i];

        if (author->name[0] == '\0' &&
            memcmp(author->record->key, certificate.key, GOSSIP_KEY_SIZE) == 0)
            memcpy(author->name, certificate.name, sizeof(author->name));
    }
}

/* Authors come before signed records. */
static int collect(void *context, const struct gossip_record *record)
{
    struct members *members = context;

    if (record->kind == GOSSIP_RECORD_AUTHOR)
        return add_author(members, &record->as.author);
    if (record->kind == GOSSIP_RECORD_SIGNED)
        add_name(members, &record->as.signed_record);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct named_author *const *first = a;
    const struct named_author *const *second = b;

    int order = strcmp((*first)->name, (*second)->name);

    return order != 0
               ? order
               : memcmp((*first)->record->epoch, (*second)->record->epoch, GOSSIP_EPOCH_SIZE);
}

static int find_shared(const struct members *members)
{
    struct named_author **sorted = calloc(members->count + 1, sizeof(struct named_author *));

    if (sorted == NULL)
        return GOSSIP_ERR_NOMEM;
    for (size_t i = 0; i < members->count; i++)
        sorted[i] = &members->authors[i];
    qsort(sorted, members->count, sizeof(struct named_author *), by_name);
    for (size_t i = 1; i < members->count; i++) {
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) != 0)
            continue;
        sorted[i - 1]->shares_name = sorted[i]->shares_name = true;
        if (by_name(&sorted[i - 1], &sorted[i]) == 0)
            sorted[i - 1]->shares_epoch = sorted[i]->shares_epoch = true;
    }
    free(sorted);
    return GOSSIP_OK;
}

static int write_name(void *context, uint32_t number, char *name, size_t size)
{
    const struct members *members = context;
    const struct named_author *author = &members->authors[number];
    const struct author_title title = {.name = author->name,
                                       .epoch = author->record->epoch,
                                       .id = author->record->id,
                                       .shares_name = author->shares_name,
                                       .shares_epoch = author->shares_epoch};

    return author_name_write(&title, name, size);
}

/* What counts of it. */
static uint64_t counter_of(const struct gossip_author_record *author)
{
    return author->cut != 0 && author->have >= author->cut ? author->cut - 1 : author->have;
}

static int write_members(struct members *members, char **ret_text)
{
    struct gossip_vclock clock = {0};
    size_t size;
    char *text;
    char *line;
    int error = gossip_vclock_reserve(&clock, members->count);

    for (size_t i = 0; i < members->count && error == GOSSIP_OK; i++) {
        uint64_t counter = counter_of(members->authors[i].record);

        /* By hand: a record may hold more than the protocol lets anybody count to. */
        if (counter == 0)
            continue;
        clock.authors[clock.count] = (uint32_t)i;
        clock.counters[clock.count++] = counter;
    }
    if (error == GOSSIP_OK)
        error = gossip_vclock_to_json(&clock, write_name, members, &text);
    gossip_vclock_clear(&clock);
    if (error < 0)
        return error;
    size = strlen(text);
    line = realloc(text, size + 2);
    if (line == NULL) {
        free(text);
        return GOSSIP_ERR_NOMEM;
    }
    memcpy(line + size, "\n", 2);
    *ret_text = line;
    return GOSSIP_OK;
}

int file_clock_write(struct gossip_store *store, char **ret_text, struct explanation *explanation)
{
    struct members *members = calloc(1, sizeof(*members));
    int error = members == NULL ? GOSSIP_ERR_NOMEM : store->ops->load(store, collect, members);

    if (error == GOSSIP_OK)
        error = find_shared(members);
    if (error == GOSSIP_OK)
        error = write_members(members, ret_text);
    if (error == GOSSIP_ERR_INVALID)
        explanation_set(explanation, "two authors have the same id");
    if (members != NULL)
        free(members->authors);
    free(members);
    return error;
}

static int any_name(void *context, const char *name, size_t size, uint32_t *ret_author)
{
    uint32_t *count = context;

    (void)name;
    (void)size;
    *ret_author = (*count)++;
    return GOSSIP_OK;
}

bool file_clock_is(const char *text, size_t size)
{
    struct gossip_vclock clock = {0};
    uint32_t count = 0;
    bool is = gossip_vclock_from_json(&clock, text, size, any_name, &count, NULL) == GOSSIP_OK;

    gossip_vclock_clear(&clock);
    return is;
}
