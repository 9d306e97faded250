/*
 * Options of programs that were compiled with another version of the library.
 */
#include "gossip/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/gossip.h"

struct first {
    size_t size;
    uint64_t speed;
};

struct present {
    size_t size;
    uint64_t speed;
    uint64_t colour;
};

struct later {
    size_t size;
    uint64_t speed;
    uint64_t colour;
    uint64_t taste;
};

static bool read_options(struct present *ret_options, const void *given)
{
    memset(ret_options, 0xee, sizeof(*ret_options));
    return options_read(ret_options, sizeof(*ret_options), sizeof(struct first), given);
}

static void test_of_the_same_version(void **state)
{
    const struct present given = {sizeof(given), 3, 4};
    struct present options;

    (void)state;
    assert_true(read_options(&options, &given));
    assert_memory_equal(&options, &given, sizeof(given));
}

static void test_what_an_earlier_version_lacks_is_zero(void **state)
{
    const struct first given = {sizeof(given), 3};
    struct present options;

    (void)state;
    assert_true(read_options(&options, &given));
    assert_int_equal(options.speed, 3);
    assert_int_equal(options.colour, 0);
}

static void test_what_a_later_version_has_may_be_zero_only(void **state)
{
    struct later given = {sizeof(given), 3, 4, 0};
    struct present options;

    (void)state;
    assert_true(read_options(&options, &given));
    assert_int_equal(options.colour, 4);
    given.taste = 1;
    assert_false(read_options(&options, &given));
}

static void test_shorter_than_any_version_is_refused(void **state)
{
    struct present given = {sizeof(struct first) - 1, 3, 4};
    struct present options;

    (void)state;
    assert_false(read_options(&options, &given));
    given.size = 0;
    assert_false(read_options(&options, &given));
}

/* As a whole: a program of a later version makes a node, unless it asks for what is not there. */
static void test_nodes_of_a_later_version(void **state)
{
    struct {
        struct gossip_options options;
        uint64_t unknown;
    } later = {{.size = sizeof(later), .time = gossip_system_time()}, 1};
    struct gossip_cluster *cluster;
    struct gossip_identity *identity;
    struct gossip_store *store;
    struct gossip *gossip;

    (void)state;
    assert_int_equal(gossip_memory_open(&store), GOSSIP_OK);
    assert_int_equal(gossip_cluster_create(gossip_system_time(), &cluster), GOSSIP_OK);
    assert_int_equal(gossip_identity_create(cluster, "a", 0, gossip_system_time(), &identity),
                     GOSSIP_OK);
    later.options.store = store;
    later.options.identity = identity;
    assert_int_equal(gossip_create(&later.options, &gossip), GOSSIP_ERR_INVALID);
    later.unknown = 0;
    assert_int_equal(gossip_create(&later.options, &gossip), GOSSIP_OK);
    gossip_destroy(gossip);
    later.options.size = 8;
    assert_int_equal(gossip_create(&later.options, &gossip), GOSSIP_ERR_INVALID);
    gossip_identity_destroy(identity);
    gossip_cluster_destroy(cluster);
    store->ops->close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_the_same_version),
        cmocka_unit_test(test_what_an_earlier_version_lacks_is_zero),
        cmocka_unit_test(test_what_a_later_version_has_may_be_zero_only),
        cmocka_unit_test(test_shorter_than_any_version_is_refused),
        cmocka_unit_test(test_nodes_of_a_later_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
