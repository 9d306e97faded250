/*
 * Who is who, and where: hellos and welcomes, certificates, tokens, and the addresses that nodes
 * pass on. State about an address is taken up only when it has been proven: the responder's by the
 * nonce it echoes, the initiator's by the token it echoes.
 */
#include "gossip/state.h"

#include <assert.h>
#include <string.h>

#include "gossip/bytes.h"

enum {
    /* Hellos cost signatures, and anybody who has the cluster secret can send them. */
    HELLOS_PER_SECOND = 100,
    INTRODUCED_TO = 4,
    ADDRESSES_SHOWN = 30, /* What fits a datagram. */
    TOKEN_FRESH_MS = GOSSIP_TOKEN_SLOT_MS,
};

static bool is_self(const struct gossip_node *node, const uint8_t *key)
{
    return memcmp(key, node->identity->key, GOSSIP_KEY_SIZE) == 0;
}

int greet_add_member(struct gossip_node *node, const struct certificate *certificate)
{
    const struct signed_record *record;
    uint32_t number = peers_find_key(&node->peers, certificate->key);
    int error;

    if (records_find(&node->records, certificate->id) == NULL) {
        error = records_add(&node->records, node->crypto, certificate->bytes, certificate->size,
                            &record);
        if (error < 0)
            return error;
        records_hash(&node->records, node->crypto, node->set);
    }
    if (is_self(node, certificate->key))
        return GOSSIP_OK;
    if (number != NO_PEER) {
        struct peer *peer = node->peers.items[number];

        /* One key may have several certificates. The least id counts, whatever came first. */
        if (memcmp(certificate->id, peer->certificate.id, GOSSIP_HASH_SIZE) < 0)
            peer->certificate = *certificate;
        return GOSSIP_OK;
    }
    return peers_add(&node->peers, certificate, &number);
}

static int save_certificate(struct gossip_node *node, const struct certificate *certificate)
{
    struct gossip_record record = {.kind = GOSSIP_RECORD_SIGNED};

    record.as.signed_record.type = GOSSIP_SIGNED_CERTIFICATE;
    memcpy(record.as.signed_record.id, certificate->id, GOSSIP_HASH_SIZE);
    record.as.signed_record.bytes =
        arena_copy(&node->batch.arena, certificate->bytes, certificate->size);
    record.as.signed_record.size = certificate->size;
    if (record.as.signed_record.bytes == NULL)
        return GOSSIP_ERR_NOMEM;
    return batch_save(&node->batch, &record);
}

static int admit(struct gossip_node *node, const struct certificate *certificate)
{
    int error;

    if (records_find(&node->records, certificate->id) != NULL)
        return GOSSIP_OK;
    error = save_certificate(node, certificate);
    if (error < 0)
        return error;
    error = greet_add_member(node, certificate);
    if (error < 0)
        return error;
    node_wake(node);
    return node_notice(node, GOSSIP_NOTICE_MEMBER, peers_find_key(&node->peers, certificate->key),
                       (struct gossip_dot){0}, 0);
}

void greet_start(struct gossip_node *node)
{
    node->hello_budget = HELLOS_PER_SECOND;
    node->hello_refill_ms = node->now_ms;
}

const struct certificate *greet_certificate(const struct gossip_node *node, const uint8_t *key)
{
    uint32_t peer = peers_find_key(&node->peers, key);

    if (peer != NO_PEER)
        return &node->peers.items[peer]->certificate;
    return is_self(node, key) ? &node->identity->certificate : NULL;
}

bool greet_known_issuer(const struct gossip_node *node, const uint8_t *key, uint32_t right,
                        struct certificate *ret_issuer)
{
    struct wire_arena arena;

    for (size_t i = 0; i < node->records.count; i++) {
        const struct signed_record *record = node->records.items[i];

        if (certificate_read(node->crypto, &arena, record->bytes, record->size, ret_issuer) &&
            !ret_issuer->has_issuer && (ret_issuer->rights & right) != 0 &&
            memcmp(ret_issuer->key, key, GOSSIP_KEY_SIZE) == 0)
            return true;
    }
    return false;
}

