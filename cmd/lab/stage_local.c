/*
 * Scripts on real processes: `gossip node` on loopback addresses, each with the faults that links
 * are made of around its transport. What is seen of a node is what its local API shows: a stream of
 * what it delivers, and answers. Nothing here waits without looking at all of them.
 */
#include "cmd/lab/stage.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cmd/child.h"
#include "cmd/client.h"
#include "cmd/directory.h"
#include "cmd/json.h"
#include "cmd/lab/room.h"
#include "transport/faults.h"

enum {
    KILLED = 128 + SIGKILL,
    START_MS = 20000,  /* For a node to answer, once it was started; */
    END_MS = 20000,    /* and to end, once it was told to. */
    ANSWER_MS = 10000, /* For any other answer. */
    LOOK_MS = 5,       /* Between looks at what tells of nothing by itself. */
    CATCH_UP_MS = 250, /* What a clock has, and a node does not show: some of it is never shown. */
    BATCH_MAX = 1000,  /* Publications of one request. */
    BATCH_SIZE = 512 * 1024,
    JOINS = 2,
    BLOCK_SIZE = 65536,
    PORT_TRIES = 20,
};

struct publication {
    struct publication *next;
    size_t size;
    char data[];
};

struct local_node {
    char *path;   /* Its directory, */
    char *log;    /* and beside it what it says, */
    char *faults; /* what holds from its start, */
    char *kept;   /* and the copy of its files. */
    char address[GOSSIP_ADDRESS_TEXT_MAX];
    char certified[SCRIPT_NAME_MAX + 1]; /* A copy has the name of its original. */
    pid_t pid;                           /* 0: it does not run. */
    bool is_paused;
    bool is_double;        /* It has ended because another has its key. */
    bool is_stale;         /* It has yet to hear what its links do. */
    struct directory home; /* Descriptor -1: it has no files. */

    int watch; /* The stream of what it delivers; -1: none. */
    bool has_head;
    struct text input; /* Not whole yet. */
    struct text cursor;
    struct text kept_cursor;

    struct publication *first; /* Not asked for yet. */
    struct publication *last;
    size_t queued;
    size_t asked; /* Without an answer; 0: no request is under way. */
    struct client post;
    uint64_t answered; /* Since its start so many were, */
    uint64_t shown;    /* and so many of its own have been shown. */

    uint64_t datagrams; /* Of its earlier processes. */
    uint64_t bytes;
    uint64_t process_datagrams; /* Of this one, as it was asked last. */
    uint64_t process_bytes;
};

struct local {
    struct stage base;
    const struct script *script;
    char *place;
    unsigned count;
    uint16_t port;
    int signals;
    sigset_t signals_before;
    struct timespec began;
    struct local_node nodes[SCRIPT_NODES_MAX];
    struct script_link links[SCRIPT_NODES_MAX][SCRIPT_NODES_MAX];
    bool is_cut[SCRIPT_NODES_MAX][SCRIPT_NODES_MAX];
};

static struct local *local_of(const struct stage *stage)
{
    /* The first member; stages are never const themselves. */
    union {
        const struct stage *stage;
        struct local *local;
    } same = {stage};

    return same.local;
}

static uint64_t local_now(const struct stage *stage)
{
    const struct local *local = local_of(stage);
    struct timespec now;
    int64_t ns;

    clock_gettime(CLOCK_MONOTONIC, &now);
    ns = (int64_t)(now.tv_sec - local->began.tv_sec) * 1000000000 +
         (now.tv_nsec - local->began.tv_nsec);
    return (uint64_t)ns / 1000000;
}

static const char *name_of(const struct local *local, unsigned node)
{
    return local->script->nodes[node].name;
}

__attribute__((format(printf, 2, 3))) static bool fail(struct local *local, const char *format, ...)
{
    va_list arguments;

    if (local->base.signal != 0)
        return false; /* Nothing that follows is worth telling. */
    va_start(arguments, format);
    vsnprintf(local->base.explanation, sizeof(local->base.explanation), format, arguments);
    va_end(arguments);
    return false;
}

static bool is_sound(struct local *local)
{
    if (local->base.signal == 0)
        return true;
    snprintf(local->base.explanation, sizeof(local->base.explanation), "it was told to end");
    return false;
}

/* ---- What is seen. ---- */

/* "n1#" and the digits of epoch and id: the name in full. */
static bool find_author(struct local *local, const char *name, uint32_t *ret_author,
                        const char **ret_end)
{
    const char *mark = strchr(name, '#');
    size_t length = mark ? (size_t)(mark - name) : 0;
    uint8_t id[GOSSIP_ID_SIZE];

    if (!mark || strlen(mark + 1) != 2 * (GOSSIP_EPOCH_SIZE + GOSSIP_ID_SIZE))
        return false;
    for (size_t i = 0; i < sizeof(id); i++) {
        unsigned byte;

        if (sscanf(mark + 1 + 2 * (GOSSIP_EPOCH_SIZE + i), "%2x", &byte) != 1)
            return false;
        id[i] = (uint8_t)byte;
    }
    for (unsigned i = 0; i < local->count; i++) {
        if (strlen(name_of(local, i)) != length || memcmp(name_of(local, i), name, length) != 0)
            continue;
        *ret_author = journal_author(local->base.journal, id, i);
        *ret_end = mark;
        return true;
    }
    return false;
}

