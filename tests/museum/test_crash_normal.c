/*
 * That the crashes of tests/crash.h find what they are for: a store that commits with
 * synchronous=NORMAL loses acknowledged saves when the power fails, and one that does not, does
 * not.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gossip/gossip.h"
#include "gossip/museum.h"
#include "tests/crash.h"

/* The power fails at each operation; how many of these crashes cost an acknowledged save. */
static unsigned crashes_that_lose(enum museum_exhibit mistake)
{
    unsigned losing = 0;
    bool crashed = true;

    museum_exhibit = mistake;
    for (uint64_t at = 1; crashed; at++) {
        struct crash_run run;

        crash_begin(&run, "power loss", at);
        run.may_lose = true;
        virtual_disk_crash_at(run.disk, at);
        crash_live(&run, CRASH_SAVES, false);
        crashed = virtual_disk_is_crashed(run.disk);
        if (crashed) {
            virtual_disk_restart(run.disk, VIRTUAL_DAMAGE_LOST);
            crash_live(&run, 0, true);
            losing += run.lost > 0;
        }
        crash_end(&run);
    }
    return losing;
}

static void test_normal_loses(void **state)
{
    unsigned losing;

    (void)state;
    crash_prepare();
    assert_int_equal(crashes_that_lose(MUSEUM_NONE), 0);
    losing = crashes_that_lose(MUSEUM_SYNC_NORMAL);
    print_message("synchronous=NORMAL: %u crashes lose what was acknowledged\n", losing);
    assert_true(losing > 0);
    crash_clean_up();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_normal_loses)};

    return cmocka_run_group_tests_name("crashes with NORMAL", tests, NULL, NULL);
}
