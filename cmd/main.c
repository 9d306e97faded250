#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/command.h"
#include "cmd/text.h"
#include "gossip/gossip.h"
#include "gossip/museum.h"

/* In the order in which one needs them. */
static const struct command *const commands[] = {
    &command_init,     &command_node,    &command_publish, &command_log,    &command_clock,
    &command_relation, &command_peers,   &command_status,  &command_stop,   &command_verify,
    &command_backup,   &command_recover, &command_export,  &command_import, &command_proof,
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static void print_help(void)
{
    printf("gossip: nodes that tell each other signed events, and know which could have caused "
           "which\n\nusage: gossip VERB [--dir D] ...\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        printf("  %-9s %s\n", commands[i]->name, commands[i]->summary);
    printf("\nGOSSIP_DIR names the node's directory where --dir does not.\n"
           "`gossip VERB --help` tells more of each, with examples; `gossip --version` the "
           "version.\n"
           "\nExit codes: 0 ok, 1 no or failed, 2 usage, 3 no node running, 4 timed out,\n"
           "65 data damaged, 71 no memory, 74 input/output, 75 locked, 77 permission,\n"
           "78 configuration.\n"
           "\nExamples:\n"
           "  gossip init --dir n1 --name n1\n"
           "  gossip node --dir n1 --listen 127.0.0.1:7001 &\n"
           "  gossip publish --dir n1 hello\n"
           "  gossip log --dir n1\n");
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static enum exit_code refuse_verb(const char *name)
{
    struct text escaped = {0};

    text_add_escaped(&escaped, name, strlen(name), TEXT_ESCAPE_TERMINAL);
    complain("there is no verb \"%s\"; verbs come first, and `gossip help` lists them",
             escaped.data ? escaped.data : "");
    text_clear(&escaped);
    return EXIT_USAGE;
}

static enum exit_code run(int argc, char **argv)
{
    const struct command *command;

    if (argc < 2) {
        complain("say what to do; `gossip help` lists the verbs");
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("gossip %s\n", gossip_version());
        return EXIT_OK;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0) {
        if (argc == 2) {
            print_help();
            return EXIT_OK;
        }
        command = find_command(argv[2]);
        if (!command)
            return refuse_verb(argv[2]);
        command_help(command);
        return EXIT_OK;
    }
    command = find_command(argv[1]);
    if (!command)
        return refuse_verb(argv[1]);
    return command->run(command, argc - 1, argv + 1);
}

/* A descriptor of the first three that is closed would be taken by the next file opened, and what
 * is printed would end up in it. What stands in for it cannot be written to. */
static bool fill_descriptors(void)
{
    for (int i = 0; i <= STDERR_FILENO; i++)
        if (fcntl(i, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", i == STDERR_FILENO ? O_WRONLY : O_RDONLY) != i)
            return false;
    return true;
}

int main(int argc, char **argv)
{
    enum exit_code code;

    if (!fill_descriptors())
        return EXIT_MEMORY;
    if (MUSEUM_IS_BUILT && !museum_choose(&argc, argv))
        return EXIT_USAGE;
    /* Writing to what nobody reads, or past a limit on file sizes, is an error like others. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    code = run(argc, argv);
    if ((fflush(stdout) != 0 || ferror(stdout)) && errno != EPIPE && code == EXIT_OK)
        return complain_of_system("cannot write to", "standard output", "check where it goes");
    return (int)code;
}
