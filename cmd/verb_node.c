#include "cmd/command.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "cmd/api.h"
#include "cmd/client.h"
#include "cmd/directory.h"
#include "cmd/fault_lines.h"
#include "cmd/files.h"
#include "cmd/http.h"
#include "cmd/http_tcp.h"
#include "cmd/listener.h"
#include "cmd/log.h"
#include "cmd/loopback.h"
#include "cmd/names.h"
#include "cmd/plain.h"
#include "transport/address.h"
#include "transport/faults.h"

enum {
    JOINS_MAX = 64,
    JOIN_ADDRESSES_MAX = 16, /* Of one name. */
    PERIOD_MIN_MS = 10,
    PERIOD_LAST_MS = 60000,
    ALONE_AFTER_MIN_MS = 1,
    ALONE_AFTER_LAST_MS = 3600 * 1000,
    DRAIN_MS = 1000, /* For last answers to be read, before the node ends. */
    EXPLANATION_SIZE = 1024,
    /* A verb that looks into the files of a stopped node holds the store for a moment. */
    LOCKED_TRIES = 10,
    LOCKED_WAIT_MS = 50,
    FAULTS_FILE_MAX = 65536,
};

struct node_options {
    const char *listen;
    const char *joins[JOINS_MAX];
    size_t join_count;
    uint32_t period_ms;
    uint32_t fanout;
    uint32_t payload_max;
    uint32_t alone_after_ms;
    enum gossip_peer_choice choice;
    bool has_http;
    struct gossip_address http; /* Where to serve health and figures. */
    bool allow_faults;
    const char *faults; /* A file of those that hold from the start; NULL: none do. */
    enum log_format log_format;
};

/* All that a running node holds, in the order in which it was opened. */
struct node {
    struct directory directory;
    struct gossip_identity *identity;
    struct gossip_store *store; /* Counts what is asked of the store below it. */
    struct gossip_address joins[JOINS_MAX * JOIN_ADDRESSES_MAX];
    size_t join_count;
    struct gossip_transport *transport;
    bool allows_faults; /* Then they lie around the transport. */
    size_t fault_count;
    int signals;
    struct gossip *gossip;
    struct log *log;
    struct api *api;
    int listener;
    struct http *http;
    int tcp_listener;
    struct gossip_address tcp_address;
    struct http_tcp *http_tcp; /* NULL without --http. */
    bool stopping;
};

/* ---- Options. ---- */

static bool read_number(struct command_line *line, const char *option, uint32_t minimum,
                        uint32_t maximum, uint32_t *ret_number)
{
    uint64_t number = 0;
    const char *digit = optarg;

    for (; *digit >= '0' && *digit <= '9' && number <= maximum; digit++)
        number = number * 10 + (uint64_t)(*digit - '0');
    if (digit != optarg && !*digit && number >= minimum && number <= maximum) {
        *ret_number = (uint32_t)number;
        return true;
    }
    command_line_refuse(line, "%s is a whole number from %" PRIu32 " to %" PRIu32 ", not \"%s\"",
                        option, minimum, maximum, optarg);
    return false;
}

static bool read_choice(struct command_line *line, enum gossip_peer_choice *ret_choice)
{
    static const char *const names[] = {
        [GOSSIP_CHOOSE_RANDOM] = "random",
        [GOSSIP_CHOOSE_ROUND_ROBIN] = "round-robin",
        [GOSSIP_CHOOSE_LEAST_RECENT] = "least-recent",
        [GOSSIP_CHOOSE_MOST_RELIABLE] = "most-reliable",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(optarg, names[i]) != 0)
            continue;
        *ret_choice = (enum gossip_peer_choice)i;
        return true;
    }
    command_line_refuse(
        line, "--choice is random, round-robin, least-recent or most-reliable, not \"%s\"", optarg);
    return false;
}

