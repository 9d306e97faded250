/*
 * Waiting: requests that are answered when something has come about, or in vain when their time is
 * over. Nothing here looks at a clock. For api_*.c alone, but for what api.h declares.
 */
#ifndef CMD_API_WAIT_H
#define CMD_API_WAIT_H

#include "cmd/api.h"

/* NULL is allowed. */
void api_wait_close(struct api_wait *wait);

#endif
