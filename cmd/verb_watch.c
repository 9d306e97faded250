#include "cmd/command.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cmd/ask.h"
#include "cmd/client.h"
#include "cmd/colour.h"
#include "cmd/cursor_file.h"
#include "cmd/directory.h"
#include "cmd/json.h"
#include "cmd/text.h"
#include "gossip/gossip.h"

enum {
    BLOCK_SIZE = 65536,
    PIPE_ROOM = 4096,      /* A pipe that can be written to has room for so much. */
    SAVE_MS = 200,         /* Between two writes of the file while events flow. */
    CURSOR_SHOWN_MAX = 256 /* Of a longer one an error does not speak. */
};

#define NOW "now"
#define ALL UINT64_MAX /* Events, without end. */

struct watch {
    struct directory directory;
    const char *after; /* As it was asked for; NULL: from the first event on. */
    const char *file;  /* Where the cursor is kept; NULL: nowhere. */
    uint64_t left;     /* Events still to be shown; 0: all of them were. */
    bool json;
    bool reconnects;
    int signals;
    int changes; /* Tells of a node that starts; -1: nobody waits for one. */

    struct client client;
    struct text line;   /* What has come of a line that is not whole yet. */
    struct text cursor; /* Of the last event that was shown. */
    bool is_unsaved;
    uint64_t saved_ms;
    bool has_shown; /* Since the last time that the node went away. */

    bool ended; /* By a signal, by the reader, or by an error: */
    enum exit_code code;
};

/* ---- What is waited for. ---- */

static uint64_t now_ms(void)
{
    struct gossip_time *time = gossip_system_time();

    return time->ops->monotonic_ms(time);
}

static void end(struct watch *watch, enum exit_code code)
{
    watch->ended = true;
    watch->code = code;
}

static void end_without_memory(struct watch *watch)
{
    complain("no memory to watch with; free some and try again");
    end(watch, EXIT_MEMORY);
}

static void save(struct watch *watch)
{
    enum exit_code code;

    if (!watch->is_unsaved || !watch->file)
        return;
    watch->is_unsaved = false;
    code = cursor_file_write(watch->file, watch->cursor.data);
    watch->saved_ms = now_ms();
    if (code != EXIT_OK)
        end(watch, code);
}

/* How long until the cursor is to be saved; -1: there is nothing to save. */
static int save_timeout_ms(const struct watch *watch)
{
    uint64_t due_ms = watch->saved_ms + SAVE_MS;
    uint64_t now = now_ms();

    if (!watch->is_unsaved || !watch->file)
        return -1;
    return now >= due_ms ? 0 : (int)(due_ms - now);
}

/* Waits until descriptor is ready; false where the watch has ended meanwhile. */
static bool wait_ready(struct watch *watch, int descriptor, short events)
{
    while (!watch->ended) {
        struct pollfd waits[] = {
            {.fd = descriptor, .events = events},
            {.fd = watch->signals, .events = POLLIN},
            {.fd = STDOUT_FILENO}, /* Tells when nobody reads any more. */
        };
        int count = poll(waits, 3, save_timeout_ms(watch));

        if (count < 0 && errno != EINTR) {
            end(watch, complain_of_system("cannot wait for events on", watch->directory.path,
                                          "close something and try again"));
        } else if (count > 0) {
            if (waits[1].revents != 0 || (waits[2].revents & (POLLERR | POLLHUP)) != 0)
                end(watch, EXIT_OK);
            else if (waits[0].revents != 0)
                return true;
        } else if (count == 0) {
            save(watch);
        }
    }
    return false;
}

/* As a source of http_reader.h. */
static ssize_t read_node(void *context, void *buffer, size_t capacity)
{
    struct watch *watch = context;
    ssize_t count;

    do {
        if (!wait_ready(watch, watch->client.socket, POLLIN))
            return -1;
        count = recv(watch->client.socket, buffer, capacity, MSG_DONTWAIT);
    } while (count < 0 && (errno == EINTR || errno == EAGAIN));
    /* A node that was killed leaves a connection that is reset, or just ends. */
    return count < 0 && errno == ECONNRESET ? 0 : count;
}

/* ---- What is shown. ---- */

/* Never waits where a signal would not be heard. */
static void print(struct watch *watch, const char *data, size_t size)
{
    while (size > 0 && wait_ready(watch, STDOUT_FILENO, POLLOUT)) {
        ssize_t count = write(STDOUT_FILENO, data, size < PIPE_ROOM ? size : PIPE_ROOM);

        if (count >= 0) {
            data += count;
            size -= (size_t)count;
        } else if (errno == EPIPE) {
            end(watch, EXIT_OK);
        } else if (errno != EINTR && errno != EAGAIN) {
            complain_of_system("cannot write to", "standard output", "check where it goes");
            end(watch, EXIT_INPUT_OUTPUT);
        }
    }
}

