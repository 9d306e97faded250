#include "gossip/identity.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "gossip/event.h"

int cluster_make(const struct gossip_crypto *crypto, const uint8_t *seed, const uint8_t *gate,
                 struct gossip_cluster **ret_cluster)
{
    struct gossip_cluster *cluster = gossip_secret_alloc(sizeof(*cluster));

    if (cluster == NULL)
        return GOSSIP_ERR_NOMEM;
    memcpy(cluster->seed, seed, GOSSIP_SEED_SIZE);
    memcpy(cluster->gate, gate, GOSSIP_CLUSTER_SECRET_SIZE);
    crypto->key_pair(cluster->seed, cluster->key, cluster->secret);
    *ret_cluster = cluster;
    return GOSSIP_OK;
}

int gossip_cluster_create(struct gossip_time *time, struct gossip_cluster **ret_cluster)
{
    uint8_t bytes[GOSSIP_SEED_SIZE + GOSSIP_CLUSTER_SECRET_SIZE];
    int error = time->ops->random(time, bytes, sizeof(bytes));

    if (error >= 0)
        error = cluster_make(gossip_crypto_sodium(), bytes, bytes + GOSSIP_SEED_SIZE, ret_cluster);
    gossip_wipe(bytes, sizeof(bytes));
    return error;
}

void gossip_cluster_destroy(struct gossip_cluster *cluster)
{
    gossip_secret_free(cluster);
}

int identity_make(const struct gossip_crypto *crypto, const struct gossip_cluster *cluster,
                  const char *name, unsigned rights, const uint8_t *seed,
                  struct gossip_identity **ret_identity)
{
    struct gossip_identity *identity;

    if (!name_is_valid(name, strlen(name)))
        return GOSSIP_ERR_INVALID;
    identity = gossip_secret_alloc(sizeof(*identity));
    if (identity == NULL)
        return GOSSIP_ERR_NOMEM;
    memset(identity, 0, sizeof(*identity));
    memcpy(identity->seed, seed, GOSSIP_SEED_SIZE);
    crypto->key_pair(identity->seed, identity->key, identity->secret);
    node_id(crypto, identity->key, identity->node);
    memcpy(identity->cluster, cluster->key, GOSSIP_KEY_SIZE);
    memcpy(identity->gate, cluster->gate, GOSSIP_CLUSTER_SECRET_SIZE);
    certificate_make(crypto, cluster->key, identity->key, name, rights, NULL, cluster->secret,
                     &identity->certificate);
    *ret_identity = identity;
    return GOSSIP_OK;
}

int gossip_identity_create(const struct gossip_cluster *cluster, const char *name, unsigned rights,
                           struct gossip_time *time, struct gossip_identity **ret_identity)
{
    uint8_t seed[GOSSIP_SEED_SIZE];
    int error = time->ops->random(time, seed, sizeof(seed));

    if (error >= 0)
        error = identity_make(gossip_crypto_sodium(), cluster, name, rights, seed, ret_identity);
    gossip_wipe(seed, sizeof(seed));
    return error;
}

void gossip_identity_destroy(struct gossip_identity *identity)
{
    gossip_secret_free(identity);
}

const char *gossip_identity_name(const struct gossip_identity *identity)
{
    return identity->certificate.name;
}

const uint8_t *gossip_identity_key(const struct gossip_identity *identity)
{
    return identity->key;
}

const uint8_t *gossip_identity_cluster(const struct gossip_identity *identity)
{
    return identity->cluster;
}

bool identity_is_sound(const struct gossip_crypto *crypto, const struct gossip_identity *identity)
{
    static const char trial[] = "gossip/trial/1";
    uint8_t signature[GOSSIP_SIGNATURE_SIZE];

    if (memcmp(identity->certificate.key, identity->key, GOSSIP_KEY_SIZE) != 0 ||
        !crypto->key_valid(identity->cluster))
        return false;
    crypto->sign(signature, trial, sizeof(trial), identity->secret);
    if (!crypto->verify(signature, trial, sizeof(trial), identity->key))
        return false;
    return certificate_verify(crypto, identity->cluster, &identity->certificate,
                              identity->has_issuer ? &identity->issuer : NULL);
}

/* The text form: a title, then one "word hex" a line, in this order. */

static const char cluster_title[] = "gossip-cluster-key 1";
static const char identity_title[] = "gossip-node-key 1";

static void put_text(char *text, const char *line)
{
    size_t size = strlen(text);

    assert(size + strlen(line) < GOSSIP_IDENTITY_TEXT_MAX);
    memcpy(text + size, line, strlen(line) + 1);
}

static void put_hex(char *text, const char *word, const uint8_t *bytes, size_t size)
{
    char digits[3];

    put_text(text, word);
    put_text(text, " ");
    for (size_t i = 0; i < size; i++) {
        snprintf(digits, sizeof(digits), "%02x", bytes[i]);
        put_text(text, digits);
    }
    put_text(text, "\n");
}

void gossip_cluster_to_text(const struct gossip_cluster *cluster,
                            char ret_text[GOSSIP_IDENTITY_TEXT_MAX])
{
    ret_text[0] = '\0';
    put_text(ret_text, cluster_title);
    put_text(ret_text, "\n");
    put_hex(ret_text, "seed", cluster->seed, GOSSIP_SEED_SIZE);
    put_hex(ret_text, "secret", cluster->gate, GOSSIP_CLUSTER_SECRET_SIZE);
}

