#include "cmd/lab/play.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/lab/judge.h"
#include "cmd/lab/room.h"

enum {
    SAMPLE_MS = 1000,
    LOOK_MS = 10,
    /* A node that has just started asks others what they know of it, and writes nothing for up to
     * ten seconds. */
    ANSWER_MS = 15000,
};

/* What goes on beside the statements that follow. */
struct repeated {
    size_t index; /* Of the statement. */
    uint64_t began_ms;
    uint64_t until_ms;
    uint64_t count; /* So often it has happened. */
};

/* An expectation that has yet to be judged for good. */
struct asked {
    bool is_waiting;
    size_t index;       /* Of the statement. */
    bool is_settling;   /* What was asked to be published may not be on disk yet, */
    uint64_t settle_ms; /* until then at most. */
    uint64_t began_ms;  /* After that. */
    uint64_t end_ms;
    uint64_t version; /* Of the journal, when it was judged last. */
};

struct play {
    const struct script *script;
    struct stage *stage;
    struct outcome *outcome;
    struct repeated *repeated;
    size_t repeated_count;
    size_t repeated_capacity;
    struct asked asked;
    uint64_t sample_ms; /* When the clocks are read next. */
    struct script_link links[SCRIPT_NODES_MAX][SCRIPT_NODES_MAX];
    bool is_cut[SCRIPT_NODES_MAX][SCRIPT_NODES_MAX];
    unsigned part[SCRIPT_NODES_MAX];
    uint64_t published; /* Events that were made up. */
    bool has_started;   /* Nodes have. */
    bool failed;        /* The run cannot go on; the reason is a check. */
};

static uint64_t now(const struct play *play)
{
    return play->stage->ops->now_ms(play->stage);
}

static struct check *add_check(struct play *play, unsigned line)
{
    struct outcome *outcome = play->outcome;
    struct check *check;

    outcome->checks =
        room_for(outcome->checks, &outcome->capacity, outcome->count + 1, sizeof(*check));
    check = &outcome->checks[outcome->count++];
    *check = (struct check){.line = line, .time_ms = now(play)};
    for (size_t i = 0; i < play->script->count; i++)
        if (line > 0 && play->script->statements[i].line == line)
            script_words(play->script, &play->script->statements[i], check->title,
                         sizeof(check->title));
    return check;
}

/* A stage could not do what it was told: the run is over. */
static void require(struct play *play, unsigned line, bool is_done)
{
    struct check *check;

    if (is_done || play->failed)
        return;
    play->failed = true;
    check = add_check(play, line);
    if (line == 0)
        snprintf(check->title, sizeof(check->title), "the run can go on");
    text_print(&check->witness, "%s\n", play->stage->explanation);
}

/* ---- Links. ---- */

static void set_link(struct play *play, unsigned line, unsigned from, unsigned to)
{
    bool passes = !play->is_cut[from][to] && play->part[from] == play->part[to];

    if (from != to)
        require(play, line,
                play->stage->ops->set_link(play->stage, from, to,
                                           passes ? &play->links[from][to] : NULL));
}

static bool has(uint64_t nodes, unsigned node)
{
    return (nodes >> node & 1) != 0;
}

/* Whether statement is about this direction. */
static bool is_about(const struct statement *statement, unsigned from, unsigned to)
{
    return (has(statement->nodes, from) && has(statement->others, to)) ||
           (statement->is_both_ways && has(statement->nodes, to) && has(statement->others, from));
}

static void change_links(struct play *play, const struct statement *statement)
{
    unsigned count = play->script->node_count;
    struct script_link link;

    for (unsigned i = 0; i < count && statement->kind == STATEMENT_PARTITION; i++) {
        for (size_t j = 0; j < statement->part_count; j++)
            if (has(statement->parts[j], i))
                play->part[i] = (unsigned)j + 1;
    }
    if (statement->kind == STATEMENT_HEAL && !statement->has_arrow)
        memset(play->part, 0, sizeof(play->part));
    for (unsigned i = 0; i < count; i++) {
        for (unsigned j = 0; j < count; j++) {
            bool before = !play->is_cut[i][j];

            link = play->links[i][j];
            if (is_about(statement, i, j)) {
                if (statement->kind == STATEMENT_CUT)
                    play->is_cut[i][j] = true;
                else if (statement->kind == STATEMENT_HEAL)
                    play->is_cut[i][j] = false;
                else if (statement->kind == STATEMENT_LINK)
                    play->links[i][j] = statement->link;
            }
            /* A link that is set begins anew, so others are left alone. */
            if (statement->kind == STATEMENT_PARTITION ||
                (statement->kind == STATEMENT_HEAL && !statement->has_arrow) ||
                before == play->is_cut[i][j] ||
                memcmp(&link, &play->links[i][j], sizeof(link)) != 0)
                set_link(play, statement->line, i, j);
        }
    }
}

