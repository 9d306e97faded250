#include "cmd/json.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/identity.h"

/* All functions of jansson take NULL and then fail, and own what they are given also when they
 * fail; so an object that could not be completed is replaced by NULL, which stays. */
static void set(json_t **object, const char *key, json_t *value)
{
    if (json_object_set_new(*object, key, value) == 0)
        return;
    json_decref(*object);
    *object = NULL;
}

static void append(json_t **array, json_t *value)
{
    if (json_array_append_new(*array, value) == 0)
        return;
    json_decref(*array);
    *array = NULL;
}

/* Ends value. */
static void finish(json_t *value, struct text *ret_text)
{
    char *dump = value ? json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;

    if (dump)
        text_add(ret_text, dump);
    else
        ret_text->failed = true;
    free(dump);
    json_decref(value);
}

/* Counters go to 2^62 and milliseconds since 1970 to 2^48; what else is counted here starts at 0
 * with each start. All fit an integer of jansson's, which ends at 2^63 - 1. */
static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

/* Ends text. */
static json_t *text_value(struct text *text)
{
    json_t *value = text->failed ? NULL : json_stringn(text->data ? text->data : "", text->size);

    text_clear(text);
    return value;
}

static json_t *hex_value(const uint8_t *data, size_t size)
{
    struct text text = {0};

    text_add_hex(&text, data, size);
    return text_value(&text);
}

static json_t *address_value(const struct gossip_address *address)
{
    char text[GOSSIP_ADDRESS_TEXT_MAX];

    if (address->port == 0)
        return json_null();
    gossip_address_to_text(address, text);
    return json_string(text);
}

static json_t *dot_value(const struct names *names, struct gossip_dot dot)
{
    return json_sprintf("%s:%" PRIu64, names_get(names, dot.author), dot.seq);
}

struct entry {
    size_t rank;
    size_t index;
};

static int compare_entries(const void *a, const void *b)
{
    const struct entry *first = a;
    const struct entry *second = b;

    return (first->rank > second->rank) - (first->rank < second->rank);
}

