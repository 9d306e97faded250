/* The local API: its requests, and its answers. */
#include "tests/api_world.h"

#include "cmd/token.h"

static void test_publish(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    struct api_response response = post_event(node, "hello", 5);
    struct gossip_result result;

    (void)state;
    /* Neither answered nor visible before it is durable. */
    assert_true(response.pending);
    assert_int_equal(response.status, 0);
    assert_null(response.body.data);
    assert_int_equal(gossip_result_pop(node->gossip, &result), 0);
    assert_answer(request(node, "GET", "/v1/clock", none, JSON), 200, EXIT_OK,
                  "{\"node\":\"n1\",\"clock\":{}}\n");

    assert_int_equal(gossip_run(node->gossip), GOSSIP_OK);
    assert_int_equal(gossip_result_pop(node->gossip, &result), 1);
    assert_true(result.ticket == response.ticket);
    api_result(node->api, &result, false, &response);
    assert_answer(response, 200, EXIT_OK, "{\"dot\":\"n1:1\"}\n");
    assert_answer(request(node, "GET", "/v1/clock", none, JSON), 200, EXIT_OK,
                  "{\"node\":\"n1\",\"clock\":{\"n1\":1}}\n");
    assert_answer(request(node, "GET", "/v1/clock", none, PLAIN), 200, EXIT_OK, "{n1:1}\n");
    assert_answer(publish(node, "", 0, PLAIN), 200, EXIT_OK, "n1:2\n");
    destroy_world(world);
}

static void test_requests_share_a_commit(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    struct gossip_stats before;
    struct gossip_stats after;
    struct gossip_result result;

    (void)state;
    gossip_stats(node->gossip, &before);
    for (int i = 0; i < 10; i++) {
        struct api_response response = post_event(node, "x", 1);

        assert_true(response.pending);
    }
    assert_int_equal(gossip_run(node->gossip), GOSSIP_OK);
    gossip_stats(node->gossip, &after);
    assert_int_equal(after.commits - before.commits, 1);
    for (uint64_t i = 1; i <= 10; i++) {
        assert_int_equal(gossip_result_pop(node->gossip, &result), 1);
        assert_int_equal(result.error, GOSSIP_OK);
        assert_true(result.dot.seq == i);
    }
    destroy_world(world);
}

static void test_payload_limit(void **state)
{
    static const char data[PAYLOAD_MAX + 1];
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];

    (void)state;
    assert_answer(publish(node, data, PAYLOAD_MAX, JSON), 200, EXIT_OK, "{\"dot\":\"n1:1\"}\n");
    assert_error(post_event(node, data, PAYLOAD_MAX + 1), 413, EXIT_NO, "larger than 1000 bytes");
    assert_error(post_event(node, NULL, 123456789), 413, EXIT_NO, "larger than 1000 bytes");
    assert_true(count_events(node) == 1);
    destroy_world(world);
}

/* What a result that is no event looks like. */
static void test_results_that_fail(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    struct api_response response = {0};

    (void)state;
    api_result(node->api, &(struct gossip_result){.error = GOSSIP_ERR_FULL}, false, &response);
    assert_error(response, 507, EXIT_NO, "the disk is full; the event was not written");
    api_result(node->api, &(struct gossip_result){.error = GOSSIP_ERR_LIMIT}, true, &response);
    assert_error(response, 507, EXIT_NO, "the event was not written");
    api_result(node->api, &(struct gossip_result){.error = GOSSIP_ERR_INVALID}, true, &response);
    assert_error(response, 500, EXIT_NO, "the event was not written");
    api_give_up(&response, false);
    assert_error(response, 500, EXIT_INPUT_OUTPUT, "before it could tell whether");
    destroy_world(world);
}

