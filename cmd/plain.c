#include "cmd/plain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/colour.h"

enum {
    TIME_WIDTH = 24,      /* 2026-01-02T03:04:05.678Z */
    CLOCK_WIDTH_MAX = 40, /* Past this, lines are better ragged than wide. */
    KEY_DIGITS = 8,       /* Bytes of a long number that are shown to tell it from others. */
};

static void add_dot(const struct names *names, struct gossip_dot dot, struct text *ret_text)
{
    text_print(ret_text, "%s:%" PRIu64, names_get(names, dot.author), dot.seq);
}

void plain_clock(const struct names *names, const struct gossip_vclock *clock,
                 struct text *ret_text)
{
    char *text;

    /* The names are only read. */
    if (gossip_vclock_to_text(clock, names_write, (void *)(uintptr_t)names, &text) < 0) {
        ret_text->failed = true;
        return;
    }
    text_add(ret_text, text);
    free(text);
}

void plain_columns(const struct view *view, struct plain_columns *ret_columns)
{
    const struct gossip_vclock *clock = gossip_clock(view->gossip);
    struct text text = {0};
    size_t widest = 0;

    ret_columns->colour = view->colour;
    for (size_t i = 0; i < clock->count; i++) {
        text.size = 0;
        add_dot(view->names, (struct gossip_dot){clock->authors[i], clock->counters[i]}, &text);
        widest = text.size > widest ? text.size : widest;
    }
    ret_columns->clock = TIME_WIDTH + 2 + widest + 2;
    text.size = 0;
    plain_clock(view->names, clock, &text);
    ret_columns->data =
        ret_columns->clock + (text.size < CLOCK_WIDTH_MAX ? text.size : CLOCK_WIDTH_MAX) + 2;
    text_clear(&text);
}

void plain_event(const struct names *names, const struct gossip_event *event,
                 const struct plain_columns *columns, struct text *ret_text)
{
    size_t start = ret_text->size;
    const char *kind = view_event_kind(event->kind);

    text_add_time(ret_text, event->time_ms);
    text_add(ret_text, "  ");
    add_dot(names, event->dot, ret_text);
    text_pad(ret_text, start + columns->clock);
    plain_clock(names, event->clock, ret_text);
    text_pad(ret_text, start + columns->data);
    if (event->contested) {
        colour_add(ret_text, columns->colour, COLOUR_BAD, "<contested>", 0);
        text_add(ret_text, " ");
    }
    if (event->kind != GOSSIP_EVENT_APPLICATION) {
        if (kind)
            text_print(ret_text, "<%s>", kind);
        else
            text_print(ret_text, "<kind %" PRIu64 ", of a later version>", event->kind);
        if (event->size > 0)
            text_add(ret_text, " ");
    } else if (!event->data) {
        text_add(ret_text, "<no readable payload>");
    }
    text_add_escaped(ret_text, event->data, event->size, TEXT_ESCAPE_TERMINAL);
    text_add(ret_text, "\n");
}

static enum colour relation_colour(enum gossip_relation relation)
{
    switch (relation) {
    case GOSSIP_CONTESTED:
        return COLOUR_BAD;
    case GOSSIP_PRUNED:
        return COLOUR_UNSURE;
    default:
        return COLOUR_HEADING;
    }
}

void plain_relation(const struct view *view, const struct relation_view *relation,
                    struct text *ret_text)
{
    struct text a = {0};
    struct text b = {0};

    add_dot(view->names, relation->a, &a);
    add_dot(view->names, relation->b, &b);
    if (a.failed || b.failed) {
        ret_text->failed = true;
    } else {
        text_print(ret_text, "%s ", a.data);
        colour_add(ret_text, view->colour, relation_colour(relation->relation),
                   gossip_relation_name(relation->relation), 0);
        text_print(ret_text, " %s: ", b.data);
        switch (relation->relation) {
        case GOSSIP_EQUAL:
            text_add(ret_text, "they are the same event");
            break;
        case GOSSIP_BEFORE:
        case GOSSIP_AFTER: {
            bool before = relation->relation == GOSSIP_BEFORE;
            struct gossip_dot seen = {before ? relation->a.author : relation->b.author,
                                      relation->seen};

            if (relation->a.author == relation->b.author) {
                text_print(ret_text, "both are of one author, who wrote %s first",
                           before ? a.data : b.data);
                break;
            }
            text_print(ret_text, "when %s was written, its author had seen ",
                       before ? b.data : a.data);
            add_dot(view->names, seen, ret_text);
            break;
        }
        case GOSSIP_CONCURRENT:
            text_add(ret_text, "neither author had seen the other's event");
            break;
        case GOSSIP_PRUNED:
            text_add(ret_text, "one of them is no longer held here, so nobody here can tell");
            break;
        case GOSSIP_CONTESTED:
            text_add(ret_text, "one of them lies behind a cut and no longer counts");
            break;
        }
        text_add(ret_text, "\n");
    }
    text_clear(&a);
    text_clear(&b);
}

