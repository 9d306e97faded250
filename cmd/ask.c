#include "cmd/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/api.h"
#include "cmd/client.h"
#include "cmd/colour.h"
#include "cmd/directory.h"
#include "cmd/files.h"
#include "cmd/json.h"
#include "cmd/output.h"
#include "cmd/text.h"

enum {
    BLOCK_SIZE = 65536,
    ERROR_SIZE_MAX = 65536,
    /* A node that starts or ends holds the store, but does not listen. */
    LOCKED_TRIES = 100,
    LOCKED_WAIT_MS = 50,
    /* Who waits for an answer longer than this wonders why. */
    WONDER_MS = 1000,
};

/* Whether the answer is text that a terminal shows. */
static bool wants_colour(const struct ask *ask)
{
    return ask->plain && !ask->answer && !ask->out && strcmp(ask->method, "GET") == 0 &&
           colour_is_wanted(STDOUT_FILENO);
}

static const char *find_argument(void *context, const char *name)
{
    const struct ask *ask = context;

    for (size_t i = 0; i < ASK_ARGUMENTS_MAX && ask->arguments[i].name; i++)
        if (strcmp(ask->arguments[i].name, name) == 0)
            return ask->arguments[i].value;
    return strcmp(name, "colour") == 0 && wants_colour(ask) ? "1" : NULL;
}

/* Path and query, percent-encoded. */
static void add_target(const struct ask *ask, struct text *target)
{
    text_add(target, ask->path);
    for (size_t i = 0; i < ASK_ARGUMENTS_MAX && ask->arguments[i].name; i++)
        client_add_argument(target, ask->arguments[i].name, ask->arguments[i].value);
    if (wants_colour(ask))
        client_add_argument(target, "colour", "1");
}

/* Says what an answer that is an error says. */
static void complain_of_answer(const char *data, size_t size, int status)
{
    struct text message = {0};

    if (json_read_error(data, size, &message) && !message.failed)
        complain("%s", message.data);
    else
        complain("the node refused, and did not say why (HTTP status %d); look at its log", status);
    text_clear(&message);
}

/* Says why an answer did not come, or not whole. */
static enum exit_code complain_of_silence(const struct ask *ask, const struct client *client,
                                          const char *path, int error, bool begun)
{
    const char *next = ask->unsure ? ask->unsure
                       : begun     ? "what was printed is not complete"
                                   : "look at its log, and ask again";

    if (error == HTTP_ERR_MALFORMED) {
        complain("what listens in %s does not answer as a node does; %s", path, next);
        return EXIT_INPUT_OUTPUT;
    }
    if (client->timed_out) {
        complain("the node on %s does not answer; %s", path, next);
        return EXIT_TIMED_OUT;
    }
    complain("the node on %s ended in the middle of its answer; %s", path, next);
    return EXIT_INPUT_OUTPUT;
}

/* Adds to where the answer shall go. */
static enum exit_code take_answer(const struct ask *ask, struct output *output, const char *data,
                                  size_t size)
{
    if (!ask->answer)
        return output_write(output, data, size);
    text_add_bytes(ask->answer, data, size);
    if (!ask->answer->failed)
        return EXIT_OK;
    complain("no memory for the answer; free some and try again");
    return EXIT_MEMORY;
}

/* Takes the body of a good answer. */
static enum exit_code copy_answer(const struct ask *ask, struct client *client, const char *path)
{
    char *block = malloc(BLOCK_SIZE);
    struct output output = {0};
    enum exit_code code = EXIT_OK;
    bool begun = false;
    int count;

    if (!block) {
        complain("no memory for the answer; free some and try again");
        return EXIT_MEMORY;
    }
    if (ask->out)
        code = output_create(ask->out, &output);
    while (code == EXIT_OK && !output.closed) {
        count = client_body(client, block, BLOCK_SIZE);
        if (count < 0)
            code = complain_of_silence(ask, client, path, count, begun);
        if (count <= 0)
            break;
        begun = true;
        code = take_answer(ask, &output, block, (size_t)count);
    }
    free(block);
    return output_finish(&output, code);
}

static enum exit_code read_error(const struct ask *ask, struct client *client, const char *path,
                                 const struct http_head *head)
{
    struct text body = {0};
    char block[4096];
    int count;

    while ((count = client_body(client, block, sizeof(block))) > 0 && body.size < ERROR_SIZE_MAX)
        text_add_bytes(&body, block, (size_t)count);
    if (count < 0) {
        text_clear(&body);
        return complain_of_silence(ask, client, path, count, false);
    }
    complain_of_answer(body.data ? body.data : "", body.size, head->status);
    text_clear(&body);
    return head->exit_code > 0 ? (enum exit_code)head->exit_code : EXIT_NO;
}

/* What the node waits for before it writes; false where it waits for nothing, or does not tell. */
static bool read_wait(const struct directory *directory, struct text *ret_text)
{
    struct client client;
    struct http_head head;
    char block[512];
    int count;

    if (client_connect(directory, &client) != EXIT_OK)
        return false;
    client_send(&client, "GET", "/v1/start", true, NULL, 0);
    if (client_head(&client, &head) == 0 && head.status == 200)
        while ((count = client_body(&client, block, sizeof(block))) > 0)
            text_add_bytes(ret_text, block, (size_t)count);
    client_close(&client);
    if (ret_text->failed || ret_text->size == 0)
        return false;
    ret_text->data[--ret_text->size] = '\0'; /* The end of its line. */
    return strncmp(ret_text->data, "ready", 5) != 0;
}