enum gossip_verdict greet_admit(struct gossip_node *node, struct wire_bytes bytes,
                                struct wire_bytes issuer_bytes, uint32_t *ret_peer, int *ret_error)
{
    struct wire_arena arena; /* The bytes may be lent from the node's own. */
    struct certificate certificate;
    struct certificate issuer;
    bool has_issuer = false;

    if (!certificate_read(node->crypto, &arena, bytes.data, bytes.size, &certificate))
        return GOSSIP_DATAGRAM_MALFORMED;
    if (records_find(&node->records, certificate.id) == NULL) {
        if (node->read_only)
            return GOSSIP_DATAGRAM_NO_ROOM;
        if (certificate.has_issuer) {
            if (issuer_bytes.data != NULL) {
                if (!certificate_read(node->crypto, &arena, issuer_bytes.data, issuer_bytes.size,
                                      &issuer))
                    return GOSSIP_DATAGRAM_MALFORMED;
                has_issuer = true;
            } else {
                has_issuer =
                    greet_known_issuer(node, certificate.issuer, GOSSIP_RIGHT_ADMIT, &issuer);
                if (!has_issuer)
                    return GOSSIP_DATAGRAM_NO_ROOM; /* Asked for again, when the issuer is known. */
            }
        }
        if (!certificate_verify(node->crypto, node->identity->cluster, &certificate,
                                has_issuer ? &issuer : NULL))
            return GOSSIP_DATAGRAM_FORGED;
        if (has_issuer)
            *ret_error = admit(node, &issuer);
        if (*ret_error >= 0)
            *ret_error = admit(node, &certificate);
        if (*ret_error < 0)
            return GOSSIP_DATAGRAM_NO_ROOM;
    }
    *ret_peer =
        is_self(node, certificate.key) ? NO_PEER : peers_find_key(&node->peers, certificate.key);
    return GOSSIP_DATAGRAM_ACCEPTED;
}

enum gossip_verdict greet_introduced(struct gossip_node *node,
                                     const struct wire_introduction *introduction,
                                     uint32_t *ret_peer, int *ret_error)
{
    enum gossip_verdict verdict =
        greet_admit(node, introduction->certificate, introduction->issuer, ret_peer, ret_error);

    if (*ret_error < 0 || verdict != GOSSIP_DATAGRAM_ACCEPTED)
        return verdict;
    if (memcmp(introduction->key,
               *ret_peer == NO_PEER ? node->identity->key
                                    : node->peers.items[*ret_peer]->certificate.key,
               GOSSIP_KEY_SIZE) != 0)
        return GOSSIP_DATAGRAM_MALFORMED; /* Another's certificate. */
    return GOSSIP_DATAGRAM_ACCEPTED;
}

/* What hellos and welcomes of ours have in common. */
static struct wire_hello own_hello(const struct gossip_node *node, const uint8_t *nonce)
{
    const struct gossip_identity *identity = node->identity;
    struct wire_hello message = {
        .certificate = {identity->certificate.bytes, identity->certificate.size},
        .boot_count = node->boot_count,
        .boot_id = node->boot_id,
        .nonce = nonce,
    };

    if (identity->has_issuer)
        message.issuer = (struct wire_bytes){identity->issuer.bytes, identity->issuer.size};
    return message;
}

static int send_hello(struct gossip_node *node, struct target *target)
{
    uint8_t data[GOSSIP_HELLO_SIZE];
    struct wire_hello message;
    size_t size;

    struct sent_hello *hello = &target->hellos[target->sent++ % HELLOS_KEPT];

    random_bytes(&node->random, hello->nonce, sizeof(hello->nonce));
    hello->waiting = true;
    hello->sent_ms = node->now_ms;
    message = own_hello(node, hello->nonce);
    size = greeting_write(node->crypto, node->identity, DATAGRAM_HELLO, &message, NULL, data);
    return batch_send(&node->batch, &target->address, data, size);
}

