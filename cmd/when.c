#include "cmd/when.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

/* Reads count digits; a number from low to high. */
static bool read_digits(const char **text, int count, int low, int high, int *ret_number)
{
    int number = 0;

    for (int i = 0; i < count; i++, (*text)++) {
        if (**text < '0' || **text > '9')
            return false;
        number = number * 10 + (**text - '0');
    }
    *ret_number = number;
    return number >= low && number <= high;
}

static bool read_mark(const char **text, const char *marks)
{
    if (**text == '\0' || !strchr(marks, **text))
        return false;
    (*text)++;
    return true;
}

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leaps = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leaps ? 29 : days[month - 1];
}

static bool read_date(const char **text, struct tm *ret_parts)
{
    int year;
    int month;
    int day;

    if (!read_digits(text, 4, 1970, 9999, &year) || !read_mark(text, "-") ||
        !read_digits(text, 2, 1, 12, &month) || !read_mark(text, "-") ||
        !read_digits(text, 2, 1, days_of(year, month), &day))
        return false;
    *ret_parts = (struct tm){.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    return true;
}

/* A point, and digits. */
static bool read_fraction(const char **text, int *ret_ms)
{
    int weight = 100;
    int ms = 0;

    *ret_ms = 0;
    if (!read_mark(text, "."))
        return true;
    if (**text < '0' || **text > '9')
        return false;
    for (; **text >= '0' && **text <= '9'; (*text)++, weight /= 10)
        ms += (**text - '0') * weight;
    *ret_ms = ms;
    return true;
}

/* Z, or how far ahead of UTC. */
static bool read_offset(const char **text, int64_t *ret_seconds)
{
    int64_t sign = **text == '-' ? -1 : 1;
    int hours;
    int minutes;

    *ret_seconds = 0;
    if (read_mark(text, "Zz"))
        return true;
    if (!read_mark(text, "+-") || !read_digits(text, 2, 0, 23, &hours) || !read_mark(text, ":") ||
        !read_digits(text, 2, 0, 59, &minutes))
        return false;
    *ret_seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

static bool read_point(const char *text, uint64_t *ret_ms)
{
    struct tm parts;
    int64_t offset = 0;
    int64_t ms;
    int fraction = 0;

    if (!read_date(&text, &parts))
        return false;
    if (*text) {
        /* A leap second is the first of the next minute, as in any count from 1970. */
        if (!read_mark(&text, "Tt ") || !read_digits(&text, 2, 0, 23, &parts.tm_hour) ||
            !read_mark(&text, ":") || !read_digits(&text, 2, 0, 59, &parts.tm_min) ||
            !read_mark(&text, ":") || !read_digits(&text, 2, 0, 60, &parts.tm_sec) ||
            !read_fraction(&text, &fraction) || !read_offset(&text, &offset) || *text)
            return false;
    }
    ms = ((int64_t)timegm(&parts) - offset) * 1000 + fraction;
    *ret_ms = ms > 0 ? (uint64_t)ms : 0;
    return true;
}

static bool read_ago(const char *text, uint64_t now_ms, uint64_t *ret_ms)
{
    static const struct {
        const char *word;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    uint64_t number = 0;
    const char *digit = text;

    for (; *digit >= '0' && *digit <= '9' && number <= UINT32_MAX; digit++)
        number = number * 10 + (uint64_t)(*digit - '0');
    if (digit == text || number > UINT32_MAX)
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        uint64_t ago = number * units[i].ms;

        if (strcmp(digit, units[i].word) != 0)
            continue;
        *ret_ms = ago < now_ms ? now_ms - ago : 0;
        return true;
    }
    return false;
}

bool when_read(const char *text, uint64_t now_ms, uint64_t *ret_ms)
{
    return read_ago(text, now_ms, ret_ms) || read_point(text, ret_ms);
}
