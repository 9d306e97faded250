/*
 * Standard output, where results go. A reader that has had enough (`| head -1`) is no error.
 */
#ifndef CMD_OUTPUT_H
#define CMD_OUTPUT_H

#include "cmd/exit.h"

#include <stdbool.h>
#include <stddef.h>

struct output {
    bool closed; /* Nobody reads any more. */
};

/* Writes all of data[size]. EXIT_INPUT_OUTPUT, with a complaint. */
enum exit_code output_write(struct output *output, const char *data, size_t size);

#endif
