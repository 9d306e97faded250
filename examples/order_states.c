/*
 * The states of an order. A customer places it; the restaurant accepts it; then the customer
 * cancels it while the restaurant, not having heard of that, prepares it. Neither comes after the
 * other, whatever clocks on walls say: both see a conflict, and somebody decides.
 *
 * They hand each other what they have as archives, so that who has seen what is as the story says;
 * embed.c has nodes on a network.
 */
#include "gossip/gossip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct party {
    const char *name;
    struct gossip_store *store;
    struct gossip_identity *identity;
    struct gossip *gossip;
};

static int check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "order_states: %s: %s\n", what, gossip_strerror(result));
        exit(EXIT_FAILURE);
    }
    return result;
}

static void expect(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "order_states: not so: %s\n", what);
        exit(EXIT_FAILURE);
    }
}

/* A node without a transport: it hears only what it is handed. */
static void start(struct party *party, const struct gossip_cluster *cluster)
{
    struct gossip_options options = {.size = sizeof(options), .time = gossip_system_time()};

    check(gossip_memory_open(&party->store), "store");
    check(gossip_identity_create(cluster, party->name, 0, options.time, &party->identity),
          "identity");
    options.store = party->store;
    options.identity = party->identity;
    check(gossip_create(&options, &party->gossip), "node");
}

static void end(struct party *party)
{
    gossip_destroy(party->gossip);
    gossip_identity_destroy(party->identity);
    party->store->ops->close(party->store);
}

static void change(const struct party *party, const char *text)
{
    struct gossip_result result;
    uint64_t ticket;

    check(gossip_publish(party->gossip, text, strlen(text), &ticket), "publish");
    check(gossip_run(party->gossip), "run");
    expect(gossip_result_pop(party->gossip, &result) == 1, "what is published has a result");
    check(result.error, "publish");
}

struct archive {
    struct gossip_export *from;
    const uint8_t *bytes; /* Not yet read. */
    size_t size;
};

static int read_archive(void *context, void *buffer, size_t size)
{
    struct archive *archive = context;

    if (archive->size == 0) {
        int more = gossip_export_next(archive->from, &archive->bytes, &archive->size);

        if (more < 0)
            return GOSSIP_ERR_IO;
        if (more == 0)
            return 0;
    }
    if (size > archive->size)
        size = archive->size;
    memcpy(buffer, archive->bytes, size);
    archive->bytes += size;
    archive->size -= size;
    return (int)size;
}

/* Hands all that one holds to the other, as an archive: as a file that somebody carries would. */
static void hand(const struct party *from, const struct party *to)
{
    struct archive archive = {0};
    struct gossip_archive read;
    struct gossip_imported imported;

    check(gossip_export_open(from->gossip, GOSSIP_ALL_AUTHORS, &archive.from), "export");
    check(gossip_import(to->gossip, read_archive, &archive, &read, &imported), "import");
    expect(imported.waiting == 0 && imported.refused == 0, "all that was handed is taken in");
    gossip_export_close(archive.from);
}

static struct gossip_dot dot(struct gossip *gossip, const char *author, uint64_t seq)
{
    struct gossip_dot dot = {.seq = seq};

    check(gossip_author_find(gossip, author, strlen(author), &dot.author), author);
    return dot;
}

enum { STATES_MAX = 8 };

/* A state of the order that no later one has seen. */
struct state {
    struct gossip_dot dot;
    char text[32];
};

/* Whether some event of the log comes after it. */
static bool is_past(struct gossip *gossip, const struct state *states, size_t count,
                    struct gossip_dot dot)
{
    for (size_t i = 0; i < count; i++) {
        enum gossip_relation relation;

        check(gossip_relation(gossip, dot, states[i].dot, &relation), "relation");
        if (relation == GOSSIP_BEFORE)
            return true;
    }
    return false;
}

/* The states that hold: one, or several where there is a conflict. */
static size_t find_states(struct gossip *gossip, struct state ret_states[STATES_MAX])
{
    struct state all[STATES_MAX];
    struct gossip_log *log;
    struct gossip_event event;
    size_t count = 0;
    size_t found = 0;

    check(gossip_log_open(gossip, GOSSIP_LOG_EVENTS, &log), "log");
    while (check(gossip_log_next(log, &event), "log") == 1) {
        expect(count < STATES_MAX, "there are few states");
        all[count].dot = event.dot;
        snprintf(all[count++].text, sizeof(all->text), "%.*s", (int)event.size,
                 (const char *)event.data);
    }
    gossip_log_close(log);
    for (size_t i = 0; i < count; i++) {
        if (!is_past(gossip, all, count, all[i].dot))
            ret_states[found++] = all[i];
    }
    return found;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct state *)a)->text, ((const struct state *)b)->text);
}

static void show(const struct party *party, const char *expected)
{
    struct state states[STATES_MAX];
    size_t count = find_states(party->gossip, states);
    char line[200] = "";
    char *clock;

    qsort(states, count, sizeof(*states), by_text); /* No other order means anything. */
    for (size_t i = 0; i < count; i++) {
        strcat(line, i == 0 ? "" : " | ");
        strcat(line, states[i].text);
    }
    check(gossip_vclock_to_text(gossip_clock(party->gossip), gossip_author_name, party->gossip,
                                &clock),
          "clock");
    strcat(strcat(line, " "), clock);
    free(clock);
    printf("%s sees %s%s\n", party->name, count > 1 ? "a conflict: " : "", line);
    expect(strcmp(line, expected) == 0, expected);
}

int main(void)
{
    struct party customer = {.name = "c"}, restaurant = {.name = "r"};
    struct gossip_cluster *cluster;
    enum gossip_relation relation;

    check(gossip_cluster_create(gossip_system_time(), &cluster), "cluster");
    start(&customer, cluster);
    start(&restaurant, cluster);

    change(&customer, "placed");
    show(&customer, "placed {c:1}");
    hand(&customer, &restaurant);
    change(&restaurant, "accepted");
    show(&restaurant, "accepted {c:1 r:1}");
    hand(&restaurant, &customer);

    /* Apart. */
    change(&customer, "cancelled");
    show(&customer, "cancelled {c:2 r:1}");
    change(&restaurant, "prepared");
    show(&restaurant, "prepared {c:1 r:2}");

    /* Together again: neither has won. */
    hand(&customer, &restaurant);
    hand(&restaurant, &customer);
    show(&customer, "cancelled | prepared {c:2 r:2}");
    show(&restaurant, "cancelled | prepared {c:2 r:2}");
    check(gossip_relation(customer.gossip, dot(customer.gossip, "c", 2),
                          dot(customer.gossip, "r", 2), &relation),
          "relation");
    expect(relation == GOSSIP_CONCURRENT, "cancelling and preparing are concurrent");

    end(&restaurant);
    end(&customer);
    gossip_cluster_destroy(cluster);
    return EXIT_SUCCESS;
}
