#include "store/migration.h"

#include "store/schema.h"

/* Version 1 is the first that ever was. Whoever makes another adds the step to it here. */
static const struct migration *steps;
static size_t step_count;

_Static_assert(SCHEMA_VERSION == 1, "A new version of the tables needs the step that leads to it.");

const struct migration *migration_from(int version)
{
    for (size_t i = 0; i < step_count; i++)
        if (steps[i].version == version)
            return &steps[i];
    return NULL;
}

void migration_replace(const struct migration *replacement, size_t count)
{
    steps = replacement;
    step_count = replacement == NULL ? 0 : count;
}
