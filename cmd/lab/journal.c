#include "cmd/lab/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/lab/room.h"

void journal_start(struct journal *journal, unsigned node_count)
{
    *journal = (struct journal){.node_count = node_count};
    journal->nodes = room_new(node_count * sizeof(*journal->nodes));
}

void journal_add_node(struct journal *journal)
{
    size_t capacity = journal->node_count;

    journal->nodes =
        room_for(journal->nodes, &capacity, journal->node_count + 1, sizeof(*journal->nodes));
    journal->nodes[journal->node_count++] = (struct journal_node){0};
}

void journal_clear(struct journal *journal)
{
    for (size_t i = 0; i < journal->entry_count; i++) {
        free(journal->entries[i].text);
        counts_clear(&journal->entries[i].clock);
    }
    for (size_t i = 0; i < journal->event_count; i++) {
        counts_clear(&journal->events[i].clock);
        counts_clear(&journal->events[i].past);
        free(journal->events[i].text);
    }
    for (unsigned i = 0; i < journal->node_count; i++) {
        struct journal_node *node = &journal->nodes[i];

        event_set_clear(&node->shown);
        event_set_clear(&node->ever);
        event_set_clear(&node->kept);
        counts_clear(&node->seen);
        counts_clear(&node->kept_seen);
        counts_clear(&node->clock);
    }
    free(journal->entries);
    free(journal->places);
    free(journal->events);
    free(journal->authors);
    free(journal->nodes);
    *journal = (struct journal){0};
}

static char *copy_text(const void *text, size_t size)
{
    char *copy = room_new(size + 1);

    if (size > 0)
        memcpy(copy, text, size);
    return copy;
}

static struct journal_entry *add(struct journal *journal, enum journal_kind kind, uint64_t time_ms,
                                 unsigned line, unsigned node)
{
    struct journal_entry *entry;

    journal->entries = room_for(journal->entries, &journal->entry_capacity,
                                journal->entry_count + 1, sizeof(*journal->entries));
    entry = &journal->entries[journal->entry_count++];
    *entry = (struct journal_entry){
        .kind = kind, .time_ms = time_ms, .line = line, .node = node, .event = JOURNAL_NONE};
    return entry;
}

uint32_t journal_author(struct journal *journal, const uint8_t id[GOSSIP_ID_SIZE], unsigned node)
{
    unsigned epoch = 1;
    struct journal_author *author;

    for (size_t i = 0; i < journal->author_count; i++) {
        if (memcmp(journal->authors[i].id, id, GOSSIP_ID_SIZE) == 0)
            return (uint32_t)i;
        epoch += journal->authors[i].node == node;
    }
    journal->authors = room_for(journal->authors, &journal->author_capacity,
                                journal->author_count + 1, sizeof(*journal->authors));
    author = &journal->authors[journal->author_count];
    memcpy(author->id, id, GOSSIP_ID_SIZE);
    author->node = node;
    author->epoch = epoch;
    return (uint32_t)journal->author_count++;
}

/* Where an event with this hash stands in the table, or would stand. */
static uint32_t *find_place(const struct journal *journal, const uint8_t hash[GOSSIP_HASH_SIZE])
{
    size_t place;

    memcpy(&place, hash, sizeof(place));
    for (place &= journal->place_count - 1; journal->places[place] != 0;
         place = (place + 1) & (journal->place_count - 1)) {
        const struct journal_event *event = &journal->events[journal->places[place] - 1];

        if (memcmp(event->hash, hash, GOSSIP_HASH_SIZE) == 0)
            break;
    }
    return &journal->places[place];
}

static void add_place(struct journal *journal, uint32_t event)
{
    if (2 * (size_t)(event + 1) > journal->place_count) {
        free(journal->places);
        journal->place_count = journal->place_count == 0 ? 64 : 2 * journal->place_count;
        journal->places = room_new(journal->place_count * sizeof(*journal->places));
        for (uint32_t i = 0; i < event; i++)
            *find_place(journal, journal->events[i].hash) = i + 1;
    }
    *find_place(journal, journal->events[event].hash) = event + 1;
}

uint32_t journal_find_hash(const struct journal *journal, const uint8_t hash[GOSSIP_HASH_SIZE])
{
    uint32_t found = journal->place_count == 0 ? 0 : *find_place(journal, hash);

    return found == 0 ? JOURNAL_NONE : found - 1;
}

uint32_t journal_find(const struct journal *journal, struct script_dot dot)
{
    for (size_t i = 0; i < journal->event_count; i++) {
        const struct journal_author *author = &journal->authors[journal->events[i].author];

        if (author->node == dot.node && author->epoch == dot.epoch &&
            journal->events[i].seq == dot.seq)
            return (uint32_t)i;
    }
    return JOURNAL_NONE;
}

void journal_done(struct journal *journal, uint64_t time_ms, unsigned line, const char *text)
{
    add(journal, JOURNAL_DONE, time_ms, line, 0)->text = copy_text(text, strlen(text));
}