static int send_welcome_to(struct gossip_node *node, const uint8_t *receiver, uint64_t counter,
                           const struct gossip_address *address, const struct wire_hello *hello)
{
    uint8_t data[GOSSIP_HELLO_SIZE];
    uint8_t nonce[GOSSIP_NONCE_SIZE];
    uint8_t token[GOSSIP_TOKEN_SIZE];
    struct wire_hello message;
    size_t size;

    random_bytes(&node->random, nonce, sizeof(nonce));
    token_make(node->crypto, node->token_key, address, receiver, hello->boot_id,
               node->now_ms / GOSSIP_TOKEN_SLOT_MS, token);
    message = own_hello(node, nonce);
    message.echo = hello->nonce;
    message.token = token;
    message.has_counter = true;
    message.counter = counter;
    size = greeting_write(node->crypto, node->identity, DATAGRAM_WELCOME, &message, receiver, data);
    return batch_send(&node->batch, address, data, size);
}

static int send_welcome(struct gossip_node *node, uint32_t number,
                        const struct gossip_address *address, const struct wire_hello *hello)
{
    const struct peer *peer = node->peers.items[number];

    return send_welcome_to(node, peer->certificate.node, peer->counter, address, hello);
}

bool greet_token_fits(struct gossip_node *node, uint32_t number,
                      const struct gossip_address *address, uint64_t boot_id, const uint8_t *token)
{
    uint64_t slot = node->now_ms / GOSSIP_TOKEN_SLOT_MS;
    uint8_t expected[GOSSIP_TOKEN_SIZE];

    for (unsigned age = 0; age <= 1 && age <= slot; age++) {
        token_make(node->crypto, node->token_key, address,
                   node->peers.items[number]->certificate.node, boot_id, slot - age, expected);
        if (gossip_equal(expected, token, sizeof(expected)))
            return true;
    }
    return false;
}

static int save_address(struct gossip_node *node, struct peer *peer)
{
    struct gossip_record record = {.kind = GOSSIP_RECORD_PEER};

    if (node->read_only || address_equal(&peer->address, &peer->saved))
        return GOSSIP_OK;
    peer->saved = peer->address;
    memcpy(record.as.peer.key, peer->certificate.key, GOSSIP_KEY_SIZE);
    record.as.peer.address = peer->address;
    return batch_save(&node->batch, &record);
}

static void write_entry(const struct peer *peer, uint8_t *ret_entry)
{
    memcpy(ret_entry, peer->certificate.node, GOSSIP_ID_SIZE);
    address_write(&peer->address, ret_entry + GOSSIP_ID_SIZE);
}

static int send_entries(struct gossip_node *node, uint32_t to, const uint8_t *entries, size_t size)
{
    struct wire_addresses addresses = {.entries = {entries, size}};
    uint8_t message[GOSSIP_PLAIN_MAX];

    if (size == 0)
        return GOSSIP_OK;
    return node_send(node, to, MESSAGE_ADDRESSES, message,
                     wire_encode_addresses(&addresses, message, sizeof(message) - 1));
}

/* Tells a newly proven peer of others, and a few of them of it. It says hello to those it hears of,
 * and whoever misses an address asks, so that is enough; to tell everybody took n^3 datagrams to
 * bring n nodes together. */
static int introduce(struct gossip_node *node, uint32_t number)
{
    uint8_t entries[ADDRESSES_SHOWN * (GOSSIP_ID_SIZE + ADDRESS_SIZE)];
    uint8_t entry[GOSSIP_ID_SIZE + ADDRESS_SIZE];
    size_t told = 0;
    size_t size = 0;
    size_t start = (size_t)random_below(&node->random, node->peers.count);

    write_entry(node->peers.items[number], entry);
    for (size_t i = 0; i < node->peers.count; i++) {
        uint32_t other = (uint32_t)((start + i) % node->peers.count);
        int error;

        if (other == number || node->peers.items[other]->state != GOSSIP_PEER_ALIVE)
            continue;
        if (size == sizeof(entries))
            break;
        write_entry(node->peers.items[other], entries + size);
        size += sizeof(entry);
        if (told == INTRODUCED_TO)
            continue;
        told++;
        error = send_entries(node, other, entry, sizeof(entry));
        if (error < 0)
            return error;
    }
    return send_entries(node, number, entries, size);
}

