/*
 * Scripts on real processes: `gossip node` on loopback addresses, each with the faults that links
 * are made of around its transport. What is seen of a node is what its local API shows: a stream of
 * what it delivers, and answers. Nothing here waits without looking at all of them.
 */
#include "cmd/lab/local_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cmd/child.h"
#include "cmd/json.h"
#include "cmd/lab/room.h"

enum {
    START_MS = 20000,  /* For a node to answer, once it was started; */
    END_MS = 20000,    /* and to end, once it was told to. */
    LOOK_MS = 5,       /* Between looks at what tells of nothing by itself. */
    CATCH_UP_MS = 250, /* What a clock has, and a node does not show: some of it is never shown. */
    JOINS = 2,
};

static struct local *local_of(const struct stage *stage)
{
    /* The first member; stages are never const themselves. */
    union {
        const struct stage *stage;
        struct local *local;
    } same = {stage};

    return same.local;
}

uint64_t local_now(const struct stage *stage)
{
    const struct local *local = local_of(stage);
    struct timespec now;
    int64_t ns;

    clock_gettime(CLOCK_MONOTONIC, &now);
    ns = (int64_t)(now.tv_sec - local->began.tv_sec) * 1000000000 +
         (now.tv_nsec - local->began.tv_nsec);
    return (uint64_t)ns / 1000000;
}

const char *local_name(const struct local *local, unsigned node)
{
    return local->script->nodes[node].name;
}

bool local_fail(struct local *local, const char *format, ...)
{
    va_list arguments;

    if (local->base.signal != 0)
        return false; /* Nothing that follows is worth telling. */
    va_start(arguments, format);
    vsnprintf(local->base.explanation, sizeof(local->base.explanation), format, arguments);
    va_end(arguments);
    return false;
}

bool local_is_sound(struct local *local)
{
    if (local->base.signal == 0)
        return true;
    snprintf(local->base.explanation, sizeof(local->base.explanation), "it was told to end");
    return false;
}

/* ---- What is done. ---- */

static bool local_set_link(struct stage *stage, unsigned from, unsigned to,
                           const struct script_link *link)
{
    struct local *local = local_of(stage);

    local->is_cut[from][to] = link == NULL;
    if (link)
        local->links[from][to] = *link;
    local->nodes[from].is_stale = local->nodes[to].is_stale = true;
    local->nodes[to].is_fence_stale = true;
    return true;
}

static bool local_advance(struct stage *stage, uint64_t until_ms)
{
    struct local *local = local_of(stage);
    uint64_t version = stage->journal->version;
    bool is_good = local_tell_links(local);

    local->is_awake = false;
    local->wake = stage->wake;
    while (is_good && stage->journal->version == version && !local->is_awake &&
           local_now(stage) < until_ms)
        is_good = local_look(local, until_ms - local_now(stage));
    local->wake = -1;
    return is_good && local_is_sound(local);
}

static bool write_faults(struct local *local, unsigned number)
{
    struct text text = {0};
    FILE *file = fopen(local->nodes[number].faults, "we");
    bool is_written = file != NULL;

    local_add_faults(local, number, &text);
    if (file && text.size > 0)
        is_written = fwrite(text.data, 1, text.size, file) == text.size;
    if (file)
        is_written = fclose(file) == 0 && is_written;
    text_clear(&text);
    local->nodes[number].is_stale = false;
    return is_written ||
           local_fail(local, "cannot write %s: %s", local->nodes[number].faults, strerror(errno));
}

static bool spawn(struct local *local, unsigned number)
{
    struct local_node *node = &local->nodes[number];
    const char *arguments[16 + 2 * JOINS] = {
        "gossip",   "node", "--dir",          node->path, "--listen",  node->address,
        "--period", NULL,   "--allow-faults", "--faults", node->faults};
    size_t count = 11;
    char period[16];

    snprintf(period, sizeof(period), "%" PRIu32, local->script->period_ms);
    arguments[7] = period;
    /* Of the first two it is told, and hears from them of the others. */
    for (unsigned i = 0; i < JOINS && i < local->count && number > 0; i++) {
        if (i == number)
            continue;
        arguments[count++] = "--join";
        arguments[count++] = local->nodes[i].address;
    }
    if (!write_faults(local, number))
        return false;
    node->pid = child_start_in(node->space, arguments, node->log, SIGKILL);
    if (node->pid >= 0)
        return true;
    node->pid = 0;
    return local_fail(local, "cannot start a process: %s", strerror(errno));
}