/* Where the answer does not come at once, says what the node waits for: once for each thing. */
static void tell_wait(struct client *client, const struct directory *directory)
{
    size_t told_size = 0;
    char told[16] = "";

    while (!client_answers_within(client, WONDER_MS)) {
        struct text wait = {0};
        bool waits = read_wait(directory, &wait);

        if (waits && (told_size == 0 || strncmp(wait.data, told, told_size) != 0)) {
            complain("the event waits: %s", wait.data);
            told_size = strcspn(wait.data, ":");
            told_size = told_size < sizeof(told) ? told_size : sizeof(told);
            memcpy(told, wait.data, told_size);
        }
        text_clear(&wait);
        if (!waits)
            return;
    }
}

static enum exit_code ask_node(const struct ask *ask, struct client *client,
                               const struct directory *directory)
{
    struct text target = {0};
    struct http_head head;
    enum exit_code code;
    int error;

    add_target(ask, &target);
    if (target.failed) {
        complain("no memory to ask with; free some and try again");
        return EXIT_MEMORY;
    }
    /* What could not be sent may have been answered: the answer tells. */
    client_send(client, ask->method, target.data, ask->plain, ask->body, ask->size);
    text_clear(&target);
    if (ask->writes)
        tell_wait(client, directory);
    error = client_head(client, &head);
    if (error < 0)
        return complain_of_silence(ask, client, directory->path, error, false);
    if (head.status != 200 && !ask->whole)
        return read_error(ask, client, directory->path, &head);
    code = copy_answer(ask, client, directory->path);
    if (code == EXIT_OK && head.status != 200)
        code = head.exit_code > 0 ? (enum exit_code)head.exit_code : EXIT_NO;
    if (code == EXIT_OK && ask->ends)
        code = client_wait_end(client, directory);
    return code;
}

/* Writes a response made here to standard output. */
static enum exit_code write_response(const struct ask *ask, const struct api_response *response)
{
    struct output output = {0};
    enum exit_code code = EXIT_OK;
    char *block;
    int count;

    if (response->status != 200) {
        complain_of_answer(response->body.data ? response->body.data : "", response->body.size,
                           response->status);
        return response->exit_code;
    }
    if (ask->out)
        code = output_create(ask->out, &output);
    if (!response->stream) {
        if (code == EXIT_OK)
            code = take_answer(ask, &output, response->body.data ? response->body.data : "",
                               response->body.size);
        return output_finish(&output, code);
    }
    block = malloc(BLOCK_SIZE);
    if (!block) {
        complain("no memory for the answer; free some and try again");
        return EXIT_MEMORY;
    }
    while (code == EXIT_OK && !output.closed) {
        do
            count = api_stream_read(response->stream, block, BLOCK_SIZE);
        while (count == API_STREAM_AGAIN);
        if (count < 0) {
            complain("%s; what was printed is not complete: run `gossip verify`",
                     gossip_strerror(count));
            code = exit_for(count);
        }
        if (count <= 0)
            break;
        code = take_answer(ask, &output, block, (size_t)count);
    }
    free(block);
    return output_finish(&output, code);
}

static enum exit_code ask_files(const struct ask *ask, struct files *files)
{
    struct api *api;
    struct api_response response;
    enum exit_code code;

    if (api_create(&(struct api_options){.gossip = files->gossip, .identity = files->identity},
                   &api) < 0) {
        complain("no memory to open the node's files; free some and try again");
        return EXIT_MEMORY;
    }
    /* The request is only read. */
    api_handle(api,
               &(struct api_request){.method = ask->method,
                                     .path = ask->path,
                                     .argument = find_argument,
                                     .context = (void *)(uintptr_t)ask,
                                     .plain = ask->plain},
               &response);
    code = write_response(ask, &response);
    api_response_clear(&response);
    api_destroy(api);
    return code;
}

enum exit_code ask(const struct ask *ask, const char *path)
{
    char explanation[1024];
    struct directory directory;
    struct client client;
    struct files files;
    enum exit_code code = directory_open(
        path, ask->files || ask->quiet ? EXIT_CONFIGURATION : EXIT_NO_NODE, &directory);

    if (code != EXIT_OK)
        return code;
    for (int i = 0; i < LOCKED_TRIES; i++) {
        code = client_connect(&directory, &client);
        if (code == EXIT_OK) {
            client.patience_ms = ask->patience_ms;
            code = ask_node(ask, &client, &directory);
            client_close(&client);
            break;
        }
        if (code != EXIT_NO_NODE)
            break;
        if (!ask->files && ask->quiet)
            break;
        if (!ask->files) {
            complain("no node is running on %s; start it with `gossip node --dir %s --listen "
                     "ADDR:PORT`",
                     path, path);
            break;
        }
        code = files_open(&directory, explanation, sizeof(explanation), &files);
        if (code == EXIT_OK) {
            code = ask_files(ask, &files);
            files_close(&files);
            break;
        }
        if (code != EXIT_LOCKED)
            break;
        if (i + 1 == LOCKED_TRIES)
            complain("%s", explanation);
        else
            nanosleep(&(struct timespec){.tv_nsec = LOCKED_WAIT_MS * 1000000L}, NULL);
    }
    directory_close(&directory);
    return code;
}