/* A peer has moved: where it was is no longer tried for ever. */
static void forget_address(struct gossip_node *node, const struct gossip_address *address)
{
    struct target *target = targets_find(&node->peers, address);

    if (target != NULL && !target->configured) {
        target->kept = false;
        target->tries = 0;
    }
}

int greet_proven(struct gossip_node *node, uint32_t number, const struct gossip_address *address,
                 uint64_t boot_id, uint64_t counter)
{
    struct peer *peer = node->peers.items[number];
    struct target *target;
    bool is_new = peer->state != GOSSIP_PEER_ALIVE || !peer->has_boot || peer->boot_id != boot_id ||
                  !address_equal(&peer->address, address);
    int error;

    if (!peer->has_boot || peer->boot_id != boot_id) {
        peer_set_boot(peer, boot_id, counter);
        peer->pull.open = false;
    }
    if (!address_equal(&peer->address, address))
        forget_address(node, &peer->address);
    peer->address = *address;
    peer->heard = true;
    peer->heard_ms = node->now_ms;
    peer->missed = 0;
    peer->state = GOSSIP_PEER_ALIVE;
    peers_stir(&node->peers);
    targets_stir(&node->peers);
    targets_make_room(&node->peers);
    error = targets_add(&node->peers, address, number, node->now_ms + node->period_ms,
                        node->period_ms, &target);
    if (error == GOSSIP_OK) {
        target->urgent = false;
        target->kept = true;
    } else if (error != GOSSIP_ERR_LIMIT) {
        return error;
    }
    if (!is_new)
        return GOSSIP_OK;
    peer->in_step = false;
    peer->has_shown = false;
    reissue_met(node);
    error = save_address(node, peer);
    if (error < 0)
        return error;
    error = node_notice(node, GOSSIP_NOTICE_PEER_ALIVE, number, (struct gossip_dot){0}, 0);
    if (error < 0)
        return error;
    node_wake(node);
    peer->wanted = true;
    return introduce(node, number);
}

int greet_unproven(struct gossip_node *node, uint32_t number, const struct gossip_address *address)
{
    struct target *target;
    int error = targets_add(&node->peers, address, number, node->now_ms, node->period_ms, &target);

    if (error == GOSSIP_ERR_LIMIT)
        return GOSSIP_OK;
    if (error < 0)
        return error;
    targets_stir(&node->peers);
    if (!target->urgent) {
        target->urgent = true;
        target->tries = 0;
        target->interval_ms = node->period_ms;
        if (target->due_ms > node->now_ms + node->period_ms)
            target->due_ms = node->now_ms + node->period_ms;
    }
    return GOSSIP_OK;
}

/* The hello of ours with this nonce, and the target that got it; NULL if none waits. */
static struct sent_hello *hello_by_nonce(struct gossip_node *node, const uint8_t *nonce,
                                         struct target **ret_target)
{
    for (size_t i = 0; i < node->peers.target_count; i++) {
        struct target *target = &node->peers.targets[i];

        for (size_t j = 0; j < HELLOS_KEPT; j++) {
            struct sent_hello *hello = &target->hellos[j];

            if (hello->waiting && gossip_equal(hello->nonce, nonce, GOSSIP_NONCE_SIZE)) {
                *ret_target = target;
                return hello;
            }
        }
    }
    return NULL;
}