static void add_duration(struct text *text, uint64_t ms)
{
    if (ms == UINT64_MAX)
        text_add(text, "never");
    else if (ms < 120000)
        text_print(text, "%" PRIu64 ".%" PRIu64 " s ago", ms / 1000, ms % 1000 / 100);
    else if (ms < UINT64_C(2) * 3600 * 1000)
        text_print(text, "%" PRIu64 " min ago", ms / 60000);
    else
        text_print(text, "%" PRIu64 " h ago", ms / 3600000);
}

enum { PEER_COLUMNS = 8 };

/* One cell of a table of peers. */
struct cell {
    const char *word;
    enum colour colour;
};

static void add_row(const struct cell cells[PEER_COLUMNS], size_t name_width, bool colour,
                    struct text *ret_text)
{
    const size_t widths[PEER_COLUMNS] = {name_width, 16, 22, 9, 8, 7, 12, 0};

    for (int i = 0; i < PEER_COLUMNS; i++) {
        colour_add(ret_text, colour, cells[i].colour, cells[i].word, widths[i]);
        text_add(ret_text, i + 1 < PEER_COLUMNS ? "  " : "\n");
    }
}

static enum colour peer_colour(enum gossip_peer_state state)
{
    switch (state) {
    case GOSSIP_PEER_ALIVE:
        return COLOUR_GOOD;
    case GOSSIP_PEER_SILENT:
        return COLOUR_UNSURE;
    case GOSSIP_PEER_UNREACHED:
        break;
    }
    return COLOUR_NONE;
}

static void add_peer(const struct view *view, const struct gossip_peer *peer, size_t name_width,
                     struct text *ret_text)
{
    const char *standing = view_standing(view, peer->key);
    char address[GOSSIP_ADDRESS_TEXT_MAX] = "unknown";
    struct text key = {0};
    struct text heard = {0};
    struct text answered = {0};

    if (peer->address.port != 0)
        gossip_address_to_text(&peer->address, address);
    text_add_hex(&key, peer->key, KEY_DIGITS);
    add_duration(&heard, peer->heard_ms);
    text_print(&answered, "%" PRIu64 " of %" PRIu64, peer->answered, peer->exchanges);
    if (key.failed || heard.failed || answered.failed)
        ret_text->failed = true;
    else
        add_row((struct cell[]){{peer->name ? peer->name : "?", COLOUR_NONE},
                                {key.data, COLOUR_NONE},
                                {address, COLOUR_NONE},
                                {view_peer_state(peer->state), peer_colour(peer->state)},
                                {standing, strcmp(standing, "member") ? COLOUR_BAD : COLOUR_NONE},
                                {peer->in_step ? "yes" : "no", COLOUR_NONE},
                                {heard.data, COLOUR_NONE},
                                {answered.data, COLOUR_NONE}},
                name_width, view->colour, ret_text);
    text_clear(&key);
    text_clear(&heard);
    text_clear(&answered);
}

