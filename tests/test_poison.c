/*
 * Events that end the process: a program with a deliberate mistake dies of one payload, is started
 * again, dies again, and the third time runs on, loudly. Each start is a process of its own, and
 * the ends are real.
 */
#include "gossip/gossip.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { TEXT_SIZE = 256, OPEN_FAILED = 99 };

struct place {
    char directory[64];
    char path[96];
    char seen[96]; /* What the program has dealt with, a line for each start. */
    struct gossip_cluster *cluster;
    struct gossip_identity *identity;
};

/* How a start is told to behave. */
struct behaviour {
    const char *dies_of; /* The payload that it cannot stand. */
    int dies_by;         /* The signal. */
    bool looks_away;     /* It pops nothing. */
    uint32_t crashes;    /* options.poison_crashes */
    bool runs; /* It runs the node once before it dies: then it has dealt with the event. */
};

static struct gossip *open_gossip(const struct place *place, const struct behaviour *behaviour,
                                  struct gossip_store **ret_store)
{
    struct gossip *gossip = NULL;

    if (gossip_sqlite_open(place->path, GOSSIP_SQLITE_OPEN, NULL, 0, ret_store) < 0 ||
        gossip_create(&(struct gossip_options){.size = sizeof(struct gossip_options),
                                               .store = *ret_store,
                                               .time = gossip_system_time(),
                                               .identity = place->identity,
                                               .poison_crashes = behaviour->crashes},
                      &gossip) < 0)
        return NULL;
    return gossip;
}

/* The program. Its output is what it has seen, and what it was told of. */
static int run_program(const struct place *place, const struct behaviour *behaviour)
{
    struct gossip_store *store;
    struct gossip *gossip = open_gossip(place, behaviour, &store);
    FILE *seen = fopen(place->seen, "w");
    struct gossip_notice notice;
    struct gossip_stats stats;
    struct gossip_event event;

    if (gossip == NULL || seen == NULL)
        return OPEN_FAILED;
    setvbuf(seen, NULL, _IONBF, 0);
    while (!behaviour->looks_away && gossip_event_pop(gossip, &event) == 1) {
        if (behaviour->dies_of != NULL && event.size == strlen(behaviour->dies_of) &&
            memcmp(event.data, behaviour->dies_of, event.size) == 0) {
            if (behaviour->runs && gossip_run(gossip) < 0)
                return OPEN_FAILED;
            raise(behaviour->dies_by);
        }
        fprintf(seen, "%.*s ", (int)event.size, (const char *)event.data);
    }
    while (gossip_notice_pop(gossip, &notice) == 1)
        fprintf(seen, "[%s of %s %llu] ", gossip_notice_name(notice.kind), notice.name,
                (unsigned long long)notice.dot.seq);
    gossip_stats(gossip, &stats);
    fprintf(seen, "(%llu)", (unsigned long long)stats.poisonous);
    fclose(seen);
    gossip_destroy(gossip);
    store->ops->close(store);
    return 0;
}

