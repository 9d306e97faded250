/*
 * Answering: what is asked for is cut into runs, and runs into parts of one datagram each, in the
 * order in which this node delivered. And the unasked kind of answer, the push of our own events.
 */
#include "gossip/state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/branch.h"
#include "gossip/bytes.h"
#include "gossip/cuts.h"
#include "gossip/witness.h"

enum {
    /* What a part has room for, after the kind, all fields of a run's part but these, and the
     * longest varints there can be. */
    PART_ROOM = GOSSIP_PLAIN_MAX - 80,
    SEAL_FIELD = 2 + GOSSIP_SIGNATURE_SIZE,
    LINK_FIELD = 2 + WIRE_LINK_SIZE,
    PREVIOUS_FIELD = 2 + GOSSIP_HASH_SIZE,
    INTRODUCTION_FIELD = 3 + (2 + GOSSIP_KEY_SIZE) + (2 + GOSSIP_EPOCH_SIZE),
    RECORD_ROOM = GOSSIP_PLAIN_MAX - 64,
    /* A new event larger than this is announced, and pulled by whoever wants it. */
    PUSH_MAX = 8 * PART_ROOM,
    /* Once so much waits to be sent, pulls go unanswered: a datagram of a few bytes brings forth a
     * whole window, and they may come faster than batches end. */
    SENDING_MAX = 4 * GOSSIP_WINDOW_BYTES,
};

/* What there is of one event, for choosing. */
struct event_facts {
    uint64_t delivery;
    uint64_t seq;
    uint32_t size;  /* In a stream. */
    bool is_sealed; /* Or a cut vouches for it: a run may end here. */
    bool requires_seal;
};

/* The events of one want that are held. */
struct offer {
    uint32_t author;
    const struct wire_want *want;
    bool shows_all; /* Contested events too: the asker is their author. */
    struct event_facts *facts;
    size_t count;
    size_t capacity;
    size_t chosen;     /* How many of them go into this window. */
    uint64_t unsealed; /* Bytes since the last required seal, while they are collected. */
    size_t bytes;      /* Collected. */
};

/* A part to be sent: bytes of the stream of a run, or a record. */
struct slice {
    uint32_t author;
    uint64_t first;
    uint64_t last;
    uint32_t size;
    uint32_t offset;
    uint32_t data_size;
    bool introduces;
    const struct signed_record *record; /* Else a run, */
    bool is_introduction;               /* or an author of whom no event counts. */
};

struct window {
    struct gossip_node *node;
    struct offer offers[GOSSIP_WANTS_MAX];
    size_t offer_count;
    struct signed_record *witnesses[GOSSIP_WANTS_MAX]; /* What stands for seals. */
    size_t witness_count;
    struct slice *slices;
    size_t slice_count;
    size_t slice_capacity;
    bool more;
};

static void window_clear(struct window *window)
{
    for (size_t i = 0; i < window->offer_count; i++)
        free(window->offers[i].facts);
    for (size_t i = 0; i < window->witness_count; i++)
        free(window->witnesses[i]);
    free(window->slices);
}

static int collect(void *context, const struct gossip_record *record)
{
    struct offer *offer = context;
    const struct gossip_event_record *event = &record->as.event;
    struct event_facts facts = {
        .delivery = event->delivery, .seq = event->seq, .is_sealed = event->seal != NULL};

    facts.size = (uint32_t)(varint_size(event->body_size) + event->body_size);
    offer->unsealed += event->body_size;
    if (event->seq % GOSSIP_SEAL_EVERY == 0 || offer->unsealed >= GOSSIP_SEAL_BYTES) {
        facts.requires_seal = true;
        offer->unsealed = 0;
    }
    if (event->seq < offer->want->first)
        return 0;
    if (offer->count == offer->capacity) {
        size_t capacity = offer->capacity == 0 ? 64 : offer->capacity * 2;
        struct event_facts *wider = realloc(offer->facts, capacity * sizeof(*wider));

        if (wider == NULL)
            return GOSSIP_ERR_NOMEM;
        offer->facts = wider;
        offer->capacity = capacity;
    }
    offer->facts[offer->count++] = facts;
    offer->bytes += facts.size;
    /* Enough for any window, and for the run that crosses its end. */
    return offer->count >= 2 * GOSSIP_WINDOW_EVENTS ||
           offer->bytes >= GOSSIP_WINDOW_BYTES + GOSSIP_RUN_SIZE_MAX;
}