static bool may_look_at_hello(struct gossip_node *node)
{
    uint64_t earned = (node->now_ms - node->hello_refill_ms) * HELLOS_PER_SECOND / 1000;

    if (earned > 0) {
        node->hello_budget += earned;
        if (node->hello_budget > HELLOS_PER_SECOND)
            node->hello_budget = HELLOS_PER_SECOND;
        node->hello_refill_ms = node->now_ms;
    }
    if (node->hello_budget == 0)
        return false;
    node->hello_budget--;
    return true;
}

/* There is a sign of life from address: it gets our hello soon, at most one a period. */
static int try_address(struct gossip_node *node, uint32_t peer,
                       const struct gossip_address *address)
{
    uint64_t soon = node->now_ms + node->period_ms;
    struct target *target;
    int error = targets_add(&node->peers, address, peer, node->now_ms, node->period_ms, &target);

    if (error >= 0 && target->due_ms > soon) {
        targets_stir(&node->peers);
        target->interval_ms = node->period_ms;
        target->due_ms = soon;
    }
    return error;
}

static void note_greeting(struct peer *peer, enum datagram_kind kind,
                          const struct greeting *greeting)
{
    peer->boot_count = greeting->message.boot_count;
    if (peer->boot_count < peer->greeting.boot_count ||
        greeting->body_size > sizeof(peer->greeting.body))
        return;
    peer->greeting.boot_count = peer->boot_count;
    peer->greeting.boot_id = greeting->message.boot_id;
    peer->greeting.kind = (uint8_t)kind;
    memcpy(peer->greeting.signature, greeting->signature, GOSSIP_SIGNATURE_SIZE);
    peer->greeting.size = greeting->body_size;
    memcpy(peer->greeting.body, greeting->body, greeting->body_size);
}

/* Somebody says hello with our own key, under another boot. It may be one of ours that was kept and
 * sent again, so it proves nothing; but whoever is there will prove itself, or find that we do. */
static int greet_double(struct gossip_node *node, const struct gossip_address *address,
                        const struct wire_hello *hello)
{
    int error = send_welcome_to(node, node->identity->node, 0, address, hello);

    if (error >= 0)
        error = try_address(node, NO_PEER, address);
    return error == GOSSIP_ERR_LIMIT ? GOSSIP_OK : error;
}

/* A peer says hello under another boot and from elsewhere than where it is alive: there may be two
 * of it. Whom we know is told where to find the other, which may know of no way to it. */
static int tell_of_double(struct gossip_node *node, uint32_t number,
                          const struct gossip_address *address, const struct wire_hello *hello)
{
    const struct peer *peer = node->peers.items[number];
    uint8_t entry[GOSSIP_ID_SIZE + ADDRESS_SIZE];

    if (peer->state != GOSSIP_PEER_ALIVE || peer->boot_id == hello->boot_id ||
        address_equal(&peer->address, address))
        return GOSSIP_OK;
    memcpy(entry, peer->certificate.node, GOSSIP_ID_SIZE);
    address_write(address, entry + GOSSIP_ID_SIZE);
    return send_entries(node, number, entry, sizeof(entry));
}

