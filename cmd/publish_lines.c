#include "cmd/publish_lines.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/api.h"
#include "cmd/ask.h"
#include "cmd/json.h"
#include "cmd/output.h"

struct lines {
    const char *directory;
    bool plain;
    char *data; /* What has been read and not yet published: API_BODY_MAX bytes of room. */
    size_t size;
    bool ended;       /* Nothing follows. */
    uint64_t written; /* Lines. */
    struct output output;
};

/* Reads some more, as much as there is at once. */
static enum exit_code read_more(struct lines *lines)
{
    struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};
    bool first = true;

    while (lines->size < API_BODY_MAX && (first || poll(&ready, 1, 0) > 0)) {
        ssize_t count = read(STDIN_FILENO, lines->data + lines->size, API_BODY_MAX - lines->size);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN && poll(&ready, 1, -1) >= 0)
            continue;
        if (count < 0) {
            complain("publish: cannot read standard input: %s; the first %" PRIu64
                     " lines were written, and nothing after them",
                     strerror(errno), lines->written);
            return EXIT_INPUT_OUTPUT;
        }
        lines->ended = count == 0;
        lines->size += (size_t)count;
        first = false;
        if (lines->ended)
            break;
    }
    return EXIT_OK;
}

/* How many lines, and bytes of them, go with the next request. At the end of the input what follows
 * the last end of line is a line too. */
static size_t next_lines(const struct lines *lines, size_t *ret_size)
{
    size_t count = 0;
    size_t size = 0;

    while (count < API_LINES_MAX && size < lines->size) {
        const char *stop = memchr(lines->data + size, '\n', lines->size - size);

        if (!stop && !lines->ended)
            break;
        size = stop ? (size_t)(stop - lines->data) + 1 : lines->size;
        count++;
    }
    *ret_size = size;
    return count;
}

static bool is_error(const char *line)
{
    return strncmp(line, "{\"error\":", 9) == 0;
}

/* Says why the line number was not written, and what became of the others. */
static void complain_of_line(uint64_t number, const struct text *message, uint64_t after,
                             bool is_known)
{
    struct text others = {0};

    if (number == 1)
        text_add(&others, "no line before it");
    else
        text_print(&others, "the %" PRIu64 " before it were written", number - 1);
    if (after > 0)
        text_print(&others, ", and %" PRIu64 " after it", after);
    else
        text_add(&others, is_known ? ", and none after it"
                                   : ", and of those after it the same is not known");
    complain("publish: line %" PRIu64 ": %s; %s", number,
             message->failed ? "no memory to say why" : message->data,
             others.failed ? "look with `gossip log`" : others.data);
    text_clear(&others);
}

/* Prints the dots that an answer has, and says what it tells of the first line that has none. */
static enum exit_code take_answer(struct lines *lines, const struct text *answer,
                                  enum exit_code code)
{
    struct text message = {0};
    uint64_t number = lines->written;
    uint64_t failed = 0;
    uint64_t after = 0; /* Written in spite of that. */
    enum exit_code printed = EXIT_OK;
    size_t size;

    for (const char *line = answer->data; line && *line && printed == EXIT_OK; line += size) {
        size = strcspn(line, "\n") + 1;
        number++;
        if (!is_error(line)) {
            printed = output_write(&lines->output, line, size);
            lines->written += failed == 0;
            after += failed != 0;
        } else if (failed == 0) {
            failed = number;
            if (!json_read_error(line, size - 1, &message))
                text_add(&message, "the node did not say why");
        }
    }
    if (failed != 0)
        complain_of_line(failed, &message, after, code != EXIT_INPUT_OUTPUT);
    text_clear(&message);
    return code != EXIT_OK ? code : printed;
}

/* Publishes the first count lines, size bytes. */
static enum exit_code publish_some(struct lines *lines, size_t count, size_t size)
{
    struct text unsure = {0};
    struct text answer = {0};
    enum exit_code code;

    text_print(&unsure,
               "lines up to %" PRIu64 " were written, and of the %zu after them it is not known: "
               "look with `gossip log` before publishing them again",
               lines->written, count);
    code = ask(&(struct ask){.method = "POST",
                             .path = "/v1/events",
                             .arguments = {{"lines", "1"}},
                             .body = lines->data,
                             .size = size,
                             .plain = lines->plain,
                             .answer = &answer,
                             .whole = true,
                             .quiet = lines->written > 0,
                             .writes = true,
                             .unsure = unsure.failed ? NULL : unsure.data},
               lines->directory);
    if (code == EXIT_NO_NODE && answer.size == 0 && lines->written > 0)
        complain("publish: no node is running on %s any more; the first %" PRIu64
                 " lines were written, and nothing after them",
                 lines->directory, lines->written);
    code = take_answer(lines, &answer, code);
    text_clear(&unsure);
    text_clear(&answer);
    if (code != EXIT_OK || !lines->output.closed)
        return code;
    complain("publish: nobody reads the dots any more; the first %" PRIu64
             " lines were written, and nothing after them",
             lines->written);
    return EXIT_NO;
}

enum exit_code publish_lines(const char *directory, bool plain)
{
    struct lines lines = {.directory = directory, .plain = plain, .data = malloc(API_BODY_MAX)};
    enum exit_code code = EXIT_OK;

    if (!lines.data) {
        complain("publish: no memory for the lines; free some and try again");
        return EXIT_MEMORY;
    }
    while (code == EXIT_OK && !(lines.ended && lines.size == 0)) {
        size_t size;
        size_t count = next_lines(&lines, &size);

        if (count > 0) {
            code = publish_some(&lines, count, size);
            lines.size -= size;
            memmove(lines.data, lines.data + size, lines.size);
        } else if (lines.size > GOSSIP_PAYLOAD_MAX) {
            complain("publish: line %" PRIu64 " is larger than %d bytes, which no node publishes "
                     "at once; the lines before it were written, and none after it",
                     lines.written + 1, GOSSIP_PAYLOAD_MAX);
            code = EXIT_NO;
        } else {
            code = read_more(&lines);
        }
    }
    free(lines.data);
    return code;
}