/* As a person does, who knows which of two is the original. */
static bool tell_which(struct local *local, unsigned number)
{
    struct local_node *node = &local->nodes[number];
    const char *arguments[] = {"gossip", "recover", "--dir", node->path, "--keep-key", NULL};
    pid_t pid;

    if (!node->is_double)
        return true;
    pid = child_start(arguments, node->log, SIGKILL);
    if (pid < 0)
        return local_fail(local, "cannot start a process: %s", strerror(errno));
    node->is_double = false;
    return child_wait(pid) == EXIT_OK ||
           local_fail(local, "%s cannot be told that it is the original",
                      local_name(local, number));
}

static bool local_start(struct stage *stage, unsigned line, unsigned number)
{
    struct local *local = local_of(stage);
    struct local_node *node = &local->nodes[number];
    uint64_t end_ms = local_now(stage) + START_MS;
    struct client client;
    bool is_good;

    (void)line;
    if (!local_is_sound(local) || !local_tell_links(local) || !tell_which(local, number) ||
        !spawn(local, number))
        return false;
    node->answered = node->shown = 0;
    journal_started(stage->journal, local_now(stage), number);
    for (;;) {
        enum exit_code code = client_connect(&node->home, &client);

        if (code == EXIT_OK)
            break;
        if (code != EXIT_NO_NODE || local_now(stage) >= end_ms)
            return local_has_ended(local, number) ||
                   local_fail(local, "%s does not answer after its start",
                              local_name(local, number));
        if (!local_look(local, LOOK_MS))
            return false;
        if (node->pid == 0)
            return true; /* It has ended by itself, and that is in the journal. */
    }
    is_good = local_open_watch(local, number, &client);
    if (client.process >= 0)
        close(client.process);
    return (is_good || local_has_ended(local, number)) && local_is_sound(local);
}

/* Waits until it has ended. */
static bool await_end(struct local *local, unsigned number, unsigned line)
{
    struct local_node *node = &local->nodes[number];
    uint64_t end_ms = local_now(&local->base) + END_MS;
    int status;

    while (waitpid(node->pid, &status, WNOHANG) != node->pid) {
        if (local_now(&local->base) >= end_ms)
            return local_fail(local, "%s has not ended in %d seconds", local_name(local, number),
                              END_MS / 1000);
        if (!local_read_watch(local, number))
            return false;
        poll(&(struct pollfd){.fd = local->signals, .events = POLLIN}, 1, LOOK_MS);
        local_read_signals(local);
        if (!local_is_sound(local))
            return false;
    }
    return local_see_end(local, number, line, child_code(status), NULL);
}

/* What its links have carried so far. */
static bool ask_traffic(struct local *local, unsigned number)
{
    struct local_node *node = &local->nodes[number];
    struct text answer = {0};
    bool is_good = local_ask(local, number, "GET", "/v1/status", NULL, &answer);

    if (is_good)
        is_good = json_read_traffic(answer.data, answer.size, &node->process_datagrams,
                                    &node->process_bytes) ||
                  local_fail(local, "%s does not say what it has sent", local_name(local, number));
    text_clear(&answer);
    return is_good;
}

static bool local_stop(struct stage *stage, unsigned line, unsigned number)
{
    struct local *local = local_of(stage);
    struct local_node *node = &local->nodes[number];

    if (!local_look(local, 0))
        return false;
    if (node->pid == 0)
        return true;
    if (node->is_paused)
        kill(node->pid, SIGCONT);
    else if (!ask_traffic(local, number))
        return local_has_ended(local, number);
    kill(node->pid, SIGTERM);
    return await_end(local, number, line);
}

static bool local_kill(struct stage *stage, unsigned line, unsigned number)
{
    struct local *local = local_of(stage);

    if (!local_look(local, 0))
        return false;
    if (local->nodes[number].pid == 0)
        return true;
    kill(local->nodes[number].pid, SIGKILL);
    return await_end(local, number, line);
}

static bool local_pause(struct stage *stage, unsigned number)
{
    struct local *local = local_of(stage);

    if (!local_tell_links(local) || !local_look(local, 0))
        return false;
    if (local->nodes[number].pid == 0)
        return true;
    local->nodes[number].is_paused = true;
    kill(local->nodes[number].pid, SIGSTOP);
    return true;
}

static bool local_resume(struct stage *stage, unsigned number)
{
    struct local *local = local_of(stage);

    if (local->nodes[number].pid == 0)
        return true;
    kill(local->nodes[number].pid, SIGCONT);
    local->nodes[number].is_paused = false;
    return local_tell_links(local);
}