int serve_cut_closes(struct gossip_node *node, uint32_t number, bool *ret_links,
                     uint8_t ret_link[WIRE_LINK_SIZE])
{
    const struct author *author = node->authors.items[number];
    uint8_t hash[GOSSIP_HASH_SIZE];
    int result;

    if (author->stored.cut <= 1 || author->stored.have + 1 < author->stored.cut)
        return 0;
    result = branch_hash(node, number, author->stored.cut - 1, hash);
    if (result <= 0)
        return result < 0 ? result : GOSSIP_ERR_DAMAGED;
    *ret_links = false;
    if (cuts_vouch(node, author, hash, NULL))
        return 1;
    if (author->proof == NULL)
        return 0;
    result = cuts_link(node, number, ret_link);
    if (result <= 0)
        return result;
    *ret_links = true;
    return cuts_vouch(node, author, hash, ret_link);
}

static int add_slice(struct window *window, const struct slice *slice)
{
    if (window->slice_count == window->slice_capacity) {
        size_t capacity = window->slice_capacity == 0 ? 64 : window->slice_capacity * 2;
        struct slice *slices = realloc(window->slices, capacity * sizeof(*slices));

        if (slices == NULL)
            return GOSSIP_ERR_NOMEM;
        window->slices = slices;
        window->slice_capacity = capacity;
    }
    window->slices[window->slice_count++] = *slice;
    return GOSSIP_OK;
}

static int cut_record(struct window *window, const struct signed_record *record)
{
    for (uint32_t offset = 0; offset < record->size;) {
        uint32_t left = (uint32_t)record->size - offset;
        struct slice slice = {.record = record,
                              .size = (uint32_t)record->size,
                              .offset = offset,
                              .data_size = left < RECORD_ROOM ? left : RECORD_ROOM};
        int error = add_slice(window, &slice);

        if (error < 0)
            return error;
        offset += slice.data_size;
    }
    return GOSSIP_OK;
}

/* Tells how the chain goes on to a seal from the last event that there is to be told. */
static int offer_witness(struct window *window, struct offer *offer, struct event_facts *last)
{
    struct signed_record *witness;
    struct proof_half half;
    int result = witness_find(window->node, offer->author, last->seq, &half);

    if (result <= 0)
        return result;
    witness = malloc(sizeof(*witness) + half.size);
    if (witness == NULL)
        return GOSSIP_ERR_NOMEM;
    memcpy(witness->id, half.id, GOSSIP_HASH_SIZE);
    witness->type = PROOF_HALF_TYPE;
    witness->size = half.size;
    memcpy(witness->bytes, half.bytes, half.size);
    window->witnesses[window->witness_count++] = witness;
    last->is_sealed = true;
    return cut_record(window, witness);
}

/* Where the last event to be told bears no seal, something else has to vouch for it: how the chain
 * goes on to one, or below a cut its record. A proof goes along: the asker may have another of the
 * same cut, which does not vouch for the branch that is here. */
