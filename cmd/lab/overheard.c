/*
 * Every datagram that is sent, opened with the keys of the two it is for and compared with what its
 * sender's disk holds. Nothing in it may be ahead of the disk, and what it says of an event must be
 * what the author wrote.
 */
#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cmd/lab/checker_state.h"
#include "cmd/lab/room.h"
#include "gossip/bytes.h"

enum {
    BOX_NONCE_OFFSET = GOSSIP_BOX_HEADER_SIZE - GOSSIP_BOX_NONCE_SIZE,
};

struct overheard {
    struct checker *checker;
    unsigned from;
    unsigned to;
    size_t size;
    const char *kind;
};

static const char *where(const struct overheard *overheard, char text[128])
{
    char to[32] = "nobody";

    if (overheard->to != UINT_MAX)
        snprintf(to, sizeof(to), "n%u", overheard->to + 1);
    snprintf(text, 128, "%s of %zu bytes from n%u to %s", overheard->kind, overheard->size,
             overheard->from + 1, to);
    return text;
}

/* An author's count that the datagram shows. Returns whether the disk holds as much. */
static bool check_shown(struct overheard *overheard, uint32_t author, uint64_t seq)
{
    struct checker *checker = overheard->checker;
    struct node_record *node = &checker->nodes[overheard->from];
    uint64_t held = counts_get(&node->durable, author);
    char dot[DOT_TEXT];
    char text[128];

    checker->stats.checks++;
    if (seq > held) {
        history_dot_text(&checker->history, author, seq, dot, sizeof(dot));
        checker_report(checker, INVARIANT_DURABLE,
                       "a %s shows %s, and a crash would leave its sender %" PRIu64
                       " of that author's events",
                       where(overheard, text), dot, held);
        return false;
    }
    for (uint64_t i = seq; i > 0; i--) {
        struct history_event *event = &checker->history.events[checker_held_event(node, author, i)];

        if (event->is_shown)
            break;
        event->is_shown = true;
    }
    return true;
}

/* Counts never go back, except that a cut is forward; and of cuts the disk holds as much. */
static bool check_forward(struct overheard *overheard, uint32_t author,
                          const struct digest_entry *entry)
{
    struct checker *checker = overheard->checker;
    struct node_record *node = &checker->nodes[overheard->from];
    uint64_t shown = counts_get(&node->shown, author);
    uint64_t cut = counts_get(&node->cuts_durable, author);
    char dot[DOT_TEXT];
    char text[128];

    checker->stats.checks += 2;
    if (entry->cut != 0 && (cut == 0 || cut > entry->cut)) {
        checker_report(checker, INVARIANT_DURABLE,
                       "a %s shows a cut at %s, and a crash would leave its sender %" PRIu64,
                       where(overheard, text), checker_dot_text(checker, author, entry->cut, dot),
                       cut);
        return false;
    }
    if (entry->cut != 0 && shown >= entry->cut)
        shown = entry->cut - 1;
    if (entry->have < shown) {
        checker_report(checker, INVARIANT_MONOTONIC,
                       "a %s shows %s, and its sender has shown seq %" PRIu64 " before",
                       where(overheard, text), checker_dot_text(checker, author, entry->have, dot),
                       shown);
        return false;
    }
    if (entry->have > shown || entry->cut != 0)
        counts_set(&node->shown, author, entry->have);
    return true;
}

static void check_digest_entry(struct overheard *overheard, const uint8_t *exchange,
                               const struct digest_entry *entry)
{
    static const uint8_t nothing[GOSSIP_HASH_SIZE];
    struct checker *checker = overheard->checker;
    struct node_record *node = &checker->nodes[overheard->from];
    uint32_t author = history_find_author(&checker->history, entry->id);
    const uint8_t *hash = nothing;
    uint32_t event;
    uint8_t have[8];
    uint8_t head[16];
    char dot[DOT_TEXT];
    char text[128];

    checker->stats.claims++;
    if (author == HISTORY_NONE) {
        checker_report(checker, INVARIANT_DURABLE, "a %s shows an author that there is not",
                       where(overheard, text));
        return;
    }
    if (!check_forward(overheard, author, entry))
        return;
    if (!check_shown(overheard, author, entry->have))
        return;
    /* An author that was cut before its first event is shown with none. */
    event = checker_held_event(node, author, entry->have);
    if (event != HISTORY_NONE)
        hash = checker->history.events[event].hash;
    put_fixed(have, entry->have, sizeof(have));
    checker->crypto->keyed_hash(
        head, exchange, GOSSIP_NONCE_SIZE,
        (const struct gossip_piece[]){{GOSSIP_DOMAIN_HEAD, sizeof(GOSSIP_DOMAIN_HEAD)},
                                      {entry->id, GOSSIP_ID_SIZE},
                                      {have, sizeof(have)},
                                      {hash, GOSSIP_HASH_SIZE}},
        4);
    checker->stats.checks++;
    if (memcmp(head, entry->head, GOSSIP_SHORT_HASH_SIZE) != 0) {
        history_dot_text(&checker->history, author, entry->have, dot, sizeof(dot));
        checker_report(checker, INVARIANT_NO_REUSE, "a %s shows another head hash for %s",
                       where(overheard, text), dot);
    }
}

