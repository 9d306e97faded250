/*
 * The SQLite store on a virtual disk that dies, fails or is full at each of its operations in turn:
 * what was acknowledged is there, byte for byte, and what was not is there wholly or not at all.
 *
 * GOSSIP_CRASH_DRAWS=n makes n times as many draws of what damage does, and takes as many more of
 * the pairs of crashes; 53 are all. GOSSIP_CRASH_ALL=1 has every read fail, and each failure with
 * and without a loss of power after it. GOSSIP_CRASH_PART=i/n does the i-th of n parts, from 0.
 */
#include "tests/crash.h"
#include "tests/crash_share.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/gossip.h"
#include "store/sqlite.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* How often each damage is drawn anew; the first two have nothing to draw. */
static const struct {
    enum virtual_damage damage;
    const char *name;
    unsigned draws;
} damages[] = {
    {VIRTUAL_DAMAGE_NONE, "none", 1},
    {VIRTUAL_DAMAGE_LOST, "lost", 1},
    {VIRTUAL_DAMAGE_TORN, "torn", 2},
    {VIRTUAL_DAMAGE_SHUFFLED, "shuffled", 2},
};

static const char *const kinds[VIRTUAL_OPERATIONS] = {"read",   "write",  "sync",  "truncate",
                                                      "create", "delete", "rename"};

static unsigned draws_of(size_t damage)
{
    return damages[damage].draws == 1 ? 1 : damages[damage].draws * crash_draws();
}

static char story[256];

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(story, sizeof(story), format, arguments);
    va_end(arguments);
}

/* The whole script on a sound disk; what it took. */
static void play(struct virtual_disk_stats *ret_stats, uint64_t *ret_operations)
{
    struct crash_run run;

    say("nothing is done to it");
    crash_begin(&run, story, 1);
    assert_int_equal(crash_live(&run, CRASH_SAVES, false), GOSSIP_OK);
    assert_int_equal(run.acked, CRASH_SAVES);
    assert_true(run.log_starts >= 2); /* Checkpoints are in it, and what comes after them. */
    virtual_disk_stats(run.disk, ret_stats);
    *ret_operations = virtual_disk_operations(run.disk);
    crash_end(&run);
}

/* What has come out of a fault goes on, and holds what it shows through a loss of power. */
static void go_on(struct crash_run *run)
{
    crash_require(run, crash_live(run, 1, true) == GOSSIP_OK, "does not go on");
    virtual_disk_restart(run->disk, VIRTUAL_DAMAGE_LOST);
    crash_require(run, crash_live(run, 1, false) == GOSSIP_OK, "does not go on after power loss");
}

static void test_sound_disk(void **state)
{
    struct virtual_disk_stats stats;
    uint64_t operations;

    (void)state;
    play(&stats, &operations);
    print_message("script: %u saves, %" PRIu64 " operations:", (unsigned)CRASH_SAVES, operations);
    for (unsigned i = 0; i < VIRTUAL_OPERATIONS; i++)
        print_message(" %s %" PRIu64, kinds[i], stats.operations[i]);
    print_message("\n");
}

static void test_crash_at_every_operation(void **state)
{
    struct virtual_disk_stats stats;
    uint64_t operations;
    uint64_t lives = 0;
    uint64_t ahead = 0;

    (void)state;
    play(&stats, &operations);
    for (uint64_t at = 1; at <= operations; at++) {
        for (size_t damage = 0; damage < COUNT(damages) && crash_is_ours(at); damage++) {
            for (unsigned draw = 1; draw <= draws_of(damage); draw++) {
                struct crash_run run;

                say("crash at operation %" PRIu64 ", damage %s", at, damages[damage].name);
                crash_begin(&run, story, draw);
                virtual_disk_crash_at(run.disk, at);
                crash_live(&run, CRASH_SAVES, false);
                crash_require(&run, virtual_disk_is_crashed(run.disk), "does not crash");
                virtual_disk_restart(run.disk, damages[damage].damage);
                go_on(&run);
                ahead += run.ahead;
                crash_end(&run);
                lives++;
            }
        }
    }
    print_message("crashes: %" PRIu64 " operations, %" PRIu64 " with damage; none lost, "
                  "%" PRIu64 " saves in flight came through\n",
                  operations, lives, ahead);
}

/* The second crash comes while the store recovers from the first, or in its next save or close. */
static void test_crash_in_recovery(void **state)
{
    uint64_t stride = crash_draws() < 53 ? 53 / crash_draws() : 1;
    uint64_t inner_stride = crash_draws() < 5 ? 5 / crash_draws() : 1;
    struct virtual_disk_stats stats;
    uint64_t operations;
    uint64_t pairs = 0;

    (void)state;
    play(&stats, &operations);
    for (uint64_t at = 1; at <= operations; at += stride) {
        for (size_t pair = 0; pair < COUNT(damages) * COUNT(damages) && crash_is_ours(at); pair++) {
            size_t first = pair / COUNT(damages);
            size_t second = pair % COUNT(damages);

            for (uint64_t again = 1 + (at + pair) % inner_stride;; again += inner_stride) {
                struct crash_run run;
                bool crashed;

                say("crash at operation %" PRIu64 ", damage %s, and at %" PRIu64
                    " of what follows, damage %s",
                    at, damages[first].name, again, damages[second].name);
                crash_begin(&run, story, at + again);
                virtual_disk_crash_at(run.disk, at);
                crash_live(&run, CRASH_SAVES, false);
                virtual_disk_restart(run.disk, damages[first].damage);
                virtual_disk_crash_at(run.disk, again);
                crash_live(&run, 1, false);
                crashed = virtual_disk_is_crashed(run.disk);
                if (crashed) {
                    virtual_disk_restart(run.disk, damages[second].damage);
                    go_on(&run);
                    pairs++;
                }
                crash_end(&run);
                if (!crashed)
                    break;
            }
        }
    }
    print_message("crashes in recovery: %" PRIu64 " pairs\n", pairs);
}

