#include "tests/order_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/bytes.h"

enum {
    BODY_MAX = 4096,
    TEXT_SIZE = 32,
};

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "order_set: %s\n", what);
    abort();
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    require(memory != NULL, "out of memory");
    return memory;
}

static bool happens(struct order_set *set, unsigned percent)
{
    return splitmix_below(&set->lots, 100) < percent;
}

static uint64_t below(struct order_set *set, uint64_t bound)
{
    return splitmix_below(&set->lots, bound);
}

/* ---- Who there is. ---- */

static void make_keys(struct order_set *set)
{
    const struct gossip_crypto *crypto = set->crypto;

    set->key_count = 2 + below(set, SET_KEYS_MAX - 1);
    for (size_t i = 0; i < set->key_count; i++) {
        uint8_t seed[GOSSIP_SEED_SIZE] = {(uint8_t)(i + 1)};
        char name[8];
        unsigned rights = i == 0 ? GOSSIP_RIGHT_ADMIT | GOSSIP_RIGHT_EVICT : 0;
        struct gossip_identity *first;
        int error;

        put_fixed(seed + 8, set->seed, 8);
        snprintf(name, sizeof(name), "k%u", (unsigned)i);
        error = identity_make(crypto, set->cluster, name, rights, seed, &set->keys[i]);
        require(error == GOSSIP_OK, "no identity");
        first = set->keys[0];
        set->certificates[i] = set->keys[i]->certificate;
        if (i > 0 && happens(set, 40)) /* Admitted by the first. */
            certificate_make(crypto, set->cluster->key, set->keys[i]->key, name, 0, first->key,
                             first->secret, &set->certificates[i]);
    }
}

static void make_authors(struct order_set *set)
{
    set->author_count = 2 + below(set, SET_AUTHORS_MAX - 1);
    for (size_t i = 0; i < set->author_count; i++) {
        struct set_author *author = &set->authors[i];

        author->key = (unsigned)(i < set->key_count ? i : below(set, set->key_count));
        put_fixed(author->epoch, splitmix_next(&set->lots), GOSSIP_EPOCH_SIZE);
        author_id(set->crypto, set->keys[author->key]->key, author->epoch, author->id);
        author->branch_count = 1;
    }
}

static struct chain_owner owner_of(const struct order_set *set, const struct set_author *author)
{
    return (struct chain_owner){set->cluster->key, set->keys[author->key]->key, author->epoch};
}

/* ---- What they say. ---- */

static uint64_t mention_of(const struct set_branch *branch, uint64_t mentions, unsigned author)
{
    for (uint64_t i = 0; i < mentions; i++) {
        if (branch->mentioned[i] == author)
            return i + 1;
    }
    return 0;
}

static uint64_t longest(const struct set_author *author)
{
    uint64_t most = 0;

    for (size_t i = 0; i < author->branch_count; i++) {
        if (author->branches[i].count > most)
            most = author->branches[i].count;
    }
    return most;
}

/* Draws what an event of author names: what there is of some of the others, on any branch, and now
 * and then what never comes. */
static size_t draw_entries(struct order_set *set, unsigned number, const struct set_branch *branch,
                           uint64_t mentions, struct set_entry *entries)
{
    size_t count = 0;

    for (unsigned i = 0; i < set->author_count; i++) {
        const struct set_author *other = &set->authors[i];
        size_t which = below(set, other->branch_count);
        uint64_t seq = other->branches[which].count;

        if (i == number || !happens(set, 30))
            continue;
        if (happens(set, 30) && seq > 1)
            seq = 1 + below(set, seq);
        if (happens(set, 3))
            seq = longest(other) + 1 + below(set, 3);
        if (seq > 0)
            entries[count++] = (struct set_entry){i, seq};
    }
    if (happens(set, 1) && mention_of(branch, mentions, SET_NOBODY) == 0)
        entries[count++] = (struct set_entry){SET_NOBODY, 1 + below(set, 3)};
    return count;
}

