/*
 * Everything in a store against itself: each event's bytes against its hash, its place in the
 * chain, its seal and its context, each author's clock against what the events make of it, and each
 * author's cut against the records that made it.
 * Nothing that was computed while the node ran is believed.
 */
#include "gossip/service.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/eviction.h"
#include "gossip/once.h"
#include "gossip/proof.h"

/* What the events of one author, gone over again, come to. */
struct retraced {
    struct chain chain;
    struct gossip_vclock context;
    bool sealed;  /* The newest event bears a seal. */
    uint64_t cut; /* The least that its records come to; 0: none. */
};

/* An own event that is to be found by its key. */
struct keyed {
    uint8_t hash[GOSSIP_ONCE_HASH_SIZE];
    uint64_t delivery;
    uint32_t author;
    uint64_t seq;
};

struct verification {
    struct gossip *gossip;
    gossip_verify_report *report;
    void *report_context;
    struct retraced *authors;
    size_t author_count;
    struct keyed *keyed;
    size_t keyed_count;
    size_t keyed_capacity;
    uint64_t delivery;
    uint64_t events;
    uint64_t faults;
};

enum { FAULTS_SHOWN = 1000 };

__attribute__((format(printf, 2, 3))) static void fault(struct verification *verification,
                                                        const char *format, ...)
{
    char line[256];
    va_list arguments;

    verification->faults++;
    if (verification->report == NULL || verification->faults > FAULTS_SHOWN)
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    verification->report(verification->report_context, line);
}

/* An author's name in a report, where nothing else is at hand to tell two of one name apart. */
static const char *name_of(const struct gossip_node *node, const struct author *author)
{
    const struct certificate *certificate = greet_certificate(node, author->stored.key);

    return certificate == NULL ? "?" : certificate->name;
}

/* As much of a context's entry as counts. */
static uint64_t counted_part(const struct gossip_node *node, uint32_t number, uint64_t seq)
{
    const struct author *author = node->authors.items[number];

    return author_is_contested(author, seq) ? author->stored.cut - 1 : seq;
}

/* Raises the author's retraced context by what the frame tells, whose dots must have been delivered
 * before. */
static int follow_context(struct verification *verification, const struct author *author,
                          struct retraced *retraced, const struct frame *frame,
                          uint64_t mentions_before, uint64_t seq)
{
    const struct gossip_node *node = verification->gossip->node;
    struct frame_entries entries = frame_entries(frame);
    struct frame_entry entry;
    uint64_t mention = mentions_before;

    while (frame_next(&entries, &entry)) {
        uint32_t other;
        int error;

        if (entry.id != NULL) {
            mention++;
            other = authors_find(&node->authors, entry.id);
            if (other == NO_AUTHOR || mention > author->stored.mentions ||
                author->mentioned[mention - 1] != other) {
                fault(verification, "%s:%llu: a mention is not in the table of mentions",
                      name_of(node, author), (unsigned long long)seq);
                return GOSSIP_OK;
            }
        } else {
            if (entry.mention > mentions_before || entry.mention > author->stored.mentions) {
                fault(verification, "%s:%llu: its context names a mention that is not there",
                      name_of(node, author), (unsigned long long)seq);
                return GOSSIP_OK;
            }
            other = author->mentioned[entry.mention - 1];
        }
        /* What lies behind a cut need not have been here; cuts only ever come nearer. */
        if (other >= verification->author_count ||
            verification->authors[other].chain.seq < counted_part(node, other, entry.seq))
            fault(verification, "%s:%llu: delivered before what its context names",
                  name_of(node, author), (unsigned long long)seq);
        error = gossip_vclock_raise(&retraced->context, other, entry.seq);
        if (error < 0)
            return error;
    }
    return GOSSIP_OK;
}

static int check_checkpoint(struct verification *verification, const struct author *author,
                            const struct retraced *retraced,
                            const struct gossip_event_record *event)
{
    const struct gossip_node *node = verification->gossip->node;
    struct gossip_vclock stored = {0};
    int error;

    if ((event->seq % GOSSIP_CHECKPOINT_EVERY == 0) != (event->context != NULL)) {
        fault(verification, "%s:%llu: a checkpoint is missing or misplaced", name_of(node, author),
              (unsigned long long)event->seq);
        return GOSSIP_OK;
    }
    if (event->context == NULL)
        return GOSSIP_OK;
    error =
        context_decode(event->context, event->context_size, verification->author_count, &stored);
    if (error == GOSSIP_ERR_DAMAGED ||
        (error == GOSSIP_OK &&
         gossip_vclock_compare(&stored, &retraced->context) != GOSSIP_EQUAL)) {
        fault(verification, "%s:%llu: its checkpoint is not its context", name_of(node, author),
              (unsigned long long)event->seq);
        error = GOSSIP_OK;
    }
    gossip_vclock_clear(&stored);
    return error;
}

