/* What a person types of experiments by hand: up, and then line by line. */
#include "cmd/lab/hand_state.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cmd/child.h"

enum { END_MS = 10000 };

static enum exit_code make_script(const struct run_wish *wish, const char *nodes,
                                  const char *period, struct script *ret_script)
{
    const struct stage_ops *ops = wish->place->ops;
    char error[SCRIPT_ERROR_MAX] = "";
    struct text text = {0};
    struct timespec clock;
    bool is_read;

    clock_gettime(CLOCK_REALTIME, &clock);
    text_print(&text, "# By hand on %s, from ", ops->name);
    text_add_time(&text, (uint64_t)clock.tv_sec * 1000 + (uint64_t)clock.tv_nsec / 1000000);
    text_print(&text, " on.\nnodes %s\n", nodes);
    if (period)
        text_print(&text, "period %s\n", period);
    if (text.failed)
        abort(); /* No memory. */
    is_read = script_read(ret_script, NULL, text.data, text.size, error);
    text_clear(&text);
    if (is_read && script_check_place(ret_script, ops->name, ops->abilities, error))
        return EXIT_OK;
    complain("lab: up: %s", error);
    return EXIT_USAGE;
}

/* All but these and where complaints go. Whoever has started us may wait for the end of others, and
 * nodes have what this process has. */
static bool close_others(int a, int b, int c)
{
    int nothing = open("/dev/null", O_RDWR);
    int largest = a > b ? (a > c ? a : c) : (b > c ? b : c);
    bool are_closed =
        nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 && dup2(nothing, STDOUT_FILENO) >= 0;

    for (int i = STDERR_FILENO + 1; i < largest; i++)
        if (i != a && i != b && i != c)
            close(i);
    close_range((unsigned)largest + 1, ~0U, 0);
    return are_closed;
}

/* One that tells it to end, if there is one. */
static bool read_signal(int signals, struct signalfd_siginfo *ret_signal)
{
    struct signalfd_siginfo signal;

    while (read(signals, &signal, sizeof(signal)) == (ssize_t)sizeof(signal)) {
        if (signal.ssi_signo != SIGCHLD) {
            *ret_signal = signal;
            return true;
        }
    }
    return false;
}

/* Waits for the answer of the process that has the nodes up, and for signals, which end it. */
static enum exit_code await_up(pid_t pid, int socket, const sigset_t *signals,
                               const sigset_t *before)
{
    struct pollfd waits[] = {
        {.fd = socket, .events = POLLIN},
        {.fd = signalfd(-1, signals, SFD_NONBLOCK | SFD_CLOEXEC), .events = POLLIN}};
    struct hand_answer answer = {0};
    struct signalfd_siginfo signal = {0};
    bool is_told = false;

    if (waits[1].fd < 0)
        complain_of_system("cannot wait for", "signals", "close something and try again");
    while (waits[1].fd >= 0 && poll(waits, 2, -1) >= 0) {
        if (waits[0].revents != 0 && !hand_receive_answer(socket, &answer))
            break; /* It has complained. */
        is_told = waits[0].revents != 0;
        /* Whoever wants no experiment before he hears of one has none. */
        if (read_signal(waits[1].fd, &signal) || is_told)
            break;
    }
    is_told = is_told && signal.ssi_signo == 0;
    if (waits[1].fd >= 0)
        close(waits[1].fd);
    if (is_told && hand_send(socket, "", 1))
        return hand_show(&answer);
    text_clear(&answer.out);
    text_clear(&answer.error);
    shutdown(socket, SHUT_RDWR); /* So it does not wait for us. */
    kill(pid, SIGTERM);
    child_wait(pid);
    sigprocmask(SIG_SETMASK, before, NULL);
    if (signal.ssi_signo != 0)
        run_end_by((int)signal.ssi_signo);
    return EXIT_NO;
}

/* With signals held back, that were not before. */
static enum exit_code start(const struct run_wish *wish, struct script *script,
                            struct hand_home *home, const sigset_t *signals, const sigset_t *before)
{
    enum exit_code code = EXIT_NO;
    int sockets[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0) {
        hand_home_leave(home);
        return complain_of_system("cannot make", "a socket", "close something and try again");
    }
    pid = fork();
    if (pid == 0) {
        setsid();
        if (close_others(sockets[1], home->lock, home->directory.descriptor)) {
            code = hand_drive(wish, script, home, sockets[1]);
        } else {
            code = complain_of_system("cannot open", "/dev/null", "see what is wrong with /dev");
            hand_home_leave(home);
        }
        script_clear(script);
        exit(code);
    }
    close(sockets[1]);
    if (pid < 0) {
        code = complain_of_system("cannot start", "a process", "end others, and try again");
        hand_home_leave(home);
    } else {
        close(home->lock);
        directory_close(&home->directory);
        code = await_up(pid, sockets[0], signals, before);
    }
    close(sockets[0]);
    return code;
}

enum exit_code hand_up(const struct run_wish *wish, const char *nodes, const char *period)
{
    struct script script = {0};
    struct hand_home home;
    enum exit_code code = make_script(wish, nodes, period, &script);
    sigset_t signals;
    sigset_t before;

    child_signals(&signals);
    sigprocmask(SIG_BLOCK, &signals, &before);
    if (code == EXIT_OK)
        code = hand_home_take(wish->out, &home);
    if (code == EXIT_OK)
        code = start(wish, &script, &home, &signals, &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
    script_clear(&script);
    return code;
}

/* Who listens at the other end. */
static int open_process(int socket)
{
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);

    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.pid <= 0)
        return -1;
    return pidfd_open(peer.pid, 0);
}

/* It has said that all is ended: so is it itself, when this returns. */
static void await_end(int process)
{
    struct pollfd ended = {.fd = process, .events = POLLIN};

    while (process >= 0 && poll(&ended, 1, END_MS) < 0 && errno == EINTR)
        continue;
}

enum exit_code hand_ask(const struct run_wish *wish, const char *line)
{
    struct hand_answer answer = {0};
    struct text request = {0};
    bool is_end = strcmp(line, "down") == 0;
    enum exit_code code;
    int process;
    int socket;

    if (strlen(line) > SCRIPT_LINE_MAX || strchr(line, '\n')) {
        complain("lab: a statement is one line of at most %d bytes", SCRIPT_LINE_MAX);
        return EXIT_USAGE;
    }
    code = hand_home_connect(wish->out, is_end, &socket);
    if (code != EXIT_OK || socket < 0)
        return code;
    process = open_process(socket);
    text_print(&request, "%d %s\n", wish->is_json ? 1 : 0, line);
    if (request.failed)
        abort(); /* No memory. */
    /* There may be an answer, though not all was heard. */
    hand_send(socket, request.data, request.size);
    if (hand_receive_answer(socket, &answer)) {
        if (is_end)
            await_end(process);
        code = hand_show(&answer);
    } else {
        complain("lab: the experiment in %s has ended without an answer", wish->out);
        code = EXIT_NO_NODE;
    }
    text_clear(&request);
    if (process >= 0)
        close(process);
    close(socket);
    return code;
}
