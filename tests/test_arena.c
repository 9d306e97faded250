#include "gossip/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/allocation.h"
#include "tests/property.h"

enum { PIECES = 400 };

struct piece {
    uint8_t *data;
    size_t size;
    uint8_t fill;
};

static void check_pieces(const struct piece *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < pieces[i].size; j++)
            assert_int_equal(pieces[i].data[j], pieces[i].fill);
    }
}

/* Pieces do not overlap, are aligned, and stay until the reset; those that failed cost nothing. */
static void test_pieces(void **state)
{
    uint64_t seed = random_start();
    struct arena arena = {0};

    (void)state;
    for (int round = 0; round < 60; round++) {
        struct piece pieces[PIECES];
        size_t count = 0;
        size_t failed = 0;

        while (count < PIECES && failed < 50) {
            size_t limit = random_below(&seed, 50) == 0 ? 200000 : 600;
            size_t size = (size_t)random_below(&seed, limit);
            bool may_fail = random_below(&seed, 20) == 0;
            uint8_t *data;

            allocation_fail(may_fail ? 1 : 0);
            data = arena_alloc(&arena, size);
            allocation_fail(0);
            if (data == NULL) {
                assert_true(may_fail);
                failed++;
                continue;
            }
            assert_int_equal((uintptr_t)data % _Alignof(max_align_t), 0);
            memset(data, (int)count, size);
            pieces[count] = (struct piece){data, size, (uint8_t)count};
            count++;
        }
        check_pieces(pieces, count);
        arena_reset(&arena);
    }
    arena_clear(&arena);
    assert_null(arena.blocks);
    arena_clear(&arena);
    arena_reset(&arena); /* What is empty may be reset. */
    arena_clear(&arena);
}

/* One block stays for next time, also after one that was larger than usual. */
static void test_reset_keeps_one_block(void **state)
{
    struct arena arena = {0};
    size_t before;

    (void)state;
    for (int i = 0; i < 5000; i++)
        assert_non_null(arena_alloc(&arena, 100));
    assert_non_null(arena_alloc(&arena, 1000000));
    arena_reset(&arena);
    before = allocation_count;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 500; i++)
            assert_non_null(arena_alloc(&arena, 100));
        arena_reset(&arena);
    }
    assert_int_equal(allocation_count, before);
    arena_clear(&arena);

    assert_non_null(arena_alloc(&arena, 1000000));
    arena_reset(&arena);
    assert_null(arena.blocks); /* Nothing of that size is kept. */
    assert_non_null(arena_alloc(&arena, 1));
    arena_clear(&arena);
}

static void test_copy(void **state)
{
    static const uint8_t data[] = {1, 2, 3};
    struct arena arena = {0};
    uint8_t *copy = arena_copy(&arena, data, sizeof(data));

    (void)state;
    assert_memory_equal(copy, data, sizeof(data));
    assert_ptr_not_equal(copy, data);
    assert_non_null(arena_copy(&arena, NULL, 0)); /* Nothing is not the lack of memory. */
    assert_non_null(arena_copy(&arena, data, 0));
    arena_clear(&arena);
    allocation_fail(1);
    assert_null(arena_copy(&arena, data, sizeof(data)));
    assert_null(arena.blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_reset_keeps_one_block),
        cmocka_unit_test(test_copy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
