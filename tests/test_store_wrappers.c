/*
 * Wrappers: what is tried again and what never is, what is counted, what is told; that they stand
 * over one another, and that a node runs over all of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/gossip.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- A store that does as it is told. ---- */

enum { ANSWERS_MAX = 16, RUNS_MAX = 64 };

struct scripted_store {
    struct gossip_store base;
    int answers[ANSWERS_MAX]; /* What the next calls return; then OK. */
    size_t next;
    unsigned shows; /* Records that a load shows before it answers. */
    unsigned calls;
    uint64_t saved[RUNS_MAX]; /* The number in each save that was tried, and whether it was done. */
    bool done[RUNS_MAX];
    size_t save_count;
    bool *is_closed;
};

static int answer(struct scripted_store *store)
{
    store->calls++;
    return store->next < ANSWERS_MAX ? store->answers[store->next++] : GOSSIP_OK;
}

static struct gossip_record number(uint64_t value)
{
    return (struct gossip_record){.kind = GOSSIP_RECORD_META,
                                  .as.meta = {.name = "n", .number = value}};
}

static int scripted_save(struct gossip_store *base, const struct gossip_record *records,
                         size_t count)
{
    struct scripted_store *store = (struct scripted_store *)base;
    int result = answer(store);

    assert_true(count == 1 && store->save_count < RUNS_MAX);
    store->saved[store->save_count] = records[0].as.meta.number;
    store->done[store->save_count++] = result == GOSSIP_OK;
    return result;
}

static int scripted_load(struct gossip_store *base, gossip_record_visit *visit, void *context)
{
    struct scripted_store *store = (struct scripted_store *)base;

    for (unsigned i = 0; i < store->shows; i++) {
        struct gossip_record record = number(i);
        int result = visit(context, &record);

        if (result != 0) {
            store->calls++;
            return result;
        }
    }
    return answer(store);
}

static int scripted_has(struct gossip_store *base, uint32_t author, uint64_t seq)
{
    (void)author;
    (void)seq;
    return answer((struct scripted_store *)base);
}

static int scripted_read(struct gossip_store *base, uint32_t author, uint64_t first, uint64_t last,
                         gossip_record_visit *visit, void *context)
{
    (void)author;
    (void)first;
    (void)last;
    return scripted_load(base, visit, context);
}

static int scripted_follow(struct gossip_store *base, uint64_t after, gossip_record_visit *visit,
                           void *context)
{
    (void)after;
    return scripted_load(base, visit, context);
}

static int scripted_fingerprint(struct gossip_store *base, uint8_t *ret_fingerprint)
{
    memset(ret_fingerprint, 9, GOSSIP_HASH_SIZE);
    return answer((struct scripted_store *)base);
}

static int scripted_read_side(struct gossip_store *base, struct gossip_side *ret_side)
{
    ret_side->mark = 77;
    return answer((struct scripted_store *)base);
}

static int scripted_write_side(struct gossip_store *base, const struct gossip_side *side)
{
    assert_int_equal(side->mark, 78);
    return answer((struct scripted_store *)base);
}

static int scripted_read_marker(struct gossip_store *base, struct gossip_marker *ret_marker)
{
    ret_marker->crashes = 5;
    return answer((struct scripted_store *)base);
}

static int scripted_write_marker(struct gossip_store *base, const struct gossip_marker *marker)
{
    assert_int_equal(marker->crashes, 6);
    return answer((struct scripted_store *)base);
}

static int scripted_backup_begin(struct gossip_store *base, const char *path)
{
    assert_string_equal(path, "there");
    return answer((struct scripted_store *)base);
}

static int scripted_backup_step(struct gossip_store *base)
{
    return answer((struct scripted_store *)base);
}

static void scripted_backup_end(struct gossip_store *base)
{
    ((struct scripted_store *)base)->calls++;
}

static const char *scripted_explain(struct gossip_store *base)
{
    (void)base;
    return "it was told to";
}

static void scripted_close(struct gossip_store *base)
{
    *((struct scripted_store *)base)->is_closed = true;
    free(base);
}