static void id_of(const struct order_set *set, unsigned author, uint8_t ret_id[GOSSIP_ID_SIZE])
{
    memset(ret_id, 0xee, GOSSIP_ID_SIZE);
    if (author != SET_NOBODY)
        memcpy(ret_id, set->authors[author].id, GOSSIP_ID_SIZE);
}

/* An entry as it will stand. */
struct written {
    uint64_t mention; /* 0: by id. */
    uint8_t id[GOSSIP_ID_SIZE];
    unsigned author;
    uint64_t seq;
};

static int compare_written(const void *a, const void *b)
{
    const struct written *x = a;
    const struct written *y = b;

    if ((x->mention == 0) != (y->mention == 0))
        return x->mention == 0 ? 1 : -1; /* Knowns come first. */
    if (x->mention != y->mention)
        return x->mention < y->mention ? -1 : 1;
    return memcmp(x->id, y->id, GOSSIP_ID_SIZE);
}

/* Makes one of the mistakes that only show where all earlier events of the author are at hand. */
static bool spoil(struct order_set *set, unsigned number, const struct set_branch *branch,
                  uint64_t mentions, struct written *written, size_t *count)
{
    struct written *last = &written[*count];
    uint64_t mistake = below(set, 3);

    memset(last, 0, sizeof(*last));
    last->seq = 1;
    last->author = SET_NOBODY;
    if (mistake == 0) {
        last->mention = mentions + 1;
    } else if (mistake == 1) {
        id_of(set, number, last->id);
    } else {
        if (mentions == 0)
            return false;
        id_of(set, branch->mentioned[below(set, mentions)], last->id);
        for (size_t i = 0; i < *count; i++) {
            if (written[i].mention == 0 && memcmp(written[i].id, last->id, GOSSIP_ID_SIZE) == 0)
                return false;
        }
    }
    (*count)++;
    return true;
}

static void write_body(struct order_set *set, struct set_event *event,
                       const struct written *written, size_t count, bool is_long)
{
    uint8_t body[BODY_MAX];
    struct writer writer = {body, sizeof(body), 0, false};
    char text[TEXT_SIZE];
    size_t knowns = 0;
    uint64_t mention = 0;
    size_t padding = is_long ? 1500 + below(set, 1000) : below(set, 60);

    while (knowns < count && written[knowns].mention > 0)
        knowns++;
    write_fixed(&writer, event->hlc, 8);
    write_varint(&writer, GOSSIP_EVENT_APPLICATION);
    write_varint(&writer, knowns);
    for (size_t i = 0; i < knowns; i++) {
        write_varint(&writer, written[i].mention - mention);
        write_varint(&writer, written[i].seq);
        mention = written[i].mention;
    }
    write_varint(&writer, count - knowns);
    for (size_t i = knowns; i < count; i++) {
        write_bytes(&writer, written[i].id, GOSSIP_ID_SIZE);
        write_varint(&writer, written[i].seq);
    }
    snprintf(text, sizeof(text), "event %u", set->written++);
    write_varint(&writer, 3 << 3 | 2);
    write_varint(&writer, strlen(text) + padding);
    write_bytes(&writer, text, strlen(text));
    for (size_t i = 0; i < padding; i++)
        write_fixed(&writer, '.', 1);
    require(!writer.failed, "a body is too large");
    event->body = allocate(1, writer.size);
    memcpy(event->body, body, writer.size);
    event->size = writer.size;
}

