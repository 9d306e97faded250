/* Where an experiment by hand is found: a lock, a socket and a log in the directory of results. */
#include "cmd/lab/hand_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BACKLOG = 64 };

static enum exit_code open_directory(const char *path, struct hand_home *ret_home)
{
    *ret_home = (struct hand_home){.lock = -1};
    ret_home->directory.path = path;
    ret_home->directory.descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (ret_home->directory.descriptor >= 0)
        return EXIT_OK;
    if (errno == ENOENT)
        return EXIT_NO_NODE;
    return complain_of_system("cannot open the directory", path, "name another with --out");
}

/* ---- The lock. ---- */

static struct hand_owner read_owner(const struct hand_home *home)
{
    struct hand_owner owner = {0};
    int file = openat(home->directory.descriptor, HAND_LOCK, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    FILE *stream = file >= 0 ? fdopen(file, "r") : NULL;

    if (stream && fscanf(stream, "%ld\n", &owner.process) == 1 &&
        fgets(owner.script, sizeof(owner.script), stream))
        owner.script[strcspn(owner.script, "\n")] = '\0';
    if (stream)
        fclose(stream);
    else if (file >= 0)
        close(file);
    return owner;
}

/* EXIT_LOCKED, without complaint, where another has it. is_new: it may be made. */
static enum exit_code take_lock(struct hand_home *home, bool is_new)
{
    int directory = home->directory.descriptor;
    struct stat ours;
    struct stat theirs;

    for (;;) {
        home->lock = openat(directory, HAND_LOCK,
                            O_RDWR | O_NOFOLLOW | O_CLOEXEC | (is_new ? O_CREAT : 0), 0600);
        if (home->lock < 0 && errno == ENOENT && !is_new)
            return EXIT_NO_NODE;
        if (home->lock < 0)
            return complain_of_system("cannot make " HAND_LOCK " in", home->directory.path,
                                      "name another directory with --out");
        if (flock(home->lock, LOCK_EX | LOCK_NB) < 0)
            break;
        /* It may just have been taken away by who had it before. */
        if (fstat(home->lock, &ours) == 0 &&
            fstatat(directory, HAND_LOCK, &theirs, AT_SYMLINK_NOFOLLOW) == 0 &&
            ours.st_ino == theirs.st_ino)
            return EXIT_OK;
        close(home->lock);
    }
    close(home->lock);
    home->lock = -1;
    return EXIT_LOCKED;
}

enum exit_code hand_home_sign(const struct hand_home *home, long process, const char *script)
{
    char line[64];
    int length = snprintf(line, sizeof(line), "%ld\n", process);
    size_t size = strlen(script);

