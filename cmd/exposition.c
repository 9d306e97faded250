#include "cmd/exposition.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_SIZE = 128, SECONDS_SIZE = 32 };

/* Adds string with the escapes that the format has, and no others: of a help text, \ and the end of
 * a line; of a label's value, the quote too. */
static void add_escaped(struct text *text, const char *string, const char *special)
{
    while (*string) {
        size_t plain = strcspn(string, special);

        text_add_bytes(text, string, plain);
        string += plain;
        if (!*string)
            return;
        text_print(text, "\\%c", *string == '\n' ? 'n' : *string);
        string++;
    }
}

void exposition_begin(struct text *ret_text, const char *name, enum exposition_kind kind,
                      const char *help)
{
    static const char *const kinds[] = {
        [EXPOSITION_COUNTER] = "counter",
        [EXPOSITION_GAUGE] = "gauge",
        [EXPOSITION_HISTOGRAM] = "histogram",
    };

    text_print(ret_text, "# HELP %s ", name);
    add_escaped(ret_text, help, "\\\n");
    text_print(ret_text, "\n# TYPE %s %s\n", name, kinds[kind]);
}

static void add_line(struct text *text, const char *name, const struct exposition_label *labels,
                     const char *value)
{
    const char *separator = "{";

    text_add(text, name);
    for (; labels && labels->name; labels++) {
        text_print(text, "%s%s=\"", separator, labels->name);
        add_escaped(text, labels->value, "\\\"\n");
        text_add(text, "\"");
        separator = ",";
    }
    text_print(text, "%s %s\n", *separator == ',' ? "}" : "", value);
}

void exposition_add(struct text *ret_text, const char *name, const struct exposition_label *labels,
                    uint64_t number)
{
    char value[24];

    snprintf(value, sizeof(value), "%" PRIu64, number);
    add_line(ret_text, name, labels, value);
}

/* In decimals: exact, whatever the locale, and without the zeros that say nothing. */
static void print_seconds(uint64_t us, char ret_seconds[SECONDS_SIZE])
{
    size_t size = (size_t)snprintf(ret_seconds, SECONDS_SIZE, "%" PRIu64 ".%06" PRIu64,
                                   us / 1000000, us % 1000000);

    while (ret_seconds[size - 1] == '0')
        size--;
    if (ret_seconds[size - 1] == '.')
        size--;
    ret_seconds[size] = '\0';
}

void exposition_add_seconds(struct text *ret_text, const char *name,
                            const struct exposition_label *labels, uint64_t us)
{
    char value[SECONDS_SIZE];

    print_seconds(us, value);
    add_line(ret_text, name, labels, value);
}

void exposition_add_durations(struct text *ret_text, const char *name,
                              const struct exposition_durations *durations)
{
    char part[NAME_MAX_SIZE];
    char bound[SECONDS_SIZE];
    uint64_t total = 0;

    assert(durations->first <= durations->last && durations->last + 1 < durations->count);
    assert(strlen(name) + sizeof("_bucket") <= sizeof(part));
    snprintf(part, sizeof(part), "%s_bucket", name);
    for (size_t i = 0; i < durations->count; i++) {
        total += durations->counts[i];
        if (i < durations->first || i > durations->last)
            continue;
        print_seconds(UINT64_C(1) << i, bound);
        exposition_add(ret_text, part, (struct exposition_label[]){{"le", bound}, {NULL, NULL}},
                       total);
    }
    exposition_add(ret_text, part, (struct exposition_label[]){{"le", "+Inf"}, {NULL, NULL}},
                   total);
    snprintf(part, sizeof(part), "%s_sum", name);
    exposition_add_seconds(ret_text, part, NULL, durations->sum_us);
    snprintf(part, sizeof(part), "%s_count", name);
    exposition_add(ret_text, part, NULL, total);
}