void journal_asked(struct journal *journal, uint64_t time_ms, unsigned line, unsigned node)
{
    add(journal, JOURNAL_ASKED, time_ms, line, node);
}

static uint32_t find_seq(const struct journal *journal, uint32_t author, uint64_t seq)
{
    for (size_t i = 0; i < journal->event_count; i++)
        if (journal->events[i].author == author && journal->events[i].seq == seq)
            return (uint32_t)i;
    return JOURNAL_NONE;
}

uint32_t journal_first_of(const struct journal *journal, uint32_t index)
{
    const struct journal_event *event = &journal->events[index];

    return journal->authors[event->author].is_forked ? find_seq(journal, event->author, event->seq)
                                                     : index;
}

static uint32_t add_event(struct journal *journal, uint64_t time_ms,
                          const struct journal_shown *shown)
{
    uint32_t number = journal_author(journal, shown->id, shown->author_node);
    struct journal_author *author = &journal->authors[number];
    struct journal_event *event;

    /* Mostly they come up in their order, and nothing is looked for. */
    if (shown->seq <= author->last && find_seq(journal, number, shown->seq) != JOURNAL_NONE)
        author->is_forked = true;
    if (shown->seq > author->last)
        author->last = shown->seq;
    journal->events = room_for(journal->events, &journal->event_capacity, journal->event_count + 1,
                               sizeof(*journal->events));
    event = &journal->events[journal->event_count];
    *event = (struct journal_event){.author = number,
                                    .seq = shown->seq,
                                    .node = shown->author_node,
                                    .is_reissue = shown->supersedes != NULL,
                                    .is_payload = shown->is_payload,
                                    .time_ms = time_ms,
                                    .size = shown->size};
    memcpy(event->hash, shown->hash, GOSSIP_HASH_SIZE);
    if (shown->supersedes)
        memcpy(event->supersedes, shown->supersedes, GOSSIP_HASH_SIZE);
    counts_copy(&event->clock, shown->clock);
    event->text = copy_text(shown->data, shown->size);
    add_place(journal, (uint32_t)journal->event_count);
    return (uint32_t)journal->event_count++;
}

/* Whether a covers b, but for authors that have forked: a cut ends what is counted of those. */
static bool covers(const struct journal *journal, const struct counts *a, const struct counts *b)
{
    for (uint32_t i = 0; i < journal->author_count; i++)
        if (!journal->authors[i].is_forked && counts_get(a, i) < counts_get(b, i))
            return false;
    return true;
}

/* Whether a node that has seen so much has all causes of event. What its writer had shown is the
 * truth; until the writer is heard there is only what the event says itself. */
static bool has_causes(const struct journal *journal, const struct counts *seen,
                       const struct journal_event *event)
{
    struct counts causes = {0};
    bool has;

    counts_copy(&causes, event->is_published ? &event->past : &event->clock);
    if (!event->is_published)
        counts_set(&causes, event->author, event->seq - 1);
    has = covers(journal, seen, &causes);
    counts_clear(&causes);
    return has;
}

void journal_shown(struct journal *journal, uint64_t time_ms, unsigned number,
                   const struct journal_shown *shown)
{
    struct journal_node *node = &journal->nodes[number];
    uint32_t index = journal_find_hash(journal, shown->hash);
    struct journal_event *event;
    struct journal_entry *entry;
    bool is_new;

    if (index == JOURNAL_NONE)
        index = add_event(journal, time_ms, shown);
    event = &journal->events[index];
    is_new = shown->is_own && !event->is_published;
    if (is_new) {
        event->is_published = true;
        event->node = number;
        event->time_ms = time_ms;
        counts_copy(&event->past, &node->seen);
    }
    entry = add(journal, is_new ? JOURNAL_PUBLISHED : JOURNAL_DELIVERED, time_ms, 0, number);
    entry->event = index;
    entry->is_again = event_set_has(&node->ever, index);
    entry->is_early = !has_causes(journal, &node->seen, event);
    if (entry->is_early)
        counts_copy(&entry->clock, &node->seen);
    event_set_add(&node->shown, index);
    event_set_add(&node->ever, index);
    if (counts_get(&node->seen, event->author) < event->seq)
        counts_set(&node->seen, event->author, event->seq);
    journal->version++;
}

void journal_started(struct journal *journal, uint64_t time_ms, unsigned node)
{
    add(journal, JOURNAL_STARTED, time_ms, 0, node);
    journal->nodes[node].is_up = true;
    journal->nodes[node].has_run = true;
    journal->nodes[node].has_clock = false;
    journal->nodes[node].starts++;
    journal->version++;
}

void journal_ended(struct journal *journal, uint64_t time_ms, unsigned line, unsigned node,
                   int code, const char *text)
{
    struct journal_entry *entry = add(journal, JOURNAL_ENDED, time_ms, line, node);

    entry->code = code;
    if (text)
        entry->text = copy_text(text, strlen(text));
    journal->nodes[node].is_up = false;
    journal->nodes[node].is_paused = false;
    journal->nodes[node].code = code;
    journal->nodes[node].ended_by_itself = line == 0;
    journal->version++;
}