/* The store is asked for it afterwards: while it shows events it answers nothing else. */
static int note_keyed(struct verification *verification, const struct author *author,
                      const struct frame *frame, const struct gossip_event_record *event)
{
    const struct gossip *gossip = verification->gossip;
    struct keyed keyed = {.delivery = event->delivery, .author = event->author, .seq = event->seq};

    if ((gossip->options.store->ops->abilities & GOSSIP_STORE_ONCE) == 0 ||
        !once_hash(gossip->node, author, frame, keyed.hash))
        return GOSSIP_OK;
    if (verification->keyed_count == verification->keyed_capacity) {
        size_t capacity = verification->keyed_capacity == 0 ? 64 : 2 * verification->keyed_capacity;
        struct keyed *grown = realloc(verification->keyed, capacity * sizeof(*grown));

        if (grown == NULL)
            return GOSSIP_ERR_NOMEM;
        verification->keyed = grown;
        verification->keyed_capacity = capacity;
    }
    verification->keyed[verification->keyed_count++] = keyed;
    return GOSSIP_OK;
}

static int is_it(void *context, const struct gossip_record *record)
{
    return record->as.event.delivery == *(const uint64_t *)context;
}

/* Where an event is not found by its key, a request that is made again would write it again. */
static int check_keyed(struct verification *verification)
{
    const struct gossip_node *node = verification->gossip->node;
    struct gossip_store *store = verification->gossip->options.store;

    for (size_t i = 0; i < verification->keyed_count; i++) {
        struct keyed *keyed = &verification->keyed[i];
        int found = store->ops->find_once(store, keyed->hash, is_it, &keyed->delivery);

        if (found < 0)
            return found;
        if (found == 0)
            fault(verification, "%s:%llu: is not found by the key that it was published with",
                  name_of(node, node->authors.items[keyed->author]),
                  (unsigned long long)keyed->seq);
    }
    return GOSSIP_OK;
}

static int check_event(void *context, const struct gossip_record *record)
{
    struct verification *verification = context;
    const struct gossip_node *node = verification->gossip->node;
    const struct gossip_event_record *event = &record->as.event;
    const struct author *author;
    struct retraced *retraced;
    struct chain_owner owner;
    struct frame frame;
    uint64_t mentions_before;
    bool requires_seal;
    int error;

    verification->events++;
    if (event->is_damaged)
        fault(verification, "delivery %llu: is not as it was written",
              (unsigned long long)event->delivery);
    if (event->delivery <= verification->delivery)
        fault(verification, "delivery %llu: out of order", (unsigned long long)event->delivery);
    verification->delivery = event->delivery;
    if (event->author >= verification->author_count) {
        fault(verification, "delivery %llu: its author is not known",
              (unsigned long long)event->delivery);
        return 0;
    }
    author = node->authors.items[event->author];
    retraced = &verification->authors[event->author];
    if (event->seq != retraced->chain.seq + 1) {
        fault(verification, "%s:%llu: comes after %llu", name_of(node, author),
              (unsigned long long)event->seq, (unsigned long long)retraced->chain.seq);
        return 0; /* Its chain cannot be followed. */
    }
    if (!frame_read(event->body, event->body_size, &frame)) {
        fault(verification, "%s:%llu: its body is not an event", name_of(node, author),
              (unsigned long long)event->seq);
        return 0;
    }
    mentions_before = retraced->chain.mentions;
    owner = (struct chain_owner){node->identity->cluster, author->stored.key, author->stored.epoch};
    requires_seal = chain_advance(&retraced->chain, node->crypto, &owner, event->body,
                                  event->body_size, &frame);
    if (memcmp(retraced->chain.hash, event->hash, GOSSIP_HASH_SIZE) != 0)
        fault(verification, "%s:%llu: its bytes do not give its hash", name_of(node, author),
              (unsigned long long)event->seq);
    retraced->sealed = event->seal != NULL;
    if (requires_seal && event->seal == NULL)
        fault(verification, "%s:%llu: a seal is required and missing", name_of(node, author),
              (unsigned long long)event->seq);
    if (event->seal != NULL &&
        !seal_verify(node->crypto, retraced->chain.hash, author->stored.key, event->seal))
        fault(verification, "%s:%llu: its seal does not fit", name_of(node, author),
              (unsigned long long)event->seq);
    error = follow_context(verification, author, retraced, &frame, mentions_before, event->seq);
    if (error >= 0)
        error = note_keyed(verification, author, &frame, event);
    if (error < 0)
        return error;
    return check_checkpoint(verification, author, retraced, event);
}

