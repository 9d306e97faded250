/* Many events with one request of the local API. */
#include "tests/api_world.h"

static struct api_response post_lines(struct node *node, const char *data, size_t size,
                                      enum form form)
{
    struct arguments arguments = {{"lines", NULL}, {"1", NULL}};
    struct api_response response;

    api_handle(node->api,
               &(struct api_request){.method = "POST",
                                     .path = "/v1/events",
                                     .argument = find_argument,
                                     .context = &arguments,
                                     .body = data,
                                     .size = size,
                                     .plain = form == PLAIN},
               &response);
    return response;
}

/* Runs the node and gives it all results. */
static void take_results(struct node *node, struct api_response *response, enum form form)
{
    struct gossip_result result;
    bool answered = false;

    assert_int_equal(gossip_run(node->gossip), GOSSIP_OK);
    for (size_t i = 0; i < response->ticket_count && !answered; i++) {
        assert_int_equal(gossip_result_pop(node->gossip, &result), 1);
        answered = api_result(node->api, &result, form == PLAIN, response);
    }
    assert_true(answered);
    assert_int_equal(gossip_result_pop(node->gossip, &result), 0);
}

static void assert_lines(struct node *node, const char *data, size_t size, enum form form,
                         int status, int exit_code, const char *body)
{
    struct api_response response = post_lines(node, data, size, form);

    assert_true(response.pending);
    take_results(node, &response, form);
    assert_answer(response, status, exit_code, body);
}

static void assert_payloads(struct node *node, const char *const *payloads, size_t count)
{
    struct gossip_log *log;
    struct gossip_event event;

    assert_int_equal(gossip_log_open(node->gossip, GOSSIP_LOG_EVENTS, &log), GOSSIP_OK);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(gossip_log_next(log, &event), 1);
        assert_int_equal(event.size, strlen(payloads[i]));
        assert_memory_equal(event.data, payloads[i], event.size);
    }
    assert_int_equal(gossip_log_next(log, &event), 0);
    gossip_log_close(log);
}

/* Lines are taken byte for byte; an empty one is an event; the last needs no end. */
static void test_what_a_line_is(void **state)
{
    static const char *const payloads[] = {"a", "", "b\r", "c d", "", "e"};
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    struct api_response response;

    (void)state;
    assert_lines(node, "a\n\nb\r\nc d", 9, PLAIN, 200, EXIT_OK, "n1:1\nn1:2\nn1:3\nn1:4\n");
    assert_lines(node, "\ne\n", 3, JSON, 200, EXIT_OK, "{\"dot\":\"n1:5\"}\n{\"dot\":\"n1:6\"}\n");
    assert_payloads(node, payloads, 6);
    /* No line at all: nothing to wait for. */
    response = post_lines(node, NULL, 0, JSON);
    assert_false(response.pending);
    assert_int_equal(response.status, 200);
    assert_int_equal(response.body.size, 0);
    api_response_clear(&response);
    destroy_world(world);
}

static void test_one_commit(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    struct gossip_stats before;
    struct gossip_stats after;
    struct api_response response;
    char data[2 * 500];

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = i % 2 ? '\n' : 'x';
    gossip_stats(node->gossip, &before);
    response = post_lines(node, data, sizeof(data), JSON);
    take_results(node, &response, JSON);
    gossip_stats(node->gossip, &after);
    assert_int_equal(response.status, 200);
    assert_true(after.commits == before.commits + 1);
    assert_true(after.published == before.published + 500);
    api_response_clear(&response);
    destroy_world(world);
}

/* What comes before a line that is too large is written, and nothing after it. */
static void test_line_too_large(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    char data[2 + PAYLOAD_MAX + 1 + PAYLOAD_MAX + 1 + 1 + 2];
    static const char refusal[] =
        "{\"error\":\"the payload is larger than 1000 bytes\",\"hint\":\"publish less at once, or "
        "start the node with a greater --payload-max\",\"line\":";
    char expected[512];

    (void)state;
    memset(data, 'x', sizeof(data));
    data[1] = data[2 + PAYLOAD_MAX] = data[2 + PAYLOAD_MAX + 1 + PAYLOAD_MAX + 1] = '\n';
    snprintf(expected, sizeof(expected), "n1:1\nn1:2\n%s3}\n", refusal);
    assert_lines(node, data, sizeof(data), PLAIN, 413, EXIT_NO, expected);
    snprintf(expected, sizeof(expected), "%s1}\n", refusal);
    assert_answer(post_lines(node, data + 2 + PAYLOAD_MAX + 1, PAYLOAD_MAX + 4, JSON), 413, EXIT_NO,
                  expected);
    assert_true(count_events(node) == 2);
    destroy_world(world);
}

static void test_request_too_large(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    static char data[API_LINES_MAX + 1];
    struct api_response response;

    (void)state;
    memset(data, '\n', sizeof(data));
    assert_error(post_lines(node, data, sizeof(data), JSON), 413, EXIT_NO, "none was written");
    assert_error(post_lines(node, NULL, API_BODY_MAX + 1, JSON), 413, EXIT_NO, "none was written");
    assert_true(count_events(node) == 0);
    response = post_lines(node, data, API_LINES_MAX, JSON);
    take_results(node, &response, JSON);
    assert_int_equal(response.status, 200);
    assert_true(count_events(node) == API_LINES_MAX);
    api_response_clear(&response);
    destroy_world(world);
}

/* Of each line its own result is told, also where the node ends before all are there. */
static void test_results_that_fail(void **state)
{
    static const char unknown[] =
        "{\"error\":\"the node ended before it could tell whether the event was written\","
        "\"hint\":\"start it again and look with `gossip log`\",\"line\":";
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    struct api_response response = post_lines(node, "a\nb\nc", 5, PLAIN);
    struct gossip_result result;
    char expected[512];

    (void)state;
    assert_int_equal(gossip_run(node->gossip), GOSSIP_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(gossip_result_pop(node->gossip, &result), 1);
        if (i == 1)
            result.error = GOSSIP_ERR_FULL;
        assert_int_equal(api_result(node->api, &result, true, &response), i == 2);
    }
    assert_answer(response, 507, EXIT_NO,
                  "n1:1\n{\"error\":\"the disk is full; the event was not written\",\"hint\":"
                  "\"free some space; the node then goes on by itself\",\"line\":2}\nn1:3\n");

    response = post_lines(node, "a\nb\nc", 5, PLAIN);
    assert_int_equal(gossip_run(node->gossip), GOSSIP_OK);
    assert_int_equal(gossip_result_pop(node->gossip, &result), 1);
    assert_false(api_result(node->api, &result, true, &response));
    api_give_up(&response, true);
    snprintf(expected, sizeof(expected), "n1:4\n%s2}\n%s3}\n", unknown, unknown);
    assert_answer(response, 500, EXIT_INPUT_OUTPUT, expected);
    while (gossip_result_pop(node->gossip, &result) == 1)
        ;
    api_refuse_publications(node->api);
    assert_error(post_lines(node, "x", 1, JSON), 503, EXIT_NO_NODE, "the event was not written");
    destroy_world(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_line_is),    cmocka_unit_test(test_one_commit),
        cmocka_unit_test(test_line_too_large),    cmocka_unit_test(test_request_too_large),
        cmocka_unit_test(test_results_that_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
