#include "store/record.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/gossip.h"

static int refuse(struct explanation *explanation, const char *kind, uint64_t key, const char *why)
{
    explanation_set(explanation, "%s %" PRIu64 " cannot be stored: %s", kind, key, why);
    return GOSSIP_ERR_INVALID;
}

static bool too_great(uint64_t number)
{
    return number > INT64_MAX;
}

static int check_meta(const struct gossip_meta_record *meta, struct explanation *explanation)
{
    const char *why = NULL;

    if (meta->name == NULL || meta->name[0] == '\0')
        why = "it has no name";
    else if (meta->bytes == NULL && too_great(meta->number))
        why = "its number is past 2^63 - 1";
    else if (meta->bytes != NULL && meta->size > RECORD_BYTES_MAX)
        why = "its bytes are too many";
    if (why == NULL)
        return GOSSIP_OK;
    explanation_set(explanation, "meta %s cannot be stored: %s",
                    meta->name == NULL ? "" : meta->name, why);
    return GOSSIP_ERR_INVALID;
}

static int check_author(const struct gossip_author_record *author, struct explanation *explanation)
{
    if (too_great(author->have) || too_great(author->floor) || too_great(author->cut) ||
        too_great(author->mentions) || too_great(author->unsealed_size))
        return refuse(explanation, "author", author->number, "a number is past 2^63 - 1");
    return GOSSIP_OK;
}

static int check_mention(const struct gossip_mention_record *mention,
                         struct explanation *explanation)
{
    if (mention->index == 0 || too_great(mention->index))
        return refuse(explanation, "mention", mention->index, "its index is not of 1 to 2^63 - 1");
    return GOSSIP_OK;
}

static int check_event(const struct gossip_event_record *event, struct explanation *explanation)
{
    if (event->delivery == 0 || too_great(event->delivery))
        return refuse(explanation, "event", event->delivery,
                      "its delivery number is not of 1 to 2^63 - 1");
    if (event->seq == 0 || too_great(event->seq))
        return refuse(explanation, "event", event->delivery, "its seq is not of 1 to 2^63 - 1");
    if (event->body == NULL && event->body_size > 0)
        return refuse(explanation, "event", event->delivery, "it has no body");
    if (event->body_size > RECORD_BYTES_MAX ||
        (event->context != NULL && event->context_size > RECORD_BYTES_MAX))
        return refuse(explanation, "event", event->delivery, "its bytes are too many");
    return GOSSIP_OK;
}

static int check_signed(const struct gossip_signed_record *record, struct explanation *explanation)
{
    if (record->bytes == NULL && record->size > 0)
        return refuse(explanation, "signed record of type", record->type, "it has no bytes");
    if (record->size > RECORD_BYTES_MAX)
        return refuse(explanation, "signed record of type", record->type, "its bytes are too many");
    return GOSSIP_OK;
}