struct seen_clock {
    struct local *local;
    struct counts counts;
    bool failed;
};

static void see_entry(void *context, const char *name, uint64_t count)
{
    struct seen_clock *clock = context;
    const char *end;
    uint32_t author;

    if (find_author(clock->local, name, &author, &end))
        counts_set(&clock->counts, author, count);
    else
        clock->failed = true;
}

/* A line of the stream. */
static bool see_event(struct local *local, unsigned number, const char *line, size_t size)
{
    struct local_node *node = &local->nodes[number];
    struct journal *journal = local->base.journal;
    struct seen_clock clock = {.local = local};
    struct json_event event;
    const char *end = NULL;
    uint32_t author = 0;
    bool is_whole = json_read_event(line, size, see_entry, &clock, &event);
    bool is_own;

    is_whole = is_whole && !clock.failed && find_author(local, event.author, &author, &end);
    if (is_whole) {
        is_own = strncmp(event.author, node->certified, (size_t)(end - event.author)) == 0 &&
                 node->certified[end - event.author] == '\0';
        text_clear(&node->cursor);
        text_add(&node->cursor, event.cursor);
        node->shown += is_own && event.is_payload && !event.has_supersedes;
        journal_shown(journal, local_now(&local->base), number,
                      &(struct journal_shown){
                          .id = journal->authors[author].id,
                          .author_node = journal->authors[author].node,
                          .is_own = is_own,
                          .seq = event.seq,
                          .hash = event.hash,
                          .supersedes = event.has_supersedes ? event.supersedes : NULL,
                          .is_payload = event.is_payload,
                          .data = event.data,
                          .size = event.size,
                          .clock = &clock.counts,
                      });
    }
    json_event_clear(&event);
    counts_clear(&clock.counts);
    return is_whole ||
           fail(local, "%s shows what is no event: %.200s", name_of(local, number), line);
}

/* What has come of the stream, line by line. */
static bool see_lines(struct local *local, unsigned number)
{
    struct local_node *node = &local->nodes[number];
    size_t used = 0;
    char *stop;

    if (node->input.failed)
        abort(); /* No memory. */
    if (!node->has_head) {
        char *end = node->input.data ? strstr(node->input.data, "\r\n\r\n") : NULL;

        if (!end)
            return true;
        if (strncmp(node->input.data, "HTTP/1.1 200 ", 13) != 0 &&
            strncmp(node->input.data, "HTTP/1.0 200 ", 13) != 0)
            return fail(local, "%s does not show its events: %.200s", name_of(local, number),
                        node->input.data);
        node->has_head = true;
        used = (size_t)(end + 4 - node->input.data);
    }
    while (used < node->input.size &&
           (stop = memchr(node->input.data + used, '\n', node->input.size - used)) != NULL) {
        *stop = '\0';
        if (!see_event(local, number, node->input.data + used,
                       (size_t)(stop - node->input.data) - used))
            return false;
        used = (size_t)(stop + 1 - node->input.data);
    }
    if (used > 0) {
        struct text rest = {0};

        text_add_bytes(&rest, node->input.data + used, node->input.size - used);
        text_clear(&node->input);
        node->input = rest;
    }
    return true;
}

/* Reads what has come, without waiting; at its end the stream is closed. */
static bool read_watch(struct local *local, unsigned number)
{
    struct local_node *node = &local->nodes[number];
    char *block = room_new(BLOCK_SIZE);
    bool is_good = true;

    while (node->watch >= 0 && is_good) {
        ssize_t count = recv(node->watch, block, BLOCK_SIZE, MSG_DONTWAIT);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (count <= 0) {
            close(node->watch);
            node->watch = -1;
            break;
        }
        text_add_bytes(&node->input, block, (size_t)count);
        is_good = see_lines(local, number);
    }
    free(block);
    return is_good;
}

static bool open_watch(struct local *local, unsigned number, struct client *client)
{
    struct local_node *node = &local->nodes[number];
    struct text request = {0};
    bool is_sent;

    text_clear(&node->input);
    node->has_head = false;
    node->watch = client->socket;
    client->socket = -1;
    /* Of an older version of HTTP, so that the stream is what it is, without chunks. */
    text_add(&request, "GET /v1/watch?full=1");
    if (node->cursor.size > 0)
        text_print(&request, "&after=%s", node->cursor.data);
    text_add(&request, " HTTP/1.0\r\nHost: gossip\r\n\r\n");
    is_sent = !request.failed &&
              send(node->watch, request.data, request.size, MSG_NOSIGNAL) == (ssize_t)request.size;
    text_clear(&request);
    return is_sent || fail(local, "%s takes no request", name_of(local, number));
}

