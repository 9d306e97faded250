/*
 * What the system knows of this process.
 */
#ifndef CMD_PROCESS_H
#define CMD_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* Each is false where the system does not tell. */

/* The time that it has spent on processors, its own and the kernel's for it. */
bool process_cpu_us(uint64_t *ret_us);

/* The memory that it has in use, of the machine's own. */
bool process_resident_bytes(uint64_t *ret_bytes);

/* How many descriptors are open, and how many may be. */
bool process_descriptors(uint64_t *ret_count);
bool process_descriptors_max(uint64_t *ret_count);

#endif
