/* Whether a node is well and ready, and its figures, as the local API tells them. */
#include "tests/api_world.h"

#define TEXT_TYPE "text/plain; charset=utf-8"

static void assert_probe(struct node *node, const char *path, int status, const char *body)
{
    struct api_response response = request(node, "GET", path, none, JSON);

    assert_non_null(response.type);
    assert_string_equal(response.type, TEXT_TYPE);
    assert_answer(response, status, status == 200 ? 0 : 1, body);
}

/* The figure of a metric with its labels, as they are written. */
static unsigned long long figure(struct node *node, const char *metric)
{
    struct api_response response = request(node, "GET", "/metrics", none, JSON);
    unsigned long long number = 0;
    char start[128];
    const char *line;

    assert_int_equal(response.status, 200);
    assert_string_equal(response.type, "text/plain; version=0.0.4; charset=utf-8");
    snprintf(start, sizeof(start), "\n%s ", metric);
    line = strstr(response.body.data, start);
    if (!line)
        fail_msg("%s is not in %s", metric, response.body.data);
    assert_int_equal(sscanf(line + strlen(start), "%llu", &number), 1);
    api_response_clear(&response);
    return number;
}

/* Ends the first node and starts it again over its store. */
static void restart(struct world *world)
{
    struct node *node = &world->nodes[0];

    api_destroy(node->api);
    gossip_destroy(node->gossip);
    assert_int_equal(gossip_create(&(struct gossip_options){.size = sizeof(struct gossip_options),
                                                            .store = node->store,
                                                            .transport = &world->queues[0].base,
                                                            .time = &world->time.base,
                                                            .identity = node->identity,
                                                            .joins = &world->queues[1].address,
                                                            .join_count = 1},
                                   &node->gossip),
                     GOSSIP_OK);
    assert_int_equal(api_create(&(struct api_options){.gossip = node->gossip,
                                                      .identity = node->identity,
                                                      .transport = &world->queues[0].base},
                                &node->api),
                     GOSSIP_OK);
}

static void test_start(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];

    (void)state;
    publish_text(node, "a");
    converge(world, 1);
    world->queues[1].cut = true;
    restart(world); /* It has met somebody, who may know more of it than its store does. */
    run_world(world);
    assert_probe(node, "/healthz", 200, "ok\n");
    assert_probe(node, "/readyz", 503,
                 "asking: no other node is reached yet that could tell what it holds of this one's "
                 "events; in 10 s this one goes on without\n");
    assert_int_equal(figure(node, "gossip_ready"), 0);
    assert_int_equal(figure(node, "gossip_start_state{state=\"asking\"}"), 1);
    assert_int_equal(figure(node, "gossip_start_state{state=\"ready\"}"), 0);
    assert_int_equal(figure(node, "gossip_problem{problem=\"waiting\"}"), 1);
    world->time.ms += 11000;
    run_world(world);
    assert_probe(node, "/readyz", 200, "ready\n");
    assert_int_equal(figure(node, "gossip_ready"), 1);
    assert_int_equal(figure(node, "gossip_start_state{state=\"ready\"}"), 1);
    assert_int_equal(figure(node, "gossip_problem{problem=\"waiting\"}"), 0);
    destroy_world(world);
}

/* A node that ends is well to its end, and no longer ready. */
static void test_end(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct api_response response;

    (void)state;
    world->time.ms += 11000;
    run_world(world);
    response = request(&world->nodes[0], "POST", "/v1/stop", none, JSON);
    api_response_clear(&response);
    api_refuse_publications(world->nodes[1].api);
    for (size_t i = 0; i < NODES; i++) {
        assert_probe(&world->nodes[i], "/healthz", 200, "ok\n");
        assert_probe(&world->nodes[i], "/readyz", 503, "stopping: the node ends\n");
        assert_int_equal(figure(&world->nodes[i], "gossip_ready"), 0);
    }
    destroy_world(world);
}

