/*
 * The files of a store that is being recovered: the old ones are moved aside under a dated name,
 * and the new ones take their place. Whenever it is cut off, the next attempt can go on: new files
 * bear the ending .recovered only once they are whole, and the old database goes first.
 */
#ifndef CMD_ASIDE_H
#define CMD_ASIDE_H

#include "cmd/directory.h"

/* Names in the directory while a store is being recovered. */
#define ASIDE_SALVAGE   DIRECTORY_STORE ".salvage"    /* A copy of the old one, to read from. */
#define ASIDE_BUILDING  DIRECTORY_STORE ".recovering" /* The new one, not whole yet. */
#define ASIDE_RECOVERED DIRECTORY_STORE ".recovered"  /* The new one, whole. */
#define ASIDE_KEY       DIRECTORY_KEY ".recovered"    /* A new key, where there is one. */
#define ASIDE_WAITING   ASIDE_RECOVERED ".waiting"    /* Events that wait, where there are any. */

/* What is added to the name of the old store, after the stamp, for those. */
#define ASIDE_WAITING_ENDING ".waiting"

enum { ASIDE_STAMP_SIZE = 40 };

/* Whether a recovery was cut off when the old files were already being moved. */
enum exit_code aside_is_pending(const struct directory *directory, bool *ret_pending);

/* Takes away what a recovery has left that was cut off before that. */
enum exit_code aside_clean(const struct directory *directory);

/* Copies the old database and its log to ASIDE_SALVAGE. */
enum exit_code aside_copy(const struct directory *directory);

/* The new store has been built and closed: it is whole. */
enum exit_code aside_finish_building(const struct directory *directory);

/* Moves the old files aside, durably, and puts the new ones in their place. ret_stamp is what was
 * added to their names. */
enum exit_code aside_switch(const struct directory *directory, char ret_stamp[ASIDE_STAMP_SIZE]);

#endif
