/*
 * Three friends chat. A writes; B writes without having seen it; B receives what A wrote and writes
 * again; C receives all and writes. Everybody shows the same, in an order that no answer spoils,
 * and which message answers which is known exactly.
 *
 * They hand each other what they have as archives, so that who has seen what is as the story says;
 * embed.c has nodes on a network.
 */
#include "gossip/gossip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct friend
{
    const char *name;
    struct gossip_store *store;
    struct gossip_identity *identity;
    struct gossip *gossip;
};

static int check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "chat: %s: %s\n", what, gossip_strerror(result));
        exit(EXIT_FAILURE);
    }
    return result;
}

static void expect(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "chat: not so: %s\n", what);
        exit(EXIT_FAILURE);
    }
}

/* A node without a transport: it hears only what it is handed. */
static void start(struct friend *friend, const struct gossip_cluster *cluster)
{
    struct gossip_options options = {.size = sizeof(options), .time = gossip_system_time()};

    check(gossip_memory_open(&friend->store), "store");
    check(gossip_identity_create(cluster, friend->name, 0, options.time, &friend->identity),
          "identity");
    options.store = friend->store;
    options.identity = friend->identity;
    check(gossip_create(&options, &friend->gossip), "node");
}

static void end(struct friend *friend)
{
    gossip_destroy(friend->gossip);
    gossip_identity_destroy(friend->identity);
    friend->store->ops->close(friend->store);
}

static void write_message(const struct friend *friend, const char *text)
{
    struct gossip_result result;
    uint64_t ticket;

    check(gossip_publish(friend->gossip, text, strlen(text), &ticket), "publish");
    check(gossip_run(friend->gossip), "run");
    expect(gossip_result_pop(friend->gossip, &result) == 1, "what is published has a result");
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
static void hand(const struct friend *from, const struct friend *to)
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

enum { MESSAGES = 4 };

static const char *const expected[MESSAGES] = {
    "{A:1} A: shall we go?",
    "{B:1} B: I am late",
    "{A:1 B:2} B: yes, let us",
    "{A:1 B:2 C:1} C: I come too",
};

/* Which of them a line is; MESSAGES: none. */
static size_t find_line(const char *line)
{
    size_t found = 0;

    while (found < MESSAGES && strcmp(line, expected[found]) != 0)
        found++;
    return found;
}

/* Shows what a friend sees, and checks it. Which of the first two comes first depends on when they
 * were written, and is the same for everybody. Tells which it is. */
static size_t show(const struct friend *friend)
{
    size_t found[MESSAGES];
    struct gossip_log *log;
    struct gossip_event event;
    size_t shown = 0;

    printf("%s sees:\n", friend->name);
    check(gossip_log_open(friend->gossip, GOSSIP_LOG_EVENTS, &log), "log");
    while (check(gossip_log_next(log, &event), "log") == 1) {
        struct gossip_author author;
        char line[200];
        char *clock;

        check(gossip_author(friend->gossip, event.dot.author, &author), "author");
        check(gossip_vclock_to_text(event.clock, gossip_author_name, friend->gossip, &clock),
              "clock");
        snprintf(line, sizeof(line), "%s %s: %.*s", clock, author.name, (int)event.size,
                 (const char *)event.data);
        free(clock);
        printf("    %s\n", line);
        expect(shown < MESSAGES, "there are no more");
        found[shown++] = find_line(line);
    }
    gossip_log_close(log);
    expect(shown == MESSAGES, "all messages are seen");
    expect(found[0] + found[1] == 1 && found[2] == 2 && found[3] == 3,
           "each has its clock and its place");
    return found[0];
}

/* How each message stands to each earlier one. */
static void show_relations(struct gossip *gossip)
{
    const struct gossip_dot dots[] = {dot(gossip, "A", 1), dot(gossip, "B", 1), dot(gossip, "B", 2),
                                      dot(gossip, "C", 1)};
    enum gossip_relation relation;

    for (size_t i = 0; i < 4; i++) {
        for (size_t j = i + 1; j < 4; j++) {
            check(gossip_relation(gossip, dots[i], dots[j], &relation), "relation");
            printf("message %zu is %s message %zu\n", i + 1,
                   relation == GOSSIP_CONCURRENT ? "concurrent with"
                                                 : gossip_relation_name(relation),
                   j + 1);
            expect(relation == (i == 0 && j == 1 ? GOSSIP_CONCURRENT : GOSSIP_BEFORE),
                   "only the first two are concurrent");
        }
    }
}

int main(void)
{
    struct friend a = {.name = "A"}, b = {.name = "B"}, c = {.name = "C"};
    struct gossip_cluster *cluster;
    size_t first;

    check(gossip_cluster_create(gossip_system_time(), &cluster), "cluster");
    start(&a, cluster);
    start(&b, cluster);
    start(&c, cluster);

    write_message(&a, "shall we go?");
    write_message(&b, "I am late");
    hand(&a, &b);
    write_message(&b, "yes, let us");
    hand(&b, &c); /* It holds what A wrote too. */
    write_message(&c, "I come too");
    hand(&c, &a);
    hand(&c, &b);

    first = show(&a);
    expect(show(&b) == first && show(&c) == first, "everybody shows the same order");
    show_relations(c.gossip);

    end(&c);
    end(&b);
    end(&a);
    gossip_cluster_destroy(cluster);
    return EXIT_SUCCESS;
}