/* One whose store has failed says so, where it can answer nothing else. */
static void test_failed(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    struct text failed = {0};

    (void)state;
    api_fail(node->api, GOSSIP_ERR_IO);
    text_print(&failed, "failed: %s; the node's log tells more\n", gossip_strerror(GOSSIP_ERR_IO));
    assert_probe(node, "/healthz", 503, failed.data);
    assert_probe(node, "/readyz", 503, failed.data);
    assert_error(request(node, "GET", "/metrics", none, JSON), 500, 74, "store");
    text_clear(&failed);
    destroy_world(world);
}

static void test_methods(void **state)
{
    static const char *const paths[] = {"/healthz", "/readyz", "/metrics"};
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];

    (void)state;
    world->time.ms += 11000;
    run_world(world);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct api_response response = request(node, "HEAD", paths[i], none, PLAIN);

        assert_int_equal(response.status, 200);
        api_response_clear(&response);
        response = request(node, "POST", paths[i], none, JSON);
        assert_string_equal(response.allow, "GET, HEAD");
        assert_error(response, 405, 2, "method");
    }
    destroy_world(world);
}

/* Who is told of the node's health alone gets nothing else, whatever has become of the node. */
static void test_probes_alone(void **state)
{
    static const struct {
        const char *method;
        const char *path;
        int status;
        const char *part;
    } cases[] = {
        {"GET", "/healthz", 200, "ok\n"},
        {"HEAD", "/readyz", 200, "ready\n"},
        {"GET", "/metrics", 200, "gossip_ready 1\n"},
        {"POST", "/metrics", 405, "method"},
        {"GET", "/", 404, "nothing"},
        {"GET", "/healthz/", 404, "nothing"},
        {"GET", "/Metrics", 404, "nothing"},
        {"GET", "", 404, "nothing"},
        {"GET", "/v1/status", 404, "nothing"},
        {"GET", "/v1/watch", 404, "nothing"},
        {"POST", "/v1/events", 404, "nothing"},
        {"POST", "/v1/stop", 404, "nothing"},
    };
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];

    (void)state;
    world->time.ms += 11000;
    run_world(world);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct api_response response;

        api_handle_probe(
            node->api,
            &(struct api_request){
                .method = cases[i].method, .path = cases[i].path, .body = "x", .size = 1},
            &response);
        assert_int_equal(response.status, cases[i].status);
        assert_false(response.pending);
        assert_null(response.stream);
        assert_non_null(strstr(response.body.data, cases[i].part));
        api_response_clear(&response);
    }
    assert_false(api_stop_asked(node->api));
    assert_int_equal(count_events(node), 0);
    destroy_world(world);
}

static void test_figures(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    unsigned long long accepted;

    (void)state;
    converge(world, 0);
    world->time.ms += 11000;
    run_world(world);
    publish_text(node, "a");
    publish_text(node, "b");
    publish_text(&world->nodes[1], "c");
    converge(world, 3);
    assert_int_equal(figure(node, "gossip_boot"), 1);
    assert_int_equal(figure(node, "gossip_events_published_total"), 2);
    assert_int_equal(figure(node, "gossip_events_delivered_total"), 1);
    assert_int_equal(figure(node, "gossip_clock_authors"), 2);
    assert_int_equal(figure(node, "gossip_clock_events"), 3);
    assert_int_equal(figure(node, "gossip_signed_records"), 2);
    assert_int_equal(figure(node, "gossip_peers{state=\"alive\"}"), 1);
    assert_int_equal(figure(node, "gossip_peers{state=\"silent\"}"), 0);
    accepted = figure(node, "gossip_datagrams_received_total{verdict=\"accepted\"}");
    assert_true(accepted > 0);
    assert_true(figure(node, "gossip_received_bytes_total") > accepted);
    assert_true(figure(node, "gossip_datagrams_sent_total") > 0);
    destroy_world(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start),   cmocka_unit_test(test_end),
        cmocka_unit_test(test_failed),  cmocka_unit_test(test_methods),
        cmocka_unit_test(test_figures), cmocka_unit_test(test_probes_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
