/* Events that are written once, however often they are asked for. */
#include "gossip/gossip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "gossip/service.h"
#include "store/virtual_disk.h"

struct lone_node {
    struct gossip_cluster *cluster;
    struct gossip_identity *identity;
    struct virtual_disk *disk; /* NULL: its store is in memory. */
    struct gossip_options options;
    struct gossip *gossip;
};

static void open_node(struct lone_node *node, enum gossip_sqlite_mode mode)
{
    if (node->disk != NULL)
        assert_int_equal(
            virtual_disk_open_store(node->disk, "node.db", mode, NULL, 0, &node->options.store),
            GOSSIP_OK);
    assert_int_equal(gossip_create(&node->options, &node->gossip), GOSSIP_OK);
}

static void start(struct lone_node *node, bool has_disk)
{
    *node = (struct lone_node){.options = {.size = sizeof(node->options),
                                           .time = gossip_system_time(),
                                           .payload_max = 100}};
    assert_int_equal(gossip_cluster_create(node->options.time, &node->cluster), 0);
    assert_int_equal(
        gossip_identity_create(node->cluster, "n1", 0, node->options.time, &node->identity), 0);
    node->options.identity = node->identity;
    if (has_disk) {
        node->disk = virtual_disk_create(1);
        assert_non_null(node->disk);
    } else {
        assert_int_equal(gossip_memory_open(&node->options.store), GOSSIP_OK);
    }
    open_node(node, GOSSIP_SQLITE_CREATE);
}

/* The process ends, or the machine where there is a disk, and the node is started again. */
static void restart(struct lone_node *node, enum virtual_damage damage)
{
    gossip_destroy(node->gossip);
    if (node->disk != NULL) {
        node->options.store->ops->close(node->options.store);
        virtual_disk_restart(node->disk, damage);
    }
    open_node(node, GOSSIP_SQLITE_OPEN);
}

static void end(struct lone_node *node)
{
    gossip_destroy(node->gossip);
    node->options.store->ops->close(node->options.store);
    virtual_disk_destroy(node->disk);
    gossip_identity_destroy(node->identity);
    gossip_cluster_destroy(node->cluster);
}

static uint64_t ask(struct lone_node *node, const char *once, const char *data)
{
    uint64_t ticket;

    if (once == NULL)
        assert_int_equal(gossip_publish(node->gossip, data, strlen(data), &ticket), 0);
    else
        assert_int_equal(
            gossip_publish_once(node->gossip, data, strlen(data), once, strlen(once), &ticket), 0);
    return ticket;
}

static void expect(struct lone_node *node, int error, uint64_t seq, bool repeated)
{
    struct gossip_result result;

    assert_int_equal(gossip_result_pop(node->gossip, &result), 1);
    assert_int_equal(result.error, error);
    assert_int_equal(result.repeated, repeated);
    assert_true(result.dot.seq == seq);
    assert_true(result.dot.author == gossip_self(node->gossip));
}

static void publish(struct lone_node *node, const char *once, const char *data, int error,
                    uint64_t seq, bool repeated)
{
    ask(node, once, data);
    assert_int_equal(gossip_run(node->gossip), GOSSIP_OK);
    expect(node, error, seq, repeated);
}

static void require_events(struct lone_node *node, uint64_t count)
{
    assert_true(gossip_vclock_get(gossip_clock(node->gossip), gossip_self(node->gossip)) == count);
}

static void tell_story(bool has_disk)
{
    struct lone_node node;
    struct gossip_event event;

    start(&node, has_disk);
    publish(&node, "a", "one", GOSSIP_OK, 1, false);
    publish(&node, NULL, "one", GOSSIP_OK, 2, false); /* Without a key it is another. */
    publish(&node, "b", "one", GOSSIP_OK, 3, false);
    publish(&node, "a", "one", GOSSIP_OK, 1, true);
    publish(&node, "ab", "", GOSSIP_OK, 4, false);
    for (int i = 0; i < 2; i++) {
        publish(&node, "a", "one", GOSSIP_OK, 1, true);
        publish(&node, "b", "one", GOSSIP_OK, 3, true);
        publish(&node, "ab", "", GOSSIP_OK, 4, true);
        /* The key stands for that event and for no other. */
        publish(&node, "a", "on", GOSSIP_ERR_EXISTS, 1, false);
        publish(&node, "a", "two", GOSSIP_ERR_EXISTS, 1, false);
        publish(&node, "ab", "x", GOSSIP_ERR_EXISTS, 4, false);
        require_events(&node, 4);
        restart(&node, VIRTUAL_DAMAGE_LOST);
    }
    /* The key is no part of what is shown, and the event verifies. */
    assert_int_equal(
        gossip_event_get(node.gossip, (struct gossip_dot){gossip_self(node.gossip), 1}, &event),
        GOSSIP_OK);
    assert_int_equal(event.size, 3);
    assert_memory_equal(event.data, "one", 3);
    assert_int_equal(gossip_verify(node.gossip, NULL, NULL, NULL), GOSSIP_OK);
    end(&node);
}