static void read_log_format(struct command_line *line, enum log_format *ret_format)
{
    if (strcmp(optarg, "logfmt") == 0)
        *ret_format = LOG_LOGFMT;
    else if (strcmp(optarg, "json") == 0)
        *ret_format = LOG_JSON;
    else
        command_line_refuse(line, "--log-format is logfmt or json, not \"%s\"", optarg);
}

static void read_http(struct command_line *line, struct node_options *options)
{
    const char *reason = loopback_read(optarg, &options->http);

    options->has_http = reason == NULL;
    if (reason)
        command_line_refuse(line, "--http \"%s\": %s", optarg, reason);
}

static void read_option(struct command_line *line, int option, struct node_options *options)
{
    switch (option) {
    case 'L':
        options->listen = optarg;
        break;
    case 'J':
        if (options->join_count == JOINS_MAX)
            command_line_refuse(line, "more than %d times --join", JOINS_MAX);
        else
            options->joins[options->join_count++] = optarg;
        break;
    case 'P':
        read_number(line, "--period", PERIOD_MIN_MS, PERIOD_LAST_MS, &options->period_ms);
        break;
    case 'F':
        read_number(line, "--fanout", 1, GOSSIP_FANOUT_MAX, &options->fanout);
        break;
    case 'M':
        read_number(line, "--payload-max", 1, GOSSIP_PAYLOAD_MAX, &options->payload_max);
        break;
    case 'A':
        command_line_read_duration(line, "--alone-after", ALONE_AFTER_MIN_MS, ALONE_AFTER_LAST_MS,
                                   &options->alone_after_ms);
        break;
    case 'H':
        read_http(line, options);
        break;
    case 'X':
        options->allow_faults = true;
        break;
    case 'Y':
        options->faults = optarg;
        break;
    case 'O':
        read_log_format(line, &options->log_format);
        break;
    default:
        read_choice(line, &options->choice);
        break;
    }
}

static bool read_options(struct command_line *line, struct node_options *ret_options)
{
    struct node_options options = {.period_ms = GOSSIP_PERIOD_MS,
                                   .fanout = 1,
                                   .payload_max = GOSSIP_PAYLOAD_DEFAULT,
                                   .alone_after_ms = GOSSIP_ALONE_AFTER_MS,
                                   .choice = GOSSIP_CHOOSE_RANDOM};
    int option;

    while (!line->ended && (option = command_line_next(line)) != -1)
        read_option(line, option, &options);
    if (!command_line_check(line, 0, 0))
        return false;
    if (!options.listen) {
        command_line_refuse(line, "the node needs an address to listen on: --listen ADDR:PORT");
        return false;
    }
    if (options.faults && !options.allow_faults) {
        command_line_refuse(line, "--faults needs --allow-faults: it is for experiments alone");
        return false;
    }
    *ret_options = options;
    return true;
}

/* ---- Opening. ---- */

