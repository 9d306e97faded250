#include "cmd/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Digits, and then end; the place after that, NULL where text is something else. */
static const char *read_number(const char *text, char end, uintmax_t *ret_number)
{
    char *rest;

    if (*text < '0' || *text > '9')
        return NULL;
    errno = 0;
    *ret_number = strtoumax(text, &rest, 10);
    return errno == 0 && *rest == end ? rest + 1 : NULL;
}

/* The variable alone says nothing: it is inherited by what a service starts with its output
 * elsewhere. It names the device and inode of the stream, to be compared (systemd.exec(5)). */
bool journal_reads(int descriptor)
{
    const char *stream = getenv("JOURNAL_STREAM");
    uintmax_t device;
    uintmax_t inode;
    struct stat status;

    if (!stream || !(stream = read_number(stream, ':', &device)) ||
        !read_number(stream, '\0', &inode))
        return false;
    return fstat(descriptor, &status) == 0 && (uintmax_t)status.st_dev == device &&
           (uintmax_t)status.st_ino == inode;
}
