#include "cmd/command.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/directory.h"
#include "cmd/files.h"
#include "cmd/json.h"
#include "cmd/names.h"
#include "cmd/output.h"
#include "cmd/text.h"
#include "cmd/view.h"

/* An archive that is read, several times if need be. */
struct source {
    const char *path;
    int file;
    int error; /* Of the system, where reading has failed. */
};

static int read_source(void *context, void *buffer, size_t size)
{
    struct source *source = context;
    ssize_t count;

    do
        count = read(source->file, buffer, size < 65536 ? size : 65536);
    while (count < 0 && errno == EINTR);
    if (count >= 0)
        return (int)count;
    source->error = errno;
    return GOSSIP_ERR_IO;
}

static enum exit_code open_source(const char *path, struct source *ret_source)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (file < 0)
        return complain_of_system("cannot read", path,
                                  "name a file that `gossip export` has written");
    if (fstat(file, &status) < 0 || !S_ISREG(status.st_mode)) {
        complain(
            "%s is not a file; name one that `gossip export` has written: it is read more than "
            "once",
            path);
        close(file);
        return EXIT_CONFIGURATION;
    }
    *ret_source = (struct source){.path = path, .file = file};
    return EXIT_OK;
}

static enum exit_code complain_of_archive(const struct source *source,
                                          const struct gossip_archive *archive, int error)
{
    if (error == GOSSIP_ERR_DAMAGED) {
        complain("%s is not sound: at byte %" PRIu64 ", %s; nothing was taken in: export it again",
                 source->path, archive->offset, archive->fault);
        return EXIT_DAMAGED;
    }
    if (source->error != 0) {
        errno = source->error;
        return complain_of_system("cannot read", source->path, "check the disk");
    }
    complain("cannot read %s: %s; free some memory and try again", source->path,
             gossip_strerror(error));
    return exit_for(error);
}

/* Whether all of it is sound, before anything of it is taken in. */
static enum exit_code check(struct source *source, struct gossip_archive *ret_archive)
{
    int error = gossip_archive_check(read_source, source, ret_archive);

    if (error < 0)
        return complain_of_archive(source, ret_archive, error);
    if (lseek(source->file, 0, SEEK_SET) < 0)
        return complain_of_system("cannot read again", source->path, "copy it to a file");
    return EXIT_OK;
}

static enum exit_code compare_cluster(const struct source *source,
                                      const struct gossip_archive *archive,
                                      const uint8_t cluster[GOSSIP_KEY_SIZE])
{
    if (memcmp(archive->cluster, cluster, GOSSIP_KEY_SIZE) == 0)
        return EXIT_OK;
    complain("%s is of another cluster; export it from a node of this one", source->path);
    return EXIT_NO;
}

/* Which events wait, and for what: the first. */
static enum exit_code complain_of_waiting(const struct source *source, struct gossip *gossip,
                                          uint64_t waiting)
{
    struct gossip_held held;
    struct names *names;
    struct text first = {0};

    if (gossip_held(gossip, &held, 1) > 0 && names_of(gossip, &names) == GOSSIP_OK) {
        text_print(&first, ", the first (%s:%" PRIu64 ") for ", names_get(names, held.dot.author),
                   held.dot.seq);
        view_add_author(&(struct view){.gossip = gossip, .names = names}, held.waits_id, &first);
        text_print(&first, ":%" PRIu64, held.waits_seq);
        names_destroy(names);
    }
    complain("%s: %" PRIu64 " events were left out: they wait for events that are not here%s; "
             "import those first",
             source->path, waiting, first.data && !first.failed ? first.data : "");
    text_clear(&first);
    return EXIT_NO;
}

static enum exit_code tell(const struct gossip_archive *archive,
                           const struct gossip_imported *imported, bool json)
{
    struct output output = {0};
    struct text text = {0};
    enum exit_code code;

    if (json) {
        json_archive(archive, imported, &text);
    } else {
        text_print(&text, "%" PRIu64 " events of %" PRIu64 " authors and %" PRIu64 " records, ",
                   archive->events, archive->authors, archive->records);
        if (imported)
            text_print(&text, "%" PRIu64 " events new here", imported->events);
        else
            text_add(&text, "all sound; of the cluster ");
        if (!imported)
            text_add_hex(&text, archive->cluster, GOSSIP_KEY_SIZE);
    }
    text_add(&text, "\n");
    if (text.failed) {
        complain("import: no memory to tell what was done; look with `gossip clock`");
        code = EXIT_MEMORY;
    } else {
        code = output_write(&output, text.data, text.size);
    }
    text_clear(&text);
    return code;
}

/* Goes over the archive until it brings nothing more: what was let go for lack of room is there
 * again the next time. */
