#include "gossip/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void test_varints(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        bool valid;
        uint64_t value;
    } cases[] = {
        {"\x00", 1, true, 0},
        {"\x7f", 1, true, 127},
        {"\x80\x01", 2, true, 128},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, true, UINT64_MAX},
        {"", 0, false, 0},
        {"\x80", 1, false, 0},         /* Cut off. */
        {"\x80\x00", 2, false, 0},     /* Not the shortest form of 0. */
        {"\xff\x80\x00", 3, false, 0}, /* Not the shortest form of 127. */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, false, 0}, /* 65 bits. */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11, false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reader reader = {(const uint8_t *)cases[i].bytes, cases[i].size, 0, false};
        uint64_t value = read_varint(&reader);
        uint8_t buffer[VARINT_MAX_SIZE];
        struct writer writer = {buffer, sizeof(buffer), 0, false};

        assert_int_equal(reader.failed, !cases[i].valid);
        if (!cases[i].valid)
            continue;
        assert_true(value == cases[i].value);
        write_varint(&writer, value);
        assert_false(writer.failed);
        assert_int_equal(writer.size, cases[i].size);
        assert_int_equal(varint_size(value), cases[i].size);
        assert_memory_equal(buffer, cases[i].bytes, cases[i].size);
    }
}

static void test_failure_stays(void **state)
{
    static const uint8_t data[] = {1, 2, 3};
    struct reader reader = {data, sizeof(data), 0, false};
    uint8_t buffer[3];
    struct writer writer = {buffer, sizeof(buffer), 0, false};

    (void)state;
    assert_int_equal(read_fixed(&reader, 2), 0x0102);
    assert_null(read_bytes(&reader, 2));
    assert_null(read_bytes(&reader, 1));
    assert_true(reader.failed);
    write_fixed(&writer, 0x0102, 2);
    write_fixed(&writer, 0x0102, 2);
    write_bytes(&writer, "x", 1);
    assert_true(writer.failed);
    assert_int_equal(writer.size, 2);
    assert_int_equal(get_fixed(buffer, 2), 0x0102);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_varints),
        cmocka_unit_test(test_failure_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
