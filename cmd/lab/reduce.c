#include "cmd/lab/reduce.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/lab/stage.h"

/* In which way a run fails. */
struct way {
    unsigned line; /* Of the check; 0: none of the script's, but the one with this title. */
    char key[64];  /* What does not change from run to run. */
};

static void way_of(const struct check *check, struct way *ret_way)
{
    const char *witness = check->witness.data ? check->witness.data : "";

    memset(ret_way, 0, sizeof(*ret_way));
    ret_way->line = check->line;
    if (check->line == 0)
        snprintf(ret_way->key, sizeof(ret_way->key), "%.8s %.*s", check->title,
                 (int)strcspn(witness, " ,\n"), witness);
}

static void play_once(const struct script *script, uint64_t seed, struct way *ret_ways,
                      size_t capacity, size_t *ret_count)
{
    struct journal journal;
    struct outcome outcome;
    struct stage *stage;

    journal_start(&journal, script->node_count);
    stage = stage_sim.open(script, seed, &journal);
    play(script, stage, &outcome);
    stage->ops->close(stage);
    *ret_count = 0;
    for (size_t i = 0; i < outcome.count && *ret_count < capacity; i++)
        if (!outcome.checks[i].passed && !outcome.checks[i].was_not_reached)
            way_of(&outcome.checks[i], &ret_ways[(*ret_count)++]);
    outcome_clear(&outcome);
    journal_clear(&journal);
}

enum { WAYS_MAX = 64 };

/* Plays script in another process: whether it fails in this way. -1: there can be no process. */
static int fails(const struct script *script, uint64_t seed, const struct way *way)
{
    struct way ways[WAYS_MAX];
    int ends[2];
    size_t size = 0;
    ssize_t got = 1;
    pid_t pid;

    if (pipe(ends) < 0)
        return -1;
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        size_t count;

        close(ends[0]);
        play_once(script, seed, ways, WAYS_MAX, &count);
        size = count * sizeof(ways[0]);
        _exit(write(ends[1], ways, size) == (ssize_t)size ? 0 : 1);
    }
    close(ends[1]);
    while (pid > 0 && size < sizeof(ways) && got != 0) {
        got = read(ends[0], (char *)ways + size, sizeof(ways) - size);
        if (got < 0 && errno != EINTR)
            break;
        size += got > 0 ? (size_t)got : 0;
    }
    close(ends[0]);
    if (pid < 0)
        return -1;
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    for (size_t i = 0; i < size / sizeof(ways[0]); i++)
        if (ways[i].line == way->line && strcmp(ways[i].key, way->key) == 0)
            return 1;
    return 0;
}

/* Where a statement has no time but those before it can end at one time only, it gets that one: so
 * it does not move when one before it is left out. */
static void settle_times(struct script *script)
{
    uint64_t now_ms = 0;
    bool is_known = true;

    for (size_t i = 0; i < script->count; i++) {
        struct statement *statement = &script->statements[i];

        if (statement->kind == STATEMENT_NODES || statement->kind == STATEMENT_PERIOD)
            continue;
        if (statement->is_at && !statement->is_relative) {
            now_ms = statement->at_ms;
            is_known = true;
        } else if (statement->is_at) {
            now_ms += statement->at_ms;
        }
        if (is_known && now_ms > 0) {
            statement->is_at = true;
            statement->is_relative = false;
            statement->at_ms = now_ms;
        }
        if (statement->kind == STATEMENT_EXPECT && statement->is_within)
            is_known = false;
    }
}

/* Drops up to count statements from first on; how many of them could be dropped. */
static size_t drop(struct script *script, size_t first, size_t count, unsigned needed,
                   bool *ret_dropped)
{
    size_t dropped = 0;

    for (size_t i = first; i < first + count && i < script->count; i++) {
        struct statement *statement = &script->statements[i];

        ret_dropped[i] = !statement->is_dropped && statement->line != needed &&
                         statement->kind != STATEMENT_NODES;
        statement->is_dropped = statement->is_dropped || ret_dropped[i];
        dropped += ret_dropped[i];
    }
    return dropped;
}

static void take_back(struct script *script, size_t first, size_t count, const bool *dropped)
{
    for (size_t i = first; i < first + count && i < script->count; i++)
        if (dropped[i])
            script->statements[i].is_dropped = false;
}

static size_t count_left(const struct script *script)
{
    size_t left = 0;

    for (size_t i = 0; i < script->count; i++)
        left += !script->statements[i].is_dropped;
    return left;
}

unsigned reduce(struct script *script, uint64_t seed, const struct check *failure,
                reduce_progress *progress, void *context)
{
    static bool dropped[SCRIPT_STATEMENTS_MAX];
    char error[SCRIPT_ERROR_MAX];
    char line[128];
    unsigned tries = 1;
    struct way way;
    bool any = true;

    way_of(failure, &way);
    settle_times(script);
    if (!script_check(script, error) || fails(script, seed, &way) != 1)
        return 0;
    for (size_t size = script->count; size > 0; size = any && size == 1 ? 1 : size / 2) {
        any = false;
        /* From the end: what comes last is needed by nothing before it. */
        for (size_t end = script->count; end > 0; end = end > size ? end - size : 0) {
            size_t first = end > size ? end - size : 0;

            if (drop(script, first, end - first, way.line, dropped) == 0)
                continue;
            tries++;
            if (script_check(script, error) && fails(script, seed, &way) == 1) {
                any = true;
                snprintf(line, sizeof(line), "%zu statements are left, after %u runs",
                         count_left(script), tries);
                if (progress)
                    progress(context, line);
            } else {
                take_back(script, first, end - first, dropped);
            }
        }
    }
    return tries;
}

static void add_time(struct text *text, uint64_t ms)
{
    if (ms % 1000 == 0)
        text_print(text, "%" PRIu64 "s", ms / 1000);
    else
        text_print(text, "%" PRIu64 "ms", ms);
}

void reduce_print(const struct script *script, struct text *ret_text)
{
    for (size_t i = 0; i < script->count; i++) {
        const struct statement *statement = &script->statements[i];
        char words[SCRIPT_LINE_MAX + 1];

        if (statement->is_dropped)
            continue;
        if (statement->is_at) {
            text_add(ret_text, statement->is_relative ? "at +" : "at ");
            add_time(ret_text, statement->at_ms);
            text_add(ret_text, " ");
        }
        if (statement->every_ms > 0) {
            text_add(ret_text, "every ");
            add_time(ret_text, statement->every_ms);
            text_add(ret_text, statement->is_lasting ? " until +" : " until ");
            add_time(ret_text, statement->until_ms);
            text_add(ret_text, " ");
        }
        script_words(script, statement, words, sizeof(words));
        text_print(ret_text, "%s\n", words);
    }
}
