#include "tests/net.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/identity.h"

/* Checks that stop a test at once, also in release builds. */
#define NET_REQUIRE(condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: net: %s does not hold\n", __FILE__, __LINE__, #condition);     \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct flight {
    struct flight *next;
    uint64_t due_ms;
    uint64_t number; /* Among those due at once, in the order sent. */
    struct gossip_address from;
    size_t size;
    uint8_t data[GOSSIP_DATAGRAM_MAX + 1];
};

/* What the node sees of its store: saves may be made to fail. */
struct failing_store {
    struct gossip_store base;
    struct gossip_store *inner;
    int error;
    unsigned after;
    unsigned saves;
};

struct net_member {
    struct gossip_transport transport; /* First: it is what the node sees. */
    struct failing_store failing;
    struct gossip_time time;
    struct net *net;
    unsigned index;
    struct gossip_store *store;
    struct gossip_identity *identity;
    struct gossip *gossip;
    struct flight *inbox;
    struct flight received[8]; /* Lent until the next receive. */
    int64_t skew_ms;
    uint64_t after;
    struct gossip_transport_stats stats;
};

struct net {
    struct net_options options;
    uint64_t random;
    uint64_t now_ms;
    uint64_t flights;
    struct gossip_cluster *cluster;
    struct net_member members[NET_NODES_MAX];
    bool cuts[NET_NODES_MAX][NET_NODES_MAX];
    net_tap *tap;
    void *tap_context;
    char text[65536];
};