static int offer_close(struct window *window, struct offer *offer)
{
    struct gossip_node *node = window->node;
    const struct author *author = node->authors.items[offer->author];
    struct event_facts *last = offer->count == 0 ? NULL : &offer->facts[offer->count - 1];
    uint8_t link[WIRE_LINK_SIZE];
    bool links;
    int result = 0;

    if (last == NULL || last->is_sealed)
        return GOSSIP_OK;
    if (last->seq == author_have(author) || last->seq == author->stored.have)
        result = offer_witness(window, offer, last);
    if (result < 0 || last->seq + 1 != author->stored.cut)
        return result;
    result = serve_cut_closes(node, offer->author, &links, link);
    if (result <= 0)
        return result;
    last->is_sealed = true;
    /* Evictions are in everybody's set; whoever asks for more gets the proof anyway. */
    if (author->proof == NULL || author_is_contested(author, offer->want->last) ||
        offer->want->gap_count > 0)
        return GOSSIP_OK;
    return cut_record(window, author->proof);
}

/* Collects what is held of a want. Which seals are required can be told from the last multiple of
 * 64 on. */
static int offer_collect(struct window *window, struct offer *offer)
{
    struct gossip_node *node = window->node;
    const struct author *author = node->authors.items[offer->author];
    uint64_t last = offer->shows_all ? author->stored.have : author_have(author);
    uint64_t start;
    int error;

    if (offer->want->last < last)
        last = offer->want->last;
    if (offer->want->first > last || offer->want->first <= author->stored.floor)
        return GOSSIP_OK;
    start = offer->want->first - 1;
    start -= start % GOSSIP_SEAL_EVERY;
    error = events_read(&node->contexts, offer->author, start + 1, last, collect, offer);
    return error < 0 ? error : offer_close(window, offer);
}

/* At least one run, however large it is: the one that was delivered first. */
static void choose_one_run(struct window *window)
{
    struct offer *chosen = NULL;

    for (size_t i = 0; i < window->offer_count; i++) {
        struct offer *offer = &window->offers[i];
        size_t end = 0;

        while (end < offer->count && !offer->facts[end].is_sealed)
            end++;
        if (end == offer->count ||
            (chosen != NULL && chosen->facts[0].delivery < offer->facts[0].delivery))
            continue;
        if (chosen != NULL)
            chosen->chosen = 0;
        chosen = offer;
        chosen->chosen = end + 1;
    }
}

/* Chooses what goes into the window: in the order of delivery, until it is full; of each author up
 * to a seal. Returns how many bytes that is at most. */
static size_t choose_events(struct window *window, uint32_t events_max, uint32_t bytes_max)
{
    size_t bytes = 0;
    uint32_t events = 0;
    bool any = false;

    for (;;) {
        struct offer *next = NULL;

        for (size_t i = 0; i < window->offer_count; i++) {
            struct offer *offer = &window->offers[i];

            if (offer->want->gap_count > 0 || offer->chosen == offer->count)
                continue;
            if (next == NULL ||
                offer->facts[offer->chosen].delivery < next->facts[next->chosen].delivery)
                next = offer;
        }
        if (next == NULL)
            break;
        if (events == events_max || bytes + next->facts[next->chosen].size > bytes_max) {
            window->more = true;
            break;
        }
        bytes += next->facts[next->chosen++].size;
        events++;
    }
    for (size_t i = 0; i < window->offer_count; i++) {
        struct offer *offer = &window->offers[i];

        while (offer->chosen > 0 && !offer->facts[offer->chosen - 1].is_sealed)
            offer->chosen--;
        any = any || offer->chosen > 0 || offer->want->gap_count > 0;
    }
    if (!any)
        choose_one_run(window);
    return bytes;
}

static const struct certificate *issuer_of(const struct gossip_node *node,
                                           const struct certificate *certificate)
{
    return certificate->has_issuer ? greet_certificate(node, certificate->issuer) : NULL;
}

static size_t introduction_size(const struct gossip_node *node, uint32_t author)
{
    const struct certificate *certificate =
        greet_certificate(node, node->authors.items[author]->stored.key);
    const struct certificate *issuer = issuer_of(node, certificate);

    return INTRODUCTION_FIELD + 3 + certificate->size + (issuer == NULL ? 0 : 3 + issuer->size);
}