int record_check(const struct gossip_record *record, struct explanation *explanation)
{
    switch (record->kind) {
    case GOSSIP_RECORD_META:
        return check_meta(&record->as.meta, explanation);
    case GOSSIP_RECORD_AUTHOR:
        return check_author(&record->as.author, explanation);
    case GOSSIP_RECORD_MENTION:
        return check_mention(&record->as.mention, explanation);
    case GOSSIP_RECORD_EVENT:
        return check_event(&record->as.event, explanation);
    case GOSSIP_RECORD_SIGNED:
        return check_signed(&record->as.signed_record, explanation);
    case GOSSIP_RECORD_PEER:
        return GOSSIP_OK;
    }
    return refuse(explanation, "record of kind", (uint64_t)record->kind, "there is no such kind");
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int record_compare(const struct gossip_record *a, const struct gossip_record *b)
{
    int order = 0;

    switch (a->kind) {
    case GOSSIP_RECORD_META:
        return strcmp(a->as.meta.name, b->as.meta.name);
    case GOSSIP_RECORD_AUTHOR:
        return compare_numbers(a->as.author.number, b->as.author.number);
    case GOSSIP_RECORD_MENTION:
        order = compare_numbers(a->as.mention.author, b->as.mention.author);
        return order != 0 ? order : compare_numbers(a->as.mention.index, b->as.mention.index);
    case GOSSIP_RECORD_EVENT:
        return compare_numbers(a->as.event.delivery, b->as.event.delivery);
    case GOSSIP_RECORD_SIGNED:
        return memcmp(a->as.signed_record.id, b->as.signed_record.id, GOSSIP_HASH_SIZE);
    case GOSSIP_RECORD_PEER:
        return memcmp(a->as.peer.key, b->as.peer.key, GOSSIP_KEY_SIZE);
    }
    return order;
}

/* NULL equals only NULL: no context is not an empty one. */
static bool same_bytes(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    if (a == NULL || b == NULL)
        return a == NULL && b == NULL;
    return a_size == b_size && memcmp(a, b, a_size) == 0;
}

static bool same_body(const struct gossip_event_record *a, const struct gossip_event_record *b)
{
    return a->body_size == b->body_size &&
           (a->body_size == 0 || memcmp(a->body, b->body, a->body_size) == 0);
}

int record_resave(const struct gossip_event_record *stored, const struct gossip_event_record *event,
                  bool *ret_adds_seal, struct explanation *explanation)
{
    const char *differs = NULL;

    if (stored->delivery != event->delivery)
        differs = "another delivery number";
    else if (stored->author != event->author || stored->seq != event->seq)
        differs = "another dot";
    else if (memcmp(stored->hash, event->hash, GOSSIP_HASH_SIZE) != 0)
        differs = "another hash";
    else if (!same_body(stored, event))
        differs = "another body";
    else if (!same_bytes(stored->context, stored->context_size, event->context,
                         event->context_size))
        differs = "another context";
    else if (stored->seal != NULL && event->seal != NULL &&
             memcmp(stored->seal, event->seal, GOSSIP_SIGNATURE_SIZE) != 0)
        differs = "another seal";
    if (differs != NULL) {
        explanation_set(explanation,
                        "event %" PRIu64 " (author %" PRIu32 ", seq %" PRIu64
                        ") is stored already, with %s",
                        event->delivery, event->author, event->seq, differs);
        return GOSSIP_ERR_EXISTS;
    }
    *ret_adds_seal = stored->seal == NULL && event->seal != NULL;
    return GOSSIP_OK;
}

int record_out_of_order(const struct gossip_event_record *event, uint64_t last,
                        struct explanation *explanation)
{
    explanation_set(explanation,
                    "event %" PRIu64 " (author %" PRIu32 ", seq %" PRIu64
                    ") cannot be stored: %" PRIu64 " have been delivered before",
                    event->delivery, event->author, event->seq, last);
    return GOSSIP_ERR_INVALID;
}

static const uint8_t ipv4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

void record_address_to_text(const struct gossip_address *address,
                            char ret_text[RECORD_ADDRESS_TEXT_MAX])
{
    bool ipv4 = memcmp(address->ip, ipv4_prefix, sizeof(ipv4_prefix)) == 0;
    char host[INET6_ADDRSTRLEN] = "";

    /* Cannot fail: the family is known and the room suffices. */
    if (ipv4)
        inet_ntop(AF_INET, address->ip + sizeof(ipv4_prefix), host, sizeof(host));
    else
        inet_ntop(AF_INET6, address->ip, host, sizeof(host));
    snprintf(ret_text, RECORD_ADDRESS_TEXT_MAX, ipv4 ? "%s:%u" : "[%s]:%u", host, address->port);
}

static bool read_port(const char *text, uint16_t *ret_port)
{
    unsigned long port = 0;
    size_t size = strlen(text);

    if (size == 0 || size > 5 || strspn(text, "0123456789") != size)
        return false;
    port = strtoul(text, NULL, 10);
    if (port > UINT16_MAX)
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

bool record_address_from_text(const char *text, struct gossip_address *ret_address)
{
    struct gossip_address address = {{0}, 0};
    bool bracketed = text[0] == '[';
    const char *start = bracketed ? text + 1 : text;
    const char *end = bracketed ? strchr(start, ']') : strchr(start, ':');
    char host[INET6_ADDRSTRLEN];

    if (end == NULL || (size_t)(end - start) >= sizeof(host))
        return false;
    memcpy(host, start, (size_t)(end - start));
    host[end - start] = '\0';
    if (bracketed)
        end++;
    if (*end != ':' || !read_port(end + 1, &address.port))
        return false;
    if (bracketed) {
        if (inet_pton(AF_INET6, host, address.ip) != 1)
            return false;
    } else {
        memcpy(address.ip, ipv4_prefix, sizeof(ipv4_prefix));
        if (inet_pton(AF_INET, host, address.ip + sizeof(ipv4_prefix)) != 1)
            return false;
    }
    *ret_address = address;
    return true;
}
