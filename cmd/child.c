#include "cmd/child.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/text.h"

void child_signals(sigset_t *ret_signals)
{
    sigemptyset(ret_signals);
    sigaddset(ret_signals, SIGINT);
    sigaddset(ret_signals, SIGTERM);
    sigaddset(ret_signals, SIGHUP);
    sigaddset(ret_signals, SIGCHLD);
}

/* NULL: this program. */
static void be_program(const char *program, const char *const *arguments)
{
    /* As execv() wants them, which changes nothing. */
    union {
        const char *const *ours;
        char *const *its;
    } passed = {arguments};
    char path[256];

    if (!program) {
        execv("/proc/self/exe", passed.its);
        return;
    }
    execvp(program, passed.its);
    if (errno == ENOENT) {
        snprintf(path, sizeof(path), "/usr/sbin/%s", program);
        execv(path, passed.its);
    }
    fprintf(stderr, "%s: %s\n", program, strerror(errno));
}

static pid_t start(const char *program, const char *const *arguments, int space, const char *log,
                   int death)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    sigset_t signals;
    int file;

    if (pid != 0)
        return pid;
    child_signals(&signals);
    sigprocmask(SIG_UNBLOCK, &signals, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, death);
    file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (getppid() != parent || file < 0 || dup2(file, STDOUT_FILENO) < 0 ||
        dup2(file, STDERR_FILENO) < 0 || (space >= 0 && setns(space, CLONE_NEWNET) < 0))
        _exit(EXIT_INPUT_OUTPUT);
    be_program(program, arguments);
    fflush(stderr);
    _exit(EXIT_INPUT_OUTPUT);
}

pid_t child_start(const char *const *arguments, const char *log, int death)
{
    return start(NULL, arguments, -1, log, death);
}

pid_t child_start_in(int space, const char *const *arguments, const char *log, int death)
{
    return start(NULL, arguments, space, log, death);
}

pid_t child_start_program(const char *program, const char *const *arguments, int space,
                          const char *log)
{
    return start(program, arguments, space, log, SIGKILL);
}

int child_code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int child_wait(pid_t pid)
{
    int status = -1;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return child_code(status);
}

static void show_log(const char *path)
{
    char line[1024];
    FILE *file = fopen(path, "re");

    while (file && fgets(line, sizeof(line), file)) {
        struct text escaped = {0};

        line[strcspn(line, "\n")] = '\0';
        text_add_escaped(&escaped, line, strlen(line), TEXT_ESCAPE_TERMINAL);
        fprintf(stderr, "  %s\n", escaped.data ? escaped.data : "");
        text_clear(&escaped);
    }
    if (file)
        fclose(file);
}

enum exit_code child_complain(const char *verb, const char *what, const char *log)
{
    complain("%s: %s; its log says:", verb, what);
    show_log(log);
    return EXIT_NO;
}

enum exit_code child_init(const char *verb, const char *directory, const char *name,
                          const char *cluster, const char *log)
{
    const char *arguments[] = {"gossip", "init", "--dir", directory, "--name",
                               name,     NULL,   NULL,    NULL};
    pid_t pid;

    if (cluster) {
        arguments[6] = "--cluster";
        arguments[7] = cluster;
    }
    pid = child_start(arguments, log, SIGTERM);
    if (pid < 0)
        return complain_of_system("cannot start", "a process", "end others, and try again");
    if (child_wait(pid) == EXIT_OK)
        return EXIT_OK;
    return child_complain(verb, "a node cannot be made", log);
}

enum exit_code child_make_place(const char *verb, const char *prefix, char **ret_path)
{
    const char *place = getenv("TMPDIR");
    char *path;

    if (!place || !*place)
        place = "/tmp";
    if (strlen(place) > CHILD_PATH_SIZE / 2) {
        complain("%s: the name in TMPDIR is too long", verb);
        return EXIT_USAGE;
    }
    if (asprintf(&path, "%s/%s-XXXXXX", place, prefix) < 0) {
        complain("%s: no memory for the name of a directory; free some and try again", verb);
        return EXIT_MEMORY;
    }
    if (!mkdtemp(path)) {
        free(path);
        return complain_of_system("cannot make a directory in", place,
                                  "name another place in TMPDIR");
    }
    *ret_path = path;
    return EXIT_OK;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

enum exit_code child_remove_place(char *path)
{
    enum exit_code code = EXIT_OK;

    if (path && nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        code = complain_of_system("cannot remove", path, "remove it yourself");
    free(path);
    return code;
}