/* Cuts the bytes start..end of the stream of a run into parts. */
static int cut_stream(struct window *window, uint32_t author, uint64_t first, uint64_t last,
                      uint32_t size, uint32_t start, uint32_t end)
{
    while (start < end) {
        struct slice slice = {.author = author,
                              .first = first,
                              .last = last,
                              .size = size,
                              .offset = start,
                              .introduces = start == 0 && first == 1};
        uint32_t room = PART_ROOM;
        int error;

        if (start == 0)
            room -= PREVIOUS_FIELD;
        if (slice.introduces)
            room -= (uint32_t)introduction_size(window->node, author);
        slice.data_size = end - start < room ? end - start : room;
        /* The part that reaches the end of the stream bears the seal as well. */
        if (start + slice.data_size == size && slice.data_size > room - SEAL_FIELD)
            slice.data_size = room - SEAL_FIELD;
        _Static_assert(LINK_FIELD <= SEAL_FIELD, "a link has room where a seal has");
        error = add_slice(window, &slice);
        if (error < 0)
            return error;
        start += slice.data_size;
    }
    return GOSSIP_OK;
}

/* Cuts the chosen events of an offer into runs, which end where a seal is required. */
static int cut_offer(struct window *window, const struct offer *offer)
{
    size_t start = 0;
    uint32_t size = 0;

    for (size_t i = 0; i < offer->chosen; i++) {
        const struct event_facts *facts = &offer->facts[i];
        int error;

        size += facts->size;
        if (!facts->requires_seal && i + 1 < offer->chosen)
            continue;
        error =
            cut_stream(window, offer->author, offer->facts[start].seq, facts->seq, size, 0, size);
        if (error < 0)
            return error;
        start = i + 1;
        size = 0;
    }
    return GOSSIP_OK;
}

/* Cuts what is asked for of the one run first..last, if that is a run, up to *room bytes: what is
 * asked for may overlap. */
static int cut_gaps(struct window *window, const struct offer *offer, uint32_t *room)
{
    const struct wire_want *want = offer->want;
    uint32_t size = 0;

    if (offer->count == 0 || offer->facts[0].seq != want->first ||
        offer->facts[offer->count - 1].seq != want->last ||
        !offer->facts[offer->count - 1].is_sealed)
        return GOSSIP_OK;
    for (size_t i = 0; i < offer->count; i++) {
        size += offer->facts[i].size;
        if (offer->facts[i].requires_seal && i + 1 < offer->count)
            return GOSSIP_OK;
    }
    for (size_t i = 0; i < want->gap_count; i++) {
        uint32_t start = want->gaps[i].offset;
        uint32_t end = start + want->gaps[i].size;
        int error;

        if (start >= size || end > size || end <= start)
            continue;
        if (end - start > *room) {
            window->more = true;
            end = start + *room;
        }
        *room -= end - start;
        error = cut_stream(window, offer->author, want->first, want->last, size, start, end);
        if (error < 0)
            return error;
    }
    return GOSSIP_OK;
}

static int by_delivery(const void *a, const void *b)
{
    const struct offer *x = a;
    const struct offer *y = b;
    uint64_t first_x = x->count == 0 ? UINT64_MAX : x->facts[0].delivery;
    uint64_t first_y = y->count == 0 ? UINT64_MAX : y->facts[0].delivery;

    return first_x < first_y ? -1 : first_x > first_y;
}

/* The stream of a run, put together from what is stored. */
struct stream {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
    uint8_t previous[GOSSIP_HASH_SIZE];
    uint64_t first;
    bool has_seal;
    uint8_t seal[GOSSIP_SIGNATURE_SIZE];
    bool has_link;
    uint8_t link[WIRE_LINK_SIZE];
};

