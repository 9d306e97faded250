#include "gossip/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define LONGEST_NAME "abcdefghijklmnopqrstuvwxyz.-_019"

/* Randomness that counts up, or has none. */
struct fixed_time {
    struct gossip_time base;
    uint8_t next;
    bool is_out;
};

static int fixed_random(struct gossip_time *time, uint8_t *buffer, size_t size)
{
    struct fixed_time *fixed = (struct fixed_time *)time;

    if (fixed->is_out)
        return GOSSIP_ERR_IO;
    for (size_t i = 0; i < size; i++)
        buffer[i] = fixed->next++;
    return GOSSIP_OK;
}

static const struct gossip_time_ops fixed_ops = {.random = fixed_random};

static struct gossip_cluster *cluster_of(uint8_t start)
{
    struct fixed_time time = {{&fixed_ops}, start, false};
    struct gossip_cluster *cluster;

    assert_int_equal(gossip_cluster_create(&time.base, &cluster), GOSSIP_OK);
    return cluster;
}

static struct gossip_identity *identity_of(const struct gossip_cluster *cluster, const char *name,
                                           unsigned rights, uint8_t start)
{
    struct fixed_time time = {{&fixed_ops}, start, false};
    struct gossip_identity *identity;

    assert_int_equal(gossip_identity_create(cluster, name, rights, &time.base, &identity),
                     GOSSIP_OK);
    return identity;
}

/* The same identity, but admitted by another node. */
static void admit(struct gossip_identity *identity, const struct gossip_identity *issuer)
{
    char name[GOSSIP_NAME_MAX + 1];
    uint32_t rights = identity->certificate.rights;

    memcpy(name, identity->certificate.name, sizeof(name));
    certificate_make(gossip_crypto_sodium(), identity->cluster, identity->key, name, rights,
                     issuer->key, issuer->secret, &identity->certificate);
    identity->has_issuer = true;
    identity->issuer = issuer->certificate;
}

static void test_create(void **state)
{
    struct fixed_time time = {{&fixed_ops}, 7, false};
    struct gossip_cluster *cluster = cluster_of(1);
    struct gossip_cluster *no_cluster = NULL;
    struct gossip_identity *identity = NULL;

    (void)state;
    for (int i = 0; i < GOSSIP_SEED_SIZE; i++) {
        assert_int_equal(cluster->seed[i], 1 + i);
        assert_int_equal(cluster->gate[i], 1 + GOSSIP_SEED_SIZE + i);
    }
    assert_int_equal(gossip_identity_create(cluster, "", 0, &time.base, &identity),
                     GOSSIP_ERR_INVALID);
    assert_int_equal(gossip_identity_create(cluster, "a b", 0, &time.base, &identity),
                     GOSSIP_ERR_INVALID);
    assert_int_equal(gossip_identity_create(cluster, LONGEST_NAME "x", 0, &time.base, &identity),
                     GOSSIP_ERR_INVALID);
    time.is_out = true;
    assert_int_equal(gossip_identity_create(cluster, "a", 0, &time.base, &identity), GOSSIP_ERR_IO);
    assert_int_equal(gossip_cluster_create(&time.base, &no_cluster), GOSSIP_ERR_IO);
    assert_null(identity);
    assert_null(no_cluster);

    identity = identity_of(cluster, LONGEST_NAME, 3, 100);
    assert_string_equal(gossip_identity_name(identity), LONGEST_NAME);
    assert_memory_equal(gossip_identity_cluster(identity), cluster->key, GOSSIP_KEY_SIZE);
    assert_memory_equal(gossip_identity_key(identity), identity->certificate.key, GOSSIP_KEY_SIZE);
    assert_memory_equal(identity->gate, cluster->gate, GOSSIP_CLUSTER_SECRET_SIZE);
    assert_int_equal(identity->certificate.rights, 3);
    assert_true(identity_is_sound(gossip_crypto_sodium(), identity));
    gossip_identity_destroy(identity);
    gossip_cluster_destroy(cluster);
    gossip_identity_destroy(NULL);
    gossip_cluster_destroy(NULL);
}