/* Starts the program: how it ended (a signal as a negative number), and what it had seen. */
static int start(const struct place *place, const struct behaviour *behaviour,
                 char ret_seen[TEXT_SIZE])
{
    pid_t child = fork();
    FILE *seen;
    size_t size;
    int status;

    assert_true(child >= 0);
    if (child == 0)
        _exit(run_program(place, behaviour));
    assert_int_equal(waitpid(child, &status, 0), child);
    seen = fopen(place->seen, "r");
    assert_non_null(seen);
    size = fread(ret_seen, 1, TEXT_SIZE - 1, seen);
    ret_seen[size] = '\0';
    fclose(seen);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void expect(const struct place *place, const struct behaviour *behaviour, int end,
                   const char *seen)
{
    char found[TEXT_SIZE];

    assert_int_equal(start(place, behaviour, found), end);
    assert_string_equal(found, seen);
}

static void publish(const struct place *place, const char *text)
{
    static const struct behaviour plain;
    struct gossip_store *store;
    struct gossip *gossip = open_gossip(place, &plain, &store);
    struct gossip_result result;
    uint64_t ticket;

    assert_non_null(gossip);
    assert_int_equal(gossip_publish(gossip, text, strlen(text), &ticket), GOSSIP_OK);
    assert_int_equal(gossip_run(gossip), GOSSIP_OK);
    assert_int_equal(gossip_result_pop(gossip, &result), 1);
    assert_int_equal(result.error, GOSSIP_OK);
    gossip_destroy(gossip);
    store->ops->close(store);
}

static int begin(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    struct gossip_store *store;

    assert_non_null(place);
    strcpy(place->directory, "/tmp/gossip-poison-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    snprintf(place->path, sizeof(place->path), "%s/store.db", place->directory);
    snprintf(place->seen, sizeof(place->seen), "%s/seen", place->directory);
    assert_int_equal(gossip_cluster_create(gossip_system_time(), &place->cluster), GOSSIP_OK);
    assert_int_equal(
        gossip_identity_create(place->cluster, "n1", 0, gossip_system_time(), &place->identity),
        GOSSIP_OK);
    assert_int_equal(gossip_sqlite_open(place->path, GOSSIP_SQLITE_CREATE, NULL, 0, &store),
                     GOSSIP_OK);
    store->ops->close(store);
    publish(place, "a");
    publish(place, "b");
    publish(place, "c");
    *state = place;
    return 0;
}

static int end(void **state)
{
    struct place *place = *state;
    char lock[128];

    gossip_store_remove(place->path, NULL, 0);
    snprintf(lock, sizeof(lock), "%s.lock", place->path);
    unlink(lock);
    unlink(place->seen);
    rmdir(place->directory);
    gossip_identity_destroy(place->identity);
    gossip_cluster_destroy(place->cluster);
    free(place);
    return 0;
}

/* Killed twice over one event, the third start passes it over, says so, and gets what follows; so
 * does the fourth. */
static void test_loop_is_broken(void **state)
{
    static const struct behaviour broken = {.dies_of = "b", .dies_by = SIGKILL};
    const struct place *place = *state;

    expect(place, &broken, -SIGKILL, "a ");
    expect(place, &broken, -SIGKILL, "a ");
    expect(place, &broken, 0, "a c [poison of n1 2] (1)");
    expect(place, &broken, 0, "a c [poison of n1 2] (1)");
}

/* The event itself is as good as ever: in the log, and for who is mended. */
static void test_event_stays(void **state)
{
    static const struct behaviour broken = {.dies_of = "b", .dies_by = SIGABRT};
    static const struct behaviour sound;
    const struct place *place = *state;
    struct gossip_store *store;
    struct gossip_event event;
    struct gossip_log *log;
    struct gossip *gossip;
    char text[4] = "";

    expect(place, &broken, -SIGABRT, "a ");
    expect(place, &broken, -SIGABRT, "a ");
    expect(place, &broken, 0, "a c [poison of n1 2] (1)");
    gossip = open_gossip(place, &sound, &store);
    assert_non_null(gossip);
    assert_int_equal(gossip_log_open(gossip, GOSSIP_LOG_EVENTS, &log), GOSSIP_OK);
    while (gossip_log_next(log, &event) == 1)
        strncat(text, (const char *)event.data, event.size);
    gossip_log_close(log);
    assert_string_equal(text, "abc");
    assert_int_equal(gossip_verify(gossip, NULL, NULL, NULL), GOSSIP_OK);
    gossip_destroy(gossip);
    store->ops->close(store);
}

/* Starts that hand nothing out count for nothing, and an end over another event begins anew. */
static void test_what_does_not_count(void **state)
{
    static const struct behaviour of_b = {.dies_of = "b", .dies_by = SIGKILL};
    static const struct behaviour of_a = {.dies_of = "a", .dies_by = SIGKILL};
    static const struct behaviour idle = {.looks_away = true};
    static const struct behaviour dealt_with = {.dies_of = "b", .dies_by = SIGKILL, .runs = true};
    static const struct behaviour sound;
    const struct place *place = *state;

    expect(place, &of_b, -SIGKILL, "a ");
    for (int i = 0; i < 3; i++)
        expect(place, &idle, 0, "(0)");
    expect(place, &of_a, -SIGKILL, "");
    expect(place, &of_b, -SIGKILL, "a ");
    expect(place, &sound, 0, "a b c (0)");
    for (int i = 0; i < 3; i++)
        expect(place, &dealt_with, -SIGKILL, "a ");
    expect(place, &sound, 0, "a b c (0)");
}

static void test_options(void **state)
{
    static const struct behaviour never = {
        .dies_of = "b", .dies_by = SIGKILL, .crashes = GOSSIP_POISON_NEVER};
    static const struct behaviour once = {.dies_of = "c", .dies_by = SIGKILL, .crashes = 1};
    const struct place *place = *state;

    for (int i = 0; i < 3; i++)
        expect(place, &never, -SIGKILL, "a ");
    expect(place, &once, -SIGKILL, "a b ");
    expect(place, &once, 0, "a b [poison of n1 3] (1)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_loop_is_broken, begin, end),
        cmocka_unit_test_setup_teardown(test_event_stays, begin, end),
        cmocka_unit_test_setup_teardown(test_what_does_not_count, begin, end),
        cmocka_unit_test_setup_teardown(test_options, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
