/*
 * Where results go: standard output, or a file that is made for them. A reader that has had enough
 * (`| head -1`) is no error.
 */
#ifndef CMD_OUTPUT_H
#define CMD_OUTPUT_H

#include "cmd/exit.h"

#include <stdbool.h>
#include <stddef.h>

struct output {
    bool closed;      /* Nobody reads any more. */
    const char *path; /* Of a file, lent; NULL: standard output. */
    int file;
};

/* Makes the file path, mode 0600, which must not exist: then EXIT_NO. */
enum exit_code output_create(const char *path, struct output *ret_output);

/* Writes all of data[size]. EXIT_INPUT_OUTPUT, with a complaint. */
enum exit_code output_write(struct output *output, const char *data, size_t size);

/* Ends a file: where code is EXIT_OK it is made durable, else removed. Returns code, or what went
 * wrong here. Standard output stays as it is. */
enum exit_code output_finish(struct output *output, enum exit_code code);

#endif
