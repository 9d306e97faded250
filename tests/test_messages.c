/* The page of messages against the table of messages, both ways. */
#include "cmd/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cmd/text.h"

static char *read_page(void)
{
    static char page[1 << 17];
    FILE *file = fopen(DOCS "/messages.md", "re");
    size_t size;

    assert_non_null(file);
    size = fread(page, 1, sizeof(page) - 1, file);
    assert_int_equal(fclose(file), 0);
    assert_in_range(size, 1000, sizeof(page) - 2);
    page[size] = '\0';
    return page;
}

/* Whether the line at text is line. */
static bool is_line(const char *text, const char *line)
{
    return strncmp(text, line, strlen(line)) == 0 && text[strlen(line)] == '\n';
}

/* The line that is this one; NULL where there is none. */
static const char *find_line(const char *page, const char *line)
{
    for (const char *at = page; at; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (is_line(at, line))
            return at;
    }
    return NULL;
}

static const char *next_line(const char *text)
{
    text = strchr(text, '\n');
    assert_non_null(text);
    return text + 1;
}

static void add_fields(struct text *line, uint32_t bits)
{
    const char *separator = "";

    for (enum field i = 0; i < FIELDS; i++) {
        if (!(bits >> i & 1))
            continue;
        text_print(line, "%s`%s`", separator, field_row(i)->name);
        separator = ", ";
    }
}

/* In any order: a page reads better with what matters first. */
static void check_fields(const char *line, const struct message_row *row)
{
    static const char known[] = "where known ";
    struct text text = {0};
    uint32_t found[2] = {0};
    int which = 0;

    text_add_bytes(&text, line, strcspn(line, "\n"));
    assert_false(text.failed);
    assert_memory_equal(text.data, "- fields: ", 10);
    for (char *at = text.data + 10; *at;) {
        if (strncmp(at, known, strlen(known)) == 0) {
            which = 1;
            at += strlen(known);
        }
        for (enum field i = 0; i < FIELDS && *at == '`'; i++) {
            size_t size = strlen(field_row(i)->name);

            if (strncmp(at + 1, field_row(i)->name, size) != 0 || at[size + 1] != '`')
                continue;
            found[which] |= UINT32_C(1) << i;
            at += size + 2;
        }
        if (strcmp(at, "none") == 0)
            at += 4;
        if (*at == ',' || *at == ';')
            at += 2;
        else if (*at)
            fail_msg("%s: of \"%s\", this could not be read: %s", row->name, text.data, at);
    }
    text_clear(&text);
    if (found[0] != row->always || found[1] != row->sometimes) {
        add_fields(&text, row->always);
        text_add(&text, "; where known ");
        add_fields(&text, row->sometimes);
        fail_msg("%s: its fields are %s", row->name, text.data);
    }
}

static const char *check_item(const char *line, const struct message_row *row, const char *item,
                              const char *value)
{
    char expected[128];

    snprintf(expected, sizeof(expected), "- %s: %s", item, value ? value : "");
    if (value ? !is_line(line, expected)
              : strncmp(line, expected, strlen(expected)) != 0 || line[strlen(expected)] == '\n')
        fail_msg("%s: instead of \"%s\" there is \"%.*s\"", row->name, expected,
                 (int)strcspn(line, "\n"), line);
    return next_line(line);
}

/* Each message has a section, with what the code has of it. */
static void test_messages_are_in_the_page(void **state)
{
    const char *page = read_page();

    (void)state;
    for (enum message i = 0; i < MESSAGES; i++) {
        const struct message_row *row = message_row(i);
        const struct message_budget *budget = row->budget;
        char heading[64];
        char rate[64] = "all";
        const char *line;

        snprintf(heading, sizeof(heading), "### `%s`", row->name);
        line = find_line(page, heading);
        if (!line)
            fail_msg("%s is not in docs/messages.md", row->name);
        line = next_line(next_line(line));
        line = check_item(line, row, "priority", level_row(row->level)->name);
        check_fields(line, row);
        line = next_line(line);
        if (budget->burst > 0)
            snprintf(rate, sizeof(rate), "%u, %u/s", budget->burst, budget->per_second);
        line = check_item(line, row, "rate", rate);
        line = check_item(line, row, "means", NULL);
        line += *line == ' ' ? strcspn(line, "\n") + 1 : 0; /* It may go on in a second. */
        check_item(line, row, "do", NULL);
        snprintf(heading, sizeof(heading), "| %s | ", rate);
        assert_non_null(strstr(page, heading)); /* What that rate is, is explained. */
    }
}

