#include "store/migration.h"

#include "store/schema.h"

/* Whoever makes another version adds the step to it here. What is here stays as it is: files of
 * those versions stay as they are, too. */
static const struct migration own_steps[] = {
    /* No event of version 1 was to be written once. */
    {1, "CREATE TABLE onces (\n"
        "    -- Our own events that are written once, by a hash of the key they were asked for "
        "with.\n"
        "    hash BLOB NOT NULL,            -- 16 bytes.\n"
        "    delivery INTEGER NOT NULL,\n"
        "    PRIMARY KEY (hash, delivery)\n"
        ") STRICT, WITHOUT ROWID"},
    /* Rows of version 2 could not tell that they were damaged. */
    {2,
     "DROP VIEW log;\n"
     "ALTER TABLE events RENAME TO events_2;\n"
     "CREATE TABLE events (\n"
     "    -- All events held, in the order in which they were delivered here.\n"
     "    delivery INTEGER PRIMARY KEY,\n"
     "    author INTEGER NOT NULL,       -- Its number.\n"
     "    seq INTEGER NOT NULL,          -- 1, 2, 3 ... of this author.\n"
     "    hash_seal BLOB NOT NULL,       -- Hash, 32 bytes; and seal, 64 more, if it is known.\n"
     "    body BLOB NOT NULL,            -- What was signed, byte for byte.\n"
     "    checksum INTEGER NOT NULL      -- Of this row: tells when a bit of it has flipped.\n"
     ") STRICT;\n"
     "INSERT INTO events SELECT delivery, author, seq, hash_seal, body,\n"
     "    event_checksum(delivery, author, seq, hash_seal, body) FROM events_2;\n"
     "DROP TABLE events_2;\n"
     "CREATE UNIQUE INDEX events_by_author ON events (author, seq);\n"
     "ALTER TABLE contexts RENAME TO contexts_2;\n"
     "CREATE TABLE contexts (\n"
     "    -- Of some events the full context, so that it need not be gathered. Local, unsigned.\n"
     "    delivery INTEGER PRIMARY KEY,\n"
     "    context BLOB NOT NULL,\n"
     "    checksum INTEGER NOT NULL\n"
     ") STRICT;\n"
     "INSERT INTO contexts SELECT delivery, context, context_checksum(delivery, context)\n"
     "    FROM contexts_2;\n"
     "DROP TABLE contexts_2;\n"
     "CREATE VIEW log AS\n"
     "    -- For people: the events, in order of delivery.\n"
     "    SELECT delivery, lower(hex(id)) AS author, seq, length(body) AS size,\n"
     "        lower(hex(substr(hash_seal, 1, 32))) AS hash, length(hash_seal) > 32 AS sealed\n"
     "    FROM events LEFT JOIN authors ON authors.number = events.author"},
};
enum { OWN_STEPS = sizeof(own_steps) / sizeof(own_steps[0]) };

static const struct migration *steps = own_steps;
static size_t step_count = OWN_STEPS;

_Static_assert(SCHEMA_VERSION == OWN_STEPS + 1,
               "A new version of the tables needs the step that leads to it.");

const struct migration *migration_from(int version)
{
    for (size_t i = 0; i < step_count; i++)
        if (steps[i].version == version)
            return &steps[i];
    return NULL;
}

void migration_replace(const struct migration *replacement, size_t count)
{
    steps = replacement == NULL ? own_steps : replacement;
    step_count = replacement == NULL ? OWN_STEPS : count;
}
