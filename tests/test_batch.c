#include "gossip/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/allocation.h"
#include "tests/property.h"

enum { AUTHORS = 5, STEPS = 300 };

static void make_authors(struct authors *authors)
{
    memset(authors, 0, sizeof(*authors));
    for (uint32_t i = 0; i < AUTHORS; i++) {
        struct gossip_author_record record = {.number = i, .id = {(uint8_t)(i + 1)}};

        assert_int_equal(authors_add(authors, &record), GOSSIP_OK);
    }
}

/* What was put into a batch, in order. */
struct model {
    size_t records;
    size_t datagrams;
    size_t notices;
    size_t results;
    size_t bytes;
    struct gossip_dot events[STEPS];
    size_t places[STEPS]; /* Of events among the records. */
    size_t events_count;
};

static void check(const struct batch *batch, const struct authors *authors,
                  const struct model *model)
{
    size_t next[AUTHORS] = {0};

    assert_int_equal(batch->record_count, model->records);
    assert_int_equal(batch->event_count, model->events_count);
    assert_int_equal(batch->datagram_count, model->datagrams);
    assert_int_equal(batch->notice_count, model->notices);
    assert_int_equal(batch->result_count, model->results);
    assert_int_equal(batch->record_bytes, model->bytes);
    for (size_t i = 0; i < model->datagrams; i++) {
        assert_int_equal(batch->datagrams[i].size, i % 50 + 1);
        assert_int_equal(batch->datagrams[i].data[0], (uint8_t)i);
        assert_int_equal(batch->datagrams[i].data[i % 50], (uint8_t)i);
        assert_int_equal(batch->datagrams[i].address.port, i + 1);
    }
    for (size_t i = 0; i < model->notices; i++)
        assert_true(batch->notices[i].number == i);
    for (size_t i = 0; i < model->results; i++)
        assert_true(batch->results[i].ticket == i);
    /* The events of each author hang together in their order. */
    for (uint32_t number = 0; number < AUTHORS; number++) {
        ptrdiff_t at = authors->items[number]->batch_first;
        ptrdiff_t last = NO_INDEX;

        for (size_t i = 0; i < model->events_count; i++) {
            const struct gossip_record *record;

            if (model->events[i].author != number)
                continue;
            assert_int_not_equal(at, NO_INDEX);
            assert_int_equal(batch->events[at].record, model->places[i]);
            record = &batch->records[model->places[i]];
            assert_int_equal(record->kind, GOSSIP_RECORD_EVENT);
            assert_int_equal(record->as.event.author, number);
            assert_true(record->as.event.seq == model->events[i].seq);
            last = at;
            at = batch->events[at].next;
            next[number]++;
        }
        assert_int_equal(at, NO_INDEX);
        assert_int_equal(authors->items[number]->batch_last, last);
    }
}

/* Puts in one of what there is. Returns whether that worked. */
static bool put(struct batch *batch, struct authors *authors, struct model *model, uint64_t *seed)
{
    static uint8_t bytes[100];
    uint64_t draw = random_below(seed, 7);

    if (draw <= 2) {
        struct author *author = authors->items[random_below(seed, AUTHORS)];
        struct gossip_event_record event = {.author = author->stored.number,
                                            .seq = author->stored.have + 1,
                                            .body = bytes,
                                            .body_size = (size_t)random_below(seed, 100),
                                            .context_size = (size_t)random_below(seed, 50)};

        if (batch_save_event(batch, author, &event) < 0)
            return false;
        author->stored.have++;
        model->events[model->events_count] = (struct gossip_dot){event.author, event.seq};
        model->places[model->events_count++] = model->records++;
        model->bytes += sizeof(struct gossip_record) + event.body_size + event.context_size;
    } else if (draw == 3) {
        struct gossip_record record = {.kind = GOSSIP_RECORD_SIGNED,
                                       .as.signed_record = {.bytes = bytes, .size = 30}};

        if (batch_save(batch, &record) < 0)
            return false;
        model->records++;
        model->bytes += sizeof(record) + 30;
    } else if (draw == 4) {
        struct gossip_address to = {.port = (uint16_t)(model->datagrams + 1)};
        uint8_t data[50];

        memset(data, (uint8_t)model->datagrams, sizeof(data));
        if (batch_send(batch, &to, data, model->datagrams % 50 + 1) < 0)
            return false;
        memset(data, 0xee, sizeof(data)); /* It was copied. */
        model->datagrams++;
    } else if (draw == 5) {
        struct gossip_notice notice = {.number = model->notices};

        if (batch_notice(batch, &notice) < 0)
            return false;
        model->notices++;
    } else {
        struct gossip_result result = {.ticket = model->results};

        if (batch_result(batch, &result) < 0)
            return false;
        model->results++;
    }
    return true;
}

/* What was put in comes out in order, a failed allocation adds nothing, and a new batch is empty.
 */
static void test_in_order(void **state)
{
    uint64_t seed = random_start();
    struct authors authors;
    size_t failures = 0;

    (void)state;
    make_authors(&authors);
    for (int round = 0; round < 40; round++) {
        struct batch batch = {0};

        for (int times = 0; times < 3; times++) {
            static struct model model;
            static const struct model empty;

            model = empty;
            for (int step = 0; step < STEPS; step++) {
                bool may_fail = random_below(&seed, 3) == 0;
                bool done;

                allocation_fail(may_fail ? 1 + (size_t)random_below(&seed, 2) : 0);
                done = put(&batch, &authors, &model, &seed);
                allocation_fail(0);
                assert_true(done || may_fail);
                failures += !done;
                if (!done || step % 20 == 0)
                    check(&batch, &authors, &model);
            }
            check(&batch, &authors, &model);
            batch_start(&batch, &authors);
            model = empty;
            check(&batch, &authors, &model);
            for (size_t i = 0; i < AUTHORS; i++)
                assert_true(authors.items[i]->saved == authors.items[i]->stored.have);
        }
        batch_clear(&batch);
        batch_clear(&batch);
    }
    assert_true(failures > 100);
    authors_clear(&authors);
}

/* A batch that is started anew says that its events are saved; of authors that had none, it does
 * not. */
static void test_saved(void **state)
{
    struct authors authors;
    struct batch batch = {0};
    struct gossip_event_record event = {.author = 1, .seq = 1};

    (void)state;
    make_authors(&authors);
    assert_int_equal(batch_save_event(&batch, authors.items[1], &event), GOSSIP_OK);
    authors.items[1]->stored.have = 1;
    assert_true(authors.items[1]->saved == 0);
    batch_start(&batch, &authors);
    assert_true(authors.items[1]->saved == 1);
    assert_true(authors.items[0]->saved == 0);
    batch_clear(&batch);
    authors_clear(&authors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_saved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