static int take_in(struct source *source, struct gossip *gossip, struct gossip_archive *archive,
                   struct gossip_imported *ret_imported)
{
    struct gossip_archive again;
    struct gossip_imported total = {0};
    struct gossip_imported pass = {.waiting = 1};

    do {
        int error = gossip_import(gossip, read_source, source, &again, &pass);

        if (error < 0) {
            *archive = again;
            return error;
        }
        total.events += pass.events;
        total.waiting = pass.waiting;
        total.refused = pass.refused;
        if (lseek(source->file, 0, SEEK_SET) < 0)
            return GOSSIP_ERR_IO;
    } while (pass.events > 0 && total.events < archive->events);
    *ret_imported = total;
    return GOSSIP_OK;
}

static enum exit_code import(struct source *source, struct files *files, bool json)
{
    struct gossip_archive archive;
    struct gossip_imported imported;
    enum exit_code code = check(source, &archive);
    int error;

    if (code == EXIT_OK)
        code = compare_cluster(source, &archive, gossip_identity_cluster(files->identity));
    if (code != EXIT_OK)
        return code;
    error = take_in(source, files->gossip, &archive, &imported);
    if (error == GOSSIP_ERR_DAMAGED || source->error != 0)
        return complain_of_archive(source, &archive, error);
    if (error < 0) {
        complain("import: %s: %s; what was committed before that stays", gossip_strerror(error),
                 files->store->ops->explain(files->store));
        return exit_for(error);
    }
    code = tell(&archive, &imported, json);
    if (code == EXIT_OK && imported.waiting > 0)
        return complain_of_waiting(source, files->gossip, imported.waiting);
    return code;
}

static enum exit_code run_import(const struct command_line *line, struct source *source)
{
    char explanation[1024];
    struct directory directory;
    struct files files;
    enum exit_code code = directory_open(line->directory, EXIT_CONFIGURATION, &directory);

    if (code != EXIT_OK)
        return code;
    code = files_open(&directory, explanation, sizeof(explanation), &files);
    if (code == EXIT_LOCKED)
        complain("%s; import works on a stopped node", explanation);
    if (code == EXIT_OK) {
        code = import(source, &files, line->json);
        files_close(&files);
    }
    directory_close(&directory);
    return code;
}

static enum exit_code run(const struct command *command, int argc, char **argv)
{
    struct command_line line;
    struct gossip_archive archive;
    struct source source;
    uint8_t cluster[GOSSIP_KEY_SIZE];
    const char *cluster_text = NULL;
    bool only_check = false;
    enum exit_code code;
    int option;

    command_line_start(&line, command, argc, argv);
    while ((option = command_line_next(&line)) != -1) {
        if (option == 'K')
            only_check = true;
        else
            cluster_text = optarg;
    }
    if (!command_line_check_arguments(&line, 1, 1) ||
        (!only_check && !command_line_check_directory(&line)) ||
        (cluster_text && !command_line_read_key(&line, "--cluster", cluster_text, cluster)))
        return line.code;
    code = open_source(argv[optind], &source);
    if (code != EXIT_OK)
        return code;
    if (!only_check) {
        code = run_import(&line, &source);
    } else {
        code = check(&source, &archive);
        if (code == EXIT_OK && cluster_text)
            code = compare_cluster(&source, &archive, cluster);
        if (code == EXIT_OK)
            code = tell(&archive, NULL, line.json);
    }
    close(source.file);
    return code;
}

static const struct command_option import_options[] = {
    {.name = "check", .id = 'K', .text = "only verify the file; no node is needed"},
    {.name = "cluster",
     .id = 'C',
     .value = "KEY",
     .text = "for --check: the public key of the cluster it must be of"},
    {.name = NULL},
};

const struct command command_import = {
    .name = "import",
    .group = GROUP_FILES,
    .offers = OFFER_FILE,
    .summary = "take in events from a file, or check one",
    .usage = "[--dir D] [--json] FILE | --check FILE [--cluster KEY]",
    .text =
        "Takes in the events of a file that `gossip export` has written. First all of it is\n"
        "verified, and a file that is cut short or altered is refused with where and what; then\n"
        "its events are judged as those of peers are. What is here already is passed over. Works\n"
        "on a stopped node.\n",
    .notes =
        "Exits with 65 where the file is not sound, and with 1 where events were left out because\n"
        "what they name is not here.\n",
    .json = "{\"cluster\":...,\"authors\":2,\"events\":12,\"records\":3,\"new\":12, "
            "\"waiting\":0,\"refused\":0}, the last three not of --check",
    .options = import_options,
    .examples = "  gossip import --dir n3 all.events\n"
                "  gossip import --check all.events\n",
    .run = run,
};
