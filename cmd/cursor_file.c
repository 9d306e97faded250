#include "cmd/cursor_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CURSOR_MAX = 1 << 20 };

static enum exit_code complain_of_writing(const char *path)
{
    return complain_of_system("cannot write the cursor to", path,
                              "check the disk and who may write there; what was printed since "
                              "will be shown again");
}

static enum exit_code complain_of_memory(void)
{
    complain("no memory for a cursor; free some and try again");
    return EXIT_MEMORY;
}

enum exit_code cursor_file_read(const char *path, struct text *ret_cursor)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    char block[4096];
    ssize_t count;

    if (file < 0 && errno == ENOENT)
        return EXIT_OK;
    if (file < 0)
        return complain_of_system("cannot read the cursor in", path, "check who may read it");
    do {
        count = read(file, block, sizeof(block));
        if (count > 0)
            text_add_bytes(ret_cursor, block, (size_t)count);
    } while ((count > 0 && ret_cursor->size <= CURSOR_MAX) || (count < 0 && errno == EINTR));
    if (count < 0) {
        enum exit_code code =
            complain_of_system("cannot read the cursor in", path, "check the disk");

        close(file);
        return code;
    }
    close(file);
    if (ret_cursor->failed)
        return complain_of_memory();
    if (ret_cursor->size < 2 || ret_cursor->size > CURSOR_MAX ||
        strlen(ret_cursor->data) != ret_cursor->size ||
        strchr(ret_cursor->data, '\n') != ret_cursor->data + ret_cursor->size - 1) {
        complain("%s holds no cursor; remove it to begin with the first event", path);
        return EXIT_DAMAGED;
    }
    ret_cursor->data[--ret_cursor->size] = '\0';
    return EXIT_OK;
}

static bool write_all(int file, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t count = write(file, data, size);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return false;
        data += count;
        size -= (size_t)count;
    }
    return true;
}

static bool sync_directory(const char *path)
{
    char *copy = strdup(path);
    int directory = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool done = directory >= 0 && (fsync(directory) == 0 || errno == EINVAL);
    int error = errno;

    if (directory >= 0)
        close(directory);
    free(copy);
    errno = error;
    return done;
}

/* Written beside it first, and made durable before it takes its place. */
static enum exit_code replace(const char *path, const char *beside, const struct text *line)
{
    int file = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
    enum exit_code code = EXIT_OK;

    if (file < 0)
        return complain_of_writing(beside);
    if (!write_all(file, line->data, line->size) || fsync(file) < 0)
        code = complain_of_writing(beside);
    if (close(file) < 0 && code == EXIT_OK)
        code = complain_of_writing(beside);
    if (code == EXIT_OK && (rename(beside, path) < 0 || !sync_directory(path)))
        code = complain_of_writing(path);
    return code;
}

enum exit_code cursor_file_write(const char *path, const char *cursor)
{
    struct text beside = {0};
    struct text line = {0};
    enum exit_code code;

    text_print(&beside, "%s.new", path);
    text_print(&line, "%s\n", cursor);
    code = beside.failed || line.failed ? complain_of_memory() : replace(path, beside.data, &line);
    text_clear(&beside);
    text_clear(&line);
    return code;
}