/* Once or for ever, each operation of each kind fails. What comes next is another process on the
 * same machine, or the machine loses power. */
static void test_failure_of_every_operation(void **state)
{
    struct virtual_disk_stats stats;
    uint64_t operations;
    uint64_t faults = 0;

    (void)state;
    if (!crash_all() && !crash_is_ours(0))
        skip(); /* It is no matter of parts: the first does it. */
    play(&stats, &operations);
    for (unsigned kind = 0; kind < VIRTUAL_OPERATIONS; kind++) {
        uint64_t step = kind == VIRTUAL_READ && !crash_all() ? 3 : 1;

        for (uint64_t at = 1; at <= stats.operations[kind]; at += step) {
            /* Once and for ever, and of each the machine stays up or loses power. */
            for (unsigned i = 0; i < 4; i++) {
                bool sticky = i % 2 == 1;
                bool stays = i / 2 == 1;
                enum virtual_damage damage = stays ? VIRTUAL_DAMAGE_NONE : VIRTUAL_DAMAGE_LOST;
                struct crash_run run;

                if (crash_all() ? !crash_is_ours(at) : stays != ((at + sticky) % 2 == 0))
                    continue;
                say("%s %" PRIu64 " fails %s, damage %s", kinds[kind], at,
                    sticky ? "for ever" : "once", damages[damage].name);
                crash_begin(&run, story, at);
                virtual_disk_fail(run.disk, kind, at, sticky ? UINT64_MAX : 1);
                crash_live(&run, CRASH_SAVES, false);
                virtual_disk_fail(run.disk, kind, 0, 0);
                virtual_disk_restart(run.disk, damage);
                go_on(&run);
                crash_end(&run);
                faults++;
            }
        }
    }
    print_message("failures: %" PRIu64 "\n", faults);
}

static uint64_t live_in_little_room(struct crash_run *run)
{
    struct virtual_disk_stats stats;

    crash_require(run, crash_live(run, CRASH_SAVES, false) == GOSSIP_OK, "ends");
    crash_require(run, run->acked == CRASH_SAVES, "stops at %u", run->acked);
    virtual_disk_stats(run->disk, &stats);
    virtual_disk_restart(run->disk, VIRTUAL_DAMAGE_LOST);
    crash_require(run, crash_live(run, 0, false) == GOSSIP_OK, "cannot be opened again");
    crash_end(run);
    return stats.full;
}

/* While the store is made and first used: there is so much room and no more. */
static void test_full_from_the_start(void **state)
{
    enum { STEP = 1000 };
    uint64_t rooms = 0;
    uint64_t refused = 0;
    uint64_t refused_now;

    (void)state;
    if (!crash_is_ours(0))
        skip(); /* It is no matter of parts: the first does it. */
    do {
        struct crash_run run;

        say("room for %" PRIu64 " bytes", rooms * STEP);
        crash_begin(&run, story, 1);
        virtual_disk_set_room(run.disk, rooms * STEP);
        refused_now = live_in_little_room(&run);
        refused += refused_now;
        rooms++;
    } while (refused_now > 0);
    assert_true(rooms > 20);
    print_message("full from the start: %" PRIu64 " sizes, %" PRIu64 " writes refused\n", rooms,
                  refused);
}

/* At each save, its checkpoint included, there is less room than it needs. */
static void test_full_at_every_save(void **state)
{
    enum { STEP = 1000 };
    uint64_t rooms = 0;
    uint64_t refused = 0;
    unsigned tight_saves = 0;

    (void)state;
    if (!crash_is_ours(0))
        skip(); /* It is no matter of parts: the first does it. */
    for (unsigned save = 0; save < CRASH_SAVES; save++) {
        uint64_t room = 0;
        uint64_t refused_now;

        do {
            struct crash_run run;

            say("room for %" PRIu64 " bytes more from save %u on", room, save);
            crash_begin(&run, story, 1);
            run.gets_tight = true;
            run.tight_at = save;
            run.tight_room = room;
            refused_now = live_in_little_room(&run);
            refused += refused_now;
            tight_saves += room == 0 && refused_now > 0;
            rooms++;
            room += STEP;
        } while (refused_now > 0 && room <= 40 * STEP);
    }
    assert_true(tight_saves > CRASH_SAVES / 2);
    print_message("full at a save: %" PRIu64 " sizes, %" PRIu64 " writes refused\n", rooms,
                  refused);
}

static int prepare(void **state)
{
    (void)state;
    crash_prepare();
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    crash_clean_up();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound_disk),
        cmocka_unit_test(test_crash_at_every_operation),
        cmocka_unit_test(test_crash_in_recovery),
        cmocka_unit_test(test_failure_of_every_operation),
        cmocka_unit_test(test_full_from_the_start),
        cmocka_unit_test(test_full_at_every_save),
    };

    return cmocka_run_group_tests_name("crashes", tests, prepare, clean_up);
}