static const struct gossip_store_ops scripted_ops = {
    .abilities = GOSSIP_STORE_EVENTS | GOSSIP_STORE_DURABLE | GOSSIP_STORE_SIDE |
                 GOSSIP_STORE_MARKER | GOSSIP_STORE_IDENTITY | GOSSIP_STORE_BACKUP,
    .load = scripted_load,
    .save = scripted_save,
    .read = scripted_read,
    .follow = scripted_follow,
    .has = scripted_has,
    .fingerprint = scripted_fingerprint,
    .read_side = scripted_read_side,
    .write_side = scripted_write_side,
    .read_marker = scripted_read_marker,
    .write_marker = scripted_write_marker,
    .backup_begin = scripted_backup_begin,
    .backup_step = scripted_backup_step,
    .backup_end = scripted_backup_end,
    .explain = scripted_explain,
    .close = scripted_close,
};

static bool closed;

static struct scripted_store *scripted(const int *answers, size_t count)
{
    struct scripted_store *store = calloc(1, sizeof(*store));

    assert_non_null(store);
    store->base.ops = &scripted_ops;
    if (count > 0)
        memcpy(store->answers, answers, count * sizeof(answers[0]));
    store->is_closed = &closed;
    closed = false;
    return store;
}

static int save_number(struct gossip_store *store, uint64_t value)
{
    struct gossip_record record = number(value);

    return store->ops->save(store, &record, 1);
}

/* ---- Retry. ---- */

static uint32_t waits[RUNS_MAX];
static size_t wait_count;

static void note_wait(void *context, uint32_t ms)
{
    assert_ptr_equal(context, waits);
    assert_true(wait_count < RUNS_MAX);
    waits[wait_count++] = ms;
}

static struct gossip_store *retrying(struct scripted_store *inner, uint32_t attempts)
{
    const struct gossip_retry_options options = {.size = sizeof(options),
                                                 .attempts = attempts,
                                                 .backoff_ms = 10,
                                                 .wait = note_wait,
                                                 .context = waits};
    struct gossip_store *store;

    wait_count = 0;
    assert_int_equal(gossip_retry_open(&inner->base, &options, &store), GOSSIP_OK);
    return store;
}

static int take(void *context, const struct gossip_record *record)
{
    unsigned *count = context;

    (void)record;
    (*count)++;
    return 0;
}

static int refuse_with_full(void *context, const struct gossip_record *record)
{
    (void)context;
    (void)record;
    return GOSSIP_ERR_FULL;
}

/* Full, busy and out of memory: again, with a pause that grows by the same each time. */
static void test_retries_what_changed_nothing(void **state)
{
    static const int answers[] = {GOSSIP_ERR_FULL, GOSSIP_ERR_LOCKED, GOSSIP_ERR_NOMEM};
    struct scripted_store *inner = scripted(answers, COUNT(answers));
    struct gossip_store *store = retrying(inner, 5);

    (void)state;
    assert_int_equal(save_number(store, 1), GOSSIP_OK);
    assert_int_equal(inner->calls, 4);
    assert_int_equal(wait_count, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(waits[i], (i + 1) * 10);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(inner->saved[i], 1);
    store->ops->close(store);
    assert_true(closed);
}

/* A save whose outcome is unknown is not made again; nor is one that would be refused again. */
static void test_never_retries_the_rest(void **state)
{
    static const int errors[] = {GOSSIP_ERR_IO,        GOSSIP_ERR_DAMAGED, GOSSIP_ERR_INVALID,
                                 GOSSIP_ERR_EXISTS,    GOSSIP_ERR_FOREIGN, GOSSIP_ERR_PERMISSION,
                                 GOSSIP_ERR_NOT_FOUND, GOSSIP_ERR_LIMIT};

    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        struct scripted_store *inner = scripted(&errors[i], 1);
        struct gossip_store *store = retrying(inner, 5);

        assert_int_equal(save_number(store, 1), errors[i]);
        assert_int_equal(inner->calls, 1);
        assert_int_equal(wait_count, 0);
        store->ops->close(store);
    }
}

/* After full, an unknown outcome: that ends it. */
static void test_stops_at_an_unknown_outcome(void **state)
{
    static const int answers[] = {GOSSIP_ERR_FULL, GOSSIP_ERR_IO, GOSSIP_OK};
    struct scripted_store *inner = scripted(answers, COUNT(answers));
    struct gossip_store *store = retrying(inner, 5);

    (void)state;
    assert_int_equal(save_number(store, 1), GOSSIP_ERR_IO);
    assert_int_equal(inner->calls, 2);
    store->ops->close(store);
}

