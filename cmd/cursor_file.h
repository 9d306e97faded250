/*
 * A cursor in a file: one line, replaced as a whole, so that it is the old one or the new one
 * whenever power is lost.
 */
#ifndef CMD_CURSOR_FILE_H
#define CMD_CURSOR_FILE_H

#include "cmd/exit.h"
#include "cmd/text.h"

/* Reads a cursor. Where there is no file, ret_cursor stays empty. Complains. */
enum exit_code cursor_file_read(const char *path, struct text *ret_cursor);

/* Writes it durably. Complains. */
enum exit_code cursor_file_write(const char *path, const char *cursor);

#endif