/* ---- Nodes. ---- */

static void do_to_node(struct play *play, const struct statement *statement, unsigned node)
{
    struct stage *stage = play->stage;
    const struct stage_ops *ops = stage->ops;
    const struct journal_node *seen = &stage->journal->nodes[node];
    unsigned line = statement->line;
    bool is_done = true;

    switch (statement->kind) {
    case STATEMENT_KILL:
        is_done = !seen->is_up || ops->kill(stage, line, node);
        break;
    case STATEMENT_STOP:
        is_done = !seen->is_up || ops->stop(stage, line, node);
        break;
    case STATEMENT_START:
        is_done = seen->is_up || ops->start(stage, line, node);
        break;
    case STATEMENT_PAUSE:
        if (seen->is_up && !seen->is_paused) {
            is_done = ops->pause(stage, node);
            journal_paused(stage->journal, node, true);
        }
        break;
    case STATEMENT_RESUME:
        if (seen->is_up && seen->is_paused) {
            is_done = ops->resume(stage, node);
            journal_paused(stage->journal, node, false);
        }
        break;
    case STATEMENT_BACKUP:
    case STATEMENT_RESTORE:
    case STATEMENT_CLONE:
        if (seen->is_up && statement->is_all)
            return;
        if (seen->is_up) {
            snprintf(stage->explanation, sizeof(stage->explanation), "%s runs: stop it before",
                     play->script->nodes[node].name);
            is_done = false;
        } else if (statement->kind == STATEMENT_BACKUP) {
            is_done = ops->backup(stage, node);
            journal_backed_up(stage->journal, node);
        } else if (statement->kind == STATEMENT_CLONE) {
            is_done = ops->clone(stage, node, statement->copy);
        } else if (!statement->is_all || seen->has_backup) {
            is_done = ops->restore(stage, node, statement->is_machine);
            if (is_done)
                journal_restored(stage->journal, now(play), line, node);
        }
        break;
    case STATEMENT_SKEW:
        is_done = ops->skew(stage, node,
                            statement->is_negative ? -(int64_t)statement->time_ms
                                                   : (int64_t)statement->time_ms);
        break;
    case STATEMENT_DISK:
        is_done = ops->disk(stage, node, statement->disk,
                            statement->disk == DISK_SLOW ? statement->time_ms : statement->size);
        break;
    default:
        break;
    }
    require(play, line, is_done);
}

static void publish(struct play *play, const struct statement *statement, unsigned node)
{
    struct stage *stage = play->stage;
    uint64_t count = statement->kind == STATEMENT_LOAD ? 1 : statement->number;

    if (!stage->journal->nodes[node].is_up || stage->journal->nodes[node].is_paused)
        return; /* Of all, those that run. */
    for (uint64_t i = 0; i < count && !play->failed; i++) {
        size_t size = statement->size;
        char text[32];
        char *data;

        journal_asked(stage->journal, now(play), statement->line, node);
        if (statement->text) {
            require(play, statement->line, stage->ops->publish(stage, node, statement->text, size));
            continue;
        }
        snprintf(text, sizeof(text), "%" PRIu64, ++play->published);
        if (size == 0)
            size = strlen(text);
        data = room_new(size);
        memset(data, '.', size);
        memcpy(data, text, size < strlen(text) ? size : strlen(text));
        require(play, statement->line, stage->ops->publish(stage, node, data, size));
        free(data);
    }
}