/* Once attempts are used up a save is over: it never comes back over a newer one. */
static void test_no_older_state_over_a_newer(void **state)
{
    static const int answers[] = {GOSSIP_ERR_FULL, GOSSIP_ERR_FULL, GOSSIP_ERR_FULL,
                                  GOSSIP_OK,       GOSSIP_ERR_FULL, GOSSIP_OK};
    struct scripted_store *inner = scripted(answers, COUNT(answers));
    struct gossip_store *store = retrying(inner, 3);
    uint64_t newest = 0;

    (void)state;
    assert_int_equal(save_number(store, 1), GOSSIP_ERR_FULL);
    assert_int_equal(inner->save_count, 3);
    assert_int_equal(wait_count, 2);
    assert_int_equal(save_number(store, 2), GOSSIP_OK);
    assert_int_equal(save_number(store, 3), GOSSIP_OK);
    assert_int_equal(inner->save_count, 6);
    for (size_t i = 0; i < inner->save_count; i++) {
        assert_true(inner->saved[i] >= newest);
        if (inner->done[i])
            newest = inner->saved[i];
    }
    assert_int_equal(newest, 3);
    store->ops->close(store);
}

/* What was shown is not shown twice, and what a visit says is not the store's. */
static void test_retries_of_reads(void **state)
{
    static const int answers[] = {GOSSIP_ERR_NOMEM};
    struct scripted_store *inner = scripted(answers, 1);
    struct gossip_store *store = retrying(inner, 5);
    unsigned shown = 0;

    (void)state;
    assert_int_equal(store->ops->load(store, take, &shown), GOSSIP_OK);
    assert_int_equal(inner->calls, 2);
    store->ops->close(store);

    inner = scripted(answers, 1);
    inner->shows = 2;
    store = retrying(inner, 5);
    assert_int_equal(store->ops->follow(store, 0, take, &shown), GOSSIP_ERR_NOMEM);
    assert_int_equal(inner->calls, 1);
    assert_int_equal(shown, 2);
    store->ops->close(store);

    inner = scripted(answers, 0);
    inner->shows = 2;
    store = retrying(inner, 5);
    assert_int_equal(store->ops->read(store, 0, 1, 2, refuse_with_full, NULL), GOSSIP_ERR_FULL);
    assert_int_equal(inner->calls, 1);
    store->ops->close(store);
}

/* A step that failed has ended its backup. */
static void test_backup_steps_are_not_retried(void **state)
{
    static const int answers[] = {GOSSIP_ERR_FULL, GOSSIP_OK, GOSSIP_ERR_FULL};
    struct scripted_store *inner = scripted(answers, COUNT(answers));
    struct gossip_store *store = retrying(inner, 5);

    (void)state;
    assert_int_equal(store->ops->backup_begin(store, "there"), GOSSIP_OK);
    assert_int_equal(store->ops->backup_step(store), GOSSIP_ERR_FULL);
    assert_int_equal(inner->calls, 3);
    store->ops->backup_end(store);
    assert_int_equal(inner->calls, 4);
    store->ops->close(store);
}

static void test_retry_options(void **state)
{
    struct gossip_retry_options good = {
        .size = sizeof(good), .attempts = 100, .backoff_ms = 60000, .wait = note_wait};
    struct gossip_retry_options bad[5];
    struct scripted_store *inner = scripted(NULL, 0);
    struct gossip_store *store;

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        bad[i] = good;
    bad[0].size--;
    bad[1].attempts = 0;
    bad[2].attempts = 101;
    bad[3].backoff_ms = 60001;
    bad[4].wait = NULL;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(gossip_retry_open(&inner->base, &bad[i], &store), GOSSIP_ERR_INVALID);
    assert_false(closed);
    assert_int_equal(gossip_retry_open(&inner->base, &good, &store), GOSSIP_OK);
    store->ops->close(store);
}

/* ---- Metrics and logging. ---- */

static uint64_t ticks[RUNS_MAX];
static size_t tick_count;

static uint64_t tick(void *context)
{
    assert_null(context);
    assert_true(tick_count < RUNS_MAX);
    return ticks[tick_count++];
}

