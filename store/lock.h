/*
 * Lock files: one process at a time. The lock is flock's on a file that holds nothing but the pid
 * of its last holder, because the locks that SQLite takes on the database file vanish when the
 * process opens and closes that file by any other way. The file stays when the lock is given back:
 * whoever unlinked it could take it from under one who has just opened it.
 */
#ifndef GOSSIP_STORE_LOCK_H
#define GOSSIP_STORE_LOCK_H

#include "store/explanation.h"

/* Takes the lock, at once or not at all. *ret_descriptor holds it until lock_release().
 * LOCKED (explanation names what is locked and the holder's pid), NOT_FOUND (no such directory),
 * PERMISSION, FULL, IO. */
int lock_acquire(const char *path, const char *what, int *ret_descriptor,
                 struct explanation *explanation);

/* Gives the lock back. */
void lock_release(int descriptor);

#endif
