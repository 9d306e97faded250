/* Scripts, from files or from the command itself. */
#include "cmd/lab/run.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cmd/lab/ready.h"
#include "cmd/lab/script_check.h"
#include "cmd/text.h"

enum { FILE_READ_MAX = SCRIPT_SIZE_MAX + 1 };

static enum exit_code read_file(const char *path, struct text *ret_text)
{
    char block[65536];
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t size = 0;

    if (file < 0)
        return complain_of_system("cannot open", path, "name the file of a script");
    while (ret_text->size < FILE_READ_MAX) {
        size = read(file, block, sizeof(block));
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            break;
        text_add_bytes(ret_text, block, (size_t)size);
    }
    if (size < 0) {
        enum exit_code code = complain_of_system("cannot read", path, "name the file of a script");

        close(file);
        return code;
    }
    close(file);
    if (!ret_text->failed)
        return EXIT_OK;
    complain("lab: no memory for a script; free some and try again");
    return EXIT_MEMORY;
}

const struct ready_script *ready_find(const char *name)
{
    for (size_t i = 0; i < ready_script_count; i++)
        if (strcmp(ready_scripts[i].name, name) == 0)
            return &ready_scripts[i];
    return NULL;
}

/* A file, or else one of those that come with the command. */
static enum exit_code read_script(const char *name, struct text *ret_text)
{
    const struct ready_script *ready = ready_find(name);

    if (ready && access(name, F_OK) < 0) {
        text_add_bytes(ret_text, ready->text, ready->size);
        return EXIT_OK;
    }
    if (access(name, F_OK) < 0 && errno == ENOENT && !strpbrk(name, "./")) {
        struct text escaped = {0};

        text_add_escaped(&escaped, name, strlen(name), TEXT_ESCAPE_TERMINAL);
        complain("lab: there is no file %s, and no script of this name comes with the command; "
                 "`gossip lab list` shows those that do",
                 escaped.data ? escaped.data : "");
        text_clear(&escaped);
        return EXIT_CONFIGURATION;
    }
    return read_file(name, ret_text);
}

enum exit_code run_load(const struct run_wish *wish, struct script *ret_script)
{
    char error[SCRIPT_ERROR_MAX];
    struct text text = {0};
    const struct stage_ops *ops = wish->place->ops;
    enum exit_code code = read_script(wish->name, &text);

    if (code == EXIT_OK && (!script_read(ret_script, wish->name, text.data, text.size, error) ||
                            !script_check_place(ret_script, ops->name, ops->abilities, error))) {
        complain("lab: %s", error);
        code = EXIT_DAMAGED;
    }
    text_clear(&text);
    return code;
}
