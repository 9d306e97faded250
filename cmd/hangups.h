/*
 * Notices when the other end of a connection has gone, where nobody reads from it or writes to it
 * for now.
 */
#ifndef CMD_HANGUPS_H
#define CMD_HANGUPS_H

#include <stdbool.h>

/* A descriptor to poll for input, which also polls `also`; -1 on failure, with errno. */
int hangups_open(int also);

/* Looks after descriptor until it is removed; false where there is no memory for that. */
bool hangups_add(int hangups, int descriptor, void *owner);
void hangups_remove(int hangups, int descriptor);

/* The owner of one whose other end has gone; NULL: there is none. */
void *hangups_next(int hangups);

#endif