static void test_log(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    struct text whole = {0};
    struct api_response response;

    (void)state;
    publish_text(node, "add \"Book\"");
    world->time.ms += 1000;
    publish_text(node, "\x1b[31mcaf\xc3\xa9");
    world->time.ms += 1000;
    response = publish(node, "\0\xff", 2, JSON);
    api_response_clear(&response);

    read_log(node, none, JSON, 4096, &whole);
    assert_string_equal(
        whole.data, "{\"dot\":\"n1:1\",\"author\":\"n1\",\"seq\":1,\"clock\":{\"n1\":1},"
                    "\"time\":\"2026-01-02T03:04:05.678Z\",\"hlc\":\"019b7ca98f2e0000\","
                    "\"hash\":\"1863faabaefb1d5c09905c8c25f3599661d6e13a43b19430d0620c6516d9d911\","
                    "\"data\":\"add \\\"Book\\\"\"}\n"
                    "{\"dot\":\"n1:2\",\"author\":\"n1\",\"seq\":2,\"clock\":{\"n1\":2},"
                    "\"time\":\"2026-01-02T03:04:06.678Z\",\"hlc\":\"019b7ca993160000\","
                    "\"hash\":\"461d8e801a8e366795ccc3a32b1676e1d1b7add262c73c7651ca8dc848f78bf4\","
                    "\"data\":\"\\u001B[31mcaf\\u00E9\"}\n"
                    "{\"dot\":\"n1:3\",\"author\":\"n1\",\"seq\":3,\"clock\":{\"n1\":3},"
                    "\"time\":\"2026-01-02T03:04:07.678Z\",\"hlc\":\"019b7ca996fe0000\","
                    "\"hash\":\"2a22aeb04eecece8320ba9a56eb87945606cece9a8108d4a96ead8380e88582b\","
                    "\"data_base64\":\"AP8=\"}\n");
    for (size_t step = 1; step < 300; step += 37) {
        struct text pieces = {0};

        read_log(node, none, JSON, step, &pieces);
        assert_string_equal(pieces.data, whole.data);
        text_clear(&pieces);
    }
    text_clear(&whole);

    read_log(node, none, PLAIN, 4096, &whole);
    assert_string_equal(whole.data, "2026-01-02T03:04:05.678Z  n1:1  {n1:1}  add \"Book\"\n"
                                    "2026-01-02T03:04:06.678Z  n1:2  {n1:2}  \\x1b[31mcaf\xc3\xa9\n"
                                    "2026-01-02T03:04:07.678Z  n1:3  {n1:3}  \\x00\\xff\n");
    text_clear(&whole);
    destroy_world(world);
}

/* Each reader of the log has its own, and sees what was there when it asked. */
static void test_several_logs(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    struct api_response first;
    struct text text = {0};
    char buffer[4096];
    int size;

    (void)state;
    publish_text(node, "x");
    first = request(node, "GET", "/v1/log", none, JSON);
    assert_int_equal(first.status, 200);
    publish_text(node, "y"); /* All else goes on. */
    read_log(node, none, JSON, 4096, &text);
    assert_non_null(strstr(text.data, "\"data\":\"x\""));
    assert_non_null(strstr(text.data, "\"data\":\"y\""));
    text_clear(&text);
    size = api_stream_read(first.stream, buffer, sizeof(buffer) - 1);
    assert_true(size > 0);
    buffer[size] = '\0';
    assert_non_null(strstr(buffer, "\"data\":\"x\""));
    assert_null(strstr(buffer, "\"data\":\"y\""));
    api_response_clear(&first);
    destroy_world(world);
}

/* After a failed commit nobody is shown what may not be stored. */
static void test_failed_node(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];

    (void)state;
    publish_text(node, "x");
    api_fail(node->api, GOSSIP_ERR_IO);
    assert_error(request(node, "GET", "/v1/clock", none, JSON), 500, EXIT_INPUT_OUTPUT, "store");
    assert_error(request(node, "GET", "/v1/log", none, JSON), 500, EXIT_INPUT_OUTPUT, "store");
    assert_error(post_event(node, "y", 1), 500, EXIT_INPUT_OUTPUT, "store");
    destroy_world(world);
}

static void test_long_log(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    struct text text = {0};
    uint64_t lines = 0;

    (void)state;
    for (int i = 0; i < 500; i++) {
        char data[32];

        snprintf(data, sizeof(data), "event %d", i);
        publish_text(node, data);
    }
    read_log(node, none, JSON, 1000, &text);
    for (const char *line = text.data; *line; line = strchr(line, '\n') + 1) {
        char start[32];

        snprintf(start, sizeof(start), "{\"dot\":\"n1:%d\",", (int)++lines);
        assert_memory_equal(line, start, strlen(start));
    }
    assert_true(lines == 500);
    text_clear(&text);
    destroy_world(world);
}

