#include "gossip/records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/gossip.h"
#include "tests/allocation.h"
#include "tests/property.h"

enum { RECORDS = 70, RECORD_SIZE = 40 };

static const struct gossip_crypto *crypto;

/* Bytes of which only type and number matter here: nobody looks at what a record says. */
static void record_of(unsigned number, uint8_t type, uint8_t ret_bytes[RECORD_SIZE])
{
    memset(ret_bytes, 0, RECORD_SIZE);
    ret_bytes[0] = type;
    ret_bytes[1] = (uint8_t)number;
}

static uint8_t type_of(unsigned number)
{
    return number % 5 == 4   ? GOSSIP_SIGNED_PROOF
           : number % 5 == 3 ? GOSSIP_SIGNED_EVICTION
                             : GOSSIP_SIGNED_CERTIFICATE;
}

static void check_sorted(const struct records *records)
{
    for (size_t i = 1; i < records->count; i++)
        assert_true(memcmp(records->items[i - 1]->id, records->items[i]->id, GOSSIP_HASH_SIZE) < 0);
}

/* The hash by docs/protocol.md: ids of certificates and evictions, ascending, found one after
 * another as the least that is greater than the last. */
static void naive_hash(const bool *in, uint8_t ret_hash[GOSSIP_HASH_SIZE])
{
    uint8_t joined[sizeof(GOSSIP_DOMAIN_RECORDS) + RECORDS * GOSSIP_HASH_SIZE];
    size_t size = sizeof(GOSSIP_DOMAIN_RECORDS);
    uint8_t last[GOSSIP_HASH_SIZE] = {0};

    memcpy(joined, GOSSIP_DOMAIN_RECORDS, size);
    for (;;) {
        uint8_t least[GOSSIP_HASH_SIZE];
        bool found = false;

        for (unsigned i = 0; i < RECORDS; i++) {
            uint8_t bytes[RECORD_SIZE];
            uint8_t id[GOSSIP_HASH_SIZE];

            if (!in[i] || type_of(i) == GOSSIP_SIGNED_PROOF)
                continue;
            record_of(i, type_of(i), bytes);
            record_id(crypto, bytes, sizeof(bytes), id);
            if (memcmp(id, last, sizeof(id)) > 0 && (!found || memcmp(id, least, sizeof(id)) < 0)) {
                memcpy(least, id, sizeof(id));
                found = true;
            }
        }
        if (!found)
            break;
        memcpy(joined + size, least, sizeof(least));
        size += sizeof(least);
        memcpy(last, least, sizeof(last));
    }
    crypto->hash(ret_hash, (const struct gossip_piece[]){{joined, size}}, 1);
}

/* Whatever the order, the set and its hash are the same; and an allocation that fails is no more
 * than a delay. */
static void test_any_order(void **state)
{
    uint64_t seed = random_start();

    (void)state;
    for (int round = 0; round < 30; round++) {
        struct records records = {0};
        bool in[RECORDS] = {0};
        uint8_t hash[GOSSIP_HASH_SIZE];
        uint8_t expected[GOSSIP_HASH_SIZE];
        size_t failures = 0;

        records_hash(&records, crypto, hash);
        naive_hash(in, expected);
        assert_memory_equal(hash, expected, sizeof(hash));
        while (records.count < RECORDS) {
            unsigned number = (unsigned)random_below(&seed, RECORDS);
            const struct signed_record *record = NULL;
            uint8_t bytes[RECORD_SIZE];
            uint8_t id[GOSSIP_HASH_SIZE];
            size_t count = records.count;
            bool may_fail = random_below(&seed, 4) == 0;
            int error;

            record_of(number, type_of(number), bytes);
            record_id(crypto, bytes, sizeof(bytes), id);
            record = records_find(&records, id);
            assert_int_equal(record != NULL, in[number]);
            if (record != NULL) {
                assert_memory_equal(record->id, id, sizeof(id));
                assert_ptr_equal(records.items[records_place(&records, id)], record);
                continue;
            }
            allocation_fail(may_fail ? 1 + (size_t)random_below(&seed, 3) : 0);
            error = records_add(&records, crypto, bytes, sizeof(bytes), &record);
            allocation_fail(0);
            if (error < 0) {
                assert_true(may_fail);
                assert_int_equal(error, GOSSIP_ERR_NOMEM);
                assert_null(record);
                assert_int_equal(records.count, count);
                assert_null(records_find(&records, id));
                failures++;
            } else {
                in[number] = true;
                assert_int_equal(records.count, count + 1);
                assert_ptr_equal(record, records_find(&records, id));
                assert_int_equal(record->type, type_of(number));
                assert_int_equal(record->size, sizeof(bytes));
                assert_memory_equal(record->bytes, bytes, sizeof(bytes));
            }
            check_sorted(&records);
            records_hash(&records, crypto, hash);
            naive_hash(in, expected);
            assert_memory_equal(hash, expected, sizeof(hash));
        }
        assert_true(failures > 0);
        records_clear(&records);
        assert_int_equal(records.count, 0);
        records_clear(&records);
    }
}