static uint64_t now_us(void *context)
{
    struct timespec now;

    (void)context;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Has what is asked of the store counted and timed. */
static enum exit_code count_calls(struct node *node)
{
    if (gossip_metrics_open(node->store, now_us, NULL, &node->store) == GOSSIP_OK)
        return EXIT_OK;
    complain("no memory to open the store; free some and try again");
    return EXIT_MEMORY;
}

/* Another node answers at once that the directory is in use. A verb that looks into the files of a
 * stopped node is waited for. */
static enum exit_code open_store(struct node *node)
{
    char explanation[EXPLANATION_SIZE];
    struct client client;
    enum exit_code code = EXIT_LOCKED;

    for (int i = 0; i < LOCKED_TRIES; i++) {
        if (i > 0)
            nanosleep(&(struct timespec){.tv_nsec = LOCKED_WAIT_MS * 1000000L}, NULL);
        code =
            directory_try_store(&node->directory, explanation, sizeof(explanation), &node->store);
        if (code != EXIT_LOCKED)
            return code == EXIT_OK ? count_calls(node) : code;
        if (client_connect(&node->directory, &client) == EXIT_OK) {
            client_close(&client);
            break;
        }
    }
    complain("%s", explanation);
    return code;
}

enum family { FAMILY_IPV4 = 1, FAMILY_IPV6 = 2, FAMILY_BOTH = 3 };

static enum family family_of(const struct gossip_address *address)
{
    static const uint8_t any[16];

    if (memcmp(address->ip, any, sizeof(any)) == 0)
        return FAMILY_BOTH; /* Listening on all addresses. */
    return address_is_ipv4(address) ? FAMILY_IPV4 : FAMILY_IPV6;
}

/* A node that listens on IPv6 alone cannot say hello to an IPv4 address, nor the other way round:
 * better told now than wondered about later. */
static enum exit_code check_families(const struct node *node, const struct node_options *options)
{
    struct gossip_address bound;
    unsigned reachable = 0;

    node->transport->ops->address(node->transport, &bound);
    for (size_t i = 0; i < node->join_count; i++)
        reachable |= family_of(&bound) & family_of(&node->joins[i]);
    if (node->join_count == 0 || reachable != 0)
        return EXIT_OK;
    complain("--listen %s and --join %s: one is IPv4 and the other IPv6; listen on :PORT for both, "
             "or join an address of the same kind",
             options->listen, options->joins[0]);
    return EXIT_CONFIGURATION;
}

static enum exit_code resolve_joins(struct node *node, const struct node_options *options)
{
    char explanation[EXPLANATION_SIZE];

    for (size_t i = 0; i < options->join_count; i++) {
        int count = gossip_udp_resolve(options->joins[i], node->joins + node->join_count,
                                       JOIN_ADDRESSES_MAX, explanation, sizeof(explanation));

        if (count < 0) {
            complain("%s", explanation);
            return exit_for(count);
        }
        node->join_count += (size_t)count;
    }
    return EXIT_OK;
}

/* What holds from the start, before the first datagram. */
static enum exit_code read_faults(struct node *node, const char *path)
{
    static const char hint[] = "name a file of faults, as POST /v1/faults takes them";
    struct fault *faults = calloc(FAULTS_MAX, sizeof(*faults));
    char *data = malloc(FAULTS_FILE_MAX);
    FILE *file = fopen(path, "re");
    struct text explanation = {0};
    enum exit_code code = EXIT_OK;
    size_t size = 0;

    if (!faults || !data) {
        complain("no memory for the faults in %s; free some and try again", path);
        code = EXIT_MEMORY;
    } else if (!file) {
        code = complain_of_system("cannot open", path, hint);
    } else {
        size = fread(data, 1, FAULTS_FILE_MAX, file);
        if (ferror(file))
            code = complain_of_system("cannot read", path, hint);
    }
    if (code == EXIT_OK && size == FAULTS_FILE_MAX) {
        complain("%s has more than %d bytes; %s", path, FAULTS_FILE_MAX, hint);
        code = EXIT_DAMAGED;
    } else if (code == EXIT_OK &&
               !fault_lines_read(data, size, faults, &node->fault_count, &explanation)) {
        complain("%s, %s", path, explanation.failed ? hint : explanation.data);
        code = EXIT_DAMAGED;
    }
    if (code == EXIT_OK)
        faults_set(node->transport, faults, node->fault_count);
    text_clear(&explanation);
    if (file)
        fclose(file);
    free(data);
    free(faults);
    return code;
}

static enum exit_code open_faults(struct node *node, const struct node_options *options)
{
    int error;

    if (!options->allow_faults)
        return EXIT_OK;
    error = faults_open(node->transport, gossip_system_time(), &node->transport);
    if (error < 0) {
        complain("cannot put faults around the transport: %s; close something and try again",
                 gossip_strerror(error));
        return exit_for(error);
    }
    node->allows_faults = true;
    return options->faults ? read_faults(node, options->faults) : EXIT_OK;
}

/* SIGHUP ends the node like SIGTERM: its terminal has gone. Where the shell or nohup has had one of
 * them ignored, it stays so. */
static enum exit_code open_signals(struct node *node)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) == 0)
        node->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (node->signals < 0)
        return complain_of_system("cannot wait for signals on", node->directory.path,
                                  "close something and try again");
    return EXIT_OK;
}