/* Sorted by name, as gossip_vclock_to_json() does. */
static json_t *clock_value(const struct names *names, const struct gossip_vclock *clock)
{
    struct entry *entries = malloc((clock->count ? clock->count : 1) * sizeof(*entries));
    json_t *object = entries ? json_object() : NULL;

    if (!entries)
        return NULL;
    for (size_t i = 0; i < clock->count; i++)
        entries[i] = (struct entry){names_rank(names, clock->authors[i]), i};
    qsort(entries, clock->count, sizeof(*entries), compare_entries);
    for (size_t i = 0; i < clock->count; i++)
        set(&object, names_get(names, clock->authors[entries[i].index]),
            number(clock->counters[entries[i].index]));
    free(entries);
    return object;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static json_t *base64_value(const uint8_t *data, size_t size)
{
    size_t length = (size + 2) / 3 * 4;
    char *text = malloc(length + 1);
    json_t *value;

    if (!text)
        return NULL;
    for (size_t i = 0, j = 0; i < size; i += 3, j += 4) {
        size_t left = size - i;
        uint32_t bits = (uint32_t)data[i] << 16;

        bits |= left > 1 ? (uint32_t)data[i + 1] << 8 : 0;
        bits |= left > 2 ? data[i + 2] : 0;
        text[j] = base64_digits[bits >> 18];
        text[j + 1] = base64_digits[bits >> 12 & 63];
        text[j + 2] = left > 1 ? base64_digits[bits >> 6 & 63] : '=';
        text[j + 3] = left > 2 ? base64_digits[bits & 63] : '=';
    }
    value = json_stringn(text, length);
    free(text);
    return value;
}

static json_t *event_value(const struct names *names, const struct gossip_event *event)
{
    json_t *object = json_object();
    const char *kind = view_event_kind(event->kind);
    struct text time = {0};

    text_add_time(&time, event->time_ms);
    set(&object, "dot", dot_value(names, event->dot));
    set(&object, "author", json_string(names_get(names, event->dot.author)));
    set(&object, "seq", number(event->dot.seq));
    set(&object, "clock", clock_value(names, event->clock));
    set(&object, "time", text_value(&time));
    /* As text: a stamp takes 64 bits, and many a reader of JSON keeps 53. */
    set(&object, "hlc", json_sprintf("%016" PRIx64, event->hlc));
    set(&object, "hash", hex_value(event->hash, GOSSIP_HASH_SIZE));
    if (event->contested)
        set(&object, "contested", json_true());
    if (event->supersedes)
        set(&object, "supersedes", hex_value(event->supersedes, GOSSIP_HASH_SIZE));
    if (event->kind != GOSSIP_EVENT_APPLICATION)
        set(&object, "kind", kind ? json_string(kind) : number(event->kind));
    if (!event->data)
        set(&object, "data", json_null());
    else if (text_is_utf8(event->data, event->size))
        set(&object, "data", json_stringn((const char *)event->data, event->size));
    else
        set(&object, "data_base64", base64_value(event->data, event->size));
    return object;
}

void json_event(const struct names *names, const struct gossip_event *event, struct text *ret_text)
{
    finish(event_value(names, event), ret_text);
}

void json_watched(const struct names *names, const struct gossip_event *event, const char *cursor,
                  struct text *ret_text)
{
    json_t *object = event_value(names, event);

    set(&object, "delivery", number(event->delivery));
    set(&object, "cursor", json_string(cursor));
    finish(object, ret_text);
}

bool json_read_cursor(const char *data, size_t size, struct text *ret_text)
{
    json_t *object = json_loadb(data, size, 0, NULL);
    const char *cursor = json_string_value(json_object_get(object, "cursor"));

    if (cursor)
        text_add(ret_text, cursor);
    json_decref(object);
    return cursor != NULL;
}

static bool read_clock(const json_t *object, json_clock_entry *visit, void *context)
{
    /* Reading takes what could also be changed. */
    union {
        const json_t *constant;
        json_t *variable;
    } same = {object};
    const char *author;
    json_t *count;

    if (!json_is_object(object))
        return false;
    json_object_foreach(same.variable, author, count)
        visit(context, author, (uint64_t)json_integer_value(count));
    return true;
}

static int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool read_hex(const json_t *value, uint8_t *ret_bytes, size_t size)
{
    const char *text = json_string_value(value);

    if (!text || strlen(text) != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = digit_value(text[2 * i]);
        int low = digit_value(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        ret_bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* As base64_value() writes it. */
static bool read_base64(const char *text, uint8_t *ret_bytes, size_t *ret_size)
{
    size_t length = strlen(text);
    size_t size = 0;
    uint32_t bits = 0;

    for (size_t i = 0; i < length && text[i] != '='; i++) {
        const char *place = strchr(base64_digits, text[i]);

        if (!place)
            return false;
        bits = bits << 6 | (uint32_t)(place - base64_digits);
        if (i % 4 == 0)
            continue;
        ret_bytes[size++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    *ret_size = size;
    return length % 4 == 0;
}

static bool read_data(const json_t *object, struct json_event *event)
{
    const json_t *text = json_object_get(object, "data");
    const char *encoded = json_string_value(json_object_get(object, "data_base64"));

    if (json_is_string(text)) {
        event->size = json_string_length(text);
        event->data = malloc(event->size + 1);
        if (event->data)
            memcpy(event->data, json_string_value(text), event->size);
        return event->data != NULL;
    }
    if (!encoded)
        return json_is_null(text);
    event->data = malloc(strlen(encoded) + 1);
    return event->data && read_base64(encoded, event->data, &event->size);
}

bool json_read_event(const char *data, size_t size, json_clock_entry *visit, void *context,
                     struct json_event *ret_event)
{
    json_t *object = json_loadb(data, size, JSON_ALLOW_NUL, NULL);
    const char *author = json_string_value(json_object_get(object, "author"));
    const char *cursor = json_string_value(json_object_get(object, "cursor"));
    const json_t *supersedes = json_object_get(object, "supersedes");
    bool is_whole;

    *ret_event = (struct json_event){.has_supersedes = supersedes != NULL,
                                     .is_payload = !json_object_get(object, "kind")};
    is_whole = author && cursor && strlen(author) < sizeof(ret_event->author) &&
               read_hex(json_object_get(object, "hash"), ret_event->hash, GOSSIP_HASH_SIZE) &&
               (!supersedes || read_hex(supersedes, ret_event->supersedes, GOSSIP_HASH_SIZE)) &&
               read_data(object, ret_event) &&
               read_clock(json_object_get(object, "clock"), visit, context);
    if (is_whole) {
        strcpy(ret_event->author, author);
        ret_event->seq = (uint64_t)json_integer_value(json_object_get(object, "seq"));
        ret_event->cursor = strdup(cursor);
        is_whole = ret_event->cursor != NULL;
    }
    json_decref(object);
    return is_whole;
}

void json_event_clear(struct json_event *event)
{
    free(event->data);
    free(event->cursor);
    *event = (struct json_event){0};
}

bool json_read_clock(const char *data, size_t size, json_clock_entry *visit, void *context)
{
    json_t *object = json_loadb(data, size, 0, NULL);
    bool is_clock = read_clock(json_object_get(object, "clock"), visit, context);

    json_decref(object);
    return is_clock;
}

bool json_read_traffic(const char *data, size_t size, uint64_t *ret_datagrams, uint64_t *ret_bytes)
{
    json_t *object = json_loadb(data, size, 0, NULL);
    const json_t *transport = json_object_get(object, "transport");
    const json_t *datagrams = json_object_get(transport, "sent");
    const json_t *bytes = json_object_get(transport, "sent_bytes");
    bool is_there = json_is_integer(datagrams) && json_is_integer(bytes);

    if (is_there) {
        *ret_datagrams = (uint64_t)json_integer_value(datagrams);
        *ret_bytes = (uint64_t)json_integer_value(bytes);
    }
    json_decref(object);
    return is_there;
}

void json_clock(const struct view *view, const char *token, struct text *ret_text)
{
    json_t *object = json_object();

    set(&object, "node", json_string(names_get(view->names, gossip_self(view->gossip))));
    set(&object, "clock", clock_value(view->names, gossip_clock(view->gossip)));
    if (token)
        set(&object, "token", json_string(token));
    finish(object, ret_text);
}

void json_relation(const struct view *view, const struct relation_view *relation,
                   struct text *ret_text)
{
    json_t *object = json_object();

    set(&object, "a", dot_value(view->names, relation->a));
    set(&object, "b", dot_value(view->names, relation->b));
    set(&object, "relation", json_string(gossip_relation_name(relation->relation)));
    finish(object, ret_text);
}

void json_peer(const struct view *view, const struct gossip_peer *peer, struct text *ret_text)
{
    json_t *object = json_object();

    set(&object, "name", peer->name ? json_string(peer->name) : json_null());
    set(&object, "key", hex_value(peer->key, GOSSIP_KEY_SIZE));
    set(&object, "address", address_value(&peer->address));
    set(&object, "state", json_string(view_peer_state(peer->state)));
    set(&object, "standing", json_string(view_standing(view, peer->key)));
    set(&object, "in_step", json_boolean(peer->in_step));
    set(&object, "heard_ms", peer->heard_ms == UINT64_MAX ? json_null() : number(peer->heard_ms));
    set(&object, "exchanges", number(peer->exchanges));
    set(&object, "answered", number(peer->answered));
    finish(object, ret_text);
}

static json_t *held_value(const struct view *view)
{
    struct gossip_held held[VIEW_HELD_MAX];
    size_t count = gossip_held(view->gossip, held, VIEW_HELD_MAX);
    json_t *array = json_array();

    for (size_t i = 0; i < count && i < VIEW_HELD_MAX; i++) {
        json_t *object = json_object();
        struct text waits = {0};

        view_add_author(view, held[i].waits_id, &waits);
        text_print(&waits, ":%" PRIu64, held[i].waits_seq);
        set(&object, "dot", dot_value(view->names, held[i].dot));
        set(&object, "waits_for", text_value(&waits));
        append(&array, object);
    }
    return array;
}

/* The authors that are cut, and by what. */
static json_t *cuts_value(const struct view *view)
{
    json_t *array = json_array();
    struct gossip_author author;

    for (uint32_t i = 0; i < names_count(view->names); i++) {
        json_t *object;

        if (gossip_author(view->gossip, i, &author) < 0 || author.cut == 0)
            continue;
        object = json_object();
        set(&object, "author", json_string(names_get(view->names, i)));
        set(&object, "from", number(author.cut));
        set(&object, "by", json_string(view_cut_cause(&author)));
        set(&object, "contested", number(author.contested));
        append(&array, object);
    }
    return array;
}

/* The epochs in which this node's key has written, as far as they are known here. */
static json_t *epochs_value(const struct view *view)
{
    json_t *array = json_array();
    struct gossip_author author;

    for (uint32_t i = 0; i < names_count(view->names); i++) {
        json_t *object;

        if (gossip_author(view->gossip, i, &author) < 0 || !author.is_own)
            continue;
        object = json_object();
        set(&object, "author", json_string(names_get(view->names, i)));
        set(&object, "epoch", hex_value(author.epoch, GOSSIP_EPOCH_SIZE));
        set(&object, "have", number(author.have));
        set(&object, "open", json_boolean(author.is_self));
        append(&array, object);
    }
    return array;
}

static json_t *start_value(const struct gossip_start *start)
{
    json_t *object = json_object();
    json_t *array = json_array();

    for (size_t i = 0; view_evidence(i); i++)
        if ((start->evidence & 1U << i) != 0)
            append(&array, json_string(view_evidence(i)));
    set(&object, "state", json_string(view_start_state(start->state)));
    set(&object, "evidence", array);
    set(&object, "asked", number(start->asked));
    set(&object, "answered", number(start->answered));
    set(&object, "left_ms", number(start->left_ms));
    return object;
}

void json_start(const struct gossip_start *start, struct text *ret_text)
{
    finish(start_value(start), ret_text);
}

static json_t *peers_value(const struct view *view)
{
    json_t *object = json_object();
    uint64_t alive = 0;
    uint64_t in_step = 0;
    size_t count = gossip_peer_count(view->gossip);

    for (size_t i = 0; i < count; i++) {
        struct gossip_peer peer;

        if (gossip_peer(view->gossip, i, &peer) < 0)
            continue;
        alive += peer.state == GOSSIP_PEER_ALIVE;
        in_step += peer.in_step;
    }
    set(&object, "known", number(count));
    set(&object, "alive", number(alive));
    set(&object, "in_step", number(in_step));
    return object;
}

static json_t *verdicts_value(const struct gossip_stats *stats)
{
    json_t *object = json_object();

    for (unsigned i = 0; i < GOSSIP_DATAGRAM_VERDICTS; i++)
        set(&object, gossip_verdict_name((enum gossip_verdict)i), number(stats->datagrams[i]));
    return object;
}

static json_t *transport_value(struct gossip_transport *transport)
{
    struct gossip_transport_stats stats;
    json_t *object = json_object();

    transport->ops->stats(transport, &stats);
    set(&object, "sent", number(stats.sent));
    set(&object, "sent_bytes", number(stats.sent_bytes));
    set(&object, "send_failed", number(stats.send_failed));
    set(&object, "received", number(stats.received));
    set(&object, "received_bytes", number(stats.received_bytes));
    set(&object, "receive_failed", number(stats.receive_failed));
    set(&object, "overrun", number(stats.overrun));
    return object;
}

static json_t *counters_value(const struct gossip_stats *stats)
{
    json_t *object = json_object();

    set(&object, "published", number(stats->published));
    set(&object, "delivered", number(stats->delivered));
    set(&object, "commits", number(stats->commits));
    set(&object, "exchanges", number(stats->exchanges));
    set(&object, "in_step", number(stats->in_step));
    set(&object, "pulls", number(stats->pulls));
    set(&object, "pulls_whole", number(stats->pulls_whole));
    set(&object, "datagrams_sent", number(stats->datagrams_sent));
    set(&object, "bytes_sent", number(stats->bytes_sent));
    set(&object, "bytes_received", number(stats->bytes_received));
    set(&object, "held_events", number(stats->held_events));
    set(&object, "held_bytes", number(stats->held_bytes));
    set(&object, "runs_held", number(stats->runs_held));
    set(&object, "runs_bytes", number(stats->runs_bytes));
    set(&object, "dropped", number(stats->dropped));
    set(&object, "ahead_stamps", number(stats->ahead_stamps));
    set(&object, "contested", number(stats->contested));
    set(&object, "forks_proven", number(stats->forks_proven));
    set(&object, "poisonous", number(stats->poisonous));
    set(&object, "reissued", number(stats->reissued));
    return object;
}

void json_status(const struct view *view, struct text *ret_text)
{
    json_t *object = json_object();
    struct gossip_author self;
    struct gossip_stats stats;
    struct gossip_start start;

    gossip_stats(view->gossip, &stats);
    gossip_start_state(view->gossip, &start);
    if (gossip_author(view->gossip, gossip_self(view->gossip), &self) < 0) {
        json_decref(object);
        ret_text->failed = true;
        return;
    }
    set(&object, "node", json_string(gossip_identity_name(view->identity)));
    set(&object, "version", json_string(gossip_version()));
    set(&object, "cluster", hex_value(gossip_identity_cluster(view->identity), GOSSIP_KEY_SIZE));
    set(&object, "key", hex_value(self.key, GOSSIP_KEY_SIZE));
    set(&object, "author", json_string(names_get(view->names, self.number)));
    set(&object, "author_id", hex_value(self.id, GOSSIP_ID_SIZE));
    set(&object, "epoch", hex_value(self.epoch, GOSSIP_EPOCH_SIZE));
    if (view->transport) {
        struct gossip_address address;

        view->transport->ops->address(view->transport, &address);
        set(&object, "address", address_value(&address));
    } else {
        set(&object, "address", json_null());
    }
    set(&object, "boot", number(stats.boot));
    set(&object, "clock", clock_value(view->names, gossip_clock(view->gossip)));
    set(&object, "read_only", json_boolean(stats.read_only));
    set(&object, "start", start_value(&start));
    set(&object, "standing", json_string(view_standing(view, self.key)));
    set(&object, "epochs", epochs_value(view));
    set(&object, "cuts", cuts_value(view));
    set(&object, "held", held_value(view));
    set(&object, "peers", peers_value(view));
    set(&object, "datagrams", verdicts_value(&stats));
    set(&object, "counters", counters_value(&stats));
    if (view->transport)
        set(&object, "transport", transport_value(view->transport));
    finish(object, ret_text);
}

void json_proof(const struct view *view, const struct proof_view *shown, struct text *ret_text)
{
    static const char *const branches[] = {"a", "b"};
    const struct gossip_proof *proof = &shown->proof;
    json_t *object = json_object();

    set(&object, "proof", hex_value(shown->record.id, GOSSIP_HASH_SIZE));
    if (view) {
        struct text dot = {0};

        view_add_author(view, proof->author, &dot);
        text_print(&dot, ":%" PRIu64, proof->seq);
        set(&object, "dot", text_value(&dot));
    }
    set(&object, "key", hex_value(proof->key, GOSSIP_KEY_SIZE));
    set(&object, "epoch", hex_value(proof->epoch, GOSSIP_EPOCH_SIZE));
    set(&object, "author_id", hex_value(proof->author, GOSSIP_ID_SIZE));
    set(&object, "seq", number(proof->seq));
    set(&object, "cut", number(proof->cut));
    set(&object, "a", hex_value(proof->hashes[0], GOSSIP_HASH_SIZE));
    set(&object, "b", hex_value(proof->hashes[1], GOSSIP_HASH_SIZE));
    if (view) {
        set(&object, "held", shown->held < 0 ? json_null() : json_string(branches[shown->held]));
        set(&object, "contested", number(shown->contested));
    }
    finish(object, ret_text);
}

void json_dot(const struct names *names, struct gossip_dot dot, bool repeated,
              struct text *ret_text)
{
    json_t *object = json_object();

    set(&object, "dot", dot_value(names, dot));
    if (repeated)
        set(&object, "repeated", json_true());
    finish(object, ret_text);
}

/* A string of whatever origin; where it is not UTF-8 it is shown escaped. */
static json_t *any_string(const char *string)
{
    struct text text = {0};

    if (text_is_utf8(string, strlen(string)))
        return json_string(string);
    text_add_escaped(&text, string, strlen(string), TEXT_ESCAPE_ASCII);
    return text_value(&text);
}

void json_archive(const struct gossip_archive *archive, const struct gossip_imported *imported,
                  struct text *ret_text)
{
    json_t *object = json_object();

    set(&object, "cluster", hex_value(archive->cluster, GOSSIP_KEY_SIZE));
    set(&object, "authors", number(archive->authors));
    set(&object, "events", number(archive->events));
    set(&object, "records", number(archive->records));
    if (imported) {
        set(&object, "new", number(imported->events));
        set(&object, "waiting", number(imported->waiting));
        set(&object, "refused", number(imported->refused));
    }
    finish(object, ret_text);
}

void json_recovered(const char *directory, const struct gossip_recovered *recovered,
                    uint64_t unreadable, const char *kept, bool cloned, const char *archive,
                    struct text *ret_text)
{
    json_t *object = json_object();

    set(&object, "recovered", any_string(directory));
    set(&object, "found", number(recovered->found));
    set(&object, "events", number(recovered->events));
    set(&object, "unreadable", number(unreadable));
    set(&object, "kept", kept ? json_string(kept) : json_null());
    set(&object, "cloned", json_boolean(cloned));
    set(&object, "waiting", number(recovered->waiting));
    set(&object, "archive", archive ? any_string(archive) : json_null());
    finish(object, ret_text);
}

void json_backup(const char *path, bool done, struct text *ret_text)
{
    json_t *object = json_object();

    set(&object, "backup", any_string(path));
    set(&object, "done", json_boolean(done));
    finish(object, ret_text);
}

bool json_backup_is_done(const char *data, size_t size)
{
    json_t *object = json_loadb(data, size, 0, NULL);
    bool done = json_is_true(json_object_get(object, "done"));

    json_decref(object);
    return done;
}

void json_faults(size_t count, const struct faults_stats *stats, struct text *ret_text)
{
    json_t *object = json_object();

    set(&object, "faults", number(count));
    set(&object, "cut", number(stats->cut));
    set(&object, "lost", number(stats->lost));
    set(&object, "duplicated", number(stats->duplicated));
    set(&object, "delayed", number(stats->delayed));
    set(&object, "overflowed", number(stats->overflowed));
    finish(object, ret_text);
}

void json_stopping(struct text *ret_text)
{
    json_t *object = json_object();

    set(&object, "stopping", json_true());
    finish(object, ret_text);
}

void json_fault(const char *fault, struct text *ret_text)
{
    json_t *object = json_object();

    set(&object, "fault", any_string(fault));
    finish(object, ret_text);
}

void json_note(const char *note, struct text *ret_text)
{
    json_t *object = json_object();

    set(&object, "note", any_string(note));
    finish(object, ret_text);
}

void json_verified(uint64_t events, uint64_t faults, uint64_t forks, struct text *ret_text)
{
    json_t *object = json_object();

    set(&object, "events", number(events));
    set(&object, "faults", number(faults));
    set(&object, "forks", number(forks));
    finish(object, ret_text);
}

void json_made(const struct gossip_identity *identity, const char *directory,
               const char *cluster_key, struct text *ret_text)
{
    json_t *object = json_object();

    set(&object, "node", json_string(gossip_identity_name(identity)));
    set(&object, "key", hex_value(gossip_identity_key(identity), GOSSIP_KEY_SIZE));
    set(&object, "cluster", hex_value(gossip_identity_cluster(identity), GOSSIP_KEY_SIZE));
    set(&object, "dir", any_string(directory));
    set(&object, "cluster_key", cluster_key ? any_string(cluster_key) : json_null());
    finish(object, ret_text);
}

void json_error(const char *error, const char *hint, struct text *ret_text)
{
    json_t *object = json_object();

    set(&object, "error", any_string(error));
    if (hint)
        set(&object, "hint", any_string(hint));
    finish(object, ret_text);
}

void json_problems(const char *const *words, size_t count, struct text *ret_text)
{
    json_t *object = json_object();
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        append(&list, json_string(words[i]));
    set(&object, "problems", list);
    finish(object, ret_text);
}

void json_identity(const struct gossip_identity *identity, struct text *ret_text)
{
    const struct certificate *certificate = &identity->certificate;
    json_t *object = json_object();
    json_t *rights = json_array();

    if (certificate->rights & GOSSIP_RIGHT_ADMIT)
        append(&rights, json_string("admit"));
    if (certificate->rights & GOSSIP_RIGHT_EVICT)
        append(&rights, json_string("evict"));
    set(&object, "node", json_string(certificate->name));
    set(&object, "key", hex_value(identity->key, GOSSIP_KEY_SIZE));
    set(&object, "cluster", hex_value(identity->cluster, GOSSIP_KEY_SIZE));
    set(&object, "rights", rights);
    set(&object, "issuer",
        certificate->has_issuer ? hex_value(certificate->issuer, GOSSIP_KEY_SIZE) : json_null());
    set(&object, "certificate", hex_value(certificate->bytes, certificate->size));
    finish(object, ret_text);
}

void json_line_error(const char *error, const char *hint, size_t line, struct text *ret_text)
{
    json_t *object = json_object();

    set(&object, "error", any_string(error));
    set(&object, "hint", any_string(hint));
    set(&object, "line", json_integer((json_int_t)line));
    finish(object, ret_text);
}

bool json_read_error(const char *data, size_t size, struct text *ret_text)
{
    json_t *object = json_loadb(data, size, 0, NULL);
    const char *error = json_string_value(json_object_get(object, "error"));
    const char *hint = json_string_value(json_object_get(object, "hint"));

    if (error)
        text_add_escaped(ret_text, error, strlen(error), TEXT_ESCAPE_ASCII);
    if (error && hint) {
        text_add(ret_text, "; ");
        text_add_escaped(ret_text, hint, strlen(hint), TEXT_ESCAPE_ASCII);
    }
    json_decref(object);
    return error != NULL;
}
