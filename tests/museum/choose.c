#include "gossip/museum.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool museum_choose(int *argc, char **argv)
{
    const char *name = getenv("GOSSIP_MUSEUM");
    enum museum_exhibit exhibit;

    if (*argc > 2 && strcmp(argv[1], "--exhibit") == 0) {
        name = argv[2];
        *argc -= 2;
        for (int i = 1; i <= *argc; i++) /* The NULL at the end too. */
            argv[i] = argv[i + 2];
    }
    exhibit = name == NULL ? MUSEUM_NONE : museum_find(name);
    if (exhibit == MUSEUM_EXHIBITS) {
        fprintf(stderr, "gossip-museum: there is no exhibit of that name; there are:\n");
        for (enum museum_exhibit i = MUSEUM_NONE; i < MUSEUM_EXHIBITS; i++)
            fprintf(stderr, "  %s\n", museum_name(i));
        return false;
    }
    museum_exhibit = exhibit;
    /* Nodes that this process starts, as experiments do, make the mistake too. */
    return setenv("GOSSIP_MUSEUM", museum_name(exhibit), 1) == 0;
}
