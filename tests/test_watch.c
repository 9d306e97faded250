/* Watching and waiting over the local API. */
#include "tests/api_world.h"

#include <inttypes.h>

enum { LINE_SIZE = 4096 };

static struct arguments after(const char *where)
{
    return (struct arguments){{"after", NULL}, {where, NULL}};
}

static struct api_response watch(struct node *node, struct arguments arguments, enum form form)
{
    struct api_response response = request(node, "GET", "/v1/watch", arguments, form);

    assert_int_equal(response.status, 200);
    assert_non_null(response.stream);
    return response;
}

/* Reads a line; at the end, or where there is none yet, it is empty. */
static void read_line(struct api_stream *stream, char ret_line[LINE_SIZE])
{
    size_t size = 0;
    int count;

    while (size + 1 < LINE_SIZE && (size == 0 || ret_line[size - 1] != '\n')) {
        count = api_stream_read(stream, ret_line + size, 1);
        if (count == API_STREAM_AGAIN)
            continue;
        if (count <= 0)
            break;
        size++;
    }
    ret_line[size] = '\0';
}

/* The field of a line; its value is a string. */
static void read_field(const char *line, const char *name, char ret_value[LINE_SIZE])
{
    char key[32];
    const char *start;

    snprintf(key, sizeof(key), "\"%s\":\"", name);
    start = strstr(line, key);
    if (!start)
        fail_msg("no %s in %s", name, line);
    start += strlen(key);
    snprintf(ret_value, LINE_SIZE, "%.*s", (int)strcspn(start, "\""), start);
}

/* Reads what is there, the data of each event one character. */
static void assert_shows(struct api_stream *stream, const char *data)
{
    char line[LINE_SIZE];
    char shown[LINE_SIZE] = "";
    size_t count = 0;

    for (read_line(stream, line); *line; read_line(stream, line)) {
        char value[LINE_SIZE];

        read_field(line, "data", value);
        shown[count++] = value[0];
    }
    assert_string_equal(shown, data);
}

static void test_follows(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    struct api_response response = watch(node, none, JSON);
    char buffer[16];

    (void)state;
    assert_string_equal(response.type, "application/x-ndjson");
    assert_false(api_stream_is_ready(response.stream));
    assert_int_equal(api_stream_read(response.stream, buffer, 16), API_STREAM_WAITS);
    publish_text(node, "a");
    assert_true(api_stream_is_ready(response.stream));
    assert_shows(response.stream, "a");
    assert_false(api_stream_is_ready(response.stream));
    publish_text(&world->nodes[1], "b");
    converge(world, 2);
    publish_text(node, "c");
    assert_shows(response.stream, "bc");
    /* At the node's end it ends. */
    publish_text(node, "d");
    api_end_streams(node->api);
    assert_true(api_stream_is_ready(response.stream));
    assert_int_equal(api_stream_read(response.stream, buffer, 16), 0);
    api_response_clear(&response);
    destroy_world(world);
}

static void test_count(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    struct api_response response;
    struct arguments two = {{"count", NULL}, {"2", NULL}};
    char buffer[16];

    (void)state;
    publish_text(node, "a");
    response = watch(node, two, JSON);
    assert_shows(response.stream, "a");
    publish_text(node, "b");
    publish_text(node, "c");
    assert_shows(response.stream, "b");
    assert_int_equal(api_stream_read(response.stream, buffer, 16), 0);
    assert_true(api_stream_is_ready(response.stream));
    api_response_clear(&response);
    for (size_t i = 0; i < 5; i++) {
        static const char *const wrong[] = {"0", "", "-1", "1x", "9999999999999999999"};
        struct arguments count = {{"count", NULL}, {wrong[i], NULL}};

        assert_error(request(node, "GET", "/v1/watch", count, JSON), 400, EXIT_USAGE, "count");
    }
    destroy_world(world);
}

