/*
 * What nodes show, and what they are asked: over the local API, one socket for the stream of what a
 * node delivers, one for what it is to publish, and one for each short question.
 */
#include "cmd/lab/local_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/json.h"
#include "cmd/lab/room.h"

enum {
    ANSWER_MS = 10000,
    BATCH_MAX = 1000, /* Publications of one request. */
    BATCH_SIZE = 512 * 1024,
    BLOCK_SIZE = 65536,
};

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
        if (strlen(local_name(local, i)) != length ||
            memcmp(local_name(local, i), name, length) != 0)
            continue;
        *ret_author = journal_author(local->base.journal, id, i);
        *ret_end = mark;
        return true;
    }
    return false;
}

void local_see_entry(void *context, const char *name, uint64_t count)
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
    bool is_whole = json_read_event(line, size, local_see_entry, &clock, &event);
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
           local_fail(local, "%s shows what is no event: %.200s", local_name(local, number), line);
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
            strncmp(node->input.data, "HTTP/1.0 200 ", 13) != 0) {
            close(node->watch);
            node->watch = -1;
            return local_has_ended(local, number) ||
                   local_fail(local, "%s does not show its events: %.200s",
                              local_name(local, number), node->input.data);
        }
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
bool local_read_watch(struct local *local, unsigned number)
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

bool local_open_watch(struct local *local, unsigned number, struct client *client)
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
    return is_sent || local_fail(local, "%s takes no request", local_name(local, number));
}

/* ---- Requests. ---- */

/* Asks, and waits for the answer. False where there is none, or an error. */
bool local_ask(struct local *local, unsigned number, const char *method, const char *target,
               const struct text *body, struct text *ret_answer)
{
    struct local_node *node = &local->nodes[number];
    struct client client;
    struct http_head head = {0};
    char block[4096];
    int count;

    if (client_connect(&node->home, &client) != EXIT_OK)
        return local_fail(local, "%s does not answer %s", local_name(local, number), target);
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
    return local_fail(local, "%s answers %s with: %.300s", local_name(local, number), target,
                      ret_answer->data ? ret_answer->data : "nothing");
}

void local_drop_publications(struct local_node *node)
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
bool local_post(struct local *local, unsigned number)
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
    return is_sent || local_has_ended(local, number) ||
           local_fail(local, "%s does not take an event", local_name(local, number));
}

void local_read_post(struct local *local, unsigned number)
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
