/* What a log shows when not everything is asked for, against a model that compares every event with
 * every other by what its author had really seen. */
#include "tests/api_world.h"

#include <inttypes.h>

#include "cmd/log_filter.h"
#include "cmd/when.h"
#include "tests/property.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { HISTORIES = 12, EVENTS = 60, QUESTIONS = 150 };

struct written {
    int author;
    int seq;
    uint64_t ms;
    bool past[EVENTS]; /* Which events its author had when writing it. */
};

struct history {
    struct written events[EVENTS];
    size_t order[EVENTS]; /* As the log shows them. */
    size_t count;
};

/* How many events of each author node has. */
static void count_seen(struct world *world, int node, uint64_t ret_seen[NODES])
{
    struct gossip *gossip = world->nodes[node].gossip;

    memset(ret_seen, 0, NODES * sizeof(*ret_seen));
    for (uint32_t i = 0; i < gossip_author_count(gossip); i++) {
        struct gossip_author author;

        assert_int_equal(gossip_author(gossip, i, &author), GOSSIP_OK);
        for (int j = 0; j < NODES; j++)
            if (memcmp(author.key, gossip_identity_key(world->nodes[j].identity),
                       GOSSIP_KEY_SIZE) == 0)
                ret_seen[j] = author.have;
    }
}

static void write_event(struct world *world, struct history *history, int node)
{
    struct written *event = &history->events[history->count++];
    uint64_t seen[NODES];

    count_seen(world, node, seen);
    *event = (struct written){
        .author = node, .seq = (int)seen[node] + 1, .ms = wall_ms(&world->time.base)};
    for (size_t i = 0; i + 1 < history->count; i++)
        event->past[i] = (uint64_t)history->events[i].seq <= seen[history->events[i].author];
    publish_text(&world->nodes[node], "x");
}

static size_t find_event(const struct history *history, int author, int seq)
{
    for (size_t i = 0; i < history->count; i++)
        if (history->events[i].author == author && history->events[i].seq == seq)
            return i;
    fail_msg("there is no n%d:%d", author + 1, seq);
    return 0;
}

/* The events, in order, of which text names the dots, a line each. */
static size_t read_dots(const struct history *history, const char *text, size_t *ret_events)
{
    size_t count = 0;

    for (const char *line = text; line && *line; line = strchr(line, '\n') + 1) {
        int author;
        int seq;

        assert_int_equal(sscanf(line, "{\"dot\":\"n%d:%d\"", &author, &seq), 2);
        assert_true(count < EVENTS);
        ret_events[count++] = find_event(history, author - 1, seq);
    }
    return count;
}

/* Both write, apart for a while and then not, until there are EVENTS. */
static void make_history(struct world *world, uint64_t *random, struct history *history)
{
    struct text text = {0};

    while (history->count < EVENTS) {
        if (random_below(random, 8) == 0)
            world->queues[0].cut = !world->queues[0].cut;
        for (uint64_t i = random_below(random, 12); i > 0; i--)
            run_world(world);
        write_event(world, history, (int)random_below(random, NODES));
    }
    world->queues[0].cut = false;
    converge(world, EVENTS);
    read_log(&world->nodes[0], none, JSON, 4096, &text);
    assert_int_equal(read_dots(history, text.data, history->order), EVENTS);
    text_clear(&text);
}

struct question {
    bool has_since;
    uint64_t since_ms;
    int authors;              /* Bits. */
    int before, after, apart; /* -1: not asked. */
    size_t limit;             /* 0: not asked. */
    char since[40], limits[20], dots[3][16];
    struct arguments arguments;
};

static void ask_for(struct question *question, const char *name, const char *value)
{
    size_t count = 0;

    while (question->arguments.names[count])
        count++;
    question->arguments.names[count] = name;
    question->arguments.values[count] = value;
}

static int ask_for_dot(const struct history *history, uint64_t *random, struct question *question,
                       int which, const char *name)
{
    int event = (int)random_below(random, 3 * EVENTS);

    if (event >= EVENTS)
        return -1;
    snprintf(question->dots[which], sizeof(question->dots[which]), "n%d:%d",
             history->events[event].author + 1, history->events[event].seq);
    ask_for(question, name, question->dots[which]);
    return event;
}

static void make_question(const struct history *history, uint64_t *random,
                          struct question *question)
{
    static const char *const authors[] = {"", "n1", "n2", "n2,n1"};

