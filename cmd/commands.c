/* Which verbs there are. */
#include "cmd/command.h"

#include <string.h>

extern const struct command command_backup;
extern const struct command command_clock;
extern const struct command command_dev;
extern const struct command command_export;
extern const struct command command_help_verb;
extern const struct command command_import;
extern const struct command command_init;
extern const struct command command_key;
extern const struct command command_lab;
extern const struct command command_log;
extern const struct command command_node;
extern const struct command command_peers;
extern const struct command command_proof;
extern const struct command command_publish;
extern const struct command command_recover;
extern const struct command command_relation;
extern const struct command command_status;
extern const struct command command_stop;
extern const struct command command_verify;
extern const struct command command_version;
extern const struct command command_wait;
extern const struct command command_watch;

const struct command *const commands[] = {
    &command_init,      &command_node,    &command_stop,   &command_dev,      &command_publish,
    &command_log,       &command_watch,   &command_clock,  &command_relation, &command_peers,
    &command_status,    &command_wait,    &command_key,    &command_verify,   &command_backup,
    &command_recover,   &command_export,  &command_import, &command_proof,    &command_lab,
    &command_help_verb, &command_version,
};

const size_t command_count = sizeof(commands) / sizeof(commands[0]);

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

const char *command_group_title(enum command_group group)
{
    static const char *const titles[GROUPS] = {
        [GROUP_RUN] = "Nodes",
        [GROUP_EVENTS] = "Events",
        [GROUP_STATE] = "What a node sees",
        [GROUP_FILES] = "What is stored",
        [GROUP_LAB] = "Experiments",
        [GROUP_HELP] = "This command",
    };

    return titles[group];
}

const char *command_group_summary(enum command_group group)
{
    static const char *const summaries[GROUPS] = {
        [GROUP_RUN] = "make, run and end nodes of gossip",
        [GROUP_EVENTS] =
            "write and read the events of gossip, and ask how they stand to each other",
        [GROUP_STATE] = "show what a node of gossip sees of itself and of others",
        [GROUP_FILES] = "check, copy, mend and carry what nodes of gossip have stored",
        [GROUP_LAB] = "run experiments on nodes of gossip: crashes, partitions, bad links",
        [GROUP_HELP] = "help on gossip",
    };

    return summaries[group];
}
