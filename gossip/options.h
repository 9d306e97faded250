/*
 * Option structs of the library's users, who may have been compiled with an earlier or a later
 * version of it. Each starts with its size.
 */
#ifndef GOSSIP_OPTIONS_H
#define GOSSIP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* Copies given to ret_options, which is known bytes long. What an earlier version did not have is
 * zero, its default; the first version had at least bytes. Returns whether it can be heeded: it
 * cannot where it is shorter than any version's, or where what we do not know is not zero. */
bool options_read(void *ret_options, size_t known, size_t least, const void *given);

#endif