static void test_cluster_text(void **state)
{
    struct gossip_cluster *cluster = cluster_of(200);
    struct gossip_cluster *again;
    char text[GOSSIP_IDENTITY_TEXT_MAX];
    char text_again[GOSSIP_IDENTITY_TEXT_MAX];
    size_t line = 77;

    (void)state;
    gossip_cluster_to_text(cluster, text);
    for (size_t cut = 0; cut < 2; cut++) { /* With and without the last newline. */
        assert_int_equal(gossip_cluster_from_text(text, strlen(text) - cut, &again, &line),
                         GOSSIP_OK);
        assert_memory_equal(again, cluster, sizeof(*cluster));
        gossip_cluster_to_text(again, text_again);
        assert_string_equal(text, text_again);
        gossip_cluster_destroy(again);
    }
    assert_int_equal(line, 77);
    gossip_cluster_destroy(cluster);
}

static void check_identity_text(const struct gossip_identity *identity)
{
    struct gossip_identity *again;
    char text[GOSSIP_IDENTITY_TEXT_MAX];
    char text_again[GOSSIP_IDENTITY_TEXT_MAX];

    gossip_identity_to_text(identity, text);
    for (size_t cut = 0; cut < 2; cut++) {
        assert_int_equal(gossip_identity_from_text(text, strlen(text) - cut, &again, NULL),
                         GOSSIP_OK);
        assert_memory_equal(again->seed, identity->seed, GOSSIP_SEED_SIZE);
        assert_memory_equal(again->key, identity->key, GOSSIP_KEY_SIZE);
        assert_memory_equal(again->secret, identity->secret, GOSSIP_SECRET_SIZE);
        assert_memory_equal(again->node, identity->node, GOSSIP_ID_SIZE);
        assert_memory_equal(again->cluster, identity->cluster, GOSSIP_KEY_SIZE);
        assert_memory_equal(again->gate, identity->gate, GOSSIP_CLUSTER_SECRET_SIZE);
        assert_memory_equal(again->certificate.bytes, identity->certificate.bytes,
                            identity->certificate.size);
        assert_int_equal(again->has_issuer, identity->has_issuer);
        assert_string_equal(gossip_identity_name(again), gossip_identity_name(identity));
        gossip_identity_to_text(again, text_again);
        assert_string_equal(text, text_again);
        gossip_identity_destroy(again);
    }
}

static void test_identity_text(void **state)
{
    struct gossip_cluster *cluster = cluster_of(1);
    struct gossip_identity *issuer = identity_of(cluster, LONGEST_NAME, UINT32_MAX, 100);
    struct gossip_identity *identity = identity_of(cluster, LONGEST_NAME, UINT32_MAX, 150);

    (void)state;
    check_identity_text(issuer);
    admit(identity, issuer); /* The longest text there can be. */
    check_identity_text(identity);
    gossip_identity_destroy(identity);
    gossip_identity_destroy(issuer);
    gossip_cluster_destroy(cluster);
}

/* A text line by line. */
struct lines {
    char lines[8][512];
    size_t count;
};

static struct lines split(const char *text)
{
    struct lines lines = {.count = 0};

    for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        assert_true(end - text < 500 && lines.count < 7);
        memcpy(lines.lines[lines.count], text, (size_t)(end - text));
        lines.lines[lines.count++][end - text] = '\0';
    }
    assert_string_equal(text, "");
    return lines;
}

static void join(const struct lines *lines, char *ret_text)
{
    ret_text[0] = '\0';
    for (size_t i = 0; i < lines->count; i++) {
        strcat(ret_text, lines->lines[i]);
        strcat(ret_text, "\n");
    }
}

enum damage {
    REMOVED,
    DOUBLED,
    EMPTIED,
    INDENTED,
    TRAILING_SPACE,
    CARRIAGE_RETURN,
    DIGIT_LESS,
    BYTE_LESS,
    BYTE_MORE,
    CAPITALS,
    NO_DIGIT,
    OTHER_WORD,
    NO_SPACE,
    DAMAGES,
};

/* Damages a line. The number of the line that a reader stumbles over, from 1; 0: this damage is
 * none to this line. */
