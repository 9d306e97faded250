/*
 * Scripts that come with the command: those of examples/lab/, by name.
 */
#ifndef GOSSIP_LAB_READY_H
#define GOSSIP_LAB_READY_H

#include <stddef.h>

struct ready_script {
    const char *name;
    const char *text;
    size_t size;
};

extern const struct ready_script ready_scripts[];
extern const size_t ready_script_count;

#endif
