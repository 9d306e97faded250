/*
 * Publishes standard input, one event a line, many to a request.
 */
#ifndef CMD_PUBLISH_LINES_H
#define CMD_PUBLISH_LINES_H

#include "cmd/exit.h"

#include <stdbool.h>

/* Reads to the end of standard input, however far away that is, and prints a dot for each line once
 * it is durable. Ends at the first line that cannot be written. */
enum exit_code publish_lines(const char *directory, bool plain);

#endif