void journal_paused(struct journal *journal, unsigned node, bool is_paused)
{
    journal->nodes[node].is_paused = is_paused;
    journal->version++;
}

void journal_backed_up(struct journal *journal, unsigned number)
{
    struct journal_node *node = &journal->nodes[number];

    event_set_copy(&node->kept, &node->shown);
    counts_copy(&node->kept_seen, &node->seen);
    node->has_backup = true;
}

void journal_cloned(struct journal *journal, unsigned number, unsigned copy)
{
    const struct journal_node *node = &journal->nodes[number];

    event_set_copy(&journal->nodes[copy].shown, &node->shown);
    event_set_copy(&journal->nodes[copy].ever, &node->ever);
    counts_copy(&journal->nodes[copy].seen, &node->seen);
}

void journal_restored(struct journal *journal, uint64_t time_ms, unsigned line, unsigned number)
{
    struct journal_node *node = &journal->nodes[number];

    add(journal, JOURNAL_RESTORED, time_ms, line, number);
    event_set_copy(&node->shown, &node->kept);
    event_set_copy(&node->ever, &node->kept);
    counts_copy(&node->seen, &node->kept_seen);
    counts_clear(&node->clock);
    node->has_clock = false;
    journal->version++;
}

void journal_clock(struct journal *journal, uint64_t time_ms, unsigned number,
                   const struct counts *clock)
{
    struct journal_node *node = &journal->nodes[number];
    struct journal_entry *entry;

    if (node->has_clock && counts_equal(&node->clock, clock))
        return;
    entry = add(journal, JOURNAL_CLOCK, time_ms, 0, number);
    entry->is_early = !covers(journal, clock, &node->clock);
    counts_copy(&entry->clock, clock);
    counts_copy(&node->clock, clock);
    node->has_clock = true;
    journal->version++;
}

void journal_traffic(struct journal *journal, uint64_t time_ms, uint64_t datagrams, uint64_t bytes)
{
    struct journal_entry *entry = add(journal, JOURNAL_TRAFFIC, time_ms, 0, 0);

    entry->datagrams = datagrams;
    entry->bytes = bytes;
}

void journal_notice(struct journal *journal, uint64_t time_ms, unsigned node, const char *text)
{
    add(journal, JOURNAL_NOTICE, time_ms, 0, node)->text = copy_text(text, strlen(text));
}

void journal_checked(struct journal *journal, uint64_t time_ms, unsigned line, const char *text,
                     bool is_telling)
{
    struct journal_entry *entry = add(journal, JOURNAL_CHECKED, time_ms, line, 0);

    entry->text = copy_text(text, strlen(text));
    entry->is_telling = is_telling;
}

uint64_t journal_count_shown(const struct journal *journal, unsigned node)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < journal->event_count; i++)
        count += journal->events[i].is_payload && event_set_has(&journal->nodes[node].shown, i);
    return count;
}

bool journal_has(const struct journal *journal, unsigned node, uint32_t index)
{
    const struct event_set *shown = &journal->nodes[node].shown;
    const struct journal_event *event = &journal->events[index];

    if (event_set_has(shown, index))
        return true;
    for (size_t i = 0; i < journal->event_count; i++) {
        const struct journal_event *other = &journal->events[i];

        if (!event_set_has(shown, (uint32_t)i))
            continue;
        if (other->is_reissue && memcmp(other->supersedes, event->hash, GOSSIP_HASH_SIZE) == 0)
            return true;
        if (event->is_reissue && memcmp(event->supersedes, other->hash, GOSSIP_HASH_SIZE) == 0)
            return true;
    }
    return false;
}

static void author_text(const struct journal_author *author, const struct script *script,
                        char *ret_text, size_t size)
{
    if (author->epoch == 1)
        snprintf(ret_text, size, "%s", script->nodes[author->node].name);
    else
        snprintf(ret_text, size, "%s'%u", script->nodes[author->node].name, author->epoch);
}

void journal_dot_text(const struct journal *journal, const struct script *script, uint32_t event,
                      char *ret_text, size_t size)
{
    char name[SCRIPT_NAME_MAX + 16];

    author_text(&journal->authors[journal->events[event].author], script, name, sizeof(name));
    snprintf(ret_text, size, "%s:%" PRIu64, name, journal->events[event].seq);
}

void journal_clock_text(const struct journal *journal, const struct script *script,
                        const struct counts *clock, char *ret_text, size_t size)
{
    size_t used = (size_t)snprintf(ret_text, size, "{");

    for (unsigned node = 0; node < script->node_count; node++) {
        for (uint32_t i = 0; i < journal->author_count && used < size; i++) {
            char name[SCRIPT_NAME_MAX + 16];

            if (journal->authors[i].node != node || counts_get(clock, i) == 0)
                continue;
            author_text(&journal->authors[i], script, name, sizeof(name));
            used += (size_t)snprintf(ret_text + used, size - used, "%s%s:%" PRIu64,
                                     used > 1 ? " " : "", name, counts_get(clock, i));
        }
    }
    if (used < size)
        snprintf(ret_text + used, size - used, "}");
}
