#include "transport/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/gossip.h"

static void test_real_clocks(void **state)
{
    struct gossip_time *time = gossip_system_time();
    struct timespec boot;
    struct timespec wall;
    uint64_t last = time->ops->monotonic_ms(time);

    (void)state;
    assert_ptr_equal(time, gossip_system_time());
    for (int i = 0; i < 10000; i++) {
        uint64_t now = time->ops->monotonic_ms(time);

        assert_true(now >= last);
        last = now;
    }
    if (clock_gettime(CLOCK_BOOTTIME, &boot) == 0)
        assert_true((uint64_t)boot.tv_sec * 1000 + (uint64_t)boot.tv_nsec / 1000000 >= last);
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &wall), 0);
    /* Another reading of the same clock; an hour is for a machine that is being set right. */
    assert_true(time->ops->wall_ms(time) / 3600000 - (uint64_t)wall.tv_sec / 3600 <= 1);
}

static void test_real_randomness(void **state)
{
    struct gossip_time *time = gossip_system_time();
    uint8_t buffers[2][1024] = {{0}, {0}};
    size_t zeros = 0;

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(time->ops->random(time, buffers[i], sizeof(buffers[i])), GOSSIP_OK);
    assert_memory_not_equal(buffers[0], buffers[1], sizeof(buffers[0]));
    for (size_t i = 0; i < sizeof(buffers[0]); i++)
        zeros += buffers[0][i] == 0;
    assert_true(zeros < 64); /* 4 are to be expected; 64 happen once in 10^50 runs. */
    assert_int_equal(time->ops->random(time, NULL, 0), GOSSIP_OK);
}

static struct timespec shown[16]; /* By clock id. */
static bool has_boottime;

static int fake_clock(clockid_t clock, struct timespec *ret_time)
{
    if (clock == CLOCK_BOOTTIME && !has_boottime) {
        errno = EINVAL;
        return -1;
    }
    *ret_time = shown[clock];
    return 0;
}

static void test_which_clock(void **state)
{
    struct system_time time = {.base = {&system_time_ops}, .read_clock = fake_clock};

    (void)state;
    shown[CLOCK_BOOTTIME] = (struct timespec){7, 1999999};
    shown[CLOCK_MONOTONIC] = (struct timespec){5, 999999999};
    shown[CLOCK_REALTIME] = (struct timespec){1700000000, 123456789};
    has_boottime = true;
    assert_int_equal(time.base.ops->monotonic_ms(&time.base), 7001);
    has_boottime = false;
    assert_int_equal(time.base.ops->monotonic_ms(&time.base), 5999);
    assert_true(time.base.ops->wall_ms(&time.base) == UINT64_C(1700000000123));
    shown[CLOCK_REALTIME] = (struct timespec){0, 0};
    assert_int_equal(time.base.ops->wall_ms(&time.base), 0);
    shown[CLOCK_REALTIME] = (struct timespec){-1, 999999999}; /* Before 1970. */
    assert_int_equal(time.base.ops->wall_ms(&time.base), 0);
}

/* What getrandom does next: bytes, or minus an errno. */
static const int *answers;
static unsigned char next_byte;

static ssize_t fake_draw(void *buffer, size_t size, unsigned int flags)
{
    int answer = *answers++;

    assert_int_equal(flags, 0);
    if (answer < 0) {
        errno = -answer;
        return -1;
    }
    if ((size_t)answer > size)
        answer = (int)size;
    for (int i = 0; i < answer; i++)
        ((unsigned char *)buffer)[i] = ++next_byte;
    return answer;
}

static void test_randomness_comes_in_pieces(void **state)
{
    static const struct {
        int answers[6];
        int result;
    } cases[] = {
        {{8}, GOSSIP_OK},
        {{3, 3, 3}, GOSSIP_OK},
        {{-EINTR, 1, -EINTR, -EINTR, 7}, GOSSIP_OK},
        {{-ENOSYS}, GOSSIP_ERR_IO},
        {{7, -EFAULT}, GOSSIP_ERR_IO},
        {{7, 0}, GOSSIP_ERR_IO},
    };
    struct system_time time = {.base = {&system_time_ops}, .draw_bytes = fake_draw};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t buffer[9] = {0};

        answers = cases[i].answers;
        next_byte = 0;
        assert_int_equal(time.base.ops->random(&time.base, buffer, 8), cases[i].result);
        assert_int_equal(buffer[8], 0);
        if (cases[i].result == GOSSIP_OK)
            assert_memory_equal(buffer, "\1\2\3\4\5\6\7\10", 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real_clocks),
        cmocka_unit_test(test_real_randomness),
        cmocka_unit_test(test_which_clock),
        cmocka_unit_test(test_randomness_comes_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