static size_t damage_line(struct lines *lines, size_t index, enum damage damage)
{
    char *line = lines->lines[index];
    size_t length = strlen(line);
    char *space = strchr(line, ' ');

    assert_non_null(space);
    switch (damage) {
    case REMOVED:
        memmove(line, lines->lines[index + 1],
                (lines->count - index - 1) * sizeof(lines->lines[0]));
        lines->count--;
        break;
    case DOUBLED:
        memmove(lines->lines[index + 1], line, (lines->count - index) * sizeof(lines->lines[0]));
        lines->count++;
        return index + 2;
    case EMPTIED:
        line[0] = '\0';
        break;
    case INDENTED:
        memmove(line + 1, line, length + 1);
        line[0] = ' ';
        break;
    case TRAILING_SPACE:
        strcat(line, " ");
        break;
    case CARRIAGE_RETURN:
        strcat(line, "\r");
        break;
    case DIGIT_LESS:
        line[length - 1] = '\0';
        break;
    case BYTE_LESS:
        line[length - 2] = '\0';
        break;
    case BYTE_MORE:
        strcat(line, "00");
        break;
    case CAPITALS:
        if (index == 0)
            return 0;
        space[1] = 'A';
        break;
    case NO_DIGIT:
        line[length - 1] = 'g';
        break;
    case OTHER_WORD:
        line[0] = 'x';
        break;
    case NO_SPACE:
        *space = '_';
        break;
    case DAMAGES:
        break;
    }
    return index + 1;
}

static void test_damaged_cluster_lines(void **state)
{
    struct gossip_cluster *cluster = cluster_of(1);
    struct gossip_cluster *again = NULL;
    char text[GOSSIP_IDENTITY_TEXT_MAX];

    (void)state;
    gossip_cluster_to_text(cluster, text);
    assert_int_equal(split(text).count, 3);
    for (size_t index = 0; index < 3; index++) {
        for (enum damage damage = 0; damage < DAMAGES; damage++) {
            struct lines lines = split(text);
            size_t expected = damage_line(&lines, index, damage);
            char damaged[2 * GOSSIP_IDENTITY_TEXT_MAX];
            size_t line = 0;

            if (expected == 0)
                continue;
            join(&lines, damaged);
            if (gossip_cluster_from_text(damaged, strlen(damaged), &again, &line) !=
                    GOSSIP_ERR_INVALID ||
                line != expected)
                fail_msg("damage %d of line %zu: line %zu", (int)damage, index + 1, line);
            assert_null(again);
        }
    }
    gossip_cluster_destroy(cluster);
}

static void test_damaged_identity_lines(void **state)
{
    struct gossip_cluster *cluster = cluster_of(1);
    struct gossip_identity *issuer = identity_of(cluster, "issuer", GOSSIP_RIGHT_ADMIT, 100);
    struct gossip_identity *identity = identity_of(cluster, "node", 0, 150);
    struct gossip_identity *again = NULL;
    char text[GOSSIP_IDENTITY_TEXT_MAX];

    (void)state;
    admit(identity, issuer);
    gossip_identity_to_text(identity, text);
    assert_int_equal(split(text).count, 6);
    for (size_t index = 0; index < 6; index++) {
        for (enum damage damage = 0; damage < DAMAGES; damage++) {
            struct lines lines = split(text);
            size_t expected = damage_line(&lines, index, damage);
            bool is_certificate = index >= 4 && (damage == BYTE_LESS || damage == BYTE_MORE);
            char damaged[2 * GOSSIP_IDENTITY_TEXT_MAX];
            size_t line = 0;
            int error;

            if (expected == 0)
                continue;
            join(&lines, damaged);
            error = gossip_identity_from_text(damaged, strlen(damaged), &again, &line);
            assert_null(again);
            /* A certificate that is a byte too long may by chance be one, but not a signed one. */
            if (is_certificate && error == GOSSIP_ERR_FORGED)
                continue;
            if (error != GOSSIP_ERR_INVALID || line != expected)
                fail_msg("damage %d of line %zu: %d, line %zu", (int)damage, index + 1, error,
                         line);
        }
    }
    assert_int_equal(gossip_identity_from_text("", 0, &again, NULL), GOSSIP_ERR_INVALID);
    assert_null(again);
    gossip_identity_destroy(identity);
    gossip_identity_destroy(issuer);
    gossip_cluster_destroy(cluster);
}

