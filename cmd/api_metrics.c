/* A node's figures for Prometheus. docs/metrics.md tells what each means. */
#include "cmd/api_state.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "cmd/directory.h"
#include "cmd/exposition.h"
#include "cmd/problems.h"
#include "cmd/process.h"

#define LABEL(name, value) ((const struct exposition_label[]){{name, value}, {NULL, NULL}})

/* Commits that take less than 16 us or more than 33 s need not be told apart. */
enum { COMMIT_FIRST = 4, COMMIT_LAST = 25 };

/* What is a number of struct gossip_stats. */
static const struct {
    const char *name;
    enum exposition_kind kind;
    size_t offset;
    const char *help;
} counted[] = {
    {"gossip_boot", EXPOSITION_GAUGE, offsetof(struct gossip_stats, boot),
     "How many times this node has started."},
    {"gossip_events_published_total", EXPOSITION_COUNTER, offsetof(struct gossip_stats, published),
     "Own events written."},
    {"gossip_events_delivered_total", EXPOSITION_COUNTER, offsetof(struct gossip_stats, delivered),
     "Events of others delivered."},
    {"gossip_events_dropped_total", EXPOSITION_COUNTER, offsetof(struct gossip_stats, dropped),
     "Held-back events let go for lack of room; they are asked for again."},
    {"gossip_events_ahead_total", EXPOSITION_COUNTER, offsetof(struct gossip_stats, ahead_stamps),
     "Events whose stamp was too far in the future to follow."},
    {"gossip_events_contested", EXPOSITION_GAUGE, offsetof(struct gossip_stats, contested),
     "Events here that do not count any more, since their author has forked or was evicted."},
    {"gossip_events_reissued_total", EXPOSITION_COUNTER, offsetof(struct gossip_stats, reissued),
     "Own events written again under a new epoch."},
    {"gossip_events_poisonous", EXPOSITION_GAUGE, offsetof(struct gossip_stats, poisonous),
     "Events that have ended the process and are passed over."},
    {"gossip_forks_proven_total", EXPOSITION_COUNTER, offsetof(struct gossip_stats, forks_proven),
     "Proofs of forks made or taken in."},
    {"gossip_held_events", EXPOSITION_GAUGE, offsetof(struct gossip_stats, held_events),
     "Events held back until what they have seen is here."},
    {"gossip_held_bytes", EXPOSITION_GAUGE, offsetof(struct gossip_stats, held_bytes),
     "Memory that events held back take."},
    {"gossip_runs", EXPOSITION_GAUGE, offsetof(struct gossip_stats, runs_held),
     "Runs of events that are unfinished or early."},
    {"gossip_runs_bytes", EXPOSITION_GAUGE, offsetof(struct gossip_stats, runs_bytes),
     "Memory that runs of events take."},
    {"gossip_commits_total", EXPOSITION_COUNTER, offsetof(struct gossip_stats, commits),
     "Commits that saved anything."},
    {"gossip_exchanges_total", EXPOSITION_COUNTER, offsetof(struct gossip_stats, exchanges),
     "Exchanges that this node has begun: its rounds, times the peers asked in each."},
    {"gossip_exchanges_in_step_total", EXPOSITION_COUNTER, offsetof(struct gossip_stats, in_step),
     "Exchanges that found nothing to do."},
    {"gossip_pulls_total", EXPOSITION_COUNTER, offsetof(struct gossip_stats, pulls),
     "Windows of events asked for."},
    {"gossip_pulls_whole_total", EXPOSITION_COUNTER, offsetof(struct gossip_stats, pulls_whole),
     "Windows of events that arrived whole."},
    {"gossip_datagrams_sent_total", EXPOSITION_COUNTER,
     offsetof(struct gossip_stats, datagrams_sent), "Datagrams sent."},
    {"gossip_sent_bytes_total", EXPOSITION_COUNTER, offsetof(struct gossip_stats, bytes_sent),
     "Bytes of datagrams sent, without the headers of UDP and IP."},
    {"gossip_received_bytes_total", EXPOSITION_COUNTER,
     offsetof(struct gossip_stats, bytes_received),
     "Bytes of datagrams received, without the headers of UDP and IP."},
};

/* ---- One figure, without labels. ---- */

static void add_gauge(struct text *text, const char *name, uint64_t number, const char *help)
{
    exposition_begin(text, name, EXPOSITION_GAUGE, help);
    exposition_add(text, name, NULL, number);
}

static void add_counter(struct text *text, const char *name, uint64_t number, const char *help)
{
    exposition_begin(text, name, EXPOSITION_COUNTER, help);
    exposition_add(text, name, NULL, number);
}

/* ---- The node. ---- */