/* Places of ids that are not there: before all, between, after all. */
static void test_places(void **state)
{
    static const uint8_t lowest[GOSSIP_ID_SIZE] = {0};
    uint8_t highest[GOSSIP_ID_SIZE];
    struct records records = {0};

    (void)state;
    memset(highest, 0xff, sizeof(highest));
    assert_int_equal(records_place(&records, lowest), 0);
    assert_null(records_find(&records, lowest));
    for (unsigned i = 0; i < RECORDS; i++) {
        const struct signed_record *record;
        uint8_t bytes[RECORD_SIZE];

        record_of(i, type_of(i), bytes);
        assert_int_equal(records_add(&records, crypto, bytes, sizeof(bytes), &record), GOSSIP_OK);
    }
    assert_int_equal(records_place(&records, lowest), 0);
    assert_int_equal(records_place(&records, highest), RECORDS);
    for (size_t i = 0; i < RECORDS; i++) {
        uint8_t id[GOSSIP_ID_SIZE];

        memcpy(id, records.items[i]->id, sizeof(id));
        assert_int_equal(records_place(&records, id), i);
        id[GOSSIP_ID_SIZE - 1] ^= 1; /* Its neighbour, which is not there. */
        assert_null(records_find(&records, id));
        assert_int_equal(records_place(&records, id),
                         (records.items[i]->id[GOSSIP_ID_SIZE - 1] & 1) != 0 ? i : i + 1);
    }
    records_clear(&records);
}

/* A proof is kept, and does not count: which of several a node holds is not state. */
static void test_proofs_do_not_count(void **state)
{
    struct records records = {0};
    const struct signed_record *record;
    uint8_t before[GOSSIP_HASH_SIZE];
    uint8_t after[GOSSIP_HASH_SIZE];
    uint8_t bytes[RECORD_SIZE];

    (void)state;
    record_of(1, GOSSIP_SIGNED_CERTIFICATE, bytes);
    assert_int_equal(records_add(&records, crypto, bytes, sizeof(bytes), &record), GOSSIP_OK);
    records_hash(&records, crypto, before);
    record_of(2, GOSSIP_SIGNED_PROOF, bytes);
    assert_int_equal(records_add(&records, crypto, bytes, sizeof(bytes), &record), GOSSIP_OK);
    records_hash(&records, crypto, after);
    assert_memory_equal(before, after, sizeof(before));
    record_of(3, GOSSIP_SIGNED_EVICTION, bytes);
    assert_int_equal(records_add(&records, crypto, bytes, sizeof(bytes), &record), GOSSIP_OK);
    records_hash(&records, crypto, after);
    assert_memory_not_equal(before, after, sizeof(before));
    records_clear(&records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_proofs_do_not_count),
    };

    crypto = gossip_crypto_sodium();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