static enum exit_code open_tcp(struct node *node, const struct node_options *options)
{
    if (!options->has_http)
        return EXIT_OK;
    return loopback_listen(&options->http, &node->tcp_listener, &node->tcp_address);
}

static enum exit_code open_gossip(struct node *node, const struct node_options *options)
{
    int error = gossip_create(&(struct gossip_options){.size = sizeof(struct gossip_options),
                                                       .store = node->store,
                                                       .transport = node->transport,
                                                       .time = gossip_system_time(),
                                                       .identity = node->identity,
                                                       .joins = node->joins,
                                                       .join_count = node->join_count,
                                                       .period_ms = options->period_ms,
                                                       .payload_max = options->payload_max,
                                                       .fanout = options->fanout,
                                                       .alone_after_ms = options->alone_after_ms,
                                                       .choice = options->choice},
                              &node->gossip);

    return error < 0 ? files_complain_of_start(&node->directory, node->store, error) : EXIT_OK;
}

static enum exit_code open_api(struct node *node, const struct node_options *options)
{
    enum exit_code code = listener_open(&node->directory, &node->listener);
    int error;

    if (code != EXIT_OK)
        return code;
    error = log_open(STDERR_FILENO, options->log_format, gossip_system_time(), &node->log);
    if (error == GOSSIP_OK)
        error = api_create(
            &(struct api_options){.gossip = node->gossip,
                                  .identity = node->identity,
                                  .transport = node->transport,
                                  .store = node->store,
                                  .counted = node->store,
                                  .directory = &node->directory,
                                  .payload_max = options->payload_max,
                                  .faults = node->allows_faults ? node->transport : NULL},
            &node->api);
    if (error == GOSSIP_OK)
        error = http_open(node->listener, node->api, node->log, &node->http);
    if (error == GOSSIP_OK && node->tcp_listener >= 0)
        error = http_tcp_open(node->tcp_listener, node->api, &node->http_tcp);
    if (error < 0)
        complain("cannot serve requests on %s/%s: %s; close something and try again",
                 node->directory.path, DIRECTORY_SOCKET, gossip_strerror(error));
    return exit_for(error);
}

static enum exit_code open_node(struct node *node, const struct node_options *options)
{
    char explanation[EXPLANATION_SIZE];
    enum exit_code code = directory_identity(&node->directory, &node->identity);
    int error;

    if (code == EXIT_OK)
        code = open_store(node);
    if (code == EXIT_OK)
        code = resolve_joins(node, options);
    if (code != EXIT_OK)
        return code;
    error = gossip_udp_open(options->listen, explanation, sizeof(explanation), &node->transport);
    if (error < 0) {
        complain("%s", explanation);
        return exit_for(error);
    }
    code = check_families(node, options);
    if (code == EXIT_OK)
        code = open_faults(node, options);
    if (code == EXIT_OK)
        code = open_signals(node);
    if (code == EXIT_OK)
        code = open_tcp(node, options);
    /* Last of what can be refused: a start is counted. */
    if (code == EXIT_OK)
        code = open_gossip(node, options);
    if (code == EXIT_OK)
        code = open_api(node, options);
    return code;
}

/* The store closes last: who finds it free finds no socket and no port taken either. */
static void close_node(struct node *node)
{
    http_tcp_close(node->http_tcp);
    http_close(node->http);
    api_destroy(node->api);
    log_close(node->log);
    if (node->listener >= 0)
        listener_close(&node->directory, node->listener);
    if (node->tcp_listener >= 0)
        close(node->tcp_listener);
    gossip_destroy(node->gossip);
    if (node->signals >= 0)
        close(node->signals);
    if (node->transport)
        node->transport->ops->close(node->transport);
    if (node->store)
        node->store->ops->close(node->store);
    gossip_identity_destroy(node->identity);
    directory_close(&node->directory);
}

