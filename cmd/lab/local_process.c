/* Processes that end, signals, and what links do. */
#include "cmd/lab/local_state.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/child.h"

enum {
    ENDING_MS = 2000, /* From when a node answers nobody until its process has ended. */
    LOOK_MS = 5,
};

/* ---- Processes. ---- */

/* A process has ended; what it had shown before is seen first. */
bool local_see_end(struct local *local, unsigned number, unsigned line, int code, const char *text)
{
    struct local_node *node = &local->nodes[number];
    bool is_good;

    node->pid = 0;
    is_good = local_read_watch(local, number);
    if (node->watch >= 0)
        close(node->watch);
    node->watch = -1;
    local_drop_publications(node);
    node->is_paused = false;
    node->is_double = code == EXIT_CONFIGURATION;
    node->datagrams += node->process_datagrams;
    node->bytes += node->process_bytes;
    node->process_datagrams = node->process_bytes = 0;
    journal_ended(local->base.journal, local_now(&local->base), line, number, code, text);
    return is_good;
}

/* Those that have ended, though nobody said so. */
bool local_see_ends(struct local *local)
{
    bool is_good = true;

    for (unsigned i = 0; i < local->count; i++) {
        struct local_node *node = &local->nodes[i];
        char text[64];
        int status;

        if (node->pid == 0 || waitpid(node->pid, &status, WNOHANG) != node->pid)
            continue;
        snprintf(text, sizeof(text), "its process has ended with %d", child_code(status));
        is_good = local_see_end(local, i, 0, child_code(status), text) && is_good;
    }
    return is_good;
}

void local_read_signals(struct local *local)
{
    struct signalfd_siginfo signal;

    while (read(local->signals, &signal, sizeof(signal)) == (ssize_t)sizeof(signal))
        if (signal.ssi_signo != SIGCHLD)
            local->base.signal = (int)signal.ssi_signo;
}

/* Waits so long at most for something to happen, and takes all that has. */
bool local_look(struct local *local, uint64_t ms)
{
    struct pollfd waits[2 + 2 * SCRIPT_NODES_MAX];
    bool is_good = true;

    for (unsigned i = 0; i < local->count && is_good; i++)
        if (local->nodes[i].pid != 0)
            is_good = local_post(local, i);
    waits[0] = (struct pollfd){.fd = local->signals, .events = POLLIN};
    for (unsigned i = 0; i < local->count; i++) {
        struct local_node *node = &local->nodes[i];

        waits[1 + 2 * i] = (struct pollfd){.fd = node->watch, .events = POLLIN};
        waits[2 + 2 * i] =
            (struct pollfd){.fd = node->asked > 0 ? node->post.socket : -1, .events = POLLIN};
    }
    waits[1 + 2 * local->count] = (struct pollfd){.fd = local->wake, .events = POLLIN};
    if (is_good && poll(waits, 2 + 2 * local->count, ms < 1000 ? (int)ms : 1000) < 0 &&
        errno != EINTR)
        return local_fail(local, "cannot wait for nodes: %s", strerror(errno));
    local->is_awake = local->is_awake || waits[1 + 2 * local->count].revents != 0;
    local_read_signals(local);
    for (unsigned i = 0; i < local->count && is_good; i++) {
        is_good = waits[1 + 2 * i].revents == 0 || local_read_watch(local, i);
        if (waits[2 + 2 * i].revents != 0 && local->nodes[i].asked > 0)
            local_read_post(local, i);
    }
    return local_see_ends(local) && is_good && local_is_sound(local);
}

bool local_has_ended(struct local *local, unsigned number)
{
    struct local_node *node = &local->nodes[number];
    uint64_t end_ms = local_now(&local->base) + ENDING_MS;

    while (local_see_ends(local) && node->pid != 0) {
        if (local_now(&local->base) >= end_ms || !local_read_watch(local, number))
            return false;
        poll(&(struct pollfd){.fd = local->signals, .events = POLLIN}, 1, LOOK_MS);
        local_read_signals(local);
        if (!local_is_sound(local))
            return false;
    }
    return node->pid == 0;
}

/* ---- Links. ---- */

/* What happens to what node receives; and, where nothing passes, to what it sends: a node that does
 * not know of the cut yet, as it starts or is paused, is no hole in it. Cuts and loss are left to
 * a network that can do them. */
void local_add_faults(const struct local *local, unsigned node, struct text *ret_text)
{
    bool is_fenced = local->network->fence != NULL;

    for (unsigned i = 0; i < local->count; i++) {
        const struct script_link *link = &local->links[i][node];
        const char *address = local->nodes[i].address;
        uint32_t loss_ppm = is_fenced ? 0 : link->loss_ppm;

        if (i == node)
            continue;
        if (local->is_cut[node][i] && !is_fenced)
            text_print(ret_text, "out %s cut\n", address);
        if (local->is_cut[i][node] && !is_fenced)
            text_print(ret_text, "in %s cut\n", address);
        else if (link->latency_ms > 0 || link->jitter_ms > 0 || loss_ppm > 0 ||
                 link->duplicate_ppm > 0)
            text_print(ret_text,
                       "in %s latency %" PRIu32 "ms jitter %" PRIu32 "ms loss %" PRIu32
                       ".%04" PRIu32 "%% duplicate %" PRIu32 ".%04" PRIu32 "%%\n",
                       address, link->latency_ms, link->jitter_ms, loss_ppm / 10000,
                       loss_ppm % 10000, link->duplicate_ppm / 10000, link->duplicate_ppm % 10000);
    }
    if (ret_text->failed)
        abort(); /* No memory. */
}

/* Tells networks and nodes what their links do, where that has changed. */
bool local_tell_links(struct local *local)
{
    bool is_good = true;

    for (unsigned i = 0; i < local->count && is_good && local->network->fence; i++) {
        if (local->nodes[i].is_fence_stale)
            is_good = local->network->fence(local, i);
        local->nodes[i].is_fence_stale = false;
    }
    for (unsigned i = 0; i < local->count && is_good; i++) {
        struct local_node *node = &local->nodes[i];
        struct text faults = {0};
        struct text answer = {0};

        if (!node->is_stale || node->pid == 0 || node->is_paused)
            continue;
        local_add_faults(local, i, &faults);
        is_good = local_ask(local, i, "POST", "/v1/faults", &faults, &answer);
        text_clear(&faults);
        text_clear(&answer);
        node->is_stale = false;
        /* It may just have ended, which is another thing. */
        is_good = is_good || local_has_ended(local, i);
    }
    return is_good;
}