/* Each cursor goes on where its line has ended, at the other node too. */
static void test_cursors(void **state)
{
    struct world *world = make_world("n1", "n2");
    char cursors[6][LINE_SIZE];
    struct api_response response;

    (void)state;
    for (int i = 0; i < 3; i++) {
        publish_text(&world->nodes[0], (char[]){"ace"[i], 0});
        publish_text(&world->nodes[1], (char[]){"bdf"[i], 0});
    }
    converge(world, 6);
    for (size_t n = 0; n < NODES; n++) {
        char order[7] = "";

        response = watch(&world->nodes[n], none, JSON);
        for (size_t i = 0; i < 6; i++) {
            char line[LINE_SIZE];
            char data[LINE_SIZE];
            char delivery[32];

            read_line(response.stream, line);
            read_field(line, "data", data);
            read_field(line, "cursor", cursors[i]);
            snprintf(delivery, sizeof(delivery), "\"delivery\":%zu,", i + 1);
            assert_non_null(strstr(line, delivery));
            order[i] = data[0];
        }
        api_response_clear(&response);
        for (size_t i = 0; i < 6; i++) {
            response = watch(&world->nodes[n], after(cursors[i]), JSON);
            assert_null(response.notice.data);
            assert_shows(response.stream, order + i + 1);
            api_response_clear(&response);
            /* The other has another order of delivery, and shows all that is missing. */
            response = watch(&world->nodes[1 - n], after(cursors[i]), JSON);
            assert_null(response.notice.data);
            for (size_t j = i + 1; j < 6; j++) {
                char line[LINE_SIZE];
                char data[LINE_SIZE];

                read_line(response.stream, line);
                read_field(line, "data", data);
                assert_non_null(strchr(order + i + 1, data[0]));
            }
            assert_shows(response.stream, "");
            api_response_clear(&response);
        }
    }
    destroy_world(world);
}

static void test_after_dot(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    struct api_response response;
    char line[LINE_SIZE];
    char cursor[LINE_SIZE];

    (void)state;
    publish_text(node, "a");
    publish_text(&world->nodes[1], "b");
    converge(world, 2);
    publish_text(node, "c");
    publish_text(node, "d");
    response = watch(node, after("n2:1"), JSON);
    read_line(response.stream, line);
    read_field(line, "cursor", cursor);
    assert_shows(response.stream, "d");
    api_response_clear(&response);
    response = watch(node, after(cursor), JSON);
    assert_shows(response.stream, "d");
    api_response_clear(&response);
    assert_error(request(node, "GET", "/v1/watch", after("n2:2"), JSON), 404, EXIT_NO, "n2:2");
    assert_error(request(node, "GET", "/v1/watch", after("n3:1"), JSON), 404, EXIT_NO, "n3");
    assert_error(request(node, "GET", "/v1/watch", after("n2:0"), JSON), 400, EXIT_USAGE, "n2:0");
    destroy_world(world);
}

/* A cursor that does not fit is told, and nothing is passed over for it. */
static void test_cursor_that_does_not_fit(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct world *other = make_world("n1", "n2");
    struct api_response response;
    char line[LINE_SIZE];
    char cursor[LINE_SIZE];

    (void)state;
    publish_text(&world->nodes[0], "a");
    publish_text(&world->nodes[1], "b");
    converge(world, 2);
    publish_text(&world->nodes[0], "c");
    response = watch(&world->nodes[0], none, JSON);
    for (int i = 0; i < 3; i++)
        read_line(response.stream, line);
    read_field(line, "cursor", cursor);
    api_response_clear(&response);
    /* The second node has not got all of it: as a store that was set back. */
    response = watch(&world->nodes[1], after(cursor), JSON);
    assert_non_null(response.notice.data);
    assert_non_null(strstr(response.notice.data, "past n1:2, which this node does not have"));
    assert_shows(response.stream, "a");
    api_response_clear(&response);
    /* The same keys by the same seed, and other events: as a store that was set back unseen. */
    publish_text(&other->nodes[0], "x");
    publish_text(&other->nodes[0], "y");
    publish_text(&other->nodes[0], "z");
    response = watch(&other->nodes[0], after(cursor), JSON);
    assert_non_null(strstr(response.notice.data, "another event of that name"));
    assert_non_null(strstr(response.notice.data, "1 author that this node does not know"));
    assert_shows(response.stream, "xyz");
    api_response_clear(&response);
    cursor[10] = cursor[10] == 'A' ? 'B' : 'A';
    assert_error(request(&world->nodes[0], "GET", "/v1/watch", after(cursor), JSON), 400,
                 EXIT_USAGE, "damaged");
    destroy_world(other);
    destroy_world(world);
}

static void test_text(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    struct arguments cursors = {{"cursors", NULL}, {"1", NULL}};
    struct api_response response;
    char line[LINE_SIZE];
    char with[LINE_SIZE];

    (void)state;
    assert_answer(publish(node, "\x1b[2J\n", 5, PLAIN), 200, EXIT_OK, "n1:1\n");
    response = watch(node, none, PLAIN);
    read_line(response.stream, line);
    assert_non_null(strstr(line, "  n1:1  {n1:1}"));
    assert_non_null(strstr(line, "\\x1b[2J\\n\n"));
    api_response_clear(&response);
    response = watch(node, cursors, PLAIN);
    read_line(response.stream, with);
    assert_memory_equal(with, "c1", 2);
    assert_string_equal(strchr(with, ' ') + 1, line);
    api_response_clear(&response);
    destroy_world(world);
}

/* ---- Waiting. ---- */