static int join_event(void *context, const struct gossip_record *record)
{
    struct stream *stream = context;
    const struct gossip_event_record *event = &record->as.event;
    struct writer writer = {stream->bytes, stream->capacity, stream->size, false};

    if (event->seq < stream->first) {
        memcpy(stream->previous, event->hash, GOSSIP_HASH_SIZE);
        return GOSSIP_OK;
    }
    write_varint(&writer, event->body_size);
    write_bytes(&writer, event->body, event->body_size);
    if (writer.failed)
        return GOSSIP_ERR_DAMAGED;
    stream->size = writer.size;
    stream->has_seal = event->seal != NULL;
    if (event->seal != NULL)
        memcpy(stream->seal, event->seal, GOSSIP_SIGNATURE_SIZE);
    return GOSSIP_OK;
}

/* Reads the run of a slice. DAMAGED if it is not what it was a moment ago. */
static int stream_read(struct gossip_node *node, const struct slice *slice,
                       struct stream *ret_stream)
{
    struct stream stream = {.capacity = slice->size, .first = slice->first};
    uint64_t from = slice->first > 1 ? slice->first - 1 : 1;
    int error;

    stream.bytes = malloc(slice->size);
    if (stream.bytes == NULL)
        return GOSSIP_ERR_NOMEM;
    error = events_read(&node->contexts, slice->author, from, slice->last, join_event, &stream);
    if (error >= 0 && stream.size != slice->size)
        error = GOSSIP_ERR_DAMAGED;
    if (error >= 0 && !stream.has_seal &&
        slice->last + 1 == node->authors.items[slice->author]->stored.cut)
        error = serve_cut_closes(node, slice->author, &stream.has_link, stream.link);
    if (error < 0) {
        free(stream.bytes);
        return error;
    }
    *ret_stream = stream;
    return GOSSIP_OK;
}

static void fill_introduction(const struct gossip_node *node, const struct author *author,
                              struct wire_introduction *introduction)
{
    const struct certificate *certificate = greet_certificate(node, author->stored.key);
    const struct certificate *issuer = issuer_of(node, certificate);

    *introduction = (struct wire_introduction){
        .key = author->stored.key,
        .epoch = author->stored.epoch,
        .certificate = {certificate->bytes, certificate->size},
    };
    if (issuer != NULL)
        introduction->issuer = (struct wire_bytes){issuer->bytes, issuer->size};
}

static void fill_run_part(const struct gossip_node *node, const struct slice *slice,
                          const struct stream *stream, struct wire_run_part *part)
{
    const struct author *author = node->authors.items[slice->author];

    *part = (struct wire_run_part){.present = true,
                                   .author = author->stored.id,
                                   .first = slice->first,
                                   .last = slice->last,
                                   .size = slice->size,
                                   .offset = slice->offset,
                                   .data = {stream->bytes + slice->offset, slice->data_size}};
    if (slice->offset == 0)
        part->previous = stream->previous;
    if (slice->offset + slice->data_size == slice->size) {
        part->seal = stream->has_seal ? stream->seal : NULL;
        part->link = stream->has_link ? stream->link : NULL;
    }
    if (slice->introduces) {
        part->has_introduction = true;
        fill_introduction(node, author, &part->introduction);
    }
}

static bool same_run(const struct slice *a, const struct slice *b)
{
    return a->record == NULL && b->record == NULL && !b->is_introduction &&
           a->author == b->author && a->first == b->first && a->last == b->last;
}