void plain_peers(const struct view *view, struct text *ret_text)
{
    static const struct cell headings[PEER_COLUMNS] = {
        {"NAME", COLOUR_HEADING},  {"KEY", COLOUR_HEADING},      {"ADDRESS", COLOUR_HEADING},
        {"STATE", COLOUR_HEADING}, {"STANDING", COLOUR_HEADING}, {"IN STEP", COLOUR_HEADING},
        {"HEARD", COLOUR_HEADING}, {"ANSWERED", COLOUR_HEADING},
    };
    size_t count = gossip_peer_count(view->gossip);
    size_t name_width = strlen("NAME");
    struct gossip_peer peer;

    if (count == 0) {
        text_add(ret_text, "no peers are known\n");
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (gossip_peer(view->gossip, i, &peer) == GOSSIP_OK && peer.name &&
            strlen(peer.name) > name_width)
            name_width = strlen(peer.name);
    add_row(headings, name_width, view->colour, ret_text);
    for (size_t i = 0; i < count; i++)
        if (gossip_peer(view->gossip, i, &peer) == GOSSIP_OK)
            add_peer(view, &peer, name_width, ret_text);
}

static void add_line(struct text *text, bool colour, const char *label, const uint8_t *data,
                     size_t size, const char *end)
{
    colour_add_label(text, colour, label);
    text_add_hex(text, data, size);
    text_print(text, "%s\n", end);
}

/* A number that is none of interest where it is 0. */
static void add_count(struct text *text, bool on, enum colour colour, uint64_t count)
{
    char number[24];

    snprintf(number, sizeof(number), "%" PRIu64, count);
    colour_add(text, on, count > 0 ? colour : COLOUR_NONE, number, 0);
}

void plain_proof(const struct view *view, const struct proof_view *shown, struct text *ret_text)
{
    const struct gossip_proof *proof = &shown->proof;
    bool colour = view && view->colour;
    struct text author = {0};

    if (view)
        view_add_author(view, proof->author, &author);
    else
        text_add_hex(&author, proof->author, GOSSIP_ID_SIZE);
    if (author.failed) {
        ret_text->failed = true;
        text_clear(&author);
        return;
    }
    add_line(ret_text, colour, "proof", shown->record.id, GOSSIP_HASH_SIZE, "");
    colour_add_label(ret_text, colour, "that");
    text_print(ret_text, "%s:%" PRIu64 " was written twice\n", author.data, proof->seq);
    add_line(ret_text, colour, "by key", proof->key, GOSSIP_KEY_SIZE, "");
    add_line(ret_text, colour, "in epoch", proof->epoch, GOSSIP_EPOCH_SIZE, "");
    for (int i = 0; i < 2; i++)
        add_line(ret_text, colour, i == 0 ? "once as" : "and as", proof->hashes[i],
                 GOSSIP_HASH_SIZE, view && shown->held == i ? ", held here" : "");
    colour_add_label(ret_text, colour, "so");
    text_print(ret_text, "from %s:%" PRIu64 " on its events do not count\n", author.data,
               proof->cut);
    if (view) {
        colour_add_label(ret_text, colour, "contested");
        add_count(ret_text, colour, COLOUR_BAD, shown->contested);
        text_add(ret_text,
                 " of them were delivered here before that was known (`gossip log --contested`)\n");
    }
    text_clear(&author);
}

static void add_held(const struct view *view, const struct gossip_stats *stats,
                     struct text *ret_text)
{
    struct gossip_held held[VIEW_HELD_MAX];
    size_t count;

    colour_add_label(ret_text, view->colour, "held back");
    add_count(ret_text, view->colour, COLOUR_UNSURE, stats->held_events);
    text_print(ret_text, " events, %" PRIu64 " bytes\n", stats->held_bytes);
    count = gossip_held(view->gossip, held, VIEW_HELD_MAX);
    for (size_t i = 0; i < count && i < VIEW_HELD_MAX; i++) {
        text_add(ret_text, "             ");
        add_dot(view->names, held[i].dot, ret_text);
        text_add(ret_text, " waits for ");
        view_add_author(view, held[i].waits_id, ret_text);
        text_print(ret_text, ":%" PRIu64 "\n", held[i].waits_seq);
    }
    if (count > VIEW_HELD_MAX)
        text_print(ret_text, "             and the next of %zu other authors\n",
                   count - VIEW_HELD_MAX);
}

/* Nothing where nobody is cut, which is the rule. */
static void add_cuts(const struct view *view, struct text *ret_text)
{
    const char *label = "cuts";
    struct gossip_author author;

    for (uint32_t i = 0; i < names_count(view->names); i++) {
        if (gossip_author(view->gossip, i, &author) < 0 || author.cut == 0)
            continue;
        colour_add_label(ret_text, view->colour, label);
        text_print(ret_text, "%s: nothing counts from %" PRIu64 " on, by %s; ",
                   names_get(view->names, i), author.cut,
                   author.is_forked ? "a fork" : "an eviction");
        add_count(ret_text, view->colour, COLOUR_BAD, author.contested);
        text_add(ret_text, " of its events here are contested\n");
        label = "";
    }
}

/* The epochs that this node's key has written in before, where there are any. */
static void add_epochs(const struct view *view, struct text *ret_text)
{
    const char *label = "before";
    struct gossip_author author;

    for (uint32_t i = 0; i < names_count(view->names); i++) {
        if (gossip_author(view->gossip, i, &author) < 0 || !author.is_own || author.is_self)
            continue;
        colour_add_label(ret_text, view->colour, label);
        text_print(ret_text, "%s, epoch ", names_get(view->names, i));
        text_add_hex(ret_text, author.epoch, GOSSIP_EPOCH_SIZE);
        text_print(ret_text, ", %" PRIu64 " events\n", author.have);
        label = "";
    }
}

static void add_peers(const struct view *view, struct text *ret_text)
{
    size_t count = gossip_peer_count(view->gossip);
    size_t alive = 0;
    size_t in_step = 0;

    for (size_t i = 0; i < count; i++) {
        struct gossip_peer peer;

        if (gossip_peer(view->gossip, i, &peer) < 0)
            continue;
        alive += peer.state == GOSSIP_PEER_ALIVE;
        in_step += peer.in_step;
    }
    colour_add_label(ret_text, view->colour, "peers");
    text_print(ret_text, "%zu known, %zu ", count, alive);
    colour_add(ret_text, view->colour,
               alive > 0   ? COLOUR_GOOD
               : count > 0 ? COLOUR_UNSURE
                           : COLOUR_NONE,
               "alive", 0);
    text_print(ret_text, ", %zu in step\n", in_step);
}

static void add_datagrams(const struct view *view, const struct gossip_stats *stats,
                          struct text *ret_text)
{
    uint64_t received = 0;

    for (unsigned i = 0; i < GOSSIP_DATAGRAM_VERDICTS; i++)
        received += stats->datagrams[i];
    colour_add_label(ret_text, view->colour, "sent");
    text_print(ret_text, "%" PRIu64 " datagrams, %" PRIu64 " bytes\n", stats->datagrams_sent,
               stats->bytes_sent);
    colour_add_label(ret_text, view->colour, "received");
    text_print(ret_text, "%" PRIu64 " datagrams, %" PRIu64 " bytes\n", received,
               stats->bytes_received);
    for (unsigned i = 0; i < GOSSIP_DATAGRAM_VERDICTS; i++)
        if (stats->datagrams[i] > 0)
            text_print(ret_text, "             %" PRIu64 " %s\n", stats->datagrams[i],
                       gossip_verdict_name((enum gossip_verdict)i));
}

void plain_start(const struct gossip_start *start, struct text *ret_text)
{
    uint64_t seconds = (start->left_ms + 999) / 1000;

    text_add(ret_text, view_start_state(start->state));
    switch (start->state) {
    case GOSSIP_START_READY:
        break;
    case GOSSIP_START_ASKING:
        if (start->asked == 0)
            text_print(ret_text,
                       ": no other node is reached yet that could tell what it holds of this "
                       "one's events; in %" PRIu64 " s this one goes on without",
                       seconds);
        else
            text_print(ret_text,
                       ": %u of %u nodes have told what they hold of this one's events; in "
                       "%" PRIu64 " s it goes on without the others",
                       start->answered, start->asked, seconds);
        break;
    case GOSSIP_START_FETCHING:
        text_print(ret_text,
                   ": events of this node that its store has lost are on their way from others; in "
                   "%" PRIu64 " s it goes on without the rest",
                   seconds);
        break;
    }
}

/* What an operator should know of: nothing where the store is as it was left. */
static void add_evidence(const struct view *view, const struct gossip_start *start,
                         struct text *ret_text)
{
    static const char *const texts[] = {"it is a copy that a backup has made",
                                        "its file was copied, restored or moved",
                                        "the side file knows of more, or is missing or damaged",
                                        "another node holds more of this one's events",
                                        "another node has heard of a later start of this one"};
    const char *separator = " (";

    if (start->evidence == 0)
        return;
    colour_add_label(ret_text, view->colour, "evidence");
    colour_add(ret_text, view->colour, COLOUR_UNSURE, "the store was set back", 0);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if ((start->evidence & 1U << i) == 0)
            continue;
        text_print(ret_text, "%s%s", separator, texts[i]);
        separator = "; ";
    }
    text_add(ret_text, "): the next event opens a new epoch\n");
    if ((start->evidence & (GOSSIP_EVIDENCE_MOVED | GOSSIP_EVIDENCE_BACKUP)) != 0)
        text_add(ret_text,
                 "             if it is a copy of a node that runs elsewhere, stop it and "
                 "run `gossip recover --new-key`\n");
}

