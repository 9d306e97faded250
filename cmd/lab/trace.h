/*
 * Trace hashes: one number for everything that has happened in a run, in order. Two runs of one
 * seed that differ in one byte sent or one record saved differ in it. It is compared, never
 * trusted: nobody chooses the bytes.
 */
#ifndef GOSSIP_LAB_TRACE_H
#define GOSSIP_LAB_TRACE_H

#include <stddef.h>
#include <stdint.h>

struct trace {
    uint64_t hash;
};

void trace_number(struct trace *trace, uint64_t number);

/* Also tells "ab", "c" from "a", "bc". */
void trace_bytes(struct trace *trace, const void *data, size_t size);

#endif