static void set_cursor(struct watch *watch, const char *cursor, size_t size)
{
    watch->cursor.size = 0;
    text_add_bytes(&watch->cursor, cursor, size);
    if (watch->cursor.failed)
        end_without_memory(watch);
    else
        watch->is_unsaved = true;
}

/* Prints size bytes of whole lines, all with a cursor before them; returns how many lines. */
static uint64_t print_text(struct watch *watch, const char *data, size_t size)
{
    struct text lines = {0};
    const char *cursor = NULL;
    size_t cursor_size = 0;
    uint64_t count = 0;

    while (size > 0) {
        const char *newline = memchr(data, '\n', size);
        const char *space = newline ? memchr(data, ' ', (size_t)(newline - data)) : NULL;

        if (!space) {
            complain("the node on %s does not answer as a node of this version does",
                     watch->directory.path);
            end(watch, EXIT_INPUT_OUTPUT);
            break;
        }
        cursor = data;
        cursor_size = (size_t)(space - data);
        text_add_bytes(&lines, space + 1, (size_t)(newline - space));
        size -= (size_t)(newline + 1 - data);
        data = newline + 1;
        count++;
    }
    if (lines.failed)
        end_without_memory(watch);
    print(watch, lines.data, lines.failed ? 0 : lines.size);
    text_clear(&lines);
    if (!watch->ended && cursor)
        set_cursor(watch, cursor, cursor_size);
    return count;
}

/* The same of JSON, where the cursor is a field. */
static uint64_t print_json(struct watch *watch, const char *data, size_t size)
{
    const char *last = data;
    struct text cursor = {0};
    uint64_t count = 0;

    for (const char *line = data; line < data + size; count++) {
        last = line;
        line = (const char *)memchr(line, '\n', (size_t)(data + size - line)) + 1;
    }
    print(watch, data, size);
    if (watch->ended)
        return count;
    if (json_read_cursor(last, (size_t)(data + size - last), &cursor) && !cursor.failed) {
        set_cursor(watch, cursor.data, cursor.size);
    } else {
        complain("the node on %s does not answer as a node of this version does",
                 watch->directory.path);
        end(watch, EXIT_INPUT_OUTPUT);
    }
    text_clear(&cursor);
    return count;
}

/* Shows what has become whole with a block: a line that a node could not end is shown when it comes
 * again. */
static void take_block(struct watch *watch, const char *block, size_t size)
{
    const char *newline = memrchr(block, '\n', size);
    size_t whole = newline ? watch->line.size + (size_t)(newline + 1 - block) : 0;
    uint64_t count;

    text_add_bytes(&watch->line, block, size);
    if (watch->line.failed) {
        end_without_memory(watch);
        return;
    }
    if (whole == 0)
        return;
    count = watch->json ? print_json(watch, watch->line.data, whole)
                        : print_text(watch, watch->line.data, whole);
    watch->line.size -= whole;
    memmove(watch->line.data, watch->line.data + whole, watch->line.size);
    watch->has_shown = true;
    if (watch->left != ALL)
        watch->left -= count < watch->left ? count : watch->left;
    if (save_timeout_ms(watch) == 0)
        save(watch);
}

/* ---- The node. ---- */

static void refuse(struct watch *watch, const struct http_head *head)
{
    bool from_file = watch->file && head->status == 400 && watch->cursor.size > 0;
    struct text body = {0};
    struct text message = {0};
    char block[4096];
    int count;

    while ((count = client_body(&watch->client, block, sizeof(block))) > 0)
        text_add_bytes(&body, block, (size_t)count);
    if (watch->ended) {
        text_clear(&body);
        return;
    }
    if (!json_read_error(body.data ? body.data : "", body.size, &message))
        text_print(&message, "the node refused, and did not say why (HTTP status %d)",
                   head->status);
    complain("%s%s%s", from_file ? watch->file : "", from_file ? ": " : "",
             message.failed ? "no memory to say what is wrong" : message.data);
    end(watch, from_file             ? EXIT_DAMAGED
               : head->exit_code > 0 ? (enum exit_code)head->exit_code
                                     : EXIT_NO);
    text_clear(&body);
    text_clear(&message);
}

