#include "gossip/frame.h"

#include <assert.h>
#include <string.h>

#include "gossip/bytes.h"

enum { SUPERSEDES_FIELD = 2, SUPERSEDES_HASH_FIELD = 1, PAYLOAD_FIELD = 3, ONCE_FIELD = 4 };

/* Reads the two lists without keeping anything: the walk below goes over the same bytes again. */
static bool entries_are_valid(struct reader *reader, uint32_t *ret_knowns, uint32_t *ret_news)
{
    uint64_t mention = 0;
    const uint8_t *before = NULL;
    uint64_t count = read_varint(reader);

    if (reader->failed || count > GOSSIP_CONTEXT_ENTRIES_MAX)
        return false;
    *ret_knowns = (uint32_t)count;
    for (uint32_t i = 0; i < *ret_knowns; i++) {
        uint64_t gap = read_varint(reader);
        uint64_t seq = read_varint(reader);

        if (reader->failed || gap == 0 || gap > UINT32_MAX || seq == 0 || seq > GOSSIP_COUNTER_MAX)
            return false;
        mention += gap;
        if (mention > UINT32_MAX)
            return false;
    }
    count = read_varint(reader);
    if (reader->failed || count > GOSSIP_CONTEXT_ENTRIES_MAX - *ret_knowns)
        return false;
    *ret_news = (uint32_t)count;
    for (uint32_t i = 0; i < *ret_news; i++) {
        const uint8_t *id = read_bytes(reader, GOSSIP_ID_SIZE);
        uint64_t seq = read_varint(reader);

        if (reader->failed || seq == 0 || seq > GOSSIP_COUNTER_MAX)
            return false;
        if (before != NULL && memcmp(before, id, GOSSIP_ID_SIZE) >= 0)
            return false;
        before = id;
    }
    return true;
}

bool frame_read(const uint8_t *body, size_t size, struct frame *ret_frame)
{
    struct reader reader = {body, size, 0, false};
    struct frame frame = {0};
    size_t start;

    if (size > GOSSIP_BODY_MAX)
        return false;
    frame.hlc = read_fixed(&reader, 8);
    frame.kind = read_varint(&reader);
    if (reader.failed || frame.kind == 0 || frame.kind > UINT32_MAX)
        return false;
    start = reader.offset;
    if (!entries_are_valid(&reader, &frame.known_count, &frame.new_count))
        return false;
    frame.entries = body + start;
    frame.entries_size = reader.offset - start;
    frame.fields = body + reader.offset;
    frame.fields_size = size - reader.offset;
    *ret_frame = frame;
    return true;
}

static uint64_t next_varint(struct frame_entries *entries)
{
    struct reader reader = {entries->next, (size_t)(entries->end - entries->next), 0, false};
    uint64_t value = read_varint(&reader);

    assert(!reader.failed); /* frame_read() has been here. */
    entries->next += reader.offset;
    return value;
}

struct frame_entries frame_entries(const struct frame *frame)
{
    struct frame_entries entries = {.next = frame->entries,
                                    .end = frame->entries + frame->entries_size,
                                    .knowns = frame->known_count,
                                    .news = frame->new_count};

    next_varint(&entries);
    if (entries.knowns == 0)
        next_varint(&entries);
    return entries;
}

bool frame_next(struct frame_entries *entries, struct frame_entry *ret_entry)
{
    struct frame_entry entry = {0};

    if (entries->knowns > 0) {
        entries->mention += next_varint(entries);
        entry.mention = entries->mention;
        entry.seq = next_varint(entries);
        if (--entries->knowns == 0)
            next_varint(entries); /* How many follow by id. */
    } else if (entries->news > 0) {
        entry.id = entries->next;
        entries->next += GOSSIP_ID_SIZE;
        entry.seq = next_varint(entries);
        entries->news--;
    } else {
        return false;
    }
    *ret_entry = entry;
    return true;
}

static size_t known_count(const struct frame_entry *entries, size_t count)
{
    size_t knowns = 0;

    while (knowns < count && entries[knowns].id == NULL)
        knowns++;
    return knowns;
}

size_t frame_size(uint64_t kind, const struct frame_entry *entries, size_t count)
{
    size_t knowns = known_count(entries, count);
    size_t size = 8 + varint_size(kind) + varint_size(knowns) + varint_size(count - knowns);
    uint64_t before = 0;

    for (size_t i = 0; i < count; i++) {
        size += i < knowns ? varint_size(entries[i].mention - before) : GOSSIP_ID_SIZE;
        size += varint_size(entries[i].seq);
        before = entries[i].mention;
    }
    return size;
}