static void test_metrics(void **state)
{
    static const int answers[] = {GOSSIP_OK, GOSSIP_ERR_FULL, GOSSIP_OK, 1, 0, GOSSIP_OK};
    static const uint64_t times[] = {0, 5, 10, 10, 20, 21, 30, 1000, 2000, 1999, 3000, 3002};
    struct scripted_store *inner = scripted(answers, COUNT(answers));
    struct gossip_store_metrics metrics;
    const struct gossip_store_figures *saves = &metrics.calls[GOSSIP_STORE_SAVE];
    const struct gossip_store_figures *loads = &metrics.calls[GOSSIP_STORE_LOAD];
    const struct gossip_store_figures *has = &metrics.calls[GOSSIP_STORE_HAS];
    struct gossip_store *store;
    unsigned shown = 0;

    (void)state;
    memcpy(ticks, times, sizeof(times));
    tick_count = 0;
    assert_int_equal(gossip_metrics_open(&inner->base, tick, NULL, &store), GOSSIP_OK);
    assert_int_equal(save_number(store, 1), GOSSIP_OK);       /* 5 */
    assert_int_equal(save_number(store, 2), GOSSIP_ERR_FULL); /* 0 */
    assert_int_equal(save_number(store, 3), GOSSIP_OK);       /* 1 */
    assert_int_equal(store->ops->has(store, 0, 1), 1);        /* 970 */
    assert_int_equal(store->ops->has(store, 0, 2), 0);        /* A clock that went back: 0. */
    inner->shows = 3;
    assert_int_equal(store->ops->load(store, take, &shown), 0); /* 2 */

    gossip_metrics_read(store, &metrics);
    assert_int_equal(saves->calls, 3);
    assert_int_equal(saves->failed, 1);
    assert_int_equal(saves->records, 2);
    assert_int_equal(saves->bytes, 2 * (1 + 8));
    assert_int_equal(saves->duration, 6);
    assert_int_equal(saves->longest, 5);
    assert_int_equal(saves->durations[0], 1);
    assert_int_equal(saves->durations[1], 1);
    assert_int_equal(saves->durations[3], 1);
    assert_int_equal(has->calls, 2);
    assert_int_equal(has->failed, 0);
    assert_int_equal(has->longest, 970);
    assert_int_equal(has->durations[10], 1);
    assert_int_equal(loads->records, 3);
    assert_int_equal(loads->bytes, 3 * (1 + 8));
    assert_int_equal(loads->durations[2], 1);
    assert_int_equal(metrics.calls[GOSSIP_STORE_READ].calls, 0);
    store->ops->close(store);
    assert_true(closed);
}

static char lines[RUNS_MAX][200];
static struct gossip_store_line last_line;
static size_t line_count;

static void note_line(void *context, const struct gossip_store_line *line)
{
    assert_ptr_equal(context, lines);
    assert_true(line_count < RUNS_MAX && strlen(line->text) < sizeof(lines[0]));
    last_line = *line;
    strcpy(lines[line_count++], line->text);
}

static void test_logging(void **state)
{
    static const int answers[] = {GOSSIP_OK, GOSSIP_ERR_FULL, 1, 0, 0, 1};
    static const char *const expected[] = {
        "save: ok, 1 records, 9 bytes",
        "save: the disk is full, 0 records, 0 bytes: it was told to",
        "has: yes, 0 records, 0 bytes",
        "has: no, 0 records, 0 bytes",
        "backup-step: more to come, 0 records, 0 bytes",
        "backup-step: whole, 0 records, 0 bytes",
        "load: ended by its caller, 1 records, 9 bytes",
    };
    struct scripted_store *inner = scripted(answers, COUNT(answers));
    struct gossip_store *store;

    (void)state;
    line_count = 0;
    assert_int_equal(gossip_logging_open(&inner->base, note_line, lines, &store), GOSSIP_OK);
    assert_int_equal(save_number(store, 1), GOSSIP_OK);
    assert_false(last_line.is_failure);
    assert_int_equal(last_line.call, GOSSIP_STORE_SAVE);
    assert_int_equal(save_number(store, 2), GOSSIP_ERR_FULL);
    assert_true(last_line.is_failure);
    assert_int_equal(last_line.result, GOSSIP_ERR_FULL);
    assert_int_equal(store->ops->has(store, 0, 1), 1);
    assert_int_equal(store->ops->has(store, 0, 1), 0);
    assert_int_equal(store->ops->backup_step(store), 0);
    assert_int_equal(store->ops->backup_step(store), 1);
    inner->shows = 1;
    assert_int_equal(store->ops->load(store, refuse_with_full, NULL), GOSSIP_ERR_FULL);
    assert_false(last_line.is_failure);
    assert_int_equal(last_line.records, 1);
    assert_int_equal(line_count, COUNT(expected));
    for (size_t i = 0; i < COUNT(expected); i++)
        assert_string_equal(lines[i], expected[i]);
    store->ops->close(store);
}