/* ---- Requests. ---- */

/* Asks, and waits for the answer. False where there is none, or an error. */
static bool ask_node(struct local *local, unsigned number, const char *method, const char *target,
                     const struct text *body, struct text *ret_answer)
{
    struct local_node *node = &local->nodes[number];
    struct client client;
    struct http_head head = {0};
    char block[4096];
    int count;

    if (client_connect(&node->home, &client) != EXIT_OK)
        return fail(local, "%s does not answer %s", name_of(local, number), target);
    client.patience_ms = ANSWER_MS;
    count =
        client_send(&client, method, target, false, body ? body->data : NULL, body ? body->size : 0)
            ? client_head(&client, &head)
            : HTTP_ERR_READ;
    while (count >= 0 && (count = client_body(&client, block, sizeof(block))) > 0)
        text_add_bytes(ret_answer, block, (size_t)count);
    client_close(&client);
    if (count == 0 && head.status == 200 && !ret_answer->failed)
        return true;
    return fail(local, "%s answers %s with: %.300s", name_of(local, number), target,
                ret_answer->data ? ret_answer->data : "nothing");
}

static void drop_publications(struct local_node *node)
{
    while (node->first) {
        struct publication *next = node->first->next;

        free(node->first);
        node->first = next;
    }
    node->last = NULL;
    node->queued = 0;
    if (node->asked > 0)
        client_close(&node->post);
    node->asked = 0;
}

/* Whether it can be one of several lines. */
static bool is_line(const struct publication *publication)
{
    return publication->size > 0 && !memchr(publication->data, '\n', publication->size);
}

/* Asks for what waits: many lines share a commit. */
static bool post(struct local *local, unsigned number)
{
    struct local_node *node = &local->nodes[number];
    bool are_lines = node->queued > 0 && is_line(node->first);
    struct text body = {0};
    bool is_sent;

    if (node->queued == 0 || node->asked > 0 || node->is_paused || node->watch < 0)
        return true;
    if (client_connect(&node->home, &node->post) != EXIT_OK)
        return true; /* It ends. */
    do {
        struct publication *publication = node->first;

        text_add_bytes(&body, publication->data, publication->size);
        if (are_lines)
            text_add(&body, "\n");
        node->first = publication->next;
        if (!node->first)
            node->last = NULL;
        free(publication);
        node->queued--;
        node->asked++;
    } while (are_lines && node->first && is_line(node->first) && node->asked < BATCH_MAX &&
             body.size + node->first->size < BATCH_SIZE);
    if (body.failed)
        abort(); /* No memory. */
    node->post.patience_ms = ANSWER_MS;
    is_sent = client_send(&node->post, "POST", are_lines ? "/v1/events?lines=1" : "/v1/events",
                          false, body.data, body.size);
    text_clear(&body);
    return is_sent || fail(local, "%s does not take an event", name_of(local, number));
}

static void read_post(struct local *local, unsigned number)
{
    struct local_node *node = &local->nodes[number];
    struct text answer = {0};
    struct text fault = {0};
    struct http_head head;
    char block[4096];
    int count = client_head(&node->post, &head);

    while (count >= 0 && (count = client_body(&node->post, block, sizeof(block))) > 0)
        text_add_bytes(&answer, block, (size_t)count);
    client_close(&node->post);
    node->asked = 0;
    for (const char *line = answer.data; line && *line;) {
        size_t length = strcspn(line, "\n");

        if (strncmp(line, "{\"dot\":", 7) == 0)
            node->answered++;
        else if (!fault.data && json_read_error(line, length, &fault))
            journal_notice(local->base.journal, local_now(&local->base), number, fault.data);
        line += length + (line[length] == '\n');
    }
    text_clear(&fault);
    text_clear(&answer);
}

/* ---- Processes. ---- */

/* A process has ended; what it had shown before is seen first. */
static bool see_end(struct local *local, unsigned number, unsigned line, int code, const char *text)
{
    struct local_node *node = &local->nodes[number];
    bool is_good = read_watch(local, number);

    if (node->watch >= 0)
        close(node->watch);
    node->watch = -1;
    drop_publications(node);
    node->pid = 0;
    node->is_paused = false;
    node->is_double = code == EXIT_CONFIGURATION;
    node->datagrams += node->process_datagrams;
    node->bytes += node->process_bytes;
    node->process_datagrams = node->process_bytes = 0;
    journal_ended(local->base.journal, local_now(&local->base), line, number, code, text);
    return is_good;
}