static void check_author(struct verification *verification, uint32_t number)
{
    const struct gossip_node *node = verification->gossip->node;
    const struct author *author = node->authors.items[number];
    const struct retraced *retraced = &verification->authors[number];

    if (author->stored.have != retraced->chain.seq)
        fault(verification, "%s: its clock says %llu, its events %llu", name_of(node, author),
              (unsigned long long)author->stored.have, (unsigned long long)retraced->chain.seq);
    else if (memcmp(author->stored.head_hash, retraced->chain.hash, GOSSIP_HASH_SIZE) != 0 ||
             author->stored.mentions != retraced->chain.mentions ||
             memcmp(author->stored.mentions_hash, retraced->chain.mentions_hash,
                    GOSSIP_HASH_SIZE) != 0 ||
             author->stored.unsealed_size != retraced->chain.unsealed_size)
        fault(verification, "%s: its row is not what its events come to", name_of(node, author));
    if (number == node->self && author->stored.have > 0 && !retraced->sealed)
        fault(verification, "%s:%llu: our own newest event bears no seal", name_of(node, author),
              (unsigned long long)author->stored.have);
}

static int count_on(void *context, const struct gossip_record *record)
{
    uint64_t *seq = context;

    if (record->as.event.seq == *seq + 1)
        ++*seq;
    return 0;
}

/* Events are found by their authors, too, and not only by the order of delivery: peers and contexts
 * ask so. */
static int check_found(struct verification *verification, uint32_t number)
{
    const struct gossip_node *node = verification->gossip->node;
    const struct author *author = node->authors.items[number];
    uint64_t found = author->stored.floor;
    int error;

    if (author->stored.have <= found)
        return GOSSIP_OK;
    error = node->store->ops->read(node->store, number, found + 1, author->stored.have, count_on,
                                   &found);
    if (error < 0)
        return error;
    if (found != author->stored.have)
        fault(verification, "%s:%llu: is not found by its author and number", name_of(node, author),
              (unsigned long long)found + 1);
    return GOSSIP_OK;
}

static void check_certificate(struct verification *verification, const struct gossip_signed *record)
{
    struct gossip_node *node = verification->gossip->node;
    struct certificate certificate;
    struct certificate issuer;
    bool has_issuer = false;

    if (!certificate_read(node->crypto, &node->arena, record->bytes, record->size, &certificate)) {
        fault(verification, "record %02x%02x...: not a certificate", record->id[0], record->id[1]);
        return;
    }
    if (certificate.has_issuer)
        has_issuer = greet_known_issuer(node, certificate.issuer, GOSSIP_RIGHT_ADMIT, &issuer);
    if (!certificate_verify(node->crypto, node->identity->cluster, &certificate,
                            has_issuer ? &issuer : NULL))
        fault(verification, "certificate of %s: its signature does not fit", certificate.name);
}

/* The least cut of an author that the records at hand come to. */
static void note_cut(struct retraced *retraced, uint64_t cut)
{
    if (retraced->cut == 0 || cut < retraced->cut)
        retraced->cut = cut;
}

static void check_eviction(struct verification *verification, const struct gossip_signed *record)
{
    struct gossip_node *node = verification->gossip->node;
    struct eviction eviction;
    struct certificate issuer;
    bool has_issuer = false;

    if (!eviction_read(node->crypto, &node->arena, record->bytes, record->size, &eviction)) {
        fault(verification, "record %02x%02x...: not an eviction", record->id[0], record->id[1]);
        return;
    }
    if (eviction.has_issuer)
        has_issuer = greet_known_issuer(node, eviction.issuer, GOSSIP_RIGHT_EVICT, &issuer);
    if (!eviction_verify(node->crypto, node->identity->cluster, &eviction,
                         has_issuer ? &issuer : NULL)) {
        fault(verification, "eviction %02x%02x...: its signature does not fit", record->id[0],
              record->id[1]);
        return;
    }
    for (size_t i = 0; i < verification->author_count; i++) {
        const struct author *author = node->authors.items[i];

        if (memcmp(author->stored.key, eviction.key, GOSSIP_KEY_SIZE) == 0)
            note_cut(&verification->authors[i], eviction_cut(&eviction, author->stored.epoch));
    }
}