/* splitmix64: Steele, Lea, Flood 2014. */
static uint64_t next_random(struct net *net)
{
    uint64_t z = net->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t net_random(struct net *net, uint64_t bound)
{
    return next_random(net) % bound;
}

struct gossip_address net_address(unsigned node)
{
    struct gossip_address address = {{0}, (uint16_t)(7001 + node)};

    address.ip[10] = 0xff;
    address.ip[11] = 0xff;
    address.ip[12] = 127;
    address.ip[15] = 1;
    return address;
}

static struct net_member *member_of_time(struct gossip_time *time)
{
    return (struct net_member *)((char *)time - offsetof(struct net_member, time));
}

static uint64_t virtual_monotonic(struct gossip_time *time)
{
    return member_of_time(time)->net->now_ms;
}

static uint64_t virtual_wall(struct gossip_time *time)
{
    const struct net_member *member = member_of_time(time);

    return UINT64_C(1800000000000) + member->net->now_ms + (uint64_t)member->skew_ms;
}

static int virtual_random(struct gossip_time *time, uint8_t *buffer, size_t size)
{
    struct net *net = member_of_time(time)->net;

    for (size_t i = 0; i < size; i++)
        buffer[i] = (uint8_t)(next_random(net) >> 32);
    return GOSSIP_OK;
}

static const struct gossip_time_ops time_ops = {virtual_monotonic, virtual_wall, virtual_random};

static int virtual_poll_fd(struct gossip_transport *transport)
{
    (void)transport;
    return -1;
}

static int virtual_receive(struct gossip_transport *transport,
                           struct gossip_datagram *ret_datagrams, size_t capacity)
{
    struct net_member *member = (struct net_member *)transport;
    int count = 0;

    while (count < 8 && (size_t)count < capacity) {
        struct flight **first = NULL;
        struct flight *taken;

        for (struct flight **place = &member->inbox; *place != NULL; place = &(*place)->next) {
            if ((*place)->due_ms <= member->net->now_ms &&
                (first == NULL || (*place)->due_ms < (*first)->due_ms ||
                 ((*place)->due_ms == (*first)->due_ms && (*place)->number < (*first)->number)))
                first = place;
        }
        if (first == NULL)
            break;
        taken = *first;
        *first = taken->next;
        member->received[count] = *taken;
        free(taken);
        ret_datagrams[count] = (struct gossip_datagram){.address = member->received[count].from,
                                                        .data = member->received[count].data,
                                                        .size = member->received[count].size};
        count++;
    }
    return count;
}

static void fly(struct net_member *to, const struct gossip_address *from, const uint8_t *data,
                size_t size, uint64_t due_ms)
{
    struct flight *flight = calloc(1, sizeof(*flight));

    NET_REQUIRE(flight != NULL);
    flight->due_ms = due_ms;
    flight->number = to->net->flights++;
    flight->from = *from;
    flight->size = size < sizeof(flight->data) ? size : sizeof(flight->data);
    memcpy(flight->data, data, flight->size);
    flight->next = to->inbox;
    to->inbox = flight;
}

static void send_one(struct net_member *member, const struct gossip_datagram *datagram)
{
    struct net *net = member->net;
    struct gossip_address from = net_address(member->index);
    unsigned copies = 1;
    unsigned to = NET_NODES_MAX;

    for (unsigned i = 0; i < net->options.nodes; i++) {
        if (net_address(i).port == datagram->address.port)
            to = i;
    }
    member->stats.sent++;
    member->stats.sent_bytes += datagram->size;
    if (net->tap != NULL &&
        net->tap(net->tap_context, member->index, to, datagram->data, datagram->size))
        return;
    if (to == NET_NODES_MAX || net->cuts[member->index][to] ||
        net_random(net, 100) < net->options.loss_percent)
        return;
    if (net_random(net, 100) < net->options.duplicate_percent)
        copies = 2;
    for (unsigned i = 0; i < copies; i++) {
        uint64_t spread = net->options.latency_ms_max - net->options.latency_ms_min;
        uint64_t latency = net->options.latency_ms_min + net_random(net, spread + 1);

        fly(&net->members[to], &from, datagram->data, datagram->size, net->now_ms + latency);
    }
}

static void virtual_send(struct gossip_transport *transport,
                         const struct gossip_datagram *datagrams, size_t count)
{
    for (size_t i = 0; i < count; i++)
        send_one((struct net_member *)transport, &datagrams[i]);
}

static void virtual_address(struct gossip_transport *transport, struct gossip_address *ret_address)
{
    *ret_address = net_address(((struct net_member *)transport)->index);
}

static void virtual_stats(struct gossip_transport *transport,
                          struct gossip_transport_stats *ret_stats)
{
    *ret_stats = ((struct net_member *)transport)->stats;
}

static void virtual_close(struct gossip_transport *transport)
{
    (void)transport;
}

static const struct gossip_transport_ops transport_ops = {
    virtual_poll_fd, virtual_receive, virtual_send, virtual_address, virtual_stats, virtual_close};

static void drop_inbox(struct net_member *member)
{
    while (member->inbox != NULL) {
        struct flight *flight = member->inbox;

        member->inbox = flight->next;
        free(flight);
    }
}

static int failing_load(struct gossip_store *store, gossip_record_visit *visit, void *context)
{
    struct gossip_store *inner = ((struct failing_store *)store)->inner;

    return inner->ops->load(inner, visit, context);
}

static int failing_save(struct gossip_store *store, const struct gossip_record *records,
                        size_t count)
{
    struct failing_store *failing = (struct failing_store *)store;

    failing->saves++;
    if (failing->error != 0) {
        if (failing->after == 0)
            return failing->error;
        failing->after--;
    }
    return failing->inner->ops->save(failing->inner, records, count);
}

static int failing_read(struct gossip_store *store, uint32_t author, uint64_t first, uint64_t last,
                        gossip_record_visit *visit, void *context)
{
    struct gossip_store *inner = ((struct failing_store *)store)->inner;

    return inner->ops->read(inner, author, first, last, visit, context);
}

static int failing_follow(struct gossip_store *store, uint64_t after, gossip_record_visit *visit,
                          void *context)
{
    struct gossip_store *inner = ((struct failing_store *)store)->inner;

    return inner->ops->follow(inner, after, visit, context);
}

static const char *failing_explain(struct gossip_store *store)
{
    struct gossip_store *inner = ((struct failing_store *)store)->inner;

    return inner->ops->explain(inner);
}

static void failing_close(struct gossip_store *store)
{
    (void)store; /* The test's own. */
}

static const struct gossip_store_ops failing_ops = {failing_load,   failing_save,    failing_read,
                                                    failing_follow, failing_explain, failing_close};

void net_fail_saves(struct net *net, unsigned node, int error, unsigned after)
{
    net->members[node].failing.error = error;
    net->members[node].failing.after = after;
}

unsigned net_saves(struct net *net, unsigned node)
{
    return net->members[node].failing.saves;
}

static void open_store(struct net_member *member)
{
    char path[512];

    if (member->net->options.directory == NULL) {
        NET_REQUIRE(gossip_memory_open(&member->store) == GOSSIP_OK);
    } else {
        snprintf(path, sizeof(path), "%s/%u.db", member->net->options.directory, member->index);
        NET_REQUIRE(gossip_sqlite_open(path, GOSSIP_SQLITE_CREATE, NULL, 0, &member->store) ==
                    GOSSIP_OK);
    }
    member->failing.base.ops = &failing_ops;
    member->failing.inner = member->store;
}

void net_start(struct net *net, unsigned node)
{
    struct net_member *member = &net->members[node];
    struct gossip_address first = net_address(0);
    struct gossip_options options = {
        .size = sizeof(options),
        .store = &member->failing.base,
        .transport = &member->transport,
        .time = &member->time,
        .identity = member->identity,
        .period_ms = net->options.period_ms,
        .after = member->after,
    };

    NET_REQUIRE(member->gossip == NULL);
    drop_inbox(member);
    if (node > 0 && !net->options.unconnected) {
        options.joins = &first;
        options.join_count = 1;
    }
    NET_REQUIRE(gossip_create(&options, &member->gossip) == GOSSIP_OK);
}

void net_kill(struct net *net, unsigned node)
{
    struct net_member *member = &net->members[node];

    gossip_destroy(member->gossip);
    member->gossip = NULL;
    drop_inbox(member);
}

struct net *net_create(const struct net_options *options)
{
    struct net *net = calloc(1, sizeof(*net));
    uint8_t seed[32];
    uint8_t gate[32];

    NET_REQUIRE(net != NULL && options->nodes <= NET_NODES_MAX);
    net->options = *options;
    net->random = options->seed;
    net->now_ms = 1000000;
    for (size_t i = 0; i < sizeof(seed); i++) {
        seed[i] = (uint8_t)next_random(net);
        gate[i] = (uint8_t)next_random(net);
    }
    NET_REQUIRE(cluster_make(gossip_crypto_sodium(), seed, gate, &net->cluster) == GOSSIP_OK);
    for (unsigned i = 0; i < options->nodes; i++) {
        struct net_member *member = &net->members[i];
        char name[8];

        member->net = net;
        member->index = i;
        member->transport.ops = &transport_ops;
        member->time.ops = &time_ops;
        snprintf(name, sizeof(name), "n%u", i + 1);
        open_store(member);
        NET_REQUIRE(gossip_identity_create(net->cluster, name, 0, &member->time,
                                           &member->identity) == GOSSIP_OK);
        net_start(net, i);
    }
    return net;
}

void net_destroy(struct net *net)
{
    for (unsigned i = 0; i < net->options.nodes; i++) {
        struct net_member *member = &net->members[i];

        net_kill(net, i);
        member->store->ops->close(member->store);
        gossip_identity_destroy(member->identity);
    }
    gossip_cluster_destroy(net->cluster);
    free(net);
}

struct gossip *net_node(struct net *net, unsigned node)
{
    return net->members[node].gossip;
}

struct gossip_store *net_store(struct net *net, unsigned node)
{
    return net->members[node].store;
}

const struct gossip_identity *net_identity(struct net *net, unsigned node)
{
    return net->members[node].identity;
}

const struct gossip_cluster *net_cluster(struct net *net)
{
    return net->cluster;
}

uint64_t net_now(const struct net *net)
{
    return net->now_ms;
}

/* Runs all nodes at the present moment until none has anything to do. Returns how long nothing will
 * happen. */
static uint64_t settle(struct net *net)
{
    uint64_t pause = UINT64_MAX;

    for (unsigned i = 0; i < net->options.nodes; i++) {
        struct net_member *member = &net->members[i];
        int timeout;

        if (member->gossip == NULL) {
            drop_inbox(member);
            continue;
        }
        NET_REQUIRE(gossip_run(member->gossip) == GOSSIP_OK);
        timeout = gossip_timeout_ms(member->gossip);
        if (timeout >= 0 && (uint64_t)timeout < pause)
            pause = (uint64_t)timeout;
    }
    for (unsigned i = 0; i < net->options.nodes; i++) {
        for (const struct flight *f = net->members[i].inbox; f != NULL; f = f->next) {
            uint64_t left = f->due_ms <= net->now_ms ? 0 : f->due_ms - net->now_ms;

            if (left < pause)
                pause = left;
        }
    }
    return pause;
}

bool net_run_until(struct net *net, net_check *check, uint64_t ms)
{
    uint64_t end = net->now_ms + ms;
    uint64_t next_check = net->now_ms; /* A look at everything is slow: ten a second will do. */
    unsigned stalled = 0;

    for (;;) {
        uint64_t pause = settle(net);

        if (check != NULL && net->now_ms >= next_check) {
            if (check(net))
                return true;
            next_check = net->now_ms + 100;
        }
        stalled = pause == 0 ? stalled + 1 : 0;
        NET_REQUIRE(stalled < 100000); /* Nodes that always have something to do never rest. */
        if (pause > end - net->now_ms) {
            net->now_ms = end;
            settle(net);
            return check != NULL && check(net);
        }
        net->now_ms += pause;
    }
}

void net_run(struct net *net, uint64_t ms)
{
    net_run_until(net, NULL, ms);
}

static int by_name(void *context, uint32_t author, char *name, size_t size)
{
    const struct gossip *gossip = context;
    struct gossip_author info;

    NET_REQUIRE(gossip_author(gossip, author, &info) == GOSSIP_OK);
    return snprintf(name, size, "%s", info.name == NULL ? "?" : info.name);
}

static int by_id(void *context, uint32_t author, char *name, size_t size)
{
    const struct gossip *gossip = context;
    struct gossip_author info;
    int written = 0;

    NET_REQUIRE(gossip_author(gossip, author, &info) == GOSSIP_OK);
    for (size_t i = 0; i < GOSSIP_ID_SIZE; i++)
        written += snprintf(name + written, size - (size_t)written, "%02x", info.id[i]);
    return written;
}

bool net_agrees(struct net *net)
{
    char *first = NULL;
    bool agrees = true;

    for (unsigned i = 0; i < net->options.nodes && agrees; i++) {
        struct gossip *gossip = net->members[i].gossip;
        char *text;

        if (gossip == NULL)
            continue;
        NET_REQUIRE(gossip_vclock_to_text(gossip_clock(gossip), by_id, gossip, &text) == GOSSIP_OK);
        if (first == NULL) {
            first = text;
            continue;
        }
        agrees = strcmp(first, text) == 0;
        free(text);
    }
    free(first);
    return agrees;
}

bool net_in_step(struct net *net)
{
    if (!net_agrees(net))
        return false;
    for (unsigned i = 0; i < net->options.nodes; i++) {
        struct gossip *gossip = net->members[i].gossip;
        size_t running = 0;
        size_t in_step = 0;

        if (gossip == NULL)
            continue;
        for (unsigned j = 0; j < net->options.nodes; j++)
            running += j != i && net->members[j].gossip != NULL;
        for (size_t j = 0; j < gossip_peer_count(gossip); j++) {
            struct gossip_peer peer;

            NET_REQUIRE(gossip_peer(gossip, j, &peer) == GOSSIP_OK);
            in_step += peer.state == GOSSIP_PEER_ALIVE && peer.in_step;
        }
        if (in_step < running)
            return false;
    }
    return true;
}

uint64_t net_publish(struct net *net, unsigned node, const char *text)
{
    struct gossip *gossip = net->members[node].gossip;
    struct gossip_result result;
    uint64_t ticket;

    NET_REQUIRE(gossip_publish(gossip, text, strlen(text), &ticket) == GOSSIP_OK);
    NET_REQUIRE(gossip_run(gossip) == GOSSIP_OK);
    NET_REQUIRE(gossip_result_pop(gossip, &result) == 1);
    NET_REQUIRE(result.ticket == ticket && result.error == GOSSIP_OK);
    return result.dot.seq;
}

void net_cut(struct net *net, unsigned from, unsigned to, bool is_cut)
{
    net->cuts[from][to] = is_cut;
}

void net_split(struct net *net, unsigned first_of_second_part)
{
    for (unsigned i = 0; i < net->options.nodes; i++) {
        for (unsigned j = 0; j < net->options.nodes; j++)
            net->cuts[i][j] = (i < first_of_second_part) != (j < first_of_second_part);
    }
}

void net_heal(struct net *net)
{
    memset(net->cuts, 0, sizeof(net->cuts));
}

void net_skew(struct net *net, unsigned node, int64_t ms)
{
    net->members[node].skew_ms = ms;
}

void net_set_tap(struct net *net, net_tap *tap, void *context)
{
    net->tap = tap;
    net->tap_context = context;
}

void net_inject(struct net *net, unsigned node, const struct gossip_address *from,
                const uint8_t *data, size_t size)
{
    fly(&net->members[node], from, data, size, net->now_ms);
    NET_REQUIRE(gossip_run(net->members[node].gossip) == GOSSIP_OK);
}

uint32_t net_author(struct net *net, unsigned node, unsigned other)
{
    const struct gossip *gossip = net->members[node].gossip;

    for (uint32_t i = 0; i < gossip_author_count(gossip); i++) {
        struct gossip_author info;

        NET_REQUIRE(gossip_author(gossip, i, &info) == GOSSIP_OK);
        if (memcmp(info.key, gossip_identity_key(net->members[other].identity), GOSSIP_KEY_SIZE) ==
            0)
            return i;
    }
    return UINT32_MAX;
}

const char *net_clock_text(struct net *net, unsigned node, const struct gossip_vclock *clock)
{
    char *text;

    NET_REQUIRE(gossip_vclock_to_text(clock, by_name, net->members[node].gossip, &text) ==
                GOSSIP_OK);
    snprintf(net->text, sizeof(net->text), "%s", text);
    free(text);
    return net->text;
}

const char *net_have_text(struct net *net, unsigned node)
{
    return net_clock_text(net, node, gossip_clock(net->members[node].gossip));
}

void net_print(struct net *net, unsigned node)
{
    static const char *const states[] = {"unreached", "alive", "silent"};
    struct gossip *gossip = net->members[node].gossip;
    struct gossip_stats stats;

    printf("n%u at %llu ms: %s\n", node + 1, (unsigned long long)net->now_ms,
           net_have_text(net, node));
    for (size_t i = 0; i < gossip_peer_count(gossip); i++) {
        struct gossip_peer peer;

        NET_REQUIRE(gossip_peer(gossip, i, &peer) == GOSSIP_OK);
        printf("  %s port %u %s%s, heard %lld ms ago, %llu of %llu answered\n", peer.name,
               peer.address.port, states[peer.state], peer.in_step ? ", in step" : "",
               (long long)peer.heard_ms, (unsigned long long)peer.answered,
               (unsigned long long)peer.exchanges);
    }
    gossip_stats(gossip, &stats);
    printf("  boot %llu, held %llu, runs %llu, pulls %llu, whole %llu;",
           (unsigned long long)stats.boot, (unsigned long long)stats.held_events,
           (unsigned long long)stats.runs_held, (unsigned long long)stats.pulls,
           (unsigned long long)stats.pulls_whole);
    for (unsigned i = 0; i < GOSSIP_DATAGRAM_VERDICTS; i++) {
        if (stats.datagrams[i] > 0)
            printf(" %s %llu", gossip_verdict_name((enum gossip_verdict)i),
                   (unsigned long long)stats.datagrams[i]);
    }
    printf("\n");
}

const char *net_event_clock(struct net *net, unsigned node, unsigned other, uint64_t seq)
{
    struct gossip_event event;

    if (gossip_event_get(net->members[node].gossip,
                         (struct gossip_dot){net_author(net, node, other), seq},
                         &event) != GOSSIP_OK)
        return "none";
    return net_clock_text(net, node, event.clock);
}

enum gossip_relation net_relation(struct net *net, unsigned node, unsigned a, uint64_t a_seq,
                                  unsigned b, uint64_t b_seq)
{
    enum gossip_relation relation;

    NET_REQUIRE(gossip_relation(
                    net->members[node].gossip, (struct gossip_dot){net_author(net, node, a), a_seq},
                    (struct gossip_dot){net_author(net, node, b), b_seq}, &relation) == GOSSIP_OK);
    return relation;
}

static void add_word(struct net *net, const struct gossip_event *event)
{
    size_t length = strlen(net->text);

    NET_REQUIRE(length + event->size + 2 < sizeof(net->text));
    if (length > 0)
        net->text[length++] = ' ';
    if (event->size > 0)
        memcpy(net->text + length, event->data, event->size);
    net->text[length + event->size] = '\0';
}

const char *net_log_text(struct net *net, unsigned node)
{
    struct gossip_log *log;
    struct gossip_event event;
    int found;

    net->text[0] = '\0';
    NET_REQUIRE(gossip_log_open(net->members[node].gossip, &log) == GOSSIP_OK);
    while ((found = gossip_log_next(log, &event)) > 0)
        add_word(net, &event);
    NET_REQUIRE(found == 0);
    gossip_log_close(log);
    return net->text;
}

const char *net_delivered_text(struct net *net, unsigned node)
{
    struct gossip_event event;
    int found;

    net->text[0] = '\0';
    while ((found = gossip_event_pop(net->members[node].gossip, &event)) > 0) {
        add_word(net, &event);
        net->members[node].after = event.delivery;
    }
    NET_REQUIRE(found == 0);
    return net->text;
}
