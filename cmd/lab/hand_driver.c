/* Who owns the nodes of an experiment by hand: it waits for nodes and for who asks at the same
 * time. */
#include "cmd/lab/hand_state.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/lab/judge.h"
#include "cmd/lab/room.h"

enum {
    LOOK_MS = 1000,
    REST_MS = 200, /* Between looks where nodes cannot be spoken with any more. */
};

uint64_t hand_now(const struct hand *hand)
{
    return hand->stage->ops->now_ms(hand->stage);
}

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
        hand_hear_guests(hand);
        hand_look(hand);
        if (hand->waiting < 0 && !play_failure(hand->play))
            hand_note_ends(hand);
        hand_do_asked(hand);
        if (hand->is_over)
            return;
        hand_look(hand);
        if (!play_failure(hand->play))
            play_pass(hand->play, hand_now(hand) + LOOK_MS);
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
    if (hand_write_script(hand, 0) != EXIT_OK ||
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
    hand->last_ms = hand_now(hand);
    for (unsigned i = 0; i < hand->script->node_count; i++)
        hand->was_up[i] = hand->stage->journal->nodes[i].is_up;
    return is_up;
}

/* A command that can be typed, and what it is for. */
static void add_command(struct text *text, const char *words, const char *option, const char *what)
{
    size_t start = text->size;

    text_print(text, "  gossip lab %s%s", words, option);
    if (*what) {
        text_pad(text, start + 38);
        text_add(text, what);
    }
    text_add(text, "\n");
}

static void add_next(const struct hand *hand, struct text *text)
{
    const char *first = hand->script->nodes[0].name;
    const char *last = hand->script->nodes[hand->script->node_count - 1].name;
    struct stage_node place = {.directory = ""};
    char words[128];
    char option[512] = "";

    if (strcmp(hand->wish->out, HAND_OUT) != 0) {
        snprintf(option, sizeof(option), " --out ");
        run_quote(hand->wish->out, option + strlen(option), sizeof(option) - strlen(option));
    }
    text_add(text, "\nWhat can be done now, for example:\n");
    snprintf(words, sizeof(words), "publish %s '\"hello\"'", first);
    add_command(text, words, option, "");
    snprintf(words, sizeof(words), "'partition %s | *'", first);
    if (hand->script->node_count > 1)
        add_command(text, words, option, "");
    snprintf(words, sizeof(words), "kill %s", last);
    add_command(text, words, option, "");
    snprintf(words, sizeof(words), "start %s", last);
    add_command(text, words, option, "");
    add_command(text, "heal", option, "");
    add_command(text, "wait", option, "until all have the same clock");
    add_command(text, "status", option, "how it stands");
    add_command(text, "down", option, "the end, and what came of it");
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
    char byte;

    hand_tell_status(hand, hand->wish->is_json, &what.out);
    if (!hand->wish->is_json)
        add_next(hand, &what.out);
    /* It says that it has heard, with a byte; or is gone. */
    is_told = dup2(hand->log, STDERR_FILENO) >= 0 && hand_send_answer(socket, &what) &&
              shutdown(socket, SHUT_WR) == 0 && recv(socket, &byte, 1, 0) == 1;
    close(socket);
    text_clear(&what.out);
    return is_told;
}

static void clear(struct hand *hand, bool is_ready)
{
    while (hand->guest_count > 0)
        hand_drop_guest(hand, 0);
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
