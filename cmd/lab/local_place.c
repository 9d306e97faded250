/*
 * The temporary directory of a run. Whoever has made it holds a lock in it: where nobody does, its
 * run was killed, and the next run takes it away.
 */
#include "cmd/lab/local_state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/child.h"

#define PREFIX "gossip-lab"
#define LOCK   ".lock" /* No node is called so. */

/* The lock has its name only when it is held: whoever finds one that is free finds a run that was
 * killed, and none that begins. */
static enum exit_code lock_place(const char *path, int *ret_lock)
{
    enum exit_code code = EXIT_OK;
    char *name = NULL;
    char *made = NULL;

    if (asprintf(&name, "%s/" LOCK, path) < 0 || asprintf(&made, "%s.new", name) < 0)
        abort(); /* No memory. */
    *ret_lock = open(made, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (*ret_lock < 0 || flock(*ret_lock, LOCK_EX | LOCK_NB) < 0 || rename(made, name) < 0)
        code = complain_of_system("cannot make", name, "name another place in TMPDIR");
    free(name);
    free(made);
    return code;
}

enum exit_code local_make_place(char **ret_path, int *ret_lock)
{
    enum exit_code code;

    stage_clear_killed();
    code = child_make_place("lab", PREFIX, ret_path);
    return code == EXIT_OK ? lock_place(*ret_path, ret_lock) : code;
}

void local_remove_place(char *path, int lock)
{
    child_remove_place(path);
    if (lock >= 0)
        close(lock);
}

/* Whether it is ours to take away: of this user, and its run was killed. *ret_lock is held then. */
static bool was_killed(const char *path, int *ret_lock)
{
    struct stat status;
    char *name;

    *ret_lock = -1;
    if (lstat(path, &status) < 0 || !S_ISDIR(status.st_mode) || status.st_uid != geteuid())
        return false;
    if (asprintf(&name, "%s/" LOCK, path) < 0)
        abort(); /* No memory. */
    *ret_lock = open(name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    free(name);
    if (*ret_lock >= 0 && flock(*ret_lock, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (*ret_lock >= 0)
        close(*ret_lock);
    return false;
}

void stage_clear_killed(void)
{
    const char *place = getenv("TMPDIR");
    const struct dirent *entry;
    DIR *listing = opendir(place && *place ? place : "/tmp");

    if (!listing)
        return; /* Whoever makes a directory there says why it cannot be. */
    while ((entry = readdir(listing)) != NULL) {
        char *path;
        int lock;

        if (strncmp(entry->d_name, PREFIX "-", sizeof(PREFIX)) != 0)
            continue;
        if (asprintf(&path, "%s/%s", place && *place ? place : "/tmp", entry->d_name) < 0)
            abort(); /* No memory. */
        if (was_killed(path, &lock)) {
            complain("lab: %s is taken away: a run that was killed has left it", path);
            child_remove_place(path);
            close(lock);
        } else {
            free(path);
        }
    }
    closedir(listing);
}
