#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gossip/gossip.h"
#include "store/files.h"

enum {
    /* "%10ld\n": always as long, so that a pid overwrites the last one and needs no new space
     * where the disk is full. */
    PID_TEXT_SIZE = 11,

    /* Somebody may unlink the file between our open and our flock, against the rule above. */
    ATTEMPTS = 10,
};

static int failed(struct explanation *explanation, const char *path, const char *doing)
{
    int number = errno;

    explanation_set(explanation, "%s: cannot %s: %s", path, doing, strerror(number));
    return file_error(number);
}

/* Whoever may not write here needs to know what to change, and not that there is a lock file. */
static int failed_to_open(struct explanation *explanation, const char *path)
{
    int number = errno;
    const char *next = number == EROFS ? "; mount its file system for writing, and try again"
                       : number == EACCES || number == EPERM
                           ? "; its directory must be one that this user may write to"
                           : "";

    explanation_set(explanation, "%s: cannot open the lock file: %s%s", path, strerror(number),
                    next);
    return file_error(number);
}

static int held_by_another(int descriptor, const char *what, struct explanation *explanation)
{
    char text[PID_TEXT_SIZE + 1] = "";
    ssize_t size = pread(descriptor, text, PID_TEXT_SIZE, 0);
    long pid = size > 0 ? strtol(text, NULL, 10) : 0;

    if (pid > 0)
        explanation_set(explanation, "%s is in use by process %ld: end that one first", what, pid);
    else
        explanation_set(explanation, "%s is in use by another process: end that one first", what);
    return GOSSIP_ERR_LOCKED;
}

/* The pid is for people; the lock is what counts. So a disk too full for it is no reason to refuse
 * a node that would still answer others. */
static int write_pid(int descriptor, const char *path, struct explanation *explanation)
{
    char text[32];
    ssize_t size;

    snprintf(text, sizeof(text), "%10ld\n", (long)getpid());
    size = pwrite(descriptor, text, PID_TEXT_SIZE, 0);
    if (size < 0 && file_error(errno) != GOSSIP_ERR_FULL)
        return failed(explanation, path, "write to it");
    return GOSSIP_OK;
}

/* Whether path still names what descriptor has open. */
static bool is_still(int descriptor, const char *path)
{
    struct stat opened;
    struct stat named;

    return fstat(descriptor, &opened) == 0 && stat(path, &named) == 0 &&
           opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

int lock_acquire(const char *path, const char *what, int *ret_descriptor,
                 struct explanation *explanation)
{
    int error;

    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

        if (descriptor < 0)
            return failed_to_open(explanation, path);
        if (flock(descriptor, LOCK_EX | LOCK_NB) < 0) {
            if (errno == EWOULDBLOCK)
                error = held_by_another(descriptor, what, explanation);
            else
                error = failed(explanation, path, "lock it");
            close(descriptor);
            return error;
        }
        if (is_still(descriptor, path)) {
            error = write_pid(descriptor, path, explanation);
            if (error < 0) {
                close(descriptor);
                return error;
            }
            *ret_descriptor = descriptor;
            return GOSSIP_OK;
        }
        close(descriptor);
    }
    explanation_set(explanation, "%s: somebody keeps removing the lock file: end them first", path);
    return GOSSIP_ERR_LOCKED;
}

void lock_release(int descriptor)
{
    close(descriptor);
}