/* Whether this node can write, and if not, why. */
static void add_writing(const struct view *view, const struct gossip_author *self,
                        const struct gossip_stats *stats, struct text *ret_text)
{
    struct gossip_start start;

    gossip_start_state(view->gossip, &start);
    colour_add_label(ret_text, view->colour, "writing");
    if (strcmp(view_standing(view, self->key), "evicted") == 0) {
        colour_add(ret_text, view->colour, COLOUR_BAD, "no", 0);
        text_add(ret_text, ": the cluster has evicted this node's key");
    } else if (stats->read_only) {
        colour_add(ret_text, view->colour, COLOUR_BAD, "no", 0);
        text_add(ret_text, ": the disk is full; free some space and it goes on by itself");
    } else if (start.state != GOSSIP_START_READY) {
        colour_add(ret_text, view->colour, COLOUR_UNSURE, "not yet", 0);
        text_add(ret_text, "; ");
        plain_start(&start, ret_text);
    } else {
        colour_add(ret_text, view->colour, COLOUR_GOOD, "yes", 0);
    }
    text_add(ret_text, "\n");
    add_evidence(view, &start, ret_text);
}

void plain_status(const struct view *view, struct text *ret_text)
{
    char address[GOSSIP_ADDRESS_TEXT_MAX] = "none: not running";
    struct gossip_author self;
    struct gossip_stats stats;

    gossip_stats(view->gossip, &stats);
    if (gossip_author(view->gossip, gossip_self(view->gossip), &self) < 0) {
        ret_text->failed = true;
        return;
    }
    if (view->transport) {
        struct gossip_address bound;

        view->transport->ops->address(view->transport, &bound);
        gossip_address_to_text(&bound, address);
    }
    colour_add_label(ret_text, view->colour, "node");
    text_print(ret_text, "%s\n", gossip_identity_name(view->identity));
    colour_add_label(ret_text, view->colour, "cluster");
    text_add_hex(ret_text, gossip_identity_cluster(view->identity), GOSSIP_KEY_SIZE);
    text_add(ret_text, "\n");
    colour_add_label(ret_text, view->colour, "author");
    text_print(ret_text, "%s, epoch ", names_get(view->names, self.number));
    text_add_hex(ret_text, self.epoch, GOSSIP_EPOCH_SIZE);
    text_add(ret_text, ", id ");
    text_add_hex(ret_text, self.id, GOSSIP_ID_SIZE);
    text_add(ret_text, "\n");
    add_epochs(view, ret_text);
    colour_add_label(ret_text, view->colour, "address");
    text_print(ret_text, "%s\n", address);
    colour_add_label(ret_text, view->colour, "boot");
    text_print(ret_text, "%" PRIu64 "\n", stats.boot);
    colour_add_label(ret_text, view->colour, "clock");
    plain_clock(view->names, gossip_clock(view->gossip), ret_text);
    text_add(ret_text, "\n");
    add_writing(view, &self, &stats, ret_text);
    if (stats.poisonous > 0) {
        colour_add_label(ret_text, view->colour, "poisonous");
        add_count(ret_text, view->colour, COLOUR_BAD, stats.poisonous);
        text_add(ret_text, " events that have ended the process, passed over\n");
    }
    if (stats.reissued > 0) {
        colour_add_label(ret_text, view->colour, "re-issued");
        text_print(ret_text, "%" PRIu64 " events of a fork, under the present epoch\n",
                   stats.reissued);
    }
    add_cuts(view, ret_text);
    add_held(view, &stats, ret_text);
    add_peers(view, ret_text);
    add_datagrams(view, &stats, ret_text);
    colour_add_label(ret_text, view->colour, "counters");
    text_print(ret_text,
               "%" PRIu64 " published, %" PRIu64 " delivered, %" PRIu64 " commits, %" PRIu64
               " exchanges (%" PRIu64 " in step), %" PRIu64 " pulls (%" PRIu64 " whole), %" PRIu64
               " dropped, %" PRIu64 " stamps ahead of time\n",
               stats.published, stats.delivered, stats.commits, stats.exchanges, stats.in_step,
               stats.pulls, stats.pulls_whole, stats.dropped, stats.ahead_stamps);
}