static void hear_digest(struct overheard *overheard, const uint8_t *data, size_t size)
{
    struct checker *checker = overheard->checker;
    struct wire_digest digest;
    struct digest_entry entry;
    const uint8_t *before = NULL;
    struct reader reader;
    char text[128];

    overheard->kind = "digest";
    if (size < GOSSIP_SIGNATURE_SIZE ||
        !wire_decode_digest(&checker->arena, data, size - GOSSIP_SIGNATURE_SIZE, &digest)) {
        checker_report(checker, INVARIANT_BYTES, "a %s cannot be read", where(overheard, text));
        return;
    }
    reader = (struct reader){digest.authors.entries.data, digest.authors.entries.size, 0, false};
    while (digest.authors.present && digest_entry_read(&reader, before, &entry)) {
        check_digest_entry(overheard, digest.exchange, &entry);
        before = entry.id;
    }
}

/* A part of a run's stream, held against what its author wrote and node holds. */
struct comparison {
    const struct wire_run_part *run;
    size_t size; /* Of the stream so far. */
    bool differs;
};

/* Compares the next bytes of the stream as far as the part has them: a run has a thousand parts,
 * and is not put together for each. */
static void compare_bytes(struct comparison *comparison, const uint8_t *bytes, size_t size)
{
    const struct wire_run_part *run = comparison->run;
    size_t begin = comparison->size;
    size_t end = begin + size;
    size_t from = begin > run->offset ? begin : run->offset;
    size_t to = end < run->offset + run->data.size ? end : run->offset + run->data.size;

    if (from < to &&
        memcmp(bytes + (from - begin), run->data.data + (from - run->offset), to - from) != 0)
        comparison->differs = true;
    comparison->size = end;
}

/* Whether the stream is as long as the part says, and has its bytes. */
static bool is_of_stream(struct checker *checker, const struct node_record *node, uint32_t author,
                         const struct wire_run_part *run)
{
    struct comparison comparison = {.run = run};

    for (uint64_t seq = run->first; seq <= run->last; seq++) {
        const struct history_event *event =
            &checker->history.events[checker_held_event(node, author, seq)];
        uint8_t length[VARINT_MAX_SIZE];
        struct writer writer = {length, sizeof(length), 0, false};

        write_varint(&writer, event->size);
        assert(!writer.failed);
        compare_bytes(&comparison, length, writer.size);
        compare_bytes(&comparison, event->body, event->size);
    }
    return comparison.size == run->size && !comparison.differs;
}

static void hear_run(struct overheard *overheard, const struct wire_run_part *run)
{
    static const uint8_t nothing[GOSSIP_HASH_SIZE];
    struct checker *checker = overheard->checker;
    const struct history *history = &checker->history;
    const struct node_record *node = &checker->nodes[overheard->from];
    uint32_t author = history_find_author(history, run->author);
    const uint8_t *previous = nothing;
    char dot[DOT_TEXT];
    char text[128];

    if (author == HISTORY_NONE) {
        checker_report(checker, INVARIANT_DURABLE, "a %s is of an author that there is not",
                       where(overheard, text));
        return;
    }
    if (!check_shown(overheard, author, run->last))
        return;
    checker->stats.streamed += run->data.size;
    checker->stats.checks += 2;
    history_dot_text(history, author, run->first, dot, sizeof(dot));
    if (!is_of_stream(checker, node, author, run)) {
        checker_report(checker, INVARIANT_BYTES,
                       "a %s carries bytes %" PRIu32 " to %" PRIu32 " of the run from %s to "
                       "seq %" PRIu64 ", and they are not what the author wrote",
                       where(overheard, text), run->offset, run->offset + (uint32_t)run->data.size,
                       dot, run->last);
        return;
    }
    if (run->first > 1)
        previous = history->events[checker_held_event(node, author, run->first - 1)].hash;
    if (run->previous != NULL && memcmp(run->previous, previous, GOSSIP_HASH_SIZE) != 0)
        checker_report(checker, INVARIANT_BYTES, "a %s shows another hash for the event before %s",
                       where(overheard, text), dot);
    checker->stats.checks++;
    if (run->seal != NULL &&
        !seal_verify(checker->crypto,
                     history->events[checker_held_event(node, author, run->last)].hash,
                     checker->nodes[history->authors[author].node].identity->key, run->seal))
        checker_report(checker, INVARIANT_BYTES,
                       "a %s bears a seal for seq %" PRIu64 " that is not the author's",
                       where(overheard, text), run->last);
}