static void write_event(struct order_set *set, unsigned number, struct set_branch *branch,
                        bool is_quiet)
{
    const struct set_author *author = &set->authors[number];
    struct chain_owner owner = owner_of(set, author);
    struct written written[SET_ENTRIES_MAX + 1];
    struct set_event *event = allocate(1, sizeof(*event));
    struct frame frame;
    bool is_frame;
    size_t count;

    event->next = set->events;
    set->events = event;
    if (branch->count > 0)
        event->chain = branch->events[branch->count - 1]->chain;
    if (!is_quiet)
        event->entry_count =
            draw_entries(set, number, branch, event->chain.mentions, event->entries);
    count = event->entry_count;
    for (size_t i = 0; i < count; i++) {
        written[i].author = event->entries[i].author;
        written[i].seq = event->entries[i].seq;
        written[i].mention = mention_of(branch, event->chain.mentions, event->entries[i].author);
        id_of(set, event->entries[i].author, written[i].id);
        if (written[i].mention > 0)
            memset(written[i].id, 0, GOSSIP_ID_SIZE);
    }
    if (!is_quiet && happens(set, 1))
        event->is_invalid = spoil(set, number, branch, event->chain.mentions, written, &count);
    qsort(written, count, sizeof(*written), compare_written);
    event->hlc = (1000 + below(set, 8)) << 16;
    write_body(set, event, written, count, happens(set, 3));
    is_frame = frame_read(event->body, event->size, &frame);
    require(is_frame, "a body is no frame");
    for (size_t i = 0; i < count && !event->is_invalid; i++) {
        if (written[i].mention == 0)
            branch->mentioned[event->chain.mentions + i - frame.known_count] = written[i].author;
    }
    chain_advance(&event->chain, set->crypto, &owner, event->body, event->size, &frame);
    branch->events[branch->count++] = event;
}

/* Whether nothing sound can follow: what comes after an event that nobody accepts is of no use,
 * and its mentions are not counted here. */
static bool is_at_end(const struct set_branch *branch)
{
    return branch->count == SET_EVENTS_MAX ||
           (branch->count > 0 && branch->events[branch->count - 1]->is_invalid);
}

static void branch_off(struct order_set *set, struct set_author *author)
{
    const struct set_branch *from = &author->branches[below(set, author->branch_count)];
    struct set_branch *branch = &author->branches[author->branch_count++];
    size_t kept = from->count;

    if (kept > 0 && happens(set, 70))
        kept -= below(set, kept < 5 ? kept + 1 : 5);
    else if (kept > 0)
        kept = below(set, kept);
    memset(branch, 0, sizeof(*branch));
    memcpy(branch->mentioned, from->mentioned, sizeof(branch->mentioned));
    memcpy(branch->events, from->events, kept * sizeof(branch->events[0]));
    branch->count = kept;
}

static void write_events(struct order_set *set)
{
    size_t branches_max[SET_AUTHORS_MAX];
    unsigned steps = 8 + (unsigned)below(set, 50);

    for (size_t i = 0; i < set->author_count; i++)
        branches_max[i] = happens(set, 50) ? 1 : 2 + below(set, SET_BRANCHES_MAX - 1);
    for (unsigned i = 0; i < steps; i++) {
        unsigned number = (unsigned)below(set, set->author_count);
        struct set_author *author = &set->authors[number];
        unsigned burst = happens(set, 1) ? 50 + (unsigned)below(set, 30) : 1;
        struct set_branch *branch;

        if (author->branch_count < branches_max[number] && happens(set, 25))
            branch_off(set, author);
        branch = &author->branches[below(set, author->branch_count)];
        for (unsigned j = 0; j < burst && !is_at_end(branch); j++)
            write_event(set, number, branch, burst > 1);
    }
}

/* ---- What is proven of them, and who is evicted. ---- */

/* The lowest seq at which two branches differ; 0: one is the beginning of the other. */
static uint64_t first_difference(const struct set_branch *a, const struct set_branch *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        if (memcmp(a->events[i]->chain.hash, b->events[i]->chain.hash, GOSSIP_HASH_SIZE) != 0)
            return i + 1;
    }
    return 0;
}

static void find_fork(struct set_author *author)
{
    for (size_t i = 0; i < author->branch_count; i++) {
        for (size_t j = 0; j < i; j++) {
            uint64_t seq = first_difference(&author->branches[i], &author->branches[j]);

            if (seq != 0 && (author->fork == 0 || seq < author->fork))
                author->fork = seq;
        }
    }
}

