/*
 * Who owns the nodes of an experiment by hand: it waits for nodes and for who asks at the same
 * time, does one thing after the other, and writes each down before it does it. An expectation
 * changes nothing, so it is written down when it is judged, and while it is waited for others may
 * look at the nodes or end it all.
 */
#include "cmd/lab/hand_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "cmd/lab/judge.h"
#include "cmd/lab/lines.h"
#include "cmd/lab/room.h"
#include "cmd/lab/script_check.h"

enum {
    LOOK_MS = 1000,
    REST_MS = 200, /* Between looks where nodes cannot be spoken with any more. */
};

/* Somebody who asks. */
struct guest {
    int socket;
    struct text input;
    char *line; /* What he asks for, once it has come; in input. */
    bool is_json;
};

struct hand {
    const struct run_wish *wish;
    struct script *script;
    struct hand_home *home;
    struct run run;
    struct stage *stage;
    struct play *play;
    struct results results;
    char *path; /* Of the script, */
    int file;   /* which is written there. */
    int log;
    off_t told; /* So much of the log. */
    int listener;
    int epoll;
    struct guest guests[HAND_GUESTS_MAX]; /* In the order in which they came. */
    unsigned guest_count;
    int waiting;      /* The socket of the guest whose expectation is waited for; -1: none is. */
    size_t first;     /* Statement that was typed: so many were there before. */
    uint64_t last_ms; /* When the last one had been carried out. */
    bool was_up[SCRIPT_NODES_MAX];
    bool is_over;
};

static uint64_t now(const struct hand *hand)
{
    return hand->stage->ops->now_ms(hand->stage);
}

/* ---- The script. ---- */

static enum exit_code write_script(struct hand *hand, size_t from)
{
    const char *text = hand->script->text + from;
    size_t size = hand->script->size - from;

    /* One write: what is there is whole lines, whenever this process is killed. */
    if (write(hand->file, text, size) == (ssize_t)size)
        return EXIT_OK;
    return complain_of_system("cannot write", hand->path, "check the disk and try again");
}

/* Adds words to the script, with the time that has passed since what was before. False, and an
 * error is there, where they do not fit. */
static bool add_words(struct hand *hand, const char *words, char ret_error[SCRIPT_ERROR_MAX])
{
    uint64_t now_ms = now(hand);
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
        hand->last_ms = now(hand);
}

/* A node that has ended though nobody said so, here, was killed by other hands. So it is in the
 * script. */
static void note_ends(struct hand *hand)
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
        else if (write_script(hand, size) == EXIT_OK)
            carry_out(hand);
    }
}

/* ---- Guests. ---- */

static void drop_guest(struct hand *hand, unsigned number)
{
    struct guest *guest = &hand->guests[number];

    close(guest->socket);
    text_clear(&guest->input);
    hand->guest_count--;
    memmove(guest, guest + 1, (hand->guest_count - number) * sizeof(*guest));
}

/* What was complained of since it was told last. */
static void add_log(struct hand *hand, struct text *text)
{
    char block[4096];
    ssize_t count;

    while ((count = pread(hand->log, block, sizeof(block), hand->told)) > 0) {
        text_add_bytes(text, block, (size_t)count);
        hand->told += count;
    }
}

/* Answers, and says goodbye. */
static void answer(struct hand *hand, unsigned number, struct hand_answer *what)
{
    add_log(hand, &what->error);
    hand_send_answer(hand->guests[number].socket, what); /* He may have gone. */
    text_clear(&what->out);
    text_clear(&what->error);
    drop_guest(hand, number);
}