void gossip_identity_to_text(const struct gossip_identity *identity,
                             char ret_text[GOSSIP_IDENTITY_TEXT_MAX])
{
    ret_text[0] = '\0';
    put_text(ret_text, identity_title);
    put_text(ret_text, "\n");
    put_hex(ret_text, "seed", identity->seed, GOSSIP_SEED_SIZE);
    put_hex(ret_text, "cluster", identity->cluster, GOSSIP_KEY_SIZE);
    put_hex(ret_text, "secret", identity->gate, GOSSIP_CLUSTER_SECRET_SIZE);
    put_hex(ret_text, "certificate", identity->certificate.bytes, identity->certificate.size);
    if (identity->has_issuer)
        put_hex(ret_text, "issuer", identity->issuer.bytes, identity->issuer.size);
}

struct lines {
    const char *text;
    size_t size;
    size_t offset;
    size_t line; /* Of the one last looked at, from 1. */
};

/* Takes the next line, without its newline. */
static bool next_line(struct lines *lines, const char **ret_line, size_t *ret_size)
{
    const char *start = lines->text + lines->offset;
    const char *end;

    lines->line++;
    if (lines->offset >= lines->size)
        return false;
    end = memchr(start, '\n', lines->size - lines->offset);
    *ret_line = start;
    *ret_size = end == NULL ? lines->size - lines->offset : (size_t)(end - start);
    lines->offset += *ret_size + (end == NULL ? 0 : 1);
    return true;
}

static bool title_follows(struct lines *lines, const char *title)
{
    const char *line;
    size_t size;

    return next_line(lines, &line, &size) && size == strlen(title) &&
           memcmp(line, title, size) == 0;
}

static int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return -1;
}

/* Takes the next line if it is word and hex of at most capacity bytes. */
static bool hex_follows(struct lines *lines, const char *word, uint8_t *ret_bytes, size_t capacity,
                        size_t *ret_size)
{
    const char *line;
    size_t size;
    size_t start = strlen(word) + 1;

    if (!next_line(lines, &line, &size) || size < start || (size - start) % 2 != 0 ||
        (size - start) / 2 > capacity || memcmp(line, word, start - 1) != 0 ||
        line[start - 1] != ' ')
        return false;
    for (size_t i = start; i < size; i += 2) {
        int high = digit_value(line[i]);
        int low = digit_value(line[i + 1]);

        if (high < 0 || low < 0)
            return false;
        ret_bytes[(i - start) / 2] = (uint8_t)(high << 4 | low);
    }
    *ret_size = (size - start) / 2;
    return true;
}

static bool key_follows(struct lines *lines, const char *word, uint8_t ret_bytes[32])
{
    size_t size;

    return hex_follows(lines, word, ret_bytes, 32, &size) && size == 32;
}

static int invalid_at(const struct lines *lines, size_t *ret_line)
{
    if (ret_line != NULL)
        *ret_line = lines->line;
    return GOSSIP_ERR_INVALID;
}

int gossip_cluster_from_text(const char *text, size_t size, struct gossip_cluster **ret_cluster,
                             size_t *ret_line)
{
    struct lines lines = {text, size, 0, 0};
    uint8_t seed[GOSSIP_SEED_SIZE];
    uint8_t gate[GOSSIP_CLUSTER_SECRET_SIZE];
    const char *rest;
    size_t rest_size;
    int error;

    if (!title_follows(&lines, cluster_title) || !key_follows(&lines, "seed", seed) ||
        !key_follows(&lines, "secret", gate) || next_line(&lines, &rest, &rest_size))
        error = invalid_at(&lines, ret_line);
    else
        error = cluster_make(gossip_crypto_sodium(), seed, gate, ret_cluster);
    gossip_wipe(seed, sizeof(seed));
    gossip_wipe(gate, sizeof(gate));
    return error;
}

static bool certificate_follows(struct lines *lines, const char *word,
                                struct certificate *ret_certificate)
{
    struct wire_arena arena;
    uint8_t bytes[CERTIFICATE_MAX];
    size_t size;

    return hex_follows(lines, word, bytes, sizeof(bytes), &size) &&
           certificate_read(gossip_crypto_sodium(), &arena, bytes, size, ret_certificate);
}

int gossip_identity_from_text(const char *text, size_t size, struct gossip_identity **ret_identity,
                              size_t *ret_line)
{
    const struct gossip_crypto *crypto = gossip_crypto_sodium();
    struct lines lines = {text, size, 0, 0};
    struct gossip_identity *identity = gossip_secret_alloc(sizeof(*identity));
    const char *rest;
    size_t rest_size;
    int error;

    if (identity == NULL)
        return GOSSIP_ERR_NOMEM;
    memset(identity, 0, sizeof(*identity));
    if (!title_follows(&lines, identity_title) || !key_follows(&lines, "seed", identity->seed) ||
        !key_follows(&lines, "cluster", identity->cluster) ||
        !key_follows(&lines, "secret", identity->gate) ||
        !certificate_follows(&lines, "certificate", &identity->certificate)) {
        error = invalid_at(&lines, ret_line);
        goto fail;
    }
    if (identity->certificate.has_issuer) {
        identity->has_issuer = certificate_follows(&lines, "issuer", &identity->issuer);
        if (!identity->has_issuer) {
            error = invalid_at(&lines, ret_line);
            goto fail;
        }
    }
    if (next_line(&lines, &rest, &rest_size)) {
        error = invalid_at(&lines, ret_line);
        goto fail;
    }
    crypto->key_pair(identity->seed, identity->key, identity->secret);
    node_id(crypto, identity->key, identity->node);
    if (!identity_is_sound(crypto, identity)) {
        error = GOSSIP_ERR_FORGED;
        goto fail;
    }
    *ret_identity = identity;
    return GOSSIP_OK;

fail:
    gossip_identity_destroy(identity);
    return error;
}