static enum gossip_verdict receive_hello(struct gossip_node *node,
                                         const struct gossip_datagram *datagram,
                                         const struct greeting *greeting, int *ret_error)
{
    struct wire_arena arena;
    struct certificate certificate;
    enum gossip_verdict verdict;
    struct target *target;
    uint32_t peer;

    if (!certificate_read(node->crypto, &arena, greeting->message.certificate.data,
                          greeting->message.certificate.size, &certificate))
        return GOSSIP_DATAGRAM_MALFORMED;
    if (is_self(node, certificate.key)) {
        /* An address that was given to us leads back to ourselves, or somebody has sent our hello
         * back: it is tried as slowly as can be. */
        if (hello_by_nonce(node, greeting->message.nonce, &target) != NULL &&
            address_equal(&target->address, &datagram->address)) {
            target->interval_ms = GOSSIP_HELLO_MAX_MS;
            target->due_ms = node->now_ms + GOSSIP_HELLO_MAX_MS;
        } else if (greeting->message.boot_id != node->boot_id &&
                   greeting_verify(node->crypto, node->identity->cluster, DATAGRAM_HELLO, greeting,
                                   certificate.key, NULL)) {
            *ret_error = greet_double(node, &datagram->address, &greeting->message);
        }
        return GOSSIP_DATAGRAM_MISDIRECTED;
    }
    if (!greeting_verify(node->crypto, node->identity->cluster, DATAGRAM_HELLO, greeting,
                         certificate.key, NULL))
        return GOSSIP_DATAGRAM_FORGED;
    verdict = greet_admit(node, greeting->message.certificate, greeting->message.issuer, &peer,
                          ret_error);
    if (verdict != GOSSIP_DATAGRAM_ACCEPTED || *ret_error < 0)
        return verdict;
    note_greeting(node->peers.items[peer], DATAGRAM_HELLO, greeting);
    *ret_error = send_welcome(node, peer, &datagram->address, &greeting->message);
    if (*ret_error >= 0)
        *ret_error = tell_of_double(node, peer, &datagram->address, &greeting->message);
    /* If the welcome or the token that comes back for it is lost, our hello makes up for it. */
    if (*ret_error >= 0 && node->peers.items[peer]->state != GOSSIP_PEER_ALIVE) {
        *ret_error = try_address(node, peer, &datagram->address);
        if (*ret_error == GOSSIP_ERR_LIMIT)
            *ret_error = GOSSIP_OK; /* The welcome has to do. */
    }
    /* It speaks under another boot than the one that is thought alive, and no older one, as a hello
     * that was kept and sent again would: that one is asked whether it still is. */
    if (*ret_error >= 0 && node->peers.items[peer]->state == GOSSIP_PEER_ALIVE &&
        node->peers.items[peer]->boot_id != greeting->message.boot_id &&
        greeting->message.boot_count >= node->peers.items[peer]->greeting.boot_count &&
        !node->peers.items[peer]->asking) {
        node->peers.items[peer]->wanted = true;
        peers_stir(&node->peers);
    }
    return GOSSIP_DATAGRAM_ACCEPTED;
}

static enum gossip_verdict receive_welcome(struct gossip_node *node,
                                           const struct gossip_datagram *datagram,
                                           const struct greeting *greeting, int *ret_error)
{
    struct target *target = NULL;
    struct sent_hello *hello = hello_by_nonce(node, greeting->message.echo, &target);
    struct wire_arena arena;
    struct certificate certificate;
    enum gossip_verdict verdict;
    struct peer *peer;
    uint32_t number;

    /* Only the address that the hello went to has been proven by the nonce: a welcome that was
     * caught and sent on from another must not lead us there. */
    if (hello == NULL || !address_equal(&target->address, &datagram->address))
        return GOSSIP_DATAGRAM_UNASKED;
    if (!certificate_read(node->crypto, &arena, greeting->message.certificate.data,
                          greeting->message.certificate.size, &certificate))
        return GOSSIP_DATAGRAM_MALFORMED;
    if (is_self(node, certificate.key) && greeting->message.boot_id == node->boot_id)
        return GOSSIP_DATAGRAM_MISDIRECTED;
    if (!greeting_verify(node->crypto, node->identity->cluster, DATAGRAM_WELCOME, greeting,
                         certificate.key, node->identity->node))
        return GOSSIP_DATAGRAM_FORGED;
    if (is_self(node, certificate.key)) {
        /* It has just signed our nonce, with our key, and is not this process. */
        *ret_error = amnesia_clone(node);
        return GOSSIP_DATAGRAM_MISDIRECTED;
    }
    verdict = greet_admit(node, greeting->message.certificate, greeting->message.issuer, &number,
                          ret_error);
    if (verdict != GOSSIP_DATAGRAM_ACCEPTED || *ret_error < 0)
        return verdict;
    hello->waiting = false;
    target->urgent = false;
    target->tries = 0;
    target->interval_ms = node->period_ms;
    target->peer = number;
    targets_stir(&node->peers);
    peer = node->peers.items[number];
    note_greeting(peer, DATAGRAM_WELCOME, greeting);
    peer_note_rtt(peer, node->now_ms - hello->sent_ms);
    peers_stir(&node->peers);
    peer->has_token = true;
    peer->token_ms = node->now_ms;
    memcpy(peer->token, greeting->message.token, GOSSIP_TOKEN_SIZE);
    *ret_error = greet_proven(node, number, &datagram->address, greeting->message.boot_id,
                              greeting->message.counter);
    /* Its token goes back to it at once, so that it knows our address too. */
    peer->wanted = true;
    return GOSSIP_DATAGRAM_ACCEPTED;
}