static bool local_publish(struct stage *stage, unsigned number, const void *data, size_t size)
{
    struct local *local = local_of(stage);
    struct local_node *node = &local->nodes[number];
    struct publication *publication = room_new(sizeof(*publication) + size);

    publication->size = size;
    memcpy(publication->data, data, size);
    if (node->last)
        node->last->next = publication;
    else
        node->first = publication;
    node->last = publication;
    node->queued++;
    return local_tell_links(local) && local_post(local, number);
}

static size_t local_waiting(struct stage *stage)
{
    struct local *local = local_of(stage);
    size_t waiting = 0;

    for (unsigned i = 0; i < local->count; i++) {
        const struct local_node *node = &local->nodes[i];

        if (node->pid == 0 || node->is_paused)
            continue;
        waiting += node->queued + node->asked;
        if (node->answered > node->shown)
            waiting += node->answered - node->shown;
    }
    return waiting;
}

/* ---- Files. ---- */

static void copy_text(struct text *to, const struct text *from)
{
    text_clear(to);
    if (from->size > 0)
        text_add_bytes(to, from->data, from->size);
}

static bool local_backup(struct stage *stage, unsigned number)
{
    struct local *local = local_of(stage);
    struct local_node *node = &local->nodes[number];

    copy_text(&node->kept_cursor, &node->cursor);
    return local_put_files(local, node->path, node->kept);
}

static bool local_restore(struct stage *stage, unsigned number, bool is_machine)
{
    struct local *local = local_of(stage);
    struct local_node *node = &local->nodes[number];

    (void)is_machine; /* Refused before anything starts. */
    copy_text(&node->cursor, &node->kept_cursor);
    return local_put_files(local, node->kept, node->path);
}

static bool open_home(struct local *local, unsigned number)
{
    struct local_node *node = &local->nodes[number];

    if (directory_open(node->path, EXIT_CONFIGURATION, &node->home) == EXIT_OK)
        return true;
    node->home.descriptor = -1;
    return local_fail(local, "cannot open %s", node->path);
}

static bool local_clone(struct stage *stage, unsigned number, unsigned copy)
{
    struct local *local = local_of(stage);
    const struct local_node *node = &local->nodes[number];

    copy_text(&local->nodes[copy].cursor, &node->cursor);
    memcpy(local->nodes[copy].certified, node->certified, sizeof(node->certified));
    journal_cloned(stage->journal, number, copy);
    return local_put_files(local, node->path, local->nodes[copy].path) && open_home(local, copy);
}

static bool local_skew(struct stage *stage, unsigned node, int64_t ms)
{
    (void)node;
    (void)ms;
    return local_fail(local_of(stage), "no clock can be set here");
}

static bool local_disk(struct stage *stage, unsigned node, enum script_disk disk, uint64_t number)
{
    (void)node;
    (void)disk;
    (void)number;
    return local_fail(local_of(stage), "no disk can be made to fail here");
}

/* ---- Clocks and figures. ---- */

/* Reads on until a node has shown all that its clock has, or as good as. */
static bool catch_up(struct local *local, unsigned number, const struct counts *clock)
{
    uint64_t end_ms = local_now(&local->base) + CATCH_UP_MS;
    bool is_good = true;

    while (is_good && local->nodes[number].pid != 0 && local_now(&local->base) < end_ms &&
           !counts_cover(&local->base.journal->nodes[number].seen, clock))
        is_good = local_look(local, LOOK_MS);
    return is_good;
}

static bool read_clock(struct local *local, unsigned number)
{
    struct seen_clock clock = {.local = local};
    struct text answer = {0};
    bool is_good = local_ask(local, number, "GET", "/v1/clock?full=1", NULL, &answer);

    if (!is_good && local_has_ended(local, number)) {
        text_clear(&answer);
        return true; /* It has just ended. */
    }
    if (is_good)
        is_good =
            (json_read_clock(answer.data, answer.size, local_see_entry, &clock) && !clock.failed) ||
            local_fail(local, "%s has a clock that cannot be read: %.200s",
                       local_name(local, number), answer.data);
    is_good = is_good && catch_up(local, number, &clock.counts);
    if (is_good && local->nodes[number].pid != 0)
        journal_clock(local->base.journal, local_now(&local->base), number, &clock.counts);
    counts_clear(&clock.counts);
    text_clear(&answer);
    return is_good;
}

static bool local_read_clocks(struct stage *stage)
{
    struct local *local = local_of(stage);
    bool is_good = local_tell_links(local) && local_look(local, 0);

    for (unsigned i = 0; i < local->count && is_good; i++)
        if (local->nodes[i].pid != 0 && !local->nodes[i].is_paused)
            is_good = read_clock(local, i);
    return is_good;
}