/* Those that have ended, though nobody said so. */
static bool see_ends(struct local *local)
{
    bool is_good = true;

    for (unsigned i = 0; i < local->count; i++) {
        struct local_node *node = &local->nodes[i];
        char text[64];
        int status;

        if (node->pid == 0 || waitpid(node->pid, &status, WNOHANG) != node->pid)
            continue;
        snprintf(text, sizeof(text), "its process has ended with %d", child_code(status));
        is_good = see_end(local, i, 0, child_code(status), text) && is_good;
    }
    return is_good;
}

static void read_signals(struct local *local)
{
    struct signalfd_siginfo signal;

    while (read(local->signals, &signal, sizeof(signal)) == (ssize_t)sizeof(signal))
        if (signal.ssi_signo != SIGCHLD)
            local->base.signal = (int)signal.ssi_signo;
}

/* Waits so long at most for something to happen, and takes all that has. */
static bool look(struct local *local, uint64_t ms)
{
    struct pollfd waits[1 + 2 * SCRIPT_NODES_MAX];
    bool is_good = true;

    for (unsigned i = 0; i < local->count && is_good; i++)
        if (local->nodes[i].pid != 0)
            is_good = post(local, i);
    waits[0] = (struct pollfd){.fd = local->signals, .events = POLLIN};
    for (unsigned i = 0; i < local->count; i++) {
        struct local_node *node = &local->nodes[i];

        waits[1 + 2 * i] = (struct pollfd){.fd = node->watch, .events = POLLIN};
        waits[2 + 2 * i] =
            (struct pollfd){.fd = node->asked > 0 ? node->post.socket : -1, .events = POLLIN};
    }
    if (is_good && poll(waits, 1 + 2 * local->count, ms < 1000 ? (int)ms : 1000) < 0 &&
        errno != EINTR)
        return fail(local, "cannot wait for nodes: %s", strerror(errno));
    read_signals(local);
    for (unsigned i = 0; i < local->count && is_good; i++) {
        is_good = waits[1 + 2 * i].revents == 0 || read_watch(local, i);
        if (waits[2 + 2 * i].revents != 0 && local->nodes[i].asked > 0)
            read_post(local, i);
    }
    return see_ends(local) && is_good && is_sound(local);
}

/* ---- Links. ---- */

/* What happens to what node receives; and, where nothing passes, to what it sends: a node that does
 * not know of the cut yet, as it starts or is paused, is no hole in it. */
static void add_faults(const struct local *local, unsigned node, struct text *ret_text)
{
    for (unsigned i = 0; i < local->count; i++) {
        const struct script_link *link = &local->links[i][node];
        const char *address = local->nodes[i].address;

        if (i == node)
            continue;
        if (local->is_cut[node][i])
            text_print(ret_text, "out %s cut\n", address);
        if (local->is_cut[i][node])
            text_print(ret_text, "in %s cut\n", address);
        else if (link->latency_ms > 0 || link->jitter_ms > 0 || link->loss_ppm > 0 ||
                 link->duplicate_ppm > 0)
            text_print(ret_text,
                       "in %s latency %" PRIu32 "ms jitter %" PRIu32 "ms loss %" PRIu32
                       ".%04" PRIu32 "%% duplicate %" PRIu32 ".%04" PRIu32 "%%\n",
                       address, link->latency_ms, link->jitter_ms, link->loss_ppm / 10000,
                       link->loss_ppm % 10000, link->duplicate_ppm / 10000,
                       link->duplicate_ppm % 10000);
    }
    if (ret_text->failed)
        abort(); /* No memory. */
}

/* Tells nodes what their links do, where that has changed. */
static bool tell_links(struct local *local)
{
    bool is_good = true;

    for (unsigned i = 0; i < local->count && is_good; i++) {
        struct local_node *node = &local->nodes[i];
        struct text faults = {0};
        struct text answer = {0};

        if (!node->is_stale || node->pid == 0 || node->is_paused)
            continue;
        add_faults(local, i, &faults);
        is_good = ask_node(local, i, "POST", "/v1/faults", &faults, &answer);
        text_clear(&faults);
        text_clear(&answer);
        node->is_stale = false;
        /* It may just have ended, which is another thing. */
        if (!is_good && see_ends(local) && node->pid == 0)
            is_good = true;
    }
    return is_good;
}

static bool local_set_link(struct stage *stage, unsigned from, unsigned to,
                           const struct script_link *link)
{
    struct local *local = local_of(stage);

    local->is_cut[from][to] = link == NULL;
    if (link)
        local->links[from][to] = *link;
    local->nodes[from].is_stale = local->nodes[to].is_stale = true;
    return true;
}

/* ---- What is done. ---- */

static bool local_advance(struct stage *stage, uint64_t until_ms)
{
    struct local *local = local_of(stage);
    uint64_t version = stage->journal->version;
    bool is_good = tell_links(local);

    while (is_good && stage->journal->version == version && local_now(stage) < until_ms)
        is_good = look(local, until_ms - local_now(stage));
    return is_good && is_sound(local);
}