/* What a node says of its chain of an author is what it holds. */
static void hear_hashes(struct overheard *overheard, const struct wire_hashes *hashes)
{
    struct checker *checker = overheard->checker;
    const struct node_record *node = &checker->nodes[overheard->from];
    uint32_t author = history_find_author(&checker->history, hashes->author);
    char dot[DOT_TEXT];
    char text[128];

    for (size_t i = 0; i < hashes->entries.size; i += WIRE_HASHES_ENTRY_SIZE) {
        uint64_t seq = get_fixed(hashes->entries.data + i, 8);

        if (author == HISTORY_NONE) {
            checker_report(checker, INVARIANT_DURABLE, "a %s is of an author that there is not",
                           where(overheard, text));
            return;
        }
        if (!check_shown(overheard, author, seq))
            return;
        checker->stats.checks++;
        if (memcmp(checker->history.events[checker_held_event(node, author, seq)].hash,
                   hashes->entries.data + i + 8, GOSSIP_HASH_SIZE) != 0)
            checker_report(checker, INVARIANT_NO_REUSE, "a %s shows another hash for %s",
                           where(overheard, text), checker_dot_text(checker, author, seq, dot));
    }
}

static void hear_message(struct overheard *overheard, const uint8_t *plain, size_t size)
{
    struct checker *checker = overheard->checker;
    struct wire_hashes hashes;
    struct wire_part part;
    char text[128];

    switch (plain[0]) {
    case MESSAGE_DIGEST:
        hear_digest(overheard, plain + 1, size - 1);
        break;
    case MESSAGE_PART:
        overheard->kind = "part";
        if (!wire_decode_part(&checker->arena, plain + 1, size - 1, &part))
            checker_report(checker, INVARIANT_BYTES, "a %s cannot be read", where(overheard, text));
        else if (part.run.present)
            hear_run(overheard, &part.run);
        break;
    case MESSAGE_HASHES:
        overheard->kind = "list of hashes";
        if (!wire_decode_hashes(&checker->arena, plain + 1, size - 1, &hashes))
            checker_report(checker, INVARIANT_BYTES, "a %s cannot be read", where(overheard, text));
        else
            hear_hashes(overheard, &hashes);
        break;
    default: /* Questions and addresses show nothing of what is stored. */
        break;
    }
}

