/*
 * What an experiment by hand is asked for: one thing after the other, and each written down before
 * it is done. An expectation changes nothing, so it is written down when it is judged, and while it
 * is waited for others may look at the nodes or end it all.
 */
#include "cmd/lab/hand_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/lab/lines.h"
#include "cmd/lab/script_check.h"

/* ---- The script. ---- */

/* What was not to be is not there. */
static void take_from_file(const struct hand *hand)
{
    if (ftruncate(hand->file, hand->written) < 0)
        complain_of_system("cannot take the last line from", hand->path, "take it away yourself");
}

enum exit_code hand_write_script(struct hand *hand, size_t from)
{
    const char *text = hand->script->text + from;
    size_t size = hand->script->size - from;

    hand->written = lseek(hand->file, 0, SEEK_END);
    /* One write: what is there is whole lines, whenever this process is killed. */
    if (write(hand->file, text, size) == (ssize_t)size)
        return EXIT_OK;
    complain_of_system("cannot write", hand->path, "check the disk and try again");
    take_from_file(hand);
    return EXIT_INPUT_OUTPUT;
}

/* Adds words to the script, with the time that has passed since what was before. False, and an
 * error is there, where they do not fit. */
static bool add_words(struct hand *hand, const char *words, char ret_error[SCRIPT_ERROR_MAX])
{
    uint64_t now_ms = hand_now(hand);
    const struct stage_ops *ops = hand->stage->ops;
    struct text line = {0};
    bool is_added;

    text_print(&line, "at +%" PRIu64 "ms %s", now_ms - hand->last_ms, words);
    text_pad(&line, 56);
    text_print(&line, "# %" PRIu64 ".%03" PRIu64 " s", now_ms / 1000, now_ms % 1000);
    if (line.failed)
        abort(); /* No memory. */
    is_added = script_add(hand->script, line.data, ret_error);
    text_clear(&line);
    if (is_added && !script_check_place(hand->script, ops->name, ops->abilities, ret_error)) {
        script_take_back(hand->script);
        return false;
    }
    return is_added;
}

static const struct statement *last_statement(const struct hand *hand)
{
    return &hand->script->statements[hand->script->count - 1];
}

/* Carries out what was added last, and is in the file if it has to be. */
static void carry_out(struct hand *hand)
{
    play_statement(hand->play, hand->script->count - 1);
    if (!play_is_waiting(hand->play))
        hand->last_ms = hand_now(hand);
}

void hand_note_ends(struct hand *hand)
{
    const struct journal *journal = hand->stage->journal;
    char error[SCRIPT_ERROR_MAX];
    char words[SCRIPT_NAME_MAX + 64];

    for (unsigned i = 0; i < hand->script->node_count; i++) {
        bool is_new =
            hand->was_up[i] && !journal->nodes[i].is_up && journal->nodes[i].ended_by_itself;
        size_t size = hand->script->size;

        hand->was_up[i] = journal->nodes[i].is_up;
        if (!is_new)
            continue;
        snprintf(words, sizeof(words), "kill %s", hand->script->nodes[i].name);
        /* The process is gone, whether it can be written down or not. */
        if (!add_words(hand, words, error))
            complain("lab: the end of %s cannot be written down: %s", hand->script->nodes[i].name,
                     error);
        else if (hand_write_script(hand, size) == EXIT_OK)
            carry_out(hand);
        else
            script_take_back(hand->script);
    }
}

/* ---- What they ask for. ---- */

/* Nothing can be done with nodes any more. */
static void tell_failure(const struct hand *hand, struct hand_answer *what)
{
    char text[STAGE_EXPLANATION_MAX + 128];

    snprintf(text, sizeof(text), "the experiment cannot go on: %s; `gossip lab down` ends it",
             play_failure(hand->play));
    hand_refuse(what, EXIT_NO, text);
}

/* A copy is a node that was not there when the nodes were made. */
static bool make_room(struct hand *hand, char ret_error[SCRIPT_ERROR_MAX])
{
    struct stage *stage = hand->stage;

    if (last_statement(hand)->kind != STATEMENT_CLONE)
        return true;
    if (!stage->ops->add) {
        snprintf(ret_error, SCRIPT_ERROR_MAX,
                 "a machine cannot be added on %s while nodes run; clone in a script",
                 stage->ops->name);
        return false;
    }
    if (!stage->ops->add(stage)) {
        snprintf(ret_error, SCRIPT_ERROR_MAX, "no machine can be added: %.600s",
                 stage->explanation);
        return false;
    }
    journal_add_node(stage->journal);
    return true;
}

static void tell_check(const struct hand *hand, const struct guest *guest, struct hand_answer *what)
{
    const struct check *check = &hand->run.outcome.checks[hand->run.outcome.count - 1];

    if (guest->is_json)
        lines_check(check, &what->out);
    else
        report_print_check(check, &what->out);
    what->code = check->passed ? EXIT_OK : EXIT_NO;
}

static void tell_done(const struct hand *hand, const struct guest *guest, uint64_t time_ms,
                      struct hand_answer *what)
{
    const struct statement *statement = last_statement(hand);
    char words[SCRIPT_LINE_MAX + 1];

    script_words(hand->script, statement, words, sizeof(words));
    if (guest->is_json) {
        text_print(&what->out, "{\"time_ms\":%" PRIu64 ",\"line\":%u,\"text\":\"", time_ms,
                   statement->line);
        text_add_json(&what->out, words, strlen(words), SIZE_MAX);
        text_add(&what->out, "\"}\n");
        return;
    }
    text_print(&what->out, "%" PRIu64 ".%03" PRIu64 " s  ", time_ms / 1000, time_ms % 1000);
    text_add_escaped(&what->out, words, strlen(words), TEXT_ESCAPE_SCRIPT);
    text_add(&what->out, "\n");
}