void order_set_link(const struct order_set *set, const struct set_branch *branch, uint64_t seq,
                    struct proof_link *ret_link)
{
    const struct set_event *event = branch->events[seq - 1];

    ret_link->body_size = (uint32_t)event->size;
    event_inner(set->crypto, event->chain.mentions_hash, event->body, event->size, ret_link->inner);
}

/* What can be shown of a branch from seq on: up to any event before the next required seal. */
static void show_branch(struct order_set *set, const struct set_author *author,
                        const struct set_branch *branch, uint64_t seq, struct proof_branch *ret)
{
    uint64_t end = (seq - 1) / GOSSIP_SEAL_EVERY * GOSSIP_SEAL_EVERY + GOSSIP_SEAL_EVERY;

    if (end > branch->count)
        end = branch->count;
    end = seq + below(set, end - seq + 1);
    memset(ret, 0, sizeof(*ret));
    if (seq > 1)
        memcpy(ret->previous, branch->events[seq - 2]->chain.hash, GOSSIP_HASH_SIZE);
    for (uint64_t i = seq; i <= end; i++)
        order_set_link(set, branch, i, &ret->links[ret->link_count++]);
    seal_sign(set->crypto, branch->events[end - 1]->chain.hash, set->keys[author->key]->secret,
              ret->seal);
}

static void prove(struct order_set *set, struct set_author *author, size_t a, size_t b,
                  uint64_t seq)
{
    struct chain_owner owner = owner_of(set, author);
    struct proof_branch branches[2];
    struct proof *proof = &author->proofs[author->proof_count];
    bool proves;

    require(author->proof_count < SET_PROOFS_MAX, "too many proofs");
    show_branch(set, author, &author->branches[a], seq, &branches[0]);
    show_branch(set, author, &author->branches[b], seq, &branches[1]);
    proof_make(set->crypto, &owner, seq, &branches[0], &branches[1], proof);
    proves = proof_verify(set->crypto, set->cluster->key, proof,
                          &author->proof_cuts[author->proof_count++]);
    require(proves, "a proof proves nothing");
}

/* Proofs of any two branches at any dot at which they differ, which is not always the lowest. */
static void prove_some(struct order_set *set, struct set_author *author)
{
    uint64_t tries = below(set, 5);

    for (uint64_t i = 0; i < tries; i++) {
        size_t a = below(set, author->branch_count);
        size_t b = below(set, author->branch_count);
        uint64_t first = first_difference(&author->branches[a], &author->branches[b]);
        uint64_t last = author->branches[a].count < author->branches[b].count
                            ? author->branches[a].count
                            : author->branches[b].count;

        if (first == 0)
            continue;
        if (last > first + 3)
            last = first + 3;
        prove(set, author, a, b, first + below(set, last - first + 1));
    }
}

/* A node that has only one of two branches can tell nothing of the other: what the cut is must
 * follow from the records. (How nodes find a fork of which no record tells, schedules show.) */
static void prove_fork(struct order_set *set, struct set_author *author)
{
    uint64_t least = author->evicted;

    for (size_t i = 0; i < author->proof_count; i++) {
        if (least == 0 || author->proof_cuts[i] < least)
            least = author->proof_cuts[i];
    }
    if (author->fork == 0 || (least != 0 && least <= author->fork))
        return;
    for (size_t a = 0; a < author->branch_count; a++) {
        for (size_t b = 0; b < a; b++) {
            const struct set_branch *one = &author->branches[a];
            const struct set_branch *other = &author->branches[b];
            bool is_higher = one->count > author->fork && other->count > author->fork;

            if (first_difference(one, other) != author->fork)
                continue;
            is_higher = is_higher && happens(set, 50);
            prove(set, author, a, b, author->fork + is_higher);
            return;
        }
    }
    require(false, "a fork without branches");
}

static int compare_last(const void *a, const void *b)
{
    const struct eviction_last *x = a;
    const struct eviction_last *y = b;

    return memcmp(x->epoch, y->epoch, GOSSIP_EPOCH_SIZE);
}