static void take_guests(struct hand *hand)
{
    const struct timeval patience = {.tv_sec = HAND_SEND_MS / 1000};
    int socket;

    while ((socket = accept4(hand->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = socket};

        /* One who does not read may not hold up the experiment. */
        if (hand->guest_count == HAND_GUESTS_MAX ||
            setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
            epoll_ctl(hand->epoll, EPOLL_CTL_ADD, socket, &event) < 0) {
            close(socket);
            continue;
        }
        hand->guests[hand->guest_count++] = (struct guest){.socket = socket};
    }
}

/* Reads what a guest says; false where he has gone. */
static bool hear(struct guest *guest)
{
    char block[4096];
    ssize_t count;

    while ((count = recv(guest->socket, block, sizeof(block), MSG_DONTWAIT)) > 0) {
        if (!guest->line && guest->input.size <= HAND_LINE_MAX)
            text_add_bytes(&guest->input, block, (size_t)count);
    }
    if (count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        return false;
    if (!guest->line && guest->input.size > HAND_LINE_MAX)
        return false; /* None of ours. */
    if (guest->input.failed)
        abort(); /* No memory. */
    if (!guest->line && guest->input.size > 2 && strchr(guest->input.data, '\n')) {
        guest->is_json = guest->input.data[0] == '1';
        guest->line = guest->input.data + 2;
        guest->line[strcspn(guest->line, "\n")] = '\0';
    }
    return true;
}

static void hear_guests(struct hand *hand)
{
    take_guests(hand);
    for (unsigned i = 0; i < hand->guest_count;) {
        if (hear(&hand->guests[i])) {
            i++;
            continue;
        }
        if (hand->guests[i].socket == hand->waiting) {
            /* Nobody waits for it any more. */
            play_give_up(hand->play);
            script_take_back(hand->script);
            hand->waiting = -1;
        }
        drop_guest(hand, i);
    }
}

/* ---- What they ask for. ---- */

static void fail_answer(struct hand_answer *what, enum exit_code code, const char *text)
{
    what->code = code;
    text_print(&what->error, "gossip: lab: %s\n", text);
}

/* Nothing can be done with nodes any more. */
static void tell_failure(const struct hand *hand, struct hand_answer *what)
{
    char text[STAGE_EXPLANATION_MAX + 128];

    snprintf(text, sizeof(text), "the experiment cannot go on: %s; `gossip lab down` ends it",
             play_failure(hand->play));
    fail_answer(what, EXIT_NO, text);
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
    text_add_escaped(&what->out, words, strlen(words), TEXT_ESCAPE_TERMINAL);
    text_add(&what->out, "\n");
}

/* A statement. Whether it is answered: an expectation may have to be waited for. */
static bool do_statement(struct hand *hand, const struct guest *guest, struct hand_answer *what)
{
    char error[SCRIPT_ERROR_MAX] = "";
    size_t size = hand->script->size;
    uint64_t time_ms = now(hand);
    bool is_expectation;

    if (play_failure(hand->play)) {
        tell_failure(hand, what);
        return true;
    }
    if (!add_words(hand, guest->line, error)) {
        fail_answer(what, EXIT_USAGE, error);
        return true;
    }
    is_expectation = last_statement(hand)->kind == STATEMENT_EXPECT;
    if (!make_room(hand, error)) {
        script_take_back(hand->script);
        fail_answer(what, EXIT_NO, error);
        return true;
    }
    if (!is_expectation) {
        what->code = write_script(hand, size);
        if (what->code != EXIT_OK) {
            script_take_back(hand->script);
            return true;
        }
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

/* What was waited for is judged, perhaps. */
static void look(struct hand *hand)
{
    struct hand_answer what = {0};
    unsigned number = 0;

    if (hand->waiting < 0 || play_is_waiting(hand->play))
        return;
    while (hand->guests[number].socket != hand->waiting)
        number++;
    hand->waiting = -1;
    hand->last_ms = now(hand);
    if (play_failure(hand->play)) {
        tell_failure(hand, &what);
    } else {
        unsigned lines = last_statement(hand)->line;
        const char *at = hand->script->text;

        while (--lines > 0)
            at = strchr(at, '\n') + 1;
        write_script(hand, (size_t)(at - hand->script->text));
        tell_check(hand, &hand->guests[number], &what);
    }
    answer(hand, number, &what);
}

static void tell_status(struct hand *hand, bool is_json, struct text *ret_text)
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
        fail_answer(what, EXIT_NO, hand->stage->explanation);
    tell_status(hand, guest->is_json, &what->out);
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
        write_script(hand, size);
        carry_out(hand);
        while (play_is_waiting(hand->play))
            play_pass(hand->play, UINT64_MAX);
        hand->last_ms = now(hand);
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

/* Does what is asked for, as far as it can be done now. Whoever asks for the end is the last. */
static void do_asked(struct hand *hand)
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
                answer(hand, i, &what);
            return;
        }
        if (guest->line && strcmp(guest->line, "status") == 0) {
            do_status(hand, guest, &what);
            answer(hand, i, &what);
        } else if (guest->line && hand->waiting < 0 && do_statement(hand, guest, &what)) {
            answer(hand, i, &what);
        }
        i += hand->guest_count == before;
    }
}

/* ---- All of it. ---- */

/* Whether a signal to end waits, where the stage does not look any more. */
static bool is_told_to_end(void)
{
    sigset_t waiting;

    return sigpending(&waiting) == 0 &&
           (sigismember(&waiting, SIGTERM) == 1 || sigismember(&waiting, SIGINT) == 1 ||
            sigismember(&waiting, SIGHUP) == 1);
}

static void serve(struct hand *hand)
{
    while (!hand->is_over && hand->stage->signal == 0) {
        hear_guests(hand);
        look(hand);
        if (hand->waiting < 0 && !play_failure(hand->play))
            note_ends(hand);
        do_asked(hand);
        if (hand->is_over)
            return;
        look(hand);
        if (!play_failure(hand->play))
            play_pass(hand->play, now(hand) + LOOK_MS);
        else if (is_told_to_end())
            return;
        else
            poll(&(struct pollfd){.fd = hand->epoll, .events = POLLIN}, 1, REST_MS);
    }
}

static bool make_files(struct hand *hand)
{
    struct epoll_event event = {.events = EPOLLIN};
    int directory = hand->home->directory.descriptor;

    if (results_make(hand->wish->out, "hand", &hand->results) != EXIT_OK)
        return false;
    if (asprintf(&hand->path, "%s/script.lab", hand->results.directory) < 0)
        abort(); /* No memory. */
    hand->file = open(hand->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (hand->file < 0) {
        complain_of_system("cannot make", hand->path, "name another place with --out");
        return false;
    }
    hand->log = openat(directory, HAND_LOG, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (hand->log < 0) {
        complain_of_system("cannot make " HAND_LOG " in", hand->wish->out,
                           "name another place with --out");
        return false;
    }
    if (write_script(hand, 0) != EXIT_OK ||
        hand_home_sign(hand->home, getpid(), hand->path) != EXIT_OK ||
        hand_home_listen(hand->home, &hand->listener) != EXIT_OK)
        return false;
    hand->epoll = epoll_create1(EPOLL_CLOEXEC);
    event.data.fd = hand->listener;
    if (hand->epoll < 0 || epoll_ctl(hand->epoll, EPOLL_CTL_ADD, hand->listener, &event) < 0) {
        complain_of_system("cannot wait for", "who asks", "close something and try again");
        return false;
    }
    hand->stage->wake = hand->epoll;
    return true;
}

/* Has the nodes up; false, after a complaint, where they are not. */
static bool start(struct hand *hand)
{
    struct text witness = {0};
    bool is_up;

    hand->play = play_begin(hand->script, hand->stage, &hand->run.outcome);
    play_start(hand->play);
    if (hand->stage->signal != 0)
        return false;
    is_up = !play_failure(hand->play) && judge_ends(hand->stage->journal, hand->script, &witness);
    if (!is_up)
        complain("lab: the nodes cannot be had up: %s", play_failure(hand->play)
                                                            ? play_failure(hand->play)
                                                            : (witness.data ? witness.data : ""));
    text_clear(&witness);
    hand->last_ms = now(hand);
    for (unsigned i = 0; i < hand->script->node_count; i++)
        hand->was_up[i] = hand->stage->journal->nodes[i].is_up;
    return is_up;
}

static void add_next(const struct hand *hand, struct text *text)
{
    const struct script_node *nodes = hand->script->nodes;
    struct stage_node place = {.directory = ""};
    char option[512] = "";

    if (strcmp(hand->wish->out, HAND_OUT) != 0) {
        snprintf(option, sizeof(option), " --out ");
        run_quote(hand->wish->out, option + strlen(option), sizeof(option) - strlen(option));
    }
    text_print(text, "\nWhat can be done now, for example:\n");
    text_print(text, "  gossip lab publish %s '\"hello\"'%s\n", nodes[0].name, option);
    if (hand->script->node_count > 1) {
        text_print(text, "  gossip lab 'partition %s | *'%s\n", nodes[0].name, option);
        text_print(text, "  gossip lab heal%s\n", option);
    }
    text_print(text, "  gossip lab kill %s%s\n", nodes[hand->script->node_count - 1].name, option);
    text_print(text, "  gossip lab start %s%s\n", nodes[hand->script->node_count - 1].name, option);
    text_print(text, "  gossip lab wait%-16s%s  until all have the same clock\n", "", option);
    text_print(text, "  gossip lab status%-14s%s  how it stands\n", "", option);
    text_print(text, "  gossip lab down%-16s%s  the end, and what came of it\n", "", option);
    if (hand->stage->ops->locate) {
        hand->stage->ops->locate(hand->stage, 0, &place);
        text_print(text, "  gossip log --dir %s\n", place.directory);
    }
}

/* Tells that they are up; from then on nobody is there to be told. */
static bool tell_ready(struct hand *hand, int socket)
{
    struct hand_answer what = {0};
    bool is_told;

    tell_status(hand, hand->wish->is_json, &what.out);
    if (!hand->wish->is_json)
        add_next(hand, &what.out);
    is_told = dup2(hand->log, STDERR_FILENO) >= 0 && hand_send_answer(socket, &what);
    close(socket);
    text_clear(&what.out);
    return is_told;
}

static void clear(struct hand *hand, bool is_ready)
{
    while (hand->guest_count > 0)
        drop_guest(hand, 0);
    if (hand->play)
        play_end(hand->play);
    if (hand->stage)
        hand->stage->ops->close(hand->stage);
    if (!hand->is_over)
        hand_home_leave(hand->home);
    /* Where nothing was done, there is nothing to keep. */
    if (hand->results.directory &&
        (!is_ready || (!hand->is_over && hand->script->count == hand->first)))
        results_finish(&hand->results, EXIT_NO);
    if (hand->file >= 0)
        close(hand->file);
    if (hand->log >= 0)
        close(hand->log);
    if (hand->listener >= 0)
        close(hand->listener);
    if (hand->epoll >= 0)
        close(hand->epoll);
    free(hand->path);
    results_clear(&hand->results);
    run_clear(&hand->run);
}

enum exit_code hand_drive(const struct run_wish *wish, struct script *script,
                          struct hand_home *home, int socket)
{
    struct hand *hand = room_new(sizeof(*hand));
    struct run_wish again = *wish;
    bool is_ready = false;

    *hand = (struct hand){.wish = &again,
                          .script = script,
                          .home = home,
                          .first = script->count,
                          .file = -1,
                          .log = -1,
                          .listener = -1,
                          .epoll = -1,
                          .waiting = -1};
    run_open(&hand->run, script);
    hand->stage = wish->place->open(script, 0, &hand->run.journal);
    if (hand->stage && start(hand) && make_files(hand)) {
        again.name = hand->path;
        is_ready = tell_ready(hand, socket);
    }
    if (is_ready)
        serve(hand);
    clear(hand, is_ready);
    free(hand);
    return is_ready ? EXIT_OK : EXIT_NO;
}