static bool write_faults(struct local *local, unsigned number)
{
    struct text text = {0};
    FILE *file = fopen(local->nodes[number].faults, "we");
    bool is_written = file != NULL;

    add_faults(local, number, &text);
    if (file && text.size > 0)
        is_written = fwrite(text.data, 1, text.size, file) == text.size;
    if (file)
        is_written = fclose(file) == 0 && is_written;
    text_clear(&text);
    local->nodes[number].is_stale = false;
    return is_written ||
           fail(local, "cannot write %s: %s", local->nodes[number].faults, strerror(errno));
}

static bool spawn(struct local *local, unsigned number)
{
    struct local_node *node = &local->nodes[number];
    const char *arguments[16 + 2 * JOINS] = {
        "gossip",   "node", "--dir",          node->path, "--listen",  node->address,
        "--period", NULL,   "--allow-faults", "--faults", node->faults};
    size_t count = 11;
    char period[16];

    snprintf(period, sizeof(period), "%" PRIu32, local->script->period_ms);
    arguments[7] = period;
    /* Of the first two it is told, and hears from them of the others. */
    for (unsigned i = 0; i < JOINS && i < local->count && number > 0; i++) {
        if (i == number)
            continue;
        arguments[count++] = "--join";
        arguments[count++] = local->nodes[i].address;
    }
    if (!write_faults(local, number))
        return false;
    node->pid = child_start(arguments, node->log, SIGKILL);
    if (node->pid >= 0)
        return true;
    node->pid = 0;
    return fail(local, "cannot start a process: %s", strerror(errno));
}

/* As a person does, who knows which of two is the original. */
static bool tell_which(struct local *local, unsigned number)
{
    struct local_node *node = &local->nodes[number];
    const char *arguments[] = {"gossip", "recover", "--dir", node->path, "--keep-key", NULL};
    pid_t pid;

    if (!node->is_double)
        return true;
    pid = child_start(arguments, node->log, SIGKILL);
    if (pid < 0)
        return fail(local, "cannot start a process: %s", strerror(errno));
    node->is_double = false;
    return child_wait(pid) == EXIT_OK ||
           fail(local, "%s cannot be told that it is the original", name_of(local, number));
}

static bool local_start(struct stage *stage, unsigned line, unsigned number)
{
    struct local *local = local_of(stage);
    struct local_node *node = &local->nodes[number];
    uint64_t end_ms = local_now(stage) + START_MS;
    struct client client;
    bool is_good;

    (void)line;
    if (!is_sound(local) || !tell_links(local) || !tell_which(local, number) ||
        !spawn(local, number))
        return false;
    node->answered = node->shown = 0;
    journal_started(stage->journal, local_now(stage), number);
    for (;;) {
        enum exit_code code = client_connect(&node->home, &client);

        if (code == EXIT_OK)
            break;
        if (code != EXIT_NO_NODE || local_now(stage) >= end_ms)
            return fail(local, "%s does not answer after its start", name_of(local, number));
        if (!look(local, LOOK_MS))
            return false;
        if (node->pid == 0)
            return true; /* It has ended by itself, and that is in the journal. */
    }
    is_good = open_watch(local, number, &client);
    if (client.process >= 0)
        close(client.process);
    return is_good && is_sound(local);
}

/* Waits until it has ended. */
static bool await_end(struct local *local, unsigned number, unsigned line)
{
    struct local_node *node = &local->nodes[number];
    uint64_t end_ms = local_now(&local->base) + END_MS;
    int status;

    while (waitpid(node->pid, &status, WNOHANG) != node->pid) {
        if (local_now(&local->base) >= end_ms)
            return fail(local, "%s has not ended in %d seconds", name_of(local, number),
                        END_MS / 1000);
        if (!read_watch(local, number))
            return false;
        poll(&(struct pollfd){.fd = local->signals, .events = POLLIN}, 1, LOOK_MS);
        read_signals(local);
        if (!is_sound(local))
            return false;
    }
    return see_end(local, number, line, child_code(status), NULL);
}

/* What its links have carried so far. */
static bool ask_traffic(struct local *local, unsigned number)
{
    struct local_node *node = &local->nodes[number];
    struct text answer = {0};
    bool is_good = ask_node(local, number, "GET", "/v1/status", NULL, &answer);

    if (is_good)
        is_good = json_read_traffic(answer.data, answer.size, &node->process_datagrams,
                                    &node->process_bytes) ||
                  fail(local, "%s does not say what it has sent", name_of(local, number));
    text_clear(&answer);
    return is_good;
}

static bool local_stop(struct stage *stage, unsigned line, unsigned number)
{
    struct local *local = local_of(stage);
    struct local_node *node = &local->nodes[number];

    if (!look(local, 0))
        return false;
    if (node->pid == 0)
        return true;
    if (node->is_paused)
        kill(node->pid, SIGCONT);
    else if (!ask_traffic(local, number))
        return false;
    kill(node->pid, SIGTERM);
    return await_end(local, number, line);
}

