#include "cmd/lab/stage.h"

#include <string.h>

static const struct stage_place *const places[] = {&stage_sim, &stage_local, &stage_netns};

const struct stage_place *stage_find(const char *name)
{
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (strcmp(places[i]->ops->name, name) == 0)
            return places[i];
    return NULL;
}

const char *stage_names(void)
{
    return "sim, local or netns";
}