/* Of a load's nodes the one whose turn it is, of those that run; else it is nobody's. */
static void publish_in_turn(struct play *play, const struct repeated *repeated)
{
    const struct statement *statement = &play->script->statements[repeated->index];
    unsigned count = play->script->node_count;
    unsigned wanted;
    unsigned able = 0;

    for (unsigned i = 0; i < count; i++)
        able += has(statement->nodes, i) && play->stage->journal->nodes[i].is_up &&
                !play->stage->journal->nodes[i].is_paused;
    if (able == 0)
        return;
    wanted = (unsigned)(repeated->count % able);
    for (unsigned i = 0; i < count; i++) {
        if (!has(statement->nodes, i) || !play->stage->journal->nodes[i].is_up ||
            play->stage->journal->nodes[i].is_paused)
            continue;
        if (wanted-- == 0) {
            publish(play, statement, i);
            return;
        }
    }
}

static void note(struct play *play, const struct statement *statement)
{
    char line[512];

    script_words(play->script, statement, line, sizeof(line));
    journal_done(play->stage->journal, now(play), statement->line, line);
}

/* A clone is a machine beside that of the node that it is of: its links are the same. */
static void link_clone(struct play *play, const struct statement *statement)
{
    unsigned copy = statement->copy;
    unsigned node = (unsigned)__builtin_ctzll(statement->nodes);

    play->part[copy] = play->part[node];
    for (unsigned i = 0; i < play->script->node_count; i++) {
        play->links[i][copy] = play->links[i][node];
        play->links[copy][i] = play->links[node][i];
        play->is_cut[i][copy] = play->is_cut[i][node];
        play->is_cut[copy][i] = play->is_cut[node][i];
    }
    play->links[node][copy] = play->links[copy][node] = (struct script_link){0};
    for (unsigned i = 0; i < play->script->node_count; i++) {
        set_link(play, statement->line, i, copy);
        set_link(play, statement->line, copy, i);
    }
}

static void perform(struct play *play, const struct statement *statement)
{
    switch (statement->kind) {
    case STATEMENT_NODES:
    case STATEMENT_PERIOD:
    case STATEMENT_LOAD:
    case STATEMENT_EXPECT:
    case STATEMENTS:
        return;
    case STATEMENT_LINK:
    case STATEMENT_PARTITION:
    case STATEMENT_CUT:
    case STATEMENT_HEAL:
        note(play, statement);
        change_links(play, statement);
        return;
    default:
        break;
    }
    note(play, statement);
    for (unsigned i = 0; i < play->script->node_count && !play->failed; i++) {
        if (!has(statement->nodes, i))
            continue;
        if (statement->kind == STATEMENT_PUBLISH)
            publish(play, statement, i);
        else
            do_to_node(play, statement, i);
    }
    if (statement->kind == STATEMENT_CLONE && !play->failed)
        link_clone(play, statement);
}

/* ---- Time. ---- */

static uint64_t next_due(const struct play *play, const struct repeated *repeated)
{
    const struct statement *statement = &play->script->statements[repeated->index];
    uint64_t due;

    if (statement->kind == STATEMENT_LOAD)
        due = repeated->began_ms + repeated->count * statement->time_ms / statement->number;
    else
        due = repeated->began_ms + repeated->count * statement->every_ms;
    return due <= repeated->until_ms ? due : UINT64_MAX;
}

static void do_due(struct play *play)
{
    for (size_t i = 0; i < play->repeated_count && !play->failed; i++) {
        struct repeated *repeated = &play->repeated[i];
        const struct statement *statement = &play->script->statements[repeated->index];

        while (next_due(play, repeated) <= now(play) && !play->failed) {
            if (statement->kind == STATEMENT_LOAD)
                publish_in_turn(play, repeated);
            else
                perform(play, statement);
            repeated->count++;
        }
    }
    if (now(play) >= play->sample_ms && !play->failed) {
        require(play, 0, play->stage->ops->read_clocks(play->stage));
        require(play, 0, play->stage->ops->count_traffic(play->stage));
        play->sample_ms = now(play) + SAMPLE_MS;
    }
}

static void pass(struct play *play, uint64_t until_ms)
{
    uint64_t due = play->sample_ms < until_ms ? play->sample_ms : until_ms;

    for (size_t i = 0; i < play->repeated_count; i++)
        if (next_due(play, &play->repeated[i]) < due)
            due = next_due(play, &play->repeated[i]);
    require(play, 0, play->stage->ops->advance(play->stage, due));
    if (!play->failed)
        do_due(play);
}