static void check_proof(struct verification *verification, const struct gossip_signed *record)
{
    struct gossip_node *node = verification->gossip->node;
    struct proof proof;
    uint8_t id[GOSSIP_ID_SIZE];
    uint64_t cut;
    uint32_t number;

    if (!proof_read(node->crypto, &node->arena, record->bytes, record->size, &proof)) {
        fault(verification, "record %02x%02x...: not a proof", record->id[0], record->id[1]);
        return;
    }
    author_id(node->crypto, proof.key, proof.epoch, id);
    number = authors_find(&node->authors, id);
    if (!proof_verify(node->crypto, node->identity->cluster, &proof, &cut))
        fault(verification, "proof %02x%02x...: it proves nothing", record->id[0], record->id[1]);
    else if (number == NO_AUTHOR)
        fault(verification, "proof %02x%02x...: of an author that is not known", record->id[0],
              record->id[1]);
    else
        note_cut(&verification->authors[number], cut);
}

/* Each record's signature; and what cuts the records make. */
static void check_records(struct verification *verification)
{
    struct gossip_signed record;

    for (size_t i = 0; gossip_signed(verification->gossip, i, &record) == GOSSIP_OK; i++) {
        uint8_t id[GOSSIP_HASH_SIZE];

        record_id(verification->gossip->node->crypto, record.bytes, record.size, id);
        if (memcmp(id, record.id, sizeof(id)) != 0)
            fault(verification, "record %02x%02x...: its bytes do not give its id", record.id[0],
                  record.id[1]);
        switch (record.type) {
        case GOSSIP_SIGNED_CERTIFICATE:
            check_certificate(verification, &record);
            break;
        case GOSSIP_SIGNED_EVICTION:
            check_eviction(verification, &record);
            break;
        case GOSSIP_SIGNED_PROOF:
            check_proof(verification, &record);
            break;
        default:
            fault(verification, "record %02x%02x...: of a type that is not known", record.id[0],
                  record.id[1]);
            break;
        }
    }
}

static void check_cut(struct verification *verification, uint32_t number)
{
    const struct gossip_node *node = verification->gossip->node;
    const struct author *author = node->authors.items[number];
    const struct retraced *retraced = &verification->authors[number];

    if (author->stored.cut != retraced->cut)
        fault(verification, "%s: its cut is at %llu, its records come to %llu",
              name_of(node, author), (unsigned long long)author->stored.cut,
              (unsigned long long)retraced->cut);
}

int gossip_verify(struct gossip *gossip, gossip_verify_report *report, void *context,
                  uint64_t *ret_events)
{
    struct gossip_store *store = gossip->options.store;
    struct verification verification = {.gossip = gossip,
                                        .report = report,
                                        .report_context = context,
                                        .author_count = gossip->node->authors.count};
    int error = check_readable(gossip);

    if (error < 0)
        return error; /* A node that is ahead of its store would find fault with it. */
    verification.authors = calloc(verification.author_count + 1, sizeof(*verification.authors));
    if (verification.authors == NULL)
        return GOSSIP_ERR_NOMEM;
    if (node_keeps_events(gossip->node))
        error = store->ops->follow(store, 0, check_event, &verification);
    if (error >= 0)
        error = check_keyed(&verification);
    for (uint32_t i = 0; i < verification.author_count && error >= 0; i++) {
        if (node_keeps_events(gossip->node))
            error = check_found(&verification, i);
    }
    if (error >= 0) {
        for (uint32_t i = 0; i < verification.author_count; i++)
            if (node_keeps_events(gossip->node))
                check_author(&verification, i);
        check_records(&verification);
        for (uint32_t i = 0; i < verification.author_count; i++)
            check_cut(&verification, i);
        if (verification.faults > FAULTS_SHOWN && report != NULL)
            report(context, "and more faults than are shown");
    }
    /* Rows that cannot be read at all end the check: the store says which. */
    if (error == GOSSIP_ERR_DAMAGED && verification.faults == 0 && report != NULL)
        report(context, store->ops->explain(store));
    for (size_t i = 0; i < verification.author_count; i++)
        gossip_vclock_clear(&verification.authors[i].context);
    free(verification.authors);
    free(verification.keyed);
    if (error < 0)
        return error;
    if (ret_events != NULL)
        *ret_events = verification.events;
    return verification.faults > 0 ? GOSSIP_ERR_DAMAGED : GOSSIP_OK;
}
