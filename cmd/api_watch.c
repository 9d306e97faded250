#include "cmd/api_watch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/api_state.h"
#include "cmd/json.h"
#include "cmd/names.h"
#include "cmd/plain.h"
#include "cmd/token.h"

/* Events looked at before something else has its turn: a few milliseconds. */
enum { LOOK_AT_ONCE = 256 };

/* Of a notice, which is a header: what comes after so much is not told one by one. */
enum { NOTICE_MAX = 400 };

/* How far the reader has come with one author. */
struct passed {
    uint8_t id[TOKEN_ID_SIZE];
    uint8_t head[TOKEN_HEAD_SIZE];
    uint64_t seq; /* Its events up to here have been passed; 0: none. */
};

struct api_watch {
    struct api *api;
    uint64_t after; /* The delivery number of the event looked at last. */
    uint64_t left;  /* Events still to be shown. */
    bool plain;
    bool full;             /* Authors are called by all their digits. */
    bool cursors;          /* In text, each line begins with its cursor. */
    struct passed *passed; /* Of each author, by its number. */
    size_t count;
    struct token_entry *entries; /* Room for a cursor: as many. */
    struct names *names;         /* As they were when so many */
    size_t named_authors;        /* authors and */
    size_t named_records;        /* signed records were known. */
    struct plain_columns columns;
};

void api_watch_close(struct api_watch *watch)
{
    if (!watch)
        return;
    watch->api->watchers--;
    names_destroy(watch->names);
    free(watch->passed);
    free(watch->entries);
    free(watch);
}

/* Makes room for authors that have become known. */
static int grow(struct api_watch *watch)
{
    const struct gossip *gossip = watch->api->options.gossip;
    size_t count = gossip_author_count(gossip);
    struct token_entry *entries;
    struct passed *passed;

    if (count <= watch->count)
        return GOSSIP_OK;
    entries = realloc(watch->entries, count * sizeof(*entries));
    if (!entries)
        return GOSSIP_ERR_NOMEM;
    watch->entries = entries;
    passed = realloc(watch->passed, count * sizeof(*passed));
    if (!passed)
        return GOSSIP_ERR_NOMEM;
    watch->passed = passed;
    for (; watch->count < count; watch->count++) {
        struct gossip_author author;
        int error = gossip_author(gossip, (uint32_t)watch->count, &author);

        if (error < 0)
            return error;
        passed[watch->count] = (struct passed){0};
        memcpy(passed[watch->count].id, author.id, TOKEN_ID_SIZE);
    }
    return GOSSIP_OK;
}

/* Names may change with each author and each certificate that arrives. */
static int name_authors(struct api_watch *watch)
{
    const struct gossip *gossip = watch->api->options.gossip;
    size_t authors = gossip_author_count(gossip);
    size_t records = gossip_signed_count(gossip);
    struct names *names;
    int error;

    if (watch->names && watch->named_authors == authors && watch->named_records == records)
        return GOSSIP_OK;
    error = names_of(gossip, &names);
    if (error < 0)
        return error;
    if (watch->full)
        names_show_all(names);
    names_destroy(watch->names);
    watch->names = names;
    watch->named_authors = authors;
    watch->named_records = records;
    return GOSSIP_OK;
}

/* ---- Where to begin. ---- */

/* An author's part of a cursor, held against what is stored here. */
enum fit {
    FIT_WELL,
    FIT_LOST,  /* The reader has passed events that are not here. */
    FIT_OTHER, /* The reader has passed another event of that name. */
};

static int check_fit(struct gossip *gossip, const struct gossip_author *author,
                     const struct token_entry *entry, enum fit *ret_fit)
{
    static const uint8_t unknown[TOKEN_HEAD_SIZE];
    struct gossip_event event;
    int error;

    *ret_fit = FIT_WELL;
    /* What lies behind a cut counts for nobody, whatever it was. */
    if (author->cut != 0 && entry->seq >= author->cut && author->have + 1 == author->cut)
        return GOSSIP_OK;
    if (entry->seq > author->have) {
        *ret_fit = FIT_LOST;
        return GOSSIP_OK;
    }
    if (memcmp(entry->head, unknown, sizeof(unknown)) == 0)
        return GOSSIP_OK;
    error = gossip_event_get(gossip, (struct gossip_dot){author->number, entry->seq}, &event);
    if (error == GOSSIP_ERR_PRUNED)
        return GOSSIP_OK;
    if (error == GOSSIP_OK && memcmp(event.hash, entry->head, TOKEN_HEAD_SIZE) != 0)
        *ret_fit = FIT_OTHER;
    return error;
}

/* Begins another thing to tell; false where there are too many already. */
static bool begin_notice(struct text *ret_notice)
{
    static const char more[] = "; and more that does not fit";

    if (ret_notice->size > NOTICE_MAX) {
        if (strcmp(ret_notice->data + ret_notice->size - strlen(more), more) != 0)
            text_add(ret_notice, more);
        return false;
    }
    if (ret_notice->size > 0)
        text_add(ret_notice, "; ");
    return true;
}