/* Shows what comes until the node or the watch ends. */
static void follow(struct watch *watch)
{
    const char *after = watch->cursor.size > 0 ? watch->cursor.data : watch->after;
    char number[24];
    struct text target = {0};
    struct http_head head;
    char *block = malloc(BLOCK_SIZE);
    int count;

    text_add(&target, "/v1/watch");
    client_add_argument(&target, "cursors", "1");
    if (after)
        client_add_argument(&target, "after", after);
    snprintf(number, sizeof(number), "%" PRIu64, watch->left);
    if (watch->left != ALL)
        client_add_argument(&target, "count", number);
    if (!watch->json && colour_is_wanted(STDOUT_FILENO))
        client_add_argument(&target, "colour", "1");
    if (!block || target.failed) {
        end_without_memory(watch);
    } else {
        client_send(&watch->client, "GET", target.data, !watch->json, NULL, 0);
        http_reader_start(&watch->client.reader, read_node, watch);
        watch->line.size = 0;
        count = client_head(&watch->client, &head);
        if (count == 0 && head.status != 200) {
            refuse(watch, &head);
        } else if (count == 0) {
            if (*head.notice)
                complain("%s", head.notice);
            while (!watch->ended && (count = client_body(&watch->client, block, BLOCK_SIZE)) > 0)
                take_block(watch, block, (size_t)count);
        }
        if (!watch->ended && count == HTTP_ERR_MALFORMED) {
            complain("what listens in %s does not answer as a node does", watch->directory.path);
            end(watch, EXIT_INPUT_OUTPUT);
        }
    }
    text_clear(&target);
    free(block);
}

/* Where nothing was asked for but what is new, begins after what is there. */
static enum exit_code find_now(struct watch *watch)
{
    struct text token = {0};
    enum exit_code code;

    if (watch->cursor.size > 0 || !watch->after || strcmp(watch->after, NOW) != 0)
        return EXIT_OK;
    code = ask(&(struct ask){.method = "GET",
                             .path = "/v1/clock",
                             .arguments = {{"token", "1"}},
                             .plain = true,
                             .quiet = true,
                             .answer = &token},
               watch->directory.path);
    if (code == EXIT_OK && token.size > 1) {
        set_cursor(watch, token.data, token.size - 1); /* Without the end of its line. */
        save(watch);
    }
    text_clear(&token);
    return code;
}

/* EXIT_NO_NODE, without a complaint. */
static enum exit_code connect_and_follow(struct watch *watch)
{
    enum exit_code code = find_now(watch);

    if (code == EXIT_OK && !watch->ended)
        code = client_connect(&watch->directory, &watch->client);
    if (code != EXIT_OK || watch->ended)
        return code;
    follow(watch);
    client_close(&watch->client);
    return EXIT_OK;
}

/* Waits until a node may have started. */
static void wait_for_node(struct watch *watch)
{
    char changes[4096];

    if (wait_ready(watch, watch->changes, POLLIN) &&
        read(watch->changes, changes, sizeof(changes)) < 0 && errno != EAGAIN && errno != EINTR)
        end(watch,
            complain_of_system("cannot wait for a node on", watch->directory.path, "try again"));
}

static void complain_of_end(const struct watch *watch)
{
    const char *path = watch->directory.path;

    if (watch->reconnects)
        complain("the node on %s has ended; this waits for it to start again", path);
    else if (watch->file)
        complain("the node on %s has ended; the same command goes on from here when it runs again",
                 path);
    else if (watch->cursor.size > 0 && watch->cursor.size <= CURSOR_SHOWN_MAX)
        complain("the node on %s has ended; --after %s goes on from here when it runs again", path,
                 watch->cursor.data);
    else
        complain("the node on %s has ended; --reconnect waits for it to start again", path);
}

static enum exit_code run_watch(struct watch *watch)
{
    const char *path = watch->directory.path;
    bool met = false;

    while (!watch->ended && watch->left > 0) {
        enum exit_code code = connect_and_follow(watch);

        if (code != EXIT_OK && code != EXIT_NO_NODE)
            return code;
        if (watch->ended || watch->left == 0)
            break;
        if (code == EXIT_OK) {
            if (!met || watch->has_shown)
                complain_of_end(watch);
            met = true;
            watch->has_shown = false;
        } else if (!met && !watch->reconnects) {
            complain("no node is running on %s; start it with `gossip node --dir %s --listen "
                     "ADDR:PORT`, or wait for it with --reconnect",
                     path, path);
        } else if (!met) {
            complain("no node is running on %s; this waits for it to start", path);
            met = true;
        }
        if (!watch->reconnects) {
            end(watch, EXIT_NO_NODE);
            break;
        }
        if (code == EXIT_NO_NODE)
            wait_for_node(watch);
    }
    save(watch);
    return watch->code;
}