static bool local_count_traffic(struct stage *stage)
{
    struct local *local = local_of(stage);
    uint64_t datagrams = 0;
    uint64_t bytes = 0;
    bool is_good = true;

    for (unsigned i = 0; i < local->count && is_good; i++) {
        struct local_node *node = &local->nodes[i];

        if (node->pid != 0 && !node->is_paused && !ask_traffic(local, i))
            is_good = local_has_ended(local, i);
        datagrams += node->datagrams + node->process_datagrams;
        bytes += node->bytes + node->process_bytes;
    }
    if (is_good)
        journal_traffic(stage->journal, local_now(stage), datagrams, bytes);
    return is_good;
}

static char *path_of(const struct local *local, unsigned node, const char *ending)
{
    char *path;

    if (asprintf(&path, "%s/%s%s", local->place, local_name(local, node), ending) < 0)
        abort(); /* No memory. */
    return path;
}

/* None of them is seen to end: what happens now is no part of the experiment. */
static void end_all(struct local *local)
{
    for (unsigned i = 0; i < local->count; i++)
        if (local->nodes[i].pid != 0)
            kill(local->nodes[i].pid, SIGKILL);
    for (unsigned i = 0; i < local->count; i++) {
        if (local->nodes[i].pid != 0)
            child_wait(local->nodes[i].pid);
        local->nodes[i].pid = 0;
    }
}

static void read_file(const char *path, struct text *ret_text)
{
    FILE *file = path ? fopen(path, "re") : NULL;
    char block[4096];
    size_t size;

    if (!file)
        return; /* A copy that never came to be, or an end before the nodes were made. */
    while ((size = fread(block, 1, sizeof(block), file)) > 0)
        text_add_bytes(ret_text, block, size);
    if (ferror(file))
        text_print(ret_text, "the rest cannot be read: %s\n", strerror(errno));
    fclose(file);
}

/* Adds what the verb says of what a node holds, if it is not sound. */
static bool verify(struct local *local, unsigned number, struct text *witness)
{
    const struct local_node *node = &local->nodes[number];
    char *path = path_of(local, number, ".verify");
    const char *arguments[] = {"gossip", "verify", "--dir", node->path, NULL};
    pid_t pid = child_start(arguments, path, SIGKILL);
    int code = pid < 0 ? EXIT_INPUT_OUTPUT : child_wait(pid);

    if (code != EXIT_OK) {
        text_print(witness, "%s: gossip verify has ended with %d; it says:\n",
                   local_name(local, number), code);
        read_file(path, witness);
    }
    free(path);
    return code == EXIT_OK;
}

/* Ends all nodes as a loss of power would, and has what they leave behind verified by the verb that
 * a user has for that. */
static bool local_verdict(struct stage *stage, char *ret_title, size_t title_size, bool *ret_passed,
                          char *ret_witness, size_t witness_size)
{
    struct local *local = local_of(stage);
    struct text witness = {0};

    if (local->base.signal != 0)
        return false;
    snprintf(ret_title, title_size, "gossip verify finds all files sound");
    *ret_passed = true;
    end_all(local);
    for (unsigned i = 0; i < local->count; i++)
        if (local->nodes[i].home.descriptor >= 0 && !verify(local, i, &witness))
            *ret_passed = false;
    if (witness.failed)
        abort(); /* No memory. */
    snprintf(ret_witness, witness_size, "%s", witness.data ? witness.data : "");
    text_clear(&witness);
    return true;
}

static void local_read_log(struct stage *stage, unsigned number, struct text *ret_text)
{
    read_file(local_of(stage)->nodes[number].log, ret_text);
}

/* ---- Where they are. ---- */

static void name_node(struct local *local, unsigned number)
{
    struct local_node *node = &local->nodes[number];

    node->path = path_of(local, number, "");
    node->log = path_of(local, number, ".log");
    node->faults = path_of(local, number, ".faults");
    node->kept = path_of(local, number, ".backup");
    snprintf(node->certified, sizeof(node->certified), "%s", local_name(local, number));
}

static void local_locate(const struct stage *stage, unsigned number, struct stage_node *ret_node)
{
    const struct local_node *node = &local_of(stage)->nodes[number];

    *ret_node = (struct stage_node){.directory = node->path, .process = node->pid};
    snprintf(ret_node->address, sizeof(ret_node->address), "%s", node->address);
}