enum gossip_verdict greet_receive(struct gossip_node *node, enum datagram_kind kind,
                                  const struct gossip_datagram *datagram, int *ret_error)
{
    struct greeting greeting;
    enum gossip_verdict verdict =
        greeting_open(node->crypto, node->identity->gate, kind, datagram->data, datagram->size,
                      &node->arena, &greeting);

    if (verdict != GOSSIP_DATAGRAM_ACCEPTED)
        return verdict;
    if (kind == DATAGRAM_WELCOME)
        return receive_welcome(node, datagram, &greeting, ret_error);
    if (!may_look_at_hello(node))
        return GOSSIP_DATAGRAM_LIMITED;
    return receive_hello(node, datagram, &greeting, ret_error);
}

static enum gossip_verdict take_entry(struct gossip_node *node, const uint8_t *entry,
                                      int *ret_error)
{
    struct gossip_address address;
    uint32_t peer = peers_find_node(&node->peers, entry);

    address_read(entry + GOSSIP_ID_SIZE, &address);
    if (address.port == 0)
        return GOSSIP_DATAGRAM_MALFORMED;
    /* Where somebody else says to be us: whoever is there will prove it, or it is ourselves. */
    if (peer != NO_PEER && node->peers.items[peer]->state == GOSSIP_PEER_ALIVE)
        return GOSSIP_DATAGRAM_DUPLICATE;
    *ret_error = try_address(node, peer, &address);
    if (*ret_error == GOSSIP_ERR_LIMIT) {
        *ret_error = GOSSIP_OK;
        return GOSSIP_DATAGRAM_NO_ROOM;
    }
    return GOSSIP_DATAGRAM_ACCEPTED;
}

enum gossip_verdict greet_addresses(struct gossip_node *node, uint32_t peer,
                                    const struct wire_addresses *addresses, int *ret_error)
{
    enum gossip_verdict verdict = GOSSIP_DATAGRAM_DUPLICATE;
    uint8_t entries[ADDRESSES_SHOWN * (GOSSIP_ID_SIZE + ADDRESS_SIZE)];
    size_t size = 0;

    for (size_t i = 0; i < addresses->entries.size; i += GOSSIP_ID_SIZE + ADDRESS_SIZE) {
        enum gossip_verdict taken = take_entry(node, addresses->entries.data + i, ret_error);

        if (*ret_error < 0 || taken == GOSSIP_DATAGRAM_MALFORMED)
            return taken;
        if (taken != GOSSIP_DATAGRAM_DUPLICATE)
            verdict = taken;
    }
    for (size_t i = 0; i < addresses->ask.size; i += GOSSIP_ID_SIZE) {
        uint32_t other = peers_find_node(&node->peers, addresses->ask.data + i);

        verdict = GOSSIP_DATAGRAM_ACCEPTED;
        if (other == NO_PEER || node->peers.items[other]->state != GOSSIP_PEER_ALIVE ||
            size == sizeof(entries))
            continue;
        write_entry(node->peers.items[other], entries + size);
        size += GOSSIP_ID_SIZE + ADDRESS_SIZE;
    }
    *ret_error = send_entries(node, peer, entries, size);
    return verdict;
}

