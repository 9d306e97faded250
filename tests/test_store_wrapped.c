/*
 * The contract of stores over the example of a custom store, and over each wrapper over each store
 * that is built in.
 */
#include "tests/store_contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/gossip.h"
#include "store/virtual_disk.h"

/* examples/store_custom.c, without its main(). */
int custom_store_open(struct gossip_store **ret_store);

static int create_custom(void *context, struct gossip_store **ret_store)
{
    (void)context;
    return custom_store_open(ret_store);
}

static int create_memory(void *context, struct gossip_store **ret_store)
{
    (void)context;
    return gossip_memory_open(ret_store);
}

/* SQLite and file on virtual disks; that they keep their promises on real ones test_store tells. */
static struct virtual_disk *disk;

static void make_disk(void)
{
    virtual_disk_install(1);
    disk = virtual_disk_create(1);
    assert_non_null(disk);
}

static int create_sqlite(void *context, struct gossip_store **ret_store)
{
    (void)context;
    make_disk();
    return virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_CREATE, NULL, 0, ret_store);
}

static int reopen_sqlite(void *context, struct gossip_store **ret_store)
{
    (void)context;
    return virtual_disk_open_store(disk, "node.db", GOSSIP_SQLITE_OPEN, NULL, 0, ret_store);
}

static int create_file(void *context, struct gossip_store **ret_store)
{
    (void)context;
    make_disk();
    return virtual_disk_open_file(disk, "clock.json", GOSSIP_FILE_CREATE, NULL, 0, ret_store);
}

static int reopen_file(void *context, struct gossip_store **ret_store)
{
    (void)context;
    return virtual_disk_open_file(disk, "clock.json", GOSSIP_FILE_OPEN, NULL, 0, ret_store);
}

static void discard_disk(void *context)
{
    (void)context;
    virtual_disk_destroy(disk);
}

/* ---- Wrappers. ---- */

static void never_wait(void *context, uint32_t ms)
{
    (void)context;
    (void)ms;
    fail_msg("nothing is full here");
}

static uint64_t no_time(void *context)
{
    (void)context;
    return 0;
}

static void read_line(void *context, const struct gossip_store_line *line)
{
    size_t *count = context;

    assert_null(strchr(line->text, '\n'));
    (*count)++;
}

static size_t line_count;

static int wrap_in_retry(struct gossip_store *inner, struct gossip_store **ret_store)
{
    const struct gossip_retry_options options = {
        .size = sizeof(options), .attempts = 3, .backoff_ms = 1, .wait = never_wait};

    return gossip_retry_open(inner, &options, ret_store);
}

static int wrap_in_metrics(struct gossip_store *inner, struct gossip_store **ret_store)
{
    return gossip_metrics_open(inner, no_time, NULL, ret_store);
}

static int wrap_in_logging(struct gossip_store *inner, struct gossip_store **ret_store)
{
    return gossip_logging_open(inner, read_line, &line_count, ret_store);
}

static int wrap_in_all(struct gossip_store *inner, struct gossip_store **ret_store)
{
    struct gossip_store *metrics;
    struct gossip_store *logging;

    assert_int_equal(wrap_in_metrics(inner, &metrics), GOSSIP_OK);
    assert_int_equal(wrap_in_logging(metrics, &logging), GOSSIP_OK);
    return wrap_in_retry(logging, ret_store);
}

struct wrapping {
    const struct store_factory *inner;
    int (*wrap)(struct gossip_store *inner, struct gossip_store **ret_store);
};

static int create_wrapped(void *context, struct gossip_store **ret_store)
{
    const struct wrapping *wrapping = context;
    struct gossip_store *inner;
    int error = wrapping->inner->create(wrapping->inner->context, &inner);

    return error < 0 ? error : wrapping->wrap(inner, ret_store);
}

static int reopen_wrapped(void *context, struct gossip_store **ret_store)
{
    const struct wrapping *wrapping = context;
    struct gossip_store *inner;
    int error = wrapping->inner->reopen(wrapping->inner->context, &inner);

    return error < 0 ? error : wrapping->wrap(inner, ret_store);
}

static void discard_wrapped(void *context)
{
    const struct wrapping *wrapping = context;

    if (wrapping->inner->discard != NULL)
        wrapping->inner->discard(wrapping->inner->context);
}

int main(void)
{
    static const struct store_factory stores[] = {
        {"custom", create_custom, NULL, NULL, NULL},
        {"memory", create_memory, NULL, NULL, NULL},
        {"sqlite", create_sqlite, reopen_sqlite, discard_disk, NULL},
        {"file", create_file, reopen_file, discard_disk, NULL},
    };
    static const struct {
        const char *name;
        int (*wrap)(struct gossip_store *inner, struct gossip_store **ret_store);
    } wrappers[] = {
        {"retry", wrap_in_retry},
        {"metrics", wrap_in_metrics},
        {"logging", wrap_in_logging},
        {"retry over logging over metrics", wrap_in_all},
    };
    int failures = store_contract_run(&stores[0]);

    for (size_t i = 0; i < sizeof(wrappers) / sizeof(wrappers[0]); i++) {
        for (size_t j = 0; j < sizeof(stores) / sizeof(stores[0]); j++) {
            struct wrapping wrapping = {&stores[j], wrappers[i].wrap};
            char name[96];
            struct store_factory factory = {
                .name = name,
                .create = create_wrapped,
                .reopen = stores[j].reopen == NULL ? NULL : reopen_wrapped,
                .discard = discard_wrapped,
                .context = &wrapping,
            };

            snprintf(name, sizeof(name), "%s over %s", wrappers[i].name, stores[j].name);
            failures += store_contract_run(&factory);
        }
    }
    return failures > 0 || line_count == 0;
}
