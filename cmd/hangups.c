#include "cmd/hangups.h"

#include <stddef.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Besides the one that is polled also. */
enum { AT_ONCE = 2 };

int hangups_open(int also)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = NULL}};
    int hangups = epoll_create1(EPOLL_CLOEXEC);

    if (hangups >= 0 && epoll_ctl(hangups, EPOLL_CTL_ADD, also, &event) < 0) {
        close(hangups);
        return -1;
    }
    return hangups;
}

bool hangups_add(int hangups, int descriptor, void *owner)
{
    /* That both directions have ended is told without being asked for. */
    struct epoll_event event = {.events = 0, .data = {.ptr = owner}};

    return epoll_ctl(hangups, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

void hangups_remove(int hangups, int descriptor)
{
    epoll_ctl(hangups, EPOLL_CTL_DEL, descriptor, NULL);
}

void *hangups_next(int hangups)
{
    struct epoll_event events[AT_ONCE];
    int count = epoll_wait(hangups, events, AT_ONCE, 0);

    for (int i = 0; i < count; i++)
        if (events[i].data.ptr)
            return events[i].data.ptr;
    return NULL;
}
