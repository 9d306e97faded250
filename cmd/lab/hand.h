/*
 * Experiments by hand: a process in the background that owns the nodes, and does what it is told,
 * statement by statement, as a script would. It writes down what it does as a script.
 *
 * Functions that return an enum exit_code have complained where something could not be done.
 */
#ifndef GOSSIP_LAB_HAND_H
#define GOSSIP_LAB_HAND_H

#include "cmd/exit.h"
#include "cmd/lab/run.h"

#define HAND_OUT "gossip-lab" /* Where it is if nobody says so. */

/* Has nodes (as they stand behind the word nodes; period NULL: as a script that says nothing) up at
 * wish's place, and shows what can be done next. SIGINT and the like, before that, leave nothing.
 */
enum exit_code hand_up(const struct run_wish *wish, const char *nodes, const char *period);

/* Has a line carried out by the experiment that is up in wish->out: a statement, or one of status
 * and down; and shows what it answers. */
enum exit_code hand_ask(const struct run_wish *wish, const char *line);

#endif