static void evict(struct order_set *set, unsigned key)
{
    struct eviction_last last[SET_AUTHORS_MAX];
    size_t count = 0;
    bool by_cluster = happens(set, 50);
    struct eviction *eviction = &set->evictions[set->eviction_count++];

    memset(last, 0, sizeof(last));
    for (size_t i = 0; i < set->author_count; i++) {
        const struct set_author *author = &set->authors[i];
        const struct set_branch *branch = &author->branches[below(set, author->branch_count)];

        if (author->key != key || branch->count == 0 || !happens(set, 70))
            continue;
        last[count].seq = 1 + below(set, branch->count);
        memcpy(last[count].hash, branch->events[last[count].seq - 1]->chain.hash, GOSSIP_HASH_SIZE);
        memcpy(last[count++].epoch, author->epoch, GOSSIP_EPOCH_SIZE);
    }
    qsort(last, count, sizeof(*last), compare_last);
    eviction_make(set->crypto, set->cluster->key, set->keys[key]->key, last, count,
                  by_cluster ? NULL : set->keys[0]->key,
                  by_cluster ? set->cluster->secret : set->keys[0]->secret, eviction);
    for (size_t i = 0; i < set->author_count; i++) {
        struct set_author *author = &set->authors[i];
        uint64_t cut = eviction_cut(eviction, author->epoch);

        if (author->key == key && (author->evicted == 0 || cut < author->evicted))
            author->evicted = cut;
    }
}

static void make_records(struct order_set *set)
{
    for (unsigned i = 0; i < set->key_count; i++) {
        if (happens(set, 15))
            evict(set, i);
        if (happens(set, 5))
            evict(set, i);
    }
    for (size_t i = 0; i < set->author_count; i++) {
        struct set_author *author = &set->authors[i];

        find_fork(author);
        prove_some(set, author);
        prove_fork(set, author);
        author->cut = author->evicted;
        for (size_t j = 0; j < author->proof_count; j++) {
            if (author->cut == 0 || author->proof_cuts[j] < author->cut)
                author->cut = author->proof_cuts[j];
        }
    }
}

/* ---- In what pieces it is told. ---- */

static struct set_piece *add_piece(struct order_set *set)
{
    if (set->piece_count == set->piece_capacity) {
        set->piece_capacity = set->piece_capacity == 0 ? 64 : set->piece_capacity * 2;
        set->pieces = realloc(set->pieces, set->piece_capacity * sizeof(*set->pieces));
        require(set->pieces != NULL, "out of memory");
    }
    memset(&set->pieces[set->piece_count], 0, sizeof(*set->pieces));
    return &set->pieces[set->piece_count++];
}

static void add_record(struct order_set *set, const uint8_t *id, const uint8_t *bytes, size_t size)
{
    struct set_piece *piece = add_piece(set);

    piece->kind = PIECE_RECORD;
    piece->id = id;
    piece->bytes = bytes;
    piece->size = size;
}

/* Cuts a branch from some event on into runs, no two of which cross a required seal together. */
static void cut_branch(struct order_set *set, unsigned number, unsigned which, uint64_t from)
{
    const struct set_branch *branch = &set->authors[number].branches[which];
    uint64_t widest = 1 + below(set, 20);

    while (from <= branch->count) {
        uint64_t end = (from - 1) / GOSSIP_SEAL_EVERY * GOSSIP_SEAL_EVERY + GOSSIP_SEAL_EVERY;
        uint64_t last = from + below(set, widest);

        if (last > end)
            last = end;
        if (last > branch->count)
            last = branch->count;
        if (!happens(set, 1)) {
            struct set_piece *piece = add_piece(set);

            piece->kind = PIECE_RUN;
            piece->author = number;
            piece->branch = which;
            piece->first = from;
            piece->last = last;
            piece->has_seal = true;
        }
        from = last + 1;
    }
}

