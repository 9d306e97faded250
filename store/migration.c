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