    *question = (struct question){0};
    question->before = ask_for_dot(history, random, question, 0, "before");
    question->after = ask_for_dot(history, random, question, 1, "after");
    question->apart = ask_for_dot(history, random, question, 2, "concurrent-with");
    question->authors = (int)random_below(random, 4);
    if (question->authors)
        ask_for(question, "author", authors[question->authors]);
    if (random_below(random, 3) == 0) {
        struct text text = {0};

        question->has_since = true;
        question->since_ms = history->events[random_below(random, EVENTS)].ms;
        text_add_time(&text, question->since_ms);
        snprintf(question->since, sizeof(question->since), "%s", text.data);
        text_clear(&text);
        ask_for(question, "since", question->since);
    }
    if (random_below(random, 3) == 0) {
        question->limit = 1 + random_below(random, EVENTS + 5);
        snprintf(question->limits, sizeof(question->limits), "%zu", question->limit);
        ask_for(question, "limit", question->limits);
    }
}

static bool is_before(const struct history *history, int a, int b)
{
    return history->events[b].past[a];
}

static bool fits(const struct history *history, const struct question *question, int event)
{
    int apart = question->apart;

    return (!question->has_since || history->events[event].ms >= question->since_ms) &&
           (question->authors == 0 || (question->authors >> history->events[event].author & 1)) &&
           (question->before < 0 || is_before(history, event, question->before)) &&
           (question->after < 0 || is_before(history, question->after, event)) &&
           (apart < 0 || (apart != event && !is_before(history, event, apart) &&
                          !is_before(history, apart, event)));
}

static size_t expect(const struct history *history, const struct question *question,
                     size_t *ret_events)
{
    size_t count = 0;

    for (size_t i = 0; i < EVENTS; i++)
        if (fits(history, question, (int)history->order[i]))
            ret_events[count++] = history->order[i];
    if (question->limit > 0 && question->limit < count) {
        memmove(ret_events, ret_events + count - question->limit,
                question->limit * sizeof(*ret_events));
        count = question->limit;
    }
    return count;
}

static void test_against_model(void **state)
{
    uint64_t random = random_start();
    size_t shown = 0;
    size_t concurrent = 0;

    (void)state;
    for (int i = 0; i < HISTORIES; i++) {
        struct world *world = make_world("n1", "n2");
        struct history history = {0};

        make_history(world, &random, &history);
        for (int j = 0; j < QUESTIONS; j++) {
            struct question question;
            struct text text = {0};
            size_t expected[EVENTS];
            size_t found[EVENTS];
            size_t count;

            make_question(&history, &random, &question);
            read_log(&world->nodes[j % NODES], question.arguments, JSON,
                     1 + random_below(&random, 4000), &text);
            count = expect(&history, &question, expected);
            assert_int_equal(read_dots(&history, text.data, found), count);
            assert_memory_equal(found, expected, count * sizeof(*found));
            text_clear(&text);
            shown += count;
            concurrent += question.apart < 0 ? 0 : count;
        }
        destroy_world(world);
    }
    print_message("log: %d questions, %zu events shown, %zu of them concurrent with another\n",
                  HISTORIES * QUESTIONS, shown, concurrent);
    assert_true(shown > 0 && concurrent > 0);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        int status;
        int exit_code;
        const char *part;
    } cases[] = {
        {"since", "yesterday", 400, EXIT_USAGE, "point in time"},
        {"since", "", 400, EXIT_USAGE, "point in time"},
        {"author", "n9", 404, EXIT_NO, "no author is called n9 here"},
        {"author", "n1,", 400, EXIT_USAGE, "a name is missing"},
        {"author", "n1,n9", 404, EXIT_NO, "n9"},
        {"before", "n1", 400, EXIT_USAGE, "is not the name of an event"},
        {"after", "n1:2", 404, EXIT_NO, "n1:2 is not here: of n1 this node has 1"},
        {"concurrent-with", "n9:1", 404, EXIT_NO, "no author is called n9 here"},
        {"limit", "0", 400, EXIT_USAGE, "1 to 1000000"},
        {"limit", "-1", 400, EXIT_USAGE, "1 to 1000000"},
        {"limit", "1000001", 400, EXIT_USAGE, "1 to 1000000"},
        {"limit", "99999999999999999999999", 400, EXIT_USAGE, "1 to 1000000"},
        {"limit", "1x", 400, EXIT_USAGE, "1 to 1000000"},
        {"limit", "", 400, EXIT_USAGE, "1 to 1000000"},
    };
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];

    (void)state;
    publish_text(node, "x");
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_error(request(node, "GET", "/v1/log",
                             (struct arguments){{cases[i].name, NULL}, {cases[i].value, NULL}},
                             JSON),
                     cases[i].status, cases[i].exit_code, cases[i].part);
    assert_error(request(node, "GET", "/v1/log",
                         (struct arguments){{"contested", "before", NULL}, {"1", "n1:1", NULL}},
                         JSON),
                 400, EXIT_USAGE, "nobody can tell");
    destroy_world(world);
}

