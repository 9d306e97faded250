/*
 * Each node in a network namespace of its own, behind a bridge in one more, which is that of the
 * run: network_namespaces(7), veth(4), and what nft(8) says of sets and of numgen. All of them are
 * of this process and its children alone, and nameless: they end with the last of them, however it
 * ends. Who is not root gets them within a user namespace, where systems allow it.
 *
 * Links are cut, and lose, at their receiver's end, in the kernel: what a node's own shim makes of
 * a cut is so checked by something that is not ours. What is dropped at the sender's end would be
 * an error of its sendto(), which no network makes.
 */
#include "cmd/lab/local_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/child.h"

enum { PORT = 7777, PPM = 1000000 };

#define FENCED_ADDRESS "10.77.1.%u"

/* ---- Programs of the system. ---- */

static char *path_of(const struct local *local, const char *name)
{
    char *path;

    if (asprintf(&path, "%s/%s", local->place, name) < 0)
        abort(); /* No memory. */
    return path;
}

/* Has program carry out what is in text, in the namespace space. What it says to it is in the file
 * network.log. */
static bool carry_out(const struct local *local, int space, const char *program, const char *option,
                      const struct text *text)
{
    char *path = path_of(local, "network");
    char *log = path_of(local, "network.log");
    const char *arguments[] = {program, option, path, NULL};
    FILE *file = fopen(path, "we");
    bool is_good = file && !text->failed && fwrite(text->data, 1, text->size, file) == text->size;
    pid_t pid = -1;

    if (file)
        is_good = fclose(file) == 0 && is_good;
    if (is_good)
        pid = child_start_program(program, arguments, space, log);
    is_good = pid > 0 && child_wait(pid) == EXIT_OK;
    free(path);
    free(log);
    return is_good;
}

static bool run_ip(const struct local *local, int space, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool run_ip(const struct local *local, int space, const char *format, ...)
{
    struct text text = {0};
    va_list arguments;
    char lines[512];
    bool is_good;

    va_start(arguments, format);
    vsnprintf(lines, sizeof(lines), format, arguments);
    va_end(arguments);
    text_add(&text, lines);
    is_good = carry_out(local, space, "ip", "-batch", &text);
    text_clear(&text);
    return is_good;
}

/* ---- Namespaces. ---- */

static bool write_line(const char *path, const char *line)
{
    int file = open(path, O_WRONLY | O_CLOEXEC);
    bool is_good = file >= 0 && write(file, line, strlen(line)) == (ssize_t)strlen(line);

    if (file >= 0)
        is_good = close(file) == 0 && is_good;
    return is_good;
}

/* Who has the right leaves the network of this process; who has not becomes root of a user
 * namespace, which has it. */
static bool leave_network(void)
{
    unsigned user = geteuid();
    unsigned group = getegid();
    char line[64];

    if (unshare(CLONE_NEWNET) == 0)
        return true;
    if (errno != EPERM || unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return false;
    snprintf(line, sizeof(line), "0 %u 1\n", user);
    if (!write_line("/proc/self/uid_map", line) || !write_line("/proc/self/setgroups", "deny\n"))
        return false;
    snprintf(line, sizeof(line), "0 %u 1\n", group);
    return write_line("/proc/self/gid_map", line);
}

static int present_space(void)
{
    return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

static enum exit_code complain_of_spaces(void)
{
    return complain_of_system("cannot make", "network namespaces",
                              "allow users to make them (unshare -Urn), or be root, or play it "
                              "--on local");
}

static enum exit_code complain_of_programs(const struct local *local)
{
    char *log = path_of(local, "network.log");
    enum exit_code code = child_complain(
        "lab",
        "no network can be made of namespaces; it takes the programs ip (of iproute2) and nft (of "
        "nftables)",
        log);

    free(log);
    return code;
}

/* One more, for a node, with a cable to the bridge. */
static enum exit_code make_space(struct local *local, int hub, unsigned number)
{
    struct local_node *node = &local->nodes[number];

    snprintf(node->address, sizeof(node->address), FENCED_ADDRESS ":%u", number + 1, PORT);
    if (unshare(CLONE_NEWNET) != 0 || (node->space = present_space()) < 0 ||
        setns(hub, CLONE_NEWNET) != 0)
        return complain_of_spaces();
    if (!run_ip(local, node->space,
                "link set lo up\n"
                "link add eth0 type veth peer name n%u netns %d\n"
                "addr add " FENCED_ADDRESS "/24 dev eth0\n"
                "link set eth0 up\n",
                number + 1, (int)getpid(), number + 1) ||
        !run_ip(local, hub, "link set n%u master hub up\n", number + 1))
        return complain_of_programs(local);
    return EXIT_OK;
}

static enum exit_code open_namespaces(struct local *local)
{
    enum exit_code code = EXIT_OK;
    int hub = -1;

    if (!leave_network() || (hub = present_space()) < 0)
        return complain_of_spaces();
    if (!run_ip(local, hub, "link set lo up\nlink add hub type bridge\nlink set hub up\n"))
        code = complain_of_programs(local);
    for (unsigned i = 0; i < local->count && code == EXIT_OK && local->base.signal == 0; i++) {
        code = make_space(local, hub, i);
        local_read_signals(local);
    }
    /* Rules are made now too, so that it is known whether they can be. */
    if (code == EXIT_OK && local->base.signal == 0 && !local->network->fence(local, 0))
        code = complain_of_programs(local);
    close(hub);
    return code;
}

/* ---- Rules. ---- */

/* With the end of what the programs have said. */
static bool fail_to_fence(struct local *local, unsigned number)
{
    char *log = path_of(local, "network.log");
    FILE *file = fopen(log, "re");
    char said[512] = "";
    size_t size = 0;

    if (file &&
        (fseek(file, 1 - (long)sizeof(said), SEEK_END) == 0 || fseek(file, 0, SEEK_SET) == 0))
        size = fread(said, 1, sizeof(said) - 1, file);
    said[size] = '\0';
    if (file)
        fclose(file);
    free(log);
    return local_fail(local, "nft cannot set what the links to %s let through: %s",
                      local_name(local, number), said);
}

static bool fence(struct local *local, unsigned number)
{
    struct text text = {0};
    bool is_good;

    /* One transaction: an empty table, so that there is one to be deleted, and the new one. */
    text_add(&text, "table ip gossip {}\n"
                    "delete table ip gossip\n"
                    "table ip gossip {\n"
                    " chain input {\n"
                    "  type filter hook input priority 0; policy accept;\n");
    for (unsigned i = 0; i < local->count; i++) {
        uint32_t loss_ppm = local->links[i][number].loss_ppm;

        if (local->is_cut[i][number] || loss_ppm >= PPM)
            text_print(&text, "  ip saddr " FENCED_ADDRESS " drop\n", i + 1);
        else if (loss_ppm > 0)
            text_print(&text,
                       "  ip saddr " FENCED_ADDRESS " numgen random mod %d < %" PRIu32 " drop\n",
                       i + 1, PPM, loss_ppm);
    }
    text_add(&text, " }\n}\n");
    is_good = carry_out(local, local->nodes[number].space, "nft", "-f", &text);
    text_clear(&text);
    return is_good || fail_to_fence(local, number);
}

const struct local_network local_namespaces = {.open = open_namespaces, .fence = fence};
