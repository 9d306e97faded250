/*
 * Points in time as people write them.
 */
#ifndef CMD_WHEN_H
#define CMD_WHEN_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Reads a point in time, in milliseconds since 1970: as RFC 3339 has it (2026-01-02T03:04:05Z, with
 * a fraction or an offset such as +01:00), as a date (2026-01-02, from its first moment in UTC), or
 * as the time that has passed since: 500ms, 10 or 10s, 5m, 2h, 7d before now_ms, and no earlier
 * than 1970. Of a fraction three digits count. False where text is none of these.
 */
bool when_read(const char *text, uint64_t now_ms, uint64_t *ret_ms);

#endif