/* n1 and n2 write apart, then n2 writes having seen n1's. */
static void test_relations(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        const char *json;
        const char *plain;
    } cases[] = {
        {"n1:1", "n2:1", "{\"a\":\"n1:1\",\"b\":\"n2:1\",\"relation\":\"concurrent\"}\n",
         "n1:1 concurrent n2:1: neither author had seen the other's event\n"},
        {"n1:1", "n2:2", "{\"a\":\"n1:1\",\"b\":\"n2:2\",\"relation\":\"before\"}\n",
         "n1:1 before n2:2: when n2:2 was written, its author had seen n1:2\n"},
        {"n2:2", "n1:2", "{\"a\":\"n2:2\",\"b\":\"n1:2\",\"relation\":\"after\"}\n",
         "n2:2 after n1:2: when n2:2 was written, its author had seen n1:2\n"},
        {"n2:1", "n2:2", "{\"a\":\"n2:1\",\"b\":\"n2:2\",\"relation\":\"before\"}\n",
         "n2:1 before n2:2: both are of one author, who wrote n2:1 first\n"},
        {"n2:2", "n2:2", "{\"a\":\"n2:2\",\"b\":\"n2:2\",\"relation\":\"equal\"}\n",
         "n2:2 equal n2:2: they are the same event\n"},
    };
    struct world *world = make_world("n1", "n2");
    struct text logs[NODES] = {{0}};

    (void)state;
    publish_text(&world->nodes[0], "one");
    publish_text(&world->nodes[0], "two");
    publish_text(&world->nodes[1], "apart");
    converge(world, 3);
    publish_text(&world->nodes[1], "together");
    converge(world, 4);
    for (size_t n = 0; n < NODES; n++) {
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct arguments dots = pair(cases[i].a, cases[i].b);

            assert_answer(request(&world->nodes[n], "GET", "/v1/relation", dots, JSON), 200,
                          EXIT_OK, cases[i].json);
            assert_answer(request(&world->nodes[n], "GET", "/v1/relation", dots, PLAIN), 200,
                          EXIT_OK, cases[i].plain);
        }
        read_log(&world->nodes[n], none, JSON, 4096, &logs[n]);
    }
    /* In step, both show the same log. */
    assert_string_equal(logs[0].data, logs[1].data);
    assert_non_null(strstr(logs[0].data, "{\"dot\":\"n2:2\",\"author\":\"n2\",\"seq\":2,"
                                         "\"clock\":{\"n1\":2,\"n2\":2},"));
    assert_answer(request(&world->nodes[1], "GET", "/v1/clock", none, JSON), 200, EXIT_OK,
                  "{\"node\":\"n2\",\"clock\":{\"n1\":2,\"n2\":2}}\n");
    assert_clock_is_read(&world->nodes[1]);
    for (size_t n = 0; n < NODES; n++)
        text_clear(&logs[n]);
    destroy_world(world);
}

/* Two nodes of one name: every name that is shown can be asked for, and n1 alone is refused. */
static void test_same_name(void **state)
{
    struct world *world = make_world("n1", "n1");
    struct node *node = &world->nodes[0];
    struct api_response response;
    char dots[NODES][64];

    (void)state;
    publish_text(&world->nodes[0], "one");
    publish_text(&world->nodes[1], "two");
    converge(world, 2);
    for (size_t i = 0; i < NODES; i++) {
        response = publish(&world->nodes[i], "more", 4, PLAIN);
        assert_int_equal(response.status, 200);
        assert_memory_equal(response.body.data, "n1#", 3);
        snprintf(dots[i], sizeof(dots[i]), "%s", response.body.data);
        dots[i][strcspn(dots[i], "\n")] = '\0';
        assert_non_null(strstr(dots[i], ":2"));
        api_response_clear(&response);
    }
    assert_string_not_equal(dots[0], dots[1]);
    converge(world, 4);
    response = request(node, "GET", "/v1/relation", pair(dots[0], dots[1]), JSON);
    assert_int_equal(response.status, 200);
    assert_non_null(strstr(response.body.data, "\"relation\":\"concurrent\""));
    api_response_clear(&response);
    assert_error(request(node, "GET", "/v1/relation", pair("n1:1", dots[1]), JSON), 400, EXIT_USAGE,
                 "2 authors are called n1, say which: n1#");
    destroy_world(world);
}

