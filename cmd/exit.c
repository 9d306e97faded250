#include "cmd/exit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/journal.h"
#include "gossip/gossip.h"

enum exit_code exit_for(int error)
{
    switch ((enum gossip_error)error) {
    case GOSSIP_OK:
        return EXIT_OK;
    case GOSSIP_ERR_NOMEM:
        return EXIT_MEMORY;
    case GOSSIP_ERR_DAMAGED:
        return EXIT_DAMAGED;
    case GOSSIP_ERR_IO:
    case GOSSIP_ERR_FULL:
        return EXIT_INPUT_OUTPUT;
    case GOSSIP_ERR_LOCKED:
        return EXIT_LOCKED;
    case GOSSIP_ERR_PERMISSION:
    case GOSSIP_ERR_EVICTED:
        return EXIT_PERMISSION;
    case GOSSIP_ERR_INVALID:
    case GOSSIP_ERR_NOT_FOUND:
    case GOSSIP_ERR_FOREIGN:
    case GOSSIP_ERR_IN_USE:
    case GOSSIP_ERR_FORGED:
    case GOSSIP_ERR_CLONED:
        return EXIT_CONFIGURATION;
    case GOSSIP_ERR_LIMIT:
    case GOSSIP_ERR_EXISTS:
    case GOSSIP_ERR_PRUNED:
    case GOSSIP_ERR_OBSERVER:
    case GOSSIP_ERR_STOPPED:
        return EXIT_NO;
    }
    return EXIT_NO;
}

void complain(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs(journal_reads(STDERR_FILENO) ? "<3>gossip: " : "gossip: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

enum exit_code complain_of_system(const char *what, const char *path, const char *next)
{
    int error = errno;

    complain("%s %s: %s; %s", what, path, strerror(error), next);
    switch (error) {
    case EACCES:
    case EPERM:
    case EROFS:
        return EXIT_PERMISSION;
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
        return EXIT_CONFIGURATION;
    case ENOMEM:
    case EMFILE:
    case ENFILE:
        return EXIT_MEMORY;
    default:
        return EXIT_INPUT_OUTPUT;
    }
}

void complain_of_making_key(const char *verb, int error)
{
    complain("%s: cannot make a key: %s; %s", verb, gossip_strerror(error),
             error == GOSSIP_ERR_IO ? "the system gives no random numbers: see what refuses "
                                      "getrandom(), and try again"
                                    : "free some memory, or raise `ulimit -l`");
}