/* Sends every slice of a window to each of these peers. request is 0 for a push. */
static int send_slices(struct gossip_node *node, const struct window *window, uint64_t request,
                       const uint32_t *peers, size_t peer_count)
{
    struct stream stream = {0};
    int error = GOSSIP_OK;

    for (size_t i = 0; i < window->slice_count && error >= 0; i++) {
        const struct slice *slice = &window->slices[i];
        struct wire_part part = {0};
        uint8_t message[GOSSIP_PLAIN_MAX];
        size_t size;

        if (request != 0) {
            part.has_request = true;
            part.request = request;
            part.index = (uint32_t)i;
            part.count = (uint32_t)window->slice_count;
            part.more = window->more;
        }
        if (slice->record != NULL) {
            part.record = (struct wire_record_part){
                .present = true,
                .id = slice->record->id,
                .size = slice->size,
                .offset = slice->offset,
                .data = {slice->record->bytes + slice->offset, slice->data_size}};
        } else if (slice->is_introduction) {
            part.has_introduction = true;
            fill_introduction(node, node->authors.items[slice->author], &part.introduction);
        } else {
            if (stream.bytes == NULL || !same_run(slice, &window->slices[i - 1])) {
                free(stream.bytes);
                stream.bytes = NULL;
                error = stream_read(node, slice, &stream);
                if (error < 0)
                    break;
            }
            fill_run_part(node, slice, &stream, &part.run);
        }
        size = wire_encode_part(&part, message, sizeof(message) - 1);
        assert(size > 0);
        for (size_t j = 0; j < peer_count && error >= 0; j++)
            error = node_send(node, peers[j], MESSAGE_PART, message, size);
    }
    free(stream.bytes);
    return error;
}

static int cut_records(struct window *window, const struct wire_bytes *ids)
{
    for (size_t i = 0; i < ids->size; i += GOSSIP_ID_SIZE) {
        const struct signed_record *record = records_find(&window->node->records, ids->data + i);
        int error = record == NULL ? GOSSIP_OK : cut_record(window, record);

        if (error < 0)
            return error;
    }
    return GOSSIP_OK;
}

/* What has made an author's cut, for whoever asks for events behind it; and the author itself,
 * where there are none before it. */
static int cut_ending(struct window *window, uint32_t author)
{
    int error = cut_record(window, cuts_record(window->node, window->node->authors.items[author]));

    if (error < 0 || !window->node->authors.items[author]->is_void)
        return error;
    return add_slice(window, &(struct slice){.author = author, .is_introduction = true});
}

static int send_nothing(struct gossip_node *node, uint32_t peer, uint64_t request)
{
    struct wire_part part = {.has_request = true, .request = request};
    uint8_t message[64];

    return node_send(node, peer, MESSAGE_PART, message,
                     wire_encode_part(&part, message, sizeof(message)));
}

static int answer_pull(struct gossip_node *node, uint32_t peer, const struct wire_pull *pull,
                       struct window *window)
{
    uint32_t bytes_max = pull->size < GOSSIP_WINDOW_BYTES ? pull->size : GOSSIP_WINDOW_BYTES;
    uint32_t events_max = pull->events < GOSSIP_WINDOW_EVENTS ? pull->events : GOSSIP_WINDOW_EVENTS;
    uint32_t gaps_room;
    int error = cut_records(window, &pull->records);

    for (size_t i = 0; i < pull->want_count && error >= 0; i++) {
        struct offer *offer = &window->offers[window->offer_count];
        uint32_t author = authors_find(&node->authors, pull->wants[i].author);

        if (author == NO_AUTHOR ||
            greet_certificate(node, node->authors.items[author]->stored.key) == NULL)
            continue;
        *offer = (struct offer){.author = author, .want = &pull->wants[i]};
        offer->shows_all = memcmp(node->authors.items[author]->stored.key,
                                  node->peers.items[peer]->certificate.key, GOSSIP_KEY_SIZE) == 0;
        if (author_is_contested(node->authors.items[author], offer->want->last))
            error = cut_ending(window, author);
        if (error < 0)
            return error;
        window->offer_count++;
        error = offer_collect(window, offer);
    }
    if (error < 0)
        return error;
    gaps_room = bytes_max - (uint32_t)choose_events(window, events_max, bytes_max);
    if (gaps_room < GOSSIP_WINDOW_BYTES_MIN)
        gaps_room = GOSSIP_WINDOW_BYTES_MIN;
    qsort(window->offers, window->offer_count, sizeof(*window->offers), by_delivery);
    for (size_t i = 0; i < window->offer_count && error >= 0; i++) {
        if (window->offers[i].want->gap_count > 0)
            error = cut_gaps(window, &window->offers[i], &gaps_room);
        else
            error = cut_offer(window, &window->offers[i]);
    }
    if (error < 0)
        return error;
    if (window->slice_count == 0)
        return send_nothing(node, peer, pull->request);
    return send_slices(node, window, pull->request, &peer, 1);
}

