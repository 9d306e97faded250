/*
 * Faults as people and programs write them, one a line: "in 127.0.0.1:7002 cut". docs/api.md,
 * "POST /v1/faults", tells of them.
 */
#ifndef CMD_FAULT_LINES_H
#define CMD_FAULT_LINES_H

#include "cmd/text.h"
#include "transport/faults.h"

/* Reads text[size]; ret_faults has room for FAULTS_MAX. False where a line is none: ret_explanation
 * then is added to, with the line's number. */
bool fault_lines_read(const char *text, size_t size, struct fault *ret_faults, size_t *ret_count,
                      struct text *ret_explanation);

#endif