/* Looking for what is rare lets others have their turn, and hands out what is found before. */
static void test_turns(void **state)
{
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    struct api_response response;
    char buffer[4096];
    int turns = 0;
    int count;

    (void)state;
    for (int i = 0; i < 1000; i++)
        publish_text(node, "x");
    response = request(node, "GET", "/v1/log",
                       (struct arguments){{"after", "limit", NULL}, {"n1:999", "5", NULL}}, PLAIN);
    while ((count = api_stream_read(response.stream, buffer, sizeof(buffer) - 1)) ==
           API_STREAM_AGAIN)
        turns++;
    assert_true(turns >= 3);
    assert_true(count > 0);
    buffer[count] = '\0';
    assert_non_null(strstr(buffer, "  n1:1000  "));
    assert_string_equal(strchr(buffer, '\n'), "\n");
    assert_int_equal(api_stream_read(response.stream, buffer, sizeof(buffer)), 0);
    api_response_clear(&response);
    destroy_world(world);
}

static void test_tail(void **state)
{
    (void)state;
    for (size_t limit = 1; limit < 300; limit = limit * 3 + 1) {
        for (size_t count = 0; count < 3 * limit + 2; count++) {
            struct log_tail tail = {.limit = limit};
            size_t kept = count < limit ? count : limit;
            struct gossip_dot dot;

            for (size_t i = 1; i <= count; i++)
                assert_int_equal(log_tail_add(&tail, (struct gossip_dot){1, i}), GOSSIP_OK);
            for (size_t i = count - kept + 1; i <= count; i++) {
                assert_true(log_tail_take(&tail, &dot));
                assert_true(dot.seq == i);
            }
            assert_false(log_tail_take(&tail, &dot));
            log_tail_clear(&tail);
        }
    }
}

static void test_points_in_time(void **state)
{
    static const uint64_t now = UINT64_C(1767323045678); /* 2026-01-02T03:04:05.678Z */
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {
        {"2026-01-02T03:04:05.678Z", 1767323045678},
        {"2026-01-02t03:04:05.678z", 1767323045678},
        {"2026-01-02 03:04:05.678Z", 1767323045678},
        {"2026-01-02T03:04:05.6789999Z", 1767323045678},
        {"2026-01-02T03:04:05.6Z", 1767323045600},
        {"2026-01-02T03:04:05Z", 1767323045000},
        {"2026-01-02T04:34:05+01:30", 1767323045000},
        {"2026-01-01T22:04:05-05:00", 1767323045000},
        {"2026-01-02", 1767312000000},
        {"2024-02-29", 1709164800000},
        {"2016-12-31T23:59:60Z", 1483228800000},
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00+23:00", 0},
        {"9999-12-31T23:59:59.999Z", 253402300799999},
        {"0", 1767323045678},
        {"678ms", 1767323045000},
        {"5", 1767323040678},
        {"5s", 1767323040678},
        {"2m", 1767322925678},
        {"1h", 1767319445678},
        {"1d", 1767236645678},
        {"4294967295d", 0},
    };
    static const char *const bad[] = {"",
                                      "now",
                                      "-5m",
                                      "5 m",
                                      "5w",
                                      "1.5h",
                                      "4294967296",
                                      "99999999999999999999999999d",
                                      "2026-1-2",
                                      "2026-13-01",
                                      "2026-00-01",
                                      "2026-02-29",
                                      "1900-01-01",
                                      "2026-01-02T",
                                      "2026-01-02T03:04Z",
                                      "2026-01-02T03:04:05",
                                      "2026-01-02T24:00:00Z",
                                      "2026-01-02T03:60:00Z",
                                      "2026-01-02T03:04:61Z",
                                      "2026-01-02T03:04:05.Z",
                                      "2026-01-02T03:04:05+1:00",
                                      "2026-01-02T03:04:05+24:00",
                                      "2026-01-02T03:04:05Z ",
                                      "2026-01-02T03:04:05ZZ"};
    uint64_t ms = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        if (!when_read(good[i].text, now, &ms) || ms != good[i].ms)
            fail_msg("%s: %" PRIu64, good[i].text, ms);
    }
    for (size_t i = 0; i < COUNT(bad); i++)
        if (when_read(bad[i], now, &ms))
            fail_msg("\"%s\" was taken for a time", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),  cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_turns),          cmocka_unit_test(test_tail),
        cmocka_unit_test(test_points_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
