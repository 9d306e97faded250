/* Throw-away nodes on loopback: made, run, and removed when the command ends. */
#include "cmd/command.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/ask.h"
#include "cmd/child.h"
#include "cmd/text.h"
#include "gossip/gossip.h"

enum {
    NODES_DEFAULT = 3,
    NODES_MAX = 20,
    PATIENCE_MS = 20000, /* For a node to start, and for all to be in step. */
    ENDING_MS = 5000,    /* For nodes to end. */
    LOOK_MS = 20,
    PATH_SIZE = CHILD_PATH_SIZE,
};

struct dev_node {
    char directory[PATH_SIZE];
    char log[PATH_SIZE];
    char address[GOSSIP_ADDRESS_TEXT_MAX];
    pid_t pid; /* 0: it does not run. */
};

struct dev {
    char *root; /* NULL: it is not made. */
    unsigned count;
    struct dev_node nodes[NODES_MAX];
};

/* Waits so long at most. Whether it is to end. */
static bool is_told_to_end(int ms)
{
    struct timespec patience = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    sigset_t signals;
    int signal;

    child_signals(&signals);
    signal = ms < 0 ? sigwaitinfo(&signals, NULL) : sigtimedwait(&signals, NULL, &patience);
    return signal == SIGINT || signal == SIGTERM || signal == SIGHUP;
}

static enum exit_code fail(const struct dev_node *node, const char *what)
{
    return child_complain("dev", what, node->log);
}

/* ---- Nodes. ---- */

static enum exit_code init_node(struct dev *dev, unsigned index)
{
    struct dev_node *node = &dev->nodes[index];
    char cluster[PATH_SIZE + 16];
    char name[16];

    snprintf(name, sizeof(name), "n%u", index + 1);
    snprintf(cluster, sizeof(cluster), "%s/cluster.key", dev->nodes[0].directory);
    return child_init("dev", node->directory, name, index ? cluster : NULL, node->log);
}

/* Reads from its log where a node listens; false while it does not say. */
static bool read_address(struct dev_node *node)
{
    char line[2048];
    FILE *file = fopen(node->log, "re");
    bool found = false;

    while (file && !found && fgets(line, sizeof(line), file)) {
        const char *address = strstr(line, " address=");

        found = strstr(line, " event=ready ") && address && strchr(line, '\n') &&
                sscanf(address, " address=%63s", node->address) == 1;
    }
    if (file)
        fclose(file);
    return found;
}

static enum exit_code start_node(struct dev *dev, unsigned index, bool *ret_ended)
{
    struct dev_node *node = &dev->nodes[index];
    char listen[32];
    const char *arguments[] = {"gossip",
                               "node",
                               "--dir",
                               node->directory,
                               "--listen",
                               listen,
                               index ? "--join" : NULL,
                               dev->nodes[0].address,
                               NULL};
    int status;

    snprintf(listen, sizeof(listen), "127.77.0.%u:0", index + 1);
    node->pid = child_start(arguments, node->log, SIGTERM);
    if (node->pid < 0) {
        node->pid = 0;
        return complain_of_system("cannot start", "a process", "end others, and try again");
    }
    for (int waited_ms = 0; !read_address(node); waited_ms += LOOK_MS) {
        if (waitpid(node->pid, &status, WNOHANG) == node->pid) {
            node->pid = 0;
            return fail(node, "a node has ended at its start");
        }
        if (waited_ms >= PATIENCE_MS)
            return fail(node, "a node does not start");
        *ret_ended = is_told_to_end(LOOK_MS);
        if (*ret_ended)
            return EXIT_OK;
    }
    return EXIT_OK;
}

/* Waits until a node is in step with all the others. */
static enum exit_code await_step(const struct dev *dev, unsigned index, bool *ret_ended)
{
    char wanted[32];

    snprintf(wanted, sizeof(wanted), "{\"in_step\":%u}", dev->count - 1);
    for (int waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms += LOOK_MS) {
        struct text answer = {0};
        bool in_step;

        ask(&(struct ask){.method = "GET",
                          .path = "/v1/wait",
                          .arguments = {{"for", "in-step"}, {"timeout_ms", "0"}},
                          .answer = &answer,
                          .whole = true,
                          .quiet = true},
            dev->nodes[index].directory);
        in_step = answer.data && strncmp(answer.data, wanted, strlen(wanted)) == 0;
        text_clear(&answer);
        if (in_step)
            return EXIT_OK;
        *ret_ended = is_told_to_end(LOOK_MS);
        if (*ret_ended)
            return EXIT_OK;
    }
    return fail(&dev->nodes[index], "the nodes do not come in step");
}

/* ---- All of them. ---- */

static enum exit_code make_root(struct dev *dev)
{
    enum exit_code code = child_make_place("dev", "gossip-dev", &dev->root);

    for (unsigned i = 0; i < dev->count && code == EXIT_OK; i++) {
        snprintf(dev->nodes[i].directory, PATH_SIZE, "%s/n%u", dev->root, i + 1);
        snprintf(dev->nodes[i].log, PATH_SIZE, "%s/n%u.log", dev->root, i + 1);
    }
    return code;
}

static enum exit_code start_all(struct dev *dev, bool *ret_ended)
{
    enum exit_code code = make_root(dev);

    *ret_ended = false;
    for (unsigned i = 0; i < dev->count && code == EXIT_OK && !*ret_ended; i++)
        code = init_node(dev, i);
    for (unsigned i = 0; i < dev->count && code == EXIT_OK && !*ret_ended; i++)
        code = start_node(dev, i, ret_ended);
    for (unsigned i = 0; dev->count > 1 && i < dev->count && code == EXIT_OK && !*ret_ended; i++)
        code = await_step(dev, i, ret_ended);
    return code;
}