/* ---- Running. ---- */

static void log_ready(struct node *node)
{
    struct gossip_address address;
    struct gossip_stats stats;
    struct names *names;
    struct text clock = {0};

    node->transport->ops->address(node->transport, &address);
    gossip_stats(node->gossip, &stats);
    log_begin(node->log, MESSAGE_READY);
    log_add(node->log, FIELD_NODE, gossip_identity_name(node->identity));
    log_add_address(node->log, FIELD_ADDRESS, &address);
    log_add_number(node->log, FIELD_BOOT, stats.boot);
    if (names_of(node->gossip, &names) == GOSSIP_OK) {
        plain_clock(names, gossip_clock(node->gossip), &clock);
        if (!clock.failed)
            log_add(node->log, FIELD_CLOCK, clock.data);
        text_clear(&clock);
        names_destroy(names);
    }
    if (node->http_tcp)
        log_add_address(node->log, FIELD_HTTP, &node->tcp_address);
    log_add(node->log, FIELD_DIR, node->directory.path);
    log_add_number(node->log, FIELD_PID, (uint64_t)getpid());
    log_add(node->log, FIELD_VERSION, gossip_version());
    log_end(node->log);
}

/* Nobody shall find a node that loses datagrams, and wonder. */
static void log_faults(struct node *node)
{
    if (!node->allows_faults)
        return;
    log_begin(node->log, MESSAGE_FAULTS_ALLOWED);
    log_add(node->log, FIELD_NEXT,
            "for experiments alone: whoever may use the socket can have datagrams lost, delayed "
            "and doubled; start any other node without --allow-faults");
    log_add_number(node->log, FIELD_COUNT, node->fault_count);
    log_end(node->log);
}

static void log_notices(struct node *node)
{
    struct gossip_notice notice;
    struct names *names;

    while (gossip_notice_pop(node->gossip, &notice) == 1) {
        bool named = notice.dot.seq != 0 && names_of(node->gossip, &names) == GOSSIP_OK;
        const char *name = "?";

        /* Of a node that has stopped for good no author can be read, but it knows who it is. */
        if (named && notice.dot.author < names_count(names))
            name = names_get(names, notice.dot.author);
        else if (notice.dot.author == gossip_self(node->gossip))
            name = gossip_identity_name(node->identity);
        log_notice(node->log, &notice, name);
        if (named)
            names_destroy(names);
    }
    log_settle(node->log);
}

static void log_failure(struct node *node, int error, const char *next)
{
    log_begin(node->log, MESSAGE_FAILED);
    log_add(node->log, FIELD_REASON, gossip_strerror(error));
    /* A double is no failure of the store's: what it said last is of another matter. */
    if (error != GOSSIP_ERR_CLONED)
        log_add(node->log, FIELD_STORE, node->store->ops->explain(node->store));
    log_add(node->log, FIELD_NEXT, next);
    log_end(node->log);
}

/* Commits and sends what waits, then tells those who wait for it. */
static int run_gossip(struct node *node)
{
    struct gossip_result result;
    int error = gossip_run(node->gossip);

    if (error == GOSSIP_OK)
        while (gossip_result_pop(node->gossip, &result) == 1)
            http_finish(node->http, &result);
    if (error == GOSSIP_OK)
        http_wake(node->http);
    log_notices(node);
    return error;
}

static void read_signals(struct node *node)
{
    struct signalfd_siginfo signal;

    while (read(node->signals, &signal, sizeof(signal)) == (ssize_t)sizeof(signal)) {
        log_begin(node->log, MESSAGE_SIGNAL);
        log_add(node->log, FIELD_SIGNAL, sigabbrev_np((int)signal.ssi_signo));
        log_end(node->log);
        node->stopping = true;
    }
}