static void test_errors(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    struct api_response response;

    (void)state;
    publish_text(node, "x");
    assert_error(request(node, "GET", "/", none, JSON), 404, EXIT_USAGE, "nothing at this path");
    assert_error(request(node, "GET", "/v1/clock/", none, JSON), 404, EXIT_USAGE, "nothing");
    assert_error(request(node, "GET", "/v1/relation", none, JSON), 400, EXIT_USAGE,
                 "two events are needed");
    assert_error(request(node, "GET", "/v1/relation", pair("n1:1", "n1"), PLAIN), 400, EXIT_USAGE,
                 "looks like n1:3");
    assert_error(request(node, "GET", "/v1/relation", pair("n1:1", "n7:1"), JSON), 404, EXIT_NO,
                 "no author is called n7 here");
    assert_error(request(node, "GET", "/v1/relation", pair("n1:1", "n1:2"), JSON), 404, EXIT_NO,
                 "n1:2 is not here: of n1 this node has 1");
    assert_error(request(node, "POST", "/v1/backup", none, JSON), 400, EXIT_USAGE,
                 "the whole path of a file");
    assert_error(request(node, "GET", "/v1/backup", none, JSON), 404, EXIT_NO, "no backup");
    assert_error(request(node, "GET", "/v1/proof", none, JSON), 400, EXIT_USAGE, "id of a proof");
    response = request(node, "POST", "/v1/clock", none, JSON);
    assert_string_equal(response.allow, "GET");
    assert_error(response, 405, EXIT_USAGE, "method");
    response = request(node, "GET", "/v1/events", none, JSON);
    assert_string_equal(response.allow, "POST");
    assert_error(response, 405, EXIT_USAGE, "method");
    destroy_world(world);
}

static void test_status_and_peers(void **state)
{
    static const char *const parts[] = {
        "{\"node\":\"n1\",\"version\":\"",
        "\"address\":\"127.0.0.1:7001\",\"boot\":1,\"clock\":{\"n1\":1,\"n2\":1}",
        "\"read_only\":false,\"start\":{\"state\":\"ready\",\"evidence\":[],\"asked\":0,"
        "\"answered\":0,"
        "\"left_ms\":0},\"standing\":\"member\",\"epochs\":[{\"author\":\"n1\",\"epoch\":\"",
        "\",\"have\":1,\"open\":true}],\"cuts\":[],\"held\":[],\"peers\":{\"known\":1,\"alive\":1,",
        "\"datagrams\":{\"accepted\":",
        "\"counters\":{\"published\":1,\"delivered\":1,",
    };
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    struct api_response response;

    (void)state;
    publish_text(&world->nodes[0], "x");
    publish_text(&world->nodes[1], "y");
    converge(world, 2);
    response = request(node, "GET", "/v1/status", none, JSON);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (!strstr(response.body.data, parts[i]))
            fail_msg("%s is not in %s", parts[i], response.body.data);
    api_response_clear(&response);
    response = request(node, "GET", "/v1/status", none, PLAIN);
    assert_non_null(strstr(response.body.data, "clock        {n1:1 n2:1}\n"));
    api_response_clear(&response);
    assert_answer(
        request(node, "GET", "/v1/start", none, JSON), 200, EXIT_OK,
        "{\"state\":\"ready\",\"evidence\":[],\"asked\":0,\"answered\":0,\"left_ms\":0}\n");
    assert_answer(request(node, "GET", "/v1/start", none, PLAIN), 200, EXIT_OK, "ready\n");
    response = request(node, "GET", "/v1/peers", none, JSON);
    assert_memory_equal(response.body.data, "{\"name\":\"n2\",\"key\":\"", 20);
    assert_non_null(
        strstr(response.body.data,
               "\"address\":\"127.0.0.1:7002\",\"state\":\"alive\",\"standing\":\"member\","));
    assert_string_equal(strchr(response.body.data, '\n'), "\n");
    api_response_clear(&response);
    response = request(node, "GET", "/v1/peers", none, PLAIN);
    assert_memory_equal(response.body.data, "NAME", 4);
    assert_non_null(strstr(response.body.data, "\nn2 "));
    api_response_clear(&response);
    destroy_world(world);
}