/* Of a proof that shows what follows the last event that counts: a branch that has it. */
static bool is_of_proof(const struct proof *proof, const struct set_branch *branch, uint64_t seq)
{
    const uint8_t *hash;

    if (branch->count < seq)
        return false;
    hash = branch->events[seq - 1]->chain.hash;
    return memcmp(hash, proof->a.previous, GOSSIP_HASH_SIZE) == 0 ||
           memcmp(hash, proof->b.previous, GOSSIP_HASH_SIZE) == 0;
}

/* A run up to the last event that counts, without a seal: the record that has made the cut stands
 * for it. */
static void cut_unsealed(struct order_set *set, unsigned number)
{
    struct set_author *author = &set->authors[number];
    uint64_t last = author->cut - 1;
    uint64_t lowest = (last - 1) / GOSSIP_SEAL_EVERY * GOSSIP_SEAL_EVERY + 1;
    struct set_piece piece = {.kind = PIECE_RUN, .author = number, .last = last};
    size_t which = below(set, author->proof_count == 0 ? 1 : author->proof_count);

    if (last % GOSSIP_SEAL_EVERY == 0)
        return; /* It requires a seal of its own. */
    if (author->evicted != author->cut) {
        while (author->proof_cuts[which] != author->cut)
            which = (which + 1) % author->proof_count;
        piece.proof = &author->proofs[which];
        piece.has_link =
            memcmp(piece.proof->a.previous, piece.proof->b.previous, GOSSIP_HASH_SIZE) != 0;
    }
    while (author->branches[piece.branch].count < last ||
           (piece.has_link &&
            !is_of_proof(piece.proof, &author->branches[piece.branch], author->cut))) {
        piece.branch++;
        require(piece.branch < author->branch_count, "a cut without a branch");
    }
    piece.first = lowest + below(set, last - lowest + 1);
    if (happens(set, 50)) {
        size_t kept = 0;

        for (size_t i = 0; i < set->piece_count; i++) {
            const struct set_piece *other = &set->pieces[i];
            bool is_needless = other->kind == PIECE_RUN && other->author == number &&
                               other->first <= last && other->last >= last;

            if (!is_needless)
                set->pieces[kept++] = *other;
        }
        set->piece_count = kept;
        piece.first = lowest;
    }
    *add_piece(set) = piece;
}

static void make_pieces(struct order_set *set)
{
    for (size_t i = 0; i < set->key_count; i++)
        add_record(set, set->certificates[i].id, set->certificates[i].bytes,
                   set->certificates[i].size);
    for (size_t i = 0; i < set->eviction_count; i++)
        add_record(set, set->evictions[i].id, set->evictions[i].bytes, set->evictions[i].size);
    for (unsigned i = 0; i < set->author_count; i++) {
        struct set_author *author = &set->authors[i];

        for (size_t j = 0; j < author->proof_count; j++)
            add_record(set, author->proofs[j].id, author->proofs[j].bytes, author->proofs[j].size);
        for (unsigned j = 0; j < author->branch_count; j++) {
            cut_branch(set, i, j, 1);
            if (happens(set, 20))
                cut_branch(set, i, j, 1);
        }
        if (author->cut > 1 && happens(set, 50))
            cut_unsealed(set, i);
        if (author->cut == 1) {
            struct set_piece *piece = add_piece(set);

            piece->kind = PIECE_AUTHOR;
            piece->author = i;
        }
    }
}

size_t order_set_stream(const struct order_set *set, const struct set_piece *piece, uint8_t *stream,
                        size_t capacity)
{
    const struct set_branch *branch = &set->authors[piece->author].branches[piece->branch];
    struct writer writer = {stream, capacity, 0, false};

    for (uint64_t seq = piece->first; seq <= piece->last; seq++) {
        write_varint(&writer, branch->events[seq - 1]->size);
        write_bytes(&writer, branch->events[seq - 1]->body, branch->events[seq - 1]->size);
    }
    require(!writer.failed, "a run is too large");
    return writer.size;
}

/* ---- What is to come of it. ---- */