/* Each section is a message. */
static void test_sections_are_messages(void **state)
{
    const char *page = read_page();
    unsigned sections = 0;

    (void)state;
    for (const char *at = page; (at = strstr(at, "\n### ")); at++)
        sections++;
    assert_int_equal(sections, MESSAGES);
}

/* The rows of a table that begin with a word in ticks, from its heading to its end. */
static unsigned count_rows(const char *page, const char *heading)
{
    const char *line = find_line(page, heading);
    unsigned count = 0;

    assert_non_null(line);
    for (line = next_line(line); *line == '|'; line = next_line(line))
        count += line[2] == '`';
    return count;
}

static void test_fields_and_levels(void **state)
{
    const char *page = read_page();
    char row[256];

    (void)state;
    for (enum field i = 0; i < FIELDS; i++) {
        const char *line;
        const char *kind = field_row(i)->is_number ? " | number |" : " | text |";

        snprintf(row, sizeof(row), "\n| `%s` | ", field_row(i)->name);
        line = strstr(page, row);
        if (!line)
            fail_msg("the field %s is not in docs/messages.md", field_row(i)->name);
        line++;
        if (strncmp(line + strcspn(line, "\n") - strlen(kind), kind, strlen(kind)) != 0)
            fail_msg("%s: a row should end with \"%s\"", field_row(i)->name, kind);
    }
    assert_int_equal(count_rows(page, "| field | is | in JSON |"), FIELDS);
    for (enum message_level i = LEVEL_INFO; i <= LEVEL_ERROR; i++) {
        snprintf(row, sizeof(row), "\n| `%s` | %c | ", level_row(i)->name, level_row(i)->priority);
        assert_non_null(strstr(page, row));
    }
    assert_int_equal(count_rows(page, "| level | priority | is |"), LEVEL_ERROR + 1);
}

/* What the library has to tell is called the same in the log, and has a row of its own. */
static void test_notices(void **state)
{
    uint32_t taken = 0;
    enum gossip_notice_kind kind = 0;

    (void)state;
    for (; strcmp(gossip_notice_name(kind), "unknown-notice") != 0; kind++) {
        enum message message = message_of_notice(kind);

        assert_string_equal(message_row(message)->name, gossip_notice_name(kind));
        assert_false(taken >> message & 1);
        taken |= UINT32_C(1) << message;
    }
    assert_int_equal(kind, GOSSIP_NOTICE_POISON + 1);
}

/* No row is forgotten, no name is taken twice, and what must not be lost has no bound. */
static void test_rows(void **state)
{
    (void)state;
    for (enum message i = 0; i < MESSAGES; i++) {
        const struct message_row *row = message_row(i);

        assert_non_null(row->name);
        assert_non_null(row->budget);
        assert_int_equal(row->always & row->sometimes, 0);
        assert_true(row->level != LEVEL_ERROR || row->budget->burst == 0);
        assert_int_equal(row->budget->burst == 0, row->budget->per_second == 0);
        for (enum message j = 0; j < i; j++)
            assert_string_not_equal(message_row(j)->name, row->name);
    }
    for (enum field i = 0; i < FIELDS; i++)
        assert_non_null(field_row(i)->name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_are_in_the_page),
        cmocka_unit_test(test_sections_are_messages),
        cmocka_unit_test(test_fields_and_levels),
        cmocka_unit_test(test_notices),
        cmocka_unit_test(test_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