static void hear_box(struct overheard *overheard, const struct gossip_datagram *datagram)
{
    struct checker *checker = overheard->checker;
    const struct node_record *sender = &checker->nodes[overheard->from];
    uint8_t plain[GOSSIP_PLAIN_MAX];
    struct box_header header;
    struct pair *pair;
    unsigned to = overheard->to;
    char text[128];
    size_t size;

    box_header_read(datagram->data, &header);
    /* An address may have passed to another since. */
    if (to == UINT_MAX ||
        memcmp(checker->nodes[to].identity->node, header.receiver, GOSSIP_ID_SIZE) != 0) {
        for (to = 0; to < checker->node_max; to++) {
            if (checker->nodes[to].identity != NULL &&
                memcmp(checker->nodes[to].identity->node, header.receiver, GOSSIP_ID_SIZE) == 0)
                break;
        }
        if (to == checker->node_max) {
            checker_report(checker, INVARIANT_BYTES, "a %s is for nobody's id",
                           where(overheard, text));
            return;
        }
    }
    pair = &checker->pairs[overheard->from * checker->node_max + to];
    if (!pair->is_known) {
        pair->is_fit = pair_key(checker->crypto, sender->identity, checker->nodes[to].identity->key,
                                pair->key);
        pair->is_known = true;
    }
    /* A counter that came twice would be taken for a replay, and the box of one nonce can be read
     * with that of the other. */
    checker->stats.checks += 2;
    if (pair->boot_id == header.boot_id && header.counter <= pair->counter)
        checker_report(checker, INVARIANT_NO_REUSE,
                       "a %s bears counter %" PRIu64 " after counter %" PRIu64,
                       where(overheard, text), header.counter, pair->counter);
    if (memcmp(pair->nonce, datagram->data + BOX_NONCE_OFFSET, GOSSIP_BOX_NONCE_SIZE) == 0)
        checker_report(checker, INVARIANT_NO_REUSE, "a %s bears the nonce of the one before",
                       where(overheard, text));
    pair->boot_id = header.boot_id;
    pair->counter = header.counter;
    memcpy(pair->nonce, datagram->data + BOX_NONCE_OFFSET, GOSSIP_BOX_NONCE_SIZE);
    size = pair->is_fit
               ? box_open(checker->crypto, pair->key, datagram->data, datagram->size, plain)
               : 0;
    if (size == 0) {
        checker_report(checker, INVARIANT_BYTES, "a %s does not open", where(overheard, text));
        return;
    }
    checker->stats.boxes++;
    hear_message(overheard, plain, size);
}

static void hear_greeting(struct overheard *overheard, enum datagram_kind kind,
                          const struct gossip_datagram *datagram)
{
    struct checker *checker = overheard->checker;
    struct node_record *sender = &checker->nodes[overheard->from];
    struct greeting greeting;
    char text[128];

    if (greeting_open(checker->crypto, sender->identity->gate, kind, datagram->data, datagram->size,
                      &checker->arena, &greeting) != GOSSIP_DATAGRAM_ACCEPTED) {
        checker_report(checker, INVARIANT_BYTES, "a %s cannot be read", where(overheard, text));
        return;
    }
    checker->stats.checks += 3;
    if (!sender->has_boot_id && sender->boot_id == greeting.message.boot_id)
        checker_report(checker, INVARIANT_NO_REUSE,
                       "a %s shows the boot id of the process before this one",
                       where(overheard, text));
    sender->has_boot_id = true;
    sender->boot_id = greeting.message.boot_id;
    if (greeting.message.boot_count != sender->started_boot + 1)
        checker_report(checker, INVARIANT_MONOTONIC,
                       "a %s shows boot %" PRIu64
                       ", and its sender's process began with boot %" PRIu64 " on the disk",
                       where(overheard, text), greeting.message.boot_count, sender->started_boot);
    else if (greeting.message.boot_count > sender->durable_boot)
        checker_report(checker, INVARIANT_DURABLE,
                       "a %s shows boot %" PRIu64 ", and its sender's disk holds boot %" PRIu64,
                       where(overheard, text), greeting.message.boot_count, sender->durable_boot);
}

void checker_sent(struct checker *checker, unsigned from, unsigned to,
                  const struct gossip_datagram *datagram)
{
    struct overheard overheard = {checker, from, to, datagram->size, "box"};
    enum datagram_kind kind;
    char text[128];

    checker->stats.datagrams++;
    checker->stats.checks += 2;
    if (checker->violation.invariant != INVARIANT_NONE)
        return;
    if (datagram->size > GOSSIP_DATAGRAM_MAX) {
        checker_report(checker, INVARIANT_BOUNDS, "a %s is longer than %d bytes",
                       where(&overheard, text), (int)GOSSIP_DATAGRAM_MAX);
        return;
    }
    if (datagram_kind(datagram->data, datagram->size, &kind) != GOSSIP_DATAGRAM_ACCEPTED) {
        checker_report(checker, INVARIANT_BYTES, "a datagram of n%u is none of ours", from + 1);
        return;
    }
    if (kind != DATAGRAM_BOX)
        overheard.kind = kind == DATAGRAM_HELLO ? "hello" : "welcome";
    if (checker->nodes[from].is_unknown) {
        checker_report(checker, INVARIANT_DURABLE,
                       "a %s is sent after a save that failed, whose outcome is unknown",
                       where(&overheard, text));
        return;
    }
    if (kind == DATAGRAM_BOX)
        hear_box(&overheard, datagram);
    else
        hear_greeting(&overheard, kind, datagram);
}
