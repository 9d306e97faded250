#include "cmd/fault_lines.h"

#include <stdio.h>
#include <string.h>

#include "transport/address.h"

enum { LINE_MAX_SIZE = 256, WORD_MAX = 64, FRACTION_DIGITS = 4 };

/* What a line still has to say. */
struct words {
    const char *at;
    const char *end;
    char word[WORD_MAX + 1];
};

/* False at the end of the line. A longer word is cut short, which fits nothing either. */
static bool next_word(struct words *words)
{
    size_t size = 0;

    while (words->at < words->end && strchr(" \t\r", *words->at))
        words->at++;
    for (; words->at < words->end && !strchr(" \t\r", *words->at); words->at++)
        if (size < WORD_MAX)
            words->word[size++] = *words->at;
    words->word[size] = '\0';
    return size > 0;
}

static const char *read_digits(const char *text, uint32_t *ret_number)
{
    uint32_t number = 0;

    for (; *text >= '0' && *text <= '9' && number < 10000000; text++)
        number = number * 10 + (uint32_t)(*text - '0');
    *ret_number = number;
    return text;
}

/* "20ms", "2s". */
static bool read_time(const char *text, uint32_t *ret_ms)
{
    uint32_t number;
    const char *unit = read_digits(text, &number);
    bool is_seconds = strcmp(unit, "s") == 0;

    if (unit == text || !(is_seconds || strcmp(unit, "ms") == 0) || number > FAULTS_TIME_MAX_MS)
        return false;
    *ret_ms = is_seconds ? number * 1000 : number;
    return *ret_ms <= FAULTS_TIME_MAX_MS;
}

/* "5%", "0.25%". */
static bool read_share(const char *text, uint32_t *ret_ppm)
{
    uint32_t whole;
    uint32_t part = 0;
    const char *at = read_digits(text, &whole);

    if (at == text || whole > 100)
        return false;
    if (*at == '.') {
        const char *digit = ++at;
        uint32_t weight = 1000;

        for (; *at >= '0' && *at <= '9' && at - digit < FRACTION_DIGITS; at++, weight /= 10)
            part += (uint32_t)(*at - '0') * weight;
        if (at == digit)
            return false;
    }
    *ret_ppm = whole * 10000 + part;
    return strcmp(at, "%") == 0 && *ret_ppm <= 1000000;
}

/* "*", "127.0.0.1", "127.0.0.1:7002", "[::1]", "[::1]:7002". */
static bool read_peer(const char *text, struct fault *fault)
{
    struct address_parts parts;
    char whole[WORD_MAX + 3];
    const char *reason;
    const char *last = strrchr(text, ']');
    bool has_port = strchr(last ? last : text, ':') != NULL;

    fault->is_any_peer = strcmp(text, "*") == 0;
    if (fault->is_any_peer)
        return true;
    snprintf(whole, sizeof(whole), "%s%s", text, has_port ? "" : ":0");
    if (address_parse(whole, &parts, &reason) < 0 || parts.host != ADDRESS_HOST_NUMERIC)
        return false;
    memcpy(fault->peer.ip, parts.ip, sizeof(parts.ip));
    fault->peer.port = parts.port;
    return true;
}

static bool read_effect(struct words *words, struct fault *fault)
{
    const struct {
        const char *name;
        bool (*read)(const char *text, uint32_t *ret_number);
        uint32_t *number;
    } effects[] = {
        {"latency", read_time, &fault->latency_ms},
        {"jitter", read_time, &fault->jitter_ms},
        {"loss", read_share, &fault->loss_ppm},
        {"duplicate", read_share, &fault->duplicate_ppm},
    };

    if (strcmp(words->word, "cut") == 0) {
        fault->is_cut = true;
        return true;
    }
    for (size_t i = 0; i < sizeof(effects) / sizeof(effects[0]); i++)
        if (strcmp(words->word, effects[i].name) == 0)
            return next_word(words) && effects[i].read(words->word, effects[i].number);
    return false;
}

/* NULL, or what was expected where it ends. */
static const char *read_fault(struct words *words, struct fault *fault)
{
    bool is_both = strcmp(words->word, "both") == 0;

    *fault = (struct fault){0};
    fault->is_in = is_both || strcmp(words->word, "in") == 0;
    fault->is_out = is_both || strcmp(words->word, "out") == 0;
    if (!fault->is_in && !fault->is_out)
        return "in, out or both";
    if (!next_word(words) || !read_peer(words->word, fault))
        return "a peer: *, or an address in digits, with or without a port";
    while (next_word(words))
        if (!read_effect(words, fault))
            return "cut, latency or jitter with a time (20ms, 2s, up to 60s), loss or duplicate "
                   "with a share (5%)";
    return NULL;
}

static void explain(size_t number, const char *word, const char *expected, struct text *text)
{
    text_print(text, "line %zu: found ", number);
    if (*word)
        text_add_escaped(text, word, strlen(word), TEXT_ESCAPE_ASCII);
    else
        text_add(text, "the end of the line");
    text_print(text, ", expected %s", expected);
}

bool fault_lines_read(const char *text, size_t size, struct fault *ret_faults, size_t *ret_count,
                      struct text *ret_explanation)
{
    const char *end = text ? text + size : NULL;
    size_t number = 0;

    *ret_count = 0;
    for (const char *line = text; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        struct words words = {.at = line, .end = stop ? stop : end};
        const char *expected;

        number++;
        line = stop ? stop + 1 : end;
        if (words.end - words.at > LINE_MAX_SIZE ||
            memchr(words.at, '\0', (size_t)(words.end - words.at))) {
            explain(number, "more than a line of text", "at most 256 bytes of text",
                    ret_explanation);
            return false;
        }
        if (!next_word(&words) || words.word[0] == '#')
            continue;
        if (*ret_count == FAULTS_MAX) {
            explain(number, "one more", "at most 256 faults", ret_explanation);
            return false;
        }
        expected = read_fault(&words, &ret_faults[*ret_count]);
        if (expected) {
            explain(number, words.word, expected, ret_explanation);
            return false;
        }
        (*ret_count)++;
    }
    return true;
}