static bool has_target(const struct gossip_node *node, uint32_t peer)
{
    for (size_t i = 0; i < node->peers.target_count; i++) {
        if (node->peers.targets[i].peer == peer)
            return true;
    }
    return false;
}

/* Asks somebody where those are of whom we know no address. */
static int ask_addresses(struct gossip_node *node)
{
    uint8_t message[GOSSIP_PLAIN_MAX];
    uint8_t ids[32 * GOSSIP_ID_SIZE];
    struct wire_addresses addresses = {.ask = {ids, 0}};
    uint32_t asked = NO_PEER;
    uint64_t alive = 0;

    for (uint32_t i = 0; i < node->peers.count; i++) {
        const struct peer *peer = node->peers.items[i];

        if (peer->state == GOSSIP_PEER_ALIVE) {
            if (random_below(&node->random, ++alive) == 0)
                asked = i;
        } else if (addresses.ask.size < sizeof(ids) && !has_target(node, i)) {
            memcpy(ids + addresses.ask.size, peer->certificate.node, GOSSIP_ID_SIZE);
            addresses.ask.size += GOSSIP_ID_SIZE;
        }
    }
    if (asked == NO_PEER || addresses.ask.size == 0)
        return GOSSIP_OK;
    return node_send(node, asked, MESSAGE_ADDRESSES, message,
                     wire_encode_addresses(&addresses, message, sizeof(message) - 1));
}

/* Somewhere within a tenth of interval, so that nodes do not march in step. */
static uint64_t jittered(struct gossip_node *node, uint64_t interval)
{
    return interval - interval / 10 + random_below(&node->random, interval / 5 + 1);
}

static int hello_due(struct gossip_node *node, struct target *target)
{
    uint64_t limit = node->period_ms > GOSSIP_HELLO_MAX_MS ? node->period_ms : GOSSIP_HELLO_MAX_MS;
    int error = send_hello(node, target);

    if (error < 0)
        return error;
    target->tries++;
    target->due_ms = node->now_ms + jittered(node, target->interval_ms);
    target->interval_ms = target->interval_ms * 2 < limit ? target->interval_ms * 2 : limit;
    return GOSSIP_OK;
}

static uint64_t find_target_due(const struct gossip_node *node)
{
    uint64_t due = UINT64_MAX;

    for (size_t i = 0; i < node->peers.target_count; i++) {
        const struct target *target = &node->peers.targets[i];

        if (target->due_ms < due && !target_rests(&node->peers, target))
            due = target->due_ms;
    }
    return due;
}

static int greet_targets(struct gossip_node *node)
{
    for (size_t i = 0; i < node->peers.target_count;) {
        struct target *target = &node->peers.targets[i];
        int error;

        if (target_rests(&node->peers, target) || target->due_ms > node->now_ms) {
            i++;
            continue;
        }
        if (!target->configured && !target->kept && target->tries >= HELLOS_TO_HEARSAY) {
            targets_remove(&node->peers, target);
            continue;
        }
        error = hello_due(node, target);
        if (error < 0)
            return error;
        i++;
    }
    node->peers.target_due_ms = find_target_due(node);
    return GOSSIP_OK;
}

int greet_time(struct gossip_node *node)
{
    if (node->peers.target_due_ms <= node->now_ms) {
        int error = greet_targets(node);

        if (error < 0)
            return error;
    }
    if (node->addresses_ms <= node->now_ms) {
        node->addresses_ms = node->now_ms + jittered(node, node->addresses_interval_ms);
        if (node->addresses_interval_ms < GOSSIP_HELLO_MAX_MS)
            node->addresses_interval_ms *= 2;
        return ask_addresses(node);
    }
    return GOSSIP_OK;
}

uint64_t greet_deadline(const struct gossip_node *node)
{
    return node->addresses_ms < node->peers.target_due_ms ? node->addresses_ms
                                                          : node->peers.target_due_ms;
}