static int earlier(int a_ms, int b_ms)
{
    if (a_ms < 0 || b_ms < 0)
        return a_ms < 0 ? b_ms : a_ms;
    return a_ms < b_ms ? a_ms : b_ms;
}

static int http_timeouts_ms(struct node *node)
{
    return earlier(http_timeout_ms(node->http), http_tcp_timeout_ms(node->http_tcp));
}

/* Requests come first, so that all their events share one commit; their answers go out with the
 * next round, which starts at once. */
static int run_node(struct node *node)
{
    int error = GOSSIP_OK;

    while (error == GOSSIP_OK && !node->stopping) {
        struct pollfd waits[] = {
            {.fd = gossip_poll_fd(node->gossip), .events = POLLIN},
            {.fd = http_poll_fd(node->http), .events = POLLIN},
            {.fd = http_tcp_poll_fd(node->http_tcp), .events = POLLIN},
            {.fd = node->signals, .events = POLLIN},
        };
        int timeout_ms = earlier(gossip_timeout_ms(node->gossip), http_timeouts_ms(node));

        if (poll(waits, sizeof(waits) / sizeof(waits[0]),
                 api_backs_up(node->api) ? 0 : timeout_ms) < 0 &&
            errno != EINTR && errno != ENOMEM)
            return GOSSIP_ERR_IO;
        read_signals(node);
        error = http_run(node->http);
        if (error == GOSSIP_OK)
            error = http_tcp_run(node->http_tcp);
        if (error == GOSSIP_OK)
            error = run_gossip(node);
        if (error == GOSSIP_OK && api_backs_up(node->api))
            api_back_up(node->api);
        node->stopping = node->stopping || api_stop_asked(node->api);
    }
    return error;
}

/* Gives answers under way a moment to be read. */
static void drain(struct node *node)
{
    struct gossip_time *time = gossip_system_time();
    uint64_t end_ms = time->ops->monotonic_ms(time) + DRAIN_MS;

    http_give_up(node->http);
    while (http_run(node->http) == GOSSIP_OK && http_tcp_run(node->http_tcp) == GOSSIP_OK &&
           !(http_idle(node->http) && http_tcp_idle(node->http_tcp))) {
        uint64_t now_ms = time->ops->monotonic_ms(time);
        struct pollfd waits[] = {
            {.fd = http_poll_fd(node->http), .events = POLLIN},
            {.fd = http_tcp_poll_fd(node->http_tcp), .events = POLLIN},
        };

        if (now_ms >= end_ms)
            return;
        poll(waits, sizeof(waits) / sizeof(waits[0]),
             earlier((int)(end_ms - now_ms), http_timeouts_ms(node)));
    }
}

static enum exit_code finish_node(struct node *node, int error)
{
    /* What was taken in before the end is committed and answered. */
    if (error == GOSSIP_OK) {
        api_refuse_publications(node->api);
        error = run_gossip(node);
    }
    if (error < 0)
        api_fail(node->api, error);
    if (error == GOSSIP_ERR_DAMAGED)
        log_failure(node, error, "run gossip verify");
    else if (error == GOSSIP_ERR_CLONED)
        log_failure(node, error,
                    "run gossip recover: with --new-key on the copy; or end the copy, and with "
                    "--keep-key on the original");
    else if (error < 0)
        log_failure(node, error, "look at the disk and the memory, and start the node again");
    drain(node);
    log_begin(node->log, MESSAGE_STOPPED);
    log_add_number(node->log, FIELD_CODE, (uint64_t)exit_for(error));
    log_end(node->log);
    return exit_for(error);
}

static enum exit_code run(const struct command *command, int argc, char **argv)
{
    struct node *node;
    struct node_options options;
    struct command_line line;
    enum exit_code code;