/* The branch on which all that counts of an author stands. */
static const struct set_branch *trunk_of(const struct set_author *author)
{
    const struct set_branch *trunk = &author->branches[0];

    for (size_t i = 1; i < author->branch_count; i++) {
        if (author->branches[i].count > trunk->count)
            trunk = &author->branches[i];
    }
    return trunk;
}

static void find_reach(const struct order_set *set, unsigned number, struct set_author *author)
{
    bool moved;

    do {
        moved = false;
        for (size_t i = 0; i < set->piece_count; i++) {
            const struct set_piece *piece = &set->pieces[i];

            if (piece->kind != PIECE_RUN || piece->author != number ||
                piece->first > author->reach + 1 || piece->last <= author->reach)
                continue;
            author->reach = piece->last;
            if (author->cut != 0 && author->reach >= author->cut)
                author->reach = author->cut - 1;
            moved = moved || author->cut == 0 || author->reach + 1 < author->cut;
        }
    } while (moved);
}

static bool is_satisfied(const struct order_set *set, const struct set_event *event)
{
    if (event->is_invalid)
        return false;
    for (size_t i = 0; i < event->entry_count; i++) {
        const struct set_author *other = &set->authors[event->entries[i].author];
        uint64_t needed = event->entries[i].seq;

        if (event->entries[i].author == SET_NOBODY)
            return false;
        if (other->cut != 0 && needed >= other->cut)
            needed = other->cut - 1;
        if (other->have < needed)
            return false;
    }
    return true;
}

static void deliver_all(struct order_set *set)
{
    bool moved;

    do {
        moved = false;
        for (size_t i = 0; i < set->author_count; i++) {
            struct set_author *author = &set->authors[i];
            const struct set_branch *trunk = trunk_of(author);

            if (author->have == author->reach || !is_satisfied(set, trunk->events[author->have]))
                continue;
            author->have++;
            moved = true;
        }
    } while (moved);
}

/* Of the events whose context has been shown the one with the least (hlc, author id) is next. */
static void show_all(struct order_set *set)
{
    uint64_t have[SET_AUTHORS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < set->author_count; i++) {
        have[i] = set->authors[i].have;
        count += set->authors[i].have;
        set->authors[i].have = 0;
    }
    set->log = allocate(count + 1, sizeof(*set->log));
    while (set->log_count < count) {
        struct set_author *next = NULL;

        for (size_t i = 0; i < set->author_count; i++) {
            struct set_author *author = &set->authors[i];
            const struct set_branch *trunk = trunk_of(author);
            const struct set_event *event;

            if (author->have == have[i] || !is_satisfied(set, trunk->events[author->have]))
                continue;
            event = trunk->events[author->have];
            if (next == NULL || event->hlc < trunk_of(next)->events[next->have]->hlc ||
                (event->hlc == trunk_of(next)->events[next->have]->hlc &&
                 memcmp(author->id, next->id, GOSSIP_ID_SIZE) < 0))
                next = author;
        }
        require(next != NULL, "delivered events wait in a circle");
        set->log[set->log_count++] = trunk_of(next)->events[next->have++];
    }
}

void order_set_make(struct order_set *set, uint64_t seed, const struct gossip_crypto *crypto,
                    const struct gossip_cluster *cluster)
{
    memset(set, 0, sizeof(*set));
    set->seed = seed;
    set->lots = (struct splitmix){seed};
    set->crypto = crypto;
    set->cluster = cluster;
    make_keys(set);
    make_authors(set);
    write_events(set);
    make_records(set);
    make_pieces(set);
    for (unsigned i = 0; i < set->author_count; i++)
        find_reach(set, i, &set->authors[i]);
    deliver_all(set);
    show_all(set);
}

void order_set_clear(struct order_set *set)
{
    while (set->events != NULL) {
        struct set_event *event = set->events;

        set->events = event->next;
        free(event->body);
        free(event);
    }
    for (size_t i = 0; i < set->key_count; i++)
        gossip_identity_destroy(set->keys[i]);
    free(set->pieces);
    free(set->log);
}