static void wait_until(struct play *play, uint64_t until_ms)
{
    while (now(play) < until_ms && !play->failed)
        pass(play, until_ms);
}

/* ---- Expectations. ---- */

static bool needs_clocks(const struct statement *statement)
{
    return statement->expectation == EXPECT_CONVERGED || statement->expectation == EXPECT_CLOCK;
}

static bool judge_now(struct play *play, const struct statement *statement, struct text *witness)
{
    if (needs_clocks(statement))
        require(play, statement->line, play->stage->ops->read_clocks(play->stage));
    return !play->failed && judge(play->stage->journal, play->script, statement, witness);
}

static void ask(struct play *play, size_t index)
{
    play->asked = (struct asked){.is_waiting = true,
                                 .index = index,
                                 .is_settling = true,
                                 .settle_ms = now(play) + ANSWER_MS};
}

static void add_judgement(struct play *play, bool passed, const struct text *witness)
{
    const struct statement *statement = &play->script->statements[play->asked.index];
    struct check *check = add_check(play, statement->line);
    char line[320];

    check->passed = passed;
    check->took_ms = now(play) - play->asked.began_ms;
    check->witness = *witness;
    snprintf(line, sizeof(line), "%s: %s", passed ? "ok" : "FAILED", check->title);
    journal_checked(play->stage->journal, now(play), statement->line, line,
                    !passed || check->took_ms > 0);
}

/* Judges where there is something new to judge. */
static void look(struct play *play)
{
    struct asked *asked = &play->asked;
    const struct statement *statement = &play->script->statements[asked->index];
    struct text witness = {0};
    bool passed;

    if (asked->is_settling && !play->failed && play->stage->ops->waiting(play->stage) > 0 &&
        now(play) < asked->settle_ms)
        return;
    if (asked->is_settling) {
        asked->is_settling = false;
        asked->began_ms = now(play);
        asked->end_ms = now(play) + (statement->is_within ? statement->within_ms : 0);
    } else if (!play->failed && play->stage->journal->version == asked->version &&
               now(play) < asked->end_ms) {
        return;
    }
    passed = judge_now(play, statement, &witness);
    if (!passed && now(play) < asked->end_ms && !play->failed) {
        text_clear(&witness);
        asked->version = play->stage->journal->version;
        return;
    }
    asked->is_waiting = false;
    if (play->failed)
        text_clear(&witness);
    else
        add_judgement(play, passed, &witness);
}

/* When it is to be looked at again, if nothing happens before. */
static uint64_t look_ms(const struct play *play)
{
    return play->asked.is_settling ? now(play) + LOOK_MS : play->asked.end_ms;
}

/* ---- All of it. ---- */

/* What is set before time passes holds before anybody starts. */
static bool is_early(const struct statement *statement)
{
    return !statement->is_at && statement->every_ms == 0 &&
           (statement->kind == STATEMENT_LINK || statement->kind == STATEMENT_PARTITION ||
            statement->kind == STATEMENT_CUT || statement->kind == STATEMENT_SKEW ||
            statement->kind == STATEMENT_NODES || statement->kind == STATEMENT_PERIOD ||
            (statement->kind == STATEMENT_DISK && statement->disk == DISK_SLOW));
}

static void repeat(struct play *play, size_t index)
{
    const struct statement *statement = &play->script->statements[index];

    play->repeated = room_for(play->repeated, &play->repeated_capacity, play->repeated_count + 1,
                              sizeof(*play->repeated));
    play->repeated[play->repeated_count++] = (struct repeated){
        .index = index,
        .began_ms = now(play),
        .until_ms = statement->until_ms + (statement->is_lasting ? now(play) : 0)};
    if (statement->kind == STATEMENT_LOAD)
        note(play, statement);
    do_due(play);
}

