/*
 * What a store's database holds, as SQL that a person can read with the sqlite3 shell.
 */
#ifndef GOSSIP_STORE_SCHEMA_H
#define GOSSIP_STORE_SCHEMA_H

#include <stddef.h>

enum {
    SCHEMA_APPLICATION_ID = 0x67737031, /* "gsp1", in the header of each of our files. */
    SCHEMA_VERSION = 3,                 /* user_version: of the tables below. */

    /* A commit writes whole pages, most often three. At 8192 the disk per event is the same. */
    SCHEMA_PAGE_SIZE = 4096,
};

struct schema_object {
    const char *type; /* As in sqlite_schema. */
    const char *name;
    const char *sql; /* Kept by SQLite byte for byte, so that a file can be compared with it. */
};

extern const struct schema_object schema_objects[];
extern const size_t schema_object_count;

#endif
