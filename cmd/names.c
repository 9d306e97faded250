#include "cmd/names.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Epoch and id in hex: even where someone has chosen another's epoch, the ids differ. */
    DIGITS_SIZE = 2 * (GOSSIP_EPOCH_SIZE + GOSSIP_ID_SIZE),
    EPOCH_DIGITS_MIN = 4,
    ID_DIGITS_MIN = 8,
    CANDIDATES_MAX = 5,
};

struct name {
    uint32_t author;
    size_t rank;
    char base[GOSSIP_NAME_MAX + 1]; /* The certificate's name; empty where that is missing. */
    char digits[DIGITS_SIZE + 1];   /* Epoch then id; without a certificate, the id alone. */
    char shown[GOSSIP_VCLOCK_NAME_MAX];
};

struct names {
    size_t count;
    struct name entries[]; /* By author. */
};

static void write_digits(char *digits, const uint8_t *data, size_t size)
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        digits[2 * i] = hex[data[i] >> 4];
        digits[2 * i + 1] = hex[data[i] & 15];
    }
    digits[2 * size] = '\0';
}

static int compare_bases(const void *a, const void *b)
{
    const struct name *const *first = a;
    const struct name *const *second = b;
    int order = strcmp((*first)->base, (*second)->base);

    return order ? order : strcmp((*first)->digits, (*second)->digits);
}

static int compare_shown(const void *a, const void *b)
{
    const struct name *const *first = a;
    const struct name *const *second = b;

    return strcmp((*first)->shown, (*second)->shown);
}

static size_t common_prefix(const struct name *a, const struct name *b)
{
    size_t size = 0;

    while (a->digits[size] && a->digits[size] == b->digits[size])
        size++;
    return size;
}

/* Sorted, whoever is hardest to tell apart from an entry is its neighbour. */
static void show_name(struct name *name, const struct name *before, const struct name *after)
{
    bool missing = name->base[0] == '\0';
    size_t digits = missing ? ID_DIGITS_MIN : EPOCH_DIGITS_MIN;
    bool shared = false;
    const struct name *neighbours[] = {before, after};

    for (size_t i = 0; i < 2; i++) {
        if (!neighbours[i] || strcmp(neighbours[i]->base, name->base) != 0)
            continue;
        shared = true;
        if (common_prefix(name, neighbours[i]) >= digits)
            digits = common_prefix(name, neighbours[i]) + 1;
    }
    if (digits > strlen(name->digits))
        digits = strlen(name->digits);
    if (missing)
        snprintf(name->shown, sizeof(name->shown), "?%.*s", (int)digits, name->digits);
    else if (shared)
        snprintf(name->shown, sizeof(name->shown), "%s#%.*s", name->base, (int)digits,
                 name->digits);
    else
        strcpy(name->shown, name->base);
}

int names_create(const struct gossip_author *authors, size_t count, struct names **ret_names)
{
    struct names *names = malloc(sizeof(*names) + count * sizeof(names->entries[0]));
    struct name **sorted = malloc((count ? count : 1) * sizeof(*sorted));

    if (!names || !sorted) {
        free(names);
        free(sorted);
        return GOSSIP_ERR_NOMEM;
    }
    names->count = count;
    for (size_t i = 0; i < count; i++) {
        struct name *name = &names->entries[i];
        char *digits = name->digits;

        assert(authors[i].number == i);
        assert(!authors[i].name || strlen(authors[i].name) <= GOSSIP_NAME_MAX);
        *name = (struct name){.author = (uint32_t)i};
        if (authors[i].name) {
            strcpy(name->base, authors[i].name);
            write_digits(digits, authors[i].epoch, GOSSIP_EPOCH_SIZE);
            digits += 2 * GOSSIP_EPOCH_SIZE;
        }
        write_digits(digits, authors[i].id, GOSSIP_ID_SIZE);
        sorted[i] = name;
    }
    qsort(sorted, count, sizeof(*sorted), compare_bases);
    for (size_t i = 0; i < count; i++)
        show_name(sorted[i], i > 0 ? sorted[i - 1] : NULL, i + 1 < count ? sorted[i + 1] : NULL);
    qsort(sorted, count, sizeof(*sorted), compare_shown);
    for (size_t i = 0; i < count; i++)
        sorted[i]->rank = i;
    free(sorted);
    *ret_names = names;
    return GOSSIP_OK;
}

void names_destroy(struct names *names)
{
    free(names);
}

int names_of(const struct gossip *gossip, struct names **ret_names)
{
    size_t count = gossip_author_count(gossip);
    struct gossip_author *authors = calloc(count ? count : 1, sizeof(*authors));
    int error = authors ? GOSSIP_OK : GOSSIP_ERR_NOMEM;

    for (size_t i = 0; i < count && error == GOSSIP_OK; i++)
        error = gossip_author(gossip, (uint32_t)i, &authors[i]);
    if (error == GOSSIP_OK)
        error = names_create(authors, count, ret_names);
    free(authors);
    return error;
}