static void test_in_memory(void **state)
{
    (void)state;
    tell_story(false);
}

static void test_on_disk(void **state)
{
    (void)state;
    tell_story(true);
}

/* Of requests that come together the first is written, and the others are told of it. */
static void test_one_batch(void **state)
{
    struct lone_node node;
    struct gossip_stats stats;

    (void)state;
    start(&node, false);
    for (int i = 0; i < 3; i++) {
        ask(&node, "a", "one");
        ask(&node, "b", "one");
        ask(&node, "a", "two");
    }
    assert_int_equal(gossip_run(node.gossip), GOSSIP_OK);
    for (int i = 0; i < 3; i++) {
        expect(&node, GOSSIP_OK, 1, i > 0);
        expect(&node, GOSSIP_OK, 2, i > 0);
        expect(&node, GOSSIP_ERR_EXISTS, 1, false);
    }
    gossip_stats(node.gossip, &stats);
    assert_true(stats.published == 2);
    end(&node);
}

/* The process is killed, or the power fails, at any moment: after the retry there is one event,
 * whatever was acknowledged. */
static void test_crashes(void **state)
{
    unsigned crashes = 0;
    unsigned written = 0;
    bool crashed = true;

    (void)state;
    for (uint64_t at = 2; crashed; at++) {
        struct lone_node node;
        struct gossip_result result;
        bool acknowledged;
        int error;

        start(&node, true);
        publish(&node, "first", "x", GOSSIP_OK, 1, false);
        ask(&node, "a", "one");
        virtual_disk_crash_at(node.disk, at / 2);
        error = gossip_run(node.gossip);
        acknowledged = error == GOSSIP_OK && gossip_result_pop(node.gossip, &result) == 1 &&
                       result.error == GOSSIP_OK;
        crashed = virtual_disk_is_crashed(node.disk);
        virtual_disk_crash_at(node.disk, 0);
        crashes += crashed;
        assert_true(crashed || acknowledged);
        restart(&node, at % 2 == 0 ? VIRTUAL_DAMAGE_NONE : VIRTUAL_DAMAGE_LOST);
        ask(&node, "a", "one");
        assert_int_equal(gossip_run(node.gossip), GOSSIP_OK);
        assert_int_equal(gossip_result_pop(node.gossip, &result), 1);
        assert_int_equal(result.error, GOSSIP_OK);
        assert_true(result.repeated || !acknowledged);
        written += result.repeated;
        publish(&node, "a", "one", GOSSIP_OK, result.dot.seq, true);
        publish(&node, "first", "x", GOSSIP_OK, 1, true);
        end(&node);
    }
    print_message("once: %u crashes, %u found the event written\n", crashes, written);
    assert_true(crashes > 0 && written > 1 && written < crashes);
}

static void test_limits(void **state)
{
    static const char key[GOSSIP_ONCE_MAX + 1] = "k";
    struct lone_node node;
    uint64_t ticket;

    (void)state;
    start(&node, false);
    assert_int_equal(gossip_publish_once(node.gossip, "x", 1, key, 0, &ticket), GOSSIP_ERR_INVALID);
    assert_int_equal(gossip_publish_once(node.gossip, "x", 1, key, GOSSIP_ONCE_MAX + 1, &ticket),
                     GOSSIP_ERR_INVALID);
    assert_int_equal(gossip_publish_once(node.gossip, NULL, 101, key, 1, &ticket),
                     GOSSIP_ERR_LIMIT);
    assert_int_equal(gossip_publish_once(node.gossip, "x", 1, key, GOSSIP_ONCE_MAX, &ticket),
                     GOSSIP_OK);
    assert_int_equal(gossip_run(node.gossip), GOSSIP_OK);
    expect(&node, GOSSIP_OK, 1, false);
    publish(&node, "k", "x", GOSSIP_OK, 2, false); /* Its zeros are part of a key. */
    end(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_memory), cmocka_unit_test(test_on_disk),
        cmocka_unit_test(test_one_batch), cmocka_unit_test(test_crashes),
        cmocka_unit_test(test_limits),
    };

    virtual_disk_install(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
