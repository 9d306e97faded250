/* Faults as they are written, and the request that sets them. */
#include "cmd/fault_lines.h"

#include "tests/api_world.h"

#include "gossip/gossip.h"

static void test_lines(void **state)
{
    static const char text[] = "# a comment\n\nin * cut\n"
                               "\tout 127.0.0.1 loss 0.25% latency 20ms\r\n"
                               "both [::1]:7002 duplicate 100% jitter 2s";
    struct fault faults[FAULTS_MAX];
    struct text explanation = {0};
    size_t count;

    (void)state;
    assert_true(fault_lines_read(text, strlen(text), faults, &count, &explanation));
    assert_int_equal(count, 3);
    assert_true(faults[0].is_any_peer && faults[0].is_in && !faults[0].is_out && faults[0].is_cut);
    assert_true(!faults[1].is_any_peer && !faults[1].is_in && faults[1].is_out);
    assert_int_equal(faults[1].peer.port, 0);
    assert_int_equal(faults[1].peer.ip[12], 127);
    assert_int_equal(faults[1].loss_ppm, 2500);
    assert_int_equal(faults[1].latency_ms, 20);
    assert_true(faults[2].is_in && faults[2].is_out && !faults[2].is_cut);
    assert_int_equal(faults[2].peer.port, 7002);
    assert_int_equal(faults[2].duplicate_ppm, 1000000);
    assert_int_equal(faults[2].jitter_ms, 2000);
    assert_true(fault_lines_read(NULL, 0, faults, &count, &explanation));
    assert_int_equal(count, 0);
    assert_null(explanation.data);
}

static void test_bad_lines(void **state)
{
    static const char *const lines[] = {
        "off * cut",
        "in",
        "in example.org cut",
        "in 127.0.0.1:70000 cut",
        "in 1.2.3 cut",
        "in [::1 cut",
        "in * cutt",
        "in * loss",
        "in * loss 5",
        "in * loss 101%",
        "in * loss 100.1%",
        "in * loss -1%",
        "in * loss 1.%",
        "in * latency 20",
        "in * latency 61s",
        "in * latency 60001ms",
        "in * latency 99999999999s",
        "in * jitter ms",
        "in * duplicate 1ms",
        "in * burst 1%",
    };
    struct fault faults[FAULTS_MAX];
    char line[512];
    struct text many = {0};
    size_t count;

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct text explanation = {0};

        snprintf(line, sizeof(line), "in * cut\n%s\n", lines[i]);
        assert_false(fault_lines_read(line, strlen(line), faults, &count, &explanation));
        assert_non_null(explanation.data);
        assert_memory_equal(explanation.data, "line 2: found ", 14);
        assert_non_null(strstr(explanation.data, ", expected "));
        text_clear(&explanation);
    }
    for (size_t i = 0; i <= FAULTS_MAX; i++) {
        struct text explanation = {0};

        text_add(&many, "in * cut\n");
        assert_int_equal(fault_lines_read(many.data, many.size, faults, &count, &explanation),
                         i < FAULTS_MAX);
        text_clear(&explanation);
    }
    text_clear(&many);
    /* No line is so long, and none is binary. */
    for (int filler = 0; filler < 2; filler++) {
        struct text explanation = {0};

        memset(line, filler ? ' ' : '\0', sizeof(line));
        assert_false(fault_lines_read(line, sizeof(line), faults, &count, &explanation));
        text_clear(&explanation);
    }
}

static void test_request(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    struct api *api;
    struct gossip_transport *faults;
    struct api_request asked = {.method = "POST", .path = "/v1/faults"};
    struct api_response response;

    (void)state;
    /* No node takes them that was not started for it. */
    api_handle(node->api, &asked, &response);
    assert_error(response, 403, EXIT_PERMISSION, "--allow-faults");

    assert_int_equal(faults_open(&world->queues[0].base, &world->time.base, &faults), GOSSIP_OK);
    assert_int_equal(api_create(&(struct api_options){.gossip = node->gossip,
                                                      .identity = node->identity,
                                                      .faults = faults},
                                &api),
                     GOSSIP_OK);
    asked.body = "in * cut\n";
    asked.size = 9;
    api_handle(api, &asked, &response);
    assert_answer(response, 200, EXIT_OK,
                  "{\"faults\":1,\"cut\":0,\"lost\":0,\"duplicated\":0,\"delayed\":0,"
                  "\"overflowed\":0}\n");
    asked.body = "in * nonsense\n";
    asked.size = 14;
    api_handle(api, &asked, &response);
    assert_error(response, 400, EXIT_USAGE, "line 1: found nonsense, expected cut");
    asked.body = NULL;
    asked.size = 123456789;
    api_handle(api, &asked, &response);
    assert_error(response, 413, EXIT_NO, "larger than");
    asked.size = 0;
    asked.plain = true;
    api_handle(api, &asked, &response);
    assert_answer(response, 200, EXIT_OK,
                  "{\"faults\":0,\"cut\":0,\"lost\":0,\"duplicated\":0,\"delayed\":0,"
                  "\"overflowed\":0}\n");
    api_destroy(api);
    faults->ops->close(faults);
    destroy_world(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
