#include "gossip/peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static struct gossip_address address(unsigned number)
{
    struct gossip_address address = {.port = (uint16_t)(number + 1)};

    address.ip[15] = 1;
    return address;
}

/* The table is full: what was only heard of and has kept silent gives way, and nothing else. */
static void test_full_table(void **state)
{
    struct peers peers = {0};
    struct gossip_address next = address(TARGETS_MAX);
    struct target *target;

    (void)state;
    for (unsigned i = 0; i < TARGETS_MAX; i++) {
        struct gossip_address known = address(i);

        assert_int_equal(targets_add(&peers, &known, NO_PEER, 0, 1000, &target), GOSSIP_OK);
        assert_true(address_equal(&target->address, &known));
        target->kept = i == 3;
        target->configured = i == 5;
    }
    targets_make_room(&peers);
    assert_int_equal(targets_add(&peers, &next, NO_PEER, 0, 1000, &target), GOSSIP_ERR_LIMIT);
    peers.targets[3].tries = 100;
    peers.targets[5].tries = 100;
    targets_make_room(&peers);
    assert_int_equal(targets_add(&peers, &next, NO_PEER, 0, 1000, &target), GOSSIP_ERR_LIMIT);
    peers.targets[7].tries = 1;
    peers.targets[9].tries = 2;
    assert_int_equal(targets_add(&peers, &next, NO_PEER, 0, 1000, &target), GOSSIP_ERR_LIMIT);
    targets_make_room(&peers);
    assert_int_equal(targets_add(&peers, &next, NO_PEER, 0, 1000, &target), GOSSIP_OK);
    assert_true(address_equal(&target->address, &next));
    assert_int_equal(peers.target_count, TARGETS_MAX);
    next = address(9);
    assert_null(targets_find(&peers, &next));
    next = address(7);
    assert_non_null(targets_find(&peers, &next));
    /* What is there already needs no room. */
    assert_int_equal(targets_add(&peers, &next, NO_PEER, 0, 1000, &target), GOSSIP_OK);
    assert_int_equal(target->tries, 1);
    peers_clear(&peers);
}

/* Patience follows the slowest answer at once, and comes back from it slowly. */
static void test_patience(void **state)
{
    struct peer peer = {.rtt_ms = RTT_UNKNOWN_MS};

    (void)state;
    assert_int_equal(peer_patience(&peer), 1000);
    peer_note_rtt(&peer, 10000);
    assert_int_equal(peer_patience(&peer), 20200);
    peer_note_rtt(&peer, 100000);
    assert_int_equal(peer_patience(&peer), PATIENCE_MAX_MS);
    for (unsigned i = 0; i < 100; i++)
        peer_note_rtt(&peer, 1);
    assert_in_range(peer_patience(&peer), 200, 210);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_table),
        cmocka_unit_test(test_patience),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