static void add_identity(const struct view *view, struct text *text)
{
    struct gossip_author self;
    struct text key = {0};
    struct text cluster = {0};
    struct text epoch = {0};

    exposition_begin(text, "gossip_build_info", EXPOSITION_GAUGE, "The version that runs.");
    exposition_add(text, "gossip_build_info", LABEL("version", gossip_version()), 1);
    if (gossip_author(view->gossip, gossip_self(view->gossip), &self) < 0) {
        text->failed = true;
        return;
    }
    text_add_hex(&key, self.key, GOSSIP_KEY_SIZE);
    text_add_hex(&cluster, gossip_identity_cluster(view->identity), GOSSIP_KEY_SIZE);
    text_add_hex(&epoch, self.epoch, GOSSIP_EPOCH_SIZE);
    if (key.failed || cluster.failed || epoch.failed) {
        text->failed = true;
    } else {
        exposition_begin(text, "gossip_node_info", EXPOSITION_GAUGE,
                         "Who the node is, and under which epoch it writes.");
        exposition_add(text, "gossip_node_info",
                       (const struct exposition_label[]){
                           {"node", gossip_identity_name(view->identity)},
                           {"key", key.data},
                           {"epoch", epoch.data},
                           {"cluster", cluster.data},
                           {NULL, NULL},
                       },
                       1);
    }
    text_clear(&key);
    text_clear(&cluster);
    text_clear(&epoch);
}

static void add_condition(const struct api *api, const struct view *view, struct text *text)
{
    struct problem problems[PROBLEMS];
    struct gossip_start start;

    add_gauge(text, "gossip_ready", api_is_ready(api),
              "1 where /readyz says so: the start is over and no end has begun.");
    gossip_start_state(view->gossip, &start);
    exposition_begin(text, "gossip_start_state", EXPOSITION_GAUGE,
                     "1 for how far the start has come.");
    for (int i = GOSSIP_START_READY; i <= GOSSIP_START_FETCHING; i++)
        exposition_add(text, "gossip_start_state",
                       LABEL("state", view_start_state((enum gossip_start_state)i)),
                       (int)start.state == i);
    problems_look(view, problems);
    exposition_begin(text, "gossip_problem", EXPOSITION_GAUGE,
                     "1 for each problem that gossip status --exit-code tells of.");
    for (size_t i = 0; i < PROBLEMS; i++)
        exposition_add(text, "gossip_problem", LABEL("problem", problems[i].word),
                       problems[i].is_there);
}

/* ---- What it has done, and what it holds. ---- */

static void add_stats(const struct gossip_stats *stats, struct text *text)
{
    for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++) {
        exposition_begin(text, counted[i].name, counted[i].kind, counted[i].help);
        exposition_add(text, counted[i].name, NULL,
                       *(const uint64_t *)((const char *)stats + counted[i].offset));
    }
    exposition_begin(text, "gossip_datagrams_received_total", EXPOSITION_COUNTER,
                     "Datagrams received, by what became of them.");
    for (int i = 0; i < GOSSIP_DATAGRAM_VERDICTS; i++)
        exposition_add(text, "gossip_datagrams_received_total",
                       LABEL("verdict", gossip_verdict_name((enum gossip_verdict)i)),
                       stats->datagrams[i]);
}

static void add_transport(struct gossip_transport *transport, struct text *text)
{
    struct gossip_transport_stats stats;

    transport->ops->stats(transport, &stats);
    add_counter(text, "gossip_transport_send_failures_total", stats.send_failed,
                "Datagrams that the system refused to send.");
    add_counter(text, "gossip_transport_receive_failures_total", stats.receive_failed,
                "Times that receiving a datagram failed.");
    add_counter(text, "gossip_transport_overruns_total", stats.overrun,
                "Datagrams that the kernel dropped before the node could read them.");
}

static void add_clock(const struct view *view, struct text *text)
{
    const struct gossip_vclock *clock = gossip_clock(view->gossip);
    uint64_t events = 0;

    for (size_t i = 0; i < clock->count; i++)
        events += clock->counters[i];
    add_gauge(text, "gossip_clock_authors", clock->count, "Authors of whom events are here.");
    add_gauge(text, "gossip_clock_events", events, "Events that are here, of all authors.");
    add_gauge(text, "gossip_signed_records", gossip_signed_count(view->gossip),
              "Certificates, evictions and proofs that are here.");
}

static void add_peers(const struct view *view, struct text *text)
{
    uint64_t counts[GOSSIP_PEER_SILENT + 1] = {0};
    uint64_t in_step = 0;
    struct gossip_peer peer;

    for (size_t i = 0; i < gossip_peer_count(view->gossip); i++) {
        if (gossip_peer(view->gossip, i, &peer) < 0)
            continue;
        counts[peer.state]++;
        in_step += peer.state == GOSSIP_PEER_ALIVE && peer.still_in_step;
    }
    exposition_begin(text, "gossip_peers", EXPOSITION_GAUGE, "Other nodes known, by their state.");
    for (int i = GOSSIP_PEER_UNREACHED; i <= GOSSIP_PEER_SILENT; i++)
        exposition_add(text, "gossip_peers",
                       LABEL("state", view_peer_state((enum gossip_peer_state)i)), counts[i]);
    add_gauge(text, "gossip_peers_in_step", in_step,
              "Other nodes that are alive and hold the same as this one.");
}

/* ---- The store. ---- */

