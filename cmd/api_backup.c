/* Backups: begun by one request, asked after by others. */
#include "cmd/api_state.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/json.h"

void api_forget_backup(struct backup *backup)
{
    free(backup->path);
    text_clear(&backup->explanation);
    *backup = (struct backup){0};
}

static void answer_backup_error(const struct backup *backup, int error,
                                struct api_response *response)
{
    const char *explanation =
        backup->explanation.data && !backup->explanation.failed ? backup->explanation.data : "";
    int status = error == GOSSIP_ERR_EXISTS ? 409 : error == GOSSIP_ERR_FULL ? 507 : 500;

    api_answer_error(response, status, error == GOSSIP_ERR_EXISTS ? EXIT_NO : exit_for(error),
                     *explanation ? explanation : gossip_strerror(error),
                     "there is no backup; the node itself goes on");
}

static void begin_backup(struct api *api, const char *path, struct api_response *response)
{
    struct gossip_store *store = api->options.store;
    struct backup *backup = &api->backup;
    int error;

    api_forget_backup(backup);
    backup->path = strdup(path);
    error = backup->path ? store->ops->backup_begin(store, path) : GOSSIP_ERR_NOMEM;
    if (error < 0) {
        if (backup->path)
            text_add(&backup->explanation, store->ops->explain(store));
        answer_backup_error(backup, error, response);
        api_forget_backup(backup);
        return;
    }
    backup->running = true;
    json_backup(backup->path, false, &response->body);
    api_answer(response, false);
}

void api_handle_backup_begin(struct api *api, const struct view *view,
                             const struct api_request *request, struct api_response *response)
{
    const struct gossip_store *store = api->options.store;
    const char *path = api_argument(request, "file");

    (void)view;
    if (!path || *path != '/')
        api_answer_error(response, 400, EXIT_USAGE, "the whole path of a file is needed, from / on",
                         "ask as /v1/backup?file=/path/to/file");
    else if (!store || (store->ops->abilities & GOSSIP_STORE_BACKUP) == 0)
        api_answer_error(response, 501, EXIT_NO, "the node's store cannot make backups",
                         "copy what it stands on while the node is stopped");
    else if (api->backup.running)
        api_answer_error(response, 409, EXIT_NO, "a backup is under way already",
                         "wait until it has ended");
    else
        begin_backup(api, path, response);
}

void api_handle_backup(struct api *api, const struct view *view, const struct api_request *request,
                       struct api_response *response)
{
    const struct backup *backup = &api->backup;

    (void)view;
    (void)request;
    if (!backup->path) {
        api_answer_error(response, 404, EXIT_NO, "no backup was made since the node has started",
                         "begin one with POST");
    } else if (backup->error < 0) {
        answer_backup_error(backup, backup->error, response);
    } else {
        json_backup(backup->path, !backup->running, &response->body);
        api_answer(response, false);
    }
}

bool api_backs_up(const struct api *api)
{
    return api->backup.running;
}

void api_back_up(struct api *api)
{
    struct gossip_store *store = api->options.store;
    struct backup *backup = &api->backup;
    int result = store->ops->backup_step(store);

    if (result == 0)
        return;
    backup->running = false;
    if (result < 0) {
        backup->error = result;
        text_add(&backup->explanation, store->ops->explain(store));
    }
}