/* A statement. Whether it is answered: an expectation may have to be waited for. */
static bool do_statement(struct hand *hand, const struct guest *guest, struct hand_answer *what)
{
    char error[SCRIPT_ERROR_MAX] = "";
    size_t size = hand->script->size;
    uint64_t time_ms = hand_now(hand);
    bool is_expectation;

    if (play_failure(hand->play)) {
        tell_failure(hand, what);
        return true;
    }
    if (!add_words(hand, guest->line, error)) {
        hand_refuse(what, EXIT_USAGE, error);
        return true;
    }
    is_expectation = last_statement(hand)->kind == STATEMENT_EXPECT;
    if (!is_expectation)
        what->code = hand_write_script(hand, size);
    if (what->code != EXIT_OK) {
        script_take_back(hand->script);
        return true;
    }
    if (!make_room(hand, error)) {
        take_from_file(hand);
        script_take_back(hand->script);
        hand_refuse(what, EXIT_NO, error);
        return true;
    }
    carry_out(hand);
    if (is_expectation) {
        hand->waiting = guest->socket;
        return false;
    }
    if (play_failure(hand->play))
        tell_failure(hand, what);
    else
        tell_done(hand, guest, time_ms, what);
    return true;
}

void hand_look(struct hand *hand)
{
    struct hand_answer what = {0};
    unsigned number = 0;

    if (hand->waiting < 0 || play_is_waiting(hand->play))
        return;
    while (hand->guests[number].socket != hand->waiting)
        number++;
    hand->waiting = -1;
    hand->last_ms = hand_now(hand);
    if (play_failure(hand->play)) {
        tell_failure(hand, &what);
    } else {
        unsigned lines = last_statement(hand)->line;
        const char *at = hand->script->text;

        while (--lines > 0)
            at = strchr(at, '\n') + 1;
        hand_write_script(hand, (size_t)(at - hand->script->text));
        tell_check(hand, &hand->guests[number], &what);
    }
    hand_answer(hand, number, &what);
}

void hand_tell_status(struct hand *hand, bool is_json, struct text *ret_text)
{
    char words[SCRIPT_LINE_MAX + 1] = "";
    struct hand_view view = {.script = hand->script,
                             .stage = hand->stage,
                             .play = hand->play,
                             .path = hand->path,
                             .waiting = hand->waiting >= 0 ? words : NULL};

    if (hand->waiting >= 0)
        script_words(hand->script, last_statement(hand), words, sizeof(words));
    if (is_json)
        hand_print_status_json(&view, ret_text);
    else
        hand_print_status(&view, ret_text);
}

static void do_status(struct hand *hand, const struct guest *guest, struct hand_answer *what)
{
    if (play_failure(hand->play) || !hand->stage->ops->read_clocks(hand->stage))
        hand_refuse(what, EXIT_NO, hand->stage->explanation);
    hand_tell_status(hand, guest->is_json, &what->out);
}

/* What holds always is expected of every experiment; and so it lasts as long when it is played
 * again. */
static void judge_all(struct hand *hand)
{
    static const char *const words[] = {"expect causal", "expect no-duplicates",
                                        "expect monotonic"};

    hand->stage->wake = -1; /* Who asks now has to wait for the end. */
    if (hand->waiting >= 0) {
        play_give_up(hand->play);
        script_take_back(hand->script);
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && !play_failure(hand->play); i++) {
        char error[SCRIPT_ERROR_MAX];
        size_t size = hand->script->size;

        if (!add_words(hand, words[i], error)) {
            complain("lab: cannot write down `%s`: %s", words[i], error);
            return;
        }
        hand_write_script(hand, size);
        carry_out(hand);
        while (play_is_waiting(hand->play))
            play_pass(hand->play, UINT64_MAX);
        hand->last_ms = hand_now(hand);
    }
}

/* Ends all, and writes and shows the results. False where a signal was faster. */
static bool do_down(struct hand *hand, const struct guest *guest, struct hand_answer *what)
{
    struct run *run = &hand->run;
    struct stage *stage = hand->stage;

    judge_all(hand);
    play_end(hand->play);
    hand->play = NULL;
    hand->stage = NULL;
    if (stage->signal != 0) {
        stage->ops->close(stage);
        return false;
    }
    run_close(hand->wish, hand->script, 0, stage, run);
    what->code = run_write_files(hand->wish, hand->script, run, &hand->results);
    if (what->code == EXIT_OK)
        what->code = results_point(&hand->results);
    if (what->code == EXIT_OK && !run->outcome.passed)
        what->code = EXIT_NO;
    if (guest->is_json)
        lines_verdict(&run->report, &what->out);
    else
        report_print(&run->report, &what->out);
    return true;
}

void hand_do_asked(struct hand *hand)
{
    for (unsigned i = 0; i < hand->guest_count && !hand->is_over;) {
        const struct guest *guest = &hand->guests[i];
        struct hand_answer what = {0};
        unsigned before = hand->guest_count;

        if (guest->line && strcmp(guest->line, "down") == 0) {
            bool is_done = do_down(hand, guest, &what);

            hand->is_over = true;
            hand_home_leave(hand->home);
            if (is_done)
                hand_answer(hand, i, &what);
            return;
        }
        if (guest->line && strcmp(guest->line, "status") == 0) {
            do_status(hand, guest, &what);
            hand_answer(hand, i, &what);
        } else if (guest->line && hand->waiting < 0 && do_statement(hand, guest, &what)) {
            hand_answer(hand, i, &what);
        }
        i += hand->guest_count == before;
    }
}
