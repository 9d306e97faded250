/*
 * Scenes: what campaigns do too seldom for a mistake to show, acted out by a few nodes of a virtual
 * world. A seed decides how many they are, how much they write and when, and the checker watches
 * every step, as in campaigns. At the end all is whole, and all must come to agree.
 */
#ifndef TESTS_MUSEUM_SCENES_H
#define TESTS_MUSEUM_SCENES_H

#include "cmd/lab/campaign.h"

/* Of the result the violation alone is set. narrator as in world.h, or NULL. */
typedef void scene_player(uint64_t seed, world_narrator *narrator,
                          struct campaign_result *ret_result);

/* The files of one node are copied back from its backup, and it writes on. */
scene_player scene_copied_back;

/* The database of one node is set back in place, and its side file is not. */
scene_player scene_side_file;

/* A node whose clock begins at the same moment at every start is copied back twice. */
scene_player scene_dead_battery;

/* A machine is set back while it is alone, which nothing on it can tell, and writes other events
 * under the same numbers, which others than before hear of and write about: as many as before, or
 * more. */
scene_player scene_even_fork;
scene_player scene_uneven_fork;

/* After such a fork another record comes that ends the author earlier: a third branch parts sooner
 * than the two whose fork was proven first, or its key is evicted. */
scene_player scene_later_records;

#endif
