#include "cmd/lab/results.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/output.h"

enum { NUMBERS_MAX = 1000000 };

static enum exit_code complain_of_memory(void)
{
    complain("lab: no memory for the name of a file; free some and try again");
    return EXIT_MEMORY;
}

enum exit_code results_make(const char *base, const char *name, struct results *ret_results)
{
    *ret_results = (struct results){.base = base};
    if (mkdir(base, 0777) < 0 && errno != EEXIST)
        return complain_of_system("cannot make the directory", base,
                                  "name another place with --out");
    for (unsigned i = 1; i <= NUMBERS_MAX; i++) {
        char *directory;

        if (asprintf(&directory, "%s/%s-%u", base, name, i) < 0)
            return complain_of_memory();
        if (mkdir(directory, 0777) == 0) {
            ret_results->directory = directory;
            return EXIT_OK;
        }
        if (errno != EEXIST) {
            enum exit_code code = complain_of_system("cannot make the directory", directory,
                                                     "name another place with --out");

            free(directory);
            return code;
        }
        free(directory);
    }
    complain("lab: %s holds the results of %d runs of %s; remove some, or name another place with "
             "--out",
             base, NUMBERS_MAX, name);
    return EXIT_NO;
}

enum exit_code results_write(const struct results *results, const char *name,
                             const struct text *text)
{
    struct output output;
    enum exit_code code;
    char *path;

    if (text->failed || asprintf(&path, "%s/%s", results->directory, name) < 0)
        return complain_of_memory();
    code = output_create(path, &output);
    if (code == EXIT_OK) {
        code = output_write(&output, text->data ? text->data : "", text->size);
        code = output_finish(&output, code);
    }
    free(path);
    return code;
}

static void remove_all(const char *directory)
{
    DIR *open = opendir(directory);
    const struct dirent *entry;

    while (open && (entry = readdir(open)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(open), entry->d_name, 0);
    if (open)
        closedir(open);
    if (rmdir(directory) < 0 && errno != ENOENT)
        complain_of_system("cannot take away the unfinished", directory, "remove it");
}

/* In one step, so that it always points to something. */
enum exit_code results_point(const struct results *results)
{
    const char *target = strrchr(results->directory, '/') + 1;
    enum exit_code code = EXIT_OK;
    char *made = NULL;
    char *latest = NULL;

    if (asprintf(&made, "%s/latest", results->directory) < 0 ||
        asprintf(&latest, "%s/latest", results->base) < 0)
        code = complain_of_memory();
    else if (symlink(target, made) < 0 || rename(made, latest) < 0)
        code = complain_of_system("cannot make", latest, "remove what is in its place");
    free(made);
    free(latest);
    return code;
}

enum exit_code results_finish(struct results *results, enum exit_code code)
{
    if (code == EXIT_OK)
        code = results_point(results);
    if (code != EXIT_OK && results->directory)
        remove_all(results->directory);
    return code;
}

void results_clear(struct results *results)
{
    free(results->directory);
    *results = (struct results){0};
}
