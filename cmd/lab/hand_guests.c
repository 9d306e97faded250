/* Those who ask an experiment by hand for something. */
#include "cmd/lab/hand_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

void hand_drop_guest(struct hand *hand, unsigned number)
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

void hand_refuse(struct hand_answer *what, enum exit_code code, const char *text)
{
    what->code = code;
    text_print(&what->error, "gossip: lab: %s\n", text);
}

void hand_answer(struct hand *hand, unsigned number, struct hand_answer *what)
{
    add_log(hand, &what->error);
    hand_send_answer(hand->guests[number].socket, what); /* He may have gone. */
    text_clear(&what->out);
    text_clear(&what->error);
    hand_drop_guest(hand, number);
}

static void turn_away(int socket)
{
    struct hand_answer what = {0};

    hand_refuse(&what, EXIT_NO, "too many ask at once; try again");
    hand_send_answer(socket, &what); /* There is room for it in any socket. */
    text_clear(&what.error);
    close(socket);
}

static void take_guests(struct hand *hand)
{
    const struct timeval patience = {.tv_sec = HAND_SEND_MS / 1000};
    int socket;

    while ((socket = accept4(hand->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = socket};

        if (hand->guest_count == HAND_GUESTS_MAX) {
            turn_away(socket);
            continue;
        }
        /* One who does not read may not hold up the experiment. */
        if (setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
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

void hand_hear_guests(struct hand *hand)
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
        hand_drop_guest(hand, i);
    }
}