/* Any number of readers follow, each by a number of its own. */
static void test_events_after(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct gossip *gossip = world->nodes[0].gossip;
    struct gossip_event event;
    uint64_t after = 0;

    (void)state;
    assert_true(gossip_last_delivery(gossip) == 0);
    assert_int_equal(gossip_event_after(gossip, 0, &event), 0);
    publish_text(&world->nodes[0], "a");
    publish_text(&world->nodes[0], "b");
    publish_text(&world->nodes[1], "c");
    converge(world, 3);
    assert_true(gossip_last_delivery(gossip) == 3);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(gossip_event_after(gossip, after, &event), 1);
        assert_true(event.delivery == i);
        assert_int_equal(event.data[0], "abc"[i - 1]);
        after = event.delivery;
    }
    assert_int_equal(gossip_event_after(gossip, after, &event), 0);
    assert_int_equal(gossip_event_after(gossip, UINT64_MAX, &event), 0);
    /* Nothing was taken. */
    assert_int_equal(gossip_event_pop(gossip, &event), 1);
    assert_true(event.delivery == 1);
    assert_int_equal(gossip_event_after(gossip, 0, &event), 1);
    destroy_world(world);
}

/* Nodes that hold the same give the same token, whoever wrote first. */
static void test_tokens(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct arguments token = {{"token", NULL}, {"1", NULL}};
    const uint8_t *cluster = gossip_identity_cluster(world->nodes[0].identity);
    struct text explanation = {0};
    struct token read;
    struct api_response ours;
    struct api_response theirs;

    (void)state;
    publish_text(&world->nodes[0], "a");
    publish_text(&world->nodes[1], "b");
    ours = request(&world->nodes[0], "GET", "/v1/clock", token, PLAIN);
    theirs = request(&world->nodes[1], "GET", "/v1/clock", token, PLAIN);
    assert_string_not_equal(ours.body.data, theirs.body.data);
    api_response_clear(&ours);
    api_response_clear(&theirs);
    converge(world, 2);
    ours = request(&world->nodes[0], "GET", "/v1/clock", token, PLAIN);
    theirs = request(&world->nodes[1], "GET", "/v1/clock", token, PLAIN);
    assert_string_equal(ours.body.data, theirs.body.data);
    ours.body.data[--ours.body.size] = '\0';
    assert_int_equal(token_read(cluster, ours.body.data, &read, &explanation), GOSSIP_OK);
    assert_int_equal(read.count, 2);
    token_clear(&read);
    api_response_clear(&theirs);
    theirs = request(&world->nodes[0], "GET", "/v1/clock", token, JSON);
    assert_non_null(strstr(theirs.body.data, ",\"token\":\""));
    assert_non_null(strstr(theirs.body.data, ours.body.data));
    api_response_clear(&ours);
    api_response_clear(&theirs);
    destroy_world(world);
}

static void test_stop(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];

    (void)state;
    assert_false(api_stop_asked(node->api));
    assert_answer(request(node, "POST", "/v1/stop", none, JSON), 200, EXIT_OK,
                  "{\"stopping\":true}\n");
    assert_true(api_stop_asked(node->api));
    api_refuse_publications(node->api);
    assert_error(post_event(node, "x", 1), 503, EXIT_NO_NODE, "the event was not written");
    assert_answer(request(node, "GET", "/v1/clock", none, PLAIN), 200, EXIT_OK, "{}\n");
    destroy_world(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_publish),       cmocka_unit_test(test_requests_share_a_commit),
        cmocka_unit_test(test_payload_limit), cmocka_unit_test(test_results_that_fail),
        cmocka_unit_test(test_log),           cmocka_unit_test(test_several_logs),
        cmocka_unit_test(test_failed_node),   cmocka_unit_test(test_long_log),
        cmocka_unit_test(test_relations),     cmocka_unit_test(test_same_name),
        cmocka_unit_test(test_errors),        cmocka_unit_test(test_status_and_peers),
        cmocka_unit_test(test_events_after),  cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