static bool local_add(struct stage *stage)
{
    struct local *local = local_of(stage);
    struct local_node *node = &local->nodes[local->count];

    if (!local->network->add(local, local->count))
        return local_fail(local, "%s is not free", node->address);
    node->watch = node->home.descriptor = node->space = -1;
    name_node(local, local->count++);
    return true;
}

/* ---- All of it. ---- */

static void local_close(struct stage *stage)
{
    struct local *local = local_of(stage);

    if (!local)
        return;
    end_all(local);
    for (unsigned i = 0; i < local->count; i++) {
        struct local_node *node = &local->nodes[i];

        local_drop_publications(node);
        if (node->watch >= 0)
            close(node->watch);
        if (node->home.descriptor >= 0)
            directory_close(&node->home);
        if (node->space >= 0)
            close(node->space);
        text_clear(&node->input);
        text_clear(&node->cursor);
        text_clear(&node->kept_cursor);
        free(node->path);
        free(node->log);
        free(node->faults);
        free(node->kept);
    }
    local_remove_place(local->place, local->place_lock);
    if (local->signals >= 0)
        close(local->signals);
    sigprocmask(SIG_SETMASK, &local->signals_before, NULL);
    free(local);
}

static enum exit_code make_nodes(struct local *local)
{
    enum exit_code code = EXIT_OK;
    const char *cluster = NULL;
    char *made = NULL;

    for (unsigned i = 0; i < local->count && code == EXIT_OK; i++) {
        struct local_node *node = &local->nodes[i];

        name_node(local, i);
        if (local->script->nodes[i].is_copy)
            continue;
        code = child_init("lab", node->path, local_name(local, i), cluster, node->log);
        if (code == EXIT_OK && !open_home(local, i))
            code = EXIT_CONFIGURATION;
        if (!cluster) {
            made = path_of(local, i, "/cluster.key");
            cluster = made;
        }
        local_read_signals(local);
        if (local->base.signal != 0)
            break;
    }
    free(made);
    return code;
}

static struct stage *open_stage(const struct stage_ops *ops, const struct local_network *network,
                                const struct script *script, struct journal *journal)
{
    struct local *local = room_new(sizeof(*local));
    enum exit_code code;
    sigset_t signals;

    local->base = (struct stage){.ops = ops, .journal = journal, .wake = -1};
    local->wake = local->place_lock = -1;
    local->network = network;
    local->script = script;
    local->count = script->node_count;
    for (unsigned i = 0; i < local->count; i++)
        local->nodes[i].watch = local->nodes[i].home.descriptor = local->nodes[i].space = -1;
    child_signals(&signals);
    sigprocmask(SIG_BLOCK, &signals, &local->signals_before);
    local->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    code = local->signals < 0
               ? complain_of_system("cannot wait for", "signals", "close something and try again")
               : local_make_place(&local->place, &local->place_lock);
    if (code == EXIT_OK)
        code = local->network->open(local);
    if (code == EXIT_OK && local->base.signal == 0)
        code = make_nodes(local);
    clock_gettime(CLOCK_MONOTONIC, &local->began);
    if (code == EXIT_OK)
        return &local->base;
    local_close(&local->base);
    return NULL;
}

/* Two places that differ in what the nodes speak over. Nothing in them is left to a seed. */

#define PROCESSES                                                                                  \
    .abilities = 1U << ABILITY_PROCESSES | 1U << ABILITY_LINKS | 1U << ABILITY_FILES,              \
    .now_ms = local_now, .advance = local_advance, .start = local_start, .stop = local_stop,       \
    .kill = local_kill, .pause = local_pause, .resume = local_resume, .publish = local_publish,    \
    .waiting = local_waiting, .set_link = local_set_link, .backup = local_backup,                  \
    .restore = local_restore, .clone = local_clone, .skew = local_skew, .disk = local_disk,        \
    .read_clocks = local_read_clocks, .count_traffic = local_count_traffic,                        \
    .verdict = local_verdict, .read_log = local_read_log, .locate = local_locate,                  \
    .close = local_close

static const struct stage_ops local_ops = {.name = "local", PROCESSES, .add = local_add};
static const struct stage_ops netns_ops = {.name = "netns", PROCESSES};

static struct stage *open_local(const struct script *script, uint64_t seed, struct journal *journal)
{
    (void)seed;
    return open_stage(&local_ops, &local_loopback, script, journal);
}

static struct stage *open_netns(const struct script *script, uint64_t seed, struct journal *journal)
{
    (void)seed;
    return open_stage(&netns_ops, &local_namespaces, script, journal);
}

const struct stage_place stage_local = {.ops = &local_ops, .open = open_local};
const struct stage_place stage_netns = {.ops = &netns_ops, .open = open_netns};