static bool local_kill(struct stage *stage, unsigned line, unsigned number)
{
    struct local *local = local_of(stage);

    if (!look(local, 0))
        return false;
    if (local->nodes[number].pid == 0)
        return true;
    kill(local->nodes[number].pid, SIGKILL);
    return await_end(local, number, line);
}

static bool local_pause(struct stage *stage, unsigned number)
{
    struct local *local = local_of(stage);

    if (!tell_links(local) || !look(local, 0))
        return false;
    if (local->nodes[number].pid == 0)
        return true;
    local->nodes[number].is_paused = true;
    kill(local->nodes[number].pid, SIGSTOP);
    return true;
}

static bool local_resume(struct stage *stage, unsigned number)
{
    struct local *local = local_of(stage);

    if (local->nodes[number].pid == 0)
        return true;
    kill(local->nodes[number].pid, SIGCONT);
    local->nodes[number].is_paused = false;
    return tell_links(local);
}

static bool local_publish(struct stage *stage, unsigned number, const void *data, size_t size)
{
    struct local *local = local_of(stage);
    struct local_node *node = &local->nodes[number];
    struct publication *publication = room_new(sizeof(*publication) + size);

    publication->size = size;
    memcpy(publication->data, data, size);
    if (node->last)
        node->last->next = publication;
    else
        node->first = publication;
    node->last = publication;
    node->queued++;
    return tell_links(local) && post(local, number);
}

static size_t local_waiting(struct stage *stage)
{
    struct local *local = local_of(stage);
    size_t waiting = 0;

    for (unsigned i = 0; i < local->count; i++) {
        const struct local_node *node = &local->nodes[i];

        if (node->pid == 0 || node->is_paused)
            continue;
        waiting += node->queued + node->asked;
        if (node->answered > node->shown)
            waiting += node->answered - node->shown;
    }
    return waiting;
}

/* ---- Files. ---- */

static bool copy_file(int from, int to)
{
    char block[16384];
    ssize_t size;

    while ((size = read(from, block, sizeof(block))) > 0)
        for (ssize_t done = 0; done < size;) {
            ssize_t count = write(to, block + done, (size_t)(size - done));

            if (count < 0)
                return false;
            done += count;
        }
    return size == 0;
}