/* Of all that stands in the text only the cluster secret vouches for nothing. */
static void test_every_character_counts(void **state)
{
    struct gossip_cluster *cluster = cluster_of(1);
    struct gossip_identity *issuer = identity_of(cluster, "i", GOSSIP_RIGHT_ADMIT, 100);
    struct gossip_identity *identity = identity_of(cluster, "n", 0, 150);
    char text[GOSSIP_IDENTITY_TEXT_MAX];
    const char *secret;

    (void)state;
    admit(identity, issuer);
    gossip_identity_to_text(identity, text);
    secret = strstr(text, "\nsecret ");
    assert_non_null(secret);
    secret += strlen("\nsecret ");
    for (char *at = text; *at != '\0'; at++) {
        bool is_secret = at >= secret && at < secret + 2 * GOSSIP_CLUSTER_SECRET_SIZE;
        struct gossip_identity *again = NULL;
        char kept = *at;
        int error;

        *at = kept == '0' ? '1' : '0';
        error = gossip_identity_from_text(text, strlen(text), &again, NULL);
        if (is_secret) {
            assert_int_equal(error, GOSSIP_OK);
            assert_memory_not_equal(again->gate, identity->gate, GOSSIP_CLUSTER_SECRET_SIZE);
            gossip_identity_destroy(again);
        } else if (error != GOSSIP_ERR_INVALID && error != GOSSIP_ERR_FORGED) {
            fail_msg("character %zu", (size_t)(at - text));
        } else {
            assert_null(again);
        }
        *at = kept;
    }
    gossip_identity_destroy(identity);
    gossip_identity_destroy(issuer);
    gossip_cluster_destroy(cluster);
}

/* Well formed, and not what it says. */
static void test_unsound(void **state)
{
    const struct gossip_crypto *crypto = gossip_crypto_sodium();
    struct gossip_cluster *cluster = cluster_of(1);
    struct gossip_cluster *other = cluster_of(2);
    struct gossip_identity *identity = identity_of(cluster, "node", 0, 100);
    struct gossip_identity *stranger = identity_of(other, "node", 3, 110);
    struct gossip_identity *second = identity_of(cluster, "second", 0, 120);
    struct gossip_identity *again = NULL;
    struct gossip_identity changed;
    char text[GOSSIP_IDENTITY_TEXT_MAX];

    (void)state;
    changed = *identity;
    changed.certificate = second->certificate; /* Of another node of the cluster. */
    assert_false(identity_is_sound(crypto, &changed));
    gossip_identity_to_text(&changed, text);
    assert_int_equal(gossip_identity_from_text(text, strlen(text), &again, NULL),
                     GOSSIP_ERR_FORGED);

    changed = *identity;
    memcpy(changed.cluster, other->key, GOSSIP_KEY_SIZE); /* Of another cluster. */
    assert_false(identity_is_sound(crypto, &changed));
    gossip_identity_to_text(&changed, text);
    assert_int_equal(gossip_identity_from_text(text, strlen(text), &again, NULL),
                     GOSSIP_ERR_FORGED);

    changed = *identity;
    memset(changed.cluster, 0, GOSSIP_KEY_SIZE); /* Of none. */
    assert_false(identity_is_sound(crypto, &changed));

    changed = *identity;
    memcpy(changed.secret, second->secret, GOSSIP_SECRET_SIZE); /* Key pairs mixed up: an oracle. */
    assert_false(identity_is_sound(crypto, &changed));
    changed = *identity;
    memcpy(changed.key, second->key, GOSSIP_KEY_SIZE);
    assert_false(identity_is_sound(crypto, &changed));

    changed = *identity;
    admit(&changed, stranger); /* Admitted by a node of another cluster ... */
    assert_false(identity_is_sound(crypto, &changed));
    changed = *identity;
    admit(&changed, second); /* ... and by one without the right. */
    assert_false(identity_is_sound(crypto, &changed));
    gossip_identity_to_text(&changed, text);
    assert_int_equal(gossip_identity_from_text(text, strlen(text), &again, NULL),
                     GOSSIP_ERR_FORGED);
    changed.has_issuer = false; /* An issuer is named and not there. */
    assert_false(identity_is_sound(crypto, &changed));

    changed = *identity;
    assert_true(identity_is_sound(crypto, &changed));
    assert_null(again);
    gossip_wipe(&changed, sizeof(changed));
    gossip_identity_destroy(second);
    gossip_identity_destroy(stranger);
    gossip_identity_destroy(identity);
    gossip_cluster_destroy(other);
    gossip_cluster_destroy(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_cluster_text),
        cmocka_unit_test(test_identity_text),
        cmocka_unit_test(test_damaged_cluster_lines),
        cmocka_unit_test(test_damaged_identity_lines),
        cmocka_unit_test(test_every_character_counts),
        cmocka_unit_test(test_unsound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