    command_line_start(&line, command, argc, argv);
    if (!read_options(&line, &options))
        return line.code;
    node = calloc(1, sizeof(*node));
    if (!node) {
        complain("no memory to start a node; free some and try again");
        return EXIT_MEMORY;
    }
    node->signals = node->listener = node->tcp_listener = -1;
    code = directory_open(line.directory, EXIT_CONFIGURATION, &node->directory);
    if (code != EXIT_OK) {
        free(node);
        return code;
    }
    code = open_node(node, &options);
    if (code == EXIT_OK) {
        log_ready(node);
        log_faults(node);
        code = finish_node(node, run_node(node));
    }
    close_node(node);
    free(node);
    return code;
}

static const struct command_option node_options[] = {
    {.name = "listen",
     .id = 'L',
     .value = "ADDR:PORT",
     .text = "where to receive datagrams; an IPv6 address in brackets; :PORT for all "
             "addresses; port 0 lets the system choose"},
    {.name = "join",
     .id = 'J',
     .value = "ADDR:PORT",
     .text = "a node to say hello to; a name will do; may be repeated"},
    {.name = "period", .id = 'P', .value = "MS", .text = "between exchanges, 10 to 60000 (1000)"},
    {.name = "fanout", .id = 'F', .value = "N", .text = "nodes asked in a period, 1 to 3 (1)"},
    {.name = "payload-max",
     .id = 'M',
     .value = "BYTES",
     .text = "the largest event to publish, 1 to 1000000 (65536)"},
    {.name = "choice",
     .id = 'C',
     .value = "HOW",
     .offers = OFFER_WORDS,
     .words = "random round-robin least-recent most-reliable",
     .text = "whom to ask: random, round-robin, least-recent or most-reliable "
             "(random)"},
    {.name = "alone-after",
     .id = 'A',
     .value = "TIME",
     .text = "how long the first event after a start waits at most to hear what "
             "other nodes hold of this one, 1ms to 1h (10s)"},
    {.name = "log-format",
     .id = 'O',
     .value = "FORMAT",
     .offers = OFFER_WORDS,
     .words = "logfmt json",
     .text = "lines of the log as key=value or as objects of JSON: logfmt or json (logfmt)"},
    {.name = "http",
     .id = 'H',
     .value = "ADDR:PORT",
     .text = "serve /healthz, /readyz and /metrics, and nothing else, on a TCP port of this "
             "machine alone: ADDR is a loopback address; port 0 lets the system choose"},
    {.name = "allow-faults",
     .id = 'X',
     .text = "for experiments alone: let POST /v1/faults have datagrams lost, delayed and doubled"},
    {.name = "faults",
     .id = 'Y',
     .value = "FILE",
     .offers = OFFER_FILE,
     .text = "faults that hold from the start, as POST /v1/faults takes them; with --allow-faults"},
    {.name = NULL},
};

const struct command command_node = {
    .name = "node",
    .group = GROUP_RUN,
    .summary = "run a node in the foreground",
    .usage = "--dir D --listen ADDR:PORT [--join ADDR:PORT]... [--period MS] [--fanout N]\n"
             "                   [--payload-max BYTES] [--choice HOW] [--alone-after TIME]\n"
             "                   [--log-format FORMAT] [--http ADDR:PORT] [--allow-faults]\n"
             "                   [--faults FILE]",
    .text =
        "Runs the node of the directory D until SIGTERM, SIGINT, SIGHUP or `gossip stop`. Its\n"
        "log goes to standard error, one line for each thing, key=value or JSON; the first, with\n"
        "event=ready, tells the address. Other verbs speak with it by way of D/api.sock.\n",
    .options = node_options,
    .examples = "  gossip node --dir n1 --listen 127.0.0.1:7001\n"
                "  gossip node --dir n2 --listen [::1]:7002 --join localhost:7001\n"
                "  gossip node --dir n3 --listen :7003 --http 127.0.0.1:9464\n",
    .run = run,
};