    if (ftruncate(home->lock, 0) == 0 && pwrite(home->lock, line, (size_t)length, 0) == length &&
        pwrite(home->lock, script, size, length) == (ssize_t)size)
        return EXIT_OK;
    return complain_of_system("cannot write " HAND_LOCK " in", home->directory.path,
                              "check the disk and try again");
}

/* is_all: the lock too. */
static void take_away(const struct hand_home *home, bool is_all)
{
    static const char *const names[] = {HAND_SOCKET, HAND_LOG, HAND_LOCK};

    for (size_t i = 0; i < (is_all ? 3 : 2); i++)
        if (unlinkat(home->directory.descriptor, names[i], 0) < 0 && errno != ENOENT)
            complain_of_system("cannot take away what an experiment has left in",
                               home->directory.path, "remove it");
}

void hand_home_leave(struct hand_home *home)
{
    take_away(home, true);
    close(home->lock);
    directory_close(&home->directory);
}

/* What its owner has complained of last, before he was killed. */
static void show_log(const struct hand_home *home)
{
    int file = openat(home->directory.descriptor, HAND_LOG, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    FILE *stream = file >= 0 ? fdopen(file, "r") : NULL;
    char line[1024];

    while (stream && fgets(line, sizeof(line), stream)) {
        struct text escaped = {0};

        text_add_escaped(&escaped, line, strcspn(line, "\n"), TEXT_ESCAPE_TERMINAL);
        complain("lab: its log says: %s", escaped.data ? escaped.data : "");
        text_clear(&escaped);
    }
    if (stream)
        fclose(stream);
}

/* The lock is held, and nobody owns what is here. */
static void clear_killed(const struct hand_home *home)
{
    struct hand_owner owner = read_owner(home);

    stage_clear_killed();
    if (owner.process == 0)
        return;
    complain("lab: the experiment that was up in %s was killed; what it has left is taken away%s%s",
             home->directory.path, owner.script[0] ? ", but for what was done: " : "",
             owner.script);
    show_log(home);
}

enum exit_code hand_home_take(const char *path, struct hand_home *ret_home)
{
    enum exit_code code;

    *ret_home = (struct hand_home){.lock = -1};
    if (mkdir(path, 0777) < 0 && errno != EEXIST)
        return complain_of_system("cannot make the directory", path,
                                  "name another place with --out");
    code = open_directory(path, ret_home);
    if (code != EXIT_OK)
        return code;
    code = take_lock(ret_home, true);
    if (code == EXIT_OK) {
        clear_killed(ret_home);
        take_away(ret_home, false);
        code = hand_home_sign(ret_home, getpid(), "");
        if (code != EXIT_OK)
            close(ret_home->lock);
    } else if (code == EXIT_LOCKED) {
        struct hand_owner owner = read_owner(ret_home);

        complain(
            "lab: an experiment is up in %s already, of process %ld%s%s; `gossip lab down` ends "
            "it, or name another directory with --out",
            path, owner.process, owner.script[0] ? ", written down in " : "", owner.script);
    }
    if (code != EXIT_OK)
        directory_close(&ret_home->directory);
    return code;
}

/* ---- The socket. ---- */

static enum exit_code complain_of_none(const struct hand_home *home)
{
    complain("lab: no experiment is up in %s; `gossip lab up N` starts one of N nodes",
             home->directory.path);
    return EXIT_NO_NODE;
}

/* Nobody listens. */
static enum exit_code find_why(struct hand_home *home, bool is_ending)
{
    enum exit_code code = take_lock(home, false);

    if (code == EXIT_NO_NODE)
        return complain_of_none(home);
    if (code == EXIT_LOCKED) {
        complain("lab: the experiment in %s begins or ends just now; try again",
                 home->directory.path);
        return EXIT_NO_NODE;
    }
    if (code != EXIT_OK)
        return code;
    if (is_ending) {
        clear_killed(home);
        take_away(home, true);
    } else {
        complain("lab: the experiment that was up in %s was killed; `gossip lab down` takes away "
                 "what it has left",
                 home->directory.path);
        code = EXIT_NO_NODE;
    }
    close(home->lock);
    return code;
}

enum exit_code hand_home_connect(const char *path, bool is_ending, int *ret_socket)
{
    struct sockaddr_un address;
    struct hand_home home;
    socklen_t size;
    enum exit_code code = open_directory(path, &home);

    *ret_socket = -1;
    if (code == EXIT_NO_NODE)
        return complain_of_none(&home);
    if (code != EXIT_OK)
        return code;
    directory_address(&home.directory, HAND_SOCKET, &address, &size);
    *ret_socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*ret_socket < 0 || connect(*ret_socket, (const struct sockaddr *)&address, size) < 0) {
        bool is_nobody = *ret_socket >= 0 && (errno == ENOENT || errno == ECONNREFUSED);

        if (!is_nobody)
            code = complain_of_system("cannot speak with the experiment in", path,
                                      "ask as the user who has it up");
        if (*ret_socket >= 0)
            close(*ret_socket);
        *ret_socket = -1;
        if (is_nobody)
            code = find_why(&home, is_ending);
    }
    directory_close(&home.directory);
    return code;
}

enum exit_code hand_home_listen(const struct hand_home *home, int *ret_socket)
{
    struct sockaddr_un address;
    socklen_t size;
    mode_t mask;
    int bound;

    directory_address(&home->directory, HAND_SOCKET, &address, &size);
    *ret_socket = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* The mode must be right from the first moment on. */
    mask = umask(0177);
    bound = *ret_socket >= 0 ? bind(*ret_socket, (const struct sockaddr *)&address, size) : -1;
    umask(mask);
    if (bound == 0 && listen(*ret_socket, BACKLOG) == 0)
        return EXIT_OK;
    return complain_of_system("cannot make " HAND_SOCKET " in", home->directory.path,
                              "name another directory with --out");
}