static void tell_fit(const struct names *names, uint32_t author, uint64_t seq, enum fit fit,
                     struct text *ret_notice)
{
    if (!begin_notice(ret_notice))
        return;
    text_print(ret_notice, "the cursor is past %s:%" PRIu64, names_get(names, author), seq);
    text_add(ret_notice, fit == FIT_LOST ? ", which this node does not have: its store was set back"
                                         : ", but this node has another event of that name");
    text_add(ret_notice, ". All events of that author are shown again");
}

/* Takes over what a cursor says of the authors that are known here. Where it does not fit, nothing
 * is taken as passed: rather twice than never. */
static int apply_token(struct api_watch *watch, const struct view *view, const struct token *token,
                       struct text *ret_notice)
{
    size_t found = 0;

    for (uint32_t i = 0; i < watch->count; i++) {
        struct passed *passed = &watch->passed[i];
        struct gossip_author author;
        const struct token_entry *entry;
        enum fit fit;
        int error = gossip_author(view->gossip, i, &author);

        if (error < 0)
            return error;
        entry = token_find(token, author.id);
        if (!entry)
            continue;
        found++;
        error = check_fit(view->gossip, &author, entry, &fit);
        if (error < 0)
            return error;
        if (fit != FIT_WELL) {
            tell_fit(view->names, i, entry->seq, fit, ret_notice);
            continue;
        }
        passed->seq = entry->seq;
        memcpy(passed->head, entry->head, TOKEN_HEAD_SIZE);
    }
    if (found < token->count && begin_notice(ret_notice))
        text_print(ret_notice,
                   "the cursor is past events of %zu author%s that this node does not know. They "
                   "are shown again when they arrive",
                   token->count - found, token->count - found == 1 ? "" : "s");
    return GOSSIP_OK;
}

/* Begins before the first event that has not been passed. */
static int find_start(struct api_watch *watch, const struct view *view, struct text *ret_notice)
{
    watch->after = gossip_last_delivery(view->gossip);
    for (uint32_t i = 0; i < watch->count; i++) {
        struct passed *passed = &watch->passed[i];
        struct gossip_author author;
        struct gossip_event event;
        int error = gossip_author(view->gossip, i, &author);

        if (error < 0)
            return error;
        if (passed->seq < author.floor) {
            if (begin_notice(ret_notice))
                text_print(ret_notice,
                           "events of %s up to %" PRIu64 " are no longer held here, and not shown",
                           names_get(view->names, i), author.floor);
            passed->seq = author.floor;
            memset(passed->head, 0, TOKEN_HEAD_SIZE);
        }
        if (passed->seq >= author.have)
            continue;
        error = gossip_event_get(view->gossip, (struct gossip_dot){i, passed->seq + 1}, &event);
        if (error < 0)
            return error;
        if (event.delivery <= watch->after)
            watch->after = event.delivery - 1;
    }
    return GOSSIP_OK;
}

/* All that was delivered up to and with dot has been passed. */
static int apply_dot(struct api_watch *watch, const struct view *view, struct gossip_dot dot)
{
    struct gossip_event event;
    uint64_t delivery;
    int error = gossip_event_get(view->gossip, dot, &event);

    if (error < 0)
        return error;
    delivery = event.delivery;
    for (uint32_t i = 0; i < watch->count; i++) {
        struct passed *passed = &watch->passed[i];
        struct gossip_author author;
        uint64_t last;

        error = gossip_author(view->gossip, i, &author);
        if (error < 0)
            return error;
        passed->seq = author.floor;
        last = author.have;
        /* An author's events are delivered in the order of their seqs. */
        while (passed->seq < last) {
            uint64_t middle = passed->seq + (last - passed->seq + 1) / 2;

            error = gossip_event_get(view->gossip, (struct gossip_dot){i, middle}, &event);
            if (error < 0)
                return error;
            if (event.delivery > delivery) {
                last = middle - 1;
                continue;
            }
            passed->seq = middle;
            memcpy(passed->head, event.hash, TOKEN_HEAD_SIZE);
        }
    }
    return GOSSIP_OK;
}

/* Places the watch where after, a cursor or a dot, says; false where an error has been answered. */
static bool place(struct api_watch *watch, const struct view *view, const char *after,
                  struct api_response *response, struct text *ret_notice)
{
    struct text explanation = {0};
    struct token token = {0};
    struct gossip_dot dot;
    int error;

    if (!token_is(after)) {
        if (!api_read_dot(view, after, &dot, response))
            return false;
        error = apply_dot(watch, view, dot);
        if (error == GOSSIP_ERR_NOT_FOUND || error == GOSSIP_ERR_PRUNED) {
            api_answer_absent(view, dot, response);
            return false;
        }
    } else {
        error = token_read(gossip_identity_cluster(view->identity), after, &token, &explanation);
        if (error == GOSSIP_ERR_INVALID || error == GOSSIP_ERR_FOREIGN) {
            if (explanation.failed)
                api_answer_failure(response, GOSSIP_ERR_NOMEM);
            else
                api_answer_error(
                    response, 400, EXIT_USAGE, explanation.data,
                    "a cursor is copied whole, from a line of `gossip watch --json` or "
                    "from `gossip clock --token`");
            text_clear(&explanation);
            return false;
        }
        if (error == GOSSIP_OK)
            error = apply_token(watch, view, &token, ret_notice);
        token_clear(&token);
    }
    if (error < 0)
        api_answer_failure(response, error);
    return error == GOSSIP_OK;
}

