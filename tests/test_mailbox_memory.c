/*
 * A mailbox where there is no memory: nothing is half done.
 */
#include "gossip/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/allocation.h"

static void test_no_memory(void **state)
{
    struct gossip_options options = {.size = sizeof(options), .time = gossip_system_time()};
    struct gossip_cluster *cluster;
    struct gossip_identity *identity;
    struct gossip *gossip;
    struct gossip_mailbox *mailbox = NULL;
    struct gossip_post *post = NULL;
    struct gossip_result result;

    (void)state;
    assert_int_equal(gossip_memory_open(&options.store), GOSSIP_OK);
    assert_int_equal(gossip_cluster_create(options.time, &cluster), GOSSIP_OK);
    assert_int_equal(gossip_identity_create(cluster, "a", 0, options.time, &identity), GOSSIP_OK);
    options.identity = identity;
    assert_int_equal(gossip_create(&options, &gossip), GOSSIP_OK);

    allocation_fail(1);
    assert_int_equal(gossip_mailbox_open(NULL, &mailbox), GOSSIP_ERR_NOMEM);
    assert_null(mailbox);
    assert_int_equal(gossip_mailbox_open(NULL, &mailbox), GOSSIP_OK);
    allocation_fail(1);
    assert_int_equal(gossip_mailbox_post(mailbox, "a", 1, &post), GOSSIP_ERR_NOMEM);
    assert_null(post);
    assert_int_equal(gossip_mailbox_post(mailbox, "a", 1, &post), GOSSIP_OK);
    allocation_fail(1); /* Of gossip_publish(). */
    gossip_mailbox_take(mailbox, gossip);
    assert_int_equal(gossip_post_wait(post, 0, &result), 1);
    assert_int_equal(result.error, GOSSIP_ERR_NOMEM);

    gossip_post_destroy(post);
    gossip_mailbox_close(mailbox);
    gossip_destroy(gossip);
    gossip_identity_destroy(identity);
    gossip_cluster_destroy(cluster);
    options.store->ops->close(options.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_memory)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