static struct api_response wait_for(struct node *node, const char *name, const char *value)
{
    return request(node, "GET", "/v1/wait", (struct arguments){{name, NULL}, {value, NULL}}, JSON);
}

static void read_token(struct node *node, char ret_token[LINE_SIZE])
{
    struct arguments token = {{"token", NULL}, {"1", NULL}};
    struct api_response response = request(node, "GET", "/v1/clock", token, PLAIN);

    snprintf(ret_token, LINE_SIZE, "%.*s", (int)response.body.size - 1, response.body.data);
    api_response_clear(&response);
}

static void test_wait_clock(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct api_response response;
    struct api_response late;
    char token[LINE_SIZE];

    (void)state;
    publish_text(&world->nodes[0], "a");
    publish_text(&world->nodes[0], "b");
    read_token(&world->nodes[0], token);
    assert_answer(wait_for(&world->nodes[0], "clock", token), 200, EXIT_OK,
                  "{\"node\":\"n1\",\"clock\":{\"n1\":2}}\n");
    response = wait_for(&world->nodes[1], "clock", token);
    assert_true(response.pending);
    assert_int_equal(response.timeout_ms, 60000);
    assert_false(api_wait_look(world->nodes[1].api, response.wait, false, &late));
    assert_true(api_wait_look(world->nodes[1].api, response.wait, true, &late));
    assert_error(late, 504, EXIT_TIMED_OUT, "it knows nothing of 1 author");
    converge(world, 2);
    assert_true(api_wait_look(world->nodes[1].api, response.wait, false, &late));
    assert_answer(late, 200, EXIT_OK, "{\"node\":\"n2\",\"clock\":{\"n1\":2}}\n");
    api_response_clear(&response);
    publish_text(&world->nodes[0], "c");
    read_token(&world->nodes[0], token);
    response = wait_for(&world->nodes[1], "clock", token);
    assert_true(api_wait_look(world->nodes[1].api, response.wait, true, &late));
    assert_error(late, 504, EXIT_TIMED_OUT, "of n1 it has 2 and not 3");
    api_response_clear(&response);
    destroy_world(world);
}

static void test_wait_in_step(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    struct api_response response = wait_for(node, "for", "in-step");
    struct api_response done = {0};

    (void)state;
    assert_true(response.pending);
    assert_true(api_wait_look(node->api, response.wait, true, &done));
    assert_error(done, 504, EXIT_TIMED_OUT, "no other node answers");
    done = (struct api_response){0};
    for (int i = 0; i < ROUNDS_MAX && !done.status; i++) {
        run_world(world);
        api_wait_look(node->api, response.wait, false, &done);
    }
    assert_answer(done, 200, EXIT_OK, "{\"in_step\":1}\n");
    api_response_clear(&response);
    /* What was written since then is not known to be anywhere else. */
    publish_text(node, "a");
    response = wait_for(node, "for", "in-step");
    assert_true(response.pending);
    assert_true(api_wait_look(node->api, response.wait, true, &done));
    assert_error(done, 504, EXIT_TIMED_OUT, "of 1 node that answers, 1 is not known");
    done = (struct api_response){0};
    for (int i = 0; i < ROUNDS_MAX && !done.status; i++) {
        run_world(world);
        api_wait_look(node->api, response.wait, false, &done);
    }
    assert_answer(done, 200, EXIT_OK, "{\"in_step\":1}\n");
    assert_true(count_events(&world->nodes[1]) == 1);
    api_response_clear(&response);
    destroy_world(world);
}

static void test_wait_refusals(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    struct arguments both = {{"for", "clock", NULL}, {"in-step", "c1", NULL}};
    struct arguments late = {{"for", "timeout_ms", NULL}, {"in-step", "86400001", NULL}};

    (void)state;
    assert_error(request(node, "GET", "/v1/wait", none, JSON), 400, EXIT_USAGE, "what to wait for");
    assert_error(request(node, "GET", "/v1/wait", both, JSON), 400, EXIT_USAGE, "what to wait for");
    assert_error(request(node, "GET", "/v1/wait", late, JSON), 400, EXIT_USAGE, "timeout_ms");
    assert_error(wait_for(node, "for", "rain"), 400, EXIT_USAGE, "what to wait for");
    assert_error(wait_for(node, "clock", "n1:3"), 400, EXIT_USAGE, "is no token");
    api_end_streams(node->api);
    assert_error(wait_for(node, "for", "in-step"), 503, EXIT_NO_NODE, "the node ends");
    destroy_world(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_follows),
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_cursors),
        cmocka_unit_test(test_after_dot),
        cmocka_unit_test(test_cursor_that_does_not_fit),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_wait_clock),
        cmocka_unit_test(test_wait_in_step),
        cmocka_unit_test(test_wait_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