/* Reads the argument count; false where an error has been answered. */
static bool read_count(const struct api_request *request, uint64_t *ret_count,
                       struct api_response *response)
{
    const char *text = api_argument(request, "count");
    char *end;

    *ret_count = UINT64_MAX;
    if (!text)
        return true;
    *ret_count = strtoull(text, &end, 10);
    if (text[0] >= '1' && text[0] <= '9' && !*end && strlen(text) <= 18)
        return true;
    api_answer_error(response, 400, EXIT_USAGE, "count is not a number from 1 on",
                     "ask as /v1/watch?count=10");
    return false;
}

struct api_watch *api_watch_open(struct api *api, const struct view *view,
                                 const struct api_request *request, struct api_response *response,
                                 struct text *ret_notice)
{
    const char *after = api_argument(request, "after");
    struct api_watch *watch;
    uint64_t count;
    int error;

    if (!read_count(request, &count, response))
        return NULL;
    watch = malloc(sizeof(*watch));
    if (!watch) {
        api_answer_failure(response, GOSSIP_ERR_NOMEM);
        return NULL;
    }
    *watch = (struct api_watch){.api = api,
                                .left = count,
                                .plain = request->plain,
                                .full = api_is_set(request, "full"),
                                .cursors = api_is_set(request, "cursors")};
    api->watchers++;
    plain_columns(view, &watch->columns);
    error = grow(watch);
    if (error == GOSSIP_OK && after && *after && !place(watch, view, after, response, ret_notice)) {
        api_watch_close(watch);
        return NULL;
    }
    if (error == GOSSIP_OK)
        error = find_start(watch, view, ret_notice);
    if (error == GOSSIP_OK && ret_notice->failed)
        error = GOSSIP_ERR_NOMEM;
    if (error < 0) {
        api_watch_close(watch);
        api_answer_failure(response, error);
        return NULL;
    }
    return watch;
}

/* ---- Going on. ---- */

/* What the reader has passed by now. */
static void add_cursor(struct api_watch *watch, struct text *ret_text)
{
    size_t count = 0;

    for (size_t i = 0; i < watch->count; i++) {
        const struct passed *passed = &watch->passed[i];
        struct token_entry *entry = &watch->entries[count];

        if (passed->seq == 0)
            continue;
        memcpy(entry->id, passed->id, TOKEN_ID_SIZE);
        memcpy(entry->head, passed->head, TOKEN_HEAD_SIZE);
        entry->seq = passed->seq;
        count++;
    }
    token_write(gossip_identity_cluster(watch->api->options.identity), watch->entries, count,
                ret_text);
}

static int add_line(struct api_watch *watch, const struct gossip_event *event,
                    struct text *ret_line)
{
    struct text cursor = {0};
    int error = name_authors(watch);

    if (error < 0)
        return error;
    if (!watch->plain || watch->cursors)
        add_cursor(watch, &cursor);
    if (cursor.failed) {
        text_clear(&cursor);
        return GOSSIP_ERR_NOMEM;
    }
    if (watch->plain) {
        if (watch->cursors)
            text_print(ret_line, "%s ", cursor.data);
        plain_event(watch->names, event, &watch->columns, ret_line);
    } else {
        json_watched(watch->names, event, cursor.data, ret_line);
        text_add(ret_line, "\n");
    }
    text_clear(&cursor);
    return ret_line->failed ? GOSSIP_ERR_NOMEM : GOSSIP_OK;
}

bool api_watch_is_ready(const struct api_watch *watch)
{
    return watch->left == 0 || watch->api->ends || watch->api->failed < 0 ||
           watch->after < gossip_last_delivery(watch->api->options.gossip);
}

int api_watch_next(struct api_watch *watch, struct text *ret_line)
{
    struct gossip_event event;

    if (watch->left == 0 || watch->api->ends)
        return 0;
    for (int i = 0; i < LOOK_AT_ONCE; i++) {
        struct passed *passed;
        int found = gossip_event_after(watch->api->options.gossip, watch->after, &event);

        if (found == 0)
            return API_STREAM_WAITS;
        if (found == 1)
            found = grow(watch);
        if (found < 0)
            return found;
        watch->after = event.delivery;
        passed = &watch->passed[event.dot.author];
        if (event.dot.seq <= passed->seq)
            continue;
        passed->seq = event.dot.seq;
        memcpy(passed->head, event.hash, TOKEN_HEAD_SIZE);
        if (event.contested || event.kind == GOSSIP_EVENT_CONTEXT)
            continue;
        found = add_line(watch, &event, ret_line);
        watch->left--;
        return found < 0 ? found : 1;
    }
    return API_STREAM_AGAIN;
}