/* ---- Beginning. ---- */

static enum exit_code open_watch(struct watch *watch)
{
    const char *path = watch->directory.path;
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) == 0)
        watch->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (watch->signals < 0)
        return complain_of_system("cannot wait for signals on", path,
                                  "close something and try again");
    if (watch->reconnects) {
        /* The socket of a node is renamed to its name when it listens. */
        watch->changes = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (watch->changes < 0 || inotify_add_watch(watch->changes, path, IN_MOVED_TO) < 0)
            return complain_of_system("cannot wait for a node on", path,
                                      "close something, or raise fs.inotify.max_user_watches");
    }
    return watch->file ? cursor_file_read(watch->file, &watch->cursor) : EXIT_OK;
}

static void close_watch(struct watch *watch)
{
    if (watch->signals >= 0)
        close(watch->signals);
    if (watch->changes >= 0)
        close(watch->changes);
    text_clear(&watch->line);
    text_clear(&watch->cursor);
    directory_close(&watch->directory);
}

static bool read_count(struct command_line *line, uint64_t *ret_count)
{
    char *rest;

    *ret_count = strtoull(optarg, &rest, 10);
    if (optarg[0] >= '1' && optarg[0] <= '9' && !*rest && strlen(optarg) <= 15)
        return true;
    command_line_refuse(line, "--count is a whole number from 1 on, not \"%s\"", optarg);
    return false;
}

static bool read_options(struct command_line *line, struct watch *watch)
{
    int option;

    while (!line->ended && (option = command_line_next(line)) != -1) {
        switch (option) {
        case 'A':
            watch->after = optarg;
            break;
        case 'C':
            watch->file = optarg;
            break;
        case 'N':
            read_count(line, &watch->left);
            break;
        default:
            watch->reconnects = true;
            break;
        }
    }
    if (!command_line_check(line, 0, 0))
        return false;
    if (watch->after && !*watch->after)
        command_line_refuse(line, "--after names no event");
    else if (watch->file && !*watch->file)
        command_line_refuse(line, "--cursor names no file");
    watch->json = line->json;
    return !line->ended;
}

static enum exit_code run(const struct command *command, int argc, char **argv)
{
    struct watch watch = {.left = ALL, .signals = -1, .changes = -1};
    struct command_line line;
    enum exit_code code;

    command_line_start(&line, command, argc, argv);
    if (!read_options(&line, &watch))
        return line.code;
    code = directory_open(line.directory, EXIT_NO_NODE, &watch.directory);
    if (code != EXIT_OK)
        return code;
    code = open_watch(&watch);
    if (code == EXIT_OK)
        code = run_watch(&watch);
    close_watch(&watch);
    return code;
}

static const struct command_option watch_options[] = {
    {.name = "after",
     .id = 'A',
     .value = "WHERE",
     .offers = OFFER_DOT,
     .text = "begin after a cursor (of an event's line with --json, or of `gossip clock --token`), "
             "after an event, or with what comes from now on: now"},
    {.name = "count", .id = 'N', .value = "N", .text = "end after N events"},
    {.name = "cursor",
     .id = 'C',
     .value = "FILE",
     .offers = OFFER_FILE,
     .text = "keep in FILE how far this has come, and go on from there the next time"},
    {.name = "reconnect", .id = 'R', .text = "where the node ends, wait until it runs again"},
    {.name = NULL},
};

const struct command command_watch = {
    .name = "watch",
    .group = GROUP_EVENTS,
    .summary = "show events as they are delivered",
    .usage = "[--dir D] [--after WHERE] [--count N] [--cursor FILE]\n"
             "                    [--reconnect] [--json]",
    .text = "Shows events in the order in which this node has delivered them, and goes on as more\n"
            "arrive: each at least once, from the first that the node holds. Ends on SIGINT and\n"
            "SIGTERM, and when nobody reads any more. Needs a running node.\n",
    .notes =
        "With --cursor each event is shown at least once across any end of this command, of the\n"
        "node, or of both, also where the node's store was restored or built again. --after\n"
        "then tells where to begin while there is no FILE.\n"
        "\n"
        "Exits with 3 when the node ends.\n",
    .json = "one object a line: as log, and delivery and cursor",
    .options = watch_options,
    .examples = "  gossip watch --dir n1\n"
                "  gossip watch --dir n1 --after now --json | jq -r .data\n"
                "  gossip watch --dir n1 --cursor seen --reconnect\n"
                "  gossip watch --dir n1 --count 10\n",
    .run = run,
};