static enum exit_code end_all(struct dev *dev)
{
    for (unsigned i = 0; i < dev->count; i++)
        if (dev->nodes[i].pid > 0)
            kill(dev->nodes[i].pid, SIGTERM);
    for (int waited_ms = 0; waited_ms <= ENDING_MS + LOOK_MS; waited_ms += LOOK_MS) {
        bool any = false;

        for (unsigned i = 0; i < dev->count; i++) {
            struct dev_node *node = &dev->nodes[i];

            if (node->pid > 0 && waited_ms > ENDING_MS)
                kill(node->pid, SIGKILL);
            if (node->pid > 0 && waitpid(node->pid, NULL, waited_ms > ENDING_MS ? 0 : WNOHANG) != 0)
                node->pid = 0;
            any = any || node->pid > 0;
        }
        if (!any)
            break;
        poll(NULL, 0, LOOK_MS);
    }
    return child_remove_place(dev->root);
}

/* ---- What to type. ---- */

static void show_start(const struct dev *dev, unsigned index)
{
    printf("%s node --dir %s --listen %s%s%s", program_invocation_name, dev->nodes[index].directory,
           dev->nodes[index].address, dev->count > 1 ? " --join " : "",
           dev->count > 1 ? dev->nodes[index ? 0 : 1].address : "");
}

static void show(const struct dev *dev, bool json)
{
    const struct dev_node *last = &dev->nodes[dev->count - 1];
    const char *us = program_invocation_name;

    for (unsigned i = 0; i < dev->count && json; i++)
        printf("{\"node\":\"n%u\",\"dir\":\"%s\",\"address\":\"%s\",\"pid\":%ld}\n", i + 1,
               dev->nodes[i].directory, dev->nodes[i].address, (long)dev->nodes[i].pid);
    if (!json) {
        printf(dev->count == 1 ? "One node runs:\n" : "%u nodes run, and are in step:\n",
               dev->count);
        for (unsigned i = 0; i < dev->count; i++)
            printf("  n%-3u %-18s %s\n", i + 1, dev->nodes[i].address, dev->nodes[i].directory);
        printf("\nIn another terminal:\n");
        printf("  %s publish --dir %s hello\n", us, dev->nodes[0].directory);
        printf("  %s log --dir %s\n", us, last->directory);
        printf("  %s peers --dir %s\n", us, dev->nodes[0].directory);
        printf("  kill -9 %ld   and see what the others do\n", (long)last->pid);
        printf("\nCtrl-C ends all of them and removes what they have stored.\n");
    }
    fflush(stdout);
}

/* Tells of nodes that have ended, until it is to end itself. */
static void stay(struct dev *dev, bool json)
{
    while (!is_told_to_end(-1)) {
        for (unsigned i = 0; i < dev->count; i++) {
            struct dev_node *node = &dev->nodes[i];
            int status;

            if (node->pid == 0 || waitpid(node->pid, &status, WNOHANG) != node->pid)
                continue;
            node->pid = 0;
            if (json) {
                printf("{\"node\":\"n%u\",\"ended\":%d}\n", i + 1, child_code(status));
            } else {
                printf("\nn%u has ended, with %d. To start it again:\n  ", i + 1,
                       child_code(status));
                show_start(dev, i);
                printf("\n");
            }
            fflush(stdout);
        }
    }
}

static enum exit_code run(const struct command *command, int argc, char **argv)
{
    struct dev dev = {.count = NODES_DEFAULT};
    struct command_line line;
    enum exit_code code;
    enum exit_code ending;
    sigset_t signals;
    bool ended;

    command_line_start(&line, command, argc, argv);
    command_line_next(&line);
    if (!command_line_check_arguments(&line, 0, 1))
        return line.code;
    if (optind < argc) {
        char *end;
        unsigned long number = strtoul(argv[optind], &end, 10);

        if (!*argv[optind] || *end || argv[optind][0] == '-' || number < 1 || number > NODES_MAX) {
            command_line_refuse(&line, "N is a number of nodes from 1 to %d, not \"%s\"", NODES_MAX,
                                argv[optind]);
            return line.code;
        }
        dev.count = (unsigned)number;
    }
    child_signals(&signals);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    code = start_all(&dev, &ended);
    if (code == EXIT_OK && !ended) {
        show(&dev, line.json);
        stay(&dev, line.json);
    }
    ending = end_all(&dev);
    return code == EXIT_OK ? ending : code;
}

const struct command command_dev = {
    .name = "dev",
    .group = GROUP_RUN,
    .summary = "run throw-away nodes to try things with",
    .usage = "[--json] [N]",
    .text =
        "Makes N nodes (3, at most 20) of a cluster of their own in a temporary directory, runs\n"
        "them on 127.77.0.1, 127.77.0.2 and so on, and prints what can be typed next. Ctrl-C ends\n"
        "them and removes all that they have stored. A node that ends before is told of.\n",
    .nowhere = true,
    .json = "one object a line: {\"node\":\"n1\",\"dir\":...,\"address\":...,\"pid\":...} for each "
            "when all are in step, and {\"node\":\"n1\",\"ended\":137} when one has ended",
    .notes = "TMPDIR says where the directory is made (/tmp). Logs stand beside the nodes' "
             "directories,\nas n1.log and so on.\n",
    .examples = "  gossip dev\n"
                "  gossip dev 5\n"
                "  TMPDIR=/var/tmp gossip dev --json 1\n",
    .run = run,
};