/* Every call comes through with its arguments, and brings back what it should. */
static void test_every_call_is_handed_on(void **state)
{
    struct scripted_store *inner = scripted(NULL, 0);
    struct gossip_side side = {.mark = 78};
    struct gossip_marker marker = {.crashes = 6};
    uint8_t fingerprint[GOSSIP_HASH_SIZE];
    struct gossip_store *store;

    (void)state;
    line_count = 0;
    assert_int_equal(gossip_logging_open(&inner->base, note_line, lines, &store), GOSSIP_OK);
    assert_int_equal(store->ops->abilities, inner->base.ops->abilities);
    assert_int_equal(store->ops->fingerprint(store, fingerprint), GOSSIP_OK);
    assert_int_equal(fingerprint[GOSSIP_HASH_SIZE - 1], 9);
    assert_int_equal(store->ops->write_side(store, &side), GOSSIP_OK);
    assert_int_equal(store->ops->read_side(store, &side), GOSSIP_OK);
    assert_int_equal(side.mark, 77);
    assert_int_equal(store->ops->write_marker(store, &marker), GOSSIP_OK);
    assert_int_equal(store->ops->read_marker(store, &marker), GOSSIP_OK);
    assert_int_equal(marker.crashes, 5);
    assert_int_equal(store->ops->backup_begin(store, "there"), GOSSIP_OK);
    assert_string_equal(store->ops->explain(store), "it was told to");
    for (int call = GOSSIP_STORE_FINGERPRINT; call <= GOSSIP_STORE_BACKUP_BEGIN; call++) {
        const char *name = gossip_store_call_name((enum gossip_store_call)call);
        size_t found = 0;

        for (size_t i = 0; i < line_count; i++)
            found += strncmp(lines[i], name, strlen(name)) == 0 && lines[i][strlen(name)] == ':';
        assert_int_equal(found, 1);
    }
    assert_string_equal(gossip_store_call_name(GOSSIP_STORE_CALLS), "unknown-call");
    store->ops->close(store);
}

/* Over one another: what the retry above tries again, the ones below see each time. */
static void test_wrappers_compose(void **state)
{
    static const int answers[] = {GOSSIP_ERR_FULL, GOSSIP_ERR_FULL, GOSSIP_OK};
    const struct gossip_retry_options options = {.size = sizeof(options),
                                                 .attempts = 5,
                                                 .backoff_ms = 10,
                                                 .wait = note_wait,
                                                 .context = waits};
    struct scripted_store *inner = scripted(answers, COUNT(answers));
    struct gossip_store_metrics figures;
    struct gossip_store *metrics;
    struct gossip_store *logging;
    struct gossip_store *retry;

    (void)state;
    wait_count = 0;
    line_count = 0;
    tick_count = 0;
    memset(ticks, 0, sizeof(ticks));
    assert_int_equal(gossip_metrics_open(&inner->base, tick, NULL, &metrics), GOSSIP_OK);
    assert_int_equal(gossip_logging_open(metrics, note_line, lines, &logging), GOSSIP_OK);
    assert_int_equal(gossip_retry_open(logging, &options, &retry), GOSSIP_OK);
    assert_int_equal(save_number(retry, 1), GOSSIP_OK);
    gossip_metrics_read(metrics, &figures);
    assert_int_equal(figures.calls[GOSSIP_STORE_SAVE].calls, 3);
    assert_int_equal(figures.calls[GOSSIP_STORE_SAVE].failed, 2);
    assert_int_equal(line_count, 3);
    assert_int_equal(wait_count, 2);
    retry->ops->close(retry);
    assert_true(closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retries_what_changed_nothing),
        cmocka_unit_test(test_never_retries_the_rest),
        cmocka_unit_test(test_stops_at_an_unknown_outcome),
        cmocka_unit_test(test_no_older_state_over_a_newer),
        cmocka_unit_test(test_retries_of_reads),
        cmocka_unit_test(test_backup_steps_are_not_retried),
        cmocka_unit_test(test_retry_options),
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_logging),
        cmocka_unit_test(test_every_call_is_handed_on),
        cmocka_unit_test(test_wrappers_compose),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