static void add_of_calls(const struct gossip_store_metrics *metrics, const char *name,
                         size_t offset, const char *help, struct text *text)
{
    exposition_begin(text, name, EXPOSITION_COUNTER, help);
    for (int i = 0; i < GOSSIP_STORE_CALLS; i++)
        exposition_add(text, name, LABEL("call", gossip_store_call_name((enum gossip_store_call)i)),
                       *(const uint64_t *)((const char *)&metrics->calls[i] + offset));
}

static void add_calls(const struct gossip_store *store, struct text *text)
{
    struct gossip_store_metrics metrics;
    const struct gossip_store_figures *save = &metrics.calls[GOSSIP_STORE_SAVE];

    gossip_metrics_read(store, &metrics);
    exposition_begin(text, "gossip_commit_duration_seconds", EXPOSITION_HISTOGRAM,
                     "How long commits took, until what they saved was durable.");
    exposition_add_durations(text, "gossip_commit_duration_seconds",
                             &(const struct exposition_durations){.counts = save->durations,
                                                                  .count = GOSSIP_STORE_BUCKETS,
                                                                  .sum_us = save->duration,
                                                                  .first = COMMIT_FIRST,
                                                                  .last = COMMIT_LAST});
    add_of_calls(&metrics, "gossip_store_calls_total", offsetof(struct gossip_store_figures, calls),
                 "What was asked of the store; save is a commit.", text);
    add_of_calls(&metrics, "gossip_store_failures_total",
                 offsetof(struct gossip_store_figures, failed), "Of those, what failed.", text);
    add_of_calls(&metrics, "gossip_store_records_total",
                 offsetof(struct gossip_store_figures, records), "Records saved, or read.", text);
    add_of_calls(&metrics, "gossip_store_moved_bytes_total",
                 offsetof(struct gossip_store_figures, bytes),
                 "What the fields of those records take.", text);
    exposition_begin(text, "gossip_store_call_seconds_total", EXPOSITION_COUNTER,
                     "Time spent in what was asked of the store.");
    for (int i = 0; i < GOSSIP_STORE_CALLS; i++)
        exposition_add_seconds(text, "gossip_store_call_seconds_total",
                               LABEL("call", gossip_store_call_name((enum gossip_store_call)i)),
                               metrics.calls[i].duration);
}

/* What cannot be looked at is left out, as Prometheus wants it: the rest is worth having. */
static void add_files(const struct directory *directory, struct text *text)
{
    static const char *const names[] = {DIRECTORY_STORE, DIRECTORY_STORE "-wal"};
    struct stat status;
    struct statvfs disk;

    exposition_begin(text, "gossip_store_size_bytes", EXPOSITION_GAUGE,
                     "The size of the store's database and of the log beside it.");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (fstatat(directory->descriptor, names[i], &status, AT_SYMLINK_NOFOLLOW) == 0)
            exposition_add(text, "gossip_store_size_bytes", LABEL("file", names[i]),
                           (uint64_t)status.st_size);
    if (fstatvfs(directory->descriptor, &disk) == 0)
        add_gauge(text, "gossip_store_disk_free_bytes", (uint64_t)disk.f_bavail * disk.f_frsize,
                  "Room that is left to the node on the disk of the store.");
}

/* ---- The process, under the names that exporters share. ---- */

static void add_process(const struct api *api, struct text *text)
{
    uint64_t number;

    exposition_begin(text, "process_start_time_seconds", EXPOSITION_GAUGE,
                     "When the process started, in seconds since 1970.");
    exposition_add_seconds(text, "process_start_time_seconds", NULL, api->start_ms * 1000);
    if (process_cpu_us(&number)) {
        exposition_begin(text, "process_cpu_seconds_total", EXPOSITION_COUNTER,
                         "Time spent on processors.");
        exposition_add_seconds(text, "process_cpu_seconds_total", NULL, number);
    }
    if (process_resident_bytes(&number))
        add_gauge(text, "process_resident_memory_bytes", number, "Memory in use.");
    if (process_descriptors(&number))
        add_gauge(text, "process_open_fds", number, "Descriptors that are open.");
    if (process_descriptors_max(&number))
        add_gauge(text, "process_max_fds", number, "Descriptors that may be open.");
}

void api_handle_metrics(struct api *api, struct api_response *response)
{
    struct view view = {.gossip = api->options.gossip,
                        .identity = api->options.identity,
                        .transport = api->options.transport};
    struct text *text = &response->body;
    struct gossip_stats stats;

    if (api->failed < 0) {
        api_answer_failure(response, api->failed);
        return;
    }
    gossip_stats(view.gossip, &stats);
    add_identity(&view, text);
    add_condition(api, &view, text);
    add_stats(&stats, text);
    if (view.transport)
        add_transport(view.transport, text);
    add_clock(&view, text);
    add_peers(&view, text);
    if (api->options.counted)
        add_calls(api->options.counted, text);
    if (api->options.directory)
        add_files(api->options.directory, text);
    add_gauge(text, "gossip_api_watchers", api->watchers,
              "Requests that watch or wait, of which 128 may.");
    add_process(api, text);
    if (text->failed) {
        api_answer_failure(response, GOSSIP_ERR_NOMEM);
        return;
    }
    response->status = 200;
    response->exit_code = EXIT_OK;
    response->type = EXPOSITION_TYPE;
}