/* Copies all files of one directory to another, which is empty. */
static bool copy_files(const char *from, const char *to)
{
    DIR *listing = opendir(from);
    int target = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct dirent *entry;
    bool is_good = listing && target >= 0;

    while (is_good && (entry = readdir(listing)) != NULL) {
        struct stat status;
        int source;
        int copy;

        if (fstatat(dirfd(listing), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(status.st_mode))
            continue;
        source = openat(dirfd(listing), entry->d_name, O_RDONLY | O_CLOEXEC);
        copy = openat(target, entry->d_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                      status.st_mode & 0777);
        is_good = source >= 0 && copy >= 0 && copy_file(source, copy);
        if (source >= 0)
            close(source);
        if (copy >= 0)
            is_good = close(copy) == 0 && is_good;
    }
    if (target >= 0)
        close(target);
    if (listing)
        closedir(listing);
    return is_good;
}

static bool remove_files(const char *path)
{
    DIR *listing = opendir(path);
    const struct dirent *entry;
    bool is_good = listing != NULL;

    while (is_good && (entry = readdir(listing)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            is_good = unlinkat(dirfd(listing), entry->d_name, 0) == 0;
    if (listing)
        closedir(listing);
    return is_good;
}

/* Has the files of one directory in another too, in place of what is there. */
static bool put_files(struct local *local, const char *from, const char *to)
{
    if ((mkdir(to, 0700) == 0 || errno == EEXIST) && remove_files(to) && copy_files(from, to))
        return true;
    return fail(local, "cannot copy %s to %s: %s", from, to, strerror(errno));
}

static void copy_text(struct text *to, const struct text *from)
{
    text_clear(to);
    if (from->size > 0)
        text_add_bytes(to, from->data, from->size);
}

static bool local_backup(struct stage *stage, unsigned number)
{
    struct local *local = local_of(stage);
    struct local_node *node = &local->nodes[number];

    copy_text(&node->kept_cursor, &node->cursor);
    return put_files(local, node->path, node->kept);
}

static bool local_restore(struct stage *stage, unsigned number, bool is_machine)
{
    struct local *local = local_of(stage);
    struct local_node *node = &local->nodes[number];

    (void)is_machine; /* Refused before anything starts. */
    copy_text(&node->cursor, &node->kept_cursor);
    return put_files(local, node->kept, node->path);
}

static bool open_home(struct local *local, unsigned number)
{
    struct local_node *node = &local->nodes[number];

    if (directory_open(node->path, EXIT_CONFIGURATION, &node->home) == EXIT_OK)
        return true;
    node->home.descriptor = -1;
    return fail(local, "cannot open %s", node->path);
}

static bool local_clone(struct stage *stage, unsigned number, unsigned copy)
{
    struct local *local = local_of(stage);
    const struct local_node *node = &local->nodes[number];

    copy_text(&local->nodes[copy].cursor, &node->cursor);
    memcpy(local->nodes[copy].certified, node->certified, sizeof(node->certified));
    return put_files(local, node->path, local->nodes[copy].path) && open_home(local, copy);
}

static bool local_skew(struct stage *stage, unsigned node, int64_t ms)
{
    (void)node;
    (void)ms;
    return fail(local_of(stage), "no clock can be set here");
}

static bool local_disk(struct stage *stage, unsigned node, enum script_disk disk, uint64_t number)
{
    (void)node;
    (void)disk;
    (void)number;
    return fail(local_of(stage), "no disk can be made to fail here");
}

/* ---- Clocks and figures. ---- */

/* Reads on until a node has shown all that its clock has, or as good as. */
static bool catch_up(struct local *local, unsigned number, const struct counts *clock)
{
    uint64_t end_ms = local_now(&local->base) + CATCH_UP_MS;
    bool is_good = true;

    while (is_good && local->nodes[number].pid != 0 && local_now(&local->base) < end_ms &&
           !counts_cover(&local->base.journal->nodes[number].seen, clock))
        is_good = look(local, LOOK_MS);
    return is_good;
}

static bool read_clock(struct local *local, unsigned number)
{
    struct seen_clock clock = {.local = local};
    struct text answer = {0};
    bool is_good = ask_node(local, number, "GET", "/v1/clock?full=1", NULL, &answer);

    if (!is_good && see_ends(local) && local->nodes[number].pid == 0) {
        text_clear(&answer);
        return true; /* It has just ended. */
    }
    if (is_good)
        is_good = (json_read_clock(answer.data, answer.size, see_entry, &clock) && !clock.failed) ||
                  fail(local, "%s has a clock that cannot be read: %.200s", name_of(local, number),
                       answer.data);
    is_good = is_good && catch_up(local, number, &clock.counts);
    if (is_good && local->nodes[number].pid != 0)
        journal_clock(local->base.journal, local_now(&local->base), number, &clock.counts);
    counts_clear(&clock.counts);
    text_clear(&answer);
    return is_good;
}

static bool local_read_clocks(struct stage *stage)
{
    struct local *local = local_of(stage);
    bool is_good = tell_links(local) && look(local, 0);

    for (unsigned i = 0; i < local->count && is_good; i++)
        if (local->nodes[i].pid != 0 && !local->nodes[i].is_paused)
            is_good = read_clock(local, i);
    return is_good;
}

static bool local_count_traffic(struct stage *stage)
{
    struct local *local = local_of(stage);
    uint64_t datagrams = 0;
    uint64_t bytes = 0;
    bool is_good = true;

    for (unsigned i = 0; i < local->count && is_good; i++) {
        struct local_node *node = &local->nodes[i];

        if (node->pid != 0 && !node->is_paused && !ask_traffic(local, i))
            is_good = see_ends(local) && node->pid == 0;
        datagrams += node->datagrams + node->process_datagrams;
        bytes += node->bytes + node->process_bytes;
    }
    if (is_good)
        journal_traffic(stage->journal, local_now(stage), datagrams, bytes);
    return is_good;
}

static bool local_verdict(struct stage *stage, char *ret_title, size_t title_size, bool *ret_passed,
                          char *ret_witness, size_t witness_size)
{
    (void)stage;
    (void)ret_title;
    (void)title_size;
    (void)ret_passed;
    (void)ret_witness;
    (void)witness_size;
    return false;
}

static void local_read_log(struct stage *stage, unsigned number, struct text *ret_text)
{
    FILE *file = fopen(local_of(stage)->nodes[number].log, "re");
    char block[4096];
    size_t size;

    if (!file)
        return; /* A copy that never came to be. */
    while ((size = fread(block, 1, sizeof(block), file)) > 0)
        text_add_bytes(ret_text, block, size);
    if (ferror(file))
        text_print(ret_text, "the rest cannot be read: %s\n", strerror(errno));
    fclose(file);
}

/* ---- All of it. ---- */

static void local_close(struct stage *stage)
{
    struct local *local = local_of(stage);

    if (!local)
        return;
    for (unsigned i = 0; i < local->count; i++)
        if (local->nodes[i].pid != 0)
            kill(local->nodes[i].pid, SIGKILL);
    for (unsigned i = 0; i < local->count; i++) {
        struct local_node *node = &local->nodes[i];

        if (node->pid != 0)
            child_wait(node->pid);
        drop_publications(node);
        if (node->watch >= 0)
            close(node->watch);
        if (node->home.descriptor >= 0)
            directory_close(&node->home);
        text_clear(&node->input);
        text_clear(&node->cursor);
        text_clear(&node->kept_cursor);
        free(node->path);
        free(node->log);
        free(node->faults);
        free(node->kept);
    }
    child_remove_place(local->place);
    if (local->signals >= 0)
        close(local->signals);
    sigprocmask(SIG_SETMASK, &local->signals_before, NULL);
    free(local);
}

static const struct stage_ops local_ops = {
    .name = "local",
    .abilities = 1U << ABILITY_PROCESSES | 1U << ABILITY_LINKS | 1U << ABILITY_FILES,
    .now_ms = local_now,
    .advance = local_advance,
    .start = local_start,
    .stop = local_stop,
    .kill = local_kill,
    .pause = local_pause,
    .resume = local_resume,
    .publish = local_publish,
    .waiting = local_waiting,
    .set_link = local_set_link,
    .backup = local_backup,
    .restore = local_restore,
    .clone = local_clone,
    .skew = local_skew,
    .disk = local_disk,
    .read_clocks = local_read_clocks,
    .count_traffic = local_count_traffic,
    .verdict = local_verdict,
    .read_log = local_read_log,
    .close = local_close,
};

static char *path_of(const struct local *local, unsigned node, const char *ending)
{
    char *path;

    if (asprintf(&path, "%s/%s%s", local->place, name_of(local, node), ending) < 0)
        abort(); /* No memory. */
    return path;
}

/* One port that is free at each of the addresses. */
static bool is_free(uint16_t *port, unsigned index)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(*port), .sin_addr = {htonl(0x7f4d0101U + index)}};
    socklen_t size = sizeof(address);
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool is_bound = descriptor >= 0 &&
                    bind(descriptor, (const struct sockaddr *)&address, size) == 0 &&
                    getsockname(descriptor, (struct sockaddr *)&address, &size) == 0;

    if (is_bound)
        *port = ntohs(address.sin_port);
    if (descriptor >= 0)
        close(descriptor);
    return is_bound;
}

static enum exit_code find_port(struct local *local)
{
    for (unsigned i = 0; i < PORT_TRIES; i++) {
        uint16_t port = 0;
        unsigned index = 0;

        while (index < local->count && is_free(&port, index))
            index++;
        if (index == local->count) {
            local->port = port;
            return EXIT_OK;
        }
    }
    return complain_of_system("cannot find a free port on", "127.77.1.1 and those that follow",
                              "end what listens there");
}

static enum exit_code make_nodes(struct local *local)
{
    enum exit_code code = EXIT_OK;
    const char *cluster = NULL;
    char *made = NULL;

    for (unsigned i = 0; i < local->count && code == EXIT_OK; i++) {
        struct local_node *node = &local->nodes[i];

        node->path = path_of(local, i, "");
        node->log = path_of(local, i, ".log");
        node->faults = path_of(local, i, ".faults");
        node->kept = path_of(local, i, ".backup");
        snprintf(node->address, sizeof(node->address), "127.77.1.%u:%u", i + 1, local->port);
        snprintf(node->certified, sizeof(node->certified), "%s", name_of(local, i));
        if (local->script->nodes[i].is_copy)
            continue;
        code = child_init("lab", node->path, name_of(local, i), cluster, node->log);
        if (code == EXIT_OK && !open_home(local, i))
            code = EXIT_CONFIGURATION;
        if (!cluster) {
            made = path_of(local, i, "/cluster.key");
            cluster = made;
        }
        read_signals(local);
        if (local->base.signal != 0)
            break;
    }
    free(made);
    return code;
}

static struct stage *open_local(const struct script *script, uint64_t seed, struct journal *journal)
{
    struct local *local = room_new(sizeof(*local));
    enum exit_code code;
    sigset_t signals;

    (void)seed; /* Nothing here is left to it. */
    local->base = (struct stage){.ops = &local_ops, .journal = journal};
    local->script = script;
    local->count = script->node_count;
    for (unsigned i = 0; i < local->count; i++)
        local->nodes[i].watch = local->nodes[i].home.descriptor = -1;
    child_signals(&signals);
    sigprocmask(SIG_BLOCK, &signals, &local->signals_before);
    local->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    code = local->signals < 0
               ? complain_of_system("cannot wait for", "signals", "close something and try again")
               : child_make_place("lab", "gossip-lab", &local->place);
    if (code == EXIT_OK)
        code = find_port(local);
    if (code == EXIT_OK)
        code = make_nodes(local);
    clock_gettime(CLOCK_MONOTONIC, &local->began);
    if (code == EXIT_OK)
        return &local->base;
    local_close(&local->base);
    return NULL;
}

const struct stage_place stage_local = {.ops = &local_ops, .open = open_local};