static void finish(struct play *play)
{
    struct stage *stage = play->stage;
    struct text witness = {0};
    struct check *check;
    char found[STAGE_WITNESS_MAX] = "";
    char title[sizeof(check->title)];
    bool passed;

    check = add_check(play, 0);
    snprintf(check->title, sizeof(check->title), "no node ended by itself");
    check->passed = judge_ends(stage->journal, play->script, &witness);
    check->witness = witness;
    if (!stage->ops->verdict(stage, title, sizeof(title), &passed, found, sizeof(found)))
        return;
    check = add_check(play, 0);
    snprintf(check->title, sizeof(check->title), "%s", title);
    check->passed = passed;
    if (!passed)
        text_add(&check->witness, found);
}

struct play *play_begin(const struct script *script, struct stage *stage,
                        struct outcome *ret_outcome)
{
    struct play *play = room_new(sizeof(*play));

    *ret_outcome = (struct outcome){0};
    *play = (struct play){.script = script, .stage = stage, .outcome = ret_outcome};
    return play;
}

void play_start(struct play *play)
{
    const struct script *script = play->script;

    if (play->has_started)
        return;
    play->has_started = true;
    for (unsigned i = 0; i < script->node_count; i++)
        if (!script->nodes[i].is_down && !script->nodes[i].is_copy)
            require(play, 0, play->stage->ops->start(play->stage, 0, i));
}

void play_statement(struct play *play, size_t index)
{
    const struct statement *statement = &play->script->statements[index];

    if (play->failed && statement->kind == STATEMENT_EXPECT)
        add_check(play, statement->line)->was_not_reached = true;
    else if (play->failed)
        return;
    else if (statement->every_ms > 0 || statement->kind == STATEMENT_LOAD)
        repeat(play, index);
    else if (statement->kind == STATEMENT_EXPECT)
        ask(play, index);
    else
        perform(play, statement);
}

bool play_is_waiting(struct play *play)
{
    if (play->asked.is_waiting)
        look(play);
    return play->asked.is_waiting;
}

void play_pass(struct play *play, uint64_t until_ms)
{
    if (play->asked.is_waiting && look_ms(play) < until_ms)
        until_ms = look_ms(play);
    pass(play, until_ms);
}

void play_give_up(struct play *play)
{
    play->asked.is_waiting = false;
}

const char *play_failure(const struct play *play)
{
    return play->failed ? play->stage->explanation : NULL;
}

unsigned play_part(const struct play *play, unsigned node)
{
    return play->part[node];
}

bool play_is_cut(const struct play *play, unsigned from, unsigned to)
{
    return play->is_cut[from][to];
}

const struct script_link *play_link(const struct play *play, unsigned from, unsigned to)
{
    return &play->links[from][to];
}

void play_end(struct play *play)
{
    struct outcome *outcome = play->outcome;

    if (!play->failed) {
        require(play, 0, play->stage->ops->read_clocks(play->stage));
        require(play, 0, play->stage->ops->count_traffic(play->stage));
    }
    finish(play);
    outcome->end_ms = now(play);
    outcome->passed = outcome_failure(outcome) == NULL;
    free(play->repeated);
    free(play);
}

void play(const struct script *script, struct stage *stage, struct outcome *ret_outcome)
{
    struct play *play = play_begin(script, stage, ret_outcome);

    for (size_t i = 0; i < script->count; i++) {
        const struct statement *statement = &script->statements[i];

        if (statement->is_dropped)
            continue;
        if (!is_early(statement))
            play_start(play);
        if (statement->is_at)
            wait_until(play,
                       statement->is_relative ? now(play) + statement->at_ms : statement->at_ms);
        play_statement(play, i);
        while (play_is_waiting(play))
            play_pass(play, UINT64_MAX);
    }
    play_start(play);
    for (size_t i = 0; i < play->repeated_count; i++)
        wait_until(play, play->repeated[i].until_ms);
    play_end(play);
}

const struct check *outcome_failure(const struct outcome *outcome)
{
    for (size_t i = 0; i < outcome->count; i++)
        if (!outcome->checks[i].passed && !outcome->checks[i].was_not_reached)
            return &outcome->checks[i];
    return NULL;
}

void outcome_clear(struct outcome *outcome)
{
    for (size_t i = 0; i < outcome->count; i++)
        text_clear(&outcome->checks[i].witness);
    free(outcome->checks);
    *outcome = (struct outcome){0};
}