static int compare_entries(const void *a, const void *b)
{
    const struct name *first = a;
    const struct name *second = b;

    return strcmp(first->shown, second->shown);
}

static int compare_authors(const void *a, const void *b)
{
    const struct name *first = a;
    const struct name *second = b;

    return (first->author > second->author) - (first->author < second->author);
}

void names_show_all(struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        struct name *name = &names->entries[i];

        snprintf(name->shown, sizeof(name->shown), "%s%s%s", name->base, *name->base ? "#" : "?",
                 name->digits);
    }
    qsort(names->entries, names->count, sizeof(names->entries[0]), compare_entries);
    for (size_t i = 0; i < names->count; i++)
        names->entries[i].rank = i;
    qsort(names->entries, names->count, sizeof(names->entries[0]), compare_authors);
}

size_t names_count(const struct names *names)
{
    return names->count;
}

const char *names_get(const struct names *names, uint32_t author)
{
    assert(author < names->count);
    return names->entries[author].shown;
}

size_t names_rank(const struct names *names, uint32_t author)
{
    assert(author < names->count);
    return names->entries[author].rank;
}

int names_write(void *context, uint32_t author, char *name, size_t size)
{
    const struct names *names = context;
    const char *shown;

    if (author >= names->count)
        return GOSSIP_ERR_NOT_FOUND;
    shown = names->entries[author].shown;
    if (strlen(shown) >= size)
        return GOSSIP_ERR_LIMIT;
    strcpy(name, shown);
    return (int)strlen(shown);
}

/* Whether name is what base and digits ask for. */
static bool fits(const struct name *name, const char *base, size_t base_size, const char *digits,
                 size_t digits_size)
{
    return strlen(name->base) == base_size && memcmp(name->base, base, base_size) == 0 &&
           digits_size <= strlen(name->digits) && memcmp(name->digits, digits, digits_size) == 0;
}

int names_find(const struct names *names, const char *text, size_t size, uint32_t *ret_author,
               struct text *ret_explanation)
{
    const char *mark = memchr(text, '#', size);
    const char *digits = text;
    size_t base_size = size;
    size_t digits_size = 0;
    size_t found = 0;
    uint32_t author = 0;

    if (size > 0 && text[0] == '?') {
        base_size = 0;
        digits = text + 1;
        digits_size = size - 1;
    } else if (mark) {
        base_size = (size_t)(mark - text);
        digits = mark + 1;
        digits_size = size - base_size - 1;
    }
    if (size == 0 || (base_size == 0 && digits_size == 0) || (mark && digits_size == 0)) {
        text_add(ret_explanation, "a name is missing");
        return GOSSIP_ERR_INVALID;
    }
    for (size_t i = 0; i < names->count; i++) {
        if (!fits(&names->entries[i], text, base_size, digits, digits_size))
            continue;
        if (found++ == 0)
            author = (uint32_t)i;
    }
    if (found == 1) {
        *ret_author = author;
        return GOSSIP_OK;
    }
    if (found == 0) {
        text_add(ret_explanation, "no author is called ");
        text_add_escaped(ret_explanation, text, size, TEXT_ESCAPE_ASCII);
        text_add(ret_explanation, " here");
        return GOSSIP_ERR_NOT_FOUND;
    }
    text_print(ret_explanation, "%zu authors are called ", found);
    text_add_escaped(ret_explanation, text, size, TEXT_ESCAPE_ASCII);
    text_add(ret_explanation, ", say which:");
    found = 0;
    for (size_t i = 0; i < names->count && found < CANDIDATES_MAX; i++) {
        if (!fits(&names->entries[i], text, base_size, digits, digits_size))
            continue;
        text_print(ret_explanation, "%s %s", found++ ? "," : "", names->entries[i].shown);
    }
    return GOSSIP_ERR_INVALID;
}

/* Decimal, without sign or leading zero, from 1 to GOSSIP_COUNTER_MAX. */
static bool read_seq(const char *text, uint64_t *ret_seq)
{
    uint64_t seq = 0;

    if (*text < '1' || *text > '9')
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || seq > GOSSIP_COUNTER_MAX / 10)
            return false;
        seq = seq * 10 + (uint64_t)(*text - '0');
    }
    if (seq > GOSSIP_COUNTER_MAX)
        return false;
    *ret_seq = seq;
    return true;
}

int names_read_dot(const struct names *names, const char *text, struct gossip_dot *ret_dot,
                   struct text *ret_explanation)
{
    const char *colon = strrchr(text, ':');
    struct gossip_dot dot;
    int error;

    if (!colon || colon == text || !read_seq(colon + 1, &dot.seq)) {
        text_add(ret_explanation, "\"");
        text_add_escaped(ret_explanation, text, strlen(text), TEXT_ESCAPE_ASCII);
        text_add(ret_explanation, "\" is not the name of an event, which looks like n1:3");
        return GOSSIP_ERR_INVALID;
    }
    error = names_find(names, text, (size_t)(colon - text), &dot.author, ret_explanation);
    if (error < 0)
        return error;
    *ret_dot = dot;
    return GOSSIP_OK;
}