void frame_write(uint8_t *ret_bytes, uint64_t hlc, uint64_t kind, const struct frame_entry *entries,
                 size_t count)
{
    size_t knowns = known_count(entries, count);
    struct writer writer = {ret_bytes, frame_size(kind, entries, count), 0, false};
    uint64_t before = 0;

    assert(count <= GOSSIP_CONTEXT_ENTRIES_MAX);
    write_fixed(&writer, hlc, 8);
    write_varint(&writer, kind);
    write_varint(&writer, knowns);
    for (size_t i = 0; i < knowns; i++) {
        assert(entries[i].mention > before);
        write_varint(&writer, entries[i].mention - before);
        write_varint(&writer, entries[i].seq);
        before = entries[i].mention;
    }
    write_varint(&writer, count - knowns);
    for (size_t i = knowns; i < count; i++) {
        assert(i == knowns || memcmp(entries[i - 1].id, entries[i].id, GOSSIP_ID_SIZE) < 0);
        write_bytes(&writer, entries[i].id, GOSSIP_ID_SIZE);
        write_varint(&writer, entries[i].seq);
    }
    assert(!writer.failed && writer.size == writer.capacity);
}

static size_t bytes_field_size(size_t size)
{
    return 1 + varint_size(size) + size;
}

static void write_bytes_field(uint8_t *ret_bytes, unsigned number, const void *data, size_t size)
{
    struct writer writer = {ret_bytes, bytes_field_size(size), 0, false};

    write_varint(&writer, number << 3 | 2);
    write_varint(&writer, size);
    write_bytes(&writer, data, size);
    assert(!writer.failed);
}

size_t payload_field_size(size_t payload_size)
{
    return bytes_field_size(payload_size);
}

void payload_field_write(uint8_t *ret_bytes, const void *payload, size_t payload_size)
{
    write_bytes_field(ret_bytes, PAYLOAD_FIELD, payload, payload_size);
}

size_t once_field_size(size_t once_size)
{
    return bytes_field_size(once_size);
}

void once_field_write(uint8_t *ret_bytes, const uint8_t *once, size_t once_size)
{
    assert(once_size > 0 && once_size <= GOSSIP_ONCE_MAX);
    write_bytes_field(ret_bytes, ONCE_FIELD, once, once_size);
}

/* Finds a field of type bytes among protobuf fields: the last of its number. Unknown ones are
 * passed over. False where they cannot be read, or it is not there. */
static bool find_bytes(const uint8_t *fields, size_t fields_size, unsigned number,
                       const uint8_t **ret_data, size_t *ret_size)
{
    struct reader reader = {fields, fields_size, 0, false};
    const uint8_t *found = NULL;
    size_t found_size = 0;

    while (!reader.failed && reader.offset < reader.size) {
        uint64_t tag = read_varint(&reader);
        uint64_t size;

        if (reader.failed || tag >> 3 == 0)
            return false;
        switch (tag & 7) {
        case 0:
            read_varint(&reader);
            break;
        case 1:
            read_bytes(&reader, 8);
            break;
        case 2:
            size = read_varint(&reader);
            if (reader.failed || size > reader.size - reader.offset)
                return false;
            if (tag >> 3 == number) {
                found = reader.data + reader.offset;
                found_size = (size_t)size;
            }
            read_bytes(&reader, (size_t)size);
            break;
        case 5:
            read_bytes(&reader, 4);
            break;
        default:
            return false; /* Groups, and what no version of protobuf knows. */
        }
    }
    if (reader.failed || found == NULL)
        return false;
    *ret_data = found;
    *ret_size = found_size;
    return true;
}

bool payload_find(const struct frame *frame, const uint8_t **ret_payload, size_t *ret_size)
{
    return find_bytes(frame->fields, frame->fields_size, PAYLOAD_FIELD, ret_payload, ret_size);
}

bool once_field_find(const struct frame *frame, const uint8_t **ret_once, size_t *ret_size)
{
    const uint8_t *once;
    size_t size;

    if (!find_bytes(frame->fields, frame->fields_size, ONCE_FIELD, &once, &size) || size == 0 ||
        size > GOSSIP_ONCE_MAX)
        return false;
    *ret_once = once;
    *ret_size = size;
    return true;
}

bool supersedes_find(const struct frame *frame, const uint8_t **ret_hash)
{
    const uint8_t *message;
    const uint8_t *hash;
    size_t size;

    if (!find_bytes(frame->fields, frame->fields_size, SUPERSEDES_FIELD, &message, &size) ||
        !find_bytes(message, size, SUPERSEDES_HASH_FIELD, &hash, &size) || size != GOSSIP_HASH_SIZE)
        return false;
    *ret_hash = hash;
    return true;
}

void supersedes_field_write(uint8_t ret_bytes[SUPERSEDES_FIELD_SIZE],
                            const uint8_t hash[GOSSIP_HASH_SIZE])
{
    struct writer writer = {ret_bytes, SUPERSEDES_FIELD_SIZE, 0, false};

    write_varint(&writer, SUPERSEDES_FIELD << 3 | 2);
    write_varint(&writer, 2 + GOSSIP_HASH_SIZE);
    write_varint(&writer, SUPERSEDES_HASH_FIELD << 3 | 2);
    write_varint(&writer, GOSSIP_HASH_SIZE);
    write_bytes(&writer, hash, GOSSIP_HASH_SIZE);
    assert(!writer.failed && writer.size == SUPERSEDES_FIELD_SIZE);
}
