#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/command.h"
#include "gossip/gossip.h"
#include "gossip/museum.h"

static enum exit_code run(int argc, char **argv)
{
    static char help[] = "help";
    static char version[] = "version";
    const struct command *command;

    if (argc < 2) {
        complain("say what to do; `gossip help` lists the verbs");
        return EXIT_USAGE;
    }
    /* What people try first. */
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        argv[1] = help;
    if (strcmp(argv[1], "--version") == 0)
        argv[1] = version;
    command = command_find(argv[1]);
    if (!command)
        return command_refuse_verb(argv[1]);
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
