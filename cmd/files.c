#include "cmd/files.h"

#include <string.h>

enum exit_code files_complain_of_start(const struct directory *directory,
                                       struct gossip_store *store, int error)
{
    const char *explanation = store->ops->explain(store);

    switch (error) {
    case GOSSIP_ERR_FOREIGN:
        complain("%s/%s belongs to another node than %s/%s, or is damaged; put back the files that "
                 "belong together, or where these do, run `gossip recover --dir %s`: it keeps "
                 "them, and saves all that can be verified",
                 directory->path, DIRECTORY_STORE, directory->path, DIRECTORY_KEY, directory->path);
        break;
    case GOSSIP_ERR_FORGED:
        complain("%s/%s is not whole: its key and its certificate do not fit each other; restore "
                 "it from a copy",
                 directory->path, DIRECTORY_KEY);
        break;
    case GOSSIP_ERR_NOMEM:
        complain("no memory to start the node on %s; free some and try again", directory->path);
        break;
    case GOSSIP_ERR_INVALID:
        complain("the node on %s cannot be started as asked for; check the options against "
                 "`gossip node --help`",
                 directory->path);
        break;
    case GOSSIP_ERR_DAMAGED:
        complain("what is stored in %s/%s contradicts itself%s%s; leave its files as they are, and "
                 "run `gossip recover --dir %s`: it keeps them, and saves all that can be verified",
                 directory->path, DIRECTORY_STORE, *explanation ? ": " : "", explanation,
                 directory->path);
        break;
    case GOSSIP_ERR_CLONED:
        complain(
            "another process writes under the key of %s, so this one has stopped; where this "
            "is the copy, `gossip recover --dir %s --new-key --name N --cluster KEYFILE` makes "
            "it a node of its own; where it is the original, end the copy first, then "
            "`gossip recover --dir %s --keep-key`",
            directory->path, directory->path, directory->path);
        break;
    default:
        complain("cannot start the node on %s: %s%s%s; %s, and try again", directory->path,
                 gossip_strerror(error), *explanation ? ": " : "", explanation,
                 *explanation ? "look at the disk"
                              : "the store is in order: see what refuses getrandom()");
        break;
    }
    return exit_for(error);
}

enum exit_code files_open(const struct directory *directory, char *ret_explanation, size_t size,
                          struct files *ret_files)
{
    struct files files = {0};
    enum exit_code code = directory_identity(directory, &files.identity);
    int error;

    if (code == EXIT_OK)
        code = directory_try_store(directory, ret_explanation, size, &files.store);
    if (code == EXIT_OK) {
        error = gossip_create(&(struct gossip_options){.size = sizeof(struct gossip_options),
                                                       .store = files.store,
                                                       .time = gossip_system_time(),
                                                       .identity = files.identity},
                              &files.gossip);
        if (error < 0)
            code = files_complain_of_start(directory, files.store, error);
    }
    if (code != EXIT_OK) {
        files_close(&files);
        return code;
    }
    *ret_files = files;
    return EXIT_OK;
}

static int take_double(void *context, const struct gossip_record *record)
{
    bool *has_double = context;

    if (record->kind == GOSSIP_RECORD_META && strcmp(record->as.meta.name, "cloned") == 0)
        *has_double = record->as.meta.bytes == NULL && record->as.meta.number != 0;
    return record->kind != GOSSIP_RECORD_META; /* They come first. */
}

int files_has_double(struct gossip_store *store, bool *ret_has_double)
{
    bool has_double = false;
    int result = store->ops->load(store, take_double, &has_double);

    *ret_has_double = has_double;
    return result < 0 ? result : GOSSIP_OK;
}

void files_close(struct files *files)
{
    gossip_destroy(files->gossip);
    if (files->store)
        files->store->ops->close(files->store);
    gossip_identity_destroy(files->identity);
    *files = (struct files){0};
}
