/*
 * Whether what a script says can be: times that do not go back, processes that are there to be
 * ended, numbers that a machine can bear; and whether where it is to be played can do it all.
 */
#ifndef GOSSIP_LAB_SCRIPT_CHECK_H
#define GOSSIP_LAB_SCRIPT_CHECK_H

#include "cmd/lab/script.h"

/* What a statement needs of the place where it is played. */
enum ability {
    ABILITY_PROCESSES, /* Nodes start and end, publish, and are asked: any place can. */
    ABILITY_LINKS,     /* Latency, jitter, loss, duplication; cuts. */
    ABILITY_FILES,     /* Copies of the files of nodes that are down. */
    ABILITY_MACHINE,   /* A machine set back as a whole. */
    ABILITY_CLOCKS,    /* Wall clocks that are wrong. */
    ABILITY_DISKS,     /* Disks that are full, slow, or fail. */
    ABILITIES,
};

/* What each is for, "wrong clocks" ...; never NULL. */
const char *ability_name(enum ability ability);

enum ability statement_ability(const struct statement *statement);

/* Sets script->end_ms. Statements that were dropped do not count. False, and ret_error says why,
 * where it does not fit. */
bool script_check(struct script *script, char ret_error[SCRIPT_ERROR_MAX]);

/* Whether a place that is called so and has these abilities (bits) can play it. */
bool script_check_place(const struct script *script, const char *place, unsigned abilities,
                        char ret_error[SCRIPT_ERROR_MAX]);

#endif
