#include "cmd/colour.h"

#include "tests/api_world.h"

#include <fcntl.h>
#include <unistd.h>

static void test_words(void **state)
{
    static const struct {
        bool on;
        enum colour colour;
        const char *word;
        size_t width;
        const char *shown;
    } cases[] = {
        {false, COLOUR_BAD, "no", 4, "no  "},
        {true, COLOUR_NONE, "no", 4, "no  "},
        {true, COLOUR_BAD, "no", 4, "\x1b[31mno\x1b[0m  "},
        {true, COLOUR_GOOD, "yes", 3, "\x1b[32myes\x1b[0m"},
        {true, COLOUR_UNSURE, "perhaps", 3, "\x1b[33mperhaps\x1b[0m"},
        {true, COLOUR_HEADING, "NAME", 0, "\x1b[1mNAME\x1b[0m"},
        {true, COLOUR_HEADING, "", 3, "   "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text text = {0};

        colour_add(&text, cases[i].on, cases[i].colour, cases[i].word, cases[i].width);
        assert_string_equal(text.data, cases[i].shown);
        text_clear(&text);
    }
}

static void set(const char *name, const char *value)
{
    if (value)
        assert_int_equal(setenv(name, value, 1), 0);
    else
        assert_int_equal(unsetenv(name), 0);
}

static void test_when(void **state)
{
    static const struct {
        const char *terminal;
        const char *refused;
        bool wanted; /* On a terminal. */
    } cases[] = {
        {"xterm-256color", NULL, true},
        {"linux", NULL, true},
        {"xterm", "", true},
        {"xterm", "1", false},
        {"xterm", "0", false},
        {"dumb", NULL, false},
        {"dumb", "", false},
        {"", NULL, false},
        {NULL, NULL, false},
    };
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    int ends[2];

    (void)state;
    assert_true(terminal >= 0);
    assert_int_equal(pipe(ends), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        set("TERM", cases[i].terminal);
        set("NO_COLOR", cases[i].refused);
        assert_int_equal(colour_is_wanted(terminal), cases[i].wanted);
        assert_false(colour_is_wanted(ends[1]));
        assert_false(colour_is_wanted(-1));
    }
    close(terminal);
    close(ends[0]);
    close(ends[1]);
}

/* Takes out what makes colours, and nothing else. */
static void strip(char *text)
{
    static const char *const escapes[] = {"\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[33m"};
    char *to = text;

    while (*text) {
        size_t size = 0;

        for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++)
            if (strncmp(text, escapes[i], strlen(escapes[i])) == 0)
                size = strlen(escapes[i]);
        if (size == 0)
            *to++ = *text;
        text += size ? size : 1;
    }
    *to = '\0';
}

/* The answer, of a stream too. */
static void answer(struct node *node, const char *path, struct arguments arguments, bool colour,
                   enum form form, char *ret_text, size_t capacity)
{
    struct api_response response;
    size_t count = 0;

    while (arguments.names[count])
        count++;
    if (colour) {
        arguments.names[count] = "colour";
        arguments.values[count] = "1";
    }
    response = request(node, "GET", path, arguments, form);
    assert_int_equal(response.status, 200);
    if (response.stream) {
        int size = api_stream_read(response.stream, ret_text, capacity - 1);

        assert_in_range(size, 1, capacity - 1);
        ret_text[size] = '\0';
    } else {
        assert_true(response.body.size < capacity);
        memcpy(ret_text, response.body.data, response.body.size + 1);
    }
    api_response_clear(&response);
}

/* Whoever takes the colours out has the same text, to the last space; JSON has none. */
static void test_answers(void **state)
{
    static const struct {
        const char *path;
        struct arguments arguments;
        const char *coloured; /* NULL: nothing is. */
    } cases[] = {
        {"/v1/status", {{0}}, "\n\x1b[1mwriting\x1b[0m      \x1b[32myes\x1b[0m\n"},
        {"/v1/peers", {{0}}, "  \x1b[32malive\x1b[0m      member"},
        {"/v1/relation",
         {{"a", "b"}, {"n1:1", "n1:2"}},
         "n1:1 \x1b[1m"
         "before\x1b[0m n1:2: both"},
        {"/v1/log", {{0}}, NULL},
        {"/v1/watch", {{"count"}, {"2"}}, NULL},
        {"/v1/clock", {{0}}, NULL},
        {"/v1/start", {{0}}, NULL},
        {"/v1/problems", {{0}}, NULL},
    };
    struct world *world = make_world("n1", "n2");
    struct node *node = &world->nodes[0];
    static char plain[65536];
    static char text[65536];

    (void)state;
    publish_text(node, "x");
    publish_text(node, "\x1b[31mred");
    publish_text(&world->nodes[1], "y");
    converge(world, 3);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        answer(node, cases[i].path, cases[i].arguments, true, JSON, text, sizeof(text));
        assert_null(strchr(text, '\x1b'));
        if (strcmp(cases[i].path, "/v1/problems") == 0)
            continue; /* There are none, and no text of none. */
        answer(node, cases[i].path, cases[i].arguments, false, PLAIN, plain, sizeof(plain));
        assert_null(strchr(plain, '\x1b'));
        answer(node, cases[i].path, cases[i].arguments, true, PLAIN, text, sizeof(text));
        if (cases[i].coloured && !strstr(text, cases[i].coloured))
            fail_msg("%s is not coloured as it should be: %s", cases[i].path, text);
        if (!cases[i].coloured)
            assert_null(strchr(text, '\x1b'));
        strip(text);
        assert_string_equal(text, plain);
    }

    /* One that answers no more. */
    world->queues[1].cut = true;
    for (int i = 0; i < ROUNDS_MAX && !strstr(plain, "silent"); i++) {
        run_world(world);
        answer(node, "/v1/peers", (struct arguments){{0}}, false, PLAIN, plain, sizeof(plain));
    }
    answer(node, "/v1/peers", (struct arguments){{0}}, true, PLAIN, text, sizeof(text));
    assert_non_null(strstr(text, "  \x1b[33msilent\x1b[0m     member"));
    strip(text);
    assert_string_equal(text, plain);
    answer(node, "/v1/status", (struct arguments){{0}}, true, PLAIN, text, sizeof(text));
    assert_non_null(strstr(text, "1 known, 0 \x1b[33malive\x1b[0m, 0 in step\n"));
    destroy_world(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_when),
        cmocka_unit_test(test_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