bool serve_may_answer(const struct gossip_node *node)
{
    return node->batch.datagram_bytes < SENDING_MAX;
}

int serve_record(struct gossip_node *node, uint32_t peer, const uint8_t *id, const uint8_t *bytes,
                 size_t size)
{
    for (size_t offset = 0; offset < size; offset += RECORD_ROOM) {
        size_t left = size - offset;
        struct wire_part part = {.record = {.present = true,
                                            .id = id,
                                            .size = (uint32_t)size,
                                            .offset = (uint32_t)offset,
                                            .data = {bytes + offset, left}}};
        uint8_t message[GOSSIP_PLAIN_MAX];
        size_t message_size;
        int error;

        if (left > RECORD_ROOM)
            part.record.data.size = RECORD_ROOM;
        message_size = wire_encode_part(&part, message, sizeof(message) - 1);
        assert(message_size > 0);
        error = node_send(node, peer, MESSAGE_PART, message, message_size);
        if (error < 0)
            return error;
    }
    return GOSSIP_OK;
}

int serve_cut(struct gossip_node *node, uint32_t peer, uint32_t author)
{
    const struct signed_record *record = cuts_record(node, node->authors.items[author]);

    assert(record != NULL);
    return serve_record(node, peer, record->id, record->bytes, record->size);
}

enum gossip_verdict serve_pull(struct gossip_node *node, uint32_t peer,
                               const struct wire_pull *pull, int *ret_error)
{
    struct window window = {.node = node};

    if (!serve_may_answer(node))
        return GOSSIP_DATAGRAM_LIMITED;
    *ret_error = answer_pull(node, peer, pull, &window);
    window_clear(&window);
    return GOSSIP_DATAGRAM_ACCEPTED;
}

/* Announces instead of pushing: everybody will ask for what it lacks. */
static void announce(struct gossip_node *node)
{
    for (size_t i = 0; i < node->peers.count; i++)
        node->peers.items[i]->wanted = true;
    peers_stir(&node->peers);
}

static int push_to_all(struct gossip_node *node, struct window *window)
{
    uint32_t *alive = arena_alloc(&node->batch.arena, node->peers.count * sizeof(*alive) + 1);
    size_t count = 0;

    if (alive == NULL)
        return GOSSIP_ERR_NOMEM;
    for (uint32_t i = 0; i < node->peers.count; i++) {
        if (node->peers.items[i]->state == GOSSIP_PEER_ALIVE)
            alive[count++] = i;
    }
    return count == 0 ? GOSSIP_OK : send_slices(node, window, 0, alive, count);
}

int serve_push(struct gossip_node *node)
{
    const struct author *self = node->authors.items[node->self];
    struct wire_want want = {
        .author = self->stored.id, .first = self->saved + 1, .last = self->stored.have};
    struct window window = {.node = node};
    struct offer *offer = &window.offers[0];
    int error;

    if (self->batch_first == NO_INDEX)
        return GOSSIP_OK;
    *offer = (struct offer){.author = node->self, .want = &want};
    window.offer_count = 1;
    error = offer_collect(&window, offer);
    if (error >= 0) {
        offer->chosen = offer->count;
        error = cut_offer(&window, offer);
    }
    if (error >= 0) {
        if (offer->bytes > PUSH_MAX)
            announce(node);
        else
            error = push_to_all(node, &window);
    }
    window_clear(&window);
    return error;
}
