/* Tokens: what is written is read again, and nothing else is. */
#include "cmd/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/property.h"

static const uint8_t cluster[GOSSIP_KEY_SIZE] = {0xc1, 0x05, 0x7e, 0x12};
static const uint8_t other_cluster[GOSSIP_KEY_SIZE] = {0xc1, 0x05, 0x7e, 0x13};

static struct token_entry entry(uint8_t id, uint8_t head, uint64_t seq)
{
    return (struct token_entry){.id = {id, 1}, .head = {head}, .seq = seq};
}

static char *write(struct token_entry *entries, size_t count)
{
    struct text text = {0};

    token_write(cluster, entries, count, &text);
    assert_false(text.failed);
    return text.data;
}

static void assert_refused(const uint8_t *key, const char *text, int error, const char *part)
{
    struct text explanation = {0};
    struct token token;

    assert_int_equal(token_read(key, text, &token, &explanation), error);
    assert_non_null(explanation.data);
    if (!strstr(explanation.data, part))
        fail_msg("\"%s\" is not in \"%s\"", part, explanation.data);
    text_clear(&explanation);
}

/* The bytes of docs/protocol.md, "Tokens": they never change. */
static void test_golden(void **state)
{
    static const struct {
        struct token_entry entries[3];
        size_t count;
        const char *text;
    } cases[] = {
        {{{{0}, {0}, 0}}, 0, "c1wQV-Eqt7saQ"},
        {{{{1, 2, 3, 4, 5, 6, 7, 8}, {9, 10, 11, 12}, 3}}, 1, "c1wQV-EgECAwQFBgcICQoLDAPgxXHk"},
        {{{{2}, {0}, GOSSIP_COUNTER_MAX}, {{1}, {0xff}, 1}},
         2,
         "c1wQV-EgEAAAAAAAAA_wAAAAECAAAAAAAAAAAAAACAgICAgICAgEAuyf-H"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct token_entry entries[3];
        struct text explanation = {0};
        struct token token;
        char *text;

        memcpy(entries, cases[i].entries, sizeof(entries));
        text = write(entries, cases[i].count);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(token_read(cluster, text, &token, &explanation), GOSSIP_OK);
        assert_int_equal(token.count, cases[i].count);
        token_clear(&token);
        free(text);
    }
}

static void test_refusals(void **state)
{
    struct token_entry entries[] = {entry(1, 2, 3), entry(2, 2, 400)};
    char *text = write(entries, 2);

    (void)state;
    assert_refused(other_cluster, text, GOSSIP_ERR_FOREIGN, "another cluster");
    assert_refused(cluster, "", GOSSIP_ERR_INVALID, "\"\" is no token");
    assert_refused(cluster, "c", GOSSIP_ERR_INVALID, "is no token");
    assert_refused(cluster, "c1", GOSSIP_ERR_INVALID, "damaged");
    assert_refused(cluster, "n1:3", GOSSIP_ERR_INVALID, "\"n1:3\" is no token");
    assert_refused(cluster, "\x1b[2J", GOSSIP_ERR_INVALID, "\"\\x1b[2J\"");
    assert_refused(cluster, "c2AAAA", GOSSIP_ERR_FOREIGN, "newer version");
    assert_refused(cluster, "c1AAAA\n", GOSSIP_ERR_INVALID, "damaged");
    assert_true(token_is(text));
    assert_false(token_is("n1#ab12:3"));
    free(text);
}

/* Whose ids begin alike, of those none can be said to be seen. */
static void test_same_short_id(void **state)
{
    struct token_entry entries[] = {entry(2, 0, 5), entry(1, 0, 3), entry(2, 0, 7)};
    char *text = write(entries, 3);
    struct text explanation = {0};
    struct token token;

    (void)state;
    assert_int_equal(token_read(cluster, text, &token, &explanation), GOSSIP_OK);
    assert_int_equal(token.count, 1);
    assert_true(token.entries[0].id[0] == 1);
    token_clear(&token);
    free(text);
}

static size_t draw(uint64_t *random, struct token_entry *entries)
{
    size_t count = (size_t)random_below(random, 6);

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < TOKEN_ID_SIZE; j++)
            entries[i].id[j] = (uint8_t)random_next(random);
        for (size_t j = 0; j < TOKEN_HEAD_SIZE; j++)
            entries[i].head[j] = (uint8_t)random_next(random);
        entries[i].seq = 1 + (random_next(random) >> random_below(random, 63)) % GOSSIP_COUNTER_MAX;
    }
    return count;
}

static void test_round_trip(void **state)
{
    uint64_t random = random_start();

    (void)state;
    for (int i = 0; i < 2000; i++) {
        struct token_entry entries[6];
        size_t count = draw(&random, entries);
        char *text = write(entries, count);
        struct text explanation = {0};
        struct token token;
        uint8_t absent[GOSSIP_ID_SIZE] = {0};

        assert_int_equal(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789-_"),
                         strlen(text));
        assert_int_equal(token_read(cluster, text, &token, &explanation), GOSSIP_OK);
        assert_int_equal(token.count, count);
        for (size_t j = 0; j < count; j++) {
            uint8_t id[GOSSIP_ID_SIZE] = {0};
            const struct token_entry *found;

            memcpy(id, entries[j].id, TOKEN_ID_SIZE);
            found = token_find(&token, id);
            assert_non_null(found);
            assert_memory_equal(found->head, entries[j].head, TOKEN_HEAD_SIZE);
            assert_true(found->seq == entries[j].seq);
        }
        assert_null(token_find(&token, absent));
        token_clear(&token);
        free(text);
    }
}

/* One character that is another, is missing or is one too many: each is told. */
static void test_damage(void **state)
{
    static const char characters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_ =.\n";
    uint64_t random = random_start();

    (void)state;
    for (int i = 0; i < 20; i++) {
        struct token_entry entries[6];
        char *text = write(entries, draw(&random, entries));
        size_t length = strlen(text);
        char *altered = malloc(length + 2);
        struct text explanation = {0};
        struct token token;

        assert_non_null(altered);
        for (size_t at = 0; at < length; at++) {
            memcpy(altered, text, length + 1);
            for (size_t j = 0; characters[j]; j++) {
                if (characters[j] == text[at])
                    continue;
                altered[at] = characters[j];
                assert_true(token_read(cluster, altered, &token, &explanation) < 0);
            }
            memmove(altered + at, text + at + 1, length - at);
            assert_true(token_read(cluster, altered, &token, &explanation) < 0);
            memcpy(altered, text, length + 1);
            altered[at] = '\0';
            assert_true(token_read(cluster, altered, &token, &explanation) < 0);
        }
        for (size_t j = 0; characters[j]; j++) {
            memcpy(altered, text, length);
            altered[length] = characters[j];
            altered[length + 1] = '\0';
            assert_true(token_read(cluster, altered, &token, &explanation) < 0);
        }
        text_clear(&explanation);
        free(altered);
        free(text);
    }
}

/* Whatever bytes: refused, or written the same again. */
static void test_any_bytes(void **state)
{
    static const char characters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint64_t random = random_start();

    (void)state;
    for (int i = 0; i < 20000; i++) {
        char text[80] = "c1";
        size_t length = 2 + (size_t)random_below(&random, 70);
        struct text explanation = {0};
        struct token token;

        for (size_t j = 2; j < length; j++)
            text[j] = characters[random_below(&random, 64)];
        text[length] = '\0';
        assert_true(token_read(cluster, text, &token, &explanation) < 0);
        text_clear(&explanation);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_same_short_id), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_damage),        cmocka_unit_test(test_any_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
